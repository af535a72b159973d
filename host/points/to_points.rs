//! What points can be made of.

use std::borrow::Cow;

use nalgebra::{Dim, Matrix, RawStorage, Scalar};

use super::Points;
use crate::error::{Error, Result};

/// What points can be made of: [`Points`] themselves; rows as arrays, vectors or slices of f32 or f64; nalgebra
/// matrices of every kind, whose columns are points; and references to any of these.
///
/// ```
/// use modeseek::{Error, ToPoints};
///
/// // Arrays, vectors and slices of rows; and nalgebra's matrices, whose columns are points.
/// let from_rows = vec![vec![0.0, 1.0], vec![2.0, 3.0]];
/// let from_matrix = nalgebra::Matrix2::new(0.0, 2.0, 1.0, 3.0);
/// assert_eq!(from_rows.to_points()?.centred_rows(), from_matrix.to_points()?.centred_rows());
/// assert_eq!([vec![0.0, 1.0], vec![2.0, 3.0]].to_points()?, from_rows.to_points()?);
/// // What takes a reference takes one to a slice, too.
/// let rows: &[[f64; 2]] = &[[0.0, 1.0], [2.0, 3.0]];
/// assert_eq!(modeseek::MeanShift::new().fit(&rows)?.labels, modeseek::MeanShift::new().fit(rows)?.labels);
/// # Ok::<(), modeseek::Error>(())
/// ```
pub trait ToPoints {
    /// The points, borrowed where nothing has to be made.
    ///
    /// ```
    /// use modeseek::{Error, ToPoints};
    ///
    /// assert_eq!([[0.0_f32, 1.0, 2.0], [3.0, 4.0, 5.0]].to_points()?.dimensions(), 3);
    /// let ragged = vec![vec![0.0, 1.0], vec![2.0]];
    /// assert!(matches!(ragged.to_points(), Err(Error::RaggedRow { row: 1, .. })));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Points::from_rows`]; [`Error::RaggedRow`].
    fn to_points(&self) -> Result<Cow<'_, Points>> {
        self.to_points_about(None)
    }

    /// The points about a centre that is given, as that of others beside which they are asked for: what f32 holds of a
    /// point does not depend on the rest then. [`Points`] have theirs already; a centre of other dimensions, or one from
    /// which f32 does not hold all distances, is passed over.
    ///
    /// ```
    /// use modeseek::ToPoints;
    ///
    /// let points = [[9.0], [1e9], [1e9]];
    /// assert_eq!(points.to_points()?.centre(), [1e9]);
    /// assert_eq!(points.to_points_about(Some(&[1.0]))?.centred_rows()[0], 8.0);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`to_points`](Self::to_points).
    fn to_points_about(&self, centre: Option<&[f64]>) -> Result<Cow<'_, Points>>;
}

impl<P: ToPoints + ?Sized> ToPoints for &P {
    fn to_points_about(&self, centre: Option<&[f64]>) -> Result<Cow<'_, Points>> {
        (**self).to_points_about(centre)
    }
}

impl ToPoints for Points {
    fn to_points_about(&self, _centre: Option<&[f64]>) -> Result<Cow<'_, Points>> {
        Ok(Cow::Borrowed(self))
    }
}

impl<T, R, C, S> ToPoints for Matrix<T, R, C, S>
where
    T: Scalar + Copy + Into<f64>,
    R: Dim,
    C: Dim,
    S: RawStorage<T, R, C>,
{
    fn to_points_about(&self, centre: Option<&[f64]>) -> Result<Cow<'_, Points>> {
        // Column by column is point by point.
        let values: Vec<T> = self.iter().copied().collect();
        Points::about(&values, self.nrows(), centre).map(Cow::Owned)
    }
}

impl<T: Copy + Into<f64>, const D: usize> ToPoints for [[T; D]] {
    fn to_points_about(&self, centre: Option<&[f64]>) -> Result<Cow<'_, Points>> {
        Points::about(self.as_flattened(), D, centre).map(Cow::Owned)
    }
}

impl<T: Copy + Into<f64>, const D: usize, const N: usize> ToPoints for [[T; D]; N] {
    fn to_points_about(&self, centre: Option<&[f64]>) -> Result<Cow<'_, Points>> {
        self.as_slice().to_points_about(centre)
    }
}

impl<T: Copy + Into<f64>, const D: usize> ToPoints for Vec<[T; D]> {
    fn to_points_about(&self, centre: Option<&[f64]>) -> Result<Cow<'_, Points>> {
        self.as_slice().to_points_about(centre)
    }
}

/// Points from rows that each know their length.
fn from_slices<T: Copy + Into<f64>, R: AsRef<[T]>>(rows: &[R], centre: Option<&[f64]>) -> Result<Cow<'static, Points>> {
    let lengths = || rows.iter().map(|row| row.as_ref().len());
    let expected = lengths().next().ok_or(Error::NoPoints)?;
    if let Some((row, found)) = lengths().enumerate().find(|&(_, found)| found != expected) {
        return Err(Error::RaggedRow { row, found, expected });
    }
    let values: Vec<T> = rows.iter().flat_map(|row| row.as_ref()).copied().collect();
    Points::about(&values, expected, centre).map(Cow::Owned)
}

impl<T: Copy + Into<f64>> ToPoints for [Vec<T>] {
    fn to_points_about(&self, centre: Option<&[f64]>) -> Result<Cow<'_, Points>> {
        from_slices::<T, _>(self, centre)
    }
}

impl<T: Copy + Into<f64>, const N: usize> ToPoints for [Vec<T>; N] {
    fn to_points_about(&self, centre: Option<&[f64]>) -> Result<Cow<'_, Points>> {
        self.as_slice().to_points_about(centre)
    }
}

impl<T: Copy + Into<f64>> ToPoints for [&[T]] {
    fn to_points_about(&self, centre: Option<&[f64]>) -> Result<Cow<'_, Points>> {
        from_slices::<T, _>(self, centre)
    }
}

impl<T: Copy + Into<f64>, const N: usize> ToPoints for [&[T]; N] {
    fn to_points_about(&self, centre: Option<&[f64]>) -> Result<Cow<'_, Points>> {
        from_slices::<T, _>(self, centre)
    }
}

impl<T: Copy + Into<f64>> ToPoints for Vec<&[T]> {
    fn to_points_about(&self, centre: Option<&[f64]>) -> Result<Cow<'_, Points>> {
        from_slices::<T, _>(self, centre)
    }
}

impl<T: Copy + Into<f64>> ToPoints for Vec<Vec<T>> {
    fn to_points_about(&self, centre: Option<&[f64]>) -> Result<Cow<'_, Points>> {
        self.as_slice().to_points_about(centre)
    }
}
