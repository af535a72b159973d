//! Many launches use the same stacks again. It looks at the process as a whole, hence one test.
#![cfg(target_os = "linux")]

mod memory;

use std::time::{Duration, Instant};

use cuda_std::prelude::*;
use memory::{Memory, executor_of, run};

/// out[i] = x[i] + 1 after two barriers; a panic in the thread with this index.
#[kernel(block = 256)]
pub unsafe fn waits(mut out: DisjointMut<u32>, unlucky: u32) {
    thread::sync_threads();
    assert!(thread::index_1d() != unlucky as usize);
    thread::sync_threads();
    if let Some(cell) = out.own() {
        *cell += 1;
    }
}

/// Pieces of memory that the system has given the process.
fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").unwrap().lines().count()
}

#[test]
fn thousands_of_launches_use_the_same_stacks() {
    let mut out = Memory::filled(0, 256);
    let before = mappings();
    let executor = executor_of(1);
    run(&executor, waits::launch(&mut out, u32::MAX)).unwrap();
    let (warm, begin) = (mappings(), Instant::now());
    for _ in 1..2000 {
        run(&executor, waits::launch(&mut out, u32::MAX)).unwrap();
    }
    assert_eq!(out.to_vec(), [2000; 256]);
    // 2000 launches with new stacks would be seven seconds of system calls.
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert!(mappings() <= warm + 16, "{} pieces of memory after {warm}", mappings());

    for _ in 0..50 {
        assert!(run(&executor, waits::launch(&mut out, 100)).is_err());
    }
    assert!(mappings() <= warm + 16, "{} pieces of memory after {warm}", mappings());

    // The workers end some time after the executor, and their stacks with them.
    drop(executor);
    let patience = Instant::now();
    while mappings() > before + 64 && patience.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(mappings() <= before + 64, "{} pieces of memory after {before}", mappings());
}
