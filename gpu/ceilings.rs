//! What a machine can do at best: one kernel for each of its limits, to hold the others against.
//!
//! | kernel | computes | a launch counts |
//! |---|---|---|
//! | `ceiling_copy` | `out[i] = input[i]` | `8 n` bytes, read and written, n = `out.len()` |
//! | `ceiling_fma` | x -> factor x + addend, `repeats` times | `repeats n` fused multiply-adds, 2 operations each |
//! | `ceiling_ex2` | x -> 2^-x, `repeats` times | `repeats n` exponentials |
//! | `ceiling_mma` | `repeats` times the product of f16 matrices | `32768 repeats` operations a warp |
//!
//! Nothing of it can be left out: what comes in and how often is known only when the kernel runs, each step needs
//! the one before, all of them end in memory, and a compiler may neither shorten chains of rounded sums nor see into
//! a product of a warp. A thread has several chains, so that none waits for another's step; the loops' bodies
//! are long, so that counting them costs nothing that shows.

use cuda_std::prelude::*;
use cuda_std::warp;

use crate::lanes;
use crate::layout::STRIDE;

/// Arrays of LANES that a thread copies: on a GPU enough reads under way at once, on a processor enough work.
const fn vectors(lanes: usize) -> usize {
    if lanes > 4 { 16 } else { 4 }
}

/// Where the `k`-th of `count` arrays of lanes of this thread begins: neighbouring threads of a GPU have
/// neighbouring arrays, a thread of a processor has its own together.
#[inline(always)]
fn place(lanes: usize, count: usize, k: usize) -> usize {
    let (t, threads) = (thread::thread_idx_x() as usize, thread::block_dim_x() as usize);
    let block = thread::block_idx_x() as usize * threads * count;
    let own = if lanes > 4 { t * count + k } else { k * threads + t };
    (block + own) * lanes
}

/// `out[i] = input[i]`: the bandwidth of the memory, 4 bytes read and 4 written an element.
///
/// Both begin at a multiple of 16 bytes, as all that a device gives out does: a GPU takes so many at a time.
#[kernel(
    block = if Machine::LANES > 4 { 32 } else { 256 },
    grid = out.len().div_ceil(block.x * Machine::LANES * vectors(Machine::LANES)),
    require(input.len() == out.len(), input.is_aligned(16), out.is_aligned(16)),
)]
pub unsafe fn ceiling_copy(input: &[f32], mut out: DisjointMut<f32>) {
    const LANES: usize = Machine::LANES;
    const VECTORS: usize = vectors(LANES);
    let end = place(LANES, VECTORS, VECTORS - 1) + LANES;
    if end <= input.len() && end <= out.len() {
        let mut values = [[0.0; LANES]; VECTORS];
        // SAFETY: `end` is behind the last array of lanes, and cells with these indices are this thread's. The
        // launch has checked that memory begins at a multiple of 16 bytes, and on a GPU LANES is 4.
        unsafe {
            for k in 0..VECTORS {
                values[k] = lanes::load_whole::<Machine, LANES>(input.as_ptr().add(place(LANES, VECTORS, k)));
            }
            for k in 0..VECTORS {
                lanes::store_whole::<Machine, LANES>(out.as_mut_ptr().add(place(LANES, VECTORS, k)), values[k]);
            }
        }
    } else {
        for k in 0..VECTORS {
            let first = place(LANES, VECTORS, k);
            for i in first..input.len().min(first + LANES) {
                // SAFETY: as above.
                unsafe { out.write(i, input[i]) };
            }
        }
    }
}

/// The chains' loops take this many steps a turn; `repeats` is a multiple of it.
pub const STEPS: u32 = 8;

/// Steps that the source writes out: on a GPU, where counting takes as much as a step, all of them.
const fn unrolled(lanes: usize) -> u32 {
    if lanes > 4 { 1 } else { STEPS }
}

