//! What the sums of a block's queries become in a step on tensor cores: those of slices are added by the last block, and queries move.

use cuda_std::prelude::*;

use crate::pull_tensor::LIFT;
use crate::shift::supports;
use crate::slices::Slices;
use crate::weight::Gaussian;

/// The sum of a query's weights, from that times 2^14.
#[inline(always)]
pub(crate) fn support(lifted: f32) -> f32 {
    supports::<Gaussian, 1>([lifted * (1.0 / (1 << LIFT as u32) as f32)])[0]
}

/// Where a coordinate of a query moves, by the mean of points and the sum of their weights, and how far the mean is.
#[inline(always)]
pub(crate) fn move_coordinate(query: f32, mean: f32, total: f32, relaxation: f32) -> (f32, f32) {
    // A NaN among the totals stays one.
    let step = if total > 0.0 { mean - query } else { 0.0 * total };
    // Without relaxation, the mean itself: points that have met stay together exactly.
    (if relaxation == 1.0 && total > 0.0 { mean } else { query + relaxation * step }, step)
}

/// Cells of shared memory.
pub(crate) trait Cells {
    /// # Safety
    /// There is such a cell, and nobody writes it meanwhile.
    unsafe fn read(&self, at: usize) -> f32;
    /// # Safety
    /// There is such a cell, and nobody else touches it meanwhile.
    unsafe fn write(&self, at: usize, value: f32);
}

impl Cells for *mut f32 {
    #[inline(always)]
    unsafe fn read(&self, at: usize) -> f32 {
        // SAFETY: the caller's promise.
        unsafe { self.add(at).read() }
    }

    #[inline(always)]
    unsafe fn write(&self, at: usize, value: f32) {
        // SAFETY: the caller's promise.
        unsafe { (*self).add(at).write(value) }
    }
}

/// Sums of a block's queries in shared memory, times 2^14, behind the barrier after which all are there: coordinate c of query i is `c * apart + i`, and behind the `wide`
/// coordinates are the weights.
pub(crate) struct SumsOfBlock<C: Cells> {
    pub(crate) cells: C,
    pub(crate) apart: usize,
    pub(crate) wide: usize,
    /// How many queries there are, one a thread.
    pub(crate) queries: usize,
    /// Which of all is the first.
    pub(crate) first: usize,
}

impl<C: Cells> SumsOfBlock<C> {
    /// Of several slices of the n points (slices.rs) leaves this block's sums; whether the block is the last with its queries. If so,
    /// the cells have the sums of all slices, in the slices' order.
    ///
    /// # Safety
    /// All threads of the block call it, behind a barrier behind which the sums are there. `slices.partial` has d + 1 columns of
    /// `query_stride` for each slice.
    #[inline(always)]
    pub(crate) unsafe fn meet(&self, slices: &Slices, n: u32, [d, query_stride, active]: [u32; 3]) -> bool {
        if !slices.are_several(n) {
            return true;
        }
        // Threads share a query's columns where there are more of them than queries.
        let (t, parts) = (thread::thread_idx_x() as usize, thread::block_dim_x() as usize / self.queries);
        let (own, part, d) = (t % self.queries, t / self.queries, d as usize);
        let place = (self.first + own, query_stride as usize);
        let moves = self.first + own < active as usize;
        let cell = |c: usize| if c < d { c * self.apart + own } else { self.wide * self.apart + own };
        // SAFETY: the caller's promise: cells of the thread's query, and its lanes of each column.
        unsafe {
            let mut c = part;
            while moves && c <= d {
                slices.own_columns(d, place).add(c * place.1).write(self.cells.read(cell(c)));
                c += parts;
            }
            if !slices.is_last_block() {
                return false;
            }
            let mut c = part;
            while moves && c <= d {
                let [sum] = slices.collect_column::<1>(c, d, place);
                self.cells.write(cell(c), sum);
                c += parts;
            }
        }
        thread::sync_threads();
        true
    }

    /// Moves this thread's query, if it has one; gives the square of its step.
    ///
    /// # Safety
    /// `queries` and `next` have d columns, and `sums` two, of `query_stride`, of which
    /// `active` have queries.
    #[inline(always)]
    pub(crate) unsafe fn end(
        &self,
        queries: &[f32],
        next: &mut DisjointMut<'_, f32>,
        sums: &mut DisjointMut<'_, f32>,
        [d, query_stride, active]: [u32; 3],
        relaxation: f32,
    ) -> f32 {
        let own = thread::thread_idx_x() as usize;
        let i = self.first + own;
        if own >= self.queries || i >= active as usize {
            return 0.0;
        }
        // SAFETY: it was written before the barrier.
        let lifted = unsafe { self.cells.read(self.wide * self.apart + own) };
        let total = support(lifted);
        let mut squared = 0.0;
        for c in 0..d as usize {
            let at = c * query_stride as usize + i;
            // SAFETY: a column has as many queries as are active; the sum was written before the barrier.
            let (query, sum) = unsafe { (*queries.get_unchecked(at), self.cells.read(c * self.apart + own)) };
            let (moved, step) = move_coordinate(query, sum / lifted, total, relaxation);
            squared += step * step;
            // SAFETY: the query is this thread's.
            unsafe { next.as_mut_ptr().add(at).write(moved) };
        }
        // SAFETY: as above.
        unsafe {
            sums.write(i, total);
            sums.write(query_stride as usize + i, squared);
        }
        squared
    }
}
