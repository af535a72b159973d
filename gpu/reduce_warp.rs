//! A warp's part of the weighted reduction for up to four columns: ROWS rows of W over a slice of the points.
//!
//! What it is part of: see reduce.rs.
//!
//! ```text
//! for each turn of the slice, a few points a lane:
//!     w[ROWS][points] = W;  x[points][COLUMNS] = X     (all of them under way together)
//!     totals[ROWS] += w;  sums[ROWS][COLUMNS] += w x
//! the lanes' sums meet, each of the first steps halving the rows that a lane has
//! ```
//!
//! A lane's points are four neighbours, loaded by 16 bytes, where rows of W begin at multiples of them and the pass has all of up
//! to four columns. Else they are two, 32 apart, so that lanes read neighbouring numbers whatever the alignment, and rows of X
//! without gaps.

use cuda_std::prelude::*;
use cuda_std::warp;

use crate::lanes::unrolled;
use crate::matmul_blocked::in_quads;
use crate::tile::read_group;

/// Rows of W whose sums a warp holds.
pub(crate) const ROWS: usize = 8;

/// What is reduced: W by rows and X by rows, with m rows, n points, d columns, of which the pass takes some.
pub(crate) struct Source<'a> {
    pub(crate) weights: &'a [f32],
    pub(crate) points: &'a [f32],
    pub(crate) sizes: (usize, usize, usize),
    pub(crate) first: usize,
    pub(crate) columns: u32,
}

impl Source<'_> {
    /// The rows from i on; those behind the last one repeat it.
    #[inline(always)]
    pub(crate) fn rows(&self, i: usize) -> [*const f32; ROWS] {
        let (m, n, _) = self.sizes;
        let mut rows = [self.weights.as_ptr(); ROWS];
        for r in 0..ROWS {
            rows[r] = rows[r].wrapping_add((i + r).min(m - 1) * n);
        }
        rows
    }

    /// A point's coordinates; columns behind the last repeat the first.
    ///
    /// # Safety
    /// `from` is where those of one of the n points are.
    #[inline(always)]
    unsafe fn point<const COLUMNS: usize>(&self, from: *const f32) -> [f32; COLUMNS] {
        let mut x = [0.0; COLUMNS];
        for c in 0..COLUMNS {
            // SAFETY: the columns are X's.
            x[c] = unsafe { *from.add(if (c as u32) < self.columns { c } else { 0 }) };
        }
        x
    }
}

/// Sums of each row: in the columns, and of weights.
type Sums<const COLUMNS: usize> = ([[f32; ROWS]; COLUMNS], [f32; ROWS]);

/// Adds turns of POINTS points a lane from point j on, as long as whole ones are in front of the end; the points of a turn are
/// NEIGHBOURS, four of them, or 32 apart. Where the lane has come to, and its sums.
///
/// # Safety
/// W and X are as long as the sizes say, and so many points there are. Neighbours lie as [`warp_sums`] has found.
#[inline(always)]
unsafe fn turns<M: Machine, const COLUMNS: usize, const POINTS: usize, const NEIGHBOURS: bool>(
    source: &Source<'_>,
    rows: &[*const f32; ROWS],
    (mut j, end): (u32, u32),
    (mut sums, mut totals): Sums<COLUMNS>,
) -> (u32, Sums<COLUMNS>) {
    let reach = if NEIGHBOURS { 3 } else { 32 * (POINTS as u32 - 1) };
    // SAFETY: the caller's promise.
    unsafe {
        while j + reach < end {
            let mut w = [[0.0; POINTS]; ROWS];
            let mut x = [[0.0; COLUMNS]; POINTS];
            let at = j as usize;
            let from = source.points.as_ptr().add(at * source.sizes.2 + source.first);
            unrolled!(r in 0..ROWS, {
                if NEIGHBOURS {
                    w[r] = read_group(rows[r].add(at));
                } else {
                    unrolled!(k in 0..POINTS, {
                        w[r][k] = *rows[r].add(at + 32 * k);
                    });
                }
            });
            if NEIGHBOURS {
                let mut quads = [[0.0; 4]; COLUMNS];
                for q in 0..COLUMNS {
                    quads[q] = read_group(from.add(4 * q));
                }
                unrolled!(k in 0..POINTS, {
                    for c in 0..COLUMNS {
                        x[k][c] = quads[(k * COLUMNS + c) / 4 % COLUMNS][(k * COLUMNS + c) % 4];
                    }
                });
            } else {
                unrolled!(k in 0..POINTS, {
                    x[k] = source.point(from.add(32 * k * source.sizes.2));
                });
            }
            unrolled!(k in 0..POINTS, {
                unrolled!(r in 0..ROWS, {
                    totals[r] += w[r][k];
                    for c in 0..COLUMNS {
                        sums[c][r] = M::mul_add(w[r][k], x[k][c], sums[c][r]);
                    }
                });
            });
            j += 32 * POINTS as u32;
        }
    }
    (j, (sums, totals))
}

