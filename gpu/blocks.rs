//! A binned field that is stored where there are points: blocks of nodes, found by a hash table.
//!
//! The grid is that of spread.rs; a block are the nodes of a cube of [`side`] nodes, and its key is its place among
//! all blocks of the grid, [`AXIS_BITS`] bits an axis. Sums (spread.rs) and smoothed nodes (binned.rs) of a block stand
//! together, with the [`BEHIND`] nodes behind it in each axis: so a point or a query, whose nodes begin in a block, has
//! all of them there, in rows, and looks for a block once. What two blocks hold of a node is
//! one number in fixed point after [`settle_blocks`], and copies after [`fill_blocks`].
//!
//! ```text
//! note_blocks     the keys of blocks that some places need and that are not held yet; the host decides the rest
//! settle_blocks   sums of all blocks that hold a node, as f32, in planes: without the nodes behind, x slowest
//! smooth_blocks   one pass of smooth.rs, along the slowest axis, which becomes the fastest
//! fill_blocks     4 floats a node, with the nodes behind, x fastest, as steps read them
//! ```
//!
//! A pass thus is the same for every axis, and its loads are of neighbours in memory. Blocks are numbered three
//! times: those with sums, those with planes, and those that are read; tables of numbers, [`NONE`] where there is no
//! such block, say who is whose neighbour. Sums over a node's neighbours run in the order of smooth.rs, and what
//! has no block is zero: so a step has the bits that it would have if the whole grid were stored.

use cuda_std::prelude::*;

use crate::cells::find;
use crate::components::NONE;
use crate::lanes;
use crate::progress;
use crate::spline::{are_nodes, locate};
use crate::spread::{WORDS, is_over};
#[cfg(not(target_arch = "nvptx64"))]
pub use crate::stored::table;
pub use crate::stored::{AXIS_BITS, BEHIND, held, own, side, side_bits};
use crate::stored::{hash, key, note};

/// Lists the keys of the blocks that places need and that are not among `keys`, each once, in any order; `count`
/// says how many there are, of which only the first `room` are listed.   One thread a place.
///
/// `table`, which has more cells than there is room, and `count` are zero before.
#[kernel(
    threads = 32..=1024,
    grid = n.div_ceil(block.x),
    require(
        d == 2 || d == 3,
        columns.len() >= stride * (d - 1) + n,
        keys.len() == 0 || slots.len() > keys.len() && slots.len().is_power_of_two(),
        capacity > room,
        capacity.is_power_of_two(),
        table.len() >= capacity,
        list.len() >= room,
        count.len() >= 1,
        are_nodes([nodes_x, nodes_y, nodes_z], d),
    ),
)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn note_blocks(
    columns: &[f32],
    slots: &[u32],
    keys: &[u64],
    table: *mut u64,
    list: *mut u64,
    count: *mut u32,
    n: u32,
    d: u32,
    stride: u32,
    capacity: u32,
    room: u32,
    side_bits: u32,
    nodes_x: u32,
    nodes_y: u32,
    nodes_z: u32,
    inverse: f64,
    low_x: f64,
    low_y: f64,
    low_z: f64,
) {
    let (nodes, low) = ([nodes_x, nodes_y, nodes_z], [low_x, low_y, low_z]);
    let (stride, capacity) = (stride as usize, capacity as usize);
    let i = thread::index_1d();
    if i >= n as usize {
        return;
    }
    let mut first = [0; 3];
    for c in 0..3 {
        if c < d as usize {
            first[c] = locate(columns[c * stride + i], inverse, low[c], nodes[c]).0;
        }
    }
    let key = key(first, side_bits);
    if !keys.is_empty() && find(slots, hash(key), |block| keys[block] == key).is_some() {
        return;
    }
    // SAFETY: the launch has checked the lengths.
    unsafe { note(key, table, list, count, (capacity, room)) };
}

/// The place of a node among `width` of each axis, the first of d axes slowest.
#[inline(always)]
fn place(node: u32, width: u32, d: u32) -> [usize; 3] {
    let (rest, last) = (node / width, node % width);
    let place = if d == 2 { [rest, last, 0] } else { [rest / width, rest % width, last] };
    place.map(|at| at as usize)
}

