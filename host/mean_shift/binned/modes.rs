//! What a field says: its modes, the steps at places, and points' labels.

use std::ops::ControlFlow;

use super::field::{Field, no_run};
use super::grid::{Grid, MOST_DIMENSIONS};
use super::value::{DensityField, EXPONENT};
use crate::error::{Error, Result};
use crate::executor::Buffer;
use crate::mean_shift::MeanShift;
use crate::mean_shift::iterate::Queries;
use crate::mean_shift::labels::{Columns, components, extents, nearest, order, tally};
use crate::mean_shift::options::{Merging, WeightFunction};
use crate::mean_shift::scaling::{Scaling, TooFar};

/// A mode of a field.
///
/// ```
/// # use modeseek::{Bandwidth, MeanShift};
/// let mut field = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).field(1)?;
/// field.add(&[0.0, 0.2, 9.0])?;
/// let first = &field.modes()?.modes[0];
/// assert!((first.position[0] - 0.1).abs() < 0.01);
/// assert!((first.weight - 2.0).abs() < 0.1);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FieldMode {
    /// Where it is.
    pub position: Vec<f64>,
    /// About the weight of the points that climb to it: of the nodes near it, which on a border belong to both sides.
    pub weight: f64,
}

/// The modes of a field, and the field, ready to label points.
///
/// ```
/// # use modeseek::{Bandwidth, MeanShift};
/// let mut field = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).field(1)?;
/// field.add(&[0.0, 0.2, 9.0])?;
/// let found = field.modes()?;
/// assert!(found.converged);
/// assert_eq!(found.modes.len(), 2);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Debug)]
pub struct FieldModes {
    /// The modes, the heaviest first.
    pub modes: Vec<FieldMode>,
    /// Whether every query came to rest.
    pub converged: bool,
    /// Queries that climbed.
    pub queries: usize,
    pub(super) means: Buffer<f32>,
    pub(super) field: Field,
    pub(super) scaling: Scaling,
    pub(super) of: MeanShift,
}

impl FieldModes {
    /// The labels of points by rows: the mode that each climbs to; -1 for points beyond the field, none of whose
    /// points is near them.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, MeanShift};
    /// let mut field = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).field(1)?;
    /// field.add(&[0.0, 0.2, 9.0])?;
    /// let modes = field.modes()?;
    /// // In parts, as they are read.
    /// assert_eq!(modes.predict(&[0.0, 0.2])?, [0, 0]);
    /// assert_eq!(modes.predict(&[9.0])?, [1]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DensityField::add`], but for points that are too far.
    pub fn predict<T: Copy + Into<f64>>(&self, rows: &[T]) -> Result<Vec<i32>> {
        let Self { field, scaling, of, means, modes, .. } = self;
        let device = means.device();
        let d = scaling.factors.len();
        let Some(queries) = scaling.columns_of_rows(device, rows, TooFar::Kept)? else { return Ok(Vec::new()) };
        if modes.is_empty() {
            // Nothing weighs anything.
            return Ok(vec![-1; queries.m as usize]);
        }
        let ends = field.climb_all(device, of, queries, &mut |_| ControlFlow::Continue(()))?;
        let (m, stride) = (ends.queries.m as usize, ends.queries.stride as usize);
        let places = Columns { values: &ends.queries.columns, n: m, d, stride };
        let (ids, _) = nearest(device, places, means, modes.len(), 2.0, None)?;
        let supports = device.download_first(&ends.details, m)?;
        let inside = rows.chunks(d).map(|row| {
            row.iter().enumerate().all(|(c, &x)| field.grid.has(c, (x.into() - scaling.centre[c]) * scaling.factors[c]))
        });
        let labels = device.download(&ids)?.into_iter().zip(supports).zip(inside);
        Ok(labels.map(|((id, support), inside)| if inside && support > 0.0 { id.cast_signed() } else { -1 }).collect())
    }
}

