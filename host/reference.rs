//! The oracle: everything that kernels compute, in f64, too short to be wrong.
//!
//! Matrices are stored by rows. Nothing here is fast, and nothing in the library uses it: tests do.

use crate::mean_shift::WeightFunction;

/// C = A B, for A m x k and B k x n.
///
/// ```
/// use modeseek::reference::matmul;
///
/// // A row times a column.
/// assert_eq!(matmul(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0], 1, 1, 3), [32.0]);
/// ```
pub fn matmul(a: &[f64], b: &[f64], m: usize, n: usize, k: usize) -> Vec<f64> {
    let cell = |i: usize, j: usize| (0..k).map(|l| a[i * k + l] * b[l * n + j]).sum();
    (0..m).flat_map(|i| (0..n).map(move |j| (i, j))).map(|(i, j)| cell(i, j)).collect()
}

/// A distance of two points.
///
/// ```
/// use modeseek::reference::{Metric, pairwise};
///
/// let (a, b) = ([0.0, 0.0], [3.0, 4.0]);
/// assert_eq!(pairwise(&a, &b, 2, Metric::L2), [5.0]);
/// assert_eq!(pairwise(&a, &b, 2, Metric::L1), [7.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Metric {
    /// sum (a - b)^2
    SquaredL2,
    /// sqrt(sum (a - b)^2)
    L2,
    /// sum |a - b|
    L1,
    /// (sum |a - b|^p)^(1/p)
    Lp(f64),
    /// 1 - cos of the angle between the points, seen from the origin.
    Cosine,
}

impl Metric {
    /// The distance of two points.
    ///
    /// ```
    /// use modeseek::reference::Metric;
    ///
    /// assert_eq!(Metric::SquaredL2.distance(&[0.0, 0.0], &[3.0, 4.0]), 25.0);
    /// assert_eq!(Metric::Cosine.distance(&[1.0, 0.0], &[0.0, 2.0]), 1.0);
    /// ```
    pub fn distance(self, a: &[f64], b: &[f64]) -> f64 {
        let differences = a.iter().zip(b).map(|(a, b)| (a - b).abs());
        match self {
            Self::SquaredL2 => differences.map(|v| v * v).sum(),
            Self::L2 => Self::SquaredL2.distance(a, b).sqrt(),
            Self::L1 => differences.sum(),
            Self::Lp(p) => differences.map(|v| v.powf(p)).sum::<f64>().powf(1.0 / p),
            // Half the squared distance of the directions; the cosine itself would round small angles away.
            Self::Cosine => {
                let (length_a, length_b) = (length(a), length(b));
                let differences = a.iter().zip(b).map(|(a, b)| a / length_a - b / length_b);
                differences.map(|v| v * v).sum::<f64>() / 2.0
            }
        }
    }
}

/// sqrt(sum a^2)
fn length(a: &[f64]) -> f64 {
    a.iter().map(|a| a * a).sum::<f64>().sqrt()
}

/// The distances of all rows of A to all rows of B, both of d columns.
///
/// ```
/// use modeseek::reference::{Metric, pairwise};
///
/// // Two points against three, on a line.
/// assert_eq!(pairwise(&[0.0, 1.0], &[0.0, 2.0, 4.0], 1, Metric::L1), [0.0, 2.0, 4.0, 1.0, 1.0, 3.0]);
/// ```
pub fn pairwise(a: &[f64], b: &[f64], d: usize, metric: Metric) -> Vec<f64> {
    a.chunks(d).flat_map(|a| b.chunks(d).map(move |b| metric.distance(a, b))).collect()
}

/// The weight of a distance for a bandwidth, 1 at distance 0.
///
/// ```
/// use modeseek::WeightFunction;
/// use modeseek::reference::weight;
///
/// assert_eq!(weight(WeightFunction::Triangular, 1.0, 4.0), 0.75);
/// ```
pub fn weight(function: WeightFunction, distance: f64, bandwidth: f64) -> f64 {
    function.weight(distance / bandwidth)
}

