//! The Gaussian mean-shift step on tensor cores, for up to 16, 32, 64 or 128 dimensions.   Compute 8.0 or newer.
//!
//! Attention with queries, keys and values alike: with scaled coordinates (weight.rs) the weight is
//! 2^-|q - x|^2 = 2^(2 q.x - |q|^2 - |x|^2), and a query moves to `sum_j w_j x_j / sum_j w_j`. Exponents are never above 0, so
//! that no maximum need be followed, as attention must.
//!
//! ```text
//! halves_of_columns, a pass over the points: rows of f16, x = high + low, and |x|^2
//! a block of 4 warps: 64 queries, or 128 where registers hold them, whose rows stay there
//! for each tile of points, three of which are in shared memory, two on their way; beside them, of few dimensions, |x|^2:
//!     for each 16 points of it:
//!         q.x      by products of 16 x 8: high high, and (low high) + (high low)
//!         w        of each pair, times 2^14, as f16: w = high + low
//!         sums     += w x likewise, added to what there is in f32
//! ```
//!
//! f16 and not bf16: both are as fast, f16 has 3 bits more, and coordinates in bandwidths about their centre need no more
//! range than it has. Weights are times 2^14, so that f16 has them down to 2^-39.
//!
//! # Precision
//! Let R be the greatest |x| or |q| in scaled coordinates, that is 0.85 times bandwidths.
//!
//! | | `shift_tensor` | `shift_tensor_rough` |
//! |---|---|---|
//! | number as it is multiplied, relative | 2^-22 | 2^-11 |
//! | exponent, absolute, at most ([`exponent_error`]) | (2^-19 + D 2^-21) R^2 | (2^-9 + D 2^-21) R^2 |
//! | weight, relative | the exponent's and 2^-22, and 2^-39 absolute | the exponent's and 2^-11 |
//! | sums, relative to that of magnitudes | 2^-18 | 2^-10 + n 2^-27 |
//!
//! The step is off by the weights' relative error times how far the weighty points are from their mean. Rounding errors of
//! different coordinates have different signs, so that what is seen is a tenth of the bound and less. A query
//! of which all weights together are below 2^-20 should not be asked of this kernel.

use cuda_std::prelude::*;
use cuda_std::shared::SharedAddress;
use cuda_std::{narrow, warp};

use crate::block_sums::SumsOfBlock;
use crate::progress;
use crate::pull_tensor::{Arguments, THREADS, pull, shared};
use crate::shift::end_blurring;
use crate::slices::Slices;
use crate::tensor::{ROWS, WORDS, unrolled};

/// The |x|^2 of what is no point: its weight is zero.
const NOWHERE: f32 = 1e30;

/// The dimensions that instances are compiled for: the last two in shift_tensor_wide.rs and shift_tensor_split.rs.
pub const WIDTHS: [usize; 6] = [16, 32, 64, 128, 256, 512];

/// The dimensions of the instance for d, where there is one.
///
/// ```
/// use gpu::shift_tensor::wide;
///
/// assert_eq!([5, 16, 17, 512, 513].map(wide), [Some(16), Some(16), Some(32), Some(512), None]);
/// ```
#[cfg(not(target_arch = "nvptx64"))]
pub fn wide(d: usize) -> Option<usize> {
    WIDTHS.into_iter().find(|wide| d <= *wide)
}

/// Dimensions of the instances from which on all points are taken at once: all registers are taken there, and what slices add spilled on
/// compute 12.0.
const WHOLE: usize = 128;

/// Queries that a block moves, 16 a warp and `tall`.
///
/// ```
/// assert!(gpu::shift_tensor::queries_of_block(1) < gpu::shift_tensor::queries_of_block(2));
/// ```
pub const fn queries_of_block(tall: usize) -> usize {
    THREADS / 32 * 16 * tall
}

/// Rows that `halves_of_columns` makes of so many points.
///
/// ```
/// assert!(gpu::shift_tensor::padded(100) >= 100);
/// ```
pub const fn padded(n: usize) -> usize {
    n.next_multiple_of(ROWS)
}

