//! Matrix product, the third version of matmul.rs: C = A B by blocks of C whose sums never leave registers.
//!
//! **On a GPU** a block of 256 threads computes TILE x TILE cells (128, or 64 where larger ones would leave
//! multiprocessors idle), a thread S x S of them (8, or 4) in 4 x 4 pieces:
//!
//! ```text
//! fetch slice 0 of A and B into registers, store it into stage 0 of shared memory
//! for each slice of 16 columns of A and rows of B:
//!     barrier
//!     fetch the next slice into registers                       (16 bytes a load; it is under way meanwhile)
//!     for l in the slice: C[S][S] += A[l][my S rows] * B[l][my S columns]    (S / 2 loads of 16 bytes, S S fma)
//!     store the next slice into the other stage
//! ```
//!
//! 1. *One barrier a slice*: a stage is written while the other one is read.
//! 2. *Banks*: rows of A lie along a stage as those of B do, so A is transposed when it is stored. A warp stores 16 rows
//!    of two quads; with PAD cells behind each row of the stage these are 32 different banks. A warp reads 4 x 8 pieces, in
//!    an order of lanes in which neighbours read the same 16 bytes of B and every other lane the same of A, for which
//!    shared memory takes half the passes.
//! 3. *Edges* cost one branch a slice: behind the last row and column the last ones are read again, for sums that are not
//!    written; the last slice is filled up with zeros. Rows that are no multiple of 16 bytes apart are read in single numbers.
//!
//! **On a processor** a block is one thread, which needs no barrier: it copies a slice of B once, in panels of LANES
//! columns that lie densely, and multiplies rows of A with a panel while its sums are in registers; between slices they
//! are in C. Rows of A are read where they are.
//!
//! Sums run over l in order, so that both give what `matmul_naive` gives, to the bit.

use cuda_std::prelude::*;

use crate::lanes::{self, unrolled};
use crate::tile::read_group;

/// Threads of a GPU's block.
const THREADS: usize = 256;

/// Columns of A and rows of B in a slice on a GPU.
const SLICE: usize = 16;

/// Cells behind each row of A's stage.
const PAD: usize = 4;

/// Threads of a block.
const fn threads(lanes: usize) -> usize {
    if lanes > 4 { 1 } else { THREADS }
}

/// Rows of C whose sums a processor's thread holds: as many as leave them in registers.
const fn held(lanes: usize) -> usize {
    if lanes > 16 {
        8
    } else if lanes > 8 {
        6
    } else {
        4
    }
}

/// Columns of A and rows of B in a slice on a processor: a panel of them stays in the first cache.
const DEPTH: usize = 128;

/// Panels of a processor's slice: together they stay in the second cache.
const PANELS: usize = 8;

/// Groups of rows of a processor's block: they share the copy of B.
const GROUPS: usize = 8;

/// Rows of C that a block computes; `s` is the side of a GPU's thread.
pub(crate) const fn rows(lanes: usize, s: usize) -> usize {
    if lanes > 4 { GROUPS * held(lanes) } else { 16 * s }
}

/// Columns of C that a block computes.
pub(crate) const fn columns(lanes: usize, s: usize) -> usize {
    if lanes > 4 { PANELS * lanes } else { 16 * s }
}

/// Cells of a block's shared memory: two stages of both tiles, or the panels.
const fn shared(lanes: usize, s: usize) -> usize {
    if lanes > 4 { DEPTH * PANELS * lanes + 16 } else { 2 * SLICE * (2 * 16 * s + PAD) }
}

