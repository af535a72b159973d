//! Products by the instruction of compute capability 9.0 against the oracle, and that it is for whoever asks for it there.

use cuda_std::machine::MachineKind;
use cuda_std::narrow;
use gpu::matmul_tensor::{Bf16, Operand, Tf32, matmul_bf16, padded};
use gpu::matmul_wgmma::{matmul_wgmma_bf16, matmul_wgmma_tf32, width_of};
use gpu::matmul_wgmma_split::matmul_wgmma_f32;
use gpu::pairwise_wgmma::pairwise_products_l2;
use gpu::round_rows::{round_rows_bf16, round_rows_tf32};
use gpu::shift_tensor::{shift_tensor_16, shift_tensor_32};
use gpu::shift_tensor_split::shift_tensor_wide_512;
use gpu::shift_tensor_wide::shift_tensor_wide_256;
use gpu::shift_wgmma::shift_wgmma_64;
use gpu::shift_wgmma_deep::shift_wgmma_128;
use gpu::split_rows::{self, split_rows_bf16};
use modeseek::executor::InterpreterOptions;
use modeseek::executor::ptx::{PTX, PTX_ORIGIN};
use modeseek::product::{Instruction, Precision, matmul, matmul_by};
use modeseek::{Buffer, Device, Error, reference};

use crate::check::{ROUNDING, assert_close, random, wide};
use crate::distances::try_by_products;
use crate::kernels::poisoned;
use crate::shift_tensor::case::{Case, clusters};
use crate::tensor::no_rows;

/// Whether the device has not the instruction, having checked that it says so.
pub fn is_missing(device: &Device) -> bool {
    if device.has(&matmul_wgmma_bf16::KERNEL) {
        return false;
    }
    let rows = device.zeros::<u32>(128 * 32).unwrap();
    let error = device.launch(matmul_wgmma_bf16::launch(&rows, &rows, &mut poisoned(device, 1), 1, 1, 32)).unwrap_err();
    // Where a block cannot have so much shared memory, that is said first.
    let said = error.to_string();
    match error {
        Error::NoPtx { needs: Some(90), exact: true, .. } => assert!(said.contains("9.0 and no other"), "{said}"),
        Error::Launch(_) => assert!(said.contains("needs 197632 bytes of shared memory"), "{said}"),
        other => panic!("{other:?}"),
    }
    eprintln!("skipped: {} has no wgmma", device.describe());
    true
}

/// C as the kernel makes it, and the inputs as they were rounded.
macro_rules! product {
    ($device:ident, $a:ident, $b:ident, [$m:ident, $n:ident, $k:ident], $operand:ident, $round:ident, $multiply:ident) => {{
        let width = width_of($k, $operand::NUMBERS);
        let (left, right) = ($device.upload(&$a).unwrap(), $device.upload(&$b).unwrap());
        let (mut a_rows, mut b_rows) = (no_rows($device, padded($m) * width), no_rows($device, padded($n) * width));
        let mut c = poisoned($device, $m * $n);
        let [m, n, k, width] = [$m, $n, $k, width].map(|size| size as u32);
        $device.launch($round::launch(&left, &mut a_rows, m, k, k, 1, width)).unwrap();
        $device.launch($round::launch(&right, &mut b_rows, n, k, 1, n, width)).unwrap();
        $device.launch($multiply::launch(&a_rows, &b_rows, &mut c, m, n, width)).unwrap();
        $device.download(&c).unwrap()
    }};
}

pub fn products_of_warpgroups(device: &Device) {
    if is_missing(device) {
        return;
    }
    // Single cells, sizes around every tile, half a tile of columns and more, and more tiles of words than shared memory holds.
    for [m, n, k] in [[1, 1, 1], [5, 130, 130], [129, 257, 7], [64, 200, 330]] {
        let (a, b) = (random(m * k, 14), random(k * n, 15));
        let magnitudes = [&a, &b].map(|x| x.iter().map(|x| f64::from(x.abs())).collect::<Vec<_>>());
        let magnitudes = reference::matmul(&magnitudes[0], &magnitudes[1], m, n, k);
        let bf16 = |x: &f32| f64::from(narrow::bf16_values(narrow::bf16_pair(*x, 0.0))[0]);
        let tf32 = |x: &f32| f64::from(f32::from_bits(narrow::tf32(*x)));
        let rounded =
            [[&a, &b].map(|x| x.iter().map(bf16).collect::<Vec<_>>()), [&a, &b].map(|x| x.iter().map(tf32).collect())];
        let found = [
            product!(device, a, b, [m, n, k], Bf16, round_rows_bf16, matmul_wgmma_bf16),
            product!(device, a, b, [m, n, k], Tf32, round_rows_tf32, matmul_wgmma_tf32),
        ];
        for ((found, rounded), (name, u)) in
            found.iter().zip(rounded).zip([("BF16", 2.0_f64.powi(-8)), ("TF32", 2.0_f64.powi(-11))])
        {
            let what = format!("{name}, {m} x {n} x {k}");
            let sums = (k as f64 + 1.0) * 2.0 * ROUNDING;
            let expected = reference::matmul(&rounded[0], &rounded[1], m, n, k);
            assert_close(found, &expected, |i| 1.01 * sums * magnitudes[i], &format!("{what}, inputs as rounded"));
            let expected = reference::matmul(&wide(&a), &wide(&b), m, n, k);
            let bound = 2.0 * u + u * u + 1.01 * sums;
            assert_close(found, &expected, |i| bound * magnitudes[i], &format!("{what}, inputs as they were"));
        }
    }
}

