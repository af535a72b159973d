//! Memory of a device, and the arguments of a launch, whatever their types.

/// A type that can be copied to a device and back, byte by byte.
///
/// ```
/// use cuda_std::launch::DeviceCopy;
///
/// /// A point of the plane, as a kernel reads it.
/// #[derive(Clone, Copy)]
/// #[repr(C)]
/// struct Point {
///     x: f32,
///     y: f32,
/// }
/// // SAFETY: two floats, all of whose bits are values, and nothing between them.
/// unsafe impl DeviceCopy for Point {}
///
/// fn bytes<T: DeviceCopy>(values: &[T]) -> usize {
///     size_of_val(values)
/// }
/// assert_eq!(bytes(&[Point { x: 1.0, y: 2.0 }; 3]), 24);
/// ```
///
/// # Safety
/// Every pattern of bits is a value, and there is no padding.
pub unsafe trait DeviceCopy: Copy + Send + Sync + 'static {}

macro_rules! device_copy {
    ($($type:ty),*) => { $(
        // SAFETY: a number has no padding, and all its patterns are values.
        unsafe impl DeviceCopy for $type {}
    )* };
}
device_copy!(u8, i8, u16, i16, u32, i32, u64, i64, usize, isize, f32, f64);

// SAFETY: an array of such values has no padding either.
unsafe impl<T: DeviceCopy, const N: usize> DeviceCopy for [T; N] {}

/// Device memory as an argument: where it is, how many elements it has, whose it is.
///
/// ```
/// use cpu_executor::Cells;
/// use cuda_std::launch::{DeviceSlice, Region};
///
/// let Region { len, address, .. } = Cells::new([1.0_f32, 2.0]).region();
/// assert_eq!((len, address % 4), (2, 0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// The device's address of the first element.
    pub address: u64,
    /// Elements.
    pub len: usize,
    /// The executor that made it; every executor has a number of its own.
    pub owner: u64,
}

/// Device memory that a kernel may read as `&[T]` or `*const T`.
///
/// ```
/// # use cuda_std::prelude::*;
/// # /// out[i] = a * x[i] + out[i].
/// # #[kernel(threads = 32..=1024, require(x.len() == out.len()))]
/// # pub unsafe fn axpy(a: f32, x: &[f32], mut out: DisjointMut<f32>) {
/// #     if let Some(out) = out.own() {
/// #         *out = Machine::mul_add(a, x[thread::index_1d()], *out);
/// #     }
/// # }
/// use cuda_std::launch::{DeviceSlice, DeviceSliceMut, Region};
///
/// /// Memory of an executor of one's own: number 5.
/// struct Mine {
///     address: u64,
///     len: usize,
/// }
///
/// // SAFETY: nothing runs the launches of this example.
/// unsafe impl DeviceSlice<f32> for Mine {
///     fn region(&self) -> Region {
///         Region { address: self.address, len: self.len, owner: 5 }
///     }
/// }
/// // SAFETY: as above.
/// unsafe impl DeviceSliceMut<f32> for Mine {}
///
/// # fn main() {
/// let (x, mut y) = (Mine { address: 256, len: 3 }, Mine { address: 512, len: 3 });
/// assert_eq!(axpy::launch(2.0, &x, &mut y).args().len(), 3);
/// # }
/// ```
///
/// # Safety
/// The region stays valid, and nobody writes it, while the value is borrowed.
pub unsafe trait DeviceSlice<T: DeviceCopy> {
    /// The region.
    ///
    /// ```
    /// use cpu_executor::Cells;
    /// use cuda_std::launch::DeviceSlice;
    ///
    /// assert_eq!(Cells::new([1.0_f32, 2.0]).region().len, 2);
    /// ```
    fn region(&self) -> Region;
}

/// Device memory that a kernel may write through `DisjointMut<T>` or `*mut T`.
///
/// ```
/// use cpu_executor::Cells;
/// use cuda_std::launch::{DeviceCopy, DeviceSliceMut};
///
/// /// What a kernel is to write must be borrowed mutably.
/// fn room<T: DeviceCopy>(out: &mut impl DeviceSliceMut<T>) -> usize {
///     out.region().len
/// }
/// assert_eq!(room(&mut Cells::filled(0_u32, 4)), 4);
/// ```
///
/// # Safety
/// The region stays valid, and nobody else touches it, while the value is borrowed.
pub unsafe trait DeviceSliceMut<T: DeviceCopy>: DeviceSlice<T> {}

