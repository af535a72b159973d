//! The standard form: queries in order, over points that are.

use gpu::layout::gather_columns;
use gpu::merge::gather_numbers;
use gpu::retire::{begin, flag_moving, retire};
use gpu::steps::{Call, Sizes, Step};

use super::{Arranged, Boxes, CELLS, DRIFT, First, Wanted, arrange, order, pairs_within, purpose, slices_of};
use crate::error::Result;
use crate::executor::Buffer;
use crate::mean_shift::MeanShift;
use crate::mean_shift::iterate::{Ends, Field, Queries, Run, Watch};
use crate::mean_shift::labels::{Columns, ScanRoom};
use crate::mean_shift::rounds::Rounds;
use crate::mean_shift::slices::Slices;

/// Queries on their way.
struct Climb<'a> {
    options: &'a MeanShift,
    field: &'a Field,
    points: Arranged,
    boxes: Boxes,
    slices: Slices,
    step: Step,
    /// Where the active ones are, the first of these columns.
    queries: Queries,
    /// The identity of each, and room for as many.
    ids: Buffer<u32>,
    kept_ids: Buffer<u32>,
    /// Where the next step puts them.
    next: Buffer<f32>,
    sums: Buffer<f32>,
    /// For each query that goes on, its place among those that do.
    slots: Buffer<u32>,
    scan: ScanRoom,
    /// Where each ended, by its identity, and what is known of it.
    ends: Buffer<f32>,
    details: Buffer<f32>,
    /// At least the number of active queries.
    most: u32,
}

impl<'a> Climb<'a> {
    fn new(options: &'a MeanShift, field: &'a Field, queries: Queries, reach: Option<f64>) -> Result<Self> {
        let (device, n, d) = (&field.device, field.n as usize, field.d as usize);
        let all = Columns { values: &field.columns, n, d, stride: field.stride as usize };
        let points = arrange(device, all, &field.marks, options.weight.scale() / CELLS, queries.m as usize)?;
        let (m, stride) = (queries.m as usize, queries.stride as usize);
        let marked = !points.marks.is_empty();
        let mut boxes = Boxes::new(device, (points.n, m, d), purpose(options, field, marked, reach))?;
        boxes.of_points(device, points.points(), &points.marks)?;
        Ok(Self {
            options,
            field,
            boxes,
            slices: slices_of(field, (points.n as u32, queries.m), marked, reach)?,
            step: options.weight.steps().choose_near(field.d, field.norm, marked),
            points,
            ids: device.zeros(m)?,
            kept_ids: device.zeros(m)?,
            next: device.zeros(d * stride)?,
            sums: device.zeros(2 * stride)?,
            slots: device.zeros(m)?,
            scan: ScanRoom::new(device, m)?,
            ends: device.zeros(d * stride)?,
            details: device.zeros(3 * stride)?,
            most: queries.m,
            queries,
        })
    }

