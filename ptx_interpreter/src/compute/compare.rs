//! Comparisons and selections.

use super::half::{F16, bf16_to_f64, f16_to_f64};
use super::rounding::flush;
use super::slot::{each_bits, each_integer, read, write};
use super::{Decoded, Modifiers, Pure};
use crate::error::ParseErrorKind;
use crate::instruction::{Compute, Slots};
use crate::report::OpcodeClass::Compare;
use crate::types::Type;

/// Comparison operators, in the order of their codes.
const OPERATORS: [&str; 18] = [
    "eq", "ne", "lt", "le", "gt", "ge", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan", "lo", "ls", "hi", "hs",
];
const UNORDERED: u32 = 6;
const NUMBER: u32 = 12;
const NOT_NUMBER: u32 = 13;
const FLUSH: u32 = 1 << 8;
/// Bits 10 and 11: and, or, xor with a third predicate.
const COMBINE_SHIFT: u32 = 10;
/// The third predicate is negated.
pub(crate) const NEGATED_PREDICATE: u32 = 1 << 12;
/// Bits 13 and 14: what `set` gives for true, all ones or 1.0 in the result's own type.
const TRUTH_SHIFT: u32 = 13;
const TRUTHS: [u32; 4] = [u32::MAX, 0x3F80_0000, 0x3C00, 0x3F80];

pub(super) fn decode(m: &mut Modifiers) -> Decoded {
    match m.name {
        "setp" | "set" => compare(m),
        "selp" => {
            let ty = m.ty()?;
            let run: Compute =
                |r, s| r[s.d as usize] = if r[s.c as usize] & 1 != 0 { r[s.a as usize] } else { r[s.b as usize] };
            Ok(Some(Pure { third: Type::Pred, ..Pure::new(run, 3, ty, Compare) }))
        }
        "slct" => select_by_sign(m),
        _ => Ok(None),
    }
}

fn select_by_sign(m: &mut Modifiers) -> Decoded {
    let flushes = m.take("ftz");
    let ty = m.ty()?;
    let sign = m.ty()?;
    let run: Compute = match sign {
        Type::S32 => |r, s| {
            let picked = if read::<i32>(r, s.c) >= 0 { s.a } else { s.b };
            r[s.d as usize] = r[picked as usize];
        },
        Type::F32 => |r, s| {
            let sign: f32 = read(r, s.c);
            let sign = if s.m & FLUSH != 0 { flush(sign) } else { sign };
            let picked = if sign >= 0.0 { s.a } else { s.b };
            r[s.d as usize] = r[picked as usize];
        },
        _ => return Err(m.unknown(sign.name())),
    };
    Ok(Some(Pure { third: sign, ..Pure::new(run, 3, ty, Compare).with_mode(u32::from(flushes) * FLUSH) }))
}

fn compare(m: &mut Modifiers) -> Decoded {
    let operator = m.find(|word| OPERATORS.iter().position(|known| *known == word));
    let Some(operator) = operator.map(|at| at as u32) else {
        return Err(m.missing("a comparison such as `.lt`"));
    };
    let combine = m.find(|word| ["and", "or", "xor"].iter().position(|known| *known == word));
    let flushes = m.take("ftz");
    let result = if m.name == "set" { Some(m.ty()?) } else { None };
    let ty = m.ty()?;
    if !has_operator(ty, operator) {
        return Err(m.unknown(OPERATORS[operator as usize]));
    }
    if flushes && !matches!(ty, Type::F32 | Type::F16) {
        return Err(m.unknown("ftz"));
    }
    let base = if ty.is_float() { operator } else { unsigned_alias(operator) };
    let mut mode = base | (u32::from(flushes) * FLUSH);
    mode |= combine.map_or(0, |at| at as u32 + 1) << COMBINE_SHIFT;
    mode |= result.map_or(Ok(0), |result| truth(m, result))? << TRUTH_SHIFT;
    let quick = if combine.is_none() && result.is_none() { quick_compare(base, ty) } else { None };
    let slow = if result.is_some() { set_general(ty) } else { setp_general(ty) };
    let Some(run) = quick.or(slow) else {
        return Err(m.unknown(ty.name()));
    };
    let sources = if combine.is_some() { 3 } else { 2 };
    let mut pure = Pure::new(run, sources, ty, Compare).with_mode(mode);
    if result.is_none() {
        // The second predicate is wanted only where it is written.
        pure.destinations = 2;
    }
    if combine.is_some() {
        (pure.third, pure.negatable) = (Type::Pred, true);
    }
    Ok(Some(pure))
}

/// Those of floats tell unordered operands apart, those of unsigned integers have names of their own, and bits are the
/// same or not.
fn has_operator(ty: Type, operator: u32) -> bool {
    match ty {
        _ if operator < 2 => true,
        Type::B16 | Type::B32 | Type::B64 => false,
        Type::U16 | Type::U32 | Type::U64 => !(UNORDERED..14).contains(&operator),
        _ if ty.is_float() => operator < 14,
        _ => operator < UNORDERED,
    }
}

/// Where the result of `set` for true stands among [`TRUTHS`].
fn truth(m: &Modifiers, result: Type) -> Result<u32, ParseErrorKind> {
    match result {
        Type::U16 | Type::S16 | Type::U32 | Type::S32 => Ok(0),
        Type::F32 => Ok(1),
        Type::F16 => Ok(2),
        Type::BF16 => Ok(3),
        _ => Err(m.unknown(result.name())),
    }
}

/// `lo`, `ls`, `hi` and `hs` are `lt`, `le`, `gt` and `ge` of unsigned integers.
fn unsigned_alias(operator: u32) -> u32 {
    if operator >= 14 { operator - 12 } else { operator }
}

