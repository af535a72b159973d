//! One block: its threads take turns on one core.
//!
//! A stack runs threads one after another until one of them has to wait; then a fresh stack goes on
//! with the block's next thread. A block that never waits therefore needs one stack and no switch,
//! and one whose threads all wait needs a stack a thread. When every thread has begun, those whose
//! wait is over are resumed in the order of their ranks, so a block always runs the same way.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use corosensei::CoroutineResult;
use cuda_std::launch::{Arg, Dim3};
use cuda_std::processor::{Block, Entry};

use crate::error::Fault;
use crate::memory::SharedMemory;
use crate::panics;
use crate::stacks::{self, NOTHING, Order, Pause, Stack, Work};
use crate::waits::{Waits, lanes};

/// A launch as every block of it sees it.
pub struct BlockLaunch<'a> {
    pub kernel: &'static str,
    pub entry: Entry,
    pub args: &'a [Arg],
    pub grid: Dim3,
    pub block: Dim3,
}

impl BlockLaunch<'_> {
    /// Where a block stands in the grid, of those along x first. Divisions take as long as the threads of a small block.
    #[inline(always)]
    pub fn index(&self, number: u64) -> Dim3 {
        let [x, y, z] = self.grid.map(u64::from);
        match (y, z) {
            (1, 1) => [number as u32, 0, 0],
            _ => [(number % x) as u32, (number / x % y) as u32, (number / x / y) as u32],
        }
    }
}

/// Runs a block, by its number in the grid.
pub fn run(launch: &BlockLaunch<'_>, number: u64, shared: &SharedMemory) -> Result<(), Fault> {
    let index = launch.index(number);
    let waits = Waits::new(launch.block.iter().product(), shared);
    let block = Block::new(index, launch.block, launch.grid, &waits);
    // SAFETY: the scheduler, which borrows block and waits, owns the stacks that run them until they have ended. The launch was made
    // by the kernel's own typed `launch`; its executor keeps the memory that it names valid until it has ended.
    let work = unsafe { Work::new(launch.entry, launch.args, &block, &waits) };
    Scheduler { launch, block: &block, waits: &waits, work, suspended: Vec::new() }.run()
}

struct Scheduler<'a> {
    launch: &'a BlockLaunch<'a>,
    block: &'a Block<'a>,
    waits: &'a Waits<'a>,
    work: Work,
    /// Suspended stacks, by the rank of the thread that waits on each.
    suspended: Vec<Option<Box<Stack>>>,
}

impl Drop for Scheduler<'_> {
    fn drop(&mut self) {
        self.waits.end_block();
    }
}

impl Scheduler<'_> {
    fn run(mut self) -> Result<(), Fault> {
        // Once for the block: a switch of stacks returns to where it was made, and each return from a call in between is one that a
        // processor does not foresee.
        match catch_unwind(AssertUnwindSafe(|| self.all())) {
            Ok(ended) => ended,
            Err(payload) => Err(self.panicked(&*payload)),
        }
    }

    /// Runs all threads to their ends. What one of them panics with goes on from here.
    fn all(&mut self) -> Result<(), Fault> {
        while self.block.begun() < self.block.threads() {
            self.begin()?;
        }
        while self.waits.waiting() > 0 {
            if !self.resume_lanes() && !self.resume_barrier() {
                return Err(self.stuck());
            }
        }
        Ok(())
    }

    /// Runs the next threads, until one of them waits or none is left.
    fn begin(&mut self) -> Result<(), Fault> {
        let kernel = self.launch.kernel;
        let mut stack = stacks::take().map_err(|error| Fault::NoMemory { kernel, reason: error.to_string() })?;
        if ends(&mut stack, Some(NonNull::from(&self.work))) {
            stacks::give(stack);
            return Ok(());
        }
        if self.suspended.is_empty() {
            self.suspended.resize_with(self.block.threads() as usize, || None);
        }
        self.suspended[self.waits.last()] = Some(stack);
        Ok(())
    }

    /// Resumes the lanes of every exchange that is complete; false if there is none.
    fn resume_lanes(&mut self) -> bool {
        let mut any = false;
        for warp in 0..self.waits.warps() {
            let Some(mask) = self.waits.end_exchange(warp) else { continue };
            any = true;
            for lane in lanes(mask) {
                self.resume(warp * 32 + lane);
            }
        }
        any
    }

    /// Resumes the whole block if all of it is at the barrier; false if not.
    fn resume_barrier(&mut self) -> bool {
        let threads = self.block.threads();
        if self.waits.at_barrier() < threads {
            return false;
        }
        self.waits.end_barrier();
        for rank in 0..threads as usize {
            self.resume(rank);
        }
        true
    }

    /// Lets a thread whose wait is over go on until it waits again or ends. By now every thread has
    /// begun, so its stack has no other to run.
    #[inline(always)]
    fn resume(&mut self, rank: usize) {
        let place = &mut self.suspended[rank];
        if ends(place.as_mut().expect("a waiting thread has a stack"), NOTHING) {
            stacks::give(place.take().expect("the stack that ran"));
        }
    }

    fn panicked(&self, payload: &(dyn Any + Send)) -> Fault {
        let thread = self.block.panicked().unwrap_or(0);
        Fault::Panic {
            kernel: self.launch.kernel,
            block: self.block.index,
            thread: self.block.thread_index(thread),
            message: panics::message(payload),
        }
    }

    /// Why nothing can go on.
    fn stuck(&self) -> Fault {
        let (kernel, block) = (self.launch.kernel, self.block.index);
        if let Some((rank, mask)) = self.waits.first_in_exchange() {
            return Fault::PartialWarp { kernel, block, thread: self.block.thread_index(rank), mask };
        }
        let waiting = self.waits.at_barrier();
        let thread = self.block.thread_index(self.waits.first_at_barrier().unwrap_or(0));
        Fault::PartialBarrier { kernel, block, thread, waiting, absent: self.block.threads() - waiting }
    }
}

/// Lets a stack run until one of its threads waits, or all have ended: whether they have. One that panicked is done for.
#[inline(always)]
fn ends(stack: &mut Stack, order: Order) -> bool {
    !matches!(stack.resume(order), CoroutineResult::Yield(Pause::Waits))
}
