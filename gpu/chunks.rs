//! A tile of points of any d, of which shared memory holds a chunk of coordinates at a time: powers of distances, weights,
//! and weighted sums.
//!
//! What it is part of: see shift_any.rs.

use cuda_std::prelude::*;

use crate::lanes;
use crate::layout::STRIDE;
use crate::near::BOX;
use crate::shift_any::Kind;
use crate::turn_products::COLUMNS;
use crate::weight::Weight;

/// Threads of a GPU's block.
pub const THREADS: usize = 32;

/// Queries of a processor's block, which takes groups of LANES of them in turn, and stages a tile once for all.
const QUERIES: usize = 128;

/// Groups of queries that a processor's block takes.
pub(crate) const fn groups(lanes: usize) -> usize {
    QUERIES / lanes
}

/// The same where a processor's lanes are fewest.
pub(crate) const MOST_GROUPS: usize = groups(8);

/// Threads of a block, for threads of so many lanes: one on a processor, where threads would pay for a barrier with a switch of
/// stacks.
///
/// ```
/// use gpu::shift_any::threads;
///
/// assert_eq!((threads(4), threads(16)), (32, 1));
/// ```
pub const fn threads(lanes: usize) -> usize {
    if lanes > 4 { 1 } else { THREADS }
}

/// Queries of a block, for threads of so many lanes.
///
/// ```
/// use gpu::shift_any::queries;
///
/// assert_eq!((queries(4), queries(32)), (128, 128));
/// ```
pub const fn queries(lanes: usize) -> usize {
    if lanes > 4 { QUERIES } else { THREADS * lanes }
}

/// Numbers in a block's dynamic shared memory, for threads of so many lanes: a [`tile`] of weights for each query; on a processor
/// as well what is before the first line of the cache.
///
/// ```
/// use gpu::shift_any::{cells, queries, tile};
///
/// assert_eq!(cells(4), queries(4) * tile(4));
/// assert!(cells(16) >= queries(16) * tile(16));
/// ```
pub const fn cells(lanes: usize) -> usize {
    queries(lanes) * tile(lanes) + if lanes > 4 { BEFORE_LINE } else { 0 }
}

/// Numbers in a block's static shared memory: a chunk of a [`tile`]; on a processor as well one of its queries, and of a group of them
/// once more.
///
/// ```
/// use gpu::shift_any::{CHUNK, staged, tile};
///
/// assert_eq!(staged(4), CHUNK * tile(4));
/// ```
pub const fn staged(lanes: usize) -> usize {
    if lanes > 4 { COLUMNS * (tile(lanes) + lanes) + CHUNK * queries(lanes) + BEFORE_LINE } else { CHUNK * tile(lanes) }
}

/// The most numbers before a line of the cache begins.
const BEFORE_LINE: usize = 15;

/// Points of a tile, for threads of so many lanes: as many as leave a thread's weights within a processor's nearest cache;
/// on a GPU a quarter of a box, so that shared memory holds the weights of 20 blocks, which hide each other's waits.
///
/// ```
/// use gpu::chunks::tile;
///
/// // On a processor a box is a tile.
/// assert_eq!((tile(4), tile(16)), (16, gpu::near::BOX));
/// ```
pub const fn tile(lanes: usize) -> usize {
    if lanes > 4 { BOX } else { BOX / 4 }
}

/// Coordinates of a chunk.
pub const CHUNK: usize = 32;

/// Points of which distances, or coordinates of which sums, are held in registers at a time.
pub(crate) const GROUP: usize = 4;

/// Points that [`pull`] takes at a time: a GPU loads that many coordinates at once.
const UNROLL: usize = 4;

const _: () = assert!(STRIDE.is_multiple_of(GROUP));

/// From a row of a thread's weights to its next: on a GPU the rows of a warp's threads are neighbours,
/// and so in different banks; on a processor those of a thread, and so in different cache sets.
pub(crate) const fn rows_apart(lanes: usize) -> usize {
    if lanes > 4 { 1 } else { THREADS }
}

