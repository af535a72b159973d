//! Values on their way to the host.

use std::marker::PhantomData;

use cuda_std::launch::{DeviceCopy, DeviceSlice};

use super::{Buffer, Device, Reading};
use crate::error::Result;

/// The first values of a buffer, as they were when this was asked for; they may be used when they were waited for.
pub(crate) struct Download<'a, T: DeviceCopy> {
    /// Unless there are none.
    reading: Option<Box<dyn Reading + 'a>>,
    _values: PhantomData<T>,
}

impl Device {
    /// Begins what [`download_first`](Self::download_first) does: what is launched from now on changes nothing of it.
    ///
    /// # Errors
    /// If a launch failed, or the driver fails.
    ///
    /// # Panics
    /// If the buffer is another device's, or shorter.
    pub(crate) fn begin_download<T: DeviceCopy>(&self, buffer: &Buffer<T>, len: usize) -> Result<Download<'_, T>> {
        let region = buffer.region();
        assert_eq!(region.owner, self.number(), "the buffer belongs to another device");
        assert!(len <= region.len, "the buffer has {} values, not {len}", region.len);
        if len == 0 {
            return Ok(Download { reading: None, _values: PhantomData });
        }
        self.count_download();
        // SAFETY: the region is the buffer's, and a processor's buffer is written when it is made.
        let reading = unsafe { self.executor().begin_read(region.address, len * size_of::<T>())? };
        Ok(Download { reading: Some(reading), _values: PhantomData })
    }
}

impl<T: DeviceCopy> Download<'_, T> {
    /// The values, when they are there.
    ///
    /// # Errors
    /// If a launch before them failed, or the driver fails.
    pub(crate) fn wait(self) -> Result<Vec<T>> {
        let mut values: Vec<T> = Vec::new();
        let Some(reading) = self.reading else { return Ok(values) };
        reading.wait(&mut |bytes| {
            let len = bytes.len() / size_of::<T>();
            values.reserve_exact(len);
            // SAFETY: there is room for `len` values, all of whose bits are then set; any bits are a value of
            // `DeviceCopy`.
            unsafe {
                values.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), len * size_of::<T>());
                values.set_len(len);
            }
        })?;
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_is_of_the_time_when_it_was_asked_for() {
        let device = Device::processor().unwrap();
        let before = device.counts();
        let mut buffer = device.upload(&[1_u32, 2, 3]).unwrap();
        let early = device.begin_download(&buffer, 2).unwrap();
        let mut ids = device.zeros(3).unwrap();
        device.launch(gpu::retire::begin::launch(&mut buffer, &mut device.zeros(8).unwrap(), 3)).unwrap();
        device.launch(gpu::retire::begin::launch(&mut ids, &mut device.zeros(8).unwrap(), 3)).unwrap();
        let late = device.begin_download(&buffer, 3).unwrap();
        assert_eq!((late.wait().unwrap(), early.wait().unwrap()), (vec![0, 1, 2], vec![1, 2]));
        assert_eq!((device.counts() - before).downloads, 2);
    }
}
