//! Arithmetic on f16, bf16 and pairs of them.

use super::float::{extremum_mode, pick_extremum};
use super::half::{self, bf16_to_f64, f16_to_f64, f64_to_bf16, f64_to_f16};
use super::rounding::Round;
use super::slot::{read, write};
use super::{Decoded, Modifiers, Pure};
use crate::error::ParseErrorKind;
use crate::instruction::{Compute, Slots};
use crate::report::OpcodeClass::Half;
use crate::types::Type;

const BF16: u32 = 1;
const PAIR: u32 = 2;
const FLUSH: u32 = 4;
const SATURATE: u32 = 8;
const RELU: u32 = 16;

const NAMES: [&str; 8] = ["add", "sub", "mul", "fma", "min", "max", "abs", "neg"];

pub(super) fn decode(m: &mut Modifiers) -> Decoded {
    let Some(ty @ (Type::F16 | Type::F16x2 | Type::BF16 | Type::BF16x2)) = m.peek_type() else {
        return Ok(None);
    };
    if !NAMES.contains(&m.name) && !matches!(m.name, "ex2" | "tanh") {
        return Ok(None);
    }
    m.ty()?;
    m.take("rn");
    let mut mode = u32::from(matches!(ty, Type::BF16 | Type::BF16x2)) * BF16;
    mode |= u32::from(matches!(ty, Type::F16x2 | Type::BF16x2)) * PAIR;
    for (name, bit) in [("ftz", FLUSH), ("sat", SATURATE), ("relu", RELU)] {
        if m.take(name) {
            mode |= bit;
        }
    }
    let (run, sources): (Compute, u8) = match m.name {
        "add" => (|r, s| lanes(r, s, |a, b, _, _| a + b), 2),
        "sub" => (|r, s| lanes(r, s, |a, b, _, _| a - b), 2),
        "mul" => (|r, s| lanes(r, s, |a, b, _, _| a * b), 2),
        "fma" => (|r, s| lanes(r, s, |a, b, c, _| fma(a, b, c)), 3),
        "abs" => (|r, s| lanes(r, s, |a, _, _, _| a.abs()), 1),
        "neg" => (|r, s| lanes(r, s, |a, _, _, _| -a), 1),
        "min" | "max" => {
            mode |= extremum_mode(m);
            (|r, s| lanes(r, s, pick_from_mode), 2)
        }
        name => {
            if !m.take("approx") {
                return Err(ParseErrorKind::UnknownInstruction(m.full().to_owned()));
            }
            match name {
                "ex2" => (|r, s| lanes(r, s, |a, _, _, _| a.exp2()), 1),
                _ => (|r, s| lanes(r, s, |a, _, _, _| a.tanh()), 1),
            }
        }
    };
    Ok(Some(Pure::new(run, sources, ty, Half).with_mode(mode)))
}

fn pick_from_mode(a: f64, b: f64, _: f64, mode: u32) -> f64 {
    pick_extremum(a, b, mode)
}

/// The product of two 16-bit floats is exact in f64; the sum is rounded to odd, so that the last rounding is right.
fn fma(a: f64, b: f64, c: f64) -> f64 {
    let product = a * b;
    let sum = product + c;
    let part = sum - product;
    let error = (product - (sum - part)) + (c - part);
    if error != 0.0 && sum.is_finite() && sum.to_bits() & 1 == 0 {
        return if error > 0.0 { sum.next_up() } else { sum.next_down() };
    }
    sum
}

fn lanes(r: &mut [u64], s: Slots, operation: fn(f64, f64, f64, u32) -> f64) {
    let mode = s.m;
    let (a, b, c): (u32, u32, u32) = (read(r, s.a), read(r, s.b), read(r, s.c));
    let mut result = 0u32;
    for lane in 0..if mode & PAIR != 0 { 2 } else { 1 } {
        let source = |bits: u32| widen((bits >> (16 * lane)) as u16, mode);
        let value = operation(source(a), source(b), source(c), mode);
        result |= u32::from(narrow(value, mode)) << (16 * lane);
    }
    write(r, s.d, result);
}

fn widen(bits: u16, mode: u32) -> f64 {
    let value = if mode & BF16 != 0 { bf16_to_f64(bits) } else { f16_to_f64(bits) };
    flushed(value, mode)
}

fn flushed(value: f64, mode: u32) -> f64 {
    let format = if mode & BF16 != 0 { half::BF16 } else { half::F16 };
    if mode & FLUSH != 0 { format.flush(value) } else { value }
}

fn narrow(value: f64, mode: u32) -> u16 {
    let mut value = flushed(value, mode);
    if mode & SATURATE != 0 {
        value = if value.is_nan() || value <= 0.0 { 0.0 } else { value.min(1.0) };
    }
    if mode & RELU != 0 && value <= 0.0 {
        value = 0.0;
    }
    if mode & BF16 != 0 { f64_to_bf16(value, Round::Nearest) } else { f64_to_f16(value, Round::Nearest) }
}
