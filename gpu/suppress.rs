//! scikit-learn's rule of merging (cluster/_mean_shift.py, `MeanShift.fit`): of the candidates, ordered by
//! the number of points about them and then by position, both descending, keep the first, drop all within
//! the bandwidth of it, and so on.
//!
//! The candidates are sorted (order.rs) and copied in that order ([`ranked`]); one block then goes through
//! them (`suppress`): each pass drops what is near the candidate kept last, and finds the first that is
//! left. That is O(n d) for each that is kept.

use cuda_std::prelude::*;

use crate::components::NONE;
use crate::pairwise::{L1, Lp, Metric, SquaredL2};

/// The most threads of the block.
const MOST: usize = 1024;

/// `keys[i]`: how many points are about candidate i. One thread a candidate.
#[kernel(threads = 32..=1024, grid = n.div_ceil(block.x), require(counts.len() >= n, keys.len() >= n))]
pub unsafe fn count_keys(counts: &[u32], mut keys: DisjointMut<u64>, n: u32) {
    let i = thread::index_1d();
    if i < n as usize {
        // SAFETY: cell i belongs to the thread with that index.
        unsafe { keys.write(i, u64::from(counts[i])) };
    }
}

/// Candidates by columns in their order, and `dropped[k]`: 1 for those that nothing is about, else 0.
/// One thread a candidate.
#[kernel(
    threads = 32..=1024,
    grid = n.div_ceil(block.x),
    require(
        ends.len() >= stride * d,
        stride >= n,
        order.len() >= n,
        counts.len() >= n,
        sorted.len() >= stride * d,
        dropped.len() >= n,
    ),
)]
pub unsafe fn ranked(
    ends: &[f32],
    order: &[u32],
    counts: &[u32],
    mut sorted: DisjointMut<f32>,
    mut dropped: DisjointMut<u32>,
    n: u32,
    d: u32,
    stride: u32,
) {
    let stride = stride as usize;
    let k = thread::index_1d();
    if k < n as usize {
        let i = order[k] as usize;
        // SAFETY: cells k belong to the thread with that index.
        unsafe {
            dropped.write(k, u32::from(counts[i] == 0));
            for c in 0..d as usize {
                sorted.write(c * stride + k, ends[c * stride + i]);
            }
        }
    }
}

/// `kept[0]`, `kept[1]`, …: the ranks of the candidates that are kept, and `kept_count[0]` their number;
/// `limit` is the p-th power of the bandwidth. One block.
#[kernel(
    instances(suppress_l2<SquaredL2>, suppress_l1<L1>, suppress_lp<Lp>),
    threads = 32..=MOST as u32,
    grid = 1,
    require(
        sorted.len() >= stride * d,
        stride >= n,
        dropped.len() >= n,
        kept.len() >= n,
        kept_count.len() >= 1,
    ),
)]
pub unsafe fn suppress<T: Metric>(
    sorted: &[f32],
    mut dropped: DisjointMut<u32>,
    mut kept: DisjointMut<u32>,
    mut kept_count: DisjointMut<u32>,
    n: u32,
    d: u32,
    stride: u32,
    p: f32,
    limit: f32,
) {
    let firsts = shared_array![u32; MOST];
    let (n, d, stride) = (n as usize, d as usize, stride as usize);
    let (t, threads) = (thread::thread_idx_x() as usize, thread::block_dim_x() as usize);
    // No candidate, at first: the first pass drops nothing.
    let (mut current, mut found) = (NONE, 0);
    let mut k = t;
    loop {
        let mut first = NONE;
        let mut at = k;
        while at < n {
            // SAFETY: of `dropped` this thread alone touches every block_dim_x-th cell, from t on.
            let mut gone = unsafe { dropped.read(at) } > 0;
            if !gone && current != NONE {
                let mut sum = 0.0;
                let mut c = 0;
                while c < d && sum <= limit {
                    let difference = sorted[c * stride + at] - sorted[c * stride + current as usize];
                    sum = T::add::<Machine>(sum, difference, p);
                    c += 1;
                }
                gone = sum <= limit;
                if gone {
                    // SAFETY: as above.
                    unsafe { dropped.write(at, 1) };
                }
            }
            if !gone && first == NONE {
                first = at as u32;
                // What comes before it is never looked at again.
                k = at;
            }
            at += threads;
        }
        if first == NONE {
            k = n;
        }
        // SAFETY: cell t is this thread's until the barrier.
        unsafe { firsts.add(t).write(first) };
        thread::sync_threads();
        current = NONE;
        for other in 0..threads {
            // SAFETY: every thread of the block wrote its cell before the barrier.
            let first = unsafe { firsts.add(other).read() };
            current = if first < current { first } else { current };
        }
        // Nobody overwrites a cell that another thread has yet to read.
        if !thread::sync_threads_or(current != NONE) {
            break;
        }
        if t == 0 {
            // SAFETY: thread 0 alone writes; there are no more than n candidates.
            unsafe { kept.write(found, current) };
        }
        found += 1;
    }
    if t == 0 {
        // SAFETY: as above.
        unsafe { kept_count.write(0, found as u32) };
    }
}

/// The candidates of some ranks by rows, and the numbers of points about them. One thread a candidate.
#[kernel(
    threads = 32..=1024,
    grid = count.div_ceil(block.x),
    require(kept.len() >= count, rows.len() >= count * d, about.len() >= count),
)]
pub unsafe fn kept_rows(
    sorted: &[f32],
    order: &[u32],
    counts: &[u32],
    kept: &[u32],
    mut rows: DisjointMut<f32>,
    mut about: DisjointMut<u32>,
    count: u32,
    d: u32,
    stride: u32,
) {
    let (d, stride) = (d as usize, stride as usize);
    let k = thread::index_1d();
    if k < count as usize {
        let rank = kept[k] as usize;
        // SAFETY: row and cell k belong to the thread with that index.
        unsafe {
            about.write(k, counts[order[rank] as usize]);
            for c in 0..d {
                rows.write(k * d + c, sorted[c * stride + rank]);
            }
        }
    }
}
