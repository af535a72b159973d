//! The fused mean-shift step for any d, and for any norm. What it computes: see shift.rs.
//!
//! ```text
//! for each tile of a box of points (all of it, or a quarter):
//!     for each chunk of CHUNK coordinates:          shared memory: the tile's coordinates
//!         power[tile][my queries] += |x_jc - q_ic|^p
//!     weight[tile][my queries] = factor_j W(scale_j power^outer), zero behind the last point
//!     for each chunk:
//!         next[c][my queries] += sum_j weight_j x_jc
//! next = q + relaxation (next / total - q)
//! ```
//!
//! The 2-norm has p = 2 and outer = 1; the 1-norm p = 1, outer = 2; any p >= 1 outer = 2 / p. For the
//! cosine distance all points lie on a sphere, on which means are put again: there
//! `1 - cos = |x - y|^2 / (2 radius^2)`, so that p = 2 and outer = 2.
//!
//! The powers and then weights of a thread's own queries to one tile lie in dynamic shared memory, the
//! running sums in `next`: registers hold neither for unknown d. The sum is of points, not of
//! differences (3 d + 2 operations a pair instead of 4 d + 2), so a position carries a rounding of its
//! own size, as its storage does.
//!
//! On a processor the same is done in another arrangement: see turns.rs.

use cuda_std::prelude::*;

pub use crate::chunks::{CHUNK, THREADS, cells, queries, staged, threads, tile};
use crate::chunks::{GROUP, add_chunk, pull, rows_apart, stage, weigh};
use crate::lanes;
use crate::near::{BOX, WIDE};
use crate::progress;
use crate::shift::{Arguments, end_blurring, supports};
use crate::turns;
use crate::weight::Weight;

/// How coordinates make a distance: `(sum_c |x_c - y_c|^p)^outer` is the squared scaled distance.
///
/// ```
/// use gpu::shift_any::Norm;
///
/// // sum |x - y|, squared.
/// let l1 = Norm { p: 1.0, outer: 2.0, sphere: 0.0 };
/// assert_ne!(l1, Norm::L2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Norm {
    /// The exponent of differences.
    pub p: f32,
    /// The exponent of their sum.
    pub outer: f32,
    /// The radius of the sphere on which all points are, or 0 if they are not on one.
    pub sphere: f32,
}

impl Norm {
    /// The 2-norm.
    pub const L2: Self = Self { p: 2.0, outer: 1.0, sphere: 0.0 };
}

/// What a copy of the kernel can do.
#[doc(hidden)]
pub trait Kind {
    /// Whether points have factors and scales.
    const MARKED: bool;
    /// Whether the norm is any, not the 2-norm.
    const ANY_NORM: bool;
}

/// The 2-norm.
#[doc(hidden)]
pub enum Plain {}

/// The 2-norm, and marks.
#[doc(hidden)]
pub enum Marked {}

/// Any norm, and marks.
#[doc(hidden)]
pub enum AnyNorm {}

impl Kind for Plain {
    const MARKED: bool = false;
    const ANY_NORM: bool = false;
}

impl Kind for Marked {
    const MARKED: bool = true;
    const ANY_NORM: bool = false;
}

impl Kind for AnyNorm {
    const MARKED: bool = true;
    const ANY_NORM: bool = true;
}

/// Makes positions of the sums in `next`; gives the largest squared step of the thread's queries.
///
/// # Safety
/// The lanes from `first` on are this thread's alone, and lie in each of the d columns of `next` and
/// the queries; `next` has the sums.
#[inline(always)]
pub(crate) unsafe fn finish<W: Weight, K: Kind, const LANES: usize>(
    arguments: &mut Arguments<'_>,
    totals: [f32; LANES],
    (first, active): (usize, usize),
    d: usize,
    sphere: f32,
) -> f32 {
    let query_stride = arguments.query_stride as usize;
    let mut squared = [0.0; LANES];
    let supports = supports::<W, LANES>(totals);
    let mut totals = supports;
    if K::ANY_NORM && sphere > 0.0 {
        // A mean divided by this, not by its total, has the sphere's radius. Opposite points have none.
        let mut lengths = [0.0; LANES];
        for c in 0..d {
            // SAFETY: the caller's promise.
            let sums = unsafe { lanes::read::<LANES>(&arguments.next, c * query_stride + first) };
            for lane in 0..LANES {
                lengths[lane] += sums[lane] * sums[lane];
            }
        }
        for lane in 0..LANES {
            totals[lane] = if supports[lane] == 0.0 { 0.0 } else { lengths[lane].sqrt() / sphere };
        }
    }
    for c in 0..d {
        let at = c * query_stride + first;
        // SAFETY: the caller's promise.
        unsafe {
            let query = lanes::load::<LANES>(arguments.queries, at);
            let mut moved = lanes::read::<LANES>(&arguments.next, at);
            for lane in 0..LANES {
                let mean = moved[lane] / totals[lane];
                // A NaN among the totals stays one.
                let step = if totals[lane] > 0.0 { mean - query[lane] } else { 0.0 * totals[lane] };
                squared[lane] += step * step;
                // Without relaxation, the mean itself: points that have met stay together exactly.
                let relaxed = query[lane] + arguments.relaxation * step;
                moved[lane] = if arguments.relaxation == 1.0 && totals[lane] > 0.0 { mean } else { relaxed };
            }
            lanes::write(&mut arguments.next, at, moved);
        }
    }
    let mut farthest = 0.0;
    for lane in 0..LANES {
        if first + lane < active {
            // SAFETY: the caller's promise.
            unsafe {
                arguments.sums.write(first + lane, supports[lane]);
                arguments.sums.write(query_stride + first + lane, squared[lane]);
            }
            // Written so that a NaN stays.
            farthest = if squared[lane] <= farthest { farthest } else { squared[lane] };
        }
    }
    farthest
}

