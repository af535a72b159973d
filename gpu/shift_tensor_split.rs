//! The Gaussian mean-shift step on tensor cores, for up to 512 dimensions.   Compute 8.0 or newer.
//!
//! What shift_tensor.rs computes, as exactly. The coordinates and the sums of 64 queries, as in shift_tensor_wide.rs, would take all
//! registers there are. So a block has 32 of them, and its warps divide the dimensions among themselves:
//!
//! ```text
//! a block of 8 warps; a warp has 64 of the dimensions: of the queries and of the sums in its registers, and of the points in
//! shared memory, where it copies them itself, and no other warp reads them
//! for each 16 points:
//!     sums      += w x of the 16 points before
//!     copy the next ones in their place
//!     q.x       of all pairs, over the warp's dimensions, to shared memory
//!     barrier
//!     w         of some of the pairs, the sum of all warps' products: times 2^14, to shared memory as f16, w = high + low
//!     barrier
//! ```
//!
//! (pull_split.rs has what a warp does.) So a number of a point is loaded once for products and once for sums, and one of a query never; what goes from warp to warp are
//! products and weights.

use cuda_std::prelude::*;
use cuda_std::{copy, warp};

use crate::block_sums::{move_coordinate, support};
use crate::lanes::Two;
use crate::progress;
use crate::pull_split::{DEEP, POINTS, STAGES, Share, TALL, THREADS, WARPS, WEIGHED, WEIGHTS, WIDE, cell};
use crate::pull_tensor::{Arguments, over_row};
use crate::shift::end_blurring;
use crate::shift_tensor::padded;
use crate::tensor::unrolled;

/// Queries of a block.
///
/// ```
/// // Two products' rows.
/// assert_eq!(gpu::shift_tensor_split::QUERIES, 32);
/// ```
pub const QUERIES: usize = 32;

/// From the sums of a coordinate to those of the next, four more than there are queries: so no two lanes have the same bank.
const APART: usize = QUERIES + 4;

/// Threads that share a query's coordinates in the end, and where their squares are, behind the sums and two parts of the weights.
const PARTS: usize = THREADS / QUERIES;
const SQUARES: usize = (WIDE + 2) * APART;

/// Bytes of shared memory of a block, more than a kernel may have without asking for it.
///
/// ```
/// use gpu::shift_tensor_split::SHARED;
///
/// // What every GPU of compute capability 8.0 and newer has for those that ask.
/// assert!(SHARED > 48 << 10 && SHARED <= 99 << 10);
/// ```
pub const SHARED: usize = 4 * (WEIGHED + QUERIES * WEIGHTS);
const _: () = assert!(4 * (SQUARES + THREADS) <= SHARED);

