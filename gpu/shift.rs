//! The fused mean-shift step for d = 1, 2, 3, 4: no distance is ever stored.
//!
//! For every query q_i that still moves, all of them at once:
//!
//! ```text
//! w_ij   = factor_j W(scale_j |x_j - q_i|^2)        scaled coordinates, see weight.rs
//! s_i    = sum_j w_ij
//! step_i = sum_j w_ij (x_j - q_i) / s_i             none where s_i <= LEAST: no support, and s_i counts as 0
//! q'_i   = q_i + relaxation step_i
//! ```
//!
//! In the standard form the queries move over fixed points; in the blurring form the queries are the
//! points. Factor and scale are 1 unless points are marked: sample weights are factors, and bandwidths
//! of the points' own are both (see marks.rs).
//!
//! A thread holds `LANES` queries in registers, and the block's threads share tiles of points. Sums
//! run over j within a tile, then over tiles, so that their rounding grows with the square root of n
//! at most; the order, and so every bit, is the same for any size of block and any place of a query
//! among the others. The sum of differences, not of points, keeps points that have met exactly
//! together, and costs nothing: the differences are there already.
//!
//! What a tile of points adds to a thread's queries, and how many operations that takes: pull.rs.
//!
//! Where queries are few, blocks with the same queries share the points (slices.rs): sums then run over slices in the end.
//!
//! Where the points are in an order that keeps neighbours together, boxes that are too far are left out
//! (near.rs): sums then run over the points of a box, then over boxes. Of weights that are powers boxes that are all near are summed by
//! their moments (whole.rs).
//!
//! The kernels themselves stand in a file for each weight: gaussian.rs and its neighbours.

use cuda_std::prelude::*;

use crate::lanes;
use crate::local;
use crate::near::{BOX, Near, WIDE};
use crate::progress;
use crate::pull::Sums;
use crate::rows::Row;
use crate::slices::Slices;
use crate::weight::Weight;
use crate::whole::Whole;

/// Points of a tile: those of a wide box.
pub const TILE: usize = WIDE;

/// The arguments of a step, which are the same for every kernel of the family.
#[doc(hidden)]
pub struct Arguments<'a> {
    /// Queries, D x `query_stride` by columns.
    pub queries: &'a [f32],
    /// Points, D x `stride` by columns.
    pub points: &'a [f32],
    /// The points' factors and scales, 2 x `stride`; nothing where rows have no marks.
    pub marks: &'a [f32],
    /// Where the queries move, as they are stored.
    pub next: DisjointMut<'a, f32>,
    /// s_i and the squared step of each query, 2 x `query_stride`.
    pub sums: DisjointMut<'a, f32>,
    /// See progress.rs.
    pub state: *mut u32,
    /// How many points.
    pub n: u32,
    /// From a column of points to the next.
    pub stride: u32,
    /// From a column of queries to the next.
    pub query_stride: u32,
    /// The most queries that move, for which the launch has checked the lengths.
    pub most: u32,
    /// The most iterations.
    pub limit: u32,
    /// Blurring: iterations end when no squared step is larger. Negative: the standard form, in which
    /// another kernel ends the iteration (retire.rs).
    pub tolerance: f32,
    /// How far along its step a query goes.
    pub relaxation: f32,
    /// What may be left out.
    pub near: Near<'a>,
    /// How the points are shared out to blocks with the same queries.
    pub slices: Slices,
}

/// Fills a tile with the points from `j0` on, this thread's share of them.
///
/// # Safety
/// The slices are as [`Arguments`] says; `tile` has room for `len` points, which lie among the n, and
/// nobody else touches it until the next barrier but the block's other threads, here.
#[inline(always)]
unsafe fn stage<M: Machine, R: Row<D>, const D: usize>(arguments: &Arguments<'_>, tile: *mut R, j0: u32, len: u32) {
    let (points, marks, stride) = (arguments.points.as_ptr(), arguments.marks.as_ptr(), arguments.stride as usize);
    let mut j = thread::thread_idx_x();
    while j < len {
        let at = (j0 + j) as usize;
        // SAFETY: the caller's promise; this thread alone writes the cell before the barrier.
        unsafe {
            let mut coordinates: [f32; D] = core::array::from_fn(|c| points.add(c * stride + at).read());
            if let Some(frame) = arguments.near.frame::<M, R, D>(at as u32) {
                for c in 0..D {
                    coordinates[c] -= frame.middle[c];
                }
            }
            let (factor, scale) =
                if R::MARKED { (marks.add(at).read(), marks.add(stride + at).read()) } else { (1.0, 1.0) };
            tile.add(j as usize).write(R::new(coordinates, factor, scale));
        }
        j += thread::block_dim_x();
    }
}

