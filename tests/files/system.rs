//! What the system does not let a run do, or not any more.
#![cfg(target_os = "linux")]

use std::os::unix::fs::symlink;
use std::process::Command;

use crate::Folder;

/// Runs the program within a limit of the shell's.
fn within(limit: &str, folder: &Folder, arguments: &str) -> (Option<i32>, String) {
    let program = folder.command(arguments);
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit {limit}; exec \"$0\" \"$@\"")]).arg(program.get_program());
    let output = shell.args(program.get_args()).current_dir(folder.path("")).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// A signal would end the program in the midst of its temporary.
#[test]
fn files_that_may_not_be_so_large() {
    let folder = Folder::new();
    let (code, said) = within("-f 8", &folder, "--points 2000 --bandwidth 2 -q -o out.csv");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("out.csv cannot be written: File too large") && said.lines().count() == 1, "{said}");
    assert!(folder.names().is_empty(), "{:?}", folder.names());
}

/// 25 million distances are 100 MB; and once more, as they come from the device. They were five times as much.
#[test]
fn distances_take_little_more_than_themselves() {
    let folder = Folder::new();
    symlink("/dev/null", folder.path("null.arrow")).unwrap();
    let distances = "--points 5000 --shape uniform --bandwidth 1e-4 --threads 1 -q --distances -o null.arrow";
    let (code, said) = within("-v 500000", &folder, distances);
    assert_eq!(code, Some(0), "{said}");
    // Where there is not as much, that is told.
    let (code, said) = within("-v 300000", &folder, distances);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("are needed for the distances to all modes"), "{said}");
}
