//! The fused mean-shift step of few points, d = 1, 2, 3: a warp for each query.
//!
//! What it computes is what shift.rs says, of plain points. There a thread holds four queries and goes over a slice of the points,
//! and sums of slices meet through memory: of 1,500 points, of which a step takes 10.5 us on an H200, that is half. Here
//!
//! ```text
//! for each tile of points:
//!     the block's threads copy it, by columns
//!     lane l of a query's warp takes points 4 l to 4 l + 3 of each 128
//! a lane's four sums meet, then those of the lanes
//! ```
//!
//! so that no sum leaves its warp: a step is one wait for points, n / 32 pairs a lane, and one wait for the end of the iteration.
//! The first tile is loaded before it is known whether there is anything to do: the two loads are one wait.
//!
//! The order of a query's sums depends on n alone. A sum has n / 128 terms, then seven.
//!
//! Operations for a pair: as shift.rs, and for four of them D loads of 16 bytes, where a thread of shift.rs has one for four pairs of
//! a point, and so a quarter as many.

use cuda_std::machine::MachineKind;
use cuda_std::prelude::*;
use cuda_std::warp;

use crate::lanes;
use crate::progress;
use crate::pull::Sums;
use crate::shift::{Arguments, supports};
use crate::tile::read_group;
use crate::weight::Weight;

/// Points of a tile: as many as a small set has.
pub const TILE: usize = 2048;

/// Points and queries up to which a GPU takes this step: 1,500 take 5.7 us instead of 10.5 on an H200, 20,000 take 174 instead of
/// 154 (docs/performance/launches.md).
pub const MOST: u32 = 4096;

/// Points that a lane takes together.
const GROUP: usize = 4;

/// Points that a warp takes together.
const TURN: u32 = warp::WARP_SIZE * GROUP as u32;

/// Warps of the largest block.
#[doc(hidden)]
pub const WARPS: usize = 32;

/// Threads of a block: twelve warps on a GPU, of which one such block for each of 125 multiprocessors has the queries of 1,500
/// points.
#[doc(hidden)]
pub const fn threads(machine: MachineKind) -> u32 {
    if matches!(machine, MachineKind::Gpu) { 384 } else { 32 }
}

/// Memory that a block shares.
#[doc(hidden)]
pub struct Memory {
    /// D columns of a tile.
    pub tile: *mut f32,
    /// A cell for each warp of the largest block.
    pub farthest: *mut u32,
}

/// Copies so many points from j0 on to the tile, and zeros behind them up to a whole turn.
///
/// # Safety
/// The points are among the n of [`Arguments`]. Nobody else touches the tile but the block's other threads, here.
#[inline(always)]
unsafe fn stage<M: Machine, const D: usize>(arguments: &Arguments<'_>, tile: *mut f32, j0: u32, len: u32) {
    let (points, stride) = (arguments.points.as_ptr(), arguments.stride as usize);
    let mut j = thread::thread_idx_x() * GROUP as u32;
    while j < len.next_multiple_of(TURN) {
        for c in 0..D {
            let mut group = [0.0; GROUP];
            if j < len {
                // SAFETY: a column begins at a multiple of 16 bytes, and has whole groups (layout.rs).
                group = unsafe { lanes::load_whole::<M, GROUP>(points.add(c * stride + (j0 + j) as usize)) };
            }
            // What a column is padded with is nobody's business.
            for k in 0..GROUP {
                group[k] = if j + (k as u32) < len { group[k] } else { 0.0 };
            }
            // SAFETY: the tile has TILE points, a multiple of a turn; this thread alone writes the cells.
            unsafe { lanes::store_whole::<M, GROUP>(tile.add(c * TILE + j as usize), group) };
        }
        j += thread::block_dim_x() * GROUP as u32;
    }
}

/// Adds a lane's points of one turn, of which `count` are points at all, if SOME.
///
/// # Safety
/// The tile has the turn.
#[inline(always)]
unsafe fn pull<M: Machine, W: Weight, const D: usize, const SOME: bool>(
    tile: *const f32,
    (j, count): (u32, u32),
    query: &[f32; D],
    (sums, totals): &mut Sums<D, GROUP>,
) {
    let (mut differences, mut squared) = ([[0.0; GROUP]; D], [0.0; GROUP]);
    for c in 0..D {
        // SAFETY: the caller's promise; a lane's points begin at multiples of a group.
        let x = unsafe { read_group::<f32, GROUP>(tile.add(c * TILE + j as usize)) };
        for k in 0..GROUP {
            let difference = x[k] - query[c];
            differences[c][k] = difference;
            squared[k] = if c == 0 { difference * difference } else { M::mul_add(difference, difference, squared[k]) };
        }
    }
    let mut weights = W::of_lanes::<M, GROUP>(squared);
    for k in 0..GROUP {
        if SOME && k as u32 >= count {
            weights[k] = 0.0;
        }
        totals[k] += weights[k];
        for c in 0..D {
            sums[c][k] = M::mul_add(weights[k], differences[c][k], sums[c][k]);
        }
    }
}

