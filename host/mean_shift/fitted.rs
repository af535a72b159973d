//! What a clustering can say of other points.

use std::fmt;

use cuda_std::machine::MachineKind;
use gpu::pairwise::{pairwise_l1, pairwise_l2, pairwise_lp};

use super::anywhere::going_on;
use super::builder::MeanShift;
use super::fit::Clustering;
use super::iterate::{Queries, Watch};
use super::labels::{Columns, Groups, launch_by_norm, nearest};
use super::options::{Assignment, Distance, Form, WeightFunction};
use super::prepare::Prepared;
use crate::error::{Error, Result};
use crate::executor::Device;
use crate::points::ToPoints;

/// The fit's points and modes, still on its device.
pub struct Fitted {
    pub(super) options: MeanShift,
    pub(super) prepared: Prepared,
    pub(super) groups: Groups,
}

impl Fitted {
    /// Other points are queries, which climb over the fit's.
    pub fn new(options: MeanShift, prepared: Prepared, groups: Groups) -> Self {
        Self { options: options.form(Form::Standard), prepared, groups }
    }

    pub fn is_of_directions(&self) -> bool {
        self.options.is_of_directions()
    }
}

impl fmt::Debug for Fitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fitted({} modes on {:?})", self.groups.count, self.prepared.field.device)
    }
}

impl Clustering {
    /// The labels of new points: of the mode to whose basin each belongs, found by really moving it over
    /// the fit's points, of the nearest mode to where it comes to rest, and -1 where it has no point in reach; or of the
    /// nearest mode at once, and -1 beyond the fit's reach, if it has one, and where f32 does not hold the p-th power of the distance
    /// in bandwidths: from 1e19 of them on, and with the largest norm, 5, from 5e7. Where ends of one mode lie far apart, as those
    /// of the flat weight may, a point's end may be nearer to another mode than the chain of ends says that a fit follows.
    ///
    /// Points of the fit itself have its labels where it was of the standard form. In the blurring form its points moved too,
    /// and its labels are another partition than the basins of the points as they were.
    ///
    /// ```
    /// use modeseek::{Assignment, Bandwidth, MeanShift};
    ///
    /// let clustering = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).fit(&[[0.0], [0.2], [9.0]])?;
    /// assert_eq!(clustering.predict(&[[8.7], [0.4]], Assignment::Basin)?, [1, 0]);
    /// assert_eq!(clustering.predict(&[[100.0]], Assignment::NearestMode)?, [1]);
    /// // No point pulls from there.
    /// assert_eq!(clustering.predict(&[[100.0]], Assignment::Basin)?, [-1]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Dimensions`]; whatever the device reports.
    pub fn predict(&self, points: &(impl ToPoints + ?Sized), assignment: Assignment) -> Result<Vec<i32>> {
        self.fitted.predict(points, assignment, &mut going_on)
    }

    /// The distances of new points to the modes, a row a point, in units of the data: with the cosine
    /// distance 1 - cos; with a bandwidth for each dimension, of coordinates over these.
    ///
    /// ```
    /// use modeseek::{Bandwidth, MeanShift};
    ///
    /// let clustering = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).fit(&[[0.0], [0.0], [9.0]])?;
    /// let distances = &clustering.transform(&[[4.0]])?[0];
    /// assert!((distances[0] - 4.0).abs() < 1e-5 && (distances[1] - 5.0).abs() < 1e-5);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`predict`](Self::predict); too little memory for points x modes.
    ///
    /// # Precision
    /// Distances are f32, to some 2^-22 of themselves and of the farthest mode's from the centre. One of whose p-th power, in bandwidths,
    /// f32 does not hold, is infinite: from 1e19 bandwidths on, and with the largest norm, 5, from 5e7.
    pub fn transform(&self, points: &(impl ToPoints + ?Sized)) -> Result<Vec<Vec<f64>>> {
        self.fitted.transform(points)
    }

