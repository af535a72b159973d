//! The blurring form: points that move in order, and become fewer where they meet.

use cuda_std::machine::MachineKind;
use gpu::layout::gather_columns;
use gpu::merge::gather_numbers;
use gpu::retire::begin;
use gpu::steps::{Call, Sizes, Step};

use super::{Arranged, Boxes, DRIFT, First, in_order, pairs_within, purpose, slices_of};
use crate::error::Result;
use crate::executor::Buffer;
use crate::mean_shift::MeanShift;
use crate::mean_shift::iterate::{Ends, Field, Queries, Run, Watch};
use crate::mean_shift::labels::Columns;
use crate::mean_shift::rounds::Rounds;
use crate::mean_shift::slices::Slices;

/// The pairs that take several times as long as an order, at least and for each point: on a GPU, by count, where it is some 80
/// launches, a few looks of the host, and three nanoseconds a point; and on a processor, where it is a tour's 1,024 distances a
/// point at most, and sorting takes about as long. There half as many and up to eight times as many were tried
/// (docs/performance/fields-and-tiles.md).
const PAIRS_OF_AN_ORDER: [(u64, u64); 2] = [(1 << 33, 1 << 17), (0, 1 << 13)];

/// How far a run had come when points were put in order.
#[derive(Default)]
struct Progress {
    iterations: usize,
    pairs: u64,
}

impl Progress {
    fn of(run: &Run<'_>) -> Self {
        Self { iterations: run.done, pairs: run.pairs }
    }
}

/// Points on their way.
struct Points<'a> {
    options: &'a MeanShift,
    field: &'a Field,
    /// Where they are, in order.
    arranged: Arranged,
    /// Which of them each of the fit's points has become.
    place: Buffer<u32>,
    /// Where the next step puts them.
    next: Buffer<f32>,
    sums: Buffer<f32>,
    boxes: Boxes,
    slices: Slices,
    step: Step,
    /// How far a weight has to be looked at, in bandwidths, if not as far as there are points.
    reach: Option<f64>,
}

impl<'a> Points<'a> {
    fn new(
        options: &'a MeanShift,
        field: &'a Field,
        points: Columns<'_>,
        marks: &Buffer<f32>,
        reach: Option<f64>,
    ) -> Result<Self> {
        let (device, norm) = (&field.device, field.norm);
        let mut arranged = in_order(device, points, marks, options)?;
        let (n, d) = (arranged.n, points.d);
        let marked = !arranged.marks.is_empty();
        Ok(Self {
            options,
            field,
            place: std::mem::replace(&mut arranged.number_of, device.zeros(0)?),
            next: device.zeros(arranged.columns.len())?,
            sums: device.zeros(2 * arranged.stride)?,
            boxes: Boxes::new(device, (n, n, d), purpose(options, field, marked, reach))?,
            slices: slices_of(field, (n as u32, n as u32), marked, reach)?,
            step: options.weight.steps().choose_near(d as u32, norm, marked),
            reach,
            arranged,
        })
    }

    /// Whether the order that was made then is to be made anew: points have moved far, or so many pairs were computed since
    /// that finding those which have met costs little beside them. Near rest points move little, but nearly all have met.
    fn is_to_be_rearranged(&self, run: &Run<'_>, then: &Progress) -> bool {
        let Some(reach) = self.reach else { return false };
        let moved: f64 = run.history[then.iterations..].iter().sum();
        let (least, of_each) = PAIRS_OF_AN_ORDER[usize::from(self.field.device.machine() != MachineKind::Gpu)];
        let many = least.max(self.arranged.n as u64 * of_each);
        // In a single iteration few have met.
        let may_have_met = run.done - then.iterations > 1 && run.pairs - then.pairs > many;
        moved > DRIFT * reach || may_have_met
    }

    /// Puts them in order anew, where they are now.
    fn rearrange(&mut self) -> Result<()> {
        let (device, places) = (&self.field.device, self.place.len());
        let anew = Self::new(self.options, self.field, self.arranged.points(), &self.arranged.marks, self.reach)?;
        let before = std::mem::replace(self, anew);
        // Those numbers are of the points before.
        let mut place = device.zeros(places)?;
        device.launch(gather_numbers::launch(&self.place, &before.place, &mut place, places as u32))?;
        self.place = place;
        Ok(())
    }

    /// Tells a run how many there are.
    fn begin(&self, run: &mut Run<'_>) -> Result<()> {
        let device = &self.field.device;
        let mut ids = device.zeros(self.arranged.n)?;
        device.launch(begin::launch(&mut ids, &mut run.state, self.arranged.n as u32))
    }

