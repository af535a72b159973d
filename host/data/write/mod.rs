//! Tables are written: whole, under their name, in the format that its extension says.

mod arrow;
mod npy;
mod text;

use std::collections::HashSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema, SchemaRef};

use super::error::DataError;
use super::format::{Compression, Format, format_of};
use crate::error::{Error, Result};
use crate::files::write_whole;

/// Where a table goes.
///
/// ```
/// use std::path::Path;
///
/// use modeseek::data::{Format, Target};
///
/// assert_eq!(Target::new(Path::new("labels.csv.gz"))?.format(), Format::Csv);
/// assert!(Target::new(Path::new("labels")).is_err());
/// # Ok::<(), modeseek::data::DataError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    path: Option<PathBuf>,
    format: Format,
    compression: Compression,
}

/// What takes a table's rows.
///
/// ```
/// use std::sync::Arc;
///
/// use arrow_array::{ArrayRef, Int32Array};
/// use modeseek::data::{Target, table};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("labels.csv");
/// let labels = |values: Vec<i32>| table(vec![("label".to_owned(), Arc::new(Int32Array::from(values)) as ArrayRef)]);
/// let schema = labels(Vec::new()).schema();
/// // The sink is given rows part by part; `finish` is called when `fill` returns.
/// Target::new(&path)?.write(&schema, |sink| {
///     sink.write(&labels(vec![0, 1]))?;
///     sink.write(&labels(vec![2]))
/// })?;
/// assert_eq!(std::fs::read_to_string(&path)?, "label\n0\n1\n2\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Sink {
    /// Writes rows.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use arrow_array::{ArrayRef, Int32Array};
    /// # use modeseek::data::{Target, table};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("labels.csv");
    /// let rows = table(vec![("label".to_owned(), Arc::new(Int32Array::from(vec![4])) as ArrayRef)]);
    /// // The same rows three times.
    /// Target::new(&path)?.write(&rows.schema(), |sink| (0..3).try_for_each(|_| sink.write(&rows)))?;
    /// assert_eq!(std::fs::read_to_string(&path)?, "label\n4\n4\n4\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Columns that the format does not hold; what cannot be written.
    fn write(&mut self, rows: &RecordBatch) -> Result<()>;

    /// Writes what is left.
    ///
    /// ```
    /// use modeseek::Result;
    /// use modeseek::data::Sink;
    ///
    /// /// A sink that counts rows: `finish` comes last, once.
    /// #[derive(Default)]
    /// struct Count {
    ///     rows: usize,
    ///     whole: bool,
    /// }
    ///
    /// impl Sink for Count {
    ///     fn write(&mut self, rows: &arrow_array::RecordBatch) -> Result<()> {
    ///         self.rows += rows.num_rows();
    ///         Ok(())
    ///     }
    ///
    ///     fn finish(&mut self) -> Result<()> {
    ///         self.whole = true;
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let mut count = Count::default();
    /// count.finish()?;
    /// assert!(count.whole && count.rows == 0);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// What cannot be written.
    fn finish(&mut self) -> Result<()>;
}

impl Target {
    /// The file of this name, or standard output for `-`, as text.
    ///
    /// ```
    /// use std::path::Path;
    ///
    /// use modeseek::data::{Format, Target};
    ///
    /// // `-` is standard output, to which text is written.
    /// assert_eq!(Target::new(Path::new("-"))?.format(), Format::Csv);
    /// # Ok::<(), modeseek::data::DataError>(())
    /// ```
    ///
    /// # Errors
    /// [`DataError::UnknownFormat`], [`DataError::Unsupported`].
    pub fn new(path: &Path) -> Result<Self, DataError> {
        if path == Path::new("-") {
            return Ok(Self { path: None, format: Format::Csv, compression: Compression::None });
        }
        let (format, compression) = format_of(path, "another extension")?;
        if compression != Compression::None && !format.is_text() {
            let what = format!("a compressed {} file", format.name());
            let why = "only text is written through gzip and zstd; Parquet and Arrow are compressed by themselves";
            return Err(DataError::Unsupported { what, why });
        }
        Ok(Self { path: Some(path.to_owned()), format, compression })
    }

