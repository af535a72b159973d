//! Neither a grid nor an output that one could follow from.

use cuda_std::prelude::*;

#[kernel]
pub unsafe fn no_grid(x: &[f32], out: *mut f32) {
    let _ = (x, out);
}

fn main() {}
