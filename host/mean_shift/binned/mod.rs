//! Mean shift in time that grows with n and not with its square: a binned field, for d = 1 to 5.
//!
//! Points are spread onto the nodes of a grid (gpu/spread.rs), which are convolved with the Gaussian, an axis at a
//! time (gpu/smooth.rs); then a step of a query is read from a few nodes (gpu/binned.rs). In the
//! standard form that field is built once, and in the blurring form for each iteration. Where the box is large and
//! most of it empty, only blocks of nodes where points and queries are are stored (gpu/blocks.rs). In four and five
//! dimensions nodes have more words and kernels of their own (gpu/many.rs), and are all stored.
//!
//! Spreading and reading are by cubic B-splines, whose smoothing the kernel undoes, rather than by linear weights
//! with a narrower Gaussian: with c nodes a bandwidth a step's error then goes as c^-4 instead of c^-2,
//! which for 1e-4 bandwidths takes 3 nodes a bandwidth instead of 16 and more, and in 3 dimensions a
//! hundredth of the memory. docs/clustering.md has the measurements.
//!
//! Source of the idea: Silverman, Kernel density estimation using the fast Fourier transform (1982); spreading
//! by splines: Essmann et al., A smooth particle mesh Ewald method (1995).

mod blocks;
mod field;
mod file;
mod grid;
mod met;
mod modes;
mod moves;
mod plan;
mod taps;
mod value;
mod verify;

#[cfg(test)]
mod tests;

use cuda_std::machine::MachineKind;

use super::builder::MeanShift;
use super::iterate::{Ends, Field as Exact, Queries, Watch};
use super::labels::extents;
use super::near;
use super::options::{Distance, Form, Method, WeightFunction};
use super::path::Path;
use super::prepare::Prepared;
use crate::error::Result;
use crate::executor::{Buffer, Device};
pub use modes::{FieldMode, FieldModes};
pub use value::DensityField;

use blocks::{Table, missing};
use field::{Field, exponent, no_run};
use gpu::blocks::held;
use grid::{FEW_DIMENSIONS, Grid, MOST_DIMENSIONS, MOST_NODES};
use plan::Plan;

/// Nodes from which it is worth a look whether most of the box is empty.
const LARGE: u128 = 1 << 22;

/// How many times as long an operation of nodes in blocks takes, their plan and their links included.
const IN_BLOCKS: f64 = 4.0;

/// Operations of nodes that take as long as a pair.
const OF_PAIR: f64 = 2.0;

/// Operations that take as long as to bring a node of more than three dimensions, its sums and its planes through memory.
const OF_MEMORY: f64 = 1500.0;

/// Operations of nodes that take as long as to add a point to one of the 4^d nodes about it, and to read a step from one: on a GPU, by
/// the rate of its atomics, and on a processor. Up to three dimensions a point touches few nodes, and that counts for nothing.
const OF_TAP: [[f64; 2]; 2] = [[750.0, 50.0], [22.0, 8.0]];

/// Iterations in which queries of the standard form come to rest, over one field; beyond three dimensions, whose nodes take much memory,
/// those that tiles take the time of, as they leave out queries at rest.
const OF_REST: [f64; 2] = [15.0, 5.0];

