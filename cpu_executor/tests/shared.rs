//! Shared memory and barriers.

mod memory;

use cpu_executor::Fault;
use cuda_std::prelude::*;
use cuda_std::shared;
use memory::{Memory, executor, executor_of, run};

/// out[i] = x[n - 1 - i] within each block.
#[kernel(threads = 32..=1024, require(out.len() == x.len(), x.len().is_multiple_of(block.x)))]
pub unsafe fn reverse(x: &[u32], mut out: DisjointMut<u32>) {
    let tile = shared_array![u32; 1024];
    let (t, last) = (thread::thread_idx_x() as usize, thread::block_dim_x() as usize - 1);
    // SAFETY: every thread writes its own cell, and reads another only behind the barrier.
    unsafe {
        tile.add(t).write(x[thread::index_1d()]);
        thread::sync_threads();
        if let Some(cell) = out.own() {
            *cell = tile.add(last - t).read();
        }
    }
}

#[test]
fn a_barrier_stands_between_writes_and_reads_of_a_whole_block() {
    for threads in [32, 64, 320, 1024] {
        let x = (0..threads * 7).map(|i| i * i).collect::<Vec<_>>();
        let mut out = Memory::filled(0, x.len());
        let launched = reverse::launch(&Memory::new(x.clone()), &mut out).threads_per_block(threads).prepare_and_run();
        assert_eq!(launched, Ok(()));
        let expected = x.chunks(threads as usize).flat_map(|block| block.iter().rev().copied());
        assert_eq!(out.to_vec(), expected.collect::<Vec<_>>(), "{threads} threads");
    }
}

trait PrepareAndRun {
    fn prepare_and_run(self) -> Result<(), Fault>;
}

impl PrepareAndRun for cuda_std::launch::Launch<'_> {
    fn prepare_and_run(self) -> Result<(), Fault> {
        run(&executor(), self)
    }
}

/// seen[block] = bits of the first cells before anybody wrote them; then the block writes them.
#[kernel(block = 32, grid = seen.len())]
pub unsafe fn fresh(mut seen: DisjointMut<[u32; 4]>) {
    let (first, second) = (shared_array![u32; 5], shared_array![u32; 5]);
    let dynamic = shared::dynamic_shared_mem::<u32>();
    if thread::thread_idx_x() == 0 {
        // SAFETY: on the processor shared memory starts poisoned, not uninitialised; one thread touches it.
        unsafe {
            let bits = [first.read(), first.add(4).read(), second.read(), dynamic.add(6).read()];
            seen.write(thread::block_idx_x() as usize, bits);
            first.write_bytes(0, 5);
            second.write_bytes(0, 5);
            dynamic.write_bytes(0, 7);
        }
    }
}

/// [`fresh`] with dynamic memory.
#[kernel(block = 32, grid = seen.len(), shared = 28)]
pub unsafe fn fresh_dynamic(mut seen: DisjointMut<[u32; 4]>) {
    let (first, second) = (shared_array![u32; 5], shared_array![u32; 5]);
    let dynamic = shared::dynamic_shared_mem::<u32>();
    if thread::thread_idx_x() == 0 {
        // SAFETY: as in `fresh`.
        unsafe {
            let bits = [first.read(), first.add(4).read(), second.read(), dynamic.add(6).read()];
            seen.write(thread::block_idx_x() as usize, bits);
            first.write_bytes(0, 5);
            second.write_bytes(0, 5);
            dynamic.write_bytes(0, 7);
        }
    }
}

#[test]
fn shared_memory_of_every_block_starts_poisoned() {
    let executor = executor_of(1);
    for _ in 0..2 {
        let mut seen = Memory::filled([0; 4], 50);
        run(&executor, fresh_dynamic::launch(&mut seen)).unwrap();
        assert_eq!(seen.to_vec(), [[u32::MAX; 4]; 50]);
        // A kernel with other arrays in between leaves these alone, and finds its own.
        let mut out = Memory::filled(0, 64);
        let x = Memory::new((0..64).collect::<Vec<_>>());
        run(&executor, reverse::launch(&x, &mut out).threads_per_block(64)).unwrap();
        assert_eq!(out.to_vec(), (0..64).rev().collect::<Vec<_>>());
    }
}

