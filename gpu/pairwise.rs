//! Pairwise distances: `out[i, j] = dist(A[i], B[j])`, with A m x d, B n x d, out m x n, all by rows.
//!
//! Differences are taken before they are squared: `|a|^2 - 2ab + |b|^2` would cancel in f32.
//! One thread computes `LANES` neighbouring columns of four rows, in blocks of 32 x 8 threads.

use cuda_std::prelude::*;

use crate::lanes;

/// A distance as a sum over coordinates and a last step. `p` is the exponent of the general norm.
pub(crate) trait Metric {
    /// What a difference of coordinates adds to the sum.
    fn add<M: Machine>(sum: f32, difference: f32, p: f32) -> f32;
    /// The distance from the sum.
    fn finish(sum: f32, p: f32) -> f32;
}

/// sum_c (a_c - b_c)^2
pub(crate) enum SquaredL2 {}

/// sqrt(sum_c (a_c - b_c)^2), the 2-norm
pub(crate) enum L2 {}

/// sum_c |a_c - b_c|, the 1-norm
pub(crate) enum L1 {}

/// (sum_c |a_c - b_c|^p)^(1/p) for p > 0
pub(crate) enum Lp {}

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

/// Rows of the output that a thread computes: coordinates of B, which lie apart, are fetched once for
/// all of them.
const HELD: usize = 4;

/// The sums over coordinates for some rows of A and some of B.
///
/// # Safety
/// `a` points to A and `b` to B; `i` holds rows of A and `j` of B.
#[inline(always)]
unsafe fn sums<M: Machine, T: Metric, const LANES: usize>(
    (a, i): (*const f32, [usize; HELD]),
    (b, j): (*const f32, [usize; LANES]),
    d: usize,
    p: f32,
) -> [[f32; LANES]; HELD] {
    let mut sums = [[0.0; LANES]; HELD];
    for c in 0..d {
        // SAFETY: the caller's promise, and c < d.
        let a = i.map(|i| unsafe { *a.add(i * d + c) });
        for lane in 0..LANES {
            // SAFETY: as above.
            let b = unsafe { *b.add(j[lane] * d + c) };
            for r in 0..HELD {
                sums[r][lane] = T::add::<M>(sums[r][lane], a[r] - b, p);
            }
        }
    }
    sums
}

/// `out[i * n + j] = dist(A[i], B[j])`. `p` counts for `pairwise_lp` alone.
#[kernel(
    instances(
        pairwise_squared_l2<SquaredL2>,
        pairwise_l2<L2>,
        pairwise_l1<L1>,
        pairwise_lp<Lp>,
    ),
    block = (COLUMNS as u32, ROWS as u32),
    grid = (n.div_ceil(COLUMNS * Machine::LANES), m.div_ceil(ROWS * HELD)),
    require(a.len() >= m * d, b.len() >= n * d, out.len() >= m * n, p > 0.0),
)]
pub unsafe fn pairwise<T: Metric>(a: &[f32], b: &[f32], mut out: DisjointMut<f32>, m: u32, n: u32, d: u32, p: f32) {
    const LANES: usize = Machine::LANES;
    let (m, n, d) = (m as usize, n as usize, d as usize);
    let (x, y) = thread::index_2d();
    let (i0, j0) = (y * HELD, x * LANES);
    if i0 >= m || j0 >= n {
        return;
    }
    // The last rows and columns repeat themselves rather than branch for each.
    let rows: [usize; HELD] = core::array::from_fn(|r| (i0 + r).min(m - 1));
    let columns: [usize; LANES] = core::array::from_fn(|lane| (j0 + lane).min(n - 1));
    // SAFETY: the launch has checked that A has m rows of d elements, and B n.
    let sums = unsafe { sums::<Machine, T, LANES>((a.as_ptr(), rows), (b.as_ptr(), columns), d, p) };
    for r in 0..HELD {
        let mut distances = [0.0; LANES];
        for lane in 0..LANES {
            distances[lane] = <T as Metric>::finish(sums[r][lane], p);
        }
        if i0 + r < m {
            // SAFETY: the threads' columns and rows differ.
            unsafe { lanes::write_some(&mut out, (i0 + r) * n + j0, distances, n - j0) };
        }
    }
}