/// Planes of masses and moments from sums, which become zero unless they are `kept`.   One thread a node.
///
/// For each of `count` blocks: `slots[t]`, its number among the `blocks` with planes, and `sources[t 2^d + mask]`, those
/// among the `summed` blocks with sums of the block itself and, for each bit c of the mask, of the one before along
/// axis c. `planes` has d + 1 of them, of blocks of side^d nodes.
#[kernel(
    threads = 32..=1024,
    grid = (count * (1 << (side_bits * d))).div_ceil(block.x),
    require(
        d == 2 || d == 3,
        side_bits <= 8,
        slots.len() >= count,
        sources.len() >= count << d,
        sums.len() >= copies * summed * ((1 << side_bits) + BEHIND).pow(d as u32) * WORDS,
        planes.len() >= (d + 1) * blocks * (1 << (side_bits * d)),
        state.len() >= progress::HISTORY,
    ),
)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn settle_blocks(
    mut sums: DisjointMut<u64>,
    sources: &[u32],
    slots: &[u32],
    mut planes: DisjointMut<f32>,
    state: *mut u32,
    limit: u32,
    copies: u32,
    kept: u32,
    d: u32,
    side_bits: u32,
    count: u32,
    summed: u32,
    blocks: u32,
    unit: f32,
) {
    // SAFETY: the launch has checked the length.
    if unsafe { is_over(state, limit) } {
        return;
    }
    let (side, own) = (1_usize << side_bits, 1_usize << (side_bits * d));
    let width = side + BEHIND;
    let held = if d == 2 { width * width } else { width * width * width };
    let item = thread::index_1d();
    let (t, node) = (item >> (side_bits * d), item & (own - 1));
    if t >= count as usize {
        return;
    }
    let at = place(node as u32, 1 << side_bits, d);
    let mut totals = [0_u64; WORDS];
    for mask in 0..1_usize << d {
        let mut is_held = true;
        let mut shifted = at;
        for c in 0..3 {
            let behind = mask >> c & 1;
            is_held &= behind == 0 || at[c] < BEHIND;
            shifted[c] += behind * side;
        }
        if !is_held || sources[(t << d) + mask] == NONE {
            continue;
        }
        let cell = (shifted[2] * width + shifted[1]) * width + shifted[0];
        for copy in 0..copies as usize {
            let source = copy * summed as usize + sources[(t << d) + mask] as usize;
            for word in 0..WORDS {
                let from = (source * held + cell) * WORDS + word;
                // SAFETY: of a sum that a block holds only the thread of that node reads.
                unsafe {
                    totals[word] = totals[word].wrapping_add(sums.read(from));
                    if kept == 0 {
                        sums.write(from, 0);
                    }
                }
            }
        }
    }
    for word in 0..WORDS {
        if word <= d as usize {
            let to = (word * blocks as usize + slots[t] as usize) * own + node;
            // SAFETY: the slots are different, and the node is this thread's.
            unsafe { planes.write(to, totals[word] as i64 as f32 * unit) };
        }
    }
}

