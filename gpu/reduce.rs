//! Weighted reduction: `out[i] = sum_j W[i, j] X[j] / sum_j W[i, j]`, with W m x n, X n x d, out m x d.
//!
//! W is read once for each pass of COLUMNS columns of X, and up to 32 of them that is what it costs.
//!
//! **On a GPU** a warp takes ROWS rows of W, which share each load of X, and a block neighbouring rows, whose warps find X
//! in the nearest cache (reduce_warp.rs; reduce_many.rs for more than four columns; of these reduce_tensor.rs has those that go to
//! tensor cores). Blocks of the same rows and other
//! columns are neighbours in the grid, so that the second cache has W for all but the first of them. Where rows are few,
//! each row of blocks takes a slice of the points (slices.rs): every block leaves its sums in memory, and the last one adds
//! them in the order of the slices.
//!
//! **On a processor** (reduce_processor.rs) a block is a few rows, and a thread takes a run of them in whole vectors; with more than
//! four columns a block is a product of some rows with panels of X.
//!
//! A row whose weights sum to zero has no weighted mean: its output is NaN.

use cuda_std::prelude::*;

#[cfg(not(target_arch = "nvptx64"))]
use crate::idle::Work;
use crate::lanes::unrolled;
use crate::reduce_many::{self, TALL, column_sums};
use crate::reduce_processor::{self, few, held_rows, product_block, row_block, vector};
use crate::reduce_warp::{ROWS, Source, warp_sums};
use crate::slices::Slices;

/// The most threads of a block; on a GPU with many columns half of them, whose shared memory has room for two stages.
const MOST: usize = 256;

/// The most threads of a block.
const fn most(lanes: usize, columns: usize) -> usize {
    if lanes <= 4 && columns > 4 { MOST / 2 } else { MOST }
}

/// Rows of W that a warp takes.
const fn tall(columns: usize) -> usize {
    if columns > 4 { TALL } else { ROWS }
}

/// Rows of W that a block takes, of m.
const fn rows(lanes: usize, threads: usize, columns: usize, m: usize) -> usize {
    if lanes <= 4 {
        threads / 32 * tall(columns)
    } else if columns > 4 {
        reduce_processor::rows(lanes)
    } else if m >= SHARING {
        few(lanes)
    } else {
        1
    }
}

/// From so many rows of W on there are blocks for all of a processor's cores where each takes a few.
const SHARING: usize = 256;

/// The most columns of a pass.
const MANY: usize = 32;

/// Columns of X that a pass takes: of many a processor's thread has its lanes.
const fn held(lanes: usize, columns: usize) -> usize {
    if lanes > 4 && columns > 4 && lanes < columns { lanes } else { columns }
}

/// Numbers in a block's shared memory: a processor's has sums of each thread, and a GPU's a turn's weights where columns are
/// many, which are a panel and the rows' sums on a processor.
const fn shared(lanes: usize, columns: usize) -> usize {
    match (lanes > 4, columns > 4) {
        (true, false) => MOST * few(lanes) * (columns + 1),
        (true, true) => reduce_processor::shared(lanes),
        (false, true) => reduce_many::shared(MOST / 2 / 32),
        (false, false) => 1,
    }
}

/// Passes over W for d columns.
const fn passes(lanes: usize, columns: usize, d: usize) -> usize {
    d.div_ceil(held(lanes, columns))
}

/// Sums that a pass leaves of a row in a slice: those of its columns, and of weights.
const fn width(lanes: usize, columns: usize, d: usize) -> usize {
    1 + if d < held(lanes, columns) { d } else { held(lanes, columns) }
}

/// Sums that all passes leave of a row in a slice.
const fn left(lanes: usize, columns: usize, d: usize) -> usize {
    passes(lanes, columns, d) * width(lanes, columns, d)
}

/// Blocks that fill the largest GPUs: 132 multiprocessors with 12 to 16 warps each.
#[cfg(not(target_arch = "nvptx64"))]
const FILLING: usize = 512;

/// Blocks of which the last to run are a small part of all.
#[cfg(not(target_arch = "nvptx64"))]
const FINE: usize = 8 * FILLING;

/// Fewest points of a slice that is to fill a GPU. One that only makes blocks finer has more, but less where columns are many.
#[cfg(not(target_arch = "nvptx64"))]
const LEAST: usize = 512;

/// What the start and the end of a block take, in points: some 4 us are 56 where columns are many, and 211 where they are two.
#[cfg(not(target_arch = "nvptx64"))]
const START: usize = 128;

/// Most slices: each is one more step of the last block's.
#[cfg(not(target_arch = "nvptx64"))]
const MOST_SLICES: usize = 256;

