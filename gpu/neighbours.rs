//! The distance to the k-th nearest point, exactly, without a matrix of distances.
//!
//! For every query y_i: the smallest v for which the points with V_ij <= v have a mass of `k` or more,
//! V_ij = sum_c |y_ic - x_jc|^p as f32 computes it. Without masses every point counts one, so v is
//! the k-th smallest of the values; a query that is itself a point counts, at 0. The distance is
//! `v^(1/p)`, which [`roots`] takes.
//!
//! ```text
//! bracket = all values; repeat until every query's bracket is one value:
//!     a pass that counts:  mass of the values <= t for CUTS cuts t within the bracket, which then shrinks
//!     a pass that snaps:   the bracket's ends move inwards to values that occur, unless the upper is that of all values
//! ```
//!
//! A pass visits all pairs, in tiles as the fused steps do. Values between the ends of a bracket are taken to
//! lie evenly, as order statistics do that are few beside n: c values then leave about 3 sqrt(c) for
//! the next pass. Where a pass gains too little (ties, outliers), the next one cuts the floats' bits in even
//! parts, which order as the floats do: that quarters the bracket. Masses are integers, so that a sum has no order.
//!
//! Where points and queries stand in an order that keeps neighbours together, and k is small beside n, most tiles are farther than what is
//! sought: their boxes say so.
//!
//! Brackets may be guessed from some of the points, which spares the passes that find where the values lie at all.
//! Operations for a pair and pass, L2: 2 d for the value, and 2 CUTS (a comparison and a sum under its mask), or 4
//! to snap.

use cuda_std::{prelude::*, shared};

use crate::brackets::{Brackets, CUTS};
use crate::lanes;
use crate::layout::STRIDE;
use crate::pairwise::{L1, L2, Lp, Metric};
use crate::tile::{CELLS, CHUNK, Ends, Far, GROUP, MOST, NARROW, Source, THREADS, Tile, stage, step, width};

/// Every so many passes one snaps.
const SNAP: u32 = 4;

/// The guesses below and above, and their middle.
///
/// # Safety
/// `guesses` points to LANES guesses, and to as many `stride` further.
#[inline(always)]
unsafe fn guessed_cuts<const LANES: usize>(guesses: *const f32, stride: usize) -> [[f32; LANES]; CUTS] {
    // SAFETY: the caller's promise.
    let (below, above) =
        unsafe { (guesses.cast::<[f32; LANES]>().read(), guesses.add(stride).cast::<[f32; LANES]>().read()) };
    let mut middle = [0.0; LANES];
    for lane in 0..LANES {
        middle[lane] = 0.5 * (below[lane] + above[lane]);
    }
    [below, middle, above]
}

