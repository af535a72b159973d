//! Weights of distances: how much a point counts at a distance, for a bandwidth h.
//!
//! | weight | w(d), up to a constant | constant that makes it the lecture's |
//! |---|---|---|
//! | Gaussian | exp(-(d/h)^2 / 2) | 1 / (h sqrt(2 pi)) |
//! | triangular | max(1 - d/h, 0) | 1 / h |
//! | flat | 1 if d <= h, else 0 | 1 |
//! | Epanechnikov | max(1 - (d/h)^2, 0) | |
//! | biweight | max(1 - (d/h)^2, 0)^2 | |
//!
//! The constant cancels in a mean shift. All of them are functions of a *scaled* squared distance
//! (s d)^2 with s = [`SCALE`](Weight::SCALE) / h: points are scaled once, and a weight then costs no
//! multiplication. The Gaussian is 2^-(s d)^2 with s = sqrt(log2(e) / 2) / h, for which GPUs have an
//! instruction.

use core::f32::consts::LN_2;

use cuda_std::prelude::*;

use crate::lanes;

/// A weight as a function of the scaled squared distance.
///
/// ```
/// use cuda_std::machine::{Baseline, Machine};
/// use gpu::weight::Weight;
///
/// /// 1 / (1 + u^4)
/// enum Quartic {}
///
/// impl Weight for Quartic {
///     /// Coordinates over the bandwidth, as they are.
///     const SCALE: f64 = 1.0;
///
///     #[inline(always)]
///     fn of<M: Machine>(scaled_squared: f32) -> f32 {
///         M::divide(1.0, 1.0 + scaled_squared * scaled_squared)
///     }
///
///     fn oracle(u: f64) -> f64 {
///         1.0 / (1.0 + u.powi(4))
///     }
/// }
///
/// assert_eq!(Quartic::of::<Baseline>(1.0), 0.5);
/// assert_eq!(Quartic::of_lanes::<Baseline, 2>([0.0, 1.0]), [1.0, 0.5]);
/// ```
pub trait Weight {
    /// Coordinates times SCALE / h are scaled.
    const SCALE: f64;
    /// A query whose weights sum to no more than this has no support: it stays where it is, on every machine. 0 unless
    /// a weight that never ends is cut off somewhere, which some machines do and others do not.
    const LEAST: f32 = 0.0;
    /// Whether steps may leave out points that are far (near.rs): it is known how far the weight reaches.
    const ENDS: bool = false;
    /// Whether W(a + b) = W(a) W(b), for any a and b of which none is below -60: then sums over a box of points may be taken of
    /// products (local.rs).
    const MULTIPLIES: bool = false;
    /// Where the weight is (1 - q)^p of the scaled squared distance q, for a p of 0, 1 or 2: p, and up to which q boxes of points may be
    /// summed as a whole (whole.rs). Sums by moments are as exact as a weight of 1 is: where all of a box weighs much less, its points are taken.
    const POWER: Option<(u32, f32)> = None;
    /// How fast the weight W changes beside itself, where boxes of points that are nearly one point may be taken as one (tight.rs).
    const SLOPES: Option<Slopes> = None;
    /// The weight at a scaled squared distance; 1 at 0, and never negative.
    ///
    /// ```
    /// use cuda_std::machine::Baseline;
    /// use gpu::weight::{Flat, Weight};
    ///
    /// // Up to a scaled distance of 1.
    /// assert_eq!((Flat::of::<Baseline>(0.99), Flat::of::<Baseline>(1.01)), (1.0, 0.0));
    /// ```
    fn of<M: Machine>(scaled_squared: f32) -> f32;
    /// [`of`](Self::of) for each lane; a weight that knows a faster way than one by one says so here.
    ///
    /// ```
    /// use cuda_std::machine::Baseline;
    /// use gpu::weight::{Epanechnikov, Weight};
    ///
    /// assert_eq!(Epanechnikov::of_lanes::<Baseline, 3>([0.0, 0.25, 4.0]), [1.0, 0.75, 0.0]);
    /// ```
    #[inline(always)]
    fn of_lanes<M: Machine, const N: usize>(mut scaled_squared: [f32; N]) -> [f32; N] {
        for lane in 0..N {
            scaled_squared[lane] = Self::of::<M>(scaled_squared[lane]);
        }
        scaled_squared
    }
    /// The weight at a distance over the bandwidth, u, as one writes it; what [`of`](Self::of) is compared with.
    ///
    /// ```
    /// use cuda_std::machine::Baseline;
    /// use gpu::weight::{Gaussian, Weight};
    ///
    /// let u = 1.5_f64;
    /// let scaled = (u * Gaussian::SCALE) as f32;
    /// assert!((f64::from(Gaussian::of::<Baseline>(scaled * scaled)) - Gaussian::oracle(u)).abs() < 1e-6);
    /// ```
    #[cfg(not(target_arch = "nvptx64"))]
    fn oracle(u: f64) -> f64;
}

/// How fast a weight W changes, as a function of the scaled squared distance.
///
/// ```
/// use gpu::weight::{Flat, Weight};
///
/// assert!(Flat::SLOPES.is_some_and(|slopes| slopes.end == 1.0 && slopes.first == 0.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slopes {
    /// Up to which squared distance W is smooth.
    pub end: f32,
    /// |W'| / W is this at most up to there,
    pub first: f32,
    /// and |W''| / W this.
    pub second: f32,
}

/// exp(-(d/h)^2 / 2)
///
/// ```
/// use gpu::weight::{Gaussian, Weight};
///
/// assert_eq!(Gaussian::oracle(2.0), (-2.0_f64).exp());
/// ```
pub enum Gaussian {}

