//! Tables of points are read, in parts or whole.

mod above;
mod arrow;
mod chunk;
mod guarded;
mod header;
mod ipc;
mod lists;
mod messages;
mod npy;
mod npz;
mod records;
mod sample;
mod text;
mod typed;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::columns::{LeftOut, ReadOptions, quoted};
use super::error::DataError;
use super::format::Format;
use super::source::Source;
use crate::error::Result;
use crate::executor::host_memory;

use guarded::guarded;

pub use chunk::Chunk;
pub(super) use chunk::{is_numbers, numbers, plain};

/// Rows that are read at a time, unless they are long.
const CHUNK: usize = 1 << 16;

/// Numbers that are read at a time.
const CHUNK_VALUES: usize = 1 << 22;

/// How much more memory a part may take while it is made, as vectors that grow and columns of another type do.
const WHILE_MADE: usize = 4;

/// What is kept of a table's columns, to be written again.
///
/// ```
/// use modeseek::data::{Carry, ReadOptions, Source, Table};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("named.csv");
/// std::fs::write(&path, "name,x\na,1\nb,2\n")?;
/// let (source, options) = (Source::new(&path, None)?, ReadOptions::default());
/// // Columns that are no coordinates come along, to be written beside the labels.
/// let table = Table::read(&source, &options, Carry::AsTheyWere)?;
/// assert_eq!(table.names, ["x"]);
/// assert_eq!(table.carried[0].schema().field(0).name(), "name");
/// assert!(Table::read(&source, &options, Carry::Nothing)?.carried.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Carry {
    /// None.
    #[default]
    Nothing,
    /// All as they were, text as text.
    AsTheyWere,
    /// All, and those of text as numbers that are: of a table as a whole, those whose values are all integers of 64
    /// bits, or all numbers; of parts, of which none knows the others, those that are read as numbers. An empty field of
    /// text is null.
    AsNumbers,
}

/// A table from which rows are read in parts.
trait Chunks: Send {
    /// The next rows, at most so many; none at the end.
    fn next(&mut self, source: &Source, most: usize) -> Result<Option<Chunk>, DataError>;

    /// What was found out about the table and might be otherwise.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Reads a table in parts.
///
/// ```
/// use modeseek::data::{Carry, Reader, ReadOptions, Source};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("points.csv");
/// std::fs::write(&path, "x,y\n1,2\n3,4\n")?;
/// let source = Source::new(&path, None)?;
/// let mut reader = Reader::open(&source, &ReadOptions::default(), Carry::Nothing)?;
/// assert_eq!(reader.coordinates(), ["x", "y"]);
/// assert_eq!(reader.next_chunk()?.unwrap().rows, [1.0, 2.0, 3.0, 4.0]);
/// assert!(reader.next_chunk()?.is_none());
///
/// // One thread may read while another goes on with what was read before.
/// let mut reader = Reader::open(&source, &ReadOptions::default(), Carry::Nothing)?;
/// let chunk = std::thread::spawn(move || reader.next_chunk()).join().unwrap()?;
/// assert_eq!(chunk.unwrap().rows.len(), 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Reader {
    source: Source,
    chunks: Box<dyn Chunks>,
    coordinates: Vec<String>,
    left_out: Vec<LeftOut>,
    notes: Vec<String>,
    /// Which of all columns are read as numbers.
    read: Vec<usize>,
    most: usize,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reader({}, {:?})", self.source, self.coordinates)
    }
}

