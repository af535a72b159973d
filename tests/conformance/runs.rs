//! Whole runs against the oracle, and against each other.

use std::num::NonZero;

use cuda_std::machine::MachineKind;
use modeseek::agreement::adjusted_rand_index;
use modeseek::data::{Blobs, LabelledPoints};
use modeseek::executor::{CpuOptions, InterpreterOptions};
use modeseek::reference::{Metric, Pull};
use modeseek::{
    Bandwidth, Clustering, Device, Distance, Form, MeanShift, Merging, Method, Points, Seeding, WeightFunction,
};

use crate::check::{is_interpreted, random, wide};
use crate::steps::FUNCTIONS;

/// The lecture's case, with a seed whose centroids lie apart.
const LECTURE: Blobs = Blobs { points: 1500, clusters: 6, dimensions: 2, seed: 14 };

pub fn fixed(h: f64) -> MeanShift {
    MeanShift::new().bandwidth(Bandwidth::Fixed(h))
}

pub fn fit(device: &Device, estimator: &MeanShift, rows: &[f32], d: usize) -> Clustering {
    estimator.clone().on(device).fit(&Points::from_rows(rows, d).unwrap()).unwrap()
}

/// Five iterations at h = 2.5 bring every point onto its centroid's mode, and so does the triangular
/// weight at the radius that the lecture gives it, 8. (At 2.5 its support ends where the outermost
/// points still have no neighbour, and these stay alone.)
pub fn lecture(device: &Device) {
    let LabelledPoints { rows, labels, centroids } = LECTURE.generate().unwrap();
    let gaussian = fit(device, &fixed(2.5).max_iterations(5), &rows, 2);
    assert_eq!(gaussian.modes.len(), 6);
    assert_eq!(adjusted_rand_index(&gaussian.labels, &labels), 1.0);
    for mode in &gaussian.modes {
        let distance = |c: usize| (centroids[(0, c)] - mode.position[0]).hypot(centroids[(1, c)] - mode.position[1]);
        let nearest = (0..6).map(distance).fold(f64::INFINITY, f64::min);
        // The mean of 250 points with deviation sqrt 5 is known to 0.14 in each coordinate.
        assert!(nearest <= 0.6, "{mode:?} is {nearest} from its centroid");
        assert_eq!((mode.size, mode.weight), (250, 250.0));
    }
    let triangular = fixed(8.0).weight(WeightFunction::Triangular).max_iterations(5);
    assert_eq!(fit(device, &triangular, &rows, 2).labels, gaussian.labels);
}

/// Every distance, and the oracle's.
const DISTANCES: [(Distance, Metric); 4] = [
    (Distance::L2, Metric::L2),
    (Distance::L1, Metric::L1),
    (Distance::Lp(3.0), Metric::Lp(3.0)),
    (Distance::Cosine, Metric::Cosine),
];

/// A kind of fit. Marked points have sample weights, and bandwidths of their own where the distance allows it.
#[derive(Clone, Copy)]
struct Case {
    function: WeightFunction,
    distance: Distance,
    metric: Metric,
    d: usize,
    marked: bool,
}

/// A bandwidth at which the blobs of a case are found again.
fn bandwidth(function: WeightFunction, distance: Distance, d: usize) -> f64 {
    let reach = match function {
        WeightFunction::Gaussian => 3.5,
        // A tail that heavy pulls blobs together.
        WeightFunction::Own(_) => 1.0,
        _ => 9.0,
    };
    match distance {
        Distance::Cosine => reach * 0.01,
        Distance::L1 => reach * (d as f64).sqrt(),
        _ => reach,
    }
}

/// Points, and for each its sample weight and bandwidth.
struct Data {
    rows: Vec<f32>,
    d: usize,
    weights: Vec<f64>,
    bandwidths: Vec<f64>,
}

impl Data {
    fn new(n: usize, case: &Case) -> Self {
        let &Case { function, distance, d, marked, .. } = case;
        let rows = Blobs { points: n, clusters: 3, dimensions: d, seed: 3 }.generate().unwrap().rows;
        let mark = |values: [f64; 3], marked| (0..n).map(|i| if marked { values[i * 5 % 3] } else { 1.0 }).collect();
        // The cosine distance knows a single bandwidth.
        let parts: Vec<f64> = mark([1.0, 0.75, 1.25], marked && distance != Distance::Cosine);
        let bandwidths = parts.iter().map(|part| part * bandwidth(function, distance, d)).collect();
        Self { rows, d, weights: mark([1.0, 2.5, 0.5], marked), bandwidths }
    }

