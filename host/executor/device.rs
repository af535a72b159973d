//! The handle to an executor that users hold.

mod launches;
mod memory;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use cuda_std::launch::Limits;
use cuda_std::machine::MachineKind;

use super::cpu::{Cpu, CpuOptions};
use super::cuda::{Cuda, CudaOptions};
use super::interpreter::{Interpreter, InterpreterOptions};
use super::{Details, DeviceChoice, Executor};
use crate::error::Result;
use crate::tuning::Shapes;

/// An executor with its memory, to be shared by cloning: between fits, which otherwise open one each, and between threads.
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
#[non_exhaustive]
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

    /// The device that was chosen, or whichever there is.
    pub(crate) fn or_auto(chosen: Option<&Self>) -> Result<Self> {
        chosen.cloned().map_or_else(Self::auto, Ok)
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

    /// How many NVIDIA GPUs the driver has, whether they can be used or not; 0 where none starts.
    ///
    /// ```
    /// use modeseek::Device;
    ///
    /// assert!(Device::cuda(Device::cuda_count()).is_err());
    /// ```
    pub fn cuda_count() -> usize {
        Cuda::count()
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
    /// [`Error::NoGpu`](crate::Error::NoGpu) if there is none, or its driver's error.
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
    /// [`Error::NoGpu`](crate::Error::NoGpu) if there is none, [`Error::Module`](crate::Error::Module) if a module does not load, or the driver's error.
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
    /// [`Error::NoGpu`](crate::Error::NoGpu) if the program was built without PTX and no module is given, [`Error::UnreadablePtx`](crate::Error::UnreadablePtx) if a module of the
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

    pub(super) fn count_download(&self) {
        self.0.downloads.fetch_add(1, Relaxed);
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Device({})", self.describe())
    }
}
