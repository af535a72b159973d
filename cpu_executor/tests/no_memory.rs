//! A system that refuses memory for stacks. A process of its own lives under the limit.
#![cfg(target_os = "linux")]

mod memory;

use std::process::Command;

use cpu_executor::{CpuExecutor, Fault};
use cuda_std::machine::MachineKind;
use cuda_std::prelude::*;
use memory::run;

/// A thousand threads that wait for each other, each on a stack of its own.
#[kernel(block = 1024, grid = 1)]
pub unsafe fn many_stacks() {
    thread::sync_threads();
}

#[test]
#[ignore = "run by the test below, under a limit of memory"]
fn launch_under_a_limit() {
    let executor = CpuExecutor::new(1, MachineKind::Baseline).unwrap();
    let fault = run(&executor, many_stacks::launch()).unwrap_err();
    assert!(matches!(fault, Fault::NoMemory { kernel: "many_stacks", .. }), "{fault}");
    assert!(fault.to_string().contains("many_stacks needs memory for its threads"), "{fault}");
}

#[test]
fn a_refused_stack_is_an_error() {
    let program = std::env::current_exe().unwrap();
    // 1024 stacks of 256 KiB are more than this many KiB of address space, of which the process
    // itself takes some.
    let limited = "ulimit -v 250000 && exec \"$0\" --ignored --exact launch_under_a_limit --test-threads 1";
    let output = Command::new("sh").args(["-c", limited]).arg(program).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}{stderr}");
}
