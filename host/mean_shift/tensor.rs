//! Blurring steps on tensor cores, where a fit's accuracy allows for it.
//!
//! gpu/shift_tensor.rs multiplies coordinates as two f16 each. Its bound on a weight's error holds for whatever signs
//! the roundings have; what was seen is less than 2^-20 R^2 of a weight, with R the largest distance of a point from the
//! centre in scaled coordinates, and tensor cores that cut off instead of rounding may double it. A step is off by no
//! more than that times the distance, in bandwidths, of the points that pull. So they are taken where
//! `2^-19 R^2` is within the accuracy that is asked for; points that move stay among each other, so that R does not grow. In
//! the blurring form each point pulls itself: no query is without weight. Whoever asks for all pairs gets
//! them by differences.

use gpu::shift_tensor::{halves_of_columns, padded, shift_tensor_64, shift_tensor_128};
use gpu::steps::Call;

use super::builder::MeanShift;
use super::iterate::Field;
use super::options::{Distance, Method, WeightFunction};
use crate::error::Result;
use crate::executor::{Buffer, Device};
use cuda_std::machine::MachineKind;

/// Dimensions from which on a step takes less time so: below, most of what is multiplied are zeros.
const LEAST: usize = 48;

/// The most dimensions that there is a kernel for.
const MOST: usize = 128;

/// Of the square of the radius, what the relative error of a weight may be.
const ERROR: f64 = 1.0 / (1 << 19) as f64;

/// Dimensions as the kernels have them, or `None` where steps are not to be on tensor cores: `rows` are n x d, and their
/// coordinates times `factors` are scaled.
pub fn wide(options: &MeanShift, device: &Device, marked: bool, rows: &[f32], factors: &[f64]) -> Option<u32> {
    let d = factors.len();
    let suits = options.method == Method::Auto
        && options.weight == WeightFunction::Gaussian
        && options.distance == Distance::L2
        && !marked
        && (LEAST..=MOST).contains(&d)
        && device.machine() == MachineKind::Gpu
        && device.has(&shift_tensor_64::KERNEL);
    if !suits {
        return None;
    }
    let squared = |row: &[f32]| row.iter().zip(factors).map(|(x, factor)| (f64::from(*x) * factor).powi(2)).sum();
    let radius2: f64 = rows.chunks(d).map(squared).fold(0.0, f64::max);
    (radius2 * ERROR <= options.accuracy).then_some(if d <= 64 { 64 } else { 128 })
}

/// Bytes that a run takes for it.
pub fn bytes(n: usize, wide: u32) -> u128 {
    padded(n) as u128 * (u128::from(wide) + 1) * 4
}

/// What a run keeps beside the points: their rows of f16, and the squares of their lengths.
pub struct Tensor {
    device: Device,
    wide: u32,
    rows: Buffer<u32>,
    norms: Buffer<f32>,
}

impl Tensor {
    /// Room for a run, if it is one on tensor cores.
    ///
    /// # Errors
    /// If there is no memory.
    pub fn of(field: &Field) -> Result<Option<Self>> {
        let Some(wide) = field.tensor else { return Ok(None) };
        let (device, n) = (field.device.clone(), padded(field.n as usize));
        let (rows, norms) = (device.zeros(n * wide as usize)?, device.zeros(n)?);
        Ok(Some(Self { device, wide, rows, norms }))
    }

    /// One step of points over themselves.
    ///
    /// # Errors
    /// If a launch is refused.
    pub fn step(&mut self, call: Call<'_>) -> Result<()> {
        let Self { device, wide, rows, norms } = self;
        let Call { queries, next, sums, state, sizes, limit, tolerance, relaxation, .. } = call;
        let (n, d, stride) = (sizes.n, sizes.d, sizes.stride);
        device.launch(halves_of_columns::launch(queries, rows, norms, n, d, stride, *wide))?;
        let (rows, norms) = (&*rows, &*norms);
        macro_rules! step {
            ($kernel:ident) => {
                $kernel::launch(
                    queries, rows, norms, rows, norms, next, sums, state, n, d, stride, n, limit, tolerance, relaxation,
                )
            };
        }
        device.launch(if *wide == 64 { step!(shift_tensor_64) } else { step!(shift_tensor_128) })
    }
}
