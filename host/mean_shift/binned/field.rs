//! A binned field on a device: points go onto its nodes, steps are read from them.

use gpu::progress::HISTORY;
use gpu::smooth::{smooth_1_x, smooth_2_x, smooth_2_y, smooth_3_x, smooth_3_y, smooth_3_z};
use gpu::spread::{WORDS, settle, spread_1, spread_2, spread_3};

use super::grid::Grid;
use super::taps::taps;
use crate::error::Result;
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
    /// [`WORDS`] for each node and copy, in fixed point; zero between two builds.
    sums: Buffer<u64>,
    planes: [Buffer<f32>; 2],
    /// Mass and moments of each node, smoothed.
    pub nodes: Buffer<f32>,
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

impl Field {
    /// A field without points, to which n are going to be added at a time.
    pub fn new(device: &Device, grid: Grid, exponent: i32, n: usize) -> Result<Self> {
        let copies = grid.copies(device.machine(), n);
        device.reserve(grid.bytes(copies), "the nodes of a binned field", "use --method tiles, or a lower accuracy")?;
        let plane = || device.zeros((grid.d + 1) * grid.plane());
        Ok(Self {
            grid,
            exponent,
            copies,
            taps: device.upload(&taps(grid.per_bandwidth, grid.reach as usize))?,
            sums: device.zeros(copies as usize * grid.count() * WORDS)?,
            planes: [plane()?, plane()?],
            nodes: device.zeros(grid.count() * WORDS)?,
        })
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
        let mut copies = all.chunks(self.grid.count() * WORDS);
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
        self.grid.bytes(self.copies)
    }

    /// Adds points, with these factors, or none.
    pub fn add(
        &mut self,
        device: &Device,
        points: Columns<'_>,
        factors: &Buffer<f32>,
        (state, limit): OfRun<'_>,
    ) -> Result<()> {
        let Grid { d, nodes: [x, y, z], low, spacing, .. } = self.grid;
        let (n, stride) = (points.n as u32, points.stride as u32);
        let (inverse, low) = (1.0 / spacing, low.map(|low| low as f64));
        let (columns, sums, copies) = (points.values, &mut self.sums, self.copies);
        let scale = 2_f32.powi(self.exponent);
        macro_rules! spread {
            ($kernel:ident) => {
                $kernel::launch(
                    columns, factors, sums, state, limit, n, stride, copies, x, y, z, inverse, low[0], low[1], low[2],
                    scale,
                )
            };
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
        let ([x, y, z], rows) = (grid.nodes, grid.rows());
        let (row, lead, plane, reach) = (grid.row(), grid.lead(), grid.plane() as u32, grid.reach);
        let [even, odd] = &mut self.planes;
        let unit = 2_f32.powi(-self.exponent);
        let (sums, copies, kept) = (&mut self.sums, self.copies, u32::from(kept));
        device.launch(settle::launch(
            sums,
            even,
            state,
            limit,
            copies,
            kept,
            grid.d as u32,
            x,
            rows,
            row,
            lead,
            plane,
            unit,
        ))?;
        let (taps, nodes) = (&self.taps, &mut self.nodes);
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
