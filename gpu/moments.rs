//! Sums, means and variances in f64, in one order everywhere.
//!
//! One block takes a column or a vector: thread t adds the elements t, t + THREADS, ..., and the first thread
//! adds what the threads have, in their order. So the bits do not depend on how many blocks run at
//! once, nor on the machine.
//!
//! ```text
//! mean     = sum_i w_i x_i / sum_i w_i
//! variance = sum_i w_i (x_i - mean)^2 / sum_i w_i
//! ```

use cuda_std::prelude::*;

/// Threads of a block.
const THREADS: usize = 256;

/// Numbers that [`summary`] gives.
pub const SUMMARY: usize = 8;

/// Each thread's numbers, combined in the threads' order, for every thread.
///
/// # Safety
/// All threads of the block call it; `cells` has THREADS cells, of which nobody reads any more.
#[inline(always)]
unsafe fn together<const N: usize>(
    cells: *mut [f64; N],
    mine: [f64; N],
    combine: impl Fn([f64; N], [f64; N]) -> [f64; N],
) -> [f64; N] {
    let t = thread::thread_idx_x() as usize;
    // Number by number: a GPU's compiler does not see that a whole array lies in shared memory.
    for k in 0..N {
        // SAFETY: cell t is this thread's until the barrier.
        unsafe { (*cells.add(t))[k] = mine[k] };
    }
    thread::sync_threads();
    let mut all = mine;
    if t == 0 {
        for other in 1..THREADS as u32 {
            let mut next = mine;
            for k in 0..N {
                // SAFETY: every thread wrote its cell before the barrier, and only the first touches them until the next.
                next[k] = unsafe { (*cells.add(other as usize))[k] };
            }
            all = combine(all, next);
        }
        for k in 0..N {
            // SAFETY: as above.
            unsafe { (*cells)[k] = all[k] };
        }
    }
    thread::sync_threads();
    for k in 0..N {
        // SAFETY: the first cell was written before the barrier.
        all[k] = unsafe { (*cells)[k] };
    }
    thread::sync_threads();
    all
}

/// `moments[2 c]`, the mean, and `moments[2 c + 1]`, the variance, of each column c. `weights` is empty, or has
/// one for each point, not all of them zero. One block a column.
#[kernel(
    block = THREADS as u32,
    grid = d,
    require(
        columns.len() >= stride * d,
        stride >= n,
        n > 0,
        weights.len() == 0 || weights.len() >= n,
        moments.len() >= 2 * d,
    ),
)]
pub unsafe fn column_moments(
    columns: &[f32],
    weights: &[f32],
    mut moments: DisjointMut<f64>,
    n: u32,
    d: u32,
    stride: u32,
) {
    let cells = shared_array![[f64; 2]; THREADS];
    let (n, stride) = (n as usize, stride as usize);
    let (t, c) = (thread::thread_idx_x() as usize, thread::block_idx_x() as usize);
    let column = &columns[c * stride..][..n];
    let weight = |i: usize| if weights.is_empty() { 1.0 } else { f64::from(weights[i]) };
    let add = |a: [f64; 2], b: [f64; 2]| [a[0] + b[0], a[1] + b[1]];
    let mut sums = [0.0; 2];
    let mut i = t;
    while i < n {
        sums = add(sums, [weight(i) * f64::from(column[i]), weight(i)]);
        i += THREADS;
    }
    // SAFETY: every thread of the block is here.
    let [sum, total] = unsafe { together(cells, sums, add) };
    // A constant column has exactly its value for a mean, and no variance: rounding would give it one.
    let first = f64::from(column[0]);
    let mean = sum / total;
    let mut squares = [0.0; 2];
    let mut i = t;
    while i < n {
        let difference = f64::from(column[i]) - mean;
        let differs = if weight(i) > 0.0 && f64::from(column[i]) != first { 1.0 } else { 0.0 };
        squares = add(squares, [weight(i) * difference * difference, differs]);
        i += THREADS;
    }
    // SAFETY: as above.
    let [square, differing] = unsafe { together(cells, squares, add) };
    if t == 0 {
        // SAFETY: of column c only this thread writes.
        unsafe {
            moments.write(2 * c, if differing > 0.0 { mean } else { first });
            moments.write(2 * c + 1, if differing > 0.0 { square / total } else { 0.0 });
        }
    }
}