/// The masses up to each cut, or the values between the bounds, over all points; for an idle thread neither.
///
/// # Safety
/// All threads of the block call it, and agree about the points, the tile's size and `snapping`.
#[inline(always)]
unsafe fn pass_over<M: Machine, N: Metric, const D: usize, const LANES: usize, const STEP: usize>(
    source: Source<'_>,
    tile: &mut Tile<LANES>,
    held: &[[f32; LANES]; D],
    d: usize,
    (idle, snapping): (bool, bool),
    (cuts, bounds): (&[[f32; LANES]; CUTS], Ends<LANES>),
    far: Far<'_, LANES>,
) -> ([[u32; LANES]; CUTS], Ends<LANES>) {
    let mut masses = [[0; LANES]; CUTS];
    let mut ends = ([f32::INFINITY; LANES], [0.0; LANES]);
    let kept = D == 0 && !tile.rows.is_null();
    macro_rules! look {
        ($part:expr) => {
            if snapping {
                ends = $part.snap::<M, N, D, STEP>(held, bounds, ends);
            } else {
                masses = $part.count::<M, N, D, STEP>(held, cuts, masses);
            }
        };
    }
    let row = if LANES > 4 { row_of(LANES, D, d, source.n) } else { tile.width };
    let mut j0 = 0;
    while j0 < source.n {
        let b = j0 / tile.width;
        // SAFETY: there are such boxes, if any; the block agrees about what is too far for all of it.
        if LANES > 4 && j0.is_multiple_of(row) && unsafe { far.for_block::<M, N>(far.rows, j0 / row, d, tile.p) } {
            j0 += row;
            continue;
        }
        // SAFETY: as above.
        if unsafe { far.for_block::<M, N>(far.boxes, b, d, tile.p) } {
            j0 += tile.width;
            continue;
        }
        // SAFETY: as above.
        let idle = idle || unsafe { far.for_thread::<M, N, D>(far.boxes, b, held, tile) };
        tile.points = tile.width.min(source.n - j0).next_multiple_of(GROUP);
        let mut c0 = 0;
        while c0 < d {
            let coordinates = (c0, CHUNK.min(d - c0));
            // SAFETY: every thread of the block is here, with the same numbers; the rows are this thread's.
            unsafe {
                stage(source, (tile.coordinates, tile.masses), coordinates, (j0, tile.width));
                if kept && !idle {
                    tile.keep::<M, N>(coordinates);
                }
            }
            c0 += CHUNK;
        }
        // A processor's thread asks for parts of the tile, too.
        let size = if LANES <= 4 || D == 0 || far.parts.is_empty() { tile.points } else { PART };
        // SAFETY: the tile is staged, and so are the rows; its parts have boxes.
        unsafe {
            if LANES > 4 {
                let mut first = if idle { tile.points } else { 0 };
                while first < tile.points {
                    if size > PART || !far.for_thread::<M, N, D>(far.parts, (j0 + first) / PART, held, tile) {
                        look!(tile.part(first, size));
                    }
                    first += size;
                }
            } else if !idle {
                look!(tile);
            }
        }
        j0 += tile.width;
    }
    (masses, ends)
}

/// The largest number of any thread of the block.
///
/// # Safety
/// All threads of the block call it; `cells` is shared memory of THREADS numbers that nothing else touches.
#[inline(always)]
unsafe fn largest_of<const LANES: usize>(cells: *mut f32, own: [f32; LANES]) -> f32 {
    let mut largest = own[0];
    for lane in 1..LANES {
        largest = if own[lane] > largest { own[lane] } else { largest };
    }
    // SAFETY: the caller's promise; a barrier lies between what each writes and what all read, and before the next write.
    unsafe {
        thread::sync_threads();
        cells.add(thread::thread_idx_x() as usize).write(largest);
        thread::sync_threads();
        for t in 0..THREADS {
            let other = cells.add(t).read();
            largest = if other > largest { other } else { largest };
        }
    }
    largest
}

/// Points of a tile of the search for threads of so many lanes, for the instance of D coordinates, 0 for any d.
///
/// ```
/// use gpu::neighbours::tile_of;
///
/// assert_eq!((tile_of(4, 2, 2), tile_of(32, 0, 6)), (512, 64));
/// ```
pub const fn tile_of(lanes: usize, dimensions: usize, d: usize) -> usize {
    width(is_kept(lanes, dimensions, d), d)
}

/// Points of a part of a tile, for which a processor's thread asks by itself.
///
/// ```
/// assert_eq!(gpu::neighbours::PART, 64);
/// ```
pub const PART: usize = NARROW;

/// Points of several tiles in a row, which a processor's block passes over at once: of about half as many tiles as the root of all of
/// them, which makes the fewest questions where a few such rows are near each block.
///
/// ```
/// use gpu::neighbours::row_of;
///
/// assert_eq!(row_of(16, 2, 2, 1_000_000), 32 * 512);
/// assert_eq!(row_of(16, 0, 2, 1_000_000), 64 * 64);
/// ```
pub const fn row_of(lanes: usize, dimensions: usize, d: usize, n: usize) -> usize {
    let tile = tile_of(lanes, dimensions, d);
    tile * (n.div_ceil(tile).isqrt() / 2).next_power_of_two()
}

