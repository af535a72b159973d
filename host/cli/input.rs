//! Which points: those of a file, or generated ones.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueEnum};
use nalgebra::DMatrix;

use super::bar::Bar;
use super::interrupt;
use super::typed::{count, name, seed};
use crate::data::{
    Blobs, Carry, Decimal, Format, LabelledPoints, Missing, ReadOptions, Shape, Source, Standard, Standardization,
    Table, has_names, list, reserve,
};
use crate::error::{Error, Result};
use crate::mean_shift::{Clustering, Model};
use crate::points::Points;

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

/// Which points.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Data")]
pub struct InputArgs {
    /// Points to cluster: a file of .csv, .txt, .tsv, .tab (these also .gz or .zst), .npy, .npz, .parquet, .pq, .arrow,
    /// .feather, .ipc or .arrows, or - for standard input. Without one, points are generated
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// How it is read
    #[command(flatten)]
    pub read: ReadArgs,

    /// The column of sample weights
    #[arg(long, value_name = "COLUMN")]
    pub weights: Option<String>,

    /// Brings columns to one scale before, and results back after; bandwidths are of that scale
    #[arg(long, value_enum, value_name = "HOW")]
    pub standardize: Option<StandardName>,

    /// How many points to generate
    #[arg(long, value_name = "N", value_parser = count::<usize>, allow_negative_numbers = true, default_value_t = 1500, conflicts_with = "file")]
    pub points: usize,

    /// The shape of what is generated
    #[arg(long, value_enum, default_value_t, conflicts_with = "file")]
    pub shape: ShapeName,

    /// How many clusters to generate; mean shift is not told. 6 if not given, 2 moons, 3 rings
    #[arg(long, value_name = "K", value_parser = count::<usize>, allow_negative_numbers = true, conflicts_with = "file")]
    pub clusters: Option<usize>,

    /// Coordinates of a generated point
    #[arg(long, value_name = "D", value_parser = count::<usize>, allow_negative_numbers = true, default_value_t = 2, conflicts_with = "file")]
    pub dim: usize,

    /// Seed of the random numbers: the same seed gives the same points, and the same random seeds, everywhere
    #[arg(long, value_name = "SEED", value_parser = seed, default_value_t = 14)]
    pub seed: u64,
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

/// Names of shapes of generated points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ShapeName {
    /// Round Gaussian clusters
    #[default]
    Blobs,
    /// Gaussian clusters that are each stretched another way
    Stretched,
    /// Half circles that interlock
    Moons,
    /// Circles about one centre
    Rings,
    /// Uniform noise, without clusters
    Uniform,
}

/// Names of scales.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StandardName {
    /// Mean 0, standard deviation 1
    Zscore,
    /// From 0 to 1
    Minmax,
}

/// Which points.
#[derive(Clone, Debug)]
pub enum Input {
    /// Generated ones.
    Synthetic(Blobs, Shape),
    /// Those of a table.
    Table {
        /// Which.
        source: Source,
        /// How to read it.
        options: ReadOptions,
        /// To which scale columns are brought.
        standard: Option<Standard>,
    },
}

/// Points that were read or made, and what is known of them.
#[derive(Debug)]
pub struct Data {
    /// The points, in the scale in which they are clustered.
    pub points: Points,
    /// The names of their coordinates.
    pub names: Vec<String>,
    /// Whether these are numbers of an array's columns, as x1.
    pub of_array: bool,
    /// The table that they come from, without its coordinates; empty for generated ones.
    pub table: Table,
    /// The scale.
    pub standardization: Option<Standardization>,
    /// The true labels and centroids of generated ones.
    pub truth: Option<(Vec<u32>, DMatrix<f64>)>,
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

impl InputArgs {
    /// What was meant.
    ///
    /// # Errors
    /// A file of unknown format; sizes that make no sense.
    pub fn input(&self, bandwidths: Option<&str>) -> Result<Input> {
        match &self.file {
            None => {
                self.check_without_file(bandwidths)?;
                let (shape, most) = match self.shape {
                    ShapeName::Blobs => (Shape::Blobs, 6),
                    ShapeName::Stretched => (Shape::Stretched, 6),
                    ShapeName::Moons => (Shape::Moons, 2),
                    ShapeName::Rings => (Shape::Rings, 3),
                    ShapeName::Uniform => (Shape::Uniform, 1),
                };
                let clusters = self.clusters.unwrap_or(most);
                let blobs = Blobs { points: self.points, clusters, dimensions: self.dim, seed: self.seed };
                shape.check(&blobs)?;
                Ok(Input::Synthetic(blobs, shape))
            }
            Some(file) => {
                let (source, options) = self.read.table(file)?;
                let (weights, bandwidths) = (self.weights.clone(), bandwidths.map(str::to_owned));
                let options = ReadOptions { weights, bandwidths, ..options };
                let standard = self.standardize.map(|name| match name {
                    StandardName::Zscore => Standard::ZScore,
                    StandardName::Minmax => Standard::MinMax,
                });
                Ok(Input::Table { source, options, standard })
            }
        }
    }

