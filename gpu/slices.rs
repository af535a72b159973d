//! Slices of the points: what fills a device where queries are few.
//!
//! A launch has a row of blocks for each slice of so many neighbouring points. Every block leaves its queries' sums over
//! its slice in memory; the block that comes last of those with the same queries adds what all have left, in the order of
//! the slices, and goes on as if it had seen all points. So the sums' order, and every bit of them, is the same however
//! the blocks come, and depends on nothing but the points of a slice. A launch of one slice leaves nothing anywhere.

use cuda_std::{atomic, prelude::*};

use crate::lanes::{self, unrolled};

/// Where slices meet.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Slices {
    /// For each slice D + 1 columns of queries: sums in each coordinate, and sums of weights.
    pub partial: *mut f32,
    /// For each column of blocks, how many of its blocks have left their sums; 0 between launches.
    pub arrived: *mut u32,
    /// Points of a slice.
    pub points: u32,
}

/// Slices of a column that are under way together.
const TOGETHER: usize = 4;

/// Sums of a thread's queries in each coordinate, and of their weights.
type Sums<const D: usize, const LANES: usize> = ([[f32; LANES]; D], [f32; LANES]);

impl Slices {
    /// One slice of all n points.
    #[inline(always)]
    pub fn none(n: u32) -> Self {
        Self { partial: core::ptr::null_mut(), arrived: core::ptr::null_mut(), points: n }
    }

    /// The points of this block's slice: the first, and the one behind the last of n.
    #[inline(always)]
    pub fn range(&self, n: u32) -> (u32, u32) {
        let first = thread::block_idx_y() * self.points;
        (first, first + self.points.min(n - first))
    }

    /// Whether there is more than one, of n points.
    #[inline(always)]
    pub fn are_several(&self, n: u32) -> bool {
        self.points < n
    }

    /// Where column c of a slice is, from query `first` on.
    #[inline(always)]
    fn at<const D: usize>(&self, slice: usize, c: usize, (first, query_stride): (usize, usize)) -> *mut f32 {
        self.partial.wrapping_add((slice * (D + 1) + c) * query_stride + first)
    }

    /// Leaves a thread's sums of this block's slice.
    ///
    /// # Safety
    /// `partial` has the columns of all slices, and the lanes from the first query on are this thread's in its block.
    #[inline(always)]
    pub unsafe fn leave<M: Machine, const D: usize, const LANES: usize>(
        &self,
        (sums, totals): &Sums<D, LANES>,
        place: (usize, usize),
    ) {
        let slice = thread::block_idx_y() as usize;
        // SAFETY: the caller's promise; columns begin at multiples of 16 bytes (layout.rs), and so do lanes.
        unsafe {
            for c in 0..D {
                lanes::store_whole::<M, LANES>(self.at::<D>(slice, c, place), sums[c]);
            }
            lanes::store_whole::<M, LANES>(self.at::<D>(slice, D, place), *totals);
        }
    }

    /// Whether this block is the last with its queries, and so sees what all have left.
    ///
    /// # Safety
    /// All threads of the block call it, with their part left. `arrived` has a cell for each column of blocks.
    #[inline(always)]
    pub unsafe fn is_last_block(&self) -> bool {
        thread::sync_threads();
        let mut last = false;
        if thread::thread_idx_x() == 0 {
            thread::device_fence();
            // SAFETY: the caller's promise.
            unsafe {
                let cell = self.arrived.add(thread::block_idx_x() as usize);
                last = atomic::fetch_add(cell, 1) + 1 == thread::grid_dim_y();
                if last {
                    thread::device_fence();
                    atomic::store(cell, 0);
                }
            }
        }
        thread::sync_threads_or(last)
    }

