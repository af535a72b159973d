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
//! Operations for a query and step, d = 2: 4 rows of 16 floats, 2 fma each; then 20.

use cuda_std::{atomic, prelude::*};

use crate::lanes;
use crate::progress;
use crate::share::each;
use crate::shift::end_blurring;
use crate::spline::{TAPS, locate, offsets, pick, weights};
use crate::stored::{Layout, held};

/// Where the field is.
#[derive(Clone, Copy)]
struct Grid<'a> {
    nodes: [u32; 3],
    inverse: f64,
    low: [f64; 3],
    layout: Layout<'a>,
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
        if M::LANES > 4 || D > 2 {
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
        keys.len() == 0 || D > 1 && nodes.len() >= keys.len() * held(D) * 4,
        keys.len() == 0 || slots.len() > keys.len() && slots.len().is_power_of_two(),
        queries.len() >= stride * (D - 1) + m,
        stride >= m,
        details.len() >= 3 * stride,
        state.len() >= progress::HISTORY + limit,
        nodes_x >= 4,
        D < 2 || nodes_y >= 4,
        D < 3 || nodes_z >= 4,
    ),
)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn climb<const D: usize>(
    nodes: &[f32],
    slots: &[u32],
    keys: &[u64],
    mut queries: DisjointMut<f32>,
    mut details: DisjointMut<f32>,
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
    let layout = Layout::new::<D>(slots, keys, [nodes_x, nodes_y, nodes_z]);
    let grid = Grid { nodes: [nodes_x, nodes_y, nodes_z], inverse, low: [low_x, low_y, low_z], layout };
    let stride = stride as usize;
    let spacing = Machine::divide_f64(1.0, inverse);
    let squared_spacing = (spacing * spacing) as f32;
    let (mut still, mut most) = (0, 0);
    each::<Machine>(m as usize, |i| {
        // SAFETY: column position i is that of an item of this thread.
        let (before, done) = unsafe { (details.read(stride + i), details.read(2 * stride + i).to_bits()) };
        if done > 0 && before <= tolerance {
            return;
        }
        if done >= limit {
            still += 1;
            return;
        }
        let (mut first, mut s) = ([0; D], [0.0; D]);
        for c in 0..D {
            // SAFETY: as above.
            let x = unsafe { queries.read(c * stride + i) };
            (first[c], s[c]) = locate(x, grid.inverse, grid.low[c], grid.nodes[c]);
        }
        let (mut iteration, end) = (done, limit.min(done + rounds));
        let (mut total, mut squared) = (0.0, f32::INFINITY);
        while iteration < end && (iteration == 0 || squared > tolerance || squared.is_nan()) {
            let Some(base) = grid.layout.index(first) else { break };
            let (sum, step) = read::<Machine, D>(nodes, grid.layout, base, s);
            (total, squared) = (sum, 0.0);
            for c in 0..D {
                squared += step[c] * step[c];
                // Across borders of cells, into neighbours that the grid has.
                let mut moved = s[c] + step[c];
                let mut cells = moved as i32;
                cells -= i32::from((cells as f32) > moved);
                let node = (first[c] as i32 + cells).clamp(0, grid.nodes[c] as i32 - 4);
                cells = node - first[c] as i32;
                moved -= cells as f32;
                (first[c], s[c]) = (node as u32, moved);
            }
            squared *= squared_spacing;
            // SAFETY: the launch has checked the length; others only raise the cell, too.
            unsafe {
                let cell = state.add(progress::HISTORY + iteration as usize);
                if atomic::load(cell) < squared.to_bits() {
                    atomic::fetch_max(cell, squared.to_bits());
                }
            }
            iteration += 1;
        }
        if iteration == done {
            // It waits for its block.
            still += 1;
            return;
        }
        for c in 0..D {
            let t = f64::from(first[c] + 1) + f64::from(s[c]) + grid.low[c];
            // SAFETY: as for the reads.
            unsafe { queries.write(c * stride + i, (t * spacing) as f32) };
        }
        // SAFETY: as above.
        unsafe {
            details.write(i, total);
            details.write(stride + i, squared);
            details.write(2 * stride + i, f32::from_bits(iteration));
        }
        most = if iteration > most { iteration } else { most };
        still += u32::from(squared > tolerance || squared.is_nan());
    });
    // SAFETY: the launch has checked the length of `state`, whose cells threads change atomically only.
    unsafe {
        if still > 0 {
            atomic::fetch_add(state.add(progress::KEPT), still);
        }
        if most > 0 {
            atomic::fetch_max(state.add(progress::FARTHEST), most);
        }
        thread::sync_threads();
        if thread::thread_idx_x() == 0 && progress::is_last_block(state) {
            // Where all queries rest, nobody has said how many there were.
            let said = atomic::exchange(state.add(progress::FARTHEST), 0);
            let before = atomic::load(state.add(progress::ITERATION));
            let iterations = if said > before { said } else { before };
            let kept = atomic::exchange(state.add(progress::KEPT), 0);
            atomic::store(state.add(progress::ITERATION), iterations);
            atomic::store(state.add(progress::ACTIVE), kept);
            atomic::store(state.add(progress::ARRIVED), 0);
        }
    }
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
        keys.len() == 0 || D > 1 && nodes.len() >= keys.len() * held(D) * 4,
        keys.len() == 0 || slots.len() > keys.len() && slots.len().is_power_of_two(),
        columns.len() >= stride * (D - 1) + n,
        stride >= n,
        sums.len() >= 2 * stride,
        state.len() >= progress::HISTORY + limit,
        nodes_x >= 4,
        D < 2 || nodes_y >= 4,
        D < 3 || nodes_z >= 4,
    ),
)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn blur<const D: usize>(
    nodes: &[f32],
    slots: &[u32],
    keys: &[u64],
    mut columns: DisjointMut<f32>,
    mut sums: DisjointMut<f32>,
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
    let active = unsafe { progress::active(state, limit) };
    if active == 0 {
        return;
    }
    let layout = Layout::new::<D>(slots, keys, [nodes_x, nodes_y, nodes_z]);
    let grid = Grid { nodes: [nodes_x, nodes_y, nodes_z], inverse, low: [low_x, low_y, low_z], layout };
    let (stride, spacing) = (stride as usize, Machine::divide_f64(1.0, inverse) as f32);
    let mut farthest = 0.0;
    each::<Machine>(n as usize, |i| {
        let (mut first, mut s, mut at) = ([0; D], [0.0; D], [0.0; D]);
        for c in 0..D {
            // SAFETY: column position i is that of an item of this thread.
            at[c] = unsafe { columns.read(c * stride + i) };
            (first[c], s[c]) = locate(at[c], grid.inverse, grid.low[c], grid.nodes[c]);
        }
        let base = grid.layout.index(first).expect("every point has a block");
        let (total, step) = read::<Machine, D>(nodes, grid.layout, base, s);
        let mut squared = 0.0;
        for c in 0..D {
            let step = step[c] * spacing;
            squared += step * step;
            // SAFETY: as above.
            unsafe { columns.write(c * stride + i, at[c] + step) };
        }
        // SAFETY: as above.
        unsafe {
            sums.write(i, total);
            sums.write(stride + i, squared);
        }
        // Written so that a NaN stays.
        farthest = if squared <= farthest { farthest } else { squared };
    });
    // SAFETY: every block of the launch is here, or none was active.
    unsafe { end_blurring(state, farthest, tolerance, active) };
}
