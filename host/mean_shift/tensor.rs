//! Steps on tensor cores, where a fit's accuracy allows for it.
//!
//! gpu/shift_tensor.rs multiplies coordinates as two f16 each. Its bound on a weight's error holds for whatever signs
//! the roundings have; what was seen is less than 2^-20 R^2 of a weight, with R the largest distance of a point from the
//! centre in scaled coordinates, and tensor cores that cut off instead of rounding may double it. A step is off by no
//! more than that times the distance, in bandwidths, of the points that pull. So they are taken where
//! `2^-19 R^2` is within the accuracy that is asked for. Whoever asks for all pairs gets them by differences.
//!
//! Two things more must hold, since weights are f16 there:
//!
//! - no query is without weight. In the blurring form each point pulls itself. In the standard form a query that starts
//!   at a point has that point's weight, 1, and the sum of weights never falls on the way of a step to the mean; a query
//!   that starts elsewhere may be far from all points, and has its steps by differences.
//! - R does not grow. A mean of points is no farther from the centre than the farthest of them; a step that goes beyond
//!   the mean may be.

use gpu::shift_tensor::{
    halves_of_columns, padded, shift_tensor_16, shift_tensor_32, shift_tensor_64, shift_tensor_128,
};
use gpu::shift_tensor_split::{SHARED, shift_tensor_wide_512};
use gpu::shift_tensor_wide::shift_tensor_wide_256;
use gpu::shift_wgmma::shift_wgmma_64;
use gpu::shift_wgmma_deep::shift_wgmma_128;
use gpu::steps::Call;

use super::builder::MeanShift;
use super::iterate::{Field, Queries};
use super::options::{Distance, Form, Method, WeightFunction};
use super::slices::Slices;
use crate::error::Result;
use crate::executor::{Buffer, Device};
use crate::product::Instruction;
use cuda_std::launch::DeviceSlice;
use cuda_std::machine::MachineKind;

/// Dimensions from which on it pays: below, a pair by differences takes 5 to 15 instructions, and here 11.
pub const LEAST: usize = 5;

/// Of the square of the radius, what the relative error of a weight may be.
const ERROR: f64 = 1.0 / (1 << 19) as f64;

/// Dimensions as the kernels have them, or `None` where steps are not to be on tensor cores: `rows` are n x d, and their
/// coordinates times `factors` are scaled.
pub fn wide(options: &MeanShift, device: &Device, marked: bool, rows: &[f32], factors: &[f64]) -> Option<u32> {
    let d = factors.len();
    let wide = gpu::shift_tensor::wide(d).filter(|_| d >= LEAST)?;
    // Beyond 256 dimensions a block asks for more shared memory than every GPU has to give.
    if wide > 256 && device.limits().shared_bytes < SHARED {
        return None;
    }
    let suits = options.method == Method::Auto
        && options.accuracy > 0.0
        && options.weight == WeightFunction::Gaussian
        && options.distance == Distance::L2
        && options.relaxation == 1.0
        && !marked
        && device.machine() == MachineKind::Gpu
        && device.has(&shift_tensor_64::KERNEL);
    (suits && is_exact_enough(options.accuracy, rows, factors)).then_some(wide as u32)
}

/// Whether weights of points at these places are within the accuracy.
fn is_exact_enough(accuracy: f64, rows: &[f32], factors: &[f64]) -> bool {
    let squared = |row: &[f32]| row.iter().zip(factors).map(|(x, factor)| (f64::from(*x) * factor).powi(2)).sum();
    let radius2: f64 = rows.chunks(factors.len()).map(squared).fold(0.0, f64::max);
    radius2 * ERROR <= accuracy
}

/// Instructions a pair, of a warp's 32 lanes, of the steps for up to 16 dimensions: docs/performance/tensor-cores.md.
const INSTRUCTIONS: f64 = 11.0;

/// Whether all pairs on tensor cores take less time than those within reach do by differences, which are this share of all, in
/// up to 16 dimensions. A pair takes `4 d + 4` instructions there (shift_any.rs). As points draw together more and more pairs
/// are left out, hence twice.
pub fn outruns_tiles(d: u32, share: f64) -> bool {
    share * (4.0 * f64::from(d) + 4.0) >= 2.0 * INSTRUCTIONS
}

/// Bytes that a run of n points takes for it, and of m queries that are others.
fn bytes(n: usize, m: Option<usize>, wide: u32) -> u128 {
    let rows = padded(n) + m.map_or(0, padded);
    rows as u128 * (u128::from(wide) + 1) * 4
}

impl Field {
    /// Dimensions as the kernels have them, if steps of these queries are on tensor cores.
    pub(super) fn wide_for(&self, queries: &Queries) -> Option<u32> {
        self.tensor.filter(|_| queries.at_points)
    }

    /// Bytes that a run takes for its steps on tensor cores, if they are.
    pub(super) fn tensor_bytes(&self, form: Form, queries: &Queries) -> Option<u128> {
        let m = (form == Form::Standard).then_some(queries.m as usize);
        self.wide_for(queries).map(|wide| bytes(self.n as usize, m, wide))
    }
}

