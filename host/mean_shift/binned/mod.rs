//! Mean shift in time that grows with n and not with its square: a binned field, for d = 1 to 5.
//!
//! Points are spread onto the nodes of a grid (gpu/spread.rs), which are convolved with the Gaussian, an axis at a
//! time (gpu/smooth.rs); then a step of a query is read from a few nodes (gpu/binned.rs). In the
//! standard form that field is built once, and in the blurring form for each iteration. Where the box is large and
//! most of it empty, only blocks of nodes where points and queries are are stored (gpu/blocks.rs). In four and five
//! dimensions nodes have more words and kernels of their own, and stand in patches (gpu/many.rs).
//!
//! Spreading and reading are by cubic B-splines, whose smoothing the kernel undoes, rather than by linear weights
//! with a narrower Gaussian: with c nodes a bandwidth a step's error then goes as c^-4 instead of c^-2,
//! which for 1e-4 bandwidths takes 3 nodes a bandwidth instead of 16 and more, and in 3 dimensions a
//! hundredth of the memory. docs/clustering.md has the measurements.
//!
//! Source of the idea: Silverman, Kernel density estimation using the fast Fourier transform (1982); spreading
//! by splines: Essmann et al., A smooth particle mesh Ewald method (1995).

mod blocks;
mod choose;
mod field;
mod file;
mod grid;
mod met;
mod modes;
mod moves;
mod partition;
mod patches;
mod pieces;
mod plan;
mod storage;
mod taps;
mod value;
mod verify;

#[cfg(test)]
mod tests;

use super::builder::MeanShift;
use super::iterate::{Ends, Queries, Watch};
use super::labels::extents;
use super::options::{Distance, Form, WeightFunction};
use super::path::Path;
use super::prepare::Prepared;
use crate::error::Result;
use crate::executor::{Buffer, Device};
pub use modes::{FieldMode, FieldModes};
pub use value::DensityField;

use field::{Field, exponent, lightest, no_run};
use grid::{FEW_DIMENSIONS, Grid, MOST_DIMENSIONS};
use storage::Wanted;

/// A field that serves for the accuracy, and what is known of its error.
#[derive(Debug)]
pub struct Binned {
    field: Field,
    /// Nodes of the box about all points and queries.
    box_nodes: u128,
    /// Nodes that were stored at first, and the blocks or patches they are in, if not all are.
    nodes: usize,
    parts: Option<usize>,
    /// The error of a step that is to be expected at most, in bandwidths.
    pub bound: f64,
    /// The largest error of a sample, in bandwidths.
    pub sampled: f64,
    /// In how many places points were, and behind how many iterations, if pairs of these took the field's place.
    met: Option<(usize, usize)>,
    /// The memory that it took to look.
    bytes_of_looks: u128,
}

/// Why there is no field.
pub type Why = String;

/// Whether a field can give what the options ask for, wherever the points are; else why not.
pub fn applies(options: &MeanShift, d: usize) -> Result<(), &'static str> {
    if d > MOST_DIMENSIONS {
        return Err("a binned field has at most 5 dimensions");
    }
    if options.weight != WeightFunction::Gaussian {
        return Err("a binned field needs the Gaussian, the one weight that is a product over dimensions and smooth");
    }
    if options.distance != Distance::L2 {
        return Err("a binned field needs the 2-norm");
    }
    if options.bandwidth.is_of_points() {
        return Err("a binned field needs one bandwidth for all points");
    }
    if options.relaxation != 1.0 {
        return Err("over-relaxed queries may leave the grid of a binned field");
    }
    Ok(())
}

impl MeanShift {
    /// The sum, the least and the largest of the points' factors, without those that are 0.
    pub(super) fn factors_of(&self, prepared: &Prepared) -> (f64, f64, f64) {
        let Some(weights) = self.weights_in(prepared.unit) else { return (f64::from(prepared.field.n), 1.0, 1.0) };
        let all = weights.into_iter().map(f64::from).filter(|&weight| weight > 0.0);
        all.fold((0.0, f64::INFINITY, 0.0), |(sum, least, largest), x| (sum + x, x.min(least), x.max(largest)))
    }

