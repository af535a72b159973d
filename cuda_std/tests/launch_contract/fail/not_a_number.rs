//! A scalar that is no plain number.

use cuda_std::prelude::*;

#[kernel(grid = 1)]
pub unsafe fn not_a_number(flag: bool) {
    let _ = flag;
}

fn main() {}
