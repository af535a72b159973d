//! Connected components of the graph "within a radius r" over end positions, without n x n anything.
//!
//! 1. Ends in one small cell, whose corners are r / 8 apart, follow the first of them, their leader
//!    (`claim_cells` in cells.rs, then [`component_leaders`]). Ends gather, so there are few leaders.
//! 2. Leaders are put into a grid of larger cells, over all coordinates or, for d > 3, the three widest,
//!    as linked lists ([`link_leaders`]).
//! 3. Leaders of neighbouring cells within r of each other are united (`unite`), in a forest where
//!    every parent is smaller than its child: whatever the order, the root of a set is its smallest.
//! 4. Roots are numbered in order ([`component_roots`], a scan, [`component_numbers`]).
//!
//! For d <= 3 cells are so small that all of a cell is within r: it is one set, and two cells that are
//! in one set already need no look at their members.

use cuda_std::{atomic, prelude::*};

use crate::cells::{cell_of, claim, find, mix};
use crate::pairwise::{L1, Lp, Metric, SquaredL2};
use crate::share::each;

/// Coordinates of the grid.
pub const AXES: usize = 3;

/// Of an end that belongs to nothing.
pub const NONE: u32 = u32::MAX;

/// Sets of items as a forest: every item has a parent, which is smaller than itself, or is the root of its set. Items that buffers say
/// are looked at before they are gone to: what is not so ends the launch.
#[derive(Clone, Copy)]
pub(crate) struct Forest {
    parents: *mut u32,
    len: u32,
}

impl Forest {
    /// # Safety
    /// `parents` has `len` cells, which are touched atomically only during the launch.
    #[inline(always)]
    pub unsafe fn new(parents: *mut u32, len: usize) -> Self {
        Self { parents, len: len as u32 }
    }

    /// The root of a set, and shorter ways to it for those who come after.
    #[inline(always)]
    fn root(self, mut item: u32) -> u32 {
        loop {
            let above = self.climb(item);
            if above == item {
                return item;
            }
            item = above;
        }
    }

    /// The parent of an item's parent, who takes the latter's place: the sets stay as they are. The item itself, if it is a root.
    #[inline(always)]
    fn climb(self, item: u32) -> u32 {
        assert!(item < self.len, "an item beyond the forest");
        // SAFETY: items are less than the length: this one was looked at, and who is above it is no larger.
        unsafe {
            let parent = atomic::load(self.parents.add(item as usize));
            if parent == item {
                return item;
            }
            assert!(parent < item, "a parent larger than its child");
            let above = atomic::load(self.parents.add(parent as usize));
            if above != parent {
                assert!(above < parent, "a parent larger than its child");
                atomic::store(self.parents.add(item as usize), above);
            }
            above
        }
    }

    /// The larger of two items whose ways up do not meet below it, and the smaller: or nothing, if they are in one set.
    ///
    /// A parent is smaller than its child: so whoever is the larger goes up, until both are one or the larger is a root, and the
    /// smaller one's root is another.
    #[inline(always)]
    fn apart_in(self, mut a: u32, mut b: u32) -> Option<(u32, u32)> {
        while a != b {
            let (high, low) = if a > b { (a, b) } else { (b, a) };
            let above = self.climb(high);
            if above == high {
                return Some((high, low));
            }
            (a, b) = (above, low);
        }
        None
    }

    /// Unites two sets under the smaller of their roots.
    #[inline(always)]
    pub fn join(self, mut a: u32, mut b: u32) {
        // Only what is a root still gets another parent, and a smaller one.
        while let Some((high, low)) = self.apart_in(a, b) {
            // SAFETY: the larger one was looked at on the way.
            if unsafe { atomic::compare_exchange(self.parents.add(high as usize), high, low) } == high {
                return;
            }
            (a, b) = (high, low);
        }
    }
}

/// `leader_of[i]` and, to begin with, `parents[i]`: the smallest end of end i's cell, or [`NONE`].
#[kernel(
    small,
    threads = 32..=1024,
    grid = n.div_ceil(block.x * Machine::LANES),
    require(slot_of.len() >= n, leader_of.len() >= n, parents.len() >= n),
)]
pub unsafe fn component_leaders(
    slot_of: &[u32],
    firsts: &[u32],
    mut leader_of: DisjointMut<u32>,
    mut parents: DisjointMut<u32>,
    n: u32,
) {
    each::<Machine>(n as usize, |i| {
        let leader = if slot_of[i] == NONE { NONE } else { !firsts[slot_of[i] as usize] };
        // SAFETY: cells i are those of an item of this thread.
        unsafe {
            leader_of.write(i, leader);
            parents.write(i, leader);
        }
    });
}

