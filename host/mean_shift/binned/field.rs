//! A binned field on a device: points go onto its nodes, steps are read from them. All of a grid is stored, or
//! blocks or patches of it where points and queries are.

use gpu::progress::HISTORY;
use gpu::smooth::{smooth_1_x, smooth_2_x, smooth_2_y, smooth_3_x, smooth_3_y, smooth_3_z};
use gpu::spread::{settle, spread_1, spread_2, spread_3};
use gpu::spread_many::{spread_4, spread_5};

use super::blocks::{Table, missing};
use super::choose::{WORTH, of_points};
use super::grid::{FEW_DIMENSIONS, Grid, MOST_NODES, copies};
use super::patches::{about, cells, has_keys};
use super::pieces::{Patch, Pieces};
use super::plan::Plan;
use super::storage::{Stored, Wanted};
use super::taps::{reversed_taps, taps};
use crate::error::{Error, Result};
use crate::executor::{Buffer, Device, reserve_host};
use crate::mean_shift::labels::Columns;

/// A field, and what it is built with.
#[derive(Debug)]
pub struct Field {
    pub grid: Grid,
    /// Sums are multiples of 2^-exponent.
    pub exponent: i32,
    /// Points that are added at a time.
    n: usize,
    /// The most bytes of device memory that there were.
    most_bytes: u128,
    copies: u32,
    taps: Buffer<f32>,
    /// The first node of each axis, in spacings, where kernels take them so: in more than three dimensions.
    pub low: Buffer<f64>,
    /// The words of each node and copy, in fixed point; zero between two builds, unless the points stay.
    sums: Buffer<u64>,
    stored: Stored,
    /// Blocks of none, for kernels where all nodes are stored.
    none: Table,
    /// Mass and moments of each node, smoothed.
    pub nodes: Buffer<f32>,
}

/// What to do where a field takes too much memory.
const ADVICE: &str = "use a larger bandwidth, a lower accuracy, or --method tiles";

/// The run that a launch belongs to, for which it does nothing when that is over; its state, and the limit of
/// its iterations, or 0 for none.
pub type OfRun<'a> = (&'a mut Buffer<u32>, u32);

/// The state of no run.
pub fn no_run(device: &Device) -> Result<Buffer<u32>> {
    device.zeros(HISTORY)
}

/// The exponent for points of this total weight, of which the heaviest has `largest`: no sum of masses is above
/// 2^60, nor of moments, which are within 2 spacings, above 2^61; and no point adds 2^50 or more.
pub fn exponent(total: f64, largest: f64) -> i32 {
    let bits = |x: f64| x.log2().ceil() as i32;
    (60 - bits(total)).min(49 - bits(largest)).clamp(-120, 120)
}

/// The least weight of a point that is alone whose steps are off by no more than `error` bandwidths for what its 4^d nodes are rounded
/// to: half of 2^-exponent each, and as much of a moment, which by chance are some 2^d / 8 of these units together, in bandwidths.
pub fn lightest(exponent: i32, d: usize, error: f64) -> f64 {
    2_f64.powi(d as i32 - exponent) / error
}

/// The most copies, of these or fewer, with which a field takes no more than half of what a device has left; one at least.
fn affordable(device: &Device, copies: u32, bytes: impl Fn(u32) -> u128) -> Result<u32> {
    if copies == 1 {
        return Ok(1);
    }
    let half = device.available()? as u128 / 2;
    Ok((1..=copies).rev().find(|&copies| bytes(copies) <= half).unwrap_or(1))
}

/// Checks that the host has memory for so many words of sums.
fn reserve_sums(words: usize) -> Result<()> {
    reserve_host(words as u128 * 8, "the sums of a binned field", ADVICE)
}

/// So many words of sums on the host, all zero.
pub fn on_host(words: usize) -> Result<Vec<u64>> {
    reserve_sums(words)?;
    Ok(vec![0; words])
}

