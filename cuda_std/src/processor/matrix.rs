//! Products of matrices that lie spread over a warp, as the tensor cores of a GPU do them, and what feeds them.

use std::cell::Cell;

use super::words::{exchange, f16_values, with};
use crate::narrow::bf16_values;

/// What 32 lanes put in, two words each.
type Words = [u64; 32];

/// D = A B + C; see [`warp`](crate::warp::mma_m16n8k16_f16).
pub(crate) unsafe fn mma_m16n8k16_f16(a: [u32; 4], b: [u32; 2], c: [f32; 4]) -> [f32; 4] {
    multiply(a, b, c, |a, b, sum| dot(f16_values(a), f16_values(b), sum))
}

pub(crate) unsafe fn mma_m16n8k16_bf16(a: [u32; 4], b: [u32; 2], c: [f32; 4]) -> [f32; 4] {
    multiply(a, b, c, |a, b, sum| dot(bf16_values(a), bf16_values(b), sum))
}

pub(crate) unsafe fn mma_m16n8k8_tf32(a: [u32; 4], b: [u32; 2], c: [f32; 4]) -> [f32; 4] {
    // The unit does not look at the low bits.
    let value = |word: u32| f32::from_bits(word & !0x1fff);
    multiply(a, b, c, |a, b, sum| sum + value(a) * value(b))
}

fn dot(a: [f32; 2], b: [f32; 2], sum: f32) -> f32 {
    sum + a[0] * b[0] + a[1] * b[1]
}

/// D = A B + C, with eight words in a row of A and in a column of B; `add` adds the products of two words.
fn multiply(a: [u32; 4], b: [u32; 2], c: [f32; 4], add: impl Fn(u32, u32, f32) -> f32) -> [f32; 4] {
    let lane = lane_of_whole_warp("the product of a warp");
    let (left, right, b) = (all(a[0], a[1]), all(a[2], a[3]), all(b[0], b[1]));
    let (g, t) = (lane / 4, lane % 4);
    let mut d = c;
    for (i, d) in d.iter_mut().enumerate() {
        let (lower, column) = (i / 2, 2 * t + i % 2);
        for k in 0..8 {
            let (a, half) = if k < 4 { (&left, 0) } else { (&right, 1) };
            *d = add(word_of(a[4 * g + k % 4], lower), word_of(b[4 * column + k % 4], half), *d);
        }
    }
    d
}

/// This thread's lane.
fn lane_of_whole_warp(what: &str) -> usize {
    let (rank, threads) = with(|thread| (thread.rank.get(), thread.block.threads()));
    let lane = rank % 32;
    assert!(rank - lane + 32 <= threads, "{what} needs 32 lanes, which the block's last warp does not have");
    lane as usize
}

/// Two words of every lane of the warp.
fn all(first: u32, second: u32) -> Words {
    exchange(u32::MAX, u64::from(second) << 32 | u64::from(first), |lanes| lanes.each_ref().map(Cell::get))
}

fn word_of(words: u64, word: usize) -> u32 {
    (words >> (32 * word)) as u32
}

/// A pointer, as `SharedAddress` holds it.
pub(crate) type SharedAddress = *const u8;

pub(crate) fn shared_address(pointer: *const u8) -> SharedAddress {
    pointer
}

pub(crate) unsafe fn shared_add(address: SharedAddress, bytes: u32) -> SharedAddress {
    // SAFETY: the caller's promise.
    unsafe { address.add(bytes as usize) }
}

pub(crate) unsafe fn shared_aligned(address: SharedAddress, bytes: u32) -> SharedAddress {
    // SAFETY: the caller's promise.
    unsafe { address.add(address.align_offset(bytes as usize)) }
}

/// The rows' addresses that the lanes of a warp know.
fn rows(row: SharedAddress) -> [*const u8; 32] {
    assert!(row.addr().is_multiple_of(16), "a matrix's row begins at {row:p}, which is no multiple of 16");
    exchange(u32::MAX, row.expose_provenance() as u64, |lanes| {
        lanes.each_ref().map(|address| std::ptr::with_exposed_provenance(address.get() as usize))
    })
}

pub(crate) unsafe fn ldmatrix_x4(row: SharedAddress) -> [u32; 4] {
    let lane = lane_of_whole_warp("loading matrices");
    let rows = rows(row);
    // SAFETY: the caller promises 16 bytes from each address on, which is aligned.
    std::array::from_fn(|i| unsafe { rows[8 * i + lane / 4].cast::<u32>().add(lane % 4).read() })
}

pub(crate) unsafe fn ldmatrix_x4_trans(row: SharedAddress) -> [u32; 4] {
    let lane = lane_of_whole_warp("loading matrices");
    let rows = rows(row);
    std::array::from_fn(|i| {
        // SAFETY: as above.
        let element = |r: usize| u32::from(unsafe { rows[8 * i + r].cast::<u16>().add(lane / 4).read() });
        let first = lane % 4 * 2;
        element(first + 1) << 16 | element(first)
    })
}

pub(crate) unsafe fn shared_read_16(from: SharedAddress) -> [u32; 4] {
    assert!(from.addr().is_multiple_of(16), "a load of 16 bytes from {from:p}: it must be a multiple of 16");
    // SAFETY: the caller promises 16 bytes there.
    unsafe { from.cast::<[u32; 4]>().read() }
}

pub(crate) unsafe fn shared_write_16(to: SharedAddress, words: [u32; 4]) {
    assert!(to.addr().is_multiple_of(16), "a store of 16 bytes to {to:p}: it must be a multiple of 16");
    // SAFETY: the caller promises 16 bytes there; `to` is the address of shared memory, which threads may write.
    unsafe { to.cast_mut().cast::<[u32; 4]>().write(words) }
}

pub(crate) unsafe fn copy_async_16(to: SharedAddress, from: *const u8) {
    // SAFETY: the caller's promise.
    unsafe { copy_now::<16>(to, from) }
}

pub(crate) unsafe fn copy_async_16_of_row(to: SharedAddress, from: *const u8) {
    // SAFETY: the caller's promise.
    unsafe { copy_now::<16>(to, from) }
}

pub(crate) unsafe fn copy_async_8(to: SharedAddress, from: *const u8) {
    // SAFETY: the caller's promise.
    unsafe { copy_now::<8>(to, from) }
}

pub(crate) unsafe fn copy_async_4(to: SharedAddress, from: *const u8) {
    // SAFETY: the caller's promise.
    unsafe { copy_now::<4>(to, from) }
}

/// Copies at once.
unsafe fn copy_now<const BYTES: usize>(to: SharedAddress, from: *const u8) {
    let aligned = to.addr().is_multiple_of(BYTES) && from.addr().is_multiple_of(BYTES);
    assert!(aligned, "an asynchronous copy from {from:p} to {to:p}: both must be multiples of {BYTES}");
    // SAFETY: the caller's promise; `to` is the address of shared memory, which threads may write.
    unsafe { std::ptr::copy_nonoverlapping(from, to.cast_mut(), BYTES) }
}

pub(crate) fn copy_commit() {}

pub(crate) fn copy_wait<const PENDING: usize>() {}
