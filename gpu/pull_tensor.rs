//! What a warp does with all points in a step on tensor cores: see shift_tensor.rs.

use cuda_std::prelude::*;
use cuda_std::shared::SharedAddress;
use cuda_std::{copy, narrow, warp};

use crate::lanes::Two;
use crate::tensor::{PIECE, WORDS, copy_tile, row_and_matrix, swap, unrolled};
use crate::tile_lengths;

/// Threads of a block.
pub(crate) const THREADS: usize = 128;

/// Tiles in shared memory.
pub(crate) const STAGES: usize = 3;

/// Weights are multiplied by two to this.
pub(crate) const LIFT: f32 = 14.0;

/// Rows of words, and the squares of their lengths, of queries and of points: see `halves_of_columns`.
pub(crate) struct Arguments<'a> {
    /// Of the queries.
    pub(crate) query_rows: &'a [u32],
    pub(crate) query_norms: &'a [f32],
    /// Of the points.
    pub(crate) rows: &'a [u32],
    pub(crate) norms: &'a [f32],
}

impl Arguments<'_> {
    /// With the points from one on alone, whose rows have so many words.
    ///
    /// # Safety
    /// There is such a point.
    #[inline(always)]
    pub(crate) unsafe fn starting_at(self, point: u32, wide: usize) -> Self {
        let point = point as usize;
        // SAFETY: the caller's promise.
        let (rows, norms) = unsafe { (self.rows.get_unchecked(point * wide..), self.norms.get_unchecked(point..)) };
        Self { rows, norms, ..self }
    }
}

/// Adds four sums to four others.
#[inline(always)]
pub(crate) fn add(mut a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
    for i in 0..4 {
        a[i] += b[i];
    }
    a
}

/// The sum over the four lanes that share a row.
///
/// # Safety
/// As for [`warp::warp_shuffle_xor`] with a whole warp.
#[inline(always)]
pub(crate) unsafe fn over_row(mut x: f32) -> f32 {
    // SAFETY: the caller's promise.
    unsafe {
        x += warp::warp_shuffle_xor(warp::ALL, x, 1, 32);
        x + warp::warp_shuffle_xor(warp::ALL, x, 2, 32)
    }
}

/// Two weights times 2^14 as f16, high and low; and what is to be summed of them: in the rough form what is multiplied.
#[inline(always)]
pub(crate) fn halve<const ROUGH: bool>(w: [f32; 2]) -> (u32, u32, f32) {
    let high = narrow::f16_pair(w[0], w[1]);
    let highs = narrow::f16_values(high);
    if ROUGH {
        return (high, 0, highs[0] + highs[1]);
    }
    (high, narrow::f16_pair(w[0] - highs[0], w[1] - highs[1]), w[0] + w[1])
}

/// Of 16 points, whose rows lie at `at`, with 16 TALL queries: for each 16 queries the products with points 0 to 7 and
/// with 8 to 15.
///
/// # Safety
/// The whole warp calls it; the rows were copied, and are not touched.
#[inline(always)]
unsafe fn dots<const D: usize, const TALL: usize, const ROUGH: bool>(
    at: SharedAddress,
    place: u32,
    query: &[[[u32; 4]; 8]; TALL],
    query_low: &[[[u32; 4]; 8]; TALL],
) -> [[[f32; 4]; 2]; TALL] {
    let low_piece = const { (D / 2 / WORDS) as u32 };
    // One chain of products where it is short, small ones first; else two side by side, of which the sum is taken.
    let chained = const { D <= 32 && !ROUGH };
    let mut dots = [[[0.0; 4]; 2]; TALL];
    let mut rest = [[[0.0; 4]; 2]; TALL];
    let mut highs = [[0; 4]; 8];
    // SAFETY: the caller's promise.
    unsafe {
        unrolled!(8, k < D / 16 => {
            let high = warp::ldmatrix_x4(at.add(place ^ (2 * k as u32 * PIECE)));
            highs[k] = high;
            for m in 0..TALL {
                for right in 0..2 {
                    let high = [high[2 * right], high[2 * right + 1]];
                    if !chained {
                        dots[m][right] = warp::mma_m16n8k16_f16(query[m][k], high, dots[m][right]);
                    }
                    if !ROUGH {
                        rest[m][right] = warp::mma_m16n8k16_f16(query_low[m][k], high, rest[m][right]);
                    }
                }
            }
            if !ROUGH {
                let low = warp::ldmatrix_x4(at.add(place ^ ((low_piece + 2 * k as u32) * PIECE)));
                for m in 0..TALL {
                    for right in 0..2 {
                        let low = [low[2 * right], low[2 * right + 1]];
                        rest[m][right] = warp::mma_m16n8k16_f16(query[m][k], low, rest[m][right]);
                    }
                }
            }
        });
        if chained {
            dots = rest;
            unrolled!(2, k < D / 16 => {
                for m in 0..TALL {
                    for right in 0..2 {
                        let high = [highs[k][2 * right], highs[k][2 * right + 1]];
                        dots[m][right] = warp::mma_m16n8k16_f16(query[m][k], high, dots[m][right]);
                    }
                }
            });
        } else if !ROUGH {
            for m in 0..TALL {
                for right in 0..2 {
                    dots[m][right] = add(dots[m][right], rest[m][right]);
                }
            }
        }
    }
    dots
}

