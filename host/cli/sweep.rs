//! `modeseek sweep`: what other bandwidths find.

use std::io::{self, Write};
use std::num::NonZero;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::bar::Status;
use super::estimator::EstimatorArgs;
use super::input::{Data, InputArgs};
use super::interrupt;
use super::places::check_files;
use super::scales;
use super::terminal::line;
use super::typed::{QUANTILE, count, name, number};
use crate::data::{Carry, LeftOut, Table, left_out_text};
use crate::error::{Error, Result};
use crate::executor::{CpuOptions, DeviceChoice};
use crate::picture::{Format, numbers};
use crate::sweep::{Sweep, bandwidths};

/// Clusters with a range of bandwidths, and tells which are stable: to choose one.
// What every sweep refuses is not offered.
#[derive(Clone, Debug, Args)]
#[command(mut_arg("bandwidth", |bandwidth| bandwidth.hide(true)), mut_arg("seeds_file", |file| file.hide(true)))]
pub struct SweepArgs {
    /// Which points
    #[command(flatten)]
    pub input: InputArgs,

    /// The smallest bandwidth; if not given, a fortieth of the quantile rule's estimate (0.3), and none below the first that finds
    /// more than 500 clusters, and more than one for ten points
    #[arg(long, value_name = "H", value_parser = number, allow_hyphen_values = true, help_heading = "Sweep")]
    pub from: Option<f64>,

    /// The largest bandwidth; that estimate if not given
    #[arg(long, value_name = "H", value_parser = number, allow_hyphen_values = true, help_heading = "Sweep")]
    pub to: Option<f64>,

    /// How many bandwidths
    #[arg(long, value_name = "N", value_parser = count::<usize>, default_value_t = 24, allow_negative_numbers = true, help_heading = "Sweep")]
    pub steps: usize,

    /// Draws clusters and stability over the bandwidth: .png or .svg
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub plot: Option<PathBuf>,

    /// Write everything as one line of JSON
    #[arg(long, help_heading = "Output")]
    pub json: bool,

    /// How to cluster
    #[command(flatten)]
    pub estimator: EstimatorArgs,

    /// auto, cpu, cuda, cuda:N or interpreter
    #[arg(long, value_name = "DEVICE", value_parser = name::<DeviceChoice>, default_value = "auto", help_heading = "Execution")]
    pub device: DeviceChoice,

    /// Processor threads; one for each core if not given. Results do not depend on it
    #[arg(long, value_name = "W", value_parser = count::<NonZero<usize>>, help_heading = "Execution")]
    pub threads: Option<NonZero<usize>>,
}

impl SweepArgs {
    /// Does what was typed, and writes the table.
    ///
    /// # Errors
    /// Whatever goes wrong on the way.
    pub fn run(&self, out: &mut dyn Write) -> Result<()> {
        if let Some(path) = &self.plot {
            Format::of(path)?;
            check_files(&self.input.file.iter().map(PathBuf::as_path).collect::<Vec<_>>(), &[path])?;
        }
        if self.estimator.bandwidth.is_some() {
            let why = "a sweep tries many; give --from and --to";
            return Err(Error::Conflict { what: "--bandwidth for a sweep", why });
        }
        if self.estimator.seeds_file.is_some() {
            let why = "every fit of a sweep starts from points of its own; leave it out";
            return Err(Error::Conflict { what: "--seeds-file for a sweep", why });
        }
        // What is given is checked before anything is read.
        bandwidths(self.from.unwrap_or(1e-30), self.to.unwrap_or(1e30), self.steps)?;
        let estimator = self.estimator.estimator(&self.input)?;
        let input = self.input.input(None)?;
        let device = self.device.open(CpuOptions { workers: self.threads, machine: None })?;
        let mut data = input.data(Carry::Nothing, false)?;
        if !estimator.is_of_directions() {
            data.table.notes.extend(scales::note(&data));
        }
        let weights = std::mem::take(&mut data.table.weights);
        let estimator = if weights.is_empty() { estimator } else { estimator.sample_weights(weights) };
        // By the distance and the weights of the fits.
        let rule = || estimator.clone().on(&device).bandwidth(QUANTILE);
        let guess = || rule().estimate_bandwidth(&data.points);
        let (low, high) = match (self.from, self.to) {
            (Some(low), Some(high)) => (low, high),
            (low, high) => {
                let guess = guess()?;
                ends(low, high, guess)?
            }
        };
        let all = bandwidths(low, high, self.steps)?;
        let most = if self.from.is_some() { usize::MAX } else { (data.points.len() / 10).max(MANY) };
        let status = Status::of("the first bandwidth", true);
        let sweep = Sweep::while_few(&device, &data.points, &estimator, &all, most, |found| {
            status.tell(format!("bandwidth {} of {}", found + 1, self.steps));
            interrupt::check()
        })?;
        drop(status);
        if let Some(path) = &self.plot {
            sweep.picture().save(path)?;
        }
        self.tell(&sweep, data, out).map_err(Error::Output)
    }

