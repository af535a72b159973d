//! The Gaussian mean-shift step on tensor cores, for up to 256 or 512 dimensions.   Compute 8.0 or newer.
//!
//! What shift_tensor.rs computes, as exactly. The coordinates and sums of 16 queries would take a warp more registers than it has, so
//! that the warps of a block have 64 queries in common, of 512 dimensions 32, and divide the dimensions among themselves:
//!
//! ```text
//! a block of 8 warps; a warp has an eighth of the dimensions: of the queries and of the sums in its registers, and of the
//! points in shared memory, where it copies them itself, and no other warp reads them
//! for each 16 points:
//!     sums      += w x of the 16 points before
//!     copy the next ones in their place
//!     q.x       of all pairs, over the warp's dimensions, to shared memory
//!     barrier
//!     w         of some of the pairs, of which the warps' parts are added up, times 2^14, to shared memory as f16: w = high + low
//!     barrier
//! ```
//!
//! So each number of a point is loaded for distances once a block, and once for sums; only products of whole pairs, and weights, go from
//! warp to warp.

use cuda_std::prelude::*;
use cuda_std::shared::{SharedAddress, dynamic_shared_mem};
use cuda_std::{copy, warp};

use crate::progress;
use crate::pull_tensor::{Arguments, LIFT, Moving, Two, add, halve, over_row};
use crate::shift::end_blurring;
use crate::shift_tensor::{NOWHERE, padded};
use crate::tensor::{PIECE, WORDS, row_and_matrix, swap, unrolled};

/// Warps of a block, and its threads.
const WARPS: usize = 8;
const THREADS: usize = WARPS * 32;

/// Points of a tile, and the tiles in shared memory, of which the next is on its way.
const POINTS: usize = 16;
const STAGES: usize = 2;

/// Words of a query's weights for a tile, high halves and then low ones: four pieces.
const WEIGHTS: usize = POINTS;

/// Queries of a block of so many dimensions: their coordinates take each thread 64 registers, and so do their sums.
///
/// ```
/// assert_eq!([256, 512].map(gpu::shift_tensor_wide::queries_of_block), [64, 32]);
/// ```
pub const fn queries_of_block(wide: usize) -> usize {
    64 * 256 / wide
}

/// Bytes of shared memory of a block of so many dimensions, more than a kernel may have without asking for it.
///
/// ```
/// // What every GPU since compute capability 8.0 has for those that ask.
/// assert!([256, 512].map(gpu::shift_tensor_wide::shared_bytes).iter().all(|bytes| *bytes <= 99 << 10));
/// ```
pub const fn shared_bytes(wide: usize) -> usize {
    let for_pairs = STAGES * POINTS * wide + (WARPS + 1) * queries_of_block(wide) * POINTS;
    let for_sums = (wide + 2) * apart(wide) + THREADS;
    4 * if for_pairs > for_sums { for_pairs } else { for_sums }
}

/// From the sums of a coordinate to those of the next, four more than there are queries: so no two lanes have the same bank.
const fn apart(wide: usize) -> usize {
    queries_of_block(wide) + 4
}

/// What of a block's work is a warp's. Loops over 16 queries each are those of `m`, over 16 of the warp's dimensions those of `k`.
struct Share<const D: usize> {
    lane: usize,
    warp: usize,
    /// Rows of the tiles; a product of each pair from each warp; and their weights.
    tiles: SharedAddress,
    parts: *mut f32,
    weights: *mut u32,
    query: [[[u32; 4]; 4]; 4],
    query_low: [[[u32; 4]; 4]; 4],
    /// Of the queries whose weights this thread computes.
    lengths: [f32; 2],
}

impl<const D: usize> Share<D> {
    const QUERIES: usize = queries_of_block(D);

    /// Words of a row that are the warp's high halves, and as many low ones; all their pieces.
    const HIGH: usize = D / 2 / WARPS;
    const PIECES: usize = 2 * Self::HIGH / WORDS;

    /// Eight queries and eight points make a unit. Of the two units that a warp has in 256 dimensions only `m` differs.
    const UNITS: usize = Self::QUERIES / 8 * 2;

