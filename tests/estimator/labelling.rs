//! Which label a point gets, and in which order: by hand.

use modeseek::{Assignment, Form, Merging, Method, Seeding};

use crate::{fixed, flat, places};

/// The largest weight first, then the smaller position.
#[test]
fn clusters_are_in_order_of_weight_and_position() {
    let line = [[50.0], [20.0], [20.5], [0.0], [0.5], [80.0], [80.25], [80.5], [-30.0]];
    for estimator in [fixed(1.0), flat(1.0), flat(1.0).merging(Merging::Densest)] {
        let found = estimator.fit(&line).unwrap();
        assert_eq!(found.labels, [4, 2, 2, 1, 1, 0, 0, 0, 3]);
        assert_eq!(found.modes.iter().map(|mode| mode.size).collect::<Vec<_>>(), [3, 2, 2, 1, 1]);
        for (found, expected) in places(&found).into_iter().zip([80.25, 0.25, 20.25, -30.0, 50.0]) {
            crate::near(found, expected, 1e-4);
        }
        // A heavy point goes before three light ones.
        let mut weights = [1.0; 9];
        weights[0] = 3.5;
        let found = estimator.sample_weights(weights).fit(&line).unwrap();
        assert_eq!(found.labels, [0, 3, 3, 2, 2, 1, 1, 1, 4]);
        assert_eq!(found.modes.iter().map(|mode| mode.weight).collect::<Vec<_>>(), [3.5, 3.0, 2.0, 2.0, 1.0]);
        assert_eq!(found.modes.iter().map(|mode| mode.size).collect::<Vec<_>>(), [1, 3, 2, 2, 1]);
    }
}

/// Ties of the first coordinate are decided by the next.
#[test]
fn ties_are_decided_by_later_coordinates() {
    let found = fixed(1.0).fit(&[[5.0, 9.0], [5.0, -9.0], [-5.0, 0.0], [5.0, 0.0]]).unwrap();
    assert_eq!(found.labels, [3, 1, 0, 2]);
}

/// A mode's position is where its queries gathered, and its centre the mean of its points.
#[test]
fn positions_and_centres() {
    // Within 3 of each of the first three are these three; the last two see each other.
    let line = [[0.0], [1.0], [2.0], [100.0], [101.0]];
    let found = flat(3.0).fit(&line).unwrap();
    for (mode, (place, size)) in found.modes.iter().zip([(1.0, 3), (100.5, 2)]) {
        crate::near(mode.position[0], place, 1e-5);
        crate::near(mode.centre[0], place, 1e-5);
        assert_eq!((mode.size, mode.weight), (size, size as f64));
    }
    // Weighted: (0 + 1 + 2 * 4) / 6, and the middle of the others as before.
    let found = flat(3.0).sample_weights([1.0, 1.0, 4.0, 1.0, 1.0]).fit(&line).unwrap();
    crate::near(found.modes[0].position[0], 1.5, 1e-5);
    crate::near(found.modes[0].centre[0], 1.5, 1e-5);
    assert_eq!((found.modes[0].size, found.modes[0].weight), (3, 6.0));
    // A seed has one end, of which the mode is made; its points have another mean.
    let seeds = modeseek::Points::from_rows(&[-2.5, 100.0], 1).unwrap();
    let found = flat(3.0).seeding(Seeding::At(seeds)).max_iterations(1).fit(&line).unwrap();
    // From -2.5, only 0 is in reach; all three are nearer to that than to 100.5.
    crate::near(found.modes[0].position[0], 0.0, 1e-5);
    crate::near(found.modes[0].centre[0], 1.0, 1e-5);
    assert_eq!((found.modes[0].size, found.queries.len()), (3, 2));
}

/// What became of each query: steps by hand.
#[test]
fn queries_tell_their_own_story() {
    // The first comes to rest with its second step; the others in one, but see it only in the next.
    let found = flat(3.0).fit(&[[0.0], [1.0], [2.0], [100.0]]).unwrap();
    assert!(found.queries.iter().all(|query| query.converged && query.last_shift == 0.0));
    assert_eq!(found.queries.iter().map(|query| query.iterations).collect::<Vec<_>>(), [2, 1, 2, 1]);
    assert_eq!((found.iterations, found.shifts.len()), (2, 2));
    // The first step moved the outer two by 1, a third of a bandwidth; one that counts what is exactly as far is a little longer.
    crate::near(found.shifts[0], 1.0 / 3.0, 3e-6);
    let found = flat(3.0).max_iterations(1).fit(&[[0.0], [1.0], [2.0], [100.0]]).unwrap();
    assert_eq!(found.queries.iter().map(|query| query.converged).collect::<Vec<_>>(), [false, true, false, true]);
    assert!(!found.converged && !found.cancelled);
    crate::near(found.queries[0].last_shift, 1.0 / 3.0, 3e-6);
}

