//! The Gaussian mean-shift step on tensor cores, for up to 256 dimensions.   Compute 8.0 or newer.
//!
//! What shift_tensor.rs computes, as exactly. The sums of 16 queries would take a warp all its registers, so that the warps of a
//! block have 64 queries in common: they divide the pairs among themselves for the weights, and the coordinates for the sums.
//!
//! ```text
//! a block of 8 warps, 64 queries; for each 16 points, in shared memory while the next come:
//!     a warp has 16 queries and 8 of the points:
//!         w         of each pair, times 2^14, to shared memory as f16: w = high + low
//!     a warp has all 64 queries and an eighth of the coordinates:
//!         sums      += w x, the sums in its registers
//! ```

use cuda_std::prelude::*;
use cuda_std::shared::SharedAddress;
use cuda_std::{copy, warp};

use crate::block_sums::{move_coordinate, support};
use crate::lanes::Two;
use crate::progress;
use crate::pull_tensor::{Arguments, LIFT, add, halve, over_row};
use crate::shift::end_blurring;
use crate::shift_tensor::padded;
use crate::tensor::{PIECE, WORDS, copy_tile, row_and_matrix, swap, unrolled};

/// Queries of a block.
///
/// ```
/// // Four times the rows of a product.
/// assert_eq!(gpu::shift_tensor_wide::QUERIES, 64);
/// ```
pub const QUERIES: usize = 64;

/// Warps of a block, and its threads.
const WARPS: usize = 8;
const THREADS: usize = WARPS * 32;

/// Points of a tile, and its words in [`STAGES`] of which the next is on its way.
const POINTS: usize = 16;
const TILE: usize = POINTS * 256;
const STAGES: usize = 2;

/// From the 16 sums of a coordinate to those of the next.
const APART: usize = 16 + 4;

/// Words of a query's weights for a tile, high halves and then low ones: four pieces.
const WEIGHTS: usize = POINTS;

/// What of the pairs of a tile is this warp's: queries from 16 `m` on, points from 8 `half` on.
struct Part<const D: usize> {
    query: [[u32; 4]; 16],
    query_low: [[u32; 4]; 16],
    lengths: [f32; 2],
    half: usize,
}

impl<const D: usize> Part<D> {
    /// # Safety
    /// The arguments have rows for the block's queries, the first of which is `first`.
    #[inline(always)]
    unsafe fn new(arguments: &Arguments<'_>, first: usize, warp: usize, lane: usize) -> Self {
        let (mut query, mut query_low) = ([[0; 4]; 16], [[0; 4]; 16]);
        let row = first + warp / 2 * 16 + lane / 4;
        unrolled!(16, k < D / 16 => {
            for w in 0..4 {
                let at = (row + w % 2 * 8) * D + 8 * k + w / 2 * 4 + lane % 4;
                // SAFETY: the caller's promise.
                unsafe {
                    query[k][w] = *arguments.query_rows.get_unchecked(at);
                    query_low[k][w] = *arguments.query_rows.get_unchecked(at + D / 2);
                }
            }
        });
        let mut lengths = [0.0; 2];
        for lower in 0..2 {
            // SAFETY: as above.
            lengths[lower] = unsafe { *arguments.query_norms.get_unchecked(row + 8 * lower) } - LIFT;
        }
        Self { query, query_low, lengths, half: warp % 2 }
    }

    /// The products of queries and points.
    ///
    /// # Safety
    /// The whole warp calls it; the tile at `at` was copied, and is not touched.
    #[inline(always)]
    unsafe fn dots(&self, at: SharedAddress) -> [f32; 4] {
        let (row, matrix) = row_and_matrix();
        // Four pieces of eight points: two products deep.
        let place =
            (self.half as u32 * 8 + row) * D as u32 * 4 + (matrix ^ swap(row as usize, D / WORDS) as u32) * PIECE;
        let low_piece = const { (D / 2 / WORDS) as u32 };
        // Three chains of products, as long as each other.
        let (mut dots, mut lows, mut rest) = ([0.0; 4], [0.0; 4], [0.0; 4]);
        unrolled!(8, pair < D / 32 => {
            // SAFETY: the caller's promise.
            unsafe {
                let high = warp::ldmatrix_x4(at.add(place ^ (4 * pair as u32 * PIECE)));
                let low = warp::ldmatrix_x4(at.add(place ^ ((low_piece + 4 * pair as u32) * PIECE)));
                unrolled!(2, k < 2 => {
                    let (high, low) = ([high[2 * k], high[2 * k + 1]], [low[2 * k], low[2 * k + 1]]);
                    dots = warp::mma_m16n8k16_f16(self.query[2 * pair + k], high, dots);
                    lows = warp::mma_m16n8k16_f16(self.query_low[2 * pair + k], high, lows);
                    rest = warp::mma_m16n8k16_f16(self.query[2 * pair + k], low, rest);
                });
            }
        });
        add(dots, add(lows, rest))
    }
}

