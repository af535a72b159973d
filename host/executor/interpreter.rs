//! The PTX itself, run by an interpreter that checks every access.
//!
//! What CI has in place of a GPU, and a kernel writer in place of compute-sanitizer: the kernels run as
//! the compiler made them, and an access out of bounds, a read of what nobody wrote, a data race or a
//! barrier that not all reach is an error with kernel, line, block and thread.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cuda_std::launch::{Arg, Kernel, Limits, Prepared};
use cuda_std::machine::MachineKind;
use ptx_interpreter::{Argument, Gpu, Grid, Limits as GpuLimits, Module, Options};

use super::cpu::host_memory;
use super::ptx::{self, PTX, PTX_ORIGIN};
use super::{Details, Executor};
use crate::error::{Error, Result};

/// How the interpreter runs.
///
/// ```
/// use modeseek::Device;
/// use modeseek::executor::InterpreterOptions;
///
/// # if modeseek::executor::ptx::PTX.is_empty() { return Ok::<(), modeseek::Error>(()) }
/// // The same bits for any schedule of threads.
/// let run = |seed| {
///     let device = Device::interpreter(InterpreterOptions { seed, ..InterpreterOptions::default() })?;
///     let x = device.upload(&[1.0_f32, 2.0])?;
///     let mut y = device.zeros::<f32>(2)?;
///     device.launch(gpu::vector::axpy::launch(2.0, &x, &mut y))?;
///     device.download(&y)
/// };
/// assert_eq!(run(1)?, run(2)?);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterpreterOptions {
    /// The GPU that it stands for, as compute capability times ten: 75, 80 and 90 have PTX of their own, and 90 some that no
    /// newer GPU runs.
    pub compute: u32,
    /// Where the schedule of threads starts from: the same seed gives the same run, and a kernel must
    /// give the same result for all of them.
    pub seed: u64,
    /// PTX texts whose kernels take the place of the program's own kernels of the same names, or are launched beside them. The
    /// first that has a kernel is the one that counts.
    pub modules: Vec<String>,
}

impl Default for InterpreterOptions {
    fn default() -> Self {
        Self { compute: 90, seed: 1, modules: Vec::new() }
    }
}

pub(super) struct Interpreter {
    compute: u32,
    state: Mutex<State>,
}

struct State {
    gpu: Gpu,
    /// Modules of others, in which kernels are looked for first.
    foreign: Vec<Module>,
    modules: HashMap<&'static str, Module>,
}

impl Interpreter {
    pub(super) fn new(InterpreterOptions { compute, seed, modules }: InterpreterOptions) -> Result<Self> {
        if PTX.is_empty() && modules.is_empty() {
            return Err(Error::NoGpu { reason: format!("the program was built without PTX ({PTX_ORIGIN})") });
        }
        let limits = GpuLimits::for_target(&format!("sm_{compute}"));
        let gpu = Gpu::with_options(Options { seed, limits, ..Options::default() });
        let foreign = modules.iter().map(|text| parse(text)).collect::<Result<_>>()?;
        Ok(Self { compute, state: Mutex::new(State { gpu, foreign, modules: HashMap::new() }) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn parse(text: &str) -> Result<Module> {
    Module::parse(text).map_err(Error::UnreadablePtx)
}

impl State {
    /// Reads the module that has a kernel, if that was not done yet.
    fn load(&mut self, kernel: &'static Kernel, compute: u32) -> Result<(&mut Gpu, &Module)> {
        let Self { gpu, foreign, modules } = self;
        if let Some(module) = foreign.iter().find(|module| module.kernel(kernel.name).is_some()) {
            return Ok((gpu, module));
        }
        let newest = (u32::MAX, 0);
        let module =
            ptx::module_for(PTX, kernel.name, compute, newest).ok_or_else(|| ptx::no_module(kernel.name, compute))?;
        if !modules.contains_key(module.name()) {
            modules.insert(module.name(), parse(module.text)?);
        }
        Ok((gpu, &modules[module.name()]))
    }
}

// SAFETY: the interpreter checks every access of a kernel and of a copy against the regions that it gave, and has ended each when it
// returns.
unsafe impl Executor for Interpreter {
    fn describe(&self) -> String {
        format!("PTX interpreter (compute capability {}.{})", self.compute / 10, self.compute % 10)
    }

    fn machine(&self) -> MachineKind {
        MachineKind::Gpu
    }

    fn limits(&self) -> Limits {
        let shared_bytes = GpuLimits::for_target(&format!("sm_{}", self.compute)).shared as usize;
        Limits { shared_bytes, ..Limits::BASELINE }
    }

    fn details(&self) -> Result<Details> {
        let compute_capability = Some((self.compute / 10, self.compute % 10));
        Ok(Details { compute_capability, ..Details::of_this_machine(self.describe(), self.available()?) })
    }

    fn available(&self) -> Result<usize> {
        Ok(host_memory())
    }

    fn allocate(&self, bytes: usize) -> Result<u64> {
        Ok(self.state().gpu.alloc_bytes(bytes)?)
    }

    unsafe fn free(&self, address: u64, _bytes: usize) {
        // The address came from `allocate`; were it wrong, the next access would say so.
        let _ = self.state().gpu.free(address);
    }

    unsafe fn write(&self, address: u64, bytes: &[u8]) -> Result<()> {
        Ok(self.state().gpu.write_bytes(address, bytes)?)
    }

    unsafe fn read(&self, address: u64, bytes: &mut [u8]) -> Result<()> {
        Ok(self.state().gpu.read_bytes(address, bytes)?)
    }

    unsafe fn zero(&self, address: u64, bytes: usize) -> Result<()> {
        Ok(self.state().gpu.fill(address, bytes, 0)?)
    }

    unsafe fn launch(&self, kernel: &'static Kernel, sizes: Prepared, args: &[Arg]) -> Result<()> {
        let mut state = self.state();
        let (gpu, module) = state.load(kernel, self.compute)?;
        let arguments: Vec<Argument<'_>> = args.iter().flat_map(arguments).collect();
        let grid = Grid { grid: sizes.grid, block: sizes.block, dynamic_shared: sizes.shared as u32 };
        gpu.launch(module, kernel.name, grid, &arguments)?;
        Ok(())
    }

    fn has(&self, kernel: &'static Kernel) -> bool {
        let foreign = self.state().foreign.iter().any(|module| module.kernel(kernel.name).is_some());
        foreign || ptx::module_for(PTX, kernel.name, self.compute, (u32::MAX, 0)).is_some()
    }

    fn load(&self, kernel: &'static Kernel) -> Result<Duration> {
        let start = Instant::now();
        self.state().load(kernel, self.compute)?;
        Ok(start.elapsed())
    }

    fn synchronize(&self) -> Result<()> {
        Ok(())
    }
}

/// The parameters of the entry that an argument becomes: a slice is its address and its length.
fn arguments(arg: &Arg) -> Vec<Argument<'_>> {
    match arg {
        Arg::Scalar { bytes, size } => vec![Argument::Bytes(&bytes[..*size])],
        Arg::Pointer(region) => vec![Argument::U64(region.address)],
        Arg::Slice(region) => vec![Argument::U64(region.address), Argument::U64(region.len as u64)],
    }
}
