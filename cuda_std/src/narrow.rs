//! Rounding to the numbers that tensor cores multiply, and back.
//!
//! | numbers | bits of a number | smallest normal, largest |
//! |---|---|---|
//! | f16 | 11 | 2^-14, 65504 |
//! | bf16 | 8 | as f32 |
//! | tf32 | 11 | as f32 |
//!
//! A rounded number is off by at most 2^-bits of itself (in f16, by 2^-25 if it is below 2^-14).

use crate::words;

/// Two f32 rounded to f16, ties to even, the first in the low half of the word. Compute 8.0 or newer.
///
/// From 65520 on it is infinity.
///
/// ```
/// use cuda_std::narrow::{f16_pair, f16_values};
///
/// assert_eq!(f16_pair(1.0, 0.0), 0x3c00);
/// assert_eq!(f16_values(f16_pair(1.0 / 3.0, 1e6)), [0.333_251_95, f32::INFINITY]);
/// ```
#[cfg(any(not(target_arch = "nvptx64"), target_feature = "sm_80"))]
#[inline(always)]
pub fn f16_pair(low: f32, high: f32) -> u32 {
    words::f16_pair(low, high)
}

/// The two f16 of a word: exact.
///
/// ```
/// assert_eq!(cuda_std::narrow::f16_values(0x3c00_c000), [-2.0, 1.0]);
/// ```
#[inline(always)]
pub fn f16_values(word: u32) -> [f32; 2] {
    words::f16_values(word)
}

/// Two f32 rounded to bf16, ties to even, the first in the low half of the word. Compute 8.0 or newer.
///
/// ```
/// use cuda_std::narrow::{bf16_pair, bf16_values};
///
/// assert_eq!(bf16_values(bf16_pair(1.0 / 3.0, 1e6)), [0.333_984_38, 999_424.0]);
/// ```
#[cfg(any(not(target_arch = "nvptx64"), target_feature = "sm_80"))]
#[inline(always)]
pub fn bf16_pair(low: f32, high: f32) -> u32 {
    words::bf16_pair(low, high)
}

/// The two bf16 of a word: exact.
///
/// ```
/// assert_eq!(cuda_std::narrow::bf16_values(0x3f80_c000), [-2.0, 1.0]);
/// ```
#[inline(always)]
pub fn bf16_values(word: u32) -> [f32; 2] {
    [f32::from_bits(word << 16), f32::from_bits(word & 0xffff_0000)]
}

/// An f32 rounded to tf32, ties away from zero: an f32 whose 13 lowest bits are zero, as its bits. Compute 8.0 or newer.
///
/// ```
/// let rounded = f32::from_bits(cuda_std::narrow::tf32(1.0 / 3.0));
/// assert!((rounded * 3.0 - 1.0).abs() <= 2.0_f32.powi(-11));
/// ```
#[cfg(any(not(target_arch = "nvptx64"), target_feature = "sm_80"))]
#[inline(always)]
pub fn tf32(x: f32) -> u32 {
    words::tf32(x)
}

#[cfg(all(test, not(target_arch = "nvptx64")))]
mod tests {
    use super::*;

    /// Around every kind of number: zero, subnormal in f16, normal, too large.
    fn samples() -> impl Iterator<Item = f32> {
        let fractions = (0..4096).map(|i| 1.0 + i as f32 / 4096.0 + 1e-5 * (i % 7) as f32);
        let powers = (-30..17).map(|e| 2.0_f32.powi(e));
        powers.flat_map(move |power| fractions.clone().map(move |fraction| fraction * power))
    }

    #[test]
    fn rounded_numbers_are_as_near_as_they_say() {
        for x in samples() {
            for (found, bits, least) in [
                (f16_values(f16_pair(x, -x)), 11, 2.0_f64.powi(-25)),
                (bf16_values(bf16_pair(x, -x)), 8, 0.0),
                ([f32::from_bits(tf32(x)), f32::from_bits(tf32(-x))], 11, 0.0),
            ] {
                if bits == 11 && least > 0.0 && x >= 65_520.0 {
                    assert_eq!(found, [f32::INFINITY, f32::NEG_INFINITY], "{x}");
                    continue;
                }
                let error = (f64::from(found[0]) - f64::from(x)).abs();
                assert!(error <= (f64::from(x) * 2.0_f64.powi(-bits)).max(least), "{x} became {}", found[0]);
                assert_eq!(found[1], -found[0], "{x}");
            }
        }
    }

    #[test]
    fn ties_go_where_they_say() {
        // Halfway between 1 and the next number, and between that and the one behind it.
        let halfway = |bits: i32, odd: f32| 1.0 + odd * 2.0_f32.powi(-bits);
        assert_eq!(f16_values(f16_pair(halfway(11, 1.0), halfway(11, 3.0))), [1.0, halfway(11, 4.0)]);
        assert_eq!(bf16_values(bf16_pair(halfway(8, 1.0), halfway(8, 3.0))), [1.0, halfway(8, 4.0)]);
        assert_eq!(f32::from_bits(tf32(halfway(11, 1.0))), halfway(11, 2.0));
        assert_eq!(f16_values(f16_pair(2.0_f32.powi(-25), 1.5 * 2.0_f32.powi(-24))), [0.0, 2.0_f32.powi(-23)]);
    }

    #[test]
    fn what_is_no_number_stays_none() {
        assert!(f16_values(f16_pair(f32::NAN, f32::NAN)).iter().all(|x| x.is_nan()));
        assert!(bf16_values(bf16_pair(f32::NAN, f32::from_bits(0x7f80_0001))).iter().all(|x| x.is_nan()));
        assert!(f32::from_bits(tf32(f32::NAN)).is_nan());
        // As a GPU has them: the sign is not kept.
        assert_eq!([f16_pair(-f32::NAN, f32::NAN), bf16_pair(-f32::NAN, f32::NAN)], [0x7fff_7fff; 2]);
        assert_eq!(tf32(-f32::NAN), 0x7fff_ffff);
        assert_eq!(f32::from_bits(tf32(f32::INFINITY)), f32::INFINITY);
        assert_eq!(bf16_values(bf16_pair(f32::INFINITY, f32::NEG_INFINITY)), [f32::INFINITY, f32::NEG_INFINITY]);
    }
}
