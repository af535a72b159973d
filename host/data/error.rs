//! What can be wrong with a file of points.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::picture::numbers::count;

/// What is wrong with a file of points, where, and what to do.
///
/// Lines count from 1, as editors do; rows of formats without lines from 0, as their libraries do.
///
/// ```
/// use modeseek::data::{Carry, ReadOptions, Reader, Source};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("ragged.csv");
/// std::fs::write(&path, "x,y\n1,2\n3\n")?;
/// let mut reader = Reader::open(&Source::new(&path, None)?, &ReadOptions::default(), Carry::Nothing)?;
/// let error = reader.next_chunk().unwrap_err();
/// assert!(error.to_string().contains("line 3"), "{error}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file cannot be opened or read.
    #[error("{file} cannot be read: {cause}")]
    Read {
        /// Which.
        file: String,
        /// Why.
        cause: io::Error,
    },
    /// An extension that says nothing.
    #[error(
        "{path}: its extension names no format; end it on .csv, .txt, .tsv, .tab (these also on .gz or .zst), .npy, .npz, .parquet, .pq, .arrow, .feather, .ipc or .arrows, or give {option}{hint}"
    )]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// The option that names a format, or another extension.
        option: &'static str,
        /// What else may be meant.
        hint: String,
    },
    /// A format that cannot be read from a stream, or that does not go with something.
    #[error("{what} is not possible: {why}")]
    Unsupported {
        /// What was asked for.
        what: String,
        /// Why, and what to do.
        why: &'static str,
    },
    /// Nothing in it.
    #[error("{file} has no rows")]
    Empty {
        /// Which.
        file: String,
    },
    /// Rows of nothing.
    #[error("{file} has no columns")]
    NoColumns {
        /// Which.
        file: String,
    },
    /// Rows, and none without a missing value.
    #[error("{file} has no row without a missing value")]
    AllMissing {
        /// Which.
        file: String,
    },
    /// Bytes that are no text.
    #[error("{file} is not text: byte {at} is {byte:#04x}; if it is of another format, say so with --format")]
    NotText {
        /// Which.
        file: String,
        /// From 0.
        at: u64,
        /// What is there.
        byte: u8,
    },
    /// Text in another encoding.
    #[error("{file} is text in UTF-16, and only UTF-8 is read; convert it first, as iconv -f utf16 -t utf8 does")]
    Utf16 {
        /// Which.
        file: String,
    },
    /// A line with more or fewer fields than the first.
    #[error("{file}, line {line}: {}, and the lines before have {expected}", count(*found, "field"))]
    Ragged {
        /// Which.
        file: String,
        /// From 1.
        line: u64,
        /// Its fields.
        found: u64,
        /// Those of the first line.
        expected: u64,
    },
    /// A list of more or fewer numbers than the first.
    #[error(
        "{file}, row {row}, column {column}: {}, and the rows before have {expected}; give each as many, or choose others with --columns",
        count(*found, "number")
    )]
    Uneven {
        /// Which.
        file: String,
        /// From 0.
        row: u64,
        /// The column's name.
        column: String,
        /// Its numbers.
        found: u64,
        /// Those of the first row.
        expected: u64,
    },
    /// A quote that nothing closes, which would take the rest of the file for one field.
    #[error("{file}, line {line}: a quote opens there that is not closed; close it, or remove it")]
    OpenQuote {
        /// Which.
        file: String,
        /// From 1, where the quote opens.
        line: u64,
    },
    /// A field that is no number.
    #[error("{file}, {at}, column {column}: {value:?} is not a number{hint}")]
    NotNumber {
        /// Which.
        file: String,
        /// Line or row.
        at: String,
        /// The column's name.
        column: String,
        /// What stands there, cut after some letters.
        value: String,
        /// What to do.
        hint: &'static str,
    },
    /// A missing value.
    #[error("{file}, {at}, column {column}: the value is missing; --missing drop leaves such rows out{hint}")]
    Missing {
        /// Which.
        file: String,
        /// Line or row.
        at: String,
        /// The column's name.
        column: String,
        /// What else to do.
        hint: &'static str,
    },
    /// An infinite value.
    #[error("{file}, {at}, column {column}: the value is infinite; remove the row, or clip the value first")]
    Infinite {
        /// Which.
        file: String,
        /// Line or row.
        at: String,
        /// The column's name.
        column: String,
    },
    /// A weight or a bandwidth that is none.
    #[error("{file}, {at}, column {column}: {value} is not {what}")]
    Unfit {
        /// Which.
        file: String,
        /// Line or row.
        at: String,
        /// The column's name.
        column: String,
        /// Its value.
        value: f64,
        /// What it was to be.
        what: &'static str,
    },
    /// A column that there is not.
    #[error("{file} has no column {column:?}; it has {known}{hint}")]
    NoColumn {
        /// Which.
        file: String,
        /// The name that was given.
        column: String,
        /// The columns' names.
        known: String,
        /// What may be meant.
        hint: String,
    },
    /// A name that several columns have.
    #[error("{file} has several columns {column:?}; choose by number, from 1: '#2' is the second")]
    Ambiguous {
        /// Which.
        file: String,
        /// The name.
        column: String,
    },
    /// A column that is two coordinates.
    #[error(
        "{file}: column {column:?} is among the coordinates twice; name each once, or write a column of its own for it"
    )]
    Repeated {
        /// Which.
        file: String,
        /// The column's name.
        column: String,
    },
    /// No column with numbers.
    #[error("{file} has no column that holds numbers{left}{why}; {hint}")]
    NoNumbers {
        /// Which.
        file: String,
        /// Besides what.
        left: &'static str,
        /// What the first column holds instead.
        why: String,
        /// What may be amiss.
        hint: &'static str,
    },
    /// A column of a kind that is no number.
    #[error("{file}, column {column}: it holds {kind}, which are no numbers; choose others with --columns")]
    ColumnKind {
        /// Which.
        file: String,
        /// The column's name.
        column: String,
        /// What it holds.
        kind: String,
    },
    /// An array that there is not.
    #[error("{file} has no array {array:?}; it has {known}")]
    NoArray {
        /// Which.
        file: String,
        /// The name that was given.
        array: String,
        /// The arrays' names.
        known: String,
    },
    /// Arrays that are no columns, of which none is said to be the points.
    #[error(
        "{file} has arrays {known}, which are columns only if each has one axis and all are as long; choose one with --array"
    )]
    SeveralArrays {
        /// Which.
        file: String,
        /// The arrays' names and shapes.
        known: String,
    },
    /// A file that is not what its format says.
    #[error("{file} is no {format} file that can be read: {message}")]
    Malformed {
        /// Which.
        file: String,
        /// Of which format.
        format: &'static str,
        /// What is wrong.
        message: String,
    },
    /// A table that memory does not hold.
    #[error(
        "{file} holds {values} numbers, which the host's memory does not hold; say --stream, or choose fewer --columns"
    )]
    TooLarge {
        /// Which.
        file: String,
        /// How many.
        values: u64,
    },
    /// A file that changed while it was read twice.
    #[error("{file} changed while it was read: {was} rows at first, then {is}; the result was not written")]
    Changed {
        /// Which.
        file: String,
        /// The rows of the first pass.
        was: u64,
        /// Those of the second, or that their contents differ.
        is: String,
    },
}

impl DataError {
    /// Whether the command was wrong rather than the file.
    ///
    /// ```
    /// use std::path::Path;
    ///
    /// use modeseek::data::Source;
    ///
    /// // Nothing is wrong with the file: nobody has said what it is.
    /// let error = Source::new(Path::new("points.xyz"), None).unwrap_err();
    /// assert!(error.is_usage());
    /// ```
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::UnknownFormat { .. }
                | Self::Unsupported { .. }
                | Self::NoColumn { .. }
                | Self::NoArray { .. }
                | Self::SeveralArrays { .. }
                | Self::Ambiguous { .. }
                | Self::Repeated { .. }
        )
    }
}
