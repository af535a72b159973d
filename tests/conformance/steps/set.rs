//! Points and queries for a step, and its launch.

use cuda_std::launch::Launch;
use gpu::layout::STRIDE;
use gpu::shift_any::Norm;
use gpu::steps::{Call, Shared, Sizes, Step};
use modeseek::mean_shift::labels::Columns;
use modeseek::mean_shift::near::{Boxes, Purpose};
use modeseek::reference::Metric;
use modeseek::{Buffer, Device, WeightFunction};

use crate::check::random;
use crate::kernels::{poisoned, progress};

/// The most iterations that the cells of the tests' runs have room for; the steps tested are the second.
pub const LIMIT: usize = 3;

/// Which of a weight function's kernels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kernel {
    /// For one of d = 1 to 4.
    Plain,
    /// For marked points of such d.
    Marked,
    /// For one of d = 2, 3, by products in small boxes.
    Local,
    /// For one of d = 1 to 3, a warp for each query.
    Few,
    /// For one of d = 5 to 32.
    Wide,
    /// For any d.
    Any,
    /// For marked points of any d.
    AnyMarked,
    /// For any d and norm, and marked points.
    Norm(Metric),
}

/// The narrowest of the steps for 5 to 32 coordinates that has room for d: its place, and its coordinates.
fn width(d: usize) -> (usize, usize) {
    [8, 16, 32].into_iter().enumerate().find(|(_, width)| d <= *width).unwrap()
}

impl Kernel {
    pub fn marked(self) -> bool {
        !matches!(self, Self::Plain | Self::Local | Self::Few | Self::Wide | Self::Any)
    }

    pub fn metric(self) -> Metric {
        if let Self::Norm(metric) = self { metric } else { Metric::L2 }
    }

    pub fn step(self, function: WeightFunction, d: usize) -> Step {
        let steps = function.steps();
        match self {
            Self::Plain => steps.plain[d - 1],
            Self::Marked => steps.marked[d - 1],
            Self::Local => steps.local[d - 2],
            Self::Few => steps.few[d - 1],
            Self::Wide => steps.wide[width(d).0],
            Self::Any => steps.any[0],
            Self::AnyMarked => steps.any[1],
            Self::Norm(_) => steps.any[2],
        }
    }

    /// What it must be called, so that no other is tested in its place.
    pub fn name(self, function: WeightFunction, d: usize) -> String {
        let weight = function.steps().name.to_lowercase();
        match self {
            Self::Plain => format!("shift_{weight}_{d}"),
            Self::Marked => format!("shift_{weight}_marked_{d}"),
            Self::Local => format!("shift_{weight}_local_{d}"),
            Self::Few => format!("shift_{weight}_few_{d}"),
            Self::Wide => format!("shift_{weight}_{}", width(d).1),
            Self::Any => format!("shift_{weight}_any"),
            Self::AnyMarked => format!("shift_{weight}_marked_any"),
            Self::Norm(_) => format!("shift_{weight}_norm_any"),
        }
    }

    pub fn norm(self) -> Norm {
        match self.metric() {
            Metric::L1 => Norm { p: 1.0, outer: 2.0, sphere: 0.0 },
            Metric::Lp(p) => Norm { p: p as f32, outer: (2.0 / p) as f32, sphere: 0.0 },
            Metric::Cosine => Norm { p: 2.0, outer: 2.0, sphere: RADIUS as f32 },
            Metric::L2 | Metric::SquaredL2 => Norm::L2,
        }
    }

    /// By how many roundings the power of a norm is off, in the kernels, 2^-21 for each of two powers; and an exponent that is a
    /// difference of numbers up to 28.
    pub fn powers(self) -> f64 {
        if matches!(self, Self::Norm(Metric::Lp(_)) | Self::Local) { 16.0 } else { 0.0 }
    }
}

/// Of the sphere on which points lie for the cosine distance.
pub const RADIUS: f64 = 1.125;

