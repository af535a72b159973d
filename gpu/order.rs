//! The order of items by a key, largest first, then by position, then by number: a merge sort of item
//! numbers in global memory.
//!
//! Threads sort runs of [`RUN`] items each; then each launch merges pairs of runs, every thread the part
//! of a merged run that [`RUN`] items make: where its part begins in both runs, it finds by bisection.
//! Comparisons number n log n, launches log(n / RUN) + 1.
//!
//! Coordinate c of item i stands at `positions[i * item_step + c * coordinate_step]`: rows (d, 1) or
//! columns (1, stride).

use cuda_std::{atomic, prelude::*};

use crate::components::NONE;
use crate::share::each;

/// Items of a thread.
pub const RUN: usize = 16;

/// What items are compared by.
struct Items<'a> {
    keys: &'a [u64],
    positions: &'a [f32],
    d: usize,
    item_step: usize,
    coordinate_step: usize,
    /// Whether of equal keys the larger position comes first, else the smaller.
    descending: bool,
}

impl Items<'_> {
    /// Whether a comes before b.
    #[inline(always)]
    fn before(&self, a: u32, b: u32) -> bool {
        let (key_a, key_b) = (self.keys[a as usize], self.keys[b as usize]);
        if key_a != key_b {
            return key_a > key_b;
        }
        for c in 0..self.d {
            let x = self.positions[a as usize * self.item_step + c * self.coordinate_step];
            let y = self.positions[b as usize * self.item_step + c * self.coordinate_step];
            if x != y {
                return (x < y) != self.descending;
            }
        }
        a < b
    }
}

/// Sorted runs of [`RUN`] of the items 0..count. One thread a run.
#[kernel(
    small,
    threads = 32..=1024,
    grid = count.div_ceil(RUN).div_ceil(block.x),
    require(
        keys.len() >= count,
        positions.len() > (count - 1) * item_step + (d - 1) * coordinate_step,
        order.len() >= count,
    ),
)]
pub unsafe fn sort_runs(
    keys: &[u64],
    positions: &[f32],
    mut order: DisjointMut<u32>,
    count: u32,
    d: u32,
    item_step: u32,
    coordinate_step: u32,
    descending: u32,
) {
    let items = Items {
        keys,
        positions,
        d: d as usize,
        item_step: item_step as usize,
        coordinate_step: coordinate_step as usize,
        descending: descending > 0,
    };
    let count = count as usize;
    let first = thread::index_1d() * RUN;
    if first >= count {
        return;
    }
    for i in first..count.min(first + RUN) {
        let mut at = i;
        // SAFETY: the run is this thread's.
        unsafe {
            while at > first && items.before(i as u32, order.read(at - 1)) {
                let moved = order.read(at - 1);
                order.write(at, moved);
                at -= 1;
            }
            order.write(at, i as u32);
        }
    }
}

