//! The 16-bit formats, as exact conversions from and to f64.

use super::rounding::Round;

/// A binary format narrower than f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Format {
    /// Bits of the fraction.
    pub(crate) fraction: i32,
    /// Exponent of the smallest normal number.
    pub(crate) lowest: i32,
    /// Exponent of the largest number.
    pub(crate) highest: i32,
}

pub(crate) const F16: Format = Format { fraction: 10, lowest: -14, highest: 15 };
pub(crate) const BF16: Format = Format { fraction: 7, lowest: -126, highest: 127 };
pub(crate) const TF32: Format = Format { fraction: 10, lowest: -126, highest: 127 };

const NAN: u32 = 0x7FFF;

fn exponent_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

impl Format {
    /// The largest number.
    pub(crate) fn largest(self) -> f64 {
        (2.0 - exponent_of_two(-self.fraction)) * exponent_of_two(self.highest)
    }

    /// A subnormal becomes a zero of its sign.
    pub(crate) fn flush(self, value: f64) -> f64 {
        if value.abs() < exponent_of_two(self.lowest) { 0f64.copysign(value) } else { value }
    }

    /// `value` rounded to the format, as an f64; what is too large becomes infinite or the largest number.
    pub(crate) fn round(self, value: f64, round: Round) -> f64 {
        if value == 0.0 || !value.is_finite() {
            return value;
        }
        let exponent = ((value.to_bits() >> 52 & 0x7FF) as i32 - 1023).max(self.lowest);
        // In units of the last place, a rounding of the format is one to an integer.
        let unit = exponent_of_two(exponent - self.fraction);
        let rounded = round_to_integer(value / unit, round) * unit;
        let largest = self.largest();
        if rounded.abs() <= largest {
            return rounded;
        }
        let keeps_finite = match round {
            Round::Zero => true,
            Round::Down => value > 0.0,
            Round::Up => value < 0.0,
            _ => false,
        };
        if keeps_finite { largest.copysign(value) } else { f64::INFINITY.copysign(value) }
    }
}

/// Rounds to an integral value; the sign of a zero is that of the value.
pub(crate) fn round_to_integer(value: f64, round: Round) -> f64 {
    match round {
        Round::Nearest => value.round_ties_even(),
        Round::Zero => value.trunc(),
        Round::Down => value.floor(),
        Round::Up => value.ceil(),
        Round::NearestAway => value.round(),
    }
    .copysign(value)
}

pub(crate) fn f16_to_f64(bits: u16) -> f64 {
    let sign = if bits >> 15 != 0 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1F), f64::from(bits & 0x3FF));
    sign * match exponent {
        0 => fraction * exponent_of_two(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * exponent_of_two(exponent - 15),
    }
}

pub(crate) fn bf16_to_f64(bits: u16) -> f64 {
    f64::from(f32::from_bits(u32::from(bits) << 16))
}

pub(crate) fn f64_to_f16(value: f64, round: Round) -> u16 {
    if value.is_nan() {
        return NAN as u16;
    }
    let sign = u16::from(value.is_sign_negative()) << 15;
    let value = F16.round(value, round).abs();
    if value.is_infinite() {
        return sign | 0x7C00;
    }
    if value < exponent_of_two(F16.lowest) {
        return sign | (value * exponent_of_two(24)) as u16;
    }
    let bits = value.to_bits();
    let exponent = (bits >> 52) as i32 - 1023 + 15;
    sign | (exponent as u16) << 10 | (bits >> 42 & 0x3FF) as u16
}

pub(crate) fn f64_to_bf16(value: f64, round: Round) -> u16 {
    if value.is_nan() {
        return NAN as u16;
    }
    // The rounded value is an f32 with a zero lower half.
    ((BF16.round(value, round) as f32).to_bits() >> 16) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_f16_survives_the_way_through_f64() {
        for bits in 0..=u16::MAX {
            let value = f16_to_f64(bits);
            if !value.is_nan() {
                assert_eq!(f64_to_f16(value, Round::Nearest), bits, "{bits:#06x}");
            }
        }
    }

    #[test]
    fn rounding_directions_of_f16() {
        // 1 + 2^-11 lies half way between 1 and the next number.
        let half_way = 1.0 + 2f64.powi(-11);
        assert_eq!(f64_to_f16(half_way, Round::Nearest), 0x3C00);
        assert_eq!(f64_to_f16(half_way, Round::NearestAway), 0x3C01);
        assert_eq!(f64_to_f16(half_way, Round::Up), 0x3C01);
        assert_eq!(f64_to_f16(half_way, Round::Zero), 0x3C00);
        assert_eq!(f64_to_f16(65520.0, Round::Nearest), 0x7C00);
        assert_eq!(f64_to_f16(65520.0, Round::Zero), 0x7BFF);
        assert_eq!(f64_to_f16(2f64.powi(-25), Round::Nearest), 0);
        assert_eq!(f64_to_f16(2f64.powi(-25), Round::Up), 1);
    }
}
