//! A planted fault for each rule of the instruction, and its mended twin.

use ptx_interpreter::{FaultKind, LaunchError};

use crate::matrices::{B128, BF16, operands};
use crate::support::marked_lines;
use crate::{LOAD, SEEDS, kernel, product, run};

/// A faulty body and its mended twin, in which `MMA` is a product, `MMAR` one of a matrix in registers, which `LOAD` sets,
/// and `COMMIT` and `WAIT` what they are called.
fn planted(faulty: &str, mended: &str, is_expected: impl Fn(&FaultKind) -> bool) {
    let (image, descriptors) = operands(&BF16, 8, B128, 0);
    let of_registers =
        "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 SUMS, {%r10, %r11, %r12, %r13}, %rd6, %p1, 1, 1, 0;";
    let text = |body: &str| {
        let body = body
            .replace("LOAD", LOAD)
            .replace("MMAR", of_registers)
            .replace("PUBLISH", "fence.proxy.async.shared::cta;")
            .replace("FENCE", "wgmma.fence.sync.aligned;")
            .replace("MMA", "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 SUMS, %rd5, %rd6, %p1, 1, 1, 0, 0;")
            .replace("COMMIT", "wgmma.commit_group.sync.aligned;")
            .replace("WAIT", "wgmma.wait_group.sync.aligned 0;");
        kernel(image.len(), 8, &body)
    };
    for seed in 0..SEEDS {
        let (text, mended) = (text(faulty), text(mended));
        let Err(LaunchError::Fault(fault)) = run(&text, &image, descriptors, 128, seed) else {
            panic!("seed {seed}: no fault\n{text}");
        };
        assert!(is_expected(&fault.kind), "seed {seed}: {fault}");
        assert!(marked_lines(&text, "// FAULT").contains(&fault.party.ptx_line), "seed {seed}: {fault}\n{text}");
        run(&mended, &image, descriptors, 128, seed).unwrap_or_else(|error| panic!("seed {seed}, mended: {error}"));
    }
}

#[test]
fn what_was_written_has_to_be_published() {
    let is_expected = |kind: &FaultKind| matches!(kind, FaultKind::NotPublished { .. });
    let good = "PUBLISH bar.sync 0;\nFENCE MMA COMMIT WAIT";
    planted("bar.sync 0;\nFENCE MMA COMMIT WAIT // FAULT", good, is_expected);
    // A fence before the write, and one that is for global memory only.
    let write = "st.shared.b32 [%r2+1024], 0;";
    let faulty = format!("PUBLISH {write} bar.sync 0;\nFENCE MMA COMMIT WAIT // FAULT");
    let one_writes = "setp.eq.u32 %p3, %r1, 0;\n@%p3";
    let faulty = faulty.replace(write, &format!("{one_writes} {write}"));
    let mended = format!("{one_writes} {write} PUBLISH bar.sync 0;\nFENCE MMA COMMIT WAIT");
    planted(&faulty, &mended, is_expected);
    planted("fence.proxy.async.global; bar.sync 0;\nFENCE MMA COMMIT WAIT // FAULT", good, is_expected);
    // The reader's own fence will do, behind the barrier, and not before it.
    planted("bar.sync 0;\nFENCE MMA COMMIT WAIT // FAULT", "bar.sync 0; PUBLISH\nFENCE MMA COMMIT WAIT", is_expected);
}

#[test]
fn nothing_orders_without_a_barrier() {
    let good = "PUBLISH bar.sync 0;\nFENCE MMA COMMIT WAIT";
    planted("PUBLISH\nFENCE MMA COMMIT WAIT // FAULT\nfill_too:", good, |kind| {
        matches!(kind, FaultKind::Race { .. } | FaultKind::Uninitialised { .. })
    });
}

