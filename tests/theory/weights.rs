//! A point of weight k is k points.

use modeseek::{Assignment, Bandwidth, Clustering, Form, MeanShift, Merging, Seeding, WeightFunction};

use super::{DEVICE, Set, bandwidth, distance, scalar};

/// Each point as often as its weight says, and where each came from.
fn repeated(set: &Set, weights: &[f64]) -> (Set, Vec<usize>) {
    let from: Vec<usize> = (0..set.len()).flat_map(|i| vec![i; weights[i] as usize]).collect();
    (set.at(&from), from)
}

fn weights(n: usize) -> Vec<f64> {
    (0..n).map(|i| ((i * 7 + i / 5) % 4) as f64).collect()
}

#[track_caller]
fn agree(what: &str, weighted: &Clustering, repeated: &Clustering, from: &[usize]) {
    let labels: Vec<i32> = from.iter().map(|&i| weighted.labels[i]).collect();
    assert_eq!(labels, repeated.labels, "{what}");
    assert!((weighted.bandwidth / repeated.bandwidth - 1.0).abs() <= 1e-6, "{what}: {}", weighted.bandwidth);
    assert_eq!(weighted.modes.len(), repeated.modes.len(), "{what}");
    // Coordinates are about another median, so that rounding may decide which of a mode's ends is the densest: they are a
    // tolerance apart.
    let apart = if what.starts_with("densest") || what.starts_with("bins of 3") { 1e-3 } else { 1e-4 };
    for (weighted, repeated) in weighted.modes.iter().zip(&repeated.modes) {
        assert_eq!(weighted.weight, repeated.weight, "{what}");
        assert_eq!(repeated.weight, repeated.size as f64, "{what}");
        // Sums of the same terms in another order, over some steps.
        let positions = distance(&weighted.position, &repeated.position);
        let centres = distance(&weighted.centre, &repeated.centre);
        assert!(positions <= apart && centres <= 1e-5, "{what}: {positions} and {centres} apart");
    }
}

/// In bandwidth, iterations, merging, seeding, order and centres.
#[test]
fn weights_are_repetitions() {
    let quantile = Bandwidth::Quantile { quantile: 0.15, sample: None, seed: 0 };
    for d in [1, 2, 5] {
        let set = Set::clouds(d);
        let weights = weights(set.len());
        // Points of weight 0 are none, but would be queries of their own.
        let kept: Vec<usize> = (0..set.len()).filter(|&i| weights[i] > 0.0).collect();
        let set = set.at(&kept);
        let weights: Vec<f64> = kept.iter().map(|&i| weights[i]).collect();
        let (all, from) = repeated(&set, &weights);
        for weight in WeightFunction::ALL {
            let h = bandwidth(weight, d);
            let standard = scalar(h).weight(weight).form(Form::Standard);
            let bins = |min_frequency| Seeding::Bins { min_frequency };
            let estimators = [
                ("blurring", scalar(h).weight(weight)),
                ("standard", standard.clone()),
                ("densest", standard.clone().merging(Merging::Densest)),
                ("bins", standard.clone().seeding(bins(1))),
                ("bins of 3", standard.clone().seeding(bins(3)).merging(Merging::Densest)),
                ("basin", standard.clone().seeding(bins(2)).assignment(Assignment::Basin)),
                ("quantile", standard.clone().bandwidth(quantile.clone())),
                ("neighbour", standard.clone().bandwidth(Bandwidth::MeanNeighbour { k: 25 })),
                ("Scott", standard.clone().bandwidth(Bandwidth::Scott)),
                ("Silverman", scalar(h).weight(weight).bandwidth(Bandwidth::Silverman)),
                ("neighbours", standard.bandwidth(Bandwidth::Neighbours { k: 60 })),
            ];
            for (what, estimator) in estimators {
                // There a point's reach ends at a point, and rounding decides whether a flat weight counts it.
                if what == "neighbours" && weight == WeightFunction::Flat {
                    continue;
                }
                let what = format!("{what}, {weight:?}, d = {d}");
                let weighted = estimator.clone().sample_weights(weights.clone()).fit(&set.points()).unwrap();
                let expected = estimator.fit(&all.points()).unwrap();
                // The geometric mean of bandwidths of points is one of places, not of what lies there.
                if !what.starts_with("neighbours") {
                    agree(&what, &weighted, &expected, &from);
                    assert_eq!(weighted.iterations, expected.iterations, "{what}");
                } else {
                    let labels: Vec<i32> = from.iter().map(|&i| weighted.labels[i]).collect();
                    assert_eq!(labels, expected.labels, "{what}");
                }
            }
        }
    }
}

/// A point of weight 0 pulls nobody, though it is moved and labelled.
#[test]
fn weight_zero_is_absence() {
    let set = Set::clouds(2);
    let mut weights = weights(set.len());
    let absent: Vec<usize> = (0..set.len()).filter(|&i| weights[i] == 0.0).collect();
    let present: Vec<usize> = (0..set.len()).filter(|&i| weights[i] > 0.0).collect();
    assert!(absent.len() >= 20);
    weights.retain(|&weight| weight > 0.0);
    let mut all: Vec<f64> = vec![0.0; set.len()];
    present.iter().zip(&weights).for_each(|(&i, &weight)| all[i] = weight);
    for estimator in [scalar(1.25), scalar(1.25).form(Form::Standard), MeanShift::new().on(&DEVICE)] {
        let with = estimator.clone().sample_weights(all.clone()).fit(&set.points()).unwrap();
        let without = estimator.sample_weights(weights.clone()).fit(&set.at(&present).points()).unwrap();
        assert!((with.bandwidth / without.bandwidth - 1.0).abs() <= 1e-6);
        assert_eq!(with.modes.len(), without.modes.len());
        for (place, &i) in present.iter().enumerate() {
            assert_eq!(with.labels[i], without.labels[place]);
        }
        assert!(absent.iter().all(|&i| with.labels[i] >= 0));
        for (with, without) in with.modes.iter().zip(&without.modes) {
            assert_eq!(with.weight, without.weight);
            assert!(distance(&with.centre, &without.centre) <= 1e-5);
        }
    }
}

/// Only ratios of weights count, not their size.
#[test]
fn weights_have_no_unit() {
    let set = Set::clouds(2);
    let weights: Vec<f64> = (0..set.len()).map(|i| 0.5 + (i % 5) as f64).collect();
    for estimator in [scalar(1.25), scalar(1.25).form(Form::Standard).merging(Merging::Densest)] {
        let fit = |times: f64| {
            let weights: Vec<f64> = weights.iter().map(|weight| weight * times).collect();
            estimator.clone().sample_weights(weights).fit(&set.points()).unwrap()
        };
        let one = fit(1.0);
        // Powers of two, so that weights are the same but for their exponents.
        for times in [2.0_f64.powi(-40), 2.0_f64.powi(40)] {
            let other = fit(times);
            assert_eq!((&one.labels, &one.shifts), (&other.labels, &other.shifts));
            for (one, other) in one.modes.iter().zip(&other.modes) {
                assert_eq!((&one.position, &one.centre), (&other.position, &other.centre));
                assert!((other.weight / one.weight / times - 1.0).abs() <= 1e-6);
            }
        }
    }
}