/// What a vector holds, `weights` empty or one for each value, in this order: `sum_i w_i v_i`, `sum_i w_i`,
/// `sum_i w_i^2`, the smallest value, the largest, the smallest positive one (infinite if there is none), how many are zero,
/// and how many weights are not whole. Values without weight do not count. One block.
#[kernel(
    block = THREADS as u32,
    grid = 1_usize,
    require(values.len() > 0, weights.len() == 0 || weights.len() >= values.len(), out.len() >= SUMMARY),
)]
pub unsafe fn summary(values: &[f32], weights: &[f32], mut out: DisjointMut<f64>) {
    let cells = shared_array![[f64; SUMMARY]; THREADS];
    let t = thread::thread_idx_x() as usize;
    let low = |a: f64, b: f64| if a < b { a } else { b };
    let high = |a: f64, b: f64| if a > b { a } else { b };
    let combine = |a: [f64; SUMMARY], b: [f64; SUMMARY]| {
        [
            a[0] + b[0],
            a[1] + b[1],
            a[2] + b[2],
            low(a[3], b[3]),
            high(a[4], b[4]),
            low(a[5], b[5]),
            a[6] + b[6],
            a[7] + b[7],
        ]
    };
    let mut mine = [0.0, 0.0, 0.0, f64::INFINITY, f64::NEG_INFINITY, f64::INFINITY, 0.0, 0.0];
    let mut i = t;
    while i < values.len() {
        let value = f64::from(values[i]);
        let weight = if weights.is_empty() { 1.0 } else { f64::from(weights[i]) };
        if weight > 0.0 {
            let positive = if value > 0.0 { value } else { f64::INFINITY };
            let zero = if value == 0.0 { 1.0 } else { 0.0 };
            // f32 values from 2^23 on are whole.
            let whole = weight >= 8_388_608.0 || f64::from(weight as u32) == weight;
            let part = if whole { 0.0 } else { 1.0 };
            mine = combine(mine, [weight * value, weight, weight * weight, value, value, positive, zero, part]);
        }
        i += THREADS;
    }
    // SAFETY: every thread of the block is here.
    let all = unsafe { together(cells, mine, combine) };
    if t == 0 {
        for (at, value) in all.into_iter().enumerate() {
            // SAFETY: only this thread writes.
            unsafe { out.write(at, value) };
        }
    }
}

/// The product of positive values as mantissa and exponent, `out[0] * 2^out[1]` with `1 <= out[0] < 2`: their
/// geometric mean needs no logarithm. One block.
#[kernel(block = THREADS as u32, grid = 1_usize, require(values.len() > 0, out.len() >= 2))]
pub unsafe fn product(values: &[f32], mut out: DisjointMut<f64>) {
    let cells = shared_array![[f64; 2]; THREADS];
    let t = thread::thread_idx_x() as usize;
    let combine = |a: [f64; 2], b: [f64; 2]| {
        let bits = (a[0] * b[0]).to_bits();
        let exponent = (bits >> 52) as i32 - 1023;
        let mantissa = f64::from_bits(bits & ((1 << 52) - 1) | 1023 << 52);
        [mantissa, a[1] + b[1] + f64::from(exponent)]
    };
    let mut mine = [1.0, 0.0];
    let mut i = t;
    while i < values.len() {
        mine = combine(mine, [f64::from(values[i]), 0.0]);
        i += THREADS;
    }
    // SAFETY: every thread of the block is here.
    let all = unsafe { together(cells, mine, combine) };
    if t == 0 {
        // SAFETY: only this thread writes.
        unsafe {
            out.write(0, all[0]);
            out.write(1, all[1]);
        }
    }
}

/// `values[i] = value` where it is zero. One thread a value.
#[kernel(threads = 32..=1024)]
pub unsafe fn replace_zeros(mut values: DisjointMut<f32>, value: f32) {
    if let Some(cell) = values.own()
        && *cell == 0.0
    {
        *cell = value;
    }
}
