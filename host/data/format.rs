//! Formats of tables and compressions of files, and which of them a file's name says.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::error::DataError;
use crate::error::Error;

/// The option that names the format of what is read.
pub(super) const OF_SOURCES: &str = "--format";

/// Extensions of spreadsheets, which are not read.
const SHEETS: [&str; 3] = ["xlsx", "xls", "ods"];

/// The names of formats, in words.
const NAMES: &str = "csv, tsv, npy, npz, parquet or arrow";

/// A format of tables.
///
/// ```
/// use modeseek::data::Format;
///
/// assert_eq!("parquet".parse::<Format>()?, Format::Parquet);
/// assert!("xls".parse::<Format>().is_err());
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// Text, with a delimiter between fields.
    Csv,
    /// Text, with tabs between fields.
    Tsv,
    /// One numpy array.
    Npy,
    /// Several numpy arrays.
    Npz,
    /// Apache Parquet.
    Parquet,
    /// Apache Arrow's file or stream, also called Feather (version 2).
    Arrow,
}

impl Format {
    /// All.
    pub const ALL: [Self; 6] = [Self::Csv, Self::Tsv, Self::Npy, Self::Npz, Self::Parquet, Self::Arrow];

    /// Its name, as an extension.
    ///
    /// ```
    /// use modeseek::data::Format;
    ///
    /// assert_eq!(Format::Npy.name(), "npy");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Npy => "npy",
            Self::Npz => "npz",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
        }
    }

    /// Whether it is text.
    ///
    /// ```
    /// use modeseek::data::Format;
    ///
    /// assert!(Format::Tsv.is_text());
    /// assert!(!Format::Arrow.is_text());
    /// ```
    pub fn is_text(self) -> bool {
        matches!(self, Self::Csv | Self::Tsv)
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.to_ascii_lowercase().as_str() {
            "csv" | "txt" => Ok(Self::Csv),
            "tsv" | "tab" => Ok(Self::Tsv),
            "npy" => Ok(Self::Npy),
            "npz" => Ok(Self::Npz),
            "parquet" | "pq" => Ok(Self::Parquet),
            "arrow" | "feather" | "ipc" | "arrows" => Ok(Self::Arrow),
            _ => Err(Error::Option { option: "the format", value: text.to_owned(), must: NAMES }),
        }
    }
}

/// How a file is compressed.
///
/// ```
/// use std::path::Path;
///
/// use modeseek::data::{Compression, format_of};
///
/// assert_eq!(format_of(Path::new("points.csv.zst"), "--format")?.1, Compression::Zstd);
/// # Ok::<(), modeseek::data::DataError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    None,
    /// .gz
    Gzip,
    /// .zst
    Zstd,
}

/// What a file's name says of it.
///
/// ```
/// use std::path::Path;
///
/// use modeseek::data::{Compression, Format, format_of};
///
/// assert_eq!(format_of(Path::new("a.tsv.gz"), "--format")?, (Format::Tsv, Compression::Gzip));
/// let error = format_of(Path::new("a.log.gz"), "--format").unwrap_err();
/// assert!(error.to_string().contains("--format"), "{error}");
/// # Ok::<(), modeseek::data::DataError>(())
/// ```
///
/// # Errors
/// [`DataError::UnknownFormat`], with the `option` that would say.
pub fn format_of(path: &Path, option: &'static str) -> Result<(Format, Compression), DataError> {
    let unknown = |hint: &str| DataError::UnknownFormat { path: path.to_owned(), option, hint: hint.to_owned() };
    let (compression, inner) = compression_of(path);
    let extension = inner.extension().and_then(|extension| extension.to_str()).ok_or_else(|| unknown(""))?;
    let is_sheet = SHEETS.iter().any(|sheet| extension.eq_ignore_ascii_case(sheet));
    // What is to be written is not there yet.
    let hint = if is_sheet && option == OF_SOURCES { "; of a spreadsheet, export the points as CSV" } else { "" };
    Ok((extension.parse().map_err(|_| unknown(hint))?, compression))
}

/// How a file is compressed, and its name without that extension.
pub(super) fn compression_of(path: &Path) -> (Compression, PathBuf) {
    let compression = match path.extension().and_then(|extension| extension.to_str()) {
        Some(extension) if extension.eq_ignore_ascii_case("gz") => Compression::Gzip,
        Some(extension) if extension.eq_ignore_ascii_case("zst") => Compression::Zstd,
        _ => return (Compression::None, path.to_owned()),
    };
    (compression, path.with_extension(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXTENSIONS: [&str; 12] =
        ["csv", "txt", "tsv", "tab", "npy", "npz", "parquet", "pq", "arrow", "feather", "ipc", "arrows"];

    #[test]
    fn formats_have_names() {
        for format in Format::ALL {
            assert_eq!(format.name().parse::<Format>().unwrap(), format);
            assert!(NAMES.contains(format.name()), "{format:?}");
        }
        let error = "xls".parse::<Format>().unwrap_err();
        assert!(error.is_usage() && error.to_string().ends_with(NAMES), "{error}");
    }

    #[test]
    fn extensions_name_formats() {
        for (path, format, compression) in [
            ("a.csv", Format::Csv, Compression::None),
            ("a.b/c.CSV", Format::Csv, Compression::None),
            ("a.tsv.gz", Format::Tsv, Compression::Gzip),
            ("a.csv.zst", Format::Csv, Compression::Zstd),
            ("A.CSV.GZ", Format::Csv, Compression::Gzip),
            ("a.feather", Format::Arrow, Compression::None),
            ("a.parquet", Format::Parquet, Compression::None),
        ] {
            assert_eq!(format_of(Path::new(path), "--format").unwrap(), (format, compression), "{path}");
        }
        for path in ["a", "a.gz", "a.docx", ".csv"] {
            let error = format_of(Path::new(path), "--format").unwrap_err().to_string();
            for extension in EXTENSIONS {
                assert!(
                    error.contains(&format!(".{extension},")) || error.contains(&format!(".{extension} ")),
                    "{error}"
                );
                assert!(extension.parse::<Format>().is_ok(), "{extension}");
            }
        }
    }
}
