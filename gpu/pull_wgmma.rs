//! What a warpgroup does with 64 points in a step by `wgmma`: see shift_wgmma.rs.

use cuda_std::prelude::*;
use cuda_std::shared::{SharedAddress, dynamic_shared_mem};
use cuda_std::warpgroup::{self, Fragment, Matrix, Sums64};

use crate::block_sums::Cells;
use crate::pull_tensor::{Arguments, LIFT, halve, over_row};
use crate::tensor::unrolled;

/// Threads of a block: two warpgroups.
pub(crate) const THREADS: usize = 256;

/// Queries of a block, 64 a warpgroup.
pub(crate) const QUERIES: usize = THREADS / 2;

/// Pairs of points that a lane has of 64.
pub(crate) const PAIRS: usize = 8;

/// Pieces of a row of 64 halves, and its words.
pub(crate) const PIECES: usize = 8;
pub(crate) const DEPTH: usize = 32;

/// From the sums of a coordinate to those of the next, behind the loop; four more than there are queries: so no two lanes have the
/// same bank.
pub(crate) const APART: usize = QUERIES + 4;

/// A warpgroup's queries: this thread's part.
pub(crate) struct Queries<const D: usize, const ROUGH: bool> {
    /// High and low halves, 64 coordinates each.
    high: [Fragment; 2],
    low: [Fragment; 2],
    /// The squares of the lengths of both rows, less the power of two that weights are multiplied by.
    lengths: [f32; 2],
}

impl<const D: usize, const ROUGH: bool> Queries<D, ROUGH> {
    /// # Safety
    /// There are rows for the block's queries; `row` is this lane's first.
    #[inline(always)]
    pub(crate) unsafe fn new(arguments: &Arguments<'_>, row: usize, t: usize) -> Self {
        let (mut high, mut low, mut lengths) = ([[0; 16]; 2], [[0; 16]; 2], [0.0; 2]);
        unrolled!(2, c < D / 64 => {
            unrolled!(16, w < 16 => {
                // Words of a fragment are of rows, of the same eight coordinates, and then further ones.
                let at = (row + w % 2 * 8) * D + c * DEPTH + w / 2 * 4 + t;
                // SAFETY: the caller's promise.
                unsafe {
                    high[c][w] = *arguments.query_rows.get_unchecked(at);
                    if !ROUGH {
                        low[c][w] = *arguments.query_rows.get_unchecked(at + D / 2);
                    }
                }
            });
        });
        for lower in 0..2 {
            // SAFETY: as above.
            lengths[lower] = unsafe { *arguments.query_norms.get_unchecked(row + 8 * lower) } - LIFT;
        }
        Self { high, low, lengths }
    }

    /// Begins the products of queries and 64 points whose rows, of the first matrix, lie at `at`, and so many bytes further those of
    /// the next: small ones first. One group, or three, for each 64 coordinates.
    ///
    /// # Safety
    /// As for [`warpgroup::multiply_rows_f16`].
    #[inline(always)]
    pub(crate) unsafe fn begin_dots(&self, at: SharedAddress, apart: u32) -> Sums64 {
        // SAFETY: the caller's promise.
        unsafe {
            let part = |part: usize| Matrix::at(at.add(part as u32 * apart));
            let mut dots;
            if ROUGH {
                dots = warpgroup::begin_rows_f16(self.high[0], part(0));
            } else {
                dots = warpgroup::begin_rows_f16(self.low[0], part(0));
                unrolled!(2, c < D / 64 => {
                    if c > 0 {
                        dots = warpgroup::multiply_rows_f16(dots, self.low[c], part(c));
                    }
                });
                unrolled!(2, c < D / 64 => {
                    dots = warpgroup::multiply_rows_f16(dots, self.high[c], part(const { D / 64 } + c));
                });
            }
            unrolled!(2, c < D / 64 => {
                if c > 0 || !ROUGH {
                    dots = warpgroup::multiply_rows_f16(dots, self.high[c], part(c));
                }
            });
            dots
        }
    }

