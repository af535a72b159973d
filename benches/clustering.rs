//! Whole fits, from points to labels: `cargo bench --bench clustering`.
//!
//! Work is counted in points. Ids are `device/fit_method/size`. Before it is timed, a fit's labels and
//! modes are compared: with the f64 oracle's for the lecture's case, with the true clusters for more.

// Kernels need more of it.
#[allow(dead_code)]
mod measure;

use criterion::{Criterion, Throughput};
use modeseek::data::{Blobs, LabelledPoints};
use modeseek::{Clustering, MeanShift, Method, Points, WeightFunction, reference};

use measure::{Target, criterion, size, targets, wide};

/// The lecture's bandwidth.
const BANDWIDTH: f64 = 2.5;

const METHODS: [(&str, Method); 2] = [("fit_fused", Method::Fused), ("fit_composed", Method::Composed { batch: 1024 })];

fn main() {
    let mut criterion = criterion();
    for target in targets() {
        for (name, method) in METHODS {
            lecture(&mut criterion, &target, name, method);
            converged(&mut criterion, &target, name, method);
        }
    }
    criterion.final_summary();
}

fn blobs(points: usize) -> LabelledPoints {
    Blobs { points, clusters: 6, dimensions: 2, seed: 14 }.generate().expect("the sizes make sense")
}

/// Five iterations of 1,500 points.
fn lecture(criterion: &mut Criterion, target: &Target, name: &str, method: Method) {
    let set = blobs(size(1500, 300));
    let points = Points::from_rows(&set.rows, 2).expect("the points are finite");
    let estimator = MeanShift::new(BANDWIDTH).tolerance(0.0).max_iterations(5).method(method);
    let found = fit(&estimator, target, &points);
    assert!((1..=5).contains(&found.iterations), "{} iterations", found.iterations);
    let all = wide(points.centred_rows());
    let (ends, _) = reference::mean_shift(&all, 2, WeightFunction::Gaussian, BANDWIDTH, 0.0, 5);
    for (end, label) in ends.chunks(2).zip(&found.labels) {
        let mode = &found.modes[*label as usize].position;
        let end: Vec<f64> = end.iter().zip(points.centre()).map(|(x, centre)| x + centre).collect();
        let distance = reference::Metric::L2.distance(&end, mode);
        assert!(distance <= BANDWIDTH / 4.0, "a point ends {distance} from its mode");
    }
    bench(criterion, target, name, &format!("n={},5-iterations", points.len()), &points, &estimator);
}

/// 10,000 points, until none moves more than the tolerance.
fn converged(criterion: &mut Criterion, target: &Target, name: &str, method: Method) {
    let set = blobs(size(10_000, 600));
    let points = Points::from_rows(&set.rows, 2).expect("the points are finite");
    let estimator = MeanShift::new(BANDWIDTH).method(method);
    let found = fit(&estimator, target, &points);
    assert!(found.converged, "{} iterations were not enough", found.iterations);
    let agreement = modeseek::agreement::adjusted_rand_index(&found.labels, &set.labels);
    assert!(agreement >= 0.99, "the labels agree with the true ones by {agreement}");
    bench(criterion, target, name, &format!("n={},converged", points.len()), &points, &estimator);
}

fn fit(estimator: &MeanShift, target: &Target, points: &Points) -> Clustering {
    estimator.fit(&target.device, points).expect("the fit succeeds")
}

fn bench(criterion: &mut Criterion, target: &Target, name: &str, size: &str, points: &Points, estimator: &MeanShift) {
    let mut group = criterion.benchmark_group(format!("{}/{name}", target.name));
    group.throughput(Throughput::Elements(points.len() as u64)).sample_size(10);
    group.bench_function(size, |bencher| bencher.iter(|| fit(estimator, target, points)));
    group.finish();
}
