//! What threads do together: shuffles, votes, barriers, atomics, matrices; for several seeds each.

mod support;

use ptx_interpreter::{Argument, FaultKind, Gpu, Grid, LaunchError, Module, Space};
use support::{module_text, parse, run_on_buffer};

const SEEDS: u64 = 8;

/// Runs `body` for 32 lanes, each of which leaves `%r9` in its word; lane in `%r1`.
fn lanes(body: &str, threads: u32) -> Vec<u32> {
    let text = module_text(
        "",
        ".param .u64 out",
        &format!(
            "mov.u32 %r1, %laneid;\n{body}\nld.param.u64 %rd1, [out]; mov.u32 %r2, %tid.x; mul.wide.u32 %rd2, %r2, 4;\n\
             add.s64 %rd1, %rd1, %rd2; st.global.u32 [%rd1], %r9;"
        ),
    );
    let mut first = None;
    for seed in 0..SEEDS {
        let (result, values) = run_on_buffer(&text, seed, Grid::linear(1, threads), threads as usize);
        result.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(*first.get_or_insert(values.clone()), values, "seed {seed}");
    }
    first.expect("there is a seed")
}

#[test]
fn shuffles() {
    let expect = |f: &dyn Fn(u32) -> u32| (0..32).map(f).collect::<Vec<_>>();
    assert_eq!(lanes("shfl.sync.bfly.b32 %r9, %r1, 5, 31, -1;", 32), expect(&|lane| lane ^ 5));
    assert_eq!(
        lanes("shfl.sync.up.b32 %r9, %r1, 3, 0, -1;", 32),
        expect(&|lane| if lane < 3 { lane } else { lane - 3 })
    );
    assert_eq!(
        lanes("shfl.sync.down.b32 %r9|%p1, %r1, 3, 31, -1; @!%p1 mov.u32 %r9, 99;", 32),
        expect(&|lane| if lane + 3 < 32 { lane + 3 } else { 99 })
    );
    // Segments of 8 lanes: the clamp holds 32 - 8 in its upper half.
    assert_eq!(lanes("shfl.sync.idx.b32 %r9, %r1, 2, 6175, -1;", 32), expect(&|lane| (lane & !7) + 2));
    assert_eq!(
        lanes("shfl.sync.down.b32 %r9, %r1, 4, 6151, -1;", 32),
        expect(&|lane| if lane % 8 < 4 { lane + 4 } else { lane })
    );
}

#[test]
fn a_sum_over_the_warp() {
    let sum = "mov.u32 %r9, %r1; mov.u32 %r3, 16;
        next: shfl.sync.bfly.b32 %r4, %r9, %r3, 31, 0xffffffff; add.u32 %r9, %r9, %r4;
        shr.u32 %r3, %r3, 1; setp.ne.u32 %p1, %r3, 0; @%p1 bra next;";
    assert_eq!(lanes(sum, 64), vec![496; 64]);
}

#[test]
fn votes_matches_and_reductions() {
    assert_eq!(lanes("setp.lt.u32 %p1, %r1, 4; vote.sync.ballot.b32 %r9, %p1, -1;", 32), vec![0xF; 32]);
    assert_eq!(lanes("setp.lt.u32 %p1, %r1, 4; vote.sync.ballot.b32 %r9, !%p1, -1;", 32), vec![!0xF; 32]);
    assert_eq!(
        lanes("setp.lt.u32 %p1, %r1, 32; vote.sync.all.pred %p2, %p1, -1; selp.u32 %r9, 1, 0, %p2;", 32),
        vec![1; 32]
    );
    assert_eq!(
        lanes("setp.lt.u32 %p1, %r1, 4; vote.sync.uni.pred %p2, %p1, -1; selp.u32 %r9, 1, 0, %p2;", 32),
        vec![0; 32]
    );
    // Only the lanes that exist take part.
    assert_eq!(lanes("setp.lt.u32 %p1, %r1, 32; vote.sync.ballot.b32 %r9, %p1, -1;", 20), vec![0xF_FFFF; 20]);
    let parity = lanes("and.b32 %r3, %r1, 1; match.any.sync.b32 %r9, %r3, -1;", 32);
    assert_eq!(parity[..2], [0x5555_5555, 0xAAAA_AAAA]);
    assert_eq!(lanes("match.all.sync.b32 %r9|%p1, 7, -1; @!%p1 mov.u32 %r9, 0;", 32), vec![u32::MAX; 32]);
    assert_eq!(lanes("redux.sync.add.u32 %r9, %r1, -1;", 32), vec![496; 32]);
    assert_eq!(lanes("sub.s32 %r3, %r1, 5; redux.sync.min.s32 %r9, %r3, -1;", 32), vec![-5i32 as u32; 32]);
    assert_eq!(lanes("redux.sync.max.u32 %r9, %r1, -1;", 32), vec![31; 32]);
}

