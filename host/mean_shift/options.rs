//! What a user can choose from.

use gpu::shift_any::Norm;
use gpu::steps::Steps;
use serde::{Deserialize, Serialize};

use crate::points::Points;

/// The weight of a point as a function of its distance over the bandwidth, u.
///
/// ```
/// use modeseek::WeightFunction;
///
/// // One's own, made of `impl Weight` and `fused_steps!`.
/// let own = WeightFunction::Own(&gpu::cauchy::STEPS);
/// assert_eq!(own.weight(1.0), 0.5);
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub enum WeightFunction {
    /// exp(-u^2 / 2)
    #[default]
    Gaussian,
    /// max(1 - u, 0)
    Triangular,
    /// 1 for u <= 1, else 0
    Flat,
    /// max(1 - u^2, 0)
    Epanechnikov,
    /// max(1 - u^2, 0)^2
    Biweight,
    /// One's own: the steps that [`gpu::fused_steps!`] makes of a [`gpu::weight::Weight`].
    Own(&'static Steps),
}

impl PartialEq for WeightFunction {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.steps(), other.steps())
    }
}

impl WeightFunction {
    /// Those with a name.
    pub const ALL: [Self; 5] = [Self::Gaussian, Self::Triangular, Self::Flat, Self::Epanechnikov, Self::Biweight];

    /// The bandwidth of this function, for one of flat weights, with which the densities whose modes are found are equally wide: have the
    /// same variance, which for a weight w is `integral of w(u) u^(d+3) / integral of w(u) u^(d+1) / (d + 2)` along each axis. 1 for one's own.
    pub(super) fn width_of_flat(self, d: usize) -> f64 {
        let d = d as f64;
        let variance = match self {
            Self::Gaussian => 1.0,
            Self::Triangular => (d + 3.0) / ((d + 4.0) * (d + 5.0)),
            Self::Flat | Self::Own(_) => return 1.0,
            Self::Epanechnikov => 1.0 / (d + 6.0),
            Self::Biweight => 1.0 / (d + 8.0),
        };
        (1.0 / (d + 4.0) / variance).sqrt()
    }

    /// The same on a sphere, where weights are of half a squared length t, for that half square: about a point it has m = d - 1 dimensions, so that with a = m / 2
    /// the variance is `integral of w(t) t^(a+1) / integral of w(t) t^a`, as far as the sphere is flat.
    pub(super) fn width_of_flat_on_sphere(self, d: usize) -> f64 {
        let m = (d - 1).max(1) as f64;
        let a = 0.5 * m;
        let variance = match self {
            Self::Gaussian => 2_f64.sqrt() * gamma_half_step(0.5 * (a + 1.0)),
            Self::Triangular => (a + 1.0) / (a + 3.0),
            Self::Flat | Self::Own(_) => return 1.0,
            Self::Epanechnikov => (a + 1.0) * (a + 3.0) / ((a + 2.0) * (a + 4.0)),
            Self::Biweight => (a + 1.0) * (a + 3.0) * (a + 5.0) / ((a + 2.0) * (a + 4.0) * (a + 6.0)),
        };
        (a + 1.0) / (a + 2.0) / variance
    }

    /// Its kernels.
    ///
    /// ```
    /// use modeseek::WeightFunction;
    ///
    /// assert_eq!(WeightFunction::Flat.steps().name, WeightFunction::Own(&gpu::flat::STEPS).steps().name);
    /// ```
    pub fn steps(self) -> &'static Steps {
        match self {
            Self::Gaussian => &gpu::gaussian::STEPS,
            Self::Triangular => &gpu::triangular::STEPS,
            Self::Flat => &gpu::flat::STEPS,
            Self::Epanechnikov => &gpu::epanechnikov::STEPS,
            Self::Biweight => &gpu::biweight::STEPS,
            Self::Own(steps) => steps,
        }
    }

    /// The weight at u, in f64.
    ///
    /// ```
    /// use modeseek::WeightFunction;
    ///
    /// assert_eq!(WeightFunction::Gaussian.weight(1.0), (-0.5_f64).exp());
    /// assert_eq!(WeightFunction::Epanechnikov.weight(0.5), 0.75);
    /// ```
    pub fn weight(self, u: f64) -> f64 {
        (self.steps().oracle)(u)
    }

    /// Coordinates times this, over the bandwidth, are what the kernels compute with.
    pub(super) fn scale(self) -> f64 {
        self.steps().scale
    }
}

