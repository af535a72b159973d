//! What was measured, kept in a file for each device: `tuning/<device>.json` in the user's folder of caches for modeseek.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Case;
use crate::error::{Error, Result};
use crate::executor::{Details, Device, ptx};
use crate::files::{self, write_whole};

/// What measurements hold for.
///
/// ```
/// # fn main() -> Result<(), modeseek::Error> {
/// let key = modeseek::tuning::cache::Key::of(&modeseek::Device::processor()?)?;
/// assert!(key.file_name().ends_with(".json"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The device's name.
    pub device: String,
    /// Which copy of the kernels it runs.
    pub machine: String,
    /// A GPU's compute capability, major and minor.
    pub compute_capability: Option<(u32, u32)>,
    /// The version of CUDA that a GPU's driver is for.
    pub driver: Option<String>,
    /// The program's version.
    pub program: String,
    /// A hash of the kernels as PTX.
    pub kernels: String,
}

impl Key {
    /// Of a device and this program.
    ///
    /// ```
    /// use modeseek::tuning::cache::Key;
    ///
    /// let key = Key::of(&modeseek::Device::processor()?)?;
    /// assert_eq!(key.compute_capability, None);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the driver fails.
    pub fn of(device: &Device) -> Result<Self> {
        let Details { name, compute_capability, driver, .. } = device.details()?;
        Ok(Self {
            device: name,
            machine: format!("{:?}", device.machine()),
            compute_capability,
            driver,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            kernels: ptx::PTX_HASH.to_owned(),
        })
    }

    /// The file's name: the device's, in letters and digits.
    ///
    /// ```
    /// use modeseek::tuning::cache::Key;
    ///
    /// let key = Key::of(&modeseek::Device::processor()?)?;
    /// assert!(key.file_name().ends_with(".json"));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn file_name(&self) -> String {
        let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let name: String = self.device.chars().map(letter).collect();
        let parts: Vec<_> = name.split('-').filter(|part| !part.is_empty()).collect();
        format!("{}.json", parts.join("-"))
    }

    /// How another key differs, in words.
    fn difference(&self, other: &Self) -> Option<String> {
        let text = |value: &Option<String>| value.as_deref().unwrap_or("none").to_owned();
        let compute = |key: &Self| key.compute_capability.map(|(major, minor)| format!("{major}.{minor}"));
        let pairs = [
            ("device", self.device.clone(), other.device.clone()),
            ("kind of machine", self.machine.clone(), other.machine.clone()),
            ("compute capability", text(&compute(self)), text(&compute(other))),
            ("driver", text(&self.driver), text(&other.driver)),
            ("version of modeseek", self.program.clone(), other.program.clone()),
            ("build of the kernels", self.kernels.clone(), other.kernels.clone()),
        ];
        let (what, here, there) = pairs.into_iter().find(|(_, here, there)| here != there)?;
        Some(format!("the {what} was {there} and is {here}"))
    }
}

/// A file that is not used.
///
/// ```
/// use std::collections::BTreeMap;
/// use modeseek::tuning::{Case, cache};
///
/// # let folder = tempfile::tempdir().unwrap();
/// let key = cache::Key::of(&modeseek::Device::processor()?)?;
/// let case = Case { weight: "Flat".to_owned(), dimensions: 3, marked: false, many: false };
/// let blocks = BTreeMap::from([(case, 64)]);
/// let path = cache::write(folder.path(), &key, &blocks)?;
/// std::fs::write(path, "what is this?")?;
/// assert!(matches!(cache::read(folder.path(), &key, 1024), Err(cache::Unfit::Damaged { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is not what `modeseek tune` writes.
    #[error("what was tuned is left alone, since {} is damaged: {reason}; run `modeseek tune` again, or remove the file", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// It was measured on something else.
    #[error("what was tuned is left alone, since it was measured otherwise: {difference}; run `modeseek tune` again, or remove {}", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What differs.
        difference: String,
    },
}

/// The file's contents.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    made_for: Key,
    blocks: Vec<Block>,
}

#[derive(Serialize, Deserialize)]
struct Block {
    #[serde(flatten)]
    case: Case,
    threads: u32,
}

/// The folder: `$XDG_CACHE_HOME/modeseek/tuning` on Linux, and what serves as that elsewhere; `None` where a user has none.
///
/// ```
/// if let Some(folder) = modeseek::tuning::cache::folder() {
///     assert!(folder.ends_with("modeseek/tuning"));
/// }
/// ```
pub fn folder() -> Option<PathBuf> {
    Some(dirs::cache_dir()?.join("modeseek").join("tuning"))
}

/// Reads the file for a device; `None` if there is none.
///
/// ```
/// use std::collections::BTreeMap;
/// use modeseek::tuning::{Case, cache};
///
/// # let folder = tempfile::tempdir().unwrap();
/// let key = cache::Key::of(&modeseek::Device::processor()?)?;
/// let case = Case { weight: "Flat".to_owned(), dimensions: 3, marked: false, many: false };
/// let blocks = BTreeMap::from([(case, 64)]);
/// let path = cache::write(folder.path(), &key, &blocks)?;
/// assert!(path.is_file());
/// assert_eq!(cache::read(folder.path(), &key, 1024)?, Some(blocks));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// A file that is not to be used, and why.
pub fn read(folder: &Path, key: &Key, most_threads: u32) -> Result<Option<BTreeMap<Case, u32>>, Unfit> {
    let path = folder.join(key.file_name());
    let damaged = |reason: String| Unfit::Damaged { path: path.clone(), reason };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(damaged(error.to_string())),
    };
    let Contents { made_for, blocks } = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
    if let Some(difference) = key.difference(&made_for) {
        return Err(Unfit::Foreign { path, difference });
    }
    let mut found = BTreeMap::new();
    for Block { case, threads } in blocks {
        let is_block = threads % 32 == 0 && (32..=most_threads.min(1024)).contains(&threads);
        if !is_block || !(1..=4).contains(&case.dimensions) {
            return Err(damaged(format!(
                "no step has {threads} threads in a block, or {} dimensions",
                case.dimensions
            )));
        }
        found.insert(case, threads);
    }
    Ok(Some(found))
}

