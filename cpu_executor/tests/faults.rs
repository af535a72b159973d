//! What goes wrong in a kernel is an error that names kernel, block and thread, and never a hang.

mod memory;

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use cpu_executor::Fault;
use cuda_std::prelude::*;
use cuda_std::warp::{self, ALL};
use memory::{Memory, executor, executor_of, run};

/// out[i] = x[i + shift].
#[kernel(block = (8, 4, 2), grid = (1, 2, out.len() / 128))]
pub unsafe fn shifted(x: &[u32], mut out: DisjointMut<u32>, shift: u32) {
    let block = thread::block_idx_z() * 2 + thread::block_idx_y();
    let i = (block * 64 + thread::thread_rank()) as usize;
    let value = x[i + shift as usize];
    // SAFETY: the index is this thread's own.
    unsafe { out.write(i, value) };
}

#[test]
fn a_failed_bounds_check_names_kernel_block_thread_and_place() {
    let x = Memory::new((0..512).collect::<Vec<_>>());
    let mut out = Memory::filled(0, 512);
    run(&executor(), shifted::launch(&x, &mut out, 0)).unwrap();
    assert_eq!(out.to_vec(), x.to_vec());
    // Element 512 is first read by thread 64 - 11 of the last block.
    let fault = run(&executor(), shifted::launch(&x, &mut out, 11)).unwrap_err();
    let Fault::Panic { kernel, block, thread, message } = &fault else { panic!("{fault:?}") };
    assert_eq!((*kernel, *block, *thread), ("shifted", [0, 1, 3], [5, 2, 1]));
    assert!(message.starts_with("index out of bounds: the len is 512 but the index is 512"), "{message}");
    assert!(message.contains("tests/faults.rs:17:"), "{message}");
    let text = fault.to_string();
    assert!(text.starts_with("kernel shifted failed in block [0, 1, 3], thread [5, 2, 1]: index out of"), "{text}");
}

/// Comes `times` times to each of two arrays.
#[kernel(block = 64, grid = 3)]
pub unsafe fn arrays_in_a_loop(mut out: DisjointMut<u32>, times: u32) {
    for _ in 0..times {
        let (first, second) = (shared_array![u32; 64], shared_array![u32; 64]);
        let t = thread::thread_idx_x() as usize;
        // SAFETY: cells of a thread's own, of arrays and of the slice.
        unsafe {
            first.add(t).write(1);
            second.add(t).write(2);
            out.write(thread::index_1d(), first.add(t).read() + second.add(t).read());
        }
    }
}

#[test]
fn a_shared_array_in_a_loop_is_refused() {
    let mut out = Memory::filled(0, 3 * 64);
    // Each block, and each launch, begins anew.
    for _ in 0..2 {
        run(&executor_of(1), arrays_in_a_loop::launch(&mut out, 1)).unwrap();
    }
    assert_eq!(out.to_vec(), [3; 3 * 64]);
    let fault = run(&executor_of(1), arrays_in_a_loop::launch(&mut out, 2)).unwrap_err();
    let Fault::Panic { thread: [0, 0, 0], message, .. } = fault else { panic!("{fault:?}") };
    let line = include_str!("faults.rs").lines().position(|line| line.contains("let (first, second) =")).unwrap() + 1;
    assert!(message.contains(&format!("`shared_array!` at cpu_executor/tests/faults.rs:{line}:")), "{message}");
    assert!(message.contains("outside loops and what is called twice"), "{message}");
}

/// Reads or writes out[at].
#[kernel(block = 32)]
pub unsafe fn beyond(mut out: DisjointMut<u32>, at: u32, write: u32) {
    if thread::thread_idx_x() == 9 {
        // SAFETY: one thread alone touches the slice.
        unsafe {
            if write == 1 {
                out.write(at as usize, 5);
            } else {
                let _ = out.read(at as usize);
            }
        }
    }
}

#[test]
fn outputs_are_bounds_checked() {
    let mut out = Memory::filled(0, 20);
    run(&executor(), beyond::launch(&mut out, 19, 1)).unwrap();
    assert_eq!(out.to_vec()[19], 5);
    for write in [0, 1] {
        let fault = run(&executor(), beyond::launch(&mut out, 20, write)).unwrap_err();
        let Fault::Panic { thread: [9, 0, 0], message, .. } = fault else { panic!("{fault:?}") };
        assert!(message.starts_with("index 20 is outside the output of 20 cells"), "{message}");
        assert!(message.contains("tests/faults.rs:"), "{message}");
    }
}

