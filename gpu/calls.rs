//! What the host says to a step, and how it chooses one: the kernels themselves are made by steps.rs.

use cuda_std::launch::{DeviceSlice, DeviceSliceMut, Launch};
use cuda_std::machine::MachineKind;

use crate::shift_any::Norm;
use crate::weight::Slopes;
use crate::{shift_any, shift_few, shift_wide, tight, whole};

/// Sizes of a step, as kernels count them.
///
/// ```
/// use gpu::layout::STRIDE;
/// use gpu::steps::Sizes;
///
/// // 1000 points of three coordinates, all of which are queries.
/// let stride = 1000_u32.next_multiple_of(STRIDE as u32);
/// let sizes = Sizes { n: 1000, d: 3, stride, query_stride: stride, most: 1000 };
/// assert!(sizes.most <= sizes.query_stride);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Points.
    pub n: u32,
    /// Coordinates.
    pub d: u32,
    /// From a column of points to the next.
    pub stride: u32,
    /// From a column of queries to the next.
    pub query_stride: u32,
    /// At least the number of queries that are active.
    pub most: u32,
}

/// The arguments of a step: see [`Arguments`](crate::shift::Arguments).
///
/// ```
/// use cpu_executor::{Cells, CpuExecutor};
/// use gpu::layout::STRIDE;
/// use gpu::progress::{ACTIVE, HISTORY};
/// use gpu::shift_any::Norm;
/// use gpu::steps::{Call, Shared, Sizes};
///
/// // Points at 0 and 1; both are queries, and move once, in the standard form.
/// let mut columns = vec![0.0_f32; STRIDE];
/// columns[1] = 1.0;
/// let points = Cells::new(columns);
/// let marks = Cells::filled(0.0_f32, 0);
/// let (mut next, mut sums) = (Cells::filled(0.0_f32, STRIDE), Cells::filled(0.0_f32, 2 * STRIDE));
/// let mut cells = vec![0_u32; HISTORY + 1];
/// cells[ACTIVE] = 2;
/// let mut state = Cells::new(cells);
/// let (mut partial, mut arrived) = (Cells::filled(0.0_f32, 0), Cells::filled(0_u32, 0));
/// let call = Call {
///     queries: &points,
///     points: &points,
///     marks: &marks,
///     next: &mut next,
///     sums: &mut sums,
///     state: &mut state,
///     sizes: Sizes { n: 2, d: 1, stride: STRIDE as u32, query_stride: STRIDE as u32, most: 2 },
///     limit: 1,
///     tolerance: -1.0,
///     relaxation: 1.0,
///     norm: Norm::L2,
///     near: None,
///     slices: Shared { partial: &mut partial, arrived: &mut arrived, points: 2 },
/// };
/// // The flat weight: all within a (scaled) distance of 1 count alike.
/// let step = gpu::flat::STEPS.choose(cuda_std::machine::MachineKind::Baseline, 1, Norm::L2, false);
/// CpuExecutor::of_this_processor()?.run(step(call))?;
/// assert_eq!(next.to_vec()[..2], [0.5, 0.5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Call<'a> {
    /// Queries.
    pub queries: &'a dyn DeviceSlice<f32>,
    /// Points.
    pub points: &'a dyn DeviceSlice<f32>,
    /// Marks of the points, if any.
    pub marks: &'a dyn DeviceSlice<f32>,
    /// Where the queries move.
    pub next: &'a mut dyn DeviceSliceMut<f32>,
    /// Sums of weights, and squared steps.
    pub sums: &'a mut dyn DeviceSliceMut<f32>,
    /// See progress.rs.
    pub state: &'a mut dyn DeviceSliceMut<u32>,
    /// Sizes.
    pub sizes: Sizes,
    /// The most iterations.
    pub limit: u32,
    /// Blurring: the tolerance, squared and scaled. Negative: the standard form.
    pub tolerance: f32,
    /// How far along its step a query goes.
    pub relaxation: f32,
    /// The norm, for any d.
    pub norm: Norm,
    /// What may be left out; if nothing is said, every pair counts.
    pub near: Option<Boxes<'a>>,
    /// How the points are shared out. Steps of few points take them as a whole.
    pub slices: Shared<'a>,
}

