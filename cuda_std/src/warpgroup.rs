//! Products of matrices by four warps together, which run while their threads go on: `wgmma`, on compute 9.0 alone.
//!
//! The four warps of a *warpgroup*, threads 128 g to 128 g + 127 of a block, multiply 64 rows of A with 256 rows of Bt, of
//! 128 bytes each, and add the sums to [`Sums`] that lie spread over their registers. Both matrices are read from shared
//! memory, where [`Matrix`] says how they lie. The order of things:
//!
//! 1. who writes shared memory calls [`publish`] behind its writes (and the wait for its copies), then a barrier;
//! 2. `multiply_*` begins a group of products, which reads that memory and changes the sums;
//! 3. nobody writes the memory, and nobody touches the sums, until [`wait`] or [`finish`] has waited for the group.
//!
//! Products of 64 x 64 sums ([`Sums64`]) have A in registers ([`Fragment`]), which nobody may touch either until they have been
//! waited for; [`finish_64`] waits for some groups and gives sums of theirs.
//!
//! Products of 64 x 128 sums ([`Sums128`]) read rows of 64 bytes ([`ShortMatrix`]); [`finish_128`] waits for them.
//!
//! A kernel that uses it is `#[kernel(only = "sm_90a")]`. On the processor a product is done when it is begun.
//!
//! Sources: PTX ISA 9.0, "Asynchronous Warpgroup Level Matrix Instructions": the fragments of D and A, the layouts of a
//! matrix in shared memory with swizzling of 128 and 64 bytes, whose sums run along its rows or along its columns, its descriptor, and which
//! fences there must be.

mod short;
mod square;

pub use short::{ShortMatrix, Sums128, begin_short_bf16, finish_128, multiply_short_bf16, no_sums_128};
pub use square::{
    Fragment, Sums64, begin_columns_f16, begin_rows_f16, finish_64, multiply_columns_f16, multiply_rows_f16, no_sums_64,
};

use crate::shared::SharedAddress;
use crate::words;

/// A thread's part of 64 x 256 sums. Thread t holds, as number 4 j + 2 h + e, row `t / 32 * 16 + t % 32 / 4 + 8 h` and column
/// `8 j + t % 4 * 2 + e`.
///
/// ```
/// let sums: cuda_std::warpgroup::Sums = [0.0; 128];
/// // Of 128 threads.
/// assert_eq!(128 * sums.len(), 64 * 256);
/// ```
pub type Sums = [f32; 128];

/// Sums of nothing.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::prelude::*;
/// use cuda_std::warpgroup;
///
/// /// What there is before the first product.
/// #[kernel(block = 128, grid = 1, only = "sm_90a")]
/// pub unsafe fn nothing(mut out: DisjointMut<f32>) {
///     if let Some(out) = out.own() {
///         *out = warpgroup::no_sums()[127];
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// let mut out = Cells::filled(1.0, 128);
/// executor.run(nothing::launch(&mut out))?;
/// assert_eq!(out.to_vec(), [0.0; 128]);
/// # Ok(())
/// # }
/// ```
#[inline(always)]
pub fn no_sums() -> Sums {
    words::no_sums()
}

/// Where rows of 128 bytes lie in shared memory, one behind the other, in pieces of 16 bytes: piece c of row r stands at place
/// `c ^ (r % 8)` of the row, so that the pieces of one column lie in different banks.
///
/// ```
/// use cuda_std::prelude::*;
/// use cuda_std::shared::{SharedAddress, dynamic_shared_mem};
/// use cuda_std::warpgroup::Matrix;
///
/// /// 64 rows.
/// #[kernel(block = 128, grid = 1, shared = 64 * 128 + Matrix::ALIGNMENT, only = "sm_90a")]
/// pub unsafe fn rows(mut out: DisjointMut<f32>) {
///     let memory: *mut u32 = dynamic_shared_mem();
///     // SAFETY: there is as much more memory as is skipped.
///     let _a = unsafe { Matrix::at(SharedAddress::of(memory).aligned(Matrix::ALIGNMENT as u32)) };
/// }
/// # fn main() {}
/// ```
#[derive(Clone, Copy)]
pub struct Matrix(words::Matrix);

impl Matrix {
    /// A matrix begins at a multiple of this many bytes.
    ///
    /// ```
    /// // Eight rows.
    /// assert_eq!(cuda_std::warpgroup::Matrix::ALIGNMENT, 8 * 128);
    /// ```
    pub const ALIGNMENT: usize = 1024;

    /// The rows from an address on.
    ///
    /// ```
    /// use cuda_std::shared::SharedAddress;
    /// use cuda_std::warpgroup::Matrix;
    ///
    /// /// Both operands, one behind the other.
    /// fn operands(start: SharedAddress) -> [Matrix; 2] {
    ///     // SAFETY: the caller has aligned it.
    ///     unsafe { [Matrix::at(start), Matrix::at(start.add(64 * 128))] }
    /// }
    /// ```
    ///
    /// # Safety
    /// The address is a multiple of [`ALIGNMENT`](Self::ALIGNMENT) on a GPU.
    #[inline(always)]
    pub unsafe fn at(start: SharedAddress) -> Self {
        Self(words::matrix_at(start.0))
    }
}

