//! NVIDIA GPUs as executors: the CUDA driver, loaded at run time through cudarc.
//!
//! A program that is built anywhere starts anywhere; without a driver there is no GPU, and that is
//! all. Modules are loaded when one of their kernels is launched first.

use std::collections::HashMap;
use std::ffi::{CString, c_void};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cuda_std::launch::{Arg, Kernel, Limits, Prepared};
use cuda_std::machine::MachineKind;
use cudarc::driver::sys::{self, CUdevice_attribute_enum as Attribute, CUjit_option_enum as JitOption};
use cudarc::driver::{CudaContext, CudaStream, DriverError, result};

use super::Executor;
use super::ptx::{self, PTX, PTX_ORIGIN, PtxModule};
use crate::error::{Bytes, Error, Result};

/// The least compute capability that kernels are compiled for, times ten.
const LEAST_COMPUTE: u32 = 75;

/// The oldest driver, as `cuDriverGetVersion` counts: CUDA 11.0 knows the kernels' version of PTX, and
/// has every function that is called here. An older one would be found to lack one halfway.
const LEAST_DRIVER: i32 = 11_000;

pub(super) struct Cuda {
    context: Arc<CudaContext>,
    stream: Arc<CudaStream>,
    name: String,
    compute: u32,
    newest_ptx: (u32, u32),
    limits: Limits,
    loaded: Mutex<Loaded>,
}

/// What the driver has compiled so far, and what ran last.
#[derive(Default)]
struct Loaded {
    modules: HashMap<&'static str, sys::CUmodule>,
    functions: HashMap<&'static str, sys::CUfunction>,
    last_launched: &'static str,
}

// SAFETY: the driver's handles may be used from any thread in which the context is current.
unsafe impl Send for Loaded {}

/// The driver's own words for an error.
fn message(error: DriverError) -> String {
    let text = |text: Result<&std::ffi::CStr, DriverError>| text.map(|text| text.to_string_lossy().into_owned()).ok();
    match (text(error.error_name()), text(error.error_string())) {
        (Some(name), Some(words)) => format!("{name} ({words})"),
        _ => format!("error {:?}", error.0),
    }
}

/// Names what was asked of the driver when it refused.
fn refused(what: &str) -> impl Fn(DriverError) -> Error + '_ {
    move |error| Error::Driver { what: what.to_owned(), message: message(error) }
}