    /// Finds an option of files: beside those of generated points, which exclude a file, clap does not ask for one.
    fn check_without_file(&self, bandwidths: Option<&str>) -> Result<()> {
        let no_columns = "generated points have no columns; give a file";
        let no_file = "it says how one is read; give a file";
        for (present, what, why) in [
            (bandwidths.is_some(), "--bandwidth column:NAME without a file", no_columns),
            (!self.read.columns.is_empty(), "--columns without a file", no_columns),
            (self.weights.is_some(), "--weights without a file", no_columns),
            (self.read.format.is_some(), "--format without a file", no_file),
            (self.read.delimiter.is_some(), "--delimiter without a file", no_file),
            (self.read.decimal.is_some(), "--decimal without a file", no_file),
            (self.read.header != HeaderName::Auto, "--header without a file", no_file),
            (self.read.missing != MissingName::Error, "--missing without a file", no_file),
            (self.read.array.is_some(), "--array without a file", no_file),
            (
                self.standardize.is_some(),
                "--standardize without a file",
                "generated points have one scale; give a file",
            ),
        ] {
            if present {
                return Err(Error::Conflict { what, why });
            }
        }
        Ok(())
    }
}

impl Input {
    /// Reads or makes the points, and keeps of the table's columns what `carry` says. How far a file was read is shown
    /// unless that is to be `quiet`.
    ///
    /// # Errors
    /// Whatever is wrong with the file; too little memory.
    pub fn data(&self, carry: Carry, quiet: bool) -> Result<Data> {
        match self {
            Self::Synthetic(blobs, shape) => {
                // Before any are made.
                reserve(blobs, bytes_of(blobs))?;
                let LabelledPoints { rows, labels, centroids } = shape.generate(blobs)?;
                let points = Points::from_rows(&rows, blobs.dimensions)?;
                let names = (0..blobs.dimensions).map(|c| format!("x{c}")).collect();
                let truth = Some((labels, centroids));
                let of_array = true;
                Ok(Data { points, names, of_array, table: Table::default(), standardization: None, truth })
            }
            Self::Table { source, options, standard } => {
                let bar = Bar::of(source, quiet);
                let mut table = Table::read_watched(source, options, carry, interrupt::check)?;
                drop(bar);
                let mut rows = std::mem::take(&mut table.rows);
                let d = table.names.len();
                let standardization =
                    standard.map(|standard| Standardization::weighted(standard, &rows, &table.weights, d));
                if let Some(standardization) = &standardization {
                    standardization.apply(&mut rows);
                }
                let points = Points::from_rows(&rows, d)?;
                let (names, of_array) = (table.names.clone(), !has_names(source, options)?);
                Ok(Data { points, names, of_array, table, standardization, truth: None })
            }
        }
    }
}

impl Data {
    /// What another table needs to be read as that of the points was.
    pub fn known(&self) -> Known<'_> {
        // In the run itself columns that were chosen are known as such.
        Known { names: &self.names, of_array: false, standardization: self.standardization.as_ref() }
    }

    /// What was found, with the names and the scale of the points' columns.
    ///
    /// # Errors
    /// None, of points that are the table's.
    pub fn model(&self, clustering: &Clustering) -> Result<Model> {
        let mut model = clustering.model().with_columns(self.names.clone())?;
        model.of_array = self.of_array;
        match &self.standardization {
            Some(standardization) => model.with_standardization(standardization.clone()),
            None => Ok(model),
        }
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

impl Known<'_> {
    /// Reads another table as that of the points was read, and brings it to their scale: its columns are those that were
    /// chosen, or else have the points' names. How far it was read is shown unless that is to be `quiet`.
    ///
    /// # Errors
    /// Whatever is wrong with the file.
    pub fn read(&self, source: &Source, options: Option<&ReadOptions>, carry: Carry, quiet: bool) -> Result<Table> {
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
        let bar = Bar::of(source, quiet);
        let mut table = Table::read_watched(source, &options, carry, interrupt::check)?;
        drop(bar);
        if in_order && !self.names.is_empty() && self.names != table.names {
            table
                .notes
                .push(format!("{source} has no names: its columns are taken for {}, in order", list(self.names)));
        }
        if let Some(standardization) = self.standardization
            && table.names.len() == standardization.scales.len()
        {
            standardization.apply(&mut table.rows);
        }
        Ok(table)
    }
}

/// Whether a column is chosen by a number, as '#2', or by the name that an array's has, as x1.
fn is_of_array(column: &str) -> bool {
    column.strip_prefix(['#', 'x']).is_some_and(|number| number.parse::<usize>().is_ok())
}

/// Bytes of generated points: the rows twice (as generated, and centred), the true labels and the found ones.
fn bytes_of(blobs: &Blobs) -> u128 {
    let (n, d) = (blobs.points as u128, blobs.dimensions as u128);
    n.saturating_mul((2 * d + 2) * 4)
}