/// One step of up to 512 dimensions; `most` is at least the number of active queries.
#[kernel(
    block = THREADS as u32,
    grid = most.div_ceil(QUERIES),
    shared = SHARED,
    require(
        d <= WIDE,
        queries.len() >= query_stride * d,
        query_rows.len() >= padded(most) * WIDE,
        query_norms.len() >= padded(most),
        rows.len() >= padded(n) * WIDE,
        norms.len() >= padded(n),
        query_rows.is_aligned(16),
        query_norms.is_aligned(16),
        rows.is_aligned(16),
        norms.is_aligned(16),
        next.len() >= query_stride * d,
        sums.len() >= query_stride * 2,
        state.len() >= progress::HISTORY + limit,
        state.is_aligned(8),
        n >= 1,
        query_stride >= most,
    ),
)]
pub unsafe fn shift_tensor_wide_512(
    queries: &[f32],
    query_rows: &[u32],
    query_norms: &[f32],
    rows: &[u32],
    norms: &[f32],
    mut next: DisjointMut<f32>,
    mut sums: DisjointMut<f32>,
    state: *mut u32,
    n: u32,
    d: u32,
    query_stride: u32,
    most: u32,
    limit: u32,
    tolerance: f32,
    relaxation: f32,
) {
    // SAFETY: the launch has checked the length of `state`; launches follow one another.
    let active = unsafe { progress::active(state, limit, most) };
    let first = thread::block_idx_x() as usize * QUERIES;
    // Whole blocks leave: the others need all their threads for the tiles.
    if first >= active as usize {
        return;
    }
    let t = thread::thread_idx_x() as usize;
    // SAFETY: rows are padded to whole blocks of queries.
    let share = unsafe { Share::new(&Arguments { query_rows, query_norms, rows, norms }, first) };

    let tiles = n.div_ceil(POINTS as u32);
    let begin = |tile: u32, stage: u32| {
        if tile < tiles {
            // SAFETY: rows are padded to whole tiles. Nobody reads the slice: see below.
            unsafe { share.copy(share.slice(stage), rows.as_ptr().add(tile as usize * POINTS * WIDE)) };
        }
        copy::commit();
    };
    // In the first turn there are no points before: it adds the first ones, with weights of zero.
    begin(0, 1);
    begin(0, 0);
    for i in 0..QUERIES * WEIGHTS / THREADS {
        // SAFETY: each thread has words of its own, and nobody reads before the barrier.
        unsafe { cell(WEIGHED + i * THREADS + t).write(0.0) };
    }
    copy::wait::<0>();
    thread::sync_threads();
    let mut moved = [[[0.0; 4]; 2 * DEEP]; TALL];
    let (mut total, mut tile) = (0.0, 0);
    loop {
        // SAFETY: all warps are whole, and come here as often. Weights are written between the two barriers below, and read here.
        moved = unsafe { share.pull(share.slice(tile + 1), moved) };
        if tile == tiles {
            break;
        }
        // SAFETY: lengths are padded to whole tiles, and the place is even. A lane has waited for its copies before its warp meets,
        // and begins those in a slice when the warp has met behind its last reads. Products are written outside the two
        // barriers, and read between them.
        unsafe {
            let j = tile as usize * POINTS + share.half() * 8 + 2 * (share.lane % 4);
            let of_points = norms.as_ptr().add(j).cast::<Two>().read().0;
            warp::sync_warp(warp::ALL);
            begin(tile + 1, tile + 1);
            copy::wait::<{ STAGES - 1 }>();
            warp::sync_warp(warp::ALL);
            share.multiply(share.slice(tile));
            thread::sync_threads();
            total += share.weigh::<Machine>(of_points);
        }
        thread::sync_threads();
        tile += 1;
    }
    // Nobody reads points or weights any more.
    thread::sync_threads();
    // The sums go to shared memory: coordinate c of query i is c * APART + i, and behind the coordinates are two parts of the weights.
    let (g, pair) = (share.lane / 4, 2 * (share.lane % 4));
    // SAFETY: each lane has cells of its own. All are here for the sum over a row's four lanes, which the first of them writes.
    unsafe {
        unrolled!(2, m < TALL => {
            unrolled!(8, c8 < 2 * DEEP => {
                for i in 0..4 {
                    let c = share.warp * (WIDE / WARPS) + 8 * c8 + pair + i % 2;
                    cell(c * APART + 16 * m + i / 2 * 8 + g).write(moved[m][c8][i]);
                }
            });
        });
        let total = over_row(total);
        if pair == 0 {
            cell((WIDE + share.half()) * APART + share.weighed()).write(total);
        }
    }
    thread::sync_threads();
    let (own, part) = (t % QUERIES, t / QUERIES);
    let (i, query_stride) = (first + own, query_stride as usize);
    if i < active as usize {
        // SAFETY: the sums were written before the barrier. A column has as many queries as are active; these coordinates of the query
        // are this thread's, and so is the cell.
        unsafe {
            let lifted = cell(WIDE * APART + own).read() + cell((WIDE + 1) * APART + own).read();
            let (total, mut squared) = (support(lifted), 0.0);
            let mut c = part;
            while c < d as usize {
                let at = c * query_stride + i;
                let (to, step) = move_coordinate(
                    *queries.get_unchecked(at),
                    cell(c * APART + own).read() / lifted,
                    total,
                    relaxation,
                );
                squared += step * step;
                next.as_mut_ptr().add(at).write(to);
                c += PARTS;
            }
            cell(SQUARES + t).write(squared);
            if part == 0 {
                sums.write(i, total);
            }
        }
    }
    thread::sync_threads();
    let mut farthest = 0.0;
    if t < QUERIES && i < active as usize {
        for part in 0..PARTS {
            // SAFETY: it was written before the barrier.
            farthest += unsafe { cell(SQUARES + part * QUERIES + t).read() };
        }
        // SAFETY: the query is this thread's.
        unsafe { sums.write(query_stride + i, farthest) };
    }
    if tolerance >= 0.0 {
        // SAFETY: every block of the launch is here, or none was active.
        unsafe { end_blurring(state, farthest, tolerance, active) };
    }
}
