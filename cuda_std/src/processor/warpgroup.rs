//! Products of four warps: every thread computes its own sums, at once, since it finds both matrices in shared memory.

use super::matrix::SharedAddress;
use super::words::with;
use crate::narrow::bf16_values;
use crate::warpgroup::Sums;

/// Where the rows begin.
pub(crate) type Matrix = SharedAddress;

pub(crate) fn matrix_at(start: SharedAddress) -> Matrix {
    start
}

pub(crate) fn publish() {}

pub(crate) fn no_sums() -> Sums {
    [0.0; 128]
}

pub(crate) unsafe fn wait_for_products<const PENDING: usize>() {}

pub(crate) unsafe fn finish_products(sums: Sums) -> Sums {
    sums
}

pub(crate) unsafe fn multiply_bf16(sums: Sums, a: Matrix, b: Matrix) -> Sums {
    let add = |a, b, sum| {
        let ([a0, a1], [b0, b1]) = (bf16_values(a), bf16_values(b));
        sum + a0 * b0 + a1 * b1
    };
    // SAFETY: the caller's promise.
    unsafe { multiply(sums, a, b, add) }
}

pub(crate) unsafe fn multiply_tf32(sums: Sums, a: Matrix, b: Matrix) -> Sums {
    // The unit does not look at the low bits.
    let value = |word: u32| f32::from_bits(word & !0x1fff);
    // SAFETY: the caller's promise.
    unsafe { multiply(sums, a, b, |a, b, sum| sum + value(a) * value(b)) }
}

/// # Safety
/// 64 and 256 rows of 32 words are there, and nobody writes them.
unsafe fn multiply(mut sums: Sums, a: Matrix, b: Matrix, add: impl Fn(u32, u32, f32) -> f32) -> Sums {
    let (rank, threads) = with(|thread| (thread.rank.get(), thread.block.threads()));
    assert!(
        rank - rank % 128 + 128 <= threads,
        "a product of four warps needs 128 threads, which the block's last do not make"
    );
    let (warp, lane) = (rank as usize % 128 / 32, rank as usize % 32);
    let word = |matrix: Matrix, row: usize, word: usize| {
        let place = row * 32 + ((word / 4) ^ (row % 8)) * 4 + word % 4;
        // SAFETY: the row is there, by the caller's promise, and a multiple of 16 bytes from an aligned address.
        unsafe { matrix.cast::<u32>().add(place).read() }
    };
    for (i, sum) in sums.iter_mut().enumerate() {
        let (row, column) = (warp * 16 + lane / 4 + i / 2 % 2 * 8, i / 4 * 8 + lane % 4 * 2 + i % 2);
        for k in 0..32 {
            *sum = add(word(a, row, k), word(b, column, k), *sum);
        }
    }
    sums
}
