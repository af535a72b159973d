//! Weighted reduction on tensor cores, of more than four columns: `out = W X / rowsum(W)`.   Compute 8.0 or newer.
//!
//! The same as reduce.rs, which says what becomes of passes and slices. Multiply-adds in f32 take as long for 32 columns as W
//! takes to be read, and every one of them wants two numbers from shared memory for each eight; here they take a third of it.
//!
//! A block of four warps has 128 rows of W, a warp 32, of which each lane has four, and in them every fourth quad of points:
//!
//! ```text
//! for each turn of 32 points of the slice:
//!     barrier; X of the next turn into the other stage of shared memory         (under way meanwhile)
//!     for each 16 points:
//!         high + low = W[32 rows][16 points];  totals += W
//!         for each 16 columns: sums = high' low + low' high + high' high        (24 products of 16 x 8 x 8);  means += sums
//!     W of the turn after the next into this one's place                        (under way for a turn)
//!     W and X of the next turn have come; X is split where it is
//! ```
//!
//! 1. *What is under way takes no registers*, and no compiler moves a load to where it is waited for: all is copied by `cp.async`.
//!    A lane reads of W what it has copied itself. A row's 128 bytes of a turn are asked for together, and where PTX has a word
//!    for it the 256 that they are in: a GPU's memory gives longer pieces of a row faster than shorter ones of many.
//! 2. *W is the right operand*, of which a lane has two neighbouring registers: a product adds over points in whatever order
//!    both of its sides have, so a lane's quad of a row, 16 bytes, is what two products want of it as it comes, if X lies in shared
//!    memory in that order. As the left one, of whose four registers two are another row's, each number would be moved first.
//! 3. *X*, turned over, is the left operand, split once for a block. A piece of 16 bytes has two neighbouring points in two columns
//!    that are eight apart: all that a lane needs for a product; high parts have pieces of their own, and low ones. Of up to eight
//!    columns the low parts are the left operand's other eight rows, so that a product gives both. Pieces trade places so that no
//!    eight that are read or written together share a bank.
//! 4. *Sums are f32's*: a tensor core cuts off where f32 would round. The parts of 16 points are six products deep, the two
//!    full ones last; then they are added to the means as f32 adds. Of 32 columns eight sums are under way at a time: a product
//!    waits for the one before in its sum for as long as five others take.
//!
//! # Precision
//! A number is split into `high`, its upper 11 bits, and `low`, the rest rounded to 11: what is lost is at most 2^-22 of it, and
//! the product of two low parts, which is left out, at most 2^-20. Summing 16 points is off by at most 19 2^-23; sums and totals of n
//! are n / 16 additions of f32 each. In all `out[i, c]` is off by at most `(18 + n / 32) 2^-22` of
//! `sum_j W[i, j] |X[j, c]| / sum_j W[i, j]`. W and X are finite, or rows are not. Low parts below 2^-126 may be lost: numbers below
//! 2^-115 have 11 bits.

use core::hint::select_unpredictable;

use cuda_std::copy;
use cuda_std::prelude::*;
use cuda_std::shared::SharedAddress;
use cuda_std::warp;

use crate::lanes::unrolled;
use crate::matmul_blocked::in_quads;
use crate::reduce::Pass;
use crate::slices::Slices;

/// Warps of a block, and its threads.
const WARPS: usize = 4;
const THREADS: usize = 32 * WARPS;

/// Rows of W that a lane has, eight apart.
const ROWS: usize = 4;

/// Rows of W that a block takes.
pub(crate) const TALL: usize = 8 * ROWS * WARPS;

/// The most columns of a pass.
pub(crate) const WIDE: usize = 32;

/// Columns of half a product.
const TILE: usize = 8;

/// Points between a sum's beginning and its end: two products deep.
const GROUP: usize = 16;

/// Points of a turn, and what it has of those.
const TURN: usize = GROUP * GROUPS;
const GROUPS: usize = 2;

/// Turns whose weights are in shared memory, or on their way.
const STAGES: usize = 2;

