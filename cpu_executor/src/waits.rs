//! What the threads of a block wait for, and what they exchange when the wait is over.

use std::cell::{Cell, OnceCell};

use corosensei::Yielder;
use cuda_std::processor::Wait;

use crate::memory::SharedMemory;
use crate::stacks::{Order, Pause};

/// Lanes of a warp.
const LANES: usize = 32;

/// Who waits for what in the block that runs.
pub struct Waits<'a> {
    shared: &'a SharedMemory,
    /// The way out of the stack that runs; null when the block has ended.
    yielder: Cell<*const Yielder<Order, Pause>>,
    /// The thread that was suspended last.
    last: Cell<u32>,
    /// Threads that wait, for whatever.
    waiting: Cell<u32>,
    at_barrier: Cell<u32>,
    /// Predicates that held at the barrier that fills, and at the one before.
    predicates: Cell<u32>,
    result: Cell<u32>,
    threads: u32,
    /// Made when a thread waits: most kernels' threads do not.
    warps: OnceCell<Vec<Warp>>,
}

/// The exchange of a warp: what lanes put in, and what the last complete exchange gave.
struct Warp {
    /// The lanes that there are: a block's last warp may be short.
    there: u32,
    /// The lanes that wait for an exchange, and with which masks.
    arrived: Cell<u32>,
    masks: [Cell<u32>; LANES],
    /// The lanes that wait at the barrier.
    at_barrier: Cell<u32>,
    put: [Cell<u64>; LANES],
    got: [Cell<u64>; LANES],
}

/// The lanes of a mask, in order.
pub fn lanes(mask: u32) -> impl Iterator<Item = usize> {
    let rest = |mask: &u32| Some(mask & mask.wrapping_sub(1));
    std::iter::successors(Some(mask), rest).take_while(|&mask| mask != 0).map(|mask| mask.trailing_zeros() as usize)
}

impl Warp {
    fn new(lanes: u32) -> Self {
        Self {
            there: u32::MAX >> (LANES as u32 - lanes),
            arrived: Cell::new(0),
            masks: Default::default(),
            at_barrier: Cell::new(0),
            put: Default::default(),
            got: Default::default(),
        }
    }

    /// The mask of an exchange all of whose lanes have arrived.
    fn complete(&self) -> Option<u32> {
        let arrived = self.arrived.get();
        let agreed = |mask: u32| mask & arrived == mask && lanes(mask).all(|lane| self.masks[lane].get() == mask);
        lanes(arrived).map(|lane| self.masks[lane].get()).find(|&mask| agreed(mask))
    }
}

impl<'a> Waits<'a> {
    /// Nobody waits yet.
    pub fn new(threads: u32, shared: &'a SharedMemory) -> Self {
        Self {
            shared,
            yielder: Cell::new(std::ptr::null()),
            last: Cell::new(0),
            waiting: Cell::new(0),
            at_barrier: Cell::new(0),
            predicates: Cell::new(0),
            result: Cell::new(0),
            threads,
            warps: OnceCell::new(),
        }
    }

    fn all_warps(&self) -> &[Warp] {
        let lanes = |first: u32| (self.threads - first).min(LANES as u32);
        self.warps.get_or_init(|| (0..self.threads).step_by(LANES).map(|first| Warp::new(lanes(first))).collect())
    }

    /// Threads that wait.
    pub fn waiting(&self) -> u32 {
        self.waiting.get()
    }

    /// Threads that wait at the barrier.
    pub fn at_barrier(&self) -> u32 {
        self.at_barrier.get()
    }

    /// Warps of the block.
    pub fn warps(&self) -> usize {
        self.all_warps().len()
    }

    /// The rank of the thread that was suspended last.
    pub fn last(&self) -> usize {
        self.last.get() as usize
    }

    /// The first thread that waits for lanes of its warp, and its mask.
    pub fn first_in_exchange(&self) -> Option<(u32, u32)> {
        let (warp, lane) = first(self.all_warps().iter().map(|warp| warp.arrived.get()))?;
        Some(((warp * LANES + lane) as u32, self.all_warps()[warp].masks[lane].get()))
    }

