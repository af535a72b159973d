//! What is far is left out: whole runs against all pairs. Steps: within_reach.rs. The order of points: arranged.rs.

use cuda_std::machine::MachineKind;
use modeseek::data::Blobs;
use modeseek::mean_shift::labels::count_within;
use modeseek::mean_shift::near::reach;
use modeseek::{
    Assignment, Bandwidth, Clustering, Device, Distance, Form, MeanShift, Merging, Method, Seeding, WeightFunction,
};

use crate::check::{is_interpreted, random};
use crate::labels::Set as Points;
use crate::runs::{fit, fixed};

/// Points of whole fits on the interpreter, which takes seconds for each thousand pairs: a box of 64, and a part of another.
const TWO_BOXES: usize = 100;

/// Whether whole fits are left to another machine: to the interpreter of the newest PTX those of an older one's, whose kernels have
/// tests of their own, and those of the stand-in driver, which the same interpreter is behind.
fn leaves_fits(device: &Device) -> bool {
    let name = device.describe();
    is_interpreted(device) && (name.contains("compute capability 7.5") || !name.contains("interpreter"))
}

/// After one iteration every query has gone as far as with all pairs; and after many, the clusters are the same.
fn assert_same_run(
    device: &Device,
    rows: &[f32],
    (d, h): (usize, f64),
    adapt: impl Fn(MeanShift) -> MeanShift,
    what: &str,
) {
    let most = if is_interpreted(device) { 5 } else { 50 };
    for form in [Form::Blurring, Form::Standard] {
        for function in [WeightFunction::Gaussian, WeightFunction::Triangular, WeightFunction::Epanechnikov] {
            let estimator = |method, iterations| {
                adapt(fixed(h).form(form).weight(function).method(method).max_iterations(iterations))
            };
            let what = format!("{what}, {form:?}, {function:?}");
            let [all, near] = [Method::Fused, Method::Tiles].map(|method| fit(device, &estimator(method, 1), rows, d));
            for (i, (a, b)) in all.queries.iter().zip(&near.queries).enumerate() {
                let apart = (a.last_shift - b.last_shift).abs();
                // What is left out, and the roundings of coordinates.
                assert!(apart <= 1e-4 + 1e-3 * a.last_shift, "{what}: query {i}: {b:?}, not {a:?}");
            }
            let [all, near] =
                [Method::Fused, Method::Tiles].map(|method| fit(device, &estimator(method, most), rows, d));
            assert_same_clusters(&all, &near, h, &what);
            let pairs = near.pairs.unwrap();
            assert!(pairs.kept <= pairs.all && pairs.first > 0, "{what}: {pairs:?}");
            assert!(pairs.first <= pairs.kept && pairs.ideal > 0, "{what}: {pairs:?}");
            // A sample is off by some percent.
            assert!(pairs.ideal as f64 <= 1.2 * pairs.first as f64, "{what}: {pairs:?}");
            assert_eq!(all.pairs, None);
        }
    }
}

fn assert_same_clusters(all: &Clustering, near: &Clustering, h: f64, what: &str) {
    assert_eq!(all.labels, near.labels, "{what}");
    assert!(all.iterations.abs_diff(near.iterations) <= 1, "{what}: {} {}", all.iterations, near.iterations);
    for (a, b) in all.modes.iter().zip(&near.modes) {
        assert_eq!((a.size, a.weight), (b.size, b.weight), "{what}");
        for (x, y) in a.position.iter().zip(&b.position) {
            assert!((x - y).abs() <= 5e-3 * h + 1e-6 * x.abs(), "{what}: {b:?}, not {a:?}");
        }
    }
}

/// Blobs of every dimension that has kernels of its own, and of more; some with weights, one of them 0.
pub fn tiles_are_all_pairs(device: &Device) {
    if leaves_fits(device) {
        return;
    }
    let n = if is_interpreted(device) { TWO_BOXES } else { 700 };
    let weights: Vec<f64> = (0..n).map(|i| (i % 5) as f64).collect();
    let few = [(1, None), (2, None), (2, Some(&weights[..])), (3, None), (4, None)];
    for (d, weights) in few.into_iter().chain([(5, Some(&weights[..])), (8, None), (40, None)]) {
        if is_interpreted(device) && d % 2 == 1 {
            continue;
        }
        let rows = Blobs { points: n, clusters: 4, dimensions: d, seed: 14 }.generate().unwrap().rows;
        let what = format!("blobs, d = {d}, weighted: {}", weights.is_some());
        let weigh = |estimator: MeanShift| weights.iter().fold(estimator, |all, &weights| all.sample_weights(weights));
        let h = if d > 8 { 16.0 } else { 2.0 + d as f64 };
        assert_same_run(device, &rows, (d, h), weigh, &what);
    }
}

