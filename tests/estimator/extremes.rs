//! Numbers of every size: weights, columns and distances that f32 would not hold as they are.

use modeseek::{Assignment, Bandwidth, Distance, Error, Form, MeanShift, Merging, Method, Points, Seeding};

use crate::{DEVICE, fixed, flat, near, refused};

/// Whatever the unit of the data, every method sees them in bandwidths.
#[test]
fn data_of_any_unit_are_clustered() {
    let blobs = modeseek::data::Blobs { points: 300, clusters: 3, dimensions: 2, seed: 5 }.generate().unwrap();
    for method in [Method::Composed { batch: 128 }, Method::Fused, Method::Tiles, Method::Field] {
        let fit = |exponent| {
            let unit = 2_f64.powi(exponent);
            let rows: Vec<f64> = blobs.rows.iter().map(|&x| f64::from(x) * unit).collect();
            fixed(2.5 * unit).method(method).fit(&Points::from_rows(&rows, 2).unwrap()).unwrap()
        };
        let plain = fit(0);
        assert_eq!(plain.modes.len(), 3, "{method:?}");
        // Up to 1e-29 and 1e29. Powers of two, so that scaled coordinates are the same to the bit.
        for exponent in [-96, -80, -73, 65, 80, 95] {
            let found = fit(exponent);
            assert_eq!((&found.labels, &found.shifts), (&plain.labels, &plain.shifts), "{method:?}, 2^{exponent}");
        }
    }
}

/// Only ratios of sample weights count, whatever their size.
#[test]
fn weights_of_any_size_are_weights() {
    let line: Vec<[f64; 1]> =
        (0..12).map(|i| [if i < 7 { f64::from(i) * 0.1 } else { 50.0 + f64::from(i) * 0.1 }]).collect();
    let weights: Vec<f64> = (0..12).map(|i| f64::from(1 + i % 3)).collect();
    let seeds = Seeding::Random { count: 6, seed: 3 };
    for estimator in [
        fixed(1.0),
        flat(1.0),
        flat(1.0).merging(Merging::Densest),
        fixed(1.0).form(Form::Standard).seeding(seeds).assignment(Assignment::Basin),
        fixed(1.0).bandwidth(Bandwidth::PerPoint(vec![1.0; 12])),
        fixed(1.0).bandwidth(Bandwidth::Quantile { quantile: 0.25, sample: None, seed: 0 }),
    ] {
        let plain = estimator.clone().sample_weights(weights.clone()).fit(&line).unwrap();
        let density = |found: &modeseek::Clustering| found.density(&[[0.2], [50.0]]).ok();
        // 10 x 1e38 is more than f32 holds, 1e-45 is less.
        for size in [1e38, 3e38, 1e300, 1e-30, 1e-45, 1e-300, 5e-324] {
            // A power of two, so that the weights' ratios stay as they are.
            let size = f64::log2(size).round().exp2();
            let scaled: Vec<f64> = weights.iter().map(|weight| weight * size).collect();
            let found = estimator.clone().sample_weights(scaled).fit(&line).unwrap();
            let what = format!("{size:e}: {estimator:?}");
            assert_eq!(found.labels, plain.labels, "{what}");
            assert!((found.bandwidth / plain.bandwidth - 1.0).abs() <= 1e-6, "{what}: {}", found.bandwidth);
            for (found, plain) in found.modes.iter().zip(&plain.modes) {
                assert_eq!((found.weight / size, &found.centre), (plain.weight, &plain.centre), "{what}");
                near(found.position[0], plain.position[0], 1e-4);
            }
            if let (Some(found), Some(plain)) = (density(&found), density(&plain)) {
                near(found[0], plain[0], 1e-6);
                near(found[1], plain[1], 1e-6);
            }
        }
    }
}

/// The largest number is a weight like any other, but for f32's rounding, which makes it infinite.
#[test]
fn the_largest_weight_counts() {
    for largest in [f64::MAX, 1.5e308] {
        let found = fixed(1.0).sample_weights([largest, largest / 4.0, 1.0]).fit(&[[0.0], [9.0], [9.5]]).unwrap();
        assert_eq!(found.labels, [0, 1, 1]);
        assert!(found.modes[0].weight >= largest * (1.0 - 1e-6) && found.modes[1].weight.is_finite());
    }
}

