//! Integer arithmetic, with carries.

use super::slot::{binary, each_integer, read, ternary, unary, write};
use super::{Decoded, Modifiers, Pure};
use crate::error::ParseErrorKind;
use crate::instruction::{CARRY, Compute, Slots};
use crate::report::OpcodeClass::Integer;
use crate::types::Type;

const NAMES: [&str; 18] = [
    "add", "sub", "addc", "subc", "mul", "mad", "madc", "mul24", "mad24", "sad", "div", "rem", "abs", "neg", "min",
    "max", "dp4a", "dp2a",
];

pub(super) fn decode(m: &mut Modifiers) -> Decoded {
    if !NAMES.contains(&m.name) || m.peek_type().is_some_and(Type::is_float) {
        return Ok(None);
    }
    let found = match m.name {
        "mul" | "mad" | "madc" => multiply(m)?,
        "mul24" | "mad24" => multiply24(m)?,
        "add" | "sub" | "addc" | "subc" => add(m)?,
        "dp4a" | "dp2a" => dot(m)?,
        name => {
            let ty = m.ty()?;
            let relu = m.take("relu");
            if relu && !(matches!(name, "min" | "max") && ty == Type::S32) {
                return Err(m.unknown("relu"));
            }
            let (run, sources) = simple(name, ty, relu);
            run.map(|run| Pure::new(run, sources, ty, Integer))
        }
    };
    match found {
        Some(pure) => Ok(Some(pure)),
        None => Err(ParseErrorKind::UnknownInstruction(m.full().to_owned())),
    }
}

fn simple(name: &str, ty: Type, relu: bool) -> (Option<Compute>, u8) {
    match name {
        // PTX leaves the quotient by zero open; all ones is what the machine code gives.
        "div" => (each_integer!(ty, T => binary!(T, |a, b| if b == 0 { !0 as T } else { a.wrapping_div(b) })), 2),
        "rem" => (each_integer!(ty, T => binary!(T, |a, b| if b == 0 { a } else { a.wrapping_rem(b) })), 2),
        "min" if relu => (Some(binary!(i32, |a, b| a.min(b).max(0))), 2),
        "max" if relu => (Some(binary!(i32, |a, b| a.max(b).max(0))), 2),
        "min" => (each_integer!(ty, T => binary!(T, |a, b| a.min(b))), 2),
        "max" => (each_integer!(ty, T => binary!(T, |a, b| a.max(b))), 2),
        "neg" => (each_integer!(ty, T => unary!(T, |a| (0 as T).wrapping_sub(a))), 1),
        "sad" => (each_integer!(ty, T => ternary!(T, |a, b, c| c.wrapping_add(a.max(b).wrapping_sub(a.min(b))))), 3),
        _ => (absolute(ty), 1),
    }
}

fn absolute(ty: Type) -> Option<Compute> {
    match ty {
        Type::S16 => Some(unary!(i16, |a| a.wrapping_abs())),
        Type::S32 => Some(unary!(i32, |a| a.wrapping_abs())),
        Type::S64 => Some(unary!(i64, |a| a.wrapping_abs())),
        _ => None,
    }
}

/// `add` and `sub`, with `.sat`, and the forms that read or write the carry flag.
fn add(m: &mut Modifiers) -> Decoded {
    let reads_carry = m.name.ends_with('c');
    let subtracts = m.name.starts_with("sub");
    let writes_carry = m.take("cc");
    let saturates = m.take("sat");
    let ty = m.ty()?;
    let run = if saturates {
        (ty == Type::S32 && !reads_carry && !writes_carry).then_some(if subtracts {
            binary!(i32, |a, b| a.saturating_sub(b)) as Compute
        } else {
            binary!(i32, |a, b| a.saturating_add(b))
        })
    } else if reads_carry || writes_carry {
        let run: Option<Compute> = match (ty.bytes(), subtracts) {
            (4, false) => Some(add_carry32),
            (8, false) => Some(add_carry64),
            (4, true) => Some(subtract_borrow32),
            (8, true) => Some(subtract_borrow64),
            _ => None,
        };
        let mode = u32::from(reads_carry) | u32::from(writes_carry) << 1;
        return Ok(run.map(|run| Pure::new(run, 2, ty, Integer).with_mode(mode)));
    } else if subtracts {
        each_integer!(ty, T => binary!(T, |a, b| a.wrapping_sub(b)))
    } else {
        each_integer!(ty, T => binary!(T, |a, b| a.wrapping_add(b)))
    };
    Ok(run.map(|run| Pure::new(run, 2, ty, Integer)))
}

