//! A point set: n points of d finite coordinates, held centred.

mod to_points;

use std::borrow::Cow;

use nalgebra::{Dim, Matrix, RawStorage, Scalar};

pub use self::to_points::ToPoints;
use crate::error::{Error, Result};

/// The most points of a set, and the most dimensions: kernels count in 32 bits. A fit takes fewer (`mean_shift::labels::count`).
const MOST: usize = i32::MAX as usize;

/// n points of d coordinates. Rows of f32 about a centre that is kept in f64.
///
/// Subtracting the centre in f64 before rounding to f32 keeps precision for points far from the origin. It is the median
/// of each column, or near it, so that most points are where f32 is finest, however far away a few others are.
///
/// ```
/// use modeseek::Points;
///
/// let points = Points::from_rows(&[1000.0, 0.0, 1001.0, 4.0, 1e9, 2.0], 2)?;
/// // They are kept about their medians, which one point far away does not move.
/// assert_eq!(points.centre(), [1001.0, 2.0]);
/// assert_eq!(points.centred_rows()[..4], [-1.0, -2.0, 0.0, 2.0]);
/// # Ok::<(), modeseek::Error>(())
/// ```
///
/// A set has 2^31 - 1 points at most, and as many dimensions. A fit takes 2^30 points, as its tables of places are twice as long;
/// of more it is [`Error::TooMany`].
///
/// # Precision
/// A coordinate is off by at most 2^-24 times its distance from the centre.
#[derive(Clone, Debug, PartialEq)]
pub struct Points {
    rows: Vec<f32>,
    dimensions: usize,
    centre: Vec<f64>,
    extents: Vec<f64>,
}

impl Points {
    /// Points from rows of `dimensions` values each, one after another.
    ///
    /// ```
    /// use modeseek::{Error, Points};
    ///
    /// assert_eq!(Points::from_rows(&[1.0_f32, 2.0, 3.0, 4.0], 2)?.len(), 2);
    /// assert!(matches!(Points::from_rows(&[1.0, 2.0, 3.0], 2), Err(Error::IncompleteRow { .. })));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoPoints`], [`Error::NoDimensions`], [`Error::IncompleteRow`], [`Error::NotFinite`],
    /// [`Error::TooMany`], [`Error::Range`].
    pub fn from_rows<T: Copy + Into<f64>>(rows: &[T], dimensions: usize) -> Result<Self> {
        Self::about(rows, dimensions, None)
    }

    /// [`from_rows`](Self::from_rows), about a centre that may be given.
    pub(crate) fn about<T: Copy + Into<f64>>(rows: &[T], dimensions: usize, given: Option<&[f64]>) -> Result<Self> {
        if dimensions == 0 {
            return Err(Error::NoDimensions);
        }
        if rows.is_empty() {
            return Err(Error::NoPoints);
        }
        if !rows.len().is_multiple_of(dimensions) {
            return Err(Error::IncompleteRow { values: rows.len(), dimensions });
        }
        for (what, count) in [("a number of points", rows.len() / dimensions), ("a number of dimensions", dimensions)] {
            if count > MOST {
                return Err(Error::TooMany { what, count, most: MOST });
            }
        }
        if let Some(at) = rows.iter().position(|&value| !value.into().is_finite()) {
            let value = rows[at].into();
            return Err(Error::NotFinite { row: at / dimensions, column: at % dimensions, value });
        }
        let (centre, extents) = bounds(rows, dimensions, given.filter(|given| given.len() == dimensions));
        if let Some(column) = extents.iter().position(|&extent| extent > f64::from(f32::MAX)) {
            return Err(Error::Range { column, extent: extents[column] });
        }
        let centred = |(at, &value): (usize, &T)| (value.into() - centre[at % dimensions]) as f32;
        let rows = rows.iter().enumerate().map(centred).collect();
        Ok(Self { rows, dimensions, centre, extents })
    }

