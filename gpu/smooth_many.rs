//! The convolution of a binned field in four and five dimensions: smooth.rs, one kernel for all axes, from patches to patches (many.rs).
//!
//! A plane has a word of each node, in the nodes' order, and [`BEHIND`] cells of anything behind them. Each patch of sums gives to each
//! patch that is read and within the kernel's reach, an axis at a time: what the pass along x writes has that axis' nodes of the patch
//! that is read and the other axes' of that with sums, and so on. The last pass adds up what a patch is given. Tables say which
//! boxes of nodes a pass makes, and of which; a row for each, of words:
//!
//! ```text
//! targets    first node, nodes below the axis, along it, groups above it, the first of its sources, the one behind the last
//! sources    first node, nodes along the axis, how far the target's first node is behind its first, along the axis
//! ```
//!
//! A node and its neighbour along an axis are as many nodes apart as there are below it. `taps` has k(-t) for t from -span to span,
//! and then -t k(-t), where a node is t behind the neighbour that it takes a mass from: zeros beyond the reach, which a thread's
//! nodes along x look at too.
//!
//! ```text
//! along x       32 nodes t = x - x' of one x': their taps stand in a row, and the mass is one number
//! along others  32 nodes in a row have neighbours in a row, which all have one tap
//! ```
//!
//! A processor's threads that follow one another are neighbours on the axis: they look at the same 32 cells of a line's places, which
//! stay in its first cache. A GPU's are in a row of memory.
//!
//! [`settle_many`] makes the planes of the sums before, and [`fill_many`] the nodes as steps read them (many.rs) after.
//!
//! Operations for a node, pass and source: (D + 2) min(2 reach + 1, nodes along the axis) fma.

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

/// Words of a target.
///
/// ```
/// assert_eq!(gpu::smooth_many::TARGET, 6);
/// ```
pub const TARGET: usize = 6;

