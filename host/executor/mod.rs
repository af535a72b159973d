//! What runs kernels: a GPU, the processor, or an interpreter of the PTX. One trait, one handle, one kind of buffer.
//!
//! ```
//! use modeseek::Device;
//!
//! # fn main() -> Result<(), modeseek::Error> {
//! let device = Device::auto()?;
//! let x = device.upload(&[1.0_f32, 2.0, 3.0])?;
//! let mut y = device.zeros::<f32>(3)?;
//! device.launch(gpu::vector::axpy::launch(2.0, &x, &mut y))?;
//! assert_eq!(device.download(&y)?, [2.0, 4.0, 6.0]);
//! # Ok(())
//! # }
//! ```
//!
//! Launches of one device run one after another, in order; a GPU runs them while the host goes on,
//! until something is downloaded.

mod allowed;
mod buffer;
mod choice;
mod cpu;
mod cuda;
mod details;
mod device;
mod download;
mod interpreter;
pub mod nvtx;
pub mod ptx;

use std::time::{Duration, Instant};

use cuda_std::launch::{Arg, Kernel, Limits, Prepared};
use cuda_std::machine::MachineKind;

pub use buffer::{Buffer, Slice, SliceMut};
pub use choice::DeviceChoice;
pub use cpu::CpuOptions;
pub(crate) use cpu::{host_memory, reserve_host};
pub use cuda::CudaOptions;
pub use details::Details;
pub use device::{Counts, Device};
pub(crate) use download::Download;
pub use interpreter::InterpreterOptions;

use crate::error::Result;

/// Something that has memory and runs kernels.
///
/// Addresses and sizes are in bytes. Whoever calls these functions keeps to regions that `allocate`
/// gave and `free` did not take; [`Device`] and [`Buffer`] do.
///
/// # Safety
/// What unsafe code believes of an executor holds:
/// - A region that [`allocate`](Self::allocate) gave is aligned to 256 bytes, is as long as was asked for, and is nobody else's until
///   it is freed. If [`machine`](Self::machine) is a processor's, it is memory of this process, whose address is exposed.
/// - [`write`](Self::write), [`read`](Self::read), [`begin_read`](Self::begin_read) and [`zero`](Self::zero) touch nothing but the
///   region they are given and the slice. Where they return `Ok`, all of it has been copied or filled, in the order of launches
///   and copies; so has what [`Reading::wait`] hands over, which is as many bytes as were asked for.
/// - [`launch`](Self::launch) runs the kernel with these sizes and arguments and has it touch no memory but theirs; launches run one
///   after another, in order, a [`Recording`]'s among them. None is running any more when [`synchronize`](Self::synchronize) returns.
/// - [`limits`](Self::limits) and [`machine`](Self::machine) are the same at every call.
///
/// ```
/// use cpu_executor::CpuExecutor;
/// use cuda_std::launch::{Arg, Kernel, Limits, Prepared};
/// use cuda_std::machine::MachineKind;
/// use modeseek::executor::{Details, Executor};
/// use modeseek::{Device, Result};
///
/// /// A processor whose memory is the program's own, in pieces that are never given back.
/// struct Leaky(CpuExecutor);
///
/// // SAFETY: regions are pieces of their own that nobody frees; copies and launches end before they return.
/// unsafe impl Executor for Leaky {
///     fn describe(&self) -> String {
///         "a processor that forgets nothing".to_owned()
///     }
///
///     fn machine(&self) -> MachineKind {
///         self.0.machine()
///     }
///
///     fn limits(&self) -> Limits {
///         Limits::BASELINE
///     }
///
///     fn details(&self) -> Result<Details> {
///         Device::processor()?.details()
///     }
///
///     fn available(&self) -> Result<usize> {
///         Ok(1 << 30)
///     }
///
///     fn allocate(&self, bytes: usize) -> Result<u64> {
///         // So long that some address in it is a multiple of 256.
///         let room = Box::leak(vec![0_u8; bytes + 256].into_boxed_slice());
///         Ok((room.as_mut_ptr().expose_provenance() as u64).next_multiple_of(256))
///     }
///
///     unsafe fn free(&self, _address: u64, _bytes: usize) {}
///
///     unsafe fn write(&self, address: u64, bytes: &[u8]) -> Result<()> {
///         let to: *mut u8 = std::ptr::with_exposed_provenance_mut(address as usize);
///         // SAFETY: the region is the caller's.
///         unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
///         Ok(())
///     }
///
///     unsafe fn read(&self, address: u64, bytes: &mut [u8]) -> Result<()> {
///         let from: *const u8 = std::ptr::with_exposed_provenance(address as usize);
///         // SAFETY: the region is the caller's, and was written.
///         unsafe { from.copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) };
///         Ok(())
///     }
///
///     unsafe fn zero(&self, address: u64, bytes: usize) -> Result<()> {
///         let start: *mut u8 = std::ptr::with_exposed_provenance_mut(address as usize);
///         // SAFETY: the region is the caller's.
///         unsafe { start.write_bytes(0, bytes) };
///         Ok(())
///     }
///
///     unsafe fn launch(&self, kernel: &'static Kernel, sizes: Prepared, args: &[Arg]) -> Result<()> {
///         // SAFETY: the caller's promise; the launch has ended when this returns.
///         Ok(unsafe { self.0.launch(kernel, sizes, args) }?)
///     }
///
///     fn synchronize(&self) -> Result<()> {
///         Ok(())
///     }
/// }
///
/// let executor = Leaky(CpuExecutor::new(1, MachineKind::Baseline).expect("a thread"));
/// let device = Device::new(Box::new(executor), "to show how".to_owned());
/// let x = device.upload(&[1.0_f32, 2.0])?;
/// let mut y = device.zeros::<f32>(2)?;
/// device.launch(gpu::vector::axpy::launch(2.0, &x, &mut y))?;
/// assert_eq!(device.download(&y)?, [2.0, 4.0]);
/// # Ok::<(), modeseek::Error>(())
/// ```
pub unsafe trait Executor: Send + Sync {
    /// What it is, for a person: a GPU's name, or the processor's kind and workers.
    fn describe(&self) -> String;