    /// Its format.
    ///
    /// ```
    /// # use std::path::Path;
    /// # use modeseek::data::{Format, Target};
    /// assert_eq!(Target::new(Path::new("labels.npy"))?.format(), Format::Npy);
    /// # Ok::<(), modeseek::data::DataError>(())
    /// ```
    pub fn format(&self) -> Format {
        self.format
    }

    /// Its path, unless it is standard output.
    ///
    /// ```
    /// # use std::path::Path;
    /// # use modeseek::data::Target;
    /// assert_eq!(Target::new(Path::new("labels.npy"))?.path(), Some(Path::new("labels.npy")));
    /// # Ok::<(), modeseek::data::DataError>(())
    /// ```
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Looks whether the format holds columns such as these, before there are rows of them. NPZ leaves out text.
    ///
    /// # Errors
    /// [`DataError::Unsupported`]; what the library for the format says.
    pub(crate) fn check(&self, schema: &SchemaRef) -> Result<()> {
        match self.format {
            Format::Csv | Format::Tsv => text::check(schema),
            Format::Parquet => arrow::Parquet::new(&mut io::sink(), schema).map(drop),
            Format::Npz => npy::check(schema),
            Format::Npy | Format::Arrow => Ok(()),
        }
    }

    /// Writes a table of these columns: `fill` gives its rows. A file is there whole or not at all.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use arrow_array::{ArrayRef, Float64Array};
    /// # use modeseek::data::{Carry, ReadOptions, Source, Table, Target, table};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("modes.parquet");
    /// let modes = table(vec![("x".to_owned(), Arc::new(Float64Array::from(vec![0.5, 9.0])) as ArrayRef)]);
    /// Target::new(&path)?.write(&modes.schema(), |sink| sink.write(&modes))?;
    /// let read = Table::read(&Source::new(&path, None)?, &ReadOptions::default(), Carry::Nothing)?;
    /// assert_eq!(read.rows, [0.5, 9.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Whatever `fill` returns; [`Error::WriteFile`], [`Error::Output`]; columns that the format does not hold.
    pub fn write<T>(&self, schema: &SchemaRef, fill: impl FnOnce(&mut dyn Sink) -> Result<T>) -> Result<T> {
        match &self.path {
            None => {
                let mut out = io::stdout().lock();
                let filled = self.fill(&mut text::Text::new(&mut out, b',', schema)?, fill)?;
                out.flush().map_err(Error::Output)?;
                Ok(filled)
            }
            Some(path) => write_whole(path, |out| self.write_to(out, schema, fill)),
        }
    }

    fn write_to<T>(
        &self,
        out: &mut (dyn Write + Send),
        schema: &SchemaRef,
        fill: impl FnOnce(&mut dyn Sink) -> Result<T>,
    ) -> Result<T> {
        let delimiter = if self.format == Format::Tsv { b'\t' } else { b',' };
        match (self.format, self.compression) {
            (Format::Csv | Format::Tsv, Compression::None) => {
                self.fill(&mut text::Text::new(out, delimiter, schema)?, fill)
            }
            (Format::Csv | Format::Tsv, Compression::Gzip) => {
                let mut packed = flate2::write::GzEncoder::new(out, flate2::Compression::default());
                let filled = self.fill(&mut text::Text::new(&mut packed, delimiter, schema)?, fill)?;
                packed.finish().map_err(Error::Output)?;
                Ok(filled)
            }
            (Format::Csv | Format::Tsv, Compression::Zstd) => {
                let mut packed = zstd::Encoder::new(out, 0).map_err(Error::Output)?;
                let filled = self.fill(&mut text::Text::new(&mut packed, delimiter, schema)?, fill)?;
                packed.finish().map_err(Error::Output)?;
                Ok(filled)
            }
            (Format::Npy, _) => self.fill(&mut npy::Arrays::one(out), fill),
            (Format::Npz, _) => self.fill(&mut npy::Arrays::archive(out), fill),
            (Format::Parquet, _) => self.fill(&mut arrow::Parquet::new(out, schema)?, fill),
            (Format::Arrow, _) => self.fill(&mut arrow::Arrow::new(out, schema)?, fill),
        }
    }

