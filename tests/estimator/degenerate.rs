//! Legal, and worth a word: duplicates, constant columns, bandwidths that are too small or too large.

use modeseek::{Bandwidth, Clustering, Form, MeanShift, Merging, Points, Seeding};

use crate::{DEVICE, fixed, flat};

#[track_caller]
fn noted(found: &Clustering, words: &[&str]) {
    for word in words {
        assert!(found.notes.iter().any(|note| note.contains(word)), "{word:?} is in none of {:?}", found.notes);
    }
}

fn rules() -> [Bandwidth; 7] {
    [
        Bandwidth::default(),
        Bandwidth::Third,
        Bandwidth::Quantile { quantile: 0.01, sample: None, seed: 0 },
        Bandwidth::MeanNeighbour { k: 2 },
        Bandwidth::Neighbours { k: 2 },
        Bandwidth::Scott,
        Bandwidth::Silverman,
    ]
}

fn with(bandwidth: Bandwidth) -> MeanShift {
    MeanShift::new().on(&DEVICE).bandwidth(bandwidth)
}

/// No rule finds a bandwidth then; 1 is as good as any, and is said.
#[test]
fn equal_points_are_one_cluster_of_bandwidth_one() {
    for n in [2, 40] {
        for rule in rules() {
            for form in [Form::Blurring, Form::Standard] {
                let found = with(rule.clone()).form(form).fit(&vec![[3.0, -7.5]; n]).unwrap();
                assert_eq!((found.labels.clone(), found.bandwidth), (vec![0; n], 1.0), "{rule:?}");
                assert_eq!(found.modes[0].position, [3.0, -7.5]);
                assert_eq!((found.modes[0].size, found.converged), (n, true));
                noted(&found, &["all points are equal, so that any bandwidth gives one cluster: 1 is used"]);
                // No other would do better.
                assert!(found.notes.iter().all(|note| !note.contains("sweep")), "{:?}", found.notes);
            }
        }
    }
}

/// One point is one cluster, of which there is nothing to note but where the bandwidth came from.
#[test]
fn one_point_is_one_cluster() {
    for form in [Form::Blurring, Form::Standard] {
        let found = fixed(1.0).form(form).fit(&[[5.0, 1e6, -3.0]]).unwrap();
        assert_eq!((found.labels.as_slice(), found.modes.len()), (&[0][..], 1));
        assert_eq!(found.modes[0].position, [5.0, 1e6, -3.0]);
        assert!(found.converged && found.notes.is_empty(), "{:?}", found.notes);
        let found = MeanShift::new().on(&DEVICE).form(form).fit(&[[5.0, 1e6, -3.0]]).unwrap();
        noted(&found, &["all points are equal"]);
    }
}

/// So many duplicates that the nearest neighbours are at distance 0: farther ones are taken, and that is said.
#[test]
fn duplicates_are_looked_beyond() {
    let points: Vec<[f64; 2]> = [[0.0, 0.0], [1.0, 0.0], [20.0, 0.0], [21.0, 0.0]].repeat(10);
    for rule in [Bandwidth::Quantile { quantile: 0.1, sample: None, seed: 0 }, Bandwidth::MeanNeighbour { k: 3 }] {
        let found = with(rule).fit(&points).unwrap();
        // Neighbours up to the tenth are the point itself; then comes the one at distance 1.
        assert_eq!(found.bandwidth, 1.0);
        noted(&found, &["is 0 for every point, since that many are equal; neighbour 1"]);
        assert_eq!(found.labels, [0, 0, 1, 1].repeat(10));
    }
    // One that has no duplicate tells how far it is for the others.
    let found = with(Bandwidth::Neighbours { k: 2 }).fit(&[[0.0], [0.0], [5.0]]).unwrap();
    noted(&found, &["2 points are at distance 0 from that neighbour", "smallest bandwidth of the others, 5"]);
}

