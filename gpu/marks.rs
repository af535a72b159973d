//! What each point carries through a shift with a bandwidth of its own.
//!
//! The sample-point estimator (Comaniciu, Ramesh, Meer, The variable bandwidth mean shift and data-driven
//! scale selection, 2001), with bandwidths h_j, sample weights w_j and g the weight function of the shift:
//!
//! ```text
//! f(x)  = sum_j w_j h_j^-d k(|x - x_j|^2 / h_j^2)
//! x'    = sum_j w_j h_j^-(d+2) g(|x - x_j|^2 / h_j^2) x_j / sum_j w_j h_j^-(d+2) g(|x - x_j|^2 / h_j^2)
//! ```
//!
//! Points are scaled by one bandwidth, h_ref, and both factors are relative to it, so that they stay near one:
//! factor_j = unit w_j (h_ref / h_j)^(d+2), scale2_j = (h_ref / h_j)^2. h_ref and unit cancel in x'; the unit
//! keeps the factors of the widest bandwidths from being next to nothing ([`LEAST`](crate::weight::Weight::LEAST)), and
//! those of the narrowest from being something where their weights are cut off.

use cuda_std::prelude::*;

/// `marks[j]`, the factor, and `marks[stride + j]`, the squared scale, of n points; zeros from there to the stride.
/// `bandwidths` is empty where all are `h_ref`, `weights` where all are 1. One thread a point.
#[kernel(
    threads = 32..=1024,
    grid = stride.div_ceil(block.x),
    require(
        bandwidths.len() == 0 || bandwidths.len() >= n,
        weights.len() == 0 || weights.len() >= n,
        marks.len() >= 2 * stride,
        stride >= n,
    ),
)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn marks(
    bandwidths: &[f32],
    weights: &[f32],
    mut marks: DisjointMut<f32>,
    n: u32,
    d: u32,
    stride: u32,
    h_ref: f64,
    unit: f64,
) {
    let (n, stride) = (n as usize, stride as usize);
    let j = thread::index_1d();
    if j < stride {
        let (mut factor, mut scale2) = (0.0, 0.0);
        if j < n {
            let ratio = if bandwidths.is_empty() { 1.0 } else { h_ref / f64::from(bandwidths[j]) };
            let weight = if weights.is_empty() { 1.0 } else { f64::from(weights[j]) };
            scale2 = ratio * ratio;
            factor = unit * weight * power(ratio, d + 2);
        }
        // SAFETY: cells j of both columns belong to the thread with that index.
        unsafe {
            marks.write(j, factor as f32);
            marks.write(stride + j, scale2 as f32);
        }
    }
}

/// base^exponent, by squaring.
#[inline(always)]
fn power(mut base: f64, mut exponent: u32) -> f64 {
    let mut power = 1.0;
    while exponent > 0 {
        if exponent % 2 == 1 {
            power *= base;
        }
        base *= base;
        exponent /= 2;
    }
    power
}
