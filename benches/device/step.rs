//! One blurring step: the fused kernels, and their peers in C.

use modeseek::{Device, WeightFunction};

use super::results::Check;
use super::subject::Measured;
use super::{Outcome, larger};
use crate::families::shift::{self, Blurring, Columns, Kernel};
use crate::measure::spread;
use crate::peers::{Files, Peer};

/// Queries that are compared with the oracle where there are many.
const CHECKED: usize = 32;

/// Points up to which all are compared.
const ALL: usize = 1000;

/// The points of a step: the lecture's clusters, where the flat weight wants them on a grid.
pub fn columns(function: WeightFunction, n: usize, d: usize) -> Columns {
    match function {
        WeightFunction::Flat => Columns::new(n, d, function),
        _ => Columns::of(&shift::clusters(n, d), function),
    }
}

/// Compares moved points with the oracle: the largest distance from where one should be, in bandwidths.
pub fn compare(columns: &Columns, moved: &[f32]) -> Outcome<Check> {
    let (n, d) = (columns.n, columns.d);
    for (c, column) in moved.chunks(columns.stride).enumerate() {
        if let Some(i) = column[..n].iter().position(|x| !x.is_finite()) {
            return Err(format!("coordinate {c} of point {i} is {}", column[i]).into());
        }
    }
    let which = (n > ALL).then(|| spread(n, CHECKED));
    let (found, expected) = columns.beside_oracle(moved, which.as_deref());
    let squared = |(found, expected): (&[f32], &[f64])| -> f64 {
        found.iter().zip(expected).map(|(found, expected)| (f64::from(*found) - expected).powi(2)).sum()
    };
    let error = found.chunks(d).zip(expected.chunks(d)).map(squared).fold(0.0, larger).sqrt();
    // The tolerance is that of a coordinate. Sums of differences leave a quarter of it at most; sums of points, for
    // more dimensions, have more roundings where there are more tiles.
    let part = if d <= 4 { 0.25 } else { 1.0 + (n as f64 / 32.0).sqrt() / 128.0 };
    let limit = columns.tolerance() * part * (d as f64).sqrt();
    let (error, limit) = (error / columns.bandwidth, limit / columns.bandwidth);
    Ok(Check::new("f64 oracle", "largest shift error / h", error, limit))
}

/// A fused kernel.
pub struct Step {
    device: Device,
    columns: Columns,
    kernel: Kernel,
    begin: Begin,
    steps: Blurring,
}

/// Steps of the points as they are, or as they are put in order.
type Begin = fn(&Device, &Columns, Kernel) -> modeseek::Result<Blurring>;

impl Step {
    pub fn new(device: &Device, function: WeightFunction, n: usize, d: usize) -> Outcome<Self> {
        Self::of(device, columns(function, n, d), Kernel::new(function, d), Blurring::new)
    }

    /// The Gaussian over points in the order of a curve. To put them in order is not timed, to find their boxes is; pairs whose
    /// weight is below 2^-146 are left out where a box has no others.
    pub fn in_order(device: &Device, n: usize, d: usize) -> Outcome<Self> {
        let function = WeightFunction::Gaussian;
        Self::of(device, columns(function, n, d).in_order()?, Kernel::new(function, d), Blurring::in_order)
    }

    /// The Gaussian with a warp for each query.
    pub fn of_few(device: &Device, n: usize, d: usize) -> Outcome<Self> {
        let function = WeightFunction::Gaussian;
        Self::of(device, columns(function, n, d), Kernel::new(function, d), Blurring::of_few)
    }

    fn of(device: &Device, columns: Columns, kernel: Kernel, begin: Begin) -> Outcome<Self> {
        let steps = begin(device, &columns, kernel)?;
        Ok(Self { device: device.clone(), columns, kernel, begin, steps })
    }

    /// Whether the largest squared shift that the kernel noted is that of the points that it moved.
    fn check_noted(&self, moved: &[f32]) -> Outcome<()> {
        let Columns { n, stride, values, .. } = &self.columns;
        let squared = |i: usize| -> f64 {
            let shifts = values.chunks(*stride).zip(moved.chunks(*stride));
            shifts.map(|(from, to)| (f64::from(to[i]) - f64::from(from[i])).powi(2)).sum()
        };
        let expected = (0..*n).map(squared).fold(0.0, larger).sqrt();
        let noted = f64::from(self.steps.noted()?).sqrt();
        // Where a point went is rounded, and so is the difference.
        let tolerance = 1e-5 * expected + self.columns.tolerance();
        if (noted - expected).abs() <= tolerance {
            return Ok(());
        }
        Err(format!("the kernel notes a largest shift of {noted:e}, and its points moved {expected:e}").into())
    }
}

impl Measured for Step {
    fn check(&mut self) -> Outcome<Check> {
        // Poisoned again, where it has been timed before.
        self.steps = (self.begin)(&self.device, &self.columns, self.kernel)?;
        self.steps.launch()?;
        let moved = self.steps.moved()?;
        self.check_noted(&moved)?;
        compare(&self.columns, &moved)
    }

    fn time(&mut self, repeats: u32) -> Outcome<f64> {
        // Before, so that no upload is timed.
        self.steps.begin()?;
        let Self { device, steps, .. } = self;
        let took = device.timed(|_| (0..repeats).try_for_each(|_| steps.launch()))?;
        Ok(took.as_secs_f64())
    }
}

/// The same step in C.
pub struct InC<'a> {
    peer: &'a Peer,
    columns: Columns,
    files: Files,
}

impl<'a> InC<'a> {
    pub fn new(peer: &'a Peer, n: usize) -> Self {
        let columns = columns(WeightFunction::Gaussian, n, 2);
        let files = Files::new(&columns);
        Self { peer, columns, files }
    }
}

impl Measured for InC<'_> {
    fn check(&mut self) -> Outcome<Check> {
        let moved = self.peer.moved(&self.columns);
        compare(&self.columns, &self.columns.padded(&moved))
    }

    fn time(&mut self, repeats: u32) -> Outcome<f64> {
        Ok(self.peer.shift(&self.files, self.columns.n, u64::from(repeats)).as_secs_f64())
    }

    /// A process of its own has cold caches.
    fn least_sample(&self) -> f64 {
        20e-3
    }
}
