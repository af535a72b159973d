//! The fused steps: shift_{gaussian,triangular,flat}_{1,2,3,4,any}. Work is counted in pairs, n^2.

use criterion::{Criterion, Throughput};
use cuda_std::launch::Launch;
use cuda_std::machine::MachineKind;
use gpu::layout::STRIDE;
use gpu::weight::{Flat, Gaussian, Triangular, Weight};
use gpu::{shift, shift_any as any};
use modeseek::data::Blobs;
use modeseek::reference::{self, Metric};
use modeseek::{Buffer, Device, Points, WeightFunction};

use crate::measure::{ROUNDING, Target, assert_close, poisoned, processors, sample, size, time, upload, wide};
use crate::peers::{Peer, Peers};

/// Points of the main case, the Gaussian step for d = 2.
pub fn main_size() -> usize {
    size(20_000, 500)
}

/// Points as the fused steps take them: scaled, by columns, padded.
pub struct Columns {
    pub n: usize,
    pub d: usize,
    pub stride: usize,
    pub values: Vec<f32>,
    function: WeightFunction,
    /// The bandwidth in the units of the scaled coordinates.
    pub bandwidth: f64,
}

/// The lecture's clusters.
pub fn clusters(n: usize, d: usize) -> Points {
    let set = Blobs { points: n, clusters: 6, dimensions: d, seed: 14 }.generate().expect("the sizes make sense");
    Points::from_rows(&set.rows, d).expect("the points are finite")
}

/// The lecture's 2.5 for two dimensions, growing as distances do; in units of the data.
pub fn bandwidth(d: usize) -> f64 {
    2.5 * (d as f64 / 2.0).sqrt()
}

impl Columns {
    /// The lecture's clusters, on a grid that puts no distance at the flat weight's step, where f32 and
    /// f64 may differ.
    pub fn new(n: usize, d: usize, function: WeightFunction) -> Self {
        Self::scaled(&clusters(n, d), function, |x| (x * 64.0).round() / 64.0 * 1.003)
    }

    /// These points as they are.
    pub fn of(points: &Points, function: WeightFunction) -> Self {
        Self::scaled(points, function, |x| x)
    }

    fn scaled(points: &Points, function: WeightFunction, place: fn(f64) -> f64) -> Self {
        let (n, d) = (points.len(), points.dimensions());
        let scaled_bandwidth = match function {
            WeightFunction::Gaussian => Gaussian::SCALE,
            WeightFunction::Triangular => Triangular::SCALE,
            WeightFunction::Flat => Flat::SCALE,
        };
        let scale = scaled_bandwidth / bandwidth(d);
        let stride = n.next_multiple_of(STRIDE);
        let mut values = vec![0.0; stride * d];
        for (i, row) in points.centred_rows().chunks(d).enumerate() {
            for (c, x) in row.iter().enumerate() {
                values[c * stride + i] = place(f64::from(*x) * scale) as f32;
            }
        }
        Self { n, d, stride, values, function, bandwidth: scaled_bandwidth }
    }

    /// Some points, by rows.
    fn rows(&self, columns: &[f32], which: impl Iterator<Item = usize>) -> Vec<f32> {
        which.flat_map(|i| (0..self.d).map(move |c| columns[c * self.stride + i])).collect()
    }

    /// Column c without its padding.
    pub fn column(&self, c: usize) -> &[f32] {
        &self.values[c * self.stride..][..self.n]
    }

    /// Some moved points, by rows, and where the oracle moves them: `all` of them, or `which`.
    pub fn beside_oracle(&self, moved: &[f32], which: Option<&[usize]>) -> (Vec<f32>, Vec<f64>) {
        let (n, d) = (self.n, self.d);
        let all = wide(&self.rows(&self.values, 0..n));
        let Some(which) = which else {
            return (self.rows(moved, 0..n), reference::shift(&all, d, self.function, self.bandwidth));
        };
        let weight = |&distance: &f64| reference::weight(self.function, distance, self.bandwidth);
        // One at a time: the distances of many to a million points would not fit.
        let expected = which.iter().flat_map(|i| {
            let distances = reference::pairwise(&all[i * d..][..d], &all, d, Metric::L2);
            let weights: Vec<f64> = distances.iter().map(weight).collect();
            reference::reduce_weighted(&weights, &all, n, d)
        });
        (self.rows(moved, which.iter().copied()), expected.collect())
    }

    /// How far a moved point may be from where the oracle moves it.
    ///
    /// Positions are f32, so that a rounding is up to 2^-24 of the extent; sums have at most as many
    /// roundings as there are points of a tile and tiles, nearly all of which cancel.
    pub fn tolerance(&self) -> f64 {
        let extent =
            (0..self.d).flat_map(|c| self.column(c)).fold(0.0, |extent: f64, x| extent.max(f64::from(x.abs())));
        128.0 * ROUNDING * extent
    }

    /// Compares moved points with the oracle: all of a small set, some of a large one.
    pub fn check(&self, moved: &[f32], what: &str) {
        let which = (self.n > 1000).then(|| sample(self.n));
        let (found, expected) = self.beside_oracle(moved, which.as_deref());
        assert_close(&found, &expected, self.tolerance(), what);
    }

