//! The bandwidth: given, or estimated from the points on the device.

mod marks;
mod neighbours;
mod scaled;
mod search;
mod spread;

pub use marks::{Marks, marks};

use crate::error::{Error, Result};
use crate::executor::{Buffer, Device};
use crate::mean_shift::options::WeightFunction;

/// The bandwidth h: how far a point's weight reaches, in units of the data.
///
/// With sample weights, a weight of 2 counts as two points in every estimate.
///
/// ```
/// use modeseek::{Bandwidth, MeanShift};
///
/// let points = [[0.0, 0.0], [0.1, 50.0], [5.0, 0.0], [5.1, 50.0]];
/// // Distances along the second axis count a hundredth.
/// let each = MeanShift::new().bandwidth(Bandwidth::PerDimension(vec![1.0, 100.0])).fit(&points)?;
/// assert_eq!(each.labels, [0, 0, 1, 1]);
/// // One that the points themselves suggest.
/// let found = MeanShift::new().bandwidth(Bandwidth::MeanNeighbour { k: 2 }).fit(&points)?;
/// assert!((found.bandwidth - 5.0).abs() < 1e-3);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Bandwidth {
    /// This one everywhere.
    Fixed(f64),
    /// One for each dimension: distances are those of the coordinates over their bandwidths.
    PerDimension(Vec<f64>),
    /// One for each point (sample-point estimator; Comaniciu, Ramesh, Meer 2001).
    PerPoint(Vec<f64>),
    /// One for each point: the distance to its `k`-th nearest point, itself counted (Breiman, Meisel,
    /// Purcell, Variable kernel estimates of multivariate densities, 1977). O(n^2).
    ///
    /// A point with `k` or more duplicates takes the smallest distance that is not zero.
    Neighbours {
        /// Which neighbour, from 1, which is the point itself; 2 at least makes sense.
        k: usize,
    },
    /// scikit-learn's `estimate_bandwidth`: the mean over the points of the distance to the k-th nearest of
    /// them, itself counted, k = max(1, floor(n quantile)). O(n^2) in the points looked at.
    ///
    /// If that is zero (at least k duplicates of every point), k is doubled until it is not.
    Quantile {
        /// In (0, 1].
        quantile: f64,
        /// How many points, drawn without replacement, to look at instead of all n, if n is more.
        sample: Option<usize>,
        /// Of that drawing.
        seed: u64,
    },
    /// The quantile rule with 0.3, from [`SAMPLE`](Self::SAMPLE) points if there are more, as wide for any weight function as that rule
    /// is for flat weights, whose radius it estimates: times the ratio of the standard deviations of the density estimates whose modes
    /// are found. For the Gaussian that is 1 / sqrt(d + 4); for flat weights, and functions of one's own, 1. With the cosine distance weights are of
    /// half a squared length, about a point of a sphere of d - 1 dimensions, and the ratio is of variances: for the Gaussian and d = 3 0.53.
    ///
    /// Source: canonical bandwidths, Marron and Nolan (1988), by the second moment instead of the least error; the density whose
    /// gradient a mean shift follows is that of the weight's *shadow* (Cheng 1995).
    ///
    /// ```
    /// use modeseek::{MeanShift, WeightFunction};
    ///
    /// let points = [[0.0, 0.0], [0.1, 0.2], [9.0, 9.0], [9.1, 8.9]];
    /// let of = |function| MeanShift::new().weight(function).estimate_bandwidth(&points);
    /// let (gaussian, flat) = (of(WeightFunction::Gaussian)?, of(WeightFunction::Flat)?);
    /// assert!((gaussian * 6_f64.sqrt() / flat - 1.0).abs() < 1e-6);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    Matched,
    /// "Covers about a third of the data" (fast.ai, part 2, lesson 12): the quantile rule with 1/3, from
    /// [`SAMPLE`](Self::SAMPLE) points if there are more.
    Third,
    /// One for each dimension: h_c = sigma_c n^(-1/(d+4)) (Scott, Multivariate density estimation, 1992),
    /// sigma_c the standard deviation, as scipy's `gaussian_kde`. With sample weights n is their sum, or the
    /// effective number (sum w)^2 / sum w^2 where that is more, as for fractions. Made for one normal cluster: among several it is too wide.
    ///
    /// A constant column takes the mean of the others' bandwidths.
    Scott,
    /// One for each dimension: Scott's times (4 / (d+2))^(1/(d+4)) (Silverman, Density estimation for
    /// statistics and data analysis, 1986, eq. 4.14).
    Silverman,
    /// The mean over the points of the distance to the `k`-th nearest, itself counted. O(n^2).
    MeanNeighbour {
        /// Which neighbour, from 1, which is the point itself; 2 at least makes sense.
        k: usize,
    },
}

