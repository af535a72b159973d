//! The weighted reduction on tensor cores against the oracle, which has the inputs as they were.

use cuda_std::launch::DeviceSlice;
use cuda_std::machine::MachineKind;
use gpu::reduce_tensor::{
    FEWEST, instance, reduce_weighted_tensor_8, reduce_weighted_tensor_16, reduce_weighted_tensor_32,
};
use modeseek::reduction::Reduction;
use modeseek::{Bandwidth, Buffer, Device, Error, MeanShift, Method, Points, reference};

use crate::check::{ROUNDING, assert_close, is_interpreted, random, wide};
use crate::kernels::poisoned;
use crate::tensor::is_too_old;
use crate::wgmma::{COPY_1, each_is_needed};

/// By the kernel for so many columns at a time, in slices of so many points.
fn reduced(
    device: &Device,
    (weights, points): (&dyn DeviceSlice<f32>, &dyn DeviceSlice<f32>),
    [m, n, d]: [usize; 3],
    (columns, slice): (usize, usize),
) -> Result<Vec<f32>, Error> {
    let mut out = poisoned(device, m * d);
    let mut partial = poisoned(device, n.div_ceil(slice) * m * d.div_ceil(columns) * (columns + 1));
    let mut arrived = device.zeros(m.div_ceil(128) * d.div_ceil(columns)).unwrap();
    let [m, n, d, slice] = [m, n, d, slice].map(|size| size as u32);
    macro_rules! launch {
        ($kernel:ident) => {
            device.launch($kernel::launch(weights, points, &mut out, &mut partial, &mut arrived, m, n, d, slice))
        };
    }
    match columns {
        8 => launch!(reduce_weighted_tensor_8)?,
        16 => launch!(reduce_weighted_tensor_16)?,
        _ => launch!(reduce_weighted_tensor_32)?,
    }
    assert!(device.download(&arrived).unwrap().iter().all(|count| *count == 0), "the next launch finds zeros");
    Ok(device.download(&out).unwrap())
}

/// Of the mean of absolute values, what a mean of n points may be off by: see gpu/reduce_tensor.rs.
fn tolerance(n: usize) -> f64 {
    (18.0 + n as f64 / 32.0) * 4.0 * ROUNDING
}

pub fn means_on_tensor_cores(device: &Device) {
    if is_too_old(device) {
        return;
    }
    let sizes = [
        [1, FEWEST, 5],
        [37, 65, 8],
        [128, 131, 9],
        [129, 300, 16],
        [130, 180, 17],
        [33, 200, 32],
        [5, 313, 33],
        [2, 128, 70],
    ];
    for [m, n, d] in sizes {
        let weights: Vec<f32> = random(m * n, 8).iter().map(|w| w.abs() + 0.01).collect();
        // Far from the origin no more digits are lost.
        for offset in [0.0, 1000.0] {
            let points: Vec<f32> = random(n * d, 9).iter().map(|x| x + offset).collect();
            let expected = reference::reduce_weighted(&wide(&weights), &wide(&points), n, d);
            let (weights, points) = (device.upload(&weights).unwrap(), device.upload(&points).unwrap());
            for columns in [8, 16, 32] {
                // Slices that are no whole turns; of some sizes the last one is shorter than a turn.
                for slice in [n, (n / 2).next_multiple_of(4).max(FEWEST), 68] {
                    let own = columns == instance(d);
                    if !own && (d > columns || slice < n || is_interpreted(device)) || offset > 0.0 && slice < n {
                        continue;
                    }
                    let found = reduced(device, (&weights, &points), [m, n, d], (columns, slice)).unwrap();
                    let most = f64::from(offset) + 1.0;
                    let case = format!("{m}x{n}x{d} by {columns}, slices of {slice}, from {offset} on");
                    assert_close(&found, &expected, |_| tolerance(n) * most, &case);
                }
            }
        }
    }
}

/// Rows of weights that do not begin at multiples of 16 bytes; and rows without weight or with one that is no number, which are
/// none, and leave others as they are. Behind the rows and points there are poison and weights of others.
pub fn hard_means_on_tensor_cores(device: &Device) {
    if is_too_old(device) {
        return;
    }
    let [m, n, d] = [19, 140, 11];
    let mut weights: Vec<f32> = random(m * n, 13).iter().map(|w| w.abs() + 0.01).collect();
    let points = random(n * d, 12);
    weights[4 * n..5 * n].fill(0.0);
    weights[7 * n + 139] = f32::NAN;
    weights[9 * n] = f32::INFINITY;
    // Far below others, and far above.
    weights[11 * n..12 * n].iter_mut().for_each(|w| *w *= 1e-30);
    weights[12 * n..13 * n].iter_mut().for_each(|w| *w *= 1e30);
    let expected = reference::reduce_weighted(&wide(&weights), &wide(&points), n, d);
    let points = device.upload(&points).unwrap();
    for shift in [0, 1, 3] {
        let all: Vec<f32> = std::iter::repeat_n(f32::NAN, shift).chain(weights.iter().copied()).collect();
        let all = device.upload(&all).unwrap();
        let view = all.slice(shift..shift + m * n);
        for slice in [n, 72] {
            let found = reduced(device, (&view, &points), [m, n, d], (16, slice)).unwrap();
            for (i, (found, expected)) in found.chunks(d).zip(expected.chunks(d)).enumerate() {
                if [4, 7, 9].contains(&i) {
                    assert!(found.iter().all(|x| !x.is_finite()), "row {i}: {found:?}");
                } else {
                    assert_close(
                        found,
                        expected,
                        |_| tolerance(n),
                        &format!("row {i}, {shift} behind, slices of {slice}"),
                    );
                }
            }
        }
    }
    // Less than a turn is refused by name, and taken by another kernel.
    let few = FEWEST - 1;
    let error =
        reduced(device, (&all_ones(device, few), &all_ones(device, few * d)), [1, few, d], (16, few)).unwrap_err();
    assert!(matches!(error, Error::Launch(_)) && error.to_string().contains("n >= FEWEST"), "{error}");
}

