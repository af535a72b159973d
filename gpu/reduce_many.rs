//! A warp's part of the weighted reduction for 5 to 32 columns: TALL rows of W over a slice of the points.
//!
//! What it is part of: see reduce.rs.
//!
//! ```text
//! for each TURN points of the slice:
//!     barrier; the next turn's W[TALL][TURN] and X[TURN][columns] into registers   (under way meanwhile)
//!     for each point, or those of half or a quarter of the turn:
//!         sums[8][8] += W[8 of the rows] X[8 of the columns]      (64 multiply-adds, and the next point's 4 loads of 16 bytes)
//!     totals += W;  W, turned over, and X -> the other stage of shared memory
//! ```
//!
//! 1. *Lanes* are 8 down the rows and 4 across: as many of the 4 as columns need, by eights, take those; the others take other
//!    points, so that none computes what is not there.
//! 2. *W* is read by lines of a row whatever is computed of it, by its warp alone; *X* once for the block, whose warps are below
//!    each other.
//! 3. *Banks*: four lanes have a row's 16 points in quads. With PAD cells behind each point's rows in shared memory, two of
//!    them have the same banks; these two store rows that are eight apart at a time. What half a warp loads, in lanes' order of
//!    matmul_blocked.rs, is no more than all banks have; of two groups of points it has one, and of four two, which PAD sets apart.
//! 4. *A turn is written out*, with branches where 4 and 8 points end, so that places in shared memory are constants.
//! 5. *Registers* are what this is short of, 168 for twelve warps: hence 32-bit places, pointers from the turn's number, and W and
//!    X of the next point only as registers become free.

use cuda_std::prelude::*;
use cuda_std::warp;

use crate::lanes::unrolled;
use crate::matmul_blocked::in_quads;
use crate::reduce_warp::Source;
use crate::tile::read_group;

/// Rows of W that a warp takes.
pub(crate) const TALL: usize = 64;

/// Points of a turn.
const TURN: usize = 16;

/// Points that a lane multiplies in a round: the fewest that it has of a turn.
const ROUND: usize = 4;

/// Columns of a point: the most of a pass.
const WIDE: usize = 32;

/// Cells behind each point's rows of W in shared memory, and behind its columns of X.
const PAD: usize = 4;

/// Cells of a point's rows, and of its columns.
const APART: (usize, usize) = (TALL + PAD, WIDE + PAD);

/// Cells of a stage of W, and of X.
const STAGE: (usize, usize) = (TURN * APART.0, TURN * APART.1);

/// Rows and columns of a lane's sums, and rows of which a lane loads four points.
const SIDE: usize = 8;

/// Numbers of X that a thread has under way: those of a turn, if the block has four warps. It has no more, and those of fewer
/// load the others when they store.
const AHEAD: usize = 4;

/// Points between a thread's.
const BETWEEN: usize = TURN / AHEAD;

/// Numbers in the shared memory of a block of so many warps: two stages.
pub(crate) const fn shared(warps: usize) -> usize {
    2 * (warps * STAGE.0 + STAGE.1)
}

/// Where column c of a lane's sums is among them in shared memory. Four that are stored together are four registers in a row, as are
/// four coordinates that are loaded together. Neighbours trade places, so that a multiply-add's sum and coordinate are in different
/// banks of registers, each of which gives one number a cycle.
#[inline(always)]
const fn turned(c: usize) -> usize {
    c ^ 1
}

/// The first row of a lane. Its second is eight before or behind, the others are behind these two by 16: see the file about banks.
#[inline(always)]
fn swapped(lane: u32) -> u32 {
    lane / 4 + lane % 4 / 2 * 8
}

/// What a thread has of a turn before it is in shared memory.
struct Moved {
    w: [[f32; 4]; SIDE],
    x: [f32; AHEAD],
    /// The turn's first point.
    j: u32,
}

/// The slice's points, and what of them a lane loads.
struct Feed<'a> {
    source: &'a Source<'a>,
    /// The first four points of the lane in its first two rows, those that come behind them by 16; and the first row's number.
    first: [*const f32; 2],
    row: u32,
    /// The lane's column of X; the last one for those that have none.
    column: *const f32,
    /// The turn's first point, and the end of the slice.
    j: u32,
    end: u32,
    /// Whether rows of W begin at multiples of 16 bytes, and all warps have as many as they can.
    whole: bool,
    lane: u32,
    warp: u32,
    warps: u32,
}