/// How far off the exponent of a weight may be, for coordinates whose length is `radius` at most: see the file.
///
/// ```
/// use gpu::shift_tensor::exponent_error;
///
/// // Twice as far from the centre, four times the error; and halves are more exact than one f16.
/// assert!(exponent_error(8.0, 64, false) > 3.0 * exponent_error(4.0, 64, false));
/// assert!(exponent_error(4.0, 64, true) > 50.0 * exponent_error(4.0, 64, false));
/// ```
#[cfg(not(target_arch = "nvptx64"))]
pub fn exponent_error(radius: f64, wide: usize, rough: bool) -> f64 {
    let rounding = if rough { 2.0_f64.powi(-9) } else { 2.0_f64.powi(-19) };
    radius * radius * (rounding + wide as f64 * 2.0_f64.powi(-21))
}

/// Rows of f16 of points by columns, and the squares of their lengths; zeros, and a length beyond all, behind the last.
///
/// Row i has `wide` words: pairs of the coordinates' high halves, then of their low halves; zeros from d on.   One
/// thread a row.
#[kernel(
    threads = 32..=1024,
    grid = norms.len().div_ceil(block.x),
    require(
        columns.len() >= stride * d,
        stride >= n,
        norms.len() >= n,
        norms.len().is_multiple_of(ROWS),
        rows.len() >= norms.len() * wide,
        wide >= d,
        wide.is_multiple_of(16),
    ),
)]
pub unsafe fn halves_of_columns(
    columns: &[f32],
    mut rows: DisjointMut<u32>,
    mut norms: DisjointMut<f32>,
    n: u32,
    d: u32,
    stride: u32,
    wide: u32,
) {
    let (n, d, stride, wide) = (n as usize, d as usize, stride as usize, wide as usize);
    let i = thread::index_1d();
    if i >= norms.len() {
        return;
    }
    let mut squared = 0.0;
    let mut c = 0;
    while c < wide {
        let mut part = 0.0;
        for k in 0..WORDS {
            let coordinate = |c: usize| if i < n && c < d { columns[c * stride + i] } else { 0.0 };
            let x = [coordinate(c + 2 * k), coordinate(c + 2 * k + 1)];
            let high = narrow::f16_pair(x[0], x[1]);
            let highs = narrow::f16_values(high);
            let low = narrow::f16_pair(x[0] - highs[0], x[1] - highs[1]);
            let lows = narrow::f16_values(low);
            for e in 0..2 {
                // What is multiplied, and no other number: points that have met are at distance 0.
                let whole = highs[e] + lows[e];
                part = Machine::mul_add(whole, whole, part);
            }
            // SAFETY: the row is this thread's.
            unsafe {
                rows.write(i * wide + c / 2 + k, high);
                rows.write(i * wide + wide / 2 + c / 2 + k, low);
            }
        }
        squared += part;
        c += 2 * WORDS;
    }
    // SAFETY: as above.
    unsafe { norms.write(i, if i < n { squared } else { NOWHERE }) };
}

