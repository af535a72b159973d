//! Directed rounding: the nearest result, put right by the sign of what it leaves out.
//!
//! The processor rounds to nearest. The sign of `exact - nearest` is found without error (in f64 for f32, by
//! error-free transformations for f64), and tells whether the neighbour is the directed result.

use super::Modifiers;

/// Rounding of a result to a representable value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Round {
    Nearest,
    Zero,
    Down,
    Up,
    /// To nearest, ties away from zero.
    NearestAway,
}

impl Round {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "rn" => Round::Nearest,
            "rz" => Round::Zero,
            "rm" => Round::Down,
            "rp" => Round::Up,
            _ => return None,
        })
    }

    pub(crate) fn from_bits(bits: u32) -> Self {
        [Round::Nearest, Round::Zero, Round::Down, Round::Up, Round::NearestAway][(bits & 7).min(4) as usize]
    }
}

/// Modifiers of floating-point arithmetic, packed into a mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FloatMode(pub(crate) u32);

impl FloatMode {
    const FLUSH: u32 = 8;
    const SATURATE: u32 = 16;

    pub(crate) fn take(m: &mut Modifiers) -> Self {
        let round = m.find(Round::from_name).unwrap_or(Round::Nearest);
        let mut bits = round as u32;
        if m.take("ftz") {
            bits |= Self::FLUSH;
        }
        if m.take("sat") {
            bits |= Self::SATURATE;
        }
        Self(bits)
    }

    pub(crate) fn round(self) -> Round {
        Round::from_bits(self.0)
    }

    pub(crate) fn is_plain(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn only_rounds(self) -> bool {
        self.0 & (Self::FLUSH | Self::SATURATE) == 0
    }

    pub(crate) fn flushes(self) -> bool {
        self.0 & Self::FLUSH != 0
    }

    /// A source as the instruction sees it.
    pub(crate) fn source(self, value: f32) -> f32 {
        if self.flushes() { flush(value) } else { value }
    }

    /// A result as the instruction leaves it.
    pub(crate) fn result(self, value: f32) -> f32 {
        let value = self.source(value);
        if self.0 & Self::SATURATE != 0 { saturate(value) } else { value }
    }
}

/// A subnormal becomes a zero of its sign.
pub(crate) fn flush(value: f32) -> f32 {
    if value.is_subnormal() { 0f32.copysign(value) } else { value }
}

/// To `[0, 1]`; NaN becomes +0.
pub(crate) fn saturate(value: f32) -> f32 {
    if value.is_nan() || value <= 0.0 { 0.0 } else { value.min(1.0) }
}

/// The neighbour that directed rounding takes; `residue` has the sign of `exact - nearest`.
macro_rules! directed {
    ($name:ident, $t:ty) => {
        pub(crate) fn $name(nearest: $t, residue: f64, round: Round) -> $t {
            if residue == 0.0 || nearest.is_nan() {
                return nearest;
            }
            let above = residue > 0.0;
            match round {
                Round::Down if !above => nearest.next_down(),
                Round::Up if above => nearest.next_up(),
                Round::Zero if nearest > 0.0 && !above => nearest.next_down(),
                Round::Zero if nearest < 0.0 && above => nearest.next_up(),
                _ => nearest,
            }
        }
    };
}
directed!(directed32, f32);
directed!(directed64, f64);

/// What an infinite result of finite operands leaves out.
fn overflow_residue(nearest: f64, operands: &[f64]) -> Option<f64> {
    (nearest.is_infinite() && operands.iter().all(|x| x.is_finite())).then_some(-nearest)
}

fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let part = sum - a;
    (sum, (a - (sum - part)) + (b - part))
}

/// The sign of a sum, exactly (Shewchuk, "Adaptive Precision Floating-Point Arithmetic", 1997, grow-expansion).
fn sum_sign(terms: &[f64]) -> f64 {
    let mut expansion: Vec<f64> = Vec::with_capacity(terms.len());
    for term in terms {
        let mut carried = *term;
        for part in &mut expansion {
            let (sum, error) = two_sum(carried, *part);
            *part = error;
            carried = sum;
        }
        expansion.push(carried);
    }
    expansion.into_iter().rev().find(|part| *part != 0.0).unwrap_or(0.0)
}