impl Feed<'_> {
    /// A row of X. Behind the end of the slice, where weights are zero, the last one.
    ///
    /// # Safety
    /// W and X are as long as the sizes say, and the slice has points.
    #[inline(always)]
    unsafe fn x(&self, row: u32) -> f32 {
        // SAFETY: the point and the column are X's.
        unsafe { *self.column.add(row.min(self.end - 1) as usize * self.source.sizes.2) }
    }

    /// The thread's part of a turn: of W zeros behind the end of the slice, and rows of others behind the last one.
    ///
    /// # Safety
    /// As for [`x`](Self::x).
    #[inline(always)]
    unsafe fn next(&mut self) -> Moved {
        let (mut w, mut x) = ([[0.0; 4]; SIDE], [0.0; AHEAD]);
        let ((m, n, d), j) = (self.source.sizes, self.j);
        // From the turn's number on, and not pointers that are moved from turn to turn, each of which would have its registers.
        let first = self.first.map(|first| first.wrapping_add(j as usize));
        // SAFETY: what is read is in front of the end.
        unsafe {
            if self.whole && j + TURN as u32 <= self.end {
                let column = self.column.add((j + self.warp) as usize * d);
                for k in 0..AHEAD {
                    x[k] = *column.add(k * BETWEEN * d);
                }
                unrolled!(q in 0..SIDE, {
                    w[q] = read_group(first[q % 2].add(q / 2 * 16 * n));
                });
                // Here, and not as below: of loads at the end of both ways LLVM makes some behind them, which then wait for
                // those before them.
                self.j += TURN as u32;
            } else {
                for k in 0..AHEAD {
                    x[k] = self.x(j + self.warp + (BETWEEN * k) as u32);
                }
                let point = j + 4 * (self.lane % 4);
                // Half of the rows at a time, and from the turn's start on: pointers to all would be what registers are short of.
                unrolled!(half in 0..2, {
                    let rows: [*const f32; SIDE / 2] = core::array::from_fn(|q| {
                        let on = q / 2 * 16 + half * 32;
                        if (self.row ^ (q as u32 % 2 * 8)) + (on as u32) < m as u32 {
                            first[q % 2].wrapping_add(on * n)
                        } else {
                            self.source.weights.as_ptr().wrapping_add(point as usize)
                        }
                    });
                    for k in 0..4 {
                        if point + (k as u32) < self.end {
                            unrolled!(q in 0..SIDE / 2, {
                                w[SIDE / 2 * half + q][k] = *rows[q].add(k);
                            });
                        }
                    }
                });
                self.j = j.saturating_add(TURN as u32);
            }
        }
        Moved { w, x, j }
    }

    /// Writes it into a stage, from the thread's first cells of W and X on, and the rest of X where the block has few warps.
    ///
    /// # Safety
    /// Nobody reads the stage; it was [`next`](Self::next) before.
    #[inline(always)]
    unsafe fn store(&self, memory: *mut f32, (w, x): (u32, u32), moved: &Moved) {
        // SAFETY: the caller's promise; the places are in the stage, and different for each thread.
        unsafe {
            // Warps' stages begin at multiples of 16 cells.
            let rows = [memory.add(w as usize), memory.add((w ^ 8) as usize)];
            unrolled!(q in 0..SIDE, {
                for k in 0..4 {
                    rows[q % 2].add(k * APART.0 + q / 2 * 16).write(moved.w[q][k]);
                }
            });
            for k in 0..AHEAD {
                memory.add(x as usize + BETWEEN * k * APART.1).write(moved.x[k]);
            }
            if self.warps < BETWEEN as u32 {
                let (mut row, mut cell) = (moved.j + self.warp, x);
                unrolled!(_step in 0..BETWEEN - 1, {
                    (row, cell) = (row + self.warps, cell + self.warps * APART.1 as u32);
                    // Counted from the slice's start, and not from the turn's: what is the same in all turns would stay in registers.
                    if row < moved.j + BETWEEN as u32 {
                        for k in 0..AHEAD {
                            let number = self.x(row + (BETWEEN * k) as u32);
                            memory.add(cell as usize + BETWEEN * k * APART.1).write(number);
                        }
                    }
                });
            }
        }
    }
}

/// Four neighbours of a stage.
type Quad = [f32; 4];

