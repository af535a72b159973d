//! A processor's block of the product: see matmul_blocked.rs. One thread, which needs no barrier, computes ROWS x COLUMNS of C:
//!
//! ```text
//! for each slice of DEPTH columns of A and rows of B:
//!     B's -> panels of LANES columns                             (all of them stay in the second cache)
//!     for HELD rows of A at a time:
//!         A's -> rows that lie densely                           (they stay in the first cache)
//!         for each panel:
//!             C[HELD][LANES] += A[HELD][l] * B[l][LANES] for l in the slice      (sums in registers; the panel is streamed)
//! ```
//!
//! After K. Goto and R. van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008), with these deviations:
//!
//! 1. *Rows of A are copied as rows* and not turned over, for a number of each is loaded into all lanes anyway. What counts is
//!    that they lie densely: in A, rows that are a power of two apart fall on the same few sets of a cache, and each is on a
//!    page of its own.
//! 2. *Sums between slices* are tiles of HELD x LANES in the block's memory, for the same reasons. C is written once, and never
//!    read.
//! 3. *The next rows of A are asked for* while sums are made, a few lines a tile: they come from far away.
//! 4. *Every block copies for itself*, since blocks do not meet: each number of A serves COLUMNS columns, each of B ROWS rows.

use core::slice;

use cuda_std::prelude::*;

use crate::lanes::{self, LINE};

/// Rows of C whose sums a thread holds: as many as leave them in registers.
pub(crate) const fn held(lanes: usize) -> usize {
    if lanes > 16 {
        8
    } else if lanes > 8 {
        6
    } else {
        4
    }
}

/// Columns of A and rows of B in a slice.
const DEPTH: usize = 256;

/// Columns of a block.
const COLUMNS: usize = 256;

/// About as many rows has a block where `s` is 8, and where it is 4 and there is less to share out.
const ROWS: (usize, usize) = (512, 64);

/// Panels of a block.
const fn panels(lanes: usize) -> usize {
    COLUMNS / lanes
}

/// How often a block copies rows of A, for each slice.
const fn groups(lanes: usize, s: usize) -> usize {
    (if s > 4 { ROWS.0 } else { ROWS.1 }).div_ceil(held(lanes))
}

/// Rows of C that a block computes.
pub(crate) const fn rows(lanes: usize, s: usize) -> usize {
    groups(lanes, s) * held(lanes)
}

/// Columns of C that it computes.
pub(crate) const fn columns(lanes: usize) -> usize {
    panels(lanes) * lanes
}

/// Vectors from a panel to the next. They are written side by side, so their lines are not to fall on the same sets.
const fn apart(lanes: usize) -> usize {
    DEPTH + LINE / lanes + 1
}

/// Cells of a block's memory: panels, tiles, rows of A, and what aligns them.
pub(crate) const fn shared(lanes: usize, s: usize) -> usize {
    panels(lanes) * apart(lanes) * lanes + rows(lanes, s) * columns(lanes) + held(lanes) * DEPTH + LINE
}

/// Asks for what falls to a panel of the lines of HELD rows of a slice, the first of which begins with `row`.
#[inline(always)]
fn ask<const HELD: usize, const LANES: usize>(row: *const f32, apart: usize, panel: usize) {
    /// Lines of a row.
    const ACROSS: usize = DEPTH / LINE;
    let lines = (HELD * ACROSS).div_ceil(panels(LANES));
    for line in panel * lines..(panel + 1) * lines {
        lanes::prefetch::<true>(row.wrapping_add(line / ACROSS * apart + line % ACROSS * LINE));
    }
}

/// The product of rows of A with a panel of B, all of the same slice, added to their sums.
///
/// From slices, whose bounds are seen to hold: a read through a pointer is checked for alignment where assertions are on.
#[inline(always)]
pub(crate) fn multiply_panel<M: Machine, const HELD: usize, const LANES: usize>(
    rows: [&[f32]; HELD],
    panel: &[[f32; LANES]],
    mut sums: [[f32; LANES]; HELD],
) -> [[f32; LANES]; HELD] {
    for l in 0..panel.len() {
        let b = panel[l];
        for r in 0..HELD {
            sums[r] = lanes::mul_add::<M, LANES>(rows[r][l], b, sums[r]);
        }
    }
    sums
}

