//! `cp.async`: what a kernel must not do while a copy is under way, and the twin that waits.

mod support;

use ptx_interpreter::{AccessKind, FaultKind, Grid, Space};
use support::planted::{Case, one_block};
use support::{module_text, run_on_buffer};

/// A word of `tile` at `%r5`, the neighbour's at `%r7`, and what each is copied from: `%rd4`, `%rd5`.
const OWN: &str =
    "mov.u32 %r3, tile; shl.b32 %r4, %r1, 2; add.s32 %r5, %r3, %r4; xor.b32 %r6, %r4, 4; add.s32 %r7, %r3, %r6;
    cvt.u64.u32 %rd3, %r4; add.s64 %rd4, %rd1, %rd3; xor.b64 %rd3, %rd3, 4; add.s64 %rd5, %rd1, %rd3;
";
const COPY: &str = "cp.async.ca.shared.global [%r5], [%rd4], 4;";

fn case(threads: u32, faulty: &str, mended: &str) -> Case {
    let body = |text: &str| -> &'static str { format!("{OWN}{}", text.replace("COPY", COPY)).leak() };
    Case::new(one_block(threads), body(faulty), body(mended)).with_shared()
}

fn is_under_way(kind: &FaultKind, of: AccessKind) -> bool {
    matches!(kind, FaultKind::CopyUnderWay { access, bytes: 4, .. } if *access == of)
        && kind.to_string().contains("a copy into it is under way")
        && kind.to_string().contains("`copy::wait`")
}

#[test]
fn a_copy_is_read_without_a_wait() {
    case(
        32,
        "COPY // FAULT\ncp.async.commit_group;\nld.shared.u32 %r8, [%r5]; // FAULT",
        "COPY\ncp.async.commit_group;\ncp.async.wait_group 0;\nld.shared.u32 %r8, [%r5];",
    )
    .check(true, |kind| is_under_way(kind, AccessKind::Read));
}

#[test]
fn a_wait_lets_too_many_groups_be_under_way() {
    // The older copy is read, and then the newer one.
    let body = |last: &str| {
        format!(
            "cp.async.ca.shared.global [%r5+128], [%rd4], 4;\ncp.async.commit_group;\nCOPY // FAULT\ncp.async.commit_group;\n\
             cp.async.wait_group 1;\nld.shared.u32 %r8, [%r5+128];\ncp.async.wait_group {last};\nld.shared.u32 %r8, [%r5]; // FAULT"
        )
    };
    case(32, &body("1"), &body("0")).check(true, |kind| is_under_way(kind, AccessKind::Read));
}

#[test]
fn a_group_that_is_not_closed_is_not_waited_for() {
    case(
        32,
        "COPY // FAULT\ncp.async.wait_group 0;\nld.shared.u32 %r8, [%r5]; // FAULT",
        "COPY\ncp.async.wait_all;\nld.shared.u32 %r8, [%r5];",
    )
    .check(true, |kind| is_under_way(kind, AccessKind::Read));
}

/// A group without copies is one: the only one that may be under way here, so that the older one is not.
#[test]
fn an_empty_group_counts() {
    case(
        32,
        "COPY // FAULT\ncp.async.commit_group;\ncp.async.wait_group 1;\nld.shared.u32 %r8, [%r5]; // FAULT",
        "COPY\ncp.async.commit_group;\ncp.async.commit_group;\ncp.async.wait_group 1;\nld.shared.u32 %r8, [%r5];",
    )
    .check(true, |kind| is_under_way(kind, AccessKind::Read));
}

/// A barrier between the copy and the wait orders nothing for others: the copy writes until the wait.
#[test]
fn a_barrier_does_not_wait_for_copies() {
    case(
        64,
        "COPY // FAULT\ncp.async.commit_group;\nbar.sync 0;\ncp.async.wait_group 0;\nld.shared.u32 %r8, [%r7]; // FAULT",
        "COPY\ncp.async.commit_group;\ncp.async.wait_group 0;\nbar.sync 0;\nld.shared.u32 %r8, [%r7];",
    )
    .check(true, |kind| is_under_way(kind, AccessKind::Read) || matches!(kind, FaultKind::Race { .. }));
}