/// Merges pairs of neighbouring sorted runs of `run` items. One thread for [`RUN`] items of the result.
#[kernel(
    small,
    threads = 32..=1024,
    grid = count.div_ceil(RUN).div_ceil(block.x),
    require(
        keys.len() >= count,
        positions.len() > (count - 1) * item_step + (d - 1) * coordinate_step,
        from.len() >= count,
        to.len() >= count,
        run >= RUN,
        run.is_multiple_of(RUN),
    ),
)]
pub unsafe fn merge_runs(
    keys: &[u64],
    positions: &[f32],
    from: &[u32],
    mut to: DisjointMut<u32>,
    count: u32,
    d: u32,
    item_step: u32,
    coordinate_step: u32,
    descending: u32,
    run: u32,
) {
    let items = Items {
        keys,
        positions,
        d: d as usize,
        item_step: item_step as usize,
        coordinate_step: coordinate_step as usize,
        descending: descending > 0,
    };
    let (count, run) = (count as usize, run as usize);
    let first = thread::index_1d() * RUN;
    if first >= count {
        return;
    }
    let start = first / (2 * run) * (2 * run);
    let a = &from[start..count.min(start + run)];
    let b = &from[start + a.len()..count.min(start + 2 * run)];
    // Of the items before `first`, how many are of a: the least for which the next of a is not one of them.
    let before = first - start;
    let (mut low, mut high) = (before.saturating_sub(b.len()), before.min(a.len()));
    while low < high {
        let middle = low + (high - low) / 2;
        if items.before(a[middle], b[before - middle - 1]) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let (mut i, mut j) = (low, before - low);
    for at in first..count.min(first + RUN) {
        let from_a = j >= b.len() || i < a.len() && items.before(a[i], b[j]);
        let item = if from_a { a[i] } else { b[j] };
        i += usize::from(from_a);
        j += usize::from(!from_a);
        // SAFETY: these items of the result are this thread's.
        unsafe { to.write(at, item) };
    }
}

/// Keys of groups: the bits of their weight, which order as the weights do, plus 1; 0 for groups of
/// fewer than `minimum` points, which so come last. `kept[0]`, zero before, counts the others.
/// One thread a group.
#[kernel(
    small,
    threads = 32..=1024,
    grid = count.div_ceil(block.x),
    require(totals.len() >= count, sizes.len() >= count, keys.len() >= count, kept.len() >= 1),
)]
pub unsafe fn group_keys(
    totals: &[f64],
    sizes: &[u32],
    mut keys: DisjointMut<u64>,
    kept: *mut u32,
    count: u32,
    minimum: u32,
) {
    let group = thread::index_1d();
    if group < count as usize {
        let stays = sizes[group] >= minimum;
        let key = if stays { totals[group].to_bits() + 1 } else { 0 };
        // SAFETY: cell `group` belongs to the thread with that index; `kept` is changed atomically only.
        unsafe {
            keys.write(group, key);
            if stays {
                atomic::fetch_add(kept, 1);
            }
        }
    }
}

/// `label_of[order[k]]`: k for the first `kept[0]` groups, [`NONE`] for the others. One thread a group.
#[kernel(
    small,
    threads = 32..=1024,
    grid = count.div_ceil(block.x),
    require(order.len() >= count, kept.len() >= 1, label_of.len() >= count),
)]
pub unsafe fn label_groups(order: &[u32], kept: &[u32], mut label_of: DisjointMut<u32>, count: u32) {
    let k = thread::index_1d();
    if k < count as usize {
        let label = if k < kept[0] as usize { k as u32 } else { NONE };
        // SAFETY: an order names every group once.
        unsafe { label_of.write(order[k] as usize, label) };
    }
}

/// `labels[i] = label_of[ids[i]]`, and [`NONE`] for what has no group.
#[kernel(small, threads = 32..=1024, grid = n.div_ceil(block.x * Machine::LANES), require(ids.len() >= n, labels.len() >= n))]
pub unsafe fn relabel(ids: &[u32], label_of: &[u32], mut labels: DisjointMut<u32>, n: u32) {
    each::<Machine>(n as usize, |i| {
        let label = if (ids[i] as usize) < label_of.len() { label_of[ids[i] as usize] } else { NONE };
        // SAFETY: cell i is that of an item of this thread.
        unsafe { labels.write(i, label) };
    });
}

/// Sizes, weights and means of the first `count` groups of an order, in that order. One thread a group.
#[kernel(
    small,
    threads = 32..=1024,
    grid = count.div_ceil(block.x),
    require(
        order.len() >= count,
        sizes_out.len() >= count,
        totals_out.len() >= count,
        means_out.len() >= count * d,
    ),
)]
pub unsafe fn permute_groups(
    order: &[u32],
    sizes: &[u32],
    totals: &[f64],
    means: &[f32],
    mut sizes_out: DisjointMut<u32>,
    mut totals_out: DisjointMut<f64>,
    mut means_out: DisjointMut<f32>,
    count: u32,
    d: u32,
) {
    let k = thread::index_1d();
    if k < count as usize {
        let group = order[k] as usize;
        // SAFETY: cells and row k belong to the thread with that index.
        unsafe {
            sizes_out.write(k, sizes[group]);
            totals_out.write(k, totals[group]);
            for c in 0..d as usize {
                means_out.write(k * d as usize + c, means[group * d as usize + c]);
            }
        }
    }
}
