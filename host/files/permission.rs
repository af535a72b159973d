//! What may be written, before anything is, and what permissions it has then.

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::path::Path;

use super::{followed, open_already};
use crate::error::{Error, Result};

/// Looks whether a file of this name can be written, as far as that is seen without writing: the file itself, if it is there, and
/// its folder, in which it is written anew.
pub fn check(path: &Path) -> Result<()> {
    let looked = || match (open_already(path), fs::metadata(path)) {
        (Some(open), _) => open.map(drop),
        (None, Ok(there)) if there.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        (None, Ok(there)) if there.is_file() => {
            may_be_replaced(&there)?;
            may_write(path)?;
            may_write(folder_of(&fs::canonicalize(path)?))
        }
        (None, Ok(_)) => may_write(path),
        (None, Err(error)) if error.kind() == io::ErrorKind::NotFound => may_write(folder_of(&followed(path)?)),
        (None, Err(error)) => Err(error),
    };
    looked().map_err(|cause| Error::WriteFile { path: path.to_owned(), cause })
}

/// Whether the system lets this process write a file, or into a folder.
#[cfg(unix)]
fn may_write(path: &Path) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt;

    let name = std::ffi::CString::new(path.as_os_str().as_bytes())?;
    let within = if path.is_dir() { libc::X_OK } else { 0 };
    // SAFETY: the name ends with a zero, and is only read.
    match unsafe { libc::faccessat(libc::AT_FDCWD, name.as_ptr(), libc::W_OK | within, libc::AT_EACCESS) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(not(unix))]
fn may_write(path: &Path) -> io::Result<()> {
    fs::metadata(path).map(drop)
}

/// What may not be written is not to be replaced either, though its folder would allow it.
pub fn may_be_replaced(file: &Metadata) -> io::Result<()> {
    if file.permissions().readonly() { Err(io::ErrorKind::PermissionDenied.into()) } else { Ok(()) }
}

/// The folder of a file.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file's permissions, without what has a program run as somebody else: other contents are another program.
pub fn those_of(file: &Metadata) -> Permissions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        Permissions::from_mode(file.permissions().mode() & 0o777)
    }
    #[cfg(not(unix))]
    file.permissions()
}

/// Permissions to create a file with that is to have those of another one, which the process's mask is taken off: who may not read
/// the other is not to open this one before it has them. A new one is for all.
#[cfg(unix)]
pub fn at_first(replaced: Option<&Metadata>) -> Permissions {
    use std::os::unix::fs::PermissionsExt;
    Permissions::from_mode(replaced.map_or(0o666, |file| file.permissions().mode() & 0o666))
}
