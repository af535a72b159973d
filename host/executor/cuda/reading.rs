//! Copies to the host that are waited for when other launches were queued behind them.
//!
//! The driver copies while the host goes on only to memory that it has pinned, which takes it long: what was pinned once is
//! kept. It is handed on when the copy to it has ended, since the host itself may be the next to write to it (staging.rs).

use std::ptr::NonNull;

use cudarc::driver::{CudaEvent, DriverError, result, sys};

use super::Cuda;
use crate::error::Result;
use crate::executor::Reading;

/// The fewest bytes that are pinned: a page.
const LEAST: usize = 4096;

/// The most bytes that are copied so: what is pinned is kept, and the driver's own way takes no longer for many.
pub(super) const MOST: usize = 1 << 20;

/// Pinned memory of the host.
pub(super) struct Block {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the memory is this block's alone, and not a thread's.
unsafe impl Send for Block {}

impl Block {
    /// All of it, of which no copy is under way that is changed or changes it.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the driver gave so many bytes, which were set to zeros then, to this block alone.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.bytes) }
    }
}

/// Pinned memory that nobody uses.
#[derive(Default)]
pub(super) struct Pinned(Vec<Block>);

impl Pinned {
    /// A block of at least so many bytes; the context is current.
    pub(super) fn take(&mut self, bytes: usize) -> std::result::Result<Block, DriverError> {
        if let Some(place) = self.0.iter().position(|block| block.bytes >= bytes) {
            return Ok(self.0.swap_remove(place));
        }
        let bytes = bytes.next_power_of_two().max(LEAST);
        // SAFETY: nothing is asked of the memory yet.
        let start = unsafe { result::malloc_host(bytes, 0) }?;
        let start: NonNull<u8> =
            NonNull::new(start.cast()).ok_or(DriverError(sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY))?;
        // SAFETY: the driver gave so many bytes.
        unsafe { start.as_ptr().write_bytes(0, bytes) };
        Ok(Block { start, bytes })
    }

    /// Takes a block back.
    pub(super) fn give(&mut self, block: Block) {
        self.0.push(block);
    }

    /// Gives all of it back to the driver.
    ///
    /// # Safety
    /// Copies to it have ended, and the context is current.
    pub(super) unsafe fn free(&mut self) {
        for block in self.0.drain(..) {
            // An error here is one of an earlier launch; a context that has failed has nothing left to free.
            // SAFETY: `take` had the memory of the driver; the rest is the caller's promise.
            let _ = unsafe { result::free_host(block.start.as_ptr().cast()) };
        }
    }
}

/// A copy that is under way.
struct Copy<'a> {
    cuda: &'a Cuda,
    /// Until it is handed back.
    block: Option<Block>,
    bytes: usize,
    /// When it has ended.
    end: CudaEvent,
}

impl Reading for Copy<'_> {
    fn wait(mut self: Box<Self>, take: &mut dyn FnMut(&[u8])) -> Result<()> {
        self.end.synchronize().map_err(self.cuda.refused("wait for a copy from the GPU"))?;
        if let Some(block) = self.block.take() {
            // SAFETY: the copy has written these bytes of the block, which is this copy's alone.
            take(unsafe { std::slice::from_raw_parts(block.start.as_ptr(), self.bytes) });
            self.cuda.pinned().give(block);
        }
        Ok(())
    }
}

impl Drop for Copy<'_> {
    fn drop(&mut self) {
        if let Some(block) = self.block.take() {
            // Nobody waited. An event that was never recorded has ended, and so has its copy, which never began or was waited
            // for; an error is told by whoever waits next.
            let _ = self.end.synchronize();
            self.cuda.pinned().give(block);
        }
    }
}

/// Begins a copy.
///
/// # Safety
/// As for `Executor::read`.
pub(super) unsafe fn begin<'a>(cuda: &'a Cuda, address: u64, bytes: usize) -> Result<Box<dyn Reading + 'a>> {
    cuda.enter()?;
    let refused = || cuda.refused("copy from the GPU");
    let end = cuda.context.new_event(None).map_err(refused())?;
    let block = cuda.pinned().take(bytes).map_err(refused())?;
    let copy = Copy { cuda, block: Some(block), bytes, end };
    if let Some(block) = &copy.block {
        // SAFETY: the block holds so many bytes and is read when the copy has ended; the region is the caller's.
        unsafe {
            let to = std::slice::from_raw_parts_mut(block.start.as_ptr(), bytes);
            result::memcpy_dtoh_async(to, address, cuda.stream.cu_stream()).map_err(refused())?;
        }
    }
    if let Err(error) = copy.end.record(&cuda.stream) {
        // Without its event nothing tells when the copy has ended, and its block is given back at once.
        let _ = cuda.stream.synchronize();
        return Err(refused()(error));
    }
    Ok(Box::new(copy))
}
