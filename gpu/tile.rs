//! A tile of points against a thread's queries: sums of powers, counted up to cuts or searched for ends.
//!
//! What it is part of: see neighbours.rs.

use cuda_std::prelude::*;

use crate::brackets::CUTS;
use crate::lanes;
use crate::near::{gap, side};
use crate::pairwise::Metric;

/// Points that a thread compares at a time. A processor has the lanes, and would rather add the integers of
/// several points across.
pub(crate) const fn step(lanes: usize) -> usize {
    if lanes > 4 { 1 } else { GROUP }
}

/// Threads of a block.
pub(crate) const THREADS: usize = 32;

/// Coordinates of a tile.
pub(crate) const CELLS: usize = 2048;

/// The most points of a tile.
pub(crate) const MOST: usize = 512;

/// Points of a tile in so many dimensions, whose values are made before they are compared or not.
pub(crate) const fn width(kept: bool, d: usize) -> usize {
    let most = CELLS / d / GROUP * GROUP;
    if kept {
        NARROW
    } else if most < MOST {
        most
    } else {
        MOST
    }
}

/// Coordinates that a tile holds of each point at a time.
pub(crate) const CHUNK: usize = 32;

/// Points of a tile in more than CHUNK dimensions.
pub(crate) const NARROW: usize = CELLS / CHUNK;

/// Points whose values are held in registers at a time.
pub(crate) const GROUP: usize = 4;

/// The first point of a group. A processor's compiler must not see through it: it would make vectors of
/// neighbouring points, whose integer sums have no order, and keep no lane's sums in registers.
#[inline(always)]
pub(crate) fn first_of<const G: usize>(group: u32) -> usize {
    if G == 1 { core::hint::black_box(group as usize) } else { group as usize * G }
}

/// From a row of a thread's values to its next, as in shift_any.rs.
pub(crate) const fn rows_apart(lanes: usize) -> usize {
    if lanes > 4 { 1 } else { THREADS }
}

/// A group of a tile's cells. If it has 16 bytes it lies aligned to them, and a GPU makes one load of it.
///
/// # Safety
/// `first` points to G cells, a multiple of G from the start of a shared array.
#[inline(always)]
pub(crate) unsafe fn read_group<T: Copy, const G: usize>(first: *const T) -> [T; G] {
    #[derive(Clone, Copy)]
    #[repr(C, align(16))]
    struct Aligned<T>(T);
    // SAFETY: the caller's promise; shared arrays are aligned to 16 bytes, and so are groups of as many.
    unsafe {
        if (G * size_of::<T>()).is_multiple_of(16) {
            first.cast::<Aligned<[T; G]>>().read().0
        } else {
            first.cast::<[T; G]>().read()
        }
    }
}

/// sum + mass in the lanes whose value is no more than the cut. The mask, instead of a choice of numbers, is
/// what a processor's compiler makes vectors of.
#[inline(always)]
pub(crate) fn add_up_to<const LANES: usize>(
    values: [f32; LANES],
    cuts: [f32; LANES],
    mass: u32,
    mut sums: [u32; LANES],
) -> [u32; LANES] {
    for lane in 0..LANES {
        let mask = u32::from(values[lane] <= cuts[lane]).wrapping_neg();
        sums[lane] = sums[lane].wrapping_add(mass & mask);
    }
    sums
}

/// A tile of points in shared memory, and a thread's queries.
#[derive(Clone, Copy)]
pub(crate) struct Tile<const LANES: usize> {
    /// Coordinate c of point j at c * width + j.
    pub(crate) coordinates: *mut f32,
    pub(crate) width: usize,
    pub(crate) masses: *mut u32,
    /// Points, in whole groups.
    pub(crate) points: usize,
    pub(crate) d: usize,
    /// Where the queries of the first column lie, and how far the next column's.
    pub(crate) queries: *const f32,
    pub(crate) stride: usize,
    /// The values, where they are made before they are compared; else null.
    pub(crate) rows: *mut [f32; LANES],
    pub(crate) p: f32,
}

impl<const LANES: usize> Tile<LANES> {
    /// So many of the tile's points from `first` on, or those that there are: of a tile without rows.
    ///
    /// # Safety
    /// `first` is in the tile, a multiple of GROUP.
    #[inline(always)]
    pub(crate) unsafe fn part(&self, first: usize, size: usize) -> Self {
        let points = size.min(self.points - first);
        // SAFETY: the caller's promise.
        unsafe { Self { coordinates: self.coordinates.add(first), masses: self.masses.add(first), points, ..*self } }
    }

