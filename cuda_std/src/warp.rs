//! Exchange within a warp: 32 threads of consecutive [`thread_rank`](crate::thread::thread_rank).
//!
//! Every function takes a mask of the lanes that take part, [`ALL`] for the whole warp.
//!
//! # Safety
//! All of them owe the same: every lane of the mask reaches the same call with the same mask (a GPU
//! forgives lanes that have ended, the processor does not), the calling lane is in its mask, and a
//! shuffle reads only from lanes of the mask. In a block's last warp, which may be short, [`ALL`] means
//! the lanes that there are: no shuffle may read from the others.
//! On the processor a broken promise is reported as an error; on a GPU the result is undefined.

use crate::words;

mod matrix;
pub use matrix::*;

/// The mask of a whole warp.
pub const ALL: u32 = u32::MAX;

/// Lanes of a warp.
pub const WARP_SIZE: u32 = 32;

/// This thread's lane: its rank in the block modulo 32.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::warp;
/// use cuda_std::prelude::*;
///
/// #[kernel(block = 64, grid = 1, require(out.len() == 64))]
/// pub unsafe fn lanes(mut out: DisjointMut<u32>) {
///     if let Some(out) = out.own() {
///         *out = warp::lane_id();
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// let mut out = Cells::filled(0, 64);
/// executor.run(lanes::launch(&mut out))?;
/// // Two warps.
/// assert_eq!((out.to_vec()[31], out.to_vec()[32]), (31, 0));
/// # Ok(())
/// # }
/// ```
#[inline(always)]
pub fn lane_id() -> u32 {
    words::lane_id()
}

/// Waits for the lanes of `mask`, and makes their memory operations visible to each other.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::warp;
/// use cuda_std::prelude::*;
///
/// #[kernel(block = 32, grid = 1, require(out.len() == 32))]
/// pub unsafe fn reverse(mut out: DisjointMut<u32>) {
///     let cells = shared_array![u32; 32];
///     let lane = warp::lane_id() as usize;
///     // SAFETY: all 32 lanes come here; each writes its own cell, and reads another behind the barrier.
///     let found = unsafe {
///         cells.add(lane).write(lane as u32);
///         warp::sync_warp(warp::ALL);
///         cells.add(31 - lane).read()
///     };
///     if let Some(out) = out.own() {
///         *out = found;
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// let mut out = Cells::filled(0, 32);
/// executor.run(reverse::launch(&mut out))?;
/// assert_eq!(out.to_vec()[..3], [31, 30, 29]);
/// # Ok(())
/// # }
/// ```
///
/// # Safety
/// See the [module](self).
#[inline(always)]
pub unsafe fn sync_warp(mask: u32) {
    // SAFETY: the caller's promise.
    unsafe { words::sync_warp(mask) }
}

/// A value that a shuffle can carry: 32 bits, or 64 as two shuffles.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::warp::{self, WarpShuffleValue};
/// use cuda_std::prelude::*;
///
/// /// What the first lane has, for any value that a shuffle carries.
/// #[inline(always)]
/// fn of_first<T: WarpShuffleValue>(value: T) -> T {
///     // SAFETY: the kernel's 32 lanes come here.
///     unsafe { warp::warp_shuffle_idx(warp::ALL, value, 0, 32) }
/// }
///
/// #[kernel(block = 32, grid = 1, require(out.len() == 32))]
/// pub unsafe fn spread(mut out: DisjointMut<f32>) {
///     let found = of_first(0.5 + warp::lane_id() as f32);
///     if let Some(out) = out.own() {
///         *out = found;
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// let mut out = Cells::filled(0.0, 32);
/// executor.run(spread::launch(&mut out))?;
/// assert_eq!(out.to_vec(), [0.5; 32]);
/// # Ok(())
/// # }
/// ```
pub trait WarpShuffleValue: Copy {
    /// Applies a 32-bit shuffle to the value's words.
    #[doc(hidden)]
    fn through(self, shuffle: impl Fn(u32) -> u32) -> Self;
}

macro_rules! shuffle_value {
    ($($type:ty: $to:expr, $from:expr;)*) => { $(
        impl WarpShuffleValue for $type {
            #[inline(always)]
            fn through(self, shuffle: impl Fn(u32) -> u32) -> Self {
                let (to, from): (fn($type) -> u32, fn(u32) -> $type) = ($to, $from);
                from(shuffle(to(self)))
            }
        }
    )* };
}

shuffle_value! {
    u32: |v| v, |w| w;
    i32: |v| v as u32, |w| w as i32;
    f32: |v| v.to_bits(), f32::from_bits;
}

