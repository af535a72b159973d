//! Matrix products, by the kernel that a wanted precision allows, and by the instruction that is asked for.

use cuda_std::machine::MachineKind;
use gpu::matmul::product;
use gpu::matmul_skinny::MOST;
use gpu::matmul_tensor::{Bf16, Operand, Tf32, matmul_bf16, matmul_tf32, padded, width_of};
use gpu::matmul_wgmma::{self, matmul_wgmma_bf16, matmul_wgmma_tf32};
use gpu::matmul_wgmma_split::matmul_wgmma_f32;
use gpu::round_rows::{round_rows_bf16, round_rows_tf32};
use gpu::split_rows::{self, split_rows_bf16};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::executor::{Buffer, Device};

/// What the inputs of a product may be rounded to. Sums are in f32 whichever it is.
///
/// ```
/// use modeseek::product::Precision;
///
/// assert_eq!(Precision::default(), Precision::F32);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// To nothing: multiply-adds of f32, or, by [`Instruction::Warpgroup`], products of three bf16 that each number is, exactly.
    #[default]
    F32,
    /// To 11 bits, for tensor cores: inputs are off by 2^-11 of themselves at most.
    Tf32,
    /// To 8 bits, for tensor cores: by 2^-8.
    Bf16,
}

impl Precision {
    /// The precision in which a device multiplies if this one is allowed. Tensor cores from compute capability 8.0 on round;
    /// whatever has none, a processor above all, computes in f32, which is more exact and no slower there.
    ///
    /// ```
    /// use modeseek::product::Precision;
    ///
    /// // A processor has no tensor cores.
    /// assert_eq!(Precision::Bf16.on(&modeseek::Device::processor()?), Precision::F32);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn on(self, device: &Device) -> Self {
        let kernel = match self {
            Self::F32 => return Self::F32,
            Self::Tf32 => &matmul_tf32::KERNEL,
            Self::Bf16 => &matmul_bf16::KERNEL,
        };
        let has_cores = device.machine() == MachineKind::Gpu && device.has(kernel);
        if has_cores { self } else { Self::F32 }
    }

    /// The precision that is likely to be the fastest for n columns if this one is allowed: with few, rounding A takes longer than
    /// multiplying it as it is.
    ///
    /// ```
    /// use modeseek::product::Precision;
    ///
    /// assert_eq!([10, 100].map(|n| Precision::Tf32.suiting(n)), [Precision::F32, Precision::Tf32]);
    /// ```
    #[must_use]
    pub fn suiting(self, n: u32) -> Self {
        if n as usize <= MOST { Self::F32 } else { self }
    }
}

/// What tensor cores are fed by: in products ([`matmul_by`]) and in steps
/// ([`MeanShift::instruction`](crate::MeanShift::instruction)).
///
/// ```
/// use modeseek::product::Instruction;
///
/// assert_eq!(Instruction::default(), Instruction::Warpgroup);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Instruction {
    /// `mma.sync`, which every GPU from compute capability 8.0 on has. f32 is not for tensor cores by it: it is multiplied and
    /// added as it is.
    Warp,
    /// `wgmma`, which compute capability 9.0 has and no other; others take `mma.sync` in its place. It alone may use all of the
    /// unit there: it takes two thirds of the other's time (docs/performance.md). By it f32 is for tensor cores, too, in three
    /// parts of bf16, six products for one.
    #[default]
    Warpgroup,
}

impl Instruction {
    /// The instruction by which a device multiplies in a precision if this one is asked for.
    ///
    /// ```
    /// use modeseek::product::{Instruction, Precision};
    ///
    /// // A processor has neither.
    /// let device = modeseek::Device::processor()?;
    /// assert_eq!(Instruction::Warpgroup.on(&device, Precision::F32), Instruction::Warp);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn on(self, device: &Device, precision: Precision) -> Self {
        let kernel = match precision.on(device) {
            Precision::F32 => &matmul_wgmma_f32::KERNEL,
            Precision::Tf32 => &matmul_wgmma_tf32::KERNEL,
            Precision::Bf16 => &matmul_wgmma_bf16::KERNEL,
        };
        let has = device.machine() == MachineKind::Gpu && device.has(kernel);
        if has { self } else { Self::Warp }
    }

    /// The one that is likely to be the fastest for C m x n of sums of k.
    ///
    /// ```
    /// use modeseek::product::{Instruction, Precision};
    ///
    /// assert_eq!(Instruction::suiting([50_000, 10, 784], Precision::Bf16), Instruction::Warp);
    /// assert_eq!(Instruction::suiting([300, 300, 300], Precision::F32), Instruction::Warp);
    /// assert_eq!(Instruction::suiting([4096; 3], Precision::F32), Instruction::Warpgroup);
    /// ```
    pub fn suiting([m, n, k]: [u32; 3], precision: Precision) -> Self {
        let suits = match precision {
            _ if m > MOST_ROWS => false,
            // Making the parts reads and writes 20 bytes for each number of A and B, in launches of their own.
            Precision::F32 => {
                m.min(n).min(k) >= FEWEST_COLUMNS && u128::from(m) * u128::from(n) * u128::from(k) >= 1 << 30
            }
            Precision::Tf32 | Precision::Bf16 => n >= FEWEST_COLUMNS,
        };
        if suits { Self::Warpgroup } else { Self::Warp }
    }
}