impl Reader {
    /// Opens a table, and finds its columns.
    ///
    /// ```
    /// use modeseek::data::{Carry, ReadOptions, Reader, Source};
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("points.csv");
    /// std::fs::write(&path, "x,y\n1,2\n")?;
    /// let options = ReadOptions { coordinates: vec!["z".to_owned()], ..ReadOptions::default() };
    /// // There is no column z.
    /// assert!(Reader::open(&Source::new(&path, None)?, &options, Carry::Nothing).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// What [`DataError`] has: of the file, its format, its columns.
    pub fn open(source: &Source, options: &ReadOptions, carry: Carry) -> Result<Self, DataError> {
        macro_rules! opened {
            ($table:expr) => {{
                let table = $table?;
                let name = |&at: &usize| table.names()[at].clone();
                let coordinates: Vec<String> = table.chosen().coordinates.iter().map(name).collect();
                let left_out = table.chosen().left_out.clone();
                let read: Vec<usize> = table.chosen().roles().map(|(at, _)| at).collect();
                let names = table.names().len();
                (Box::new(table) as Box<dyn Chunks>, coordinates, left_out, read, names)
            }};
        }
        let (chunks, coordinates, left_out, read, all) = match source.format() {
            Format::Csv | Format::Tsv => opened!(text::Text::open(source, options, carry)),
            Format::Npy => opened!(guarded(source, || npy::Npy::open(source, options, carry))?),
            Format::Npz => match guarded(source, || npz::open(source, options, carry))?? {
                npz::Npz::Points(array) => opened!(Ok::<_, DataError>(array)),
                npz::Npz::Columns(columns) => opened!(Ok::<_, DataError>(columns)),
            },
            Format::Parquet => opened!(guarded(source, || arrow::Batches::open_parquet(source, options, carry))?),
            Format::Arrow => opened!(guarded(source, || arrow::Batches::open_arrow(source, options, carry))?),
        };
        // An array is read with all of its columns, other tables with those that are kept.
        let whole = carry != Carry::Nothing || matches!(source.format(), Format::Npy | Format::Npz);
        let most = rows_at_a_time(if whole { coordinates.len().max(all) } else { coordinates.len() });
        let unasked = if options.coordinates.is_empty() { no_positions(&coordinates) } else { None };
        let notes = chunks.notes().into_iter().chain(unasked).collect();
        Ok(Self { source: source.clone(), chunks, coordinates, left_out, notes, read, most })
    }

    /// The names of the coordinates' columns.
    ///
    /// ```
    /// # use modeseek::data::{Carry, ReadOptions, Reader, Source};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("points.csv");
    /// std::fs::write(&path, "name,x,y\na,1,2\n")?;
    /// let reader = Reader::open(&Source::new(&path, None)?, &ReadOptions::default(), Carry::Nothing)?;
    /// assert_eq!(reader.coordinates(), ["x", "y"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn coordinates(&self) -> &[String] {
        &self.coordinates
    }

    /// The columns that are no coordinates since they do not hold numbers, if no columns were named.
    ///
    /// ```
    /// # use modeseek::data::{Carry, ReadOptions, Reader, Source};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("points.csv");
    /// std::fs::write(&path, "name,x,y\na,1,2\n")?;
    /// let reader = Reader::open(&Source::new(&path, None)?, &ReadOptions::default(), Carry::Nothing)?;
    /// assert_eq!(reader.left_out()[0].column, "name");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// What was found out of the table though it might be otherwise, and the option that decides: whether the first
    /// line of a text has names, where its fields might be either; that a column of a text is no coordinate, though most
    /// of its fields are numbers; that one is a coordinate which by its name is none.
    ///
    /// ```
    /// # use modeseek::data::{Carry, ReadOptions, Reader, Source};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("years.csv");
    /// std::fs::write(&path, "km,2019,2020\n1,0.5,0.25\n")?;
    /// let source = Source::new(&path, None)?;
    /// let reader = Reader::open(&source, &ReadOptions::default(), Carry::Nothing)?;
    /// assert_eq!(reader.coordinates(), ["km", "2019", "2020"]);
    /// assert!(reader.notes()[0].contains("taken for names"));
    /// let said = ReadOptions { header: Some(true), ..ReadOptions::default() };
    /// assert!(Reader::open(&source, &said, Carry::Nothing)?.notes().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The next rows; none at the end.
    ///
    /// ```
    /// # use modeseek::data::{Carry, ReadOptions, Reader, Source};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("points.csv");
    /// std::fs::write(&path, "x,y\n1,2\n3,4\n")?;
    /// let mut reader = Reader::open(&Source::new(&path, None)?, &ReadOptions::default(), Carry::Nothing)?;
    /// let mut values = 0;
    /// while let Some(chunk) = reader.next_chunk()? {
    ///     values += chunk.rows.len();
    /// }
    /// assert_eq!(values, 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// What [`DataError`] has: of rows and values.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>, DataError> {
        self.chunks.next(&self.source, self.most)
    }
}