    /// The values of a group, for queries that are `held` if D says how many coordinates they have: from what the chunks before gave and the coordinates c0.. in this one.
    ///
    /// # Safety
    /// The tile holds `count` coordinates of the group from `g` on, and the queries have as many from c0 on.
    #[inline(always)]
    pub(crate) unsafe fn add<M: Machine, N: Metric, const D: usize, const G: usize>(
        &self,
        held: &[[f32; LANES]; D],
        g: usize,
        (c0, count): (usize, usize),
        mut values: [[f32; LANES]; G],
    ) -> [[f32; LANES]; G] {
        for c in 0..if D > 0 { D } else { count } {
            // SAFETY: the caller's promise.
            let (query, x) = unsafe {
                let x = read_group::<f32, G>(self.coordinates.add(c * self.width + g));
                let query = match D {
                    0 => lanes::load_whole::<M, LANES>(self.queries.add((c0 + c) * self.stride)),
                    _ => held[c],
                };
                (query, x)
            };
            for lane in 0..LANES {
                for k in 0..G {
                    values[k][lane] = N::add::<M>(values[k][lane], x[k] - query[lane], self.p);
                }
            }
        }
        values
    }

    /// The values of a group.
    ///
    /// # Safety
    /// The tile is staged, and so are its rows if it has any.
    #[inline(always)]
    pub(crate) unsafe fn values<M: Machine, N: Metric, const D: usize, const G: usize>(
        &self,
        held: &[[f32; LANES]; D],
        g: usize,
    ) -> [[f32; LANES]; G] {
        let mut values = [[0.0; LANES]; G];
        // SAFETY: the caller's promise.
        unsafe {
            if D == 0 && !self.rows.is_null() {
                for k in 0..G {
                    values[k] = self.rows.add((g + k) * rows_apart(LANES)).read();
                }
                return values;
            }
            self.add::<M, N, D, G>(held, g, (0, self.d), values)
        }
    }

    /// Adds to the rows what the coordinates c0.. in this chunk contribute.
    ///
    /// # Safety
    /// As for [`add`](Self::add), for every group; the rows hold what the chunks before gave.
    #[inline(always)]
    pub(crate) unsafe fn keep<M: Machine, N: Metric>(&self, (c0, count): (usize, usize)) {
        for group in 0..(self.points / GROUP) as u32 {
            let g = group as usize * GROUP;
            let mut values = [[0.0; LANES]; GROUP];
            // SAFETY: the caller's promise.
            unsafe {
                if c0 > 0 {
                    for k in 0..GROUP {
                        values[k] = self.rows.add((g + k) * rows_apart(LANES)).read();
                    }
                }
                values = self.add::<M, N, 0, GROUP>(&[], g, (c0, count), values);
                for k in 0..GROUP {
                    self.rows.add((g + k) * rows_apart(LANES)).write(values[k]);
                }
            }
        }
    }

    /// Adds the mass of the values up to each cut.
    ///
    /// # Safety
    /// As for [`values`](Self::values).
    #[inline(always)]
    pub(crate) unsafe fn count<M: Machine, N: Metric, const D: usize, const G: usize>(
        &self,
        held: &[[f32; LANES]; D],
        cuts: &[[f32; LANES]; CUTS],
        mut sums: [[u32; LANES]; CUTS],
    ) -> [[u32; LANES]; CUTS] {
        for group in 0..(self.points / G) as u32 {
            let g = first_of::<G>(group);
            // SAFETY: the group lies in the tile, which is staged.
            let (values, masses) =
                unsafe { (self.values::<M, N, D, G>(held, g), read_group::<u32, G>(self.masses.add(g))) };
            for k in 0..G {
                for cut in 0..CUTS {
                    sums[cut] = add_up_to(values[k], cuts[cut], masses[k], sums[cut]);
                }
            }
        }
        sums
    }

    /// The smallest value from `low` on and the largest up to `high`, from those so far.
    ///
    /// # Safety
    /// As for [`values`](Self::values).
    #[inline(always)]
    pub(crate) unsafe fn snap<M: Machine, N: Metric, const D: usize, const G: usize>(
        &self,
        held: &[[f32; LANES]; D],
        (low, high): Ends<LANES>,
        (mut smallest, mut largest): Ends<LANES>,
    ) -> Ends<LANES> {
        for group in 0..(self.points / G) as u32 {
            // SAFETY: the group lies in the tile, which is staged.
            let values = unsafe { self.values::<M, N, D, G>(held, first_of::<G>(group)) };
            for k in 0..G {
                for lane in 0..LANES {
                    let value = values[k][lane];
                    let from_low = if value >= low[lane] { value } else { f32::INFINITY };
                    smallest[lane] = if from_low < smallest[lane] { from_low } else { smallest[lane] };
                }
                for lane in 0..LANES {
                    let value = values[k][lane];
                    let to_high = if value <= high[lane] { value } else { 0.0 };
                    largest[lane] = if to_high > largest[lane] { to_high } else { largest[lane] };
                }
            }
        }
        (smallest, largest)
    }
}

