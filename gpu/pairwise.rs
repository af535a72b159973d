//! Pairwise distances: `out[i, j] = dist(A[i], B[j])`, with A m x d, B n x d, out m x n, all by rows.
//!
//! Differences are taken before they are squared: `|a|^2 - 2ab + |b|^2` would cancel in f32.
//! A GPU's block computes 64 rows and 128 columns, whose coordinates it reads once. What a processor does instead is in
//! pairwise_processor.rs.
//!
//! # Precision
//! Sums are off by d + 2 roundings at most, of 2^-24 each. A root is rounded on a processor, and off by 2^-23 at most on a GPU, where
//! a rounded one is a branch to a subroutine for each pair, which splits what is written out. There a sum of squares
//! below 2^-126 counts as 0, a distance below 1.1e-19. Zero, infinity and NaN are themselves everywhere.

use cuda_std::prelude::*;

use crate::lanes::unrolled;
use crate::pairwise_processor::{self, FEW, SHARED, few};
use crate::tile::read_group;

/// A distance as a sum over coordinates and a last step. `p` is the exponent of the general norm.
pub(crate) trait Metric {
    /// What a difference of coordinates adds to the sum.
    fn add<M: Machine>(sum: f32, difference: f32, p: f32) -> f32;
    /// The distance from the sum.
    fn finish<M: Machine>(sum: f32, p: f32) -> f32;
}

/// sum_c (a_c - b_c)^2
pub(crate) enum SquaredL2 {}

/// sqrt(sum_c (a_c - b_c)^2), the 2-norm
pub(crate) enum L2 {}

/// sum_c |a_c - b_c|, the 1-norm
pub(crate) enum L1 {}

/// (sum_c |a_c - b_c|^p)^(1/p) for p > 0
pub(crate) enum Lp {}

impl Metric for SquaredL2 {
    #[inline(always)]
    fn add<M: Machine>(sum: f32, difference: f32, _p: f32) -> f32 {
        M::mul_add(difference, difference, sum)
    }

    #[inline(always)]
    fn finish<M: Machine>(sum: f32, _p: f32) -> f32 {
        sum
    }
}

impl Metric for L2 {
    #[inline(always)]
    fn add<M: Machine>(sum: f32, difference: f32, _p: f32) -> f32 {
        M::mul_add(difference, difference, sum)
    }

    #[inline(always)]
    fn finish<M: Machine>(sum: f32, _p: f32) -> f32 {
        M::sqrt(sum)
    }
}

impl Metric for L1 {
    #[inline(always)]
    fn add<M: Machine>(sum: f32, difference: f32, _p: f32) -> f32 {
        sum + difference.abs()
    }

    #[inline(always)]
    fn finish<M: Machine>(sum: f32, _p: f32) -> f32 {
        sum
    }
}

impl Metric for Lp {
    #[inline(always)]
    fn add<M: Machine>(sum: f32, difference: f32, p: f32) -> f32 {
        sum + M::power(difference.abs(), p)
    }

    #[inline(always)]
    fn finish<M: Machine>(sum: f32, p: f32) -> f32 {
        M::power(sum, 1.0 / p)
    }
}

/// Rows of the output that a GPU's block computes.
pub(crate) const ROWS: usize = 64;

/// Columns of the output that it computes.
pub(crate) const COLUMNS: usize = 128;

/// Threads of a block along the columns.
const ACROSS: usize = 32;

/// Rows and columns of the output that a thread computes: its rows share what is read of B, its columns what is read of A.
const HELD: usize = 8;
const LANES: usize = COLUMNS / ACROSS;

/// Threads of a GPU's block.
pub(crate) const THREADS: usize = ACROSS * ROWS / HELD;

/// Coordinates of A and B in shared memory at a time.
const DEPTH: usize = 16;

/// From a coordinate of the tile of A to the next; a few cells behind the rows have threads write to different banks.
const A_APART: usize = ROWS + 4;

/// The same of B.
const B_APART: usize = COLUMNS + 4;

