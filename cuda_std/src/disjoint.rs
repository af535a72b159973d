//! A slice that the threads of a launch write together, each its own cells.

use core::marker::PhantomData;

use crate::thread;

/// Output memory of a kernel: every thread may write cells, and no two threads the same one.
///
/// A `&mut [T]` in every thread would alias, which Rust forbids; this type hands out one cell at a
/// time instead. [`own`](Self::own) and [`own_strided`](Self::own_strided) are safe: they give a thread
/// only cells that its index makes its own, in a launch that extends along one axis. With
/// [`own_2d`](Self::own_2d), for two axes, the caller promises that all threads mean the same matrix.
/// Everything else is [`write`](Self::write), whose caller promises the disjointness; its bounds are
/// checked all the same.
///
/// Use one of the three within a kernel for one slice: each is disjoint over threads by itself, and
/// two of them side by side are not.
///
/// ```
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::prelude::*;
///
/// #[kernel]
/// pub unsafe fn numbers(mut out: DisjointMut<u32>) {
///     if let Some(out) = out.own() {
///         *out = thread::index_1d() as u32;
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let executor = CpuExecutor::of_this_processor()?;
/// let mut out = Cells::filled(0, 5);
/// executor.run(numbers::launch(&mut out))?;
/// assert_eq!(out.to_vec(), [0, 1, 2, 3, 4]);
/// # Ok(())
/// # }
/// ```
pub struct DisjointMut<'a, T> {
    start: *mut T,
    len: usize,
    _memory: PhantomData<&'a mut [T]>,
}

impl<'a, T> DisjointMut<'a, T> {
    /// The `len` cells from `start`.
    ///
    /// ```
    /// use cuda_std::DisjointMut;
    ///
    /// let mut cells = [1_u32, 2, 3];
    /// // SAFETY: the cells are there, and nobody else touches them.
    /// let mut out = unsafe { DisjointMut::from_raw_parts(cells.as_mut_ptr(), cells.len()) };
    /// // SAFETY: it is the only thread.
    /// unsafe { out.write(1, 20) };
    /// assert_eq!(cells, [1, 20, 3]);
    /// ```
    ///
    /// # Safety
    /// They are valid for writes during `'a`, and nobody but the launch's threads, through values of
    /// this type, touches them.
    #[inline(always)]
    pub unsafe fn from_raw_parts(start: *mut T, len: usize) -> Self {
        Self { start, len, _memory: PhantomData }
    }

    /// Cells of the whole slice.
    ///
    /// ```
    /// use cuda_std::DisjointMut;
    ///
    /// let mut cells = [1_u32, 2, 3];
    /// // SAFETY: the cells are there, and nobody else touches them.
    /// let mut out = unsafe { DisjointMut::from_raw_parts(cells.as_mut_ptr(), cells.len()) };
    /// assert_eq!(out.len(), 3);
    /// ```
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    ///
    /// ```
    /// use cuda_std::DisjointMut;
    ///
    /// let mut cells = [1_u32, 2, 3];
    /// // SAFETY: the cells are there, and nobody else touches them.
    /// let mut out = unsafe { DisjointMut::from_raw_parts(cells.as_mut_ptr(), cells.len()) };
    /// assert!(!out.is_empty());
    /// ```
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first cell, for accesses that are wider than a cell: what [`write`](Self::write) checks and its caller
    /// promises, the caller of such an access does for all its cells.
    ///
    /// ```
    /// use cuda_std::DisjointMut;
    ///
    /// let mut cells = [1_u32, 2, 3];
    /// // SAFETY: the cells are there, and nobody else touches them.
    /// let mut out = unsafe { DisjointMut::from_raw_parts(cells.as_mut_ptr(), cells.len()) };
    /// // SAFETY: the two cells are there, and it is the only thread.
    /// unsafe { out.as_mut_ptr().cast::<[u32; 2]>().write([7, 8]) };
    /// assert_eq!(cells, [7, 8, 3]);
    /// ```
    #[inline(always)]
    pub fn as_mut_ptr(&mut self) -> *mut T {
        self.start
    }

