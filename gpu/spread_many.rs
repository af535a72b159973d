//! Points onto the nodes of a grid in four and five dimensions: spread.rs, with its sums, its fixed point and its promises, over
//! nodes of eight words (many.rs).
//!
//! A processor adds to four nodes along x at a time (node_rows.rs). On a GPU the warp takes the points of one first node after the other, as in
//! spread_warp.rs; a row of four nodes is just its lanes:
//!
//! ```text
//! lane = word + 8 x
//! for each first node among the lanes' points, and each of the 4^(D-1) rows of nodes about it:
//!     for each point that has it:  sum += round(v B S) or round(v B (g - x)_word S)
//!     cell(node, word) += sum      32 neighbouring cells
//! ```
//!
//! Operations for a point, d = 4: 256 nodes with a product, a conversion and an addition of 64 bits for each of eight words; d = 5: 1024.

use cuda_std::machine::{Gpu, MachineKind};
use cuda_std::prelude::*;
use cuda_std::{atomic, warp};

use crate::many::{At, Axes, MANY_WORDS, Place, rows, tap};
use crate::node_rows::{self, MANY};
use crate::progress;
use crate::spline::{TAPS, are_nodes};
use crate::spread::{is_over, rounded};

/// Threads of a GPU's block.
const THREADS: u32 = 128;

/// Words of a point in shared memory: its factor, how far behind its second node it is along each axis, and each axis' weights. Odd,
/// so that lanes do not meet in a bank.
const fn words(d: usize) -> usize {
    (1 + d + TAPS * d) | 1
}

/// Adds the points, with their factors, of the lanes that have one.
///
/// # Safety
/// The whole warp comes here. `room` is the warp's, 32 times [`words`] of shared memory, which nobody else touches. The nodes
/// that the points touch are within the grid, whose sums begin at `sums` and are touched atomically only; there are fewer than
/// 2^32 of them.
#[inline(always)]
unsafe fn add_points<const D: usize>(point: Option<(Place<D>, f32)>, room: *mut f32, sums: *mut u64) {
    let lane = warp::lane_id() as usize;
    let node = point.map_or(u32::MAX, |(place, _)| place.at.node as u32);
    let mut own_strides = [0; D];
    if let Some((place, factor)) = point {
        for c in 1..D {
            own_strides[c] = place.at.strides[c] as u32;
        }
        // SAFETY: each lane has its words of the room.
        unsafe {
            let own = room.add(lane * words(D));
            own.write(factor);
            for c in 0..D {
                own.add(1 + c).write(place.behind[c]);
                for k in 0..TAPS {
                    own.add(1 + D + TAPS * c + k).write(place.along[c][k]);
                }
            }
        }
    }
    let (word, x) = (lane % MANY_WORDS, lane / MANY_WORDS);
    // SAFETY: the caller's promises. All lanes take the same turns: `left` and `same` are the same in all of them.
    unsafe {
        warp::sync_warp(warp::ALL);
        let mut left = warp::warp_vote_ballot(warp::ALL, point.is_some());
        while left != 0 {
            let leader = left.trailing_zeros();
            // Those of one first node are of one patch.
            let mut first =
                At { node: warp::warp_shuffle_idx(warp::ALL, node, leader, warp::WARP_SIZE) as usize, strides: [1; D] };
            for c in 1..D {
                first.strides[c] = warp::warp_shuffle_idx(warp::ALL, own_strides[c], leader, warp::WARP_SIZE) as usize;
            }
            let same = warp::warp_vote_ballot(warp::ALL, node as usize == first.node) & left;
            left &= !same;
            for row in 0..rows(D) {
                let own_tap = if word < 2 || word > D { x } else { tap(row, word - 1) };
                let (mut total, mut members) = (0_u64, same);
                while members != 0 {
                    let of = room.add(members.trailing_zeros() as usize * words(D));
                    members &= members - 1;
                    let along = of.add(1 + D);
                    let mut mass = of.read();
                    for c in 1..D {
                        mass *= along.add(TAPS * c + tap(row, c)).read();
                    }
                    mass *= along.add(x).read();
                    let from = if word > 0 { of.add(word.min(D)).read() - (own_tap as f32 - 1.0) } else { 1.0 };
                    total = total.wrapping_add(rounded::<Gpu>(mass * from));
                }
                if word <= D && total != 0 {
                    atomic::fetch_add(sums.add((first.node + x + first.row(row)) * MANY_WORDS + word), total);
                }
            }
        }
    }
}

/// Adds points to the sums, as `spread` does in fewer dimensions. `low` has the first node of each axis, in spacings; of what is in no
/// patch nothing is added.
#[kernel(
    instances(spread_4<4>, spread_5<5>),
    rolled,
    block = if Machine::LANES > 4 { 1 } else { THREADS },
    grid = if Machine::LANES > 4 { copies } else { n.div_ceil(THREADS as usize) },
    require(
        columns.len() >= stride * (D - 1) + n,
        factors.len() == 0 || factors.len() >= n,
        low.len() >= D,
        sums.len() >= copies * count * MANY_WORDS,
        sums.len() / MANY_WORDS < u32::MAX as usize,
        state.len() >= progress::HISTORY,
        copies >= 1,
        are_nodes([nodes_x, nodes_y, nodes_z, nodes_u, nodes_v], D),
    ),
)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn spread_many<const D: usize>(
    columns: &[f32],
    factors: &[f32],
    low: &[f64],
    patches: &[u32],
    sums: *mut u64,
    state: *mut u32,
    limit: u32,
    n: u32,
    stride: u32,
    copies: u32,
    count: u32,
    nodes_x: u32,
    nodes_y: u32,
    nodes_z: u32,
    nodes_u: u32,
    nodes_v: u32,
    inverse: f64,
    scale: f32,
) {
    // SAFETY: the launch has checked the length.
    if unsafe { is_over(state, limit) } {
        return;
    }
    let (n, stride, copies) = (n as usize, stride as usize, copies as usize);
    let axes = Axes::<D>::new([nodes_x, nodes_y, nodes_z, nodes_u, nodes_v], inverse, low, (patches, count));
    let block = thread::block_idx_x() as usize;
    // SAFETY: the copy lies within the sums, whose length the launch has checked.
    let sums = unsafe { sums.add(block % copies * count as usize * MANY_WORDS) };
    if Machine::KIND != MachineKind::Gpu {
        let points = block * n / copies..(block + 1) * n / copies;
        // SAFETY: the launch has checked the columns. A place's nodes are among those that there are; a processor's thread has its
        // copy to itself.
        unsafe {
            node_rows::add_points::<Machine, D, { MANY_WORDS * TAPS }, { Machine::LANES }>(
                &MANY,
                (columns, stride, points),
                (factors, scale),
                (inverse, |c| (axes.nodes[c], low[c])),
                |first| axes.find(first).map(|at| (at.node, at.strides)),
                sums,
            );
        }
    } else {
        let point = |i: usize| {
            let factor = scale * if factors.is_empty() { 1.0 } else { factors[i] };
            axes.place::<Machine>(columns, stride, i).map(|place| (place, factor))
        };
        let i = thread::index_1d();
        let room = shared_array![f32; words(D) * THREADS as usize];
        // SAFETY: as above, but that all add atomically; threads of a block come in whole warps, each with its part of the room.
        unsafe {
            let room = room.cast::<f32>().add(thread::thread_idx_x() as usize / 32 * words(D) * 32);
            add_points(if i < n { point(i) } else { None }, room, sums);
        }
    }
}
