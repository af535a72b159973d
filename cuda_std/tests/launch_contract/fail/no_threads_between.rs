//! A range of threads that is empty.

use cuda_std::prelude::*;

#[kernel(threads = 512..=32)]
pub unsafe fn no_threads_between(mut out: DisjointMut<f32>) {
    out.own();
}

fn main() {}
