//! A field's patches on a device, in four and five dimensions: where places are, and the nodes made of the sums.

use gpu::patches::{cell_bits, note_patches_4, note_patches_5};
use gpu::smooth_many::{fill_many, settle_many, smooth_4, smooth_5};

use super::field::OfRun;
use super::grid::Grid;
use super::partition::partition;
use super::pieces::{Group, Pass, Patch, Pieces};
use crate::error::Result;
use crate::executor::{Buffer, Device};
use crate::mean_shift::labels::Columns;

/// The most cells that patches are made of: of more the host would take as long as the nodes.
const MOST_CELLS: usize = 1 << 18;

/// The patches of a field, whose sums and nodes stand elsewhere.
#[derive(Debug)]
pub struct Patches {
    pub pieces: Pieces,
    /// Those with sums, as kernels take them.
    pub summed: Buffer<u32>,
    /// Those that are read.
    pub read: Buffer<u32>,
    targets: Buffer<u32>,
    sources: Buffer<u32>,
    /// Of sums, and between passes.
    planes: [Buffer<f32>; 3],
}

/// Whether cells of a grid have keys.
pub fn has_keys(grid: &Grid) -> bool {
    grid.nodes.iter().all(|&nodes| nodes <= gpu::patches::CELL << cell_bits(grid.d))
}

/// The keys of the cells with places that are in none of the patches of a table, none twice; `None` where they are too many.
pub fn cells(device: &Device, grid: &Grid, known: &Buffer<u32>, places: Columns<'_>) -> Result<Option<Vec<u64>>> {
    let Grid { d, nodes: [x, y, z, u, v], spacing, .. } = *grid;
    let (n, stride, inverse, low) = (places.n as u32, places.stride as u32, 1.0 / spacing, grid.lows(device)?);
    let room = places.n.min(MOST_CELLS);
    let capacity = (2 * room).next_power_of_two().max(32);
    let (mut table, mut list, mut count) = (device.zeros(capacity)?, device.zeros(room)?, device.zeros(1)?);
    let (capacity, most) = (capacity as u32, room as u32);
    macro_rules! note {
        ($kernel:ident) => {
            $kernel::launch(
                places.values,
                &low,
                known,
                &mut table,
                &mut list,
                &mut count,
                n,
                stride,
                capacity,
                most,
                x,
                y,
                z,
                u,
                v,
                inverse,
            )
        };
    }
    device.launch(if d == 4 { note!(note_patches_4) } else { note!(note_patches_5) })?;
    let found = device.download(&count)?[0] as usize;
    if found > room { Ok(None) } else { device.download_first(&list, found).map(Some) }
}

/// The patches about places; `None` where these are in too many cells.
pub fn about(device: &Device, grid: &Grid, places: Columns<'_>) -> Result<Option<Vec<Patch>>> {
    Ok(cells(device, grid, &device.zeros(0)?, places)?.map(|keys| partition(grid, &keys)))
}

impl Patches {
    /// These patches, on a device.
    pub fn new(device: &Device, pieces: Pieces) -> Result<Self> {
        let [sums, even, odd] = pieces.planes().map(|plane| device.zeros((pieces.d + 1) * plane));
        Ok(Self {
            summed: device.upload(&pieces.table(&pieces.summed))?,
            read: device.upload(&pieces.table(&pieces.read))?,
            targets: device.upload(&pieces.targets)?,
            sources: device.upload(&pieces.sources)?,
            planes: [sums?, even?, odd?],
            pieces,
        })
    }

    /// Makes the nodes of the sums, which become zero unless they are to be `kept`.
    pub fn smooth(
        &mut self,
        device: &Device,
        (sums, copies, exponent): (&mut Buffer<u64>, u32, i32),
        (taps, grid): (&Buffer<f32>, &Grid),
        nodes: &mut Buffer<f32>,
        kept: bool,
        (state, limit): OfRun<'_>,
    ) -> Result<()> {
        let Self { pieces, targets, sources, planes: [settled, even, odd], .. } = self;
        let [from_plane, plane, _] = pieces.planes().map(|plane| plane as u32);
        let (d, summed, (reach, span)) = (pieces.d as u32, pieces.nodes()[0] as u32, (grid.reach, grid.span()));
        let (kept, unit) = (u32::from(kept), 2_f32.powi(-exponent));
        device.launch(settle_many::launch(sums, settled, state, limit, copies, kept, d, summed, from_plane, unit))?;
        let (mut even, mut odd) = (even, odd);
        for Group { nodes: (begin, count), passes } in &pieces.groups {
            for (axis, &Pass { targets: (first, those), width, lines }) in (0..).zip(passes) {
                let (from, cells) = if axis == 0 { (&*settled, from_plane) } else { (&*odd, plane) };
                macro_rules! smooth {
                    ($kernel:ident) => {
                        $kernel::launch(
                            from, taps, targets, sources, &mut *even, state, limit, reach, span, axis, first, those,
                            width, lines, cells, plane,
                        )
                    };
                }
                device.launch(if d == 4 { smooth!(smooth_4) } else { smooth!(smooth_5) })?;
                std::mem::swap(&mut even, &mut odd);
            }
            device.launch(fill_many::launch(&*odd, nodes, state, limit, d, *begin, *count, plane))?;
        }
        Ok(())
    }
}
