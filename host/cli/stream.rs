//! Points of a file that is read twice in parts: once for a field of their density, once for their labels.
//!
//! Memory is the field's and a part's, whatever the number of points. Modes and labels are those of the standard form:
//! each point's is the mode that it climbs to.

use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, Int32Array, RecordBatch};

use super::args::Args;
use super::bar::Bar;
use super::estimator::{DistanceName, FormName, KernelName, MergingName, MethodName, SeedingName};
use super::input::Input;
use super::interrupt;
use super::outputs::{Outputs, is_unread};
use super::report::{Cluster, Seconds, Streamed};
use crate::data::{
    Carry, Chunk, Column, DataError, Format, LeftOut, ReadOptions, Reader, Sink, Source, Target, with_columns,
};
use crate::error::{Error, Result};
use crate::executor::{Counts, Device};
use crate::mean_shift::{Bandwidth, DensityField, FieldModes, MeanShift, Path};
use crate::points::Points;

/// What became of a file's points.
pub struct Done {
    pub columns: Vec<String>,
    pub left_out: Vec<LeftOut>,
    pub notes: Vec<String>,
    pub dropped: u64,
    pub told: Streamed,
}

/// Whether points can be read in parts with these options.
///
/// # Errors
/// [`Error::Conflict`]; a file that is not there.
pub fn check(input: &Input, args: &Args) -> Result<()> {
    let Args { input: data, estimator, output, .. } = args;
    let Input::Table { source, .. } = input else {
        let (what, why) = ("--stream without a file", "it is a file that is read in parts; give one");
        return Err(Error::Conflict { what, why });
    };
    if !source.is_file() {
        source.check()?;
    }
    if let Some(path) = &output.output {
        check_parts(&Target::new(path)?)?;
    }
    let after_all = "it is known only when all points are there; leave out --stream";
    for (present, what, why) in [
        (!source.is_file(), "--stream of what is no file", "it is read twice; write it to a file first"),
        (data.standardize.is_some(), "--stream with --standardize", after_all),
        (output.density, "--stream with --density", "it is computed from all points; leave out --stream"),
        (output.distances, "--stream with --distances", "it is computed for all points; leave out --stream"),
        (
            output.save.is_some(),
            "--stream with --save",
            "it keeps all points, which are never there at once; leave one of them out",
        ),
        (output.predict.is_some(), "--stream with --predict", "give the points as FILE; leave out --stream"),
        (
            output.centres.is_some(),
            "--stream with --centres",
            "a field has no centres of points; --report has its modes",
        ),
        (
            estimator.form == FormName::Blurring,
            "--stream with --form blurring",
            "queries climb a field that stays, as in the standard form; leave it out",
        ),
        (estimator.seeds_file.is_some(), "--stream with --seeds-file", "queries start from the field; leave it out"),
        (
            estimator.seeding != SeedingName::EveryPoint,
            "--stream with --seeding",
            "queries start from the field; leave it out",
        ),
        (
            estimator.merging == MergingName::Densest,
            "--stream with --merging densest",
            "a field has modes of its own; leave it out",
        ),
        (
            !matches!(estimator.method, MethodName::Auto | MethodName::Field),
            "--stream with --method",
            "it is by a field always; leave it out",
        ),
        (estimator.assign.is_some(), "--stream with --assign", "labels are by basin; leave it out"),
        (estimator.reach.is_some(), "--stream with --reach", "labels are by basin; leave it out"),
        (estimator.min_size != 1, "--stream with --min-size", after_all),
        (
            args.progress,
            "--stream with --progress",
            "queries climb a field at once, and not an iteration at a time; leave it out",
        ),
        (
            estimator.kernel != KernelName::Gaussian,
            "--stream without --kernel gaussian",
            "it is by a binned field, which needs the one weight that is a product over dimensions and smooth",
        ),
        (
            estimator.distance != DistanceName::L2,
            "--stream without --distance l2",
            "it is by a binned field, which needs that distance",
        ),
        (
            estimator.relaxation != 1.0,
            "--stream with --relaxation",
            "queries that overshoot may leave the field's grid; leave it out",
        ),
        (estimator.accuracy.0 == 0.0, "--stream with --accuracy exact", "a binned field is approximate; leave it out"),
        (
            !matches!(estimator.bandwidth(true), Bandwidth::Fixed(_) | Bandwidth::PerDimension(_)),
            "--stream without a bandwidth",
            "it cannot be estimated from a part; give --bandwidth H",
        ),
    ] {
        if present {
            return Err(Error::Conflict { what, why });
        }
    }
    Ok(())
}

