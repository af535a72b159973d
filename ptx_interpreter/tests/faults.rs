//! A planted fault for each check of memory, and its mended twin.

mod support;

use ptx_interpreter::{Argument, FaultKind, Gpu, Grid, LaunchError, Space};
use support::planted::{Case, one_block};
use support::{module_text, parse};

#[test]
fn out_of_bounds_after_the_end() {
    Case::new(
        one_block(65),
        "mul.wide.u32 %rd3, %r1, 4; add.s64 %rd4, %rd1, %rd3;\nld.global.u32 %r3, [%rd4]; // FAULT",
        "min.u32 %r1, %r1, 63; mul.wide.u32 %rd3, %r1, 4; add.s64 %rd4, %rd1, %rd3;\nld.global.u32 %r3, [%rd4];",
    )
    .check(false, |kind| matches!(kind, FaultKind::OutOfBounds { nearest, .. } if nearest.contains("at byte 256")));
}

#[test]
fn out_of_bounds_before_the_start() {
    Case::new(one_block(1), "st.global.u32 [%rd1+-4], %r1; // FAULT", "st.global.u32 [%rd1], %r1;").check(
        false,
        |kind| matches!(kind, FaultKind::OutOfBounds { nearest, .. } if nearest.contains("4 bytes before")),
    );
}

#[test]
fn a_shared_array_does_not_run_over_into_the_next() {
    let mut case = Case::new(
        one_block(1),
        "mov.u32 %r3, first; st.shared.u32 [%r3+16], 1; // FAULT",
        "mov.u32 %r3, first; st.shared.u32 [%r3+12], 1;",
    );
    case.outside = ".shared .align 4 .b8 first[16]; .shared .align 4 .b8 second[16];";
    case.check(false, |kind| matches!(kind, FaultKind::OutOfBounds { space: Space::Shared, .. }));
}

#[test]
fn local_memory_has_bounds_too() {
    Case::new(
        one_block(1),
        ".local .align 4 .b8 stack[16]; mov.u64 %rd3, stack; st.local.u32 [%rd3+16], 1; // FAULT",
        ".local .align 4 .b8 stack[16]; mov.u64 %rd3, stack; st.local.u32 [%rd3+12], 1;",
    )
    .check(false, |kind| matches!(kind, FaultKind::OutOfBounds { space: Space::Local, .. }));
}

#[test]
fn null_is_no_address() {
    Case::new(one_block(1), "mov.u64 %rd3, 0; ld.u32 %r3, [%rd3]; // FAULT", "ld.u32 %r3, [%rd1];")
        .check(false, |kind| matches!(kind, FaultKind::OutOfBounds { nearest, .. } if nearest.contains("null")));
}

#[test]
fn misaligned_scalar() {
    Case::new(one_block(1), "ld.global.u32 %r3, [%rd1+2]; // FAULT", "ld.global.u16 %r3, [%rd1+2];")
        .check(false, |kind| matches!(kind, FaultKind::Misaligned { bytes: 4, .. }));
}

#[test]
fn misaligned_vector() {
    Case::new(
        one_block(1),
        "ld.global.v4.u32 {%r3, %r4, %r5, %r6}, [%rd1+8]; // FAULT",
        "ld.global.v4.u32 {%r3, %r4, %r5, %r6}, [%rd1+16];",
    )
    .check(false, |kind| matches!(kind, FaultKind::Misaligned { bytes: 16, .. }));
}

#[test]
fn uninitialised_global_memory() {
    Case::new(
        one_block(1),
        "ld.global.u32 %r3, [%rd2]; // FAULT",
        "st.global.u32 [%rd2], 5; ld.global.u32 %r3, [%rd2];",
    )
    .check(false, |kind| matches!(kind, FaultKind::Uninitialised { space: Space::Global, .. }));
}

#[test]
fn uninitialised_shared_memory() {
    Case::new(
        one_block(1),
        "mov.u32 %r3, tile; st.shared.u16 [%r3], 1; ld.shared.u32 %r4, [%r3]; // FAULT",
        "mov.u32 %r3, tile; st.shared.u32 [%r3], 1; ld.shared.u32 %r4, [%r3];",
    )
    .with_shared()
    .check(false, |kind| matches!(kind, FaultKind::Uninitialised { space: Space::Shared, .. }));
}

/// What one thread writes for another lacks a barrier more often than a value.
#[test]
fn a_barrier_is_asked_for_where_threads_share() {
    let message = |space| FaultKind::Uninitialised { space, address: 8, bytes: 4 }.to_string();
    let shared = message(Space::Shared);
    assert!(shared.ends_with("first, or is a barrier missing between the write and this read?"), "{shared}");
    assert!(message(Space::Global).ends_with("initialise them first"), "{}", message(Space::Global));
}

