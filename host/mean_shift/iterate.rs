//! Iterations of the fused kernels, in both forms.
//!
//! Steps are queued ahead, in rounds (rounds.rs): the device knows by itself when there is nothing left to do
//! (gpu/progress.rs), and the host looks at a few cells now and then.

use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};

use cuda_std::launch::Launch;
use gpu::layout::STRIDE;
use gpu::progress::{ACTIVE, HISTORY, ITERATION, PAIRS};
use gpu::retire::{begin, retire};
use gpu::shift_any::Norm;
use gpu::shift_few::MOST;
use gpu::steps::{Call, Sizes, Step};

use super::builder::MeanShift;
use super::near::First;
use super::rounds::Rounds;
use super::slices::Slices;
use super::tensor::Tensor;
use crate::error::{Error, Result};
use crate::executor::{Buffer, Device, Download};
use crate::product::Instruction;

/// What a callback is told after each iteration.
///
/// ```
/// use std::ops::ControlFlow;
///
/// use modeseek::{Bandwidth, MeanShift};
///
/// let mut numbers = Vec::new();
/// MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).fit_watched(&[[0.0], [0.2], [9.0]], |iteration| {
///     assert!(iteration.largest_shift < 1.0);
///     numbers.push(iteration.number);
///     ControlFlow::Continue(())
/// })?;
/// assert_eq!(numbers[0], 1);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Iteration {
    /// Which, from 1.
    pub number: usize,
    /// The largest step of a query, in bandwidths.
    pub largest_shift: f64,
}

/// What is called after each iteration, and may stop the fit.
pub type Watch<'a> = &'a mut dyn FnMut(Iteration) -> ControlFlow<()>;

/// Points as the steps take them, and everything about a step that stays the same.
pub struct Field {
    pub device: Device,
    /// d x stride, scaled.
    pub columns: Buffer<f32>,
    /// 2 x stride, or empty.
    pub marks: Buffer<f32>,
    /// Whether some points weigh nothing: where they are there may be less than a point's weight.
    pub weightless: bool,
    pub n: u32,
    pub d: u32,
    pub stride: u32,
    pub norm: Norm,
    pub step: Step,
    /// The step for few queries, if the points are few.
    pub few: Option<Step>,
    /// Dimensions as steps on tensor cores have them, if those of queries that start at points are: see tensor.rs.
    pub tensor: Option<u32>,
    /// By which instruction.
    pub instruction: Instruction,
}

/// A step over all pairs, and how the points are shared out.
struct Pairs {
    step: Step,
    slices: Slices,
    /// Whether it is the step for few queries, whose blocks are its own unless the user says otherwise.
    few: bool,
}

/// Where one step goes: d x stride, scaled; and the sums of weights and squared steps, 2 x stride.
pub struct Stepped {
    pub next: Buffer<f32>,
    pub sums: Buffer<f32>,
}

/// Queries as the steps take them: d x stride, scaled.
pub struct Queries {
    pub columns: Buffer<f32>,
    pub m: u32,
    pub stride: u32,
    /// Whether each started at a point of the fit, and has moved to means only: then it has that point's weight at least.
    pub at_points: bool,
}

impl Queries {
    /// Queries anywhere.
    pub fn new(columns: Buffer<f32>, m: usize, stride: usize) -> Self {
        Self { columns, m: m as u32, stride: stride as u32, at_points: false }
    }

    /// Queries that are points of the fit.
    pub fn at_points(columns: Buffer<f32>, m: usize, stride: usize) -> Self {
        Self { at_points: true, ..Self::new(columns, m, stride) }
    }

    /// The stride of m columns.
    pub fn stride_of(m: usize) -> usize {
        m.next_multiple_of(STRIDE)
    }
}

