//! Which blocks of nodes a field needs, and who is whose neighbour (gpu/blocks.rs): counted for blocks, never for points.
//!
//! Points begin in the blocks S, queries in R. A point touches nodes of its block and of those behind, N = S + {0, 1}^d;
//! a query reads those of C = R + {0, 1}^d. With D_c(X) the blocks within the kernel's reach of X along axis c, the
//! passes along x, y, z have to write
//!
//! ```text
//! T_x = D_x(N)    and  D_y(D_z(C))      what is not zero, and is looked at later
//! T_y = D_y(T_x)  and  D_z(C)
//! T_z = D_z(T_y)  and  C
//! ```
//!
//! and in the plane the same without z. So a point far from all others costs the few blocks that it touches, and not
//! those within its reach. Every set keeps to the axes' places of N and C: none lies before the grid.

use std::collections::HashMap;

use gpu::blocks::{AXIS_BITS, held, own, side, side_bits};
use gpu::components::NONE;

/// The place of a block on each axis.
type Block = [i32; 3];

/// The blocks of a field of d = 2 or 3 dimensions.
#[derive(Debug, PartialEq)]
pub struct Plan {
    pub d: usize,
    /// Keys of the blocks with sums, in order.
    pub summed: Vec<u64>,
    /// Keys of the blocks that are read, in order.
    pub read: Vec<u64>,
    /// How many have planes.
    pub stored: usize,
    /// What points may touch.
    pub settled: Linked,
    /// The passes, along each axis.
    pub passes: Vec<Linked>,
    /// Blocks about those that are read.
    pub corners: Vec<u32>,
}

/// Some blocks, and for each of them the same number of others.
#[derive(Debug, Default, PartialEq)]
pub struct Linked {
    pub slots: Vec<u32>,
    pub links: Vec<u32>,
}

impl Plan {
    /// The blocks for these of points and of queries, given by their keys, and a kernel that reaches so many nodes.
    pub fn new(d: usize, reach: u32, mut summed: Vec<u64>, mut read: Vec<u64>) -> Self {
        summed.sort_unstable();
        read.sort_unstable();
        let further = reach.div_ceil(side(d) as u32) as i32;
        let behind = |keys: &[u64]| {
            let all: Vec<Block> = keys.iter().map(|&key| block(key)).collect();
            (0..d).fold(all, |all, axis| spread(all, axis, (0, 1)))
        };
        let (touched, looked_at) = (behind(&summed), behind(&read));
        // What each pass has to write at most, from the last one on.
        let mut wanted = vec![looked_at.clone()];
        for axis in (1..d).rev() {
            let last = wanted.last().expect("there is one").clone();
            wanted.push(spread(last, axis, (further, further)));
        }
        let mut written: Vec<Vec<Block>> = Vec::new();
        for (axis, wanted) in (0..d).zip(wanted.into_iter().rev()) {
            let before = written.last().unwrap_or(&touched).clone();
            written.push(common(spread(before, axis, (further, further)), wanted));
        }
        let mut stored: Vec<Block> = written.iter().flatten().chain(&touched).copied().collect();
        stored.sort_unstable();
        stored.dedup();
        let slot_of = numbers(&stored);
        let source_of = numbers(&summed.iter().map(|&key| block(key)).collect::<Vec<_>>());
        let slots = |blocks: &[Block]| blocks.iter().map(|block| slot_of[block]).collect();
        let masked = |block: Block, mask: usize, step: i32| {
            let mut other = block;
            (0..d).filter(|c| mask >> c & 1 == 1).for_each(|c| other[c] += step);
            other
        };
        let about = |blocks: &[Block], of: &HashMap<Block, u32>, step: i32| {
            let each = blocks.iter().flat_map(|&block| (0..1 << d).map(move |mask| masked(block, mask, step)));
            each.map(|other| of.get(&other).copied().unwrap_or(NONE)).collect::<Vec<u32>>()
        };
        let settled = Linked { slots: slots(&touched), links: about(&touched, &source_of, -1) };
        // Of what a pass does not write nothing may be read by the next.
        let mut passes = Vec::new();
        for axis in 0..d {
            let (from, to) = (if axis == 0 { &touched } else { &written[axis - 1] }, &written[axis]);
            let there: HashMap<Block, u32> = from.iter().map(|&block| (block, slot_of[&block])).collect();
            let mut links = Vec::with_capacity(to.len() * (2 * further as usize + 1));
            for &block in to {
                for step in -further..=further {
                    let mut other = block;
                    other[axis] += step;
                    links.push(there.get(&other).copied().unwrap_or(NONE));
                }
            }
            passes.push(Linked { slots: slots(to), links });
        }
        let last: HashMap<Block, u32> = written[d - 1].iter().map(|&block| (block, slot_of[&block])).collect();
        let corners = about(&read.iter().map(|&key| block(key)).collect::<Vec<_>>(), &last, 1);
        Self { d, stored: stored.len(), settled, passes, corners, summed, read }
    }

    /// The nodes that are stored, smoothed or not.
    pub fn nodes(&self) -> u128 {
        self.stored as u128 * own(self.d) as u128
    }