#[test]
fn a_wait_is_the_issuing_threads_alone() {
    // The neighbour may not have begun: that is the same mistake seen from the other end.
    let body = |barrier: &str| {
        format!(
            "st.shared.u32 [%r5], 0;\nbar.sync 0;\nCOPY // FAULT\ncp.async.commit_group;\ncp.async.wait_group 0;\n\
             {barrier}\nld.shared.u32 %r8, [%r7]; // FAULT"
        )
    };
    case(64, &body(""), &body("bar.sync 0;"))
        .check(true, |kind| is_under_way(kind, AccessKind::Read) || matches!(kind, FaultKind::Race { .. }));
}

#[test]
fn a_copy_goes_where_somebody_still_reads() {
    let body = |barrier: &str| {
        format!(
            "COPY // FAULT\ncp.async.wait_all;\nbar.sync 0;\nld.shared.u32 %r8, [%r7]; // FAULT\n{barrier}\nCOPY // FAULT\ncp.async.wait_all;"
        )
    };
    let expected = |kind: &FaultKind| is_under_way(kind, AccessKind::Read) || matches!(kind, FaultKind::Race { .. });
    case(64, &body(""), &body("bar.sync 0;")).check_kind(expected);
}

#[test]
fn nobody_writes_where_a_copy_goes() {
    let twice = "cp.async.ca.shared.global [%r5], [%rd5], 4;";
    for (write, access) in [
        ("st.shared.u32 [%r5], 1;", AccessKind::Write),
        (twice, AccessKind::Write),
        ("red.shared.add.u32 [%r5], 1;", AccessKind::Atomic),
    ] {
        let faulty = format!("COPY // FAULT\n{write} // FAULT\ncp.async.wait_all;");
        case(32, &faulty, &format!("COPY\ncp.async.wait_all;\n{write}\ncp.async.wait_all;"))
            .check(true, |kind| is_under_way(kind, access));
    }
}

#[test]
fn the_source_is_written_before_the_wait() {
    case(
        32,
        "COPY // FAULT\nst.global.u32 [%rd4], 7;\ncp.async.wait_all;",
        "COPY\ncp.async.wait_all;\nst.global.u32 [%rd4], 7;",
    )
    .check(false, |kind| matches!(kind, FaultKind::CopiedUnderWay { space: Space::Global, .. }));
}

#[test]
fn the_source_is_written_by_another_thread_before_the_wait() {
    // The neighbour writes behind a barrier, and what it writes is what was there.
    case(
        64,
        "COPY // FAULT\nbar.sync 0;\nst.global.u32 [%rd5], 0; // FAULT\ncp.async.wait_all;",
        "COPY\ncp.async.wait_all;\nbar.sync 0;\nst.global.u32 [%rd5], 0;",
    )
    .check(true, |kind| matches!(kind, FaultKind::Race { space: Space::Global, .. }));
}

/// Where a predicate says that the source is to be ignored, zeros come, and nobody reads it.
#[test]
fn a_source_may_be_ignored() {
    for (ignored, expected) in [("ne", 0x11), ("eq", 0)] {
        let body = format!(
            "ld.param.u64 %rd1, [data]; mov.u32 %r1, tile; mov.u32 %r2, 1; mov.u64 %rd2, 8;
             setp.{ignored}.u32 %p1, %r2, 1; selp.b64 %rd3, %rd2, %rd1, %p1; st.global.u32 [%rd1], 0x11;
             cp.async.ca.shared.global [%r1], [%rd3], 4, %p1; cp.async.wait_all;
             ld.shared.u32 %r3, [%r1]; st.global.u32 [%rd1+4], %r3;"
        );
        let text = module_text(".shared .align 16 .b8 tile[16];", ".param .u64 data", &body);
        let (result, words) = run_on_buffer(&text, 0, Grid::linear(1, 1), 2);
        assert!(result.is_ok(), "{result:?}");
        assert_eq!(words[1], expected, "{ignored}");
    }
}

/// Nobody sees them, and the next block begins anew.
#[test]
fn copies_may_be_left_when_a_thread_exits() {
    let text = module_text(
        ".shared .align 16 .b8 tile[16];",
        ".param .u64 data",
        "ld.param.u64 %rd1, [data]; mov.u32 %r1, tile; cp.async.cg.shared.global [%r1], [%rd1], 16; cp.async.commit_group;",
    );
    assert!(run_on_buffer(&text, 0, Grid::linear(3, 1), 4).0.is_ok());
}
