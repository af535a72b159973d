//! Which patches a field in four and five dimensions stores (gpu/many.rs): counted for cells, never for points.
//!
//! The box about all cells is cut in two where that leaves out the most nodes, and each part again, at most [`MOST_PATCHES`] patches in
//! all: cuts between rows of cells, each part drawn together about its cells. Every patch gives to every other that the kernel
//! reaches, so that more of them may take more operations; those of the cut with the fewest are taken.
//!
//! Source of the idea: Berger and Rigoutsos, An algorithm for point clustering and grid generation (1991), who cut at
//! holes and inflections of the number of cells in a row. Looking at every cut takes as long as counting rows does.

use gpu::patches::{CELL, cell_bits};

use super::grid::{Grid, MOST_DIMENSIONS};
use super::pieces::{Patch, Pieces};

/// The most patches: every place is looked for in them, one after the other.
pub const MOST_PATCHES: usize = 32;

/// Nodes behind a cell's last that a place in it touches.
const BEHIND_CELL: u32 = 3;

/// The place of a cell on each axis.
type Cell = [u32; MOST_DIMENSIONS];

/// The least and the largest place of some cells on each axis.
#[derive(Clone, Copy)]
struct Bounds {
    low: Cell,
    high: Cell,
}

impl Bounds {
    const NONE: Self = Self { low: [u32::MAX; MOST_DIMENSIONS], high: [0; MOST_DIMENSIONS] };

    fn of(cells: &[Cell]) -> Self {
        cells.iter().fold(Self::NONE, |all, &cell| all.with(&Self { low: cell, high: cell }))
    }

    fn with(mut self, other: &Self) -> Self {
        for c in 0..MOST_DIMENSIONS {
            self.low[c] = self.low[c].min(other.low[c]);
            self.high[c] = self.high[c].max(other.high[c]);
        }
        self
    }

    /// Nodes that places within them touch.
    fn nodes(&self, d: usize) -> f64 {
        (0..d).map(|c| f64::from(CELL * (self.high[c] - self.low[c] + 1) + BEHIND_CELL)).product()
    }
}

/// The nodes that places in these cells touch.
fn about(cells: &Bounds, grid: &Grid) -> Patch {
    let mut patch = Patch::whole(grid);
    for c in 0..grid.d {
        patch.low[c] = CELL * cells.low[c];
        patch.nodes[c] = (CELL * (cells.high[c] - cells.low[c] + 1) + BEHIND_CELL).min(grid.nodes[c] - patch.low[c]);
    }
    patch
}

/// A part of the cells, and where to cut it.
struct Part {
    cells: Vec<Cell>,
    bounds: Bounds,
    cut: Option<Cut>,
}

/// Cells whose place on an axis is less than `at` are one part; how many nodes that leaves out.
#[derive(Clone, Copy)]
struct Cut {
    axis: usize,
    at: u32,
    gain: f64,
}

impl Part {
    fn new(cells: Vec<Cell>, d: usize) -> Self {
        let bounds = Bounds::of(&cells);
        let cut = (0..d).filter_map(|axis| Self::cut_along(&cells, &bounds, d, axis));
        let cut = cut.max_by(|a, b| a.gain.total_cmp(&b.gain)).filter(|cut| cut.gain > 0.0);
        Self { bounds, cut, cells }
    }

    /// The best cut across an axis.
    fn cut_along(cells: &[Cell], bounds: &Bounds, d: usize, axis: usize) -> Option<Cut> {
        let first = bounds.low[axis];
        let mut rows = vec![Bounds::NONE; (bounds.high[axis] - first + 1) as usize];
        for cell in cells {
            let row = &mut rows[(cell[axis] - first) as usize];
            *row = row.with(&Bounds { low: *cell, high: *cell });
        }
        // Nodes of what lies behind each cut.
        let mut behind = vec![0.0; rows.len()];
        let mut all = Bounds::NONE;
        for at in (1..rows.len()).rev() {
            all = all.with(&rows[at]);
            behind[at] = all.nodes(d);
        }
        let (mut before, whole) = (Bounds::NONE, bounds.nodes(d));
        let cuts = (1..rows.len()).map(|at| {
            before = before.with(&rows[at - 1]);
            Cut { axis, at: first + at as u32, gain: whole - before.nodes(d) - behind[at] }
        });
        cuts.max_by(|a, b| a.gain.total_cmp(&b.gain))
    }
}

