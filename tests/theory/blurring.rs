//! What a blurring step keeps.

use modeseek::{Clustering, Distance, MeanShift, Merging, WeightFunction};

use super::{Set, bandwidth, distance, scalar};

/// Where each point is after so many steps. Modes of the smallest radius are single ends, but for those that are no
/// farther apart than f32 tells.
fn after(estimator: &MeanShift, set: &Set, steps: usize) -> Set {
    let fine = estimator.clone().merging(Merging::Chains { radius: 1e-6 }).tolerance(0.0).max_iterations(steps);
    let found: Clustering = fine.fit(&set.points()).unwrap();
    assert_eq!(found.iterations, steps);
    let rows = found.labels.iter().flat_map(|&label| found.modes[label as usize].position.clone()).collect();
    Set { rows, d: set.d }
}

/// Directions all about: in one dimension two, in the plane 64, in more some of every kind.
fn directions(d: usize) -> Vec<Vec<f64>> {
    (0..64)
        .map(|k| {
            let angle = f64::from(k) * std::f64::consts::TAU / 64.0;
            (0..d).map(|c| (angle * (1 + c / 2) as f64 + 0.5 * std::f64::consts::PI * (c % 2) as f64).cos()).collect()
        })
        .collect()
}

/// No point leaves the convex hull: a half-space that holds all points before holds them after.
#[test]
fn points_stay_in_the_convex_hull() {
    for d in [1, 2, 3, 5] {
        let set = Set::clouds(d);
        let farthest = |set: &Set, direction: &[f64]| {
            let along = |i| set.row(i).iter().zip(direction).map(|(x, u)| x * u).sum::<f64>();
            (0..set.len()).map(along).fold(f64::NEG_INFINITY, f64::max)
        };
        for weight in WeightFunction::ALL {
            let estimator = scalar(bandwidth(weight, d)).weight(weight);
            let mut before = set.clone();
            for steps in [1, 2, 4] {
                let now = after(&estimator, &set, steps);
                for direction in directions(d) {
                    let (was, is) = (farthest(&before, &direction), farthest(&now, &direction));
                    assert!(is <= was + 1e-5, "{weight:?}, d = {d}, {steps} steps: {is} is beyond {was}");
                }
                before = now;
            }
        }
    }
}

/// sum_i v_i s_i x_i stays in one step, s_i = sum_j v_j w_ij: since w_ij = w_ji, what i gives j is what j gives i.
#[test]
fn the_weighted_centre_stays_in_one_step() {
    for d in [1, 2, 3, 5] {
        let set = Set::clouds(d);
        let n = set.len();
        for weighted in [false, true] {
            let v: Vec<f64> = (0..n).map(|i| if weighted { 0.25 + (i % 4) as f64 } else { 1.0 }).collect();
            for weight in WeightFunction::ALL {
                let h = bandwidth(weight, d);
                let mut estimator = scalar(h).weight(weight);
                if weighted {
                    estimator = estimator.sample_weights(v.clone());
                }
                let moved = after(&estimator, &set, 1);
                let s: Vec<f64> = (0..n)
                    .map(|i| (0..n).map(|j| v[j] * weight.weight(distance(set.row(i), set.row(j)) / h)).sum())
                    .collect();
                for c in 0..d {
                    let sum = |set: &Set| (0..n).map(|i| v[i] * s[i] * set.row(i)[c]).sum::<f64>();
                    let size: f64 = (0..n).map(|i| v[i] * s[i] * set.row(i)[c].abs()).sum();
                    let (was, is) = (sum(&set), sum(&moved));
                    assert!((is - was).abs() <= 1e-6 * size, "{weight:?}, d = {d}: {is}, not {was}");
                }
                // And something has moved, so that this says something.
                assert!(distance(&set.rows, &moved.rows) > 1.0);
            }
        }
    }
}

/// A step is what its formula says, for every weight, norm and dimension.
#[test]
fn a_step_is_the_weighted_mean() {
    for d in [1, 2, 3, 4, 5, 9] {
        let set = Set::clouds(d);
        let n = set.len();
        for (norm, p) in [(Distance::L2, 2.0), (Distance::L1, 1.0), (Distance::Lp(3.0), 3.0)] {
            for weight in WeightFunction::ALL {
                let h = 1.5 * bandwidth(weight, d);
                let moved = after(&scalar(h).weight(weight).distance(norm), &set, 1);
                for i in (0..n).step_by(7) {
                    let u = |j: usize| {
                        let powers = set.row(i).iter().zip(set.row(j)).map(|(a, b)| (a - b).abs().powf(p));
                        powers.sum::<f64>().powf(1.0 / p) / h
                    };
                    // Next to where a flat weight ends, f32 may decide otherwise.
                    if weight == WeightFunction::Flat && (0..n).any(|j| (u(j) - 1.0).abs() < 1e-5) {
                        continue;
                    }
                    let w: Vec<f64> = (0..n).map(|j| weight.weight(u(j))).collect();
                    let total: f64 = w.iter().sum();
                    for c in 0..d {
                        let mean = (0..n).map(|j| w[j] * set.row(j)[c]).sum::<f64>() / total;
                        let found = moved.row(i)[c];
                        assert!((found - mean).abs() <= 1e-5, "{weight:?}, {norm:?}, d = {d}: {found}, not {mean}");
                    }
                }
            }
        }
    }
}
