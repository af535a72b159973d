//! What can go wrong, and what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::arch::Arch;
use crate::check::CheckError;
use crate::compiler::NoCompiler;
use crate::policy::Mode;
use crate::ptx::Malformed;
use crate::renew;

/// Why there is no PTX.
///
/// `Debug` prints what `Display` does: a build script that returns its error from `main` has it printed with
/// `Debug`, and a compiler's messages are of no use with their line ends escaped.
///
/// ```
/// use cuda_builder::{Error, Mode};
///
/// let error = Mode::parse(Some("sometimes")).unwrap_err();
/// assert!(matches!(error, Error::UnknownMode { .. }));
/// // It says what may stand there.
/// assert!(error.to_string().contains("checked-in"));
/// ```
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file was changed while the kernels were compiled.
    #[error("the kernels' sources were changed while they were compiled; build again")]
    SourcesChanged,
    /// An architecture's name holds no compute capability.
    #[error("`{target}` is not an architecture; name one as rustc does, such as `sm_75`")]
    UnknownArch {
        /// The name.
        target: String,
    },

    /// The compiler that was found does not know an architecture or a version of PTX.
    #[error(
        "{compiler} does not know `{name}`; `rustc --print {list} --target nvptx64-nvidia-cuda` lists what it does"
    )]
    ArchOfCompiler {
        /// The compiler.
        compiler: String,
        /// The name that it does not know.
        name: String,
        /// What lists those that it does.
        list: &'static str,
    },

    /// The variable `CUDA_BUILDER` has a value that means nothing.
    #[error("CUDA_BUILDER is `{value}`; set it to {}", Mode::NAMES.join(", "))]
    UnknownMode {
        /// The value.
        value: String,
    },

    /// No compiler on this machine can build kernels.
    #[error(transparent)]
    NoCompiler(#[from] NoCompiler),

    /// The kernels do not compile.
    #[error("the kernels do not compile for {arch}:\n{output}{}", hint(.output))]
    Compile {
        /// The architecture.
        arch: Arch,
        /// All that cargo and rustc said.
        output: String,
    },

    /// Cargo reported success, and no PTX is where it should be.
    #[error("cargo built the kernels for {arch} and left no PTX{}; the kernel crate must be a library of type rlib", at(.expected))]
    NoPtx {
        /// The architecture.
        arch: Arch,
        /// Where it was looked for, if cargo named the crate at all.
        expected: Option<PathBuf>,
    },

    /// The PTX is not as the scanner knows PTX.
    #[error("the PTX for {arch}{} cannot be read: {reason}", named(.ptx))]
    Unreadable {
        /// The architecture.
        arch: Arch,
        /// Where and why.
        reason: Malformed,
        /// The file that it was written to, unless that failed.
        ptx: Option<PathBuf>,
    },

    /// The PTX did not pass the checks.
    #[error("the PTX for {arch}{} did not pass its checks:\n{}", named(.ptx), list(.errors))]
    Check {
        /// The architecture.
        arch: Arch,
        /// Everything that was found.
        errors: Vec<CheckError>,
        /// The file that it was written to, in which the lines are counted, unless that failed.
        ptx: Option<PathBuf>,
    },

    /// A manifest cannot be understood.
    #[error("{}: {reason}", .path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Why.
        reason: String,
    },

    /// The stamp of the checked-in copy cannot be understood.
    #[error("{}: {reason}; make the copy anew with `{}`", .path.display(), renew::command(kernels_of(.path)))]
    Stamp {
        /// The stamp.
        path: PathBuf,
        /// Why.
        reason: String,
    },

    /// The checked-in copy was demanded and does not fit.
    #[error("CUDA_BUILDER=checked-in, but {reason}; make the copy anew with `{command}`")]
    CheckedInUnfit {
        /// In what way.
        reason: String,
        /// The command that mends it.
        command: String,
    },

    /// A copy with line tables was to be checked in.
    #[error("PTX with line tables names folders of this machine and is not checked in; write it elsewhere with --out")]
    LineTablesCheckedIn,

    /// `build_for_cargo` runs outside a build script.
    #[error("{0} is not set: `build_for_cargo` is for build scripts, which cargo runs with it set")]
    NotABuildScript(&'static str),

    /// A file cannot be read or written.
    #[error("cannot {action} {}: {cause}", .path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
}

impl Error {
    /// For `map_err`: a failure to do `action` to `path`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |cause| Self::Io { action, path: path.to_owned(), cause }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn at(expected: &Option<PathBuf>) -> String {
    expected.as_ref().map_or(String::new(), |path| format!(" at {}", path.display()))
}

fn named(ptx: &Option<PathBuf>) -> String {
    ptx.as_ref().map_or(String::new(), |path| format!(", in {},", path.display()))
}

/// The folder of the kernels that a file of the copy is of; where the file tells none, the one that the program takes.
fn kernels_of(file: &Path) -> &Path {
    file.ancestors().find(|folder| folder.ends_with("ptx")).and_then(Path::parent).unwrap_or(Path::new("gpu"))
}

fn list(errors: &[CheckError]) -> String {
    errors.iter().map(|error| format!("- {error}")).collect::<Vec<_>>().join("\n")
}

/// What LLVM's own words leave open: it names neither the kernel nor the operation.
fn hint(output: &str) -> &'static str {
    if output.contains("unsupported library call operation") {
        "\na GPU has neither an instruction nor a function for some operation, such as a conversion between a 128-bit \
         integer and a float: convert by way of 64 bits"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who prints an error with its sources would say a cause twice.
    #[test]
    fn a_cause_that_the_message_has_is_no_source() {
        use std::error::Error as _;

        let io = Error::io("read", Path::new("a.ptx"))(std::io::Error::other("it is damaged"));
        assert!(io.to_string().ends_with("it is damaged") && io.source().is_none(), "{io}");
        let malformed = CheckError::Malformed(Malformed { line: 3, what: "`mov` has no semicolon".to_owned() });
        assert!(malformed.to_string().contains("semicolon") && malformed.source().is_none(), "{malformed}");
    }

    #[test]
    fn what_llvm_cannot_do_is_said_in_words_of_rust() {
        let message = |output: &str| {
            let error = Error::Compile { arch: Arch::new("sm_75", "ptx70"), output: output.to_owned() };
            error.to_string()
        };
        assert!(message("rustc-LLVM ERROR: unsupported library call operation\n").contains("128-bit integer"));
        assert!(message("error[E0308]: mismatched types").ends_with("mismatched types"));
    }
}
