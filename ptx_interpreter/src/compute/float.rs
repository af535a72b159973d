//! f32 and f64 arithmetic.

use super::rounding::{self as exact, FloatMode, flush};
use super::slot::{binary, read, ternary, unary, write};
use super::{Decoded, Modifiers, Pure};
use crate::error::ParseErrorKind;
use crate::instruction::{Compute, Slots};
use crate::report::OpcodeClass::{Float32, Float64};
use crate::types::Type;

const NAMES: [&str; 13] =
    ["add", "sub", "mul", "fma", "mad", "div", "rcp", "sqrt", "min", "max", "abs", "neg", "copysign"];

pub(super) fn decode(m: &mut Modifiers) -> Decoded {
    if m.name == "testp" {
        return test_property(m);
    }
    let Some(ty @ (Type::F32 | Type::F64)) = m.peek_type() else {
        return Ok(None);
    };
    if !NAMES.contains(&m.name) || m.take("approx") || m.take("full") {
        return approximate_division(m, ty);
    }
    m.ty()?;
    let mode = FloatMode::take(m);
    if ty == Type::F64 && !mode.only_rounds() {
        return Err(ParseErrorKind::UnknownInstruction(m.full().to_owned()));
    }
    let (run, sources) = match m.name {
        "min" | "max" => extremum(ty),
        "abs" | "neg" | "copysign" => sign(m.name, ty, mode),
        name if ty == Type::F32 => arithmetic32(name, mode),
        name => arithmetic64(name, mode),
    };
    let mode = match m.name {
        "min" | "max" => mode.0 | extremum_mode(m),
        _ => mode.0,
    };
    let class = if ty == Type::F32 { Float32 } else { Float64 };
    Ok(Some(Pure::new(run, sources, ty, class).with_mode(mode)))
}

/// The approximate forms of `div`, `rcp` and `sqrt` belong to another family.
fn approximate_division(m: &mut Modifiers, ty: Type) -> Decoded {
    if matches!(m.name, "div" | "rcp" | "sqrt") {
        m.ty()?;
        return super::approximate::division(m, ty);
    }
    if NAMES.contains(&m.name) {
        return Err(ParseErrorKind::UnknownInstruction(m.full().to_owned()));
    }
    Ok(None)
}

/// Applies an operation with the modifiers that `s.m` holds.
fn with_mode(r: &mut [u64], s: Slots, operation: impl Fn(FloatMode, f32, f32, f32) -> f32) {
    let mode = FloatMode(s.m);
    let source = |slot| mode.source(read(r, slot));
    let value = operation(mode, source(s.a), source(s.b), source(s.c));
    write(r, s.d, mode.result(value));
}

fn with_mode64(r: &mut [u64], s: Slots, operation: impl Fn(FloatMode, f64, f64, f64) -> f64) {
    let mode = FloatMode(s.m);
    let value = operation(mode, read(r, s.a), read(r, s.b), read(r, s.c));
    write(r, s.d, value);
}

fn arithmetic32(name: &str, mode: FloatMode) -> (Compute, u8) {
    let plain = mode.is_plain();
    match name {
        "add" if plain => (binary!(f32, |a, b| a + b), 2),
        "sub" if plain => (binary!(f32, |a, b| a - b), 2),
        "mul" if plain => (binary!(f32, |a, b| a * b), 2),
        "fma" | "mad" if plain => (ternary!(f32, |a, b, c| a.mul_add(b, c)), 3),
        "div" if plain => (binary!(f32, |a, b| a / b), 2),
        "add" => (|r, s| with_mode(r, s, |m, a, b, _| exact::add32(a, b, m.round())), 2),
        "sub" => (|r, s| with_mode(r, s, |m, a, b, _| exact::add32(a, -b, m.round())), 2),
        "mul" => (|r, s| with_mode(r, s, |m, a, b, _| exact::mul32(a, b, m.round())), 2),
        "div" => (|r, s| with_mode(r, s, |m, a, b, _| exact::div32(a, b, m.round())), 2),
        "rcp" => (|r, s| with_mode(r, s, |m, a, _, _| exact::div32(1.0, a, m.round())), 1),
        "sqrt" => (|r, s| with_mode(r, s, |m, a, _, _| exact::sqrt32(a, m.round())), 1),
        _ => (|r, s| with_mode(r, s, |m, a, b, c| exact::fma32(a, b, c, m.round())), 3),
    }
}

