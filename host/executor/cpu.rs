//! The processor as an executor: host memory, and the simulated GPU of `cpu_executor`.

use std::alloc::{Layout, LayoutError, alloc, dealloc};
use std::mem::MaybeUninit;
use std::num::NonZero;
use std::ptr::null_mut;
use std::slice;

use cpu_executor::{CpuExecutor, NoWorkers};
use cuda_std::launch::{Arg, Kernel, Limits, Prepared};
use cuda_std::machine::MachineKind;

use super::allowed::allowed;
use super::{Details, Executor};
use crate::bytes::Bytes;
use crate::error::{Error, Result};

/// How the processor is used.
///
/// ```
/// use std::num::NonZero;
///
/// use modeseek::Device;
/// use modeseek::executor::CpuOptions;
///
/// let one = Device::processor_with(CpuOptions { workers: NonZero::new(1), ..CpuOptions::default() })?;
/// assert!(one.describe().contains('1'));
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuOptions {
    /// Worker threads; one for each core unless given. Results do not depend on it.
    pub workers: Option<NonZero<usize>>,
    /// The kind of processor whose code is run; the best that runs here unless given.
    pub machine: Option<MachineKind>,
}

/// Bytes of shared memory of a block: what a core's nearest caches hold.
const SHARED_BYTES: usize = 1 << 20;

/// The most worker threads that make sense to ask for.
const MOST_WORKERS: usize = 4096;

pub(super) struct Cpu {
    executor: CpuExecutor,
}

impl Cpu {
    pub(super) fn new(options: CpuOptions) -> Result<Self> {
        let workers = options.workers.map_or(0, NonZero::get);
        if workers > MOST_WORKERS {
            return Err(Error::Option {
                option: "the number of threads",
                value: workers.to_string(),
                must: "4096 at most",
            });
        }
        let machine = options.machine.unwrap_or_else(MachineKind::of_this_processor);
        if !machine.runs_here() || machine == MachineKind::Gpu {
            return Err(Error::Option {
                option: "the kind of processor",
                value: format!("{machine:?}"),
                must: "one that this processor is",
            });
        }
        let executor =
            CpuExecutor::new(workers, machine).map_err(|NoWorkers { reason }| refused(options, reason.into()))?;
        Ok(Self { executor })
    }
}

/// That there are no threads: as many as were asked for, or one for each core.
fn refused(options: CpuOptions, cause: Box<dyn std::error::Error + Send + Sync>) -> Error {
    let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
    Error::Workers { workers: options.workers.map_or_else(cores, NonZero::get), cause }
}

/// Bytes of memory that the host has free, and lets this process take; as many as can be counted where it does not say, so
/// that the allocation itself decides.
pub(crate) fn host_memory() -> usize {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let free = match system.available_memory() {
        0 => u64::MAX,
        bytes => bytes,
    };
    let total = match system.total_memory() {
        0 => u64::MAX,
        bytes => bytes,
    };
    usize::try_from(free.min(allowed(total))).unwrap_or(usize::MAX)
}

/// Checks that the host has so much memory free, before any of it is taken, as `Device::reserve` does of a device's.
///
/// # Errors
/// [`Error::Memory`].
pub(crate) fn reserve_host(bytes: u128, what: &str, advice: &'static str) -> Result<()> {
    let available = host_memory() as u128;
    if bytes > available {
        let (device, what, needed) = ("the host".to_owned(), what.to_owned(), Bytes(bytes));
        return Err(Error::Memory { device, what, needed, available: Bytes(available), advice });
    }
    Ok(())
}

/// Bytes of a huge page of x86-64, and of AArch64 where others have 4 KiB. Buffers of no less begin with one.
const HUGE_PAGE: usize = 2 << 20;

/// There is none where no room is left to round a size up to a whole page.
fn layout(bytes: usize) -> Result<Layout, LayoutError> {
    Layout::from_size_align(bytes, if bytes < HUGE_PAGE { 256 } else { HUGE_PAGE })
}

