//! What a warp does with its share of the dimensions in a step on tensor cores: see shift_tensor_split.rs.

use cuda_std::prelude::*;
use cuda_std::shared::{SharedAddress, dynamic_shared_mem};
use cuda_std::{copy, warp};

use crate::lanes::Two;
use crate::pull_tensor::{Arguments, LIFT, add, halve};
use crate::shift_tensor_split::QUERIES;
use crate::tensor::{PIECE, WORDS, row_and_matrix, swap, unrolled};

/// Dimensions: words of a row, whose first half are high halves and whose second half are low ones.
pub(crate) const WIDE: usize = 512;

/// Warps of a block, and its threads.
pub(crate) const WARPS: usize = 8;
pub(crate) const THREADS: usize = WARPS * 32;

/// Points of a tile, and the tiles in shared memory, of which the next is on its way.
pub(crate) const POINTS: usize = 16;
pub(crate) const STAGES: usize = 2;

/// Words of a row that are a warp's high halves, and all its pieces of it, low ones behind them.
const HIGH: usize = WIDE / 2 / WARPS;
const PIECES: usize = 2 * HIGH / WORDS;

/// How many times 16 queries, and 16 dimensions, a warp has.
pub(crate) const TALL: usize = QUERIES / 16;
pub(crate) const DEEP: usize = HIGH * 2 / 16;

/// Words of a query's weights for a tile, high halves and then low ones: four pieces.
pub(crate) const WEIGHTS: usize = POINTS;

/// Where in shared memory products are, of all pairs from each warp, behind the tiles; and then the pairs' weights.
const PRODUCTS: usize = STAGES * POINTS * WIDE;
pub(crate) const WEIGHED: usize = PRODUCTS + WARPS * QUERIES * POINTS;

/// A word of shared memory.
#[inline(always)]
pub(crate) fn cell(word: usize) -> *mut f32 {
    dynamic_shared_mem::<f32>().wrapping_add(word)
}

/// The address of a byte of it.
#[inline(always)]
fn address(place: u32) -> SharedAddress {
    // SAFETY: places are in the memory.
    unsafe { SharedAddress::of(cell(0)).add(place) }
}

/// Where piece `piece` of a row of a warp's part of a tile lies, in bytes from where that begins, a multiple of eight pieces.
#[inline(always)]
fn place(row: u32, piece: u32) -> u32 {
    (row * PIECES as u32 + (piece ^ swap(row as usize, PIECES) as u32)) * PIECE
}

/// Where so many pieces further are in that row, an even number from one of the first two on: eight of them trade places.
#[inline(always)]
fn further(place: u32, pieces: usize) -> u32 {
    (place ^ ((pieces % 8) as u32 * PIECE)) + (pieces / 8 * 8) as u32 * PIECE
}

/// What of a block's work is a warp's, its `m`-th 16 queries and `k`-th 16 dimensions.
pub(crate) struct Share {
    pub(crate) lane: usize,
    pub(crate) warp: usize,
    query: [[[u32; 4]; DEEP]; TALL],
    query_low: [[[u32; 4]; DEEP]; TALL],
    /// Of the query whose weights this thread computes.
    length: f32,
}

impl Share {
    /// # Safety
    /// The arguments have rows for the block's queries, the first of which is `first`.
    #[inline(always)]
    pub(crate) unsafe fn new(arguments: &Arguments<'_>, first: usize) -> Self {
        let (lane, warp) = (warp::lane_id() as usize, thread::thread_idx_x() as usize / 32);
        let (mut query, mut query_low) = ([[[0; 4]; DEEP]; TALL], [[[0; 4]; DEEP]; TALL]);
        unrolled!(2, m < TALL => {
            unrolled!(4, k < DEEP => {
                for w in 0..4 {
                    let row = first + 16 * m + w % 2 * 8 + lane / 4;
                    let at = row * WIDE + warp * HIGH + 8 * k + w / 2 * 4 + lane % 4;
                    // SAFETY: the caller's promise.
                    unsafe {
                        query[m][k][w] = *arguments.query_rows.get_unchecked(at);
                        query_low[m][k][w] = *arguments.query_rows.get_unchecked(at + WIDE / 2);
                    }
                }
            });
        });
        let mut share = Self { lane, warp, query, query_low, length: 0.0 };
        // SAFETY: as above.
        share.length = unsafe { *arguments.query_norms.get_unchecked(first + share.weighed()) } - LIFT;
        share
    }

    /// The query of this thread's weights: a warp's pairs are those of eight queries with eight points.
    #[inline(always)]
    pub(crate) fn weighed(&self) -> usize {
        self.warp / 4 * 16 + self.warp % 2 * 8 + self.lane / 4
    }

    /// Which eight points of a tile they are.
    #[inline(always)]
    pub(crate) fn half(&self) -> usize {
        self.warp / 2 % 2
    }

    /// Where the warp's part of a tile lies, which nobody else touches.
    #[inline(always)]
    pub(crate) fn slice(&self, tile: u32) -> u32 {
        tile % STAGES as u32 * (POINTS * WIDE * 4) as u32 + (self.warp * POINTS * PIECES) as u32 * PIECE
    }

    /// Begins the copies of the warp's part of the tile whose first row `from` points to.
    ///
    /// # Safety
    /// There are as many rows, and nobody reads the slice.
    #[inline(always)]
    pub(crate) unsafe fn copy(&self, slice: u32, from: *const u32) {
        let (row, piece) = (self.lane / PIECES, self.lane % PIECES);
        let first = slice + place(row as u32, piece as u32);
        let column = self.warp * HIGH + piece / (PIECES / 2) * (WIDE / 2) + piece % (PIECES / 2) * WORDS;
        // SAFETY: the caller's promise.
        let from = unsafe { from.add(row * WIDE + column) };
        for i in 0..POINTS * PIECES / 32 {
            // A power of two, and above this lane's first row, as in `copy_tile`.
            let rows = i * 32 / PIECES;
            let to = (first ^ (swap(rows, PIECES) as u32 * PIECE)) + (i * 32) as u32 * PIECE;
            // SAFETY: the caller's promise.
            unsafe { copy::async_16(address(to), from.add(rows * WIDE)) };
        }
    }