    /// What one slice has left.
    ///
    /// # Safety
    /// As for [`collect`](Self::collect).
    #[inline(always)]
    unsafe fn fetch<M: Machine, const D: usize, const LANES: usize>(
        &self,
        slice: u32,
        place: (usize, usize),
    ) -> Sums<D, LANES> {
        let mut sums = [[0.0; LANES]; D];
        // SAFETY: the caller's promise.
        unsafe {
            for c in 0..D {
                sums[c] = lanes::load_whole::<M, LANES>(self.at::<D>(slice as usize, c, place));
            }
            (sums, lanes::load_whole::<M, LANES>(self.at::<D>(slice as usize, D, place)))
        }
    }

    /// What all slices have left for a thread's queries, added in their order.
    ///
    /// # Safety
    /// As for [`leave`](Self::leave); [`is_last_block`](Self::is_last_block) has said so.
    #[inline(always)]
    pub unsafe fn collect<M: Machine, const D: usize, const LANES: usize>(
        &self,
        place: (usize, usize),
    ) -> Sums<D, LANES> {
        let (mut sums, mut slice, count) = (([[0.0; LANES]; D], [0.0; LANES]), 0, thread::grid_dim_y());
        // SAFETY: the caller's promise, for slices below their number.
        unsafe {
            // Several are under way together, as many as the registers of a step hold.
            while D <= 2 && slice + 4 <= count {
                let one = self.fetch::<M, D, LANES>(slice, place);
                let two = self.fetch::<M, D, LANES>(slice + 1, place);
                let three = self.fetch::<M, D, LANES>(slice + 2, place);
                let four = self.fetch::<M, D, LANES>(slice + 3, place);
                sums = add(add(add(add(sums, one), two), three), four);
                slice += 4;
            }
            while D == 3 && slice + 2 <= count {
                let one = self.fetch::<M, D, LANES>(slice, place);
                let two = self.fetch::<M, D, LANES>(slice + 1, place);
                sums = add(add(sums, one), two);
                slice += 2;
            }
            while slice < count {
                sums = add(sums, self.fetch::<M, D, LANES>(slice, place));
                slice += 1;
            }
        }
        sums
    }

    /// Where this block's slice has its d + 1 columns, from query `first` on.
    #[inline(always)]
    pub fn own_columns(&self, d: usize, (first, query_stride): (usize, usize)) -> *mut f32 {
        self.partial.wrapping_add(thread::block_idx_y() as usize * (d + 1) * query_stride + first)
    }

    /// Column c, of d + 1, of what all slices have left for a thread's queries, added in their order.
    ///
    /// # Safety
    /// `partial` has the columns of all slices, with lanes from the first query on; [`is_last_block`](Self::is_last_block)
    /// has said that all have left them.
    #[inline(always)]
    pub unsafe fn collect_column<const LANES: usize>(
        &self,
        c: usize,
        d: usize,
        (first, query_stride): (usize, usize),
    ) -> [f32; LANES] {
        let (mut sums, mut left) = ([0.0; LANES], thread::grid_dim_y());
        let mut from = self.partial.wrapping_add(c * query_stride + first);
        while left > 0 {
            let mut parts = [[0.0; LANES]; TOGETHER];
            unrolled!(k in 0..TOGETHER, {
                // SAFETY: the caller's promise. Behind the last there is the last once more, which does not count.
                parts[k] = unsafe { from.cast::<[f32; LANES]>().read() };
                if left > k as u32 + 1 {
                    from = from.wrapping_add((d + 1) * query_stride);
                }
            });
            unrolled!(k in 0..TOGETHER, {
                if left > k as u32 {
                    sums = lanes::add(sums, parts[k]);
                }
            });
            left = left.saturating_sub(TOGETHER as u32);
        }
        sums
    }
}

#[inline(always)]
fn add<const D: usize, const LANES: usize>(
    (mut sums, totals): Sums<D, LANES>,
    (more, more_totals): Sums<D, LANES>,
) -> Sums<D, LANES> {
    for c in 0..D {
        sums[c] = lanes::add(sums[c], more[c]);
    }
    (sums, lanes::add(totals, more_totals))
}
