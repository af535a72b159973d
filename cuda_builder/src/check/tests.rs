use super::*;

/// The same kernel compiled by rustc 1.96 with and without `-Zmir-enable-passes=-JumpThreading`.
const BARRIER_KEPT: &str = include_str!("../../tests/fixtures/barrier_kept.ptx");
const BARRIER_DUPLICATED: &str = include_str!("../../tests/fixtures/barrier_duplicated.ptx");

fn module(items: &str) -> String {
    format!(".version 7.0\n.target sm_75\n.address_size 64\n// cuda_std.kernel k gpu::family\n{items}\n")
}

/// A module with one kernel, `k`, of the given instructions.
fn kernel(body: &str) -> String {
    module(&format!(".visible .entry k(\n.param .u32 n\n)\n{{\n.reg .b32 %r<9>;\n{body}\n}}"))
}

fn checked(text: &str) -> Result<Vec<KernelInfo>, Vec<CheckError>> {
    check(&Ptx::read(text).unwrap(), &Allowances::default())
}

fn only_error(text: &str) -> CheckError {
    let [error] = checked(text).unwrap_err().try_into().unwrap();
    error
}

fn assert_sound(body: &str) {
    assert_eq!(checked(&kernel(body)).map(|kernels| kernels.len()), Ok(1), "{body}");
}

fn assert_divergent(body: &str) {
    let error = only_error(&kernel(body));
    assert!(matches!(error, CheckError::DivergentBarrier { .. }), "{error}");
}

#[test]
fn the_compilers_own_duplication_is_found_and_its_cure_is_seen() {
    let [kept] = checked(BARRIER_KEPT).unwrap().try_into().unwrap();
    let expected =
        KernelInfo { name: "swap_halves".into(), family: "halves".into(), barriers: 1, static_shared_bytes: 1024 };
    assert_eq!(kept, expected);
    let error = only_error(BARRIER_DUPLICATED);
    assert!(matches!(error, CheckError::DuplicatedBarrier { .. }), "{error}");
    let message = error.to_string();
    assert!(message.contains("`@%p1 bra $L__BB0_2;`") && message.contains("JumpThreading"), "{message}");
    assert_eq!(message.matches("`bar.sync 0;`").count(), 2, "{message}");
}

#[test]
fn more_shared_memory_than_a_gpu_gives_is_refused() {
    let array = |bytes: u64| kernel(&format!(".shared .align 16 .b8 tile[{bytes}];\nret;"));
    assert_eq!(checked(&array(48 << 10)).unwrap()[0].static_shared_bytes, 48 << 10);
    let error = only_error(&array((48 << 10) + 16));
    assert!(matches!(error, CheckError::SharedMemory { bytes: 49_168, most: 49_152, .. }), "{error}");
    assert!(error.to_string().contains("`k` declares 49168 bytes"), "{error}");
    // More than a number holds.
    for shape in ["[18446744073709551615][3]", "[18446744073709551615]"] {
        let text = kernel(&format!(".shared .align 16 .b32 a[8];\n.shared .align 16 .b32 tile{shape};\nret;"));
        assert!(matches!(only_error(&text), CheckError::SharedMemory { bytes: u64::MAX, .. }));
    }
    // Two arrays of its own, and one that it shares with other kernels.
    let parts = ".shared .align 4 .b8 a[20480];\n.shared .align 4 .b8 b[20480];\nld.shared.b32 %r1, [c];\nret;";
    let text = module(&format!(".shared .align 4 .b8 c[20480];\n.visible .entry k()\n{{\n{parts}\n}}"));
    assert!(matches!(only_error(&text), CheckError::SharedMemory { bytes: 61_440, .. }));
}

#[test]
fn dynamic_shared_memory_is_declared() {
    let body = ".visible .entry k()\n{\n{ .reg .u32 base; mov.u32 base, cuda_std_dynamic_shared; }\nret;\n}";
    let error = only_error(&module(body));
    assert!(matches!(error, CheckError::NoDynamicShared { .. }), "{error}");
    assert!(error.to_string().contains("#[kernel(shared = bytes)]"), "{error}");
    let declared = format!(".extern .shared .align 16 .b8 cuda_std_dynamic_shared[];\n{body}");
    assert_eq!(checked(&module(&declared)).map(|kernels| kernels.len()), Ok(1));
}

