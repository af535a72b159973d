//! NVIDIA GPUs as executors: the CUDA driver, loaded at run time through cudarc.
//!
//! A program that is built anywhere starts anywhere; without a driver there is no GPU, and that is
//! all. The program's kernels are loaded one by one, when they are launched first.

mod ahead;
mod driver;
mod errors;
mod graphs;
mod modules;
mod parameters;
mod pool;
mod reading;
mod staging;

use std::ffi::c_void;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cuda_std::launch::{Arg, Kernel, Limits, Prepared};
use cuda_std::machine::MachineKind;
use cudarc::driver::sys::{self, CUdevice_attribute_enum as Attribute, CUevent_flags as EventFlags};
use cudarc::driver::{CudaContext, CudaStream, DriverError, result};

use super::{Copied, Details, Executor, Reading, Recording, ptx};
use crate::bytes::Bytes;
use crate::error::{Error, Result};
use errors::{no_gpu, refused};
use graphs::Recorder;
use modules::{Function, Loaded, Target};
use parameters::parameters;
use pool::Pool;
use reading::Pinned;
use staging::Staging;

/// Which GPU, and what it runs.
///
/// ```no_run
/// use modeseek::Device;
/// use modeseek::executor::CudaOptions;
///
/// // A kernel that is being worked on, in the place of the program's own.
/// let text = std::fs::read("shift_gaussian_2.ptx").expect("it was compiled");
/// let device = Device::cuda_with(CudaOptions { modules: vec![text], ..CudaOptions::default() })?;
/// assert!(!device.describe().is_empty());
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CudaOptions {
    /// The GPU's number, from 0.
    pub number: usize,
    /// Modules (PTX texts, or machine code for this GPU) whose kernels take the place of the program's own
    /// kernels of the same names, or are launched beside them. The first that has a kernel is the one that counts. A kernel has
    /// the parameters of the one that is launched, a slice being a pointer and a length.
    pub modules: Vec<Vec<u8>>,
}

/// The least compute capability that kernels are compiled for, times ten.
const LEAST_COMPUTE: u32 = 75;

pub(super) struct Cuda {
    context: Arc<CudaContext>,
    stream: Arc<CudaStream>,
    name: String,
    driver_version: i32,
    compute: u32,
    limits: Limits,
    /// What records launches, if the driver does.
    recorder: Option<Recorder>,
    loaded: Mutex<Loaded>,
    pool: Mutex<Pool>,
    pinned: Mutex<Pinned>,
    staging: Mutex<Staging>,
}

impl Cuda {
    /// How many GPUs the driver has; 0 without one that starts.
    pub(super) fn count() -> usize {
        driver::count().unwrap_or(0)
    }

    pub(super) fn open(CudaOptions { number, modules }: CudaOptions) -> Result<Self> {
        let driver_version = driver::start(number, &modules)?;
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
            // With what a kernel has to ask for, which `launch` does.
            shared_bytes: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)? as usize,
        };
        let context = CudaContext::new(number).map_err(refused("open the GPU"))?;
        // Else cudarc would wait for the whole context when it makes the first stream, which the driver refuses while
        // another device's thread records launches.
        // SAFETY: it is about cudarc's own kind of memory, none of which is made here.
        unsafe { context.disable_event_tracking() };
        let stream = context.new_stream().map_err(refused("make a stream"))?;
        let recorder = match driver::require(&driver::GRAPHS) {
            Ok(()) => Some(Recorder::new(context.new_stream().map_err(refused("make a stream"))?)),
            Err(_) => None,
        };
        let (loaded, pinned) = (Mutex::new(Loaded::new(Arc::clone(&context))), Mutex::default());
        let pool = Mutex::new(Pool::from_environment());
        let staging = Mutex::default();
        let cuda =
            Self { context, stream, name, driver_version, compute, limits, recorder, loaded, pool, pinned, staging };
        cuda.loaded().add_foreign(&modules)?;
        Ok(cuda)
    }

    /// Makes the context current in this thread, as every call needs.
    fn enter(&self) -> Result<()> {
        self.context.bind_to_thread().map_err(self.refused("use the GPU from this thread"))
    }

    fn target(&self) -> Target {
        Target { compute: self.compute, newest_ptx: ptx::newest_ptx(self.driver_version) }
    }

    /// A kernel, whose module is loaded if it is not yet.
    fn function(&self, kernel: &'static Kernel) -> Result<Function> {
        self.loaded().function(kernel, self.target())
    }

    /// What to make of an error that came out when something was asked of the driver.
    fn refused(&self, what: &str) -> impl Fn(DriverError) -> Error {
        move |error| self.loaded().refused(what, error)
    }

    /// That its driver compiles kernels: where it does not, a GPU is there and runs none.
    pub(super) fn check_compiler(&self) -> Result<()> {
        self.enter()?;
        self.loaded().check_compiler()
    }

    fn loaded(&self) -> MutexGuard<'_, Loaded> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pinned(&self) -> MutexGuard<'_, Pinned> {
        self.pinned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn staging(&self) -> MutexGuard<'_, Staging> {
        self.staging.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives all kept memory back to the driver, which waits for the launches that may use it; whether there was any.
    fn release(&self) -> bool {
        let mut released = false;
        for address in self.pool().drain() {
            // An error here is one of an earlier launch, reported where its result is read; and a context
            // that has failed has nothing left to free.
            // SAFETY: `allocate` had the address of the driver, and nobody has it any more.
            released |= unsafe { result::free_sync(address) }.is_ok();
        }
        released
    }
}

