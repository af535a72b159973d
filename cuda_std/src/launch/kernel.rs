//! A kernel as the host knows it, and the rules by which the sizes of its launches follow from the arguments.

use std::fmt;

use super::{Arg, Region};
use crate::machine::MachineKind;
use crate::processor::{Dim3, Entry};

/// A kernel: its names, its code for processors, and how it must be launched.
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
/// # fn main() {
/// assert_eq!(axpy::KERNEL.name, "axpy");
/// assert_eq!(axpy::KERNEL.parameters.len(), 3);
/// # }
/// ```
pub struct Kernel {
    /// The name of its entry in the PTX.
    pub name: &'static str,
    /// The path of the module that it stands in, such as `gpu::mean_shift`.
    pub path: &'static str,
    /// Its parameters, in order.
    pub parameters: &'static [Parameter],
    /// Which blocks it can be launched with.
    pub block: fn(MachineKind) -> BlockRule,
    /// How the other sizes of a launch follow from the arguments and the block.
    pub shape: fn(MachineKind, &[Arg], Dim3) -> Shape,
    /// Its code for a kind of processor.
    pub entry: fn(MachineKind) -> Entry,
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel").field("name", &self.name).field("path", &self.path).finish_non_exhaustive()
    }
}

/// A kernel's parameter as it was written.
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
/// # fn main() {
/// let x = axpy::KERNEL.parameters[1];
/// assert_eq!(x.name, "x");
/// assert!(x.type_name.contains("f32"));
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub type_name: &'static str,
}

/// Which blocks a kernel can be launched with.
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
/// use cuda_std::machine::MachineKind;
/// # fn main() {
/// let rule = (axpy::KERNEL.block)(MachineKind::Gpu);
/// assert_eq!(rule.default, [MachineKind::Gpu.block(), 1, 1]);
/// assert_eq!(rule.range, Some((32, 1024)));
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRule {
    /// The block that it is launched with unless the caller says otherwise.
    pub default: Dim3,
    /// The least and most threads of a one-dimensional block that it accepts instead, in whole warps.
    pub range: Option<(u32, u32)>,
}

impl BlockRule {
    /// The most threads that the kernel accepts and that are no more than the wanted ones, or else
    /// the fewest that it accepts.
    ///
    /// ```
    /// use cuda_std::launch::BlockRule;
    ///
    /// let rule = BlockRule { default: [128, 1, 1], range: Some((32, 256)) };
    /// // Whole warps, within the bounds.
    /// assert_eq!((rule.nearest(100), rule.nearest(5), rule.nearest(9999)), (96, 32, 256));
    /// assert_eq!(BlockRule { default: [16, 16, 1], range: None }.nearest(100), 256);
    /// ```
    pub fn nearest(&self, threads: u32) -> u32 {
        match self.range {
            // Whole warps, though a bound that was computed may be none.
            Some((least, most)) => (threads.min(most) / 32 * 32).max(least.div_ceil(32).max(1) * 32),
            None => self.default.iter().product(),
        }
    }
}

/// What a launch needs besides its arguments and its block.
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
/// use cuda_std::launch::Shape;
/// use cuda_std::machine::MachineKind;
/// # fn main() {
/// # let (x, mut y) = (Cells::new([1.0, 2.0]), Cells::filled(0.0, 2));
/// let launch = axpy::launch(2.0, &x, &mut y);
/// let shape = (axpy::KERNEL.shape)(MachineKind::Gpu, launch.args(), [32, 1, 1]);
/// // One block covers two elements.
/// assert_eq!(shape, Shape { grid: [1, 1, 1], shared: 0, violated: None });
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Blocks along x, y and z.
    pub grid: [usize; 3],
    /// Bytes of dynamic shared memory of a block.
    pub shared: usize,
    /// A relation among the arguments that does not hold, as it is written at the kernel.
    pub violated: Option<&'static str>,
}

/// A slice in the formulas of a launch shape: where it is and how long, but not what is in it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Extent(pub Region);

impl Extent {
    /// Elements.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.0.len
    }

    /// Whether it begins at a multiple of so many bytes, as accesses to several elements at a time need. Memory that a
    /// device gives does, for up to 256; a part of it may not.
    pub fn is_aligned(&self, bytes: u64) -> bool {
        self.0.address.is_multiple_of(bytes)
    }
}

/// A block in the formulas of a launch shape.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct BlockSize {
    /// Threads along x.
    pub x: usize,
    /// Threads along y.
    pub y: usize,
    /// Threads along z.
    pub z: usize,
}

impl From<Dim3> for BlockSize {
    fn from([x, y, z]: Dim3) -> Self {
        Self { x: x as usize, y: y as usize, z: z as usize }
    }
}
