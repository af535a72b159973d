//! Which nodes a field stores, by cost: all of its grid, blocks or patches; or why there is none.

use cuda_std::machine::MachineKind;
use gpu::blocks::held;

use super::Why;
use super::blocks::{Table, missing};
use super::grid::{FEW_DIMENSIONS, Grid, MOST_NODES};
use super::patches;
use super::pieces::{Patch, Pieces};
use super::plan::Plan;
use super::storage::Wanted;
use crate::error::Result;
use crate::executor::Device;
use crate::mean_shift::builder::MeanShift;
use crate::mean_shift::iterate::{Field as Exact, Queries};
use crate::mean_shift::near;
use crate::mean_shift::options::{Form, Method};
use crate::mean_shift::prepare::Prepared;

/// Nodes from which it is worth a look whether most of the box is empty.
const LARGE: u128 = 1 << 22;

/// How many times as long an operation of nodes in blocks takes, their plan and their links included.
const IN_BLOCKS: f64 = 4.0;

/// How many times as many operations nodes have to take as those of other patches, for these to be taken.
pub const WORTH: f64 = 1.5;

/// Operations of nodes that take as long as a pair.
const OF_PAIR: f64 = 2.0;

/// The part of a first iteration's pairs that an iteration of the blurring form has beside a grid in up to three dimensions: points that have
/// met are few, and all nodes are still there.
const OF_MET: f64 = 0.5;

/// Operations of nodes that take as long as to add a point to one of the 4^d nodes about it, and to read a step from one: on a GPU, by
/// the rate of its atomics, and on a processor. Up to three dimensions a point touches few nodes, and that counts for nothing.
const OF_TAP: [[f64; 2]; 2] = [[750.0, 50.0], [22.0, 8.0]];

/// Iterations in which queries of the standard form come to rest, over one field; beyond three dimensions, whose nodes take much memory,
/// those that tiles take the time of, as they leave out queries at rest.
const OF_REST: [f64; 2] = [15.0, 5.0];

/// About how many operations it takes in more than three dimensions to add n points and to read the steps of m queries, `times` for each
/// build.
pub fn of_points(machine: MachineKind, d: usize, (n, m): (f64, f64), times: f64) -> f64 {
    let [add, read] = OF_TAP[usize::from(machine != MachineKind::Gpu)];
    4_f64.powi(d as i32) * (add * n + read * m * times)
}

/// About how many operations the nodes of a grid take for each build, in up to three dimensions. There may be more of them than memory
/// has bytes.
fn operations(grid: &Grid, nodes: u128) -> f64 {
    let taps = |&nodes: &u32| f64::from((2 * grid.reach + 1).min(nodes));
    nodes as f64 * grid.nodes[..grid.d].iter().map(taps).sum::<f64>() * (grid.d + 2) as f64
}

/// Why a grid is not stored as a whole.
fn too_many(nodes: u128) -> Why {
    let nodes = nodes as f64;
    format!("the bandwidth is small against the extent of the points: a field would have {nodes:.2e} nodes")
}

impl MeanShift {
    /// Which nodes of a grid are to be stored; or why none.
    pub(super) fn stored(
        &self,
        device: &Device,
        prepared: &Prepared,
        queries: &Queries,
        (grid, nodes): (Grid, u128),
    ) -> Result<Result<Wanted, Why>> {
        if grid.d > FEW_DIMENSIONS {
            return self.stored_of_many(device, prepared, queries, (grid, nodes));
        }
        // In the blurring form a field is built for each iteration.
        let times = if self.form == Form::Blurring { 1.0 } else { OF_REST[0] };
        let of_grid = operations(&grid, nodes);
        let (rival, its_name) = self.rival(&prepared.field, queries, of_grid, times)?;
        let room = device.available()? as u128 / 2;
        let whole = if nodes > grid.most_nodes() {
            Err(too_many(nodes))
        } else if grid.bytes(1) > room {
            Err(format!("a field's {nodes} nodes do not fit the memory"))
        } else if of_grid > rival {
            Err(format!("a field's {nodes} nodes take longer than {its_name}"))
        } else {
            Ok(Wanted::All)
        };
        if grid.d == 1 || nodes < LARGE || !grid.has_keys() {
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
            Ok(whole) => Ok(whole),
            Err(whole) => Err(format!("{whole}, and {stored} near points {why}")),
        };
        Ok(if plan.most_nodes() > MOST_NODES {
            whole("are too many")
        } else if plan.bytes(1) > room {
            whole("do not fit the memory")
        } else if of_blocks > rival {
            whole(&format!("take longer than {its_name}"))
        } else {
            Ok(Wanted::Blocks(plan))
        })
    }

    /// The same in four and five dimensions.
    fn stored_of_many(
        &self,
        device: &Device,
        prepared: &Prepared,
        queries: &Queries,
        (grid, nodes): (Grid, u128),
    ) -> Result<Result<Wanted, Why>> {
        let times = if self.form == Form::Blurring { 1.0 } else { OF_REST[1] };
        let counts = (f64::from(prepared.field.n), f64::from(queries.m));
        let of_points = of_points(device.machine(), grid.d, counts, times);
        // Few queries: not worth a look at where the points are.
        if self.method == Method::Auto && of_points > OF_PAIR * times * counts.0 * counts.1 {
            return Ok(Err("to add the points to a field takes longer than all pairs".to_owned()));
        }
        let whole = [Patch::whole(&grid)];
        let of_grid = Pieces::operations_of(&grid, &whole, &whole);
        let mut wanted = if nodes > grid.most_nodes() { None } else { Some(Pieces::whole(&grid)) };
        let mut why = too_many(nodes);
        // Where points take longer than nodes, there is little to be had.
        if of_grid > of_points && patches::has_keys(&grid) {
            let summed = patches::about(device, &grid, prepared.columns())?;
            let read = match self.form {
                Form::Blurring => summed.clone(),
                Form::Standard => patches::about(device, &grid, queries.as_columns(grid.d as u32))?,
            };
            let pieces = summed.zip(read).map(|(summed, read)| Pieces::new(&grid, summed, read));
            match pieces {
                Some(Ok(pieces)) if of_grid > WORTH * pieces.operations || wanted.is_none() => wanted = Some(pieces),
                Some(Err(stored)) => why = format!("{why}, and {stored} near points"),
                None => why = format!("{why}, and too many of them near points"),
                _ => {}
            }
        }
        let Some(pieces) = wanted else { return Ok(Err(why)) };
        let stored = pieces.nodes()[1];
        let operations = pieces.operations + of_points;
        let (rival, its_name) = self.rival(&prepared.field, queries, operations, times)?;
        Ok(if pieces.bytes(1) > device.available()? as u128 / 2 {
            Err(format!("a field's {stored} nodes do not fit the memory"))
        } else if operations > rival {
            Err(format!("a field's {stored} nodes take longer than {its_name}"))
        } else {
            Ok(Wanted::Patches(pieces))
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
            let met = self.form == Form::Blurring && field.d as usize <= FEW_DIMENSIONS;
            let kept = if met { OF_MET * kept } else { kept };
            if kept < pairs {
                (pairs, name) = (kept, "the pairs within reach");
            }
        }
        Ok((OF_PAIR * times * pairs, name))
    }
}
