//! Where threads stand, which cells are theirs, and what depends neither on workers nor on machines.

mod memory;

use cpu_executor::CpuExecutor;
use cuda_std::machine::MachineKind;
use cuda_std::prelude::*;
use cuda_std::warp;
use memory::{Memory, executor, executor_of, run};

/// out[thread of the launch] = thread, block, block size and grid size along x, y, z.
#[kernel(block = (4, 3, 2), grid = (2, 3, 5))]
pub unsafe fn places(out: *mut [u32; 12]) {
    let block = (thread::block_idx_z() * thread::grid_dim_y() + thread::block_idx_y()) * thread::grid_dim_x()
        + thread::block_idx_x();
    let place = [
        thread::thread_idx_x(),
        thread::thread_idx_y(),
        thread::thread_idx_z(),
        thread::block_idx_x(),
        thread::block_idx_y(),
        thread::block_idx_z(),
        thread::block_dim_x(),
        thread::block_dim_y(),
        thread::block_dim_z(),
        thread::grid_dim_x(),
        thread::grid_dim_y(),
        thread::grid_dim_z(),
    ];
    // SAFETY: ranks within a block and numbers of blocks differ, and the test's memory is large enough.
    unsafe { out.add((block * thread::block_size() + thread::thread_rank()) as usize).write(place) };
}

#[test]
fn every_thread_of_a_three_dimensional_grid_knows_its_place() {
    let mut out = Memory::filled([u32::MAX; 12], 2 * 3 * 5 * 24);
    run(&executor(), places::launch(&mut out)).unwrap();
    let mut expected = Vec::new();
    for bz in 0..5 {
        for by in 0..3 {
            for bx in 0..2 {
                for tz in 0..2 {
                    for ty in 0..3 {
                        for tx in 0..4 {
                            expected.push([tx, ty, tz, bx, by, bz, 4, 3, 2, 2, 3, 5]);
                        }
                    }
                }
            }
        }
    }
    assert_eq!(out.to_vec(), expected);
}

/// out[i] = the indices that are computed from places.
#[kernel(block = (2, 3, 2), grid = (3, 2, 2))]
pub unsafe fn indices(out: *mut [u64; 5]) {
    let (x, y, z) = thread::index_3d();
    assert_eq!(thread::index_2d(), (x, y));
    assert_eq!(thread::index_1d(), x);
    let number = (z * 6 + y) * 6 + x;
    let more = [thread::grid_stride() as u64, u64::from(warp::lane_id())];
    // SAFETY: the number is this thread's own in the whole launch of 6 x 6 x 4 threads.
    unsafe { out.add(number).write([x as u64, y as u64, z as u64, more[0], more[1]]) };
}

#[test]
fn indices_cover_the_grid_once() {
    let mut out = Memory::filled([u64::MAX; 5], 6 * 6 * 4);
    run(&executor(), indices::launch(&mut out)).unwrap();
    for (number, found) in out.to_vec().into_iter().enumerate() {
        let number = number as u64;
        let (x, y, z) = (number % 6, number / 6 % 6, number / 36);
        let lane = (z % 2 * 3 + y % 3) * 2 + x % 2;
        assert_eq!(found, [x, y, z, 6, lane]);
    }
}

/// out[i] = i, for each of the slice's own cells.
#[kernel(threads = 32..=1024)]
pub unsafe fn own(mut out: DisjointMut<u32>) {
    assert!(!out.is_empty());
    if let Some(cell) = out.own() {
        *cell = thread::index_1d() as u32;
    }
}

#[test]
fn own_cells_are_all_there_for_any_size_of_block() {
    for threads in [32, 96, 256, 1024] {
        for len in [1, 31, 32, 33, 1000, 4097] {
            let mut out = Memory::filled(u32::MAX, len);
            run(&executor(), own::launch(&mut out).threads_per_block(threads)).unwrap();
            assert_eq!(out.to_vec(), (0..len as u32).collect::<Vec<_>>(), "{threads} threads, {len} cells");
        }
    }
}