/// Whether an error is of a kernel that ran. The driver tells of it in whatever is called next, and in
/// every call after that.
fn is_of_a_launch(error: DriverError) -> bool {
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

fn no_gpu(reason: impl Into<String>) -> Error {
    Error::NoGpu { reason: reason.into() }
}

impl Cuda {
    pub(super) fn open(number: usize) -> Result<Self> {
        // SAFETY: loading the driver's library runs its initialisers, which every CUDA program does.
        if !unsafe { sys::is_culib_present() } {
            return Err(no_gpu("no NVIDIA driver is installed"));
        }
        result::init().map_err(|error| no_gpu(format!("the NVIDIA driver does not start: {}", message(error))))?;
        let count = result::device::get_count().map_err(refused("count the GPUs"))?;
        if count == 0 {
            return Err(no_gpu("the NVIDIA driver finds no GPU"));
        }
        if number >= count as usize {
            let last = count - 1;
            return Err(no_gpu(format!("there is no GPU number {number}, they count from 0 to {last}")));
        }
        if PTX.is_empty() {
            return Err(no_gpu(format!("the program was built without kernels for GPUs ({PTX_ORIGIN})")));
        }
        let mut driver_version = 0;
        // SAFETY: the pointer is to a local variable.
        unsafe { sys::cuDriverGetVersion(&raw mut driver_version) }.result().map_err(refused("tell its version"))?;
        if driver_version < LEAST_DRIVER {
            let [found, least] = [driver_version, LEAST_DRIVER].map(|v| format!("{}.{}", v / 1000, v % 1000 / 10));
            return Err(no_gpu(format!("the NVIDIA driver is for CUDA {found}, and {least} is needed")));
        }
        let device = result::device::get(number as i32).map_err(refused("find the GPU"))?;
        let attribute = |attribute| {
            // SAFETY: the device is valid.
            unsafe { result::device::get_attribute(device, attribute) }.map_err(refused("describe the GPU"))
        };
        let major = attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
        let minor = attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
        let compute = (major * 10 + minor) as u32;
        let name = result::device::get_name(device).map_err(refused("name the GPU"))?;
        if compute < LEAST_COMPUTE {
            return Err(no_gpu(format!("{name} has compute capability {major}.{minor}, and 7.5 (Turing) is needed")));
        }
        let limits = Limits {
            threads: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK)? as u32,
            grid: [
                attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X)? as u32,
                attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y)? as u32,
                attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z)? as u32,
            ],
            // What every kernel may use without asking for more.
            shared_bytes: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK)? as usize,
        };
        let context = CudaContext::new(number).map_err(refused("open the GPU"))?;
        let stream = context.new_stream().map_err(refused("make a stream"))?;
        let newest_ptx = ptx::newest_ptx(driver_version);
        let loaded = Mutex::default();
        Ok(Self { context, stream, name, compute, newest_ptx, limits, loaded })
    }

    /// Makes the context current in this thread, as every call needs.
    fn enter(&self) -> Result<()> {
        self.context.bind_to_thread().map_err(self.refused("use the GPU from this thread"))
    }

    /// A kernel's function, whose module is loaded if it is not yet.
    fn function(&self, kernel: &'static Kernel) -> Result<sys::CUfunction> {
        let mut loaded = self.loaded();
        if let Some(function) = loaded.functions.get(kernel.name) {
            return Ok(*function);
        }
        let module = ptx::module_for(PTX, kernel.name, self.compute, self.newest_ptx).ok_or(Error::NoPtx {
            kernel: kernel.name,
            compute: self.compute,
            origin: PTX_ORIGIN,
        })?;
        let handle = loaded.module(module)?;
        let name = CString::new(kernel.name).expect("a Rust identifier has no zero byte");
        // SAFETY: the module is loaded.
        let function = unsafe { result::module::get_function(handle, name) }
            .map_err(|error| loaded.refused(&format!("find kernel {}", kernel.name), error))?;
        loaded.functions.insert(kernel.name, function);
        Ok(function)
    }

    /// What to make of an error that came out when something was asked of the driver.
    fn refused(&self, what: &str) -> impl Fn(DriverError) -> Error {
        move |error| self.loaded().refused(what, error)
    }

    fn loaded(&self) -> MutexGuard<'_, Loaded> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loaded {
    /// Names what was asked of the driver, or else the kernel whose error came out then.
    fn refused(&self, what: &str, error: DriverError) -> Error {
        if is_of_a_launch(error) {
            Error::GpuKernel { last: self.last_launched, message: message(error) }
        } else {
            refused(what)(error)
        }
    }

    /// A module, which the driver compiles if it has not yet; with its log if it refuses.
    fn module(&mut self, module: &'static PtxModule) -> Result<sys::CUmodule> {
        if let Some(handle) = self.modules.get(module.family) {
            return Ok(*handle);
        }
        let mut log = vec![0_u8; 16 * 1024];
        let mut options = [JitOption::CU_JIT_ERROR_LOG_BUFFER, JitOption::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES];
        let mut values = [log.as_mut_ptr().cast::<c_void>(), std::ptr::without_provenance_mut(log.len())];
        let text = CString::new(module.text).expect("PTX has no zero byte");
        let mut handle = std::ptr::null_mut();
        // SAFETY: the text ends in a zero byte; options and values agree in number and kind, and the log's
        // buffer is as long as its size says.
        let loaded = unsafe {
            sys::cuModuleLoadDataEx(&raw mut handle, text.as_ptr().cast(), 2, options.as_mut_ptr(), values.as_mut_ptr())
        };
        loaded.result().map_err(|error| {
            if is_of_a_launch(error) {
                return self.refused("compile kernels", error);
            }
            let end = log.iter().position(|&byte| byte == 0).unwrap_or(log.len());
            Error::Ptx {
                family: module.family.to_owned(),
                message: message(error),
                log: String::from_utf8_lossy(&log[..end]).trim_end().to_owned(),
            }
        })?;
        self.modules.insert(module.family, handle);
        Ok(handle)
    }
}