    /// Points from the columns of a matrix, d x n as nalgebra stores points: of any kind, be its sizes known or not, be it
    /// a view of another.
    ///
    /// ```
    /// use modeseek::Points;
    /// use nalgebra::Matrix2x3;
    ///
    /// // Two rows and three columns: three points in the plane.
    /// let points = Points::from_matrix(&Matrix2x3::new(0.0, 1.0, 2.0, 5.0, 6.0, 7.0))?;
    /// assert_eq!((points.len(), points.dimensions()), (3, 2));
    /// assert_eq!(points.uncentred(&points.centred_rows()[..2]), [0.0, 5.0]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`from_rows`](Self::from_rows).
    pub fn from_matrix<T, R, C, S>(matrix: &Matrix<T, R, C, S>) -> Result<Self>
    where
        T: Scalar + Copy + Into<f64>,
        R: Dim,
        C: Dim,
        S: RawStorage<T, R, C>,
    {
        matrix.to_points().map(Cow::into_owned)
    }

    /// n, the number of points.
    ///
    /// ```
    /// # use modeseek::Points;
    /// assert_eq!(Points::from_rows(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3)?.len(), 2);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    #[allow(clippy::len_without_is_empty)] // there is at least one
    pub fn len(&self) -> usize {
        self.rows.len() / self.dimensions
    }

    /// d, the number of coordinates of a point.
    ///
    /// ```
    /// # use modeseek::Points;
    /// assert_eq!(Points::from_rows(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3)?.dimensions(), 3);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The rows as kernels see them: f32, relative to the [`centre`](Self::centre).
    ///
    /// ```
    /// # use modeseek::Points;
    /// assert_eq!(Points::from_rows(&[10.0, 12.0, 20.0], 1)?.centred_rows(), [-2.0, 0.0, 8.0]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn centred_rows(&self) -> &[f32] {
        &self.rows
    }

    /// What rows are kept about: of each column the median of up to 1,023 points, evenly spaced among all; the middle of
    /// the bounding box where points are too far from that for f32.
    ///
    /// ```
    /// # use modeseek::Points;
    /// // Of an even number the lower of the two.
    /// assert_eq!(Points::from_rows(&[0.0, 1.0, 2.0, 10.0], 1)?.centre(), [1.0]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn centre(&self) -> &[f64] {
        &self.centre
    }

    /// The largest distance of a coordinate from the centre.
    ///
    /// ```
    /// # use modeseek::Points;
    /// assert_eq!(Points::from_rows(&[0.0, 0.0, 4.0, 10.0], 2)?.extent(), 10.0);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn extent(&self) -> f64 {
        self.extents.iter().copied().fold(0.0, f64::max)
    }

    /// The largest distance of each coordinate from the centre's.
    ///
    /// ```
    /// # use modeseek::Points;
    /// assert_eq!(Points::from_rows(&[0.0, 0.0, 4.0, 10.0], 2)?.extents(), [4.0, 10.0]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn extents(&self) -> &[f64] {
        &self.extents
    }

    /// A centred row in the coordinates that the points were given in.
    ///
    /// ```
    /// # use modeseek::Points;
    /// let points = Points::from_rows(&[10.0, 12.0, 20.0], 1)?;
    /// assert_eq!(points.uncentred(&points.centred_rows()[1..2]), [12.0]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn uncentred(&self, row: &[f32]) -> Vec<f64> {
        row.iter().zip(&self.centre).map(|(&x, centre)| f64::from(x) + centre).collect()
    }
}

/// How many points, evenly spaced among all, a centre is the median of.
const SAMPLE: usize = 1023;