/// Columns of C from which on products are made by warpgroups, unless asked: half of the 256 that a block makes, or all.
const FEWEST_COLUMNS: u32 = 128;

/// Rows of C for which a grid of products on tensor cores has blocks: 65,535 of 128 along y. f32's by multiply-adds have them
/// along x, and are taken for more rows whatever is asked for.
const MOST_ROWS: u32 = 65_535 * 128;

/// The precision and the instruction by which C of m rows is made where these are asked for.
fn for_rows(m: u32, precision: Precision, instruction: Instruction) -> (Precision, Instruction) {
    if m > MOST_ROWS { (Precision::F32, Instruction::Warp) } else { (precision, instruction) }
}

/// C = A B with A m x k, B k x n, and C m x n, all by rows, in the [precision](Precision::suiting) and by the
/// [instruction](Instruction::suiting) that suit the sizes, or those that the device has.
///
/// # Precision
/// With u = 0, 2^-11 or 2^-8 of the [`Precision`] that is taken, `C[i, j]` is off by at most
/// `(2 u + u^2 + (k + 1) 2^-23) sum_l |A[i, l] B[l, j]|`; in f32 by `wgmma`, by `(min(k, 32) + 6 + k / 17) 2^-23` of that sum, if A
/// and B are finite. Otherwise f32 by `wgmma` has NaN in rows and columns of which a number is infinite or none.
///
/// # Errors
/// If the sizes are not those of the buffers, or the device refuses memory or a launch. Where there is no memory for the parts
/// of f32's numbers, 6 bytes each, products are made without them.
///
/// # Example
/// ```
/// use modeseek::product::{Precision, matmul};
///
/// # fn main() -> Result<(), modeseek::Error> {
/// let device = modeseek::Device::auto()?;
/// let (a, b) = (device.upload(&[1.0, 2.0])?, device.upload(&[3.0, 4.0])?);
/// let c = matmul(&device, &a, &b, [1, 1, 2], Precision::Tf32)?;
/// assert_eq!(device.download(&c)?, [11.0]);
/// # Ok(())
/// # }
/// ```
pub fn matmul(
    device: &Device,
    a: &Buffer<f32>,
    b: &Buffer<f32>,
    [m, n, k]: [u32; 3],
    precision: Precision,
) -> Result<Buffer<f32>> {
    let precision = precision.suiting(n).on(device);
    matmul_by(device, a, b, [m, n, k], precision, Instruction::suiting([m, n, k], precision))
}

