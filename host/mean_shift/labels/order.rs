//! The order of groups, and labels to match.

use gpu::order::{RUN, group_keys, label_groups, merge_runs, permute_groups, sort_runs};

use super::{Groups, count};
use crate::error::Result;
use crate::executor::{Buffer, Device};

/// Groups in order.
///
/// ```
/// # use modeseek::Device;
/// # use modeseek::mean_shift::labels::{Columns, NOISE, order, tally};
/// # let device = Device::processor()?;
/// # let mut x = vec![0.0_f32, 9.0, 9.2];
/// # x.resize(gpu::layout::STRIDE, 0.0);
/// # let x = device.upload(&x)?;
/// # let points = Columns { values: &x, n: 3, d: 1, stride: gpu::layout::STRIDE };
/// // One point in group 0, two in group 1.
/// let groups = tally(&device, &device.upload(&[0_u32, 1, 1])?, 2, points, None)?;
/// let order = order(&device, &groups, 2)?;
/// assert_eq!(order.groups.count, 1);
/// assert_eq!(device.download_first(&order.label_of, 2)?, [NOISE, 0]);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Debug)]
pub struct Order {
    /// The groups that are kept, in order.
    pub groups: Groups,
    /// The place of each group in that order, for [`relabel`]; [`NOISE`](super::NOISE) for small ones.
    pub label_of: Buffer<u32>,
}

/// What items are ordered by: keys, the largest first; then positions, of d coordinates, `steps` apart from
/// item to item and from coordinate to coordinate; then their numbers.
pub(super) struct Ordered<'a> {
    pub keys: &'a Buffer<u64>,
    pub positions: &'a Buffer<f32>,
    pub d: u32,
    pub steps: (u32, u32),
    /// Whether of equal keys the largest position comes first, else the smallest.
    pub descending: bool,
}

/// The first `n` > 0 items in order.
pub(super) fn sort(device: &Device, n: u32, by: &Ordered<'_>) -> Result<Buffer<u32>> {
    let &Ordered { keys, positions, d, steps: (item, coordinate), descending } = by;
    let descending = u32::from(descending);
    let mut order = device.room(n as usize)?;
    device.launch(sort_runs::launch(keys, positions, &mut order, n, d, item, coordinate, descending))?;
    let mut run = RUN as u32;
    if run < n {
        let mut merged = device.room(n as usize)?;
        while run < n {
            let (from, to) = (&order, &mut merged);
            device.launch(merge_runs::launch(keys, positions, from, to, n, d, item, coordinate, descending, run))?;
            std::mem::swap(&mut order, &mut merged);
            run *= 2;
        }
    }
    Ok(order)
}

/// Groups by their weight, largest first; ties by position, coordinate by coordinate, smallest first; then
/// by number. Groups of fewer points than `minimum_size` are left out; of 0 none is, nor are they counted.
///
/// ```
/// # use modeseek::Device;
/// # use modeseek::mean_shift::labels::{Columns, order, tally};
/// # let device = Device::processor()?;
/// # let mut x = vec![0.0_f32, 9.0, 9.2];
/// # x.resize(gpu::layout::STRIDE, 0.0);
/// # let x = device.upload(&x)?;
/// # let points = Columns { values: &x, n: 3, d: 1, stride: gpu::layout::STRIDE };
/// let groups = tally(&device, &device.upload(&[0_u32, 1, 1])?, 2, points, None)?;
/// // The larger group is the first.
/// let order = order(&device, &groups, 1)?;
/// assert_eq!(device.download_first(&order.groups.sizes, 2)?, [2, 1]);
/// # Ok::<(), modeseek::Error>(())
/// ```
///
/// # Errors
/// Too little memory; whatever the device reports.
pub fn order(device: &Device, groups: &Groups, minimum_size: usize) -> Result<Order> {
    let d = groups.d;
    let n = count(groups.count, "groups")?;
    let mut label_of = device.room(groups.count)?;
    if n == 0 {
        return Ok(Order { groups: Groups::room(device, 0, d)?, label_of });
    }
    let minimum = u32::try_from(minimum_size).unwrap_or(u32::MAX);
    let mut keys = device.room(groups.count)?;
    let mut kept = device.zeros(1)?;
    device.launch(group_keys::launch(&groups.totals, &groups.sizes, &mut keys, &mut kept, n, minimum))?;
    let by = Ordered { keys: &keys, positions: &groups.means, d: d as u32, steps: (d as u32, 1), descending: false };
    let sequence = sort(device, n, &by)?;
    device.launch(label_groups::launch(&sequence, &kept, &mut label_of, n))?;
    let kept = if minimum == 0 { groups.count } else { device.download(&kept)?[0] as usize };
    let mut ordered = Groups::room(device, kept, d)?;
    device.launch(permute_groups::launch(
        &sequence,
        &groups.sizes,
        &groups.totals,
        &groups.means,
        &mut ordered.sizes,
        &mut ordered.totals,
        &mut ordered.means,
        kept as u32,
        d as u32,
    ))?;
    Ok(Order { groups: ordered, label_of })
}

/// The label of each point, from its group; [`NOISE`](super::NOISE) for points of no group, or of a small one.
///
/// ```
/// use modeseek::Device;
/// use modeseek::mean_shift::labels::{NOISE, relabel};
///
/// let device = Device::processor()?;
/// // Group 0 is now the second, group 1 the first; group 2 was too small.
/// let labels = relabel(&device, &device.upload(&[0_u32, 1, 1, 2])?, &device.upload(&[1_u32, 0, NOISE])?)?;
/// assert_eq!(device.download_first(&labels, 4)?, [1, 0, 0, NOISE]);
/// # Ok::<(), modeseek::Error>(())
/// ```
///
/// # Errors
/// Too little memory; whatever the device reports.
pub fn relabel(device: &Device, ids: &Buffer<u32>, label_of: &Buffer<u32>) -> Result<Buffer<u32>> {
    let mut labels = device.room(ids.len())?;
    device.launch(gpu::order::relabel::launch(ids, label_of, &mut labels, count(ids.len(), "points")?))?;
    Ok(labels)
}