impl Field {
    /// A field without points, of these nodes, to which n points are going to be added at a time.
    pub fn new(device: &Device, grid: Grid, exponent: i32, n: usize, wanted: Wanted) -> Result<Self> {
        let [summed, read] = wanted.nodes(&grid);
        let copies = copies(device.machine(), n, grid.d, summed);
        let copies = affordable(device, copies, |copies| wanted.bytes(&grid, copies))?;
        device.reserve(wanted.bytes(&grid, copies), "the nodes of a binned field", ADVICE)?;
        Ok(Self {
            grid,
            exponent,
            n,
            most_bytes: wanted.bytes(&grid, copies),
            copies,
            taps: device.upload(&if grid.d > FEW_DIMENSIONS {
                reversed_taps(grid.per_bandwidth, grid.reach as usize, grid.span() as usize)
            } else {
                taps(grid.per_bandwidth, grid.reach as usize)
            })?,
            low: grid.lows(device)?,
            sums: device.zeros(copies as usize * summed * grid.words())?,
            nodes: device.zeros(read * grid.words())?,
            stored: Stored::new(device, &grid, wanted)?,
            none: Table::new(device, &[])?,
        })
    }

    /// The blocks that steps are read from; of none, if there are no blocks.
    pub fn read(&self) -> &Table {
        if let Stored::Blocks(blocks) = &self.stored { &blocks.read } else { &self.none }
    }

    /// The patches that steps are read from, and their nodes, in more than three dimensions.
    pub fn patches(&self) -> (&Buffer<u32>, u32) {
        let Stored::Patches(patches) = &self.stored else { unreachable!("there are patches beyond three dimensions") };
        (&patches.read, patches.pieces.nodes()[1] as u32)
    }

    /// The plan of blocks, if there are any.
    pub fn plan(&self) -> Option<&Plan> {
        if let Stored::Blocks(blocks) = &self.stored { Some(&blocks.plan) } else { None }
    }

    /// The patches, if they are not all of the grid.
    pub fn pieces(&self) -> Option<&Pieces> {
        match &self.stored {
            Stored::Patches(patches) if !patches.pieces.is_whole(&self.grid) => Some(&patches.pieces),
            _ => None,
        }
    }

    /// Whether nodes are stored where places are, and others may be wanted when these have moved.
    pub fn follows(&self) -> bool {
        self.plan().is_some() || self.pieces().is_some()
    }

    /// Whether it is worth a look, in the blurring form, if other nodes would do when points have moved.
    pub fn tightens(&self, device: &Device) -> bool {
        self.follows() || matches!(&self.stored, Stored::Patches(patches) if self.is_costly(device, &patches.pieces))
    }

    /// Whether the nodes of patches take longer than points.
    fn is_costly(&self, device: &Device, pieces: &Pieces) -> bool {
        let n = self.n as f64;
        has_keys(&self.grid) && pieces.operations > of_points(device.machine(), self.grid.d, (n, n), 1.0)
    }

    /// Sees to it that queries, wherever they are, have the nodes that a step is read from, which are made of the points
    /// that the field has kept; whether there was any to be added.
    pub fn follow_queries(&mut self, device: &Device, queries: Columns<'_>) -> Result<bool> {
        let grid = &self.grid;
        let wanted = match &self.stored {
            Stored::All(_) => return Ok(false),
            Stored::Blocks(blocks) => {
                let new = missing(device, grid, &blocks.read, queries)?.map_err(|nodes| self.too_large(nodes))?;
                if new.is_empty() {
                    return Ok(false);
                }
                let read = blocks.plan.read.iter().copied().chain(new).collect();
                Wanted::Blocks(Plan::new(grid.d, grid.reach, blocks.plan.summed.clone(), read))
            }
            Stored::Patches(patches) => {
                let pieces = &patches.pieces;
                if pieces.is_whole(grid)
                    || cells(device, grid, &patches.read, queries)?.is_some_and(|new| new.is_empty())
                {
                    return Ok(false);
                }
                let summed = || pieces.summed.clone();
                let near = about(device, grid, queries)?.and_then(|read| Pieces::new(grid, summed(), read).ok());
                // Of queries all over the grid, all of it.
                let all =
                    || Pieces::new(grid, summed(), vec![Patch::whole(grid)]).map_err(|nodes| self.too_large(nodes));
                Wanted::Patches(near.map_or_else(all, Ok)?)
            }
        };
        let sums = std::mem::replace(&mut self.sums, device.zeros(0)?);
        self.replace(device, wanted, Some(sums))?;
        self.smooth(device, true, (&mut no_run(device)?, 0))?;
        Ok(true)
    }

