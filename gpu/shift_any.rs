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

/// Coordinates of a chunk.
const CHUNK: usize = 32;

/// Points of which distances are held in registers at a time.
const GROUP: usize = 4;

/// Points of a tile: as many as leave the weights of a block's queries within a GPU's shared memory,
/// and within a processor's nearest caches.
pub const fn tile(lanes: usize) -> usize {
    if lanes > 4 { 16 } else { 64 }
}

/// Adds to the squared distances of a group of points what some coordinates contribute.
///
/// # Safety
/// `queries` points to the thread's lanes in the first of these columns, `stride` apart; the group
/// from `g` on lies in the tile.
#[inline(always)]
unsafe fn distances<M: Machine, const TILE: usize, const LANES: usize>(
    coordinates: &[[f32; TILE]],
    g: usize,
    queries: *const f32,
    stride: usize,
    mut squared: [[f32; LANES]; GROUP],
) -> [[f32; LANES]; GROUP] {
    for (c, row) in coordinates.iter().enumerate() {
        // SAFETY: the caller's promise.
        let (query, x) =
            unsafe { (queries.add(c * stride).cast::<[f32; LANES]>().read(), lanes::load::<GROUP>(row, g)) };
        for k in 0..GROUP {
            squared[k] = lanes::add_squared_difference::<M, LANES>(x[k], query, squared[k]);
        }
    }
    squared
}

/// sum_j w_j x_j over a tile, for one coordinate.
///
/// # Safety
/// `weights` points to the first of TILE rows, [`THREADS`] apart.
#[inline(always)]
unsafe fn pull<M: Machine, const TILE: usize, const LANES: usize>(
    x: &[f32; TILE],
    weights: *const [f32; LANES],
) -> [f32; LANES] {
    let mut sums = [0.0; LANES];
    for j in 0..TILE {
        // SAFETY: the caller's promise.
        let weights = unsafe { weights.add(j * THREADS).read() };
        sums = lanes::mul_add::<M, LANES>(x[j], weights, sums);
    }
    sums
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
    shared = tile(Machine::LANES) * THREADS * Machine::LANES * 4,
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
    const TILE: usize = tile(LANES);
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
    // SAFETY: the launch gave TILE * THREADS rows of LANES floats; row j * THREADS + t is this thread's.
    let weight = unsafe { shared::dynamic_shared_mem::<[f32; LANES]>().add(t) };
    // Fills the chunk with coordinates c0.. of points j0..; waits before, for those who still read it.
    let stage = |c0: usize, j0: usize| {
        thread::sync_threads();
        let mut at = t;
        while at < CHUNK * TILE {
            let (c, j) = (at / TILE, at % TILE);
            let inside = c0 + c < d && j0 + j < n;
            let value = if inside { points[(c0 + c) * stride + j0 + j] } else { 0.0 };
            // SAFETY: the cell is in the chunk, and this thread alone writes it between barriers.
            unsafe { (*chunk.add(c))[j] = value };
            at += THREADS;
        }
        thread::sync_threads();
    };

    let mut totals = [0.0; LANES];
    let mut j0 = 0;
    while j0 < n {
        let mut c0 = 0;
        while c0 < d {
            stage(c0, j0);
            let coordinates = CHUNK.min(d - c0);
            let mut g = 0;
            while g < TILE {
                let row = |k: usize| weight.wrapping_add((g + k) * THREADS);
                let mut squared = [[0.0; LANES]; GROUP];
                if c0 > 0 {
                    // SAFETY: this thread's rows, written for the chunk before.
                    squared = core::array::from_fn(|k| unsafe { row(k).read() });
                }
                // SAFETY: the chunk was written before the barrier in `stage`; the lanes lie in columns
                // c0.. of `points`, which has `stride * d` elements, and the group in the tile.
                squared = unsafe {
                    let queries = points.as_ptr().add(c0 * stride + load);
                    distances::<Machine, TILE, LANES>(
                        core::slice::from_raw_parts(chunk, coordinates),
                        g,
                        queries,
                        stride,
                        squared,
                    )
                };
                for k in 0..GROUP {
                    // SAFETY: this thread's row.
                    unsafe { row(k).write(squared[k]) };
                }
                g += GROUP;
            }
            c0 += CHUNK;
        }
        let mut tile_totals = [0.0; LANES];
        for j in 0..TILE {
            // SAFETY: this thread's row, written above.
            let squared = unsafe { weight.add(j * THREADS).read() };
            let inside = j0 + j < n;
            let mut weights = [0.0; LANES];
            for lane in 0..LANES {
                weights[lane] = if inside { <W as Weight>::of::<Machine>(squared[lane]) } else { 0.0 };
                tile_totals[lane] += weights[lane];
            }
            // SAFETY: as above.
            unsafe { weight.add(j * THREADS).write(weights) };
        }
        totals = lanes::add(totals, tile_totals);
        let mut c0 = 0;
        while c0 < d {
            // With a single chunk the coordinates of the tile are still there.
            if d > CHUNK {
                stage(c0, j0);
            }
            let coordinates = CHUNK.min(d - c0);
            for c in 0..coordinates {
                // SAFETY: c < CHUNK, and the rows of weights are this thread's.
                let sums = unsafe { pull::<Machine, TILE, LANES>(&*chunk.add(c), weight) };
                if active {
                    for lane in 0..LANES {
                        let at = (c0 + c) * stride + first + lane;
                        // SAFETY: lane `lane` of this thread is the only one with this query.
                        unsafe {
                            let before = if j0 == 0 { 0.0 } else { next.read(at) };
                            next.write(at, before + sums[lane]);
                        }
                    }
                }
            }
            c0 += CHUNK;
        }
        j0 += TILE;
    }
    if active {
        let mut squared = [0.0; LANES];
        for c in 0..d {
            // SAFETY: the lanes lie in column c.
            let query = unsafe { lanes::load::<LANES>(points, c * stride + load) };
            for lane in 0..LANES {
                let at = c * stride + first + lane;
                // SAFETY: as above.
                unsafe {
                    let mean = next.read(at) / totals[lane];
                    next.write(at, mean);
                    squared[lane] += (mean - query[lane]) * (mean - query[lane]);
                }
            }
        }
        let mut farthest = 0.0;
        for lane in 0..LANES {
            // Written so that a NaN stays.
            if first + lane < n {
                farthest = if squared[lane] <= farthest { farthest } else { squared[lane] };
            }
        }
        // SAFETY: the launch has checked the length of `moved`.
        unsafe { record(moved, iteration, farthest) };
    }
}
