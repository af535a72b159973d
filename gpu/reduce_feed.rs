//! What a block of reduce_tensor.rs reads of W and X, and where it lies in shared memory.
//!
//! ```text
//! stages of W   2 x [4 warps][16 pairs of rows][2 x 16 points][2 rows] of four quads, which their warp copies and reads
//! stages of X   2 x [4 products' depths][8 TILES columns] pieces for 32 lanes: high parts of 16 columns, then low ones
//! ```
//!
//! What a warp copies with one instruction is as few lines of memory as can be, 128 bytes of each of four rows of W, or of four points
//! of X: the second cache is asked for whole lines.

use core::hint::select_unpredictable;

use cuda_std::copy;
use cuda_std::prelude::*;
use cuda_std::shared::SharedAddress;
use cuda_std::warp;

use crate::lanes::unrolled;

/// Warps of a block, and its threads.
const WARPS: usize = 4;
pub(crate) const THREADS: usize = 32 * WARPS;

/// Rows of W that a lane multiplies, eight apart, and those of its warp.
pub(crate) const ROWS: usize = 4;
const OF_WARP: usize = 8 * ROWS;

/// Rows of W that a block takes.
pub(crate) const TALL: usize = OF_WARP * WARPS;

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

/// Rows from one that a lane copies a quad of to the next, and quads that it copies a turn.
const APART: usize = 32 * 4 / TURN;
const COPIES: usize = OF_WARP / APART;

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