/// Where queries ended.
pub struct Ends {
    pub queries: Queries,
    /// Rows of the queries' stride: sums of weights at the last step, squared scaled last steps, and in the
    /// standard form iterations as bits.
    pub details: Buffer<f32>,
    /// What each iteration moved at most, in bandwidths.
    pub history: Vec<f64>,
    /// Whether every query came to rest.
    pub converged: bool,
    /// Whether the callback stopped the fit.
    pub cancelled: bool,
    /// Pairs that were computed, where some were left out.
    pub pairs: u64,
    /// And in the first iteration.
    pub(super) first: Option<First>,
}

/// A run's few cells, and what the host has seen of them.
pub(super) struct Run<'a> {
    pub state: Buffer<u32>,
    pub limit: usize,
    /// From a squared step, as the kernels know it, to bandwidths.
    pub scale: Box<dyn Fn(f32) -> f64>,
    /// Iterations that the device has made.
    pub done: usize,
    pub history: Vec<f64>,
    pub active: u32,
    cancelled: bool,
    /// Pairs that were computed so far.
    pub pairs: u64,
    watch: Watch<'a>,
    /// The cells after each round of which nothing was heard yet.
    asked: VecDeque<Download<'a, u32>>,
    /// How many steps there were before the last of those.
    asked_after: usize,
}

impl<'a> Run<'a> {
    pub fn new(device: &Device, options: &MeanShift, watch: Watch<'a>) -> Result<Self> {
        let limit = options.max_iterations;
        Ok(Self {
            state: device.zeros(HISTORY + limit)?,
            limit,
            scale: options.unscaled(),
            done: 0,
            history: Vec::new(),
            active: 0,
            cancelled: false,
            pairs: 0,
            watch,
            asked: VecDeque::new(),
            asked_after: 0,
        })
    }

    /// Reads how far the device is after `queued` steps, and tells whoever watches; whether to go on.
    pub fn look(&mut self, device: &Device, queued: usize) -> Result<bool> {
        let cells = device.download_first(&self.state, self.cells_after(queued))?;
        self.hear(&cells)
    }

    /// [`look`](Self::look) after a round was queued if there were more; if they are to be `ahead`, at what came of the
    /// round before that one, while the device runs this.
    pub fn look_behind(&mut self, device: &'a Device, rounds: &Rounds<'_>, ahead: bool) -> Result<bool> {
        let ahead = ahead && rounds.has_more();
        if self.asked.is_empty() && !ahead {
            return self.look(device, rounds.queued());
        }
        if rounds.queued() > self.asked_after {
            self.asked.push_back(device.begin_download(&self.state, self.cells_after(rounds.queued()))?);
            self.asked_after = rounds.queued();
        }
        if ahead && self.asked.len() < 2 {
            return Ok(true);
        }
        let Some(first) = self.asked.pop_front() else { return Ok(false) };
        let goes_on = self.hear(&first.wait()?)?;
        if self.cancelled {
            // What was queued beyond is part of the result.
            while let Some(next) = self.asked.pop_front() {
                self.hear(&next.wait()?)?;
            }
        }
        Ok(goes_on)
    }

    /// How many cells say what came of so many steps.
    fn cells_after(&self, queued: usize) -> usize {
        HISTORY + queued.min(self.limit)
    }

    /// Takes note of the cells, and tells whoever watches; whether to go on.
    fn hear(&mut self, cells: &[u32]) -> Result<bool> {
        (self.done, self.active) = (cells[ITERATION] as usize, cells[ACTIVE]);
        self.pairs = u64::from(cells[PAIRS + 1]) << 32 | u64::from(cells[PAIRS]);
        for bits in &cells[HISTORY..][self.history.len()..self.done] {
            let (squared, number) = (f32::from_bits(*bits), self.history.len() + 1);
            if squared.is_nan() {
                return Err(Error::Diverged { iteration: number });
            }
            let largest_shift = (self.scale)(squared);
            self.history.push(largest_shift);
            if !self.cancelled && (self.watch)(Iteration { number, largest_shift }).is_break() {
                // What the device has done beyond is part of the result all the same.
                self.cancelled = true;
            }
        }
        Ok(!self.cancelled && self.active > 0 && self.done < self.limit)
    }

