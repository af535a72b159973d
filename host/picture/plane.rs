//! Points as they are seen on a plane: their two coordinates, or their first two principal components.

use nalgebra::{DMatrix, DVector, SymmetricEigen};

use crate::data::Standardization;
use crate::points::Points;

/// Points that covariances are taken of at most, in up to [`FULL`] dimensions.
const SAMPLE: usize = 10_000;

/// The most dimensions whose covariances are a matrix; in more, so many points have as many components.
const FULL: usize = 256;

/// A plane, and how points come to lie on it.
///
/// ```
/// use modeseek::Points;
/// use modeseek::picture::Plane;
///
/// // All of the points lie along a diagonal of space, which is the first axis.
/// let points = Points::from_rows(&[0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0], 3)?;
/// let plane = Plane::of(&points, &[]);
/// assert!(plane.names[0].contains("100 % of the variance"));
/// let places = plane.of_points(&points);
/// assert!((places[2][0] - places[0][0] - 12.0_f64.sqrt()).abs() < 1e-6);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Plane {
    /// What the two axes show.
    pub names: [String; 2],
    /// In the scale of the points, how far a coordinate counts along each axis: none for one dimension's second axis.
    axes: [Option<DVector<f64>>; 2],
    /// What coordinates are counted from along an axis.
    origin: DVector<f64>,
    /// How places were brought to the scale of the points, along each axis.
    units: Standardization,
}

/// Places in the scale of the points.
fn as_they_are() -> Standardization {
    Standardization { offsets: vec![0.0; 2], scales: vec![1.0; 2] }
}

