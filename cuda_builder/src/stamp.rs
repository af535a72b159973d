//! The checked-in copy: PTX beside the kernels' sources, with a stamp that says what it was made from.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::sources::hash_text;

/// The stamp's name in the folder of the copy.
pub(crate) const STAMP: &str = "stamp.json";

/// What a checked-in copy was made from.
///
/// ```
/// use cuda_builder::{CudaBuilder, Stamp};
///
/// let (copy, _) = CudaBuilder::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../gpu")).checked_in()?;
/// let Stamp { compiler, architectures, .. } = copy.expect("it is there").stamp;
/// assert!(compiler.starts_with("rustc"));
/// assert_eq!(architectures, ["sm_75+ptx70", "sm_80+ptx70", "sm_90+ptx78", "sm_90a+ptx80"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// A hash over the sources and over how they are compiled.
    pub sources: String,
    /// What `rustc --version` said.
    pub compiler: String,
    /// The architectures, as in `sm_75+ptx70`.
    pub architectures: Vec<String>,
    /// A hash of each file, by its path in the folder of the copy.
    pub files: BTreeMap<String, String>,
}

/// A checked-in copy, read.
///
/// ```
/// use cuda_builder::{CheckedIn, CudaBuilder};
///
/// let (copy, _) = CudaBuilder::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../gpu")).checked_in()?;
/// let CheckedIn { stamp, files } = copy.expect("it is there");
/// // Every file of the copy has its hash in the stamp.
/// assert!(files.keys().eq(stamp.files.keys()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedIn {
    /// What it was made from.
    pub stamp: Stamp,
    /// The text of each file, by its path. Files that are gone are absent.
    pub files: BTreeMap<String, String>,
}

/// Whether a checked-in copy may be used.
///
/// ```
/// use cuda_builder::{CudaBuilder, Fit};
///
/// // No copy lies beside this crate: it has no kernels.
/// let (copy, fit) = CudaBuilder::new(env!("CARGO_MANIFEST_DIR")).checked_in()?;
/// assert!(copy.is_none());
/// assert_eq!(fit, Fit::Missing);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// It was made from these very sources.
    Fits,
    /// It was made from other sources, or otherwise.
    Stale,
    /// There is none.
    Missing,
    /// A file of it is not as it was written.
    Damaged(String),
}

impl Fit {
    /// In words, without a full stop.
    ///
    /// ```
    /// use cuda_builder::Fit;
    ///
    /// assert_eq!(Fit::Missing.reason(), "there is no checked-in PTX");
    /// ```
    pub fn reason(&self) -> String {
        match self {
            Self::Fits => "the checked-in PTX fits the kernels' sources".to_owned(),
            Self::Stale => "the kernels have changed since the checked-in PTX was made".to_owned(),
            Self::Missing => "there is no checked-in PTX".to_owned(),
            Self::Damaged(file) => format!("{file} of the checked-in PTX is not as it was made"),
        }
    }
}

impl CheckedIn {
    /// A copy of `files`, stamped.
    pub(crate) fn new(
        sources: String,
        compiler: String,
        architectures: Vec<String>,
        files: BTreeMap<String, String>,
    ) -> Self {
        let hashes = files.iter().map(|(path, text)| (path.clone(), hash_text(text))).collect();
        Self { stamp: Stamp { sources, compiler, architectures, files: hashes }, files }
    }

    /// Reads the copy in `folder`, if there is one.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join(STAMP);
        if !path.is_file() {
            return Ok(None);
        }
        let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let reason = |error: serde_json::Error| Error::Stamp { path: path.clone(), reason: error.to_string() };
        let stamp: Stamp = serde_json::from_str(&text).map_err(reason)?;
        let read = |name: &String| Some((name.clone(), fs::read_to_string(folder.join(name)).ok()?));
        let files = stamp.files.keys().filter_map(read).collect();
        Ok(Some(Self { stamp, files }))
    }

    /// Whether it was made from sources with this hash, and is whole.
    pub(crate) fn fit(&self, sources: &str) -> Fit {
        if self.stamp.sources != sources {
            return Fit::Stale;
        }
        let is_damaged = |(name, hash): &(&String, &String)| match self.files.get(*name) {
            Some(text) => hash_text(text) != **hash,
            None => true,
        };
        self.stamp.files.iter().find(is_damaged).map_or(Fit::Fits, |(name, _)| Fit::Damaged(name.clone()))
    }

    /// Writes the copy in place of the one in `folder`.
    ///
    /// All is written beside it first and takes its place whole, so that a stamp never stands beside PTX it was not made for.
    /// That is two moves, the old copy's and the new one's: where the second fails the first is taken back; where the program
    /// ends between them no copy stands there, and the next write begins by putting the old one back.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Error> {
        let (new, old) = (beside(folder, "new"), beside(folder, "old"));
        if !folder.exists() && old.exists() {
            fs::rename(&old, folder).map_err(Error::io("restore", folder))?;
        }
        for leftover in [&new, &old] {
            remove(leftover)?;
        }
        write_files(&new, &self.files)?;
        let stamp = serde_json::to_string_pretty(&self.stamp).expect("a stamp is plain text");
        write_files(&new, &BTreeMap::from([(STAMP.to_owned(), stamp + "\n")]))?;
        if folder.exists() {
            fs::rename(folder, &old).map_err(Error::io("replace", folder))?;
        }
        take_place(&new, folder, &old)?;
        remove(&old)
    }
}