/// What a lane has of a point: weights of four rows, of the four TALL / 2 below, and coordinates.
struct Operands {
    upper: Quad,
    lower: Quad,
    x: [Quad; 2],
}

/// Adds the products of four weights, from row `first` of the lane on, with the coordinates. One of the two operands stays from each
/// multiply-add to the next, so that a GPU reads no more than two registers for it.
#[inline(always)]
fn multiply<M: Machine>(
    mut sums: [[f32; SIDE]; SIDE],
    first: usize,
    w: Quad,
    [left, right]: [Quad; 2],
) -> [[f32; SIDE]; SIDE] {
    unrolled!(r in 0..4, {
        unrolled!(step in 0..SIDE, {
            let c = if r.is_multiple_of(2) { step } else { SIDE - 1 - step };
            let x = if c < 4 { left[c] } else { right[c - 4] };
            sums[first + r][c] = M::mul_add(w[r], x, sums[first + r][c]);
        });
    });
    sums
}

/// Adds the lane's products of a turn, of so many rounds, from its places in the first point's rows and columns on. The next
/// point is loaded while one is multiplied, each part as soon as its registers are free.
///
/// # Safety
/// The stage is written.
#[expect(unused_assignments, reason = "behind the last point that is written out nothing is read")]
#[inline(always)]
unsafe fn add_turn<M: Machine>(
    mut sums: [[f32; SIDE]; SIDE],
    (w, x): (*const f32, *const f32),
    rounds: u32,
) -> [[f32; SIDE]; SIDE] {
    // SAFETY: the caller's promise; the places are multiples of 16 bytes from the stage's start.
    unsafe {
        let rows = |point: usize, half: usize| read_group(w.add(point * APART.0 + TALL / 2 * half));
        let columns = |point: usize| [read_group(x.add(point * APART.1)), read_group(x.add(point * APART.1 + 4))];
        let mut held = Operands { upper: rows(0, 0), lower: rows(0, 1), x: columns(0) };
        unrolled!(round in 0..TURN / ROUND, {
            // One, two or four.
            if round == 0 || rounds > round as u32 {
                unrolled!(k in 0..ROUND, {
                    let next = ROUND * round + k + 1;
                    let more = k + 1 < ROUND || round == 2 || round < 2 && rounds > round as u32 + 1;
                    sums = multiply::<M>(sums, 0, held.upper, held.x);
                    let mut next_x = held.x;
                    if more {
                        held.upper = rows(next, 0);
                        next_x = columns(next);
                    }
                    sums = multiply::<M>(sums, SIDE / 2, held.lower, held.x);
                    if more {
                        held.lower = rows(next, 1);
                    }
                    held.x = next_x;
                });
            }
        });
    }
    sums
}

