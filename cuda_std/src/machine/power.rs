//! x^p for x >= 0 and p > 0 on a processor with fused multiply-add, in operations that vectorise.
//!
//! ```text
//! x = 2^e m, m in [sqrt(1/2), sqrt(2))        by integers, of x 2^23 if x is subnormal
//! t = (m - 1) / (m + 1)                        with what the division leaves over
//! log2 x = e + 2 / ln 2 (t + t^3 / 3 + ...)    as a sum of two numbers, of 30 bits behind the point
//! y = p log2 x                                 as a sum of two numbers
//! x^p = 2^round(y) 2^(y - round(y))            the latter a polynomial, as in exp2.rs
//! ```
//!
//! The library's power takes one number at a time, and is a call, for which a loop's vectors go through memory. In f64, with
//! single numbers in place of the sums, it would be rounded almost correctly, and take one and a half times as long with
//! AVX-512. Both polynomials are minimax by Lawson iteration: in t^2 with a relative error of 2^-37, of degree six for the power
//! with 2^-29.

/// Adding and subtracting it rounds to an integer, which is then in the low bits.
const ROUND: f32 = 12_582_912.0;

/// The bits of sqrt(1/2).
const ROOT_HALF: u32 = 0x3f35_04f3;

/// 2 / ln 2, as a sum.
const LOG: (f32, f32) = (2.885_39, 3.851_926e-8);

/// What follows in t^2, from the highest degree down.
const LOG_TAIL: [f32; 4] = [0.340_738_5, 0.411_672_3, 0.577_083_6, 0.961_796_7];

/// 2^fraction, from the highest degree down. The one of degree one happens to be near ln 2.
#[allow(clippy::approx_constant)]
const EXP: [f32; 7] = [0.000_153_533_62, 0.001_339_887_4, 0.009_618_437, 0.055_503_325, 0.240_226_48, 0.693_147_2, 1.0];

/// 2^64: a result is made 2^64 times too large or too small first, and then rounded once, to a subnormal number or infinity.
const FAR: f32 = 18_446_744_073_709_551_616.0;

/// x^p. What is no number, infinite or 0 stays what it is.
#[inline(always)]
pub fn power(x: f32, p: f32) -> f32 {
    let is_tiny = x < f32::MIN_POSITIVE;
    let bits = (if is_tiny { x * 8_388_608.0 } else { x }).to_bits();
    let exponent = bits.wrapping_sub(ROOT_HALF).cast_signed() >> 23;
    let m = f32::from_bits(bits.wrapping_sub(exponent.cast_unsigned() << 23));
    let exponent = (if is_tiny { exponent - 23 } else { exponent }) as f32;

    let (above, below) = (m - 1.0, m + 1.0);
    let lost = m - (below - 1.0);
    let inverse = 1.0 / below;
    let t = above * inverse;
    let left = inverse * (-t).mul_add(lost, (-t).mul_add(below, above));
    let squared = t * t;
    let mut tail = LOG_TAIL[0];
    for coefficient in &LOG_TAIL[1..] {
        tail = tail.mul_add(squared, *coefficient);
    }
    let tail = tail.mul_add(squared, LOG.1);
    let first = t * LOG.0;
    let second = left.mul_add(LOG.0, t.mul_add(tail, t.mul_add(LOG.0, -first)));
    let high = exponent + first;
    let low = (first - (high - exponent)) + second;

    let product = p * high;
    let rest = p.mul_add(low, p.mul_add(high, -product));
    let y = product + rest;
    let shifted = y + ROUND;
    let fraction = (product - (shifted - ROUND)) + rest;
    let mut power = EXP[0];
    for coefficient in &EXP[1..] {
        power = power.mul_add(fraction, *coefficient);
    }
    let (nearer, back) = if y < 0.0 { (64, 1.0 / FAR) } else { (64_u32.wrapping_neg(), FAR) };
    let exponent = shifted.to_bits().wrapping_add(nearer) << 23;
    let result = back * f32::from_bits(power.to_bits().wrapping_add(exponent));
    let result = if y < 150.0 { result } else { f32::INFINITY };
    let result = if y > -152.0 { result } else { 0.0 };
    // All bits between those of 0 and infinity.
    if x.to_bits().wrapping_sub(1) < f32::INFINITY.to_bits() - 1 { result } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error of x^p in units of 2^-23 of the result, or of 2^-149 where it is subnormal.
    fn error(x: f32, p: f32) -> f64 {
        let (found, expected) = (f64::from(power(x, p)), f64::from(x).powf(f64::from(p)));
        let ends = f64::from(f32::MAX) * (1.0 - f64::from(f32::EPSILON));
        if found.is_infinite() && expected >= ends {
            return 0.0;
        }
        (found - expected).abs() / (expected * 2.0_f64.powi(-23)).max(2.0_f64.powi(-149))
    }

    #[test]
    fn powers_keep_their_precision() {
        for p in [0.01, 0.1, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 7.3, 16.0, 100.0, 1000.0] {
            let most = 1.1 + f64::from(p) / 64.0;
            // All binades evenly, and those around 1 closely.
            let everywhere = (1..f32::INFINITY.to_bits()).step_by(20_011);
            let near_one = (0.25_f32.to_bits()..4.0_f32.to_bits()).step_by(353);
            for x in everywhere.chain(near_one).map(f32::from_bits) {
                let error = error(x, p);
                assert!(error <= most, "{x}^{p} is {}, off by {error} units", power(x, p));
            }
        }
    }

    #[test]
    fn what_is_exact_stays_so() {
        for p in [0.1, 0.5, 1.0, 3.0, 1000.0] {
            assert_eq!(power(0.0, p).to_bits(), 0);
            assert_eq!(power(1.0, p), 1.0);
            assert_eq!(power(f32::INFINITY, p), f32::INFINITY);
            assert!(power(f32::NAN, p).is_nan());
        }
        for k in -149..128 {
            let x = 2.0_f64.powi(k) as f32;
            assert_eq!(power(x, 1.0), x);
            assert_eq!(power(x, 2.0), x * x);
        }
    }

    #[test]
    fn results_end_where_numbers_do() {
        assert!(power(f32::MAX, 1.0) >= f32::MAX * (1.0 - f32::EPSILON));
        assert_eq!(power(1e30, 2.0), f32::INFINITY);
        assert_eq!(power(f32::MAX, 1000.0), f32::INFINITY);
        assert_eq!(power(1e-30, 2.0), 0.0);
        assert_eq!(power(f32::from_bits(1), 1000.0), 0.0);
        // Subnormal in, normal out, and the other way.
        assert_eq!(power(f32::from_bits(2), 0.5), 2.0_f32.powi(-74));
        assert_eq!(power(2.0_f32.powi(-70), 2.0), f32::from_bits(1 << 9));
    }
}
