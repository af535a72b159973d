//! Events, whose times are the wall clock's: what was launched before has always ended.

use std::ffi::c_uint;
use std::time::Instant;

use crate::behaviour::Behaviour;
use crate::driver::{Context, Notices, log, with_context};
use crate::errors::{Answer, Out, Status, give};

/// An event.
#[derive(Clone, Copy)]
pub(crate) struct Event {
    timed: bool,
    recorded: Option<Instant>,
}

fn event(context: &Context, event: usize) -> Answer<Event> {
    context.events.get(&event).copied().ok_or(Status::INVALID_HANDLE)
}

/// When an event was recorded, if it may be asked.
fn recorded(context: &Context, handle: usize) -> Answer<Instant> {
    let Event { timed, recorded } = event(context, handle)?;
    // What was never recorded has no time, nor has what was made to have none.
    recorded.filter(|_| timed).ok_or(Status::INVALID_HANDLE)
}

#[unsafe(no_mangle)]
extern "C" fn cuEventCreate(event: Out<usize>, flags: c_uint) -> Status {
    with_context(Notices::Perhaps, |_, context| {
        let handle = context.new_handle();
        // CU_EVENT_DISABLE_TIMING.
        context.events.insert(handle, Event { timed: flags & 2 == 0, recorded: None });
        give(event, handle)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuEventDestroy_v2(event: usize) -> Status {
    with_context(Notices::Perhaps, |_, context| context.events.remove(&event).map(drop).ok_or(Status::INVALID_HANDLE))
}

#[unsafe(no_mangle)]
extern "C" fn cuEventRecord(event: usize, stream: usize) -> Status {
    with_context(Notices::Perhaps, |behaviour, context| {
        context.check_stream(stream)?;
        if behaviour == Behaviour::EventsFail {
            log(format_args!("refusal of an event"));
            return Err(Status::OUT_OF_MEMORY);
        }
        context.events.get_mut(&event).ok_or(Status::INVALID_HANDLE)?.recorded = Some(Instant::now());
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuEventSynchronize(handle: usize) -> Status {
    log(format_args!("wait for an event"));
    with_context(Notices::Always, |_, context| event(context, handle).map(drop))
}

#[unsafe(no_mangle)]
extern "C" fn cuEventElapsedTime(milliseconds: Out<f32>, start: usize, end: usize) -> Status {
    with_context(Notices::Always, |_, context| {
        let [start, end] = [recorded(context, start)?, recorded(context, end)?];
        give(milliseconds, end.duration_since(start).as_secs_f32() * 1e3)
    })
}
