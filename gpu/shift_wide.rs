//! The fused mean-shift step for 5 to 32 dimensions, unmarked and with the 2-norm. What it computes: see shift.rs.
//!
//! Three instances, for up to D = 8, 16 and 32 coordinates. A thread's queries and the sums of a tile are in
//! registers, and coordinates from d to D are zeros, there and in the tile: they add nothing to a distance. For d = 5 and 6 the
//! loop over points leaves two of them out.
//!
//! ```text
//! for each tile of TILE points:                     shared memory: the tile, a point's coordinates together
//!     for each point of the tile:                   D / 4 loads of 16 bytes, the same for all threads
//!         weight[my queries] = W(sum_c (x_jc - q_ic)^2)
//!         sums[c][my queries] += weight x_jc
//!     next[c][my queries] += sums[c]
//! next = q + relaxation (next / total - q)
//! ```
//!
//! Operations for a pair: D subtractions, D fused multiply-adds for the distance, D for the sum, the weight, and 1
//! addition. As in shift_any.rs the sum is of points, not of differences: those would have to be kept in D registers
//! a query, or computed twice. Sums of all tiles are in `next`, since registers hold no second set of them.
//!
//! Where queries are few, blocks with the same queries share the points (slices.rs): the sums of each slice's tiles are then
//! where slices meet, and the last block adds them up into `next`.
//!
//! Where boxes may be left out (near.rs), shift_any.rs has the step: what is far is then skipped, not computed faster.

use cuda_std::machine::MachineKind;
use cuda_std::prelude::*;

use crate::lanes::{self, Whole, unrolled};
use crate::progress;
use crate::shift::{Arguments, end_blurring};
use crate::shift_any::{Plain, finish};
use crate::weight::Weight;

/// Points of a tile: 18 KiB of shared memory for 32 coordinates.
pub const TILE: usize = 128;

/// Rows of a tile's memory: one more may be read than there are points.
#[doc(hidden)]
pub const ROWS: usize = TILE + 1;

/// The most columns of sums that are under way together.
const TOGETHER: usize = 8;

/// How many are for D coordinates: for 16, twice as many leave three warps a scheduler on compute 7.5 and 8.0, not four.
const fn together(d: usize) -> usize {
    if d == 16 { TOGETHER / 2 } else { TOGETHER }
}

/// The coordinates that instances are compiled for.
pub const WIDTHS: [usize; 3] = [8, 16, 32];

/// Coordinates of a second loop over pairs, which the smallest instance has on a GPU: all that d = 5 and 6 need.
const NARROW: usize = 6;

/// Threads of a block. On a GPU two warps, since registers admit 8 to 16 of them a multiprocessor: smaller blocks
/// leave less of the registers without a use, and fewer multiprocessors idle behind the last query.
#[doc(hidden)]
pub const fn threads(machine: MachineKind) -> usize {
    if matches!(machine, MachineKind::Gpu) { 64 } else { 32 }
}

/// Queries of a thread, in the instance for D coordinates. On a GPU as many as registers hold: the loads of a point
/// are shared among them. On a processor one vector, so that sums stay in its registers.
#[doc(hidden)]
pub const fn queries(machine: MachineKind, lanes: usize, d: usize) -> usize {
    match machine {
        MachineKind::Gpu if d <= 8 => 4,
        MachineKind::Gpu => 2,
        _ => lanes / 2,
    }
}

/// The instance for d coordinates, where it is to be launched instead of shift_any.rs: its place in [`WIDTHS`]. On GPUs
/// always: shift_any.rs admits 5 warps a multiprocessor and takes 4 instructions a coordinate of a pair, where these
/// admit 8 to 16 and take 3. On processors never: there shift_any.rs is what has been measured.
///
/// ```
/// use cuda_std::machine::MachineKind::{Avx2, Gpu};
/// use gpu::shift_wide::{WIDTHS, instance};
///
/// assert_eq!(instance(Gpu, 5).map(|which| WIDTHS[which]), Some(8));
/// assert_eq!((instance(Gpu, 33), instance(Avx2, 5)), (None, None));
/// ```
#[cfg(not(target_arch = "nvptx64"))]
pub fn instance(machine: MachineKind, d: u32) -> Option<usize> {
    let serves = machine == MachineKind::Gpu && d > 4;
    if serves { WIDTHS.iter().position(|width| d as usize <= *width) } else { None }
}

