//! The handle to an executor that users hold.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cuda_std::launch::{DeviceCopy, DeviceSlice, Kernel, Launch, Limits};
use cuda_std::machine::MachineKind;

use super::cpu::{Cpu, CpuOptions};
use super::cuda::{Cuda, CudaOptions};
use super::interpreter::{Interpreter, InterpreterOptions};
use super::{Buffer, Details, DeviceChoice, Executor, Recording};
use crate::error::{Bytes, Error, Result};
use crate::tuning::Shapes;

thread_local! {
    /// Whether what this thread launches is recorded, and does not count.
    static RECORDS: Cell<bool> = const { Cell::new(false) };
}

/// An executor with its memory, to be shared by cloning.
///
/// ```
/// use modeseek::{Bandwidth, Device, MeanShift};
///
/// let device = Device::processor()?;
/// // A clone is another handle to the same device.
/// let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).on(&device.clone());
/// estimator.fit(&[[0.0], [0.1], [5.0]])?;
/// assert!(device.counts().launches > 0);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone)]
pub struct Device(Arc<Shared>);

struct Shared {
    executor: Box<dyn Executor>,
    /// Tells its memory from other executors'.
    number: u64,
    why: String,
    launches: AtomicU64,
    uploads: AtomicU64,
    downloads: AtomicU64,
    /// Whether what was measured on it may be kept in a file.
    is_tuned: bool,
    shapes: OnceLock<Shapes>,
}

/// How often something crossed between host and device so far.
///
/// ```
/// use modeseek::Device;
///
/// let device = Device::processor()?;
/// let x = device.upload(&[1.0_f32])?;
/// let before = device.counts();
/// device.download(&x)?;
/// let meanwhile = device.counts() - before;
/// assert_eq!((meanwhile.uploads, meanwhile.downloads), (0, 1));
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Kernels launched; a recording that is replayed counts as one.
    pub launches: u64,
    /// Copies from the host.
    pub uploads: u64,
    /// Copies to the host, each of which waits for the device.
    pub downloads: u64,
}

impl std::ops::Sub for Counts {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            launches: self.launches - before.launches,
            uploads: self.uploads - before.uploads,
            downloads: self.downloads - before.downloads,
        }
    }
}

impl Device {
    /// A GPU if there is one that works, else the processor.
    ///
    /// ```
    /// use modeseek::Device;
    ///
    /// let device = Device::auto()?;
    /// println!("on {}: {}", device.describe(), device.why());
    /// assert_eq!(device.download(&device.upload(&[7])?)?, [7]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the system refuses the processor's worker threads.
    pub fn auto() -> Result<Self> {
        DeviceChoice::Auto.open(CpuOptions::default())
    }

    /// The processor, with a worker for each core.
    ///
    /// ```
    /// use modeseek::Device;
    ///
    /// let device = Device::processor()?;
    /// assert!(device.machine().runs_here());
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the system refuses the worker threads.
    pub fn processor() -> Result<Self> {
        Self::processor_with(CpuOptions::default())
    }

    /// The processor.
    ///
    /// ```
    /// use cuda_std::machine::MachineKind;
    /// use modeseek::Device;
    /// use modeseek::executor::CpuOptions;
    ///
    /// // The code that every processor of this architecture can run.
    /// let options = CpuOptions { machine: Some(MachineKind::Baseline), ..CpuOptions::default() };
    /// assert_eq!(Device::processor_with(options)?.machine(), MachineKind::Baseline);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the system refuses the worker threads, or the processor is not of the kind that is asked for.
    pub fn processor_with(options: CpuOptions) -> Result<Self> {
        Ok(Self::tuned(Box::new(Cpu::new(options)?), "asked for".to_owned()))
    }

    /// The GPU with this number.
    ///
    /// ```
    /// use modeseek::Device;
    ///
    /// // No computer has a GPU of this number.
    /// assert!(Device::cuda(1000).is_err());
    /// ```
    ///
    /// # Errors
    /// [`Error::NoGpu`] if there is none, or its driver's error.
    pub fn cuda(number: usize) -> Result<Self> {
        Self::cuda_with(CudaOptions { number, ..CudaOptions::default() })
    }