/// Cells of the tile of A, and of the tile of B.
pub(crate) const A_CELLS: usize = DEPTH * A_APART;
pub(crate) const B_CELLS: usize = DEPTH * B_APART;

/// Where row `j` of B is in its tile: those that lie ACROSS each other are neighbours, since one thread computes them, so that
/// a warp writes neighbouring columns, whole lines of any row.
#[inline(always)]
const fn place(j: usize) -> usize {
    j % ACROSS * LANES + j / ACROSS
}

/// Some rows of a matrix of rows of `d` coordinates, of which there are `len`.
#[derive(Clone, Copy)]
struct Rows {
    start: *const f32,
    len: usize,
    d: usize,
    first: usize,
}

/// Copies `depth` coordinates of `count` rows, from `c0` on, into a tile, a coordinate a row of it. Rows behind the last one
/// repeat it.
///
/// # Safety
/// The rows are as they say; the tile is long enough, and nobody reads it.
#[inline(always)]
unsafe fn stage(
    rows: Rows,
    count: usize,
    (c0, depth): (usize, usize),
    tile: *mut f32,
    apart: usize,
    place: impl Fn(usize) -> usize,
) {
    /// Coordinates that a thread has under way.
    const AHEAD: usize = 4;
    // In the order of the rows, from one of the thread's coordinates to its next without a division.
    let (t, threads, depth) = (thread::thread_idx_x(), thread::block_dim_x(), depth as u32);
    let (down, right) = (threads / depth, threads % depth);
    let (mut row, mut c) = (t / depth, t % depth);
    let start = rows.start.wrapping_add(c0);
    while row < count as u32 {
        let mut values = [0.0; AHEAD];
        let mut places = [usize::MAX; AHEAD];
        unrolled!(ahead in 0..AHEAD, {
            if row < count as u32 {
                let i = (rows.first + row as usize).min(rows.len - 1);
                // SAFETY: row i is one of the matrix's, and the coordinate one of its.
                values[ahead] = unsafe { *start.add(i * rows.d + c as usize) };
                places[ahead] = c as usize * apart + place(row as usize);
            }
            (row, c) = (row + down, c + right);
            if c >= depth {
                (row, c) = (row + 1, c - depth);
            }
        });
        unrolled!(ahead in 0..AHEAD, {
            if places[ahead] != usize::MAX {
                // SAFETY: the cell is in the tile, and different for each thread.
                unsafe { tile.add(places[ahead]).write(values[ahead]) };
            }
        });
    }
}

/// Adds what some coordinates contribute to the sums of HELD rows of A, which begin at `a`, and LANES of B.
///
/// # Safety
/// `a` and `b` point into tiles of so many coordinates, at multiples of HELD and LANES.
#[inline(always)]
unsafe fn add<M: Machine, T: Metric>(
    a: *const f32,
    b: *const f32,
    depth: usize,
    p: f32,
    mut sums: [[f32; LANES]; HELD],
) -> [[f32; LANES]; HELD] {
    // 32 bits: a GPU counts in them with half the instructions.
    for c in 0..depth as u32 {
        let c = c as usize;
        // SAFETY: the caller's promise; tiles' rows are multiples of 16 bytes apart.
        let (a, b) = unsafe {
            let a: [f32; HELD] = read_group(a.add(c * A_APART));
            let b: [f32; LANES] = read_group(b.add(c * B_APART));
            (a, b)
        };
        unrolled!(r in 0..HELD, {
            for lane in 0..LANES {
                sums[r][lane] = T::add::<M>(sums[r][lane], a[r] - b[lane], p);
            }
        });
    }
    sums
}

