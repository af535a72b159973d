//! Sizes, weights and means of groups of points, in numbers of fixed point: a sum of integers is the same
//! in any order.
//!
//! ```text
//! q_ic = trunc(w_i x_ic S)      S the largest power of two for which n max|w| max|x| S <= 2^62
//! v_i  = trunc(w_i R)           R likewise, without x
//! mean_gc = (sum_{i in g} q_ic / S) / (sum_{i in g} v_i / R)
//! ```
//!
//! No sum can overflow; `room` is 2^62 / n, what one point may add. A product w x of two f32 is exact in f64. A mean is off by less than
//! `n 2^-61 max|x| max|w| / (mean weight of its group)`, twice, and the rounding to f32: for a million
//! points of equal weight 2^-40 of the largest coordinate. Points that lie on one spot, the smallest of
//! whose coordinates is no less than n 2^-37 of the largest, have that spot as their mean exactly. A group
//! whose weight is 0 has its first point as its mean.

use cuda_std::machine::MachineKind;
use cuda_std::{atomic, prelude::*, shared};

use crate::cells::note_first;
use crate::share::each;

/// Most cells of a block's own sums.
pub const SHARED_CELLS: usize = 4096;

/// Most copies of a block's own sums, a lane's each.
const COPIES: usize = 32;

/// Cells of [`tally_few`] for so many groups: of each its sums, and one whose lower half is its size, and whose upper its first
/// point, as in `firsts`.
///
/// ```
/// use gpu::tally::{SHARED_CELLS, cells};
///
/// // In two dimensions a block has room for 1,024 groups.
/// assert!(cells(1024, 2) <= SHARED_CELLS && cells(1025, 2) > SHARED_CELLS);
/// ```
pub const fn cells(groups: usize, d: usize) -> usize {
    groups * (d + 2)
}

/// Points of a block of [`tally_few`]. A processor has few blocks, and each of them a barrier.
const fn points(lanes: usize) -> usize {
    if lanes > 4 { 8192 } else { 1024 }
}

/// Copies of a block's own sums, a power of two. Lanes that add to one cell wait for each other, and where there are few groups,
/// most do; a thread of a processor is alone with its block, and has no need of atomics.
const fn copies(lanes: usize, cells: usize) -> usize {
    let mut copies = if lanes > 4 { 1 } else { COPIES };
    while copies > 1 && copies * cells > SHARED_CELLS {
        copies /= 2;
    }
    copies
}

/// The largest power of two with which a number up to `bound` stays within `room`.
///
/// Of exponents alone: a division of f64 is a subroutine on a GPU.
#[inline(always)]
fn scale_within(room: f64, bound: f64) -> f64 {
    const MOST: u64 = 1023 + 1000;
    const FRACTION: u64 = (1 << 52) - 1;
    let (room, bound) = (room.to_bits(), bound.to_bits());
    let below = u64::from(room & FRACTION < bound & FRACTION);
    let exponent = 1023 + (room >> 52) - (bound >> 52) - below;
    // Where all is zero, any scale will do.
    f64::from_bits((if bound > 0 && exponent < MOST { exponent } else { MOST }) << 52)
}

/// 1 / x, of a scale.
#[inline(always)]
fn inverse(scale: f64) -> f64 {
    f64::from_bits(((2 * 1023) << 52) - scale.to_bits())
}

/// S and R. `largest` has the bits of max|x| and of max|w|.
#[inline(always)]
fn scales(largest: &[u32], room: f64) -> (f64, f64) {
    let (x, w) = (f64::from(f32::from_bits(largest[0])), f64::from(f32::from_bits(largest[1])));
    (scale_within(room, w * x), scale_within(room, w))
}

/// Point i's weight: 1 where there are none.
#[inline(always)]
fn weight(weights: &[f32], i: usize) -> f64 {
    if weights.is_empty() { 1.0 } else { f64::from(weights[i]) }
}

/// Adds to a sum that wraps around: two's complement is the same signed or not.
///
/// # Safety
/// `cell` is valid, and touched atomically only.
#[inline(always)]
unsafe fn add(cell: *mut u64, value: f64) {
    // SAFETY: the caller's promise.
    unsafe { atomic::fetch_add(cell, value as i64 as u64) };
}