/// Fills the chunk with coordinates c0.. of points j0.., and up to whole groups of coordinates with
/// zeros; waits before, for those who still read it, and after.
///
/// # Safety
/// All threads of the block call it, with the same numbers; `chunk` has CHUNK coordinates, of which
/// nobody reads between the waits.
#[inline(always)]
pub(crate) unsafe fn stage<const LANES: usize>(
    points: &[f32],
    chunk: *mut f32,
    (c0, d): (usize, usize),
    (j0, n): (usize, usize),
    stride: usize,
) {
    thread::sync_threads();
    let mut at = thread::thread_idx_x() as usize;
    while at < CHUNK.min(d - c0).next_multiple_of(GROUP) * tile(LANES) {
        let (c, j) = (at / tile(LANES), at % tile(LANES));
        let inside = c0 + c < d && j0 + j < n;
        let value = if inside { points[(c0 + c) * stride + j0 + j] } else { 0.0 };
        // SAFETY: the cell is in the chunk, and this thread alone writes it between barriers.
        unsafe { chunk.add(at).write(value) };
        at += THREADS;
    }
    thread::sync_threads();
}

/// |difference|^p, added.
#[inline(always)]
pub(crate) fn add_power<M: Machine, const P: u32>(sum: f32, difference: f32, p: f32) -> f32 {
    match P {
        1 => sum + difference.abs(),
        2 => M::mul_add(difference, difference, sum),
        _ => sum + M::power(difference.abs(), p),
    }
}

/// Adds to the powers of a group of points what some coordinates contribute; P is p, or 0 for any.
///
/// The loop over lanes is the outer one: the compiler then makes vectors of it, where in the other
/// order it unrolled both first and made gathers of the loop over coordinates.
///
/// # Safety
/// `chunk` points to this many coordinates, `queries` to the thread's lanes in the first of these
/// columns, `stride` apart, such as [`lanes::load_whole`] takes; the group from `g` on lies in the tile.
#[inline(always)]
unsafe fn powers<M: Machine, const P: u32, const LANES: usize>(
    chunk: *const f32,
    coordinates: usize,
    g: usize,
    (queries, stride): (*const f32, usize),
    p: f32,
    mut powers: [[f32; LANES]; GROUP],
) -> [[f32; LANES]; GROUP] {
    for c in 0..coordinates {
        // SAFETY: the caller's promise.
        let (query, x) = unsafe {
            let query = lanes::load_whole::<M, LANES>(queries.add(c * stride));
            (query, chunk.add(c * tile(LANES) + g).cast::<[f32; GROUP]>().read())
        };
        for lane in 0..LANES {
            for k in 0..GROUP {
                powers[k][lane] = add_power::<M, P>(powers[k][lane], x[k] - query[lane], p);
            }
        }
    }
    powers
}

/// The squared scaled distance of a power.
#[inline(always)]
pub(crate) fn squared<M: Machine, K: Kind>(power: f32, outer: f32) -> f32 {
    if !K::ANY_NORM || outer == 1.0 {
        power
    } else if outer == 2.0 {
        power * power
    } else {
        M::power(power, outer)
    }
}

/// [`squared`] of all lanes; OUTER is the exponent, or 0 for any.
#[inline(always)]
fn squared_by<M: Machine, const OUTER: u32, const LANES: usize>(mut powers: [f32; LANES], outer: f32) -> [f32; LANES] {
    if OUTER != 1 {
        for lane in 0..LANES {
            powers[lane] = if OUTER == 2 { powers[lane] * powers[lane] } else { M::power(powers[lane], outer) };
        }
    }
    powers
}

/// [`squared`] of all lanes. The exponent is looked at once: in a loop over lanes that looks at it for each, vectors of them take the
/// power that hardly a norm wants.
#[inline(always)]
pub(crate) fn squared_lanes<M: Machine, K: Kind, const LANES: usize>(powers: [f32; LANES], outer: f32) -> [f32; LANES] {
    if !K::ANY_NORM || outer == 1.0 {
        powers
    } else if outer == 2.0 {
        squared_by::<M, 2, LANES>(powers, outer)
    } else {
        squared_by::<M, 0, LANES>(powers, outer)
    }
}

/// Turns the powers of the first `inside` points of a tile into weights, those of the others into
/// zeros; gives the sum. `marks` points to the factor of the tile's first point, and `stride` behind it
/// to its scale.
///
/// On a processor each kind of norm has a loop over the points of its own: lanes are many there, and leave the registers where
/// kinds meet.
///
/// # Safety
/// `rows` points to a tile of the thread's rows, [`rows_apart`] apart, the first `inside` of them
/// written; `marks` has as many.
#[inline(always)]
pub(crate) unsafe fn weigh<M: Machine, W: Weight, K: Kind, const LANES: usize>(
    rows: *mut [f32; LANES],
    inside: usize,
    marks: (*const f32, usize),
    outer: f32,
) -> [f32; LANES] {
    // SAFETY: the caller's promise.
    unsafe {
        if LANES <= 4 {
            weigh_by::<M, W, K, LANES>(rows, inside, marks, |powers| squared_lanes::<M, K, LANES>(powers, outer))
        } else if !K::ANY_NORM || outer == 1.0 {
            weigh_by::<M, W, K, LANES>(rows, inside, marks, |powers| powers)
        } else if outer == 2.0 {
            weigh_by::<M, W, K, LANES>(rows, inside, marks, |powers| squared_by::<M, 2, LANES>(powers, outer))
        } else {
            weigh_by::<M, W, K, LANES>(rows, inside, marks, |powers| squared_by::<M, 0, LANES>(powers, outer))
        }
    }
}

