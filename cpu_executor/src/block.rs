//! One block: its threads take turns on one core.
//!
//! A stack runs threads one after another until one of them has to wait; then a fresh stack goes on
//! with the block's next thread. A block that never waits therefore needs one stack and no switch,
//! and one whose threads all wait needs a stack a thread. When every thread has begun, those whose
//! wait is over are resumed in the order of their ranks, so a block always runs the same way.

use std::cell::{Cell, RefCell};

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use cuda_std::launch::{Arg, Dim3};
use cuda_std::processor::{Block, Entry, Wait};

use crate::error::Fault;
use crate::memory::SharedMemory;
use crate::{panics, stacks};

type Stack = Coroutine<(), (), (), DefaultStack>;

/// What a suspended thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    /// The whole block.
    Barrier,
    /// The lanes of a mask of its warp.
    Lanes(u32),
}

/// A launch as every block of it sees it.
#[derive(Clone, Copy)]
pub struct BlockLaunch<'a> {
    pub kernel: &'static str,
    pub entry: Entry,
    pub args: &'a [Arg],
    pub grid: Dim3,
    pub block: Dim3,
}

/// Runs the block at `index`.
pub fn run(launch: BlockLaunch<'_>, index: Dim3, shared: &SharedMemory) -> Result<(), Fault> {
    let waits = Waits::new(launch.block.iter().product(), shared);
    let block = Block::new(index, launch.block, launch.grid, &waits);
    let _quiet = panics::Quiet::new();
    Scheduler { launch, block: &block, waits: &waits, suspended: Vec::new() }.run()
}

struct Scheduler<'a> {
    launch: BlockLaunch<'a>,
    block: &'a Block<'a>,
    waits: &'a Waits<'a>,
    /// Suspended stacks, by the rank of the thread that waits on each.
    suspended: Vec<Option<Stack>>,
}

impl Scheduler<'_> {
    fn run(mut self) -> Result<(), Fault> {
        while self.block.begun() < self.block.threads() {
            let stack = self.fresh_stack()?;
            self.resume(stack)?;
        }
        while self.waits.waiting.get() > 0 {
            if !self.resume_lanes()? && !self.resume_barrier()? {
                return Err(self.stuck());
            }
        }
        Ok(())
    }

    fn fresh_stack(&self) -> Result<Stack, Fault> {
        let BlockLaunch { kernel, entry, args, .. } = self.launch;
        let stack = stacks::take().map_err(|error| Fault::NoMemory { kernel, reason: error.to_string() })?;
        // A stack may borrow nothing, as far as its type knows. What these point to outlives it all the
        // same: the scheduler, which owns the stacks, borrows it.
        let (args, block, waits) = (&raw const *args, (&raw const *self.block).cast(), (&raw const *self.waits).cast());
        Ok(Coroutine::with_stack(stack, move |yielder, ()| {
            // SAFETY: the three outlive the stack, and are only shared. The launch was made by the kernel's
            // own typed `launch`; its executor keeps the memory that it names valid until it has ended.
            unsafe {
                Waits::set_yielder(waits, yielder);
                entry(&*args, &*block);
            }
        }))
    }

    /// Runs a stack until a thread on it waits or no thread is left.
    fn resume(&mut self, mut stack: Stack) -> Result<(), Fault> {
        let resumed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| stack.resume(())));
        match resumed {
            Ok(CoroutineResult::Yield(())) => {
                let rank = self.waits.last.get();
                if self.suspended.is_empty() {
                    self.suspended.resize_with(self.block.threads() as usize, || None);
                }
                self.suspended[rank as usize] = Some(stack);
                Ok(())
            }
            Ok(CoroutineResult::Return(())) => {
                stacks::give(stack.into_stack());
                Ok(())
            }
            Err(_) => {
                stacks::give(stack.into_stack());
                Err(self.panicked())
            }
        }
    }

    fn panicked(&self) -> Fault {
        let caught = panics::take();
        let (thread, message) = match caught {
            Some(caught) => (caught.thread, caught.message),
            None => (None, "a panic without a message".to_owned()),
        };
        Fault::Panic {
            kernel: self.launch.kernel,
            block: self.block.index,
            thread: self.block.thread_index(thread.unwrap_or(0)),
            message,
        }
    }

    /// Resumes the lanes of every exchange that is complete; false if there is none.
    fn resume_lanes(&mut self) -> Result<bool, Fault> {
        let mut any = false;
        for warp in 0..self.waits.warps.len() {
            let Some(mask) = self.waits.complete_mask(warp) else { continue };
            any = true;
            self.waits.begin_exchange(warp, mask);
            for lane in (0..32).filter(|lane| mask >> lane & 1 == 1) {
                self.wake(warp * 32 + lane)?;
            }
        }
        Ok(any)
    }

    /// Resumes the whole block if all of it is at the barrier; false if not.
    fn resume_barrier(&mut self) -> Result<bool, Fault> {
        let threads = self.block.threads();
        if self.waits.at_barrier.get() < threads {
            return Ok(false);
        }
        self.waits.begin_barrier();
        for rank in 0..threads as usize {
            self.wake(rank)?;
        }
        Ok(true)
    }

    fn wake(&mut self, rank: usize) -> Result<(), Fault> {
        let stack = self.suspended[rank].take().expect("a waiting thread has a stack");
        self.waits.threads.borrow_mut()[rank] = None;
        self.waits.waiting.set(self.waits.waiting.get() - 1);
        self.resume(stack)
    }

    /// Why nothing can go on.
    fn stuck(&self) -> Fault {
        let (kernel, block) = (self.launch.kernel, self.block.index);
        let threads = self.waits.threads.borrow();
        let place = |rank: usize| self.block.thread_index(rank as u32);
        let lanes = threads.iter().enumerate().find_map(|(rank, waiting)| match waiting {
            Some(Waiting::Lanes(mask)) => Some((rank, *mask)),
            _ => None,
        });
        if let Some((rank, mask)) = lanes {
            return Fault::PartialWarp { kernel, block, thread: place(rank), mask };
        }
        let first = threads.iter().position(Option::is_some).unwrap_or(0);
        let waiting = self.waits.at_barrier.get();
        let absent = self.block.threads() - waiting;
        Fault::PartialBarrier { kernel, block, thread: place(first), waiting, absent }
    }
}

