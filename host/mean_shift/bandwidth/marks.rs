//! What points carry through a shift that weighs them or has a bandwidth for each.

use gpu::moments::product;

use super::USABLE;
use super::scaled::Summary;
use crate::error::{Error, Result};
use crate::executor::{Buffer, Device};

/// Factors and squared scales of points, for a shift scaled by one bandwidth.
#[derive(Debug)]
pub struct Marks {
    /// 2 x stride by columns: factor_j = w_j (h_ref / h_j)^(d+2), times a power of two that is 1 unless some are very small,
    /// then (h_ref / h_j)^2; see `gpu::marks`.
    pub columns: Buffer<f32>,
    /// The bandwidth that coordinates are scaled by: the geometric mean of all.
    pub h_ref: f64,
}

/// Factors are brought to this at least, well above what counts as nothing (`gpu::weight::Weight::LEAST`), as far as the
/// largest stays below the other.
const LEAST_FACTOR: f64 = 1.0 / (1_u64 << 40) as f64;
const LARGEST_FACTOR: f64 = (1_u64 << 60) as f64;

/// The marks of n points of d dimensions for a bandwidth of each, positive, and perhaps weights.
///
/// # Errors
/// [`Error::BandwidthRatio`] if a factor leaves 1e-30..1e30; whatever the device reports.
pub fn marks(
    device: &Device,
    bandwidths: &Buffer<f32>,
    weights: Option<&Buffer<f32>>,
    (n, d): (usize, usize),
    stride: usize,
) -> Result<Marks> {
    let mut parts = device.zeros::<f64>(2)?;
    device.launch(product::launch(bandwidths, &mut parts))?;
    let parts = device.download(&parts)?;
    let h_ref = ((parts[0].log2() + parts[1]) / bandwidths.len() as f64).exp2();
    let Summary { smallest, largest, .. } = Summary::of(device, bandwidths, None)?;
    let factor = |h: f64| (h_ref / h).powi(d as i32 + 2);
    for h in [smallest, largest] {
        if !USABLE.contains(&factor(h)) {
            return Err(Error::BandwidthRatio { smallest, largest, reference: h_ref, dimensions: d });
        }
    }
    let (none, mut columns) = (device.zeros::<f32>(0)?, device.zeros::<f32>(2 * stride)?);
    let weights = weights.unwrap_or(&none);
    let sizes = (n as u32, d as u32, stride as u32);
    // Sums with the least factor alone must be more than nothing, and those with the largest within f32.
    let wanted = (LEAST_FACTOR / factor(largest)).log2().ceil().max(0.0);
    let room = (LARGEST_FACTOR / factor(smallest)).log2().floor().max(0.0);
    let unit = wanted.min(room).exp2();
    device.launch(gpu::marks::marks::launch(
        bandwidths,
        weights,
        &mut columns,
        sizes.0,
        sizes.1,
        sizes.2,
        h_ref,
        unit,
    ))?;
    Ok(Marks { columns, h_ref })
}
