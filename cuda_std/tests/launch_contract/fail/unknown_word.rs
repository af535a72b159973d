//! A word before an instance that there is not.

use cuda_std::prelude::*;

#[kernel(instances(unrolled unknown_word_1<1>))]
pub unsafe fn unknown_word<const D: usize>(mut out: DisjointMut<f32>) {
    out.own();
}

fn main() {}