/// The grid that leaders lie in.
#[derive(Clone, Copy)]
struct Grid<'a> {
    columns: &'a [f32],
    axes: &'a [u32],
    d: usize,
    stride: usize,
    inverse_side: f32,
}

/// Loops over axes stay loops on a GPU: what is indexed there must be picked.
impl Grid<'_> {
    /// Coordinates of a cell that there are; the others are 0.
    #[inline(always)]
    fn used(&self) -> usize {
        if self.d <= AXES { self.d } else { AXES }
    }

    /// Coordinate k of an end's cell.
    #[inline(always)]
    fn coordinate(&self, item: usize, k: usize) -> f32 {
        let c = if self.d <= AXES { k } else { self.axes[k] as usize };
        cell_of(self.columns[c * self.stride + item], self.inverse_side)
    }

    /// The cell of an end.
    #[inline(always)]
    fn cell(&self, item: usize) -> [f32; AXES] {
        let (mut cell, mut k) = ([0.0; AXES], 0);
        while k < self.used() {
            cell = with(cell, k, self.coordinate(item, k));
            k += 1;
        }
        cell
    }

    /// Whether an end is in the cell.
    #[inline(always)]
    fn is_in(&self, item: usize, cell: [f32; AXES]) -> bool {
        let mut k = 0;
        while k < self.used() && self.coordinate(item, k) == pick(cell, k) {
            k += 1;
        }
        k == self.used()
    }
}

#[inline(always)]
fn pick(cell: [f32; AXES], k: usize) -> f32 {
    match k {
        0 => cell[0],
        1 => cell[1],
        _ => cell[2],
    }
}

/// The cell with another coordinate k.
#[inline(always)]
fn with(cell: [f32; AXES], k: usize, x: f32) -> [f32; AXES] {
    [if k == 0 { x } else { cell[0] }, if k == 1 { x } else { cell[1] }, if k == 2 { x } else { cell[2] }]
}

#[inline(always)]
fn hash_of(cell: [f32; AXES]) -> u32 {
    let (mut hash, mut k) = (0, 0);
    while k < AXES {
        hash = mix(hash, pick(cell, k).to_bits());
        k += 1;
    }
    hash
}

/// Puts leaders into the grid: `heads[slot]` and `next[i]` are an end's number plus 1, or 0 for none.
/// For d <= 3 all leaders of a cell become one set.
#[kernel(
    small,
    threads = 32..=1024,
    grid = n.div_ceil(block.x * Machine::LANES),
    require(
        columns.len() >= stride * d,
        stride >= n,
        leader_of.len() >= n,
        axes.len() >= AXES,
        capacity.is_power_of_two(),
        capacity > n,
        slots.len() >= capacity,
        heads.len() >= capacity,
        next.len() >= n,
        parents.len() >= n,
    ),
)]
pub unsafe fn link_leaders(
    columns: &[f32],
    leader_of: &[u32],
    axes: &[u32],
    slots: *mut u32,
    heads: *mut u32,
    mut next: DisjointMut<u32>,
    parents: *mut u32,
    n: u32,
    d: u32,
    stride: u32,
    capacity: u32,
    inverse_side: f32,
) {
    let (n, d, stride) = (n as usize, d as usize, stride as usize);
    // SAFETY: the launch has checked the length; parents are touched atomically only.
    let forest = unsafe { Forest::new(parents, n) };
    each::<Machine>(n, |i| {
        if leader_of[i] as usize != i {
            return;
        }
        let grid = Grid { columns, axes, d, stride, inverse_side };
        let own = grid.cell(i);
        // SAFETY: the launch has checked the lengths; slots and heads are changed atomically only.
        unsafe {
            let slot = claim(slots, capacity as usize, i, hash_of(own), |owner| grid.is_in(owner, own));
            next.write(i, atomic::exchange(heads.add(slot), i as u32 + 1));
            if d <= AXES {
                let owner = atomic::load(slots.add(slot)) - 1;
                forest.join(owner, i as u32);
            }
        }
    });
}

/// The sum over coordinates of the distance of two ends; no more of it than is over the limit.
#[inline(always)]
fn apart<M: Machine, T: Metric>(
    columns: &[f32],
    (i, j): (usize, usize),
    (d, stride): (usize, usize),
    (p, limit): (f32, f32),
) -> f32 {
    let mut sum = 0.0;
    let mut c = 0;
    while c < d && sum <= limit {
        sum = T::add::<M>(sum, columns[c * stride + i] - columns[c * stride + j], p);
        c += 1;
    }
    sum
}

