//! What every call answers.

use std::ffi::{CStr, c_char};
use std::mem::MaybeUninit;
use std::ptr;

/// `CUresult`.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status(u32);

/// What a call comes to.
pub(crate) type Answer<T = ()> = Result<T, Status>;

/// An output parameter.
pub(crate) type Out<'a, T> = Option<&'a mut MaybeUninit<T>>;

/// Writes an output parameter.
pub(crate) fn give<T>(out: Out<T>, value: T) -> Answer {
    out.ok_or(Status::INVALID_VALUE)?.write(value);
    Ok(())
}

macro_rules! statuses {
    ($($code:literal $name:ident $string:literal;)*) => {
        impl Status {
            $(pub(crate) const $name: Self = Self($code);)*

            /// The error that is called `CUDA_ERROR_` and this.
            pub(crate) fn named(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($name) => Some(Self::$name),)*
                    _ => None,
                }
            }

            fn words(self) -> Option<(&'static CStr, &'static CStr)> {
                const fn c(text: &'static str) -> &'static CStr {
                    match CStr::from_bytes_with_nul(text.as_bytes()) {
                        Ok(text) => text,
                        Err(_) => panic!("a zero byte ends the text, and no other is in it"),
                    }
                }
                match self.0 {
                    0 => Some((c"CUDA_SUCCESS", c"no error")),
                    $($code => Some(const {
                        (c(concat!("CUDA_ERROR_", stringify!($name), "\0")), c(concat!($string, "\0")))
                    }),)*
                    _ => None,
                }
            }
        }
    };
}
statuses! {
    1 INVALID_VALUE "invalid argument";
    2 OUT_OF_MEMORY "out of memory";
    3 NOT_INITIALIZED "initialization error";
    46 DEVICE_UNAVAILABLE "CUDA-capable device(s) is/are busy or unavailable";
    100 NO_DEVICE "no CUDA-capable device is detected";
    101 INVALID_DEVICE "invalid device ordinal";
    201 INVALID_CONTEXT "invalid device context";
    214 ECC_UNCORRECTABLE "uncorrectable ECC error encountered";
    218 INVALID_PTX "a PTX JIT compilation failed";
    221 JIT_COMPILER_NOT_FOUND "PTX JIT compiler library not found";
    222 UNSUPPORTED_PTX_VERSION "the provided PTX was compiled with an unsupported toolchain.";
    400 INVALID_HANDLE "invalid resource handle";
    500 NOT_FOUND "named symbol not found";
    700 ILLEGAL_ADDRESS "an illegal memory access was encountered";
    701 LAUNCH_OUT_OF_RESOURCES "too many resources requested for launch";
    702 LAUNCH_TIMEOUT "the launch timed out and was terminated";
    709 CONTEXT_IS_DESTROYED "context is destroyed";
    719 LAUNCH_FAILED "unspecified launch failure";
    803 SYSTEM_DRIVER_MISMATCH "system has unsupported display driver / cuda driver combination";
    900 STREAM_CAPTURE_UNSUPPORTED "operation not permitted when stream is capturing";
    901 STREAM_CAPTURE_INVALIDATED "operation failed due to a previous error during capture";
    999 UNKNOWN "unknown error";
}

impl From<Answer> for Status {
    fn from(answer: Answer) -> Self {
        answer.err().unwrap_or(Self(0))
    }
}

/// One of a status's texts; a null pointer and an error if there is none.
fn text(out: Out<*const c_char>, text: Option<&'static CStr>) -> Status {
    let given = give(out, text.map_or(ptr::null(), CStr::as_ptr));
    given.and(text.map(drop).ok_or(Status::INVALID_VALUE)).into()
}

#[unsafe(no_mangle)]
extern "C" fn cuGetErrorName(error: Status, name: Out<*const c_char>) -> Status {
    text(name, error.words().map(|(name, _)| name))
}

#[unsafe(no_mangle)]
extern "C" fn cuGetErrorString(error: Status, string: Out<*const c_char>) -> Status {
    text(string, error.words().map(|(_, string)| string))
}
