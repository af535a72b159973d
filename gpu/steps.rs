//! The steps of one weight function: a kernel for each kind of points, and what the host needs to
//! choose and launch them.
//!
//! A weight function of one's own takes an `impl Weight` and one [`fused_steps!`](crate::fused_steps) in a
//! file of this folder; cauchy.rs is the example.

/// Makes the kernels of a weight function, and the [`Steps`] by which the estimator launches them.
///
/// The names are those of the kernels: for d = 1, 2, 3, 4, the same for marked points, for up to 8, 16 and 32
/// dimensions, and for any d: plain, marked, and marked with any norm.
///
/// ```
/// use cuda_std::prelude::*;
/// use gpu::weight::Weight;
///
/// /// 1 / (1 + u^4)
/// pub enum Quartic {}
///
/// impl Weight for Quartic {
///     const SCALE: f64 = 1.0;
///
///     #[inline(always)]
///     fn of<M: Machine>(scaled_squared: f32) -> f32 {
///         1.0 / (1.0 + scaled_squared * scaled_squared)
///     }
///
///     #[cfg(not(target_arch = "nvptx64"))]
///     fn oracle(u: f64) -> f64 {
///         1.0 / (1.0 + u.powi(4))
///     }
/// }
///
/// gpu::fused_steps! {
///     /// The steps of the weight 1 / (1 + u^4).
///     Quartic;
///     plain: quartic_1, quartic_2, quartic_3, quartic_4;
///     marked: quartic_marked_1, quartic_marked_2, quartic_marked_3, quartic_marked_4;
///     wide: quartic_8, quartic_16, quartic_32;
///     any: quartic_any, quartic_marked_any, quartic_norm_any;
/// }
///
/// fn main() {
///     assert_eq!((STEPS.oracle)(1.0), 0.5);
///     assert_eq!(quartic_2::KERNEL.name, "quartic_2");
/// }
/// ```
#[macro_export]
macro_rules! fused_steps {
    (
        $(#[$doc:meta])* $weight:ident;
        plain: $p1:ident, $p2:ident, $p3:ident, $p4:ident;
        marked: $m1:ident, $m2:ident, $m3:ident, $m4:ident;
        wide: $w8:ident, $w16:ident, $w32:ident;
        any: $any:ident, $any_marked:ident, $any_norm:ident;
    ) => {
        /// One step for d = 1, 2, 3, 4: see shift.rs. `most` is at least the number of active queries. `partial` and
        /// `arrived`, which is all zeros, count for slices of less than n points alone. For d > 2 the driver's compiler
        /// unrolls the loop over pairs once more on 7.5, and should.
        #[::cuda_std::kernel(
            instances(
                rolled $p1<$crate::rows::Row1, 1>,
                rolled $p2<$crate::rows::Row2, 2>,
                $p3<$crate::rows::Row3, 3>,
                $p4<$crate::rows::Row4, 4>,
                rolled $m1<$crate::rows::Marked1, 1>,
                rolled $m2<$crate::rows::Marked2, 2>,
                $m3<$crate::rows::Marked3, 3>,
                $m4<$crate::rows::Marked4, 4>,
            ),
            threads = 32..=1024,
            grid = (most.div_ceil(block.x * Machine::LANES), n.div_ceil(slice.max(1))),
            require(
                queries.len() >= query_stride * D,
                points.len() >= stride * D,
                !<R as $crate::rows::Row<D>>::MARKED || marks.len() >= stride * 2,
                next.len() >= query_stride * D,
                sums.len() >= query_stride * 2,
                state.len() >= $crate::progress::HISTORY + limit,
                n >= 1,
                stride >= n,
                query_stride >= most,
                stride.is_multiple_of($crate::layout::STRIDE),
                query_stride.is_multiple_of($crate::layout::STRIDE),
                reach2 == f32::INFINITY || <$weight as $crate::weight::Weight>::ENDS,
                reach2 == f32::INFINITY || boxes.len() >= $crate::near::len(n, D),
                reach2 == f32::INFINITY || query_box == block.x * Machine::LANES,
                reach2 == f32::INFINITY || query_boxes.len() >= most.div_ceil(query_box) * D * 2,
                slice >= 1,
                slice >= n || reach2 == f32::INFINITY || slice.is_multiple_of($crate::near::WIDE),
                slice >= n || partial.len() >= n.div_ceil(slice) * (D + 1) * query_stride,
                slice >= n || arrived.len() >= most.div_ceil(block.x * Machine::LANES),
            ),
        )]
        pub unsafe fn shift<R: $crate::rows::Row<D>, const D: usize>(
            queries: &[f32],
            points: &[f32],
            marks: &[f32],
            next: DisjointMut<f32>,
            sums: DisjointMut<f32>,
            state: *mut u32,
            n: u32,
            stride: u32,
            query_stride: u32,
            most: u32,
            limit: u32,
            tolerance: f32,
            relaxation: f32,
            boxes: &[f32],
            query_boxes: &[f32],
            query_box: u32,
            reach2: f32,
            partial: *mut f32,
            arrived: *mut u32,
            slice: u32,
        ) {
            let _ = query_box;
            // What is never left out costs no code.
            let reach2 = if <$weight as $crate::weight::Weight>::ENDS { reach2 } else { f32::INFINITY };
            let near = $crate::near::Near { boxes, query_boxes, reach2 };
            let tile = ::cuda_std::shared_array![R; $crate::shift::TILE];
            let slices = $crate::slices::Slices { partial, arrived, points: slice };
            let arguments = $crate::shift::Arguments {
                queries, points, marks, next, sums, state, n, stride, query_stride, limit, tolerance, relaxation, near,
                slices,
            };
            // SAFETY: the launch has checked the sizes, and all threads are here with the same arguments.
            unsafe { $crate::shift::step::<Machine, $weight, R, D, { Machine::LANES }>(tile, arguments) }
        }

        /// One step for d up to D: see shift_wide.rs. `most` is at least the number of active queries.
        #[::cuda_std::kernel(
            instances($w8<8>, $w16<16>, $w32<32>),
            block = $crate::shift_wide::threads(Machine::KIND) as u32,
            grid = most.div_ceil(block.x * $crate::shift_wide::queries(Machine::KIND, Machine::LANES, D)),
            require(
                d <= D,
                d * 2 > D,
                queries.len() >= query_stride * d,
                points.len() >= stride * d,
                next.len() >= query_stride * d,
                sums.len() >= query_stride * 2,
                state.len() >= $crate::progress::HISTORY + limit,
                n >= 1,
                stride >= n,
                query_stride >= most,
                stride.is_multiple_of($crate::layout::STRIDE),
                query_stride.is_multiple_of($crate::layout::STRIDE),
            ),
        )]
        pub unsafe fn shift_wide<const D: usize>(
            queries: &[f32],
            points: &[f32],
            next: DisjointMut<f32>,
            sums: DisjointMut<f32>,
            state: *mut u32,
            n: u32,
            d: u32,
            stride: u32,
            query_stride: u32,
            most: u32,
            limit: u32,
            tolerance: f32,
            relaxation: f32,
        ) {
            use $crate::shift_wide::{Row, TILE, step};
            let tile = ::cuda_std::shared_array![Row<D>; TILE];
            let near = $crate::near::Near { boxes: points, query_boxes: points, reach2: f32::INFINITY };
            let marks = points;
            let arguments = $crate::shift::Arguments {
                queries, points, marks, next, sums, state, n, stride, query_stride, limit, tolerance, relaxation, near,
                slices: $crate::slices::Slices::none(n),
            };
            const QUERIES: usize = $crate::shift_wide::queries(Machine::KIND, Machine::LANES, D);
            // SAFETY: the launch has checked the sizes, and all threads are here with the same arguments.
            unsafe { step::<Machine, $weight, D, QUERIES>(tile, d, arguments) }
        }

        /// One step for any d: see shift_any.rs. `most` is at least the number of active queries; `p`,
        /// `outer` and `sphere` count for the last of the instances alone: see shift_any.rs.
        #[::cuda_std::kernel(
            instances(
                $any<$crate::shift_any::Plain>,
                $any_marked<$crate::shift_any::Marked>,
                $any_norm<$crate::shift_any::AnyNorm>,
            ),
            block = $crate::shift_any::THREADS as u32,
            grid = most.div_ceil($crate::shift_any::THREADS * Machine::LANES),
            shared = $crate::shift_any::tile(Machine::LANES) * $crate::shift_any::THREADS * Machine::LANES * 4,
            require(
                queries.len() >= query_stride * d,
                points.len() >= stride * d,
                !<K as $crate::shift_any::Kind>::MARKED || marks.len() >= stride * 2,
                next.len() >= query_stride * d,
                sums.len() >= query_stride * 2,
                state.len() >= $crate::progress::HISTORY + limit,
                n >= 1,
                stride >= n,
                query_stride >= most,
                stride.is_multiple_of($crate::layout::STRIDE),
                query_stride.is_multiple_of($crate::layout::STRIDE),
                reach2 == f32::INFINITY || <$weight as $crate::weight::Weight>::ENDS,
                reach2 == f32::INFINITY || !<K as $crate::shift_any::Kind>::ANY_NORM,
                reach2 == f32::INFINITY || boxes.len() >= $crate::near::len(n, d),
                reach2 == f32::INFINITY || query_box == block.x * Machine::LANES,
                reach2 == f32::INFINITY || query_boxes.len() >= most.div_ceil(query_box) * d * 2,
            ),
        )]
        pub unsafe fn shift_any<K: $crate::shift_any::Kind>(
            queries: &[f32],
            points: &[f32],
            marks: &[f32],
            next: DisjointMut<f32>,
            sums: DisjointMut<f32>,
            state: *mut u32,
            n: u32,
            d: u32,
            stride: u32,
            query_stride: u32,
            most: u32,
            limit: u32,
            tolerance: f32,
            relaxation: f32,
            p: f32,
            outer: f32,
            sphere: f32,
            boxes: &[f32],
            query_boxes: &[f32],
            query_box: u32,
            reach2: f32,
        ) {
            let _ = query_box;
            let ends = <$weight as $crate::weight::Weight>::ENDS && !<K as $crate::shift_any::Kind>::ANY_NORM;
            let near = $crate::near::Near { boxes, query_boxes, reach2: if ends { reach2 } else { f32::INFINITY } };
            use $crate::shift_any::{CHUNK, tile};
            let chunk = ::cuda_std::shared_array![f32; tile(Machine::LANES) * CHUNK];
            let rows = ::cuda_std::shared::dynamic_shared_mem::<[f32; Machine::LANES]>();
            let slices = $crate::slices::Slices::none(n);
            let arguments = $crate::shift::Arguments {
                queries, points, marks, next, sums, state, n, stride, query_stride, limit, tolerance, relaxation, near,
                slices,
            };
            let norm = $crate::shift_any::Norm { p, outer, sphere };
            // SAFETY: the launch has checked the sizes and given THREADS * tile rows of LANES floats; all
            // threads are here with the same arguments.
            unsafe { $crate::shift_any::step::<Machine, $weight, K, { Machine::LANES }>(chunk, rows, d, norm, arguments) }
        }

        $(#[$doc])*
        #[cfg(not(target_arch = "nvptx64"))]
        pub static STEPS: $crate::steps::Steps = $crate::steps::Steps {
            name: stringify!($weight),
            scale: <$weight as $crate::weight::Weight>::SCALE,
            least: <$weight as $crate::weight::Weight>::LEAST,
            oracle: <$weight as $crate::weight::Weight>::oracle,
            plain: $crate::steps!(specialised $p1, $p2, $p3, $p4),
            marked: $crate::steps!(specialised $m1, $m2, $m3, $m4),
            wide: $crate::steps!(wide $w8, $w16, $w32),
            any: $crate::steps!(any $any, $any_marked, $any_norm),
        };
    };
}

