//! How a processor moves queries over a binned field: L at a time, in lanes, but for the nodes about each (node_rows.rs).

use cuda_std::{atomic, prelude::*};

use crate::lanes::{read_some, seen_anew, write_some};
use crate::moves::Field;
use crate::node_rows::{Splines, locate_each, of_lane};
use crate::progress;
use crate::spline::TAPS;

/// What the nodes about L places say: the sums of weights, and the steps in spacings.
struct Read<const D: usize, const L: usize> {
    totals: [f32; L],
    steps: [[f32; L]; D],
}

/// Steps at the places of some lanes, and whether each of them is stored. Of the other lanes nothing is promised.
#[inline(always)]
fn read<M: Machine, F: Field<D>, const D: usize, const L: usize>(
    field: &F,
    (first, behind): (&[[u32; L]; D], &[[f32; L]; D]),
    wanted: impl Fn(usize) -> bool,
) -> (Read<D, L>, [bool; L]) {
    let splines = Splines::new::<M>(*behind);
    let (splines, first) = (seen_anew::<L, _>(&splines), seen_anew::<L, _>(first));
    let (mut nodes, mut stored) = ([F::Node::default(); L], [false; L]);
    for lane in 0..L {
        if !wanted(lane) {
            continue;
        }
        let Some(at) = field.find(of_lane(first, lane)) else { continue };
        // SAFETY: a place that was found has its nodes in the field.
        nodes[lane] = unsafe { field.read_rows::<M>(at, &splines.of_lane(lane)) };
        stored[lane] = true;
    }
    let nodes = seen_anew::<L, _>(&nodes);
    let mut read = Read { totals: [0.0; L], steps: [[0.0; L]; D] };
    for lane in 0..L {
        read.totals[lane] = nodes[lane].as_ref()[0];
    }
    for c in 0..D {
        for lane in 0..L {
            // As in shift.rs.
            let total = if read.totals[lane] <= 0.0 { f32::INFINITY } else { read.totals[lane] };
            read.steps[c][lane] = M::divide(nodes[lane].as_ref()[1 + c], total);
        }
    }
    (read, stored)
}

/// The first of the items that a thread takes, and how many they are, of n in a grid of `n.div_ceil(block.x * L)` blocks.
#[inline(always)]
fn share<const L: usize>(n: usize) -> (usize, usize) {
    let first = thread::index_1d() * L;
    (first, n.saturating_sub(first).min(L))
}

/// The thread's points of n, in columns `stride` apart, one step each, as `blur` in binned.rs says; the largest squared step.
///
/// # Safety
/// Every length is as `blur` requires.
#[inline(always)]
pub(crate) unsafe fn blur_lanes<M: Machine, F: Field<D>, const D: usize, const L: usize>(
    field: &F,
    (columns, sums): (&mut DisjointMut<f32>, &mut DisjointMut<f32>),
    (n, stride): (usize, usize),
) -> f32 {
    let (i, count) = share::<L>(n);
    let spacing = M::divide_f64(1.0, field.inverse()) as f32;
    let (mut at, mut first, mut behind) = ([[0.0; L]; D], [[0; L]; D], [[0.0; L]; D]);
    for c in 0..D {
        // SAFETY: these are the thread's items.
        at[c] = unsafe { read_some(columns, c * stride + i, count) };
        let (nodes, low) = field.axis(c);
        (first[c], behind[c]) = locate_each(at[c], field.inverse(), low, nodes);
    }
    let (read, stored) = read::<M, F, D, L>(field, (&first, &behind), |lane| lane < count);
    let mut squared = [0.0; L];
    for c in 0..D {
        for lane in 0..L {
            let step = read.steps[c][lane] * spacing;
            squared[lane] += step * step;
            at[c][lane] += step;
        }
        // SAFETY: as above.
        unsafe { write_some(columns, c * stride + i, at[c], count) };
    }
    // SAFETY: as above.
    unsafe {
        write_some(sums, i, read.totals, count);
        write_some(sums, stride + i, squared, count);
    }
    // As bits, squares are in order, and a NaN is above all of them.
    let mut farthest = 0;
    for lane in 0..L {
        let bits = if lane < count { squared[lane].to_bits() } else { 0 };
        farthest = if bits > farthest { bits } else { farthest };
    }
    assert!((0..count).all(|lane| stored[lane]), "every point has a block");
    f32::from_bits(farthest)
}