impl Drop for Cuda {
    fn drop(&mut self) {
        // The context may outlive this executor, if another one has it too. Where it has failed, its
        // modules are lost with it.
        if self.enter().is_ok() {
            for handle in self.loaded().modules.drain().map(|(_, handle)| handle) {
                // SAFETY: the driver gave the handle. Launches have ended: their memory is freed before
                // the executor is, and freeing waits for them.
                let _ = unsafe { result::module::unload(handle) };
            }
        }
    }
}

impl Executor for Cuda {
    fn describe(&self) -> String {
        format!("{} (compute capability {}.{})", self.name, self.compute / 10, self.compute % 10)
    }

    fn machine(&self) -> MachineKind {
        MachineKind::Gpu
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn available(&self) -> Result<usize> {
        self.enter()?;
        Ok(result::mem_get_info().map_err(self.refused("tell its free memory"))?.0)
    }

    fn allocate(&self, bytes: usize) -> Result<u64> {
        self.enter()?;
        // SAFETY: the size is not zero; the memory is written before it is read, by `Device`'s contract.
        unsafe { result::malloc_sync(bytes) }.map_err(|error| match error.0 {
            sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY => Error::Memory {
                device: self.describe(),
                what: "a buffer".to_owned(),
                needed: Bytes(bytes as u128),
                available: Bytes(self.available().unwrap_or(0) as u128),
                advice: "use fewer points, or a smaller --batch",
            },
            _ => self.refused("give memory")(error),
        })
    }

    unsafe fn free(&self, address: u64, _bytes: usize) {
        // An error here is one of an earlier launch, reported where its result is read; and a context
        // that has failed has nothing left to free.
        // SAFETY: `allocate` gave the address. Freeing waits for the launches that may use it.
        let _ = self.enter().map(|()| unsafe { result::free_sync(address) });
    }

    unsafe fn write(&self, address: u64, bytes: &[u8]) -> Result<()> {
        self.enter()?;
        // SAFETY: the region is the caller's, and `bytes` lives until the copy has ended, which is waited for.
        unsafe { result::memcpy_htod_async(address, bytes, self.stream.cu_stream()) }
            .map_err(self.refused("copy to the GPU"))?;
        self.synchronize()
    }

    unsafe fn read(&self, address: u64, bytes: &mut [u8]) -> Result<()> {
        self.enter()?;
        // SAFETY: as for `write`.
        unsafe { result::memcpy_dtoh_async(bytes, address, self.stream.cu_stream()) }
            .map_err(self.refused("copy from the GPU"))?;
        self.synchronize()
    }

    unsafe fn zero(&self, address: u64, bytes: usize) -> Result<()> {
        self.enter()?;
        // SAFETY: the region is the caller's.
        unsafe { result::memset_d8_async(address, 0, bytes, self.stream.cu_stream()) }
            .map_err(self.refused("clear memory"))
    }

    unsafe fn launch(&self, kernel: &'static Kernel, sizes: Prepared, args: &[Arg]) -> Result<()> {
        self.enter()?;
        let function = self.function(kernel)?;
        let mut words = parameters(args);
        let mut pointers: Vec<*mut c_void> = words.iter_mut().map(|word| std::ptr::from_mut(word).cast()).collect();
        let [grid, block] = [sizes.grid, sizes.block].map(|[x, y, z]| (x, y, z));
        // SAFETY: `parameters` has laid the arguments out as the entry declares them; the driver copies
        // them before it returns. The memory is the caller's until the launch has ended.
        unsafe {
            let stream = self.stream.cu_stream();
            result::launch_kernel(function, grid, block, sizes.shared as u32, stream, &mut pointers)
        }
        .map_err(self.refused(&format!("launch kernel {}", kernel.name)))?;
        self.loaded().last_launched = kernel.name;
        Ok(())
    }

    fn synchronize(&self) -> Result<()> {
        self.stream.synchronize().map_err(self.refused("wait for what was launched"))
    }
}

/// The words that a launch passes: a slice is its address and its length, the rest one word each. A
/// scalar of fewer bytes stands in its word's first ones.
fn parameters(args: &[Arg]) -> Vec<[u8; 8]> {
    let mut words = Vec::with_capacity(2 * args.len());
    for arg in args {
        match arg {
            Arg::Scalar { bytes, .. } => words.push(*bytes),
            Arg::Pointer(region) => words.push(region.address.to_ne_bytes()),
            Arg::Slice(region) => {
                words.push(region.address.to_ne_bytes());
                words.push((region.len as u64).to_ne_bytes());
            }
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use cuda_std::launch::Region;

    use super::*;

    /// The bytes of parameters, as the driver reads them: so many from the start of each word.
    fn read(args: &[Arg], sizes: &[usize]) -> Vec<Vec<u8>> {
        let words = parameters(args);
        assert_eq!(words.len(), sizes.len());
        words.iter().zip(sizes).map(|(word, size)| word[..*size].to_vec()).collect()
    }

    #[test]
    fn scalars_of_every_size_stand_at_the_start_of_their_words() {
        let args = [
            Arg::scalar(0x12_u8),
            Arg::scalar(-2_i16),
            Arg::scalar(0x1234_5678_u32),
            Arg::scalar(1.5_f32),
            Arg::scalar(0x1234_5678_9abc_def0_u64),
            Arg::scalar(-0.1_f64),
            Arg::scalar([1_u8, 2, 3]),
        ];
        let expected = [
            vec![0x12],
            (-2_i16).to_ne_bytes().to_vec(),
            0x1234_5678_u32.to_ne_bytes().to_vec(),
            1.5_f32.to_ne_bytes().to_vec(),
            0x1234_5678_9abc_def0_u64.to_ne_bytes().to_vec(),
            (-0.1_f64).to_ne_bytes().to_vec(),
            vec![1, 2, 3],
        ];
        assert_eq!(read(&args, &[1, 2, 4, 4, 8, 8, 3]), expected);
    }

    #[test]
    fn slices_are_two_parameters_and_pointers_one() {
        let region = |address, len| Region { address, len, owner: 1 };
        let args = [
            Arg::Slice(region(0x7000_0000_0100, 3)),
            Arg::scalar(7_u32),
            Arg::Pointer(region(0x7000_0000_0200, 5)),
            Arg::Slice(region(4, 0)),
        ];
        let words = parameters(&args).into_iter().map(u64::from_ne_bytes).collect::<Vec<_>>();
        assert_eq!(words, [0x7000_0000_0100, 3, 7_u64.to_le(), 0x7000_0000_0200, 4, 0]);
        assert!(parameters(&[]).is_empty());
    }

    #[test]
    fn errors_of_kernels_are_told_from_refusals() {
        use sys::CUresult::*;
        for code in [CUDA_ERROR_ILLEGAL_ADDRESS, CUDA_ERROR_LAUNCH_FAILED, CUDA_ERROR_MISALIGNED_ADDRESS] {
            assert!(is_of_a_launch(DriverError(code)), "{code:?}");
        }
        for code in [CUDA_ERROR_OUT_OF_MEMORY, CUDA_ERROR_INVALID_PTX, CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES] {
            assert!(!is_of_a_launch(DriverError(code)), "{code:?}");
        }
    }
}
