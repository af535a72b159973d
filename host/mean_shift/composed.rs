//! Iterations composed of pairwise distances, weights and a weighted reduction, in batches.
//!
//! As the lecture writes it with matrices: for a batch of b points, the b x n distances, the b x n
//! weights in their place, and (W X) / rowsum(W).

use std::ops::Range;

use gpu::layout::{to_columns, to_rows};
use gpu::pairwise::pairwise_l2;
use gpu::retire::begin;
use gpu::step::step_largest;
use gpu::weight;

use super::builder::MeanShift;
use super::iterate::{Ends, Field, Queries, Run, Watch};
use super::options::WeightFunction;
use crate::error::Result;
use crate::executor::{Buffer, Device};
use crate::reduction::{self, Reduction};

/// Bytes that a batch takes beyond what every fit does.
pub fn bytes(n: usize, d: usize, batch: usize) -> u128 {
    (2 * n as u128 * d as u128 + batch.min(n) as u128 * n as u128) * 4 + reduction::bytes([batch.min(n), n, d])
}

/// Moves a field's points, so many at a time, until they rest; where they end, by columns.
///
/// They are scaled, as for every other method: f32 does not hold squares of whatever units data have.
pub fn blur(options: &MeanShift, field: &Field, batch: usize, watch: Watch<'_>) -> Result<Ends> {
    let device = &field.device;
    let (n, d) = (field.n as usize, field.d as usize);
    let ones = device.upload(&vec![1.0_f32; d])?;
    let (mut rows, mut next) = (device.zeros(n * d)?, device.zeros(n * d)?);
    device.launch(to_rows::launch(&field.columns, &ones, &mut rows, field.n, field.d, field.stride))?;
    let distances = device.zeros(batch * n)?;
    let mut batches = Batches { options, device, n, d, distances, reduction: Reduction::new(device, [batch, n, d])? };
    let mut run = Run::new(device, options, watch)?;
    device.launch(begin::launch(&mut device.zeros(n)?, &mut run.state, field.n))?;
    let (limit, tolerance) = (run.limit as u32, options.scaled_tolerance());
    for queued in 1.. {
        for first in (0..n).step_by(batch) {
            batches.shift(&rows, first..(first + batch).min(n), &mut next)?;
        }
        device.launch(step_largest::launch(&rows, &next, &mut run.state, field.n, field.d, limit, tolerance))?;
        std::mem::swap(&mut rows, &mut next);
        // Unlike the fused steps these do not know when they have nothing to do.
        if !run.look(device, queued)? {
            break;
        }
    }
    let stride = Queries::stride_of(n);
    let mut columns = device.zeros(d * stride)?;
    device.launch(to_columns::launch(&rows, &ones, &mut columns, field.n, field.d, stride as u32))?;
    let mut ends = run.ends(Queries::new(columns, n, stride), device.zeros(0)?);
    // Of the last steps only the largest is known, which counts for all points. A point is always within its
    // own reach.
    let largest = (ends.history.last().copied().unwrap_or(0.0) * options.weight.scale()).powi(2) as f32;
    let largest = if ends.converged { largest.min(tolerance) } else { largest };
    ends.details = device.upload(&[vec![1.0; stride], vec![largest; stride]].concat())?;
    Ok(ends)
}

/// What batches of points are moved with.
struct Batches<'a> {
    options: &'a MeanShift,
    device: &'a Device,
    n: usize,
    d: usize,
    distances: Buffer<f32>,
    reduction: Reduction,
}

impl Batches<'_> {
    /// Moves the points of a batch: three launches.
    fn shift(&mut self, rows: &Buffer<f32>, batch: Range<usize>, next: &mut Buffer<f32>) -> Result<()> {
        let Self { options, device, n, d, distances, reduction } = self;
        let coordinates = batch.start * *d..batch.end * *d;
        let (m, n32, d32) = (batch.len() as u32, *n as u32, *d as u32);
        let queries = rows.slice(coordinates.clone());
        device.launch(pairwise_l2::launch(&queries, rows, distances, m, n32, d32, 2.0))?;

        let mut weights = distances.slice_mut(0..batch.len() * *n);
        device.launch(options.in_blocks(match options.weight {
            WeightFunction::Gaussian => weight::weight_gaussian::launch(&mut weights, 1.0, 1.0),
            WeightFunction::Triangular => weight::weight_triangular::launch(&mut weights, 1.0, 1.0),
            WeightFunction::Flat => weight::weight_flat::launch(&mut weights, 1.0, 1.0),
            WeightFunction::Epanechnikov => weight::weight_epanechnikov::launch(&mut weights, 1.0, 1.0),
            WeightFunction::Biweight => weight::weight_biweight::launch(&mut weights, 1.0, 1.0),
            WeightFunction::Own(_) => unreachable!("refused by MeanShift::check"),
        }))?;

        let mut moved = next.slice_mut(coordinates);
        let any_block = !reduction.is_on_tensor_cores();
        let call = reduction.launch(&*distances, rows, &mut moved, m);
        device.launch(if any_block { options.in_blocks(call) } else { call })
    }
}
