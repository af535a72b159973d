//! A warp's part of the weighted reduction for 5 to 32 columns: TALL rows of W over a slice of the points.
//!
//! What it is part of: see reduce.rs.
//!
//! ```text
//! for each TURN points of the slice:
//!     barrier; the next turn's W[TALL][TURN] and X[TURN][columns] into registers   (under way meanwhile)
//!     for each point, or each second or fourth of them:
//!         sums[8][8] += W[8 of the rows] X[8 of the columns]                       (4 loads of 16 bytes, 64 multiply-adds)
//!     totals += W;  W, turned over, and X -> the other stage of shared memory
//! ```
//!
//! 1. *Lanes* are 8 down the rows and 4 across: as many of the 4 as columns need, by eights, take those; the others take other
//!    points, so that none computes what is not there.
//! 2. *W* is read by lines of a row whatever is computed of it, by its warp alone; *X* once for the block, whose warps are below
//!    each other.
//! 3. *Banks*: four lanes have a row's 16 points in quads. With PAD cells behind each point's rows in shared memory, two of
//!    them have the same banks; these two store rows that are eight apart at a time.

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

/// Columns of a point in shared memory: the most of a pass.
const WIDE: usize = 32;

/// Cells behind each point's rows of W.
const PAD: usize = 4;

/// Cells of a point's rows.
const APART: usize = TALL + PAD;

/// Cells of a stage of W, and of X.
const STAGE: (usize, usize) = (TURN * APART, TURN * WIDE);

/// Rows and columns of a lane's sums, and rows of which a lane loads four points.
const SIDE: usize = 8;

/// Numbers of X that a thread has under way: those of a turn, if the block has four warps. It has no more.
const AHEAD: usize = 4;

/// Numbers in the shared memory of a block of so many warps: two stages.
pub(crate) const fn shared(warps: usize) -> usize {
    2 * (warps * STAGE.0 + STAGE.1)
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
}