/// Rows of f16, and the squares of their lengths.
struct Halves {
    rows: Buffer<u32>,
    norms: Buffer<f32>,
}

impl Halves {
    fn new(device: &Device, count: u32, wide: u32) -> Result<Self> {
        let count = padded(count as usize);
        Ok(Self { rows: device.zeros(count * wide as usize)?, norms: device.zeros(count)? })
    }

    /// Makes them of so many columns, `stride` apart.
    fn make(
        &mut self,
        device: &Device,
        columns: &dyn DeviceSlice<f32>,
        (count, d, stride): (u32, u32, u32),
        wide: u32,
    ) -> Result<()> {
        device.launch(halves_of_columns::launch(columns, &mut self.rows, &mut self.norms, count, d, stride, wide))
    }
}

/// What a run keeps beside the points.
pub struct Tensor {
    device: Device,
    wide: u32,
    instruction: Instruction,
    points: Halves,
    /// Of queries that are others than the points.
    queries: Option<Halves>,
}

impl Tensor {
    /// Room for steps of points over themselves, if they are on tensor cores.
    ///
    /// # Errors
    /// If there is no memory.
    pub fn of_points(field: &Field) -> Result<Option<Self>> {
        let Some(wide) = field.tensor else { return Ok(None) };
        let points = Halves::new(&field.device, field.n, wide)?;
        Ok(Some(Self { device: field.device.clone(), wide, instruction: field.instruction, points, queries: None }))
    }

    /// The field's points, and room for steps of queries over them, if they are on tensor cores.
    ///
    /// # Errors
    /// If there is no memory, or a launch is refused.
    pub fn of_queries(field: &Field, queries: &Queries) -> Result<Option<Self>> {
        let Some(wide) = field.wide_for(queries) else { return Ok(None) };
        let device = field.device.clone();
        let mut points = Halves::new(&device, field.n, wide)?;
        points.make(&device, &field.columns, (field.n, field.d, field.stride), wide)?;
        let queries = Some(Halves::new(&device, queries.m, wide)?);
        Ok(Some(Self { device, wide, instruction: field.instruction, points, queries }))
    }

    /// How the field's points are shared out for m queries.
    ///
    /// # Errors
    /// If there is no memory.
    pub fn slices(&self, field: &Field, m: u32) -> Result<Slices> {
        Slices::on_tensor_cores(&self.device, (field.n, m), field.d, self.wide, self.instruction)
    }

    /// One step.
    ///
    /// # Errors
    /// If a launch is refused.
    pub fn step(&mut self, call: Call<'_>) -> Result<()> {
        let Self { device, wide, instruction, points, queries: others } = self;
        let Call { queries, next, sums, state, sizes, limit, tolerance, relaxation, slices, .. } = call;
        let (n, d, stride, most) = (sizes.n, sizes.d, sizes.query_stride, sizes.most);
        let moving = others.as_mut().unwrap_or(points);
        moving.make(device, queries, (most, d, stride), *wide)?;
        let points = &*points;
        let moving = others.as_ref().unwrap_or(points);
        macro_rules! step {
            ($kernel:ident $(, $slices:expr)*) => {
                $kernel::launch(
                    queries,
                    &moving.rows,
                    &moving.norms,
                    &points.rows,
                    &points.norms,
                    next,
                    sums,
                    state,
                    n,
                    d,
                    stride,
                    most,
                    limit,
                    tolerance,
                    relaxation
                    $(, $slices)*
                )
            };
        }
        macro_rules! step_in_slices {
            ($kernel:ident) => {
                step!($kernel, slices.partial, slices.arrived, slices.points)
            };
        }
        device.launch(match *wide {
            16 => step_in_slices!(shift_tensor_16),
            32 => step_in_slices!(shift_tensor_32),
            64 if *instruction == Instruction::Warpgroup => step_in_slices!(shift_wgmma_64),
            64 => step_in_slices!(shift_tensor_64),
            128 if *instruction == Instruction::Warpgroup => step_in_slices!(shift_wgmma_128),
            128 => step_in_slices!(shift_tensor_128),
            256 => step!(shift_tensor_wide_256),
            _ => step!(shift_tensor_wide_512),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_for_what_is_far_apart() {
        // Six clusters, of which each is within the reach of none but itself; and one.
        assert!([5, 8].iter().all(|d| !outruns_tiles(*d, 1.0 / 6.0) && outruns_tiles(*d, 1.0)));
        assert!(outruns_tiles(16, 0.4) && !outruns_tiles(16, 0.2));
    }

    #[test]
    fn the_farthest_point_decides() {
        // 0.85 bandwidths a unit; 8 and 9 bandwidths from the centre, in the last row.
        let rows = |far: f32| [0.0, 0.0, 0.0, 0.1, far, 0.0];
        let factors = [WeightFunction::Gaussian.scale(); 2];
        assert!(is_exact_enough(1e-4, &rows(8.0), &factors));
        assert!(!is_exact_enough(1e-4, &rows(9.0), &factors));
    }

    #[test]
    fn other_queries_take_room_of_their_own() {
        assert_eq!(bytes(100, None, 16), 128 * 17 * 4);
        assert_eq!(bytes(100, Some(300), 16), (128 + 384) * 17 * 4);
    }
}
