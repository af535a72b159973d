//! The bandwidth that a fit has where none is said.

use modeseek::{Distance, MeanShift, WeightFunction};

use crate::DEVICE;

/// The default bandwidth of a weight function beside that of flat weights: as a length, and with the cosine distance as half the square of one, about a point of a
/// sphere. (Factors by the variances of the shadows: 1 / sqrt(d + 4); 2 / 3 / (sqrt(2) gamma(3/2)) for d = 3.)
#[test]
fn bandwidths_are_matched_by_the_distance() {
    let rows: Vec<[f64; 3]> = (0..40).map(|i| [(0.4 * f64::from(i)).sin(), (0.7 * f64::from(i)).cos(), 1.5]).collect();
    for (distance, expected) in [(Distance::L2, 7_f64.sqrt().recip()), (Distance::Cosine, 0.531_923)] {
        let of = |weight| {
            let estimator = MeanShift::new().on(&DEVICE).weight(weight).distance(distance);
            estimator.estimate_bandwidth(&rows).unwrap()
        };
        let found = of(WeightFunction::Gaussian) / of(WeightFunction::Flat);
        assert!((found / expected - 1.0).abs() < 1e-5, "{distance:?}: {found}, not {expected}");
    }
}
