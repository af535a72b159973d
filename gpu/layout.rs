//! Between points by rows and coordinates by columns.
//!
//! `rows[i * d + c]` and `columns[c * stride + i]` are coordinate c of point i. People and files hold
//! points by rows; the fused steps read neighbouring points' coordinates together, and so by columns,
//! with `stride >= n` a multiple of [`STRIDE`] and zeros behind the last point.

use cuda_std::prelude::*;

/// Points are padded to a multiple of this many, so that no thread's lanes cross the end of a column.
pub const STRIDE: usize = 32;

/// `columns[c * stride + i] = factor * rows[i * d + c]` for i < n, and 0 from there to the stride.
/// One thread a point.
#[kernel(
    threads = 32..=1024,
    grid = stride.div_ceil(block.x),
    require(rows.len() >= n * d, columns.len() >= stride * d, stride >= n, stride.is_multiple_of(STRIDE)),
)]
pub unsafe fn to_columns(rows: &[f32], mut columns: DisjointMut<f32>, n: u32, d: u32, stride: u32, factor: f32) {
    let (n, d, stride) = (n as usize, d as usize, stride as usize);
    let i = thread::index_1d();
    if i < stride {
        for c in 0..d {
            let value = if i < n { factor * rows[i * d + c] } else { 0.0 };
            // SAFETY: column position i belongs to the thread with that index.
            unsafe { columns.write(c * stride + i, value) };
        }
    }
}

/// `rows[i * d + c] = factor * columns[c * stride + i]` for i < n.   One thread a point.
#[kernel(
    threads = 32..=1024,
    grid = n.div_ceil(block.x),
    require(rows.len() >= n * d, columns.len() >= stride * d, stride >= n),
)]
pub unsafe fn to_rows(columns: &[f32], mut rows: DisjointMut<f32>, n: u32, d: u32, stride: u32, factor: f32) {
    let (n, d, stride) = (n as usize, d as usize, stride as usize);
    let i = thread::index_1d();
    if i < n {
        for c in 0..d {
            // SAFETY: row i belongs to the thread with that index.
            unsafe { rows.write(i * d + c, factor * columns[c * stride + i]) };
        }
    }
}
