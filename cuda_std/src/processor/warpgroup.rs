//! Products of four warps: every thread computes its own sums, at once, since it finds both matrices in shared memory, or
//! has the other lanes of its warp give what it needs of the one in registers.

use super::matrix::{SharedAddress, mma_m16n8k16_f16};
use super::words::with;
use crate::narrow::bf16_values;
use crate::warpgroup::{Fragment, Sums, Sums64, Sums128};

/// Where the rows begin.
pub(crate) type Matrix = SharedAddress;

pub(crate) fn matrix_at(start: SharedAddress) -> Matrix {
    start
}

pub(crate) fn short_matrix_at(start: SharedAddress) -> Matrix {
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

pub(crate) fn no_sums_64() -> Sums64 {
    [0.0; 32]
}

pub(crate) unsafe fn finish_products_64<const PENDING: usize>(sums: Sums64) -> Sums64 {
    sums
}

pub(crate) unsafe fn begin_rows_f16(a: Fragment, b: Matrix) -> Sums64 {
    // SAFETY: the caller's promise.
    unsafe { multiply_rows_f16([0.0; 32], a, b) }
}

pub(crate) unsafe fn begin_columns_f16(a: Fragment, b: Matrix) -> Sums64 {
    // SAFETY: the caller's promise.
    unsafe { multiply_columns_f16([0.0; 32], a, b) }
}

pub(crate) unsafe fn multiply_rows_f16(sums: Sums64, a: Fragment, b: Matrix) -> Sums64 {
    // SAFETY: the caller's promise.
    unsafe { multiply_64(sums, a, |row, k| b.cast::<u16>().add(place(row, k)).read()) }
}

pub(crate) unsafe fn multiply_columns_f16(sums: Sums64, a: Fragment, b: Matrix) -> Sums64 {
    // SAFETY: the caller's promise.
    unsafe { multiply_64(sums, a, |column, k| b.cast::<u16>().add(place(k, column)).read()) }
}

/// Where number k of a row of 64 stands, in numbers.
fn place(row: usize, k: usize) -> usize {
    row * 64 + ((k / 8) ^ (row % 8)) * 8 + k % 8
}

/// `number(column, k)` of B.
fn multiply_64(mut sums: Sums64, a: Fragment, number: impl Fn(usize, usize) -> u16) -> Sums64 {
    let lane = rank_in_warpgroup() % 32;
    let pair = |column, k| u32::from(number(column, k + 1)) << 16 | u32::from(number(column, k));
    for (step, a) in a.chunks_exact(4).enumerate() {
        for (eight, sums) in sums.chunks_exact_mut(4).enumerate() {
            let (column, k) = (8 * eight + lane / 4, 16 * step + lane % 4 * 2);
            let b = [pair(column, k), pair(column, k + 8)];
            // SAFETY: the whole warpgroup comes here.
            let sum = unsafe { mma_m16n8k16_f16([a[0], a[1], a[2], a[3]], b, [sums[0], sums[1], sums[2], sums[3]]) };
            sums.copy_from_slice(&sum);
        }
    }
    sums
}

/// This thread's place among the 128 of its warpgroup.
fn rank_in_warpgroup() -> usize {
    let (rank, threads) = with(|thread| (thread.rank.get(), thread.block.threads()));
    assert!(
        rank - rank % 128 + 128 <= threads,
        "a product of four warps needs 128 threads, which the block's last do not make"
    );
    rank as usize % 128
}

pub(crate) fn no_sums_128() -> Sums128 {
    [0.0; 64]
}

pub(crate) unsafe fn finish_products_128<const PENDING: usize>(sums: Sums128) -> Sums128 {
    sums
}

pub(crate) unsafe fn begin_short_bf16(a: Matrix, b: Matrix) -> Sums128 {
    // SAFETY: the caller's promise.
    unsafe { multiply_short_bf16(no_sums_128(), a, b) }
}

pub(crate) unsafe fn multiply_short_bf16(sums: Sums128, a: Matrix, b: Matrix) -> Sums128 {
    // SAFETY: the caller's promise.
    unsafe { multiply::<16, 64>(sums, a, b, add_bf16) }
}

pub(crate) unsafe fn multiply_bf16(sums: Sums, a: Matrix, b: Matrix) -> Sums {
    // SAFETY: the caller's promise.
    unsafe { multiply::<32, 128>(sums, a, b, add_bf16) }
}

fn add_bf16(a: u32, b: u32, sum: f32) -> f32 {
    let ([a0, a1], [b0, b1]) = (bf16_values(a), bf16_values(b));
    sum + a0 * b0 + a1 * b1
}

pub(crate) unsafe fn multiply_tf32(sums: Sums, a: Matrix, b: Matrix) -> Sums {
    // The unit does not look at the low bits.
    let value = |word: u32| f32::from_bits(word & !0x1fff);
    // SAFETY: the caller's promise.
    unsafe { multiply::<32, 128>(sums, a, b, |a, b, sum| sum + value(a) * value(b)) }
}

/// # Safety
/// 64 rows and two for each of the sums are there, of `WORDS` words, and nobody writes them.
unsafe fn multiply<const WORDS: usize, const SUMS: usize>(
    mut sums: [f32; SUMS],
    a: Matrix,
    b: Matrix,
    add: impl Fn(u32, u32, f32) -> f32,
) -> [f32; SUMS] {
    let rank = rank_in_warpgroup();
    let (warp, lane) = (rank / 32, rank % 32);
    let word = |matrix: Matrix, row: usize, word: usize| {
        // Pieces of 16 bytes trade places with each row of 128 bytes, with each second one of 64.
        let swap = row / (32 / WORDS) % (WORDS / 4);
        let place = row * WORDS + ((word / 4) ^ swap) * 4 + word % 4;
        // SAFETY: the row is there, by the caller's promise, and a multiple of 16 bytes from an aligned address.
        unsafe { matrix.cast::<u32>().add(place).read() }
    };
    for (i, sum) in sums.iter_mut().enumerate() {
        let (row, column) = (warp * 16 + lane / 4 + i / 2 % 2 * 8, i / 4 * 8 + lane % 4 * 2 + i % 2);
        for k in 0..WORDS {
            *sum = add(word(a, row, k), word(b, column, k), *sum);
        }
    }
    sums
}