/// A point in a tile. The gap puts the neighbours that a quarter of a warp stores at once into different banks.
#[doc(hidden)]
#[derive(Clone, Copy)]
#[repr(C, align(16))]
pub struct Row<const D: usize> {
    coordinates: [f32; D],
    gap: [f32; 4],
}

/// Runs a block for each of D <= 32 coordinates, which it names as a constant. LLVM unrolls loops only up to some size,
/// and arrays that a loop indexes are not in a GPU's registers.
macro_rules! each_coordinate {
    ($c:ident < $width:expr, $body:block) => {
        each_coordinate!(@ $c, $width, $body, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15
            16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31)
    };
    (@ $c:ident, $width:expr, $body:block, $($number:literal)*) => { $(
        if $number < $width {
            const $c: usize = $number;
            $body
        }
    )* };
}

/// Sums of a thread's queries over a tile: sum_j w x_j in each coordinate, and sum_j w.
type Sums<const D: usize, const LANES: usize> = ([[f32; LANES]; D], [f32; LANES]);

/// The first coordinates of a point that are loaded while the point before it is summed up, if any are.
const AHEAD: usize = 8;

/// How many are: on a GPU, for more than 16 coordinates, where two warps a scheduler would wait for each point. With more, or
/// with some for fewer coordinates, the driver's compiler has instructions read from the same bank of registers.
const fn ahead(machine: MachineKind, d: usize) -> usize {
    if matches!(machine, MachineKind::Gpu) && d > 16 { AHEAD } else { 0 }
}

/// What a tile of points adds to a thread's queries, in the first coordinates, behind which all are zeros.
///
/// # Safety
/// `rows` has `len` points, and behind them a row whose first coordinates may be read.
#[allow(clippy::absurd_extreme_comparisons)] // As in `columns`.
#[inline(always)]
unsafe fn pull<M: Machine, W: Weight, const D: usize, const LANES: usize, const USED: usize>(
    rows: *const Row<D>,
    len: u32,
    queries: &[[f32; LANES]; D],
) -> Sums<D, LANES> {
    let (mut sums, mut totals) = ([[0.0; LANES]; D], [0.0; LANES]);
    // SAFETY: the caller's promise; a row begins with its quads.
    let quad = |j: usize, c: usize| unsafe { rows.add(j).cast::<Whole<4>>().add(c / 4).read().0 };
    let mut first = [0.0; D];
    if ahead(M::KIND, D) > 0 {
        let start = opaque(0);
        each_coordinate!(C < USED, {
            if C < ahead(M::KIND, D) {
                first[C] = quad(start, C)[C % 4];
            }
        });
        loaded();
    }
    // 32 bits: a GPU counts in them with half the instructions.
    for j in 0..len {
        let mut x = first;
        each_coordinate!(C < USED, {
            if C >= ahead(M::KIND, D) {
                x[C] = quad(j as usize, C)[C % 4];
            }
        });
        let mut squared = [0.0; LANES];
        each_coordinate!(C < USED, {
            for lane in 0..LANES {
                let difference = x[C] - queries[C][lane];
                squared[lane] =
                    if C == 0 { difference * difference } else { M::mul_add(difference, difference, squared[lane]) };
            }
        });
        let weights = W::of_lanes::<M, LANES>(squared);
        totals = lanes::add(totals, weights);
        // Query by query, not coordinate by coordinate: multiply-adds in a row with the same weight read it once.
        for lane in 0..LANES {
            each_coordinate!(C < USED, {
                sums[C][lane] = M::mul_add(x[C], weights[lane], sums[C][lane]);
                if lane + 1 == LANES && C < ahead(M::KIND, D) && C % 4 == 3 {
                    let quad = quad(j as usize + 1, C);
                    for i in 0..4 {
                        first[C / 4 * 4 + i] = quad[i];
                    }
                }
            });
        }
    }
    (sums, totals)
}