/// How far two points are apart.
///
/// ```
/// use modeseek::{Bandwidth, Distance, MeanShift};
///
/// let points = [[0.0, 0.0], [1.0, 1.0]];
/// let modes = |distance| -> Result<usize, modeseek::Error> {
///     let flat = MeanShift::new().weight(modeseek::WeightFunction::Flat).bandwidth(Bandwidth::Fixed(1.5));
///     Ok(flat.distance(distance).fit(&points)?.modes.len())
/// };
/// // The square root of 2 is within the bandwidth, 1 + 1 is not.
/// assert_eq!((modes(Distance::L2)?, modes(Distance::L1)?), (1, 2));
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Distance {
    /// sqrt(sum (x - y)^2)
    #[default]
    L2,
    /// sum |x - y|
    L1,
    /// (sum |x - y|^p)^(1/p), for p from 1 to 5
    Lp(f64),
    /// 1 - cos of the angle between the points, seen from the origin. Points become directions: modes
    /// are unit vectors, and a point at the origin is an error.
    Cosine,
}

impl Distance {
    /// The largest exponent of a norm. Kernels sum powers of differences, of up to 2^22 bandwidths: f32 holds the fifth
    /// power of that, and not the sixth.
    pub const MOST_NORM: f64 = 5.0;

    /// The exponent of the norm that measures it: on directions, the 2-norm.
    pub(super) fn p(self) -> f32 {
        match self {
            Self::L2 | Self::Cosine => 2.0,
            Self::L1 => 1.0,
            Self::Lp(p) => p as f32,
        }
    }

    /// As the kernels take it, for a scale of the weight and a bandwidth.
    pub(super) fn norm(self, scale: f64, bandwidth: f64) -> Norm {
        match self {
            Self::Cosine => Norm { p: 2.0, outer: 2.0, sphere: (scale / (2.0 * bandwidth)).sqrt() as f32 },
            _ if self.p() == 2.0 => Norm::L2,
            _ => Norm { p: self.p(), outer: 2.0 / self.p(), sphere: 0.0 },
        }
    }

    /// A distance in bandwidths as the norm of scaled coordinates.
    pub(super) fn scaled(self, bandwidths: f64, scale: f64) -> f64 {
        match self {
            // On the sphere the squared norm is twice the squared radius times 1 - cos: see `norm`.
            Self::Cosine => (bandwidths * scale).sqrt(),
            _ => bandwidths * scale,
        }
    }
}

/// Which points move.
///
/// ```
/// use modeseek::{Bandwidth, Form, MeanShift};
///
/// let of = |form| MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).form(form).fit(&[[0.0], [0.2], [9.0]]);
/// // The same modes here, in another number of iterations.
/// assert_eq!(of(Form::Blurring)?.labels, of(Form::Standard)?.labels);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// The points themselves, all at once: the lecture's form, which converges in a few iterations.
    #[default]
    Blurring,
    /// Queries, over points that stay: each climbs the density of the data.
    Standard,
}