impl Drop for Cuda {
    fn drop(&mut self) {
        // The context may outlive this executor, if another one has it too. Where it has failed, its
        // modules are lost with it.
        if self.enter().is_ok() {
            self.release();
            // SAFETY: launches and copies have ended: their memory was just freed, and freeing waits for them.
            unsafe {
                let staged = self.staging().take();
                staged.into_iter().for_each(|block| self.pinned().give(block));
                self.pinned().free();
                self.loaded().unload();
            }
        }
    }
}

// SAFETY: regions are the driver's, of which the pool gives each to one at a time; copies and launches go to one stream, which keeps their
// order, and what reads them waits for it.
unsafe impl Executor for Cuda {
    fn describe(&self) -> String {
        format!("{} (compute capability {}.{})", self.name, self.compute / 10, self.compute % 10)
    }

    fn machine(&self) -> MachineKind {
        MachineKind::Gpu
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn details(&self) -> Result<Details> {
        self.enter()?;
        let (free_bytes, memory_bytes) = result::mem_get_info().map_err(self.refused("tell its free memory"))?;
        // A driver that does not know one says so, or 0.
        let attribute = |attribute| self.context.attribute(attribute).ok().filter(|&n| n > 0).map(|n| n as u32);
        Ok(Details {
            name: self.name.clone(),
            compute_capability: Some((self.compute / 10, self.compute % 10)),
            driver: Some(driver::cuda_version(self.driver_version)),
            multiprocessors: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
            clock_khz: attribute(Attribute::CU_DEVICE_ATTRIBUTE_CLOCK_RATE),
            memory_clock_khz: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE),
            memory_bus_bits: attribute(Attribute::CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH),
            l2_bytes: attribute(Attribute::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE).map(|bytes| bytes as usize),
            memory_bytes: Some(memory_bytes),
            free_bytes: free_bytes + self.pool().bytes(),
        })
    }

    fn available(&self) -> Result<usize> {
        self.enter()?;
        Ok(result::mem_get_info().map_err(self.refused("tell its free memory"))?.0 + self.pool().bytes())
    }

    fn allocate(&self, bytes: usize) -> Result<u64> {
        self.enter()?;
        if let Some(address) = self.pool().take(bytes) {
            return Ok(address);
        }
        // SAFETY: the size is not zero; the memory has values, whatever they are.
        let allocate = || unsafe { result::malloc_sync(bytes) };
        let allocated = match allocate() {
            // What is kept may be in the way.
            Err(DriverError(sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY)) if self.release() => allocate(),
            other => other,
        };
        let address = allocated.map_err(|error| match error.0 {
            sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY => Error::Memory {
                device: self.describe(),
                what: "a buffer".to_owned(),
                needed: Bytes(bytes as u128),
                available: Bytes(self.available().unwrap_or(0) as u128),
                advice: "use fewer points, or a smaller batch",
            },
            _ => self.refused("give memory")(error),
        })?;
        self.pool().add(address, bytes);
        Ok(address)
    }

