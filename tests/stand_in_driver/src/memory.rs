//! Memory, which is the interpreter's.

use std::ffi::{c_uchar, c_void};
use std::slice;

use ptx_interpreter::MemoryError;

use crate::behaviour::Behaviour;
use crate::driver::{Notices, complain, log, with_context};
use crate::errors::{Answer, Out, Status, give};
use crate::host_memory::is_pinned;

/// Says what was wrong with a program's use of memory.
fn checked(result: Result<(), MemoryError>) -> Answer {
    result.map_err(|error| {
        complain(error);
        Status::INVALID_VALUE
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuMemGetInfo_v2(free: Out<usize>, total: Out<usize>) -> Status {
    with_context(Notices::Perhaps, |behaviour, context| {
        let used = context.allocations.values().sum::<usize>();
        give(free, if context.memory_was_refused { 0 } else { behaviour.memory() - used })?;
        give(total, behaviour.memory())
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuMemAlloc_v2(address: Out<u64>, bytes: usize) -> Status {
    with_context(Notices::Perhaps, |behaviour, context| {
        let used = context.allocations.values().sum::<usize>();
        if bytes == 0 {
            return Err(Status::INVALID_VALUE);
        }
        if behaviour == Behaviour::OutOfMemory || bytes > behaviour.memory() - used {
            context.memory_was_refused = true;
            return Err(Status::OUT_OF_MEMORY);
        }
        let start = context.gpu.alloc_bytes(bytes).map_err(|_| Status::OUT_OF_MEMORY)?;
        context.memory_was_refused = false;
        context.allocations.insert(start, bytes);
        log(format_args!("allocation {bytes}"));
        give(address, start)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuMemFree_v2(address: u64) -> Status {
    // Freeing waits for launches that may use the memory.
    with_context(Notices::Always, |_, context| {
        context.allocations.remove(&address);
        checked(context.gpu.free(address))
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuMemcpyHtoDAsync_v2(to: u64, from: *const c_void, bytes: usize, stream: usize) -> Status {
    with_context(Notices::Perhaps, |_, context| {
        context.check_stream(stream)?;
        log(format_args!("copy of {bytes} bytes to the device"));
        // SAFETY: the caller gives so many bytes.
        let from = unsafe { slice::from_raw_parts(from.cast(), bytes) };
        checked(context.gpu.write_bytes(to, from))
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuMemcpyDtoHAsync_v2(to: *mut c_void, from: u64, bytes: usize, stream: usize) -> Status {
    // To memory that is not pinned it is in truth synchronous.
    let pinned = is_pinned(to.addr(), bytes);
    with_context(if pinned { Notices::Perhaps } else { Notices::Always }, |_, context| {
        context.check_stream(stream)?;
        log(format_args!("copy of {bytes} bytes to the host"));
        if pinned {
            let mut copy = vec![0; bytes];
            checked(context.gpu.read_bytes(from, &mut copy))?;
            context.copies.push((to.addr(), copy));
            return Ok(());
        }
        // SAFETY: the caller gives room for so many bytes; a copy to bytes needs no values in them.
        let to = unsafe { slice::from_raw_parts_mut(to.cast(), bytes) };
        checked(context.gpu.read_bytes(from, to))
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuMemsetD8Async(to: u64, value: c_uchar, bytes: usize, stream: usize) -> Status {
    with_context(Notices::Perhaps, |_, context| {
        context.check_stream(stream)?;
        log(format_args!("clearing of {bytes} bytes"));
        checked(context.gpu.fill(to, bytes, value))
    })
}
