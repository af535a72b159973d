//! A kernel that returns a value.

use cuda_std::prelude::*;

#[kernel]
pub unsafe fn returns(mut out: DisjointMut<f32>) -> bool {
    out.own().is_some()
}

fn main() {}
