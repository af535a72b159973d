//! Boxes of points and of queries.

use cuda_std::machine::MachineKind;
use gpu::boxes::{boxes_of_boxes, boxes_of_points, moments_of_boxes};
use gpu::near::{self, BOX, WIDE};
use gpu::shift_any::Norm;
use gpu::steps::Steps;
use gpu::tight::records_of_boxes;
use gpu::weight::Slopes;
use gpu::{shift_any, tight, whole};

use crate::error::Result;
use crate::executor::{Buffer, Device};
use crate::mean_shift::labels::{Columns, count};

/// What boxes are for.
#[derive(Clone, Copy, Debug)]
pub struct Purpose {
    /// The steps that look at them.
    pub steps: &'static Steps,
    /// How far two points are apart.
    pub norm: Norm,
    /// How far the weight reaches, scaled and squared.
    pub reach2: f32,
    /// How far a step may be off since boxes that are nearly one point are taken as one, scaled.
    pub allowed: f32,
    /// Whether points have factors and scales.
    pub marked: bool,
    /// Whether these scales are not all 1.
    pub scaled: bool,
    /// The size of blocks that was asked for.
    pub threads_per_block: Option<u32>,
}

/// The boxes that a step wants.
#[derive(Debug)]
pub struct Boxes {
    points: Buffer<f32>,
    queries: Buffer<f32>,
    query_box: u32,
    reach2: f32,
    /// Whether the scales of the points in each box stand behind them.
    marked: bool,
    /// What else is known of the boxes, behind them.
    known: Known,
}

/// What is known of the boxes of points.
#[derive(Clone, Copy, Debug)]
enum Known {
    Sides,
    /// The moments of their points, for a weight of this power: gpu/whole.rs.
    Moments(u32),
    /// Their centroids, and how far a query may be for which these serve: gpu/tight.rs.
    Records(Slopes, f32),
}

impl Known {
    /// What a step makes use of.
    fn of(machine: MachineKind, d: usize, purpose: &Purpose) -> Self {
        let Purpose { steps, norm, reach2, scaled, allowed, .. } = *purpose;
        if !reach2.is_finite() || norm != Norm::L2 || scaled {
            return Self::Sides;
        }
        let (moments, records) = (steps.takes_moments(machine, d as u32), steps.takes_records(machine, d as u32));
        moments.map_or_else(|| records.map_or(Self::Sides, |slopes| Self::Records(slopes, allowed)), Self::Moments)
    }

    /// Numbers of n boxes' points of d coordinates.
    fn len(self, n: usize, d: usize) -> usize {
        match self {
            Self::Sides => 0,
            Self::Moments(power) => whole::len(n, d, power),
            Self::Records(..) => tight::len(n, d),
        }
    }
}

impl Boxes {
    /// Room for the boxes of n points and m queries of d coordinates.
    ///
    /// # Errors
    /// Too little memory; whatever the device reports.
    pub fn new(device: &Device, (n, m, d): (usize, usize, usize), purpose: Purpose) -> Result<Self> {
        let Purpose { norm, reach2, marked, threads_per_block, .. } = purpose;
        let query_box = in_block(device.machine(), d, norm, threads_per_block);
        let queries = device.zeros(m.div_ceil(query_box) * d * 2)?;
        let known = Known::of(device.machine(), d, &purpose);
        let boxes = if marked { near::len_marked(n, d) } else { near::len(n, d) };
        let points = device.zeros(boxes + known.len(n, d))?;
        Ok(Self { points, queries, query_box: query_box as u32, reach2, marked, known })
    }

    /// Finds the boxes of the points, as many as there is room for, whose factors and scales are `marks` if they are marked.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn of_points(&mut self, device: &Device, points: Columns<'_>, marks: &Buffer<f32>) -> Result<()> {
        let (n, d, stride) = (count(points.n, "points")?, points.d as u32, points.stride as u32);
        let (narrow, wide) = (n.div_ceil(BOX as u32), (WIDE / BOX) as u32);
        let (all, whole) = (self.points.len(), near::len(points.n, points.d));
        let mut boxes = self.points.slice_mut(0..whole);
        device.launch(boxes_of_points::launch(points.values, &mut boxes, n, d, stride, BOX as u32))?;
        device.launch(boxes_of_boxes::launch(&mut boxes, narrow, d, wide))?;
        if self.marked {
            // One more coordinate.
            let (scales, mut boxes) =
                (marks.slice(points.stride..2 * points.stride), self.points.slice_mut(whole..all));
            device.launch(boxes_of_points::launch(&scales, &mut boxes, n, 1, stride, BOX as u32))?;
            device.launch(boxes_of_boxes::launch(&mut boxes, narrow, 1, wide))?;
        }
        let (values, boxes) = (points.values, &mut self.points);
        match self.known {
            Known::Sides => Ok(()),
            Known::Moments(power) => device.launch(moments_of_boxes::launch(values, marks, boxes, n, d, stride, power)),
            Known::Records(Slopes { end, first, second }, allowed) => {
                device.launch(records_of_boxes::launch(values, marks, boxes, n, d, stride, end, first, second, allowed))
            }
        }
    }

    /// Finds the boxes of the queries, no more than there is room for.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn of_queries(&mut self, device: &Device, queries: Columns<'_>) -> Result<()> {
        let (m, d, stride) = (count(queries.n, "queries")?, queries.d as u32, queries.stride as u32);
        device.launch(boxes_of_points::launch(queries.values, &mut self.queries, m, d, stride, self.query_box))
    }

    /// As a step takes them.
    pub fn as_call(&self) -> gpu::steps::Boxes<'_> {
        let Self { points, queries, query_box, reach2, .. } = self;
        gpu::steps::Boxes { points, queries, query_box: *query_box, reach2: *reach2 }
    }
}

/// Queries of a block of a step.
fn in_block(machine: MachineKind, d: usize, norm: Norm, threads_per_block: Option<u32>) -> usize {
    match d {
        0..=4 if norm == Norm::L2 => threads_per_block.unwrap_or(machine.block()) as usize * machine.lanes(),
        _ => shift_any::queries(machine.lanes()),
    }
}