    /// The products of all pairs over the warp's dimensions, small ones first, for others to see.
    ///
    /// # Safety
    /// The whole warp calls it; its slice was copied, and is not touched. Nobody reads products.
    #[inline(always)]
    pub(crate) unsafe fn multiply(&self, slice: u32) {
        let (row, matrix) = row_and_matrix();
        // Points 0 to 7, two pieces, then points 8 to 15.
        let place = slice + place(matrix / 2 * 8 + row, matrix % 2);
        let mut dots = [[[0.0; 4]; 2]; TALL];
        let mut highs = [[0; 4]; DEEP];
        // SAFETY: the caller's promise; each lane has cells of its own.
        unsafe {
            unrolled!(4, k < DEEP => {
                let high = warp::ldmatrix_x4(address(further(place, 2 * k)));
                let low = warp::ldmatrix_x4(address(further(place, PIECES / 2 + 2 * k)));
                highs[k] = high;
                unrolled!(2, m < TALL => {
                    for right in 0..2 {
                        let (high, low) = ([high[2 * right], high[2 * right + 1]], [low[2 * right], low[2 * right + 1]]);
                        let part = warp::mma_m16n8k16_f16(self.query_low[m][k], high, dots[m][right]);
                        dots[m][right] = warp::mma_m16n8k16_f16(self.query[m][k], low, part);
                    }
                });
            });
            unrolled!(4, k < DEEP => {
                unrolled!(2, m < TALL => {
                    for right in 0..2 {
                        let high = [highs[k][2 * right], highs[k][2 * right + 1]];
                        dots[m][right] = warp::mma_m16n8k16_f16(self.query[m][k], high, dots[m][right]);
                    }
                });
            });
            // For the warp that weighs them, a row of 32 lanes each.
            let products =
                |unit: usize| cell(PRODUCTS + ((self.warp * WARPS + unit) * 32 + self.lane) * 2).cast::<Two>();
            unrolled!(2, m < TALL => {
                for right in 0..2 {
                    for lower in 0..2 {
                        let two = Two([dots[m][right][2 * lower], dots[m][right][2 * lower + 1]]);
                        products(4 * m + 2 * right + lower).write(two);
                    }
                }
            });
        }
    }

    /// Weights of this thread's two pairs, whose points' lengths these are, for others to see; gives their sum.
    ///
    /// # Safety
    /// All products were written, and nobody reads weights.
    #[inline(always)]
    pub(crate) unsafe fn weigh<M: Machine>(&self, of_points: [f32; 2]) -> f32 {
        let mut dots = [0.0; 2];
        unrolled!(8, other < WARPS => {
            let at = PRODUCTS + ((other * WARPS + self.warp) * 32 + self.lane) * 2;
            // SAFETY: the caller's promise.
            let part = unsafe { cell(at).cast::<Two>().read().0 };
            for e in 0..2 {
                dots[e] += part[e];
            }
        });
        let mut w = [0.0; 2];
        for e in 0..2 {
            w[e] = M::exp2_minus(M::mul_add(-2.0, dots[e], self.length + of_points[e]));
        }
        let (high, low, sum) = halve::<false>(w);
        let query = self.weighed();
        let word = |piece: usize| WEIGHED + query * WEIGHTS + (piece ^ swap(query, 4)) * WORDS + self.lane % 4;
        // SAFETY: the caller's promise; each lane has words of its own.
        unsafe {
            cell(word(self.half())).cast::<u32>().write(high);
            cell(word(2 + self.half())).cast::<u32>().write(low);
        }
        sum
    }

    /// Adds points, weighed, to the sums of the warp's dimensions.
    ///
    /// # Safety
    /// The whole warp calls it; all weights were written, and the slice was copied.
    #[inline(always)]
    pub(crate) unsafe fn pull(
        &self,
        slice: u32,
        mut moved: [[[f32; 4]; 2 * DEEP]; TALL],
    ) -> [[[f32; 4]; 2 * DEEP]; TALL] {
        let (row, matrix) = row_and_matrix();
        // Weights are queries 0 to 7 and 8 to 15 of points 0 to 7, then of 8 to 15. Points are 0 to 7 and 8 to 15 of eight
        // dimensions, then of the next eight.
        let weights = ((matrix % 2 * 8 + row) * 4 + ((matrix / 2) ^ swap(row as usize, 4) as u32)) * PIECE;
        let place = slice + place(matrix % 2 * 8 + row, matrix / 2);
        let (mut w, mut w_low) = ([[0; 4]; TALL], [[0; 4]; TALL]);
        // SAFETY: the caller's promise.
        unsafe {
            unrolled!(2, m < TALL => {
                let first = 4 * (WEIGHED + m * 16 * WEIGHTS) as u32;
                w[m] = warp::ldmatrix_x4(address(first + weights));
                w_low[m] = warp::ldmatrix_x4(address(first + (weights ^ (2 * PIECE))));
            });
            unrolled!(4, k < DEEP => {
                let high = warp::ldmatrix_x4_trans(address(further(place, 2 * k)));
                let low = warp::ldmatrix_x4_trans(address(further(place, PIECES / 2 + 2 * k)));
                unrolled!(2, m < TALL => {
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