    /// The first `active` queries.
    fn active(&self, active: u32) -> Columns<'_> {
        let Queries { columns, stride, .. } = &self.queries;
        Columns { values: columns, n: active as usize, d: self.field.d as usize, stride: *stride as usize }
    }

    /// Puts the active queries in order, where they are now; there are no others behind them.
    fn rearrange(&mut self, active: u32) -> Result<()> {
        let device = &self.field.device;
        let wanted = Wanted { side: self.options.weight.scale() / CELLS, others: self.points.n, equal: false };
        let order = order(device, self.active(active), wanted)?;
        let (from, to, d, stride) = (&self.queries.columns, &mut self.next, self.field.d, self.queries.stride);
        device.launch(gather_columns::launch(from, &order, to, active, d, stride, stride))?;
        device.launch(gather_numbers::launch(&self.ids, &order, &mut self.kept_ids, active))?;
        std::mem::swap(&mut self.queries.columns, &mut self.next);
        std::mem::swap(&mut self.ids, &mut self.kept_ids);
        self.most = active;
        Ok(())
    }

    /// Launches so many steps, after each of which those that have come to rest leave, and the others move up in
    /// their order.
    fn steps(&mut self, run: &mut Run<'_>, count: usize) -> Result<()> {
        let Self { options, field, points, most, .. } = self;
        let (device, d, norm) = (&field.device, field.d, field.norm);
        let (most, limit, query_stride) = (*most, run.limit as u32, self.queries.stride);
        let sizes = Sizes { n: points.n as u32, d, stride: points.stride as u32, query_stride, most };
        let tolerance = options.scaled_tolerance();
        for step in 0..count {
            let (ids, kept_ids) = match step % 2 {
                0 => (&self.ids, &mut self.kept_ids),
                _ => (&self.kept_ids, &mut self.ids),
            };
            let columns = &mut self.queries.columns;
            let active = Columns { values: columns, n: most as usize, d: d as usize, stride: query_stride as usize };
            self.boxes.of_queries(device, active)?;
            let launch = (self.step)(Call {
                queries: &*columns,
                points: &points.columns,
                marks: &points.marks,
                next: &mut self.next,
                sums: &mut self.sums,
                state: &mut run.state,
                sizes,
                limit,
                // Iterations of this form are ended by another kernel.
                tolerance: -1.0,
                relaxation: options.relaxation as f32,
                norm,
                near: Some(self.boxes.as_call()),
                slices: self.slices.lend(),
            });
            device.launch(options.in_blocks_in_order((d, norm), !points.marks.is_empty(), launch))?;
            let (sums, slots, state) = (&self.sums, &mut self.slots, &mut run.state);
            device.launch(flag_moving::launch(sums, slots, state, query_stride, most, limit, tolerance))?;
            self.scan.scan(device, slots, most)?;
            device.launch(retire::launch(
                &self.next,
                sums,
                ids,
                &*slots,
                columns,
                kept_ids,
                &mut self.ends,
                &mut self.details,
                state,
                d,
                query_stride,
                query_stride,
                most,
                limit,
                tolerance,
            ))?;
        }
        Ok(())
    }
}

/// [`Field::climb`] that leaves out what is farther than the reach, in bandwidths; or, if there is none, takes all pairs in order.
pub fn climb(
    options: &MeanShift,
    field: &Field,
    queries: Queries,
    reach: Option<f64>,
    watch: Watch<'_>,
) -> Result<Ends> {
    let device = &field.device;
    let mut climb = Climb::new(options, field, queries, reach)?;
    let mut run = Run::new(device, options, watch)?;
    device.launch(begin::launch(&mut climb.ids, &mut run.state, climb.most))?;
    climb.rearrange(climb.most)?;
    let mut first = First::of(reach, |reach| {
        pairs_within(options, field, (climb.active(climb.most), climb.points.points()), reach)
    })?;
    let (mut rounds, mut arranged) = (Rounds::new(device, run.limit), 0);
    loop {
        let before = rounds.queued();
        // The first step is a round of its own, so that its pairs are known.
        if before == 0 && first.is_some() {
            rounds.queue_first(|numbers| climb.steps(&mut run, numbers.len()))?;
        } else {
            // SAFETY: steps of a parity have the same buffers, which live as long as `climb`; a change of `most`, and of
            // the buffers' places, is followed by `forget`.
            unsafe { rounds.queue(|numbers| climb.steps(&mut run, numbers.len())) }?;
        }
        let goes_on = run.look(device, rounds.queued())?;
        if let (Some(first), 0) = (&mut first, before) {
            first.kept = run.pairs;
        }
        if !goes_on {
            break;
        }
        if (rounds.queued() - before) % 2 == 1 {
            std::mem::swap(&mut climb.ids, &mut climb.kept_ids);
        }
        if reach.is_some_and(|reach| run.history[arranged..].iter().sum::<f64>() > DRIFT * reach) {
            arranged = run.done;
            climb.rearrange(run.active)?;
            rounds.forget();
        } else if rounds.are_wasteful(climb.most, run.active) {
            // The others have left, and fewer blocks are needed; a few too many are worth no new recording.
            climb.most = run.active;
            rounds.forget();
        }
    }
    drop(rounds);
    let Climb { queries, ends, details, .. } = climb;
    let queries = Queries { columns: ends, ..queries };
    Ok(Ends { first, ..run.ends(queries, details) })
}