/// The sum of a lane's four, then of all lanes: every lane gets it.
///
/// # Safety
/// The whole warp comes here.
#[inline(always)]
unsafe fn meet(sums: [f32; GROUP]) -> f32 {
    // SAFETY: the caller's promise.
    unsafe { warp::warp_reduce(lanes::sum_of_halves(sums), |a, b| a + b) }
}

/// One step. In the blurring form, ends the iteration too.
///
/// # Safety
/// All threads of the launch call it with the same arguments, which are as [`Arguments`] says; blocks are whole warps, and `memory`
/// is shared memory of theirs.
#[inline(always)]
#[doc(hidden)]
pub unsafe fn step<M: Machine, W: Weight, const D: usize>(memory: Memory, mut arguments: Arguments<'_>) {
    let Memory { tile, farthest } = memory;
    let (n, query_stride) = (arguments.n, arguments.query_stride as usize);
    let (lane, t) = (warp::lane_id(), thread::thread_idx_x());
    // SAFETY: the caller's promise; launches follow one another.
    let active = unsafe { progress::active_at_once(arguments.state, arguments.limit, arguments.most) };
    let i = thread::index_1d() / warp::WARP_SIZE as usize;
    let mut query = [0.0; D];
    for c in 0..D {
        // SAFETY: a column has as many; behind the last query nobody counts what is there.
        query[c] = unsafe { *arguments.queries.as_ptr().add(c * query_stride + i.min(query_stride - 1)) };
    }
    // SAFETY: nobody has read the tile yet.
    unsafe { stage::<M, D>(&arguments, tile, 0, n.min(TILE as u32)) };
    // Whole blocks leave: the others need all their threads for the tiles.
    if thread::block_idx_x() * (thread::block_dim_x() / warp::WARP_SIZE) >= active {
        return;
    }
    let mut sums = ([[0.0; GROUP]; D], [0.0; GROUP]);
    let mut j0 = 0;
    loop {
        let len = (n - j0).min(TILE as u32);
        thread::sync_threads();
        let mut j = 0;
        // SAFETY: the tile was written before the barrier, zeros behind its points included.
        unsafe {
            while j + TURN <= len {
                pull::<M, W, D, false>(tile, (j + lane * GROUP as u32, 0), &query, &mut sums);
                j += TURN;
            }
            if j < len {
                let first = j + lane * GROUP as u32;
                pull::<M, W, D, true>(tile, (first, len.saturating_sub(first)), &query, &mut sums);
            }
        }
        j0 += TILE as u32;
        if j0 >= n {
            break;
        }
        thread::sync_threads();
        // SAFETY: everybody has read the tile.
        unsafe { stage::<M, D>(&arguments, tile, j0, (n - j0).min(TILE as u32)) };
    }
    // SAFETY: all lanes of the warp are here.
    let total = unsafe { meet(sums.1) };
    let mut squared = 0.0;
    for c in 0..D {
        // SAFETY: as above.
        let sum = unsafe { meet(sums.0[c]) };
        // By infinity, where there is no support; a NaN stays.
        let step = M::divide(sum, if total <= W::LEAST { f32::INFINITY } else { total });
        squared += step * step;
        if lane == c as u32 && (i as u32) < active {
            let next = arguments.next.as_mut_ptr();
            // SAFETY: the query is one of the column; its warp alone writes where it moves.
            unsafe { next.add(c * query_stride + i).write(query[c] + arguments.relaxation * step) };
        }
    }
    if lane == 0 && (i as u32) < active {
        let known = arguments.sums.as_mut_ptr();
        // SAFETY: as above.
        unsafe {
            known.add(i).write(supports::<W, 1>([total])[0]);
            known.add(query_stride + i).write(squared);
        }
    }
    if arguments.tolerance < 0.0 {
        return;
    }
    // SAFETY: all threads of the block are here, and a cell for each of its warps.
    unsafe {
        if lane == 0 {
            let squared = if (i as u32) < active { squared } else { 0.0 };
            farthest.add((t / warp::WARP_SIZE) as usize).write(squared.to_bits());
        }
        thread::sync_threads();
        if t < warp::WARP_SIZE {
            let warps = thread::block_dim_x() / warp::WARP_SIZE;
            let bits = if lane < warps { farthest.add(lane as usize).read() } else { 0 };
            // The bits of numbers that are not negative order as they do, and a NaN's are larger.
            let bits = warp::warp_reduce(bits, u32::max);
            if lane == 0 {
                progress::record_of_block(arguments.state, bits);
                if progress::is_last_block(arguments.state) {
                    let tolerance = arguments.tolerance.to_bits();
                    progress::end_iteration(arguments.state, |farthest| if farthest <= tolerance { 0 } else { active });
                }
            }
        }
    }
}
