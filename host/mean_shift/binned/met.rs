//! Points of the blurring form that have met.
//!
//! Within a few iterations a cluster is a point, in every bit. Where clusters draw each other in slowly, hundreds of iterations
//! follow, over points that are many and in few places: then a pair of places takes less time than a point or a node does.

use cuda_std::machine::MachineKind;
use gpu::layout::gather_columns;

use super::field::Field;
use crate::error::Result;
use crate::executor::{Buffer, Device};
use crate::mean_shift::MeanShift;
use crate::mean_shift::iterate::{Ends, Field as Exact, Iteration, Queries, Watch};
use crate::mean_shift::labels::Columns;
use crate::mean_shift::near::{self, Arranged};

/// Iterations behind which it is first looked how many places points are in, on a GPU and on a processor; then behind twice as
/// many, again and again. A look takes as long as two to five iterations of a processor, and on a GPU, by count, as some twenty.
const FIRST_LOOK: [usize; 2] = [64, 12];

/// So many pairs take less time than to add a point to a field and to read its step, or than a node.
const PAIRS: usize = 16;

/// What came of looking.
pub struct Met {
    /// The places that points have met in, if they are few.
    pub places: Option<Arranged>,
    /// The memory that it took.
    pub bytes: u128,
}

/// When it is looked next, and the memory that it took before.
pub struct Looks {
    next: usize,
    pub bytes: u128,
}

impl Looks {
    pub fn new(device: &Device) -> Self {
        Self { next: FIRST_LOOK[usize::from(device.machine() != MachineKind::Gpu)], bytes: 0 }
    }

    /// The places of the points of a field, in order, and how many points are in each, if it is time to look behind so many
    /// iterations, and there are few.
    pub fn look(
        &mut self,
        device: &Device,
        field: &Field,
        options: &MeanShift,
        (points, factors): (Columns<'_>, &Buffer<f32>),
        iterations: usize,
    ) -> Result<Option<Arranged>> {
        if iterations < self.next {
            return Ok(None);
        }
        self.next = 2 * iterations;
        let bytes = near::bytes(points.n, points.n, points.d);
        if bytes > device.available()? as u128 {
            return Ok(None);
        }
        self.bytes = bytes;
        let places = near::in_order(device, points, factors, options)?;
        let are_few = places.n.saturating_mul(places.n) <= PAIRS * (points.n + field.count());
        Ok(are_few.then_some(places))
    }
}

/// Moves places on, which the points of a fit had come to, and gives where the points are then.
pub fn go_on(options: &MeanShift, exact: &Exact, ends: Ends, places: Arranged, watch: Watch<'_>) -> Result<Ends> {
    let (device, d, done) = (&exact.device, exact.d, ends.history.len());
    // By the weights of all points: a place has that of one at least, if that is any.
    let reach = options.reach_of_all(exact)?;
    let options = options.clone().max_iterations(options.max_iterations - done);
    let mut watch = |iteration: Iteration| watch(Iteration { number: done + iteration.number, ..iteration });
    let Arranged { columns, marks, n, stride, number_of } = places;
    let few = Exact {
        device: device.clone(),
        columns: device.zeros(0)?,
        marks,
        n: n as u32,
        stride: stride as u32,
        few: None,
        tensor: None,
        ..*exact
    };
    let later = near::blur(&options, &few, columns, Some(reach), &mut watch)?;
    let Queries { m, stride, .. } = ends.queries;
    let of_points = |from: &Buffer<f32>, rows: u32| -> Result<Buffer<f32>> {
        let mut to = device.zeros(rows as usize * stride as usize)?;
        let from_stride = later.queries.stride;
        device.launch(gather_columns::launch(from, &number_of, &mut to, m, rows, from_stride, stride))?;
        Ok(to)
    };
    let columns = of_points(&later.queries.columns, d)?;
    let details = of_points(&later.details, 2)?;
    let history = [ends.history, later.history].concat();
    Ok(Ends { queries: Queries { columns, ..ends.queries }, details, history, pairs: 0, first: None, ..later })
}
