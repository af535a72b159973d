//! Sizes, weights and means of groups.

use gpu::axes::largest_magnitude;
use gpu::tally::{SHARED_CELLS, cells, tally_few, tally_many, tally_means};

use super::{Columns, NOISE, Sizes, count, relabel};
use crate::error::Result;
use crate::executor::{Buffer, Device};

/// Units for each of its points, of those that weights are cut to multiples of, from which on a group's sums are as precise as
/// f32.
const PRECISE: f64 = (1 << 26) as f64;

/// What there is to say of groups of points, group by group.
///
/// ```
/// # use modeseek::Device;
/// # use modeseek::mean_shift::labels::{Columns, tally};
/// # let device = Device::processor()?;
/// # let mut x = vec![0.0_f32, 9.0, 10.0];
/// # x.resize(gpu::layout::STRIDE, 0.0);
/// # let x = device.upload(&x)?;
/// # let points = Columns { values: &x, n: 3, d: 1, stride: gpu::layout::STRIDE };
/// let groups = tally(&device, &device.upload(&[0_u32, 1, 1])?, 2, points, None)?;
/// assert_eq!(device.download_first(&groups.sizes, groups.count)?, [1, 2]);
/// assert_eq!(device.download_first(&groups.means, groups.count * groups.d)?, [0.0, 9.5]);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Debug)]
pub struct Groups {
    /// How many groups.
    pub count: usize,
    /// Dimensions.
    pub d: usize,
    /// How many points a group has.
    pub sizes: Buffer<u32>,
    /// The sum of their weights.
    pub totals: Buffer<f64>,
    /// Their weighted means, by rows.
    pub means: Buffer<f32>,
}

impl Groups {
    /// Memory for so many groups.
    ///
    /// # Errors
    /// If there is too little.
    pub(super) fn room(device: &Device, count: usize, d: usize) -> Result<Self> {
        let (sizes, totals) = (device.room(count)?, device.room(count)?);
        Ok(Self { count, d, sizes, totals, means: device.room(count * d)? })
    }
}

/// Sizes, weights and means of `count` groups. `ids` has the group of each point; a point whose id is not
/// less than `count` is in none. Without `weights` every point weighs 1.
///
/// ```
/// use modeseek::Device;
/// use modeseek::mean_shift::labels::{Columns, tally};
///
/// # let device = Device::processor()?;
/// # let mut x = vec![0.0_f32, 9.0, 10.0];
/// # x.resize(gpu::layout::STRIDE, 0.0);
/// # let x = device.upload(&x)?;
/// // Points 0, 9 and 10; the last one weighs three times as much.
/// let points = Columns { values: &x, n: 3, d: 1, stride: gpu::layout::STRIDE };
/// let weights = device.upload(&[1.0_f32, 1.0, 3.0])?;
/// let groups = tally(&device, &device.upload(&[0_u32, 1, 1])?, 2, points, Some(&weights))?;
/// assert_eq!(device.download_first(&groups.totals, 2)?, [1.0, 4.0]);
/// assert_eq!(device.download_first(&groups.means, 2)?, [0.0, 9.75]);
/// # Ok::<(), modeseek::Error>(())
/// ```
///
/// # Precision
/// Sums are of fixed point, which cannot overflow, so that they do not depend on an order; those of groups that are light
/// beside others are made again by a scale of their own. A mean of equal weights is off by less than n 2^-59 max|x|, and one of others
/// by less than (2^-25 + n s 2^-59) max|x|, where its group has s points; and the rounding to f32; see
/// `gpu/tally.rs`. A total is off by no more than half of that part of itself. Points on one spot have that spot as their mean. A group whose
/// weight is 0 has its first point.
///
/// # Errors
/// Too little memory; whatever the device reports.
///
/// # Panics
/// If `ids` or `weights` are shorter than the points.
pub fn tally(
    device: &Device,
    ids: &Buffer<u32>,
    count_of_groups: usize,
    points: Columns<'_>,
    weights: Option<&Buffer<f32>>,
) -> Result<Groups> {
    let Sizes { n, d, stride } = points.sizes()?;
    let mut largest = match weights {
        Some(_) => device.zeros(2)?,
        None => device.upload(&[0, 1.0_f32.to_bits()])?,
    };
    device.launch(largest_magnitude::launch(points.values, &mut largest, n, d, stride, 0))?;
    let Some(weights) = weights else {
        return tally_within(device, ids, count_of_groups, points, &device.zeros(0)?, &largest);
    };
    device.launch(largest_magnitude::launch(weights, &mut largest, n, 1, n, 1))?;
    tally_of_any(device, ids, count_of_groups, points, weights, &largest)
}

