//! 2^-x for x >= 0 on a processor, in operations that vectorise.
//!
//! x is split into an integer and a fraction in [-1/2, 1/2] by adding and subtracting 1.5 * 2^23,
//! which rounds to an integer and leaves it in the low bits; `round()` and the saturating `as i32`
//! made the same loop four times slower. 2^fraction is a polynomial whose constant term is exactly 1,
//! and the integer is added to the exponent's bits. Minimax by Lawson iteration over the other five
//! coefficients (relative error 9.2e-8, measured in f32 1.7e-7).
// Lanes index several arrays at once, which an iterator over one of them would hide.
#![allow(clippy::needless_range_loop)]

const ROUND: f32 = 12_582_912.0;

/// Smaller powers, times a coordinate, would be subnormal, which processors handle a hundred times slower.
const FARTHEST: f32 = 100.0;

/// From the highest degree down. The one of degree one happens to be near ln 2.
#[allow(clippy::approx_constant)]
const COEFFICIENTS: [f32; 6] = [0.001_326_472_7, 0.009_671_513, 0.055_507_336, 0.240_222_42, 0.693_147, 1.0];

/// 2^-x.
#[inline(always)]
pub fn minus(x: f32, mul_add: impl Fn(f32, f32, f32) -> f32) -> f32 {
    let x = if x < FARTHEST { x } else { FARTHEST };
    let shifted = ROUND - x;
    let fraction = (ROUND - shifted) - x;
    let mut power = COEFFICIENTS[0];
    for coefficient in &COEFFICIENTS[1..] {
        power = mul_add(power, fraction, *coefficient);
    }
    f32::from_bits(power.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// 2^-x of each lane.
#[inline(always)]
pub fn minus_each<const N: usize>(mut x: [f32; N], mul_add: impl Fn(f32, f32, f32) -> f32) -> [f32; N] {
    for x in &mut x {
        *x = minus(*x, &mul_add);
    }
    x
}

/// Lanes that [`minus_vectors`] takes at a time.
#[cfg(target_arch = "x86_64")]
const VECTOR: usize = 8;

/// 2^-x of each lane, for processors with sixteen vector registers.
///
/// Left to itself, LLVM takes the two vectors of a step together, which leaves no register for the eight
/// constants, and broadcasts each anew for every vector. Here they are vectors in memory, at an address that it
/// cannot see through: each becomes the memory operand of an instruction that is needed anyway, and the vectors
/// come one after the other. The Gaussian step for d = 2 is 1.25 times as fast for it.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn minus_vectors<const N: usize>(mut x: [f32; N], mul_add: impl Fn(f32, f32, f32) -> f32) -> [f32; N] {
    let mut first = 0;
    while first + VECTOR <= N {
        let Constants { round, farthest, coefficients } = Constants::in_memory();
        let mut near = [0.0; VECTOR];
        for lane in 0..VECTOR {
            let x = x[first + lane];
            near[lane] = if x < farthest[lane] { x } else { farthest[lane] };
        }
        let mut shifted = [0.0; VECTOR];
        let mut fraction = [0.0; VECTOR];
        for lane in 0..VECTOR {
            shifted[lane] = round[lane] - near[lane];
            fraction[lane] = (round[lane] - shifted[lane]) - near[lane];
        }
        let mut power = coefficients[0];
        for coefficient in &coefficients[1..] {
            for lane in 0..VECTOR {
                power[lane] = mul_add(power[lane], fraction[lane], coefficient[lane]);
            }
        }
        for lane in 0..VECTOR {
            x[first + lane] = f32::from_bits(power[lane].to_bits().wrapping_add(shifted[lane].to_bits() << 23));
        }
        first += VECTOR;
    }
    for x in &mut x[first..] {
        *x = minus(*x, &mul_add);
    }
    x
}

/// For other processors, what LLVM makes of the loop.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub use self::minus_each as minus_vectors;

/// The constants of [`minus`], as vectors.
#[cfg(target_arch = "x86_64")]
#[repr(C, align(64))]
struct Constants {
    round: [f32; VECTOR],
    farthest: [f32; VECTOR],
    coefficients: [[f32; VECTOR]; 6],
}

#[cfg(target_arch = "x86_64")]
impl Constants {
    /// The constants, at an address of which the compiler knows nothing.
    #[inline(always)]
    fn in_memory() -> &'static Self {
        static CONSTANTS: Constants = Constants {
            round: [ROUND; VECTOR],
            farthest: [FARTHEST; VECTOR],
            coefficients: {
                let mut vectors = [[0.0; VECTOR]; 6];
                let mut i = 0;
                while i < vectors.len() {
                    vectors[i] = [COEFFICIENTS[i]; VECTOR];
                    i += 1;
                }
                vectors
            },
        };
        let mut address: *const Self = &CONSTANTS;
        // Said to touch no memory, and it does not: what it reads through the pointer would never have changed. No reference of
        // the pointer is made by `&*`, which debug assertions would look at for every vector.
        #[allow(clippy::pointers_in_nomem_asm_block, clippy::transmute_ptr_to_ref)]
        // SAFETY: no instruction at all; the pointer stays what it is.
        unsafe {
            core::arch::asm!("/* {0} */", inout(reg) address, options(nomem, nostack, preserves_flags));
            core::mem::transmute::<*const Self, &'static Self>(address)
        }
    }
}
