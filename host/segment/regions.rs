//! Regions of an image: who is next to whom, and small ones that go to a neighbour.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

/// A region of an image.
///
/// ```
/// # use image::{Rgb, RgbImage};
/// # use modeseek::segment::{Region, Segment, colour::rgb};
/// let image = RgbImage::from_pixel(10, 10, Rgb([10, 120, 30]));
/// let [Region { size, lab, .. }] = Segment::new(3.0, 10.0).run(&image)?.regions[..] else { panic!("one region") };
/// assert_eq!((size, rgb(lab)), (100, [10, 120, 30]));
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Region {
    /// How many pixels it has.
    pub size: u32,
    /// The mean of their filtered colours, in Lab.
    pub lab: [f32; 3],
}

/// Regions on their way to fewer.
pub(super) struct Merging {
    regions: Vec<Region>,
    /// Which region each one went to; itself, if it is still one.
    parents: Vec<u32>,
    neighbours: Vec<BTreeSet<u32>>,
}

impl Merging {
    /// Regions of an image of this width; `ids` has that of each pixel.
    pub fn new(regions: Vec<Region>, ids: &[u32], width: usize) -> Self {
        let mut neighbours = vec![BTreeSet::new(); regions.len()];
        let mut meet = |a: u32, b: u32| {
            if a != b {
                neighbours[a as usize].insert(b);
                neighbours[b as usize].insert(a);
            }
        };
        for (i, &id) in ids.iter().enumerate() {
            if (i + 1) % width > 0 {
                meet(id, ids[i + 1]);
            }
            // Of eight, as those that are joined: below, and on either side of that.
            let (at, row) = (i % width, i + width);
            for below in
                [(at > 0).then(|| row - 1), Some(row), (at + 1 < width).then_some(row + 1)].into_iter().flatten()
            {
                if let Some(&below) = ids.get(below) {
                    meet(id, below);
                }
            }
        }
        Self { parents: (0..regions.len() as u32).collect(), regions, neighbours }
    }

    fn root(&mut self, mut region: u32) -> u32 {
        while self.parents[region as usize] != region {
            let above = self.parents[self.parents[region as usize] as usize];
            self.parents[region as usize] = above;
            region = above;
        }
        region
    }

    /// Regions of fewer than `least` pixels go to the neighbour that is nearest in colour, the smallest first; of equals
    /// the first.
    pub fn merge_small(&mut self, least: u32) {
        let small = |(_, region): &(usize, &Region)| region.size < least;
        let entry = |(id, region): (usize, &Region)| Reverse((region.size, id as u32));
        let mut queue: BinaryHeap<_> = self.regions.iter().enumerate().filter(small).map(entry).collect();
        while let Some(Reverse((size, id))) = queue.pop() {
            // Gone, or grown meanwhile.
            if self.parents[id as usize] != id || self.regions[id as usize].size != size {
                continue;
            }
            let beside: BTreeSet<u32> = std::mem::take(&mut self.neighbours[id as usize]);
            let beside: BTreeSet<u32> =
                beside.into_iter().map(|other| self.root(other)).filter(|&other| other != id).collect();
            let apart = |other: u32| {
                let (a, b) = (self.regions[id as usize].lab, self.regions[other as usize].lab);
                (0..3).map(|c| (f64::from(a[c]) - f64::from(b[c])).powi(2)).sum::<f64>()
            };
            let nearest = beside.iter().copied().min_by(|&a, &b| apart(a).total_cmp(&apart(b)).then(a.cmp(&b)));
            // The only region of all has nowhere to go.
            let Some(nearest) = nearest else { continue };
            self.unite(id, nearest, beside);
            let grown = self.regions[nearest as usize].size;
            if grown < least {
                queue.push(Reverse((grown, nearest)));
            }
        }
    }

    /// `gone` becomes part of `stays`, with its neighbours.
    fn unite(&mut self, gone: u32, stays: u32, mut beside: BTreeSet<u32>) {
        self.parents[gone as usize] = stays;
        let (a, b) = (self.regions[gone as usize], self.regions[stays as usize]);
        let size = a.size + b.size;
        let part = f64::from(a.size) / f64::from(size);
        let mean = |c: usize| (f64::from(b.lab[c]) + (f64::from(a.lab[c]) - f64::from(b.lab[c])) * part) as f32;
        self.regions[stays as usize] = Region { size, lab: [mean(0), mean(1), mean(2)] };
        // The fewer join the more.
        let mut others = std::mem::take(&mut self.neighbours[stays as usize]);
        if others.len() < beside.len() {
            std::mem::swap(&mut others, &mut beside);
        }
        others.extend(beside);
        others.remove(&stays);
        others.remove(&gone);
        self.neighbours[stays as usize] = others;
    }