impl Default for Bandwidth {
    /// [`Matched`](Self::Matched).
    fn default() -> Self {
        Self::Matched
    }
}

/// A bandwidth in numbers.
///
/// ```
/// use modeseek::mean_shift::bandwidth::{Bandwidth, Sample, Values};
/// # use modeseek::{Device, WeightFunction};
///
/// # let device = Device::processor()?;
/// let rows = device.upload(&[0.0_f32, 1.0, 3.0])?;
/// let sample = Sample { rows: &rows, n: 3, d: 1, p: 2.0, function: WeightFunction::Flat, sphere: false, weights: None };
/// let Values::PerPoint(each) = Bandwidth::Neighbours { k: 2 }.resolve(&device, &sample)?.values else {
///     panic!("it is one for each point")
/// };
/// assert_eq!(device.download(&each)?, [1.0, 1.0, 2.0]);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Debug)]
pub enum Values {
    /// One.
    Scalar(f64),
    /// One for each dimension.
    PerDimension(Vec<f64>),
    /// One for each point, on the device.
    PerPoint(Buffer<f32>),
}

/// What a [`Bandwidth`] came to.
///
/// ```
/// # use modeseek::mean_shift::bandwidth::{Bandwidth, Sample};
/// # use modeseek::{Device, WeightFunction};
/// # let device = Device::processor()?;
/// let rows = device.upload(&[2.0_f32; 4])?;
/// let sample = Sample { rows: &rows, n: 4, d: 1, p: 2.0, function: WeightFunction::Flat, sphere: false, weights: None };
/// let resolved = Bandwidth::Third.resolve(&device, &sample)?;
/// assert!(resolved.how.contains("1/3"));
/// // Four points on one spot say nothing of a bandwidth.
/// assert_eq!(resolved.notes.len(), 1);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Debug)]
pub struct Resolved {
    /// The numbers: positive and finite.
    pub values: Values,
    /// How they came about, for the report: "0.3-quantile of 2000 points".
    pub how: String,
    /// Where a rule gave nothing usable, what was taken instead.
    pub notes: Vec<String>,
}

/// The points on the device, and what belongs to them.
///
/// ```
/// # use modeseek::mean_shift::bandwidth::{Bandwidth, Sample, Values};
/// # use modeseek::{Device, WeightFunction};
/// # let device = Device::processor()?;
/// // Three points in the plane, on the device.
/// let rows = device.upload(&[0.0_f32, 0.0, 3.0, 4.0, 6.0, 8.0])?;
/// let sample = Sample { rows: &rows, n: 3, d: 2, p: 2.0, function: WeightFunction::Flat, sphere: false, weights: None };
/// let Values::Scalar(h) = Bandwidth::MeanNeighbour { k: 2 }.resolve(&device, &sample)?.values else { panic!() };
/// assert!((h - 5.0).abs() < 1e-5);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// n x d by rows, centred, in units of the data.
    pub rows: &'a Buffer<f32>,
    /// n.
    pub n: usize,
    /// d.
    pub d: usize,
    /// The distance's exponent: 1, 2, or another number >= 1.
    pub p: f32,
    /// The weight function that it is for.
    pub function: WeightFunction,
    /// Whether rows are directions, of whose lengths half the square is the bandwidth, as with the cosine distance.
    pub sphere: bool,
    /// A weight >= 0 for each point, not all zero, and the power of two that is to be multiplied to them.
    pub weights: Option<(&'a Buffer<f32>, f64)>,
}

