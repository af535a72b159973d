//! Logic, shifts, bit fields and permutations.

use super::slot::{binary, each_bits, each_integer, read, unary, write};
use super::{Decoded, Modifiers, Pure};
use crate::error::ParseErrorKind;
use crate::instruction::{Compute, Slots};
use crate::report::OpcodeClass::Logic;
use crate::types::Type;

pub(super) fn decode(m: &mut Modifiers) -> Decoded {
    let name = m.name;
    let found = match name {
        "and" | "or" | "xor" | "not" | "cnot" | "shl" | "shr" | "popc" | "clz" | "brev" | "bfi" => {
            let ty = m.ty()?;
            let sources = match name {
                "not" | "cnot" | "popc" | "clz" | "brev" => 1,
                "bfi" => 4,
                _ => 2,
            };
            plain(name, ty).map(|run| Pure::new(run, sources, ty, Logic))
        }
        "bfe" => {
            let ty = m.ty()?;
            bit_field_extract(ty).map(|run| Pure::new(run, 3, ty, Logic))
        }
        "bfind" => find_leading(m)?,
        "lop3" => {
            let ty = m.ty()?;
            (ty == Type::B32).then(|| Pure::new(any_logic, 4, ty, Logic))
        }
        "prmt" => Some(permute(m)?),
        "shf" => Some(funnel_shift(m)?),
        "bmsk" => Some(bit_mask(m)?),
        "szext" => Some(extend(m)?),
        _ => return Ok(None),
    };
    match found {
        Some(pure) => Ok(Some(pure)),
        None => Err(ParseErrorKind::UnknownInstruction(m.full().to_owned())),
    }
}

fn plain(name: &str, ty: Type) -> Option<Compute> {
    match name {
        "and" => each_bits!(ty, T => binary!(T, |a, b| a & b)),
        "or" => each_bits!(ty, T => binary!(T, |a, b| a | b)),
        "xor" => each_bits!(ty, T => binary!(T, |a, b| a ^ b)),
        "not" => each_bits!(ty, T => unary!(T, |a| !a)),
        "cnot" => each_integer!(ty, T => unary!(T, |a| if a == 0 { 1 as T } else { 0 })),
        // The shift is a 32-bit value whatever the type, and one beyond the width leaves only the sign.
        "shl" => each_integer!(ty, T => |r, s| {
            let shift: u32 = read(r, s.b);
            let value: T = read(r, s.a);
            write(r, s.d, value.checked_shl(shift).unwrap_or(0));
        }),
        "shr" => each_integer!(ty, T => |r, s| {
            let shift: u32 = read(r, s.b);
            let value: T = read(r, s.a);
            write(r, s.d, value.checked_shr(shift).unwrap_or(value >> (T::BITS - 1) >> 1));
        }),
        "popc" => match ty {
            Type::B32 => Some(unary!(u32, |a| a.count_ones())),
            Type::B64 => Some(unary!(u64, |a| a.count_ones())),
            _ => None,
        },
        "clz" => match ty {
            Type::B32 => Some(unary!(u32, |a| a.leading_zeros())),
            Type::B64 => Some(unary!(u64, |a| a.leading_zeros())),
            _ => None,
        },
        "brev" => match ty {
            Type::B32 => Some(unary!(u32, |a| a.reverse_bits())),
            Type::B64 => Some(unary!(u64, |a| a.reverse_bits())),
            _ => None,
        },
        "bfi" => match ty {
            Type::B32 => Some(|r, s| bit_field_insert(r, s, 32)),
            Type::B64 => Some(|r, s| bit_field_insert(r, s, 64)),
            _ => None,
        },
        _ => None,
    }
}

fn bit_field_extract(ty: Type) -> Option<Compute> {
    Some(match ty {
        Type::U32 => |r, s| extract(r, s, 32, false),
        Type::S32 => |r, s| extract(r, s, 32, true),
        Type::U64 => |r, s| extract(r, s, 64, false),
        Type::S64 => |r, s| extract(r, s, 64, true),
        _ => return None,
    })
}

