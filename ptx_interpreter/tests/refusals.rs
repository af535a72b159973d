//! Instructions that are refused: unknown ones, those that the target lacks, and what does not fit the others.

mod support;

use ptx_interpreter::{Module, ParseErrorKind};
use support::{instruction_error, module_text};

#[test]
fn unknown_instructions_are_named() {
    assert!(instruction_error("frobnicate.b32 %r1, %r2;").starts_with("unknown instruction `frobnicate.b32`"));
    assert!(instruction_error("tcgen05.commit;").contains("`tcgen05.commit`"));
    assert!(instruction_error("add.s32.weird %r1, %r2, %r3;").contains("modifier `.weird`"));
    assert!(instruction_error("add.cc.u16 %h1, %h2, %h3;").contains("unknown instruction `add.cc.u16`"));
    assert!(instruction_error("add.rn %r1, %r2, %r3;").contains("lacks a type"));
    assert!(instruction_error("shfl.bfly.b32 %r1, %r2, 1, 31;").contains("`.sync`"));
    for wait in ["cp.async.wait_group;", "cp.async.wait_group %r1;", "cp.async.wait_group -1;"] {
        assert!(instruction_error(wait).contains("a number of groups"), "{wait}");
    }
    for alone in ["cp.async.commit_group 0;", "cp.async.wait_all 0;"] {
        assert!(instruction_error(alone).contains("it takes none"), "{alone}");
    }
}

/// Hardware that lacks an instruction would have it refused by the driver.
#[test]
fn instructions_that_the_target_lacks_are_refused() {
    let of_target = |target: &str, code: &str| {
        let text = module_text("", ".param .u64 x", code).replace(".target sm_90a", &format!(".target {target}"));
        Module::parse(&text).map(|_| ()).map_err(|error| error.kind)
    };
    for (code, oldest) in [
        ("cp.async.commit_group;", "sm_80"),
        ("redux.sync.add.s32 %r1, %r2, -1;", "sm_80"),
        ("cvt.rn.bf16x2.f32 %r1, %r1, %r2;", "sm_80"),
        ("min.NaN.f32 %r1, %r2, %r3;", "sm_80"),
        ("add.rn.bf16x2 %r1, %r2, %r3;", "sm_90"),
        ("griddepcontrol.wait;", "sm_90"),
        ("fence.proxy.async;", "sm_90"),
        ("fence.acquire.gpu;", "sm_90"),
        ("min.relu.s32 %r1, %r2, %r3;", "sm_90"),
        ("min.xorsign.abs.f32 %r1, %r2, %r3;", "sm_86"),
        ("cvt.rna.tf32.f32 %r1, %r2;", "sm_80"),
        ("cvt.rn.tf32.f32 %r1, %r2;", "sm_90"),
        ("cvt.rn.satfinite.tf32.f32 %r1, %r2;", "sm_100"),
        ("red.global.add.noftz.bf16x2 [%rd1], %r1;", "sm_90"),
        ("ld.global.v4.f64 {%rd1, %rd2, %rd3, %rd4}, [%rd5];", "sm_100"),
        ("st.global.v4.u64 [%rd5], {%rd1, %rd2, %rd3, %rd4};", "sm_100"),
        ("wgmma.fence.sync.aligned;", "sm_90a"),
    ] {
        assert_eq!(of_target(oldest, code), Ok(()));
        let refused = of_target("sm_75", code).unwrap_err();
        let name = code.split([' ', ';']).next().unwrap();
        let text = format!("`{name}` needs {oldest}, and the module is for sm_75; compile for that, or do without");
        assert_eq!(refused.to_string(), text);
        // What a later GPU has of it: all but what is of one architecture.
        assert_eq!(of_target("sm_120", code).is_ok(), oldest != "sm_90a");
    }
    assert!(matches!(of_target("sm_90", "wgmma.fence.sync.aligned;"), Err(ParseErrorKind::Target { .. })));
    for code in ["min.f32 %r1, %r2, %r3;", "tanh.approx.f32 %r1, %r2;", "ex2.approx.f32 %r1, %r2;"] {
        assert_eq!(of_target("sm_75", code), Ok(()));
    }
    // No GPU: what it has is not known.
    assert_eq!(of_target("nothing", "redux.sync.add.s32 %r1, %r2, -1;"), Ok(()));
}

