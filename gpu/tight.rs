//! Boxes of points that are nearly one point: a step takes the centroid of such a box for all of it.
//!
//! In the blurring form points draw together, and some iterations before they meet in every bit they are as near to each other as a
//! step may be off. With c the centroid of a box of points c + e_j by their factors f_j, u = c - q, and s the mean of |e_j|^2, squared
//! distances from a query are u.u + s in the mean. All scaled, the box adds about
//!
//! ```text
//! sum_j f_j W(|x_j - q|^2)              F W(u.u + s)                  F = sum_j f_j
//! sum_j f_j W(|x_j - q|^2) x_j          F W(u.u + s) c
//! ```
//!
//! Squared distances differ from their mean by 2 u.e_j + |e_j|^2 - s, whose mean is 0 and whose square is s (2 u + r)^2 in the mean at
//! most, with r the largest |e_j|. So where |W'| is A W at most, and |W''| B W, over all of the box, the mean of a query's weights is off by
//! B s (2 u + r)^2 / 2 of itself, and what they pull to by A s (2 u + r). Beside the sum over all boxes, of which each is off by no more,
//! a query's step is off by
//!
//! ```text
//! s (2 u + r) (A + B (u + 1) (2 u + r) / 2)
//! ```
//!
//! at most, where the step is no longer than 1; and by no more than twice that of the worst box for a Gaussian's longer steps, which lead to boxes whose
//! u is large and whose s, therefore, is the smaller. A box has a record of c, F, s and the largest u.u for which this is within what is allowed.
//! Where W is flat A and B are 0, and all boxes count that are within reach as a whole.
//!
//! A box takes a query 4 D operations and a weight, instead of 64 times as much. Each query asks by itself, so that its sums do not
//! depend on who its neighbours in the block are.
//!
//! On processors alone, and in more dimensions than those whose boxes have moments (whole.rs).

use cuda_std::machine::MachineKind;
use cuda_std::prelude::*;

use crate::near::{BOX, Near, larger};
use crate::polynomial::MOST;
use crate::shift_any::Kind;
use crate::weight::{Slopes, Weight};
use crate::whole;

/// Numbers behind the centroid in a box's record: the sum of factors, the mean square from it, and the largest squared distance of a query.
const MORE: usize = 3;

/// Numbers of the records of the boxes of n points of d coordinates.
///
/// ```
/// // One box of up to 64 points of five coordinates.
/// assert_eq!(gpu::tight::len(64, 5), 8);
/// ```
pub const fn len(n: usize, d: usize) -> usize {
    (d + MORE) * n.div_ceil(BOX)
}

/// Whether steps look at such records, on a machine and for points of d coordinates.
///
/// ```
/// use cuda_std::machine::MachineKind;
///
/// assert!(gpu::tight::serves(MachineKind::Avx512, 5) && !gpu::tight::serves(MachineKind::Avx512, 4));
/// assert!(!gpu::tight::serves(MachineKind::Gpu, 5));
/// ```
pub const fn serves(machine: MachineKind, d: usize) -> bool {
    d > MOST && !matches!(machine, MachineKind::Gpu)
}

/// The farthest, scaled, that a query is looked at: no Gaussian weighs anything there.
const FARTHEST: f32 = 16.0;

/// The largest change of a weight's logarithm over a box, and what it makes of a weight: exp(1/4).
const CHANGE: (f32, f32) = (0.25, 1.2841);

/// How often the interval in which the largest distance lies is halved: to a millionth of a bandwidth.
const HALVINGS: u32 = 24;

/// Less than any distance between rounded numbers of which another rounding could make more.
const LESS: f32 = 1.0 - 1e-5;

/// The largest squared distance of a query from a box's centroid for which its points may count as one; below 0, if there is none.
#[inline(always)]
fn limit<M: Machine>(s: f32, farthest_squared: f32, slopes: Slopes, allowed: f32) -> f32 {
    let r = M::sqrt(farthest_squared);
    // Within what is smooth as a whole, and of nearly one weight.
    let mut most = LESS * M::sqrt(slopes.end) - r;
    most = if most < FARTHEST { most } else { FARTHEST };
    if slopes.first > 0.0 {
        let steep = 0.5 * (CHANGE.0 / (slopes.first * larger(r, 1e-20)) - r);
        most = if steep < most { steep } else { most };
    }
    let is_within = |u: f32| {
        let change = 2.0 * u + r;
        CHANGE.1 * s * change * (slopes.first + 0.5 * slopes.second * (u + 1.0) * change) <= allowed
    };
    // Written so that a NaN is none.
    if !(most >= 0.0 && is_within(0.0)) {
        return -1.0;
    }
    if is_within(most) {
        return most * most;
    }
    let mut least = 0.0;
    for _ in 0..HALVINGS {
        let u = 0.5 * (least + most);
        (least, most) = if is_within(u) { (u, most) } else { (least, u) };
    }
    least * least
}

