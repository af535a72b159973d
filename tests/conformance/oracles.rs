//! Whole runs against the oracle in f64: every weight function, distance and form.

use modeseek::agreement::adjusted_rand_index;
use modeseek::data::Blobs;
use modeseek::reference::{Metric, Pull};
use modeseek::{Bandwidth, Clustering, Device, Distance, Form, MeanShift, WeightFunction};

use crate::check::{is_interpreted, wide};
use crate::runs::{fit, fixed};
use crate::steps::FUNCTIONS;

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
        // Within the least bandwidth of a blob's points lies the whole blob: a query has one end, where its blob's others
        // have theirs. Narrower, there are ends all over a blob; wider, blobs touch.
        WeightFunction::Flat if d == 3 && distance != Distance::Cosine => 12.5,
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
    assert!(first.len() > 1 || metric == Metric::Cosine, "{what}: one mode tells little");
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

/// Positions and labels of the blurring form, whose iterations are those that it took, or all that it had.
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
        assert_eq!(found.converged, found.last_shift() == 0.0, "{what}");
        assert!(found.converged || found.iterations == most, "{what}: {} iterations", found.iterations);
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