/// Where slices of the points meet: see [`Slices`](crate::slices::Slices).
///
/// ```
/// use cpu_executor::Cells;
/// use gpu::steps::Shared;
///
/// // One slice of all 1000 points needs no room.
/// let (mut partial, mut arrived) = (Cells::filled(0.0_f32, 0), Cells::filled(0_u32, 0));
/// let whole = Shared { partial: &mut partial, arrived: &mut arrived, points: 1000 };
/// assert_eq!(whole.points, 1000);
/// ```
pub struct Shared<'a> {
    /// Sums of the slices: for each D + 1 columns of queries.
    pub partial: &'a mut dyn DeviceSliceMut<f32>,
    /// A cell for each block of queries, 0 between launches.
    pub arrived: &'a mut dyn DeviceSliceMut<u32>,
    /// Points of a slice. If they are not fewer than all, nothing is in the two.
    pub points: u32,
}

/// Boxes of points and queries, and how far a weight reaches: see [`Near`](crate::near::Near).
///
/// ```
/// use cpu_executor::Cells;
/// use gpu::steps::Boxes;
///
/// let boxes = Cells::filled(0.0_f32, gpu::near::len(1000, 2));
/// // Points beyond a scaled distance of 2 are left out.
/// let near = Boxes { points: &boxes, queries: &boxes, query_box: 256, reach2: 4.0 };
/// assert!(near.reach2.is_finite());
/// ```
#[derive(Clone, Copy)]
pub struct Boxes<'a> {
    /// Of [`BOX`](crate::near::BOX) points each, then of [`WIDE`](crate::near::WIDE); of marked points then their scales in the same
    /// boxes; then, if they are of any use, the sums of the former.
    pub points: &'a dyn DeviceSlice<f32>,
    /// Of `query_box` queries each.
    pub queries: &'a dyn DeviceSlice<f32>,
    /// Queries of a box.
    pub query_box: u32,
    /// The square of the reach, scaled.
    pub reach2: f32,
}

impl<'a> Boxes<'a> {
    /// With these every pair counts; nobody looks at the slice.
    ///
    /// ```
    /// use cpu_executor::Cells;
    /// use gpu::steps::Boxes;
    ///
    /// let nothing = Cells::filled(0.0_f32, 0);
    /// assert_eq!(Boxes::none(&nothing).reach2, f32::INFINITY);
    /// ```
    pub fn none(slice: &'a dyn DeviceSlice<f32>) -> Self {
        Self { points: slice, queries: slice, query_box: 1, reach2: f32::INFINITY }
    }
}

/// A kernel's launch.
pub type Step = for<'a> fn(Call<'a>) -> Launch<'a>;

/// The kernels of a weight function.
///
/// ```
/// use gpu::steps::Steps;
///
/// let Steps { name, oracle, .. } = &gpu::gaussian::STEPS;
/// println!("{name}");
/// assert_eq!(oracle(0.0), 1.0);
/// ```
#[derive(Debug)]
pub struct Steps {
    /// The weight's name.
    pub name: &'static str,
    /// Coordinates times this, over the bandwidth, are scaled.
    pub scale: f64,
    /// Sums of weights that are no more than this are nothing: see [`LEAST`](crate::weight::Weight::LEAST).
    pub least: f32,
    /// Of which power the weight is, if boxes may be summed as a whole: see whole.rs.
    pub power: Option<u32>,
    /// How fast the weight changes, if boxes that are nearly one point may be taken as one: see tight.rs.
    pub slopes: Option<Slopes>,
    /// The weight of a distance over the bandwidth, in f64: what the kernels are compared with.
    pub oracle: fn(f64) -> f64,
    /// For d = 1, 2, 3, 4.
    pub plain: [Step; 4],
    /// For marked points of d = 1, 2, 3, 4.
    pub marked: [Step; 4],
    /// For d = 2, 3, where boxes are known: by products in boxes that are small (local.rs). Only some weights have them.
    pub local: &'static [Step],
    /// For few points of d = 1, 2, 3, a warp for each query. They take all points at once, and leave out no pair. Only some
    /// weights have them.
    pub few: &'static [Step],
    /// For d up to 8, 16 and 32. They leave out no pair, whatever [`Call::near`] says.
    pub wide: [Step; 3],
    /// For any d: plain, marked, and marked with any norm.
    pub any: [Step; 3],
}

