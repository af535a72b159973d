//! Pairwise distances on a processor: `out[i, j] = dist(A[i], B[j])`, for the kernel in pairwise.rs. A block is one thread, which
//! needs no barrier:
//!
//! ```text
//! for each slice of DEPTH coordinates:
//!     those of the block's columns -> panels of LANES columns                       (all of them stay in the second cache)
//!     for HELD of the block's rows at a time, for each panel:
//!         out[HELD][LANES] = last(out[HELD][LANES] + sum of the slice's)             (sums in registers; the panel is streamed)
//! ```
//!
//! 1. *Rows of A are read where they are*, a number at a time into all lanes: HELD rows of a slice lie in the first cache.
//! 2. *Rows of the output are written in long pieces*, 0.5 to 16 KB: in short ones each store meets another page.
//! 3. *Blocks are as high as leaves enough of them*: a coordinate of B is turned over by a store of its own, which serves a block's rows.

use core::slice;

use cuda_std::prelude::*;

use crate::lanes::{self, LINE, read_some, write_some};
use crate::pairwise::Metric;

/// Coordinates of a slice.
const DEPTH: usize = 256;

/// Columns of a block: at least, where a slice is full, and at most.
const COLUMNS: (usize, usize) = (128, 4096);

/// Rows whose sums are in registers at a time: they share what is read of B.
const HELD: usize = 4;

/// Rows of a block: fewer than the most where there would be few blocks.
const ROWS: (usize, usize) = (64, 1024);

/// Blocks that leave no core idle for long.
const BLOCKS: usize = 64;

/// Rows and columns of a block's part of an output of m x n.
const fn part(lanes: usize, [m, n, d]: [usize; 3]) -> [usize; 2] {
    let depth = clamp(d, (1, DEPTH));
    let columns = clamp(DEPTH * COLUMNS.0 / depth / lanes * lanes, COLUMNS);
    [clamp((m * n.div_ceil(columns) / BLOCKS).next_multiple_of(HELD), ROWS), columns]
}

const fn clamp(x: usize, (least, most): (usize, usize)) -> usize {
    if x < least {
        least
    } else if x > most {
        most
    } else {
        x
    }
}

/// Cells of a block's memory: panels, and what aligns them.
pub(crate) const SHARED: usize = DEPTH * COLUMNS.0 + LINE;

/// The same where columns and coordinates are [`few`].
pub(crate) const FEW: usize = SHARED / 16;

/// Whether [`FEW`] cells are enough: to poison the others would take longer than some distances do.
pub(crate) const fn few(lanes: usize, sizes: [usize; 3]) -> bool {
    let ([_, columns], [_, n, d]) = (part(lanes, sizes), sizes);
    let all = n.next_multiple_of(lanes);
    clamp(d, (0, DEPTH)) * (if all < columns { all } else { columns }) + LINE <= FEW
}

/// Blocks for an output of m x n.
pub(crate) const fn blocks(lanes: usize, [m, n, d]: [usize; 3]) -> usize {
    let [rows, columns] = part(lanes, [m, n, d]);
    m.div_ceil(rows) * n.div_ceil(columns)
}

/// The distances of a block's part of the output.
///
/// # Safety
/// A has m rows of d elements, B n, and `out` m x n cells; the memory has [`SHARED`], or [`FEW`] if they are enough, which
/// nobody else uses; `block` is one of [`blocks`], each of which is one thread's.
#[inline(always)]
pub(crate) unsafe fn distances<M: Machine, T: Metric, const LANES: usize>(
    memory: *mut f32,
    (a, b): (&[f32], &[f32]),
    out: &mut DisjointMut<f32>,
    block: usize,
    [m, n, d]: [usize; 3],
    p: f32,
) {
    let [rows, columns] = part(LANES, [m, n, d]);
    let across = n.div_ceil(columns);
    let (i0, j0) = (block / across * rows, block % across * columns);
    let part = Part { rows: (i0, m.min(i0 + rows)), columns: (j0, n.min(j0 + columns)), n, d };
    let panels = part.panels::<LANES>();
    let memory = lanes::aligned_to_line(memory).cast::<[f32; LANES]>();
    let mut c0 = 0;
    loop {
        let depth = DEPTH.min(d - c0);
        // SAFETY: the caller's promise; so many columns of a slice are no more than COLUMNS.0 of a full one, or they are few.
        let tile = unsafe { slice::from_raw_parts_mut(memory, panels * depth) };
        part.copy_panels(b, c0, depth, tile);
        // SAFETY: the caller's promise: the part is this thread's.
        unsafe {
            if c0 + depth == d {
                return part.add::<M, T, LANES, true>(a, c0, (depth, tile), out, p);
            }
            part.add::<M, T, LANES, false>(a, c0, (depth, tile), out, p);
        }
        c0 += depth;
    }
}

