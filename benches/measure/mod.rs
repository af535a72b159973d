//! What all benchmarks share: devices, sizes, comparisons that fail on NaN, and the timing itself.

use std::num::NonZero;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use cuda_std::machine::MachineKind;
use modeseek::executor::CpuOptions;
use modeseek::{Buffer, Device};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// f32's rounding unit, 2^-24.
pub const ROUNDING: f64 = 1.0 / (1 << 24) as f64;

/// A device under the name that stands first in the ids of its benchmarks.
pub struct Target {
    pub name: String,
    pub device: Device,
}

/// Whether benchmarks are only tried, once each and at small sizes: criterion's own rule.
pub fn tried() -> bool {
    let given = |flag| std::env::args().any(|arg| arg == flag);
    given("--test") || !given("--bench")
}

/// The size to time, or the one to try.
pub fn size<T>(timed: T, tried_with: T) -> T {
    if tried() { tried_with } else { timed }
}

/// The processor with all workers, and the first GPU if there is one.
pub fn targets() -> Vec<Target> {
    let processor = Device::processor().expect("the processor is there");
    let mut targets = vec![Target { name: "cpu".to_owned(), device: processor }];
    match Device::cuda(0) {
        Ok(device) => targets.push(Target { name: "cuda".to_owned(), device }),
        Err(why) => eprintln!("no benchmarks under cuda/: {why}"),
    }
    targets
}

/// The processor with each kind of code that runs here, on one worker and on all.
pub fn processors() -> Vec<Target> {
    let mut targets = Vec::new();
    for (kind, name) in
        [(MachineKind::Baseline, "baseline"), (MachineKind::Avx2, "avx2"), (MachineKind::Avx512, "avx512")]
    {
        if !kind.runs_here() {
            eprintln!("no benchmarks under cpu-{name}/: this processor is not of that kind");
            continue;
        }
        for (workers, suffix) in [(NonZero::new(1), "-1-worker"), (None, "")] {
            let options = CpuOptions { workers, machine: Some(kind) };
            let device = Device::processor_with(options).expect("the processor is of this kind");
            targets.push(Target { name: format!("cpu-{name}{suffix}"), device });
        }
    }
    targets
}

/// Criterion as all benchmarks here use it: short, since there are many.
pub fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args()
}

/// Times what `launch` launches, until the device has ended it. What one call does is `work`; an id is
/// `target/kernel/size`.
pub fn time(
    criterion: &mut Criterion,
    target: &Target,
    kernel: &str,
    size: &str,
    work: Throughput,
    mut launch: impl FnMut(&Device),
) {
    let mut group: BenchmarkGroup<WallTime> = criterion.benchmark_group(format!("{}/{kernel}", target.name));
    group.throughput(work).bench_function(size, |bencher| {
        bencher.iter(|| {
            launch(&target.device);
            // A GPU's launch returns before its work is done.
            target.device.synchronize().expect("the launch succeeds");
        });
    });
    group.finish();
}

/// A buffer of values that fail every comparison until a kernel overwrites them.
pub fn poisoned(device: &Device, len: usize) -> Buffer<f32> {
    upload(device, &vec![f32::NAN; len])
}

/// A buffer with these values.
pub fn upload(device: &Device, values: &[f32]) -> Buffer<f32> {
    device.upload(values).expect("there is enough memory")
}

/// `len` numbers in [-1, 1), different for each seed, never zeros.
pub fn random(len: usize, seed: u64) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..len).map(|_| random.random_range(-1.0..1.0)).collect()
}

/// The same numbers in f64.
pub fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// A few of 0..n: the first, the last, and some between.
pub fn sample(n: usize) -> Vec<usize> {
    spread(n, 8)
}

/// `count` of 0..n, or all where there are fewer: the first, the last, and evenly between.
pub fn spread(n: usize, count: usize) -> Vec<usize> {
    let mut spread: Vec<_> = (0..count).map(|k| k * (n - 1) / (count - 1)).collect();
    spread.dedup();
    spread
}

/// Each found value is within the tolerance of what the oracle says.
#[track_caller]
pub fn assert_close(found: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: lengths differ");
    for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(found) - expected).abs();
        assert!(error <= tolerance, "{what}: [{i}] is {found}, not {expected}: off by {error:e} > {tolerance:e}");
    }
}
