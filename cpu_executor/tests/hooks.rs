//! Panic hooks of the program around the executor. They belong to the process, hence one test.

mod memory;

use std::panic;
use std::sync::Mutex;

use cpu_executor::Fault;
use cuda_std::prelude::*;
use memory::{executor, run};

static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Some of its threads panic.
#[kernel(block = 32, grid = 1)]
pub unsafe fn fails() {
    thread::sync_threads();
    assert!(thread::thread_idx_x() != 7, "in a kernel");
}

fn set_hook(name: &'static str) {
    panic::set_hook(Box::new(move |info| {
        let said = info.payload_as_str().unwrap_or("?");
        SEEN.lock().unwrap().push(format!("{name}: {said}"));
    }));
}

/// The message of the kernel's panic, and what the program's hooks saw of it.
fn launch() -> (String, Vec<String>) {
    let fault = run(&executor(), fails::launch()).unwrap_err();
    let Fault::Panic { kernel: "fails", block: [0, 0, 0], thread: [7, 0, 0], message } = fault else {
        panic!("{fault:?}")
    };
    (message, std::mem::take(&mut SEEN.lock().unwrap()))
}

#[test]
fn a_programs_hook_sees_its_own_panics_and_not_those_of_kernels() {
    set_hook("first");
    let (message, seen) = launch();
    assert!(message.starts_with("in a kernel (") && message.contains("hooks.rs:"), "{message}");
    assert_eq!(seen, Vec::<String>::new());

    let said = cpu_executor::quietly(|| panic!("awaited")).unwrap_err();
    assert!(said.starts_with("awaited (") && said.contains("hooks.rs:"), "{said}");
    assert_eq!(std::mem::take(&mut *SEEN.lock().unwrap()), Vec::<String>::new());

    let caught = panic::catch_unwind(|| panic!("outside"));
    assert!(caught.is_err());
    assert_eq!(std::mem::take(&mut *SEEN.lock().unwrap()), ["first: outside"]);

    // A hook that was put there later sees all. The error names the thread all the same, but not the place.
    set_hook("second");
    let (message, seen) = launch();
    assert_eq!(message, "in a kernel");
    assert_eq!(seen, ["second: in a kernel"]);
    drop(panic::take_hook());
}
