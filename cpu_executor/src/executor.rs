//! The grid: blocks over all cores.

use std::cell::RefCell;
use std::mem::MaybeUninit;

use cuda_std::launch::{Arg, Kernel, Launch, Limits, Prepared};
use cuda_std::machine::MachineKind;
use rayon::prelude::*;

use crate::block::{self, BlockLaunch};
use crate::cells::OWNER;
use crate::crew;
use crate::error::{Fault, NoWorkers, RunError};
use crate::memory::SharedMemory;
use crate::panics;
use crate::share::Blocks;

/// Bytes that a worker clears at a time: a huge page's.
const PIECE: usize = 2 << 20;

thread_local! {
    static SHARED: RefCell<SharedMemory> = RefCell::default();
}

/// Runs kernels on the processor. See the [crate].
///
/// ```
/// use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::prelude::*;
///
/// #[kernel(require(x.len() == y.len()))]
/// pub unsafe fn add(x: &[f32], mut y: DisjointMut<f32>) {
///     if let Some(y) = y.own() {
///         *y += x[thread::index_1d()];
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let executor = CpuExecutor::of_this_processor()?;
/// let (x, mut y) = (Cells::new([1.0, 2.0]), Cells::new([10.0, 20.0]));
/// executor.run(add::launch(&x, &mut y))?;
/// assert_eq!(y.to_vec(), [11.0, 22.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct CpuExecutor {
    machine: MachineKind,
    pool: rayon::ThreadPool,
}

impl CpuExecutor {
    /// An executor with this many workers (0: as many as the system advises), for a kind of processor.
    ///
    /// ```
    /// use cpu_executor::CpuExecutor;
    /// use cuda_std::machine::MachineKind;
    ///
    /// // Two workers, and code that every processor of this architecture can run.
    /// let executor = CpuExecutor::new(2, MachineKind::Baseline)?;
    /// assert_eq!(executor.workers(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the system refuses the threads.
    ///
    /// # Panics
    /// If this processor is not of that kind, or the kind is the GPU.
    pub fn new(workers: usize, machine: MachineKind) -> Result<Self, NoWorkers> {
        let runs_here = machine != MachineKind::Gpu && machine.runs_here();
        assert!(runs_here, "this processor cannot run code for {machine:?}");
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(workers)
            .thread_name(|index| format!("kernel-{index}"))
            .build()
            .map_err(|error| NoWorkers { reason: error.to_string() })?;
        Ok(Self { machine, pool })
    }

    /// An executor with as many workers as the system advises, which runs the fastest code for this processor.
    ///
    /// ```
    /// use cpu_executor::CpuExecutor;
    /// use cuda_std::machine::MachineKind;
    ///
    /// assert_eq!(CpuExecutor::of_this_processor()?.machine(), MachineKind::of_this_processor());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the system refuses the threads.
    pub fn of_this_processor() -> Result<Self, NoWorkers> {
        Self::new(0, MachineKind::of_this_processor())
    }

    /// The kind of processor whose code it runs.
    ///
    /// ```
    /// use cpu_executor::CpuExecutor;
    /// use cuda_std::machine::MachineKind;
    ///
    /// assert_eq!(CpuExecutor::new(1, MachineKind::Baseline)?.machine(), MachineKind::Baseline);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn machine(&self) -> MachineKind {
        self.machine
    }

    /// How many blocks it runs at a time.
    ///
    /// ```
    /// use cpu_executor::CpuExecutor;
    ///
    /// assert!(CpuExecutor::of_this_processor()?.workers() >= 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn workers(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Makes bytes zero; many of them by all workers at once, since memory that is new costs a fault for each page.
    ///
    /// ```
    /// use std::mem::MaybeUninit;
    ///
    /// use cpu_executor::CpuExecutor;
    ///
    /// let mut bytes = [MaybeUninit::new(7_u8); 3];
    /// CpuExecutor::of_this_processor()?.clear(&mut bytes);
    /// // SAFETY: they were just written.
    /// assert_eq!(bytes.map(|byte| unsafe { byte.assume_init() }), [0; 3]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn clear(&self, bytes: &mut [MaybeUninit<u8>]) {
        let zero = MaybeUninit::new(0);
        if bytes.len() < 2 * PIECE {
            return bytes.fill(zero);
        }
        self.pool.install(|| bytes.par_chunks_mut(PIECE).for_each(|piece| piece.fill(zero)));
    }

    /// Checks a launch whose memory are [`Cells`](crate::Cells), and runs it to its end.
    ///
    /// ```
    /// use cpu_executor::{Cells, CpuExecutor};
    /// use cuda_std::prelude::*;
    ///
    /// #[kernel]
    /// pub unsafe fn increment(mut out: DisjointMut<u32>) {
    ///     if let Some(out) = out.own() {
    ///         *out += 1;
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let executor = CpuExecutor::of_this_processor()?;
    /// let mut out = Cells::filled(0, 3);
    /// for _ in 0..5 {
    ///     executor.run(increment::launch(&mut out))?;
    /// }
    /// assert_eq!(out.to_vec(), [5; 3]);
    /// # Ok(())
    /// # }
    /// ```
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
    /// ```
    /// use cpu_executor::{Cells, CpuExecutor};
    /// use cuda_std::launch::Limits;
    /// # use cuda_std::prelude::*;
    /// #
    /// # #[kernel]
    /// # pub unsafe fn increment(mut out: DisjointMut<u32>) {
    /// #     if let Some(out) = out.own() {
    /// #         *out += 1;
    /// #     }
    /// # }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let executor = CpuExecutor::of_this_processor()?;
    /// let mut out = Cells::filled(0, 3);
    /// let launch = increment::launch(&mut out);
    /// // For an executor of one's own, which checks by its own limits and owns other memory.
    /// let sizes = launch.prepare(executor.machine(), 0, &Limits::BASELINE)?;
    /// // SAFETY: the launch was made by the kernel's own function, and borrows the cells.
    /// unsafe { executor.launch(launch.kernel(), sizes, launch.args()) }?;
    /// assert_eq!(out.to_vec(), [1; 3]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A [`Fault`] of the lowest block, by index, of those that failed. Blocks that had not begun by
    /// then do not run.
    ///
    /// # Safety
    /// The arguments have the kernel's types, in order. The memory that they name is valid, and
    /// nobody else writes it, nor reads what the kernel writes, until this returns.
    pub unsafe fn launch(&self, kernel: &'static Kernel, sizes: Prepared, args: &[Arg]) -> Result<(), Fault> {
        let launch = BlockLaunch {
            kernel: kernel.name,
            entry: (kernel.entry)(self.machine),
            args,
            grid: sizes.grid,
            block: sizes.block,
        };
        let run = |number: u64, shared: &mut SharedMemory| {
            shared.reset(sizes.shared);
            let ended = block::run(&launch, number, shared);
            match (ended.is_ok(), shared.is_whole()) {
                // Apart: what a block that has ended well would move is a fault's bytes.
                (true, true) => Ok(()),
                (false, true) => ended,
                (_, false) => shared.overrun(launch.kernel, launch.index(number), ended),
            }
        };
        let count = sizes.grid.iter().map(|&blocks| u64::from(blocks)).product::<u64>();
        let workers = count.min(self.workers() as u64);
        let blocks = Blocks::new(count, workers);
        let work = || {
            let _quiet = panics::Quiet::new();
            SHARED.with_borrow_mut(|shared| blocks.work(|number| run(number, shared)));
        };
        if workers > 1 {
            crew::together(&self.pool, workers as usize - 1, &work);
        } else {
            work();
        }
        blocks.end()
    }
}
