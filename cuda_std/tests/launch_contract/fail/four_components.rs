//! A size of four components.

use cuda_std::prelude::*;

#[kernel(block = (4, 4, 4, 4))]
pub unsafe fn four_components(mut out: DisjointMut<f32>) {
    out.own();
}

fn main() {}