/// Boxes that it takes of n points: of each [`tile_of`], then of each [`PART`], then of each [`row_of`].
///
/// ```
/// use gpu::neighbours::boxes_for;
///
/// assert_eq!(boxes_for(4, 2, 2, 1000), 2 + 16 + 2);
/// ```
pub const fn boxes_for(lanes: usize, dimensions: usize, d: usize, n: usize) -> usize {
    n.div_ceil(tile_of(lanes, dimensions, d)) + n.div_ceil(PART) + n.div_ceil(row_of(lanes, dimensions, d, n))
}

/// Queries of a block of it.
///
/// ```
/// assert_eq!(gpu::neighbours::block_of(4), 128);
/// ```
pub const fn block_of(lanes: usize) -> usize {
    THREADS * lanes
}

/// Whether values are made before they are compared.
const fn is_kept(lanes: usize, dimensions: usize, d: usize) -> bool {
    dimensions == 0 && (d > CHUNK || step(lanes) == 1)
}

/// `values[i]` for m queries, both sets by columns, scaled so that no difference of coordinates exceeds 1.
///
/// `masses` is empty, or has one for each point, `total` in all, 1 <= k <= total. `guesses` is empty,
/// or has a value below and, query_stride further, one above which the result may be; a wrong guess costs passes alone.
/// `boxes` and `query_boxes` are empty, or have the boxes (boxes.rs) that [`boxes_for`] counts, and of each [`block_of`] queries: tiles that are
/// farther than what is sought are then passed over, which gains where neighbours stand together. `places` is empty, or says where each
/// query's value goes.
#[kernel(
    instances(
        kth_value_l2_1<L2, 1>,
        kth_value_l2_2<L2, 2>,
        kth_value_l2_3<L2, 3>,
        kth_value_l2_4<L2, 4>,
        kth_value_l2_any<L2, 0>,
        kth_value_l1_any<L1, 0>,
        kth_value_lp_any<Lp, 0>,
    ),
    block = THREADS as u32,
    grid = m.div_ceil(THREADS * Machine::LANES),
    shared = if is_kept(Machine::LANES, D, d) { NARROW * THREADS * Machine::LANES * 4 } else { 16 },
    require(
        points.len() >= stride * d,
        queries.len() >= query_stride * d,
        stride >= n,
        query_stride >= m,
        query_stride.is_multiple_of(STRIDE),
        queries.is_aligned(16),
        masses.len() == 0 || masses.len() >= n,
        guesses.len() == 0 || guesses.len() >= 2 * query_stride,
        places.len() == 0 || places.len() >= m,
        boxes.len() == 0 || boxes.len() >= boxes_for(Machine::LANES, D, d, n) * d * 2,
        boxes.len() == 0 || query_boxes.len() >= m.div_ceil(block_of(Machine::LANES)) * d * 2,
        values.len() >= m,
        D == 0 || D == d,
        d > 0,
        k > 0,
        k <= total,
    ),
)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn kth_value<N: Metric, const D: usize>(
    points: &[f32],
    masses: &[u32],
    queries: &[f32],
    guesses: &[f32],
    places: &[u32],
    boxes: &[f32],
    query_boxes: &[f32],
    mut values: DisjointMut<f32>,
    n: u32,
    stride: u32,
    m: u32,
    query_stride: u32,
    d: u32,
    k: u32,
    total: u32,
    p: f32,
) {
    const LANES: usize = Machine::LANES;
    const STEP: usize = step(LANES);
    let source = Source { points, masses, n: n as usize, stride: stride as usize };
    let coordinates = shared_array![f32; CELLS];
    let masses = shared_array![u32; MOST];
    let largest = shared_array![f32; THREADS];
    let (m, d, query_stride) = (m as usize, d as usize, query_stride as usize);
    let t = thread::thread_idx_x() as usize;
    let first = thread::index_1d() * LANES;
    // Threads behind the last query still share the work of the tiles.
    let load = if first < query_stride { first } else { 0 };
    let kept = is_kept(LANES, D, d);
    let width = width(kept, d);
    let rows = if kept {
        // SAFETY: the launch gave NARROW rows of LANES floats for each thread.
        unsafe { shared::dynamic_shared_mem::<[f32; LANES]>().add(if LANES > 4 { t * NARROW } else { t }) }
    } else {
        core::ptr::null_mut()
    };
    let mut held = [[0.0; LANES]; D];
    for (c, held) in held.iter_mut().enumerate() {
        held.copy_from_slice(&queries[c * query_stride + load..][..LANES]);
    }
    // SAFETY: the lanes from `load` on lie in the first column.
    let queries = unsafe { queries.as_ptr().add(load) };
    let mut tile = Tile { coordinates, width, masses, points: 0, d, queries, stride: query_stride, rows, p };
    // A little more than d differences of at most 1 sum to.
    let most = (1.01 * d as f32).to_bits();
    let (count, tiles, parts) = (m.saturating_sub(first), source.n.div_ceil(width), source.n.div_ceil(PART));
    let mut brackets = Brackets::<LANES>::all(most, total).of_first(count, most, k);
    let guessed = !guesses.is_empty();
    let unit = n as f32 / total as f32;
    let (mut settled, mut exact) = (first >= m, first >= m);
    let (mut all_settled, mut pass) = (false, 0);
    loop {
        let snapping = all_settled || pass % SNAP == if guessed { SNAP - 1 } else { 0 };
        let idle = if snapping { exact } else { settled };
        let cuts = if guessed && pass == 0 {
            // SAFETY: the lanes from `load` on lie in both columns of guesses.
            unsafe { guessed_cuts(guesses.as_ptr().add(load), query_stride) }
        } else {
            brackets.cuts::<Machine>(k, (total, unit), n as f32)
        };
        let bounds = (brackets.low.map(f32::from_bits), brackets.high.map(f32::from_bits));
        let mut own = if snapping { brackets.ends(k, total) } else { cuts[CUTS - 1] };
        for lane in 0..LANES {
            own[lane] = if lane < count { own[lane] } else { -1.0 };
        }
        let of_block = if LANES <= 4 || boxes.is_empty() {
            0.0
        } else {
            // SAFETY: THREADS cells, of which each thread has one; every thread of the block is here.
            unsafe { largest_of(largest, if idle { [-1.0; LANES] } else { own }) }
        };
        let (boxes, others) =
            if LANES <= 4 || boxes.is_empty() { (boxes, boxes) } else { boxes.split_at(tiles * d * 2) };
        let (parts, rows) = if others.is_empty() { (boxes, boxes) } else { others.split_at(parts * d * 2) };
        let far = Far { boxes, parts, rows, query_boxes, own, of_block };
        // SAFETY: every thread of the block is here, and agrees about what it passes but for its queries.
        let (masses, ends) = unsafe {
            let passed = (idle, snapping);
            pass_over::<Machine, N, D, LANES, STEP>(source, &mut tile, &held, d, passed, (&cuts, bounds), far)
        };
        if !idle && snapping {
            brackets.snap(k, total, ends);
            brackets = brackets.of_first(count, most, k);
            exact = brackets.settled(k);
        } else if !idle {
            brackets = brackets.shrink(k, &cuts, &masses).of_first(count, most, k);
        }
        settled = settled || brackets.settled(k);
        if thread::sync_threads_and(exact) {
            break;
        }
        all_settled = thread::sync_threads_and(settled);
        pass += 1;
    }
    if first < m {
        let found = brackets.high.map(f32::from_bits);
        // SAFETY: lane `lane` of this thread is the only one with query first + lane, and no two have one place.
        unsafe {
            if places.is_empty() {
                lanes::write_some(&mut values, first, found, m - first);
                return;
            }
            for lane in 0..LANES {
                if first + lane < m {
                    values.write(places[first + lane] as usize, found[lane]);
                }
            }
        }
    }
}

/// `values[i] = factor * values[i]^(1/p)`: distances of sums of powers. One thread a value.
#[kernel(threads = 32..=1024, require(p >= 1.0))]
pub unsafe fn roots(mut values: DisjointMut<f32>, factor: f32, p: f32) {
    if let Some(value) = values.own() {
        *value = factor
            * if p == 2.0 {
                GpuFloat::sqrt(*value)
            } else if p == 1.0 {
                *value
            } else {
                GpuFloat::powf(*value, 1.0 / p)
            };
    }
}
