//! What a formula may not do: it might panic, or overflow.

use cuda_std::prelude::*;

const SIDES: [usize; 3] = [4, 8, 16];

#[kernel(grid = n.ilog2() as usize + SIDES[n])]
pub unsafe fn logarithm(mut out: DisjointMut<f32>, n: u32) {
    let _ = (out.own(), n);
}

#[kernel(shared = { let mut sum = n; sum += 1; sum })]
pub unsafe fn changing(mut out: DisjointMut<f32>, n: u32) {
    let _ = (out.own(), n);
}

#[kernel(require(n.wrapping_mul(2) < 5))]
pub unsafe fn wrapping(mut out: DisjointMut<f32>, n: u32) {
    let _ = (out.own(), n);
}

#[kernel(require(matches!(out.len() - 5, 0..=3)))]
pub unsafe fn matching(mut out: DisjointMut<f32>) {
    let _ = out.own();
}

#[kernel(grid = { assert!(n > 0); n })]
pub unsafe fn asserting(mut out: DisjointMut<f32>, n: u32) {
    let _ = (out.own(), n);
}

fn main() {}
