//! A parameter with the name that the block has in formulas.

use cuda_std::prelude::*;

#[kernel]
pub unsafe fn named_block(mut out: DisjointMut<f32>, block: u32) {
    let _ = (out.own(), block);
}

fn main() {}
