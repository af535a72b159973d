//! Vectors: the smallest kernel that does something, and the pattern for a new one.

use cuda_std::prelude::*;

/// `out[i] += a * x[i]`.   One thread an element.
#[kernel(threads = 32..=1024, require(x.len() == out.len()))]
pub unsafe fn axpy(a: f32, x: &[f32], mut out: DisjointMut<f32>) {
    if let Some(out) = out.own() {
        *out = Machine::mul_add(a, x[thread::index_1d()], *out);
    }
}
