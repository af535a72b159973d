//! Prefix sums.

use gpu::scan::{ONE_BLOCK, RUN, scan_block, scan_runs, scan_sums};

use super::count;
use crate::error::Result;
use crate::executor::{Buffer, Device};

/// Makes every value the sum of all before it. What it gives, one value, is the sum of all: it stays on
/// the device. Sums are modulo 2^32.
///
/// ```
/// use modeseek::Device;
/// use modeseek::mean_shift::labels::scan;
///
/// let device = Device::processor()?;
/// let mut values = device.upload(&[3_u32, 1, 4])?;
/// let total = scan(&device, &mut values)?;
/// assert_eq!(device.download(&values)?, [0, 3, 4]);
/// assert_eq!(device.download(&total)?, [8]);
/// # Ok::<(), modeseek::Error>(())
/// ```
///
/// # Errors
/// [`Error::TooMany`](crate::Error::TooMany), or whatever the device reports.
pub fn scan(device: &Device, values: &mut Buffer<u32>) -> Result<Buffer<u32>> {
    let n = values.len();
    let mut room = ScanRoom::new(device, n)?;
    room.scan(device, values, count(n, "values")?)?;
    Ok(room.total)
}

/// Whether n values take one launch.
pub(in crate::mean_shift) fn is_one_scan(n: usize) -> bool {
    n <= ONE_BLOCK
}

/// What a scan needs beside its values, for those who scan again and again, and record it.
pub(in crate::mean_shift) struct ScanRoom {
    total: Buffer<u32>,
    /// Where runs start, if there are so many values.
    starts: Buffer<u32>,
}

impl ScanRoom {
    /// For n values at most.
    pub fn new(device: &Device, n: usize) -> Result<Self> {
        let runs = if is_one_scan(n) { 0 } else { n.div_ceil(RUN) };
        Ok(Self { total: device.room(1)?, starts: device.room(runs)? })
    }

    /// [`scan`] of the first n values.
    pub fn scan(&mut self, device: &Device, values: &mut Buffer<u32>, n: u32) -> Result<()> {
        if is_one_scan(n as usize) {
            return device.launch(scan_block::launch(values, &mut self.total, n));
        }
        let runs = (n as usize).div_ceil(RUN);
        device.launch(scan_sums::launch(values, &mut self.starts, n))?;
        device.launch(scan_block::launch(&mut self.starts, &mut self.total, runs as u32))?;
        device.launch(scan_runs::launch(values, &self.starts, n))
    }
}
