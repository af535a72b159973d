//! The Gaussian mean-shift step on tensor cores by Hopper's own instruction, for up to 128 dimensions.   Compute 9.0 alone.
//!
//! What shift_wgmma.rs does, of two halves of each number. A warpgroup's queries take 64 registers of a thread, and its sums as many,
//! and w x, before it is added, as many more: so there is room for q.x of 64 points or for their w, and no products of this warpgroup are
//! under way while it weighs. They take five times as long, and meanwhile there are those of the other warpgroup.
//!
//! ```text
//! three tiles of 64 points in shared memory, and the lengths of these; for each:
//!     wait for the tile, publish it; barrier; begin the copy of the one two further
//!     begin q.x, wait for it; w; begin w x of the first 64 coordinates and of the others
//!     wait for either, add it to the sums in f32
//! ```
//!
//! A fit takes it in 65 to 128 dimensions where the device has it, unless it is asked for `mma.sync` (docs/performance/tensor-cores.md).
//!
//! # Precision
//! As shift_wgmma.rs; sums leave the tensor cores after 64 points.

use cuda_std::prelude::*;
use cuda_std::shared::{SharedAddress, dynamic_shared_mem};
use cuda_std::warpgroup::{self, Matrix};
use cuda_std::{copy, warp};

use crate::block_sums::SumsOfBlock;
use crate::progress;
use crate::pull_tensor::Arguments;
use crate::pull_wgmma::{
    APART, DEPTH, Dynamic, PAIRS, PIECES, QUERIES, Queries, THREADS, add_64, begin_sums, write_sums,
};
use crate::shift::end_blurring;
use crate::shift_tensor::padded;
use crate::slices::Slices;
use crate::tensor::{ROWS, copy_tile, swap, unrolled};
use crate::tile_lengths;

/// Points of a tile.
const POINTS: usize = 64;

/// Bytes of a matrix for the products: 64 halves of a tile's points.
const PART: u32 = (POINTS * 128) as u32;

/// Bytes of a tile: high halves of the first coordinates and of the others, then low ones.
const TILE: u32 = 4 * PART;

/// Tiles at a time.
const STAGES: u32 = 3;

/// Bytes of the lengths of a tile's points, which are in front of the tiles.
const OF_TILE: u32 = tile_lengths::bytes(PAIRS);

/// Bytes of shared memory of a block.
const SHARED: usize = (STAGES * (OF_TILE + TILE)) as usize + Matrix::ALIGNMENT;

