//! What a user can say about a fit.

use cuda_std::launch::Launch;
use gpu::weight::{Flat, Gaussian, Triangular, Weight};

use crate::error::{Error, Result};

/// The weight of a point as a function of its distance over the bandwidth, u.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WeightFunction {
    /// exp(-u^2 / 2)
    #[default]
    Gaussian,
    /// max(1 - u, 0)
    Triangular,
    /// 1 for u <= 1, else 0
    Flat,
}

impl WeightFunction {
    /// Coordinates times this, over the bandwidth, are what the kernels compute with.
    pub(super) fn scale(self) -> f64 {
        match self {
            Self::Gaussian => Gaussian::SCALE,
            Self::Triangular => Triangular::SCALE,
            Self::Flat => Flat::SCALE,
        }
    }
}

/// How an iteration is computed. Both give the same clusters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// One kernel a step, which stores no distance. Memory O(n d).
    #[default]
    Fused,
    /// Pairwise distances, weights and a weighted reduction, for so many points at a time, as one
    /// writes it with matrices. Memory O(batch n).
    Composed {
        /// Points at a time.
        batch: usize,
    },
}

/// Mean shift: how to cluster. [`fit`](Self::fit) does it.
///
/// ```
/// use modeseek::{MeanShift, WeightFunction};
///
/// let estimator = MeanShift::new(2.5).weight(WeightFunction::Triangular).max_iterations(50);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct MeanShift {
    pub(super) bandwidth: f64,
    pub(super) weight: WeightFunction,
    pub(super) tolerance: f64,
    pub(super) max_iterations: usize,
    pub(super) method: Method,
    pub(super) threads_per_block: Option<u32>,
}

impl MeanShift {
    /// The tolerance unless one is given, in bandwidths: scikit-learn's.
    pub const TOLERANCE: f64 = 1e-3;

    /// The most iterations unless a number is given: scikit-learn's.
    pub const MAX_ITERATIONS: usize = 300;

    /// Mean shift with a bandwidth, in units of the data; a good first one covers about a third of it.
    pub fn new(bandwidth: f64) -> Self {
        Self {
            bandwidth,
            weight: WeightFunction::default(),
            tolerance: Self::TOLERANCE,
            max_iterations: Self::MAX_ITERATIONS,
            method: Method::default(),
            threads_per_block: None,
        }
    }

    /// The weight function.
    pub fn weight(self, weight: WeightFunction) -> Self {
        Self { weight, ..self }
    }

    /// Iterations end when no point moves more than this many bandwidths. 0: when none moves at all.
    pub fn tolerance(self, tolerance: f64) -> Self {
        Self { tolerance, ..self }
    }

    /// The most iterations.
    pub fn max_iterations(self, max_iterations: usize) -> Self {
        Self { max_iterations, ..self }
    }

    /// How an iteration is computed.
    pub fn method(self, method: Method) -> Self {
        Self { method, ..self }
    }

    /// Threads of a block, for kernels that can be launched with any number; `None` lets each kernel choose.
    pub fn threads_per_block(self, threads: Option<u32>) -> Self {
        Self { threads_per_block: threads, ..self }
    }

    /// A launch in blocks of the size that the user chose, if any.
    pub(super) fn in_blocks<'a>(&self, launch: Launch<'a>) -> Launch<'a> {
        match self.threads_per_block {
            Some(threads) => launch.threads_per_block(threads),
            None => launch,
        }
    }

    /// Finds an option that makes no sense; [`fit`](Self::fit) does so first.
    ///
    /// # Errors
    /// [`Error::Option`].
    pub fn check(&self) -> Result<()> {
        let wrong = |option, value: String, must| Err(Error::Option { option, value, must });
        if !(self.bandwidth > 0.0 && self.bandwidth.is_finite()) {
            return wrong("--bandwidth", self.bandwidth.to_string(), "a positive, finite number");
        }
        // Kernels compute with coordinates over the bandwidth in f32.
        if !(1e-30..=1e30).contains(&self.bandwidth) {
            return wrong(
                "--bandwidth",
                format!("{:e}", self.bandwidth),
                "between 1e-30 and 1e30; scale the data first",
            );
        }
        if !(self.tolerance >= 0.0 && self.tolerance.is_finite()) {
            return wrong("--tolerance", self.tolerance.to_string(), "zero or a positive, finite number");
        }
        if self.max_iterations == 0 || self.max_iterations > 1_000_000 {
            return wrong("--iterations", self.max_iterations.to_string(), "between 1 and 1000000");
        }
        if let Method::Composed { batch: 0 } = self.method {
            return wrong("--batch", "0".to_owned(), "at least 1");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senseless_options_are_refused() {
        for bandwidth in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-31, 1e31] {
            assert!(matches!(MeanShift::new(bandwidth).check(), Err(Error::Option { option: "--bandwidth", .. })));
        }
        let good = MeanShift::new(1.0);
        assert!(good.check().is_ok());
        for tolerance in [-1e-9, f64::NAN, f64::INFINITY] {
            assert!(matches!(
                good.clone().tolerance(tolerance).check(),
                Err(Error::Option { option: "--tolerance", .. })
            ));
        }
        assert!(good.clone().tolerance(0.0).check().is_ok());
        assert!(matches!(good.clone().max_iterations(0).check(), Err(Error::Option { option: "--iterations", .. })));
        let method = Method::Composed { batch: 0 };
        assert!(matches!(good.method(method).check(), Err(Error::Option { option: "--batch", .. })));
    }
}
