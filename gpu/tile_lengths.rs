//! The squares of the lengths of a tile's points, in shared memory beside the tile: for steps on tensor cores, where a lane weighs
//! two of each eight points. It finds its own behind each other, of 8 PAIRS points at a time.

use cuda_std::copy;
use cuda_std::prelude::*;
use cuda_std::shared::SharedAddress;

use crate::lanes::unrolled;

/// Lanes among which eight points are shared out.
const LANES: u32 = 4;

/// Bytes from a lane's to the next's, so many that no two lanes share a bank.
const fn of_lane(pairs: usize) -> u32 {
    let own = 8 * pairs as u32;
    if own < 32 { own } else { own + 16 }
}

/// Bytes of 8 PAIRS points' lengths.
pub(crate) const fn bytes(pairs: usize) -> u32 {
    LANES * of_lane(pairs)
}

/// Begins to copy those of so many points, which as many threads do.
///
/// # Safety
/// There are as many lengths, and threads of the block. 8 PAIRS points each have [`bytes`] from `to` on, which nobody touches until
/// the copies have ended.
#[inline(always)]
pub(crate) unsafe fn copy<const PAIRS: usize>(to: SharedAddress, from: *const f32, points: u32) {
    let point = thread::thread_idx_x();
    if point < points {
        let of_group = const { 8 * PAIRS as u32 };
        let (group, pair) = (point / of_group, point % of_group / 8);
        let place = group * bytes(PAIRS) + point % 8 / 2 * of_lane(PAIRS) + pair * 8 + point % 2 * 4;
        // SAFETY: the caller's promise.
        unsafe { copy::async_4(to.add(place), from.add(point as usize)) };
    }
}

/// Those of lane t of four, of the 8 PAIRS points that are there.
///
/// # Safety
/// The copies have ended, and a barrier was passed since.
#[inline(always)]
pub(crate) unsafe fn read<const PAIRS: usize>(from: SharedAddress, t: usize) -> [[f32; 2]; PAIRS] {
    const { assert!(PAIRS.is_multiple_of(2) && PAIRS <= 8) };
    let mut lengths = [[0.0; 2]; PAIRS];
    // SAFETY: the caller's promise.
    let own = unsafe { from.add(t as u32 * of_lane(PAIRS)) };
    unrolled!(k in 0..PAIRS / 2, {
        // SAFETY: as above.
        let [a, b, c, d] = unsafe { own.add(16 * k as u32).read_16() }.map(f32::from_bits);
        lengths[2 * k] = [a, b];
        lengths[2 * k + 1] = [c, d];
    });
    lengths
}
