//! Registers that are counted twice.

use cuda_std::prelude::*;

#[kernel(instances(registers(64) registers(72) twice_1<1>))]
pub unsafe fn twice<const D: usize>(mut out: DisjointMut<f32>) {
    out.own();
}

fn main() {}
