//! The convolution of a binned field with its kernel, one axis a pass.
//!
//! Of masses m(g) and moments p(g) about their nodes (spread.rs), with k(u) the taps of the kernel along axis a:
//!
//! ```text
//! m'(g)   = sum_u k(u) m(g + u)
//! p'_a(g) = sum_u k(u) p_a(g + u) + u k(u) m(g + u)      moments about g, not about g + u
//! p'_c(g) = sum_u k(u) p_c(g + u)                         c other than a
//! ```
//!
//! After a pass for each axis m and p are sums over all points with the product of the taps as weight. The taps
//! are made on the host (binned/taps.rs), in f64: they undo what spreading and reading by splines smooth.
//!
//! `taps` has k(-reach) .. k(reach), then u k(u). Planes are as `settle` writes them, with `lead >= reach` zeros
//! in front and `row - nodes_x >= reach` behind each row. The last pass writes `nodes`: 4 floats for each node, the
//! mass and D moments, as the steps read them.
//!
//! Operations for a node and pass: (D + 2) (2 reach + 1) fma.

use cuda_std::machine::MachineKind;
use cuda_std::prelude::*;

use crate::lanes::{self, unrolled};
use crate::progress;
use crate::spread::is_over;

/// The index in memory's order of what has this one where nodes follow each other along the axis: what they look at is then nearly the
/// same, and stays in a core's first caches.
#[inline(always)]
fn along<const A: usize>(index: u32, in_row: u32, nodes_y: u32, nodes_z: u32) -> u32 {
    let len = if A == 1 { nodes_y } else { nodes_z };
    let (at, tile, other) = (index % len, index / len % in_row, index / len / in_row);
    let line = if A == 1 { at + nodes_y * other } else { other + nodes_y * at };
    line * in_row + tile
}

/// Taps that a GPU takes at a time: it waits for the loads of all of them at once, where it has threads too few to have
/// others meanwhile.
const TURN: u32 = 4;

/// The sums, and what so many taps from one on add to them: of the neighbour at a place, and those a step apart behind it.
///
/// # Safety
/// There are these taps, of `width`; places are in the planes, and off axis 0 they, the step and the planes are of whole lanes.
#[inline(always)]
unsafe fn add_taps<M: Machine, const D: usize, const A: usize, const LANES: usize, const COUNT: usize>(
    (from, plane): (&[f32], usize),
    (taps, width): (&[f32], usize),
    (tap, place, step): (usize, usize, usize),
    mut sums: [[f32; LANES]; 4],
) -> [[f32; LANES]; 4] {
    // SAFETY: the caller's promise.
    let load = |place| unsafe {
        match A {
            0 => lanes::load::<LANES>(from, place),
            _ => lanes::load_whole::<M, LANES>(from.as_ptr().add(place)),
        }
    };
    let (mut of, mut loaded) = ([[0.0; 2]; COUNT], [[[0.0; LANES]; 4]; COUNT]);
    unrolled!(t in 0..COUNT, {
        // SAFETY: as above.
        of[t] = unsafe { [*taps.get_unchecked(tap + t), *taps.get_unchecked(width + tap + t)] };
        unrolled!(word in 0..4, {
            if word <= D {
                loaded[t][word] = load(word * plane + place + t * step);
            }
        });
    });
    unrolled!(t in 0..COUNT, {
        let [k, uk] = of[t];
        sums[0] = lanes::mul_add::<M, LANES>(k, loaded[t][0], sums[0]);
        sums[1 + A] = lanes::mul_add::<M, LANES>(uk, loaded[t][0], sums[1 + A]);
        unrolled!(c in 0..3, {
            if c < D {
                sums[1 + c] = lanes::mul_add::<M, LANES>(k, loaded[t][1 + c], sums[1 + c]);
            }
        });
    });
    sums
}

