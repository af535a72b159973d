//! The fused steps of every weight function: shift_{weight}[_marked]_{1,2,3,4,8,16,32,any}. Work is counted in pairs, n^2.

use criterion::{Criterion, Throughput};
use cuda_std::machine::MachineKind;
use gpu::layout::STRIDE;
use gpu::progress::{ACTIVE, HISTORY};
use gpu::shift_any::Norm;
use gpu::shift_wide;
use gpu::steps::{Call, Sizes, Step};
use modeseek::data::Blobs;
use modeseek::mean_shift::labels;
use modeseek::mean_shift::near::{self, Boxes, Purpose};
use modeseek::mean_shift::slices::Slices;
use modeseek::reference::{self, Metric};
use modeseek::{Buffer, Device, Points, Result, WeightFunction};

use crate::measure::{ROUNDING, Target, assert_close, processors, sample, size, time, wide};
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

/// The bandwidth of a weight. Those that end would reach no other point in many dimensions, and a run without moves is over.
fn bandwidth_of(function: WeightFunction, d: usize) -> f64 {
    bandwidth(d) * if d > 32 && function != WeightFunction::Gaussian { 4.0 } else { 1.0 }
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
        let scaled_bandwidth = function.steps().scale;
        let scale = scaled_bandwidth / bandwidth_of(function, d);
        let stride = n.next_multiple_of(STRIDE);
        let mut values = vec![0.0; stride * d];
        for (i, row) in points.centred_rows().chunks(d).enumerate() {
            for (c, x) in row.iter().enumerate() {
                values[c * stride + i] = place(f64::from(*x) * scale) as f32;
            }
        }
        Self { n, d, stride, values, function, bandwidth: scaled_bandwidth }
    }

    /// The same points in order, as the estimator takes them.
    pub fn in_order(mut self) -> Result<Self> {
        let device = Device::processor()?;
        let values = device.upload(&self.values)?;
        let points = labels::Columns { values: &values, n: self.n, d: self.d, stride: self.stride };
        let wanted = near::Wanted { side: self.bandwidth / 8.0, others: self.n, equal: false };
        let order = device.download(&near::order(&device, points, wanted)?)?;
        let before = std::mem::take(&mut self.values);
        self.values = before
            .chunks(self.stride)
            .flat_map(|column| {
                let ordered = order.iter().map(|&i| column[i as usize]);
                ordered.chain(std::iter::repeat(0.0)).take(self.stride).collect::<Vec<_>>()
            })
            .collect();
        Ok(self)
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

/// A kernel of the family: what it computes, and for which points.
#[derive(Clone, Copy)]
pub struct Kernel {
    pub function: WeightFunction,
    pub d: usize,
    /// Whether points have weights and bandwidths of their own: here all of them 1.
    pub marked: bool,
}

impl Kernel {
    pub fn new(function: WeightFunction, d: usize) -> Self {
        Self { function, d, marked: false }
    }

    /// The name of the kernel that a machine runs.
    pub fn name(self, machine: MachineKind) -> String {
        let weight = self.function.steps().name.to_lowercase();
        let marked = if self.marked { "_marked" } else { "" };
        let kind = match shift_wide::instance(machine, self.d as u32) {
            _ if self.d <= 4 => self.d.to_string(),
            Some(which) if !self.marked => shift_wide::WIDTHS[which].to_string(),
            _ => "any".to_owned(),
        };
        format!("shift_{weight}{marked}_{kind}")
    }

    fn step(self, machine: MachineKind) -> Step {
        self.function.steps().choose(machine, self.d as u32, Norm::L2, self.marked)
    }
}

/// Blurring steps that can be repeated: always of the same points, from one buffer to another.
pub struct Blurring {
    device: Device,
    step: Step,
    sizes: Sizes,
    from: Buffer<f32>,
    marks: Buffer<f32>,
    to: Buffer<f32>,
    sums: Buffer<f32>,
    state: Buffer<u32>,
    slices: Slices,
    /// Of points in order: their boxes, found anew before each step.
    boxes: Option<Boxes>,
    /// Steps since the state was new.
    made: u32,
}

impl Blurring {
    /// Steps until the state must be made new; after them a kernel would return at once.
    pub const LIMIT: u32 = 10_000;

    /// Uploads the points. What the kernel is to write is poisoned.
    pub fn new(device: &Device, columns: &Columns, kernel: Kernel) -> Result<Self> {
        let [n, d, stride] = [columns.n, columns.d, columns.stride].map(|size| size as u32);
        let poisoned = |len: usize| device.upload(&vec![f32::NAN; len]);
        Ok(Self {
            device: device.clone(),
            step: kernel.step(device.machine()),
            sizes: Sizes { n, d, stride, query_stride: stride, most: n },
            from: device.upload(&columns.values)?,
            marks: device.upload(&vec![1.0; if kernel.marked { 2 * columns.stride } else { 0 }])?,
            to: poisoned(columns.values.len())?,
            sums: poisoned(2 * columns.stride)?,
            state: begun(device, n, Self::LIMIT)?,
            slices: Slices::new(device, (n, n), d, Norm::L2, kernel.marked)?,
            boxes: None,
            made: 0,
        })
    }

    /// The same for points in order, by the step that takes fewer operations in small boxes.
    pub fn in_order(device: &Device, columns: &Columns, kernel: Kernel) -> Result<Self> {
        let steps = Self::new(device, columns, kernel)?;
        let (weight, norm, reach2) = (kernel.function.steps(), Norm::L2, f32::INFINITY);
        let purpose = Purpose {
            steps: weight,
            norm,
            reach2,
            allowed: 0.0,
            marked: false,
            scaled: false,
            threads_per_block: None,
        };
        let boxes = Boxes::new(device, (columns.n, columns.n, columns.d), purpose)?;
        let step = weight.choose_near(columns.d as u32, norm, false);
        Ok(Self { step, boxes: Some(boxes), ..steps })
    }

    /// The same by the step with a warp for each query.
    pub fn of_few(device: &Device, columns: &Columns, kernel: Kernel) -> Result<Self> {
        let step = kernel.function.steps().few[columns.d - 1];
        let slices = Slices::none(device, columns.n as u32)?;
        Ok(Self { step, slices, ..Self::new(device, columns, kernel)? })
    }

    /// The state of a run that has made no step.
    pub fn begin(&mut self) -> Result<()> {
        self.state = begun(&self.device, self.sizes.n, Self::LIMIT)?;
        self.made = 0;
        Ok(())
    }

    /// One step of the points, as the estimator launches it. A tolerance of 0 ends no run of points that move.
    pub fn launch(&mut self) -> Result<()> {
        if self.made == Self::LIMIT {
            self.begin()?;
        }
        self.made += 1;
        let Self { device, step, sizes, from, marks, to, sums, state, slices, boxes, .. } = self;
        if let Some(boxes) = boxes {
            let [n, d, stride] = [sizes.n, sizes.d, sizes.stride].map(|size| size as usize);
            boxes.of_points(device, labels::Columns { values: from, n, d, stride }, marks)?;
        }
        device.launch(step(Call {
            queries: &*from,
            points: &*from,
            marks: &*marks,
            next: to,
            sums,
            state,
            sizes: *sizes,
            limit: Self::LIMIT,
            tolerance: 0.0,
            relaxation: 1.0,
            norm: Norm::L2,
            near: boxes.as_ref().map(Boxes::as_call),
            slices: slices.lend(),
        }))
    }

    /// Where the last step moved the points, by columns.
    pub fn moved(&self) -> Result<Vec<f32>> {
        self.device.download(&self.to)
    }

    /// The largest squared shift that the first step since the state was new has noted.
    pub fn noted(&self) -> Result<f32> {
        Ok(f32::from_bits(self.device.download_first(&self.state, HISTORY + 1)?[HISTORY]))
    }
}

/// The state of a run of n points that has made no iteration, and makes so many at most: see gpu/progress.rs.
pub fn begun(device: &Device, n: u32, limit: u32) -> Result<Buffer<u32>> {
    let mut cells = vec![0; HISTORY + limit as usize];
    cells[ACTIVE] = n;
    device.upload(&cells)
}

/// Checks a kernel at a small size and at this one, and times it.
fn bench(criterion: &mut Criterion, target: &Target, kernel: Kernel, n: usize) {
    let (device, name, d) = (&target.device, kernel.name(target.device.machine()), kernel.d);
    let small = Columns::new(333, d, kernel.function);
    let mut steps = Blurring::new(device, &small, kernel).expect("there is enough memory");
    steps.launch().expect("the launch succeeds");
    small.check(&steps.moved().expect("the launch succeeds"), &name);
    let columns = Columns::new(n, d, kernel.function);
    let mut steps = Blurring::new(device, &columns, kernel).expect("there is enough memory");
    steps.launch().expect("the launch succeeds");
    columns.check(&steps.moved().expect("the launch succeeds"), &name);
    // Of few points, which are only tried, none may have a neighbour.
    let moves = steps.noted().expect("the launch succeeds") > 0.0;
    assert!(moves || n < 1000, "{name}: nothing moves, and further steps do nothing");

    let pairs = Throughput::Elements((n * n) as u64);
    time(criterion, target, &name, &format!("n={n},d={d}"), pairs, |_| {
        steps.launch().expect("the launch succeeds");
    });
}

/// The main case on every kind of processor, on one worker and on all, each beside its peer in C.
pub fn beside_peers(criterion: &mut Criterion) {
    let kernel = Kernel::new(WeightFunction::Gaussian, 2);
    let peers = Peers::compile();
    for target in processors() {
        // A tenth of the speed wants fewer points.
        let n = if target.device.machine() == MachineKind::Baseline { main_size() * 2 / 5 } else { main_size() };
        bench(criterion, &target, kernel, n);
        // Others than the best are compiled too, and nobody else looks at them.
        for d in [3, 4] {
            bench(criterion, &target, Kernel::new(WeightFunction::Gaussian, d), n / 2);
        }
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

/// Every fused step: of each weight for 1, 2, 3, 4 and more dimensions, and of marked points with one weight.
pub fn all(criterion: &mut Criterion, target: &Target) {
    for function in WeightFunction::ALL {
        for d in 1..=4 {
            let n = if (function, d) == (WeightFunction::Gaussian, 2) { main_size() } else { size(8_000, 300) };
            bench(criterion, target, Kernel::new(function, d), n);
        }
        for d in [8, 16, 32, 64] {
            bench(criterion, target, Kernel::new(function, d), size(4_000, 200));
        }
    }
    for (d, n) in [(2, size(8_000, 300)), (32, size(4_000, 200))] {
        bench(criterion, target, Kernel { marked: true, ..Kernel::new(WeightFunction::Gaussian, d) }, n);
    }
}
