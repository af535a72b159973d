//! The arithmetic of a launch's formulas, which the arguments of a launch reach: none of it panics, nor is a size that no
//! number holds taken for a small one.
//!
//! Sums, products, powers and what is shifted to the left are as large as can be where they are too large: a buffer is shorter
//! than that, and so is a grid. A difference below zero of numbers without a sign, what is divided by zero, and what is shifted
//! by less than nothing have no result; the launch is refused. What `as` cuts off is the formula's own affair.

use std::cell::Cell;
use std::ops::{Add, Div, Mul, Neg, Rem, Sub};

thread_local! {
    /// What the formulas that this thread computes have asked for without there being a result.
    static WITHOUT_RESULT: Cell<Option<&'static str>> = const { Cell::new(None) };
}

const BELOW_ZERO: &str = "subtracts more than there is";
const BY_ZERO: &str = "divides by zero";
const BY_LESS: &str = "shifts by less than nothing";

/// What formulas give, or what they did that has no result.
pub(super) fn computed<R>(formulas: impl FnOnce() -> R) -> Result<R, &'static str> {
    WITHOUT_RESULT.set(None);
    let result = formulas();
    WITHOUT_RESULT.take().map_or(Ok(result), Err)
}

/// The result, or any number, and a note that there is none.
fn or_note<T>(result: Option<T>, any: T, what: &'static str) -> T {
    result.unwrap_or_else(|| {
        WITHOUT_RESULT.set(Some(what));
        any
    })
}

/// A number in a formula.
pub trait Number: Copy {
    /// As large as can be where it is too large.
    fn product(self, other: Self) -> Self;
    /// As large as can be where it is too large.
    fn sum(self, other: Self) -> Self;
    /// None where there is no such number.
    fn difference(self, other: Self) -> Option<Self>;
    /// None by zero.
    fn quotient(self, other: Self) -> Option<Self>;
    /// None by zero.
    fn remainder(self, other: Self) -> Option<Self>;
}

/// A number that is whole.
pub trait Whole: Number {
    /// As large as can be where it is too large.
    fn power(self, exponent: u32) -> Self;
    /// As large as can be, with its sign, where it is too large.
    fn shifted_left(self, bits: u32) -> Self;
    /// Its sign alone by as many bits as it has.
    fn shifted_right(self, bits: u32) -> Self;
    /// How many bits something is shifted by: as many as can be counted where it is more. None below zero.
    fn bits(self) -> Option<u32>;
}

/// A number with a sign.
pub trait Signed: Number {
    /// As large as can be where it is too large.
    fn negative(self) -> Self;
}

/// A number of things in a formula.
pub trait Count: Number {
    /// The quotient, rounded up; none by zero.
    fn ceiling(self, other: Self) -> Option<Self>;
    /// As large as can be where it is too large; none of zero.
    fn next_multiple(self, other: Self) -> Option<Self>;
}

macro_rules! integers {
    ($($type:ty)*) => { $(
        impl Number for $type {
            fn product(self, other: Self) -> Self {
                self.saturating_mul(other)
            }

            fn sum(self, other: Self) -> Self {
                self.saturating_add(other)
            }

            fn difference(self, other: Self) -> Option<Self> {
                self.checked_sub(other)
            }

            fn quotient(self, other: Self) -> Option<Self> {
                self.checked_div(other)
            }

            fn remainder(self, other: Self) -> Option<Self> {
                self.checked_rem(other)
            }
        }
    )* };
}
integers! { usize u8 u16 u32 u64 u128 isize i8 i16 i32 i64 i128 }

macro_rules! wholes {
    ($($type:ty)*) => { $(
        impl Whole for $type {
            fn power(self, exponent: u32) -> Self {
                self.saturating_pow(exponent)
            }

            fn shifted_left(self, bits: u32) -> Self {
                match self.checked_shl(bits) {
                    Some(shifted) if shifted >> bits == self => shifted,
                    _ if self == 0 => 0,
                    _ if self > 0 => Self::MAX,
                    _ => Self::MIN,
                }
            }

            fn shifted_right(self, bits: u32) -> Self {
                self >> bits.min(Self::BITS - 1) >> u32::from(bits >= Self::BITS)
            }

            fn bits(self) -> Option<u32> {
                // What does not fit is negative, or more than any number has.
                u32::try_from(self).ok().or((self > 0).then_some(u32::MAX))
            }
        }
    )* };
}
wholes! { usize u8 u16 u32 u64 u128 isize i8 i16 i32 i64 i128 }

macro_rules! signed {
    ($($type:ty)*) => { $(
        impl Signed for $type {
            fn negative(self) -> Self {
                self.saturating_neg()
            }
        }
    )* };
}
signed! { isize i8 i16 i32 i64 i128 }

macro_rules! counts {
    ($($type:ty)*) => { $(
        impl Count for $type {
            fn ceiling(self, other: Self) -> Option<Self> {
                (other != 0).then(|| self.div_ceil(other))
            }

            fn next_multiple(self, other: Self) -> Option<Self> {
                (other != 0).then(|| self.checked_next_multiple_of(other).unwrap_or(Self::MAX))
            }
        }
    )* };
}
counts! { usize u8 u16 u32 u64 u128 }

macro_rules! floats {
    ($($type:ty)*) => { $(
        impl Number for $type {
            fn product(self, other: Self) -> Self {
                self.mul(other)
            }

            fn sum(self, other: Self) -> Self {
                self.add(other)
            }

            fn difference(self, other: Self) -> Option<Self> {
                Some(self.sub(other))
            }

            fn quotient(self, other: Self) -> Option<Self> {
                Some(self.div(other))
            }

            fn remainder(self, other: Self) -> Option<Self> {
                Some(self.rem(other))
            }
        }

        impl Signed for $type {
            fn negative(self) -> Self {
                self.neg()
            }
        }
    )* };
}
floats! { f32 f64 }

/// `a * b`.
pub fn product<T: Number>(a: T, b: T) -> T {
    a.product(b)
}

/// `a + b`.
pub fn sum<T: Number>(a: T, b: T) -> T {
    a.sum(b)
}

/// `a - b`.
pub fn difference<T: Number>(a: T, b: T) -> T {
    or_note(a.difference(b), a, BELOW_ZERO)
}

/// `a / b`.
pub fn quotient<T: Number>(a: T, b: T) -> T {
    or_note(a.quotient(b), a, BY_ZERO)
}

/// `a % b`.
pub fn remainder<T: Number>(a: T, b: T) -> T {
    or_note(a.remainder(b), a, BY_ZERO)
}

/// `-a`.
pub fn negative<T: Signed>(a: T) -> T {
    a.negative()
}

/// `a << bits`.
pub fn shifted_left<T: Whole, B: Whole>(a: T, bits: B) -> T {
    or_note(bits.bits().map(|bits| a.shifted_left(bits)), a, BY_LESS)
}

/// `a >> bits`.
pub fn shifted_right<T: Whole, B: Whole>(a: T, bits: B) -> T {
    or_note(bits.bits().map(|bits| a.shifted_right(bits)), a, BY_LESS)
}

/// `a.pow(exponent)`.
pub fn power<T: Whole>(a: T, exponent: u32) -> T {
    a.power(exponent)
}

/// `a.div_ceil(b)`.
pub fn ceiling<T: Count>(a: T, b: T) -> T {
    or_note(a.ceiling(b), a, BY_ZERO)
}

/// `a.next_multiple_of(b)`.
pub fn next_multiple<T: Count>(a: T, b: T) -> T {
    or_note(a.next_multiple(b), a, BY_ZERO)
}
