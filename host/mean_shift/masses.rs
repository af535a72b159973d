//! Weights of points as whole numbers, whose sums are the same in any order.

use gpu::gather::masses;

use crate::error::Result;
use crate::executor::{Buffer, Device};

/// What each point counts, on the device.
#[derive(Debug)]
pub struct Masses {
    /// Weights times `factor`, rounded; none where every point counts one.
    pub values: Buffer<u32>,
    /// Their sum.
    pub total: u32,
    /// A power of two; 1 without weights.
    pub factor: f64,
}

impl Masses {
    /// Of n points that count alike.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn alike(device: &Device, n: usize) -> Result<Self> {
        Ok(Self { values: device.zeros(0)?, total: n as u32, factor: 1.0 })
    }

    /// Of weights, whose sum this is. The factor brings the sum near 2^31, and keeps whole weights exact.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn of(device: &Device, weights: &Buffer<f32>, sum: f64) -> Result<Self> {
        let factor = (30.0 - sum.log2().floor()).exp2();
        let mut values = device.zeros(weights.len())?;
        let mut total = device.zeros::<u32>(1)?;
        device.launch(masses::launch(weights, &mut values, &mut total, weights.len() as u32, factor))?;
        Ok(Self { values, total: device.download(&total)?[0], factor })
    }

    /// The mass of a weight: 1 at least.
    pub fn mass(&self, weight: f64) -> u32 {
        // A cast of what is too large gives the largest number.
        ((weight * self.factor).round() as u32).max(1)
    }
}
