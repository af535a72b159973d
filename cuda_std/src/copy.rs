//! Copies from global to shared memory that run while the thread goes on: `cp.async`, from compute 8.0 on.
//!
//! A thread begins copies with [`async_16`], [`async_16_of_row`], [`async_8`] or [`async_4`], ends a group of them with [`commit`], and waits
//! with [`wait`] until no more than so many of its groups, the newest, are under way. Other threads see what was copied behind a
//! barrier after that wait. On the processor a copy is done when it is begun; the interpreter lets nobody touch what is under way.

use crate::shared::SharedAddress;
use crate::words;

/// Begins to copy 16 bytes. They go past the first cache, since shared memory takes its place.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::shared::SharedAddress;
/// use cuda_std::{copy, prelude::*};
///
/// /// Copies four numbers a thread through shared memory.
/// #[kernel(block = 32, grid = 1, require(x.len() == 128, out.len() == 128))]
/// pub unsafe fn through(x: &[f32], mut out: DisjointMut<f32>) {
///     let tile = shared_array![[f32; 4]; 32];
///     let t = thread::thread_idx_x() as usize;
///     // SAFETY: 16 bytes of a thread's own, from and to multiples of 16; they are read behind the wait.
///     unsafe {
///         copy::async_16(SharedAddress::of(tile.add(t)), x.as_ptr().add(4 * t));
///         copy::commit();
///         copy::wait::<0>();
///         for (k, x) in tile.add(t).read().into_iter().enumerate() {
///             out.write(4 * t + k, x);
///         }
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let x = Cells::new((0..128).map(|i| i as f32).collect::<Vec<f32>>());
/// let mut out = Cells::filled(0.0, 128);
/// # let executor = CpuExecutor::of_this_processor()?;
/// executor.run(through::launch(&x, &mut out))?;
/// assert_eq!(out.to_vec(), x.to_vec());
/// # Ok(())
/// # }
/// ```
///
/// # Safety
/// Both addresses are multiples of 16; `from` points to 16 bytes of global memory that nobody writes during the launch.
/// Nobody touches the 16 bytes at `to` until a wait, and for other threads a barrier, says that the copy has ended.
#[inline(always)]
pub unsafe fn async_16<T>(to: SharedAddress, from: *const T) {
    // SAFETY: the caller's promise.
    unsafe { words::copy_async_16(to.0, from.cast()) }
}

/// The same of a part of a longer row, of which more is going to be copied soon.
///
/// Where the PTX of an architecture has a word for it, from compute 9.0 on, the 256 bytes that the 16 are in come into the second cache
/// at once: a GPU's memory gives longer pieces faster. Elsewhere it is [`async_16`].
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::shared::SharedAddress;
/// use cuda_std::{copy, prelude::*};
///
/// /// Copies rows of 32 numbers through shared memory, four numbers a thread.
/// #[kernel(block = 32, grid = 1, require(x.len() == 128, out.len() == 128))]
/// pub unsafe fn through(x: &[f32], mut out: DisjointMut<f32>) {
///     let tile = shared_array![[f32; 4]; 32];
///     let t = thread::thread_idx_x() as usize;
///     // SAFETY: 16 bytes of a thread's own, from and to multiples of 16; they are read behind the wait.
///     unsafe {
///         copy::async_16_of_row(SharedAddress::of(tile.add(t)), x.as_ptr().add(4 * t));
///         copy::commit();
///         copy::wait::<0>();
///         for (k, x) in tile.add(t).read().into_iter().enumerate() {
///             out.write(4 * t + k, x);
///         }
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let x = Cells::new((0..128).map(|i| i as f32).collect::<Vec<f32>>());
/// let mut out = Cells::filled(0.0, 128);
/// # let executor = CpuExecutor::of_this_processor()?;
/// executor.run(through::launch(&x, &mut out))?;
/// assert_eq!(out.to_vec(), x.to_vec());
/// # Ok(())
/// # }
/// ```
///
/// # Safety
/// As for [`async_16`].
#[inline(always)]
pub unsafe fn async_16_of_row<T>(to: SharedAddress, from: *const T) {
    // SAFETY: the caller's promise.
    unsafe { words::copy_async_16_of_row(to.0, from.cast()) }
}

