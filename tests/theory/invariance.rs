//! What changes the points changes the result in the same way, and nothing else.

use modeseek::{Bandwidth, Clustering, Distance, MeanShift};

use super::{DEVICE, Set, distance, estimators, shuffled};

/// How far positions may be off, in bandwidths, where coordinates were rounded anew or sums run in another order.
/// Iterations end at steps of 1e-3 bandwidth, and those that end one earlier are that much off.
const APART: f64 = 2e-3;

#[track_caller]
fn same_modes(what: &str, found: &Clustering, expected: &Clustering, place: impl Fn(&[f64]) -> Vec<f64>, unit: f64) {
    assert_eq!(found.modes.len(), expected.modes.len(), "{what}");
    for (found, expected) in found.modes.iter().zip(&expected.modes) {
        assert_eq!(found.size, expected.size, "{what}");
        for (found, expected) in [(&found.position, &expected.position), (&found.centre, &expected.centre)] {
            let apart = distance(found, &place(expected)) / unit;
            assert!(apart <= APART, "{what}: {found:?} is {apart} bandwidths from {:?}", place(expected));
        }
    }
}

fn fit(estimator: &MeanShift, set: &Set) -> Clustering {
    estimator.fit(&set.points()).unwrap()
}

/// Whole numbers leave every coordinate as exact as it was, so that all of the arithmetic stays the same.
#[test]
fn translation_moves_positions_alone() {
    for d in [1, 2, 3, 5] {
        let set = Set::clouds(d);
        let offset = |c: usize| [1024.0, -512.0, 2048.0, 0.0, 64.0][c];
        let moved = set.map(|c, x| x + offset(c));
        for (what, estimator, _) in estimators(d) {
            let (before, after) = (fit(&estimator, &set), fit(&estimator, &moved));
            let what = format!("{what}, d = {d}");
            assert_eq!(before.labels, after.labels, "{what}");
            assert_eq!((&before.shifts, &before.queries), (&after.shifts, &after.queries), "{what}");
            assert_eq!(before.bandwidth.to_bits(), after.bandwidth.to_bits(), "{what}");
            let place = |x: &[f64]| x.iter().enumerate().map(|(c, x)| x + offset(c)).collect();
            same_modes(&what, &after, &before, place, before.bandwidth);
        }
    }
}

/// The 2-norm knows no direction. (Bandwidths of dimensions do.)
#[test]
fn rotation_moves_positions_alone() {
    for d in [2, 3, 5] {
        let set = Set::clouds(d);
        // In the plane of the first and the last coordinate.
        let (sin, cos) = 0.7_f64.sin_cos();
        let rotate = |x: &[f64]| {
            let mut turned = x.to_vec();
            (turned[0], turned[d - 1]) = (cos * x[0] - sin * x[d - 1], sin * x[0] + cos * x[d - 1]);
            turned
        };
        let turned = Set { rows: set.rows.chunks(d).flat_map(rotate).collect(), d };
        for (what, estimator, norm) in estimators(d) {
            if norm != Distance::L2 || what == "Scott" {
                continue;
            }
            let (before, after) = (fit(&estimator, &set), fit(&estimator, &turned));
            let what = format!("{what}, d = {d}");
            assert_eq!(before.labels, after.labels, "{what}");
            assert!((after.bandwidth / before.bandwidth - 1.0).abs() <= 1e-5, "{what}");
            same_modes(&what, &after, &before, rotate, before.bandwidth);
        }
    }
}

#[test]
fn the_order_of_points_does_not_matter() {
    for d in [1, 2, 5] {
        let set = Set::clouds(d);
        let order = shuffled(set.len());
        let mixed = set.at(&order);
        for (what, estimator, _) in estimators(d) {
            let (before, after) = (fit(&estimator, &set), fit(&estimator, &mixed));
            let what = format!("{what}, d = {d}");
            let labels: Vec<i32> = order.iter().map(|&i| before.labels[i]).collect();
            assert_eq!(labels, after.labels, "{what}");
            same_modes(&what, &after, &before, <[f64]>::to_vec, before.bandwidth);
        }
    }
}

/// By a power of two, every float gets another exponent and nothing else; by another number it is rounded anew.
#[test]
fn scaling_points_and_bandwidth_together_changes_nothing() {
    for d in [1, 2, 5] {
        let set = Set::clouds(d);
        for (what, estimator, _) in estimators(d) {
            let before = fit(&estimator, &set);
            for times in [8.0, 1.0 / 64.0, 3.7] {
                let what = format!("{what}, d = {d}, times {times}");
                // Bandwidths that are estimated must follow by themselves.
                let estimator = match before.bandwidth_from.as_str() {
                    "given" => estimator.clone().bandwidth(Bandwidth::Fixed(before.bandwidth * times)),
                    _ => estimator.clone(),
                };
                let after = fit(&estimator, &set.map(|_, x| x * times));
                assert_eq!(before.labels, after.labels, "{what}");
                if times != 3.7 {
                    assert_eq!((&before.shifts, &before.queries), (&after.shifts, &after.queries), "{what}");
                }
                assert!((after.bandwidth / before.bandwidth / times - 1.0).abs() <= 1e-5, "{what}");
                let place = |x: &[f64]| x.iter().map(|x| x * times).collect();
                same_modes(&what, &after, &before, place, after.bandwidth);
            }
        }
    }
}

/// Every point twice, not side by side: all sums double, and no mean changes.
#[test]
fn repeating_all_points_changes_no_mean() {
    for d in [1, 2, 5] {
        let set = Set::clouds(d);
        let twice = Set { rows: set.rows.repeat(2), d };
        for (what, estimator, _) in estimators(d) {
            let before = fit(&estimator, &set);
            // Rules that look at neighbours or numbers mean another one by the same words.
            let estimator = match before.bandwidth_from.as_str() {
                "given" => estimator,
                from if from.starts_with("0.15-quantile") => estimator,
                _ => continue,
            };
            let what = format!("{what}, d = {d}");
            let after = estimator.on(&DEVICE).fit(&twice.points()).unwrap();
            assert_eq!(after.labels, before.labels.repeat(2), "{what}");
            assert_eq!(after.iterations, before.iterations, "{what}");
            let h = before.bandwidth;
            for (after, before) in after.modes.iter().zip(&before.modes) {
                assert_eq!((after.size, after.weight), (2 * before.size, 2.0 * before.weight), "{what}");
                let apart = distance(&after.position, &before.position).max(distance(&after.centre, &before.centre));
                assert!(apart <= 1e-5 * h, "{what}: {apart}");
            }
        }
    }
}
