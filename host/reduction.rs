//! Weighted means, `(W X) / rowsum(W)`, and the memory in which a GPU's blocks that share a row meet.

use cuda_std::launch::{DeviceSlice, DeviceSliceMut, Launch};
use cuda_std::machine::MachineKind;
use gpu::reduce::{
    reduce_weighted_1, reduce_weighted_2, reduce_weighted_3, reduce_weighted_4, reduce_weighted_many, slices,
};

use crate::error::Result;
use crate::executor::{Buffer, Device};

/// Launches for W of m rows at most, n points and d columns: see gpu/reduce.rs.
///
/// ```
/// use modeseek::Device;
/// use modeseek::reduction::Reduction;
///
/// let device = Device::processor()?;
/// let (weights, points) = (device.upload(&[1.0_f32, 3.0])?, device.upload(&[0.0_f32, 8.0])?);
/// let mut out = device.zeros(1)?;
/// let mut reduction = Reduction::new(&device, [1, 2, 1])?;
/// device.launch(reduction.launch(&weights, &points, &mut out, 1))?;
/// assert_eq!(device.download(&out)?, [6.0]);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Debug)]
pub struct Reduction {
    partial: Buffer<f32>,
    arrived: Buffer<u32>,
    n: u32,
    d: u32,
    /// Points of a slice: the same for all launches, so that the bits of a row are.
    slice: u32,
}

impl Reduction {
    /// For these sizes: m, n, d.
    ///
    /// ```
    /// use modeseek::Device;
    /// use modeseek::reduction::Reduction;
    ///
    /// assert!(Reduction::new(&Device::processor()?, [1024, 10_000, 2]).is_ok());
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// Whatever the device reports, too little memory among it.
    pub fn new(device: &Device, [m, n, d]: [usize; 3]) -> Result<Self> {
        let (slice, partial, arrived) = slices(device.machine(), [m, n, d]);
        Ok(Self {
            partial: device.zeros(partial)?,
            arrived: device.zeros(arrived)?,
            n: n as u32,
            d: d as u32,
            slice: slice as u32,
        })
    }

    /// The launch for m of the rows, or all. Nothing is computed until a device is given it.
    ///
    /// ```
    /// use modeseek::Device;
    /// use modeseek::reduction::Reduction;
    ///
    /// let device = Device::processor()?;
    /// let (weights, points) = (device.upload(&[1.0_f32])?, device.upload(&[2.0_f32, 5.0])?);
    /// let mut out = device.zeros(2)?;
    /// let mut reduction = Reduction::new(&device, [1, 1, 2])?;
    /// assert_eq!(reduction.launch(&weights, &points, &mut out, 1).kernel().name, "reduce_weighted_2");
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn launch<'a>(
        &'a mut self,
        weights: &'a dyn DeviceSlice<f32>,
        points: &'a dyn DeviceSlice<f32>,
        out: &'a mut dyn DeviceSliceMut<f32>,
        m: u32,
    ) -> Launch<'a> {
        let Self { partial, arrived, n, d, slice } = self;
        // The kernels of a number of columns have names of their own.
        macro_rules! launch {
            ($kernel:ident) => {
                $kernel::launch(weights, points, out, partial, arrived, m, *n, *d, *slice)
            };
        }
        match *d {
            1 => launch!(reduce_weighted_1),
            2 => launch!(reduce_weighted_2),
            3 => launch!(reduce_weighted_3),
            4 => launch!(reduce_weighted_4),
            _ => launch!(reduce_weighted_many),
        }
    }
}

/// Bytes that a [`Reduction`] of these sizes takes on a GPU, beside W, X and the means: some MB at most. On a processor none.
///
/// ```
/// // 16 slices of three sums for each row, and a count for each of 128 groups of rows.
/// assert_eq!(modeseek::reduction::bytes([1024, 10_000, 2]), (16 * 3 * 1024 + 128) * 4);
/// ```
pub fn bytes(sizes: [usize; 3]) -> u128 {
    let (_, partial, arrived) = slices(MachineKind::Gpu, sizes);
    (partial + arrived) as u128 * 4
}