/// The patches about cells, given by their keys, that take the fewest operations when each gives to all.
pub fn partition(grid: &Grid, keys: &[u64]) -> Vec<Patch> {
    let (d, bits) = (grid.d, cell_bits(grid.d) as usize);
    let place = |key: u64, c: usize| (key >> (c * bits) & ((1 << bits) - 1)) as u32;
    // In order, as the list has them in any.
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    let cells = keys.iter().map(|&key| std::array::from_fn(|c| if c < d { place(key, c) } else { 0 })).collect();
    let mut parts = vec![Part::new(cells, d)];
    let patches = |parts: &[Part]| parts.iter().map(|part| about(&part.bounds, grid)).collect::<Vec<_>>();
    let mut best = patches(&parts);
    let mut fewest = Pieces::operations_of(grid, &best, &best);
    while parts.len() < MOST_PATCHES {
        let gains = parts.iter().enumerate().filter_map(|(k, part)| Some((k, part.cut?)));
        let Some((k, cut)) = gains.max_by(|a, b| a.1.gain.total_cmp(&b.1.gain)) else { break };
        let cells = std::mem::take(&mut parts[k].cells);
        let (before, behind) = cells.into_iter().partition(|cell: &Cell| cell[cut.axis] < cut.at);
        parts[k] = Part::new(before, d);
        parts.push(Part::new(behind, d));
        let these = patches(&parts);
        let operations = Pieces::operations_of(grid, &these, &these);
        if operations < fewest {
            (best, fewest) = (these, operations);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use gpu::smooth_many::SOURCE;

    use super::super::pieces::grid_of as grid;
    use super::*;

    fn key(cell: &[u32]) -> u64 {
        cell.iter().zip(0..).map(|(&at, c)| u64::from(at) << (cell_bits(cell.len()) * c)).sum()
    }

    /// The keys of a cube of cells, so many a side.
    fn cube(first: &[u32], side: u32) -> Vec<u64> {
        let d = first.len() as u32;
        (0..side.pow(d))
            .map(|at| key(&(0..d).map(|c| first[c as usize] + at / side.pow(c) % side).collect::<Vec<_>>()))
            .collect()
    }

    #[test]
    fn a_far_cell_costs_what_its_places_touch() {
        for d in [4, 5] {
            let grid = grid(d, 200, 14);
            let lone = vec![90; d];
            let patches = partition(&grid, &[key(&lone)]);
            assert_eq!(patches.iter().map(Patch::count).sum::<u128>(), 5_u128.pow(d as u32), "d = {d}");
            // Far from a cube it is a patch of its own, to which the cube gives nothing.
            let keys: Vec<u64> = cube(&vec![3; d], 3).into_iter().chain([key(&lone)]).collect();
            let patches = partition(&grid, &keys);
            assert_eq!(
                patches.iter().map(Patch::count).collect::<Vec<_>>(),
                [9_u128.pow(d as u32), 5_u128.pow(d as u32)]
            );
            let pieces = Pieces::new(&grid, patches.clone(), patches).unwrap();
            let last: u32 = pieces.groups.iter().map(|group| group.passes[d - 1].targets.1).sum();
            // Each of them is given by itself alone.
            assert_eq!((last as usize, pieces.sources.len() / SOURCE), (2, 2 * d), "d = {d}");
        }
    }

    #[test]
    fn patches_hold_every_cell_in_any_order() {
        for d in [4, 5] {
            let grid = grid(d, 90, 14);
            let mut state = 1_u32;
            let mut random = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state >> 16
            };
            // Clusters, and some cells anywhere, up to the last.
            let cells: Vec<Vec<u32>> = (0..300)
                .map(|i| {
                    let wide = if i % 100 == 0 { 44 } else { 5 };
                    (0..d as u32).map(|c| (i % 3 * (7 + c) + random() % wide).min(43)).collect()
                })
                .chain([vec![43; d]])
                .collect();
            let mut keys: Vec<u64> = cells.iter().map(|cell| key(cell)).collect();
            keys.sort_unstable();
            keys.dedup();
            let patches = partition(&grid, &keys);
            assert!((2..=MOST_PATCHES).contains(&patches.len()), "d = {d}: {}", patches.len());
            for cell in &cells {
                let holds = |patch: &&Patch| {
                    (0..d).all(|c| {
                        let (first, behind) = (CELL * cell[c], (CELL * (cell[c] + 1) + BEHIND_CELL).min(90));
                        patch.low[c] <= first && behind <= patch.low[c] + patch.nodes[c]
                    })
                };
                assert!(patches.iter().any(|patch| holds(&patch)), "d = {d}: {cell:?}");
            }
            keys.reverse();
            assert_eq!(partition(&grid, &keys), patches, "d = {d}");
        }
    }

    #[test]
    fn a_box_that_is_full_is_not_cut() {
        let grid = grid(4, 19, 14);
        assert_eq!(partition(&grid, &cube(&[0; 4], 8)), [Patch::whole(&grid)]);
        let whole = Pieces::whole(&grid);
        assert!(whole.is_whole(&grid));
        assert_eq!((whole.nodes(), whole.groups.len()), ([19_u128.pow(4); 2], 1));
    }
}