/// A given centre, or the median of each column, and the largest distance of a coordinate from it. The middle of the
/// bounding box instead, where f32 cannot hold distances from there.
fn bounds<T: Copy + Into<f64>>(rows: &[T], dimensions: usize, given: Option<&[f64]>) -> (Vec<f64>, Vec<f64>) {
    let mut low = vec![f64::INFINITY; dimensions];
    let mut high = vec![f64::NEG_INFINITY; dimensions];
    for row in rows.chunks_exact(dimensions) {
        for ((low, high), &value) in low.iter_mut().zip(&mut high).zip(row) {
            *low = low.min(value.into());
            *high = high.max(value.into());
        }
    }
    let (n, sampled) = (rows.len() / dimensions, SAMPLE.min(rows.len() / dimensions));
    let column = |column: usize| {
        let (low, high) = (low[column], high[column]);
        let extent = |centre: f64| (high - centre).max(centre - low);
        let fits = |&centre: &f64| extent(centre) <= f64::from(f32::MAX);
        let median = || {
            let row = |at: usize| (at as u64 * n as u64 / sampled as u64) as usize;
            let mut sample: Vec<f64> = (0..sampled).map(|at| rows[row(at) * dimensions + column].into()).collect();
            // Of an even number the lower of two, not what is between: coordinates that are whole numbers stay whole.
            *sample.select_nth_unstable_by((sampled - 1) / 2, f64::total_cmp).1
        };
        let centre = given.map(|given| given[column]).filter(fits).or_else(|| Some(median()).filter(fits));
        // Halved first: the sum of two finite numbers may be infinite.
        let centre = centre.unwrap_or(low / 2.0 + high / 2.0);
        (centre, extent(centre))
    };
    (0..dimensions).map(column).unzip()
}

#[cfg(test)]
mod tests {
    use nalgebra::DMatrix;

    use super::*;

    #[test]
    fn points_are_centred_in_f64() {
        let points = Points::from_rows(&[1e9_f64 + 0.25, 5.0, 1e9 + 0.75, 7.0], 2).unwrap();
        assert_eq!(points.centred_rows(), [0.0, 0.0, 0.5, 2.0]);
        assert_eq!(points.uncentred(&[0.5, 2.0]), [1e9 + 0.75, 7.0]);
        assert_eq!((points.len(), points.dimensions(), points.extent()), (2, 2, 2.0));
    }

    #[test]
    fn points_far_away_cost_the_others_no_precision() {
        // Of 5,000 points, one in a thousand is 1e9 away, on one side.
        let rows: Vec<f64> = (0..5000).map(|at| if at % 1000 == 7 { 1e9 } else { f64::from(at) / 5000.0 }).collect();
        let points = Points::from_rows(&rows, 1).unwrap();
        for (at, &x) in rows.iter().enumerate() {
            let held = points.uncentred(&points.centred_rows()[at..=at])[0];
            assert!((held - x).abs() <= 2f64.powi(-24) * (x - points.centre()[0]).abs(), "{held} instead of {x}");
        }
    }

    #[test]
    fn columns_of_a_matrix_are_points() {
        let matrix = DMatrix::from_column_slice(2, 2, &[1.0_f32, 2.0, 3.0, 6.0]);
        assert_eq!(Points::from_matrix(&matrix).unwrap(), Points::from_rows(&[1.0_f32, 2.0, 3.0, 6.0], 2).unwrap());
    }

    #[test]
    fn bad_input_is_named() {
        let none: [f32; 0] = [];
        assert!(matches!(Points::from_rows(&none, 2), Err(Error::NoPoints)));
        assert!(matches!(Points::from_rows(&[1.0_f32], 0), Err(Error::NoDimensions)));
        assert!(matches!(
            Points::from_rows(&[1.0_f32, 2.0, 3.0], 2),
            Err(Error::IncompleteRow { values: 3, dimensions: 2 })
        ));
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let error = Points::from_rows(&[0.0, 1.0, 2.0, bad], 2).unwrap_err();
            assert!(matches!(error, Error::NotFinite { row: 1, column: 1, .. }), "{error}");
        }
    }

    #[test]
    fn the_largest_coordinates_have_a_centre() {
        let points = Points::from_rows(&[f32::MAX, -f32::MAX], 1).unwrap();
        assert_eq!((points.centre(), points.centred_rows()), (&[0.0][..], &[f32::MAX, -f32::MAX][..]));
        let points = Points::from_rows(&[f64::MAX; 3], 1).unwrap();
        assert_eq!((points.centre(), points.centred_rows()), (&[f64::MAX][..], &[0.0; 3][..]));
        // About the middle f32 must hold them.
        for far in [1e39, f64::MAX] {
            let error = Points::from_rows(&[0.0, far, 1.0, -far], 2).unwrap_err();
            assert!(matches!(error, Error::Range { column: 1, extent } if extent == far), "{error}");
        }
    }
}
