//! Products and steps on tensor cores.

use cuda_std::machine::MachineKind;
use gpu::matmul_tensor::{Bf16, Operand, Tf32, matmul_bf16, matmul_tf32, padded, width_of};
use gpu::matmul_wgmma::{self, matmul_wgmma_bf16, matmul_wgmma_tf32};
use gpu::matmul_wgmma_split::matmul_wgmma_f32;
use gpu::round_rows::{round_rows_bf16, round_rows_tf32};
use gpu::shift_tensor::{
    halves_of_columns, shift_tensor_16, shift_tensor_32, shift_tensor_64, shift_tensor_128, shift_tensor_rough_64,
    shift_tensor_rough_128,
};
use gpu::shift_tensor_split::shift_tensor_wide_512;
use gpu::shift_tensor_wide::shift_tensor_wide_256;
use gpu::shift_wgmma::{shift_wgmma_64, shift_wgmma_rough_64, shift_wgmma_rough_128};
use gpu::shift_wgmma_deep::shift_wgmma_128;
use gpu::split_rows::{self, split_rows_bf16};
use modeseek::mean_shift::slices::Slices;
use modeseek::product::{Instruction, Precision};
use modeseek::{Buffer, Device, WeightFunction, reference};

use super::matrix::relative_l2;
use super::memory::{gather, poisoned};
use super::results::Check;
use super::step::{columns, compare};
use super::subject::Measured;
use super::{Outcome, larger};
use crate::families::shift::{Blurring, Columns, begun};
use crate::measure::{random, spread, wide};

/// Rows and columns of a product that are compared with the oracle.
const CHECKED: (usize, usize) = (32, 64);

/// Dimensions that there are steps for; and those without low halves.
pub const DIMENSIONS: std::ops::RangeInclusive<usize> = 5..=512;
pub const ROUGH: std::ops::RangeInclusive<usize> = 33..=128;

/// Why a device has no tensor cores, if so.
pub fn missing(device: &Device) -> Option<String> {
    let has = device.machine() == MachineKind::Gpu && device.has(&matmul_bf16::KERNEL);
    (!has).then(|| "it needs tensor cores of compute capability 8.0".to_owned())
}

/// Dimensions that there are steps by warpgroups for, with low halves and without.
pub const OF_WARPGROUPS: std::ops::RangeInclusive<usize> = 33..=128;

/// Why a device has no products by warpgroups, if so.
pub fn missing_warpgroups(device: &Device) -> Option<String> {
    let has = device.machine() == MachineKind::Gpu && device.has(&matmul_wgmma_bf16::KERNEL);
    (!has).then(|| "it needs compute capability 9.0 and no other".to_owned())
}

/// C = A B, of rounded inputs, or of f32 in parts. Rounding to TF32 and making parts is part of what is timed, as it is for cuBLAS; BF16
/// comes as it is, as there.
pub struct Product {
    device: Device,
    precision: Precision,
    instruction: Instruction,
    sizes: [u32; 3],
    a: Buffer<f32>,
    b: Buffer<f32>,
    left: Buffer<u32>,
    right: Buffer<u32>,
    c: Buffer<f32>,
    /// What the oracle says of the cells that are compared, of the inputs as they were.
    expected: Vec<f64>,
}

impl Product {
    pub fn new(
        device: &Device,
        (precision, instruction): (Precision, Instruction),
        [m, k, n]: [usize; 3],
    ) -> Outcome<Self> {
        let (a, b) = (random(m * k, 40), random(k * n, 41));
        let (rows, columns) = (spread(m, CHECKED.0), spread(n, CHECKED.1));
        let some_rows: Vec<f32> = rows.iter().flat_map(|i| &a[i * k..][..k]).copied().collect();
        let some_columns: Vec<f32> =
            (0..k).flat_map(|l| columns.iter().map(move |j| l * n + j)).map(|at| b[at]).collect();
        let expected = reference::matmul(&wide(&some_rows), &wide(&some_columns), rows.len(), columns.len(), k);
        let words_of = |rows| match (precision, instruction) {
            (Precision::F32, _) => split_rows::words_of(rows, k),
            (_, Instruction::Warp) => padded(rows) * width_of(k, numbers_of(precision)),
            (_, Instruction::Warpgroup) => padded(rows) * matmul_wgmma::width_of(k, numbers_of(precision)),
        };
        let product = Self {
            device: device.clone(),
            precision,
            instruction,
            sizes: [m, n, k].map(|size| size as u32),
            a: device.upload(&a)?,
            b: device.upload(&b)?,
            left: device.zeros(words_of(m))?,
            right: device.zeros(words_of(n))?,
            c: poisoned(device, m * n)?,
            expected,
        };
        Ok(product)
    }

