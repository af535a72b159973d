//! Points onto the nodes of a grid, in numbers of fixed point: the first step of a binned field.
//!
//! For every node g, whose place is g too:
//!
//! ```text
//! mass(g)     = sum_j v_j B(x_j - g)
//! moment_c(g) = sum_j v_j B(x_j - g) (x_j - g)_c          in spacings
//! ```
//!
//! with B the product of the splines of spline.rs and v_j the points' factors, 1 without. Moments count from
//! the node, so that f32 suffices far from the origin. Sums are of integers, `round(v S)` with S = `scale`
//! a power of two: so they do not depend on the order of points, nor on how they are divided into launches,
//! and arrays of them may be added. The host chooses S so that no sum overflows and that what a point adds
//! is below 2^50.
//!
//! `sums` has 4 words for each node and copy: the mass, and three moments of which D are used. A node is at
//! `x + nodes_x (y + nodes_y z)`, or, if there are keys, in a block (blocks.rs). On a GPU the points of a warp that touch the same
//! nodes are added up first (spread_warp.rs), then to memory by atomics. A thread of a processor adds to a copy of its own, rows of
//! nodes at a time (node_rows.rs), which takes a twentieth of the time and less; [`settle`] adds the copies.
//!
//! Operations for a point, d = 2: 16 nodes with 3 products, conversions and additions of 64 bits each.

use cuda_std::machine::MachineKind;
use cuda_std::prelude::*;

use crate::node_rows::{self, FEW};
use crate::progress;
use crate::share::each;
use crate::spline::{TAPS, are_nodes, locate, weights};
use crate::spread_warp::{Point, add_points, shared};
use crate::stored::{Layout, held};

/// Words of a node.
pub const WORDS: usize = 4;

/// Threads of a GPU's block.
const THREADS: u32 = 128;

/// The nearest integer, of a number below 2^51, in two's complement.
#[inline(always)]
pub(crate) fn rounded<M: Machine>(x: f32) -> u64 {
    #[cfg(not(target_arch = "nvptx64"))]
    if let MachineKind::Avx512 = M::KIND {
        // It has instructions for both. SAFETY: the number is below 2^51.
        return unsafe { x.round_ties_even().to_int_unchecked::<i64>() as u64 };
    }
    // In a sum with this number the unit is the last bit; the difference of the bits is the integer.
    const UNIT: f64 = 6_755_399_441_055_744.0;
    (f64::from(x) + UNIT).to_bits().wrapping_sub(UNIT.to_bits())
}

/// Where a run stands, which a field without one need not ask.
///
/// # Safety
/// `state` has the cells of progress.rs, or the limit is 0.
#[inline(always)]
pub(crate) unsafe fn is_over(state: *mut u32, limit: u32) -> bool {
    // SAFETY: the caller's promise.
    limit > 0 && unsafe { progress::active(state, limit, 1) } == 0
}