fn carry_in(r: &[u64], s: Slots) -> u64 {
    if s.m & 1 != 0 { r[CARRY as usize] } else { 0 }
}

fn carry_out(r: &mut [u64], s: Slots, carry: bool) {
    if s.m & 2 != 0 {
        r[CARRY as usize] = u64::from(carry);
    }
}

fn add_carry32(r: &mut [u64], s: Slots) {
    let sum = u64::from(read::<u32>(r, s.a)) + u64::from(read::<u32>(r, s.b)) + carry_in(r, s);
    carry_out(r, s, sum >> 32 != 0);
    write(r, s.d, sum as u32);
}

fn add_carry64(r: &mut [u64], s: Slots) {
    let sum = u128::from(r[s.a as usize]) + u128::from(r[s.b as usize]) + u128::from(carry_in(r, s));
    carry_out(r, s, sum >> 64 != 0);
    write(r, s.d, sum as u64);
}

fn subtract_borrow32(r: &mut [u64], s: Slots) {
    let taken = u64::from(read::<u32>(r, s.b)) + carry_in(r, s);
    let difference = u64::from(read::<u32>(r, s.a)).wrapping_sub(taken);
    carry_out(r, s, difference >> 32 != 0);
    write(r, s.d, difference as u32);
}

fn subtract_borrow64(r: &mut [u64], s: Slots) {
    let taken = u128::from(r[s.b as usize]) + u128::from(carry_in(r, s));
    let difference = u128::from(r[s.a as usize]).wrapping_sub(taken);
    carry_out(r, s, difference >> 64 != 0);
    write(r, s.d, difference as u64);
}

/// The half of the product that an instruction keeps.
#[derive(Clone, Copy, PartialEq)]
enum Half {
    Low,
    High,
    Wide,
}

fn take_half(m: &mut Modifiers) -> Result<Half, ParseErrorKind> {
    m.find(|word| match word {
        "lo" => Some(Half::Low),
        "hi" => Some(Half::High),
        "wide" => Some(Half::Wide),
        _ => None,
    })
    .ok_or_else(|| m.missing("`.lo`, `.hi` or `.wide`"))
}

fn multiply(m: &mut Modifiers) -> Decoded {
    let half = take_half(m)?;
    let reads_carry = m.name == "madc";
    let writes_carry = m.take("cc");
    let saturates = m.take("sat");
    let ty = m.ty()?;
    let adds = m.name != "mul";
    if saturates && (half, ty, adds) == (Half::High, Type::S32, true) {
        let run = ternary!(i32, |a, b, c| {
            let high = ((i64::from(a) * i64::from(b)) >> 32) as i32;
            high.saturating_add(c)
        });
        return Ok(Some(Pure::new(run, 3, ty, Integer)));
    }
    if saturates {
        return Ok(None);
    }
    if reads_carry || writes_carry {
        return Ok(multiply_carry(half, ty).map(|run| {
            let mode = u32::from(reads_carry) | u32::from(writes_carry) << 1;
            Pure::new(run, 3, ty, Integer).with_mode(mode)
        }));
    }
    let run = match (half, adds) {
        (Half::Low, false) => each_integer!(ty, T => binary!(T, |a, b| a.wrapping_mul(b))),
        (Half::Low, true) => each_integer!(ty, T => ternary!(T, |a, b, c| a.wrapping_mul(b).wrapping_add(c))),
        (Half::High, false) => each_integer!(ty, T => binary!(T, |a, b| {
            (i128::from(a).wrapping_mul(b.into()) >> T::BITS) as T
        })),
        (Half::High, true) => each_integer!(ty, T => ternary!(T, |a, b, c| {
            ((i128::from(a).wrapping_mul(b.into()) >> T::BITS) as T).wrapping_add(c)
        })),
        (Half::Wide, _) => multiply_wide(ty, adds),
    };
    let sources = if adds { 3 } else { 2 };
    Ok(run.map(|run| Pure::new(run, sources, ty, Integer)))
}

fn multiply_wide(ty: Type, adds: bool) -> Option<Compute> {
    macro_rules! wide {
        ($narrow:ty, $wide:ty) => {
            if adds {
                |r: &mut [u64], s: Slots| {
                    let product = <$wide>::from(read::<$narrow>(r, s.a)) * <$wide>::from(read::<$narrow>(r, s.b));
                    let sum = product.wrapping_add(read::<$wide>(r, s.c));
                    write(r, s.d, sum);
                }
            } else {
                binary!($narrow, |a, b| <$wide>::from(a) * <$wide>::from(b))
            }
        };
    }
    Some(match ty {
        Type::U16 => wide!(u16, u32),
        Type::S16 => wide!(i16, i32),
        Type::U32 => wide!(u32, u64),
        Type::S32 => wide!(i32, i64),
        _ => return None,
    })
}