/// Arrays of lanes that a thread steps on by a multiplication: twelve vectors on a processor, whose two units of up to
/// five cycles need ten.
const FMA_CHAINS: usize = 6;

/// The same for exponentials: on a processor ten vectors, of some ten operations each. (Of eight, rustc 1.95
/// makes sixteen of half the width for AVX2.)
const EX2_CHAINS: usize = 5;

/// out = step(step(… input …)), `repeats` times; CHAINS arrays of lanes a thread, none of them cut off by the end.
#[inline(always)]
fn repeat<const LANES: usize, const CHAINS: usize>(
    input: &[f32],
    out: &mut DisjointMut<f32>,
    repeats: u32,
    step: impl Fn([f32; LANES]) -> [f32; LANES],
) {
    let mut chains = [[0.0; LANES]; CHAINS];
    for chain in 0..CHAINS {
        let first = place(LANES, CHAINS, chain);
        if first + LANES <= input.len() {
            // SAFETY: so many elements are there.
            chains[chain] = unsafe { lanes::load(input, first) };
        }
    }
    for _ in 0..repeats / unrolled(LANES) {
        for _ in 0..unrolled(LANES) {
            for chain in 0..CHAINS {
                chains[chain] = step(chains[chain]);
            }
        }
    }
    for chain in 0..CHAINS {
        let first = place(LANES, CHAINS, chain);
        if first + LANES <= out.len() {
            // SAFETY: cells with these indices are this thread's.
            unsafe { lanes::write(out, first, chains[chain]) };
        }
    }
}

/// `out[i]` = `input[i]` after `repeats` steps x -> factor x + addend; a multiple of 32 elements.
///
/// After r steps it is factor^r x + addend (1 + factor + … + factor^(r-1)). With factor 1 and integers that is exact
/// up to 2^24. Else a step's rounding is 2^-24 of the largest value on the way (twice that on a processor without the
/// instruction), and r times that, or 1 / (1 - |factor|) times, bounds the error.
#[kernel(
    threads = 32..=1024,
    grid = out.len().div_ceil(block.x * Machine::LANES * FMA_CHAINS),
    require(
        input.len() == out.len(),
        out.len().is_multiple_of(STRIDE),
        repeats.is_multiple_of(STEPS as usize),
    ),
)]
pub unsafe fn ceiling_fma(input: &[f32], mut out: DisjointMut<f32>, factor: f32, addend: f32, repeats: u32) {
    const LANES: usize = Machine::LANES;
    repeat::<LANES, FMA_CHAINS>(input, &mut out, repeats, |mut x| {
        for lane in 0..LANES {
            x[lane] = Machine::mul_add(x[lane], factor, addend);
        }
        x
    });
}

/// `out[i]` = `input[i]` after `repeats` steps x -> 2^-x, for `input[i] >= 0`; a multiple of 32 elements.
///
/// After a step x is in (0, 1], and from there it goes to 0.641185744…, where 2^-x = x. There a step takes errors
/// by -0.444, and never by more than ln 2: of the 2^-22 that each may add, no more than 2^-22 / (1 - ln 2) is ever
/// left.
#[kernel(
    threads = 32..=1024,
    grid = out.len().div_ceil(block.x * Machine::LANES * EX2_CHAINS),
    require(
        input.len() == out.len(),
        out.len().is_multiple_of(STRIDE),
        repeats.is_multiple_of(STEPS as usize),
    ),
)]
pub unsafe fn ceiling_ex2(input: &[f32], mut out: DisjointMut<f32>, repeats: u32) {
    const LANES: usize = Machine::LANES;
    repeat::<LANES, EX2_CHAINS>(input, &mut out, repeats, |mut x| {
        for lane in 0..LANES {
            x[lane] = Machine::exp2_minus(x[lane]);
        }
        x
    });
}

/// Matrices A and B of `ceiling_mma`: as many products a step, which do not wait for each other.
const A_TILES: usize = 2;
const B_TILES: usize = 4;