/// Other norms, the angle between points, and bandwidths of points, among which neighbours have different ones.
pub fn tiles_of_norms_and_bandwidths(device: &Device) {
    if leaves_fits(device) {
        return;
    }
    let n = if is_interpreted(device) { TWO_BOXES } else { 700 };
    for d in [2, 6] {
        let rows = Blobs { points: n, clusters: 4, dimensions: d, seed: 14 }.generate().unwrap().rows;
        let h = 2.0 + d as f64;
        for (distance, h) in [(Distance::L1, 1.5 * h), (Distance::Lp(3.0), h), (Distance::Cosine, 0.02)] {
            if is_interpreted(device) && (d == 2) == (distance == Distance::L1) {
                continue;
            }
            let what = format!("blobs, d = {d}, {distance:?}");
            assert_same_run(device, &rows, (d, h), |estimator| estimator.distance(distance), &what);
        }
        for factors in [[1.0, 0.7, 1.3, 1.0], [1.0, 0.3, 3.0, 1.0]] {
            let each: Vec<f64> = (0..n).map(|i| h * factors[i % 4]).collect();
            let own = |estimator: MeanShift| estimator.bandwidth(Bandwidth::PerPoint(each.clone()));
            assert_same_run(device, &rows, (d, h), own, &format!("blobs, d = {d}, bandwidths times {factors:?}"));
        }
    }
}

/// Sets with nothing to order by, or with everything in one place.
pub fn tiles_of_hard_sets(device: &Device) {
    if leaves_fits(device) {
        return;
    }
    let n = if is_interpreted(device) { TWO_BOXES } else { 600 };
    let noise = random(2 * n, 51);
    let heavy = |x: &f32| (f64::from(*x) * 1.57).tan() as f32;
    let angle = |i: usize| i as f32 / n as f32 * std::f32::consts::TAU;
    let blob = |i: usize| noise[i] * 2.0;
    let sets: Vec<(&str, Vec<f32>, f64)> = vec![
        ("one", vec![3.0, -4.0], 1.0),
        ("two near", vec![3.0, -4.0, 3.5, -4.0], 1.0),
        ("two far", vec![3.0, -4.0, 30.0, -4.0], 1.0),
        ("all equal", [0.7, -0.3].repeat(n), 1.0),
        ("duplicates", (0..n).flat_map(|i| [(i % 7) as f32 * 1.5, (i % 3) as f32 * 4.0]).collect(), 1.0),
        ("far outlier", (0..2 * n).map(|k| if k < 2 { 1e5 } else { blob(k) }).collect(), 1.0),
        (
            "two clusters 1e6 bandwidths apart",
            (0..2 * n).map(|k| blob(k) + if k % 4 < 2 { 0.0 } else { 1e6 }).collect(),
            1.0,
        ),
        // Spacings of an eighth of the bandwidth, which is the side of a cell, and of a bandwidth.
        ("cell borders", (0..n).flat_map(|i| [(i % 16) as f32 * 0.125, (i / 16) as f32 * 0.125]).collect(), 1.0),
        ("a line", (0..n).flat_map(|i| [i as f32 * 0.02, i as f32 * 0.01]).collect(), 1.0),
        ("a ring", (0..n).flat_map(|i| [10.0 * angle(i).cos(), 10.0 * angle(i).sin()]).collect(), 1.0),
        ("noise", noise.iter().map(|x| x * 10.0).collect(), 1.0),
        ("heavy tails", noise.iter().map(heavy).collect(), 1.0),
    ];
    for (what, rows, h) in sets {
        // Of these a rounding decides where queries go after some steps: without a mode, or on its border.
        let settled = !["cell borders", "a line", "a ring", "noise", "heavy tails"].contains(&what);
        if settled {
            assert_same_run(device, &rows, (2, h), |estimator| estimator, what);
            continue;
        }
        for form in [Form::Blurring, Form::Standard] {
            for function in WeightFunction::ALL {
                let fits = [Method::Fused, Method::Tiles].map(|method| {
                    let steps = if function == WeightFunction::Flat { 1 } else { 3 };
                    fit(device, &fixed(h).form(form).weight(function).method(method).max_iterations(steps), &rows, 2)
                });
                let [all, near] = &fits;
                for (i, (a, b)) in all.queries.iter().zip(&near.queries).enumerate() {
                    // Of the flat weight a rounding may take a point on the border.
                    let border = function == WeightFunction::Flat && what == "cell borders";
                    let apart = (a.last_shift - b.last_shift).abs();
                    assert!(
                        apart <= if border { 0.2 } else { 4e-4 },
                        "{what}, {form:?}, {function:?}: {i}: {b:?}, not {a:?}"
                    );
                }
            }
        }
    }
}

