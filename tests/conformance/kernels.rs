//! Every kernel against its oracle, at sizes that are multiples of no tile.
//!
//! Tolerances follow from the arithmetic: a sum of n products in f32 is off by at most n roundings of
//! the sum of their magnitudes, whatever the order.

use gpu::layout::{STRIDE, to_columns, to_rows};
use gpu::matmul::{matmul_naive, matmul_tiled};
use gpu::pairwise::{pairwise_l1, pairwise_l2, pairwise_lp, pairwise_squared_l2};
use gpu::reduce::{reduce_weighted_1, reduce_weighted_2, reduce_weighted_3, reduce_weighted_4};
use gpu::weight::{weight_flat, weight_gaussian, weight_triangular};
use gpu::{shift, shift_any as any};
use modeseek::reference::{self, Metric};
use modeseek::{Buffer, Device, Error, WeightFunction};

use crate::check::{ROUNDING, assert_close, random, wide};

/// What an output holds before a kernel writes it: a cell that it misses fails every comparison.
const POISON: f32 = f32::NAN;

fn poisoned(device: &Device, len: usize) -> Buffer<f32> {
    device.upload(&vec![POISON; len]).unwrap()
}

pub fn axpy(device: &Device) {
    for n in [1, 31, 32, 33, 1000, 4097] {
        let (x, y) = (random(n, 1), random(n, 2));
        let expected: Vec<f64> = x.iter().zip(&y).map(|(x, y)| 2.5 * f64::from(*x) + f64::from(*y)).collect();
        let (x, mut y) = (device.upload(&x).unwrap(), device.upload(&y).unwrap());
        device.launch(gpu::vector::axpy::launch(2.5, &x, &mut y)).unwrap();
        assert_close(&device.download(&y).unwrap(), &expected, |_| 8.0 * ROUNDING, "axpy");
    }
}

pub fn layout(device: &Device) {
    for (n, d) in [(1, 1), (1, 5), (31, 2), (33, 3), (1000, 7)] {
        let rows = random(n * d, 3);
        let stride = n.next_multiple_of(STRIDE);
        let input = device.upload(&rows).unwrap();
        let mut columns = poisoned(device, stride * d);
        let sizes = (n as u32, d as u32, stride as u32);
        device.launch(to_columns::launch(&input, &mut columns, sizes.0, sizes.1, sizes.2, 4.0)).unwrap();
        let found = device.download(&columns).unwrap();
        for c in 0..d {
            for i in 0..stride {
                let expected = if i < n { 4.0 * rows[i * d + c] } else { 0.0 };
                assert_eq!(found[c * stride + i], expected, "column {c}, point {i} of {n}");
            }
        }
        let mut back = poisoned(device, n * d);
        device.launch(to_rows::launch(&columns, &mut back, sizes.0, sizes.1, sizes.2, 0.25)).unwrap();
        assert_eq!(device.download(&back).unwrap(), rows);
    }
}

pub fn matmul(device: &Device) {
    // The lecture's shape for checking, single cells, and sizes around every tile.
    for (m, n, k) in [(5, 10, 784), (1, 1, 1), (1, 7, 3), (17, 1, 5), (64, 64, 64), (65, 130, 67), (33, 257, 1)] {
        let (a, b) = (random(m * k, 4), random(k * n, 5));
        let expected = reference::matmul(&wide(&a), &wide(&b), m, n, k);
        let (a, b) = (device.upload(&a).unwrap(), device.upload(&b).unwrap());
        let tolerance = |_| (k as f64 + 1.0) * ROUNDING * k as f64;
        let mut c = poisoned(device, m * n);
        device.launch(matmul_naive::launch(&a, &b, &mut c, m as u32, n as u32, k as u32)).unwrap();
        assert_close(&device.download(&c).unwrap(), &expected, tolerance, "matmul_naive");
        let mut c = poisoned(device, m * n);
        device.launch(matmul_tiled::launch(&a, &b, &mut c, m as u32, n as u32, k as u32)).unwrap();
        assert_close(&device.download(&c).unwrap(), &expected, tolerance, "matmul_tiled");
    }
}

