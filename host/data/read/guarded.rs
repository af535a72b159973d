//! Libraries that panic over what a file says: to a user that is a file that cannot be read.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use crate::data::error::DataError;
use crate::data::source::Source;

thread_local! {
    /// Whether a panic of this thread is awaited, and said in other words.
    static AWAITED: Cell<bool> = const { Cell::new(false) };
}

/// Does something with a file's contents that may panic.
///
/// # Errors
/// [`DataError::Malformed`] if it does. What it had begun is not to be used any more.
pub fn guarded<T>(source: &Source, work: impl FnOnce() -> T) -> Result<T, DataError> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !AWAITED.get() {
                usual(info);
            }
        }));
    });
    let before = AWAITED.replace(true);
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    AWAITED.set(before);
    done.map_err(|_| source.malformed("it contradicts itself"))
}