impl Steps {
    /// The fastest step on a machine that computes every pair, for points of d coordinates, with a norm, marked
    /// or not.
    ///
    /// ```
    /// use cuda_std::machine::MachineKind::Gpu;
    /// use gpu::cauchy::STEPS;
    /// use gpu::shift_any::Norm;
    ///
    /// // Plain points of the plane have a kernel of their own; five dimensions have that for up to eight.
    /// assert_eq!(STEPS.choose(Gpu, 2, Norm::L2, false) as usize, STEPS.plain[1] as usize);
    /// assert_eq!(STEPS.choose(Gpu, 5, Norm::L2, false) as usize, STEPS.wide[0] as usize);
    /// ```
    pub fn choose(&self, machine: MachineKind, d: u32, norm: Norm, marked: bool) -> Step {
        match Self::wide_instance(machine, d, norm, marked) {
            Some(which) => self.wide[which],
            None => self.every_pair(d, norm, marked),
        }
    }

    /// Whether [`choose`](Self::choose) gives a step that can leave out nothing, and takes less time for a pair than the one that
    /// can.
    ///
    /// ```
    /// use cuda_std::machine::MachineKind::{Avx2, Gpu};
    /// use gpu::shift_any::Norm;
    /// use gpu::steps::Steps;
    ///
    /// assert_eq!([4, 5, 32, 33].map(|d| Steps::keeps_every_pair(Gpu, d, Norm::L2, false)), [false, true, true, false]);
    /// assert!(!Steps::keeps_every_pair(Avx2, 5, Norm::L2, false));
    /// ```
    pub fn keeps_every_pair(machine: MachineKind, d: u32, norm: Norm, marked: bool) -> bool {
        Self::wide_instance(machine, d, norm, marked).is_some()
    }

    /// Which of the steps that hold queries of more than four coordinates in registers.
    fn wide_instance(machine: MachineKind, d: u32, norm: Norm, marked: bool) -> Option<usize> {
        shift_wide::instance(machine, d).filter(|_| norm == Norm::L2 && !marked)
    }

    /// The step with registers for points of d coordinates, or the one for any d.
    fn every_pair(&self, d: u32, norm: Norm, marked: bool) -> Step {
        match (norm == Norm::L2, marked, d) {
            (false, ..) => self.any[2],
            (true, false, 1..=4) => self.plain[d as usize - 1],
            (true, true, 1..=4) => self.marked[d as usize - 1],
            (true, false, _) => self.any[0],
            (true, true, _) => self.any[1],
        }
    }

    /// The step that leaves out pairs where [`Call::near`] says so.
    ///
    /// ```
    /// use gpu::cauchy::STEPS;
    /// use gpu::shift_any::Norm;
    ///
    /// assert_eq!(STEPS.choose_near(5, Norm::L2, false) as usize, STEPS.any[0] as usize);
    /// ```
    pub fn choose_near(&self, d: u32, norm: Norm, marked: bool) -> Step {
        match self.local(d) {
            Some(step) if norm == Norm::L2 && !marked => *step,
            _ => self.every_pair(d, norm, marked),
        }
    }

    /// The step by products in small boxes, for unmarked points of d coordinates, with the 2-norm; if there is one.
    fn local(&self, d: u32) -> Option<&Step> {
        self.local.get((d as usize).checked_sub(2)?)
    }

    /// The step that a GPU does best to take instead of [`choose`](Self::choose)'s for so few points, and no more than
    /// [`MOST`](crate::shift_few::MOST) queries, of d coordinates and unmarked, with the 2-norm; if there is one.
    ///
    /// ```
    /// use gpu::{cauchy, gaussian};
    ///
    /// assert!(gaussian::STEPS.choose_few(2, 1500).is_some());
    /// assert!(gaussian::STEPS.choose_few(2, 100_000).is_none());
    /// assert!(cauchy::STEPS.choose_few(2, 1500).is_none());
    /// ```
    pub fn choose_few(&self, d: u32, n: u32) -> Option<Step> {
        let step = self.few.get((d as usize).checked_sub(1)?)?;
        (n <= shift_few::MOST).then_some(*step)
    }