fn low_mask(bits: u32) -> u64 {
    u64::MAX.checked_shr(64 - bits.min(64)).unwrap_or(0)
}

fn extract(r: &mut [u64], s: Slots, width: u32, signed: bool) {
    let value = r[s.a as usize] & low_mask(width);
    let (start, len) = (read::<u32>(r, s.b) & 0xFF, read::<u32>(r, s.c) & 0xFF);
    let field = value.checked_shr(start).unwrap_or(0) & low_mask(len);
    // The sign is that of the field's highest bit, or of the value where the field passes its end.
    let sign_at = (start + len).saturating_sub(1).min(width - 1);
    let negative = signed && len > 0 && value >> sign_at & 1 != 0;
    // Bits beyond the value's end take the sign, as do those beyond the field's.
    let taken = len.min(width.saturating_sub(start));
    let result = if negative { field | !low_mask(taken) } else { field };
    r[s.d as usize] = result & low_mask(width);
}

fn bit_field_insert(r: &mut [u64], s: Slots, width: u32) {
    // The fourth source stands in `m`: no other instruction over registers has four.
    let (field, base) = (r[s.a as usize], r[s.b as usize] & low_mask(width));
    let (start, len) = (read::<u32>(r, s.c) & 0xFF, read::<u32>(r, s.m) & 0xFF);
    let mask = low_mask(len).checked_shl(start).unwrap_or(0) & low_mask(width);
    let placed = field.checked_shl(start).unwrap_or(0);
    r[s.d as usize] = (base & !mask) | (placed & mask);
}

fn find_leading(m: &mut Modifiers) -> Decoded {
    let shift_amount = m.take("shiftamt");
    let ty = m.ty()?;
    let run: Compute = match ty {
        Type::U32 => |r, s| leading(r, s, u64::from(read::<u32>(r, s.a)), 32),
        Type::U64 => |r, s| leading(r, s, read::<u64>(r, s.a), 64),
        Type::S32 => |r, s| {
            let a: i32 = read(r, s.a);
            leading(r, s, u64::from((a ^ (a >> 31)) as u32), 32);
        },
        Type::S64 => |r, s| {
            let a: i64 = read(r, s.a);
            leading(r, s, (a ^ (a >> 63)) as u64, 64);
        },
        _ => return Ok(None),
    };
    Ok(Some(Pure::new(run, 1, ty, Logic).with_mode(u32::from(shift_amount))))
}

fn leading(r: &mut [u64], s: Slots, value: u64, width: u32) {
    let found = match value.checked_ilog2() {
        None => u32::MAX,
        Some(bit) if s.m & 1 != 0 => width - 1 - bit,
        Some(bit) => bit,
    };
    write(r, s.d, found);
}

/// `lop3`: the table stands in the slot that `m` names.
fn any_logic(r: &mut [u64], s: Slots) {
    let (a, b, c): (u32, u32, u32) = (read(r, s.a), read(r, s.b), read(r, s.c));
    let table: u32 = read(r, s.m);
    let mut result = 0;
    for row in 0..8 {
        if table >> row & 1 != 0 {
            let pick = |value: u32, bit: u32| if row >> bit & 1 != 0 { value } else { !value };
            result |= pick(a, 2) & pick(b, 1) & pick(c, 0);
        }
    }
    write(r, s.d, result);
}

/// The one type that an instruction has.
fn take_b32(m: &mut Modifiers) -> Result<Type, ParseErrorKind> {
    match m.ty()? {
        Type::B32 => Ok(Type::B32),
        other => Err(m.unknown(other.name())),
    }
}

fn permute(m: &mut Modifiers) -> Result<Pure, ParseErrorKind> {
    let ty = take_b32(m)?;
    let mode = m.find(|word| match word {
        "f4e" => Some(1),
        "b4e" => Some(2),
        "rc8" => Some(3),
        "ecl" => Some(4),
        "ecr" => Some(5),
        "rc16" => Some(6),
        _ => None,
    });
    Ok(Pure::new(select_bytes, 3, ty, Logic).with_mode(mode.unwrap_or(0)))
}

