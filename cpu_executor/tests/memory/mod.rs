//! Memory for the tests' kernels, and a way to launch them.
#![allow(dead_code, unused_imports)]

pub use cpu_executor::Cells as Memory;
use cpu_executor::{CpuExecutor, Fault, RunError};
use cuda_std::launch::Launch;
use cuda_std::machine::MachineKind;

/// The executor that most tests use: two workers, the best code for this processor.
pub fn executor() -> CpuExecutor {
    executor_of(2)
}

pub fn executor_of(workers: usize) -> CpuExecutor {
    CpuExecutor::new(workers, MachineKind::of_this_processor()).expect("the system gives threads")
}

/// Checks and runs a launch.
pub fn run(executor: &CpuExecutor, launch: Launch<'_>) -> Result<(), Fault> {
    match executor.run(launch) {
        Ok(()) => Ok(()),
        Err(RunError::Fault(fault)) => Err(fault),
        Err(error) => panic!("{error}"),
    }
}
