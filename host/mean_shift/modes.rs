//! From end positions to modes and labels, in O(n) for d <= 3.
//!
//! 1. Leaders: a point whose end position is within r / 8 of an earlier leader's follows it; else it
//!    becomes a leader. Converged points of a mode sit on one spot, so there are few leaders.
//! 2. Leaders within r of each other belong together, and so, in turn, do all of a chain of them.
//!
//! Near ones are found by a hash of cells over the three widest coordinates, and checked in all.
//! Leaders are r / 8 apart at least, so a cell holds a bounded number of them, whatever n is; for
//! d > 3 that bound does not hold, only the fact that end positions gather.

use std::collections::HashMap;

use crate::points::Points;

/// End positions within this many bandwidths belong to the same mode. Modes of a blurring fit are
/// more than a bandwidth apart: closer ones still attract each other.
pub const MERGE_RADIUS: f64 = 0.5;

/// Leaders are this fraction of the merging radius apart.
const LEADER_FRACTION: f64 = 0.125;

/// A cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Mode {
    /// Where its points gathered: the mean of their end positions.
    pub position: Vec<f64>,
    /// The mean of its points where they were.
    pub centre: Vec<f64>,
    /// How many points it has.
    pub size: usize,
}

/// Labels and modes for the points' end positions (centred, by rows), with merging radius r.
pub fn find(points: &Points, ends: &[f32], radius: f64) -> (Vec<u32>, Vec<Mode>) {
    let d = points.dimensions();
    let axes = widest_axes(ends, d);
    let (leader_of, leaders) = follow(ends, d, &axes, radius * LEADER_FRACTION);
    let mut sets = DisjointSets::new(leaders.len());
    join(ends, d, &axes, &leaders, radius, &mut sets);

    let mut index = HashMap::new();
    let mut labels: Vec<u32> = Vec::with_capacity(points.len());
    for leader in leader_of {
        let root = sets.root(leader);
        let next = index.len() as u32;
        labels.push(*index.entry(root).or_insert(next));
    }
    order(points, ends, labels, index.len())
}

/// Up to three coordinates with the largest spread.
fn widest_axes(ends: &[f32], d: usize) -> Vec<usize> {
    let mut low = vec![f32::INFINITY; d];
    let mut high = vec![f32::NEG_INFINITY; d];
    for row in ends.chunks_exact(d) {
        for c in 0..d {
            low[c] = low[c].min(row[c]);
            high[c] = high[c].max(row[c]);
        }
    }
    let mut axes: Vec<usize> = (0..d).collect();
    axes.sort_by(|&a, &b| (high[b] - low[b]).total_cmp(&(high[a] - low[a])).then(a.cmp(&b)));
    axes.truncate(3);
    axes
}

/// Rows of points by the cell that they lie in.
struct Cells<'a> {
    rows: &'a [f32],
    d: usize,
    axes: &'a [usize],
    side: f64,
    cells: HashMap<[i64; 3], Vec<u32>>,
}

impl<'a> Cells<'a> {
    fn new(rows: &'a [f32], d: usize, axes: &'a [usize], side: f64) -> Self {
        Self { rows, d, axes, side, cells: HashMap::new() }
    }

    fn row(&self, point: u32) -> &'a [f32] {
        &self.rows[point as usize * self.d..][..self.d]
    }

    fn cell(&self, point: u32) -> [i64; 3] {
        let row = self.row(point);
        let mut cell = [0; 3];
        for (cell, &axis) in cell.iter_mut().zip(self.axes) {
            *cell = (f64::from(row[axis]) / self.side).floor() as i64;
        }
        cell
    }

    fn insert(&mut self, point: u32, value: u32) {
        self.cells.entry(self.cell(point)).or_default().push(value);
    }

    /// The values in the cells about a point, its own first.
    fn near(&self, point: u32) -> impl Iterator<Item = u32> {
        let cell = self.cell(point);
        let used = self.axes.len();
        let steps = move |axis: usize| if axis < used { 3 } else { 1 };
        let offset = |step: i64| [0, -1, 1][step as usize];
        (0..steps(0)).flat_map(move |x| {
            (0..steps(1)).flat_map(move |y| {
                (0..steps(2)).flat_map(move |z| {
                    let near = [cell[0] + offset(x), cell[1] + offset(y), cell[2] + offset(z)];
                    self.cells.get(&near).into_iter().flatten().copied()
                })
            })
        })
    }

    fn within(&self, a: u32, b: u32, radius: f64) -> bool {
        let squared: f64 =
            self.row(a).iter().zip(self.row(b)).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
        squared <= radius * radius
    }
}

/// The number of each point's leader, and the leaders' points.
fn follow(ends: &[f32], d: usize, axes: &[usize], radius: f64) -> (Vec<u32>, Vec<u32>) {
    let mut cells = Cells::new(ends, d, axes, radius);
    let mut leaders: Vec<u32> = Vec::new();
    let mut leader_of = Vec::with_capacity(ends.len() / d);
    for point in 0..(ends.len() / d) as u32 {
        let found = cells.near(point).find(|&leader| cells.within(point, leaders[leader as usize], radius));
        leader_of.push(found.unwrap_or_else(|| {
            let leader = leaders.len() as u32;
            leaders.push(point);
            cells.insert(point, leader);
            leader
        }));
    }
    (leader_of, leaders)
}

