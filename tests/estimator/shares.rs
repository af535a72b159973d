//! Random seeds for clusters of a share of the points.

use std::collections::BTreeSet;

use modeseek::agreement::adjusted_rand_index;
use modeseek::{Form, Seeding};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::fixed;

/// Six clusters of many points and one of 3 %, in 30 dimensions, where a grid would have a bin for every point.
fn points() -> (Vec<[f32; 30]>, Vec<usize>) {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let centres: [[f32; 30]; 7] = std::array::from_fn(|_| std::array::from_fn(|_| random.random_range(-50.0..50.0)));
    let labels: Vec<usize> = (0..1000).map(|i| if i % 100 < 3 { 6 } else { i % 6 }).collect();
    let rows = labels.iter().map(|&k| centres[k].map(|x| x + random.random_range(-1.0..1.0))).collect();
    (rows, labels)
}

/// Enough seeds find the small cluster each time; as few as one takes for six clusters miss it now and then.
#[test]
fn a_share_of_the_points_is_not_missed() {
    let (rows, labels) = points();
    assert_eq!(labels.iter().filter(|&&label| label == 6).count(), 30);
    let estimator = fixed(4.0).form(Form::Standard);
    let mut few = BTreeSet::new();
    for seed in 0..12 {
        let share = Seeding::Share { share: 0.03, confidence: 0.99, seed };
        let found = estimator.clone().seeding(share).fit(&rows).unwrap();
        // (1 - 0.03)^267 0.03^-1 < 0.01.
        assert_eq!((found.queries.len(), found.modes.len()), (267, 7), "seed {seed}");
        assert!(found.notes.iter().any(|note| note == "267 random seeds"), "{:?}", found.notes);
        assert_eq!(adjusted_rand_index(&found.labels, &labels), 1.0, "seed {seed}");
        let random = Seeding::Random { count: 20, seed };
        few.insert(estimator.clone().seeding(random).fit(&rows).unwrap().modes.len());
    }
    assert!(few.iter().any(|&modes| modes < 7), "{few:?}");
}
