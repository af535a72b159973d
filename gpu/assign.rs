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

/// Others that a thread takes at a time.
const HELD: usize = 4;

/// Others: coordinate c of number j stands at `j * item_step + c * coordinate_step`.
#[derive(Clone, Copy)]
struct Others {
    start: *const f32,
    item_step: usize,
    coordinate_step: usize,
}

/// The sums over coordinates for a thread's queries, from `queries` on, and the others `j`.
///
/// # Safety
/// `queries` points to LANES queries of the first of d columns, `stride` apart; `j` are numbers of others.
#[inline(always)]
unsafe fn sums<M: Machine, T: Metric, const LANES: usize>(
    queries: *const f32,
    (d, stride): (usize, usize),
    others: Others,
    j: [usize; HELD],
    p: f32,
) -> [[f32; LANES]; HELD] {
    let mut sums = [[0.0; LANES]; HELD];
    for c in 0..d {
        // SAFETY: the caller's promise, and c < d.
        let x: [f32; LANES] = unsafe { queries.add(c * stride).cast::<[f32; LANES]>().read() };
        for k in 0..HELD {
            // SAFETY: as above.
            let y = unsafe { *others.start.add(j[k] * others.item_step + c * others.coordinate_step) };
            for lane in 0..LANES {
                sums[k][lane] = T::add::<M>(sums[k][lane], x[lane] - y, p);
            }
        }
    }
    sums
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
    let (mut best, mut best_id) = ([f32::INFINITY; LANES], [0; LANES]);
    let mut j = 0;
    while j < k {
        // The last modes repeat themselves, which are never less than what they are.
        let held: [usize; HELD] = core::array::from_fn(|h| (j + h).min(k - 1));
        // SAFETY: the launch has checked the lengths; the stride is a multiple of the lanes.
        let sums = unsafe { sums::<Machine, T, LANES>(queries.as_ptr().add(first), (d, stride), others, held, p) };
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
    let others = Others { start: points.as_ptr(), item_step: 1, coordinate_step: stride as usize };
    let mut found = [0_u32; LANES];
    let mut j = 0;
    while j < n {
        let held: [usize; HELD] = core::array::from_fn(|h| (j + h).min(n - 1));
        // SAFETY: as for the nearest.
        let sums =
            unsafe { sums::<Machine, T, LANES>(queries.as_ptr().add(first), (d, query_stride), others, held, p) };
        for h in 0..HELD {
            // What repeats the last point does not count.
            let counts = match masses.is_empty() {
                _ if j + h >= n => 0,
                true => 1,
                false => masses[held[h]],
            };
            for lane in 0..LANES {
                found[lane] += if sums[h][lane] <= limit { counts } else { 0 };
            }
        }
        j += HELD;
    }
    for lane in 0..LANES {
        if first + lane < m {
            // SAFETY: the lanes are this thread's.
            unsafe { counts.write(first + lane, found[lane]) };
        }
    }
}