/// An exact zero of a sum is negative when rounding down, unless both terms were positive zeros.
fn zero_sum(a_negative: bool, b_negative: bool, round: Round) -> f64 {
    let negative = (a_negative && b_negative) || (round == Round::Down && (a_negative || b_negative));
    if negative { -0.0 } else { 0.0 }
}

pub(crate) fn add32(a: f32, b: f32, round: Round) -> f32 {
    let nearest = a + b;
    if round == Round::Nearest {
        return nearest;
    }
    let (x, y) = (f64::from(a), f64::from(b));
    let exact = [x, y, -f64::from(nearest)];
    let residue = overflow_residue(f64::from(nearest), &[x, y])
        .unwrap_or_else(|| if nearest.is_finite() { sum_sign(&exact) } else { 0.0 });
    if nearest == 0.0 && residue == 0.0 {
        return zero_sum(a.is_sign_negative(), b.is_sign_negative(), round) as f32;
    }
    directed32(nearest, residue, round)
}

pub(crate) fn mul32(a: f32, b: f32, round: Round) -> f32 {
    // The product of two f32 is exact in f64.
    let nearest = a * b;
    let exact = f64::from(a) * f64::from(b);
    directed32(nearest, residue_of(exact, f64::from(nearest)), round)
}

fn residue_of(exact: f64, nearest: f64) -> f64 {
    if exact.is_infinite() || exact.is_nan() { 0.0 } else { exact - nearest }
}

pub(crate) fn fma32(a: f32, b: f32, c: f32, round: Round) -> f32 {
    let nearest = a.mul_add(b, c);
    if round == Round::Nearest {
        return nearest;
    }
    let (product, addend) = (f64::from(a) * f64::from(b), f64::from(c));
    let residue = overflow_residue(f64::from(nearest), &[product, addend])
        .unwrap_or_else(|| if nearest.is_finite() { sum_sign(&[product, addend, -f64::from(nearest)]) } else { 0.0 });
    if nearest == 0.0 && residue == 0.0 {
        return zero_sum(product.is_sign_negative(), c.is_sign_negative(), round) as f32;
    }
    directed32(nearest, residue, round)
}

pub(crate) fn div32(a: f32, b: f32, round: Round) -> f32 {
    let nearest = a / b;
    if round == Round::Nearest || b == 0.0 || !a.is_finite() || !b.is_finite() {
        return nearest;
    }
    let residue = if nearest.is_infinite() {
        -f64::from(nearest)
    } else {
        (f64::from(a) - f64::from(nearest) * f64::from(b)) * f64::from(b.signum())
    };
    directed32(nearest, residue, round)
}

pub(crate) fn sqrt32(a: f32, round: Round) -> f32 {
    let nearest = a.sqrt();
    let residue = if nearest.is_finite() { f64::from(a) - f64::from(nearest) * f64::from(nearest) } else { 0.0 };
    directed32(nearest, residue, round)
}

pub(crate) fn add64(a: f64, b: f64, round: Round) -> f64 {
    let nearest = a + b;
    if round == Round::Nearest {
        return nearest;
    }
    let residue =
        overflow_residue(nearest, &[a, b]).unwrap_or_else(|| if nearest.is_finite() { two_sum(a, b).1 } else { 0.0 });
    if nearest == 0.0 && residue == 0.0 {
        return zero_sum(a.is_sign_negative(), b.is_sign_negative(), round);
    }
    directed64(nearest, residue, round)
}

/// Products near the bottom of the range are compared at a scale where their tails exist.
const SCALE: f64 = 1.157_920_892_373_162e77; // 2^256

/// Times 2^1024, which is no f64 itself.
fn scaled(x: f64) -> f64 {
    x * SCALE * SCALE * SCALE * SCALE
}

