//! The driver's library: whether it is one, and which GPU it has.

use cudarc::driver::{result, sys};

use super::errors::{message, no_gpu, refused};
use crate::error::Result;
use crate::executor::ptx::{PTX, PTX_ORIGIN};

/// The oldest driver, as `cuDriverGetVersion` counts. CUDA 11.0 knows the kernels' version of PTX and has every function
/// that is called here, but cudarc asks each GPU for an attribute that came with 11.2.
const LEAST_DRIVER: i32 = 11_020;

/// The functions that tell what the driver is, which every driver has.
const FIRST: [&str; 5] = ["cuInit", "cuDriverGetVersion", "cuDeviceGetCount", "cuGetErrorName", "cuGetErrorString"];

/// The other functions that are called. cudarc looks a function up at its first call, and panics where
/// the library lacks it; hence they are asked for before.
const OTHERS: [&str; 30] = [
    "cuDeviceGet",
    "cuDeviceGetName",
    "cuDeviceGetAttribute",
    "cuDevicePrimaryCtxRetain",
    "cuDevicePrimaryCtxRelease_v2",
    "cuCtxGetCurrent",
    "cuCtxSetCurrent",
    "cuCtxSynchronize",
    "cuStreamCreate",
    "cuStreamDestroy_v2",
    "cuStreamSynchronize",
    "cuEventCreate",
    "cuEventDestroy_v2",
    "cuEventRecord",
    "cuEventSynchronize",
    "cuEventElapsedTime",
    "cuMemGetInfo_v2",
    "cuMemAlloc_v2",
    "cuMemFree_v2",
    "cuMemHostAlloc",
    "cuMemFreeHost",
    "cuMemcpyHtoDAsync_v2",
    "cuMemcpyDtoHAsync_v2",
    "cuMemsetD8Async",
    "cuModuleLoadDataEx",
    "cuModuleGetFunction",
    "cuModuleUnload",
    "cuFuncGetAttribute",
    "cuFuncSetAttribute",
    "cuLaunchKernel",
];

/// The functions that record launches, which came with CUDA 11.4; without them launches go one by one.
pub(super) const GRAPHS: [&str; 6] = [
    "cuStreamBeginCapture_v2",
    "cuStreamEndCapture",
    "cuGraphInstantiateWithFlags",
    "cuGraphLaunch",
    "cuGraphDestroy",
    "cuGraphExecDestroy",
];

/// The functions that compile in threads (ahead.rs), without which modules are compiled one by one.
pub(super) const LINKER: [&str; 4] = ["cuLinkCreate_v2", "cuLinkAddData_v2", "cuLinkComplete", "cuLinkDestroy"];

/// Starts the driver, and counts its GPUs.
pub(super) fn count() -> Result<usize> {
    // SAFETY: loading the driver's library runs its initialisers, which every CUDA program does.
    if !unsafe { sys::is_culib_present() } {
        return Err(no_gpu("no NVIDIA driver is installed"));
    }
    require(&FIRST)?;
    result::init().map_err(|error| no_gpu(format!("the NVIDIA driver does not start: {}", message(error))))?;
    let count = result::device::get_count().map_err(refused("count the GPUs"))?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Starts the driver, checks that the GPU is there and has something to run, and gives the driver's version.
pub(super) fn start(number: usize, modules: &[Vec<u8>]) -> Result<i32> {
    let count = count()?;
    if count == 0 {
        return Err(no_gpu("the NVIDIA driver finds no GPU"));
    }
    if number >= count {
        let last = count - 1;
        return Err(no_gpu(format!("there is no GPU number {number}, they count from 0 to {last}")));
    }
    if PTX.is_empty() && modules.is_empty() {
        return Err(no_gpu(format!("the program was built without kernels for GPUs ({PTX_ORIGIN})")));
    }
    let mut version = 0;
    // SAFETY: the pointer is to a local variable.
    unsafe { sys::cuDriverGetVersion(&raw mut version) }.result().map_err(refused("tell its version"))?;
    if version < LEAST_DRIVER {
        let [found, least] = [version, LEAST_DRIVER].map(cuda_version);
        return Err(no_gpu(format!("the NVIDIA driver is for CUDA {found}, and {least} is needed")));
    }
    require(&OTHERS)?;
    Ok(version)
}

/// A version as `cuDriverGetVersion` counts, as people write it.
pub(super) fn cuda_version(version: i32) -> String {
    format!("{}.{}", version / 1000, version % 1000 / 10)
}

/// Checks that the library has these functions.
pub(super) fn require(functions: &[&str]) -> Result<()> {
    for name in functions {
        // SAFETY: a library of the driver's name was found, so that this loads it or gives it again. The
        // symbol is looked up, and never called with this type.
        if unsafe { sys::culib().get::<unsafe extern "C" fn()>(name.as_bytes()) }.is_err() {
            return Err(no_gpu(format!(
                "the library that was found in the place of the NVIDIA driver lacks {name}: it is another \
                 library, or damaged; install the driver again"
            )));
        }
    }
    Ok(())
}