/// A field that serves for the accuracy, and what is known of its error.
#[derive(Debug)]
pub struct Binned {
    field: Field,
    /// Nodes of the box about all points and queries.
    box_nodes: u128,
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

/// About how many operations it takes to add n points and to read the steps of m queries, `times` for each build.
fn of_points(machine: MachineKind, d: usize, (n, m): (f64, f64), times: f64) -> f64 {
    let [add, read] = OF_TAP[usize::from(machine != MachineKind::Gpu)];
    if d > FEW_DIMENSIONS { 4_f64.powi(d as i32) * (add * n + read * m * times) } else { 0.0 }
}

/// About how many operations the nodes of a grid take for each build. There may be more of them than memory has bytes.
fn operations(grid: &Grid, nodes: u128) -> f64 {
    let taps = |&nodes: &u32| f64::from((2 * grid.reach + 1).min(nodes));
    let of_memory = if grid.d > FEW_DIMENSIONS { OF_MEMORY } else { 0.0 };
    nodes as f64 * (grid.nodes[..grid.d].iter().map(taps).sum::<f64>() * (grid.d + 2) as f64 + of_memory)
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
        for _ in 0..3 {
            let (grid, box_nodes) = Grid::however_large(&beside, scale, per_bandwidth, (total / least, self.accuracy));
            let mut field = match self.stored(device, prepared, queries, (grid, box_nodes))? {
                Ok(None) => {
                    device.prepare(&self.kernels_of_field(n, d, !prepared.field.marks.is_empty()));
                    Field::new(device, grid, exponent(total, largest), n)?
                }
                Ok(Some(plan)) => Field::in_blocks(device, grid, exponent(total, largest), n, plan)?,
                Err(why) => return Ok(Err(why)),
            };
            let mut state = no_run(device)?;
            field.add(device, points, self.factors(prepared), (&mut state, 0))?;
            // Queries may come to other blocks, whose nodes are made of the same points.
            let kept = field.plan().is_some() && self.form == Form::Standard;
            field.smooth(device, kept, (&mut state, 0))?;
            let exact = (&prepared.field, &prepared.field.columns);
            let sampled = verify::sampled_error(device, self, &field, exact, (queries, needed))?;
            if sampled <= self.accuracy + rounding {
                let bound = taps::error_bound(d, per_bandwidth);
                return Ok(Ok(Binned { field, box_nodes, bound, sampled, met: None, bytes_of_looks: 0 }));
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

    /// Whether all nodes of a grid are to be stored, or blocks; or why neither.
    fn stored(
        &self,
        device: &Device,
        prepared: &Prepared,
        queries: &Queries,
        (grid, nodes): (Grid, u128),
    ) -> Result<Result<Option<Plan>, Why>> {
        // In the blurring form a field is built for each iteration.
        let times = if self.form == Form::Blurring { 1.0 } else { OF_REST[usize::from(grid.d > FEW_DIMENSIONS)] };
        let counts = (f64::from(prepared.field.n), f64::from(queries.m));
        let of_grid = operations(&grid, nodes) + of_points(device.machine(), grid.d, counts, times);
        let (rival, its_name) = self.rival(&prepared.field, queries, of_grid, times)?;
        let room = device.available()? as u128 / 2;
        let whole = if nodes > grid.most_nodes() {
            let nodes = nodes as f64;
            Err(format!(
                "the bandwidth is small against the extent of the points: a field would have {nodes:.2e} nodes"
            ))
        } else if grid.bytes(1) > room {
            Err(format!("a field's {nodes} nodes do not fit the memory"))
        } else if of_grid > rival {
            Err(format!("a field's {nodes} nodes take longer than {its_name}"))
        } else {
            Ok(None)
        };
        if grid.d == 1 || grid.d > FEW_DIMENSIONS || nodes < LARGE || !grid.has_keys() {
            return Ok(whole);
        }
        let blocks_of = |places| -> Result<Option<Vec<u64>>> {
            let found = missing(device, &grid, &Table::new(device, &[])?, places)?;
            Ok(found.ok().filter(|keys| keys.len() as u128 * held(grid.d) as u128 <= MOST_NODES))
        };
        let summed = blocks_of(prepared.columns())?;
        let read = match self.form {
            Form::Blurring => summed.clone(),
            Form::Standard => blocks_of(queries.as_columns(grid.d as u32))?,
        };
        let (Some(summed), Some(read)) = (summed, read) else {
            return Ok(whole.map_err(|why| format!("{why}, and too many of them near points")));
        };
        let plan = Plan::new(grid.d, grid.reach, summed, read);
        let (of_blocks, stored) = (IN_BLOCKS * plan.operations(grid.reach), plan.nodes());
        if whole.is_ok() && of_blocks > operations(&grid, nodes) {
            return Ok(whole);
        }
        let whole = |why: &str| match whole {
            Ok(None) => Ok(None),
            Ok(Some(_)) => unreachable!("there is one plan"),
            Err(whole) => Err(format!("{whole}, and {stored} near points {why}")),
        };
        Ok(if plan.most_nodes() > MOST_NODES {
            whole("are too many")
        } else if plan.bytes(1) > room {
            whole("do not fit the memory")
        } else if of_blocks > rival {
            whole(&format!("take longer than {its_name}"))
        } else {
            Ok(Some(plan))
        })
    }

    /// The operations of what a field stands against, and what that is: all pairs, or those that are left where far boxes are left
    /// out, which takes a sample; so it is drawn only where the field's operations are many times as many.
    fn rival(&self, field: &Exact, queries: &Queries, operations: f64, times: f64) -> Result<(f64, &'static str)> {
        if self.method != Method::Auto {
            return Ok((f64::INFINITY, "nothing"));
        }
        let (mut pairs, mut name) = (f64::from(field.n) * f64::from(queries.m), "all pairs");
        if operations > 4.0 * near::looks(field.n as usize, queries.m as usize) {
            let kept = near::kept_within(self, field, queries)?;
            if kept < pairs {
                (pairs, name) = (kept, "the pairs within reach");
            }
        }
        Ok((OF_PAIR * times * pairs, name))
    }

    /// The factors of the points, or an empty buffer.
    fn factors<'a>(&self, prepared: &'a Prepared) -> &'a Buffer<f32> {
        &prepared.field.marks
    }
}

impl Binned {
    /// Nodes of the grid.
    pub fn nodes(&self) -> usize {
        self.field.count()
    }

