//! The command that makes a checked-in copy anew, to be typed where one reads of it.

use std::path::Path;

use crate::manifest::{tidy, workspace_of};

/// Where the program is built from.
const OWN: &str = env!("CARGO_MANIFEST_DIR");

/// The command for the kernels in a folder.
pub(crate) fn command(kernels: &Path) -> String {
    match std::env::current_dir() {
        Ok(here) => command_in(&here, kernels),
        Err(_) => short(kernels),
    }
}

/// In another workspace cargo does not know the program by its name; and who types it there may stand in another folder than the
/// build script did.
fn command_in(here: &Path, kernels: &Path) -> String {
    let workspace = |dir| workspace_of(dir).ok().flatten().map(|(root, _)| root);
    if workspace(here) == workspace(Path::new(OWN)) {
        return short(kernels);
    }
    format!(
        "cargo run --manifest-path {OWN}/Cargo.toml -p cuda_builder -- build {}",
        tidy(&here.join(kernels)).display()
    )
}

fn short(kernels: &Path) -> String {
    format!("cargo run -p cuda_builder -- build {}", kernels.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_from_other_workspaces_too() {
        let own = Path::new(OWN);
        for here in [own, own.parent().unwrap(), &own.join("src")] {
            assert_eq!(command_in(here, Path::new("gpu")), "cargo run -p cuda_builder -- build gpu");
        }
        let other = tempfile::tempdir().unwrap();
        let [here, root] = ["app", ""].map(|name| other.path().join(name));
        std::fs::create_dir(&here).unwrap();
        std::fs::write(root.join("Cargo.toml"), "[workspace]\nmembers = [\"app\"]\n").unwrap();
        let expected = format!(
            "cargo run --manifest-path {OWN}/Cargo.toml -p cuda_builder -- build {}",
            other.path().join("kernels").display()
        );
        assert_eq!(command_in(&here, Path::new("../kernels")), expected);
    }
}
