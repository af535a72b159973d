//! Numbers of every size: weights, columns and distances that f32 would not hold as they are.

use modeseek::{Assignment, Bandwidth, Form, Merging, Seeding};

use crate::{fixed, flat, near};

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
