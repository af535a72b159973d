//! Blocks without a thread.

use cuda_std::prelude::*;

#[kernel(threads = 0..=1024)]
pub unsafe fn no_warp(mut out: DisjointMut<f32>) {
    out.own();
}

fn main() {}