/// Sums of TALL rows for each warp, from the block's first on, over the points from `start` to `end`: those of four rows are given with
/// the first row, the column of the pass, and the rows' sums of weights.
///
/// # Safety
/// The whole block comes here with the same numbers. W and X are as long as the sizes say, and the points are among the n;
/// `memory` is shared memory as long as [`shared`] says.
#[inline(always)]
pub(crate) unsafe fn column_sums<M: Machine>(
    source: &Source<'_>,
    memory: *mut f32,
    block: usize,
    (start, end): (u32, u32),
    mut give: impl FnMut(usize, usize, [f32; 4], [f32; 4]),
) {
    let (t, threads, (m, n, _)) = (thread::thread_idx_x(), thread::block_dim_x(), source.sizes);
    let (warp, lane, warps) = (t / 32, t % 32, threads / 32);
    let i = block + warp as usize * TALL;
    // Of the four lanes across, so many have columns of their own; each such group has neighbouring points of a turn.
    let across = if source.columns > 16 {
        4
    } else if source.columns > 8 {
        2
    } else {
        1
    };
    // Bits 0, 2 and 3 of a lane say which rows, 1 and 4 which columns.
    let (x, y) = (lane / 2 % 2 + lane / 16 * 2, lane % 2 + lane / 4 % 4 * 2);
    let (group, groups, column) = (x / across, 4 / across, SIDE as u32 * (x % across));

    let p = lane % 4;
    let row = i as u32 + swapped(lane);
    let first = [row, row ^ 8].map(|row| source.weights.as_ptr().wrapping_add(row as usize * n + 4 * p as usize));
    let column_of_x = source.points.as_ptr().wrapping_add(source.first + lane.min(source.columns - 1) as usize);
    let whole = in_quads(source.weights.as_ptr(), n) && block + warps as usize * TALL <= m;
    let mut feed = Feed { source, first, row, column: column_of_x, j: start, end, whole, lane, warp, warps };
    // Cells of the first stages from the start of the memory, of 32 bits, to be short of no registers.
    let (w_stages, x_stages) = (warp * 2 * STAGE.0 as u32, warps * 2 * STAGE.0 as u32);
    let from = group * ROUND as u32 * across;
    let read = (w_stages + from * APART.0 as u32 + 4 * y, x_stages + from * APART.1 as u32 + column);
    let written = (w_stages + 4 * p * APART.0 as u32 + swapped(lane), x_stages + warp * APART.1 as u32 + lane);
    let (mut now, mut next) = (0, 1);
    let (mut sums, mut totals) = ([[0.0; SIDE]; SIDE], [0.0; SIDE]);
    // SAFETY: the caller's promise. A stage is written while nobody reads it: behind the barrier in front of which it was read
    // last, and in front of the one behind which it is read.
    unsafe {
        let stage = |(w, x): (u32, u32), stage: u32| (w + stage * STAGE.0 as u32, x + stage * STAGE.1 as u32);
        let turns = (end - start).div_ceil(TURN as u32);
        if turns > 0 {
            let moved = feed.next();
            feed.store(memory, written, &moved);
            totals = add_to(totals, &moved);
        }
        for _ in 0..turns {
            thread::sync_threads();
            // Behind the last turn these are zeros.
            let moved = feed.next();
            let (w, x) = stage(read, now);
            sums = add_turn::<M>(sums, (memory.add(w as usize), memory.add(x as usize)), across);
            feed.store(memory, stage(written, next), &moved);
            totals = add_to(totals, &moved);
            (now, next) = (next, now);
        }
        // The lanes of a row have the sums of different points, and two of them the rows in another order.
        let mut weights = [0.0; SIDE];
        unrolled!(q in 0..SIDE, {
            let own = if p >= 2 { totals[q ^ 1] } else { totals[q] };
            let pair = own + warp::warp_shuffle_xor(warp::ALL, own, 1, warp::WARP_SIZE);
            weights[q] = pair + warp::warp_shuffle_xor(warp::ALL, pair, 2, warp::WARP_SIZE);
        });
        // Through shared memory, and the totals behind them.
        let own = memory.add(w_stages as usize);
        let of_totals = own.add(TALL * WIDE);
        warp::sync_warp(warp::ALL);
        unrolled!(r in 0..SIDE, {
            unrolled!(c in 0..SIDE, {
                let row = 4 * y as usize + r % 4 + r / 4 * (TALL / 2);
                own.add(row * WIDE + x as usize * SIDE + turned(c)).write(sums[r][c]);
            });
        });
        if p == 0 {
            unrolled!(q in 0..SIDE, {
                of_totals.add(lane as usize / 4 + 8 * q).write(weights[q]);
            });
        }
        warp::sync_warp(warp::ALL);
        // A lane is a column: which lane of a group had it, and which of its sums it was.
        let c = lane % (SIDE as u32 * across);
        let mut from = own.add(c as usize / SIDE * SIDE + turned(c as usize % SIDE));
        let mut row = 0;
        while row < TALL && lane == c {
            let mut sums = [0.0; 4];
            unrolled!(group in 0..4, {
                if group == 0 || groups > group as u32 {
                    let part = from.add(group * across as usize * SIDE);
                    for k in 0..4 {
                        sums[k] += part.add(k * WIDE).read();
                    }
                }
            });
            give(i + row, c as usize, sums, read_group(of_totals.add(row)));
            from = from.add(4 * WIDE);
            row += 4;
        }
    }
}

const _: () = assert!(TALL * WIDE + TALL <= 2 * STAGE.0, "a warp's sums and totals are where its stages were");

/// The sums of the lane's rows, with what it has of a turn.
#[inline(always)]
fn add_to(mut totals: [f32; SIDE], moved: &Moved) -> [f32; SIDE] {
    for q in 0..SIDE {
        let [a, b, c, d] = moved.w[q];
        totals[q] += (a + b) + (c + d);
    }
    totals
}
