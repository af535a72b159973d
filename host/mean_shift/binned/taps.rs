//! The kernel of a binned field along one axis, on its nodes.
//!
//! Points are spread onto nodes by the cubic B-spline, and steps are read from nodes by it. Each multiplies a
//! spectrum by sinc(f)^4. So that a point's weight is the Gaussian all the same, the taps' spectrum is the
//! Gaussian's over both:
//!
//! ```text
//! k(u) = 1/pi  integral_0^pi  c sqrt(2 pi) exp(-(c f)^2 / 2) / sinc(f / 2)^8  cos(f u) df      c nodes a bandwidth
//! ```
//!
//! What is left are the spectrum's images, of about 4 (f / 2 pi)^4 each: [`error_bound`].

use std::f64::consts::PI;

/// The fewest nodes a bandwidth: with fewer, the spectrum does not end where the grid's does.
pub const FEWEST: f64 = 2.0;

/// The most that are of use: rounding of f32 is a larger error than that of more.
pub const MOST: f64 = 16.0;

/// k(-reach) to k(reach), then u k(u), for a Gaussian of c nodes a bandwidth.
pub fn taps(c: f64, reach: usize) -> Vec<f32> {
    // The integrand vanishes at pi with all derivatives that matter, so that the midpoint rule is exact: four times as many parts
    // change k by 1e-11 of k(0) with two nodes a bandwidth, and by f64's roundings from two and a half on.
    const PARTS: usize = 256;
    let part = |i: usize| {
        let f = (i as f64 + 0.5) * PI / PARTS as f64;
        let sinc = (f / 2.0).sin() / (f / 2.0);
        (f, c * (2.0 * PI).sqrt() * (-0.5 * (c * f).powi(2)).exp() / sinc.powi(8) / PARTS as f64)
    };
    let parts: Vec<(f64, f64)> = (0..PARTS).map(part).collect();
    let k = |u: f64| parts.iter().map(|(f, amplitude)| amplitude * (f * u).cos()).sum::<f64>();
    // It is even.
    let half: Vec<f64> = (0..=reach).map(|u| k(u as f64)).collect();
    let k = |u: i64| half[u.unsigned_abs() as usize];
    let places = || -(reach as i64)..=reach as i64;
    let moments = places().map(|u| u as f64 * k(u));
    places().map(k).chain(moments).map(|tap| tap as f32).collect()
}

/// The same as smooth_many.rs takes them: of -t, for t from -span to span, with zeros beyond the reach.
pub fn reversed_taps(c: f64, reach: usize, span: usize) -> Vec<f32> {
    let (taps, reach) = (taps(c, reach.min(span)), reach.min(span));
    let mut reversed = vec![0.0; 2 * (2 * span + 1)];
    for (from, to) in taps.chunks(2 * reach + 1).zip(reversed.chunks_mut(2 * span + 1)) {
        to[span - reach..=span + reach].iter_mut().zip(from.iter().rev()).for_each(|(to, tap)| *to = *tap);
    }
    reversed
}

/// The error of a step, in bandwidths, that is to be expected at most, with c nodes a bandwidth.
///
/// An image changes a weight w(u) by 2 (2 pi c)^-4 of its fourth derivative at most, in each of d axes, when points are
/// spread and when the step is read; u times that derivative is below 2.7 for the Gaussian. What this does not
/// bound are queries nearly all of whose weight comes from points beyond three bandwidths: these weights, below
/// 1 % each, are off by more of themselves. A sample finds them out (verify.rs).
pub fn error_bound(d: usize, c: f64) -> f64 {
    IMAGES * d as f64 / (2.0 * PI * c).powi(4) + ROUNDING
}

/// 2 for each of two images, times 2.7, is 10.8; and some more for the next order. With 8, one of the sets of points in
/// tests/conformance/fields.rs passed its accuracy by 4 %; with 12, none does.
const IMAGES: f64 = 12.0;

/// What f32 adds, in bandwidths: a sum of about a hundred taps in each of three axes, off by 2^-24 of it each.
const ROUNDING: f64 = 2e-6;

/// The nodes a bandwidth for a step's error in bandwidths.
pub fn nodes_for(d: usize, accuracy: f64) -> f64 {
    let images = (accuracy - ROUNDING).max(1e-9);
    ((IMAGES * d as f64 / images).powf(0.25) / (2.0 * PI)).clamp(FEWEST, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spread, smoothed and read again, a point has the weight of the Gaussian, wherever it and the query lie.
    #[test]
    fn weights_are_the_gaussians() {
        let spline = |s: f64| {
            let inner = |s: f64| (3.0 * s.powi(3) - 6.0 * s.powi(2) + 4.0) / 6.0;
            [(1.0 - s).powi(3) / 6.0, inner(s), inner(1.0 - s), s.powi(3) / 6.0]
        };
        for c in [2.0, 3.0, 5.0, 16.0] {
            let reach = (8.0 * c) as usize + 4;
            let taps = taps(c, reach);
            for (s, r) in [(0.0, 0.0), (0.0, 0.5), (0.5, 0.5), (0.3, 0.9), (0.7, 0.1)] {
                for cells in 0..(6.0 * c) as usize {
                    let mut weight = 0.0;
                    for (i, b) in spline(s).iter().enumerate() {
                        for (j, a) in spline(r).iter().enumerate() {
                            weight += a * b * f64::from(taps[reach + cells + j - i]);
                        }
                    }
                    let u = (cells as f64 + r - s) / c;
                    let error = (weight - (-0.5 * u * u).exp()).abs();
                    // An image of 2 * 3 (2 pi c)^-4 where a point is spread, another where the step is read; half as much
                    // again for the next order at c = 2.
                    let bound = 18.0 / (2.0 * PI * c).powi(4) + 1e-6;
                    assert!(error <= bound, "c = {c}, {u} bandwidths: off by {error:e}");
                }
            }
        }
    }

    #[test]
    fn accuracies_and_nodes_agree() {
        for d in 1..=3 {
            for accuracy in [1e-2, 1e-3, 1e-4, 1e-5] {
                let c = nodes_for(d, accuracy);
                assert!(error_bound(d, c) <= accuracy * 1.001, "d = {d}, {accuracy}: c = {c}");
            }
        }
    }
}
