//! Matrix product on tensor cores by Hopper's own instruction: C = A B, inputs rounded.   Compute 9.0 alone.
//!
//! `round_rows_{bf16,tf32}` (round_rows.rs) makes rows of words as for the other kernels, of a width that [`width_of`]
//! gives. `matmul_wgmma_{bf16,tf32}` multiplies the rows of A with those of B's transpose.
//!
//! A block makes 128 x 256 of C: two warpgroups, 64 x 256 each, whose 128 sums a thread stay in registers:
//!
//! ```text
//! four tiles of 32 words a row (128 bytes) of A and Bt in shared memory, 48 KiB each:
//!     two are copied, one is multiplied, and of one the last products may still run
//! for each 32 words of the rows:
//!     wait for the tile, publish it; barrier
//!     begin the copy of the tile after the next, over the one before the last
//!     begin its products: four of 64 x 256 sums, over 32 bytes of the rows each
//!     wait for the products of the tile before
//! ```
//!
//! In this order: a warp that begins products is held until the tensor cores have taken all but the last two, half of the time
//! that they take, and whatever stands behind, up to the next barrier, is done while only those two are left to multiply.
//!
//! The products read both operands from shared memory, so that no thread loads any: what is left to issue is a product and
//! three copies for 32 bytes of the rows. The pieces of a row trade places as the instruction's descriptor says (a swizzle of
//! 128 bytes), which is what `swap` in tensor.rs does with rows of eight pieces.
//!
//! Blocks that run at the same time share rows and columns: they take 16 rows of blocks at a time, column by column. 132 of
//! them then read 2,048 rows of A and as many columns of B, instead of 528 and 8,192.
//!
//! # Precision
//! As matmul_tensor.rs.

use cuda_std::prelude::*;
use cuda_std::shared::{SharedAddress, dynamic_shared_mem};
use cuda_std::warpgroup::{self, Matrix, Sums};
use cuda_std::{copy, warp};

use crate::lanes;
use crate::matmul_blocked::in_quads;
use crate::matmul_tensor::{Bf16, Operand, Tf32, padded};
use crate::tensor::{PIECE, ROWS, WORDS, swap, unrolled};
use crate::tile::read_group;

/// What warpgroups multiply.
#[doc(hidden)]
pub trait GroupOperand: Operand {
    /// D += A Bt^T over 128 bytes of the rows.
    ///
    /// # Safety
    /// As for [`warpgroup::multiply_bf16`].
    unsafe fn multiply_group(sums: Sums, a: Matrix, b: Matrix) -> Sums;
}

impl GroupOperand for Bf16 {
    #[inline(always)]
    unsafe fn multiply_group(sums: Sums, a: Matrix, b: Matrix) -> Sums {
        // SAFETY: the caller's promise.
        unsafe { warpgroup::multiply_bf16(sums, a, b) }
    }
}

impl GroupOperand for Tf32 {
    #[inline(always)]
    unsafe fn multiply_group(sums: Sums, a: Matrix, b: Matrix) -> Sums {
        // SAFETY: the caller's promise.
        unsafe { warpgroup::multiply_tf32(sums, a, b) }
    }
}

/// Columns of C that a block makes; of rows it makes [`ROWS`].
const COLUMNS: usize = 2 * ROWS;

/// Words of a row that are multiplied between two barriers.
const DEPTH: usize = 32;

/// Pieces of a tile's row.
const PIECES: usize = 8;

/// Threads of a block: two warpgroups.
pub(crate) const THREADS: usize = 256;

/// Tiles of both matrices at a time.
const STAGES: usize = 4;

/// Rows of blocks that are made together.
const BESIDE: u32 = 16;

/// Bytes of [`ROWS`] rows of a tile: A's, and half of Bt's.
const TILE: u32 = (ROWS * DEPTH * 4) as u32;

/// Bytes of both matrices' tiles.
const STAGE: u32 = 3 * TILE;

/// Bytes of shared memory of a block.
const SHARED: usize = STAGES * STAGE as usize + Matrix::ALIGNMENT;

/// Words of a row for a sum of k numbers, so many of which make a word.
///
/// ```
/// // A row of 100 numbers, two of them in a word, in whole tiles of 32 words.
/// assert_eq!(gpu::matmul_wgmma::width_of(100, 2), 64);
/// ```
pub const fn width_of(k: usize, numbers: usize) -> usize {
    let words = k.div_ceil(numbers).next_multiple_of(DEPTH);
    if words == 0 { DEPTH } else { words }
}