/// Copies `depth` rows of B, which are n long, from (l0, column0) on in panels, the last of them filled up with zeros.
///
/// # Safety
/// B has the rows, and the column; there is place for so many panels.
#[inline(always)]
unsafe fn copy_panels<const LANES: usize>(
    b: &[f32],
    to: *mut [f32; LANES],
    (l0, column0): (usize, usize),
    (depth, panels): (usize, usize),
    n: usize,
) {
    let columns = (n - column0).min(panels * LANES);
    for l in 0..depth {
        let row = (l0 + l) * n + column0;
        // Apart from those that are not whole: by the same loop neither would be copied in vectors.
        for panel in 0..columns / LANES {
            // SAFETY: the columns are B's.
            unsafe { to.add(panel * apart(LANES) + l).write(lanes::load(b, row + panel * LANES)) };
        }
    }
    let (panel, left) = (columns / LANES, columns % LANES);
    if left > 0 {
        for l in 0..depth {
            // SAFETY: so many columns are left in B's row.
            unsafe {
                let values = lanes::load_some(b, (l0 + l) * n + column0 + panel * LANES, left);
                to.add(panel * apart(LANES) + l).write(values);
            }
        }
    }
}

/// The cells from (row0, column0) on.
///
/// # Safety
/// A, B and C are m x k, k x n and m x n; `memory` is the block's, of [`shared`] cells, and the cells are its own.
#[inline(always)]
pub(crate) unsafe fn processor_block<M: Machine, const S: usize, const HELD: usize, const LANES: usize>(
    a: &[f32],
    b: &[f32],
    c: &mut DisjointMut<f32>,
    memory: *mut f32,
    (row0, column0): (usize, usize),
    (m, n, k): (usize, usize, usize),
) {
    let (groups, panels) = (groups(LANES, S), panels(LANES));
    let copy = lanes::aligned_to_line(memory).cast::<[f32; LANES]>();
    let tiles = copy.wrapping_add(panels * apart(LANES)).cast::<[[f32; LANES]; HELD]>();
    let held = tiles.wrapping_add(groups * panels).cast::<f32>();
    let count = (n - column0).div_ceil(LANES).min(panels);
    let mut l0 = 0;
    loop {
        let depth = DEPTH.min(k - l0);
        let next = l0 + DEPTH;
        // SAFETY: so many rows of B are left, and the block has columns.
        unsafe { copy_panels(b, copy, (l0, column0), (depth, count), n) };
        for group in 0..groups {
            let i = row0 + group * HELD;
            if i >= m {
                break;
            }
            for r in 0..HELD {
                // SAFETY: rows behind the last one repeat it; there is place for HELD of them.
                unsafe {
                    let row = a.as_ptr().add((i + r).min(m - 1) * k + l0);
                    held.add(r * depth).copy_from_nonoverlapping(row, depth);
                }
            }
            let below = if group + 1 < groups { (i + HELD) * k + l0 } else { row0 * k + next };
            for panel in 0..count {
                ask::<HELD, LANES>(a.as_ptr().wrapping_add(below), k, panel);
                // SAFETY: what is read was copied above, or is of the slice before; C's cells are this block's.
                unsafe {
                    let tile = tiles.add(group * panels + panel);
                    let sums = if l0 > 0 { tile.read() } else { [[0.0; LANES]; HELD] };
                    let mut rows = [[].as_slice(); HELD];
                    for r in 0..HELD {
                        rows[r] = slice::from_raw_parts(held.add(r * depth), depth);
                    }
                    let of_b = slice::from_raw_parts(copy.add(panel * apart(LANES)), depth);
                    let sums = multiply_panel::<M, HELD, LANES>(rows, of_b, sums);
                    if next < k {
                        tile.write(sums);
                    } else {
                        write_tile(c, sums, (i, column0 + panel * LANES), (m, n));
                    }
                }
            }
        }
        if next >= k {
            break;
        }
        l0 = next;
    }
}

/// Writes sums into C, as far as there are rows and columns.
///
/// # Safety
/// C is m x n, and the cells are the block's.
#[inline(always)]
unsafe fn write_tile<const HELD: usize, const LANES: usize>(
    c: &mut DisjointMut<f32>,
    sums: [[f32; LANES]; HELD],
    (i, column): (usize, usize),
    (m, n): (usize, usize),
) {
    for r in 0..HELD {
        if i + r < m {
            // SAFETY: the caller's promise.
            unsafe { lanes::write_some(c, (i + r) * n + column, sums[r], n - column) };
        }
    }
}
