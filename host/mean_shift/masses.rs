//! Weights of points as whole numbers, whose sums are the same in any order.

use gpu::gather::masses;

use crate::error::Result;
use crate::executor::{Buffer, Device};

/// What each point counts, on the device.
///
/// ```
/// use modeseek::Device;
/// use modeseek::mean_shift::Masses;
///
/// let device = Device::processor()?;
/// let masses = Masses::of(&device, &device.upload(&[1.0_f32, 2.0])?, 3.0)?;
/// let values = device.download(&masses.values)?;
/// assert_eq!(values[1], 2 * values[0]);
/// assert_eq!(masses.total, values[0] + values[1]);
/// # Ok::<(), modeseek::Error>(())
/// ```
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
    /// ```
    /// use modeseek::Device;
    /// use modeseek::mean_shift::Masses;
    ///
    /// assert_eq!(Masses::alike(&Device::processor()?, 7)?.total, 7);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn alike(device: &Device, n: usize) -> Result<Self> {
        Ok(Self { values: device.zeros(0)?, total: n as u32, factor: 1.0 })
    }

    /// Of weights, whose sum this is. The factor brings the sum near 2^31, and keeps whole weights exact.
    ///
    /// ```
    /// use modeseek::Device;
    /// use modeseek::mean_shift::Masses;
    ///
    /// let device = Device::processor()?;
    /// // Only their ratios matter.
    /// let of = |weights: &[f32], sum| -> Result<u32, modeseek::Error> {
    ///     Ok(Masses::of(&device, &device.upload(weights)?, sum)?.total)
    /// };
    /// assert_eq!(of(&[0.25, 0.5], 0.75)?, of(&[1.0, 2.0], 3.0)?);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
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
    ///
    /// ```
    /// use modeseek::Device;
    /// use modeseek::mean_shift::Masses;
    ///
    /// let masses = Masses::alike(&Device::processor()?, 7)?;
    /// assert_eq!((masses.mass(2.0), masses.mass(0.1)), (2, 1));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn mass(&self, weight: f64) -> u32 {
        // A cast of what is too large gives the largest number.
        ((weight * self.factor).round() as u32).max(1)
    }
}