    /// A field over the fit's points for these queries, which need not be points, but for those with a smaller sum of weights
    /// than `needed`; or why there is none.
    pub(super) fn binned(
        &self,
        device: &Device,
        prepared: &Prepared,
        queries: &Queries,
        needed: f64,
    ) -> Result<Result<Binned, Why>> {
        let (n, d) = (prepared.field.n as usize, prepared.field.d as usize);
        let points = prepared.columns();
        let beside = extents_of_both(&extents(device, points)?, &extents(device, queries.as_columns(d as u32))?);
        let (total, least, largest) = self.factors_of(prepared);
        let scale = self.weight.scale();
        // Far from the centre coordinates themselves are no better than f32: the ends of two steps may differ by so much, in
        // bandwidths, in each of d coordinates, whatever the nodes.
        let farthest = beside.iter().map(|(low, high)| low.abs().max(high.abs())).fold(0.0, f64::max);
        let rounding = (d as f64).sqrt() * farthest * f64::from(f32::EPSILON) / scale;
        let mut per_bandwidth = taps::nodes_for(d, self.accuracy);
        let exponent = exponent(total, largest);
        for _ in 0..3 {
            let bound = taps::error_bound(d, per_bandwidth);
            if least < lightest(exponent, d, bound) {
                return Ok(Err("a field's sums do not hold weights of points that are so far apart".to_owned()));
            }
            let (grid, box_nodes) = Grid::however_large(&beside, scale, per_bandwidth, (total / least, self.accuracy));
            let wanted = match self.stored(device, prepared, queries, (grid, box_nodes))? {
                Ok(wanted) => wanted,
                Err(why) => return Ok(Err(why)),
            };
            if !matches!(wanted, Wanted::Blocks(_)) {
                device.prepare(&self.kernels_of_field(n, d, !prepared.field.marks.is_empty()));
            }
            let mut field = Field::new(device, grid, exponent, n, wanted)?;
            let mut state = no_run(device)?;
            field.add(device, points, self.factors(prepared), (&mut state, 0))?;
            // Queries may come to where others are wanted, which are made of the same points.
            let kept = field.follows() && self.form == Form::Standard;
            field.smooth(device, kept, (&mut state, 0))?;
            if self.form == Form::Blurring
                && needed > 0.0
                && !self.reaches_weightless(&field, prepared, queries, needed)?
            {
                return Ok(Err("points that weigh nothing are far from those that do".to_owned()));
            }
            let exact = (&prepared.field, &prepared.field.columns);
            let sampled = verify::sampled_error(device, self, &field, exact, (queries, needed))?;
            if sampled <= self.accuracy + rounding {
                let (nodes, parts) = (field.count(), field.parts());
                let binned = Binned { field, box_nodes, nodes, parts, bound, sampled, met: None, bytes_of_looks: 0 };
                return Ok(Ok(binned));
            }
            // The error goes as the fourth power.
            let finer = per_bandwidth * (sampled / self.accuracy).powf(0.25) * 1.2;
            if per_bandwidth >= taps::MOST {
                break;
            }
            per_bandwidth = finer.min(taps::MOST);
        }
        Ok(Err(format!(
            "a field's steps were off by more than {:.0e} bandwidths, by a sample of queries",
            self.accuracy
        )))
    }

    /// Whether each of the points that weigh nothing has a sum of weights of `needed` at least. In the blurring form they move
    /// with the others, and have no other way (anywhere.rs).
    fn reaches_weightless(&self, field: &Field, prepared: &Prepared, points: &Queries, needed: f64) -> Result<bool> {
        let (device, d) = (&prepared.field.device, prepared.field.d);
        let weights = self.weights_in(prepared.unit).unwrap_or_default();
        let without: Vec<u32> = (0..points.m).filter(|&i| weights[i as usize] == 0.0).collect();
        let mut queries = points.picked(device, d, &without)?;
        let (mut details, mut state) =
            (device.zeros(3 * queries.stride as usize)?, prepared.field.one_step(queries.m)?);
        field.climb(device, &mut queries, &mut details, &mut state, (1, 1, 0.0))?;
        let sums = device.download_first(&details, without.len())?;
        Ok(sums.into_iter().all(|sum| f64::from(sum) >= needed))
    }

