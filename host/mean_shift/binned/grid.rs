//! Where the nodes of a binned field lie.

use std::num::NonZero;

use cuda_std::machine::MachineKind;
use gpu::blocks::{AXIS_BITS, side};
use gpu::layout::STRIDE;
use gpu::many::MANY_WORDS;
use gpu::smooth_many::BEHIND;
use gpu::spread::WORDS;

use crate::error::Result as Fallible;
use crate::executor::{Buffer, Device};
use crate::mean_shift::near::reach;

/// The most dimensions of a field.
pub const MOST_DIMENSIONS: usize = 5;

/// The most dimensions of a field that is stored in blocks, or that points are added to in parts: beyond, nodes have other words.
pub const FEW_DIMENSIONS: usize = 3;

/// The most nodes: their numbers, times the words of each, are counted in 32 bits on a GPU.
pub const MOST_NODES: u128 = 1 << 28;

/// A regular grid over scaled coordinates, whose nodes are at whole multiples of the spacing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// Dimensions, 1 to 5.
    pub d: usize,
    /// Nodes a bandwidth.
    pub per_bandwidth: f64,
    /// Between nodes, in scaled coordinates.
    pub spacing: f64,
    /// The first node of each axis, in spacings.
    pub low: [i64; MOST_DIMENSIONS],
    /// Nodes along each axis; 1 beyond d.
    pub nodes: [u32; MOST_DIMENSIONS],
    /// How many nodes the kernel reaches.
    pub reach: u32,
}

impl Grid {
    /// The grid over the extents, `(low, high)` of each dimension in scaled coordinates, in which a bandwidth is
    /// `scale`; or how many nodes it would have, where these are too many.
    pub fn over(extents: &[(f64, f64)], scale: f64, per_bandwidth: f64, rule: (f64, f64)) -> Result<Self, u128> {
        let (grid, count) = Self::however_large(extents, scale, per_bandwidth, rule);
        if count > grid.most_nodes() { Err(count) } else { Ok(grid) }
    }

    /// [`over`](Self::over), of any number of nodes, which comes with it.
    pub fn however_large(
        extents: &[(f64, f64)],
        scale: f64,
        per_bandwidth: f64,
        (points, accuracy): (f64, f64),
    ) -> (Self, u128) {
        let spacing = scale / per_bandwidth;
        let (mut low, mut nodes, mut count) = ([0; MOST_DIMENSIONS], [1; MOST_DIMENSIONS], 1_u128);
        for (c, extent) in extents.iter().enumerate() {
            // A point touches the node below it, and three more; rounding may put it into the next cell.
            let (first, last) = ((extent.0 / spacing).floor() - 1.0, (extent.1 / spacing).floor() + 3.0);
            count = count.saturating_mul((last - first + 1.0) as u128);
            (low[c], nodes[c]) = (first as i64, (last - first + 1.0) as u32);
        }
        let reach = (reach(points, accuracy) * per_bandwidth).ceil() as u32 + 2;
        (Self { d: extents.len(), per_bandwidth, spacing, low, nodes, reach }, count)
    }

    /// Words of a node.
    pub fn words(&self) -> usize {
        if self.d > FEW_DIMENSIONS { MANY_WORDS } else { WORDS }
    }

    /// The most nodes of such a grid.
    pub fn most_nodes(&self) -> u128 {
        MOST_NODES * WORDS as u128 / self.words() as u128
    }

    /// Whether blocks of this grid have keys. Points extend over 2^21 bandwidths at most, with 16 nodes each: in 2 dimensions
    /// they always have, and in 1 the whole grid is less than [`MOST_NODES`].
    pub fn has_keys(&self) -> bool {
        let most = side(self.d) << AXIS_BITS;
        self.nodes.iter().all(|&nodes| nodes as usize <= most)
    }

    /// Whether all of the other's nodes are nodes of this one.
    pub fn covers(&self, other: &Self) -> bool {
        self.axes().zip(other.axes()).all(|((low, high), (from, to))| low <= from && to <= high)
    }

    /// First and last node of each axis.
    fn axes(&self) -> impl Iterator<Item = (i64, i64)> {
        let Self { low, nodes, .. } = *self;
        (0..self.d).map(move |c| (low[c], low[c] + i64::from(nodes[c]) - 1))
    }

    /// The same grid with other first and last nodes; or how many nodes that has, where these are too many.
    fn with_axes(&self, axes: impl Iterator<Item = (i64, i64)>) -> Result<Self, u128> {
        let (mut grid, mut count) = (*self, 1_u128);
        for (c, (first, last)) in axes.enumerate() {
            count = count.saturating_mul((last - first + 1) as u128);
            (grid.low[c], grid.nodes[c]) = (first, (last - first + 1) as u32);
        }
        if count > self.most_nodes() { Err(count) } else { Ok(grid) }
    }

    /// The grid over both; or how many nodes it would have.
    pub fn united(&self, other: &Self) -> Result<Self, u128> {
        self.with_axes(self.axes().zip(other.axes()).map(|(a, b)| (a.0.min(b.0), a.1.max(b.1))))
    }

    /// Whether a scaled coordinate lies within axis c.
    pub fn has(&self, c: usize, x: f64) -> bool {
        let t = x / self.spacing - self.low[c] as f64;
        t >= 1.0 && t < f64::from(self.nodes[c]) - 2.0
    }

