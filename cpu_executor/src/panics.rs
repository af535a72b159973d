//! Panics in kernels become errors, and print nothing.
//!
//! A panic's message and place are known only to the panic hook. One hook, put before the program's
//! own, keeps them while a kernel runs on the thread, and passes everything else on.

use std::cell::{Cell, RefCell};
use std::panic;
use std::sync::Once;

thread_local! {
    static IN_KERNEL: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<Caught>> = const { RefCell::new(None) };
}

/// A panic in a kernel.
pub struct Caught {
    /// The rank in the block of the thread that panicked, if a thread was running.
    pub thread: Option<u32>,
    /// What it said, and where.
    pub message: String,
}

/// While it lives, panics on this system thread are kept and not printed.
pub struct Quiet(bool);

impl Quiet {
    /// From here on a kernel runs on this system thread.
    pub fn new() -> Self {
        static INSTALL: Once = Once::new();
        INSTALL.call_once(install);
        Self(IN_KERNEL.replace(true))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        IN_KERNEL.set(self.0);
    }
}

/// The last panic that was kept on this system thread.
pub fn take() -> Option<Caught> {
    LAST.take()
}

fn install() {
    let next = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !IN_KERNEL.get() {
            return next(info);
        }
        let said = info.payload_as_str().unwrap_or("a panic without a message");
        let message = match info.location() {
            Some(place) => format!("{said} ({place})"),
            None => said.to_owned(),
        };
        let thread = cuda_std::processor::current().map(|(rank, _)| rank);
        LAST.set(Some(Caught { thread, message }));
    }));
}
