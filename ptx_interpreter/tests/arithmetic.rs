//! Instructions over registers, against values worked out from the ISA by hand or by wider arithmetic.

mod support;

use support::evaluate;

/// Each line computes `%rd9` (or `%r9`) and is followed by the value expected.
fn check(cases: &[(&str, u64)]) {
    for (code, expected) in cases {
        let store = if code.contains("%rd9") {
            "st.global.b64 [%rd2], %rd9;"
        } else {
            "st.global.u32 [%rd2], %r9; st.global.u32 [%rd2+4], 0;"
        };
        let result = evaluate(&format!("{code}\n{store}"), &[0], 1)[0];
        assert_eq!(result, *expected, "{code}: {result:#x}, not {expected:#x}");
    }
}

fn bits(value: f32) -> u64 {
    u64::from(value.to_bits())
}

/// An f32 as PTX writes it.
fn hex(value: f32) -> String {
    format!("0f{:08X}", value.to_bits())
}

#[test]
fn integers() {
    check(&[
        ("add.s32 %r9, 2147483647, 1;", 0x8000_0000),
        ("add.sat.s32 %r9, 2147483647, 1;", 0x7FFF_FFFF),
        ("sub.sat.s32 %r9, -2147483648, 1;", 0x8000_0000),
        ("mul.hi.u32 %r9, 0xffffffff, 0xffffffff;", 0xFFFF_FFFE),
        ("mul.hi.s32 %r9, -1, 5;", 0xFFFF_FFFF),
        ("mul.hi.u64 %rd9, -1, -1;", u64::MAX - 1),
        ("mul.hi.u64 %rd9, -1, 0xcccccccccccccccd;", 0xCCCC_CCCC_CCCC_CCCC),
        ("mul.hi.s64 %rd9, -1, 5;", u64::MAX),
        ("mul.hi.s64 %rd9, 0x8000000000000000, 0x8000000000000000;", 1 << 62),
        ("mad.hi.u64 %rd9, -1, -1, 1;", u64::MAX),
        ("mul.wide.s32 %rd9, -3, 5;", (-15i64) as u64),
        ("mul.wide.u32 %rd9, 0xffffffff, 2;", 0x1_FFFF_FFFE),
        ("mul.wide.s16 %r9, -3, 5;", 0xFFFF_FFF1),
        ("mad.lo.s32 %r9, 7, 6, -2;", 40),
        ("mad.wide.u32 %rd9, 0xffffffff, 2, 3;", 0x2_0000_0001),
        ("mad.hi.u32 %r9, 0x80000000, 4, 1;", 3),
        ("mul24.lo.u32 %r9, 0x1000003, 2;", 6),
        ("sad.s32 %r9, -3, 4, 10;", 17),
        ("div.s32 %r9, -7, 2;", 0xFFFF_FFFD),
        ("rem.s32 %r9, -7, 2;", 0xFFFF_FFFF),
        ("div.u32 %r9, 7, 0;", 0xFFFF_FFFF),
        ("rem.u64 %rd9, 17, 5;", 2),
        ("abs.s32 %r9, -5;", 5),
        ("neg.s32 %r9, 5;", 0xFFFF_FFFB),
        ("min.s32 %r9, -1, 1;", 0xFFFF_FFFF),
        ("min.u32 %r9, -1, 1;", 1),
        ("max.relu.s32 %r9, -1, -2;", 0),
        ("dp4a.u32.u32 %r9, 0x01020304, 0x01010101, 5;", 15),
        ("dp4a.s32.s32 %r9, 0xff000000, 0x02000000, 0;", 0xFFFF_FFFE),
    ]);
}

#[test]
fn pairs_of_16_bit_integers() {
    check(&[
        ("add.s16x2 %r9, 0x7fffffff, 0x00010001;", 0x8000_0000),
        ("add.u16x2 %r9, 0x0001ffff, 0x00020003;", 0x0003_0002),
        ("min.s16x2 %r9, 0x80000001, 0x7fffffff;", 0x8000_FFFF),
        ("max.s16x2 %r9, 0x80000001, 0x7fffffff;", 0x7FFF_0001),
        ("min.u16x2 %r9, 0x80000001, 0x7fffffff;", 0x7FFF_0001),
        ("max.u16x2 %r9, 0x80000001, 0x7fffffff;", 0x8000_FFFF),
        ("min.relu.s16x2 %r9, 0x80000005, 0x7fff0003;", 0x0000_0003),
        ("max.relu.s16x2 %r9, 0x8000fff0, 0xffff0003;", 0x0000_0003),
    ]);
}

