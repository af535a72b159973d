//! The patches of a field in four and five dimensions, and the passes between them (gpu/smooth_many.rs).

use std::ops::Range;

use gpu::many::{MANY_WORDS, patch_words};
use gpu::smooth_many::{BEHIND, SOURCE, TARGET};

use super::grid::{Grid, MOST_DIMENSIONS};

/// Nodes between passes up to which patches are made together, for fewer launches; one alone may have more.
const TOGETHER: u128 = 1 << 20;

/// Operations that take as long as to bring a node, its sums and its planes through memory, in all passes.
const OF_MEMORY: f64 = 1500.0;

/// A box of nodes of a grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Patch {
    /// The first node along each axis, counted from the grid's.
    pub low: [u32; MOST_DIMENSIONS],
    /// Nodes along each axis; 1 beyond the grid's dimensions.
    pub nodes: [u32; MOST_DIMENSIONS],
}

/// The patches of a field, and the passes from those with sums to those that are read.
#[derive(Debug)]
pub struct Pieces {
    pub d: usize,
    pub summed: Vec<Patch>,
    pub read: Vec<Patch>,
    pub groups: Vec<Group>,
    /// Rows of gpu/smooth_many.rs, for all passes.
    pub targets: Vec<u32>,
    pub sources: Vec<u32>,
    /// The most nodes that a pass writes.
    pub between: usize,
    /// About how many operations the nodes take for each build.
    pub operations: f64,
}

/// Patches that are read, which are made together, as they follow one another.
#[derive(Debug)]
pub struct Group {
    /// Their first node among all that are read, and how many they have.
    pub nodes: (u32, u32),
    /// Along each axis.
    pub passes: Vec<Pass>,
}

/// One pass.
#[derive(Debug, Default)]
pub struct Pass {
    /// The first of its targets, and how many it has.
    pub targets: (u32, u32),
    /// The most nodes of a target in a row, and the most rows.
    pub width: u32,
    pub lines: u32,
}

impl Patch {
    /// All of a grid.
    pub fn whole(grid: &Grid) -> Self {
        Self { low: [0; MOST_DIMENSIONS], nodes: grid.nodes }
    }

    /// Nodes, of which there may be more than can be counted.
    pub fn count(&self) -> u128 {
        product(&self.nodes)
    }

    /// The box that a pass along an axis makes of this patch for another: nodes below the axis, along it, and above it.
    fn between(&self, to: &Self, axis: usize) -> [u128; 3] {
        [product(&to.nodes[..axis]), u128::from(to.nodes[axis]), product(&self.nodes[axis + 1..])]
    }

    /// Whether a kernel that reaches so many nodes takes any of this patch to any of the other.
    fn reaches(&self, other: &Self, reach: u32) -> bool {
        let squared = |c: usize| {
            let last = |patch: &Self| patch.low[c] + patch.nodes[c] - 1;
            let apart = self.low[c].saturating_sub(last(other)).max(other.low[c].saturating_sub(last(self)));
            u64::from(apart).pow(2)
        };
        (0..MOST_DIMENSIONS).map(squared).sum::<u64>() <= u64::from(reach).pow(2)
    }
}

/// The product of numbers of nodes, or as large as can be.
fn product(nodes: &[u32]) -> u128 {
    nodes.iter().fold(1, |product, &nodes| product.saturating_mul(u128::from(nodes)))
}

