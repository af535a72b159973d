//! A warp's part of the product for few columns: see matmul_skinny.rs.
//!
//! Every block copies B's slice to shared memory; a warp holds ROWS x COLUMNS sums, spread over its lanes.

use cuda_std::prelude::*;
use cuda_std::warp;

use crate::lanes::unrolled;
use crate::matmul_blocked::in_quads;
use crate::tile::read_group;

/// A GPU's block, in warps.
pub(crate) const WARPS: usize = 4;

/// Rows of C whose sums a warp holds.
pub(crate) const ROWS: usize = 4;

/// Columns of C whose sums a warp holds.
const COLUMNS: usize = 16;

/// Columns that are left out together where there are fewer.
pub(crate) const PAIR: usize = 2;

/// Copies rows `l0..l0 + depth` of B in vectors down its columns, those of VECTOR rows `across` each other; zeros behind row
/// k and column n.
///
/// # Safety
/// Nobody reads the tile, which has `staged` columns.
#[inline(always)]
pub(crate) unsafe fn stage<const VECTOR: usize>(
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
pub(crate) unsafe fn warp_rows<M: Machine>(
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