#[test]
fn carries() {
    check(&[
        ("add.cc.u32 %r1, 0xffffffff, 1; addc.u32 %r9, 0, 0;", 1),
        ("add.cc.u32 %r1, 1, 1; addc.u32 %r9, 0, 0;", 0),
        ("add.cc.u64 %rd5, -1, 1; addc.u64 %rd9, 5, 5;", 11),
        ("sub.cc.u32 %r1, 0, 1; subc.u32 %r9, 5, 0;", 4),
        ("sub.cc.u64 %rd5, 0, 1; subc.u64 %rd9, 0, 0;", u64::MAX),
        ("mad.lo.cc.u32 %r1, 0x10000, 0x10000, 0; madc.hi.u32 %r9, 0x10000, 0x10000, 0;", 1),
        ("mad.lo.cc.u32 %r1, 1, 0xffffffff, 1; madc.hi.u32 %r9, 1, 0xffffffff, 0;", 1),
        ("add.cc.u32 %r1, 0xffffffff, 1; addc.cc.u32 %r2, 0xffffffff, 0; addc.u32 %r9, 0, 0;", 1),
    ]);
}

#[test]
fn bits_and_shifts() {
    check(&[
        ("shl.b32 %r9, 1, 32;", 0),
        ("shl.b32 %r9, 1, 31;", 0x8000_0000),
        ("shr.u32 %r9, 0x80000000, 40;", 0),
        ("shr.s32 %r9, 0x80000000, 40;", 0xFFFF_FFFF),
        ("shr.s64 %rd9, 0x8000000000000000, 63;", u64::MAX),
        ("not.b32 %r9, 0;", 0xFFFF_FFFF),
        ("cnot.b32 %r9, 7;", 0),
        ("popc.b64 %r9, -1;", 64),
        ("clz.b32 %r9, 0;", 32),
        ("brev.b32 %r9, 1;", 0x8000_0000),
        ("bfe.u32 %r9, 0xabcd1234, 8, 8;", 0x12),
        ("bfe.s32 %r9, 0x0000f000, 12, 4;", 0xFFFF_FFFF),
        ("bfe.s32 %r9, 0x80000000, 28, 16;", 0xFFFF_FFF8),
        ("bfe.s32 %r9, 0x80000000, 40, 4;", 0xFFFF_FFFF),
        ("bfe.u32 %r9, -1, 4, 0;", 0),
        ("bfe.s64 %rd9, 0x00f0, 4, 4;", u64::MAX),
        ("bfi.b32 %r9, 0xff, 0, 4, 8;", 0xFF0),
        ("bfi.b32 %r9, 0x5, -1, 30, 8;", 0x7FFF_FFFF),
        ("bfi.b64 %rd9, 0xff, 0, 56, 8;", 0xFF00_0000_0000_0000),
        ("bfind.u32 %r9, 0x00010000;", 16),
        ("bfind.s32 %r9, -1;", 0xFFFF_FFFF),
        ("bfind.shiftamt.u32 %r9, 0x00010000;", 15),
        ("lop3.b32 %r9, 0xf0f0f0f0, 0xcccccccc, 0xaaaaaaaa, 0xe8;", 0xE8E8_E8E8),
        ("prmt.b32 %r9, 0x33221100, 0x77665544, 0x5410;", 0x5544_1100),
        ("prmt.b32 %r9, 0x80000000, 0, 0xbbbb;", 0xFFFF_FFFF),
        ("prmt.b32.f4e %r9, 0x33221100, 0x77665544, 1;", 0x4433_2211),
        ("prmt.b32.b4e %r9, 0x33221100, 0x77665544, 0;", 0x5566_7700),
        ("prmt.b32.rc16 %r9, 0x33221100, 0, 1;", 0x3322_3322),
        ("shf.l.wrap.b32 %r9, 0x80000000, 1, 1;", 3),
        ("shf.r.wrap.b32 %r9, 0x80000000, 1, 33;", 0xC000_0000),
        ("shf.l.clamp.b32 %r9, 0x12345678, 1, 40;", 0x1234_5678),
        ("shf.r.clamp.b32 %r9, 1, 0x12345678, 40;", 0x1234_5678),
        ("bmsk.clamp.b32 %r9, 4, 8;", 0xFF0),
        ("szext.wrap.s32 %r9, 0x8, 4;", 0xFFFF_FFF8),
        ("{ .reg .b16 a, b; mov.b32 {a, b}, 0x12345678; mov.b32 %r9, {b, a}; }", 0x5678_1234),
        ("mov.b64 %rd9, {%r50, %r51};", 0),
        ("mov.b64 {%r1, %r9}, 0x1122334455667788;", 0x1122_3344),
    ]);
}

