//! A number where a range of threads stands.

use cuda_std::prelude::*;

#[kernel(threads = 256)]
pub unsafe fn one_number(mut out: DisjointMut<f32>) {
    out.own();
}

fn main() {}
