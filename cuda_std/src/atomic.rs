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
/// # Safety
/// `cell` is valid and aligned, and whoever else touches it during the launch does so atomically.
#[inline(always)]
pub unsafe fn load<T: Atomic>(cell: *mut T) -> T {
    // SAFETY: the caller's promise.
    unsafe { T::load(cell) }
}

/// Writes a cell that other threads may be reading atomically.
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
    fetch_add = Add;
    /// Keeps the smaller.
    fetch_min = Min;
    /// Keeps the larger.
    fetch_max = Max;
    /// Bitwise and.
    fetch_and = And;
    /// Bitwise or.
    fetch_or = Or;
    /// Bitwise exclusive or.
    fetch_xor = Xor;
    /// Puts the value there.
    exchange = Exchange;
}

/// Puts `new` where the cell holds `current`; gives what the cell held before.
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