#[test]
fn special_registers() {
    assert_eq!(lanes("mov.u32 %r9, %lanemask_lt;", 32)[4], 0xF);
    assert_eq!(lanes("mov.u32 %r9, %lanemask_ge;", 32)[31], 0x8000_0000);
    assert_eq!(lanes("mov.u32 %r9, %lanemask_gt;", 32)[31], 0);
    assert_eq!(lanes("mov.u32 %r9, %warpid; mov.u32 %r3, %nwarpid; mad.lo.u32 %r9, %r9, 10, %r3;", 64)[63], 12);
    assert_eq!(lanes("mov.u32 %r9, WARP_SZ;", 1), [32]);
    // What is active with a thread is not promised: it alone is.
    assert_eq!(lanes("activemask.b32 %r9;", 32)[3], 8);
}

#[test]
fn reductions_at_a_barrier() {
    let body = |op: &str| format!("mov.u32 %r3, %tid.x; setp.lt.u32 %p1, %r3, 40; bar.red.{op}");
    assert_eq!(lanes(&body("popc.u32 %r9, 0, %p1;"), 64), vec![40; 64]);
    assert_eq!(lanes(&body("popc.u32 %r9, 0, !%p1;"), 64), vec![24; 64]);
    assert_eq!(lanes(&body("or.pred %p2, 0, %p1; selp.u32 %r9, 1, 0, %p2;"), 64), vec![1; 64]);
    assert_eq!(lanes(&body("and.pred %p2, 0, %p1; selp.u32 %r9, 1, 0, %p2;"), 64), vec![0; 64]);
}

/// One warp makes, the other takes: `arrive` lets the makers go on, and orders what they wrote.
#[test]
fn a_producer_and_a_consumer() {
    let text = module_text(
        ".shared .align 4 .b8 tile[128];",
        ".param .u64 out",
        "mov.u32 %r1, %tid.x; mov.u32 %r2, %laneid; mov.u32 %r3, tile; shl.b32 %r4, %r2, 2; add.u32 %r3, %r3, %r4;
         setp.lt.u32 %p1, %r1, 32; @!%p1 bra take;
         st.shared.u32 [%r3], %r1; bar.arrive 1, 64; ret;
         take: bar.sync 1, 64; ld.shared.u32 %r5, [%r3];
         ld.param.u64 %rd1, [out]; cvt.u64.u32 %rd2, %r4; add.s64 %rd1, %rd1, %rd2; st.global.u32 [%rd1], %r5;",
    );
    for seed in 0..SEEDS {
        let (result, values) = run_on_buffer(&text, seed, Grid::linear(1, 64), 32);
        result.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(values, (0..32).collect::<Vec<u32>>());
    }
}

/// What a thread writes after it has arrived is not ordered before what the others do.
#[test]
fn what_is_written_after_an_arrival_is_not_ordered() {
    let text = module_text(
        ".shared .align 4 .b8 tile[128];",
        ".param .u64 out",
        "mov.u32 %r1, %tid.x; mov.u32 %r2, %laneid; mov.u32 %r3, tile; shl.b32 %r4, %r2, 2; add.u32 %r3, %r3, %r4;
         setp.lt.u32 %p1, %r1, 32; @!%p1 bra take;
         bar.arrive 1, 64; st.shared.u32 [%r3], %r1; ret;
         take: bar.sync 1, 64; ld.shared.u32 %r5, [%r3];",
    );
    for seed in 0..SEEDS {
        let (result, _) = run_on_buffer(&text, seed, Grid::linear(1, 64), 32);
        let Err(LaunchError::Fault(fault)) = result else { panic!("seed {seed}: {result:?}") };
        let seen = matches!(fault.kind, FaultKind::Race { .. } | FaultKind::Uninitialised { .. });
        assert!(seen, "seed {seed}: {fault}");
    }
}

