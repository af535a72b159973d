//! Copies from global to shared memory that run while the thread goes on: `cp.async`, from compute 8.0 on.
//!
//! A thread begins copies with [`async_16`], ends a group of them with [`commit`], and waits with [`wait`] until no more
//! than so many of its groups, the newest, are under way. Other threads see what was copied behind a barrier after that
//! wait. On the processor, and on the interpreter, a copy is done when it is begun.

use crate::shared::SharedAddress;
use crate::words;

/// Begins to copy 16 bytes. They go past the first cache, since shared memory takes its place.
///
/// # Safety
/// Both addresses are multiples of 16; `from` points to 16 bytes of global memory that nobody writes during the launch.
/// Nobody touches the 16 bytes at `to` until a wait, and for other threads a barrier, says that the copy has ended.
#[inline(always)]
pub unsafe fn async_16<T>(to: SharedAddress, from: *const T) {
    // SAFETY: the caller's promise.
    unsafe { words::copy_async_16(to.0, from.cast()) }
}

/// Ends a group: all copies that this thread has begun since the last. There may be none.
#[inline(always)]
pub fn commit() {
    words::copy_commit();
}

/// Waits until at most `PENDING` of this thread's groups, the newest, are under way.
#[inline(always)]
pub fn wait<const PENDING: usize>() {
    words::copy_wait::<PENDING>();
}