    /// Sees to it that points, wherever they are, have nodes to be added to, and to read their steps from; nothing is
    /// kept of points before. Whether anything changed.
    pub fn follow_points(&mut self, device: &Device, points: Columns<'_>) -> Result<bool> {
        let grid = &self.grid;
        let wanted = match &self.stored {
            Stored::All(_) => return Ok(false),
            Stored::Blocks(blocks) => {
                if missing(device, grid, &blocks.summed, points)?.is_ok_and(|new| new.is_empty()) {
                    return Ok(false);
                }
                let all = missing(device, grid, &self.none, points)?.map_err(|nodes| self.too_large(nodes))?;
                Wanted::Blocks(Plan::new(grid.d, grid.reach, all.clone(), all))
            }
            Stored::Patches(patches) => {
                let pieces = &patches.pieces;
                let hold_all = || -> Result<bool> {
                    let holds = pieces.is_whole(grid);
                    Ok(holds || cells(device, grid, &patches.summed, points)?.is_some_and(|new| new.is_empty()))
                };
                if !self.is_costly(device, pieces) && hold_all()? {
                    return Ok(false);
                }
                let all = about(device, grid, points)?.ok_or(points.n as u128);
                let found = all.and_then(|all| Pieces::new(grid, all.clone(), all));
                match found {
                    Ok(fewer) if pieces.operations > WORTH * fewer.operations => Wanted::Patches(fewer),
                    _ if hold_all()? => return Ok(false),
                    found => Wanted::Patches(found.map_err(|nodes| self.too_large(nodes))?),
                }
            }
        };
        self.replace(device, wanted, None)?;
        Ok(true)
    }

    fn too_large(&self, nodes: u128) -> Error {
        Error::FieldTooLarge { nodes, most: MOST_NODES }
    }

    /// Takes other nodes, and these sums, or zeros; what was held is given back before.
    fn replace(&mut self, device: &Device, wanted: Wanted, sums: Option<Buffer<u64>>) -> Result<()> {
        if let Wanted::Blocks(plan) = &wanted
            && plan.most_nodes() > MOST_NODES
        {
            return Err(self.too_large(plan.most_nodes()));
        }
        let before = (device.zeros(0)?, device.zeros(0)?);
        (self.nodes, self.sums) = before;
        self.stored = Stored::none(device)?;
        let ([summed, read], words) = (wanted.nodes(&self.grid), self.grid.words());
        if sums.is_none() {
            let copies = copies(device.machine(), self.n, self.grid.d, summed);
            self.copies = affordable(device, copies, |copies| wanted.bytes(&self.grid, copies))?;
        }
        let more = wanted.bytes(&self.grid, if sums.is_some() { 0 } else { self.copies });
        device.reserve(more, "the nodes of a binned field", ADVICE)?;
        self.sums = sums.map_or_else(|| device.zeros(self.copies as usize * summed * words), Ok)?;
        self.nodes = device.zeros(read * words)?;
        self.most_bytes = self.most_bytes.max(wanted.bytes(&self.grid, self.copies));
        self.stored = Stored::new(device, &self.grid, wanted)?;
        Ok(())
    }

    /// A field with these sums, or with none, and room for n more points at a time.
    pub fn with_sums(device: &Device, grid: Grid, exponent: i32, n: usize, sums: &[u64]) -> Result<Self> {
        let mut field = Self::new(device, grid, exponent, n, Wanted::all(&grid))?;
        if !sums.is_empty() {
            let mut all = on_host(field.sums.len())?;
            all[..sums.len()].copy_from_slice(sums);
            // Not both at a time.
            field.sums = device.zeros(0)?;
            field.sums = device.upload(&all)?;
        }
        Ok(field)
    }

    /// The sums, of all copies together.
    pub fn totals(&self, device: &Device) -> Result<Vec<u64>> {
        reserve_sums(self.sums.len())?;
        let mut totals = device.download(&self.sums)?;
        let count = self.grid.count() * self.grid.words();
        let (first, copies) = totals.split_at_mut(count);
        for copy in copies.chunks(count) {
            for (total, word) in first.iter_mut().zip(copy) {
                *total = total.wrapping_add(*word);
            }
        }
        totals.truncate(count);
        totals.shrink_to_fit();
        Ok(totals)
    }

    /// Bytes of device memory, at most so far.
    pub fn bytes(&self) -> u128 {
        self.most_bytes
    }

    /// Nodes that are stored.
    pub fn count(&self) -> usize {
        match &self.stored {
            Stored::All(_) => self.grid.count(),
            Stored::Blocks(blocks) => blocks.plan.nodes() as usize,
            Stored::Patches(patches) => patches.pieces.nodes()[1] as usize,
        }
    }

