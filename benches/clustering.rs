//! Whole fits, from points to labels: `cargo bench --bench clustering`.
//!
//! Work is counted in points. Ids are `device/fit_way/size`. Before it is timed, a fit's labels and modes are
//! compared: with the f64 oracle's for the lecture's case, with the true clusters for more.
//!
//! | ids | what |
//! |---|---|
//! | `fit_fused`, `fit_composed`, `fit_field` | the blurring form, by each method: the lecture's five iterations; until convergence |
//! | `fit_compact` | the blurring form with weights that end, of which whole boxes are summed at once on a processor |
//! | `fit_standard` | the standard form, every point a seed, until each has come to rest |
//! | `fit_bins` | the same from the occupied bins of a grid |
//! | `fit_meeting` | the blurring form in eight dimensions, of which two clusters draw each other in long after each is a point |
//! | `bandwidth` | the rule of the mean distance to the 20th neighbour |
//! | `predict`, `density` | of a map over the box about the points, most of it far from them, of a fit that is not timed; work is counted in places |
//!
//! The flat weight's fits are what scikit-learn's `MeanShift` does: its seeds, its tolerance, its rule of merging.
//! `scripts/beside-scikit-learn` measures both on the same points.

// Kernels need more of it.
#[allow(dead_code)]
mod measure;

use criterion::{Criterion, Throughput};
use modeseek::data::{Blobs, LabelledPoints};
use modeseek::{
    Assignment, Bandwidth, Clustering, Form, MeanShift, Merging, Method, Points, Seeding, WeightFunction, reference,
};

use measure::{Target, criterion, size, targets, wide};

/// The lecture's bandwidth.
const BANDWIDTH: f64 = 2.5;

/// The flat weight's radius: in two dimensions it has then the variance of a Gaussian of the lecture's bandwidth,
/// since a uniform disc of radius r has r^2 / 4 in each coordinate.
const RADIUS: f64 = 2.0 * BANDWIDTH;

const METHODS: [(&str, Method); 3] =
    [("fit_fused", Method::Fused), ("fit_composed", Method::Composed { batch: 1024 }), ("fit_field", Method::Field)];

fn main() {
    let mut criterion = criterion();
    for target in targets() {
        for (name, method) in METHODS {
            lecture(&mut criterion, &target, name, method);
            converged(&mut criterion, &target, name, method);
        }
        compact(&mut criterion, &target);
        standard(&mut criterion, &target);
        bins(&mut criterion, &target);
        map(&mut criterion, &target);
        meeting(&mut criterion, &target);
        neighbours(&mut criterion, &target);
    }
    criterion.final_summary();
}

fn blobs(points: usize) -> LabelledPoints {
    Blobs { points, clusters: 6, dimensions: 2, seed: 14 }.generate().expect("the sizes make sense")
}

/// The blurring form as the lecture has it.
fn blurring(method: Method) -> MeanShift {
    MeanShift::new().bandwidth(Bandwidth::Fixed(BANDWIDTH)).method(method)
}

/// The standard form with a Gaussian weight.
fn gaussian() -> MeanShift {
    MeanShift::new().form(Form::Standard).bandwidth(Bandwidth::Fixed(BANDWIDTH))
}

/// What scikit-learn computes.
fn flat() -> MeanShift {
    let estimator = MeanShift::new().form(Form::Standard).weight(WeightFunction::Flat).merging(Merging::Densest);
    estimator.bandwidth(Bandwidth::Fixed(RADIUS))
}

