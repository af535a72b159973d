//! Files that are there whole or not at all.
//!
//! What is written goes to a temporary file in the same folder, which takes the name when everything is on the disk.
//! Who reads the name meanwhile finds what stood there before; an error on the way, a full disk among them, leaves
//! that as it was and no temporary.

mod permission;

use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::Builder;

#[cfg(unix)]
use permission::at_first;
use permission::{may_be_replaced, those_of};

use crate::error::{Error, Result};

pub(crate) use permission::{check, folder_of};

/// Temporary files that are being written.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn unfinished() -> MutexGuard<'static, Vec<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A temporary file that is known to be unfinished, until this is dropped.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        unfinished().retain(|path| *path != self.0);
    }
}

/// Removes what any thread is writing, and keeps all from beginning another file as long as the result is held: for a
/// process that ends at once.
pub(crate) fn discard_unfinished() -> MutexGuard<'static, Vec<PathBuf>> {
    let files = unfinished();
    for path in &*files {
        // It may have taken its name by now, or be gone.
        drop(fs::remove_file(path));
    }
    files
}

/// Writes a file: `write` is given where to, and the file takes its name if it succeeds.
///
/// A file that is replaced keeps its permissions; a new one gets what the process's mask leaves of reading and
/// writing for all. A link is followed. What is no file, as a pipe, is written to as it is; so is what the process has open
/// already, as `/dev/stdout` or `/dev/fd/3`, wherever that leads: a file keeps what stands in it.
///
/// ```
/// use modeseek::Error;
/// use modeseek::files::write_whole;
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("result.txt");
/// write_whole(&path, |out| out.write_all(b"first").map_err(Error::Output))?;
/// // What fails on the way leaves the file as it was.
/// let failed: Result<(), _> = write_whole(&path, |out| {
///     out.write_all(b"half of the sec").map_err(Error::Output)?;
///     Err(Error::NoPoints)
/// });
/// assert!(failed.is_err());
/// assert_eq!(std::fs::read_to_string(&path).unwrap(), "first");
/// # Ok::<(), modeseek::Error>(())
/// ```
///
/// # Errors
/// [`Error::WriteFile`]: no such folder, no permission, a folder of that name, a full disk, and an [`Error::Output`] of `write`
/// with the file's name. Whatever else `write` returns.
pub fn write_whole<T>(path: &Path, write: impl FnOnce(&mut (dyn Write + Send)) -> Result<T>) -> Result<T> {
    let failed = |cause| Error::WriteFile { path: path.to_owned(), cause };
    if let Some(open) = open_already(path) {
        return into_stream(open.map_err(failed)?, path, write);
    }
    let there = match fs::metadata(path) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(error)),
    };
    let name = match &there {
        Some(metadata) if metadata.is_dir() => return Err(failed(io::ErrorKind::IsADirectory.into())),
        Some(metadata) if !metadata.is_file() => {
            return into_stream(File::options().write(true).open(path).map_err(failed)?, path, write);
        }
        // A link stays one: what it names is replaced, or made.
        Some(_) => fs::canonicalize(path).map_err(failed)?,
        None => followed(path).map_err(failed)?,
    };
    let (mut temporary, unfinished) = {
        // Held until the file is on the list: nobody discards what is there in between.
        let mut files = unfinished();
        let temporary = beside(&name, there.as_ref()).map_err(failed)?;
        files.push(temporary.path().to_owned());
        let unfinished = Unfinished(temporary.path().to_owned());
        (temporary, unfinished)
    };
    let mut buffered = BufWriter::new(temporary.as_file_mut());
    // Dropped on the way out, the temporary is removed.
    let written = write(&mut buffered).map_err(|error| named(path, error))?;
    buffered.flush().map_err(failed)?;
    drop(buffered);
    // A disk may find out only now that it is full; a name must not stand for less than the whole.
    temporary.as_file().sync_all().map_err(failed)?;
    temporary.persist(&name).map_err(|error| failed(error.error))?;
    drop(unfinished);
    Ok(written)
}

/// As many links as Linux follows.
const LINKS: usize = 40;

/// A path, what it is a link to, what that is a link to, and so on.
fn names(path: &Path) -> impl Iterator<Item = PathBuf> {
    std::iter::successors(Some(path.to_owned()), |name| {
        Some(name.parent().unwrap_or(Path::new("")).join(fs::read_link(name).ok()?))
    })
}

/// The name that a path has for a file that is not there: links to it are followed, as `canonicalize` cannot.
pub(crate) fn followed(path: &Path) -> io::Result<PathBuf> {
    let names: Vec<_> = names(path).take(LINKS + 1).collect();
    match names.last() {
        Some(last) if names.len() <= LINKS => Ok(last.clone()),
        _ => Err(io::Error::other("too many links")),
    }
}

