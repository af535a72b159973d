//! What was meant, and doing it.

use std::ops::ControlFlow;
use std::time::Instant;

use super::args::Args;
use super::report::{Centroids, Report};
use crate::agreement::adjusted_rand_index;
use crate::data::Blobs;
use crate::error::{Bytes, Error, Result};
use crate::executor::{CpuOptions, DeviceChoice, host_memory};
use crate::mean_shift::{Iteration, MeanShift};
use crate::points::Points;

/// A clustering job: which data, which estimator, which device.
#[derive(Clone, Debug)]
pub struct Job {
    blobs: Blobs,
    estimator: MeanShift,
    progress: bool,
    device: DeviceChoice,
    cpu: CpuOptions,
}

impl Job {
    /// What the arguments mean.
    ///
    /// # Errors
    /// [`Error::Option`] for what can be seen to be senseless before anything is done.
    pub fn from_args(args: &Args) -> Result<Self> {
        if let Some(threads) = args.threads_per_block
            && !(1..=1024).contains(&threads)
        {
            let (option, must) = ("--threads-per-block", "a multiple of 32 from 32 to 1024");
            return Err(Error::Option { option, value: threads.to_string(), must });
        }
        let estimator = args.estimator.estimator(args.seed)?.threads_per_block(args.threads_per_block);
        args.estimator.bandwidth.0.check(args.points, args.dim, false)?;
        Ok(Self {
            blobs: Blobs { points: args.points, clusters: args.clusters, dimensions: args.dim, seed: args.seed },
            estimator,
            progress: args.progress,
            device: args.device,
            cpu: CpuOptions { workers: args.threads, machine: None },
        })
    }

    /// Generates, clusters, compares.
    ///
    /// # Errors
    /// Whatever goes wrong on the way.
    pub fn run(&self) -> Result<Report> {
        self.blobs.check()?;
        self.reserve_host()?;
        let start = Instant::now();
        let device = self.device.open(self.cpu)?;
        let open = start.elapsed();

        let start = Instant::now();
        let data = self.blobs.generate()?;
        let points = Points::from_rows(&data.rows, self.blobs.dimensions)?;
        let generate = start.elapsed();

        let clustering = self.estimator.clone().on(&device).fit_watched(&points, |iteration| self.tell(iteration))?;
        let agreement = adjusted_rand_index(&clustering.labels, &data.labels);
        let centroids = Centroids { positions: &data.centroids, directions: self.estimator.is_of_directions() };
        Ok(Report::new(&self.blobs, &device, [open, generate], &clustering, centroids, agreement))
    }

    /// How far an iteration moved, if that is wanted.
    fn tell(&self, Iteration { number, largest_shift }: Iteration) -> ControlFlow<()> {
        if self.progress {
            eprintln!("iteration {number}: moved {largest_shift:.3e} bandwidths at most");
        }
        ControlFlow::Continue(())
    }

    /// Checks that the host can hold the points, before it makes any.
    fn reserve_host(&self) -> Result<()> {
        let (n, d) = (self.blobs.points as u128, self.blobs.dimensions as u128);
        // The rows twice (as generated, and centred), the true labels and the found ones.
        let needed = n * (2 * d + 2) * 4;
        let available = host_memory() as u128;
        if needed > available {
            return Err(Error::Memory {
                device: "the host".to_owned(),
                what: format!("{n} points of {d} dimensions"),
                needed: Bytes(needed),
                available: Bytes(available),
                advice: "use fewer --points or a smaller --dim",
            });
        }
        Ok(())
    }
}
