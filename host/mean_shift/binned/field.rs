//! A binned field on a device: points go onto its nodes, steps are read from them. All of a grid is stored, or its
//! blocks where points and queries are.

use gpu::blocks::held;
use gpu::progress::HISTORY;
use gpu::smooth::{smooth_1_x, smooth_2_x, smooth_2_y, smooth_3_x, smooth_3_y, smooth_3_z};
use gpu::smooth_many::{fill_many, settle_many, smooth_4, smooth_5};
use gpu::spread::{WORDS, settle, spread_1, spread_2, spread_3};
use gpu::spread_many::{spread_4, spread_5};

use super::blocks::{Blocks, Table, missing};
use super::grid::{FEW_DIMENSIONS, Grid, MOST_NODES, copies};
use super::plan::Plan;
use super::taps::{reversed_taps, taps};
use crate::error::{Error, Result};
use crate::executor::{Buffer, Device};
use crate::mean_shift::labels::Columns;

/// A field, and what it is built with.
#[derive(Debug)]
pub struct Field {
    pub grid: Grid,
    /// Sums are multiples of 2^-exponent.
    pub exponent: i32,
    copies: u32,
    taps: Buffer<f32>,
    /// The first node of each axis, in spacings, where kernels take them so: in more than three dimensions.
    pub low: Buffer<f64>,
    /// The words of each node and copy, in fixed point; zero between two builds, unless the points stay.
    sums: Buffer<u64>,
    stored: Stored,
    /// Mass and moments of each node, smoothed.
    pub nodes: Buffer<f32>,
}

/// Which nodes are stored.
#[derive(Debug)]
enum Stored {
    /// All, between two builds of which there are planes, and no blocks.
    All { planes: [Buffer<f32>; 2], none: Table },
    /// Those of blocks.
    Blocks(Box<Blocks>),
}

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

/// The most copies, of these or fewer, with which a field takes no more than half of what a device has left; one at least.
fn affordable(device: &Device, copies: u32, bytes: impl Fn(u32) -> u128) -> Result<u32> {
    if copies == 1 {
        return Ok(1);
    }
    let half = device.available()? as u128 / 2;
    Ok((1..=copies).rev().find(|&copies| bytes(copies) <= half).unwrap_or(1))
}

impl Field {
    /// A field without points, to which n are going to be added at a time.
    pub fn new(device: &Device, grid: Grid, exponent: i32, n: usize) -> Result<Self> {
        let copies = affordable(device, grid.copies(device.machine(), n), |copies| grid.bytes(copies))?;
        device.reserve(grid.bytes(copies), "the nodes of a binned field", "use --method tiles, or a lower accuracy")?;
        let plane = || device.zeros((grid.d + 1) * grid.plane());
        Ok(Self {
            grid,
            exponent,
            copies,
            taps: device.upload(&if grid.d > FEW_DIMENSIONS {
                reversed_taps(grid.per_bandwidth, grid.reach as usize, grid.span() as usize)
            } else {
                taps(grid.per_bandwidth, grid.reach as usize)
            })?,
            low: device.upload(&grid.low.map(|low| low as f64)[..if grid.d > FEW_DIMENSIONS { grid.d } else { 0 }])?,
            sums: device.zeros(copies as usize * grid.count() * grid.words())?,
            stored: Stored::All { planes: [plane()?, plane()?], none: Table::new(device, &[])? },
            nodes: device.zeros(grid.count() * grid.words())?,
        })
    }

    /// A field without points, of the blocks of a plan, to which n points are going to be added at a time.
    pub fn in_blocks(device: &Device, grid: Grid, exponent: i32, n: usize, plan: Plan) -> Result<Self> {
        let of_sums = plan.summed.len() * held(grid.d);
        let copies = copies(device.machine(), n, grid.d, of_sums);
        let copies = affordable(device, copies, |copies| plan.bytes(copies))?;
        device.reserve(
            plan.bytes(copies),
            "the blocks of a binned field",
            "use --method tiles, or a lower accuracy",
        )?;
        Ok(Self {
            grid,
            exponent,
            copies,
            taps: device.upload(&taps(grid.per_bandwidth, grid.reach as usize))?,
            low: device.zeros(0)?,
            sums: device.zeros(copies as usize * of_sums * WORDS)?,
            nodes: device.zeros(plan.read.len() * held(grid.d) * WORDS)?,
            stored: Stored::Blocks(Box::new(Blocks::new(device, plan)?)),
        })
    }

    /// The blocks with points, and those that steps are read from.
    fn tables(&self) -> (&Table, &Table) {
        match &self.stored {
            Stored::All { none, .. } => (none, none),
            Stored::Blocks(blocks) => (&blocks.summed, &blocks.read),
        }
    }

    /// The blocks that steps are read from; of none, if all nodes are stored.
    pub fn read(&self) -> &Table {
        self.tables().1
    }

    /// The plan of blocks, if not all nodes are stored.
    pub fn plan(&self) -> Option<&Plan> {
        match &self.stored {
            Stored::All { .. } => None,
            Stored::Blocks(blocks) => Some(&blocks.plan),
        }
    }