/// Five iterations of 1,500 points.
fn lecture(criterion: &mut Criterion, target: &Target, name: &str, method: Method) {
    let set = blobs(size(1500, 300));
    let points = Points::from_rows(&set.rows, 2).expect("the points are finite");
    let estimator = blurring(method).tolerance(0.0).max_iterations(5).on(&target.device);
    let found = fit(&estimator, &points);
    assert!((1..=5).contains(&found.iterations), "{} iterations", found.iterations);
    let all = wide(points.centred_rows());
    let (ends, _) = reference::mean_shift(&all, 2, WeightFunction::Gaussian, BANDWIDTH, 0.0, 5);
    for (end, label) in ends.chunks(2).zip(&found.labels) {
        let label = usize::try_from(*label).expect("no point is noise");
        let mode = &found.modes[label].position;
        let end: Vec<f64> = end.iter().zip(points.centre()).map(|(x, centre)| x + centre).collect();
        let distance = reference::Metric::L2.distance(&end, mode);
        assert!(distance <= BANDWIDTH / 4.0, "a point ends {distance} from its mode");
    }
    bench(criterion, target, name, &format!("n={},5-iterations", points.len()), &points, &estimator);
}

/// 10,000 points, until none moves more than the tolerance.
fn converged(criterion: &mut Criterion, target: &Target, name: &str, method: Method) {
    checked(criterion, target, name, "converged", size(10_000, 600), blurring(method));
}

/// Weights that are powers up to their end.
fn compact(criterion: &mut Criterion, target: &Target) {
    for (name, weight) in [
        ("flat", WeightFunction::Flat),
        ("epanechnikov", WeightFunction::Epanechnikov),
        ("biweight", WeightFunction::Biweight),
    ] {
        // A wider radius for few points in a test: all of a cluster within reach.
        let radius = size(BANDWIDTH, 4.0 * BANDWIDTH);
        let estimator = MeanShift::new().weight(weight).bandwidth(Bandwidth::Fixed(radius));
        checked(criterion, target, "fit_compact", name, size(100_000, 900), estimator);
    }
}

/// Every point a seed: the lecture's 1,500 points, and more.
fn standard(criterion: &mut Criterion, target: &Target) {
    for (weight, n, estimator) in [
        ("gaussian", size(1500, 500), gaussian()),
        ("gaussian", size(10_000, 600), gaussian()),
        ("flat", size(2000, 700), flat()),
        ("flat", size(10_000, 800), flat()),
    ] {
        checked(criterion, target, "fit_standard", weight, n, estimator);
    }
}

/// Few seeds, and many points.
fn bins(criterion: &mut Criterion, target: &Target) {
    let n = size(100_000, 900);
    checked(criterion, target, "fit_bins", "flat", n, flat().seeding(Seeding::Bins { min_frequency: 1 }));
}

/// Clusters that meet slowly, by all pairs too: the bandwidth is so large that some do.
fn meeting(criterion: &mut Criterion, target: &Target) {
    let (n, d) = (size(20_000, 600), 8);
    let set = Blobs { points: n, clusters: 6, dimensions: d, seed: 14 }.generate().expect("the sizes make sense");
    let points = Points::from_rows(&set.rows, d).expect("the points are finite");
    let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(18.0)).on(&target.device);
    let found = fit(&estimator, &points);
    assert!(found.converged && found.iterations > 20 && found.modes.len() < 6, "{} iterations", found.iterations);
    let exact = fit(&estimator.clone().method(Method::Fused), &points);
    assert_eq!(found.labels, exact.labels);
    bench(criterion, target, "fit_meeting", &format!("n={n},d={d}"), &points, &estimator);
}

/// A bandwidth by neighbours. Some of the points' neighbours are looked for among all of them.
fn neighbours(criterion: &mut Criterion, target: &Target) {
    let (n, k) = (size(100_000, 900), 20);
    let set = blobs(n);
    let points = Points::from_rows(&set.rows, 2).expect("the points are finite");
    let estimator = MeanShift::new().on(&target.device).bandwidth(Bandwidth::MeanNeighbour { k });
    let find = || estimator.estimate_bandwidth(&points).expect("the bandwidth is found");
    let rows = wide(&set.rows);
    let kth = |place: &[f64]| {
        let mut all: Vec<f64> = rows.chunks(2).map(|row| reference::Metric::L2.distance(place, row)).collect();
        *all.select_nth_unstable_by(k - 1, f64::total_cmp).1
    };
    let some: Vec<f64> = rows.chunks(2).step_by(size(397, 1)).map(kth).collect();
    let (found, expected) = (find(), some.iter().sum::<f64>() / some.len() as f64);
    // A sample's mean, of more points than are looked at in a test.
    let apart = size(0.1, 1e-5);
    assert!((found / expected - 1.0).abs() <= apart, "a bandwidth of {found}, not {expected}");
    let mut group = criterion.benchmark_group(format!("{}/bandwidth", target.name));
    group.throughput(Throughput::Elements(n as u64)).sample_size(10);
    group.bench_function(format!("n={n},k={k}"), |bencher| bencher.iter(find));
    group.finish();
}

