//! Points on a sphere about the origin, between which half the squared distance is 1 - cos.
//!
//! ```text
//! columns[c, i] = radius (x_ic + centre_c) / |x_i + centre|
//! ```

use cuda_std::{atomic, prelude::*};

use crate::layout::STRIDE;

/// Rows are f32: closer to the origin, relative to its row and the centre, a point's direction is that of roundings.
pub const PRECISION: f64 = 1.0 / (1 << 20) as f64;

/// Puts centred points, n x d by rows, onto the sphere of this radius: d x stride by columns, zeros behind
/// the last. `first_zero`, `u32::MAX` before, becomes the first point that has no direction: one that is no farther
/// from the origin than [`PRECISION`] of its row and the centre, of which only their rounded sum is left.   One
/// thread a point, in f64.
#[kernel(
    threads = 32..=1024,
    grid = stride.div_ceil(block.x),
    require(
        rows.len() >= n * d,
        centre.len() >= d,
        columns.len() >= stride * d,
        first_zero.len() >= 1,
        stride >= n,
        stride.is_multiple_of(STRIDE),
    ),
)]
pub unsafe fn to_sphere(
    rows: &[f32],
    centre: &[f64],
    mut columns: DisjointMut<f32>,
    first_zero: *mut u32,
    n: u32,
    d: u32,
    stride: u32,
    radius: f64,
) {
    let (n, d, stride) = (n as usize, d as usize, stride as usize);
    let i = thread::index_1d();
    if i >= stride {
        return;
    }
    let mut squared = 0.0;
    let mut directed = false;
    if i < n {
        let (mut row_squared, mut centre_squared) = (0.0, 0.0);
        for c in 0..d {
            let (row, middle) = (f64::from(rows[i * d + c]), centre[c]);
            row_squared += row * row;
            centre_squared += middle * middle;
            squared += (row + middle) * (row + middle);
        }
        let parts = row_squared.sqrt() + centre_squared.sqrt();
        directed = squared > PRECISION * PRECISION * parts * parts;
        if !directed {
            // SAFETY: the launch has checked the length, and all threads touch the cell atomically.
            unsafe { atomic::fetch_min(first_zero, i as u32) };
        }
    }
    for c in 0..d {
        let on_sphere =
            if directed { (radius * (f64::from(rows[i * d + c]) + centre[c]) / squared.sqrt()) as f32 } else { 0.0 };
        // SAFETY: column position i belongs to the thread with that index.
        unsafe { columns.write(c * stride + i, on_sphere) };
    }
}
