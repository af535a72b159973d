//! The files that the PTX is made from, and one hash over them.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use toml::Value;

use crate::check::Allowances;
use crate::error::Error;
use crate::manifest::{self, Package, Packages};

/// Raise it where the same sources and flags give other PTX than before: when splitting changes, say.
const FORMAT: u32 = 2;

/// Folders at a crate's root that the library is not made from.
const NOT_SOURCES: [&str; 5] = ["ptx", "tests", "benches", "examples", "target"];

/// The sources of a kernel crate and of the crates it is compiled with.
#[derive(Debug)]
pub(crate) struct Sources {
    packages: Packages,
    /// What a file is called wherever the checkout lies, such as `cuda_std/src/lib.rs`; and where it is here.
    files: Vec<(String, PathBuf)>,
    folders: Vec<PathBuf>,
}

impl Sources {
    /// Follows the manifest of the crate in `crate_dir`. `extra` names crates that no manifest leads to.
    pub(crate) fn find(crate_dir: &Path, extra: &[PathBuf]) -> Result<Self, Error> {
        let mut packages = manifest::follow(crate_dir)?;
        for dir in extra {
            let more = manifest::follow(dir)?;
            packages.local.extend(more.local);
            packages.registry.extend(more.registry);
        }
        let mut sources = Self { packages, files: Vec::new(), folders: Vec::new() };
        for Package { name, dir, .. } in sources.packages.local.clone() {
            sources.walk(&name, &dir, true)?;
        }
        sources.files.sort();
        sources.files.dedup();
        Ok(sources)
    }

    /// The kernel crate itself.
    pub(crate) fn kernel_crate(&self) -> &Package {
        &self.packages.local[0]
    }

    /// What the kernel crate's manifest says the checks are to let pass.
    pub(crate) fn allowed(&self) -> &Allowances {
        &self.packages.allowed
    }

    /// The folder of the kernel crate's workspace, or its own.
    pub(crate) fn workspace(&self) -> &Path {
        self.packages.workspace.as_deref().unwrap_or(&self.kernel_crate().dir)
    }

    /// What cargo must watch: a change here, and nowhere else, may change the PTX. Folders are watched whole,
    /// for new files; a crate's root is not, because tests and the checked-in copy lie there as well.
    pub(crate) fn watched(&self) -> Vec<PathBuf> {
        let below = |path: &Path| self.folders.iter().any(|folder| path.starts_with(folder));
        let files = self.files.iter().map(|(_, path)| path.clone()).filter(|path| !below(path));
        let mut watched: Vec<_> = files.chain(self.folders.iter().cloned()).collect();
        let lock = self.workspace().join("Cargo.lock");
        if !self.packages.registry.is_empty() && lock.is_file() {
            watched.push(lock);
        }
        watched
    }

    /// One hash over the sources and over `recipe`, which says how they are compiled.
    pub(crate) fn hash(&self, recipe: &str) -> Result<String, Error> {
        let mut parts = Vec::new();
        for (label, path) in &self.files {
            parts.push((label.clone(), std::fs::read(path).map_err(Error::io("read", path))?));
        }
        parts.push(("locked".to_owned(), self.locked()?.into_bytes()));
        Ok(hash(parts, recipe))
    }

    /// The versions of what comes from the registry.
    fn locked(&self) -> Result<String, Error> {
        let lock = self.workspace().join("Cargo.lock");
        if self.packages.registry.is_empty() || !lock.is_file() {
            return Ok(String::new());
        }
        let lock = manifest::read(&lock)?;
        let entries = lock.get("package").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let field = |entry: &Value, key| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let used = entries.iter().filter(|entry| self.packages.registry.contains(&field(entry, "name")));
        let line =
            |entry| format!("{} {} {}\n", field(entry, "name"), field(entry, "version"), field(entry, "checksum"));
        Ok(used.map(line).collect())
    }

    fn walk(&mut self, label: &str, dir: &Path, is_root: bool) -> Result<(), Error> {
        let entries = std::fs::read_dir(dir).map_err(Error::io("read", dir))?;
        for entry in entries {
            let entry = entry.map_err(Error::io("read", dir))?;
            let (path, name) = (entry.path(), entry.file_name());
            let Some(name) = name.to_str() else { continue };
            let label = format!("{label}/{name}");
            if path.is_dir() {
                let skipped = name.starts_with('.') || is_root && NOT_SOURCES.contains(&name);
                // A folder with a manifest is another package, and is here for its own sake or not at all.
                if !skipped && !path.join("Cargo.toml").is_file() {
                    let before = self.files.len();
                    self.walk(&label, &path, false)?;
                    if is_root && self.files.len() > before {
                        self.folders.push(path);
                    }
                }
            } else if is_source(name, is_root) {
                self.files.push((label, path));
            }
        }
        Ok(())
    }
}

/// Whether the library may be made from a file: Rust, or whatever it includes as text or bytes, such as a table. Not from what
/// lies beside the sources of any crate.
fn is_source(name: &str, is_root: bool) -> bool {
    let ends = |with: &[&str]| with.iter().any(|end| name.ends_with(end));
    let beside = ends(&[".md", "~", ".orig", ".rej"]);
    let of_root = is_root && (ends(&[".toml", ".lock"]) || name.starts_with("LICENSE"));
    !name.starts_with('.') && !beside && (!of_root || name == "Cargo.toml")
}

/// A hash over named contents that does not depend on their order, nor on how lines end.
pub(crate) fn hash(mut parts: Vec<(String, Vec<u8>)>, recipe: &str) -> String {
    parts.sort();
    let mut hasher = Sha256::new();
    let mut feed = |bytes: &[u8]| {
        // With its length, so that nothing can move from one part to the next unseen.
        hasher.update((bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    feed(format!("format {FORMAT}\n{recipe}").as_bytes());
    for (label, contents) in parts {
        feed(label.as_bytes());
        feed(&with_unix_lines(&contents));
    }
    hex(&hasher.finalize())
}

/// The hash of one file.
pub(crate) fn hash_text(text: &str) -> String {
    hex(&Sha256::digest(with_unix_lines(text.as_bytes())))
}

/// A checkout on Windows may have turned every line end into two characters.
fn with_unix_lines(bytes: &[u8]) -> Vec<u8> {
    let keep = |&at: &usize| !(bytes[at] == b'\r' && bytes.get(at + 1) == Some(&b'\n'));
    (0..bytes.len()).filter(keep).map(|at| bytes[at]).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