    fn estimator(&self, case: &Case) -> MeanShift {
        let estimator = match case.distance {
            _ if !case.marked => fixed(self.bandwidths[0]),
            Distance::Cosine => fixed(self.bandwidths[0]).sample_weights(self.weights.clone()),
            _ => MeanShift::new()
                .bandwidth(Bandwidth::PerPoint(self.bandwidths.clone()))
                .sample_weights(self.weights.clone()),
        };
        estimator.weight(case.function).distance(case.distance)
    }

    /// See `gpu/marks.rs`.
    fn factors(&self) -> Vec<f64> {
        let power = self.d as i32 + 2;
        self.weights
            .iter()
            .zip(&self.bandwidths)
            .map(|(weight, h)| weight * (self.bandwidths[0] / h).powi(power))
            .collect()
    }
}

/// One end for each cluster of ends that lie within `radius` of each other, and the number of its cluster for each.
fn gather(ends: &[Vec<f64>], metric: Metric, radius: f64) -> (Vec<usize>, Vec<usize>) {
    let (mut first, mut ids): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    for (i, end) in ends.iter().enumerate() {
        let near = first.iter().position(|&k| metric.distance(&ends[k], end) <= radius);
        ids.push(near.unwrap_or(first.len()));
        if near.is_none() {
            first.push(i);
        }
    }
    (first, ids)
}

/// A fit, and where the oracle's queries end: the same modes, at the same places, with the same points.
fn assert_ends(found: &Clustering, ends: &[Vec<f64>], (metric, h): (Metric, f64), tolerance: f64, what: &str) {
    let (first, ids) = gather(ends, metric, h / 4.0);
    assert_eq!(found.modes.len(), first.len(), "{what}");
    assert_eq!(adjusted_rand_index(&found.labels, &ids), 1.0, "{what}");
    for (i, &label) in found.labels.iter().enumerate() {
        let position = &found.modes[label as usize].position;
        let apart = metric.distance(position, &ends[i]);
        assert!(apart <= tolerance * h, "{what}: point {i} is {apart} from its mode");
    }
}

/// The ends of a run in the oracle: modes of directions are unit vectors.
fn rows_of(ends: &[f64], d: usize, metric: Metric) -> Vec<Vec<f64>> {
    let length = |row: &[f64]| if metric == Metric::Cosine { Metric::L2.distance(row, &vec![0.0; d]) } else { 1.0 };
    ends.chunks(d).map(|row| row.iter().map(|x| x / length(row)).collect()).collect()
}

/// What [`blurring_is_the_oracles`] and [`standard_is_the_oracles`] go through: every weight function with every
/// distance, plain and marked; and one and more dimensions than have kernels of their own.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (distance, metric) in DISTANCES {
        for function in FUNCTIONS {
            let plain = Case { function, distance, metric, d: 2, marked: false };
            cases.extend([plain, Case { d: 3, marked: true, ..plain }]);
        }
    }
    let (function, (distance, metric)) = (WeightFunction::Gaussian, DISTANCES[0]);
    for (d, marked) in [(1, false), (1, true), (6, false), (6, true)] {
        cases.push(Case { function, distance, metric, d, marked });
    }
    cases
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { function, distance, d, marked, .. } = self;
        write!(f, "{} {distance:?} d = {d} marked: {marked}", function.steps().name)
    }
}

/// Positions, labels and iterations of the blurring form.
pub fn blurring_is_the_oracles(device: &Device) {
    let n = if is_interpreted(device) { 30 } else { 120 };
    for case in cases() {
        let Case { function, distance, metric, d, .. } = case;
        let (h, what) = (bandwidth(function, distance, d), case.to_string());
        let data = Data::new(n, &case);
        let most = 12;
        let estimator = data.estimator(&case).max_iterations(most).tolerance(0.0);
        let found = fit(device, &estimator, &data.rows, d);
        // What they ended after, before `most` perhaps, is where they stay.
        assert!(found.iterations <= most && found.converged == (found.last_shift() == 0.0), "{what}");
        let (points, factors) = (directions(&data.rows, d, metric), data.factors());
        let pull = Pull { points: &points, d, metric, function, factors: &factors, bandwidths: &data.bandwidths };
        let ends = rows_of(&pull.blur(most), d, metric);
        assert_ends(&found, &ends, (metric, h), 1e-2, &what);
    }
}

