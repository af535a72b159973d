//! The Gaussian mean-shift step on tensor cores by Hopper's own instruction, for up to 64 and 128 dimensions.   Compute 9.0 alone.
//!
//! What shift_tensor.rs computes, as exactly, from the same rows of f16. A block is two warpgroups, of 64 queries each, which
//! stay in registers as what the products multiply:
//!
//! ```text
//! four tiles of 128 points in shared memory, halves apart, in rows of 128 bytes, and the lengths of the points; for each:
//!     begin q.x of points 64 to 127
//!     w of points 0 to 63, times 2^14, as f16: w = high + low, in registers
//!     begin w x of points 0 to 63
//!     wait for q.x of points 64 to 127; their w likewise
//!     begin w x of points 64 to 127; wait for that of points 0 to 63
//!     wait for the next tile, publish it; barrier; begin the copy of the one three further
//!     begin q.x of points 0 to 63 of the next tile
//!     wait for all, add w x to the sums in f32
//! ```
//!
//! So products are under way while a warpgroup weighs, of its own and of the other one. What the instruction leaves of q.x in a thread's registers is, rounded, what it takes of w: no weight passes through shared memory. A tile
//! is read twice: by rows for q.x, and with its rows along the sums for w x.
//!
//! A fit takes it in 33 to 64 dimensions where the device has it, unless it is asked for `mma.sync` (docs/performance/tensor-cores.md).
//!
//! # Precision
//! As shift_tensor.rs. Products of low halves come first. Sums of w x leave the tensor cores after a tile, having been cut off 16
//! times at most, some 2^-23 of what is summed each time; the rough form keeps long sums there.

use cuda_std::prelude::*;
use cuda_std::shared::{SharedAddress, dynamic_shared_mem};
use cuda_std::warpgroup::{self, Matrix, Sums64};
use cuda_std::{copy, warp};

use crate::block_sums::SumsOfBlock;
use crate::progress;
use crate::pull_tensor::Arguments;
use crate::pull_wgmma::{self, APART, DEPTH, Dynamic, PAIRS, PIECES, Queries, THREADS, add_64, begin_sums, write_sums};
use crate::shift::end_blurring;
use crate::shift_tensor::padded;
use crate::slices::Slices;
use crate::tensor::{ROWS, copy_tile, swap, unrolled};
use crate::tile_lengths;

/// Queries of a block, 64 a warpgroup.
///
/// ```
/// // Those of both warpgroups.
/// assert_eq!(gpu::shift_wgmma::QUERIES, 2 * 64);
/// ```
pub const QUERIES: usize = pull_wgmma::QUERIES;

/// Points of a tile.
const POINTS: usize = 128;

/// Bytes of what is a matrix for the products: 64 coordinates, high halves or low ones, of a tile's points.
const PART: u32 = (POINTS * 128) as u32;

/// Tiles at a time.
const STAGES: u32 = 4;

/// Bytes of the lengths of a tile's points, which are in front of the tiles.
const OF_TILE: u32 = (POINTS / 64) as u32 * tile_lengths::bytes(PAIRS);

/// Matrices of a tile, for d dimensions.
const fn parts(d: usize, rough: bool) -> usize {
    d / 64 * if rough { 1 } else { 2 }
}

/// Bytes of shared memory of a block.
const fn shared(d: usize, rough: bool) -> usize {
    (STAGES * OF_TILE) as usize + STAGES as usize * parts(d, rough) * PART as usize + Matrix::ALIGNMENT
}

/// Waits until no products are under way but the newest of 64 points, either q.x or w x, which are as many groups.
///
/// # Safety
/// As for [`warpgroup::wait`].
#[inline(always)]
unsafe fn wait<const D: usize, const ROUGH: bool>() {
    // SAFETY: the caller's promise.
    unsafe {
        match (D, ROUGH) {
            (64, true) => warpgroup::wait::<1>(),
            (64, false) => warpgroup::wait::<3>(),
            (_, true) => warpgroup::wait::<2>(),
            (_, false) => warpgroup::wait::<6>(),
        }
    }
}

/// The same, for sums that are not among those.
///
/// # Safety
/// As for [`warpgroup::finish_64`].
#[inline(always)]
unsafe fn finish<const D: usize, const ROUGH: bool>(sums: Sums64) -> Sums64 {
    // SAFETY: the caller's promise.
    unsafe {
        match (D, ROUGH) {
            (64, true) => warpgroup::finish_64::<1>(sums),
            (64, false) => warpgroup::finish_64::<3>(sums),
            (_, true) => warpgroup::finish_64::<2>(sums),
            (_, false) => warpgroup::finish_64::<6>(sums),
        }
    }
}

