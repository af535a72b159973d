//! How numbers are written for a person: with digits that say something, however large or small they are.

use std::fmt::Display;
use std::ops::Range;

/// Sizes that are written out; others get a power of ten.
const WRITTEN_OUT: Range<f64> = 1e-3..1e7;

/// Numbers of more digits than these are written out though they are large: they are easier to compare so.
const LONG: usize = 6;

/// How numbers that stand together are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notation {
    /// With so many decimal places.
    Fixed(usize),
    /// With so many places and a power of ten.
    Scientific(usize),
}

impl Notation {
    /// Of numbers of about `largest`, where a difference of `finest` is to be seen; with `decimals` places at least.
    pub(crate) fn new(largest: f64, finest: f64, decimals: usize) -> Self {
        let exponent = |value: f64| value.log10().floor();
        // What is no number, or nothing, is written as the others are.
        let digits = (exponent(largest) - exponent(finest)).clamp(0.0, 16.0) as usize;
        if largest == 0.0 || WRITTEN_OUT.contains(&largest) || digits > LONG {
            // f64 has no more than 17 digits.
            let places = (-exponent(finest)).clamp(0.0, 16.0 + (-exponent(largest)).max(0.0));
            return Self::Fixed(decimals.max(if places.is_finite() { places as usize } else { 0 }));
        }
        Self::Scientific(digits.max(decimals))
    }

    /// A number.
    pub(crate) fn text(self, value: f64) -> String {
        match self {
            Self::Fixed(places) => format!("{value:.places$}"),
            Self::Scientific(places) => format!("{value:.places$e}"),
        }
    }
}

/// A number with so many decimal places, or with more if it had fewer than four digits then.
pub(crate) fn rounded(value: f64, decimals: usize) -> String {
    Notation::new(value.abs(), value.abs() / 1000.0, decimals).text(value)
}

/// A number with four digits, or fewer if they say the same.
pub(crate) fn short(value: f64) -> String {
    let text = rounded(value, 0);
    let (digits, power) = text.split_at(text.find('e').unwrap_or(text.len()));
    let digits = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
    digits.to_owned() + power
}

/// A number with all of its digits.
pub(crate) fn whole(value: f64) -> String {
    if value == 0.0 || WRITTEN_OUT.contains(&value.abs()) { value.to_string() } else { format!("{value:e}") }
}

/// A number of things, whose name is given for one of them.
pub(crate) fn count<N: Display + PartialEq + From<u8>>(number: N, thing: &str) -> String {
    format!("{number} {thing}{}", if number == N::from(1) { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_counted() {
        assert_eq!([0_u64, 1, 2].map(|number| count(number, "point")), ["0 points", "1 point", "2 points"]);
    }

    #[test]
    fn short_numbers_have_four_digits() {
        for (value, text) in [
            (2.5, "2.5"),
            (0.0, "0"),
            (1234.56, "1235"),
            (0.012345, "0.01235"),
            (1e-7, "1e-7"),
            (1.2345678e-5, "1.235e-5"),
            (-2e30, "-2e30"),
            (3.0, "3"),
            (250.0, "250"),
            (5e5, "500000"),
        ] {
            assert_eq!(short(value), text);
        }
    }

    #[test]
    fn rounded_numbers_have_digits() {
        for (value, text) in [
            (2.48151, "2.4815"),
            (0.0, "0.0000"),
            (123.4, "123.4000"),
            (0.0012345, "0.001234"),
            (1.23456e-5, "1.2346e-5"),
            (1e30, "1.0000e30"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(rounded(value, 4), text);
        }
    }

    #[test]
    fn whole_numbers_are_read_as_they_were() {
        for (value, text) in [(2.5, "2.5"), (1e-5, "1e-5"), (1e30, "1e30"), (0.1234567, "0.1234567"), (0.0, "0")] {
            assert_eq!(whole(value), text);
            assert_eq!(text.parse(), Ok(value));
        }
    }

    /// Of positions: as usual, far from the origin, small, large, and small beside what is to be seen.
    #[test]
    fn notations_show_differences() {
        for (largest, finest, notation, value, text) in [
            (20.0, 0.25, Notation::Fixed(3), 19.98765, "19.988"),
            (1.7e9, 0.1, Notation::Fixed(3), 1_700_000_005.08, "1700000005.080"),
            (1e6, 2e-4, Notation::Fixed(4), 1_000_000.012_34, "1000000.0123"),
            (1e-5, 1e-7, Notation::Scientific(3), 1.23456e-5, "1.235e-5"),
            (1e30, 1e28, Notation::Scientific(3), -1.23456e29, "-1.235e29"),
            (0.0, 0.1, Notation::Fixed(3), 0.0, "0.000"),
        ] {
            assert_eq!(Notation::new(largest, finest, 3), notation, "{largest} {finest}");
            assert_eq!(notation.text(value), text);
        }
    }
}