/// Words of a source.
///
/// ```
/// assert_eq!(gpu::smooth_many::SOURCE, 3);
/// ```
pub const SOURCE: usize = 3;

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
///
/// Its targets are `count` from target `begin` on; `width` is how many nodes one has in a row at most, along x or below another axis, and
/// `lines` how many rows. Planes that are read and written have `from_plane` and `plane` cells.
#[kernel(
    instances(smooth_4<4>, smooth_5<5>),
    threads = 32..=1024,
    grid = ((width.div_ceil(Machine::LANES) * lines).div_ceil(block.x), count),
    require(
        axis < D,
        targets.len() >= (begin + count) * TARGET,
        from.len() >= (D + 1) * from_plane,
        to.len() >= (D + 1) * plane,
        from_plane >= BEHIND,
        plane >= BEHIND,
        taps.len() >= 2 * (2 * span + 1),
        span >= reach + Machine::LANES,
        span < 1 << 24,
        state.len() >= progress::HISTORY,
    ),
)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn smooth_many<const D: usize>(
    from: &[f32],
    taps: &[f32],
    targets: &[u32],
    sources: &[u32],
    mut to: DisjointMut<f32>,
    state: *mut u32,
    limit: u32,
    reach: u32,
    span: u32,
    axis: u32,
    begin: u32,
    count: u32,
    width: u32,
    lines: u32,
    from_plane: u32,
    plane: u32,
) {
    const LANES: usize = Machine::LANES;
    // SAFETY: the launch has checked the length.
    if unsafe { is_over(state, limit) } {
        return;
    }
    let index = thread::index_1d() as u32;
    let target = &targets[(begin as usize + thread::block_idx_y() as usize) * TARGET..][..TARGET];
    let (origin, below, len, groups) = (target[0], target[1], target[2], target[3]);
    // Nodes in a row that a thread's lanes may be of, and how many threads have them.
    let in_row = if axis == 0 { len } else { below };
    let (chunks, places) = (in_row.div_ceil(LANES as u32), if axis == 0 { 1 } else { len });
    if index >= chunks * places * groups {
        return;
    }
    // What tables say is not what a launch checks.
    let (room, from_room) = (plane - BEHIND as u32, from_plane - BEHIND as u32);
    assert!(is_within((origin, below, len, groups), room) && (axis > 0 || below == 1), "a target without planes");
    let (at, chunk, group) = if LANES > 4 {
        (index % places, index / places % chunks, index / places / chunks)
    } else {
        (index / chunks % places, index % chunks, index / chunks / places)
    };
    let (first, reach, span) = (chunk * LANES as u32, reach as i32, span as i32);
    let (plane, from_plane) = (plane as usize, from_plane as usize);
    let width = 2 * span as usize + 1;
    let (mut sums, mut moved) = ([[0.0; LANES]; PLANES], [0.0; LANES]);
    for k in target[4]..target[5] {
        let source = &sources[k as usize * SOURCE..][..SOURCE];
        let (source, nodes, shift) = (source[0], source[1] as i32, source[2] as i32);
        assert!(is_within((source, below, nodes as u32, groups), from_room), "a source without planes");
        // The source's node at the target's first, or, of lanes along x, at the first lane's.
        let here = shift + if axis == 0 { first } else { at } as i32;
        let line = (source + group * nodes as u32 * below) as usize;
        let nearest = if here > reach { here - reach } else { 0 };
        let beyond = here + reach + if axis == 0 { LANES as i32 } else { 1 };
        let end = if beyond < nodes { beyond } else { nodes };
        if axis == 0 {
            for neighbour in nearest..end {
                let t = (span + here - neighbour) as usize;
                let node = line + neighbour as usize;
                // SAFETY: nodes are in the planes, as was looked; and taps there are, as a neighbour is up to the reach and the
                // lanes away, which the span is larger than.
                unsafe {
                    let (k, uk) = (lanes::load::<LANES>(taps, t), lanes::load::<LANES>(taps, width + t));
                    let mass = from.as_ptr().add(node).read();
                    sums[0] = lanes::mul_add::<Machine, LANES>(mass, k, sums[0]);
                    moved = lanes::mul_add::<Machine, LANES>(mass, uk, moved);
                    for c in 0..D {
                        let moment = from.as_ptr().add((1 + c) * from_plane + node).read();
                        sums[1 + c] = lanes::mul_add::<Machine, LANES>(moment, k, sums[1 + c]);
                    }
                }
            }
        } else {
            for neighbour in nearest..end {
                let t = (span + here - neighbour) as usize;
                let place = line + (neighbour as u32 * below + first) as usize;
                // SAFETY: as above; lanes behind the last node are still in the plane.
                unsafe {
                    let (k, uk) = (taps.as_ptr().add(t).read(), taps.as_ptr().add(width + t).read());
                    let mass = lanes::load::<LANES>(from, place);
                    sums[0] = lanes::mul_add::<Machine, LANES>(k, mass, sums[0]);
                    moved = lanes::mul_add::<Machine, LANES>(uk, mass, moved);
                    for c in 0..D {
                        let moment = lanes::load::<LANES>(from, (1 + c) * from_plane + place);
                        sums[1 + c] = lanes::mul_add::<Machine, LANES>(k, moment, sums[1 + c]);
                    }
                }
            }
        }
    }
    let base = (origin + (group * len + if axis == 0 { 0 } else { at }) * below + first) as usize;
    let count = (in_row - first) as usize;
    unrolled!(word in 0..PLANES, {
        if word <= D {
            if word == 1 + axis as usize {
                sums[word] = lanes::add(sums[word], moved);
            }
            // SAFETY: the nodes are this thread's: targets do not overlap.
            unsafe { lanes::write_some(&mut to, word * plane + base, sums[word], count) };
        }
    });
}

/// Whether a box of so many nodes below an axis, along it and above it lies within the nodes of a plane.
#[inline(always)]
fn is_within((first, below, len, groups): (u32, u32, u32, u32), room: u32) -> bool {
    let nodes = (u64::from(below) * u64::from(len)).checked_mul(u64::from(groups));
    first <= room && nodes.is_some_and(|nodes| nodes <= u64::from(room - first))
}

/// `count` nodes from node `begin` on, of the first of planes of d + 1 words, each with its words in a row.   One thread LANES nodes.
#[kernel(
    threads = 32..=1024,
    grid = count.div_ceil(block.x * Machine::LANES),
    require(
        planes.len() >= (d + 1) * plane,
        plane >= count,
        nodes.len() >= (begin + count) * MANY_WORDS,
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
    begin: u32,
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
            unsafe { nodes.write((begin as usize + node) * MANY_WORDS + word, planes[word * plane as usize + node]) };
        }
    });
}
