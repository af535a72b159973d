//! The steps of the Epanechnikov weight, max(1 - u^2, 0). The algorithm: shift.rs, shift_any.rs.

use cuda_std::prelude::*;

use crate::weight::Epanechnikov;

crate::fused_steps! {
    /// The steps of the Epanechnikov weight, max(1 - u^2, 0).
    Epanechnikov;
    plain: shift_epanechnikov_1, shift_epanechnikov_2, shift_epanechnikov_3, shift_epanechnikov_4;
    marked: shift_epanechnikov_marked_1, shift_epanechnikov_marked_2, shift_epanechnikov_marked_3, shift_epanechnikov_marked_4;
    wide: shift_epanechnikov_8, shift_epanechnikov_16, shift_epanechnikov_32;
    any: shift_epanechnikov_any, shift_epanechnikov_marked_any, shift_epanechnikov_norm_any;
}