/// Points, what marks them, and the queries over them.
pub struct Set {
    pub function: WeightFunction,
    pub kernel: Kernel,
    pub d: usize,
    /// n x d.
    pub points: Vec<f32>,
    /// m x d, or none in the blurring form.
    pub queries: Option<Vec<f32>>,
    /// Of each point: how much it counts, and what its squared distances are multiplied by.
    pub factors: Vec<f32>,
    pub scales: Vec<f32>,
    /// How far a step may be off, scaled, because of boxes that are taken as one point.
    pub allowed: f32,
}

impl Set {
    pub fn new(function: WeightFunction, kernel: Kernel, (n, m, d): (usize, Option<usize>, usize)) -> Self {
        let place = |len, seed| {
            let mut rows = random(len * d, seed);
            for row in rows.chunks_mut(d) {
                let stretch = match kernel.metric() {
                    Metric::Cosine => RADIUS as f32 / row.iter().map(|x| x * x).sum::<f32>().sqrt(),
                    // The more dimensions, the farther are points apart.
                    _ => 2.0 / (d as f32 / 3.0).max(1.0).powf(1.0 / kernel.norm().p),
                };
                row.iter_mut().for_each(|x| *x *= stretch);
                if function == WeightFunction::Flat && kernel.metric() != Metric::Cosine {
                    // Off the step of the weight, where f32 and f64 may differ; see `clear`.
                    row.iter_mut().for_each(|x| *x = (*x * 16.0).round() / 16.0 * 1.003);
                }
            }
            rows
        };
        let mark = |values: [f32; 4]| (0..n).map(|j| if kernel.marked() { values[j * 7 % 4] } else { 1.0 }).collect();
        Self {
            function,
            kernel,
            d,
            points: place(n, (n * 10 + d) as u64),
            queries: m.map(|m| place(m, (n * 10 + m + d) as u64)),
            factors: mark([1.0, 0.625, 1.75, 0.0]),
            scales: mark([1.0, 0.25, 4.0, 1.0]),
            allowed: 1e-5,
        }
    }

    pub fn n(&self) -> usize {
        self.points.len() / self.d
    }

    pub fn queries(&self) -> &[f32] {
        self.queries.as_ref().unwrap_or(&self.points)
    }

    pub fn m(&self) -> usize {
        self.queries().len() / self.d
    }

    pub fn what(&self) -> String {
        let Self { function, kernel, d, .. } = self;
        let form = if self.queries.is_some() { "standard" } else { "blurring" };
        format!("{} {kernel:?} {form} n = {} m = {} d = {d}", function.steps().name, self.n(), self.m())
    }
}

/// What a step leaves.
pub struct Stepped {
    /// m x d.
    pub rows: Vec<f32>,
    /// The sums of weights, and the squared steps.
    pub totals: Vec<f32>,
    pub squared: Vec<f32>,
    pub state: Vec<u32>,
}

/// A set by columns, padded with NaN, and its stride.
pub fn columns_of(device: &Device, rows: &[f32], d: usize) -> (Buffer<f32>, usize) {
    let stride = (rows.len() / d).next_multiple_of(STRIDE);
    let mut columns = vec![f32::NAN; stride * d];
    for (i, row) in rows.chunks(d).enumerate() {
        row.iter().enumerate().for_each(|(c, x)| columns[c * stride + i] = *x);
    }
    (device.upload(&columns).unwrap(), stride)
}

/// A launch's threads, where the kernel takes any number: as few as can be, so that small sets fill several blocks.
pub const SMALL: Option<u32> = Some(32);

pub fn run(device: &Device, set: &Set, tolerance: f32, relaxation: f32, threads: Option<u32>) -> Stepped {
    run_within(device, set, tolerance, relaxation, threads, None)
}