/// LLVM loads a structure of 12 bytes, aligned to 16, as a whole: nobody reads the fourth word.
#[test]
fn padding_may_be_loaded_uninitialised() {
    let body = |last: &str| {
        format!(
            "st.global.v2.u32 [%rd2], {{%r1, %r1}}; st.global.u32 [%rd2+8], %r1;\n\
             ld.global.v4.u32 {{%r3, %r4, %r5, %r6}}, [%rd2]; // FAULT\nadd.u32 %r7, %r3, {last};"
        )
    };
    Case::new(one_block(1), body("%r6").leak(), body("%r5").leak())
        .check(false, |kind| matches!(kind, FaultKind::Uninitialised { bytes: 16, .. }));
}

const NEIGHBOUR: &str = "mov.u32 %r3, tile; shl.b32 %r4, %r1, 2; add.s32 %r5, %r3, %r4;
    xor.b32 %r6, %r4, 4; add.s32 %r7, %r3, %r6;
";

#[test]
fn race_in_shared_memory_without_a_barrier() {
    // The neighbour may not have written yet: that is the same mistake seen from the other end.
    let faulty = format!(
        "{NEIGHBOUR} st.shared.u32 [%r5], 0;\nbar.sync 0;\nst.shared.u32 [%r5], %r1; // FAULT\nld.shared.u32 %r8, [%r7]; // FAULT\n"
    );
    let mended = format!(
        "{NEIGHBOUR} st.shared.u32 [%r5], 0;\nbar.sync 0;\nst.shared.u32 [%r5], %r1;\nbar.sync 0;\nld.shared.u32 %r8, [%r7];\n"
    );
    Case::new(one_block(64), faulty.leak(), mended.leak())
        .with_shared()
        .check(true, |kind| matches!(kind, FaultKind::Race { space: Space::Shared, .. }));
}

#[test]
fn race_of_a_loop_that_lacks_its_second_barrier() {
    // Each thread rewrites its word while its neighbour may still read the old one.
    let body = |second: &str| {
        format!(
            "{NEIGHBOUR} mov.u32 %r9, 0;\nloop:\nst.shared.u32 [%r5], %r9; // FAULT\nbar.sync 0;\n\
             ld.shared.u32 %r8, [%r7]; // FAULT\n{second}\nadd.s32 %r9, %r9, 1;\nsetp.lt.u32 %p1, %r9, 4;\n@%p1 bra loop;"
        )
    };
    Case::new(one_block(64), body("").leak(), body("bar.sync 0;").leak())
        .with_shared()
        .check(true, |kind| matches!(kind, FaultKind::Race { .. }));
}

#[test]
fn a_warp_is_not_in_lockstep() {
    let body = |sync: &str| {
        format!(
            "{NEIGHBOUR} st.shared.u32 [%r5], 0;\nbar.sync 0;\nst.shared.u32 [%r5], %r1; // FAULT\n{sync}\nld.shared.u32 %r8, [%r7]; // FAULT\n"
        )
    };
    Case::new(one_block(32), body("").leak(), body("bar.warp.sync 0xffffffff;").leak())
        .with_shared()
        .check(true, |kind| matches!(kind, FaultKind::Race { .. }));
}

#[test]
fn race_of_two_blocks() {
    Case::new(
        Grid::linear(2, 1),
        "st.global.u32 [%rd1], %r2; // FAULT",
        "mul.wide.u32 %rd3, %r2, 4; add.s64 %rd3, %rd1, %rd3; st.global.u32 [%rd3], %r2;",
    )
    .check(true, |kind| matches!(kind, FaultKind::Race { space: Space::Global, .. }));
}

/// A warp meets on its own, and one of its lanes writes what all threads have read.
#[test]
fn race_with_a_warp_that_has_not_met() {
    let body = |met: &str| {
        format!(
            "ld.global.u32 %r3, [%rd1]; // FAULT\n{met}\nsetp.ne.u32 %p1, %r1, 64;\n@%p1 bra done;\n\
             st.global.u32 [%rd1], 1; // FAULT\ndone:"
        )
    };
    // Who reads last, and before that, differs.
    Case::new(one_block(96), body("bar.warp.sync -1;").leak(), body("bar.sync 0;").leak())
        .with_seeds(300)
        .check(true, |kind| matches!(kind, FaultKind::Race { space: Space::Global, .. }));
}

