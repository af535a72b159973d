//! Kernels that only move data: `axpy`, `to_columns`, `to_rows`, `step_largest`. Work is counted in
//! bytes read and written; on one element that leaves the cost of a launch.

use criterion::{Criterion, Throughput};
use gpu::layout::{STRIDE, to_columns, to_rows};
use gpu::progress::HISTORY;
use gpu::step::step_largest;
use gpu::vector::axpy;

use super::shift::begun;
use crate::measure::{ROUNDING, Target, assert_close, poisoned, random, size, time, upload};

/// Iterations that `step_largest` ends before its state is made new.
const LIMIT: u32 = 10_000;

/// `axpy` on one element, and on more than a cache holds.
pub fn vector(criterion: &mut Criterion, target: &Target) {
    let device = &target.device;
    for len in [1, size(1_usize << 22, 1000)] {
        let (x, y) = (random(len, 1), random(len, 2));
        let (on_x, mut on_y) = (upload(device, &x), upload(device, &y));
        device.launch(axpy::launch(2.5, &on_x, &mut on_y)).expect("the launch succeeds");
        let found = device.download(&on_y).expect("the launch succeeds");
        let expected: Vec<f64> = x.iter().zip(&y).map(|(x, y)| 2.5 * f64::from(*x) + f64::from(*y)).collect();
        assert_close(&found, &expected, 8.0 * ROUNDING, "axpy");

        time(criterion, target, "axpy", &format!("{len}"), Throughput::Bytes(12 * len as u64), |device| {
            // Small enough that thousands of repeats stay finite.
            device.launch(axpy::launch(1e-6, &on_x, &mut on_y)).expect("the launch succeeds");
        });
    }
}

/// Between rows and columns, and how far points moved.
pub fn layout(criterion: &mut Criterion, target: &Target) {
    let (device, d) = (&target.device, 2);
    let n: usize = size(1 << 20, 1000);
    let stride = n.next_multiple_of(STRIDE);
    let (rows, others) = (random(n * d, 3), random(n * d, 4));
    let on_rows = upload(device, &rows);
    let (n32, d32, stride32) = (n as u32, d as u32, stride as u32);
    let bytes = Throughput::Bytes(8 * (n * d) as u64);
    let shape = format!("n={n},d={d}");

    let (factors, inverses) = (upload(device, &[4.0, 0.5]), upload(device, &[0.25, 2.0]));
    let mut columns = poisoned(device, stride * d);
    device
        .launch(to_columns::launch(&on_rows, &factors, &mut columns, n32, d32, stride32))
        .expect("the launch succeeds");
    let found = device.download(&columns).expect("the launch succeeds");
    for (c, column) in found.chunks(stride).enumerate() {
        let expected: Vec<f64> = (0..n).map(|i| [4.0, 0.5][c] * f64::from(rows[i * d + c])).collect();
        assert_close(&column[..n], &expected, 0.0, "to_columns");
    }
    let mut back = poisoned(device, n * d);
    device.launch(to_rows::launch(&columns, &inverses, &mut back, n32, d32, stride32)).expect("the launch succeeds");
    assert_eq!(device.download(&back).expect("the launch succeeds"), rows);

    time(criterion, target, "to_columns", &shape, bytes.clone(), |device| {
        let launch = to_columns::launch(&on_rows, &factors, &mut columns, n32, d32, stride32);
        device.launch(launch).expect("the launch succeeds");
    });
    time(criterion, target, "to_rows", &shape, bytes.clone(), |device| {
        device
            .launch(to_rows::launch(&columns, &inverses, &mut back, n32, d32, stride32))
            .expect("the launch succeeds");
    });

    let on_others = upload(device, &others);
    let mut state = begun(device, n32, LIMIT).expect("there is enough memory");
    let launch = step_largest::launch(&on_rows, &on_others, &mut state, n32, d32, LIMIT, 0.0);
    device.launch(launch).expect("the launch succeeds");
    let squared = |(a, b): (&[f32], &[f32])| -> f64 {
        a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
    };
    let expected = rows.chunks(d).zip(others.chunks(d)).map(squared).fold(0.0, f64::max);
    let noted = f32::from_bits(device.download(&state).expect("the launch succeeds")[HISTORY]);
    assert_close(&[noted], &[expected], 16.0 * ROUNDING * expected, "step_largest");
    let mut made = 1;
    time(criterion, target, "step_largest", &shape, bytes, |device| {
        // Behind the last iteration the kernel would return at once.
        if made == LIMIT {
            (state, made) = (begun(device, n32, LIMIT).expect("there is enough memory"), 0);
        }
        made += 1;
        let launch = step_largest::launch(&on_rows, &on_others, &mut state, n32, d32, LIMIT, 0.0);
        device.launch(launch).expect("the launch succeeds");
    });
}