/// The slice's points, and what of them a lane loads.
struct Feed<'a> {
    source: &'a Source<'a>,
    /// The lane's four points of a turn in its first two rows, those that come behind them by 16; and the first row's number.
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
    /// A row of X, counted from point j on. Behind the end of the slice, where weights are zero, the last one.
    ///
    /// # Safety
    /// W and X are as long as the sizes say, and the slice has points.
    #[inline(always)]
    unsafe fn x(&self, j: u32, point: u32) -> f32 {
        let (row, d) = ((j + point).min(self.end - 1), self.source.sizes.2 as u32);
        // SAFETY: the point and the column are X's.
        unsafe { *self.column.add(row as usize * d as usize) }
    }

    /// What the lane has of W, zeros behind the end of the slice; rows behind the last one repeat it.
    ///
    /// # Safety
    /// As for [`x`](Self::x).
    #[inline(always)]
    unsafe fn w(&mut self) -> [[f32; 4]; SIDE] {
        let mut w = [[0.0; 4]; SIDE];
        let (m, n, _) = self.source.sizes;
        // SAFETY: what is read is in front of the end.
        unsafe {
            if self.whole && self.j + TURN as u32 <= self.end {
                unrolled!(q in 0..SIDE, {
                    w[q] = read_group(self.first[q % 2].add(q / 2 * 16 * n));
                });
                // Here, and not as below: of loads at the end of both ways LLVM makes some behind them, which then wait for
                // those before them.
                self.j += TURN as u32;
            } else {
                let point = self.j + 4 * (self.lane % 4);
                // Half of the rows at a time: pointers to all would be what registers are short of.
                unrolled!(half in 0..2, {
                    let rows: [*const f32; SIDE / 2] = core::array::from_fn(|q| {
                        let row = ((self.row ^ (q as u32 % 2 * 8)) + (q / 2 * 16 + half * 32) as u32).min(m as u32 - 1);
                        self.source.weights.as_ptr().wrapping_add(row as usize * n + point as usize)
                    });
                    for k in 0..4 {
                        if point + (k as u32) < self.end {
                            unrolled!(q in 0..SIDE / 2, {
                                w[SIDE / 2 * half + q][k] = *rows[q].add(k);
                            });
                        }
                    }
                });
                self.j = self.j.saturating_add(TURN as u32);
            }
        }
        self.first = self.first.map(|first| first.wrapping_add(TURN));
        w
    }

    /// The thread's part of a turn.
    ///
    /// # Safety
    /// As for [`x`](Self::x).
    #[inline(always)]
    unsafe fn next(&mut self) -> Moved {
        let mut x = [0.0; AHEAD];
        // SAFETY: the caller's promise.
        unsafe {
            for k in 0..AHEAD {
                x[k] = self.x(self.j, self.warp + self.warps * k as u32);
            }
            Moved { w: self.w(), x }
        }
    }

    /// Writes it into a stage, and the rest of X where the block has few warps.
    ///
    /// # Safety
    /// Nobody reads the stage; it was [`next`](Self::next) before.
    #[inline(always)]
    unsafe fn store(&self, w_stage: *mut f32, x_stage: *mut f32, moved: &Moved) {
        let (lane, p) = (self.lane as usize, self.lane as usize % 4);
        let row = swapped(self.lane) as usize;
        let own = [row, row ^ 8].map(|row| w_stage.wrapping_add(4 * p * APART + row));
        // SAFETY: the caller's promise; the places are in the stage, and different for each thread.
        unsafe {
            unrolled!(q in 0..SIDE, {
                for k in 0..4 {
                    own[q % 2].add(k * APART + q / 2 * 16).write(moved.w[q][k]);
                }
            });
            for k in 0..AHEAD {
                let point = self.warp as usize + self.warps as usize * k;
                x_stage.add(point * WIDE + lane).write(moved.x[k]);
            }
            let mut point = self.warp + self.warps * AHEAD as u32;
            while point < TURN as u32 {
                let x = self.x(self.j - TURN as u32, point);
                x_stage.add(point as usize * WIDE + lane).write(x);
                point += self.warps;
            }
        }
    }
}

/// A point's weights and coordinates, as a lane multiplies them.
struct Operands {
    w: [f32; SIDE],
    x: [f32; SIDE],
}

impl Operands {
    /// From the lane's places in the point's rows and columns.
    ///
    /// # Safety
    /// The stage is written.
    #[inline(always)]
    unsafe fn load(w: *const f32, x: *const f32) -> Self {
        let mut operands = Self { w: [0.0; SIDE], x: [0.0; SIDE] };
        for half in 0..2 {
            // SAFETY: the places are in the stage, and multiples of 16 bytes from its start.
            let (w, x): ([f32; 4], [f32; 4]) =
                unsafe { (read_group(w.add(TALL / 2 * half)), read_group(x.add(4 * half))) };
            for k in 0..4 {
                operands.w[4 * half + k] = w[k];
                operands.x[4 * half + k] = x[k];
            }
        }
        operands
    }

    /// Adds their products to the sums.
    #[inline(always)]
    fn multiply<M: Machine>(&self, mut sums: [[f32; SIDE]; SIDE]) -> [[f32; SIDE]; SIDE] {
        unrolled!(r in 0..SIDE, {
            unrolled!(c in 0..SIDE, {
                sums[r][c] = M::mul_add(self.w[r], self.x[c], sums[r][c]);
            });
        });
        sums
    }
}

