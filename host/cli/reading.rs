//! How files of points are read: as typed, and as those before them were.

use std::path::Path;
use std::str::FromStr;

use arrow_array::RecordBatch;
use clap::{Args, ValueEnum};

use super::bar::Bar;
use super::interrupt;
use super::typed::name;
use crate::data::{
    Carry, DataError, Decimal, Format, Missing, ReadOptions, Reader, Source, Standardization, Table, has_names, list,
};
use crate::error::{Error, Result};
use crate::mean_shift::Model;

/// How a file of points is read.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Data")]
pub struct ReadArgs {
    /// The columns of coordinates, by name or number, as x,y or '#2,#3'; all that hold numbers if not given
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub columns: Vec<String>,

    /// The format of FILE, if its extension does not say: csv, tsv, npy, npz, parquet, arrow. Standard input is csv, tsv, npy, or
    /// an Arrow stream
    #[arg(long, value_name = "FORMAT", value_parser = name::<Format>)]
    pub format: Option<Format>,

    /// What separates fields of text: a character, or tab; found out if not given
    #[arg(long, value_name = "CHAR")]
    pub delimiter: Option<Delimiter>,

    /// The mark before the decimal places of numbers in text: . or a comma; . if not given
    #[arg(long, value_name = "MARK")]
    pub decimal: Option<Mark>,

    /// Whether the first line of text has the columns' names
    #[arg(long, value_enum, default_value_t)]
    pub header: HeaderName,

    /// What to do with rows in which a value is missing
    #[arg(long, value_enum, default_value_t)]
    pub missing: MissingName,

    /// The array of an NPZ file. If not given, the only one, or all as columns if they have one axis and are as long, or
    /// that called points, X or data
    #[arg(long, value_name = "NAME")]
    pub array: Option<String>,
}

/// A delimiter, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delimiter(pub u8);

impl FromStr for Delimiter {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text.as_bytes() {
            b"tab" | b"\\t" => Ok(Self(b'\t')),
            // A quote or the end of a line separates nothing.
            &[byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(Self(byte)),
            _ => Err("give one ASCII character, or tab"),
        }
    }
}

/// A decimal mark, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(pub Decimal);

impl Mark {
    fn byte(self) -> u8 {
        match self.0 {
            Decimal::Point => b'.',
            Decimal::Comma => b',',
        }
    }
}

impl FromStr for Mark {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "." => Ok(Self(Decimal::Point)),
            "," => Ok(Self(Decimal::Comma)),
            _ => Err("give . or a comma"),
        }
    }
}

/// Names of what a first line may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum HeaderName {
    /// It has names if no field of it is a number, or one is text above a number, or the first alone is empty and above a
    /// number, or they are 0, 1, 2, ...; it is noted where that is not sure
    #[default]
    Auto,
    /// It has names
    Yes,
    /// It has values
    No,
}

/// Names of what can be done about missing values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum MissingName {
    /// Tell where the first is, and stop
    #[default]
    Error,
    /// Leave such rows out, also of the output
    Drop,
}

impl ReadArgs {
    /// Another file of points. What names the format of FILE names its format, unless its extension does.
    ///
    /// # Errors
    /// A file of unknown format.
    pub fn other(&self, file: &Path) -> Result<Source> {
        let source = Source::new(file, None).or_else(|error| match self.format {
            Some(_) => Source::new(file, self.format),
            None => Err(error),
        });
        Ok(source?)
    }

    /// A file of points, and how to read it.
    ///
    /// # Errors
    /// A file of unknown format; options that it has no use for.
    pub fn table(&self, file: &Path) -> Result<(Source, ReadOptions)> {
        let source = Source::new(file, self.format)?;
        let text = |what| Error::Conflict { what, why: "only text has that; leave it out" };
        if !source.format().is_text() && self.delimiter.is_some() {
            return Err(text("--delimiter for this format"));
        }
        if !source.format().is_text() && self.header != HeaderName::Auto {
            return Err(text("--header for this format"));
        }
        if !source.format().is_text() && self.decimal.is_some() {
            return Err(text("--decimal for this format"));
        }
        if self.decimal.is_some_and(|mark| self.delimiter == Some(Delimiter(mark.byte()))) {
            let what = "--decimal and --delimiter of one character";
            return Err(Error::Conflict { what, why: "a field would end within a number; give another --delimiter" });
        }
        if source.format() != Format::Npz && self.array.is_some() {
            return Err(Error::Conflict {
                what: "--array for this format",
                why: "only .npz files have several arrays",
            });
        }
        let options = ReadOptions {
            coordinates: self.columns.clone(),
            missing: match self.missing {
                MissingName::Error => Missing::Error,
                MissingName::Drop => Missing::Drop,
            },
            delimiter: self.delimiter.map(|delimiter| delimiter.0),
            decimal: self.decimal.map_or(Decimal::Point, |mark| mark.0),
            header: match self.header {
                HeaderName::Auto => None,
                HeaderName::Yes => Some(true),
                HeaderName::No => Some(false),
            },
            array: self.array.clone(),
            ..ReadOptions::default()
        };
        Ok((source, options))
    }
}

