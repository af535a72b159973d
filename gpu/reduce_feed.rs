//! What a block of reduce_tensor.rs reads of W and X, and where it lies in shared memory.
//!
//! ```text
//! stages of W   2 x [4 warps][2 x 16 points][4 rows][32 lanes] quads: a lane's own, which it copies and reads
//! stages of X   2 x [4 products' depths][8 TILES columns] pieces for 32 lanes: high parts of 16 columns, then low ones
//! ```

use core::hint::select_unpredictable;

use cuda_std::copy;
use cuda_std::prelude::*;
use cuda_std::shared::SharedAddress;

use crate::lanes::unrolled;

/// Warps of a block, and its threads.
const WARPS: usize = 4;
pub(crate) const THREADS: usize = 32 * WARPS;

/// Rows of W that a lane has, eight apart.
pub(crate) const ROWS: usize = 4;

/// Rows of W that a block takes.
pub(crate) const TALL: usize = 8 * ROWS * WARPS;

/// Columns of half a product.
pub(crate) const TILE: usize = 8;

/// Points between a sum's beginning and its end: two products deep.
pub(crate) const GROUP: usize = 16;

/// Points of a turn, and what it has of those.
pub(crate) const TURN: usize = GROUP * GROUPS;
pub(crate) const GROUPS: usize = 2;

/// Turns whose weights are in shared memory, or on their way.
pub(crate) const STAGES: usize = 2;

/// Words of the weights of a turn.
pub(crate) const WEIGHTS: usize = TALL * TURN;

/// Words of a piece of X: two points' numbers of two columns, high parts or low ones; of up to eight columns the second one is the
/// first one's low parts.
pub(crate) const PIECE: usize = 4;

/// Words of a stage of X: for each product's depth of each eight columns a piece a lane.
pub(crate) const fn stage(tiles: usize) -> usize {
    2 * GROUPS * tiles * 32 * PIECE
}

/// Words of a block's shared memory: W's stages, in whose place the block's sums are in the end, and two of X.
pub(crate) const fn shared(tiles: usize) -> usize {
    assert!(TALL * (TILE * tiles + 1) <= STAGES * WEIGHTS, "there is room for the sums");
    STAGES * WEIGHTS + 2 * stage(tiles)
}

/// Columns that a thread reads of X, eight apart.
pub(crate) const fn across(tiles: usize) -> usize {
    if tiles == 1 { 1 } else { 2 }
}

/// Pairs of points that a thread reads of a turn.
const fn pairs(tiles: usize) -> usize {
    let all = stage(tiles) / PIECE / across(tiles);
    assert!(all.is_multiple_of(THREADS), "every thread has as many");
    all / THREADS
}

/// The most of them.
const MOST: usize = 2;

/// A number's upper 11 bits, and the rest rounded to as many: what [`narrow::tf32`](cuda_std::narrow::tf32) gives of it, without the
/// instruction of three that is for what is no number.
#[inline(always)]
pub(crate) fn split(x: f32) -> [u32; 2] {
    const CUT: u32 = !0x1fff;
    let high = x.to_bits() & CUT;
    [high, (x - f32::from_bits(high)).to_bits().wrapping_add(0x1000) & CUT]
}

/// What a block reads, and which part of it this thread has.
pub(crate) struct Feed {
    /// The first quad of the lane in the first of its rows, from the start of the row on; how many more it has, eight apart, and
    /// from one row to the next. Rows behind the last one are that.
    row: *const f32,
    more: u32,
    n: u32,
    /// The lane's quad among four.
    quad: u32,
    /// Where the lane's quads are in the first stage of W.
    pub(crate) own: SharedAddress,
    /// The end of the slice.
    pub(crate) end: u32,
    /// Where the thread's first column of X begins, how much further the other one, and from one point to the next. Behind the last
    /// column of the pass it is the first, or the same, of whose products nothing is written.
    column: *const f32,
    beside: u32,
    d: u32,
}

