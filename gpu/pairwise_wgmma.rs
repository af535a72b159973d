//! Euclidean distances on tensor cores: `|a_i - b_j|^2 = |a_i|^2 + |b_j|^2 - 2 a_i b_j`, products in f32's accuracy.   Compute 9.0 alone.
//!
//! ```text
//! centre_rows                  a_i - b_0 and |a_i - b_0|^2; the same of b_j
//! split_rows_bf16              three of bf16 of each number (split_rows.rs)
//! pairwise_products_{l2,..}    the distances, and a flag for each 128 x 128 of them that differences must make anew
//! pairwise_flagged_{l2,..}     those, by differences (pairwise.rs)
//! ```
//!
//! What is subtracted from all rows changes no distance, and keeps data that lie far from the origin from losing digits. Where
//! rows are near each other, the products cancel: a distance whose square is less than 2^-8 of `|a_i|^2 + |b_j|^2` has the flag of
//! its 128 x 128 set, as has one that is not finite. So a row is at distance 0 from itself, and infinity is infinitely far away.
//!
//! A block makes one 128 x 128 after another, each as a product (matmul_wgmma_split.rs): the copies for the next one are under way
//! while distances are written, which takes as long as the products of 64 dimensions. Threads write their sums where they are, a pair
//! of neighbours each, so that no shared memory is needed for them, whose four stages are never empty.
//!
//! # Precision
//! A square of at least 2^-8 of `S = |a_i|^2 + |b_j|^2`, of centred rows, is off by at most `(min(d, 32) + 12 + d / 13) 2^-23 S`: of these
//! the products make `min(d, 32) + 6 + d / 17` (matmul_wgmma_split.rs), rounding the centred rows 2, their lengths `d / 64 + 5 / 2`, both
//! sums 3 / 2. Of the square itself that is 2^8 times as much at most, of its root half of that. All other distances are off as pairwise.rs
//! says, and all roots are made as there.

use cuda_std::prelude::*;
use cuda_std::shared::{SharedAddress, dynamic_shared_mem};
use cuda_std::warpgroup::{self, Sums128};
use cuda_std::{atomic, copy, warp};

use crate::lanes::{Two, unrolled};
use crate::matmul_tensor::padded;
use crate::matmul_wgmma::{THREADS, place_of};
use crate::matmul_wgmma_split::{ALIGNMENT, SHARED, SIDE, TILE, add, copy_tiles, half_of, multiply_tile};
use crate::pairwise::{self, A_CELLS, B_CELLS, L2, Metric, SquaredL2, corner, distances};
use crate::split_rows::{DEPTH, PARTS};
use crate::tensor::{PIECE, WORDS};

/// Of the sum of both squared lengths: squared distances below are made by differences.
const NEAR: f32 = 1.0 / 256.0;

/// Rows of a block of [`centre_rows`]: one for each of its warps.
const CENTRED: usize = 8;

/// 128 x 128 of an output of m x n: flags, and what blocks can be busy with.
///
/// ```
/// assert_eq!(gpu::pairwise_wgmma::parts_of(129, 1), 2);
/// ```
pub const fn parts_of(m: usize, n: usize) -> usize {
    m.div_ceil(SIDE) * n.div_ceil(SIDE)
}

/// `out[i, c] = x[i, c] - centre[c]`, and the squared length of that row; lengths behind the last row are 0. A warp for each row.
#[kernel(
    only = "sm_90a",
    block = 32 * CENTRED as u32,
    grid = padded(rows) / CENTRED,
    require(
        x.len() >= rows * d,
        centre.len() >= d,
        out.len() >= rows * d,
        lengths.len() >= padded(rows),
    ),
)]
pub unsafe fn centre_rows(
    x: &[f32],
    centre: &[f32],
    mut out: DisjointMut<f32>,
    mut lengths: DisjointMut<f32>,
    rows: u32,
    d: u32,
) {
    let row = thread::block_idx_x() * CENTRED as u32 + thread::thread_idx_x() / 32;
    let lane = thread::thread_idx_x() % 32;
    let mut squared = 0.0;
    if row < rows {
        let first = row as usize * d as usize;
        let mut c = lane;
        while c < d {
            let at = c as usize;
            // SAFETY: the launch has checked that there are so many rows and coordinates, each of which one lane writes.
            unsafe {
                let x = *x.get_unchecked(first + at) - *centre.get_unchecked(at);
                out.write(first + at, x);
                squared = Machine::mul_add(x, x, squared);
            }
            c += 32;
        }
    }
    // SAFETY: whole warps come here.
    let squared = unsafe { warp::warp_reduce(squared, |a, b| a + b) };
    if lane == 0 {
        // SAFETY: one lane for each row, of which there are as many as lengths.
        unsafe { lengths.write(row as usize, squared) };
    }
}

/// Squared lengths of a part's rows and columns in shared memory, and of the next part's: cells, and bytes.
const LENGTHS: usize = 2 * SIDE;
const LENGTHS_BYTES: u32 = LENGTHS as u32 * 4;

