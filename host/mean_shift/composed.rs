//! Iterations composed of pairwise distances, weights and a weighted reduction, in batches.
//!
//! As the lecture writes it with matrices: for a batch of b points, the b x n distances, the b x n
//! weights in their place, and (W X) / rowsum(W).

use std::ops::Range;

use gpu::layout::to_columns;
use gpu::pairwise::pairwise_l2;
use gpu::retire::begin;
use gpu::step::step_largest;
use gpu::weight;

use super::builder::MeanShift;
use super::iterate::{Ends, Queries, Run, Watch};
use super::options::WeightFunction;
use crate::error::Result;
use crate::executor::{Buffer, Device};
use crate::reduction::{self, Reduction};

/// Bytes that a batch takes beyond what every fit does.
pub fn bytes(n: usize, d: usize, batch: usize) -> u128 {
    (2 * n as u128 * d as u128 + batch.min(n) as u128 * n as u128) * 4 + reduction::bytes([batch.min(n), n, d])
}

/// Points by rows, on the device, from where this method moves them.
pub struct Rows<'a> {
    pub device: Device,
    pub rows: &'a Buffer<f32>,
    pub n: usize,
    pub d: usize,
    /// From scaled coordinates to a weight's argument: the weight's scale over the bandwidth.
    pub scale: f64,
    pub batch: usize,
}

impl Rows<'_> {
    /// Moves the points until they rest; where they end, by columns, scaled.
    pub fn blur(self, options: &MeanShift, watch: Watch<'_>) -> Result<Ends> {
        let device = self.device.clone();
        let (n, d) = (self.n, self.d);
        // Where points have moved to: nowhere before the first iteration, whose points are the fit's and stay.
        let (mut moved, mut next): (Option<Buffer<f32>>, _) = (None, device.zeros(n * d)?);
        let mut distances = device.zeros(self.batch * n)?;
        let mut reduction = Reduction::new(&device, [self.batch, n, d])?;
        let mut run = Run::new(&device, options, watch)?;
        // These kernels compute in units of the data.
        let per_bandwidth = self.scale / options.weight.scale();
        run.scale = Box::new(move |squared| f64::from(squared).sqrt() * per_bandwidth);
        device.launch(begin::launch(&mut device.zeros(n)?, &mut run.state, n as u32))?;
        let tolerance = (options.tolerance / per_bandwidth).powi(2) as f32;
        let limit = run.limit as u32;
        for queued in 1.. {
            let rows = moved.as_ref().unwrap_or(self.rows);
            for first in (0..n).step_by(self.batch) {
                let batch = first..(first + self.batch).min(n);
                self.shift_batch(options, (rows, batch), &mut next, &mut distances, &mut reduction)?;
            }
            let call = step_largest::launch(rows, &next, &mut run.state, n as u32, d as u32, limit, tolerance);
            device.launch(call)?;
            let before = moved.take().map_or_else(|| device.zeros(n * d), Ok)?;
            moved = Some(std::mem::replace(&mut next, before));
            // Unlike the fused steps these do not know when they have nothing to do.
            if !run.look(&device, queued)? {
                break;
            }
        }
        let stride = Queries::stride_of(n);
        let mut columns = device.zeros(d * stride)?;
        let factors = device.upload(&vec![self.scale as f32; d])?;
        let rows = moved.as_ref().unwrap_or(self.rows);
        device.launch(to_columns::launch(rows, &factors, &mut columns, n as u32, d as u32, stride as u32))?;
        let mut ends = run.ends(Queries::new(columns, n, stride), device.zeros(0)?);
        // Of the last steps only the largest is known, which counts for all points. A point is always within its
        // own reach.
        let largest = (ends.history.last().copied().unwrap_or(0.0) * options.weight.scale()).powi(2) as f32;
        let largest = if ends.converged { largest.min(options.scaled_tolerance()) } else { largest };
        ends.details = device.upload(&[vec![1.0; stride], vec![largest; stride]].concat())?;
        Ok(ends)
    }

    /// Moves the points of a batch: three launches.
    fn shift_batch(
        &self,
        options: &MeanShift,
        (rows, batch): (&Buffer<f32>, Range<usize>),
        next: &mut Buffer<f32>,
        distances: &mut Buffer<f32>,
        reduction: &mut Reduction,
    ) -> Result<()> {
        let Self { device, n, d, .. } = self;
        let coordinates = batch.start * d..batch.end * d;
        let (m, n32, d32) = (batch.len() as u32, *n as u32, *d as u32);
        let queries = rows.slice(coordinates.clone());
        device.launch(pairwise_l2::launch(&queries, rows, distances, m, n32, d32, 2.0))?;

        let mut weights = distances.slice_mut(0..batch.len() * n);
        let scale = self.scale as f32;
        device.launch(options.in_blocks(match options.weight {
            WeightFunction::Gaussian => weight::weight_gaussian::launch(&mut weights, scale, 1.0),
            WeightFunction::Triangular => weight::weight_triangular::launch(&mut weights, scale, 1.0),
            WeightFunction::Flat => weight::weight_flat::launch(&mut weights, scale, 1.0),
            WeightFunction::Epanechnikov => weight::weight_epanechnikov::launch(&mut weights, scale, 1.0),
            WeightFunction::Biweight => weight::weight_biweight::launch(&mut weights, scale, 1.0),
            WeightFunction::Own(_) => unreachable!("refused by MeanShift::check"),
        }))?;

        let mut moved = next.slice_mut(coordinates);
        let any_block = !reduction.is_on_tensor_cores();
        let call = reduction.launch(&*distances, rows, &mut moved, m);
        device.launch(if any_block { options.in_blocks(call) } else { call })
    }
}
