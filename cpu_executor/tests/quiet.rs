//! A kernel's panic prints nothing. Seen from outside: a process of its own launches it.

mod memory;

use std::process::Command;

use cuda_std::prelude::*;
use memory::{executor, run};

/// Some of its threads panic.
#[kernel(block = 64, grid = 4)]
pub unsafe fn fails() {
    thread::sync_threads();
    assert!(thread::thread_idx_x() % 8 != 5, "in a kernel");
}

#[test]
#[ignore = "run by the test below, in a process of its own"]
fn launch_what_fails() {
    for _ in 0..3 {
        assert!(run(&executor(), fails::launch()).is_err());
    }
}

#[test]
fn a_panic_in_a_kernel_prints_nothing() {
    let program = std::env::current_exe().unwrap();
    let arguments = ["--ignored", "--exact", "launch_what_fails", "--nocapture"];
    let output = Command::new(program).args(arguments).env("RUST_BACKTRACE", "1").output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}");
    assert!(!stdout.contains("in a kernel"), "{stdout}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}