#[test]
fn dynamic_memory_that_was_not_declared_is_an_error() {
    let mut seen = Memory::filled([0; 4], 3);
    let Err(Fault::Panic { kernel, block, thread, message }) = run(&executor(), fresh::launch(&mut seen)) else {
        panic!("there is no memory")
    };
    assert_eq!((kernel, block, thread), ("fresh", [0; 3], [0; 3]));
    assert!(message.contains("declare it: `#[kernel(shared = bytes)]`"), "{message}");
}

/// Two arrays of one type and length, and dynamic memory, side by side.
#[kernel(block = 64, shared = block.x * 4)]
pub unsafe fn side_by_side(mut out: DisjointMut<[u32; 3]>) {
    let (a, b) = (shared_array![u32; 64], shared_array![u32; 64]);
    let c = shared::dynamic_shared_mem::<u32>();
    let t = thread::thread_idx_x();
    let opposite = 63 - t as usize;
    for pointer in [a, b, c] {
        assert_eq!(pointer.addr() % 16, 0);
    }
    // SAFETY: every thread writes its own cells, and reads others' only behind the barrier.
    unsafe {
        a.add(t as usize).write(t);
        b.add(t as usize).write(1000 + t);
        c.add(t as usize).write(2000 + t);
        thread::sync_threads();
        if let Some(cell) = out.own() {
            *cell = [a.add(opposite).read(), b.add(opposite).read(), c.add(opposite).read()];
        }
    }
}

#[test]
fn arrays_of_one_kernel_do_not_overlap() {
    let mut out = Memory::filled([0; 3], 640);
    run(&executor(), side_by_side::launch(&mut out)).unwrap();
    for (i, cell) in out.to_vec().into_iter().enumerate() {
        let opposite = 63 - i as u32 % 64;
        assert_eq!(cell, [opposite, 1000 + opposite, 2000 + opposite]);
    }
}

/// out[block] = how many, whether all, whether any of the block's predicates hold, twice.
#[kernel(block = 96, grid = x.len() / 96)]
pub unsafe fn predicates(x: &[u32], mut out: DisjointMut<[u32; 6]>) {
    let value = x[thread::index_1d()];
    let mut found = [0; 6];
    for (round, bit) in [1, 2].into_iter().enumerate() {
        let holds = value & bit != 0;
        found[3 * round] = thread::sync_threads_count(holds);
        found[3 * round + 1] = thread::sync_threads_and(holds).into();
        found[3 * round + 2] = thread::sync_threads_or(holds).into();
    }
    if thread::thread_idx_x() == 95 {
        // SAFETY: one thread of each block writes the block's cell.
        unsafe { out.write(thread::block_idx_x() as usize, found) };
    }
}

#[test]
fn barriers_count_predicates() {
    // Per block: thresholds below which a thread's first and second bit are set.
    let blocks = [(0, 96), (1, 95), (40, 0), (96, 96)];
    let bits = |(a, b): (u32, u32)| (0..96).map(move |t| u32::from(t < a) + 2 * u32::from(t < b));
    let x = Memory::new(blocks.into_iter().flat_map(bits).collect::<Vec<_>>());
    let mut out = Memory::filled([u32::MAX; 6], blocks.len());
    run(&executor(), predicates::launch(&x, &mut out)).unwrap();
    let expected = blocks.map(|(a, b)| [a, (a == 96).into(), (a > 0).into(), b, (b == 96).into(), (b > 0).into()]);
    assert_eq!(out.to_vec(), expected);
}

/// Threads pass values around a ring, a barrier a step; some of them have more to do than others.
#[kernel(block = 1024, grid = 2)]
pub unsafe fn ring(mut out: DisjointMut<u32>, steps: u32) {
    let cells = shared_array![u32; 1024];
    let t = thread::thread_idx_x() as usize;
    let mut value = t as u32;
    for _ in 0..steps {
        // SAFETY: a barrier stands before and after the reads.
        unsafe {
            cells.add(t).write(value);
            thread::sync_threads();
            value = cells.add((t + 1) % 1024).read();
            thread::sync_threads();
        }
    }
    if let Some(cell) = out.own() {
        *cell = value;
    }
}

#[test]
fn blocks_of_1024_threads_meet_at_every_barrier_of_a_loop() {
    let mut out = Memory::filled(u32::MAX, 2048);
    run(&executor(), ring::launch(&mut out, 20)).unwrap();
    let expected = (0..2048).map(|i| (i + 20) % 1024).collect::<Vec<u32>>();
    assert_eq!(out.to_vec(), expected);
}

