//! The words as PTX: LLVM intrinsics, so that LLVM knows which of them synchronise.
//!
//! Barriers, shuffles and votes must not be written as `asm!`: rustc does not mark such a call
//! `convergent`, and LLVM could then move it into one arm of a branch. What feeds the tensor cores (matrix.rs) is
//! `asm!` all the same, because rustc has no way to pass the intrinsics their pairs of f16: its contract forbids
//! such branches, and `cuda_builder` looks for them.

use core::arch::{asm, nvptx};

mod matrix;
pub(crate) use matrix::*;
#[cfg(target_feature = "sm_90a")]
mod warpgroup;
#[cfg(target_feature = "sm_90a")]
pub(crate) use warpgroup::*;

#[allow(improper_ctypes)]
unsafe extern "C" {
    #[link_name = "llvm.nvvm.isspacep.shared"]
    fn isspacep_shared(pointer: *const u8) -> bool;
    #[link_name = "llvm.nvvm.ex2.approx.ftz.f"]
    fn ex2_approx_ftz(x: f32) -> f32;
    #[link_name = "llvm.nvvm.div.approx.ftz.f"]
    fn div_approx_ftz(a: f32, b: f32) -> f32;
    #[link_name = "llvm.nvvm.rcp.approx.ftz.d"]
    fn rcp_approx_ftz_f64(x: f64) -> f64;
    #[link_name = "llvm.nvvm.lg2.approx.ftz.f"]
    fn lg2_approx_ftz(x: f32) -> f32;
    #[link_name = "llvm.nvvm.sqrt.approx.ftz.f"]
    fn sqrt_approx_ftz(x: f32) -> f32;
    #[link_name = "llvm.nvvm.rsqrt.approx.ftz.f"]
    fn rsqrt_approx_ftz(x: f32) -> f32;
    #[link_name = "llvm.nvvm.barrier0.popc"]
    fn barrier_popc(predicate: i32) -> i32;
    #[link_name = "llvm.nvvm.barrier0.and"]
    fn barrier_and(predicate: i32) -> i32;
    #[link_name = "llvm.nvvm.barrier0.or"]
    fn barrier_or(predicate: i32) -> i32;
    #[link_name = "llvm.nvvm.bar.warp.sync"]
    fn bar_warp_sync(mask: u32);
    #[link_name = "llvm.nvvm.shfl.sync.up.i32"]
    fn shfl_up(mask: u32, value: u32, delta: u32, clamp: u32) -> u32;
    #[link_name = "llvm.nvvm.shfl.sync.down.i32"]
    fn shfl_down(mask: u32, value: u32, delta: u32, clamp: u32) -> u32;
    #[link_name = "llvm.nvvm.shfl.sync.bfly.i32"]
    fn shfl_bfly(mask: u32, value: u32, lanes: u32, clamp: u32) -> u32;
    #[link_name = "llvm.nvvm.shfl.sync.idx.i32"]
    fn shfl_idx(mask: u32, value: u32, lane: u32, clamp: u32) -> u32;
    #[link_name = "llvm.nvvm.vote.all.sync"]
    fn vote_all_sync(mask: u32, predicate: bool) -> bool;
    #[link_name = "llvm.nvvm.vote.any.sync"]
    fn vote_any_sync(mask: u32, predicate: bool) -> bool;
    #[link_name = "llvm.nvvm.vote.ballot.sync"]
    fn vote_ballot_sync(mask: u32, predicate: bool) -> u32;
    #[link_name = "llvm.nvvm.read.ptx.sreg.laneid"]
    fn sreg_laneid() -> u32;
    #[link_name = "llvm.nvvm.membar.gl"]
    fn membar_gl();
    #[link_name = "llvm.nvvm.membar.cta"]
    fn membar_cta();
}

/// A special register that rustc has a function for, as a function of ours.
macro_rules! special_register {
    ($($name:ident = $intrinsic:ident;)*) => { $(
        #[inline(always)]
        pub(crate) fn $name() -> u32 {
            // SAFETY: reading a special register has no effect.
            unsafe { nvptx::$intrinsic() as u32 }
        }
    )* };
}

special_register! {
    thread_idx_x = _thread_idx_x;
    thread_idx_y = _thread_idx_y;
    thread_idx_z = _thread_idx_z;
    block_idx_x = _block_idx_x;
    block_idx_y = _block_idx_y;
    block_idx_z = _block_idx_z;
    block_dim_x = _block_dim_x;
    block_dim_y = _block_dim_y;
    block_dim_z = _block_dim_z;
    grid_dim_x = _grid_dim_x;
    grid_dim_y = _grid_dim_y;
    grid_dim_z = _grid_dim_z;
}

#[inline(always)]
pub(crate) fn lane_id() -> u32 {
    // SAFETY: reading a special register has no effect.
    unsafe { sreg_laneid() }
}

#[inline(always)]
pub(crate) fn sync_threads() {
    // SAFETY: a barrier touches no memory; who reaches it is the kernel's contract.
    unsafe { nvptx::_syncthreads() }
}

#[inline(always)]
pub(crate) fn sync_threads_count(predicate: bool) -> u32 {
    // SAFETY: as for `sync_threads`.
    unsafe { barrier_popc(predicate as i32) as u32 }
}

#[inline(always)]
pub(crate) fn sync_threads_and(predicate: bool) -> bool {
    // SAFETY: as for `sync_threads`.
    unsafe { barrier_and(predicate as i32) != 0 }
}

