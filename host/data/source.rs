//! Where points come from: a file or standard input, of some format, compressed or not.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::DataError;
use crate::error::Error;

/// Bytes that are read at once.
const BUFFER: usize = 1 << 18;

/// The option that names the format of what is read.
const OF_SOURCES: &str = "--format";

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
pub fn compression_of(path: &Path) -> (Compression, PathBuf) {
    let compression = match path.extension().and_then(|extension| extension.to_str()) {
        Some(extension) if extension.eq_ignore_ascii_case("gz") => Compression::Gzip,
        Some(extension) if extension.eq_ignore_ascii_case("zst") => Compression::Zstd,
        _ => return (Compression::None, path.to_owned()),
    };
    (compression, path.with_extension(""))
}

/// A file, or standard input, as a table.
///
/// ```
/// use std::path::Path;
///
/// use modeseek::data::{Format, Source};
///
/// let source = Source::new(Path::new("points.parquet"), None)?;
/// assert_eq!(source.format(), Format::Parquet);
/// assert_eq!(source.to_string(), "points.parquet");
/// # Ok::<(), modeseek::data::DataError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    path: Option<PathBuf>,
    format: Format,
    compression: Compression,
    read: BytesRead,
}

/// Bytes of a file that were read so far, and those that are going to be if that is fewer than all. What was read of a
/// file does not make it another.
#[derive(Clone, Debug, Default)]
pub(super) struct BytesRead {
    so_far: Arc<AtomicU64>,
    wanted: Arc<AtomicU64>,
}

impl BytesRead {
    /// Counts some more.
    pub(super) fn add(&self, bytes: u64) {
        self.so_far.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Says how many are going to be read.
    pub(super) fn expect(&self, bytes: u64) {
        self.wanted.store(bytes, Ordering::Relaxed);
    }
}

impl PartialEq for BytesRead {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for BytesRead {}

/// Counts what is read.
#[derive(Debug)]
pub(super) struct Counting<R> {
    bytes: R,
    read: BytesRead,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(to)?;
        self.read.add(count as u64);
        Ok(count)
    }
}

impl<R: Seek> Seek for Counting<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "{}", path.display()),
            None => f.write_str("standard input"),
        }
    }
}

impl Source {
    /// The file of this name, or standard input for `-`; of the format given, or else of that which the extension
    /// names; standard input is text unless something else is said.
    ///
    /// ```
    /// use std::path::Path;
    ///
    /// use modeseek::data::{Format, Source};
    ///
    /// // The format that is given counts more than the name.
    /// assert_eq!(Source::new(Path::new("points.dat"), Some(Format::Csv))?.format(), Format::Csv);
    /// assert!(Source::new(Path::new("points.dat"), None).is_err());
    /// // A Parquet file is read from its end, which a stream does not have.
    /// assert!(Source::new(Path::new("-"), Some(Format::Parquet)).is_err());
    /// # Ok::<(), modeseek::data::DataError>(())
    /// ```
    ///
    /// # Errors
    /// [`DataError::UnknownFormat`], [`DataError::Unsupported`].
    pub fn new(path: &Path, format: Option<Format>) -> Result<Self, DataError> {
        if path == Path::new("-") {
            let format = format.unwrap_or(Format::Csv);
            if matches!(format, Format::Npz | Format::Parquet) {
                let what = format!("{} from standard input", format.name());
                let why = "its parts are found from its end; write it to a file first";
                return Err(DataError::Unsupported { what, why });
            }
            return Ok(Self { path: None, format, compression: Compression::None, read: BytesRead::default() });
        }
        let (format, compression) = match format {
            Some(format) => (format, compression_of(path).0),
            None => format_of(path, OF_SOURCES)?,
        };
        if compression != Compression::None && !format.is_text() {
            let what = format!("a compressed {} file", format.name());
            return Err(DataError::Unsupported {
                what,
                why: "only text is read through gzip and zstd; unpack it first",
            });
        }
        Ok(Self { path: Some(path.to_owned()), format, compression, read: BytesRead::default() })
    }

    /// Its format.
    ///
    /// ```
    /// # use std::path::Path;
    /// # use modeseek::data::{Format, Source};
    /// assert_eq!(Source::new(Path::new("points.feather"), None)?.format(), Format::Arrow);
    /// # Ok::<(), modeseek::data::DataError>(())
    /// ```
    pub fn format(&self) -> Format {
        self.format
    }

