//! Whole products, against sums that know nothing of descriptors or fragments.

use crate::matrices::{B32, B64, B128, BF16, F16, Kind, NONE, TF32, number, operands, operands_of};
use crate::{LOAD, SEEDS, kernel, product, run};

fn expected(kind: &Kind, columns: usize, factor: f32, start: f32) -> Vec<f32> {
    let sum = |i: usize, j: usize| (0..kind.depth).map(|k| number(0, i, k) * number(1, j, k)).sum::<f32>();
    (0..64 * columns).map(|at| factor * sum(at / columns, at % columns) + start).collect()
}

#[test]
fn products_of_every_layout_and_kind() {
    for kind in [&BF16, &F16, &TF32] {
        // A last 32 bytes of the pattern's rows, where it has several.
        for (layout, first) in [(NONE, 0), (B32, 0), (B64, 0), (B64, 2), (B128, 0), (B128, 2), (B128, 6)] {
            for columns in [8, 24, 256] {
                let what = format!("{}, {layout:?} from piece {first}, {columns} columns", kind.name);
                let signs = if kind.depth == 8 { "1, 1" } else { "1, 1, 0, 0" };
                let text =
                    kernel(operands(kind, columns, layout, first).0.len(), columns, &product(kind, columns, signs));
                let (image, descriptors) = operands(kind, columns, layout, first);
                let found = run(&text, &image, descriptors, 128, columns as u64)
                    .unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(found, expected(kind, columns, 1.0, 0.5), "{what}");
            }
        }
    }
}

#[test]
fn products_of_registers_and_of_matrices_turned_over() {
    for kind in [&BF16, &F16] {
        for layout in [B32, B64, B128] {
            for (columns, in_registers, turned) in
                [(8, false, true), (24, true, false), (64, true, true), (160, true, true), (192, false, true)]
            {
                let what = format!("{}, {layout:?}, {columns} columns, {in_registers}, {turned}", kind.name);
                let (image, descriptors) = operands_of(kind, columns, layout, in_registers, turned);
                let (a, ways) = if in_registers { ("{%r10, %r11, %r12, %r13}", "") } else { ("%rd5", "0, ") };
                let body = product(kind, columns, &format!("-1, 1, {ways}{}", u8::from(turned)));
                let body = body.replace("%rd5", a).replace("bar.sync 0;", &format!("bar.sync 0; {LOAD}"));
                let text = kernel(image.len(), columns, &body);
                let found = run(&text, &image, descriptors, 128, columns as u64)
                    .unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(found, expected(kind, columns, -1.0, 0.5), "{what}");
            }
        }
    }
}

#[test]
fn signs_and_sums_that_begin_anew() {
    let (image, descriptors) = operands(&BF16, 8, B128, 0);
    for (signs, factor) in [("-1, 1, 0, 0", -1.0), ("1, -1, 0, 0", -1.0), ("-1, -1, 0, 0", 1.0)] {
        let text = kernel(image.len(), 8, &product(&BF16, 8, signs));
        assert_eq!(run(&text, &image, descriptors, 128, 1).unwrap(), expected(&BF16, 8, factor, 0.5), "{signs}");
    }
    let text = kernel(image.len(), 8, &format!("setp.ne.u32 %p1, 0, 0;\n{}", product(&BF16, 8, "1, 1, 0, 0")));
    assert_eq!(run(&text, &image, descriptors, 128, 1).unwrap(), expected(&BF16, 8, 1.0, 0.0));
}

/// Products of a group, and of several groups, follow each other in the same sums.
#[test]
fn products_follow_each_other() {
    let (image, descriptors) = operands(&BF16, 8, B128, 0);
    let mma = "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 SUMS, %rd5, %rd6, %p1, 1, 1, 0, 0;";
    let commit = "wgmma.commit_group.sync.aligned;";
    let body = format!(
        "fence.proxy.async; bar.sync 0; wgmma.fence.sync.aligned; {mma} {mma} {commit} wgmma.fence.sync.aligned; {mma} {commit}
         wgmma.wait_group.sync.aligned 1; wgmma.wait_group.sync.aligned 0;"
    );
    let text = kernel(image.len(), 8, &body);
    for seed in 0..SEEDS {
        assert_eq!(run(&text, &image, descriptors, 128, seed).unwrap(), expected(&BF16, 8, 3.0, 0.5), "seed {seed}");
    }
}
