//! The order of points along a space-filling curve.

use gpu::axes::{column_extents, restored};
use gpu::curve::{hilbert_keys_1, hilbert_keys_2, hilbert_keys_3, hilbert_keys_4};

use super::order::{HASH_BITS, Wanted};
use super::sort_by_key;
use crate::error::Result;
use crate::executor::{Buffer, Device};
use crate::mean_shift::labels::{Columns, Sizes};

/// Bits of a key.
const BITS: u32 = 64;

/// Bits of a coordinate that an f32 can tell.
const MOST: u32 = 24;

/// A grid over the points: cells of one side, as many in each dimension.
struct Grid {
    bits: u32,
    side: f64,
}

impl Grid {
    /// Of this side, or of the smallest larger one, twice, four times as large and so on, whose cells have numbers of
    /// `room` bits.
    fn new(extents: &[f64], mut side: f64, room: u32) -> Self {
        let widest = extents.iter().copied().fold(0.0, f64::max);
        loop {
            let cells = (widest / side).max(0.0).floor() + 1.0;
            let bits = (cells.log2().ceil() as u32).min(MOST);
            if bits * extents.len() as u32 <= room {
                return Self { bits, side };
            }
            side *= 2.0;
        }
    }
}

/// The points in the order of a curve through the cells of a grid, of the side that is wanted or, where their numbers have no
/// room, of more.
///
/// # Errors
/// As [`order`](super::order()).
pub fn order(device: &Device, points: Columns<'_>, Wanted { side, equal, .. }: Wanted) -> Result<Buffer<u32>> {
    let Sizes { n, d, stride } = points.sizes()?;
    let mut extents = device.zeros(2 * points.d)?;
    device.launch(column_extents::launch(points.values, &mut extents, n, d, stride))?;
    let extents = device.download(&extents)?;
    let (lows, extents): (Vec<f32>, Vec<f64>) = extents
        .chunks(2)
        .map(|words| (restored(!words[1]), restored(words[0])))
        .map(|(low, high)| (low, f64::from(high) - f64::from(low)))
        .unzip();
    let hash_bits = if equal { HASH_BITS } else { 0 };
    let Grid { bits, side } = Grid::new(&extents, side, BITS - hash_bits);
    let lows = device.upload(&lows)?;
    let mut keys = device.zeros(points.n)?;
    let (columns, to, inverse_side) = (points.values, &mut keys, (1.0 / side) as f32);
    macro_rules! keys {
        ($kernel:ident) => {
            $kernel::launch(columns, &lows, to, n, stride, bits, hash_bits, inverse_side)
        };
    }
    device.launch(match d {
        1 => keys!(hilbert_keys_1),
        2 => keys!(hilbert_keys_2),
        3 => keys!(hilbert_keys_3),
        _ => keys!(hilbert_keys_4),
    })?;
    sort_by_key(device, keys, bits * d + hash_bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_have_room() {
        let grid = |extents: &[f64], side, room| {
            let Grid { bits, side } = Grid::new(extents, side, room);
            (bits, side)
        };
        assert_eq!(grid(&[7.9, 8.0, 0.0], 1.0, 48), (4, 1.0));
        // Too many cells: of twice the side, there are half as many.
        assert_eq!(grid(&[7.9, 8.0], 1.0, 6), (3, 2.0));
        // One cell, and a width that f32 does not tell apart.
        assert_eq!(grid(&[0.0], 1.0, 48), (0, 1.0));
        assert_eq!(grid(&[1e30], 1.0, 48).0, MOST);
        assert_eq!(grid(&[f64::INFINITY, f64::NAN], 1.0, 30).0, 0);
    }
}