    /// Sees to it that queries, wherever they are, have the nodes that a step is read from, which are made of the points
    /// that the field has kept; whether there was any to be added.
    pub fn follow_queries(&mut self, device: &Device, queries: Columns<'_>) -> Result<bool> {
        let Some(plan) = self.plan() else { return Ok(false) };
        let new = missing(device, &self.grid, self.read(), queries)?.map_err(|nodes| self.too_large(nodes))?;
        if new.is_empty() {
            return Ok(false);
        }
        let read = plan.read.iter().copied().chain(new).collect();
        let plan = Plan::new(self.grid.d, self.grid.reach, plan.summed.clone(), read);
        let sums = std::mem::replace(&mut self.sums, device.zeros(0)?);
        self.replace(device, plan, Some(sums))?;
        self.smooth(device, true, (&mut no_run(device)?, 0))?;
        Ok(true)
    }

    /// Sees to it that points, wherever they are, have nodes to be added to, and to read their steps from; nothing is
    /// kept of points before. Whether anything changed.
    pub fn follow_points(&mut self, device: &Device, points: Columns<'_>) -> Result<bool> {
        if self.plan().is_none()
            || missing(device, &self.grid, self.tables().0, points)?.is_ok_and(|new| new.is_empty())
        {
            return Ok(false);
        }
        let none = Table::new(device, &[])?;
        let all = missing(device, &self.grid, &none, points)?.map_err(|nodes| self.too_large(nodes))?;
        let plan = Plan::new(self.grid.d, self.grid.reach, all.clone(), all);
        self.replace(device, plan, None)?;
        Ok(true)
    }

    fn too_large(&self, nodes: u128) -> Error {
        Error::FieldTooLarge { nodes, most: MOST_NODES }
    }

    /// Takes other blocks, and these sums, or zeros; what was held is given back before.
    fn replace(&mut self, device: &Device, plan: Plan, sums: Option<Buffer<u64>>) -> Result<()> {
        if plan.most_nodes() > MOST_NODES {
            return Err(self.too_large(plan.most_nodes()));
        }
        let before = (device.zeros(0)?, device.zeros(0)?);
        (self.nodes, self.sums) = before;
        self.stored = Stored::All { planes: [device.zeros(0)?, device.zeros(0)?], none: Table::new(device, &[])? };
        let (d, of_sums) = (self.grid.d, plan.summed.len() * held(self.grid.d));
        let more = plan.bytes(if sums.is_some() { 0 } else { self.copies });
        device.reserve(more, "the blocks of a binned field", "use --method tiles, or a lower accuracy")?;
        self.sums = sums.map_or_else(|| device.zeros(self.copies as usize * of_sums * WORDS), Ok)?;
        self.nodes = device.zeros(plan.read.len() * held(d) * WORDS)?;
        self.stored = Stored::Blocks(Box::new(Blocks::new(device, plan)?));
        Ok(())
    }

    /// A field with these sums, and room for n more points at a time.
    pub fn with_sums(device: &Device, grid: Grid, exponent: i32, n: usize, sums: &[u64]) -> Result<Self> {
        let mut field = Self::new(device, grid, exponent, n)?;
        let mut all = vec![0; field.sums.len()];
        all[..sums.len()].copy_from_slice(sums);
        field.sums = device.upload(&all)?;
        Ok(field)
    }

    /// The sums, of all copies together.
    pub fn totals(&self, device: &Device) -> Result<Vec<u64>> {
        let all = device.download(&self.sums)?;
        let mut copies = all.chunks(self.grid.count() * self.grid.words());
        let mut totals = copies.next().unwrap_or_default().to_vec();
        for copy in copies {
            for (total, word) in totals.iter_mut().zip(copy) {
                *total = total.wrapping_add(*word);
            }
        }
        Ok(totals)
    }

    /// Bytes of device memory.
    pub fn bytes(&self) -> u128 {
        self.plan().map_or_else(|| self.grid.bytes(self.copies), |plan| plan.bytes(self.copies))
    }

    /// Nodes that are stored.
    pub fn count(&self) -> usize {
        self.plan().map_or_else(|| self.grid.count(), |plan| plan.nodes() as usize)
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
        let Table { slots, keys } = match &self.stored {
            Stored::All { none, .. } => none,
            Stored::Blocks(blocks) => &blocks.summed,
        };
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
        macro_rules! spread_many {
            ($kernel:ident) => {
                $kernel::launch(
                    columns, factors, lows, sums, state, limit, n, stride, copies, x, y, z, u, v, inverse, scale,
                )
            };
        }
        device.launch(match d {
            1 => spread!(spread_1),
            2 => spread!(spread_2),
            3 => spread!(spread_3),
            4 => spread_many!(spread_4),
            _ => spread_many!(spread_5),
        })
    }

    /// Makes the nodes of the sums, which become zero unless they are to be `kept`.
    pub fn smooth(&mut self, device: &Device, kept: bool, (state, limit): OfRun<'_>) -> Result<()> {
        let grid = self.grid;
        let (even, odd) = match &mut self.stored {
            Stored::All { planes: [even, odd], .. } => (even, odd),
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
        if grid.d > FEW_DIMENSIONS {
            let (count, span) = (grid.count() as u32, grid.span());
            device.launch(settle_many::launch(sums, even, state, limit, copies, kept, d, count, plane, unit))?;
            let (mut from, mut to, mut below) = (even, odd, 1);
            for (axis, len) in (0..d).zip(grid.nodes) {
                macro_rules! smooth {
                    ($kernel:ident) => {
                        $kernel::launch(
                            &*from, taps, &mut *to, state, limit, reach, span, axis, below, len, count, plane,
                        )
                    };
                }
                device.launch(if d == 4 { smooth!(smooth_4) } else { smooth!(smooth_5) })?;
                std::mem::swap(&mut from, &mut to);
                below *= len;
            }
            return device.launch(fill_many::launch(&*from, nodes, state, limit, d, count, plane));
        }
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
