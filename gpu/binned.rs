//! Mean-shift steps read from a binned field: O(1) a query, whatever the number of points.
//!
//! For a query q whose splines touch the nodes g, with m and p as smooth.rs leaves them:
//!
//! ```text
//! s    = sum_g B(q - g) m(g)                          the sum of weights
//! step = sum_g B(q - g) (p(g) + (g - q) m(g)) / s     in spacings; none where s <= 0
//! ```
//!
//! Numerator and denominator have the same weights of points, so that a query among points on one spot goes to
//! that spot exactly, and every query to a mean of points: only the points' weights are approximate. See
//! docs/clustering.md for how much.
//!
//! A thread moves a query of the standard form until it rests, without looking at others: `climb`. In the
//! blurring form the queries are the points, the field is built anew for each iteration, and `blur` makes one.
//!
//! A processor reads in rows, of several queries at a time (node_rows.rs, moves_processor.rs).
//!
//! Operations for a query and step, d = 2: 4 rows of 16 floats, 2 fma each; then 20.

use cuda_std::prelude::*;

use crate::lanes;
use crate::moves::{Field, blur_over, climb_over};
use crate::node_rows::{FEW, Spline, read_place};
use crate::progress;
use crate::spline::{TAPS, are_nodes, offsets, pick, weights};
use crate::spread::WORDS;
use crate::stored::{Layout, held};

/// A field in up to three dimensions: all nodes of a grid, or some blocks of it.
#[derive(Clone, Copy)]
struct Grid<'a> {
    nodes: &'a [f32],
    sizes: [u32; 3],
    inverse: f64,
    low: [f64; 3],
    layout: Layout<'a>,
}

impl<const D: usize> Field<D> for Grid<'_> {
    type At = usize;
    type Node = [f32; WORDS];

    fn axis(&self, c: usize) -> (u32, f64) {
        (self.sizes[c], self.low[c])
    }

    fn inverse(&self) -> f64 {
        self.inverse
    }

    #[inline(always)]
    fn find(&self, first: [u32; D]) -> Option<usize> {
        self.layout.index(first)
    }

    #[inline(always)]
    fn read<M: Machine>(&self, base: usize, s: [f32; D]) -> (f32, [f32; D]) {
        read::<M, D>(self.nodes, self.layout, base, s)
    }

    #[inline(always)]
    unsafe fn read_rows<M: Machine>(&self, base: usize, spline: &Spline<D>) -> [f32; WORDS] {
        let place = (spline, self.layout.strides());
        // SAFETY: as in `read`.
        unsafe { read_place::<M, D, WORDS, { WORDS * TAPS }>(&FEW, place, self.nodes.as_ptr().add(base * WORDS)) }
    }
}

/// Four neighbouring nodes of a row: mass and moments of each.
type Row = [f32; 4 * TAPS];

#[inline(always)]
fn add_row<M: Machine>(weight: f32, row: &Row, mut sums: Row) -> Row {
    for k in 0..4 * TAPS {
        sums[k] = M::mul_add(weight, row[k], sums[k]);
    }
    sums
}

/// The row that begins at a node.
///
/// # Safety
/// The nodes may be read; on a GPU they begin at a multiple of 16 bytes.
#[inline(always)]
unsafe fn load_row<M: Machine, const D: usize>(node: *const f32) -> Row {
    // SAFETY: the caller's promise.
    unsafe {
        // For d = 3 whole nodes take too many registers.
        if D > 2 {
            return node.cast::<Row>().read();
        }
        let mut row = [0.0; 4 * TAPS];
        for k in 0..TAPS {
            let node: [f32; 4] = lanes::load_whole::<M, 4>(node.add(4 * k));
            for word in 0..4 {
                row[4 * k + word] = node[word];
            }
        }
        row
    }
}

/// The sum of weights, and the step in spacings, at a place: s behind the second of the nodes it touches, the first of
/// which is at `base`.
#[inline(always)]
fn read<M: Machine, const D: usize>(nodes: &[f32], layout: Layout<'_>, base: usize, s: [f32; D]) -> (f32, [f32; D]) {
    let (mut along, mut from) = ([[0.0; TAPS]; D], [[0.0; TAPS]; D]);
    for c in 0..D {
        along[c] = weights::<M>(s[c]);
        from[c] = offsets(s[c]);
    }
    // Sums over the other axes, for each of four nodes along x; and weighted with how far nodes are along y and z.
    let (mut sums, mut about_y, mut about_z) = ([0.0; 16], [0.0; 16], [0.0; 16]);
    for z in 0..if D > 2 { TAPS } else { 1 } {
        for y in 0..if D > 1 { TAPS } else { 1 } {
            let mut weight = 1.0;
            let node = base + layout.row * y + layout.plane * z;
            if D > 1 {
                weight = pick(along[1], y);
            }
            if D > 2 {
                weight *= pick(along[2], z);
            }
            // SAFETY: `locate` gives nodes of the grid with three more behind them, which a block holds, too; the launch
            // has checked that the field has them all. A node has 16 bytes, and a GPU's field begins at a multiple of them.
            let row = &unsafe { load_row::<M, D>(nodes.as_ptr().add(node * 4)) };
            sums = add_row::<M>(weight, row, sums);
            if D > 1 {
                about_y = add_row::<M>(weight * pick(from[1], y), row, about_y);
            }
            if D > 2 {
                about_z = add_row::<M>(weight * pick(from[2], z), row, about_z);
            }
        }
    }
    let (mut total, mut numerator) = (0.0, [0.0; D]);
    for x in 0..TAPS {
        let mass = along[0][x] * sums[4 * x];
        total += mass;
        for c in 0..D {
            let near = match c {
                0 => mass * from[0][x],
                1 => along[0][x] * about_y[4 * x],
                _ => along[0][x] * about_z[4 * x],
            };
            numerator[c] += M::mul_add(along[0][x], sums[4 * x + 1 + c], near);
        }
    }
    for c in 0..D {
        // As in shift.rs.
        numerator[c] = M::divide(numerator[c], if total <= 0.0 { f32::INFINITY } else { total });
    }
    (total, numerator)
}

