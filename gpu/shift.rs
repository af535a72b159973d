//! The fused mean-shift step for d = 1, 2, 3, 4: no distance is ever stored.
//!
//! For every point x_i, all of them at once (blurring: the points themselves move):
//!
//! ```text
//! w_ij  = w(|x_i - x_j|^2)                      scaled coordinates, see weight.rs
//! x'_i  = x_i + sum_j w_ij (x_j - x_i) / sum_j w_ij
//! moved = max_i |x'_i - x_i|^2
//! ```
//!
//! A thread holds `LANES` queries in registers, and the block's threads share tiles of points. Sums
//! run over j within a tile, then over tiles, so that their rounding grows with the square root of n
//! at most; the order, and so every bit, is the same for any size of block. The sum of differences,
//! not of points, keeps points that have met exactly together, and costs nothing: the differences
//! are there already.
//!
//! Operations for a pair, d = 2, Gaussian: 2 subtractions, 1 multiplication, 1 fused multiply-add,
//! 1 exponential, 1 addition, 2 fused multiply-adds. On a GPU the exponential has a unit of its own
//! (16 a clock a multiprocessor) which is the limit; on a processor it is 11 more operations.

use cuda_std::{atomic, prelude::*};

use crate::lanes;
use crate::layout::STRIDE;
use crate::weight::{Flat, Gaussian, Triangular, Weight};

/// Points of a tile. A multiple of [`UNROLL`].
const TILE: usize = 1024;

/// Points that a GPU's inner loop takes at a time.
const UNROLL: usize = 4;

/// A point of D coordinates in a tile.
pub trait Row<const D: usize>: Copy {
    /// The point with these coordinates.
    fn new(coordinates: [f32; D]) -> Self;
    /// Its coordinates.
    fn coordinates(&self) -> [f32; D];
}

/// Points of a size that one load of shared memory can fetch.
macro_rules! rows {
    ($($name:ident: $d:literal, $align:literal;)*) => { $(
        #[doc = concat!("A point in a tile: ", $d, " coordinates, aligned to ", $align, " bytes.")]
        #[derive(Clone, Copy)]
        #[repr(C, align($align))]
        pub struct $name {
            coordinates: [f32; $d],
        }

        impl Row<$d> for $name {
            #[inline(always)]
            fn new(coordinates: [f32; $d]) -> Self {
                Self { coordinates }
            }

            #[inline(always)]
            fn coordinates(&self) -> [f32; $d] {
                self.coordinates
            }
        }
    )* };
}

rows! {
    Row1: 1, 4;
    Row2: 2, 8;
    Row3: 3, 16;
    Row4: 4, 16;
}

/// Whether an earlier iteration has converged, so that this one has nothing to do.
///
/// # Safety
/// `moved` has more than `iteration` cells, and the launch that writes the one before has ended.
#[inline(always)]
pub(crate) unsafe fn converged(moved: *mut u32, iteration: u32, tolerance: f32) -> bool {
    // SAFETY: the caller's promise.
    iteration > 0 && unsafe { moved.add(iteration as usize - 1).read() } <= tolerance.to_bits()
}

/// Raises `moved[iteration]` to a squared shift. The bits of floats that are not negative order as
/// the floats do, and a NaN counts as more than any number.
///
/// # Safety
/// `moved` has more than `iteration` cells, touched by nothing else during the launch.
#[inline(always)]
pub(crate) unsafe fn record(moved: *mut u32, iteration: u32, squared: f32) {
    // SAFETY: the caller's promise. The look before the atomic spares most threads the queue for it.
    unsafe {
        let cell = moved.add(iteration as usize);
        let bits = squared.to_bits();
        if atomic::load(cell) < bits {
            atomic::fetch_max(cell, bits);
        }
    }
}

/// What a tile of points adds to a thread's queries: sum_j w (x_j - x_i) and sum_j w.
///
/// A GPU takes several points at a time, which LLVM does not do by itself around loads of shared memory;
/// a processor's loop over one point is long enough.
#[inline(always)]
fn pull<M: Machine, W: Weight, R: Row<D>, const D: usize, const LANES: usize>(
    rows: &[R],
    queries: &[[f32; LANES]; D],
) -> ([[f32; LANES]; D], [f32; LANES]) {
    let none = ([[0.0; LANES]; D], [0.0; LANES]);
    if LANES > 4 {
        return pull_groups::<M, W, R, D, LANES, 1>(rows, queries, none);
    }
    let sums = pull_groups::<M, W, R, D, LANES, UNROLL>(rows, queries, none);
    let rest = &rows[rows.len() / UNROLL * UNROLL..];
    pull_groups::<M, W, R, D, LANES, 1>(rest, queries, sums)
}

/// Neighbouring points of a tile. Whole groups of 16 bytes lie aligned to them, from which a GPU
/// makes one load.
///
/// # Safety
/// `first` points to GROUP points of a tile, GROUP of them a multiple from its start.
#[inline(always)]
unsafe fn read_group<R: Copy, const GROUP: usize>(first: *const R) -> [R; GROUP] {
    #[derive(Clone, Copy)]
    #[repr(C, align(16))]
    struct Aligned<T>(T);
    // SAFETY: the caller's promise. The tile is aligned to 16 bytes, and so is each multiple of a group
    // that is itself a multiple of 16 bytes.
    unsafe {
        if (GROUP * size_of::<R>()).is_multiple_of(16) {
            first.cast::<Aligned<[R; GROUP]>>().read().0
        } else {
            first.cast::<[R; GROUP]>().read()
        }
    }
}

