//! A GPU made of processor cores.
//!
//! [`CpuExecutor`] runs a kernel's grid: blocks over all cores, the threads of a block one after
//! another on one core. A thread that has to wait for others of its block (a barrier, a shuffle) is
//! suspended, stack and all, and the block goes on with the next thread; a kernel without such words
//! is a plain loop. Shared memory belongs to one block at a time.
//!
//! What would be undefined on a GPU is an error here: a barrier or a shuffle that only part of its
//! threads reach, a failed bounds check, any panic, a write right behind the end of shared memory. The error names kernel, block
//! and, but for the last of these, thread.
//!
//! The first kernel that is run, or the first call of [`quietly`], wraps the process's panic hook once and for all: panics in
//! kernels print nothing, and all others reach the hook that was there.
//!
//! Blocks do not see each other's order, and nothing depends on the number of cores: the same launch
//! gives the same bits for any number of them.

mod block;
mod cells;
mod crew;
mod error;
mod executor;
mod memory;
mod panics;
mod share;
mod stacks;
mod waits;

pub use cells::Cells;
pub use error::{Fault, NoWorkers, RunError};
pub use executor::CpuExecutor;
pub use panics::quietly;

/// The examples of that page which are whole.
#[cfg(doctest)]
#[doc = include_str!("../../docs/writing-kernels.md")]
mod writing_kernels {}