/// An argument of a launch, with its type erased.
///
/// ```
/// # use cuda_std::prelude::*;
/// # /// out[i] = a * x[i] + out[i].
/// # #[kernel(threads = 32..=1024, require(x.len() == out.len()))]
/// # pub unsafe fn axpy(a: f32, x: &[f32], mut out: DisjointMut<f32>) {
/// #     if let Some(out) = out.own() {
/// #         *out = Machine::mul_add(a, x[thread::index_1d()], *out);
/// #     }
/// # }
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::launch::Arg;
/// # fn main() {
/// # let (x, mut y) = (Cells::new([1.0, 2.0]), Cells::filled(0.0, 2));
/// let launch = axpy::launch(2.0, &x, &mut y);
/// assert_eq!(launch.args()[0], Arg::scalar(2.0_f32));
/// assert!(matches!(launch.args()[1], Arg::Slice(region) if region.len == 2));
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arg {
    /// A number: its bytes, little-endian, and how many of them count.
    Scalar {
        /// The bytes.
        bytes: [u8; 8],
        /// How many.
        size: usize,
    },
    /// A slice: passed to a GPU as an address and a length, two parameters.
    Slice(Region),
    /// A pointer: passed to a GPU as an address.
    Pointer(Region),
}

impl Arg {
    /// A number as an argument.
    ///
    /// ```
    /// use cuda_std::launch::Arg;
    ///
    /// assert_eq!(Arg::scalar(258_u32), Arg::Scalar { bytes: [2, 1, 0, 0, 0, 0, 0, 0], size: 4 });
    /// ```
    pub fn scalar<T: DeviceCopy>(value: T) -> Self {
        const { assert!(size_of::<T>() <= 8, "a kernel's scalar parameter has at most 8 bytes") };
        let mut bytes = [0; 8];
        // SAFETY: `T` is at most 8 bytes without padding, which are copied into 8 bytes.
        unsafe { std::ptr::copy_nonoverlapping((&raw const value).cast(), bytes.as_mut_ptr(), size_of::<T>()) };
        Self::Scalar { bytes, size: size_of::<T>() }
    }

    /// The number, in a kernel's entry.
    ///
    /// # Panics
    /// If the argument is not a scalar of this size.
    #[doc(hidden)]
    #[inline]
    pub fn to_scalar<T: DeviceCopy>(&self) -> T {
        match self {
            // SAFETY: `T` has `size` bytes, all of whose patterns are values.
            Self::Scalar { bytes, size } if *size == size_of::<T>() => unsafe {
                bytes.as_ptr().cast::<T>().read_unaligned()
            },
            _ => self.is_no_scalar(size_of::<T>()),
        }
    }

    /// The memory that the argument names; a scalar names none.
    ///
    /// ```
    /// use cuda_std::launch::{Arg, Region};
    ///
    /// let region = Region { address: 256, len: 3, owner: 1 };
    /// assert_eq!(Arg::Slice(region).region(), Some(region));
    /// assert_eq!(Arg::scalar(1_u32).region(), None);
    /// ```
    pub fn region(&self) -> Option<Region> {
        match self {
            Self::Scalar { .. } => None,
            Self::Slice(region) | Self::Pointer(region) => Some(*region),
        }
    }

    /// The region, in a kernel's entry.
    ///
    /// # Panics
    /// If the argument is a scalar.
    #[doc(hidden)]
    #[inline]
    pub fn to_region(&self) -> Region {
        match self {
            Self::Slice(region) | Self::Pointer(region) => *region,
            Self::Scalar { .. } => self.is_no_memory(),
        }
    }

    /// Out of line, as what follows: each kernel takes arguments apart in several places.
    #[cold]
    #[inline(never)]
    fn is_no_scalar(&self, size: usize) -> ! {
        panic!("expected a scalar of {size} bytes, found {self:?}")
    }

    #[cold]
    #[inline(never)]
    fn is_no_memory(&self) -> ! {
        panic!("expected memory, found {self:?}")
    }
}