/// Where the queries of the standard form start.
///
/// ```
/// use modeseek::{Bandwidth, Form, MeanShift, Seeding};
///
/// let seeding = Seeding::Bins { min_frequency: 1 };
/// let binned = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).form(Form::Standard).seeding(seeding);
/// // Two bins have points.
/// assert_eq!(binned.fit(&[[0.0], [0.2], [9.0]])?.queries.len(), 2);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Seeding {
    /// At every point.
    #[default]
    EveryPoint,
    /// At the occupied bins of a grid, as scikit-learn's `bin_seeding`: coordinates over the bandwidth are
    /// rounded, and bins of at least so many points are seeds. Up to 20 dimensions: beyond, every point
    /// has a bin of its own.
    Bins {
        /// Points that a bin must have.
        min_frequency: u32,
    },
    /// At so many points, drawn without replacement.
    Random {
        /// How many.
        count: usize,
        /// Of the random numbers.
        seed: u64,
    },
    /// At enough random points that each cluster that holds at least this share of the points has a seed
    /// with this confidence, whatever the dimension: at most log((1 - confidence) share) / log(1 - share).
    Share {
        /// The smallest cluster's share of the points.
        share: f64,
        /// The probability that none is missed.
        confidence: f64,
        /// Of the random numbers.
        seed: u64,
    },
    /// At these points.
    At(Points),
}

/// Which mode a point belongs to.
///
/// ```
/// use modeseek::{Assignment, Bandwidth, MeanShift};
///
/// let clustering = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).fit(&[[0.0], [0.2], [9.0]])?;
/// // Nothing pulls from so far; but there is a nearest mode.
/// assert_eq!(clustering.predict(&[[100.0]], Assignment::Basin)?, [-1]);
/// assert_eq!(clustering.predict(&[[100.0]], Assignment::NearestMode)?, [1]);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Assignment {
    /// The one to which it climbs.
    Basin,
    /// The nearest; none where it is so far that f32 does not hold the distance's p-th power, 1e19 bandwidths, or 5e7 with the largest norm.
    NearestMode,
}

/// Which ends are one mode.
///
/// ```
/// use modeseek::{Bandwidth, Form, MeanShift, Merging};
///
/// let standard = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).form(Form::Standard);
/// let like_scikit_learn = standard.merging(Merging::Densest);
/// assert_eq!(like_scikit_learn.fit(&[[0.0], [0.2], [9.0]])?.labels, [0, 0, 1]);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Merging {
    /// Chains of ends, each within so many bandwidths of the next.
    Chains {
        /// The radius, in bandwidths.
        radius: f64,
    },
    /// scikit-learn's rule: the end with the most points within a bandwidth is a mode, and takes all ends
    /// within a bandwidth with it; and so on.
    Densest,
}

impl Default for Merging {
    fn default() -> Self {
        Self::Chains { radius: 0.5 }
    }
}

/// How an iteration is computed. All give the same clusters, but for points on a border.
///
/// ```
/// use modeseek::{Bandwidth, MeanShift, Method};
///
/// let composed = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).method(Method::Composed { batch: 2 });
/// assert_eq!(composed.fit(&[[0.0], [0.2], [9.0]])?.batch, Some(2));
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Method {
    /// A field where it serves and pays, else all pairs. What was chosen and why is in the result.
    #[default]
    Auto,
    /// All pairs, by one kernel a step, which stores no distance. Memory O(n d). Many points without weights, in two or
    /// three dimensions with the Gaussian, are put in order before: boxes of 64 in which no pair has a weight above 2^-146, less
    /// than f32 can hold, are passed over, and exponents in the others are products where that is as exact.
    Fused,
    /// A binned field: time and memory grow with n and with the nodes of a grid over the points, not with the
    /// square of n. For the Gaussian, the 2-norm and d <= 5, to a stated accuracy. Of a grid that is large and
    /// mostly empty only blocks near points are stored, in four and five dimensions patches about them; where even they would be too large, another way
    /// after all.
    Field,
    /// Pairwise distances, weights and a weighted reduction, for so many points at a time, as one
    /// writes it with matrices. Memory O(batch n). Blurring, 2-norm, without weights of points.
    Composed {
        /// Points at a time; fewer if memory is short.
        batch: usize,
    },
    /// The fused kernels over points that are in an order which keeps neighbours together: tiles of points that
    /// are too far to count are left out. Exact for weights that end at 1; for the Gaussian within
    /// [`MeanShift::accuracy`](crate::MeanShift::accuracy). None of one's own weights, of which it is not known where they end.
    Tiles,
}

