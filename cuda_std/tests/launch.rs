//! What a launch checks before it runs, and what it says.

mod memory;

use cuda_std::launch::{Arg, BlockRule, DeviceSlice, Launch, LaunchError, Limits, Prepared, Region};
use cuda_std::machine::MachineKind;
use cuda_std::prelude::*;
use memory::Memory;

const KINDS: [MachineKind; 4] = [MachineKind::Gpu, MachineKind::Baseline, MachineKind::Avx2, MachineKind::Avx512];

fn prepare(launch: &Launch<'_>) -> Result<Prepared, LaunchError> {
    launch.prepare(MachineKind::Gpu, 1, &Limits::BASELINE)
}

/// Nothing said: blocks of the machine's choice cover the first output.
#[kernel]
pub unsafe fn plain(x: &[f32], mut out: DisjointMut<f32>, mut more: DisjointMut<f32>) {
    let _ = (x, out.own(), more.own());
}

/// Any block; several elements a thread.
#[kernel(block = 256, threads = 64..=512, grid = out.len().div_ceil(block.x * Machine::LANES), shared = block.x * 4)]
pub unsafe fn lanes(mut out: DisjointMut<f32>) {
    let _ = out.own();
}

/// A fixed block in two dimensions, a grid in three.
#[kernel(
    block = (16, 8),
    grid = (columns.div_ceil(block.x), rows.div_ceil(block.y), 2),
    shared = bytes,
    require(out.len() >= rows * columns, columns > 0 && rows > 0),
)]
pub unsafe fn matrix(mut out: DisjointMut<f32>, rows: u32, columns: u64, bytes: u32) {
    let _ = (out.own(), rows, columns, bytes);
}

/// A relation among numbers of every type.
#[kernel(grid = 1, require(x.len() > 100, scale > 0.0))]
#[allow(clippy::too_many_arguments)]
pub unsafe fn demanding(x: *const f32, scale: f32, wide: f64, a: i8, b: i16, c: i32, d: i64, e: u8, f: u64) {
    let _ = (x, scale, wide, a, b, c, d, e, f);
}

/// Four elements at a time.
#[kernel(require(out.is_aligned(16)))]
pub unsafe fn in_fours(mut out: DisjointMut<f32>) {
    let _ = out.own();
}

/// More elements than 64 bits count.
#[kernel(grid = rows * columns * planes, require(out.len() >= rows * columns * planes * 8 + 1))]
pub unsafe fn product_of_many(mut out: DisjointMut<f32>, rows: u64, columns: u64, planes: u64) {
    let _ = (out.own(), rows, columns, planes);
}

/// More shared memory than 64 bits count.
#[kernel(shared = rows * columns * 8 + 16)]
pub unsafe fn shared_by_rows(mut out: DisjointMut<f32>, rows: u64, columns: u64) {
    let _ = (out.own(), rows, columns);
}

/// Sums and products of numbers with a sign, and of floats.
#[kernel(grid = 1, require(first + 2 * step >= 0, scale * 2.0 + shift > 0.0, out.len() as i64 > wide * 2))]
pub unsafe fn signed(mut out: DisjointMut<f32>, first: i32, step: i32, wide: i64, scale: f32, shift: f32) {
    let _ = (out.own(), first, step, wide, scale, shift);
}

/// Differences and quotients, in every part of a formula.
#[kernel(
    grid = (if stride > 0 { (rows - 1).div_ceil(stride) } else { rows / parts }, rows.next_multiple_of(parts).max(1)),
    shared = rows % parts * 4,
    require(rows == 0 || out.len() >= stride * (rows - 1) + 1, scale / 0.0 > scale - 1.0, rows >= 2 || out.len() - 5 > 3),
)]
pub unsafe fn in_parts(mut out: DisjointMut<f32>, rows: u32, stride: u32, parts: u32, scale: f32) {
    let _ = (out.own(), rows, stride, parts, scale);
}

/// Powers, shifts and a sign, in every part of a formula.
#[kernel(
    grid = (1 << bits, (rows + 1).pow(bits as u32)),
    shared = rows % 16 >> bits,
    require(out.len() < rows << (bits * 2), rows << by >= rows, -(by as i8) <= by as i8 + 2, bits <= 200 << 1_u8),
)]
pub unsafe fn in_bits(mut out: DisjointMut<f32>, rows: u64, bits: u32, by: i32) {
    let _ = (out.own(), rows, bits, by);
}