/// C = A B. Blocks of the grid run along rows of blocks of C.
#[kernel(
    instances(matmul_blocked_128<8>, matmul_blocked_64<4>),
    block = threads(Machine::LANES) as u32,
    grid = n.div_ceil(columns(Machine::LANES, S)) * m.div_ceil(rows(Machine::LANES, S)),
    require(a.len() >= m * k, b.len() >= k * n, c.len() >= m * n),
)]
pub unsafe fn matmul_blocked<const S: usize>(a: &[f32], b: &[f32], mut c: DisjointMut<f32>, m: u32, n: u32, k: u32) {
    const LANES: usize = Machine::LANES;
    const HELD: usize = held(LANES);
    let memory = shared_array![f32; shared(LANES, S)];
    let (across, place) = (n.div_ceil(columns(LANES, S) as u32), thread::block_idx_x());
    let row0 = (place / across) as usize * rows(LANES, S);
    let column0 = (place % across) as usize * columns(LANES, S);
    let sizes = (m as usize, n as usize, k as usize);
    // SAFETY: the launch has checked the lengths; the memory is as long as `shared` says, and blocks' cells differ.
    unsafe {
        if LANES > 4 {
            processor_block::<Machine, HELD, LANES>(a, b, &mut c, memory, (row0, column0), sizes);
        } else {
            gpu_block::<Machine, S>(a, b, &mut c, memory, (row0, column0), sizes);
        }
    }
}

/// Whether rows of `apart` numbers from `start` on begin at multiples of 16 bytes.
#[inline(always)]
pub(crate) fn in_quads(start: *const f32, apart: usize) -> bool {
    (start as usize).is_multiple_of(16) && apart.is_multiple_of(4)
}

/// Where the q-th quad of A that thread t moves is: its row of the tile, and its place in the slice's row.
#[inline(always)]
fn place_of_a<const S: usize>(t: usize, q: usize) -> (usize, usize) {
    let e = t + q * THREADS;
    (e / 2 % (16 * S), e / (32 * S) * 2 + e % 2)
}

/// The same of B: its row of the slice, and its place in the tile's row.
#[inline(always)]
fn place_of_b<const S: usize>(t: usize, q: usize) -> (usize, usize) {
    let e = t + q * THREADS;
    (e / (4 * S), e % (4 * S))
}

/// The quads of A and of B that a thread moves of a slice; where S is 4, the first of each.
type Moved = [[[f32; 4]; 2]; 2];

/// Where a thread's quads of the next slice are, as far as they are inside; a quad behind the last row or column is moved to it.
#[derive(Clone, Copy)]
struct Source {
    a: [*const f32; 2],
    b: [*const f32; 2],
    /// Numbers of B from the start of a quad to the end of its row.
    columns: [u32; 2],
    /// From a slice of B to the next.
    apart: usize,
    /// Whether all quads are aligned to 16 bytes, and inside but for the last slice.
    whole: bool,
}

impl Source {
    /// The thread's quads of the first slice.
    #[inline(always)]
    fn new<const S: usize>(
        (a, b): (&[f32], &[f32]),
        (row0, column0): (usize, usize),
        (m, n, k): (usize, usize, usize),
        t: usize,
    ) -> Self {
        let whole = in_quads(a.as_ptr(), k) && in_quads(b.as_ptr(), n);
        let mut source = Self { a: [a.as_ptr(); 2], b: [b.as_ptr(); 2], columns: [0; 2], apart: SLICE * n, whole };
        for q in 0..S / 4 {
            let (row, place) = place_of_a::<S>(t, q);
            // The sums of rows and columns behind the last ones are not written.
            source.a[q] = a.as_ptr().wrapping_add((row0 + row).min(m - 1) * k + 4 * place);
            let (l, place) = place_of_b::<S>(t, q);
            let column = column0 + 4 * place;
            let inside = if whole { column.min(n - 4) } else { column };
            source.b[q] = b.as_ptr().wrapping_add(l * n + inside);
            source.columns[q] = n.saturating_sub(column) as u32;
        }
        source
    }

    /// Reads the quads of a slice with `left` of the columns of A in front of its end, and goes on to the next slice.
    ///
    /// # Safety
    /// A and B have so many columns and rows left.
    #[inline(always)]
    unsafe fn fetch<const S: usize>(&mut self, left: u32, t: usize) -> Moved {
        let mut moved = [[[0.0; 4]; 2]; 2];
        // SAFETY: what is read is in front of the end of A's row, and in B's rows and columns.
        unsafe {
            if self.whole && left >= SLICE as u32 {
                for q in 0..S / 4 {
                    moved[0][q] = read_group(self.a[q]);
                    moved[1][q] = read_group(self.b[q]);
                }
            } else {
                for q in 0..S / 4 {
                    let place = 4 * place_of_a::<S>(t, q).1 as u32;
                    let columns = if (place_of_b::<S>(t, q).0 as u32) < left { self.columns[q] } else { 0 };
                    for lane in 0..4 {
                        if place + (lane as u32) < left {
                            moved[0][q][lane] = *self.a[q].add(lane);
                        }
                        if (lane as u32) < columns {
                            moved[1][q][lane] = *self.b[q].add(lane);
                        }
                    }
                }
            }
        }
        for q in 0..S / 4 {
            self.a[q] = self.a[q].wrapping_add(SLICE);
            self.b[q] = self.b[q].wrapping_add(self.apart);
        }
        moved
    }
}