    /// What of its box is stored, if not all.
    pub fn storage(&self) -> String {
        let Some(plan) = self.field.plan() else { return String::new() };
        let (stored, nodes) = (plan.stored, self.box_nodes as f64);
        format!(", in {stored} blocks near points, of a box of {nodes:.2e} nodes")
    }

    /// Nodes a bandwidth.
    pub fn per_bandwidth(&self) -> f64 {
        self.field.grid.per_bandwidth
    }

    /// Moves queries, or in the blurring form the points themselves, until they rest.
    pub fn move_queries(
        &mut self,
        device: &Device,
        options: &MeanShift,
        prepared: &Prepared,
        queries: Queries,
        watch: Watch<'_>,
    ) -> Result<Ends> {
        let exact = &prepared.field;
        let factors = options.factors(prepared);
        let ends = match options.form {
            Form::Standard => self.field.climb_anywhere(device, options, queries, watch)?,
            Form::Blurring => {
                let (ends, met) = self.field.blur_all(device, options, (queries, exact.d), factors, &mut *watch)?;
                self.bytes_of_looks = met.bytes;
                match met.places {
                    None => ends,
                    Some(places) => {
                        self.met = Some((places.n, ends.history.len()));
                        met::go_on(options, exact, ends, places, watch)?
                    }
                }
            }
        };
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
        let sampled = verify::sampled_error(device, options, &self.field, (exact, points), (&ends.queries, 0.0))?;
        self.sampled = if sampled <= self.sampled { self.sampled } else { sampled };
        Ok(ends)
    }

    /// Moves other queries of the standard form over the same field.
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
            blocks: self.field.plan().map(|plan| plan.stored),
            nodes_per_bandwidth: Some(self.per_bandwidth()),
        }
    }
}

/// The extents of two sets.
fn extents_of_both(a: &[(f64, f64)], b: &[(f64, f64)]) -> Vec<(f64, f64)> {
    a.iter().zip(b).map(|(a, b)| (a.0.min(b.0), a.1.max(b.1))).collect()
}