/// Lanes of neighbours in each of d columns, `stride` apart, and zeros up to D.
///
/// # Safety
/// More than D / 2 columns, and d, have the lanes that `first` points to in the first of them.
#[allow(clippy::absurd_extreme_comparisons)] // C is 0 in the first of the blocks.
#[inline(always)]
unsafe fn columns<const D: usize, const LANES: usize>(
    mut first: *const f32,
    stride: usize,
    d: u32,
) -> [[f32; LANES]; D] {
    let mut values = [[0.0; LANES]; D];
    'all: {
        each_coordinate!(C < D, {
            if C > D / 2 && C as u32 >= d {
                break 'all;
            }
            if C > 0 {
                first = first.wrapping_add(stride);
            }
            for lane in 0..LANES {
                // SAFETY: the caller's promise.
                values[C][lane] = unsafe { first.add(lane).read() };
            }
        });
    }
    values
}

/// Adds to the lanes of neighbours in each of d columns, `stride` apart: several columns at a time, whose loads wait together.
///
/// # Safety
/// As for [`columns`], and nobody else touches them.
#[inline(always)]
unsafe fn add_columns<const D: usize, const LANES: usize>(
    first: *mut f32,
    stride: usize,
    d: u32,
    values: [[f32; LANES]; D],
) {
    let mut column = first;
    unrolled!(group in 0..D / together(D), {
        let (mut places, mut sums) = ([column; TOGETHER], [[0.0; LANES]; TOGETHER]);
        unrolled!(i in 0..TOGETHER, {
            let c = group * together(D) + i;
            // A column behind the last is the last once more, where nothing is stored then: no load is under a condition.
            if c > 0 && i < together(D) && (c <= D / 2 || (c as u32) < d) {
                column = column.wrapping_add(stride);
            }
            for lane in 0..if i < together(D) { LANES } else { 0 } {
                // SAFETY: the caller's promise.
                sums[i][lane] = values[c][lane] + unsafe { column.add(lane).read() };
            }
            places[i] = column;
        });
        unrolled!(i in 0..TOGETHER, {
            let c = group * together(D) + i;
            if i < together(D) && (c <= D / 2 || (c as u32) < d) {
                for lane in 0..LANES {
                    // SAFETY: as above.
                    unsafe { places[i].add(lane).write(sums[i][lane]) };
                }
            }
        });
    });
}

/// Fills a tile with the points from `j0` on, this thread's share of them.
///
/// # Safety
/// The slices are as [`Arguments`] says, for d as for [`columns`]; `tile` has room for `len` points, which lie among the n, and
/// for one more, and nobody else touches it until the next barrier but the block's other threads, here.
#[inline(always)]
unsafe fn stage<M: Machine, const D: usize>(arguments: &Arguments<'_>, tile: *mut Row<D>, d: u32, j0: u32, len: u32) {
    let (points, stride) = (arguments.points.as_ptr(), arguments.stride as usize);
    let mut j = thread::thread_idx_x();
    if j == 0 && ahead(M::KIND, D) > 0 {
        // Loaded behind the last point, and not used.
        // SAFETY: as below.
        unsafe { (&raw mut (*tile.add(len as usize)).coordinates).cast::<[f32; AHEAD]>().write([0.0; AHEAD]) };
    }
    while j < len {
        let at = (j0 + j) as usize;
        // SAFETY: the caller's promise.
        let coordinates = unsafe { columns::<D, 1>(points.add(at), stride, d) };
        let coordinates = core::array::from_fn(|c| coordinates[c][0]);
        // SAFETY: this thread alone writes the cell before the barrier.
        unsafe { (&raw mut (*tile.add(j as usize)).coordinates).write(coordinates) };
        j += thread::block_dim_x();
    }
}

/// A number of which LLVM knows no more than its value. Addresses that are made of such a stride within a loop are not made
/// before, where they would take two registers each until they are used.
#[inline(always)]
fn opaque(number: usize) -> usize {
    #[cfg(target_arch = "nvptx64")]
    {
        let mut hidden = number;
        // SAFETY: a comment.
        unsafe { core::arch::asm!("/* {0} */", inout(reg64) hidden, options(nomem, nostack, preserves_flags)) };
        hidden
    }
    #[cfg(not(target_arch = "nvptx64"))]
    number
}

/// Memory might change here, for all LLVM knows: else it loads at the beginning of a turn what the turn before was to load.
#[inline(always)]
fn loaded() {
    #[cfg(target_arch = "nvptx64")]
    // SAFETY: a comment.
    unsafe {
        core::arch::asm!("/* loaded */", options(nostack, preserves_flags))
    };
}