    /// A GPU, which may run other kernels in the place of the program's own.
    ///
    /// ```no_run
    /// use modeseek::Device;
    /// use modeseek::executor::CudaOptions;
    ///
    /// // The second GPU.
    /// let device = Device::cuda_with(CudaOptions { number: 1, ..CudaOptions::default() })?;
    /// assert!(device.details()?.compute_capability.is_some());
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoGpu`] if there is none, [`Error::Module`] if a module does not load, or the driver's error.
    pub fn cuda_with(options: CudaOptions) -> Result<Self> {
        // What was measured holds for the program's own kernels.
        let is_tuned = options.modules.is_empty();
        Ok(Self::made(Box::new(Cuda::open(options)?), "asked for".to_owned(), is_tuned))
    }

    /// The PTX on an interpreter that checks every access: for tests, and for whoever writes kernels.
    ///
    /// ```
    /// use modeseek::Device;
    /// use modeseek::executor::InterpreterOptions;
    ///
    /// # if modeseek::executor::ptx::PTX.is_empty() { return Ok::<(), modeseek::Error>(()) }
    /// let device = Device::interpreter(InterpreterOptions::default())?;
    /// let x = device.upload(&[1.0_f32, 2.0])?;
    /// let mut y = device.zeros::<f32>(2)?;
    /// // The PTX itself is run, and each of its accesses is checked.
    /// device.launch(gpu::vector::axpy::launch(2.0, &x, &mut y))?;
    /// assert_eq!(device.download(&y)?, [2.0, 4.0]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoGpu`] if the program was built without PTX, [`Error::UnreadablePtx`] if a module of the
    /// options is none.
    pub fn interpreter(options: InterpreterOptions) -> Result<Self> {
        Ok(Self::new(Box::new(Interpreter::new(options)?), "asked for".to_owned()))
    }

    /// A handle to any executor.
    ///
    /// ```
    /// use modeseek::Device;
    /// use modeseek::executor::Executor;
    ///
    /// /// Any executor, with a word on why it was taken.
    /// fn device(executor: impl Executor + 'static) -> Device {
    ///     Device::new(Box::new(executor), "it is the only one here".to_owned())
    /// }
    /// ```
    pub fn new(executor: Box<dyn Executor>, why: String) -> Self {
        Self::made(executor, why, false)
    }

    /// A handle to an executor of the program's own, for which `modeseek tune` may have measured.
    pub(super) fn tuned(executor: Box<dyn Executor>, why: String) -> Self {
        Self::made(executor, why, true)
    }