/// Words of each of the two inputs of `ceiling_mma`.
pub const MMA_WORDS: usize = 256;

/// Operations of a warp in each of `ceiling_mma`'s repeats: eight products of 16 x 16 by 16 x 8.
pub const MMA_FLOPS: u64 = (A_TILES * B_TILES * 2 * 16 * 16 * 8) as u64;

/// Each warp w writes D = repeats (A_0 + A_1) (B_0 + B_1 + B_2 + B_3), 16 x 8 by rows, to `out[128 w..]`.
///
/// It multiplies each of two A, 16 x 16, with each of four B, 16 x 8, which stay in its registers, and adds each of the
/// eight products `repeats` times to sums of its own, in f32.
///
/// Words hold two f16, see [`half_pair`]: `a[(m * 16 + row) * 8 + k / 2]` has the elements k and k + 1 of a row of A_m,
/// and `b[(n * 8 + column) * 8 + k / 2]` those of a column of B_n. With multiples of 1/8 up to 1, D is exact
/// up to repeats = 2048; from there on each of a sum's additions may be off by 2^-23 of it. A processor
/// only emulates the instruction, slowly.
#[kernel(
    threads = 32..=1024,
    grid = out.len() / (block.x * 4),
    require(a.len() == MMA_WORDS, b.len() == MMA_WORDS, out.len().is_multiple_of(block.x * 4)),
)]
pub unsafe fn ceiling_mma(a: &[u32], b: &[u32], mut out: DisjointMut<f32>, repeats: u32) {
    let (a, b) = (&a[..MMA_WORDS], &b[..MMA_WORDS]);
    let lane = warp::lane_id() as usize;
    let (g, t) = (lane / 4, lane % 4);
    let (mut a_words, mut b_words) = ([[0; 4]; A_TILES], [[0; 2]; B_TILES]);
    for m in 0..A_TILES {
        for word in 0..4 {
            a_words[m][word] = a[(m * 16 + word % 2 * 8 + g) * 8 + word / 2 * 4 + t];
        }
    }
    for n in 0..B_TILES {
        for word in 0..2 {
            b_words[n][word] = b[(n * 8 + g) * 8 + word * 4 + t];
        }
    }
    let mut sums = [[[0.0; 4]; B_TILES]; A_TILES];
    for _ in 0..repeats {
        for m in 0..A_TILES {
            for n in 0..B_TILES {
                // SAFETY: blocks are whole warps, and all of them repeat as often.
                sums[m][n] = unsafe { warp::mma_m16n8k16_f16(a_words[m], b_words[n], sums[m][n]) };
            }
        }
    }
    let first = thread::index_1d() / 32 * 128;
    for i in 0..4 {
        let mut sum = 0.0;
        for m in 0..A_TILES {
            for n in 0..B_TILES {
                sum += sums[m][n][i];
            }
        }
        // SAFETY: a warp's cells are its own, and of them each lane has four.
        unsafe { out.write(first + (i / 2 * 8 + g) * 8 + 2 * t + i % 2, sum) };
    }
}

/// A word of two f16, the first in the low half.
///
/// ```
/// use gpu::ceilings::half_pair;
///
/// // 1 and 2, as f16.
/// assert_eq!(half_pair(1.0, 2.0), 0x4000_3c00);
/// ```
///
/// # Panics
/// If one of the numbers is neither zero nor a normal f16.
#[cfg(not(target_arch = "nvptx64"))]
pub fn half_pair(low: f32, high: f32) -> u32 {
    let half = |x: f32| {
        let (bits, exponent) = (x.to_bits(), x.to_bits() >> 23 & 255);
        let exact = x == 0.0 || ((113..=142).contains(&exponent) && bits & 0x1fff == 0);
        assert!(exact, "{x} is no f16");
        bits >> 31 << 15 | if x == 0.0 { 0 } else { (exponent - 112) << 10 | bits >> 13 & 1023 }
    };
    half(high) << 16 | half(low)
}
