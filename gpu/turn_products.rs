//! Squared distances of a tile by products, about its first point o, where all of it is near o:
//!
//! ```text
//! |x - q|^2 = |y|^2 + |r|^2 - 2 r y,    y = x - o, r = q - o
//! ```
//!
//! So a pair takes d + 2 multiply-adds for its exponent instead of d and d subtractions, which is less where a processor subtracts in the units
//! that multiply. A chunk of coordinates decides for itself, since squares of chunks add up.
//!
//! # Precision
//! The exponent is a sum of d + 2 products, rounded as often to 2^-24 of what the sum is then. With |y|^2 <= `NEAR` and a point of some weight,
//! |y - r| <= 4, no sum is above (2 |y| + 4)^2, 236: roundings are below 1.4e-5 each, and fall to either side. What is far from a query weighs
//! nothing, whatever its exponent is off by. Roundings of several chunks add up. Sums of weights times y instead of x have smaller ones
//! than by differences, so that a step's error is about the same: docs/performance/processor.md.

use core::slice;

use cuda_std::machine::MachineKind;
use cuda_std::prelude::*;

use crate::chunks::CHUNK;
use crate::lanes;
use crate::matmul_panels::multiply_panel;
use crate::near::BOX;
use crate::shift_any::Kind;
use crate::weight::Weight;

/// How far from its first point a tile may be, squared, in the weight's units.
const NEAR: f32 = 32.0;

/// Coordinates of a chunk, and two more: of a point |y|^2 and 1, of a query 1 and |r|^2, so that all is one sum of products.
pub const COLUMNS: usize = CHUNK + 2;

/// With fewer coordinates what is done for a tile takes as long as is won.
pub const FEWEST: usize = 8;

/// Points of which exponents, or coordinates of which sums, are in registers at a time: with the lanes' two vectors as many chains of
/// multiply-adds as hide that each takes four cycles, where two begin in each.
pub const MANY: usize = 8;

/// Coordinates of an origin, and what is read behind them.
pub const ORIGINS: usize = CHUNK + MANY;

/// Whether steps of this kind have products.
pub const fn has<M: Machine, W: Weight, K: Kind>() -> bool {
    matches!(M::KIND, MachineKind::Avx512) && W::MULTIPLIES && !K::ANY_NORM && !K::MARKED
}

/// Takes the first point from all of a tile's, if they are all near it, and keeps it in `origin`; else leaves them as they are.
///
/// # Safety
/// `chunk` has so many coordinates of a whole tile, and room for two more.
#[inline(always)]
pub unsafe fn enter<M: Machine>(chunk: *mut f32, coordinates: usize, origin: &mut [f32; ORIGINS]) -> bool {
    let column = |c: usize| chunk.wrapping_add(c * BOX).cast::<[f32; BOX]>();
    let mut squares = [0.0; BOX];
    for c in 0..coordinates {
        // SAFETY: the caller's promise.
        let x = unsafe { column(c).read() };
        for j in 0..BOX {
            let y = x[j] - x[0];
            squares[j] = M::mul_add(y, y, squares[j]);
        }
    }
    let mut all_near = true;
    for j in 0..BOX {
        all_near &= squares[j] <= NEAR;
    }
    if !all_near {
        return false;
    }
    for c in 0..coordinates {
        // SAFETY: as above.
        unsafe {
            let mut x = column(c).read();
            origin[c] = x[0];
            for j in 0..BOX {
                x[j] -= origin[c];
            }
            column(c).write(x);
        }
    }
    // SAFETY: as above.
    unsafe {
        column(coordinates).write(squares);
        column(coordinates + 1).write([1.0; BOX]);
    }
    true
}

/// -2 r of a group of queries, and what belongs to the chunk's two more columns.
///
/// # Safety
/// `queries` points to the group's lanes in the first of so many columns, `stride` apart; `to` has two cells more.
#[inline(always)]
pub unsafe fn double<M: Machine, const LANES: usize>(
    (queries, stride): (*const f32, usize),
    coordinates: usize,
    origin: &[f32; ORIGINS],
    to: *mut [f32; LANES],
) {
    let mut squared = [0.0; LANES];
    for c in 0..coordinates {
        // SAFETY: the caller's promise.
        let mut query = unsafe { queries.add(c * stride).cast::<[f32; LANES]>().read() };
        for lane in 0..LANES {
            let r = query[lane] - origin[c];
            squared[lane] = M::mul_add(r, r, squared[lane]);
            query[lane] = -2.0 * r;
        }
        // SAFETY: as above.
        unsafe { to.add(c).write(query) };
    }
    // SAFETY: as above.
    unsafe {
        to.add(coordinates).write([1.0; LANES]);
        to.add(coordinates + 1).write(squared);
    }
}

/// sum_j w_j x_jc over a tile, for MANY coordinates c, that is w_j (y_jc + o_c); `totals` are sums of weights.
///
/// # Safety
/// The rows are a tile's, and hold weights; `chunk` points to the first of the coordinates, behind which there are as many columns, and
/// `origin` to as many numbers.
#[inline(always)]
pub unsafe fn pull_about<M: Machine, const LANES: usize>(
    chunk: *const f32,
    rows: *const [f32; LANES],
    (origin, totals): (*const f32, [f32; LANES]),
) -> [[f32; LANES]; MANY] {
    let (mut sums, mut columns) = ([[0.0; LANES]; MANY], [[].as_slice(); MANY]);
    for k in 0..MANY {
        // SAFETY: the caller's promise. Unseen, lest vectors be made of neighbouring coordinates.
        unsafe {
            sums[k] = lanes::scale(lanes::unseen(origin.add(k)).read(), totals);
            columns[k] = slice::from_raw_parts(chunk.add(k * BOX), BOX);
        }
    }
    // SAFETY: as above.
    multiply_panel::<M, MANY, LANES>(columns, unsafe { slice::from_raw_parts(rows, BOX) }, sums)
}

/// Adds products of a group of points to their sums.
///
/// The loop over lanes is the outer one, as in turns.rs.
///
/// # Safety
/// `chunk` points to the first point of the group in the first of so many columns, `queries` to as many of the queries.
#[inline(always)]
pub unsafe fn products<M: Machine, const LANES: usize, const GROUP: usize>(
    chunk: *const f32,
    queries: *const [f32; LANES],
    columns: usize,
    mut sums: [[f32; LANES]; GROUP],
) -> [[f32; LANES]; GROUP] {
    for c in 0..columns {
        // SAFETY: the caller's promise.
        let (query, y) = unsafe { (queries.add(c).read(), chunk.add(c * BOX).cast::<[f32; GROUP]>().read()) };
        for lane in 0..LANES {
            for k in 0..GROUP {
                sums[k][lane] = M::mul_add(y[k], query[lane], sums[k][lane]);
            }
        }
    }
    sums
}
