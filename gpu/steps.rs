//! The steps of one weight function: a kernel for each kind of points, and what the host needs to
//! choose and launch them (calls.rs).
//!
//! A weight function of one's own takes an `impl Weight` and one [`fused_steps!`](crate::fused_steps) in a
//! file of this folder; cauchy.rs is the example.

/// Makes the kernels of a weight function, and the [`Steps`] by which the estimator launches them.
///
/// The names are those of the kernels: for d = 1, 2, 3, 4, the same for marked points, for up to 8, 16 and 32
/// dimensions, and for any d: plain, marked, and marked with any norm. Behind `marked` there may be a line
/// `local: name_2, name_3;` for a weight that [makes products of sums](crate::weight::Weight::MULTIPLIES), and one
/// `few: name_1, name_2, name_3;` for steps of few points, a warp for each query (shift_few.rs).
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
///         M::divide(1.0, 1.0 + scaled_squared * scaled_squared)
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
        $(local: $l2:ident, $l3:ident;)?
        $(few: $f1:ident, $f2:ident, $f3:ident;)?
        wide: $w8:ident, $w16:ident, $w32:ident;
        any: $any:ident, $any_marked:ident, $any_norm:ident;
    ) => {
        /// One step for d = 1, 2, 3, 4: see shift.rs. `most` is at least the number of active queries. `partial` and
        /// `arrived`, which is all zeros, count for slices of less than n points alone. For d > 2 the driver's compiler
        /// unrolls the loop over pairs once more on 7.5, and should. Left to itself it saves registers on 9.0, and has each weight wait
        /// for its exponential: so it is told how many there are. A whole thread of queries is stored at a time, in 16 bytes.
        #[::cuda_std::kernel(
            instances(
                rolled $p1<$crate::rows::Row1, 1>,
                rolled registers(72) $p2<$crate::rows::Row2, 2>,
                registers(96) $p3<$crate::rows::Row3, 3>,
                $p4<$crate::rows::Row4, 4>,
                rolled $m1<$crate::rows::Marked1, 1>,
                rolled $m2<$crate::rows::Marked2, 2>,
                $m3<$crate::rows::Marked3, 3>,
                $m4<$crate::rows::Marked4, 4>,
                $(
                    registers(80) $l2<$crate::rows::Local2, 2>,
                    registers(96) $l3<$crate::rows::Local3, 3>,
                )?
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
                state.is_aligned(8),
                n >= 1,
                stride >= n,
                query_stride >= most,
                stride.is_multiple_of($crate::layout::STRIDE),
                query_stride.is_multiple_of($crate::layout::STRIDE),
                reach2 == f32::INFINITY || <$weight as $crate::weight::Weight>::ENDS,
                (reach2 == f32::INFINITY && !<R as $crate::rows::Row<D>>::LOCAL) || boxes.len() >= $crate::near::len(n, D),
                reach2 == f32::INFINITY
                    || !<R as $crate::rows::Row<D>>::MARKED
                    || boxes.len() >= $crate::near::len_marked(n, D),
                reach2 == f32::INFINITY || query_box == block.x * Machine::LANES,
                reach2 == f32::INFINITY || query_boxes.len() >= most.div_ceil(query_box) * D * 2,
                slice >= 1,
                slice >= n || reach2 == f32::INFINITY || slice.is_multiple_of($crate::near::WIDE),
                slice >= n || !<R as $crate::rows::Row<D>>::LOCAL || slice.is_multiple_of($crate::near::BOX),
                next.is_aligned(16),
                sums.is_aligned(16),
                slice >= n || partial.is_aligned(16),
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
                queries, points, marks, next, sums, state, n, stride, query_stride, most, limit, tolerance, relaxation, near,
                slices,
            };
            // SAFETY: the launch has checked the sizes, and all threads are here with the same arguments.
            unsafe { $crate::shift::step::<Machine, $weight, R, D, { Machine::LANES }>(tile, arguments) }
        }

        $(
            /// One step for d = 1, 2, 3, plain points, a warp for each query: see shift_few.rs. `most` is at least the number of active
            /// queries.
            #[::cuda_std::kernel(
                instances($f1<1>, $f2<2>, $f3<3>),
                block = $crate::shift_few::threads(Machine::KIND),
                threads = 32..=1024,
                grid = most.div_ceil(block.x / 32),
                require(
                    queries.len() >= query_stride * D,
                    points.len() >= stride * D,
                    next.len() >= query_stride * D,
                    sums.len() >= query_stride * 2,
                    state.len() >= $crate::progress::HISTORY + limit,
                    state.is_aligned(8),
                    n >= 1,
                    stride >= n,
                    query_stride >= most,
                    most >= 1,
                    stride.is_multiple_of($crate::layout::STRIDE),
                    query_stride.is_multiple_of($crate::layout::STRIDE),
                    points.is_aligned(16),
                ),
            )]
            pub unsafe fn shift_few<const D: usize>(
                queries: &[f32],
                points: &[f32],
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
            ) {
                let near = $crate::near::Near { boxes: points, query_boxes: points, reach2: f32::INFINITY };
                let (marks, slices) = (points, $crate::slices::Slices::none(n));
                let arguments = $crate::shift::Arguments {
                    queries, points, marks, next, sums, state, n, stride, query_stride, most, limit, tolerance, relaxation, near,
                    slices,
                };
                let memory = $crate::shift_few::Memory {
                    tile: ::cuda_std::shared_array![f32; D * $crate::shift_few::TILE],
                    farthest: ::cuda_std::shared_array![u32; $crate::shift_few::WARPS],
                };
                // SAFETY: the launch has checked the sizes, and all threads are here with the same arguments.
                unsafe { $crate::shift_few::step::<Machine, $weight, D>(memory, arguments) }
            }
        )?

        /// One step for d up to D: see shift_wide.rs. `most` is at least the number of active queries; `partial` and
        /// `arrived` are as above, the former with d + 1 columns a slice.
        #[::cuda_std::kernel(
            instances($w8<8>, $w16<16>, $w32<32>),
            block = $crate::shift_wide::threads(Machine::KIND) as u32,
            grid = (
                most.div_ceil(block.x * $crate::shift_wide::queries(Machine::KIND, Machine::LANES, D)),
                n.div_ceil(slice.max(1)),
            ),
            require(
                d <= D,
                d * 2 > D,
                queries.len() >= query_stride * d,
                points.len() >= stride * d,
                next.len() >= query_stride * d,
                sums.len() >= query_stride * 2,
                state.len() >= $crate::progress::HISTORY + limit,
                state.is_aligned(8),
                n >= 1,
                stride >= n,
                query_stride >= most,
                stride.is_multiple_of($crate::layout::STRIDE),
                query_stride.is_multiple_of($crate::layout::STRIDE),
                slice >= 1,
                slice >= n || partial.len() >= n.div_ceil(slice) * (d + 1) * query_stride,
                slice >= n
                    || arrived.len()
                        >= most.div_ceil(block.x * $crate::shift_wide::queries(Machine::KIND, Machine::LANES, D)),
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
            partial: *mut f32,
            arrived: *mut u32,
            slice: u32,
        ) {
            use $crate::shift_wide::{ROWS, Row, step};
            let tile = ::cuda_std::shared_array![Row<D>; ROWS];
            let near = $crate::near::Near { boxes: points, query_boxes: points, reach2: f32::INFINITY };
            let marks = points;
            let arguments = $crate::shift::Arguments {
                queries, points, marks, next, sums, state, n, stride, query_stride, most, limit, tolerance, relaxation, near,
                slices: $crate::slices::Slices { partial, arrived, points: slice },
            };
            const QUERIES: usize = $crate::shift_wide::queries(Machine::KIND, Machine::LANES, D);
            // SAFETY: the launch has checked the sizes, and all threads are here with the same arguments.
            unsafe { step::<Machine, $weight, D, QUERIES>(tile, d, arguments) }
        }

        /// One step for any d: see shift_any.rs. `most` is at least the number of active queries; `p`,
        /// `outer` and `sphere` count for the last of the instances alone: see shift_any.rs. `partial` and `arrived` are as above,
        /// the former with d + 1 columns a slice.
        #[::cuda_std::kernel(
            instances(
                $any<$crate::shift_any::Plain>,
                $any_marked<$crate::shift_any::Marked>,
                $any_norm<$crate::shift_any::AnyNorm>,
            ),
            block = $crate::shift_any::threads(Machine::LANES) as u32,
            grid = (most.div_ceil($crate::shift_any::queries(Machine::LANES)), n.div_ceil(slice.max(1))),
            shared = $crate::shift_any::cells(Machine::LANES) * 4,
            require(
                queries.len() >= query_stride * d,
                points.len() >= stride * d,
                !<K as $crate::shift_any::Kind>::MARKED || marks.len() >= stride * 2,
                next.len() >= query_stride * d,
                sums.len() >= query_stride * 2,
                state.len() >= $crate::progress::HISTORY + limit,
                state.is_aligned(8),
                n >= 1,
                stride >= n,
                query_stride >= most,
                stride.is_multiple_of($crate::layout::STRIDE),
                query_stride.is_multiple_of($crate::layout::STRIDE),
                queries.is_aligned(16),
                next.is_aligned(16),
                reach2 == f32::INFINITY || <$weight as $crate::weight::Weight>::ENDS,
                reach2 == f32::INFINITY || boxes.len() >= $crate::near::len(n, d),
                reach2 == f32::INFINITY
                    || !<K as $crate::shift_any::Kind>::MARKED
                    || boxes.len() >= $crate::near::len_marked(n, d),
                reach2 == f32::INFINITY || query_box == $crate::shift_any::queries(Machine::LANES),
                reach2 == f32::INFINITY || query_boxes.len() >= most.div_ceil(query_box) * d * 2,
                slice >= 1,
                slice >= n || slice.is_multiple_of($crate::near::BOX),
                slice >= n || reach2 == f32::INFINITY || slice.is_multiple_of($crate::near::WIDE),
                slice >= n || partial.is_aligned(16),
                slice >= n || partial.len() >= n.div_ceil(slice) * (d + 1) * query_stride,
                slice >= n || arrived.len() >= most.div_ceil($crate::shift_any::queries(Machine::LANES)),
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
            partial: *mut f32,
            arrived: *mut u32,
            slice: u32,
        ) {
            let _ = query_box;
            // What is never left out costs no code.
            let reach2 = if <$weight as $crate::weight::Weight>::ENDS { reach2 } else { f32::INFINITY };
            let near = $crate::near::Near { boxes, query_boxes, reach2 };
            let chunk = ::cuda_std::shared_array![f32; $crate::shift_any::staged(Machine::LANES)];
            let memory = ::cuda_std::shared::dynamic_shared_mem::<f32>();
            let slices = $crate::slices::Slices { partial, arrived, points: slice };
            let arguments = $crate::shift::Arguments {
                queries, points, marks, next, sums, state, n, stride, query_stride, most, limit, tolerance, relaxation, near,
                slices,
            };
            let norm = $crate::shift_any::Norm { p, outer, sphere };
            // SAFETY: the launch has checked the sizes and given the block's cells; all threads are here with the
            // same arguments.
            unsafe {
                $crate::shift_any::step::<Machine, $weight, K, { Machine::LANES }, { Machine::LANES / 2 }>(
                    chunk, memory, d, norm, arguments,
                )
            }
        }

        $(#[$doc])*
        #[cfg(not(target_arch = "nvptx64"))]
        pub static STEPS: $crate::steps::Steps = $crate::steps::Steps {
            name: stringify!($weight),
            scale: <$weight as $crate::weight::Weight>::SCALE,
            least: <$weight as $crate::weight::Weight>::LEAST,
            power: match <$weight as $crate::weight::Weight>::POWER {
                Some((power, _)) => Some(power),
                None => None,
            },
            slopes: <$weight as $crate::weight::Weight>::SLOPES,
            oracle: <$weight as $crate::weight::Weight>::oracle,
            plain: $crate::steps!(specialised $p1, $p2, $p3, $p4),
            marked: $crate::steps!(specialised $m1, $m2, $m3, $m4),
            local: &$crate::steps!(specialised $($l2, $l3)?),
            few: &$crate::steps!(few $($f1, $f2, $f3)?),
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
    (few $($kernel:ident),*) => { [$(
        |$crate::steps::Call {
            queries, points, next, sums, state, sizes, limit, tolerance, relaxation, ..
        }| {
            $kernel::launch(
                queries, points, next, sums, state, sizes.n, sizes.stride, sizes.query_stride, sizes.most, limit, tolerance,
                relaxation,
            )
        },
    )*] };
    (wide $($kernel:ident),*) => { [$(
        |$crate::steps::Call {
            queries, points, next, sums, state, sizes, limit, tolerance, relaxation, slices, ..
        }| {
            $kernel::launch(
                queries, points, next, sums, state, sizes.n, sizes.d, sizes.stride, sizes.query_stride, sizes.most, limit,
                tolerance, relaxation, slices.partial, slices.arrived, slices.points,
            )
        },
    )*] };
    (any $($kernel:ident),*) => { [$(
        |$crate::steps::Call {
            queries, points, marks, next, sums, state, sizes, limit, tolerance, relaxation, norm, near, slices,
        }| {
            let near = near.unwrap_or_else(|| $crate::steps::Boxes::none(points));
            $kernel::launch(
                queries, points, marks, next, sums, state, sizes.n, sizes.d, sizes.stride, sizes.query_stride, sizes.most,
                limit, tolerance, relaxation, norm.p, norm.outer, norm.sphere, near.points, near.queries, near.query_box,
                near.reach2, slices.partial, slices.arrived, slices.points,
            )
        },
    )*] };
}

#[cfg(not(target_arch = "nvptx64"))]
pub use crate::calls::{Boxes, Call, Shared, Sizes, Step, Steps};