/// Copies of a thread for each tile: 16 bytes of every 32nd row of A's, of Bt's and of the second half of Bt's.
struct Copies {
    /// Bytes behind the start of a stage.
    to: u32,
    /// All of them are there before a tile's copies begin: what stands between a barrier and the next products is to be short.
    from: [*const u32; COPIES],
}

/// Copies of a thread for each of a tile's three parts, and for all of them; rows between two.
const EACH: usize = ROWS * PIECES / THREADS;
const COPIES: usize = 3 * EACH;
const APART: usize = THREADS / PIECES;

impl Copies {
    /// Thread t's, of rows of so many words that begin there.
    #[inline(always)]
    fn new(parts: [*const u32; 3], width: usize, t: usize) -> Self {
        let (row, piece) = (t / PIECES, t % PIECES);
        let mut from = [parts[0]; COPIES];
        unrolled!(16, q < COPIES => {
            from[q] = parts[q / EACH].wrapping_add((row + q % EACH * APART) * width + piece * WORDS);
        });
        const { assert!(APART.is_multiple_of(8), "rows that trade the places of their pieces alike") };
        Self { to: (row * PIECES + (piece ^ swap(row, PIECES))) as u32 * PIECE, from }
    }

    /// Begins those of the tile at hand.
    ///
    /// # Safety
    /// The rows have such a tile. Nobody touches the stage until the copies have ended.
    #[inline(always)]
    unsafe fn begin(&self, stage: SharedAddress) {
        unrolled!(16, q < COPIES => {
            let place = (q / EACH) as u32 * TILE + (q % EACH * APART * PIECES) as u32 * PIECE;
            // SAFETY: the caller's promise.
            unsafe { copy::async_16(stage.add(self.to).add(place), self.from[q]) };
        });
    }

    /// Goes on to the next tile.
    #[inline(always)]
    fn advance(&mut self) {
        unrolled!(16, q < COPIES => {
            self.from[q] = apart_from_others(self.from[q].wrapping_add(DEPTH));
        });
    }
}

/// The same address, which LLVM does not compute from another one.
#[inline(always)]
fn apart_from_others(address: *const u32) -> *const u32 {
    #[cfg(target_arch = "nvptx64")]
    let address = {
        let mut address = address;
        // SAFETY: no instruction at all; the pointer stays what it is.
        unsafe {
            core::arch::asm!("// {0}", inout(reg64) address, options(pure, nomem, nostack, preserves_flags));
        }
        address
    };
    address
}

/// The row and column of blocks that this one makes.
#[inline(always)]
pub(crate) fn place_of_block() -> (u32, u32) {
    let (across, down) = (thread::grid_dim_x(), thread::grid_dim_y());
    place_of(thread::block_idx_y() * across + thread::block_idx_x(), down, across)
}

/// Those of the block with this number, of so many rows and columns of them.
#[inline(always)]
pub(crate) fn place_of(block: u32, down: u32, across: u32) -> (u32, u32) {
    let first = block / (BESIDE * across) * BESIDE;
    let (tall, within) = (BESIDE.min(down - first), block - first * across);
    (first + within % tall, within / tall)
}

