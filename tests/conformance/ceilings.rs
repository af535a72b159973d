//! The kernels that measure a machine's limits compute what they say, so that what they measure was done.

use gpu::ceilings::{self, MMA_WORDS, ceiling_copy, ceiling_ex2, ceiling_fma, ceiling_mma, half_pair};
use modeseek::{Device, reference};

use crate::check::{ROUNDING, assert_close, random, wide};

/// What an output holds before a kernel writes it: a cell that it misses fails every comparison.
const POISON: f32 = f32::NAN;

/// Around lanes, threads and blocks of every machine.
const LENGTHS: [usize; 6] = [32, 96, 3072, 4096, 6144, 12_352];

pub fn ceilings_copy(device: &Device) {
    for n in [1, 3, 127, 4096, 12_345, 40_000] {
        let values = random(n, 20);
        let input = device.upload(&values).unwrap();
        let mut out = device.upload(&vec![POISON; n]).unwrap();
        device.launch(ceiling_copy::launch(&input, &mut out)).unwrap();
        assert_eq!(device.download(&out).unwrap(), values, "{n}");
    }
}

/// Memory that a GPU cannot copy 16 bytes at a time is refused.
pub fn copies_between_multiples_are_refused(device: &Device) {
    let (input, mut out) = (device.upload(&[1.0; 9]).unwrap(), device.upload(&[POISON; 9]).unwrap());
    for (from, to, what) in [(1, 0, "input.is_aligned(16)"), (0, 1, "out.is_aligned(16)")] {
        let launched =
            device.launch(ceiling_copy::launch(&input.slice(from..from + 8), &mut out.slice_mut(to..to + 8)));
        assert!(launched.unwrap_err().to_string().contains(what));
    }
}

/// Integers count the steps exactly; a factor below 1 forgets its errors.
pub fn ceilings_fma(device: &Device) {
    for n in LENGTHS {
        for (factor, addend, repeats) in [(1.0, 3.0, 0), (1.0, 3.0, 8), (1.0, -1.0, 56), (-0.96875, 0.3, 24)] {
            let values: Vec<f32> = (0..n).map(|i| (i % 1000) as f32).collect();
            let input = device.upload(&values).unwrap();
            let mut out = device.upload(&vec![POISON; n]).unwrap();
            device.launch(ceiling_fma::launch(&input, &mut out, factor, addend, repeats)).unwrap();
            let step = |x: f64| x * f64::from(factor) + f64::from(addend);
            let expected: Vec<f64> = wide(&values).into_iter().map(|x| (0..repeats).fold(x, |x, _| step(x))).collect();
            // Values below 1024, two roundings a step where the machine does not fuse.
            let tolerance = if factor == 1.0 { 0.0 } else { 2.0 * 1024.0 * ROUNDING * f64::from(repeats) };
            assert_close(
                &device.download(&out).unwrap(),
                &expected,
                |_| tolerance,
                &format!("{n}, {factor}, {repeats}"),
            );
        }
    }
}

/// Chains that have not settled yet tell how many steps were taken.
pub fn ceilings_ex2(device: &Device) {
    for n in LENGTHS {
        for repeats in [0, 8, 16, 64] {
            let values: Vec<f32> = (0..n).map(|i| (i % 100) as f32 * 0.3).collect();
            let input = device.upload(&values).unwrap();
            let mut out = device.upload(&vec![POISON; n]).unwrap();
            device.launch(ceiling_ex2::launch(&input, &mut out, repeats)).unwrap();
            let expected: Vec<f64> =
                wide(&values).into_iter().map(|x| (0..repeats).fold(x, |x, _| (-x).exp2())).collect();
            // See the kernel: 2^-22 / (1 - ln 2).
            let tolerance = if repeats == 0 { 0.0 } else { 4.0 * ROUNDING / (1.0 - std::f64::consts::LN_2) };
            assert_close(&device.download(&out).unwrap(), &expected, |_| tolerance, &format!("{n}, {repeats}"));
        }
    }
}

/// The words of matrices whose elements lie in runs of 16.
fn halves(values: &[f32]) -> Vec<u32> {
    values.chunks(2).map(|pair| half_pair(pair[0], pair[1])).collect()
}

/// The sum of `count` matrices of the same size that follow each other.
fn sum(values: &[f32], count: usize) -> Vec<f64> {
    let len = values.len() / count;
    (0..len).map(|i| (0..count).map(|m| f64::from(values[m * len + i])).sum()).collect()
}

pub fn ceilings_mma(device: &Device) {
    // Multiples of 1/8, none of them zero.
    let eighths = |seed: u64| -> Vec<f32> {
        let nonzero = |x: f32| if x == 0.0 { 0.125 } else { x };
        random(2 * MMA_WORDS, seed).into_iter().map(|x| nonzero((x * 8.0).round() / 8.0)).collect()
    };
    let (a, b) = (eighths(21), eighths(22));
    let columns = sum(&b, 4);
    let rows: Vec<f64> = (0..16 * 8).map(|i| columns[i % 8 * 16 + i / 8]).collect();
    let product = reference::matmul(&sum(&a, 2), &rows, 16, 8, 16);
    let (a, b) = (device.upload(&halves(&a)).unwrap(), device.upload(&halves(&b)).unwrap());
    for (warps, repeats) in [(4, 0), (4, 1), (8, 3), (12, 10)] {
        let mut out = device.upload(&vec![POISON; warps * 128]).unwrap();
        device.launch(ceiling_mma::launch(&a, &b, &mut out, repeats)).unwrap();
        let expected: Vec<f64> = (0..warps * 128).map(|i| f64::from(repeats) * product[i % 128]).collect();
        assert_close(&device.download(&out).unwrap(), &expected, |_| 0.0, &format!("{warps} warps, {repeats}"));
    }
    assert_eq!(ceilings::MMA_FLOPS, 8 * 2 * 16 * 16 * 8);
}
