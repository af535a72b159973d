//! Euclidean distances of all pairs of rows, by differences or, where many dimensions are to be fast, by products.

use cuda_std::launch::{DeviceSlice, DeviceSliceMut};
use cuda_std::machine::MachineKind;
use gpu::matmul_tensor::padded;
use gpu::pairwise::{pairwise_l2, pairwise_squared_l2};
use gpu::pairwise_wgmma::{
    centre_rows, pairwise_flagged_l2, pairwise_flagged_squared_l2, pairwise_products_l2, pairwise_products_squared_l2,
    parts_of,
};
use gpu::split_rows::{self, split_rows_bf16};

use crate::error::{Error, Result};
use crate::executor::{Buffer, Device};

/// How squared distances are made.
///
/// ```
/// use modeseek::distances::Formula;
///
/// assert_eq!(Formula::default(), Formula::Differences);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Formula {
    /// `sum_c (a_c - b_c)^2`: two operations for each coordinate of a pair, and a distance is off by some roundings of itself.
    #[default]
    Differences,
    /// `|a|^2 + |b|^2 - 2 a b` of rows less the first of B, as tensor cores multiply in f32's accuracy; by differences where rows
    /// are near each other. For compute capability 9.0, and for some dozens of dimensions: it takes as long for 64 as for 2, and
    /// the longer the more of the output's 128 x 128 parts have near rows. Others take differences in its place.
    Products,
}

impl Formula {
    /// What a device makes distances by if this is asked for.
    ///
    /// ```
    /// use modeseek::distances::Formula;
    ///
    /// // A processor has no tensor cores.
    /// assert_eq!(Formula::Products.on(&modeseek::Device::processor()?), Formula::Differences);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn on(self, device: &Device) -> Self {
        let has = device.machine() == MachineKind::Gpu && device.has(&pairwise_products_l2::KERNEL);
        if has { self } else { Self::Differences }
    }
}

/// Distances of all rows of A, m x d, to all rows of B, n x d: a matrix m x n. All are by rows.
///
/// # Precision
/// By differences, a distance is off by d + 4 roundings of 2^-24 at most. By products, one whose square is at least 2^-8 of
/// `S = |a - b_0|^2 + |b - b_0|^2`, with `b_0` the first row of B, has a square that is off by at most `(min(d, 32) + 12 + d / 13) 2^-23 S`;
/// of others the same is true as by differences. Either way a row is at distance 0 from itself, and what is infinite is as by differences.
///
/// ```
/// use modeseek::Device;
/// use modeseek::distances::{Distances, Formula};
///
/// let device = Device::processor()?;
/// let (a, b) = (device.upload(&[0.0_f32, 0.0])?, device.upload(&[0.0_f32, 0.0, 3.0, 4.0])?);
/// let mut out = device.zeros(2)?;
/// Distances::new(&device, [1, 2, 2], Formula::Differences)?.roots(&a, &b, &mut out)?;
/// assert_eq!(device.download(&out)?, [0.0, 5.0]);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Debug)]
pub struct Distances {
    device: Device,
    sizes: [u32; 3],
    products: Option<Products>,
}

/// What products need on the device.
#[derive(Debug)]
struct Products {
    a: Rows,
    b: Rows,
    /// One for each 128 x 128 of the output: the last run that made them by differences.
    flags: Buffer<u32>,
    run: u32,
    blocks: u32,
}

/// What is made of a matrix's rows.
#[derive(Debug)]
struct Rows {
    centred: Buffer<f32>,
    lengths: Buffer<f32>,
    parts: Buffer<u32>,
}

impl Rows {
    fn new(device: &Device, rows: u32, d: u32) -> Result<Self> {
        let (rows, d) = (rows as usize, d as usize);
        Ok(Self {
            centred: device.room(rows * d)?,
            lengths: device.room(padded(rows))?,
            parts: device.room(split_rows::words_of(rows, d))?,
        })
    }

    /// Makes it of a matrix.
    fn fill(
        &mut self,
        device: &Device,
        matrix: &dyn DeviceSlice<f32>,
        centre: &dyn DeviceSlice<f32>,
        [rows, d]: [u32; 2],
    ) -> Result<()> {
        let Self { centred, lengths, parts } = self;
        device.launch(centre_rows::launch(matrix, centre, centred, lengths, rows, d))?;
        let width = split_rows::width_of(d as usize) as u32;
        device.launch(split_rows_bf16::launch(centred, parts, rows, d, d, 1, width))
    }
}

/// Multiprocessors where a device does not tell: as many as the largest of its kind has.
const MOST_MULTIPROCESSORS: u32 = 132;

impl Products {
    fn new(device: &Device, [m, n, d]: [u32; 3]) -> Result<Self> {
        let parts = parts_of(m as usize, n as usize);
        // A multiprocessor has room for one block.
        let places = device.details()?.multiprocessors.unwrap_or(MOST_MULTIPROCESSORS);
        Ok(Self {
            a: Rows::new(device, m, d)?,
            b: Rows::new(device, n, d)?,
            flags: device.zeros(parts)?,
            run: 0,
            blocks: parts.min(places as usize) as u32,
        })
    }
}