/// The points of a turn: `base` is the first, and so many from there on are of no account. There are any only in the last turn of a
/// slice, which ends where the slice does, and begins in what the turn before had; and all are in the turns behind that.
#[derive(Clone, Copy)]
pub(crate) struct Turn {
    base: u32,
    skip: u32,
}

impl Feed {
    /// That of a lane whose first row and quad among four are these, up to the end of a slice, of so many columns from the first-th on.
    #[inline(always)]
    pub(crate) fn new<const TILES: usize>(
        (weights, points): (*const f32, *const f32),
        memory: *const u32,
        [m, n, d]: [usize; 3],
        (row, quad, end): (usize, usize, u32),
        (first, columns): (usize, usize),
    ) -> Self {
        let from = row.min(m - 1);
        let more = ((m - 1 - from) / 8).min(ROWS - 1) as u32;
        let row = weights.wrapping_add(from * n + 4 * quad);
        let slot = Self::first::<TILES>().0 as usize;
        let from = slot / TILE * TILE * across(TILES) + slot % TILE;
        let column = points.wrapping_add(first + if from < columns { from } else { 0 });
        let beside = if from + TILE < columns { TILE as u32 } else { 0 };
        // SAFETY: there is as much shared memory.
        let own = unsafe { SharedAddress::of(memory).add(4 * own_quads(thread::thread_idx_x())) };
        Self { row, more, n: n as u32, quad: quad as u32, own, end, column, beside, d: d as u32 }
    }

    /// The turn from j on; all its points are of no account if j is the end.
    #[inline(always)]
    pub(crate) fn turn(&self, j: u32) -> Turn {
        let base = j.min(self.end - TURN as u32);
        Turn { base, skip: j - base }
    }

    /// Begins to copy the lane's quads of a turn, as one group, to the stage at a multiple of [`WEIGHTS`].
    ///
    /// # Safety
    /// Rows are as long as the slice's end; QUADS if all of them begin at multiples of 16 bytes, and the turn too. Nobody but
    /// this lane touches its quads of the stage.
    #[inline(always)]
    pub(crate) unsafe fn begin<const QUADS: bool>(&self, turn: Turn, stage: u32) {
        unrolled!(q in 0..ROWS, {
            // SAFETY: the caller's promise; the points are in front of the end.
            unsafe {
                let further = u64::from(8 * self.more.min(q as u32)) * u64::from(self.n);
                let from = self.row.add(turn.base as usize).add(further as usize);
                unrolled!(group in 0..GROUPS, {
                    let from = from.add(group * GROUP);
                    let to = self.own.add(4 * (stage + quads(group, q)));
                    if QUADS {
                        copy::async_16_of_row(to, from);
                    } else {
                        for k in 0..4 {
                            copy::async_4(to.add(4 * k as u32), from.add(k));
                        }
                    }
                });
            }
        });
        copy::commit();
    }

    /// The weights of a lane's quads, each row's together, but for those of no account.
    #[inline(always)]
    pub(crate) fn add_to<const QUADS: bool>(
        &self,
        mut totals: [f32; ROWS],
        w: &[[f32; 4]; ROWS],
        turn: Turn,
        first: usize,
    ) -> [f32; ROWS] {
        let point = first as u32 + 4 * self.quad;
        for q in 0..ROWS {
            let [a, b, c, d] = w[q];
            if QUADS {
                totals[q] += if point >= turn.skip { (a + b) + (c + d) } else { 0.0 };
            } else {
                for k in 0..4 {
                    totals[q] += if point + k as u32 >= turn.skip { w[q][k] } else { 0.0 };
                }
            }
        }
        totals
    }

    /// The first of the thread's columns among those with eight in between or none, and the first of its pairs of points.
    #[inline(always)]
    fn first<const TILES: usize>() -> (u32, u32) {
        let slots = const { (TILE * TILES / across(TILES)) as u32 };
        (thread::thread_idx_x() % slots, thread::thread_idx_x() / slots)
    }

    /// Pairs of points from one of the thread's to the next.
    const fn apart(tiles: usize) -> u32 {
        (THREADS * across(tiles) / (TILE * tiles)) as u32
    }

