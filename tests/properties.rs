//! Properties that hold for any input: random shapes and values, on the processor.

use std::sync::LazyLock;

use gpu::matmul::{self, matmul_tiled};
use modeseek::{Bandwidth, Device, Form, MeanShift, Points, WeightFunction, reference};
use proptest::prelude::*;

/// With nothing of what was measured for whoever runs the tests.
static DEVICE: LazyLock<Device> = LazyLock::new(|| Device::processor().unwrap().without_tuning());

/// Rows of d coordinates with few different values, so that there are duplicates and ties.
fn point_sets() -> impl Strategy<Value = (Vec<f32>, usize)> {
    (1_usize..6, 1_usize..70, prop_oneof![Just(0.0_f64), Just(1e6)]).prop_flat_map(|(d, n, offset)| {
        let coordinate = (-12_i32..12).prop_map(move |x| (offset + f64::from(x) * 0.75) as f32);
        (proptest::collection::vec(coordinate, n * d), Just(d))
    })
}

/// An estimator on the processor, of either form and any weight function.
fn estimators() -> impl Strategy<Value = (MeanShift, Form, WeightFunction)> {
    let form = prop_oneof![Just(Form::Blurring), Just(Form::Standard)];
    let own = WeightFunction::Own(&gpu::cauchy::STEPS);
    let weight = prop_oneof![proptest::sample::select(&WeightFunction::ALL[..]), Just(own)];
    (form, weight).prop_map(|(form, weight)| (MeanShift::new().form(form).weight(weight).on(&DEVICE), form, weight))
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// One step of the estimator is the oracle's, for any shape. At the step of the flat weight f32 and f64 may differ.
    #[test]
    fn one_step_is_the_oracles((rows, d) in point_sets(), (estimator, _, weight) in estimators(), h in 0.5_f64..20.0) {
        prop_assume!(weight != WeightFunction::Flat);
        let estimator = estimator.bandwidth(Bandwidth::Fixed(h)).max_iterations(1);
        let found = estimator.fit(&Points::from_rows(&rows, d)?)?;
        // The first step is the same in both forms: the points are the queries.
        let expected = reference::shift(&wide(&rows), d, weight, h);
        let moved = rows
            .chunks(d)
            .zip(expected.chunks(d))
            .map(|(a, b)| reference::Metric::L2.distance(&wide(a), b))
            .fold(0.0, f64::max);
        let error = (found.last_shift() * h - moved).abs();
        prop_assert!(error <= 2e-5 * (1.0 + moved), "moved {}, not {moved}", found.last_shift() * h);
    }

    /// Means keep every point within the bounding box of the set.
    #[test]
    fn modes_stay_within_the_bounds((rows, d) in point_sets(), (estimator, ..) in estimators(), h in 0.5_f64..20.0) {
        let estimator = estimator.bandwidth(Bandwidth::Fixed(h)).max_iterations(20);
        let found = estimator.fit(&Points::from_rows(&rows, d)?)?;
        for position in found.modes.iter().flat_map(|mode| [&mode.position, &mode.centre]) {
            for (c, x) in position.iter().enumerate() {
                let column = rows.iter().skip(c).step_by(d).copied().map(f64::from);
                let (low, high) = column.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
                prop_assert!(*x >= low - 1e-4 && *x <= high + 1e-4, "{x} outside [{low}, {high}]");
            }
        }
    }

    /// Labels count from 0, sizes add up, and the largest cluster comes first; what is below a size is noise.
    #[test]
    fn labels_and_sizes_agree(
        (rows, d) in point_sets(), (estimator, ..) in estimators(), h in 0.5_f64..20.0, least in 1_usize..4,
    ) {
        let estimator = estimator.bandwidth(Bandwidth::Fixed(h)).max_iterations(20).minimum_size(least);
        let found = estimator.fit(&Points::from_rows(&rows, d)?)?;
        let mut sizes = vec![0; found.modes.len()];
        for &label in &found.labels {
            prop_assert!(label >= -1 && (least > 1 || label >= 0), "{label}");
            if label >= 0 {
                sizes[label as usize] += 1;
            }
        }
        prop_assert_eq!(&sizes, &found.modes.iter().map(|mode| mode.size).collect::<Vec<_>>());
        prop_assert!(sizes.is_sorted_by(|a, b| a >= b) && sizes.iter().all(|&size| size >= least));
    }

    /// Equal points have equal labels.
    #[test]
    fn duplicates_stay_together((rows, d) in point_sets(), (estimator, ..) in estimators(), h in 0.5_f64..5.0) {
        let twice: Vec<f32> = rows.iter().chain(&rows).copied().collect();
        let estimator = estimator.bandwidth(Bandwidth::Fixed(h)).max_iterations(20);
        let found = estimator.fit(&Points::from_rows(&twice, d)?)?;
        let (first, second) = found.labels.split_at(rows.len() / d);
        prop_assert_eq!(first, second);
    }

    /// A point of weight 2 is two points.
    #[test]
    fn weights_are_repetitions((rows, d) in point_sets(), (estimator, form, weight) in estimators(), h in 0.5_f64..20.0) {
        prop_assume!(weight != WeightFunction::Flat);
        let n = rows.len() / d;
        let copies = |i: usize| rows[i * d..][..d].repeat(1 + i % 3);
        let repeated: Vec<f32> = (0..n).flat_map(copies).collect();
        let estimator = estimator.bandwidth(Bandwidth::Fixed(h)).max_iterations(1);
        let many = estimator.fit(&Points::from_rows(&repeated, d)?)?;
        let weights: Vec<f64> = (0..n).map(|i| (1 + i % 3) as f64).collect();
        let weighted = estimator.sample_weights(weights).fit(&Points::from_rows(&rows, d)?)?;
        let (many, weighted) = (many.last_shift() * h, weighted.last_shift() * h);
        prop_assert!((many - weighted).abs() <= 2e-5 * (1.0 + many), "{form:?}: {many} or {weighted}");
    }

    /// The tiled product, and the one that is chosen, are the oracle's, for any shape.
    #[test]
    fn products_are_the_oracles(m in 1_usize..90, n in 1_usize..90, k in 1_usize..90, seed in any::<u32>()) {
        let value = |i: usize| ((i as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) >> 8) as f32 / (1 << 23) as f32 - 1.0;
        let (a, b): (Vec<f32>, Vec<f32>) = ((0..m * k).map(value).collect(), (0..k * n).map(|i| value(i + 7)).collect());
        let expected = reference::matmul(&wide(&a), &wide(&b), m, n, k);
        let (a, b) = (DEVICE.upload(&a)?, DEVICE.upload(&b)?);
        for chosen in [false, true] {
            let mut c = DEVICE.upload(&vec![f32::NAN; m * n])?;
            DEVICE.launch(match chosen {
                false => matmul_tiled::launch(&a, &b, &mut c, m as u32, n as u32, k as u32),
                true => matmul::product(DEVICE.machine(), &a, &b, &mut c, m as u32, n as u32, k as u32),
            })?;
            for (found, expected) in DEVICE.download(&c)?.into_iter().zip(&expected) {
                let error = (f64::from(found) - expected).abs();
                prop_assert!(error <= k as f64 * (k as f64 + 1.0) / (1 << 24) as f64, "{found} is not {expected}");
            }
        }
    }
}