/// [`tally`] by weights that may be of any size: groups that are too light for the scale of the heaviest have another.
fn tally_of_any(
    device: &Device,
    ids: &Buffer<u32>,
    count: usize,
    points: Columns<'_>,
    weights: &Buffer<f32>,
    largest: &Buffer<u32>,
) -> Result<Groups> {
    let found = tally_within(device, ids, count, points, weights, largest)?;
    let (sizes, totals) = (device.begin_download(&found.sizes, count)?, device.begin_download(&found.totals, count)?);
    let bounds = device.begin_download(largest, 2)?;
    let (sizes, mut totals, bounds) = (sizes.wait()?, totals.wait()?, bounds.wait()?);
    let bound = f64::from(f32::from_bits(bounds[1]));
    // What a weight is cut to a multiple of, at most.
    let unit = 2.0 * bound / room(points.n);
    // No weight of a group is more than this.
    let most = |group: usize| totals[group] + f64::from(sizes[group]) * unit;
    let is_light = |group: &usize| {
        let size = f64::from(sizes[*group]);
        size > 0.0 && totals[*group] < size * PRECISE * unit && most(*group) <= bound / 2.0
    };
    let light: Vec<usize> = (0..count).filter(is_light).collect();
    let bound = light.iter().map(|&group| most(group)).fold(0.0, f64::max) as f32;
    if bound == 0.0 {
        return Ok(found);
    }
    let mut place = vec![NOISE; count];
    light.iter().zip(0..).for_each(|(&group, k)| place[group] = k);
    let ids = relabel(device, ids, &device.upload(&place)?)?;
    let largest = device.upload(&[bounds[0], bound.to_bits()])?;
    let again = tally_of_any(device, &ids, light.len(), points, weights, &largest)?;
    let d = points.d;
    let (mut means, means_again) = (device.download(&found.means)?, device.download(&again.means)?);
    let totals_again = device.download(&again.totals)?;
    for (k, &group) in light.iter().enumerate() {
        totals[group] = totals_again[k];
        means[group * d..][..d].copy_from_slice(&means_again[k * d..][..d]);
    }
    Ok(Groups { totals: device.upload(&totals)?, means: device.upload(&means)?, ..found })
}

/// What a point may add to a sum of 63 bits.
fn room(n: usize) -> f64 {
    (1_u64 << 62) as f64 / n as f64
}

/// [`tally`] of groups none of whose coordinates and weights is more than `largest`, as bits.
fn tally_within(
    device: &Device,
    ids: &Buffer<u32>,
    count_of_groups: usize,
    points: Columns<'_>,
    weights: &Buffer<f32>,
    largest: &Buffer<u32>,
) -> Result<Groups> {
    let Sizes { n, d, stride } = points.sizes()?;
    let groups = count(count_of_groups, "groups")?;
    let (totals, means) = (device.room(count_of_groups)?, device.room(count_of_groups * points.d)?);
    // Sizes are added up.
    let mut found =
        Groups { count: count_of_groups, d: points.d, sizes: device.zeros(count_of_groups)?, totals, means };
    if groups == 0 {
        return Ok(found);
    }
    let mut sums = device.zeros(count_of_groups * (points.d + 1))?;
    let mut firsts = device.zeros(count_of_groups)?;
    let (values, sizes, room) = (points.values, &mut found.sizes, room(points.n));
    device.launch(if cells(count_of_groups, points.d) <= SHARED_CELLS {
        tally_few::launch(ids, values, weights, largest, &mut sums, sizes, &mut firsts, groups, n, d, stride, room)
    } else {
        tally_many::launch(ids, values, weights, largest, &mut sums, sizes, &mut firsts, groups, n, d, stride, room)
    })?;
    let (means, totals) = (&mut found.means, &mut found.totals);
    device.launch(tally_means::launch(values, largest, &sums, &firsts, means, totals, groups, n, d, stride, room))?;
    Ok(found)
}
