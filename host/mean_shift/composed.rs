//! Iterations composed of pairwise distances, weights and a weighted reduction, in batches.
//!
//! As the lecture writes it with matrices: for a batch of b points, the b x n distances, the b x n
//! weights in their place, and (W X) / rowsum(W).

use std::time::Instant;

use gpu::pairwise::pairwise_l2;
use gpu::step::step_largest;
use gpu::{reduce, weight};

use super::Moved;
use super::options::{MeanShift, WeightFunction};
use super::progress::Progress;
use crate::error::Result;
use crate::executor::{Buffer, Device};
use crate::points::Points;

pub(super) fn run(options: &MeanShift, device: &Device, points: &Points, batch: usize) -> Result<Moved> {
    let (n, d) = (points.len(), points.dimensions());
    // The rows before and after a step, and the cells; then a row of distances for each point of a batch.
    let fixed = (2 * n as u128 * d as u128 + options.max_iterations as u128) * 4;
    let batch = fitting(batch.min(n), device.available()? as u128, fixed, n as u128 * 4);
    let what = format!("the distances of {batch} points at a time to {n}");
    device.reserve(fixed + batch as u128 * n as u128 * 4, &what, "use fewer points, or --method fused")?;

    let start = Instant::now();
    let mut rows = device.upload(points.centred_rows())?;
    let upload = start.elapsed();

    let start = Instant::now();
    let mut next = device.zeros(n * d)?;
    let mut distances = device.zeros(batch * n)?;
    let mut progress = Progress::new(device, options.max_iterations, options.tolerance * options.bandwidth)?;
    let last = loop_until(options.max_iterations, |iteration| {
        for first in (0..n).step_by(batch) {
            shift_batch(options, device, [n, d], first..(first + batch).min(n), &rows, &mut next, &mut distances)?;
        }
        let cells = &mut progress.cells;
        device.launch(step_largest::launch(&rows, &next, cells, n as u32, d as u32, iteration as u32))?;
        std::mem::swap(&mut rows, &mut next);
        let last = progress.last(device, iteration + 1)?;
        Ok((last.converged, last))
    })?;
    let iterate = start.elapsed();

    let start = Instant::now();
    let rows = device.download(&rows)?;
    let download = start.elapsed();
    let last_shift = f64::from(last.squared).sqrt();
    Ok(Moved { rows, iterations: last.iterations, last_shift, batch: Some(batch), upload, iterate, download })
}

/// The most of `wanted` points at a time that fit the free memory, each with so many bytes, beside what is
/// fixed; 1 at least. An eighth is left for the kernels' code, and for memory that is given in larger pieces.
fn fitting(wanted: usize, free: u128, fixed: u128, each: u128) -> usize {
    let room = (free - free / 8).saturating_sub(fixed);
    usize::try_from(room / each).map_or(wanted, |most| wanted.min(most)).max(1)
}

/// Calls `body` with 0, 1, … until it says that it is done, `most` times at most; its last value.
fn loop_until<T>(most: usize, mut body: impl FnMut(usize) -> Result<(bool, T)>) -> Result<T> {
    let mut index = 0;
    loop {
        let (done, value) = body(index)?;
        index += 1;
        if done || index >= most {
            return Ok(value);
        }
    }
}

/// Moves the points of a batch: three launches.
fn shift_batch(
    options: &MeanShift,
    device: &Device,
    [n, d]: [usize; 2],
    batch: std::ops::Range<usize>,
    rows: &Buffer<f32>,
    next: &mut Buffer<f32>,
    distances: &mut Buffer<f32>,
) -> Result<()> {
    let coordinates = batch.start * d..batch.end * d;
    let (m, n32, d32) = (batch.len() as u32, n as u32, d as u32);
    let queries = rows.slice(coordinates.clone());
    device.launch(pairwise_l2::launch(&queries, rows, distances, m, n32, d32, 2.0))?;

    let mut weights = distances.slice_mut(0..batch.len() * n);
    let scale = (options.weight.scale() / options.bandwidth) as f32;
    device.launch(options.in_blocks(match options.weight {
        WeightFunction::Gaussian => weight::weight_gaussian::launch(&mut weights, scale, 1.0),
        WeightFunction::Triangular => weight::weight_triangular::launch(&mut weights, scale, 1.0),
        WeightFunction::Flat => weight::weight_flat::launch(&mut weights, scale, 1.0),
    }))?;

    let mut moved = next.slice_mut(coordinates);
    device.launch(options.in_blocks(match d {
        1 => reduce::reduce_weighted_1::launch(&*distances, rows, &mut moved, m, n32, d32),
        2 => reduce::reduce_weighted_2::launch(&*distances, rows, &mut moved, m, n32, d32),
        3 => reduce::reduce_weighted_3::launch(&*distances, rows, &mut moved, m, n32, d32),
        _ => reduce::reduce_weighted_4::launch(&*distances, rows, &mut moved, m, n32, d32),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_shrink_to_what_fits() {
        assert_eq!(fitting(1024, 1 << 30, 1000, 400), 1024);
        // 7000 of 8000 bytes, of which 1000 are taken.
        assert_eq!(fitting(1024, 8000, 1000, 400), 15);
        assert_eq!(fitting(10, 8000, 1000, 400), 10);
        assert_eq!(fitting(1024, 8000, 6500, 400), 1);
        assert_eq!(fitting(1024, 100, 6500, 400), 1);
        assert_eq!(fitting(7, u128::MAX, 0, 4), 7);
    }
}