pub fn pairwise(device: &Device) {
    for (m, n, d) in [(1, 1, 1), (3, 130, 2), (9, 33, 3), (8, 32, 5), (17, 1, 64)] {
        let (a, b) = (random(m * d, 6), random(n * d, 7));
        let (wide_a, wide_b) = (wide(&a), wide(&b));
        let (a, b) = (device.upload(&a).unwrap(), device.upload(&b).unwrap());
        let (m32, n32, d32) = (m as u32, n as u32, d as u32);
        for metric in [Metric::SquaredL2, Metric::L2, Metric::L1, Metric::Lp(3.0), Metric::Lp(0.5)] {
            let mut out = poisoned(device, m * n);
            let launch = match metric {
                Metric::SquaredL2 => pairwise_squared_l2::launch(&a, &b, &mut out, m32, n32, d32, 1.0),
                Metric::L2 => pairwise_l2::launch(&a, &b, &mut out, m32, n32, d32, 1.0),
                Metric::L1 => pairwise_l1::launch(&a, &b, &mut out, m32, n32, d32, 1.0),
                Metric::Lp(p) => pairwise_lp::launch(&a, &b, &mut out, m32, n32, d32, p as f32),
            };
            device.launch(launch).unwrap();
            let expected = reference::pairwise(&wide_a, &wide_b, d, metric);
            // The general norm is built on approximate powers: 2^-21 for each term, again for the root,
            // and what the root makes of it.
            let relative = match metric {
                Metric::Lp(p) => (d as f64 * ROUNDING + 64.0 * ROUNDING) * (1.0 + 4.0 / p),
                _ => (d as f64 + 3.0) * ROUNDING,
            };
            let tolerance = |i: usize| relative * expected[i] + 1e-30;
            assert_close(&device.download(&out).unwrap(), &expected, tolerance, &format!("{metric:?}"));
        }
    }
}

pub fn weights(device: &Device) {
    for n in [1, 31, 130, 1000] {
        let distances: Vec<f32> = (0..n).map(|i| i as f32 * 12.0 / n as f32).collect();
        let (h, factor) = (2.5, 0.75);
        for function in [WeightFunction::Gaussian, WeightFunction::Triangular, WeightFunction::Flat] {
            let mut values = device.upload(&distances).unwrap();
            let launch = match function {
                WeightFunction::Gaussian => {
                    weight_gaussian::launch(&mut values, (0.849_321_8 / h) as f32, factor as f32)
                }
                WeightFunction::Triangular => weight_triangular::launch(&mut values, (1.0 / h) as f32, factor as f32),
                WeightFunction::Flat => weight_flat::launch(&mut values, (1.0 / h) as f32, factor as f32),
            };
            device.launch(launch).unwrap();
            let expected: Vec<f64> =
                distances.iter().map(|&x| factor * reference::weight(function, f64::from(x), h)).collect();
            // The exponent, at most 17 here, is off by three roundings; then the exponential's own 2^-22.
            assert_close(&device.download(&values).unwrap(), &expected, |_| 64.0 * ROUNDING, &format!("{function:?}"));
        }
    }
}

pub fn reduce_weighted(device: &Device) {
    for (m, n, d) in [(1, 1, 1), (3, 5, 2), (2, 1000, 3), (5, 333, 4), (2, 4099, 6), (3, 129, 9)] {
        let weights: Vec<f32> = random(m * n, 8).iter().map(|w| w.abs() + 0.01).collect();
        let points = random(n * d, 9);
        let expected = reference::reduce_weighted(&wide(&weights), &wide(&points), n, d);
        let (weights, points) = (device.upload(&weights).unwrap(), device.upload(&points).unwrap());
        let mut out = poisoned(device, m * d);
        let (m32, n32, d32) = (m as u32, n as u32, d as u32);
        for chunk in 1..=4 {
            let launch = match chunk {
                1 => reduce_weighted_1::launch(&weights, &points, &mut out, m32, n32, d32),
                2 => reduce_weighted_2::launch(&weights, &points, &mut out, m32, n32, d32),
                3 => reduce_weighted_3::launch(&weights, &points, &mut out, m32, n32, d32),
                _ => reduce_weighted_4::launch(&weights, &points, &mut out, m32, n32, d32),
            };
            device.launch(launch).unwrap();
            // Weighted means of numbers below 1; sums of n in f32, in pieces.
            let tolerance = |_| 2.0 * (n as f64).min(300.0) * ROUNDING;
            assert_close(&device.download(&out).unwrap(), &expected, tolerance, &format!("{m}x{n}x{d} by {chunk}"));
        }
    }
}

