//! Random inputs, and comparisons that fail on NaN.

use modeseek::Device;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// f32's rounding unit, 2^-24.
pub const ROUNDING: f64 = 1.0 / (1 << 24) as f64;

/// `len` numbers in [-1, 1), different for each seed.
pub fn random(len: usize, seed: u64) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..len).map(|_| random.random_range(-1.0..1.0)).collect()
}

/// The same numbers in f64.
pub fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// The interpreter, and the stand-in driver that is made of it, run the same code a thousand times slower: they
/// get smaller sets.
pub fn is_interpreted(device: &Device) -> bool {
    let name = device.describe();
    name.contains("interpreter") || name.starts_with("Stand-in GPU")
}

/// Each found value is within its tolerance of what the oracle says.
#[track_caller]
pub fn assert_close(found: &[f32], expected: &[f64], tolerance: impl Fn(usize) -> f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: lengths differ");
    for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let (error, tolerance) = ((f64::from(found) - expected).abs(), tolerance(i));
        assert!(error <= tolerance, "{what}: [{i}] is {found}, not {expected}: off by {error:e} > {tolerance:e}");
    }
}
