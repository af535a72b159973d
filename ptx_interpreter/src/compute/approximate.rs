//! Approximate functions. They are evaluated in f64 and rounded once, well within the errors that the ISA documents.

use super::rounding::FloatMode;
use super::slot::{read, write};
use super::{Decoded, Modifiers, Pure};
use crate::error::ParseErrorKind;
use crate::instruction::{Compute, Slots};
use crate::report::OpcodeClass::Approximate;
use crate::types::Type;

fn apply(r: &mut [u64], s: Slots, function: fn(f64) -> f64) {
    let mode = FloatMode(s.m);
    let value = function(f64::from(mode.source(read(r, s.a)))) as f32;
    write(r, s.d, mode.result(value));
}

fn reciprocal_root(x: f64) -> f64 {
    1.0 / x.sqrt()
}

pub(super) fn decode(m: &mut Modifiers) -> Decoded {
    let run: Compute = match m.name {
        "ex2" => |r, s| apply(r, s, f64::exp2),
        "lg2" => |r, s| apply(r, s, f64::log2),
        "sin" => |r, s| apply(r, s, f64::sin),
        "cos" => |r, s| apply(r, s, f64::cos),
        "tanh" => |r, s| apply(r, s, f64::tanh),
        "rsqrt" => |r, s| apply(r, s, reciprocal_root),
        _ => return Ok(None),
    };
    if !m.take("approx") {
        return Err(m.missing("`.approx`"));
    }
    let mode = FloatMode::take(m);
    let ty = m.ty()?;
    let run = match (m.name, ty) {
        (_, Type::F32) => run,
        ("rsqrt", Type::F64) => |r: &mut [u64], s: Slots| {
            let value: f64 = read(r, s.a);
            let value = if s.m & 8 != 0 { flush64(value) } else { value };
            write(r, s.d, reciprocal_root(value));
        },
        _ => return Err(m.unknown(ty.name())),
    };
    Ok(Some(Pure::new(run, 1, ty, Approximate).with_mode(mode.0)))
}

fn flush64(value: f64) -> f64 {
    if value.is_subnormal() { 0f64.copysign(value) } else { value }
}

/// `div.approx`, `div.full`, `rcp.approx` and `sqrt.approx`, whose type and `.approx` are claimed already.
pub(super) fn division(m: &mut Modifiers, ty: Type) -> Decoded {
    let (mode, full) = (FloatMode::take(m), m.full().contains(".full"));
    let (run, sources): (Compute, u8) = match (m.name, ty) {
        ("div", Type::F32) if full => (divide_full, 2),
        ("div", Type::F32) => (divide_approx, 2),
        ("rcp", Type::F32) if !full => (|r, s| apply(r, s, |x| 1.0 / x), 1),
        ("sqrt", Type::F32) if !full => (|r, s| apply(r, s, f64::sqrt), 1),
        // The low 32 bits of the result are zero. There is no form that keeps subnormal numbers.
        ("rcp", Type::F64) if !full && mode.flushes() => (
            |r, s| {
                let value = 1.0 / flush64(read::<f64>(r, s.a));
                write(r, s.d, flush64(f64::from_bits(value.to_bits() & !0xFFFF_FFFF)));
            },
            1,
        ),
        _ => return Err(ParseErrorKind::UnknownInstruction(m.full().to_owned())),
    };
    Ok(Some(Pure::new(run, sources, ty, Approximate).with_mode(mode.0)))
}

/// The quotient, whatever the divisor.
fn divide_full(r: &mut [u64], s: Slots) {
    divide(r, s, |a, b| a / b);
}

/// By the reciprocal, which is 0 of divisors beyond 2^126.
fn divide_approx(r: &mut [u64], s: Slots) {
    divide(r, s, |a, b| {
        let far = b.is_finite() && b.abs() > f32::from_bits(0x7E80_0000);
        if far { a * 0f32.copysign(b) } else { a / b }
    });
}

fn divide(r: &mut [u64], s: Slots, quotient: fn(f32, f32) -> f32) {
    let mode = FloatMode(s.m);
    let value = quotient(mode.source(read(r, s.a)), mode.source(read(r, s.b)));
    write(r, s.d, mode.result(value));
}