/// Without a thread.
#[kernel(block = (32, 0))]
pub unsafe fn without_threads(mut out: DisjointMut<f32>) {
    let _ = out.own();
}
/// More threads along z than any device has.
#[kernel(block = (1, 1, 65))]
pub unsafe fn deep(mut out: DisjointMut<f32>) {
    let _ = out.own();
}
/// Bounds that are computed, and no whole warps.
#[kernel(block = 64, threads = NONE..=1000 + NONE)]
pub unsafe fn odd(mut out: DisjointMut<f32>) {
    let _ = out.own();
}

const NONE: u32 = 0;

/// More threads than 32 bits count.
#[kernel(block = (65_536, 65_536))]
pub unsafe fn more_than_32_bits(mut out: DisjointMut<f32>) {
    let _ = out.own();
}

/// More threads than any device has.
#[kernel(block = (1024, 2))]
pub unsafe fn large(mut out: DisjointMut<f32>) {
    let _ = out.own();
}

#[test]
fn memory_that_begins_between_multiples_is_refused() {
    let mut out = Memory::<f32>::new(8);
    assert!(prepare(&in_fours::launch(&mut out)).is_ok());
    // From the second element on.
    out.address += 4;
    let error = prepare(&in_fours::launch(&mut out)).unwrap_err();
    assert!(matches!(error, LaunchError::Relation { relation: "out.is_aligned(16)", .. }), "{error}");
}

#[test]
fn sizes_that_overflow_are_not_small() {
    let mut out = Memory::<f32>::new(9);
    assert!(prepare(&product_of_many::launch(&mut out, 1, 1, 1)).is_ok());
    // 2^64 elements, of which 64 bits have none; one more; and a sum that begins again.
    for [rows, columns, planes] in [[1 << 21, 1 << 20, 1 << 20], [1 << 40, 1 << 40, 1], [u64::MAX, 1, 1]] {
        let error = prepare(&product_of_many::launch(&mut out, rows, columns, planes)).unwrap_err();
        assert!(matches!(error, LaunchError::Relation { .. }), "{error}");
    }
}

#[test]
fn shared_memory_that_overflows_is_not_small() {
    let mut out = Memory::<f32>::new(9);
    assert_eq!(prepare(&shared_by_rows::launch(&mut out, 2, 3)).unwrap().shared, 64);
    // 2^64 bytes, of which 64 bits have none; and a sum that begins again.
    for [rows, columns] in [[1 << 31, 1 << 30], [u64::MAX, 1]] {
        let error = prepare(&shared_by_rows::launch(&mut out, rows, columns)).unwrap_err();
        assert!(matches!(error, LaunchError::SharedMemory { wanted: usize::MAX, .. }), "{error}");
    }
}

#[test]
fn formulas_add_and_multiply_numbers_of_every_type() {
    let mut out = Memory::<f32>::new(9);
    assert!(prepare(&signed::launch(&mut out, -4, 2, 4, 1.0, -1.0)).is_ok());
    assert!(prepare(&signed::launch(&mut out, i32::MIN, 2, 4, 1.0, -1.0)).is_err());
    assert!(prepare(&signed::launch(&mut out, 0, i32::MAX, 4, 1.0, -1.0)).is_ok());
    assert!(prepare(&signed::launch(&mut out, -4, 2, 5, 1.0, -1.0)).is_err());
    assert!(prepare(&signed::launch(&mut out, -4, 2, 4, 1.0, -2.0)).is_err());
}