/// What a path names of what the process has open, such as `/dev/stdout`, if it does. It is not opened again, which would begin at
/// the beginning of a file, over what a shell has directed there before.
#[cfg(unix)]
fn open_already(path: &Path) -> Option<io::Result<File>> {
    use std::os::fd::BorrowedFd;

    let folders = ["/dev/fd", "/proc/self/fd"].map(|folder| fs::canonicalize(folder).ok());
    let number = names(path).take(LINKS).find_map(|name| {
        let folder = Some(name.parent()?.canonicalize().ok()?);
        let number: i32 = name.file_name()?.to_str()?.parse().ok()?;
        (number >= 0 && folders.contains(&folder)).then_some(number)
    })?;
    // SAFETY: who gave the name of an open file may use it; where it is closed by now, the system says so.
    let open = unsafe { BorrowedFd::borrow_raw(number) };
    Some(open.try_clone_to_owned().map(File::from))
}

#[cfg(not(unix))]
fn open_already(_: &Path) -> Option<io::Result<File>> {
    None
}

/// Whether a path names what the process has open already.
pub(crate) fn is_open(path: &Path) -> bool {
    open_already(path).is_some()
}

/// A temporary file in the folder of `name`, with the permissions that the file is to have.
fn beside(name: &Path, replaced: Option<&Metadata>) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(".modeseek-");
    #[cfg(unix)]
    builder.permissions(at_first(replaced));
    let temporary = builder.tempfile_in(folder_of(name)).map_err(unnamed)?;
    if let Some(replaced) = replaced {
        may_be_replaced(replaced)?;
        temporary.as_file().set_permissions(those_of(replaced))?;
    }
    Ok(temporary)
}

/// An error without the name of a temporary, which nobody has given it.
fn unnamed(error: io::Error) -> io::Error {
    let inner = error.get_ref().and_then(|named| named.source()?.downcast_ref::<io::Error>()?.raw_os_error());
    inner.map_or(error, io::Error::from_raw_os_error)
}

/// Writes to what has no whole: a terminal, a pipe, a device, what somebody else has begun.
fn into_stream<T>(to: File, path: &Path, write: impl FnOnce(&mut (dyn Write + Send)) -> Result<T>) -> Result<T> {
    let failed = |cause| Error::WriteFile { path: path.to_owned(), cause };
    let mut stream = BufWriter::new(to);
    let written = write(&mut stream).map_err(|error| named(path, error))?;
    stream.flush().map_err(failed)?;
    Ok(written)
}

