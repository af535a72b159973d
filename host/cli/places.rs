//! Where results go: to files that can be written, and in which nothing else is wanted.

use std::path::Path;

use crate::error::{Error, Result};
use crate::files::{self, folder_of, followed};

/// Checks that nothing is written over what is read, nor two results to one file; and that there can be files of these
/// names, lest a long run ends with that.
///
/// # Errors
/// [`Error::WriteOverRead`]; [`Error::WrittenTwice`]; [`Error::WriteFile`].
pub fn check_files(read: &[&Path], written: &[&Path]) -> Result<()> {
    for (at, &path) in written.iter().enumerate() {
        if read.iter().any(|read| same(read, path)) {
            return Err(Error::WriteOverRead { path: path.to_path_buf() });
        }
        if written[..at].iter().any(|other| same(other, path)) {
            return Err(Error::WrittenTwice { path: path.to_path_buf() });
        }
        files::check(path)?;
    }
    Ok(())
}

/// Whether two names are of one file, be it there already or not.
fn same(one: &Path, other: &Path) -> bool {
    let whole = |path: &Path| {
        let within = || {
            // A link may be there before what it names.
            let name = followed(path).ok()?;
            Some(folder_of(&name).canonicalize().ok()?.join(name.file_name()?))
        };
        path.canonicalize().ok().or_else(within)
    };
    one == other || whole(one).is_some_and(|one| Some(one) == whole(other))
}