/// Unites leaders within the radius, of which `limit` is the p-th power. Each looks into the cells
/// behind its own, up to `reach` away, so that every pair of cells is looked at from one side.
#[kernel(
    instances(unite_l2<SquaredL2>, unite_l1<L1>, unite_lp<Lp>),
    small,
    threads = 32..=1024,
    grid = n.div_ceil(block.x * Machine::LANES),
    require(
        columns.len() >= stride * d,
        stride >= n,
        leader_of.len() >= n,
        axes.len() >= AXES,
        slots.len().is_power_of_two(),
        heads.len() >= slots.len(),
        next.len() >= n,
        parents.len() >= n,
    ),
)]
pub unsafe fn unite<T: Metric>(
    columns: &[f32],
    leader_of: &[u32],
    axes: &[u32],
    slots: &[u32],
    heads: &[u32],
    next: &[u32],
    parents: *mut u32,
    n: u32,
    d: u32,
    stride: u32,
    reach: u32,
    inverse_side: f32,
    p: f32,
    limit: f32,
) {
    let (n, d, stride) = (n as usize, d as usize, stride as usize);
    let side = Machine::divide(1.0, inverse_side);
    // SAFETY: the launch has checked the length; parents are touched atomically only.
    let forest = unsafe { Forest::new(parents, n) };
    each::<Machine>(n, |i| {
        if leader_of[i] as usize != i {
            return;
        }
        let whole = d <= AXES;
        let width = 2 * reach + 1;
        let grid = Grid { columns, axes, d, stride, inverse_side };
        let mut cells = 1;
        for _ in 0..grid.used() {
            cells *= width;
        }
        let own = grid.cell(i);
        // The middle cell is the own one, which is one set already if cells are whole.
        let mut code = cells / 2 + u32::from(whole);
        while code < cells {
            let mut rest = code;
            code += 1;
            let (mut there, mut gap, mut k) = (own, 0.0, 0);
            while k < grid.used() {
                let step = (rest % width) as f32 - reach as f32;
                rest /= width;
                there = with(there, k, pick(own, k) + step);
                let between = if step.abs() > 1.0 { (step.abs() - 1.0) * side } else { 0.0 };
                gap = T::add::<Machine>(gap, between, p);
                k += 1;
            }
            // Nothing in it is near; the margin is for roundings.
            if gap > limit * 1.001 {
                continue;
            }
            let Some((slot, owner)) = find(slots, hash_of(there), |owner| grid.is_in(owner, there)) else { continue };
            if whole && forest.apart_in(i as u32, owner as u32).is_none() {
                continue;
            }
            let mut at = heads[slot];
            while at > 0 {
                let j = at as usize - 1;
                at = next[j];
                // In the own cell, too, each pair once.
                let skip = there == own && j >= i || !whole && forest.apart_in(i as u32, j as u32).is_none();
                if !skip && apart::<Machine, T>(columns, (i, j), (d, stride), (p, limit)) <= limit {
                    forest.join(i as u32, j as u32);
                    if whole {
                        break;
                    }
                }
            }
        }
    });
}

/// `root_of[i]`, or [`NONE`], and `flags[i]`: 1 for a root, else 0.
#[kernel(
    small,
    threads = 32..=1024,
    grid = n.div_ceil(block.x * Machine::LANES),
    require(parents.len() >= n, leader_of.len() >= n, root_of.len() >= n, flags.len() >= n),
)]
pub unsafe fn component_roots(
    leader_of: &[u32],
    parents: *mut u32,
    mut root_of: DisjointMut<u32>,
    mut flags: DisjointMut<u32>,
    n: u32,
) {
    // SAFETY: the launch has checked the length; parents are touched atomically only.
    let forest = unsafe { Forest::new(parents, n as usize) };
    each::<Machine>(n as usize, |i| {
        let root = if leader_of[i] == NONE { NONE } else { forest.root(leader_of[i]) };
        // SAFETY: cells i are those of an item of this thread.
        unsafe {
            root_of.write(i, root);
            flags.write(i, u32::from(root as usize == i));
        }
    });
}

/// `ids[i] = numbers[root_of[i]]`, or [`NONE`]. `numbers` are the scanned flags.
#[kernel(
    small,
    threads = 32..=1024,
    grid = n.div_ceil(block.x * Machine::LANES),
    require(root_of.len() >= n, numbers.len() >= n, ids.len() >= n),
)]
pub unsafe fn component_numbers(root_of: &[u32], numbers: &[u32], mut ids: DisjointMut<u32>, n: u32) {
    each::<Machine>(n as usize, |i| {
        let id = if root_of[i] == NONE { NONE } else { numbers[root_of[i] as usize] };
        // SAFETY: cell i is that of an item of this thread.
        unsafe { ids.write(i, id) };
    });
}
