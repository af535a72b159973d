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

/// C = A B.
#[kernel(
    block = (warps(Machine::LANES) * width(Machine::LANES)) as u32,
    // Three blocks a multiprocessor.
    registers = 168,
    grid = blocks(Machine::LANES, m) * n.min(1),
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
    let rows = if LANES > 4 {
        GROUPS * HELD
    } else {
        // 32 bits, as above.
        (m as u32).div_ceil((WARPS * ROWS) as u32).div_ceil(thread::grid_dim_x()) as usize * WARPS * ROWS
    };
    let row0 = thread::block_idx_x() as usize * rows;

    let mut l0 = 0;
    loop {
        let depth = most.min(k - l0).next_multiple_of(STEP);
        // SAFETY: nobody reads the tile: the barrier behind the last slice has been passed.
        unsafe { stage::<VECTOR>(b, tile, t, (l0, depth, across), (n, staged, k)) };
        if width(LANES) > 1 {
            thread::sync_threads();
        }
        if width(LANES) > 1 {
            let rows = (row0 + t / 32 * ROWS, (row0 + rows).min(m));
            // SAFETY: the launch has checked the lengths; the tile is written, and every fourth group of rows is this warp's.
            unsafe { warp_rows::<Machine>(a, tile, &mut c, rows, (l0, depth, across), (m, n, k), t as u32 % 32) };
        } else {
            for group in 0..GROUPS {
                let i = row0 + group * HELD;
                if i >= m {
                    break;
                }
                let mut column = 0;
                while column < n {
                    // SAFETY: as above; rows i are this thread's.
                    unsafe {
                        let b = tile.add(column * VECTOR);
                        let sums = thread_sums::<Machine, HELD, VECTOR>(a, b, (i, l0, depth, across), (m, k));
                        write_few(&mut c, sums, (i, column), (m, n), l0 > 0);
                    }
                    column += FEW;
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

/// Where a lane's elements of A come from: those of a step, of each of ROWS rows, for all passes over those rows, and all rows of
/// its warp. It runs ahead of what is computed, so that loads are under way all the time.
struct Feed {
    /// The lane's first element of the slice in the first of the rows.
    row: *const f32,
    /// From there to the step's.
    step: u32,
    /// From the first of the rows to the end of the block's.
    rows: u32,
    /// Passes over the rows, and how many are left.
    passes: u32,
    left: u32,
    /// The slice's columns, and those of A from the lane's first on.
    depth: u32,
    columns: u32,
    k: u32,
    whole: bool,
}

impl Feed {
    /// Four elements of each row, zeros from the end of the rows on, and behind the warp's last row.
    ///
    /// # Safety
    /// What it says of A is so, and `whole` that rows begin at multiples of 16 bytes.
    #[inline(always)]
    unsafe fn next(&mut self) -> [[f32; 4]; ROWS] {
        let mut quads = [[0.0; 4]; ROWS];
        let left = if self.rows > 0 { self.columns.saturating_sub(self.step) } else { 0 };
        let row = self.row.wrapping_add(self.step as usize);
        // Rows behind the last one repeat it.
        let below = self.rows.wrapping_sub(1);
        let rows: [*const f32; ROWS] =
            core::array::from_fn(|r| row.wrapping_add((r as u32).min(below) as usize * self.k as usize));
        // SAFETY: what is read is in front of the end.
        unsafe {
            if self.whole {
                if left > 0 {
                    for r in 0..ROWS {
                        quads[r] = read_group(rows[r]);
                    }
                }
                // Here, and not as below: of loads at the end of both ways LLVM makes some behind them, which then wait for
                // those before them.
                self.step += 128;
            } else {
                for lane in 0..4 {
                    if (lane as u32) < left {
                        for r in 0..ROWS {
                            quads[r][lane] = *rows[r].add(lane);
                        }
                    }
                }
                self.step = (self.step + 128).min(self.depth);
            }
        }
        if self.step >= self.depth {
            self.step = 0;
            self.left -= 1;
            if self.left == 0 {
                self.left = self.passes;
                self.rows = self.rows.saturating_sub((WARPS * ROWS) as u32);
                self.row = self.row.wrapping_add(WARPS * ROWS * self.k as usize);
            }
        }
        quads
    }
}

/// A warp's rows, from the first on every WARPS-th group up to the end, for a slice of A's columns.
///
/// # Safety
/// The launch has checked the lengths; the whole warp comes here, the slice is in the tile, and the rows are this warp's.
#[inline(always)]
unsafe fn warp_rows<M: Machine>(
    a: &[f32],
    tile: *const f32,
    c: &mut DisjointMut<f32>,
    (first, end): (usize, usize),
    (l0, depth, across): (usize, usize, usize),
    (m, n, k): (usize, usize, usize),
    lane: u32,
) {
    let passes = n.div_ceil(COLUMNS) as u32;
    let mut feed = Feed {
        row: a.as_ptr().wrapping_add(first * k + l0 + 4 * lane as usize),
        step: 0,
        rows: end.saturating_sub(first) as u32,
        passes,
        left: passes,
        depth: depth as u32,
        columns: ((k - l0) as u32).saturating_sub(4 * lane),
        k: k as u32,
        whole: in_quads(a.as_ptr(), k),
    };
    // SAFETY: the caller's promise.
    unsafe {
        // Zero added, so that they have come when the loop begins. A GPU's thread that waits for some loads waits for all that it
        // counts with them: did it wait for these in the loop, it would wait for the next there, too.
        let mut ahead = feed.next().map(|row| row.map(|element| element + 0.0));
        let mut i = first;
        while i < end {
            let mut column = 0;
            while column < n {
                let b = tile.add(4 * (column + lane as usize * across));
                let sums;
                (sums, ahead) = warp_sums::<M>(&mut feed, ahead, b, across, (n - column) as u32, lane);
                write_pair(c, sums, (i, column), (m, n), l0 > 0, lane as usize);
                column += COLUMNS;
            }
            i += WARPS * ROWS;
        }
    }
}

/// The sums of a warp, spread over its lanes: see [`write_pair`]. What is `ahead` are the elements of the next step.
///
/// # Safety
/// As for [`Feed::next`]; `b` points to the lane's rows in columns of the slice, of which `n` count.
#[inline(always)]
unsafe fn warp_sums<M: Machine>(
    feed: &mut Feed,
    mut ahead: [[f32; 4]; ROWS],
    mut b: *const f32,
    across: usize,
    n: u32,
    lane: u32,
) -> ([f32; 2], [[f32; 4]; ROWS]) {
    let mut sums = [[0.0; COLUMNS]; ROWS];
    // SAFETY: the caller's promise.
    unsafe {
        for _ in 0..feed.depth / 128 {
            let a_quads = ahead;
            // Under way while this step is computed; behind the last one, while the sums meet.
            ahead = feed.next();
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
        }
        let even = halve(sums[0], sums[2], lane, 16);
        let odd = halve(sums[1], sums[3], lane, 16);
        let sums = halve(even, odd, lane, 8);
        let sums = halve(part::<16, 8>(sums, 0), part::<16, 8>(sums, 8), lane, 4);
        let sums = halve(part::<8, 4>(sums, 0), part::<8, 4>(sums, 4), lane, 2);
        (halve(part::<4, 2>(sums, 0), part::<4, 2>(sums, 2), lane, 1), ahead)
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