/// Points of a slice for m rows of W, n points and d columns, and how many cells `partial` and `arrived` then need. On a
/// processor all points are one slice, which needs none. It depends on the sizes alone, so that every GPU gives the same bits.
///
/// ```
/// use cuda_std::machine::MachineKind::{Avx2, Gpu};
/// use gpu::reduce::slices;
///
/// assert_eq!(slices(Avx2, [1024, 10_000, 2]), (10_000, 0, 0));
/// // 32 blocks of rows become 640, of which 660 are there at a time; where they are enough, slices only make them finer.
/// assert_eq!(slices(Gpu, [1024, 200_000, 2]).0, 10_112);
/// assert_eq!(slices(Gpu, [1, 500, 2]), (500, 0, 0));
/// ```
#[cfg(not(target_arch = "nvptx64"))]
pub fn slices(machine: cuda_std::machine::MachineKind, [m, n, d]: [usize; 3]) -> (usize, usize, usize) {
    if machine != cuda_std::machine::MachineKind::Gpu {
        return (n, 0, 0);
    }
    let columns = instance(d);
    let passes = passes(4, columns, d);
    let groups = |threads| m.div_ceil(rows(4, threads, columns, m)) * passes;
    // By registers, for compute 9.0.
    let at_a_time = match columns {
        1 => 6,
        2 => 5,
        3 | 4 => 4,
        _ => 3,
    };
    let least = if columns > 4 { 4096 } else { 8192 };
    // However small a block the caller chooses.
    shared_out((groups(128), at_a_time), n, least, groups(32), m * left(4, columns, d))
}

/// Points of a slice where so many blocks have all of the rows, of which a multiprocessor has some at a time, and a slice that only
/// makes blocks finer has `least` or some more or less; and cells of `partial` and `arrived`, `left` for each slice and `counts`.
#[cfg(not(target_arch = "nvptx64"))]
pub(crate) fn shared_out(
    (blocks, at_a_time): (usize, usize),
    n: usize,
    least: usize,
    counts: usize,
    left: usize,
) -> (usize, usize, usize) {
    let blocks = blocks.max(1);
    let filling = FILLING.div_ceil(blocks).min(n.div_ceil(LEAST));
    let fine = FINE.div_ceil(blocks).min(n / least);
    let slices = filling.max(fine).clamp(1, MOST_SLICES);
    let few = (slices - slices / 4).max(filling).clamp(1, MOST_SLICES);
    let many = (slices + slices / 4).clamp(few, MOST_SLICES);
    let slice = Work { n, blocks, at_a_time, multiple: 128, start: START }.points_of(few..=many);
    if slice >= n { (n, 0, 0) } else { (slice, n.div_ceil(slice) * left, counts) }
}

/// Columns that the kernel for d of them takes at a time on a GPU: d itself, or 32.
///
/// ```
/// assert_eq!([1, 3, 4, 5, 64].map(gpu::reduce::instance), [1, 3, 4, 32, 32]);
/// ```
#[cfg(not(target_arch = "nvptx64"))]
pub fn instance(d: usize) -> usize {
    if d > 4 { MANY } else { d.max(1) }
}

/// The pass that a block makes, and where sums go.
pub(crate) struct Pass<'a> {
    pub out: DisjointMut<'a, f32>,
    pub slices: Slices,
    /// Rows of W, and columns of X.
    pub m: usize,
    pub d: usize,
    /// The first of the pass's columns, and how many they are.
    pub first: usize,
    pub columns: usize,
    /// Which pass, and of how many.
    pub number: usize,
    pub passes: usize,
    /// Sums that it leaves of a row in a slice.
    pub width: usize,
    pub several: bool,
}

impl Pass<'_> {
    /// Where the sums of row i in a slice are.
    #[inline(always)]
    pub(crate) fn place(&self, slice: usize, i: usize) -> *mut f32 {
        self.slices.partial.wrapping_add(((slice * self.passes + self.number) * self.m + i) * self.width)
    }

    /// Writes the mean of row i in column c of the pass, or leaves its sums for the last block. What is behind the last row or
    /// column is let be.
    ///
    /// # Safety
    /// Row i of the pass is this block's, and the column of it this thread's. `partial` is as the launch asks.
    #[inline(always)]
    pub(crate) unsafe fn give(&mut self, i: usize, c: usize, sum: f32, total: f32) {
        if i >= self.m || c >= self.columns {
            return;
        }
        // SAFETY: the caller's promise.
        unsafe {
            if self.several {
                let left = self.place(thread::block_idx_y() as usize, i);
                left.add(c).write(sum);
                if c == 0 {
                    left.add(self.width - 1).write(total);
                }
            } else {
                self.out.write(i * self.d + self.first + c, sum / total);
            }
        }
    }

    /// The same for four rows from i on.
    ///
    /// # Safety
    /// As for [`give`](Self::give).
    #[inline(always)]
    pub(crate) unsafe fn give_rows(&mut self, i: usize, c: usize, sums: [f32; 4], totals: [f32; 4]) {
        if c >= self.columns {
            return;
        }
        let (left, rows) = (self.place(thread::block_idx_y() as usize, i), self.m.saturating_sub(i) as u32);
        let cell = i * self.d + self.first + c;
        unrolled!(k in 0..4, {
            // SAFETY: the caller's promise.
            unsafe {
                if k as u32 >= rows {
                    // Behind the last row.
                } else if self.several {
                    let left = left.add(k * self.width);
                    left.add(c).write(sums[k]);
                    if c == 0 {
                        left.add(self.width - 1).write(totals[k]);
                    }
                } else {
                    self.out.write(cell + k * self.d, sums[k] / totals[k]);
                }
            }
        });
    }
}

