//! Matrix product for few columns: C = A B with A m x k, B k x n, n <= 32. A is read once, and that is what it costs.
//!
//! ```text
//! for each slice of k:
//!     B's slice, transposed, -> shared memory; what is outside is zero
//!     for ROWS rows of A at a time:
//!         each lane takes VECTOR neighbouring elements of each row, every STEP:    (whole lines of A)
//!             C[ROWS][n] += A[ROWS][VECTOR] * B[n][VECTOR]                         (B from shared memory)
//!         the lanes' sums meet
//! ```
//!
//! On a GPU the lanes are those of a warp, whose sums meet by shuffles, each of which halves what a lane has to hold: see
//! matmul_warp.rs. On a processor a thread is a lane by itself, and a block one thread.
//!
//! While a processor's thread sums some rows it asks for the next: A comes from far away, and with more than four columns it is read in
//! several passes, of which all but the first would leave the memory idle.
//!
//! A sum is that of its lanes, in a fixed order; each lane's runs over its elements in order.

use core::{ops::Range, slice};

use cuda_std::prelude::*;

use crate::lanes::{self, LINE};
use crate::matmul_warp::{PAIR, ROWS, WARPS, stage, warp_rows};

/// The most columns of B.
pub const MOST: usize = 32;

/// Cells of B in shared memory. With those that align them to a line, 48 KiB.
const CELLS: usize = 12_288 - 16;

/// Columns of C whose sums a processor's thread holds.
const FEW: usize = 4;

/// Numbers of a row from which on a processor is asked for what comes next; of shorter ones it sees it by itself.
const LONG: usize = 128;

/// Groups of rows of a processor's block.
const GROUPS: usize = 64;

/// Blocks of a GPU that are on the largest at once: 132 multiprocessors with three.
const FILLING: usize = 396;

/// Fewest and most groups of rows that a warp takes: each block copies B for itself.
const TAKEN: (usize, usize) = (4, 8);

/// Blocks for m rows. As many as fill a GPU, if they have so much to do.
const fn blocks(lanes: usize, m: usize) -> usize {
    if lanes > 4 {
        return m.div_ceil(GROUPS * held(lanes));
    }
    let (most, fewest) = (m.div_ceil(TAKEN.0 * WARPS * ROWS), m.div_ceil(TAKEN.1 * WARPS * ROWS));
    if most < FILLING {
        most
    } else if fewest > FILLING {
        fewest
    } else {
        FILLING
    }
}

/// Threads of a block.
const fn threads(lanes: usize) -> usize {
    if lanes > 4 { 1 } else { WARPS * 32 }
}

/// Neighbouring elements that a lane takes: a GPU's load, a processor's vector.
const fn vector(lanes: usize) -> usize {
    if lanes > 4 { lanes / 2 } else { 4 }
}

/// Rows of C whose sums a lane holds.
const fn held(lanes: usize) -> usize {
    if lanes > 4 && lanes < 32 { 2 } else { ROWS }
}