    fn fill<T>(&self, sink: &mut dyn Sink, fill: impl FnOnce(&mut dyn Sink) -> Result<T>) -> Result<T> {
        let filled = fill(sink)?;
        sink.finish()?;
        Ok(filled)
    }
}

/// A column with a name.
pub type Column = (String, ArrayRef);

/// Columns as a table; of none, a table without rows.
///
/// ```
/// use std::sync::Arc;
///
/// use arrow_array::{ArrayRef, Int32Array};
/// use modeseek::data::table;
///
/// let column: ArrayRef = Arc::new(Int32Array::from(vec![3, 4]));
/// let table = table(vec![("label".to_owned(), column)]);
/// assert_eq!((table.num_columns(), table.num_rows()), (1, 2));
/// ```
///
/// # Panics
/// If one has more values than another.
pub fn table(columns: Vec<Column>) -> RecordBatch {
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(name, array.data_type().clone(), true)).collect();
    let rows = columns.first().map_or(0, |(_, array)| array.len());
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .expect("columns of equal lengths")
}

/// Rows with more columns, of which each has as many values; with the name `other-…` where a name is taken.
///
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{ArrayRef, Int32Array};
/// use modeseek::data::{table, with_columns};
///
/// let column = |name: &str| (name.to_owned(), Arc::new(Int32Array::from(vec![1])) as ArrayRef);
/// let rows = table(vec![column("label")]);
/// let more = with_columns(Some(&rows), vec![column("label")]);
/// assert_eq!(more.schema().field(1).name(), "other-label");
/// ```
///
/// # Panics
/// If one has more values than another, or than there are rows.
pub fn with_columns(rows: Option<&RecordBatch>, more: Vec<Column>) -> RecordBatch {
    let mut columns: Vec<Column> = Vec::new();
    if let Some(rows) = rows {
        let schema = rows.schema();
        let names = schema.fields().iter().map(|field| field.name().clone());
        columns.extend(names.zip(rows.columns().iter().cloned()));
    }
    let mut taken: HashSet<String> = columns.iter().map(|(name, _)| name.clone()).collect();
    for (mut name, array) in more {
        while !taken.insert(name.clone()) {
            name = format!("other-{name}");
        }
        columns.push((name, array));
    }
    table(columns)
}

/// A column of a kind that a format does not hold.
fn unsupported(column: &str, kind: &arrow_schema::DataType, why: &'static str) -> Error {
    DataError::Unsupported { what: format!("column {column} of {kind} in this format"), why }.into()
}

#[cfg(test)]
mod tests {
    use arrow_array::Int32Array;

    use super::*;

    fn column(name: &str, rows: i32) -> Column {
        (name.to_owned(), Arc::new(Int32Array::from_iter_values(0..rows)))
    }

    #[test]
    fn a_table_of_no_columns_has_no_rows() {
        let none = table(Vec::new());
        assert_eq!((none.num_columns(), none.num_rows()), (0, 0));
        assert_eq!(with_columns(None, Vec::new()), none);
    }

    #[test]
    #[should_panic(expected = "columns of equal lengths")]
    fn columns_of_different_lengths_are_no_table() {
        table(vec![column("two", 2), column("three", 3)]);
    }

    #[test]
    #[should_panic(expected = "columns of equal lengths")]
    fn columns_are_not_added_to_more_rows() {
        with_columns(Some(&table(vec![column("two", 2)])), vec![column("three", 3)]);
    }
}