/// (W X) / rowsum(W), for W m x n and X n x d.
///
/// ```
/// use modeseek::reference::reduce_weighted;
///
/// // One query, which the second point pulls three times as hard.
/// assert_eq!(reduce_weighted(&[1.0, 3.0], &[0.0, 0.0, 4.0, 8.0], 2, 2), [3.0, 6.0]);
/// ```
pub fn reduce_weighted(weights: &[f64], points: &[f64], n: usize, d: usize) -> Vec<f64> {
    weights
        .chunks(n)
        .flat_map(|row| {
            let total: f64 = row.iter().sum();
            (0..d).map(move |c| (0..n).map(|j| row[j] * points[j * d + c]).sum::<f64>() / total)
        })
        .collect()
}

/// One blurring step: every point moves to the weighted mean of all points about it.
///
/// ```
/// use modeseek::WeightFunction;
/// use modeseek::reference::shift;
///
/// // Two points within a bandwidth of each other meet; the third is alone.
/// assert_eq!(shift(&[0.0, 1.0, 9.0], 1, WeightFunction::Flat, 2.0), [0.5, 0.5, 9.0]);
/// ```
pub fn shift(points: &[f64], d: usize, function: WeightFunction, bandwidth: f64) -> Vec<f64> {
    let distances = pairwise(points, points, d, Metric::L2);
    let weights: Vec<_> = distances.iter().map(|&distance| weight(function, distance, bandwidth)).collect();
    reduce_weighted(&weights, points, points.len() / d, d)
}

/// Blurring steps until no point moves more than `tolerance` bandwidths, `most` at most; the points, and
/// how many steps it took.
///
/// ```
/// use modeseek::WeightFunction;
/// use modeseek::reference::mean_shift;
///
/// let (ends, steps) = mean_shift(&[0.0, 1.0, 9.0], 1, WeightFunction::Flat, 2.0, 1e-6, 100);
/// assert_eq!(ends, [0.5, 0.5, 9.0]);
/// // One that moves them, and one in which nothing moves.
/// assert_eq!(steps, 2);
/// ```
pub fn mean_shift(
    points: &[f64],
    d: usize,
    function: WeightFunction,
    bandwidth: f64,
    tolerance: f64,
    most: usize,
) -> (Vec<f64>, usize) {
    let mut points = points.to_vec();
    for step in 1..=most {
        let next = shift(&points, d, function, bandwidth);
        let moved = points.chunks(d).zip(next.chunks(d)).map(|(a, b)| Metric::L2.distance(a, b)).fold(0.0, f64::max);
        points = next;
        if moved <= tolerance * bandwidth {
            return (points, step);
        }
    }
    (points, most)
}

/// Points that pull queries, the j-th with the weight `factors[j] w(|q - x_j| / bandwidths[j])`.
///
/// With sample weights v and bandwidths h of the points' own, the factors are `v_j h_j^-(d+2)` (see gpu/marks.rs).
///
/// ```
/// use modeseek::WeightFunction;
/// use modeseek::reference::{Metric, Pull};
///
/// let pull = Pull {
///     points: &[0.0, 1.0, 9.0],
///     d: 1,
///     metric: Metric::L2,
///     function: WeightFunction::Flat,
///     factors: &[1.0; 3],
///     bandwidths: &[2.0; 3],
/// };
/// assert_eq!(pull.mean(&[0.2]), [0.5]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Pull<'a> {
    /// n x d.
    pub points: &'a [f64],
    /// d.
    pub d: usize,
    /// How far two points are apart.
    pub metric: Metric,
    /// w.
    pub function: WeightFunction,
    /// n.
    pub factors: &'a [f64],
    /// n.
    pub bandwidths: &'a [f64],
}