#[test]
fn rounding_directions_of_f32() {
    // 1 + 2^-24 lies half way to the next number; 1 + 2^-25 below that.
    let (one, half, quarter) = (hex(1.0), hex(2f32.powi(-24)), hex(2f32.powi(-25)));
    let after = bits(1f32.next_up());
    let mut cases = Vec::new();
    for (round, up_for_half, up_for_quarter) in
        [("rn", false, false), ("rz", false, false), ("rm", false, false), ("rp", true, true)]
    {
        let pick = |up| if up { after } else { bits(1.0) };
        cases.push((format!("add.{round}.f32 %r9, {one}, {half};"), pick(up_for_half)));
        cases.push((format!("fma.{round}.f32 %r9, {one}, {one}, {quarter};"), pick(up_for_quarter)));
    }
    // 1 - tiny: only downwards and towards zero leave 1.
    let tiny = hex(-(2f32.powi(-60)));
    for (round, value) in [("rn", 1.0), ("rz", 1f32.next_down()), ("rm", 1f32.next_down()), ("rp", 1.0)] {
        cases.push((format!("add.{round}.f32 %r9, {one}, {tiny};"), bits(value)));
    }
    // A third is not representable; nor is the root of two.
    let third = (1f64 / 3.0) as f32;
    for (round, value) in [("rn", third), ("rz", third.next_down()), ("rm", third.next_down()), ("rp", third)] {
        cases.push((format!("div.{round}.f32 %r9, {one}, {};", hex(3.0)), bits(value)));
        cases.push((format!("rcp.{round}.f32 %r9, {};", hex(3.0)), bits(value)));
    }
    let root = 2f32.sqrt();
    let (below, above) = if f64::from(root) < 2f64.sqrt() { (root, root.next_up()) } else { (root.next_down(), root) };
    for (round, value) in [("rn", root), ("rz", below), ("rm", below), ("rp", above)] {
        cases.push((format!("sqrt.{round}.f32 %r9, {};", hex(2.0)), bits(value)));
    }
    // Overflow stops at the largest number when rounding towards zero.
    cases.push((format!("mul.rz.f32 %r9, {0}, {0};", hex(f32::MAX)), bits(f32::MAX)));
    cases.push((format!("mul.rp.f32 %r9, {0}, {0};", hex(f32::MAX)), bits(f32::INFINITY)));
    // x - x is -0 only when rounding down.
    cases.push((format!("sub.rm.f32 %r9, {one}, {one};"), bits(-0.0)));
    cases.push((format!("sub.rn.f32 %r9, {one}, {one};"), 0));
    let cases: Vec<(&str, u64)> = cases.iter().map(|(code, value)| (code.as_str(), *value)).collect();
    check(&cases);
}

