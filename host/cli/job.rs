//! What was meant, and doing it.

use std::time::Instant;

use super::args::{Args, KernelName, MethodName};
use super::report::Report;
use crate::agreement::adjusted_rand_index;
use crate::data::Blobs;
use crate::error::{Bytes, Error, Result};
use crate::executor::{CpuOptions, DeviceChoice, host_memory};
use crate::mean_shift::{MeanShift, Method, WeightFunction};
use crate::points::Points;

/// A clustering job: which data, which estimator, which device.
#[derive(Clone, Debug)]
pub struct Job {
    blobs: Blobs,
    estimator: MeanShift,
    bandwidth: f64,
    device: DeviceChoice,
    cpu: CpuOptions,
}

impl Job {
    /// What the arguments mean.
    ///
    /// # Errors
    /// [`Error::Option`] for what can be seen to be senseless before anything is done.
    pub fn from_args(args: &Args) -> Result<Self> {
        let weight = match args.kernel {
            KernelName::Gaussian => WeightFunction::Gaussian,
            KernelName::Triangular => WeightFunction::Triangular,
            KernelName::Flat => WeightFunction::Flat,
        };
        let method = match args.method {
            MethodName::Fused => Method::Fused,
            MethodName::Composed => Method::Composed { batch: args.batch },
        };
        if let Some(threads) = args.threads_per_block
            && !(1..=1024).contains(&threads)
        {
            let (option, must) = ("--threads-per-block", "a multiple of 32 from 32 to 1024");
            return Err(Error::Option { option, value: threads.to_string(), must });
        }
        let estimator = MeanShift::new(args.bandwidth)
            .weight(weight)
            .tolerance(args.tolerance)
            .max_iterations(args.iterations)
            .method(method)
            .threads_per_block(args.threads_per_block);
        estimator.check()?;
        Ok(Self {
            blobs: Blobs { points: args.points, clusters: args.clusters, dimensions: args.dim, seed: args.seed },
            estimator,
            bandwidth: args.bandwidth,
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

        let clustering = self.estimator.fit(&device, &points)?;
        let agreement = adjusted_rand_index(&clustering.labels, &data.labels);
        let centroids = &data.centroids;
        Ok(Report::new(&self.blobs, self.bandwidth, &device, [open, generate], &clustering, centroids, agreement))
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