/// Points that are copied in pieces of 16 or 8 bytes, and such as are not, for how many coordinates there are or where they begin.
pub fn points_anywhere_on_tensor_cores(device: &Device) {
    if is_too_old(device) {
        return;
    }
    let [m, n] = [35, 100];
    let weights: Vec<f32> = random(m * n, 21).iter().map(|w| w.abs() + 0.01).collect();
    let upload = |values: &[f32], shift: usize| {
        let all: Vec<f32> = std::iter::repeat_n(f32::NAN, shift).chain(values.iter().copied()).collect();
        device.upload(&all).unwrap()
    };
    let weights_on_device = upload(&weights, 0);
    let cases = [
        (10, 16, 0),
        (10, 16, 1),
        (10, 16, 2),
        (13, 16, 0),
        (20, 32, 0),
        (20, 32, 2),
        (20, 32, 4),
        (36, 32, 0),
        (22, 32, 0),
    ];
    for (d, columns, shift) in cases {
        let points = random(n * d, d as u64);
        let expected = reference::reduce_weighted(&wide(&weights), &wide(&points), n, d);
        let all = upload(&points, shift);
        let view = all.slice(shift..shift + n * d);
        let found = reduced(device, (&weights_on_device, &view), [m, n, d], (columns, n)).unwrap();
        assert_close(&found, &expected, |_| tolerance(n), &format!("{d} coordinates, {shift} behind"));
    }
}

#[test]
fn every_barrier_of_reductions_is_needed() {
    for (columns, kernel) in [
        (8, reduce_weighted_tensor_8::KERNEL.name),
        (16, reduce_weighted_tensor_16::KERNEL.name),
        (32, reduce_weighted_tensor_32::KERNEL.name),
    ] {
        let needed = [("bar.sync 0;", "shared"), ("bar.warp.sync -1;", "shared"), COPY_1];
        each_is_needed(kernel, &needed, |device| {
            // More turns than shared memory holds.
            let (n, d) = (4 * 32, columns);
            let (weights, points) = (device.upload(&random(33 * n, 1))?, device.upload(&random(n * d, 2))?);
            reduced(device, (&weights, &points), [33, n, d], (columns, n)).map(|_| ())
        });
    }
}

fn all_ones(device: &Device, len: usize) -> Buffer<f32> {
    device.upload(&vec![1.0; len]).unwrap()
}

/// Which kernel the host takes.
pub fn reductions_are_chosen(device: &Device) {
    let has = device.machine() == MachineKind::Gpu && device.has(&reduce_weighted_tensor_32::KERNEL);
    let cases = [
        (4, 500, "reduce_weighted_4"),
        (5, 500, if has { "reduce_weighted_tensor_8" } else { "reduce_weighted_many" }),
        (16, 500, if has { "reduce_weighted_tensor_16" } else { "reduce_weighted_many" }),
        (40, 500, if has { "reduce_weighted_tensor_32" } else { "reduce_weighted_many" }),
        (40, FEWEST - 1, "reduce_weighted_many"),
    ];
    for (d, n, kernel) in cases {
        let (weights, points) = (all_ones(device, 3 * n), all_ones(device, n * d));
        let mut out = poisoned(device, 3 * d);
        let mut reduction = Reduction::new(device, [3, n, d]).unwrap();
        let launch = reduction.launch(&weights, &points, &mut out, 3);
        assert_eq!(launch.kernel().name, kernel);
        device.launch(launch).unwrap();
        assert_eq!(device.download(&out).unwrap(), vec![1.0; 3 * d], "{n}x{d}");
        assert_eq!(reduction.is_on_tensor_cores(), kernel.contains("tensor"));
    }
    // Blocks of a size that the user chose are for the kernels that take any.
    let rows: Vec<f64> = (0..70).flat_map(|i| [if i >= 40 { 9.0 } else { 0.01 * f64::from(i % 7) }; 6]).collect();
    let estimator =
        MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).method(Method::Composed { batch: 70 }).max_iterations(5);
    let points = Points::from_rows(&rows, 6).unwrap();
    let labels = estimator.threads_per_block(Some(64)).on(device).fit(&points).unwrap().labels;
    assert_eq!(labels, (0..70).map(|i| i32::from(i >= 40)).collect::<Vec<_>>());
}