/// What a block copies: tile by tile of one part of the output, then of its next.
struct Feed {
    a: *const u32,
    b: *const u32,
    /// Tiles that are left of the part.
    left: u32,
    part: u32,
    row: u32,
    column: u32,
    /// Where its lengths go, 0 or 1.
    slot: u32,
}

/// Distances by products, from rows in parts and their squared lengths. A flag becomes `run`, which it was not before, where
/// distances are to be made by differences. Each of `blocks` makes every `blocks`-th part of the output: the same for any number.
#[kernel(
    instances(pairwise_products_l2<L2>, pairwise_products_squared_l2<SquaredL2>),
    only = "sm_90a",
    block = THREADS as u32,
    grid = blocks,
    shared = SHARED + 2 * LENGTHS_BYTES as usize,
    require(
        blocks >= 1,
        width >= 1,
        width.is_multiple_of(2 * DEPTH),
        a.len() >= padded(m) * width * PARTS,
        b.len() >= padded(n) * width * PARTS,
        a.is_aligned(16),
        b.is_aligned(16),
        a_lengths.len() >= padded(m),
        b_lengths.len() >= padded(n),
        a_lengths.is_aligned(16),
        b_lengths.is_aligned(16),
        out.len() >= m * n,
        flags.len() >= parts_of(m, n),
    ),
)]
pub unsafe fn pairwise_products<T: Metric>(
    a: &[u32],
    b: &[u32],
    a_lengths: &[f32],
    b_lengths: &[f32],
    mut out: DisjointMut<f32>,
    flags: *mut u32,
    m: u32,
    n: u32,
    width: u32,
    blocks: u32,
    run: u32,
) {
    // Lengths, and behind them the stages.
    let memory: *mut f32 = dynamic_shared_mem();
    let lengths = SharedAddress::of(memory);
    // SAFETY: there is as much more memory as is skipped.
    let base = unsafe { lengths.add(2 * LENGTHS_BYTES).aligned(ALIGNMENT as u32) };
    let tiles = width / DEPTH as u32;
    let (down, across) = (m.div_ceil(SIDE as u32), n.div_ceil(SIDE as u32));
    let parts = down * across;
    let t = thread::thread_idx_x();
    let half = half_of(t);
    // SAFETY: inside the first stage.
    let own = unsafe { base.add(t * PIECE) };
    // SAFETY: the launch has checked that there are so many rows.
    let first = |matrix: &[u32], side: u32| unsafe {
        matrix.as_ptr().add(side as usize * tiles as usize * TILE + t as usize * WORDS)
    };
    let feed_of = |part: u32, slot: u32| {
        let (row, column) = if part < parts { place_of(part, down, across) } else { (0, 0) };
        Feed { a: first(a, row), b: first(b, column), left: tiles, part, row, column, slot }
    };

    // Copies of a block's k-th tile are group k of each thread's.
    let mut feed = feed_of(thread::block_idx_x(), 0);
    let mut begin = |turn: u32| {
        if feed.part < parts {
            // SAFETY: the rows have such a tile, and there are lengths for whole parts. Nobody reads the stage, as in
            // matmul_wgmma_split.rs, nor the lengths in that place: they are of the part before this turn's, which all threads
            // have written before the last barrier.
            unsafe {
                if feed.left == tiles && t < const { (LENGTHS / WORDS) as u32 } {
                    let (from, side, i) = if t < const { (SIDE / WORDS) as u32 } {
                        (a_lengths, feed.row, t)
                    } else {
                        (b_lengths, feed.column, t - const { (SIDE / WORDS) as u32 })
                    };
                    let from = from.as_ptr().add(side as usize * SIDE + i as usize * WORDS).cast::<u32>();
                    copy::async_16(lengths.add(feed.slot * LENGTHS_BYTES + t * PIECE), from);
                }
                copy_tiles(own, turn, feed.a, feed.b);
            }
            (feed.a, feed.b, feed.left) = (feed.a.wrapping_add(TILE), feed.b.wrapping_add(TILE), feed.left - 1);
            if feed.left == 0 {
                feed = feed_of(feed.part + blocks, 1 - feed.slot);
            }
        }
        copy::commit();
    };
    begin(0);
    begin(1);
    let (mut turn, mut part, mut slot) = (0, thread::block_idx_x(), 0);
    while part < parts {
        let (mut sums, mut small) = (warpgroup::no_sums_128(), warpgroup::no_sums_128());
        for _ in 0..tiles {
            // SAFETY: all threads come here as often.
            (sums, small) = unsafe { multiply_tile(base, turn, half, (sums, small), &mut begin) };
            turn += 1;
        }
        let (row, column) = place_of(part, down, across);
        let corner = [row * SIDE as u32, column * SIDE as u32];
        // SAFETY: all warps come here. The part's lengths came with its first tile. The launch has checked the output's length, and
        // each cell is in one part, and one thread's.
        unsafe {
            sums = add(sums, warpgroup::finish_128::<0>(small));
            let place = Place::new();
            let lengths = place.lengths(memory.add(slot * LENGTHS));
            let (distances, near) = distances_of::<Machine, T>(sums, lengths);
            place.write(&distances, &mut out, corner, [m, n]);
            if near {
                atomic::store(flags.add((row * across + column) as usize), run);
            }
        }
        slot = 1 - slot;
        part += blocks;
    }
}

