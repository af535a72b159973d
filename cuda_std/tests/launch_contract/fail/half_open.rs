//! A range of threads without its end.

use cuda_std::prelude::*;

#[kernel(threads = 32..1024)]
pub unsafe fn half_open(mut out: DisjointMut<f32>) {
    out.own();
}

fn main() {}
