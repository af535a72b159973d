//! Stacks of suspended threads, used again and again.
//!
//! A new stack is several system calls and as many page faults as its thread touches pages, 14 us
//! in all; one from the pool costs nothing. Each worker keeps its own pool.
//!
//! Stacks begin at different places of their pages. If all of them began at the same one, the few
//! lines that each thread touches would compete for the same few sets of the first-level cache.

use std::cell::RefCell;
use std::io;

use corosensei::stack::{DefaultStack, StackPointer};

/// Bytes of a stack. Address space, not memory: only pages that a thread touches are real.
const STACK_BYTES: usize = 256 * 1024;

/// Bytes of a line of the cache, and how many of them stacks are shifted over: a page.
const LINE_BYTES: usize = 64;
const SHIFTS: usize = 64;

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { free: Vec::new(), made: 0 }) };
}

struct Pool {
    free: Vec<Stack>,
    made: usize,
}

/// A stack that begins some lines below the end of its memory.
pub struct Stack {
    memory: DefaultStack,
    base: StackPointer,
}

impl Stack {
    fn new(number: usize) -> io::Result<Self> {
        let memory = DefaultStack::new(STACK_BYTES)?;
        let end = corosensei::stack::Stack::base(&memory).get();
        let base = StackPointer::new(end - number % SHIFTS * LINE_BYTES).expect("memory does not begin at zero");
        Ok(Self { memory, base })
    }
}

// SAFETY: the memory is a stack's, guard page included; the base lies in it, at most a page below its
// end, and is aligned to 64 bytes as every architecture's stacks may be.
unsafe impl corosensei::stack::Stack for Stack {
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

/// A stack from this worker's pool, or a new one.
pub fn take() -> io::Result<Stack> {
    POOL.with_borrow_mut(|pool| match pool.free.pop() {
        Some(stack) => Ok(stack),
        None => {
            pool.made += 1;
            Stack::new(pool.made)
        }
    })
}

/// Gives a stack back to this worker's pool.
pub fn give(stack: Stack) {
    POOL.with_borrow_mut(|pool| pool.free.push(stack));
}
