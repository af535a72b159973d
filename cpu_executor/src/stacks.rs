//! Stacks of suspended threads, used again and again.
//!
//! A new stack is several system calls and as many page faults as its thread touches pages, 14 us
//! in all; one from the pool costs nothing. Each worker keeps its own pool.

use std::cell::RefCell;
use std::io;

use corosensei::stack::DefaultStack;

/// Bytes of a stack. Address space, not memory: only pages that a thread touches are real.
const STACK_BYTES: usize = 256 * 1024;

thread_local! {
    static POOL: RefCell<Vec<DefaultStack>> = const { RefCell::new(Vec::new()) };
}

/// A stack from this worker's pool, or a new one.
pub fn take() -> io::Result<DefaultStack> {
    match POOL.with_borrow_mut(Vec::pop) {
        Some(stack) => Ok(stack),
        None => DefaultStack::new(STACK_BYTES),
    }
}

/// Gives a stack back to this worker's pool.
pub fn give(stack: DefaultStack) {
    POOL.with_borrow_mut(|pool| pool.push(stack));
}
