//! Which points a step may leave out: those whose box is farther from a query than any weight reaches.
//!
//! Points are in an order in which neighbours are near each other (curve.rs), and each [`BOX`] of them in a
//! row has a box of its smallest and largest coordinates (boxes.rs), as have each [`WIDE`]. A step asks
//! three times, each time for less:
//!
//! ```text
//! block:   no query's box is near the box of WIDE points: none of them is loaded
//! thread:  no query of its lanes is near the box of BOX points: nothing is computed with them
//! query:   the query itself is not near: what its lane has computed does not count
//! ```
//!
//! *Near* is a squared distance of `reach2` at most, times the least scale of the box's points if they are marked. The last
//! question makes a query's sums independent of who its neighbours in the block are. The distance to a box is computed as the
//! distance to a point is, in the same order of coordinates, and each operation rounds monotonically: so the box of a point is
//! never farther than the point itself, and no pair within the reach is left out. (Powers of other norms are approximated: for
//! these the host's reach is larger by more than they are off.) A coordinate that is not a number has a gap of 0, and is never
//! left out.

use cuda_std::prelude::*;

use crate::chunks::{add_power, squared, squared_lanes};
use crate::lanes;
use crate::rows::Row;
use crate::shift_any::{Kind, Norm};

/// Points of a box. Divides the tiles of the steps.
pub const BOX: usize = 64;

/// Points of a wide box, of which none is loaded if no query is near: a multiple of [`BOX`], and of the steps'
/// tiles.
pub const WIDE: usize = 1024;

/// The largest squared half diagonal, scaled, of a box whose points are counted from its middle: see local.rs.
const SMALL: f32 = 4.0;

/// Beyond this squared distance from its middle, scaled, no point of such a box has any weight: 2^-146 at most.
const FAR: f32 = 200.0;

/// Numbers that hold the boxes of n points of d coordinates: [`BOX`] points each, then [`WIDE`] each.
///
/// ```
/// use gpu::near::len;
///
/// // A point has a box of BOX points and one of WIDE, each of two corners of three coordinates.
/// assert_eq!(len(1, 3), 2 * 6);
/// ```
pub const fn len(n: usize, d: usize) -> usize {
    2 * d * (n.div_ceil(BOX) + n.div_ceil(WIDE))
}

/// The same for marked points, with the scales of the points in each box behind: the smallest and the largest, as of one more
/// coordinate.
///
/// ```
/// use gpu::near::len_marked;
///
/// assert_eq!(len_marked(1, 3), 2 * 6 + 2 * 2);
/// ```
pub const fn len_marked(n: usize, d: usize) -> usize {
    len(n, d) + len(n, 1)
}

/// What a step may leave out.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Near<'a> {
    /// The boxes of the points, of [`len`] numbers, or [`len_marked`]: see boxes.rs. Behind them there may be their sums: see
    /// whole.rs.
    pub boxes: &'a [f32],
    /// The boxes of each block's queries.
    pub query_boxes: &'a [f32],
    /// The square of how far a weight reaches, scaled. Infinity: every pair counts, and there are no boxes.
    pub reach2: f32,
}

/// How far an interval is from another; 0 where they meet, or where a side is not a number.
#[inline(always)]
pub(crate) fn gap((low, high): (f32, f32), (other_low, other_high): (f32, f32)) -> f32 {
    let (below, above) = (low - other_high, other_low - high);
    larger(larger(below, above), 0.0)
}

/// The larger of two numbers; the second, if one is none. A GPU has an instruction for the library's function,
/// a processor one for this.
#[inline(always)]
pub(crate) fn larger(a: f32, b: f32) -> f32 {
    #[cfg(target_arch = "nvptx64")]
    return a.max(b);
    #[cfg(not(target_arch = "nvptx64"))]
    if a > b { a } else { b }
}

/// Coordinate c of box b.
///
/// # Safety
/// `boxes` has the box.
#[inline(always)]
pub(crate) unsafe fn side(boxes: &[f32], b: usize, d: usize, c: usize) -> (f32, f32) {
    // SAFETY: the caller's promise.
    let [low, high] = unsafe { boxes.as_ptr().add((b * d + c) * 2).cast::<[f32; 2]>().read() };
    (low, high)
}

/// The middle of a side.
#[inline(always)]
pub(crate) fn middle_of((low, high): (f32, f32)) -> f32 {
    low + 0.5 * (high - low)
}

/// Where the points of a box are counted from: see local.rs.
pub(crate) struct Frame<const D: usize> {
    /// The middle of the box.
    pub middle: [f32; D],
    /// The square of how far from it a query may be that is near.
    pub limit: f32,
}

