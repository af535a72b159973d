//! What is written beside the report: labels, centres, labels of other points.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use arrow_array::RecordBatch;
use clap::{Args, ValueEnum};

use super::input::{Data, InputArgs};
use super::interrupt;
use super::labelling::Predict;
use super::places::check_files;
use super::tables::{Values, carry_for, generated, held, write_centres, write_rows};
use crate::data::{Carry, Format, ReadOptions, Source, Target, schema};
use crate::error::{Error, Result};
use crate::files::{is_open, write_whole};
use crate::mean_shift::{Assignment, Clustering, Model};
use crate::picture;
use crate::points::ToPoints;

/// What is written.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Writes the columns of FILE and each row's label (noise: -1) to a file, in the format of its extension, or to
    /// standard output for -. An NPY file has the labels alone
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// With --output or --predict: adds the density of the points at each row
    #[arg(long)]
    pub density: bool,

    /// With --output or --predict: adds the distance of each row to every mode
    #[arg(long)]
    pub distances: bool,

    /// Keeps what was found in a file of its own kind, from which `modeseek predict` labels other points in other runs
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,

    /// Writes the clusters to a file: label, size, weight, mode, and centre
    #[arg(long, value_name = "FILE")]
    pub centres: Option<PathBuf>,

    /// Labels the points of another file too, without clustering them
    #[arg(long, value_name = "FILE", requires = "predicted")]
    pub predict: Option<PathBuf>,

    /// Where these labels go, as with --output
    #[arg(long, value_name = "FILE", requires = "predict")]
    pub predicted: Option<PathBuf>,

    /// Which mode such a point belongs to; by basin if not given
    #[arg(long, value_enum, value_name = "HOW", requires = "predict")]
    pub predict_by: Option<PredictName>,
}

/// Names of the ways to label other points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PredictName {
    /// The mode that the point climbs to
    Basin,
    /// The nearest mode
    Nearest,
}

impl From<PredictName> for Assignment {
    fn from(name: PredictName) -> Self {
        match name {
            PredictName::Basin => Self::Basin,
            PredictName::Nearest => Self::NearestMode,
        }
    }
}

/// What is written, checked.
#[derive(Clone, Debug)]
pub struct Outputs {
    labels: Option<Target>,
    centres: Option<Target>,
    save: Option<PathBuf>,
    more: More,
    predict: Option<Predict>,
}

/// What is written beside labels.
#[derive(Clone, Copy, Debug)]
pub struct More {
    pub density: bool,
    pub distances: bool,
}

/// Files that others read and write in the same run.
#[derive(Clone, Debug, Default)]
pub struct Beside<'a> {
    pub read: Vec<&'a Source>,
    pub written: Vec<&'a Path>,
}

impl OutputArgs {
    /// What was meant, for points from `input`, beside other files.
    ///
    /// # Errors
    /// Formats that are unknown or do not hold what is to be written; a file that would be written over though it is
    /// read, or twice; one of other points that cannot be read; options without effect.
    pub fn outputs(&self, input: Option<&Source>, args: &InputArgs, beside: &Beside<'_>) -> Result<Outputs> {
        if let Some(path) = &self.save {
            check_model(path)?;
        }
        let target = |path: &Option<PathBuf>| path.as_deref().map(Target::new).transpose();
        let (labels, centres) = (target(&self.output)?, target(&self.centres)?);
        let predict = match (&self.predict, &self.predicted) {
            (Some(file), Some(to)) => {
                let by = self.predict_by.unwrap_or(PredictName::Basin).into();
                Some(Predict { source: args.read.other(file)?, target: Target::new(to)?, by })
            }
            _ => None,
        };
        let more = More { density: self.density, distances: self.distances };
        let outputs = Outputs { labels, centres, save: self.save.clone(), more, predict };
        outputs.check(input, beside)?;
        Ok(outputs)
    }
}

/// Finds what is no name of a model's file: what is open already, where a report or a table may stand beside it, and what is said to be
/// another kind of file.
fn check_model(path: &Path) -> Result<()> {
    let wrong = |must| Err(Error::Option { option: "--save", value: path.display().to_string(), must });
    if path == Path::new("-") || is_open(path) {
        return wrong("the name of a file, in which nothing else stands");
    }
    if Target::new(path).is_ok() || picture::Format::of(path).is_ok() {
        return wrong("the name of a model, as points.model; -o writes a table of labels, and --plot a picture");
    }
    Ok(())
}

impl Outputs {
    fn check(&self, input: Option<&Source>, beside: &Beside<'_>) -> Result<()> {
        let conflict = |what, why| Err(Error::Conflict { what, why });
        if self.more.are_any() && self.labels.is_none() && self.predict.is_none() {
            return conflict("--density or --distances without --output", "they are columns of it");
        }
        let predicted = self.predict.as_ref().map(|predict| &predict.target);
        let tables = || self.labels.iter().chain(predicted);
        tables().try_for_each(|target| self.more.check(target))?;
        let others = || self.predict.iter().map(|predict| &predict.source).chain(beside.read.iter().copied());
        let sources = || input.into_iter().chain(others());
        let read: Vec<&Path> = sources().filter_map(Source::path).collect();
        let written = tables().chain(&self.centres).filter_map(Target::path);
        let saved = self.save.as_deref();
        let written: Vec<&Path> = written.chain(saved).chain(beside.written.iter().copied()).collect();
        check_files(&read, &written)?;
        for source in others() {
            source.check()?;
        }
        if tables().chain(&self.centres).filter(|target| target.path().is_none()).count() > 1 {
            return conflict("writing two tables to standard output", "write one of them to a file");
        }
        if sources().filter(|source| source.path().is_none()).count() > 1 {
            return conflict("reading two tables from standard input", "read one of them from a file");
        }
        Ok(())
    }