    /// The factors of the points, or an empty buffer.
    fn factors<'a>(&self, prepared: &'a Prepared) -> &'a Buffer<f32> {
        &prepared.field.marks
    }
}

impl Binned {
    /// Nodes that were stored at first.
    pub fn nodes(&self) -> usize {
        self.nodes
    }

    /// What of its box is stored, if not all.
    pub fn storage(&self) -> String {
        let (Some(parts), nodes) = (self.parts, self.box_nodes as f64) else { return String::new() };
        let what = if self.field.grid.d > FEW_DIMENSIONS { "patches about" } else { "blocks near" };
        format!(", in {parts} {what} points, of a box of {nodes:.2e} nodes")
    }

    /// Nodes a bandwidth.
    pub fn per_bandwidth(&self) -> f64 {
        self.field.grid.per_bandwidth
    }

    /// Moves the points themselves, until they rest.
    pub fn blur(
        &mut self,
        options: &MeanShift,
        prepared: &Prepared,
        points: Queries,
        watch: Watch<'_>,
    ) -> Result<Ends> {
        let (exact, factors) = (&prepared.field, options.factors(prepared));
        let (ends, met) = self.field.blur_all(&exact.device, options, (points, exact.d), factors, &mut *watch)?;
        self.bytes_of_looks = met.bytes;
        let Some(places) = met.places else { return Ok(ends) };
        self.met = Some((places.n, ends.history.len()));
        met::go_on(options, exact, ends, places, watch)
    }

    /// Compares steps where a fit's queries have ended, but for those with a smaller sum of weights than `needed`.
    pub fn check_ends(&mut self, options: &MeanShift, prepared: &Prepared, ends: &Ends, needed: f64) -> Result<()> {
        let (exact, factors) = (&prepared.field, options.factors(prepared));
        let device = &exact.device;
        // In the blurring form the ends are the points now, over which a step would go on.
        let places = ends.queries.as_columns(exact.d);
        let points = if options.form == Form::Standard {
            self.field.follow_queries(device, places)?;
            &exact.columns
        } else {
            let mut state = no_run(device)?;
            self.field.follow_points(device, places)?;
            self.field.add(device, places, factors, (&mut state, 0))?;
            self.field.smooth(device, false, (&mut state, 0))?;
            &ends.queries.columns
        };
        let sampled = verify::sampled_error(device, options, &self.field, (exact, points), (&ends.queries, needed))?;
        self.sampled = if sampled <= self.sampled { self.sampled } else { sampled };
        Ok(())
    }

    /// Moves queries of the standard form over the field.
    pub fn climb(&mut self, device: &Device, options: &MeanShift, queries: Queries, watch: Watch<'_>) -> Result<Ends> {
        self.field.climb_anywhere(device, options, queries, watch)
    }

    /// What to tell.
    pub fn path(&self, mut reason: String) -> Path {
        if let Some((places, iterations)) = self.met {
            reason += &format!("; pairs of {places} places, where points had met, behind iteration {iterations}");
        }
        Path {
            name: "field",
            reason,
            bound: Some(self.bound),
            sampled_error: Some(self.sampled),
            memory: self.field.bytes() + self.bytes_of_looks,
            nodes: Some(self.nodes()),
            blocks: self.parts,
            nodes_per_bandwidth: Some(self.per_bandwidth()),
        }
    }
}

/// The extents of two sets.
fn extents_of_both(a: &[(f64, f64)], b: &[(f64, f64)]) -> Vec<(f64, f64)> {
    a.iter().zip(b).map(|(a, b)| (a.0.min(b.0), a.1.max(b.1))).collect()
}