/// The sums of one of the ROWS rows from i on over the points from `start` to `end`, and which of them; four neighbouring lanes
/// have the same.
///
/// # Safety
/// The whole warp comes here with the same numbers but for its lane. W and X are as long as the sizes say, the points are among
/// the n, and a slice begins at a multiple of four.
#[inline(always)]
pub(crate) unsafe fn warp_sums<M: Machine, const COLUMNS: usize>(
    source: &Source<'_>,
    i: usize,
    (start, end): (u32, u32),
    lane: u32,
) -> (usize, [f32; COLUMNS], f32) {
    let ((_, n, d), rows) = (source.sizes, source.rows(i));
    let whole = d == COLUMNS && in_quads(source.points.as_ptr(), 4) && in_quads(source.weights.as_ptr(), n);
    let nothing = ([[0.0; ROWS]; COLUMNS], [0.0; ROWS]);
    // SAFETY: the caller's promise; what is read is in front of the end.
    unsafe {
        let sums = if whole {
            // Whole quads, so that nothing is left of them.
            turns::<M, COLUMNS, 4, true>(source, &rows, (start + 4 * lane, end), nothing).1
        } else {
            let (j, sums) = turns::<M, COLUMNS, 2, false>(source, &rows, (start + lane, end), nothing);
            turns::<M, COLUMNS, 1, false>(source, &rows, (j, end), sums).1
        };
        let mut row = [0.0; COLUMNS];
        for c in 0..COLUMNS {
            row[c] = meet(sums.0[c], lane);
        }
        ((lane / 4) as usize, row, meet(sums.1, lane))
    }
}

/// Adds the lanes' sums of each row, in a fixed order: lanes `4 r` to `4 r + 3` get that of row r.
///
/// # Safety
/// The whole warp comes here.
#[inline(always)]
unsafe fn meet(mut rows: [f32; ROWS], lane: u32) -> f32 {
    // Lanes that differ in one bit: those with it keep the second half of the rows, the others the first.
    unrolled!(step in 0..3, {
        let (half, bit) = ((ROWS / 2) >> step, 16 >> step);
        let upper = lane & bit != 0;
        unrolled!(r in 0..ROWS / 2, {
            if r < half {
                let (keep, give) = if upper { (rows[r + half], rows[r]) } else { (rows[r], rows[r + half]) };
                // SAFETY: the caller's promise.
                rows[r] = keep + unsafe { warp::warp_shuffle_xor(warp::ALL, give, bit, warp::WARP_SIZE) };
            }
        });
    });
    let mut sum = rows[0];
    unrolled!(step in 0..2, {
        // SAFETY: as above.
        sum += unsafe { warp::warp_shuffle_xor(warp::ALL, sum, 2 >> step, warp::WARP_SIZE) };
    });
    sum
}