    /// The density of the fit's points at others, estimated with the fit's weight function and bandwidth:
    /// `sum_j v_j w(|q - x_j| / h) / (sum_j v_j h^d c)`, where c is the integral of w over the space, so that
    /// the density integrates to 1.
    ///
    /// ```
    /// use modeseek::{Bandwidth, MeanShift};
    ///
    /// // One point: the density is the normal distribution about it.
    /// let clustering = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).fit(&[[0.0]])?;
    /// let normal = 1.0 / (2.0 * std::f64::consts::PI).sqrt();
    /// assert!((clustering.density(&[[0.0]])?[0] - normal).abs() < 1e-5);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Precision
    /// By all pairs in f32, where the fit's [accuracy](MeanShift::accuracy) is 0 or its method is [`Method::Fused`](crate::Method::Fused). Otherwise it is found as
    /// an iteration would be, over a binned field or without far tiles, and is off by no more than about that part of itself; where there
    /// is less than one point's weight, over all points whose weight is 2^-90 or more.
    ///
    /// # Errors
    /// [`Error::Undefined`] for a weight of one's own, a distance that is not the 2-norm, bandwidths of
    /// points, and a density that is more than f64 holds (that of many dimensions may be; one that is less is 0); as
    /// [`predict`](Self::predict).
    pub fn density(&self, points: &(impl ToPoints + ?Sized)) -> Result<Vec<f64>> {
        self.fitted.density(points)
    }
}

impl Fitted {
    fn queries(&self, points: &(impl ToPoints + ?Sized)) -> Result<Queries> {
        let Prepared { field, scaling, .. } = &self.prepared;
        let points = points.to_points_about(Some(&scaling.centre))?;
        let numbers = points.len() as u128 * points.dimensions() as u128;
        // By rows on the host, by rows and by columns on the device.
        field.device.reserve_both((numbers * 8, numbers * 4), "new points", "take fewer at a time")?;
        scaling.queries(&field.device, &points, "the new points")
    }

    /// See [`Clustering::predict`]. Whoever watches may stop the queries on their way.
    pub fn predict(
        &self,
        points: &(impl ToPoints + ?Sized),
        assignment: Assignment,
        watch: Watch<'_>,
    ) -> Result<Vec<i32>> {
        let Fitted { options, groups, .. } = self;
        let queries = self.queries(points)?;
        if groups.count == 0 {
            // All clusters were too small.
            return Ok(vec![-1; queries.m as usize]);
        }
        if assignment == Assignment::NearestMode {
            let reach = options.reach.map(|reach| options.distance.scaled(reach, options.weight.scale()));
            return self.nearest_modes(&queries, reach);
        }
        self.basins_of(queries, watch)
    }

    /// The nearest mode of each query; -1 beyond a limit.
    pub(super) fn nearest_modes(&self, queries: &Queries, limit: Option<f64>) -> Result<Vec<i32>> {
        let Fitted { options, prepared: Prepared { field, .. }, groups } = self;
        let places = Columns {
            values: &queries.columns,
            n: queries.m as usize,
            d: field.d as usize,
            stride: queries.stride as usize,
        };
        let (ids, _) = nearest(&field.device, places, &groups.means, groups.count, options.distance.p(), limit)?;
        Ok(field.device.download(&ids)?.into_iter().map(u32::cast_signed).collect())
    }

    /// See [`Clustering::transform`].
    pub fn transform(&self, points: &(impl ToPoints + ?Sized)) -> Result<Vec<Vec<f64>>> {
        let distances = self.distances(points, |m, k| m * (k * 8 + ROW))?;
        Ok((0..distances.m).map(|row| (0..distances.k).map(|mode| distances.of(row, mode)).collect()).collect())
    }