/// `out`, COLUMNS columns a pass. `partial` and `arrived`, which is all zeros, count for slices of less than n points
/// alone: see [`slices`].
#[kernel(
    instances(
        reduce_weighted_1<1>,
        reduce_weighted_2<2>,
        reduce_weighted_3<3>,
        reduce_weighted_4<4>,
        registers(168) reduce_weighted_many<MANY>,
    ),
    threads = 32..=most(Machine::LANES, COLUMNS) as u32,
    grid = (
        m.div_ceil(rows(Machine::LANES, block.x, COLUMNS, m)) * passes(Machine::LANES, COLUMNS, d),
        n.div_ceil(slice.max(1)).max(1)
    ),
    require(
        weights.len() >= m * n,
        points.len() >= n * d,
        out.len() >= m * d,
        slice >= 1 || n == 0,
        COLUMNS <= 4 || d < 1 << 30,
        slice >= n || slice.is_multiple_of(4),
        slice >= n || partial.len() >= n.div_ceil(slice) * m * left(Machine::LANES, COLUMNS, d),
        slice >= n || arrived.len() >= m.div_ceil(rows(Machine::LANES, block.x, COLUMNS, m)) * passes(Machine::LANES, COLUMNS, d),
    ),
)]
pub unsafe fn reduce_weighted<const COLUMNS: usize>(
    weights: &[f32],
    points: &[f32],
    out: DisjointMut<f32>,
    partial: *mut f32,
    arrived: *mut u32,
    m: u32,
    n: u32,
    d: u32,
    slice: u32,
) {
    const LANES: usize = Machine::LANES;
    const HELD: usize = held(LANES, COLUMNS);
    let shared = shared_array![f32; shared(LANES, COLUMNS)];
    let passes = d.div_ceil(HELD as u32);
    let (number, group) = ((thread::block_idx_x() % passes) as usize, (thread::block_idx_x() / passes) as usize);
    let slices = Slices { partial, arrived, points: slice };
    let (start, end) = slices.range(n);
    let (t, threads) = (thread::thread_idx_x() as usize, thread::block_dim_x() as usize);
    let (m, d, first) = (m as usize, d as usize, number * HELD);
    let (columns, width) = (HELD.min(d - first), width(LANES, COLUMNS, d));
    let several = slices.are_several(n);
    let mut pass = Pass { out, slices, m, d, first, columns, number, passes: passes as usize, width, several };
    let i = group * rows(LANES, threads, COLUMNS, m);
    if LANES > 4 {
        let range = (start as usize, end as usize, n as usize);
        // SAFETY: the launch has checked the lengths; the rows from i on are this block's.
        unsafe {
            let block = (weights, points, shared);
            if COLUMNS > 4 {
                // Narrow panels where columns are few enough: what is behind the last column is computed for nothing.
                if columns > 16 && LANES > 16 {
                    product_block::<Machine, { held_rows(LANES, 32) }, 32>(block, &mut pass, i, range);
                } else if columns > 8 && LANES > 8 {
                    product_block::<Machine, { held_rows(LANES, 16) }, 16>(block, &mut pass, i, range);
                } else {
                    product_block::<Machine, { held_rows(LANES, 8) }, 8>(block, &mut pass, i, range);
                }
            } else {
                if m >= SHARING {
                    row_block::<Machine, { few(LANES) }, HELD, { vector(LANES, HELD) }>(block, &mut pass, i, range);
                } else {
                    row_block::<Machine, 1, HELD, { vector(LANES, HELD) }>(block, &mut pass, i, range);
                }
            }
        }
    } else {
        let (warp, lane) = (t / 32, (t % 32) as u32);
        let source = Source { weights, points, sizes: (m, n as usize, d), first, columns: columns as u32 };
        // SAFETY: the launch has checked the lengths, the whole warp is here, and rows i are its own, as is its part of the memory.
        unsafe {
            if COLUMNS > 4 {
                column_sums::<Machine>(&source, shared, i, (start, end), |row, c, sums, totals| {
                    pass.give_rows(row, c, sums, totals);
                });
            } else {
                let i = i + warp * ROWS;
                let (row, sums, total) = warp_sums::<Machine, HELD>(&source, i, (start, end), lane);
                for c in 0..HELD {
                    // Four lanes have the row.
                    if c % 4 == lane as usize % 4 {
                        pass.give(i + row, c, sums[c], total);
                    }
                }
            }
        }
    }
    // SAFETY: all threads are here, with their sums given.
    unsafe {
        let rows = rows(LANES, threads, COLUMNS, pass.m) as u32;
        if LANES <= 4 && COLUMNS > 4 {
            pass.collect_many(shared, i, rows);
        } else {
            pass.collect(i, rows);
        }
    }
}