#[test]
fn sums_are_nobodys_before_the_wait() {
    let is_expected = |kind: &FaultKind| matches!(kind, FaultKind::SumsUnderWay);
    let start = "PUBLISH bar.sync 0; FENCE MMA";
    let good = format!("{start} COMMIT WAIT\nadd.f32 %f1, %f1, 0f00000000;");
    for touch in ["add.f32 %f100, %f1, %f1;", "mov.f32 %f3, 0f00000000;", "st.global.v2.f32 [%rd2], {%f0, %f1};"] {
        planted(&format!("{start} COMMIT\n{touch} // FAULT\nWAIT"), &good, is_expected);
    }
    // A wait for older groups, and one before the group was closed.
    planted(
        &format!("{start} COMMIT wgmma.wait_group.sync.aligned 1;\nadd.f32 %f1, %f1, 0f00000000; // FAULT\nWAIT"),
        &good,
        is_expected,
    );
    planted(&format!("{start} WAIT\nadd.f32 %f1, %f1, 0f00000000; // FAULT\nCOMMIT WAIT"), &good, is_expected);
    // The same registers in another order.
    let other =
        "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f1, %f0, %f2, %f3}, %rd5, %rd6, %p1, 1, 1, 0, 0;";
    planted(&format!("{start} COMMIT\n{other} // FAULT\nCOMMIT WAIT"), &good, is_expected);
}

#[test]
fn registers_of_a_matrix_are_nobodys_before_the_wait() {
    let is_expected = |kind: &FaultKind| matches!(kind, FaultKind::FragmentUnderWay);
    let start = "PUBLISH bar.sync 0; LOAD FENCE MMAR";
    let good = format!("{start} MMAR COMMIT WAIT\nadd.u32 %r11, %r11, 1;");
    for touch in ["add.u32 %r10, %r10, 1;", "add.u32 %r20, %r13, 1;", "st.global.v2.b32 [%rd2], {%r11, %r12};"] {
        planted(&format!("{start} COMMIT\n{touch} // FAULT\nWAIT"), &good, is_expected);
    }
    planted(
        &format!("{start} COMMIT wgmma.wait_group.sync.aligned 1;\nmov.u32 %r10, 1; // FAULT\nWAIT"),
        &good,
        is_expected,
    );
    // A register of A as a sum, and a sum as a register of A.
    let swapped = |sums: &str, a: &str| {
        format!("wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {{{sums}}}, {{{a}}}, %rd6, %p1, 1, 1, 0;")
    };
    let sums = swapped("%f4, %f5, %f6, %r13", "%r14, %r15, %r16, %r17");
    let more = "mov.u32 %r14, 0; mov.u32 %r15, 0; mov.u32 %r16, 0; mov.u32 %r17, 0; mov.f32 %f4, 0f00000000;
        mov.f32 %f5, 0f00000000; mov.f32 %f6, 0f00000000;";
    let first = format!("PUBLISH bar.sync 0; LOAD {more} FENCE MMAR COMMIT");
    planted(
        &format!("{first}\n{sums} // FAULT\nCOMMIT WAIT"),
        &format!("{first} WAIT FENCE {sums} COMMIT WAIT"),
        is_expected,
    );
    let a = swapped("%f4, %f5, %f6, %f7", "%f0, %r15, %r16, %r17");
    let first = first.replace("FENCE", "mov.f32 %f7, 0f00000000; FENCE");
    planted(&format!("{first}\n{a} // FAULT\nCOMMIT WAIT"), &format!("{first} WAIT FENCE {a} COMMIT WAIT"), |kind| {
        matches!(kind, FaultKind::SumsUnderWay)
    });
}

#[test]
fn registers_of_a_matrix_are_fenced() {
    let is_expected = |kind: &FaultKind| matches!(kind, FaultKind::FragmentNotFenced);
    planted(
        "PUBLISH bar.sync 0; FENCE LOAD\nMMAR COMMIT WAIT // FAULT",
        "PUBLISH bar.sync 0; LOAD\nFENCE MMAR COMMIT WAIT",
        is_expected,
    );
    let twice = "PUBLISH bar.sync 0; LOAD FENCE MMAR COMMIT WAIT add.u32 %r12, %r12, 0;\nMMAR COMMIT WAIT // FAULT";
    planted(twice, &twice.replace(";\nMMAR", "; FENCE\nMMAR"), is_expected);
}

