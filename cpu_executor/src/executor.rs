//! The grid: blocks over all cores.

use std::cell::RefCell;

use cuda_std::launch::{Arg, Kernel, Launch, Limits, Prepared};
use cuda_std::machine::MachineKind;
use rayon::prelude::*;

use crate::block::{self, BlockLaunch};
use crate::cells::OWNER;
use crate::error::{Fault, RunError};
use crate::memory::SharedMemory;

thread_local! {
    static SHARED: RefCell<SharedMemory> = RefCell::default();
}

/// Runs kernels on the processor. See the [crate].
#[derive(Debug)]
pub struct CpuExecutor {
    machine: MachineKind,
    pool: rayon::ThreadPool,
}

impl CpuExecutor {
    /// An executor with this many workers (0: as many as the system advises), for a kind of processor.
    ///
    /// # Errors
    /// If the system refuses the threads.
    ///
    /// # Panics
    /// If this processor is not of that kind, or the kind is the GPU.
    pub fn new(workers: usize, machine: MachineKind) -> Result<Self, rayon::ThreadPoolBuildError> {
        let runs_here = machine != MachineKind::Gpu && machine.runs_here();
        assert!(runs_here, "this processor cannot run code for {machine:?}");
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(workers)
            .thread_name(|index| format!("kernel-{index}"))
            .build()?;
        Ok(Self { machine, pool })
    }

    /// An executor with as many workers as the system advises, which runs the fastest code for this processor.
    ///
    /// # Errors
    /// If the system refuses the threads.
    pub fn of_this_processor() -> Result<Self, rayon::ThreadPoolBuildError> {
        Self::new(0, MachineKind::of_this_processor())
    }

    /// The kind of processor whose code it runs.
    pub fn machine(&self) -> MachineKind {
        self.machine
    }

    /// How many blocks it runs at a time.
    pub fn workers(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Checks a launch whose memory are [`Cells`](crate::Cells), and runs it to its end.
    ///
    /// # Errors
    /// [`RunError::Launch`] before it begins, for other memory too; [`RunError::Fault`] as it runs.
    pub fn run(&self, launch: Launch<'_>) -> Result<(), RunError> {
        let sizes = launch.prepare(self.machine, OWNER, &Limits::BASELINE)?;
        // SAFETY: the launch was made by the kernel's typed `launch` from cells that it borrows: `prepare` has found
        // no others.
        Ok(unsafe { self.launch(launch.kernel(), sizes, launch.args()) }?)
    }

    /// Runs a launch to its end.
    ///
    /// # Errors
    /// A [`Fault`] of the lowest block, by index, of those that failed. Blocks that had not begun by
    /// then do not run.
    ///
    /// # Safety
    /// The arguments have the kernel's types, in order. The memory that they name is valid, and
    /// nobody else writes it, nor reads what the kernel writes, until this returns.
    pub unsafe fn launch(&self, kernel: &'static Kernel, sizes: Prepared, args: &[Arg]) -> Result<(), Fault> {
        let [x, y, z] = sizes.grid.map(u64::from);
        let launch = BlockLaunch {
            kernel: kernel.name,
            entry: (kernel.entry)(self.machine),
            args,
            grid: sizes.grid,
            block: sizes.block,
        };
        let fault = |number: u64| {
            let index = [(number % x) as u32, (number / x % y) as u32, (number / x / y) as u32];
            SHARED.with_borrow_mut(|shared| {
                shared.reset(sizes.shared);
                block::run(launch, index, shared).err()
            })
        };
        let first = self.pool.install(|| (0..x * y * z).into_par_iter().find_map_first(fault));
        first.map_or(Ok(()), Err)
    }
}