/// gamma(x + 1/2) / gamma(x), to 1e-14: by Stirling's series from 32 on, and from there down by gamma(x + 1) = x gamma(x).
fn gamma_half_step(x: f64) -> f64 {
    let (mut above, mut factor) = (x, 1.0);
    while above < 32.0 {
        factor *= above / (above + 0.5);
        above += 1.0;
    }
    let inverse = 1.0 / above;
    let series =
        1.0 + inverse * (-1.0 / 8.0 + inverse * (1.0 / 128.0 + inverse * (5.0 / 1024.0 - inverse * 21.0 / 32768.0)));
    factor * above.sqrt() * series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gamma_steps_are_those_that_are_known() {
        let root = std::f64::consts::PI.sqrt();
        // gamma(1) = gamma(2) = 1, gamma(1/2) = sqrt(pi), gamma(3/2) = sqrt(pi) / 2, gamma(1/4) and gamma(3/4) by their tables.
        let quarter = 1.225_416_702_465_178 / 3.625_609_908_221_908;
        for (x, known) in
            [(0.5, 1.0 / root), (1.0, root / 2.0), (1.5, 2.0 / root), (0.25, quarter), (40.0, 6.304_822_447)]
        {
            let found = gamma_half_step(x);
            assert!((found / known - 1.0).abs() < 1e-8, "{x}: {found}, not {known}");
        }
    }

    /// By the definition: a density estimate of the shadow of the weight, integrated.
    #[test]
    fn functions_are_as_wide_as_flat_weights() {
        const PARTS: i32 = 100_000;
        for function in WeightFunction::ALL {
            let (weight, end): (&dyn Fn(f64) -> f64, f64) = match function {
                WeightFunction::Gaussian => (&|u| (-0.5 * u * u).exp(), 12.0),
                WeightFunction::Triangular => (&|u| 1.0 - u, 1.0),
                WeightFunction::Epanechnikov => (&|u| 1.0 - u * u, 1.0),
                WeightFunction::Biweight => (&|u| (1.0 - u * u).powi(2), 1.0),
                WeightFunction::Flat | WeightFunction::Own(_) => (&|_| 1.0, 1.0),
            };
            for d in [1, 2, 3, 7] {
                let moment = |power: i32| {
                    let places = (0..PARTS).map(|k| (f64::from(k) + 0.5) / f64::from(PARTS) * end);
                    places.map(|u| weight(u) * u.powi(power)).sum::<f64>()
                };
                let variance = moment(d + 3) / moment(d + 1) / f64::from(d + 2);
                let flat = 1.0 / f64::from(d + 4);
                let (found, expected) = (function.width_of_flat(d as usize), (flat / variance).sqrt());
                assert!((found / expected - 1.0).abs() < 1e-6, "{function:?}, d = {d}: {found}, not {expected}");
                // In the plane that touches the sphere of d + 1 dimensions a weight of half the square of a length u: by lengths.
                let on_sphere = |weight: &dyn Fn(f64) -> f64, end: f64| {
                    let moment = |power: i32| {
                        let end = (2.0 * end).sqrt();
                        let places = (0..PARTS).map(|k| (f64::from(k) + 0.5) / f64::from(PARTS) * end);
                        places.map(|u| weight(0.5 * u * u) * u.powi(power)).sum::<f64>()
                    };
                    moment(d + 3) / moment(d + 1)
                };
                let expected = on_sphere(&|_| 1.0, 1.0) / on_sphere(weight, end);
                let found = function.width_of_flat_on_sphere(d as usize + 1);
                assert!(
                    (found / expected - 1.0).abs() < 1e-6,
                    "{function:?}, d = {d}: {found}, not {expected} on a sphere"
                );
            }
        }
    }
}