/// They stand for points, of which Scott's and Silverman's rules cannot take any number: the error is about them.
#[test]
fn weights_that_are_too_many_points_for_a_rule_are_named() {
    let points: Vec<[f64; 2]> = (0..300).map(|i| [f64::from(i % 17), f64::from(i % 13)]).collect();
    for rule in [Bandwidth::Scott, Bandwidth::Silverman] {
        let fit = |weight| fixed(1.0).bandwidth(rule.clone()).sample_weights(vec![weight; 300]).fit(&points);
        let error = refused(fit(1e308), &["sample weights whose sum f64 does not hold", "divide all by one number"]);
        assert!(matches!(error, Error::Undefined { .. }));
        refused(fit(1e300), &["300 points that weigh 3.0e302"]);
        assert!(!fit(1e9).unwrap().bandwidth_from.contains("weigh"));
    }
}

/// Far tiles are left out, and pairs counted, by weights whose sum f64 does not hold as by others; and what weighs nothing
/// beside the others asks for no pairs.
#[test]
fn far_tiles_are_left_out_whatever_the_weights() {
    let line: Vec<[f64; 1]> = (0..4000).map(|i| [f64::from(i) * 0.1]).collect();
    let pairs = |weights: &dyn Fn(usize) -> f64| {
        let weights: Vec<f64> = (0..line.len()).map(weights).collect();
        let tiles = fixed(1.0).method(Method::Tiles).max_iterations(3).sample_weights(weights);
        tiles.fit(&line).unwrap().pairs.unwrap()
    };
    let plain = pairs(&|_| 1.0);
    assert!(plain.kept > 0 && 4 * plain.first < plain.all, "{plain:?}");
    assert_eq!(pairs(&|_| 2_f64.powi(1020)), plain);
    assert_eq!(pairs(&|i| if i == 7 { 1e-300 } else { 1.0 }), pairs(&|i| if i == 7 { 0.0 } else { 1.0 }));
}

/// More than a grid has blocks along its second axis.
#[test]
fn points_may_have_many_dimensions() {
    let d = 70_000;
    let points: Vec<Vec<f64>> = (0..4).map(|i| vec![f64::from(i / 2) * 9.0 + f64::from(i % 2) * 1e-3; d]).collect();
    let found = fixed(1.0).fit(&points).unwrap();
    assert_eq!(found.labels, [0, 0, 1, 1]);
    near(found.modes[0].position[d - 1], 5e-4, 1e-5);
}

/// A radius beyond all distances joins all.
#[test]
fn a_merging_radius_may_be_large() {
    let line: Vec<[f64; 1]> = (0..40).map(|i| [f64::from(i) * 5e4]).collect();
    for radius in [1e5, 1e20, 1e30] {
        assert_eq!(fixed(1.0).merging(Merging::Chains { radius }).fit(&line).unwrap().modes.len(), 1, "{radius:e}");
    }
}

/// A column is wide or narrow beside its own bandwidth, not beside another's.
#[test]
fn columns_may_be_of_any_scale() {
    for far in [1e7, 1e12] {
        let points: Vec<[f64; 2]> = (0..40)
            .map(|i| [f64::from(i / 20) * 10.0 + f64::from(i * 7 % 20) * 0.05, f64::from(i * 3 % 20) * 0.05 * far])
            .collect();
        let found = MeanShift::new().on(&DEVICE).bandwidth(Bandwidth::Scott).fit(&points).unwrap();
        let h = found.bandwidth_per_dimension.clone().unwrap();
        assert!(h[1] / h[0] > far * 1e-3, "{h:?}");
        assert!(found.notes.iter().all(|note| !note.contains("tiny")), "{:?}", found.notes);
        // The first column by itself, as it were, and then too narrow a bandwidth for the second alone.
        let each = |h| MeanShift::new().on(&DEVICE).bandwidth(Bandwidth::PerDimension(h)).fit(&points);
        assert_eq!(each(vec![1.0, far]).unwrap().modes.len(), 2);
        let error =
            refused(each(vec![1.0, far * 1e-8]), &["in column 2 (from 1), which is too far for a bandwidth of"]);
        assert!(matches!(error, Error::Extent { column: 1, .. }));
        let tiny = each(vec![1.0, far * 4e-7]).unwrap();
        assert!(
            tiny.notes.iter().any(|note| note.ends_with("tiny against the extent of the points in column 2 (from 1)"))
        );
    }
}

