//! Kernels for tensor cores against the oracle: of the inputs as they are rounded, and as they were.
//!
//! Where a GPU is too old for them (the interpreter stands for one of compute 7.5) that is an error which says so, and the
//! host takes other kernels.

use cuda_std::machine::MachineKind;
use cuda_std::narrow;
use gpu::matmul_tensor::{
    Bf16, Operand, Tf32, matmul_bf16, matmul_tf32, padded, round_rows_bf16, round_rows_tf32, width_of,
};
use gpu::progress::{ACTIVE, HISTORY, ITERATION};
use gpu::shift_tensor::{
    exponent_error, halves_of_columns, shift_tensor_64, shift_tensor_128, shift_tensor_rough_64, shift_tensor_rough_128,
};
use gpu::weight::{Gaussian, Weight};
use modeseek::product::{Precision, matmul};
use modeseek::reference::{self, Metric, Pull};
use modeseek::{Bandwidth, Buffer, Device, Error, MeanShift, Points, WeightFunction};

use crate::check::{ROUNDING, assert_close, is_interpreted, random, wide};
use crate::kernels::{poisoned, progress};
use crate::steps::set::columns_of;

/// Rows of poison, which every kernel that makes rows must write whole.
fn no_rows(device: &Device, len: usize) -> Buffer<u32> {
    device.upload(&vec![u32::MAX; len]).unwrap()
}

/// Whether the device is too old, having checked that it says so.
fn is_too_old(device: &Device) -> bool {
    if device.has(&matmul_bf16::KERNEL) {
        return false;
    }
    let rows = device.zeros::<u32>(128 * 16).unwrap();
    let error = device.launch(matmul_bf16::launch(&rows, &rows, &mut poisoned(device, 1), 1, 1, 16)).unwrap_err();
    assert!(matches!(error, Error::NoPtx { needs: Some(80), .. }), "{error:?}");
    assert!(error.to_string().contains("it needs compute capability 8.0"), "{error}");
    true
}

/// C as the kernels make it, and the inputs as they round them.
fn product(
    device: &Device,
    (a, b): (&[f32], &[f32]),
    [m, n, k]: [usize; 3],
    precision: Precision,
) -> (Vec<f32>, [Vec<f64>; 2]) {
    let (left, right) = (device.upload(a).unwrap(), device.upload(b).unwrap());
    let mut c = poisoned(device, m * n);
    let numbers = if precision == Precision::Bf16 { Bf16::NUMBERS } else { Tf32::NUMBERS };
    let width = width_of(k, numbers);
    let (mut a_rows, mut b_rows) = (no_rows(device, padded(m) * width), no_rows(device, padded(n) * width));
    let [m32, n32, k32, width32] = [m, n, k, width].map(|size| size as u32);
    if precision == Precision::Bf16 {
        device.launch(round_rows_bf16::launch(&left, &mut a_rows, m32, k32, k32, 1, width32)).unwrap();
        device.launch(round_rows_bf16::launch(&right, &mut b_rows, n32, k32, 1, n32, width32)).unwrap();
        device.launch(matmul_bf16::launch(&a_rows, &b_rows, &mut c, m32, n32, width32)).unwrap();
    } else {
        device.launch(round_rows_tf32::launch(&left, &mut a_rows, m32, k32, k32, 1, width32)).unwrap();
        device.launch(round_rows_tf32::launch(&right, &mut b_rows, n32, k32, 1, n32, width32)).unwrap();
        device.launch(matmul_tf32::launch(&a_rows, &b_rows, &mut c, m32, n32, width32)).unwrap();
    }
    let round = |x: &f32| match precision {
        Precision::Bf16 => f64::from(narrow::bf16_values(narrow::bf16_pair(*x, 0.0))[0]),
        _ => f64::from(f32::from_bits(narrow::tf32(*x))),
    };
    (device.download(&c).unwrap(), [a, b].map(|x| x.iter().map(round).collect()))
}