/// Behind the boxes of points the record of each. `end`, `first` and `second` are the weight's [`Slopes`], `allowed` is how far a step may
/// be off, scaled. Factors are 1 where there are no marks.   One thread a box.
#[kernel(
    threads = 32..=1024,
    grid = n.div_ceil(BOX).div_ceil(block.x),
    require(
        d > 0,
        stride >= n,
        columns.len() >= stride * d,
        marks.len() == 0 || marks.len() >= n,
        boxes.len() >= whole::begin(n, d, marks.len() > 0) + len(n, d),
    ),
)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn records_of_boxes(
    columns: &[f32],
    marks: &[f32],
    mut boxes: DisjointMut<f32>,
    n: u32,
    d: u32,
    stride: u32,
    end: f32,
    first: f32,
    second: f32,
    allowed: f32,
) {
    let (n, d, stride, b) = (n as usize, d as usize, stride as usize, thread::index_1d());
    if b * BOX >= n {
        return;
    }
    let (from, to) = (b * BOX, n.min((b + 1) * BOX));
    let at = whole::begin(n, d, !marks.is_empty()) + b * (d + MORE);
    let factor = |j: usize| if marks.is_empty() { 1.0 } else { marks[j] };
    let mut total = 0.0;
    for j in from..to {
        total += factor(j);
    }
    for c in 0..d {
        let points = &columns[c * stride..][from..to];
        // From the first, so that no digits are lost where points are far from 0.
        let mut sum = 0.0;
        for (k, x) in points.iter().enumerate() {
            sum += factor(from + k) * (x - points[0]);
        }
        // SAFETY: the record is this thread's, behind the boxes.
        unsafe { boxes.write(at + c, points[0] + Machine::divide(sum, total)) };
    }
    let (mut sum, mut farthest) = (0.0, 0.0);
    for j in from..to {
        let mut squared = 0.0;
        for c in 0..d {
            // SAFETY: written above.
            let away = columns[c * stride + j] - unsafe { boxes.read(at + c) };
            squared += away * away;
        }
        // Of what counts for nothing it does not matter where it is.
        if factor(j) > 0.0 {
            sum += factor(j) * squared;
            farthest = if squared <= farthest { farthest } else { squared };
        }
    }
    let s = Machine::divide(sum, total);
    let limit = limit::<Machine>(s, farthest, Slopes { end, first, second }, allowed);
    // SAFETY: as above.
    unsafe {
        boxes.write(at + d, total);
        boxes.write(at + d + 1, s);
        // Of no weight there is no mean.
        boxes.write(at + d + 2, if total > 0.0 { limit } else { -1.0 });
    }
}

/// The records of boxes.
#[derive(Clone, Copy)]
pub(crate) struct Tight<'a> {
    /// Nothing, if there are none.
    records: Option<&'a [f32]>,
    d: usize,
}

/// What a box adds to some queries: weights, and where its points are.
pub(crate) struct Bunch<'a, const LANES: usize> {
    pub weights: [f32; LANES],
    pub centroid: &'a [f32],
}

impl<'a> Tight<'a> {
    /// Those behind the boxes of n points of d coordinates, if there are any, and a use for them.
    #[inline(always)]
    pub fn behind<W: Weight, K: Kind, const LANES: usize>(near: Near<'a>, (n, d): (usize, usize)) -> Self {
        let begin = whole::begin(n, d, K::MARKED);
        let are_there =
            LANES > 4 && !K::ANY_NORM && W::SLOPES.is_some() && near.is_on() && near.boxes.len() >= begin + len(n, d);
        Self { records: if are_there { Some(&near.boxes[begin..]) } else { None }, d }
    }

    /// What the box of point j adds to those of a thread's queries for which its points count as one, and nothing to the others; or none,
    /// if there is no such query. `distances` are those of the queries from the box; where it was added they are infinite from then on.
    ///
    /// # Safety
    /// j is one of the points; `queries` points to the thread's lanes in the first of d columns, `stride` apart.
    #[inline(always)]
    pub unsafe fn take<M: Machine, W: Weight, const LANES: usize>(
        &self,
        (queries, stride): (*const f32, usize),
        j: usize,
        reach2: f32,
        distances: &mut [f32; LANES],
    ) -> Option<Bunch<'a, LANES>> {
        let record = &self.records?[j / BOX * (self.d + MORE)..][..self.d + MORE];
        let (centroid, rest) = record.split_at(self.d);
        let (factor, s, limit) = (rest[0], rest[1], rest[2]);
        if limit < 0.0 {
            return None;
        }
        let mut squared = [0.0; LANES];
        for c in 0..self.d {
            // SAFETY: the caller's promise.
            let query = unsafe { queries.add(c * stride).cast::<[f32; LANES]>().read() };
            for lane in 0..LANES {
                let u = centroid[c] - query[lane];
                squared[lane] = M::mul_add(u, u, squared[lane]);
            }
        }
        // A NaN is not held. Both are asked, lest there be a branch for each lane.
        let is_held = |lane: usize| (squared[lane] <= limit) & (distances[lane] <= reach2);
        let (mut held, mut far, mut any) = ([0.0; LANES], *distances, false);
        for lane in 0..LANES {
            any |= is_held(lane);
        }
        if !any {
            return None;
        }
        for lane in 0..LANES {
            (held[lane], far[lane]) = if is_held(lane) { (factor, f32::INFINITY) } else { (0.0, distances[lane]) };
        }
        *distances = far;
        for lane in 0..LANES {
            squared[lane] += s;
        }
        let mut weights = W::of_lanes::<M, LANES>(squared);
        for lane in 0..LANES {
            weights[lane] *= held[lane];
        }
        Some(Bunch { weights, centroid })
    }
}
