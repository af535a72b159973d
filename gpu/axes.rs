//! The extent of each coordinate, and the three that extend farthest.
//!
//! `extents` has 2 d words, zero before: bits that order as the floats do, so that an integer's
//! maximum finds them: of the largest value of column c at 2 c, and the complement of the smallest
//! value's at 2 c + 1.

use cuda_std::{atomic, prelude::*, warp};

/// Values that a thread takes: so few on a GPU that 100,000 points are enough for all of it.
const fn run(lanes: usize) -> usize {
    if lanes > 4 { 128 } else { 8 }
}

/// Bits that order as the floats do.
#[inline(always)]
fn ordered(x: f32) -> u32 {
    let bits = x.to_bits();
    if bits >> 31 == 0 { bits | 1 << 31 } else { !bits }
}

/// The float that stands as such bits in the extents.
///
/// ```
/// use gpu::axes::{extent, restored};
///
/// // Bits in whose order the floats are: 0 is in the middle.
/// assert_eq!(restored(1 << 31), 0.0);
/// assert!(restored((1 << 31) + 5) > 0.0 && restored((1 << 31) - 5) < 0.0);
/// ```
#[inline(always)]
pub fn restored(bits: u32) -> f32 {
    f32::from_bits(if bits >> 31 == 1 { bits & !(1 << 31) } else { !bits })
}

/// The smallest and the largest value of a column whose words of `extents` are these.
///
/// ```
/// use gpu::axes::extent;
///
/// // The largest value's word, and the complement of the smallest one's.
/// let word = |x: f32| if x < 0.0 { !x.to_bits() } else { x.to_bits() | 1 << 31 };
/// assert_eq!(extent([word(2.5), !word(-1.0)]), (-1.0, 2.5));
/// ```
#[inline(always)]
pub fn extent([high, low]: [u32; 2]) -> (f32, f32) {
    (restored(!low), restored(high))
}

/// A thread's column, and which of its n values it takes, as start, step and end: neighbours go to neighbouring threads of a
/// GPU, and to one thread of a processor. There may be more columns than a grid has blocks along y, so that blocks are in one
/// row, all of a column beside each other.
#[inline(always)]
fn share<M: Machine>(n: usize) -> (usize, (usize, usize, usize)) {
    let (t, threads) = (thread::thread_idx_x() as usize, thread::block_dim_x());
    let run = run(M::LANES);
    let of_column = (n as u32).div_ceil(run as u32 * threads);
    let (block, threads) = (thread::block_idx_x(), threads as usize);
    let first = (block % of_column) as usize * threads * run;
    let values = if M::LANES > 4 {
        (first + t * run, 1, n.min(first + (t + 1) * run))
    } else {
        (first + t, threads, n.min(first + threads * run))
    };
    ((block / of_column) as usize, values)
}

/// The largest word of a GPU's warp, in whose first thread alone it counts; of a processor's thread, its own. Whole warps come here,
/// so that one of their threads, instead of all, waits for a word that everybody raises.
#[inline(always)]
fn largest_of_warp<M: Machine>(word: u32) -> u32 {
    if M::LANES > 4 {
        word
    } else {
        // SAFETY: blocks are whole warps, all of which come here.
        let largest = unsafe { warp::warp_reduce(word, u32::max) };
        if warp::lane_id() == 0 { largest } else { 0 }
    }
}

/// Raises a word.
///
/// # Safety
/// It is valid, and raised only during the launch.
#[inline(always)]
unsafe fn raise(word: *mut u32, to: u32) {
    if to > 0 {
        // SAFETY: the caller's promise.
        unsafe { atomic::fetch_max(word, to) };
    }
}

/// The extents of columns c of d x stride, of n values each.
#[kernel(
    threads = 32..=1024,
    grid = n.div_ceil(run(Machine::LANES) * block.x) * d,
    require(columns.len() >= stride * d, stride >= n, extents.len() >= 2 * d),
)]
pub unsafe fn column_extents(columns: &[f32], extents: *mut u32, n: u32, d: u32, stride: u32) {
    let (n, _d, stride) = (n as usize, d as usize, stride as usize);
    let (c, (start, step, end)) = share::<Machine>(n);
    let column = &columns[c * stride..][..n];
    let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
    let mut i = start;
    while i < end {
        low = low.min(column[i]);
        high = high.max(column[i]);
        i += step;
    }
    // What a thread without values has found is below all else.
    let (high, low) = (ordered(high), !ordered(low));
    let (high, low) = (largest_of_warp::<Machine>(high), largest_of_warp::<Machine>(low));
    // SAFETY: the launch has checked the length; only this kernel's maxima touch the words.
    unsafe {
        raise(extents.add(2 * c), high);
        raise(extents.add(2 * c + 1), low);
    }
}

/// `axes[0..3]`: the columns of the largest extent, the first of equals first. For d >= 3. One thread.
#[kernel(block = 32, grid = 1, require(extents.len() >= 2 * d, axes.len() >= 3, d >= 3))]
pub unsafe fn widest_axes(extents: &[u32], mut axes: DisjointMut<u32>, d: u32) {
    if thread::thread_idx_x() > 0 {
        return;
    }
    let none = (f32::NEG_INFINITY, u32::MAX);
    let (mut first, mut second, mut third) = (none, none, none);
    for c in 0..d {
        let (low, high) = extent([extents[2 * c as usize], extents[2 * c as usize + 1]]);
        let this = (high - low, c);
        if this.0 > first.0 {
            (first, second, third) = (this, first, second);
        } else if this.0 > second.0 {
            (second, third) = (this, second);
        } else if this.0 > third.0 {
            third = this;
        }
    }
    // SAFETY: this thread alone writes.
    unsafe {
        axes.write(0, first.1);
        axes.write(1, second.1);
        axes.write(2, third.1);
    }
}

/// Raises `bits[at]` to the bits of the largest magnitude in d columns of n values.
#[kernel(
    threads = 32..=1024,
    grid = n.div_ceil(run(Machine::LANES) * block.x) * d,
    require(columns.len() >= stride * (d - 1) + n, stride >= n, bits.len() > at),
)]
pub unsafe fn largest_magnitude(columns: &[f32], bits: *mut u32, n: u32, d: u32, stride: u32, at: u32) {
    let (n, _d, stride) = (n as usize, d as usize, stride as usize);
    let (c, (start, step, end)) = share::<Machine>(n);
    let column = &columns[c * stride..][..n];
    let mut largest = 0.0_f32;
    let mut i = start;
    while i < end {
        largest = largest.max(column[i].abs());
        i += step;
    }
    let largest = largest_of_warp::<Machine>(largest.to_bits());
    // SAFETY: the launch has checked the length; only this kernel's maxima touch the word.
    unsafe { raise(bits.add(at as usize), largest) };
}