/// Words of the weights of a turn.
const WEIGHTS: usize = TALL * TURN;

/// Points that there must be at least, in all and of a slice that is not the last one: no fewer than a turn's.
pub const FEWEST: usize = 64;

/// Words of a piece of X: two points' numbers of two columns, high parts or low ones; of up to eight columns the second one is the
/// first one's low parts.
const PIECE: usize = 4;

/// Words of a stage of X: for each product's depth of each eight columns a piece a lane.
const fn stage(tiles: usize) -> usize {
    2 * GROUPS * tiles * 32 * PIECE
}

/// Words of a block's shared memory: W's stages, in whose place the block's sums are in the end, and two of X.
const fn shared(tiles: usize) -> usize {
    assert!(TALL * (TILE * tiles + 1) <= STAGES * WEIGHTS, "there is room for the sums");
    STAGES * WEIGHTS + 2 * stage(tiles)
}

/// Columns that a thread reads of X, eight apart.
const fn across(tiles: usize) -> usize {
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

/// Columns that the kernel for d of them takes at a time: 8, 16 or 32.
///
/// ```
/// assert_eq!([5, 8, 9, 17, 64].map(gpu::reduce_tensor::instance), [8, 8, 16, 32, 32]);
/// ```
pub const fn instance(d: usize) -> usize {
    match d {
        0..=8 => 8,
        9..=16 => 16,
        _ => WIDE,
    }
}

/// Sums that all passes leave of a row in a slice: those of the columns, and in each pass of weights.
const fn left(wide: usize, d: usize) -> usize {
    d.div_ceil(wide) * width(wide, d)
}

/// Sums that a pass leaves of a row in a slice.
const fn width(wide: usize, d: usize) -> usize {
    1 + if d < wide { d } else { wide }
}

/// Points of a slice for m rows of W, n points and d columns, and how many cells `partial` and `arrived` then need: see
/// [`reduce::slices`](crate::reduce::slices).
///
/// ```
/// use gpu::reduce_tensor::slices;
///
/// // Eight blocks of rows become some 512.
/// assert_eq!(slices([1024, 200_000, 8]).0, 3_200);
/// assert_eq!(slices([1, 500, 8]), (500, 0, 0));
/// ```
#[cfg(not(target_arch = "nvptx64"))]
pub fn slices([m, n, d]: [usize; 3]) -> (usize, usize, usize) {
    let wide = instance(d);
    let groups = m.div_ceil(TALL) * d.div_ceil(wide);
    crate::reduce::shared_out(groups, n, 4096, groups, m * left(wide, d))
}

/// A number's upper 11 bits, and the rest rounded to as many: what [`narrow::tf32`](cuda_std::narrow::tf32) gives of it, without the
/// instruction of three that is for what is no number.
#[inline(always)]
fn split(x: f32) -> [u32; 2] {
    const CUT: u32 = !0x1fff;
    let high = x.to_bits() & CUT;
    [high, (x - f32::from_bits(high)).to_bits().wrapping_add(0x1000) & CUT]
}

/// What a block reads, and which part of it this thread has.
struct Feed {
    /// The first quad of the lane in the first of its rows, from the start of the row on; how many more it has, eight apart, and
    /// from one row to the next. Rows behind the last one are that.
    row: *const f32,
    more: u32,
    n: u32,
    /// The lane's quad among four.
    quad: u32,
    /// Where the lane's quads are in the first stage of W.
    own: SharedAddress,
    /// The end of the slice.
    end: u32,
    /// Where the thread's first column of X begins, how much further the other one, and from one point to the next. Behind the last
    /// column of the pass it is the first, or the same, of whose products nothing is written.
    column: *const f32,
    beside: u32,
    d: u32,
}

/// The points of a turn: `base` is the first, and so many from there on are of no account. There are any only in the last turn of a
/// slice, which ends where the slice does, and begins in what the turn before had; and all are in the turns behind that.
#[derive(Clone, Copy)]
struct Turn {
    base: u32,
    skip: u32,
}

impl Feed {
    /// The turn from j on; all its points are of no account if j is the end.
    #[inline(always)]
    fn turn(&self, j: u32) -> Turn {
        let base = j.min(self.end - TURN as u32);
        Turn { base, skip: j - base }
    }

    /// Begins to copy the lane's quads of a turn, as one group, to the stage at a multiple of [`WEIGHTS`].
    ///
    /// # Safety
    /// Rows are as long as the slice's end; QUADS if all of them begin at multiples of 16 bytes, and the turn too. Nobody but
    /// this lane touches its quads of the stage.
    #[inline(always)]
    unsafe fn begin<const QUADS: bool>(&self, turn: Turn, stage: u32) {
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
    fn add_to<const QUADS: bool>(
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
    unsafe fn fetch<const TILES: usize>(&self, turn: Turn, stage: SharedAddress) {
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
    unsafe fn split<const TILES: usize>(&self, turn: Turn, stage: SharedAddress) {
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
const fn quads(group: usize, row: usize) -> u32 {
    ((group * ROWS + row) * 4 * 32) as u32
}

/// Where the piece of a column and a quad is among the 32 of a product. Eight columns of a quad are written together, four quads of
/// two neighbouring columns read; either are in different banks.
#[inline(always)]
fn place(column: u32, quad: u32) -> u32 {
    quad * TILE as u32 + (column ^ (2 * quad))
}

/// Sums of a warp's 32 rows and 8 TILES columns, and of the lane's weights. Of each eight columns and eight rows a lane has two, as
/// products have them: column lane / 4, rows 2 (lane % 4) and the next.
struct Sums<const TILES: usize> {
    means: [[[f32; 2]; ROWS]; TILES],
    totals: [f32; ROWS],
}

/// Pairs of eight columns.
const fn wide(tiles: usize) -> usize {
    tiles.div_ceil(2)
}

/// What 16 points add to the means: `x` and `x_low` are a lane's pieces of each 16 columns for two products, `high` and `low` its
/// quads of each row.
///
/// # Safety
/// As for [`warp::mma_m16n8k8_tf32`].
#[inline(always)]
unsafe fn multiply<const TILES: usize>(
    [x, x_low]: [[[[u32; PIECE]; 2]; 2]; 2],
    high: &[[u32; 4]; ROWS],
    low: &[[u32; 4]; ROWS],
) -> [[[f32; 4]; ROWS]; 2] {
    let halves = |[a, b, c, d]: [u32; 4]| [[a, b], [c, d]];
    let mut parts = [[[0.0; 4]; ROWS]; 2];
    let mut all = |x: [[[u32; PIECE]; 2]; 2], w: &[[u32; 4]; ROWS]| {
        for product in 0..2 {
            for tile in 0..wide(TILES) {
                for q in 0..ROWS {
                    let (x, w, part) = (x[tile][product], halves(w[q])[product], &mut parts[tile][q]);
                    // SAFETY: the caller's promise.
                    *part = unsafe { warp::mma_m16n8k8_tf32(x, w, *part) };
                }
            }
        }
    };
    all(x, low);
    if TILES > 1 {
        all(x_low, high);
    }
    all(x, high);
    parts
}

/// Sums over a slice, whose first point is j.
///
/// # Safety
/// The whole block comes here with the same numbers but for its threads'. [`Feed::begin`] and [`Feed::fetch`] say of what there
/// must be how much; `memory` is as long as [`shared`] says.
#[inline(always)]
unsafe fn sums_of<const TILES: usize, const QUADS: bool>(
    feed: &Feed,
    memory: SharedAddress,
    mut j: u32,
) -> Sums<TILES> {
    const POINTS: u32 = TURN as u32;
    let lane = warp::lane_id();
    let own = 16 * place(lane / 4, lane % 4);
    let mut sums = Sums { means: [[[0.0; 2]; ROWS]; TILES], totals: [0.0; ROWS] };
    let ahead = |j: u32, turns: u32| j.saturating_add(turns * POINTS).min(feed.end);
    // Words of the stage of W whose turn it is; X's are as many times as small.
    let mut here = 0;
    let other = |here: u32| here ^ WEIGHTS as u32;
    // SAFETY: there is as much shared memory.
    let x_stage = |here: u32| unsafe {
        memory.add(4 * (STAGES * WEIGHTS) as u32).add(4 * (here / const { (WEIGHTS / stage(TILES)) as u32 }))
    };
    // SAFETY: the caller's promise. A stage of X is written behind the barrier in front of which it was read last, and read behind
    // the one in front of which it was written. W is read by the lane that has copied it, behind a wait for it, and has been
    // multiplied when that lane begins to copy the next to its place.
    unsafe {
        feed.fetch::<TILES>(feed.turn(j), x_stage(here));
        feed.begin::<QUADS>(feed.turn(j), here);
        feed.begin::<QUADS>(feed.turn(ahead(j, 1)), other(here));
        copy::wait::<1>();
        feed.split::<TILES>(feed.turn(j), x_stage(here));
        while j < feed.end {
            thread::sync_threads();
            feed.fetch::<TILES>(feed.turn(ahead(j, 1)), x_stage(other(here)));
            unrolled!(group in 0..GROUPS, {
                let first = group * GROUP;
                let w: [[f32; 4]; ROWS] = core::array::from_fn(|q| {
                    feed.own.add(4 * (here + quads(group, q))).read_16().map(f32::from_bits)
                });
                let (mut high, mut low) = ([[0; 4]; ROWS], [[0; 4]; ROWS]);
                for q in 0..ROWS {
                    for k in 0..4 {
                        [high[q][k], low[q][k]] = split(w[q][k]);
                    }
                }
                sums.totals = feed.add_to::<QUADS>(sums.totals, &w, feed.turn(j), first);
                let piece = |tile: usize, product: usize, low: usize| -> [u32; PIECE] {
                    let place = ((2 * group + product) * TILES + 2 * tile + low) * 32;
                    x_stage(here).add(own + 4 * (PIECE * place) as u32).read_16()
                };
                let mut x = [[[0; PIECE]; 2]; 2];
                let mut x_low = [[[0; PIECE]; 2]; 2];
                for tile in 0..wide(TILES) {
                    x[tile] = [piece(tile, 0, 0), piece(tile, 1, 0)];
                    if TILES > 1 {
                        x_low[tile] = [piece(tile, 0, 1), piece(tile, 1, 1)];
                    }
                }
                let parts = multiply::<TILES>([x, x_low], &high, &low);
                for tile in 0..wide(TILES) {
                    for q in 0..ROWS {
                        let [a, b, next, last] = parts[tile][q];
                        if TILES == 1 {
                            sums.means[0][q][0] += next + a;
                            sums.means[0][q][1] += last + b;
                        } else {
                            sums.means[2 * tile][q][0] += a;
                            sums.means[2 * tile][q][1] += b;
                            sums.means[2 * tile + 1][q][0] += next;
                            sums.means[2 * tile + 1][q][1] += last;
                        }
                    }
                }
            });
            feed.begin::<QUADS>(feed.turn(ahead(j, 2)), here);
            j = ahead(j, 1);
            here = other(here);
            copy::wait::<1>();
            feed.split::<TILES>(feed.turn(j), x_stage(here));
        }
        copy::wait::<0>();
    }
    sums
}

/// `out`, 8 TILES columns a pass. `partial` and `arrived`, which is all zeros, count for slices of less than n points
/// alone: see [`slices`].
#[kernel(
    instances(
        reduce_weighted_tensor_8<1>,
        reduce_weighted_tensor_16<2>,
        reduce_weighted_tensor_32<4>,
    ),
    block = THREADS as u32,
    grid = (m.div_ceil(TALL) * d.div_ceil(8 * TILES), n.div_ceil(slice.max(1)).max(1)),
    require(
        weights.len() >= m * n,
        points.len() >= n * d,
        out.len() >= m * d,
        n >= FEWEST,
        slice >= FEWEST,
        d < 1 << 30,
        slice >= n || slice.is_multiple_of(4),
        slice >= n || partial.len() >= n.div_ceil(slice) * m * left(8 * TILES, d),
        slice >= n || arrived.len() >= m.div_ceil(TALL) * d.div_ceil(8 * TILES),
    ),
)]
pub unsafe fn means<const TILES: usize>(
    weights: &[f32],
    points: &[f32],
    out: DisjointMut<f32>,
    partial: *mut f32,
    arrived: *mut u32,
    m: u32,
    n: u32,
    d: u32,
    slice: u32,
) {
    let memory: *mut u32 = shared_array![u32; shared(TILES)];
    let wide = const { TILE * TILES };
    let passes = d.div_ceil(wide as u32);
    let (number, group) = ((thread::block_idx_x() % passes) as usize, (thread::block_idx_x() / passes) as usize);
    let slices = Slices { partial, arrived, points: slice };
    let (start, end) = slices.range(n);
    let several = slices.are_several(n);
    let (m, n, first) = (m as usize, n as usize, number * wide);
    let (columns, width) = (wide.min(d as usize - first), width(wide, d as usize));
    let mut pass =
        Pass { out, slices, m, d: d as usize, first, columns, number, passes: passes as usize, width, several };
    let (t, lane) = (thread::thread_idx_x() as usize, warp::lane_id() as usize);
    let (i, row, quad) = (group * TALL, t / 32 * 8 * ROWS + lane / 4, lane % 4);
    let from = (i + row).min(m - 1);
    let more = ((m - 1 - from) / 8).min(ROWS - 1) as u32;
    let own_row = weights.as_ptr().wrapping_add(from * n + 4 * quad);
    let slot = Feed::first::<TILES>().0 as usize;
    let from = slot / TILE * TILE * across(TILES) + slot % TILE;
    let column = points.as_ptr().wrapping_add(first + if from < columns { from } else { 0 });
    let beside = if from + TILE < columns { TILE as u32 } else { 0 };
    // SAFETY: there is as much shared memory.
    let own = unsafe { SharedAddress::of(memory).add(4 * own_quads(t as u32)) };
    let shared = SharedAddress::of(memory);
    let feed = Feed { row: own_row, more, n: n as u32, quad: quad as u32, own, end, column, beside, d };

    // SAFETY: the launch has checked the lengths; the whole block is here, and its rows are its own.
    unsafe {
        let Sums { means, totals } = if in_quads(weights.as_ptr(), n) {
            sums_of::<TILES, true>(&feed, shared, start)
        } else {
            sums_of::<TILES, false>(&feed, shared, start)
        };
        // Through shared memory, each row's total behind its columns: neighbouring threads write neighbours.
        let cells = memory.cast::<f32>();
        let apart = const { TILE * TILES + 1 };
        thread::sync_threads();
        unrolled!(q in 0..ROWS, {
            // Four lanes have a row, each a quarter of its points.
            let pair = totals[q] + warp::warp_shuffle_xor(warp::ALL, totals[q], 1, warp::WARP_SIZE);
            let total = pair + warp::warp_shuffle_xor(warp::ALL, pair, 2, warp::WARP_SIZE);
            if quad == 0 {
                cells.add((row + 8 * q) * apart + wide).write(total);
            }
            let two = cells.add((t / 32 * 8 * ROWS + 8 * q + lane % 4 * 2) * apart + lane / 4);
            unrolled!(tile in 0..TILES, {
                two.add(tile * TILE).write(means[tile][q][0]);
                two.add(tile * TILE + apart).write(means[tile][q][1]);
            });
        });
        thread::sync_threads();
        let mut cell = t;
        while cell < TALL * wide {
            let (row, c) = (cell / wide, cell % wide);
            let own = cells.add(row * apart);
            pass.give(i + row, c, own.add(c).read(), own.add(wide).read());
            cell += THREADS;
        }
        pass.collect_many(cells, i, TALL as u32);
    }
}