#[test]
fn all_threads_may_part_where_the_condition_is_the_same_for_all() {
    assert_sound("ld.param.u32 %r1, [n];\nsetp.eq.u32 %p1, %r1, 0;\n@%p1 bra $A;\nbar.sync 0;\n$A:\nret;");
    // A value that went through shared memory at one address.
    assert_sound(
        "mov.u32 %r3, %tid.x;\nld.shared.u32 %r1, [4];\nsetp.eq.u32 %p1, %r1, 0;\n@%p1 bra $A;\nbar.sync 0;\n$A:\nret;",
    );
    // A barrier that reduces gives one result to all.
    assert_sound(
        "mov.u32 %r1, %tid.x;\nsetp.eq.u32 %p1, %r1, 0;\nbar.red.or.pred %p2, 0, %p1;\n@%p2 bra $A;\nbar.sync 0;\n$A:\nret;",
    );
}

#[test]
fn a_register_that_differs_later_is_the_same_for_all_before() {
    let later = |last: &str| {
        format!(
            "mov.u32 %r1, %ctaid.x;\nand.b32 %r2, %r1, 1;\nsetp.eq.u32 %p1, %r2, 0;\n@%p1 bra $A;\nbar.sync 0;\n$A:\n\
             setp.eq.u32 %p2, %tid.x, 0;\n@%p2 bra $B;\nmov.u32 %r1, 7;\n$B:\n{last}\nst.global.u32 [%rd1], %r1;\nret;"
        )
    };
    assert_sound(&later(""));
    assert_divergent(&later("setp.eq.u32 %p3, %r1, 0;\n@%p3 bra $C;\nbar.sync 0;\n$C:"));
    // In a loop what comes later comes before, too.
    assert_divergent(
        "mov.u32 %r1, 0;\nmov.u32 %r3, 0;\n$L:\nsetp.eq.u32 %p1, %r1, 0;\n@%p1 bra $A;\nbar.sync 0;\n$A:\n\
         mov.u32 %r1, %tid.x;\nadd.u32 %r3, %r3, 1;\nsetp.lt.u32 %p2, %r3, 9;\n@%p2 bra $L;\nret;",
    );
    // A guarded assignment leaves some threads what they had.
    assert_divergent(
        "mov.u32 %r1, %tid.x;\nsetp.eq.u32 %p1, %ctaid.x, 0;\n@%p1 mov.u32 %r1, 0;\nsetp.eq.u32 %p2, %r1, 0;\n\
         @%p2 bra $A;\nbar.sync 0;\n$A:\nret;",
    );
    // One that all threads make does not.
    assert_sound(
        "mov.u32 %r1, %tid.x;\nst.global.u32 [%rd1], %r1;\nmov.u32 %r1, 0;\nsetp.eq.u32 %p2, %r1, 0;\n\
         @%p2 bra $A;\nbar.sync 0;\n$A:\nret;",
    );
}

#[test]
fn work_that_threads_skip_may_stand_beside_a_barrier() {
    assert_sound("setp.eq.u32 %p1, %tid.x, 0;\n@%p1 bra $A;\nst.shared.u32 [0], 1;\n$A:\nbar.sync 0;\nret;");
    // The failing arm of a bounds check ends the launch.
    assert_sound("setp.eq.u32 %p1, %tid.x, 0;\n@%p1 bra $A;\nbar.sync 0;\nret;\n$A:\ntrap;\nexit;");
    // A barrier of a warp names its threads.
    assert_sound("setp.eq.u32 %p1, %tid.x, 0;\n@%p1 bra $A;\nbar.warp.sync 1;\n$A:\nret;");
    // The inner loop differs, the outer does not.
    assert_sound(
        "mov.u32 %r1, 0;\n$O:\nbar.sync 0;\nmov.u32 %r2, %tid.x;\n$I:\nadd.u32 %r2, %r2, 32;\n\
         setp.lt.u32 %p1, %r2, 99;\n@%p1 bra $I;\nadd.u32 %r1, %r1, 1;\nsetp.lt.u32 %p2, %r1, 9;\n@%p2 bra $O;\nret;",
    );
}

#[test]
fn a_barrier_that_some_threads_miss_is_reported() {
    assert_divergent("setp.eq.u32 %p1, %tid.x, 0;\n@%p1 bra $A;\nbar.sync 0;\n$A:\nret;");
    assert_divergent("setp.eq.u32 %p1, %tid.x, 0;\n@%p1 bra $A;\nbar.sync 0;\n$A:\nbar.warp.sync 1;\nret;");
    // An early return.
    assert_divergent("setp.eq.u32 %p1, %tid.x, 0;\n@%p1 ret;\nbarrier.cta.sync.aligned.all 0;\nret;");
    assert_divergent("setp.eq.u32 %p1, %tid.x, 0;\n@%p1 exit;\nbar.sync 0;\nret;");
    // A guard.
    assert_divergent("setp.eq.u32 %p1, %tid.x, 0;\n@!%p1 bar.sync 0;\nret;");
    // Through memory and a shuffle.
    assert_divergent(
        "ld.global.u32 %r1, [%rd1];\nshfl.sync.bfly.b32 %r2|%p2, %r1, 1, 31, -1;\nsetp.eq.u32 %p1, %r2, 0;\n\
         @%p1 bra $A;\nbar.sync 0;\n$A:\nret;",
    );
    // Through local memory, by a generic load.
    assert_divergent(
        "cvta.local.u64 %SP, %SPL;\nadd.u64 %rd1, %SP, 8;\nld.b32 %r1, [%rd1];\nsetp.eq.u32 %p1, %r1, 0;\n\
         @%p1 bra $A;\nbar.sync 0;\n$A:\nret;",
    );
}

