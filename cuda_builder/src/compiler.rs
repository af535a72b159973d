//! Finds a rustc that can build kernels: one that has the source of its own `core`.
//!
//! No `core` is distributed compiled for the GPU with the settings kernels need (a failed bounds check must
//! trap inline), so it is built along with them, and its source must be that of the very compiler.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::arch::Arch;
use crate::device_build::TARGET;
use crate::error::Error;

/// Names the compiler to use, before all others.
pub const RUSTC_VARIABLE: &str = "CUDA_BUILDER_RUSTC";

/// Where distributions put theirs, which may not come first in `PATH`.
const DISTRIBUTION: &str = "/usr/bin/rustc";

/// The oldest compiler that was tried: the workspace's own.
const OLDEST: (u32, u32) = (1, 95);

/// How to get a compiler.
pub(crate) const ADVICE: &str = "`rustup component add rust-src`, or on Debian `apt-get install \
                                 --no-install-recommends rustc-web rust-web-src`";

/// A rustc that can build kernels.
///
/// ```
/// use std::path::Path;
///
/// use cuda_builder::Compiler;
///
/// if let Ok(Compiler { path, version }) = Compiler::find(Path::new(".")) {
///     println!("{} is {version}", path.display());
///     assert!(version.starts_with("rustc"));
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiler {
    /// The program.
    pub path: PathBuf,
    /// What `rustc --version` says.
    pub version: String,
}

impl Compiler {
    /// The compiler that builds the kernels of a crate in `folder`, which decides what the active toolchain is.
    ///
    /// ```
    /// use std::path::Path;
    ///
    /// use cuda_builder::Compiler;
    ///
    /// match Compiler::find(Path::new(".")) {
    ///     Ok(compiler) => assert!(compiler.version.contains('.')),
    ///     Err(none) => eprintln!("{none}"),
    /// }
    /// ```
    ///
    /// # Errors
    /// [`NoCompiler`], with what was looked at.
    pub fn find(folder: &Path) -> Result<Self, NoCompiler> {
        discover(folder)
    }
}

impl Compiler {
    /// Refuses an architecture, or a version of PTX, that this compiler does not know: it warns of the one, and says nothing
    /// of the other, and compiles for something else.
    pub(crate) fn check(&self, arch: &Arch, folder: &Path) -> Result<(), Error> {
        for (list, name) in [("target-cpus", arch.target()), ("target-features", arch.ptx_feature())] {
            let known = ask(&self.path, folder, &["--print", list, "--target", TARGET]);
            // One that does not list them is not asked.
            let known = known.unwrap_or_default();
            let mut names = known.lines().filter_map(|line| line.split_whitespace().next());
            if !known.is_empty() && !names.any(|known| known == name) {
                let (compiler, name) = (self.version.clone(), name.to_owned());
                return Err(Error::ArchOfCompiler { compiler, name, list });
            }
        }
        Ok(())
    }
}

/// That no compiler was found, with what was looked at.
///
/// ```
/// use cuda_builder::{Candidate, NoCompiler, Unusable};
///
/// let candidate = Candidate { path: "rustc".into(), origin: "the active toolchain" };
/// let none = NoCompiler { tried: vec![(candidate, Unusable::DoesNotRun("no such file".to_owned()))] };
/// assert!(none.to_string().contains("- rustc (the active toolchain) does not run: no such file"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct NoCompiler {
    /// Each candidate and why it will not do.
    pub tried: Vec<(Candidate, Unusable)>,
}

impl NoCompiler {
    /// How to get a compiler.
    ///
    /// ```
    /// use cuda_builder::NoCompiler;
    ///
    /// assert!(NoCompiler { tried: Vec::new() }.advice().contains("rust-src"));
    /// ```
    pub fn advice(&self) -> &'static str {
        ADVICE
    }
}

impl fmt::Display for NoCompiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "no rustc here can build the kernels:")?;
        for (candidate, reason) in &self.tried {
            writeln!(f, "- {} ({}) {reason}", candidate.path.display(), candidate.origin)?;
        }
        write!(f, "Install the source of `core` with {ADVICE}.")
    }
}

/// A rustc to look at.
///
/// ```
/// use cuda_builder::Candidate;
///
/// let named = Candidate { path: "/opt/rustc".into(), origin: cuda_builder::RUSTC_VARIABLE };
/// assert!(named.path.is_absolute());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The program, or its name in `PATH`.
    pub path: PathBuf,
    /// Why it was thought of.
    pub origin: &'static str,
}

