//! Where points are after each iteration: for pictures of how they gather.

use std::ops::ControlFlow;

use super::builder::MeanShift;
use super::iterate::{Iteration, Queries};
use super::memory;
use super::near;
use super::options::{Form, Seeding};
use super::path::FEW_PAIRS;
use crate::error::Result;
use crate::executor::Device;
use crate::points::ToPoints;

/// Points, or seeds, on their way. See [`MeanShift::frames`].
///
/// ```
/// use modeseek::{Bandwidth, MeanShift};
///
/// let frames = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).frames(&[[0.0], [0.2], [9.0]], 3)?;
/// assert!(frames.converged && frames.of_points);
/// // The first frame is the start, the last one the end.
/// assert_eq!(frames.positions[0].len(), 3);
/// let end = &frames.positions[frames.positions.len() - 1];
/// assert!((end[0] - end[1]).abs() < 1e-3);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Frames {
    /// Which of the points, or of the seeds, are followed.
    pub followed: Vec<usize>,
    /// Whether what moves are the points; else seeds, which begin elsewhere.
    pub of_points: bool,
    /// Frame by frame, the first being the start: the positions of those that are followed, d numbers each, in units of
    /// the data. With the cosine distance, directions.
    pub positions: Vec<Vec<f64>>,
    /// d.
    pub dimensions: usize,
    /// Whether nothing moves beyond the tolerance any more.
    pub converged: bool,
}

impl MeanShift {
    /// Follows at most so many of the points, or seeds, iteration by iteration: evenly many of them, the first among them.
    ///
    /// Every iteration is downloaded, which a [`fit`](Self::fit) does not do. Steps are those of [`fit`](Self::fit), of all
    /// pairs or of tiles whatever the method; a seed of the standard form that has come to rest goes on moving, by less
    /// than the tolerance.
    ///
    /// ```
    /// use modeseek::{Bandwidth, MeanShift};
    ///
    /// // Two of four points are followed.
    /// let frames = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).frames(&[[0.0], [0.2], [9.0], [9.2]], 2)?;
    /// assert_eq!(frames.followed, [0, 2]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn frames(&self, points: &(impl ToPoints + ?Sized), most: usize) -> Result<Frames> {
        self.frames_watched(points, most, |_| ControlFlow::Continue(()))
    }

    /// [`frames`](Self::frames), with a function that is told of each iteration, and whether to go on. If it breaks, the
    /// frames so far are all.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// # use modeseek::{Bandwidth, MeanShift};
    ///
    /// let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).tolerance(0.0);
    /// let points = [[0.0, 0.0], [0.5, 0.0], [0.0, 0.5]];
    /// // The start, and two iterations.
    /// let frames = estimator.frames_watched(&points, 3, |iteration| match iteration.number {
    ///     2 => ControlFlow::Break(()),
    ///     _ => ControlFlow::Continue(()),
    /// })?;
    /// assert_eq!((frames.positions.len(), frames.converged), (3, false));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn frames_watched(
        &self,
        points: &(impl ToPoints + ?Sized),
        most: usize,
        mut watch: impl FnMut(Iteration) -> ControlFlow<()>,
    ) -> Result<Frames> {
        self.check()?;
        let points = points.to_points()?;
        let device = Device::or_auto(self.device.as_ref())?;
        let (n, d) = (points.len(), points.dimensions());
        self.bandwidth.check(n, d, self.sample_weights.is_some())?;
        memory::reserve(self, &device, n, d)?;
        let mut prepared = self.prepare(&device, &points)?;
        let mut queries = self.seeds(&device, &mut prepared)?;
        let m = queries.m as usize;
        let count = m.min(most.max(1));
        let followed: Vec<usize> = (0..count).map(|k| (k as u64 * m as u64 / count as u64) as usize).collect();
        let place = |queries: &Queries| -> Result<Vec<f64>> {
            let columns = device.download(&queries.columns)?;
            let stride = queries.stride as usize;
            let row = |&i: &usize| -> Vec<f32> { (0..d).map(|c| columns[c * stride + i]).collect() };
            Ok(followed.iter().flat_map(|i| prepared.scaling.unscaled(&row(i))).collect())
        };
        let fits = near::bytes(n, m, d) <= device.available()? as u128 / 2;
        let tiled = fits && n as f64 * m as f64 >= FEW_PAIRS && self.tiles_conflict().is_none();
        let reach = if tiled { Some(self.reach_of_all(&prepared.field)?) } else { None };
        let one = self.clone().max_iterations(1);
        let (mut positions, mut converged) = (vec![place(&queries)?], false);
        let mut flow = ControlFlow::Continue(());
        while flow.is_continue() && positions.len() <= self.max_iterations && !converged {
            let field = &prepared.field;
            let number = positions.len();
            let mut go_on = |iteration: Iteration| {
                flow = watch(Iteration { number, ..iteration });
                flow
            };
            let ends = match (self.form, tiled) {
                (Form::Blurring, false) => field.blur(&one, queries.columns, &mut go_on),
                (Form::Blurring, true) => near::blur(&one, field, queries.columns, reach, &mut go_on),
                (Form::Standard, false) => field.climb(&one, queries, &mut go_on),
                (Form::Standard, true) => near::climb(&one, field, queries, reach, &mut go_on),
            }?;
            (queries, converged) = (ends.queries, ends.converged);
            positions.push(place(&queries)?);
        }
        let of_points = self.form == Form::Blurring || self.seeding == Seeding::EveryPoint;
        Ok(Frames { followed, of_points, positions, dimensions: d, converged })
    }
}

impl Frames {
    /// The positions of frame `frame`, one after another.
    ///
    /// ```
    /// use modeseek::{Bandwidth, MeanShift};
    ///
    /// let frames = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).frames(&[[0.0, 1.0], [8.0, 8.0]], 2)?;
    /// let start: Vec<&[f64]> = frames.frame(0).collect();
    /// // In f32, as the device has them.
    /// assert!((start[1][0] - 8.0).abs() < 1e-5);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Panics
    /// If there is no such frame.
    pub fn frame(&self, frame: usize) -> impl Iterator<Item = &[f64]> {
        self.positions[frame].chunks_exact(self.dimensions)
    }
}