/// Launches of some kernels, as functions.
#[doc(hidden)]
#[macro_export]
macro_rules! steps {
    (specialised $($kernel:ident),*) => { [$(
        |$crate::steps::Call {
            queries, points, marks, next, sums, state, sizes, limit, tolerance, relaxation, near, slices, ..
        }| {
            let near = near.unwrap_or_else(|| $crate::steps::Boxes::none(points));
            $kernel::launch(
                queries, points, marks, next, sums, state, sizes.n, sizes.stride, sizes.query_stride, sizes.most, limit,
                tolerance, relaxation, near.points, near.queries, near.query_box, near.reach2, slices.partial,
                slices.arrived, slices.points,
            )
        },
    )*] };
    (wide $($kernel:ident),*) => { [$(
        |$crate::steps::Call { queries, points, next, sums, state, sizes, limit, tolerance, relaxation, .. }| {
            $kernel::launch(
                queries, points, next, sums, state, sizes.n, sizes.d, sizes.stride, sizes.query_stride, sizes.most, limit,
                tolerance, relaxation,
            )
        },
    )*] };
    (any $($kernel:ident),*) => { [$(
        |$crate::steps::Call {
            queries, points, marks, next, sums, state, sizes, limit, tolerance, relaxation, norm, near, ..
        }| {
            let near = near.unwrap_or_else(|| $crate::steps::Boxes::none(points));
            $kernel::launch(
                queries, points, marks, next, sums, state, sizes.n, sizes.d, sizes.stride, sizes.query_stride, sizes.most,
                limit, tolerance, relaxation, norm.p, norm.outer, norm.sphere, near.points, near.queries, near.query_box,
                near.reach2,
            )
        },
    )*] };
}

