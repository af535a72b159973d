use super::*;
use proptest::prelude::*;

/// Two results that enclose the exact one, with nothing between them.
fn encloses(down: f32, up: f32, exact: f64) -> bool {
    f64::from(down) <= exact && exact <= f64::from(up) && (down == up || down.next_up() == up)
}

fn moderate() -> impl Strategy<Value = f32> {
    (any::<f32>(), -60..60i32).prop_map(|(fraction, exponent)| {
        let fraction = f32::from_bits((fraction.to_bits() & 0x807F_FFFF) | 0x3F80_0000);
        fraction * 2f32.powi(exponent)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn products_are_enclosed(a in any::<f32>(), b in any::<f32>()) {
        let exact = f64::from(a) * f64::from(b);
        prop_assume!(exact.is_finite());
        let (down, up) = (mul32(a, b, Round::Down), mul32(a, b, Round::Up));
        prop_assert!(encloses(down, up, exact), "{down:e} {exact:e} {up:e}");
        let towards_zero = mul32(a, b, Round::Zero);
        prop_assert_eq!(towards_zero, if exact < 0.0 { up } else { down });
    }

    // Within 29 binary orders the sum of two f32 is exact in f64.
    #[test]
    fn sums_are_enclosed(a in moderate(), shift in -14..14i32, b in -2f32..2.0) {
        let b = a.abs() * b * 2f32.powi(shift);
        let exact = f64::from(a) + f64::from(b);
        prop_assume!(exact - f64::from(a) == f64::from(b));
        let (down, up) = (add32(a, b, Round::Down), add32(a, b, Round::Up));
        prop_assert!(encloses(down, up, exact), "{down:e} {exact:e} {up:e}");
        prop_assert_eq!(fma32(a, 1.0, b, Round::Down), down);
    }

    #[test]
    fn quotients_multiply_back(a in moderate(), b in moderate()) {
        let (down, up) = (div32(a, b, Round::Down), div32(a, b, Round::Up));
        let (low, high) = (f64::from(down) * f64::from(b), f64::from(up) * f64::from(b));
        let a = f64::from(a);
        prop_assert!(low.min(high) <= a && a <= low.max(high));
        prop_assert!(down == up || down.next_up() == up);
    }

    #[test]
    fn roots_square_back(a in moderate()) {
        let a = a.abs();
        let (down, up) = (f64::from(sqrt32(a, Round::Down)), f64::from(sqrt32(a, Round::Up)));
        prop_assert!(down * down <= f64::from(a) && f64::from(a) <= up * up);
    }

    // f64 results are enclosed where f32 operands make the exact value an f64.
    #[test]
    fn wide_results_are_exact_where_they_can_be(a in moderate(), b in moderate()) {
        let (a, b) = (f64::from(a), f64::from(b));
        for round in [Round::Down, Round::Up, Round::Zero] {
            prop_assert_eq!(mul64(a, b, round), a * b);
            prop_assert_eq!(fma64(a, b, 0.0, round), a * b);
            prop_assert_eq!(div64(a * b, b, round), a);
            prop_assert_eq!(sqrt64(a * a, round), a.abs());
        }
    }

    // A power of two changes nothing but the scale, wherever in the range it leads: what is exact in the
    // middle is so at the ends.
    #[test]
    fn wide_roots_are_the_same_at_every_scale(bits in 1..1u64 << 52) {
        let small = f64::from_bits(bits);
        for round in [Round::Down, Round::Up, Round::Zero] {
            prop_assert_eq!(sqrt64(small, round) * SCALE, sqrt64(small * SCALE * SCALE, round));
        }
    }

    #[test]
    fn wide_sums_of_products_are_the_same_at_every_scale(a in 1f64..2.0, b in 1f64..2.0, c in -2f64..2.0) {
        let top = 2f64.powi(1023);
        for round in [Round::Down, Round::Up, Round::Zero] {
            let middle = fma64(a, b, c, round);
            let high = fma64(a * 2f64.powi(600), b * 2f64.powi(423), c * top, round);
            prop_assert!(middle.abs() >= 2.0 || high == middle * top, "{high:e} {middle:e}");
            let low = fma64(a * 2f64.powi(-1000), b * 2f64.powi(80), c * 2f64.powi(-920), round);
            prop_assert_eq!(low, middle * 2f64.powi(-920));
        }
    }

    // Far below the smallest number, a product is there all the same.
    #[test]
    fn a_trace_of_a_product_moves_what_it_is_added_to(a in 1..99u64, b in 1..99u64, c in 0..99u64) {
        let [a, b, c] = [a, b, c].map(f64::from_bits);
        prop_assert_eq!(fma64(a, b, c, Round::Up), c.next_up());
        prop_assert_eq!(fma64(a, b, c, Round::Down), c);
        prop_assert_eq!(fma64(a, -b, c, Round::Up), c);
        prop_assert_eq!(fma64(a, -b, c, Round::Down), c.next_down());
    }
}
