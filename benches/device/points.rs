//! Pairwise distances, and weighted means.

use gpu::pairwise::pairwise_l1;
use modeseek::distances::{Distances, Formula};
use modeseek::reduction::Reduction;
use modeseek::reference::{self, Metric};
use modeseek::{Buffer, Device};

use super::cases::Shape;
use super::matrix::relative_l2;
use super::memory::{gather, poisoned, sets};
use super::results::Check;
use super::subject::{Measured, bytes};
use super::{Outcome, larger};
use crate::families::distances::{METRICS, Pairwise as Launch};
use crate::families::shift::clusters;
use crate::measure::{ROUNDING, random, spread, wide};

/// Rows of the output that are compared with the oracle where there are many.
const CHECKED: usize = 16;

/// Two inputs and an output; `expected` is what the oracle says of the rows that are compared.
struct Set {
    first: Buffer<f32>,
    second: Buffer<f32>,
    out: Buffer<f32>,
    expected: Vec<f64>,
}

/// What is launched on a set, of these sizes.
type Run = Box<dyn FnMut(&mut Set, [u32; 3]) -> Result<(), modeseek::Error>>;

/// Sets that one kind of launch works on in turn.
struct Rotated {
    device: Device,
    run: Run,
    sizes: [usize; 3],
    /// Columns of the output.
    width: usize,
    sets: Vec<Set>,
    next: usize,
}

impl Rotated {
    fn launch(&mut self, number: usize) -> Result<(), modeseek::Error> {
        (self.run)(&mut self.sets[number], self.sizes.map(|size| size as u32))
    }

    /// The largest relative l2 error of some rows of every set's output, which is poisoned first.
    fn error(&mut self) -> Outcome<f64> {
        let (m, width) = (self.sizes[0], self.width);
        let ranges: Vec<_> = spread(m, CHECKED).iter().map(|i| i * width..(i + 1) * width).collect();
        let mut error = 0.0;
        for number in 0..self.sets.len() {
            self.sets[number].out = poisoned(&self.device, m * width)?;
            self.launch(number)?;
            let found = gather(&self.device, &self.sets[number].out, &ranges)?;
            error = larger(error, relative_l2(&found, &self.sets[number].expected));
        }
        Ok(error)
    }

    fn time(&mut self, repeats: u32) -> Outcome<f64> {
        let device = self.device.clone();
        let took = device.timed(|_| {
            (0..repeats).try_for_each(|_| {
                self.next = (self.next + 1) % self.sets.len();
                self.launch(self.next)
            })
        })?;
        Ok(took.as_secs_f64())
    }
}

/// Some rows of a matrix.
fn some_rows(values: &[f32], width: usize, count: usize) -> Vec<f32> {
    spread(values.len() / width, count).iter().flat_map(|i| &values[i * width..][..width]).copied().collect()
}

/// Distances of all rows of A to all of B.
pub struct Pairwise(Rotated);

impl Pairwise {
    pub fn new(device: &Device, metric: usize, sizes: [usize; 3], most_sets: usize) -> Outcome<Self> {
        let (_, metric, launch): (_, _, Launch) = METRICS[metric];
        let on = device.clone();
        let run: Run = Box::new(move |set, sizes| on.launch(launch(&set.first, &set.second, &mut set.out, sizes)));
        Self::by(device, metric, run, sizes, most_sets)
    }

    /// The 2-norm by products on tensor cores; what is made of the rows for that is part of what is timed.
    pub fn by_products(device: &Device, sizes: [usize; 3], most_sets: usize) -> Outcome<Self> {
        let mut distances = Distances::new(device, sizes.map(|size| size as u32), Formula::Products)?;
        let run: Run = Box::new(move |set, _| distances.roots(&set.first, &set.second, &mut set.out));
        Self::by(device, Metric::L2, run, sizes, most_sets)
    }

    fn by(device: &Device, metric: Metric, run: Run, [m, n, d]: [usize; 3], most_sets: usize) -> Outcome<Self> {
        let count = sets(device, bytes(Shape::Pairwise { m, n, d }), most_sets)?;
        let set = |number: u64| {
            let (a, b) = (random(m * d, 80 + 2 * number), random(n * d, 81 + 2 * number));
            let expected = reference::pairwise(&wide(&some_rows(&a, d, CHECKED)), &wide(&b), d, metric);
            let (first, second, out) = (device.upload(&a)?, device.upload(&b)?, poisoned(device, m * n)?);
            Ok(Set { first, second, out, expected })
        };
        let sets = (0..count as u64).map(set).collect::<Outcome<_>>()?;
        Ok(Self(Rotated { device: device.clone(), run, sizes: [m, n, d], width: n, sets, next: 0 }))
    }
}

impl Measured for Pairwise {
    fn check(&mut self) -> Outcome<Check> {
        // A rounding for each coordinate, and some for the last step.
        let limit = (self.0.sizes[2] as f64 + 3.0) * ROUNDING;
        Ok(Check::new("f64 oracle", "relative l2", self.0.error()?, limit))
    }

    fn time(&mut self, repeats: u32) -> Outcome<f64> {
        self.0.time(repeats)
    }
}

/// (W X) / rowsum(W), of points in clusters.
pub struct Reduce(Rotated);

impl Reduce {
    pub fn new(device: &Device, [m, n, d]: [usize; 3], most_sets: usize) -> Outcome<Self> {
        let points = clusters(n, d).centred_rows().to_vec();
        let wide_points = wide(&points);
        let count = sets(device, bytes(Shape::Reduce { m, n, d }), most_sets)?;
        let set = |number: u64| {
            let (first, row_weights) = weights(device, [m, n], 120 + 2 * number)?;
            let expected = reference::reduce_weighted(&row_weights, &wide_points, n, d);
            let (second, out) = (device.upload(&points)?, poisoned(device, m * d)?);
            Ok(Set { first, second, out, expected })
        };
        let sets = (0..count as u64).map(set).collect::<Outcome<_>>()?;
        let (on, mut reduction) = (device.clone(), Reduction::new(device, [m, n, d])?);
        let run: Run =
            Box::new(move |set, [m, ..]| on.launch(reduction.launch(&set.first, &set.second, &mut set.out, m)));
        Ok(Self(Rotated { device: device.clone(), run, sizes: [m, n, d], width: d, sets, next: 0 }))
    }
}

/// m x n weights, and those of the rows that are compared. They are |u_i - v_j| for random u and v, made on
/// the device: the host may have no room for them, and one rounding says what each of them is.
fn weights(device: &Device, [m, n]: [usize; 2], seed: u64) -> Outcome<(Buffer<f32>, Vec<f64>)> {
    let (u, v) = (random(m, seed), random(n, seed + 1));
    let mut made = poisoned(device, m * n)?;
    let (on_u, on_v) = (device.upload(&u)?, device.upload(&v)?);
    device.launch(pairwise_l1::launch(&on_u, &on_v, &mut made, m as u32, n as u32, 1, 1.0))?;
    let rows = spread(m, CHECKED);
    let known = rows.iter().flat_map(|i| v.iter().map(|v| f64::from((u[*i] - v).abs())));
    Ok((made, known.collect()))
}

impl Measured for Reduce {
    fn check(&mut self) -> Outcome<Check> {
        // Sums of n terms, in as many parts as a block has lanes.
        Ok(Check::new("f64 oracle", "relative l2", self.0.error()?, 256.0 * ROUNDING))
    }

    fn time(&mut self, repeats: u32) -> Outcome<f64> {
        self.0.time(repeats)
    }
}