/// One step of up to D dimensions; `most` is at least the number of active queries; `partial`, `arrived` and `slice` are as
/// shift_tensor.rs says.
#[kernel(
    instances(shift_wgmma_128<128>),
    only = "sm_90a",
    block = THREADS as u32,
    grid = (most.div_ceil(QUERIES), n.div_ceil(slice.max(1))),
    shared = SHARED,
    require(
        d <= D,
        queries.len() >= query_stride * d,
        query_rows.len() >= padded(most) * D,
        query_norms.len() >= padded(most),
        rows.len() >= padded(n) * D,
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
        slice >= 1,
        slice >= n || slice.is_multiple_of(ROWS),
        slice >= n || partial.len() >= n.div_ceil(slice) * (d + 1) * query_stride,
        slice >= n || arrived.len() >= most.div_ceil(QUERIES),
    ),
)]
pub unsafe fn shift_wgmma_deep<const D: usize>(
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
    partial: *mut f32,
    arrived: *mut u32,
    slice: u32,
) {
    let memory: *mut f32 = dynamic_shared_mem();
    // SAFETY: the launch has checked the length of `state`; launches follow one another.
    let active = unsafe { progress::active(state, limit, most) };
    let first = thread::block_idx_x() as usize * QUERIES;
    // Whole blocks leave: the others need all their threads for the tiles.
    if first >= active as usize {
        return;
    }
    // SAFETY: there is as much more memory as is skipped.
    let (lengths, base) = unsafe {
        let memory = SharedAddress::of(memory);
        (memory, memory.add(STAGES * OF_TILE).aligned(Matrix::ALIGNMENT as u32))
    };
    let (lane, warp) = (warp::lane_id() as usize, thread::thread_idx_x() as usize / 32);
    let (row, t) = (warp * 16 + lane / 4, lane % 4);
    let slices = Slices { partial, arrived, points: slice };
    let (start, end) = slices.range(n);
    // SAFETY: the slice has points, and begins with a tile.
    let arguments = unsafe { Arguments { query_rows, query_norms, rows, norms }.starting_at(start, D) };
    // SAFETY: rows are padded to whole blocks of queries.
    let own = unsafe { Queries::<D, false>::new(&arguments, first + row, t) };

    let tiles = (end - start).div_ceil(POINTS as u32);
    let at = |tile: u32| {
        // SAFETY: the stage is one of those.
        unsafe { base.add(tile % STAGES * TILE) }
    };
    let lengths_of = |tile: u32| {
        // SAFETY: as above.
        unsafe { lengths.add(tile % STAGES * OF_TILE) }
    };
    let begin = |tile: u32| {
        if tile < tiles {
            unrolled!(4, part < 4 => {
                // SAFETY: rows are padded to whole tiles. Nobody reads the stage: see below.
                unsafe {
                    let to = at(tile).add(part as u32 * PART);
                    let from = arguments.rows.as_ptr().add(tile as usize * POINTS * D + part * DEPTH);
                    copy_tile::<PIECES, THREADS, { POINTS * PIECES / THREADS }>(to, from, D, |row| swap(row, PIECES));
                }
            });
            // SAFETY: as above; lengths are padded likewise.
            unsafe {
                tile_lengths::copy::<PAIRS>(
                    lengths_of(tile),
                    arguments.norms.as_ptr().add(tile as usize * POINTS),
                    POINTS as u32,
                )
            };
        }
        copy::commit();
    };
    const { assert!(D == 128 && (D + 1) * APART * 4 <= SHARED) };
    begin(0);
    begin(1);
    let mut moved = [warpgroup::no_sums_64(), warpgroup::no_sums_64()];
    let mut totals = [0.0; 2];
    for tile in 0..tiles {
        // All but the newest group of this thread's copies have ended; behind the barrier everybody's have, and everybody has
        // waited for all products of the tile before this one, in whose place the next copies go.
        copy::wait::<1>();
        warpgroup::publish();
        thread::sync_threads();
        begin(tile + STAGES - 1);
        // SAFETY: the tile was published before the barrier. All warps come here as often, and touch no registers of a product that
        // has not been waited for.
        unsafe {
            let lengths = tile_lengths::read::<PAIRS>(lengths_of(tile), t);
            let part = |part: u32| Matrix::at(at(tile).add(part * PART));
            let dots = warpgroup::finish_64::<0>(own.begin_dots(at(tile), PART));
            let w = own.weigh::<Machine>(&dots, &lengths, &mut totals);
            let first = begin_sums(None, w, part(0), part(2));
            let others = begin_sums(None, w, part(1), part(3));
            moved[0] = add_64(moved[0], warpgroup::finish_64::<3>(first));
            moved[1] = add_64(moved[1], warpgroup::finish_64::<0>(others));
        }
    }
    // SAFETY: all warps come here, and have waited for their products. Behind the barrier nobody multiplies any more.
    unsafe {
        thread::sync_threads();
        write_sums::<D>(dynamic_shared_mem(), &moved, totals, row, t);
    }
    thread::sync_threads();
    let block = SumsOfBlock { cells: Dynamic, apart: APART, wide: D, queries: QUERIES, first };
    // SAFETY: the launch has checked the sizes, and all threads are behind the barrier.
    if !unsafe { block.meet(&slices, n, [d, query_stride, active]) } {
        return;
    }
    // SAFETY: the launch has checked the sizes.
    let farthest = unsafe { block.end(queries, &mut next, &mut sums, [d, query_stride, active], relaxation) };
    if tolerance >= 0.0 {
        // SAFETY: every block of the launch is here, of several slices the last, or none was active.
        unsafe { end_blurring(state, farthest, tolerance, active) };
    }
}
