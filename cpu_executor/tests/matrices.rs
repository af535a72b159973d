//! Products of a warp, loads of matrices and copies, against their definitions.

// As in kernels: what is at hand is a number of its place.
#![allow(clippy::needless_range_loop)]

mod memory;

use cpu_executor::Fault;
use cuda_std::prelude::*;
use cuda_std::shared::SharedAddress;
use cuda_std::{copy, narrow, warp};
use memory::{Memory, executor, run};

/// One warp: `out[4 lane..]` = what the lane gets of a product of the words `a` (16 x 8) and `b` (8 columns x 8), by
/// ldmatrix, in f16, bf16 or tf32 for `which` of 0, 1, 2. Rows go to shared memory by copies.
#[kernel(block = 32, grid = 1, require(a.len() == 128, b.len() == 64, out.len() == 128))]
pub unsafe fn product(a: &[u32], b: &[u32], mut out: DisjointMut<f32>, which: u32) {
    let tile = shared_array![u32; 192];
    let lane = warp::lane_id() as usize;
    // SAFETY: each lane copies its own pieces, and all wait before any reads; whole warps come here together.
    unsafe {
        for piece in [lane, lane + 32] {
            let from = if piece < 32 { a.as_ptr().add(4 * piece) } else { b.as_ptr().add(4 * (piece - 32) % 64) };
            if piece < 48 {
                copy::async_16(SharedAddress::of(tile.add(4 * piece)), from);
            }
        }
        copy::commit();
        copy::wait::<0>();
        thread::sync_threads();
        let base = SharedAddress::of(tile);
        let (matrix, row) = (lane / 8, lane % 8);
        let of_a = warp::ldmatrix_x4(base.add(((matrix % 2 * 8 + row) * 32 + matrix / 2 * 16) as u32));
        let of_b = warp::ldmatrix_x4(base.add((512 + row * 32 + matrix % 2 * 16) as u32));
        let (of_b, zero) = ([of_b[0], of_b[1]], [1.0; 4]);
        let sums = match which {
            0 => warp::mma_m16n8k16_f16(of_a, of_b, zero),
            1 => warp::mma_m16n8k16_bf16(of_a, of_b, zero),
            _ => warp::mma_m16n8k8_tf32(of_a, of_b, zero),
        };
        for i in 0..4 {
            out.write(4 * lane + i, sums[i]);
        }
    }
}

/// Words of small integers, exact in every kind of number.
fn words(count: usize, which: u32, value: impl Fn(usize) -> f32) -> Vec<u32> {
    let word = |i: usize| match which {
        0 => narrow::f16_pair(value(2 * i), value(2 * i + 1)),
        1 => narrow::bf16_pair(value(2 * i), value(2 * i + 1)),
        _ => narrow::tf32(value(i)),
    };
    (0..count).map(word).collect()
}

#[test]
fn products_are_those_of_the_matrices() {
    for which in 0..3 {
        let depth = if which == 2 { 8 } else { 16 };
        let a = |i: usize| ((i * 7 + i / 5) % 13) as f32 - 6.0;
        let b = |i: usize| ((i * 5 + i / 3) % 11) as f32 - 5.0;
        let (of_a, of_b) = (Memory::new(words(128, which, a)), Memory::new(words(64, which, b)));
        let mut out = Memory::filled(f32::NAN, 128);
        run(&executor(), product::launch(&of_a, &of_b, &mut out, which)).unwrap();
        let out = out.to_vec();
        for row in 0..16 {
            for column in 0..8 {
                let expected: f32 = (0..depth).map(|k| a(row * depth + k) * b(column * depth + k)).sum();
                let lane = row % 8 * 4 + column / 2;
                assert_eq!(out[4 * lane + row / 8 * 2 + column % 2], expected + 1.0, "{which}: {row}, {column}");
            }
        }
    }
}

/// Four matrices of 8 x 8 numbers of 16 bits, plain or turned over.
#[kernel(block = 32, grid = 1, require(x.len() == 128, out.len() == 128))]
pub unsafe fn spread(x: &[u32], mut out: DisjointMut<u32>, transposed: u32) {
    let tile = shared_array![u32; 128];
    let lane = warp::lane_id() as usize;
    // SAFETY: each lane writes its own row, and all wait before any reads; whole warps come here together.
    unsafe {
        for i in 0..4 {
            tile.add(4 * lane + i).write(x[4 * lane + i]);
        }
        thread::sync_threads();
        let row = SharedAddress::of(tile).add(16 * lane as u32);
        let got = if transposed == 1 { warp::ldmatrix_x4_trans(row) } else { warp::ldmatrix_x4(row) };
        for i in 0..4 {
            out.write(32 * i + lane, got[i]);
        }
    }
}

#[test]
fn matrices_are_spread_plain_and_turned_over() {
    let element = |matrix: usize, row: usize, column: usize| (matrix * 64 + row * 8 + column) as u32;
    let pair = |low: u32, high: u32| high << 16 | low;
    let x: Vec<u32> = (0..128).map(|i| pair(2 * i, 2 * i + 1)).collect();
    for transposed in [0, 1] {
        let mut out = Memory::filled(0, 128);
        run(&executor(), spread::launch(&Memory::new(x.clone()), &mut out, transposed)).unwrap();
        for (i, found) in out.to_vec().into_iter().enumerate() {
            let (matrix, g, t) = (i / 32, i % 32 / 4, i % 4 * 2);
            let expected = match transposed {
                0 => pair(element(matrix, g, t), element(matrix, g, t + 1)),
                _ => pair(element(matrix, t, g), element(matrix, t + 1, g)),
            };
            assert_eq!(found, expected, "{transposed}: matrix {matrix}, lane {}", i % 32);
        }
    }
}

/// A load or a copy that a GPU would not do either.
#[kernel(block = 32, grid = 1, require(x.len() >= 8, out.len() >= 1))]
pub unsafe fn misplaced(x: &[u32], mut out: DisjointMut<u32>, copies: u32) {
    let tile = shared_array![u32; 16];
    let base = SharedAddress::of(tile);
    // SAFETY: what is wrong here is refused.
    unsafe {
        if copies == 1 {
            copy::async_16(base, x.as_ptr().add(1));
        }
        let got = warp::ldmatrix_x4(base.add(4));
        if thread::index_1d() == 0 {
            out.write(0, got[0]);
        }
    }
}

/// A product of half a warp.
#[kernel(block = 16, grid = 1, require(out.len() >= 1))]
pub unsafe fn halved(mut out: DisjointMut<f32>) {
    // SAFETY: what is wrong here is refused.
    let sums = unsafe { warp::mma_m16n8k8_tf32([0; 4], [0; 2], [0.0; 4]) };
    if let Some(cell) = out.own() {
        *cell = sums[0];
    }
}

#[track_caller]
fn assert_refused(result: Result<(), Fault>, words: &str) {
    let Err(Fault::Panic { message, .. }) = result else { panic!("{words}: {result:?}") };
    assert!(message.contains(words), "{message}");
}

#[test]
fn what_a_gpu_would_not_do_is_an_error() {
    let (executor, x) = (executor(), Memory::new(vec![0_u32; 8]));
    let mut words = Memory::filled(0, 1);
    assert_refused(run(&executor, misplaced::launch(&x, &mut words, 0)), "which is no multiple of 16");
    assert_refused(run(&executor, misplaced::launch(&x, &mut words, 1)), "both must be multiples of 16");
    assert_refused(run(&executor, halved::launch(&mut Memory::filled(0.0, 1))), "needs 32 lanes");
}