    unsafe fn free(&self, address: u64, _bytes: usize) {
        // Launches may still use it: whoever gets it next comes behind them in the stream.
        let unwanted = self.pool().give(address);
        if let Some(address) = unwanted
            && self.enter().is_ok()
        {
            // An error here is one of an earlier launch, as in `release`. The driver waits for launches.
            // SAFETY: `allocate` had the address of the driver, and nobody has it any more.
            let _ = unsafe { result::free_sync(address) };
        }
    }

    unsafe fn write(&self, address: u64, bytes: &[u8]) -> Result<()> {
        if bytes.len() <= staging::BYTES {
            // SAFETY: the caller's promise.
            return unsafe { staging::begin(self, address, bytes) };
        }
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

    unsafe fn begin_read<'a>(&'a self, address: u64, bytes: usize) -> Result<Box<dyn Reading + 'a>> {
        if bytes > reading::MOST {
            let mut copied = vec![0; bytes];
            // SAFETY: the caller's promise.
            unsafe { self.read(address, &mut copied)? };
            return Ok(Box::new(Copied(copied)));
        }
        // SAFETY: the caller's promise.
        unsafe { reading::begin(self, address, bytes) }
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
        function.check(kernel, &sizes, &self.limits, args)?;
        if function.asks_for(sizes.shared) {
            self.loaded().raise_shared(kernel, sizes.shared)?;
        }
        let mut words = parameters(args);
        let mut pointers: Vec<*mut c_void> = words.iter_mut().map(|word| std::ptr::from_mut(word).cast()).collect();
        let [grid, block] = [sizes.grid, sizes.block].map(|[x, y, z]| (x, y, z));
        let stream = self.recorder.as_ref().map_or(&*self.stream, |recorder| recorder.stream_or(&self.stream));
        // SAFETY: `parameters` has laid the arguments out as the entry declares them, which was checked where
        // the entry is not ours; the driver copies them before it returns. The memory is the caller's until the launch has ended.
        unsafe {
            let shared = sizes.shared as u32;
            result::launch_kernel(function.handle, grid, block, shared, stream.cu_stream(), &mut pointers)
        }
        .map_err(self.refused(&format!("launch kernel {}", kernel.name)))?;
        self.loaded().last_launched = kernel.name;
        Ok(())
    }

    fn has(&self, kernel: &'static Kernel) -> bool {
        // Functions of modules of others are looked for in the context.
        self.enter().is_ok() && self.loaded().has(kernel, self.target())
    }

    fn most_threads(&self, kernel: &'static Kernel) -> Result<u32> {
        self.enter()?;
        Ok(self.function(kernel)?.most_threads)
    }

    fn load(&self, kernel: &'static Kernel) -> Result<Duration> {
        self.enter()?;
        let start = Instant::now();
        self.function(kernel)?;
        Ok(start.elapsed())
    }

    fn prepare(&self, kernels: &[&'static Kernel]) {
        // Where the context is none, the launch says so.
        if self.enter().is_ok() {
            self.loaded().prepare(kernels, self.target());
        }
    }

    fn timed(&self, work: Box<dyn FnOnce() -> Result<()> + '_>) -> Result<Duration> {
        let event = || self.context.new_event(Some(EventFlags::CU_EVENT_DEFAULT));
        let refused = || self.refused("time what it runs");
        let (start, end) = (event().map_err(refused())?, event().map_err(refused())?);
        start.record(&self.stream).map_err(refused())?;
        work()?;
        end.record(&self.stream).map_err(refused())?;
        let milliseconds = start.elapsed_ms(&end).map_err(refused())?;
        Ok(Duration::try_from_secs_f64(f64::from(milliseconds) / 1e3).unwrap_or_default())
    }

    fn record<'a>(&'a self, work: Box<dyn FnOnce() -> Result<()> + '_>) -> Result<Option<Box<dyn Recording + 'a>>> {
        graphs::record(self, work)
    }

    fn synchronize(&self) -> Result<()> {
        let begun = self.staging().begun();
        self.stream.synchronize().map_err(self.refused("wait for what was launched"))?;
        self.staging().waited(begun);
        Ok(())
    }
}