/// Whether columns of a table go by names, and not by where they are in an array.
///
/// # Errors
/// What [`DataError`] has for archives of arrays.
pub(crate) fn has_names(source: &Source, options: &ReadOptions) -> Result<bool, DataError> {
    match source.format() {
        Format::Npy => Ok(false),
        Format::Npz => guarded(source, || npz::has_columns(source, options))?,
        Format::Csv | Format::Tsv | Format::Parquet | Format::Arrow => Ok(true),
    }
}

/// Names of columns that number rows, that a run before this one has written, or that say what is to be found. Not y, as
/// coordinates are called too.
const NO_POSITIONS: [&str; 7] = ["id", "label", "labels", "cluster", "class", "target", "species"];

/// That nobody chose the coordinates, and some are no positions by their names.
fn no_positions(coordinates: &[String]) -> Option<String> {
    let is_none = |name: &&String| NO_POSITIONS.iter().any(|none| name.eq_ignore_ascii_case(none));
    let found: Vec<String> = coordinates.iter().filter(is_none).cloned().collect();
    let (columns, are, they) = match found.len() {
        0 => return None,
        1 => ("column", "is", "it is an id or a label"),
        _ => ("columns", "are", "they are ids or labels"),
    };
    Some(format!("{columns} {} {are} among the coordinates; if {they}, name the others in --columns", quoted(&found)))
}

/// The columns that a file has, where that is seen before its rows are read: what text holds is not, nor what a pipe brings.
///
/// # Errors
/// What [`DataError`] has for files.
pub(crate) fn schema(source: &Source) -> Result<Option<SchemaRef>, DataError> {
    match source.format() {
        Format::Parquet | Format::Arrow if source.is_file() => guarded(source, || arrow::schema(source))?.map(Some),
        _ => Ok(None),
    }
}

/// How many rows of so many columns are read at a time.
fn rows_at_a_time(columns: usize) -> usize {
    (CHUNK_VALUES / columns.max(1)).clamp(1, CHUNK)
}

/// A table as a whole.
///
/// ```
/// use modeseek::data::{Carry, ReadOptions, Source, Table};
/// use modeseek::{Bandwidth, MeanShift, Points};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("points.tsv");
/// std::fs::write(&path, "x\ty\n0\t0\n0\t1\n9\t9\n")?;
/// let table = Table::read(&Source::new(&path, None)?, &ReadOptions::default(), Carry::Nothing)?;
/// let points = Points::from_rows(&table.rows, table.names.len())?;
/// let clustering = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).fit(&points)?;
/// assert_eq!(clustering.labels, [0, 0, 1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The names of the coordinates' columns.
    pub names: Vec<String>,
    /// The columns that would be coordinates if they held numbers.
    pub left_out: Vec<LeftOut>,
    /// What might be otherwise, as [`Reader::notes`] has it.
    pub notes: Vec<String>,
    /// Coordinates, by rows.
    pub rows: Vec<f64>,
    /// The sample weight of each row, if a column has them.
    pub weights: Vec<f64>,
    /// The bandwidth of each row, if a column has them.
    pub bandwidths: Vec<f64>,
    /// All columns of the rows in parts, if they are to be written again.
    pub carried: Vec<RecordBatch>,
    /// Rows that were left out, since a value was missing.
    pub dropped: u64,
}