    fn width(&self) -> u32 {
        let [m, _, k] = self.sizes.map(|size| size as usize);
        if self.precision == Precision::F32 {
            split_rows::width_of(k) as u32
        } else {
            (self.left.len() / padded(m)) as u32
        }
    }

    fn round(&mut self) -> Result<(), modeseek::Error> {
        let ([m, n, k], width) = (self.sizes, self.width());
        let Self { device, a, b, left, right, .. } = self;
        // The kernels of a precision have types of their own.
        macro_rules! round {
            ($kernel:ident) => {{
                device.launch($kernel::launch(a, left, m, k, k, 1, width))?;
                device.launch($kernel::launch(b, right, n, k, 1, n, width))
            }};
        }
        match self.precision {
            Precision::F32 => round!(split_rows_bf16),
            Precision::Tf32 => round!(round_rows_tf32),
            Precision::Bf16 => round!(round_rows_bf16),
        }
    }

    fn multiply(&mut self) -> Result<(), modeseek::Error> {
        if self.precision != Precision::Bf16 {
            self.round()?;
        }
        let ([m, n, _], width) = (self.sizes, self.width());
        let Self { device, left, right, c, .. } = self;
        device.launch(match (self.precision, self.instruction) {
            (Precision::F32, _) => matmul_wgmma_f32::launch(left, right, c, m, n, width),
            (Precision::Tf32, Instruction::Warp) => matmul_tf32::launch(left, right, c, m, n, width),
            (Precision::Tf32, Instruction::Warpgroup) => matmul_wgmma_tf32::launch(left, right, c, m, n, width),
            (Precision::Bf16, Instruction::Warp) => matmul_bf16::launch(left, right, c, m, n, width),
            (Precision::Bf16, Instruction::Warpgroup) => matmul_wgmma_bf16::launch(left, right, c, m, n, width),
        })
    }
}

/// Rounded numbers of a word.
fn numbers_of(precision: Precision) -> usize {
    if precision == Precision::Bf16 { Bf16::NUMBERS } else { Tf32::NUMBERS }
}

impl Measured for Product {
    fn check(&mut self) -> Outcome<Check> {
        let [m, n, _] = self.sizes.map(|size| size as usize);
        self.c = poisoned(&self.device, m * n)?;
        self.round()?;
        self.multiply()?;
        let (rows, columns) = (spread(m, CHECKED.0), spread(n, CHECKED.1));
        let ranges: Vec<_> = rows.iter().map(|i| i * n..(i + 1) * n).collect();
        let found = gather(&self.device, &self.c, &ranges)?;
        let found: Vec<f32> = found.chunks(n).flat_map(|row| columns.iter().map(|j| row[*j])).collect();
        // Two roundings a product, of either sign; in f32 as for multiply-adds (matrix.rs).
        let limit = match self.precision {
            Precision::F32 => 2.0_f64.powi(-23) * f64::from(self.sizes[2]).sqrt(),
            Precision::Tf32 => 2.0_f64.powi(-11),
            Precision::Bf16 => 2.0_f64.powi(-8),
        };
        Ok(Check::new("f64 oracle", "relative l2", relative_l2(&found, &self.expected), limit))
    }

    fn time(&mut self, repeats: u32) -> Outcome<f64> {
        self.round()?;
        let device = self.device.clone();
        Ok(device.timed(|_| (0..repeats).try_for_each(|_| self.multiply()))?.as_secs_f64())
    }
}

