//! What was meant, and doing it.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use nalgebra::DMatrixView;

use super::args::Args;
use super::bar::Status;
use super::input::{Data, Input};
use super::interrupt;
use super::outputs::{Beside, Outputs};
use super::pictures::PictureArgs;
use super::report::{Facts, Parameters, Report};
use super::{say, scales, stream};
use crate::agreement::adjusted_rand_index;
use crate::data::{Carry, LeftOut, ReadOptions, Source};
use crate::error::{Error, Result};
use crate::executor::{CpuOptions, Device, DeviceChoice, nvtx};
use crate::mean_shift::{Bandwidth, Clustering, Form, Iteration, MeanShift, Seeding};
use crate::points::ToPoints;

/// A clustering job: which data, which estimator, which device.
#[derive(Clone, Debug)]
pub struct Job {
    input: Input,
    seeds: Option<Source>,
    seed: u64,
    estimator: MeanShift,
    outputs: Outputs,
    pictures: PictureArgs,
    stream: bool,
    progress: bool,
    /// Whether to show what it is at: nobody else writes to standard error meanwhile.
    status: bool,
    quiet: bool,
    /// Whether a file has the report.
    reported: bool,
    device: DeviceChoice,
    cpu: CpuOptions,
    tuning: bool,
    nvtx: bool,
    parameters: Parameters,
}

impl Job {
    /// What the arguments mean.
    ///
    /// # Errors
    /// [`Error::Option`] and others for what can be seen to be senseless before anything is done.
    pub fn from_args(args: &Args, parameters: Parameters) -> Result<Self> {
        if let Some(threads) = args.threads_per_block
            && !((32..=1024).contains(&threads) && threads.is_multiple_of(32))
        {
            let (option, must) = ("--threads-per-block", "a multiple of 32 from 32 to 1024");
            return Err(Error::Option { option, value: threads.to_string(), must });
        }
        if args.report.as_deref() == Some(Path::new("-")) {
            let must = "the name of a file; say --json for the report as JSON on standard output";
            return Err(Error::Option { option: "--report", value: "-".to_owned(), must });
        }
        let input = args.input.input(args.estimator.bandwidth_column())?;
        let estimator = args.estimator.estimator(&args.input)?.threads_per_block(args.threads_per_block);
        let source = match &input {
            Input::Synthetic(blobs, _) => {
                args.estimator.bandwidth(false).check(blobs.points, blobs.dimensions, false)?;
                None
            }
            Input::Table { source, .. } => Some(source),
        };
        let seeds = args.estimator.seeds_file.as_deref().map(|file| args.input.read.other(file)).transpose()?;
        let pictures = [&args.pictures.plot, &args.pictures.animate, &args.pictures.trace];
        let written = pictures.into_iter().chain([&args.report]).filter_map(|path| path.as_deref()).collect();
        let beside = Beside { read: seeds.iter().collect(), written };
        let outputs = args.output.outputs(source, &args.input, &beside)?;
        args.pictures.check()?;
        if args.output.density {
            args.estimator.check_density()?;
        }
        if args.stream {
            stream::check(&input, args)?;
        }
        Ok(Self {
            outputs,
            pictures: args.pictures.clone(),
            seeds,
            estimator,
            input,
            seed: args.input.seed,
            stream: args.stream,
            progress: args.progress,
            status: !(args.quiet || args.progress || args.verbose),
            quiet: args.quiet,
            reported: args.report.is_some(),
            device: args.device,
            cpu: CpuOptions { workers: args.threads, machine: None },
            tuning: !args.no_tuning,
            nvtx: args.nvtx,
            parameters,
        })
    }

    /// Whether standard output is a table's, so that the report must go elsewhere.
    pub fn takes_stdout(&self) -> bool {
        self.outputs.takes_stdout()
    }