/// C by parts of A and B, what is made of them poisoned before.
fn product_of_parts(device: &Device, [a, b]: [&[f32]; 2], [m, n, k]: [usize; 3]) -> Vec<f32> {
    let (left, right) = (device.upload(a).unwrap(), device.upload(b).unwrap());
    let [mut a_parts, mut b_parts] = [m, n].map(|rows| no_rows(device, split_rows::words_of(rows, k)));
    let mut c = poisoned(device, m * n);
    let [m, n, k, width] = [m, n, k, split_rows::width_of(k)].map(|size| size as u32);
    device.launch(split_rows_bf16::launch(&left, &mut a_parts, m, k, k, 1, width)).unwrap();
    device.launch(split_rows_bf16::launch(&right, &mut b_parts, n, k, 1, n, width)).unwrap();
    device.launch(matmul_wgmma_f32::launch(&a_parts, &b_parts, &mut c, m, n, width)).unwrap();
    device.download(&c).unwrap()
}

/// What matmul_wgmma_split.rs says that a sum of k may be off by, of the sum of magnitudes.
fn bound_of_parts(k: usize) -> f64 {
    (k.min(32) as f64 + 6.0 + k as f64 / 17.0) * 2.0 * ROUNDING
}

pub fn products_of_parts(device: &Device) {
    if is_missing(device) {
        return;
    }
    // Sizes around every tile; more tiles than shared memory holds; numbers around 0, and far from it.
    for (sizes, offset) in [([1, 1, 1], 0.0), ([5, 130, 130], 0.0), ([129, 257, 7], 0.0), ([64, 100, 330], 1000.0)] {
        let [m, n, k] = sizes;
        let [a, b] = [(m * k, 24), (k * n, 25)].map(|(len, seed)| {
            let numbers = random(len, seed).into_iter();
            numbers.map(|x| x + offset).collect::<Vec<f32>>()
        });
        let magnitudes = [&a, &b].map(|x| x.iter().map(|x| f64::from(x.abs())).collect::<Vec<_>>());
        let magnitudes = reference::matmul(&magnitudes[0], &magnitudes[1], m, n, k);
        let expected = reference::matmul(&wide(&a), &wide(&b), m, n, k);
        let found = product_of_parts(device, [&a, &b], sizes);
        let what = format!("{m} x {n} x {k}, around {offset}");
        assert_close(&found, &expected, |i| bound_of_parts(k) * magnitudes[i], &what);
    }
}

/// A number is its parts, to the last of its bits: A times the identity is A, and so is the identity times A.
pub fn parts_are_the_number(device: &Device) {
    if is_missing(device) {
        return;
    }
    let k = 70;
    let mut numbers: Vec<f32> =
        random(k * k, 26).iter().enumerate().map(|(i, x)| x * 2.0_f32.powi(i as i32 % 200 - 80)).collect();
    let odd = f32::from_bits(0x7f7f_ffff);
    numbers[..8].copy_from_slice(&[
        0.0,
        f32::MAX,
        -f32::MAX,
        odd,
        16_777_215.0,
        -8_388_609.0,
        2.0_f32.powi(-100),
        1.0 + f32::EPSILON,
    ]);
    let identity: Vec<f32> = (0..k * k).map(|i| if i / k == i % k { 1.0 } else { 0.0 }).collect();
    for (sides, what) in [([&numbers, &identity], "A I"), ([&identity, &numbers], "I A")] {
        assert_eq!(product_of_parts(device, sides.map(|side| &side[..]), [k, k, k]), numbers, "{what}");
    }
}

/// What is no number, or infinite, spoils its row or column and no other.
pub fn parts_of_what_is_no_number(device: &Device) {
    if is_missing(device) {
        return;
    }
    let [m, n, k] = [70, 66, 40];
    let (mut a, mut b) = (random(m * k, 27), random(k * n, 28));
    let expected = reference::matmul(&wide(&a), &wide(&b), m, n, k);
    (a[3 * k + 5], a[65 * k], b[7 * n + 20]) = (f32::INFINITY, f32::NAN, f32::NEG_INFINITY);
    let found = product_of_parts(device, [&a, &b], [m, n, k]);
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        if [3, 65].contains(&(i / n)) || i % n == 20 {
            assert!(!found.is_finite(), "[{i}] is {found}");
        } else {
            assert!((f64::from(*found) - expected).abs() <= bound_of_parts(k) * k as f64, "[{i}] is {found}");
        }
    }
}

