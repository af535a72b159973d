//! Barriers of a block, and fences.

use crate::words;

/// Waits until every thread of the block is here; what they wrote to shared and global memory
/// before is then visible to the whole block.
///
/// Every thread of the block must reach the same barrier. On the processor a block of which only
/// part arrives is reported as an error; on a GPU it hangs or worse.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::prelude::*;
///
/// /// The last thread hands its element to the first.
/// #[kernel(block = 64, grid = 1, require(x.len() == 64, out.len() == 1))]
/// pub unsafe fn last_to_all(x: &[u32], mut out: DisjointMut<u32>) {
///     let cell = shared_array![u32; 1];
///     if thread::thread_idx_x() == 63 {
///         // SAFETY: one thread writes, and the others read behind the barrier.
///         unsafe { cell.write(x[63]) };
///     }
///     thread::sync_threads();
///     if let Some(out) = out.own() {
///         // SAFETY: as above.
///         *out = unsafe { cell.read() };
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// let (x, mut out) = (Cells::new((0..64).collect::<Vec<u32>>()), Cells::filled(0, 1));
/// executor.run(last_to_all::launch(&x, &mut out))?;
/// assert_eq!(out.to_vec(), [63]);
/// # Ok(())
/// # }
/// ```
#[inline(always)]
pub fn sync_threads() {
    words::sync_threads();
}

/// [`sync_threads`], and the number of threads of the block whose `predicate` holds.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::prelude::*;
///
/// #[kernel(block = 32, grid = 1, require(x.len() == 32, out.len() == 1))]
/// pub unsafe fn ask(x: &[u32], mut out: DisjointMut<u32>) {
///     let found = thread::sync_threads_count(x[thread::index_1d()] < 10);
///     if let Some(out) = out.own() {
///         *out = found;
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// // Of 0 to 31 ten are less than 10.
/// let (x, mut out) = (Cells::new((0..32).collect::<Vec<u32>>()), Cells::filled(9, 1));
/// executor.run(ask::launch(&x, &mut out))?;
/// assert_eq!(out.to_vec(), [10]);
/// # Ok(())
/// # }
/// ```
#[inline(always)]
pub fn sync_threads_count(predicate: bool) -> u32 {
    words::sync_threads_count(predicate)
}

/// [`sync_threads`], and whether `predicate` holds for every thread of the block.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::prelude::*;
///
/// #[kernel(block = 32, grid = 1, require(x.len() == 32, out.len() == 1))]
/// pub unsafe fn ask(x: &[u32], mut out: DisjointMut<u32>) {
///     let found = thread::sync_threads_and(x[thread::index_1d()] < 10);
///     if let Some(out) = out.own() {
///         *out = u32::from(found);
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// // Not all of 0 to 31 are less than 10.
/// let (x, mut out) = (Cells::new((0..32).collect::<Vec<u32>>()), Cells::filled(9, 1));
/// executor.run(ask::launch(&x, &mut out))?;
/// assert_eq!(out.to_vec(), [0]);
/// # Ok(())
/// # }
/// ```
#[inline(always)]
pub fn sync_threads_and(predicate: bool) -> bool {
    words::sync_threads_and(predicate)
}

/// [`sync_threads`], and whether `predicate` holds for any thread of the block.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::prelude::*;
///
/// #[kernel(block = 32, grid = 1, require(x.len() == 32, out.len() == 1))]
/// pub unsafe fn ask(x: &[u32], mut out: DisjointMut<u32>) {
///     let found = thread::sync_threads_or(x[thread::index_1d()] < 10);
///     if let Some(out) = out.own() {
///         *out = u32::from(found);
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// // Some of 0 to 31 are less than 10.
/// let (x, mut out) = (Cells::new((0..32).collect::<Vec<u32>>()), Cells::filled(9, 1));
/// executor.run(ask::launch(&x, &mut out))?;
/// assert_eq!(out.to_vec(), [1]);
/// # Ok(())
/// # }
/// ```
#[inline(always)]
pub fn sync_threads_or(predicate: bool) -> bool {
    words::sync_threads_or(predicate)
}

/// Orders this thread's memory operations for every thread of the device.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::atomic;
/// use cuda_std::prelude::*;
///
/// /// The last block to come adds what all of them wrote.
/// #[kernel(block = 1, grid = x.len(), require(parts.len() == x.len(), arrived.len() == 1, out.len() == 1))]
/// pub unsafe fn sum(x: &[u32], mut parts: DisjointMut<u32>, arrived: *mut u32, mut out: DisjointMut<u32>) {
///     let block = thread::block_idx_x() as usize;
///     // SAFETY: a block has a cell of its own, which others read behind the fence and the counter.
///     unsafe {
///         parts.write(block, x[block]);
///         thread::device_fence();
///         if atomic::fetch_add(arrived, 1) as usize == x.len() - 1 {
///             thread::device_fence();
///             out.write(0, (0..x.len()).map(|i| parts.read(i)).sum());
///         }
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// let (x, mut parts) = (Cells::new([1, 2, 3, 4]), Cells::filled(0, 4));
/// let (mut arrived, mut out) = (Cells::filled(0, 1), Cells::filled(0, 1));
/// executor.run(sum::launch(&x, &mut parts, &mut arrived, &mut out))?;
/// assert_eq!(out.to_vec(), [10]);
/// # Ok(())
/// # }
/// ```
#[inline(always)]
pub fn device_fence() {
    words::device_fence();
}

/// Orders this thread's memory operations for every thread of the block.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::atomic;
/// use cuda_std::prelude::*;
///
/// /// The last thread of the block to come sees what the others wrote.
/// #[kernel(block = 4, grid = 1, require(x.len() == 4, out.len() == 1))]
/// pub unsafe fn sum(x: &[u32], mut out: DisjointMut<u32>) {
///     let (parts, arrived) = (shared_array![u32; 4], shared_array![u32; 1]);
///     let t = thread::thread_idx_x() as usize;
///     // SAFETY: a thread has a cell of its own, which another reads behind the fence and the counter.
///     unsafe {
///         if t == 0 {
///             arrived.write(0);
///         }
///         thread::sync_threads();
///         parts.add(t).write(x[t]);
///         thread::block_fence();
///         if atomic::fetch_add(arrived, 1) == 3 {
///             thread::block_fence();
///             out.write(0, (0..4).map(|i| parts.add(i).read()).sum());
///         }
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// let (x, mut out) = (Cells::new([1, 2, 3, 4]), Cells::filled(0, 1));
/// executor.run(sum::launch(&x, &mut out))?;
/// assert_eq!(out.to_vec(), [10]);
/// # Ok(())
/// # }
/// ```
#[inline(always)]
pub fn block_fence() {
    words::block_fence();
}