/// Pairs of points that a lane has of 16.
const PAIRS: usize = 2;

/// Whether the squares of the lengths of a tile's points are copied with it: where there is room, and weights are most of what is done.
const fn has_lengths(d: usize) -> bool {
    d <= 32
}

/// Words of shared memory for d dimensions: tiles, and the lengths of their points, of which each has d words in an exact tile.
pub(crate) const fn shared(d: usize, tile: usize) -> usize {
    STAGES * (tile + if has_lengths(d) { tile / d / (8 * PAIRS) * tile_lengths::bytes(PAIRS) as usize / 4 } else { 0 })
}

/// Sums of `w x`, as products of a warp leave them, and of w, of this lane's queries: `first`, and every eighth behind
/// it, over the points from `start`, a multiple of 128, up to `end`. Both are times 2^14.
///
/// # Safety
/// All threads of the block call it with the same arguments, but for `first` and t = lane % 4; sizes are as the launch checks.
#[inline(always)]
pub(crate) unsafe fn pull<M: Machine, const D: usize, const TALL: usize, const ROUGH: bool, const TILE: usize>(
    base: SharedAddress,
    arguments: &Arguments<'_>,
    (start, end): (u32, u32),
    first: usize,
    t: usize,
) -> ([[[f32; 4]; 16]; TALL], [[f32; 2]; TALL]) {
    // Words of a row that are multiplied; rows of a tile.
    let words = const { if ROUGH { D / 2 } else { D } };
    let points = (TILE / words) as u32;
    let row_bytes = words as u32 * 4;
    // Where the low halves begin, in pieces.
    let low_piece = const { (D / 2 / WORDS) as u32 };

    let mut query = [[[0; 4]; 8]; TALL];
    let mut query_low = [[[0; 4]; 8]; TALL];
    let mut lengths = [[0.0; 2]; TALL];
    unrolled!(2, m < TALL => {
        unrolled!(8, k < D / 16 => {
            for w in 0..4 {
                let at = (first + 16 * m + w % 2 * 8) * D + 8 * k + w / 2 * 4 + t;
                // SAFETY: rows are padded to whole blocks of queries.
                unsafe {
                    query[m][k][w] = *arguments.query_rows.get_unchecked(at);
                    if !ROUGH {
                        query_low[m][k][w] = *arguments.query_rows.get_unchecked(at + D / 2);
                    }
                }
            }
        });
        for lower in 0..2 {
            // SAFETY: as above.
            lengths[m][lower] = unsafe { *arguments.query_norms.get_unchecked(first + 16 * m + 8 * lower) } - LIFT;
        }
    });

    // Counted from the first of all points: their addresses are then made of what the launch gives, and take no registers.
    let (first_tile, tiles) = (start / points, end.div_ceil(points));
    // SAFETY: there is as much shared memory.
    let lengths_at = |stage: u32| unsafe {
        base.add(4 * (STAGES * TILE) as u32 + stage * (points / 16 * const { tile_lengths::bytes(PAIRS) }))
    };
    let begin = |tile: u32, stage: u32| {
        if tile < tiles {
            if has_lengths(D) {
                // SAFETY: as below; lengths are padded as rows are.
                unsafe {
                    let from = arguments.norms.as_ptr().add((tile * points) as usize);
                    tile_lengths::copy::<PAIRS>(lengths_at(stage), from, points);
                };
            }
            // SAFETY: rows are padded to whole tiles. Nobody reads the stage: see below.
            unsafe {
                let to = base.add(stage * TILE as u32 * 4);
                let from = arguments.rows.as_ptr().add((tile * points) as usize * D);
                // Pieces of a row; and how many of the tile a thread copies.
                match (words, TILE) {
                    (16, 2048) => copy_tile::<4, THREADS, 4>(to, from, D, |row| swap(row, 4)),
                    (32, 2048) => copy_tile::<8, THREADS, 4>(to, from, D, |row| swap(row, 8)),
                    (32, _) => copy_tile::<8, THREADS, 8>(to, from, D, |row| swap(row, 8)),
                    (64, _) => copy_tile::<16, THREADS, 8>(to, from, D, |row| swap(row, 16)),
                    _ => copy_tile::<32, THREADS, 8>(to, from, D, |row| swap(row, 32)),
                }
            }
        }
        copy::commit();
    };
    begin(first_tile, 0);
    begin(first_tile + 1, 1);
    let (row, matrix) = row_and_matrix();
    // For distances, matrices are points 0 to 7, pieces c and c + 1, then points 8 to 15; for sums, points 0 to 7 and 8 to
    // 15 of piece c, then of c + 1.
    let swapped = swap(row as usize, words / WORDS) as u32;
    let place = |lower: u32, right: u32| (lower * 8 + row) * row_bytes + (right ^ swapped) * PIECE;
    let (for_dots, for_sums) = (place(matrix / 2, matrix % 2), place(matrix % 2, matrix / 2));
    let mut moved = [[[0.0; 4]; 16]; TALL];
    let mut totals = [[0.0; 2]; TALL];
    let (mut stage, mut after) = (0, STAGES as u32 - 1);
    for tile in first_tile..tiles {
        // As in matmul_tensor.rs.
        copy::wait::<{ STAGES - 2 }>();
        thread::sync_threads();
        begin(tile + STAGES as u32 - 1, after);
        for sixteenth in 0..points / 16 {
            // SAFETY: rows and lengths are padded to whole tiles. The tile was copied before the barrier; all
            // warps are whole, and come here as often.
            unsafe {
                let mut of_points = [[0.0; 2]; 2];
                if has_lengths(D) {
                    let sixteen = lengths_at(stage).add(sixteenth * const { tile_lengths::bytes(PAIRS) });
                    of_points = tile_lengths::read::<PAIRS>(sixteen, t);
                } else {
                    let j = (tile * points + sixteenth * 16) as usize + 2 * t;
                    for right in 0..2 {
                        of_points[right] = arguments.norms.as_ptr().add(j + 8 * right).cast::<Two>().read().0;
                    }
                }
                let at = base.add(stage * TILE as u32 * 4 + sixteenth * 16 * row_bytes);
                let products = dots::<D, TALL, ROUGH>(at, for_dots, &query, &query_low);
                let mut weights = [[0; 4]; TALL];
                let mut weights_low = [[0; 4]; TALL];
                for m in 0..TALL {
                    for right in 0..2 {
                        for lower in 0..2 {
                            let mut w = [0.0; 2];
                            for e in 0..2 {
                                let apart = lengths[m][lower] + of_points[right][e];
                                w[e] = M::exp2_minus(M::mul_add(-2.0, products[m][right][2 * lower + e], apart));
                            }
                            let (high, low, sum) = halve::<ROUGH>(w);
                            weights[m][2 * right + lower] = high;
                            weights_low[m][2 * right + lower] = low;
                            totals[m][lower] += sum;
                        }
                    }
                }
                // Tensor cores may cut off what f32 would round, always towards zero: long sums are theirs in the rough form only.
                unrolled!(8, c < D / 16 => {
                    let high = warp::ldmatrix_x4_trans(at.add(for_sums ^ (2 * c as u32 * PIECE)));
                    let mut low = [0; 4];
                    if !ROUGH {
                        low = warp::ldmatrix_x4_trans(at.add(for_sums ^ ((low_piece + 2 * c as u32) * PIECE)));
                    }
                    for m in 0..TALL {
                        for right in 0..2 {
                            let high = [high[2 * right], high[2 * right + 1]];
                            let sum = moved[m][2 * c + right];
                            moved[m][2 * c + right] = if ROUGH {
                                warp::mma_m16n8k16_f16(weights[m], high, sum)
                            } else {
                                let low = [low[2 * right], low[2 * right + 1]];
                                let part = warp::mma_m16n8k16_f16(weights_low[m], high, [0.0; 4]);
                                let part = warp::mma_m16n8k16_f16(weights[m], low, part);
                                add(sum, warp::mma_m16n8k16_f16(weights[m], high, part))
                            };
                        }
                    }
                });
            }
        }
        stage = if stage + 1 == STAGES as u32 { 0 } else { stage + 1 };
        after = if after + 1 == STAGES as u32 { 0 } else { after + 1 };
    }
    unrolled!(2, m < TALL => {
        for lower in 0..2 {
            // SAFETY: all lanes are here.
            totals[m][lower] = unsafe { over_row(totals[m][lower]) };
        }
    });
    (moved, totals)
}
