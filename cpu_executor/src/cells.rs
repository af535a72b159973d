//! Memory of the program itself as an argument of launches.

use std::fmt;
use std::ptr::NonNull;

use cuda_std::launch::{DeviceCopy, DeviceSlice, DeviceSliceMut, Region};

/// The number under which launches know this memory.
pub(crate) const OWNER: u64 = 0;

/// Cells that kernels read and write, and [`CpuExecutor::run`](crate::CpuExecutor::run) accepts.
///
/// ```
/// use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::prelude::*;
///
/// /// out[i] = 2 x[i]
/// #[kernel(require(x.len() == out.len()))]
/// pub unsafe fn double(x: &[f32], mut out: DisjointMut<f32>) {
///     if let Some(out) = out.own() {
///         *out = 2.0 * x[thread::index_1d()];
///     }
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let (x, mut out) = (Cells::new([1.0, 2.5]), Cells::filled(0.0, 2));
///     CpuExecutor::of_this_processor()?.run(double::launch(&x, &mut out))?;
///     assert_eq!(out.to_vec(), [2.0, 5.0]);
///     Ok(())
/// }
/// ```
pub struct Cells<T> {
    cells: NonNull<[T]>,
}

impl<T: DeviceCopy> Cells<T> {
    /// Cells with these values.
    ///
    /// ```
    /// use cpu_executor::Cells;
    ///
    /// assert_eq!(Cells::new(vec![1, 2, 3]).to_vec(), [1, 2, 3]);
    /// ```
    pub fn new(values: impl Into<Vec<T>>) -> Self {
        let cells = Box::into_raw(values.into().into_boxed_slice());
        // SAFETY: a box is not null.
        Self { cells: unsafe { NonNull::new_unchecked(cells) } }
    }

    /// So many cells with one value.
    ///
    /// ```
    /// use cpu_executor::Cells;
    ///
    /// assert_eq!(Cells::filled(0.5, 2).to_vec(), [0.5, 0.5]);
    /// ```
    pub fn filled(value: T, len: usize) -> Self {
        Self::new(vec![value; len])
    }

    /// A copy of the values.
    ///
    /// ```
    /// use cpu_executor::Cells;
    ///
    /// let none: Vec<u32> = Cells::new([]).to_vec();
    /// assert!(none.is_empty());
    /// ```
    pub fn to_vec(&self) -> Vec<T> {
        // SAFETY: the cells came from a box, and no launch outlives the call that runs it.
        unsafe { self.cells.as_ref() }.to_vec()
    }
}

// SAFETY: the cells are the value's own, as a box's are.
unsafe impl<T: Send> Send for Cells<T> {}

// SAFETY: whoever shares the value reads the cells; a launch that writes them borrows it mutably.
unsafe impl<T: Sync> Sync for Cells<T> {}

impl<T> Drop for Cells<T> {
    fn drop(&mut self) {
        // SAFETY: the cells came from a box, and are freed once.
        drop(unsafe { Box::from_raw(self.cells.as_ptr()) });
    }
}

impl<T: DeviceCopy + fmt::Debug> fmt::Debug for Cells<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.to_vec()).finish()
    }
}

// SAFETY: the cells live as long as the value, and only launches that borrow it write them.
unsafe impl<T: DeviceCopy> DeviceSlice<T> for Cells<T> {
    fn region(&self) -> Region {
        let address = self.cells.cast::<T>().as_ptr().expose_provenance() as u64;
        Region { address, len: self.cells.len(), owner: OWNER }
    }
}

// SAFETY: as above; a launch borrows the value mutably.
unsafe impl<T: DeviceCopy> DeviceSliceMut<T> for Cells<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_may_share_cells_and_pass_them_on() {
        fn check<T: Send + Sync>() {}
        check::<Cells<f32>>();
    }
}
