//! The last block's part of the weighted reduction where points are in slices: means of what all blocks have left.
//!
//! What it is part of: see reduce.rs. Sums are added in the order of the slices. Until the last block is done, the multiprocessors
//! that have none wait for it, so that it has as many loads under way as registers hold.

use cuda_std::prelude::*;

use crate::lanes::{self, unrolled};
use crate::reduce::Pass;

/// Slices that are under way together; of many columns MANY as long as there are as many.
const SEVERAL: usize = 4;
const MANY: usize = 8;

/// Cells that a thread has under way together, of many columns.
const CELLS: usize = 8;

impl Pass<'_> {
    /// Of several slices, the last block's part: the means of `rows` rows from i on.
    ///
    /// # Safety
    /// All threads of the block call it, with their sums left. `arrived` is as the launch asks.
    #[inline(always)]
    pub(crate) unsafe fn collect(&mut self, i: usize, rows: u32) {
        // SAFETY: the caller's promise.
        if !self.several || !unsafe { self.slices.is_last_block() } {
            return;
        }
        // 32 bits: a GPU divides them in half the time.
        let (mut cell, columns) = (thread::thread_idx_x(), self.columns as u32);
        let (apart, count) = (self.passes * self.m * self.width, rows * columns);
        while cell < count {
            // From the first row's sums to those of the cell's row, and the column; what is no cell has those of the first.
            let is_cell = i + ((cell / columns) as usize) < self.m;
            let (row, c) = if is_cell { (cell / columns * self.width as u32, cell % columns) } else { (0, 0) };
            let (mut sums, mut left, mut from) = ([0.0; 2], thread::grid_dim_y(), self.place(0, i));
            while left > 0 {
                let mut some = [[0.0; 2]; SEVERAL];
                for slice in 0..SEVERAL {
                    if (slice as u32) < left {
                        // SAFETY: every slice's block has left its sums of the row.
                        unsafe {
                            some[slice] = [
                                from.add((row + c) as usize).read(),
                                from.add((row + self.width as u32 - 1) as usize).read(),
                            ];
                        }
                    }
                    from = from.wrapping_add(apart);
                }
                for slice in 0..SEVERAL {
                    sums = lanes::add(sums, some[slice]);
                }
                left = left.saturating_sub(SEVERAL as u32);
            }
            if is_cell {
                let (row, c) = (i + (cell / columns) as usize, (cell % columns) as usize);
                // SAFETY: the row and column belong to this block and thread.
                unsafe { self.out.write(row * self.d + self.first + c, sums[0] / sums[1]) };
            }
            cell += thread::block_dim_x();
        }
    }

    /// The same for a GPU and many columns: rows' totals are added once for all columns, and left in `memory`.
    ///
    /// # Safety
    /// As for [`collect`](Self::collect); `memory` is shared memory of the block, which has a number for each row.
    #[inline(always)]
    pub(crate) unsafe fn collect_many(&mut self, memory: *mut f32, i: usize, rows: u32) {
        // SAFETY: the caller's promise.
        if !self.several || !unsafe { self.slices.is_last_block() } {
            return;
        }
        let (t, threads, columns) = (thread::thread_idx_x(), thread::block_dim_x(), self.columns as u32);
        let rows = rows.min((self.m - i) as u32);
        // Two rows a thread: a block has as many.
        if t < rows {
            let from = self.place(0, i + t as usize).wrapping_add(self.width - 1);
            // SAFETY: the rows are this block's, and so are their places in the memory.
            unsafe {
                let totals = self.over_slices::<2>(from, threads, rows - t);
                memory.add(t as usize).write(totals[0]);
                if t + threads < rows {
                    memory.add((t + threads) as usize).write(totals[1]);
                }
            }
        }
        thread::sync_threads();
        // As many lanes a row as are a power of two.
        let wide = if columns > 16 {
            32
        } else if columns > 8 {
            16
        } else {
            8
        };
        let (mut row, c, step) = (t / wide, t % wide, threads / wide);
        while c < columns && row < rows {
            let from = self.place(0, i + row as usize).wrapping_add(c as usize);
            // SAFETY: the rows and the column are this thread's, and the totals are there.
            unsafe {
                let sums = self.over_slices::<CELLS>(from, step, rows - row);
                unrolled!(k in 0..CELLS, {
                    let row = row + k as u32 * step;
                    if row < rows {
                        let cell = (i + row as usize) * self.d + self.first + c as usize;
                        self.out.write(cell, sums[k] / memory.add(row as usize).read());
                    }
                });
            }
            row += CELLS as u32 * step;
        }
    }

    /// What all slices have left, added in their order, in N cells that are `step` rows apart; of those not among the next `rows`
    /// what the first has.
    ///
    /// # Safety
    /// The first slice's cells are at `from`, and every slice's block has left its own.
    #[inline(always)]
    unsafe fn over_slices<const N: usize>(&self, from: *const f32, step: u32, rows: u32) -> [f32; N] {
        let on = core::array::from_fn(|k| {
            let row = k as u32 * step;
            if row < rows { (row * self.width as u32) as usize } else { 0 }
        });
        let mut slices = Left { from, on, apart: self.passes * self.m * self.width, left: thread::grid_dim_y() };
        // SAFETY: the caller's promise.
        unsafe {
            let sums = slices.add::<MANY>([0.0; N]);
            let sums = slices.add::<SEVERAL>(sums);
            slices.add::<1>(sums)
        }
    }
}

/// Slices that are still to be added, in N cells.
struct Left<const N: usize> {
    /// Where the next slice's first cell is, how far the others are behind it, and how far slices are apart.
    from: *const f32,
    on: [usize; N],
    apart: usize,
    left: u32,
}

impl<const N: usize> Left<N> {
    /// Adds so many at a time, as long as there are as many.
    ///
    /// # Safety
    /// Their cells are there.
    #[inline(always)]
    unsafe fn add<const TOGETHER: usize>(&mut self, mut sums: [f32; N]) -> [f32; N] {
        while self.left >= TOGETHER as u32 {
            let mut some = [[0.0; N]; TOGETHER];
            unrolled!(slice in 0..TOGETHER, {
                for k in 0..N {
                    // SAFETY: the caller's promise.
                    some[slice][k] = unsafe { self.from.add(self.on[k]).read() };
                }
                self.from = self.from.wrapping_add(self.apart);
            });
            unrolled!(slice in 0..TOGETHER, {
                sums = lanes::add(sums, some[slice]);
            });
            self.left -= TOGETHER as u32;
        }
        sums
    }
}