#[test]
fn a_function_that_is_given_a_threads_own_memory_may_part_threads() {
    let text = module(
        ".func f(.param .b64 p)\n{\nld.param.b64 %rd1, [p];\nld.b32 %r1, [%rd1];\nsetp.eq.u32 %p1, %r1, 0;\n\
         @%p1 bra $A;\nbar.sync 0;\n$A:\nret;\n}\n\
         .visible .entry k()\n{\ncvta.local.u64 %SP, %SPL;\n{\n.param .b64 param0;\nst.param.b64 [param0], %SP;\n\
         call.uni f, (param0);\n}\nret;\n}",
    );
    assert!(matches!(only_error(&text), CheckError::DivergentBarrier { .. }));
}

#[test]
fn a_loop_that_threads_leave_at_different_times_may_not_wait() {
    assert_divergent(
        "mov.u32 %r1, %tid.x;\n$L:\nbar.sync 0;\nadd.u32 %r1, %r1, 32;\nsetp.lt.u32 %p1, %r1, 99;\n@%p1 bra $L;\nret;",
    );
    // The count itself starts alike, but where the loop ends depends on the thread.
    assert_divergent(
        "mov.u32 %r1, 0;\n$L:\nadd.u32 %r1, %r1, 1;\nsetp.lt.u32 %p1, %r1, %tid.x;\n@%p1 bra $L;\n\
         setp.eq.u32 %p2, %r1, 3;\n@%p2 bra $A;\nbar.sync 0;\n$A:\nret;",
    );
    // A value chosen by a branch.
    assert_divergent(
        "setp.eq.u32 %p1, %tid.x, 0;\nmov.u32 %r1, 0;\n@%p1 bra $A;\nmov.u32 %r1, 1;\n$A:\n\
         setp.eq.u32 %p2, %r1, 0;\n@%p2 bra $B;\nbar.sync 0;\n$B:\nret;",
    );
}

#[test]
fn a_product_of_a_warp_must_be_reached_like_a_barrier() {
    let mma = "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%r1, %r1, %r1, %r1}, {%r1, %r1}, {%r1}, {%r1, %r1, %r1, %r1};";
    assert_divergent(&format!("setp.eq.u32 %p1, %tid.x, 0;\n@%p1 bra $A;\n{mma}\n$A:\nret;"));
    let load = "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r1, %r2, %r3, %r4}, [%r5];";
    assert_divergent(&format!("setp.eq.u32 %p1, %tid.x, 0;\n@%p1 bra $A;\n{load}\n$A:\nret;"));
    // The number of a wait is no result, which would make it another number for each thread.
    assert_sound("wgmma.wait_group.sync.aligned 0;\nsetp.eq.u32 %p1, %r1, 0;\n@%p1 bra $A;\nbar.sync 0;\n$A:\nret;");
    let group = "wgmma.commit_group.sync.aligned;";
    assert_divergent(&format!("setp.eq.u32 %p1, %tid.x, 0;\n@%p1 bra $A;\n{group}\n$A:\nret;"));
    assert_sound(&format!(
        "ld.param.u32 %r1, [n];\n$A:\n{mma}\nsub.u32 %r2, %r2, 1;\nsetp.ne.u32 %p1, %r2, 0;\n@%p1 bra $A;\nret;"
    ));
    // It is none of the barriers that a kernel is said to have.
    assert_eq!(checked(&kernel(&format!("{mma}\nret;"))).unwrap()[0].barriers, 0);
}

#[test]
fn jump_tables_part_threads_too() {
    let body = "$T: .branchtargets $A, $B;\nmov.u32 %r1, %tid.x;\nbrx.idx %r1, $T;\n\
                $A:\nbar.sync 0;\nbra.uni $C;\n$B:\nbar.sync 0;\n$C:\nret;";
    assert!(matches!(only_error(&kernel(body)), CheckError::DuplicatedBarrier { .. }));
}

