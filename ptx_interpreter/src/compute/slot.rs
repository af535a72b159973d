//! Values in slots, and the shapes of functions over them.

/// A type that lives in a 64-bit slot. Reading takes the low bits, so a wider slot may hold anything above them.
pub(crate) trait Slot: Copy {
    fn get(bits: u64) -> Self;
    fn put(self) -> u64;
}

macro_rules! integer_slot {
    ($($signed:ty, $unsigned:ty;)*) => {$(
        impl Slot for $unsigned {
            fn get(bits: u64) -> Self {
                bits as $unsigned
            }
            fn put(self) -> u64 {
                u64::from(self)
            }
        }
        impl Slot for $signed {
            fn get(bits: u64) -> Self {
                bits as $signed
            }
            fn put(self) -> u64 {
                u64::from(self as $unsigned)
            }
        }
    )*};
}

integer_slot! { i8, u8; i16, u16; i32, u32; i64, u64; }

impl Slot for bool {
    fn get(bits: u64) -> Self {
        bits & 1 != 0
    }
    fn put(self) -> u64 {
        u64::from(self)
    }
}

/// The one NaN that f32 arithmetic gives.
pub(crate) const CANONICAL_NAN: u32 = 0x7FFF_FFFF;

impl Slot for f32 {
    fn get(bits: u64) -> Self {
        f32::from_bits(bits as u32)
    }
    fn put(self) -> u64 {
        u64::from(if self.is_nan() { CANONICAL_NAN } else { self.to_bits() })
    }
}

impl Slot for f64 {
    fn get(bits: u64) -> Self {
        f64::from_bits(bits)
    }
    fn put(self) -> u64 {
        self.to_bits()
    }
}

pub(crate) fn read<T: Slot>(r: &[u64], slot: u32) -> T {
    T::get(r[slot as usize])
}

pub(crate) fn write<T: Slot>(r: &mut [u64], slot: u32, value: T) {
    r[slot as usize] = value.put();
}

/// `unary!(u32, |a| !a)`, `binary!(…)`, `ternary!(…)`: a [`Compute`](crate::instruction::Compute).
macro_rules! unary {
    ($t:ty, |$a:ident| $e:expr) => {
        |r: &mut [u64], s: crate::instruction::Slots| {
            let $a: $t = crate::compute::slot::read(r, s.a);
            crate::compute::slot::write(r, s.d, $e);
        }
    };
}
macro_rules! binary {
    ($t:ty, |$a:ident, $b:ident| $e:expr) => {
        |r: &mut [u64], s: crate::instruction::Slots| {
            let $a: $t = crate::compute::slot::read(r, s.a);
            let $b: $t = crate::compute::slot::read(r, s.b);
            crate::compute::slot::write(r, s.d, $e);
        }
    };
}
macro_rules! ternary {
    ($t:ty, |$a:ident, $b:ident, $c:ident| $e:expr) => {
        |r: &mut [u64], s: crate::instruction::Slots| {
            let $a: $t = crate::compute::slot::read(r, s.a);
            let $b: $t = crate::compute::slot::read(r, s.b);
            let $c: $t = crate::compute::slot::read(r, s.c);
            crate::compute::slot::write(r, s.d, $e);
        }
    };
}

/// `each_integer!(ty, T => body)`: the body for the Rust integer that `ty` means, as `Option<Compute>`.
macro_rules! each_integer {
    ($ty:expr, $t:ident => $body:expr) => {{
        use crate::types::Type;
        macro_rules! arm {
            ($rust:ty) => {{
                type $t = $rust;
                let run: crate::instruction::Compute = $body;
                Some(run)
            }};
        }
        match $ty {
            Type::U16 | Type::B16 => arm!(u16),
            Type::U32 | Type::B32 => arm!(u32),
            Type::U64 | Type::B64 => arm!(u64),
            Type::S16 => arm!(i16),
            Type::S32 => arm!(i32),
            Type::S64 => arm!(i64),
            _ => None,
        }
    }};
}

/// As [`each_integer!`], for untyped bits and predicates.
macro_rules! each_bits {
    ($ty:expr, $t:ident => $body:expr) => {{
        use crate::types::Type;
        macro_rules! arm {
            ($rust:ty) => {{
                type $t = $rust;
                let run: crate::instruction::Compute = $body;
                Some(run)
            }};
        }
        match $ty {
            Type::Pred => arm!(bool),
            Type::B16 | Type::U16 | Type::S16 => arm!(u16),
            Type::B32 | Type::U32 | Type::S32 => arm!(u32),
            Type::B64 | Type::U64 | Type::S64 => arm!(u64),
            _ => None,
        }
    }};
}

pub(crate) use {binary, each_bits, each_integer, ternary, unary};
