//! `cvt`: conversions between integers and floats of all widths.

use super::half::{BF16, F16, Format, TF32, bf16_to_f64, f16_to_f64, f64_to_bf16, f64_to_f16, round_to_integer};
use super::rounding::{Round, directed32, flush};
use super::slot::{CANONICAL_NAN, Slot, read, write};
use super::{Decoded, Modifiers, Pure};
use crate::error::ParseErrorKind;
use crate::instruction::{Compute, Slots};
use crate::report::OpcodeClass::Convert;
use crate::types::{TYPES, Type};

const FLUSH: u32 = 1 << 16;
const SATURATE: u32 = 1 << 17;
const RELU: u32 = 1 << 18;
const INTEGRAL: u32 = 1 << 19;
const FINITE: u32 = 1 << 20;

pub(super) fn decode(m: &mut Modifiers) -> Decoded {
    if m.name != "cvt" {
        return Ok(None);
    }
    let mut mode = 0;
    let integral = m.find(|word| word.strip_suffix('i').and_then(Round::from_name));
    let round = match integral {
        Some(round) => {
            mode |= INTEGRAL;
            round
        }
        None if m.take("rna") => Round::NearestAway,
        None => m.find(Round::from_name).unwrap_or(Round::Nearest),
    };
    for (name, bit) in [("ftz", FLUSH), ("sat", SATURATE), ("relu", RELU), ("satfinite", FINITE)] {
        if m.take(name) {
            mode |= bit;
        }
    }
    let (to, from) = (m.ty()?, m.ty()?);
    let pair = matches!(to, Type::F16x2 | Type::BF16x2);
    let of_f32_only = pair || to == Type::TF32;
    let composite = |ty| matches!(ty, Type::Pred | Type::B128 | Type::F16x2 | Type::BF16x2 | Type::TF32);
    if composite(from) || matches!(to, Type::Pred | Type::B128) || (of_f32_only && from != Type::F32) {
        return Err(ParseErrorKind::UnknownInstruction(m.full().to_owned()));
    }
    let narrow = of_f32_only || matches!(to, Type::F16 | Type::BF16);
    for (name, bit, fits) in [("satfinite", FINITE, narrow), ("relu", RELU, narrow), ("sat", SATURATE, !of_f32_only)] {
        if mode & bit != 0 && !fits {
            return Err(m.unknown(name));
        }
    }
    mode |= to as u32 | (from as u32) << 5 | (round as u32) << 10;
    if pair {
        return Ok(Some(Pure::new(convert_pair, 2, from, Convert).with_mode(mode)));
    }
    let run = quick(to, from, mode).unwrap_or(convert);
    Ok(Some(Pure::new(run, 1, from, Convert).with_mode(mode)))
}

fn decode_type(code: u32) -> Type {
    TYPES[(code & 31) as usize].0
}

/// The widenings and truncations of integers, which addresses are made of.
fn quick(to: Type, from: Type, mode: u32) -> Option<Compute> {
    if mode & (SATURATE | INTEGRAL) != 0 || to.is_float() || from.is_float() {
        return match (to, from) {
            (Type::F64, Type::F32) if mode >> 16 == 0 => Some(|r, s| write(r, s.d, f64::from(read::<f32>(r, s.a)))),
            _ => None,
        };
    }
    Some(match (from, to.bytes()) {
        (Type::U32 | Type::B32, 8) => |r, s| r[s.d as usize] = u64::from(read::<u32>(r, s.a)),
        (Type::S32, 8) => |r, s| write(r, s.d, i64::from(read::<i32>(r, s.a))),
        (Type::U64 | Type::S64 | Type::B64, 4) => |r, s| write(r, s.d, read::<u32>(r, s.a)),
        _ => return None,
    })
}

fn convert(r: &mut [u64], s: Slots) {
    let (to, from) = (decode_type(s.m), decode_type(s.m >> 5));
    let bits = r[s.a as usize];
    let result = match (to.is_float(), from.is_float()) {
        (false, false) => integer_to_integer(integer(bits, from), to, s.m),
        (true, false) => integer_to_float(integer(bits, from), to, s.m),
        (false, true) => float_to_integer(float(bits, from, s.m), from, to, s.m),
        (true, true) => float_to_float(float(bits, from, s.m), from, to, s.m),
    };
    r[s.d as usize] = result;
}

/// Two values into one register; the first becomes the upper half.
fn convert_pair(r: &mut [u64], s: Slots) {
    let (to, from) = (decode_type(s.m), decode_type(s.m >> 5));
    let part = if to == Type::F16x2 { Type::F16 } else { Type::BF16 };
    let half = |slot: u32| float_to_float(float(r[slot as usize], from, s.m), from, part, s.m);
    let result = half(s.a) << 16 | half(s.b);
    r[s.d as usize] = result;
}