/// One step of up to D dimensions; `most` is at least the number of active queries.
#[kernel(
    instances(shift_tensor_wide_256<256>),
    block = THREADS as u32,
    grid = most.div_ceil(QUERIES),
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
    ),
)]
pub unsafe fn shift_tensor_wide<const D: usize>(
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
    let stages = shared_array![[u32; TILE]; STAGES];
    let weights = shared_array![u32; QUERIES * WEIGHTS];
    let totals_of = shared_array![f32; 2 * QUERIES];
    let squares_of = shared_array![f32; THREADS / 16 * QUERIES];
    // SAFETY: the launch has checked the length of `state`; launches follow one another.
    let active = unsafe { progress::active(state, limit, most) };
    let first = thread::block_idx_x() as usize * QUERIES;
    // Whole blocks leave: the others need all their threads for the tiles.
    if first >= active as usize {
        return;
    }
    let (lane, warp) = (warp::lane_id() as usize, thread::thread_idx_x() as usize / 32);
    let (g, t) = (lane / 4, lane % 4);
    let arguments = Arguments { query_rows, query_norms, rows, norms };
    // SAFETY: rows are padded to whole blocks of queries.
    let part = unsafe { Part::<D>::new(&arguments, first, warp, lane) };

    let (base, weights_base) = (SharedAddress::of(stages), SharedAddress::of(weights));
    let tiles = n.div_ceil(POINTS as u32);
    let begin = |tile: u32| {
        if tile < tiles {
            // SAFETY: rows are padded to whole tiles. Nobody reads the stage: see below.
            unsafe {
                let to = base.add(tile % STAGES as u32 * TILE as u32 * 4);
                let from = arguments.rows.as_ptr().add(tile as usize * POINTS * D);
                copy_tile::<64, THREADS, 4>(to, from, D, |row| swap(row, 64));
            }
        }
        copy::commit();
    };
    let (row, matrix) = row_and_matrix();
    // Weights are queries 0 to 7 and 8 to 15 of points 0 to 7, then of 8 to 15. Points are 0 to 7 and 8 to 15 of this warp's
    // first coordinates, then of the next eight.
    let (swap_of_weights, swap_of_points) = (swap(row as usize, 4) as u32, swap(row as usize, D / WORDS) as u32);
    let for_weights = (matrix % 2 * 8 + row) * WEIGHTS as u32 * 4 + ((matrix / 2) ^ swap_of_weights) * PIECE;
    let own_pieces = warp as u32 * const { (D / 2 / WORDS / WARPS) as u32 };
    let for_sums = (matrix % 2 * 8 + row) * D as u32 * 4 + ((matrix / 2) ^ own_pieces ^ swap_of_points) * PIECE;
    let low_piece = const { (D / 2 / WORDS) as u32 };
    let mut moved = [[[0.0; 4]; 4]; 4];
    let mut totals = [0.0; 2];
    begin(0);
    copy::wait::<0>();
    thread::sync_threads();
    for tile in 0..tiles {
        // SAFETY: the stage is one of those.
        let at = unsafe { base.add(tile % STAGES as u32 * TILE as u32 * 4) };
        // SAFETY: lengths are padded to whole tiles, and the place is even. The tile was copied before the barrier; each lane has
        // words of weights of its own, which nobody reads between the barrier before and the one below.
        unsafe {
            let j = tile as usize * POINTS + part.half * 8 + 2 * t;
            let of_points = arguments.norms.as_ptr().add(j).cast::<Two>().read().0;
            let dots = part.dots(at);
            for lower in 0..2 {
                let mut w = [0.0; 2];
                for e in 0..2 {
                    let apart = part.lengths[lower] + of_points[e];
                    w[e] = Machine::exp2_minus(Machine::mul_add(-2.0, dots[2 * lower + e], apart));
                }
                let (high, low, sum) = halve::<false>(w);
                totals[lower] += sum;
                let query = warp / 2 * 16 + 8 * lower + g;
                let word = |piece: usize| query * WEIGHTS + (piece ^ swap(query, 4)) * WORDS + t;
                weights.add(word(part.half)).write(high);
                weights.add(word(2 + part.half)).write(low);
            }
        }
        thread::sync_threads();
        // All have done with the tile before.
        begin(tile + 1);
        // SAFETY: the weights and the tile were written before the barrier; all warps are whole, and come here as often.
        unsafe {
            let (mut high, mut low) = ([[0; 4]; 2], [[0; 4]; 2]);
            unrolled!(2, c < D / WARPS / 16 => {
                high[c] = warp::ldmatrix_x4_trans(at.add(for_sums ^ (2 * c as u32 * PIECE)));
                low[c] = warp::ldmatrix_x4_trans(at.add(for_sums ^ ((low_piece + 2 * c as u32) * PIECE)));
            });
            unrolled!(4, m < QUERIES / 16 => {
                let at = weights_base.add(m as u32 * 16 * WEIGHTS as u32 * 4);
                let w = warp::ldmatrix_x4(at.add(for_weights));
                let w_low = warp::ldmatrix_x4(at.add(for_weights ^ (2 * PIECE)));
                unrolled!(2, c < D / WARPS / 16 => {
                    for right in 0..2 {
                        let high = [high[c][2 * right], high[c][2 * right + 1]];
                        let low = [low[c][2 * right], low[c][2 * right + 1]];
                        let sum = warp::mma_m16n8k16_f16(w_low, high, [0.0; 4]);
                        let sum = warp::mma_m16n8k16_f16(w, low, sum);
                        let sum = warp::mma_m16n8k16_f16(w, high, sum);
                        moved[m][2 * c + right] = add(moved[m][2 * c + right], sum);
                    }
                });
            });
        }
        copy::wait::<0>();
        thread::sync_threads();
    }
    for lower in 0..2 {
        // SAFETY: all lanes are here, and the four of a row have the same sum, which the first of them writes.
        unsafe {
            let total = over_row(totals[lower]);
            if t == 0 {
                totals_of.add(part.half * QUERIES + warp / 2 * 16 + 8 * lower + g).write(total);
            }
        }
    }
    // The sums go to shared memory, 16 queries at a time, where a thread takes some coordinates of one of them: coordinate c of
    // query i is c * APART + i. Four more than there are queries: so no two lanes have the same bank.
    let cells = stages.cast::<f32>();
    let (own, column) = (thread::thread_idx_x() as usize % 16, thread::thread_idx_x() as usize / 16);
    unrolled!(4, m < QUERIES / 16 => {
        thread::sync_threads();
        unrolled!(4, c8 < D / WARPS / 8 => {
            for k in 0..4 {
                let c = warp * (D / WARPS) + 8 * c8 + 2 * t + k % 2;
                // SAFETY: nobody reads before the barrier below; each lane has cells of its own.
                unsafe { cells.add(c * APART + k / 2 * 8 + g).write(moved[m][c8][k]) };
            }
        });
        thread::sync_threads();
        let query = 16 * m + own;
        let i = first + query;
        // SAFETY: they were written before a barrier.
        let lifted = unsafe { totals_of.add(query).read() + totals_of.add(QUERIES + query).read() };
        let total = support(lifted);
        let mut squared = 0.0;
        let mut c = column;
        while c < d as usize && i < active as usize {
            let at = c * query_stride as usize + i;
            // SAFETY: a column has as many queries as are active; the sum was written before the barrier.
            let (from, sum) = unsafe { (*queries.get_unchecked(at), cells.add(c * APART + own).read()) };
            let (to, step) = move_coordinate(from, sum / lifted, total, relaxation);
            squared += step * step;
            // SAFETY: the coordinate of the query is this thread's.
            unsafe { next.as_mut_ptr().add(at).write(to) };
            c += THREADS / 16;
        }
        // SAFETY: the cell is this thread's, and so is the query's sum.
        unsafe {
            squares_of.add(column * QUERIES + query).write(squared);
            if column == 0 && i < active as usize {
                sums.write(i, total);
            }
        }
    });
    thread::sync_threads();
    let mut farthest = 0.0;
    let (own, i) = (thread::thread_idx_x() as usize, first + thread::thread_idx_x() as usize);
    if own < QUERIES && i < active as usize {
        for part in 0..THREADS / 16 {
            // SAFETY: it was written before the barrier.
            farthest += unsafe { squares_of.add(part * QUERIES + own).read() };
        }
        // SAFETY: the query is this thread's.
        unsafe { sums.write(query_stride as usize + i, farthest) };
    }
    if tolerance >= 0.0 {
        // SAFETY: every block of the launch is here, or none was active.
        unsafe { end_blurring(state, farthest, tolerance, active) };
    }
}
