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
//! On a GPU the lanes are those of a warp, whose sums meet by shuffles, each of which halves what a lane has to hold. On a
//! processor a thread is a lane by itself, and a block one thread.
//!
//! A sum is that of its lanes, in a fixed order; each lane's runs over its elements in order.

use cuda_std::prelude::*;
use cuda_std::warp;

use crate::lanes::{self, unrolled};
use crate::matmul_blocked::in_quads;
use crate::tile::read_group;

/// The most columns of B.
pub const MOST: usize = 32;

/// Threads of a GPU's block, in warps.
const WARPS: usize = 4;

/// Cells of B in shared memory. With those that align them to a line, 48 KiB.
const CELLS: usize = 12_288 - 16;

/// Vectors of shared memory for each of a slice's: one for each column, and one that has a GPU's lanes read from
/// different banks, since there is an odd number of them.
const fn across(lanes: usize, columns: usize) -> usize {
    if lanes > 4 { columns } else { columns + 1 }
}

/// Rows of C whose sums a GPU's warp holds.
const ROWS: usize = 4;

/// Columns of C whose sums a GPU's warp holds.
const COLUMNS: usize = 16;

/// Columns that a GPU leaves out together where there are fewer.
const PAIR: usize = 2;

/// Columns of C whose sums a processor's thread holds.
const FEW: usize = 4;

/// Groups of rows of a block that a warp, or a processor's thread, takes.
const fn groups(lanes: usize) -> usize {
    if lanes > 4 { 64 } else { 4 }
}

/// Lanes of a warp, as far as this kernel has warps.
const fn width(lanes: usize) -> usize {
    if lanes > 4 { 1 } else { 32 }
}

/// Warps of a block.
const fn warps(lanes: usize) -> usize {
    if lanes > 4 { 1 } else { WARPS }
}

/// Neighbouring elements that a lane takes: a GPU's load, a processor's vector.
const fn vector(lanes: usize) -> usize {
    if lanes > 4 { lanes / 2 } else { 4 }
}

/// Rows of C whose sums a lane holds.
const fn held(lanes: usize) -> usize {
    if lanes > 4 && lanes < 32 { 2 } else { ROWS }
}

/// Rows of C that a block computes.
const fn rows(lanes: usize) -> usize {
    groups(lanes) * warps(lanes) * held(lanes)
}

/// C = A B.
#[kernel(
    block = (warps(Machine::LANES) * width(Machine::LANES)) as u32,
    grid = m.div_ceil(rows(Machine::LANES)) * n.min(1),
    require(n <= MOST, a.len() >= m * k, b.len() >= k * n, c.len() >= m * n),
)]
pub unsafe fn matmul_skinny(a: &[f32], b: &[f32], mut c: DisjointMut<f32>, m: u32, n: u32, k: u32) {
    const LANES: usize = Machine::LANES;
    const VECTOR: usize = vector(LANES);
    const HELD: usize = held(LANES);
    const STEP: usize = width(LANES) * VECTOR;
    let memory = shared_array![f32; CELLS + 16];
    let tile = if LANES > 4 { lanes::aligned_to_line(memory) } else { memory };
    let (m, n, k) = (m as usize, n as usize, k as usize);
    let t = thread::thread_idx_x() as usize;
    let staged = n.next_multiple_of(if LANES > 4 { FEW } else { PAIR });
    // 32 bits: a GPU divides them in half the time.
    let across = across(LANES, staged);
    let most = (CELLS as u32 / (across * STEP) as u32) as usize * STEP;
    let row0 = thread::block_idx_x() as usize * rows(LANES);

    let mut l0 = 0;
    loop {
        let depth = most.min(k - l0).next_multiple_of(STEP);
        // SAFETY: nobody reads the tile: the barrier behind the last slice has been passed.
        unsafe { stage::<VECTOR>(b, tile, t, (l0, depth, across), (n, staged, k)) };
        if width(LANES) > 1 {
            thread::sync_threads();
        }
        for group in 0..groups(LANES) {
            let i = row0 + (group * warps(LANES) + t / width(LANES)) * HELD;
            if i >= m {
                break;
            }
            let mut column = 0;
            while column < n {
                // SAFETY: the launch has checked the lengths; the tile is written, and rows i belong to this warp.
                unsafe {
                    let b = tile.add(column * VECTOR);
                    if width(LANES) > 1 {
                        let sums =
                            warp_sums::<Machine>(a, b, (i, l0, depth, across), (m, (n - column) as u32, k), t % 32);
                        write_pair(&mut c, sums, (i, column), (m, n), l0 > 0, t % 32);
                        column += COLUMNS;
                    } else {
                        let sums = thread_sums::<Machine, HELD, VECTOR>(a, b, (i, l0, depth, across), (m, k));
                        write_few(&mut c, sums, (i, column), (m, n), l0 > 0);
                        column += FEW;
                    }
                }
            }
        }
        l0 += depth;
        if l0 >= k {
            break;
        }
        if width(LANES) > 1 {
            thread::sync_threads();
        }
    }
}

