//! Gaussian clusters about random centroids: the lecture's data.

use nalgebra::DMatrix;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal, Uniform};

use crate::bytes::Bytes;
use crate::error::{Error, Result};
use crate::executor::host_memory;

/// Centroids lie in a cube of this half side.
pub(super) const HALF_SIDE: f64 = 35.0;

/// Variance of each coordinate about its centroid.
const VARIANCE: f64 = 5.0;

/// Clusters with equal numbers of points: centroids uniform in [-35, 35]^d, points normal about them
/// with variance 5 in each coordinate. The same seed gives the same points on every machine.
///
/// ```
/// use modeseek::data::Blobs;
///
/// let blobs = Blobs { points: 100, clusters: 3, dimensions: 2, seed: 14 };
/// // The same seed gives the same points.
/// assert_eq!(blobs.generate()?.rows, blobs.generate()?.rows);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blobs {
    /// Points in all. The first clusters have one more where the number does not divide.
    pub points: usize,
    /// Clusters.
    pub clusters: usize,
    /// Coordinates of a point.
    pub dimensions: usize,
    /// Seed of the random numbers.
    pub seed: u64,
}

/// Points that are known to belong together.
///
/// ```
/// use modeseek::data::{Blobs, LabelledPoints};
///
/// let sizes = Blobs { points: 30, clusters: 3, dimensions: 2, seed: 14 };
/// let LabelledPoints { rows, labels, centroids } = sizes.generate()?;
/// assert_eq!((rows.len(), labels.len()), (60, 30));
/// assert_eq!(centroids.shape(), (2, 3));
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LabelledPoints {
    /// The points' coordinates, by rows.
    pub rows: Vec<f32>,
    /// The cluster of each point.
    pub labels: Vec<u32>,
    /// The true centroids: a column each.
    pub centroids: DMatrix<f64>,
}

impl Blobs {
    /// Checks that the sizes make sense.
    ///
    /// ```
    /// use modeseek::data::Blobs;
    ///
    /// assert!(Blobs { points: 10, clusters: 0, dimensions: 2, seed: 1 }.check().is_err());
    /// ```
    ///
    /// # Errors
    /// [`Error::Option`] if a size is zero or there are more clusters than points.
    pub fn check(&self) -> Result<()> {
        let Self { points, clusters, dimensions, .. } = *self;
        let wrong = |option, value: usize, must| Err(Error::Option { option, value: value.to_string(), must });
        if points == 0 {
            return wrong("the number of points", points, "at least 1");
        }
        if clusters == 0 {
            return wrong("the number of clusters", clusters, "at least 1");
        }
        if dimensions == 0 {
            return wrong("the number of dimensions", dimensions, "at least 1");
        }
        if clusters > points {
            return wrong("the number of clusters", clusters, "no more than the points");
        }
        Ok(())
    }

    /// The points of each cluster.
    pub(super) fn each(&self) -> impl Iterator<Item = usize> {
        let Self { points, clusters, .. } = *self;
        (0..clusters).map(move |cluster| points / clusters + usize::from(cluster < points % clusters))
    }

    /// Makes the points.
    ///
    /// ```
    /// use modeseek::data::Blobs;
    ///
    /// let found = Blobs { points: 10, clusters: 3, dimensions: 2, seed: 1 }.generate()?;
    /// let sizes = [0, 1, 2].map(|k| found.labels.iter().filter(|&&label| label == k).count());
    /// assert_eq!(sizes, [4, 3, 3]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`check`](Self::check), and [`Error::Memory`] if the host refuses the memory.
    pub fn generate(&self) -> Result<LabelledPoints> {
        self.check()?;
        let (mut rows, mut labels) = room(self, 0)?;
        let Self { clusters, dimensions, seed, .. } = *self;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let uniform = Uniform::new_inclusive(-HALF_SIDE, HALF_SIDE).expect("the bounds are in order");
        let normal = Normal::new(0.0, VARIANCE.sqrt()).expect("the deviation is positive");
        let centroids = DMatrix::from_fn(dimensions, clusters, |_, _| uniform.sample(&mut random));
        for (cluster, size) in self.each().enumerate() {
            for _ in 0..size {
                rows.extend(centroids.column(cluster).iter().map(|c| (c + normal.sample(&mut random)) as f32));
                labels.push(cluster as u32);
            }
        }
        Ok(LabelledPoints { rows, labels, centroids })
    }
}