pub fn products_of_rounded_inputs(device: &Device) {
    if is_too_old(device) {
        return;
    }
    // Single cells, sizes around every tile, and more tiles of words than shared memory holds.
    for sizes in [[1, 1, 1], [5, 10, 130], [129, 131, 7], [64, 200, 33]] {
        let [m, n, k] = sizes;
        let (a, b) = (random(m * k, 4), random(k * n, 5));
        let magnitudes = [&a, &b].map(|x| x.iter().map(|x| f64::from(x.abs())).collect::<Vec<_>>());
        let magnitudes = reference::matmul(&magnitudes[0], &magnitudes[1], m, n, k);
        for (precision, u) in [(Precision::Bf16, 2.0_f64.powi(-8)), (Precision::Tf32, 2.0_f64.powi(-11))] {
            let what = format!("{precision:?}, {m} x {n} x {k}");
            let (found, rounded) = product(device, (&a, &b), sizes, precision);
            let sums = (k as f64 + 1.0) * 2.0 * ROUNDING;
            let expected = reference::matmul(&rounded[0], &rounded[1], m, n, k);
            assert_close(&found, &expected, |i| 1.01 * sums * magnitudes[i], &format!("{what}, inputs as rounded"));
            let expected = reference::matmul(&wide(&a), &wide(&b), m, n, k);
            let bound = 2.0 * u + u * u + 1.01 * sums;
            assert_close(&found, &expected, |i| bound * magnitudes[i], &format!("{what}, inputs as they were"));
        }
    }
}

/// What a user asks for is what comes, or something more exact.
pub fn products_in_a_precision(device: &Device) {
    let (a, b) = (random(40 * 70, 6), random(70 * 66, 7));
    let (left, right) = (device.upload(&a).unwrap(), device.upload(&b).unwrap());
    let expected = reference::matmul(&wide(&a), &wide(&b), 40, 66, 70);
    for (precision, u) in
        [(Precision::F32, 0.0), (Precision::Tf32, 2.0_f64.powi(-11)), (Precision::Bf16, 2.0_f64.powi(-8))]
    {
        let cores = device.machine() == MachineKind::Gpu && device.has(&matmul_tf32::KERNEL);
        assert_eq!(precision.on(device), if cores { precision } else { Precision::F32 });
        let c = matmul(device, &left, &right, [40, 66, 70], precision).unwrap();
        let bound = 70.0 * (2.0 * u + u * u + 71.0 * 2.0 * ROUNDING);
        assert_close(&device.download(&c).unwrap(), &expected, |_| bound, &format!("{precision:?}"));
    }
}

/// Points by rows, and everything about a step.
struct Case {
    points: Vec<f32>,
    /// As many as the points in the blurring form.
    queries: Vec<f32>,
    d: usize,
    rough: bool,
    blurring: bool,
}

impl Case {
    fn wide(&self) -> usize {
        if self.d <= 64 { 64 } else { 128 }
    }

    fn step(&self, device: &Device, relaxation: f32) -> (Vec<f32>, Vec<f32>, Vec<u32>) {
        let (n, m, d, wide) = (self.points.len() / self.d, self.queries.len() / self.d, self.d, self.wide());
        let halves = |rows: &[f32], count: usize| {
            let (columns, stride) = columns_of(device, rows, d);
            let mut halves = no_rows(device, count.next_multiple_of(128) * wide);
            let mut norms = poisoned(device, count.next_multiple_of(128));
            let sizes = [count, d, stride, wide].map(|size| size as u32);
            let launch =
                halves_of_columns::launch(&columns, &mut halves, &mut norms, sizes[0], sizes[1], sizes[2], sizes[3]);
            device.launch(launch).unwrap();
            (columns, stride, halves, norms)
        };
        let (_, _, rows, norms) = halves(&self.points, n);
        let (columns, stride, query_rows, query_norms) = halves(&self.queries, m);
        let (mut next, mut sums) = (poisoned(device, stride * d), poisoned(device, 2 * stride));
        let mut state = device.upload(&progress(m, 1, 3)).unwrap();
        macro_rules! step {
            ($kernel:ident) => {
                $kernel::launch(
                    &columns,
                    &query_rows,
                    &query_norms,
                    &rows,
                    &norms,
                    &mut next,
                    &mut sums,
                    &mut state,
                    n as u32,
                    d as u32,
                    stride as u32,
                    m as u32,
                    3,
                    if self.blurring { 0.25 } else { -1.0 },
                    relaxation,
                )
            };
        }
        let launch = match (wide, self.rough) {
            (64, false) => step!(shift_tensor_64),
            (_, false) => step!(shift_tensor_128),
            (64, true) => step!(shift_tensor_rough_64),
            (_, true) => step!(shift_tensor_rough_128),
        };
        device.launch(launch).unwrap();
        let (next, sums) = (device.download(&next).unwrap(), device.download(&sums).unwrap());
        let moved = (0..m).flat_map(|i| (0..d).map(move |c| c * stride + i)).map(|at| next[at]).collect();
        (moved, [&sums[..m], &sums[stride..][..m]].concat(), device.download(&state).unwrap())
    }

