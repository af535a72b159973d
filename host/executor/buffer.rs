//! Typed memory of a device.

use std::marker::PhantomData;
use std::ops::Range;

use cuda_std::launch::{DeviceCopy, DeviceSlice, DeviceSliceMut, Region};

use super::Device;
use crate::bytes::Bytes;
use crate::error::{Error, Result};

/// `len` values in a device's memory, freed when dropped.
///
/// Made by [`Device::upload`] and [`Device::zeros`]; a kernel's launch borrows it.
///
/// ```
/// use modeseek::Device;
///
/// let device = Device::processor()?;
/// let x = device.upload(&[1.0_f32, 2.0])?;
/// let mut y = device.zeros::<f32>(2)?;
/// device.launch(gpu::vector::axpy::launch(3.0, &x, &mut y))?;
/// assert_eq!(device.download(&y)?, [3.0, 6.0]);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Debug)]
pub struct Buffer<T: DeviceCopy> {
    device: Device,
    address: u64,
    len: usize,
    _values: PhantomData<T>,
}

impl<T: DeviceCopy> Buffer<T> {
    /// Memory whose contents are yet to be written: on a processor the caller does so at once.
    pub(super) fn allocate(device: &Device, len: usize) -> Result<Self> {
        const { assert!(size_of::<T>() > 0, "elements without bytes have no place in a device's memory") };
        let bytes = len as u128 * size_of::<T>() as u128;
        let address = match usize::try_from(bytes) {
            Ok(0) => 0,
            Ok(bytes) if bytes <= isize::MAX as usize => device.executor().allocate(bytes)?,
            _ => {
                return Err(Error::Memory {
                    device: device.describe(),
                    what: "a buffer".to_owned(),
                    needed: Bytes(bytes),
                    available: Bytes(device.executor().available()? as u128),
                    advice: "use fewer or smaller elements",
                });
            }
        };
        Ok(Self { device: device.clone(), address, len, _values: PhantomData })
    }

    /// Whose memory it is.
    ///
    /// ```
    /// # use modeseek::Device;
    /// let device = Device::processor()?;
    /// assert_eq!(device.zeros::<u8>(1)?.device().describe(), device.describe());
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// How many values.
    ///
    /// ```
    /// # use modeseek::Device;
    /// // Values, not bytes.
    /// assert_eq!(Device::processor()?.zeros::<f64>(3)?.len(), 3);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    ///
    /// ```
    /// # use modeseek::Device;
    /// assert!(Device::processor()?.upload::<u32>(&[])?.is_empty());
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<T: DeviceCopy> Buffer<T> {
    /// Some of the values, to be read by a kernel.
    ///
    /// ```
    /// # use modeseek::Device;
    /// # let device = Device::processor()?;
    /// let x = device.upload(&[1.0_f32, 2.0, 3.0, 4.0])?;
    /// let mut y = device.zeros::<f32>(2)?;
    /// device.launch(gpu::vector::axpy::launch(1.0, &x.slice(1..3), &mut y))?;
    /// assert_eq!(device.download(&y)?, [2.0, 3.0]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Panics
    /// If the range does not lie in the buffer.
    pub fn slice(&self, range: Range<usize>) -> Slice<'_, T> {
        Slice { region: self.part(range), _buffer: PhantomData }
    }

    /// Some of the values, to be written by a kernel.
    ///
    /// ```
    /// # use modeseek::Device;
    /// # let device = Device::processor()?;
    /// let x = device.upload(&[1.0_f32, 2.0])?;
    /// let mut y = device.zeros::<f32>(4)?;
    /// device.launch(gpu::vector::axpy::launch(1.0, &x, &mut y.slice_mut(2..4)))?;
    /// assert_eq!(device.download(&y)?, [0.0, 0.0, 1.0, 2.0]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Panics
    /// If the range does not lie in the buffer.
    pub fn slice_mut(&mut self, range: Range<usize>) -> SliceMut<'_, T> {
        SliceMut { region: self.part(range), _buffer: PhantomData }
    }

    fn part(&self, range: Range<usize>) -> Region {
        let Region { address, len, owner } = self.region();
        assert!(range.start <= range.end && range.end <= len, "{range:?} does not lie in a buffer of {len}");
        Region { address: address + (range.start * size_of::<T>()) as u64, len: range.len(), owner }
    }
}

/// Part of a [`Buffer`], borrowed.
///
/// ```
/// use modeseek::Device;
/// use modeseek::executor::Slice;
///
/// # let device = Device::processor()?;
/// // A kernel reads the second of two rows.
/// let rows = device.upload(&[1.0_f32, 2.0, 3.0, 4.0])?;
/// let second: Slice<'_, f32> = rows.slice(2..4);
/// let mut out = device.zeros::<f32>(2)?;
/// device.launch(gpu::vector::axpy::launch(1.0, &second, &mut out))?;
/// assert_eq!(device.download(&out)?, [3.0, 4.0]);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Debug)]
pub struct Slice<'a, T: DeviceCopy> {
    region: Region,
    _buffer: PhantomData<&'a Buffer<T>>,
}

/// Part of a [`Buffer`], borrowed mutably.
///
/// ```
/// use modeseek::Device;
/// use modeseek::executor::SliceMut;
///
/// # let device = Device::processor()?;
/// let row = device.upload(&[1.0_f32, 2.0])?;
/// let mut out = device.zeros::<f32>(4)?;
/// let mut first: SliceMut<'_, f32> = out.slice_mut(0..2);
/// device.launch(gpu::vector::axpy::launch(1.0, &row, &mut first))?;
/// assert_eq!(device.download(&out)?, [1.0, 2.0, 0.0, 0.0]);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Debug)]
pub struct SliceMut<'a, T: DeviceCopy> {
    region: Region,
    _buffer: PhantomData<&'a mut Buffer<T>>,
}

impl<T: DeviceCopy> Drop for Buffer<T> {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: the region is this buffer's, and no borrow of it is left; the executor waits for
            // launches that still use it.
            unsafe { self.device.executor().free(self.address, self.len * size_of::<T>()) };
        }
    }
}

// SAFETY: the region is allocated until the buffer is dropped, and changed only by launches that
// borrow it mutably.
unsafe impl<T: DeviceCopy> DeviceSlice<T> for Buffer<T> {
    fn region(&self) -> Region {
        // An empty buffer has no address; a slice of no elements wants one that is not null.
        let address = if self.len == 0 { align_of::<T>() as u64 } else { self.address };
        Region { address, len: self.len, owner: self.device.number() }
    }
}

// SAFETY: the buffer owns its region.
unsafe impl<T: DeviceCopy> DeviceSliceMut<T> for Buffer<T> {}

// SAFETY: the region is part of a buffer that is borrowed.
unsafe impl<T: DeviceCopy> DeviceSlice<T> for Slice<'_, T> {
    fn region(&self) -> Region {
        self.region
    }
}

// SAFETY: the region is part of a buffer that is borrowed mutably.
unsafe impl<T: DeviceCopy> DeviceSlice<T> for SliceMut<'_, T> {
    fn region(&self) -> Region {
        self.region
    }
}

// SAFETY: as above.
unsafe impl<T: DeviceCopy> DeviceSliceMut<T> for SliceMut<'_, T> {}