/// C = A B.
#[kernel(
    block = threads(Machine::LANES) as u32,
    // Three blocks a multiprocessor.
    registers = 168,
    grid = blocks(Machine::LANES, m) * n.min(1),
    require(n <= MOST, a.len() >= m * k, b.len() >= k * n, c.len() >= m * n),
)]
pub unsafe fn matmul_skinny(a: &[f32], b: &[f32], mut c: DisjointMut<f32>, m: u32, n: u32, k: u32) {
    const LANES: usize = Machine::LANES;
    const VECTOR: usize = vector(LANES);
    const HELD: usize = held(LANES);
    /// Elements of a row that a GPU's warp takes.
    const STEP: usize = 32 * VECTOR;
    let tile = shared_array![f32; CELLS + 16];
    let (m, n, k) = (m as usize, n as usize, k as usize);
    if LANES > 4 {
        // SAFETY: the launch has checked the lengths; the memory is the block's.
        unsafe { processor_block::<Machine, HELD, VECTOR>((a, b), &mut c, tile, (m, n, k)) };
        return;
    }
    let t = thread::thread_idx_x() as usize;
    let staged = n.next_multiple_of(PAIR);
    // An odd number of columns, so that lanes read from different banks.
    let across = staged + 1;
    // 32 bits: a GPU divides them in half the time.
    let most = (CELLS as u32 / (across * STEP) as u32) as usize * STEP;
    let rows = (m as u32).div_ceil((WARPS * ROWS) as u32).div_ceil(thread::grid_dim_x()) as usize * WARPS * ROWS;
    let row0 = thread::block_idx_x() as usize * rows;
    let mut l0 = 0;
    loop {
        let depth = most.min(k - l0).next_multiple_of(STEP);
        // SAFETY: nobody reads the tile: the barrier behind the last slice has been passed.
        unsafe { stage::<VECTOR>(b, tile, t, (l0, depth, across), (n, staged, k)) };
        thread::sync_threads();
        let rows = (row0 + t / 32 * ROWS, (row0 + rows).min(m));
        // SAFETY: the launch has checked the lengths; the tile is written, and every fourth group of rows is this warp's.
        unsafe { warp_rows::<Machine>(a, tile, &mut c, rows, (l0, depth, across), (m, n, k), t as u32 % 32) };
        l0 += depth;
        if l0 >= k {
            break;
        }
        thread::sync_threads();
    }
}

/// Elements of B that are multiplied with a vector of A: FEW columns.
type Columns<const VECTOR: usize> = [[f32; VECTOR]; FEW];

/// A processor's block.
///
/// # Safety
/// A, B and C are m x k, k x n and m x n; `memory` is the block's, of CELLS and what aligns them.
#[inline(always)]
unsafe fn processor_block<M: Machine, const HELD: usize, const VECTOR: usize>(
    (a, b): (&[f32], &[f32]),
    c: &mut DisjointMut<f32>,
    memory: *mut f32,
    (m, n, k): (usize, usize, usize),
) {
    let tile = lanes::aligned_to_line(memory).cast::<Columns<VECTOR>>();
    let row0 = thread::block_idx_x() as usize * GROUPS * HELD;
    let passes = n.div_ceil(FEW);
    let most = CELLS / (passes * FEW * VECTOR);
    let mut l0 = 0;
    loop {
        let vectors = most.min((k - l0).div_ceil(VECTOR));
        for pass in 0..passes {
            for v in 0..vectors {
                // SAFETY: there is place for so many.
                unsafe { tile.add(pass * vectors + v).write(turned(b, (l0 + v * VECTOR, pass * FEW), (n, k))) };
            }
        }
        for group in 0..GROUPS {
            let i = row0 + group * HELD;
            if i >= m {
                break;
            }
            for pass in 0..passes {
                // SAFETY: the vectors were written above; rows i are this thread's.
                unsafe {
                    let columns = slice::from_raw_parts(tile.add(pass * vectors), vectors);
                    // Its share of the rows that come next.
                    let ask = if k < LONG { 0..0 } else { pass * HELD / passes..(pass + 1) * HELD / passes };
                    let sums = thread_sums::<M, HELD, VECTOR>(a, columns, (i, l0), (m, k), ask);
                    write_few(c, sums, (i, pass * FEW), (m, n), l0 > 0);
                }
            }
        }
        l0 += vectors * VECTOR;
        if l0 >= k {
            break;
        }
    }
}

/// VECTOR rows of B from (l, column) on by their columns; zeros behind row k and column n.
///
/// # Safety
/// B is k x n, and has the column.
#[inline(always)]
unsafe fn turned<const VECTOR: usize>(
    b: &[f32],
    (l, column): (usize, usize),
    (n, k): (usize, usize),
) -> Columns<VECTOR> {
    let mut columns = [[0.0; VECTOR]; FEW];
    for lane in 0..VECTOR.min(k - l) {
        // SAFETY: the row is B's, and has as many numbers left.
        let few: [f32; FEW] = unsafe { lanes::load_some(b, (l + lane) * n + column, n - column) };
        for offset in 0..FEW {
            columns[offset][lane] = few[offset];
        }
    }
    columns
}