impl Table {
    /// Reads a table.
    ///
    /// ```
    /// # use modeseek::data::{Carry, ReadOptions, Source, Table};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("points.csv");
    /// std::fs::write(&path, "x,y\n1,2\n3,4\n")?;
    /// let table = Table::read(&Source::new(&path, None)?, &ReadOptions::default(), Carry::Nothing)?;
    /// assert_eq!(table.names, ["x", "y"]);
    /// assert_eq!(table.rows, [1.0, 2.0, 3.0, 4.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// What [`DataError`] has.
    pub fn read(source: &Source, options: &ReadOptions, carry: Carry) -> Result<Self> {
        Self::read_watched(source, options, carry, || Ok(()))
    }

    /// [`read`](Self::read), with a function that is asked after each part whether to go on.
    ///
    /// ```
    /// # use modeseek::data::{Carry, ReadOptions, Source, Table};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("points.csv");
    /// std::fs::write(&path, "x,y\n1,2\n")?;
    /// let source = Source::new(&path, None)?;
    /// let mut asked = 0;
    /// Table::read_watched(&source, &ReadOptions::default(), Carry::Nothing, || {
    ///     asked += 1;
    ///     Ok(())
    /// })?;
    /// // Once for each part of the file: here may stand a bar of progress, or a reason to stop.
    /// assert!(asked >= 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// What [`DataError`] has; whatever the function returns.
    pub fn read_watched(
        source: &Source,
        options: &ReadOptions,
        carry: Carry,
        mut go_on: impl FnMut() -> Result<()>,
    ) -> Result<Self> {
        // What text holds is known when all of it is there.
        let typed = carry == Carry::AsNumbers && source.format().is_text();
        let mut reader = Reader::open(source, options, if typed { Carry::AsTheyWere } else { carry })?;
        let (names, left_out) = (reader.coordinates().to_vec(), reader.left_out().to_vec());
        let mut table = Self { names, left_out, notes: reader.notes().to_vec(), ..Self::default() };
        let too_large = |values: usize| DataError::TooLarge { file: source.to_string(), values: values as u64 };
        let mut last = 0;
        loop {
            // The library that holds columns ends the process where there is no memory. A part is about as large as that before
            // it, and larger while it is made.
            if WHILE_MADE * last > host_memory() {
                return Err(too_large(table.rows.len()).into());
            }
            let Some(chunk) = reader.next_chunk()? else { break };
            go_on()?;
            last = chunk.bytes();
            let values = table.rows.len() + chunk.rows.len();
            table.rows.try_reserve(chunk.rows.len()).map_err(|_| too_large(values))?;
            table.rows.extend(chunk.rows);
            table.weights.extend(chunk.weights);
            table.bandwidths.extend(chunk.bandwidths);
            table.carried.extend(chunk.carried);
            table.dropped += chunk.dropped;
        }
        if typed {
            typed::typed(&mut table.carried, &reader.read, options.decimal);
        }
        match table.rows.is_empty() {
            true if table.dropped > 0 => Err(DataError::AllMissing { file: source.to_string() }.into()),
            true => Err(DataError::Empty { file: source.to_string() }.into()),
            false => Ok(table),
        }
    }

    /// Rows.
    ///
    /// ```
    /// # use modeseek::data::{Carry, ReadOptions, Source, Table};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("points.csv");
    /// std::fs::write(&path, "x,y\n1,2\n3,4\n5,6\n")?;
    /// let table = Table::read(&Source::new(&path, None)?, &ReadOptions::default(), Carry::Nothing)?;
    /// assert_eq!(table.count(), 3);
    /// assert_eq!(Table::default().count(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn count(&self) -> usize {
        self.rows.len().checked_div(self.names.len()).unwrap_or(0)
    }
}
