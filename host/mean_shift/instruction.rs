//! The instruction by which steps on tensor cores multiply (tensor.rs), where one is asked for.

use gpu::shift_wgmma::shift_wgmma_64;
use gpu::shift_wgmma_deep::shift_wgmma_128;

use super::builder::MeanShift;
use crate::executor::Device;
use crate::product::Instruction;

impl MeanShift {
    /// The instruction by which steps multiply, where they are on tensor cores and the device has it for as many dimensions:
    /// [`Instruction::Warpgroup`], which is the default, in 33 to 128, on compute capability 9.0; else and elsewhere it is
    /// [`Instruction::Warp`]. What steps are on tensor cores does not depend on it, nor does their accuracy.
    /// [`Path::reason`](crate::Path::reason) says which is taken.
    ///
    /// ```
    /// use modeseek::product::Instruction;
    /// use modeseek::{Bandwidth, MeanShift};
    ///
    /// let points: Vec<[f64; 40]> = (0..6).map(|i| [f64::from(i / 3); 40]).collect();
    /// let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).instruction(Instruction::Warp);
    /// assert_eq!(estimator.fit(&points)?.labels, [0, 0, 0, 1, 1, 1]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn instruction(self, instruction: Instruction) -> Self {
        Self { instruction, ..self }
    }
}

/// The instruction of steps of so many dimensions, as the kernels have them, if this one is asked for.
pub(super) fn of_steps(asked: Instruction, device: &Device, wide: Option<u32>) -> Instruction {
    let kernel = match (asked, wide) {
        (Instruction::Warpgroup, Some(64)) => &shift_wgmma_64::KERNEL,
        (Instruction::Warpgroup, Some(128)) => &shift_wgmma_128::KERNEL,
        _ => return Instruction::Warp,
    };
    if device.has(kernel) { Instruction::Warpgroup } else { Instruction::Warp }
}