#[test]
fn registers_of_inline_assembly_keep_to_their_scope() {
    assert_sound(
        "{ .reg .u32 t; mov.u32 t, %tid.x; add.u32 %r1, t, 1; }\n{ .reg .u32 t; mov.u32 t, 3; mov.u32 %r2, t; }\n\
         setp.eq.u32 %p1, %r2, 0;\n@%p1 bra $A;\nbar.sync 0;\n$A:\nret;",
    );
}

#[test]
fn a_call_to_a_function_that_waits_is_a_barrier() {
    let function = ".func wait(.param .u32 a)\n{\nbar.sync 0;\nret;\n}\n";
    let call = "setp.eq.u32 %p1, %tid.x, 0;\n@%p1 bra $A;\ncall.uni wait, (p0);\n$A:\nret;";
    let text = module(&format!("{function}.visible .entry k()\n{{\n{call}\n}}"));
    assert!(matches!(only_error(&text), CheckError::DivergentBarrier { .. }));
    // What is passed decides whether threads part in the function.
    let function = ".func f(.param .u32 a)\n{\nld.param.u32 %r1, [a];\nsetp.eq.u32 %p1, %r1, 0;\n@%p1 bra $A;\nbar.sync 0;\n$A:\nret;\n}\n";
    let passing = |value: &str| {
        let call = format!("st.param.u32 [p0], {value};\ncall.uni f, (p0);\nret;");
        checked(&module(&format!("{function}.visible .entry k()\n{{\n{call}\n}}")))
    };
    assert!(passing("7").is_ok());
    assert!(matches!(passing("%tid.x").unwrap_err()[..], [CheckError::DivergentBarrier { .. }]));
}

#[test]
fn marks_and_entries_are_one_to_one() {
    let error = only_error(&module(".func k()\n{ ret; }"));
    assert!(matches!(&error, CheckError::NotAnEntry { found, .. } if found == "`.func k()`"), "{error}");
    assert!(matches!(only_error(&module("")), CheckError::NotAnEntry { .. }));
    assert!(matches!(only_error(&module(".entry k() { ret; }")), CheckError::NotAnEntry { .. }));
    let two = module(".visible .entry k() { ret; }\n.visible .entry other() { ret; }");
    assert_eq!(only_error(&two), CheckError::Unmarked { entry: "other".into() });
    let twice = module("// cuda_std.kernel k gpu::elsewhere\n.visible .entry k() { ret; }");
    assert!(matches!(only_error(&twice), CheckError::Duplicate { .. }));
}

#[test]
fn symbols_that_nothing_links_are_reported_unless_allowed() {
    let text = module(
        ".extern .func helper();\n.extern .shared .align 16 .b8 dynamic[];\n.visible .entry k() { mov.u64 %rd1, dynamic; call helper; ret; }",
    );
    assert_eq!(only_error(&text), CheckError::Extern { kernel: "k".into(), symbol: "helper".into() });
    let allowed = Allowances { externals: BTreeSet::from(["helper".to_owned()]), ..Allowances::default() };
    assert!(check(&Ptx::read(&text).unwrap(), &allowed).is_ok());
}

#[test]
fn a_comparison_of_slices_is_told_as_what_it_is() {
    let message = only_error(&module(".extern .func memcmp();\n.visible .entry k() { call memcmp; ret; }")).to_string();
    assert!(message.contains("`a == b`") && message.contains("a.iter().eq(b)"), "{message}");
    assert!(!message.contains("#[inline]"), "{message}");
}

#[test]
fn local_memory_is_reported_unless_allowed() {
    let text = kernel(".local .align 4 .b8 __local_depot0[64];\nret;");
    assert_eq!(only_error(&text), CheckError::LocalMemory { kernel: "k".into(), bytes: 64 });
    let allowed = Allowances { local: BTreeSet::from(["k".to_owned()]), ..Allowances::default() };
    assert!(check(&Ptx::read(&text).unwrap(), &allowed).is_ok());
}

#[test]
fn a_kernel_known_to_be_sound_may_be_allowed() {
    let allowed =
        Allowances { divergent_barriers: BTreeSet::from(["swap_halves".to_owned()]), ..Allowances::default() };
    assert!(check(&Ptx::read(BARRIER_DUPLICATED).unwrap(), &allowed).is_ok());
}

#[test]
fn every_error_names_the_kernel_and_what_to_do() {
    let message = only_error(&kernel("setp.eq.u32 %p1, %tid.x, 0;\n@%p1 ret;\nbar.sync 0;\nret;")).to_string();
    let expected = "kernel `k`: threads part at `@%p1 ret;` (line 11, in `k`), and not all of them reach \
                    `bar.sync 0;` (line 12); move the barrier to where all threads come";
    assert!(message.starts_with(expected), "{message}");
}