/// Bandwidths that f32 kernels can compute with, as squares too.
const USABLE: std::ops::RangeInclusive<f64> = 1e-30..=1e30;

impl Bandwidth {
    /// Points that an estimate looks at unless it is told otherwise.
    ///
    /// Of 10,000 and of 100,000 points in six clusters, the 0.3-quantile from 2000 is 1.2 % and 1.5 % off that of all
    /// in 2 dimensions, 0.1 % in 16: no mode depends on so little. It looks at 4 million pairs, 20 to 50 ms on
    /// two cores, whatever n is.
    pub const SAMPLE: usize = 2000;

    /// Finds values that make no sense for n points of d dimensions. With sample weights a neighbour counts as much as it
    /// weighs, so that how many there are is known only to [`resolve`](Self::resolve).
    ///
    /// ```
    /// use modeseek::Bandwidth;
    ///
    /// assert!(Bandwidth::PerDimension(vec![1.0, 2.0]).check(10, 2, false).is_ok());
    /// // There are three dimensions.
    /// assert!(Bandwidth::PerDimension(vec![1.0, 2.0]).check(10, 3, false).is_err());
    /// ```
    ///
    /// # Errors
    /// [`Error::Option`], [`Error::BandwidthLength`], [`Error::BandwidthValue`], [`Error::Neighbour`].
    pub fn check(&self, n: usize, d: usize, weighted: bool) -> Result<()> {
        let wrong = |option, value: String, must| Err(Error::Option { option, value, must });
        match self {
            Self::Fixed(h) if !(*h > 0.0 && h.is_finite()) => {
                wrong("the bandwidth", h.to_string(), "a positive, finite number")
            }
            Self::Fixed(h) if !USABLE.contains(h) => {
                wrong("the bandwidth", format!("{h:e}"), "between 1e-30 and 1e30; scale the data first")
            }
            Self::PerDimension(values) => check_each(values, d, "dimension"),
            Self::PerPoint(values) => check_each(values, n, "point"),
            Self::Neighbours { k } | Self::MeanNeighbour { k } if *k == 0 || *k > n && !weighted => {
                Err(Error::Neighbour { k: *k, points: n as f64 })
            }
            Self::Quantile { quantile, .. } if !(*quantile > 0.0 && *quantile <= 1.0) => {
                wrong("the bandwidth's quantile", quantile.to_string(), "above 0 and at most 1")
            }
            Self::Quantile { sample: Some(0), .. } => {
                wrong("the bandwidth's sample", "0".to_owned(), "at least 1 point")
            }
            _ => Ok(()),
        }
    }

    /// Whether each point has its own.
    pub(super) fn is_of_points(&self) -> bool {
        matches!(self, Self::PerPoint(_) | Self::Neighbours { .. })
    }

    /// Whether each dimension has its own.
    pub(super) fn is_of_dimensions(&self) -> bool {
        matches!(self, Self::PerDimension(_) | Self::Scott | Self::Silverman)
    }

    /// Whether it is found from the points.
    pub(super) fn is_estimate(&self) -> bool {
        !matches!(self, Self::Fixed(_) | Self::PerDimension(_) | Self::PerPoint(_))
    }

