//! `modeseek predict`: labels of other points, by what an earlier run found.

use std::fs::File;
use std::io::{self, Read, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::labelling::{Labelled, Predict};
use super::outputs::{More, PredictName, as_far_as_read};
use super::places::check_files;
use super::reading::ReadArgs;
use super::stream::check_parts;
use super::terminal::line;
use super::typed::{count, name};
use crate::bytes::Bytes;
use crate::data::{DataError, Target, list, schema};
use crate::error::{Error, Result};
use crate::executor::{CpuOptions, Device, DeviceChoice, host_memory};
use crate::mean_shift::Model;
use crate::picture::numbers;

/// Labels the points of a file by a model that an earlier run kept with --save, without clustering anything.
#[derive(Clone, Debug, Args)]
#[command(mut_arg("columns", |columns| {
    columns.help("The columns of coordinates, by name or number, as x,y or '#2,#3'; those of the model if not given, and in its order where they are the same")
}))]
pub struct PredictArgs {
    /// The file that --save wrote, or - for standard input
    #[arg(value_name = "MODEL")]
    pub model: PathBuf,

    /// Points to label: a file of any format that points are read from, or - for standard input. Its columns go by the names of those that
    /// were clustered, unless --columns says others; an array without names has them in order
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// How it is read
    #[command(flatten)]
    pub read: ReadArgs,

    /// Writes the columns of FILE and each row's label (of no mode: -1) to a file, in the format of its extension, or to
    /// standard output for -. An NPY file has the labels alone
    #[arg(short, long, value_name = "OUTPUT", help_heading = "Output")]
    pub output: PathBuf,

    /// Which mode a point belongs to
    #[arg(long, value_enum, value_name = "HOW", default_value = "basin", help_heading = "Labels")]
    pub by: PredictName,

    /// Adds the density of the clustered points at each row
    #[arg(long, help_heading = "Output")]
    pub density: bool,

    /// Adds the distance of each row to every mode
    #[arg(long, help_heading = "Output")]
    pub distances: bool,

    /// Reads FILE in parts instead of holding it, for files larger than memory, and pipes. Labels are those of the whole, to rounding. NPY
    /// and NPZ cannot be written so
    #[arg(long, help_heading = "Data")]
    pub stream: bool,

    /// Tells nothing but errors
    #[arg(short, long, conflicts_with = "json", help_heading = "Output")]
    pub quiet: bool,

    /// Tells what was done as one line of JSON
    #[arg(long, help_heading = "Output")]
    pub json: bool,

    /// auto, cpu, cuda, cuda:N or interpreter
    #[arg(long, value_name = "DEVICE", value_parser = name::<DeviceChoice>, default_value = "auto", help_heading = "Execution")]
    pub device: DeviceChoice,

    /// Processor threads; one for each core if not given. Results do not depend on it
    #[arg(long, value_name = "W", value_parser = count::<NonZero<usize>>, help_heading = "Execution")]
    pub threads: Option<NonZero<usize>>,
}

impl PredictArgs {
    /// Does what was typed, and tells what became of the points: on standard error if standard output is a table's.
    ///
    /// # Errors
    /// Whatever goes wrong on the way.
    pub fn run(&self, out: &mut dyn Write) -> Result<()> {
        let (source, mut options) = self.read.table(&self.file)?;
        let target = Target::new(&self.output)?;
        let more = More { density: self.density, distances: self.distances };
        more.check(&target)?;
        if self.stream {
            check_parts(&target)?;
        }
        let piped = self.model == Path::new("-");
        if piped && source.path().is_none() {
            let what = "reading a model and a table from standard input";
            return Err(Error::Conflict { what, why: "read one of them from a file" });
        }
        let read: Vec<&Path> = [(!piped).then_some(&*self.model), source.path()].into_iter().flatten().collect();
        check_files(&read, target.path().as_slice())?;
        source.check()?;
        let file: Box<dyn Read> = match piped {
            true => Box::new(io::stdin().lock()),
            false => Box::new(File::open(&self.model).map_err(|cause| self.unread(cause))?),
        };
        if let Some(schema) = schema(&source)? {
            target.check(&schema)?;
        }
        let device = self.device.open(CpuOptions { workers: self.threads, machine: None })?;
        let model = Model::load(&device, file).map_err(|error| self.named(error))?;
        if self.density {
            model.check_density()?;
        }
        // The model's own columns have an order, in whichever they are named.
        if sorted(&options.coordinates) == sorted(model.columns()) {
            options.coordinates = model.columns().to_vec();
        }
        let of_file = source.to_string();
        let predict = Predict { source, target, by: self.by.into() };
        let mut read = None;
        let written = if self.stream {
            predict.write_in_parts(&model, more, Some(&options), !self.quiet)
        } else {
            predict.write(&model, more, Some(&options), !self.quiet)
        };
        as_far_as_read(&predict.target, written.map_err(undivided).map(|found| read = Some(found)))?;
        if self.quiet {
            return Ok(());
        }
        // Whoever read the table on standard output may have seen enough.
        let Some(labelled) = read else { return Ok(()) };
        let told = Told::of((&device, &model), &self.model, of_file, labelled);
        let out: &mut dyn Write = if predict.target.path().is_none() { &mut io::stderr().lock() } else { out };
        if self.json { told.write_json(out) } else { told.write(out) }.map_err(Error::Output)
    }