    fn made(executor: Box<dyn Executor>, why: String, is_tuned: bool) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let zero = || AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        let (launches, uploads, downloads) = (zero(), zero(), zero());
        let shapes = OnceLock::new();
        Self(Arc::new(Shared { executor, number, why, launches, uploads, downloads, is_tuned, shapes }))
    }

    /// The blocks that steps are launched with: by the table, and by what `modeseek tune` found, which is read from
    /// its file when this is first asked.
    ///
    /// ```
    /// use modeseek::tuning::Case;
    ///
    /// let device = modeseek::Device::processor()?.without_tuning();
    /// let shapes = device.shapes();
    /// let case = Case { weight: "Flat".to_owned(), dimensions: 3, marked: false, many: false };
    /// assert_eq!(shapes.threads(&case) % 32, 0);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn shapes(&self) -> &Shapes {
        let Shared { is_tuned, shapes, .. } = &*self.0;
        shapes.get_or_init(|| if *is_tuned { Shapes::of_device(self) } else { Shapes::of_table(self) })
    }

    /// The device with the blocks of the table, whatever was measured. It has to be said before the first fit.
    ///
    /// ```
    /// use modeseek::tuning::Case;
    ///
    /// let device = modeseek::Device::processor()?.without_tuning();
    /// let shapes = device.shapes();
    /// let case = Case { weight: "Flat".to_owned(), dimensions: 3, marked: false, many: false };
    /// assert_eq!((shapes.threads(&case), shapes.measured()), (device.machine().block(), 0));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn without_tuning(self) -> Self {
        self.0.shapes.get_or_init(|| Shapes::of_table(&self));
        self
    }

    /// What it is, for a person.
    ///
    /// ```
    /// # use modeseek::Device;
    /// assert!(!Device::processor()?.describe().is_empty());
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn describe(&self) -> String {
        self.0.executor.describe()
    }

    /// Why this device and no other.
    ///
    /// ```
    /// # use modeseek::Device;
    /// assert_eq!(Device::processor()?.why(), "asked for");
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn why(&self) -> &str {
        &self.0.why
    }

    /// Which copy of a kernel it runs.
    ///
    /// ```
    /// # use modeseek::Device;
    /// // Elements that a thread should hold there.
    /// assert!(Device::processor()?.machine().lanes() >= 4);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn machine(&self) -> MachineKind {
        self.0.executor.machine()
    }

    /// What it can launch.
    ///
    /// ```
    /// # use modeseek::Device;
    /// assert!(Device::processor()?.limits().threads >= 1024);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn limits(&self) -> Limits {
        self.0.executor.limits()
    }

    /// What it is, for a record.
    ///
    /// ```
    /// # use modeseek::Device;
    /// let details = Device::processor()?.details()?;
    /// assert!(details.memory_bytes.is_none_or(|bytes| bytes >= details.free_bytes));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the driver fails.
    pub fn details(&self) -> Result<Details> {
        self.executor().details()
    }

    /// How often something crossed between host and device so far.
    ///
    /// ```
    /// # use modeseek::Device;
    /// let device = Device::processor()?;
    /// device.upload(&[1.0_f32])?;
    /// assert_eq!(device.counts().uploads, 1);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn counts(&self) -> Counts {
        let Shared { launches, uploads, downloads, .. } = &*self.0;
        Counts { launches: launches.load(Relaxed), uploads: uploads.load(Relaxed), downloads: downloads.load(Relaxed) }
    }

    pub(super) fn number(&self) -> u64 {
        self.0.number
    }

    pub(super) fn executor(&self) -> &dyn Executor {
        &*self.0.executor
    }

    /// Bytes of memory that are free now.
    ///
    /// ```
    /// # use modeseek::Device;
    /// assert!(Device::processor()?.available()? > 0);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the driver fails.
    pub fn available(&self) -> Result<usize> {
        self.executor().available()
    }

    /// Checks that so much memory is free, before any of it is taken.
    ///
    /// ```
    /// use modeseek::{Device, Error};
    ///
    /// let device = Device::processor()?;
    /// assert!(device.reserve(1, "a byte", "give fewer").is_ok());
    /// let error = device.reserve(1 << 100, "a universe", "give a smaller one").unwrap_err();
    /// assert!(error.to_string().contains("give a smaller one"));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Memory`], with `what` it is for and the `advice`.
    pub fn reserve(&self, bytes: u128, what: &str, advice: &'static str) -> Result<()> {
        let available = self.available()? as u128;
        if bytes > available {
            return Err(Error::Memory {
                device: self.describe(),
                what: what.to_owned(),
                needed: Bytes(bytes),
                available: Bytes(available),
                advice,
            });
        }
        Ok(())
    }

    /// A buffer with these values.
    ///
    /// ```
    /// # use modeseek::Device;
    /// let device = Device::processor()?;
    /// let x = device.upload(&[1_u64, 2, 3])?;
    /// assert_eq!(device.download(&x)?, [1, 2, 3]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is not enough memory, or the driver fails.
    pub fn upload<T: DeviceCopy>(&self, values: &[T]) -> Result<Buffer<T>> {
        let buffer = Buffer::allocate(self, values.len())?;
        if !values.is_empty() {
            self.0.uploads.fetch_add(1, Relaxed);
            // SAFETY: the region is the new buffer's. `DeviceCopy` has no padding, so its bytes are initialised.
            unsafe {
                let bytes = std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values));
                self.executor().write(buffer.region().address, bytes)?;
            }
        }
        Ok(buffer)
    }

    /// A buffer of `len` zeros.
    ///
    /// ```
    /// # use modeseek::Device;
    /// let device = Device::processor()?;
    /// assert_eq!(device.download(&device.zeros::<f32>(2)?)?, [0.0, 0.0]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is not enough memory, or the driver fails.
    pub fn zeros<T: DeviceCopy>(&self, len: usize) -> Result<Buffer<T>> {
        let buffer = Buffer::allocate(self, len)?;
        if len > 0 {
            // SAFETY: the region is the new buffer's.
            unsafe { self.executor().zero(buffer.region().address, len * size_of::<T>())? };
        }
        Ok(buffer)
    }

    /// The values of a buffer, after everything that was launched before.
    ///
    /// ```
    /// # use modeseek::Device;
    /// # let device = Device::processor()?;
    /// let x = device.upload(&[1.0_f32])?;
    /// let mut y = device.upload(&[5.0_f32])?;
    /// device.launch(gpu::vector::axpy::launch(1.0, &x, &mut y))?;
    /// // It waits for the launch.
    /// assert_eq!(device.download(&y)?, [6.0]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a launch failed, or the driver fails.
    ///
    /// # Panics
    /// If the buffer is another device's.
    pub fn download<T: DeviceCopy>(&self, buffer: &Buffer<T>) -> Result<Vec<T>> {
        self.download_first(buffer, buffer.len())
    }

    /// The first `len` values of a buffer, after everything that was launched before.
    ///
    /// ```
    /// # use modeseek::Device;
    /// # let device = Device::processor()?;
    /// let x = device.upload(&[1, 2, 3])?;
    /// assert_eq!(device.download_first(&x, 2)?, [1, 2]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a launch failed, or the driver fails.
    ///
    /// # Panics
    /// If the buffer is another device's, or shorter.
    pub fn download_first<T: DeviceCopy>(&self, buffer: &Buffer<T>, len: usize) -> Result<Vec<T>> {
        let region = buffer.region();
        assert_eq!(region.owner, self.number(), "the buffer belongs to another device");
        assert!(len <= region.len, "the buffer has {} values, not {len}", region.len);
        let mut values = Vec::with_capacity(len);
        if len > 0 {
            self.count_download();
            // SAFETY: the region is the buffer's, and every buffer is written when it is made. The vector
            // has room for `len` values, all of whose bits are then set; any bits are a value.
            unsafe {
                let start: *mut T = values.as_mut_ptr();
                start.write_bytes(0, len);
                let bytes = std::slice::from_raw_parts_mut(start.cast(), len * size_of::<T>());
                self.executor().read(region.address, bytes)?;
                values.set_len(len);
            }
        }
        Ok(values)
    }

    pub(super) fn count_download(&self) {
        self.0.downloads.fetch_add(1, Relaxed);
    }

    /// Checks a launch, and runs it or begins to. A grid without blocks is nothing to do.
    ///
    /// ```
    /// use modeseek::{Device, Error};
    ///
    /// let device = Device::processor()?;
    /// let x = device.upload(&[1.0_f32, 2.0])?;
    /// let mut y = device.zeros::<f32>(2)?;
    /// device.launch(gpu::vector::axpy::launch(2.0, &x, &mut y))?;
    /// // Sizes that do not fit are found before anything runs.
    /// let mut short = device.zeros::<f32>(1)?;
    /// let error = device.launch(gpu::vector::axpy::launch(2.0, &x, &mut short)).unwrap_err();
    /// assert!(matches!(error, Error::Launch(_)));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Launch`] before it begins; on the processor also what went wrong in a kernel, which a
    /// GPU reports only at the next download or [`synchronize`](Self::synchronize).
    pub fn launch(&self, launch: Launch<'_>) -> Result<()> {
        let sizes = launch.prepare(self.machine(), self.number(), &self.limits())?;
        if sizes.grid.contains(&0) {
            return Ok(());
        }
        if !RECORDS.get() {
            self.0.launches.fetch_add(1, Relaxed);
        }
        // SAFETY: `launch` was made by the kernel's typed `launch` from borrowed buffers, which `prepare`
        // has found to be this device's. Their memory is freed only after what is launched has ended.
        unsafe { self.executor().launch(launch.kernel(), sizes, launch.args()) }
    }

    /// Whether there is code of a kernel that the device can run: a GPU may be too old for one.
    ///
    /// ```
    /// // A processor has all of them.
    /// assert!(modeseek::Device::processor()?.has(&gpu::matmul::matmul_tiled::KERNEL));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn has(&self, kernel: &'static Kernel) -> bool {
        self.executor().has(kernel)
    }

    /// The most threads that a block of a kernel may have on this device: a GPU may not have registers for as many as it can
    /// launch. Its code is made ready for that.
    ///
    /// ```
    /// // A processor has no such limit.
    /// let device = modeseek::Device::processor()?;
    /// assert_eq!(device.most_threads(&gpu::vector::axpy::KERNEL)?, device.limits().threads);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the device has no such kernel, or the driver fails.
    pub fn most_threads(&self, kernel: &'static Kernel) -> Result<u32> {
        self.executor().most_threads(kernel)
    }

    /// Makes a kernel's code ready now rather than at its first launch, and tells how long that took.
    ///
    /// ```
    /// # use modeseek::Device;
    /// # let device = Device::processor()?;
    /// // Now, so that the first launch is not slower than the next.
    /// device.load(&gpu::vector::axpy::KERNEL)?;
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no code of it that the device can run, or the driver refuses it.
    pub fn load(&self, kernel: &'static Kernel) -> Result<Duration> {
        self.executor().load(kernel)
    }

    /// Does some work, and tells how long the device took for what the work launched: on a GPU between two
    /// events in its queue, elsewhere by the wall clock until all has ended. A kernel that was never
    /// launched before is loaded meanwhile, which counts; [`load`](Self::load) it first.
    ///
    /// ```
    /// # use modeseek::Device;
    /// # let device = Device::processor()?;
    /// let x = device.upload(&[1.0_f32; 1000])?;
    /// let mut y = device.zeros::<f32>(1000)?;
    /// let time = device.timed(|device| device.launch(gpu::vector::axpy::launch(2.0, &x, &mut y)))?;
    /// assert!(time > std::time::Duration::ZERO);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// The work's own, or if a launch failed.
    pub fn timed(&self, work: impl FnOnce(&Self) -> Result<()>) -> Result<Duration> {
        self.executor().timed(Box::new(|| work(self)))
    }

    /// Records what some work launches, without running it; `None`, and the work is not done, where nothing
    /// would be gained. The work does nothing but launch kernels that were launched before.
    pub(crate) fn record(&self, work: impl FnOnce() -> Result<()>) -> Result<Option<Box<dyn Recording + '_>>> {
        RECORDS.set(true);
        let recording = self.executor().record(Box::new(work));
        RECORDS.set(false);
        recording
    }

    /// Runs what was recorded.
    ///
    /// # Safety
    /// The buffers of the recorded launches still exist, and nothing borrows those that they write.
    pub(crate) unsafe fn replay(&self, recording: &dyn Recording) -> Result<()> {
        self.0.launches.fetch_add(1, Relaxed);
        // SAFETY: the launches were checked when they were recorded; the rest is the caller's promise.
        unsafe { recording.replay() }
    }

    /// Waits for everything that was launched.
    ///
    /// ```
    /// # use modeseek::Device;
    /// # let device = Device::processor()?;
    /// # let x = device.upload(&[1.0_f32])?;
    /// # let mut y = device.zeros::<f32>(1)?;
    /// device.launch(gpu::vector::axpy::launch(2.0, &x, &mut y))?;
    /// // What went wrong in a launch is known then.
    /// device.synchronize()?;
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a launch failed.
    pub fn synchronize(&self) -> Result<()> {
        self.executor().synchronize()
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Device({})", self.describe())
    }
}
