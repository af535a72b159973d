//! Point sets of other shapes than round clusters: for demonstrations and tests.

use nalgebra::{DMatrix, DVector};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal, Uniform};

use super::synthetic::{Blobs, HALF_SIDE, LabelledPoints, room};
use crate::error::{Error, Result};

/// The shape of a synthetic point set.
///
/// ```
/// use modeseek::data::{Blobs, Shape};
///
/// // Two circles, of radii 10 and 20, about one centre.
/// let rings = Shape::Rings.generate(&Blobs { points: 60, clusters: 2, dimensions: 2, seed: 3 })?;
/// for (row, label) in rings.rows.chunks(2).zip(&rings.labels) {
///     let radius = row[0].hypot(row[1]);
///     assert!((radius - 10.0 * (label + 1) as f32).abs() < 5.0, "{radius}");
/// }
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// Round Gaussian clusters: [`Blobs`].
    #[default]
    Blobs,
    /// Gaussian clusters that are each stretched another way: of a full covariance matrix.
    Stretched,
    /// Half circles that interlock, in the plane: as many pairs as clusters need.
    Moons,
    /// Circles about one centre, in the plane.
    Rings,
    /// No clusters: uniform in a cube.
    Uniform,
}

impl Shape {
    /// What its clusters are called.
    ///
    /// ```
    /// use modeseek::data::Shape;
    ///
    /// assert_eq!(Shape::Moons.name(), "moons");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Self::Blobs => "Gaussian clusters",
            Self::Stretched => "stretched Gaussian clusters",
            Self::Moons => "moons",
            Self::Rings => "rings",
            Self::Uniform => "set of uniform noise",
        }
    }

    /// Makes points of this shape, of the sizes and the seed given. The centroids are the means of
    /// clusters: of those that points were made for, or of the points of moons, rings and noise.
    ///
    /// ```
    /// use modeseek::data::{Blobs, Shape};
    ///
    /// let sizes = Blobs { points: 100, clusters: 2, dimensions: 2, seed: 1 };
    /// let moons = Shape::Moons.generate(&sizes)?;
    /// assert_eq!((moons.rows.len(), moons.labels.len()), (200, 100));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Blobs::generate`]; [`Error::Option`] for moons and rings that are not in the plane, and for clusters of
    /// uniform noise.
    pub fn generate(self, sizes: &Blobs) -> Result<LabelledPoints> {
        self.check(sizes)?;
        let mut random = ChaCha8Rng::seed_from_u64(sizes.seed);
        match self {
            Self::Blobs => sizes.generate(),
            Self::Stretched => stretched(sizes, &mut random),
            Self::Moons => curves(sizes, &mut random, moon),
            Self::Rings => curves(sizes, &mut random, |ring, at| {
                let radius = 10.0 * (ring + 1) as f64;
                [radius * at.cos(), radius * at.sin()]
            }),
            Self::Uniform => uniform(sizes, &mut random),
        }
    }

    /// Checks that the sizes make sense.
    ///
    /// ```
    /// use modeseek::data::{Blobs, Shape};
    ///
    /// let sizes = Blobs { points: 100, clusters: 2, dimensions: 3, seed: 1 };
    /// assert!(Shape::Blobs.check(&sizes).is_ok());
    /// // Moons are in the plane.
    /// assert!(Shape::Moons.check(&sizes).is_err());
    /// ```
    ///
    /// # Errors
    /// As [`generate`](Self::generate).
    pub fn check(self, sizes: &Blobs) -> Result<()> {
        let Blobs { clusters, dimensions, .. } = *sizes;
        let wrong = |option, value: usize, must| Err(Error::Option { option, value: value.to_string(), must });
        if matches!(self, Self::Moons | Self::Rings) && dimensions != 2 {
            return wrong("the number of dimensions", dimensions, "2 for this shape");
        }
        if self == Self::Uniform && clusters != 1 {
            return wrong("the number of clusters", clusters, "1 for uniform noise, which has none of its own");
        }
        sizes.check()
    }
}

/// Matrices of d x d numbers that [`stretched`] has at a time: one of normal numbers, its transpose, their product, and
/// the diagonal.
const MATRICES: usize = 4;

