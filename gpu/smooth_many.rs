//! The convolution of a binned field in four and five dimensions: smooth.rs, one kernel for all axes, over planes without gaps.
//!
//! A plane has a word of each node, in the nodes' order, and [`BEHIND`] cells of anything behind them; a node and its neighbour along an
//! axis are `below` nodes apart, of which there are `len`. `taps` has k(-t) for t from -span to span, and then -t k(-t), where a node
//! is t behind the neighbour that it takes a mass from: zeros beyond the reach, which a thread's nodes along x look at too.
//!
//! ```text
//! along x       32 nodes t = x - x' of one x': their taps stand in a row, and the mass is one number
//! along others  32 nodes in a row have neighbours in a row, which all have one tap
//! ```
//!
//! A processor's threads that follow one another are neighbours on the axis: they look at the same 32 cells of `len` places, which
//! stay in its first cache. A GPU's are in a row of memory.
//!
//! [`settle_many`] makes the planes of the sums before, and [`fill_many`] the nodes as steps read them (many.rs) after.
//!
//! Operations for a node and pass: (D + 2) min(2 reach + 1, len) fma.

use cuda_std::prelude::*;

use crate::lanes::{self, unrolled};
use crate::many::{MANY_WORDS, MOST};
use crate::progress;
use crate::share::each;
use crate::spread::{is_over, take};

/// Cells behind the nodes of a plane, which lanes may read.
///
/// ```
/// // As many as a processor's thread has lanes at most.
/// assert_eq!(gpu::smooth_many::BEHIND, 32);
/// ```
pub const BEHIND: usize = 32;

/// The most planes: of masses, and of each axis' moments.
const PLANES: usize = MOST + 1;

/// The sums as f32, in planes of masses and moments, and zeros in the sums' place unless they are to be `kept`.   One thread a node;
/// LANES of a processor's.
#[kernel(
    threads = 32..=1024,
    grid = nodes.div_ceil(block.x * Machine::LANES),
    require(
        sums.len() >= copies * nodes * MANY_WORDS,
        planes.len() >= (d + 1) * plane,
        plane >= nodes,
        d < MANY_WORDS,
        state.len() >= progress::HISTORY,
    ),
)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn settle_many(
    mut sums: DisjointMut<u64>,
    mut planes: DisjointMut<f32>,
    state: *mut u32,
    limit: u32,
    copies: u32,
    kept: u32,
    d: u32,
    nodes: u32,
    plane: u32,
    unit: f32,
) {
    // SAFETY: the launch has checked the length.
    if unsafe { is_over(state, limit) } {
        return;
    }
    each::<Machine>(nodes as usize, |node| {
        for word in 0..=d as usize {
            // SAFETY: the node's words are those of an item of this thread.
            let sum = unsafe { take::<MANY_WORDS>(&mut sums, (node, word), (copies, nodes as usize), kept) };
            // SAFETY: as above.
            unsafe { planes.write(word * plane as usize + node, sum as i64 as f32 * unit) };
        }
    });
}

