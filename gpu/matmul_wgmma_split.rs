//! Matrix product on tensor cores in f32's accuracy: C = A B, each number in three parts.   Compute 9.0 alone.
//!
//! `split_rows_bf16` (split_rows.rs) makes three of bf16, `high + middle + low`, of each number of A and of B, exactly. Of the nine
//! products of two numbers' parts six are made, those that are not below 2^-23 of the whole. Tensor cores make
//! 15 times as many products of bf16 as there are multiply-adds of f32 in the same time, so that six for one are 2.5 times as fast.
//!
//! A block makes 128 x 128 of C: two warpgroups, 64 x 128 each, of which a thread has 64 sums three times:
//!
//! ```text
//! four tiles of 32 numbers a row, in parts, of A and Bt in shared memory, 48 KiB each:
//!     two are copied, one is multiplied, and of one the last products may still run
//! for each 32 numbers of the rows:
//!     wait for the tile, publish it; barrier
//!     begin large = high high'
//!     begin small += high middle'
//!     begin the copy of the tile after the next, over the one before the last
//!     begin small += middle high' + middle middle'
//!     wait for large; sums += large
//!     begin small += high low' + low high'
//! C = sums + small
//! ```
//!
//! Tensor cores cut off where f32 would round, always towards zero, and over many tiles that adds up. So of the largest products, and
//! of no others, each tile's are summed from zero and then added as f32 adds; the others, a 2^-7th of the whole, stay in
//! the tensor cores' sums from the first tile to the last. A warp that begins products is held until the tensor cores
//! have taken all but the last two: barrier, copies and additions stand behind two products each, and run meanwhile.
//!
//! Sums that are under way at the end of a turn (`small`) may be touched by nothing but products in the next one, or ptxas makes all
//! products one after the other; hence not two sets of sums for all products of a tile, at turns (docs/performance/products.md).
//!
//! Blocks share what they read as those of matmul_wgmma.rs.
//!
//! # Precision
//! What is left out, `middle low'`, `low middle'` and `low low'`, is at most (1 + 2^-8) 2^-23 of a product. A tensor core's sum is off by
//! up to 2^-23 of itself for each number added to it, f32's by 2^-24. With 32 products at a time, k / 32 additions, and 5 k
//! products of the small parts, `C[i, j]` is off by at most `(min(k, 32) + 6 + k / 17) 2^-23` of `sum_l |A[i, l] B[l, j]|`.
//! A and B are finite, or the sums that they belong to are not: NaN, where f32 may make an infinity.

use cuda_std::copy;
use cuda_std::prelude::*;
use cuda_std::shared::{SharedAddress, dynamic_shared_mem};
use cuda_std::warpgroup::{self, ShortMatrix, Sums128};

use crate::lanes::unrolled;
use crate::matmul_tensor::padded;
use crate::matmul_wgmma::{THREADS, place_of_block, write_block};
use crate::split_rows::{DEPTH, PART, PARTS};
use crate::tensor::{PIECE, ROWS, WORDS};

/// Rows and columns of C that a block makes.
pub(crate) const SIDE: usize = ROWS;

/// Tiles of both matrices at a time: two on their way, one that is multiplied, one that may still be.
const STAGES: u32 = 4;
const _: () = assert!(STAGES == 4, "as turn() has them");

/// Words of a matrix's tile, which lie together in memory; its bytes, and those of a part of it.
pub(crate) const TILE: usize = PARTS * PART;
const TILE_BYTES: u32 = TILE as u32 * 4;
const PART_BYTES: u32 = PART as u32 * 4;

/// Bytes of shared memory of a block.
pub(crate) const SHARED: usize = (STAGES * 2 * TILE_BYTES) as usize + ALIGNMENT;

/// What each part of a tile begins at a multiple of.
pub(crate) const ALIGNMENT: usize = ShortMatrix::ALIGNMENT;