/// Adds to a cell of a block. On a processor one thread after the other has it, and need not lock it, which takes five times as long.
///
/// # Safety
/// `cell` is valid, and touched in this way only, by threads of the block.
#[inline(always)]
unsafe fn add_own<M: Machine>(cell: *mut u64, value: u64) {
    // SAFETY: the caller's promise.
    unsafe {
        if let MachineKind::Gpu = M::KIND {
            atomic::fetch_add(cell, value);
        } else {
            cell.write(cell.read().wrapping_add(value));
        }
    }
}

/// Counts point i in a block's cells of its group, the size and `!i` of the smallest.
///
/// # Safety
/// As for [`add_own`], of two cells.
#[inline(always)]
unsafe fn count_own<M: Machine>(cells: *mut u32, i: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        if let MachineKind::Gpu = M::KIND {
            atomic::fetch_add(cells, 1);
            atomic::fetch_max(cells.add(1), !(i as u32));
        } else {
            cells.write(cells.read() + 1);
            cells.add(1).write(cells.add(1).read().max(!(i as u32)));
        }
    }
}

/// Adds points to the sums of their groups: `sums[g * (d + 1) + c]` gets q_ic, and c = d gets v_i;
/// `sizes[g]` counts; `firsts[g]` is `!i` of the smallest point. All are zero before. For many groups.
#[kernel(
    small,
    threads = 32..=1024,
    grid = n.div_ceil(block.x * Machine::LANES),
    require(
        ids.len() >= n,
        columns.len() >= stride * (d - 1) + n,
        stride >= n,
        weights.len() == 0 || weights.len() >= n,
        largest.len() >= 2,
        sums.len() >= count * (d + 1),
        sizes.len() >= count,
        firsts.len() >= count,
    ),
)]
pub unsafe fn tally_many(
    ids: &[u32],
    columns: &[f32],
    weights: &[f32],
    largest: &[u32],
    sums: *mut u64,
    sizes: *mut u32,
    firsts: *mut u32,
    count: u32,
    n: u32,
    d: u32,
    stride: u32,
    room: f64,
) {
    let (n, d, stride) = (n as usize, d as usize, stride as usize);
    each::<Machine>(n, |i| {
        if ids[i] >= count {
            return;
        }
        let group = ids[i] as usize;
        let (by_x, by_w) = scales(largest, room);
        let w = weight(weights, i);
        // SAFETY: the launch has checked the lengths, and the group is less than the count.
        unsafe {
            let sums = sums.add(group * (d + 1));
            for c in 0..d {
                add(sums.add(c), w * f64::from(columns[c * stride + i]) * by_x);
            }
            add(sums.add(d), w * by_w);
            atomic::fetch_add(sizes.add(group), 1);
            note_first(firsts.add(group), i);
        }
    });
}