#[test]
fn atomics_over_blocks() {
    let text = module_text(
        "",
        ".param .u64 out",
        "ld.param.u64 %rd1, [out]; mov.u32 %r1, %tid.x; mov.u32 %r2, %ctaid.x; mad.lo.u32 %r3, %r2, 32, %r1;
         atom.global.add.u32 %r4, [%rd1], 2; red.global.max.u32 [%rd1+4], %r3; red.global.or.b32 [%rd1+8], %r3;
         atom.global.inc.u32 %r4, [%rd1+12], 9; red.global.add.f32 [%rd1+16], 0f3F800000;
         mov.u32 %r6, 0;
         again: atom.global.cas.b32 %r5, [%rd1+20], %r6, %r7; add.u32 %r7, %r5, 3;
         setp.ne.u32 %p1, %r5, %r6; mov.u32 %r6, %r5; @%p1 bra again;
         red.add.u64 [%rd1+24], 4294967296; red.global.min.s32 [%rd1+32], -7; atom.global.dec.u32 %r4, [%rd1+36], 5;",
    );
    for seed in 0..SEEDS {
        let (result, values) = run_on_buffer(&text, seed, Grid::linear(4, 32), 10);
        result.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(values[..5], [256, 127, 127, 8, 128f32.to_bits()], "seed {seed}");
        // Six values in turn, 0 5 4 3 2 1; the 129th is the third.
        assert_eq!(values[6..], [0, 128, -7i32 as u32, 4], "seed {seed}");
    }
}

/// `mma.m16n8k16` with bf16, against the definition: D = A B + C with small integers, which are exact.
#[test]
fn matrices_of_bf16() {
    let text = module_text(
        "",
        ".param .u64 out",
        // A[i][k] = i, B[k][j] = j + 1 for k < 8 and 0 beyond, C = 0.5: D[i][j] = 8 i (j + 1) + 0.5.
        "mov.u32 %r1, %laneid; shr.u32 %r2, %r1, 2; add.u32 %r3, %r2, 8; add.u32 %r4, %r2, 1;
         cvt.rn.f32.u32 %r5, %r2; cvt.rn.f32.u32 %r6, %r3; cvt.rn.f32.u32 %r7, %r4;
         cvt.rn.bf16x2.f32 %r5, %r5, %r5; cvt.rn.bf16x2.f32 %r6, %r6, %r6; cvt.rn.bf16x2.f32 %r7, %r7, %r7;
         mov.f32 %r8, 0f3F000000; mov.b32 %r9, 0;
         mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%r20, %r21, %r22, %r23}, {%r5, %r6, %r5, %r6}, {%r7, %r9}, {%r8, %r8, %r8, %r8};
         ld.param.u64 %rd1, [out]; and.b32 %r10, %r1, 3; shl.b32 %r10, %r10, 3; mad.lo.u32 %r11, %r2, 32, %r10;
         cvt.u64.u32 %rd2, %r11; add.s64 %rd3, %rd1, %rd2;
         st.global.v2.b32 [%rd3], {%r20, %r21}; st.global.v2.b32 [%rd3+256], {%r22, %r23};",
    );
    let (result, values) = run_on_buffer(&text, 1, Grid::linear(1, 32), 128);
    result.unwrap_or_else(|error| panic!("{error}"));
    for (at, bits) in values.into_iter().enumerate() {
        let (row, column) = (at / 8, at % 8);
        assert_eq!(f32::from_bits(bits), (8 * row * (column + 1)) as f32 + 0.5, "row {row}, column {column}");
    }
}