/// Moves the thread's queries of m until each rests, as `climb` in binned.rs says: how many are to be moved still, and the most
/// iterations of one.
///
/// # Safety
/// Every length is as `climb` requires.
#[inline(always)]
pub(crate) unsafe fn climb_lanes<M: Machine, F: Field<D>, const D: usize, const L: usize>(
    field: &F,
    (queries, details): (&mut DisjointMut<f32>, &mut DisjointMut<f32>),
    state: *mut u32,
    (m, stride): (usize, usize),
    (rounds, limit, tolerance): (u32, u32, f32),
) -> (u32, u32) {
    let (i, count) = share::<L>(m);
    let spacing = M::divide_f64(1.0, field.inverse());
    let squared_spacing = (spacing * spacing) as f32;
    let (mut first, mut behind) = ([[0; L]; D], [[0.0; L]; D]);
    for c in 0..D {
        // SAFETY: these are the thread's items.
        let x = unsafe { read_some(queries, c * stride + i, count) };
        let (nodes, low) = field.axis(c);
        (first[c], behind[c]) = locate_each(x, field.inverse(), low, nodes);
    }
    let (mut totals, mut squared) = ([0.0; L], [f32::INFINITY; L]);
    let (mut done, mut iteration, mut moves, mut going) = ([0; L], [0; L], [false; L], [false; L]);
    let (mut still, mut most, mut left) = (0, 0, 0);
    for lane in 0..count {
        // SAFETY: as above.
        let (before, of) = unsafe { (details.read(stride + i + lane), details.read(2 * stride + i + lane).to_bits()) };
        (done[lane], iteration[lane]) = (of, of);
        if of > 0 && before <= tolerance {
            continue;
        }
        moves[lane] = of < limit;
        still += u32::from(of >= limit);
        going[lane] = of < limit && rounds > 0;
        left += u32::from(going[lane]);
    }
    while left > 0 {
        let (read, stored) = read::<M, F, D, L>(field, (&first, &behind), |lane| going[lane]);
        let mut of_step = [0.0; L];
        for c in 0..D {
            let last = field.axis(c).0 as i32 - TAPS as i32;
            for lane in 0..L {
                let step = read.steps[c][lane];
                of_step[lane] += step * step;
                // Across borders of cells, into neighbours that the grid has.
                let to = behind[c][lane] + step;
                let mut cells = to as i32;
                cells -= i32::from((cells as f32) > to);
                let node = (first[c][lane] as i32).saturating_add(cells).clamp(0, last);
                let cells = node - first[c][lane] as i32;
                if going[lane] && stored[lane] {
                    (first[c][lane], behind[c][lane]) = (node as u32, to - cells as f32);
                }
            }
        }
        left = 0;
        for lane in 0..count {
            // Where there is no block, a query waits for it.
            going[lane] &= stored[lane];
            if !going[lane] {
                continue;
            }
            (totals[lane], squared[lane]) = (read.totals[lane], of_step[lane] * squared_spacing);
            // SAFETY: the launch has checked the length; others only raise the cell, too.
            unsafe {
                let cell = state.add(progress::HISTORY + iteration[lane] as usize);
                if atomic::load(cell) < squared[lane].to_bits() {
                    atomic::fetch_max(cell, squared[lane].to_bits());
                }
            }
            iteration[lane] += 1;
            let rests = squared[lane] <= tolerance;
            going[lane] = !rests && iteration[lane] < limit.min(done[lane].saturating_add(rounds));
            left += u32::from(going[lane]);
        }
    }
    for lane in 0..count {
        if !moves[lane] {
            continue;
        }
        if iteration[lane] == done[lane] {
            // It waits for its block.
            still += 1;
            continue;
        }
        for c in 0..D {
            let t = f64::from(first[c][lane] + 1) + f64::from(behind[c][lane]) + field.axis(c).1;
            // SAFETY: as above.
            unsafe { queries.write(c * stride + i + lane, (t * spacing) as f32) };
        }
        // SAFETY: as above.
        unsafe {
            details.write(i + lane, totals[lane]);
            details.write(stride + i + lane, squared[lane]);
            details.write(2 * stride + i + lane, f32::from_bits(iteration[lane]));
        }
        most = most.max(iteration[lane]);
        still += u32::from(squared[lane] > tolerance || squared[lane].is_nan());
    }
    (still, most)
}
