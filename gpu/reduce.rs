//! Weighted reduction: `out[i] = sum_j W[i, j] X[j] / sum_j W[i, j]`, with W m x n, X n x d, out m x d.
//!
//! One block a row of W and up to four columns of X. A thread takes `LANES` neighbouring elements of
//! the row at a time, so that a GPU's warp reads whole lines and a processor whole vectors; partial
//! sums meet in shared memory and are added in the order of the threads.
//!
//! A row whose weights sum to zero has no weighted mean: its output is NaN.

use cuda_std::prelude::*;

use crate::lanes;

/// The most threads of a block.
const MOST: usize = 256;

/// Sums for some columns c of w_j x_jc, and of w_j, in each lane.
type Sums<const COLUMNS: usize, const LANES: usize> = ([[f32; LANES]; COLUMNS], [f32; LANES]);

/// Adds the first `count` of some weights to the lanes' sums. `points` points to the first of the
/// columns in the first weight's row of X; columns from `columns` on repeat the first one.
///
/// # Safety
/// `weights` points to `count` weights, and `points` into as many rows of `d`.
#[inline(always)]
unsafe fn add<M: Machine, const COLUMNS: usize, const LANES: usize>(
    weights: *const f32,
    points: *const f32,
    count: usize,
    (d, columns): (usize, usize),
    (mut sums, mut total): Sums<COLUMNS, LANES>,
) -> Sums<COLUMNS, LANES> {
    for lane in 0..LANES {
        if lane < count {
            // SAFETY: the caller's promise.
            let weight = unsafe { *weights.add(lane) };
            total[lane] += weight;
            for c in 0..COLUMNS {
                let column = if c < columns { c } else { 0 };
                // SAFETY: as above.
                let x = unsafe { *points.add(lane * d + column) };
                sums[c][lane] = M::mul_add(weight, x, sums[c][lane]);
            }
        }
    }
    (sums, total)
}

/// The sums over the weights `start..end` that a thread takes, `LANES` neighbours every `step`.
///
/// # Safety
/// As for [`add`], for all the weights and rows up to `end`.
#[inline(always)]
unsafe fn sums<M: Machine, const COLUMNS: usize, const LANES: usize>(
    weights: *const f32,
    points: *const f32,
    (start, step, end): (usize, usize, usize),
    (d, columns): (usize, usize),
) -> Sums<COLUMNS, LANES> {
    let mut sums = ([[0.0; LANES]; COLUMNS], [0.0; LANES]);
    let mut j = start;
    // SAFETY: the caller's promise, with j + count <= end.
    unsafe {
        while j + LANES <= end {
            sums = add::<M, COLUMNS, LANES>(weights.add(j), points.add(j * d), LANES, (d, columns), sums);
            j += step;
        }
        if j < end {
            sums = add::<M, COLUMNS, LANES>(weights.add(j), points.add(j * d), end - j, (d, columns), sums);
        }
    }
    sums
}

/// `out[i * d + c]` for the COLUMNS columns c from block_idx_y * COLUMNS on.
#[kernel(
    instances(
        reduce_weighted_1<1>,
        reduce_weighted_2<2>,
        reduce_weighted_3<3>,
        reduce_weighted_4<4>,
    ),
    threads = 32..=MOST as u32,
    grid = (m, d.div_ceil(COLUMNS)),
    require(weights.len() >= m * n, points.len() >= n * d, out.len() >= m * d),
)]
pub unsafe fn reduce_weighted<const COLUMNS: usize>(
    weights: &[f32],
    points: &[f32],
    mut out: DisjointMut<f32>,
    m: u32,
    n: u32,
    d: u32,
) {
    const LANES: usize = Machine::LANES;
    let partial = shared_array![[f32; COLUMNS + 1]; MOST];
    let (n, d) = (n as usize, d as usize);
    let i = thread::block_idx_x() as usize;
    let first = thread::block_idx_y() as usize * COLUMNS;
    let columns = COLUMNS.min(d - first);
    let (t, threads) = (thread::thread_idx_x() as usize, thread::block_dim_x() as usize);
    let row = &weights[i * n..][..n];

    // A GPU's threads read neighbouring elements together, a processor's thread reads a run of them.
    let run = n.div_ceil(threads * LANES) * LANES;
    let range = if LANES > 4 { (t * run, LANES, n.min((t + 1) * run)) } else { (t * LANES, threads * LANES, n) };
    // SAFETY: the launch has checked the lengths; ranges end at n, and columns at d.
    let (sums, total) = unsafe {
        let points = points.as_ptr().add(first);
        if d == COLUMNS {
            // The same with numbers known to the compiler, which then loads whole vectors.
            sums::<Machine, COLUMNS, LANES>(row.as_ptr(), points, range, (COLUMNS, COLUMNS))
        } else {
            sums::<Machine, COLUMNS, LANES>(row.as_ptr(), points, range, (d, columns))
        }
    };
    // SAFETY: cell t is this thread's until the barrier, and nobody's after it.
    unsafe {
        for c in 0..COLUMNS {
            (*partial.add(t))[c] = lanes::sum(sums[c]);
        }
        (*partial.add(t))[COLUMNS] = lanes::sum(total);
    }
    thread::sync_threads();
    if t < columns {
        let (mut sum, mut total) = (0.0, 0.0);
        // 32 bits: a GPU counts in them with half the instructions.
        for other in 0..threads as u32 {
            // SAFETY: every thread of the block wrote its cell before the barrier.
            let cell = unsafe { &*partial.add(other as usize) };
            sum += cell[t];
            total += cell[COLUMNS];
        }
        // SAFETY: row i and column first + t belong to this block and thread.
        unsafe { out.write(i * d + first + t, sum / total) };
    }
}
