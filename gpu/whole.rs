//! Sums over a box of points that is within reach as a whole: by what is known of the box.
//!
//! Where a weight is a power of 1 - q up to its end (q the scaled squared distance), as the flat one is, Epanechnikov's and the
//! biweight, and a box of points (near.rs) is within that of a query, what the box adds is a polynomial in the query's place, whose
//! coefficients are moments of the box (polynomial.rs). With the flat weight it is
//!
//! ```text
//! sum_j f_j = F,    sum_j f_j (x_j - q) = S + F (o - q)      S = sum_j f_j (x_j - o)
//! ```
//!
//! with o the middle of the box and f_j the points' factors. Moments are found once for all queries (boxes.rs), and a box of 64
//! points takes a query 2 D operations instead of 64 (3 D + 2). What is left are the boxes that the end of the weight passes through,
//! and they become fewer beside the others as the square root of the points, in the plane, and vanish where points have drawn together.
//!
//! Which boxes are whole is asked for each query by itself, so that its sums do not depend on who its neighbours in the block are;
//! and as pairs are, in the same order of coordinates, and each operation rounds monotonically: so no pair of such a box could have
//! been farther. Where the queries of a whole block are within reach of a wide box its points are not even loaded.
//!
//! On processors alone, where steps are limited by operations; a GPU takes the pairs. Where points have bandwidths of their own, there are
//! no such sums.

use cuda_std::machine::MachineKind;
use cuda_std::prelude::*;

use crate::near::{self, BOX, Near, WIDE, larger, middle_of, side};
use crate::polynomial::{self, Moments, moments};
use crate::pull::{Sums, pull};
use crate::rows::Row;
use crate::weight::Weight;

/// Numbers of the moments of the boxes of n points of d coordinates, for a weight of this power.
///
/// ```
/// // One box of up to 64 points of three coordinates, for the flat weight: S and F.
/// assert_eq!(gpu::whole::len(64, 3, 0), 4);
/// ```
pub const fn len(n: usize, d: usize, power: u32) -> usize {
    moments(d, power) * n.div_ceil(BOX)
}

/// Where the moments begin, behind the boxes of points that are marked or not.
pub(crate) const fn begin(n: usize, d: usize, marked: bool) -> usize {
    if marked { near::len_marked(n, d) } else { near::len(n, d) }
}

/// Whether steps of weights that are a power somewhere look at the moments of boxes, on a machine and for points of d coordinates.
///
/// ```
/// use cuda_std::machine::MachineKind;
///
/// assert!(gpu::whole::serves(MachineKind::Avx512, 2) && !gpu::whole::serves(MachineKind::Gpu, 2));
/// ```
pub const fn serves(machine: MachineKind, d: usize) -> bool {
    d <= polynomial::MOST && !matches!(machine, MachineKind::Gpu)
}

/// The moments of boxes.
#[derive(Clone, Copy)]
pub(crate) struct Whole<'a> {
    near: Near<'a>,
    /// The points.
    n: u32,
    /// Where they begin behind the boxes; nowhere, if they are not there.
    moments: Option<&'a [f32]>,
}

/// The weight's power, and the scaled squared distance up to which boxes are summed as a whole: less than any, if it has none.
const fn power<W: Weight>() -> (u32, f32) {
    match W::POWER {
        Some((power, up_to)) => {
            assert!(power <= 2, "moments of boxes serve powers of 0, 1 and 2");
            (power, up_to)
        }
        None => (0, -1.0),
    }
}

impl<'a> Whole<'a> {
    /// Those behind the boxes of n points, if there are any, and a use for them.
    #[inline(always)]
    pub fn behind<W: Weight, R: Row<D>, const D: usize, const LANES: usize>(near: Near<'a>, n: u32) -> Self {
        let (begin, count) = (begin(n as usize, D, R::MARKED), len(n as usize, D, const { power::<W>().0 }));
        let are_there = LANES > 4 && W::POWER.is_some() && near.is_on() && near.boxes.len() >= begin + count;
        Self { near, n, moments: if are_there { Some(&near.boxes[begin..]) } else { None } }
    }