/// Joins leaders within the radius.
fn join(ends: &[f32], d: usize, axes: &[usize], leaders: &[u32], radius: f64, sets: &mut DisjointSets) {
    let mut cells = Cells::new(ends, d, axes, radius);
    for (number, &point) in leaders.iter().enumerate() {
        for other in cells.near(point) {
            if cells.within(point, leaders[other as usize], radius) {
                sets.join(number as u32, other);
            }
        }
        cells.insert(point, number as u32);
    }
}

/// Sets that can be joined; a set's root is its least member, whatever the order of the joins.
struct DisjointSets(Vec<u32>);

impl DisjointSets {
    fn new(len: usize) -> Self {
        Self((0..len as u32).collect())
    }

    fn root(&mut self, mut member: u32) -> u32 {
        while self.0[member as usize] != member {
            let parent = self.0[member as usize];
            self.0[member as usize] = self.0[parent as usize];
            member = parent;
        }
        member
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b) as usize] = a.min(b);
    }
}

/// The modes, largest first and then by position, and the labels to match.
fn order(points: &Points, ends: &[f32], mut labels: Vec<u32>, count: usize) -> (Vec<u32>, Vec<Mode>) {
    let d = points.dimensions();
    let mut sums = vec![(vec![0.0_f64; d], vec![0.0_f64; d], 0_usize); count];
    for ((&label, end), start) in labels.iter().zip(ends.chunks_exact(d)).zip(points.centred_rows().chunks_exact(d)) {
        let (ends, starts, size) = &mut sums[label as usize];
        for c in 0..d {
            ends[c] += f64::from(end[c]);
            starts[c] += f64::from(start[c]);
        }
        *size += 1;
    }
    let mean = |sum: &[f64], size: usize| -> Vec<f64> {
        sum.iter().zip(points.centre()).map(|(sum, centre)| sum / size as f64 + centre).collect()
    };
    let mut modes: Vec<(u32, Mode)> = sums
        .iter()
        .enumerate()
        .map(|(label, (ends, starts, size))| {
            let mode = Mode { position: mean(ends, *size), centre: mean(starts, *size), size: *size };
            (label as u32, mode)
        })
        .collect();
    let by_position = |a: &Mode, b: &Mode| {
        a.position
            .iter()
            .zip(&b.position)
            .map(|(a, b)| a.total_cmp(b))
            .find(|o| o.is_ne())
            .unwrap_or(a.size.cmp(&b.size))
    };
    modes.sort_by(|(_, a), (_, b)| b.size.cmp(&a.size).then_with(|| by_position(a, b)));
    let mut renamed = vec![0; count];
    for (new, (old, _)) in modes.iter().enumerate() {
        renamed[*old as usize] = new as u32;
    }
    for label in &mut labels {
        *label = renamed[*label as usize];
    }
    (labels, modes.into_iter().map(|(_, mode)| mode).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modes_of(rows: &[f32], d: usize, radius: f64) -> (Vec<u32>, Vec<Mode>) {
        let points = Points::from_rows(rows, d).unwrap();
        find(&points, points.centred_rows(), radius)
    }

    #[test]
    fn the_largest_comes_first_and_ties_go_by_position() {
        let (labels, modes) = modes_of(&[9.0, 0.0, 5.0, 5.0, -7.0], 1, 0.5);
        assert_eq!(labels, [3, 2, 0, 0, 1]);
        assert_eq!(modes.iter().map(|m| m.size).collect::<Vec<_>>(), [2, 1, 1, 1]);
        assert_eq!(modes[0].position, [5.0]);
        assert_eq!(modes[1].position, [-7.0]);
    }

    #[test]
    fn chains_belong_together_across_cells() {
        // Steps of 0.9 radii, through zero and many cells; then a gap of 1.1.
        let chain: Vec<f32> = (-20..20).map(|i| i as f32 * 0.9).chain([17.1 + 1.1]).collect();
        let (labels, modes) = modes_of(&chain, 1, 1.0);
        assert_eq!(modes.len(), 2);
        assert!(labels[..40].iter().all(|&label| label == 0));
        assert_eq!(labels[40], 1);
    }

    #[test]
    fn coordinates_beyond_the_third_count() {
        let mut rows = vec![0.0_f32; 10];
        rows[9] = 2.0;
        assert_eq!(modes_of(&rows, 5, 1.0).1.len(), 2);
        assert_eq!(modes_of(&rows, 5, 2.0).1.len(), 1);
    }

    /// Against all pairs, on points in two clouds and between.
    #[test]
    fn components_agree_with_all_pairs() {
        let n = 300;
        let mut state = 7_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 24) as f32
        };
        let rows: Vec<f32> = (0..n * 3).map(|_| random() * 10.0).collect();
        let radius = 1.3;
        let mut sets = DisjointSets::new(n);
        for a in 0..n {
            for b in 0..a {
                let squared: f32 = (0..3).map(|c| (rows[a * 3 + c] - rows[b * 3 + c]).powi(2)).sum();
                if f64::from(squared) <= radius * radius {
                    sets.join(a as u32, b as u32);
                }
            }
        }
        let expected: Vec<u32> = (0..n as u32).map(|i| sets.root(i)).collect();
        let (labels, _) = modes_of(&rows, 3, radius);
        // Leaders stand for points up to r / 8 away, so components may differ at the margin only.
        let agreement = crate::agreement::adjusted_rand_index(&labels, &expected);
        assert!(agreement >= 0.9, "{agreement}");
    }
}