fn select_bytes(r: &mut [u64], s: Slots) {
    let bytes = u64::from(read::<u32>(r, s.a)) | u64::from(read::<u32>(r, s.b)) << 32;
    let control: u32 = read(r, s.c);
    let low = control & 3;
    let mut result = 0u32;
    for i in 0..4 {
        let selector = match s.m {
            0 => control >> (4 * i) & 0xF,
            1 => low + i,
            2 => low.wrapping_sub(i) & 7,
            3 => low,
            4 => i.max(low),
            5 => i.min(low),
            _ => (low & 1) * 2 + (i & 1),
        };
        let mut byte = (bytes >> (8 * (selector & 7))) as u8;
        if s.m == 0 && selector & 8 != 0 {
            byte = ((byte as i8) >> 7) as u8;
        }
        result |= u32::from(byte) << (8 * i);
    }
    write(r, s.d, result);
}

fn funnel_shift(m: &mut Modifiers) -> Result<Pure, ParseErrorKind> {
    let left = m.take("l");
    if !left && !m.take("r") {
        return Err(m.missing("`.l` or `.r`"));
    }
    let clamps = m.take("clamp");
    if !clamps && !m.take("wrap") {
        return Err(m.missing("`.clamp` or `.wrap`"));
    }
    let ty = take_b32(m)?;
    let mode = u32::from(left) | u32::from(clamps) << 1;
    Ok(Pure::new(shift_pair, 3, ty, Logic).with_mode(mode))
}

fn shift_pair(r: &mut [u64], s: Slots) {
    let pair = u64::from(read::<u32>(r, s.a)) | u64::from(read::<u32>(r, s.b)) << 32;
    let count: u32 = read(r, s.c);
    let count = if s.m & 2 != 0 { count.min(32) } else { count & 31 };
    let result = if s.m & 1 != 0 { pair << count >> 32 } else { pair >> count };
    write(r, s.d, result as u32);
}

fn bit_mask(m: &mut Modifiers) -> Result<Pure, ParseErrorKind> {
    let clamps = m.take("clamp");
    if !clamps && !m.take("wrap") {
        return Err(m.missing("`.clamp` or `.wrap`"));
    }
    let ty = take_b32(m)?;
    let run: Compute = |r, s| {
        let (mut start, mut len): (u32, u32) = (read(r, s.a), read(r, s.b));
        if s.m & 1 == 0 {
            (start, len) = (start & 31, len & 31);
        }
        let mask = low_mask(len.min(32)).checked_shl(start).unwrap_or(0);
        write(r, s.d, mask as u32);
    };
    Ok(Pure::new(run, 2, ty, Logic).with_mode(u32::from(clamps)))
}

fn extend(m: &mut Modifiers) -> Result<Pure, ParseErrorKind> {
    let clamps = m.take("clamp");
    if !clamps && !m.take("wrap") {
        return Err(m.missing("`.clamp` or `.wrap`"));
    }
    let ty = m.ty()?;
    if !matches!(ty, Type::U32 | Type::S32) {
        return Err(m.unknown(ty.name()));
    }
    let run: Compute = |r, s| {
        let (value, bits): (u32, u32) = (read(r, s.a), read(r, s.b));
        let bits = if s.m & 1 != 0 { bits.min(32) } else { bits & 31 };
        let kept = u64::from(value) & low_mask(bits);
        let negative = s.m & 2 != 0 && bits > 0 && value >> (bits - 1) & 1 != 0;
        write(r, s.d, (if negative { kept | !low_mask(bits) } else { kept }) as u32);
    };
    let mode = u32::from(clamps) | u32::from(ty.is_signed()) << 1;
    Ok(Pure::new(run, 2, ty, Logic).with_mode(mode))
}
