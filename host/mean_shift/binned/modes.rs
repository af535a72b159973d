//! The modes of a field, and points' labels.

use std::ops::ControlFlow;

use super::field::Field;
use crate::error::Result;
use crate::executor::Buffer;
use crate::mean_shift::MeanShift;
use crate::mean_shift::labels::{Columns, nearest};
use crate::mean_shift::prepare::{Scaling, TooFar};

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
    /// As [`DensityField::add`](super::DensityField::add), but for points that are too far.
    pub fn predict<T: Copy + Into<f64>>(&self, rows: &[T]) -> Result<Vec<i32>> {
        let Self { field, scaling, of, means, modes, .. } = self;
        let device = means.device();
        let d = scaling.factors.len();
        let Some(queries) = scaling.columns_of_rows(device, rows, TooFar::Kept)? else { return Ok(Vec::new()) };
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
