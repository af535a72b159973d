//! Bounds that are no whole warps.

use cuda_std::prelude::*;

#[kernel(threads = 33..=1000)]
pub unsafe fn broken_warps(mut out: DisjointMut<f32>) {
    out.own();
}

fn main() {}