    /// The largest number of nodes that any one array has.
    pub fn most_nodes(&self) -> u128 {
        self.nodes().max(self.summed.len().max(self.read.len()) as u128 * held(self.d) as u128)
    }

    /// Bytes of a field of these blocks, with so many copies of its sums.
    pub fn bytes(&self, copies: u32) -> u128 {
        let of = |linked: &Linked| (linked.slots.len() + linked.links.len()) as u128 * 4;
        let sums = self.summed.len() as u128 * held(self.d) as u128 * 32 * u128::from(copies);
        let planes = 2 * (self.d as u128 + 1) * self.nodes() * 4;
        let nodes = self.read.len() as u128 * held(self.d) as u128 * 16;
        let tables = self.passes.iter().map(of).sum::<u128>() + of(&self.settled) + self.corners.len() as u128 * 4;
        // A key, and up to four slots of the hash table.
        sums + planes + nodes + tables + (self.summed.len() + self.read.len()) as u128 * 24
    }

    /// About how many operations the nodes take for each build.
    pub fn operations(&self, reach: u32) -> f64 {
        let written: usize = self.passes.iter().map(|pass| pass.slots.len()).sum();
        (written * own(self.d)) as f64 * f64::from(2 * reach + 1) * (self.d + 2) as f64
    }

    /// The side of a block, as kernels take it.
    pub fn side_bits(&self) -> u32 {
        side_bits(self.d)
    }
}

/// The block with this key.
fn block(key: u64) -> Block {
    [0, 1, 2].map(|c| (key >> (c * AXIS_BITS) & ((1 << AXIS_BITS) - 1)) as i32)
}

/// All blocks that are up to so many before and behind one of these along an axis, each once.
fn spread(mut blocks: Vec<Block>, axis: usize, (before, behind): (i32, i32)) -> Vec<Block> {
    let line = |block: &Block| {
        let mut line = *block;
        line[axis] = 0;
        line
    };
    blocks.sort_unstable_by_key(|block| (line(block), block[axis]));
    let (mut all, mut last) = (Vec::with_capacity(blocks.len()), None);
    for block in blocks {
        let (this, place) = (line(&block), block[axis]);
        let mut first = place - before;
        match last {
            Some((line, end)) if line == this => first = first.max(end + 1),
            _ => {}
        }
        for at in first..=place + behind {
            let mut block = this;
            block[axis] = at;
            all.push(block);
        }
        last = Some((this, place + behind));
    }
    all
}

/// The blocks that both have, in order.
fn common(mut a: Vec<Block>, mut b: Vec<Block>) -> Vec<Block> {
    b.sort_unstable();
    a.retain(|block| b.binary_search(block).is_ok());
    a.sort_unstable();
    a
}

/// The number of each block.
fn numbers(blocks: &[Block]) -> HashMap<Block, u32> {
    blocks.iter().copied().zip(0..).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(block: Block) -> u64 {
        (0..3).map(|c| (block[c] as u64) << (AXIS_BITS * c as u32)).sum()
    }

    #[test]
    fn one_block_is_all_that_a_far_point_costs() {
        for (d, touched) in [(2, 4), (3, 8)] {
            let keys = vec![key([7, 3, if d == 3 { 9 } else { 0 }])];
            let plan = Plan::new(d, 26, keys.clone(), keys);
            assert_eq!((plan.stored, plan.settled.slots.len()), (touched, touched), "d = {d}");
            assert_eq!(plan.settled.links.iter().filter(|&&link| link != NONE).count(), touched);
            assert!(plan.corners.iter().all(|&corner| corner != NONE), "d = {d}");
            assert!(plan.passes.iter().all(|pass| pass.slots.len() == touched), "d = {d}");
        }
    }

    /// Two blocks on a diagonal, within each other's reach: the corners between them are passed through.
    #[test]
    fn corners_between_blocks_are_stored() {
        let keys = vec![key([10, 10, 0]), key([12, 12, 0])];
        let plan = Plan::new(2, 64, keys.clone(), keys.clone());
        // Each block and those behind; and of the pass along x, the columns of one in the rows of the other.
        assert_eq!((plan.settled.slots.len(), plan.stored), (8, 16));
        // Out of each other's reach there is nothing between them.
        let far = vec![key([10, 10, 0]), key([22, 22, 0])];
        assert_eq!(Plan::new(2, 64, far.clone(), far).stored, 8);
        // The order of blocks is theirs alone.
        let turned: Vec<u64> = keys.iter().rev().copied().collect();
        assert_eq!(Plan::new(2, 64, turned.clone(), turned), plan);
    }

    #[test]
    fn blocks_are_spread_along_an_axis() {
        let all = spread(vec![[5, 0, 1], [1, 0, 1], [2, 0, 1], [2, 7, 1]], 0, (1, 2));
        let places: Vec<i32> = all.iter().filter(|block| block[1] == 0).map(|block| block[0]).collect();
        assert_eq!(places, [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(all.len(), 8 + 4);
        assert_eq!(block(key([3, 1 << 20, 2_097_151])), [3, 1 << 20, 2_097_151]);
    }
}