    /// The first thread that waits at the barrier.
    pub fn first_at_barrier(&self) -> Option<u32> {
        let (warp, lane) = first(self.all_warps().iter().map(|warp| warp.at_barrier.get()))?;
        Some((warp * LANES + lane) as u32)
    }

    /// Ends an exchange of a warp that is complete, and gives its lanes; they no longer wait.
    pub fn end_exchange(&self, warp: usize) -> Option<u32> {
        let warp = &self.all_warps()[warp];
        let mask = warp.complete()?;
        for lane in lanes(mask) {
            warp.got[lane].set(warp.put[lane].get());
        }
        warp.arrived.set(warp.arrived.get() & !mask);
        self.waiting.set(self.waiting.get() - mask.count_ones());
        Some(mask)
    }

    /// Ends the barrier, at which the whole block waits; it no longer does.
    pub fn end_barrier(&self) {
        for warp in self.all_warps() {
            warp.at_barrier.set(0);
        }
        self.waiting.set(self.waiting.get() - self.at_barrier.replace(0));
        self.result.set(self.predicates.replace(0));
    }

    /// From here on no thread runs; stacks that still wait are unwound.
    pub fn end_block(&self) {
        self.yielder.set(std::ptr::null());
    }

    /// Notes the way out of the stack that runs now.
    ///
    /// # Safety
    /// `this` is valid.
    pub unsafe fn set_yielder(this: *const Waits<'static>, yielder: &Yielder<Order, Pause>) {
        // SAFETY: the caller's promise; the lifetime plays no part in the cell.
        unsafe { (*this).yielder.set(yielder) };
    }

    /// Suspends the running stack. Others run on this system thread before it returns.
    fn suspend(&self, thread: u32) {
        let yielder = self.yielder.get();
        assert!(!yielder.is_null(), "a destructor waits for other threads while its block is being given up");
        self.last.set(thread);
        self.waiting.set(self.waiting.get() + 1);
        // SAFETY: the stack that runs has set it, and lives as long as the code on it.
        unsafe { (*yielder).suspend(Pause::Waits) };
        self.yielder.set(yielder);
    }
}

/// The first warp and lane whose bit is set.
fn first(mut warps: impl Iterator<Item = u32>) -> Option<(usize, usize)> {
    let mut found = 0;
    let warp = warps.position(|bits| {
        found = bits;
        bits != 0
    })?;
    Some((warp, found.trailing_zeros() as usize))
}

// SAFETY: a thread is suspended until the others have come; shared memory is that of the one block that runs on it.
unsafe impl Wait for Waits<'_> {
    fn barrier(&self, thread: u32, predicate: bool) -> u32 {
        let warp = &self.all_warps()[thread as usize / LANES];
        warp.at_barrier.set(warp.at_barrier.get() | 1 << (thread as usize % LANES));
        self.at_barrier.set(self.at_barrier.get() + 1);
        self.predicates.set(self.predicates.get() + u32::from(predicate));
        self.suspend(thread);
        self.result.get()
    }

    fn exchange(&self, thread: u32, mask: u32, value: u64) -> &[Cell<u64>; LANES] {
        let (warp, lane) = (&self.all_warps()[thread as usize / LANES], thread as usize % LANES);
        assert!(mask >> lane & 1 == 1, "lane {lane} is not in its own mask {mask:#010x}");
        // In a short warp a mask of all lanes means those that there are.
        assert!(mask & warp.there == mask || mask == u32::MAX, "the mask {mask:#010x} names lanes beyond the block");
        warp.put[lane].set(value);
        warp.masks[lane].set(mask & warp.there);
        warp.arrived.set(warp.arrived.get() | 1 << lane);
        self.suspend(thread);
        &warp.got
    }

    fn static_shared(&self, thread: u32, site: usize, bytes: usize) -> *mut u8 {
        self.shared.array(thread, site, bytes)
    }

    fn dynamic_shared(&self) -> *mut u8 {
        self.shared.dynamic()
    }
}