fn integer(bits: u64, ty: Type) -> i128 {
    match ty {
        Type::S8 => i128::from(bits as i8),
        Type::S16 => i128::from(bits as i16),
        Type::S32 => i128::from(bits as i32),
        Type::S64 => i128::from(bits as i64),
        Type::U8 | Type::B8 => i128::from(bits as u8),
        Type::U16 | Type::B16 => i128::from(bits as u16),
        Type::U32 | Type::B32 => i128::from(bits as u32),
        _ => i128::from(bits),
    }
}

fn range(ty: Type) -> (i128, i128) {
    let bits = 8 * ty.bytes();
    if ty.is_signed() { (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1) } else { (0, (1i128 << bits) - 1) }
}

fn integer_to_integer(value: i128, to: Type, mode: u32) -> u64 {
    let (low, high) = range(to);
    let value = if mode & SATURATE != 0 { value.clamp(low, high) } else { value };
    to_register(value, to)
}

/// Cut to the type's width, and extended by its sign: the register may be wider.
fn to_register(value: i128, ty: Type) -> u64 {
    match ty {
        Type::S8 => i64::from(value as i8) as u64,
        Type::S16 => i64::from(value as i16) as u64,
        Type::S32 => i64::from(value as i32) as u64,
        _ => value as u64 & (u64::MAX >> (64 - 8 * ty.bytes())),
    }
}

fn rounding(mode: u32) -> Round {
    Round::from_bits(mode >> 10 & 7)
}

fn integer_to_float(value: i128, to: Type, mode: u32) -> u64 {
    let saturated = |value: i128| if mode & SATURATE != 0 { value.clamp(0, 1) } else { value };
    let value = saturated(value);
    match to {
        Type::F32 => {
            let nearest = value as f32;
            let residue = (value - nearest as i128) as f64;
            directed32(nearest, residue, rounding(mode)).put()
        }
        Type::F64 => {
            let nearest = value as f64;
            let residue = (value - nearest as i128) as f64;
            super::rounding::directed64(nearest, residue, rounding(mode)).put()
        }
        // An f64 holds the leading bits; what it leaves out only has to stay visible to the next rounding.
        Type::F16 => u64::from(f64_to_f16(sticky(value), rounding(mode))),
        _ => u64::from(f64_to_bf16(sticky(value), rounding(mode))),
    }
}

/// The value rounded to odd in f64: a second rounding then goes as the first would have gone.
fn sticky(value: i128) -> f64 {
    let nearest = value as f64;
    let residue = value - nearest as i128;
    if residue == 0 || nearest.to_bits() & 1 == 1 {
        nearest
    } else if residue > 0 {
        nearest.next_up()
    } else {
        nearest.next_down()
    }
}

fn float(bits: u64, ty: Type, mode: u32) -> f64 {
    match ty {
        Type::F16 => f16_to_f64(bits as u16),
        Type::BF16 => bf16_to_f64(bits as u16),
        Type::F64 => f64::from_bits(bits),
        _ => {
            let value = f32::from_bits(bits as u32);
            f64::from(if mode & FLUSH != 0 { flush(value) } else { value })
        }
    }
}

/// What is out of range gives the nearest end of it; NaN 0, unless one of the two has 64 bits: then the highest bit.
fn float_to_integer(value: f64, from: Type, to: Type, mode: u32) -> u64 {
    if value.is_nan() && (from == Type::F64 || to.bytes() == 8) {
        return to_register(1 << (8 * to.bytes() - 1), to);
    }
    let (low, high) = range(to);
    let rounded = round_to_integer(value, rounding(mode));
    to_register((rounded as i128).clamp(low, high), to)
}

fn float_to_float(value: f64, from: Type, to: Type, mode: u32) -> u64 {
    let mut value = value;
    if mode & INTEGRAL != 0 {
        value = round_to_integer(value, rounding(mode));
    }
    if mode & SATURATE != 0 {
        value = if value.is_nan() || value <= 0.0 { 0.0 } else { value.min(1.0) };
    }
    if mode & RELU != 0 && value <= 0.0 {
        value = 0.0;
    }
    match to {
        Type::F64 => value.to_bits(),
        Type::F16 => u64::from(f64_to_f16(finite(value, mode, F16), rounding(mode))),
        Type::BF16 => u64::from(f64_to_bf16(finite(value, mode, BF16), rounding(mode))),
        Type::TF32 if value.is_nan() => u64::from(CANONICAL_NAN),
        Type::TF32 => (TF32.round(finite(value, mode, TF32), rounding(mode)) as f32).put(),
        _ => {
            let nearest = value as f32;
            let residue = if value.is_finite() { value - f64::from(nearest) } else { 0.0 };
            let result = if from == Type::F64 { directed32(nearest, residue, rounding(mode)) } else { nearest };
            (if mode & FLUSH != 0 { flush(result) } else { result }).put()
        }
    }
}

/// `.satfinite` keeps values in the format's range; a NaN stays one.
fn finite(value: f64, mode: u32, format: Format) -> f64 {
    if mode & FINITE == 0 {
        return value;
    }
    value.clamp(-format.largest(), format.largest())
}