/// Why a compiler will not do.
///
/// ```
/// use cuda_builder::Unusable;
///
/// assert_eq!(Unusable::DoesNotRun("no such file".to_owned()).to_string(), "does not run: no such file");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// There is none, or it does not start.
    #[error("does not run: {0}")]
    DoesNotRun(String),
    /// It does not say its version as rustc does.
    #[error("says `{0}`, which is not a version of rustc")]
    NotRustc(String),
    /// It is older than any that was tried.
    #[error("is {0}, and {oldest} or newer is needed", oldest = format_args!("{}.{}", OLDEST.0, OLDEST.1))]
    TooOld(String),
    /// It has no source of `core`.
    #[error("is {version}, without the source of `core` at {}", .expected.display())]
    NoCoreSource {
        /// What it is.
        version: String,
        /// Where its source would be.
        expected: PathBuf,
    },
}

/// The candidates in order: the one that is named, or else the active toolchain's and the distribution's.
///
/// One that is named is the only one: to fall back silently would build with another than was asked for.
pub(crate) fn candidates(named: Option<OsString>, active: Option<OsString>) -> Vec<Candidate> {
    if let Some(path) = named.filter(|path| !path.is_empty()) {
        return vec![Candidate { path: from_here(path), origin: RUSTC_VARIABLE }];
    }
    let active = active.unwrap_or_else(|| OsString::from("rustc"));
    let mut candidates = vec![Candidate { path: from_here(active), origin: "the active toolchain" }];
    if candidates[0].path != Path::new(DISTRIBUTION) {
        candidates.push(Candidate { path: DISTRIBUTION.into(), origin: "the distribution's" });
    }
    candidates
}

/// A path as it is from this process's folder, since compilers run in that of the kernels; a name in `PATH` stays one.
fn from_here(path: OsString) -> PathBuf {
    let path = PathBuf::from(path);
    if path.components().count() == 1 { path } else { std::path::absolute(&path).unwrap_or(path) }
}

/// The compiler to use for the crate in `folder`, which decides what the active toolchain is.
pub(crate) fn discover(folder: &Path) -> Result<Compiler, NoCompiler> {
    let (named, active) = (std::env::var_os(RUSTC_VARIABLE), std::env::var_os("RUSTC"));
    first_usable(candidates(named, active), folder)
}

pub(crate) fn first_usable(candidates: Vec<Candidate>, folder: &Path) -> Result<Compiler, NoCompiler> {
    let mut tried = Vec::new();
    for candidate in candidates {
        match examine(&candidate.path, folder) {
            Ok(compiler) => return Ok(compiler),
            Err(reason) => tried.push((candidate, reason)),
        }
    }
    Err(NoCompiler { tried })
}

fn examine(path: &Path, folder: &Path) -> Result<Compiler, Unusable> {
    let version = ask(path, folder, &["--version"])?;
    match parse_version(&version) {
        None => return Err(Unusable::NotRustc(version)),
        Some(found) if found < OLDEST => return Err(Unusable::TooOld(version)),
        Some(_) => {}
    }
    let sysroot = PathBuf::from(ask(path, folder, &["--print", "sysroot"])?);
    let expected = sysroot.join("lib/rustlib/src/rust/library/core/src/lib.rs");
    if !expected.is_file() {
        return Err(Unusable::NoCoreSource { version, expected });
    }
    // A name in PATH may be rustup's proxy, which chooses by folder and environment: what was examined here
    // must be what cargo runs later.
    let behind = sysroot.join("bin").join(path.file_name().unwrap_or(OsStr::new("rustc")));
    let is_name = path.components().count() == 1;
    let path = if is_name && behind.is_file() { behind } else { path.to_owned() };
    Ok(Compiler { path, version })
}

