//! Products on tensor cores against the oracle: of the inputs as they are rounded, and as they were. Steps: shift_tensor.rs.
//!
//! Where a GPU is too old for them (the interpreter stands for one of compute 7.5) that is an error which says so, and the
//! host takes other kernels.

use cuda_std::machine::MachineKind;
use cuda_std::narrow;
use gpu::matmul_tensor::{Bf16, Operand, Tf32, matmul_bf16, matmul_tf32, padded, width_of};
use gpu::round_rows::{round_rows_bf16, round_rows_tf32};
use modeseek::product::{Precision, matmul};
use modeseek::{Buffer, Device, Error, reference};

use crate::check::{ROUNDING, assert_close, random, wide};
use crate::kernels::poisoned;

/// Rows of poison, which every kernel that makes rows must write whole.
pub fn no_rows(device: &Device, len: usize) -> Buffer<u32> {
    device.upload(&vec![u32::MAX; len]).unwrap()
}

/// Whether the device is too old, having checked that it says so.
pub fn is_too_old(device: &Device) -> bool {
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
