//! Weighted reduction on tensor cores, of more than four columns: `out = W X / rowsum(W)`.   Compute 8.0 or newer.
//!
//! The same as reduce.rs, which says what becomes of passes and slices. Multiply-adds in f32 take as long for 32 columns as W
//! takes to be read, and every one of them wants two numbers from shared memory for each eight; here they take a third of it.
//!
//! A block of four warps has 128 rows of W, a warp 32, of which each lane multiplies four, and in them every fourth quad of points. What
//! it reads, and where that lies in shared memory, is in reduce_feed.rs.
//!
//! ```text
//! for each turn of 32 points of the slice:
//!     barrier; X of the next turn into the other stage of shared memory         (under way meanwhile)
//!     for each 16 points:
//!         high + low = W[32 rows][16 points];  totals += W
//!         for each 16 columns: sums = high' low + low' high + high' high        (24 products of 16 x 8 x 8);  means += sums
//!     the warp meets; W of the turn after the next into this one's place        (under way for a turn)
//!     W and X of the next turn have come; X is split where it is
//! ```
//!
//! 1. *What is under way takes no registers*, and no compiler moves a load to where it is waited for: all is copied by `cp.async`.
//!    Eight lanes ask for a row's 128 bytes of a turn with one instruction, and where PTX has a word for it for the 256 that they
//!    are in: a GPU's memory gives longer pieces of a row faster than shorter ones of many, and its second cache whole lines.
//! 2. *W is the right operand*, of which a lane has two neighbouring registers: a product adds over points in whatever order
//!    both of its sides have, so a lane's quad of a row, 16 bytes, is what two products want of it as it comes, if X lies in shared
//!    memory in that order. As the left one, of whose four registers two are another row's, each number would be moved first.
//! 3. *X*, turned over, is the left operand, split once for a block. A piece of 16 bytes has two neighbouring points in two
//!    neighbouring columns: all that a lane needs for a product; high parts have pieces of their own, and low ones. A thread splits
//!    what it has copied itself, TILES columns of two points, those of a point with one instruction if they are aligned. Of up
//!    to eight columns the low parts are the left operand's other eight rows, so that a product gives both. Pieces trade places so
//!    that no eight that are read or written together share a bank.
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

use cuda_std::copy;
use cuda_std::prelude::*;
use cuda_std::shared::SharedAddress;
use cuda_std::warp;

use crate::lanes::unrolled;
use crate::matmul_blocked::in_quads;
use crate::reduce::Pass;
use crate::reduce_feed::{
    Feed, GROUP, GROUPS, PIECE, ROWS, STAGES, TALL, THREADS, TILE, TURN, WEIGHTS, place, shared, split, stage,
};
use crate::slices::Slices;

/// The most columns of a pass.
const WIDE: usize = 32;

/// Points that there must be at least, in all and of a slice that is not the last one: no fewer than a turn's.
pub const FEWEST: usize = 64;

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
/// // Eight blocks of rows become 528: four for each of 132 multiprocessors.
/// assert_eq!(slices([1024, 200_000, 8]).0, 3_072);
/// assert_eq!(slices([1, 500, 8]), (500, 0, 0));
/// ```
#[cfg(not(target_arch = "nvptx64"))]
pub fn slices([m, n, d]: [usize; 3]) -> (usize, usize, usize) {
    let wide = instance(d);
    let groups = m.div_ceil(TALL) * d.div_ceil(wide);
    // By registers, and shared memory, for compute 9.0.
    let at_a_time = match wide {
        8 => 6,
        16 => 4,
        _ => 3,
    };
    crate::reduce::shared_out((groups, at_a_time), n, 4096, groups, m * left(wide, d))
}

/// Sums of a warp's 32 rows and 8 TILES columns, and of the lane's weights. Of each eight columns and eight rows a lane has two, as
/// products have them: rows 2 (lane % 4) and the next, columns TILES (lane / 4) and those behind it.
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
unsafe fn sums_of<const TILES: usize, const QUADS: bool, const TOGETHER: bool>(
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
    // the one in front of which it was written. W has come in front of that barrier, and all lanes of its warp have read it where they
    // meet before the next is copied to its place.
    unsafe {
        feed.fetch::<TILES, TOGETHER>(feed.turn(j), x_stage(here));
        feed.begin::<QUADS>(feed.turn(j), here);
        feed.begin::<QUADS>(feed.turn(ahead(j, 1)), other(here));
        copy::wait::<1>();
        feed.split::<TILES>(feed.turn(j), x_stage(here));
        while j < feed.end {
            thread::sync_threads();
            feed.fetch::<TILES, TOGETHER>(feed.turn(ahead(j, 1)), x_stage(other(here)));
            let pieces = x_stage(here).add(own);
            unrolled!(group in 0..GROUPS, {
                let first = group * GROUP;
                let w = feed.quads(here, group);
                let (mut high, mut low) = ([[0; 4]; ROWS], [[0; 4]; ROWS]);
                for q in 0..ROWS {
                    for k in 0..4 {
                        [high[q][k], low[q][k]] = split(w[q][k]);
                    }
                }
                sums.totals = feed.add_to::<QUADS>(sums.totals, &w, feed.turn(j), first);
                let piece = |tile: usize, product: usize, low: usize| -> [u32; PIECE] {
                    let place = ((2 * group + product) * TILES + 2 * tile + low) * 32;
                    pieces.add(4 * (PIECE * place) as u32).read_16()
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
            // All lanes have read what the next is copied over.
            warp::sync_warp(warp::ALL);
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
    let (from, sizes) = ((weights.as_ptr(), points.as_ptr()), [m, n, d as usize]);
    let base = SharedAddress::of(memory);
    let feed = Feed::new::<TILES>(from, base, sizes, (i + t / 32 * 8 * ROWS, end), (first, columns));

    // SAFETY: the launch has checked the lengths; the whole block is here, and its rows are its own.
    unsafe {
        let Sums { means, totals } = if !in_quads(weights.as_ptr(), n) {
            sums_of::<TILES, false, false>(&feed, base, start)
        } else if Feed::are_together::<TILES>(points.as_ptr(), d as usize) {
            sums_of::<TILES, true, true>(&feed, base, start)
        } else {
            sums_of::<TILES, true, false>(&feed, base, start)
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
            let two = cells.add((t / 32 * 8 * ROWS + 8 * q + lane % 4 * 2) * apart + TILES * (lane / 4));
            unrolled!(c in 0..TILES, {
                two.add(c).write(means[c][q][0]);
                two.add(c + apart).write(means[c][q][1]);
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
