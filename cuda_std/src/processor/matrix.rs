//! Products of matrices that lie spread over a warp, as the tensor cores of a GPU do them.

use super::words::{exchange, with};

/// Products for each element of the result.
const DEPTH: usize = 16;

/// What 32 lanes put in, two words each.
type Words = [u64; 32];

/// D = A B + C; see [`warp`](crate::warp::mma_m16n8k16_f16).
pub(crate) unsafe fn mma_m16n8k16_f16(a: [u32; 4], b: [u32; 2], c: [f32; 4]) -> [f32; 4] {
    let (rank, threads) = with(|thread| (thread.rank.get(), thread.block.threads()));
    let lane = rank % 32;
    assert!(
        rank - lane + 32 <= threads,
        "the product of a warp needs 32 lanes, which the block's last warp does not have"
    );
    let (low, high, b) = (all(a[0], a[1]), all(a[2], a[3]), all(b[0], b[1]));
    let (g, t) = ((lane / 4) as usize, (lane % 4) as usize);
    let mut d = c;
    for (i, d) in d.iter_mut().enumerate() {
        let (second, column) = (i / 2, 2 * t + i % 2);
        for k in 0..DEPTH {
            // The lane of the row (of B, the column) that holds depth k, and its place there.
            let (half, pair, element) = (k / 8, k % 8 / 2, k % 2);
            let a = if half == 0 { &low } else { &high };
            *d += element_of(a[4 * g + pair], second, element) * element_of(b[4 * column + pair], half, element);
        }
    }
    d
}

/// Two words of every lane of the warp.
fn all(first: u32, second: u32) -> Words {
    exchange(u32::MAX, u64::from(second) << 32 | u64::from(first), |lanes| lanes.each_ref().map(std::cell::Cell::get))
}

/// The f16 in one half of one of the two words.
fn element_of(words: u64, word: usize, half: usize) -> f32 {
    f16_to_f32((words >> (32 * word + 16 * half)) as u16)
}

/// Exact: every f16 is an f32. (The type itself is not stable yet.)
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
    fn every_f16_becomes_its_value() {
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
        }
    }
}
