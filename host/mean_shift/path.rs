//! Which way iterations are computed, and why.

use cuda_std::machine::MachineKind;
use gpu::shift_any::Norm;
use gpu::steps::Steps;
use serde::Serialize;

use super::binned::{self, Binned};
use super::builder::MeanShift;
use super::iterate::{Ends, Field, Queries, Watch};
use super::near;
use super::options::{Form, Method};
use super::prepare::Prepared;
use super::tensor;
use crate::error::{Error, Result};
use crate::executor::Device;

/// Pairs of a query and a point below which an iteration over all of them takes no longer than to find a better
/// way. On a GPU that is some microseconds. On a processor it is a millisecond, and they are those of all iterations,
/// as far as these are foreseen, for what is found serves all of them.
pub(super) const FEW_PAIRS: f64 = (1_u64 << 24) as f64;

/// So many iterations are foreseen, if as many are allowed: to converge, fits make from four to hundreds.
const MANY_ITERATIONS: usize = 32;

/// Queries, also 16 for each dimension, to which a processor does not come as soon by putting points in order as by all pairs; and to
/// which it does not by adding points to a field.
const FEW_QUERIES: u32 = 256;
const FEW_QUERIES_OF_FIELD: u32 = 64;

/// Pairs from which on all of them take less time if the points are put in order before, some fifty launches: on a GPU, whose
/// kernels for it have to be loaded too, and on a processor.
const MANY_PAIRS: [f64; 2] = [(1_u64 << 30) as f64, (1_u64 << 26) as f64];

/// Dimensions beyond which boxes keep about all pairs, or only those of clusters that are apart.
const MANY_DIMENSIONS: usize = 16;

/// And the part of all pairs within reach from which on they keep about all of them there.
const MOST_WITHIN: f64 = 0.5;

/// How iterations were computed, and why so.
///
/// ```
/// use modeseek::{Bandwidth, MeanShift, Method};
///
/// let by_field = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).method(Method::Field);
/// let path = by_field.fit(&[[0.0], [0.2], [9.0]])?.path;
/// assert_eq!(path.name, "field");
/// // What was promised, and what was found.
/// assert!(path.sampled_error.unwrap() <= path.bound.unwrap());
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Path {
    /// `all pairs`, `composed`, `tiles` or `field`.
    pub name: &'static str,
    /// Why this one and no other.
    pub reason: String,
    /// The error of a step that is to be expected at most, in bandwidths, where steps are approximate.
    pub bound: Option<f64>,
    /// The largest error among a sample of queries, at the start and at the end, in bandwidths.
    pub sampled_error: Option<f64>,
    /// Bytes of device memory that it took beside the fit's own.
    #[serde(skip)]
    pub(super) memory: u128,
    /// Nodes of the field that are stored, at first.
    pub nodes: Option<usize>,
    /// Blocks or patches of nodes, where not all nodes of the box about the points are stored.
    pub blocks: Option<usize>,
    /// Nodes a bandwidth, along each axis.
    pub nodes_per_bandwidth: Option<f64>,
}

impl Path {
    /// A field over points that were read in parts.
    pub(crate) fn of_stream(bound: f64, nodes: usize) -> Self {
        let reason = "the points are read in parts, and are not kept";
        Self { bound: Some(bound), nodes: Some(nodes), ..Self::exact("field", reason) }
    }

    pub(crate) fn exact(name: &'static str, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self {
            name,
            reason,
            bound: None,
            sampled_error: None,
            memory: 0,
            nodes: None,
            blocks: None,
            nodes_per_bandwidth: None,
        }
    }
}

/// A way that was chosen.
pub(super) enum Way {
    /// All pairs, and why.
    AllPairs(String),
    /// The same, of points in an order in which boxes of them are small, and why.
    InOrder(String),
    /// All but those in tiles that are far, and why.
    Tiles(String),
    /// A field, and why.
    Field(Box<Binned>, String),
}

