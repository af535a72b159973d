//! Where points lie in an order that keeps neighbours together, as keys to sort them by.
//!
//! ```text
//! q_c = floor((x_c - low_c) / side), below 2^bits            the cell of a grid
//! key = the place of that cell on a curve through all of them; then a hash of the point
//! ```
//!
//! In up to four dimensions the curve is Hilbert's, of which the cells that follow one another are neighbours: J. Skilling,
//! Programming the Hilbert curve (2004). Every dimension has as many bits. In more, a grid has too many cells, and points have the
//! numbers of others (host/mean_shift/near/tour.rs).
//!
//! The hash, of all bits of all coordinates, brings points that are equal next to each other within a cell; it
//! has no bits where they are not to be found.

use cuda_std::prelude::*;

use crate::cells::mix;

/// Keys of points that are in cells of any kind: the number of the cell, and behind it the hash.   One thread a point.
#[kernel(
    threads = 32..=1024,
    grid = n.div_ceil(block.x),
    require(columns.len() >= stride * d, stride >= n, numbers.len() >= n, keys.len() >= n, hash_bits <= 32),
)]
pub unsafe fn cell_keys(
    columns: &[f32],
    numbers: &[u32],
    mut keys: DisjointMut<u64>,
    n: u32,
    d: u32,
    stride: u32,
    hash_bits: u32,
) {
    let (n, d, stride) = (n as usize, d as usize, stride as usize);
    let i = thread::index_1d();
    if i >= n {
        return;
    }
    let mut hash = 0;
    if hash_bits > 0 {
        for c in 0..d {
            hash = mix(hash, columns[c * stride + i].to_bits());
        }
    }
    // SAFETY: cell i belongs to the thread with that index.
    unsafe { keys.write(i, with_hash(u64::from(numbers[i]), hash, hash_bits)) };
}

/// Keys along Hilbert's curve, of the same number of bits in each dimension.   One thread a point.
#[kernel(
    instances(hilbert_keys_1<1>, hilbert_keys_2<2>, hilbert_keys_3<3>, hilbert_keys_4<4>),
    threads = 32..=1024,
    grid = n.div_ceil(block.x),
    require(
        columns.len() >= stride * D,
        stride >= n,
        lows.len() >= D,
        keys.len() >= n,
        bits * D + hash_bits <= 64,
        bits <= 31,
        hash_bits <= 32,
    ),
)]
pub unsafe fn hilbert_keys<const D: usize>(
    columns: &[f32],
    lows: &[f32],
    mut keys: DisjointMut<u64>,
    n: u32,
    stride: u32,
    bits: u32,
    hash_bits: u32,
    inverse_side: f32,
) {
    let (n, stride) = (n as usize, stride as usize);
    let i = thread::index_1d();
    if i >= n {
        return;
    }
    let (mut cells, mut hash) = ([0; D], 0);
    for c in 0..D {
        let x = columns[c * stride + i];
        cells[c] = cell(x, lows[c], inverse_side, bits);
        hash = mix(hash, x.to_bits());
    }
    cells = along_hilbert(cells, bits);
    let (mut key, mut level) = (0, bits);
    while level > 0 {
        level -= 1;
        for c in 0..D {
            key = key << 1 | u64::from(cells[c] >> level & 1);
        }
    }
    // SAFETY: cell i belongs to the thread with that index.
    unsafe { keys.write(i, with_hash(key, hash, hash_bits)) };
}

/// The cell of a coordinate: from 0 on, of so many bits.
#[inline(always)]
fn cell(x: f32, low: f32, inverse_side: f32, bits: u32) -> u32 {
    let (cell, last) = (((x - low) * inverse_side) as u32, (1 << bits) - 1);
    if cell < last { cell } else { last }
}

/// A key, and behind it so many bits of a hash: the upper ones, once all words have changed them.
#[inline(always)]
fn with_hash(key: u64, mut hash: u32, bits: u32) -> u64 {
    if bits == 0 {
        return key;
    }
    hash ^= hash >> 16;
    hash = hash.wrapping_mul(0x85eb_ca6b);
    key << bits | u64::from(hash >> (32 - bits))
}

/// The number of a cell on Hilbert's curve, in Skilling's form: its bits in turn, those of the highest level first.
#[inline(always)]
fn along_hilbert<const D: usize>(mut x: [u32; D], bits: u32) -> [u32; D] {
    let mut level = bits;
    while level > 1 {
        level -= 1;
        let (bit, below) = (1 << level, (1 << level) - 1);
        for c in 0..D {
            if x[c] & bit != 0 {
                x[0] ^= below;
            } else {
                let exchange = (x[0] ^ x[c]) & below;
                x[0] ^= exchange;
                x[c] ^= exchange;
            }
        }
    }
    for c in 1..D {
        x[c] ^= x[c - 1];
    }
    let (mut flips, mut level) = (0, bits);
    while level > 1 {
        level -= 1;
        if x[D - 1] & 1 << level != 0 {
            flips ^= (1 << level) - 1;
        }
    }
    for c in 0..D {
        x[c] ^= flips;
    }
    x
}