/// Blocks from `first` on fail, the later ones sooner.
#[kernel(block = 32, grid = blocks)]
pub unsafe fn some_fail(blocks: u32, first: u32) {
    let block = thread::block_idx_x();
    if block >= first && thread::thread_idx_x() == blocks - block {
        panic!("block {block} has had enough");
    }
}

#[test]
fn the_error_is_that_of_the_lowest_block() {
    for workers in [1, 2, 3, 8] {
        let executor = executor_of(workers);
        for _ in 0..10 {
            let fault = run(&executor, some_fail::launch(31, 5)).unwrap_err();
            let Fault::Panic { kernel: "some_fail", block: [5, 0, 0], thread: [26, 0, 0], message } = fault else {
                panic!("{fault:?}")
            };
            assert!(message.starts_with("block 5 has had enough ("), "{message}");
        }
    }
}

/// In block `chosen[0]` only the threads from `from` on reach the barrier.
#[kernel(block = (16, 4), grid = 4)]
pub unsafe fn half_way(chosen: *const u32, from: u32) {
    // SAFETY: the test's memory has a cell.
    let wrong = thread::block_idx_x() == unsafe { chosen.read() };
    thread::sync_threads();
    if wrong && thread::thread_rank() < from {
        return;
    }
    thread::sync_threads();
}

#[test]
fn a_barrier_that_only_part_of_a_block_reaches_is_an_error() {
    let executor = executor();
    for (from, thread) in [(1, [1, 0, 0]), (32, [0, 2, 0]), (63, [15, 3, 0])] {
        let fault = run(&executor, half_way::launch(&Memory::filled(2, 1), from)).unwrap_err();
        let expected =
            Fault::PartialBarrier { kernel: "half_way", block: [2, 0, 0], thread, waiting: 64 - from, absent: from };
        assert_eq!(fault, expected);
    }
    // When nobody reaches it, nobody waits.
    assert_eq!(run(&executor, half_way::launch(&Memory::filled(2, 1), 64)), Ok(()));
    let text = run(&executor, half_way::launch(&Memory::filled(0, 1), 16)).unwrap_err().to_string();
    let expected = "kernel half_way, block [0, 0, 0]: 48 threads, the first of them [0, 1, 0], wait at a barrier \
                    that 16 threads never reach; every thread of a block must reach the same barriers";
    assert_eq!(text, expected);
}

/// Lane 3 of the second warp has ended before the others exchange.
#[kernel(block = 64, grid = 1)]
pub unsafe fn lane_gone() {
    if thread::thread_idx_x() != 35 {
        // SAFETY: none; the processor finds out what is wrong.
        unsafe { warp::warp_reduce(1u32, |a, b| a + b) };
    }
}

/// The halves of a warp use different masks, of which one names all lanes.
#[kernel(block = 32, grid = 1)]
pub unsafe fn other_mask() {
    let mask = if thread::thread_idx_x() < 16 { 0xffff } else { ALL };
    // SAFETY: none; the processor finds out what is wrong.
    unsafe { warp::sync_warp(mask) };
}

/// Half of a warp waits for the block, the other half for the warp.
#[kernel(block = 64, grid = 1)]
pub unsafe fn elsewhere() {
    if thread::thread_idx_x() & 1 == 0 {
        thread::sync_threads();
    } else {
        // SAFETY: none; the processor finds out what is wrong.
        unsafe { warp::sync_warp(ALL) };
    }
}

#[test]
fn an_exchange_that_only_part_of_its_lanes_reach_is_an_error() {
    let executor = executor();
    let fault = |kernel, x| Err(Fault::PartialWarp { kernel, block: [0; 3], thread: [x, 0, 0], mask: ALL });
    assert_eq!(run(&executor, lane_gone::launch()), fault("lane_gone", 32));
    assert_eq!(run(&executor, other_mask::launch()), fault("other_mask", 16));
    assert_eq!(run(&executor, elsewhere::launch()), fault("elsewhere", 1));
    let text = run(&executor, other_mask::launch()).unwrap_err().to_string();
    let expected = "kernel other_mask, block [0, 0, 0], thread [16, 0, 0]: a shuffle, vote or warp barrier with the \
                    mask 0xffffffff waits for lanes that never reach it with that mask";
    assert_eq!(text, expected);
}

static BEGUN: AtomicUsize = AtomicUsize::new(0);
static DROPPED: AtomicUsize = AtomicUsize::new(0);

fn reset() {
    BEGUN.store(0, Relaxed);
    DROPPED.store(0, Relaxed);
}

/// Counts its own end.
struct Guard(Vec<u32>);

impl Drop for Guard {
    fn drop(&mut self) {
        assert_eq!(self.0.len(), 100);
        DROPPED.fetch_add(1, Relaxed);
    }
}