#[cfg(not(target_arch = "nvptx64"))]
mod host {
    use cuda_std::launch::{DeviceSlice, DeviceSliceMut, Launch};
    use cuda_std::machine::MachineKind;

    use crate::shift_any::Norm;
    use crate::shift_wide;

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
        /// What may be left out, with the 2-norm; if nothing is said, every pair counts.
        pub near: Option<Boxes<'a>>,
        /// How the points are shared out, for up to four dimensions and the 2-norm; others take them as a whole.
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
        /// Of [`BOX`](crate::near::BOX) points each, then of [`WIDE`](crate::near::WIDE).
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
        /// The weight of a distance over the bandwidth, in f64: what the kernels are compared with.
        pub oracle: fn(f64) -> f64,
        /// For d = 1, 2, 3, 4.
        pub plain: [Step; 4],
        /// For marked points of d = 1, 2, 3, 4.
        pub marked: [Step; 4],
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
            match shift_wide::instance(machine, d) {
                Some(which) if norm == Norm::L2 && !marked => self.wide[which],
                _ => self.choose_near(d, norm, marked),
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
            match (norm == Norm::L2, marked, d) {
                (false, ..) => self.any[2],
                (true, false, 1..=4) => self.plain[d as usize - 1],
                (true, true, 1..=4) => self.marked[d as usize - 1],
                (true, false, _) => self.any[0],
                (true, true, _) => self.any[1],
            }
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
}

#[cfg(not(target_arch = "nvptx64"))]
pub use host::{Boxes, Call, Shared, Sizes, Step, Steps};
