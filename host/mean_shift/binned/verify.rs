//! How far a field's steps are from exact ones, by a sample of queries.

use gpu::layout::gather_columns;

use super::field::Field;
use crate::error::Result;
use crate::executor::{Buffer, Device};
use crate::mean_shift::MeanShift;
use crate::mean_shift::iterate::{self, Queries};

/// Pairs that a check may take: a tenth of a second on two cores.
const PAIRS: usize = 400_000_000;

/// The least and the most queries of a sample.
const QUERIES: (usize, usize) = (16, 256);

/// The part of few queries that a sample has, and the fewest: where all are in it, to look takes longer than to climb.
const PART: usize = 4;
const FEW: usize = 32;

/// Queries that a sample of m has, over n points.
pub fn sample_size(m: usize, n: usize) -> usize {
    (PAIRS / n).clamp(QUERIES.0, QUERIES.1).min((m / PART).max(FEW)).min(m)
}

/// The largest distance, in bandwidths, between a step over the field and the exact one over `points`, of queries
/// that are drawn evenly from `queries` and have a sum of weights of `needed` at least.
pub fn sampled_error(
    device: &Device,
    options: &MeanShift,
    field: &Field,
    (exact, points): (&iterate::Field, &Buffer<f32>),
    (queries, needed): (&Queries, f64),
) -> Result<f64> {
    let (m, d) = (queries.m as usize, exact.d as usize);
    let count = sample_size(m, exact.n as usize);
    let stride = Queries::stride_of(count);
    // In the middle of equal parts, so that order by place or by cluster is no harm.
    let chosen: Vec<u32> = (0..count).map(|k| ((2 * k + 1) * m / (2 * count)) as u32).collect();
    let mut columns = device.zeros(d * stride)?;
    device.launch(gather_columns::launch(
        &queries.columns,
        &device.upload(&chosen)?,
        &mut columns,
        count as u32,
        d as u32,
        queries.stride,
        stride as u32,
    ))?;
    let mut sample = Queries::new(columns, count, stride);
    let stepped = exact.step_once(points, &sample)?;
    let mut details = device.zeros(3 * stride)?;
    let mut state = exact.one_step(count as u32)?;
    field.climb(device, &mut sample, &mut details, &mut state, (1, 1, 0.0))?;
    let len = sample.columns.len();
    let (here, there) = (device.begin_download(&sample.columns, len)?, device.begin_download(&stepped.next, len)?);
    let sums = device.begin_download(&stepped.sums, count)?;
    let (here, there, sums) = (here.wait()?, there.wait()?, sums.wait()?);
    let apart =
        |i: usize| (0..d).map(|c| f64::from(here[c * stride + i] - there[c * stride + i]).powi(2)).sum::<f64>().sqrt();
    // A query out of reach of all points does not move, or moves by what counts for nothing.
    let largest = (0..count).filter(|&i| sums[i] > f32::MIN_POSITIVE && f64::from(sums[i]) >= needed).map(apart);
    // Written so that a NaN stays.
    let largest = largest.fold(0.0, |largest, apart| if apart <= largest { largest } else { apart });
    Ok(largest / options.weight.scale())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_a_part_of_few_queries() {
        for (m, n, expected) in [
            (1, 1, 1),
            (31, 100_000, 31),
            (117, 100_000, 32),
            (500, 500, 125),
            (1024, 1024, 256),
            (1_000_000, 1_000_000, 256),
            (1_000_000, 4_000_000, 100),
            (1_000_000, 1 << 30, 16),
            (20, 1 << 30, 16),
        ] {
            assert_eq!(sample_size(m, n), expected, "{m} queries of {n} points");
        }
    }
}