/// One pass, of the slowest axis, whose moment is that of plane `moment`.   One thread LANES nodes of a plane.
///
/// For each of `count` blocks: `slots[t]`, its number, and `neighbours[t w + k]`, for odd w, that of the block
/// k - w / 2 further along the axis. `taps` as smooth.rs has them.
#[kernel(
    threads = 32..=1024,
    grid = ((d + 1) * count * (1 << (side_bits * d))).div_ceil(block.x * Machine::LANES),
    require(
        d == 2 || d == 3,
        side_bits <= 8,
        (1_usize << (side_bits * (d - 1))).is_multiple_of(Machine::LANES),
        slots.len() >= count,
        width % 2 == 1,
        neighbours.len() >= count * width,
        taps.len() >= 2 * (2 * reach + 1),
        from.len() >= (d + 1) * blocks * (1 << (side_bits * d)),
        to.len() >= (d + 1) * blocks * (1 << (side_bits * d)),
        moment >= 1,
        moment <= d,
        // A GPU loads lanes as a whole.
        from.is_aligned(16),
        state.len() >= progress::HISTORY,
    ),
)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn smooth_blocks(
    from: &[f32],
    taps: &[f32],
    slots: &[u32],
    neighbours: &[u32],
    mut to: DisjointMut<f32>,
    state: *mut u32,
    limit: u32,
    reach: u32,
    d: u32,
    side_bits: u32,
    moment: u32,
    count: u32,
    width: u32,
    blocks: u32,
) {
    const LANES: usize = Machine::LANES;
    // SAFETY: the launch has checked the length.
    if unsafe { is_over(state, limit) } {
        return;
    }
    let (side, rest_bits) = (1_i32 << side_bits, side_bits * (d - 1));
    let (rest, own) = (1_usize << rest_bits, 1_usize << (side_bits * d));
    let item = thread::index_1d() * LANES;
    let (r, line) = (item & (rest - 1), (item >> rest_bits) as u32);
    let (a, block) = ((line & (side as u32 - 1)) as i32, line >> side_bits);
    let (t, word) = ((block % count) as usize, (block / count) as usize);
    if word > d as usize {
        return;
    }
    let (reach, half, all) = (reach as i32, width as i32 / 2, 2 * reach as usize + 1);
    let base = word * blocks as usize;
    let mut sums = [0.0; LANES];
    for k in 0..width as i32 {
        let neighbour = neighbours[t * width as usize + k as usize];
        if neighbour == NONE {
            continue;
        }
        let neighbour = neighbour as usize;
        assert!(neighbour < blocks as usize, "a block without planes");
        // How far the neighbour's first node is.
        let start = (k - half) * side - a;
        let first = if -reach - start > 0 { -reach - start } else { 0 };
        let behind = if reach - start + 1 < side { reach - start + 1 } else { side };
        for j in first..behind {
            let tap = (start + j + reach) as usize;
            let place = |plane: usize| (plane + neighbour) * own + j as usize * rest + r;
            // SAFETY: a node of a block with planes, and its neighbours in the same row, as rest is a multiple of LANES;
            // the launch has checked how long the planes are.
            unsafe {
                if word == moment as usize {
                    let mass = lanes::load_whole::<Machine, LANES>(from.as_ptr().add(place(0)));
                    sums = lanes::mul_add::<Machine, LANES>(taps[all + tap], mass, sums);
                }
                let values = lanes::load_whole::<Machine, LANES>(from.as_ptr().add(place(base)));
                sums = lanes::mul_add::<Machine, LANES>(taps[tap], values, sums);
            }
        }
    }
    let to_block = (base + slots[t] as usize) * own;
    for lane in 0..LANES {
        // SAFETY: the slots are different, and the nodes are this thread's.
        unsafe { to.write(to_block + (r + lane) * side as usize + a as usize, sums[lane]) };
    }
}

/// The nodes that steps read, of planes whose first axis is the slowest again.   One thread a node.
///
/// For each of `count` blocks `corners[t 2^d + mask]`: its number and, for each bit c of the mask, that of the block
/// behind along axis c.
#[kernel(
    threads = 32..=1024,
    grid = (count * held).div_ceil(block.x),
    require(
        d == 2 || d == 3,
        side_bits <= 8,
        held == ((1 << side_bits) + BEHIND).pow(d as u32),
        corners.len() >= count << d,
        planes.len() >= (d + 1) * blocks * (1 << (side_bits * d)),
        nodes.len() >= count * held * 4,
        state.len() >= progress::HISTORY,
    ),
)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn fill_blocks(
    planes: &[f32],
    corners: &[u32],
    mut nodes: DisjointMut<f32>,
    state: *mut u32,
    limit: u32,
    d: u32,
    side_bits: u32,
    held: u32,
    count: u32,
    blocks: u32,
) {
    // SAFETY: the launch has checked the length.
    if unsafe { is_over(state, limit) } {
        return;
    }
    let (side, own) = (1_usize << side_bits, 1_usize << (side_bits * d));
    let item = thread::index_1d();
    let (t, cell) = ((item as u32 / held) as usize, item as u32 % held);
    if t >= count as usize {
        return;
    }
    // The last axis is the slowest here.
    let [z, y, x] = place(cell, (side + BEHIND) as u32, d);
    let at = if d == 2 { [y, z, 0] } else { [x, y, z] };
    let (mut mask, mut node) = (0, 0);
    for c in 0..3 {
        if c < d as usize {
            mask |= usize::from(at[c] >= side) << c;
            node = (node << side_bits) + (at[c] & (side - 1));
        }
    }
    let slot = corners[(t << d) + mask];
    for word in 0..WORDS {
        let is_there = slot != NONE && word <= d as usize;
        let from = (word * blocks as usize + slot as usize) * own + node;
        let value = if is_there { planes[from] } else { 0.0 };
        // SAFETY: the node is this thread's.
        unsafe { nodes.write(item * WORDS + word, value) };
    }
}
