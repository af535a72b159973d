//! Typed buffers.

use std::marker::PhantomData;

mod sealed {
    pub trait Sealed {}
}

/// A number that device memory can hold.
pub trait Element: Copy + sealed::Sealed {
    /// Size in bytes.
    const BYTES: usize;
    /// The bytes of a value, lowest first.
    fn to_bytes(self) -> impl Iterator<Item = u8>;
    /// The value of [`Element::BYTES`] bytes.
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
    pub fn address(&self) -> u64 {
        self.address
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}