#[test]
fn operands_are_checked() {
    assert!(instruction_error("add.s32 %r1, %r2;").contains("takes 3 operands, and 2 are given"));
    assert!(instruction_error("add.s32 5, %r2, %r3;").contains("the result goes to a register"));
    assert!(instruction_error("add.s32 %r1, %r2, %r64;").contains("`%r64` is not declared here"));
    assert!(instruction_error("bra nowhere;").contains("`nowhere` is not declared here"));
    assert!(instruction_error("ld.param.u64 %rd1, [x+4];").contains("`x` has only 8 bytes"));
    assert!(instruction_error("ld.global.v2.u32 %r1, [%rd1];").contains("2 elements are needed"));
    assert!(instruction_error("mov.u32 %r1, %tid.w;").contains("`%tid` is not declared here"));
    for (copy, what) in [
        ("cp.async.ca.shared.global [%rd1], [%rd2], 5;", "the size is 4, 8 or 16"),
        ("cp.async.cg.shared.global [%rd1], [%rd2], 4;", "the size is 16; `.ca` has 4 and 8, too"),
        ("cp.async.ca.shared.global [%rd1], [%rd2], 16, 8, 9;", "it takes two addresses, a size, and perhaps"),
        ("cp.async.shared.global [%rd1], [%rd2], 16;", "lacks `.ca` or `.cg`"),
    ] {
        assert!(instruction_error(copy).contains(what), "{copy}");
    }
}