impl Distances {
    /// For m rows of A, n of B, and d dimensions, by what the device has of the formula. Where it has no memory for what products
    /// need, 10 bytes a coordinate and 4 a row, or there is nothing to multiply, by differences.
    ///
    /// ```
    /// use modeseek::Device;
    /// use modeseek::distances::{Distances, Formula};
    ///
    /// let device = Device::auto()?;
    /// let distances = Distances::new(&device, [100, 200, 64], Formula::Products)?;
    /// assert_eq!(distances.formula(), Formula::Products.on(&device));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn new(device: &Device, sizes: [u32; 3], formula: Formula) -> Result<Self> {
        let by_products = formula.on(device) == Formula::Products && sizes.iter().all(|&size| size > 0);
        let products = match by_products.then(|| Products::new(device, sizes)).transpose() {
            Err(Error::Memory { .. }) => None,
            products => products?,
        };
        Ok(Self { device: device.clone(), sizes, products })
    }

    /// What they are made by.
    ///
    /// ```
    /// use modeseek::Device;
    /// use modeseek::distances::{Distances, Formula};
    ///
    /// let distances = Distances::new(&Device::processor()?, [1, 1, 1], Formula::default())?;
    /// assert_eq!(distances.formula(), Formula::Differences);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn formula(&self) -> Formula {
        if self.products.is_some() { Formula::Products } else { Formula::Differences }
    }

    /// `out[i, j] = |a_i - b_j|`.
    ///
    /// ```
    /// use modeseek::Device;
    /// use modeseek::distances::{Distances, Formula};
    ///
    /// let device = Device::auto()?;
    /// let (a, b) = (device.upload(&[1.0_f32])?, device.upload(&[3.0_f32])?);
    /// let mut out = device.zeros(1)?;
    /// Distances::new(&device, [1, 1, 1], Formula::Products)?.roots(&a, &b, &mut out)?;
    /// assert_eq!(device.download(&out)?, [2.0]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the buffers are too short or another device's, or the device refuses a launch.
    pub fn roots(
        &mut self,
        a: &dyn DeviceSlice<f32>,
        b: &dyn DeviceSlice<f32>,
        out: &mut dyn DeviceSliceMut<f32>,
    ) -> Result<()> {
        self.run(a, b, out, true)
    }

    /// `out[i, j] = |a_i - b_j|^2`.
    ///
    /// ```
    /// use modeseek::Device;
    /// use modeseek::distances::{Distances, Formula};
    ///
    /// let device = Device::auto()?;
    /// let (a, b) = (device.upload(&[1.0_f32])?, device.upload(&[3.0_f32])?);
    /// let mut out = device.zeros(1)?;
    /// Distances::new(&device, [1, 1, 1], Formula::Products)?.squares(&a, &b, &mut out)?;
    /// assert_eq!(device.download(&out)?, [4.0]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`roots`](Self::roots).
    pub fn squares(
        &mut self,
        a: &dyn DeviceSlice<f32>,
        b: &dyn DeviceSlice<f32>,
        out: &mut dyn DeviceSliceMut<f32>,
    ) -> Result<()> {
        self.run(a, b, out, false)
    }

    fn run(
        &mut self,
        a: &dyn DeviceSlice<f32>,
        b: &dyn DeviceSlice<f32>,
        out: &mut dyn DeviceSliceMut<f32>,
        roots: bool,
    ) -> Result<()> {
        let Self { device, sizes: [m, n, d], products } = self;
        let [m, n, d] = [*m, *n, *d];
        let Some(products) = products else {
            return device.launch(if roots {
                pairwise_l2::launch(a, b, out, m, n, d, 2.0)
            } else {
                pairwise_squared_l2::launch(a, b, out, m, n, d, 2.0)
            });
        };
        // A flag of 2^32 runs ago would have distances made by differences that need not be.
        products.run = products.run.wrapping_add(1);
        let Products { a: a_rows, b: b_rows, flags, run, blocks } = products;
        a_rows.fill(device, a, b, [m, d])?;
        b_rows.fill(device, b, b, [n, d])?;
        let width = split_rows::width_of(d as usize) as u32;
        // The kernels have types of their own.
        macro_rules! launch {
            ($products:ident, $flagged:ident) => {{
                device.launch($products::launch(
                    &a_rows.parts,
                    &b_rows.parts,
                    &a_rows.lengths,
                    &b_rows.lengths,
                    out,
                    flags,
                    m,
                    n,
                    width,
                    *blocks,
                    *run,
                ))?;
                device.launch($flagged::launch(a, b, flags, out, m, n, d, *run))
            }};
        }
        if roots {
            launch!(pairwise_products_l2, pairwise_flagged_l2)
        } else {
            launch!(pairwise_products_squared_l2, pairwise_flagged_squared_l2)
        }
    }
}