    /// # Safety
    /// The arguments have rows for the block's queries, the first of which is `first`; the block has as much memory as
    /// [`shared_bytes`].
    #[inline(always)]
    unsafe fn new(arguments: &Arguments<'_>, first: usize) -> Self {
        let (lane, warp) = (warp::lane_id() as usize, thread::thread_idx_x() as usize / 32);
        let memory: *mut u32 = dynamic_shared_mem();
        // SAFETY: the caller's promise.
        let (parts, weights) = unsafe {
            let parts = memory.add(STAGES * POINTS * D);
            (parts.cast(), parts.add(WARPS * Self::QUERIES * POINTS))
        };
        let (mut query, mut query_low) = ([[[0; 4]; 4]; 4], [[[0; 4]; 4]; 4]);
        unrolled!(4, m < Self::QUERIES / 16 => {
            unrolled!(4, k < Self::HIGH / 8 => {
                for w in 0..4 {
                    let row = first + 16 * m + w % 2 * 8 + lane / 4;
                    let at = row * D + warp * Self::HIGH + 8 * k + w / 2 * 4 + lane % 4;
                    // SAFETY: the caller's promise.
                    unsafe {
                        query[m][k][w] = *arguments.query_rows.get_unchecked(at);
                        query_low[m][k][w] = *arguments.query_rows.get_unchecked(at + D / 2);
                    }
                }
            });
        });
        let tiles = SharedAddress::of(memory);
        let mut share = Self { lane, warp, tiles, parts, weights, query, query_low, lengths: [0.0; 2] };
        unrolled!(2, each < Self::UNITS / WARPS => {
            let at = first + share.weighed(each);
            // SAFETY: as above.
            share.lengths[each] = unsafe { *arguments.query_norms.get_unchecked(at) } - LIFT;
        });
        share
    }

    /// The query of this thread's weights in its warp's first or second unit.
    #[inline(always)]
    fn weighed(&self, each: usize) -> usize {
        (self.warp / 4 + 2 * each) * 16 + self.warp % 2 * 8 + self.lane / 4
    }

    /// Which eight points of a tile its units are of.
    #[inline(always)]
    fn half(&self) -> usize {
        self.warp / 2 % 2
    }

    /// Where the warp's part of a tile lies, which nobody else touches.
    #[inline(always)]
    fn slice(&self, tile: u32) -> SharedAddress {
        let stage = tile % STAGES as u32 * (POINTS * D * 4) as u32;
        // SAFETY: each warp has an eighth of the stage.
        unsafe { self.tiles.add(stage + (self.warp * POINTS * Self::PIECES) as u32 * PIECE) }
    }

    /// Where a row's piece is in there, which an exclusive or takes to another of its pieces.
    #[inline(always)]
    fn place(row: u32, piece: u32) -> u32 {
        (row * Self::PIECES as u32 + (piece ^ swap(row as usize, Self::PIECES) as u32)) * PIECE
    }

    /// Begins the copies of the warp's part of a tile whose first row `from` points to.
    ///
    /// # Safety
    /// There are as many rows, and nobody reads the slice.
    #[inline(always)]
    unsafe fn copy(&self, to: SharedAddress, from: *const u32) {
        let (row, piece, half) = (self.lane / Self::PIECES, self.lane % Self::PIECES, Self::PIECES / 2);
        let place = Self::place(row as u32, piece as u32);
        // SAFETY: the caller's promise.
        let from =
            unsafe { from.add(row * D + self.warp * Self::HIGH + piece / half * (D / 2) + piece % half * WORDS) };
        for i in 0..POINTS * Self::PIECES / 32 {
            // A power of two, and above this lane's first row, as in `copy_tile`.
            let further = i * 32 / Self::PIECES;
            let place = (place ^ (swap(further, Self::PIECES) as u32 * PIECE)) + i as u32 * 32 * PIECE;
            // SAFETY: the caller's promise.
            unsafe { copy::async_16(to.add(place), from.add(further * D)) };
        }
    }

