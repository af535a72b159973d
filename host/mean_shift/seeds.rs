//! Where the queries of the standard form start.

use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;

use gpu::layout::STRIDE;

use super::builder::MeanShift;
use super::iterate::Queries;
use super::labels::occupied_bins;
use super::options::{Distance, Seeding};
use super::prepare::Prepared;
use crate::error::{Error, Result};
use crate::executor::Device;

impl MeanShift {
    /// The queries, and what to tell of them.
    pub(super) fn seeds(&self, device: &Device, prepared: &mut Prepared) -> Result<Queries> {
        let n = prepared.field.n as usize;
        match &self.seeding {
            Seeding::EveryPoint => every_point(device, prepared),
            Seeding::At(points) => prepared.scaling.queries(device, points, "the seeds"),
            &Seeding::Random { count, seed } => {
                if count > n {
                    prepared.notes.push(format!("there are {n} points for {count} random seeds: all points are seeds"));
                }
                random(device, prepared, count, seed)
            }
            &Seeding::Share { share, confidence, seed } => {
                let count = enough(share, confidence);
                prepared.notes.push(format!("{} random seeds", count.min(n)));
                random(device, prepared, count, seed)
            }
            &Seeding::Bins { min_frequency } => self.bins(device, prepared, min_frequency),
        }
    }

    fn bins(&self, device: &Device, prepared: &mut Prepared, min_frequency: u32) -> Result<Queries> {
        let points = prepared.columns();
        if points.d > Self::MOST_BIN_DIMENSIONS {
            return Err(Error::Undefined {
                what: "seeding by bins",
                why: "beyond 20 dimensions, where every point has a bin of its own; take random seeds",
            });
        }
        if self.distance == Distance::Cosine || prepared.per_dimension.is_some() {
            let what = "seeding by bins here";
            return Err(Error::Conflict { what, why: "bins need one bandwidth in units of the data" });
        }
        let centre = device.upload(&prepared.scaling.centre)?;
        let (factor, minimum) = (prepared.scaling.factors[0], min_frequency as usize);
        let masses = self.masses(device, prepared)?;
        match occupied_bins(device, points, masses.as_ref(), factor, &centre, prepared.h, minimum)? {
            None => {
                prepared.notes.push("every point has a bin of its own: all points are seeds".to_owned());
                every_point(device, prepared)
            }
            Some(bins) if bins.count == 0 => Err(Error::Undefined {
                what: Error::NO_SEEDS,
                why: "and no bin has that many points; ask for fewer (--min-bin-frequency)",
            }),
            Some(bins) => Ok(Queries::new(bins.columns, bins.count, bins.stride)),
        }
    }
}

/// Every point is a query; the field keeps its own copy.
pub(super) fn every_point(device: &Device, prepared: &Prepared) -> Result<Queries> {
    let (n, centre) = (prepared.field.n as usize, &prepared.scaling.centre);
    let columns = prepared.scaling.columns(device, &prepared.rows, centre, n)?;
    Ok(Queries::at_points(columns, n, Queries::stride_of(n)))
}

/// Some of the points, drawn without replacement.
fn random(device: &Device, prepared: &Prepared, count: usize, seed: u64) -> Result<Queries> {
    let (n, count) = (prepared.field.n as usize, count.min(prepared.field.n as usize));
    let mut drawn = sample(&mut ChaCha8Rng::seed_from_u64(seed), n, count).into_vec();
    drawn.sort_unstable();
    let drawn: Vec<u32> = drawn.into_iter().map(|i| i as u32).collect();
    let (d, stride) = (prepared.field.d, count.next_multiple_of(STRIDE));
    let mut columns = device.zeros(stride * d as usize)?;
    let (drawn, from) = (device.upload(&drawn)?, &prepared.field.columns);
    let sizes = (count as u32, d, prepared.field.stride, stride as u32);
    device.launch(gpu::layout::gather_columns::launch(
        from,
        &drawn,
        &mut columns,
        sizes.0,
        sizes.1,
        sizes.2,
        sizes.3,
    ))?;
    Ok(Queries::at_points(columns, count, stride))
}

/// How many random points hit every cluster of at least this share: a cluster is missed with probability
/// (1 - share)^count, and there are at most 1 / share of them.
pub(super) fn enough(share: f64, confidence: f64) -> usize {
    (((1.0 - confidence) * share).ln() / (-share).ln_1p()).ceil() as usize
}

#[cfg(test)]
mod tests {
    use super::enough;

    #[test]
    fn enough_seeds_miss_no_cluster() {
        let count = enough(0.1, 0.99);
        let missed = |count: usize| 10.0 * 0.9_f64.powi(count as i32);
        assert!(missed(count) <= 0.01 && missed(count - 1) > 0.01, "{count}");
    }
}