    /// Which copy of a kernel it runs.
    fn machine(&self) -> MachineKind;

    /// What it can launch.
    fn limits(&self) -> Limits;

    /// What it is, for a record.
    fn details(&self) -> Result<Details>;

    /// Bytes of memory that are free now.
    fn available(&self) -> Result<usize>;

    /// Takes memory, aligned to 256 bytes. On a GPU it may be read, whatever it holds; a processor's is undefined until it is
    /// written. `bytes` is not zero.
    fn allocate(&self, bytes: usize) -> Result<u64>;

    /// Gives memory back, when the launches and copies that use it have ended.
    ///
    /// # Safety
    /// `allocate` gave the address for this many bytes, and nothing uses it any more.
    unsafe fn free(&self, address: u64, bytes: usize);

    /// Copies from the host.
    ///
    /// # Safety
    /// The region is the caller's.
    unsafe fn write(&self, address: u64, bytes: &[u8]) -> Result<()>;

    /// Copies to the host, after everything that was launched before.
    ///
    /// # Safety
    /// The region is the caller's, and has been written.
    unsafe fn read(&self, address: u64, bytes: &mut [u8]) -> Result<()>;

    /// Begins to copy to the host what the region holds after everything that was launched before, and before everything
    /// that is launched later. Unless an executor says otherwise it has copied when this returns.
    ///
    /// # Safety
    /// As for [`read`](Self::read).
    unsafe fn begin_read<'a>(&'a self, address: u64, bytes: usize) -> Result<Box<dyn Reading + 'a>> {
        let mut copied = vec![0; bytes];
        // SAFETY: the caller's promise.
        unsafe { self.read(address, &mut copied)? };
        Ok(Box::new(Copied(copied)))
    }

    /// Fills with zeros.
    ///
    /// # Safety
    /// The region is the caller's.
    unsafe fn zero(&self, address: u64, bytes: usize) -> Result<()>;

    /// Runs a kernel, or begins to.
    ///
    /// # Safety
    /// The arguments have the kernel's types; the memory that they name is the caller's, and stays so
    /// until the next call of `read` or `synchronize` has returned.
    unsafe fn launch(&self, kernel: &'static Kernel, sizes: Prepared, args: &[Arg]) -> Result<()>;

    /// Whether it can run a kernel at all: a GPU may be too old for one.
    fn has(&self, _kernel: &'static Kernel) -> bool {
        true
    }

    /// The most threads that a block of a kernel may have: a GPU may not have registers for as many as it can launch.
    fn most_threads(&self, _kernel: &'static Kernel) -> Result<u32> {
        Ok(self.limits().threads)
    }

    /// Makes a kernel's code ready now rather than at its first launch, and tells how long that took.
    fn load(&self, _kernel: &'static Kernel) -> Result<Duration> {
        Ok(Duration::ZERO)
    }

    /// Begins to make the code of kernels ready that are going to be launched, beside what the caller does next.
    fn prepare(&self, _kernels: &[&'static Kernel]) {}

    /// Does some work, and tells how long the device took for what the work launched.
    fn timed(&self, work: Box<dyn FnOnce() -> Result<()> + '_>) -> Result<Duration> {
        self.synchronize()?;
        let start = Instant::now();
        work()?;
        self.synchronize()?;
        Ok(start.elapsed())
    }

    /// Records what some work launches, so that a single call runs it again. `None`, and nothing has run, where launches
    /// cost so little that there is nothing to gain, or cannot be recorded now.
    ///
    /// The work does nothing but launch kernels that were launched before.
    fn record<'a>(&'a self, _work: Box<dyn FnOnce() -> Result<()> + '_>) -> Result<Option<Box<dyn Recording + 'a>>> {
        Ok(None)
    }

    /// Waits for everything that was launched.
    fn synchronize(&self) -> Result<()>;
}

/// A copy to the host that was begun.
///
/// ```
/// use modeseek::Result;
/// use modeseek::executor::Reading;
///
/// /// Bytes that have come already.
/// struct Ready(Vec<u8>);
///
/// impl Reading for Ready {
///     fn wait(self: Box<Self>, take: &mut dyn FnMut(&[u8])) -> Result<()> {
///         take(&self.0);
///         Ok(())
///     }
/// }
///
/// let mut got = Vec::new();
/// Box::new(Ready(vec![1, 2])).wait(&mut |bytes| got.extend_from_slice(bytes))?;
/// assert_eq!(got, [1, 2]);
/// # Ok::<(), modeseek::Error>(())
/// ```
pub trait Reading {
    /// Waits for it, and hands its bytes over.
    fn wait(self: Box<Self>, take: &mut dyn FnMut(&[u8])) -> Result<()>;
}

/// One that has ended.
struct Copied(Vec<u8>);

impl Reading for Copied {
    fn wait(self: Box<Self>, take: &mut dyn FnMut(&[u8])) -> Result<()> {
        take(&self.0);
        Ok(())
    }
}

/// Launches that an executor has recorded.
///
/// ```
/// use std::cell::Cell;
///
/// use modeseek::Result;
/// use modeseek::executor::Recording;
///
/// /// A recording of nothing, which counts.
/// struct Counted(Cell<u32>);
///
/// impl Recording for Counted {
///     unsafe fn replay(&self) -> Result<()> {
///         self.0.set(self.0.get() + 1);
///         Ok(())
///     }
/// }
///
/// let recording = Counted(Cell::new(0));
/// // SAFETY: it launches nothing.
/// unsafe { recording.replay()? };
/// assert_eq!(recording.0.get(), 1);
/// # Ok::<(), modeseek::Error>(())
/// ```
pub trait Recording {
    /// Runs them in their order, or begins to.
    ///
    /// # Safety
    /// As for [`Executor::launch`], for each of them.
    unsafe fn replay(&self) -> Result<()>;
}
