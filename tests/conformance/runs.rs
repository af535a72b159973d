//! Whole runs against the oracle, and against each other.

use modeseek::agreement::adjusted_rand_index;
use modeseek::data::{Blobs, LabelledPoints};
use modeseek::{Clustering, Device, MeanShift, Method, Points, WeightFunction, reference};

use crate::check::{random, wide};

/// The lecture's case, with a seed whose centroids lie apart.
const LECTURE: Blobs = Blobs { points: 1500, clusters: 6, dimensions: 2, seed: 14 };

fn fit(device: &Device, estimator: &MeanShift, rows: &[f32], d: usize) -> Clustering {
    estimator.fit(device, &Points::from_rows(rows, d).unwrap()).unwrap()
}

fn interpreted(device: &Device) -> bool {
    device.describe().contains("interpreter")
}

/// Five iterations at h = 2.5 bring every point onto its centroid's mode, and so does the triangular
/// weight at the radius that the lecture gives it, 8. (At 2.5 its support ends where the outermost
/// points still have no neighbour, and these stay alone.)
pub fn lecture(device: &Device) {
    let LabelledPoints { rows, labels, centroids } = LECTURE.generate().unwrap();
    let gaussian = fit(device, &MeanShift::new(2.5).max_iterations(5), &rows, 2);
    assert_eq!(gaussian.modes.len(), 6);
    assert_eq!(adjusted_rand_index(&gaussian.labels, &labels), 1.0);
    for mode in &gaussian.modes {
        let distance = |c: usize| (centroids[(0, c)] - mode.position[0]).hypot(centroids[(1, c)] - mode.position[1]);
        let nearest = (0..6).map(distance).fold(f64::INFINITY, f64::min);
        // The mean of 250 points with deviation sqrt 5 is known to 0.14 in each coordinate.
        assert!(nearest <= 0.6, "{mode:?} is {nearest} from its centroid");
        assert_eq!(mode.size, 250);
    }
    let triangular = MeanShift::new(8.0).weight(WeightFunction::Triangular).max_iterations(5);
    assert_eq!(fit(device, &triangular, &rows, 2).labels, gaussian.labels);
}

/// Positions and the number of steps, for every weight function and several dimensions.
pub fn against_the_oracle(device: &Device) {
    for d in [1, 2, 3, 4, 6] {
        let blobs = Blobs { points: 150, clusters: 3, dimensions: d, seed: 3 };
        let rows = blobs.generate().unwrap().rows;
        for function in [WeightFunction::Gaussian, WeightFunction::Triangular] {
            let h = if function == WeightFunction::Gaussian { 4.0 } else { 9.0 };
            let estimator = MeanShift::new(h).weight(function).max_iterations(6).tolerance(0.0);
            let found = fit(device, &estimator, &rows, d);
            let (expected, _) = reference::mean_shift(&wide(&rows), d, function, h, 0.0, 6);
            for (i, &label) in found.labels.iter().enumerate() {
                let mode = &found.modes[label as usize];
                let apart = reference::Metric::L2.distance(&mode.position, &expected[i * d..][..d]);
                // A mode is the mean of what has met: within the merging radius while points still move.
                assert!(apart <= h / 2.0, "{function:?} d = {d}: point {i} is {apart} from its mode");
            }
            let labels: Vec<u32> = expected_labels(&expected, d, h / 2.0);
            assert_eq!(adjusted_rand_index(&found.labels, &labels), 1.0, "{function:?} d = {d}");
        }
    }
}

/// Labels by chains of end positions within the radius, all pairs.
fn expected_labels(ends: &[f64], d: usize, radius: f64) -> Vec<u32> {
    let n = ends.len() / d;
    let mut labels: Vec<u32> = (0..n as u32).collect();
    let near = |a: usize, b: usize| reference::Metric::L2.distance(&ends[a * d..][..d], &ends[b * d..][..d]) <= radius;
    loop {
        let mut changed = false;
        for a in 0..n {
            for b in 0..n {
                if near(a, b) && labels[b] < labels[a] {
                    labels[a] = labels[b];
                    changed = true;
                }
            }
        }
        if !changed {
            return labels;
        }
    }
}