    /// Where the thread's p-th pair of points goes, in words from a stage's beginning: its piece, of high parts if there are others.
    #[inline(always)]
    fn piece<const TILES: usize>(p: usize) -> u32 {
        let (slot, first) = Self::first::<TILES>();
        let pair = first + p as u32 * Self::apart(TILES);
        // Pair 2 t + s of eight is what lanes of quad t need in product s.
        let (product, quad) = (pair / 8 * 2 + pair % 2, pair % 8 / 2);
        let tile = product * TILES as u32 + slot / TILE as u32 * across(TILES) as u32;
        PIECE as u32 * (tile * 32 + place(slot % TILE as u32, quad))
    }

    /// Begins to copy the thread's numbers of a turn to where their pieces are going to be, as one group. Of up to eight columns each
    /// number is copied twice, so that all of a piece is written.
    ///
    /// # Safety
    /// X is as long as the slice's end. The stage is as long as [`stage`] says, and nobody else touches it.
    #[inline(always)]
    pub(crate) unsafe fn fetch<const TILES: usize>(&self, turn: Turn, stage: SharedAddress) {
        let first = 2 * Self::first::<TILES>().1;
        let begin = (turn.base + first) as usize * self.d as usize;
        unrolled!(p in 0..MOST, {
            if p < pairs(TILES) {
                // SAFETY: the caller's promise; the points are in front of the end, and the columns X's.
                unsafe {
                    let to = stage.add(4 * Self::piece::<TILES>(p));
                    for c in 0..2 {
                        let from = self.column.add(begin + c * self.beside as usize);
                        for k in 0..2 {
                            let further = 2 * p as u32 * Self::apart(TILES) + k as u32;
                            copy::async_4(to.add((8 * k + 4 * c) as u32), from.add(further as usize * self.d as usize));
                        }
                    }
                }
            }
        });
        copy::commit();
    }

    /// Makes the pieces of the thread's numbers, which have come; of those of no account they are zeros.
    ///
    /// # Safety
    /// As for [`Feed::fetch`], of the same turn.
    #[inline(always)]
    pub(crate) unsafe fn split<const TILES: usize>(&self, turn: Turn, stage: SharedAddress) {
        let first = 2 * Self::first::<TILES>().1;
        unrolled!(p in 0..MOST, {
            if p < pairs(TILES) {
                // SAFETY: the caller's promise; each piece has one thread.
                unsafe {
                    let own = stage.add(4 * Self::piece::<TILES>(p));
                    let mut numbers = own.read_16();
                    for i in 0..PIECE {
                        let point = first + 2 * p as u32 * Self::apart(TILES) + i as u32 / 2;
                        numbers[i] = select_unpredictable(point >= turn.skip, numbers[i], 0);
                    }
                    let [[a, a_low], [b, b_low], [next_a, next_a_low], [next_b, next_b_low]] =
                        numbers.map(|number| split(f32::from_bits(number)));
                    if TILES == 1 {
                        own.write_16([a, a_low, next_a, next_a_low]);
                    } else {
                        own.write_16([a, b, next_a, next_b]);
                        own.add(16 * 32).write_16([a_low, b_low, next_a_low, next_b_low]);
                    }
                }
            }
        });
    }
}

/// Where the first quad of a thread is in a stage of W, in words.
#[inline(always)]
const fn own_quads(thread: u32) -> u32 {
    thread / 32 * (WEIGHTS / WARPS) as u32 + 4 * (thread % 32)
}

/// Where that of 16 points and of one of its rows is from there on: the lanes of a warp have theirs behind each other.
#[inline(always)]
pub(crate) const fn quads(group: usize, row: usize) -> u32 {
    ((group * ROWS + row) * 4 * 32) as u32
}

/// Where the piece of a column and a quad is among the 32 of a product. Eight columns of a quad are written together, four quads of
/// two neighbouring columns read; either are in different banks.
#[inline(always)]
pub(crate) fn place(column: u32, quad: u32) -> u32 {
    quad * TILE as u32 + (column ^ (2 * quad))
}