/// The largest norm, over the largest extent: no power overflows, and the nearest mode is the nearest.
#[test]
fn norms_hold_over_the_whole_extent() {
    let far = 2e6;
    let line = [[0.0, 0.0], [0.25, 0.0], [far, 0.0], [far, 0.25], [0.0, far], [0.25, far]];
    for p in [1.5, 3.0, Distance::MOST_NORM] {
        for estimator in [fixed(1.0), flat(1.0), flat(1.0).merging(Merging::Densest)] {
            let found = estimator.distance(Distance::Lp(p)).fit(&line).unwrap();
            let what = format!("{p}: {found:?}");
            assert_eq!(found.modes.len(), 3, "{what}");
            let label = |i: usize| found.labels[i];
            assert!(label(0) == label(1) && label(2) == label(3) && label(4) == label(5), "{what}");
            let new = [[0.3, far * 0.4], [far * 0.6, 1.0], [1.0, far * 0.9]];
            assert_eq!(found.predict(&new, Assignment::NearestMode).unwrap(), [label(0), label(2), label(4)], "{what}");
            let distances = found.transform(&new[..1]).unwrap();
            assert!((distances[0][label(0) as usize] / (far * 0.4) - 1.0).abs() <= 1e-5, "{what}: {distances:?}");
            // So far that f32 holds no power of it: no mode, where the first was said to be the nearest.
            assert_eq!(found.predict(&[[1e30, 0.0]], Assignment::NearestMode).unwrap(), [-1], "{what}");
            assert!(found.transform(&[[1e30, 0.0]]).unwrap()[0].iter().all(|far| far.is_infinite()), "{what}");
            let far = [[4e7, 0.0]];
            assert!(found.predict(&far, Assignment::NearestMode).unwrap()[0] >= 0, "{what}");
            assert!(found.transform(&far).unwrap()[0].iter().all(|far| far.is_finite()), "{what}");
        }
    }
}

/// What is far from all is far, whatever f32 holds.
#[test]
fn new_points_may_be_anywhere() {
    let found = flat(1.0).fit(&[[0.0, 0.0], [0.5, 0.0], [9.0, 9.0]]).unwrap();
    let gaussian = fixed(1.0).fit(&[[0.0, 0.0], [0.5, 0.0], [9.0, 9.0]]).unwrap();
    for far in [1e20, 1e38, 1e39, 1e300, f64::MAX] {
        for found in [&found, &gaussian] {
            assert_eq!(found.predict(&[[far, -far]], Assignment::Basin).unwrap(), [-1], "{far:e}");
            assert_eq!(found.predict(&[[far, -far]], Assignment::NearestMode).unwrap(), [-1], "{far:e}");
            assert_eq!(found.density(&[[far, -far]]).unwrap(), [0.0], "{far:e}");
        }
    }
    let error =
        refused(flat(1.0).fit(&[[0.0, 0.0], [0.0, 1e39]]), &["5e38 in column 2 (from 1), which f32 does not hold"]);
    assert!(matches!(error, Error::Range { column: 1, .. }));
}

/// In many dimensions a wide bandwidth of a point's own makes its weight small, and no less a cluster where it is alone.
#[test]
fn wide_bandwidths_of_points_have_support() {
    let d = 16;
    let mut points: Vec<Vec<f64>> = (0..100).map(|i| vec![f64::from(i % 4) * 0.05; d]).collect();
    points.push(vec![1000.0; d]);
    let mut bandwidths = vec![1.0; 100];
    // Its factor is 2^-68.6, and 2^69.3 times less than the others'.
    bandwidths.push(14.4);
    let expected: Vec<i32> = (0..101).map(|i| i32::from(i == 100)).collect();
    for form in [Form::Blurring, Form::Standard] {
        let found = fixed(1.0).bandwidth(Bandwidth::PerPoint(bandwidths.clone())).form(form).fit(&points).unwrap();
        assert_eq!(found.labels, expected, "{form:?}");
        assert_eq!(found.predict(&points, Assignment::Basin).unwrap(), expected, "{form:?}");
    }
}

/// None of whose steps has any point to go by: neither those of the seeds that a fit begins with, nor those of places that
/// are asked for later.
#[test]
fn fields_of_places_without_points_near_are_empty() {
    for d in 2..=5 {
        let points: Vec<Vec<f64>> =
            (0..d).map(|c| (0..d).map(|axis| f64::from(u8::from(axis == c))).collect()).collect();
        let far = vec![vec![1e3; d], vec![1e3 + 1.0; d]];
        for method in [Method::Field, Method::Fused] {
            let estimator = fixed(1.0).form(Form::Standard).method(method);
            let seeds = Seeding::At(Points::from_rows(&far.concat(), d).unwrap());
            let error =
                refused(estimator.clone().seeding(seeds).fit(&points), &["no seed has a point within its reach"]);
            assert!(matches!(error, Error::Undefined { .. }), "{method:?}, d = {d}");
            let found = estimator.fit(&points).unwrap();
            assert_eq!(found.predict(&far, Assignment::Basin).unwrap(), [-1, -1], "{method:?}, d = {d}");
            assert_eq!(found.density(&far).unwrap(), [0.0, 0.0], "{method:?}, d = {d}");
        }
    }
}