#[test]
fn constant_columns_take_the_others_bandwidth() {
    let points: Vec<[f64; 3]> = (0..60).map(|i| [f64::from(i % 30), 4.0, f64::from(i / 30) * 100.0]).collect();
    for rule in [Bandwidth::Scott, Bandwidth::Silverman] {
        let found = with(rule).fit(&points).unwrap();
        let h = found.bandwidth_per_dimension.clone().unwrap();
        assert!(h[0] > 0.0 && h[1] == (h[0] + h[2]) / 2.0, "{h:?}");
        noted(&found, &["1 of 3 columns are constant; they take the mean bandwidth of the others"]);
    }
    // Rules by distances need no fallback.
    for rule in [Bandwidth::default(), Bandwidth::MeanNeighbour { k: 5 }] {
        let found = with(rule).fit(&points).unwrap();
        assert!(found.bandwidth > 0.0 && found.notes.is_empty(), "{:?}", found.notes);
    }
}

#[test]
fn too_small_a_bandwidth_makes_every_point_a_cluster() {
    let points: Vec<[f64; 2]> = (0..30).map(|i| [f64::from(i), f64::from(i * i % 7)]).collect();
    for estimator in [fixed(1e-3), flat(1e-3), flat(1e-3).merging(Merging::Densest)] {
        let found = estimator.fit(&points).unwrap();
        assert_eq!(found.modes.len(), 30);
        assert!(found.modes.iter().all(|mode| mode.size == 1) && found.converged);
        noted(&found, &["every point is a cluster of its own: the bandwidth is small"]);
        // Equal weights: the order is that of positions.
        assert!(found.modes.is_sorted_by(|a, b| a.position < b.position));
        assert_eq!(found.labels, (0..30).collect::<Vec<_>>());
    }
    let found = fixed(1e-5).fit(&points).unwrap();
    noted(&found, &["tiny against the extent", "every point is a cluster of its own"]);
}

#[test]
fn too_large_a_bandwidth_makes_one_cluster() {
    let points: Vec<[f64; 2]> = (0..30).map(|i| [f64::from(i), f64::from(i * i % 7)]).collect();
    let mean = [14.5, points.iter().map(|point| point[1]).sum::<f64>() / 30.0];
    for estimator in [fixed(1e6), flat(1e6), flat(1e6).merging(Merging::Densest)] {
        let found = estimator.fit(&points).unwrap();
        assert_eq!((found.modes.len(), found.modes[0].size), (1, 30));
        noted(&found, &["all points are one cluster: the bandwidth is large; `modeseek sweep`"]);
        for (found, mean) in found.modes[0].position.iter().zip(mean) {
            crate::near(*found, mean, 1e-4);
        }
    }
}

/// Nearly one cluster, and crumbs; nearly all alone, and a few that met.
#[test]
fn clusters_that_tell_little_are_noted() {
    let crumbs: Vec<[f64; 1]> = (0..97).map(|i| [f64::from(i) / 97.0]).chain([[50.0], [70.0], [90.0]]).collect();
    let found = fixed(5.0).fit(&crumbs).unwrap();
    noted(&found, &["97 of 100 points are one cluster: the bandwidth is large", "`--form standard`"]);
    let found = fixed(5.0).form(Form::Standard).fit(&crumbs).unwrap();
    noted(&found, &["97 of 100 points are one cluster"]);
    assert!(found.notes.iter().all(|note| !note.contains("standard form")), "{:?}", found.notes);
    // Outliers are no sign of a small bandwidth, and noise is none of a large one.
    let outliers: Vec<[f64; 1]> =
        (0..90).map(|i| [f64::from(i % 2) * 50.0]).chain((3..13).map(|i| [f64::from(i) * 50.0])).collect();
    for estimator in [fixed(5.0), fixed(5.0).minimum_size(2)] {
        assert_eq!(estimator.fit(&outliers).unwrap().notes.len(), 0);
    }
    let mostly: Vec<[f64; 1]> = (0..30).map(|i| [f64::from(i)]).chain((0..10).map(|i| [f64::from(i) + 0.01])).collect();
    noted(&fixed(0.1).fit(&mostly).unwrap(), &["20 of 30 clusters are single points: the bandwidth is small"]);
}

