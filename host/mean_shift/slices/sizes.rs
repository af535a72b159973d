//! How many points a slice has: by what device, for how many queries and points.
//!
//! It depends on numbers of points, queries and dimensions alone, so that results are the same on every device of a kind.

use cuda_std::machine::MachineKind;
use gpu::idle::{MULTIPROCESSORS, Work};
use gpu::near::WIDE;
use gpu::shift_any::{self, Norm};
use gpu::shift_tensor::queries_of_block;
use gpu::shift_wgmma;
use gpu::steps::Steps;

use crate::mean_shift::iterate::Queries;
use crate::product::Instruction;

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
pub(super) fn points_by_differences(
    machine: MachineKind,
    (n, m): (usize, usize),
    d: u32,
    norm: Norm,
    marked: bool,
) -> usize {
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
pub(super) fn points_in_tiles(machine: MachineKind, (n, m, d): (usize, usize, usize), norm: Norm) -> usize {
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
pub(super) fn points_on_tensor_cores(n: usize, m: usize, wide: usize, instruction: Instruction) -> usize {
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

#[cfg(test)]
mod tests {
    use super::super::bytes;
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
