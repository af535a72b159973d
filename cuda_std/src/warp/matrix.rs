//! Matrices that lie spread over a warp: the tensor cores' products, and loads that spread them.

use crate::shared::SharedAddress;
use crate::words;

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
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::warp;
/// use cuda_std::prelude::*;
///
/// /// The product of a matrix of ones and another.
/// #[kernel(block = 32, grid = 1, require(out.len() == 128))]
/// pub unsafe fn ones(mut out: DisjointMut<f32>) {
///     // 1 and 1, as f16.
///     const ONES: u32 = 0x3c00_3c00;
///     // SAFETY: the whole warp comes here.
///     let d = unsafe { warp::mma_m16n8k16_f16([ONES; 4], [ONES; 2], [0.5; 4]) };
///     for (i, d) in d.into_iter().enumerate() {
///         // SAFETY: a lane has four cells of its own.
///         unsafe { out.write(warp::lane_id() as usize * 4 + i, d) };
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// let mut out = Cells::filled(0.0, 128);
/// executor.run(ones::launch(&mut out))?;
/// assert_eq!(out.to_vec(), [16.5; 128]);
/// # Ok(())
/// # }
/// ```
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

/// [`mma_m16n8k16_f16`] with bf16 in the place of f16: f32's range, and 8 bits of a number instead of 11.
///
/// Compute 8.0 or newer.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::warp;
/// use cuda_std::prelude::*;
///
/// /// The product of a matrix of ones and another.
/// #[kernel(block = 32, grid = 1, require(out.len() == 128))]
/// pub unsafe fn ones(mut out: DisjointMut<f32>) {
///     const ONE: u32 = 0x3f80_3f80;
///     // SAFETY: the whole warp comes here.
///     let d = unsafe { warp::mma_m16n8k16_bf16([ONE; 4], [ONE; 2], [0.5; 4]) };
///     for (i, d) in d.into_iter().enumerate() {
///         // SAFETY: a lane has four cells of its own.
///         unsafe { out.write(warp::lane_id() as usize * 4 + i, d) };
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// let mut out = Cells::filled(0.0, 128);
/// executor.run(ones::launch(&mut out))?;
/// assert_eq!(out.to_vec(), [16.5; 128]);
/// # Ok(())
/// # }
/// ```
///
/// # Precision
/// As for [`mma_m16n8k16_f16`].
///
/// # Safety
/// As for [`mma_m16n8k16_f16`].
#[cfg(any(not(target_arch = "nvptx64"), target_feature = "sm_80"))]
#[inline(always)]
pub unsafe fn mma_m16n8k16_bf16(a: [u32; 4], b: [u32; 2], c: [f32; 4]) -> [f32; 4] {
    // SAFETY: the caller's promise.
    unsafe { words::mma_m16n8k16_bf16(a, b, c) }
}

/// D = A B + C on the tensor cores, with A 16 x 8 and B 8 x 8 in tf32, C and D 16 x 8 in f32.
///
/// A word is one number, an f32 of which the 13 lowest bits do not count: see [`tf32`](crate::narrow::tf32). Words
/// lie as those of [`mma_m16n8k16_f16`] do:
///
/// | | word | element (row, column) |
/// |---|---|---|
/// | A | `a[0]`, `a[1]`; `a[2]`, `a[3]` | (g, t), (g + 8, t); (g, t + 4), (g + 8, t + 4) |
/// | B | `b[0]`, `b[1]` | (t, g), (t + 4, g) |
///
/// Compute 8.0 or newer.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::warp;
/// use cuda_std::prelude::*;
///
/// /// The product of a matrix of ones and another.
/// #[kernel(block = 32, grid = 1, require(out.len() == 128))]
/// pub unsafe fn ones(mut out: DisjointMut<f32>) {
///     const ONE: u32 = 0x3f80_0000;
///     // SAFETY: the whole warp comes here.
///     let d = unsafe { warp::mma_m16n8k8_tf32([ONE; 4], [ONE; 2], [0.5; 4]) };
///     for (i, d) in d.into_iter().enumerate() {
///         // SAFETY: a lane has four cells of its own.
///         unsafe { out.write(warp::lane_id() as usize * 4 + i, d) };
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// let mut out = Cells::filled(0.0, 128);
/// executor.run(ones::launch(&mut out))?;
/// assert_eq!(out.to_vec(), [8.5; 128]);
/// # Ok(())
/// # }
/// ```
///
/// # Precision
/// As for [`mma_m16n8k16_f16`], with 9 in the place of 17.
///
/// # Safety
/// As for [`mma_m16n8k16_f16`].
#[cfg(any(not(target_arch = "nvptx64"), target_feature = "sm_80"))]
#[inline(always)]
pub unsafe fn mma_m16n8k8_tf32(a: [u32; 4], b: [u32; 2], c: [f32; 4]) -> [f32; 4] {
    // SAFETY: the caller's promise.
    unsafe { words::mma_m16n8k8_tf32(a, b, c) }
}

