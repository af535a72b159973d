//! Device memory for what is measured: poisoned outputs, rows of large ones, and sets that are rotated.

use std::ops::Range;

use gpu::vector::axpy;
use modeseek::{Buffer, Device};

use super::Outcome;

/// Values that are poisoned at a time.
const POISON: usize = 1 << 22;

/// Bytes that a case takes for this and that, besides what it counts.
pub const MARGIN: u128 = 64 << 20;

/// What is assumed of the last-level cache where the device does not tell.
const UNKNOWN_CACHE: usize = 64 << 20;

/// The most sets that are rotated.
pub const MOST_SETS: usize = 16;

/// A buffer of NaN, which fails every comparison until a kernel overwrites it. It is made on the device,
/// since the host may have no room for as many.
pub fn poisoned(device: &Device, len: usize) -> Outcome<Buffer<f32>> {
    let mut buffer = device.zeros(len)?;
    let poison = device.upload(&vec![f32::NAN; len.min(POISON)])?;
    for start in (0..len).step_by(POISON) {
        let end = len.min(start + POISON);
        device.launch(axpy::launch(1.0, &poison.slice(0..end - start), &mut buffer.slice_mut(start..end)))?;
    }
    Ok(buffer)
}

/// Some of a buffer's values, one range after the other, without those between.
pub fn gather(device: &Device, buffer: &Buffer<f32>, ranges: &[Range<usize>]) -> Outcome<Vec<f32>> {
    let mut gathered = device.zeros(ranges.iter().map(Range::len).sum())?;
    let mut at = 0;
    for range in ranges {
        let mut part = gathered.slice_mut(at..at + range.len());
        // One times a value, added to nothing, is the value.
        device.launch(axpy::launch(1.0, &buffer.slice(range.clone()), &mut part))?;
        at += range.len();
    }
    Ok(device.download(&gathered)?)
}

/// How many sets of `bytes` must be gone through in turn so that none is still in the last-level cache:
/// together they have twice its size. No more than `most`.
pub fn sets(device: &Device, bytes: u128, most: usize) -> Outcome<usize> {
    let details = device.details()?;
    let cache = 2 * details.l2_bytes.unwrap_or(UNKNOWN_CACHE) as u128;
    let wanted = usize::try_from(cache.div_ceil(bytes.max(1))).unwrap_or(most).clamp(1, most);
    let fitting = (details.free_bytes as u128).saturating_sub(MARGIN) / 2 / bytes.max(1);
    Ok(wanted.min(usize::try_from(fitting).unwrap_or(most)).max(1))
}
