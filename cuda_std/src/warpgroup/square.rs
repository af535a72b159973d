//! Products of 64 x 64 sums, with A in registers.

use super::Matrix;
use crate::words;

/// A thread's part of 64 x 64 sums: as of [`Sums`](super::Sums), of the first 64 columns.
///
/// ```
/// let sums: cuda_std::warpgroup::Sums64 = [0.0; 32];
/// // Of 128 threads.
/// assert_eq!(128 * sums.len(), 64 * 64);
/// ```
pub type Sums64 = [f32; 32];

/// A thread's part of 64 x 64 numbers of f16, A of a product, two in a word. Thread t holds, as word 4 s + 2 r + h, row
/// `t / 32 * 16 + t % 32 / 4 + 8 h` and columns `16 s + 8 r + t % 4 * 2` and the next: what [`Sums64`] are, rounded, in the same order
/// two by two.
///
/// ```
/// use cuda_std::narrow;
/// use cuda_std::warpgroup::{Fragment, Sums64};
///
/// /// Sums as what is multiplied next.
/// fn rounded(sums: Sums64) -> Fragment {
///     std::array::from_fn(|i| narrow::f16_pair(sums[2 * i], sums[2 * i + 1]))
/// }
/// assert_eq!(rounded([1.0; 32]), [0x3C00_3C00; 16]);
/// ```
pub type Fragment = [u32; 16];

/// 64 x 64 sums of nothing.
///
/// ```
/// use cuda_std::warpgroup::{self, Fragment, Matrix, Sums64};
///
/// /// Several products, the first of which has nothing to add to.
/// unsafe fn all(a: [Fragment; 2], b: [Matrix; 2]) -> Sums64 {
///     let mut sums = warpgroup::no_sums_64();
///     for (a, b) in a.into_iter().zip(b) {
///         // SAFETY: the caller's promise.
///         sums = unsafe { warpgroup::multiply_rows_f16(sums, a, b) };
///     }
///     // SAFETY: as above.
///     unsafe { warpgroup::finish_64::<0>(sums) }
/// }
/// ```
#[inline(always)]
pub fn no_sums_64() -> Sums64 {
    words::no_sums_64()
}

/// Begins `D += A Bt^T` of 64 x 64 sums over 64 f16, as one group of products, with A in registers and Bt's 64 rows in shared
/// memory.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::narrow::f16_pair;
/// use cuda_std::prelude::*;
/// use cuda_std::shared::{SharedAddress, dynamic_shared_mem};
/// use cuda_std::warpgroup::{self, Matrix};
///
/// /// A first sum of 64 products of 2 and 3, and 64 more.
/// #[kernel(block = 128, grid = 1, shared = 64 * 128 + Matrix::ALIGNMENT, only = "sm_90a", require(out.len() == 128))]
/// pub unsafe fn constant(mut out: DisjointMut<f32>) {
///     let memory: *mut u32 = dynamic_shared_mem();
///     let t = thread::thread_idx_x() as usize;
///     for i in 0..(64 * 32 + 256) / 128 {
///         // SAFETY: a thread's own cells.
///         unsafe { memory.add(i * 128 + t).write(f16_pair(3.0, 3.0)) };
///     }
///     warpgroup::publish();
///     thread::sync_threads();
///     // SAFETY: the memory was written, and nobody writes it again.
///     let sums = unsafe {
///         let (a, b) = ([f16_pair(2.0, 2.0); 16], Matrix::at(SharedAddress::of(memory).aligned(1024)));
///         let sums = warpgroup::begin_rows_f16(a, b);
///         warpgroup::finish_64::<0>(warpgroup::multiply_columns_f16(sums, a, b))
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
/// assert_eq!(out.to_vec(), [128.0 * 6.0; 128]);
/// # Ok(())
/// # }
/// ```
///
/// # Safety
/// All four warps of the warpgroup come here together. The rows are there, published behind a barrier; nobody writes them, and
/// neither the sums, but by further products, nor A's registers are touched until the group has been waited for.
#[inline(always)]
pub unsafe fn multiply_rows_f16(sums: Sums64, a: Fragment, b: Matrix) -> Sums64 {
    // SAFETY: the caller's promise.
    unsafe { words::multiply_rows_f16(sums, a, b.0) }
}