    /// The step is the oracle's, within what the kernel says of itself.
    fn check(&self, device: &Device, relaxation: f32) {
        let (points, queries, d) = (wide(&self.points), wide(&self.queries), self.d);
        let (n, m) = (points.len() / d, queries.len() / d);
        let what = format!("n = {n}, m = {m}, d = {d}, rough: {}, blurring: {}", self.rough, self.blurring);
        let (found, sums, state) = self.step(device, relaxation);
        let ones = vec![1.0; n];
        let bandwidths = vec![<Gaussian as Weight>::SCALE; n];
        let function = WeightFunction::Gaussian;
        let pull = Pull { points: &points, d, metric: Metric::L2, function, factors: &ones, bandwidths: &bandwidths };
        let length = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
        let radius = points.chunks(d).chain(queries.chunks(d)).map(length).fold(0.0, f64::max);
        let exponent = exponent_error(radius, self.wide(), self.rough);
        // Roundings of different coordinates have different signs, which the bound does not know: of that of exact numbers an
        // eighth is enough, and what lacks a low half somewhere is off by more.
        let (part, rounding) = if self.rough { (1.0, 2.0_f64.powi(-11)) } else { (0.125, 2.0_f64.powi(-20)) };
        let weight = part * exponent * std::f64::consts::LN_2 + rounding;
        let sum = if self.rough { 2.0_f64.powi(-10) } else { 2.0_f64.powi(-18) };
        let mut farthest = 0.0_f32;
        for (i, q) in queries.chunks(d).enumerate() {
            let (weights, mean) = (pull.weights(q), pull.mean(q));
            let total: f64 = weights.iter().sum();
            let error = (f64::from(sums[i]) - total).abs();
            assert!(error <= 2.0 * weight * total, "{what}: the weights of {i} are {}, not {total}", sums[i]);
            for c in 0..d {
                let spread: f64 = weights.iter().zip(points.chunks(d)).map(|(w, x)| w * (x[c] - mean[c]).abs()).sum();
                let magnitude: f64 = weights.iter().zip(points.chunks(d)).map(|(w, x)| w * x[c].abs()).sum();
                let tolerance = 2.0 * weight * spread / total + sum * magnitude / total + 4.0 * ROUNDING * q[c].abs();
                let far = f64::from(relaxation);
                let (x, expected) = (f64::from(found[i * d + c]), q[c] + far * (mean[c] - q[c]));
                let error = (x - expected).abs();
                assert!(
                    error <= far * tolerance,
                    "{what}: [{i}, {c}] is {x}, not {expected}: {error:e} > {tolerance:e}"
                );
            }
            let moved = Metric::L2.distance(q, &mean);
            let error = (f64::from(sums[m + i]).sqrt() - moved).abs();
            let tolerance = (weight + sum) * 4.0 * radius;
            assert!(
                error <= tolerance,
                "{what}: {i} moved {}, not {moved}: {error:e} > {tolerance:e}",
                sums[m + i].sqrt()
            );
            farthest = farthest.max(sums[m + i]);
        }
        let mut expected = progress(m, 1, 3);
        if self.blurring {
            (expected[HISTORY + 1], expected[ITERATION]) = (farthest.to_bits(), 2);
            expected[ACTIVE] = if farthest <= 0.25 { 0 } else { m as u32 };
        }
        assert_eq!(state, expected, "{what}");
    }
}

