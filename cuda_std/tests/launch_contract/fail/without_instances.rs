//! A generic kernel that names no instances.

use cuda_std::prelude::*;

#[kernel]
pub unsafe fn without_instances<const N: usize>(mut out: DisjointMut<[f32; N]>) {
    out.own();
}

fn main() {}
