//! Occupied bins as seeds.

use gpu::bins::{claim_bins, flag_bins, write_bins};
use gpu::layout::STRIDE;

use super::{Columns, Sizes, capacity, scan};
use crate::error::{Error, Result};
use crate::executor::{Buffer, Device};
use crate::mean_shift::masses::Masses;

/// Seeds at the middle of bins.
///
/// ```
/// use modeseek::Device;
/// use modeseek::mean_shift::labels::{Columns, occupied_bins};
///
/// # let device = Device::processor()?;
/// # let mut x = vec![0.1_f32, 0.2, 5.0];
/// # x.resize(gpu::layout::STRIDE, 0.0);
/// # let x = device.upload(&x)?;
/// # let points = Columns { values: &x, n: 3, d: 1, stride: gpu::layout::STRIDE };
/// # let centre = device.upload(&[0.0_f64])?;
/// // Points at 0.1, 0.2 and 5: the seeds are in the middle of two bins.
/// let bins = occupied_bins(&device, points, None, 1.0, &centre, 1.0, 1)?.expect("fewer bins than points");
/// assert_eq!(device.download_first(&bins.columns, bins.count)?, [0.0, 5.0]);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Debug)]
pub struct Bins {
    /// The seeds by columns, centred and scaled as the points are.
    pub columns: Buffer<f32>,
    /// How many.
    pub count: usize,
    /// The length of a column.
    pub stride: usize,
}

/// The bins of at least `minimum` points, in the order of their first points: scikit-learn's
/// `get_bin_seeds`. `None` if there are as many as points: the points are then the seeds. There may be none.
/// With masses a point counts as many points as its weight is.
///
/// The points' own coordinates are `columns / factor + centre`, for the centre's d numbers, in f64; a bin is
/// that over `size`, rounded to the nearest whole number, halves to even ones.
///
/// ```
/// use modeseek::Device;
/// use modeseek::mean_shift::labels::{Columns, occupied_bins};
///
/// # let device = Device::processor()?;
/// # let mut x = vec![0.1_f32, 0.2, 5.0];
/// # x.resize(gpu::layout::STRIDE, 0.0);
/// # let x = device.upload(&x)?;
/// let points = Columns { values: &x, n: 3, d: 1, stride: gpu::layout::STRIDE };
/// let centre = device.upload(&[0.0_f64])?;
/// // Bins of two points and more: of the points 0.1, 0.2 and 5, one.
/// let bins = occupied_bins(&device, points, None, 1.0, &centre, 1.0, 2)?;
/// assert_eq!(bins.map(|bins| bins.count), Some(1));
/// # Ok::<(), modeseek::Error>(())
/// ```
///
/// # Errors
/// A size that is not positive; too little memory; whatever the device reports.
pub fn occupied_bins(
    device: &Device,
    points: Columns<'_>,
    masses: Option<&Masses>,
    factor: f64,
    centre: &Buffer<f64>,
    size: f64,
    minimum: usize,
) -> Result<Option<Bins>> {
    let Sizes { n, d, stride } = points.sizes()?;
    if !(size > 0.0 && size.is_finite()) {
        return Err(Error::Option { option: "the size of bins", value: size.to_string(), must: "positive" });
    }
    let ones = Masses::alike(device, points.n)?;
    let masses = masses.unwrap_or(&ones);
    // A bin of one point is one of any weight.
    let minimum = if minimum == 1 { 1 } else { masses.mass(minimum as f64) };
    let capacity = capacity(points.n);
    let mut slots = device.zeros(capacity)?;
    let mut counts = device.zeros(capacity)?;
    let mut firsts = device.zeros(capacity)?;
    let mut slot_of = device.zeros(points.n)?;
    device.launch(claim_bins::launch(
        points.values,
        centre,
        &masses.values,
        &mut slots,
        &mut counts,
        &mut firsts,
        &mut slot_of,
        n,
        d,
        stride,
        capacity as u32,
        factor,
        size,
    ))?;
    let mut numbers = device.zeros(points.n)?;
    device.launch(flag_bins::launch(&slot_of, &counts, &firsts, &mut numbers, n, minimum))?;
    let total = scan(device, &mut numbers)?;
    let count = device.download(&total)?[0] as usize;
    // Weights count as repetitions: points that are in one bin with themselves are not alone there.
    if count == points.n && count as f64 * masses.factor == f64::from(masses.total) {
        return Ok(None);
    }
    let seed_stride = count.next_multiple_of(STRIDE);
    let mut columns = device.zeros(seed_stride * points.d)?;
    device.launch(write_bins::launch(
        points.values,
        centre,
        &slot_of,
        &counts,
        &firsts,
        &numbers,
        &mut columns,
        n,
        d,
        stride,
        seed_stride as u32,
        minimum,
        factor,
        size,
    ))?;
    Ok(Some(Bins { columns, count, stride: seed_stride }))
}
