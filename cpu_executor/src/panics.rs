//! Panics in kernels become errors, and print nothing.
//!
//! A panic's place is known only to the panic hook. One hook, put before the program's own, keeps
//! message and place while a kernel runs on the thread, and passes everything else on. A program that
//! puts another hook there later sees kernels' panics itself, and their errors lack the place.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic;
use std::sync::Once;

thread_local! {
    static IN_KERNEL: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

const WITHOUT_MESSAGE: &str = "a panic without a message";

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

/// What the kernel's panic that was just caught said, and where.
pub fn message(payload: &(dyn Any + Send)) -> String {
    LAST.take().unwrap_or_else(|| {
        let text = payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
        text.unwrap_or(WITHOUT_MESSAGE).to_owned()
    })
}

fn install() {
    let next = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !IN_KERNEL.get() {
            return next(info);
        }
        let said = info.payload_as_str().unwrap_or(WITHOUT_MESSAGE);
        let message = match info.location() {
            Some(place) => format!("{said} ({place})"),
            None => said.to_owned(),
        };
        LAST.set(Some(message));
    }));
}