impl Near<'_> {
    /// That of point j's box, where rows are counted from it and the box is [`SMALL`].
    ///
    /// # Safety
    /// Of such rows: the boxes are as [`Near`] says, for D coordinates, and j is one of the points.
    #[inline(always)]
    pub(crate) unsafe fn frame<M: Machine, R: Row<D>, const D: usize>(&self, j: u32) -> Option<Frame<D>> {
        if !R::LOCAL {
            return None;
        }
        let (mut middle, mut squared) = ([0.0; D], 0.0);
        for c in 0..D {
            // SAFETY: the caller's promise.
            let (low, high) = unsafe { side(self.boxes, j as usize / BOX, D, c) };
            middle[c] = middle_of((low, high));
            // The middle is rounded, and points are counted from it as it is.
            let half = larger(middle[c] - low, high - middle[c]);
            squared = M::mul_add(half, half, squared);
        }
        let farthest = M::sqrt(self.reach2) + M::sqrt(squared);
        let limit = farthest * farthest * (1.0 + 1e-6);
        // A NaN is not small.
        (squared <= SMALL).then_some(Frame { middle, limit: if limit < FAR { limit } else { FAR } })
    }

    /// What squared distances to box b of n points are multiplied by: the least scale of its points, where they are marked.
    ///
    /// # Safety
    /// The boxes are as [`Near`] says, for d coordinates.
    #[inline(always)]
    unsafe fn least_scale(&self, marked: bool, b: usize, (n, d): (usize, usize)) -> f32 {
        // SAFETY: the caller's promise.
        if marked { unsafe { self.boxes.as_ptr().add(len(n, d) + 2 * b).read() } } else { 1.0 }
    }

    /// Whether anything may be left out at all: the same for all threads.
    #[inline(always)]
    pub fn is_on(&self) -> bool {
        self.reach2 < f32::INFINITY
    }

    /// Whether the wide box of point j0, of n, is too far from the block's box.
    ///
    /// # Safety
    /// The slices are as [`Near`] says, for D coordinates.
    #[inline(always)]
    pub unsafe fn skips<M: Machine, R: Row<D>, const D: usize>(&self, j0: u32, n: u32) -> bool {
        if !self.is_on() {
            return false;
        }
        let (b, q) = ((n as usize).div_ceil(BOX) + j0 as usize / WIDE, thread::block_idx_x() as usize);
        let mut squared = 0.0;
        for c in 0..D {
            // SAFETY: the caller's promise.
            let gap = unsafe { gap(side(self.boxes, b, D, c), side(self.query_boxes, q, D, c)) };
            squared = if c == 0 { gap * gap } else { M::mul_add(gap, gap, squared) };
        }
        if R::MARKED {
            // SAFETY: as above.
            squared *= unsafe { self.least_scale(true, b, (n as usize, D)) };
        }
        squared > self.reach2
    }

    /// The squared distance of each of a thread's queries to the box of point j, times the least scale there, 0 where nothing is
    /// left out; infinite from lane `count` on.
    ///
    /// # Safety
    /// The slices are as [`Near`] says, and j is one of n points.
    #[inline(always)]
    pub unsafe fn distances<M: Machine, R: Row<D>, const D: usize, const LANES: usize>(
        &self,
        queries: &[[f32; LANES]; D],
        (j, n): (u32, u32),
        count: u32,
    ) -> [f32; LANES] {
        let mut squared = [0.0; LANES];
        if self.is_on() {
            for lane in 0..LANES {
                squared[lane] = if lane < count as usize { 0.0 } else { f32::INFINITY };
            }
            for c in 0..D {
                // SAFETY: the caller's promise.
                let side = unsafe { side(self.boxes, j as usize / BOX, D, c) };
                for lane in 0..LANES {
                    let gap = gap(side, (queries[c][lane], queries[c][lane]));
                    squared[lane] = M::mul_add(gap, gap, squared[lane]);
                }
            }
            if R::MARKED {
                // SAFETY: as above.
                let least = unsafe { self.least_scale(true, j as usize / BOX, (n as usize, D)) };
                squared = lanes::scale(least, squared);
            }
        }
        squared
    }

    /// Whether all of a thread's queries are too far.
    #[inline(always)]
    pub fn all_far<const LANES: usize>(&self, distances: &[f32; LANES]) -> bool {
        let mut far = true;
        for lane in 0..LANES {
            far &= distances[lane] > self.reach2;
        }
        far
    }

    /// Values of a thread's queries, and zeros for those that are too far.
    #[inline(always)]
    pub fn masked<const LANES: usize>(&self, distances: &[f32; LANES], mut values: [f32; LANES]) -> [f32; LANES] {
        for lane in 0..LANES {
            values[lane] = if distances[lane] > self.reach2 { 0.0 } else { values[lane] };
        }
        values
    }
}

