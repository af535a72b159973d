//! A word about the GPU's code that is given twice.

use cuda_std::prelude::*;

#[kernel(rolled, rolled)]
pub unsafe fn rolled_twice(mut out: DisjointMut<f32>) {
    out.own();
}

fn main() {}
