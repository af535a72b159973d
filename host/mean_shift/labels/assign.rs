//! The nearest mode, and how many points are about a place.

use gpu::assign::{count_within_l1, count_within_l2, count_within_lp, nearest_l1, nearest_l2, nearest_lp};

use super::{Columns, Sizes, count, launch_by_norm, power};
use crate::error::{Error, Result};
use crate::executor::{Buffer, Device};
use crate::mean_shift::masses::Masses;

/// For each query the nearest of `k` modes, by rows, in the p-norm, the first of equals; and the p-th power
/// of the distance to it (squared, for p = 2). A query farther than `limit` from all gets
/// [`NOISE`](super::NOISE), and so does one that is so far that f32 does not hold that power.
///
/// ```
/// use modeseek::Device;
/// use modeseek::mean_shift::labels::{Columns, NOISE, nearest};
///
/// let device = Device::processor()?;
/// # let mut x = vec![0.0_f32, 1.0, 50.0];
/// # x.resize(gpu::layout::STRIDE, 0.0);
/// # let x = device.upload(&x)?;
/// // Positions 0, 1 and 50, modes at 0.5 and 4.
/// let queries = Columns { values: &x, n: 3, d: 1, stride: gpu::layout::STRIDE };
/// let modes = device.upload(&[0.5_f32, 4.0])?;
/// let (ids, squared) = nearest(&device, queries, &modes, 2, 2.0, Some(10.0))?;
/// assert_eq!(device.download_first(&ids, 3)?, [0, 0, NOISE]);
/// assert_eq!(device.download_first(&squared, 2)?, [0.25, 0.25]);
/// # Ok::<(), modeseek::Error>(())
/// ```
///
/// # Errors
/// [`Error::Undefined`] without modes; too little memory; whatever the device reports.
pub fn nearest(
    device: &Device,
    queries: Columns<'_>,
    modes: &Buffer<f32>,
    k: usize,
    p: f32,
    limit: Option<f64>,
) -> Result<(Buffer<u32>, Buffer<f32>)> {
    nearest_of_supported(device, queries, &device.zeros(0)?, modes, k, p, limit)
}

/// [`nearest`] for queries that have moved: one whose `support` is 0, where it is given, has gone nowhere and gets
/// [`NOISE`](super::NOISE).
///
/// ```
/// use modeseek::Device;
/// use modeseek::mean_shift::labels::{Columns, NOISE, nearest_of_supported};
///
/// # let device = Device::processor()?;
/// # let mut x = vec![0.0_f32, 1.0, 50.0];
/// # x.resize(gpu::layout::STRIDE, 0.0);
/// # let x = device.upload(&x)?;
/// let queries = Columns { values: &x, n: 3, d: 1, stride: gpu::layout::STRIDE };
/// let modes = device.upload(&[0.5_f32])?;
/// // Nothing pulled the third.
/// # let mut support = vec![2.0_f32, 2.0, 0.0];
/// # support.resize(gpu::layout::STRIDE, 0.0);
/// # let support = device.upload(&support)?;
/// let (ids, _) = nearest_of_supported(&device, queries, &support, &modes, 1, 2.0, None)?;
/// assert_eq!(device.download_first(&ids, 3)?, [0, 0, NOISE]);
/// # Ok::<(), modeseek::Error>(())
/// ```
///
/// # Errors
/// As [`nearest`].
pub fn nearest_of_supported(
    device: &Device,
    queries: Columns<'_>,
    support: &Buffer<f32>,
    modes: &Buffer<f32>,
    k: usize,
    p: f32,
    limit: Option<f64>,
) -> Result<(Buffer<u32>, Buffer<f32>)> {
    let Sizes { n: m, d, stride } = queries.sizes()?;
    let modes_count = count(k, "modes")?;
    if k == 0 {
        return Err(Error::Undefined { what: "the nearest mode", why: "where there are no modes; give one at least" });
    }
    let mut ids = device.zeros(queries.n)?;
    let mut distances = device.zeros(queries.n)?;
    let limit = limit.map_or(f32::INFINITY, |limit| power(limit, p));
    launch_by_norm!(
        device,
        p,
        [nearest_l2, nearest_l1, nearest_lp],
        (queries.values, modes, support, &mut ids, &mut distances, m, modes_count, d, stride, p, limit)
    )?;
    Ok((ids, distances))
}

/// For each query the number of points no farther than `radius` in the p-norm, or the sum of their masses.
///
/// ```
/// use modeseek::Device;
/// use modeseek::mean_shift::labels::{Columns, count_within};
///
/// # let device = Device::processor()?;
/// # let mut x = vec![0.0_f32, 1.0, 50.0];
/// # x.resize(gpu::layout::STRIDE, 0.0);
/// # let x = device.upload(&x)?;
/// // Positions 0, 1 and 50: each counts itself too.
/// let points = Columns { values: &x, n: 3, d: 1, stride: gpu::layout::STRIDE };
/// let counts = count_within(&device, points, points, None, 2.0, 1.5)?;
/// assert_eq!(device.download_first(&counts, 3)?, [2, 2, 1]);
/// # Ok::<(), modeseek::Error>(())
/// ```
///
/// # Errors
/// Too little memory; whatever the device reports.
///
/// # Panics
/// If the dimensions differ.
pub fn count_within(
    device: &Device,
    queries: Columns<'_>,
    points: Columns<'_>,
    masses: Option<&Masses>,
    p: f32,
    radius: f64,
) -> Result<Buffer<u32>> {
    assert_eq!(queries.d, points.d, "queries and points have the same dimensions");
    let (Sizes { n: m, d, stride: query_stride }, Sizes { n, stride, .. }) = (queries.sizes()?, points.sizes()?);
    let mut counts = device.zeros(queries.n)?;
    let ones = device.zeros(0)?;
    let masses = masses.map_or(&ones, |masses| &masses.values);
    launch_by_norm!(
        device,
        p,
        [count_within_l2, count_within_l1, count_within_lp],
        (queries.values, points.values, masses, &mut counts, m, n, d, query_stride, stride, p, power(radius, p))
    )?;
    Ok(counts)
}
