//! Where points come from: a file or standard input, as the bytes of a table, unpacked and counted.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::DataError;
use super::format::{Compression, Format, OF_SOURCES, compression_of, format_of};

/// Bytes that are read at once.
const BUFFER: usize = 1 << 18;

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
