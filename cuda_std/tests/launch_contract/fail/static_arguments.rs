//! Arguments that a thread could keep behind the launch that borrows them.

use cuda_std::prelude::*;

#[kernel(grid = 1)]
pub unsafe fn input(x: &'static [f32]) {
    let _ = x;
}

#[kernel]
pub unsafe fn output(mut out: DisjointMut<'static, f32>) {
    let _ = out.own();
}

fn main() {}
