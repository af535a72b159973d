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

use cuda_std::prelude::*;

use crate::lanes;
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
    for neighbour in first..=last {
        let tap = (neighbour + reach - at) as usize;
        let (k, uk) = (taps[tap], taps[width + tap]);
        let place = base + neighbour as usize * step - at as usize * step;
        // SAFETY: places are in the planes, by the sizes that the launch has checked: lanes behind the end of a
        // row, and neighbours in front of it, are still in the plane, which has `lead` cells on either side.
        unsafe {
            let mass = lanes::load::<LANES>(from, place);
            sums[0] = lanes::mul_add::<Machine, LANES>(k, mass, sums[0]);
            sums[1 + A] = lanes::mul_add::<Machine, LANES>(uk, mass, sums[1 + A]);
            for c in 0..D {
                let moment = lanes::load::<LANES>(from, (1 + c) * plane + place);
                sums[1 + c] = lanes::mul_add::<Machine, LANES>(k, moment, sums[1 + c]);
            }
        }
    }
    let count = nodes_x as usize - x;
    if A + 1 < D {
        for word in 0..=D {
            // SAFETY: the nodes are this thread's.
            unsafe { lanes::write_some(&mut to, word * plane + base, sums[word], count) };
        }
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