/// Makes what this thread has written to shared memory, copies that it has waited for included, visible to products that
/// begin behind the next barrier.
///
/// ```
/// use cuda_std::{copy, thread, warpgroup};
///
/// /// Every thread's copies are there for products.
/// fn all_is_there() {
///     copy::wait::<0>();
///     warpgroup::publish();
///     thread::sync_threads();
/// }
/// ```
#[inline(always)]
pub fn publish() {
    words::publish();
}

/// Begins `D += A Bt^T` of 64 x 256 sums over rows of 64 bf16, as one group of products.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::narrow::bf16_pair;
/// use cuda_std::prelude::*;
/// use cuda_std::shared::{SharedAddress, dynamic_shared_mem};
/// use cuda_std::warpgroup::{self, Matrix};
///
/// /// All sums of 64 products of 2 and 3.
/// #[kernel(block = 128, grid = 1, shared = 320 * 128 + Matrix::ALIGNMENT, only = "sm_90a", require(out.len() == 128))]
/// pub unsafe fn constant(mut out: DisjointMut<f32>) {
///     let memory: *mut u32 = dynamic_shared_mem();
///     let t = thread::thread_idx_x() as usize;
///     for i in 0..(320 * 32 + 256) / 128 {
///         let number = if i < 16 { 2.0 } else { 3.0 };
///         // SAFETY: a thread's own cells.
///         unsafe { memory.add(i * 128 + t).write(bf16_pair(number, number)) };
///     }
///     warpgroup::publish();
///     thread::sync_threads();
///     // SAFETY: the memory was written, and nobody writes it again.
///     let sums = unsafe {
///         let start = SharedAddress::of(memory).aligned(1024);
///         let (a, b) = (Matrix::at(start.add(8192)), Matrix::at(start.add(8192)));
///         let sums = warpgroup::multiply_bf16(warpgroup::no_sums(), a, b);
///         warpgroup::finish(sums)
///     };
///     if let Some(out) = out.own() {
///         *out = sums[0];
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// let mut out = Cells::filled(0.0, 128);
/// executor.run(constant::launch(&mut out))?;
/// assert_eq!(out.to_vec(), [64.0 * 9.0; 128]);
/// # Ok(())
/// # }
/// ```
///
/// # Safety
/// All four warps of the warpgroup come here together. The rows are there: 64 of `a` and 256 of `b`, published behind a barrier;
/// nobody writes them, and the sums are not touched but by further products, until the group has been waited for.
#[inline(always)]
pub unsafe fn multiply_bf16(sums: Sums, a: Matrix, b: Matrix) -> Sums {
    // SAFETY: the caller's promise.
    unsafe { words::multiply_bf16(sums, a.0, b.0) }
}

/// Begins `D += A Bt^T` of 64 x 256 sums over rows of 32 tf32, as one group of products.
///
/// ```
/// use cuda_std::warpgroup::{self, Matrix, Sums};
///
/// /// What [`multiply_bf16`](warpgroup::multiply_bf16) does, with the other kind of number.
/// unsafe fn more(sums: Sums, a: Matrix, b: Matrix) -> Sums {
///     // SAFETY: the caller's promise.
///     unsafe { warpgroup::multiply_tf32(sums, a, b) }
/// }
/// ```
///
/// # Safety
/// As for [`multiply_bf16`].
#[inline(always)]
pub unsafe fn multiply_tf32(sums: Sums, a: Matrix, b: Matrix) -> Sums {
    // SAFETY: the caller's promise.
    unsafe { words::multiply_tf32(sums, a.0, b.0) }
}

/// Waits until at most `PENDING` of this warpgroup's groups of products, the newest, are under way.
///
/// ```
/// /// What the group before the last one reads may be written again, behind a barrier.
/// fn oldest() {
///     // SAFETY: every thread comes here.
///     unsafe { cuda_std::warpgroup::wait::<1>() }
/// }
/// ```
///
/// # Safety
/// All four warps of the warpgroup come here together.
#[inline(always)]
pub unsafe fn wait<const PENDING: usize>() {
    // SAFETY: the caller's promise.
    unsafe { words::wait_for_products::<PENDING>() }
}

/// Waits for all of this warpgroup's products: the sums as they then are.
///
/// ```
/// use cuda_std::warpgroup::{self, Sums};
///
/// /// The largest of a thread's sums.
/// unsafe fn largest(sums: Sums) -> f32 {
///     // SAFETY: the caller's promise.
///     unsafe { warpgroup::finish(sums) }.into_iter().fold(f32::MIN, f32::max)
/// }
/// ```
///
/// # Safety
/// All four warps of the warpgroup come here together.
#[inline(always)]
pub unsafe fn finish(sums: Sums) -> Sums {
    // SAFETY: the caller's promise.
    unsafe { words::finish_products(sums) }
}