/// The same by an instruction, or by the one that the device has; in f32 as it is for more than 8,388,480 rows, for which there are
/// no blocks of tensor cores.
///
/// # Errors
/// As [`matmul`].
///
/// # Example
/// ```
/// use modeseek::product::{Instruction, Precision, matmul_by};
///
/// # fn main() -> Result<(), modeseek::Error> {
/// let device = modeseek::Device::auto()?;
/// let (a, b) = (device.upload(&[1.0, 2.0])?, device.upload(&[3.0, 4.0])?);
/// let c = matmul_by(&device, &a, &b, [1, 1, 2], Precision::Bf16, Instruction::Warpgroup)?;
/// assert_eq!(device.download(&c)?, [11.0]);
/// # Ok(())
/// # }
/// ```
pub fn matmul_by(
    device: &Device,
    a: &Buffer<f32>,
    b: &Buffer<f32>,
    [m, n, k]: [u32; 3],
    precision: Precision,
    instruction: Instruction,
) -> Result<Buffer<f32>> {
    let mut c = device.room(m as usize * n as usize)?;
    // The kernels of an operand have types of their own.
    macro_rules! by_rows {
        ($rows:expr, $width:expr, $round:ident, $multiply:ident) => {{
            let ((mut left, mut right), width) = ($rows, $width as u32);
            device.launch($round::launch(a, &mut left, m, k, k, 1, width))?;
            device.launch($round::launch(b, &mut right, n, k, 1, n, width))?;
            device.launch($multiply::launch(&left, &right, &mut c, m, n, width))?;
        }};
    }
    macro_rules! rounded {
        ($operand:ident, $round:ident, $multiply:ident, $width_of:path) => {{
            let width = $width_of(k as usize, $operand::NUMBERS);
            by_rows!(rows(device, [m, n], |rows| padded(rows) * width)?, width, $round, $multiply);
        }};
    }
    let (precision, instruction) = for_rows(m, precision.on(device), instruction.on(device, precision));
    match (precision, instruction) {
        (Precision::F32, Instruction::Warp) => device.launch(product(device.machine(), a, b, &mut c, m, n, k))?,
        (Precision::F32, Instruction::Warpgroup) => {
            match rows(device, [m, n], |rows| split_rows::words_of(rows, k as usize)) {
                Err(Error::Memory { .. }) => device.launch(product(device.machine(), a, b, &mut c, m, n, k))?,
                parts => by_rows!(parts?, split_rows::width_of(k as usize), split_rows_bf16, matmul_wgmma_f32),
            }
        }
        (Precision::Tf32, Instruction::Warp) => rounded!(Tf32, round_rows_tf32, matmul_tf32, width_of),
        (Precision::Bf16, Instruction::Warp) => rounded!(Bf16, round_rows_bf16, matmul_bf16, width_of),
        (Precision::Tf32, Instruction::Warpgroup) => {
            rounded!(Tf32, round_rows_tf32, matmul_wgmma_tf32, matmul_wgmma::width_of);
        }
        (Precision::Bf16, Instruction::Warpgroup) => {
            rounded!(Bf16, round_rows_bf16, matmul_wgmma_bf16, matmul_wgmma::width_of);
        }
    }
    Ok(c)
}

/// Room for what is made of A's rows and of those of B's transpose, so many words for a number of rows.
fn rows(device: &Device, sides: [u32; 2], words_of: impl Fn(usize) -> usize) -> Result<(Buffer<u32>, Buffer<u32>)> {
    let room = |rows: u32| device.room(words_of(rows as usize));
    Ok((room(sides[0])?, room(sides[1])?))
}

#[cfg(test)]
mod tests {
    use cuda_std::launch::{Arg, Limits, Region};

    use super::*;

    const PRECISIONS: [Precision; 3] = [Precision::F32, Precision::Tf32, Precision::Bf16];

    #[test]
    fn every_number_of_rows_has_blocks() {
        for kernel in [
            &matmul_tf32::KERNEL,
            &matmul_bf16::KERNEL,
            &matmul_wgmma_tf32::KERNEL,
            &matmul_wgmma_bf16::KERNEL,
            &matmul_wgmma_f32::KERNEL,
        ] {
            // However many blocks there are is known of memory that is not there.
            let memory = || Arg::Slice(Region { address: 256, len: usize::MAX, owner: 1 });
            let blocks = |m: u32| {
                let sizes = [m, 128, 1024].map(Arg::scalar);
                let args: Vec<Arg> = (0..3).map(|_| memory()).chain(sizes).collect();
                let shape = (kernel.shape)(MachineKind::Gpu, &args, (kernel.block)(MachineKind::Gpu).default);
                assert_eq!(shape.violated, None, "{}", kernel.name);
                shape.grid[1] as u32
            };
            let most = Limits::BASELINE.grid[1];
            assert_eq!([MOST_ROWS, MOST_ROWS + 1].map(|m| blocks(m) <= most), [true, false], "{}", kernel.name);
        }
        for precision in PRECISIONS {
            for instruction in [Instruction::Warp, Instruction::Warpgroup] {
                assert_eq!(for_rows(MOST_ROWS, precision, instruction), (precision, instruction));
                assert_eq!(for_rows(MOST_ROWS + 1, precision, instruction), (Precision::F32, Instruction::Warp));
            }
            let suiting = |m| Instruction::suiting([m, 1024, 1024], precision);
            assert_eq!([MOST_ROWS, MOST_ROWS + 1].map(suiting), [Instruction::Warpgroup, Instruction::Warp]);
        }
    }
}