#[test]
fn rounding_directions_of_f64() {
    let one = 1f64.to_bits();
    let tiny = 2f64.powi(-60).to_bits();
    let text = |code: &str| code.replace("ONE", &format!("0d{one:016X}")).replace("TINY", &format!("0d{tiny:016X}"));
    let cases = [
        (text("add.rp.f64 %rd9, ONE, TINY;"), 1f64.next_up().to_bits()),
        (text("add.rz.f64 %rd9, ONE, TINY;"), one),
        (text("sub.rz.f64 %rd9, ONE, TINY;"), 1f64.next_down().to_bits()),
        (text("fma.rp.f64 %rd9, TINY, TINY, ONE;"), 1f64.next_up().to_bits()),
        (text("fma.rn.f64 %rd9, TINY, TINY, ONE;"), one),
        (text("div.rm.f64 %rd9, ONE, 0d4008000000000000;"), (1f64 / 3.0).to_bits()),
        (text("div.rp.f64 %rd9, ONE, 0d4008000000000000;"), (1f64 / 3.0).next_up().to_bits()),
        // The smallest number times itself is nothing, but not when rounding up.
        (text("mul.rp.f64 %rd9, 0d0000000000000001, 0d0000000000000001;"), 1),
        (text("mul.rn.f64 %rd9, 0d0000000000000001, 0d0000000000000001;"), 0),
        (text("fma.rp.f64 %rd9, 0d0000000000000001, 0d0000000000000001, 0d0000000000000000;"), 1),
        (text("fma.rm.f64 %rd9, 0d0000000000000001, 0d8000000000000001, 0d0000000000000000;"), 0x8000_0000_0000_0001),
        // The product alone is beyond the range: some 1.5 2^1024, less the largest number.
        (text("fma.rm.f64 %rd9, 0d7FE8000000000001, 0d4000000000000001, 0dFFEFFFFFFFFFFFFF;"), 0x7FE0_0000_0000_0006),
        (text("fma.rp.f64 %rd9, 0d7FE8000000000001, 0d4000000000000001, 0dFFEFFFFFFFFFFFFF;"), 0x7FE0_0000_0000_0007),
        // The root of 2^-1073 is 2^-537 times that of 2.
        (text("sqrt.rm.f64 %rd9, 0d0000000000000002;"), 0x1E66_A09E_667F_3BCC),
        (text("sqrt.rp.f64 %rd9, 0d0000000000000002;"), 0x1E66_A09E_667F_3BCD),
    ];
    let cases: Vec<(&str, u64)> = cases.iter().map(|(code, value)| (code.as_str(), *value)).collect();
    check(&cases);
}

#[test]
fn flushing_saturation_and_nan() {
    let (tiny, two, nan) = ("0f00000001", "0f40000000", "0f7FC00001");
    let text =
        |code: &str| code.replace("TINY", tiny).replace("TWO", two).replace("NAN", nan).replace("-TINY", "0f80000001");
    let cases = [
        (text("add.rn.f32 %r9, TINY, TINY;"), 2),
        (text("add.rn.ftz.f32 %r9, TINY, TINY;"), 0),
        (text("mul.rn.ftz.f32 %r9, 0f80000001, TWO;"), 0x8000_0000),
        (text("add.rn.sat.f32 %r9, TWO, TWO;"), bits(1.0)),
        (text("fma.rn.sat.f32 %r9, TWO, 0fC0000000, TWO;"), 0),
        (text("add.rn.sat.f32 %r9, NAN, TWO;"), 0),
        (text("add.rn.f32 %r9, NAN, TWO;"), 0x7FFF_FFFF),
        (text("min.f32 %r9, NAN, TWO;"), bits(2.0)),
        (text("min.NaN.f32 %r9, NAN, TWO;"), 0x7FFF_FFFF),
        (text("max.f32 %r9, 0f80000000, 0f00000000;"), 0),
        (text("min.f32 %r9, 0f00000000, 0f80000000;"), 0x8000_0000),
        (text("abs.f32 %r9, 0fC0000000;"), bits(2.0)),
        (text("neg.ftz.f32 %r9, TINY;"), 0x8000_0000),
        (text("copysign.f32 %r9, 0fBF800000, TWO;"), bits(-2.0)),
        (text("testp.subnormal.f32 %p1, TINY; selp.u32 %r9, 1, 0, %p1;"), 1),
        (text("testp.notanumber.f32 %p1, TWO; selp.u32 %r9, 1, 0, %p1;"), 0),
        (text("ex2.approx.ftz.f32 %r9, TWO;"), bits(4.0)),
        (text("lg2.approx.f32 %r9, TINY;"), bits(-149.0)),
        (text("lg2.approx.ftz.f32 %r9, TINY;"), bits(f32::NEG_INFINITY)),
        (text("rsqrt.approx.f32 %r9, 0f40800000;"), bits(0.5)),
        (text("rcp.approx.ftz.f32 %r9, 0f40800000;"), bits(0.25)),
        (text("div.full.f32 %r9, TWO, 0f40800000;"), bits(0.5)),
        // By the reciprocal of 2^127, which is below the smallest normal number.
        (text("div.approx.f32 %r9, 0f7F000000, 0f7F000000;"), 0),
        (text("div.approx.f32 %r9, 0f7F000000, 0fFF000000;"), 0x8000_0000),
        (
            text("div.approx.f32 %r9, 0f7F800000, 0f7F000000; testp.notanumber.f32 %p1, %r9; selp.u32 %r9, 1, 0, %p1;"),
            1,
        ),
        (text("div.approx.f32 %r9, 0f7F000000, 0f7E800000;"), bits(2.0)),
        (text("div.full.f32 %r9, 0f7F000000, 0f7F000000;"), bits(1.0)),
        (text("sin.approx.f32 %r9, 0f00000000;"), 0),
        (text("cos.approx.f32 %r9, 0f00000000;"), bits(1.0)),
        (text("tanh.approx.f32 %r9, 0f42C80000;"), bits(1.0)),
    ];
    let cases: Vec<(&str, u64)> = cases.iter().map(|(code, value)| (code.as_str(), *value)).collect();
    check(&cases);
}

