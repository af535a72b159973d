//! How far points moved: `moved[iteration] = max_i |after_i - before_i|^2`, both n x d by rows.
//!
//! The composed method's test of convergence; the fused steps make it themselves.

use cuda_std::prelude::*;

use crate::shift::record;

/// Raises `moved[iteration]` to the bits of the largest squared step.   One thread a point.
#[kernel(
    threads = 32..=1024,
    grid = n.div_ceil(block.x),
    require(before.len() >= n * d, after.len() >= n * d, moved.len() > iteration),
)]
pub unsafe fn step_largest(before: &[f32], after: &[f32], moved: *mut u32, n: u32, d: u32, iteration: u32) {
    let (n, d) = (n as usize, d as usize);
    let i = thread::index_1d();
    if i < n {
        let mut squared = 0.0;
        for c in i * d..(i + 1) * d {
            let step = after[c] - before[c];
            squared = Machine::mul_add(step, step, squared);
        }
        // SAFETY: the launch has checked the length of `moved`, which only this launch touches now.
        unsafe { record(moved, iteration, squared) };
    }
}