#[test]
fn a_grid_without_blocks_does_nothing() {
    let mut out = Memory::<u32>::new([]);
    assert_eq!(run(&executor(), own::launch(&mut out)), Ok(()));
    assert_eq!(out.to_vec(), []);
}

/// out[y][x] = 100 y + x.
#[kernel(block = (8, 4), grid = (columns.div_ceil(8), rows.div_ceil(4)))]
pub unsafe fn own_2d(mut out: DisjointMut<u32>, columns: u32, rows: u32) {
    let (x, y) = thread::index_2d();
    // SAFETY: all threads have the same.
    if let Some(cell) = unsafe { out.own_2d(columns as usize) } {
        *cell = (100 * y + x) as u32;
    }
}

#[test]
fn cells_of_a_matrix_are_found_by_row_and_column() {
    for (columns, rows) in [(1, 1), (8, 4), (9, 5), (3, 17), (30, 2)] {
        // A slice that is shorter than the matrix ends where it ends.
        for missing in [0, 1] {
            let cells = (columns * rows - missing) as usize;
            let mut out = Memory::filled(u32::MAX, cells);
            run(&executor(), own_2d::launch(&mut out, columns, rows)).unwrap();
            let expected = (0..rows).flat_map(|y| (0..columns).map(move |x| 100 * y + x));
            assert_eq!(out.to_vec(), expected.take(cells).collect::<Vec<_>>());
        }
    }
}

/// out[i] = i, however few the blocks.
#[kernel(block = 32, grid = blocks)]
pub unsafe fn own_strided(mut out: DisjointMut<u32>, blocks: u32) {
    let (first, stride) = (thread::index_1d(), thread::grid_stride());
    assert_eq!(stride, 32 * blocks as usize);
    let mut k = 0;
    while let Some(cell) = out.own_strided(k) {
        *cell = (first + k * stride) as u32;
        k += 1;
    }
}

#[test]
fn strided_cells_cover_the_slice_for_any_number_of_blocks() {
    for blocks in [1, 2, 7] {
        for len in [1, 64, 1000] {
            let mut out = Memory::filled(u32::MAX, len);
            run(&executor(), own_strided::launch(&mut out, blocks)).unwrap();
            assert_eq!(out.to_vec(), (0..len as u32).collect::<Vec<_>>());
        }
    }
}

/// out[i] = a sum in f32 whose value depends on the order of its terms.
#[kernel(block = 64, grid = x.len().div_ceil(64))]
pub unsafe fn order_matters(x: &[f32], mut out: DisjointMut<f32>) {
    let tile = shared_array![f32; 64];
    let t = thread::thread_idx_x() as usize;
    let i = thread::index_1d();
    let value = if i < x.len() { x[i] } else { 0.0 };
    // SAFETY: each thread writes its cell before the barrier, and nobody does after it.
    unsafe {
        tile.add(t).write(Machine::mul_add(value, value, 1e-3 / (1.0 + value)));
        thread::sync_threads();
        let mut sum = 0.0f32;
        for other in 0..64 {
            sum += tile.add((t + other) % 64).read();
        }
        let sum = warp::warp_reduce(sum, |a, b| a + b);
        if let Some(cell) = out.own() {
            *cell = (sum * 1e-3).exp() + sum.ln();
        }
    }
}

#[test]
fn bits_do_not_depend_on_the_number_of_workers() {
    let x = Memory::new((0..10_000).map(|i| (i as f32 * 0.37).sin().abs()).collect::<Vec<_>>());
    let bits = |workers| {
        let mut out = Memory::filled(f32::NAN, 10_000);
        run(&executor_of(workers), order_matters::launch(&x, &mut out)).unwrap();
        out.to_vec().into_iter().map(f32::to_bits).collect::<Vec<_>>()
    };
    let one = bits(1);
    assert!(one.iter().all(|bits| f32::from_bits(*bits).is_finite()));
    for workers in [1, 2, 3, 8] {
        assert_eq!(bits(workers), one, "{workers} workers");
    }
}