impl Plane {
    /// The plane of a point set. `names` are those of its columns; a column without one is named by its number, from 0.
    ///
    /// In two dimensions it is theirs. In one, points are spread over the second axis so that they can be told apart. In
    /// more it is that of the first two principal components, of at most 10,000 of the points (256 in more than 256
    /// dimensions), taken at even distances.
    ///
    /// ```
    /// use modeseek::Points;
    /// use modeseek::picture::Plane;
    ///
    /// let points = Points::from_rows(&[0.0, 1.0, 2.0, 3.0], 2)?;
    /// assert_eq!(Plane::of(&points, &["east".to_owned()]).names, ["east", "column 1"]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn of(points: &Points, names: &[String]) -> Self {
        let d = points.dimensions();
        let name = |column: usize| match names.get(column) {
            Some(name) if !name.trim().is_empty() => name.clone(),
            _ => format!("column {column}"),
        };
        let along = |column: usize| Some(DVector::from_fn(d, |c, _| if c == column { 1.0 } else { 0.0 }));
        match d {
            1 => Self {
                names: [name(0), "spread, to tell points apart".to_owned()],
                axes: [along(0), None],
                origin: DVector::zeros(1),
                units: as_they_are(),
            },
            2 => Self {
                names: [name(0), name(1)],
                axes: [along(0), along(1)],
                origin: DVector::zeros(2),
                units: as_they_are(),
            },
            _ => Self::of_components(points),
        }
    }

    fn of_components(points: &Points) -> Self {
        let (n, d) = (points.len(), points.dimensions());
        let rows = points.centred_rows();
        let chosen: Vec<usize> = evenly(n, if d <= FULL { SAMPLE } else { FULL }).collect();
        let sample = DMatrix::from_fn(d, chosen.len(), |c, k| f64::from(rows[chosen[k] * d + c]));
        let mean = sample.column_mean();
        let mut about = sample;
        for mut column in about.column_iter_mut() {
            column -= &mean;
        }
        // Numbers near 1, so that no square leaves f64.
        let largest = about.amax();
        let unit = if largest > 0.0 { largest } else { 1.0 };
        about /= unit;
        let (values, vectors) = if d <= FULL {
            let SymmetricEigen { eigenvalues, eigenvectors } = SymmetricEigen::new(&about * about.transpose());
            (eigenvalues, eigenvectors)
        } else {
            // X X' and X' X have the same values, and X takes the vectors of one to those of the other.
            let SymmetricEigen { eigenvalues, eigenvectors } = SymmetricEigen::new(about.transpose() * &about);
            (eigenvalues, &about * eigenvectors / about.norm())
        };
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
        let total: f64 = values.iter().sum();
        let component = |k: usize| order.get(k).map(|&at| vectors.column(at).into_owned());
        let along = |column: usize| DVector::from_fn(d, |c, _| if c == column { 1.0 } else { 0.0 });
        let first = component(0).and_then(direction).unwrap_or_else(|| along(0));
        let beside = |vector: DVector<f64>| &vector - &first * first.dot(&vector);
        // Where nothing extends beside the first, any direction is as good: of a column that it hardly goes along.
        let second = component(1).and_then(|vector| direction(beside(vector)));
        let second = second.unwrap_or_else(|| beside(along(first.iamin())).normalize());
        let share = |k: usize| {
            let value = order.get(k).map_or(0.0, |&at| values[at].max(0.0));
            if total > 0.0 { 100.0 * value / total } else { 0.0 }
        };
        let name = |k: usize, which: &str| format!("{which} principal component ({:.0} % of the variance)", share(k));
        let origin = DVector::from_fn(d, |c, _| points.centre()[c]) + mean;
        let names = [name(0, "first"), name(1, "second")];
        Self { names, axes: [Some(first), Some(second)], origin, units: as_they_are() }
    }

    /// The same plane in the units that columns had before they were brought to one scale. Components of three columns and
    /// more have no such unit, and stay.
    ///
    /// ```
    /// use modeseek::Points;
    /// use modeseek::data::Standardization;
    /// use modeseek::picture::Plane;
    ///
    /// let points = Points::from_rows(&[0.0, 1.0, 2.0, 3.0], 2)?;
    /// let of = Standardization { offsets: vec![100.0, 5.0], scales: vec![10.0, 1.0] };
    /// let plane = Plane::of(&points, &[]).unstandardized(&of);
    /// assert_eq!(plane.of_points(&points), [[100.0, 6.0], [120.0, 8.0]]);
    /// assert_eq!(plane.reach(2.0, None), Some((20.0, 2.0)));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Panics
    /// If the scale is of other columns.
    pub fn unstandardized(mut self, of: &Standardization) -> Self {
        let d = self.origin.len();
        assert_eq!(of.scales.len(), d, "a scale for each column");
        if d <= 2 {
            self.units.scales[..d].copy_from_slice(&of.scales);
            self.units.offsets[..d].copy_from_slice(&of.offsets);
        }
        self
    }

    /// How long what is a unit of distance is along each axis.
    pub(super) fn unit(&self) -> [f64; 2] {
        [self.units.scales[0], self.units.scales[1]]
    }

    /// The same plane in the scale of the points.
    pub(super) fn standardized(&self) -> Self {
        Self { units: as_they_are(), ..self.clone() }
    }

    /// Where a place lies on [`standardized`](Self::standardized).
    pub(super) fn to_standardized(&self, mut place: [f64; 2]) -> [f64; 2] {
        self.units.apply(&mut place);
        place
    }

    /// Where a position, in the scale of the points, lies; `at` is its number, by which it is spread in one dimension.
    ///
    /// ```
    /// # use modeseek::Points;
    /// # use modeseek::picture::Plane;
    /// let points = Points::from_rows(&[0.0, 1.0, 2.0, 3.0], 2)?;
    /// // In two dimensions the plane is that of the points.
    /// assert_eq!(Plane::of(&points, &[]).of_position(&[7.0, -1.0], 0), [7.0, -1.0]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn of_position(&self, position: &[f64], at: usize) -> [f64; 2] {
        // The fractional parts of multiples of the golden ratio are spread evenly however many there are.
        let spread = || (at as f64 * 0.618_033_988_749_894_9).fract();
        let along = |axis: &DVector<f64>| {
            let parts = position.iter().zip(axis.iter()).zip(self.origin.iter()).map(|((x, a), from)| (x - from) * a);
            let (sum, size) = parts.fold((0.0, 0.0), |(sum, size), part: f64| (sum + part, size + part.abs()));
            // Positions are f32's: where parts cancel out to less than its rounding there is no extent to draw.
            if sum.abs() <= f64::from(f32::EPSILON) * size { 0.0 } else { sum }
        };
        let mut place = [0, 1].map(|k| self.axes[k].as_ref().map_or_else(spread, along));
        self.units.undo(&mut place);
        place
    }

    /// Where each point lies.
    ///
    /// ```
    /// # use modeseek::Points;
    /// # use modeseek::picture::Plane;
    /// let points = Points::from_rows(&[0.0, 1.0, 2.0, 3.0], 2)?;
    /// assert_eq!(Plane::of(&points, &[]).of_points(&points), [[0.0, 1.0], [2.0, 3.0]]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn of_points(&self, points: &Points) -> Vec<[f64; 2]> {
        self.of_some(points, points.len())
    }

    /// Where so many of the points lie, or all if there are fewer.
    pub(super) fn of_some(&self, points: &Points, most: usize) -> Vec<[f64; 2]> {
        let row = |at: usize| &points.centred_rows()[at * points.dimensions()..][..points.dimensions()];
        evenly(points.len(), most).map(|at| self.of_position(&points.uncentred(row(at)), at)).collect()
    }

    /// Whether the points have one dimension, and the second axis says nothing.
    ///
    /// ```
    /// # use modeseek::Points;
    /// # use modeseek::picture::Plane;
    /// assert!(Plane::of(&Points::from_rows(&[0.0, 1.0], 1)?, &[]).is_line());
    /// assert!(!Plane::of(&Points::from_rows(&[0.0, 1.0], 2)?, &[]).is_line());
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn is_line(&self) -> bool {
        self.axes[1].is_none()
    }

    /// How far a bandwidth reaches along the axes: that of each dimension, where each has one, as an ellipse; `None` where
    /// a plane of components has no ellipse for these.
    ///
    /// ```
    /// # use modeseek::Points;
    /// # use modeseek::picture::Plane;
    /// let plane = Plane::of(&Points::from_rows(&[0.0, 1.0], 2)?, &[]);
    /// assert_eq!(plane.reach(2.0, None), Some((2.0, 2.0)));
    /// assert_eq!(plane.reach(2.0, Some(&[1.0, 4.0])), Some((1.0, 4.0)));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn reach(&self, bandwidth: f64, per_dimension: Option<&[f64]>) -> Option<(f64, f64)> {
        let [across, up] = self.unit();
        match per_dimension {
            None => Some((bandwidth * across, bandwidth * up)),
            Some(&[x]) => Some((x * across, x * up)),
            Some(&[x, y]) => Some((x * across, y * up)),
            Some(_) => None,
        }
    }
}