/// Every thread holds memory while it waits; thread 40 panics `before` the barrier, or after it.
#[kernel(block = 64, grid = 1)]
pub unsafe fn suspended(before: u32, after: u32) {
    let rank = thread::thread_rank();
    BEGUN.fetch_add(1, Relaxed);
    let guard = Guard(vec![rank; 100]);
    assert!(before == 0 || rank != 40, "before the barrier");
    thread::sync_threads();
    assert!(after == 0 || rank != 40, "after the barrier");
    // SAFETY: whole warps come here together.
    unsafe { warp::sync_warp(ALL) };
    drop(guard);
}

#[test]
fn stacks_of_waiting_threads_are_unwound_when_another_panics() {
    let executor = executor();
    for (before, after, begun, text) in [(1, 0, 41, "before the barrier ("), (0, 1, 64, "after the barrier (")] {
        for _ in 0..20 {
            reset();
            let fault = run(&executor, suspended::launch(before, after)).unwrap_err();
            let Fault::Panic { thread: [40, 0, 0], message, .. } = fault else { panic!("{fault:?}") };
            assert!(message.starts_with(text), "{message}");
            assert_eq!((BEGUN.load(Relaxed), DROPPED.load(Relaxed)), (begun, begun));
            // The executor still runs what is right.
            reset();
            assert_eq!(run(&executor, suspended::launch(0, 0)), Ok(()));
            assert_eq!((BEGUN.load(Relaxed), DROPPED.load(Relaxed)), (64, 64));
        }
    }
}

/// A panic whose payload is no text.
#[kernel(block = 32, grid = 1)]
pub unsafe fn odd_payload() {
    if thread::thread_idx_x() == 3 {
        std::panic::panic_any(5);
    }
}

/// An unwinding that no panic hook sees.
#[kernel(block = 32, grid = 1)]
pub unsafe fn unseen() {
    if thread::thread_idx_x() == 4 {
        std::panic::resume_unwind(Box::new("quietly"));
    }
}

#[test]
fn any_unwinding_is_an_error() {
    let fault = run(&executor(), odd_payload::launch()).unwrap_err();
    let Fault::Panic { thread: [3, 0, 0], message, .. } = fault else { panic!("{fault:?}") };
    assert!(message.starts_with("a panic without a message ("), "{message}");
    let fault = run(&executor(), unseen::launch()).unwrap_err();
    let Fault::Panic { thread: [4, 0, 0], message, .. } = fault else { panic!("{fault:?}") };
    assert_eq!(message, "quietly");
}

/// Cells of its own for each thread along x, in launches along x and beyond.
#[kernel(block = (8, 2), grid = 1)]
pub unsafe fn own_in_two_dimensions(mut out: DisjointMut<u32>) {
    if let Some(cell) = out.own() {
        *cell += 1;
    }
}

/// The same beyond the first stride.
#[kernel(block = 8, grid = (1, 1, 2))]
pub unsafe fn own_strided_in_three_dimensions(mut out: DisjointMut<u32>) {
    if let Some(cell) = out.own_strided(1) {
        *cell += 1;
    }
}

/// The same in the plane of x and y.
#[kernel(block = (4, 2, 2), grid = 1)]
pub unsafe fn own_2d_in_three_dimensions(mut out: DisjointMut<u32>) {
    // SAFETY: all threads say the same.
    if let Some(cell) = unsafe { out.own_2d(4) } {
        *cell += 1;
    }
}

#[test]
fn a_cell_that_several_threads_would_own_is_an_error() {
    fn refused(launch: cuda_std::launch::Launch<'_>, words: &str, extents: &str) {
        let fault = run(&executor_of(1), launch).unwrap_err();
        let Fault::Panic { block: [0, 0, 0], thread: [0, 0, 0], message, .. } = fault else { panic!("{fault:?}") };
        assert!(message.starts_with(words) && message.contains(extents), "{message}");
        assert!(message.contains("tests/faults.rs:"), "{message}");
    }
    let mut out = Memory::filled(0, 16);
    refused(own_in_two_dimensions::launch(&mut out), "`own` gives", "[1, 1, 1] blocks of [8, 2, 1] threads");
    refused(own_strided_in_three_dimensions::launch(&mut out), "`own` gives", "[1, 1, 2] blocks of [8, 1, 1] threads");
    refused(own_2d_in_three_dimensions::launch(&mut out), "`own_2d` gives", "[1, 1, 1] blocks of [4, 2, 2] threads");
    assert_eq!(out.to_vec(), [0; 16]);
}