    /// The blocks or patches that they are in, if not all are stored.
    pub fn parts(&self) -> Option<usize> {
        self.plan().map(|plan| plan.stored).or_else(|| self.pieces().map(|pieces| pieces.read.len()))
    }

    /// Adds points, with these factors, or none.
    pub fn add(
        &mut self,
        device: &Device,
        points: Columns<'_>,
        factors: &Buffer<f32>,
        (state, limit): OfRun<'_>,
    ) -> Result<()> {
        let Grid { d, nodes: [x, y, z, u, v], low, spacing, .. } = self.grid;
        let (n, stride) = (points.n as u32, points.stride as u32);
        let (inverse, low) = (1.0 / spacing, low.map(|low| low as f64));
        let lows = &self.low;
        let (columns, copies) = (points.values, self.copies);
        let Table { slots, keys } = if let Stored::Blocks(blocks) = &self.stored { &blocks.summed } else { &self.none };
        let sums = &mut self.sums;
        let scale = 2_f32.powi(self.exponent);
        macro_rules! spread {
            ($kernel:ident) => {
                $kernel::launch(
                    columns, factors, slots, keys, sums, state, limit, n, stride, copies, x, y, z, inverse, low[0],
                    low[1], low[2], scale,
                )
            };
        }
        if let Stored::Patches(patches) = &self.stored {
            let (table, count) = (&patches.summed, patches.pieces.nodes()[0] as u32);
            macro_rules! spread {
                ($kernel:ident) => {
                    $kernel::launch(
                        columns, factors, lows, table, sums, state, limit, n, stride, copies, count, x, y, z, u, v,
                        inverse, scale,
                    )
                };
            }
            return device.launch(if d == 4 { spread!(spread_4) } else { spread!(spread_5) });
        }
        device.launch(match d {
            1 => spread!(spread_1),
            2 => spread!(spread_2),
            _ => spread!(spread_3),
        })
    }

    /// Makes the nodes of the sums, which become zero unless they are to be `kept`.
    pub fn smooth(&mut self, device: &Device, kept: bool, (state, limit): OfRun<'_>) -> Result<()> {
        let grid = self.grid;
        let (even, odd) = match &mut self.stored {
            Stored::All([even, odd]) => (even, odd),
            Stored::Patches(patches) => {
                let sums = (&mut self.sums, self.copies, self.exponent);
                return patches.smooth(device, sums, (&self.taps, &grid), &mut self.nodes, kept, (state, limit));
            }
            Stored::Blocks(blocks) => {
                let sums = (&mut self.sums, self.copies, self.exponent);
                return blocks.smooth(device, sums, (&self.taps, grid.reach), &mut self.nodes, kept, (state, limit));
            }
        };
        let unit = 2_f32.powi(-self.exponent);
        let (sums, copies, kept) = (&mut self.sums, self.copies, u32::from(kept));
        let (taps, nodes) = (&self.taps, &mut self.nodes);
        let ([x, y, z, ..], rows, d) = (grid.nodes, grid.rows(), grid.d as u32);
        let (plane, reach) = (grid.plane() as u32, grid.reach);
        let (row, lead) = (grid.row(), grid.lead());
        device.launch(settle::launch(sums, even, state, limit, copies, kept, d, x, rows, row, lead, plane, unit))?;
        macro_rules! smooth {
            ($kernel:ident, $from:expr, $to:expr) => {
                device.launch($kernel::launch(
                    &*$from, taps, &mut *$to, nodes, state, limit, reach, x, y, z, row, lead, plane,
                ))
            };
        }
        match grid.d {
            1 => smooth!(smooth_1_x, even, odd),
            2 => {
                smooth!(smooth_2_x, even, odd)?;
                smooth!(smooth_2_y, odd, even)
            }
            _ => {
                smooth!(smooth_3_x, even, odd)?;
                smooth!(smooth_3_y, odd, even)?;
                smooth!(smooth_3_z, even, odd)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_that_memory_does_not_hold_are_left_out() {
        let device = Device::processor().unwrap();
        let quarter = device.available().unwrap() as u128 / 4;
        // What others take meanwhile is less than an eighth of it.
        let of = |each: u128| affordable(&device, 8, |copies| u128::from(copies) * each).unwrap();
        assert_eq!([of(0), of(quarter * 4 / 5), of(quarter * 8)], [8, 2, 1]);
    }
}