fn ask(path: &Path, folder: &Path, arguments: &[&str]) -> Result<String, Unusable> {
    let output = Command::new(path).args(arguments).current_dir(folder).output();
    let output = output.map_err(|error| Unusable::DoesNotRun(error.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Unusable::DoesNotRun(said.lines().next().unwrap_or("it fails silently").to_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// (1, 96) for `rustc 1.96.0 (...)`.
fn parse_version(line: &str) -> Option<(u32, u32)> {
    let mut numbers = line.strip_prefix("rustc ")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that answers as a rustc of that version would, with or without the source of `core`.
    #[cfg(unix)]
    fn pretend(folder: &Path, version: &str, has_source: bool) -> Candidate {
        use std::os::unix::fs::PermissionsExt;
        let sysroot = folder.join(version.replace(' ', "-"));
        let core = sysroot.join("lib/rustlib/src/rust/library/core/src");
        std::fs::create_dir_all(if has_source { &core } else { &sysroot }).unwrap();
        if has_source {
            std::fs::write(core.join("lib.rs"), "").unwrap();
        }
        let path = sysroot.join("pretender");
        let answer = format!("case $1 in --version) echo '{version}';; *) echo '{}';; esac", sysroot.display());
        std::fs::write(&path, format!("#!/bin/sh\n{answer}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Candidate { path, origin: "a test" }
    }

    #[test]
    fn a_compiler_that_is_named_is_the_only_one() {
        let named = candidates(Some("/opt/rustc".into()), Some("rustc".into()));
        assert_eq!(named.iter().map(|c| c.origin).collect::<Vec<_>>(), [RUSTC_VARIABLE]);
        let found = candidates(Some("".into()), None);
        assert_eq!(found.iter().map(|c| c.path.to_str().unwrap()).collect::<Vec<_>>(), ["rustc", DISTRIBUTION]);
        assert_eq!(candidates(None, Some(DISTRIBUTION.into())).len(), 1, "no candidate twice");
    }

    /// They run in the kernels' folder, where another program may stand at the same path.
    #[test]
    fn paths_of_compilers_are_from_where_the_builder_runs() {
        let here = std::env::current_dir().unwrap();
        for path in ["./rustc", "bin/rustc"] {
            for found in [candidates(Some(path.into()), None), candidates(None, Some(path.into()))] {
                assert_eq!(found[0].path, here.join(path));
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_first_that_will_do_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let old = pretend(folder.path(), "rustc 1.94.1 (x)", true);
        let bare = pretend(folder.path(), "rustc 1.95.0 (x)", false);
        let good = pretend(folder.path(), "rustc 1.96.0 (x)", true);
        let late = pretend(folder.path(), "rustc 2.0.0 (x)", true);
        let found = first_usable(vec![old, bare, good.clone(), late], folder.path()).unwrap();
        assert_eq!(found, Compiler { path: good.path, version: "rustc 1.96.0 (x)".to_owned() });
    }

    #[cfg(unix)]
    #[test]
    fn architectures_that_the_compiler_does_not_know_are_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rustc");
        let lists = "case $2 in target-cpus) echo 'CPUs:'; echo '    sm_75';; *) echo '    ptx70   - Use it.';; esac";
        std::fs::write(&path, format!("#!/bin/sh\n{lists}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let compiler = Compiler { path, version: "rustc 1.96.0".to_owned() };
        let check = |compiler: &Compiler, target, ptx| compiler.check(&Arch::new(target, ptx), folder.path());
        assert!(check(&compiler, "sm_75", "ptx70").is_ok());
        for (target, ptx, unknown) in [("sm_7", "ptx70", "sm_7"), ("sm_75", "ptx99", "ptx99")] {
            let error = check(&compiler, target, ptx).unwrap_err();
            assert!(matches!(&error, Error::ArchOfCompiler { name, .. } if name == unknown), "{error}");
            assert!(error.to_string().starts_with(&format!("rustc 1.96.0 does not know `{unknown}`; ")), "{error}");
        }
        // One that cannot say is taken at its word when it compiles.
        let mute = Compiler { path: "/bin/false".into(), version: String::new() };
        assert!(check(&mute, "sm_75", "ptx99").is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn what_was_tried_is_told_with_one_piece_of_advice() {
        let folder = tempfile::tempdir().unwrap();
        let tried = vec![
            pretend(folder.path(), "rustc 1.94.1 (x)", true),
            pretend(folder.path(), "rustc 1.95.0 (x)", false),
            pretend(folder.path(), "gcc 12", false),
            Candidate { path: folder.path().join("absent"), origin: RUSTC_VARIABLE },
        ];
        let message = first_usable(tried, folder.path()).unwrap_err().to_string();
        for part in [
            "is rustc 1.94.1 (x), and 1.95 or newer is needed",
            "is rustc 1.95.0 (x), without the source of `core` at ",
            "says `gcc 12`, which is not a version of rustc",
            "absent (CUDA_BUILDER_RUSTC) does not run: ",
        ] {
            assert!(message.contains(part), "{part} is not in:\n{message}");
        }
        assert_eq!(message.matches("rustup component add rust-src").count(), 1);
    }
}