/// Clusters about random centroids, each of a random covariance: a matrix of normal numbers times its transpose, and
/// something along the diagonal so that no cluster is flat.
fn stretched(sizes: &Blobs, random: &mut ChaCha8Rng) -> Result<LabelledPoints> {
    let d = sizes.dimensions;
    let cube = Uniform::new_inclusive(-HALF_SIDE, HALF_SIDE).expect("the bounds are in order");
    let mut made = Made::new(sizes, MATRICES)?;
    made.points.centroids = DMatrix::from_fn(d, sizes.clusters, |_, _| cube.sample(random));
    for (cluster, size) in sizes.each().enumerate() {
        let mixed = DMatrix::<f64>::from_fn(d, d, |_, _| StandardNormal.sample(random));
        let covariance = (&mixed * mixed.transpose()) * (4.0 / d as f64) + DMatrix::identity(d, d) * 0.25;
        let root = covariance.cholesky().expect("it is positive definite").l();
        for _ in 0..size {
            let normal = DVector::<f64>::from_fn(d, |_, _| StandardNormal.sample(random));
            let place = made.points.centroids.column(cluster) + &root * normal;
            made.push(cluster, place.iter().copied());
        }
    }
    Ok(made.points)
}

/// The upper and lower half circle of a pair, a pair beside the other.
fn moon(number: usize, at: f64) -> [f64; 2] {
    let (pair, half) = (number / 2, at / 2.0);
    let beside = 70.0 * pair as f64;
    match number % 2 {
        0 => [beside + 20.0 * half.cos(), 20.0 * half.sin()],
        _ => [beside + 20.0 - 20.0 * half.cos(), 10.0 - 20.0 * half.sin()],
    }
}

/// Points along curves, each at a random angle of the whole circle, with noise across.
fn curves(sizes: &Blobs, random: &mut ChaCha8Rng, curve: impl Fn(usize, f64) -> [f64; 2]) -> Result<LabelledPoints> {
    let angle = Uniform::new(0.0, std::f64::consts::TAU).expect("the bounds are in order");
    let mut made = Made::new(sizes, 0)?;
    for (cluster, size) in sizes.each().enumerate() {
        for _ in 0..size {
            let place = curve(cluster, angle.sample(random));
            let noise: [f64; 2] = [StandardNormal.sample(random), StandardNormal.sample(random)];
            made.push(cluster, place.into_iter().zip(noise).map(|(x, noise)| x + noise));
        }
    }
    Ok(made.with_means())
}

fn uniform(sizes: &Blobs, random: &mut ChaCha8Rng) -> Result<LabelledPoints> {
    let cube = Uniform::new_inclusive(-HALF_SIDE, HALF_SIDE).expect("the bounds are in order");
    let mut made = Made::new(sizes, 0)?;
    for _ in 0..sizes.points {
        made.push(0, (0..sizes.dimensions).map(|_| cube.sample(random)));
    }
    Ok(made.with_means())
}

/// Points so far.
struct Made {
    points: LabelledPoints,
    dimensions: usize,
}

impl Made {
    fn new(sizes: &Blobs, matrices: usize) -> Result<Self> {
        let (rows, labels) = room(sizes, matrices)?;
        let centroids = DMatrix::zeros(sizes.dimensions, sizes.clusters);
        Ok(Self { points: LabelledPoints { rows, labels, centroids }, dimensions: sizes.dimensions })
    }

    fn push(&mut self, cluster: usize, place: impl Iterator<Item = f64>) {
        self.points.rows.extend(place.map(|x| x as f32));
        self.points.labels.push(cluster as u32);
    }

