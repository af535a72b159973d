//! Products of 64 x 128 sums over rows of 64 bytes.

use crate::shared::SharedAddress;
use crate::words;

/// A thread's part of 64 x 128 sums: as of [`Sums`](super::Sums), of the first 128 columns.
///
/// ```
/// let sums: cuda_std::warpgroup::Sums128 = [0.0; 64];
/// // Of 128 threads.
/// assert_eq!(128 * sums.len(), 64 * 128);
/// ```
pub type Sums128 = [f32; 64];

/// Where rows of 64 bytes lie in shared memory, one behind the other, in pieces of 16 bytes: piece c of row r stands at place
/// `c ^ (r / 2 % 4)` of the row, so that the pieces of one column of eight rows lie in different banks.
///
/// ```
/// use cuda_std::shared::SharedAddress;
/// use cuda_std::warpgroup::ShortMatrix;
///
/// /// Both operands, one behind the other.
/// fn operands(start: SharedAddress) -> [ShortMatrix; 2] {
///     // SAFETY: the caller has aligned it.
///     unsafe { [ShortMatrix::at(start), ShortMatrix::at(start.add(64 * 64))] }
/// }
/// ```
#[derive(Clone, Copy)]
pub struct ShortMatrix(words::Matrix);

impl ShortMatrix {
    /// A matrix begins at a multiple of this many bytes.
    ///
    /// ```
    /// // Eight rows.
    /// assert_eq!(cuda_std::warpgroup::ShortMatrix::ALIGNMENT, 8 * 64);
    /// ```
    pub const ALIGNMENT: usize = 512;

    /// The rows from an address on.
    ///
    /// ```
    /// use cuda_std::shared::SharedAddress;
    /// use cuda_std::warpgroup::ShortMatrix;
    ///
    /// /// The second of matrices of 128 rows.
    /// fn second(start: SharedAddress) -> ShortMatrix {
    ///     // SAFETY: the caller has aligned the first.
    ///     unsafe { ShortMatrix::at(start.add(128 * 64)) }
    /// }
    /// ```
    ///
    /// # Safety
    /// The address is a multiple of [`ALIGNMENT`](Self::ALIGNMENT) on a GPU.
    #[inline(always)]
    pub unsafe fn at(start: SharedAddress) -> Self {
        Self(words::short_matrix_at(start.0))
    }
}

/// 64 x 128 sums of nothing.
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
///         *out = warpgroup::no_sums_128()[63];
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
pub fn no_sums_128() -> Sums128 {
    words::no_sums_128()
}

/// Begins `D += A Bt^T` of 64 x 128 sums over rows of 32 bf16, as one group of products.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::narrow::bf16_pair;
/// use cuda_std::prelude::*;
/// use cuda_std::shared::{SharedAddress, dynamic_shared_mem};
/// use cuda_std::warpgroup::{self, ShortMatrix};
///
/// /// A first sum of 32 products of 2 and 3, and 32 more.
/// #[kernel(block = 128, grid = 1, shared = 192 * 64 + 512, only = "sm_90a", require(out.len() == 128))]
/// pub unsafe fn constant(mut out: DisjointMut<f32>) {
///     let memory: *mut u32 = dynamic_shared_mem();
///     let t = thread::thread_idx_x() as usize;
///     for i in 0..(192 * 16 + 128) / 128 {
///         // SAFETY: a thread's own cells.
///         unsafe { memory.add(i * 128 + t).write(bf16_pair(3.0, 2.0)) };
///     }
///     warpgroup::publish();
///     thread::sync_threads();
///     // SAFETY: the memory was written, and nobody writes it again.
///     let sums = unsafe {
///         let start = SharedAddress::of(memory).aligned(512);
///         let (a, b) = (ShortMatrix::at(start), ShortMatrix::at(start.add(64 * 64)));
///         let sums = warpgroup::begin_short_bf16(a, b);
///         warpgroup::finish_128::<0>(warpgroup::multiply_short_bf16(sums, a, b))
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
/// assert_eq!(out.to_vec(), [32.0 * (9.0 + 4.0); 128]);
/// # Ok(())
/// # }
/// ```
///
/// # Safety
/// All four warps of the warpgroup come here together. The rows are there: 64 of `a` and 128 of `b`, published behind a barrier;
/// nobody writes them, and the sums are not touched but by further products, until the group has been waited for.
#[inline(always)]
pub unsafe fn multiply_short_bf16(sums: Sums128, a: ShortMatrix, b: ShortMatrix) -> Sums128 {
    // SAFETY: the caller's promise.
    unsafe { words::multiply_short_bf16(sums, a.0, b.0) }
}

/// [`multiply_short_bf16`] with nothing to add to: no registers need be set before.
///
/// ```
/// use cuda_std::warpgroup::{self, ShortMatrix, Sums128};
///
/// /// Waited for at once.
/// unsafe fn product(a: ShortMatrix, b: ShortMatrix) -> Sums128 {
///     // SAFETY: the caller's promise.
///     unsafe { warpgroup::finish_128::<0>(warpgroup::begin_short_bf16(a, b)) }
/// }
/// ```
///
/// # Safety
/// As for [`multiply_short_bf16`].
#[inline(always)]
pub unsafe fn begin_short_bf16(a: ShortMatrix, b: ShortMatrix) -> Sums128 {
    // SAFETY: the caller's promise.
    unsafe { words::begin_short_bf16(a.0, b.0) }
}

/// Waits until at most `PENDING` of this warpgroup's groups of products, the newest, are under way, none of which is one of
/// these sums: the sums as they then are.
///
/// ```
/// use cuda_std::warpgroup::{self, ShortMatrix, Sums128};
///
/// /// Sums of nothing but `a[0]`, while `a[1]` is multiplied.
/// unsafe fn first(a: [ShortMatrix; 2], b: ShortMatrix, more: Sums128) -> [Sums128; 2] {
///     // SAFETY: the caller's promise.
///     unsafe {
///         let sums = warpgroup::begin_short_bf16(a[0], b);
///         let more = warpgroup::multiply_short_bf16(more, a[1], b);
///         let sums = warpgroup::finish_128::<1>(sums);
///         [sums, warpgroup::finish_128::<0>(more)]
///     }
/// }
/// ```
///
/// # Safety
/// All four warps of the warpgroup come here together, and no newer group has to do with the sums.
#[inline(always)]
pub unsafe fn finish_128<const PENDING: usize>(sums: Sums128) -> Sums128 {
    // SAFETY: the caller's promise.
    unsafe { words::finish_products_128::<PENDING>(sums) }
}