/// Writes the thread's quads into a stage.
///
/// # Safety
/// Nobody reads the stage, whose tiles `a_stage` and `b_stage` point to.
#[inline(always)]
unsafe fn store<const S: usize>(a_stage: *mut f32, b_stage: *mut f32, t: usize, moved: Moved) {
    #[repr(C, align(16))]
    struct Quad([f32; 4]);
    for q in 0..S / 4 {
        let (row, place) = place_of_a::<S>(t, q);
        let (l, column) = place_of_b::<S>(t, q);
        // SAFETY: the places are in the tiles, and different for each thread.
        unsafe {
            for lane in 0..4 {
                a_stage.add((4 * place + lane) * (16 * S + PAD) + row).write(moved[0][q][lane]);
            }
            b_stage.add(l * 16 * S + 4 * column).cast::<Quad>().write(Quad(moved[1][q]));
        }
    }
}

/// Adds the product of a stage's tiles to the sums of thread (x, y). Row 4 h + r of the sums is row 64 h + 4 y + r of the tile
/// where S is 8, and so for columns.
///
/// # Safety
/// The stage is written, and its tiles are what `a_stage` and `b_stage` point to.
#[inline(always)]
unsafe fn multiply<M: Machine, const S: usize>(
    a_stage: *const f32,
    b_stage: *const f32,
    (x, y): (usize, usize),
    mut sums: [[f32; S]; S],
) -> [[f32; S]; S] {
    // 32 bits: a GPU counts in them with half the instructions. Four at a time, of which it need not count three.
    for first in 0..SLICE as u32 / 4 {
        unrolled!(offset in 0..4, {
            let l = 4 * first as usize + offset;
            let (mut a, mut b) = ([0.0; S], [0.0; S]);
            for half in 0..S / 4 {
                // SAFETY: the places are in the tiles, and multiples of 16 bytes from their start.
                let (left, right) = unsafe {
                    let left: [f32; 4] = read_group(a_stage.add(l * (16 * S + PAD) + 64 * half + 4 * y));
                    let right: [f32; 4] = read_group(b_stage.add(l * 16 * S + 64 * half + 4 * x));
                    (left, right)
                };
                for lane in 0..4 {
                    a[4 * half + lane] = left[lane];
                    b[4 * half + lane] = right[lane];
                }
            }
            unrolled!(r in 0..S, {
                unrolled!(column in 0..S, {
                    sums[r][column] = M::mul_add(a[r], b[column], sums[r][column]);
                });
            });
        });
    }
    sums
}

