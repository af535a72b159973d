//! How the points of a step are shared out where queries are few: see gpu/slices.rs.

use cuda_std::machine::MachineKind;
use gpu::steps::Shared;

use super::iterate::Queries;
use crate::error::Result;
use crate::executor::{Buffer, Device};

/// Queries of a block: threads of a GPU's usual block, and lanes of each.
const BLOCK: usize = 128 * LANES;

/// Queries of a GPU's thread.
const LANES: usize = 4;

/// Blocks that fill the largest GPUs: 132 multiprocessors with seven each.
const FILLING: usize = 1024;

/// Blocks of which the last to run are a small part of all.
const FINE: usize = 4 * FILLING;

/// Fewest points of a slice that is to fill a GPU, and of one that only makes blocks finer.
const LEAST: usize = 64;
const WHOLE: usize = gpu::shift::TILE;

/// Most slices: each is one more step of the last block's.
const MOST: usize = 256;

/// Where the slices of a run meet, and how long they are: the same for the whole run, so that nothing depends on when
/// queries leave.
#[derive(Debug)]
pub struct Slices {
    partial: Buffer<f32>,
    arrived: Buffer<u32>,
    points: u32,
}

impl Slices {
    /// All of the n points in one.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn none(device: &Device, n: u32) -> Result<Self> {
        Ok(Self { partial: device.zeros(0)?, arrived: device.zeros(0)?, points: n })
    }

    /// Those for m queries over n points of d coordinates, where kernels know of slices: up to four dimensions of the
    /// 2-norm.
    ///
    /// # Errors
    /// Whatever the device reports, too little memory among it.
    pub fn new(device: &Device, (n, m): (u32, u32), d: u32, has_own_kernel: bool) -> Result<Self> {
        let points = points_of(n as usize, m as usize);
        // A processor has few cores, and none of their work to give away.
        if device.machine() != MachineKind::Gpu || !has_own_kernel || points >= n as usize {
            return Self::none(device, n);
        }
        let columns = (d as usize + 1) * Queries::stride_of(m as usize);
        Ok(Self {
            partial: device.zeros((n as usize).div_ceil(points) * columns)?,
            // However small a block the user chooses.
            arrived: device.zeros((m as usize).div_ceil(32 * LANES))?,
            points: points as u32,
        })
    }

    /// What a launch is given.
    pub fn lend(&mut self) -> Shared<'_> {
        Shared { partial: &mut self.partial, arrived: &mut self.arrived, points: self.points }
    }
}

/// Points of a slice, for m queries over n points: n, or a multiple of [`LEAST`].
///
/// It depends on nothing else, so that results are the same on every GPU.
fn points_of(n: usize, m: usize) -> usize {
    let blocks = m.div_ceil(BLOCK).max(1);
    let filling = FILLING.div_ceil(blocks).min(n.div_ceil(LEAST));
    let fine = FINE.div_ceil(blocks).min(n.div_ceil(WHOLE));
    let slices = filling.max(fine).clamp(1, MOST);
    if slices == 1 { n } else { n.div_ceil(slices).next_multiple_of(LEAST) }
}

/// The most bytes that slices take of a GPU's memory, for m queries of d coordinates.
pub fn bytes(m: usize, d: usize) -> u128 {
    if d > 4 {
        return 0;
    }
    // As many as FINE blocks, and one more slice.
    let columns = d as u128 + 1;
    (FINE as u128 * BLOCK as u128 + 2 * Queries::stride_of(m) as u128) * columns * 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_queries_or_points_fill_a_gpu() {
        // The lecture's case: 3 blocks of queries become 72.
        assert_eq!(points_of(1500, 1500), 64);
        // One block of queries becomes 244.
        assert_eq!(points_of(1_000_000, 100), 3_968);
        // 196 blocks become as many as leave no multiprocessor waiting for the last.
        assert_eq!(points_of(100_000, 100_000), 4_800);
        // Enough of them by themselves.
        assert_eq!(points_of(1_000_000, 2_097_152), 1_000_000);
        assert_eq!(points_of(1, 1), 1);
        assert_eq!(points_of(64, 1), 64);
    }

    #[test]
    fn memory_is_no_more_than_was_said() {
        for n in [1_usize, 65, 1500, 4096, 100_000, 10_000_000] {
            for m in [1_usize, 100, 513, 1500, 100_000, 1_000_000, 3_000_000] {
                let slices = n.div_ceil(points_of(n, m));
                let needed = slices * 3 * Queries::stride_of(m) * 4;
                assert!(slices == 1 || needed as u128 <= bytes(m, 2), "{n} {m}: {needed}");
                assert!(slices <= MOST);
            }
        }
    }
}
