//! Weighted reduction: out[i] = sum_j W[i, j] X[j] / sum_j W[i, j], with W m x n, X n x d, out m x d.
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

/// out[i * d + c] for the COLUMNS columns c from block_idx_y * COLUMNS on.
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

    let mut sums = [[0.0; LANES]; COLUMNS];
    let mut total = [0.0; LANES];
    let mut j0 = t * LANES;
    while j0 < n {
        for lane in 0..LANES {
            // The end of a row repeats its last element with weight zero.
            let (j, inside) = if j0 + lane < n { (j0 + lane, true) } else { (n - 1, false) };
            let weight = if inside { row[j] } else { 0.0 };
            total[lane] += weight;
            for c in 0..COLUMNS {
                let column = first + if c < columns { c } else { 0 };
                // SAFETY: j < n and column < d, so the index is below n * d <= points.len().
                let x = unsafe { *points.get_unchecked(j * d + column) };
                sums[c][lane] = Machine::mul_add(weight, x, sums[c][lane]);
            }
        }
        j0 += threads * LANES;
    }
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
        for other in 0..threads {
            // SAFETY: every thread of the block wrote its cell before the barrier.
            let cell = unsafe { &*partial.add(other) };
            sum += cell[t];
            total += cell[COLUMNS];
        }
        // SAFETY: row i and column first + t belong to this block and thread.
        unsafe { out.write(i * d + first + t, sum / total) };
    }
}
