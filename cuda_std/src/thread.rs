//! Where a thread stands in its block and grid, and barriers of a block.

mod barriers;

pub use barriers::{block_fence, device_fence, sync_threads, sync_threads_and, sync_threads_count, sync_threads_or};

use crate::words;

macro_rules! index_functions {
    ($($(#[$doc:meta])* $name:ident;)*) => { $(
        $(#[$doc])*
        #[inline(always)]
        pub fn $name() -> u32 {
            words::$name()
        }
    )* };
}

index_functions! {
    /// The thread's position in its block along x.
    ///
    /// ```
    /// # use cpu_executor::{Cells, CpuExecutor};
    /// use cuda_std::prelude::*;
    ///
    /// #[kernel(block = (2, 2), grid = 1)]
    /// pub unsafe fn place(mut out: DisjointMut<u32>) {
    ///     // SAFETY: each thread of the launch has a cell of its own.
    ///     unsafe { out.write(thread::thread_rank() as usize, thread::thread_idx_x()) };
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let executor = CpuExecutor::of_this_processor()?;
    /// // A block of 2 x 2 threads.
    /// let mut out = Cells::filled(0, 4);
    /// executor.run(place::launch(&mut out))?;
    /// assert_eq!(out.to_vec(), [0, 1, 0, 1]);
    /// # Ok(())
    /// # }
    /// ```
    thread_idx_x;
    /// The thread's position in its block along y.
    ///
    /// ```
    /// # use cpu_executor::{Cells, CpuExecutor};
    /// use cuda_std::prelude::*;
    ///
    /// #[kernel(block = (2, 2), grid = 1)]
    /// pub unsafe fn place(mut out: DisjointMut<u32>) {
    ///     // SAFETY: each thread of the launch has a cell of its own.
    ///     unsafe { out.write(thread::thread_rank() as usize, thread::thread_idx_y()) };
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let executor = CpuExecutor::of_this_processor()?;
    /// // A block of 2 x 2 threads.
    /// let mut out = Cells::filled(0, 4);
    /// executor.run(place::launch(&mut out))?;
    /// assert_eq!(out.to_vec(), [0, 0, 1, 1]);
    /// # Ok(())
    /// # }
    /// ```
    thread_idx_y;
    /// The thread's position in its block along z.
    ///
    /// ```
    /// # use cpu_executor::{Cells, CpuExecutor};
    /// use cuda_std::prelude::*;
    ///
    /// #[kernel(block = (1, 2, 2), grid = 1)]
    /// pub unsafe fn place(mut out: DisjointMut<u32>) {
    ///     // SAFETY: each thread of the launch has a cell of its own.
    ///     unsafe { out.write(thread::thread_rank() as usize, thread::thread_idx_z()) };
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let executor = CpuExecutor::of_this_processor()?;
    /// // A block of 1 x 2 x 2 threads.
    /// let mut out = Cells::filled(0, 4);
    /// executor.run(place::launch(&mut out))?;
    /// assert_eq!(out.to_vec(), [0, 0, 1, 1]);
    /// # Ok(())
    /// # }
    /// ```
    thread_idx_z;
    /// The block's position in the grid along x.
    ///
    /// ```
    /// # use cpu_executor::{Cells, CpuExecutor};
    /// use cuda_std::prelude::*;
    ///
    /// #[kernel(block = 1, grid = 3)]
    /// pub unsafe fn place(mut out: DisjointMut<u32>) {
    ///     // SAFETY: each thread of the launch has a cell of its own.
    ///     unsafe { out.write(thread::block_idx_x() as usize, thread::block_idx_x()) };
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let executor = CpuExecutor::of_this_processor()?;
    /// // Three blocks of one thread.
    /// let mut out = Cells::filled(0, 3);
    /// executor.run(place::launch(&mut out))?;
    /// assert_eq!(out.to_vec(), [0, 1, 2]);
    /// # Ok(())
    /// # }
    /// ```
    block_idx_x;
    /// The block's position in the grid along y.
    ///
    /// ```
    /// # use cpu_executor::{Cells, CpuExecutor};
    /// use cuda_std::prelude::*;
    ///
    /// #[kernel(block = 1, grid = (1, 2))]
    /// pub unsafe fn place(mut out: DisjointMut<u32>) {
    ///     // SAFETY: each thread of the launch has a cell of its own.
    ///     unsafe { out.write(thread::block_idx_y() as usize, thread::block_idx_y()) };
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let executor = CpuExecutor::of_this_processor()?;
    /// // 1 x 2 blocks.
    /// let mut out = Cells::filled(0, 2);
    /// executor.run(place::launch(&mut out))?;
    /// assert_eq!(out.to_vec(), [0, 1]);
    /// # Ok(())
    /// # }
    /// ```
    block_idx_y;
    /// The block's position in the grid along z.
    ///
    /// ```
    /// # use cpu_executor::{Cells, CpuExecutor};
    /// use cuda_std::prelude::*;
    ///
    /// #[kernel(block = 1, grid = (1, 1, 2))]
    /// pub unsafe fn place(mut out: DisjointMut<u32>) {
    ///     // SAFETY: each thread of the launch has a cell of its own.
    ///     unsafe { out.write(thread::block_idx_z() as usize, thread::block_idx_z()) };
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let executor = CpuExecutor::of_this_processor()?;
    /// // 1 x 1 x 2 blocks.
    /// let mut out = Cells::filled(0, 2);
    /// executor.run(place::launch(&mut out))?;
    /// assert_eq!(out.to_vec(), [0, 1]);
    /// # Ok(())
    /// # }
    /// ```
    block_idx_z;
    /// Threads of a block along x.
    ///
    /// ```
    /// # use cpu_executor::{Cells, CpuExecutor};
    /// use cuda_std::prelude::*;
    ///
    /// #[kernel(block = (4, 2), grid = 1)]
    /// pub unsafe fn place(mut out: DisjointMut<u32>) {
    ///     // SAFETY: each thread of the launch has a cell of its own.
    ///     unsafe { out.write(thread::thread_rank() as usize, thread::block_dim_x()) };
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let executor = CpuExecutor::of_this_processor()?;
    /// // 4 x 2 threads.
    /// let mut out = Cells::filled(0, 8);
    /// executor.run(place::launch(&mut out))?;
    /// assert_eq!(out.to_vec(), [4; 8]);
    /// # Ok(())
    /// # }
    /// ```
    block_dim_x;
    /// Threads of a block along y.
    ///
    /// ```
    /// # use cpu_executor::{Cells, CpuExecutor};
    /// use cuda_std::prelude::*;
    ///
    /// #[kernel(block = (4, 2), grid = 1)]
    /// pub unsafe fn place(mut out: DisjointMut<u32>) {
    ///     // SAFETY: each thread of the launch has a cell of its own.
    ///     unsafe { out.write(thread::thread_rank() as usize, thread::block_dim_y()) };
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let executor = CpuExecutor::of_this_processor()?;
    /// // 4 x 2 threads.
    /// let mut out = Cells::filled(0, 8);
    /// executor.run(place::launch(&mut out))?;
    /// assert_eq!(out.to_vec(), [2; 8]);
    /// # Ok(())
    /// # }
    /// ```
    block_dim_y;
    /// Threads of a block along z.
    ///
    /// ```
    /// # use cpu_executor::{Cells, CpuExecutor};
    /// use cuda_std::prelude::*;
    ///
    /// #[kernel(block = (2, 1, 3), grid = 1)]
    /// pub unsafe fn place(mut out: DisjointMut<u32>) {
    ///     // SAFETY: each thread of the launch has a cell of its own.
    ///     unsafe { out.write(thread::thread_rank() as usize, thread::block_dim_z()) };
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let executor = CpuExecutor::of_this_processor()?;
    /// // 2 x 1 x 3 threads.
    /// let mut out = Cells::filled(0, 6);
    /// executor.run(place::launch(&mut out))?;
    /// assert_eq!(out.to_vec(), [3; 6]);
    /// # Ok(())
    /// # }
    /// ```
    block_dim_z;
    /// Blocks of the grid along x.
    ///
    /// ```
    /// # use cpu_executor::{Cells, CpuExecutor};
    /// use cuda_std::prelude::*;
    ///
    /// #[kernel(block = 1, grid = 3)]
    /// pub unsafe fn place(mut out: DisjointMut<u32>) {
    ///     // SAFETY: each thread of the launch has a cell of its own.
    ///     unsafe { out.write(thread::block_idx_x() as usize, thread::grid_dim_x()) };
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let executor = CpuExecutor::of_this_processor()?;
    /// // Three blocks.
    /// let mut out = Cells::filled(0, 3);
    /// executor.run(place::launch(&mut out))?;
    /// assert_eq!(out.to_vec(), [3; 3]);
    /// # Ok(())
    /// # }
    /// ```
    grid_dim_x;
    /// Blocks of the grid along y.
    ///
    /// ```
    /// # use cpu_executor::{Cells, CpuExecutor};
    /// use cuda_std::prelude::*;
    ///
    /// #[kernel(block = 1, grid = (1, 2))]
    /// pub unsafe fn place(mut out: DisjointMut<u32>) {
    ///     // SAFETY: each thread of the launch has a cell of its own.
    ///     unsafe { out.write(thread::block_idx_y() as usize, thread::grid_dim_y()) };
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let executor = CpuExecutor::of_this_processor()?;
    /// // 1 x 2 blocks.
    /// let mut out = Cells::filled(0, 2);
    /// executor.run(place::launch(&mut out))?;
    /// assert_eq!(out.to_vec(), [2, 2]);
    /// # Ok(())
    /// # }
    /// ```
    grid_dim_y;
    /// Blocks of the grid along z.
    ///
    /// ```
    /// # use cpu_executor::{Cells, CpuExecutor};
    /// use cuda_std::prelude::*;
    ///
    /// #[kernel(block = 1, grid = (1, 1, 2))]
    /// pub unsafe fn place(mut out: DisjointMut<u32>) {
    ///     // SAFETY: each thread of the launch has a cell of its own.
    ///     unsafe { out.write(thread::block_idx_z() as usize, thread::grid_dim_z()) };
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let executor = CpuExecutor::of_this_processor()?;
    /// // 1 x 1 x 2 blocks.
    /// let mut out = Cells::filled(0, 2);
    /// executor.run(place::launch(&mut out))?;
    /// assert_eq!(out.to_vec(), [2, 2]);
    /// # Ok(())
    /// # }
    /// ```
    grid_dim_z;
}

/// The thread's index along x in the whole grid: `block_idx_x * block_dim_x + thread_idx_x`.
///
/// A `usize`, because it indexes slices: a grid may have more than 2^32 threads.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::prelude::*;
///
/// #[kernel(require(x.len() >= out.len()))]
/// pub unsafe fn square(x: &[f32], mut out: DisjointMut<f32>) {
///     if let Some(out) = out.own() {
///         let x = x[thread::index_1d()];
///         *out = x * x;
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// let (x, mut out) = (Cells::new([1.0, 2.0, 3.0]), Cells::filled(0.0, 3));
/// executor.run(square::launch(&x, &mut out))?;
/// assert_eq!(out.to_vec(), [1.0, 4.0, 9.0]);
/// # Ok(())
/// # }
/// ```
#[inline(always)]
pub fn index_1d() -> usize {
    block_idx_x() as usize * block_dim_x() as usize + thread_idx_x() as usize
}

/// The thread's indices along x and y in the whole grid, x first.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::prelude::*;
///
/// /// The transpose of a matrix of `n` columns.
/// #[kernel(block = (4, 4), grid = (m.div_ceil(4), n.div_ceil(4)), require(x.len() == m * n, out.len() == m * n))]
/// pub unsafe fn transpose(x: &[f32], mut out: DisjointMut<f32>, m: u32, n: u32) {
///     let (column, row) = thread::index_2d();
///     // SAFETY: all threads have the same `m`.
///     if let (Some(out), true) = (unsafe { out.own_2d(m as usize) }, row < n as usize) {
///         *out = x[column * n as usize + row];
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// let (x, mut out) = (Cells::new([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), Cells::filled(0.0, 6));
/// executor.run(transpose::launch(&x, &mut out, 2, 3))?;
/// assert_eq!(out.to_vec(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
/// # Ok(())
/// # }
/// ```
#[inline(always)]
pub fn index_2d() -> (usize, usize) {
    (index_1d(), block_idx_y() as usize * block_dim_y() as usize + thread_idx_y() as usize)
}

/// The thread's indices along x, y and z in the whole grid, x first.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::prelude::*;
///
/// #[kernel(block = (2, 2, 2), grid = 1)]
/// pub unsafe fn sums(mut out: DisjointMut<u32>) {
///     let (x, y, z) = thread::index_3d();
///     // SAFETY: each thread of the launch has a cell of its own.
///     unsafe { out.write((z * 2 + y) * 2 + x, (x + y + z) as u32) };
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// let mut out = Cells::filled(0, 8);
/// executor.run(sums::launch(&mut out))?;
/// assert_eq!(out.to_vec(), [0, 1, 1, 2, 1, 2, 2, 3]);
/// # Ok(())
/// # }
/// ```
#[inline(always)]
pub fn index_3d() -> (usize, usize, usize) {
    let (x, y) = index_2d();
    (x, y, block_idx_z() as usize * block_dim_z() as usize + thread_idx_z() as usize)
}

/// The thread's number in its block, x fastest. Warps are 32 consecutive numbers.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::prelude::*;
///
/// #[kernel(block = (2, 2), grid = 1)]
/// pub unsafe fn place(mut out: DisjointMut<u32>) {
///     // SAFETY: each thread of the launch has a cell of its own.
///     unsafe { out.write((thread::thread_idx_y() * 2 + thread::thread_idx_x()) as usize, thread::thread_rank()) };
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// // A block of 2 x 2 threads.
/// let mut out = Cells::filled(0, 4);
/// executor.run(place::launch(&mut out))?;
/// assert_eq!(out.to_vec(), [0, 1, 2, 3]);
/// # Ok(())
/// # }
/// ```
#[inline(always)]
pub fn thread_rank() -> u32 {
    (thread_idx_z() * block_dim_y() + thread_idx_y()) * block_dim_x() + thread_idx_x()
}

/// Threads of a block.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::prelude::*;
///
/// #[kernel(block = (4, 2), grid = 1)]
/// pub unsafe fn place(mut out: DisjointMut<u32>) {
///     // SAFETY: each thread of the launch has a cell of its own.
///     unsafe { out.write(thread::thread_rank() as usize, thread::block_size()) };
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// // 4 x 2 threads.
/// let mut out = Cells::filled(0, 8);
/// executor.run(place::launch(&mut out))?;
/// assert_eq!(out.to_vec(), [8; 8]);
/// # Ok(())
/// # }
/// ```
#[inline(always)]
pub fn block_size() -> u32 {
    block_dim_x() * block_dim_y() * block_dim_z()
}

/// Threads of the grid along x: the stride of a grid-stride loop.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::prelude::*;
///
/// /// Each thread adds the elements that are a grid apart.
/// #[kernel(block = 4, grid = 2, require(out.len() == 8))]
/// pub unsafe fn partial_sums(x: &[u32], mut out: DisjointMut<u32>) {
///     let mut sum = 0;
///     let mut i = thread::index_1d();
///     while i < x.len() {
///         sum += x[i];
///         i += thread::grid_stride();
///     }
///     if let Some(out) = out.own() {
///         *out = sum;
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// let (x, mut out) = (Cells::filled(1, 20), Cells::filled(0, 8));
/// executor.run(partial_sums::launch(&x, &mut out))?;
/// assert_eq!(out.to_vec(), [3, 3, 3, 3, 2, 2, 2, 2]);
/// # Ok(())
/// # }
/// ```
#[inline(always)]
pub fn grid_stride() -> usize {
    grid_dim_x() as usize * block_dim_x() as usize
}