const FUNCTIONS: [WeightFunction; 3] = [WeightFunction::Gaussian, WeightFunction::Triangular, WeightFunction::Flat];

/// Random points of n rows and d columns, as padded columns on the device, and the scale of the weight.
fn columns_of(rows: &[f32], n: usize, d: usize) -> (Vec<f32>, usize) {
    let stride = n.next_multiple_of(STRIDE);
    let mut columns = vec![0.0; stride * d];
    for (i, row) in rows.chunks(d).enumerate() {
        for (c, x) in row.iter().enumerate() {
            columns[c * stride + i] = *x;
        }
    }
    (columns, stride)
}

/// Bandwidth in the kernel's scaled units: coordinates are scaled already.
fn scaled_bandwidth(function: WeightFunction) -> f64 {
    match function {
        WeightFunction::Gaussian => 0.849_321_800_288_019_1,
        WeightFunction::Triangular | WeightFunction::Flat => 1.0,
    }
}

/// Rounds coordinates so that no distance is near the flat weight's step, where f32 and f64 may differ.
fn off_the_step(rows: &mut [f32]) {
    for x in rows {
        *x = (*x * 64.0).round() / 64.0 * 1.003;
    }
}

fn check_shift(device: &Device, function: WeightFunction, n: usize, d: usize, general: bool) {
    let mut rows = random(n * d, (n * 10 + d) as u64);
    rows.iter_mut().for_each(|x| *x *= 2.0);
    off_the_step(&mut rows);
    let expected = reference::shift(&wide(&rows), d, function, scaled_bandwidth(function));
    let (columns, stride) = columns_of(&rows, n, d);
    let from = device.upload(&columns).unwrap();
    let mut to = poisoned(device, stride * d);
    let mut moved = device.zeros::<u32>(1).unwrap();
    let (n32, d32, stride32) = (n as u32, d as u32, stride as u32);
    macro_rules! launch {
        ($kernel:path) => {{
            use $kernel as kernel;
            device.launch(kernel::launch(&from, &mut to, &mut moved, n32, stride32, 0, 0.0)).unwrap()
        }};
        (any $kernel:path) => {{
            use $kernel as kernel;
            device.launch(kernel::launch(&from, &mut to, &mut moved, n32, d32, stride32, 0, 0.0)).unwrap()
        }};
    }
    match (function, if general { 0 } else { d }) {
        (WeightFunction::Gaussian, 1) => launch!(shift::shift_gaussian_1),
        (WeightFunction::Gaussian, 2) => launch!(shift::shift_gaussian_2),
        (WeightFunction::Gaussian, 3) => launch!(shift::shift_gaussian_3),
        (WeightFunction::Gaussian, 4) => launch!(shift::shift_gaussian_4),
        (WeightFunction::Triangular, 1) => launch!(shift::shift_triangular_1),
        (WeightFunction::Triangular, 2) => launch!(shift::shift_triangular_2),
        (WeightFunction::Triangular, 3) => launch!(shift::shift_triangular_3),
        (WeightFunction::Triangular, 4) => launch!(shift::shift_triangular_4),
        (WeightFunction::Flat, 1) => launch!(shift::shift_flat_1),
        (WeightFunction::Flat, 2) => launch!(shift::shift_flat_2),
        (WeightFunction::Flat, 3) => launch!(shift::shift_flat_3),
        (WeightFunction::Flat, 4) => launch!(shift::shift_flat_4),
        (WeightFunction::Gaussian, _) => launch!(any any::shift_gaussian_any),
        (WeightFunction::Triangular, _) => launch!(any any::shift_triangular_any),
        (WeightFunction::Flat, _) => launch!(any any::shift_flat_any),
    }
    let what = format!("{function:?} n = {n} d = {d} general: {general}");
    let found = device.download(&to).unwrap();
    let found: Vec<f32> = (0..n).flat_map(|i| (0..d).map(move |c| c * stride + i)).map(|at| found[at]).collect();
    assert_close(&found, &expected, |_| 2e-6 * 2.0, &what);
    // The triangular weight's square root makes small distances to themselves exact, too.
    let farthest = rows
        .chunks(d)
        .zip(expected.chunks(d))
        .map(|(a, b)| a.iter().zip(b).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum::<f64>())
        .fold(0.0, f64::max);
    let noted = f32::from_bits(device.download(&moved).unwrap()[0]);
    assert_close(&[noted], &[farthest], |_| 1e-5 * (1.0 + farthest), &what);
}