/// One step of up to D dimensions; `most` is at least the number of active queries; `partial`, `arrived` and
/// `slice` are as shift_tensor.rs says. ROUGH leaves the low halves out.
#[kernel(
    instances(shift_wgmma_64<64, false>, shift_wgmma_rough_64<64, true>, shift_wgmma_rough_128<128, true>),
    only = "sm_90a",
    block = THREADS as u32,
    grid = (most.div_ceil(QUERIES), n.div_ceil(slice.max(1))),
    shared = shared(D, ROUGH),
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
pub unsafe fn shift_wgmma<const D: usize, const ROUGH: bool>(
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
    let own = unsafe { Queries::<D, ROUGH>::new(&arguments, first + row, t) };

    let tiles = (end - start).div_ceil(POINTS as u32);
    let at = |tile: u32| {
        // SAFETY: the stage is one of those.
        unsafe { base.add(tile % STAGES * const { parts(D, ROUGH) as u32 * PART }) }
    };
    let lengths_of = |tile: u32| {
        // SAFETY: as above.
        unsafe { lengths.add(tile % STAGES * OF_TILE) }
    };
    let begin = |tile: u32| {
        if tile < tiles {
            unrolled!(4, part < parts(D, ROUGH) => {
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
    let half = const { PART / 2 };
    const { assert!((D + 1) * APART * 4 <= shared(D, ROUGH)) };
    const { assert!(STAGES == 4, "one tile that is multiplied, one of which the last products may be, two on their way") };
    begin(0);
    begin(1);
    begin(2);
    copy::wait::<2>();
    warpgroup::publish();
    thread::sync_threads();
    // SAFETY: the tile was published before the barrier; its stage is written again when all its products have been waited for.
    let mut dots = unsafe { warpgroup::finish_64::<0>(own.begin_dots(at(0), PART)) };
    let mut moved = [warpgroup::no_sums_64(), warpgroup::no_sums_64()];
    let mut totals = [0.0; 2];
    for tile in 0..tiles {
        // SAFETY: the tile was published before a barrier. All warps come here as often, and touch no registers of a product that
        // has not been waited for.
        unsafe {
            let part = |c: usize, behind: u32| Matrix::at(at(tile).add(c as u32 * PART + behind));
            let mut products = [[0.0; 32]; 2];
            let upper = own.begin_dots(at(tile).add(half), PART);
            let w = own.weigh::<Machine>(&dots, &tile_lengths::read::<PAIRS>(lengths_of(tile), t), &mut totals);
            unrolled!(2, c < D / 64 => {
                if ROUGH {
                    moved[c] = warpgroup::multiply_columns_f16(moved[c], w[0], part(c, 0));
                } else {
                    products[c] = begin_sums(None, w, part(c, 0), part(D / 64 + c, 0));
                }
            });
            let lengths = tile_lengths::read::<PAIRS>(lengths_of(tile).add(const { tile_lengths::bytes(PAIRS) }), t);
            let w = own.weigh::<Machine>(&finish::<D, ROUGH>(upper), &lengths, &mut totals);
            unrolled!(2, c < D / 64 => {
                if ROUGH {
                    moved[c] = warpgroup::multiply_columns_f16(moved[c], w[0], part(c, half));
                } else {
                    products[c] = begin_sums(Some(products[c]), w, part(c, half), part(D / 64 + c, half));
                }
            });
            // The registers of the first half's weights are needed for the next products.
            wait::<D, ROUGH>();
            // All but the newest group of this thread's copies have ended; behind the barrier everybody's have, and everybody has
            // waited for all products of the tile before this one, in whose place the next copies go.
            copy::wait::<1>();
            warpgroup::publish();
            thread::sync_threads();
            begin(tile + STAGES - 1);
            // Behind the last tile are the products of that one again, which nobody looks at. ptxas does not follow products from one
            // turn to the next beside others, and would have each wait for the one before.
            let next = if tile + 1 < tiles { tile + 1 } else { tile };
            dots = warpgroup::finish_64::<0>(own.begin_dots(at(next), PART));
            // Tensor cores may cut off what f32 would round, always towards zero: long sums are theirs in the rough form only.
            unrolled!(2, c < D / 64 => {
                if ROUGH {
                    moved[c] = warpgroup::finish_64::<0>(moved[c]);
                } else {
                    moved[c] = add_64(moved[c], warpgroup::finish_64::<0>(products[c]));
                }
            });
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
