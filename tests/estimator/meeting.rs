//! Points of the blurring form that meet, and clusters that do so slowly.

use modeseek::data::Blobs;
use modeseek::{Form, MeanShift, Method};

use crate::fixed;

/// Groups are 4.3 times as far apart: they need hundreds of iterations to draw each other in.
const H: f64 = 4.5;

/// Two groups of 1,000 in six dimensions.
fn two_groups() -> Vec<Vec<f32>> {
    let one = Blobs { points: 1000, dimensions: 6, clusters: 1, seed: 3 }.generate().unwrap();
    let moved = |row: &[f32]| [&[row[0] + 4.3 * H as f32], &row[1..]].concat();
    one.rows.chunks(6).map(<[f32]>::to_vec).chain(one.rows.chunks(6).map(moved)).collect()
}

/// Within a few iterations each group is one point, though no point moves far enough to ask for another order: the iterations that
/// follow have two points left, and not 2,000.
#[test]
fn points_near_rest_that_have_met_are_one() {
    let rows = two_groups();
    let estimator = |method: Method| fixed(H).method(method).tolerance(1e-6).max_iterations(60);
    let tiles = estimator(Method::Tiles).fit(&rows).unwrap();
    assert_eq!((tiles.iterations, tiles.modes.len()), (60, 2));
    let (pairs, all) = (tiles.pairs.unwrap(), rows.len().pow(2) as u64);
    assert!(pairs.kept < 20 * all, "{} of {all} in an iteration", pairs.kept);
    assert!(pairs.all == 60 * all);
    // What they come to is the same.
    let fused = estimator(Method::Fused).fit(&rows).unwrap();
    assert_eq!(tiles.labels, fused.labels);
    for (a, b) in tiles.modes.iter().zip(&fused.modes) {
        assert!(a.position.iter().zip(&b.position).all(|(x, y)| (x - y).abs() < 1e-3), "{a:?}, {b:?}");
    }
}

/// A fit that ends before its clusters have drawn each other in says so, and only then.
#[test]
fn clusters_that_draw_each_other_in_are_told() {
    let rows = two_groups();
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