/// Whether a table can be written in parts.
///
/// # Errors
/// [`Error::Conflict`].
pub fn check_parts(target: &Target) -> Result<()> {
    if matches!(target.format(), Format::Npy | Format::Npz) {
        let why = "they hold all rows at once; write .csv, .parquet or .arrow";
        return Err(Error::Conflict { what: "--stream into numpy's formats", why });
    }
    Ok(())
}

/// Clusters a file's points in two passes.
///
/// # Errors
/// What is wrong with the file, among it that it changed between the passes: then nothing is written; whatever the
/// device reports.
pub fn run(
    estimator: &MeanShift,
    device: &Device,
    source: &Source,
    options: &ReadOptions,
    outputs: &Outputs,
    (open, quiet, reported): (Duration, bool, bool),
) -> Result<Done> {
    let before = device.counts();
    let mut seconds = Seconds { open_device: open.as_secs_f64(), ..Seconds::default() };
    let start = Instant::now();
    let mut first = Pass::default();
    let bar = Bar::of(source, quiet);
    let mut reader = Reader::open(source, options, Carry::Nothing)?;
    let (columns, left_out, notes) =
        (reader.coordinates().to_vec(), reader.left_out().to_vec(), reader.notes().to_vec());
    let (mut field, mut scale): (Option<DensityField>, _) = (None, WeightScale::default());
    while let Some(chunk) = reader.next_chunk()? {
        interrupt::check()?;
        first.add(&chunk, columns.len());
        if chunk.rows.is_empty() {
            continue;
        }
        let field = match &mut field {
            Some(field) => field,
            // About the middle of its first part: coordinates lose nothing by being far from the origin.
            None => {
                let centre = Points::from_rows(&chunk.rows, columns.len())?.centre().to_vec();
                field.insert(estimator.field_about(&centre)?)
            }
        };
        field.add_weighted(&chunk.rows, &scale.scaled(&chunk.weights, field.points(), (source, options))?)?;
    }
    drop(bar);
    let Some(field) = field else {
        let file = source.to_string();
        return Err(if first.dropped > 0 { DataError::AllMissing { file } } else { DataError::Empty { file } }.into());
    };
    if options.weights.is_some() && field.weight() == 0.0 {
        let (what, points) = ("all sample weights are 0".to_owned(), field.points() as usize);
        return Err(Error::SampleWeights { what, points });
    }
    seconds.read = start.elapsed().as_secs_f64();

    let start = Instant::now();
    let modes = field.modes()?;
    seconds.iterate = start.elapsed().as_secs_f64();

    let start = Instant::now();
    let second = Second { modes: &modes, source, options, first: &first, quiet, reported };
    let Sizes { sizes, weights, noise } = second.label(outputs)?;
    seconds.label = start.elapsed().as_secs_f64();

    let Counts { launches, uploads, downloads } = device.counts();
    let counts = Counts {
        launches: launches - before.launches,
        uploads: uploads - before.uploads,
        downloads: downloads - before.downloads,
    };
    // Nodes may climb to a mode to which no point does. Such weigh least, but labels that are written are not made others.
    let found = sizes.iter().rposition(|&size| size > 0).map_or(0, |last| last + 1);
    let clusters = modes.modes.iter().zip(sizes.into_iter().zip(weights)).take(found).map(|(mode, (size, weight))| {
        Cluster { size, weight, mode: mode.position.clone(), centre: None, centroid: None, distance: None }
    });
    let told = Streamed {
        points: first.rows,
        noise,
        bandwidths: field.bandwidths().to_vec(),
        queries: modes.queries,
        converged: modes.converged,
        path: Path::of_stream(field.error_bound(), field.nodes()),
        clusters: clusters.collect(),
        seconds,
        counts,
    };
    Ok(Done { columns, left_out, notes, dropped: first.dropped, told })
}

/// A field keeps weights to a fixed part of 1, and only their ratios matter: they are over a power of two at which the largest
/// of the first part that has any is about 1.
#[derive(Default)]
struct WeightScale(Option<f64>);

impl WeightScale {
    /// How many times as large as those of the first part others may be: as many as a field takes.
    const MOST: f64 = (1_u64 << 19) as f64;

