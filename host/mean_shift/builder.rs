//! The estimator's options, and how they are set.

use cuda_std::launch::Launch;
use gpu::shift_any::Norm;

use super::bandwidth::Bandwidth;
use super::iterate::Field;
use super::options::{Assignment, Distance, Form, Merging, Method, Seeding, WeightFunction};
use crate::executor::Device;
use crate::product::Instruction;
use crate::tuning::{Case, FEW};

/// Mean shift: how to cluster. [`fit`](Self::fit) does it.
///
/// ```
/// use modeseek::{Bandwidth, MeanShift, WeightFunction};
///
/// let points = [[0.0, 0.0], [0.1, 0.2], [9.0, 9.0], [9.1, 8.9]];
/// let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).weight(WeightFunction::Epanechnikov);
/// assert_eq!(estimator.fit(&points)?.labels, [0, 0, 1, 1]);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "an estimator does nothing until it fits"]
pub struct MeanShift {
    pub(super) bandwidth: Bandwidth,
    pub(super) weight: WeightFunction,
    pub(super) distance: Distance,
    pub(super) form: Form,
    pub(super) seeding: Seeding,
    pub(super) sample_weights: Option<Vec<f64>>,
    pub(super) tolerance: f64,
    pub(super) max_iterations: usize,
    pub(super) relaxation: f64,
    pub(super) merging: Merging,
    pub(super) assignment: Option<Assignment>,
    pub(super) minimum_size: usize,
    pub(super) reach: Option<f64>,
    pub(super) method: Method,
    pub(super) accuracy: f64,
    pub(super) instruction: Instruction,
    pub(super) threads_per_block: Option<u32>,
    /// What the device's table or measurements say of the steps' blocks, where the user says nothing.
    pub(super) step_threads: Option<u32>,
    pub(super) device: Option<Device>,
}

impl Default for MeanShift {
    fn default() -> Self {
        Self {
            bandwidth: Bandwidth::default(),
            weight: WeightFunction::default(),
            distance: Distance::default(),
            form: Form::default(),
            seeding: Seeding::default(),
            sample_weights: None,
            tolerance: Self::TOLERANCE,
            max_iterations: Self::MAX_ITERATIONS,
            relaxation: 1.0,
            merging: Merging::default(),
            assignment: None,
            minimum_size: 1,
            reach: None,
            method: Method::default(),
            accuracy: Self::ACCURACY,
            instruction: Instruction::default(),
            threads_per_block: None,
            step_threads: None,
            device: None,
        }
    }
}

impl MeanShift {
    /// The tolerance unless one is given, in bandwidths: scikit-learn's.
    pub const TOLERANCE: f64 = 1e-3;

    /// How far a step may be off, in bandwidths, unless something is said: a tenth of the tolerance.
    pub const ACCURACY: f64 = 1e-4;

    /// The most iterations unless a number is given: scikit-learn's.
    pub const MAX_ITERATIONS: usize = 300;

    /// The most dimensions in which bins make sense as seeds.
    pub const MOST_BIN_DIMENSIONS: usize = 20;