/// The common comparisons of integers, without a second result's detours.
fn quick_compare(operator: u32, ty: Type) -> Option<Compute> {
    macro_rules! compare_with {
        ($operation:tt) => {
            each_integer!(ty, T => |r, s| {
                let outcome = read::<T>(r, s.a) $operation read::<T>(r, s.b);
                write(r, s.d, outcome);
                write(r, s.e, !outcome);
            })
        };
    }
    match operator {
        0 => compare_with!(==),
        1 => compare_with!(!=),
        2 => compare_with!(<),
        3 => compare_with!(<=),
        4 => compare_with!(>),
        5 => compare_with!(>=),
        _ => None,
    }
}

/// Two values, ready to be compared: floats as they are, integers by their order.
type Outcome = fn(&[u64], Slots) -> bool;

fn outcome_of(ty: Type) -> Option<Outcome> {
    Some(match ty {
        Type::F32 => |r, s| {
            let (a, b): (f32, f32) = (read(r, s.a), read(r, s.b));
            let (a, b) = if s.m & FLUSH != 0 { (flush(a), flush(b)) } else { (a, b) };
            compare_floats(s.m, f64::from(a), f64::from(b))
        },
        Type::F64 => |r, s| compare_floats(s.m, read(r, s.a), read(r, s.b)),
        Type::F16 => |r, s| {
            let (a, b) = (f16_to_f64(read(r, s.a)), f16_to_f64(read(r, s.b)));
            let (a, b) = if s.m & FLUSH != 0 { (F16.flush(a), F16.flush(b)) } else { (a, b) };
            compare_floats(s.m, a, b)
        },
        Type::BF16 => |r, s| compare_floats(s.m, bf16_to_f64(read(r, s.a)), bf16_to_f64(read(r, s.b))),
        Type::S16 => |r, s| compare_order(s.m, read::<i16>(r, s.a).cmp(&read(r, s.b))),
        Type::S32 => |r, s| compare_order(s.m, read::<i32>(r, s.a).cmp(&read(r, s.b))),
        Type::S64 => |r, s| compare_order(s.m, read::<i64>(r, s.a).cmp(&read(r, s.b))),
        Type::U16 | Type::B16 => |r, s| compare_order(s.m, read::<u16>(r, s.a).cmp(&read(r, s.b))),
        Type::U32 | Type::B32 => |r, s| compare_order(s.m, read::<u32>(r, s.a).cmp(&read(r, s.b))),
        Type::U64 | Type::B64 => |r, s| compare_order(s.m, read::<u64>(r, s.a).cmp(&read(r, s.b))),
        _ => return None,
    })
}

fn compare_floats(mode: u32, a: f64, b: f64) -> bool {
    let operator = mode & 0xFF;
    match (operator, a.partial_cmp(&b)) {
        (NUMBER, order) => order.is_some(),
        (NOT_NUMBER, order) => order.is_none(),
        (_, None) => operator >= UNORDERED,
        (_, Some(order)) => compare_order(operator % UNORDERED, order),
    }
}

fn compare_order(mode: u32, order: std::cmp::Ordering) -> bool {
    match mode & 0xFF {
        0 => order.is_eq(),
        1 => order.is_ne(),
        2 => order.is_lt(),
        3 => order.is_le(),
        4 => order.is_gt(),
        _ => order.is_ge(),
    }
}

fn combined(r: &[u64], s: Slots, outcome: bool) -> bool {
    let third = read::<bool>(r, s.c) != (s.m & NEGATED_PREDICATE != 0);
    match s.m >> COMBINE_SHIFT & 3 {
        0 => outcome,
        1 => outcome & third,
        2 => outcome | third,
        _ => outcome ^ third,
    }
}

macro_rules! general {
    ($finish:ident, $ty:expr, $($known:ident)*) => {
        match $ty {
            $(Type::$known => {
                let run: Compute = |r, s| {
                    let Some(outcome) = outcome_of(Type::$known) else { return };
                    let outcome = outcome(r, s);
                    $finish(r, s, outcome);
                };
                Some(run)
            })*
            _ => None,
        }
    };
}

fn setp_general(ty: Type) -> Option<Compute> {
    general!(finish_setp, ty, F32 F64 F16 BF16 S16 S32 S64 U16 U32 U64 B16 B32 B64)
}

fn set_general(ty: Type) -> Option<Compute> {
    general!(finish_set, ty, F32 F64 F16 BF16 S16 S32 S64 U16 U32 U64 B16 B32 B64)
}

fn finish_setp(r: &mut [u64], s: Slots, outcome: bool) {
    let (first, second) = (combined(r, s, outcome), combined(r, s, !outcome));
    write(r, s.d, first);
    write(r, s.e, second);
}

fn finish_set(r: &mut [u64], s: Slots, outcome: bool) {
    let yes = combined(r, s, outcome);
    write(r, s.d, if yes { TRUTHS[(s.m >> TRUTH_SHIFT & 3) as usize] } else { 0 });
}

/// Moves between registers of one kind.
pub(crate) fn copy(ty: Type) -> Option<Compute> {
    match ty {
        Type::F32 => copy(Type::B32),
        Type::F64 => copy(Type::B64),
        Type::F16 | Type::BF16 => copy(Type::B16),
        Type::F16x2 | Type::BF16x2 | Type::TF32 => copy(Type::B32),
        Type::B8 | Type::U8 | Type::S8 => copy(Type::B16),
        _ => each_bits!(ty, T => |r, s| {
            let value: T = read(r, s.a);
            write(r, s.d, value);
        }),
    }
}
