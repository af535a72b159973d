//! Properties that hold for any input: random shapes and values, on the processor.

use std::sync::LazyLock;

use gpu::matmul::matmul_tiled;
use modeseek::{Device, MeanShift, Points, reference};
use proptest::prelude::*;

static DEVICE: LazyLock<Device> = LazyLock::new(|| Device::processor().unwrap());

/// Rows of d coordinates with few different values, so that there are duplicates and ties.
fn point_sets() -> impl Strategy<Value = (Vec<f32>, usize)> {
    (1_usize..6, 1_usize..70, prop_oneof![Just(0.0_f64), Just(1e6)]).prop_flat_map(|(d, n, offset)| {
        let coordinate = (-12_i32..12).prop_map(move |x| (offset + f64::from(x) * 0.75) as f32);
        (proptest::collection::vec(coordinate, n * d), Just(d))
    })
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// One step of the estimator is the oracle's, for any shape.
    #[test]
    fn one_step_is_the_oracles((rows, d) in point_sets(), h in 0.5_f64..20.0) {
        let found = MeanShift::new(h).max_iterations(1).fit(&DEVICE, &Points::from_rows(&rows, d)?)?;
        let expected = reference::shift(&wide(&rows), d, modeseek::WeightFunction::Gaussian, h);
        let moved = rows
            .chunks(d)
            .zip(expected.chunks(d))
            .map(|(a, b)| reference::Metric::L2.distance(&wide(a), b))
            .fold(0.0, f64::max);
        let error = (found.last_shift - moved).abs();
        prop_assert!(error <= 2e-5 * (1.0 + moved), "moved {}, not {moved}", found.last_shift);
    }

    /// Blurring keeps every point within the bounding box of the set.
    #[test]
    fn modes_stay_within_the_bounds((rows, d) in point_sets(), h in 0.5_f64..20.0) {
        let found = MeanShift::new(h).max_iterations(20).fit(&DEVICE, &Points::from_rows(&rows, d)?)?;
        for mode in &found.modes {
            for (c, x) in mode.position.iter().enumerate() {
                let column = rows.iter().skip(c).step_by(d).copied().map(f64::from);
                let (low, high) = column.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
                prop_assert!(*x >= low - 1e-4 && *x <= high + 1e-4, "{x} outside [{low}, {high}]");
            }
        }
    }

    /// Labels count from 0, sizes add up, and the largest cluster comes first.
    #[test]
    fn labels_and_sizes_agree((rows, d) in point_sets(), h in 0.5_f64..20.0) {
        let found = MeanShift::new(h).max_iterations(20).fit(&DEVICE, &Points::from_rows(&rows, d)?)?;
        let mut sizes = vec![0; found.modes.len()];
        for &label in &found.labels {
            sizes[label as usize] += 1;
        }
        prop_assert_eq!(&sizes, &found.modes.iter().map(|mode| mode.size).collect::<Vec<_>>());
        prop_assert!(sizes.is_sorted_by(|a, b| a >= b) && !sizes.contains(&0));
    }

    /// Equal points have equal labels.
    #[test]
    fn duplicates_stay_together((rows, d) in point_sets(), h in 0.5_f64..5.0) {
        let twice: Vec<f32> = rows.iter().chain(&rows).copied().collect();
        let found = MeanShift::new(h).max_iterations(20).fit(&DEVICE, &Points::from_rows(&twice, d)?)?;
        let (first, second) = found.labels.split_at(rows.len() / d);
        prop_assert_eq!(first, second);
    }

    /// The tiled product is the oracle's, for any shape.
    #[test]
    fn products_are_the_oracles(m in 1_usize..90, n in 1_usize..90, k in 1_usize..90, seed in any::<u32>()) {
        let value = |i: usize| ((i as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) >> 8) as f32 / (1 << 23) as f32 - 1.0;
        let (a, b): (Vec<f32>, Vec<f32>) = ((0..m * k).map(value).collect(), (0..k * n).map(|i| value(i + 7)).collect());
        let expected = reference::matmul(&wide(&a), &wide(&b), m, n, k);
        let (a, b) = (DEVICE.upload(&a)?, DEVICE.upload(&b)?);
        let mut c = DEVICE.upload(&vec![f32::NAN; m * n])?;
        DEVICE.launch(matmul_tiled::launch(&a, &b, &mut c, m as u32, n as u32, k as u32))?;
        for (found, expected) in DEVICE.download(&c)?.into_iter().zip(expected) {
            let error = (f64::from(found) - expected).abs();
            prop_assert!(error <= k as f64 * (k as f64 + 1.0) / (1 << 24) as f64, "{found} is not {expected}");
        }
    }
}
