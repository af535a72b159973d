//! A field's blocks on a device: which there are, and the nodes made of their sums.

use gpu::blocks::{fill_blocks, held, note_blocks, own, settle_blocks, side_bits, smooth_blocks, table};

use super::field::OfRun;
use super::grid::{Grid, MOST_NODES};
use super::plan::{Linked, Plan};
use crate::error::Result;
use crate::executor::{Buffer, Device};
use crate::mean_shift::labels::Columns;

/// The keys of blocks, and where to find them; of none, if the whole grid is stored.
#[derive(Debug)]
pub struct Table {
    pub slots: Buffer<u32>,
    pub keys: Buffer<u64>,
}

impl Table {
    /// The blocks with these keys.
    pub fn new(device: &Device, keys: &[u64]) -> Result<Self> {
        let slots = if keys.is_empty() { Vec::new() } else { table(keys) };
        Ok(Self { slots: device.upload(&slots)?, keys: device.upload(keys)? })
    }
}

/// The blocks of a field, whose sums and nodes stand elsewhere.
#[derive(Debug)]
pub struct Blocks {
    pub plan: Plan,
    /// Those with sums.
    pub summed: Table,
    /// Those that are read.
    pub read: Table,
    settled: OnDevice,
    passes: Vec<OnDevice>,
    corners: Buffer<u32>,
    planes: [Buffer<f32>; 2],
}

/// Blocks and their neighbours.
#[derive(Debug)]
struct OnDevice {
    slots: Buffer<u32>,
    links: Buffer<u32>,
    count: u32,
    /// Neighbours of each.
    width: u32,
}

impl OnDevice {
    fn new(device: &Device, Linked { slots, links }: &Linked) -> Result<Self> {
        let (count, width) = (slots.len() as u32, (links.len() / slots.len().max(1)) as u32);
        Ok(Self { slots: device.upload(slots)?, links: device.upload(links)?, count, width })
    }
}

/// The keys of the blocks that places need and a table does not have, none twice; or how many there are, at least,
/// where these are too many to be stored.
pub fn missing(device: &Device, grid: &Grid, known: &Table, places: Columns<'_>) -> Result<Result<Vec<u64>, u128>> {
    let Grid { d, nodes: [x, y, z, ..], low, spacing, .. } = *grid;
    let (n, stride, inverse, low) = (places.n as u32, places.stride as u32, 1.0 / spacing, low.map(|low| low as f64));
    let room = places.n.min((MOST_NODES / own(d) as u128) as usize);
    let capacity = (2 * room).next_power_of_two().max(32);
    let (mut cells, mut list, mut count) = (device.zeros(capacity)?, device.zeros(room)?, device.zeros(1)?);
    device.launch(note_blocks::launch(
        places.values,
        &known.slots,
        &known.keys,
        &mut cells,
        &mut list,
        &mut count,
        n,
        d as u32,
        stride,
        capacity as u32,
        room as u32,
        side_bits(d),
        x,
        y,
        z,
        inverse,
        low[0],
        low[1],
        low[2],
    ))?;
    let found = device.download(&count)?[0] as usize;
    if found > room {
        return Ok(Err(found as u128 * own(d) as u128));
    }
    device.download_first(&list, found).map(Ok)
}

impl Blocks {
    /// The blocks of a plan.
    pub fn new(device: &Device, plan: Plan) -> Result<Self> {
        let plane = || device.zeros((plan.d + 1) * plan.nodes() as usize);
        let passes = plan.passes.iter().map(|pass| OnDevice::new(device, pass)).collect::<Result<_>>()?;
        Ok(Self {
            summed: Table::new(device, &plan.summed)?,
            read: Table::new(device, &plan.read)?,
            settled: OnDevice::new(device, &plan.settled)?,
            passes,
            corners: device.upload(&plan.corners)?,
            planes: [plane()?, plane()?],
            plan,
        })
    }

    /// Makes the nodes of the sums, which become zero unless they are to be `kept`.
    pub fn smooth(
        &mut self,
        device: &Device,
        (sums, copies, exponent): (&mut Buffer<u64>, u32, i32),
        (taps, reach): (&Buffer<f32>, u32),
        nodes: &mut Buffer<f32>,
        kept: bool,
        (state, limit): OfRun<'_>,
    ) -> Result<()> {
        let Self { plan, settled, passes, corners, planes: [even, odd], .. } = self;
        let (d, side_bits, stored) = (plan.d as u32, plan.side_bits(), plan.stored as u32);
        let unit = 2_f32.powi(-exponent);
        device.launch(settle_blocks::launch(
            sums,
            &settled.links,
            &settled.slots,
            even,
            state,
            limit,
            copies,
            u32::from(kept),
            d,
            side_bits,
            settled.count,
            plan.summed.len() as u32,
            stored,
            unit,
        ))?;
        let (mut from, mut to) = (even, odd);
        for (pass, moment) in passes.iter().zip(1..) {
            let OnDevice { slots, links, count, width } = pass;
            // Where no query is near any point, nothing of what a pass writes is looked at, nor of those behind it.
            if *count == 0 {
                break;
            }
            device.launch(smooth_blocks::launch(
                &*from, taps, slots, links, to, state, limit, reach, d, side_bits, moment, *count, *width, stored,
            ))?;
            std::mem::swap(&mut from, &mut to);
        }
        let (held, count) = (held(plan.d) as u32, plan.read.len() as u32);
        device.launch(fill_blocks::launch(&*from, corners, nodes, state, limit, d, side_bits, held, count, stored))
    }
}