    /// Its path, unless it is standard input.
    ///
    /// ```
    /// # use std::path::Path;
    /// # use modeseek::data::Source;
    /// assert_eq!(Source::new(Path::new("points.npy"), None)?.path(), Some(Path::new("points.npy")));
    /// assert_eq!(Source::new(Path::new("-"), None)?.path(), None);
    /// # Ok::<(), modeseek::data::DataError>(())
    /// ```
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The bytes that are to be read, if it is a file: all of it, unless it was found that fewer are needed.
    ///
    /// ```
    /// # use modeseek::data::Source;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("points.csv");
    /// std::fs::write(&path, "x,y\n1,2\n")?;
    /// assert_eq!(Source::new(&path, None)?.bytes(), Some(8));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn bytes(&self) -> Option<u64> {
        let metadata =
            self.path.as_ref().and_then(|path| path.metadata().ok()).filter(|metadata| metadata.is_file())?;
        match self.read.wanted.load(Ordering::Relaxed) {
            0 => Some(metadata.len()),
            wanted => Some(wanted.min(metadata.len())),
        }
    }

    /// How many of its bytes were read since it was last begun with.
    ///
    /// ```
    /// # use modeseek::data::{Carry, ReadOptions, Source, Table};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("points.csv");
    /// std::fs::write(&path, "x,y\n1,2\n")?;
    /// let source = Source::new(&path, None)?;
    /// assert_eq!(source.bytes_read(), 0);
    /// Table::read(&source, &ReadOptions::default(), Carry::Nothing)?;
    /// assert_eq!(Some(source.bytes_read()), source.bytes());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn bytes_read(&self) -> u64 {
        self.read.so_far.load(Ordering::Relaxed)
    }

    /// Whether it can be read twice: a file can, standard input and pipes cannot.
    ///
    /// ```
    /// # use std::path::Path;
    /// # use modeseek::data::Source;
    /// assert!(!Source::new(Path::new("-"), None)?.is_file());
    /// # Ok::<(), modeseek::data::DataError>(())
    /// ```
    pub fn is_file(&self) -> bool {
        self.path.as_ref().is_some_and(|path| path.is_file())
    }

    /// Looks whether it can be read, as far as that is seen without reading: what is no file may be opened once only.
    ///
    /// # Errors
    /// As [`file`](Self::file).
    pub(crate) fn check(&self) -> Result<(), DataError> {
        match self.path.as_ref().map(|path| path.metadata()) {
            None => Ok(()),
            Some(Ok(there)) if !there.is_file() && !there.is_dir() => Ok(()),
            Some(_) => self.file().map(drop),
        }
    }

    /// The file.
    ///
    /// # Errors
    /// [`DataError::Read`]: there is none, no permission, a folder.
    pub(super) fn file(&self) -> Result<File, DataError> {
        let path = self.path.as_ref().expect("only files are asked for");
        let file = File::open(path).map_err(|source| self.unreadable(source))?;
        match file.metadata() {
            Ok(metadata) if metadata.is_dir() => Err(self.unreadable(io::ErrorKind::IsADirectory.into())),
            Ok(_) => Ok(file),
            Err(source) => Err(self.unreadable(source)),
        }
    }

    /// What counts its bytes, which begin anew.
    pub(super) fn counter(&self) -> BytesRead {
        self.read.so_far.store(0, Ordering::Relaxed);
        self.read.expect(0);
        self.read.clone()
    }

    /// The file, whose bytes are counted.
    ///
    /// # Errors
    /// As [`file`](Self::file).
    pub(super) fn counted_file(&self) -> Result<Counting<File>, DataError> {
        Ok(Counting { bytes: self.file()?, read: self.counter() })
    }

    /// Its bytes, uncompressed, from first to last.
    ///
    /// # Errors
    /// As [`file`](Self::file).
    pub(super) fn stream(&self) -> Result<BufReader<Box<dyn Read + Send>>, DataError> {
        let bytes: Box<dyn Read + Send> = match &self.path {
            None => Box::new(io::stdin()),
            Some(_) => Box::new(self.counted_file()?),
        };
        let (compression, bytes) = match self.compression {
            Compression::None if self.format.is_text() => {
                compressed(bytes).map_err(|source| self.unreadable(source))?
            }
            said => (said, bytes),
        };
        let bytes: Box<dyn Read + Send> = match compression {
            Compression::None => bytes,
            // Files of several parts, one after another, are usual.
            Compression::Gzip => {
                Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(BUFFER, bytes)))
            }
            Compression::Zstd => Box::new(zstd::Decoder::new(bytes).map_err(|source| self.unreadable(source))?),
        };
        Ok(BufReader::with_capacity(BUFFER, bytes))
    }

    pub(super) fn unreadable(&self, cause: io::Error) -> DataError {
        DataError::Read { file: self.to_string(), cause }
    }

    /// That the contents are not of the format.
    pub(super) fn malformed(&self, message: impl fmt::Display) -> DataError {
        // Some libraries draw where in the text they stumbled; the first line says what over.
        let message = message.to_string();
        let message = message.lines().next().unwrap_or_default().trim_end().to_owned();
        DataError::Malformed { file: self.to_string(), format: self.format.name(), message }
    }
}

/// How bytes are compressed though no name says so, as their first ones tell: no text begins with such. And all of them.
fn compressed(mut bytes: Box<dyn Read + Send>) -> io::Result<(Compression, Box<dyn Read + Send>)> {
    let mut first = Vec::new();
    bytes.by_ref().take(4).read_to_end(&mut first)?;
    let compression = match &first[..] {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd] => Compression::Zstd,
        _ => Compression::None,
    };
    Ok((compression, Box::new(Cursor::new(first).chain(bytes))))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert!(format_of(Path::new(path), "--format").is_err(), "{path}");
        }
    }

    #[test]
    fn what_cannot_be_read_so_is_refused() {
        for (path, format) in [("-", Some(Format::Npz)), ("-", Some(Format::Parquet)), ("a.npy.gz", None)] {
            let refused = Source::new(Path::new(path), format);
            assert!(matches!(refused, Err(DataError::Unsupported { .. })), "{path}: {refused:?}");
        }
        assert_eq!(Source::new(Path::new("-"), None).unwrap().format(), Format::Csv);
    }

    #[test]
    fn no_file_and_a_folder_are_named() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_owned(), folder.path().join("none.csv")] {
            let error = Source::new(&path, Some(Format::Csv)).unwrap().stream().err().unwrap();
            assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        }
    }
}
