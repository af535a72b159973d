//! How many slices of the points leave little of a GPU idle while the last blocks of a launch run, of a step or a reduction.
//!
//! Blocks are done in turns, of as many as the multiprocessors have room for. Those of the last turn are fewer for each
//! multiprocessor, and faster for it: k of K take k / K of a turn, though a quarter at least. For steps in 8, 16 and 32 dimensions
//! that says 4.4, 1.3 and 2.3 % of the time where 4, 1 and 2 % were measured (docs/performance/steps.md).

use core::ops::RangeInclusive;

/// Multiprocessors of an H100 or H200, for which numbers of slices are chosen. All GPUs take the same, since results depend on it.
///
/// ```
/// assert_eq!(gpu::idle::MULTIPROCESSORS, 132);
/// ```
pub const MULTIPROCESSORS: usize = 132;

/// How much faster a block gets at most where its multiprocessor has no others.
const ALONE: f64 = 4.0;

/// Times that are as good as each other.
const ALIKE: f64 = 1.005;

/// Points that are shared out among blocks.
///
/// ```
/// // 391 blocks a slice, of which 1,056 are there at a time: with 11 slices 4.07 turns, with 12 of them 4.44.
/// let work = gpu::idle::Work { n: 100_000, blocks: 391, at_a_time: 8, multiple: 64, start: 64 };
/// assert_eq!(work.points_of(11..=22), 8_384);
/// assert_eq!(work.points_of(1..=1), 100_000);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// Points.
    pub n: usize,
    /// Blocks of each slice.
    pub blocks: usize,
    /// Blocks that a multiprocessor has at a time.
    pub at_a_time: usize,
    /// What the points of a slice are a multiple of, where there are several.
    pub multiple: usize,
    /// What the start and the end of a block take, in points.
    pub start: usize,
}

impl Work {
    /// Points of a slice, where there are as many slices as that: the fewest of those that take the least time.
    ///
    /// ```
    /// let work = gpu::idle::Work { n: 1_500, blocks: 3, at_a_time: 7, multiple: 64, start: 64 };
    /// assert_eq!(work.points_of(24..=24), 64);
    /// ```
    pub fn points_of(&self, slices: RangeInclusive<usize>) -> usize {
        let points = |slices: usize| match slices {
            0 | 1 => self.n,
            _ => self.n.div_ceil(slices).next_multiple_of(self.multiple),
        };
        let fewest = *slices.start();
        let all = || slices.clone().map(points);
        let best = all().map(|points| self.time(points)).fold(f64::INFINITY, f64::min);
        all().find(|&points| self.time(points) <= ALIKE * best).unwrap_or_else(|| points(fewest))
    }

    /// How long slices of so many points take, in that of a point in every block that there is room for.
    fn time(&self, points: usize) -> f64 {
        let blocks = self.blocks * self.n.div_ceil(points.max(1));
        let places = self.at_a_time * MULTIPROCESSORS;
        let last = (blocks % places).div_ceil(MULTIPROCESSORS);
        let of_last = if last == 0 { 0.0 } else { (last as f64 / self.at_a_time as f64).max(1.0 / ALONE) };
        (points + self.start) as f64 * ((blocks / places) as f64 + of_last)
    }
}
