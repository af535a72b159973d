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
///
/// ```
/// use modeseek::mean_shift::slices::Slices;
///
/// let device = modeseek::Device::processor()?;
/// let mut slices = Slices::none(&device, 1500)?;
/// assert_eq!(slices.lend().points, 1500);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Debug)]
pub struct Slices {
    partial: Buffer<f32>,
    arrived: Buffer<u32>,
    points: u32,
}

impl Slices {
    /// All of the n points in one.
    ///
    /// ```
    /// use modeseek::mean_shift::slices::Slices;
    ///
    /// let device = modeseek::Device::processor()?;
    /// assert_eq!(Slices::none(&device, 10)?.lend().points, 10);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn none(device: &Device, n: u32) -> Result<Self> {
        Ok(Self { partial: device.zeros(0)?, arrived: device.zeros(0)?, points: n })
    }

    /// Those for m queries over n points of d coordinates, where kernels know of slices: up to four dimensions of the
    /// 2-norm.
    ///
    /// ```
    /// use modeseek::mean_shift::slices::Slices;
    ///
    /// let device = modeseek::Device::processor()?;
    /// // A processor takes all points at once.
    /// assert_eq!(Slices::new(&device, (1500, 1500), 2, true)?.lend().points, 1500);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
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
    ///
    /// ```
    /// use modeseek::mean_shift::slices::Slices;
    ///
    /// let device = modeseek::Device::processor()?;
    /// let mut slices = Slices::none(&device, 10)?;
    /// assert_eq!(slices.lend().points, 10);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
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

/// Bytes of a GPU's memory that slices take for m queries over n points of d coordinates: some 25 MB at most for d = 2, whatever
/// the numbers.
///
/// ```
/// use modeseek::mean_shift::slices::bytes;
///
/// // 24 slices of 3 sums for each of 1,500 queries (1,504 as they are stored), and a count for each of 12 blocks.
/// assert_eq!(bytes(1_500, 1_500, 2), (24 * 3 * 1_504 + 12) * 4);
/// assert!(bytes(10_000_000, 1_000_000, 2) < 50_000_000);
/// ```
pub fn bytes(n: usize, m: usize, d: usize) -> u128 {
    let points = points_of(n, m);
    if d > 4 || points >= n {
        return 0;
    }
    let partial = n.div_ceil(points) as u128 * (d as u128 + 1) * Queries::stride_of(m) as u128;
    (partial + m.div_ceil(32 * LANES) as u128) * 4
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
    fn memory_is_bounded() {
        for n in [1_usize, 65, 1500, 4096, 100_000, 10_000_000] {
            for m in [1_usize, 100, 513, 1500, 100_000, 1_000_000, 3_000_000] {
                assert!(bytes(n, m, 2) <= 50 << 20, "{n} {m}: {}", bytes(n, m, 2));
                assert!(n.div_ceil(points_of(n, m)) <= MOST);
            }
        }
    }
}
