//! What can be wrong with a PTX text, and where.

use thiserror::Error;

/// A PTX text that cannot be run, and the place that says so.
///
/// ```
/// use ptx_interpreter::Module;
///
/// let error = Module::parse(".version 7.0\n.target sm_75\nhello").unwrap_err();
/// assert_eq!(error.line, 3);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("PTX line {line}, column {column}: {kind}")]
pub struct ParseError {
    /// Line, counted from 1.
    pub line: u32,
    /// Column in bytes, counted from 1.
    pub column: u32,
    /// What is wrong there.
    pub kind: ParseErrorKind,
}

/// What is wrong at the place that a [`ParseError`] names.
///
/// ```
/// use ptx_interpreter::{Module, ParseErrorKind};
///
/// let error = Module::parse(".version 99.0\n.target sm_75\n.address_size 64").unwrap_err();
/// assert!(matches!(error.kind, ParseErrorKind::NewerVersion { major: 99, .. }));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// A character that no PTX token starts with.
    #[error("unexpected character {0:?}; the text is not PTX, or it is damaged here")]
    Character(char),
    /// A comment or a string that the text ends in.
    #[error("{0} is not closed before the text ends")]
    Unterminated(&'static str),
    /// A number that does not fit 64 bits or is otherwise malformed.
    #[error("malformed number `{0}`")]
    Number(String),
    /// Another token was needed.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What the grammar asks for.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A `.version` that came out after this interpreter.
    #[error(
        "PTX version {major}.{minor} is newer than {newest_major}.{newest_minor}, the newest one known; \
         compile for an older one (`-C target-feature=+ptx78`)"
    )]
    NewerVersion {
        /// Major version asked for.
        major: u32,
        /// Minor version asked for.
        minor: u32,
        /// Major version of the newest one known.
        newest_major: u32,
        /// Minor version of the newest one known.
        newest_minor: u32,
    },
    /// Only 64-bit modules run.
    #[error("address size {0} is not supported; compile for `nvptx64-nvidia-cuda`")]
    AddressSize(u64),
    /// A directive that is not known.
    #[error("unknown directive `.{0}`")]
    UnknownDirective(String),
    /// An instruction that is not known. It is never skipped.
    #[error("unknown instruction `{0}`; the interpreter has to learn it before this module can run")]
    UnknownInstruction(String),
    /// A modifier that the instruction is not known to take.
    #[error("instruction `{instruction}` with the modifier `.{modifier}` is not known")]
    UnknownModifier {
        /// The whole opcode.
        instruction: String,
        /// The modifier in question, without its dot.
        modifier: String,
    },
    /// An instruction that the GPUs which the module is for do not have.
    #[error("`{instruction}` needs {needed}, and the module is for {target}; compile for that, or do without")]
    Target {
        /// The whole opcode.
        instruction: String,
        /// The oldest architecture that has it, or the only one.
        needed: String,
        /// The module's `.target`.
        target: String,
    },
    /// A needed modifier, such as the type, is not there.
    #[error("instruction `{instruction}` lacks {missing}")]
    MissingModifier {
        /// The whole opcode.
        instruction: String,
        /// What is missing.
        missing: &'static str,
    },
    /// Operands that do not suit the instruction.
    #[error("operands do not suit `{instruction}`: {reason}")]
    Operands {
        /// The whole opcode.
        instruction: String,
        /// What is wrong with them.
        reason: String,
    },
    /// A name that no declaration in scope introduces.
    #[error("`{0}` is not declared here")]
    UnknownName(String),
    /// A name introduced twice in one scope.
    #[error("`{0}` is declared twice in one scope")]
    DuplicateName(String),
    /// A size beyond what is sensible.
    #[error("{0}")]
    Limit(String),
}

pub(crate) type ParseResult<T> = Result<T, ParseError>;

/// Turns a byte offset into a line and a column, and an error kind into an error.
#[derive(Debug, Clone)]
pub(crate) struct LineIndex {
    starts: Vec<u32>,
}

impl LineIndex {
    pub(crate) fn new(text: &str) -> Self {
        let mut starts = vec![0];
        starts.extend(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at as u32 + 1));
        Self { starts }
    }

    pub(crate) fn position(&self, offset: u32) -> (u32, u32) {
        let line = self.starts.partition_point(|start| *start <= offset);
        (line as u32, offset - self.starts[line - 1] + 1)
    }

    pub(crate) fn error(&self, offset: u32, kind: ParseErrorKind) -> ParseError {
        let (line, column) = self.position(offset);
        ParseError { line, column, kind }
    }
}
