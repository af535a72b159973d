//! What points carry through a shift that weighs them or has a bandwidth for each.

use gpu::moments::product;

use super::USABLE;
use super::scaled::Summary;
use crate::error::{Error, Result};
use crate::executor::{Buffer, Device};
use crate::mean_shift::WeightFunction;

/// Factors and squared scales of points, for a shift scaled by one bandwidth.
///
/// ```
/// # use gpu::layout::STRIDE;
/// # use modeseek::mean_shift::bandwidth::marks;
/// # use modeseek::{Device, WeightFunction};
/// # let device = Device::processor()?;
/// let bandwidths = device.upload(&[1.0_f32, 4.0])?;
/// let marks = marks(&device, &bandwidths, None, (2, 1), STRIDE, WeightFunction::Flat)?;
/// // Factors h_ref / h_j to the power d + 2, and then scales, to the power 2.
/// let columns = device.download(&marks.columns)?;
/// assert!((columns[0] - 8.0).abs() < 1e-4 && (columns[STRIDE] - 4.0).abs() < 1e-4);
/// # Ok::<(), modeseek::Error>(())
/// ```
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

/// What a weight that is cut off is there, over its `LEAST`: 2^-100 and 2^-68 for the Gaussian.
const CUT: f64 = 1.0 / (1_u64 << 32) as f64;

/// What f32 does not tell from nothing beside a sum of weights.
const UNSEEN: f64 = 1.0 / (1 << 24) as f64;

/// The most that the largest factor of n may be over the least.
///
/// A weight that some machines cut off is there a little more than nothing. All that others' narrow bandwidths make of it
/// must be nothing beside the weight that a point of the widest has of itself.
fn most_apart(least: f32, n: usize) -> f64 {
    let most = USABLE.end() / USABLE.start();
    if least > 0.0 { most.min(UNSEEN / (n as f64 * CUT * f64::from(least))) } else { most }
}

/// The marks of n points of d dimensions for a bandwidth of each, positive, and perhaps weights.
///
/// ```
/// use gpu::layout::STRIDE;
/// use modeseek::mean_shift::bandwidth::marks;
/// use modeseek::{Device, WeightFunction};
///
/// let device = Device::processor()?;
/// let bandwidths = device.upload(&[1.0_f32, 4.0])?;
/// let marks = marks(&device, &bandwidths, None, (2, 1), STRIDE, WeightFunction::Flat)?;
/// assert!((marks.h_ref - 2.0).abs() < 1e-6);
/// # Ok::<(), modeseek::Error>(())
/// ```
///
/// # Errors
/// [`Error::BandwidthRatio`] if a factor leaves 1e-30..1e30, or if the weight function is one that is cut off somewhere, as
/// the Gaussian is, and the largest factor is more than 2^76 / n times the least; whatever the device reports.
pub fn marks(
    device: &Device,
    bandwidths: &Buffer<f32>,
    weights: Option<&Buffer<f32>>,
    (n, d): (usize, usize),
    stride: usize,
    function: WeightFunction,
) -> Result<Marks> {
    let mut parts = device.zeros::<f64>(2)?;
    device.launch(product::launch(bandwidths, &mut parts))?;
    let parts = device.download(&parts)?;
    let h_ref = ((parts[0].log2() + parts[1]) / bandwidths.len() as f64).exp2();
    let Summary { smallest, largest, .. } = Summary::of(device, bandwidths, None)?;
    let factor = |h: f64| (h_ref / h).powi(d as i32 + 2);
    let (least, most_apart) = (function.steps().least, most_apart(function.steps().least, n));
    let usable = USABLE.contains(&factor(smallest)) && USABLE.contains(&factor(largest));
    if !(usable && factor(smallest) <= most_apart * factor(largest)) {
        // Within these all factors are usable, whatever becomes of their mean.
        let half = most_apart.min(*USABLE.end()).powf(0.5 / (d as f64 + 2.0));
        let range = h_ref / half..h_ref * half;
        return Err(Error::BandwidthRatio { smallest, largest, dimensions: d, range });
    }
    let (none, mut columns) = (device.zeros::<f32>(0)?, device.zeros::<f32>(2 * stride)?);
    let weights = weights.unwrap_or(&none);
    let sizes = (n as u32, d as u32, stride as u32);
    // Sums with the least factor alone must be more than nothing, those with the largest within f32, and n of the largest
    // where it is cut off nothing, with sample weights that are less than 2.
    let wanted = (LEAST_FACTOR / factor(largest)).log2().ceil().max(0.0);
    let largest_factor = if least > 0.0 { 0.5 / CUT / n as f64 } else { LARGEST_FACTOR };
    let room = (largest_factor / factor(smallest)).log2().floor();
    let unit = if least > 0.0 { wanted.min(room) } else { wanted.min(room.max(0.0)) }.exp2();
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
