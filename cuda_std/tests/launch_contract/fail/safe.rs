//! A kernel that is not unsafe.

use cuda_std::prelude::*;

#[kernel]
pub fn safe(mut out: DisjointMut<f32>) {
    out.own();
}

fn main() {}
