//! Pairwise distances: out[i, j] = dist(A[i], B[j]), with A m x d, B n x d, out m x n, all by rows.
//!
//! Differences are taken before they are squared: `|a|^2 - 2ab + |b|^2` would cancel in f32.
//! One thread computes `LANES` neighbouring columns of one row, in blocks of 32 x 8.

use cuda_std::prelude::*;

/// A distance as a sum over coordinates and a last step. `p` is the exponent of the general norm.
pub trait Metric {
    /// What a difference of coordinates adds to the sum.
    fn add<M: Machine>(sum: f32, difference: f32, p: f32) -> f32;
    /// The distance from the sum.
    fn finish(sum: f32, p: f32) -> f32;
}

/// sum_c (a_c - b_c)^2
pub enum SquaredL2 {}

/// sqrt(sum_c (a_c - b_c)^2), the 2-norm
pub enum L2 {}

/// sum_c |a_c - b_c|, the 1-norm
pub enum L1 {}

/// (sum_c |a_c - b_c|^p)^(1/p) for p > 0
pub enum Lp {}

impl Metric for SquaredL2 {
    #[inline(always)]
    fn add<M: Machine>(sum: f32, difference: f32, _p: f32) -> f32 {
        M::mul_add(difference, difference, sum)
    }

    #[inline(always)]
    fn finish(sum: f32, _p: f32) -> f32 {
        sum
    }
}

impl Metric for L2 {
    #[inline(always)]
    fn add<M: Machine>(sum: f32, difference: f32, _p: f32) -> f32 {
        M::mul_add(difference, difference, sum)
    }

    #[inline(always)]
    fn finish(sum: f32, _p: f32) -> f32 {
        sum.sqrt()
    }
}

impl Metric for L1 {
    #[inline(always)]
    fn add<M: Machine>(sum: f32, difference: f32, _p: f32) -> f32 {
        sum + difference.abs()
    }

    #[inline(always)]
    fn finish(sum: f32, _p: f32) -> f32 {
        sum
    }
}

impl Metric for Lp {
    #[inline(always)]
    fn add<M: Machine>(sum: f32, difference: f32, p: f32) -> f32 {
        sum + difference.abs().powf(p)
    }

    #[inline(always)]
    fn finish(sum: f32, p: f32) -> f32 {
        sum.powf(1.0 / p)
    }
}

/// Threads of a block along the columns and the rows of the output.
const COLUMNS: usize = 32;
const ROWS: usize = 8;

/// out[i * n + j] = dist(A[i], B[j]). `p` counts for `pairwise_lp` alone.
#[kernel(
    instances(
        pairwise_squared_l2<SquaredL2>,
        pairwise_l2<L2>,
        pairwise_l1<L1>,
        pairwise_lp<Lp>,
    ),
    block = (COLUMNS as u32, ROWS as u32),
    grid = (n.div_ceil(COLUMNS * Machine::LANES), m.div_ceil(ROWS)),
    require(a.len() >= m * d, b.len() >= n * d, out.len() >= m * n, p > 0.0),
)]
pub unsafe fn pairwise<T: Metric>(a: &[f32], b: &[f32], mut out: DisjointMut<f32>, m: u32, n: u32, d: u32, p: f32) {
    const LANES: usize = Machine::LANES;
    let (m, n, d) = (m as usize, n as usize, d as usize);
    let (x, i) = thread::index_2d();
    let j0 = x * LANES;
    if i >= m || j0 >= n {
        return;
    }
    let a = &a[i * d..][..d];
    let mut sums = [0.0; LANES];
    // The last columns repeat the last row of B rather than branch for each lane.
    let rows: [usize; LANES] = core::array::from_fn(|lane| (j0 + lane).min(n - 1) * d);
    for (c, &a) in a.iter().enumerate() {
        for lane in 0..LANES {
            // SAFETY: rows[lane] + c < n * d <= b.len(), which the launch has checked.
            let difference = a - unsafe { *b.get_unchecked(rows[lane] + c) };
            sums[lane] = <T as Metric>::add::<Machine>(sums[lane], difference, p);
        }
    }
    for (lane, sum) in sums.into_iter().enumerate() {
        if j0 + lane < n {
            // SAFETY: the threads' columns and rows differ.
            unsafe { out.write(i * n + j0 + lane, <T as Metric>::finish(sum, p)) };
        }
    }
}