/// One step of up to D dimensions. TALL is how many times 16 queries a warp has; `most` is at least the number of active
/// queries. ROUGH leaves the low halves out. A tile has TILE words: with few dimensions small ones leave room for more blocks.
///
/// `slice` is how many points a block takes, n or, in up to 64 dimensions, a multiple of 128; for less than n, `partial` is where the slices' sums meet, d + 1
/// columns each, and `arrived`, which is all zeros, where blocks are counted (slices.rs).
#[kernel(
    instances(
        shift_tensor_16<16, 2, false, 2048>,
        registers(168) shift_tensor_32<32, 2, false, 2048>,
        registers(168) shift_tensor_64<64, 1, false, 4096>,
        shift_tensor_128<128, 1, false, 4096>,
        shift_tensor_rough_64<64, 2, true, 4096>,
        shift_tensor_rough_128<128, 1, true, 4096>,
    ),
    block = THREADS as u32,
    grid = (most.div_ceil(queries_of_block(TALL)), n.div_ceil(slice.max(1))),
    require(
        d <= D,
        queries.len() >= query_stride * d,
        query_rows.len() >= padded(most) * D,
        query_norms.len() >= padded(most),
        rows.len() >= padded(n) * D,
        norms.len() >= padded(n),
        query_rows.is_aligned(16),
        query_norms.is_aligned(16),
        rows.is_aligned(16),
        norms.is_aligned(16),
        next.len() >= query_stride * d,
        sums.len() >= query_stride * 2,
        state.len() >= progress::HISTORY + limit,
        state.is_aligned(8),
        n >= 1,
        query_stride >= most,
        slice >= 1,
        slice >= n || D < WHOLE,
        slice >= n || slice.is_multiple_of(ROWS),
        slice >= n || partial.len() >= n.div_ceil(slice) * (d + 1) * query_stride,
        slice >= n || arrived.len() >= most.div_ceil(queries_of_block(TALL)),
    ),
)]
pub unsafe fn shift_tensor<const D: usize, const TALL: usize, const ROUGH: bool, const TILE: usize>(
    queries: &[f32],
    query_rows: &[u32],
    query_norms: &[f32],
    rows: &[u32],
    norms: &[f32],
    mut next: DisjointMut<f32>,
    mut sums: DisjointMut<f32>,
    state: *mut u32,
    n: u32,
    d: u32,
    query_stride: u32,
    most: u32,
    limit: u32,
    tolerance: f32,
    relaxation: f32,
    partial: *mut f32,
    arrived: *mut u32,
    slice: u32,
) {
    let stages = shared_array![u32; shared(D, TILE)];
    // SAFETY: the launch has checked the length of `state`; launches follow one another.
    let active = unsafe { progress::active(state, limit, most) };
    let first = thread::block_idx_x() as usize * queries_of_block(TALL);
    // Whole blocks leave: the others need all their threads for the tiles.
    if first >= active as usize {
        return;
    }
    let (lane, warp) = (warp::lane_id() as usize, thread::thread_idx_x() as usize / 32);
    let (row, t) = (warp * 16 * TALL + lane / 4, lane % 4);
    // The sums go to shared memory, where a thread takes those of its query: coordinate c of query i is c * apart + i,
    // and behind the coordinates are the weights. Four more than there are queries: so no two lanes have the same bank.
    let (cells, apart) = (stages.cast::<f32>(), const { queries_of_block(TALL) + 4 });
    const { assert!((D + 1) * (queries_of_block(TALL) + 4) <= shared(D, TILE)) };
    let slices = Slices { partial, arrived, points: slice };
    // SAFETY: the launch has checked the sizes, and all threads are here with the same arguments. A slice begins with a tile. Behind the
    // barrier nobody reads points any more; each lane has cells of its own.
    unsafe {
        let arguments = Arguments { query_rows, query_norms, rows, norms };
        let range = if D < WHOLE { slices.range(n) } else { (0, n) };
        let base = SharedAddress::of(stages);
        let (moved, totals) = pull::<Machine, D, TALL, ROUGH, TILE>(base, &arguments, range, first + row, t);
        thread::sync_threads();
        unrolled!(2, m < TALL => {
            unrolled!(16, c8 < D / 8 => {
                for i in 0..4 {
                    cells.add((8 * c8 + 2 * t + i % 2) * apart + row + 16 * m + i / 2 * 8).write(moved[m][c8][i]);
                }
            });
            for lower in 0..2 {
                // The four lanes of a row have the same.
                if t == 0 {
                    cells.add(D * apart + row + 16 * m + lower * 8).write(totals[m][lower]);
                }
            }
        });
    }
    thread::sync_threads();
    let block = SumsOfBlock { cells, apart, wide: D, queries: queries_of_block(TALL), first };
    // SAFETY: the launch has checked the sizes, and all threads are behind the barrier.
    if D < WHOLE && !unsafe { block.meet(&slices, n, [d, query_stride, active]) } {
        return;
    }
    // SAFETY: the launch has checked the sizes.
    let farthest = unsafe { block.end(queries, &mut next, &mut sums, [d, query_stride, active], relaxation) };
    if tolerance >= 0.0 {
        // SAFETY: every block of the launch is here, of several slices the last, or none was active.
        unsafe { end_blurring(state, farthest, tolerance, active) };
    }
}
