//! The steps of the Gaussian weight, exp(-u^2 / 2). The algorithm: shift.rs, shift_any.rs.

use cuda_std::prelude::*;

use crate::weight::Gaussian;

crate::fused_steps! {
    /// The steps of the Gaussian weight, exp(-u^2 / 2).
    Gaussian;
    plain: shift_gaussian_1, shift_gaussian_2, shift_gaussian_3, shift_gaussian_4;
    marked: shift_gaussian_marked_1, shift_gaussian_marked_2, shift_gaussian_marked_3, shift_gaussian_marked_4;
    local: shift_gaussian_local_2, shift_gaussian_local_3;
    few: shift_gaussian_few_1, shift_gaussian_few_2, shift_gaussian_few_3;
    wide: shift_gaussian_8, shift_gaussian_16, shift_gaussian_32;
    any: shift_gaussian_any, shift_gaussian_marked_any, shift_gaussian_norm_any;
}