/// Adds sums of a group of coordinates, as far as there are `left`, to those that are there; or puts them there if they are
/// the first.
///
/// # Safety
/// `next` points to lanes in the group's first column, such as [`lanes::load_whole`] takes, and their like in the others are `stride`
/// apart; nobody else touches them, and they are written unless these are the first.
#[inline(always)]
pub(crate) unsafe fn add_group<M: Machine, const LANES: usize, const GROUP: usize>(
    (next, stride): (*mut f32, usize),
    left: usize,
    are_first: bool,
    sums: [[f32; LANES]; GROUP],
    mask: impl Fn([f32; LANES]) -> [f32; LANES],
) {
    for k in 0..GROUP {
        if k < left {
            // SAFETY: the caller's promise.
            unsafe {
                let next = next.add(k * stride);
                let before = if are_first { [0.0; LANES] } else { lanes::load_whole::<M, LANES>(next) };
                lanes::store_whole::<M, LANES>(next, lanes::add(before, mask(sums[k])));
            }
        }
    }
}

/// Where a thread adds up its sums, from query `first` on, in columns that are `query_stride` apart: in `next`, or of several slices in
/// columns of its own.
///
/// # Safety
/// `next` has the lanes from `first` on.
#[inline(always)]
pub(crate) unsafe fn sums_of(arguments: &mut Arguments<'_>, d: usize, first: usize) -> *mut f32 {
    let slices = arguments.slices;
    if slices.are_several(arguments.n) {
        slices.own_columns(d, (first, arguments.query_stride as usize))
    } else {
        // SAFETY: the caller's promise.
        unsafe { arguments.next.as_mut_ptr().add(first) }
    }
}

/// Leaves a thread's total of one of several slices behind its sums; these are zeros if no tile has begun them.
///
/// # Safety
/// `sums` points to the thread's lanes in the first of d + 1 columns, `stride` apart, which nobody else touches.
#[inline(always)]
pub(crate) unsafe fn leave<const LANES: usize>(
    sums: *mut f32,
    (d, stride): (usize, usize),
    begun: bool,
    totals: [f32; LANES],
) {
    for c in if begun { d } else { 0 }..d + 1 {
        let value = if c < d { [0.0; LANES] } else { totals };
        // SAFETY: the caller's promise.
        unsafe { sums.add(c * stride).cast::<[f32; LANES]>().write(value) };
    }
}

/// Puts what all slices have left into `next`, and gives their total.
///
/// # Safety
/// [`is_last_block`](crate::slices::Slices::is_last_block) has said so; the lanes from `first` on are this thread's.
#[inline(always)]
pub(crate) unsafe fn collect<const LANES: usize>(
    arguments: &mut Arguments<'_>,
    d: usize,
    first: usize,
) -> [f32; LANES] {
    let query_stride = arguments.query_stride as usize;
    let mut totals = [0.0; LANES];
    // The total is the last of the columns: one copy of the code serves both.
    for c in 0..d + 1 {
        // SAFETY: the caller's promise.
        unsafe {
            totals = arguments.slices.collect_column(c, d, (first, query_stride));
            if c < d {
                lanes::write(&mut arguments.next, c * query_stride + first, totals);
            }
        }
    }
    totals
}

/// One step. In the blurring form, ends the iteration too.
///
/// # Safety
/// All threads of the launch call it with the same arguments, which are as [`Arguments`] says; `chunk`
/// is shared memory of [`staged`] numbers, `memory` of [`cells`]. HALF is half of the lanes.
#[inline(always)]
#[doc(hidden)]
pub unsafe fn step<M: Machine, W: Weight, K: Kind, const LANES: usize, const HALF: usize>(
    chunk: *mut f32,
    memory: *mut f32,
    d: u32,
    norm: Norm,
    arguments: Arguments<'_>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if LANES > 4 {
            turns::step::<M, W, K, LANES, HALF>(chunk, memory, d, norm, arguments);
        } else {
            in_warps::<M, W, K, LANES>(chunk, memory.cast(), d, norm, arguments);
        }
    }
}