impl Pieces {
    /// The passes between these patches of a grid; or how many nodes they would have, where these are too many.
    pub fn new(grid: &Grid, summed: Vec<Patch>, read: Vec<Patch>) -> Result<Self, u128> {
        let total = |patches: &[Patch]| patches.iter().map(Patch::count).fold(0, u128::saturating_add);
        // The most nodes that are between the patches with sums and one that is read.
        let written = |to: &Patch| {
            let axes = (0..grid.d - 1).map(|axis| {
                let within = summed.iter().filter(|from| from.reaches(to, grid.reach));
                let sizes = within.map(|from| from.between(to, axis).into_iter().fold(1, u128::saturating_mul));
                sizes.fold(0, u128::saturating_add)
            });
            axes.fold(to.count(), u128::max)
        };
        let each: Vec<u128> = read.iter().map(written).collect();
        let most = each.iter().copied().chain([total(&summed), total(&read)]).max().unwrap_or_default();
        if most > grid.most_nodes() {
            return Err(most);
        }
        let operations = Self::operations_of(grid, &summed, &read);
        let (groups, targets, sources) = (Vec::new(), Vec::new(), Vec::new());
        let mut pieces = Self { d: grid.d, summed, read, groups, targets, sources, between: 0, operations };
        let (mut first, mut begin) = (0, 0);
        while first < pieces.read.len() {
            let (mut behind, mut nodes) = (first + 1, each[first]);
            while behind < each.len() && nodes + each[behind] <= TOGETHER {
                nodes += each[behind];
                behind += 1;
            }
            let count = total(&pieces.read[first..behind]) as u32;
            let passes = pieces.passes(grid, first..behind);
            pieces.groups.push(Group { nodes: (begin, count), passes });
            pieces.between = pieces.between.max(nodes as usize);
            (first, begin) = (behind, begin + count);
        }
        Ok(pieces)
    }

    /// The passes to some patches that are read.
    fn passes(&mut self, grid: &Grid, those: Range<usize>) -> Vec<Pass> {
        let firsts = |patches: &[Patch]| {
            let counts = patches.iter().map(|patch| patch.count() as u32);
            counts.scan(0_u32, |all, count| Some(std::mem::replace(all, *all + count))).collect::<Vec<_>>()
        };
        let (read, begin) = (&self.read[those], firsts(&self.summed));
        // For each of them those that give to it, and where what they give stands after the last pass.
        let within = |to: &Patch| {
            let givers = self.summed.iter().zip(&begin).filter(|(from, _)| from.reaches(to, grid.reach));
            givers.map(|(from, &first)| (*from, first)).collect::<Vec<_>>()
        };
        let mut givers: Vec<_> = read.iter().map(within).collect();
        let mut passes = Vec::new();
        for axis in 0..grid.d {
            let (mut pass, mut next) = (Pass::default(), 0);
            pass.targets.0 = (self.targets.len() / TARGET) as u32;
            for (to, (givers, first)) in read.iter().zip(givers.iter_mut().zip(firsts(read))) {
                let is_last = axis == grid.d - 1;
                let source = (self.sources.len() / SOURCE) as u32;
                if is_last {
                    self.targets.extend(pass.target(first, to.between(to, axis), axis, (source, givers.len())));
                }
                for (source, (from, place)) in (source..).zip(givers) {
                    let (target, begin) = (from.between(to, axis), next);
                    if !is_last {
                        self.targets.extend(pass.target(begin, target, axis, (source, 1)));
                        next += target.iter().product::<u128>() as u32;
                    }
                    let (nodes, shift) = (from.nodes[axis], to.low[axis].wrapping_sub(from.low[axis]));
                    self.sources.extend([std::mem::replace(place, begin), nodes, shift]);
                }
            }
            passes.push(pass);
        }
        passes
    }

    /// The one patch that is all of a grid, of which there are not too many nodes.
    pub fn whole(grid: &Grid) -> Self {
        let whole = || vec![Patch::whole(grid)];
        Self::new(grid, whole(), whole()).expect("a grid is not larger than it may be")
    }

    /// About how many operations the nodes of these patches would take for each build.
    pub fn operations_of(grid: &Grid, summed: &[Patch], read: &[Patch]) -> f64 {
        let mut operations = 0.0;
        for to in read {
            for from in summed.iter().filter(|from| from.reaches(to, grid.reach)) {
                for axis in 0..grid.d {
                    let taps = f64::from((2 * grid.reach + 1).min(from.nodes[axis]));
                    let each = taps * (grid.d + 2) as f64 + OF_MEMORY / grid.d as f64;
                    operations += from.between(to, axis).map(|nodes| nodes as f64).iter().product::<f64>() * each;
                }
            }
        }
        operations
    }

