//! Between two iterations of the standard form: queries that have arrived leave, the others move up.
//!
//! ```text
//! for each active query i, of identity id:
//!     ends[id] = next[i], and what is known of the query
//!     squared step > tolerance: queries[slot] = next[i], ids'[slot] = id, for the next free slot
//! ```
//!
//! Which slot a query gets depends on who comes first; nothing else does, since a query's step does not
//! depend on its place (shift.rs). So a query that has arrived costs nothing any more.
//!
//! Where neighbours are to stay together, [`flag_moving`] and the sums of its flags (scan.rs) have given the
//! slots before, in the order of the queries.

use cuda_std::{atomic, prelude::*};

use crate::progress;

/// The start of a run: `ids[i] = i`, and all of them active.   One thread a query; `state` is zero.
#[kernel(
    threads = 32..=1024,
    grid = active.div_ceil(block.x),
    require(ids.len() >= active, state.len() >= progress::HISTORY),
)]
pub unsafe fn begin(mut ids: DisjointMut<u32>, state: *mut u32, active: u32) {
    let i = thread::index_1d();
    if i < active as usize {
        // SAFETY: each thread has its own index.
        unsafe { ids.write(i, i as u32) };
    }
    if i == 0 {
        // SAFETY: the launch has checked the length, and this thread alone touches the state.
        unsafe { state.add(progress::ACTIVE).write(active) };
    }
}

/// `flags[i]` = 1 if query i goes on, for i < most.   One thread a query; `most` is at least their number.
#[kernel(
    threads = 32..=1024,
    grid = most.div_ceil(block.x),
    require(
        sums.len() >= query_stride * 2,
        flags.len() >= most,
        state.len() >= progress::HISTORY + limit,
        query_stride >= most,
    ),
)]
pub unsafe fn flag_moving(
    sums: &[f32],
    mut flags: DisjointMut<u32>,
    state: *mut u32,
    query_stride: u32,
    most: u32,
    limit: u32,
    tolerance: f32,
) {
    // SAFETY: the launch has checked the length; launches follow one another.
    let active = unsafe { progress::active(state, limit, most) } as usize;
    let i = thread::index_1d();
    if i < most as usize {
        let goes_on = i < active && moves(sums[query_stride as usize + i], tolerance);
        // SAFETY: each thread has its own index.
        unsafe { flags.write(i, u32::from(goes_on)) };
    }
}

/// Whether a query with this squared step goes on. A NaN has not arrived, and is found in the history.
#[inline(always)]
fn moves(squared: f32, tolerance: f32) -> bool {
    squared > tolerance || squared.is_nan()
}

/// Ends the iteration of the standard form.   One thread an active query; `most` is at least their number.
///
/// `details` is 3 x `ends_stride`: for each identity the sum of weights, the squared last step, and the
/// iterations as bits of a u32. `slots` is empty, or has a slot for each query that goes on.
#[kernel(
    threads = 32..=1024,
    grid = most.div_ceil(block.x),
    require(
        next.len() >= query_stride * d,
        sums.len() >= query_stride * 2,
        queries.len() >= query_stride * d,
        ids.len() >= most,
        slots.len() == 0 || slots.len() >= most,
        kept_ids.len() >= most,
        ends.len() >= ends_stride * d,
        details.len() >= ends_stride * 3,
        state.len() >= progress::HISTORY + limit,
        query_stride >= most,
    ),
)]
pub unsafe fn retire(
    next: &[f32],
    sums: &[f32],
    ids: &[u32],
    slots: &[u32],
    mut queries: DisjointMut<f32>,
    mut kept_ids: DisjointMut<u32>,
    mut ends: DisjointMut<f32>,
    mut details: DisjointMut<f32>,
    state: *mut u32,
    d: u32,
    query_stride: u32,
    ends_stride: u32,
    most: u32,
    limit: u32,
    tolerance: f32,
) {
    let (d, query_stride, ends_stride) = (d as usize, query_stride as usize, ends_stride as usize);
    // SAFETY: the launch has checked the length; launches follow one another.
    let active = unsafe { progress::active(state, limit, most) };
    if active == 0 {
        return;
    }
    let i = thread::index_1d();
    if i < active as usize {
        let squared = sums[query_stride + i];
        // SAFETY: as above; another kernel wrote the cell.
        let iteration = unsafe { atomic::load(state.add(progress::ITERATION)) } + 1;
        let id = ids[i];
        let goes_on = moves(squared, tolerance);
        // SAFETY: the cell is one of progress.rs; each slot is given once.
        let next_free = if goes_on { unsafe { atomic::fetch_add(state.add(progress::KEPT), 1) } } else { 0 };
        let slot = if slots.is_empty() { next_free } else { slots[i] } as usize;
        for c in 0..d {
            let x = next[c * query_stride + i];
            // SAFETY: identities differ, and so do slots.
            unsafe {
                ends.write(c * ends_stride + id as usize, x);
                if goes_on {
                    queries.write(c * query_stride + slot, x);
                }
            }
        }
        let known = [sums[i], squared, f32::from_bits(iteration)];
        for k in 0..3 {
            // SAFETY: as above.
            unsafe { details.write(k * ends_stride + id as usize, known[k]) };
        }
        if goes_on {
            // SAFETY: as above.
            unsafe { kept_ids.write(slot, id) };
        }
        // SAFETY: as above.
        unsafe { progress::record(state, squared) };
    }
    thread::sync_threads();
    // SAFETY: one thread of each block, behind the barrier; the last block sees what all have recorded.
    unsafe {
        if thread::thread_idx_x() == 0 && progress::is_last_block(state) {
            let kept = atomic::exchange(state.add(progress::KEPT), 0);
            progress::end_iteration(state, |_| kept);
        }
    }
}
