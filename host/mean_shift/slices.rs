//! How the points of a step are shared out where queries are few: see gpu/slices.rs.

use cuda_std::machine::MachineKind;
use gpu::idle::{MULTIPROCESSORS, Work};
use gpu::near::WIDE;
use gpu::shift_any::{self, Norm};
use gpu::shift_tensor::queries_of_block;
use gpu::shift_wgmma;
use gpu::steps::{Shared, Steps};

use super::iterate::Queries;
use super::tensor;
use crate::error::Result;
use crate::executor::{Buffer, Device};
use crate::product::Instruction;

/// Fewest queries of a block, however small a one the user chooses: a warp's, four a thread; two warps of a wide step have no
/// fewer. On tensor cores four warps have 16 each.
const LEAST_BLOCK: usize = 128;
const LEAST_BLOCK_ON_TENSOR_CORES: usize = 64;

/// Blocks of which the last to run are a small part of all, over those that fill a GPU.
const FINE: usize = 4;

/// Bytes that sums of slices may take where that only leaves less idle.
const MEMORY: usize = 160 << 20;

/// What points are shared out in.
struct Unit {
    /// Fewest points of a slice that is to fill a GPU.
    least: usize,
    /// Fewest points of a slice that only makes blocks finer.
    whole: usize,
    /// What the start and the end of a block take, and sums that are written and read again, in points: 4 us are 16 to 33 by
    /// differences, and on tensor cores 75 to 190, and the sums 14 to 19 and 42 to 48.
    start: usize,
}

const BY_DIFFERENCES: Unit = Unit { least: 64, whole: gpu::shift::TILE, start: 64 };

/// Where a slice begins with a tile of any step, and a block first fills its tiles.
const ON_TENSOR_CORES: Unit = Unit { least: 128, whole: 1024, start: 256 };

/// Blocks that a processor is to have, whatever cores it has: results do not depend on how many there are. Those of more than four
/// dimensions, or of another norm, have more memory that is cleared first: where there are enough of them without slices, two slices take a
/// twentieth more (2,000 points of eight dimensions). And the most queries of a block of few dimensions there, and the fewest points that
/// are worth its start and its end.
const BLOCKS: usize = 64;
const BLOCKS_OF_ANY: usize = 32;
const ENOUGH_OF_ANY: usize = 16;
const MOST_QUERIES: usize = 1024;
const LEAST_OF_BLOCK: usize = 256;

/// Blocks of queries up to which points that are far from most of them are shared out as well, and blocks that there are to be then: on a
/// GPU and on a processor. All of a slice may be far from a block, so that they are unlike each other.
const BLOCKS_IN_TILES: [[usize; 2]; 2] = [[MULTIPROCESSORS / 2, 4 * MULTIPROCESSORS], [2, 64]];

/// Most slices: each is one more step of the last block's.
const MOST: usize = 256;

/// For any d a GPU's last block, a single warp, adds a slice's sums in the time of about so many of its points, column by column.
const POINTS_OF_SUMS: usize = 4;

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

/// Points of a slice, for m queries over n points: n, or a multiple of the fewest points of a slice. The shape is that of
/// [`Steps::shares`]. Slices are as many as fill a GPU, or make blocks fine, or more, up to [`MEMORY`]: the fewest of
/// those that leave the least of it without work while the last blocks run.
///
/// It depends on nothing else, so that results are the same on every GPU.
fn points_of(
    (n, m, d): (usize, usize, usize),
    (queries, at_a_time): (usize, usize),
    Unit { least, whole, start }: Unit,
) -> usize {
    let (blocks, filling) = (m.div_ceil(queries).max(1), at_a_time * MULTIPROCESSORS);
    let fill = filling.div_ceil(blocks).min(n.div_ceil(least));
    let fine = (FINE * filling).div_ceil(blocks).min(n.div_ceil(whole));
    let room = room_for(m, d).min(MOST);
    let fewest = fill.max(fine).clamp(1, room);
    let most = room.min(n.div_ceil(whole));
    Work { n, blocks, at_a_time, multiple: least, start }.points_of(fewest..=most.max(fewest))
}

