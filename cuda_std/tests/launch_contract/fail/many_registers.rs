//! More registers than a thread can have.

use cuda_std::prelude::*;

#[kernel(instances(registers(256) many_1<1>))]
pub unsafe fn many<const D: usize>(mut out: DisjointMut<f32>) {
    out.own();
}

fn main() {}
