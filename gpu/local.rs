//! Sums over a box of points by products, from the middle of the box, where it is small.
//!
//! With o the middle of a box, y_j = x_j - o and r_i = q_i - o, a weight that turns sums into products is
//!
//! ```text
//! W(|y_j - r_i|^2) = W(|r_i|^2) W(|y_j|^2 - 2 r_i y_j)
//! ```
//!
//! of which the first factor is the same for all points of the box. So a pair takes D multiply-adds for its exponent instead of D
//! subtractions, as many squares and no less: d = 2, Gaussian, 6 operations instead of 8; d = 3, 8 instead of 11.
//!
//! # Precision
//! The exponent is a difference of numbers up to |y|^2 + 2 |y| |r|, in scaled units, rounded D + 1 times to 2^-24 of that. With
//! |y| <= 2 (near.rs) and a point of some weight, |y - r| <= 4, it is below 28: so that weights are off by some
//! 2e-6 of themselves where they are 2^-16, and by 1e-6 where they count. Differences are off by 2^-23 |y - r|^2, which is as much for
//! what is far.

use cuda_std::prelude::*;

use crate::lanes;
use crate::near::Frame;
use crate::pull::{AVX512, Sums, pull_halves};
use crate::rows::Row;
use crate::tile::read_group;
use crate::weight::Weight;

/// What the points of a box add to a thread's queries, of which `count` are any; nothing, if all are too far. Rows are counted
/// from the middle of the box.
#[inline(always)]
pub(crate) fn pull<M: Machine, W: Weight, R: Row<D>, const D: usize, const LANES: usize>(
    rows: &[R],
    queries: &[[f32; LANES]; D],
    frame: &Frame<D>,
    count: u32,
) -> Option<Sums<D, LANES>> {
    // -2 r, and |r|^2.
    let (mut doubled, mut squared) = ([[0.0; LANES]; D], [0.0; LANES]);
    for c in 0..D {
        for lane in 0..LANES {
            let from = queries[c][lane] - frame.middle[c];
            doubled[c][lane] = -2.0 * from;
            squared[lane] = M::mul_add(from, from, squared[lane]);
        }
    }
    let mut all_far = true;
    for lane in 0..LANES {
        squared[lane] = if lane < count as usize { squared[lane] } else { f32::INFINITY };
        // A NaN is not far.
        all_far &= squared[lane] > frame.limit;
    }
    if all_far {
        return None;
    }
    let none = ([[0.0; LANES]; D], [0.0; LANES]);
    let (mut sums, mut totals) = if LANES > 4 {
        // From memory and to memory, and in halves: see pull.rs.
        let doubled = lanes::read_unseen(&doubled);
        lanes::read_unseen(&if D > 2 && LANES == AVX512 {
            pull_halves::<M, W, R, D, LANES, { AVX512 / 2 }, true>(rows, &doubled)
        } else {
            pull_groups::<M, W, R, D, LANES, 1>(rows, &doubled, none)
        })
    } else {
        let sums = pull_groups::<M, W, R, D, LANES, 4>(rows, &doubled, none);
        pull_groups::<M, W, R, D, LANES, 1>(&rows[rows.len() / 4 * 4..], &doubled, sums)
    };
    // W(|r|^2), of two factors, since it may be smaller than a number can be.
    let mut factors = [0.0; LANES];
    for lane in 0..LANES {
        factors[lane] = 0.5 * squared[lane];
    }
    let factors = W::of_lanes::<M, LANES>(factors);
    for lane in 0..LANES {
        let (factor, half, far) = (factors[lane], 0.5 * totals[lane], squared[lane] > frame.limit);
        totals[lane] = if far { 0.0 } else { totals[lane] * factor * factor };
        for c in 0..D {
            let sum = M::mul_add(doubled[c][lane], half, sums[c][lane]) * factor * factor;
            sums[c][lane] = if far { 0.0 } else { sum };
        }
    }
    Some((sums, totals))
}

/// Sums of weights times y_j, and of weights, without their common factor.
#[inline(always)]
pub(crate) fn pull_groups<M: Machine, W: Weight, R: Row<D>, const D: usize, const LANES: usize, const GROUP: usize>(
    rows: &[R],
    doubled: &[[f32; LANES]; D],
    (mut sums, mut totals): Sums<D, LANES>,
) -> Sums<D, LANES> {
    for group in 0..(rows.len() / GROUP) as u32 {
        // SAFETY: the group lies within the rows.
        let group = unsafe { read_group::<R, GROUP>(rows.as_ptr().add(group as usize * GROUP)) };
        for k in 0..GROUP {
            let y = group[k].coordinates();
            let mut exponents = [group[k].squared(); LANES];
            for c in 0..D {
                for lane in 0..LANES {
                    exponents[lane] = M::mul_add(doubled[c][lane], y[c], exponents[lane]);
                }
            }
            let weights = W::of_lanes::<M, LANES>(exponents);
            totals = lanes::add(totals, weights);
            for c in 0..D {
                for lane in 0..LANES {
                    sums[c][lane] = M::mul_add(weights[lane], y[c], sums[c][lane]);
                }
            }
        }
    }
    (sums, totals)
}