    /// Weights times 2^14, high and low halves, of 64 points of such lengths; what is summed of them is added to `totals`.
    #[inline(always)]
    pub(crate) fn weigh<M: Machine>(
        &self,
        dots: &Sums64,
        lengths: &[[f32; 2]; 8],
        totals: &mut [f32; 2],
    ) -> [Fragment; 2] {
        let (mut high, mut low) = ([0; 16], [0; 16]);
        unrolled!(16, i < 16 => {
            let (lower, mut w) = (i % 2, [0.0; 2]);
            for e in 0..2 {
                let apart = self.lengths[lower] + lengths[i / 2][e];
                w[e] = M::exp2_minus(M::mul_add(-2.0, dots[2 * i + e], apart));
            }
            let sum;
            (high[i], low[i], sum) = halve::<ROUGH>(w);
            totals[lower] += sum;
        });
        [high, low]
    }
}

/// Begins w x of 64 points and 64 coordinates, whose halves are these matrices, small ones first: three groups.
///
/// # Safety
/// As for [`warpgroup::multiply_columns_f16`].
#[inline(always)]
pub(crate) unsafe fn begin_sums(
    before: Option<Sums64>,
    [w, w_low]: [Fragment; 2],
    high: Matrix,
    low: Matrix,
) -> Sums64 {
    // SAFETY: the caller's promise.
    unsafe {
        let sums = match before {
            None => warpgroup::begin_columns_f16(w_low, high),
            Some(sums) => warpgroup::multiply_columns_f16(sums, w_low, high),
        };
        let sums = warpgroup::multiply_columns_f16(sums, w, low);
        warpgroup::multiply_columns_f16(sums, w, high)
    }
}

/// Adds products to sums.
#[inline(always)]
pub(crate) fn add_64(mut sums: Sums64, products: Sums64) -> Sums64 {
    unrolled!(16, i < 16 => {
        sums[2 * i] += products[2 * i];
        sums[2 * i + 1] += products[2 * i + 1];
    });
    sums
}

/// The block's dynamic shared memory, of which LLVM knows to be such only near where it is told so: at each read.
pub(crate) struct Dynamic;

impl Cells for Dynamic {
    #[inline(always)]
    unsafe fn read(&self, at: usize) -> f32 {
        // SAFETY: the caller's promise.
        unsafe { dynamic_shared_mem::<f32>().add(at).read() }
    }

    #[inline(always)]
    unsafe fn write(&self, at: usize, value: f32) {
        // SAFETY: the caller's promise.
        unsafe { dynamic_shared_mem::<f32>().add(at).write(value) }
    }
}

/// Writes this lane's sums and weights to where a block's are (`SumsOfBlock`), [`APART`] apart; `row` is its first query.
///
/// # Safety
/// All lanes come here; there is as much memory, and nobody reads it before a barrier.
#[inline(always)]
pub(crate) unsafe fn write_sums<const D: usize>(
    cells: *mut f32,
    sums: &[Sums64; 2],
    totals: [f32; 2],
    row: usize,
    t: usize,
) {
    // SAFETY: the caller's promise; each lane has cells of its own.
    unsafe {
        unrolled!(2, c < D / 64 => {
            unrolled!(16, i < 16 => {
                let cell = cells.add((c * 64 + i / 2 * 8 + 2 * t) * APART + row + i % 2 * 8);
                cell.write(sums[c][2 * i]);
                cell.add(APART).write(sums[c][2 * i + 1]);
            });
        });
        let totals = [over_row(totals[0]), over_row(totals[1])];
        // The four lanes of a row have the same.
        if t == 0 {
            let cell = cells.add(D * APART + row);
            cell.write(totals[0]);
            cell.add(8).write(totals[1]);
        }
    }
}
