//! A parameter that is a pattern.

use cuda_std::prelude::*;

#[kernel(grid = 1)]
pub unsafe fn pattern([a, b]: [f32; 2]) {
    let _ = (a, b);
}

fn main() {}