/// It is taken where it is asked for and there, and a product is one whichever instruction makes it.
pub fn products_by_an_instruction(device: &Device) {
    let (a, b) = (random(40 * 70, 6), random(70 * 66, 7));
    let (left, right) = (device.upload(&a).unwrap(), device.upload(&b).unwrap());
    let expected = reference::matmul(&wide(&a), &wide(&b), 40, 66, 70);
    let has = device.machine() == MachineKind::Gpu && device.has(&matmul_wgmma_bf16::KERNEL);
    for (precision, u) in
        [(Precision::F32, 0.0), (Precision::Tf32, 2.0_f64.powi(-11)), (Precision::Bf16, 2.0_f64.powi(-8))]
    {
        let taken = Instruction::Warpgroup.on(device, precision);
        let wanted = if has { Instruction::Warpgroup } else { Instruction::Warp };
        assert_eq!(taken, wanted, "{precision:?}");
        assert_eq!(Instruction::default().on(device, precision), wanted);
        let c = matmul_by(device, &left, &right, [40, 66, 70], precision, Instruction::Warpgroup).unwrap();
        let bound = 70.0 * (2.0 * u + u * u + 71.0 * 2.0 * ROUNDING);
        assert_close(&device.download(&c).unwrap(), &expected, |_| bound, &format!("{precision:?}"));
        // Few columns are not rounded.
        let few = [20, 10, 33];
        let unasked = matmul(device, &left, &right, few, precision).unwrap();
        let asked = matmul_by(device, &left, &right, few, Precision::F32, Instruction::Warp).unwrap();
        let bits = |c: &Buffer<f32>| device.download(c).unwrap().into_iter().map(f32::to_bits).collect::<Vec<u32>>();
        assert_eq!(bits(&unasked), bits(&asked), "{precision:?}, {few:?}");
        // Without a word of it, by warpgroups where a block of theirs has columns enough; in f32, where there is enough in all.
        let wide = if precision == Precision::F32 { Instruction::Warp } else { Instruction::Warpgroup };
        for (sizes, instruction) in [([40, 66, 70], Instruction::Warp), ([20, 140, 33], wide)] {
            let unasked = matmul(device, &left, &right, sizes, precision).unwrap();
            let asked = matmul_by(device, &left, &right, sizes, precision, instruction).unwrap();
            assert_eq!(bits(&unasked), bits(&asked), "{precision:?}, {sizes:?}");
        }
    }
}

/// The interpreter finds each fence, barrier and wait of a kernel missing that is taken out of its PTX: what is taken out, and what is
/// then said. A wait for copies may not let one group more be under way either. `run` launches the kernel on a device.
pub fn each_is_needed(kernel: &str, taken_out: &[(&str, &str)], run: impl Fn(&Device) -> Result<(), Error>) {
    let Some(module) = PTX.iter().find(|module| module.entries.contains(&kernel)) else {
        return eprintln!("skipped: the program has no PTX ({PTX_ORIGIN})");
    };
    let run = |text: String| {
        let options = InterpreterOptions { modules: vec![text], ..InterpreterOptions::default() };
        run(&Device::interpreter(options).unwrap())
    };
    run(module.text.to_owned()).expect("as it is, nothing is wrong");
    for (taken, said) in taken_out {
        let text = module.text.replace(" \t", " ");
        assert!(text.contains(taken), "{taken}");
        for instead in [String::new()].into_iter().chain(one_group_more(taken)) {
            let what = format!("{kernel} with `{instead}` for `{taken}`");
            let error = run(text.replace(taken, &instead)).expect_err(&what).to_string();
            assert!(error.contains(kernel) && error.contains(said), "{what}: {error}");
        }
    }
}

/// A wait for copies that lets one group more be under way.
fn one_group_more(wait: &str) -> Option<String> {
    let pending: u32 = wait.strip_prefix(COPIES)?.trim_end_matches(';').parse().ok()?;
    Some(format!("{COPIES}{};", pending + 1))
}

const COPIES: &str = "cp.async.wait_group ";
/// Waits for copies that are taken out, and what is then said.
const COPY_0: (&str, &str) = ("cp.async.wait_group 0;", "a copy into it is under way");
pub const COPY_1: (&str, &str) = ("cp.async.wait_group 1;", "a copy into it is under way");

