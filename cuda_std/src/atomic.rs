//! Atomic operations on global and shared memory: relaxed, for the whole device.
//!
//! An order between threads, where one is needed, comes from barriers and from
//! [`device_fence`](crate::thread::device_fence). Results must not depend on the order in which
//! threads arrive, so floating-point addition, which is not associative, is for diagnostics only.

use core::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering::Relaxed};

mod sealed {
    pub trait Sealed {}
}

/// A type with atomic operations: `u32`, `i32`, `u64`.
///
/// ```
/// use cuda_std::atomic::{self, Atomic};
///
/// /// The larger of two cells' values, whatever atomic type they are of.
/// ///
/// /// # Safety
/// /// As for [`atomic::load`].
/// unsafe fn larger<T: Atomic + Ord>(a: *mut T, b: *mut T) -> T {
///     // SAFETY: the caller's promise.
///     unsafe { atomic::load(a).max(atomic::load(b)) }
/// }
///
/// let (mut a, mut b) = (3_i32, -4_i32);
/// // SAFETY: nobody else touches them.
/// assert_eq!(unsafe { larger(&raw mut a, &raw mut b) }, 3);
/// ```
pub trait Atomic: Copy + sealed::Sealed {
    /// See [`load`].
    #[doc(hidden)]
    unsafe fn load(cell: *mut Self) -> Self;
    /// See [`store`].
    #[doc(hidden)]
    unsafe fn store(cell: *mut Self, value: Self);
    /// See [`fetch_add`] and its kin; `compare_exchange` gives what was there.
    #[doc(hidden)]
    unsafe fn fetch(cell: *mut Self, operation: Operation, value: Self) -> Self;
    /// See [`compare_exchange`].
    #[doc(hidden)]
    unsafe fn compare_exchange(cell: *mut Self, current: Self, new: Self) -> Self;
}

/// What [`Atomic::fetch`] does.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub enum Operation {
    Add,
    Min,
    Max,
    And,
    Or,
    Xor,
    Exchange,
}

macro_rules! atomic_types {
    ($($type:ty: $atomic:ty;)*) => { $(
        impl sealed::Sealed for $type {}
        impl Atomic for $type {
            #[inline(always)]
            unsafe fn load(cell: *mut Self) -> Self {
                // SAFETY: the caller promises a valid, aligned cell that others touch atomically.
                unsafe { <$atomic>::from_ptr(cell) }.load(Relaxed)
            }

            #[inline(always)]
            unsafe fn store(cell: *mut Self, value: Self) {
                // SAFETY: as above.
                unsafe { <$atomic>::from_ptr(cell) }.store(value, Relaxed)
            }

            #[inline(always)]
            unsafe fn fetch(cell: *mut Self, operation: Operation, value: Self) -> Self {
                // SAFETY: as above.
                let cell = unsafe { <$atomic>::from_ptr(cell) };
                match operation {
                    Operation::Add => cell.fetch_add(value, Relaxed),
                    Operation::Min => cell.fetch_min(value, Relaxed),
                    Operation::Max => cell.fetch_max(value, Relaxed),
                    Operation::And => cell.fetch_and(value, Relaxed),
                    Operation::Or => cell.fetch_or(value, Relaxed),
                    Operation::Xor => cell.fetch_xor(value, Relaxed),
                    Operation::Exchange => cell.swap(value, Relaxed),
                }
            }

            #[inline(always)]
            unsafe fn compare_exchange(cell: *mut Self, current: Self, new: Self) -> Self {
                // SAFETY: as above.
                match unsafe { <$atomic>::from_ptr(cell) }.compare_exchange(current, new, Relaxed, Relaxed) {
                    Ok(found) | Err(found) => found,
                }
            }
        }
    )* };
}

atomic_types! {
    u32: AtomicU32;
    i32: AtomicI32;
    u64: AtomicU64;
}

/// Reads a cell that other threads may be changing atomically.
///
/// ```
/// use cuda_std::atomic;
///
/// let mut cell = 7_u64;
/// // SAFETY: nobody else touches the cell.
/// assert_eq!(unsafe { atomic::load(&raw mut cell) }, 7);
/// ```
///
/// # Safety
/// `cell` is valid and aligned, and whoever else touches it during the launch does so atomically.
#[inline(always)]
pub unsafe fn load<T: Atomic>(cell: *mut T) -> T {
    // SAFETY: the caller's promise.
    unsafe { T::load(cell) }
}

/// Writes a cell that other threads may be reading atomically.
///
/// ```
/// use cuda_std::atomic;
///
/// let mut cell = 7_u64;
/// // SAFETY: nobody else touches the cell.
/// unsafe { atomic::store(&raw mut cell, 8) };
/// assert_eq!(cell, 8);
/// ```
///
/// # Safety
/// As for [`load`].
#[inline(always)]
pub unsafe fn store<T: Atomic>(cell: *mut T, value: T) {
    // SAFETY: the caller's promise.
    unsafe { T::store(cell, value) }
}

