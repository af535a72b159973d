//! The weighted reduction's blocks on a processor.
//!
//! *Up to four columns*, [`row_block`]: a block is a few rows of W, and a thread takes a run of them in whole vectors, for which X is loaded
//! once; partial sums meet in shared memory and are added in the order of the threads. W's bytes are the limit.
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

/// Rows of W that a block of [`row_block`] takes, whose sums are in registers.
pub(crate) const fn few(lanes: usize) -> usize {
    if lanes == 32 { 4 } else { 2 }
}

/// Numbers of a row that [`row_block`] takes at a time: half of the lanes, since it has several rows under way instead. With AVX2 all of them,
/// where registers hold their sums: half of them there turn over points of two and three columns number by number.
pub(crate) const fn vector(lanes: usize, columns: usize) -> usize {
    if lanes == 16 && columns < 4 { lanes } else { lanes / 2 }
}

/// Bytes of a row that are asked for ahead: more than a page behind which a processor begins to look anew.
const AHEAD: usize = 2048;

/// Sums of a row for some columns c of w_j x_jc, and of w_j, in each lane.
type Sums<const COLUMNS: usize, const VECTOR: usize> = ([[f32; VECTOR]; COLUMNS], [f32; VECTOR]);

/// Adds some neighbouring weights of each row, and the columns of their points, to the rows' sums.
#[inline(always)]
fn add<M: Machine, const ROWS: usize, const COLUMNS: usize, const VECTOR: usize>(
    weights: [[f32; VECTOR]; ROWS],
    columns: [[f32; VECTOR]; COLUMNS],
    mut sums: [Sums<COLUMNS, VECTOR>; ROWS],
) -> [Sums<COLUMNS, VECTOR>; ROWS] {
    for row in 0..ROWS {
        sums[row].1 = lanes::add(sums[row].1, weights[row]);
        for c in 0..COLUMNS {
            sums[row].0[c] = lanes::mul_add_each::<M, VECTOR>(weights[row], columns[c], sums[row].0[c]);
        }
    }
    sums
}

/// The sums that a processor's thread takes, of rows of weights and rows of d coordinates, which are as many. Columns from `columns`
/// on repeat the first one.
#[inline(always)]
fn sums<M: Machine, const ROWS: usize, const COLUMNS: usize, const VECTOR: usize>(
    weights: [&[f32]; ROWS],
    points: &[f32],
    (d, columns): (usize, usize),
) -> [Sums<COLUMNS, VECTOR>; ROWS] {
    let mut sums = [([[0.0; VECTOR]; COLUMNS], [0.0; VECTOR]); ROWS];
    let count = weights[0].len();
    let mut j = 0;
    while j + VECTOR <= count {
        let (mut of_rows, mut of_points) = ([[0.0; VECTOR]; ROWS], [[0.0; VECTOR]; COLUMNS]);
        let near = &points[j * d..][..(VECTOR - 1) * d + columns];
        for lane in 0..VECTOR {
            for c in 0..COLUMNS {
                of_points[c][lane] = near[lane * d + if c < columns { c } else { 0 }];
            }
        }
        for row in 0..ROWS {
            of_rows[row].copy_from_slice(&weights[row][j..][..VECTOR]);
            lanes::prefetch::<true>(weights[row].as_ptr().wrapping_add(j).wrapping_byte_add(AHEAD));
        }
        sums = add::<M, ROWS, COLUMNS, VECTOR>(of_rows, of_points, sums);
        j += VECTOR;
    }
    // Apart, with arrays of its own: those of the loop would be in memory, not in registers, if lanes of them were counted.
    if j < count {
        let (mut of_rows, mut of_points) = ([[0.0; VECTOR]; ROWS], [[0.0; VECTOR]; COLUMNS]);
        for lane in 0..count - j {
            for c in 0..COLUMNS {
                of_points[c][lane] = points[(j + lane) * d + if c < columns { c } else { 0 }];
            }
            for row in 0..ROWS {
                of_rows[row][lane] = weights[row][j + lane];
            }
        }
        sums = add::<M, ROWS, COLUMNS, VECTOR>(of_rows, of_points, sums);
    }
    sums
}

/// A processor's block: ROWS rows of W from row i on, over the points from `start` to `end` of n, a run for each thread. Rows behind the last
/// repeat it.
///
/// # Safety
/// All threads of the block call it, and the rows are the block's; there is memory for the sums that each has of each row.
#[inline(always)]
pub(crate) unsafe fn row_block<M: Machine, const ROWS: usize, const COLUMNS: usize, const VECTOR: usize>(
    (weights, points, shared): (&[f32], &[f32], *mut f32),
    pass: &mut Pass<'_>,
    i: usize,
    (start, end, n): (usize, usize, usize),
) {
    let (t, threads, d) = (thread::thread_idx_x() as usize, thread::block_dim_x() as usize, pass.d);
    let run = (end - start).div_ceil(threads * VECTOR) * VECTOR;
    let (from, to) = (end.min(start + t * run), end.min(start + (t + 1) * run));
    let cell = |t: usize, row: usize, c: usize| shared.wrapping_add((t * ROWS + row) * (COLUMNS + 1) + c);
    let mut rows = [[].as_slice(); ROWS];
    for row in 0..ROWS {
        rows[row] = &weights[(i + row).min(pass.m - 1) * n..][from..to];
    }
    let found = if from == to {
        // Its points would begin behind the last one.
        [([[0.0; VECTOR]; COLUMNS], [0.0; VECTOR]); ROWS]
    } else if d == COLUMNS {
        // The same with numbers known to the compiler, which then loads whole vectors.
        sums::<M, ROWS, COLUMNS, VECTOR>(rows, &points[from * COLUMNS..to * COLUMNS], (COLUMNS, COLUMNS))
    } else {
        sums::<M, ROWS, COLUMNS, VECTOR>(rows, &points[from * d + pass.first..to * d], (d, pass.columns))
    };
    // SAFETY: the caller's promise. The cells of t are this thread's until the barrier, and all are written before it.
    unsafe {
        // Loops, since the library's `map` of so long an array is a call, for which all lanes go through memory.
        for row in 0..ROWS {
            for c in 0..COLUMNS {
                cell(t, row, c).write(lanes::sum(found[row].0[c]));
            }
            cell(t, row, COLUMNS).write(lanes::sum(found[row].1));
        }
        thread::sync_threads();
        if t == 0 {
            for row in 0..ROWS {
                let mut sums = [0.0; COLUMNS];
                let mut total = 0.0;
                for other in 0..threads {
                    for c in 0..COLUMNS {
                        sums[c] += cell(other, row, c).read();
                    }
                    total += cell(other, row, COLUMNS).read();
                }
                for c in 0..COLUMNS {
                    pass.give(i + row, c, sums[c], total);
                }
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
