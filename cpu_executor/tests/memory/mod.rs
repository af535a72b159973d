//! Memory for the tests' kernels, and a way to launch them.
#![allow(dead_code)]

use std::ptr::NonNull;

use cpu_executor::{CpuExecutor, Fault};
use cuda_std::launch::{DeviceCopy, DeviceSlice, DeviceSliceMut, Launch, Limits, Region};
use cuda_std::machine::MachineKind;

/// The number under which this memory is known to a launch.
const OWNER: u64 = 7;

/// Cells that kernels read and write.
pub struct Memory<T> {
    cells: NonNull<[T]>,
}

impl<T: DeviceCopy> Memory<T> {
    pub fn new(cells: impl Into<Vec<T>>) -> Self {
        let cells = Box::into_raw(cells.into().into_boxed_slice());
        Self { cells: NonNull::new(cells).expect("a box is not null") }
    }

    pub fn filled(value: T, len: usize) -> Self {
        Self::new(vec![value; len])
    }

    pub fn to_vec(&self) -> Vec<T> {
        // SAFETY: the cells came from a box, and no launch outlives the call that runs it.
        unsafe { self.cells.as_ref() }.to_vec()
    }
}

impl<T> Drop for Memory<T> {
    fn drop(&mut self) {
        // SAFETY: the cells came from a box, and are freed once.
        drop(unsafe { Box::from_raw(self.cells.as_ptr()) });
    }
}

// SAFETY: the cells live as long as the value, and only launches that borrow it write them.
unsafe impl<T: DeviceCopy> DeviceSlice<T> for Memory<T> {
    fn region(&self) -> Region {
        let address = self.cells.cast::<T>().as_ptr().expose_provenance() as u64;
        Region { address, len: self.cells.len(), owner: OWNER }
    }
}

// SAFETY: as above; a launch borrows the value mutably.
unsafe impl<T: DeviceCopy> DeviceSliceMut<T> for Memory<T> {}

/// The executor that most tests use: two workers, the best code for this processor.
pub fn executor() -> CpuExecutor {
    executor_of(2)
}

pub fn executor_of(workers: usize) -> CpuExecutor {
    CpuExecutor::new(workers, MachineKind::of_this_processor()).expect("the system gives threads")
}

/// Checks and runs a launch.
pub fn run(executor: &CpuExecutor, launch: Launch<'_>) -> Result<(), Fault> {
    let sizes = launch.prepare(executor.machine(), OWNER, &Limits::BASELINE).unwrap_or_else(|error| panic!("{error}"));
    // SAFETY: the launch was made by a kernel's own `launch`, and borrows the memory that it names.
    unsafe { executor.launch(launch.kernel(), sizes, launch.args()) }
}