/// Which tiles a pass need not look at: those whose box is farther than any value that it counts.
#[derive(Clone, Copy)]
pub(crate) struct Far<'a, const LANES: usize> {
    /// The boxes of each tile of points (boxes.rs), or nothing: then all tiles are looked at.
    pub(crate) boxes: &'a [f32],
    /// The boxes of each part of them, and of several tiles in a row, or nothing.
    pub(crate) parts: &'a [f32],
    pub(crate) rows: &'a [f32],
    /// The boxes of each block's queries.
    pub(crate) query_boxes: &'a [f32],
    /// The largest value that this thread's queries count, and that any of the block's does.
    pub(crate) own: [f32; LANES],
    pub(crate) of_block: f32,
}

impl<const LANES: usize> Far<'_, LANES> {
    /// Whether box b of these is too far for the whole block: the same for all its threads. A box is never farther than a point in it: near.rs.
    /// A GPU copies a tile by a fiftieth of the instructions that compare it, and need not ask.
    ///
    /// # Safety
    /// There is such a box, of d coordinates, or none; and there is the block's.
    #[inline(always)]
    pub(crate) unsafe fn for_block<M: Machine, N: Metric>(&self, boxes: &[f32], b: usize, d: usize, p: f32) -> bool {
        if LANES <= 4 || boxes.is_empty() {
            return false;
        }
        let (q, mut value) = (thread::block_idx_x() as usize, 0.0);
        for c in 0..d {
            // SAFETY: the caller's promise.
            let gap = unsafe { gap(side(boxes, b, d, c), side(self.query_boxes, q, d, c)) };
            value = N::add::<M>(value, gap, p);
        }
        value > self.of_block
    }

    /// Whether box b of these is too far for each of a thread's queries, which are `held` if D says how many coordinates they have. On a GPU only
    /// of such: LLVM would keep the others' values in local memory.
    ///
    /// # Safety
    /// There is such a box, of as many coordinates as the tile has; the tile has the thread's queries.
    #[inline(always)]
    pub(crate) unsafe fn for_thread<M: Machine, N: Metric, const D: usize>(
        &self,
        boxes: &[f32],
        b: usize,
        held: &[[f32; LANES]; D],
        tile: &Tile<LANES>,
    ) -> bool {
        if (LANES <= 4 && D == 0) || boxes.is_empty() {
            return false;
        }
        let mut values = [0.0; LANES];
        for c in 0..if D > 0 { D } else { tile.d } {
            // SAFETY: the caller's promise.
            let (side, query) = unsafe {
                let query = match D {
                    0 => lanes::load_whole::<M, LANES>(tile.queries.add(c * tile.stride)),
                    _ => held[c],
                };
                (side(boxes, b, tile.d, c), query)
            };
            for lane in 0..LANES {
                values[lane] = N::add::<M>(values[lane], gap(side, (query[lane], query[lane])), tile.p);
            }
        }
        let mut far = true;
        for lane in 0..LANES {
            far &= values[lane] > self.own[lane];
        }
        far
    }
}

/// The smallest and the largest of each lane's values between two bounds; or the bounds.
pub(crate) type Ends<const LANES: usize> = ([f32; LANES], [f32; LANES]);

/// Where the points are.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) points: &'a [f32],
    pub(crate) masses: &'a [u32],
    pub(crate) n: usize,
    pub(crate) stride: usize,
}

/// Fills a tile with coordinates c0.. of points j0..; waits before, for those who still read it, and after.
/// Points without mass, and those behind the last, are infinitely far.
///
/// # Safety
/// All threads of the block call it, with the same numbers; `coordinates` has width * count cells and
/// `masses` `width`, of which nobody reads between the waits.
#[inline(always)]
pub(crate) unsafe fn stage(
    from: Source<'_>,
    (coordinates, masses): (*mut f32, *mut u32),
    (c0, count): (usize, usize),
    (j0, width): (usize, usize),
) {
    thread::sync_threads();
    let mut j = thread::thread_idx_x() as usize;
    while j < width {
        let inside = j0 + j < from.n;
        let mass = match from.masses.is_empty() {
            true => u32::from(inside),
            false if inside => from.masses[j0 + j],
            false => 0,
        };
        for c in 0..count {
            let value = if mass > 0 { from.points[(c0 + c) * from.stride + j0 + j] } else { f32::INFINITY };
            // SAFETY: the cell is in the tile, and this thread alone writes it between barriers.
            unsafe { coordinates.add(c * width + j).write(value) };
        }
        // SAFETY: as above.
        unsafe { masses.add(j).write(mass) };
        j += THREADS;
    }
    thread::sync_threads();
}