    /// The weights of a part, behind so many points.
    fn scaled(&mut self, weights: &[f64], before: u64, (source, options): (&Source, &ReadOptions)) -> Result<Vec<f64>> {
        let (at, value) = weights.iter().copied().enumerate().fold((0, 0.0), |a, b| if b.1 > a.1 { b } else { a });
        if self.0.is_none() && value > 0.0 {
            self.0 = Some(value.log2().floor().min(1023.0).exp2());
        }
        let unit = self.0.unwrap_or(1.0);
        if value / unit > Self::MOST {
            let (file, at) = (source.to_string(), format!("point {} (from 0)", before + at as u64));
            let (column, what) = (
                options.weights.clone().unwrap_or_default(),
                "what --stream takes: 524288 times the largest weight of the first part at most",
            );
            return Err(DataError::Unfit { file, at, column, value, what }.into());
        }
        Ok(weights.iter().map(|weight| weight / unit).collect())
    }
}

/// What was read in one pass.
#[derive(Default)]
struct Pass {
    rows: u64,
    dropped: u64,
    values: DefaultHasher,
}

impl Pass {
    fn add(&mut self, chunk: &Chunk, d: usize) {
        self.rows += (chunk.rows.len() / d) as u64;
        self.dropped += chunk.dropped;
        // Value by value: how a pass is cut into parts does not count.
        chunk.rows.iter().chain(&chunk.weights).for_each(|value| self.values.write_u64(value.to_bits()));
    }
}

/// What labels were counted.
struct Sizes {
    /// Points of each mode.
    sizes: Vec<u64>,
    /// And their weight.
    weights: Vec<f64>,
    /// Points of none.
    noise: u64,
}

/// The second pass.
struct Second<'a> {
    modes: &'a FieldModes,
    source: &'a Source,
    options: &'a ReadOptions,
    first: &'a Pass,
    quiet: bool,
    /// Whether a file has the report.
    reported: bool,
}

impl Second<'_> {
    /// Labels every point, and writes them if that is wanted.
    fn label(&self, outputs: &Outputs) -> Result<Sizes> {
        let Some(target) = outputs.labels() else { return self.pass(Carry::Nothing, None) };
        let mut reader = Reader::open(self.source, self.options, outputs.carry())?;
        // The columns of the result are those of its first rows.
        let first = reader.next_chunk()?.ok_or_else(|| self.changed("there are none".to_owned()))?;
        let rows = first.carried.as_ref().map(|rows| rows.slice(0, 0));
        let schema = labelled(rows.as_ref(), &[]).schema();
        let written = target.write(&schema, |sink| self.pass(outputs.carry(), Some(sink)));
        // A file of the report counts all points, though nobody reads on where their labels go.
        match written {
            Err(error) if self.reported && is_unread(target, &error) => self.pass(Carry::Nothing, None),
            written => written,
        }
    }

    fn pass(&self, carry: Carry, mut sink: Option<&mut dyn Sink>) -> Result<Sizes> {
        let modes = self.modes.modes.len();
        let (mut sizes, mut weights, mut noise) = (vec![0; modes], vec![0.0; modes], 0);
        let mut pass = Pass::default();
        let _bar = Bar::of(self.source, self.quiet);
        let mut reader = Reader::open(self.source, self.options, carry)?;
        let d = reader.coordinates().len();
        while let Some(chunk) = reader.next_chunk()? {
            interrupt::check()?;
            pass.add(&chunk, d);
            if pass.rows > self.first.rows {
                return Err(self.changed("more".to_owned()));
            }
            let labels = self.modes.predict(&chunk.rows)?;
            for (at, &label) in labels.iter().enumerate() {
                match usize::try_from(label) {
                    Ok(label) => {
                        sizes[label] += 1;
                        weights[label] += chunk.weights.get(at).copied().unwrap_or(1.0);
                    }
                    Err(_) => noise += 1,
                }
            }
            if let (Some(sink), Some(rows)) = (&mut sink, &chunk.carried) {
                sink.write(&labelled(Some(rows), &labels))?;
            }
        }
        if pass.rows != self.first.rows {
            return Err(self.changed(pass.rows.to_string()));
        }
        if pass.values.finish() != self.first.values.finish() {
            return Err(self.changed("as many with other values".to_owned()));
        }
        Ok(Sizes { sizes, weights, noise })
    }

    fn changed(&self, is: String) -> Error {
        DataError::Changed { file: self.source.to_string(), was: self.first.rows, is }.into()
    }
}

fn labelled(rows: Option<&RecordBatch>, labels: &[i32]) -> RecordBatch {
    let column: Column = ("label".to_owned(), Arc::new(Int32Array::from(labels.to_vec())) as ArrayRef);
    with_columns(rows, vec![column])
}
