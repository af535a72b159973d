//! An order for many dimensions: along a tour of some of the points, to each of which belong those that it is nearest to.
//!
//! A grid's cells are too many there, and hold a point each. Some of the points are where points are: these pivots are gone through so
//! that each is followed by the nearest of those that are left, and the others stand beside the pivot that they are nearest to. Pivots of
//! a cluster follow one another then, and so do its points. Bustos, Navarro and Chávez, Pivot selection techniques for proximity
//! searching in metric spaces (2003), has what else can be done with such points; Rosenkrantz, Stearns and Lewis, An analysis of several
//! heuristics for the traveling salesman problem (1977), the tour.

use gpu::curve::cell_keys;
use gpu::layout::{STRIDE, gather_columns, to_rows};

use super::order::{HASH_BITS, Wanted};
use super::sort_by_key;
use crate::distances::{Distances, Formula};
use crate::error::Result;
use crate::executor::{Buffer, Device};
use crate::mean_shift::labels::{Columns, Sizes, nearest};

/// The most pivots, and how many times as many points and others there are at least: a pivot a box, and what finding the nearest takes is
/// little beside a step.
const MOST: usize = 1024;
const OF: usize = gpu::near::BOX;

/// Which pivot each point is nearest to, and how far from it; pivots by columns, and twice by rows; and their distances.
pub fn numbers(n: usize, d: usize) -> u128 {
    let pivots = (n / OF).clamp(1, MOST) as u128;
    2 * n as u128 + pivots * (pivots + 3 * d as u128 + 1) + (STRIDE * d) as u128
}

/// The points in the order of a tour.
///
/// # Errors
/// As [`order`](super::order()).
pub fn order(device: &Device, points: Columns<'_>, Wanted { others, equal, .. }: Wanted) -> Result<Buffer<u32>> {
    let Sizes { n, d, stride } = points.sizes()?;
    let count = (points.n.min(others) / OF).clamp(1, MOST);
    let mut chosen: Vec<u32> = (0..count as u64).map(|k| (k * u64::from(n) / count as u64) as u32).collect();
    let rows = rows_of(device, points, &chosen)?;
    let mut squares = device.zeros(count * count)?;
    let sizes = [count as u32, count as u32, d];
    Distances::new(device, sizes, Formula::Differences)?.squares(&rows, &rows, &mut squares)?;
    chosen = through(&device.download(&squares)?, count).into_iter().map(|k| chosen[k]).collect();
    let (numbers, _) = nearest(device, points, &rows_of(device, points, &chosen)?, count, 2.0, None)?;
    let hash_bits = if equal { HASH_BITS } else { 0 };
    let mut keys = device.zeros(points.n)?;
    device.launch(cell_keys::launch(points.values, &numbers, &mut keys, n, d, stride, hash_bits))?;
    // Room for one number more than there are: of those that are too far from every pivot.
    sort_by_key(device, keys, usize::BITS - count.leading_zeros() + hash_bits)
}

/// Some of the points, by rows.
fn rows_of(device: &Device, points: Columns<'_>, chosen: &[u32]) -> Result<Buffer<f32>> {
    let (count, d, stride) = (chosen.len(), points.d, chosen.len().next_multiple_of(STRIDE));
    let (count32, d32, stride32) = (count as u32, d as u32, stride as u32);
    let mut columns = device.zeros(d * stride)?;
    let chosen = device.upload(chosen)?;
    let from = points.stride as u32;
    device.launch(gather_columns::launch(points.values, &chosen, &mut columns, count32, d32, from, stride32))?;
    let (ones, mut rows) = (device.upload(&vec![1.0; d])?, device.zeros(count * d)?);
    device.launch(to_rows::launch(&columns, &ones, &mut rows, count32, d32, stride32))?;
    Ok(rows)
}

/// A tour from the first on, by the squares of all distances: the next is the nearest of those that are left, the first of equals.
fn through(squares: &[f32], count: usize) -> Vec<usize> {
    let (mut tour, mut left) = (vec![0], (1..count).collect::<Vec<_>>());
    let mut row = squares.chunks(count).next();
    while let Some(distances) = row
        && let Some(place) = (0..left.len()).min_by(|&a, &b| distances[left[a]].total_cmp(&distances[left[b]]))
    {
        // Those that are left stay in their order.
        let next = left.remove(place);
        tour.push(next);
        row = squares.chunks(count).nth(next);
    }
    tour
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tours_go_to_the_nearest_that_is_left() {
        let through = |places: &[f32]| {
            let squares: Vec<f32> = places.iter().flat_map(|a| places.iter().map(move |b| (a - b) * (a - b))).collect();
            through(&squares, places.len())
        };
        assert_eq!(through(&[0.0, 7.0, 2.0, -1.0, 9.0]), [0, 3, 2, 1, 4]);
        // The first of equals, and what is too far to tell last.
        assert_eq!(through(&[0.0, 1.0, 1.0, 0.0]), [0, 3, 1, 2]);
        assert_eq!(through(&[0.0, f32::INFINITY, 5.0]), [0, 2, 1]);
        assert_eq!(through(&[3.0]), [0]);
    }
}