/// Moves `new` to where `folder` was before it was moved to `old`, and moves that back if it cannot be.
fn take_place(new: &Path, folder: &Path, old: &Path) -> Result<(), Error> {
    fs::rename(new, folder).map_err(|error| {
        // If that fails as well, the next write does it.
        let _put_back = fs::rename(old, folder);
        Error::io("create", folder)(error)
    })
}

fn beside(folder: &Path, what: &str) -> PathBuf {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    folder.with_file_name(format!(".{name}.{what}"))
}

fn remove(folder: &Path) -> Result<(), Error> {
    if folder.exists() { fs::remove_dir_all(folder).map_err(Error::io("remove", folder)) } else { Ok(()) }
}

/// Writes texts under `folder`, by their paths in it.
pub(crate) fn write_files(folder: &Path, files: &BTreeMap<String, String>) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    for (name, text) in files {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
        fs::write(&path, text).map_err(Error::io("write", &path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(sources: &str, text: &str) -> CheckedIn {
        let files = BTreeMap::from([("sm_75/a.ptx".to_owned(), text.to_owned())]);
        CheckedIn::new(sources.to_owned(), "rustc 1.96.0".to_owned(), vec!["sm_75+ptx70".to_owned()], files)
    }

    #[test]
    fn a_copy_reads_back_and_replaces_the_one_before() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("ptx");
        assert_eq!(CheckedIn::read(&folder).unwrap(), None);
        copy("1", "old").write(&folder).unwrap();
        fs::write(folder.join("sm_75/stray.ptx"), "").unwrap();
        let new = copy("2", "new");
        new.write(&folder).unwrap();
        assert_eq!(CheckedIn::read(&folder).unwrap(), Some(new));
        assert!(!folder.join("sm_75/stray.ptx").exists(), "a family that is gone leaves no file");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_write_that_fails_or_ends_half_way_loses_no_copy() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("ptx");
        let (new, old) = (beside(&folder, "new"), beside(&folder, "old"));
        let before = copy("1", "old");
        before.write(&folder).unwrap();
        // The new copy is gone when it is to be moved.
        fs::rename(&folder, &old).unwrap();
        let message = take_place(&new, &folder, &old).unwrap_err().to_string();
        assert!(message.contains("cannot create") && message.contains("ptx"), "{message}");
        assert_eq!(CheckedIn::read(&folder).unwrap().as_ref(), Some(&before));
        // The program ended between the two moves, and what is written next cannot be.
        fs::rename(&folder, &old).unwrap();
        fs::write(&new, "no folder").unwrap();
        assert!(copy("2", "new").write(&folder).is_err());
        assert_eq!(CheckedIn::read(&folder).unwrap(), Some(before));
        fs::remove_file(&new).unwrap();
        fs::rename(&folder, &old).unwrap();
        let next = copy("3", "next");
        next.write(&folder).unwrap();
        assert_eq!(CheckedIn::read(&folder).unwrap(), Some(next));
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_copy_fits_its_sources_while_it_is_whole() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("ptx");
        copy("1", "text\n").write(&folder).unwrap();
        let fit = |sources: &str| CheckedIn::read(&folder).unwrap().unwrap().fit(sources);
        assert_eq!((fit("1"), fit("2")), (Fit::Fits, Fit::Stale));
        fs::write(folder.join("sm_75/a.ptx"), "text\r\n").unwrap();
        assert_eq!(fit("1"), Fit::Fits, "line ends are the checkout's affair");
        fs::write(folder.join("sm_75/a.ptx"), "edited\n").unwrap();
        assert_eq!(fit("1"), Fit::Damaged("sm_75/a.ptx".to_owned()));
        fs::remove_file(folder.join("sm_75/a.ptx")).unwrap();
        assert_eq!(fit("1"), Fit::Damaged("sm_75/a.ptx".to_owned()));
    }

    #[test]
    fn a_stamp_that_makes_no_sense_is_named() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("ptx");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(STAMP), "{}").unwrap();
        let message = CheckedIn::read(&folder).unwrap_err().to_string();
        assert!(message.contains("stamp.json") && message.contains("missing field"), "{message}");
        let command = format!("`cargo run -p cuda_builder -- build {}`", root.path().display());
        assert!(message.ends_with(&command), "{message}");
    }
}