/// What would run as something else, if what does not fit were passed over.
#[test]
fn what_an_instruction_does_not_have_is_refused() {
    for code in [
        // `!` is for the third predicate of a comparison.
        "selp.b32 %r1, 1, 2, !%p1;",
        "prmt.b32 %r1, %r2, 0, !%p1;",
        "fma.rn.f32 %r1, %r2, %r3, !%p1;",
        "setp.nan.s32 %p1, %r1, %r2;",
        "setp.ltu.u32 %p1, %r1, %r2;",
        "setp.lo.s32 %p1, %r1, %r2;",
        "setp.lt.b32 %p1, %r1, %r2;",
        "setp.hs.f32 %p1, %r1, %r2;",
        "setp.eq.ftz.f64 %p1, %rd1, %rd2;",
        "set.eq.u64.u32 %rd1, %r1, %r2;",
        "atom.global.inc.u64 %rd3, [%rd1], %rd2;",
        "atom.global.add.tf32 %r1, [%rd1], %r2;",
        "atom.global.min.b32 %r1, [%rd1], %r2;",
        "atom.global.and.u32 %r1, [%rd1], %r2;",
        "atom.const.add.u32 %r1, [%rd1], %r2;",
        "red.global.cas.b32 [%rd1], %r1, %r2;",
        "red.global.exch.b32 [%rd1], %r1;",
        "shfl.sync.idx.b64 %rd1, %rd2, 0, 31, -1;",
        "vote.sync.all.b32 %r1, %p1, -1;",
        "match.any.sync.b16 %r1, %h1, -1;",
        "prmt.b64 %rd1, %rd2, %rd3, 0;",
        "shf.l.wrap.b64 %rd1, %rd2, %rd3, 1;",
        "bmsk.clamp.b64 %rd1, 4, 8;",
        "szext.wrap.b32 %r1, 8, 4;",
        "min.relu.s64 %rd1, %rd2, %rd3;",
        "div.relu.s32 %r1, %r2, %r3;",
        "sqrt.full.f32 %r1, %r2;",
        "rcp.approx.f64 %rd1, %rd2;",
        "add.ftz.f64 %rd1, %rd2, %rd3;",
        "mul.sat.f64 %rd1, %rd2, %rd3;",
        "st.const.u32 [%rd1], 1;",
        "ld.reg.u32 %r1, [%rd1];",
        "ld.global.v8.b64 {%rd1, %rd2, %rd3, %rd4, %rd5, %rd6, %rd7, %rd8}, [%rd9];",
        "cvt.f32.f16x2 %r1, %r2;",
        "cvt.rn.bf16x2.f64 %r1, %rd1, %rd2;",
        "cvt.rn.satfinite.f32.f64 %r1, %rd1;",
        "cvt.rn.relu.f32.f64 %r1, %rd1;",
        "cvt.rn.sat.f16x2.f32 %r1, %r2, %r3;",
        "ret 5;",
        "exit %r1;",
        "trap 1;",
        "fence.bogus.foo;",
        "fence.proxy.bogus;",
        // What one of its loads gives afterwards may differ.
        "discard.global.L2 [%rd1], 128;",
    ] {
        instruction_error(code);
    }
    for code in [
        "fence.acq_rel.sys;",
        "fence.sc.cta;",
        "membar.gl;",
        "membar.sys;",
        "fence.proxy.alias;",
        "fence.proxy.async.global;",
        "rcp.approx.ftz.f64 %rd1, %rd2;",
        "rsqrt.approx.f64 %rd1, %rd2;",
        "atom.global.cas.b16 %h1, [%rd1], %h2, %h3;",
        "vote.sync.uni.pred %p1, !%p2, -1;",
    ] {
        Module::parse(&module_text("", "", code)).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Bits of one type are another number in another.
#[test]
fn constants_are_of_their_instructions_type() {
    for (code, ty) in [
        ("add.rn.f64 %rd1, 1.0, 0f3F800000;", ".f64"),
        ("mov.b64 %rd1, 0f3F800000;", ".b64"),
        ("add.s32 %r1, 2, 1.5;", ".s32"),
        ("add.s32 %r1, 2, 0d3FF0000000000000;", ".s32"),
        ("add.rn.f16 %h1, %h2, 1.0;", ".f16"),
        ("slct.b32.s32 %r1, 1, 2, -1.0;", ".s32"),
        ("selp.f32 %r1, 1.0, 2.0, 1.0;", ".pred"),
    ] {
        let expected = format!("`{ty}` has no such constants; write its bits as an integer");
        assert!(instruction_error(code).contains(&expected), "{code}");
    }
    for code in [
        "add.rn.f32 %r1, 1.5, 0f3F800000;",
        "add.rn.f64 %rd1, 1.5, 0d3FF0000000000000;",
        "mov.b32 %r1, 0f3F800000;",
        "mov.b64 %rd1, 0d3FF0000000000000;",
        "st.shared.v2.b32 [%rd1], {0f3F800000, %r1};",
        "match.any.sync.b32 %r1, 0f3F800000, -1;",
    ] {
        Module::parse(&module_text("", "", code)).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Products of warpgroups that there are and that are not interpreted, and operands that do not fit.
#[test]
fn other_forms_of_wgmma_are_refused_by_name() {
    let refused = |code: &str| {
        let text = module_text("", ".param .u64 x", &format!(".reg .f32 %f<4>;\n{code}"));
        Module::parse(&text).err().unwrap_or_else(|| panic!("`{code}` was taken")).kind.to_string()
    };
    let mma = |form: &str, operands: &str| {
        refused(&format!("wgmma.mma_async.sync.aligned.{form} {{%f0, %f1, %f2, %f3}}, {operands};"))
    };
    for form in [
        "m64n8k32.f32.e4m3.e4m3",
        "m64n8k16.f16.f16.f16",
        "m64n8k32.s32.s8.s8",
        "m64n12k16.f32.bf16.bf16",
        "m64n8k8.f32.bf16.bf16",
    ] {
        let message = mma(form, "%rd1, %rd2, %p1, 1, 1, 0, 0");
        assert!(message.contains(form) || message.contains("type"), "{form}: {message}");
    }
    assert!(mma("m64n8k16.f32.bf16.bf16", "%rd1, %rd2, %p1, 1, 1, 1, 0").contains("along the columns"));
    assert!(mma("m64n8k8.f32.tf32.tf32", "%rd1, %rd2, %p1, 1, 1, 0, 1").contains("of B in 16 bits"));
    assert!(mma("m64n8k16.f32.bf16.bf16", "%rd1, %rd2, %p1, 2, 1, 0, 0").contains("signs are 1 or -1"));
    let in_registers = "{%r1, %r2, %r3, %r4}, %rd2, %p1, 1, 1";
    assert!(mma("m64n8k8.f32.tf32.tf32", in_registers).contains("tf32 in registers"));
    assert!(mma("m64n8k16.f32.bf16.bf16", &format!("{in_registers}, 0, 0")).contains("ways"));
    assert!(mma("m64n8k16.f32.bf16.bf16", "{%r1, %r2}, %rd2, %p1, 1, 1, 0").contains("4 registers"));
    assert!(mma("m64n16k16.f32.bf16.bf16", "%rd1, %rd2, %p1, 1, 1, 0, 0").contains("8 registers"));
    assert!(refused("wgmma.wait_group.sync.aligned 8;").contains("from 0 to 7"));
    assert!(refused("wgmma.fence.aligned;").contains("unknown instruction `wgmma.fence.aligned`"));
    assert!(refused("wgmma.mma_async.sp.sync.aligned.m64n8k32.f32.bf16.bf16 {%f0, %f1, %f2, %f3}, %rd1, %rd2, %r1, 0, %p1, 1, 1, 0, 0;").contains("wgmma"));
}