    /// What is left, the largest first and of equals the first; and the new number of each of the former regions.
    pub fn finish(mut self) -> (Vec<Region>, Vec<u32>) {
        let roots: Vec<u32> = (0..self.parents.len() as u32).map(|region| self.root(region)).collect();
        let mut order: Vec<u32> = (0..roots.len() as u32).filter(|&region| roots[region as usize] == region).collect();
        order.sort_by_key(|&region| (Reverse(self.regions[region as usize].size), region));
        let mut number_of = vec![0; roots.len()];
        for (number, &region) in order.iter().enumerate() {
            number_of[region as usize] = number as u32;
        }
        let regions = order.iter().map(|&region| self.regions[region as usize]).collect();
        (regions, roots.iter().map(|&root| number_of[root as usize]).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(size: u32, light: f32) -> Region {
        Region { size, lab: [light, 0.0, 0.0] }
    }

    /// Five pixels in a row, in regions of the given sizes and lightnesses.
    fn merged(regions: &[(u32, f32)], least: u32) -> (Vec<Region>, Vec<u32>) {
        let ids: Vec<u32> =
            regions.iter().enumerate().flat_map(|(id, &(size, _))| vec![id as u32; size as usize]).collect();
        let all = regions.iter().map(|&(size, light)| region(size, light)).collect();
        let mut merging = Merging::new(all, &ids, ids.len());
        merging.merge_small(least);
        merging.finish()
    }

    #[test]
    fn small_regions_go_to_the_nearest_colour() {
        let (regions, number_of) = merged(&[(5, 10.0), (1, 60.0), (4, 80.0)], 3);
        assert_eq!(regions, [region(5, 10.0), region(5, 76.0)]);
        assert_eq!(number_of, [0, 1, 1]);
        // Nothing is small enough.
        let (regions, number_of) = merged(&[(5, 10.0), (1, 60.0), (6, 80.0)], 1);
        assert_eq!((regions.len(), number_of), (3, vec![1, 2, 0]));
    }

    #[test]
    fn merging_goes_on_until_all_are_large_or_one() {
        let (regions, number_of) = merged(&[(1, 0.0), (1, 10.0), (1, 11.0), (1, 30.0)], 100);
        assert_eq!((regions[0].size, number_of), (4, vec![0; 4]));
        let (regions, _) = merged(&[(2, 0.0)], 100);
        assert_eq!(regions, [region(2, 0.0)]);
        // Two of one pixel each are large enough together.
        let (regions, number_of) = merged(&[(9, 0.0), (1, 40.0), (1, 41.0), (9, 90.0)], 2);
        assert_eq!((regions.len(), number_of), (3, vec![0, 2, 2, 1]));
    }

    #[test]
    fn neighbours_are_of_eight() {
        // 0 1
        // 2 2   the first pixel of the second row does not follow the last of the first.
        let all = vec![region(1, 0.0), region(1, 50.0), region(2, 20.0)];
        let merging = Merging::new(all, &[0, 1, 2, 2], 2);
        let sets: Vec<Vec<u32>> = merging.neighbours.iter().map(|set| set.iter().copied().collect()).collect();
        assert_eq!(sets, [vec![1, 2], vec![0, 2], vec![0, 1]]);
        // 0 1 2
        // 3 3 4   corners touch; the ends of a row do not.
        let all = (0..5).map(|id| region(1, id as f32)).collect();
        let merging = Merging::new(all, &[0, 1, 2, 3, 3, 4], 3);
        let sets: Vec<Vec<u32>> = merging.neighbours.iter().map(|set| set.iter().copied().collect()).collect();
        assert_eq!(sets, [vec![1, 3], vec![0, 2, 3, 4], vec![1, 3, 4], vec![0, 1, 2, 4], vec![1, 2, 3]]);
    }
}
