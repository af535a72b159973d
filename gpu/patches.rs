//! Where a binned field in four and five dimensions has points or queries: what the host makes patches of (many.rs).

use cuda_std::prelude::*;

use crate::many::Axes;
use crate::spline::{are_nodes, locate};
use crate::stored::note;

/// Lists the cells with places that are in none of the patches, each once, in any order: `count` says how many there are, of which
/// only the first `room` are listed.   One thread a place.
///
/// A cell is a cube of two nodes a side, by the first node that a place touches; its key has [`cell_bits`] bits for each axis.
/// `table`, which has more cells than there is room, and `count` are zero before.
#[kernel(
    instances(note_patches_4<4>, note_patches_5<5>),
    threads = 32..=1024,
    grid = n.div_ceil(block.x),
    require(
        columns.len() >= stride * (D - 1) + n,
        low.len() >= D,
        capacity > room,
        capacity.is_power_of_two(),
        table.len() >= capacity,
        list.len() >= room,
        count.len() >= 1,
        are_nodes([nodes_x, nodes_y, nodes_z, nodes_u, nodes_v], D),
    ),
)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn note_patches<const D: usize>(
    columns: &[f32],
    low: &[f64],
    patches: &[u32],
    table: *mut u64,
    list: *mut u64,
    count: *mut u32,
    n: u32,
    stride: u32,
    capacity: u32,
    room: u32,
    nodes_x: u32,
    nodes_y: u32,
    nodes_z: u32,
    nodes_u: u32,
    nodes_v: u32,
    inverse: f64,
) {
    let i = thread::index_1d();
    if i >= n as usize {
        return;
    }
    // Nodes are not looked at: there may be any number.
    let axes = Axes::<D>::new([nodes_x, nodes_y, nodes_z, nodes_u, nodes_v], inverse, low, (patches, u32::MAX));
    let (mut first, mut key) = ([0; D], 0);
    for c in 0..D {
        first[c] = locate(columns[c * stride as usize + i], inverse, low[c], axes.nodes[c]).0;
        key |= u64::from(first[c] / CELL) << (cell_bits(D) as usize * c);
    }
    if axes.find(first).is_none() {
        // SAFETY: the launch has checked the lengths.
        unsafe { note(key, table, list, count, (capacity as usize, room)) };
    }
}

/// Nodes along a side of a cell.
pub const CELL: u32 = 2;

/// Bits of a cell's place along an axis.
///
/// ```
/// use gpu::patches::cell_bits;
///
/// assert_eq!((cell_bits(4), cell_bits(5)), (15, 12));
/// ```
pub const fn cell_bits(d: usize) -> u32 {
    63 / d as u32
}
