//! Weighted reduction on tensor cores, of more than four columns: `out = W X / rowsum(W)`.   Compute 8.0 or newer.
//!
//! The same as reduce.rs, which says what becomes of passes and slices. Multiply-adds in f32 take as long for 32 columns as W
//! takes to be read, and every one of them wants two numbers from shared memory for each eight; here they take a third of it.
//!
//! A block of four warps has 128 rows of W, a warp 32, of which each lane has four, and in them every fourth quad of points:
//!
//! ```text
//! for each turn of 16 GROUPS points of the slice:
//!     barrier; X of the next turn into registers                         (under way meanwhile)
//!     for each 16 points:
//!         high + low = W[32 rows][16 points];  totals += W
//!         W of the next turn into the same registers                     (under way for a whole turn)
//!         for each 8 columns: sums = low high' + high low' + high high'  (12 products of 16 x 8 x 8);  means += sums
//!     X of the next turn, split -> the other stage of shared memory
//! ```
//!
//! 1. *W never passes shared memory*: a product adds over points in whatever order both of its sides have, so a lane's quad of a
//!    row, 16 bytes, is what two products want of it, if X lies in shared memory in that order.
//! 2. *X* is split once for a block. A piece of 16 bytes has two neighbouring points in a column, high parts and low: all that a lane
//!    needs of X for a product. Pieces trade places so that no eight that are read or written together share a bank.
//! 3. *Sums are f32's*: a tensor core cuts off where f32 would round. The parts of 16 points are six products deep, the two
//!    full ones last; then they are added to the means as f32 adds.
//!
//! # Precision
//! A number is split into `high`, its upper 11 bits, and `low`, the rest rounded to 11: what is lost is at most 2^-22 of it, and
//! the product of two low parts, which is left out, at most 2^-20. Summing 16 points is off by at most 19 2^-23; sums and totals of n
//! are n / 16 additions of f32 each. In all `out[i, c]` is off by at most `(18 + n / 32) 2^-22` of
//! `sum_j W[i, j] |X[j, c]| / sum_j W[i, j]`. W and X are finite, or rows are not. Low parts below 2^-126 may be lost: numbers below
//! 2^-115 have 11 bits.

use cuda_std::prelude::*;
use cuda_std::warp;

use crate::lanes::unrolled;
use crate::matmul_blocked::in_quads;
use crate::reduce::Pass;
use crate::slices::Slices;
use crate::tile::{read_group, write_group};

/// Warps of a block, and its threads.
const WARPS: usize = 4;
const THREADS: usize = 32 * WARPS;

/// Rows of W that a lane has, eight apart.
const ROWS: usize = 4;

/// Rows of W that a block takes.
pub(crate) const TALL: usize = 32 * WARPS;

/// The most columns of a pass.
pub(crate) const WIDE: usize = 32;

/// Columns of a product.
const TILE: usize = 8;

/// Points between a sum's beginning and its end: two products deep.
const GROUP: usize = 16;

/// Points that there must be at least, in all and of a slice that is not the last one: no fewer than those of the longest turn.
pub const FEWEST: usize = 64;

/// Words of a piece of X: two points' high parts, and their low parts.
const PIECE: usize = 4;

/// Pieces of a stage of X: for each product's depth of each eight columns one a lane.
const fn stage(tiles: usize, groups: usize) -> usize {
    groups * 2 * tiles * 32
}

/// Pieces of a block's shared memory: two stages, or the block's sums.
const fn shared(tiles: usize, groups: usize) -> usize {
    let (stages, sums) = (2 * stage(tiles, groups), (TALL * (TILE * tiles + 1)).div_ceil(4));
    if stages > sums { stages } else { sums }
}

/// Pieces that a thread makes of a turn.
const fn each(tiles: usize, groups: usize) -> usize {
    assert!(stage(tiles, groups).is_multiple_of(THREADS), "every thread has as many");
    stage(tiles, groups) / THREADS
}

/// The most of them.
const MOST: usize = 8;

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
    /// The first quad of the lane in each of its rows, from the start of a row on; rows behind the last one are that.
    rows: [*const f32; ROWS],
    /// The lane's quad among four.
    quad: u32,
    /// The end of the slice.
    end: u32,
    /// Where the thread's column of X begins, and from one point to the next. Behind the last column of the pass it is the first, of
    /// whose products nothing is written.
    column: *const f32,
    d: u32,
}

/// The points of a turn: `base` is the first, and so many from there on are of no account. There are any only in the last turn of a
/// slice, which ends where the slice does, and begins in what the turn before had.
#[derive(Clone, Copy)]
struct Turn {
    base: u32,
    skip: u32,
}

impl Feed {
    /// The turn of so many points from j on; all are of no account if j is the end.
    #[inline(always)]
    fn turn(&self, j: u32, points: u32) -> Turn {
        let base = j.min(self.end - points);
        Turn { base, skip: j - base }
    }

