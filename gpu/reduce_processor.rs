//! The weighted reduction's blocks on a processor.
//!
//! *Up to four columns*, [`row_block`]: a block is a row of W, and a thread takes a run of it in whole vectors; partial sums meet
//! in shared memory and are added in the order of the threads. W's bytes are the limit.
//!
//! *More*, [`product_block`]: a block's first thread multiplies some rows of W with DEPTH points at a time, which it has copied
//! into a panel of WIDTH columns, while the sums of a few rows, copied too, are in registers; between panels they are in shared
//! memory. So X is read once for all rows of the block, and W once for each pass. W comes from far away, in pieces too short for
//! a processor to see what comes next: so the next rows' lines are asked for while a line of each of these is multiplied.

use core::slice;

use cuda_std::prelude::*;

use crate::lanes::{self, LINE};
use crate::matmul_panels::multiply_panel;
use crate::reduce::Pass;

/// Points of a panel: with the widest it stays in the second cache beside the rows that it is multiplied with.
const DEPTH: usize = 256;

/// Rows of W that a block of [`product_block`] takes: a multiple of each [`held_rows`].
pub(crate) const fn rows(lanes: usize) -> usize {
    if lanes == 16 { 48 } else { 32 }
}

/// Rows of W whose sums are in registers, `width` columns of each: on processors with as many lanes in two vectors.
pub(crate) const fn held_rows(lanes: usize, width: usize) -> usize {
    match (lanes, width) {
        (32, 32) => 8,
        (32, _) => 16,
        (16, 16) => 6,
        (16, _) => 12,
        _ => 4,
    }
}

/// Numbers in a block's shared memory: a panel, the rows' sums and those of their weights, rows, and what aligns them.
pub(crate) const fn shared(lanes: usize) -> usize {
    (DEPTH + rows(lanes)) * lanes + rows(lanes) * LINE + held_rows(lanes, 8) * DEPTH + LINE
}

/// Sums for some columns c of w_j x_jc, and of w_j, in each lane.
type Sums<const COLUMNS: usize, const LANES: usize> = ([[f32; LANES]; COLUMNS], [f32; LANES]);

/// Adds the first `count` of some weights to the lanes' sums. `points` points to the first of the
/// columns in the first weight's row of X; columns from `columns` on repeat the first one.
///
/// # Safety
/// `weights` points to `count` weights, and `points` into as many rows of `d`.
#[inline(always)]
unsafe fn add<M: Machine, const COLUMNS: usize, const LANES: usize>(
    weights: *const f32,
    points: *const f32,
    count: usize,
    (d, columns): (usize, usize),
    (mut sums, mut total): Sums<COLUMNS, LANES>,
) -> Sums<COLUMNS, LANES> {
    for lane in 0..LANES {
        if lane < count {
            // SAFETY: the caller's promise.
            let weight = unsafe { *weights.add(lane) };
            total[lane] += weight;
            for c in 0..COLUMNS {
                let column = if c < columns { c } else { 0 };
                // SAFETY: as above.
                let x = unsafe { *points.add(lane * d + column) };
                sums[c][lane] = M::mul_add(weight, x, sums[c][lane]);
            }
        }
    }
    (sums, total)
}

/// The sums over the weights `start..end` that a processor's thread takes.
///
/// # Safety
/// As for [`add`], for all the weights and rows up to `end`.
#[inline(always)]
unsafe fn sums<M: Machine, const COLUMNS: usize, const LANES: usize>(
    weights: *const f32,
    points: *const f32,
    (start, end): (usize, usize),
    (d, columns): (usize, usize),
) -> Sums<COLUMNS, LANES> {
    let mut sums = ([[0.0; LANES]; COLUMNS], [0.0; LANES]);
    let mut j = start;
    // SAFETY: the caller's promise, with j + count <= end.
    unsafe {
        while j + LANES <= end {
            sums = add::<M, COLUMNS, LANES>(weights.add(j), points.add(j * d), LANES, (d, columns), sums);
            j += LANES;
        }
        if j < end {
            sums = add::<M, COLUMNS, LANES>(weights.add(j), points.add(j * d), end - j, (d, columns), sums);
        }
    }
    sums
}

/// A processor's block: row i of W over the points from `start` to `end` of n, a run for each thread.
///
/// # Safety
/// W and X are as long as the launch asks; all threads of the block call it, and the row is the block's.
#[inline(always)]
pub(crate) unsafe fn row_block<M: Machine, const COLUMNS: usize, const LANES: usize>(
    weights: &[f32],
    points: &[f32],
    pass: &mut Pass<'_>,
    shared: *mut f32,
    i: usize,
    (start, end, n): (usize, usize, usize),
) {
    let (t, threads, d) = (thread::thread_idx_x() as usize, thread::block_dim_x() as usize, pass.d);
    let run = (end - start).div_ceil(threads * LANES) * LANES;
    let range = (end.min(start + t * run), end.min(start + (t + 1) * run));
    let cell = |t: usize, c: usize| shared.wrapping_add(t * (COLUMNS + 1) + c);
    // SAFETY: the caller's promise; ranges end at n, and columns at d. Cell t is this thread's until the barrier, and all
    // are written before it.
    unsafe {
        let (row, points) = (weights.as_ptr().add(i * n), points.as_ptr().add(pass.first));
        let (sums, total) = if d == COLUMNS {
            // The same with numbers known to the compiler, which then loads whole vectors.
            sums::<M, COLUMNS, LANES>(row, points, range, (COLUMNS, COLUMNS))
        } else {
            sums::<M, COLUMNS, LANES>(row, points, range, (d, pass.columns))
        };
        // Loops, since the library's `map` of so long an array is a call, for which all lanes go through memory.
        for c in 0..COLUMNS {
            cell(t, c).write(lanes::sum(sums[c]));
        }
        cell(t, COLUMNS).write(lanes::sum(total));
        thread::sync_threads();
        if t == 0 {
            let (mut sums, mut total) = ([0.0; COLUMNS], 0.0);
            for other in 0..threads {
                for c in 0..COLUMNS {
                    sums[c] += cell(other, c).read();
                }
                total += cell(other, COLUMNS).read();
            }
            for c in 0..COLUMNS {
                pass.give(i, c, sums[c], total);
            }
        }
    }
}