impl Pull<'_> {
    /// The weight of each point at q.
    ///
    /// ```
    /// # use modeseek::WeightFunction;
    /// # use modeseek::reference::{Metric, Pull};
    /// # let (points, d, metric, function) = (&[0.0, 1.0, 9.0], 1, Metric::L2, WeightFunction::Flat);
    /// // The second point counts twice.
    /// let pull = Pull { points, d, metric, function, factors: &[1.0, 2.0, 1.0], bandwidths: &[2.0; 3] };
    /// assert_eq!(pull.weights(&[0.2]), [1.0, 2.0, 0.0]);
    /// ```
    pub fn weights(&self, q: &[f64]) -> Vec<f64> {
        let points = self.points.chunks(self.d).zip(self.factors).zip(self.bandwidths);
        points.map(|((x, factor), h)| factor * weight(self.function, self.metric.distance(q, x), *h)).collect()
    }

    /// Where a query moves: to the weighted mean of the points, or nowhere if none has weight. With the cosine
    /// distance the mean is put as far from the origin as the query is.
    ///
    /// ```
    /// # use modeseek::WeightFunction;
    /// # use modeseek::reference::{Metric, Pull};
    /// # let (points, d, metric, function) = (&[0.0, 1.0, 9.0], 1, Metric::L2, WeightFunction::Flat);
    /// let pull = Pull { points, d, metric, function, factors: &[1.0, 3.0, 1.0], bandwidths: &[2.0; 3] };
    /// assert_eq!(pull.mean(&[0.2]), [0.75]);
    /// // Where nothing pulls, a query stays.
    /// assert_eq!(pull.mean(&[5.0]), [5.0]);
    /// ```
    pub fn mean(&self, q: &[f64]) -> Vec<f64> {
        let weights = self.weights(q);
        if weights.iter().sum::<f64>() == 0.0 {
            return q.to_vec();
        }
        let mean = reduce_weighted(&weights, self.points, weights.len(), self.d);
        let stretch = if self.metric == Metric::Cosine { length(q) / length(&mean) } else { 1.0 };
        mean.iter().map(|x| x * stretch).collect()
    }

    /// The blurring form: where the points are after so many steps, each of them a query.
    ///
    /// ```
    /// # use modeseek::WeightFunction;
    /// # use modeseek::reference::{Metric, Pull};
    /// # let (points, d, metric, function) = (&[0.0, 1.0, 9.0], 1, Metric::L2, WeightFunction::Flat);
    /// let pull = Pull { points, d, metric, function, factors: &[1.0; 3], bandwidths: &[2.0; 3] };
    /// assert_eq!(pull.blur(1), [0.5, 0.5, 9.0]);
    /// ```
    pub fn blur(&self, steps: usize) -> Vec<f64> {
        let step = |points: Vec<f64>| {
            let moved = Pull { points: &points, ..*self };
            points.chunks(self.d).flat_map(|q| moved.mean(q)).collect()
        };
        (0..steps).fold(self.points.to_vec(), |points, _| step(points))
    }

    /// The standard form: where each query ends, which goes `relaxation` times its steps until one is no longer
    /// than `tolerance`, in 2-norm; and how many it took, `most` at most.
    ///
    /// ```
    /// # use modeseek::WeightFunction;
    /// # use modeseek::reference::{Metric, Pull};
    /// # let (points, d, metric, function) = (&[0.0, 1.0, 9.0], 1, Metric::L2, WeightFunction::Flat);
    /// let pull = Pull { points, d, metric, function, factors: &[1.0; 3], bandwidths: &[2.0; 3] };
    /// assert_eq!(pull.climb(&[8.0, 0.1], 1.0, 1e-9, 100), [(vec![9.0], 2), (vec![0.5], 2)]);
    /// ```
    pub fn climb(&self, queries: &[f64], relaxation: f64, tolerance: f64, most: usize) -> Vec<(Vec<f64>, usize)> {
        let climb = |q: &[f64]| {
            let mut at = q.to_vec();
            for step in 1..=most {
                let mean = self.mean(&at);
                let moved = Metric::L2.distance(&at, &mean);
                at = at.iter().zip(&mean).map(|(x, mean)| x + relaxation * (mean - x)).collect();
                if moved <= tolerance {
                    return (at, step);
                }
            }
            (at, most)
        };
        queries.chunks(self.d).map(climb).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values worked out by hand.
    #[test]
    fn the_oracle_is_right() {
        assert_eq!(matmul(&[1.0, 2.0, 3.0, 4.0], &[5.0, 6.0, 7.0, 8.0], 2, 2, 2), [19.0, 22.0, 43.0, 50.0]);
        let (a, b) = ([0.0, 0.0], [3.0, -4.0]);
        assert_eq!(Metric::SquaredL2.distance(&a, &b), 25.0);
        assert_eq!(Metric::L2.distance(&a, &b), 5.0);
        assert_eq!(Metric::L1.distance(&a, &b), 7.0);
        assert!((Metric::Lp(3.0).distance(&a, &b) - 91.0_f64.cbrt()).abs() < 1e-12);
        assert_eq!(reduce_weighted(&[1.0, 3.0], &[0.0, 10.0, 4.0, 2.0], 2, 2), [3.0, 4.0]);
        assert_eq!(weight(WeightFunction::Triangular, 1.0, 4.0), 0.75);
        assert_eq!(weight(WeightFunction::Triangular, 5.0, 4.0), 0.0);
        assert_eq!(weight(WeightFunction::Flat, 4.0, 4.0), 1.0);
        assert_eq!(weight(WeightFunction::Flat, 4.1, 4.0), 0.0);
    }

    /// Values worked out by hand.
    #[test]
    fn pulls_are_right() {
        let flat = |metric, points, d, factors, bandwidths| Pull {
            points,
            d,
            metric,
            function: WeightFunction::Flat,
            factors,
            bandwidths,
        };
        // Reached are the first two, of which the second counts thrice; from afar, none.
        let line = flat(Metric::L1, &[0.0, 4.0, 9.0], 1, &[1.0, 3.0, 1.0], &[3.0, 3.0, 3.0]);
        assert_eq!(line.mean(&[2.0]), [3.0]);
        assert_eq!(line.mean(&[30.0]), [30.0]);
        assert_eq!(line.climb(&[2.0, 30.0], 1.0, 0.0, 9), [(vec![3.0], 2), (vec![30.0], 1)]);
        assert_eq!(line.climb(&[2.0], 1.5, 1.0, 9), [(vec![3.5], 1)]);
        assert_eq!(line.blur(2), [0.0, 4.0, 9.0]);
        // A bandwidth that reaches all.
        let line = flat(Metric::L2, &[0.0, 4.0, 9.0], 1, &[1.0; 3], &[3.0, 3.0, 20.0]);
        assert_eq!(line.blur(1), [4.5, 6.5, 9.0]);
        // Directions at a right angle are 1 apart; between them lies the diagonal.
        assert!((Metric::Cosine.distance(&[2.0, 0.0], &[0.0, 7.0]) - 1.0).abs() <= 1e-15);
        assert!((Metric::Cosine.distance(&[2.0, 0.0], &[-1.0, 0.0]) - 2.0).abs() <= 1e-15);
        let sphere = flat(Metric::Cosine, &[5.0, 0.0, 0.0, 5.0], 2, &[1.0; 2], &[1.5; 2]);
        let mean = sphere.mean(&[5.0, 0.0]);
        assert!(mean.iter().all(|x| (x - 12.5_f64.sqrt()).abs() <= 1e-12), "{mean:?}");
    }

    /// The lecture's value: a Gaussian of bandwidth 2.5 at distance 4 is about 0.044.
    #[test]
    fn the_lectures_gaussian() {
        let normalised = weight(WeightFunction::Gaussian, 4.0, 2.5) / (2.5 * (2.0 * std::f64::consts::PI).sqrt());
        assert!((normalised - 0.044).abs() < 5e-4, "{normalised}");
    }
}