    /// What the run came to.
    pub fn ends(self, queries: Queries, details: Buffer<f32>) -> Ends {
        let Self { history, active, cancelled, pairs, .. } = self;
        Ends { queries, details, history, converged: active == 0, cancelled, pairs, first: None }
    }
}

impl Field {
    /// The state of a run of one iteration, for m queries.
    pub fn one_step(&self, m: u32) -> Result<Buffer<u32>> {
        let mut state = self.device.zeros(HISTORY + 1)?;
        self.device.launch(begin::launch(&mut self.device.room(m as usize)?, &mut state, m))?;
        Ok(state)
    }

    /// A step's launch, in blocks of the size that was chosen for it.
    fn in_blocks<'a>(&self, options: &MeanShift, few: bool, launch: Launch<'a>) -> Launch<'a> {
        if few { options.in_blocks(launch) } else { options.in_own_blocks(self.d, self.norm, launch) }
    }

    /// The step over all pairs for m queries, on tensor cores or not.
    fn pairs(&self, m: u32, tensor: Option<&Tensor>) -> Result<Pairs> {
        let whole = || Slices::none(&self.device, self.n);
        Ok(match (tensor, self.few.filter(|_| m <= MOST)) {
            (Some(tensor), _) => Pairs { step: self.step, slices: tensor.slices(self, m)?, few: false },
            (None, Some(step)) => Pairs { step, slices: whole()?, few: true },
            (None, None) => {
                let slices = Slices::new(&self.device, (self.n, m), self.d, self.norm, !self.marks.is_empty())?;
                Pairs { step: self.step, slices, few: false }
            }
        })
    }

    /// Where one step over `points`, which are as many as the field's, takes queries.
    pub fn step_once(&self, points: &Buffer<f32>, queries: &Queries) -> Result<Stepped> {
        let Queries { columns, m, stride, .. } = queries;
        let mut next = self.device.zeros(columns.len())?;
        let mut sums = self.device.zeros(2 * *stride as usize)?;
        // Queries may be few, as those of a sample: all points to one block would be 3.6 ms for 100,000 on an H200.
        let Pairs { step, mut slices, .. } = self.pairs(*m, None)?;
        self.device.launch(step(Call {
            queries: columns,
            points,
            marks: &self.marks,
            next: &mut next,
            sums: &mut sums,
            state: &mut self.one_step(*m)?,
            sizes: Sizes { n: self.n, d: self.d, stride: self.stride, query_stride: *stride, most: *m },
            limit: 1,
            tolerance: -1.0,
            relaxation: 1.0,
            norm: self.norm,
            near: None,
            slices: slices.lend(),
        }))?;
        Ok(Stepped { next, sums })
    }

    /// Moves a copy of the points until they rest; where they end, by columns.
    pub fn blur(&self, options: &MeanShift, mut even: Buffer<f32>, watch: Watch<'_>) -> Result<Ends> {
        let (n, d, stride) = (self.n as usize, self.d as usize, self.stride as usize);
        let device = &self.device;
        let mut odd = device.zeros(d * stride)?;
        let mut sums = device.zeros(2 * stride)?;
        let mut run = Run::new(device, options, watch)?;
        device.launch(begin::launch(&mut device.room(n)?, &mut run.state, self.n))?;
        let sizes = Sizes { n: self.n, d: self.d, stride: self.stride, query_stride: self.stride, most: self.n };
        let (mut rounds, mut tensor) = (Rounds::new(device, run.limit), Tensor::of_points(self)?);
        let Pairs { step: of_pairs, mut slices, few } = self.pairs(self.n, tensor.as_ref())?;
        loop {
            let steps = |mut numbers: Range<usize>| {
                numbers.try_for_each(|step| {
                    let [from, to] = if step % 2 == 0 { [&mut even, &mut odd] } else { [&mut odd, &mut even] };
                    let call = Call {
                        queries: &*from,
                        points: &*from,
                        marks: &self.marks,
                        next: to,
                        sums: &mut sums,
                        state: &mut run.state,
                        sizes,
                        limit: run.limit as u32,
                        tolerance: options.scaled_tolerance(),
                        relaxation: 1.0,
                        norm: self.norm,
                        near: None,
                        slices: slices.lend(),
                    };
                    match &mut tensor {
                        Some(tensor) => tensor.step(call),
                        None => device.launch(self.in_blocks(options, few, of_pairs(call))),
                    }
                })
            };
            if rounds.has_more() {
                // SAFETY: steps of a parity have the same buffers, which live as long as the loop.
                unsafe { rounds.queue(steps) }?;
            }
            if !run.look_behind(device, &rounds, rounds.are_ahead(self.n, self.n))? {
                break;
            }
        }
        // Steps behind the last iteration left everything as it was.
        let columns = if run.done.is_multiple_of(2) { even } else { odd };
        let queries = Queries { columns, m: self.n, stride: self.stride, at_points: true };
        Ok(run.ends(queries, sums))
    }

    /// Moves queries over the points until each rests.
    pub fn climb(&self, options: &MeanShift, mut queries: Queries, watch: Watch<'_>) -> Result<Ends> {
        let device = &self.device;
        let (m, d, stride) = (queries.m as usize, self.d as usize, queries.stride as usize);
        let mut next = device.zeros(d * stride)?;
        let mut sums = device.zeros(2 * stride)?;
        let mut ends = device.zeros(d * stride)?;
        let mut details = device.zeros(3 * stride)?;
        let mut ids = [device.room(m)?, device.room(m)?];
        let anywhere = device.zeros(0)?;
        let mut run = Run::new(device, options, watch)?;
        device.launch(begin::launch(&mut ids[0], &mut run.state, queries.m))?;
        let (mut rounds, mut most) = (Rounds::new(device, run.limit), queries.m);
        let limit = run.limit as u32;
        let mut tensor = Tensor::of_queries(self, &queries)?;
        let Pairs { step: of_pairs, mut slices, few } = self.pairs(queries.m, tensor.as_ref())?;
        loop {
            let steps = |mut numbers: Range<usize>| {
                numbers.try_for_each(|step| {
                    let query_stride = queries.stride;
                    let call = Call {
                        queries: &queries.columns,
                        points: &self.columns,
                        marks: &self.marks,
                        next: &mut next,
                        sums: &mut sums,
                        state: &mut run.state,
                        sizes: Sizes { n: self.n, d: self.d, stride: self.stride, query_stride, most },
                        limit,
                        // Iterations of this form are ended by the other kernel.
                        tolerance: -1.0,
                        relaxation: options.relaxation as f32,
                        norm: self.norm,
                        near: None,
                        slices: slices.lend(),
                    };
                    match &mut tensor {
                        Some(tensor) => tensor.step(call)?,
                        None => device.launch(self.in_blocks(options, few, of_pairs(call)))?,
                    }
                    let [a, b] = &mut ids;
                    let (from, to) = if step % 2 == 0 { (a, b) } else { (b, a) };
                    let (state, tolerance) = (&mut run.state, options.scaled_tolerance());
                    device.launch(retire::launch(
                        &next,
                        &sums,
                        from,
                        &anywhere,
                        &mut queries.columns,
                        to,
                        &mut ends,
                        &mut details,
                        state,
                        self.d,
                        query_stride,
                        query_stride,
                        most,
                        limit,
                        tolerance,
                    ))
                })
            };
            if rounds.has_more() {
                // SAFETY: as in `blur`; a change of `most` is followed by `forget`.
                unsafe { rounds.queue(steps) }?;
            }
            if !run.look_behind(device, &rounds, rounds.are_ahead(most, self.n))? {
                break;
            }
            // Before anything was heard of the run, all are active.
            if !run.history.is_empty() && rounds.are_wasteful(most, run.active) {
                most = run.active;
                rounds.forget();
            }
        }
        let queries = Queries { columns: ends, ..queries };
        Ok(run.ends(queries, details))
    }
}
