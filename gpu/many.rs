//! The nodes of a binned field in four and five dimensions, all of which are stored.
//!
//! A node has [`MANY_WORDS`] words: its mass, a moment for each axis, and nothing in the others. It is at
//! `x + nodes_x (y + nodes_y (z + nodes_z (u + nodes_u v)))`, of which v is 0 in four dimensions. A place touches four nodes along each
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

/// The most dimensions.
pub(crate) const MOST: usize = 5;

/// Words of four nodes along x.
pub(crate) const ROW: usize = TAPS * MANY_WORDS;

/// Rows of nodes about a place.
pub(crate) const fn rows(d: usize) -> usize {
    TAPS.pow(d as u32 - 1)
}

/// Which of four nodes along axis `c`, from 1 on, a row has.
#[inline(always)]
pub(crate) fn tap(row: usize, c: usize) -> usize {
    row >> (2 * (c - 1)) & (TAPS - 1)
}

/// A grid of D dimensions.
#[derive(Clone, Copy)]
pub(crate) struct Axes<'a, const D: usize> {
    /// Nodes along each axis.
    pub nodes: [u32; D],
    /// From a node to the next along each axis.
    pub strides: [usize; D],
    /// Nodes per unit of scaled coordinates.
    pub inverse: f64,
    /// The first node of each axis, in spacings.
    pub low: &'a [f64],
}

/// A place: its first node, how far it is behind the second along each axis, and the weights of the four.
#[derive(Clone, Copy)]
pub(crate) struct Place<const D: usize> {
    pub node: usize,
    pub behind: [f32; D],
    pub along: [[f32; TAPS]; D],
}

impl<'a, const D: usize> Axes<'a, D> {
    #[inline(always)]
    pub fn new(sizes: [u32; MOST], inverse: f64, low: &'a [f64]) -> Self {
        let (mut nodes, mut strides, mut stride) = ([0; D], [0; D], 1);
        for c in 0..D {
            (nodes[c], strides[c]) = (sizes[c], stride);
            stride *= sizes[c] as usize;
        }
        Self { nodes, strides, inverse, low }
    }

    /// The index of a node.
    #[inline(always)]
    pub fn index(&self, node: [u32; D]) -> usize {
        let mut index = 0;
        for c in 0..D {
            index += self.strides[c] * node[c] as usize;
        }
        index
    }

    /// How far a row of nodes about a place is from the first.
    #[inline(always)]
    pub fn row(&self, row: usize) -> usize {
        // Without checks of what cannot overflow: they take 6 % of a fit on a processor.
        let mut from = 0_usize;
        for c in 1..D {
            from = from.wrapping_add(self.strides[c].wrapping_mul(tap(row, c)));
        }
        from
    }

    /// The place of point `i` of columns.
    #[inline(always)]
    pub fn place<M: Machine>(&self, columns: &[f32], stride: usize, i: usize) -> Place<D> {
        let (mut first, mut place) = ([0; D], Place { node: 0, behind: [0.0; D], along: [[0.0; TAPS]; D] });
        for c in 0..D {
            (first[c], place.behind[c]) = locate(columns[c * stride + i], self.inverse, self.low[c], self.nodes[c]);
            place.along[c] = weights::<M>(place.behind[c]);
        }
        place.node = self.index(first);
        place
    }
}