/// The points as the estimator moves them: on the unit sphere for the cosine distance.
fn directions(rows: &[f32], d: usize, metric: Metric) -> Vec<f64> {
    rows_of(&wide(rows), d, metric).concat()
}

/// Positions, labels and every query's iterations of the standard form.
pub fn standard_is_the_oracles(device: &Device) {
    let n = if is_interpreted(device) { 30 } else { 120 };
    for case in cases() {
        let Case { function, distance, metric, d, .. } = case;
        let (h, what) = (bandwidth(function, distance, d), case.to_string());
        let data = Data::new(n, &case);
        let relaxation = if d == 2 && distance == Distance::L2 { 1.25 } else { 1.0 };
        let estimator =
            data.estimator(&case).form(Form::Standard).relaxation(relaxation).tolerance(1e-4).max_iterations(200);
        let found = fit(device, &estimator, &data.rows, d);
        let (points, factors) = (directions(&data.rows, d, metric), data.factors());
        let pull = Pull { points: &points, d, metric, function, factors: &factors, bandwidths: &data.bandwidths };
        // The scale of the steps: a bandwidth of each point is measured by their geometric mean.
        let unit = found.bandwidth;
        let tolerance = if metric == Metric::Cosine { (2.0 * 1e-4 * unit).sqrt() } else { 1e-4 * unit };
        let ends = pull.climb(&points, relaxation, tolerance, 200);
        assert_eq!(found.queries.len(), n);
        for (i, (query, (_, steps))) in found.queries.iter().zip(&ends).enumerate() {
            // A step at the tolerance may be above it in f32 and not in f64, or the other way.
            let close = query.iterations.abs_diff(*steps as u32) <= 1 + *steps as u32 / 20;
            assert!(query.converged && close, "{what}: query {i}: {query:?}, {steps} in f64");
            assert!(query.last_shift <= 1e-4, "{what}: {query:?}");
        }
        let longest = found.queries.iter().map(|query| query.iterations).max().unwrap() as usize;
        assert_eq!((found.iterations, found.converged), (longest, true), "{what}");
        let ends: Vec<_> = ends.into_iter().map(|(end, _)| end).collect();
        assert_ends(&found, &rows_of(&ends.concat(), d, metric), (metric, h), 5e-2, &what);
    }
}

/// Fused and composed agree, for batches that do not divide n, every weight function and dimension.
pub fn methods_agree(device: &Device) {
    // The interpreter executes a hundred instructions where the others have long finished.
    let (shapes, batches): (&[_], &[_]) = match is_interpreted(device) {
        false => (&[(1, 1), (300, 1), (301, 2), (150, 3), (100, 5)], &[7, 64, 1024]),
        true => (&[(1, 1), (97, 2), (50, 5)], &[31, 1024]),
    };
    for &(n, d) in shapes {
        let blobs = Blobs { points: n, clusters: 3.min(n), dimensions: d, seed: 4 };
        let rows = blobs.generate().unwrap().rows;
        for function in WeightFunction::ALL {
            let most = if is_interpreted(device) { 6 } else { 20 };
            let estimator = fixed(5.0).weight(function).max_iterations(most);
            let fused = fit(device, &estimator, &rows, d);
            for &batch in batches {
                let composed = fit(device, &estimator.clone().method(Method::Composed { batch }), &rows, d);
                assert_eq!(fused.labels, composed.labels, "{function:?} n = {n} d = {d} batch = {batch}");
                assert_eq!(composed.batch, Some(batch.min(n)));
                for (a, b) in fused.modes.iter().zip(&composed.modes) {
                    let apart = Metric::L2.distance(&a.position, &b.position);
                    assert!(apart <= 1e-3, "{function:?} n = {n} d = {d}: modes {apart} apart");
                }
            }
        }
    }
}

