//! A tile of points on a processor's thread: staged, foreseen, and its loops over groups of points, coordinates and lanes. turns.rs puts them together.

use cuda_std::machine::MachineKind;
use cuda_std::prelude::*;

use crate::chunks::{CHUNK, GROUP, add_power};
use crate::lanes;
use crate::near::BOX;
use crate::shift_any::Kind;
use crate::turn_products::products;

/// Numbers of a line of the cache.
const LINE: usize = 16;

/// Copies coordinates c0.. of points j0.. into the chunk; zeros behind the last point, and up to whole groups of coordinates.
///
/// # Safety
/// The points are n, in d columns, `stride` apart; `chunk` has CHUNK coordinates of a tile.
#[inline(always)]
pub(crate) unsafe fn stage(
    points: *const f32,
    chunk: *mut f32,
    (c0, d): (usize, usize),
    (j0, n): (usize, usize),
    stride: usize,
) {
    for c in 0..CHUNK.min(d - c0).next_multiple_of(GROUP) {
        // SAFETY: cells of the chunk, and coordinates of points that there are.
        unsafe {
            let to = chunk.add(c * BOX);
            let from = points.wrapping_add((c0 + c) * stride + j0);
            if c0 + c < d && j0 + BOX <= n {
                // At once, and not by way of an array: then many columns are on their way together.
                to.cast::<[f32; BOX]>().write(from.cast::<[f32; BOX]>().read());
            } else {
                for j in 0..BOX {
                    to.add(j).write(if c0 + c < d && j0 + j < n { from.add(j).read() } else { 0.0 });
                }
            }
        }
    }
}

/// Has a processor fetch what [`stage`] will copy after this: the next chunk, or the first of the next tile. Columns lie far
/// from each other, so that it does not foresee them.
#[inline(always)]
pub(crate) fn foresee(points: *const f32, (c0, d): (usize, usize), j0: usize, stride: usize) {
    let (from, j0) = if c0 + CHUNK < d { (c0 + CHUNK, j0) } else { (0, j0 + BOX) };
    for c in from..d.min(from + CHUNK) {
        for line in 0..BOX / LINE {
            lanes::prefetch::<false>(points.wrapping_add(c * stride + j0 + line * LINE));
        }
    }
}

/// Copies coordinates of a group of queries to where they follow one another.
///
/// # Safety
/// `queries` points to the group's lanes in the first of so many columns, `stride` apart; `held` has as many cells.
#[inline(always)]
pub(crate) unsafe fn hold<const LANES: usize>(
    (queries, stride): (*const f32, usize),
    coordinates: usize,
    held: *mut [f32; LANES],
) {
    for c in 0..coordinates {
        // SAFETY: the caller's promise.
        unsafe { held.add(c).write(queries.add(c * stride).cast::<[f32; LANES]>().read()) };
    }
}

/// Adds to the powers of a group of points what some coordinates contribute; P is p, or 0 for any.
///
/// The loop over lanes is the outer one, as in chunks.rs; around powers, which are long, it is the inner one.
///
/// # Safety
/// `chunk` points to the first point of the group in the first of so many coordinates, `queries` to as many of the queries.
#[inline(always)]
unsafe fn powers<M: Machine, const P: u32, const LANES: usize, const GROUP: usize>(
    chunk: *const f32,
    queries: *const [f32; LANES],
    coordinates: usize,
    p: f32,
    mut powers: [[f32; LANES]; GROUP],
) -> [[f32; LANES]; GROUP] {
    for c in 0..coordinates {
        // SAFETY: the caller's promise.
        let (query, x) = unsafe { (queries.add(c).read(), chunk.add(c * BOX).cast::<[f32; GROUP]>().read()) };
        if P == 0 {
            for k in 0..GROUP {
                for lane in 0..LANES {
                    powers[k][lane] = add_power::<M, P>(powers[k][lane], x[k] - query[lane], p);
                }
            }
        } else {
            for lane in 0..LANES {
                for k in 0..GROUP {
                    powers[k][lane] = add_power::<M, P>(powers[k][lane], x[k] - query[lane], p);
                }
            }
        }
    }
    powers
}