    /// Whether the wide box of point j0 is within reach of every query of the block: the same for all its threads.
    ///
    /// # Safety
    /// The boxes are as [`Near`] says, for D coordinates, and j0 is one of the points.
    #[inline(always)]
    pub unsafe fn holds_block<M: Machine, W: Weight, const D: usize>(&self, j0: u32) -> bool {
        if self.moments.is_none() {
            return false;
        }
        let (b, q) = ((self.n as usize).div_ceil(BOX) + j0 as usize / WIDE, thread::block_idx_x() as usize);
        let mut squared = 0.0;
        for c in 0..D {
            // SAFETY: the caller's promise.
            let ((low, high), (first, last)) =
                unsafe { (side(self.near.boxes, b, D, c), side(self.near.query_boxes, q, D, c)) };
            let farthest = larger(last - low, high - first);
            squared = if c == 0 { farthest * farthest } else { M::mul_add(farthest, farthest, squared) };
        }
        squared <= const { power::<W>().1 }
    }

    /// What the points of the box of point j add to a thread's queries, whose squared distances from the box are given: one by one,
    /// if the box is not within reach of every query that is near.
    ///
    /// # Safety
    /// As above; the rows are the box's points.
    #[inline(always)]
    pub unsafe fn pull<M: Machine, W: Weight, R: Row<D>, const D: usize, const LANES: usize>(
        &self,
        rows: &[R],
        queries: &[[f32; LANES]; D],
        distances: &[f32; LANES],
        j: u32,
    ) -> Sums<D, LANES> {
        let (mut held, mut any, mut all) = ([false; LANES], false, true);
        if self.moments.is_some() {
            let mut farthest = [0.0; LANES];
            for c in 0..D {
                // SAFETY: the caller's promise.
                let (low, high) = unsafe { side(self.near.boxes, j as usize / BOX, D, c) };
                for lane in 0..LANES {
                    let gap = larger(queries[c][lane] - low, high - queries[c][lane]);
                    farthest[lane] = if c == 0 { gap * gap } else { M::mul_add(gap, gap, farthest[lane]) };
                }
            }
            for lane in 0..LANES {
                // A NaN is not held, nor far.
                held[lane] = farthest[lane] <= const { power::<W>().1 };
                any |= held[lane];
                all &= held[lane] | (distances[lane] > self.near.reach2);
            }
        }
        let mut known = ([[0.0; LANES]; D], [0.0; LANES]);
        if any {
            // SAFETY: as above; if any is held, the moments are there.
            known = unsafe { self.sums::<M, W, D, LANES>(queries, j) };
        }
        if any && all {
            return known;
        }
        let (mut sums, mut totals) = pull::<M, W, R, D, LANES>(rows, queries);
        if any {
            for lane in 0..LANES {
                totals[lane] = if held[lane] { known.1[lane] } else { totals[lane] };
                for c in 0..D {
                    sums[c][lane] = if held[lane] { known.0[c][lane] } else { sums[c][lane] };
                }
            }
        }
        (sums, totals)
    }

    /// What the box of point j adds to queries within whose reach it is.
    ///
    /// # Safety
    /// As above, and the moments are there.
    #[inline(always)]
    pub unsafe fn sums<M: Machine, W: Weight, const D: usize, const LANES: usize>(
        &self,
        queries: &[[f32; LANES]; D],
        j: u32,
    ) -> Sums<D, LANES> {
        let (b, power) = (j as usize / BOX, const { power::<W>().0 });
        let (mut sums, mut totals) = ([[0.0; LANES]; D], [0.0; LANES]);
        if let Some(known) = self.moments {
            let mut middle = [0.0; D];
            for c in 0..D {
                // SAFETY: the caller's promise.
                middle[c] = middle_of(unsafe { side(self.near.boxes, b, D, c) });
            }
            // SAFETY: the box is one of those of the points, each of which has its moments.
            let known = unsafe { known.as_ptr().add(b * moments(D, power)) };
            for lane in 0..LANES {
                let mut from_middle = [0.0; D];
                for c in 0..D {
                    from_middle[c] = queries[c][lane] - middle[c];
                }
                // SAFETY: as above.
                let (moved, total) = unsafe { Moments(known).sums::<M, D>(power, from_middle) };
                totals[lane] = total;
                for c in 0..D {
                    sums[c][lane] = moved[c];
                }
            }
        }
        (sums, totals)
    }
}
