//! A reference to one value.

use cuda_std::prelude::*;

#[kernel(grid = 1)]
pub unsafe fn reference(value: &f32) {
    let _ = value;
}

fn main() {}
