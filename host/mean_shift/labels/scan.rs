//! Prefix sums.

use gpu::scan::{ONE_BLOCK, RUN, scan_block, scan_runs, scan_sums};

use super::count;
use crate::error::Result;
use crate::executor::{Buffer, Device};

/// Makes every value the sum of all before it. What it gives, one value, is the sum of all: it stays on
/// the device. Sums are modulo 2^32.
///
/// # Errors
/// [`Error::TooMany`](crate::Error::TooMany), or whatever the device reports.
pub fn scan(device: &Device, values: &mut Buffer<u32>) -> Result<Buffer<u32>> {
    let n = values.len();
    let n32 = count(n, "values")?;
    let mut total = device.zeros(1)?;
    if n <= ONE_BLOCK {
        device.launch(scan_block::launch(values, &mut total, n32))?;
        return Ok(total);
    }
    let runs = n.div_ceil(RUN);
    let mut starts = device.zeros(runs)?;
    device.launch(scan_sums::launch(values, &mut starts, n32))?;
    device.launch(scan_block::launch(&mut starts, &mut total, runs as u32))?;
    device.launch(scan_runs::launch(values, &starts, n32))?;
    Ok(total)
}
