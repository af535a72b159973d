//! Options that make no sense, by themselves or beside others.

use super::builder::MeanShift;
use super::labels::MOST_RADIUS;
use super::options::{Assignment, Distance, Form, Merging, Method, Seeding, WeightFunction};
use crate::error::{Error, Result};

impl MeanShift {
    /// Finds an option that makes no sense, by itself or beside another; [`fit`](Self::fit) does so first.
    ///
    /// ```
    /// use modeseek::MeanShift;
    ///
    /// assert!(MeanShift::new().check().is_ok());
    /// let error = MeanShift::new().tolerance(-1.0).check().unwrap_err();
    /// assert!(error.to_string().contains("-1"));
    /// ```
    ///
    /// # Errors
    /// [`Error::Option`], [`Error::Conflict`].
    pub fn check(&self) -> Result<()> {
        let wrong = |option, value: String, must| Err(Error::Option { option, value, must });
        if let Distance::Lp(p) = self.distance
            && !(1.0..=Distance::MOST_NORM).contains(&p)
        {
            return wrong("the norm's exponent", p.to_string(), "from 1 to 5");
        }
        if !(self.tolerance >= 0.0 && self.tolerance.is_finite()) {
            return wrong("the tolerance", self.tolerance.to_string(), "zero or a positive, finite number");
        }
        if self.max_iterations == 0 || self.max_iterations > 1_000_000 {
            return wrong("the number of iterations", self.max_iterations.to_string(), "between 1 and 1000000");
        }
        if !(self.relaxation > 0.0 && self.relaxation < 2.0) {
            return wrong("the relaxation", self.relaxation.to_string(), "above 0 and below 2");
        }
        if let Merging::Chains { radius } = self.merging
            && !(radius > 0.0 && radius <= MOST_RADIUS)
        {
            return wrong("the merging radius", radius.to_string(), "a positive number of bandwidths, up to 1e30");
        }
        if let Some(reach) = self.reach
            && !(reach > 0.0 && reach.is_finite())
        {
            return wrong("the reach", reach.to_string(), "a positive, finite number of bandwidths");
        }
        if self.minimum_size == 0 {
            return wrong("the smallest size of a cluster", "0".to_owned(), "at least 1");
        }
        if self.accuracy != 0.0 && !(1e-5..=0.01).contains(&self.accuracy) {
            return wrong(
                "the accuracy",
                self.accuracy.to_string(),
                "from 1e-5 to 0.01 bandwidths, or 0, which is exact",
            );
        }
        if self.accuracy == 0.0 && self.method == Method::Field {
            return Err(Error::Conflict {
                what: "an exact step of a binned field",
                why: "it is approximate; use the fused method",
            });
        }
        if let Method::Composed { batch: 0 } = self.method {
            return wrong("the batch", "0".to_owned(), "at least 1");
        }
        self.check_seeding()?;
        self.check_together()
    }

    fn check_seeding(&self) -> Result<()> {
        let wrong = |option, value: String, must| Err(Error::Option { option, value, must });
        match self.seeding {
            Seeding::Bins { min_frequency: 0 } => {
                wrong("the least number of points in a bin", "0".to_owned(), "at least 1")
            }
            Seeding::Random { count: 0, .. } => wrong("the number of seeds", "0".to_owned(), "at least 1"),
            Seeding::Share { share, .. } if !(share > 0.0 && share < 1.0) => {
                wrong("the share of points", share.to_string(), "above 0 and below 1")
            }
            Seeding::Share { confidence, .. } if !(confidence > 0.0 && confidence < 1.0) => {
                wrong("the confidence", confidence.to_string(), "above 0 and below 1")
            }
            _ => Ok(()),
        }
    }

    /// Options that exclude each other.
    fn check_together(&self) -> Result<()> {
        let conflict = |what, why| Err(Error::Conflict { what, why });
        let blurring = self.form == Form::Blurring;
        if blurring && self.seeding != Seeding::EveryPoint {
            return conflict("the blurring form with seeds", "its points are its queries; use the standard form");
        }
        if self.relaxation != 1.0 && (blurring || self.distance.p() != 2.0 || self.distance == Distance::Cosine) {
            return conflict("over-relaxation here", "it is proven safe only for the standard form with the 2-norm");
        }
        if self.reach.is_some() && self.basin() {
            return conflict("a reach with labels by basin", "it is the distance to the nearest mode; assign by that");
        }
        if let Method::Composed { .. } = self.method
            && (!blurring
                || self.distance != Distance::L2
                || self.sample_weights.is_some()
                || self.bandwidth.is_of_points()
                || self.bandwidth.is_of_dimensions())
        {
            return conflict(
                "the composed method here",
                "it knows the blurring form, the 2-norm, one bandwidth, and points that count alike; use the fused method",
            );
        }
        if let (Method::Composed { .. }, WeightFunction::Own(_)) = (self.method, self.weight) {
            return conflict("the composed method with a weight of one's own", "use the fused method");
        }
        if self.method == Method::Tiles
            && let Some((what, why)) = self.tiles_conflict()
        {
            return conflict(what, why);
        }
        Ok(())
    }

    /// Why far tiles cannot be left out, if so.
    pub(super) fn tiles_conflict(&self) -> Option<(&'static str, &'static str)> {
        if let WeightFunction::Own(_) = self.weight {
            let what = "leaving out far tiles with a weight of one's own";
            return Some((what, "it is not known where that ends; use the fused method"));
        }
        if self.accuracy == 0.0 && self.weight == WeightFunction::Gaussian {
            let what = "leaving out far tiles of an exact Gaussian";
            return Some((what, "it never ends; give an accuracy, or use the fused method"));
        }
        None
    }

    /// Whether points are labelled by the mode that they climb to.
    pub(super) fn basin(&self) -> bool {
        let every = self.seeding == Seeding::EveryPoint && self.merging != Merging::Densest;
        self.assignment.unwrap_or(if every { Assignment::Basin } else { Assignment::NearestMode }) == Assignment::Basin
    }
}