/// Fused and composed agree, for batches that do not divide n, every weight function and dimension.
pub fn methods_agree(device: &Device) {
    // The interpreter executes a hundred instructions where the others have long finished.
    let (shapes, batches): (&[_], &[_]) = match interpreted(device) {
        false => (&[(1, 1), (300, 1), (301, 2), (150, 3), (100, 5)], &[7, 64, 1024]),
        true => (&[(1, 1), (97, 2), (50, 5)], &[31, 1024]),
    };
    for &(n, d) in shapes {
        let blobs = Blobs { points: n, clusters: 3.min(n), dimensions: d, seed: 4 };
        let rows = blobs.generate().unwrap().rows;
        for function in [WeightFunction::Gaussian, WeightFunction::Triangular, WeightFunction::Flat] {
            let most = if interpreted(device) { 6 } else { 20 };
            let estimator = MeanShift::new(5.0).weight(function).max_iterations(most);
            let fused = fit(device, &estimator, &rows, d);
            for &batch in batches {
                let composed = fit(device, &estimator.clone().method(Method::Composed { batch }), &rows, d);
                assert_eq!(fused.labels, composed.labels, "{function:?} n = {n} d = {d} batch = {batch}");
                for (a, b) in fused.modes.iter().zip(&composed.modes) {
                    let apart = reference::Metric::L2.distance(&a.position, &b.position);
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
    let estimator = MeanShift::new(2.5);
    let near = estimator.fit(device, &Points::from_rows(&rows, 2).unwrap()).unwrap();
    let far = estimator.fit(device, &Points::from_rows(&far, 2).unwrap()).unwrap();
    assert_eq!(near.labels, far.labels);
    for (a, b) in near.modes.iter().zip(&far.modes) {
        for (a, b) in a.position.iter().zip(&b.position) {
            assert!((a + 1e6 - b).abs() <= 1e-4, "{a} {b}");
        }
    }
}

/// One point, one dimension, duplicates, two far groups, an outlier.
pub fn degenerate_sets(device: &Device) {
    let estimator = MeanShift::new(1.0);
    let labels = |rows: &[f32], d| fit(device, &estimator, rows, d).labels;
    assert_eq!(labels(&[3.0], 1), [0]);
    assert_eq!(labels(&[3.0, -4.0, 5.0], 3), [0]);
    assert_eq!(labels(&[2.0; 64], 1), [0; 64]);
    assert_eq!(labels(&[2.0; 64], 2), [0; 32]);
    assert_eq!(labels(&[0.0, 0.1, 100.0], 1), [0, 0, 1]);
    assert_eq!(labels(&[0.0, 1e4, 0.1, 1e4, 0.2], 1), [0, 1, 0, 1, 0]);
    let still = fit(device, &estimator, &[7.0, 7.0], 1);
    assert_eq!((still.iterations, still.last_shift, still.converged), (1, 0.0, true));
    assert_eq!(still.modes[0].position, [7.0]);
}

/// The size of a block changes nothing in a fused step, not a bit.
pub fn block_sizes_agree(device: &Device) {
    let rows = random(2 * 1500, 13).iter().map(|x| x * 20.0).collect::<Vec<_>>();
    let estimator = MeanShift::new(1.5).max_iterations(5);
    let own = fit(device, &estimator, &rows, 2);
    for threads in [32, 96, 256] {
        let other = fit(device, &estimator.clone().threads_per_block(Some(threads)), &rows, 2);
        assert_eq!(own.labels, other.labels);
        assert_eq!(own.modes, other.modes);
        assert_eq!(own.last_shift, other.last_shift);
    }
}

/// The same input on the same device gives the same bits.
pub fn same_bits_twice(device: &Device) {
    let rows = LECTURE.generate().unwrap().rows;
    for method in [Method::Fused, Method::Composed { batch: 400 }] {
        let estimator = MeanShift::new(2.5).max_iterations(3).method(method);
        let (a, b) = (fit(device, &estimator, &rows, 2), fit(device, &estimator, &rows, 2));
        assert_eq!((a.labels, a.modes, a.last_shift), (b.labels, b.modes, b.last_shift));
    }
}

/// One upload, one download of points; between them the host reads a number an iteration at most.
pub fn traffic(device: &Device) {
    let rows = LECTURE.generate().unwrap().rows;
    let fused = fit(device, &MeanShift::new(2.5).tolerance(0.0).max_iterations(16), &rows, 2);
    assert_eq!(fused.counts.uploads, 1);
    // Steps are queued by eight, and the host looks after each eight; then the points.
    let looks = (fused.iterations as u64).div_ceil(8);
    assert_eq!(fused.counts.downloads, looks + 1);
    assert_eq!(fused.counts.launches, 2 + 8 * looks);
}