/// Has a large buffer lie in huge pages, where the system gives them to those who ask: rows of a matrix that are far apart are
/// otherwise each on a page of its own, more than a processor knows the places of, and fresh memory costs a fault for each.
fn ask_for_huge_pages(start: *mut u8, bytes: usize) {
    #[cfg(target_os = "linux")]
    if bytes >= HUGE_PAGE {
        // A refusal changes nothing but the speed.
        // SAFETY: the bytes were allocated, and begin with a page; what they hold is not changed.
        unsafe { libc::madvise(start.cast(), bytes, libc::MADV_HUGEPAGE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (start, bytes);
}

// SAFETY: regions are allocations of their own; copies and launches have ended when they return.
unsafe impl Executor for Cpu {
    fn describe(&self) -> String {
        let kind = match self.executor.machine() {
            MachineKind::Avx512 => "AVX-512",
            MachineKind::Avx2 => "AVX2",
            MachineKind::Baseline | MachineKind::Gpu => "baseline instructions",
        };
        let workers = self.executor.workers();
        format!("processor ({workers} thread{}, {kind})", if workers == 1 { "" } else { "s" })
    }

    fn machine(&self) -> MachineKind {
        self.executor.machine()
    }

    fn limits(&self) -> Limits {
        Limits { shared_bytes: SHARED_BYTES, ..Limits::BASELINE }
    }

    fn details(&self) -> Result<Details> {
        Ok(Details::of_this_machine(self.describe(), self.available()?))
    }

    fn available(&self) -> Result<usize> {
        Ok(host_memory())
    }

    fn allocate(&self, bytes: usize) -> Result<u64> {
        // SAFETY: the size is not zero.
        let start = layout(bytes).map_or(null_mut(), |layout| unsafe { alloc(layout) });
        if start.is_null() {
            return Err(Error::Memory {
                device: self.describe(),
                what: "a buffer".to_owned(),
                needed: Bytes(bytes as u128),
                available: Bytes(self.available()? as u128),
                advice: "use fewer points, or a smaller batch",
            });
        }
        ask_for_huge_pages(start, bytes);
        Ok(start.expose_provenance() as u64)
    }

    unsafe fn free(&self, address: u64, bytes: usize) {
        let layout = layout(bytes).expect("it was allocated with the same");
        // SAFETY: `allocate` made it with the same layout; launches have ended, since they do not return before.
        unsafe { dealloc(pointer(address), layout) };
    }

    unsafe fn write(&self, address: u64, bytes: &[u8]) -> Result<()> {
        // SAFETY: the region is the caller's.
        unsafe { pointer(address).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(())
    }

    unsafe fn read(&self, address: u64, bytes: &mut [u8]) -> Result<()> {
        // SAFETY: the region is the caller's, and written.
        unsafe { pointer(address).copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }

    unsafe fn zero(&self, address: u64, bytes: usize) -> Result<()> {
        // SAFETY: the region is the caller's.
        let region = unsafe { slice::from_raw_parts_mut(pointer(address).cast::<MaybeUninit<u8>>(), bytes) };
        self.executor.clear(region);
        Ok(())
    }

    unsafe fn launch(&self, kernel: &'static Kernel, sizes: Prepared, args: &[Arg]) -> Result<()> {
        // SAFETY: the caller's promise; the launch has ended when this returns.
        Ok(unsafe { self.executor.launch(kernel, sizes, args) }?)
    }

    fn synchronize(&self) -> Result<()> {
        Ok(())
    }
}

fn pointer(address: u64) -> *mut u8 {
    std::ptr::with_exposed_provenance_mut(address as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the system was told of the memory at an address; nothing where it does not know of huge pages.
    #[cfg(target_os = "linux")]
    fn advice(address: u64) -> Option<String> {
        std::fs::metadata("/sys/kernel/mm/transparent_hugepage/enabled").ok()?;
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let holds = |line: &str| {
            let (from, to) = line.split_once(' ')?.0.split_once('-')?;
            let (from, to) = (u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?);
            (from..to).contains(&address).then_some(())
        };
        let of_it = maps.lines().skip_while(|line| holds(line).is_none());
        Some(of_it.map(str::to_owned).find(|line| line.starts_with("VmFlags")).expect("the memory is mapped"))
    }

    #[test]
    fn threads_that_are_refused_are_counted() {
        for (workers, count) in [(NonZero::new(7), 7), (None, std::thread::available_parallelism().unwrap().get())] {
            let error = refused(CpuOptions { workers, machine: None }, "there are none left".into());
            let words = format!("the system refused {count} worker threads: there are none left");
            assert!(error.to_string().starts_with(&words), "{error}");
        }
    }

    #[test]
    fn sizes_that_no_memory_has_are_told() {
        let device = crate::Device::processor().unwrap();
        // From the least that no page can be added to, to what a size does not count.
        for len in [isize::MAX as usize - HUGE_PAGE + 1, usize::MAX / 2, usize::MAX / 2 + 1, usize::MAX] {
            for made in [device.zeros::<u8>(len), device.room::<u8>(len)] {
                assert!(matches!(made.unwrap_err(), Error::Memory { needed, .. } if needed.0 == len as u128), "{len}");
            }
        }
        assert!(matches!(device.zeros::<f32>(usize::MAX / 8), Err(Error::Memory { .. })));
    }

    #[test]
    fn large_buffers_begin_with_a_huge_page_and_are_cleared_whole() {
        let cpu = Cpu::new(CpuOptions::default()).unwrap();
        for (bytes, aligned) in [(1, 256), (HUGE_PAGE - 1, 256), (HUGE_PAGE, HUGE_PAGE), (3 * HUGE_PAGE + 4, HUGE_PAGE)]
        {
            let address = cpu.allocate(bytes).unwrap();
            assert_eq!(address % aligned as u64, 0, "{bytes} bytes at {address:x}");
            #[cfg(target_os = "linux")]
            if let Some(flags) = advice(address).filter(|_| bytes >= HUGE_PAGE) {
                assert!(flags.split(' ').any(|flag| flag == "hg"), "{bytes} bytes: {flags}");
            }
            let mut read = vec![0; bytes];
            // SAFETY: the memory is this test's, of so many bytes, and freed once.
            unsafe {
                cpu.write(address, &vec![7; bytes]).unwrap();
                cpu.read(address, &mut read).unwrap();
                assert!(read.iter().all(|byte| *byte == 7), "{bytes} bytes");
                cpu.zero(address, bytes).unwrap();
                cpu.read(address, &mut read).unwrap();
                cpu.free(address, bytes);
            }
            assert!(read.iter().all(|byte| *byte == 0), "{bytes} bytes");
        }
    }
}