    /// Nodes with sums, and nodes that are read.
    pub fn nodes(&self) -> [u128; 2] {
        [&self.summed, &self.read].map(|patches| patches.iter().map(Patch::count).sum())
    }

    /// Whether there is one patch, the same that is read.
    pub fn is_whole(&self, grid: &Grid) -> bool {
        [&self.summed, &self.read].iter().all(|patches| patches[..] == [Patch::whole(grid)])
    }

    /// Bytes of a field of these patches, with so many copies of its sums.
    pub fn bytes(&self, copies: u32) -> u128 {
        let [summed, read] = self.nodes().map(|nodes| nodes * MANY_WORDS as u128);
        let planes = (self.d + 1) as u128 * self.planes().map(|plane| plane as u128).iter().sum::<u128>();
        summed * 8 * u128::from(copies) + 4 * (read + planes + (self.targets.len() + self.sources.len()) as u128)
    }

    /// Cells of a plane: of sums, and of what is between two passes, twice.
    pub fn planes(&self) -> [usize; 3] {
        [self.nodes()[0] as usize, self.between, self.between].map(|nodes| nodes + BEHIND)
    }

    /// A table of patches.
    pub fn table(&self, patches: &[Patch]) -> Vec<u32> {
        let mut table = Vec::with_capacity(patches.len() * patch_words(self.d));
        let mut first = 0;
        for patch in patches {
            table.push(first);
            table.extend(&patch.low[..self.d]);
            table.extend(&patch.nodes[..self.d]);
            first += patch.count() as u32;
        }
        table
    }
}

impl Pass {
    /// The row of another target, whose sources are so many from the first on.
    fn target(&mut self, first: u32, sizes: [u128; 3], axis: usize, (source, count): (u32, usize)) -> [u32; TARGET] {
        let [below, len, above] = sizes.map(|nodes| nodes as u32);
        let (width, lines) = if axis == 0 { (len, above) } else { (below, len * above) };
        (self.width, self.lines) = (self.width.max(width), self.lines.max(lines));
        self.targets.1 += 1;
        [first, below, len, above, source, source + count as u32]
    }
}

#[cfg(test)]
/// A grid of so many nodes along each of d axes, whose kernel reaches so many.
pub fn grid_of(d: usize, nodes: u32, reach: u32) -> Grid {
    let mut sizes = [1; MOST_DIMENSIONS];
    sizes[..d].fill(nodes);
    Grid { d, per_bandwidth: 2.0, spacing: 0.5, low: [0; MOST_DIMENSIONS], nodes: sizes, reach }
}

#[cfg(test)]
mod tests {
    use super::grid_of as grid;
    use super::*;

    #[test]
    fn too_many_nodes_are_counted() {
        let grid = grid(5, 1000, 14);
        let whole = vec![Patch::whole(&grid)];
        assert_eq!(Pieces::new(&grid, whole.clone(), whole).unwrap_err(), 10_u128.pow(15));
    }

    /// Patches that are small are made together, large ones each alone, and their nodes follow one another.
    #[test]
    fn groups_are_of_neighbours() {
        let grid = grid(4, 200, 14);
        let at = |low: u32, side: u32| Patch { low: [low, low, low, low, 0], nodes: [side, side, side, side, 1] };
        let patches = vec![at(0, 5), at(20, 6), at(60, 40), at(120, 7), at(140, 8)];
        let pieces = Pieces::new(&grid, patches.clone(), patches).unwrap();
        let nodes: Vec<(u32, u32)> = pieces.groups.iter().map(|group| group.nodes).collect();
        let [a, b, c] = [625 + 1296, 40_u32.pow(4), 2401 + 4096];
        assert_eq!(nodes, [(0, a), (a, b), (a + b, c)]);
        assert_eq!(pieces.between, 40_usize.pow(4));
    }
}