/// A block meets, and one of its threads writes what all blocks have read, or reads what all add to.
#[test]
fn race_with_a_block_that_has_not_met() {
    let body = |all: &str, one: &str, own: &str| {
        format!(
            "{own}\n{all} // FAULT\nbar.sync 0;\nor.b32 %r3, %r1, %r2;\nsetp.ne.u32 %p1, %r3, 0;\n@%p1 bra done;\n{one} // FAULT\ndone:"
        )
    };
    let own = "mul.wide.u32 %rd3, %r2, 4; add.s64 %rd1, %rd1, %rd3;";
    let (read, write) = ("ld.global.u32 %r4, [%rd1];", "st.global.u32 [%rd1], 1;");
    for (all, one) in [(read, write), ("red.global.add.u32 [%rd1], 1;", read)] {
        Case::new(Grid::linear(3, 64), body(all, one, "").leak(), body(all, one, own).leak())
            .with_seeds(100)
            .check(true, |kind| matches!(kind, FaultKind::Race { space: Space::Global, .. }));
    }
}

#[test]
fn race_of_bytes_that_share_a_word() {
    Case::new(
        one_block(64),
        "cvt.u64.u32 %rd3, %r1; add.s64 %rd4, %rd1, %rd3; shr.u64 %rd3, %rd3, 1; add.s64 %rd4, %rd1, %rd3;\nst.global.u8 [%rd4], %r1; // FAULT",
        "cvt.u64.u32 %rd3, %r1; add.s64 %rd4, %rd1, %rd3;\nst.global.u8 [%rd4], %r1;",
    )
    .check(true, |kind| matches!(kind, FaultKind::Race { .. }));
}

#[test]
fn an_atomic_races_with_a_plain_store() {
    Case::new(
        one_block(2),
        "setp.eq.u32 %p1, %r1, 0;\n@%p1 st.global.u32 [%rd1], 7; // FAULT\n@!%p1 red.global.add.u32 [%rd1], 1; // FAULT",
        "setp.eq.u32 %p1, %r1, 0;\n@%p1 atom.global.exch.b32 %r3, [%rd1], 7;\n@!%p1 red.global.add.u32 [%rd1], 1;",
    )
    .check(true, |kind| matches!(kind, FaultKind::Race { .. }));
}

#[test]
fn a_strong_load_does_not_race_with_an_atomic() {
    Case::new(
        Grid::linear(4, 32),
        "red.global.add.u32 [%rd1], 1; // FAULT\nld.global.u32 %r3, [%rd1]; // FAULT",
        "red.global.add.u32 [%rd1], 1;\nld.relaxed.gpu.global.u32 %r3, [%rd1];\nld.volatile.global.u32 %r3, [%rd1];",
    )
    .check(true, |kind| matches!(kind, FaultKind::Race { .. }));
}

/// The last block to finish reads what the others wrote: a fence before the counter, one after, and barriers around.
fn last_block(before: &str, after: &str) -> &'static str {
    let body = format!(
        "mad.lo.u32 %r3, %r2, 32, %r1; mul.wide.u32 %rd3, %r3, 4; add.s64 %rd4, %rd2, %rd3;
         xor.b32 %r3, %r3, 32; mul.wide.u32 %rd3, %r3, 4; add.s64 %rd5, %rd2, %rd3; mov.u32 %r4, tile;
         st.global.u32 [%rd4], %r1; // FAULT
         bar.sync 0; setp.ne.u32 %p1, %r1, 0; @%p1 bra wait;
         {before} atom.global.add.u32 %r5, [%rd1], 1; st.shared.u32 [%r4], %r5; {after}
         wait: bar.sync 0; ld.shared.u32 %r5, [%r4]; setp.eq.u32 %p1, %r5, 1;
         @%p1 ld.global.u32 %r6, [%rd5]; // FAULT\n"
    );
    body.leak()
}

#[test]
fn the_last_block_needs_a_fence_before_the_counter() {
    Case::new(Grid::linear(2, 32), last_block("", "membar.gl;"), last_block("membar.gl;", "membar.gl;"))
        .with_shared()
        .check(true, |kind| matches!(kind, FaultKind::Race { space: Space::Global, .. }));
}

#[test]
fn the_last_block_needs_a_fence_after_the_counter() {
    let mended = last_block("fence.acq_rel.gpu;", "fence.acq_rel.gpu;");
    Case::new(Grid::linear(2, 32), last_block("fence.acq_rel.gpu;", ""), mended)
        .with_shared()
        .check(true, |kind| matches!(kind, FaultKind::Race { .. }));
}

#[test]
fn a_fence_of_the_block_does_not_reach_other_blocks() {
    Case::new(Grid::linear(2, 32), last_block("membar.cta;", "membar.cta;"), last_block("membar.sys;", "membar.gl;"))
        .with_shared()
        .check(true, |kind| matches!(kind, FaultKind::Race { .. }));
}