/// Both forms and both accuracies, at sizes around tiles of points and blocks of queries.
pub fn steps_on_tensor_cores(device: &Device) {
    if is_too_old(device) {
        return;
    }
    let sizes: &[(usize, usize)] = if is_interpreted(device) { &[(150, 70)] } else { &[(1, 1), (150, 70), (70, 200)] };
    for &(n, m) in sizes {
        for d in [1, 50, 64, 65, 128] {
            // Two clusters, whose points are a few bandwidths apart, and which are not.
            let place = |count: usize, seed: u64| -> Vec<f32> {
                let mut rows = random(count * d, seed);
                for (i, row) in rows.chunks_mut(d).enumerate() {
                    let centre = if i % 3 == 0 { -0.4 } else { 0.3 };
                    row.iter_mut().for_each(|x| *x = *x * 3.0 / (d as f32).sqrt() + centre);
                }
                rows
            };
            let points = place(n, (n + d) as u64);
            for rough in [false, true] {
                let queries = place(m, (m + d + 1) as u64);
                Case { points: points.clone(), queries, d, rough, blurring: false }.check(device, 1.5);
            }
            Case { queries: points.clone(), points, d, rough: false, blurring: true }.check(device, 1.0);
        }
    }
}

/// A step after the last does nothing, nor does one for queries that have left.
pub fn idle_steps_on_tensor_cores(device: &Device) {
    if is_too_old(device) {
        return;
    }
    let points = random(40 * 64, 3);
    let case = Case { queries: points.clone(), points, d: 64, rough: false, blurring: true };
    let (rows, norms) = (no_rows(device, 128 * 64), poisoned(device, 128));
    let columns = columns_of(device, &case.points, 64).0;
    for cells in [progress(40, 3, 3), progress(0, 1, 3)] {
        let (mut next, mut sums) = (poisoned(device, 64 * 64), poisoned(device, 128));
        let mut state = device.upload(&cells).unwrap();
        device
            .launch(shift_tensor_64::launch(
                &columns, &rows, &norms, &rows, &norms, &mut next, &mut sums, &mut state, 40, 64, 64, 40, 3, 0.25, 1.0,
            ))
            .unwrap();
        assert!(device.download(&next).unwrap().iter().all(|x| x.is_nan()));
        assert_eq!(device.download(&state).unwrap(), cells);
    }
}

/// Points that are no numbers are not lost, and those behind the last do not count.
pub fn what_is_no_number_on_tensor_cores(device: &Device) {
    if is_too_old(device) {
        return;
    }
    let mut points = random(40 * 64, 3);
    points[17 * 64 + 5] = f32::NAN;
    let case = Case { queries: points.clone(), points, d: 64, rough: false, blurring: true };
    let (moved, _, state) = case.step(device, 1.0);
    assert!(moved[5].is_nan(), "a point that is no number pulls every query");
    assert!(f32::from_bits(state[HISTORY + 1]).is_nan());
}

/// A blurring fit in many dimensions takes tensor cores where there are some and its accuracy allows, says so, and finds what
/// exact steps find.
pub fn fits_on_tensor_cores(device: &Device) {
    let has_cores = device.machine() == MachineKind::Gpu && device.has(&shift_tensor_64::KERNEL);
    for d in [64, 100] {
        let n = if is_interpreted(device) { 60 } else { 300 };
        let mut rows = random(n * d, 8);
        for (i, row) in rows.chunks_mut(d).enumerate() {
            row.iter_mut().for_each(|x| *x = *x / (d as f32).sqrt() + if i % 3 == 0 { 5.0 } else { 5.7 });
        }
        let points = Points::from_rows(&rows, d).unwrap();
        let fit = |accuracy: f64| {
            MeanShift::new().on(device).bandwidth(Bandwidth::Fixed(1.0)).accuracy(accuracy).fit(&points).unwrap()
        };
        let (exact, found) = (fit(0.0), fit(1e-4));
        assert!(!exact.path.reason.contains("tensor"), "{}", exact.path.reason);
        assert_eq!(found.path.reason.ends_with("on tensor cores"), has_cores, "{}", found.path.reason);
        assert!(!fit(1e-5).path.reason.contains("tensor"), "2^-19 of the square of the radius is more");
        assert_eq!((found.labels, found.modes.len()), (exact.labels, 2), "d = {d}");
        for (found, exact) in found.modes.iter().zip(&exact.modes) {
            let apart = Metric::L2.distance(&found.position, &exact.position);
            assert!(apart <= 1e-4, "d = {d}: a mode is off by {apart:e}");
        }
    }
}