/// So many of n numbers from 0 on, or all if there are fewer, at even distances.
fn evenly(n: usize, most: usize) -> impl Iterator<Item = usize> {
    let count = n.min(most);
    (0..count).map(move |k| (k as u128 * n as u128 / count as u128) as usize)
}

/// The direction of a component, unless it is rounding alone.
fn direction(vector: DVector<f64>) -> Option<DVector<f64>> {
    let length = vector.norm();
    // Either sign is right: the larger entry is to be positive.
    let sign = if vector.max() >= -vector.min() { 1.0 } else { -1.0 };
    (length > 1e-12).then(|| vector * (sign / length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_dimensions_are_shown_as_they_are() {
        let points = Points::from_rows(&[1e6, 2.0, 1e6 + 3.0, 4.0], 2).unwrap();
        let plane = Plane::of(&points, &["width".to_owned()]);
        assert_eq!(plane.names, ["width", "column 1"]);
        assert_eq!(plane.of_points(&points), [[1e6, 2.0], [1e6 + 3.0, 4.0]]);
    }

    #[test]
    fn one_dimension_is_spread() {
        let points = Points::from_rows(&[1.0, 1.0, 5.0], 1).unwrap();
        let plane = Plane::of(&points, &[]);
        let places = plane.of_points(&points);
        assert!(plane.is_line() && places[0] != places[1] && places[0][0] == 1.0 && places[2][0] == 5.0);
    }

    /// Points along one direction, with little beside it, in few dimensions and in more than there are points.
    #[test]
    fn components_are_found() {
        for d in [3, 40, 300] {
            let direction: Vec<f64> = (0..d).map(|c| if c % 3 == 0 { 2.0 } else { -1.0 }).collect();
            let length = direction.iter().map(|x| x * x).sum::<f64>().sqrt();
            let rows: Vec<f64> = (0..50)
                .flat_map(|i| {
                    let t = f64::from(i) - 20.0;
                    let beside = if i % 2 == 0 { 0.5 } else { -0.5 };
                    let direction = &direction;
                    (0..d).map(move |c| 7.0 + t * direction[c] + if c == 1 { beside } else { 0.0 })
                })
                .collect();
            let points = Points::from_rows(&rows, d).unwrap();
            let plane = Plane::of(&points, &[]);
            assert!(plane.names[0].contains("(100 %") && plane.names[1].contains("second"), "{:?}", plane.names);
            let places = plane.of_points(&points);
            let (first, last) = (places[0], places[49]);
            assert!(((last[0] - first[0]) - 49.0 * length).abs() <= 1.0, "d = {d}: {first:?} {last:?}");
            assert!(places.iter().all(|place| place[1].abs() <= 0.8), "d = {d}");
        }
    }

    /// What extends along one direction alone lies on a line, however many dimensions there are.
    #[test]
    fn axes_are_at_right_angles() {
        for d in [3, 257, 300, 4000] {
            let direction: Vec<f64> = (0..d).map(|c| f64::from(c as u32 % 7) - 2.0).collect();
            let rows: Vec<f64> = (0..10).flat_map(|i| direction.iter().map(move |x| 0.1 * f64::from(i) * x)).collect();
            let plane = Plane::of(&Points::from_rows(&rows, d).unwrap(), &[]);
            let [Some(first), Some(second)] = &plane.axes else { panic!("two axes") };
            assert!((first.norm() - 1.0).abs() <= 1e-12 && (second.norm() - 1.0).abs() <= 1e-12, "d = {d}");
            assert!(first.dot(second).abs() <= 1e-12, "d = {d}: {}", first.dot(second));
            let places = plane.of_points(&Points::from_rows(&rows, d).unwrap());
            // Rounding is not drawn.
            assert!(places.iter().all(|place| place[1] == 0.0), "d = {d}: {places:?}");
            assert!(plane.names[1].contains("(0 %"), "{:?}", plane.names);
        }
    }

    #[test]
    fn points_on_one_spot_have_a_plane() {
        for d in [3, 300] {
            let points = Points::from_rows(&vec![4.0; 3 * d], d).unwrap();
            let places = Plane::of(&points, &[]).of_points(&points);
            assert!(places.iter().all(|place| *place == [0.0, 0.0]), "{places:?}");
        }
    }
}