    /// Launches so many steps, each the other way between the two buffers.
    fn steps(&mut self, run: &mut Run<'_>, count: usize) -> Result<()> {
        let Arranged { columns: here, marks, n, stride, .. } = &mut self.arranged;
        let (n, stride) = (*n, *stride);
        let (device, d, norm) = (&self.field.device, self.field.d as usize, self.field.norm);
        for step in 0..count {
            let [from, to] = if step % 2 == 0 { [&mut *here, &mut self.next] } else { [&mut self.next, &mut *here] };
            let points = Columns { values: from, n, d, stride };
            self.boxes.of_points(device, points, marks)?;
            self.boxes.of_queries(device, points)?;
            let [n, d, stride] = [n, d, stride].map(|size| size as u32);
            let launch = (self.step)(Call {
                queries: &*from,
                points: &*from,
                marks: &*marks,
                next: to,
                sums: &mut self.sums,
                state: &mut run.state,
                sizes: Sizes { n, d, stride, query_stride: stride, most: n },
                limit: run.limit as u32,
                tolerance: self.options.scaled_tolerance(),
                relaxation: 1.0,
                norm,
                near: Some(self.boxes.as_call()),
                slices: self.slices.lend(),
            });
            device.launch(self.options.in_blocks_in_order((d, norm), !marks.is_empty(), launch))?;
        }
        Ok(())
    }

    /// Where the fit's points are, and what is known of them, in their own order.
    fn ends(&self, n: usize) -> Result<(Queries, Buffer<f32>)> {
        let stride = Queries::stride_of(n);
        let spread = |from: &Buffer<f32>, d: usize| -> Result<Buffer<f32>> {
            let mut to = self.field.device.zeros(d * stride)?;
            let (d, from_stride, stride) = (d as u32, self.arranged.stride as u32, stride as u32);
            let launch = gather_columns::launch(from, &self.place, &mut to, n as u32, d, from_stride, stride);
            self.field.device.launch(launch)?;
            Ok(to)
        };
        let columns = spread(&self.arranged.columns, self.field.d as usize)?;
        Ok((Queries::new(columns, n, stride), spread(&self.sums, 2)?))
    }
}

/// [`Field::blur`] that leaves out what is farther than the reach, in bandwidths; or, if there is none, takes all pairs in order.
pub fn blur(
    options: &MeanShift,
    field: &Field,
    columns: Buffer<f32>,
    reach: Option<f64>,
    watch: Watch<'_>,
) -> Result<Ends> {
    let (device, n) = (&field.device, field.n as usize);
    let all = Columns { values: &columns, n, d: field.d as usize, stride: field.stride as usize };
    let mut points = Points::new(options, field, all, &field.marks, reach)?;
    drop(columns);
    let mut run = Run::new(device, options, watch)?;
    points.begin(&mut run)?;
    let here = points.arranged.points();
    let mut first = First::of(reach, |reach| pairs_within(options, field, (here, here), reach))?;
    let (mut rounds, mut arranged) = (Rounds::new(device, run.limit), Progress::default());
    loop {
        let done = run.done;
        // The first step is a round of its own, so that its pairs are known.
        if rounds.queued() == 0 && first.is_some() {
            rounds.queue_first(|numbers| points.steps(&mut run, numbers.len()))?;
        } else {
            // SAFETY: steps of a parity have the same buffers, which live until the points are rearranged: then rounds
            // begin anew.
            unsafe { rounds.queue(|numbers| points.steps(&mut run, numbers.len())) }?;
        }
        let goes_on = run.look(device, rounds.queued())?;
        // Steps behind the last iteration left everything as it was.
        if (run.done - done) % 2 == 1 {
            std::mem::swap(&mut points.arranged.columns, &mut points.next);
        }
        if let (Some(first), 1) = (&mut first, rounds.queued()) {
            first.kept = run.pairs;
        }
        if !goes_on {
            break;
        }
        if points.is_to_be_rearranged(&run, &arranged) {
            arranged = Progress::of(&run);
            // Fewer points may be moved by another kernel, which is not loaded while launches are recorded.
            rounds.begin_anew();
            points.rearrange()?;
            points.begin(&mut run)?;
        }
    }
    drop(rounds);
    let (queries, details) = points.ends(n)?;
    Ok(Ends { first, ..run.ends(queries, details) })
}
