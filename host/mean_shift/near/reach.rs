//! How far a weight has to be looked at.

use crate::mean_shift::MeanShift;
use crate::mean_shift::options::WeightFunction;

impl MeanShift {
    /// The reach of the weight for n points, in bandwidths.
    pub(in crate::mean_shift) fn reach_of(&self, n: usize) -> f64 {
        if self.weight != WeightFunction::Gaussian {
            return 1.0;
        }
        let ratio = match &self.sample_weights {
            None => n as f64,
            Some(weights) => {
                let least = weights.iter().copied().filter(|&weight| weight > 0.0).fold(f64::INFINITY, f64::min);
                weights.iter().sum::<f64>() / least
            }
        };
        reach(ratio, self.accuracy)
    }

    /// A reach as kernels compare it: squared, scaled, and a little more, so that what is at its end is not left
    /// out for a rounding; infinite if there is none.
    pub(super) fn scaled_reach(&self, bandwidths: Option<f64>) -> f32 {
        bandwidths
            .map_or(f32::INFINITY, |bandwidths| ((bandwidths * self.weight.scale()).powi(2) * (1.0 + 1e-5)) as f32)
    }
}

/// How many bandwidths R the Gaussian has to be looked at so that a step is off by no more than `accuracy` bandwidths,
/// where `ratio` is the weight of all points over that of the lightest.
///
/// Points farther than R contribute to the sum of weights no more than `V exp(-R^2 / 2)`, with V the weight of all,
/// and R times that to the weighted sum of differences, since u exp(-u^2 / 2) falls from u = 1 on. The sum of
/// weights of a query is the weight v of the query's own point at least, in the blurring form always, in the
/// standard form because it never falls on the way. What is kept has a mean difference of no more than R. So the
/// step is off by `2 R exp(-R^2 / 2) V / v` at most.
pub fn reach(ratio: f64, accuracy: f64) -> f64 {
    // A fixed point, to which this contracts by 1 / R^2 each time.
    (0..60).fold(2.0, |reach: f64, _| (2.0 * (2.0 * ratio * reach / accuracy).ln()).max(1.0).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reaches_keep_the_bound() {
        for ratio in [1.0, 7.0, 1e5, 1e9, 1e30] {
            for accuracy in [1.0, 1e-2, 1e-4, 1e-7] {
                let reach = reach(ratio, accuracy);
                let bound = 2.0 * reach * (-reach * reach / 2.0).exp() * ratio;
                assert!(reach >= 1.0 && bound <= accuracy * (1.0 + 1e-9), "{ratio} {accuracy}: {reach}, {bound}");
            }
        }
        assert!((reach(1e5, 1e-4) - 6.9).abs() <= 0.2);
    }
}