    /// Mean shift that chooses its bandwidth by itself: blurring, Gaussian, 2-norm.
    ///
    /// ```
    /// use modeseek::MeanShift;
    ///
    /// let points = [[0.0, 0.0], [0.1, 0.2], [0.2, 0.1], [9.0, 9.0], [9.1, 8.9], [8.9, 9.1]];
    /// assert_eq!(MeanShift::new().fit(&points)?.labels, [0, 0, 0, 1, 1, 1]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// The bandwidth.
    ///
    /// ```
    /// use modeseek::{Bandwidth, MeanShift};
    ///
    /// let clusters = |h| -> Result<usize, modeseek::Error> {
    ///     Ok(MeanShift::new().bandwidth(Bandwidth::Fixed(h)).fit(&[[0.0], [1.0], [9.0], [10.0]])?.modes.len())
    /// };
    /// assert_eq!((clusters(0.1)?, clusters(1.0)?, clusters(10.0)?), (4, 2, 1));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn bandwidth(self, bandwidth: Bandwidth) -> Self {
        Self { bandwidth, ..self }
    }

    /// The weight function.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, MeanShift};
    /// use modeseek::WeightFunction;
    ///
    /// // Flat: what is farther than the bandwidth does not count at all.
    /// let flat = MeanShift::new().bandwidth(Bandwidth::Fixed(2.0)).weight(WeightFunction::Flat);
    /// let modes = flat.fit(&[[0.0], [1.0], [9.0]])?.modes;
    /// assert!(modes.len() == 2 && (modes[0].position[0] - 0.5).abs() < 1e-6);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn weight(self, weight: WeightFunction) -> Self {
        Self { weight, ..self }
    }

    /// How far two points are apart, also where modes are merged.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, MeanShift};
    /// use modeseek::Distance;
    ///
    /// // Directions, however long the points are.
    /// let cosine = MeanShift::new().bandwidth(Bandwidth::Fixed(0.1)).distance(Distance::Cosine);
    /// assert_eq!(cosine.fit(&[[1.0, 0.0], [50.0, 1.0], [0.0, 2.0]])?.labels, [0, 0, 1]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn distance(self, distance: Distance) -> Self {
        Self { distance, ..self }
    }

    /// Which points move.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, MeanShift};
    /// use modeseek::Form;
    ///
    /// // The points stay where they are, and queries climb their density.
    /// let standard = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).form(Form::Standard);
    /// assert_eq!(standard.fit(&[[0.0], [0.2], [9.0]])?.queries.len(), 3);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn form(self, form: Form) -> Self {
        Self { form, ..self }
    }

    /// Where the queries of the standard form start.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, Form, MeanShift, Points};
    /// use modeseek::Seeding;
    ///
    /// let seeds = Points::from_rows(&[0.5, 8.5], 1)?;
    /// let standard = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).form(Form::Standard);
    /// let from_two = standard.seeding(Seeding::At(seeds));
    /// let clustering = from_two.fit(&[[0.0], [0.2], [9.0]])?;
    /// assert_eq!((clustering.queries.len(), clustering.labels), (2, vec![0, 0, 1]));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn seeding(self, seeding: Seeding) -> Self {
        Self { seeding, ..self }
    }

    /// How much each point counts, from 0 on: in the bandwidth's estimate, in every mean, in the modes'
    /// order and centres. A point of weight 2 counts as two points, one of less than 1e-38 of the largest as
    /// none. They are f64; of f32, `weights.iter().copied().map(f64::from).collect::<Vec<_>>()`.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, MeanShift};
    /// let weighted = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).sample_weights([1.0, 1.0, 5.0]);
    /// // The heaviest cluster comes first: that of the third point.
    /// assert_eq!(weighted.fit(&[[0.0], [0.2], [9.0]])?.labels, [1, 1, 0]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn sample_weights(self, weights: impl Into<Vec<f64>>) -> Self {
        Self { sample_weights: Some(weights.into()), ..self }
    }

    /// Iterations end when no point moves more than this many bandwidths; in the standard form, each
    /// query's own. 0: when none moves at all. With the cosine distance a step is measured by it too: as 1 - cos of the
    /// angle is about half its square, 1e-3 bandwidths of 0.1 are an angle of 0.014.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, Form, MeanShift};
    /// let iterations = |tolerance| -> Result<usize, modeseek::Error> {
    ///     let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).form(Form::Standard).tolerance(tolerance);
    ///     Ok(estimator.fit(&[[0.0], [1.0], [1.5]])?.iterations)
    /// };
    /// assert!(iterations(0.1)? < iterations(1e-4)?);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn tolerance(self, tolerance: f64) -> Self {
        Self { tolerance, ..self }
    }

    /// The most iterations.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, Form, MeanShift};
    /// let hasty = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).form(Form::Standard).max_iterations(1);
    /// let clustering = hasty.fit(&[[0.0], [1.0], [1.5]])?;
    /// assert!(clustering.iterations == 1 && !clustering.converged);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn max_iterations(self, max_iterations: usize) -> Self {
        Self { max_iterations, ..self }
    }

    /// How far along its step a query goes: above 1 it overshoots, and often arrives earlier. In (0, 2) the
    /// density still never falls, since a step maximises a quadratic that touches it from below; so for
    /// the standard form with the 2-norm alone.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, Form, MeanShift};
    /// let farther = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).form(Form::Standard).relaxation(1.5);
    /// assert_eq!(farther.fit(&[[0.0], [0.2], [9.0]])?.modes.len(), 2);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn relaxation(self, relaxation: f64) -> Self {
        Self { relaxation, ..self }
    }

    /// Which ends are one mode.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, Form, MeanShift};
    /// use modeseek::Merging;
    ///
    /// // Ends within two bandwidths of each other are one mode.
    /// let wide = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).form(Form::Standard);
    /// let points = [[0.0], [0.1], [4.0]];
    /// assert_eq!(wide.fit(&points)?.modes.len(), 2);
    /// assert_eq!(wide.merging(Merging::Chains { radius: 5.0 }).fit(&points)?.modes.len(), 1);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn merging(self, merging: Merging) -> Self {
        Self { merging, ..self }
    }

    /// Which mode a point belongs to. If not said: its basin's where every point is a query; else, and with [`Merging::Densest`],
    /// the nearest.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, Form, MeanShift};
    /// use modeseek::Assignment;
    ///
    /// let nearest = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).assignment(Assignment::NearestMode);
    /// assert_eq!(nearest.fit(&[[0.0], [0.2], [9.0]])?.labels, [0, 0, 1]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn assignment(self, assignment: Assignment) -> Self {
        Self { assignment: Some(assignment), ..self }
    }

    /// The fewest points of a cluster; those of smaller ones are noise, labelled -1.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, MeanShift};
    /// let pairs = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).minimum_size(2);
    /// assert_eq!(pairs.fit(&[[0.0], [0.2], [9.0]])?.labels, [0, 0, -1]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn minimum_size(self, minimum_size: usize) -> Self {
        Self { minimum_size, ..self }
    }

    /// With the nearest mode's labels: points farther than this many bandwidths from every mode are noise.
    /// 1 is scikit-learn's `cluster_all=False`.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, Form, MeanShift, Points, Seeding};
    /// let seeds = Seeding::At(Points::from_rows(&[0.0], 1)?);
    /// let from_one = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).form(Form::Standard).seeding(seeds);
    /// let points = [[0.0], [0.2], [9.0]];
    /// assert_eq!(from_one.fit(&points)?.labels, [0, 0, 0]);
    /// // The third point is too far from the only mode.
    /// assert_eq!(from_one.reach(1.0).fit(&points)?.labels, [0, 0, -1]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn reach(self, bandwidths: f64) -> Self {
        Self { reach: Some(bandwidths), ..self }
    }

    /// How an iteration is computed.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, MeanShift};
    /// use modeseek::Method;
    ///
    /// let all_pairs = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).method(Method::Fused);
    /// assert_eq!(all_pairs.fit(&[[0.0], [0.2], [9.0]])?.path.name, "all pairs");
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn method(self, method: Method) -> Self {
        Self { method, ..self }
    }

    /// How far a step may be from the exact one, in bandwidths, where it is quicker to be off: from 1e-5 to 0.01, or
    /// 0 for exact steps alone. See [`Method`].
    ///
    /// ```
    /// # use modeseek::{Bandwidth, MeanShift};
    /// // Exact steps alone: nothing approximate may be chosen.
    /// let exact = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).accuracy(0.0);
    /// assert_eq!(exact.fit(&[[0.0], [0.2], [9.0]])?.path.bound, None);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn accuracy(self, bandwidths: f64) -> Self {
        Self { accuracy: bandwidths, ..self }
    }

    /// Threads of a block, for kernels that can be launched with any number; `None` lets each kernel choose.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, MeanShift};
    /// let of = |threads| MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).threads_per_block(threads);
    /// let points = [[0.0], [0.2], [9.0]];
    /// // No bit depends on it.
    /// assert_eq!(of(Some(64)).fit(&points)?.modes[0].position, of(None).fit(&points)?.modes[0].position);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn threads_per_block(self, threads: Option<u32>) -> Self {
        Self { threads_per_block: threads, ..self }
    }

    /// Whether modes are directions.
    pub(crate) fn is_of_directions(&self) -> bool {
        self.distance == Distance::Cosine
    }

    /// The device. If not said: a GPU if there is one that works, else the processor. Each fit then opens one, and its
    /// [`Clustering`](crate::Clustering) keeps it: whoever fits often opens one, and shares it between fits and threads.
    ///
    /// ```
    /// use modeseek::{Bandwidth, Device, MeanShift};
    ///
    /// let device = Device::processor()?;
    /// MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).on(&device).fit(&[[0.0], [0.2], [9.0]])?;
    /// assert!(device.counts().launches > 0);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn on(self, device: &Device) -> Self {
        Self { device: Some(device.clone()), ..self }
    }

    /// A launch in blocks of the size that the user chose, if any.
    pub(super) fn in_blocks<'a>(&self, launch: Launch<'a>) -> Launch<'a> {
        match self.threads_per_block {
            Some(threads) => launch.threads_per_block(threads),
            None => launch,
        }
    }

    /// The blocks of steps that take any: the user's, or the device's; `None` where each kernel chooses.
    pub(super) fn blocks_of_steps(&self) -> Option<u32> {
        self.threads_per_block.or(self.step_threads)
    }

    /// The same of a step over points in order. What was tuned is another kernel than the one by products, which has other
    /// registers.
    pub(super) fn blocks_in_order(&self, d: u32, marked: bool) -> Option<u32> {
        let by_products = !marked && self.weight.steps().has_products(d);
        if by_products { self.threads_per_block } else { self.blocks_of_steps() }
    }

    /// These options on a device, for a field and so many queries: with its blocks.
    pub(super) fn shaped(&self, device: &Device, field: &Field, queries: u32) -> Self {
        let (weight, marked) = (self.weight.steps().name.to_owned(), !field.marks.is_empty());
        let case = Case { weight, dimensions: field.d, marked, many: queries > FEW };
        let step_threads = (field.d <= 4 && field.norm == Norm::L2).then(|| device.shapes().threads(&case));
        let shaped = Self { step_threads, ..self.clone() };
        tracing::debug!(%case, threads = shaped.blocks_of_steps(), "blocks of steps");
        shaped
    }

    /// A step's launch, in blocks of the size that the user or the device chose if the kernel takes any.
    pub(super) fn in_own_blocks<'a>(&self, d: u32, norm: Norm, step: Launch<'a>) -> Launch<'a> {
        match self.blocks_of_steps() {
            Some(threads) if d <= 4 && norm == Norm::L2 => step.threads_per_block(threads),
            _ => step,
        }
    }

    /// The same of a step over points in order.
    pub(super) fn in_blocks_in_order<'a>(&self, (d, norm): (u32, Norm), marked: bool, step: Launch<'a>) -> Launch<'a> {
        match self.blocks_in_order(d, marked) {
            Some(threads) if d <= 4 && norm == Norm::L2 => step.threads_per_block(threads),
            _ => step,
        }
    }

    /// From a squared step in scaled coordinates to bandwidths.
    pub(super) fn unscaled(&self) -> Box<dyn Fn(f32) -> f64> {
        let (scale, cosine) = (self.weight.scale(), self.distance == Distance::Cosine);
        Box::new(move |squared| {
            let squared = f64::from(squared);
            if cosine { squared / scale } else { squared.sqrt() / scale }
        })
    }

    /// The tolerance as kernels compare it: a squared step in scaled coordinates.
    pub(super) fn scaled_tolerance(&self) -> f32 {
        self.distance.scaled(self.tolerance, self.weight.scale()).powi(2) as f32
    }
}