/// One pass, along axis A of D.   One thread LANES nodes of a row.
#[kernel(
    instances(
        smooth_1_x<1, 0>,
        smooth_2_x<2, 0>,
        smooth_2_y<2, 1>,
        smooth_3_x<3, 0>,
        smooth_3_y<3, 1>,
        smooth_3_z<3, 2>,
    ),
    threads = 32..=1024,
    grid = (nodes_x.div_ceil(Machine::LANES) * nodes_y * nodes_z).div_ceil(block.x),
    require(
        from.len() >= (D + 1) * plane,
        A + 1 == D || to.len() >= (D + 1) * plane,
        A + 1 < D || nodes.len() >= nodes_x * nodes_y * nodes_z * 4,
        taps.len() >= 2 * (2 * reach + 1),
        plane >= 2 * lead + row * nodes_y * nodes_z,
        lead >= reach + Machine::LANES,
        row >= nodes_x + reach,
        // Off axis 0 a GPU loads lanes as a whole.
        from.is_aligned(16),
        A == 0 || lead % 4 == 0 && row % 4 == 0 && plane % 4 == 0,
        state.len() >= progress::HISTORY,
        D > 1 || nodes_y == 1,
        D > 2 || nodes_z == 1,
    ),
)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn smooth<const D: usize, const A: usize>(
    from: &[f32],
    taps: &[f32],
    mut to: DisjointMut<f32>,
    mut nodes: DisjointMut<f32>,
    state: *mut u32,
    limit: u32,
    reach: u32,
    nodes_x: u32,
    nodes_y: u32,
    nodes_z: u32,
    row: u32,
    lead: u32,
    plane: u32,
) {
    const LANES: usize = Machine::LANES;
    // SAFETY: the launch has checked the length.
    if unsafe { is_over(state, limit) } {
        return;
    }
    let in_row = nodes_x.div_ceil(LANES as u32);
    let index = thread::index_1d() as u32;
    if index >= in_row * nodes_y * nodes_z {
        return;
    }
    let index = if LANES > 4 && A != 0 { along::<A>(index, in_row, nodes_y, nodes_z) } else { index };
    let (x, line) = ((index % in_row) as usize * LANES, index / in_row);
    let (y, z) = (line % nodes_y, line / nodes_y);
    let (row, plane) = (row as usize, plane as usize);
    let base = lead as usize + line as usize * row + x;
    // How far neighbours on the axis are apart, and which of them there are; along x zeros stand around a row.
    let (step, at, len) = match A {
        0 => (1, reach, 2 * reach + 1),
        1 => (row, y, nodes_y),
        _ => (row * nodes_y as usize, z, nodes_z),
    };
    let first = at.saturating_sub(reach);
    let last = (at + reach).min(len - 1);
    let width = 2 * reach as usize + 1;
    let mut sums = [[0.0; LANES]; 4];
    let mut neighbour = first;
    // SAFETY: places are in the planes, by the sizes that the launch has checked: lanes behind the end of a
    // row, and neighbours in front of it, are still in the plane, which has `lead` cells on either side. A neighbour
    // is within the reach, as many taps there are.
    unsafe {
        let place = |neighbour: u32| base + neighbour as usize * step - at as usize * step;
        let tap = |neighbour: u32| (neighbour + reach - at) as usize;
        while Machine::KIND == MachineKind::Gpu && neighbour + TURN <= last + 1 {
            let where_from = (tap(neighbour), place(neighbour), step);
            sums = add_taps::<Machine, D, A, LANES, { TURN as usize }>((from, plane), (taps, width), where_from, sums);
            neighbour += TURN;
        }
        while neighbour <= last {
            let where_from = (tap(neighbour), place(neighbour), step);
            sums = add_taps::<Machine, D, A, LANES, 1>((from, plane), (taps, width), where_from, sums);
            neighbour += 1;
        }
    }
    let count = nodes_x as usize - x;
    if A + 1 < D {
        unrolled!(word in 0..4, {
            if word <= D {
                // SAFETY: the nodes are this thread's.
                unsafe { lanes::write_some(&mut to, word * plane + base, sums[word], count) };
            }
        });
    } else {
        let node = line as usize * nodes_x as usize + x;
        if LANES > 4 && count >= LANES {
            let mut whole = [[0.0; 4]; LANES];
            for lane in 0..LANES {
                for word in 0..4 {
                    whole[lane][word] = sums[word][lane];
                }
            }
            // SAFETY: the nodes are this thread's, and by the sizes that the launch has checked there are so many behind this one.
            unsafe { nodes.as_mut_ptr().add(node * 4).cast::<[[f32; 4]; LANES]>().write(whole) };
            return;
        }
        for lane in 0..LANES {
            if lane < count {
                for word in 0..4 {
                    // SAFETY: as above.
                    unsafe { nodes.write((node + lane) * 4 + word, sums[word][lane]) };
                }
            }
        }
    }
}
