//! Queries against few or many others, without a matrix of distances: the nearest of some modes, and the
//! number of points within a radius, or their weight.
//!
//! A thread holds `LANES` neighbouring queries, by columns, and takes `HELD` of the others at a time,
//! so that a query's coordinate is fetched once for all of them. Distances are sums over coordinates:
//! squared for p = 2, the p-th power of the distance in general.

use cuda_std::prelude::*;

use crate::components::NONE;
use crate::lanes;
use crate::pairwise::{L1, Lp, Metric, SquaredL2};
use crate::tile::add_up_to;

/// Others that a thread takes at a time.
const HELD: usize = 4;

/// Others: coordinate c of number j stands at `j * item_step + c * coordinate_step`.
#[derive(Clone, Copy)]
struct Others {
    start: *const f32,
    item_step: usize,
    coordinate_step: usize,
}

/// A thread's queries.
#[derive(Clone, Copy)]
struct Queries<const D: usize, const LANES: usize> {
    /// Where those of the first column lie, how far the next column's, and how many columns there are.
    start: *const f32,
    stride: usize,
    d: usize,
    /// Their coordinates in registers, where D says how many there are; else D is 0.
    held: [[f32; LANES]; D],
}

impl<const D: usize, const LANES: usize> Queries<D, LANES> {
    /// The LANES queries from `start` on.
    ///
    /// # Safety
    /// `start` points to LANES queries of the first of d columns, `stride` apart, such as [`lanes::load_whole`] takes; D is 0 or d.
    #[inline(always)]
    unsafe fn new(start: *const f32, stride: usize, d: usize) -> Self {
        let mut held = [[0.0; LANES]; D];
        for c in 0..D {
            // SAFETY: the caller's promise.
            held[c] = unsafe { start.add(c * stride).cast::<[f32; LANES]>().read() };
        }
        Self { start, stride, d, held }
    }

    /// The sums over coordinates, for the others `j`.
    ///
    /// # Safety
    /// `j` are numbers of others, which have as many coordinates.
    #[inline(always)]
    unsafe fn sums<M: Machine, T: Metric, const G: usize>(
        &self,
        others: Others,
        j: [usize; G],
        p: f32,
    ) -> [[f32; LANES]; G] {
        let mut sums = [[0.0; LANES]; G];
        for c in 0..if D > 0 { D } else { self.d } {
            let x = match D {
                // SAFETY: `new` was promised so many columns.
                0 => unsafe { lanes::load_whole::<M, LANES>(self.start.add(c * self.stride)) },
                _ => self.held[c],
            };
            for k in 0..G {
                // SAFETY: the caller's promise, and c < d.
                let y = unsafe {
                    let place = others.start.add(j[k] * others.item_step + c * others.coordinate_step);
                    // A processor's compiler would make vectors of neighbouring others, each gathered from where it stands.
                    if LANES > 4 { lanes::unseen(place).read() } else { place.read() }
                };
                for lane in 0..LANES {
                    sums[k][lane] = T::add::<M>(sums[k][lane], x[lane] - y, p);
                }
            }
        }
        sums
    }
}

/// For m queries, `ids[i]` the nearest of k modes, by rows, the first of equals; and `distances[i]` the
/// p-th power of the distance to it. Where that is more than `limit`, or is not finite, the id is [`NONE`]; so it is
/// where a query's `support`, if there is any for it, is 0.
#[kernel(
    instances(nearest_l2<SquaredL2>, nearest_l1<L1>, nearest_lp<Lp>),
    threads = 32..=1024,
    grid = m.div_ceil(block.x * Machine::LANES),
    require(
        queries.len() >= stride * d,
        stride >= m,
        stride.is_multiple_of(crate::layout::STRIDE),
        queries.is_aligned(16),
        k > 0,
        modes.len() >= k * d,
        ids.len() >= m,
        distances.len() >= m,
        support.len() == 0 || support.len() >= m,
    ),
)]
pub unsafe fn nearest<T: Metric>(
    queries: &[f32],
    modes: &[f32],
    support: &[f32],
    mut ids: DisjointMut<u32>,
    mut distances: DisjointMut<f32>,
    m: u32,
    k: u32,
    d: u32,
    stride: u32,
    p: f32,
    limit: f32,
) {
    const LANES: usize = Machine::LANES;
    let (m, k, d, stride) = (m as usize, k as usize, d as usize, stride as usize);
    let first = thread::index_1d() * LANES;
    if first >= m {
        return;
    }
    let others = Others { start: modes.as_ptr(), item_step: d, coordinate_step: 1 };
    // SAFETY: the launch has checked the lengths; the stride is a multiple of the lanes.
    let queries = unsafe { Queries::<0, LANES>::new(queries.as_ptr().add(first), stride, d) };
    let (mut best, mut best_id) = ([f32::INFINITY; LANES], [0; LANES]);
    let mut j = 0;
    while j < k {
        // The last modes repeat themselves, which are never less than what they are.
        let held: [usize; HELD] = core::array::from_fn(|h| (j + h).min(k - 1));
        // SAFETY: the launch has checked the lengths.
        let sums = unsafe { queries.sums::<Machine, T, HELD>(others, held, p) };
        for h in 0..HELD {
            for lane in 0..LANES {
                let less = sums[h][lane] < best[lane];
                best[lane] = if less { sums[h][lane] } else { best[lane] };
                best_id[lane] = if less { held[h] as u32 } else { best_id[lane] };
            }
        }
        j += HELD;
    }
    // SAFETY: the lanes are this thread's.
    unsafe {
        lanes::write_some(&mut distances, first, best, m - first);
        for lane in 0..LANES {
            if first + lane < m {
                let lost = !support.is_empty() && support[first + lane] == 0.0;
                let near = best[lane] <= limit && best[lane] < f32::INFINITY;
                ids.write(first + lane, if near && !lost { best_id[lane] } else { NONE });
            }
        }
    }
}