    /// As [`transform`](Self::transform), as the device has them. What is made of them takes so many `more` bytes of the host's
    /// memory, for m points and k modes.
    pub fn distances(
        &self,
        points: &(impl ToPoints + ?Sized),
        more: impl FnOnce(u128, u128) -> u128,
    ) -> Result<Distances> {
        let Fitted { options, prepared, groups } = self;
        let device = &prepared.field.device;
        let queries = self.queries(points)?;
        let (m, k, d) = (queries.m as usize, groups.count, prepared.field.d);
        let unit = match prepared.scaling.sphere {
            Some(radius) => Unit::Sphere { radius },
            None if prepared.per_dimension.is_some() => Unit::Factor(options.weight.scale()),
            None => Unit::Factor(prepared.scaling.factors[0]),
        };
        if k == 0 {
            return Ok(Distances { values: Vec::new(), m, k, unit });
        }
        reserve(device, (m as u128, k as u128, u128::from(d)), more(m as u128, k as u128))?;
        let ones = device.upload(&vec![1.0_f32; d as usize])?;
        let mut rows = device.zeros(m * d as usize)?;
        device.launch(gpu::layout::to_rows::launch(
            &queries.columns,
            &ones,
            &mut rows,
            queries.m,
            d,
            queries.stride,
        ))?;
        let mut distances = device.zeros(m * k)?;
        let (a, b, out, p) = (&rows, &groups.means, &mut distances, options.distance.p());
        launch_by_norm!(device, p, [pairwise_l2, pairwise_l1, pairwise_lp], (a, b, out, queries.m, k as u32, d, p))?;
        drop((rows, queries));
        Ok(Distances { values: device.download(&distances)?, m, k, unit })
    }

    /// What a density's unit has of the weight function, if there is one.
    ///
    /// # Errors
    /// [`Error::Undefined`].
    fn integral(&self) -> Result<Product> {
        let Fitted { options, prepared, .. } = self;
        let undefined = |why| Err(Error::Undefined { what: "a density", why });
        if options.distance != Distance::L2 {
            return undefined("for another distance than the 2-norm");
        }
        if options.bandwidth.is_of_points() {
            return undefined("for bandwidths of points");
        }
        match integral(options.weight, prepared.field.d as usize) {
            Some(integral) => Ok(integral),
            None => undefined("for a weight function of one's own, whose integral is not known"),
        }
    }

    /// Whether there is a density, wherever it is asked for.
    ///
    /// # Errors
    /// [`Error::Undefined`].
    pub fn check_density(&self) -> Result<()> {
        self.integral().map(drop)
    }

    /// See [`Clustering::density`].
    pub fn density(&self, points: &(impl ToPoints + ?Sized)) -> Result<Vec<f64>> {
        let Fitted { options, prepared, .. } = self;
        let integral = self.integral()?;
        let volume = match &prepared.per_dimension {
            Some(each) => Product::of(each.iter().copied()),
            None => Product::of(std::iter::repeat_n(prepared.h, prepared.field.d as usize)),
        };
        let unit = volume.times(&integral);
        // Over the unit, as the sums are.
        let total = options
            .weights_in(prepared.unit)
            .map_or(prepared.field.n as f64, |weights| weights.into_iter().map(f64::from).sum());
        let sums = self.sums_at(self.queries(points)?)?;
        let densities: Vec<f64> = sums.into_iter().map(|sum| unit.divide(f64::from(sum) / total)).collect();
        if densities.iter().any(|density| density.is_infinite()) {
            let (what, why) = ("a density", "where f64 does not hold it: with this bandwidth, in so many dimensions");
            return Err(Error::Undefined { what, why });
        }
        Ok(densities)
    }
}

/// Bytes of a vector beside what it holds.
const ROW: u128 = size_of::<Vec<f64>>() as u128;

/// The distances of points to modes.
pub(crate) struct Distances {
    /// By points.
    values: Vec<f32>,
    m: usize,
    k: usize,
    unit: Unit,
}

