//! In the standard form with the 2-norm, no step leads down the density.
//!
//! Of a weight w, as a function of r = squared distance over the squared bandwidth, the shadow is the K with
//! -K'(r) = w(r) (Cheng 1995): it is convex as long as w does not grow, so that each step maximises a quadratic below the
//! density sum_j v_j K(r_j) that touches it at the query. A step of any relaxation in (0, 2) still ends above.

use modeseek::{Form, MeanShift, WeightFunction};

use super::{Set, bandwidth, distance, scalar, seed};

/// K of a weight function, up to a constant, at r.
fn shadow(weight: WeightFunction, r: f64) -> f64 {
    let inside = (1.0 - r).max(0.0);
    match weight {
        WeightFunction::Gaussian => 2.0 * (-r / 2.0).exp(),
        // The integral of 1 - sqrt(s) from r to 1.
        WeightFunction::Triangular if r < 1.0 => 1.0 / 3.0 - r + r.powf(1.5) * 2.0 / 3.0,
        WeightFunction::Triangular => 0.0,
        WeightFunction::Flat => inside,
        WeightFunction::Epanechnikov => inside.powi(2) / 2.0,
        WeightFunction::Biweight => inside.powi(3) / 3.0,
        _ => unreachable!("not among those with a name"),
    }
}

/// That these are shadows: -K' = w, by differences.
#[test]
fn shadows_have_the_weights_as_slopes() {
    for weight in WeightFunction::ALL {
        for r in [0.01, 0.2, 0.5, 0.97, 1.3, 4.0_f64] {
            let slope = (shadow(weight, r - 1e-6) - shadow(weight, r + 1e-6)) / 2e-6;
            assert!((slope - weight.weight(r.sqrt())).abs() <= 1e-5, "{weight:?} at {r}: {slope}");
        }
    }
}

/// The density estimate by the shadow at a place.
fn density(set: &Set, weights: &[f64], weight: WeightFunction, h: f64, place: &[f64]) -> f64 {
    (0..set.len()).map(|j| weights[j] * shadow(weight, (distance(place, set.row(j)) / h).powi(2))).sum()
}

/// Where a query is after so many steps: the only mode of a fit that begins at one seed.
fn after(estimator: &MeanShift, set: &Set, start: &[f64], steps: usize) -> Vec<f64> {
    let one = estimator.clone().seeding(seed(start)).max_iterations(steps);
    let found = one.fit(&set.points()).unwrap();
    assert_eq!((found.modes.len(), found.queries.len()), (1, 1));
    found.modes[0].position.clone()
}

fn climbs(d: usize, weighted: bool, relaxation: f64) {
    let set = Set::clouds(d);
    let weights: Vec<f64> = (0..set.len()).map(|i| if weighted { 0.25 + (i % 4) as f64 } else { 1.0 }).collect();
    for weight in WeightFunction::ALL {
        let h = bandwidth(weight, d);
        let mut estimator = scalar(h).weight(weight).form(Form::Standard).tolerance(0.0).relaxation(relaxation);
        if weighted {
            estimator = estimator.sample_weights(weights.clone());
        }
        let mut ascent = 0.0;
        for start in [3, 61, 119] {
            // At a point, and beside it.
            let start: Vec<f64> = set.row(start).iter().map(|x| x + 0.125).collect();
            let mut place = start.clone();
            let first = density(&set, &weights, weight, h, &place);
            let mut before = first;
            for steps in 1..=9 {
                place = after(&estimator, &set, &start, steps);
                let now = density(&set, &weights, weight, h, &place);
                // Positions are f32, off by some 1e-6 bandwidths, and the slope is no more than the weights together.
                assert!(
                    now >= before - 2e-6 * before,
                    "{weight:?}, d = {d}, relaxation {relaxation}: step {steps} from {start:?} led from {before} to {now}"
                );
                before = now;
            }
            ascent += before / first - 1.0;
        }
        assert!(ascent > 0.01, "{weight:?}, d = {d}: three queries went up by {ascent} of their density together");
    }
}

#[test]
fn no_step_leads_down() {
    for d in [1, 2, 3, 5] {
        climbs(d, false, 1.0);
        climbs(d, true, 1.0);
    }
}

#[test]
fn no_relaxed_step_leads_down() {
    for d in [2, 5] {
        for relaxation in [0.3, 1.5, 1.95] {
            climbs(d, false, relaxation);
        }
    }
    climbs(3, true, 1.9);
}

/// With relaxation q goes to q + relaxation (mean - q), in kernels of few and of many dimensions.
#[test]
fn relaxation_stretches_the_step() {
    for d in [1, 2, 3, 4, 5] {
        let set = Set::clouds(d);
        let start = set.row(17).to_vec();
        let estimator = scalar(bandwidth(WeightFunction::Gaussian, d)).form(Form::Standard);
        let plain = after(&estimator, &set, &start, 1);
        for relaxation in [0.5, 1.5, 1.9] {
            let relaxed = after(&estimator.clone().relaxation(relaxation), &set, &start, 1);
            for c in 0..d {
                let expected = start[c] + relaxation * (plain[c] - start[c]);
                assert!((relaxed[c] - expected).abs() <= 1e-5, "d = {d}: {} is not {expected}", relaxed[c]);
            }
        }
    }
}

/// And it pays: a run with it arrives at the same mode.
#[test]
fn relaxed_runs_arrive_at_the_same_modes() {
    for d in [2, 5] {
        let set = Set::clouds(d);
        let estimator = scalar(bandwidth(WeightFunction::Gaussian, d)).form(Form::Standard).tolerance(1e-4);
        let plain = estimator.fit(&set.points()).unwrap();
        let relaxed = estimator.clone().relaxation(1.3).fit(&set.points()).unwrap();
        assert!(plain.converged && relaxed.converged);
        assert_eq!(plain.labels, relaxed.labels);
        for (plain, relaxed) in plain.modes.iter().zip(&relaxed.modes) {
            let apart = distance(&plain.position, &relaxed.position);
            assert!(apart <= 1e-2, "{apart} apart");
        }
        let steps = |found: &modeseek::Clustering| found.queries.iter().map(|query| query.iterations).sum::<u32>();
        assert!(steps(&relaxed) < steps(&plain), "{} steps, not fewer than {}", steps(&relaxed), steps(&plain));
    }
}
