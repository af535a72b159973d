//! How far a weight has to be looked at.

use cuda_std::machine::MachineKind;

use crate::error::Result;
use crate::mean_shift::MeanShift;
use crate::mean_shift::iterate::Field;
use crate::mean_shift::labels::{Columns, extents};
use crate::mean_shift::options::WeightFunction;

/// How much further than where it ends a weight is looked at, squared distances of it: for roundings, and for powers that are
/// approximated.
const MORE: [f64; 2] = [1e-5, 1e-3];

/// Less than the sum of weights of a query that has support (`Weight::LEAST`, 2^-68), and than f32 tells beside it.
const NOTHING: f64 = 1.0 / (1_u128 << 90) as f64;

/// Which part of the accuracy is for boxes that are taken as one point; what a box is allowed is half of it (gpu/tight.rs).
const OF_BOXES: f64 = 0.02;

impl MeanShift {
    /// How far a step may be off, scaled, because of a box that is taken as one point.
    pub(super) fn allowed_of_boxes(&self) -> f32 {
        (0.5 * OF_BOXES * self.accuracy * self.weight.scale()) as f32
    }

    /// How far f32 reaches, in bandwidths: what is farther counts for nothing, whatever there is else.
    ///
    /// # Errors
    /// As [`reach_of`](Self::reach_of).
    pub(in crate::mean_shift) fn far_reach(&self, field: &Field) -> Result<f64> {
        Self { accuracy: NOTHING, ..self.clone() }.reach_of(field)
    }

    /// The reach for all of a field's points, where those that weigh nothing move with the others.
    ///
    /// # Errors
    /// As [`reach_of`](Self::reach_of).
    pub(in crate::mean_shift) fn reach_of_all(&self, field: &Field) -> Result<f64> {
        if field.weightless { self.far_reach(field) } else { self.reach_of(field) }
    }

    /// The reach of the weight for queries that have the weight of one of a field's points, in bandwidths.
    ///
    /// # Errors
    /// Too little memory; whatever the device reports.
    pub(in crate::mean_shift) fn reach_of(&self, field: &Field) -> Result<f64> {
        if self.weight != WeightFunction::Gaussian {
            return Ok(1.0);
        }
        let ratio = match self.weights_in(self.weight_unit(field.n as usize)?) {
            None => f64::from(field.n),
            // As the kernels have them: their sum is a number, however large they are, and what is nothing to it counts as 0.
            Some(weights) => {
                let counting = || weights.iter().copied().map(f64::from).filter(|&weight| weight > 0.0);
                counting().sum::<f64>() / counting().fold(f64::INFINITY, f64::min)
            }
        };
        // No p-norm of a difference is smaller than a d-th of its 2-norm.
        let norm = if field.norm.p == 2.0 { 1.0 } else { f64::from(field.d) };
        // Of many dimensions a part of what a step may be off is for boxes: on GPUs too, which leave out the same.
        let part = if gpu::tight::serves(MachineKind::Baseline, field.d as usize) { 1.0 - OF_BOXES } else { 1.0 };
        Ok(reach(ratio * norm * self.spread_of_bandwidths(field)?, part * self.accuracy))
    }

    /// What bandwidths of points add to that ratio, with q of the widest over the narrowest: q^(d + 2), since factors go as
    /// h^-(d + 2); q^2, since on the way of a query it is the sum of the factors times h^2 that never falls; and q, since an error in
    /// the widest bandwidths has to be one in the narrowest.
    fn spread_of_bandwidths(&self, field: &Field) -> Result<f64> {
        if !self.bandwidth.is_of_points() {
            return Ok(1.0);
        }
        let (n, stride) = (field.n as usize, field.stride as usize);
        let marks = Columns { values: &field.marks, n, d: 2, stride };
        let (least, largest) = extents(&field.device, marks)?[1];
        // Scales are squares.
        Ok((largest / least).powf(0.5 * f64::from(field.d + 5)))
    }

    /// A reach as kernels compare it: squared, scaled, and a little more, so that what is at its end is not left
    /// out for a rounding; infinite if there is none.
    pub(super) fn scaled_reach(&self, bandwidths: Option<f64>) -> f32 {
        let more = MORE[usize::from(![1.0, 2.0].contains(&self.distance.p()))];
        bandwidths
            .map_or(f32::INFINITY, |bandwidths| ((bandwidths * self.weight.scale()).powi(2) * (1.0 + more)) as f32)
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
///
/// That the sum never falls is known of the 2-norm; with another, in the standard form, the bound is relative to the sum that is
/// left. With the cosine distance u a step is a chord, which is shorter than u from u = 1 on.
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