#[test]
fn powers_shifts_and_signs_that_overflow_are_not_small() {
    let mut out = Memory::<f32>::new(9);
    let prepared = prepare(&in_bits::launch(&mut out, 8, 2, 0)).unwrap();
    assert_eq!(prepared, Prepared { grid: [4, 81, 1], block: [128, 1, 1], shared: 2 });
    // As large as can be: a power that 64 bits do not hold, then one that they do and a grid does not.
    for (rows, bits, wanted) in [(u64::MAX - 1, 2, usize::MAX), (65_535, 1, 65_536)] {
        let error = prepare(&in_bits::launch(&mut out, rows, bits, 0)).unwrap_err();
        assert!(matches!(error, LaunchError::Grid { axis: "y", wanted: found, .. } if found == wanted), "{error}");
    }
    // By as many bits as there are, and by more.
    for bits in [31, 64, 400] {
        let error = prepare(&in_bits::launch(&mut out, 1, bits, 0)).unwrap_err();
        let wanted = if bits < 64 { 1 << bits } else { usize::MAX };
        assert!(matches!(error, LaunchError::Grid { axis: "x", wanted: found, .. } if found == wanted), "{error}");
    }
    assert!(prepare(&in_bits::launch(&mut out, 8, 2, i32::MAX)).is_ok());
    assert!(matches!(prepare(&in_bits::launch(&mut out, 0, 2, 0)), Err(LaunchError::Relation { .. })));
    // The least number of eight bits, whose opposite is none, is not below two more than itself.
    let error = prepare(&in_bits::launch(&mut out, 8, 2, 128)).unwrap_err();
    assert!(matches!(error, LaunchError::Relation { relation: "-(by as i8) <= by as i8 + 2", .. }), "{error}");
    let error = prepare(&in_bits::launch(&mut out, 8, 2, -1)).unwrap_err();
    assert!(matches!(error, LaunchError::Formula { what: "shifts by less than nothing", .. }), "{error}");
}

#[test]
fn formulas_without_a_result_are_refused() {
    let mut out = Memory::<f32>::new(9);
    let ten = prepare(&in_parts::launch(&mut out, 3, 4, 2, 1.0)).unwrap();
    assert_eq!(ten, Prepared { grid: [1, 4, 1], block: [128, 1, 1], shared: 4 });
    assert_eq!(prepare(&in_parts::launch(&mut out, 7, 0, 2, 1.0)).unwrap().grid, [3, 8, 1]);
    let refused = |rows, stride, parts, len| {
        let mut out = Memory::<f32>::new(len);
        prepare(&in_parts::launch(&mut out, rows, stride, parts, 1.0)).unwrap_err()
    };
    // What a relation guards is not computed; what no relation guards is refused, in each kind of formula.
    for (rows, stride, parts, len, what) in [
        (3, 4, 0, 9, "divides by zero"),
        (3, 0, 0, 9, "divides by zero"),
        (0, 4, 2, 9, "subtracts more than there is"),
        (1, 4, 2, 4, "subtracts more than there is"),
    ] {
        let error = refused(rows, stride, parts, len);
        assert!(matches!(&error, LaunchError::Formula { what: told, .. } if *told == what), "{error}");
    }
    let text = "a formula of the launch of kernel in_parts divides by zero for out.len() = 9, rows = 3, stride = 4, \
                parts = 0, scale = 1; pass others, or have the kernel require what it needs";
    assert_eq!(refused(3, 4, 0, 9).to_string(), text);
    // A launch that follows begins anew.
    assert!(prepare(&in_parts::launch(&mut out, 3, 4, 2, 1.0)).is_ok());
    assert!(matches!(refused(u32::MAX, u32::MAX, 2, 9), LaunchError::Relation { .. }));
}

#[test]
fn a_plain_kernel_covers_its_first_output_on_every_machine() {
    let (x, mut out, mut more) = (Memory::new(7), Memory::new(1000), Memory::new(5));
    let launch = plain::launch(&x, &mut out, &mut more);
    for kind in KINDS {
        let threads = if kind == MachineKind::Gpu { 128 } else { 32 };
        let rule = (plain::KERNEL.block)(kind);
        assert_eq!(rule, BlockRule { default: [threads, 1, 1], range: None });
        let expected = Prepared { grid: [1000u32.div_ceil(threads), 1, 1], block: [threads, 1, 1], shared: 0 };
        assert_eq!(launch.prepare(kind, 1, &Limits::BASELINE), Ok(expected), "{kind:?}");
    }
}

