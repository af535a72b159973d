//! Starting the driver, and asking it for GPUs.

use std::ffi::{c_char, c_int, c_uint};

use crate::behaviour::Behaviour;
use crate::driver::{Driver, with_driver, with_started};
use crate::errors::{Answer, Out, Status, give};

/// A device's number, checked.
pub(crate) fn device_number(driver: &Driver, device: c_int) -> Answer<usize> {
    let number = usize::try_from(device).map_err(|_| Status::INVALID_DEVICE)?;
    if number < driver.contexts.len() { Ok(number) } else { Err(Status::INVALID_DEVICE) }
}

#[unsafe(no_mangle)]
extern "C" fn cuInit(flags: c_uint) -> Status {
    with_driver(|driver| match driver.behaviour {
        Behaviour::FailsToStart => Err(Status::SYSTEM_DRIVER_MISMATCH),
        Behaviour::NoHardware => Err(Status::NO_DEVICE),
        _ if flags != 0 => Err(Status::INVALID_VALUE),
        _ => {
            driver.started = true;
            Ok(())
        }
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuDriverGetVersion(version: Out<c_int>) -> Status {
    with_driver(|driver| give(version, driver.behaviour.version()))
}

#[unsafe(no_mangle)]
extern "C" fn cuDeviceGetCount(count: Out<c_int>) -> Status {
    with_started(|driver| give(count, driver.contexts.len() as c_int))
}

#[unsafe(no_mangle)]
extern "C" fn cuDeviceGet(device: Out<c_int>, number: c_int) -> Status {
    with_started(|driver| give(device, device_number(driver, number)? as c_int))
}

#[unsafe(no_mangle)]
extern "C" fn cuDeviceGetName(name: *mut c_char, room: c_int, device: c_int) -> Status {
    with_started(|driver| {
        let text = format!("Stand-in GPU {}\0", device_number(driver, device)?);
        if name.is_null() || (room as usize) < text.len() {
            return Err(Status::INVALID_VALUE);
        }
        // SAFETY: the caller gives `room` bytes, which suffice.
        unsafe { name.copy_from_nonoverlapping(text.as_ptr().cast(), text.len()) };
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuDeviceTotalMem_v2(bytes: Out<usize>, device: c_int) -> Status {
    with_started(|driver| {
        device_number(driver, device)?;
        give(bytes, driver.behaviour.memory())
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuDeviceGetAttribute(value: Out<c_int>, attribute: c_uint, device: c_int) -> Status {
    with_started(|driver| {
        let (major, minor) = driver.behaviour.devices()[device_number(driver, device)?];
        // CUdevice_attribute; the values are those that every GPU since 3.0 has.
        let known = match attribute {
            1 => 1024,       // MAX_THREADS_PER_BLOCK
            5 => c_int::MAX, // MAX_GRID_DIM_X
            6 | 7 => 65_535, // MAX_GRID_DIM_Y and _Z
            8 => 48 << 10,   // MAX_SHARED_MEMORY_PER_BLOCK
            // Of no GPU in particular, and all of them different.
            13 => 1_500_000,                          // CLOCK_RATE, in kHz
            16 => 12,                                 // MULTIPROCESSOR_COUNT
            36 => 2_500_000,                          // MEMORY_CLOCK_RATE, in kHz
            37 => 256,                                // GLOBAL_MEMORY_BUS_WIDTH, in bits
            38 => 4 << 20,                            // L2_CACHE_SIZE
            75 => major,                              // COMPUTE_CAPABILITY_MAJOR
            76 => minor,                              // COMPUTE_CAPABILITY_MINOR
            97 => driver.behaviour.shared() as c_int, // MAX_SHARED_MEMORY_PER_BLOCK_OPTIN
            115 => 0,                                 // MEMORY_POOLS_SUPPORTED
            _ => return Err(Status::INVALID_VALUE),
        };
        give(value, known)
    })
}
