//! A warp's part of the weighted reduction for 5 to 32 columns: ROWS rows of W over a slice of the points.
//!
//! What it is part of: see reduce.rs.
//!
//! ```text
//! for each TURN points of the slice:
//!     W[ROWS][TURN] -> shared memory, zeros behind the end; totals[ROWS] += W         (all loads under way together)
//!     for each four points:
//!         x[4] = X in my column;  sums[ROWS] += w x        (8 loads of 16 bytes, the same for lanes of the same points)
//! ```
//!
//! A lane is a column: 8, 16 or 32 of them, as many as there are, and the other lanes take other points. So X is read in whole
//! rows, W in whole lines whatever its alignment, and a load of W from shared memory serves all columns.

use cuda_std::prelude::*;
use cuda_std::warp;

use crate::lanes::unrolled;
use crate::reduce_warp::{ROWS, Source};
use crate::tile::read_group;

/// Points of a turn.
pub(crate) const TURN: usize = 128;

/// The sums of the ROWS rows from i on over the points from `start` to `end`: which column of the pass, its sums, and those of
/// weights. Lanes that have no column of their own say one behind the last.
///
/// # Safety
/// The whole warp comes here with the same numbers but for its lane. W and X are as long as the sizes say, and the points are
/// among the n; `tile` is shared memory for ROWS x TURN numbers, and the warp's own.
#[inline(always)]
pub(crate) unsafe fn column_sums<M: Machine>(
    source: &Source<'_>,
    tile: *mut f32,
    i: usize,
    (start, end): (u32, u32),
    lane: u32,
) -> (usize, [f32; ROWS], [f32; ROWS]) {
    // From a point to the next, in bytes; in 32 bits, so that a GPU finds a place by one multiply-add.
    let (rows, apart) = (source.rows(i), 4 * source.sizes.2 as u32);
    let width = if source.columns > 16 {
        32
    } else if source.columns > 8 {
        16
    } else {
        8
    };
    let (c, group) = (lane % width, lane / width);
    let column = source.points.as_ptr().wrapping_add(source.first + if c < source.columns { c as usize } else { 0 });
    let (mut sums, mut totals) = ([0.0; ROWS], [0.0; ROWS]);
    let mut j0 = start;
    // SAFETY: the caller's promise: what is read is in front of the end, or in the tile, which is written between the warp's waits.
    unsafe {
        while j0 < end {
            let mut w = [[0.0; TURN / 32]; ROWS];
            unrolled!(k in 0..TURN / 32, {
                let j = j0 + lane + 32 * k as u32;
                if j < end {
                    unrolled!(r in 0..ROWS, {
                        w[r][k] = *rows[r].add(j as usize);
                    });
                }
            });
            unrolled!(r in 0..ROWS, {
                unrolled!(k in 0..TURN / 32, {
                    totals[r] += w[r][k];
                    tile.add(r * TURN + 32 * k + lane as usize).write(w[r][k]);
                });
            });
            warp::sync_warp(warp::ALL);
            let (mut q, points) = (4 * group, (end - j0).min(TURN as u32));
            while q < points {
                let mut x = [0.0; 4];
                unrolled!(k in 0..4, {
                    // Behind the end the weight is zero.
                    let j = (j0 + q + k as u32).min(end - 1);
                    x[k] = *column.wrapping_byte_add(j as usize * apart as usize);
                });
                unrolled!(r in 0..ROWS, {
                    let w: [f32; 4] = read_group(tile.add(r * TURN + q as usize));
                    for k in 0..4 {
                        sums[r] = M::mul_add(w[k], x[k], sums[r]);
                    }
                });
                q += 128 / width;
            }
            warp::sync_warp(warp::ALL);
            j0 += TURN as u32;
        }
        unrolled!(step in 0..5, {
            let bit = 16 >> step;
            unrolled!(r in 0..ROWS, {
                totals[r] += warp::warp_shuffle_xor(warp::ALL, totals[r], bit, warp::WARP_SIZE);
                if step < 2 {
                    // Of lanes with the same column.
                    let other = warp::warp_shuffle_xor(warp::ALL, sums[r], bit, warp::WARP_SIZE);
                    sums[r] += if width <= bit { other } else { 0.0 };
                }
            });
        });
    }
    (if group == 0 { c as usize } else { usize::MAX }, sums, totals)
}