impl MeanShift {
    /// The way for these queries over the fit's points, where those with a smaller sum of weights than `least` are not going
    /// to take it.
    pub(super) fn choose_above(
        &self,
        device: &Device,
        prepared: &Prepared,
        queries: &Queries,
        least: f64,
    ) -> Result<Way> {
        let d = prepared.field.d as usize;
        let pairs = f64::from(prepared.field.n) * f64::from(queries.m);
        let all = |why: &str| {
            let many = MANY_PAIRS[usize::from(device.machine() != MachineKind::Gpu)];
            Ok(if pairs >= many && self.gains_by_order(device, &prepared.field, queries.m)? {
                Way::InOrder(format!("{why}; in order"))
            } else {
                Way::AllPairs(why.to_owned())
            })
        };
        match self.method {
            Method::Fused | Method::Composed { .. } => return all("asked for"),
            Method::Tiles => return Ok(Way::Tiles("asked for".to_owned())),
            Method::Field => {
                binned::applies(self, d).map_err(|why| Error::Conflict { what: "a binned field here", why })?;
            }
            Method::Auto => {
                if self.accuracy == 0.0 {
                    return all("exact steps were asked for");
                }
                let few = |by_field| {
                    self.are_few(device.machine(), (prepared.field.n, prepared.field.d), queries.m, by_field)
                };
                let applies = binned::applies(self, d);
                if few(applies.is_ok()) {
                    return all("there are few pairs");
                }
                if let Err(why) = applies {
                    return self.tiles_or_all(device, prepared, queries, why);
                }
            }
        }
        match self.binned(device, prepared, queries, least)? {
            Ok(field) => {
                let (per, storage) = (field.per_bandwidth(), field.storage());
                let dimensions = if d == 1 { "1 dimension".to_owned() } else { format!("{d} dimensions") };
                let why = match self.method {
                    Method::Field => "asked for".to_owned(),
                    _ => format!("the Gaussian in {dimensions}, with {per:.1} nodes a bandwidth"),
                };
                Ok(Way::Field(Box::new(field), why + &storage))
            }
            Err(why) if self.are_few(device.machine(), (prepared.field.n, prepared.field.d), queries.m, false) => {
                all(&why)
            }
            Err(why) => self.tiles_or_all(device, prepared, queries, &why),
        }
    }

    /// Whether a fit over all pairs of so many points and queries takes no longer than to find a better way: a field, or tiles.
    fn are_few(&self, machine: MachineKind, (n, d): (u32, u32), m: u32, by_field: bool) -> bool {
        let pairs = f64::from(n) * f64::from(m);
        let queries = if by_field { FEW_QUERIES_OF_FIELD } else { FEW_QUERIES.max(d.saturating_mul(16)) };
        if machine == MachineKind::Gpu || m < queries {
            return pairs < FEW_PAIRS;
        }
        pairs * (self.max_iterations.min(MANY_ITERATIONS) as f64) < FEW_PAIRS
    }

    /// Whether there is a step for these points that takes fewer operations in small boxes, and room to put them in order.
    fn gains_by_order(&self, device: &Device, field: &Field, m: u32) -> Result<bool> {
        let there_is = field.norm == Norm::L2 && field.marks.is_empty() && self.weight.steps().has_products(field.d);
        Ok(there_is && near::bytes(field.n as usize, m as usize, field.d as usize) <= device.available()? as u128 / 2)
    }

    /// What there is where a field does not serve.
    fn tiles_or_all(&self, device: &Device, prepared: &Prepared, queries: &Queries, why: &str) -> Result<Way> {
        let field = &prepared.field;
        if let Some((_, no)) = self.tiles_conflict() {
            return Ok(Way::AllPairs(format!("{why}; {no}")));
        }
        let (n, m, d) = (field.n as usize, queries.m as usize, field.d as usize);
        if near::bytes(n, m, d) > device.available()? as u128 / 2 {
            return Ok(Way::AllPairs(format!("{why}; there is too little memory to put points in order")));
        }
        let (tensor, many) = (field.wide_for(queries).is_some(), d > MANY_DIMENSIONS);
        let others = Steps::keeps_every_pair(device.machine(), field.d, field.norm, !field.marks.is_empty());
        if many && (tensor || others) {
            return Ok(Way::AllPairs(format!(
                "{why}; beyond {MANY_DIMENSIONS} dimensions the steps that leave out boxes of points take longer for a pair"
            )));
        }
        // In the blurring form what is left out grows as points draw together.
        if tensor || many && self.form == Form::Standard {
            let share = near::share_within(self, field, queries)?;
            let all = if tensor { tensor::outruns_tiles(field.d, share) } else { share > MOST_WITHIN };
            if all {
                return Ok(Way::AllPairs(format!("{why}; {:.0} % of the pairs are within reach", 100.0 * share)));
            }
        }
        Ok(Way::Tiles(why.to_owned()))
    }