/// A processor's block where columns are many: the rows of W from i on, over the points from `start` to `end` of n.
///
/// # Safety
/// W and X are as long as the launch asks, and the rows are the block's; its memory is as long as [`shared`] says.
#[inline(always)]
pub(crate) unsafe fn product_block<M: Machine, const HELD: usize, const WIDTH: usize>(
    (weights, points, memory): (&[f32], &[f32], *mut f32),
    pass: &mut Pass<'_>,
    i: usize,
    (start, end, n): (usize, usize, usize),
) {
    if thread::thread_idx_x() > 0 {
        return;
    }
    let count = rows(M::LANES).min(pass.m - i);
    let panel = lanes::aligned_to_line(memory).cast::<[f32; WIDTH]>();
    let sums = panel.wrapping_add(DEPTH);
    let totals = sums.wrapping_add(rows(M::LANES)).cast::<[f32; LINE]>();
    let held = totals.wrapping_add(rows(M::LANES)).cast::<f32>();
    // SAFETY: the caller's promise: no other thread of the block uses the memory, points are below n and rows below m.
    unsafe {
        for row in 0..rows(M::LANES) {
            sums.add(row).write([0.0; WIDTH]);
            totals.add(row).write([0.0; LINE]);
        }
        let mut j0 = start;
        while j0 < end {
            let depth = DEPTH.min(end - j0);
            for j in 0..depth {
                let at = (j0 + j) * pass.d + pass.first;
                panel.add(j).write(lanes::load_some(points, at, pass.columns));
            }
            let of_x = slice::from_raw_parts(panel, depth);
            let mut row = 0;
            while row < count {
                for r in 0..HELD {
                    let from = &weights[(i + (row + r).min(count - 1)) * n + j0..][..depth];
                    let to = slice::from_raw_parts_mut(held.add(r * depth), depth);
                    *totals.add(row + r) = copy(from, to, *totals.add(row + r));
                }
                let next = if row + HELD < count { (i + row + HELD) * n + j0 } else { i * n + j0 + depth };
                let next = (weights.as_ptr().wrapping_add(next), n);
                let tile = sums.add(row).cast::<[[f32; WIDTH]; HELD]>();
                tile.write(multiply::<M, HELD, WIDTH>(held, of_x, next, tile.read()));
                row += HELD;
            }
            j0 += depth;
        }
        for row in 0..count {
            let total = lanes::sum(*totals.add(row));
            for c in 0..pass.columns {
                pass.give(i + row, c, (*sums.add(row))[c], total);
            }
        }
    }
}

/// Copies some weights, and adds them to a row's sums, each to that of its place in a line.
#[inline(always)]
fn copy(from: &[f32], to: &mut [f32], mut totals: [f32; LINE]) -> [f32; LINE] {
    let ((lines, rest), (to_lines, to_rest)) = (from.as_chunks::<LINE>(), to.as_chunks_mut::<LINE>());
    for (line, to) in lines.iter().zip(to_lines) {
        totals = lanes::add(totals, *line);
        *to = *line;
    }
    for ((weight, to), total) in rest.iter().zip(to_rest).zip(&mut totals) {
        *total += weight;
        *to = *weight;
    }
    totals
}

/// The product of HELD rows of weights, which lie densely, with a panel, added to their sums. Meanwhile as many lines are asked for
/// of the rows that are next: where the first begins, and how far apart they are.
///
/// # Safety
/// Each row has as many weights as the panel has points.
#[inline(always)]
unsafe fn multiply<M: Machine, const HELD: usize, const WIDTH: usize>(
    weights: *const f32,
    panel: &[[f32; WIDTH]],
    (next, apart): (*const f32, usize),
    mut sums: [[f32; WIDTH]; HELD],
) -> [[f32; WIDTH]; HELD] {
    let depth = panel.len();
    let mut first = 0;
    while first < depth {
        let count = LINE.min(depth - first);
        let mut rows = [[].as_slice(); HELD];
        for r in 0..HELD {
            // SAFETY: the caller's promise.
            rows[r] = unsafe { slice::from_raw_parts(weights.add(r * depth + first), count) };
            lanes::prefetch::<true>(next.wrapping_add(r * apart + first));
        }
        sums = multiply_panel::<M, HELD, WIDTH>(rows, &panel[first..first + count], sums);
        first += LINE;
    }
    sums
}