const PUBLISH: (&str, &str) = ("fence.proxy.async.shared::cta;", "written without a `fence.proxy.async` behind it");
const BARRIER: (&str, &str) = ("bar.sync 0;", "shared");
const WAIT: (&str, &str) = ("wgmma.wait_group.sync.aligned 0;", "may still be under way");

#[test]
fn every_fence_and_wait_of_products_is_needed() {
    let fence = ("wgmma.fence.sync.aligned;", "touched since the last `wgmma.fence`, or there was none");
    let older = ("wgmma.wait_group.sync.aligned 1;", "(shared)");
    each_is_needed(matmul_wgmma_bf16::KERNEL.name, &[PUBLISH, BARRIER, COPY_1, fence, older, WAIT], |device| {
        // More tiles than shared memory holds, so that some are written again.
        let k = 330;
        let (a, b) = (device.upload(&random(k, 1)).unwrap(), device.upload(&random(k, 2)).unwrap());
        matmul_by(device, &a, &b, [1, 1, k as u32], Precision::Bf16, Instruction::Warpgroup).map(|_| ())
    });
    each_is_needed(matmul_bf16::KERNEL.name, &[BARRIER, COPY_1], |device| {
        let k = 330;
        let (a, b) = (device.upload(&random(k, 1)).unwrap(), device.upload(&random(k, 2)).unwrap());
        matmul_by(device, &a, &b, [1, 1, k as u32], Precision::Bf16, Instruction::Warp).map(|_| ())
    });
}

#[test]
fn every_fence_and_wait_of_products_of_parts_is_needed() {
    let fence = ("wgmma.fence.sync.aligned;", "touched since the last `wgmma.fence`, or there was none");
    let older = ("wgmma.wait_group.sync.aligned 3;", "may still be under way");
    each_is_needed(matmul_wgmma_f32::KERNEL.name, &[PUBLISH, BARRIER, COPY_1, fence, older, WAIT], |device| {
        let k = 330;
        let (a, b) = (device.upload(&random(k, 1)).unwrap(), device.upload(&random(k, 2)).unwrap());
        matmul_by(device, &a, &b, [1, 1, k as u32], Precision::F32, Instruction::Warpgroup).map(|_| ())
    });
}

#[test]
fn every_fence_and_wait_of_distances_is_needed() {
    let fence = ("wgmma.fence.sync.aligned;", "touched since the last `wgmma.fence`, or there was none");
    let older = ("wgmma.wait_group.sync.aligned 3;", "may still be under way");
    each_is_needed(pairwise_products_l2::KERNEL.name, &[PUBLISH, BARRIER, COPY_1, fence, older, WAIT], |device| {
        // One block for three parts, whose tiles and lengths go where those of the parts before were.
        let (a, b) = (random(60, 1), random(2 * 128 * 60 + 60, 2));
        try_by_products(device, [&a, &b], [1, 257, 60], 1, true).map(|_| ())
    });
}

/// A step of one query over so many points.
fn one_step(device: &Device, n: usize, d: usize, by: Instruction) -> Result<(), Error> {
    let (points, queries) = (clusters(n, d, 1), clusters(1, d, 2));
    Case { by, ..Case::standard(points, queries, d) }.try_step(device, 1.0).map(|_| ())
}

#[test]
fn every_fence_and_wait_of_steps_is_needed() {
    let fence = ("wgmma.fence.sync.aligned;", "touched since the last `wgmma.fence`, or there was none");
    // Weights of the first half, and q.x of the second; sums of the first 64 coordinates.
    let older = ("wgmma.wait_group.sync.aligned 3;", "may still be under way");
    // More tiles than shared memory holds.
    let kernels = [(shift_wgmma_64::KERNEL.name, 5 * 128 + 1, 64), (shift_wgmma_128::KERNEL.name, 4 * 64 + 1, 128)];
    for (kernel, n, d) in kernels {
        each_is_needed(kernel, &[PUBLISH, BARRIER, COPY_1, fence, older, WAIT], |device| {
            one_step(device, n, d, Instruction::Warpgroup)
        });
    }
    let kernels = [(shift_tensor_16::KERNEL.name, 4 * 128 + 1, 16), (shift_tensor_32::KERNEL.name, 4 * 64 + 1, 32)];
    for (kernel, n, d) in kernels {
        each_is_needed(kernel, &[BARRIER, COPY_1], |device| one_step(device, n, d, Instruction::Warp));
    }
    let kernels: [(_, _, &[_]); 2] = [
        (shift_tensor_wide_256::KERNEL.name, 256, &[BARRIER, COPY_0]),
        (shift_tensor_wide_512::KERNEL.name, 512, &[COPY_1]),
    ];
    for (kernel, d, needed) in kernels {
        each_is_needed(kernel, needed, |device| one_step(device, 3 * 16 + 1, d, Instruction::Warp));
    }
}
