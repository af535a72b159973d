//! A parameter that cannot be passed to a device.

use cuda_std::prelude::*;

#[kernel(grid = 1)]
pub unsafe fn other_parameter(pair: (u32, u32)) {
    let _ = pair;
}

fn main() {}