    /// Adds up the products of all pairs over the warp's dimensions, small ones first, and has others see them.
    ///
    /// # Safety
    /// The whole warp calls it; its slice at `at` was copied, and is not touched. Nobody reads the products.
    #[inline(always)]
    unsafe fn multiply(&self, at: SharedAddress) {
        let (row, matrix) = row_and_matrix();
        // Points 0 to 7, two pieces, then points 8 to 15.
        let place = Self::place(matrix / 2 * 8 + row, matrix % 2);
        let low_piece = (Self::PIECES / 2) as u32;
        let mut dots = [[[0.0; 4]; 2]; 4];
        let mut highs = [[0; 4]; 4];
        // SAFETY: the caller's promise; each lane has cells of its own.
        unsafe {
            unrolled!(4, k < Self::HIGH / 8 => {
                let high = warp::ldmatrix_x4(at.add(place ^ (2 * k as u32 * PIECE)));
                let low = warp::ldmatrix_x4(at.add(place ^ ((low_piece + 2 * k as u32) * PIECE)));
                highs[k] = high;
                unrolled!(4, m < Self::QUERIES / 16 => {
                    for right in 0..2 {
                        let (high, low) = ([high[2 * right], high[2 * right + 1]], [low[2 * right], low[2 * right + 1]]);
                        let part = warp::mma_m16n8k16_f16(self.query_low[m][k], high, dots[m][right]);
                        dots[m][right] = warp::mma_m16n8k16_f16(self.query[m][k], low, part);
                    }
                });
            });
            unrolled!(4, k < Self::HIGH / 8 => {
                unrolled!(4, m < Self::QUERIES / 16 => {
                    for right in 0..2 {
                        let high = [highs[k][2 * right], highs[k][2 * right + 1]];
                        dots[m][right] = warp::mma_m16n8k16_f16(self.query[m][k], high, dots[m][right]);
                    }
                });
            });
            let own = self.parts.add((self.warp * Self::UNITS * 32 + self.lane) * 2);
            unrolled!(4, m < Self::QUERIES / 16 => {
                for right in 0..2 {
                    for lower in 0..2 {
                        let two = Two([dots[m][right][2 * lower], dots[m][right][2 * lower + 1]]);
                        own.add((4 * m + 2 * right + lower) * 64).cast::<Two>().write(two);
                    }
                }
            });
        }
    }

    /// Weights of this thread's pairs, whose points' lengths are these, for others to see; adds them to `totals`.
    ///
    /// # Safety
    /// All products were written, and nobody reads weights.
    #[inline(always)]
    unsafe fn weigh<M: Machine>(&self, of_points: [f32; 2], mut totals: [f32; 2]) -> [f32; 2] {
        unrolled!(2, each < Self::UNITS / WARPS => {
            let mut dots = [0.0; 2];
            unrolled!(8, other < WARPS => {
                let unit = other * Self::UNITS + self.warp + WARPS * each;
                // SAFETY: the caller's promise.
                let part = unsafe { self.parts.add((unit * 32 + self.lane) * 2).cast::<Two>().read().0 };
                for e in 0..2 {
                    dots[e] += part[e];
                }
            });
            let mut w = [0.0; 2];
            for e in 0..2 {
                w[e] = M::exp2_minus(M::mul_add(-2.0, dots[e], self.lengths[each] + of_points[e]));
            }
            let (high, low, sum) = halve::<false>(w);
            totals[each] += sum;
            let query = self.weighed(each);
            let word = |piece: usize| query * WEIGHTS + (piece ^ swap(query, 4)) * WORDS + self.lane % 4;
            // SAFETY: the caller's promise; each lane has words of its own.
            unsafe {
                self.weights.add(word(self.half())).write(high);
                self.weights.add(word(2 + self.half())).write(low);
            }
        });
        totals
    }