#[test]
fn conversions() {
    let third_bits = (1f64 / 3.0).to_bits();
    let narrowed = format!("cvt.rp.f32.f64 %r9, 0d{third_bits:016X};");
    let third = 1.0f32 / 3.0;
    let above = if f64::from(third) < 1.0 / 3.0 { third.next_up() } else { third };
    check(&[
        ("cvt.rni.s32.f32 %r9, 0f40200000;", 2),
        ("cvt.rzi.s32.f32 %r9, 0fC0200000;", (-2i32) as u32 as u64),
        ("cvt.rmi.s32.f32 %r9, 0fC0200000;", (-3i32) as u32 as u64),
        ("cvt.rpi.s32.f32 %r9, 0f40200000;", 3),
        ("cvt.rzi.s32.f32 %r9, 0f7FC00000;", 0),
        ("cvt.rzi.s64.f32 %rd9, 0f7FC00000;", 1 << 63),
        ("cvt.rzi.u64.f32 %rd9, 0f7FC00000;", 1 << 63),
        ("cvt.rzi.s32.f64 %r9, 0d7FF8000000000000;", 0x8000_0000),
        ("cvt.rzi.s32.f32 %r9, 0f7F800000;", 0x7FFF_FFFF),
        ("cvt.rzi.u32.f32 %r9, 0fBF800000;", 0),
        ("cvt.rzi.u64.f32 %rd9, 0f7F800000;", u64::MAX),
        ("cvt.rni.f32.f32 %r9, 0f40200000;", bits(2.0)),
        ("cvt.rn.f32.s32 %r9, 16777217;", bits(16_777_216.0)),
        ("cvt.rp.f32.s32 %r9, 16777217;", bits(16_777_218.0)),
        ("cvt.rn.f32.u64 %r9, -1;", bits(1.844_674_4e19)),
        ("cvt.rz.f32.u64 %r9, -1;", bits(1.844_674_4e19f32.next_down())),
        ("cvt.rn.f64.s64 %rd9, -3;", (-3f64).to_bits()),
        ("cvt.f64.f32 %rd9, 0f40200000;", 2.5f64.to_bits()),
        (narrowed.as_str(), bits(above)),
        ("cvt.sat.f32.f32 %r9, 0f40200000;", bits(1.0)),
        ("cvt.ftz.f32.f32 %r9, 0f00000001;", 0),
        ("cvt.u8.u32 %r9, 0x1ff;", 0xFF),
        ("cvt.s8.u32 %r9, 0x1ff;", 0xFFFF_FFFF),
        ("cvt.sat.u8.s32 %r9, -5;", 0),
        ("cvt.sat.s8.s32 %r9, 300;", 127),
        ("cvt.s64.s32 %rd9, -1;", u64::MAX),
        ("cvt.u64.u32 %rd9, 0xffffffff;", 0xFFFF_FFFF),
        ("cvt.u32.u64 %r9, 0x1ffffffff;", 0xFFFF_FFFF),
        ("cvt.rn.f16.f32 %h1, 0f3F800000; cvt.u32.u16 %r9, %h1;", 0x3C00),
        ("cvt.f32.f16 %r9, %h1;", 0),
        ("cvt.rn.bf16.f32 %h1, 0f3F808000; cvt.u32.u16 %r9, %h1;", 0x3F80),
        ("cvt.rn.bf16x2.f32 %r9, 0f3F800000, 0f40000000;", 0x3F80_4000),
        ("cvt.rn.f16x2.f32 %r9, 0f3F800000, 0f40000000;", 0x3C00_4000),
        ("cvt.rna.tf32.f32 %r9, 0f3F801000;", 0x3F80_2000),
        // To the format's largest number, and no further than that.
        ("cvt.rn.satfinite.f16.f32 %h1, 0f40A00000; cvt.u32.u16 %r9, %h1;", 0x4500),
        ("cvt.rn.satfinite.f16.f32 %h1, 0fC9742400; cvt.u32.u16 %r9, %h1;", 0xFBFF),
        ("cvt.rn.satfinite.bf16.f32 %h1, 0fC0400000; cvt.u32.u16 %r9, %h1;", 0xC040),
        ("cvt.rn.satfinite.bf16.f32 %h1, 0f7F800000; cvt.u32.u16 %r9, %h1;", 0x7F7F),
        ("cvt.rna.satfinite.tf32.f32 %r9, 0f40A00000;", 0x40A0_0000),
        ("cvt.rna.satfinite.tf32.f32 %r9, 0f7F7FFFFF;", 0x7F7F_E000),
        ("cvt.rna.satfinite.tf32.f32 %r9, 0f7FC00000;", 0x7FFF_FFFF),
        ("cvt.rn.satfinite.f16x2.f32 %r9, 0f49742400, 0f40000000;", 0x7BFF_4000),
        ("cvt.rn.satfinite.bf16x2.f32 %r9, 0fFF800000, 0f40A00000;", 0xFF7F_40A0),
        ("cvt.rn.sat.f16.f32 %h1, 0f40A00000; cvt.u32.u16 %r9, %h1;", 0x3C00),
    ]);
}

