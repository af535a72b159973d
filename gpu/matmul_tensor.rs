//! Matrix product on tensor cores, of rounded inputs: C = A B, sums in f32.   Compute 8.0 or newer.
//!
//! 1. `round_rows_{bf16,tf32}` (round_rows.rs) makes rows of words of a matrix or its transpose, rounded to bf16 or tf32.
//! 2. `matmul_{bf16,tf32}` multiplies the rows of A with those of B's transpose, `C[i, j] = sum_l A[i, l] Bt[j, l]`.
//!
//! A block of four warps makes 128 x 128 of C, a warp 64 x 64, whose 128 sums a lane stay in registers:
//!
//! ```text
//! three tiles of 16 words a row of A and Bt in shared memory; two are copied while one is multiplied
//! for each 16 words of the rows:
//!     wait for the tile; barrier; begin the copy of the tile after the next
//!     twice, 8 words: load 4 pieces of A (16 rows) and 4 of Bt (16 rows); 32 products of 16 x 8
//! ```
//!
//! Both matrices have their sums along the rows, so `ldmatrix` hands out A and Bt alike, and tf32, which it cannot turn
//! over, as well as bf16. A warp of 64 x 64 loads 8 times 512 bytes for 32 products; one of 64 x 32 would load 6 times
//! for 16, and shared memory would be as busy as the tensor cores (docs/performance.md).
//!
//! # Precision
//! With u = 2^-8 (bf16) or 2^-11 (tf32): rounding the inputs changes `C[i, j]` by at most 2 u + u^2 of
//! `sum_l |A[i, l] B[l, j]|`. Products are exact, and summing them is off by at most (k + 1) 2^-23 of that sum: the
//! instruction may cut off where f32 would round.

use cuda_std::prelude::*;
use cuda_std::shared::SharedAddress;
use cuda_std::{copy, narrow, warp};

use crate::tensor::{PIECE, ROWS, WORDS, copy_tile, row_and_matrix, unrolled};

/// What tensor cores multiply.
#[doc(hidden)]
pub trait Operand {
    /// Numbers of a word.
    const NUMBERS: usize;
    /// Rounds; `high` is the second number of a word, if it has two.
    fn round(low: f32, high: f32) -> u32;
    /// D = A B + C.
    ///
    /// # Safety
    /// As for [`warp::mma_m16n8k16_f16`].
    unsafe fn multiply(a: [u32; 4], b: [u32; 2], c: [f32; 4]) -> [f32; 4];
}

/// bf16
///
/// ```
/// use gpu::matmul_tensor::{Bf16, Operand};
///
/// // Two numbers in a word.
/// assert_eq!(Bf16::NUMBERS, 2);
/// ```
pub enum Bf16 {}

/// tf32
///
/// ```
/// use gpu::matmul_tensor::{Operand, Tf32};
///
/// assert_eq!(Tf32::NUMBERS, 1);
/// ```
pub enum Tf32 {}

impl Operand for Bf16 {
    const NUMBERS: usize = 2;

    #[inline(always)]
    fn round(low: f32, high: f32) -> u32 {
        narrow::bf16_pair(low, high)
    }

    #[inline(always)]
    unsafe fn multiply(a: [u32; 4], b: [u32; 2], c: [f32; 4]) -> [f32; 4] {
        // SAFETY: the caller's promise.
        unsafe { warp::mma_m16n8k16_bf16(a, b, c) }
    }
}

impl Operand for Tf32 {
    const NUMBERS: usize = 1;

    #[inline(always)]
    fn round(low: f32, _: f32) -> u32 {
        narrow::tf32(low)
    }

    #[inline(always)]
    unsafe fn multiply(a: [u32; 4], b: [u32; 2], c: [f32; 4]) -> [f32; 4] {
        // SAFETY: the caller's promise.
        unsafe { warp::mma_m16n8k8_tf32(a, b, c) }
    }
}

/// Rows and columns of C that a block makes.
const SIDE: usize = ROWS;

/// Words of a row that are multiplied between two barriers.
pub(crate) const DEPTH: usize = 16;

/// Pieces of a tile's row.
const PIECES: usize = DEPTH / WORDS;

/// Threads of a block: 2 x 2 warps.
const THREADS: usize = 128;

/// Rows and columns of C that a warp makes.
const WARP: usize = 64;

/// Tiles of both matrices at a time.
const STAGES: usize = 3;

/// Bytes of one matrix's tile.
const TILE: u32 = (SIDE * DEPTH * 4) as u32;

/// Words of a row for a sum of k numbers, so many of which make a word.
///
/// ```
/// // A row of 100 numbers, two of them in a word.
/// assert!(gpu::matmul_tensor::width_of(100, 2) >= 50);
/// ```
pub const fn width_of(k: usize, numbers: usize) -> usize {
    let words = k.div_ceil(numbers).next_multiple_of(DEPTH);
    if words == 0 { DEPTH } else { words }
}

/// Rows that there are for so many of a matrix.
///
/// ```
/// assert_eq!(gpu::matmul_tensor::padded(1), gpu::matmul_tensor::padded(128));
/// ```
pub const fn padded(rows: usize) -> usize {
    rows.next_multiple_of(ROWS)
}

/// Where a row's pieces stand: two rows fill all banks, so pairs of rows differ.
#[inline(always)]
fn swap(row: usize) -> usize {
    row / 2 % PIECES
}