/// Seeds of every kind, both rules of merging, labels of either kind, and new points.
pub fn tiles_of_seeds_and_new_points(device: &Device) {
    if leaves_fits(device) {
        return;
    }
    let n = if is_interpreted(device) { TWO_BOXES } else { 900 };
    let rows = Blobs { points: n, clusters: 4, dimensions: 2, seed: 14 }.generate().unwrap().rows;
    let others = Blobs { points: 97, clusters: 4, dimensions: 2, seed: 14 }.generate().unwrap().rows;
    let at = modeseek::Points::from_rows(&others, 2).unwrap();
    let seedings = [
        Seeding::EveryPoint,
        Seeding::Bins { min_frequency: 2 },
        Seeding::Random { count: 20, seed: 1 },
        Seeding::At(at.clone()),
    ];
    for (seeding, function) in seedings.into_iter().flat_map(|seeding| {
        [WeightFunction::Gaussian, WeightFunction::Triangular].map(move |function| (seeding.clone(), function))
    }) {
        for assignment in [Assignment::NearestMode, Assignment::Basin] {
            let what = format!("{seeding:?}, {function:?}, {assignment:?}");
            let h = if function == WeightFunction::Gaussian { 2.5 } else { 6.0 };
            let standard = fixed(h).form(Form::Standard).weight(function).max_iterations(100);
            let estimator = standard.seeding(seeding.clone()).assignment(assignment);
            let [all, near] =
                [Method::Fused, Method::Tiles].map(|method| fit(device, &estimator.clone().method(method), &rows, 2));
            assert_same_clusters(&all, &near, h, &what);
            assert_eq!(all.predict(&at, assignment).unwrap(), near.predict(&at, assignment).unwrap(), "{what}");
            let densest = estimator.merging(Merging::Densest);
            let [all, near] =
                [Method::Fused, Method::Tiles].map(|method| fit(device, &densest.clone().method(method), &rows, 2));
            assert_eq!(all.labels, near.labels, "{what}, densest");
        }
    }
}

/// Pairs that are computed are few times the true neighbours.
pub fn kept_pairs(device: &Device) {
    let n = if is_interpreted(device) { 1000 } else { 20_000 };
    for (d, most) in [(2, 4.0), (3, 8.0)] {
        if is_interpreted(device) && d > 2 {
            continue;
        }
        let rows: Vec<f32> = random(n * d, 95).iter().map(|x| x * 20.0).collect();
        let set = Points::new(device, rows.clone(), d);
        for form in [Form::Blurring, Form::Standard] {
            let h = if d == 2 { 3.0 } else { 6.0 };
            let estimator = fixed(h).weight(WeightFunction::Triangular).form(form).method(Method::Tiles);
            let found = fit(device, &estimator.max_iterations(1), &rows, d);
            let counts = count_within(device, set.columns(), set.columns(), None, 2.0, h).unwrap();
            let near: u64 = device.download(&counts).unwrap().iter().map(|&count| u64::from(count)).sum();
            let pairs = found.pairs.unwrap();
            assert_eq!(pairs.all, (n * n) as u64);
            // There was one iteration; and a sample of points without clusters is good.
            assert_eq!(pairs.first, pairs.kept);
            let sampled = pairs.ideal as f64 / near as f64;
            assert!((0.9..=1.1).contains(&sampled), "d = {d}, {form:?}: {sampled} times the {near} true pairs");
            let times = pairs.kept as f64 / near as f64;
            eprintln!(
                "{}: d = {d}, {form:?}: {times:.2} times the {near} true pairs of {}",
                device.describe(),
                pairs.all
            );
            // A set so small has boxes that are as wide as the bandwidth.
            let most = if is_interpreted(device) { 3.0 * most } else { most };
            assert!(times >= 1.0 && times <= most, "d = {d}, {form:?}: {times} times {near}");
        }
    }
    // In many dimensions clusters are told apart, though no box is small.
    let (n, d) = if is_interpreted(device) { (640, 5) } else { (12_800, 70) };
    let clusters = n / 320;
    let rows = Blobs { points: n, clusters, dimensions: d, seed: 14 }.generate().unwrap().rows;
    for form in [Form::Blurring, Form::Standard] {
        let estimator = fixed(4.0).weight(WeightFunction::Flat).form(form).method(Method::Tiles).max_iterations(1);
        let pairs = fit(device, &estimator, &rows, d).pairs.unwrap();
        let of_clusters = pairs.kept as f64 * clusters as f64 / pairs.all as f64;
        eprintln!(
            "{}: {form:?}, {clusters} clusters, d = {d}: {of_clusters:.2} times a cluster each",
            device.describe()
        );
        assert!(of_clusters <= 3.0, "d = {d}, {form:?}: {pairs:?}");
    }
    // The reach of the Gaussian is the smallest that keeps the bound.
    assert!(reach(1e5, 1e-4) < 7.0);
}

