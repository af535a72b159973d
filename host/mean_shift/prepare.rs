//! From points to a field that queries move over: upload, bandwidth, scaling.

use cuda_std::machine::MachineKind;
use gpu::layout::{to_columns, to_rows};
use gpu::shift_any::Norm;
use gpu::sphere::to_sphere;
use gpu::steps::Steps;

use super::bandwidth::{Marks, Resolved, Sample, Values, marks};
use super::builder::MeanShift;
use super::iterate::{Field, Queries};
use super::labels::{Columns, count};
use super::masses::Masses;
use super::options::{Distance, WeightFunction};
use super::{instruction, tensor};
use crate::error::{Error, Result};
use crate::executor::nvtx::Range;
use crate::executor::{Buffer, Device};
use crate::points::{Points, ToPoints};

/// The largest coordinate that new points may have: its differences from the fit's points are in f32.
const FARTHEST: f64 = 1e37;

/// How coordinates are scaled: `scaled_c = factors_c (x_c - centre_c)`, or put on a sphere.
#[derive(Clone, Debug)]
pub struct Scaling {
    /// The points' centre, from which their coordinates count.
    pub centre: Vec<f64>,
    /// What the coordinates are multiplied by, for the step's weight; 1 on a sphere.
    pub factors: Vec<f64>,
    /// The sphere's radius, for the cosine distance.
    pub sphere: Option<f64>,
}

impl Scaling {
    /// The columns of rows that are centred about `centre`.
    ///
    /// # Errors
    /// [`Error::NoDirection`]; whatever the device reports.
    pub fn columns(&self, device: &Device, rows: &Buffer<f32>, centre: &[f64], n: usize) -> Result<Buffer<f32>> {
        let (d, stride) = (self.factors.len(), Queries::stride_of(n));
        let (n32, d32, stride32) = (n as u32, d as u32, stride as u32);
        let mut columns = device.room(stride * d)?;
        match self.sphere {
            Some(radius) => {
                let centre = device.upload(centre)?;
                let mut first_zero = device.upload(&[u32::MAX])?;
                let zero = &mut first_zero;
                device.launch(to_sphere::launch(rows, &centre, &mut columns, zero, n32, d32, stride32, radius))?;
                match device.download(&first_zero)?[0] {
                    u32::MAX => {}
                    row => return Err(Error::NoDirection { row: row as usize }),
                }
            }
            None => {
                let factors: Vec<f32> = self.factors.iter().map(|&factor| factor as f32).collect();
                let factors = device.upload(&factors)?;
                device.launch(to_columns::launch(rows, &factors, &mut columns, n32, d32, stride32))?;
            }
        }
        Ok(columns)
    }

    /// Other points than those of the fit, in its coordinates.
    ///
    /// # Errors
    /// [`Error::Dimensions`]; as [`columns`](Self::columns).
    pub fn queries(&self, device: &Device, points: &Points, what: &'static str) -> Result<Queries> {
        let (n, d) = (points.len(), self.factors.len());
        if points.dimensions() != d {
            return Err(Error::Dimensions { what, found: points.dimensions(), expected: d });
        }
        // Points are centred about their own middle: move them about the fit's, in f64.
        let rows: Vec<f32> = match self.sphere {
            Some(_) => points.centred_rows().to_vec(),
            None => {
                let moved: Vec<f64> = points.centre().iter().zip(&self.centre).map(|(own, fit)| own - fit).collect();
                let centred = points.centred_rows().iter().enumerate();
                // What is too far to be scaled is as far as can be: farther than any weight reaches.
                let farthest: Vec<f64> = self.factors.iter().map(|factor| FARTHEST / factor.max(1.0)).collect();
                let place = |at: usize, x: f64| (x + moved[at % d]).clamp(-farthest[at % d], farthest[at % d]) as f32;
                centred.map(|(at, &x)| place(at, f64::from(x))).collect()
            }
        };
        let rows = device.upload(&rows)?;
        let columns = self.columns(device, &rows, points.centre(), n)?;
        Ok(Queries::new(columns, n, Queries::stride_of(n)))
    }

    /// Rows of numbers, as queries of a binned field: what becomes of a row does not depend on the others. `None` for no rows.
    ///
    /// # Errors
    /// Rows that are incomplete, not finite, too many to be counted, or too far from the centre for f32; whatever the device
    /// reports.
    pub fn columns_of_rows<T: Copy + Into<f64>>(
        &self,
        device: &Device,
        rows: &[T],
        too_far: TooFar,
    ) -> Result<Option<Queries>> {
        let d = self.factors.len();
        if rows.is_empty() {
            return Ok(None);
        }
        if !rows.len().is_multiple_of(d) {
            return Err(Error::IncompleteRow { values: rows.len(), dimensions: d });
        }
        count(rows.len() / d, "a number of points")?;
        let mut about = Vec::with_capacity(rows.len());
        for (at, &value) in rows.iter().enumerate() {
            let (value, row, column) = (value.into(), at / d, at % d);
            if !value.is_finite() {
                return Err(Error::NotFinite { row, column, value });
            }
            let (distance, factor) = (value - self.centre[column], self.factors[column]);
            let most = f64::from(1 << 21);
            if (distance * factor).abs() > most && too_far == TooFar::Refused {
                let bandwidth = WeightFunction::Gaussian.scale() / factor;
                return Err(Error::Extent { column, extent: distance.abs(), bandwidth });
            }
            about.push((distance * factor).clamp(-most, most) as f32);
        }
        let (n, ones) = (rows.len() / d, vec![1.0_f32; d]);
        let stride = Queries::stride_of(n);
        let mut columns = device.room(stride * d)?;
        let (about, ones) = (device.upload(&about)?, device.upload(&ones)?);
        device.launch(to_columns::launch(&about, &ones, &mut columns, n as u32, d as u32, stride as u32))?;
        Ok(Some(Queries::new(columns, n, stride)))
    }

    /// A row of scaled coordinates in those of the data; a direction on a sphere.
    pub fn unscaled(&self, row: &[f32]) -> Vec<f64> {
        match self.sphere {
            Some(_) => {
                let length = row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
                row.iter().map(|&x| f64::from(x) / length).collect()
            }
            None => {
                let parts = row.iter().zip(&self.factors).zip(&self.centre);
                parts.map(|((&x, factor), centre)| f64::from(x) / factor + centre).collect()
            }
        }
    }
}

/// What becomes of rows that are too far for f32 to tell places within a bandwidth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooFar {
    /// They are an error.
    Refused,
    /// They are as far as can be.
    Kept,
}

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

#[cfg(test)]
mod tests {
    use super::*;

    /// Nobody touches the rows, which the system gives without memory behind them.
    #[test]
    fn rows_that_kernels_cannot_count_are_refused() {
        let scaling = Scaling { centre: vec![0.0], factors: vec![1.0], sphere: None };
        let rows = vec![0_u8; (1 << 30) + 1];
        let refused = scaling.columns_of_rows(&Device::processor().expect("a processor"), &rows, TooFar::Refused).err();
        assert!(matches!(refused, Some(Error::TooMany { count: 1_073_741_825, .. })), "{refused:?}");
    }
}