macro_rules! fetch_functions {
    ($($(#[$doc:meta])* $name:ident = $operation:ident;)*) => { $(
        $(#[$doc])*
        ///
        /// Gives what the cell held before.
        ///
        /// # Safety
        /// As for [`load`].
        #[inline(always)]
        pub unsafe fn $name<T: Atomic>(cell: *mut T, value: T) -> T {
            // SAFETY: the caller's promise.
            unsafe { T::fetch(cell, Operation::$operation, value) }
        }
    )* };
}

fetch_functions! {
    /// Adds, wrapping around.
    ///
    /// ```
    /// # use cpu_executor::{Cells, CpuExecutor};
    /// use cuda_std::atomic;
    /// use cuda_std::prelude::*;
    ///
    /// /// How many elements are negative.
    /// #[kernel(grid = x.len().div_ceil(block.x), require(count.len() == 1))]
    /// pub unsafe fn count_negative(x: &[f32], count: *mut u32) {
    ///     if x.get(thread::index_1d()).is_some_and(|x| *x < 0.0) {
    ///         // SAFETY: all threads touch the cell atomically.
    ///         unsafe { atomic::fetch_add(count, 1) };
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let executor = CpuExecutor::of_this_processor()?;
    /// let (x, mut count) = (Cells::new([1.0, -2.0, -3.0]), Cells::filled(0, 1));
    /// executor.run(count_negative::launch(&x, &mut count))?;
    /// assert_eq!(count.to_vec(), [2]);
    /// # Ok(())
    /// # }
    /// ```
    fetch_add = Add;
    /// Keeps the smaller.
    ///
    /// ```
    /// use cuda_std::atomic;
    ///
    /// let mut cell = 5_u32;
    /// // SAFETY: nobody else touches the cell.
    /// let before = unsafe { atomic::fetch_min(&raw mut cell, 3) };
    /// assert_eq!((before, cell), (5, 3));
    /// ```
    fetch_min = Min;
    /// Keeps the larger.
    ///
    /// ```
    /// use cuda_std::atomic;
    ///
    /// let mut cell = 5_u32;
    /// // SAFETY: nobody else touches the cell.
    /// let before = unsafe { atomic::fetch_max(&raw mut cell, 3) };
    /// assert_eq!((before, cell), (5, 5));
    /// ```
    fetch_max = Max;
    /// Bitwise and.
    ///
    /// ```
    /// use cuda_std::atomic;
    ///
    /// let mut cell = 0b0101_u32;
    /// // SAFETY: nobody else touches the cell.
    /// let before = unsafe { atomic::fetch_and(&raw mut cell, 0b0110) };
    /// assert_eq!((before, cell), (0b0101, 0b0100));
    /// ```
    fetch_and = And;
    /// Bitwise or.
    ///
    /// ```
    /// use cuda_std::atomic;
    ///
    /// let mut cell = 0b0101_u32;
    /// // SAFETY: nobody else touches the cell.
    /// let before = unsafe { atomic::fetch_or(&raw mut cell, 0b0110) };
    /// assert_eq!((before, cell), (0b0101, 0b0111));
    /// ```
    fetch_or = Or;
    /// Bitwise exclusive or.
    ///
    /// ```
    /// use cuda_std::atomic;
    ///
    /// let mut cell = 0b0101_u32;
    /// // SAFETY: nobody else touches the cell.
    /// let before = unsafe { atomic::fetch_xor(&raw mut cell, 0b0110) };
    /// assert_eq!((before, cell), (0b0101, 0b0011));
    /// ```
    fetch_xor = Xor;
    /// Puts the value there.
    ///
    /// ```
    /// use cuda_std::atomic;
    ///
    /// let mut cell = 5_u32;
    /// // SAFETY: nobody else touches the cell.
    /// let before = unsafe { atomic::exchange(&raw mut cell, 3) };
    /// assert_eq!((before, cell), (5, 3));
    /// ```
    exchange = Exchange;
}

/// Puts `new` where the cell holds `current`; gives what the cell held before.
///
/// ```
/// use cuda_std::atomic;
///
/// let mut cell = 0_u32;
/// // SAFETY: nobody else touches the cell.
/// unsafe {
///     assert_eq!(atomic::compare_exchange(&raw mut cell, 0, 5), 0);
///     // It is taken now.
///     assert_eq!(atomic::compare_exchange(&raw mut cell, 0, 6), 5);
/// }
/// assert_eq!(cell, 5);
/// ```
///
/// # Safety
/// As for [`load`].
#[inline(always)]
pub unsafe fn compare_exchange<T: Atomic>(cell: *mut T, current: T, new: T) -> T {
    // SAFETY: the caller's promise.
    unsafe { T::compare_exchange(cell, current, new) }
}

/// Adds to an `f32`, by compare-and-exchange; gives what the cell held before.
///
/// The sum depends on the order in which threads arrive: no result may rest on it.
///
/// ```
/// use cuda_std::atomic;
///
/// let mut cell = 1.5_f32;
/// // SAFETY: nobody else touches the cell.
/// let before = unsafe { atomic::fetch_add_f32(&raw mut cell, 2.0) };
/// assert_eq!((before, cell), (1.5, 3.5));
/// ```
///
/// # Safety
/// As for [`load`].
#[inline(always)]
pub unsafe fn fetch_add_f32(cell: *mut f32, value: f32) -> f32 {
    let cell = cell.cast::<u32>();
    // SAFETY: the caller's promise; an f32 has the size and alignment of a u32.
    let mut found = unsafe { load(cell) };
    loop {
        let sum = f32::from_bits(found) + value;
        // SAFETY: as above.
        let now = unsafe { compare_exchange(cell, found, sum.to_bits()) };
        if now == found {
            return f32::from_bits(found);
        }
        found = now;
    }
}