/// The same as [`async_16`] of 8 bytes, which go through the first cache.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::shared::SharedAddress;
/// use cuda_std::{copy, prelude::*};
///
/// /// Copies pairs of numbers through shared memory, all but the first pair.
/// #[kernel(block = 32, grid = 1, require(x.len() == 66, out.len() == 64))]
/// pub unsafe fn through(x: &[f32], mut out: DisjointMut<f32>) {
///     let tile = shared_array![[f32; 2]; 32];
///     let t = thread::thread_idx_x() as usize;
///     // SAFETY: two numbers of a thread's own; they are read behind the wait.
///     unsafe {
///         copy::async_8(SharedAddress::of(tile.add(t)), x.as_ptr().add(2 * t + 2));
///         copy::commit();
///         copy::wait::<0>();
///         for (k, x) in tile.add(t).read().into_iter().enumerate() {
///             out.write(2 * t + k, x);
///         }
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let x = Cells::new((0..66).map(|i| i as f32).collect::<Vec<f32>>());
/// let mut out = Cells::filled(0.0, 64);
/// # let executor = CpuExecutor::of_this_processor()?;
/// executor.run(through::launch(&x, &mut out))?;
/// assert_eq!(out.to_vec(), x.to_vec()[2..]);
/// # Ok(())
/// # }
/// ```
///
/// # Safety
/// As for [`async_16`], with 8 in the place of 16.
#[inline(always)]
pub unsafe fn async_8<T>(to: SharedAddress, from: *const T) {
    // SAFETY: the caller's promise.
    unsafe { words::copy_async_8(to.0, from.cast()) }
}

/// The same as [`async_16`] of 4 bytes, for what does not begin at multiples of 16. They go through the first cache.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::shared::SharedAddress;
/// use cuda_std::{copy, prelude::*};
///
/// /// Copies all numbers but the first through shared memory.
/// #[kernel(block = 32, grid = 1, require(x.len() == 33, out.len() == 32))]
/// pub unsafe fn through(x: &[f32], mut out: DisjointMut<f32>) {
///     let tile = shared_array![f32; 32];
///     let t = thread::thread_idx_x() as usize;
///     // SAFETY: a number of a thread's own; it is read behind the wait.
///     unsafe {
///         copy::async_4(SharedAddress::of(tile.add(t)), x.as_ptr().add(t + 1));
///         copy::commit();
///         copy::wait::<0>();
///         out.write(t, tile.add(t).read());
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let x = Cells::new((0..33).map(|i| i as f32).collect::<Vec<f32>>());
/// let mut out = Cells::filled(0.0, 32);
/// # let executor = CpuExecutor::of_this_processor()?;
/// executor.run(through::launch(&x, &mut out))?;
/// assert_eq!(out.to_vec(), x.to_vec()[1..]);
/// # Ok(())
/// # }
/// ```
///
/// # Safety
/// As for [`async_16`], with 4 in the place of 16.
#[inline(always)]
pub unsafe fn async_4<T>(to: SharedAddress, from: *const T) {
    // SAFETY: the caller's promise.
    unsafe { words::copy_async_4(to.0, from.cast()) }
}

/// Ends a group: all copies that this thread has begun since the last. There may be none.
///
/// ```
/// // Three stages of a pipeline are three groups: the oldest is there when two are under way.
/// use cuda_std::copy;
///
/// /// Called by every thread behind the copies of a stage.
/// fn stage() {
///     copy::commit();
///     copy::wait::<2>();
/// }
/// ```
#[inline(always)]
pub fn commit() {
    words::copy_commit();
}

/// Waits until at most `PENDING` of this thread's groups, the newest, are under way.
///
/// ```
/// /// All that this thread has begun to copy is there.
/// fn all() {
///     cuda_std::copy::commit();
///     cuda_std::copy::wait::<0>();
/// }
/// ```
#[inline(always)]
pub fn wait<const PENDING: usize>() {
    words::copy_wait::<PENDING>();
}
