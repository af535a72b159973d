//! An instance with too few arguments.

use cuda_std::prelude::*;

#[kernel(instances(two<f32, 2>, one<f32>))]
pub unsafe fn instance_arguments<T, const N: usize>(mut out: DisjointMut<[T; N]>) {
    out.own();
}

fn main() {}
