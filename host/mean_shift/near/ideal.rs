//! How many pairs are near enough to count: what no method could do without.

use gpu::layout::gather_columns;
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
    let radius = options.reach_of(n) * options.weight.scale();
    let within = pairs_within(&field.device, queries.as_columns(field.d), points, radius)?;
    Ok(within as f64 / (n as f64 * f64::from(queries.m)))
}

/// About how many pairs of a query and a point are no farther apart than `radius`, scaled: of all queries where they are
/// few, else by a sample, of one query from each of equal parts of their order, at a place that is drawn.
///
/// # Errors
/// Too little memory; whatever the device reports.
pub fn pairs_within(device: &Device, queries: Columns<'_>, points: Columns<'_>, radius: f64) -> Result<u64> {
    let (m, n, d) = (queries.n, points.n, points.d);
    if m == 0 || n == 0 {
        return Ok(0);
    }
    // The sum of their counts has 32 bits.
    let count = (LOOKS / n).clamp(QUERIES.0, QUERIES.1).min(m).min((u32::MAX as usize / n).max(1));
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
    let mut counts = count_within(device, points, sample, None, 2.0, radius)?;
    let total = scan(device, &mut counts)?;
    let near = f64::from(device.download(&total)?[0]);
    Ok((near * m as f64 / count as f64).round() as u64)
}