#[test]
fn comparisons() {
    let set = |code: &str| format!("setp.{code}; selp.u32 %r9, 1, 0, %p1;");
    let cases = [
        (set("lt.s32 %p1, -1, 0"), 1),
        (set("lt.u32 %p1, -1, 0"), 0),
        (set("lo.u32 %p1, 0, -1"), 1),
        (set("hs.u64 %p1, -1, 0"), 1),
        (set("eq.f32 %p1, 0f00000000, 0f80000000"), 1),
        (set("lt.f32 %p1, 0f7FC00000, 0f3F800000"), 0),
        (set("ltu.f32 %p1, 0f7FC00000, 0f3F800000"), 1),
        (set("ne.f32 %p1, 0f7FC00000, 0f7FC00000"), 0),
        (set("neu.f32 %p1, 0f7FC00000, 0f7FC00000"), 1),
        (set("equ.f32 %p1, 0f7FC00000, 0f3F800000"), 1),
        (set("geu.f64 %p1, 0d3FF0000000000000, 0d4000000000000000"), 0),
        (set("num.f32 %p1, 0f7FC00000, 0f3F800000"), 0),
        (set("nan.f32 %p1, 0f7FC00000, 0f3F800000"), 1),
        (set("eq.ftz.f32 %p1, 0f00000001, 0f00000000"), 1),
        (set("eq.s32 %p2, 1, 2; setp.eq.or.s32 %p1, 3, 3, %p2"), 1),
        (set("eq.s32 %p2, 1, 2; setp.eq.and.s32 %p1, 3, 3, !%p2"), 1),
        (set("eq.s32 %p2, 1, 1; setp.eq.xor.s32 %p1, 3, 3, %p2"), 0),
        (set("lt.s32 %p2|%p1, 1, 2"), 0),
        (set("eq.s32 %p2, 1, 1; and.pred %p1, %p2, %p2; not.pred %p1, %p1"), 0),
        ("set.lt.u32.s32 %r9, 1, 2;".to_owned(), 0xFFFF_FFFF),
        ("set.lt.f32.s32 %r9, 1, 2;".to_owned(), bits(1.0)),
        ("mov.b16 %h1, 0x3c00; mov.b16 %h2, 0; set.gt.f16.f16 %h3, %h1, %h2; cvt.u32.u16 %r9, %h3;".to_owned(), 0x3C00),
        (
            "mov.b16 %h1, 0x3f80; mov.b16 %h2, 0; set.gt.bf16.bf16 %h3, %h1, %h2; cvt.u32.u16 %r9, %h3;".to_owned(),
            0x3F80,
        ),
        ("mov.b16 %h1, 1; mov.b16 %h2, 0; setp.eq.ftz.f16 %p1, %h1, %h2; selp.u32 %r9, 1, 0, %p1;".to_owned(), 1),
        ("mov.b16 %h1, 1; mov.b16 %h2, 0; setp.eq.f16 %p1, %h1, %h2; selp.u32 %r9, 1, 0, %p1;".to_owned(), 0),
        ("slct.u32.s32 %r9, 5, 6, -1;".to_owned(), 6),
        ("slct.u32.f32 %r9, 5, 6, -1.0;".to_owned(), 6),
        ("slct.u32.f32 %r9, 5, 6, 0f80000000;".to_owned(), 5),
    ];
    let cases: Vec<(&str, u64)> = cases.iter().map(|(code, value)| (code.as_str(), *value)).collect();
    check(&cases);
}

