//! Panics in kernels, and others that are awaited, become errors, and print nothing.
//!
//! A panic's place is known only to the panic hook. One hook, put before the program's own, keeps
//! message and place while a panic of the thread is awaited, and passes everything else on. A program that
//! puts another hook there later sees awaited panics itself, and their errors lack the place. It is one for all: two that put
//! theirs before the program's at the same time might each find the other's gone.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static AWAITED: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

const WITHOUT_MESSAGE: &str = "a panic without a message";

/// While it lives, panics on this system thread are kept and not printed.
pub struct Quiet(bool);

impl Quiet {
    /// From here on, as when a kernel runs on this system thread.
    pub fn new() -> Self {
        static INSTALL: Once = Once::new();
        INSTALL.call_once(install);
        Self(AWAITED.replace(true))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        AWAITED.set(self.0);
    }
}

/// Does what may panic, such as a library that is given a damaged file: the panic prints nothing, and what it said, and where, is
/// the error. What the work had begun is not to be used then.
///
/// ```
/// assert_eq!(cpu_executor::quietly(|| 3), Ok(3));
/// let said = cpu_executor::quietly(|| panic!("no")).unwrap_err();
/// assert!(said.starts_with("no ("), "{said}");
/// ```
///
/// # Errors
/// What the panic said.
pub fn quietly<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let _quiet = Quiet::new();
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|payload| message(&*payload))
}

/// What the awaited panic that was just caught said, and where.
pub fn message(payload: &(dyn Any + Send)) -> String {
    LAST.take().unwrap_or_else(|| {
        let text = payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
        text.unwrap_or(WITHOUT_MESSAGE).to_owned()
    })
}

fn install() {
    let next = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !AWAITED.get() {
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
