//! A key that there is not.

use cuda_std::prelude::*;

#[kernel(blocks = 32)]
pub unsafe fn unknown_key(mut out: DisjointMut<f32>) {
    out.own();
}

fn main() {}
