//! The fused mean-shift step for any d. What it computes: see shift.rs.
//!
//! ```text
//! for each tile of TILE points:
//!     for each chunk of CHUNK coordinates:          shared memory: the tile's coordinates
//!         squared[TILE][my queries] += (x_jc - x_ic)^2
//!     weight[TILE][my queries] = w(squared), zero behind the last point
//!     for each chunk:
//!         next[c][my queries] += sum_j weight_j x_jc
//! next = next / total
//! ```
//!
//! The squared distances and then weights of a thread's own queries to one tile lie in dynamic shared
//! memory, the running sums in `next`: registers hold neither for unknown d. The sum is of points,
//! not of differences (3 d + 2 operations a pair instead of 4 d + 2), so a position carries a rounding
//! of its own size, as its storage does.

use cuda_std::{prelude::*, shared};

use crate::lanes;
use crate::layout::STRIDE;
use crate::shift::{converged, record};
use crate::weight::{Flat, Gaussian, Triangular, Weight};

/// Threads of a block.
const THREADS: usize = 32;

/// Points of a tile: as many as leave the weights of a block's queries within a GPU's shared memory,
/// and a thread's weights within a processor's nearest cache.
const TILE: usize = 64;

/// Coordinates of a chunk.
const CHUNK: usize = 32;

/// Points of which distances, or coordinates of which sums, are held in registers at a time.
const GROUP: usize = 4;

/// Points that [`pull`] takes at a time: a GPU loads that many coordinates at once.
const UNROLL: usize = 4;

/// From a row of a thread's weights to its next: on a GPU the rows of a warp's threads are neighbours,
/// and so in different banks; on a processor those of a thread, and so in different cache sets.
const fn rows_apart(lanes: usize) -> usize {
    if lanes > 4 { 1 } else { THREADS }
}

/// Fills the chunk with coordinates c0.. of points j0.., and up to whole groups of coordinates with
/// zeros; waits before, for those who still read it, and after.
///
/// # Safety
/// All threads of the block call it, with the same numbers; `chunk` has CHUNK coordinates, of which
/// nobody reads between the waits.
#[inline(always)]
unsafe fn stage(
    points: &[f32],
    chunk: *mut [f32; TILE],
    (c0, d): (usize, usize),
    (j0, n): (usize, usize),
    stride: usize,
) {
    thread::sync_threads();
    let mut at = thread::thread_idx_x() as usize;
    while at < CHUNK.min(d - c0).next_multiple_of(GROUP) * TILE {
        let (c, j) = (at / TILE, at % TILE);
        let inside = c0 + c < d && j0 + j < n;
        let value = if inside { points[(c0 + c) * stride + j0 + j] } else { 0.0 };
        // SAFETY: the cell is in the chunk, and this thread alone writes it between barriers.
        unsafe { (*chunk.add(c))[j] = value };
        at += THREADS;
    }
    thread::sync_threads();
}

/// Adds to the squared distances of a group of points what some coordinates contribute.
///
/// The loop over lanes is the outer one: the compiler then makes vectors of it, where in the other
/// order it unrolled both first and made gathers of the loop over coordinates.
///
/// # Safety
/// `chunk` points to this many coordinates, `queries` to the thread's lanes in the first of these
/// columns, `stride` apart; the group from `g` on lies in the tile.
#[inline(always)]
unsafe fn distances<M: Machine, const LANES: usize>(
    chunk: *const [f32; TILE],
    coordinates: usize,
    g: usize,
    queries: *const f32,
    stride: usize,
    mut squared: [[f32; LANES]; GROUP],
) -> [[f32; LANES]; GROUP] {
    for c in 0..coordinates {
        // SAFETY: the caller's promise.
        let (query, x) = unsafe {
            let query = queries.add(c * stride).cast::<[f32; LANES]>().read();
            (query, chunk.add(c).cast::<f32>().add(g).cast::<[f32; GROUP]>().read())
        };
        for lane in 0..LANES {
            for k in 0..GROUP {
                let difference = x[k] - query[lane];
                squared[k][lane] = M::mul_add(difference, difference, squared[k][lane]);
            }
        }
    }
    squared
}