/// Bytes from the piece of 16 columns, and from high parts to low ones, to the next of the same lane.
const NEXT: u32 = 4 * (PIECE * 32) as u32;

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
    /// The quad that the lane copies of its first row of W, from the start of the row on; how many more such rows there are,
    /// [`APART`], and from one row to the next. Rows behind the last one are that.
    row: *const f32,
    more: u32,
    n: u32,
    /// Where the first one goes in the first stage.
    to: SharedAddress,
    /// The lane's quad among four that it multiplies, and where that of its first row is in the first stage.
    quad: u32,
    own: SharedAddress,
    /// The end of the slice.
    pub(crate) end: u32,
    /// Where the thread's first column of X begins, how many others it has, and from one point to the next. Behind the last column
    /// of the pass it has the first, or the last again, of whose products nothing is written.
    column: *const f32,
    others: u32,
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
    /// That of a thread whose warp's first row is that, up to the end of a slice, of so many columns from the first-th on.
    #[inline(always)]
    pub(crate) fn new<const TILES: usize>(
        (weights, points): (*const f32, *const f32),
        memory: SharedAddress,
        [m, n, d]: [usize; 3],
        (row, end): (usize, u32),
        (first, columns): (usize, usize),
    ) -> Self {
        let lane = warp::lane_id();
        // Two rows' first 16 points, their others, and the same of two more rows.
        let (below, quad) = (lane / 16 * 2 + lane % 8 / 4, lane / 8 % 2 * 4 + lane % 4);
        let from = (row + below as usize).min(m - 1);
        let more = ((m - 1 - from) / APART).min(COPIES - 1) as u32;
        let row = weights.wrapping_add(from * n + 4 * quad as usize);
        // SAFETY: there is as much shared memory.
        let (to, own) = unsafe {
            let of_warp = memory.add(4 * (thread::thread_idx_x() / 32 * (OF_WARP * TURN) as u32));
            (of_warp.add(16 * lane), of_warp.add(16 * (lane / 8 * 16 + lane % 8)))
        };
        let quad = lane % 4;
        let column = Self::pair().1 as usize * TILES;
        let (column, others) = if column < columns { (column, (columns - 1 - column).min(TILES - 1)) } else { (0, 0) };
        let column = points.wrapping_add(first + column);
        Self { row, more, n: n as u32, to, quad, own, end, column, others: others as u32, d: d as u32 }
    }

    /// The turn from j on; all its points are of no account if j is the end.
    #[inline(always)]
    pub(crate) fn turn(&self, j: u32) -> Turn {
        let base = j.min(self.end - TURN as u32);
        Turn { base, skip: j - base }
    }

    /// Begins to copy the lane's part of the warp's weights of a turn, as one group, to the stage at a multiple of [`WEIGHTS`].
    ///
    /// # Safety
    /// Rows are as long as the slice's end; QUADS if all of them begin at multiples of 16 bytes, and the turn too. No lane of
    /// the warp is still reading the stage.
    #[inline(always)]
    pub(crate) unsafe fn begin<const QUADS: bool>(&self, turn: Turn, stage: u32) {
        unrolled!(k in 0..COPIES, {
            // SAFETY: the caller's promise; the points are in front of the end.
            unsafe {
                let further = u64::from(APART as u32 * self.more.min(k as u32)) * u64::from(self.n);
                let from = self.row.add(further as usize).add(turn.base as usize);
                let to = self.to.add(4 * (stage + (k * APART * TURN) as u32));
                if QUADS {
                    copy::async_16_of_row(to, from);
                } else {
                    for point in 0..4 {
                        copy::async_4(to.add(4 * point as u32), from.add(point));
                    }
                }
            }
        });
        copy::commit();
    }

    /// The lane's quads of 16 points of a turn, in a stage.
    ///
    /// # Safety
    /// They have come, and the warp has met since.
    #[inline(always)]
    pub(crate) unsafe fn quads(&self, stage: u32, group: usize) -> [[f32; 4]; ROWS] {
        core::array::from_fn(|q| {
            // SAFETY: the caller's promise; each is in the stage.
            let quad = unsafe { self.own.add(4 * (stage + (8 * q * TURN + 2 * group * GROUP) as u32)).read_16() };
            quad.map(f32::from_bits)
        })
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

    /// Which pair of points this thread has of a turn, and which of eight times its columns.
    #[inline(always)]
    fn pair() -> (u32, u32) {
        const { assert!(THREADS == TURN / 2 * TILE, "every thread has one pair") };
        (thread::thread_idx_x() / TILE as u32, thread::thread_idx_x() % TILE as u32)
    }

    /// Where the thread's pair of points goes, in bytes from a stage's beginning: its first piece, of high parts if there are others.
    #[inline(always)]
    fn piece<const TILES: usize>() -> u32 {
        let (pair, columns) = Self::pair();
        // Pair 2 t + s of eight is what lanes of quad t need in product s.
        let (product, quad) = (pair / 8 * 2 + pair % 2, pair % 8 / 2);
        4 * PIECE as u32 * (product * TILES as u32 * 32 + place(columns, quad))
    }

    /// Whether what a thread has of a point can be copied at once.
    #[inline(always)]
    pub(crate) fn are_together<const TILES: usize>(points: *const f32, d: usize) -> bool {
        TILES > 1 && d.is_multiple_of(TILES) && points.addr().is_multiple_of(4 * TILES)
    }

    /// Begins to copy the thread's numbers of a turn to where their pieces are going to be, as one group: of up to 16 columns one point
    /// behind the other, of more each where one of the two pieces is going to be. Of up to eight each number is copied
    /// twice, so that all of a piece is written.
    ///
    /// # Safety
    /// X is as long as the slice's end, and TOGETHER only if [`are_together`](Self::are_together) says so. The stage is as long as
    /// [`stage`] says, and nobody else touches it.
    #[inline(always)]
    pub(crate) unsafe fn fetch<const TILES: usize, const TOGETHER: bool>(&self, turn: Turn, stage: SharedAddress) {
        let begin = (turn.base + 2 * Self::pair().0) as usize * self.d as usize;
        // SAFETY: the caller's promise; the points are in front of the end, and the columns X's. Each piece has one thread.
        unsafe {
            let own = stage.add(Self::piece::<TILES>());
            let (own, from) = ([own, own.add(if TILES > 2 { 2 * NEXT } else { 8 })], self.column.add(begin));
            let from = [from, from.add(self.d as usize)];
            if TOGETHER {
                for k in 0..2 {
                    if TILES > 2 {
                        copy::async_16(own[k], from[k]);
                    } else {
                        copy::async_8(own[k], from[k]);
                    }
                }
            } else {
                unrolled!(c in 0..4, {
                    if c < TILES.max(2) {
                        let beside = self.others.min(c as u32) as usize;
                        for k in 0..2 {
                            copy::async_4(own[k].add(4 * c as u32), from[k].add(beside));
                        }
                    }
                });
            }
        }
        copy::commit();
    }

    /// Makes the pieces of the thread's numbers, which have come; of those of no account they are zeros.
    ///
    /// # Safety
    /// As for [`Feed::fetch`], of the same turn.
    #[inline(always)]
    pub(crate) unsafe fn split<const TILES: usize>(&self, turn: Turn, stage: SharedAddress) {
        let first = 2 * Self::pair().0;
        // SAFETY: the caller's promise; each piece has one thread.
        unsafe {
            let own = stage.add(Self::piece::<TILES>());
            let parts_of = |numbers: [u32; 4], points: [u32; 4]| -> [[u32; 2]; 4] {
                core::array::from_fn(|i| {
                    let counts = first + points[i] >= turn.skip;
                    split(f32::from_bits(select_unpredictable(counts, numbers[i], 0)))
                })
            };
            let write = |own: SharedAddress, [a, b, next_a, next_b]: [[u32; 2]; 4]| {
                own.write_16([a[0], b[0], next_a[0], next_b[0]]);
                own.add(NEXT).write_16([a[1], b[1], next_a[1], next_b[1]]);
            };
            if TILES > 2 {
                let next = own.add(2 * NEXT);
                let [a, b, c, d] = parts_of(own.read_16(), [0; 4]);
                let [next_a, next_b, next_c, next_d] = parts_of(next.read_16(), [1; 4]);
                write(own, [a, b, next_a, next_b]);
                write(next, [c, d, next_c, next_d]);
            } else {
                let parts = parts_of(own.read_16(), [0, 0, 1, 1]);
                if TILES > 1 {
                    write(own, parts);
                } else {
                    let [[a, a_low], _, [next, next_low], _] = parts;
                    own.write_16([a, a_low, next, next_low]);
                }
            }
        }
    }
}

/// Where the piece of a column and a quad is among the 32 of a product. Eight columns of a quad are written together, four quads of
/// two neighbouring columns read; either are in different banks.
#[inline(always)]
pub(crate) fn place(column: u32, quad: u32) -> u32 {
    quad * TILE as u32 + (column ^ (2 * quad))
}