/// `mma.m16n8k8` with tf32: A is the identity in its first 8 rows, so that D repeats B there.
#[test]
fn matrices_of_tf32() {
    let text = module_text(
        "",
        ".param .u64 out",
        // B[k][j] = 8 k + j: this lane holds k = lane % 4 and that plus 4, at j = lane / 4.
        "mov.u32 %r1, %laneid; shr.u32 %r2, %r1, 2; and.b32 %r3, %r1, 3; mad.lo.u32 %r4, %r3, 8, %r2;
         add.u32 %r5, %r4, 32; cvt.rn.f32.u32 %r4, %r4; cvt.rn.f32.u32 %r5, %r5; mov.b32 %r9, 0;
         setp.eq.u32 %p1, %r2, %r3; selp.b32 %r6, 0x3f800000, 0, %p1; add.u32 %r7, %r3, 4;
         setp.eq.u32 %p1, %r2, %r7; selp.b32 %r8, 0x3f800000, 0, %p1;
         mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%r20, %r21, %r22, %r23}, {%r6, %r9, %r8, %r9}, {%r4, %r5}, {%r9, %r9, %r9, %r9};
         ld.param.u64 %rd1, [out]; shl.b32 %r10, %r3, 3; mad.lo.u32 %r11, %r2, 32, %r10;
         cvt.u64.u32 %rd2, %r11; add.s64 %rd3, %rd1, %rd2;
         st.global.v2.b32 [%rd3], {%r20, %r21}; st.global.v2.b32 [%rd3+256], {%r22, %r23};",
    );
    let (result, values) = run_on_buffer(&text, 1, Grid::linear(1, 32), 128);
    result.unwrap_or_else(|error| panic!("{error}"));
    let values: Vec<f32> = values.into_iter().map(f32::from_bits).collect();
    assert_eq!(values[..64], (0..64).map(|at| at as f32).collect::<Vec<f32>>());
    assert_eq!(values[64..], [0.0; 64]);
}

/// `ldmatrix` hands row r of a matrix to lanes 4 r to 4 r + 3, two elements each; or its columns.
#[test]
fn matrices_from_shared_memory() {
    let text = |transposed: &str| {
        module_text(
            ".shared .align 16 .b8 tile[128];",
            ".param .u64 out",
            &format!(
                "mov.u32 %r1, %laneid; mov.u32 %r2, tile; shl.b32 %r3, %r1, 2; add.u32 %r4, %r2, %r3;
                 shl.b32 %r5, %r1, 1; add.u32 %r6, %r5, 1; shl.b32 %r6, %r6, 16; or.b32 %r5, %r5, %r6; st.shared.b32 [%r4], %r5;
                 bar.sync 0; and.b32 %r7, %r1, 7; shl.b32 %r7, %r7, 4; add.u32 %r7, %r2, %r7;
                 ldmatrix.sync.aligned.m8n8.x1{transposed}.shared.b16 {{%r8}}, [%r7];
                 ld.param.u64 %rd1, [out]; cvt.u64.u32 %rd2, %r3; add.s64 %rd1, %rd1, %rd2; st.global.b32 [%rd1], %r8;"
            ),
        )
    };
    let halves = |transposed| {
        let (result, values) = run_on_buffer(&text(transposed), 0, Grid::linear(1, 32), 32);
        result.unwrap_or_else(|error| panic!("{error}"));
        values.into_iter().flat_map(|pair| [pair & 0xFFFF, pair >> 16]).collect::<Vec<u32>>()
    };
    assert_eq!(halves(""), (0..64).collect::<Vec<u32>>());
    assert_eq!(halves(".trans"), (0..64).map(|at| at % 8 * 8 + at / 8).collect::<Vec<u32>>());
}

#[test]
fn asynchronous_copies_and_dynamic_shared_memory() {
    let text = module_text(
        ".extern .shared .align 16 .b8 dynamic[];\n.extern .shared .align 16 .b8 dynamic[];",
        ".param .u64 data",
        "ld.param.u64 %rd1, [data]; mov.u32 %r1, dynamic; cp.async.ca.shared.global [%r1+16], [%rd1+16], 16;
         cp.async.commit_group; cp.async.wait_group 0; ld.shared.v4.u32 {%r2, %r3, %r4, %r5}, [%r1+16];
         add.u32 %r2, %r2, 1; st.global.u32 [%rd1], %r2; mov.u32 %r6, %dynamic_smem_size; st.global.u32 [%rd1+4], %r6;",
    );
    let grid = Grid { dynamic_shared: 32, ..Grid::linear(1, 1) };
    let (result, values) = run_on_buffer(&text, 0, grid, 8);
    let report = result.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(values[..2], [1, 32]);
    assert_eq!((report.loads(Space::Shared), report.stores(Space::Global)), (1, 2));
}

