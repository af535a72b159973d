//! Boxes of points and of queries.

use cuda_std::machine::MachineKind;
use gpu::boxes::{boxes_of_boxes, boxes_of_points};
use gpu::near::{self, BOX, WIDE};
use gpu::shift_any;

use crate::error::Result;
use crate::executor::{Buffer, Device};
use crate::mean_shift::labels::{Columns, count};

/// The boxes that a step wants.
#[derive(Debug)]
pub struct Boxes {
    points: Buffer<f32>,
    queries: Buffer<f32>,
    query_box: u32,
    reach2: f32,
}

impl Boxes {
    /// Room for the boxes of n points and m queries of d coordinates, for a squared reach, scaled, and the size of
    /// blocks that was asked for.
    ///
    /// # Errors
    /// Too little memory; whatever the device reports.
    pub fn new(
        device: &Device,
        (n, m, d): (usize, usize, usize),
        reach2: f32,
        threads_per_block: Option<u32>,
    ) -> Result<Self> {
        let query_box = in_block(device.machine(), d, threads_per_block);
        let queries = device.zeros(m.div_ceil(query_box) * d * 2)?;
        Ok(Self { points: device.zeros(near::len(n, d))?, queries, query_box: query_box as u32, reach2 })
    }

    /// Finds the boxes of the points, no more than there is room for.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn of_points(&mut self, device: &Device, points: Columns<'_>) -> Result<()> {
        let (n, d, stride) = (count(points.n, "points")?, points.d as u32, points.stride as u32);
        device.launch(boxes_of_points::launch(points.values, &mut self.points, n, d, stride, BOX as u32))?;
        let (narrow, wide) = (n.div_ceil(BOX as u32), (WIDE / BOX) as u32);
        device.launch(boxes_of_boxes::launch(&mut self.points, narrow, d, wide))
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
        let Self { points, queries, query_box, reach2 } = self;
        gpu::steps::Boxes { points, queries, query_box: *query_box, reach2: *reach2 }
    }
}

/// Queries of a block of a step.
fn in_block(machine: MachineKind, d: usize, threads_per_block: Option<u32>) -> usize {
    match d {
        0..=4 => threads_per_block.unwrap_or(machine.block()) as usize * machine.lanes(),
        _ => shift_any::queries(machine.lanes()),
    }
}