#[test]
fn sums_are_fenced() {
    let is_expected = |kind: &FaultKind| matches!(kind, FaultKind::SumsNotFenced);
    let good = "PUBLISH bar.sync 0;\nFENCE MMA COMMIT WAIT";
    planted("PUBLISH bar.sync 0;\nMMA COMMIT WAIT // FAULT", good, is_expected);
    planted("PUBLISH bar.sync 0; FENCE mov.f32 %f2, 0f00000000;\nMMA COMMIT WAIT // FAULT", good, is_expected);
    let twice = "PUBLISH bar.sync 0; FENCE MMA COMMIT WAIT add.f32 %f2, %f2, %f2;\nMMA COMMIT WAIT // FAULT";
    planted(twice, &twice.replace(";\nMMA", "; FENCE\nMMA"), is_expected);
}

#[test]
fn matrices_stay_until_the_wait() {
    let overwrite = "setp.eq.u32 %p3, %r1, 127;\n@%p3 st.shared.b32 [%r2+1028], 7;";
    let start = "PUBLISH bar.sync 0;";
    let good = format!("{start} FENCE MMA COMMIT WAIT bar.sync 0; {overwrite}");
    // Barriers do not wait for products.
    let faulty = format!("{start}\nFENCE MMA COMMIT // FAULT\nbar.sync 0; {overwrite} bar.sync 0; WAIT");
    planted(&faulty, &good, |kind| matches!(kind, FaultKind::WrittenUnderWay { .. }));
    // A wait of one warp says nothing of the others.
    let faulty = format!(
        "{start}\nFENCE MMA COMMIT // FAULT\nWAIT\nsetp.eq.u32 %p3, %r1, 127;\n@%p3 st.shared.b32 [%r2+1028], 7; // FAULT"
    );
    planted(&faulty, &good, |kind| matches!(kind, FaultKind::Race { .. }));
}

#[test]
fn warps_go_together() {
    let is_expected = |kind: &FaultKind| matches!(kind, FaultKind::WarpgroupDiverged);
    let good = "PUBLISH bar.sync 0;\nFENCE MMA COMMIT WAIT";
    // One warp's descriptor, one lane's, and a warp that leaves.
    let other = |condition: &str| {
        format!("PUBLISH bar.sync 0; {condition} @%p3 add.s64 %rd6, %rd6, 2;\nFENCE MMA COMMIT WAIT // FAULT")
    };
    planted(&other("setp.ge.u32 %p3, %r1, 96;"), good, is_expected);
    planted(&other("setp.eq.u32 %p3, %r1, 3;"), good, is_expected);
    planted(
        "PUBLISH bar.sync 0; setp.ge.u32 %p3, %r1, 96;\n@%p3 exit; // FAULT\nFENCE MMA COMMIT WAIT",
        good,
        is_expected,
    );
}

#[test]
fn a_warpgroup_is_whole_and_descriptors_mean_something() {
    let (image, [a, b]) = operands(&BF16, 8, B128, 0);
    let text = kernel(image.len(), 8, &product(&BF16, 8, "1, 1, 0, 0"));
    let fault = |text: &str, descriptors, threads| match run(text, &image, descriptors, threads, 1) {
        Err(LaunchError::Fault(fault)) => fault.kind,
        other => panic!("{other:?}"),
    };
    assert!(matches!(fault(&text, [a, b], 96), FaultKind::WarpgroupNotWhole { threads: 96 }));
    let base_offset = fault(&text, [a | 1 << 49, b], 128);
    assert!(matches!(base_offset, FaultKind::BadDescriptor { .. }), "{base_offset}");
    assert!(base_offset.to_string().contains("base offset"), "{base_offset}");
    let turned = text.replace("1, 1, 0, 0;", "1, 1, 0, 1;");
    let unswizzled = fault(&turned, [a, b & !(3 << 62)], 128).to_string();
    assert!(unswizzled.contains("with a swizzle only"), "{unswizzled}");
    let outside = fault(&text, [a, b + 1024], 128);
    assert!(matches!(outside, FaultKind::OutOfBounds { .. }), "{outside}");
    let two = text.replace(".shared .align 1024", ".shared .align 4 .b8 other[4]; .shared .align 1024");
    let two = two.replace("mov.u32 %r2, tile;", "mov.u32 %r2, other; mov.u32 %r2, tile;");
    assert!(fault(&two, [a, b], 128).to_string().contains("several shared variables"));
}
