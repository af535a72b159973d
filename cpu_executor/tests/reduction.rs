//! A reduction in shared memory against a plain sum, for any length and size of block.

mod memory;

use cuda_std::prelude::*;
use memory::{Memory, executor, run};
use proptest::prelude::*;

/// out[block] = the sum of the block's part of x, by halves.
#[kernel(
    threads = 32..=1024,
    grid = x.len().div_ceil(block.x),
    shared = block.x * 8,
    require(out.len() >= x.len().div_ceil(block.x)),
)]
pub unsafe fn sum(x: &[u64], mut out: DisjointMut<u64>) {
    let partial = cuda_std::shared::dynamic_shared_mem::<u64>();
    let (t, i) = (thread::thread_idx_x() as usize, thread::index_1d());
    // SAFETY: a thread writes its own cell, and reads others' that were written before a barrier.
    unsafe {
        partial.add(t).write(if i < x.len() { x[i] } else { 0 });
        let mut width = thread::block_dim_x() as usize;
        while width > 1 {
            thread::sync_threads();
            let half = width.div_ceil(2);
            if t + half < width {
                *partial.add(t) = (*partial.add(t)).wrapping_add(partial.add(t + half).read());
            }
            width = half;
        }
        if t == 0 {
            out.write(thread::block_idx_x() as usize, partial.read());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn a_tree_of_sums_is_the_sum(x in prop::collection::vec(any::<u64>(), 1..3000), warps in 1u32..=32) {
        let threads = 32 * warps;
        let blocks = x.len().div_ceil(threads as usize);
        let mut out = Memory::filled(u64::MAX, blocks);
        run(&executor(), sum::launch(&Memory::new(x.clone()), &mut out).threads_per_block(threads)).unwrap();
        let part = |part: &[u64]| part.iter().fold(0u64, |sum, x| sum.wrapping_add(*x));
        prop_assert_eq!(out.to_vec(), x.chunks(threads as usize).map(part).collect::<Vec<_>>());
    }
}
