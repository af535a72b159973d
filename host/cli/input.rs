//! Which points: those of a file, or generated ones.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use nalgebra::DMatrix;

use super::bar::Bar;
use super::interrupt;
use super::reading::{HeaderName, Known, MissingName, ReadArgs};
use super::typed::{count, seed};
use crate::data::{
    Blobs, Carry, LabelledPoints, ReadOptions, Shape, Source, Standard, Standardization, Table, has_names, reserve,
};
use crate::error::{Error, Result};
use crate::mean_shift::{Clustering, Model};
use crate::points::Points;

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

/// Bytes of generated points: the rows twice (as generated, and centred), the true labels and the found ones.
fn bytes_of(blobs: &Blobs) -> u128 {
    let (n, d) = (blobs.points as u128, blobs.dimensions as u128);
    n.saturating_mul((2 * d + 2) * 4)
}