/// [`pull`] of as many points as whole groups of `GROUP` hold, added to what there is.
///
/// The sums are local arrays, changed by one nest of loops in one function: only so do they stay in a
/// processor's registers. Handed from call to call for each point, they are stored each time.
#[inline(always)]
fn pull_groups<M: Machine, W: Weight, R: Row<D>, const D: usize, const LANES: usize, const GROUP: usize>(
    rows: &[R],
    queries: &[[f32; LANES]; D],
    (mut sums, mut totals): ([[f32; LANES]; D], [f32; LANES]),
) -> ([[f32; LANES]; D], [f32; LANES]) {
    // 32 bits: a GPU counts in them with half the instructions.
    for group in 0..(rows.len() / GROUP) as u32 {
        // SAFETY: the group lies within the rows.
        let group = unsafe { read_group::<R, GROUP>(rows.as_ptr().add(group as usize * GROUP)) };
        for k in 0..GROUP {
            let x = group[k].coordinates();
            let mut differences = [[0.0; LANES]; D];
            let mut squared = [0.0; LANES];
            for c in 0..D {
                for lane in 0..LANES {
                    let difference = x[c] - queries[c][lane];
                    differences[c][lane] = difference;
                    squared[lane] = if c == 0 {
                        difference * difference
                    } else {
                        M::mul_add(difference, difference, squared[lane])
                    };
                }
            }
            let weights = W::of_lanes::<M, LANES>(squared);
            totals = lanes::add(totals, weights);
            for c in 0..D {
                for lane in 0..LANES {
                    sums[c][lane] = M::mul_add(weights[lane], differences[c][lane], sums[c][lane]);
                }
            }
        }
    }
    (sums, totals)
}

/// One step: `next` from `points`, both d x stride by columns, scaled; `moved[iteration]`, zero before
/// the launch, gets the bits of the largest squared shift.
///
/// `tolerance` is a squared scaled shift: if the iteration before moved no farther, this one returns
/// at once, and leaves `moved[iteration]` zero, so that all later ones do too.
#[kernel(
    instances(
        shift_gaussian_1<Gaussian, Row1, 1>,
        shift_gaussian_2<Gaussian, Row2, 2>,
        shift_gaussian_3<Gaussian, Row3, 3>,
        shift_gaussian_4<Gaussian, Row4, 4>,
        shift_triangular_1<Triangular, Row1, 1>,
        shift_triangular_2<Triangular, Row2, 2>,
        shift_triangular_3<Triangular, Row3, 3>,
        shift_triangular_4<Triangular, Row4, 4>,
        shift_flat_1<Flat, Row1, 1>,
        shift_flat_2<Flat, Row2, 2>,
        shift_flat_3<Flat, Row3, 3>,
        shift_flat_4<Flat, Row4, 4>,
    ),
    threads = 32..=1024,
    grid = n.div_ceil(block.x * Machine::LANES),
    require(
        points.len() >= stride * D,
        next.len() >= stride * D,
        stride >= n,
        stride.is_multiple_of(STRIDE),
        moved.len() > iteration,
    ),
)]
pub unsafe fn shift<W: Weight, R: Row<D>, const D: usize>(
    points: &[f32],
    mut next: DisjointMut<f32>,
    moved: *mut u32,
    n: u32,
    stride: u32,
    iteration: u32,
    tolerance: f32,
) {
    const LANES: usize = Machine::LANES;
    let tile = shared_array![R; TILE];
    // SAFETY: the launch has checked the length of `moved`, and launches follow one another.
    if unsafe { converged(moved, iteration, tolerance) } {
        return;
    }
    let (n, stride) = (n as usize, stride as usize);
    let (t, threads) = (thread::thread_idx_x() as usize, thread::block_dim_x() as usize);
    let first = thread::index_1d() * LANES;

    // Threads behind the last point still share the work of the tiles, on the first points.
    let load = if first < stride { first } else { 0 };
    let mut queries = [[0.0; LANES]; D];
    for c in 0..D {
        queries[c].copy_from_slice(&points[c * stride + load..][..LANES]);
    }
    let mut sums = [[0.0; LANES]; D];
    let mut totals = [0.0; LANES];
    let mut j0 = 0;
    while j0 < n {
        let len = TILE.min(n - j0);
        let mut j = t;
        while j < len {
            let coordinates: [f32; D] = core::array::from_fn(|c| points[c * stride + j0 + j]);
            // SAFETY: j < TILE, and this thread alone writes the cell before the barrier.
            unsafe { tile.add(j).write(<R as Row<D>>::new(coordinates)) };
            j += threads;
        }
        thread::sync_threads();
        // SAFETY: `len` points were written before the barrier, and are not touched until the next.
        let rows = unsafe { core::slice::from_raw_parts(tile, len) };
        let (tile_sums, tile_totals) = pull::<Machine, W, R, D, LANES>(rows, &queries);
        totals = lanes::add(totals, tile_totals);
        for c in 0..D {
            sums[c] = lanes::add(sums[c], tile_sums[c]);
        }
        thread::sync_threads();
        j0 += TILE;
    }
    let mut farthest = 0.0;
    for lane in 0..LANES {
        if first + lane < n {
            let mut squared = 0.0;
            for c in 0..D {
                let step = sums[c][lane] / totals[lane];
                squared += step * step;
                // SAFETY: lane `lane` of this thread is the only one with this query.
                unsafe { next.write(c * stride + first + lane, queries[c][lane] + step) };
            }
            // Written so that a NaN stays.
            farthest = if squared <= farthest { farthest } else { squared };
        }
    }
    // SAFETY: the launch has checked the length of `moved`.
    unsafe { record(moved, iteration, farthest) };
}
