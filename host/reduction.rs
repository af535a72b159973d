//! Weighted means, `(W X) / rowsum(W)`, and the memory in which a GPU's blocks that share a row meet.

use cuda_std::launch::{DeviceSlice, DeviceSliceMut, Launch};
use cuda_std::machine::MachineKind;
use gpu::reduce::{
    reduce_weighted_1, reduce_weighted_2, reduce_weighted_3, reduce_weighted_4, reduce_weighted_many, slices,
};
use gpu::reduce_tensor::{
    self, FEWEST, reduce_weighted_tensor_8, reduce_weighted_tensor_16, reduce_weighted_tensor_32,
};

use crate::error::{Error, Result};
use crate::executor::{Buffer, Device};

/// Launches for W of m rows at most, n points and d columns: see gpu/reduce.rs; on tensor cores, where a GPU has them for more than
/// four columns of 64 points or more, gpu/reduce_tensor.rs, which says what a mean is off by.
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
    on_tensor_cores: bool,
}

impl Reduction {
    /// For these sizes: m, n, d.
    ///
    /// ```
    /// use modeseek::reduction::Reduction;
    /// use modeseek::{Device, Error};
    ///
    /// let device = Device::processor()?;
    /// assert!(Reduction::new(&device, [1024, 10_000, 2]).is_ok());
    /// assert!(matches!(Reduction::new(&device, [1, 1 << 31, 2]), Err(Error::TooMany { .. })));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::TooMany`] for sizes that kernels, which count in 32 bits, cannot count; whatever the device reports, too little
    /// memory among it.
    pub fn new(device: &Device, [m, n, d]: [usize; 3]) -> Result<Self> {
        let most = i32::MAX as usize;
        for (what, count) in [("a number of sums", m), ("a number of points", n), ("a number of columns", d)] {
            if count > most {
                return Err(Error::TooMany { what, count, most });
            }
        }
        let on_tensor_cores = device.machine() == MachineKind::Gpu
            && device.has(&reduce_weighted_tensor_32::KERNEL)
            && may_be_on_tensor_cores([m, n, d]);
        let (slice, partial, arrived) =
            if on_tensor_cores { reduce_tensor::slices([m, n, d]) } else { slices(device.machine(), [m, n, d]) };
        Ok(Self {
            partial: device.zeros(partial)?,
            arrived: device.zeros(arrived)?,
            n: n as u32,
            d: d as u32,
            slice: slice as u32,
            on_tensor_cores,
        })
    }

    /// Whether its kernel multiplies on tensor cores. Such a kernel has blocks of one size.
    ///
    /// ```
    /// use modeseek::Device;
    /// use modeseek::reduction::Reduction;
    ///
    /// // A processor has none.
    /// assert!(!Reduction::new(&Device::processor()?, [1024, 10_000, 32])?.is_on_tensor_cores());
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn is_on_tensor_cores(&self) -> bool {
        self.on_tensor_cores
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
        let Self { partial, arrived, n, d, slice, on_tensor_cores } = self;
        // The kernels of a number of columns have names of their own.
        macro_rules! launch {
            ($kernel:ident) => {
                $kernel::launch(weights, points, out, partial, arrived, m, *n, *d, *slice)
            };
        }
        if *on_tensor_cores {
            return match reduce_tensor::instance(*d as usize) {
                8 => launch!(reduce_weighted_tensor_8),
                16 => launch!(reduce_weighted_tensor_16),
                _ => launch!(reduce_weighted_tensor_32),
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

/// Whether tensor cores, if there are any, are for these sizes.
fn may_be_on_tensor_cores([_, n, d]: [usize; 3]) -> bool {
    d > 4 && n >= FEWEST
}

/// Bytes that a [`Reduction`] of these sizes takes on a GPU at most, beside W, X and the means: some MB. On a processor none.
///
/// ```
/// // 16 slices of three sums for each row, and a count for each of 128 groups of rows.
/// assert_eq!(modeseek::reduction::bytes([1024, 10_000, 2]), (16 * 3 * 1024 + 128) * 4);
/// ```
pub fn bytes(sizes: [usize; 3]) -> u128 {
    let on_tensor_cores = may_be_on_tensor_cores(sizes).then(|| reduce_tensor::slices(sizes));
    let cells = |(_, partial, arrived): (usize, usize, usize)| (partial + arrived) as u128;
    cells(slices(MachineKind::Gpu, sizes)).max(on_tensor_cores.map_or(0, cells)) * 4
}