pub fn shift(device: &Device) {
    for function in FUNCTIONS {
        for d in 1..=4 {
            for n in [1, 2, 31, 33, 500] {
                check_shift(device, function, n, d, false);
            }
        }
        // More than one tile, and more than one block on every machine.
        check_shift(device, function, 2051, 2, false);
    }
}

pub fn shift_any(device: &Device) {
    for function in FUNCTIONS {
        for (n, d) in [(1, 1), (2, 5), (33, 2), (65, 33), (130, 70), (1100, 3)] {
            check_shift(device, function, n, d, true);
        }
    }
}

pub fn step_largest(device: &Device) {
    for (n, d) in [(1, 1), (33, 3), (1000, 2)] {
        let (before, after) = (random(n * d, 10), random(n * d, 11));
        let expected = before
            .chunks(d)
            .zip(after.chunks(d))
            .map(|(a, b)| a.iter().zip(b).map(|(a, b)| f64::from(*a - *b).powi(2)).sum())
            .fold(0.0, f64::max);
        let (before, after) = (device.upload(&before).unwrap(), device.upload(&after).unwrap());
        let mut moved = device.zeros::<u32>(3).unwrap();
        device.launch(gpu::step::step_largest::launch(&before, &after, &mut moved, n as u32, d as u32, 1)).unwrap();
        let cells = device.download(&moved).unwrap();
        assert_eq!((cells[0], cells[2]), (0, 0));
        assert_close(&[f32::from_bits(cells[1])], &[expected], |_| 4.0 * ROUNDING * (1.0 + expected), "step_largest");
    }
}

pub fn converged_steps_do_nothing(device: &Device) {
    let (columns, stride) = columns_of(&random(200, 12), 100, 2);
    let from = device.upload(&columns).unwrap();
    let untouched = vec![7.0; stride * 2];
    let mut to = device.upload(&untouched).unwrap();
    let mut moved = device.upload(&[0.25_f32.to_bits(), 0]).unwrap();
    let launch = shift::shift_gaussian_2::launch(&from, &mut to, &mut moved, 100, stride as u32, 1, 0.25);
    device.launch(launch).unwrap();
    assert_eq!(device.download(&to).unwrap(), untouched);
    assert_eq!(device.download(&moved).unwrap(), [0.25_f32.to_bits(), 0]);
    let launch = any::shift_gaussian_any::launch(&from, &mut to, &mut moved, 100, 2, stride as u32, 1, 0.25);
    device.launch(launch).unwrap();
    assert_eq!(device.download(&to).unwrap(), untouched);
    // Had it moved a little farther, there would be something to do.
    let launch = shift::shift_gaussian_2::launch(&from, &mut to, &mut moved, 100, stride as u32, 1, 0.249);
    device.launch(launch).unwrap();
    assert_ne!(device.download(&to).unwrap(), untouched);
}

pub fn relations_are_checked(device: &Device) {
    let a = device.zeros::<f32>(6).unwrap();
    let mut c = device.zeros::<f32>(3).unwrap();
    let error = device.launch(matmul_naive::launch(&a, &a, &mut c, 2, 2, 3)).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Launch(_)));
    assert!(
        text.contains("matmul_naive") && text.contains("c.len() >= m * n") && text.contains("c.len() = 3"),
        "{text}"
    );
}
