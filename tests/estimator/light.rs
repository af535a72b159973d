//! Points that weigh little beside others, or nothing.

use modeseek::{Assignment, Clustering, Form, MeanShift, Method, Points, Seeding, WeightFunction};

use crate::{fixed, near};

const FORMS: [Form; 2] = [Form::Blurring, Form::Standard];

const METHODS: [Method; 4] = [Method::Fused, Method::Tiles, Method::Field, Method::Auto];

/// Two clusters of weight 1, so many points that all pairs are not few.
fn clusters() -> Vec<[f64; 2]> {
    let noise = |i: usize| ((i as f64 * 12.9898).sin() * 43_758.545_3).rem_euclid(1.0) - 0.5;
    (0..5000).map(|i| [(i % 2) as f64 * 30.0 + noise(2 * i), noise(2 * i + 1)]).collect()
}

/// The two clusters, and points that weigh so much each.
fn beside(others: &[[f64; 2]], weight: f64) -> (MeanShift, Vec<[f64; 2]>) {
    let mut points = clusters();
    let mut weights = vec![1.0; points.len()];
    points.extend(others);
    weights.resize(points.len(), weight);
    (fixed(1.0).sample_weights(weights), points)
}

/// So far from the first cluster.
fn about(distances: std::ops::Range<f64>) -> Vec<[f64; 2]> {
    let place = |i: usize| {
        let (far, turned) = (i as f64 / 100.0 * (distances.end - distances.start) + distances.start, i as f64);
        [far * turned.cos(), far * turned.sin()]
    };
    (0..100).map(place).collect()
}

/// All methods move them as far as f32 reaches.
#[test]
fn points_that_weigh_nothing_climb_from_afar() {
    let mut others = about(9.0..10.0);
    others.push([15.0, 100.0]);
    let (estimator, points) = beside(&others, 0.0);
    for form in FORMS {
        let fit = |method| estimator.clone().form(form).method(method).fit(&points).unwrap();
        let exact = fit(Method::Fused);
        assert_eq!((exact.modes.len(), exact.labels[5100]), (2, -1), "{form:?}");
        assert!(exact.labels[..5100].iter().all(|&label| label >= 0), "{form:?}");
        for method in METHODS {
            let found = fit(method);
            let what = format!("{form:?} {method:?}: {}, {}", found.path.name, found.path.reason);
            assert_eq!(found.labels, exact.labels, "{what}");
            assert_eq!(found.converged, exact.converged, "{what}");
            for (found, exact) in found.modes.iter().zip(&exact.modes) {
                near(found.position[0], exact.position[0], 1e-3);
                near(found.position[1], exact.position[1], 1e-3);
            }
            if form == Form::Standard {
                assert_eq!(found.predict(&points, Assignment::Basin).unwrap(), found.labels, "{what}");
                assert!(found.queries[5000].iterations > 1 && found.queries[5000].converged, "{what}");
            }
        }
        let path = fit(Method::Auto).path;
        // In the standard form they alone do not take the field.
        assert_eq!(path.name, if form == Form::Standard { "field" } else { "tiles" }, "{}", path.reason);
        let frames = estimator.clone().form(form).frames(&points, points.len()).unwrap();
        let ends = frames.frame(frames.positions.len() - 1);
        let is_left = |place: &[f64]| place[0].hypot(place[1]) > 1.0 && (place[0] - 30.0).hypot(place[1]) > 1.0;
        assert_eq!(ends.filter(|place| is_left(place)).count(), 1, "{form:?}");
    }
}

/// Those that have points near them are no reason to leave the field.
#[test]
fn points_that_weigh_nothing_among_others_have_a_field() {
    let (estimator, points) = beside(&about(0.0..2.0), 0.0);
    for form in FORMS {
        let fit = |method| estimator.clone().form(form).method(method).fit(&points).unwrap();
        let (found, exact) = (fit(Method::Auto), fit(Method::Fused));
        assert_eq!((found.path.name, &found.labels), ("field", &exact.labels), "{form:?}: {}", found.path.reason);
        assert!(found.path.sampled_error.unwrap() <= found.path.bound.unwrap());
    }
}

/// Seeds that were given climb as far as the points would.
#[test]
fn seeds_climb_from_afar() {
    let points = clusters();
    let seeds: Vec<f64> = about(9.0..10.0).concat();
    // As many as make pairs that are not few.
    let seeds = Points::from_rows(&seeds.repeat(40), 2).unwrap();
    for method in METHODS {
        let estimator = fixed(1.0).form(Form::Standard).method(method).seeding(Seeding::At(seeds.clone()));
        let found = estimator.fit(&points).unwrap();
        assert!(found.queries.iter().all(|query| query.iterations > 1 && query.converged), "{method:?}");
        assert_eq!(found.modes.len(), 1, "{method:?}");
        near(found.modes[0].position[0].hypot(found.modes[0].position[1]), 0.0, 0.05);
    }
}

/// A GPU may take what f32 has fewer digits of for 0: so does every device.
#[test]
fn weights_that_are_next_to_nothing_are_nothing() {
    for (weight, label) in [(0.0, -1), (1e-39, -1), (1e-37, 2)] {
        let (estimator, points) = beside(&[[15.0, 100.0]], weight);
        for form in FORMS {
            let found = estimator.clone().weight(WeightFunction::Flat).form(form).fit(&points).unwrap();
            assert_eq!(found.labels[5000], label, "{weight:e} {form:?}");
        }
    }
}

/// A pair beside the clusters, of which each point weighs so much.
fn pair(weight: f64, method: Method) -> Clustering {
    let (estimator, points) = beside(&[[15.0, 30.0], [15.2, 30.0]], weight);
    estimator.method(method).fit(&points).unwrap()
}

/// Whatever the others weigh, its mode is in its middle, and weighs as much as both.
#[test]
fn light_clusters_are_clusters() {
    for weight in [1e-3, 1e-10, 1e-13, 1e-15, 1e-18] {
        for method in METHODS {
            let found = pair(weight, method);
            let what = format!("{weight:e} {method:?}: {}", found.path.reason);
            assert_eq!((found.modes.len(), &found.labels[5000..]), (3, &[2, 2][..]), "{what}");
            let mode = &found.modes[2];
            for place in [&mode.position, &mode.centre] {
                assert!((place[0] - 15.1).abs() <= 2e-5 && (place[1] - 30.0).abs() <= 2e-5, "{what}: {place:?}");
            }
            assert!((mode.weight / (2.0 * weight) - 1.0).abs() <= 1e-6, "{what}: {:e}", mode.weight);
        }
    }
}

/// What a field's sums do not hold to its bound is left to another way.
#[test]
fn fields_have_no_points_that_are_too_light() {
    assert_eq!(pair(1e-6, Method::Auto).path.name, "field");
    for weight in [1e-10, 1e-15, 1e-18] {
        let path = pair(weight, Method::Field).path;
        assert_eq!(path.name, "tiles", "{weight:e}");
        assert!(path.reason.contains("weights of points that are so far apart"), "{}", path.reason);
    }
}
