//! The Cauchy weight, 1 / (1 + u^2): a weight function that users might add, kept as the example of how.
//!
//! Its tail is heavy, so that far points still pull: useful where clusters are ragged.

use cuda_std::prelude::*;

use crate::weight::Weight;

/// 1 / (1 + u^2)
///
/// ```
/// use cuda_std::machine::Baseline;
/// use gpu::cauchy::Cauchy;
/// use gpu::weight::Weight;
///
/// assert_eq!(Cauchy::oracle(2.0), 0.2);
/// assert_eq!(Cauchy::of::<Baseline>(4.0), 0.2);
/// ```
pub enum Cauchy {}

impl Weight for Cauchy {
    const SCALE: f64 = 1.0;

    #[inline(always)]
    fn of<M: Machine>(scaled_squared: f32) -> f32 {
        M::divide(1.0, 1.0 + scaled_squared)
    }

    #[cfg(not(target_arch = "nvptx64"))]
    fn oracle(u: f64) -> f64 {
        1.0 / (1.0 + u * u)
    }
}

crate::fused_steps! {
    /// The steps of the Cauchy weight, 1 / (1 + u^2).
    Cauchy;
    plain: shift_cauchy_1, shift_cauchy_2, shift_cauchy_3, shift_cauchy_4;
    marked: shift_cauchy_marked_1, shift_cauchy_marked_2, shift_cauchy_marked_3, shift_cauchy_marked_4;
    wide: shift_cauchy_8, shift_cauchy_16, shift_cauchy_32;
    any: shift_cauchy_any, shift_cauchy_marked_any, shift_cauchy_norm_any;
}