    /// For which power [`choose_near`](Self::choose_near) gives points of d coordinates, with the 2-norm, a step that looks at the
    /// moments of boxes, if it has them; or none.
    ///
    /// ```
    /// use cuda_std::machine::MachineKind::{Avx2, Gpu};
    /// use gpu::{biweight, gaussian};
    ///
    /// assert_eq!([Avx2, Gpu].map(|machine| biweight::STEPS.takes_moments(machine, 2)), [Some(2), None]);
    /// assert_eq!(gaussian::STEPS.takes_moments(Avx2, 2), None);
    /// ```
    pub fn takes_moments(&self, machine: MachineKind, d: u32) -> Option<u32> {
        self.power.filter(|_| whole::serves(machine, d as usize))
    }

    /// The weight's slopes, if [`choose_near`](Self::choose_near) gives points of d coordinates, with the 2-norm, a step that looks at
    /// the records of boxes (tight.rs), if it has them.
    ///
    /// ```
    /// use cuda_std::machine::MachineKind::{Avx2, Gpu};
    /// use gpu::{cauchy, gaussian};
    ///
    /// assert_eq!([Avx2, Gpu].map(|machine| gaussian::STEPS.takes_records(machine, 5).is_some()), [true, false]);
    /// assert_eq!(cauchy::STEPS.takes_records(Avx2, 5), None);
    /// ```
    pub fn takes_records(&self, machine: MachineKind, d: u32) -> Option<Slopes> {
        self.slopes.filter(|_| tight::serves(machine, d as usize))
    }

    /// Whether [`choose_near`](Self::choose_near) gives unmarked points of d coordinates, with the 2-norm, a step that takes
    /// fewer operations where boxes are small, even if none is left out.
    ///
    /// ```
    /// use gpu::{cauchy, gaussian};
    ///
    /// assert_eq!([1, 2, 3, 4].map(|d| gaussian::STEPS.has_products(d)), [false, true, true, false]);
    /// assert!(!cauchy::STEPS.has_products(2));
    /// ```
    pub fn has_products(&self, d: u32) -> bool {
        self.local(d).is_some()
    }

    /// Queries of a GPU's block of the step that [`choose`](Self::choose) gives, and blocks that a multiprocessor has at a
    /// time: what points are shared out by where these are too few.
    ///
    /// ```
    /// use gpu::shift_any::Norm;
    /// use gpu::steps::Steps;
    ///
    /// // 128 threads of four queries; two warps of four and of two; one warp of four.
    /// let queries = |d| Steps::shape(d, Norm::L2, false).0;
    /// assert_eq!([2, 8, 32, 33].map(queries), [512, 256, 128, 128]);
    /// assert_eq!(Steps::shape(8, Norm::L2, true), Steps::shape(33, Norm::L2, false));
    /// ```
    pub fn shape(d: u32, norm: Norm, marked: bool) -> (usize, usize) {
        const GPU: MachineKind = MachineKind::Gpu;
        let wide = shift_wide::instance(GPU, d).filter(|_| !marked && norm == Norm::L2);
        if norm == Norm::L2 && d <= 4 {
            return (GPU.block() as usize * GPU.lanes(), 7);
        }
        // As many of any d as there are registers for.
        let Some(wide) = wide else { return (shift_any::queries(GPU.lanes()), 14) };
        // Or four where registers admit no more.
        let at_a_time = if shift_wide::WIDTHS[wide] > 16 { 4 } else { 8 };
        (shift_wide::threads(GPU) * shift_wide::queries(GPU, GPU.lanes(), shift_wide::WIDTHS[wide]), at_a_time)
    }

    /// Whether [`choose`](Self::choose) gives a kernel that reads marks.
    ///
    /// ```
    /// use gpu::shift_any::Norm;
    /// use gpu::steps::Steps;
    ///
    /// assert!(!Steps::reads_marks(Norm::L2, false));
    /// // Other norms have one kernel, which reads them.
    /// assert!(Steps::reads_marks(Norm { p: 1.0, ..Norm::L2 }, false));
    /// ```
    pub fn reads_marks(norm: Norm, marked: bool) -> bool {
        marked || norm != Norm::L2
    }
}