/// Without clusters, every block is one of its own.
#[test]
fn the_scope_of_a_cluster_is_the_block() {
    Case::new(
        Grid::linear(2, 1),
        "red.relaxed.cluster.global.add.u32 [%rd1], 1; // FAULT",
        "red.relaxed.gpu.global.add.u32 [%rd1], 1;",
    )
    .check(true, |kind| matches!(kind, FaultKind::Race { .. }));
    let faulty = last_block("fence.acq_rel.cluster;", "fence.acq_rel.cluster;");
    Case::new(Grid::linear(2, 32), faulty, last_block("fence.acq_rel.gpu;", "fence.acq_rel.gpu;"))
        .with_shared()
        .check(true, |kind| matches!(kind, FaultKind::Race { .. }));
}

/// One thread hands a word to another of its block through a flag.
#[test]
fn a_flag_is_released_and_acquired() {
    let body = |store: &str, load: &str| {
        format!(
            "setp.ne.u32 %p1, %r1, 0; @%p1 bra take;
             st.global.u32 [%rd2], 7; // FAULT
             {store}.global.u32 [%rd1], 1; ret;
             take: {load}.global.u32 %r3, [%rd1]; setp.eq.u32 %p1, %r3, 0; @%p1 bra take;
             ld.global.u32 %r4, [%rd2]; // FAULT\n"
        )
    };
    let faulty = body("st.relaxed.gpu", "ld.relaxed.gpu").leak();
    Case::new(one_block(2), faulty, body("st.release.gpu", "ld.acquire.gpu").leak())
        .check(true, |kind| matches!(kind, FaultKind::Race { .. }));
}

#[test]
fn memory_promised_read_only_is_written() {
    Case::new(
        one_block(1),
        "ld.global.nc.u32 %r3, [%rd1]; // FAULT\nst.global.u32 [%rd1], 1; // FAULT",
        "ld.global.u32 %r3, [%rd1];\nst.global.u32 [%rd1], 1;",
    )
    .check(true, |kind| matches!(kind, FaultKind::WrittenWhileReadOnly { .. }));
}

#[test]
fn constants_are_not_written() {
    let mut case = Case::new(
        one_block(1),
        "mov.u64 %rd3, table; cvta.const.u64 %rd3, %rd3; st.u32 [%rd3], 1; // FAULT",
        "ld.const.u32 %r3, [table+4]; st.global.u32 [%rd1], %r3;",
    );
    case.outside = ".const .align 4 .u32 table[2] = {3, 4};";
    case.check(false, |kind| matches!(kind, FaultKind::ReadOnly { .. }));
}

#[test]
fn use_after_free() {
    let module = parse(&module_text("", ".param .u64 x", "ld.param.u64 %rd1, [x]; ld.global.u32 %r1, [%rd1];"));
    let mut gpu = Gpu::new();
    let buffer = gpu.alloc_from(&[1u32]);
    let arguments = [Argument::U64(buffer.address())];
    gpu.launch(&module, "k", one_block(1), &arguments).expect("the buffer is there");
    gpu.free(buffer.address()).expect("the buffer is there");
    let error = gpu.launch(&module, "k", one_block(1), &arguments).expect_err("the buffer is gone");
    assert!(error.to_string().contains("the allocation of 4 bytes there was freed"), "{error}");
}

#[test]
fn faults_name_kernel_source_block_and_thread() {
    let text = module_text(
        ".file 1 \"src/lib.rs\"\n.file 2 \"core/slice.rs\"",
        "",
        ".loc 1 23 9\nmov.u32 %r1, %tid.y; mov.u32 %r2, %ctaid.x; setp.eq.u32 %p1, %r1, 1; setp.eq.and.u32 %p1, %r2, 2, %p1;\n\
         .loc 2 44 9, function_name $L__info_string0, inlined_at 1 23 9\n@%p1 trap;",
    );
    let grid = Grid { grid: [3, 1, 1], block: [4, 2, 1], dynamic_shared: 0 };
    let error = Gpu::new().launch(&parse(&text), "k", grid, &[]).expect_err("it traps");
    let LaunchError::Fault(fault) = error else { panic!("{error}") };
    let source = fault.party.source.clone().expect("there is a .loc");
    assert_eq!((source.file.as_str(), source.line, source.column), ("core/slice.rs", 44, 9));
    let caller = source.inlined_at.expect("it was inlined");
    assert_eq!((caller.file.as_str(), caller.line), ("src/lib.rs", 23));
    assert_eq!((fault.party.block, fault.party.thread[1]), ([2, 0, 0], 1));
    assert_eq!(fault.party.instruction, "@%p1 trap;");
    let shown = fault.to_string();
    assert!(
        shown.contains("kernel `k`") && shown.contains("core/slice.rs:44:9 (inlined at src/lib.rs:23:9)"),
        "{shown}"
    );
}
