//! What the driver's errors mean.

use cudarc::driver::{DriverError, sys};

use crate::error::Error;

/// The driver's own words for an error.
pub(super) fn message(error: DriverError) -> String {
    let text = |text: Result<&std::ffi::CStr, DriverError>| text.map(|text| text.to_string_lossy().into_owned()).ok();
    match (text(error.error_name()), text(error.error_string())) {
        (Some(name), Some(words)) => format!("{name} ({words})"),
        _ => format!("error {:?}", error.0),
    }
}

/// The driver's words for what became of a module, and what is behind them where no kernel is to blame.
pub(super) fn message_of_a_module(error: DriverError) -> String {
    let why = match error.0 {
        sys::CUresult::CUDA_ERROR_JIT_COMPILER_NOT_FOUND => {
            ": a part of the driver is missing, libnvidia-ptxjitcompiler, as in a container that was not given it"
        }
        sys::CUresult::CUDA_ERROR_JIT_COMPILATION_DISABLED => {
            ": compiling is switched off, as CUDA_DISABLE_PTX_JIT does"
        }
        _ => "",
    };
    message(error) + why
}

/// Names what was asked of the driver when it refused.
pub(super) fn refused(what: &str) -> impl Fn(DriverError) -> Error + '_ {
    move |error| Error::Driver { what: what.to_owned(), message: message(error) }
}

/// What to make of an error that came out when something was asked of the driver, after a kernel was
/// launched or before any: the kernel's error, the end of the GPU, or a refusal.
pub(super) fn of_a_running_gpu(what: &str, last_launched: &'static str, error: DriverError) -> Error {
    if is_of_a_launch(error) {
        // Nothing is wrong with the kernel then.
        let why = match error.0 {
            sys::CUresult::CUDA_ERROR_LAUNCH_TIMEOUT => {
                ": a GPU that drives a screen ends what takes seconds, as all pairs of many points do; use --method auto or fewer points"
            }
            _ => "",
        };
        Error::GpuKernel { last: last_launched, message: message(error) + why }
    } else if is_of_a_lost_gpu(error) {
        Error::GpuLost { what: what.to_owned(), message: message(error) }
    } else {
        refused(what)(error)
    }
}

/// Whether an error is of a kernel that ran. The driver tells of it in whatever is called next, and in
/// every call after that.
pub(super) fn is_of_a_launch(error: DriverError) -> bool {
    use sys::CUresult::*;
    matches!(
        error.0,
        CUDA_ERROR_ILLEGAL_ADDRESS
            | CUDA_ERROR_LAUNCH_TIMEOUT
            | CUDA_ERROR_ASSERT
            | CUDA_ERROR_HARDWARE_STACK_ERROR
            | CUDA_ERROR_ILLEGAL_INSTRUCTION
            | CUDA_ERROR_MISALIGNED_ADDRESS
            | CUDA_ERROR_INVALID_ADDRESS_SPACE
            | CUDA_ERROR_INVALID_PC
            | CUDA_ERROR_LAUNCH_FAILED
    )
}

/// Whether an error, of a GPU that has worked, says that it works no more: it fell off the bus, its
/// memory is damaged, or the driver was taken away under it.
pub(super) fn is_of_a_lost_gpu(error: DriverError) -> bool {
    use sys::CUresult::*;
    matches!(
        error.0,
        CUDA_ERROR_DEINITIALIZED
            | CUDA_ERROR_DEVICE_UNAVAILABLE
            | CUDA_ERROR_NO_DEVICE
            | CUDA_ERROR_ECC_UNCORRECTABLE
            | CUDA_ERROR_CONTAINED
            | CUDA_ERROR_NVLINK_UNCORRECTABLE
            | CUDA_ERROR_CONTEXT_IS_DESTROYED
            | CUDA_ERROR_SYSTEM_NOT_READY
            | CUDA_ERROR_UNKNOWN
    )
}

/// Whether an error says that launches cannot be recorded now, and nothing of the GPU or of the launches themselves.
pub(super) fn is_of_a_recording(error: DriverError) -> bool {
    use sys::CUresult::*;
    matches!(
        error.0,
        CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED
            | CUDA_ERROR_STREAM_CAPTURE_INVALIDATED
            | CUDA_ERROR_STREAM_CAPTURE_MERGE
            | CUDA_ERROR_STREAM_CAPTURE_UNMATCHED
            | CUDA_ERROR_STREAM_CAPTURE_UNJOINED
            | CUDA_ERROR_STREAM_CAPTURE_ISOLATION
            | CUDA_ERROR_STREAM_CAPTURE_IMPLICIT
            | CUDA_ERROR_CAPTURED_EVENT
            | CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD
    )
}

pub(super) fn no_gpu(reason: impl Into<String>) -> Error {
    Error::NoGpu { reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_kernels_and_of_lost_gpus_are_told_from_refusals() {
        use sys::CUresult::*;
        for code in [CUDA_ERROR_ILLEGAL_ADDRESS, CUDA_ERROR_LAUNCH_FAILED, CUDA_ERROR_MISALIGNED_ADDRESS] {
            assert!(is_of_a_launch(DriverError(code)) && !is_of_a_lost_gpu(DriverError(code)), "{code:?}");
        }
        for code in [CUDA_ERROR_ECC_UNCORRECTABLE, CUDA_ERROR_UNKNOWN, CUDA_ERROR_NO_DEVICE] {
            assert!(is_of_a_lost_gpu(DriverError(code)) && !is_of_a_launch(DriverError(code)), "{code:?}");
        }
        for code in [CUDA_ERROR_OUT_OF_MEMORY, CUDA_ERROR_INVALID_PTX, CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES] {
            assert!(!is_of_a_launch(DriverError(code)) && !is_of_a_lost_gpu(DriverError(code)), "{code:?}");
        }
    }
}