#[test]
fn formulas_see_the_block_and_the_machine() {
    let mut out = Memory::new(100_000);
    let launch = lanes::launch(&mut out);
    for (kind, lanes) in KINDS.into_iter().zip([4, 8, 16, 32]) {
        let prepared = launch.prepare(kind, 1, &Limits::BASELINE).unwrap();
        let grid = 100_000u32.div_ceil(256 * lanes);
        assert_eq!(prepared, Prepared { grid: [grid, 1, 1], block: [256, 1, 1], shared: 1024 }, "{kind:?}");
    }
    let prepared = prepare(&launch.threads_per_block(64)).unwrap();
    assert_eq!(prepared, Prepared { grid: [391, 1, 1], block: [64, 1, 1], shared: 256 });
}

#[test]
fn a_grid_has_three_dimensions_and_may_be_empty() {
    let mut out = Memory::new(100 * 33);
    let prepared = prepare(&matrix::launch(&mut out, 100, 33, 17)).unwrap();
    assert_eq!(prepared, Prepared { grid: [3, 13, 2], block: [16, 8, 1], shared: 17 });
    let mut empty = Memory::new(0);
    assert_eq!(prepare(&lanes::launch(&mut empty)).unwrap().grid, [0, 1, 1]);
}

#[test]
fn a_block_within_the_bounds_is_taken() {
    let mut out = Memory::new(100);
    for threads in [64, 96, 512] {
        let launch = lanes::launch(&mut out).threads_per_block(threads);
        assert_eq!(prepare(&launch).unwrap().block, [threads, 1, 1]);
    }
    // The one size of a fixed block may be named.
    assert_eq!(prepare(&matrix::launch(&mut out, 1, 1, 0).threads_per_block(128)).unwrap().block, [16, 8, 1]);
}

#[test]
fn a_block_outside_the_bounds_is_refused_with_those_that_are_not() {
    let mut out = Memory::new(100);
    for threads in [0, 32, 65, 100, 544, 2000, u32::MAX] {
        let error = prepare(&lanes::launch(&mut out).threads_per_block(threads)).unwrap_err();
        assert_eq!(error, LaunchError::Block { kernel: "lanes", threads, least: 64, most: 512 });
        let expected =
            format!("kernel lanes cannot run with {threads} threads per block; choose a multiple of 32 from 64 to 512");
        assert_eq!(error.to_string(), expected);
    }
    // Nor is a block without a thread one, whatever was computed.
    assert!(matches!(prepare(&odd::launch(&mut out).threads_per_block(0)), Err(LaunchError::Block { threads: 0, .. })));
    assert_eq!(prepare(&odd::launch(&mut out).threads_per_block(992)).unwrap().block, [992, 1, 1]);
    // A device may set a closer bound, also to the kernel's own choice.
    let limits = Limits { threads: 128, ..Limits::BASELINE };
    for launch in [lanes::launch(&mut out).threads_per_block(160), lanes::launch(&mut Memory::new(1))] {
        let error = launch.prepare(MachineKind::Gpu, 1, &limits).unwrap_err();
        assert!(matches!(error, LaunchError::Block { least: 64, most: 128, .. }), "{error:?}");
    }
}

