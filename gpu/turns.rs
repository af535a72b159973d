//! The fused step for any d on a processor: a block is one thread, which takes some groups of queries in turn.
//!
//! What it computes, and in which order: see shift_any.rs. What differs is where things lie, and who waits:
//!
//! 1. No barriers: each costs a processor's thread a switch of stacks. A tile is staged once for all groups of the block.
//! 2. In up to CHUNK dimensions a group's queries are copied once, to where vectors begin with lines of the cache, and one
//!    tile of weights serves all groups: queries, weights and points are within the nearest cache (20 KB of 32 with AVX-512).
//! 3. With AVX-512 the two vectors of a group each load a point's coordinate for themselves: see [`squares`]. Where a processor has no units
//!    that subtract beside those that multiply, the Gaussian's distances are products: see turn_products.rs.

use cuda_std::machine::{self, MachineKind};
use cuda_std::prelude::*;

use crate::chunks::{CHUNK, GROUP, MOST_GROUPS, add_power, groups, queries, tile, weigh};
use crate::lanes;
use crate::near::{BOX, WIDE};
use crate::progress;
use crate::shift::{Arguments, end_blurring};
use crate::shift_any::{Kind, Norm, add_group, finish};
use crate::tight::Tight;
use crate::turn_products::{COLUMNS, FEWEST, MANY, ORIGINS, double, enter, has, products, pull_about};
use crate::weight::Weight;

/// Numbers of a line of the cache.
const LINE: usize = 16;

/// Copies coordinates c0.. of points j0.. into the chunk; zeros behind the last point, and up to whole groups of coordinates.
///
/// # Safety
/// The points are n, in d columns, `stride` apart; `chunk` has CHUNK coordinates of a tile.
#[inline(always)]
unsafe fn stage(points: *const f32, chunk: *mut f32, (c0, d): (usize, usize), (j0, n): (usize, usize), stride: usize) {
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
fn foresee(points: *const f32, (c0, d): (usize, usize), j0: usize, stride: usize) {
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
unsafe fn hold<const LANES: usize>(
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
unsafe fn add_chunk<M: Machine, K: Kind, const LANES: usize>(
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
const PRODUCTS: u32 = u32::MAX;

/// The same for one kind of exponent.
///
/// # Safety
/// As for [`add_chunk`].
#[inline(always)]
unsafe fn each_group<M: Machine, const P: u32, const LANES: usize, const GROUP: usize>(
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
unsafe fn pull<M: Machine, const LANES: usize, const HALF: usize>(
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
    let (points, near) = (arguments.points.as_ptr(), arguments.near);
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
    let mut j0 = 0;
    while j0 < n {
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
                    let at = first + group * LANES;
                    for (c, x) in bunch.centroid.iter().enumerate() {
                        // SAFETY: the lanes of `next` are this thread's alone, and lie in the columns; they were written if any sums were.
                        unsafe {
                            let next = (arguments.next.as_mut_ptr().add(c * query_stride + at), query_stride);
                            add_group::<M, _, _>(next, 1, !begun[group], [lanes::scale(*x, bunch.weights)], |sums| {
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
                        let at = (c0 + c) * query_stride + first + group * LANES;
                        let mask = |sums| if near.is_on() { near.masked(&distances[group], sums) } else { sums };
                        // SAFETY: the coordinates are in the chunk, and the rows are weights of the group. Its lanes of
                        // `next` are this thread's alone, and lie in the columns; the first tile wrote them.
                        unsafe {
                            let rows = if single { rows } else { rows.add(group * BOX) };
                            let next = (arguments.next.as_mut_ptr().add(at), query_stride);
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
    let mut farthest = 0.0;
    for group in 0..groups {
        let at = first + group * LANES;
        if near.is_on() {
            // SAFETY: the caller's promise.
            unsafe { progress::add_pairs(arguments.state, u64::from(seen[group]), LANES.min(active - at) as u32) };
        }
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
