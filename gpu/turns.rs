//! The fused step for any d on a processor: a block is one thread, which takes some groups of queries in turn.
//!
//! What it computes, and in which order: see shift_any.rs. What differs is where things lie, and who waits:
//!
//! 1. No barriers: each costs a processor's thread a switch of stacks. A tile is staged once for all groups of the block.
//! 2. In up to CHUNK dimensions a group's queries are copied once, to where vectors begin with lines of the cache, and one
//!    tile of weights serves all groups: queries, weights and points are within the nearest cache (20 KB of 32 with AVX-512).
//! 3. With AVX-512 the two vectors of a group each load a point's coordinate for themselves: see turn_tiles.rs. Where a processor has no units
//!    that subtract beside those that multiply, the Gaussian's distances are products: see turn_products.rs.

use cuda_std::machine;
use cuda_std::prelude::*;

use crate::chunks::{CHUNK, GROUP, MOST_GROUPS, groups, queries, tile, weigh};
use crate::lanes;
use crate::near::{BOX, WIDE};
use crate::progress;
use crate::shift::{Arguments, end_blurring};
use crate::shift_any::{Kind, Norm, add_group, collect, finish, leave, sums_of};
use crate::tight::Tight;
use crate::turn_products::{COLUMNS, FEWEST, MANY, ORIGINS, double, enter, has, pull_about};
use crate::turn_tiles::{PRODUCTS, add_chunk, each_group, foresee, hold, pull, stage};
use crate::weight::Weight;