/// [`tally_many`] for so few groups that a block has room for sums of its own, in copies that lanes share out, which it adds to the
/// others' at the end.
#[kernel(
    small,
    threads = 32..=1024,
    grid = n.div_ceil(points(Machine::LANES)),
    shared = copies(Machine::LANES, cells(count, d)) * cells(count, d) * 8,
    require(
        count >= 1,
        cells(count, d) <= SHARED_CELLS,
        ids.len() >= n,
        columns.len() >= stride * (d - 1) + n,
        stride >= n,
        weights.len() == 0 || weights.len() >= n,
        largest.len() >= 2,
        sums.len() >= count * (d + 1),
        sizes.len() >= count,
        firsts.len() >= count,
    ),
)]
pub unsafe fn tally_few(
    ids: &[u32],
    columns: &[f32],
    weights: &[f32],
    largest: &[u32],
    sums: *mut u64,
    sizes: *mut u32,
    firsts: *mut u32,
    count: u32,
    n: u32,
    d: u32,
    stride: u32,
    room: f64,
) {
    let own = shared::dynamic_shared_mem::<u64>();
    let (n, d, stride, groups) = (n as usize, d as usize, stride as usize, count as usize);
    let (t, threads) = (thread::thread_idx_x() as usize, thread::block_dim_x() as usize);
    let (cells, of_group) = (cells(groups, d), d + 2);
    let copies = copies(Machine::LANES, cells);
    let mut k = t;
    while k < copies * cells {
        // SAFETY: before the barrier the cell is this thread's.
        unsafe { own.add(k).write(0) };
        k += threads;
    }
    thread::sync_threads();
    let (by_x, by_w) = scales(largest, room);
    let first = thread::block_idx_x() as usize * points(Machine::LANES);
    let end = n.min(first + points(Machine::LANES));
    // Neighbouring points are neighbouring threads', or one thread's of a processor.
    let share = points(Machine::LANES).div_ceil(threads);
    let (mut i, step, end) = if Machine::LANES > 4 {
        (first + t * share, 1, end.min(first + (t + 1) * share))
    } else {
        (first + t, threads, end)
    };
    while i < end {
        if ids[i] < count {
            let w = weight(weights, i);
            // SAFETY: the block has the cells of each group, so many copies of each; between the barriers they are touched by
            // `add_own` only.
            unsafe {
                let own = own.add(ids[i] as usize * of_group * copies + (t & (copies - 1)));
                for c in 0..=d {
                    let value = if c < d { w * f64::from(columns[c * stride + i]) * by_x } else { w * by_w };
                    add_own::<Machine>(own.add(c * copies), value as i64 as u64);
                }
                count_own::<Machine>(own.add((d + 1) * copies).cast(), i);
            }
        }
        i += step;
    }
    thread::sync_threads();
    let mut k = t;
    while k < cells {
        // In 32 bits: a division of 64 is a subroutine on a GPU.
        let (group, c) = ((k as u32 / of_group as u32) as usize, (k as u32 % of_group as u32) as usize);
        // Halves of the copies' sum, and the largest upper half. Neighbouring cells begin with different copies, lest they all be in
        // one bank.
        let (mut low, mut high, mut largest) = (0_u64, 0_u32, 0_u32);
        for copy in 0..copies {
            // SAFETY: nobody writes the block's cells after the barrier.
            let [lower, upper] = unsafe { own.add(k * copies + ((copy + k) & (copies - 1))).cast::<[u32; 2]>().read() };
            low += u64::from(lower);
            high = high.wrapping_add(upper);
            largest = largest.max(upper);
        }
        // SAFETY: the launch has checked the lengths.
        unsafe {
            if c <= d {
                let total = low.wrapping_add(u64::from(high) << 32);
                atomic::fetch_add(sums.add(group * (d + 1) + c), total);
            } else if low > 0 {
                atomic::fetch_add(sizes.add(group), low as u32);
                atomic::fetch_max(firsts.add(group), largest);
            }
        }
        k += threads;
    }
}

/// `means[g * d + c]`, by rows, and `totals[g]`, the sum of the group's weights. One thread a group.
#[kernel(
    small,
    threads = 32..=1024,
    grid = count.div_ceil(block.x),
    require(
        columns.len() >= stride * (d - 1) + n,
        largest.len() >= 2,
        sums.len() >= count * (d + 1),
        firsts.len() >= count,
        means.len() >= count * d,
        totals.len() >= count,
    ),
)]
pub unsafe fn tally_means(
    columns: &[f32],
    largest: &[u32],
    sums: &[u64],
    firsts: &[u32],
    mut means: DisjointMut<f32>,
    mut totals: DisjointMut<f64>,
    count: u32,
    n: u32,
    d: u32,
    stride: u32,
    room: f64,
) {
    let (d, stride) = (d as usize, stride as usize);
    let group = thread::index_1d();
    if group >= count as usize {
        return;
    }
    let (by_x, by_w) = scales(largest, room);
    let sums = &sums[group * (d + 1)..][..d + 1];
    let (by_x, by_w) = (inverse(by_x), inverse(by_w));
    let total = sums[d] as f64 * by_w;
    // SAFETY: row and cell `group` belong to the thread with that index.
    unsafe {
        totals.write(group, total);
        for c in 0..d {
            let mean = if total > 0.0 {
                Machine::divide_f64(sums[c] as i64 as f64 * by_x, total) as f32
            } else if firsts[group] > 0 {
                columns[c * stride + !firsts[group] as usize]
            } else {
                0.0
            };
            means.write(group * d + c, mean);
        }
    }
}