/// C = A B by the rows of A and of B's transpose, both of `width` words.
#[kernel(
    instances(matmul_wgmma_bf16<Bf16>, matmul_wgmma_tf32<Tf32>),
    only = "sm_90a",
    block = THREADS as u32,
    grid = (n.div_ceil(COLUMNS), m.div_ceil(ROWS)),
    shared = SHARED,
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
pub unsafe fn product<T: GroupOperand>(a: &[u32], b: &[u32], mut c: DisjointMut<f32>, m: u32, n: u32, width: u32) {
    let memory: *mut f32 = dynamic_shared_mem();
    // SAFETY: there is as much more memory as is skipped.
    let base = unsafe { SharedAddress::of(memory).aligned(Matrix::ALIGNMENT as u32) };
    let (m, n, width) = (m as usize, n as usize, width as usize);
    let (row, column) = place_of_block();
    let (row0, column0) = (row as usize * ROWS, column as usize * COLUMNS);
    // Where there are no rows of Bt for the second half of the columns, the first ones are taken again.
    let second = if column0 + ROWS < padded(n) { ROWS * width } else { 0 };
    // SAFETY: the launch has checked that there are so many rows.
    let (a, b) = unsafe { (a.as_ptr().add(row0 * width), b.as_ptr().add(column0 * width)) };
    let t = thread::thread_idx_x() as usize;
    let group = t / 128;
    let tiles = (width / DEPTH) as u32;

    // Copies of tile k go to stage k modulo STAGES, and are group k of each thread's.
    let mut copies = Copies::new([a, b, b.wrapping_add(second)], width, t);
    let begin = |copies: &Copies, tile: u32, stage: u32| {
        if tile < tiles {
            // SAFETY: the rows have as many tiles. Nobody reads the stage: see below.
            unsafe { copies.begin(base.add(stage * STAGE)) };
        }
        copy::commit();
    };
    const { assert!(STAGES == 4, "two tiles on their way, one that is multiplied, one that may still be") };
    begin(&copies, 0, 0);
    copies.advance();
    begin(&copies, 1, 1);
    let mut sums = warpgroup::no_sums();
    for tile in 0..tiles {
        // Here, where the copies have long read the addresses, and the tensor cores have a tile's products left.
        copies.advance();
        // All but the newest group of this thread's copies have ended; behind the barrier everybody's have, and everybody
        // has waited for the products of the tile before the last, in whose place the next copies go.
        copy::wait::<1>();
        warpgroup::publish();
        thread::sync_threads();
        // SAFETY: the tile was published before the barrier. All warps come here as often. Its stage is written again two
        // barriers on, when its products have been waited for.
        unsafe {
            begin(&copies, tile + 2, (tile + 2) % 4);
            let at = base.add(tile % 4 * STAGE);
            let rows = at.add(group as u32 * (TILE / 2));
            sums = T::multiply_group(sums, Matrix::at(rows), Matrix::at(at.add(TILE)));
            warpgroup::wait::<1>();
        }
    }
    // SAFETY: all warps come here.
    let sums = unsafe { warpgroup::finish(sums) };
    // SAFETY: there is as much shared memory, nobody multiplies behind the first barrier, and the launch has checked C's length.
    unsafe { write_block(memory, &sums, &mut c, [row0, column0], [m, n]) };
}

/// Writes a block's [`ROWS`] rows of C, each thread with its part of 64 x `2 SUMS`, as far as there are rows and columns. C goes
/// through shared memory, so that neighbouring threads write neighbours.
///
/// # Safety
/// All threads of the block come here, and no product is under way behind a barrier; there are (8 + 2 SUMS) cells for each row; C has
/// m rows of n.
#[inline(always)]
pub(crate) unsafe fn write_block<const SUMS: usize>(
    memory: *mut f32,
    sums: &[f32; SUMS],
    c: &mut DisjointMut<f32>,
    [row0, column0]: [usize; 2],
    [m, n]: [usize; 2],
) {
    let t = thread::thread_idx_x() as usize;
    // Eight rows begin at different banks.
    let (lane, row, apart) = (warp::lane_id() as usize, t / 32 * 16, const { 2 * SUMS + 8 });
    let first = (row + lane / 4) * apart + lane % 4 * 2;
    // Nobody multiplies any more.
    thread::sync_threads();
    unrolled!(4, quarter < SUMS / 32 => {
        unrolled!(8, j < 8 => {
            unrolled!(4, i < 4 => {
                let cell = first + i / 2 * 8 * apart + (quarter * 8 + j) * 8 + i % 2;
                // SAFETY: every lane has cells of its own, and nobody reads any before the barrier.
                unsafe { memory.add(cell).write(sums[(quarter * 8 + j) * 4 + i]) };
            });
        });
    });
    thread::sync_threads();
    // Some rows at a time, 16 bytes a thread.
    let (quads, rows) = const { (SUMS / 2, THREADS / (SUMS / 2)) };
    let (quad, whole) = (t % quads * 4, in_quads(c.as_mut_ptr(), n));
    for r in 0..ROWS / rows {
        let r = rows * r + t / quads;
        let (row, column) = (row0 + r, column0 + quad);
        if row < m && column < n {
            // SAFETY: the cells were written before the barrier, and of C's row each thread has some.
            unsafe {
                let values = read_group::<f32, 4>(memory.add(r * apart + quad));
                lanes::write_quad(c, row * n + column, values, n - column, whole);
            }
        }
    }
}
