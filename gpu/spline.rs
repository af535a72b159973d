//! The cubic B-spline over nodes of a regular grid, and where a coordinate lies in it.
//!
//! ```text
//! t = x / spacing - low          in spacings from the grid's first node
//! i = floor(t), s = t - i        nodes i - 1, i, i + 1, i + 2 have the weights
//! B  = (1 - s)^3 / 6,  (3 s^3 - 6 s^2 + 4) / 6,  the same of 1 - s,  s^3 / 6
//! ```
//!
//! The weights sum to 1, are positive, and their mean is s. Their second and third moments do not depend on s:
//! so what is spread with them, and smoothed by a kernel of c spacings, depends on the place within a
//! cell by c^-4 only, where linear weights do by c^-2.

use cuda_std::prelude::*;

/// Nodes in each dimension that a point touches.
pub(crate) const TAPS: usize = 4;

/// Whether a grid of D axes has nodes enough along each for a point, and no more than [`locate`] can number.
pub(crate) fn are_nodes<const N: usize>(nodes: [usize; N], axes: usize) -> bool {
    nodes.iter().take(axes).all(|&nodes| (TAPS..1 << 31).contains(&nodes))
}

/// Where a coordinate lies: the first node that it touches, and how far it is behind the second.
///
/// Coordinates outside of the grid count as at its border. `nodes` are such as [`are_nodes`] lets pass.
#[inline(always)]
pub(crate) fn locate(x: f32, inverse: f64, low: f64, nodes: u32) -> (u32, f32) {
    let t = f64::from(x) * inverse - low;
    let last = f64::from(nodes - 3);
    // A NaN fails both comparisons, and counts as at the border too.
    let t = if t < last { t } else { last };
    let t = if t > 1.0 { t } else { 1.0 };
    // SAFETY: from 1 to the number of nodes, which the launch has checked to be an i32.
    let cell = unsafe { t.to_int_unchecked::<i32>() };
    let cell = if cell > nodes as i32 - 3 { nodes as i32 - 3 } else { cell };
    (cell as u32 - 1, (t - f64::from(cell)) as f32)
}

/// The weights of the four nodes about a place s behind the second of them.
#[inline(always)]
pub(crate) fn weights<M: Machine>(s: f32) -> [f32; TAPS] {
    const SIXTH: f32 = 1.0 / 6.0;
    let r = 1.0 - s;
    let inner = |s: f32| M::mul_add(s * s, M::mul_add(s, 0.5, -1.0), 2.0 / 3.0);
    [r * r * r * SIXTH, inner(s), inner(r), s * s * s * SIXTH]
}

/// One of four numbers. A GPU would keep an array that is indexed by a variable in slow memory.
#[inline(always)]
pub(crate) fn pick(of: [f32; TAPS], k: usize) -> f32 {
    let low = if k & 1 == 0 { of[0] } else { of[1] };
    let high = if k & 1 == 0 { of[2] } else { of[3] };
    if k & 2 == 0 { low } else { high }
}

/// How far the four nodes are from that place, in spacings.
#[inline(always)]
pub(crate) fn offsets(s: f32) -> [f32; TAPS] {
    [-1.0 - s, -s, 1.0 - s, 2.0 - s]
}
