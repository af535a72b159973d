//! From points to a field that queries move over: upload, bandwidth, scaling.

use cuda_std::machine::MachineKind;
use gpu::layout::to_rows;
use gpu::shift_any::Norm;
use gpu::steps::Steps;

use super::bandwidth::{Marks, Resolved, Sample, Values, marks};
use super::builder::MeanShift;
use super::iterate::{Field, Queries};
use super::labels::Columns;
use super::masses::Masses;
use super::options::{Distance, WeightFunction};
use super::scaling::Scaling;
use super::{instruction, tensor};
use crate::error::{Error, Result};
use crate::executor::nvtx::Range;
use crate::executor::{Buffer, Device};
use crate::points::{Points, ToPoints};

/// Points on a device, ready to be moved or moved over.
pub struct Prepared {
    pub field: Field,
    pub scaling: Scaling,
    /// The points as uploaded: n x d by rows, centred.
    pub rows: Buffer<f32>,
    /// Sample weights over `unit`.
    pub weights: Option<Buffer<f32>>,
    /// What a weight of 1 on the device stands for: a power of two.
    pub unit: f64,
    /// The bandwidth: of all points, or a mean of those of each dimension or point.
    pub h: f64,
    /// The bandwidth of each dimension, where there is one.
    pub per_dimension: Option<Vec<f64>>,
    pub how: String,
    pub notes: Vec<String>,
}

/// Points on a device, about their centre and not scaled yet.
pub struct Uploaded<'a> {
    /// On the host, by rows.
    pub centred: &'a [f32],
    pub rows: &'a Buffer<f32>,
    /// Sample weights, over their unit.
    pub weights: Option<&'a Buffer<f32>>,
    /// Whether some of these are 0.
    pub weightless: bool,
}

impl Prepared {
    /// The points by columns, scaled.
    pub fn columns(&self) -> Columns<'_> {
        let Field { n, d, stride, .. } = self.field;
        Columns { values: &self.field.columns, n: n as usize, d: d as usize, stride: stride as usize }
    }
}

/// Checks that f32 can tell positions well below a bandwidth, column by column: it holds them to 2^-24 of the extent,
/// against h / 8. What to note where that is near.
fn resolvable(points: &Points, h: f64, per_dimension: Option<&[f64]>) -> Result<Option<String>> {
    let bandwidth = |column: usize| per_dimension.map_or(h, |each| each[column]);
    let extents =
        points.extents().iter().copied().enumerate().map(|(column, extent)| (column, extent, bandwidth(column)));
    // The first of the worst; a column of one value has no extent.
    let worst = extents.reduce(|a, b| if b.1 / b.2 > a.1 / a.2 { b } else { a });
    let (column, extent, bandwidth) = worst.expect("points have a coordinate at least");
    if extent / bandwidth > f64::from(1 << 21) {
        return Err(Error::Extent { column, extent, bandwidth });
    }
    let tiny = || format!("the bandwidth is tiny against the extent of the points in column {} (from 1)", column + 1);
    Ok((bandwidth < extent * 1e-6).then(tiny))
}

/// The factors of flat weights, which count what is exactly h away, as numbers that are whole, or tens of a unit, often are: their
/// reach is longer by what f32 may have put two points farther apart, but by no more than a hundred-thousandth.
fn with_ties(mut factors: Vec<f64>, extents: &[f64]) -> Vec<f64> {
    let d = factors.len() as f64;
    // Coordinates are rounded twice, at most half of an extent from the centre; then differences, squares and their sum are.
    let farthest = factors.iter().zip(extents).map(|(factor, extent)| factor * extent / 2.0).fold(0.0, f64::max);
    let rounding = f64::from(f32::EPSILON) / 2.0;
    let longer = (rounding * (4.0 * d * farthest + d + 3.0)).min(1e-5);
    factors.iter_mut().for_each(|factor| *factor /= 1.0 + longer);
    factors
}

