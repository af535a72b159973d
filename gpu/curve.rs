//! Where points lie on a space-filling curve, as keys to sort them by.
//!
//! ```text
//! q_c = floor((x_c - low_c) / side), below 2^bits_c         the cell of a grid
//! key = the bits of all q_c, interleaved: the highest of each first; then a hash of the point
//! ```
//!
//! Morton's curve: points that share the first bits of their keys share a cell of a coarser grid. A side
//! that is wide has more bits than one that is narrow, and a bit stands for the same length in each dimension:
//! where 64 bits are not enough the cells are larger (the host says how large), and in many dimensions only
//! the widest have bits at all. The hash, of all bits of all coordinates, brings points that are equal next to
//! each other within a cell; it has no bits where they are not to be found.

use cuda_std::prelude::*;

use crate::cells::mix;

/// The key of each point.   One thread a point. `bits[c]` is at most `most`, and `hash_bits` at most 32.
#[kernel(
    threads = 32..=1024,
    grid = n.div_ceil(block.x),
    require(
        columns.len() >= stride * d,
        stride >= n,
        lows.len() >= d,
        bits.len() >= d,
        keys.len() >= n,
        most <= 31,
        hash_bits <= 32,
    ),
)]
pub unsafe fn curve_keys(
    columns: &[f32],
    lows: &[f32],
    bits: &[u32],
    mut keys: DisjointMut<u64>,
    n: u32,
    d: u32,
    stride: u32,
    most: u32,
    hash_bits: u32,
    inverse_side: f32,
) {
    let (n, d, stride) = (n as usize, d as usize, stride as usize);
    let i = thread::index_1d();
    if i >= n {
        return;
    }
    let mut key = 0;
    let mut level = most;
    while level > 0 {
        level -= 1;
        for c in 0..d {
            if bits[c] > level {
                let cell = ((columns[c * stride + i] - lows[c]) * inverse_side) as u32;
                let last = (1 << bits[c]) - 1;
                let cell = if cell < last { cell } else { last };
                key = key << 1 | u64::from(cell >> level & 1);
            }
        }
    }
    if hash_bits > 0 {
        let mut hash = 0;
        for c in 0..d {
            hash = mix(hash, columns[c * stride + i].to_bits());
        }
        // The upper bits, which all words have changed.
        hash ^= hash >> 16;
        hash = hash.wrapping_mul(0x85eb_ca6b);
        key = key << hash_bits | u64::from(hash >> (32 - hash_bits));
    }
    // SAFETY: cell i belongs to the thread with that index.
    unsafe { keys.write(i, key) };
}