/// An error of writing, with the file's name.
fn named(path: &Path, error: Error) -> Error {
    match error {
        Error::Output(cause) => Error::WriteFile { path: path.to_owned(), cause },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) -> Result<()> {
        write_whole(path, |out| out.write_all(text.as_bytes()).map_err(Error::Output))
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_written_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        for text in ["first, longer", "second"] {
            write(&path, text).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn an_error_leaves_what_was_there_and_no_temporary() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write(&path, "before").unwrap();
        let full = || Error::Output(io::ErrorKind::StorageFull.into());
        let error = write_whole(&path, |out| {
            out.write_all(&[b'x'; 100_000]).map_err(Error::Output)?;
            Err::<(), _>(full())
        })
        .unwrap_err();
        assert!(matches!(&error, Error::WriteFile { path: named, .. } if *named == path), "{error}");
        // An error of what was to be written is not one of writing.
        let error = write_whole(&path, |_| Err::<(), _>(Error::NoPoints)).unwrap_err();
        assert!(matches!(error, Error::NoPoints), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "before");
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn what_is_in_the_way_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("no such folder").join("a.txt");
        let file = folder.path().join("file");
        write(&file, "").unwrap();
        for (path, kind) in [
            (inside, io::ErrorKind::NotFound),
            (folder.path().to_owned(), io::ErrorKind::IsADirectory),
            (file.join("a.txt"), io::ErrorKind::NotADirectory),
        ] {
            let error = write(&path, "x").unwrap_err();
            assert!(matches!(&error, Error::WriteFile { cause, .. } if cause.kind() == kind), "{error}");
            assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        }
        assert_eq!(names(folder.path()), ["file"]);
    }

    #[cfg(unix)]
    mod unix {
        use std::fs::Permissions;
        use std::os::unix::fs::{PermissionsExt, symlink};

        use super::*;

        fn mode(path: &Path) -> u32 {
            fs::metadata(path).unwrap().permissions().mode() & 0o777
        }

        #[test]
        fn permissions_are_those_of_any_new_file_or_of_the_replaced_one() {
            let folder = tempfile::tempdir().unwrap();
            let [usual, ours] = ["usual", "ours"].map(|name| folder.path().join(name));
            fs::write(&usual, "").unwrap();
            write(&ours, "").unwrap();
            assert_eq!(mode(&ours), mode(&usual));
            fs::set_permissions(&ours, Permissions::from_mode(0o640)).unwrap();
            write(&ours, "again").unwrap();
            assert_eq!(mode(&ours), 0o640);
            // Not those by which a program runs as its owner.
            fs::set_permissions(&ours, Permissions::from_mode(0o6755)).unwrap();
            write(&ours, "once more").unwrap();
            assert_eq!(fs::metadata(&ours).unwrap().permissions().mode() & 0o7777, 0o755);
        }

        #[test]
        fn a_temporary_is_for_no_more_than_who_may_read_what_it_replaces() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.txt");
            write(&path, "private").unwrap();
            for (of_file, first) in [(0o600, 0o600), (0o640, 0o640), (0o6755, 0o644), (0o666, 0o666)] {
                fs::set_permissions(&path, Permissions::from_mode(of_file)).unwrap();
                let there = fs::metadata(&path).unwrap();
                assert_eq!(at_first(Some(&there)).mode(), first, "{of_file:o}");
                assert_eq!(mode(beside(&path, Some(&there)).unwrap().path()), of_file & 0o777, "{of_file:o}");
            }
            assert_eq!(at_first(None).mode(), 0o666);
        }

        #[test]
        fn a_file_that_may_not_be_written_is_not_replaced() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.txt");
            write(&path, "before").unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
            let error = write(&path, "after").unwrap_err();
            let denied = io::ErrorKind::PermissionDenied;
            assert!(matches!(&error, Error::WriteFile { cause, .. } if cause.kind() == denied), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), "before");
            assert_eq!(names(folder.path()), ["a.txt"]);
        }

        #[test]
        fn links_are_followed() {
            let folder = tempfile::tempdir().unwrap();
            let [file, link] = ["file", "link"].map(|name| folder.path().join(name));
            write(&file, "before").unwrap();
            symlink(&file, &link).unwrap();
            write(&link, "after").unwrap();
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
            assert_eq!(fs::read_to_string(&file).unwrap(), "after");
        }

        #[test]
        fn links_to_what_is_not_there_yet_make_it() {
            let folder = tempfile::tempdir().unwrap();
            let [inside, file] = ["inside", "inside/file"].map(|name| folder.path().join(name));
            fs::create_dir(&inside).unwrap();
            // A link to a link: both say where from where they are.
            symlink("inside/second", folder.path().join("first")).unwrap();
            symlink("../inside/file", inside.join("second")).unwrap();
            for text in ["made", "replaced"] {
                write(&folder.path().join("first"), text).unwrap();
                assert_eq!(fs::read_to_string(&file).unwrap(), text);
                assert_eq!(names(folder.path()), ["first", "inside"]);
                assert_eq!(names(&inside), ["file", "second"]);
                assert!(fs::symlink_metadata(folder.path().join("first")).unwrap().is_symlink());
            }
            // A folder is not made.
            symlink("none/file", folder.path().join("nowhere")).unwrap();
            let error = write(&folder.path().join("nowhere"), "x").unwrap_err();
            let missing = io::ErrorKind::NotFound;
            assert!(matches!(&error, Error::WriteFile { cause, .. } if cause.kind() == missing), "{error}");
        }

        #[test]
        fn links_that_lead_nowhere_are_not_followed_for_ever() {
            let folder = tempfile::tempdir().unwrap();
            let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
            symlink("other", &one).unwrap();
            symlink("one", &other).unwrap();
            let error = followed(&one).unwrap_err();
            assert!(error.to_string().contains("too many links"), "{error}");
            // What the system says of it comes first where there is something to write.
            let error = write(&one, "x").unwrap_err();
            assert!(matches!(&error, Error::WriteFile { path, .. } if *path == one), "{error}");
        }

        #[test]
        fn what_is_open_already_goes_on_where_it_is() {
            use std::os::fd::AsRawFd;

            let folder = tempfile::tempdir().unwrap();
            let [file, link] = ["file", "link"].map(|name| folder.path().join(name));
            for append in [true, false] {
                let mut open = File::options().create(true).write(true).append(append).open(&file).unwrap();
                open.write_all(b"before, ").unwrap();
                let name = PathBuf::from(format!("/dev/fd/{}", open.as_raw_fd()));
                symlink(&name, &link).unwrap();
                write(&name, "by number, ").unwrap();
                write(&link, "by link, ").unwrap();
                open.write_all(b"after").unwrap();
                assert_eq!(fs::read_to_string(&file).unwrap(), "before, by number, by link, after", "{append}");
                fs::remove_file(&link).unwrap();
                fs::remove_file(&file).unwrap();
            }
            let error = write(Path::new("/dev/fd/1000000000"), "x").unwrap_err();
            assert!(matches!(&error, Error::WriteFile { .. }), "{error}");
        }

        #[test]
        #[cfg(target_os = "linux")]
        fn devices_are_written_to_and_stay() {
            write(Path::new("/dev/null"), "x").unwrap();
            assert!(!fs::metadata("/dev/null").unwrap().is_file());
            let full = write(Path::new("/dev/full"), "x").unwrap_err();
            assert!(matches!(&full, Error::WriteFile { .. }), "{full}");
        }
    }
}