/// What makes distances of scaled ones.
enum Unit {
    /// By 2 - 2 cos of directions.
    Sphere {
        radius: f64,
    },
    Factor(f64),
}

impl Distances {
    /// That of a point to a mode, in units of the data.
    pub(crate) fn of(&self, point: usize, mode: usize) -> f64 {
        let scaled = f64::from(self.values[point * self.k + mode]);
        match self.unit {
            Unit::Sphere { radius } => (scaled / radius).powi(2) / 2.0,
            Unit::Factor(factor) => scaled / factor,
        }
    }
}

/// Checks that there is memory for the distances of m points to k modes in d dimensions, and for more that is made of them on
/// the host when the device has given its own back.
fn reserve(device: &Device, (m, k, d): (u128, u128, u128), more: u128) -> Result<()> {
    let (what, advice) = ("the distances to all modes", "take fewer points at a time");
    let (on_device, copy) = (m * (k + d) * 4, m * k * 4);
    if device.machine() != MachineKind::Gpu {
        return device.reserve(copy + on_device.max(more), what, advice);
    }
    device.reserve_both((on_device, copy + more), what, advice)
}

/// A product, with its logarithm for where it leaves f64.
struct Product {
    value: f64,
    ln: f64,
}

impl Product {
    fn of(factors: impl Iterator<Item = f64>) -> Self {
        let one = Self { value: 1.0, ln: 0.0 };
        factors.fold(one, |product, factor| Self { value: product.value * factor, ln: product.ln + factor.ln() })
    }

    fn times(&self, other: &Self) -> Self {
        Self { value: self.value * other.value, ln: self.ln + other.ln }
    }

    /// A number of at least 0 over the product.
    fn divide(&self, number: f64) -> f64 {
        // The logarithm of 0 gives 0 again; and with half of the range each, no quotient is lost.
        if (1e-150..=1e150).contains(&self.value) { number / self.value } else { (number.ln() - self.ln).exp() }
    }
}

/// The integral of a weight over d-dimensional space, for h = 1: the volume of the unit ball, times
/// integral_0^1 w(u) d u^(d-1) du for those that end at 1.
fn integral(weight: WeightFunction, d: usize) -> Option<Product> {
    use std::f64::consts::PI;
    let dimensions = d as f64;
    // V_0 = 1, V_1 = 2, V_d = V_(d-2) 2 pi / d.
    let ball = (1..=d).rev().step_by(2).map(|k| if k == 1 { 2.0 } else { 2.0 * PI / k as f64 });
    let of_ball = |part| Some(Product::of(ball.chain([part])));
    match weight {
        WeightFunction::Gaussian => Some(Product::of(std::iter::repeat_n((2.0 * PI).sqrt(), d))),
        WeightFunction::Flat => of_ball(1.0),
        WeightFunction::Triangular => of_ball(1.0 / (dimensions + 1.0)),
        WeightFunction::Epanechnikov => of_ball(2.0 / (dimensions + 2.0)),
        WeightFunction::Biweight => of_ball(8.0 / ((dimensions + 2.0) * (dimensions + 4.0))),
        WeightFunction::Own(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By sums over shells.
    #[test]
    fn integrals_are_right() {
        for weight in WeightFunction::ALL {
            for (d, surface) in [(1, 2.0), (2, 2.0 * std::f64::consts::PI), (3, 4.0 * std::f64::consts::PI)] {
                let step = 1e-4;
                let shell = |i: u32| (f64::from(i) + 0.5) * step;
                let sum: f64 =
                    (0..120_000).map(|i| weight.weight(shell(i)) * surface * shell(i).powi(d - 1) * step).sum();
                let Product { value: exact, ln } = integral(weight, d as usize).unwrap();
                assert!((ln.exp() / exact - 1.0).abs() <= 1e-12);
                assert!((sum / exact - 1.0).abs() <= 1e-4, "{weight:?} {d}: {sum}, not {exact}");
            }
        }
    }
}