/// The same for any d: coordinates are where they are, not in registers; and with any norm.
impl Near<'_> {
    /// [`skips`](Self::skips) for d coordinates, and for any box b of the n points.
    ///
    /// # Safety
    /// As there.
    #[inline(always)]
    pub unsafe fn skips_box<M: Machine, K: Kind>(&self, b: usize, (n, d): (usize, usize), norm: Norm) -> bool {
        let q = thread::block_idx_x() as usize;
        // SAFETY: the caller's promise.
        let least = unsafe { self.least_scale(K::MARKED, b, (n, d)) };
        let (mut power, mut c) = (0.0, 0);
        while c < d {
            // SAFETY: the caller's promise.
            let gap = unsafe { gap(side(self.boxes, b, d, c), side(self.query_boxes, q, d, c)) };
            power = add_power_of::<M, K>(power, gap, norm.p);
            if !K::ANY_NORM && least * power > self.reach2 {
                return true;
            }
            c += 1;
        }
        least * squared::<M, K>(power, norm.outer) > self.reach2
    }

    /// [`distances`](Self::distances) to the box of point j, of queries by columns, `stride` apart.
    ///
    /// # Safety
    /// As there; `queries` points to the thread's lanes in the first of d columns.
    #[inline(always)]
    pub unsafe fn distances_any<M: Machine, K: Kind, const LANES: usize>(
        &self,
        (queries, stride): (*const f32, usize),
        (n, d): (usize, usize),
        norm: Norm,
        j: usize,
        count: usize,
    ) -> [f32; LANES] {
        let mut distances = [0.0; LANES];
        if self.is_on() {
            for lane in 0..LANES {
                distances[lane] = if lane < count { 0.0 } else { f32::INFINITY };
            }
            // SAFETY: the caller's promise.
            let least = unsafe { self.least_scale(K::MARKED, j / BOX, (n, d)) };
            let mut c = 0;
            let so_far = |powers| if K::MARKED { lanes::scale(least, powers) } else { powers };
            // What is far in some coordinates is far. Of other norms only the whole power says so.
            while c < d && (K::ANY_NORM || !self.all_far(&so_far(distances))) {
                // SAFETY: the caller's promise.
                let (side, query) =
                    unsafe { (side(self.boxes, j / BOX, d, c), queries.add(c * stride).cast::<[f32; LANES]>().read()) };
                let mut gaps = [0.0; LANES];
                for lane in 0..LANES {
                    gaps[lane] = gap(side, (query[lane], query[lane]));
                }
                distances = add_powers_of::<M, K, LANES>(distances, gaps, norm.p);
                c += 1;
            }
            if K::MARKED {
                distances = squared_lanes::<M, K, LANES>(distances, norm.outer);
                for lane in 0..LANES {
                    distances[lane] = if lane < count { least * distances[lane] } else { f32::INFINITY };
                }
            }
        }
        distances
    }
}

/// |gap|^p, added; p is 2 unless the norm is any.
#[inline(always)]
fn add_power_of<M: Machine, K: Kind>(power: f32, gap: f32, p: f32) -> f32 {
    if !K::ANY_NORM || p == 2.0 {
        add_power::<M, 2>(power, gap, p)
    } else if p == 1.0 {
        add_power::<M, 1>(power, gap, p)
    } else {
        add_power::<M, 0>(power, gap, p)
    }
}

/// [`add_power_of`] of all lanes, in a loop for each kind of exponent: see [`squared_lanes`].
#[inline(always)]
fn add_powers_of<M: Machine, K: Kind, const LANES: usize>(
    mut powers: [f32; LANES],
    gaps: [f32; LANES],
    p: f32,
) -> [f32; LANES] {
    if !K::ANY_NORM || p == 2.0 {
        for lane in 0..LANES {
            powers[lane] = add_power::<M, 2>(powers[lane], gaps[lane], p);
        }
    } else if p == 1.0 {
        for lane in 0..LANES {
            powers[lane] = add_power::<M, 1>(powers[lane], gaps[lane], p);
        }
    } else {
        for lane in 0..LANES {
            powers[lane] = add_power::<M, 0>(powers[lane], gaps[lane], p);
        }
    }
    powers
}