/// Sums of TALL rows for each warp, from the block's first on, over the points from `start` to `end`: each of them is given with
/// its row, its column of the pass, and the row's sum of weights.
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
    mut give: impl FnMut(usize, usize, f32, f32),
) {
    let (t, threads, (m, n, _)) = (thread::thread_idx_x(), thread::block_dim_x(), source.sizes);
    let (warp, lane, warps) = (t / 32, t % 32, threads / 32);
    let i = block + warp as usize * TALL;
    // Of the four lanes across, so many have columns of their own; each such group has the points from its number on.
    let across = if source.columns > 16 {
        4
    } else if source.columns > 8 {
        2
    } else {
        1
    };
    let (x, y) = (lane % 4, lane as usize / 4);
    let (group, groups) = ((x / across) as usize, 4 / across as usize);
    let column = SIDE * (x % across) as usize;

    let p = lane as usize % 4;
    let row = i as u32 + swapped(lane);
    let first =
        [row, row ^ 8].map(|row| source.weights.as_ptr().wrapping_add(row as usize * n + start as usize + 4 * p));
    let column_of_x = source.points.as_ptr().wrapping_add(source.first + lane.min(source.columns - 1) as usize);
    let whole = in_quads(source.weights.as_ptr(), n) && block + warps as usize * TALL <= m;
    let mut feed = Feed { source, first, row, column: column_of_x, j: start, end, whole, lane, warp, warps };
    let (w_stages, x_stages) =
        (memory.wrapping_add(warp as usize * 2 * STAGE.0), memory.wrapping_add(warps as usize * 2 * STAGE.0));
    let (mut now, mut next) = (0, 1);
    let (mut sums, mut totals) = ([[0.0; SIDE]; SIDE], [0.0; SIDE]);
    // SAFETY: the caller's promise. A stage is written while nobody reads it: behind the barrier in front of which it was read
    // last, and in front of the one behind which it is read.
    unsafe {
        let turns = (end - start).div_ceil(TURN as u32);
        if turns > 0 {
            let moved = feed.next();
            feed.store(w_stages, x_stages, &moved);
            totals = add_to(totals, &moved);
        }
        for _ in 0..turns {
            thread::sync_threads();
            // Behind the last turn these are zeros.
            let moved = feed.next();
            let at = |stage: usize, point: usize| {
                let w = w_stages.add(stage * STAGE.0 + point * APART + 4 * y);
                (w.cast_const(), x_stages.add(stage * STAGE.1 + point * WIDE + column).cast_const())
            };
            let mut point = group;
            while point < TURN {
                let (w, x) = at(now, point);
                sums = Operands::load(w, x).multiply::<M>(sums);
                point += groups;
            }
            feed.store(w_stages.add(next * STAGE.0), x_stages.add(next * STAGE.1), &moved);
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
        // Half of the rows at a time through shared memory, and the totals behind them.
        let of_totals = w_stages.add(TALL / 2 * WIDE);
        unrolled!(half in 0..2, {
            warp::sync_warp(warp::ALL);
            unrolled!(r in 0..4, {
                unrolled!(c in 0..SIDE, {
                    w_stages.add((4 * y + r) * WIDE + x as usize * SIDE + c).write(sums[4 * half + r][c]);
                });
            });
            if half == 0 && p == 0 {
                unrolled!(q in 0..SIDE, {
                    of_totals.add(y + 8 * q).write(weights[q]);
                });
            }
            warp::sync_warp(warp::ALL);
            // A lane is a column: which lane of a group had it, and which of its sums it was.
            let c = lane as usize % (SIDE * across as usize);
            let (owner, sum) = (c / SIDE, c % SIDE);
            for row in 0..TALL / 2 {
                let mut total = 0.0;
                for group in 0..groups {
                    total += w_stages.add(row * WIDE + (group * across as usize + owner) * SIDE + sum).read();
                }
                let place = TALL / 2 * half + row;
                if lane as usize == c {
                    give(i + place, c, total, of_totals.add(place).read());
                }
            }
        });
    }
}

/// The sums of the lane's rows, with what it has of a turn.
#[inline(always)]
fn add_to(mut totals: [f32; SIDE], moved: &Moved) -> [f32; SIDE] {
    for q in 0..SIDE {
        let [a, b, c, d] = moved.w[q];
        totals[q] += (a + b) + (c + d);
    }
    totals
}
