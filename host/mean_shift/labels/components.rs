//! Which end positions belong together.

use gpu::axes::{column_extents, widest_axes};
use gpu::cells::claim_cells;
use gpu::components::{
    AXES, component_leaders, component_numbers, component_roots, link_leaders, unite_l1, unite_l2, unite_lp,
};

use super::{Columns, Sizes, capacity, launch_by_norm, power, scan};
use crate::error::{Error, Result};
use crate::executor::{Buffer, Device};

/// Corners of the small cells, all of whose ends follow the first of them, are this fraction of the radius
/// apart.
const LEADER_FRACTION: f64 = 0.125;

/// The component of each end.
///
/// ```
/// # use modeseek::Device;
/// # use modeseek::mean_shift::labels::{Columns, components};
/// # let device = Device::processor()?;
/// # let mut x = vec![9.0_f32, 0.0, 9.1];
/// # x.resize(gpu::layout::STRIDE, 0.0);
/// # let x = device.upload(&x)?;
/// # let ends = Columns { values: &x, n: 3, d: 1, stride: gpu::layout::STRIDE };
/// // Ends at 9, 0 and 9.1.
/// let found = components(&device, ends, 2.0, None, 0.5)?;
/// assert_eq!(found.count, 2);
/// assert_eq!(device.download_first(&found.ids, 3)?, [0, 1, 0]);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Debug)]
pub struct Components {
    /// The component of each end, from 0 in the order of their first ends; [`NOISE`](super::NOISE) for
    /// orphans.
    pub ids: Buffer<u32>,
    /// How many components.
    pub count: usize,
}

/// Connected components of the graph that joins ends within a radius of each other, in the p-norm.
/// Ends whose `support` is 0, where it is given, are orphans and belong to nothing.
///
/// ```
/// use modeseek::Device;
/// use modeseek::mean_shift::labels::{Columns, components};
///
/// # let device = Device::processor()?;
/// # let mut x = vec![0.0_f32, 0.4, 0.8, 5.0];
/// # x.resize(gpu::layout::STRIDE, 0.0);
/// # let x = device.upload(&x)?;
/// // Ends at 0, 0.4, 0.8 and 5: a chain of steps within the radius joins the first three.
/// let ends = Columns { values: &x, n: 4, d: 1, stride: gpu::layout::STRIDE };
/// assert_eq!(components(&device, ends, 2.0, None, 0.5)?.count, 2);
/// assert!(components(&device, ends, 2.0, None, 0.0).is_err());
/// # Ok::<(), modeseek::Error>(())
/// ```
///
/// # Precision
/// Ends in one small cell, an eighth of the radius across, are taken together, and the first of them
/// stands for all. So two ends within 3/4 of the radius always belong together; two that belong together
/// are always joined by a chain of ends with steps within the radius; and a step between the two counts
/// if the first ends of the cells are within the radius. All of this up to the rounding of coordinates.
///
/// # Cost
/// O(n) for ends that gather, and for any ends in d <= 3. For d > 3 the leaders are found by their three
/// widest coordinates, and all pairs that are near in these are looked at.
///
/// # Errors
/// A radius that is not positive, or beyond 1e30; too little memory; whatever the device reports.
pub fn components(
    device: &Device,
    ends: Columns<'_>,
    p: f32,
    support: Option<&Buffer<f32>>,
    radius: f64,
) -> Result<Components> {
    let Sizes { n, .. } = ends.sizes()?;
    if !(radius > 0.0 && radius <= MOST_RADIUS) {
        let must = "positive, and up to 1e30";
        return Err(Error::Option { option: "the merging radius", value: radius.to_string(), must });
    }
    let mut parents = device.room(ends.n)?;
    let leader_of = leaders(device, ends, p, support, radius, &mut parents)?;
    join(device, ends, p, radius, &leader_of, &mut parents)?;

    let mut root_of = device.room(ends.n)?;
    let mut flags = device.room(ends.n)?;
    device.launch(component_roots::launch(&leader_of, &mut parents, &mut root_of, &mut flags, n))?;
    let total = scan(device, &mut flags)?;
    // What the leaders were is not needed any more.
    let mut ids = leader_of;
    device.launch(component_numbers::launch(&root_of, &flags, &mut ids, n))?;
    let count = device.download(&total)?[0] as usize;
    Ok(Components { ids, count })
}

/// The largest merging radius: more than points are apart, and f32 holds the sides of its cells.
pub const MOST_RADIUS: f64 = 1e30;

/// 1 / side, for cells whose corners are `across` apart.
fn inverse_side(across: f64, d: usize, p: f32) -> f32 {
    let inverse = (d as f64).powf(1.0 / f64::from(p)) / across;
    // An infinite one would make cells of nothing but NaN.
    inverse.clamp(f64::from(f32::MIN_POSITIVE), 1e37) as f32
}

/// The leader of each end; the parents are the same.
fn leaders(
    device: &Device,
    ends: Columns<'_>,
    p: f32,
    support: Option<&Buffer<f32>>,
    radius: f64,
    parents: &mut Buffer<u32>,
) -> Result<Buffer<u32>> {
    let Sizes { n, d, stride } = ends.sizes()?;
    let capacity = capacity(ends.n);
    let mut slots = device.zeros(capacity)?;
    let mut firsts = device.zeros(capacity)?;
    let mut slot_of = device.room(ends.n)?;
    let everywhere = device.zeros(0)?;
    device.launch(claim_cells::launch(
        ends.values,
        support.unwrap_or(&everywhere),
        &mut slots,
        &mut firsts,
        &mut slot_of,
        n,
        d,
        stride,
        capacity as u32,
        inverse_side(radius * LEADER_FRACTION, ends.d, p),
    ))?;
    let mut leader_of = device.room(ends.n)?;
    device.launch(component_leaders::launch(&slot_of, &firsts, &mut leader_of, parents, n))?;
    Ok(leader_of)
}

/// Joins leaders within the radius.
fn join(
    device: &Device,
    ends: Columns<'_>,
    p: f32,
    radius: f64,
    leader_of: &Buffer<u32>,
    parents: &mut Buffer<u32>,
) -> Result<()> {
    let Sizes { n, d, stride } = ends.sizes()?;
    let mut axes = device.zeros(AXES)?;
    if ends.d > AXES {
        let mut extents = device.zeros(2 * ends.d)?;
        device.launch(column_extents::launch(ends.values, &mut extents, n, d, stride))?;
        device.launch(widest_axes::launch(&extents, &mut axes, d))?;
    }
    // In few dimensions all of a cell is within the radius; in many, cells are as wide as the radius.
    let spread = if ends.d > AXES { 1 } else { ends.d };
    let inverse_side = inverse_side(radius, spread, p);
    let reach = (f64::from(inverse_side) * radius - 1e-4).ceil().max(1.0) as u32;
    let capacity = capacity(ends.n);
    let mut slots = device.zeros(capacity)?;
    let mut heads = device.zeros(capacity)?;
    let mut next = device.room(ends.n)?;
    device.launch(link_leaders::launch(
        ends.values,
        leader_of,
        &axes,
        &mut slots,
        &mut heads,
        &mut next,
        parents,
        n,
        d,
        stride,
        capacity as u32,
        inverse_side,
    ))?;
    let limit = power(radius, p);
    launch_by_norm!(
        device,
        p,
        [unite_l2, unite_l1, unite_lp],
        (ends.values, leader_of, &axes, &slots, &heads, &next, parents, n, d, stride, reach, inverse_side, p, limit)
    )
}