/// max(1 - d/h, 0)
///
/// ```
/// use gpu::weight::{Triangular, Weight};
///
/// assert_eq!((Triangular::oracle(0.25), Triangular::oracle(2.0)), (0.75, 0.0));
/// ```
pub enum Triangular {}

/// 1 if d <= h, else 0
///
/// ```
/// use gpu::weight::{Flat, Weight};
///
/// assert_eq!((Flat::oracle(1.0), Flat::oracle(1.5)), (1.0, 0.0));
/// ```
pub enum Flat {}

/// max(1 - (d/h)^2, 0)
///
/// ```
/// use gpu::weight::{Epanechnikov, Weight};
///
/// assert_eq!(Epanechnikov::oracle(0.5), 0.75);
/// ```
pub enum Epanechnikov {}

/// max(1 - (d/h)^2, 0)^2
///
/// ```
/// use gpu::weight::{Biweight, Weight};
///
/// assert_eq!(Biweight::oracle(0.5), 0.5625);
/// ```
pub enum Biweight {}

impl Weight for Gaussian {
    /// sqrt(log2(e) / 2)
    const SCALE: f64 = 0.849_321_800_288_019_1;
    const ENDS: bool = true;
    const MULTIPLIES: bool = true;

    /// 2^-68: a processor has no power below 2^-100 (exp2.rs), a GPU none below 2^-126. So no 2^31 points, none of
    /// which weighs 2 by itself, are of any weight where a processor cuts them off. It is what a single point weighs
    /// at 9.7 bandwidths.
    const LEAST: f32 = 1.0 / (1_u128 << 68) as f32;

    const SLOPES: Option<Slopes> = Some(Slopes { end: f32::INFINITY, first: LN_2, second: LN_2 * LN_2 });

    #[inline(always)]
    fn of<M: Machine>(scaled_squared: f32) -> f32 {
        M::exp2_minus(scaled_squared)
    }

    #[inline(always)]
    fn of_lanes<M: Machine, const N: usize>(scaled_squared: [f32; N]) -> [f32; N] {
        M::exp2_minus_lanes(scaled_squared)
    }

    #[cfg(not(target_arch = "nvptx64"))]
    fn oracle(u: f64) -> f64 {
        (-0.5 * u * u).exp()
    }
}

impl Weight for Triangular {
    const SCALE: f64 = 1.0;
    const ENDS: bool = true;

    #[inline(always)]
    fn of<M: Machine>(scaled_squared: f32) -> f32 {
        let weight = 1.0 - M::sqrt(scaled_squared);
        if weight > 0.0 { weight } else { 0.0 }
    }

    #[cfg(not(target_arch = "nvptx64"))]
    fn oracle(u: f64) -> f64 {
        (1.0 - u).max(0.0)
    }
}

impl Weight for Flat {
    const SCALE: f64 = 1.0;
    const ENDS: bool = true;
    const POWER: Option<(u32, f32)> = Some((0, 1.0));
    const SLOPES: Option<Slopes> = Some(Slopes { end: 1.0, first: 0.0, second: 0.0 });

    #[inline(always)]
    fn of<M: Machine>(scaled_squared: f32) -> f32 {
        if scaled_squared <= 1.0 { 1.0 } else { 0.0 }
    }

    #[cfg(not(target_arch = "nvptx64"))]
    fn oracle(u: f64) -> f64 {
        f64::from(u8::from(u <= 1.0))
    }
}

impl Weight for Epanechnikov {
    const SCALE: f64 = 1.0;
    const ENDS: bool = true;
    const POWER: Option<(u32, f32)> = Some((1, 0.95));

    #[inline(always)]
    fn of<M: Machine>(scaled_squared: f32) -> f32 {
        let weight = 1.0 - scaled_squared;
        if weight > 0.0 { weight } else { 0.0 }
    }

    #[cfg(not(target_arch = "nvptx64"))]
    fn oracle(u: f64) -> f64 {
        (1.0 - u * u).max(0.0)
    }
}

impl Weight for Biweight {
    const SCALE: f64 = 1.0;
    const ENDS: bool = true;
    const POWER: Option<(u32, f32)> = Some((2, 0.9));

    #[inline(always)]
    fn of<M: Machine>(scaled_squared: f32) -> f32 {
        let root = Epanechnikov::of::<M>(scaled_squared);
        root * root
    }

    #[cfg(not(target_arch = "nvptx64"))]
    fn oracle(u: f64) -> f64 {
        (1.0 - u * u).max(0.0).powi(2)
    }
}

/// `values[i] = factor * w((scale * values[i])^2)`: distances in, weights out.   `LANES` elements a thread.
#[kernel(
    instances(
        weight_gaussian<Gaussian>,
        weight_triangular<Triangular>,
        weight_flat<Flat>,
        weight_epanechnikov<Epanechnikov>,
        weight_biweight<Biweight>,
    ),
    threads = 32..=1024,
    grid = values.len().div_ceil(block.x * Machine::LANES),
)]
pub unsafe fn weight<W: Weight>(mut values: DisjointMut<f32>, scale: f32, factor: f32) {
    const LANES: usize = Machine::LANES;
    let first = thread::index_1d() * LANES;
    let weight = |distance: f32| {
        let scaled = scale * distance;
        factor * <W as Weight>::of::<Machine>(scaled * scaled)
    };
    if first + LANES <= values.len() {
        // SAFETY: the LANES elements from `first` are this thread's, and initialised by the caller.
        unsafe {
            let mut lanes: [f32; LANES] = lanes::read(&values, first);
            for lane in 0..LANES {
                lanes[lane] = weight(lanes[lane]);
            }
            lanes::write(&mut values, first, lanes);
        }
    } else {
        for i in first..values.len() {
            // SAFETY: as above; no thread begins behind this one.
            unsafe { values.write(i, weight(values.read(i))) };
        }
    }
}
