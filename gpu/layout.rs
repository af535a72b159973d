//! Between points by rows and coordinates by columns.
//!
//! `rows[i * d + c]` and `columns[c * stride + i]` are coordinate c of point i. People and files hold
//! points by rows; the fused steps read neighbouring points' coordinates together, and so by columns,
//! with `stride >= n` a multiple of [`STRIDE`] and zeros behind the last point.

use cuda_std::prelude::*;

/// Points are padded to a multiple of this many, so that no thread's lanes cross the end of a column.
pub const STRIDE: usize = 32;

/// `columns[c * stride + i] = factors[c] * rows[i * d + c]` for i < n, and 0 from there to the stride.
/// One thread a point.
#[kernel(
    threads = 32..=1024,
    grid = stride.div_ceil(block.x),
    require(rows.len() >= n * d, factors.len() >= d, columns.len() >= stride * d, stride >= n, stride.is_multiple_of(STRIDE)),
)]
pub unsafe fn to_columns(rows: &[f32], factors: &[f32], mut columns: DisjointMut<f32>, n: u32, d: u32, stride: u32) {
    let (n, d, stride) = (n as usize, d as usize, stride as usize);
    let i = thread::index_1d();
    if i < stride {
        for c in 0..d {
            let value = if i < n { factors[c] * rows[i * d + c] } else { 0.0 };
            // SAFETY: column position i belongs to the thread with that index.
            unsafe { columns.write(c * stride + i, value) };
        }
    }
}

/// `rows[i * d + c] = factors[c] * columns[c * stride + i]` for i < n.   One thread a point.
#[kernel(
    threads = 32..=1024,
    grid = n.div_ceil(block.x),
    require(rows.len() >= n * d, factors.len() >= d, columns.len() >= stride * d, stride >= n),
)]
pub unsafe fn to_rows(columns: &[f32], factors: &[f32], mut rows: DisjointMut<f32>, n: u32, d: u32, stride: u32) {
    let (n, d, stride) = (n as usize, d as usize, stride as usize);
    let i = thread::index_1d();
    if i < n {
        for c in 0..d {
            // SAFETY: row i belongs to the thread with that index.
            unsafe { rows.write(i * d + c, factors[c] * columns[c * stride + i]) };
        }
    }
}

/// `to[c * to_stride + i] = from[c * stride + chosen[i]]` for i < n: some of the points.   One thread a point.
#[kernel(
    threads = 32..=1024,
    grid = n.div_ceil(block.x),
    require(chosen.len() >= n, from.len() >= stride * d, to.len() >= to_stride * d, to_stride >= n),
)]
pub unsafe fn gather_columns(
    from: &[f32],
    chosen: &[u32],
    mut to: DisjointMut<f32>,
    n: u32,
    d: u32,
    stride: u32,
    to_stride: u32,
) {
    let i = thread::index_1d();
    if i < n as usize {
        for c in 0..d as usize {
            let x = from[c * stride as usize + chosen[i] as usize];
            // SAFETY: column position i belongs to the thread with that index.
            unsafe { to.write(c * to_stride as usize + i, x) };
        }
    }
}