/// With sample weights a neighbour is so much weight: of four points of weight 3 the fifth is among the next.
#[test]
fn neighbours_are_counted_by_weight() {
    let points = [[0.0], [1.0], [2.0], [3.0]];
    let weighted = |bandwidth, weight: f64| with(bandwidth).sample_weights(vec![weight; 4]).fit(&points);
    let repeated: Vec<[f64; 1]> = points.iter().flat_map(|point| [*point; 3]).collect();
    for k in [5, 9] {
        let found = weighted(Bandwidth::MeanNeighbour { k }, 3.0).unwrap();
        let expected = with(Bandwidth::MeanNeighbour { k }).fit(&repeated).unwrap();
        assert_eq!(found.bandwidth, expected.bandwidth, "{k}");
        assert_eq!(weighted(Bandwidth::Neighbours { k }, 3.0).unwrap().labels.len(), 4);
    }
    for bandwidth in [Bandwidth::Neighbours { k: 13 }, Bandwidth::MeanNeighbour { k: 13 }] {
        let words = ["asks for neighbour 13 of each point, but must ask for one from 1 to 12"];
        crate::refused(weighted(bandwidth.clone(), 3.0), &words);
        assert!(weighted(bandwidth, 4.0).is_ok());
    }
    crate::refused(weighted(Bandwidth::MeanNeighbour { k: 3 }, 0.5), &["neighbour 3", "from 1 to 2"]);
}

/// One seed makes one mode, and what is noise is in no cluster: neither says that the bandwidth is large.
#[test]
fn one_mode_is_not_one_cluster_of_all_points() {
    let line = [[0.0], [0.5], [1.0], [50.0]];
    let seed = Seeding::At(Points::from_rows(&[0.5], 1).unwrap());
    let large = "all points are one cluster";
    for estimator in [flat(2.0).seeding(seed), flat(2.0).minimum_size(2)] {
        let found = estimator.fit(&line).unwrap();
        assert!(found.modes.len() == 1 && found.notes.iter().all(|note| !note.contains(large)), "{:?}", found.notes);
    }
    noted(&flat(500.0).seeding(Seeding::Random { count: 2, seed: 0 }).fit(&line).unwrap(), &[large]);
}

#[test]
fn more_seeds_than_points_are_noted() {
    let line = [[0.0], [0.5], [50.0]];
    let fit = |count| flat(2.0).seeding(Seeding::Random { count, seed: 0 }).fit(&line).unwrap();
    noted(&fit(4), &["there are 3 points for 4 random seeds: all points are seeds"]);
    assert_eq!((fit(4).queries.len(), fit(3).notes.len()), (3, 0));
}

/// The first neighbour of a point is the point.
#[test]
fn the_first_neighbour_is_the_point_itself() {
    let line = [[0.0], [1.0], [3.0]];
    for rule in [Bandwidth::Neighbours { k: 1 }, Bandwidth::MeanNeighbour { k: 1 }] {
        let found = with(rule).fit(&line).unwrap();
        noted(&found, &["neighbour 1 is 0 for every point, which is the point itself; neighbour 2 is taken"]);
    }
}

/// Of points that weigh a tenth each three are three tenths, and no point itself.
#[test]
fn neighbours_by_weight_are_told_as_such() {
    let line: Vec<[f64; 1]> = (0..10).map(|i| [f64::from(i % 2)]).collect();
    let found = with(Bandwidth::default()).sample_weights([0.1; 10]).fit(&line).unwrap();
    noted(&found, &["neighbour 0.3 is 0 for every point, since that many are equal; neighbour 0.6 is taken"]);
}