    /// Points by columns without padding, padded.
    pub fn padded(&self, moved: &[f32]) -> Vec<f32> {
        let mut padded = vec![f32::NAN; self.stride * self.d];
        for (c, column) in moved.chunks(self.n).enumerate() {
            padded[c * self.stride..][..self.n].copy_from_slice(column);
        }
        padded
    }

    /// Compares points by columns without padding.
    pub fn check_unpadded(&self, moved: &[f32], what: &str) {
        self.check(&self.padded(moved), what);
    }
}

/// A kernel's launch for n, d and stride.
pub type Step = for<'a> fn(&'a Buffer<f32>, &'a mut Buffer<f32>, &'a mut Buffer<u32>, [u32; 3]) -> Launch<'a>;

macro_rules! steps {
    ($($family:ident::$kernel:ident: $function:ident $(, $d:ident)?;)*) => {
        [$((
            stringify!($kernel),
            WeightFunction::$function,
            (|from, to, moved, [n, _d, stride]| {
                $family::$kernel::launch(from, to, moved, n, $(steps!(@ $d _d),)? stride, 0, 0.0)
            }) as Step,
        )),*]
    };
    (@ d $d:ident) => { $d };
}

/// Steps for 1, 2, 3, 4 dimensions, in that order for each weight.
pub const SPECIALISED: [(&str, WeightFunction, Step); 12] = steps! {
    shift::shift_gaussian_1: Gaussian;
    shift::shift_gaussian_2: Gaussian;
    shift::shift_gaussian_3: Gaussian;
    shift::shift_gaussian_4: Gaussian;
    shift::shift_triangular_1: Triangular;
    shift::shift_triangular_2: Triangular;
    shift::shift_triangular_3: Triangular;
    shift::shift_triangular_4: Triangular;
    shift::shift_flat_1: Flat;
    shift::shift_flat_2: Flat;
    shift::shift_flat_3: Flat;
    shift::shift_flat_4: Flat;
};

pub const GENERAL: [(&str, WeightFunction, Step); 3] = steps! {
    any::shift_gaussian_any: Gaussian, d;
    any::shift_triangular_any: Triangular, d;
    any::shift_flat_any: Flat, d;
};

/// One step of these points, from the beginning.
fn run(device: &Device, columns: &Columns, step: Step) -> Vec<f32> {
    let from = upload(device, &columns.values);
    let mut to = poisoned(device, columns.values.len());
    let mut moved = device.zeros::<u32>(1).expect("there is enough memory");
    device.launch(step(&from, &mut to, &mut moved, sizes(columns))).expect("the launch succeeds");
    device.download(&to).expect("the launch succeeds")
}

/// n, d and stride as kernels take them.
pub fn sizes(columns: &Columns) -> [u32; 3] {
    [columns.n, columns.d, columns.stride].map(|size| size as u32)
}

/// Checks a kernel at a small size and at this one, and times it.
fn bench(
    criterion: &mut Criterion,
    target: &Target,
    (kernel, function, step): (&str, WeightFunction, Step),
    n: usize,
    d: usize,
) {
    let device = &target.device;
    let small = Columns::new(333, d, function);
    small.check(&run(device, &small, step), kernel);
    let columns = Columns::new(n, d, function);
    columns.check(&run(device, &columns, step), kernel);

    let from = upload(device, &columns.values);
    let mut to = poisoned(device, columns.values.len());
    let mut moved = device.zeros::<u32>(1).expect("there is enough memory");
    let pairs = Throughput::Elements((n * n) as u64);
    time(criterion, target, kernel, &format!("n={n},d={d}"), pairs, |device| {
        device.launch(step(&from, &mut to, &mut moved, sizes(&columns))).expect("the launch succeeds");
    });
}

/// The main case on every kind of processor, on one worker and on all, each beside its peer in C.
pub fn beside_peers(criterion: &mut Criterion) {
    let kernel = SPECIALISED[1];
    let peers = Peers::compile();
    for target in processors() {
        // A tenth of the speed wants fewer points.
        let n = if target.device.machine() == MachineKind::Baseline { main_size() * 2 / 5 } else { main_size() };
        bench(criterion, &target, kernel, n, 2);
        if let Some(peer) = peers.of(&target.name) {
            bench_peer(criterion, peer, n);
        }
    }
    peers.bench_peak(criterion);
}

fn bench_peer(criterion: &mut Criterion, peer: &Peer, n: usize) {
    let small = Columns::new(1000, 2, WeightFunction::Gaussian);
    small.check_unpadded(&peer.moved(&small), &peer.name);
    let columns = Columns::new(n, 2, WeightFunction::Gaussian);
    columns.check_unpadded(&peer.moved(&columns), &peer.name);
    peer.bench_shift(criterion, &columns);
}

/// Every fused step.
pub fn all(criterion: &mut Criterion, target: &Target) {
    for (index, kernel) in SPECIALISED.into_iter().enumerate() {
        let n = if index == 1 { main_size() } else { size(8_000, 300) };
        bench(criterion, target, kernel, n, index % 4 + 1);
    }
    for kernel in GENERAL {
        for d in [8, 32, 64] {
            bench(criterion, target, kernel, size(4_000, 200), d);
        }
    }
}
