//! A slice that all threads would hold mutably.

use cuda_std::prelude::*;

#[kernel(grid = 1)]
pub unsafe fn mutable_slice(out: &mut [f32]) {
    out[0] = 1.0;
}

fn main() {}