    /// The grid with more nodes on either side of each axis, given how many it has; if that is not too much.
    pub fn widened(&self, more: impl Fn(i64) -> i64) -> Option<Self> {
        let wider = |(first, last): (i64, i64)| {
            let more = more(last - first);
            (first - more, last + more)
        };
        self.with_axes(self.axes().map(wider)).ok()
    }

    /// Adds the words of the nodes of another grid, which this one covers.
    pub fn copy_from(&self, other: &Self, from: &[u64], to: &mut [u64]) {
        let shift = |c: usize| (other.low[c] - self.low[c]) as usize;
        let (row, plane) = (self.nodes[0] as usize, self.nodes[0] as usize * self.nodes[1] as usize);
        let rows = from.chunks(other.nodes[0] as usize * WORDS);
        for (line, words) in rows.enumerate() {
            let (y, z) = (line % other.nodes[1] as usize, line / other.nodes[1] as usize);
            let first = shift(0) + row * (shift(1) + y) + plane * (shift(2) + z);
            for (sum, word) in to[first * WORDS..].iter_mut().zip(words) {
                *sum = sum.wrapping_add(*word);
            }
        }
    }

    /// All nodes.
    pub fn count(&self) -> usize {
        self.nodes.iter().map(|&nodes| nodes as usize).product()
    }

    /// Rows of nodes along the first axis.
    pub fn rows(&self) -> u32 {
        self.nodes[1..].iter().product()
    }

    /// How far from their middle the taps go, in nodes: to where the kernel ends; beyond three dimensions by a thread's lanes
    /// further, as kernels look at zeros there.
    pub fn span(&self) -> u32 {
        if self.d > FEW_DIMENSIONS { self.reach + BEHIND as u32 } else { self.reach }
    }

    /// The first node of each axis, in spacings, where kernels take them so: in more than three dimensions.
    pub fn lows(&self, device: &Device) -> Fallible<Buffer<f64>> {
        device.upload(&self.low.map(|low| low as f64)[..if self.d > FEW_DIMENSIONS { self.d } else { 0 }])
    }

    /// Cells of a row of a plane: nodes, and zeros that the kernel reaches behind them.
    pub fn row(&self) -> u32 {
        (self.nodes[0] + self.reach).next_multiple_of(STRIDE as u32)
    }

    /// Zeros in front of a plane, and behind it.
    pub fn lead(&self) -> u32 {
        (self.reach + STRIDE as u32).next_multiple_of(STRIDE as u32)
    }

    /// Cells of a plane, in up to three dimensions.
    pub fn plane(&self) -> usize {
        2 * self.lead() as usize + self.row() as usize * self.rows() as usize
    }

    /// Bytes of a field of all of this grid in up to three dimensions, with so many copies of its sums.
    pub fn bytes(&self, copies: u32) -> u128 {
        let words = self.count() as u128 * self.words() as u128;
        let planes = 2 * (self.d as u128 + 1) * self.plane() as u128 * 4;
        words * (8 * copies as u128 + 4) + planes + 8 * (2 * self.span() as u128 + 1)
    }
}

/// Copies of the sums of so many nodes, for n points: a thread of a processor has one to itself, which is worth its zeros and its sum
/// where it takes several times as many additions. On a GPU, a few where many points meet on few nodes. Beyond one, in 512 MiB.
pub fn copies(machine: MachineKind, n: usize, d: usize, nodes: usize) -> u32 {
    let words = if d > FEW_DIMENSIONS { MANY_WORDS } else { WORDS };
    let room = (512 << 20) / (words * 8);
    let (worth, most) = match machine {
        MachineKind::Gpu => (n / (64 * nodes), 8),
        _ => ((n << (2 * d)) / (4 * nodes), processors().min(64)),
    };
    worth.min(room / nodes).clamp(1, most) as u32
}

/// How many threads run at a time. Copies for more would be zeros, and sums of zeros; and of a large grid twice as many, by which
/// threads end together sooner, cost more than that gains.
fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_covers_its_extents() {
        let grid = Grid::over(&[(-1.0, 1.0), (3.0, 3.0)], 0.5, 2.0, (10.0, 1e-3)).unwrap();
        assert_eq!((grid.spacing, grid.low, grid.nodes), (0.25, [-5, 11, 0, 0, 0], [13, 5, 1, 1, 1]));
        assert!(grid.row() >= grid.nodes[0] + grid.reach && grid.lead() >= grid.reach + 32);
        assert_eq!(grid.count(), 65);
    }

    #[test]
    fn there_are_no_more_copies_than_threads_or_room() {
        use MachineKind::{Baseline, Gpu};
        let most = processors().min(64) as u32;
        assert_eq!(copies(Baseline, 100_000_000, 2, 1000), most);
        // 64 additions for each of a thousand points are a few for each node; and of so many nodes a copy takes 512 MiB.
        assert_eq!([copies(Baseline, 1000, 3, 20_000), copies(Baseline, 1 << 30, 3, 1 << 24)], [1, 1]);
        assert_eq!([copies(Gpu, 64_000, 2, 1000), copies(Gpu, 10_000_000, 2, 1000)], [1, 8]);
    }

    #[test]
    fn too_many_nodes_are_counted() {
        let extents = [(0.0, 1e6), (0.0, 1e6), (0.0, 1e6)];
        assert!(Grid::over(&extents, 1.0, 2.0, (10.0, 1e-3)).unwrap_err() > 8_000_000_000_000_000_000);
    }
}
