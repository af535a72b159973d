//! A key that is given twice.

use cuda_std::prelude::*;

#[kernel(block = 32, block = 64)]
pub unsafe fn twice(mut out: DisjointMut<f32>) {
    out.own();
}

fn main() {}
