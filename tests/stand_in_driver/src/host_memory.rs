//! Memory of the host that the driver has pinned: copies to it are over when the program has waited for them.

use std::collections::BTreeMap;
use std::ffi::{c_uint, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::driver::{Notices, complain, with_context};
use crate::errors::{Out, Status, give};

/// Blocks by their addresses.
static BLOCKS: Mutex<BTreeMap<usize, Box<[u8]>>> = Mutex::new(BTreeMap::new());

fn blocks() -> MutexGuard<'static, BTreeMap<usize, Box<[u8]>>> {
    BLOCKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a pinned block holds so many bytes from an address on.
pub(crate) fn is_pinned(address: usize, bytes: usize) -> bool {
    let blocks = blocks();
    let block = blocks.range(..=address).next_back();
    block.is_some_and(|(start, block)| address + bytes <= start + block.len())
}

/// Writes to a pinned block.
pub(crate) fn write(address: usize, bytes: &[u8]) {
    if !is_pinned(address, bytes.len()) {
        return complain("a pinned block was freed before a copy to it had ended");
    }
    // SAFETY: the block is there, and the program keeps away from it until the copy has ended.
    unsafe { std::ptr::with_exposed_provenance_mut::<u8>(address).copy_from(bytes.as_ptr(), bytes.len()) };
}

/// How many were never freed.
pub(crate) fn left() -> usize {
    blocks().len()
}

/// Ends all of them, with a context that has failed.
pub(crate) fn forget() {
    blocks().clear();
}

#[unsafe(no_mangle)]
extern "C" fn cuMemHostAlloc(start: Out<*mut c_void>, bytes: usize, _flags: c_uint) -> Status {
    with_context(Notices::Perhaps, |_, _| {
        if bytes == 0 {
            return Err(Status::INVALID_VALUE);
        }
        // No value that anything is.
        let mut block = vec![0xa5; bytes].into_boxed_slice();
        let address = block.as_mut_ptr();
        blocks().insert(address.expose_provenance(), block);
        give(start, address.cast())
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuMemFreeHost(start: *mut c_void) -> Status {
    with_context(Notices::Perhaps, |_, _| blocks().remove(&start.addr()).map(drop).ok_or(Status::INVALID_VALUE))
}
