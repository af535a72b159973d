//! Two 16-bit integers in one register, which LLVM makes of neighbours for compute capability 9.0 and PTX 8.0.

use super::slot::{read, write};
use super::{Decoded, Modifiers, Pure};
use crate::error::ParseErrorKind;
use crate::instruction::{Compute, Slots};
use crate::report::OpcodeClass::Integer;
use crate::types::Type;

pub(super) fn decode(m: &mut Modifiers) -> Decoded {
    let signed = m.find(|word| match word {
        "u16x2" => Some(false),
        "s16x2" => Some(true),
        _ => None,
    });
    let Some(signed) = signed else {
        return Ok(None);
    };
    let run: Compute = match (m.name, signed, m.take("relu")) {
        ("add", _, false) => |r, s| each_half(r, s, u16::wrapping_add),
        ("min", false, false) => |r, s| each_half(r, s, u16::min),
        ("max", false, false) => |r, s| each_half(r, s, u16::max),
        ("min", true, false) => |r, s| each_signed_half(r, s, i16::min),
        ("max", true, false) => |r, s| each_signed_half(r, s, i16::max),
        ("min", true, true) => |r, s| each_signed_half(r, s, |a, b| a.min(b).max(0)),
        ("max", true, true) => |r, s| each_signed_half(r, s, |a, b| a.max(b).max(0)),
        _ => return Err(ParseErrorKind::UnknownInstruction(m.full().to_owned())),
    };
    Ok(Some(Pure::new(run, 2, Type::B32, Integer)))
}

fn each_half(r: &mut [u64], s: Slots, operation: fn(u16, u16) -> u16) {
    let (a, b): (u32, u32) = (read(r, s.a), read(r, s.b));
    let low = operation(a as u16, b as u16);
    let high = operation((a >> 16) as u16, (b >> 16) as u16);
    write(r, s.d, u32::from(high) << 16 | u32::from(low));
}

fn each_signed_half(r: &mut [u64], s: Slots, operation: fn(i16, i16) -> i16) {
    let (a, b): (u32, u32) = (read(r, s.a), read(r, s.b));
    let low = operation(a as i16, b as i16) as u16;
    let high = operation((a >> 16) as i16, (b >> 16) as i16) as u16;
    write(r, s.d, u32::from(high) << 16 | u32::from(low));
}
