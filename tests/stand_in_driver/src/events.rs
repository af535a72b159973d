//! Events, whose times are the wall clock's: what was launched before has always ended.

use std::ffi::c_uint;
use std::time::Instant;

use crate::driver::{Context, Notices, with_context};
use crate::errors::{Answer, Out, Status, give};

/// When an event was recorded.
fn recorded(context: &Context, event: usize) -> Answer<Option<Instant>> {
    context.events.get(&event).copied().ok_or(Status::INVALID_HANDLE)
}

#[unsafe(no_mangle)]
extern "C" fn cuEventCreate(event: Out<usize>, flags: c_uint) -> Status {
    with_context(Notices::Perhaps, |_, context| {
        // CU_EVENT_DISABLE_TIMING: such an event has no time.
        if flags & 2 != 0 {
            return Err(Status::INVALID_VALUE);
        }
        let handle = context.new_handle();
        context.events.insert(handle, None);
        give(event, handle)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuEventDestroy_v2(event: usize) -> Status {
    with_context(Notices::Perhaps, |_, context| context.events.remove(&event).map(drop).ok_or(Status::INVALID_HANDLE))
}

#[unsafe(no_mangle)]
extern "C" fn cuEventRecord(event: usize, stream: usize) -> Status {
    with_context(Notices::Perhaps, |_, context| {
        context.check_stream(stream)?;
        let time = context.events.get_mut(&event).ok_or(Status::INVALID_HANDLE)?;
        *time = Some(Instant::now());
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuEventSynchronize(event: usize) -> Status {
    with_context(Notices::Always, |_, context| recorded(context, event).map(drop))
}

#[unsafe(no_mangle)]
extern "C" fn cuEventElapsedTime(milliseconds: Out<f32>, start: usize, end: usize) -> Status {
    with_context(Notices::Always, |_, context| {
        let [start, end] = [recorded(context, start)?, recorded(context, end)?];
        // What was never recorded has no time.
        let (start, end) = start.zip(end).ok_or(Status::INVALID_HANDLE)?;
        give(milliseconds, end.duration_since(start).as_secs_f32() * 1e3)
    })
}