/// out[i] = what the code believes the machine to be.
#[kernel]
pub unsafe fn machine(mut out: DisjointMut<[u32; 3]>) {
    let kind = match Machine::KIND {
        MachineKind::Gpu => 0,
        MachineKind::Baseline => 1,
        MachineKind::Avx2 => 2,
        MachineKind::Avx512 => 3,
    };
    let shared = shared_array![[f32; Machine::LANES]; 2];
    thread::sync_threads();
    // SAFETY: lane 0 writes one cell of its own block's array and reads it again.
    unsafe { shared.write([2.5; Machine::LANES]) };
    // SAFETY: as above; every thread writes the same value.
    let sum: f32 = unsafe { shared.read() }.iter().sum();
    if let Some(cell) = out.own() {
        *cell = [kind, Machine::LANES as u32, sum as u32];
    }
}

#[test]
fn every_kind_of_processor_that_this_one_is_runs_its_own_code() {
    let kinds = [(MachineKind::Baseline, 1, 8), (MachineKind::Avx2, 2, 16), (MachineKind::Avx512, 3, 32)];
    for (kind, number, lanes) in kinds.into_iter().filter(|(kind, ..)| kind.runs_here()) {
        let executor = CpuExecutor::new(2, kind).unwrap();
        assert_eq!((executor.machine(), executor.workers()), (kind, 2));
        let mut out = Memory::filled([u32::MAX; 3], 100);
        run(&executor, machine::launch(&mut out)).unwrap();
        assert_eq!(out.to_vec(), vec![[number, lanes, lanes * 5 / 2]; 100]);
    }
}

#[test]
#[should_panic(expected = "cannot run code for Gpu")]
fn a_processor_is_not_a_gpu() {
    let _ = CpuExecutor::new(1, MachineKind::Gpu);
}

/// out[i] = the sum of 64 KiB on the stack, kept across a barrier.
#[kernel(block = 32)]
pub unsafe fn deep(mut out: DisjointMut<u64>) {
    let t = u64::from(thread::thread_idx_x());
    let mut cells = [0u64; 8192];
    for (i, cell) in std::hint::black_box(&mut cells).iter_mut().enumerate() {
        *cell = i as u64 + t;
    }
    thread::sync_threads();
    if let Some(out) = out.own() {
        *out = std::hint::black_box(&cells).iter().sum();
    }
}

#[test]
fn a_thread_may_keep_64_kib_on_its_stack() {
    let mut out = Memory::filled(0, 100);
    run(&executor(), deep::launch(&mut out)).unwrap();
    let expected = (0..100).map(|i| 8191 * 8192 / 2 + 8192 * (i % 32)).collect::<Vec<u64>>();
    assert_eq!(out.to_vec(), expected);
}

/// out[i] += 1 for the k-th cells of the threads.
#[kernel(block = 4, grid = 3)]
pub unsafe fn count_strided(mut out: DisjointMut<u32>, k: u64) {
    if let Some(cell) = out.own_strided(k as usize) {
        *cell += 1;
    }
}

/// The same for the cells of a matrix.
#[kernel(block = (2, 4), grid = 1)]
pub unsafe fn count_2d(mut out: DisjointMut<u32>, columns: u64) {
    // SAFETY: all threads have the same.
    if let Some(cell) = unsafe { out.own_2d(columns as usize) } {
        *cell += 1;
    }
}

#[test]
fn places_beyond_all_numbers_are_nobodys() {
    let mut out = Memory::filled(0, 12);
    // Times twelve threads it is 8 more than 2^64.
    run(&executor(), count_strided::launch(&mut out, u64::MAX / 12 + 1)).unwrap();
    assert_eq!(out.to_vec(), [0; 12]);
    // The third of the rows would begin at 2^64.
    run(&executor(), count_2d::launch(&mut out, 1 << 63)).unwrap();
    assert_eq!(out.to_vec(), [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
}