impl MeanShift {
    /// The bandwidth that a fit of these points has, by its rule, distance and weights: of all of them, or the geometric mean
    /// of those of each dimension or point. In units of the data; with the cosine distance 1 - cos.
    ///
    /// ```
    /// use modeseek::{Bandwidth, MeanShift};
    ///
    /// // The mean distance to the second neighbour, a point itself counted as its first.
    /// let estimator = MeanShift::new().bandwidth(Bandwidth::MeanNeighbour { k: 2 });
    /// let h = estimator.estimate_bandwidth(&[[0.0], [1.0], [3.0], [6.0]])?;
    /// assert!((h - (1.0 + 1.0 + 2.0 + 3.0) / 4.0).abs() < 1e-5);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn estimate_bandwidth(&self, points: &(impl ToPoints + ?Sized)) -> Result<f64> {
        self.check()?;
        let points = points.to_points()?;
        self.bandwidth.check(points.len(), points.dimensions(), self.sample_weights.is_some())?;
        Ok(self.prepare(&self.device_or_auto()?, &points)?.h)
    }

    /// The device that was chosen, or whichever there is.
    pub(super) fn device_or_auto(&self) -> Result<Device> {
        Device::or_auto(self.device.as_ref())
    }

    /// Uploads points, finds the bandwidth, and scales.
    pub(super) fn prepare(&self, device: &Device, points: &Points) -> Result<Prepared> {
        let (n, d) = (points.len(), points.dimensions());
        let unit = self.weight_unit(n)?;
        let range = Range::begin(c"upload");
        let held = self.weights_in(unit);
        let weightless = held.iter().flatten().any(|&weight| weight == 0.0);
        let weights = held.map(|weights| device.upload(&weights)).transpose()?;
        let rows = device.upload(points.centred_rows())?;
        drop(range);
        let range = Range::begin(c"bandwidth");
        let resolved = self.resolve(device, points, &rows, weights.as_ref().map(|weights| (weights, unit)))?;
        let Resolved { values, how, mut notes } = resolved;
        drop(range);
        let _range = Range::begin(c"scale");
        let stride = Queries::stride_of(n);
        let (h, per_dimension, own) = match values {
            Values::Scalar(h) => (h, None, None),
            Values::PerDimension(each) => {
                let mean = (each.iter().map(|h| h.ln()).sum::<f64>() / d as f64).exp();
                (mean, Some(each), None)
            }
            Values::PerPoint(each) => {
                let Marks { columns, h_ref } = marks(device, &each, weights.as_ref(), (n, d), stride, self.weight)?;
                (h_ref, None, Some(columns))
            }
        };
        if self.distance != Distance::Cosine {
            notes.extend(resolvable(points, h, per_dimension.as_deref())?);
        }
        let norm = self.distance.norm(self.weight.scale(), h);
        if f64::from(norm.sphere) > f64::from(1 << 21) {
            let must = "at least 1.2e-13 with the cosine distance, as f32 tells no finer directions";
            return Err(Error::Option { option: "the bandwidth", value: format!("{h:e}"), must });
        }
        let factors = match (&per_dimension, norm.sphere > 0.0) {
            (_, true) => vec![1.0; d],
            (Some(each), _) => each.iter().map(|h| self.weight.scale() / h).collect(),
            (None, _) => vec![self.weight.scale() / h; d],
        };
        let factors = match self.weight {
            WeightFunction::Flat => with_ties(factors, points.extents()),
            _ => factors,
        };
        let sphere = (norm.sphere > 0.0).then_some(f64::from(norm.sphere));
        let scaling = Scaling { centre: points.centre().to_vec(), factors, sphere };
        let uploaded = Uploaded { centred: points.centred_rows(), rows: &rows, weights: weights.as_ref(), weightless };
        let field = self.field_of(device, &uploaded, &scaling, norm, own)?;
        Ok(Prepared { field, scaling, rows, weights, unit, h, per_dimension, how, notes })
    }

    /// Points as steps take them, by how they are scaled, and with marks if each has a bandwidth of its own.
    pub(super) fn field_of(
        &self,
        device: &Device,
        points: &Uploaded<'_>,
        scaling: &Scaling,
        norm: Norm,
        own: Option<Buffer<f32>>,
    ) -> Result<Field> {
        let d = scaling.factors.len();
        let n = points.centred.len() / d;
        let columns = scaling.columns(device, points.rows, &scaling.centre, n)?;
        let marked = own.is_some() || points.weights.is_some();
        let marks = match own {
            Some(own) => own,
            None if Steps::reads_marks(norm, marked) => self.plain_marks(device, points.weights, n, d)?,
            None => device.zeros(0)?,
        };
        let step = self.weight.steps().choose(device.machine(), d as u32, norm, marked);
        let few = (device.machine() == MachineKind::Gpu && norm == Norm::L2 && !marked)
            .then(|| self.weight.steps().choose_few(d as u32, n as u32))
            .flatten();
        let tensor = tensor::wide(self, device, marked, points.centred, &scaling.factors);
        Ok(Field {
            device: device.clone(),
            columns,
            marks,
            weightless: points.weightless,
            n: n as u32,
            d: d as u32,
            stride: Queries::stride_of(n) as u32,
            norm,
            step,
            few,
            tensor,
            instruction: instruction::of_steps(self.instruction, device, tensor),
        })
    }

    /// Marks of points that all have the one bandwidth.
    fn plain_marks(&self, device: &Device, weights: Option<&Buffer<f32>>, n: usize, d: usize) -> Result<Buffer<f32>> {
        let stride = Queries::stride_of(n);
        let (none, mut columns) = (device.zeros(0)?, device.zeros(2 * stride)?);
        let weights = weights.unwrap_or(&none);
        let sizes = (n as u32, d as u32, stride as u32);
        device.launch(gpu::marks::marks::launch(&none, weights, &mut columns, sizes.0, sizes.1, sizes.2, 1.0, 1.0))?;
        Ok(columns)
    }

    /// The bandwidth, for the distance.
    fn resolve(
        &self,
        device: &Device,
        points: &Points,
        rows: &Buffer<f32>,
        weights: Option<(&Buffer<f32>, f64)>,
    ) -> Result<Resolved> {
        let (n, d) = (points.len(), points.dimensions());
        let sample = Sample {
            rows,
            n,
            d,
            p: self.distance.p(),
            function: self.weight,
            sphere: self.distance == Distance::Cosine,
            weights,
        };
        if self.distance != Distance::Cosine {
            return self.bandwidth.resolve(device, &sample);
        }
        // Estimates are made of directions.
        let sphere = Scaling { centre: points.centre().to_vec(), factors: vec![1.0; d], sphere: Some(1.0) };
        let columns = sphere.columns(device, rows, points.centre(), n)?;
        let (ones, mut directions) = (device.upload(&vec![1.0_f32; d])?, device.zeros(n * d)?);
        let stride = Queries::stride_of(n) as u32;
        device.launch(to_rows::launch(&columns, &ones, &mut directions, n as u32, d as u32, stride))?;
        let mut resolved = self.bandwidth.resolve(device, &Sample { rows: &directions, ..sample })?;
        resolved.values = match resolved.values {
            Values::Scalar(h) if self.bandwidth.is_estimate() => {
                resolved.how += ", as half its square";
                Values::Scalar(h * h / 2.0)
            }
            Values::Scalar(h) => Values::Scalar(h),
            _ => {
                let (what, why) = ("more than one bandwidth with the cosine distance", "it needs a single one");
                return Err(Error::Conflict { what, why });
            }
        };
        Ok(resolved)
    }

    /// What points count where they are counted, if not one each.
    pub(super) fn masses(&self, device: &Device, prepared: &Prepared) -> Result<Option<Masses>> {
        let (Some(weights), Some(held)) = (&prepared.weights, self.weights_in(prepared.unit)) else { return Ok(None) };
        let sum = held.into_iter().map(f64::from).sum();
        let masses = Masses::of(device, weights, sum)?;
        Ok(Some(Masses { factor: masses.factor / prepared.unit, ..masses }))
    }

    /// The sample weights as the device holds them: over this unit. What a GPU may take for 0 is 0 everywhere.
    pub(super) fn weights_in(&self, unit: f64) -> Option<Vec<f32>> {
        let held = |weight| Some((weight / unit) as f32).filter(|held| held.is_normal()).unwrap_or(0.0);
        self.sample_weights.as_ref().map(|weights| weights.iter().map(held).collect())
    }

    /// The power of two over which the largest sample weight is about 1, so that sums of weights and of weighted
    /// coordinates stay within f32; the weights are checked.
    pub(super) fn weight_unit(&self, n: usize) -> Result<f64> {
        let Some(weights) = &self.sample_weights else { return Ok(1.0) };
        let wrong = |what| Err(Error::SampleWeights { what, points: n });
        if weights.len() != n {
            return wrong(format!("there are {} sample weights", weights.len()));
        }
        if let Some(at) = weights.iter().position(|&w| !(w >= 0.0 && w.is_finite())) {
            return wrong(format!("sample weight {at} is {}", weights[at]));
        }
        let largest = weights.iter().copied().fold(0.0, f64::max);
        if largest == 0.0 {
            return wrong("all sample weights are 0".to_owned());
        }
        // The logarithm of the largest f64 is rounded up.
        Ok(largest.log2().floor().min(1023.0).exp2())
    }
}
