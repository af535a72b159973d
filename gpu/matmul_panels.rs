//! A processor's block of the product: see matmul_blocked.rs. One thread, which needs no barrier, computes a block of C:
//!
//! ```text
//! for each slice of k, of DEPTH columns of A and rows of B:
//!     B's, in panels of LANES columns -> memory                  (all panels stay in the second cache)
//!     for HELD rows of A at a time:
//!         A's -> memory                                          (they stay in the first cache)
//!         for each panel:
//!             for l in the slice: C[HELD][LANES] += A[HELD][l] * B[l][LANES]     (sums in registers; the panel is streamed)
//! ```
//!
//! After K. Goto and R. van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008), with these deviations:
//!
//! 1. *Rows of A are copied as rows*, one behind the other, and not turned over: a number of each row is loaded into all lanes
//!    anyway. It is that they lie densely which counts. In A itself rows that are a power of two apart fall on the same few sets of the caches,
//!    and each of them on a page of its own.
//! 2. *Sums between slices* are in memory as tiles of HELD x LANES, for the same reasons; C is written once.
//! 3. *Asked for ahead*: while sums are made, the next rows of A and the next slice of B come to the second cache, a few lines
//!    a tile. Else the copies would wait for them.
//! 4. Every block copies for itself, for blocks do not meet. Each number that is copied serves 256 columns, or as many rows.

use core::slice;

use cuda_std::prelude::*;

use crate::lanes;

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

/// Columns of a block.
const COLUMNS: usize = 256;

/// Panels of a block.
const fn panels(lanes: usize) -> usize {
    COLUMNS / lanes
}

/// Columns of A and rows of B in a slice of the larger blocks, where `s` is 8, and of the smaller ones, whose memory is to be prepared soon.
const fn depth(s: usize) -> usize {
    if s > 4 { 256 } else { 128 }
}

/// Rows of A that are copied at a time, how often in a block.
const fn groups(lanes: usize, s: usize) -> usize {
    (if s > 4 { 256 } else { 64 }) / held(lanes)
}

/// Rows of C that a block computes.
pub(crate) const fn rows(lanes: usize, s: usize) -> usize {
    groups(lanes, s) * held(lanes)
}

/// Columns of C that it computes.
pub(crate) const fn columns(lanes: usize) -> usize {
    panels(lanes) * lanes
}

/// Vectors from a panel to the next, in whose first cells a row of B is written at a time: they are not to fall on one set.
const fn apart(lanes: usize, s: usize) -> usize {
    depth(s) + LINE / lanes + 1
}

/// Numbers of a line of the caches.
const LINE: usize = 16;

/// Cells of a block's memory: panels, tiles, rows of A, and what aligns them.
pub(crate) const fn shared(lanes: usize, s: usize) -> usize {
    panels(lanes) * apart(lanes, s) * lanes + rows(lanes, s) * columns(lanes) + held(lanes) * depth(s) + LINE
}

/// Asks for lines to be brought to the second cache: those that fall to one of `parts` of `rows` rows by `columns`, from (row,
/// column) of a matrix on whose rows are `width` long.
#[inline(always)]
fn ask(
    matrix: *const f32,
    width: usize,
    (row, column): (usize, usize),
    (rows, columns): (usize, usize),
    (part, parts): (usize, usize),
) {
    let lines = (rows * columns / LINE).div_ceil(parts);
    for line in part * lines..(part + 1) * lines {
        let (down, right) = (line / (columns / LINE), line % (columns / LINE) * LINE);
        ask_for(matrix.wrapping_add((row + down) * width + column + right));
    }
}

/// Asks for a line.
#[inline(always)]
fn ask_for(line: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which may name any address, and reads nothing that a program could see.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>(line.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}

/// The product of rows of A with a panel of B, all of the same slice, added to their sums.
///
/// From slices, whose bounds are seen to hold: a read through a pointer is checked for alignment where assertions are on.
#[inline(always)]
fn multiply_panel<M: Machine, const HELD: usize, const LANES: usize>(
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
unsafe fn copy_panels<const S: usize, const LANES: usize>(
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
            unsafe { to.add(panel * apart(LANES, S) + l).write(lanes::load(b, row + panel * LANES)) };
        }
    }
    let (panel, left) = (columns / LANES, columns % LANES);
    if left > 0 {
        for l in 0..depth {
            // SAFETY: so many columns are left in B's row.
            unsafe {
                let values = lanes::load_some(b, (l0 + l) * n + column0 + panel * LANES, left);
                to.add(panel * apart(LANES, S) + l).write(values);
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
    let (groups, panels, most) = (groups(LANES, S), panels(LANES), depth(S));
    let copy = lanes::aligned_to_line(memory).cast::<[f32; LANES]>();
    let tiles = copy.wrapping_add(panels * apart(LANES, S)).cast::<[[f32; LANES]; HELD]>();
    let held = tiles.wrapping_add(groups * panels).cast::<f32>();
    let count = (n - column0).div_ceil(LANES).min(panels);
    let mut l0 = 0;
    loop {
        let depth = most.min(k - l0);
        let next = l0 + most;
        // SAFETY: so many rows of B are left, and the block has columns.
        unsafe { copy_panels::<S, LANES>(b, copy, (l0, column0), (depth, count), n) };
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
            for panel in 0..count {
                let below = if group + 1 < groups { (i + HELD, l0) } else { (row0, next) };
                ask(a.as_ptr(), k, below, (HELD, most), (panel, panels));
                if next < k {
                    let part = (group * panels + panel, groups * panels);
                    ask(b.as_ptr(), n, (next, column0), (most, COLUMNS), part);
                }
                // SAFETY: what is read was copied above, or is of the slice before; C's cells are this block's.
                unsafe {
                    let tile = tiles.add(group * panels + panel);
                    let sums = if l0 > 0 { tile.read() } else { [[0.0; LANES]; HELD] };
                    let mut rows = [[].as_slice(); HELD];
                    for r in 0..HELD {
                        rows[r] = slice::from_raw_parts(held.add(r * depth), depth);
                    }
                    let of_b = slice::from_raw_parts(copy.add(panel * apart(LANES, S)), depth);
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
