//! The order of points along a space-filling curve.

use gpu::axes::{column_extents, restored};
use gpu::curve::{curve_keys, hilbert_keys_2, hilbert_keys_3, hilbert_keys_4};

use super::sort_by_key;
use crate::error::Result;
use crate::executor::{Buffer, Device};
use crate::mean_shift::labels::{Columns, count};

/// Bits of a key.
const BITS: u32 = 64;

/// Bits of a key that bring equal points together.
const HASH_BITS: u32 = 16;

/// Bits of a coordinate that an f32 can tell.
const MOST: u32 = 24;

/// A grid over the points: cells of one side in every dimension, as many as they need.
struct Grid {
    lows: Vec<f32>,
    bits: Vec<u32>,
    side: f64,
}

impl Grid {
    /// Of this side, or of the smallest larger one, twice, four times as large and so on, whose cells have numbers of
    /// `room` bits. If `even`, of as many cells in each dimension.
    fn new(lows: &[f32], highs: &[f32], mut side: f64, room: u32, even: bool) -> Self {
        loop {
            let cells =
                |(low, high): (&f32, &f32)| ((f64::from(*high) - f64::from(*low)) / side).max(0.0).floor() + 1.0;
            let mut bits: Vec<u32> =
                lows.iter().zip(highs).map(|x| (cells(x).log2().ceil() as u32).min(MOST)).collect();
            if even {
                let most = bits.iter().copied().max().unwrap_or(0);
                bits.fill(most);
            }
            if bits.iter().map(|&bits| u64::from(bits)).sum::<u64>() <= u64::from(room) {
                return Self { lows: lows.to_vec(), bits, side };
            }
            side *= 2.0;
        }
    }
}

/// The points in the order of a curve through the cells of a grid, of `side` each or, where their numbers have no
/// room, of more. With `equal`, points that are equal in every bit are next to each other, but for a few that
/// another one with the same hash may separate.
///
/// # Errors
/// [`Error::TooMany`](crate::Error::TooMany); too little memory; whatever the device reports.
pub fn curve_order(device: &Device, points: Columns<'_>, side: f64, equal: bool) -> Result<Buffer<u32>> {
    let (n, d, stride) = (count(points.n, "points")?, count(points.d, "dimensions")?, count(points.stride, "points")?);
    if n == 0 {
        return device.zeros(0);
    }
    let mut extents = device.zeros(2 * points.d)?;
    device.launch(column_extents::launch(points.values, &mut extents, n, d, stride))?;
    let extents = device.download(&extents)?;
    let lows: Vec<f32> = extents.chunks(2).map(|words| restored(!words[1])).collect();
    let highs: Vec<f32> = extents.chunks(2).map(|words| restored(words[0])).collect();
    let hash_bits = if equal { HASH_BITS } else { 0 };
    let grid = Grid::new(&lows, &highs, side, BITS - hash_bits, (2..=4).contains(&d));
    let lows = device.upload(&grid.lows)?;
    let most = grid.bits.iter().copied().max().unwrap_or(0);
    let inverse_side = (1.0 / grid.side) as f32;
    let mut keys = device.zeros(points.n)?;
    let (columns, to) = (points.values, &mut keys);
    device.launch(match d {
        2 => hilbert_keys_2::launch(columns, &lows, to, n, stride, most, hash_bits, inverse_side),
        3 => hilbert_keys_3::launch(columns, &lows, to, n, stride, most, hash_bits, inverse_side),
        4 => hilbert_keys_4::launch(columns, &lows, to, n, stride, most, hash_bits, inverse_side),
        _ => {
            let bits = device.upload(&grid.bits)?;
            device.launch(curve_keys::launch(
                columns,
                &lows,
                &bits,
                to,
                n,
                d,
                stride,
                most,
                hash_bits,
                inverse_side,
            ))?;
            return sort_by_key(device, keys, grid.bits.iter().sum::<u32>() + hash_bits);
        }
    })?;
    sort_by_key(device, keys, grid.bits.iter().sum::<u32>() + hash_bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_have_room() {
        let grid = Grid::new(&[0.0, -4.0, 1.0], &[7.9, 4.0, 1.0], 1.0, 48, false);
        assert_eq!((grid.bits, grid.side), (vec![3, 4, 0], 1.0));
        // Too many cells: of twice the side, there are half as many.
        let grid = Grid::new(&[0.0, -4.0], &[7.9, 4.0], 1.0, 6, false);
        assert_eq!((grid.bits, grid.side), (vec![2, 3], 2.0));
        // Even grids have as many bits in each dimension.
        let grid = Grid::new(&[0.0, -4.0], &[7.9, 4.0], 1.0, 6, true);
        assert_eq!((grid.bits, grid.side), (vec![3, 3], 2.0));
        // Only the widest of many dimensions has bits.
        let (lows, mut highs) = ([0.0; 100], [1.0; 100]);
        highs[7] = 16.5;
        let grid = Grid::new(&lows, &highs, 0.25, 64, false);
        assert_eq!((grid.bits[7], grid.bits.iter().sum::<u32>()), (4, 4));
    }
}