#[test]
fn sixteen_bit_floats() {
    check(&[
        ("mov.b32 %r1, 0x40003c00; add.rn.f16x2 %r9, %r1, %r1;", 0x4400_4000),
        ("mov.b32 %r1, 0x3f803f80; fma.rn.bf16x2 %r9, %r1, %r1, %r1;", 0x4000_4000),
        ("mov.b16 %h1, 0x3c00; mul.f16 %h2, %h1, %h1; cvt.u32.u16 %r9, %h2;", 0x3C00),
        ("mov.b16 %h1, 0xbc00; fma.rn.relu.f16 %h2, %h1, %h1, %h1; cvt.u32.u16 %r9, %h2;", 0),
        ("mov.b32 %r1, 0x3c00bc00; mov.b32 %r2, 0; max.f16x2 %r9, %r1, %r2;", 0x3C00_0000),
        ("mov.b32 %r1, 0x3c00bc00; neg.f16x2 %r9, %r1;", 0xBC00_3C00),
        // Of each format its own smallest normal number: 2^-130 is below that of bf16, 2^-100 is not.
        ("mov.b16 %h1, 0xc302; ex2.approx.ftz.bf16 %h2, %h1; cvt.u32.u16 %r9, %h2;", 0),
        ("mov.b16 %h1, 0xc2c8; ex2.approx.ftz.bf16 %h2, %h1; cvt.u32.u16 %r9, %h2;", 0x0D80),
        ("mov.b16 %h1, 0x3300; ex2.approx.ftz.bf16 %h2, %h1; cvt.u32.u16 %r9, %h2;", 0x3F80),
        ("mov.b16 %h1, 1; mov.b16 %h2, 0; add.ftz.f16 %h3, %h1, %h2; cvt.u32.u16 %r9, %h3;", 0),
    ]);
}

/// Whatever the processor makes of infinity less infinity.
#[test]
fn sums_in_memory_have_the_same_nan() {
    let infinities = "mov.b32 %r1, 0f7F800000; st.global.u32 [%rd2+4], 0; st.global.b32 [%rd2], %r1;";
    let words = evaluate(&format!("{infinities} red.global.add.f32 [%rd2], 0fFF800000;"), &[0], 1);
    assert_eq!(words, [0x7FFF_FFFF]);
}

/// A thread that reads it again has run since.
#[test]
fn the_clock_advances() {
    let words = evaluate(
        "mov.u64 %rd3, %clock64; mov.u64 %rd4, %clock64; sub.u64 %rd5, %rd4, %rd3; st.global.u64 [%rd2], %rd5;",
        &[0],
        1,
    );
    assert_eq!(words, [1]);
}

/// Every loaded width, with and without a sign, in every register width.
#[test]
fn loads_extend_by_their_type() {
    let outputs = evaluate(
        "ld.global.u8 %r3, [%rd1]; cvt.u64.u32 %rd3, %r3; st.global.u64 [%rd2], %rd3;
         ld.global.s8 %r3, [%rd1]; cvt.u64.u32 %rd3, %r3; st.global.u64 [%rd2+8], %rd3;
         ld.global.s16 %rd3, [%rd1]; st.global.u64 [%rd2+16], %rd3;
         ld.global.v2.u32 {%r3, %r4}, [%rd1]; mov.b64 %rd3, {%r4, %r3}; st.global.b64 [%rd2+24], %rd3;
         ld.global.v4.u16 {%h1, %h2, %h3, %h4}, [%rd1]; st.global.v4.u16 [%rd2+32], {%h4, %h3, %h2, %h1};",
        &[0x1122_3344_5566_F7F8],
        5,
    );
    assert_eq!(outputs, [0xF8, 0xFFFF_FFF8, 0xFFFF_FFFF_FFFF_F7F8, 0x5566_F7F8_1122_3344, 0xF7F8_5566_3344_1122]);
}