/// A GPU's block: the cells from (row0, column0) on.
///
/// # Safety
/// A, B and C are m x k, k x n and m x n; `memory` is the block's, and the cells are its own.
#[inline(always)]
unsafe fn gpu_block<M: Machine, const S: usize>(
    a: &[f32],
    b: &[f32],
    c: &mut DisjointMut<f32>,
    memory: *mut f32,
    (row0, column0): (usize, usize),
    (m, n, k): (usize, usize, usize),
) {
    let stage = SLICE * (2 * 16 * S + PAD);
    let t = thread::thread_idx_x() as usize;
    // Lanes 2 x + 16 (y / 2) + y % 2 of a warp are its pieces (x, y); warps are two along rows, four down.
    let (warp, lane) = (t / 32, t % 32);
    let (x, y) = (warp % 2 * 8 + lane / 2 % 8, warp / 2 * 4 + lane / 16 * 2 + lane % 2);
    let mut sums = [[0.0; S]; S];
    let mut source = Source::new::<S>((a, b), (row0, column0), (m, n, k), t);
    // SAFETY: stages are written while nobody reads them: between the barrier behind which nobody reads this one any
    // more, and the one before which it was not written.
    unsafe {
        let (mut now, mut next) = (0, stage);
        let b_tiles = memory.add(SLICE * (16 * S + PAD));
        let mut left = k as u32;
        store::<S>(memory, b_tiles, t, source.fetch::<S>(left, t));
        while left > 0 {
            thread::sync_threads();
            left = left.saturating_sub(SLICE as u32);
            let moved = source.fetch::<S>(left, t);
            sums = multiply::<M, S>(memory.add(now), b_tiles.add(now), (x, y), sums);
            store::<S>(memory.add(next), b_tiles.add(next), t, moved);
            (now, next) = (next, now);
        }
        let quads = in_quads(c.as_mut_ptr(), n);
        unrolled!(r in 0..S, {
            let i = row0 + r / 4 * 64 + 4 * y + r % 4;
            unrolled!(half in 0..S / 4, {
                let column = column0 + 64 * half + 4 * x;
                if i < m && column < n {
                    let first = 4 * half;
                    let four = [sums[r][first], sums[r][first + 1], sums[r][first + 2], sums[r][first + 3]];
                    lanes::write_quad(c, i * n + column, four, n - column, quads);
                }
            });
        });
    }
}

/// The product of rows of A with a panel of B, added to their sums.
///
/// # Safety
/// Each of `rows` points to `depth` numbers, and `panel` to as many rows.
#[inline(always)]
unsafe fn multiply_panel<M: Machine, const HELD: usize, const LANES: usize>(
    rows: [*const f32; HELD],
    panel: *const [f32; LANES],
    depth: usize,
    mut sums: [[f32; LANES]; HELD],
) -> [[f32; LANES]; HELD] {
    for l in 0..depth {
        // SAFETY: the caller's promise.
        let b = unsafe { panel.add(l).read() };
        for r in 0..HELD {
            // SAFETY: as above.
            let a = unsafe { *rows[r].add(l) };
            sums[r] = lanes::mul_add::<M, LANES>(a, b, sums[r]);
        }
    }
    sums
}

/// A processor's block: the cells from (row0, column0) on.
///
/// # Safety
/// As for [`gpu_block`].
#[inline(always)]
unsafe fn processor_block<M: Machine, const HELD: usize, const LANES: usize>(
    a: &[f32],
    b: &[f32],
    c: &mut DisjointMut<f32>,
    memory: *mut f32,
    (row0, column0): (usize, usize),
    (m, n, k): (usize, usize, usize),
) {
    let panels = lanes::aligned_to_line(memory).cast::<[f32; LANES]>();
    let count = (n - column0).div_ceil(LANES).min(PANELS);
    let mut l0 = 0;
    loop {
        let depth = DEPTH.min(k - l0);
        for panel in 0..count {
            let column = column0 + panel * LANES;
            for l in 0..depth {
                // SAFETY: `n - column` numbers of B's row are left from the column on.
                unsafe {
                    let values = lanes::load_some(b, (l0 + l) * n + column, n - column);
                    panels.add(panel * DEPTH + l).write(values);
                }
            }
        }
        for panel in 0..count {
            let column = column0 + panel * LANES;
            for group in 0..GROUPS {
                let i = row0 + group * HELD;
                if i >= m {
                    break;
                }
                let mut sums = [[0.0; LANES]; HELD];
                // SAFETY: rows behind the last one repeat it; the cells are this block's.
                unsafe {
                    let rows = core::array::from_fn(|r| a.as_ptr().add((i + r).min(m - 1) * k + l0));
                    for r in 0..HELD {
                        if l0 > 0 && i + r < m {
                            sums[r] = lanes::read_some(c, (i + r) * n + column, n - column);
                        }
                    }
                    let sums = multiply_panel::<M, HELD, LANES>(rows, panels.add(panel * DEPTH), depth, sums);
                    for r in 0..HELD {
                        if i + r < m {
                            lanes::write_some(c, (i + r) * n + column, sums[r], n - column);
                        }
                    }
                }
            }
        }
        l0 += DEPTH;
        if l0 >= k {
            break;
        }
    }
}