/// The composed method makes the same steps, in bandwidths; of each query it knows the largest step of all.
#[test]
fn methods_tell_the_same_story() {
    let blobs = modeseek::data::Blobs { points: 200, clusters: 3, dimensions: 2, seed: 4 };
    let points = modeseek::Points::from_rows(&blobs.generate().unwrap().rows, 2).unwrap();
    for most in [2, 300] {
        for estimator in [fixed(2.5), fixed(6.0).weight(modeseek::WeightFunction::Biweight)] {
            let estimator = estimator.max_iterations(most);
            let fused = estimator.fit(&points).unwrap();
            let composed = estimator.method(Method::Composed { batch: 64 }).fit(&points).unwrap();
            assert_eq!((fused.iterations, fused.converged), (composed.iterations, composed.converged));
            assert_eq!(fused.converged, most == 300);
            for (fused, composed) in fused.shifts.iter().zip(&composed.shifts) {
                crate::near(*composed, *fused, 1e-4);
            }
            let largest = composed.last_shift();
            assert!(composed.queries.iter().all(|query| (query.last_shift - largest).abs() <= 1e-6 * largest));
            assert!(composed.queries.iter().all(|query| query.converged == composed.converged));
        }
    }
}

#[test]
fn small_clusters_are_noise() {
    let line = [[50.0], [20.0], [20.5], [0.0], [0.25], [0.5], [-30.0]];
    for estimator in [fixed(1.0), flat(1.0), flat(1.0).merging(Merging::Densest)] {
        let labels = |size| estimator.clone().minimum_size(size).fit(&line).unwrap().labels;
        assert_eq!(labels(1), [3, 1, 1, 0, 0, 0, 2]);
        assert_eq!(labels(2), [-1, 1, 1, 0, 0, 0, -1]);
        assert_eq!(labels(3), [-1, -1, -1, 0, 0, 0, -1]);
        let found = estimator.minimum_size(4).fit(&line).unwrap();
        assert_eq!((found.labels.as_slice(), found.modes.len()), (&[-1; 7][..], 0));
        // Nothing is a neighbour of nothing.
        assert_eq!(found.predict(&line, Assignment::NearestMode).unwrap(), [-1; 7]);
        assert_eq!(found.predict(&line, Assignment::Basin).unwrap(), [-1; 7]);
        assert_eq!(found.transform(&line).unwrap(), vec![Vec::<f64>::new(); 7]);
    }
}

/// With a reach, what is farther from every mode is noise; exactly at the reach is within.
#[test]
fn what_is_out_of_reach_is_noise() {
    let line = [[0.0], [1.0], [2.0], [5.0], [5.25]];
    // One seed, whose mode is at 1.
    let seeds = modeseek::Points::from_rows(&[1.0], 1).unwrap();
    let estimator = flat(2.0).seeding(Seeding::At(seeds));
    let labels = |reach| estimator.clone().reach(reach).fit(&line).unwrap().labels;
    assert_eq!(estimator.fit(&line).unwrap().labels, [0; 5]);
    assert_eq!(labels(0.5), [0, 0, 0, -1, -1]);
    assert_eq!(labels(0.25), [-1, 0, -1, -1, -1]);
    assert_eq!(labels(2.0), [0, 0, 0, 0, -1]);
    let found = estimator.reach(2.0).fit(&line).unwrap();
    assert_eq!((found.modes[0].size, found.modes[0].weight), (4, 4.0));
    assert_eq!(found.predict(&[[-3.0], [-3.5]], Assignment::NearestMode).unwrap(), [0, -1]);
}

/// A point between a heavy heap and a light one climbs to the heavy, though the light one is nearer.
#[test]
fn basins_and_nearest_modes_differ() {
    // At 3, with h = 1: 100 exp(-4.5) = 1.1 pull to 0, and exp(-2) = 0.14 to 5.
    let line = [[0.0], [3.0], [5.0]];
    let standard = fixed(1.0).form(Form::Standard).sample_weights([100.0, 0.0, 1.0]);
    for (assignment, labels) in [(Assignment::Basin, [0, 0, 1]), (Assignment::NearestMode, [0, 1, 1])] {
        // With every point as a seed, and with two.
        let seeds = modeseek::Points::from_rows(&[0.5, 4.5], 1).unwrap();
        for seeding in [Seeding::EveryPoint, Seeding::At(seeds)] {
            let found = standard.clone().seeding(seeding).assignment(assignment).fit(&line).unwrap();
            assert_eq!(found.labels, labels, "{assignment:?}");
            assert_eq!(found.predict(&line, assignment).unwrap(), labels, "{assignment:?}");
        }
    }
}