/// Who waits for what, and what they exchange.
struct Waits<'a> {
    shared: &'a SharedMemory,
    /// The way out of the stack that runs.
    yielder: Cell<*const Yielder<(), ()>>,
    /// The thread that was suspended last.
    last: Cell<u32>,
    threads: RefCell<Vec<Option<Waiting>>>,
    waiting: Cell<u32>,
    at_barrier: Cell<u32>,
    /// Predicates that held at the barrier that fills, and at the one before.
    predicates: Cell<u32>,
    result: Cell<u32>,
    warps: Vec<Warp>,
}

/// The exchange of a warp: what lanes put in, and what the last complete exchange gave.
struct Warp {
    lanes: u32,
    put: Cell<[u64; 32]>,
    got: Cell<[u64; 32]>,
}

impl<'a> Waits<'a> {
    fn new(threads: u32, shared: &'a SharedMemory) -> Self {
        let warp =
            |first: u32| Warp { lanes: (threads - first).min(32), put: Cell::new([0; 32]), got: Cell::new([0; 32]) };
        Self {
            shared,
            yielder: Cell::new(std::ptr::null()),
            last: Cell::new(0),
            threads: RefCell::new(Vec::new()),
            waiting: Cell::new(0),
            at_barrier: Cell::new(0),
            predicates: Cell::new(0),
            result: Cell::new(0),
            warps: (0..threads).step_by(32).map(warp).collect(),
        }
    }

    /// Notes the way out of the stack that runs now.
    ///
    /// # Safety
    /// `this` is valid.
    unsafe fn set_yielder(this: *const Waits<'static>, yielder: &Yielder<(), ()>) {
        // SAFETY: the caller's promise; the lifetime plays no part in the cell.
        unsafe { (*this).yielder.set(yielder) };
    }

    /// Suspends the running stack. Others run on this system thread before it returns.
    fn suspend(&self, thread: u32, waiting: Waiting) {
        let yielder = self.yielder.get();
        {
            let mut threads = self.threads.borrow_mut();
            if threads.len() <= thread as usize {
                threads.resize(thread as usize + 1, None);
            }
            threads[thread as usize] = Some(waiting);
        }
        self.last.set(thread);
        self.waiting.set(self.waiting.get() + 1);
        // SAFETY: the stack that runs has set it, and lives as long as the code on it.
        unsafe { (*yielder).suspend(()) };
        self.yielder.set(yielder);
    }

    /// The mask of an exchange of the warp whose lanes have all arrived.
    fn complete_mask(&self, warp: usize) -> Option<u32> {
        let threads = self.threads.borrow();
        let lanes = threads.iter().skip(warp * 32).take(32);
        let masks: Vec<_> = lanes
            .map(|waiting| match waiting {
                Some(Waiting::Lanes(mask)) => Some(*mask),
                _ => None,
            })
            .collect();
        masks
            .iter()
            .flatten()
            .copied()
            .find(|&mask| (0..32).filter(|lane| mask >> lane & 1 == 1).all(|lane| masks.get(lane) == Some(&Some(mask))))
    }

    fn begin_exchange(&self, warp: usize, mask: u32) {
        let warp = &self.warps[warp];
        let (put, mut got) = (warp.put.get(), warp.got.get());
        for lane in (0..32).filter(|lane| mask >> lane & 1 == 1) {
            got[lane] = put[lane];
        }
        warp.got.set(got);
    }

    fn begin_barrier(&self) {
        self.at_barrier.set(0);
        self.result.set(self.predicates.replace(0));
    }
}

impl Wait for Waits<'_> {
    fn barrier(&self, thread: u32, predicate: bool) -> u32 {
        self.at_barrier.set(self.at_barrier.get() + 1);
        self.predicates.set(self.predicates.get() + u32::from(predicate));
        self.suspend(thread, Waiting::Barrier);
        self.result.get()
    }

    fn exchange(&self, thread: u32, mask: u32, value: u64) -> [u64; 32] {
        let (warp, lane) = (&self.warps[thread as usize / 32], thread % 32);
        assert!(mask >> lane & 1 == 1, "lane {lane} is not in its own mask {mask:#010x}");
        // A block's last warp may be short: a mask of all lanes means those that there are.
        let there = if warp.lanes == 32 { u32::MAX } else { (1 << warp.lanes) - 1 };
        assert!(mask & there == mask || mask == u32::MAX, "the mask {mask:#010x} names lanes beyond the block");
        let mut put = warp.put.get();
        put[lane as usize] = value;
        warp.put.set(put);
        self.suspend(thread, Waiting::Lanes(mask & there));
        warp.got.get()
    }

    fn static_shared(&self, site: usize, bytes: usize) -> *mut u8 {
        self.shared.array(site, bytes)
    }

    fn dynamic_shared(&self) -> *mut u8 {
        self.shared.dynamic()
    }
}