    /// With the means of clusters as their centroids.
    fn with_means(mut self) -> LabelledPoints {
        let LabelledPoints { rows, labels, centroids } = &mut self.points;
        let mut sizes = vec![0.0; centroids.ncols()];
        for (row, &label) in rows.chunks(self.dimensions).zip(&*labels) {
            sizes[label as usize] += 1.0;
            for (sum, &x) in centroids.column_mut(label as usize).iter_mut().zip(row) {
                *sum += f64::from(x);
            }
        }
        for (mut centroid, size) in centroids.column_iter_mut().zip(sizes) {
            centroid /= size;
        }
        self.points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Blobs = Blobs { points: 4000, clusters: 2, dimensions: 2, seed: 5 };

    fn of_cluster(set: &LabelledPoints, cluster: u32) -> Vec<[f64; 2]> {
        let rows = set.rows.chunks(2).zip(&set.labels).filter(|(_, label)| **label == cluster);
        rows.map(|(row, _)| [f64::from(row[0]), f64::from(row[1])]).collect()
    }

    #[test]
    fn rings_have_their_radius() {
        let set = Shape::Rings.generate(&SIZES).unwrap();
        for (cluster, radius) in [(0, 10.0), (1, 20.0)] {
            let ring = of_cluster(&set, cluster);
            assert_eq!(ring.len(), 2000);
            let mean = ring.iter().map(|[x, y]| x.hypot(*y)).sum::<f64>() / 2000.0;
            // Noise across adds half a variance over the radius, 0.05 at most.
            assert!((mean - radius).abs() <= 0.15, "{mean}");
        }
    }

    #[test]
    fn moons_are_half_circles_about_their_centres() {
        let set = Shape::Moons.generate(&SIZES).unwrap();
        for (cluster, centre) in [(0, [0.0, 0.0]), (1, [20.0, 10.0])] {
            for [x, y] in of_cluster(&set, cluster) {
                let (x, y) = (x - centre[0], if cluster == 0 { y } else { centre[1] - y });
                assert!((x.hypot(y) - 20.0).abs() <= 6.0 && y >= -6.0, "{x} {y}");
            }
        }
    }

    #[test]
    fn stretched_clusters_are_longer_than_wide() {
        let set = Shape::Stretched.generate(&Blobs { clusters: 1, ..SIZES }).unwrap();
        let points = of_cluster(&set, 0);
        let centroid = &set.centroids;
        for c in 0..2 {
            let mean = points.iter().map(|p| p[c]).sum::<f64>() / points.len() as f64;
            // Deviations of a cluster are 8 at most, of its mean a sixtieth.
            assert!((mean - centroid[(c, 0)]).abs() <= 0.5, "{mean} {centroid}");
        }
        let moment = |a: usize, b: usize| {
            let product = |p: &[f64; 2]| (p[a] - centroid[(a, 0)]) * (p[b] - centroid[(b, 0)]);
            points.iter().map(product).sum::<f64>() / points.len() as f64
        };
        let covariance = nalgebra::Matrix2::new(moment(0, 0), moment(0, 1), moment(1, 0), moment(1, 1));
        let lengths = covariance.symmetric_eigenvalues();
        assert!(lengths.max() > 2.0 * lengths.min() && lengths.min() > 0.1, "{lengths}");
    }

    #[test]
    fn a_seed_gives_the_same_points_of_every_shape() {
        for shape in [Shape::Blobs, Shape::Stretched, Shape::Moons, Shape::Rings, Shape::Uniform] {
            let clusters = if shape == Shape::Uniform { 1 } else { 3 };
            let sizes = Blobs { points: 31, clusters, ..SIZES };
            let set = shape.generate(&sizes).unwrap();
            assert_eq!(set, shape.generate(&sizes).unwrap());
            assert_ne!(set, shape.generate(&Blobs { seed: 6, ..sizes }).unwrap());
            assert_eq!((set.rows.len(), set.centroids.shape()), (62, (2, clusters)));
        }
    }

    #[test]
    fn shapes_that_cannot_be_are_refused() {
        for (shape, sizes) in [
            (Shape::Moons, Blobs { dimensions: 3, ..SIZES }),
            (Shape::Rings, Blobs { dimensions: 1, ..SIZES }),
            (Shape::Uniform, SIZES),
            (Shape::Stretched, Blobs { points: 0, ..SIZES }),
        ] {
            assert!(matches!(shape.generate(&sizes), Err(Error::Option { .. })), "{shape:?}");
        }
    }

    #[test]
    fn shapes_that_memory_does_not_hold_are_refused() {
        let many = 1 << 40;
        for (shape, sizes) in [
            // Its points and centroids are small: a matrix is not.
            (Shape::Stretched, Blobs { points: 10, dimensions: 10_000_000, ..SIZES }),
            (Shape::Moons, Blobs { points: many, clusters: many, ..SIZES }),
            (Shape::Uniform, Blobs { points: many, clusters: 1, ..SIZES }),
        ] {
            assert!(matches!(shape.generate(&sizes), Err(Error::Memory { .. })), "{shape:?}");
        }
    }
}