#[test]
fn a_fixed_block_cannot_be_another() {
    let mut out = Memory::new(100);
    for threads in [0, 32, 256] {
        let error = prepare(&matrix::launch(&mut out, 1, 1, 0).threads_per_block(threads)).unwrap_err();
        assert_eq!(error, LaunchError::FixedBlock { kernel: "matrix", threads, fixed: 128 });
        let expected = format!("kernel matrix cannot run with {threads} threads per block; it is written for 128");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_block_that_no_device_has_is_refused() {
    let mut out = Memory::new(100);
    let error = prepare(&large::launch(&mut out)).unwrap_err();
    assert_eq!(error, LaunchError::LargeBlock { kernel: "large", threads: 2048, most: 1024 });
    let expected = "kernel large is written for 2048 threads per block, and the device can launch 1024; write it for \
                    smaller blocks";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_block_of_no_threads_or_too_many_along_an_axis_is_refused() {
    let mut out = Memory::new(100);
    let error = prepare(&without_threads::launch(&mut out)).unwrap_err();
    assert_eq!(error, LaunchError::BlockShape { kernel: "without_threads", block: [32, 0, 1] });
    let text = "kernel without_threads is written for blocks of 32 x 0 x 1 threads; a block has at least one, and up to 64 \
                along z";
    assert_eq!(error.to_string(), text);
    let error = prepare(&deep::launch(&mut out)).unwrap_err();
    assert_eq!(error, LaunchError::BlockShape { kernel: "deep", block: [1, 1, 65] });
    // 2^32 threads are not none.
    let error = prepare(&more_than_32_bits::launch(&mut out)).unwrap_err();
    assert_eq!(error, LaunchError::LargeBlock { kernel: "more_than_32_bits", threads: u32::MAX, most: 1024 });
}

#[test]
fn the_first_relation_that_does_not_hold_is_told_with_the_arguments() {
    let mut out = Memory::new(5);
    let error = prepare(&matrix::launch(&mut out, 2, 3, 4)).unwrap_err();
    let text = "kernel matrix needs out.len() >= rows * columns, which does not hold for \
                out.len() = 5, rows = 2, columns = 3, bytes = 4";
    assert_eq!(error.to_string(), text);
    let error = prepare(&matrix::launch(&mut out, 2, 0, 4)).unwrap_err();
    assert!(error.to_string().starts_with("kernel matrix needs columns > 0 && rows > 0, which"), "{error}");
}

#[test]
fn arguments_of_every_type_are_told_as_they_were_given() {
    let x = Memory::new(101);
    let launch = |scale| prepare(&demanding::launch(&x, scale, -0.5, -1, -2, -3, -4, 200, u64::MAX)).map(|_| ());
    assert_eq!(launch(1.0), Ok(()));
    let text = "kernel demanding needs scale > 0.0, which does not hold for x.len() = 101, scale = -1.25, \
                wide = -0.5, a = -1, b = -2, c = -3, d = -4, e = 200, f = 18446744073709551615";
    assert_eq!(launch(-1.25).unwrap_err().to_string(), text);
    assert!(launch(f32::NAN).unwrap_err().to_string().contains("scale = NaN,"));
}

#[test]
fn memory_of_another_device_is_refused() {
    let (x, mut out, mut more) = (Memory::new(1), Memory::new(1), Memory::new(1));
    more.owner = 2;
    let launch = plain::launch(&x, &mut out, &mut more);
    let error = prepare(&launch).unwrap_err();
    assert_eq!(error, LaunchError::ForeignMemory { kernel: "plain" });
    let text = "an argument of kernel plain lies in another device's memory; copy it to this one first";
    assert_eq!(error.to_string(), text);
}

#[test]
fn more_shared_memory_than_there_is_is_refused() {
    let mut out = Memory::new(1);
    assert_eq!(prepare(&matrix::launch(&mut out, 1, 1, 49_152)).unwrap().shared, 49_152);
    let error = prepare(&matrix::launch(&mut out, 1, 1, 49_153)).unwrap_err();
    assert_eq!(error, LaunchError::SharedMemory { kernel: "matrix", wanted: 49_153, most: 49_152 });
    let text = "a block of kernel matrix needs 49153 bytes of shared memory, and the device has 49152; use smaller \
                blocks";
    assert_eq!(error.to_string(), text);
}

#[test]
fn more_blocks_than_a_grid_holds_are_refused() {
    let mut out = Memory::new(usize::MAX);
    let most = i32::MAX as u64;
    assert_eq!(prepare(&matrix::launch(&mut out, 1, 16 * most, 0)).unwrap().grid, [i32::MAX as u32, 1, 2]);
    let error = prepare(&matrix::launch(&mut out, 1, 16 * most + 1, 0)).unwrap_err();
    assert_eq!(error, LaunchError::Grid { kernel: "matrix", axis: "x", wanted: 1 << 31 });
    let text = "kernel matrix would need 2147483648 blocks along x, more than the device can launch";
    assert_eq!(error.to_string(), text);
    let error = prepare(&matrix::launch(&mut out, 65_536 * 8, 1, 0)).unwrap_err();
    assert_eq!(error, LaunchError::Grid { kernel: "matrix", axis: "y", wanted: 65_536 });
    let limits = Limits { grid: [10, 10, 1], ..Limits::BASELINE };
    let error = matrix::launch(&mut out, 1, 1, 0).prepare(MachineKind::Avx2, 1, &limits).unwrap_err();
    assert_eq!(error, LaunchError::Grid { kernel: "matrix", axis: "z", wanted: 2 });
}

#[test]
fn a_rule_takes_no_more_threads_than_wanted_where_it_can() {
    let rule = BlockRule { default: [256, 1, 1], range: Some((64, 512)) };
    let taken = [0, 63, 64, 95, 96, 511, 512, 5000, u32::MAX].map(|threads| rule.nearest(threads));
    assert_eq!(taken, [64, 64, 64, 64, 96, 480, 512, 512, 512]);
    // Bounds that were computed, and are no whole warps.
    let odd = BlockRule { default: [64, 1, 1], range: Some((33, 1000)) };
    assert_eq!([0, 64, 65, 5000].map(|threads| odd.nearest(threads)), [64, 64, 64, 992]);
    let none = BlockRule { default: [64, 1, 1], range: Some((0, 64)) };
    assert_eq!(none.nearest(0), 32);
    let fixed = BlockRule { default: [16, 8, 2], range: None };
    assert_eq!([0, 100, 5000].map(|threads| fixed.nearest(threads)), [256; 3]);
}

#[test]
fn numbers_come_out_of_arguments_as_they_went_in() {
    fn check<T: cuda_std::launch::DeviceCopy + PartialEq + std::fmt::Debug>(values: impl IntoIterator<Item = T>) {
        for value in values {
            let arg = Arg::scalar(value);
            assert_eq!(arg.to_scalar::<T>(), value);
            assert!(matches!(arg, Arg::Scalar { size, .. } if size == size_of::<T>()));
            assert_eq!(arg.region(), None);
        }
    }
    check([0u8, 200, 255]);
    check([-128i8, -1, 127]);
    check([0u16, 65_535]);
    check([-32_768i16, -1]);
    check([0u32, 1, u32::MAX]);
    check([i32::MIN, -1, i32::MAX]);
    check([0u64, u64::MAX - 1]);
    check([i64::MIN, -1]);
    check([usize::MAX]);
    check([isize::MIN]);
    check([-0.0f32, 1.5, f32::INFINITY, f32::MIN_POSITIVE / 2.0]);
    check([-0.0f64, 1e300, f64::NEG_INFINITY]);
    check([[1.5f32, -2.5]]);
    let nan = f32::from_bits(0x7fc1_2345);
    assert_eq!(Arg::scalar(nan).to_scalar::<f32>().to_bits(), nan.to_bits());
    assert_eq!(Arg::scalar(0x0102_0304u32), Arg::Scalar { bytes: [4, 3, 2, 1, 0, 0, 0, 0], size: 4 });
}

#[test]
#[should_panic(expected = "expected a scalar of 8 bytes")]
fn a_number_is_not_taken_for_one_of_another_size() {
    Arg::scalar(1.0f32).to_scalar::<f64>();
}

#[test]
#[should_panic(expected = "expected memory")]
fn a_number_is_not_taken_for_memory() {
    Arg::scalar(1u64).to_region();
}

#[test]
fn slices_and_pointers_name_their_region() {
    let x = Memory::<f32>::new(101);
    let launch = demanding::launch(&x, 1.0, 0.0, 0, 0, 0, 0, 0, 0);
    assert_eq!(launch.args()[0], Arg::Pointer(x.region()));
    let (mut out, mut more) = (Memory::new(3), Memory::new(4));
    let regions = [x.region(), out.region(), more.region()];
    let launch = plain::launch(&x, &mut out, &mut more);
    assert_eq!(launch.args(), regions.map(Arg::Slice));
    assert_eq!(regions[1], Region { address: 4096, len: 3, owner: 1 });
    assert_eq!(launch.args()[1].region(), Some(regions[1]));
}

#[test]
fn a_kernel_describes_itself() {
    let kernel = &demanding::KERNEL;
    assert_eq!((kernel.name, kernel.path), ("demanding", "launch::demanding"));
    let parameters: Vec<_> = kernel.parameters.iter().map(|p| (p.name, p.type_name)).collect();
    assert_eq!(parameters[..3], [("x", "*const f32"), ("scale", "f32"), ("wide", "f64")]);
    assert_eq!(format!("{kernel:?}"), r#"Kernel { name: "demanding", path: "launch::demanding", .. }"#);
    assert_eq!(Limits::BASELINE.threads, 1024);
}