/// Begins this thread's copies of a tile of both matrices to the stage of a turn, where its own cells of the first stage are these.
///
/// # Safety
/// There are tiles from there on, and nobody touches the stage until the copies have ended.
#[inline(always)]
pub(crate) unsafe fn copy_tiles(own: SharedAddress, turn: u32, a: *const u32, b: *const u32) {
    // SAFETY: the caller's promise.
    unsafe {
        let stage = own.add(turn % STAGES * (2 * TILE_BYTES));
        copy_tile(stage, a);
        copy_tile(stage.add(TILE_BYTES), b);
    }
}

/// Begins this thread's copies of a tile: 16 bytes of every 4 KiB.
///
/// # Safety
/// There is a tile from there on, and nobody touches the stage until the copies have ended.
#[inline(always)]
unsafe fn copy_tile(to: SharedAddress, from: *const u32) {
    const EACH: usize = TILE / (WORDS * THREADS);
    const { assert!(TILE.is_multiple_of(WORDS * THREADS)) };
    unrolled!(q in 0..EACH, {
        // SAFETY: the caller's promise.
        unsafe { copy::async_16(to.add((q * THREADS) as u32 * PIECE), from.add(q * THREADS * WORDS)) };
    });
}

/// Bytes before thread t's half of a tile's rows, which every part of A has for its warpgroup.
#[inline(always)]
pub(crate) fn half_of(t: u32) -> u32 {
    t / 128 * (PART_BYTES / 2)
}

/// The parts of A that a warpgroup multiplies, and those of Bt.
struct Parts {
    a: SharedAddress,
    b: SharedAddress,
}

impl Parts {
    /// Those of the stage that begins there.
    ///
    /// # Safety
    /// The stage is shared memory of the block, and `half` this thread's [`half_of`].
    #[inline(always)]
    unsafe fn of_stage(stage: SharedAddress, half: u32) -> Self {
        // SAFETY: inside the stage.
        unsafe { Self { a: stage.add(half), b: stage.add(TILE_BYTES) } }
    }

    /// A tile's products: the largest are added to `sums`, of the others two groups are begun and are under way when this ends.
    /// `meanwhile` is done while two groups have just been begun.
    ///
    /// # Safety
    /// As for [`warpgroup::multiply_short_bf16`], of all parts. `small` is touched by nothing but this and
    /// [`warpgroup::finish_128`].
    #[inline(always)]
    unsafe fn multiply(&self, sums: Sums128, mut small: Sums128, meanwhile: impl FnOnce()) -> (Sums128, Sums128) {
        // SAFETY: the caller's promise.
        unsafe {
            let large = self.begin_large();
            small = self.begin_small(small, 0, 1);
            meanwhile();
            small = self.begin_small(small, 1, 0);
            small = self.begin_small(small, 1, 1);
            let sums = add(sums, warpgroup::finish_128::<3>(large));
            small = self.begin_small(small, 0, 2);
            small = self.begin_small(small, 2, 0);
            (sums, small)
        }
    }

    /// Part i of A and part j of Bt.
    ///
    /// # Safety
    /// There is a tile.
    #[inline(always)]
    unsafe fn pair(&self, i: u32, j: u32) -> (ShortMatrix, ShortMatrix) {
        // SAFETY: parts begin at multiples of the alignment.
        unsafe { (ShortMatrix::at(self.a.add(i * PART_BYTES)), ShortMatrix::at(self.b.add(j * PART_BYTES))) }
    }

    /// Begins the largest products, of both high parts: a group.
    ///
    /// # Safety
    /// As for [`warpgroup::begin_short_bf16`].
    #[inline(always)]
    unsafe fn begin_large(&self) -> Sums128 {
        // SAFETY: the caller's promise.
        unsafe {
            let (a, b) = self.pair(0, 0);
            warpgroup::begin_short_bf16(a, b)
        }
    }

    /// Begins the products of part i of A and part j of Bt: a group.
    ///
    /// # Safety
    /// As for [`warpgroup::multiply_short_bf16`].
    #[inline(always)]
    unsafe fn begin_small(&self, sums: Sums128, i: u32, j: u32) -> Sums128 {
        // SAFETY: the caller's promise.
        unsafe {
            let (a, b) = self.pair(i, j);
            warpgroup::multiply_short_bf16(sums, a, b)
        }
    }
}

