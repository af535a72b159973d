//! Stacks on which the threads of blocks run, used again and again.
//!
//! A new stack is several system calls and as many page faults as its thread touches pages, 14 us
//! in all; one from the pool costs nothing. Each worker keeps its own pool. A stack whose threads have ended
//! waits for more of them, where it is: to begin anew takes longer than a small block.
//!
//! Stacks begin at different places of their pages. If all of them began at the same one, the few
//! lines that each thread touches would compete for the same few sets of the first-level cache.

use std::cell::RefCell;
use std::io;
use std::ptr::NonNull;

use corosensei::Coroutine;
use corosensei::stack::{DefaultStack, StackPointer};
use cuda_std::launch::Arg;
use cuda_std::processor::{Block, Entry};

use crate::waits::Waits;

/// Bytes of a stack. Address space, not memory: only pages that a thread touches are real.
const STACK_BYTES: usize = 256 * 1024;

/// Bytes of a line of the cache, and how many of them stacks are shifted over: a page.
const LINE_BYTES: usize = 64;
const SHIFTS: usize = 64;

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { free: Vec::new(), made: 0 }) };
}

struct Pool {
    #[allow(clippy::vec_box)] // a stack changes hands for each block, and is not moved
    free: Vec<Box<Stack>>,
    made: usize,
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Each waits for an order; one that is dropped there would be unwound.
        for stack in &mut self.free {
            stack.resume(NOTHING);
        }
    }
}

/// A stack and what runs on it.
pub type Stack = Coroutine<Order, Pause, (), Memory>;

/// What a stack is resumed with: work, which is there until it has ended. One whose threads have ended returns for want of it.
/// A pointer, which passes through a register where the work itself would go through memory.
pub type Order = Option<NonNull<Work>>;

/// For a stack one of whose threads waits: it goes on.
pub const NOTHING: Order = None;

/// Why a stack gives its system thread back.
pub enum Pause {
    /// A thread waits for others.
    Waits,
    /// Its threads have ended, and the block has no more.
    Ended,
}

/// A kernel, and the block whose threads are to be run.
pub struct Work {
    entry: Entry,
    args: *const [Arg],
    block: *const Block<'static>,
    waits: *const Waits<'static>,
}

impl Work {
    /// A stack may borrow nothing, as far as its type knows: hence pointers.
    ///
    /// # Safety
    /// As for [`Entry`]. All of it outlives the stacks that run it, until they pause as ended, or are dropped.
    pub unsafe fn new(entry: Entry, args: &[Arg], block: &Block<'_>, waits: &Waits<'_>) -> Self {
        Self { entry, args, block: (&raw const *block).cast(), waits: (&raw const *waits).cast() }
    }
}

/// A stack that waits for its first order.
fn new(number: usize) -> io::Result<Box<Stack>> {
    Ok(Box::new(Coroutine::with_stack(Memory::new(number)?, |yielder, mut order: Order| {
        while let Some(work) = order {
            // SAFETY: who gives an order keeps the work, and who made that has promised that the three are there.
            unsafe {
                let &Work { entry, args, block, waits } = work.as_ref();
                Waits::set_yielder(waits, yielder);
                entry(&*args, &*block);
            }
            order = yielder.suspend(Pause::Ended);
        }
    })))
}

/// A stack's memory, which it uses from some lines below its end.
pub struct Memory {
    memory: DefaultStack,
    base: StackPointer,
}

impl Memory {
    fn new(number: usize) -> io::Result<Self> {
        let memory = DefaultStack::new(STACK_BYTES)?;
        let end = corosensei::stack::Stack::base(&memory).get();
        let base = StackPointer::new(end - number % SHIFTS * LINE_BYTES).expect("memory does not begin at zero");
        Ok(Self { memory, base })
    }
}

// SAFETY: the memory is a stack's, guard page included; the base lies in it, at most a page below its
// end, and is aligned to 64 bytes as every architecture's stacks may be.
unsafe impl corosensei::stack::Stack for Memory {
    fn base(&self) -> StackPointer {
        self.base
    }

    fn limit(&self) -> StackPointer {
        self.memory.limit()
    }

    #[cfg(windows)]
    fn teb_fields(&self) -> corosensei::stack::StackTebFields {
        self.memory.teb_fields()
    }

    #[cfg(windows)]
    fn update_teb_fields(&mut self, stack_limit: usize, guaranteed_stack_bytes: usize) {
        self.memory.update_teb_fields(stack_limit, guaranteed_stack_bytes);
    }
}

/// A stack of this worker's pool, or a new one, to be resumed with work.
pub fn take() -> io::Result<Box<Stack>> {
    POOL.with_borrow_mut(|pool| match pool.free.pop() {
        Some(stack) => Ok(stack),
        None => {
            pool.made += 1;
            new(pool.made)
        }
    })
}

/// Gives a stack back that has paused as [ended](Pause::Ended).
pub fn give(stack: Box<Stack>) {
    POOL.with_borrow_mut(|pool| pool.free.push(stack));
}
