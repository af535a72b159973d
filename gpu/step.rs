//! How far points moved: `max_i |after_i - before_i|^2`, both n x d by rows; and the end of an iteration.
//!
//! The composed method's test of convergence; the fused steps make it themselves.

use cuda_std::prelude::*;

use crate::progress;
use crate::shift::end_blurring;

/// Ends an iteration that moved every point (progress.rs).   One thread a point.
#[kernel(
    threads = 32..=1024,
    grid = n.div_ceil(block.x),
    require(before.len() >= n * d, after.len() >= n * d, state.len() >= progress::HISTORY + limit),
)]
pub unsafe fn step_largest(before: &[f32], after: &[f32], state: *mut u32, n: u32, d: u32, limit: u32, tolerance: f32) {
    // SAFETY: the launch has checked the length of `state`; launches follow one another.
    let active = unsafe { progress::active(state, limit, n) };
    if active == 0 {
        return;
    }
    let (n, d, i) = (n as usize, d as usize, thread::index_1d());
    let mut squared = 0.0;
    if i < n {
        for c in i * d..(i + 1) * d {
            let step = after[c] - before[c];
            squared = Machine::mul_add(step, step, squared);
        }
    }
    // SAFETY: all threads are here; the launch has checked the length of `state`.
    unsafe { end_blurring(state, squared, tolerance, active) };
}
