//! The steps of the biweight, max(1 - u^2, 0)^2. The algorithm: shift.rs, shift_any.rs.

use cuda_std::prelude::*;

use crate::weight::Biweight;

crate::fused_steps! {
    /// The steps of the biweight, max(1 - u^2, 0)^2.
    Biweight;
    plain: shift_biweight_1, shift_biweight_2, shift_biweight_3, shift_biweight_4;
    marked: shift_biweight_marked_1, shift_biweight_marked_2, shift_biweight_marked_3, shift_biweight_marked_4;
    wide: shift_biweight_8, shift_biweight_16, shift_biweight_32;
    any: shift_biweight_any, shift_biweight_marked_any, shift_biweight_norm_any;
}