impl DensityField {
    /// The modes of the density: from every node near a point a query climbs to one.
    ///
    /// ```
    /// use modeseek::{Bandwidth, Error, MeanShift};
    ///
    /// let mut field = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).field(2)?;
    /// assert!(matches!(field.modes(), Err(Error::NoPoints)));
    /// field.add(&[0.0, 0.0, 0.1, 0.2, 9.0, 9.0])?;
    /// assert_eq!(field.modes()?.modes.len(), 2);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoPoints`]; [`Error::Conflict`] for [`Merging::Densest`], which needs the points; whatever the device reports.
    pub fn modes(&self) -> Result<FieldModes> {
        let Merging::Chains { radius } = self.options.merging else {
            return Err(Error::Conflict { what: "scikit-learn's rule of merging here", why: "it needs the points" });
        };
        let (Some(grid), sums) = (self.grid, self.total_sums()?) else { return Err(Error::NoPoints) };
        let (device, d) = (&self.device, self.dimensions());
        let (seeds, masses) = self.seeds(grid, &sums)?;
        // As far as a point reaches, so that queries beyond are beyond all points.
        let reach = i64::from(grid.reach);
        let wide = grid.widened(|_| reach).unwrap_or(grid);
        let mut field = self.on_device(wide, &self.moved_to(&wide, &sums)?, 1)?;
        field.smooth(device, true, (&mut no_run(device)?, 0))?;
        let ends = field.climb_all(device, &self.options, seeds, &mut |_| ControlFlow::Continue(()))?;
        let at_rest = ends.queries.as_columns(d as u32);
        let radius = radius * WeightFunction::Gaussian.scale();
        let found = components(device, at_rest, 2.0, None, radius)?;
        let groups = tally(device, &found.ids, found.count, at_rest, Some(&masses))?;
        let groups = order(device, &groups, 0)?.groups;
        let positions = device.begin_download(&groups.means, groups.count * d)?;
        let weights = device.begin_download(&groups.totals, groups.count)?;
        let (positions, weights) = (positions.wait()?, weights.wait()?);
        let scaling = self.scaling();
        let modes = positions.chunks(d).zip(weights).map(|(position, weight)| FieldMode {
            position: scaling.unscaled(position),
            // A point lies between nodes, whose masses are parts of its weight.
            weight,
        });
        Ok(FieldModes {
            modes: modes.collect(),
            converged: ends.converged,
            queries: ends.queries.m as usize,
            means: groups.means,
            field,
            scaling,
            of: self.options.clone(),
        })
    }

    /// The step that mean shift makes from places, by rows, in units of the data.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, MeanShift};
    /// let mut field = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).field(1)?;
    /// field.add(&[0.0])?;
    /// // One point alone: a step leads to it.
    /// let step = field.shifts(&[0.5])?[0][0];
    /// assert!((step + 0.5).abs() < 0.01, "{step}");
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`add`](Self::add); [`Error::NoPoints`] if the field has none.
    pub fn shifts<T: Copy + Into<f64>>(&self, rows: &[T]) -> Result<Vec<Vec<f64>>> {
        let (Some(grid), sums) = (self.grid, self.total_sums()?) else { return Err(Error::NoPoints) };
        let Some(mut queries) = self.scaled(rows)? else { return Ok(Vec::new()) };
        let (device, d) = (&self.device, self.dimensions());
        let beside = extents(device, queries.as_columns(d as u32))?;
        let grid = self.around(Some(grid), &beside, 0.0)?;
        let whole = self.moved_to(&grid, &sums)?;
        let mut field = self.on_device(grid, &whole, 1)?;
        field.smooth(device, true, (&mut no_run(device)?, 0))?;
        let before = device.download(&queries.columns)?;
        let mut details = device.zeros(3 * queries.stride as usize)?;
        let mut state = device.zeros(gpu::progress::HISTORY + 1)?;
        field.climb(device, &mut queries, &mut details, &mut state, (1, 1, 0.0))?;
        let after = device.download(&queries.columns)?;
        let (factors, stride) = (self.scaling().factors, queries.stride as usize);
        let step = |i: usize, c: usize| f64::from(after[c * stride + i] - before[c * stride + i]) / factors[c];
        Ok((0..queries.m as usize).map(|i| (0..d).map(|c| step(i, c)).collect()).collect())
    }

    /// A query for every node that has mass, at its mean; and the masses.
    fn seeds(&self, grid: Grid, sums: &[u64]) -> Result<(Queries, Buffer<f32>)> {
        let unit = 2_f64.powi(-EXPONENT);
        let d = self.dimensions();
        let (mut places, mut masses) = (Vec::new(), Vec::new());
        for (node, words) in sums.chunks(gpu::spread::WORDS).enumerate() {
            let mass = words[0] as i64 as f64;
            if mass > 0.0 {
                let mut step = 1;
                let mut place = [0.0; MOST_DIMENSIONS];
                for c in 0..d {
                    let at = (node / step % grid.nodes[c] as usize) as f64 + grid.low[c] as f64;
                    place[c] = (at + words[1 + c] as i64 as f64 / mass) * grid.spacing;
                    step *= grid.nodes[c] as usize;
                }
                places.push(place);
                masses.push((mass * unit) as f32);
            }
        }
        let stride = Queries::stride_of(places.len());
        let mut columns = vec![0.0_f32; d * stride];
        for (i, place) in places.iter().enumerate() {
            for c in 0..d {
                columns[c * stride + i] = place[c] as f32;
            }
        }
        Ok((Queries::new(self.device.upload(&columns)?, places.len(), stride), self.device.upload(&masses)?))
    }
}
