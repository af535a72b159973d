//! Some of the rows as columns, and weights as integers: what a search among some of the points starts from.

use cuda_std::{atomic, prelude::*};

/// `columns[c * stride + i] = factor * rows[pick(i) * d + c]` for i < m, and 0 from there to the stride, where
/// pick(i) is `indices[i]`, or i n / m if there are no indices. One thread a picked row.
#[kernel(
    threads = 32..=1024,
    grid = stride.div_ceil(block.x),
    require(
        rows.len() >= n * d,
        columns.len() >= stride * d,
        stride >= m,
        m <= n,
        indices.len() == 0 || indices.len() >= m,
    ),
)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn gather(
    rows: &[f32],
    indices: &[u32],
    mut columns: DisjointMut<f32>,
    n: u32,
    d: u32,
    m: u32,
    stride: u32,
    factor: f32,
) {
    let (n, d, m, stride) = (n as usize, d as usize, m as usize, stride as usize);
    let i = thread::index_1d();
    if i < stride {
        let picked = match indices.is_empty() {
            _ if i >= m => 0,
            true => (i as u64 * n as u64 / m as u64) as usize,
            false => indices[i] as usize,
        };
        for c in 0..d {
            let value = if i < m { factor * rows[picked * d + c] } else { 0.0 };
            // SAFETY: column position i belongs to the thread with that index.
            unsafe { columns.write(c * stride + i, value) };
        }
    }
}

/// `masses[i]` = `factor * weights[i]`, rounded, and `total[0]`, zero before, their sum: weights as integers, whose
/// sums have no order. One thread a weight.
#[kernel(
    threads = 32..=1024,
    grid = n.div_ceil(block.x),
    require(weights.len() >= n, masses.len() >= n, total.len() >= 1),
)]
pub unsafe fn masses(weights: &[f32], mut masses: DisjointMut<u32>, total: *mut u32, n: u32, factor: f64) {
    let i = thread::index_1d();
    if i < n as usize {
        let mass = (f64::from(weights[i]) * factor + 0.5) as u32;
        // SAFETY: cell i belongs to the thread with that index; the launch has checked that there is a total,
        // which is only ever added to.
        unsafe {
            masses.write(i, mass);
            atomic::fetch_add(total, mass);
        }
    }
}