    fn unread(&self, cause: io::Error) -> Error {
        Error::ReadFile { path: self.model.clone(), cause }
    }

    /// An error of the model, with its file's name.
    fn named(&self, error: Error) -> Error {
        match error {
            Error::UnreadableSaved { what, why, .. } => {
                Error::UnreadableSaved { file: Some(self.model.clone()), what, why }
            }
            Error::ReadSaved { cause, .. } => self.unread(cause),
            other => other,
        }
    }
}

fn sorted(names: &[String]) -> Vec<&String> {
    let mut names: Vec<_> = names.iter().collect();
    names.sort();
    names
}

/// An error of a table that is too large, with what can be done about it here.
fn undivided(error: Error) -> Error {
    match error {
        Error::Data(DataError::TooLarge { file, values }) => Error::Memory {
            device: "the host".to_owned(),
            what: format!("the rows of {file}"),
            needed: Bytes(u128::from(values) * 8),
            available: Bytes(host_memory() as u128),
            advice: "read them in parts, with --stream",
        },
        other => other,
    }
}

/// What became of the points.
#[derive(Serialize)]
struct Told {
    version: &'static str,
    device: String,
    /// The model's file.
    model: String,
    source: String,
    /// The names of the coordinates that were read.
    columns: Vec<String>,
    points: u64,
    /// Rows that were left out, since a value was missing.
    dropped: u64,
    /// Points of the fit.
    fitted: usize,
    dimensions: usize,
    bandwidth: f64,
    bandwidth_per_dimension: Option<Vec<f64>>,
    /// How many of the points belong to each cluster.
    sizes: Vec<u64>,
    /// And how many to none.
    noise: u64,
    notes: Vec<String>,
}

impl Told {
    fn of((device, model): (&Device, &Model), file: &Path, source: String, labelled: Labelled) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            device: device.describe(),
            model: file.display().to_string(),
            source,
            points: labelled.points(),
            columns: labelled.names,
            dropped: labelled.dropped,
            fitted: model.points(),
            dimensions: model.dimensions(),
            bandwidth: model.bandwidth(),
            bandwidth_per_dimension: model.bandwidth_per_dimension().map(<[f64]>::to_vec),
            sizes: labelled.sizes,
            noise: labelled.noise,
            notes: labelled.notes,
        }
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        writeln!(out)
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let count = |number: usize, what| numbers::count(number, what);
        let (fitted, dimensions) = (count(self.fitted, "point"), count(self.dimensions, "dimension"));
        let clusters = count(self.sizes.len(), "cluster");
        let of = format!("{fitted}, {dimensions}, {clusters}, bandwidth {}", numbers::short(self.bandwidth));
        writeln!(out, "model       {}", line(&format!("{of}: {}", self.model)))?;
        let dropped = match self.dropped {
            0 => String::new(),
            some => format!("; {} left out, with missing values", numbers::count(some, "row")),
        };
        let source =
            format!("{} ({}) of {}{dropped}", numbers::count(self.points, "point"), list(&self.columns), self.source);
        writeln!(out, "data        {}", line(&source))?;
        for note in &self.notes {
            writeln!(out, "note        {}", line(note))?;
        }
        let taken = self.sizes.iter().filter(|&&size| size > 0).count();
        let all = self.sizes.len();
        let noise = match self.noise {
            0 => String::new(),
            some => format!("; none for {}", numbers::count(some, "point")),
        };
        writeln!(out, "labels      {taken} of {}{noise}", count(all, "cluster"))
    }
}
