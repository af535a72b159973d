//! Whole runs against each other, and what they have to find. Against the oracle: oracles.rs.

use std::num::NonZero;
use std::ops::ControlFlow;

use cuda_std::machine::MachineKind;
use modeseek::agreement::adjusted_rand_index;
use modeseek::data::{Blobs, LabelledPoints};
use modeseek::executor::{CpuOptions, InterpreterOptions};
use modeseek::reference::Metric;
use modeseek::{
    Assignment, Bandwidth, Clustering, Device, Distance, Form, Iteration, MeanShift, Merging, Method, Points, Seeding,
    WeightFunction,
};

use crate::check::{is_interpreted, random, wide};

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

/// Estimators that leave out far tiles.
fn estimators_by_tiles(n: usize) -> Vec<MeanShift> {
    let weights: Vec<f64> = (0..n).map(|i| (i % 5) as f64).collect();
    let tiles = fixed(2.5).method(Method::Tiles);
    vec![
        tiles.clone().sample_weights(weights),
        tiles.clone().weight(WeightFunction::Triangular),
        tiles.form(Form::Standard),
    ]
}

/// Estimators of every other kind: both forms, weights, seeds, rules of merging, estimated bandwidths.
fn estimators(n: usize) -> Vec<MeanShift> {
    let weights: Vec<f64> = (0..n).map(|i| (i % 5) as f64).collect();
    let standard = fixed(2.5).form(Form::Standard);
    vec![
        fixed(2.5),
        fixed(2.5).sample_weights(weights.clone()),
        fixed(2.5).method(Method::Composed { batch: 400 }),
        MeanShift::new().bandwidth(Bandwidth::Quantile { quantile: 0.2, sample: Some(200), seed: 1 }),
        MeanShift::new().bandwidth(Bandwidth::Neighbours { k: n / 5 }),
        MeanShift::new().bandwidth(Bandwidth::Scott).distance(Distance::L1).minimum_size(3),
        MeanShift::new().bandwidth(Bandwidth::PerDimension(vec![2.5, 3.5])),
        fixed(2.5).distance(Distance::Lp(3.0)),
        fixed(0.02).distance(Distance::Cosine),
        standard.clone(),
        standard.clone().bandwidth(Bandwidth::PerDimension(vec![2.5, 3.5])),
        standard.clone().distance(Distance::Lp(1.5)),
        standard.clone().bandwidth(Bandwidth::Fixed(0.02)).distance(Distance::Cosine),
        standard.clone().sample_weights(weights),
        standard.clone().seeding(Seeding::Bins { min_frequency: 2 }),
        standard.clone().seeding(Seeding::Random { count: 40, seed: 2 }),
        standard.clone().seeding(Seeding::Random { count: 40, seed: 2 }).assignment(Assignment::Basin),
        standard.clone().seeding(Seeding::Bins { min_frequency: 2 }).assignment(Assignment::Basin),
        standard.weight(WeightFunction::Flat).seeding(Seeding::Bins { min_frequency: 1 }).merging(Merging::Densest),
    ]
}

/// The same input on the same device gives the same bits: again, with other workers, in another order.
pub fn same_bits(device: &Device) {
    same_bits_over_all_pairs(device);
    same_bits_of(device, estimators_by_tiles);
}

/// The same where no tile is left out: kernels of others, which take all pairs, give the bits of ours.
pub fn same_bits_over_all_pairs(device: &Device) {
    same_bits_of(device, estimators);
}