/// A block's rows and columns of the output, from the first to behind the last, and how long rows are: of the output n, of A and B d.
#[derive(Clone, Copy)]
struct Part {
    rows: (usize, usize),
    columns: (usize, usize),
    n: usize,
    d: usize,
}

impl Part {
    fn panels<const LANES: usize>(&self) -> usize {
        (self.columns.1 - self.columns.0).div_ceil(LANES)
    }

    /// Copies `depth` coordinates of the columns, from c0 on, in panels: a vector of LANES columns for each coordinate. Columns
    /// behind the last one repeat it.
    #[inline(always)]
    fn copy_panels<const LANES: usize>(&self, b: &[f32], c0: usize, depth: usize, to: &mut [[f32; LANES]]) {
        let (j0, j1) = self.columns;
        for panel in 0..self.panels::<LANES>() {
            let to = &mut to[panel * depth..][..depth];
            for lane in 0..LANES {
                let j = (j0 + panel * LANES + lane).min(j1 - 1);
                let row = &b[j * self.d + c0..][..depth];
                for c in 0..depth {
                    to[c][lane] = row[c];
                }
            }
        }
    }

    /// Adds what `depth` coordinates contribute, from c0 on, to the sums of all pairs; with the last of them sums become distances.
    ///
    /// # Safety
    /// The output has such rows and columns, and the part is this thread's.
    #[inline(always)]
    unsafe fn add<M: Machine, T: Metric, const LANES: usize, const LAST: bool>(
        &self,
        a: &[f32],
        c0: usize,
        (depth, panels): (usize, &[[f32; LANES]]),
        out: &mut DisjointMut<f32>,
        p: f32,
    ) {
        let ((i0, i1), (j0, j1)) = (self.rows, self.columns);
        for i in (i0..i1).step_by(HELD) {
            let mut rows = [[].as_slice(); HELD];
            for r in 0..HELD {
                // Rows behind the last one repeat it.
                rows[r] = &a[(i + r).min(i1 - 1) * self.d + c0..][..depth];
            }
            for panel in 0..self.panels::<LANES>() {
                let j = j0 + panel * LANES;
                let (mut sums, first) = ([[0.0; LANES]; HELD], |r: usize| (i + r) * self.n + j);
                for r in 0..HELD {
                    if c0 > 0 && i + r < i1 {
                        // SAFETY: the caller's promise.
                        sums[r] = unsafe { read_some(out, first(r), j1 - j) };
                    }
                }
                sums = add_panel::<M, T, LANES>(rows, &panels[panel * depth..][..depth], sums, p);
                if LAST {
                    sums = finish::<M, T, LANES>(sums, p);
                }
                for r in 0..HELD {
                    if i + r < i1 {
                        // SAFETY: the caller's promise.
                        unsafe { write_some(out, first(r), sums[r], j1 - j) };
                    }
                }
            }
        }
    }
}

/// Adds what a panel's coordinates contribute to the sums of some rows and its columns.
///
/// From slices, as matmul_panels.rs multiplies a panel.
#[inline(always)]
fn add_panel<M: Machine, T: Metric, const LANES: usize>(
    rows: [&[f32]; HELD],
    panel: &[[f32; LANES]],
    mut sums: [[f32; LANES]; HELD],
    p: f32,
) -> [[f32; LANES]; HELD] {
    for c in 0..panel.len() {
        let b = panel[c];
        for r in 0..HELD {
            let a = rows[r][c];
            for lane in 0..LANES {
                sums[r][lane] = T::add::<M>(sums[r][lane], a - b[lane], p);
            }
        }
    }
    sums
}

/// The distances of some sums. By one loop over all of them, too long to be written out: then the compiler makes vectors of roots on
/// every kind of processor, where of single rows' it may leave numbers.
#[inline(always)]
fn finish<M: Machine, T: Metric, const LANES: usize>(mut sums: [[f32; LANES]; HELD], p: f32) -> [[f32; LANES]; HELD] {
    for sum in sums.as_flattened_mut() {
        *sum = T::finish::<M>(*sum, p);
    }
    sums
}
