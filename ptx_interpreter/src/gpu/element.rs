//! Typed buffers.

use std::marker::PhantomData;

mod sealed {
    pub trait Sealed {}
}

/// A number that device memory can hold.
///
/// ```
/// use ptx_interpreter::Element;
///
/// fn bytes<T: Element>(values: &[T]) -> usize {
///     values.len() * T::BYTES
/// }
/// assert_eq!(bytes(&[1.0f64, 2.0]), 16);
/// ```
pub trait Element: Copy + sealed::Sealed {
    /// Size in bytes.
    const BYTES: usize;
    /// The bytes of a value, lowest first.
    ///
    /// ```
    /// use ptx_interpreter::Element;
    ///
    /// assert!(0x0102_u16.to_bytes().eq([2, 1]));
    /// ```
    fn to_bytes(self) -> impl Iterator<Item = u8>;
    /// The value of [`Element::BYTES`] bytes.
    ///
    /// ```
    /// use ptx_interpreter::Element;
    ///
    /// assert_eq!(u32::from_bytes(&[1, 0, 0, 0]), 1);
    /// ```
    ///
    /// # Panics
    /// If the number of bytes is another.
    fn from_bytes(bytes: &[u8]) -> Self;
}

macro_rules! element {
    ($($t:ty)*) => {$(
        impl sealed::Sealed for $t {}
        impl Element for $t {
            const BYTES: usize = size_of::<$t>();
            fn to_bytes(self) -> impl Iterator<Item = u8> {
                self.to_le_bytes().into_iter()
            }
            fn from_bytes(bytes: &[u8]) -> Self {
                Self::from_le_bytes(bytes.try_into().expect("the bytes of one element"))
            }
        }
    )*};
}
element! { u8 i8 u16 i16 u32 i32 u64 i64 f32 f64 }

/// Device memory for `len` elements. It is freed with the device, or with [`Gpu::free`](crate::Gpu::free).
///
/// ```
/// use ptx_interpreter::{Argument, Gpu};
///
/// let mut gpu = Gpu::new();
/// let x = gpu.alloc_from(&[1u8, 2, 3]);
/// // To a kernel it is its address.
/// assert_eq!(Argument::from(&x), Argument::U64(x.address()));
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Buffer<T> {
    address: u64,
    len: usize,
    element: PhantomData<T>,
}

impl<T> Buffer<T> {
    pub(crate) fn new(address: u64, len: usize) -> Self {
        Self { address, len, element: PhantomData }
    }

    /// Where the first element stands.
    ///
    /// ```
    /// use ptx_interpreter::Gpu;
    ///
    /// let mut gpu = Gpu::new();
    /// let x = gpu.alloc_from(&[1u32, 2]);
    /// let mut second = [0; 4];
    /// gpu.read_bytes(x.address() + 4, &mut second)?;
    /// assert_eq!(second, [2, 0, 0, 0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn address(&self) -> u64 {
        self.address
    }

    /// Number of elements.
    ///
    /// ```
    /// use ptx_interpreter::Gpu;
    ///
    /// // Elements, not bytes.
    /// assert_eq!(Gpu::new().alloc::<f64>(5).len(), 5);
    /// ```
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no elements.
    ///
    /// ```
    /// use ptx_interpreter::Gpu;
    ///
    /// assert!(Gpu::new().alloc::<f64>(0).is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}