fn same_bits_of(device: &Device, estimators: impl Fn(usize) -> Vec<MeanShift>) {
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

/// Threads that fit at the same time on one device get what each gets alone.
pub fn threads_share_a_device(device: &Device) {
    let n = if is_interpreted(device) { 60 } else { 600 };
    let sets: Vec<_> = (0..4).map(|seed| Blobs { points: n, seed, ..LECTURE }.generate().unwrap().rows).collect();
    for form in [Form::Blurring, Form::Standard] {
        let estimator = fixed(2.5).form(form).max_iterations(12);
        let alone: Vec<_> = sets.iter().map(|rows| fit(device, &estimator, rows, 2)).collect();
        std::thread::scope(|scope| {
            let (device, estimator) = (device, &estimator);
            let together: Vec<_> =
                sets.iter().map(|rows| scope.spawn(move || fit(device, estimator, rows, 2))).collect();
            for (alone, together) in alone.iter().zip(together) {
                assert_same(alone, &together.join().expect("a fit"), &format!("{form:?}"));
            }
        });
    }
}

/// The labels are those that the processor gives, and the modes lie where its do; so are those of new points.
pub fn labels_of_any_device(device: &Device) {
    let n = if is_interpreted(device) { 150 } else { 1500 };
    let rows = Blobs { points: n, ..LECTURE }.generate().unwrap().rows;
    let new = Blobs { points: n / 3, seed: 15, ..LECTURE }.generate().unwrap().rows;
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
        let at = Points::from_rows(&new, 2).unwrap();
        for assignment in [Assignment::Basin, Assignment::NearestMode] {
            let [here, there] = [&here, &there].map(|found| found.predict(&at, assignment).unwrap());
            assert_eq!(here, there, "{estimator:?}: {assignment:?}");
        }
    }
}

/// Who stops is told of nothing more, and gets what the device had done until then: on a GPU what was queued, too.
pub fn cancelled_runs(device: &Device) {
    let n = if is_interpreted(device) { 90 } else { 600 };
    let rows = Blobs { points: n, ..LECTURE }.generate().unwrap().rows;
    let points = Points::from_rows(&rows, 2).unwrap();
    for form in [Form::Blurring, Form::Standard] {
        for method in [Method::Fused, Method::Tiles] {
            let estimator = fixed(2.5).form(form).method(method).tolerance(0.0).max_iterations(60).on(device);
            let mut told = Vec::new();
            let watch = |iteration: Iteration| {
                told.push(iteration.number);
                if iteration.number == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let found = estimator.fit_watched(&points, watch).unwrap();
            let what = format!("{form:?} {method:?}: {} iterations", found.iterations);
            assert_eq!((told, found.cancelled, found.converged), (vec![1, 2, 3], true, false), "{what}");
            let most = if device.machine() == MachineKind::Gpu { 18 } else { 3 };
            assert!((3..=most).contains(&found.iterations) && found.shifts.len() == found.iterations, "{what}");
            // Labels are the nearest mode's where a fit was cancelled, which they are here in any case.
            let short = estimator.clone().max_iterations(found.iterations).fit(&points).unwrap();
            assert_eq!(
                (&found.shifts, &found.labels, &found.modes),
                (&short.shifts, &short.labels, &short.modes),
                "{what}"
            );
        }
    }
}

/// Points go up once and nothing of their number comes back until the end: between, the host reads a few cells
/// after each eight iterations, or after each on the processor.
pub fn traffic(device: &Device) {
    let n = if is_interpreted(device) { 300 } else { 1500 };
    let rows = Blobs { points: n, ..LECTURE }.generate().unwrap().rows;
    let looks = if device.machine() == MachineKind::Gpu { 1 } else { 8 };
    for (form, launches) in [(Form::Blurring, 1), (Form::Standard, 2)] {
        let counts = |iterations| {
            let estimator = fixed(2.5).form(form).method(Method::Fused).tolerance(0.0).max_iterations(iterations);
            let found = fit(device, &estimator, &rows, 2);
            assert_eq!(found.iterations, iterations, "{form:?}: too short a way");
            found.counts
        };
        let (few, many) = (counts(8), counts(16));
        assert_eq!((many.uploads - few.uploads, many.downloads - few.downloads), (0, looks), "{form:?}");
        let more = many.launches - few.launches;
        // A GPU replays them together, if its driver can.
        let replayed = looks == 1 && !device.describe().contains("interpreter") && more == 1;
        assert!(more == launches * 8 || replayed, "{form:?}: {more} launches");
    }
}