/// The sums of a processor's thread for HELD rows from (i, l0) on and FEW columns. Meanwhile the second cache is asked for some of
/// the HELD rows behind them.
///
/// # Safety
/// A is m x k, and has the column, or there are no vectors.
#[inline(always)]
unsafe fn thread_sums<M: Machine, const HELD: usize, const VECTOR: usize>(
    a: &[f32],
    columns: &[Columns<VECTOR>],
    (i, l0): (usize, usize),
    (m, k): (usize, usize),
    ask: Range<usize>,
) -> [[f32; FEW]; HELD] {
    let whole = columns.len().min((k - l0) / VECTOR);
    // Slices, whose bounds are seen to hold: a read through a pointer is checked for alignment where assertions are on.
    let (columns, behind) = columns.split_at(whole);
    let mut rows = [[].as_slice(); HELD];
    for r in 0..HELD {
        // SAFETY: so many elements are left in the row; rows behind the last one repeat it.
        rows[r] = unsafe { slice::from_raw_parts(a.as_ptr().add((i + r).min(m - 1) * k + l0).cast(), whole) };
    }
    let mut sums = [[[0.0; VECTOR]; FEW]; HELD];
    let next = a.as_ptr().wrapping_add((i + HELD) * k + l0);
    for v in 0..whole {
        // Once a line.
        let ask = if (v * VECTOR).is_multiple_of(LINE) { ask.clone() } else { 0..0 };
        for r in ask {
            lanes::prefetch::<false>(next.wrapping_add(r * k + v * VECTOR));
        }
        for r in 0..HELD {
            sums[r] = multiply::<M, VECTOR>(rows[r][v], columns[v], sums[r]);
        }
    }
    // Apart from the others, for their sake.
    if let Some(columns) = behind.first() {
        let l = l0 + whole * VECTOR;
        for r in 0..HELD {
            // SAFETY: `k - l` elements are left in the row.
            let row = unsafe { lanes::load_some(a, (i + r).min(m - 1) * k + l, k - l) };
            sums[r] = multiply::<M, VECTOR>(row, *columns, sums[r]);
        }
    }
    // By way of memory: else the compiler may take them to pieces in the loop above already, for the halves that are added here.
    let sums = core::hint::black_box(sums);
    let mut totals = [[0.0; FEW]; HELD];
    for r in 0..HELD {
        for column in 0..FEW {
            totals[r][column] = lanes::sum_of_halves(sums[r][column]);
        }
    }
    totals
}

/// The products of a row's vector with FEW columns, added to their sums.
#[inline(always)]
fn multiply<M: Machine, const VECTOR: usize>(
    row: [f32; VECTOR],
    columns: Columns<VECTOR>,
    mut sums: Columns<VECTOR>,
) -> Columns<VECTOR> {
    for column in 0..FEW {
        for lane in 0..VECTOR {
            sums[column][lane] = M::mul_add(row[lane], columns[column][lane], sums[column][lane]);
        }
    }
    sums
}

/// Writes a thread's sums, or adds them to what is there.
///
/// # Safety
/// C is m x n, and the rows from i on are this thread's.
#[inline(always)]
unsafe fn write_few<const HELD: usize>(
    c: &mut DisjointMut<f32>,
    sums: [[f32; FEW]; HELD],
    (i, column): (usize, usize),
    (m, n): (usize, usize),
    more: bool,
) {
    for r in 0..HELD {
        for offset in 0..FEW {
            if i + r < m && column + offset < n {
                let cell = (i + r) * n + column + offset;
                // SAFETY: the cell is this thread's.
                unsafe {
                    let before = if more { c.read(cell) } else { 0.0 };
                    c.write(cell, before + sums[r][offset]);
                }
            }
        }
    }
}
