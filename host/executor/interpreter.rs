//! The PTX itself, run by an interpreter that checks every access.
//!
//! What CI has in place of a GPU, and a kernel writer in place of compute-sanitizer: the kernels run as
//! the compiler made them, and an access out of bounds, a read of what nobody wrote, a data race or a
//! barrier that not all reach is an error with kernel, line, block and thread.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cuda_std::launch::{Arg, Kernel, Limits, Prepared};
use cuda_std::machine::MachineKind;
use ptx_interpreter::{Argument, Gpu, Grid, Module, Options};

use super::Executor;
use super::cpu::host_memory;
use super::ptx::{self, PTX, PTX_ORIGIN};
use crate::error::{Error, Result};

/// How the interpreter runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterpreterOptions {
    /// The GPU that it stands for, as compute capability times ten: 75 and 90 have PTX of their own.
    pub compute: u32,
    /// Where the schedule of threads starts from: the same seed gives the same run, and a kernel must
    /// give the same result for all of them.
    pub seed: u64,
}

impl Default for InterpreterOptions {
    fn default() -> Self {
        Self { compute: 90, seed: 1 }
    }
}

pub(super) struct Interpreter {
    compute: u32,
    state: Mutex<State>,
}

struct State {
    gpu: Gpu,
    modules: HashMap<&'static str, Module>,
}

impl Interpreter {
    pub(super) fn new(InterpreterOptions { compute, seed }: InterpreterOptions) -> Result<Self> {
        if PTX.is_empty() {
            return Err(Error::NoGpu { reason: format!("the program was built without PTX ({PTX_ORIGIN})") });
        }
        let gpu = Gpu::with_options(Options { seed, ..Options::default() });
        Ok(Self { compute, state: Mutex::new(State { gpu, modules: HashMap::new() }) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Executor for Interpreter {
    fn describe(&self) -> String {
        format!("PTX interpreter (compute capability {}.{})", self.compute / 10, self.compute % 10)
    }

    fn machine(&self) -> MachineKind {
        MachineKind::Gpu
    }

    fn limits(&self) -> Limits {
        Limits::BASELINE
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
        let newest = (u32::MAX, 0);
        let module = ptx::module_for(PTX, kernel.name, self.compute, newest).ok_or(Error::NoPtx {
            kernel: kernel.name,
            compute: self.compute,
            origin: PTX_ORIGIN,
        })?;
        let State { gpu, modules } = &mut *self.state();
        if !modules.contains_key(module.family) {
            modules.insert(module.family, Module::parse(module.text)?);
        }
        let arguments: Vec<Argument<'_>> = args.iter().flat_map(arguments).collect();
        let grid = Grid { grid: sizes.grid, block: sizes.block, dynamic_shared: sizes.shared as u32 };
        gpu.launch(&modules[module.family], kernel.name, grid, &arguments)?;
        Ok(())
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