/// Fewer bytes than the copy has: only those are read, and the rest is zeros.
#[test]
fn copies_of_fewer_bytes() {
    let text = |offset: usize, size: usize| {
        module_text(
            ".extern .shared .align 16 .b8 dynamic[];",
            ".param .u64 data",
            &format!(
                "ld.param.u64 %rd1, [data]; mov.u32 %r1, dynamic; mov.u32 %r7, {size};
                 cp.async.ca.shared.global [%r1], [%rd1+{offset}], 16, %r7; cp.async.wait_all;
                 ld.shared.v4.u32 {{%r2, %r3, %r4, %r5}}, [%r1];
                 st.global.u32 [%rd1], %r2; st.global.u32 [%rd1+4], %r4; st.global.u32 [%rd1+8], %r5;"
            ),
        )
    };
    let grid = Grid { dynamic_shared: 16, ..Grid::linear(1, 1) };
    // A buffer of 24 bytes: the last copy would go beyond it.
    let (result, values) = run_on_buffer(&text(16, 6), 0, grid, 6);
    assert_eq!(result.unwrap_or_else(|error| panic!("{error}")).loads(Space::Global), 1);
    assert_eq!(values[..3], [0, 0, 0]);
    assert!(run_on_buffer(&text(16, 8), 0, grid, 6).0.is_ok());
    let kind = |offset, size| match run_on_buffer(&text(offset, size), 0, grid, 6).0 {
        Err(LaunchError::Fault(fault)) => fault.kind,
        other => panic!("{other:?}"),
    };
    assert!(matches!(kind(16, 9), FaultKind::OutOfBounds { .. }), "{:?}", kind(16, 9));
    assert!(matches!(kind(4, 4), FaultKind::Misaligned { bytes: 16, .. }), "{:?}", kind(4, 4));
}

#[test]
fn scopes_shadow_names_and_have_their_own_shared_memory() {
    let text = module_text(
        "",
        ".param .u64 out",
        "ld.param.u64 %rd1, [out]; mov.u32 %r1, 7;
         { .shared .align 16 .b8 tile[64]; .reg .u32 t; .reg .b32 %r<2>; mov.u32 %r1, 1; mov.u32 t, tile; cvt.u64.u32 %rd2, t; cvta.shared.u64 %rd2, %rd2; st.u32 [%rd2+60], %r1; }
         { .shared .align 16 .b8 tile[32]; .reg .u32 t; mov.u32 t, tile; cvt.u64.u32 %rd3, t; cvta.shared.u64 %rd3, %rd3; st.u32 [%rd3], %r1; }
         ld.u32 %r2, [%rd2+60]; ld.u32 %r3, [%rd3]; st.global.v2.u32 [%rd1], {%r2, %r3};",
    );
    let (result, values) = run_on_buffer(&text, 0, Grid::linear(1, 1), 2);
    result.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(values, [1, 7]);
    assert_eq!(parse(&text).kernel("k").expect("it is there").static_shared(), 96);
}

#[test]
fn calls_tables_and_initialisers() {
    let text = module_text(
        ".func (.param .b32 result) square(.param .b32 x) { .reg .b32 %a<3>; .local .align 4 .b8 spill[4];
           ld.param.b32 %a1, [x]; st.local.b32 [spill], %a1; ld.local.b32 %a2, [spill];
           mul.lo.s32 %a1, %a1, %a2; st.param.b32 [result], %a1; ret; }
         .global .align 4 .u32 numbers[3] = {10, 20, 30};
         .global .align 8 .u64 pointers[2] = {generic(numbers), generic(numbers)+8};",
        ".param .u64 out",
        "ld.param.u64 %rd1, [out]; mov.u32 %r1, 6;
         { .param .b32 argument; .param .b32 returned; st.param.b32 [argument], %r1;
           call.uni (returned), square, (argument); ld.param.b32 %r2, [returned]; }
         { .param .b32 argument; .param .b32 returned; st.param.b32 [argument], %r2; mov.u64 %rd5, square;
           prototype: .callprototype (.param .b32 _) _ (.param .b32 _);
           call (returned), %rd5, (argument), prototype; ld.param.b32 %r3, [returned]; }
         ld.global.u64 %rd2, [pointers+8]; ld.u32 %r4, [%rd2];
         targets: .branchtargets zero, one, two;
         mov.u32 %r5, 1; brx.idx %r5, targets;
         zero: mov.u32 %r6, 0; bra done; one: mov.u32 %r6, 111; bra done; two: mov.u32 %r6, 222;
         done: st.global.v4.u32 [%rd1], {%r2, %r3, %r4, %r6};",
    );
    let (result, values) = run_on_buffer(&text, 0, Grid::linear(1, 1), 4);
    result.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(values, [36, 1296, 30, 111]);
}

