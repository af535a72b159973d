//! Libraries that panic over what a file says: to a user that is a file that cannot be read.

use crate::data::error::DataError;
use crate::data::source::Source;

/// Does something with a file's contents that may panic.
///
/// # Errors
/// [`DataError::Malformed`] if it does. What it had begun is not to be used any more.
pub fn guarded<T>(source: &Source, work: impl FnOnce() -> T) -> Result<T, DataError> {
    cpu_executor::quietly(work).map_err(|_| source.malformed("it contradicts itself"))
}