/// The sign of a product, even where it is too small for an f64.
fn product_sign(a: f64, b: f64) -> f64 {
    if a == 0.0 || b == 0.0 { 0.0 } else { a.signum() * b.signum() }
}

fn product_residue(a: f64, b: f64, nearest: f64) -> f64 {
    if nearest == 0.0 {
        return product_sign(a, b);
    }
    if nearest.abs() < f64::MIN_POSITIVE * SCALE {
        let (small, large) = if a.abs() < b.abs() { (a, b) } else { (b, a) };
        return (small * SCALE).mul_add(large, -(nearest * SCALE));
    }
    a.mul_add(b, -nearest)
}

pub(crate) fn mul64(a: f64, b: f64, round: Round) -> f64 {
    let nearest = a * b;
    if round == Round::Nearest {
        return nearest;
    }
    let residue = overflow_residue(nearest, &[a, b])
        .unwrap_or_else(|| if nearest.is_finite() { product_residue(a, b, nearest) } else { 0.0 });
    directed64(nearest, residue, round)
}

pub(crate) fn fma64(a: f64, b: f64, c: f64, round: Round) -> f64 {
    let nearest = a.mul_add(b, c);
    if round == Round::Nearest {
        return nearest;
    }
    let residue = overflow_residue(nearest, &[a, b, c])
        .unwrap_or_else(|| if nearest.is_finite() { fma_residue(a, b, c, nearest) } else { 0.0 });
    if nearest == 0.0 && residue == 0.0 {
        let negative = a.is_sign_negative() != b.is_sign_negative();
        return zero_sum(negative, c.is_sign_negative(), round);
    }
    directed64(nearest, residue, round)
}

/// The sign of `a b + c - nearest`, where `nearest` is finite.
fn fma_residue(a: f64, b: f64, c: f64, nearest: f64) -> f64 {
    let (small, large) = if a.abs() < b.abs() { (a, b) } else { (b, a) };
    let product = a * b;
    if product.is_infinite() || (product.abs() >= f64::MAX / SCALE && c.abs() >= f64::MAX / SCALE) {
        // The product, or its sum with the addend, may be beyond the range that the whole is in.
        let (large, c, nearest) = (large / SCALE, c / SCALE, nearest / SCALE);
        let product = large * small;
        return sum_sign(&[large.mul_add(small, -product), product, c, -nearest]);
    }
    if product.abs() >= f64::MIN_POSITIVE * SCALE {
        return sum_sign(&[a.mul_add(b, -product), product, c, -nearest]);
    }
    if c.abs() >= f64::MIN_POSITIVE * SCALE * SCALE {
        // The addend is so much larger that the sum is the addend, but for a trace of the product.
        return product_sign(a, b);
    }
    let small = scaled(small);
    let product = small * large;
    if product.abs() < f64::MIN_POSITIVE * SCALE {
        // No more than a trace beside the smallest number.
        return product_sign(a, b);
    }
    sum_sign(&[small.mul_add(large, -product), product, scaled(c), -scaled(nearest)])
}

pub(crate) fn div64(a: f64, b: f64, round: Round) -> f64 {
    let nearest = a / b;
    if round == Round::Nearest || b == 0.0 || !a.is_finite() || !b.is_finite() {
        return nearest;
    }
    let residue = if nearest.is_infinite() {
        -nearest
    } else if a.abs() < f64::MIN_POSITIVE * SCALE {
        (-(nearest * SCALE)).mul_add(b, a * SCALE) * b.signum()
    } else {
        (-nearest).mul_add(b, a) * b.signum()
    };
    directed64(nearest, residue, round)
}

pub(crate) fn sqrt64(a: f64, round: Round) -> f64 {
    let nearest = a.sqrt();
    let residue = if !nearest.is_finite() {
        0.0
    } else if a < f64::MIN_POSITIVE * SCALE {
        (-(nearest * SCALE)).mul_add(nearest * SCALE, a * SCALE * SCALE)
    } else {
        (-nearest).mul_add(nearest, a)
    };
    directed64(nearest, residue, round)
}

#[cfg(test)]
mod tests;
