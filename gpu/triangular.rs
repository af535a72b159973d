//! The steps of the triangular weight, max(1 - u, 0). The algorithm: shift.rs, shift_any.rs.

use cuda_std::prelude::*;

use crate::weight::Triangular;

crate::fused_steps! {
    /// The steps of the triangular weight, max(1 - u, 0).
    Triangular;
    plain: shift_triangular_1, shift_triangular_2, shift_triangular_3, shift_triangular_4;
    marked: shift_triangular_marked_1, shift_triangular_marked_2, shift_triangular_marked_3, shift_triangular_marked_4;
    wide: shift_triangular_8, shift_triangular_16, shift_triangular_32;
    any: shift_triangular_any, shift_triangular_marked_any, shift_triangular_norm_any;
}
