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

/// The mask of a whole warp.
pub const ALL: u32 = u32::MAX;

/// Lanes of a warp.
pub const WARP_SIZE: u32 = 32;

/// This thread's lane: its rank in the block modulo 32.
#[inline(always)]
pub fn lane_id() -> u32 {
    words::lane_id()
}

/// Waits for the lanes of `mask`, and makes their memory operations visible to each other.
///
/// # Safety
/// See the [module](self).
#[inline(always)]
pub unsafe fn sync_warp(mask: u32) {
    // SAFETY: the caller's promise.
    unsafe { words::sync_warp(mask) }
}

/// A value that a shuffle can carry: 32 bits, or 64 as two shuffles.
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
    warp_shuffle_up = shuffle_up;
    /// The value of the lane `by` higher in the segment; the lane's own where there is none.
    warp_shuffle_down = shuffle_down;
    /// The value of the lane whose number in the segment differs by exclusive or with `by`.
    warp_shuffle_xor = shuffle_xor;
    /// The value of lane number `by` of the segment.
    warp_shuffle_idx = shuffle_idx;
}

/// Whether `predicate` holds in every lane of `mask`.
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
/// # Safety
/// See the [module](self).
#[inline(always)]
pub unsafe fn warp_vote_any(mask: u32, predicate: bool) -> bool {
    // SAFETY: the caller's promise.
    unsafe { words::vote_any(mask, predicate) }
}

/// The lanes of `mask` in which `predicate` holds, a bit each.
///
/// # Safety
/// See the [module](self).
#[inline(always)]
pub unsafe fn warp_vote_ballot(mask: u32, predicate: bool) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { words::vote_ballot(mask, predicate) }
}

/// D = A B + C on the tensor cores, with A 16 x 16 and B 16 x 8 in f16, C and D 16 x 8 in f32.
///
/// A matrix lies spread over the lanes. With g = lane / 4 and t = lane % 4, a lane holds
///
/// | | word or number | elements (row, column) |
/// |---|---|---|
/// | A | `a[0]`, `a[1]` | (g, 2t) and (g, 2t + 1); the same of row g + 8 |
/// | | `a[2]`, `a[3]` | (g, 2t + 8) and (g, 2t + 9); the same of row g + 8 |
/// | B | `b[0]`, `b[1]` | (2t, g) and (2t + 1, g); (2t + 8, g) and (2t + 9, g) |
/// | C, D | `c[0]`, `c[1]`; `c[2]`, `c[3]` | (g, 2t), (g, 2t + 1); the same of row g + 8 |
///
/// where a word holds two f16, the first in its low half: the fragments of PTX's
/// `mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32`. That is one instruction from compute 8.0 on; PTX for
/// 7.5 has two of `m16n8k8`, one for each half of the 16 products.
///
/// # Precision
/// Products are exact. Their sum and C's is off by at most 17 roundings of f32, 2^-24 each, of the sum of
/// magnitudes on the processor, which adds them in order; tensor cores add in an order of their own, and may cut off
/// where f32 would round: 17 times 2^-23. Sums of integers (or of multiples of one power of two) below 2^24 are exact.
///
/// # Safety
/// The whole warp comes here together, 32 lanes of it. The call must not stand under a condition that
/// differs between the lanes, even if it never does where it matters: in PTX it is `asm!`, which LLVM does not
/// know to synchronise and may copy into the arms of such a branch. `cuda_builder` refuses what it finds of that, as it
/// does for barriers.
#[inline(always)]
pub unsafe fn mma_m16n8k16_f16(a: [u32; 4], b: [u32; 2], c: [f32; 4]) -> [f32; 4] {
    // SAFETY: the caller's promise.
    unsafe { words::mma_m16n8k16_f16(a, b, c) }
}

/// Combines the values of a whole warp with `combine`, in a fixed order; every lane gets the result.
///
/// The order is a butterfly (lanes 16, 8, 4, 2, 1 apart), so `combine` must be commutative for the
/// lanes to agree; floating-point addition is, bit for bit.
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
