//! The nodes of a binned field in four and five dimensions, which are stored in patches.
//!
//! A node has [`MANY_WORDS`] words: its mass, a moment for each axis, and nothing in the others. A *patch* is a box of nodes, of which
//! there is one, all of the grid, or several, where most of the grid is empty; of a table each has [`patch_words`] words:
//!
//! ```text
//! the index of its first node    its first node along each axis    how many it has along each
//! ```
//!
//! A node of a patch is at `first + x + nodes_x (y + nodes_y (z + nodes_z (u + nodes_u v)))`, without v in four dimensions. Patches may
//! overlap: a place belongs to the first of the table that holds all nodes that it touches. These are four along each
//! axis: 4^(D-1) rows of four along x, each of 32 words in a row.

use cuda_std::prelude::*;

use crate::spline::{TAPS, locate, weights};

/// Words of a node.
///
/// ```
/// // A mass, and up to seven moments.
/// assert_eq!(gpu::many::MANY_WORDS, 8);
/// ```
pub const MANY_WORDS: usize = 8;

/// Words of a patch in a table.
///
/// ```
/// assert_eq!(gpu::many::patch_words(4), 9);
/// ```
pub const fn patch_words(d: usize) -> usize {
    1 + 2 * d
}

/// The most dimensions.
pub(crate) const MOST: usize = 5;

/// Rows of nodes about a place.
pub(crate) const fn rows(d: usize) -> usize {
    TAPS.pow(d as u32 - 1)
}

/// Which of four nodes along axis `c`, from 1 on, a row has.
#[inline(always)]
pub(crate) fn tap(row: usize, c: usize) -> usize {
    row >> (2 * (c - 1)) & (TAPS - 1)
}

/// A grid of D dimensions, of which some patches are stored.
#[derive(Clone, Copy)]
pub(crate) struct Axes<'a, const D: usize> {
    /// Nodes along each axis.
    pub nodes: [u32; D],
    /// Nodes per unit of scaled coordinates.
    pub inverse: f64,
    /// The first node of each axis, in spacings.
    pub low: &'a [f64],
    patches: &'a [u32],
    /// Nodes of all patches.
    count: u32,
}

/// A node of a patch.
#[derive(Clone, Copy)]
pub(crate) struct At<const D: usize> {
    /// Its index.
    pub node: usize,
    /// From a node to the next along each axis.
    pub strides: [usize; D],
}

impl<const D: usize> At<D> {
    /// How far a row of nodes about this one is from it.
    #[inline(always)]
    pub fn row(&self, row: usize) -> usize {
        // Without checks of what cannot overflow: they take 6 % of a fit on a processor.
        let mut from = 0_usize;
        for c in 1..D {
            from = from.wrapping_add(self.strides[c].wrapping_mul(tap(row, c)));
        }
        from
    }
}

/// A place: its first node, how far it is behind the second along each axis, and the weights of the four.
#[derive(Clone, Copy)]
pub(crate) struct Place<const D: usize> {
    pub at: At<D>,
    pub behind: [f32; D],
    pub along: [[f32; TAPS]; D],
}

impl<'a, const D: usize> Axes<'a, D> {
    /// The grid of which so many nodes are stored, in these patches.
    #[inline(always)]
    pub fn new(sizes: [u32; MOST], inverse: f64, low: &'a [f64], (patches, count): (&'a [u32], u32)) -> Self {
        let mut nodes = [0; D];
        nodes.copy_from_slice(&sizes[..D]);
        Self { nodes, inverse, low, patches, count }
    }

    /// The first node that a place touches, where all of them are stored: they are within the nodes that there are.
    #[inline(always)]
    pub fn find(&self, first: [u32; D]) -> Option<At<D>> {
        let words = patch_words(D);
        for k in 0..self.patches.len() / words {
            let patch = &self.patches[k * words..][..words];
            let mut holds = true;
            for c in 0..D {
                // A place before the patch is far behind it, as a u32.
                holds &= first[c].wrapping_sub(patch[1 + c]) < patch[1 + D + c].saturating_sub(TAPS as u32 - 1);
            }
            if !holds {
                continue;
            }
            let (mut node, mut strides, mut stride) = (patch[0], [0; D], 1_u64);
            for c in 0..D {
                strides[c] = stride as usize;
                node = node.wrapping_add((stride as u32).wrapping_mul(first[c].wrapping_sub(patch[1 + c])));
                // More than there ever are stays more.
                stride = (stride * u64::from(patch[1 + D + c])).min(1 << 32);
            }
            // What a table says is not what a launch checks.
            assert!(patch[0] <= self.count && stride <= u64::from(self.count - patch[0]), "a patch without nodes");
            return Some(At { node: node as usize, strides });
        }
        None
    }

    /// The place of point `i` of columns, if it is within a patch.
    #[inline(always)]
    pub fn place<M: Machine>(&self, columns: &[f32], stride: usize, i: usize) -> Option<Place<D>> {
        let (mut first, mut behind, mut along) = ([0; D], [0.0; D], [[0.0; TAPS]; D]);
        for c in 0..D {
            (first[c], behind[c]) = locate(columns[c * stride + i], self.inverse, self.low[c], self.nodes[c]);
            along[c] = weights::<M>(behind[c]);
        }
        Some(Place { at: self.find(first)?, behind, along })
    }
}