#[test]
fn rows_that_are_not_given_whole_are_filled_with_zeros() {
    for (declared, expected) in [
        ("numbers[2][3] = {{1, 2}, {3}}", [1, 2, 0, 3]),
        ("numbers[][3] = {{1, 2}, {3}}", [1, 2, 0, 3]),
        ("numbers[2][3] = {1, 2, 3, 4}", [1, 2, 3, 4]),
        ("numbers[2][2][2] = {{{1}}, {{2}, {3, 4}}}", [1, 0, 0, 0]),
        ("numbers[] = {1, 2, 3, 4}", [1, 2, 3, 4]),
    ] {
        let body = "ld.param.u64 %rd1, [out]; ld.global.u32 %r1, [numbers]; ld.global.u32 %r2, [numbers+4];
            ld.global.u32 %r3, [numbers+8]; ld.global.u32 %r4, [numbers+12]; st.global.v4.u32 [%rd1], {%r1, %r2, %r3, %r4};";
        let text = module_text(&format!(".global .align 4 .u32 {declared};"), ".param .u64 out", body);
        let (result, values) = run_on_buffer(&text, 0, Grid::linear(1, 1), 4);
        result.unwrap_or_else(|error| panic!("{declared}: {error}"));
        assert_eq!(values, expected, "{declared}");
    }
    for wrong in ["numbers[2][3] = {{1, 2, 3, 4}}", "numbers[2][3] = {{1}, {2}, {3}}", "numbers[2][9999999] = {{1}}"] {
        assert!(Module::parse(&module_text(&format!(".global .u32 {wrong};"), "", "")).is_err(), "{wrong}");
    }
}

#[test]
fn module_variables_last_and_the_host_reaches_them() {
    let module = parse(&module_text(
        ".global .align 4 .u32 counter = 5;",
        "",
        "ld.global.u32 %r1, [counter]; add.u32 %r1, %r1, 1; st.global.u32 [counter], %r1;",
    ));
    let mut gpu = Gpu::new();
    for _ in 0..3 {
        gpu.launch(&module, "k", Grid::linear(1, 1), &[]).expect("it runs");
    }
    let (address, size) = gpu.variable(&module, "counter").expect("there is room").expect("it is there");
    let mut bytes = [0; 4];
    gpu.read_bytes(address, &mut bytes).expect("it is there");
    assert_eq!((size, u32::from_le_bytes(bytes)), (4, 8));
}

/// The result of a race depends on the schedule, and the schedule on the seed alone.
#[test]
fn a_seed_gives_one_schedule() {
    let text =
        module_text("", ".param .u64 out", "ld.param.u64 %rd1, [out]; mov.u32 %r1, %tid.x; st.global.u32 [%rd1], %r1;");
    let module = parse(&text);
    let run = |seed| {
        let mut gpu = Gpu::with_seed(seed);
        gpu.options.checks.races = false;
        let out = gpu.alloc::<u32>(1);
        gpu.launch(&module, "k", Grid::linear(1, 64), &[Argument::U64(out.address())]).expect("it runs");
        gpu.read(&out).expect("it is written")[0]
    };
    let results: Vec<u32> = (0..20).map(run).collect();
    assert_eq!(results, (0..20).map(run).collect::<Vec<u32>>());
    assert!(results.iter().any(|last| *last != results[0]), "{results:?}");
}