    /// The lane's quads of a turn's 16 points from the first-th on.
    ///
    /// # Safety
    /// Rows are as long as the slice's end; QUADS if all of them begin at multiples of 16 bytes, and the turn too.
    #[inline(always)]
    unsafe fn weights<const QUADS: bool>(&self, turn: Turn, first: usize) -> [[f32; 4]; ROWS] {
        let mut w = [[0.0; 4]; ROWS];
        unrolled!(q in 0..ROWS, {
            // SAFETY: the points are in front of the end.
            unsafe {
                let from = self.rows[q].add(turn.base as usize).add(first);
                if QUADS {
                    w[q] = read_group(from);
                } else {
                    for k in 0..4 {
                        w[q][k] = *from.add(k);
                    }
                }
            }
        });
        w
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

    /// The column and the pair of points of the thread's p-th piece of a turn.
    #[inline(always)]
    fn piece<const TILES: usize>(p: usize) -> (u32, u32) {
        let (t, wide) = (thread::thread_idx_x(), (TILE * TILES) as u32);
        (t % wide, t / wide + (p * THREADS) as u32 / wide)
    }

    /// The numbers of the thread's pieces: zero where points are of no account.
    ///
    /// # Safety
    /// X is as long as the slice's end.
    #[inline(always)]
    unsafe fn points<const TILES: usize, const GROUPS: usize>(&self, turn: Turn) -> [[f32; MOST]; 2] {
        let mut x = [[0.0; MOST]; 2];
        unrolled!(p in 0..MOST, {
            if p < each(TILES, GROUPS) {
                let (_, pair) = Self::piece::<TILES>(p);
                for k in 0..2 {
                    let point = 2 * pair + k as u32;
                    // SAFETY: the point is in front of the end, and the column X's.
                    let number = unsafe { *self.column.add((turn.base + point) as usize * self.d as usize) };
                    x[k][p] = if point >= turn.skip { number } else { 0.0 };
                }
            }
        });
        x
    }

    /// Splits them, and writes the pieces where the lanes of a product look for them.
    ///
    /// # Safety
    /// The stage is as long as [`stage`] says, and nobody reads it.
    #[inline(always)]
    unsafe fn store<const TILES: usize, const GROUPS: usize>(
        &self,
        memory: *mut u32,
        stage: u32,
        x: &[[f32; MOST]; 2],
    ) {
        unrolled!(p in 0..MOST, {
            if p < each(TILES, GROUPS) {
                let (column, pair) = Self::piece::<TILES>(p);
                let ([high, low], [next_high, next_low]) = (split(x[0][p]), split(x[1][p]));
                // Pair 2 t + s of eight is what lanes of quad t need in product s.
                let (product, quad) = (pair / 8 * 2 + pair % 2, pair % 8 / 2);
                let place = PIECE as u32 * ((product * TILES as u32 + column / TILE as u32) * 32 + place(column % TILE as u32, quad));
                // SAFETY: the caller's promise; each piece has one thread.
                unsafe { write_group(memory.add((stage + place) as usize), [high, next_high, low, next_low]) };
            }
        });
    }
}

/// Where the piece of a column and a quad is among the 32 of a product. Eight columns of a quad are written together, four quads of
/// two neighbouring columns read; either are in different banks.
#[inline(always)]
fn place(column: u32, quad: u32) -> u32 {
    quad * TILE as u32 + (column ^ (2 * quad))
}

/// Sums of a warp's 32 rows and 8 TILES columns, as products have them, and of the lane's weights.
struct Sums<const TILES: usize> {
    means: [[[f32; 4]; 2]; TILES],
    totals: [f32; ROWS],
}

/// Sums over a slice, whose first point is j.
///
/// # Safety
/// The whole block comes here with the same numbers but for its threads'. [`Feed::weights`] and [`Feed::points`] say of what there
/// must be how much; `memory` has two stages.
#[inline(always)]
unsafe fn sums_of<const TILES: usize, const GROUPS: usize, const QUADS: bool>(
    feed: &Feed,
    memory: *mut u32,
    mut j: u32,
) -> Sums<TILES> {
    let lane = warp::lane_id();
    let own = PIECE as u32 * place(lane / 4, lane % 4);
    let mut sums = Sums { means: [[[0.0; 4]; 2]; TILES], totals: [0.0; ROWS] };
    let points = const { (GROUPS * GROUP) as u32 };
    let turns = feed.end.saturating_sub(j).div_ceil(points);
    let mut turn = feed.turn(j, points);
    let mut w = [[[0.0; 4]; ROWS]; GROUPS];
    // 32 bits: the assembler shall see that what is read is shared memory.
    let (mut now, mut next) = (0, (PIECE * stage(TILES, GROUPS)) as u32);
    // SAFETY: the caller's promise. A stage is written behind the barrier in front of which it was read last, and read behind the
    // one in front of which it was written.
    unsafe {
        unrolled!(group in 0..GROUPS, {
            w[group] = feed.weights::<QUADS>(turn, group * GROUP);
        });
        feed.store::<TILES, GROUPS>(memory, 0, &feed.points::<TILES, GROUPS>(turn));
        for _ in 0..turns {
            thread::sync_threads();
            j = j.saturating_add(points).min(feed.end);
            let after = feed.turn(j, points);
            let mut x_ahead = [[0.0; MOST]; 2];
            unrolled!(group in 0..GROUPS, {
                let first = group * GROUP;
                let (mut high, mut low) = ([[0; 4]; ROWS], [[0; 4]; ROWS]);
                for q in 0..ROWS {
                    for k in 0..4 {
                        [high[q][k], low[q][k]] = split(w[group][q][k]);
                    }
                }
                sums.totals = feed.add_to::<QUADS>(sums.totals, &w[group], turn, first);
                w[group] = feed.weights::<QUADS>(after, first);
                if group == 0 {
                    x_ahead = feed.points::<TILES, GROUPS>(after);
                }
                unrolled!(tile in 0..TILES, {
                    let place = |product: usize| PIECE * (((2 * group + product) * TILES + tile) * 32);
                    let from = memory.add((now + own) as usize);
                    let [x0, x1, x0_low, x1_low]: [u32; PIECE] = read_group(from.add(place(0)));
                    let [x2, x3, x2_low, x3_low]: [u32; PIECE] = read_group(from.add(place(1)));
                    let (x, x_low) = ([[x0, x1], [x2, x3]], [[x0_low, x1_low], [x2_low, x3_low]]);
                    for block in 0..2 {
                        let rows = |of: &[[u32; 4]; ROWS], product: usize| {
                            let [upper, lower] = [of[2 * block], of[2 * block + 1]];
                            [upper[2 * product], lower[2 * product], upper[2 * product + 1], lower[2 * product + 1]]
                        };
                        let mut part = [0.0; 4];
                        for product in 0..2 {
                            part = warp::mma_m16n8k8_tf32(rows(&low, product), x[product], part);
                        }
                        for product in 0..2 {
                            part = warp::mma_m16n8k8_tf32(rows(&high, product), x_low[product], part);
                        }
                        for product in 0..2 {
                            part = warp::mma_m16n8k8_tf32(rows(&high, product), x[product], part);
                        }
                        for i in 0..4 {
                            sums.means[tile][block][i] += part[i];
                        }
                    }
                });
            });
            feed.store::<TILES, GROUPS>(memory, next, &x_ahead);
            (now, next, turn) = (next, now, after);
        }
    }
    sums
}

/// `out`, 8 TILES columns a pass. `partial` and `arrived`, which is all zeros, count for slices of less than n points
/// alone: see [`slices`].
#[kernel(
    instances(
        reduce_weighted_tensor_8<1, 2>,
        reduce_weighted_tensor_16<2, 2>,
        reduce_weighted_tensor_32<4, 3>,
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
pub unsafe fn means<const TILES: usize, const GROUPS: usize>(
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
    let memory: *mut u32 = shared_array![u32; PIECE * shared(TILES, GROUPS)];
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
    let rows = core::array::from_fn(|q| weights.as_ptr().wrapping_add((i + row + 8 * q).min(m - 1) * n + 4 * quad));
    let column = points.as_ptr().wrapping_add(first + if t % wide < columns { t % wide } else { 0 });
    let feed = Feed { rows, quad: quad as u32, end, column, d };
    // SAFETY: the launch has checked the lengths; the whole block is here, and its rows are its own.
    unsafe {
        let Sums { means, totals } = if in_quads(weights.as_ptr(), n) {
            sums_of::<TILES, GROUPS, true>(&feed, memory, start)
        } else {
            sums_of::<TILES, GROUPS, false>(&feed, memory, start)
        };
        // Through shared memory, each row's total behind its columns: neighbouring threads write neighbours.
        let cells = memory.cast::<f32>();
        let apart = const { TILE * TILES + 1 };
        thread::sync_threads();
        unrolled!(q in 0..ROWS, {
            // Four lanes have a row, each a quarter of its points, and two columns of each eight.
            let pair = totals[q] + warp::warp_shuffle_xor(warp::ALL, totals[q], 1, warp::WARP_SIZE);
            let total = pair + warp::warp_shuffle_xor(warp::ALL, pair, 2, warp::WARP_SIZE);
            let own = cells.add((row + 8 * q) * apart);
            unrolled!(tile in 0..TILES, {
                for k in 0..2 {
                    own.add(tile * TILE + 2 * quad + k).write(means[tile][q / 2][q % 2 * 2 + k]);
                }
            });
            if quad == 0 {
                own.add(wide).write(total);
            }
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
