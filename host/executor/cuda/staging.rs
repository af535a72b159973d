//! Small copies from the host, which nobody waits for.
//!
//! What the driver is to copy it may read after it has returned, unless the caller waits, which takes longer than a small copy. So
//! values go to pinned memory of our own first, behind those before them; when that is full the copies are waited for, and
//! wherever everything is waited for anyhow it is empty again.

use cudarc::driver::result;

use super::Cuda;
use super::reading::Block;
use crate::error::Result;

/// Bytes of pinned memory, and the most of a copy. What is larger is copied in more time than waiting takes.
pub(super) const BYTES: usize = 1 << 16;

/// Where a copy's bytes begin: at a multiple.
const ALIGNMENT: usize = 16;

/// Values on their way to the device.
#[derive(Default)]
pub(super) struct Staging {
    block: Option<Block>,
    /// Bytes that copies under way may still read, from the start.
    used: usize,
    /// How many copies were begun.
    begun: u64,
}

impl Staging {
    /// Copies so far.
    pub(super) fn begun(&self) -> u64 {
        self.begun
    }

    /// Everything was waited for that was begun when there were so many copies.
    pub(super) fn waited(&mut self, begun: u64) {
        if self.begun == begun {
            self.used = 0;
        }
    }

    /// The pinned memory, when nothing is under way any more.
    pub(super) fn take(&mut self) -> Option<Block> {
        self.block.take()
    }
}

/// Begins a copy of [`BYTES`] at most.
///
/// # Safety
/// As for `Executor::write`.
pub(super) unsafe fn begin(cuda: &Cuda, address: u64, bytes: &[u8]) -> Result<()> {
    cuda.enter()?;
    let refused = || cuda.refused("copy to the GPU");
    let mut staging = cuda.staging();
    if staging.block.is_none() {
        staging.block = Some(cuda.pinned().take(BYTES).map_err(refused())?);
    }
    if staging.used + bytes.len() > BYTES {
        cuda.stream.synchronize().map_err(refused())?;
        staging.used = 0;
    }
    let used = staging.used;
    if let Some(block) = &mut staging.block {
        let place = &mut block.bytes_mut()[used..][..bytes.len()];
        place.copy_from_slice(bytes);
        // SAFETY: nobody writes the place until the copy was waited for; the region is the caller's.
        unsafe { result::memcpy_htod_async(address, place, cuda.stream.cu_stream()) }.map_err(refused())?;
    }
    staging.begun += 1;
    staging.used = (used + bytes.len()).next_multiple_of(ALIGNMENT);
    Ok(())
}
