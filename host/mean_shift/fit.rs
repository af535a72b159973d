//! A fit: from points to labels.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::assemble::Mode;
use super::builder::MeanShift;
use super::composed;
use super::fitted::Fitted;
use super::iterate::{Ends, Field, Iteration, Watch};
use super::memory;
use super::near::{self, Pairs};
use super::options::{Form, Method};
use super::path::{Path, Way};
use super::prepare::Prepared;
use crate::bytes::Bytes;
use crate::error::Result;
use crate::executor::nvtx::Range;
use crate::executor::{Counts, Device};
use crate::points::{Points, ToPoints};
use crate::product::Instruction;

/// So many iterations of the blurring form are enough for all but clusters that draw each other in.
const LONG: usize = 100;

const DRAWN_IN: &str = "near clusters still draw each other in, as the blurring form goes on to do until they are one; \
                        modes of the standard form (`--form standard`) stay";

/// What a fit found.
///
/// ```
/// use modeseek::{Bandwidth, MeanShift};
///
/// let clustering = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).fit(&[[0.0], [0.2], [9.0]])?;
/// assert!(clustering.converged);
/// assert_eq!(clustering.labels, [0, 0, 1]);
/// assert_eq!(clustering.modes.len(), 2);
/// println!("{}, since {}", clustering.path.name, clustering.path.reason);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Clustering {
    /// The cluster of each point: an index into `modes`, or -1 for noise.
    pub labels: Vec<i32>,
    /// The clusters, those of the largest weight first; ties in the order of their positions.
    pub modes: Vec<Mode>,
    /// Iterations that were made.
    pub iterations: usize,
    /// The largest step of each iteration, in bandwidths.
    pub shifts: Vec<f64>,
    /// Whether every query came to rest within the tolerance.
    pub converged: bool,
    /// Whether the callback stopped the fit. Labels by basin are then those of the nearest mode, unless every point
    /// was on its way there.
    pub cancelled: bool,
    /// What became of each query, in their order: the points, or the seeds.
    pub queries: Vec<Query>,
    /// The bandwidth, in units of the data: of all points, or the geometric mean of several.
    pub bandwidth: f64,
    /// The bandwidth of each dimension, where each has one.
    pub bandwidth_per_dimension: Option<Vec<f64>>,
    /// Where the bandwidth comes from.
    pub bandwidth_from: String,
    /// How iterations were computed, and why so.
    pub path: Path,
    /// Points at a time, if the composed method was used.
    pub batch: Option<usize>,
    /// How many pairs of queries and points were computed, if far tiles were left out; and how many are near enough.
    pub pairs: Option<Pairs>,
    /// What a user should know: fallbacks, and results that say little.
    pub notes: Vec<String>,
    /// Where the time went.
    pub phases: Phases,
    /// What crossed between host and device: of the whole device meanwhile, so that other fits on it are counted, too.
    pub counts: Counts,
    /// Device memory that the fit was predicted to take at most.
    pub memory: Bytes,
    pub(super) fitted: Arc<Fitted>,
}

/// What became of a query.
///
/// ```
/// # use modeseek::{Bandwidth, Form, MeanShift};
/// let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).form(Form::Standard);
/// let queries = estimator.fit(&[[0.0], [1.0], [9.0]])?.queries;
/// assert!(queries.iter().all(|query| query.converged));
/// // The third point is alone: it rests where it is.
/// assert!(queries[2].iterations == 1 && queries[2].last_shift < 1e-9);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Query {
    /// Iterations until it came to rest, or until there were no more. In the blurring form, where all move until none moves
    /// far, those of the whole fit.
    pub iterations: u32,
    /// Its last step, in bandwidths; with the composed method the largest of all points' last steps.
    pub last_shift: f64,
    /// Whether that was within the tolerance.
    pub converged: bool,
}

/// The time of each phase of a fit.
///
/// ```
/// # use modeseek::{Bandwidth, MeanShift};
/// let phases = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).fit(&[[0.0], [0.2], [9.0]])?.phases;
/// assert!(phases.prepare + phases.iterate + phases.label + phases.download > std::time::Duration::ZERO);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Phases {
    /// Points to the device, the bandwidth, and scaling.
    pub prepare: Duration,
    /// Iterations, from the first launch until the device has ended the last.
    pub iterate: Duration,
    /// Modes and labels.
    pub label: Duration,
    /// The result back to the host.
    pub download: Duration,
}