/// Slices whose sums fit [`MEMORY`], one at least.
fn room_for(m: usize, d: usize) -> usize {
    (MEMORY / (4 * (d + 1) * Queries::stride_of(m).max(1))).max(1)
}

/// Points of a slice by differences, on a machine.
fn points_by_differences(machine: MachineKind, (n, m): (usize, usize), d: u32, norm: Norm, marked: bool) -> usize {
    let in_registers = d <= 4 && norm == Norm::L2;
    if machine != MachineKind::Gpu {
        let blocks = |queries| m.div_ceil(queries).max(1);
        let slices = match blocks(if in_registers { MOST_QUERIES } else { shift_any::queries(machine.lanes()) }) {
            blocks if in_registers => BLOCKS.div_ceil(blocks),
            ENOUGH_OF_ANY.. => 1,
            blocks => BLOCKS_OF_ANY.div_ceil(blocks),
        };
        return points_on_a_processor((n, m, d as usize), slices);
    }
    let mut unit = BY_DIFFERENCES;
    if !in_registers && !Steps::keeps_every_pair(machine, d, norm, marked) {
        unit.least = unit.least.max((n * POINTS_OF_SUMS).isqrt().next_multiple_of(unit.least));
        unit.whole = unit.least;
    }
    points_of((n, m, d as usize), Steps::shape(d, norm, marked), unit)
}

/// The same for a step that leaves out what is far. It depends on no size of blocks, which is the user's.
fn points_in_tiles(machine: MachineKind, (n, m, d): (usize, usize, usize), norm: Norm) -> usize {
    let [few, wanted] = BLOCKS_IN_TILES[usize::from(machine != MachineKind::Gpu)];
    let queries = if d <= 4 && norm == Norm::L2 {
        machine.block() as usize * machine.lanes()
    } else {
        shift_any::queries(machine.lanes())
    };
    let blocks = m.div_ceil(queries).max(1);
    if blocks > few {
        return n;
    }
    let slices = wanted.div_ceil(blocks).min(room_for(m, d)).min(MOST);
    n.div_ceil(slices).next_multiple_of(WIDE)
}

/// The same on a processor, in so many slices if they are worth it.
fn points_on_a_processor((n, m, d): (usize, usize, usize), slices: usize) -> usize {
    let slices = slices.min(n / LEAST_OF_BLOCK).min(room_for(m, d)).max(1);
    n.div_ceil(slices).next_multiple_of(BY_DIFFERENCES.least)
}

