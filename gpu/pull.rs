//! What a tile of points adds to a thread's queries, in d = 1, 2, 3, 4: a weight for each pair, and differences by weights.
//!
//! Operations for a pair, d = 2, Gaussian: 2 subtractions, 1 multiplication, 1 fused multiply-add,
//! 1 exponential, 1 addition, 2 fused multiply-adds. On a GPU the exponential has a unit of its own
//! (16 a clock a multiprocessor) which is the limit; on a processor it is 11 more operations.
//!
//! What it is part of: see shift.rs. The same by products: local.rs; without pairs: whole.rs.

use cuda_std::prelude::*;

use crate::lanes;
use crate::local;
use crate::rows::Row;
use crate::tile::read_group;
use crate::weight::Weight;

/// Points that a GPU's inner loop takes at a time.
const UNROLL: usize = 4;

/// Lanes with AVX-512 and AVX2.
pub(crate) const AVX512: usize = 32;
const AVX2: usize = 16;

/// Sums of a thread's queries: sum_j w (x_j - q_i) in each coordinate, and sum_j w.
pub(crate) type Sums<const D: usize, const LANES: usize> = ([[f32; LANES]; D], [f32; LANES]);

/// What a tile of points adds to a thread's queries.
///
/// A GPU takes several points at a time, which LLVM does not do by itself around loads of shared memory;
/// a processor's loop over one point is long enough.
#[inline(always)]
pub(crate) fn pull<M: Machine, W: Weight, R: Row<D>, const D: usize, const LANES: usize>(
    rows: &[R],
    queries: &[[f32; LANES]; D],
) -> Sums<D, LANES> {
    let none = ([[0.0; LANES]; D], [0.0; LANES]);
    if LANES > 4 {
        // What comes of it goes through memory: what is done with it elsewhere has LLVM take vectors to pieces in the loop. With
        // both vectors of three or more coordinates it does so by itself.
        return lanes::read_unseen(&if D > 2 && LANES == AVX512 {
            pull_halves::<M, W, R, D, LANES, { AVX512 / 2 }, false>(rows, queries)
        } else if D > 3 && R::MARKED && LANES == AVX2 {
            pull_halves::<M, W, R, D, LANES, { AVX2 / 2 }, false>(rows, queries)
        } else {
            pull_groups::<M, W, R, D, LANES, 1>(rows, queries, none)
        });
    }
    // Of rows that take two loads, four would be a loop that LLVM does not unroll.
    let (sums, taken) = if size_of::<R>() > 16 {
        (pull_groups::<M, W, R, D, LANES, 2>(rows, queries, none), rows.len() / 2 * 2)
    } else {
        (pull_groups::<M, W, R, D, LANES, UNROLL>(rows, queries, none), rows.len() / UNROLL * UNROLL)
    };
    pull_groups::<M, W, R, D, LANES, 1>(&rows[taken..], queries, sums)
}

/// [`pull_groups`] of one half of the lanes after the other, to the bit; or [`local::pull_groups`], if sums are of products.
#[inline(always)]
pub(crate) fn pull_halves<
    M: Machine,
    W: Weight,
    R: Row<D>,
    const D: usize,
    const LANES: usize,
    const HALF: usize,
    const PRODUCTS: bool,
>(
    rows: &[R],
    queries: &[[f32; LANES]; D],
) -> Sums<D, LANES> {
    let (mut sums, mut totals) = ([[0.0; LANES]; D], [0.0; LANES]);
    for first in [0, HALF] {
        let mut half = [[0.0; HALF]; D];
        for c in 0..D {
            for lane in 0..HALF {
                half[c][lane] = queries[c][first + lane];
            }
        }
        let none = ([[0.0; HALF]; D], [0.0; HALF]);
        let half = lanes::read_unseen(&half);
        let (half_sums, half_totals) = lanes::read_unseen(&if PRODUCTS {
            local::pull_groups::<M, W, R, D, HALF, 1>(rows, &half, none)
        } else {
            pull_groups::<M, W, R, D, HALF, 1>(rows, &half, none)
        });
        for lane in 0..HALF {
            totals[first + lane] = half_totals[lane];
            for c in 0..D {
                sums[c][first + lane] = half_sums[c][lane];
            }
        }
    }
    (sums, totals)
}

/// [`pull`] of as many points as whole groups of `GROUP` hold, added to what there is.
///
/// The sums are local arrays, changed by one nest of loops in one function: only so do they stay in a
/// processor's registers. Handed from call to call for each point, they are stored each time.
#[inline(always)]
fn pull_groups<M: Machine, W: Weight, R: Row<D>, const D: usize, const LANES: usize, const GROUP: usize>(
    rows: &[R],
    queries: &[[f32; LANES]; D],
    (mut sums, mut totals): Sums<D, LANES>,
) -> Sums<D, LANES> {
    // 32 bits: a GPU counts in them with half the instructions.
    for group in 0..(rows.len() / GROUP) as u32 {
        // SAFETY: the group lies within the rows.
        let group = unsafe { read_group::<R, GROUP>(rows.as_ptr().add(group as usize * GROUP)) };
        for k in 0..GROUP {
            let x = group[k].coordinates();
            let mut differences = [[0.0; LANES]; D];
            let mut squared = [0.0; LANES];
            for c in 0..D {
                for lane in 0..LANES {
                    let difference = x[c] - queries[c][lane];
                    differences[c][lane] = difference;
                    squared[lane] = if c == 0 {
                        difference * difference
                    } else {
                        M::mul_add(difference, difference, squared[lane])
                    };
                }
            }
            if R::MARKED {
                squared = lanes::scale(group[k].scale(), squared);
            }
            let mut weights = W::of_lanes::<M, LANES>(squared);
            if R::MARKED {
                weights = lanes::scale(group[k].factor(), weights);
            }
            totals = lanes::add(totals, weights);
            for c in 0..D {
                for lane in 0..LANES {
                    sums[c][lane] = M::mul_add(weights[lane], differences[c][lane], sums[c][lane]);
                }
            }
        }
    }
    (sums, totals)
}
