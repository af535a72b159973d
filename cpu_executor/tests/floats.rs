//! Float functions on the processor against f64, to the documented precision.

mod memory;

use cpu_executor::CpuExecutor;
use cuda_std::machine::MachineKind;
use cuda_std::prelude::*;
use memory::{Memory, executor, run};

/// out[i] = functions of x[i] > 0.
#[kernel(threads = 32..=1024)]
pub unsafe fn functions(x: &[f32], mut out: DisjointMut<[f32; 9]>) {
    if let Some(out) = out.own() {
        let x = x[thread::index_1d()];
        let small = x.ln();
        *out = [
            x.sqrt(),
            x.rsqrt(),
            small.exp(),
            small.exp2(),
            x.ln(),
            x.log2(),
            x.mul_add(x, -small),
            x.powf(0.3),
            (-x).abs(),
        ];
    }
}

/// A value is near the expected one; a NaN is not.
fn assert_near(name: &str, x: f32, found: f32, expected: f64, relative: f64) {
    let error = (f64::from(found) - expected).abs();
    assert!(error <= relative * expected.abs(), "{name} of {x:e} is {found:e}, not {expected:e}");
}

#[test]
fn functions_keep_their_documented_precision() {
    let x = (1..20_000).map(|i| (i as f32 * 0.001).powi(3) + 1e-6 * i as f32).collect::<Vec<_>>();
    let mut out = Memory::filled([f32::NAN; 9], x.len());
    run(&executor(), functions::launch(&Memory::new(x.clone()), &mut out)).unwrap();
    // One rounding is an error of half a unit in the last place, 2^-24; std's functions stay below one unit.
    let (exact, two_roundings, std) = (2f64.powi(-24), 1.5 * 2f64.powi(-23), 2f64.powi(-23));
    for (x, found) in x.into_iter().zip(out.to_vec()) {
        let wide = f64::from(x);
        let small = f64::from(x.ln());
        assert_near("sqrt", x, found[0], wide.sqrt(), exact);
        assert_near("rsqrt", x, found[1], 1.0 / wide.sqrt(), two_roundings);
        assert_near("exp after ln", x, found[2], small.exp(), std);
        assert_near("exp2 after ln", x, found[3], small.exp2(), std);
        assert_near("ln", x, found[4], wide.ln(), std);
        assert_near("log2", x, found[5], wide.log2(), std);
        // In f64 the product is exact, and the sum as good as exact.
        assert_near("mul_add", x, found[6], wide * wide - small, exact * (1.0 + 1e-6));
        assert_near("powf", x, found[7], wide.powf(f64::from(0.3f32)), std);
        assert_eq!(found[8], x);
    }
}

/// out[i] = the smaller and the larger of a pair.
#[kernel(threads = 32..=1024)]
pub unsafe fn extremes(pairs: &[[f32; 2]], mut out: DisjointMut<[f32; 2]>) {
    if let Some(out) = out.own() {
        let [a, b] = pairs[thread::index_1d()];
        *out = [GpuFloat::min(a, b), GpuFloat::max(a, b)];
    }
}

#[test]
fn extremes_give_the_other_one_for_a_nan() {
    let pairs = [[1.0, 2.0], [2.0, 1.0], [f32::NAN, -3.0], [-3.0, f32::NAN], [f32::INFINITY, f32::MIN]];
    let mut out = Memory::filled([f32::NAN; 2], pairs.len());
    run(&executor(), extremes::launch(&Memory::new(pairs), &mut out)).unwrap();
    let expected = [[1.0, 2.0], [1.0, 2.0], [-3.0, -3.0], [-3.0, -3.0], [f32::MIN, f32::INFINITY]];
    assert_eq!(out.to_vec(), expected);
}

/// out[i] = the machine's own arithmetic, which it may round once or twice.
#[kernel]
pub unsafe fn machine_functions(x: &[f32], mut out: DisjointMut<[f32; 2]>) {
    if let Some(out) = out.own() {
        let x = x[thread::index_1d()];
        *out = [Machine::mul_add(x, x, 1.0), Machine::exp2_minus(x)];
    }
}

#[test]
fn every_kind_of_processor_keeps_its_precision() {
    let x = (0..10_000).map(|i| i as f32 * 0.01).collect::<Vec<_>>();
    let kinds = [MachineKind::Baseline, MachineKind::Avx2, MachineKind::Avx512];
    for kind in kinds.into_iter().filter(|kind| kind.runs_here()) {
        let mut out = Memory::filled([f32::NAN; 2], x.len());
        let executor = CpuExecutor::new(1, kind).unwrap();
        run(&executor, machine_functions::launch(&Memory::new(x.clone()), &mut out)).unwrap();
        for (x, [sum, power]) in x.iter().zip(out.to_vec()) {
            let wide = f64::from(*x);
            assert_near("mul_add", *x, sum, wide * wide + 1.0, 2f64.powi(-23));
            assert_near("exp2_minus", *x, power, (-wide).exp2(), 2f64.powi(-22));
        }
    }
}
