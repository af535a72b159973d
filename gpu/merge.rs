//! Points in another order, of which those that are equal, and next to each other in it, become one.
//!
//! ```text
//! flags[i]    = 1 if point order[i] differs from point order[i - 1] in a bit, of its scale too, or is the first
//! starts      = the exclusive sums of the flags (scan.rs): the number of the new point that begins at i
//! new[g]      = the point that begins it;  factor[g] = the sum of the factors of all that are equal
//! number_of[order[i]] = g
//! ```
//!
//! The sum runs in the new order, with what each addition loses kept beside it, so that however many points are
//! equal it is off by its last rounding alone; of points that count one each it is exact up to 2^24.

use cuda_std::prelude::*;

/// Whether a new point begins at each place of the order.   One thread a point.
#[kernel(
    threads = 32..=1024,
    grid = n.div_ceil(block.x),
    require(
        columns.len() >= stride * d,
        marks.len() == 0 || marks.len() >= 2 * stride,
        stride >= n,
        order.len() >= n,
        flags.len() >= n,
    ),
)]
pub unsafe fn flag_points(
    columns: &[f32],
    marks: &[f32],
    order: &[u32],
    mut flags: DisjointMut<u32>,
    n: u32,
    d: u32,
    stride: u32,
) {
    let (n, d, stride) = (n as usize, d as usize, stride as usize);
    let i = thread::index_1d();
    if i >= n {
        return;
    }
    let mut begins = i == 0;
    if !begins {
        let (this, before) = (order[i] as usize, order[i - 1] as usize);
        for c in 0..d {
            begins |= columns[c * stride + this].to_bits() != columns[c * stride + before].to_bits();
        }
        if !marks.is_empty() {
            begins |= marks[stride + this].to_bits() != marks[stride + before].to_bits();
        }
    }
    // SAFETY: cell i belongs to the thread with that index.
    unsafe { flags.write(i, u32::from(begins)) };
}

/// Writes the new points, of which there are `count`, and their factors and scales. Points without marks
/// have factors and scales of 1; `new_marks` may be empty, and is then not written.   One thread a point.
#[kernel(
    threads = 32..=1024,
    grid = n.div_ceil(block.x),
    require(
        columns.len() >= stride * d,
        stride >= n,
        marks.len() == 0 || marks.len() >= 2 * stride,
        order.len() >= n,
        starts.len() >= n,
        new_columns.len() >= new_stride * d,
        new_stride >= count,
        new_marks.len() == 0 || new_marks.len() >= 2 * new_stride,
        number_of.len() >= n,
    ),
)]
pub unsafe fn write_points(
    columns: &[f32],
    marks: &[f32],
    order: &[u32],
    starts: &[u32],
    mut new_columns: DisjointMut<f32>,
    mut new_marks: DisjointMut<f32>,
    mut number_of: DisjointMut<u32>,
    n: u32,
    count: u32,
    d: u32,
    stride: u32,
    new_stride: u32,
) {
    let (n, d, stride, new_stride) = (n as usize, d as usize, stride as usize, new_stride as usize);
    let i = thread::index_1d();
    if i >= n {
        return;
    }
    let this = order[i] as usize;
    let behind = |i: usize| if i + 1 < n { starts[i + 1] } else { count };
    let begins = behind(i) != starts[i];
    let number = if begins { starts[i] } else { starts[i] - 1 };
    // SAFETY: the order has each point once.
    unsafe { number_of.write(this, number) };
    if !begins {
        return;
    }
    let number = number as usize;
    for c in 0..d {
        // SAFETY: each new point is begun by one thread.
        unsafe { new_columns.write(c * new_stride + number, columns[c * stride + this]) };
    }
    if !new_marks.is_empty() {
        let factor = |i: usize| if marks.is_empty() { 1.0 } else { marks[order[i] as usize] };
        let (mut sum, mut lost, mut k) = (factor(i), 0.0_f32, i + 1);
        while k < n && behind(k) == starts[k] {
            let (before, more) = (sum, factor(k));
            sum = before + more;
            let of_more = sum - before;
            lost += (before - (sum - of_more)) + (more - of_more);
            k += 1;
        }
        // SAFETY: as above.
        unsafe {
            new_marks.write(number, sum + lost);
            new_marks.write(new_stride + number, if marks.is_empty() { 1.0 } else { marks[stride + this] });
        }
    }
}

/// `to[i] = from[at[i]]`.   One thread a number.
#[kernel(
    threads = 32..=1024,
    grid = n.div_ceil(block.x),
    require(at.len() >= n, to.len() >= n),
)]
pub unsafe fn gather_numbers(from: &[u32], at: &[u32], mut to: DisjointMut<u32>, n: u32) {
    let i = thread::index_1d();
    if i < n as usize {
        let value = from[at[i] as usize];
        // SAFETY: each thread has its own index.
        unsafe { to.write(i, value) };
    }
}
