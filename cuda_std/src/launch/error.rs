//! Why a launch can be refused.

use std::fmt;

use crate::processor::Dim3;

/// Why a launch was refused before it began.
///
/// ```
/// # use cuda_std::prelude::*;
/// # /// out[i] = a * x[i] + out[i].
/// # #[kernel(threads = 32..=1024, require(x.len() == out.len()))]
/// # pub unsafe fn axpy(a: f32, x: &[f32], mut out: DisjointMut<f32>) {
/// #     if let Some(out) = out.own() {
/// #         *out = Machine::mul_add(a, x[thread::index_1d()], *out);
/// #     }
/// # }
/// # use cpu_executor::{Cells, CpuExecutor};
/// use cuda_std::launch::Limits;
/// use cuda_std::machine::MachineKind;
/// # fn main() {
/// # let (x, mut y) = (Cells::new([1.0, 2.0]), Cells::filled(0.0, 2));
/// // Memory of executor 0, and this one is number 9.
/// let error = axpy::launch(2.0, &x, &mut y).prepare(MachineKind::Gpu, 9, &Limits::BASELINE).unwrap_err();
/// assert!(error.to_string().contains("axpy"));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LaunchError {
    /// An argument's memory belongs to another executor.
    ForeignMemory {
        /// The kernel.
        kernel: &'static str,
    },
    /// The kernel does not accept blocks of this size.
    Block {
        /// The kernel.
        kernel: &'static str,
        /// Threads asked for.
        threads: u32,
        /// The least it accepts.
        least: u32,
        /// The most it accepts on this device.
        most: u32,
    },
    /// The kernel accepts one size of block only.
    FixedBlock {
        /// The kernel.
        kernel: &'static str,
        /// Threads asked for.
        threads: u32,
        /// The size it accepts.
        fixed: u32,
    },
    /// The kernel is written for a block that is too large for the device.
    LargeBlock {
        /// The kernel.
        kernel: &'static str,
        /// The threads that it is written for.
        threads: u32,
        /// The most the device can launch.
        most: u32,
    },
    /// The kernel is written for a block without threads, or with more along z than any GPU has.
    BlockShape {
        /// The kernel.
        kernel: &'static str,
        /// The block that it is written for.
        block: Dim3,
    },
    /// A block's threads would need more registers than a multiprocessor has: how many a kernel takes is known when the
    /// driver has compiled it.
    Registers {
        /// The kernel.
        kernel: &'static str,
        /// The threads asked for.
        threads: u32,
        /// The most for which there are registers.
        most: u32,
    },
    /// A relation that the kernel demands of its arguments does not hold.
    Relation {
        /// The kernel.
        kernel: &'static str,
        /// The relation, as it is written at the kernel.
        relation: &'static str,
        /// The arguments that were given.
        args: String,
    },
    /// A formula of the kernel's launch has no result for its arguments.
    Formula {
        /// The kernel.
        kernel: &'static str,
        /// What the formula does.
        what: &'static str,
        /// The arguments that were given.
        args: String,
    },
    /// A block needs more dynamic shared memory than the device has.
    SharedMemory {
        /// The kernel.
        kernel: &'static str,
        /// Bytes needed.
        wanted: usize,
        /// Bytes there are.
        most: usize,
    },
    /// The grid is larger than the device can launch.
    Grid {
        /// The kernel.
        kernel: &'static str,
        /// The axis.
        axis: &'static str,
        /// Blocks needed.
        wanted: usize,
    },
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ForeignMemory { kernel } => {
                write!(f, "an argument of kernel {kernel} lies in another device's memory; copy it to this one first")
            }
            Self::Block { kernel, threads, least, most } => write!(
                f,
                "kernel {kernel} cannot run with {threads} threads per block; choose a multiple of 32 from {least} to {most}"
            ),
            Self::FixedBlock { kernel, threads, fixed } => {
                write!(f, "kernel {kernel} cannot run with {threads} threads per block; it is written for {fixed}")
            }
            Self::LargeBlock { kernel, threads, most } => write!(
                f,
                "kernel {kernel} is written for {threads} threads per block, and the device can launch {most}; write it for smaller blocks"
            ),
            Self::BlockShape { kernel, block: [x, y, z] } => write!(
                f,
                "kernel {kernel} is written for blocks of {x} x {y} x {z} threads; a block has at least one, and up to 64 along z"
            ),
            Self::Registers { kernel, threads, most } => write!(
                f,
                "kernel {kernel} cannot run with {threads} threads per block: this GPU has registers for {most}; choose a multiple of 32 up to that"
            ),
            Self::Relation { kernel, relation, args } => {
                write!(f, "kernel {kernel} needs {relation}, which does not hold for {args}")
            }
            Self::Formula { kernel, what, args } => write!(
                f,
                "a formula of the launch of kernel {kernel} {what} for {args}; pass others, or have the kernel require what it needs"
            ),
            Self::SharedMemory { kernel, wanted, most } => write!(
                f,
                "a block of kernel {kernel} needs {wanted} bytes of shared memory, and the device has {most}; use smaller blocks"
            ),
            Self::Grid { kernel, axis, wanted } => {
                write!(f, "kernel {kernel} would need {wanted} blocks along {axis}, more than the device can launch")
            }
        }
    }
}

impl std::error::Error for LaunchError {}
