//! A planted fault for each check of barriers, warps and control flow, and its mended twin.

mod support;

use ptx_interpreter::FaultKind;
use support::planted::{Case, one_block};

#[test]
fn a_barrier_that_exited_threads_miss() {
    Case::new(
        one_block(64),
        "setp.ge.u32 %p1, %r1, 40;\n@%p1 exit; // FAULT\nbar.sync 0; // FAULT",
        "setp.ge.u32 %p1, %r1, 40;\nbar.sync 0;\n@%p1 exit;",
    )
    .check(true, |kind| matches!(kind, FaultKind::BarrierNotReached { waiting: 40, missing: 24, .. }));
}

#[test]
fn a_barrier_in_both_arms_of_a_branch() {
    Case::new(
        one_block(64),
        "setp.lt.u32 %p1, %r1, 40;\n@%p1 bra yes;\nbar.sync 0; // FAULT\nbra done;\nyes:\nbar.sync 0; // FAULT\ndone:",
        "setp.lt.u32 %p1, %r1, 40;\n@%p1 bra yes;\nadd.u32 %r3, %r1, 1;\nyes:\nbar.sync 0;",
    )
    .check(true, |kind| matches!(kind, FaultKind::BarrierDiverged { barrier: 0 }));
}

#[test]
fn two_barriers_that_wait_for_each_other() {
    Case::new(
        one_block(64),
        "setp.lt.u32 %p1, %r1, 32;\n@%p1 bar.sync 1; // FAULT\n@!%p1 bar.sync 2; // FAULT",
        "setp.lt.u32 %p1, %r1, 32;\n@%p1 bar.sync 1, 32;\n@!%p1 bar.sync 2, 32;",
    )
    .check(true, |kind| matches!(kind, FaultKind::BarrierNotReached { .. }));
}

#[test]
fn a_barrier_with_an_odd_number_of_threads() {
    Case::new(one_block(32), "bar.sync 1, 20; // FAULT", "bar.sync 1, 32;")
        .check(false, |kind| matches!(kind, FaultKind::BadBarrier { barrier: 1, count: 20 }));
}

#[test]
fn a_shuffle_from_a_lane_that_has_exited() {
    Case::new(
        one_block(32),
        "setp.ge.u32 %p1, %r1, 16;\n@%p1 exit; // FAULT\nshfl.sync.down.b32 %r3, %r1, 8, 31, 0xffffffff; // FAULT",
        "setp.ge.u32 %p1, %r1, 16;\n@%p1 exit;\nshfl.sync.down.b32 %r3, %r1, 8, 4111, 0x0000ffff;",
    )
    .check(true, |kind| matches!(kind, FaultKind::InactiveLane { from: 16.., .. }));
}

#[test]
fn a_shuffle_from_a_lane_that_does_not_exist() {
    Case::new(
        one_block(20),
        "shfl.sync.bfly.b32 %r3, %r1, 16, 31, 0xffffffff; // FAULT",
        "shfl.sync.bfly.b32 %r3, %r1, 1, 31, 0xfffff;",
    )
    .check(false, |kind| matches!(kind, FaultKind::InactiveLane { .. }));
}

#[test]
fn a_shuffle_from_a_lane_outside_the_mask() {
    Case::new(
        one_block(32),
        "setp.lt.u32 %p1, %r1, 16;\n@%p1 shfl.sync.idx.b32 %r3, %r1, 20, 31, 0xffff; // FAULT\nmov.u32 %r4, 1;\nret; // FAULT",
        "setp.lt.u32 %p1, %r1, 16;\n@%p1 shfl.sync.idx.b32 %r3, %r1, 2, 31, 0xffff;",
    )
    .check_kind(|kind| matches!(kind, FaultKind::InactiveLane { reason: "is not in the mask", .. }));
}

#[test]
fn a_lane_outside_its_own_mask() {
    Case::new(
        one_block(32),
        "vote.sync.ballot.b32 %r3, 1, 0x0000ffff; // FAULT",
        "setp.ne.u32 %p1, %r1, 99; vote.sync.ballot.b32 %r3, %p1, 0xffffffff;",
    )
    .check(false, |kind| matches!(kind, FaultKind::NotInMask { mask: 0xFFFF, .. }));
}

#[test]
fn a_shuffle_in_a_divergent_branch() {
    Case::new(
        one_block(32),
        "setp.lt.u32 %p1, %r1, 16;\n@%p1 shfl.sync.bfly.b32 %r3, %r1, 1, 31, 0xffffffff; // FAULT\nbar.sync 0; // FAULT",
        "setp.lt.u32 %p1, %r1, 16;\nshfl.sync.bfly.b32 %r3, %r1, 1, 31, 0xffffffff;\nbar.sync 0;",
    )
    .check(true, |kind| matches!(kind, FaultKind::WarpDiverged { .. }));
}

#[test]
fn a_loop_without_end() {
    Case::new(one_block(1), "again: // FAULT\nbra again; // FAULT", "bra again;\nagain:")
        .check(false, |kind| matches!(kind, FaultKind::BudgetExceeded { budget: 100_000 }));
}

#[test]
fn a_trap() {
    Case::new(one_block(33), "setp.eq.u32 %p1, %r1, 32;\n@%p1 trap; // FAULT", "setp.eq.u32 %p1, %r1, 33;\n@%p1 trap;")
        .check(false, |kind| matches!(kind, FaultKind::Trap) && kind.to_string().contains("(`cpu_executor`)"));
}

#[test]
fn a_recursion_without_end() {
    let mut case = Case::new(one_block(1), "call.uni deep;", "call.uni shallow;");
    case.outside = ".func deep() { call.uni deep; // FAULT\n ret; }\n.func shallow() { ret; }";
    case.check(false, |kind| matches!(kind, FaultKind::CallDepth(_)));
}