impl WarpShuffleValue for u64 {
    #[inline(always)]
    fn through(self, shuffle: impl Fn(u32) -> u32) -> Self {
        let (low, high) = (shuffle(self as u32), shuffle((self >> 32) as u32));
        (high as u64) << 32 | low as u64
    }
}

macro_rules! shuffles {
    ($($(#[$doc:meta])* $name:ident = $word:ident;)*) => { $(
        $(#[$doc])*
        ///
        /// `width` (a power of two up to 32) splits the warp into segments that shuffle by themselves.
        ///
        /// # Safety
        /// See the [module](self).
        #[inline(always)]
        pub unsafe fn $name<T: WarpShuffleValue>(mask: u32, value: T, by: u32, width: u32) -> T {
            // SAFETY: the caller's promise.
            value.through(|word| unsafe { words::$word(mask, word, by, width) })
        }
    )* };
}

shuffles! {
    /// The value of the lane `by` lower in the segment; the lane's own where there is none.
    ///
    /// ```
    /// # use cpu_executor::{Cells, CpuExecutor};
    /// use cuda_std::warp;
    /// use cuda_std::prelude::*;
    ///
    /// #[kernel(block = 32, grid = 1, require(out.len() == 32))]
    /// pub unsafe fn exchange(mut out: DisjointMut<u32>) {
    ///     let lane = warp::lane_id();
    ///     // SAFETY: all 32 lanes come here.
    ///     let found = unsafe { warp::warp_shuffle_up(warp::ALL, lane, 1, 32) };
    ///     if let Some(out) = out.own() {
    ///         *out = found;
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let executor = CpuExecutor::of_this_processor()?;
    /// let mut out = Cells::filled(0, 32);
    /// executor.run(exchange::launch(&mut out))?;
    /// assert_eq!(out.to_vec()[..4], [0, 0, 1, 2]);
    /// # Ok(())
    /// # }
    /// ```
    warp_shuffle_up = shuffle_up;
    /// The value of the lane `by` higher in the segment; the lane's own where there is none.
    ///
    /// ```
    /// # use cpu_executor::{Cells, CpuExecutor};
    /// use cuda_std::warp;
    /// use cuda_std::prelude::*;
    ///
    /// #[kernel(block = 32, grid = 1, require(out.len() == 32))]
    /// pub unsafe fn exchange(mut out: DisjointMut<u32>) {
    ///     let lane = warp::lane_id();
    ///     // SAFETY: all 32 lanes come here.
    ///     let found = unsafe { warp::warp_shuffle_down(warp::ALL, lane, 1, 4) };
    ///     if let Some(out) = out.own() {
    ///         *out = found;
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let executor = CpuExecutor::of_this_processor()?;
    /// let mut out = Cells::filled(0, 32);
    /// executor.run(exchange::launch(&mut out))?;
    /// // In segments of four lanes.
    /// assert_eq!(out.to_vec()[..5], [1, 2, 3, 3, 5]);
    /// # Ok(())
    /// # }
    /// ```
    warp_shuffle_down = shuffle_down;
    /// The value of the lane whose number in the segment differs by exclusive or with `by`.
    ///
    /// ```
    /// # use cpu_executor::{Cells, CpuExecutor};
    /// use cuda_std::warp;
    /// use cuda_std::prelude::*;
    ///
    /// #[kernel(block = 32, grid = 1, require(out.len() == 32))]
    /// pub unsafe fn exchange(mut out: DisjointMut<u32>) {
    ///     let lane = warp::lane_id();
    ///     // SAFETY: all 32 lanes come here.
    ///     let found = unsafe { warp::warp_shuffle_xor(warp::ALL, lane, 1, 32) };
    ///     if let Some(out) = out.own() {
    ///         *out = found;
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let executor = CpuExecutor::of_this_processor()?;
    /// let mut out = Cells::filled(0, 32);
    /// executor.run(exchange::launch(&mut out))?;
    /// assert_eq!(out.to_vec()[..4], [1, 0, 3, 2]);
    /// # Ok(())
    /// # }
    /// ```
    warp_shuffle_xor = shuffle_xor;
    /// The value of lane number `by` of the segment.
    ///
    /// ```
    /// # use cpu_executor::{Cells, CpuExecutor};
    /// use cuda_std::warp;
    /// use cuda_std::prelude::*;
    ///
    /// #[kernel(block = 32, grid = 1, require(out.len() == 32))]
    /// pub unsafe fn exchange(mut out: DisjointMut<u32>) {
    ///     let lane = warp::lane_id();
    ///     // SAFETY: all 32 lanes come here.
    ///     let found = unsafe { warp::warp_shuffle_idx(warp::ALL, lane, 3, 32) };
    ///     if let Some(out) = out.own() {
    ///         *out = found;
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let executor = CpuExecutor::of_this_processor()?;
    /// let mut out = Cells::filled(0, 32);
    /// executor.run(exchange::launch(&mut out))?;
    /// assert_eq!(out.to_vec(), [3; 32]);
    /// # Ok(())
    /// # }
    /// ```
    warp_shuffle_idx = shuffle_idx;
}

/// Whether `predicate` holds in every lane of `mask`.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::warp;
/// use cuda_std::prelude::*;
///
/// #[kernel(block = 32, grid = 1, require(out.len() == 32))]
/// pub unsafe fn exchange(mut out: DisjointMut<u32>) {
///     let lane = warp::lane_id();
///     // SAFETY: all 32 lanes come here.
///     let found = unsafe { u32::from(warp::warp_vote_all(warp::ALL, lane < 32)) };
///     if let Some(out) = out.own() {
///         *out = found;
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// let mut out = Cells::filled(0, 32);
/// executor.run(exchange::launch(&mut out))?;
/// assert_eq!(out.to_vec(), [1; 32]);
/// # Ok(())
/// # }
/// ```
///
/// # Safety
/// See the [module](self).
#[inline(always)]
pub unsafe fn warp_vote_all(mask: u32, predicate: bool) -> bool {
    // SAFETY: the caller's promise.
    unsafe { words::vote_all(mask, predicate) }
}

/// Whether `predicate` holds in any lane of `mask`.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::warp;
/// use cuda_std::prelude::*;
///
/// #[kernel(block = 32, grid = 1, require(out.len() == 32))]
/// pub unsafe fn exchange(mut out: DisjointMut<u32>) {
///     let lane = warp::lane_id();
///     // SAFETY: all 32 lanes come here.
///     let found = unsafe { u32::from(warp::warp_vote_any(warp::ALL, lane > 31)) };
///     if let Some(out) = out.own() {
///         *out = found;
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// let mut out = Cells::filled(0, 32);
/// executor.run(exchange::launch(&mut out))?;
/// assert_eq!(out.to_vec(), [0; 32]);
/// # Ok(())
/// # }
/// ```
///
/// # Safety
/// See the [module](self).
#[inline(always)]
pub unsafe fn warp_vote_any(mask: u32, predicate: bool) -> bool {
    // SAFETY: the caller's promise.
    unsafe { words::vote_any(mask, predicate) }
}

/// The lanes of `mask` in which `predicate` holds, a bit each.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::warp;
/// use cuda_std::prelude::*;
///
/// #[kernel(block = 32, grid = 1, require(out.len() == 32))]
/// pub unsafe fn exchange(mut out: DisjointMut<u32>) {
///     let lane = warp::lane_id();
///     // SAFETY: all 32 lanes come here.
///     let found = unsafe { warp::warp_vote_ballot(warp::ALL, lane < 4) };
///     if let Some(out) = out.own() {
///         *out = found;
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// let mut out = Cells::filled(0, 32);
/// executor.run(exchange::launch(&mut out))?;
/// assert_eq!(out.to_vec(), [0b1111; 32]);
/// # Ok(())
/// # }
/// ```
///
/// # Safety
/// See the [module](self).
#[inline(always)]
pub unsafe fn warp_vote_ballot(mask: u32, predicate: bool) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { words::vote_ballot(mask, predicate) }
}

/// Combines the values of a whole warp with `combine`, in a fixed order; every lane gets the result.
///
/// The order is a butterfly (lanes 16, 8, 4, 2, 1 apart), so `combine` must be commutative for the
/// lanes to agree; floating-point addition is, bit for bit.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::warp;
/// use cuda_std::prelude::*;
///
/// #[kernel(block = 32, grid = 1, require(out.len() == 32))]
/// pub unsafe fn exchange(mut out: DisjointMut<u32>) {
///     let lane = warp::lane_id();
///     // SAFETY: all 32 lanes come here.
///     let found = unsafe { warp::warp_reduce(lane, |a, b| a + b) };
///     if let Some(out) = out.own() {
///         *out = found;
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// let mut out = Cells::filled(0, 32);
/// executor.run(exchange::launch(&mut out))?;
/// assert_eq!(out.to_vec(), [31 * 32 / 2; 32]);
/// # Ok(())
/// # }
/// ```
///
/// # Safety
/// See the [module](self); the mask is [`ALL`], and the warp is whole.
#[inline(always)]
pub unsafe fn warp_reduce<T: WarpShuffleValue>(value: T, combine: impl Fn(T, T) -> T) -> T {
    let mut result = value;
    let mut apart = WARP_SIZE / 2;
    while apart > 0 {
        // SAFETY: the caller's promise.
        result = combine(result, unsafe { warp_shuffle_xor(ALL, result, apart, WARP_SIZE) });
        apart /= 2;
    }
    result
}