/// What a fit says of places that are no points. Some of them are asked of all pairs too.
fn map(criterion: &mut Criterion, target: &Target) {
    let n = size(100_000, 900);
    let points = Points::from_rows(&blobs(n).rows, 2).expect("the points are finite");
    // Narrow against the extent of the points: far from most of the map.
    let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).on(&target.device);
    let fitted = fit(&estimator, &points);
    let side = size(300, 20);
    let place = |k: usize| 90.0 * k as f64 / side as f64 - 45.0;
    let map: Vec<[f64; 2]> = (0..side * side).map(|i| [place(i % side), place(i / side)]).collect();
    let exact = fit(&estimator.method(Method::Fused), &points);
    let few: Vec<[f64; 2]> = map.iter().copied().step_by(size(97, 7)).collect();
    let by_basin =
        |fitted: &Clustering, map: &[[f64; 2]]| fitted.predict(map, Assignment::Basin).expect("the labels are found");
    let densities = |fitted: &Clustering, map: &[[f64; 2]]| fitted.density(map).expect("the densities are found");
    let agreement = modeseek::agreement::adjusted_rand_index(&by_basin(&fitted, &few), &by_basin(&exact, &few));
    assert!(agreement >= 0.99, "the labels agree with those of all pairs by {agreement}");
    for (found, known) in densities(&fitted, &few).into_iter().zip(densities(&exact, &few)) {
        assert!((found - known).abs() <= 1e-3 * known, "a density of {found}, not {known}");
    }
    let mut group = criterion.benchmark_group(format!("{}/predict", target.name));
    group.throughput(Throughput::Elements(map.len() as u64)).sample_size(10);
    let size = format!("n={n},m={}", map.len());
    group.bench_function(&size, |bencher| bencher.iter(|| by_basin(&fitted, &map)));
    group.finish();
    let mut group = criterion.benchmark_group(format!("{}/density", target.name));
    group.throughput(Throughput::Elements(map.len() as u64)).sample_size(10);
    group.bench_function(&size, |bencher| bencher.iter(|| densities(&fitted, &map)));
    group.finish();
}

/// A fit until all has come to rest, whose labels are those of the true clusters.
fn checked(criterion: &mut Criterion, target: &Target, name: &str, kind: &str, n: usize, estimator: MeanShift) {
    let set = blobs(n);
    let points = Points::from_rows(&set.rows, 2).expect("the points are finite");
    let estimator = estimator.on(&target.device);
    let found = fit(&estimator, &points);
    assert!(found.converged, "{name}: {} iterations were not enough", found.iterations);
    let agreement = modeseek::agreement::adjusted_rand_index(&found.labels, &set.labels);
    assert!(agreement >= 0.99, "{name} {kind}, n = {n}: the labels agree with the true ones by {agreement}");
    bench(criterion, target, name, &format!("n={n},{kind}"), &points, &estimator);
}

fn fit(estimator: &MeanShift, points: &Points) -> Clustering {
    estimator.fit(points).expect("the fit succeeds")
}

fn bench(criterion: &mut Criterion, target: &Target, name: &str, size: &str, points: &Points, estimator: &MeanShift) {
    let mut group = criterion.benchmark_group(format!("{}/{name}", target.name));
    group.throughput(Throughput::Elements(points.len() as u64)).sample_size(10);
    group.bench_function(size, |bencher| bencher.iter(|| fit(estimator, points)));
    group.finish();
}