fn arithmetic64(name: &str, mode: FloatMode) -> (Compute, u8) {
    let plain = mode.is_plain();
    match name {
        "add" if plain => (binary!(f64, |a, b| a + b), 2),
        "sub" if plain => (binary!(f64, |a, b| a - b), 2),
        "mul" if plain => (binary!(f64, |a, b| a * b), 2),
        "fma" | "mad" if plain => (ternary!(f64, |a, b, c| a.mul_add(b, c)), 3),
        "add" => (|r, s| with_mode64(r, s, |m, a, b, _| exact::add64(a, b, m.round())), 2),
        "sub" => (|r, s| with_mode64(r, s, |m, a, b, _| exact::add64(a, -b, m.round())), 2),
        "mul" => (|r, s| with_mode64(r, s, |m, a, b, _| exact::mul64(a, b, m.round())), 2),
        "div" => (|r, s| with_mode64(r, s, |m, a, b, _| exact::div64(a, b, m.round())), 2),
        "rcp" => (|r, s| with_mode64(r, s, |m, a, _, _| exact::div64(1.0, a, m.round())), 1),
        "sqrt" => (|r, s| with_mode64(r, s, |m, a, _, _| exact::sqrt64(a, m.round())), 1),
        _ => (|r, s| with_mode64(r, s, |m, a, b, c| exact::fma64(a, b, c, m.round())), 3),
    }
}

fn sign(name: &str, ty: Type, mode: FloatMode) -> (Compute, u8) {
    // The sign is a bit: a NaN keeps its payload.
    match (name, ty) {
        ("abs", Type::F32) if mode.flushes() => (|r, s| write(r, s.d, flush(read::<f32>(r, s.a)).abs()), 1),
        ("neg", Type::F32) if mode.flushes() => (|r, s| write(r, s.d, -flush(read::<f32>(r, s.a))), 1),
        ("abs", Type::F32) => (unary!(u32, |a| a & 0x7FFF_FFFF), 1),
        ("neg", Type::F32) => (unary!(u32, |a| a ^ 0x8000_0000), 1),
        ("abs", _) => (unary!(u64, |a| a & !(1 << 63)), 1),
        ("neg", _) => (unary!(u64, |a| a ^ (1 << 63)), 1),
        // copysign d, a, b: the sign of a, the magnitude of b.
        (_, Type::F32) => (binary!(u32, |a, b| (a & 0x8000_0000) | (b & 0x7FFF_FFFF)), 2),
        _ => (binary!(u64, |a, b| (a & (1 << 63)) | (b & !(1 << 63))), 2),
    }
}

const MAXIMUM: u32 = 1 << 8;
const KEEP_NAN: u32 = 1 << 9;
const XOR_SIGN: u32 = 1 << 10;

pub(super) fn extremum_mode(m: &mut Modifiers) -> u32 {
    let mut mode = if m.name == "max" { MAXIMUM } else { 0 };
    if m.take("NaN") {
        mode |= KEEP_NAN;
    }
    if m.take("xorsign") && m.take("abs") {
        mode |= XOR_SIGN;
    }
    mode
}

fn extremum(ty: Type) -> (Compute, u8) {
    if ty == Type::F32 {
        (
            |r, s| {
                let mode = s.m;
                with_mode(r, s, |_, a, b, _| pick_extremum(f64::from(a), f64::from(b), mode) as f32);
            },
            2,
        )
    } else {
        (|r, s| write(r, s.d, pick_extremum(read(r, s.a), read(r, s.b), s.m)), 2)
    }
}

/// The smaller or larger of two, where -0 is below +0; a NaN loses unless `.NaN` is given.
pub(super) fn pick_extremum(a: f64, b: f64, mode: u32) -> f64 {
    let negative = a.is_sign_negative() != b.is_sign_negative();
    let (a, b) = if mode & XOR_SIGN != 0 { (a.abs(), b.abs()) } else { (a, b) };
    let picked = if a.is_nan() || b.is_nan() {
        if mode & KEEP_NAN != 0 || (a.is_nan() && b.is_nan()) {
            return f64::NAN;
        }
        if a.is_nan() { b } else { a }
    } else if (a.total_cmp(&b).is_lt()) == (mode & MAXIMUM == 0) {
        a
    } else {
        b
    };
    if mode & XOR_SIGN != 0 && negative { -picked } else { picked }
}

fn test_property(m: &mut Modifiers) -> Decoded {
    let property = m.find(|word| {
        ["finite", "infinite", "number", "notanumber", "normal", "subnormal"].iter().position(|known| *known == word)
    });
    let Some(property) = property else {
        return Err(m.missing("a property such as `.finite`"));
    };
    let ty = m.ty()?;
    let run: Compute = match ty {
        Type::F32 => |r, s| {
            let value: f32 = read(r, s.a);
            write(r, s.d, has_property(s.m, f64::from(value), value.is_subnormal()));
        },
        Type::F64 => |r, s| {
            let value: f64 = read(r, s.a);
            write(r, s.d, has_property(s.m, value, value.is_subnormal()));
        },
        _ => return Err(m.unknown(ty.name())),
    };
    Ok(Some(Pure::new(run, 1, ty, Float32).with_mode(property as u32)))
}

fn has_property(property: u32, value: f64, subnormal: bool) -> bool {
    match property {
        0 => value.is_finite(),
        1 => value.is_infinite(),
        2 => !value.is_nan(),
        3 => value.is_nan(),
        4 => value.is_finite() && value != 0.0 && !subnormal,
        _ => subnormal,
    }
}