/// `out[i * n + j] = dist(A[i], B[j])`. `p` counts for `pairwise_lp` alone.
#[kernel(
    instances(
        pairwise_squared_l2<SquaredL2>,
        pairwise_l2<L2>,
        pairwise_l1<L1>,
        pairwise_lp<Lp>,
    ),
    block = if Machine::LANES > 4 { 1 } else { THREADS as u32 },
    grid = if Machine::LANES > 4 { pairwise_processor::blocks(Machine::LANES, [m, n, d]) } else { blocks(m, n) },
    require(a.len() >= m * d, b.len() >= n * d, out.len() >= m * n, p > 0.0),
)]
pub unsafe fn pairwise<T: Metric>(a: &[f32], b: &[f32], mut out: DisjointMut<f32>, m: u32, n: u32, d: u32, p: f32) {
    const LANES: usize = Machine::LANES;
    let block = thread::block_idx_x();
    // SAFETY: the launch has checked the lengths; all threads of the block come here, each block with a part of its own.
    unsafe {
        if LANES > 4 {
            let sizes = [m as usize, n as usize, d as usize];
            let memory = if few(LANES, sizes) { shared_array![f32; FEW] } else { shared_array![f32; SHARED] };
            pairwise_processor::distances::<Machine, T, LANES>(memory, (a, b), &mut out, block as usize, sizes, p);
        } else {
            let tiles = (shared_array![f32; A_CELLS], shared_array![f32; B_CELLS]);
            distances::<Machine, T>(tiles, (a, b), &mut out, corner(block, n), [m, n, d], p);
        }
    }
}

/// Blocks of a GPU for an output of m x n.
pub(crate) const fn blocks(m: usize, n: usize) -> usize {
    n.div_ceil(COLUMNS) * m.div_ceil(ROWS)
}

/// The first row and column that a GPU's block computes.
#[inline(always)]
pub(crate) fn corner(block: u32, n: u32) -> (usize, usize) {
    let across = n.div_ceil(COLUMNS as u32);
    ((block / across) as usize * ROWS, (block % across) as usize * COLUMNS)
}

/// The distances of a GPU's block, whose rows and columns begin at a corner. A thread holds the sums of its 8 x 4 pairs.
///
/// # Safety
/// A has m rows of d elements, B n, and `out` m x n cells, of which no other block has these; the tiles, in shared memory, have
/// [`A_CELLS`] and [`B_CELLS`]; all threads of the block come here.
#[inline(always)]
pub(crate) unsafe fn distances<M: Machine, T: Metric>(
    (a_tile, b_tile): (*mut f32, *mut f32),
    (a, b): (&[f32], &[f32]),
    out: &mut DisjointMut<f32>,
    (row0, column0): (usize, usize),
    [m, n, d]: [u32; 3],
    p: f32,
) {
    let (m, n, d) = (m as usize, n as usize, d as usize);
    let a = Rows { start: a.as_ptr(), len: m, d, first: row0 };
    let b = Rows { start: b.as_ptr(), len: n, d, first: column0 };
    let t = thread::thread_idx_x() as usize;
    let (x, y) = (t % ACROSS, t / ACROSS);

    let mut sums = [[0.0; LANES]; HELD];
    let mut c0 = 0;
    loop {
        let depth = DEPTH.min(d - c0);
        let last = c0 + depth == d;
        if depth > 0 {
            // SAFETY: the caller's promise of A and B; nobody reads the tiles.
            unsafe {
                stage(a, ROWS, (c0, depth), a_tile, A_APART, |i| i);
                stage(b, COLUMNS, (c0, depth), b_tile, B_APART, place);
            }
        }
        thread::sync_threads();
        // SAFETY: the tiles were written before the barrier, and are not until the next.
        sums = unsafe { add::<M, T>(a_tile.add(y * HELD), b_tile.add(x * LANES), depth, p, sums) };
        if last {
            break;
        }
        thread::sync_threads();
        c0 += depth;
    }
    unrolled!(r in 0..HELD, {
        let i = row0 + y * HELD + r;
        if i < m {
            let row = out.as_mut_ptr().wrapping_add(i * n);
            for lane in 0..LANES {
                let j = column0 + lane * ACROSS + x;
                if j < n {
                    // SAFETY: the caller's promise of the output; the threads' cells differ.
                    unsafe { row.add(j).write(T::finish::<M>(sums[r][lane], p)) };
                }
            }
        }
    });
}
