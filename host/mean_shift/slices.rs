//! How the points of a step are shared out where queries are few: see gpu/slices.rs.

mod sizes;

use cuda_std::machine::MachineKind;
use gpu::shift_any::Norm;
use gpu::steps::Shared;

use super::iterate::Queries;
use super::tensor;
use crate::error::Result;
use crate::executor::{Buffer, Device};
use crate::product::Instruction;
use sizes::{points_by_differences, points_in_tiles, points_on_tensor_cores};

/// Fewest queries of a block, however small a one the user chooses: a warp's, four a thread; two warps of a wide step have no
/// fewer. On tensor cores four warps have 16 each.
const LEAST_BLOCK: usize = 128;
const LEAST_BLOCK_ON_TENSOR_CORES: usize = 64;

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

    /// Those for m queries over n points of d coordinates, with a norm, marked or not.
    ///
    /// ```
    /// use gpu::shift_any::Norm;
    /// use modeseek::mean_shift::slices::Slices;
    ///
    /// let device = modeseek::Device::processor()?;
    /// // Two blocks of up to 1,024 queries become ten; of 100,000 queries there are enough.
    /// assert_eq!(Slices::new(&device, (1500, 1500), 2, Norm::L2, false)?.lend().points, 320);
    /// assert_eq!(Slices::new(&device, (100_000, 100_000), 2, Norm::L2, false)?.lend().points, 100_000);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// Whatever the device reports, too little memory among it.
    pub fn new(device: &Device, (n, m): (u32, u32), d: u32, norm: Norm, marked: bool) -> Result<Self> {
        let points = points_by_differences(device.machine(), (n as usize, m as usize), d, norm, marked);
        Self::of(device, (n, m), d, points as u32)
    }

    /// Those for m queries over n points of d coordinates, where steps are on tensor cores, by an instruction, and have so many
    /// dimensions as the kernels do.
    ///
    /// ```
    /// use modeseek::mean_shift::slices::Slices;
    /// use modeseek::product::Instruction;
    ///
    /// let device = modeseek::Device::processor()?;
    /// // 12 blocks of 128 queries become 144.
    /// assert_eq!(Slices::on_tensor_cores(&device, (1500, 1500), 8, 16, Instruction::Warp)?.lend().points, 128);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// Whatever the device reports, too little memory among it.
    pub fn on_tensor_cores(
        device: &Device,
        (n, m): (u32, u32),
        d: u32,
        wide: u32,
        instruction: Instruction,
    ) -> Result<Self> {
        let points = points_on_tensor_cores(n as usize, m as usize, wide as usize, instruction) as u32;
        Self::in_blocks(device, (n, m), d, points, LEAST_BLOCK_ON_TENSOR_CORES)
    }

    /// Those for m queries over n points in order, where a step leaves out what is far: several if the queries are few.
    ///
    /// ```
    /// use gpu::shift_any::Norm;
    /// use modeseek::mean_shift::slices::Slices;
    ///
    /// let device = modeseek::Device::processor()?;
    /// let points = |m| Ok::<_, modeseek::Error>(Slices::in_tiles(&device, (100_000, m), 2, Norm::L2)?.lend().points);
    /// assert_eq!((points(200)?, points(10_000)?), (2_048, 100_000));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// Whatever the device reports, too little memory among it.
    pub fn in_tiles(device: &Device, (n, m): (u32, u32), d: u32, norm: Norm) -> Result<Self> {
        let points = points_in_tiles(device.machine(), (n as usize, m as usize, d as usize), norm);
        Self::of(device, (n, m), d, points as u32)
    }

    /// Those of so many points each, on any device, for a step that takes slices.
    ///
    /// ```
    /// use modeseek::mean_shift::slices::Slices;
    ///
    /// let device = modeseek::Device::processor()?;
    /// assert_eq!(Slices::of(&device, (1500, 1500), 2, 64)?.lend().points, 64);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// Whatever the device reports, too little memory among it.
    pub fn of(device: &Device, (n, m): (u32, u32), d: u32, points: u32) -> Result<Self> {
        Self::in_blocks(device, (n, m), d, points, LEAST_BLOCK)
    }

    /// The same, of which a block has so many queries at least.
    fn in_blocks(device: &Device, (n, m): (u32, u32), d: u32, points: u32, block: usize) -> Result<Self> {
        if points >= n {
            return Self::none(device, n);
        }
        let columns = (d as usize + 1) * Queries::stride_of(m as usize);
        Ok(Self {
            partial: device.zeros(n.div_ceil(points) as usize * columns)?,
            arrived: device.zeros((m as usize).div_ceil(block))?,
            points,
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

/// Bytes that slices take at most for m queries over n points of d coordinates, with a norm: in far tiles, and over all pairs of marked
/// points or others or either, on tensor cores or not. 160 MiB at most, whatever the numbers.
///
/// ```
/// use cuda_std::machine::MachineKind::{Avx2, Gpu};
/// use gpu::shift_any::Norm;
/// use modeseek::mean_shift::slices::bytes;
///
/// // On a GPU 24 slices of 3 sums for each of 1,500 queries (1,504 as they are stored), and a count for each of 12 blocks.
/// assert_eq!(bytes(Gpu, (1_500, 1_500, 2), Norm::L2, &[false]), (24 * 3 * 1_504 + 12) * 4);
/// assert!(bytes(Avx2, (10_000_000, 1_000_000, 2), Norm::L2, &[false, true]) < 160 << 20);
/// ```
pub fn bytes(machine: MachineKind, (n, m, d): (usize, usize, usize), norm: Norm, marked: &[bool]) -> u128 {
    let by_differences = marked.iter().map(|&marked| {
        let d = u32::try_from(d).unwrap_or(u32::MAX);
        (points_by_differences(machine, (n, m), d, norm, marked), LEAST_BLOCK)
    });
    let in_tiles = (points_in_tiles(machine, (n, m, d), norm), LEAST_BLOCK);
    let wide = gpu::shift_tensor::wide(d).filter(|_| d >= tensor::LEAST && machine == MachineKind::Gpu);
    let on_tensor_cores = wide.filter(|_| norm == Norm::L2 && marked.contains(&false)).into_iter().flat_map(|wide| {
        [Instruction::Warp, Instruction::Warpgroup]
            .map(|by| (points_on_tensor_cores(n, m, wide, by), LEAST_BLOCK_ON_TENSOR_CORES))
    });
    let of_points = |(points, block): (usize, usize)| {
        if points >= n {
            return 0;
        }
        let partial = n.div_ceil(points) as u128 * (d as u128 + 1) * Queries::stride_of(m) as u128;
        (partial + m.div_ceil(block) as u128) * 4
    };
    by_differences.chain([in_tiles]).chain(on_tensor_cores).map(of_points).max().unwrap_or(0)
}