/// Copies rows `l0..l0 + depth` of B in vectors down its columns, those of VECTOR rows `across` each other; zeros behind row
/// k and column n.
///
/// # Safety
/// Nobody reads the tile, which has `staged` columns.
#[inline(always)]
unsafe fn stage<const VECTOR: usize>(
    b: &[f32],
    tile: *mut f32,
    t: usize,
    (l0, depth, across): (usize, usize, usize),
    (n, staged, k): (usize, usize, usize),
) {
    /// Elements that a thread has under way.
    const AHEAD: usize = 8;
    const NOWHERE: u32 = u32::MAX;
    // 32 bits: a GPU counts in them with half the instructions.
    let (t, threads, left) = (t as u32, thread::block_dim_x(), (k - l0) as u32);
    let [depth, across, n, staged, vector] = [depth, across, n, staged, VECTOR].map(|size| size as u32);
    let start = b.as_ptr().wrapping_add(l0 * n as usize);
    // Elements in the order of B, from one of the thread's to its next without a division.
    let (down, right) = (threads / staged, threads % staged);
    let (mut l, mut column) = (t / staged, t % staged);
    while l < depth {
        let mut values = [0.0; AHEAD];
        let mut places = [0; AHEAD];
        unrolled!(ahead in 0..AHEAD, {
            places[ahead] = if l < depth { (l / vector * across + column) * vector + l % vector } else { NOWHERE };
            if l < depth && l < left && column < n {
                // SAFETY: row l0 + l and the column are B's.
                values[ahead] = unsafe { *start.add((l * n + column) as usize) };
            }
            (l, column) = (l + down, column + right);
            if column >= staged {
                (l, column) = (l + 1, column - staged);
            }
        });
        unrolled!(ahead in 0..AHEAD, {
            if places[ahead] != NOWHERE {
                // SAFETY: the cell is in the tile, and different for each thread.
                unsafe { tile.add(places[ahead] as usize).write(values[ahead]) };
            }
        });
    }
}

/// Four elements of each row from l on, zeros from `end` on.
///
/// # Safety
/// The rows have so many elements. If `whole`, the first of them are aligned to 16 bytes, and there are whole quads.
#[inline(always)]
unsafe fn quads(rows: [*const f32; ROWS], l: u32, end: u32, whole: bool) -> [[f32; 4]; ROWS] {
    let mut quads = [[0.0; 4]; ROWS];
    // SAFETY: what is read is in front of the end.
    unsafe {
        if whole {
            if l < end {
                for r in 0..ROWS {
                    quads[r] = read_group(rows[r].add(l as usize));
                }
            }
        } else {
            for lane in 0..4 {
                if l + lane < end {
                    for r in 0..ROWS {
                        quads[r][lane as usize] = *rows[r].add((l + lane) as usize);
                    }
                }
            }
        }
    }
    quads
}

