//! The estimator: mean shift in its blurring form.
//!
//! Every point moves to the weighted mean of all points about it, all of them at once, until no point
//! moves more than a tolerance; what has met is a cluster. The number of clusters is not given.
//! Sources: Fukunaga and Hostetler (1975); Cheng, Mean shift, mode seeking, and clustering (1995);
//! Carreira-Perpinan (2006) on the blurring form's fast, cubic convergence.
//!
//! Symbols: n points x_i of d dimensions, h the bandwidth, w the weight of a distance over h:
//! x'_i = sum_j w(|x_i - x_j| / h) x_j / sum_j w(|x_i - x_j| / h).
//!
//! Between the upload of the points and the download of where they went, everything happens on the
//! device. The host queues iterations and looks at a few numbers now and then: how far each moved.

mod composed;
mod fused;
mod modes;
mod options;
mod progress;

use std::time::{Duration, Instant};

pub use modes::{MERGE_RADIUS, Mode};
pub use options::{MeanShift, Method, WeightFunction};

use crate::error::{Error, Result};
use crate::executor::{Counts, Device};
use crate::points::Points;

/// What a fit found.
#[derive(Clone, Debug)]
pub struct Clustering {
    /// The cluster of each point: an index into `modes`.
    pub labels: Vec<u32>,
    /// The clusters, largest first; ties in the order of their positions.
    pub modes: Vec<Mode>,
    /// Iterations that were made.
    pub iterations: usize,
    /// The largest shift of the last iteration, in units of the data.
    pub last_shift: f64,
    /// Whether that was within the tolerance.
    pub converged: bool,
    /// Points at a time, of the composed method: as many as were asked for, or as the memory holds.
    pub batch: Option<usize>,
    /// Where the time went.
    pub phases: Phases,
    /// What crossed between host and device.
    pub counts: Counts,
}

/// The time of each phase of a fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// Points to the device.
    pub upload: Duration,
    /// Iterations, from the first launch until the device has ended the last.
    pub iterate: Duration,
    /// Points back to the host.
    pub download: Duration,
    /// Modes and labels.
    pub label: Duration,
}

/// How the iterations of a method ended.
struct Moved {
    /// The points' end positions, centred, by rows.
    rows: Vec<f32>,
    iterations: usize,
    /// The largest shift of the last iteration, in units of the data.
    last_shift: f64,
    /// Points at a time, where they were taken in batches.
    batch: Option<usize>,
    upload: Duration,
    iterate: Duration,
    download: Duration,
}

impl MeanShift {
    /// Clusters points on a device.
    ///
    /// # Errors
    /// An option that makes no sense; too little memory; whatever the device reports.
    ///
    /// # Precision
    /// Positions are f32 about the centre of the points: a coordinate is off by some 2^-22 of the
    /// points' extent at most, on every device, against the same iterations in f64.
    pub fn fit(&self, device: &Device, points: &Points) -> Result<Clustering> {
        self.check()?;
        // A position must be known to well below a bandwidth: 2^-24 of the extent, against h / 8.
        if points.extent() / self.bandwidth > f64::from(1 << 21) {
            return Err(Error::Extent { extent: points.extent(), bandwidth: self.bandwidth });
        }
        let before = device.counts();
        let moved = match self.method {
            Method::Fused => fused::run(self, device, points)?,
            Method::Composed { batch } => composed::run(self, device, points, batch)?,
        };
        let after = device.counts();
        let start = Instant::now();
        let (labels, modes) = modes::find(points, &moved.rows, self.bandwidth * MERGE_RADIUS);
        Ok(Clustering {
            labels,
            modes,
            iterations: moved.iterations,
            last_shift: moved.last_shift,
            converged: moved.last_shift <= self.tolerance * self.bandwidth,
            batch: moved.batch,
            phases: Phases {
                upload: moved.upload,
                iterate: moved.iterate,
                download: moved.download,
                label: start.elapsed(),
            },
            counts: Counts {
                launches: after.launches - before.launches,
                uploads: after.uploads - before.uploads,
                downloads: after.downloads - before.downloads,
            },
        })
    }
}
