//! Memory is read while a launch that writes it is waiting to run.

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
    let (x, mut out) = (Memory::<f32>::new(8), Memory::<f32>::new(8));
    let launch = axpy::launch(2.0, &x, &mut out);
    println!("{}", out.len);
    println!("{launch:?}");
}
