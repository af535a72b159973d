//! Contexts and streams.

use std::ffi::{c_int, c_uint};

use crate::behaviour::Behaviour;
use crate::devices::device_number;
use crate::driver::{CURRENT, Context, Notices, complain, log, with_context, with_started};
use crate::errors::{Out, Status, give};

#[unsafe(no_mangle)]
extern "C" fn cuDevicePrimaryCtxRetain(context: Out<usize>, device: c_int) -> Status {
    with_started(|driver| {
        let device = device_number(driver, device)?;
        if driver.behaviour == Behaviour::Busy {
            return Err(Status::DEVICE_UNAVAILABLE);
        }
        let place = driver.contexts[device].get_or_insert_with(|| Context::new(device));
        place.retained += 1;
        give(context, device + 1)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuDevicePrimaryCtxRelease_v2(device: c_int) -> Status {
    with_started(|driver| {
        if driver.behaviour == Behaviour::OldDriver {
            complain("cuDevicePrimaryCtxRelease_v2 came with CUDA 11.0");
            std::process::abort();
        }
        let device = device_number(driver, device)?;
        let place = &mut driver.contexts[device];
        let context = place.as_mut().ok_or(Status::INVALID_CONTEXT)?;
        context.retained -= 1;
        if context.retained == 0 {
            context.complain_of_leaks();
            *place = None;
        }
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxSetCurrent(context: usize) -> Status {
    with_started(|driver| {
        // A null context leaves the thread without one.
        if context > 0 && driver.contexts.get(context - 1).is_none_or(Option::is_none) {
            return Err(Status::INVALID_CONTEXT);
        }
        CURRENT.set(context);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxGetCurrent(context: Out<usize>) -> Status {
    with_started(|_| give(context, CURRENT.get()))
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxSynchronize() -> Status {
    with_context(Notices::Always, |_, _| Ok(()))
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamCreate(stream: Out<usize>, _flags: c_uint) -> Status {
    with_context(Notices::Perhaps, |_, context| {
        let handle = context.new_handle();
        context.streams.insert(handle);
        give(stream, handle)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamDestroy_v2(stream: usize) -> Status {
    with_context(Notices::Perhaps, |_, context| match context.streams.remove(&stream) {
        true => Ok(()),
        false => Err(Status::INVALID_HANDLE),
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamSynchronize(stream: usize) -> Status {
    log(format_args!("wait for a stream"));
    with_context(Notices::Always, |_, context| context.check_stream(stream))
}