    fn tell(&self, sweep: &Sweep, data: Data, out: &mut dyn Write) -> io::Result<()> {
        if self.json {
            let Table { left_out, dropped, notes, .. } = data.table;
            let told = Told { sweep, columns: data.names, left_out, dropped, notes };
            serde_json::to_writer(&mut *out, &told)?;
            return writeln!(out);
        }
        if let Some(text) = left_out_text(&data.table.left_out) {
            writeln!(out, "{}", line(&text))?;
        }
        if data.table.dropped > 0 {
            writeln!(out, "{} left out, with missing values", numbers::count(data.table.dropped, "row"))?;
        }
        for note in &data.table.notes {
            writeln!(out, "note: {}", line(note))?;
        }
        writeln!(
            out,
            "{:>12}  {:>8}  {:>9}  {:>9}  {:>9}  {:>10}",
            "bandwidth", "clusters", "largest", "noise", "stability", "iterations"
        )?;
        for found in &sweep.found {
            let rest = if found.converged { "" } else { "  not converged" };
            writeln!(
                out,
                "{:>12}  {:>8}  {:>9}  {:>9}  {:>9.4}  {:>10}{rest}",
                numbers::rounded(found.bandwidth, 6),
                found.clusters,
                found.largest,
                found.noise,
                found.stability,
                found.iterations
            )?;
        }
        if let [smallest, ..] = &*sweep.found
            && sweep.found.len() < self.steps
        {
            let smallest = numbers::rounded(smallest.bandwidth, 6);
            writeln!(out, "smaller ones than {smallest} were not tried: --from H does")?;
        }
        match sweep.suggested {
            Some(bandwidth) => {
                let bandwidth = numbers::rounded(bandwidth, 6);
                writeln!(out, "suggested: --bandwidth {bandwidth}, in the middle of the longest stable stretch")
            }
            None => {
                // A few points that are alone, and not for long, make the number of clusters another each time.
                let outliers =
                    if self.estimator.min_size == 1 { ", or --min-size 5, which leaves outliers out" } else { "" };
                writeln!(
                    out,
                    "no stretch of bandwidths is stable with more than one cluster; try another range, more --steps{outliers}"
                )
            }
        }
    }
}

/// A sweep as JSON, with what is said of the data, as the report of a fit has it.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    sweep: &'a Sweep,
    columns: Vec<String>,
    left_out: Vec<LeftOut>,
    dropped: u64,
    notes: Vec<String>,
}

/// So many clusters, or more of one for ten points, are more than anybody looks for; smaller bandwidths find still more, and
/// take longest.
const MANY: usize = 500;

/// The ends of a range, of which one was not given: it is guessed, and may lie on the wrong side of the other.
fn ends(low: Option<f64>, high: Option<f64>, guess: f64) -> Result<(f64, f64)> {
    let found = (low.unwrap_or(guess / 40.0), high.unwrap_or(guess));
    if found.0 < found.1 {
        return Ok(found);
    }
    let (option, value, must) = match low {
        Some(low) => {
            let value = format!("{}, and {} is guessed for --to", numbers::whole(low), numbers::short(found.1));
            ("--from", value, "below it: give --to too")
        }
        None => {
            let value = format!("{}, and {} is guessed for --from", numbers::whole(found.1), numbers::short(found.0));
            ("--to", value, "above it: give --from too")
        }
    };
    Err(Error::Option { option, value, must })
}
