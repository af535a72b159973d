//! Ranges for NVIDIA's profilers: each phase of a fit has one, on a time line beside what the device does.
//!
//! The library of ranges is loaded when the program runs, and only where someone asks for them: a profiler, by the
//! variable `NVTX_INJECTION64_PATH` that Nsight sets for the programs it starts, or the option `--nvtx`. Otherwise a range is nothing.

use std::ffi::{CStr, c_char, c_int};
use std::marker::PhantomData;
use std::sync::OnceLock;

use libloading::{Library, Symbol};

use crate::error::{Error, Result};

/// Names of the library: of NVTX 2, which toolkits up to 12 have, and of NVTX 3 for other languages.
const NAMES: [&str; 5] =
    ["libnvToolsExt.so.1", "libnvToolsExt.so", "libnvtx3interop.so.1", "libnvtx3interop.so", "nvToolsExt64_1.dll"];

/// What a profiler sets.
const INJECTION: &str = "NVTX_INJECTION64_PATH";

/// The library's functions that are called.
#[derive(Debug)]
struct Functions {
    push: unsafe extern "C" fn(*const c_char) -> c_int,
    pop: unsafe extern "C" fn() -> c_int,
    /// Which the functions are of.
    _library: Library,
}

impl Functions {
    fn load() -> Option<Self> {
        NAMES.iter().find_map(|name| {
            // SAFETY: loading NVIDIA's library runs its initialisers, as every program does that is linked to it.
            let library = unsafe { Library::new(*name) }.ok()?;
            // SAFETY: the functions have these types in nvToolsExt.h, of both versions; they are called while the
            // library is there.
            let (push, pop) = unsafe {
                let push: Symbol<'_, unsafe extern "C" fn(*const c_char) -> c_int> =
                    library.get(b"nvtxRangePushA").ok()?;
                let pop: Symbol<'_, unsafe extern "C" fn() -> c_int> = library.get(b"nvtxRangePop").ok()?;
                (*push, *pop)
            };
            Some(Self { push, pop, _library: library })
        })
    }
}

static FUNCTIONS: OnceLock<Option<Functions>> = OnceLock::new();

/// Asks for ranges from now on.
///
/// # Errors
/// [`Error::NoNvtx`] if the library is not there, or fits were made before without it.
///
/// ```
/// // Without the library this is an error, and the fits go on without ranges.
/// let asked = modeseek::executor::nvtx::ask();
/// assert!(asked.is_ok() || asked.unwrap_err().to_string().contains("--nvtx"));
/// ```
pub fn ask() -> Result<()> {
    match FUNCTIONS.get_or_init(Functions::load) {
        Some(_) => Ok(()),
        None => Err(Error::NoNvtx { tried: NAMES.join(", ") }),
    }
}

/// A range, which ends when this is dropped; ranges of a thread lie within each other.
///
/// ```
/// let fit = modeseek::executor::nvtx::Range::begin(c"my fit");
/// // What happens here is drawn below the name.
/// drop(fit);
/// ```
#[must_use = "a range ends when it is dropped"]
#[derive(Debug)]
pub struct Range {
    functions: Option<&'static Functions>,
    /// It ends in the thread that it began in.
    _thread: PhantomData<*const ()>,
}

impl Range {
    /// Begins one.
    ///
    /// ```
    /// use modeseek::executor::nvtx::Range;
    ///
    /// let outer = Range::begin(c"outer");
    /// {
    ///     let _inner = Range::begin(c"inner");
    /// }
    /// drop(outer);
    /// ```
    pub fn begin(name: &'static CStr) -> Self {
        let by_itself = || std::env::var_os(INJECTION).and_then(|_| Functions::load());
        let functions = FUNCTIONS.get_or_init(by_itself).as_ref();
        if let Some(functions) = functions {
            // SAFETY: the name ends in a zero byte, and the library copies what it keeps.
            unsafe { (functions.push)(name.as_ptr()) };
        }
        Self { functions, _thread: PhantomData }
    }
}

impl Drop for Range {
    fn drop(&mut self) {
        if let Some(functions) = self.functions {
            // SAFETY: the range was begun in this thread.
            unsafe { (functions.pop)() };
        }
    }
}
