//! A device's memory: buffers, and copies to and from them.

use std::sync::atomic::Ordering::Relaxed;

use cuda_std::launch::{DeviceCopy, DeviceSlice};
use cuda_std::machine::MachineKind;

use super::Device;
use crate::bytes::Bytes;
use crate::error::{Error, Result};
use crate::executor::{Buffer, reserve_host};

impl Device {
    /// Bytes of memory that are free now.
    ///
    /// ```
    /// # use modeseek::Device;
    /// assert!(Device::processor()?.available()? > 0);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the driver fails.
    pub fn available(&self) -> Result<usize> {
        self.executor().available()
    }

    /// Checks that so much memory is free, before any of it is taken.
    ///
    /// ```
    /// use modeseek::{Device, Error};
    ///
    /// let device = Device::processor()?;
    /// assert!(device.reserve(1, "a byte", "give fewer").is_ok());
    /// let error = device.reserve(1 << 100, "a universe", "give a smaller one").unwrap_err();
    /// assert!(error.to_string().contains("give a smaller one"));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Memory`](crate::Error::Memory), with `what` it is for and the `advice`.
    pub fn reserve(&self, bytes: u128, what: &str, advice: &'static str) -> Result<()> {
        let available = self.available()? as u128;
        if bytes > available {
            return Err(Error::Memory {
                device: self.describe(),
                what: what.to_owned(),
                needed: Bytes(bytes),
                available: Bytes(available),
                advice,
            });
        }
        Ok(())
    }

    /// [`reserve`](Self::reserve), with so much of the host's memory beside: of one, where both are the same.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn reserve_both(&self, (bytes, on_host): (u128, u128), what: &str, advice: &'static str) -> Result<()> {
        if self.machine() != MachineKind::Gpu {
            return self.reserve(bytes + on_host, what, advice);
        }
        self.reserve(bytes, what, advice)?;
        reserve_host(on_host, what, advice)
    }

    /// A buffer with these values.
    ///
    /// ```
    /// # use modeseek::Device;
    /// let device = Device::processor()?;
    /// let x = device.upload(&[1_u64, 2, 3])?;
    /// assert_eq!(device.download(&x)?, [1, 2, 3]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is not enough memory, or the driver fails.
    pub fn upload<T: DeviceCopy>(&self, values: &[T]) -> Result<Buffer<T>> {
        let buffer = Buffer::allocate(self, values.len())?;
        if !values.is_empty() {
            self.0.uploads.fetch_add(1, Relaxed);
            // SAFETY: the region is the new buffer's. `DeviceCopy` has no padding, so its bytes are initialised.
            unsafe {
                let bytes = std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values));
                self.executor().write(buffer.region().address, bytes)?;
            }
        }
        Ok(buffer)
    }

    /// A buffer of `len` zeros.
    ///
    /// ```
    /// # use modeseek::Device;
    /// let device = Device::processor()?;
    /// assert_eq!(device.download(&device.zeros::<f32>(2)?)?, [0.0, 0.0]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is not enough memory, or the driver fails.
    pub fn zeros<T: DeviceCopy>(&self, len: usize) -> Result<Buffer<T>> {
        let buffer = Buffer::allocate(self, len)?;
        if len > 0 {
            // SAFETY: the region is the new buffer's.
            unsafe { self.executor().zero(buffer.region().address, len * size_of::<T>())? };
        }
        Ok(buffer)
    }

    /// A buffer of `len` values that are whatever the memory has: for what a launch writes whole before anything reads it. It
    /// saves the clearing, a call of the driver's for each buffer; a processor's buffer is cleared all the same. The interpreter
    /// has an error for whoever reads what was never written.
    ///
    /// ```
    /// # use modeseek::Device;
    /// let device = Device::processor()?;
    /// let (rows, factors) = (device.upload(&[1.0_f32, 2.0])?, device.upload(&[3.0_f32, 4.0])?);
    /// let mut columns = device.room(64)?;
    /// device.launch(gpu::layout::to_columns::launch(&rows, &factors, &mut columns, 1, 2, 32))?;
    /// assert_eq!(device.download_first(&columns, 2)?, [3.0, 0.0]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is not enough memory, or the driver fails.
    pub fn room<T: DeviceCopy>(&self, len: usize) -> Result<Buffer<T>> {
        // A processor's memory is Rust's, where nothing may be read that was not written.
        if self.machine() == MachineKind::Gpu { Buffer::allocate(self, len) } else { self.zeros(len) }
    }

    /// The values of a buffer, after everything that was launched before.
    ///
    /// ```
    /// # use modeseek::Device;
    /// # let device = Device::processor()?;
    /// let x = device.upload(&[1.0_f32])?;
    /// let mut y = device.upload(&[5.0_f32])?;
    /// device.launch(gpu::vector::axpy::launch(1.0, &x, &mut y))?;
    /// // It waits for the launch.
    /// assert_eq!(device.download(&y)?, [6.0]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a launch failed, or the driver fails.
    ///
    /// # Panics
    /// If the buffer is another device's.
    pub fn download<T: DeviceCopy>(&self, buffer: &Buffer<T>) -> Result<Vec<T>> {
        self.download_first(buffer, buffer.len())
    }

    /// The first `len` values of a buffer, after everything that was launched before.
    ///
    /// ```
    /// # use modeseek::Device;
    /// # let device = Device::processor()?;
    /// let x = device.upload(&[1, 2, 3])?;
    /// assert_eq!(device.download_first(&x, 2)?, [1, 2]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a launch failed, or the driver fails.
    ///
    /// # Panics
    /// If the buffer is another device's, or shorter.
    pub fn download_first<T: DeviceCopy>(&self, buffer: &Buffer<T>, len: usize) -> Result<Vec<T>> {
        let region = buffer.region();
        assert_eq!(region.owner, self.number(), "the buffer belongs to another device");
        assert!(len <= region.len, "the buffer has {} values, not {len}", region.len);
        let mut values = Vec::with_capacity(len);
        if len > 0 {
            self.count_download();
            // SAFETY: the region is the buffer's, and a processor's buffer is written when it is made. The vector
            // has room for `len` values, all of whose bits are then set; any bits are a value.
            unsafe {
                let start: *mut T = values.as_mut_ptr();
                start.write_bytes(0, len);
                let bytes = std::slice::from_raw_parts_mut(start.cast(), len * size_of::<T>());
                self.executor().read(region.address, bytes)?;
                values.set_len(len);
            }
        }
        Ok(values)
    }
}