/// [`powers`] of p = 2 with AVX-512, to the bit.
///
/// There a coordinate that is loaded into all lanes of a register takes the place of a subtraction; one that is an operand of
/// a subtraction takes none. So each half of the lanes loads it, from an address of which the compiler does not know that it
/// is the same. And all subtractions come first: taken in turn with the multiplications they share units badly.
///
/// # Safety
/// As there.
#[inline(always)]
unsafe fn squares<M: Machine, const LANES: usize, const GROUP: usize>(
    chunk: *const f32,
    queries: *const [f32; LANES],
    coordinates: usize,
    mut squares: [[f32; LANES]; GROUP],
) -> [[f32; LANES]; GROUP] {
    let again = lanes::unseen(chunk);
    for c in 0..coordinates {
        // SAFETY: the caller's promise.
        let (query, low, high) = unsafe {
            let low = chunk.add(c * BOX).cast::<[f32; GROUP]>();
            let high = again.add(c * BOX).cast::<[f32; GROUP]>();
            (queries.add(c).read(), low.read(), high.read())
        };
        let mut differences = [[0.0; LANES]; GROUP];
        for k in 0..GROUP {
            for lane in 0..LANES / 2 {
                differences[k][lane] = query[lane] - low[k];
            }
        }
        for k in 0..GROUP {
            for lane in LANES / 2..LANES {
                differences[k][lane] = query[lane] - high[k];
            }
        }
        for k in 0..GROUP {
            for lane in 0..LANES {
                squares[k][lane] = M::mul_add(differences[k][lane], differences[k][lane], squares[k][lane]);
            }
        }
    }
    squares
}

/// The powers of a tile's points, for some chunk of coordinates: added to those of the chunks before, unless it is the first.
///
/// Each kind of exponent has a loop over groups of its own: where kinds met within one, all powers went through the stack,
/// which took twice as long as the rest of a step.
///
/// # Safety
/// As for [`powers`]; `rows` are a tile of the thread's, which the chunks before have written.
#[inline(always)]
pub(crate) unsafe fn add_chunk<M: Machine, K: Kind, const LANES: usize>(
    chunk: *const f32,
    rows: *mut [f32; LANES],
    (is_first, coordinates): (bool, usize),
    queries: *const [f32; LANES],
    p: f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if !K::ANY_NORM || p == 2.0 {
            each_group::<M, 2, LANES, GROUP>(chunk, rows, (is_first, coordinates), queries, p);
        } else if p == 1.0 {
            each_group::<M, 1, LANES, GROUP>(chunk, rows, (is_first, coordinates), queries, p);
        } else {
            each_group::<M, 0, LANES, GROUP>(chunk, rows, (is_first, coordinates), queries, p);
        }
    }
}

/// No exponent: squared distances by products.
pub(crate) const PRODUCTS: u32 = u32::MAX;

/// The same for one kind of exponent.
///
/// # Safety
/// As for [`add_chunk`].
#[inline(always)]
pub(crate) unsafe fn each_group<M: Machine, const P: u32, const LANES: usize, const GROUP: usize>(
    chunk: *const f32,
    rows: *mut [f32; LANES],
    (is_first, coordinates): (bool, usize),
    queries: *const [f32; LANES],
    p: f32,
) {
    let mut g = 0;
    while g < BOX {
        let mut group = [[0.0; LANES]; GROUP];
        // SAFETY: the caller's promise.
        unsafe {
            if !is_first {
                for k in 0..GROUP {
                    group[k] = rows.add(g + k).read();
                }
            }
            group = if P == PRODUCTS {
                products::<M, LANES, GROUP>(chunk.add(g), queries, coordinates, group)
            } else if P == 2 && matches!(M::KIND, MachineKind::Avx512) {
                squares::<M, LANES, GROUP>(chunk.add(g), queries, coordinates, group)
            } else {
                powers::<M, P, LANES, GROUP>(chunk.add(g), queries, coordinates, p, group)
            };
            for k in 0..GROUP {
                rows.add(g + k).write(group[k]);
            }
        }
        g += GROUP;
    }
}

/// sum_j w_j x_jc over a tile, for a group of coordinates c.
///
/// The halves of the lanes are arrays of their own, and coordinates are loaded before them: the compiler then has all loads
/// come before the multiplications, which otherwise wait for each.
///
/// # Safety
/// The rows are a tile's, and hold weights; `chunk` points to the group's coordinates.
#[inline(always)]
pub(crate) unsafe fn pull<M: Machine, const LANES: usize, const HALF: usize>(
    chunk: *const f32,
    rows: *const [f32; LANES],
) -> [[f32; LANES]; GROUP] {
    let mut sums = [[[0.0; HALF]; GROUP]; 2];
    for j in 0..BOX {
        let mut x = [0.0; GROUP];
        for k in 0..GROUP {
            // SAFETY: the caller's promise.
            x[k] = unsafe { chunk.add(k * BOX + j).read() };
        }
        // SAFETY: the caller's promise.
        let weights = unsafe { rows.add(j).cast::<[[f32; HALF]; 2]>().read() };
        for half in 0..2 {
            for k in 0..GROUP {
                for lane in 0..HALF {
                    sums[half][k][lane] = M::mul_add(x[k], weights[half][lane], sums[half][k][lane]);
                }
            }
        }
    }
    let mut whole = [[0.0; LANES]; GROUP];
    for k in 0..GROUP {
        for lane in 0..HALF {
            whole[k][lane] = sums[0][k][lane];
            whole[k][HALF + lane] = sums[1][k][lane];
        }
    }
    whole
}