/// [`run`] that leaves out what is beyond a reach, squared and scaled. Kernels for any d with the 2-norm: from 5 on.
pub fn run_within(
    device: &Device,
    set: &Set,
    tolerance: f32,
    relaxation: f32,
    threads: Option<u32>,
    reach2: Option<f32>,
) -> Stepped {
    run_in_slices(device, set, (tolerance, relaxation), threads, reach2, set.n())
}

/// [`run_within`], with so many points to a slice.
pub fn run_in_slices(
    device: &Device,
    set: &Set,
    (tolerance, relaxation): (f32, f32),
    threads: Option<u32>,
    reach2: Option<f32>,
    slice: usize,
) -> Stepped {
    let (d, m, kernel) = (set.d, set.m(), set.kernel);
    // Of some the boxes say where points are counted from, too.
    let reach2 = reach2.or((kernel == Kernel::Local).then_some(f32::INFINITY));
    let (points, stride) = columns_of(device, &set.points, d);
    let (queries, query_stride) = columns_of(device, set.queries(), d);
    let column = |values: &[f32]| values.iter().copied().chain(std::iter::repeat(f32::NAN)).take(stride).collect();
    let marks: [Vec<f32>; 2] = [column(&set.factors), column(&set.scales)];
    let marks = device.upload(&if kernel.marked() { marks.concat() } else { Vec::new() }).unwrap();
    let (mut next, mut sums) = (poisoned(device, query_stride * d), poisoned(device, 2 * query_stride));
    let mut state = device.upload(&progress(m, 1, LIMIT)).unwrap();
    let sizes = Sizes {
        n: set.n() as u32,
        d: d as u32,
        stride: stride as u32,
        query_stride: query_stride as u32,
        most: m as u32,
    };
    let boxes = reach2.map(|reach2| {
        let scaled = set.scales.iter().any(|&scale| scale != 1.0);
        let (steps, norm, marked) = (set.function.steps(), kernel.norm(), kernel.marked());
        let purpose = Purpose { steps, norm, reach2, allowed: set.allowed, marked, scaled, threads_per_block: threads };
        let mut boxes = Boxes::new(device, (set.n(), m, d), purpose).unwrap();
        let from = if set.queries.is_some() { &points } else { &queries };
        boxes.of_points(device, Columns { values: from, n: set.n(), d, stride }, &marks).unwrap();
        boxes.of_queries(device, Columns { values: &queries, n: m, d, stride: query_stride }).unwrap();
        boxes
    });
    let slices = if slice < set.n() { set.n().div_ceil(slice) } else { 0 };
    let mut partial = poisoned(device, slices * (d + 1) * query_stride);
    let mut arrived = device.zeros(if slices > 0 { m } else { 0 }).unwrap();
    let launch = kernel.step(set.function, d)(Call {
        queries: &queries,
        points: if set.queries.is_some() { &points } else { &queries },
        marks: &marks,
        next: &mut next,
        sums: &mut sums,
        state: &mut state,
        sizes,
        limit: LIMIT as u32,
        tolerance,
        relaxation,
        norm: kernel.norm(),
        near: boxes.as_ref().map(Boxes::as_call),
        slices: Shared { partial: &mut partial, arrived: &mut arrived, points: slice as u32 },
    });
    assert_eq!(launch.kernel().name, kernel.name(set.function, d));
    let threads = threads.filter(|_| matches!(kernel, Kernel::Plain | Kernel::Marked | Kernel::Local | Kernel::Few));
    device.launch(threads.into_iter().fold(launch, Launch::threads_per_block)).unwrap();
    assert!(device.download(&arrived).unwrap().iter().all(|&blocks| blocks == 0), "a launch leaves no trace");
    let (next, sums) = (device.download(&next).unwrap(), device.download(&sums).unwrap());
    Stepped {
        rows: (0..m).flat_map(|i| (0..d).map(move |c| c * query_stride + i)).map(|at| next[at]).collect(),
        totals: sums[..m].to_vec(),
        squared: sums[query_stride..][..m].to_vec(),
        state: device.download(&state).unwrap(),
    }
}