/// Looks whether the file for a device can be written, in a folder that may have to be made: nothing is, lest tuning that fails
/// leaves it.
pub(crate) fn check(folder: &Path, key: &Key) -> Result<()> {
    // A folder is made in the nearest that is there.
    let there = folder.ancestors().find(|folder| folder.symlink_metadata().is_ok()).unwrap_or(folder);
    files::check(&there.join(key.file_name()))
}

/// Writes the file for a device, whole or not at all; its path.
///
/// ```
/// use std::collections::BTreeMap;
/// use modeseek::tuning::{Case, cache};
///
/// # let folder = tempfile::tempdir().unwrap();
/// let key = cache::Key::of(&modeseek::Device::processor()?)?;
/// let case = Case { weight: "Flat".to_owned(), dimensions: 3, marked: false, many: false };
/// let blocks = BTreeMap::from([(case, 64)]);
/// let path = cache::write(folder.path(), &key, &blocks)?;
/// assert!(path.ends_with(key.file_name()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::WriteFile`].
pub fn write(folder: &Path, key: &Key, blocks: &BTreeMap<Case, u32>) -> Result<PathBuf> {
    let path = folder.join(key.file_name());
    std::fs::create_dir_all(folder).map_err(|cause| Error::WriteFile { path: folder.to_owned(), cause })?;
    let blocks = blocks.iter().map(|(case, &threads)| Block { case: case.clone(), threads }).collect();
    let contents = Contents { made_for: key.clone(), blocks };
    write_whole(&path, |out| {
        let written = serde_json::to_writer_pretty(&mut *out, &contents).map_err(std::io::Error::from);
        written.and_then(|()| writeln!(out)).map_err(Error::Output)
    })?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key {
            device: "Stand-in GPU 0".to_owned(),
            machine: "Gpu".to_owned(),
            compute_capability: Some((9, 0)),
            driver: Some("12.4".to_owned()),
            program: "0.1.0".to_owned(),
            kernels: "0123".to_owned(),
        }
    }

    fn blocks() -> BTreeMap<Case, u32> {
        let case = |many| Case { weight: "Gaussian".to_owned(), dimensions: 2, marked: false, many };
        BTreeMap::from([(case(false), 32), (case(true), 256)])
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("a").join("b");
        assert_eq!(read(&below, &key(), 1024), Ok(None));
        let path = write(&below, &key(), &blocks()).unwrap();
        assert_eq!(path.file_name().unwrap(), "stand-in-gpu-0.json");
        assert_eq!(read(&below, &key(), 1024), Ok(Some(blocks())));
    }

    #[test]
    fn a_file_of_something_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &key(), &blocks()).unwrap();
        // Another device of a name that gives the same file, and whatever is updated.
        type Change = fn(&mut Key);
        let changes: [(Change, &str); 5] = [
            (|key| key.device = "Stand in GPU 0".to_owned(), "device was Stand-in GPU 0 and is Stand in GPU 0"),
            (|key| key.compute_capability = None, "compute capability was 9.0 and is none"),
            (|key| key.driver = Some("13.0".to_owned()), "driver was 12.4 and is 13.0"),
            (|key| key.program = "0.2.0".to_owned(), "version of modeseek was 0.1.0 and is 0.2.0"),
            (|key| key.kernels = "4567".to_owned(), "build of the kernels was 0123 and is 4567"),
        ];
        for (change, words) in changes {
            let mut other = key();
            change(&mut other);
            let unfit = read(folder.path(), &other, 1024).unwrap_err();
            assert!(matches!(unfit, Unfit::Foreign { .. }) && unfit.to_string().contains(words), "{unfit}");
        }
    }

    #[test]
    fn a_damaged_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), &key(), &blocks()).unwrap();
        let whole = std::fs::read_to_string(&path).unwrap();
        let unfit = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let unfit = read(folder.path(), &key(), 1024).unwrap_err();
            assert!(matches!(unfit, Unfit::Damaged { .. }) && unfit.to_string().contains("modeseek tune"), "{unfit}");
        };
        for cut in [0, 1, whole.len() / 2, whole.trim_end().len() - 1] {
            unfit(&whole[..cut]);
        }
        for (from, to) in [("256", "257"), ("256", "-1"), ("256", "2048"), ("\"dimensions\": 2", "\"dimensions\": 5")] {
            assert!(whole.contains(from), "{whole}");
            unfit(&whole.replace(from, to));
        }
        // A GPU whose blocks are smaller.
        std::fs::write(&path, &whole).unwrap();
        assert!(matches!(read(folder.path(), &key(), 128), Err(Unfit::Damaged { .. })));
        // No file at all.
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(matches!(read(folder.path(), &key(), 1024), Err(Unfit::Damaged { .. })));
    }
}