/// The same on tensor cores: n, or a multiple of 128.
fn points_on_tensor_cores(n: usize, m: usize, wide: usize, instruction: Instruction) -> usize {
    // Queries of a block, and blocks of a multiprocessor: docs/performance/tensor-cores.md.
    let shape = match (wide, instruction) {
        (16, _) => (queries_of_block(2), 5),
        (32, _) => (queries_of_block(2), 3),
        (64 | 128, Instruction::Warpgroup) => (shift_wgmma::QUERIES, 1),
        (64, _) => (queries_of_block(1), 3),
        // Others take all points at once.
        _ => return n,
    };
    points_of((n, m, wide), shape, ON_TENSOR_CORES)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Points of a slice for d coordinates.
    fn points(n: usize, m: usize, d: u32) -> usize {
        points_by_differences(MachineKind::Gpu, (n, m), d, Norm::L2, false)
    }

    #[test]
    fn few_queries_or_points_fill_a_gpu() {
        // The lecture's case: 3 blocks of queries become 72.
        assert_eq!(points(1500, 1500, 2), 64);
        // One block of queries becomes 253.
        assert_eq!(points(1_000_000, 100, 2), 3_968);
        // 196 blocks become 3,920, of which 924 are there at a time: few multiprocessors wait for the last.
        assert_eq!(points(100_000, 100_000, 2), 5_056);
        // Enough of them by themselves, but for an eighth of the last turn.
        assert_eq!(points(1_000_000, 2_097_152, 2), 333_376);
        assert_eq!(points(1, 1, 2), 1);
        assert_eq!(points(64, 1, 2), 64);
        // Two warps a block: 391 and 782 blocks become 6,647, 10,948 and 2,346, of which 1,056 or 528 are there at a time.
        assert_eq!([8, 16, 32].map(|d| points(100_000, 100_000, d)), [5_888, 7_168, 33_344]);
        // 295 become 2,360: 4.5 turns.
        assert_eq!(points(37_749, 37_749, 32), 4_736);
        assert_eq!(points(1500, 1500, 8), 64);
        // Any d: a block is one warp, the last of which adds the sums of all slices, so that there are fewer of them. For two slices of
        // 784 dimensions there is no room.
        assert_eq!([1500, 70_000, 1_000_000].map(|n| points(n, 128, 33)), [128, 576, 4_096]);
        assert_eq!(points(70_000, 70_000, 784), 70_000);
    }

    #[test]
    fn few_queries_are_blocks_for_a_processor_s_cores() {
        for machine in [MachineKind::Baseline, MachineKind::Avx2, MachineKind::Avx512] {
            let points = |n, m, d| points_by_differences(machine, (n, m), d, Norm::L2, false);
            assert_eq!(points(1500, 1500, 2), 320);
            assert_eq!(points(1_000_000, 100, 2), 15_680);
            assert_eq!(points(10_000, 10_000, 2), 1_472);
            // A block has 128 queries of more dimensions, or of another norm.
            assert_eq!([128, 129, 1920, 1921].map(|m| points(100_000, m, 8)), [3_136, 6_272, 33_344, 100_032]);
            let l1 = Norm { p: 1.0, ..Norm::L2 };
            assert_eq!(points_by_differences(machine, (100_000, 129), 2, l1, false), 6_272);
            // Too few points to share out, and queries enough.
            assert_eq!([(511, 511), (1, 1)].map(|(n, m)| points(n, m, 2) >= n), [true; 2]);
            assert_eq!([(65_536, 65_536), (3, 1 << 30)].map(|(n, m)| points(n, m, 2) >= n), [true; 2]);
        }
    }

    #[test]
    fn blocks_on_tensor_cores_come_in_many_turns() {
        let points = |n, d: usize, by| points_on_tensor_cores(n, n, gpu::shift_tensor::wide(d).expect("a step"), by);
        // 782 blocks, of which 660 are there at a time, become 3,128; 295 of 396 become 2,360, just below six turns.
        assert_eq!(points(100_000, 16, Instruction::Warp), 25_088);
        assert_eq!(points(37_749, 32, Instruction::Warp), 4_736);
        // 1,200 blocks for 132 multiprocessors are ten turns, of which the last is a tenth full; 4,800 are 36.4.
        assert_eq!(points(153_600, 64, Instruction::Warpgroup), 38_400);
        // There is memory for two slices of 128 dimensions.
        assert_eq!(points(153_600, 128, Instruction::Warpgroup), 76_800);
        assert_eq!(points(7_000, 100, Instruction::Warpgroup), 1_024);
        assert_eq!(points(7_000, 100, Instruction::Warp), 7_000);
        assert_eq!(points(7_000, 150, Instruction::Warp), 7_000);
        assert_eq!(points(1, 5, Instruction::Warp), 1);
        assert_eq!(points(128, 5, Instruction::Warp), 128);
    }

    #[test]
    fn memory_is_bounded() {
        for n in [1_usize, 65, 1500, 4096, 100_000, 10_000_000] {
            for m in [1_usize, 100, 513, 1500, 100_000, 262_144, 262_145, 400_000, 1_000_000, 3_000_000] {
                for d in (1..=129).chain([784, 100_000, 1 << 30]) {
                    for machine in [MachineKind::Gpu, MachineKind::Avx2] {
                        // And the counts of blocks.
                        for norm in [Norm::L2, Norm { p: 1.0, ..Norm::L2 }] {
                            let bytes = bytes(machine, (n, m, d), norm, &[false, true]);
                            assert!(bytes <= MEMORY as u128 + 100_000, "{n} {m} {d}: {bytes}");
                        }
                    }
                    assert!(n.div_ceil(points(n, m, d as u32)) <= MOST);
                }
            }
        }
    }
}
