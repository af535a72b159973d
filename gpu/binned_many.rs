//! Mean-shift steps read from a binned field in four and five dimensions: binned.rs, over nodes of eight words (many.rs).
//!
//! A processor takes four nodes along x at a time (node_rows.rs), a GPU's thread node after node.
//!
//! Operations for a query and step, d = 4: 64 rows of 32 floats, 2 fma each; d = 5: 256 rows.

use cuda_std::prelude::*;

use crate::lanes::{self, unrolled};
use crate::many::{At, Axes, MANY_WORDS, MOST, rows, tap};
use crate::moves::{Field, blur_over, climb_over};
use crate::node_rows::{MANY, Spline, read_place};
use crate::progress;
use crate::spline::{TAPS, are_nodes, offsets, pick, weights};

/// A field, and the grid that it is of.
#[derive(Clone, Copy)]
struct Grid<'a, const D: usize> {
    nodes: &'a [f32],
    axes: Axes<'a, D>,
}

impl<const D: usize> Field<D> for Grid<'_, D> {
    type At = At<D>;
    type Node = [f32; MANY_WORDS];

    #[inline(always)]
    fn axis(&self, c: usize) -> (u32, f64) {
        (self.axes.nodes[c], self.axes.low[c])
    }

    #[inline(always)]
    fn inverse(&self) -> f64 {
        self.axes.inverse
    }

    #[inline(always)]
    fn find(&self, first: [u32; D]) -> Option<At<D>> {
        self.axes.find(first)
    }

    #[inline(always)]
    fn read<M: Machine>(&self, at: At<D>, s: [f32; D]) -> (f32, [f32; D]) {
        let (mut along, mut from) = ([[0.0; TAPS]; D], [[0.0; TAPS]; D]);
        for c in 0..D {
            along[c] = weights::<M>(s[c]);
            from[c] = offsets(s[c]);
        }
        // SAFETY: a place that was found has its nodes among those that there are, whose number the launch has checked.
        // A node has 32 bytes, and a GPU's field begins at a multiple of them.
        let (total, mut numerator) = unsafe { read_nodes::<M, D>(self.nodes, at, &along, &from) };
        for c in 0..D {
            // As in shift.rs.
            numerator[c] = M::divide(numerator[c], if total <= 0.0 { f32::INFINITY } else { total });
        }
        (total, numerator)
    }

    #[inline(always)]
    unsafe fn read_rows<M: Machine>(&self, at: At<D>, spline: &Spline<D>) -> [f32; MANY_WORDS] {
        let place = (spline, at.strides);
        // SAFETY: as in `read`.
        unsafe {
            read_place::<M, D, MANY_WORDS, { MANY_WORDS * TAPS }>(
                &MANY,
                place,
                self.nodes.as_ptr().add(at.node * MANY_WORDS),
            )
        }
    }
}

/// The sums of weights and of weighted steps, a node at a time.
///
/// # Safety
/// The nodes of this place may be read, and begin at a multiple of 16 bytes.
#[inline(always)]
unsafe fn read_nodes<M: Machine, const D: usize>(
    nodes: &[f32],
    at: At<D>,
    along: &[[f32; TAPS]; D],
    from: &[[f32; TAPS]; D],
) -> (f32, [f32; D]) {
    let (mut total, mut numerator) = (0.0, [0.0; D]);
    for row in 0..rows(D) {
        let (mut weight, mut far) = (1.0, [0.0; D]);
        unrolled!(c in 0..MOST, {
            if c > 0 && c < D {
                weight *= pick(along[c], tap(row, c));
                far[c] = pick(from[c], tap(row, c));
            }
        });
        let node = at.node + at.row(row);
        unrolled!(x in 0..TAPS, {
            // SAFETY: the caller's promise.
            let (low, high): ([f32; 4], [f32; 4]) = unsafe {
                let words = nodes.as_ptr().add((node + x) * MANY_WORDS);
                (lanes::load_whole::<M, 4>(words), lanes::load_whole::<M, 4>(words.add(4)))
            };
            let weight = weight * along[0][x];
            far[0] = from[0][x];
            total = M::mul_add(weight, low[0], total);
            unrolled!(c in 0..MOST, {
                if c < D {
                    let moment = if c < 3 { low[1 + c] } else { high[c - 3] };
                    numerator[c] = M::mul_add(weight, M::mul_add(far[c], low[0], moment), numerator[c]);
                }
            });
        });
    }
    (total, numerator)
}

/// Moves queries over a field until each rests, as `climb` does in fewer dimensions: one that comes to where there is no patch waits
/// there.   One thread LANES queries.
#[kernel(
    instances(climb_4<4>, climb_5<5>),
    rolled,
    threads = 32..=1024,
    grid = m.div_ceil(block.x * Machine::LANES),
    require(
        nodes.len() >= count * MANY_WORDS,
        nodes.is_aligned(16),
        low.len() >= D,
        queries.len() >= stride * (D - 1) + m,
        stride >= m,
        details.len() >= 3 * stride,
        state.len() >= progress::HISTORY + limit,
        are_nodes([nodes_x, nodes_y, nodes_z, nodes_u, nodes_v], D),
    ),
)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn climb_many<const D: usize>(
    nodes: &[f32],
    low: &[f64],
    patches: &[u32],
    queries: DisjointMut<f32>,
    details: DisjointMut<f32>,
    state: *mut u32,
    m: u32,
    stride: u32,
    rounds: u32,
    limit: u32,
    tolerance: f32,
    count: u32,
    nodes_x: u32,
    nodes_y: u32,
    nodes_z: u32,
    nodes_u: u32,
    nodes_v: u32,
    inverse: f64,
) {
    let axes = Axes::new([nodes_x, nodes_y, nodes_z, nodes_u, nodes_v], inverse, low, (patches, count));
    let grid = Grid::<D> { nodes, axes };
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

/// One iteration of the blurring form, as `blur` makes it in fewer dimensions.   One thread LANES points.
#[kernel(
    instances(blur_4<4>, blur_5<5>),
    rolled,
    threads = 32..=1024,
    grid = n.div_ceil(block.x * Machine::LANES),
    require(
        nodes.len() >= count * MANY_WORDS,
        nodes.is_aligned(16),
        low.len() >= D,
        columns.len() >= stride * (D - 1) + n,
        stride >= n,
        sums.len() >= 2 * stride,
        state.len() >= progress::HISTORY + limit,
        are_nodes([nodes_x, nodes_y, nodes_z, nodes_u, nodes_v], D),
    ),
)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn blur_many<const D: usize>(
    nodes: &[f32],
    low: &[f64],
    patches: &[u32],
    columns: DisjointMut<f32>,
    sums: DisjointMut<f32>,
    state: *mut u32,
    n: u32,
    stride: u32,
    limit: u32,
    tolerance: f32,
    count: u32,
    nodes_x: u32,
    nodes_y: u32,
    nodes_z: u32,
    nodes_u: u32,
    nodes_v: u32,
    inverse: f64,
) {
    // SAFETY: the launch has checked the length of `state`; launches follow one another.
    let active = unsafe { progress::active(state, limit, n) };
    if active == 0 {
        return;
    }
    let axes = Axes::new([nodes_x, nodes_y, nodes_z, nodes_u, nodes_v], inverse, low, (patches, count));
    let grid = Grid::<D> { nodes, axes };
    // SAFETY: the launch has checked the lengths.
    unsafe {
        blur_over::<Machine, _, D, { Machine::LANES }>(grid, (columns, sums), (state, active), (n, stride), tolerance)
    };
}
