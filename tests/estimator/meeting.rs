//! Points of the blurring form that meet, and clusters that do so slowly.

use std::ops::ControlFlow;

use modeseek::data::Blobs;
use modeseek::{Bandwidth, Clustering, Form, MeanShift, Method};

use crate::{DEVICE, fixed};

/// Groups are 4.3 times as far apart: they need hundreds of iterations to draw each other in.
const H: f64 = 4.5;

/// Two groups of 1,000 in so many dimensions.
fn two_groups(d: usize) -> Vec<Vec<f32>> {
    let one = Blobs { points: 1000, dimensions: d, clusters: 1, seed: 3 }.generate().unwrap();
    let moved = |row: &[f32]| [&[row[0] + 4.3 * H as f32], &row[1..]].concat();
    one.rows.chunks(d).map(<[f32]>::to_vec).chain(one.rows.chunks(d).map(moved)).collect()
}

/// The same labels, and modes in the same places.
#[track_caller]
fn same(found: &Clustering, exact: &Clustering) {
    assert_eq!(found.labels, exact.labels);
    assert_eq!((found.iterations, found.converged), (exact.iterations, exact.converged));
    for (a, b) in found.modes.iter().zip(&exact.modes) {
        assert_eq!((a.size, a.weight), (b.size, b.weight));
        assert!(a.position.iter().zip(&b.position).all(|(x, y)| (x - y).abs() < 1e-2), "{a:?}, {b:?}");
    }
}

/// Within a few iterations each group is one point, though no point moves far enough to ask for another order: the iterations that
/// follow have two points left, and not 2,000.
#[test]
fn points_near_rest_that_have_met_are_one() {
    let rows = two_groups(6);
    let estimator = |method: Method| fixed(H).method(method).tolerance(1e-6).max_iterations(60);
    let tiles = estimator(Method::Tiles).fit(&rows).unwrap();
    assert_eq!((tiles.iterations, tiles.modes.len()), (60, 2));
    let (pairs, all) = (tiles.pairs.unwrap(), rows.len().pow(2) as u64);
    assert!(pairs.kept < 20 * all, "{} of {all} in an iteration", pairs.kept);
    assert!(pairs.all == 60 * all);
    // What they come to is the same.
    let fused = estimator(Method::Fused).fit(&rows).unwrap();
    same(&tiles, &fused);
}

/// Over a field, too: pairs of the places that are left go on from where the field came to, and every query is told of.
#[test]
fn points_that_have_met_over_a_field_go_on_by_pairs() {
    for d in [1, 2, 3] {
        let rows = two_groups(d);
        let weights: Vec<f64> = (0..rows.len()).map(|i| [1.0, 2.0, 0.0, 3.0][i % 4]).collect();
        let each = (0..d).map(|c| H * (1.0 + 0.1 * c as f64)).collect();
        let narrow = MeanShift::new().on(&DEVICE).bandwidth(Bandwidth::PerDimension(each));
        for estimator in [fixed(H), fixed(H).sample_weights(weights), narrow] {
            let estimator = |method| estimator.clone().method(method).tolerance(1e-6).max_iterations(50);
            let mut told = Vec::new();
            let watched = estimator(Method::Field).fit_watched(&rows, |iteration| {
                told.push((iteration.number, iteration.largest_shift));
                ControlFlow::Continue(())
            });
            let (field, fused) = (watched.unwrap(), estimator(Method::Fused).fit(&rows).unwrap());
            assert!(
                field.path.reason.contains(" places, where points had met, behind iteration 12"),
                "{}",
                field.path.reason
            );
            same(&field, &fused);
            assert!(
                told.iter().map(|(number, _)| *number).eq(1..=50)
                    && told.iter().map(|(_, shift)| *shift).eq(field.shifts)
            );
            assert!(
                field.queries.iter().all(|query| query.iterations == 50 && !query.converged),
                "{:?}",
                field.queries[0]
            );
            for (a, b) in field.queries.iter().zip(&fused.queries) {
                assert!((a.last_shift - b.last_shift).abs() < 1e-4, "{a:?}, {b:?}");
            }
        }
    }
}

/// Whoever watches may stop it there as anywhere.
#[test]
fn a_fit_whose_points_have_met_can_be_stopped() {
    let rows = two_groups(2);
    let estimator = fixed(H).method(Method::Field).tolerance(1e-6);
    let stopped = estimator.fit_watched(&rows, |iteration| {
        if iteration.number < 30 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    let stopped = stopped.unwrap();
    assert_eq!((stopped.iterations, stopped.cancelled, stopped.converged), (30, true, false));
    assert_eq!(stopped.modes.len(), 2);
}

/// A fit that ends before its clusters have drawn each other in says so, and only then.
#[test]
fn clusters_that_draw_each_other_in_are_told() {
    let rows = two_groups(6);
    let notes = |estimator: MeanShift| {
        let found = estimator.fit(&rows).unwrap();
        (found.converged, found.notes.iter().any(|note| note.contains("draw each other in")))
    };
    let slow = fixed(H).tolerance(1e-6);
    assert_eq!(notes(slow.clone().max_iterations(100)), (false, true));
    assert_eq!(notes(slow.clone().max_iterations(20)), (false, false));
    assert_eq!(notes(slow.clone().max_iterations(100_000)), (true, false));
    assert!(!notes(slow.max_iterations(100).form(Form::Standard).tolerance(1e-12)).1);
}
