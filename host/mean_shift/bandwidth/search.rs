//! A search for k-th values, and points in an order in which it has less to look at.

use cuda_std::launch::{DeviceSliceMut, Launch};
use gpu::boxes::boxes_of_points;
use gpu::layout::gather_columns;
use gpu::merge::gather_numbers;
use gpu::neighbours as kernels;

use super::scaled::Scaled;
use crate::error::Result;
use crate::executor::{Buffer, Device};
use crate::mean_shift::labels::Columns;
use crate::mean_shift::near::{Wanted, order};

/// The side of a cell of the order, where no two points differ by more than 1.
const SIDE: f64 = 1.0 / (1 << 20) as f64;

/// Points in an order that keeps neighbours together, and the boxes of some in a row: what the search passes over then.
pub(super) struct Ordered {
    /// The points, or nothing, if they are in their own order.
    pub points: Option<Scaled>,
    /// Their masses, where they have any.
    pub masses: Buffer<u32>,
    /// Which of the points each is.
    places: Buffer<u32>,
    boxes: Buffer<f32>,
    query_boxes: Buffer<f32>,
}

impl Ordered {
    /// Points in their own order.
    pub(super) fn none(device: &Device) -> Result<Self> {
        let (masses, places) = (device.zeros(0)?, device.zeros(0)?);
        Ok(Self { points: None, masses, places, boxes: device.zeros(0)?, query_boxes: device.zeros(0)? })
    }

    /// These points, of these masses or none, for the distance of the p-norm.
    pub(super) fn new(device: &Device, points: &Scaled, masses: &Buffer<u32>, p: f32) -> Result<Self> {
        let Scaled { ref columns, n, d, stride } = *points;
        let places =
            order(device, Columns { values: columns, n, d, stride }, Wanted { side: SIDE, others: n, equal: false })?;
        let mut ordered = device.zeros(columns.len())?;
        let (n32, d32, stride32) = (n as u32, d as u32, stride as u32);
        device.launch(gather_columns::launch(columns, &places, &mut ordered, n32, d32, stride32, stride32))?;
        let mut ordered_masses = device.zeros(masses.len())?;
        if !masses.is_empty() {
            device.launch(gather_numbers::launch(masses, &places, &mut ordered_masses, n32))?;
        }
        let lanes = device.machine().lanes();
        let boxes_of = |size: usize, boxes: &mut Buffer<f32>, behind: usize| -> Result<usize> {
            let end = behind + n.div_ceil(size) * d * 2;
            let mut boxes = boxes.slice_mut(behind..end);
            device.launch(boxes_of_points::launch(&ordered, &mut boxes, n32, d32, stride32, size as u32))?;
            Ok(end)
        };
        let instance = instance(p, d);
        let mut boxes = device.zeros(kernels::boxes_for(lanes, instance, d, n) * d * 2)?;
        let (tile, row) = (kernels::tile_of(lanes, instance, d), kernels::row_of(lanes, instance, d, n));
        let mut behind = 0;
        for size in [tile, kernels::PART, row] {
            behind = boxes_of(size, &mut boxes, behind)?;
        }
        let mut query_boxes = device.zeros(n.div_ceil(kernels::block_of(lanes)) * d * 2)?;
        boxes_of(kernels::block_of(lanes), &mut query_boxes, 0)?;
        let points = Some(Scaled { columns: ordered, n, d, stride });
        Ok(Self { points, masses: ordered_masses, places, boxes, query_boxes })
    }
}

/// The dimensions for which the search has an instance of its own, or 0.
fn instance(p: f32, d: usize) -> usize {
    if p == 2.0 && d <= 4 { d } else { 0 }
}

/// A search for k-th values.
pub(super) struct Search<'a> {
    pub points: &'a Scaled,
    /// The points' masses, `total` in all; nothing, if they are alike.
    pub masses: &'a Buffer<u32>,
    pub total: u32,
    pub queries: &'a Scaled,
    /// The mass that is sought.
    pub k: u32,
    /// The norm's exponent.
    pub p: f32,
}

impl<'a> Search<'a> {
    /// The kernel for this distance and dimension.
    pub(super) fn launch(
        &self,
        guesses: &'a Buffer<f32>,
        Ordered { places, boxes, query_boxes, .. }: &'a Ordered,
        values: &'a mut impl DeviceSliceMut<f32>,
    ) -> Launch<'a> {
        let Self { points, masses, queries, k, total, p } = *self;
        let (n, stride, d) = (points.n as u32, points.stride as u32, points.d as u32);
        let (m, query_stride) = (queries.n as u32, queries.stride as u32);
        let (points, queries) = (&points.columns, &queries.columns);
        macro_rules! launch {
            ($kernel:ident) => {
                kernels::$kernel::launch(
                    points,
                    masses,
                    queries,
                    guesses,
                    places,
                    boxes,
                    query_boxes,
                    values,
                    n,
                    stride,
                    m,
                    query_stride,
                    d,
                    k,
                    total,
                    p,
                )
            };
        }
        match instance(p, d as usize) {
            1 => launch!(kth_value_l2_1),
            2 => launch!(kth_value_l2_2),
            3 => launch!(kth_value_l2_3),
            4 => launch!(kth_value_l2_4),
            _ if p == 1.0 => launch!(kth_value_l1_any),
            _ if p == 2.0 => launch!(kth_value_l2_any),
            _ => launch!(kth_value_lp_any),
        }
    }
}
