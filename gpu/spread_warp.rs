//! A warp's points onto nodes of a grid: points that touch the same nodes are added up before memory is.
//!
//! Adding point by point, a lane a point, takes `(D + 1) 4^D` atomic additions a point, each to memory of its own; and where
//! points have met, all lanes wait for the same few cells. So the warp takes the points of one first node
//! after the other. Its lanes are words of the nodes about it, 32 at a time:
//!
//! ```text
//! lane = word + 4 x + 16 (y mod 2)        round = y / 2 + 2 z
//! for each first node among the lanes' points:
//!     for each point that has it:  sum[round] += round(v B S) or round(v B (g - x)_word S)
//!     cell(node, word) += sum[round]      16 neighbouring cells in each of two rows, in as few sectors as they fill
//! ```
//!
//! Sums are those of a lane a point, bit by bit: terms are rounded as there, and integers have no order.
//!
//! Instructions for a point, d = 2: some 30 of a warp, and 20 for each first node, where a lane a point takes 11. Sectors of memory
//! for each first node: 4^D, where a lane a point has (D + 1) 4^D for each point.

use cuda_std::machine::Gpu;
use cuda_std::{atomic, warp};

use crate::lanes::unrolled;
use crate::spline::TAPS;
use crate::spread::{WORDS, rounded};
use crate::stored::Layout;

/// Most rounds: those of three dimensions.
const ROUNDS: usize = 8;

/// Rounds of a warp's lanes over the words of the nodes that a point touches.
const fn rounds(d: usize) -> usize {
    [1, 2, ROUNDS][d - 1]
}

/// Words of a point: its factor, how far behind its second node it is along each axis, and each axis' weights. Odd, so that lanes
/// that write theirs, or read one's, do not meet in a bank.
const fn words(d: usize) -> usize {
    (1 + d + TAPS * d) | 1
}

/// Words of shared memory for a block of so many threads.
pub(crate) const fn shared(d: usize, threads: usize) -> usize {
    words(d) * threads
}

/// A lane's point.
#[derive(Clone, Copy)]
pub(crate) struct Point<const D: usize> {
    /// The index of its first node.
    pub(crate) node: usize,
    /// Its factor, in units of the sums.
    pub(crate) factor: f32,
    /// How far it is behind its second node along each axis, in spacings.
    pub(crate) behind: [f32; D],
    /// The weights of its nodes along each axis that there is.
    pub(crate) along: [[f32; TAPS]; 3],
}

/// Adds the points of the lanes that have one.
///
/// # Safety
/// The whole warp comes here. `room` is the warp's, `shared(D, 32)` words of shared memory, which nobody else touches. The nodes
/// that the points touch are within the layout, whose sums begin at `sums` and are touched atomically only; there are fewer than
/// 2^32 of them.
#[inline(always)]
pub(crate) unsafe fn add_points<const D: usize>(
    point: Option<Point<D>>,
    room: *mut f32,
    sums: *mut u64,
    layout: &Layout<'_>,
) {
    let lane = warp::lane_id() as usize;
    let node = point.map_or(u32::MAX, |point| point.node as u32);
    if let Some(point) = point {
        // SAFETY: each lane has its words of the room.
        unsafe {
            let own = room.add(lane * words(D));
            own.write(point.factor);
            for c in 0..D {
                own.add(1 + c).write(point.behind[c]);
                for k in 0..TAPS {
                    own.add(1 + D + TAPS * c + k).write(point.along[c][k]);
                }
            }
        }
    }
    let (word, x, upper) = (lane % WORDS, lane / WORDS % TAPS, lane / (WORDS * TAPS));
    // Nodes have a word more than there are, in one dimension two; and one row of nodes is half of the lanes.
    let busy = word <= D && (D > 1 || upper == 0);
    // SAFETY: the caller's promises. All lanes take the same turns: `left` and `same` are the same in all of them.
    unsafe {
        warp::sync_warp(warp::ALL);
        let mut left = warp::warp_vote_ballot(warp::ALL, point.is_some());
        while left != 0 {
            let first = warp::warp_shuffle_idx(warp::ALL, node, left.trailing_zeros(), warp::WARP_SIZE);
            let same = warp::warp_vote_ballot(warp::ALL, node == first) & left;
            left &= !same;
            let mut totals = [0_u64; ROUNDS];
            let mut members = same;
            while members != 0 {
                let of = room.add(members.trailing_zeros() as usize * words(D));
                members &= members - 1;
                let along = of.add(1 + D);
                let (factor, mass_x) = (of.read(), along.add(x).read());
                let behind = if word > 0 { of.add(word.min(D)).read() } else { 0.0 };
                unrolled!(round in 0..ROUNDS, {
                    if round < rounds(D) {
                        let (y, z) = (upper + 2 * (round % 2), round / 2);
                        let mut mass = factor;
                        if D > 1 {
                            mass *= along.add(TAPS + y).read();
                        }
                        if D > 2 {
                            mass *= along.add(2 * TAPS + z).read();
                        }
                        mass *= mass_x;
                        let tap = if word < 2 {
                            x
                        } else if word == 2 {
                            y
                        } else {
                            z
                        };
                        let from = if word > 0 { behind - (tap as f32 - 1.0) } else { 1.0 };
                        totals[round] = totals[round].wrapping_add(rounded::<Gpu>(mass * from));
                    }
                });
            }
            unrolled!(round in 0..ROUNDS, {
                if round < rounds(D) && busy && totals[round] != 0 {
                    let (y, z) = (upper + 2 * (round % 2), round / 2);
                    let at = first as usize + x + layout.row * y + layout.plane * z;
                    atomic::fetch_add(sums.add(at * WORDS + word), totals[round]);
                }
            });
        }
    }
}