    /// Checks that files hold the columns of the tables that come back in them, where these are known before anything is read.
    ///
    /// # Errors
    /// [`DataError::Unsupported`](crate::data::DataError::Unsupported); what is wrong with a table's file.
    pub fn check_columns(&self, input: Option<&Source>) -> Result<()> {
        let others = self.predict.as_ref().map(|predict| (&predict.source, &predict.target));
        for (source, target) in input.zip(self.labels.as_ref()).into_iter().chain(others) {
            if let Some(schema) = schema(source)? {
                target.check(&schema)?;
            }
        }
        Ok(())
    }

    /// [`check_columns`](Self::check_columns), of a table that came through a pipe.
    pub fn check_read(&self, carried: &[RecordBatch]) -> Result<()> {
        match (&self.labels, carried) {
            (Some(target), [rows, ..]) => target.check(&rows.schema()),
            _ => Ok(()),
        }
    }

    /// What has to be kept of the points' table.
    pub fn carry(&self) -> Carry {
        self.labels.as_ref().map_or(Carry::Nothing, carry_for)
    }

    /// Where labels go.
    pub fn labels(&self) -> Option<&Target> {
        self.labels.as_ref()
    }

    /// Whether there is anything to write.
    pub fn are_any(&self) -> bool {
        self.labels.is_some() || self.centres.is_some() || self.save.is_some() || self.predict.is_some()
    }

    /// Whether standard output is a table's.
    pub fn takes_stdout(&self) -> bool {
        let predicted = self.predict.as_ref().map(|predict| &predict.target);
        self.labels.iter().chain(&self.centres).chain(predicted).any(|target| target.path().is_none())
    }

    /// Writes everything: where a reader of standard output has seen enough, the files all the same. What takes long is shown
    /// if there is to be a `status`.
    ///
    /// # Errors
    /// What cannot be read or written; whatever the device reports.
    pub fn write(
        &self,
        data: &Data,
        clustering: &Clustering,
        options: Option<&ReadOptions>,
        status: bool,
    ) -> Result<()> {
        let asked = self.more.are_any() || self.save.is_some() || self.predict.is_some();
        let model = asked.then(|| data.model(clustering)).transpose()?;
        if let Some(target) = &self.labels {
            as_far_as_read(target, self.write_labels(target, data, clustering, model.as_ref()))?;
        }
        if let Some(target) = &self.centres {
            as_far_as_read(target, write_centres(target, data, clustering))?;
        }
        let Some(model) = model else { return Ok(()) };
        if let Some(path) = &self.save {
            write_whole(path, |out| model.save(out))?;
        }
        if let Some(predict) = &self.predict {
            let written = predict.write(&model, self.more, options, status);
            as_far_as_read(&predict.target, written.map(drop))?;
        }
        Ok(())
    }

    fn write_labels(&self, target: &Target, data: &Data, clustering: &Clustering, model: Option<&Model>) -> Result<()> {
        let more = model.map_or(Ok(Vec::new()), |model| self.more.columns(target, &data.points, model))?;
        match &data.truth {
            Some((labels, _)) => write_rows(target, &[generated(data, labels)], &clustering.labels, &more),
            None => write_rows(target, &data.table.carried, &clustering.labels, &more),
        }
    }
}

impl More {
    /// Whether there is anything.
    pub fn are_any(self) -> bool {
        self.density || self.distances
    }

    /// Whether a table has room for it.
    ///
    /// # Errors
    /// [`Error::Conflict`].
    pub fn check(self, target: &Target) -> Result<()> {
        if self.are_any() && target.format() == Format::Npy {
            let why = "it has labels alone; write .npz or .csv";
            return Err(Error::Conflict { what: "--density or --distances in an NPY file", why });
        }
        Ok(())
    }

    /// The columns that were asked for beside labels.
    ///
    /// # Errors
    /// A density that f64 does not hold; whatever the device reports.
    pub fn columns(self, target: &Target, points: &impl ToPoints, model: &Model) -> Result<Vec<(String, Values)>> {
        let mut columns = Vec::new();
        if self.density {
            interrupt::check()?;
            let mut density = model.density(points)?;
            if let Some(standardization) = model.standardization() {
                density.iter_mut().for_each(|density| *density = standardization.density(*density));
                if density.iter().any(|density| density.is_infinite()) {
                    let (what, why) =
                        ("a density", "where f64 does not hold it: in units in which the columns extend so little");
                    return Err(Error::Undefined { what, why });
                }
            }
            columns.push(("density".to_owned(), Values::All(density)));
        }
        if self.distances {
            interrupt::check()?;
            let distances = Rc::new(model.distances(points, |m, k| held(target, m, k) * 8)?);
            let column = |mode| (format!("distance_{mode}"), Values::Distances(distances.clone(), mode));
            columns.extend((0..model.modes().len()).map(column));
        }
        Ok(columns)
    }
}

/// Whether whoever read a table on standard output is gone, who has seen enough.
pub fn is_unread(target: &Target, error: &Error) -> bool {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    target.path().is_none() && matches!(error, Error::Output(error) if gone(error))
}

/// That a table was written, or as much of it as anybody read.
pub fn as_far_as_read(target: &Target, written: Result<()>) -> Result<()> {
    written.or_else(|error| if is_unread(target, &error) { Ok(()) } else { Err(error) })
}
