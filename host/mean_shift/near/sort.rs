//! The order of keys.

use gpu::radix::{DIGIT, DIGITS, RUN, count_digits, count_up, scatter_digits};

use crate::error::Result;
use crate::executor::{Buffer, Device};
use crate::mean_shift::labels::{count, scan};

/// The items in the order of their keys, equal keys in the order of their numbers. Only the lowest `bits` of the
/// keys are looked at; the others should be 0.
///
/// # Errors
/// [`Error::TooMany`](crate::Error::TooMany); too little memory; whatever the device reports.
pub fn sort_by_key(device: &Device, keys: Buffer<u64>, bits: u32) -> Result<Buffer<u32>> {
    let (len, n) = (keys.len(), count(keys.len(), "keys")?);
    let mut values = device.zeros(len)?;
    device.launch(count_up::launch(&mut values, n))?;
    if bits == 0 || n == 0 {
        return Ok(values);
    }
    let (mut keys, mut sorted_keys, mut sorted_values) = (keys, device.zeros(len)?, device.zeros(len)?);
    let mut counts = device.zeros(len.div_ceil(RUN) * DIGITS)?;
    for shift in (0..bits.min(64)).step_by(DIGIT as usize) {
        device.launch(count_digits::launch(&keys, &mut counts, n, shift))?;
        scan(device, &mut counts)?;
        let (to_keys, to_values) = (&mut sorted_keys, &mut sorted_values);
        device.launch(scatter_digits::launch(&keys, &values, &counts, to_keys, to_values, n, shift))?;
        std::mem::swap(&mut keys, &mut sorted_keys);
        std::mem::swap(&mut values, &mut sorted_values);
    }
    Ok(values)
}