/// Where a thread's sums are among 128 x 128: in this row and eight below it, from this column on two of every eight.
struct Place {
    row: usize,
    column: usize,
}

impl Place {
    #[inline(always)]
    fn new() -> Self {
        let lane = warp::lane_id() as usize;
        Self { row: thread::thread_idx_x() as usize / 32 * 16 + lane / 4, column: lane % 4 * 2 }
    }

    /// The squared lengths of its rows, and of those that its columns are of.
    ///
    /// # Safety
    /// There they are in shared memory, and nobody writes them.
    #[inline(always)]
    unsafe fn lengths(&self, lengths: *const f32) -> ([f32; 2], [[f32; 2]; 16]) {
        // SAFETY: the caller's promise; columns are even.
        unsafe {
            let rows = [0, 8].map(|below| *lengths.add(self.row + below));
            let mut columns = [[0.0; 2]; 16];
            unrolled!(j in 0..16, {
                columns[j] = lengths.add(SIDE + self.column + 8 * j).cast::<Two>().read().0;
            });
            (rows, columns)
        }
    }

    /// Writes the distances as far as there are rows and columns.
    ///
    /// # Safety
    /// The output is m x n, and nobody else writes these cells.
    #[inline(always)]
    unsafe fn write(&self, distances: &Sums128, out: &mut DisjointMut<f32>, corner: [u32; 2], [m, n]: [u32; 2]) {
        let [row0, column0] = corner.map(|cell| cell as usize);
        let (m, n) = (m as usize, n as usize);
        let (row, column) = (row0 + self.row, column0 + self.column);
        let starts = [0, 8].map(|below| out.as_mut_ptr().wrapping_add((row + below) * n + column));
        let inside = row0 + SIDE <= m && column0 + SIDE <= n;
        // SAFETY: the caller's promise of the cells that there are.
        unsafe {
            if inside && n.is_multiple_of(2) && (out.as_mut_ptr() as usize).is_multiple_of(8) {
                unrolled!(j in 0..16, {
                    for half in 0..2 {
                        let two = Two([distances[4 * j + 2 * half], distances[4 * j + 2 * half + 1]]);
                        starts[half].add(8 * j).cast::<Two>().write(two);
                    }
                });
                return;
            }
            unrolled!(j in 0..16, {
                for i in 0..4 {
                    if row + i / 2 * 8 < m && column + 8 * j + i % 2 < n {
                        starts[i / 2].add(8 * j + i % 2).write(distances[4 * j + i]);
                    }
                }
            });
        }
    }
}

/// Distances of products and squared lengths, and whether any of them is to be made by differences.
#[inline(always)]
fn distances_of<M: Machine, T: Metric>(
    products: Sums128,
    (rows, columns): ([f32; 2], [[f32; 2]; 16]),
) -> (Sums128, bool) {
    let (mut distances, mut near) = (products, false);
    unrolled!(j in 0..16, {
        for i in 0..4 {
            let both = rows[i / 2] + columns[j][i % 2];
            let squared = M::mul_add(-2.0, products[4 * j + i], both);
            // Neither is so of what is not a number.
            near |= !(squared >= NEAR * both && squared <= f32::MAX);
            distances[4 * j + i] = T::finish::<M>(squared, 1.0);
        }
    });
    (distances, near)
}

/// The distances of parts whose flag is `run`, by differences.
#[kernel(
    instances(pairwise_flagged_l2<L2>, pairwise_flagged_squared_l2<SquaredL2>),
    only = "sm_90a",
    block = pairwise::THREADS as u32,
    grid = pairwise::blocks(m, n),
    require(a.len() >= m * d, b.len() >= n * d, out.len() >= m * n, flags.len() >= parts_of(m, n)),
)]
pub unsafe fn pairwise_flagged<T: Metric>(
    a: &[f32],
    b: &[f32],
    flags: &[u32],
    mut out: DisjointMut<f32>,
    m: u32,
    n: u32,
    d: u32,
    run: u32,
) {
    // A block lies in one part.
    const { assert!(SIDE.is_multiple_of(pairwise::ROWS) && SIDE.is_multiple_of(pairwise::COLUMNS)) };
    let tiles = (shared_array![f32; A_CELLS], shared_array![f32; B_CELLS]);
    let corner = corner(thread::block_idx_x(), n);
    let flag = corner.0 / SIDE * (n as usize).div_ceil(SIDE) + corner.1 / SIDE;
    // SAFETY: the launch has checked the lengths; all threads of the block come here, each block with a corner of its own.
    unsafe {
        if *flags.get_unchecked(flag) == run {
            distances::<Machine, T>(tiles, (a, b), &mut out, corner, [m, n, d], 1.0);
        }
    }
}