/// Begins `D += A B` of 64 x 64 sums over 64 f16: B's rows, of 64 numbers, are in shared memory, and sums run along its columns.
///
/// ```
/// use cuda_std::warpgroup::{self, Fragment, Matrix, Sums64};
///
/// /// What [`multiply_rows_f16`](warpgroup::multiply_rows_f16) does, with the matrix turned over.
/// unsafe fn more(sums: Sums64, a: Fragment, b: Matrix) -> Sums64 {
///     // SAFETY: the caller's promise.
///     unsafe { warpgroup::multiply_columns_f16(sums, a, b) }
/// }
/// ```
///
/// # Safety
/// As for [`multiply_rows_f16`].
#[inline(always)]
pub unsafe fn multiply_columns_f16(sums: Sums64, a: Fragment, b: Matrix) -> Sums64 {
    // SAFETY: the caller's promise.
    unsafe { words::multiply_columns_f16(sums, a, b.0) }
}

/// [`multiply_rows_f16`] with nothing to add to: no registers need be set before.
///
/// ```
/// use cuda_std::warpgroup::{self, Fragment, Matrix, Sums64};
///
/// /// Waited for at once.
/// unsafe fn product(a: Fragment, b: Matrix) -> Sums64 {
///     // SAFETY: the caller's promise.
///     unsafe { warpgroup::finish_64::<0>(warpgroup::begin_rows_f16(a, b)) }
/// }
/// ```
///
/// # Safety
/// As for [`multiply_rows_f16`].
#[inline(always)]
pub unsafe fn begin_rows_f16(a: Fragment, b: Matrix) -> Sums64 {
    // SAFETY: the caller's promise.
    unsafe { words::begin_rows_f16(a, b.0) }
}

/// [`multiply_columns_f16`] with nothing to add to.
///
/// ```
/// use cuda_std::warpgroup::{self, Fragment, Matrix, Sums64};
///
/// /// Waited for at once.
/// unsafe fn product(a: Fragment, b: Matrix) -> Sums64 {
///     // SAFETY: the caller's promise.
///     unsafe { warpgroup::finish_64::<0>(warpgroup::begin_columns_f16(a, b)) }
/// }
/// ```
///
/// # Safety
/// As for [`multiply_rows_f16`].
#[inline(always)]
pub unsafe fn begin_columns_f16(a: Fragment, b: Matrix) -> Sums64 {
    // SAFETY: the caller's promise.
    unsafe { words::begin_columns_f16(a, b.0) }
}

/// Waits until at most `PENDING` of this warpgroup's groups of products, the newest, are under way, none of which is one of
/// these sums: the sums as they then are.
///
/// ```
/// use cuda_std::warpgroup::{self, Fragment, Matrix, Sums64};
///
/// /// The first of two, while the second goes on.
/// unsafe fn two(a: Fragment, b: [Matrix; 2]) -> [Sums64; 2] {
///     // SAFETY: the caller's promise.
///     unsafe {
///         let (first, second) = (warpgroup::begin_rows_f16(a, b[0]), warpgroup::begin_rows_f16(a, b[1]));
///         let first = warpgroup::finish_64::<1>(first);
///         [first, warpgroup::finish_64::<0>(second)]
///     }
/// }
/// ```
///
/// # Safety
/// All four warps of the warpgroup come here together, and no newer group has to do with the sums.
#[inline(always)]
pub unsafe fn finish_64<const PENDING: usize>(sums: Sums64) -> Sums64 {
    // SAFETY: the caller's promise.
    unsafe { words::finish_products_64::<PENDING>(sums) }
}