/// One pass, along `axis`, with neighbours up to `reach` places away.   One thread LANES nodes.
#[kernel(
    instances(smooth_4<4>, smooth_5<5>),
    threads = 32..=1024,
    grid = ((below * if axis == 0 { len } else { 1 }).div_ceil(Machine::LANES) * if axis == 0 { 1 } else { len }
        * (nodes / (below * len))).div_ceil(block.x),
    require(
        below > 0,
        len > 0,
        axis < D,
        axis > 0 || below == 1,
        nodes.is_multiple_of(below * len),
        from.len() >= (D + 1) * plane,
        to.len() >= (D + 1) * plane,
        plane >= nodes + BEHIND,
        taps.len() >= 2 * (2 * span + 1),
        span >= len + Machine::LANES,
        state.len() >= progress::HISTORY,
    ),
)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn smooth_many<const D: usize>(
    from: &[f32],
    taps: &[f32],
    mut to: DisjointMut<f32>,
    state: *mut u32,
    limit: u32,
    reach: u32,
    span: u32,
    axis: u32,
    below: u32,
    len: u32,
    nodes: u32,
    plane: u32,
) {
    const LANES: usize = Machine::LANES;
    // SAFETY: the launch has checked the length.
    if unsafe { is_over(state, limit) } {
        return;
    }
    let index = thread::index_1d() as u32;
    // Nodes in a row that a thread's lanes may be of, and how many threads have them.
    let in_row = if axis == 0 { len } else { below };
    let (chunks, places) = (in_row.div_ceil(LANES as u32), if axis == 0 { 1 } else { len });
    if index >= chunks * places * (nodes / (below * len)) {
        return;
    }
    let (at, chunk, group) = if LANES > 4 {
        (index % places, index / places % chunks, index / places / chunks)
    } else {
        (index / chunks % places, index % chunks, index / chunks / places)
    };
    let (first, plane, span) = (chunk * LANES as u32, plane as usize, span as usize);
    // The group's first node, and the thread's.
    let origin = (group * below * len) as usize;
    let base = origin + (at * below + first) as usize;
    let width = 2 * span + 1;
    let (mut sums, mut moved) = ([[0.0; LANES]; PLANES], [0.0; LANES]);
    if axis == 0 {
        for neighbour in first.saturating_sub(reach)..(first + LANES as u32 + reach).min(len) {
            let t = span + first as usize - neighbour as usize;
            let node = origin + neighbour as usize;
            // SAFETY: nodes are in the planes, and taps there are, by the sizes that the launch has checked.
            unsafe {
                let (k, uk) = (lanes::load::<LANES>(taps, t), lanes::load::<LANES>(taps, width + t));
                let mass = from.as_ptr().add(node).read();
                sums[0] = lanes::mul_add::<Machine, LANES>(mass, k, sums[0]);
                moved = lanes::mul_add::<Machine, LANES>(mass, uk, moved);
                for c in 0..D {
                    let moment = from.as_ptr().add((1 + c) * plane + node).read();
                    sums[1 + c] = lanes::mul_add::<Machine, LANES>(moment, k, sums[1 + c]);
                }
            }
        }
    } else {
        for neighbour in at.saturating_sub(reach)..(at + reach + 1).min(len) {
            let t = span + at as usize - neighbour as usize;
            let place = origin + (neighbour * below + first) as usize;
            // SAFETY: as above; lanes behind the last node are still in the plane.
            unsafe {
                let (k, uk) = (taps.as_ptr().add(t).read(), taps.as_ptr().add(width + t).read());
                let mass = lanes::load::<LANES>(from, place);
                sums[0] = lanes::mul_add::<Machine, LANES>(k, mass, sums[0]);
                moved = lanes::mul_add::<Machine, LANES>(uk, mass, moved);
                for c in 0..D {
                    let moment = lanes::load::<LANES>(from, (1 + c) * plane + place);
                    sums[1 + c] = lanes::mul_add::<Machine, LANES>(k, moment, sums[1 + c]);
                }
            }
        }
    }
    let count = (in_row - first) as usize;
    unrolled!(word in 0..PLANES, {
        if word <= D {
            if word == 1 + axis as usize {
                sums[word] = lanes::add(sums[word], moved);
            }
            // SAFETY: the nodes are this thread's.
            unsafe { lanes::write_some(&mut to, word * plane + base, sums[word], count) };
        }
    });
}

/// The nodes of the planes of d + 1 words, each with its words in a row.   One thread LANES nodes.
#[kernel(
    threads = 32..=1024,
    grid = count.div_ceil(block.x * Machine::LANES),
    require(
        planes.len() >= (d + 1) * plane,
        plane >= count,
        nodes.len() >= count * MANY_WORDS,
        d < MANY_WORDS,
        state.len() >= progress::HISTORY,
    ),
)]
pub unsafe fn fill_many(
    planes: &[f32],
    mut nodes: DisjointMut<f32>,
    state: *mut u32,
    limit: u32,
    d: u32,
    count: u32,
    plane: u32,
) {
    // SAFETY: the launch has checked the length.
    if unsafe { is_over(state, limit) } {
        return;
    }
    each::<Machine>(count as usize, |node| {
        for word in 0..=d as usize {
            // SAFETY: the node's words are those of an item of this thread.
            unsafe { nodes.write(node * MANY_WORDS + word, planes[word * plane as usize + node]) };
        }
    });
}