/// A blurring step with the Gaussian: the points' rows of f16, then the step.
pub struct Step {
    device: Device,
    columns: Columns,
    rough: bool,
    instruction: Instruction,
    wide: u32,
    from: Buffer<f32>,
    rows: Buffer<u32>,
    norms: Buffer<f32>,
    to: Buffer<f32>,
    sums: Buffer<f32>,
    state: Buffer<u32>,
    slices: Slices,
}

impl Step {
    pub fn new(device: &Device, (rough, instruction): (bool, Instruction), n: usize, d: usize) -> Outcome<Self> {
        let columns = columns(WeightFunction::Gaussian, n, d);
        let wide = gpu::shift_tensor::wide(d).expect("a dimension of DIMENSIONS") as u32;
        Ok(Self {
            device: device.clone(),
            rough,
            instruction,
            wide,
            from: device.upload(&columns.values)?,
            rows: device.zeros(padded(n) * wide as usize)?,
            norms: device.zeros(padded(n))?,
            to: poisoned(device, columns.values.len())?,
            sums: poisoned(device, 2 * columns.stride)?,
            state: begun(device, n as u32, Blurring::LIMIT)?,
            slices: Slices::on_tensor_cores(device, (n as u32, n as u32), d as u32, wide, instruction)?,
            columns,
        })
    }

    fn launch(&mut self) -> Result<(), modeseek::Error> {
        let [n, d, stride] = [self.columns.n, self.columns.d, self.columns.stride].map(|size| size as u32);
        let Self { device, from, rows, norms, to, sums, state, wide, slices, .. } = self;
        let slices = slices.lend();
        device.launch(halves_of_columns::launch(&*from, rows, norms, n, d, stride, *wide))?;
        let (rows, norms) = (&*rows, &*norms);
        macro_rules! step {
            ($kernel:ident $(, $slices:expr)*) => {
                $kernel::launch(
                    &*from,
                    rows,
                    norms,
                    rows,
                    norms,
                    to,
                    sums,
                    state,
                    n,
                    d,
                    stride,
                    n,
                    Blurring::LIMIT,
                    0.0,
                    1.0
                    $(, $slices)*
                )
            };
        }
        macro_rules! in_slices {
            ($kernel:ident) => {
                step!($kernel, slices.partial, slices.arrived, slices.points)
            };
        }
        if self.instruction == Instruction::Warpgroup {
            return device.launch(match (*wide, self.rough) {
                (64, false) => in_slices!(shift_wgmma_64),
                (64, true) => in_slices!(shift_wgmma_rough_64),
                (_, false) => in_slices!(shift_wgmma_128),
                _ => in_slices!(shift_wgmma_rough_128),
            });
        }
        device.launch(match (*wide, self.rough) {
            (16, _) => in_slices!(shift_tensor_16),
            (32, _) => in_slices!(shift_tensor_32),
            (64, false) => in_slices!(shift_tensor_64),
            (256, _) => step!(shift_tensor_wide_256),
            (512, _) => step!(shift_tensor_wide_512),
            (_, false) => in_slices!(shift_tensor_128),
            (64, true) => in_slices!(shift_tensor_rough_64),
            (_, true) => in_slices!(shift_tensor_rough_128),
        })
    }
}

impl Measured for Step {
    fn check(&mut self) -> Outcome<Check> {
        (self.to, self.state) =
            (poisoned(&self.device, self.to.len())?, begun(&self.device, self.columns.n as u32, Blurring::LIMIT)?);
        self.launch()?;
        let mut check = compare(&self.columns, &self.device.download(&self.to)?)?;
        // As for peers of this precision.
        check.limit = larger(check.limit, if self.rough { 5e-2 } else { 1e-4 });
        check.passed = check.error <= check.limit;
        Ok(check)
    }

    fn time(&mut self, repeats: u32) -> Outcome<f64> {
        self.state = begun(&self.device, self.columns.n as u32, Blurring::LIMIT)?;
        let device = self.device.clone();
        Ok(device.timed(|_| (0..repeats).try_for_each(|_| self.launch()))?.as_secs_f64())
    }
}