/// Four matrices of 8 rows of 16 bytes each, out of shared memory, spread over the warp as operands of the products are.
///
/// Lane 8 i + r says where row r of matrix i begins. With g = lane / 4 and t = lane % 4, a lane gets word t of row g
/// of each matrix. So four matrices are an A whose quarters are (upper, left), (lower, left), (upper, right) and
/// (lower, right), in words; or a B whose column g is row g of two matrices.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::shared::SharedAddress;
/// use cuda_std::warp;
/// use cuda_std::prelude::*;
///
/// /// Four matrices of 8 rows of 8 halves, row i all of the number i.
/// #[kernel(block = 32, grid = 1, require(out.len() == 128))]
/// pub unsafe fn load(mut out: DisjointMut<f32>) {
///     let tile = shared_array![[u32; 4]; 32];
///     let lane = warp::lane_id();
///     // SAFETY: each lane writes a row, and all are there behind the barrier, where the whole warp is.
///     unsafe {
///         tile.add(lane as usize).write([lane << 16 | lane; 4]);
///         thread::sync_threads();
///         let words = warp::ldmatrix_x4(SharedAddress::of(tile.add(lane as usize)));
///         for (i, word) in words.into_iter().enumerate() {
///             out.write(lane as usize * 4 + i, (word & 0xffff) as f32);
///         }
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// let mut out = Cells::filled(0.0, 128);
/// executor.run(load::launch(&mut out))?;
/// // Lane 5 has words of row 1 of the first matrix.
/// assert_eq!(out.to_vec()[20], 1.0);
/// # Ok(())
/// # }
/// ```
///
/// # Safety
/// As for [`mma_m16n8k16_f16`]. Each lane's address is a multiple of 16, and 16 bytes from it on were written, before
/// a barrier if by others.
#[inline(always)]
pub unsafe fn ldmatrix_x4(row: SharedAddress) -> [u32; 4] {
    // SAFETY: the caller's promise.
    unsafe { words::ldmatrix_x4(row.0) }
}

/// [`ldmatrix_x4`] of matrices of 8 x 8 elements of 16 bits, each turned over: a lane gets elements g of the rows 2 t and
/// 2 t + 1, which is a B whose row r is row r of the matrices.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::shared::SharedAddress;
/// use cuda_std::warp;
/// use cuda_std::prelude::*;
///
/// /// Four matrices of 8 rows of 8 halves, row i all of the number i.
/// #[kernel(block = 32, grid = 1, require(out.len() == 128))]
/// pub unsafe fn load(mut out: DisjointMut<f32>) {
///     let tile = shared_array![[u32; 4]; 32];
///     let lane = warp::lane_id();
///     // SAFETY: each lane writes a row, and all are there behind the barrier, where the whole warp is.
///     unsafe {
///         tile.add(lane as usize).write([lane << 16 | lane; 4]);
///         thread::sync_threads();
///         let words = warp::ldmatrix_x4_trans(SharedAddress::of(tile.add(lane as usize)));
///         for (i, word) in words.into_iter().enumerate() {
///             out.write(lane as usize * 4 + i, (word & 0xffff) as f32);
///         }
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// let mut out = Cells::filled(0.0, 128);
/// executor.run(load::launch(&mut out))?;
/// // Lane 5 has words of column 1, rows 2 and 3, of the first matrix.
/// assert_eq!(out.to_vec()[20], 2.0);
/// # Ok(())
/// # }
/// ```
///
/// # Safety
/// As for [`ldmatrix_x4`].
#[inline(always)]
pub unsafe fn ldmatrix_x4_trans(row: SharedAddress) -> [u32; 4] {
    // SAFETY: the caller's promise.
    unsafe { words::ldmatrix_x4_trans(row.0) }
}