/// Writes so many cells of arrays of 60, as a thread for each would.
#[kernel(block = 64, grid = blocks, shared = 60 * 4)]
pub unsafe fn overrun(mut out: DisjointMut<u32>, blocks: u32, statics: u32, dynamics: u32) {
    let (cells, dynamic) = (shared_array![u32; 60], shared::dynamic_shared_mem::<u32>());
    let _ = blocks;
    if thread::block_idx_x() == 1 && thread::thread_idx_x() == 0 {
        // SAFETY: on the processor 4 KiB behind the end are there, and no thread but this one writes.
        unsafe {
            cells.write_bytes(0, statics as usize);
            dynamic.write_bytes(0, dynamics as usize);
        }
    }
    if let Some(cell) = out.own() {
        *cell = 1;
    }
}

#[test]
fn a_write_behind_the_end_of_shared_memory_is_an_error_that_does_no_harm() {
    let executor = executor_of(1);
    let mut out = Memory::filled(0, 128);
    for (statics, dynamics, dynamic, beyond) in [
        (61, 0, false, 4),
        (64, 64, false, 16),
        (60 + 1024, 60, false, 4096),
        (60, 64, true, 16),
        (0, 1084, true, 4096),
    ] {
        let fault = run(&executor, overrun::launch(&mut out, 2, statics, dynamics));
        let expected = Fault::SharedOverrun { kernel: "overrun", block: [1, 0, 0], dynamic, bytes: 240, beyond };
        assert_eq!(fault, Err(expected));
        // The next launch is not to be blamed, and finds no memory of others written.
        assert_eq!(run(&executor, overrun::launch(&mut out, 2, 60, 60)), Ok(()));
    }
    let fault = run(&executor, overrun::launch(&mut out, 2, 64, 0)).unwrap_err();
    let text = "kernel overrun, block [1, 0, 0]: its threads wrote up to 16 bytes behind the end of a `shared_array!`, which has \
                240; make it larger, or let `threads` and `require` keep them within it";
    assert_eq!(fault.to_string(), text);
    let fault = run(&executor, overrun::launch(&mut out, 2, 0, 61)).unwrap_err();
    assert!(
        fault.to_string().contains("4 bytes behind the end of the dynamic shared memory, which has 240;"),
        "{fault}"
    );
}

/// A byte behind an array of a size that no alignment divides, and one of a block that fails.
#[kernel(block = 1, grid = 1)]
pub unsafe fn byte_behind(mut out: DisjointMut<u32>, fails: u32) {
    let cells = shared_array![u8; 17];
    // SAFETY: as in `overrun`.
    unsafe { cells.add(17).write(0) };
    assert!(fails == 0, "another fault");
    let _ = out.own();
}

#[test]
fn a_byte_is_enough_and_a_fault_before_it_is_the_one_that_is_told() {
    let (executor, mut out) = (executor_of(1), Memory::filled(0, 1));
    for fails in [1, 0] {
        let fault = run(&executor, byte_behind::launch(&mut out, fails));
        match fails {
            0 => assert!(matches!(fault, Err(Fault::SharedOverrun { bytes: 17, beyond: 1, .. })), "{fault:?}"),
            _ => assert!(matches!(fault, Err(Fault::Panic { .. })), "{fault:?}"),
        }
    }
}

/// Dynamic memory of any size.
#[kernel(block = 32, grid = 1, shared = bytes)]
pub unsafe fn sized(mut out: DisjointMut<u32>, bytes: u32, written: u32) {
    let dynamic = shared::dynamic_shared_mem::<u8>();
    if thread::thread_idx_x() == 0 {
        // SAFETY: as in `overrun`.
        unsafe { dynamic.write_bytes(0, written as usize) };
    }
    let _ = (out.own(), bytes);
}

#[test]
fn dynamic_memory_that_grows_and_shrinks_is_guarded_at_its_end() {
    let (executor, mut out) = (executor_of(1), Memory::filled(0, 1));
    for bytes in [100, 5000, 1, 100, 99, 40_000] {
        assert_eq!(run(&executor, sized::launch(&mut out, bytes, bytes)), Ok(()));
        let fault = run(&executor, sized::launch(&mut out, bytes, bytes + 2));
        assert!(matches!(fault, Err(Fault::SharedOverrun { beyond: 2, .. })), "{fault:?}");
    }
}