    /// The cell at [`thread::index_1d`], if the slice is that long. For launches whose blocks and grid extend along x alone: in
    /// others several threads would have one cell, which the processor refuses and a GPU does not find.
    ///
    /// ```
    /// # use cpu_executor::{Cells, CpuExecutor};
    /// use cuda_std::prelude::*;
    ///
    /// #[kernel]
    /// pub unsafe fn increment(mut out: DisjointMut<u32>) {
    ///     // The last block may have threads beyond the slice.
    ///     if let Some(out) = out.own() {
    ///         *out += 1;
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let executor = CpuExecutor::of_this_processor()?;
    /// let mut out = Cells::new([5, 6, 7]);
    /// executor.run(increment::launch(&mut out))?;
    /// assert_eq!(out.to_vec(), [6, 7, 8]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// On the processor, in a launch with threads beside each other along y or z: an error with kernel, block and thread.
    #[inline(always)]
    #[cfg_attr(not(target_arch = "nvptx64"), track_caller)]
    pub fn own(&mut self) -> Option<&mut T> {
        self.own_strided(0)
    }

    /// The `k`-th cell of this thread in a grid-stride loop: `index_1d() + k * grid_stride()`.
    /// For launches as those of [`own`](Self::own).
    ///
    /// ```
    /// # use cpu_executor::{Cells, CpuExecutor};
    /// use cuda_std::prelude::*;
    ///
    /// #[kernel(block = 4, grid = 1)]
    /// pub unsafe fn increment(mut out: DisjointMut<u32>) {
    ///     // Each of four threads has every fourth cell.
    ///     let mut k = 0;
    ///     while let Some(out) = out.own_strided(k) {
    ///         *out += 1;
    ///         k += 1;
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let executor = CpuExecutor::of_this_processor()?;
    /// let mut out = Cells::filled(0, 10);
    /// executor.run(increment::launch(&mut out))?;
    /// assert_eq!(out.to_vec(), [1; 10]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// As [`own`](Self::own).
    #[inline(always)]
    #[cfg_attr(not(target_arch = "nvptx64"), track_caller)]
    pub fn own_strided(&mut self, k: usize) -> Option<&mut T> {
        #[cfg(not(target_arch = "nvptx64"))]
        assert!(is_along_x(), "`own` gives cells to threads of launches along x alone, and this one is {}", extents());
        // A product that wraps would be another thread's cell.
        let index = k.checked_mul(thread::grid_stride())?.checked_add(thread::index_1d())?;
        // SAFETY: for different threads, or different k, of a one-dimensional launch the index differs.
        (index < self.len).then(|| unsafe { &mut *self.start.add(index) })
    }

    /// The cell of a matrix of `columns` columns, stored by rows, at column x and row y of
    /// [`thread::index_2d`]; `None` right of or below it. For launches whose blocks and grid extend along x and y alone.
    ///
    /// ```
    /// # use cpu_executor::{Cells, CpuExecutor};
    /// use cuda_std::prelude::*;
    ///
    /// #[kernel(block = (4, 4), grid = (columns.div_ceil(4), out.len().div_ceil(4 * columns)))]
    /// pub unsafe fn sums(mut out: DisjointMut<u32>, columns: u32) {
    ///     let (x, y) = thread::index_2d();
    ///     // SAFETY: it is an argument of the launch.
    ///     if let Some(out) = unsafe { out.own_2d(columns as usize) } {
    ///         *out = (x + 10 * y) as u32;
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let executor = CpuExecutor::of_this_processor()?;
    /// // Two rows of three columns.
    /// let mut out = Cells::filled(0, 6);
    /// executor.run(sums::launch(&mut out, 3))?;
    /// assert_eq!(out.to_vec(), [0, 1, 2, 10, 11, 12]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// On the processor, in a launch with threads beside each other along z: an error with kernel, block and thread.
    ///
    /// # Safety
    /// All threads of the launch say the same `columns`: in matrices of different widths cells of different places are one.
    #[inline(always)]
    #[cfg_attr(not(target_arch = "nvptx64"), track_caller)]
    pub unsafe fn own_2d(&mut self, columns: usize) -> Option<&mut T> {
        #[cfg(not(target_arch = "nvptx64"))]
        assert!(
            is_along_x_and_y(),
            "`own_2d` gives cells to threads of launches along x and y alone, and this one is {}",
            extents()
        );
        let (x, y) = thread::index_2d();
        // As above.
        let index = y.checked_mul(columns)?.checked_add(x)?;
        // SAFETY: x < columns, which is the caller's promise the same for all, makes the index differ for different threads of a
        // two-dimensional launch.
        (x < columns && index < self.len).then(|| unsafe { &mut *self.start.add(index) })
    }