    /// Reads or generates, clusters, compares, writes.
    ///
    /// # Errors
    /// Whatever goes wrong on the way.
    pub fn run(&self) -> Result<Report> {
        let start = Instant::now();
        if self.nvtx {
            nvtx::ask()?;
        }
        self.outputs.check_columns(match &self.input {
            Input::Synthetic(..) => None,
            Input::Table { source, .. } => Some(source),
        })?;
        let device = self.device.open(self.cpu)?;
        let device = if self.tuning { device } else { device.without_tuning() };
        let open = start.elapsed();
        tracing::debug!(device = device.describe(), why = device.why(), "opened the device");
        interrupt::check()?;
        if let (true, Input::Table { source, options, .. }) = (self.stream, &self.input) {
            let estimator = self.estimator.clone().on(&device);
            let told = (open, self.quiet, self.reported);
            let streamed = stream::run(&estimator, &device, source, options, &self.outputs, told)?;
            let columns = (streamed.columns, streamed.left_out);
            let facts = self.facts(source.to_string(), columns, (streamed.dropped, streamed.notes));
            return Ok(Report::of_stream(facts, &device, streamed.told));
        }
        let start = Instant::now();
        let mut data = self.input.data(self.outputs.carry(), self.quiet)?;
        self.outputs.check_read(&data.table.carried)?;
        let estimator = self.estimator_for(&mut data)?.on(&device);
        let made = start.elapsed();
        tracing::debug!(points = data.points.len(), columns = ?data.names, dropped = data.table.dropped, "have the points");

        let status = Status::of("the bandwidth, then the first iteration", self.status);
        let clustering = estimator.fit_watched(&data.points, |iteration| {
            status.tell_of(&iteration);
            self.tell(iteration)
        })?;
        drop(status);
        data.table.notes.extend(scales::note_of(&data, &clustering));
        interrupt::check()?;
        let Clustering { iterations, converged, path, modes, .. } = &clustering;
        tracing::debug!(iterations, converged, path = path.name, why = path.reason, modes = modes.len(), "clustered");
        let start = Instant::now();
        self.outputs.write(&data, &clustering, self.options(), self.status)?;
        self.pictures.write(&device, &estimator, &data, &clustering)?;
        let write = if self.outputs.are_any() || self.pictures.are_any() { start.elapsed() } else { Duration::ZERO };
        Ok(self.report(&device, &data, &clustering, ([open, made], write)))
    }

    fn report(
        &self,
        device: &Device,
        data: &Data,
        clustering: &Clustering,
        times: ([Duration; 2], Duration),
    ) -> Report {
        let agreement = data.truth.as_ref().map(|(labels, _)| adjusted_rand_index(&clustering.labels, labels));
        let source = match &self.input {
            Input::Synthetic(..) => "generated".to_owned(),
            Input::Table { source, .. } => source.to_string(),
        };
        let shape = match &self.input {
            Input::Synthetic(_, shape) => Some(shape.name()),
            Input::Table { .. } => None,
        };
        let columns = (data.names.clone(), data.table.left_out.clone());
        let facts = Facts { shape, ..self.facts(source, columns, (data.table.dropped, data.table.notes.clone())) };
        let directions = self.estimator.is_of_directions();
        Report::of_fit(facts, device, data, (clustering, agreement), times, directions)
    }

    /// `columns`: those of coordinates, and those that are none since they do not hold numbers. `rows`: those that were
    /// left out, and what may be said of those that are there.
    fn facts(&self, source: String, columns: (Vec<String>, Vec<LeftOut>), rows: (u64, Vec<String>)) -> Facts {
        let ((columns, left_out), (dropped, notes)) = (columns, rows);
        Facts {
            source,
            shape: None,
            seed: self.seed,
            dropped,
            columns,
            left_out,
            notes,
            parameters: self.parameters.clone(),
        }
    }

    fn options(&self) -> Option<&ReadOptions> {
        match &self.input {
            Input::Synthetic(..) => None,
            Input::Table { options, .. } => Some(options),
        }
    }

    /// The estimator, with what the data's columns say.
    fn estimator_for(&self, data: &mut Data) -> Result<MeanShift> {
        let mut estimator = self.estimator.clone();
        let table = &mut data.table;
        if !table.weights.is_empty() {
            estimator = estimator.sample_weights(std::mem::take(&mut table.weights));
        }
        if !table.bandwidths.is_empty() {
            estimator = estimator.bandwidth(Bandwidth::PerPoint(std::mem::take(&mut table.bandwidths)));
        }
        if let Some(seeds) = &self.seeds {
            let table = data.known().read(seeds, self.options(), Carry::Nothing, self.quiet)?;
            let d = table.names.len();
            let seeds = DMatrixView::from_slice(&table.rows, d, table.rows.len() / d);
            let seeds = seeds.to_points_about(Some(data.points.centre()))?.into_owned();
            estimator = estimator.form(Form::Standard).seeding(Seeding::At(seeds));
        }
        Ok(estimator)
    }

    /// How far an iteration moved, if that is wanted; and whether to go on.
    fn tell(&self, Iteration { number, largest_shift }: Iteration) -> ControlFlow<()> {
        if self.progress {
            say(format_args!("iteration {number}: moved {largest_shift:.3e} bandwidths at most"));
        }
        interrupt::flow()
    }
}
