//! Where a thread stands in its block and grid, and barriers of a block.

use crate::words;

macro_rules! index_functions {
    ($($(#[$doc:meta])* $name:ident;)*) => { $(
        $(#[$doc])*
        #[inline(always)]
        pub fn $name() -> u32 {
            words::$name()
        }
    )* };
}

index_functions! {
    /// The thread's position in its block along x.
    thread_idx_x;
    /// The thread's position in its block along y.
    thread_idx_y;
    /// The thread's position in its block along z.
    thread_idx_z;
    /// The block's position in the grid along x.
    block_idx_x;
    /// The block's position in the grid along y.
    block_idx_y;
    /// The block's position in the grid along z.
    block_idx_z;
    /// Threads of a block along x.
    block_dim_x;
    /// Threads of a block along y.
    block_dim_y;
    /// Threads of a block along z.
    block_dim_z;
    /// Blocks of the grid along x.
    grid_dim_x;
    /// Blocks of the grid along y.
    grid_dim_y;
    /// Blocks of the grid along z.
    grid_dim_z;
}

/// The thread's index along x in the whole grid: `block_idx_x * block_dim_x + thread_idx_x`.
///
/// A `usize`, because it indexes slices: a grid may have more than 2^32 threads.
#[inline(always)]
pub fn index_1d() -> usize {
    block_idx_x() as usize * block_dim_x() as usize + thread_idx_x() as usize
}

/// The thread's indices along x and y in the whole grid, x first.
#[inline(always)]
pub fn index_2d() -> (usize, usize) {
    (index_1d(), block_idx_y() as usize * block_dim_y() as usize + thread_idx_y() as usize)
}

/// The thread's indices along x, y and z in the whole grid, x first.
#[inline(always)]
pub fn index_3d() -> (usize, usize, usize) {
    let (x, y) = index_2d();
    (x, y, block_idx_z() as usize * block_dim_z() as usize + thread_idx_z() as usize)
}

/// The thread's number in its block, x fastest. Warps are 32 consecutive numbers.
#[inline(always)]
pub fn thread_rank() -> u32 {
    (thread_idx_z() * block_dim_y() + thread_idx_y()) * block_dim_x() + thread_idx_x()
}

/// Threads of a block.
#[inline(always)]
pub fn block_size() -> u32 {
    block_dim_x() * block_dim_y() * block_dim_z()
}

/// Threads of the grid along x: the stride of a grid-stride loop.
#[inline(always)]
pub fn grid_stride() -> usize {
    grid_dim_x() as usize * block_dim_x() as usize
}

/// Waits until every thread of the block is here; what they wrote to shared and global memory
/// before is then visible to the whole block.
///
/// Every thread of the block must reach the same barrier. On the processor a block of which only
/// part arrives is reported as an error; on a GPU it hangs or worse.
#[inline(always)]
pub fn sync_threads() {
    words::sync_threads();
}

/// [`sync_threads`], and the number of threads of the block whose `predicate` holds.
#[inline(always)]
pub fn sync_threads_count(predicate: bool) -> u32 {
    words::sync_threads_count(predicate)
}

/// [`sync_threads`], and whether `predicate` holds for every thread of the block.
#[inline(always)]
pub fn sync_threads_and(predicate: bool) -> bool {
    words::sync_threads_and(predicate)
}

/// [`sync_threads`], and whether `predicate` holds for any thread of the block.
#[inline(always)]
pub fn sync_threads_or(predicate: bool) -> bool {
    words::sync_threads_or(predicate)
}

/// Orders this thread's memory operations for every thread of the device.
#[inline(always)]
pub fn device_fence() {
    words::device_fence();
}

/// Orders this thread's memory operations for every thread of the block.
#[inline(always)]
pub fn block_fence() {
    words::block_fence();
}
