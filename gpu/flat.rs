//! The steps of the flat weight, 1 for u <= 1. The algorithm: shift.rs, shift_any.rs.

use cuda_std::prelude::*;

use crate::weight::Flat;

crate::fused_steps! {
    /// The steps of the flat weight, 1 for u <= 1.
    Flat;
    plain: shift_flat_1, shift_flat_2, shift_flat_3, shift_flat_4;
    marked: shift_flat_marked_1, shift_flat_marked_2, shift_flat_marked_3, shift_flat_marked_4;
    wide: shift_flat_8, shift_flat_16, shift_flat_32;
    any: shift_flat_any, shift_flat_marked_any, shift_flat_norm_any;
}
