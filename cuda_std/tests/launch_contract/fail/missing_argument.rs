//! An argument is missing.

use cuda_std::prelude::*;

#[path = "../../memory/mod.rs"]
mod memory;

use memory::Memory;

#[kernel(threads = 32..=1024, require(x.len() == out.len()))]
pub unsafe fn axpy(a: f32, x: &[f32], mut out: DisjointMut<f32>) {
    if let Some(out) = out.own() {
        *out += a * x[thread::index_1d()];
    }
}

fn main() {
    let x = Memory::<f32>::new(8);
    let _ = axpy::launch(2.0, &x);
}