/// [`weigh`], with what makes squared distances of powers.
///
/// # Safety
/// As there.
#[inline(always)]
unsafe fn weigh_by<M: Machine, W: Weight, K: Kind, const LANES: usize>(
    rows: *mut [f32; LANES],
    inside: usize,
    (marks, stride): (*const f32, usize),
    squared: impl Fn([f32; LANES]) -> [f32; LANES],
) -> [f32; LANES] {
    let mut totals = [0.0; LANES];
    // 32 bits: a GPU counts in them with half the instructions.
    for j in 0..inside as u32 {
        let j = j as usize;
        // SAFETY: the caller's promise.
        let (power, [factor, scale]) = unsafe {
            let power = rows.add(j * rows_apart(LANES)).read();
            (power, if K::MARKED { [marks.add(j).read(), marks.add(stride + j).read()] } else { [1.0; 2] })
        };
        // Loops, since the library's `map` of so long an array is a call, for which all lanes go through memory.
        let mut arguments = squared(power);
        for lane in 0..LANES {
            arguments[lane] *= scale;
        }
        let weights = lanes::scale(factor, W::of_lanes::<M, LANES>(arguments));
        totals = lanes::add(totals, weights);
        // SAFETY: as above.
        unsafe { rows.add(j * rows_apart(LANES)).write(weights) };
    }
    for j in inside..tile(LANES) {
        // SAFETY: as above.
        unsafe { rows.add(j * rows_apart(LANES)).write([0.0; LANES]) };
    }
    totals
}

/// sum_j w_j x_jc over a tile, for a group of coordinates c.
///
/// # Safety
/// As for [`weigh`]; the rows hold weights, and `chunk` points to the group's coordinates.
#[inline(always)]
pub(crate) unsafe fn pull<M: Machine, const LANES: usize>(
    chunk: *const f32,
    rows: *const [f32; LANES],
) -> [[f32; LANES]; GROUP] {
    let mut sums = [[0.0; LANES]; GROUP];
    for group in 0..(tile(LANES) / UNROLL) as u32 {
        let j0 = group as usize * UNROLL;
        let mut x = [[0.0; UNROLL]; GROUP];
        for k in 0..GROUP {
            // SAFETY: the caller's promise; the points from j0 on lie in the tile.
            x[k] = unsafe { chunk.add(k * tile(LANES) + j0).cast::<[f32; UNROLL]>().read() };
        }
        for j in 0..UNROLL {
            // SAFETY: the caller's promise.
            let weights = unsafe { rows.add((j0 + j) * rows_apart(LANES)).read() };
            for k in 0..GROUP {
                sums[k] = lanes::mul_add::<M, LANES>(x[k][j], weights, sums[k]);
            }
        }
    }
    sums
}

/// The powers of a tile's points, for some chunk of coordinates.
///
/// # Safety
/// As for [`powers`]; `rows` are the thread's, which the chunks before have written.
#[inline(always)]
pub(crate) unsafe fn add_chunk<M: Machine, K: Kind, const LANES: usize>(
    chunk: *const f32,
    rows: *mut [f32; LANES],
    (c0, coordinates): (usize, usize),
    queries: (*const f32, usize),
    p: f32,
) {
    let mut g = 0;
    while g < tile(LANES) {
        let mut group = [[0.0; LANES]; GROUP];
        // SAFETY: the caller's promise.
        unsafe {
            if c0 > 0 {
                for k in 0..GROUP {
                    group[k] = rows.add((g + k) * rows_apart(LANES)).read();
                }
            }
            group = if !K::ANY_NORM || p == 2.0 {
                powers::<M, 2, LANES>(chunk, coordinates, g, queries, p, group)
            } else if p == 1.0 {
                powers::<M, 1, LANES>(chunk, coordinates, g, queries, p, group)
            } else {
                powers::<M, 0, LANES>(chunk, coordinates, g, queries, p, group)
            };
            for k in 0..GROUP {
                rows.add((g + k) * rows_apart(LANES)).write(group[k]);
            }
        }
        g += GROUP;
    }
}