/// C = A B by the rows of A and of B's transpose, both of `width` words.
#[kernel(
    instances(matmul_bf16<Bf16>, matmul_tf32<Tf32>),
    block = THREADS as u32,
    grid = (n.div_ceil(SIDE), m.div_ceil(SIDE)),
    require(
        width >= 1,
        width.is_multiple_of(DEPTH),
        a.len() >= padded(m) * width,
        b.len() >= padded(n) * width,
        a.is_aligned(16),
        b.is_aligned(16),
        c.len() >= m * n,
    ),
)]
pub unsafe fn product<T: Operand>(a: &[u32], b: &[u32], mut c: DisjointMut<f32>, m: u32, n: u32, width: u32) {
    let stages = shared_array![[u32; 2 * SIDE * DEPTH]; STAGES];
    let base = SharedAddress::of(stages);
    let (m, n, width) = (m as usize, n as usize, width as usize);
    let (row0, column0) = (thread::block_idx_y() as usize * SIDE, thread::block_idx_x() as usize * SIDE);
    // SAFETY: the launch has checked that there are so many rows.
    let (a, b) = unsafe { (a.as_ptr().add(row0 * width), b.as_ptr().add(column0 * width)) };
    let warp = thread::thread_idx_x() as usize / 32;
    let (row, matrix) = row_and_matrix();
    // Of A the matrices are upper and lower, left and right; of Bt left and right, upper and lower.
    let place = |warp: usize, lower: u32, right: u32| {
        (warp * WARP) as u32 * PIECES as u32 * PIECE
            + (lower * 8 + row) * PIECES as u32 * PIECE
            + (right ^ (row / 2)) * PIECE
    };
    let (a_place, b_place) = (place(warp / 2, matrix % 2, matrix / 2), TILE + place(warp % 2, matrix / 2, matrix % 2));
    let mut sums = [[[0.0; 4]; 8]; 4];
    let tiles = (width / DEPTH) as u32;

    // Copies of tile k go to stage k modulo STAGES, and are group k of each thread's.
    let begin = |tile: u32, stage: u32| {
        if tile < tiles {
            // SAFETY: the rows have as many tiles. Nobody reads the stage: see below.
            unsafe {
                let (to, first) = (base.add(stage * 2 * TILE), tile as usize * DEPTH);
                copy_tile::<PIECES, THREADS, { SIDE * PIECES / THREADS }>(to, a.add(first), width, swap);
                copy_tile::<PIECES, THREADS, { SIDE * PIECES / THREADS }>(to.add(TILE), b.add(first), width, swap);
            }
        }
        copy::commit();
    };
    begin(0, 0);
    begin(1, 1);
    let (mut stage, mut next) = (0, STAGES as u32 - 1);
    for tile in 0..tiles {
        // All but the newest group of this thread have ended; behind the barrier everybody's have, and nobody reads the
        // tile before this one any more, in whose place the next copies go.
        copy::wait::<{ STAGES - 2 }>();
        thread::sync_threads();
        begin(tile + STAGES as u32 - 1, next);
        unrolled!(2, half < 2 => {
            // SAFETY: the tile was copied before the barrier. All warps are whole, and come here as often.
            unsafe {
                let at = base.add(stage * 2 * TILE);
                let turned = half as u32 * 2 * PIECE;
                let mut left = [[0; 4]; 4];
                for r in 0..4 {
                    left[r] = warp::ldmatrix_x4(at.add((a_place ^ turned) + r as u32 * 16 * PIECES as u32 * PIECE));
                }
                unrolled!(4, pair < 4 => {
                    let right = warp::ldmatrix_x4(at.add((b_place ^ turned) + pair as u32 * 16 * PIECES as u32 * PIECE));
                    for r in 0..4 {
                        sums[r][2 * pair] = T::multiply(left[r], [right[0], right[1]], sums[r][2 * pair]);
                        sums[r][2 * pair + 1] = T::multiply(left[r], [right[2], right[3]], sums[r][2 * pair + 1]);
                    }
                });
            }
        });
        stage = if stage + 1 == STAGES as u32 { 0 } else { stage + 1 };
        next = if next + 1 == STAGES as u32 { 0 } else { next + 1 };
    }
    // Half of the rows after the other goes through shared memory, so that neighbouring threads write neighbours. Of its rows
    // eight begin at different banks.
    let (lane, cells, apart) = (warp::lane_id() as usize, stages.cast::<f32>(), const { SIDE + 8 });
    let t = thread::thread_idx_x() as usize;
    for half in 0..2 {
        thread::sync_threads();
        if warp / 2 == half {
            let first = lane / 4 * apart + warp % 2 * WARP + lane % 4 * 2;
            unrolled!(4, r < 4 => {
                for pair in 0..8 {
                    for i in 0..4 {
                        let cell = first + (r * 16 + i / 2 * 8) * apart + pair * 8 + i % 2;
                        // SAFETY: every lane has cells of its own, and nobody reads any before the barrier.
                        unsafe { cells.add(cell).write(sums[r][pair][i]) };
                    }
                }
            });
        }
        thread::sync_threads();
        for r in 0..WARP {
            let (row, column) = (row0 + half * WARP + r, column0 + t);
            if row < m && column < n {
                // SAFETY: the cell was written before the barrier, and of C's row each thread has a cell.
                unsafe { c.write(row * n + column, cells.add(r * apart + t).read()) };
            }
        }
    }
}