/// Turns the squared distances to the first `inside` points of a tile into weights, those to the
/// others into zeros; gives the sum.
///
/// # Safety
/// `rows` points to the first of TILE rows that are this thread's, `rows_apart` apart; `inside <= TILE`.
#[inline(always)]
unsafe fn weigh<M: Machine, W: Weight, const LANES: usize>(rows: *mut [f32; LANES], inside: usize) -> [f32; LANES] {
    let mut totals = [0.0; LANES];
    // 32 bits: a GPU counts in them with half the instructions.
    for j in 0..inside as u32 {
        let j = j as usize;
        // SAFETY: the caller's promise.
        let squared = unsafe { rows.add(j * rows_apart(LANES)).read() };
        let weights = W::of_lanes::<M, LANES>(squared);
        totals = lanes::add(totals, weights);
        // SAFETY: as above.
        unsafe { rows.add(j * rows_apart(LANES)).write(weights) };
    }
    for j in inside..TILE {
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
unsafe fn pull<M: Machine, const LANES: usize>(
    chunk: *const [f32; TILE],
    rows: *const [f32; LANES],
) -> [[f32; LANES]; GROUP] {
    let mut sums = [[0.0; LANES]; GROUP];
    for group in 0..(TILE / UNROLL) as u32 {
        let j0 = group as usize * UNROLL;
        let mut x = [[0.0; UNROLL]; GROUP];
        for k in 0..GROUP {
            // SAFETY: the caller's promise; the points from j0 on lie in the tile.
            x[k] = unsafe { chunk.add(k).cast::<f32>().add(j0).cast::<[f32; UNROLL]>().read() };
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

/// Divides the sums in `next` by the totals; gives the largest squared shift of the thread's queries.
///
/// # Safety
/// The lanes from `first` on are this thread's alone, and lie in each of the d columns of `next` and
/// `points`, `stride` apart.
#[inline(always)]
unsafe fn finish<const LANES: usize>(
    points: &[f32],
    next: &mut DisjointMut<f32>,
    totals: [f32; LANES],
    first: usize,
    (n, d, stride): (usize, usize, usize),
) -> f32 {
    let mut squared = [0.0; LANES];
    for c in 0..d {
        let at = c * stride + first;
        // SAFETY: the caller's promise.
        unsafe {
            let (query, mut mean) = (lanes::load::<LANES>(points, at), lanes::read::<LANES>(next, at));
            for lane in 0..LANES {
                mean[lane] /= totals[lane];
                squared[lane] += (mean[lane] - query[lane]) * (mean[lane] - query[lane]);
            }
            lanes::write(next, at, mean);
        }
    }
    let mut farthest = 0.0;
    for lane in 0..LANES {
        // Written so that a NaN stays.
        if first + lane < n {
            farthest = if squared[lane] <= farthest { farthest } else { squared[lane] };
        }
    }
    farthest
}

/// One step; arguments as in shift.rs, and `d`.
#[kernel(
    instances(
        shift_gaussian_any<Gaussian>,
        shift_triangular_any<Triangular>,
        shift_flat_any<Flat>,
    ),
    block = THREADS as u32,
    grid = n.div_ceil(THREADS * Machine::LANES),
    shared = TILE * THREADS * Machine::LANES * 4,
    require(
        points.len() >= stride * d,
        next.len() >= stride * d,
        stride >= n,
        stride.is_multiple_of(STRIDE),
        moved.len() > iteration,
    ),
)]
pub unsafe fn shift_any<W: Weight>(
    points: &[f32],
    mut next: DisjointMut<f32>,
    moved: *mut u32,
    n: u32,
    d: u32,
    stride: u32,
    iteration: u32,
    tolerance: f32,
) {
    const LANES: usize = Machine::LANES;
    let chunk = shared_array![[f32; TILE]; CHUNK];
    // SAFETY: the launch has checked the length of `moved`, and launches follow one another.
    if unsafe { converged(moved, iteration, tolerance) } {
        return;
    }
    let (n, d, stride) = (n as usize, d as usize, stride as usize);
    let t = thread::thread_idx_x() as usize;
    let first = thread::index_1d() * LANES;
    // Threads behind the last point still share the work of the tiles, on the first points.
    let active = first < n;
    let load = if first < stride { first } else { 0 };
    // SAFETY: the launch gave THREADS * TILE rows of LANES floats.
    let rows =
        unsafe { shared::dynamic_shared_mem::<[f32; LANES]>().add(if rows_apart(LANES) == 1 { t * TILE } else { t }) };
    let mut totals = [0.0; LANES];
    let mut j0 = 0;
    while j0 < n {
        let mut c0 = 0;
        while c0 < d {
            // SAFETY: every thread of the block is here, with the same numbers.
            unsafe { stage(points, chunk, (c0, d), (j0, n), stride) };
            let coordinates = CHUNK.min(d - c0);
            let mut g = 0;
            while g < TILE {
                let mut squared = [[0.0; LANES]; GROUP];
                // SAFETY: the group's rows are this thread's, and hold what the chunk before left; the
                // chunk was written before the barrier in `stage`, and is not until the next; the lanes
                // lie in columns c0.. of `points`, which has `stride * d` elements.
                unsafe {
                    if c0 > 0 {
                        for k in 0..GROUP {
                            squared[k] = rows.add((g + k) * rows_apart(LANES)).read();
                        }
                    }
                    let queries = points.as_ptr().add(c0 * stride + load);
                    squared = distances::<Machine, LANES>(chunk, coordinates, g, queries, stride, squared);
                    for k in 0..GROUP {
                        rows.add((g + k) * rows_apart(LANES)).write(squared[k]);
                    }
                }
                g += GROUP;
            }
            c0 += CHUNK;
        }
        // SAFETY: this thread's rows, all of them written above.
        let tile_totals = unsafe { weigh::<Machine, W, LANES>(rows, TILE.min(n - j0)) };
        totals = lanes::add(totals, tile_totals);
        let mut c0 = 0;
        while c0 < d {
            // With a single chunk the coordinates of the tile are still there.
            if d > CHUNK {
                // SAFETY: as above.
                unsafe { stage(points, chunk, (c0, d), (j0, n), stride) };
            }
            let mut c = 0;
            while c < CHUNK.min(d - c0) && active {
                // SAFETY: the group of coordinates is in the chunk, and the rows are this thread's.
                let sums = unsafe { pull::<Machine, LANES>(chunk.add(c), rows) };
                for k in 0..GROUP {
                    if c0 + c + k < d {
                        let at = (c0 + c + k) * stride + first;
                        // SAFETY: the lanes of this thread are the only ones with these queries, and lie
                        // in the column; the first tile wrote them.
                        unsafe {
                            let before = if j0 == 0 { [0.0; LANES] } else { lanes::read(&next, at) };
                            lanes::write(&mut next, at, lanes::add(before, sums[k]));
                        }
                    }
                }
                c += GROUP;
            }
            c0 += CHUNK;
        }
        j0 += TILE;
    }
    if active {
        // SAFETY: this thread's queries, whose sums it wrote; the launch has checked the length of `moved`.
        unsafe {
            let farthest = finish::<LANES>(points, &mut next, totals, first, (n, d, stride));
            record(moved, iteration, farthest);
        }
    }
}