fn multiply_carry(half: Half, ty: Type) -> Option<Compute> {
    macro_rules! with_carry {
        ($t:ty, $u:ty) => {
            match half {
                Half::Low => |r: &mut [u64], s: Slots| {
                    let product = read::<$t>(r, s.a).wrapping_mul(read::<$t>(r, s.b)) as $u;
                    add_to_product(r, s, u64::from(product), <$u>::BITS);
                },
                Half::High => |r: &mut [u64], s: Slots| {
                    let product = i128::from(read::<$t>(r, s.a)).wrapping_mul(read::<$t>(r, s.b).into());
                    let high = (product >> <$u>::BITS) as $u;
                    add_to_product(r, s, u64::from(high), <$u>::BITS);
                },
                Half::Wide => return None,
            }
        };
    }
    Some(match ty {
        Type::U32 => with_carry!(u32, u32),
        Type::S32 => with_carry!(i32, u32),
        Type::U64 => with_carry!(u64, u64),
        Type::S64 => with_carry!(i64, u64),
        _ => return None,
    })
}

fn add_to_product(r: &mut [u64], s: Slots, product: u64, bits: u32) {
    let mask = u64::MAX >> (64 - bits);
    let sum = u128::from(product) + u128::from(r[s.c as usize] & mask) + u128::from(carry_in(r, s));
    carry_out(r, s, sum >> bits != 0);
    r[s.d as usize] = sum as u64 & mask;
}

fn multiply24(m: &mut Modifiers) -> Decoded {
    let half = take_half(m)?;
    let ty = m.ty()?;
    let adds = m.name == "mad24";
    let run: Compute = match (ty, half) {
        (Type::U32, Half::Low) => |r, s| multiply24_as(r, s, |a| i64::from(a & 0xFF_FFFF), 0),
        (Type::U32, Half::High) => |r, s| multiply24_as(r, s, |a| i64::from(a & 0xFF_FFFF), 16),
        (Type::S32, Half::Low) => |r, s| multiply24_as(r, s, |a| i64::from((a << 8) as i32 >> 8), 0),
        (Type::S32, Half::High) => |r, s| multiply24_as(r, s, |a| i64::from((a << 8) as i32 >> 8), 16),
        _ => return Ok(None),
    };
    let sources = if adds { 3 } else { 2 };
    Ok(Some(Pure::new(run, sources, ty, Integer).with_mode(u32::from(adds))))
}

fn multiply24_as(r: &mut [u64], s: Slots, factor: fn(u32) -> i64, shift: u32) {
    let product = (factor(read(r, s.a)) * factor(read(r, s.b))) >> shift;
    let addend = if s.m & 1 != 0 { read::<u32>(r, s.c) } else { 0 };
    write(r, s.d, (product as u32).wrapping_add(addend));
}

/// `dp4a` and `dp2a`: dot products of bytes, accumulated.
fn dot(m: &mut Modifiers) -> Decoded {
    let first = m.ty()?;
    let second = m.ty()?;
    let mut mode = u32::from(first == Type::S32) | u32::from(second == Type::S32) << 1;
    let run: Compute = if m.name == "dp4a" {
        dot4
    } else {
        if take_half(m)? == Half::High {
            mode |= 4;
        }
        dot2
    };
    Ok(Some(Pure::new(run, 3, first, Integer).with_mode(mode)))
}

fn byte_of(value: u32, index: u32, signed: bool) -> i64 {
    let byte = (value >> (8 * index)) as u8;
    if signed { i64::from(byte as i8) } else { i64::from(byte) }
}

fn dot4(r: &mut [u64], s: Slots) {
    let (a, b): (u32, u32) = (read(r, s.a), read(r, s.b));
    let sum: i64 = (0..4).map(|i| byte_of(a, i, s.m & 1 != 0) * byte_of(b, i, s.m & 2 != 0)).sum();
    write(r, s.d, read::<u32>(r, s.c).wrapping_add(sum as u32));
}

fn dot2(r: &mut [u64], s: Slots) {
    let (a, b): (u32, u32) = (read(r, s.a), read(r, s.b));
    let first = if s.m & 4 != 0 { 2 } else { 0 };
    let sum: i64 = (0..2)
        .map(|i| {
            let half = (a >> (16 * i)) as u16;
            let half = if s.m & 1 != 0 { i64::from(half as i16) } else { i64::from(half) };
            half * byte_of(b, first + i, s.m & 2 != 0)
        })
        .sum();
    write(r, s.d, read::<u32>(r, s.c).wrapping_add(sum as u32));
}