/// Adds points to the sums. `limit` is 0, or that of the run whose `state` says whether it is over.
#[kernel(
    instances(spread_1<1>, spread_2<2>, spread_3<3>),
    rolled,
    block = if Machine::LANES > 4 { 1 } else { THREADS },
    grid = if Machine::LANES > 4 { copies } else { n.div_ceil(THREADS as usize) },
    require(
        columns.len() >= stride * (D - 1) + n,
        factors.len() == 0 || factors.len() >= n,
        keys.len() > 0 || sums.len() >= copies * nodes_x * nodes_y * nodes_z * WORDS,
        D > 1 || nodes_y == 1,
        D > 2 || nodes_z == 1,
        keys.len() == 0 || D > 1 && sums.len() >= copies * keys.len() * held(D) * WORDS,
        keys.len() == 0 || slots.len() > keys.len() && slots.len().is_power_of_two(),
        sums.len() / WORDS < u32::MAX as usize,
        state.len() >= progress::HISTORY,
        copies >= 1,
        are_nodes([nodes_x, nodes_y, nodes_z], D),
    ),
)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn spread<const D: usize>(
    columns: &[f32],
    factors: &[f32],
    slots: &[u32],
    keys: &[u64],
    sums: *mut u64,
    state: *mut u32,
    limit: u32,
    n: u32,
    stride: u32,
    copies: u32,
    nodes_x: u32,
    nodes_y: u32,
    nodes_z: u32,
    inverse: f64,
    low_x: f64,
    low_y: f64,
    low_z: f64,
    scale: f32,
) {
    // SAFETY: the launch has checked the length.
    if unsafe { is_over(state, limit) } {
        return;
    }
    let (n, stride, copies) = (n as usize, stride as usize, copies as usize);
    let (nodes, low) = ([nodes_x, nodes_y, nodes_z], [low_x, low_y, low_z]);
    let layout = Layout::new::<D>(slots, keys, nodes);
    let block = thread::block_idx_x() as usize;
    let alone = Machine::KIND != MachineKind::Gpu;
    let all = if keys.is_empty() { layout.plane * nodes_z as usize } else { keys.len() * held(D) };
    // SAFETY: the copy lies within the sums, whose length the launch has checked.
    let sums = unsafe { sums.add(block % copies * all * WORDS) };
    if alone {
        let find = |first| Some((layout.index(first).expect("every point has a block"), layout.strides()));
        let points = block * n / copies..(block + 1) * n / copies;
        // SAFETY: the launch has checked the columns. `locate` gives nodes of the grid with three more behind them, which a block
        // holds, too; a processor's thread has its copy to itself.
        unsafe {
            node_rows::add_points::<Machine, D, { WORDS * TAPS }, { Machine::LANES }>(
                &FEW,
                (columns, stride, points),
                (factors, scale),
                (inverse, |c| (nodes[c], low[c])),
                find,
                sums,
            );
        }
    } else {
        let point = |i: usize| {
            let factor = scale * if factors.is_empty() { 1.0 } else { factors[i] };
            let mut point = Point { node: 0, factor, behind: [0.0; D], along: [[0.0; TAPS]; 3] };
            let mut first = [0; D];
            for c in 0..D {
                (first[c], point.behind[c]) = locate(columns[c * stride + i], inverse, low[c], nodes[c]);
                point.along[c] = weights::<Machine>(point.behind[c]);
            }
            point.node = layout.index(first).expect("every point has a block");
            point
        };
        let i = thread::index_1d();
        let room = shared_array![f32; shared(D, THREADS as usize)];
        // SAFETY: as above, but that all add atomically; threads of a block come in whole warps, each with its part of the room.
        unsafe {
            let room = room.cast::<f32>().add(thread::thread_idx_x() as usize / 32 * shared(D, 32));
            add_points((i < n).then(|| point(i)), room, sums, &layout);
        }
    }
}

/// A word of a node, of W words, in all copies of so many nodes together; zero then, unless it is to be `kept`.
///
/// # Safety
/// There are such nodes and copies, and nobody else touches the word.
#[inline(always)]
pub(crate) unsafe fn take<const W: usize>(
    sums: &mut DisjointMut<u64>,
    (node, word): (usize, usize),
    (copies, nodes): (u32, usize),
    kept: u32,
) -> u64 {
    let mut sum = 0_u64;
    for copy in 0..copies as usize {
        let at = (copy * nodes + node) * W + word;
        // SAFETY: the caller's promise.
        unsafe {
            sum = sum.wrapping_add(sums.read(at));
            if kept == 0 {
                sums.write(at, 0);
            }
        }
    }
    sum
}

/// The sums as f32, in planes of masses and moments, and zeros in the sums' place unless they are to be `kept`.
///
/// A plane has `lead` cells, then for each row of nodes `row` cells, of which the first `nodes_x` are nodes,
/// and `lead` more cells: what is not a node is zero before and stays so (smooth.rs reads beyond ends of rows).
#[kernel(
    threads = 32..=1024,
    grid = (nodes_x * rows).div_ceil(block.x * if Machine::LANES > 4 { Machine::LANES } else { 1 }),
    require(
        sums.len() >= copies * nodes_x * rows * WORDS,
        planes.len() >= (d + 1) * plane,
        plane >= 2 * lead + row * rows,
        row >= nodes_x,
        d <= 3,
        state.len() >= progress::HISTORY,
    ),
)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn settle(
    mut sums: DisjointMut<u64>,
    mut planes: DisjointMut<f32>,
    state: *mut u32,
    limit: u32,
    copies: u32,
    kept: u32,
    d: u32,
    nodes_x: u32,
    rows: u32,
    row: u32,
    lead: u32,
    plane: u32,
    unit: f32,
) {
    // SAFETY: the launch has checked the length.
    if unsafe { is_over(state, limit) } {
        return;
    }
    let (row, lead, plane) = (row as usize, lead as usize, plane as usize);
    let nodes = nodes_x as usize * rows as usize;
    let mut settle = |node: usize| {
        let (line, x) = ((node as u32 / nodes_x) as usize, (node as u32 % nodes_x) as usize);
        for word in 0..=d as usize {
            // SAFETY: the node's words are those of an item of this thread.
            let sum = unsafe { take::<WORDS>(&mut sums, (node, word), (copies, nodes), kept) };
            let at = word * plane + lead + line * row + x;
            // SAFETY: as above.
            unsafe { planes.write(at, sum as i64 as f32 * unit) };
        }
    };
    if Machine::LANES > 4 {
        each::<Machine>(nodes, settle);
    } else if thread::index_1d() < nodes {
        settle(thread::index_1d());
    }
}