/// The sums of a warp, spread over its lanes: see [`write_pair`].
///
/// # Safety
/// A is m x k; `b` points to columns of the slice, of which `n` count.
#[inline(always)]
unsafe fn warp_sums<M: Machine>(
    a: &[f32],
    b: *const f32,
    (i, l0, depth, across): (usize, usize, usize, usize),
    (m, n, k): (usize, u32, usize),
    lane: usize,
) -> [f32; 2] {
    let whole = in_quads(a.as_ptr(), k);
    // Rows behind the last one repeat it.
    let rows = core::array::from_fn(|r| a.as_ptr().wrapping_add((i + r).min(m - 1) * k + l0));
    // 32 bits: a GPU counts in them with half the instructions.
    let (mut l, depth, end) = (4 * lane as u32, depth as u32, (k - l0) as u32);
    let mut b = b.wrapping_add(4 * lane * across);
    let mut sums = [[0.0; COLUMNS]; ROWS];
    // SAFETY: the caller's promise; rows are read up to k, and columns of the slice up to its depth.
    unsafe {
        let mut ahead = quads(rows, l, end, whole);
        while l < depth {
            let a_quads = ahead;
            // Under way while this step is computed. Behind the slice it is not used.
            ahead = quads(rows, l + 128, end, whole);
            unrolled!(pair in 0..COLUMNS / PAIR, {
                if ((pair * PAIR) as u32) < n {
                    unrolled!(offset in 0..PAIR, {
                        let column = pair * PAIR + offset;
                        let b_quad: [f32; 4] = read_group(b.add(4 * column));
                        for r in 0..ROWS {
                            for lane in 0..4 {
                                sums[r][column] = M::mul_add(a_quads[r][lane], b_quad[lane], sums[r][column]);
                            }
                        }
                    });
                }
            });
            b = b.wrapping_add(128 * across);
            l += 128;
        }
        let lane = lane as u32;
        let even = halve(sums[0], sums[2], lane, 16);
        let odd = halve(sums[1], sums[3], lane, 16);
        let sums = halve(even, odd, lane, 8);
        let sums = halve(part::<16, 8>(sums, 0), part::<16, 8>(sums, 8), lane, 4);
        let sums = halve(part::<8, 4>(sums, 0), part::<8, 4>(sums, 4), lane, 2);
        halve(part::<4, 2>(sums, 0), part::<4, 2>(sums, 2), lane, 1)
    }
}

/// Some of the values.
#[inline(always)]
fn part<const N: usize, const SOME: usize>(values: [f32; N], first: usize) -> [f32; SOME] {
    core::array::from_fn(|i| values[first + i])
}

/// Adds the sums of lanes that differ in one bit: those with it keep the second half, the others the first.
///
/// # Safety
/// The whole warp comes here.
#[inline(always)]
unsafe fn halve<const N: usize>(first: [f32; N], second: [f32; N], lane: u32, bit: u32) -> [f32; N] {
    let upper = lane & bit != 0;
    core::array::from_fn(|i| {
        let (keep, give) = if upper { (second[i], first[i]) } else { (first[i], second[i]) };
        // SAFETY: the caller's promise.
        keep + unsafe { warp::warp_shuffle_xor(warp::ALL, give, bit, warp::WARP_SIZE) }
    })
}

/// Writes a lane's sums, of one row and two columns, or adds them to what is there.
///
/// # Safety
/// C is m x n, and the rows from i on are this warp's.
#[inline(always)]
unsafe fn write_pair(
    c: &mut DisjointMut<f32>,
    sums: [f32; 2],
    (i, column): (usize, usize),
    (m, n): (usize, usize),
    more: bool,
    lane: usize,
) {
    let i = i + lane / 16 * 2 + lane / 8 % 2;
    let column = column + lane % 8 * 2;
    for offset in 0..2 {
        if i < m && column + offset < n {
            let cell = i * n + column + offset;
            // SAFETY: lanes' cells differ.
            unsafe {
                let before = if more { c.read(cell) } else { 0.0 };
                c.write(cell, before + sums[offset]);
            }
        }
    }
}

/// The sums of a processor's thread for HELD rows and FEW columns.
///
/// # Safety
/// A is m x k; `b` points to FEW columns of the slice.
#[inline(always)]
unsafe fn thread_sums<M: Machine, const HELD: usize, const VECTOR: usize>(
    a: &[f32],
    b: *const f32,
    (i, l0, depth, across): (usize, usize, usize, usize),
    (m, k): (usize, usize),
) -> [[f32; FEW]; HELD] {
    let mut sums = [[[0.0; VECTOR]; FEW]; HELD];
    let mut l = 0;
    while l < depth {
        for r in 0..HELD {
            let left = k - (l0 + l);
            // SAFETY: so many elements are left in the row.
            let row: [f32; VECTOR] = unsafe { lanes::load_some(a, (i + r).min(m - 1) * k + l0 + l, left) };
            for column in 0..FEW {
                // SAFETY: the slice's columns are `depth` long, in whole vectors.
                let values = unsafe { b.add(l * across + column * VECTOR).cast::<[f32; VECTOR]>().read() };
                for lane in 0..VECTOR {
                    sums[r][column][lane] = M::mul_add(row[lane], values[lane], sums[r][column][lane]);
                }
            }
        }
        l += VECTOR;
    }
    sums.map(|row| row.map(lanes::sum_of_halves))
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