    /// Moves queries of the standard form over the fit's points until they rest.
    pub(super) fn climb(
        &self,
        device: &Device,
        prepared: &Prepared,
        queries: Queries,
        watch: Watch<'_>,
    ) -> Result<Ends> {
        let needed = self.needed(prepared, &queries);
        let mut way = self.choose_above(device, prepared, &queries, needed)?;
        self.climb_above(&mut way, prepared, (queries, needed), watch)
    }

    /// [`climb`](Self::climb) by a way that was chosen for these queries above what they need.
    pub(super) fn climb_above(
        &self,
        way: &mut Way,
        prepared: &Prepared,
        (queries, needed): (Queries, f64),
        watch: Watch<'_>,
    ) -> Result<Ends> {
        if needed > 0.0 {
            self.climb_from_anywhere(way, prepared, queries, watch)
        } else {
            self.climb_by(way, prepared, queries, watch)
        }
    }

    /// Moves the fit's points, in the blurring form, until they rest.
    pub(super) fn blur_by(
        &self,
        way: &mut Way,
        prepared: &Prepared,
        points: Queries,
        watch: Watch<'_>,
    ) -> Result<Ends> {
        let field = &prepared.field;
        match way {
            Way::AllPairs(_) => field.blur(self, points.columns, watch),
            Way::InOrder(_) => near::blur(self, field, points.columns, None, watch),
            Way::Tiles(_) => near::blur(self, field, points.columns, Some(self.reach_of_all(field)?), watch),
            Way::Field(binned, _) => binned.blur(self, prepared, points, watch),
        }
    }

    /// [`climb`](Self::climb) by a way that was chosen for these queries, once or several times.
    pub(super) fn climb_by(
        &self,
        way: &mut Way,
        prepared: &Prepared,
        queries: Queries,
        watch: Watch<'_>,
    ) -> Result<Ends> {
        let field = &prepared.field;
        match way {
            Way::AllPairs(_) => field.climb(self, queries, watch),
            Way::InOrder(_) => near::climb(self, field, queries, None, watch),
            Way::Tiles(_) => near::climb(self, field, queries, Some(self.reach_of(field)?), watch),
            Way::Field(binned, _) => binned.climb(&field.device, self, queries, watch),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_few_by_iterations_and_queries() {
        let are_few =
            |machine, most, sizes, m, by| MeanShift::new().max_iterations(most).are_few(machine, sizes, m, by);
        for (n, d, m, most, on_gpu, on_processor) in [
            (724, 2, 724, 300, true, true),
            (725, 2, 725, 300, true, false),
            // The lecture's case.
            (1500, 2, 1500, 5, true, true),
            (1500, 2, 1500, 8, true, false),
            (4095, 8, 4095, 1, true, true),
            (4096, 8, 4096, 1, false, false),
            // Beside many points, few queries; in many dimensions more are few.
            (60_000, 2, 255, 300, true, true),
            (60_000, 2, 256, 300, true, false),
            (16_000, 32, 511, 300, true, true),
            (16_000, 32, 512, 300, true, false),
            (4000, u32::MAX, 4000, 300, true, true),
        ] {
            assert_eq!(are_few(MachineKind::Gpu, most, (n, d), m, false), on_gpu, "{n} x {d}, {m}");
            for machine in [MachineKind::Avx512, MachineKind::Avx2, MachineKind::Baseline] {
                assert_eq!(are_few(machine, most, (n, d), m, false), on_processor, "{n} x {d}, {m}");
            }
        }
        // A field is worth it for fewer queries.
        for (m, on_processor) in [(63, true), (64, false), (255, false)] {
            assert!(are_few(MachineKind::Gpu, 300, (60_000, 2), m, true));
            assert_eq!(are_few(MachineKind::Avx2, 300, (60_000, 2), m, true), on_processor);
        }
        assert!(are_few(MachineKind::Avx2, 300, (8_000, 2), 64, true));
    }
}