/// Room for the rows and labels of so many points, if there is also some for their centroids and for so many matrices
/// of d x d numbers: those whose memory is taken later, where a refusal would end the process.
///
/// # Errors
/// [`Error::Memory`] if the host has less, or refuses it.
pub(super) fn room(sizes: &Blobs, matrices: usize) -> Result<(Vec<f32>, Vec<u32>)> {
    let Blobs { points, clusters, dimensions, .. } = *sizes;
    let [n, k, d] = [points, clusters, dimensions].map(|size| size as u128);
    let row = d.saturating_mul(4).saturating_add(4);
    let later = d.saturating_mul(8).saturating_mul(k.saturating_add(d.saturating_mul(matrices as u128)));
    let needed = n.saturating_mul(row).saturating_add(later);
    reserve(sizes, needed)?;
    let (mut rows, mut labels) = (Vec::new(), Vec::new());
    let values = points.checked_mul(dimensions);
    let refused = values.is_none_or(|values| rows.try_reserve_exact(values).is_err())
        || labels.try_reserve_exact(points).is_err();
    if refused { Err(too_large(sizes, needed)) } else { Ok((rows, labels)) }
}

/// Checks that the host has so many bytes for generated points.
///
/// # Errors
/// [`Error::Memory`].
pub(crate) fn reserve(sizes: &Blobs, needed: u128) -> Result<()> {
    if needed > host_memory() as u128 { Err(too_large(sizes, needed)) } else { Ok(()) }
}

fn too_large(sizes: &Blobs, needed: u128) -> Error {
    Error::Memory {
        device: "the host".to_owned(),
        what: format!("{} points of {} dimensions", sizes.points, sizes.dimensions),
        needed: Bytes(needed),
        available: Bytes(host_memory() as u128),
        advice: "use fewer --points or a smaller --dim",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LECTURE: Blobs = Blobs { points: 1500, clusters: 6, dimensions: 2, seed: 1 };

    #[test]
    fn a_seed_gives_the_same_points() {
        assert_eq!(LECTURE.generate().unwrap(), LECTURE.generate().unwrap());
        assert_ne!(LECTURE.generate().unwrap(), Blobs { seed: 2, ..LECTURE }.generate().unwrap());
    }

    #[test]
    fn points_have_the_mean_and_variance_of_their_cluster() {
        let blobs = Blobs { points: 60_000, dimensions: 3, ..LECTURE };
        let set = blobs.generate().unwrap();
        assert_eq!(set.rows.len(), 180_000);
        for cluster in 0..6 {
            for c in 0..3 {
                let values: Vec<f64> = (0..60_000)
                    .filter(|&i| set.labels[i] == cluster)
                    .map(|i| f64::from(set.rows[i * 3 + c]) - set.centroids[(c, cluster as usize)])
                    .collect();
                assert_eq!(values.len(), 10_000);
                let mean = values.iter().sum::<f64>() / 1e4;
                let variance = values.iter().map(|v| v * v).sum::<f64>() / 1e4;
                // Five standard errors: sqrt(5 / 10^4) and 5 sqrt(2 / 10^4).
                assert!(mean.abs() <= 0.112, "{mean}");
                assert!((variance - 5.0).abs() <= 0.354, "{variance}");
            }
        }
    }

    #[test]
    fn sizes_differ_by_one_at_most() {
        let set = Blobs { points: 8, clusters: 3, ..LECTURE }.generate().unwrap();
        assert_eq!(set.labels, [0, 0, 0, 1, 1, 1, 2, 2]);
    }

    #[test]
    fn senseless_sizes_are_refused() {
        for blobs in [
            Blobs { points: 0, ..LECTURE },
            Blobs { clusters: 0, ..LECTURE },
            Blobs { dimensions: 0, ..LECTURE },
            Blobs { points: 5, ..LECTURE },
        ] {
            assert!(matches!(blobs.generate(), Err(Error::Option { .. })), "{blobs:?}");
        }
    }

    #[test]
    fn what_memory_does_not_hold_is_refused() {
        let many = 1 << 40;
        for blobs in [
            Blobs { points: many, clusters: many, dimensions: 2, seed: 1 },
            Blobs { points: many, ..LECTURE },
            Blobs { points: 10, dimensions: many, ..LECTURE },
            Blobs { points: usize::MAX, clusters: usize::MAX, dimensions: usize::MAX, seed: 1 },
        ] {
            assert!(matches!(blobs.generate(), Err(Error::Memory { .. })), "{blobs:?}");
        }
    }
}