/// Beyond 16 dimensions far tiles are left out unless about all pairs are within reach, or steps over all pairs are quicker.
pub fn ways_in_many_dimensions(device: &Device) {
    if is_interpreted(device) {
        return;
    }
    let (n, d) = (4200, 40);
    let rows = Blobs { points: n, clusters: 6, dimensions: d, seed: 14 }.generate().unwrap().rows;
    let way = |estimator: MeanShift| {
        let [found, all] =
            [Method::Auto, Method::Fused].map(|method| fit(device, &estimator.clone().method(method), &rows, d));
        assert_same_clusters(&all, &found, 16.0, &found.path.reason);
        (found.path.name, found.path.reason)
    };
    for form in [Form::Blurring, Form::Standard] {
        // By differences in any case, as tensor cores weigh by the Gaussian alone.
        let (name, reason) = way(fixed(20.0).weight(WeightFunction::Flat).form(form));
        assert_eq!(name, "tiles", "{reason}");
        let (name, reason) = way(fixed(500.0).form(form));
        if device.machine() == MachineKind::Gpu && device.has(&gpu::shift_tensor::shift_tensor_64::KERNEL) {
            assert!(name == "all pairs" && reason.contains("take longer for a pair"), "{reason}");
        } else if form == Form::Standard {
            assert!(name == "all pairs" && reason.contains("100 % of the pairs are within reach"), "{reason}");
        } else {
            assert_eq!(name, "tiles", "{reason}");
        }
    }
}

/// Enough pairs for all of them to be taken in order, some of points that are equal, beside the same points with weights of 1,
/// which are never put in order.
pub fn all_pairs_in_order(device: &Device) {
    if is_interpreted(device) {
        // It would take minutes; the step itself is compared there.
        return;
    }
    let n = if device.machine() == MachineKind::Gpu { 33_000 } else { 8_200 };
    for (d, equal) in [(2, 0), (3, 0), (2, 50)] {
        let mut rows = Blobs { points: n, clusters: 4, dimensions: d, seed: 14 }.generate().unwrap().rows;
        rows.copy_within(..equal * d, (n - equal) * d);
        for form in [Form::Blurring, Form::Standard] {
            let what = format!("d = {d}, {equal} equal, {form:?}");
            let estimator = fixed(2.5).form(form).method(Method::Fused).max_iterations(3);
            let ordered = fit(device, &estimator, &rows, d);
            let plain = fit(device, &estimator.clone().sample_weights(vec![1.0; n]), &rows, d);
            assert_eq!(ordered.path.reason, "asked for; in order", "{what}");
            assert_eq!((plain.path.name, &plain.path.reason[..]), (ordered.path.name, "asked for"), "{what}");
            assert_eq!((ordered.pairs, ordered.labels), (None, plain.labels), "{what}");
            for (a, b) in ordered.queries.iter().zip(&plain.queries) {
                assert_eq!(a.iterations, b.iterations, "{what}");
                assert!((a.last_shift - b.last_shift).abs() <= 2e-5, "{what}: {a:?}, not {b:?}");
            }
            for (a, b) in ordered.modes.iter().zip(&plain.modes) {
                assert_eq!(a.size, b.size, "{what}");
                assert!(
                    a.position.iter().zip(&b.position).all(|(x, y)| (x - y).abs() <= 1e-4),
                    "{what}: {a:?}, not {b:?}"
                );
            }
        }
    }
}
