//! What can go wrong while a kernel runs.

use cuda_std::launch::{Dim3, LaunchError};
use thiserror::Error;

/// Why a launch did not end well. Memory that it was to write is left as it was at that moment.
///
/// ```
/// use cpu_executor::{Cells, CpuExecutor, Fault, RunError};
/// use cuda_std::prelude::*;
///
/// /// It reads what is not there.
/// #[kernel]
/// pub unsafe fn beyond(x: &[f32], mut out: DisjointMut<f32>) {
///     if let Some(out) = out.own() {
///         *out = x[thread::index_1d() + 1];
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (x, mut out) = (Cells::new([1.0, 2.0]), Cells::filled(0.0, 2));
/// let run = CpuExecutor::of_this_processor()?.run(beyond::launch(&x, &mut out));
/// let Err(RunError::Fault(Fault::Panic { kernel, thread, .. })) = run else { panic!("it must be found") };
/// assert_eq!((kernel, thread), ("beyond", [1, 0, 0]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Fault {
    /// A thread panicked: a bounds check failed, or an assertion.
    #[error("kernel {kernel} failed in block {block:?}, thread {thread:?}: {message}")]
    Panic {
        /// The kernel.
        kernel: &'static str,
        /// The block's position in the grid.
        block: Dim3,
        /// The thread's position in the block.
        thread: Dim3,
        /// What the panic said, and where.
        message: String,
    },
    /// Some threads of a block wait at a barrier that the others will never reach.
    #[error(
        "kernel {kernel}, block {block:?}: {waiting} threads, the first of them {thread:?}, wait at a barrier that {absent} threads never reach; every thread of a block must reach the same barriers"
    )]
    PartialBarrier {
        /// The kernel.
        kernel: &'static str,
        /// The block's position in the grid.
        block: Dim3,
        /// A thread that waits.
        thread: Dim3,
        /// How many wait.
        waiting: u32,
        /// How many are missing.
        absent: u32,
    },
    /// Some lanes of a warp wait for others that have ended, wait elsewhere, or use another mask.
    #[error(
        "kernel {kernel}, block {block:?}, thread {thread:?}: a shuffle, vote or warp barrier with the mask {mask:#010x} waits for lanes that never reach it with that mask"
    )]
    PartialWarp {
        /// The kernel.
        kernel: &'static str,
        /// The block's position in the grid.
        block: Dim3,
        /// A thread that waits.
        thread: Dim3,
        /// Its mask.
        mask: u32,
    },
    /// A block wrote behind the end of its shared memory.
    ///
    /// It is seen when the block ends, by the 512 bytes behind the end; 4 KiB are there for it, so that it does no harm to anything
    /// else. What a block reads there is not seen.
    #[error(
        "kernel {kernel}, block {block:?}: its threads wrote up to {beyond} bytes behind the end of {}, which has {bytes}; make it larger, or let `threads` and `require` keep them within it",
        if *.dynamic { "the dynamic shared memory" } else { "a `shared_array!`" }
    )]
    SharedOverrun {
        /// The kernel.
        kernel: &'static str,
        /// The block's position in the grid.
        block: Dim3,
        /// Whether it is the dynamic part, and not a `shared_array!`.
        dynamic: bool,
        /// The bytes that it has.
        bytes: usize,
        /// The bytes behind it up to the last one that was written.
        beyond: usize,
    },
    /// The system has no memory for a stack.
    #[error("kernel {kernel} needs memory for its threads that the system refuses: {reason}")]
    NoMemory {
        /// The kernel.
        kernel: &'static str,
        /// What the system said.
        reason: String,
    },
}

/// That the system refused worker threads.
///
/// ```
/// use cpu_executor::{CpuExecutor, NoWorkers, RunError};
///
/// /// What opens an executor and runs kernels has one error.
/// fn open() -> Result<CpuExecutor, RunError> {
///     Ok(CpuExecutor::of_this_processor()?)
/// }
/// assert!(open()?.workers() > 0);
/// let refused = NoWorkers { reason: "there are none left".to_owned() };
/// assert_eq!(RunError::from(refused.clone()).to_string(), refused.to_string());
/// # Ok::<(), RunError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the system refused worker threads: {reason}; ask for fewer")]
pub struct NoWorkers {
    /// What the system said.
    pub reason: String,
}

/// Why a launch was not run, or did not end well: see [`CpuExecutor::run`](crate::CpuExecutor::run).
///
/// ```
/// use cpu_executor::{Cells, CpuExecutor, RunError};
/// use cuda_std::prelude::*;
///
/// #[kernel(require(x.len() == out.len()))]
/// pub unsafe fn copy(x: &[f32], mut out: DisjointMut<f32>) {
///     if let Some(out) = out.own() {
///         *out = x[thread::index_1d()];
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (x, mut out) = (Cells::new([1.0]), Cells::filled(0.0, 2));
/// let run = CpuExecutor::of_this_processor()?.run(copy::launch(&x, &mut out));
/// assert!(matches!(run, Err(RunError::Launch(_))));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RunError {
    /// It does not fit the kernel's rules, or this executor.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// It went wrong while it ran.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// There was nothing to run it on.
    #[error(transparent)]
    Workers(#[from] NoWorkers),
}