/// What other tables are read by: the names of the points' coordinates, and their scale.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    pub names: &'a [String],
    /// Whether the names are numbers of an array's, as x1, and so choose columns of others.
    pub of_array: bool,
    pub standardization: Option<&'a Standardization>,
}

impl<'a> Known<'a> {
    /// What a model knows of its points.
    pub fn of(model: &'a Model) -> Self {
        Self { names: model.columns(), of_array: model.of_array, standardization: model.standardization() }
    }

    /// Reads another table as that of the points was read, and brings it to their scale: its columns are those that were
    /// chosen, or else have the points' names. How far it was read is shown unless that is to be `quiet`.
    ///
    /// # Errors
    /// Whatever is wrong with the file.
    pub fn read(&self, source: &Source, options: Option<&ReadOptions>, carry: Carry, quiet: bool) -> Result<Table> {
        let (options, in_order) = self.options(source, options)?;
        let bar = Bar::of(source, quiet);
        let mut table = Table::read_watched(source, &options, carry, interrupt::check)?;
        drop(bar);
        table.notes.extend(self.note(source, in_order, &table.names));
        self.scale(&table.names, &mut table.rows);
        Ok(table)
    }

    /// The same in parts.
    ///
    /// # Errors
    /// Whatever is wrong with the file's beginning.
    pub fn read_in_parts(self, source: &Source, options: Option<&ReadOptions>, carry: Carry) -> Result<Parts<'a>> {
        let (options, in_order) = self.options(source, options)?;
        let reader = Reader::open(source, &options, carry)?;
        let names = reader.coordinates().to_vec();
        let notes = reader.notes().iter().cloned().chain(self.note(source, in_order, &names)).collect();
        Ok(Parts { known: self, reader, source: source.clone(), names, notes, dropped: 0, are_begun: false })
    }

    /// How another table is read, and whether its columns are taken in order.
    fn options(&self, source: &Source, options: Option<&ReadOptions>) -> Result<(ReadOptions, bool)> {
        let mut options = ReadOptions { weights: None, bandwidths: None, ..options.cloned().unwrap_or_default() };
        let (named, chosen) = (has_names(source, &options)?, !options.coordinates.is_empty());
        // An array has its columns in order, of which a name that is not an array's says nothing.
        let in_order =
            !named && if chosen { !options.coordinates.iter().all(|name| is_of_array(name)) } else { !self.of_array };
        if in_order {
            options.coordinates.clear();
        } else if !chosen {
            options.coordinates = self.names.to_vec();
        }
        Ok((options, in_order))
    }

    fn note(&self, source: &Source, in_order: bool, names: &[String]) -> Option<String> {
        (in_order && !self.names.is_empty() && self.names != names)
            .then(|| format!("{source} has no names: its columns are taken for {}, in order", list(self.names)))
    }

    fn scale(&self, names: &[String], rows: &mut [f64]) {
        if let Some(standardization) = self.standardization
            && names.len() == standardization.scales.len()
        {
            standardization.apply(rows);
        }
    }
}

/// Numbers of coordinates, or bytes of columns that come along, from which on rows are a part.
const VALUES_OF_PART: usize = 1 << 21;
const BYTES_OF_PART: usize = 1 << 26;

/// Another table, of which no more is held than a part.
#[derive(Debug)]
pub struct Parts<'a> {
    known: Known<'a>,
    reader: Reader,
    source: Source,
    /// The names of the coordinates.
    pub names: Vec<String>,
    pub notes: Vec<String>,
    /// Rows that were left out so far, since a value was missing.
    pub dropped: u64,
    are_begun: bool,
}

impl Parts<'_> {
    /// The next rows and their columns; none at the end. What a model needs for many points it needs for few as well: so the reader's
    /// parts are put together.
    ///
    /// # Errors
    /// Whatever is wrong with the file, among it that it has no rows at all.
    pub fn next(&mut self) -> Result<Option<(Vec<f64>, Vec<RecordBatch>)>> {
        let (mut rows, mut carried, mut bytes) = (Vec::new(), Vec::new(), 0);
        while rows.len() < VALUES_OF_PART && bytes < BYTES_OF_PART {
            let Some(chunk) = self.reader.next_chunk()? else { break };
            interrupt::check()?;
            rows.extend(chunk.rows);
            bytes += chunk.carried.as_ref().map_or(0, RecordBatch::get_array_memory_size);
            carried.extend(chunk.carried);
            self.dropped += chunk.dropped;
        }
        if rows.is_empty() {
            let file = self.source.to_string();
            return match (self.are_begun, self.dropped) {
                (true, _) => Ok(None),
                (false, 0) => Err(DataError::Empty { file }.into()),
                (false, _) => Err(DataError::AllMissing { file }.into()),
            };
        }
        self.are_begun = true;
        self.known.scale(&self.names, &mut rows);
        Ok(Some((rows, carried)))
    }
}

/// Whether a column is chosen by a number, as '#2', or by the name that an array's has, as x1.
fn is_of_array(column: &str) -> bool {
    column.strip_prefix(['#', 'x']).is_some_and(|number| number.parse::<usize>().is_ok())
}