/// Sums of weights, or 0 where they are no support. A NaN stays.
#[inline(always)]
pub(crate) fn supports<W: Weight, const LANES: usize>(mut totals: [f32; LANES]) -> [f32; LANES] {
    for lane in 0..LANES {
        totals[lane] = if totals[lane] <= W::LEAST { 0.0 } else { totals[lane] };
    }
    totals
}

/// Writes where a thread's queries move; gives the largest squared step of the first `count`. What is written for lanes
/// behind them counts for nobody.
///
/// # Safety
/// The slices are as [`Arguments`] says, and the lanes from `first` on are this thread's alone, within the columns.
#[inline(always)]
unsafe fn finish<M: Machine, W: Weight, const D: usize, const LANES: usize>(
    arguments: &mut Arguments<'_>,
    queries: &[[f32; LANES]; D],
    (sums, totals): &Sums<D, LANES>,
    (first, count): (usize, u32),
) -> f32 {
    let query_stride = arguments.query_stride as usize;
    let (next, known) = (arguments.next.as_mut_ptr(), arguments.sums.as_mut_ptr());
    let mut squared = [0.0; LANES];
    for c in 0..D {
        let mut moved = [0.0; LANES];
        for lane in 0..LANES {
            let (sum, total) = (sums[c][lane], totals[lane]);
            let step = if D <= 2 {
                // By infinity, where there is no support; a NaN stays.
                M::divide(sum, if total <= W::LEAST { f32::INFINITY } else { total })
            } else if total > W::LEAST {
                // Branches: that many quotients at a time take registers that the loop over pairs has none left of.
                sum / total
            } else {
                0.0 * total
            };
            squared[lane] += step * step;
            moved[lane] = queries[c][lane] + arguments.relaxation * step;
        }
        // SAFETY: the caller's promise; columns begin at multiples of 16 bytes (layout.rs), and so do lanes.
        unsafe { lanes::store_whole::<M, LANES>(next.add(c * query_stride + first), moved) };
    }
    // SAFETY: as above.
    unsafe {
        lanes::store_whole::<M, LANES>(known.add(first), supports::<W, LANES>(*totals));
        lanes::store_whole::<M, LANES>(known.add(query_stride + first), squared);
    }
    let mut farthest = 0.0;
    for lane in 0..LANES {
        // Written so that a NaN stays.
        farthest = if lane as u32 >= count || squared[lane] <= farthest { farthest } else { squared[lane] };
    }
    farthest
}