/// A million units from the origin the same clusters are found at the same place.
pub fn far_from_the_origin(device: &Device) {
    let rows = wide(&Blobs { points: 300, ..LECTURE }.generate().unwrap().rows);
    let far: Vec<f64> = rows.iter().map(|x| x + 1e6).collect();
    for form in [Form::Blurring, Form::Standard] {
        let estimator = fixed(2.5).form(form).max_iterations(20).on(device);
        let near = estimator.fit(&Points::from_rows(&rows, 2).unwrap()).unwrap();
        let far = estimator.fit(&Points::from_rows(&far, 2).unwrap()).unwrap();
        assert_eq!(near.labels, far.labels, "{form:?}");
        for (a, b) in near.modes.iter().zip(&far.modes) {
            for (a, b) in a.position.iter().zip(&b.position) {
                assert!((a + 1e6 - b).abs() <= 1e-4, "{form:?}: {a} {b}");
            }
        }
    }
}

/// One point, one dimension, duplicates, two far groups, an outlier.
pub fn degenerate_sets(device: &Device) {
    for form in [Form::Blurring, Form::Standard] {
        let estimator = fixed(1.0).form(form);
        let labels = |rows: &[f32], d| fit(device, &estimator, rows, d).labels;
        assert_eq!(labels(&[3.0], 1), [0]);
        assert_eq!(labels(&[3.0, -4.0, 5.0], 3), [0]);
        assert_eq!(labels(&[2.0; 64], 1), [0; 64]);
        assert_eq!(labels(&[2.0; 64], 2), [0; 32]);
        assert_eq!(labels(&[0.0, 0.1, 100.0], 1), [0, 0, 1]);
        assert_eq!(labels(&[0.0, 1e4, 0.1, 1e4, 0.2], 1), [0, 1, 0, 1, 0]);
        let still = fit(device, &estimator, &[7.0, 7.0], 1);
        assert_eq!((still.iterations, still.last_shift(), still.converged), (1, 0.0, true));
        assert_eq!(still.modes[0].position, [7.0]);
    }
}

/// What two fits have in common if they are the same, bit by bit.
fn assert_same(a: &Clustering, b: &Clustering, what: &str) {
    assert_eq!(a.labels, b.labels, "{what}");
    assert_eq!(a.modes, b.modes, "{what}");
    assert_eq!((&a.shifts, &a.queries), (&b.shifts, &b.queries), "{what}");
    assert_eq!((a.bandwidth, &a.bandwidth_per_dimension), (b.bandwidth, &b.bandwidth_per_dimension), "{what}");
}

/// The size of a block changes nothing in a fused step, not a bit.
pub fn block_sizes_agree(device: &Device) {
    let (n, most) = if is_interpreted(device) { (600, 2) } else { (1500, 5) };
    let rows = random(2 * n, 13).iter().map(|x| x * 20.0).collect::<Vec<_>>();
    let forms = [Form::Blurring, Form::Standard].map(|form| [(form, Method::Fused), (form, Method::Tiles)]);
    for (form, method) in forms.into_iter().flatten() {
        let estimator = fixed(1.5).form(form).method(method).max_iterations(most);
        let own = fit(device, &estimator, &rows, 2);
        for threads in [32, 96, 256] {
            let other = fit(device, &estimator.clone().threads_per_block(Some(threads)), &rows, 2);
            assert_same(&own, &other, &format!("{form:?} {method:?} {threads}"));
        }
    }
}

/// The same machine with other workers, or another schedule of its threads.
fn another(device: &Device) -> Device {
    match device.machine() {
        MachineKind::Gpu if is_interpreted(device) => {
            let (major, minor) = device.details().unwrap().compute_capability.unwrap();
            let options = InterpreterOptions { compute: 10 * major + minor, seed: 77, ..InterpreterOptions::default() };
            Device::interpreter(options).unwrap()
        }
        MachineKind::Gpu => device.clone(),
        machine => {
            let options = CpuOptions { workers: NonZero::new(7), machine: Some(machine) };
            Device::processor_with(options).unwrap()
        }
    }
}

