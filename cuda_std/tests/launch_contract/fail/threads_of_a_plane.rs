//! Other sizes of a block that has two directions.

use cuda_std::prelude::*;

#[kernel(block = (16, 16), threads = 32..=256, grid = 1)]
pub unsafe fn threads_of_a_plane(mut out: DisjointMut<f32>) {
    out.own();
}

fn main() {}
