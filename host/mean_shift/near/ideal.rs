//! How many pairs are near enough to count: what no method could do without.

use gpu::layout::gather_columns;
use gpu::near::BOX;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::error::Result;
use crate::executor::Device;
use crate::mean_shift::MeanShift;
use crate::mean_shift::iterate::{Field, Queries};
use crate::mean_shift::labels::{Columns, count_within, scan};

/// Distances that a count may take: a twentieth of a second on two cores.
const LOOKS: usize = 1 << 28;

/// The least and the most queries of a sample.
const QUERIES: (usize, usize) = (16, 256);

/// About which part of all pairs of these queries and the field's points is within the weight's reach.
///
/// # Errors
/// As [`pairs_within`].
pub fn share_within(options: &MeanShift, field: &Field, queries: &Queries) -> Result<f64> {
    let (n, d) = (field.n as usize, field.d as usize);
    let points = Columns { values: &field.columns, n, d, stride: field.stride as usize };
    let within = pairs_within(options, field, (queries.as_columns(field.d), points), options.reach_of(field)?)?;
    Ok(within as f64 / (n as f64 * f64::from(queries.m)))
}

/// Distances that [`kept_within`] takes to find out.
pub fn looks(n: usize, m: usize) -> f64 {
    n as f64 * sampled(n, m) as f64
}

/// About how many pairs of these queries and the field's points the first step computes where far boxes are left out.
///
/// A query's points within reach fill a ball; boxes that meet it stick out, by a box's width on either side. So of p points
/// within reach it sees `(p^(1/d) + 2 BOX^(1/d))^d`: of blobs 1.1 to 1.3 times what was counted on the line, 0.97 to 1.05 times in
/// the plane, and 1.1 to 1.9 times in space.
///
/// # Errors
/// As [`pairs_within`].
pub fn kept_within(options: &MeanShift, field: &Field, queries: &Queries) -> Result<f64> {
    let (n, d, m) = (f64::from(field.n), f64::from(field.d), f64::from(queries.m));
    let within = share_within(options, field, queries)? * n;
    let seen = (within.powf(1.0 / d) + 2.0 * (BOX as f64).powf(1.0 / d)).powf(d);
    Ok(m * seen.min(n))
}

/// Queries of a sample.
fn sampled(n: usize, m: usize) -> usize {
    // The sum of their counts has 32 bits.
    (LOOKS / n).clamp(QUERIES.0, QUERIES.1).min(m).min((u32::MAX as usize / n).max(1))
}

/// About how many pairs of a query and a point are no farther apart than `reach` bandwidths: of all queries where they are
/// few, else by a sample, of one query from each of equal parts of their order, at a place that is drawn. Of bandwidths of points
/// their mean is taken.
///
/// # Errors
/// Too little memory; whatever the device reports.
pub fn pairs_within(
    options: &MeanShift,
    field: &Field,
    (queries, points): (Columns<'_>, Columns<'_>),
    reach: f64,
) -> Result<u64> {
    let radius = options.distance.scaled(reach, options.weight.scale());
    count_pairs(&field.device, queries, points, (field.norm.p, radius))
}

/// The same for the distance of the p-norm, scaled.
///
/// # Errors
/// Too little memory; whatever the device reports.
pub fn count_pairs(device: &Device, queries: Columns<'_>, points: Columns<'_>, (p, radius): (f32, f64)) -> Result<u64> {
    let (m, n, d) = (queries.n, points.n, points.d);
    if m == 0 || n == 0 {
        return Ok(0);
    }
    let count = sampled(n, m);
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let part = |k: usize| (k * m / count, (k + 1) * m / count);
    let mut draw = |(start, end): (usize, usize)| random.random_range(start..end) as u32;
    let chosen: Vec<u32> = (0..count).map(|k| draw(part(k))).collect();
    let stride = Queries::stride_of(count);
    let mut columns = device.zeros(d * stride)?;
    device.launch(gather_columns::launch(
        queries.values,
        &device.upload(&chosen)?,
        &mut columns,
        count as u32,
        d as u32,
        queries.stride as u32,
        stride as u32,
    ))?;
    // The many, who have a thread for every few, look for the few.
    let sample = Columns { values: &columns, n: count, d, stride };
    let mut counts = count_within(device, points, sample, None, p, radius)?;
    let total = scan(device, &mut counts)?;
    let near = f64::from(device.download(&total)?[0]);
    Ok((near * m as f64 / count as f64).round() as u64)
}
