//! Atomic operations from many blocks at once, and on shared memory.

mod memory;

use cuda_std::atomic;
use cuda_std::prelude::*;
use memory::{Memory, executor_of, run};

/// Threads of every launch here: 64 blocks of 64.
const THREADS: usize = 4096;

/// Every thread does every operation once; cells: sum, min, max, and, or, xor.
#[kernel(
    instances(operations_u32<u32>, operations_i32<i32>, operations_u64<u64>),
    block = 64,
    grid = x.len() / 64,
)]
pub unsafe fn operations<T>(x: &[T], cells: *mut T) {
    let value = x[thread::index_1d()];
    // SAFETY: there are six cells, which nothing else touches during the launch.
    unsafe {
        atomic::fetch_add(cells, value);
        atomic::fetch_min(cells.add(1), value);
        atomic::fetch_max(cells.add(2), value);
        atomic::fetch_and(cells.add(3), value);
        atomic::fetch_or(cells.add(4), value);
        atomic::fetch_xor(cells.add(5), value);
    }
}

macro_rules! check_operations {
    ($test:ident: $kernel:ident, $type:ty, $value:expr) => {
        #[test]
        fn $test() {
            let x: Vec<$type> = (0..THREADS).map($value).collect();
            let starts: [$type; 6] = [3, <$type>::MAX, <$type>::MIN, !0, 0, 9];
            let mut cells = Memory::new(starts);
            run(&executor_of(4), $kernel::launch(&Memory::new(x.clone()), &mut cells)).unwrap();
            let expected = [
                x.iter().fold(3, |sum: $type, x| sum.wrapping_add(*x)),
                *x.iter().min().unwrap(),
                *x.iter().max().unwrap(),
                x.iter().fold(!0, |all, x| all & x),
                x.iter().fold(0, |any, x| any | x),
                x.iter().fold(9, |odd, x| odd ^ x),
            ];
            assert_eq!(cells.to_vec(), expected);
        }
    };
}

check_operations!(operations_on_u32: operations_u32, u32, |i| (i as u32).wrapping_mul(2_654_435_761) | 0x10);
check_operations!(operations_on_i32: operations_i32, i32, |i| (i as i32).wrapping_mul(-1_640_531_527) | 0x10);
check_operations!(operations_on_u64: operations_u64, u64, |i| (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 0x10);

/// Each thread takes a number, leaves its own in the second cell, and adds 1 to the third by compare and exchange.
#[kernel(block = 64)]
pub unsafe fn tickets(mut out: DisjointMut<[u32; 2]>, cells: *mut u32) {
    let own = thread::index_1d() as u32;
    // SAFETY: there are three cells, which are only touched atomically during the launch.
    let found = unsafe {
        let mut seen = atomic::load(cells.add(2));
        loop {
            let now = atomic::compare_exchange(cells.add(2), seen, seen + 1);
            if now == seen {
                break;
            }
            seen = now;
        }
        [atomic::fetch_add(cells, 1), atomic::exchange(cells.add(1), own)]
    };
    if let Some(cell) = out.own() {
        *cell = found;
    }
}

#[test]
fn every_operation_gives_what_was_there() {
    let mut cells = Memory::new([0, u32::MAX, 0]);
    let mut out = Memory::filled([0; 2], THREADS);
    run(&executor_of(4), tickets::launch(&mut out, &mut cells)).unwrap();
    let (mut numbers, mut left): (Vec<_>, Vec<_>) = out.to_vec().into_iter().map(|[a, b]| (a, b)).unzip();
    let [count, last, exchanged] = cells.to_vec()[..] else { panic!("three cells") };
    assert_eq!((count, exchanged), (THREADS as u32, THREADS as u32));
    numbers.sort_unstable();
    assert_eq!(numbers, (0..THREADS as u32).collect::<Vec<_>>());
    // Each thread's own number was found by one thread, or is there at the end; so is the first.
    left.push(last);
    left.sort_unstable();
    assert_eq!(left, (0..THREADS as u32).chain([u32::MAX]).collect::<Vec<_>>());
}

/// sum += small integers, one a thread.
#[kernel(block = 64, grid = 64)]
pub unsafe fn add_f32(sum: *mut f32) {
    // SAFETY: the cell is only touched atomically during the launch.
    unsafe { atomic::fetch_add_f32(sum, (thread::index_1d() % 7) as f32) };
}

#[test]
fn small_integers_add_up_exactly_in_f32() {
    let mut sum = Memory::filled(0.5f32, 1);
    run(&executor_of(4), add_f32::launch(&mut sum)).unwrap();
    let expected = (0..THREADS).map(|i| i % 7).sum::<usize>() as f32 + 0.5;
    assert_eq!(sum.to_vec(), [expected]);
}

/// out[block * 8 + k] = how many elements of the block's part of x are k modulo 8.
#[kernel(block = 128, grid = x.len().div_ceil(128), require(out.len() == x.len().div_ceil(128) * 8))]
pub unsafe fn histogram(x: &[u32], mut out: DisjointMut<u32>) {
    let counts = shared_array![u32; 8];
    let (t, i) = (thread::thread_idx_x() as usize, thread::index_1d());
    // SAFETY: between the barriers the counts are only touched atomically.
    unsafe {
        if t < 8 {
            atomic::store(counts.add(t), 0);
        }
        thread::sync_threads();
        if i < x.len() {
            atomic::fetch_add(counts.add(x[i] as usize % 8), 1);
        }
        thread::block_fence();
        thread::sync_threads();
        if t < 8 {
            out.write(thread::block_idx_x() as usize * 8 + t, atomic::load(counts.add(t)));
        }
    }
}

#[test]
fn atomics_work_in_shared_memory() {
    let x = (0..1000u32).map(|i| i * i / 3).collect::<Vec<_>>();
    let mut out = Memory::filled(u32::MAX, 64);
    run(&executor_of(2), histogram::launch(&Memory::new(x.clone()), &mut out)).unwrap();
    let count = |part: &[u32], k| part.iter().filter(|x| *x % 8 == k).count() as u32;
    let expected = x.chunks(128).flat_map(|part| (0..8).map(move |k| count(part, k)));
    assert_eq!(out.to_vec(), expected.collect::<Vec<_>>());
}