impl Clustering {
    /// The largest step of the last iteration, in bandwidths.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, MeanShift};
    /// let clustering = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).tolerance(1e-3).fit(&[[0.0], [0.2], [9.0]])?;
    /// assert!(clustering.last_shift() <= 1e-3);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn last_shift(&self) -> f64 {
        self.shifts.last().copied().unwrap_or(0.0)
    }

    /// Whether modes are directions: with the cosine distance.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, Distance, MeanShift};
    /// let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(0.1));
    /// let of = |distance| estimator.clone().distance(distance).fit(&[[1.0, 0.0], [0.0, 2.0]]);
    /// assert!(of(Distance::Cosine)?.is_of_directions());
    /// assert!(!of(Distance::L2)?.is_of_directions());
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn is_of_directions(&self) -> bool {
        self.fitted.is_of_directions()
    }
}

impl MeanShift {
    /// Clusters points: [`Points`], rows of numbers, or the columns of a matrix. Without a device ([`on`](Self::on)) each fit
    /// opens one, which its clustering keeps.
    ///
    /// ```
    /// use modeseek::{Bandwidth, MeanShift};
    /// use nalgebra::Matrix1x3;
    ///
    /// let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0));
    /// // Rows, or a matrix whose columns are points.
    /// assert_eq!(estimator.fit(&[[0.0], [0.2], [9.0]])?.labels, [0, 0, 1]);
    /// assert_eq!(estimator.fit(&Matrix1x3::new(0.0, 0.2, 9.0))?.labels, [0, 0, 1]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// An option that makes no sense; too little memory; whatever the device reports.
    ///
    /// # Precision
    /// Positions are f32 about the centre of the points: a coordinate is off by some 2^-22 of the
    /// points' extent at most, on every device, against the same iterations in f64. With sample weights a mode's is off by up to
    /// n s 2^-59 more, where n points have a cluster of s, and its weight by as much of itself.
    pub fn fit(&self, points: &(impl ToPoints + ?Sized)) -> Result<Clustering> {
        self.fit_watched(points, |_| ControlFlow::Continue(()))
    }