/// One step. In the blurring form, ends the iteration too.
///
/// # Safety
/// As for [`shift_any::step`](crate::shift_any::step).
#[inline(always)]
pub(crate) unsafe fn step<M: Machine, W: Weight, K: Kind, const LANES: usize, const HALF: usize>(
    staged: *mut f32,
    memory: *mut f32,
    d: u32,
    norm: Norm,
    mut arguments: Arguments<'_>,
) {
    let Norm { p, outer, sphere } = norm;
    const { assert!(LANES <= 4 || tile(LANES) == BOX && 2 * HALF == LANES && groups(LANES) <= MOST_GROUPS) };
    // SAFETY: the caller's promise; launches follow one another.
    let active = unsafe { progress::active(arguments.state, arguments.limit, arguments.most) } as usize;
    let first = thread::block_idx_x() as usize * queries(LANES);
    if first >= active {
        return;
    }
    let groups = (active - first).div_ceil(LANES).min(groups(LANES));
    let (n, d, stride) = (arguments.n as usize, d as usize, arguments.stride as usize);
    let query_stride = arguments.query_stride as usize;
    let (points, near, slices) = (arguments.points.as_ptr(), arguments.near, arguments.slices);
    // SAFETY: of several slices each has columns of its own; `next` has lanes from the block's first query on.
    let sums = unsafe { sums_of(&mut arguments, d, first) };
    let rows = lanes::aligned_to_line(memory).cast::<[f32; LANES]>();
    let held = lanes::aligned_to_line(staged);
    // SAFETY: behind a chunk of the block's queries is room for one of a tile; the queries lie in columns.
    let (chunk, columns) = unsafe { (held.add(CHUNK * queries(LANES)), arguments.queries.as_ptr().add(first)) };
    // SAFETY: behind the chunk there is room for one of a group's queries.
    let doubled = unsafe { chunk.add(COLUMNS * BOX).cast::<[f32; LANES]>() };
    let held = held.cast::<[f32; LANES]>();
    let single = d <= CHUNK;
    if single {
        for group in 0..groups {
            // SAFETY: as above.
            unsafe { hold((columns.add(group * LANES), query_stride), d, held.add(group * CHUNK)) };
        }
    }
    let mut totals = [[0.0; LANES]; MOST_GROUPS];
    // Points that were counted, and whether there are sums of any.
    let (mut seen, mut begun) = ([0_u32; MOST_GROUPS], [false; MOST_GROUPS]);
    let mut distances = [[0.0; LANES]; MOST_GROUPS];
    let mut pulls = [true; MOST_GROUPS];
    let may_multiply = has::<M, W, K>() && d >= FEWEST && machine::adds_where_it_multiplies();
    let mut origin = [0.0; ORIGINS];
    let tight = Tight::behind::<W, K, LANES>(near, (n, d));
    // Wide boxes are near up to this point.
    let mut near_to = 0;
    let (j0, end) = slices.range(arguments.n);
    let (mut j0, end) = (j0 as usize, end as usize);
    while j0 < end {
        if near.is_on() {
            // Once more for the first box of a wide one that is near.
            let (b, points) = if j0 < near_to { (j0 / BOX, BOX) } else { (n.div_ceil(BOX) + j0 / WIDE, WIDE) };
            // SAFETY: the caller's promise.
            let skips = unsafe { near.skips_box::<M, K>(b, (n, d), norm) };
            if skips || j0 >= near_to {
                (j0, near_to) = if skips { (j0 + points, near_to) } else { (j0, j0 + WIDE) };
                continue;
            }
            let mut any = false;
            for group in 0..groups {
                let count = (active - first).saturating_sub(group * LANES);
                // SAFETY: the point is one of n, and the group's lanes lie in the columns.
                let queries = unsafe { (columns.add(group * LANES), query_stride) };
                // SAFETY: as above.
                distances[group] = unsafe { near.distances_any::<M, K, LANES>(queries, (n, d), norm, j0, count) };
                pulls[group] = !near.all_far(&distances[group]);
                if !pulls[group] {
                    continue;
                }
                seen[group] += BOX.min(n - j0) as u32;
                // SAFETY: as above.
                let bunch = unsafe { tight.take::<M, W, LANES>(queries, j0, near.reach2, &mut distances[group]) };
                if let Some(bunch) = bunch {
                    totals[group] = lanes::add(totals[group], bunch.weights);
                    for (c, x) in bunch.centroid.iter().enumerate() {
                        // SAFETY: the lanes of the sums are this thread's alone, and lie in the columns; they were written if any sums were.
                        unsafe {
                            let sums = (sums.add(c * query_stride + group * LANES), query_stride);
                            add_group::<M, _, _>(sums, 1, !begun[group], [lanes::scale(*x, bunch.weights)], |sums| {
                                sums
                            });
                        }
                    }
                    begun[group] = true;
                    pulls[group] = !near.all_far(&distances[group]);
                }
                any |= pulls[group];
            }
            if !any {
                j0 += BOX;
                continue;
            }
        }
        let inside = BOX.min(n - j0);
        let mut by_products = false;
        let mut of_tile = [[0.0; LANES]; MOST_GROUPS];
        // Groups one by one with a tile whose coordinates are all there; else all of them with each chunk.
        for turn in 0..if single { groups } else { 1 } {
            let (from, to) = if single { (turn, turn + 1) } else { (0, groups) };
            for c0 in (0..d).step_by(CHUNK) {
                let coordinates = CHUNK.min(d - c0);
                if turn == 0 {
                    // SAFETY: the launch has checked the points; the chunk is this thread's.
                    unsafe { stage(points, chunk, (c0, d), (j0, n), stride) };
                    foresee(points, (c0, d), j0, stride);
                    // SAFETY: the tile is whole, and its coordinates were written above.
                    by_products =
                        may_multiply && inside == BOX && unsafe { enter::<M>(chunk, coordinates, &mut origin) };
                }
                for group in from..to {
                    if pulls[group] {
                        // SAFETY: coordinates of the group's queries; its rows, which the chunks before have written.
                        unsafe {
                            let held = held.add(group * CHUNK);
                            let columns = (columns.wrapping_add(group * LANES + c0 * query_stride), query_stride);
                            let rows = if single { rows } else { rows.add(group * BOX) };
                            if has::<M, W, K>() && by_products {
                                let queries = if single { (held.cast_const().cast(), LANES) } else { columns };
                                double::<M, LANES>(queries, coordinates, &origin, doubled);
                                each_group::<M, PRODUCTS, LANES, MANY>(
                                    chunk,
                                    rows,
                                    (c0 == 0, coordinates + 2),
                                    doubled,
                                    p,
                                );
                                continue;
                            }
                            if !single {
                                hold(columns, coordinates, held);
                            }
                            add_chunk::<M, K, LANES>(chunk, rows, (c0 == 0, coordinates), held, p);
                        }
                    }
                }
            }
            for group in from..to {
                if pulls[group] {
                    // SAFETY: the group's rows, all of them written above; marks of the points j0.. of n.
                    let tile_totals = unsafe {
                        let rows = if single { rows } else { rows.add(group * BOX) };
                        let marks = arguments.marks.as_ptr().wrapping_add(j0);
                        let totals = weigh::<M, W, K, LANES>(rows, inside, (marks, stride), outer);
                        // By way of memory: where they are read by halves later on, the loop over pairs has them in halves.
                        if has::<M, W, K>() { lanes::read_unseen(&totals) } else { totals }
                    };
                    of_tile[group] = tile_totals;
                    totals[group] = lanes::add(totals[group], near.masked(&distances[group], tile_totals));
                }
            }
            for c0 in (0..d).step_by(CHUNK) {
                if !single {
                    // SAFETY: as above.
                    unsafe { stage(points, chunk, (c0, d), (j0, n), stride) };
                    origin = [0.0; ORIGINS];
                }
                for group in from..to {
                    if !pulls[group] {
                        continue;
                    }
                    let coordinates = CHUNK.min(d - c0);
                    let mut c = 0;
                    while c < coordinates {
                        let at = (c0 + c) * query_stride + group * LANES;
                        let mask = |sums| if near.is_on() { near.masked(&distances[group], sums) } else { sums };
                        // SAFETY: the coordinates are in the chunk, and the rows are weights of the group. Its lanes of
                        // the sums are this thread's alone, and lie in the columns; the first tile wrote them.
                        unsafe {
                            let rows = if single { rows } else { rows.add(group * BOX) };
                            let next = (sums.add(at), query_stride);
                            let (chunk, left, are_first) = (chunk.add(c * BOX), d - c0 - c, !begun[group]);
                            if has::<M, W, K>() && by_products {
                                let origin = origin.as_ptr().add(c);
                                let sums = pull_about::<M, LANES>(chunk, rows, (origin, of_tile[group]));
                                add_group::<M, _, _>(next, left, are_first, sums, mask);
                                c += MANY;
                            } else {
                                let sums = pull::<M, LANES, HALF>(chunk, rows);
                                add_group::<M, _, _>(next, left, are_first, sums, mask);
                                c += GROUP;
                            }
                        }
                    }
                }
            }
            for group in from..to {
                begun[group] |= pulls[group];
            }
        }
        j0 += BOX;
    }
    for group in 0..if near.is_on() { groups } else { 0 } {
        let count = LANES.min(active - first - group * LANES) as u32;
        // SAFETY: the caller's promise.
        unsafe { progress::add_pairs(arguments.state, u64::from(seen[group]), count) };
    }
    if slices.are_several(arguments.n) {
        for group in 0..groups {
            // SAFETY: the group's lanes in the columns of the block's slice.
            unsafe { leave(sums.add(group * LANES), (d, query_stride), begun[group], totals[group]) };
        }
        // SAFETY: the block is one thread, and has left its sums.
        if !unsafe { slices.is_last_block() } {
            return;
        }
        for group in 0..groups {
            let at = first + group * LANES;
            // SAFETY: all slices have left sums of the group, whose lanes of `next` are this thread's.
            totals[group] = unsafe { collect(&mut arguments, d, at) };
        }
    }
    let mut farthest = 0.0;
    for group in 0..groups {
        let at = first + group * LANES;
        // SAFETY: this thread's queries, whose sums it wrote.
        let moved = unsafe { finish::<W, K, LANES>(&mut arguments, totals[group], (at, active), d, sphere) };
        // Written so that a NaN stays.
        farthest = if moved <= farthest { farthest } else { moved };
    }
    if arguments.tolerance >= 0.0 {
        // SAFETY: every block of the launch is here, or none was active.
        unsafe { end_blurring(arguments.state, farthest, arguments.tolerance, active as u32) };
    }
}
