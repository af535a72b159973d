//! A radix sort of 64-bit keys and the numbers that go with them, from the lowest digit up: stable, and the
//! same whatever the order in which threads run.
//!
//! ```text
//! for each digit of DIGIT bits:
//!     count_digits     counts[digit][t]: how often it occurs among the RUN items of thread t
//!     scan.rs          where the items of thread t with that digit begin
//!     scatter_digits   each thread puts its items there, in their order
//! ```
//!
//! A thread's counts are bytes of two words, and nothing but its own items concerns it: there are no barriers,
//! no shared memory, and no atomics.

use cuda_std::prelude::*;

/// Bits of a digit.
pub const DIGIT: u32 = 4;

/// Values of a digit.
pub const DIGITS: usize = 1 << DIGIT;

/// Items of a thread: few enough for counts of a byte.
pub const RUN: usize = 64;

const _: () = assert!(RUN < 256 && DIGITS == 16);

/// A count of each digit, of a byte each.
#[derive(Clone, Copy)]
struct Counts([u64; 2]);

impl Counts {
    #[inline(always)]
    fn get(self, digit: u32) -> u32 {
        let word = if digit < 8 { self.0[0] } else { self.0[1] };
        (word >> (digit % 8 * 8)) as u32 & 0xff
    }

    #[inline(always)]
    fn add(self, digit: u32) -> Self {
        let one = 1 << (digit % 8 * 8);
        let [low, high] = self.0;
        if digit < 8 { Self([low + one, high]) } else { Self([low, high + one]) }
    }
}

/// A key's digit, from bit `shift` on.
#[inline(always)]
fn digit(key: u64, shift: u32) -> u32 {
    (key >> shift) as u32 % DIGITS as u32
}

/// `counts[digit * threads + t]`, for threads t = 0.. of [`RUN`] items each.
#[kernel(
    threads = 32..=1024,
    grid = n.div_ceil(RUN).div_ceil(block.x),
    require(keys.len() >= n, counts.len() >= n.div_ceil(RUN) * DIGITS, shift < 64),
)]
pub unsafe fn count_digits(keys: &[u64], mut counts: DisjointMut<u32>, n: u32, shift: u32) {
    let n = n as usize;
    let t = thread::index_1d();
    if t * RUN >= n {
        return;
    }
    let mut own = Counts([0; 2]);
    for &key in &keys[t * RUN..n.min((t + 1) * RUN)] {
        own = own.add(digit(key, shift));
    }
    for value in 0..DIGITS {
        // SAFETY: these cells are this thread's.
        unsafe { counts.write(value * n.div_ceil(RUN) + t, own.get(value as u32)) };
    }
}

/// Puts each item in its place: `starts` are the sums of all counts before.
#[kernel(
    threads = 32..=1024,
    grid = n.div_ceil(RUN).div_ceil(block.x),
    require(
        keys.len() >= n,
        values.len() >= n,
        starts.len() >= n.div_ceil(RUN) * DIGITS,
        sorted_keys.len() >= n,
        sorted_values.len() >= n,
        shift < 64,
    ),
)]
pub unsafe fn scatter_digits(
    keys: &[u64],
    values: &[u32],
    starts: &[u32],
    mut sorted_keys: DisjointMut<u64>,
    mut sorted_values: DisjointMut<u32>,
    n: u32,
    shift: u32,
) {
    let n = n as usize;
    let t = thread::index_1d();
    if t * RUN >= n {
        return;
    }
    let mut own = Counts([0; 2]);
    for i in t * RUN..n.min((t + 1) * RUN) {
        let digit = digit(keys[i], shift);
        let at = (starts[digit as usize * n.div_ceil(RUN) + t] + own.get(digit)) as usize;
        own = own.add(digit);
        // SAFETY: the counts give each item a place of its own.
        unsafe {
            sorted_keys.write(at, keys[i]);
            sorted_values.write(at, values[i]);
        }
    }
}

/// `values[i] = i`: the numbers to begin with.   One thread a number.
#[kernel(threads = 32..=1024, grid = n.div_ceil(block.x), require(values.len() >= n))]
pub unsafe fn count_up(mut values: DisjointMut<u32>, n: u32) {
    let i = thread::index_1d();
    if i < n as usize {
        // SAFETY: each thread has its own index.
        unsafe { values.write(i, i as u32) };
    }
}