/// One step on a GPU.
///
/// # Safety
/// As for [`step`].
#[inline(always)]
unsafe fn in_warps<M: Machine, W: Weight, K: Kind, const LANES: usize>(
    chunk: *mut f32,
    block_rows: *mut [f32; LANES],
    d: u32,
    norm: Norm,
    mut arguments: Arguments<'_>,
) {
    let Norm { p, outer, sphere } = norm;
    // SAFETY: the caller's promise; launches follow one another.
    let active = unsafe { progress::active(arguments.state, arguments.limit, arguments.most) };
    // Whole blocks leave: the others need all their threads for the tiles.
    if thread::block_idx_x() * (THREADS * LANES) as u32 >= active {
        return;
    }
    let (n, d, stride) = (arguments.n as usize, d as usize, arguments.stride as usize);
    let query_stride = arguments.query_stride as usize;
    let t = thread::thread_idx_x() as usize;
    let first = thread::index_1d() * LANES;
    // Threads behind the last active query still share the work of the tiles, and do no more.
    let moves = first < active as usize;
    let load = if moves { first } else { 0 };
    // SAFETY: the caller's promise.
    let rows = unsafe { block_rows.add(if rows_apart(LANES) == 1 { t * tile(LANES) } else { t }) };
    let (near, count) = (arguments.near, (active as usize).saturating_sub(first));
    // SAFETY: the lanes lie in columns of the queries, which have `query_stride * d` elements.
    let columns = unsafe { arguments.queries.as_ptr().add(load) };
    let slices = arguments.slices;
    // SAFETY: `next` has a multiple of any machine's lanes (layout.rs).
    let all_sums = unsafe { sums_of(&mut arguments, d, load) };
    let (mut totals, mut seen) = ([0.0; LANES], 0);
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
        }
        // SAFETY: the point is one of n.
        let distances = unsafe { near.distances_any::<M, K, LANES>((columns, query_stride), (n, d), norm, j0, count) };
        let pulls = moves && !near.all_far(&distances);
        let end_of_box = n.min(j0 + BOX);
        loop {
            let mut c0 = 0;
            while c0 < d {
                // SAFETY: every thread of the block is here, with the same numbers. The rows are this thread's;
                // the chunk was written before the barrier in `stage`, and is not until the next.
                unsafe {
                    stage::<LANES>(arguments.points, chunk, (c0, d), (j0, n), stride);
                    if pulls {
                        let queries = (columns.add(c0 * query_stride), query_stride);
                        add_chunk::<M, K, LANES>(chunk, rows, (c0, CHUNK.min(d - c0)), queries, p);
                    }
                }
                c0 += CHUNK;
            }
            if pulls {
                // SAFETY: this thread's rows, all of them written above; marks of the points j0.. of n.
                let tile_totals = unsafe {
                    let marks = if K::MARKED { arguments.marks.as_ptr().add(j0) } else { arguments.marks.as_ptr() };
                    weigh::<M, W, K, LANES>(rows, tile(LANES).min(n - j0), (marks, stride), outer)
                };
                totals = lanes::add(totals, near.masked(&distances, tile_totals));
            }
            let mut c0 = 0;
            while c0 < d {
                // With a single chunk the coordinates of the tile are still there.
                if d > CHUNK {
                    // SAFETY: as above.
                    unsafe { stage::<LANES>(arguments.points, chunk, (c0, d), (j0, n), stride) };
                }
                let mut c = 0;
                while c < CHUNK.min(d - c0) && moves && pulls {
                    // SAFETY: the group of coordinates is in the chunk, and the rows are this thread's.
                    let sums = unsafe { pull::<M, LANES>(chunk.add(c * tile(LANES)), rows) };
                    // SAFETY: the lanes of this thread are the only ones with these queries, and lie in the columns; the
                    // first tile wrote them.
                    unsafe {
                        let all_sums = all_sums.add((c0 + c) * query_stride);
                        let mask = |sums| if near.is_on() { near.masked(&distances, sums) } else { sums };
                        add_group::<M, _, _>((all_sums, query_stride), d - c0 - c, seen == 0, sums, mask);
                    }
                    c += GROUP;
                }
                c0 += CHUNK;
            }
            seen += if pulls { tile(LANES).min(n - j0) as u32 } else { 0 };
            j0 += tile(LANES);
            // Where a box is a tile, the compiler need not look.
            if tile(LANES) == BOX || j0 >= end_of_box {
                break;
            }
        }
    }
    if near.is_on() {
        // SAFETY: the caller's promise.
        unsafe { progress::add_pairs(arguments.state, u64::from(seen), count.min(LANES) as u32) };
    }
    if slices.are_several(arguments.n) {
        // SAFETY: the lanes of this thread, if it has queries; all threads of the block are here.
        unsafe {
            if moves {
                leave(all_sums, (d, query_stride), seen > 0, totals);
            }
            if !slices.is_last_block() {
                return;
            }
            if moves {
                totals = collect(&mut arguments, d, first);
            }
        }
    }
    let (state, tolerance) = (arguments.state, arguments.tolerance);
    let mut farthest = 0.0;
    if moves {
        // SAFETY: this thread's queries, whose sums it wrote.
        farthest = unsafe { finish::<W, K, LANES>(&mut arguments, totals, (first, active as usize), d, sphere) };
    }
    if tolerance >= 0.0 {
        // SAFETY: every block of the launch is here, or none was active.
        unsafe { end_blurring(state, farthest, tolerance, active) };
    }
}
