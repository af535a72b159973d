//! Roundings to f16, bf16 and tf32, in integers. (The types themselves are not stable yet.)

/// The bits of the nearest f16, ties to even.
fn f16(x: f32) -> u32 {
    let (sign, magnitude) = (x.to_bits() >> 31 << 15, x.to_bits() & 0x7fff_ffff);
    // As an exponent and fraction of f16, with 13 bits behind.
    let (whole, below) = if magnitude > 0x7f80_0000 {
        // As a GPU, which has one NaN.
        return 0x7fff;
    } else if magnitude >= 0x4780_0000 {
        return sign | 0x7c00;
    } else if magnitude >= 0x3880_0000 {
        let shifted = magnitude - (112 << 23);
        (shifted >> 13, shifted << 19)
    } else {
        // Multiples of 2^-24: the sum with 0.5 has them in its lowest bits, rounded.
        return sign | ((f32::from_bits(magnitude) + 0.5).to_bits() - 0.5_f32.to_bits());
    };
    // Up if more than half is behind, or half and the number is odd. From 65520 on that is infinity.
    sign | (whole + u32::from(below > 1 << 31 || (below == 1 << 31 && whole & 1 == 1)))
}

/// The bits of the nearest bf16, ties to even.
fn bf16(x: f32) -> u32 {
    let bits = x.to_bits();
    if x.is_nan() { 0x7fff } else { (bits + 0x7fff + (bits >> 16 & 1)) >> 16 }
}

pub(crate) fn f16_pair(low: f32, high: f32) -> u32 {
    f16(high) << 16 | f16(low)
}

pub(crate) fn f16_values(word: u32) -> [f32; 2] {
    [f16_to_f32(word as u16), f16_to_f32((word >> 16) as u16)]
}

pub(crate) fn bf16_pair(low: f32, high: f32) -> u32 {
    bf16(high) << 16 | bf16(low)
}

pub(crate) fn tf32(x: f32) -> u32 {
    if x.is_nan() { 0x7fff_ffff } else { (x.to_bits() + 0x1000) & !0x1fff }
}

/// Exact: every f16 is an f32.
fn f16_to_f32(bits: u16) -> f32 {
    let (sign, exponent, fraction) = (u32::from(bits >> 15) << 31, u32::from(bits >> 10 & 31), u32::from(bits & 1023));
    let magnitude = match exponent {
        // Zero and subnormals: multiples of 2^-24.
        0 => (fraction as f32 / 16_777_216.0).to_bits(),
        // Infinity and NaN.
        31 => 255 << 23 | fraction << 13,
        _ => (exponent + 127 - 15) << 23 | fraction << 13,
    };
    f32::from_bits(sign | magnitude)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_f16_becomes_its_value_and_comes_back() {
        for bits in 0..=u16::MAX {
            let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023) / 1024.0);
            let magnitude = match exponent {
                0 => fraction * 2.0_f64.powi(-14),
                31 if fraction == 0.0 => f64::INFINITY,
                31 => f64::NAN,
                _ => (1.0 + fraction) * 2.0_f64.powi(exponent - 15),
            };
            let expected = if bits >> 15 == 1 { -magnitude } else { magnitude };
            let found = f64::from(f16_to_f32(bits));
            assert_eq!(found.is_nan(), expected.is_nan(), "{bits:#06x}");
            assert!(found.is_nan() || found.to_bits() == expected.to_bits(), "{bits:#06x}: {found}, not {expected}");
            assert!(found.is_nan() || f16(found as f32) == u32::from(bits), "{bits:#06x} is another f16 again");
        }
    }
}