/// Adds the masses of the n points no farther than the limit, G of them at a time: 1 each, where there are no masses.
///
/// # Safety
/// `others` are n points with the queries' coordinates; there are n masses or none.
#[inline(always)]
unsafe fn count_near<M: Machine, T: Metric, const D: usize, const LANES: usize, const G: usize>(
    queries: Queries<D, LANES>,
    (others, n): (Others, usize),
    masses: &[u32],
    p: f32,
    limit: f32,
) -> [u32; LANES] {
    let mut found = [0_u32; LANES];
    let mut j = 0;
    while j < n {
        // As in tile.rs: one point at a time is taken where vectors of points would keep no sums in registers.
        let first = if G == 1 { core::hint::black_box(j) } else { j };
        let held: [usize; G] = core::array::from_fn(|k| (first + k).min(n - 1));
        // SAFETY: the caller's promise.
        let sums = unsafe { queries.sums::<M, T, G>(others, held, p) };
        for k in 0..G {
            // What repeats the last point does not count.
            let mass = match masses.is_empty() {
                _ if first + k >= n => 0,
                true => 1,
                false => masses[held[k]],
            };
            found = add_up_to(sums[k], [limit; LANES], mass, found);
        }
        j += G;
    }
    found
}

/// For m queries, `counts[i]` the number of n points, by columns too, whose distance is no more than the
/// radius, of which `limit` is the p-th power; with masses (gather.rs), the sum of theirs.
#[kernel(
    instances(count_within_l2<SquaredL2>, count_within_l1<L1>, count_within_lp<Lp>),
    threads = 32..=1024,
    grid = m.div_ceil(block.x * Machine::LANES),
    require(
        queries.len() >= query_stride * d,
        query_stride >= m,
        query_stride.is_multiple_of(crate::layout::STRIDE),
        queries.is_aligned(16),
        points.len() >= stride * d,
        stride >= n,
        masses.len() == 0 || masses.len() >= n,
        counts.len() >= m,
    ),
)]
pub unsafe fn count_within<T: Metric>(
    queries: &[f32],
    points: &[f32],
    masses: &[u32],
    mut counts: DisjointMut<u32>,
    m: u32,
    n: u32,
    d: u32,
    query_stride: u32,
    stride: u32,
    p: f32,
    limit: f32,
) {
    const LANES: usize = Machine::LANES;
    let (m, n, d, query_stride) = (m as usize, n as usize, d as usize, query_stride as usize);
    let first = thread::index_1d() * LANES;
    if first >= m {
        return;
    }
    let others = (Others { start: points.as_ptr(), item_step: 1, coordinate_step: stride as usize }, n);
    macro_rules! count {
        ($d:expr, $group:expr) => {
            // SAFETY: the launch has checked the lengths; the stride is a multiple of the lanes.
            unsafe {
                let queries = Queries::<$d, LANES>::new(queries.as_ptr().add(first), query_stride, d);
                count_near::<Machine, T, $d, LANES, $group>(queries, others, masses, p, limit)
            }
        };
    }
    let found = match d {
        1 if LANES > 4 => count!(1, 1),
        2 if LANES > 4 => count!(2, 1),
        3 if LANES > 4 => count!(3, 1),
        4 if LANES > 4 => count!(4, 1),
        _ => count!(0, HELD),
    };
    for lane in 0..LANES {
        if first + lane < m {
            // SAFETY: the lanes are this thread's.
            unsafe { counts.write(first + lane, found[lane]) };
        }
    }
}