    /// Writes cell `index`.
    ///
    /// ```
    /// use cuda_std::DisjointMut;
    ///
    /// let mut cells = [1_u32, 2, 3];
    /// // SAFETY: the cells are there, and nobody else touches them.
    /// let mut out = unsafe { DisjointMut::from_raw_parts(cells.as_mut_ptr(), cells.len()) };
    /// // SAFETY: it is the only thread.
    /// unsafe { out.write(2, 30) };
    /// assert_eq!(cells, [1, 2, 30]);
    /// ```
    ///
    /// # Panics
    /// If the slice is not that long: a trap on a GPU, an error with kernel, block and thread on the
    /// processor.
    ///
    /// # Safety
    /// No other thread of the launch reads or writes the same cell, unless a barrier stands between.
    #[inline(always)]
    #[track_caller]
    pub unsafe fn write(&mut self, index: usize, value: T) {
        assert!(index < self.len, "index {index} is outside the output of {} cells", self.len);
        // SAFETY: the index is within bounds, and the caller promises that the cell is this thread's.
        unsafe { self.start.add(index).write(value) }
    }

    /// Reads cell `index`.
    ///
    /// ```
    /// use cuda_std::DisjointMut;
    ///
    /// let mut cells = [1_u32, 2, 3];
    /// // SAFETY: the cells are there, and nobody else touches them.
    /// let mut out = unsafe { DisjointMut::from_raw_parts(cells.as_mut_ptr(), cells.len()) };
    /// // SAFETY: it is the only thread, and the cell was written.
    /// assert_eq!(unsafe { out.read(2) }, 3);
    /// ```
    ///
    /// # Panics
    /// As [`write`](Self::write).
    ///
    /// # Safety
    /// The cell has been written, and no other thread writes it, unless a barrier stands between.
    #[inline(always)]
    #[track_caller]
    pub unsafe fn read(&self, index: usize) -> T
    where
        T: Copy,
    {
        assert!(index < self.len, "index {index} is outside the output of {} cells", self.len);
        // SAFETY: the index is within bounds, and the caller promises that the cell is initialised.
        unsafe { self.start.add(index).read() }
    }
}

/// Whether no two threads of the launch have one index along x.
#[cfg(not(target_arch = "nvptx64"))]
#[inline(always)]
fn is_along_x() -> bool {
    thread::block_dim_y() == 1 && thread::grid_dim_y() == 1 && is_along_x_and_y()
}

/// Whether no two threads of the launch have one index along x and one along y.
#[cfg(not(target_arch = "nvptx64"))]
#[inline(always)]
fn is_along_x_and_y() -> bool {
    thread::block_dim_z() == 1 && thread::grid_dim_z() == 1
}

/// How far the launch extends, for a message.
#[cfg(not(target_arch = "nvptx64"))]
#[cold]
fn extents() -> String {
    let grid = [thread::grid_dim_x(), thread::grid_dim_y(), thread::grid_dim_z()];
    let block = [thread::block_dim_x(), thread::block_dim_y(), thread::block_dim_z()];
    format!("of {grid:?} blocks of {block:?} threads; `write` takes any index")
}