#[inline(always)]
pub(crate) fn sync_threads_or(predicate: bool) -> bool {
    // SAFETY: as for `sync_threads`.
    unsafe { barrier_or(predicate as i32) != 0 }
}

#[inline(always)]
pub(crate) fn device_fence() {
    // SAFETY: a fence only orders memory operations.
    unsafe { membar_gl() }
}

#[inline(always)]
pub(crate) fn block_fence() {
    // SAFETY: a fence only orders memory operations.
    unsafe { membar_cta() }
}

/// Calls a warp intrinsic; the caller passes on the contract about its mask.
macro_rules! warp_word {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty = $call:expr;)*) => { $(
        #[inline(always)]
        pub(crate) unsafe fn $name($($argument: $type),*) -> $result {
            // SAFETY: the caller promises that the lanes of the mask reach this together.
            unsafe { $call }
        }
    )* };
}

/// The `c` operand of `shfl.sync`: where a segment of `width` lanes ends, and which bits select it.
#[inline(always)]
fn segment(width: u32, last: u32) -> u32 {
    ((32 - width) << 8) | last
}

warp_word! {
    sync_warp(mask: u32) -> () = bar_warp_sync(mask);
    shuffle_up(mask: u32, value: u32, delta: u32, width: u32) -> u32 = shfl_up(mask, value, delta, segment(width, 0));
    shuffle_down(mask: u32, value: u32, delta: u32, width: u32) -> u32 = shfl_down(mask, value, delta, segment(width, 31));
    shuffle_xor(mask: u32, value: u32, lanes: u32, width: u32) -> u32 = shfl_bfly(mask, value, lanes, segment(width, 31));
    shuffle_idx(mask: u32, value: u32, lane: u32, width: u32) -> u32 = shfl_idx(mask, value, lane, segment(width, 31));
    vote_all(mask: u32, predicate: bool) -> bool = vote_all_sync(mask, predicate);
    vote_any(mask: u32, predicate: bool) -> bool = vote_any_sync(mask, predicate);
    vote_ballot(mask: u32, predicate: bool) -> u32 = vote_ballot_sync(mask, predicate);
}

/// A generic address that is known to lie in shared memory, as a pointer of which LLVM knows it.
///
/// Rust has no address spaces. `isspacep.shared` assumed true is what LLVM's pass
/// infer-address-spaces reads, and what turns ordinary loads and stores through this pointer, slices
/// made of it included, into `ld.shared` and `st.shared`. `cuda_builder` runs that pass before the
/// others, because a later one drops the assumption.
///
/// # Safety
/// `address` is a generic address of shared memory, aligned to 16 bytes.
#[inline(always)]
pub unsafe fn shared_pointer<T>(address: u64) -> *mut T {
    let pointer = address as *mut u8;
    // SAFETY: both facts are the caller's promise.
    unsafe {
        core::hint::assert_unchecked(isspacep_shared(pointer));
        core::hint::assert_unchecked(address % 16 == 0);
    }
    pointer.cast()
}

#[inline(always)]
pub(crate) fn dynamic_shared<T>() -> *mut T {
    let address: u64;
    // SAFETY: `#[kernel(shared = …)]` declares the symbol, aligned to 16; the asm only takes its address.
    unsafe {
        asm!(
            "{{ .reg .u32 base; mov.u32 base, cuda_std_dynamic_shared; cvt.u64.u32 {0}, base; cvta.shared.u64 {0}, {0}; }}",
            out(reg64) address,
            options(pure, nomem, nostack, preserves_flags)
        );
        shared_pointer(address)
    }
}

/// a / b: `div.approx.ftz`, off by at most two units in the last place.
#[inline(always)]
pub(crate) fn divide_approx(a: f32, b: f32) -> f32 {
    // SAFETY: arithmetic.
    unsafe { div_approx_ftz(a, b) }
}

/// a / b: `rcp.approx.ftz.f64`, right to 2^-20 or so, then Newton's method, which squares the error twice, and what is left.
#[inline(always)]
pub(crate) fn divide_f64(a: f64, b: f64) -> f64 {
    let fma = core::f64::math::mul_add;
    // SAFETY: arithmetic.
    let mut inverse = unsafe { rcp_approx_ftz_f64(b) };
    inverse = fma(fma(-b, inverse, 1.0), inverse, inverse);
    inverse = fma(fma(-b, inverse, 1.0), inverse, inverse);
    let quotient = a * inverse;
    fma(fma(-b, quotient, a), inverse, quotient)
}

/// 2^x: `ex2.approx.ftz`, relative error at most 2^-22.
#[inline(always)]
pub(crate) fn exp2_approx(x: f32) -> f32 {
    // SAFETY: arithmetic.
    unsafe { ex2_approx_ftz(x) }
}

/// log2 x: `lg2.approx.ftz`, absolute error at most 2^-22.6 in [0.5, 2], relative outside.
#[inline(always)]
pub(crate) fn log2_approx(x: f32) -> f32 {
    // SAFETY: arithmetic.
    unsafe { lg2_approx_ftz(x) }
}

/// sqrt(x): `sqrt.approx.ftz`, relative error at most 2^-23.
#[inline(always)]
pub(crate) fn sqrt_approx(x: f32) -> f32 {
    // SAFETY: arithmetic.
    unsafe { sqrt_approx_ftz(x) }
}

/// 1 / sqrt(x): `rsqrt.approx.ftz`, relative error at most 2^-22.4.
#[inline(always)]
pub(crate) fn rsqrt_approx(x: f32) -> f32 {
    // SAFETY: arithmetic.
    unsafe { rsqrt_approx_ftz(x) }
}
