//! How coordinates are scaled, and other points than those of a fit brought to the same.

use gpu::layout::to_columns;
use gpu::sphere::to_sphere;

use super::iterate::Queries;
use super::labels::count;
use super::options::WeightFunction;
use crate::error::{Error, Result};
use crate::executor::{Buffer, Device};
use crate::points::Points;

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