    /// Adds the points, weighed, to the sums of the warp's dimensions.
    ///
    /// # Safety
    /// The whole warp calls it; the weights were written, and its slice at `at` was copied.
    #[inline(always)]
    unsafe fn pull(&self, at: SharedAddress, mut moved: [[[f32; 4]; 8]; 4]) -> [[[f32; 4]; 8]; 4] {
        let (row, matrix) = row_and_matrix();
        // Weights are queries 0 to 7 and 8 to 15 of points 0 to 7, then of 8 to 15. Points are 0 to 7 and 8 to 15 of eight
        // dimensions, then of the next eight.
        let for_weights = ((matrix % 2 * 8 + row) * 4 + ((matrix / 2) ^ swap(row as usize, 4) as u32)) * PIECE;
        let place = Self::place(matrix % 2 * 8 + row, matrix / 2);
        let low_piece = (Self::PIECES / 2) as u32;
        let (mut w, mut w_low) = ([[0; 4]; 4], [[0; 4]; 4]);
        // SAFETY: the caller's promise.
        unsafe {
            let weights = SharedAddress::of(self.weights);
            unrolled!(4, m < Self::QUERIES / 16 => {
                let at = weights.add((m * 16 * WEIGHTS * 4) as u32);
                w[m] = warp::ldmatrix_x4(at.add(for_weights));
                w_low[m] = warp::ldmatrix_x4(at.add(for_weights ^ (2 * PIECE)));
            });
            unrolled!(4, k < Self::HIGH / 8 => {
                let high = warp::ldmatrix_x4_trans(at.add(place ^ (2 * k as u32 * PIECE)));
                let low = warp::ldmatrix_x4_trans(at.add(place ^ ((low_piece + 2 * k as u32) * PIECE)));
                unrolled!(4, m < Self::QUERIES / 16 => {
                    for right in 0..2 {
                        let (high, low) = ([high[2 * right], high[2 * right + 1]], [low[2 * right], low[2 * right + 1]]);
                        let sum = warp::mma_m16n8k16_f16(w_low[m], high, [0.0; 4]);
                        let sum = warp::mma_m16n8k16_f16(w[m], low, sum);
                        let sum = warp::mma_m16n8k16_f16(w[m], high, sum);
                        // Long sums are not the tensor cores': see pull_tensor.rs.
                        moved[m][2 * k + right] = add(moved[m][2 * k + right], sum);
                    }
                });
            });
        }
        moved
    }
}

