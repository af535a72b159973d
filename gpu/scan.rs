//! Exclusive prefix sums of counts, in place: `values[i]` becomes the sum of all before it, and
//! `total[0]` the sum of all.
//!
//! Up to [`ONE_BLOCK`] values take one launch, of [`scan_block`]. More take three: the sums of runs of
//! [`RUN`] values, the scan of those by one block, and the runs again, each from where it starts.

use cuda_std::prelude::*;

/// Values that a thread sums one after another.
pub const RUN: usize = 64;

/// Values for which one block is quicker than three launches.
pub const ONE_BLOCK: usize = 1 << 14;

/// The most threads of a block.
const MOST: usize = 256;

/// `sums[r]` is the sum of run r of the first n values. One thread a run.
#[kernel(
    threads = 32..=1024,
    grid = n.div_ceil(RUN).div_ceil(block.x),
    require(values.len() >= n, sums.len() >= n.div_ceil(RUN)),
)]
pub unsafe fn scan_sums(values: &[u32], mut sums: DisjointMut<u32>, n: u32) {
    let n = n as usize;
    let run = thread::index_1d();
    if run * RUN < n {
        let end = (run * RUN + RUN).min(n);
        let mut sum = 0;
        for value in &values[run * RUN..end] {
            sum += value;
        }
        // SAFETY: the run is this thread's.
        unsafe { sums.write(run, sum) };
    }
}

/// The scan of the first n values by one block; a thread takes a run of them, however long.
#[kernel(
    small,
    block = if Machine::LANES > 4 { 64 } else { MOST as u32 },
    threads = 32..=MOST as u32,
    grid = 1,
    require(values.len() >= n, total.len() >= 1),
)]
pub unsafe fn scan_block(mut values: DisjointMut<u32>, mut total: DisjointMut<u32>, n: u32) {
    let partial = shared_array![u32; MOST];
    let n = n as usize;
    let (t, threads) = (thread::thread_idx_x() as usize, thread::block_dim_x() as usize);
    let run = n.div_ceil(threads);
    let (start, end) = ((t * run).min(n), (t * run + run).min(n));
    let mut sum = 0;
    for i in start..end {
        // SAFETY: the run is this thread's, and was written before the launch.
        sum += unsafe { values.read(i) };
    }
    // SAFETY: cell t is this thread's until the barrier.
    unsafe { partial.add(t).write(sum) };
    thread::sync_threads();
    let (mut before, mut all) = (0, 0);
    for other in 0..threads {
        // SAFETY: every thread of the block wrote its cell before the barrier.
        let sum = unsafe { partial.add(other).read() };
        before += if other < t { sum } else { 0 };
        all += sum;
    }
    for i in start..end {
        // SAFETY: the run is this thread's.
        unsafe {
            let value = values.read(i);
            values.write(i, before);
            before += value;
        }
    }
    if t == 0 {
        // SAFETY: thread 0 alone writes it.
        unsafe { total.write(0, all) };
    }
}

/// The scan of each run of the first n values, on top of where the run starts. One thread a run.
#[kernel(
    threads = 32..=1024,
    grid = n.div_ceil(RUN).div_ceil(block.x),
    require(values.len() >= n, starts.len() >= n.div_ceil(RUN)),
)]
pub unsafe fn scan_runs(mut values: DisjointMut<u32>, starts: &[u32], n: u32) {
    let n = n as usize;
    let run = thread::index_1d();
    if run * RUN < n {
        let mut before = starts[run];
        for i in run * RUN..(run * RUN + RUN).min(n) {
            // SAFETY: the run is this thread's.
            unsafe {
                let value = values.read(i);
                values.write(i, before);
                before += value;
            }
        }
    }
}