/// Seeds or none, a point that no weight reaches belongs to no basin: one of weight 0, alone.
#[test]
fn points_without_support_have_no_basin() {
    let line = [[0.0], [0.5], [20.0], [100.0], [100.25]];
    let seeds = modeseek::Points::from_rows(&[0.5, 100.0], 1).unwrap();
    for seeding in [Seeding::EveryPoint, Seeding::At(seeds)] {
        for estimator in [fixed(1.0).form(Form::Standard), flat(1.0)] {
            let estimator = estimator.sample_weights([1.0, 1.0, 0.0, 1.0, 1.0]).seeding(seeding.clone());
            let found = estimator.assignment(Assignment::Basin).fit(&line).unwrap();
            assert_eq!(found.labels, [0, 0, -1, 1, 1], "{seeding:?}");
            assert_eq!(found.predict(&line, Assignment::Basin).unwrap(), found.labels, "{seeding:?}");
            assert_eq!(found.modes.iter().map(|mode| mode.size).collect::<Vec<_>>(), [2, 2]);
        }
    }
}

/// A mode that no point is nearest to, or climbs to, is a cluster of fewer points than one.
#[test]
fn clusters_have_points() {
    // Many modes near each other, of which one is far from the points that came to it.
    let noise = |i: usize| ((i as f64 * 12.9898).sin() * 43758.5453).rem_euclid(1.0);
    let points: Vec<[f64; 2]> = (0..1500).map(|i| [noise(2 * i) * 64.0, noise(2 * i + 1) * 64.0]).collect();
    let mut modes = Vec::new();
    for merging in [Merging::Chains { radius: 0.5 }, Merging::Densest] {
        let estimator = flat(2.0).merging(merging).assignment(Assignment::NearestMode);
        let found = estimator.fit(&points).unwrap();
        assert!(found.modes.iter().all(|mode| mode.size > 0 && mode.weight > 0.0));
        let sizes = found.modes.iter().map(|mode| mode.size).sum::<usize>();
        assert_eq!(sizes, found.labels.iter().filter(|&&label| label >= 0).count());
        modes.push(found.modes.len());
    }
    assert!(modes[0] > 100, "{modes:?}");
}

/// A bin of any weight is one, and points are alone in bins only if each has one of its own.
#[test]
fn weights_of_seeds_in_bins_may_be_fractions() {
    let line = [[0.1], [0.2], [5.1], [5.2]];
    for weight in [0.125, 0.25, 0.5] {
        let bins = flat(1.0).seeding(Seeding::Bins { min_frequency: 1 }).sample_weights([weight; 4]);
        let found = bins.fit(&line).unwrap();
        assert_eq!((found.labels, found.queries.len()), (vec![0, 0, 1, 1], 2), "{weight}");
        assert!(found.notes.iter().all(|note| !note.contains("bin")), "{:?}", found.notes);
    }
}

/// Points climb over the points as they were, by whichever way the modes were found: 120 clusters in space, most of whose box
/// is empty.
#[test]
fn points_climb_to_modes_that_were_found_by_any_method() {
    let noise = |i: usize, c: usize| ((i * 3 + c) as f64 * 12.9898).sin() * 43758.5453 % 1.0;
    let place = |k: usize, c: usize| (noise(1000 + k, c) * 60.0).round();
    let points: Vec<[f64; 3]> = (0..7680).map(|i| [0, 1, 2].map(|c| place(i % 120, c) + 0.4 * noise(i, c))).collect();
    let estimator = fixed(1.0).merging(Merging::Densest).assignment(Assignment::Basin);
    let expected = estimator.clone().method(Method::Fused).fit(&points).unwrap();
    assert!(expected.modes.len() > 100 && !expected.labels.contains(&-1), "{}", expected.modes.len());
    for method in [Method::Field, Method::Tiles, Method::Composed { batch: 512 }] {
        let found = estimator.clone().method(method).fit(&points).unwrap();
        assert_eq!(found.labels, expected.labels, "{method:?}");
    }
}