/// One step. In the blurring form, ends the iteration too.
///
/// # Safety
/// All threads of the launch call it with the same arguments, which are as [`Arguments`] says, for d of at most D
/// coordinates and more than half of D; `tile` is shared memory for [`ROWS`] rows.
#[inline(always)]
#[doc(hidden)]
pub unsafe fn step<M: Machine, W: Weight, const D: usize, const LANES: usize>(
    tile: *mut Row<D>,
    d: u32,
    mut arguments: Arguments<'_>,
) {
    // SAFETY: the caller's promise; launches follow one another.
    let active = unsafe { progress::active(arguments.state, arguments.limit, arguments.most) };
    // Whole blocks leave: the others need all their threads for the tiles.
    if thread::block_idx_x() * thread::block_dim_x() * LANES as u32 >= active {
        return;
    }
    let first = thread::index_1d() * LANES;
    let (n, query_stride) = (arguments.n, arguments.query_stride as usize);
    // Threads behind the last active query still share the work of the tiles, and do no more.
    let moves = first < active as usize;
    let load = if moves { first } else { 0 };
    // SAFETY: a column has a multiple of the lanes of any machine (layout.rs).
    let queries = unsafe { columns::<D, LANES>(arguments.queries.as_ptr().add(load), query_stride, d) };
    let slices = arguments.slices;
    // Where sums of tiles are added up: of several slices each has columns of its own.
    let columns_of_sums = if slices.are_several(n) {
        slices.own_columns(d as usize, (first, query_stride))
    } else {
        arguments.next.as_mut_ptr().wrapping_add(first)
    };
    if moves {
        for c in 0..d as usize {
            // SAFETY: this thread's lanes, which lie in each column.
            unsafe { columns_of_sums.add(c * query_stride).cast::<[f32; LANES]>().write([0.0; LANES]) };
        }
    }
    let mut totals = [0.0; LANES];
    let (mut j0, end) = slices.range(n);
    while j0 < end {
        let len = (end - j0).min(TILE as u32);
        // SAFETY: nobody reads the tile between the barriers below and above.
        unsafe { stage::<M, D>(&arguments, tile, d, j0, len) };
        thread::sync_threads();
        if moves {
            // SAFETY: `len` points and what is behind them were written before the barrier, and are not touched until the next.
            let (tile_sums, tile_totals) = unsafe {
                if matches!(M::KIND, MachineKind::Gpu) && D == 8 && d <= NARROW as u32 {
                    pull::<M, W, D, LANES, NARROW>(tile, len, &queries)
                } else {
                    pull::<M, W, D, LANES, D>(tile, len, &queries)
                }
            };
            totals = lanes::add(totals, tile_totals);
            // SAFETY: the lanes of this thread are the only ones with these queries, lie in each of d columns, and
            // were written above.
            unsafe { add_columns(columns_of_sums, opaque(query_stride), d, tile_sums) };
        }
        thread::sync_threads();
        j0 += TILE as u32;
    }
    if slices.are_several(n) {
        let (d, place) = (d as usize, (first, query_stride));
        // SAFETY: the caller's promise; `next` has the lanes of this thread in each of d columns.
        unsafe {
            if moves {
                columns_of_sums.add(d * query_stride).cast::<[f32; LANES]>().write(totals);
            }
            if !slices.is_last_block() {
                return;
            }
            if moves {
                // The totals are the last of the columns: one copy of the code serves both.
                for c in 0..d + 1 {
                    totals = slices.collect_column(c, d, place);
                    if c < d {
                        arguments.next.as_mut_ptr().add(c * query_stride + first).cast::<[f32; LANES]>().write(totals);
                    }
                }
            }
        }
    }
    let (state, tolerance) = (arguments.state, arguments.tolerance);
    let mut farthest = 0.0;
    if moves {
        // SAFETY: this thread's queries, whose sums it wrote.
        farthest =
            unsafe { finish::<W, Plain, LANES>(&mut arguments, totals, (first, active as usize), d as usize, 0.0) };
    }
    if tolerance >= 0.0 {
        // SAFETY: every block of the launch is here, of several slices the last, or none was active.
        unsafe { end_blurring(state, farthest, tolerance, active) };
    }
}