/// Moves queries over a field, each until its squared step, in scaled coordinates, is at most `tolerance`, up
/// to `rounds` iterations a launch and `limit` in all.   One thread LANES queries.
///
/// `details` is 3 x stride: the sum of weights, the squared last step, and the iterations as bits of a u32, 0
/// before. The cells of progress.rs are those of the standard form. If there are keys, a query that comes to a block
/// that is not stored waits there, for a launch with that block.
#[kernel(
    instances(climb_1<1>, climb_2<2>, climb_3<3>),
    rolled,
    threads = 32..=1024,
    grid = m.div_ceil(block.x * Machine::LANES),
    require(
        keys.len() > 0 || nodes.len() >= nodes_x * nodes_y * nodes_z * 4,
        D > 1 || nodes_y == 1,
        D > 2 || nodes_z == 1,
        nodes.is_aligned(16),
        keys.len() == 0 || D > 1 && nodes.len() >= keys.len() * held(D) * 4,
        keys.len() == 0 || slots.len() > keys.len() && slots.len().is_power_of_two(),
        queries.len() >= stride * (D - 1) + m,
        stride >= m,
        details.len() >= 3 * stride,
        state.len() >= progress::HISTORY + limit,
        are_nodes([nodes_x, nodes_y, nodes_z], D),
    ),
)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn climb<const D: usize>(
    nodes: &[f32],
    slots: &[u32],
    keys: &[u64],
    queries: DisjointMut<f32>,
    details: DisjointMut<f32>,
    state: *mut u32,
    m: u32,
    stride: u32,
    rounds: u32,
    limit: u32,
    tolerance: f32,
    nodes_x: u32,
    nodes_y: u32,
    nodes_z: u32,
    inverse: f64,
    low_x: f64,
    low_y: f64,
    low_z: f64,
) {
    let sizes = [nodes_x, nodes_y, nodes_z];
    let layout = Layout::new::<D>(slots, keys, sizes);
    let grid = Grid { nodes, sizes, inverse, low: [low_x, low_y, low_z], layout };
    // SAFETY: the launch has checked the lengths.
    unsafe {
        climb_over::<Machine, _, D, { Machine::LANES }>(
            grid,
            (queries, details),
            state,
            (m, stride),
            (rounds, limit, tolerance),
        )
    };
}

/// One iteration of the blurring form: moves the points, in place, over the field that was made of them.
///
/// `sums` is 2 x stride: the sum of weights, and the squared step. One thread LANES points.
#[kernel(
    instances(blur_1<1>, blur_2<2>, blur_3<3>),
    rolled,
    threads = 32..=1024,
    grid = n.div_ceil(block.x * Machine::LANES),
    require(
        keys.len() > 0 || nodes.len() >= nodes_x * nodes_y * nodes_z * 4,
        D > 1 || nodes_y == 1,
        D > 2 || nodes_z == 1,
        nodes.is_aligned(16),
        keys.len() == 0 || D > 1 && nodes.len() >= keys.len() * held(D) * 4,
        keys.len() == 0 || slots.len() > keys.len() && slots.len().is_power_of_two(),
        columns.len() >= stride * (D - 1) + n,
        stride >= n,
        sums.len() >= 2 * stride,
        state.len() >= progress::HISTORY + limit,
        are_nodes([nodes_x, nodes_y, nodes_z], D),
    ),
)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn blur<const D: usize>(
    nodes: &[f32],
    slots: &[u32],
    keys: &[u64],
    columns: DisjointMut<f32>,
    sums: DisjointMut<f32>,
    state: *mut u32,
    n: u32,
    stride: u32,
    limit: u32,
    tolerance: f32,
    nodes_x: u32,
    nodes_y: u32,
    nodes_z: u32,
    inverse: f64,
    low_x: f64,
    low_y: f64,
    low_z: f64,
) {
    // SAFETY: the launch has checked the length of `state`; launches follow one another.
    let active = unsafe { progress::active(state, limit, n) };
    if active == 0 {
        return;
    }
    let sizes = [nodes_x, nodes_y, nodes_z];
    let layout = Layout::new::<D>(slots, keys, sizes);
    let grid = Grid { nodes, sizes, inverse, low: [low_x, low_y, low_z], layout };
    // SAFETY: the launch has checked the lengths.
    unsafe {
        blur_over::<Machine, _, D, { Machine::LANES }>(grid, (columns, sums), (state, active), (n, stride), tolerance)
    };
}