/// Multiplies the tile of a turn: adds to `sums`, and to `small`, of which the last two groups of products are under way when this
/// ends. `begin` begins the copies of the turn that it is given, as a group, or makes an empty one.
///
/// # Safety
/// All threads of the block come here as often, with the turns in their order, the copies of the first two begun before, and with
/// the stages' beginning and this thread's [`half_of`]. `small` is touched by nothing but this and [`warpgroup::finish_128`].
#[inline(always)]
pub(crate) unsafe fn multiply_tile(
    base: SharedAddress,
    turn: u32,
    half: u32,
    (sums, small): (Sums128, Sums128),
    begin: impl FnOnce(u32),
) -> (Sums128, Sums128) {
    // All but the newest group of this thread's copies have ended; behind the barrier everybody's have, and everybody
    // has waited for the products of the tile before the last, in whose place the next copies go.
    copy::wait::<1>();
    warpgroup::publish();
    thread::sync_threads();
    // SAFETY: the tile was published before the barrier. All warps come here as often. Its stage is written again two
    // barriers on, when its products have been waited for.
    unsafe {
        let parts = Parts::of_stage(base.add(turn % STAGES * (2 * TILE_BYTES)), half);
        parts.multiply(sums, small, || begin(turn + 2))
    }
}

/// Adds products to sums.
#[inline(always)]
pub(crate) fn add(mut sums: Sums128, products: Sums128) -> Sums128 {
    unrolled!(i in 0..16, {
        for j in 0..4 {
            sums[4 * i + j] += products[4 * i + j];
        }
    });
    sums
}

/// C = A B by the tiles of A's rows and of those of B's transpose, `width` words of each part of a row.
#[kernel(
    only = "sm_90a",
    block = THREADS as u32,
    grid = (n.div_ceil(SIDE), m.div_ceil(SIDE)),
    shared = SHARED,
    require(
        width >= 1,
        width.is_multiple_of(2 * DEPTH),
        a.len() >= padded(m) * width * PARTS,
        b.len() >= padded(n) * width * PARTS,
        a.is_aligned(16),
        b.is_aligned(16),
        c.len() >= m * n,
    ),
)]
pub unsafe fn matmul_wgmma_f32(a: &[u32], b: &[u32], mut c: DisjointMut<f32>, m: u32, n: u32, width: u32) {
    let memory: *mut f32 = dynamic_shared_mem();
    // SAFETY: there is as much more memory as is skipped.
    let base = unsafe { SharedAddress::of(memory).aligned(ALIGNMENT as u32) };
    let (m, n, tiles) = (m as usize, n as usize, width / DEPTH as u32);
    let (row, column) = place_of_block();
    let t = thread::thread_idx_x();
    let half = half_of(t);
    // SAFETY: inside the first stage.
    let own = unsafe { base.add(t * PIECE) };
    // SAFETY: the launch has checked that there are so many rows.
    let first = |matrix: &[u32], block: u32| unsafe {
        matrix.as_ptr().add(block as usize * tiles as usize * TILE + t as usize * WORDS)
    };
    let (mut a, mut b) = (first(a, row), first(b, column));

    // Copies of tile k go to stage k modulo STAGES, and are group k of each thread's.
    let mut begin = |tile: u32| {
        if tile < tiles {
            // SAFETY: the rows have as many tiles. Nobody reads the stage: see multiply_tile.
            unsafe { copy_tiles(own, tile, a, b) };
        }
        copy::commit();
        (a, b) = (a.wrapping_add(TILE), b.wrapping_add(TILE));
    };
    begin(0);
    begin(1);
    let (mut sums, mut small) = (warpgroup::no_sums_128(), warpgroup::no_sums_128());
    for tile in 0..tiles {
        // SAFETY: all threads come here as often.
        (sums, small) = unsafe { multiply_tile(base, tile, half, (sums, small), &mut begin) };
    }
    // SAFETY: all warps come here.
    sums = add(sums, unsafe { warpgroup::finish_128::<0>(small) });
    // SAFETY: nobody multiplies behind a barrier, which is the first that this comes to; the block's cells are in C or are not written.
    unsafe { write_block(memory, &sums, &mut c, [row as usize * SIDE, column as usize * SIDE], [m, n]) };
}
