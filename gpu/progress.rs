//! What the steps of a run tell each other, and the host: a few cells of 32 bits in device memory.
//!
//! | cell | what |
//! |---|---|
//! | [`ACTIVE`] | queries that still move; 0 ends the run: every later step returns at once |
//! | [`ITERATION`] | iterations that were made |
//! | [`FARTHEST`] | the largest squared shift of this iteration so far, as bits |
//! | [`ARRIVED`] | blocks of this launch that have done their part |
//! | [`KEPT`] | queries that go on to the next iteration |
//! | [`PAIRS`] | pairs that steps which leave some out have computed, in two cells: the run's sum |
//! | [`HISTORY`] … | the largest squared shift of each iteration, as bits |
//!
//! The bits of floats that are not negative order as the floats do, and a NaN counts as more than any
//! number. So iterations may be queued, or recorded and replayed, without the host knowing how many
//! will be needed; shifts are squared and scaled, as the steps compute them.

use cuda_std::{atomic, prelude::*};

/// The cell of the queries that still move.
pub const ACTIVE: usize = 0;

/// The cell of the iterations that were made.
pub const ITERATION: usize = 1;

/// The cell of the largest squared shift so far.
pub const FARTHEST: usize = 2;

/// The cell of the blocks that are done.
pub const ARRIVED: usize = 3;

/// The cell of the queries that go on.
pub const KEPT: usize = 4;

/// The first of two cells, the lower half first, of the pairs that were computed.
pub const PAIRS: usize = 6;

/// The first cell of the history.
pub const HISTORY: usize = 8;

/// Queries that this launch is to move: none behind the last iteration, and no more than the `most` it was checked for,
/// whatever the cell says.
///
/// # Safety
/// `state` has the cells, and only functions of this file touch them during the launch.
#[inline(always)]
pub(crate) unsafe fn active(state: *mut u32, limit: u32, most: u32) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { if atomic::load(state.add(ITERATION)) < limit { atomic::load(state.add(ACTIVE)).min(most) } else { 0 } }
}

/// The same, of which both cells are read at once: nothing is waited for before the second.
///
/// # Safety
/// As for [`active`].
#[inline(always)]
pub(crate) unsafe fn active_at_once(state: *mut u32, limit: u32, most: u32) -> u32 {
    // SAFETY: the caller's promise.
    let (iteration, active) = unsafe { (atomic::load(state.add(ITERATION)), atomic::load(state.add(ACTIVE))) };
    if iteration < limit { active.min(most) } else { 0 }
}

/// Raises the largest squared shift to a block's, given its bits: without a look, which would be waited for.
///
/// # Safety
/// As for [`active`].
#[inline(always)]
pub(crate) unsafe fn record_of_block(state: *mut u32, bits: u32) {
    // SAFETY: the caller's promise.
    unsafe { atomic::fetch_max(state.add(FARTHEST), bits) };
}

/// Raises the largest squared shift to this one.
///
/// # Safety
/// As for [`active`].
#[inline(always)]
pub(crate) unsafe fn record(state: *mut u32, squared: f32) {
    // SAFETY: the caller's promise. The look before the atomic spares most threads the queue for it.
    unsafe {
        let cell = state.add(FARTHEST);
        let bits = squared.to_bits();
        if atomic::load(cell) < bits {
            atomic::fetch_max(cell, bits);
        }
    }
}

/// Adds to the pairs that were computed: of so many points with so many queries.
///
/// # Safety
/// As for [`active`]; `state` is aligned to 8 bytes.
#[inline(always)]
pub(crate) unsafe fn add_pairs(state: *mut u32, points: u64, queries: u32) {
    if points > 0 {
        // SAFETY: the caller's promise; the two cells are one aligned word.
        unsafe { atomic::fetch_add(state.add(PAIRS).cast::<u64>(), points * u64::from(queries)) };
    }
}

/// Whether this block is the last of the launch to come here, and so sees what all have recorded.
///
/// # Safety
/// As for [`active`]; one thread of every block calls it, once, behind a barrier that the block's other
/// threads have reached with their part done.
#[inline(always)]
pub(crate) unsafe fn is_last_block(state: *mut u32) -> bool {
    thread::device_fence();
    // SAFETY: the caller's promise.
    let arrived = unsafe { atomic::fetch_add(state.add(ARRIVED), 1) };
    let last = arrived + 1 == thread::grid_dim_x();
    if last {
        thread::device_fence();
    }
    last
}

/// Ends the iteration: notes its largest shift, counts it, and says how many queries go on, given that
/// shift's bits.
///
/// # Safety
/// As for [`active`]; called by one thread of the last block alone.
#[inline(always)]
pub(crate) unsafe fn end_iteration(state: *mut u32, go_on: impl FnOnce(u32) -> u32) {
    // SAFETY: the caller's promise: every other block has ended its part. The history has a cell for each
    // iteration below the limit, which `active` has compared.
    unsafe {
        let farthest = atomic::load(state.add(FARTHEST));
        let iteration = atomic::load(state.add(ITERATION));
        atomic::store(state.add(HISTORY + iteration as usize), farthest);
        atomic::store(state.add(ITERATION), iteration + 1);
        atomic::store(state.add(ACTIVE), go_on(farthest));
        atomic::store(state.add(FARTHEST), 0);
        atomic::store(state.add(ARRIVED), 0);
    }
}
