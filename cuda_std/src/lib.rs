//! What a kernel written in Rust may say.
//!
//! A kernel is an ordinary Rust function under [`#[kernel]`](kernel). Every word in this crate has two
//! meanings: on the target `nvptx64-nvidia-cuda` it becomes an LLVM intrinsic and so an instruction of
//! PTX; anywhere else it asks the executor that simulates a GPU on the processor (see [`processor`]).
//! One source therefore serves both, and a kernel can be tested, debugged and profiled with a
//! processor's tools.
//!
//! Names and meanings follow rust-cuda's crate of the same name where it has them:
//!
//! | CUDA C++ | here |
//! |---|---|
//! | `threadIdx.x`, `blockIdx.y`, … | [`thread::thread_idx_x`], [`thread::block_idx_y`], … |
//! | `blockIdx.x * blockDim.x + threadIdx.x` | [`thread::index_1d`] |
//! | `__syncthreads()` | [`thread::sync_threads`] |
//! | `__shared__ float tile[256]` | [`shared_array!`] |
//! | `extern __shared__ float tile[]` | [`shared::dynamic_shared_mem`] |
//! | `__shfl_down_sync`, `__shfl_xor_sync` | [`warp::warp_shuffle_down`], [`warp::warp_shuffle_xor`] |
//! | `__ballot_sync` | [`warp::warp_vote_ballot`] |
//! | `mma.sync`, `ldmatrix` (PTX) | [`warp::mma_m16n8k16_f16`], [`warp::ldmatrix_x4`] |
//! | `cp.async` (PTX) | [`copy::async_16`], [`copy::async_16_of_row`], [`copy::async_8`], [`copy::async_4`] |
//! | `wgmma` (PTX) | [`warpgroup::multiply_bf16`] |
//! | `__floats2bfloat162_rn` | [`narrow::bf16_pair`] |
//! | `atomicAdd`, `atomicMax`, `atomicCAS` | [`atomic::fetch_add`], [`atomic::fetch_max`], [`atomic::compare_exchange`] |
//! | `kernel<<<grid, block>>>(…)` | `kernel::launch(…)`, see [`kernel`] |
//!
//! How one is written from end to end is in `docs/writing-kernels.md`.
#![cfg_attr(target_arch = "nvptx64", no_std)]
#![cfg_attr(
    target_arch = "nvptx64",
    feature(link_llvm_intrinsics, stdarch_nvptx, asm_experimental_arch, core_float_math)
)]
#![cfg_attr(target_arch = "nvptx64", allow(internal_features))]

pub mod atomic;
#[cfg(any(not(target_arch = "nvptx64"), target_feature = "sm_80"))]
pub mod copy;
mod disjoint;
mod float;
pub mod machine;
pub mod narrow;
pub mod shared;
pub mod thread;
pub mod warp;
#[cfg(any(not(target_arch = "nvptx64"), target_feature = "sm_90a"))]
pub mod warpgroup;

#[cfg(target_arch = "nvptx64")]
mod device;
#[cfg(not(target_arch = "nvptx64"))]
pub mod launch;
#[cfg(not(target_arch = "nvptx64"))]
pub mod processor;

/// The implementation of every word on the machine that is compiled for.
mod words {
    #[cfg(target_arch = "nvptx64")]
    pub(crate) use crate::device::*;
    #[cfg(not(target_arch = "nvptx64"))]
    pub(crate) use crate::processor::words::*;
}

pub use cuda_std_macros::kernel;
pub use disjoint::DisjointMut;
pub use float::{GpuDouble, GpuFloat};
pub use machine::Machine;

/// What nearly every kernel needs: `use cuda_std::prelude::*;`.
pub mod prelude {
    pub use crate::{DisjointMut, GpuDouble, GpuFloat, Machine, kernel, shared_array, thread};
}

/// What `#[kernel]` and the macros expand to. Not for use by hand.
#[doc(hidden)]
pub mod expansion {
    #[cfg(target_arch = "nvptx64")]
    pub use crate::device::shared_pointer;
    #[cfg(not(target_arch = "nvptx64"))]
    pub use crate::launch::formula;
    #[cfg(not(target_arch = "nvptx64"))]
    pub use crate::processor::words::{SharedSite, static_shared};

    /// Calls a function that is generic over the machine for the machine of this name.
    #[macro_export]
    #[doc(hidden)]
    macro_rules! for_machine {
        ($kind:expr, $function:ident($($argument:expr),*)) => {
            match $kind {
                $crate::machine::MachineKind::Gpu => $function::<$crate::machine::Gpu>($($argument),*),
                $crate::machine::MachineKind::Baseline => $function::<$crate::machine::Baseline>($($argument),*),
                $crate::machine::MachineKind::Avx2 => $function::<$crate::machine::Avx2>($($argument),*),
                $crate::machine::MachineKind::Avx512 => $function::<$crate::machine::Avx512>($($argument),*),
            }
        };
    }
    #[cfg(not(target_arch = "nvptx64"))]
    pub use crate::for_machine;

    /// All arguments of a launch, whose number is checked once.
    ///
    /// # Panics
    /// If there are more or less.
    #[cfg(not(target_arch = "nvptx64"))]
    pub fn all_arguments<const N: usize>(args: &[crate::launch::Arg]) -> &[crate::launch::Arg; N] {
        args.try_into().unwrap_or_else(|_| panic!("expected {N} arguments, found {}", args.len()))
    }

    /// The memory of an argument and how many elements it has, on the processor, where a device address is an address.
    #[cfg(not(target_arch = "nvptx64"))]
    #[inline(always)]
    pub fn memory<T>(arg: &crate::launch::Arg) -> (*mut T, usize) {
        let region = arg.to_region();
        (std::ptr::with_exposed_provenance_mut(region.address as usize), region.len)
    }
}