    /// [`fit`](Self::fit), with a function that is told how far each iteration moved, and may stop: then
    /// the result is what had been reached, marked as not converged. No point is read back for it.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    ///
    /// use modeseek::{Bandwidth, Form, MeanShift};
    ///
    /// let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).form(Form::Standard);
    /// let clustering = estimator.fit_watched(&[[0.0], [1.0], [1.5]], |iteration| {
    ///     if iteration.number < 2 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    /// })?;
    /// assert!(clustering.cancelled);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn fit_watched(
        &self,
        points: &(impl ToPoints + ?Sized),
        mut watch: impl FnMut(Iteration) -> ControlFlow<()>,
    ) -> Result<Clustering> {
        self.check()?;
        let points = points.to_points()?;
        self.run(&self.device_or_auto()?, &points, &mut watch)
    }

    fn run(&self, device: &Device, points: &Points, watch: Watch<'_>) -> Result<Clustering> {
        let (n, d) = (points.len(), points.dimensions());
        self.bandwidth.check(n, d, self.sample_weights.is_some())?;
        let before = device.counts();
        let (mut memory, batch) = memory::reserve(self, device, n, d)?;
        let start = Instant::now();
        device.prepare(&self.kernels_of_few(n, d));
        device.prepare(&self.kernels_of_labels(n, d));
        let mut prepared = self.prepare(device, points)?;
        let prepare = start.elapsed();

        let start = Instant::now();
        let range = Range::begin(c"iterate");
        let (ends, path) = self.move_queries(device, &mut prepared, batch, watch)?;
        memory.0 += path.memory;
        device.synchronize()?;
        drop(range);
        let iterate = start.elapsed();

        let start = Instant::now();
        let assembled = self.assemble(device, &prepared, &ends, watch)?;
        device.synchronize()?;
        let label = start.elapsed();

        let start = Instant::now();
        let range = Range::begin(c"download");
        // All copies are begun before one is waited for.
        let labels = device.begin_download(&assembled.labels, n)?;
        let modes = assembled.begin_modes(device)?;
        let details = device.begin_download(&ends.details, ends.details.len())?;
        let labels = labels.wait()?.into_iter().map(u32::cast_signed).collect();
        let modes = modes.modes(&prepared)?;
        let queries = self.queries(&details.wait()?, &ends);
        drop(range);
        let phases = Phases { prepare, iterate, label, download: start.elapsed() };
        let all = || queries.iter().map(|query| u64::from(query.iterations) * n as u64).sum();
        let pairs =
            ends.first.map(|first| Pairs { kept: ends.pairs, all: all(), first: first.kept, ideal: first.ideal });
        let mut notes = prepared.notes.clone();
        notes.extend(device.shapes().warning().map(str::to_owned));
        notes.extend(self.note_of_small(&modes, n));
        // Of equal points any bandwidth makes one cluster, and so does one query.
        if ends.queries.m > 1 && points.extent() > 0.0 {
            notes.extend(self.note_of_large(&modes, n));
        }
        let cancelled = ends.cancelled || assembled.cancelled;
        let converged = ends.converged && assembled.converged && !cancelled;
        if self.form == Form::Blurring && !converged && !cancelled && ends.history.len() >= LONG {
            notes.push(DRAWN_IN.to_owned());
        }
        Ok(Clustering {
            labels,
            modes,
            iterations: ends.history.len(),
            shifts: ends.history,
            converged,
            cancelled,
            queries,
            bandwidth: prepared.h,
            bandwidth_per_dimension: prepared.per_dimension.clone(),
            bandwidth_from: prepared.how.clone(),
            path,
            batch,
            pairs,
            notes,
            phases,
            counts: device.counts() - before,
            memory,
            fitted: Arc::new(Fitted::new(self.clone(), prepared, assembled.groups)),
        })
    }

    fn move_queries(
        &self,
        device: &Device,
        prepared: &mut Prepared,
        batch: Option<usize>,
        watch: Watch<'_>,
    ) -> Result<(Ends, Path)> {
        if let (Method::Composed { .. }, Some(batch)) = (self.method, batch) {
            let ends = composed::blur(self, &prepared.field, batch, watch)?;
            return Ok((ends, Path::exact("composed", "asked for")));
        }
        let queries = self.seeds(device, prepared)?;
        let shaped = self.shaped(device, &prepared.field, queries.m);
        let needed = shaped.needed(prepared, &queries);
        let mut way = shaped.choose_above(device, prepared, &queries, needed)?;
        let tensor = prepared.field.tensor_bytes(self.form, &queries);
        let ends = match self.form {
            Form::Blurring => shaped.blur_by(&mut way, prepared, queries, watch)?,
            Form::Standard => shaped.climb_above(&mut way, prepared, (queries, needed), watch)?,
        };
        let path = match way {
            Way::Field(mut binned, why) => {
                binned.check_ends(&shaped, prepared, &ends, needed)?;
                binned.path(why)
            }
            Way::Tiles(why) => self.path_in_order("tiles", why, &prepared.field),
            Way::InOrder(why) => self.path_in_order("all pairs", why, &prepared.field),
            Way::AllPairs(why) => {
                let mut path = Path::exact("all pairs", why);
                if let Some(bytes) = tensor {
                    path.reason += "; on tensor cores";
                    if prepared.field.instruction == Instruction::Warpgroup {
                        path.reason += " by wgmma";
                    }
                    path.memory = bytes;
                }
                path
            }
        };
        Ok((ends, path))
    }

    /// Steps over points in the order of a curve.
    fn path_in_order(&self, name: &'static str, why: String, field: &Field) -> Path {
        let mut path = Path::exact(name, why);
        if self.method != Method::Tiles {
            // Not yet counted, since it was not known.
            path.memory = near::bytes(field.n as usize, field.n as usize, field.d as usize);
        }
        path
    }

    /// What became of each query.
    fn queries(&self, details: &[f32], ends: &Ends) -> Vec<Query> {
        let (m, stride) = (ends.queries.m as usize, ends.queries.stride as usize);
        let (unscaled, tolerance) = (self.unscaled(), self.scaled_tolerance());
        let all = ends.history.len() as u32;
        let query = |i: usize| {
            let squared = details[stride + i];
            let iterations = if self.form == Form::Standard { details[2 * stride + i].to_bits() } else { all };
            Query { iterations, last_shift: unscaled(squared), converged: squared <= tolerance }
        };
        (0..m).map(query).collect()
    }
}
