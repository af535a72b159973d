//! Which items a thread takes, where each stands for itself: `LANES` of them, for a processor spends more
//! on a thread than on most items.

use cuda_std::prelude::*;

/// Calls `body` for the thread's share of the items 0..n, in a grid of `n.div_ceil(block.x * LANES)`
/// blocks. Neighbours go to neighbouring threads of a GPU, and to one thread of a processor.
#[inline(always)]
pub(crate) fn each<M: Machine>(n: usize, mut body: impl FnMut(usize)) {
    let (t, threads) = (thread::thread_idx_x() as usize, thread::block_dim_x() as usize);
    let first = thread::block_idx_x() as usize * threads * M::LANES;
    let (start, step) = if M::LANES > 4 { (first + t * M::LANES, 1) } else { (first + t, threads) };
    for k in 0..M::LANES {
        let i = start + k * step;
        if i < n {
            body(i);
        }
    }
}
