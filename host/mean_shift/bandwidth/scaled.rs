//! Points as the search for neighbours wants them, and numbers that the device makes of vectors.

use gpu::gather::gather;
use gpu::layout::STRIDE;
use gpu::moments::{SUMMARY, summary};

use super::Sample;
use crate::error::Result;
use crate::executor::{Buffer, Device};

/// What a vector holds; see `gpu::moments::summary`. Values without weight do not count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Summary {
    /// sum w v / sum w
    pub mean: f64,
    /// sum w
    pub weight: f64,
    /// sum w^2
    pub weight_squared: f64,
    pub smallest: f64,
    pub largest: f64,
    pub smallest_positive: f64,
    pub zeros: usize,
    /// Whether every weight is a whole number.
    pub whole: bool,
}

impl Summary {
    /// Of a buffer on the device: one read of a few numbers.
    pub(super) fn of(device: &Device, values: &Buffer<f32>, weights: Option<&Buffer<f32>>) -> Result<Self> {
        let (none, mut out) = (device.zeros::<f32>(0)?, device.zeros::<f64>(SUMMARY)?);
        device.launch(summary::launch(values, weights.unwrap_or(&none), &mut out))?;
        let [sum, weight, weight_squared, smallest, largest, smallest_positive, zeros, parts] =
            device.download(&out)?.try_into().expect("as many as were asked for");
        Ok(Self {
            mean: sum / weight,
            weight,
            weight_squared,
            smallest,
            largest,
            smallest_positive,
            zeros: zeros as usize,
            whole: parts == 0.0,
        })
    }
}

/// The power of two that brings all differences of coordinates within 1, so that no sum of their powers
/// overflows; and its inverse. `None` if all coordinates are 0.
pub(super) fn unit(device: &Device, rows: &Buffer<f32>) -> Result<Option<(f32, f32)>> {
    let Summary { smallest, largest, .. } = Summary::of(device, rows, None)?;
    let farthest = largest.max(-smallest);
    if farthest == 0.0 {
        return Ok(None);
    }
    // Twice the farthest coordinate is below 2^exponent. f32 has powers of two to 2^126 both ways.
    let exponent = (farthest.log2().floor() as i32 + 2).clamp(-126, 126);
    Ok(Some((2.0_f32.powi(-exponent), 2.0_f32.powi(exponent))))
}

/// Points by columns, scaled.
pub(super) struct Scaled {
    pub columns: Buffer<f32>,
    pub n: usize,
    pub d: usize,
    pub stride: usize,
}

/// Which rows to take.
pub(super) enum Rows<'a> {
    /// So many, evenly spread.
    Spread(usize),
    /// These.
    At(&'a Buffer<u32>),
}

impl Scaled {
    /// Some rows of a matrix n x d, times a factor.
    pub(super) fn gather(
        device: &Device,
        rows: &Buffer<f32>,
        (n, d): (usize, usize),
        which: Rows<'_>,
        factor: f32,
    ) -> Result<Self> {
        let none = device.zeros::<u32>(0)?;
        let (m, indices) = match which {
            Rows::Spread(m) => (m, &none),
            Rows::At(indices) => (indices.len(), indices),
        };
        let stride = m.next_multiple_of(STRIDE);
        let mut columns = device.zeros(stride * d)?;
        let sizes = (n as u32, d as u32, m as u32, stride as u32);
        device.launch(gather::launch(rows, indices, &mut columns, sizes.0, sizes.1, sizes.2, sizes.3, factor))?;
        Ok(Self { columns, n: m, d, stride })
    }

    /// All points.
    pub(super) fn all(device: &Device, sample: &Sample<'_>, factor: f32) -> Result<Self> {
        Self::gather(device, sample.rows, (sample.n, sample.d), Rows::Spread(sample.n), factor)
    }
}