/// Estimators of every kind: both forms, weights, seeds, rules of merging, estimated bandwidths.
fn estimators(n: usize) -> Vec<MeanShift> {
    let weights: Vec<f64> = (0..n).map(|i| (i % 5) as f64).collect();
    let standard = fixed(2.5).form(Form::Standard);
    vec![
        fixed(2.5),
        fixed(2.5).sample_weights(weights.clone()),
        fixed(2.5).method(Method::Composed { batch: 400 }),
        fixed(2.5).method(Method::Tiles).sample_weights(weights.clone()),
        fixed(2.5).method(Method::Tiles).weight(WeightFunction::Triangular),
        MeanShift::new().bandwidth(Bandwidth::Quantile { quantile: 0.2, sample: Some(200), seed: 1 }),
        MeanShift::new().bandwidth(Bandwidth::Neighbours { k: n / 5 }),
        MeanShift::new().bandwidth(Bandwidth::Scott).distance(Distance::L1).minimum_size(3),
        standard.clone(),
        standard.clone().sample_weights(weights),
        standard.clone().method(Method::Tiles),
        standard.clone().seeding(Seeding::Bins { min_frequency: 2 }),
        standard.clone().seeding(Seeding::Random { count: 40, seed: 2 }),
        standard.weight(WeightFunction::Flat).seeding(Seeding::Bins { min_frequency: 1 }).merging(Merging::Densest),
    ]
}

/// The same input on the same device gives the same bits: again, with other workers, in another order.
pub fn same_bits(device: &Device) {
    let n = if is_interpreted(device) { 150 } else { 1500 };
    let rows = Blobs { points: n, ..LECTURE }.generate().unwrap().rows;
    let another = another(device);
    for estimator in estimators(n) {
        let estimator = estimator.max_iterations(4);
        let (a, b) = (fit(device, &estimator, &rows, 2), fit(device, &estimator, &rows, 2));
        assert_same(&a, &b, &format!("{estimator:?} twice"));
        let b = fit(&another, &estimator, &rows, 2);
        assert_same(&a, &b, &format!("{estimator:?} otherwise"));
    }
}

/// The labels are those that the processor gives, and the modes lie where its do.
pub fn labels_of_any_device(device: &Device) {
    let n = if is_interpreted(device) { 150 } else { 1500 };
    let rows = Blobs { points: n, ..LECTURE }.generate().unwrap().rows;
    let processor = Device::processor().unwrap();
    for estimator in estimators(n) {
        let estimator = estimator.max_iterations(20);
        let (here, there) = (fit(device, &estimator, &rows, 2), fit(&processor, &estimator, &rows, 2));
        assert_eq!(here.labels, there.labels, "{estimator:?}");
        assert_eq!(here.modes.len(), there.modes.len(), "{estimator:?}");
        for (a, b) in here.modes.iter().zip(&there.modes) {
            assert_eq!(a.size, b.size, "{estimator:?}");
            let apart = Metric::L2.distance(&a.position, &b.position);
            assert!(apart <= 1e-3 * here.bandwidth, "{estimator:?}: modes {apart} apart");
        }
    }
}

/// Points go up once and nothing of their number comes back until the end: between, the host reads a few cells
/// after each eight iterations, or after each on the processor.
pub fn traffic(device: &Device) {
    let n = if is_interpreted(device) { 300 } else { 1500 };
    let rows = Blobs { points: n, ..LECTURE }.generate().unwrap().rows;
    let queue = if device.machine() == MachineKind::Gpu { 8 } else { 1 };
    for (form, launches) in [(Form::Blurring, 1), (Form::Standard, 2)] {
        let counts = |iterations| {
            let estimator = fixed(2.5).form(form).tolerance(0.0).max_iterations(iterations);
            let found = fit(device, &estimator, &rows, 2);
            assert_eq!(found.iterations, iterations, "{form:?}: too short a way");
            found.counts
        };
        // One iteration more is one look more, and as many launches as fit between two looks.
        let (few, many) = (counts(8), counts(9));
        assert_eq!((many.uploads - few.uploads, many.downloads - few.downloads), (0, 1), "{form:?}");
        let more = many.launches - few.launches;
        // A GPU replays them together, if its driver can.
        let replayed = queue == 8 && !device.describe().contains("interpreter") && more == 1;
        assert!(more == launches * queue || replayed, "{form:?}: {more} launches");
    }
}