    /// The numbers for these points, none of them zero or NaN.
    ///
    /// Where all points are equal no rule gives a bandwidth, and none is needed: any one makes one cluster. It
    /// is then 1, and `notes` say so.
    ///
    /// ```
    /// use modeseek::mean_shift::bandwidth::{Bandwidth, Sample, Values};
    /// use modeseek::{Device, WeightFunction};
    ///
    /// let device = Device::processor()?;
    /// let rows = device.upload(&[0.0_f32, 1.0, 3.0])?;
    /// let sample = Sample { rows: &rows, n: 3, d: 1, p: 2.0, function: WeightFunction::Flat, sphere: false, weights: None };
    /// let resolved = Bandwidth::MeanNeighbour { k: 2 }.resolve(&device, &sample)?;
    /// assert!(matches!(resolved.values, Values::Scalar(h) if (h - 4.0 / 3.0).abs() < 1e-6));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`check`](Self::check); too little memory; an estimate outside 1e-30..1e30; [`Error::Undefined`] for Scott's and
    /// Silverman's rules by weights whose sum f64 does not hold; whatever the device reports.
    ///
    /// # Precision
    /// Distances are f32: an estimate is off by about d 2^-24 of itself, and 2^-24 of the points' extent.
    pub fn resolve(&self, device: &Device, sample: &Sample<'_>) -> Result<Resolved> {
        self.check(sample.n, sample.d, sample.weights.is_some())?;
        let n = sample.n;
        let resolved = match *self {
            Self::Fixed(h) => Resolved { values: Values::Scalar(h), how: "given".to_owned(), notes: Vec::new() },
            Self::PerDimension(ref values) => {
                let how = "given for each dimension".to_owned();
                Resolved { values: Values::PerDimension(values.clone()), how, notes: Vec::new() }
            }
            Self::PerPoint(ref values) => {
                let values: Vec<f32> = values.iter().map(|&h| h as f32).collect();
                let how = "given for each point".to_owned();
                Resolved { values: Values::PerPoint(device.upload(&values)?), how, notes: Vec::new() }
            }
            Self::Scott => spread::rule(device, sample, spread::Rule::Scott)?,
            Self::Silverman => spread::rule(device, sample, spread::Rule::Silverman)?,
            Self::Neighbours { k } => neighbours::each(device, sample, k)?,
            Self::MeanNeighbour { k } => {
                let how = format!("mean distance to neighbour {k} of {n} points");
                neighbours::mean(device, sample, neighbours::Mass::Points(k), how)?
            }
            Self::Quantile { quantile, sample: size, seed } => {
                neighbours::quantile(device, sample, (quantile, 1.0), size, seed, &quantile.to_string())?
            }
            Self::Matched => {
                let times = match sample.sphere {
                    false => sample.function.width_of_flat(sample.d),
                    true => sample.function.width_of_flat_on_sphere(sample.d).sqrt(),
                };
                neighbours::quantile(device, sample, (0.3, times), Some(Self::SAMPLE), 0, "0.3")?
            }
            Self::Third => neighbours::quantile(device, sample, (1.0 / 3.0, 1.0), Some(Self::SAMPLE), 0, "1/3")?,
        };
        usable(resolved)
    }
}

/// One positive finite number for each of `wanted`.
fn check_each(values: &[f64], wanted: usize, each: &'static str) -> Result<()> {
    if values.len() != wanted {
        return Err(Error::BandwidthLength { given: values.len(), wanted, each });
    }
    match values.iter().position(|h| !USABLE.contains(h)) {
        Some(at) => Err(Error::BandwidthValue { each, at, value: values[at] }),
        None => Ok(()),
    }
}

/// An estimate for data of an extreme scale may be out of the kernels' range. (The device's own values are
/// checked where they are made.)
fn usable(resolved: Resolved) -> Result<Resolved> {
    let outside = match &resolved.values {
        Values::Scalar(h) => (!USABLE.contains(h)).then_some(*h),
        Values::PerDimension(values) => values.iter().copied().find(|h| !USABLE.contains(h)),
        Values::PerPoint(_) => None,
    };
    match outside {
        Some(value) => Err(Error::BandwidthEstimate { how: resolved.how, value }),
        None => Ok(resolved),
    }
}