/// One step. In the blurring form, ends the iteration too.
///
/// # Safety
/// All threads of the launch call it with the same arguments, which are as [`Arguments`] says; `tile` is
/// shared memory for TILE rows.
#[inline(always)]
#[doc(hidden)]
pub unsafe fn step<M: Machine, W: Weight, R: Row<D>, const D: usize, const LANES: usize>(
    tile: *mut R,
    mut arguments: Arguments<'_>,
) {
    const { assert!(!R::LOCAL || W::MULTIPLIES, "sums of products want a weight that makes products of sums") };
    // SAFETY: the caller's promise; launches follow one another.
    let active = unsafe { progress::active(arguments.state, arguments.limit, arguments.most) };
    let in_block = thread::block_dim_x() * LANES as u32;
    // Whole blocks leave: the others need all their threads for the tiles.
    if thread::block_idx_x() * in_block >= active {
        return;
    }
    let first = thread::index_1d() as u32 * LANES as u32;
    let (n, query_stride) = (arguments.n, arguments.query_stride);
    // Threads behind the last active query still share the work of the tiles, and do no more.
    let moves = first < active;
    let load = if moves { first } else { 0 } as usize;
    let mut queries = [[0.0; LANES]; D];
    for c in 0..D {
        // SAFETY: a column has a multiple of the lanes of any machine (layout.rs).
        queries[c] = unsafe { lanes::load(arguments.queries, c * query_stride as usize + load) };
    }
    let near = arguments.near;
    let (part, count) = (if R::LOCAL || near.is_on() { BOX } else { TILE } as u32, active.saturating_sub(first));
    // The points seen are 64 bits lest they share a register's zero with j0, which all threads have in common.
    let (mut sums, mut totals, mut seen) = ([[0.0; LANES]; D], [0.0; LANES], 0_u64);
    let whole = Whole::behind::<W, R, D, LANES>(near, n);
    let (mut j0, end) = arguments.slices.range(n);
    while j0 < end {
        // SAFETY: the caller's promise.
        if unsafe { near.skips::<M, R, D>(j0, n) } {
            j0 += TILE as u32;
            continue;
        }
        let len = (end - j0).min(TILE as u32);
        // SAFETY: the caller's promise.
        if unsafe { whole.holds_block::<M, W, D>(j0) } {
            let mut at = 0;
            while moves && at < len {
                // SAFETY: as above, and the block asks for boxes that are held alone.
                let (box_sums, box_totals) = unsafe { whole.sums::<M, W, D, LANES>(&queries, j0 + at) };
                totals = lanes::add(totals, box_totals);
                for c in 0..D {
                    sums[c] = lanes::add(sums[c], box_sums[c]);
                }
                at += BOX as u32;
            }
            seen += u64::from(len);
            j0 += TILE as u32;
            continue;
        }
        // SAFETY: nobody reads the tile between the barriers below and above.
        unsafe { stage::<M, R, D>(&arguments, tile, j0, len) };
        thread::sync_threads();
        let mut at = 0;
        while moves && at < len {
            let queries = lanes::seen_anew::<LANES, _>(&queries);
            // SAFETY: the point is one of n.
            if let Some(frame) = unsafe { near.frame::<M, R, D>(j0 + at) } {
                let points = part.min(len - at) as usize;
                // SAFETY: `len` points were written before the barrier, and are not touched until the next.
                let rows = unsafe { core::slice::from_raw_parts(tile.add(at as usize), points) };
                if let Some(found) = local::pull::<M, W, R, D, LANES>(rows, queries, &frame, count) {
                    totals = lanes::add(totals, found.1);
                    for c in 0..D {
                        sums[c] = lanes::add(sums[c], found.0[c]);
                    }
                    seen += points as u64;
                }
                at += part;
                continue;
            }
            // SAFETY: as above.
            let distances = unsafe { near.distances::<M, R, D, LANES>(queries, (j0 + at, n), count) };
            if !near.all_far(&distances) {
                let points = part.min(len - at) as usize;
                // SAFETY: as above.
                let rows = unsafe { core::slice::from_raw_parts(tile.add(at as usize), points) };
                // SAFETY: the caller's promise.
                let (part_sums, part_totals) =
                    unsafe { whole.pull::<M, W, R, D, LANES>(rows, queries, &distances, j0 + at) };
                totals = lanes::add(totals, near.masked(&distances, part_totals));
                for c in 0..D {
                    sums[c] = lanes::add(sums[c], near.masked(&distances, part_sums[c]));
                }
                seen += points as u64;
            }
            at += part;
        }
        thread::sync_threads();
        j0 += TILE as u32;
    }
    if near.is_on() {
        // SAFETY: the caller's promise.
        unsafe { progress::add_pairs(arguments.state, seen, count.min(LANES as u32)) };
    }
    let slices = arguments.slices;
    let mut found = (sums, totals);
    if slices.are_several(n) {
        let place = (first as usize, query_stride as usize);
        // SAFETY: the caller's promise.
        unsafe {
            if moves {
                slices.leave::<M, D, LANES>(&found, place);
            }
            if !slices.is_last_block() {
                return;
            }
            if moves {
                found = slices.collect::<M, D, LANES>(place);
            }
        }
    }
    let (state, tolerance) = (arguments.state, arguments.tolerance);
    let mut farthest = 0.0;
    if moves {
        // SAFETY: the caller's promise; the lanes are this thread's, and a column has a multiple of the lanes.
        farthest = unsafe { finish::<M, W, D, LANES>(&mut arguments, &queries, &found, (first as usize, count)) };
    }
    if tolerance >= 0.0 {
        // SAFETY: every block of the launch is here, of several slices the last, or none was active.
        unsafe { end_blurring(state, farthest, tolerance, active) };
    }
}

/// Ends an iteration of the blurring form, in which all queries move or none.
///
/// # Safety
/// All threads of the launch call it; `state` has the cells of progress.rs.
#[inline(always)]
pub(crate) unsafe fn end_blurring(state: *mut u32, farthest: f32, tolerance: f32, active: u32) {
    // SAFETY: the caller's promise, and the barrier before one thread of the block goes on.
    unsafe {
        progress::record(state, farthest);
        thread::sync_threads();
        if thread::thread_idx_x() == 0 && progress::is_last_block(state) {
            progress::end_iteration(state, |farthest| if farthest <= tolerance.to_bits() { 0 } else { active });
        }
    }
}