/// One step of up to D dimensions; `most` is at least the number of active queries.
#[kernel(
    instances(shift_tensor_wide_256<256>, shift_tensor_wide_512<512>),
    block = THREADS as u32,
    grid = most.div_ceil(queries_of_block(D)),
    shared = shared_bytes(D),
    require(
        d <= D,
        queries.len() >= query_stride * d,
        query_rows.len() >= padded(most) * D,
        query_norms.len() >= padded(most),
        rows.len() >= padded(n) * D,
        norms.len() >= padded(n),
        next.len() >= query_stride * d,
        sums.len() >= query_stride * 2,
        state.len() >= progress::HISTORY + limit,
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
    let _ = most;
    // SAFETY: the launch has checked the length of `state`; launches follow one another.
    let active = unsafe { progress::active(state, limit) };
    let first = thread::block_idx_x() as usize * queries_of_block(D);
    // Whole blocks leave: the others need all their threads for the tiles.
    if first >= active as usize {
        return;
    }
    let t = thread::thread_idx_x() as usize;
    // SAFETY: rows are padded to whole blocks of queries; the launch gives the memory.
    let share = unsafe { Share::<D>::new(&Arguments { query_rows, query_norms, rows, norms }, first) };

    let tiles = n.div_ceil(POINTS as u32);
    let begin = |tile: u32, stage: u32| {
        if tile < tiles {
            // SAFETY: rows are padded to whole tiles. Nobody reads the slice: see below.
            unsafe { share.copy(share.slice(stage), rows.as_ptr().add(tile as usize * POINTS * D)) };
        }
        copy::commit();
    };
    // The first turn adds the first points, each zero times, in the place of those before; the last one has points that are nowhere.
    begin(0, 1);
    begin(0, 0);
    let mut word = t;
    while word < queries_of_block(D) * WEIGHTS {
        // SAFETY: nobody reads before the barrier; each thread has words of its own.
        unsafe { share.weights.add(word).write(0) };
        word += THREADS;
    }
    copy::wait::<0>();
    thread::sync_threads();
    let mut moved = [[[0.0; 4]; 8]; 4];
    let mut totals = [0.0; 2];
    for tile in 0..=tiles {
        let mut of_points = [NOWHERE; 2];
        if tile < tiles {
            let j = tile as usize * POINTS + share.half() * 8 + 2 * (share.lane % 4);
            // SAFETY: lengths are padded to whole tiles, and the place is even.
            of_points = unsafe { norms.as_ptr().add(j).cast::<Two>().read().0 };
        }
        // SAFETY: all warps are whole, and come here as often. A lane has waited for its copies before the warp met; a slice's are
        // begun when the warp has met behind its last read. Products are read between the two barriers and weights are
        // written there; they are written and read outside.
        unsafe {
            moved = share.pull(share.slice(tile + 1), moved);
            warp::sync_warp(warp::ALL);
            begin(tile + 1, tile + 1);
            copy::wait::<{ STAGES - 1 }>();
            warp::sync_warp(warp::ALL);
            share.multiply(share.slice(tile));
            thread::sync_threads();
            totals = share.weigh::<Machine>(of_points, totals);
        }
        thread::sync_threads();
    }
    // The sums go to shared memory, where some threads take the coordinates of each query: coordinate c of query i is c * apart + i,
    // and behind the coordinates are two parts of the weights. Nobody reads points any more.
    let (cells, apart, queries_here) = (dynamic_shared_mem::<f32>(), const { apart(D) }, const { queries_of_block(D) });
    unrolled!(4, m < queries_of_block(D) / 16 => {
        unrolled!(8, c8 < D / WARPS / 8 => {
            for i in 0..4 {
                let c = share.warp * (D / WARPS) + 8 * c8 + 2 * (share.lane % 4) + i % 2;
                // SAFETY: each lane has cells of its own.
                unsafe { cells.add(c * apart + 16 * m + i / 2 * 8 + share.lane / 4).write(moved[m][c8][i]) };
            }
        });
    });
    unrolled!(2, each < queries_of_block(D) / 32 => {
        // SAFETY: all lanes are here, and the four of a row have the same sum, which the first of them writes.
        unsafe {
            let total = over_row(totals[each]);
            if share.lane % 4 == 0 {
                cells.add((D + share.half()) * apart + share.weighed(each)).write(total);
            }
        }
    });
    thread::sync_threads();
    let (own, part) = (t % queries_here, t / queries_here);
    let i = first + own;
    let squares = cells.wrapping_add((D + 2) * apart);
    let query_stride = query_stride as usize;
    if i < active as usize {
        let moving = Moving { queries, next: next.as_mut_ptr(), query_stride, relaxation };
        // SAFETY: the sums were written before the barrier. A column has as many queries as are active; these coordinates of the
        // query are this thread's, and so is the cell.
        unsafe {
            let lifted = cells.add(D * apart + own).read() + cells.add((D + 1) * apart + own).read();
            let coordinates = (part..d as usize).step_by(THREADS / queries_here);
            let (total, squared) = moving.to_mean(i, lifted, coordinates, |c| cells.add(c * apart + own).read());
            squares.add(t).write(squared);
            if part == 0 {
                sums.write(i, total);
            }
        }
    }
    thread::sync_threads();
    let mut farthest = 0.0;
    if t < queries_here && i < active as usize {
        for part in 0..THREADS / queries_here {
            // SAFETY: it was written before the barrier.
            farthest += unsafe { squares.add(part * queries_here + t).read() };
        }
        // SAFETY: the query is this thread's.
        unsafe { sums.write(query_stride + i, farthest) };
    }
    if tolerance >= 0.0 {
        // SAFETY: every block of the launch is here, or none was active.
        unsafe { end_blurring(state, farthest, tolerance, active) };
    }
}
