//! Points in order.

use gpu::layout::STRIDE;
use gpu::merge::{flag_points, write_points};

use super::order::{Wanted, order};
use crate::error::Result;
use crate::executor::{Buffer, Device};
use crate::mean_shift::labels::{Columns, Sizes, scan};

/// Points in order, those that are equal as one.
#[derive(Debug)]
pub struct Arranged {
    /// d x stride.
    pub columns: Buffer<f32>,
    /// Their factors and scales, 2 x stride; empty where all count 1.
    pub marks: Buffer<f32>,
    /// How many.
    pub n: usize,
    /// The length of a column.
    pub stride: usize,
    /// Which of these each of the points has become.
    pub number_of: Buffer<u32>,
}

impl Arranged {
    /// The points.
    pub fn points(&self) -> Columns<'_> {
        let d = self.columns.len() / self.stride;
        Columns { values: &self.columns, n: self.n, d, stride: self.stride }
    }
}

/// Puts points in an order, with `side` and `others` as [`Wanted`] has them. Points whose coordinates, and scales, are the same in
/// every bit become one, whose factor is the sum of theirs in their order: so a sum over the new points is a sum over the old ones, but
/// for its rounding. `marks` are the points' factors and scales, or nothing.
///
/// # Errors
/// [`Error::TooMany`](crate::Error::TooMany); too little memory; whatever the device reports.
pub fn arrange(
    device: &Device,
    points: Columns<'_>,
    marks: &Buffer<f32>,
    side: f64,
    others: usize,
) -> Result<Arranged> {
    let Sizes { n, d, stride } = points.sizes()?;
    let order = order(device, points, Wanted { side, others, equal: true })?;
    let mut starts = device.zeros(points.n)?;
    device.launch(flag_points::launch(points.values, marks, &order, &mut starts, n, d, stride))?;
    let total = scan(device, &mut starts)?;
    let kept = device.download(&total)?[0];
    let new_stride = (kept as usize).next_multiple_of(STRIDE);
    let marked = !marks.is_empty() || kept < n;
    let mut columns = device.zeros(points.d * new_stride)?;
    let mut new_marks = device.zeros(if marked { 2 * new_stride } else { 0 })?;
    let mut number_of = device.zeros(points.n)?;
    device.launch(write_points::launch(
        points.values,
        marks,
        &order,
        &starts,
        &mut columns,
        &mut new_marks,
        &mut number_of,
        n,
        kept,
        d,
        stride,
        new_stride as u32,
    ))?;
    Ok(Arranged { columns, marks: new_marks, n: kept as usize, stride: new_stride, number_of })
}
