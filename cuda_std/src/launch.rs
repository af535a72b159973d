//! What the host knows of a kernel, and a call of one: types that `#[kernel]` fills in.
//!
//! `#[kernel]` on a function `axpy` makes a module `axpy` with a [`Kernel`] named `KERNEL` and a
//! function `launch`, whose parameters have the types of the kernel's. It gives a [`Launch`], which
//! an executor checks and runs. What can be wrong with one is a [`LaunchError`].

mod error;
#[doc(hidden)]
pub mod formula;
mod kernel;
mod memory;

use std::marker::PhantomData;

pub use self::error::LaunchError;
pub use self::kernel::{BlockRule, BlockSize, Extent, Kernel, Parameter, Shape};
pub use self::memory::{Arg, DeviceCopy, DeviceSlice, DeviceSliceMut, Region};
use crate::machine::MachineKind;
pub use crate::processor::Dim3;
/// A call of a kernel, ready for an executor. It borrows the memory that it names.
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
/// # fn main() {
/// # let (x, mut y) = (Cells::new([1.0, 2.0]), Cells::filled(0.0, 2));
/// let launch = axpy::launch(2.0, &x, &mut y);
/// CpuExecutor::of_this_processor().unwrap().run(launch).unwrap();
/// assert_eq!(y.to_vec(), [2.0, 4.0]);
/// # }
/// ```
#[must_use = "a launch does nothing until an executor runs it"]
#[derive(Debug)]
pub struct Launch<'a> {
    kernel: &'static Kernel,
    args: Vec<Arg>,
    block: Option<u32>,
    _memory: PhantomData<&'a mut ()>,
}

impl<'a> Launch<'a> {
    /// A call with these arguments, which the typed `launch` of a kernel alone makes.
    ///
    /// # Safety
    /// `kernel` is what `#[kernel]` made of a function, and the arguments are of its parameters' kinds and types, in order. Their
    /// regions are those of borrows that last for `'a`, mutable ones where the kernel writes.
    #[doc(hidden)]
    pub unsafe fn new(kernel: &'static Kernel, args: Vec<Arg>) -> Self {
        Self { kernel, args, block: None, _memory: PhantomData }
    }

    /// Launches blocks of this many threads instead of the kernel's own choice.
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
    /// let launch = axpy::launch(2.0, &x, &mut y).threads_per_block(64);
    /// assert_eq!(launch.prepare(MachineKind::Gpu, 0, &Limits::BASELINE).unwrap().block, [64, 1, 1]);
    /// // Not a whole number of warps.
    /// let launch = axpy::launch(2.0, &x, &mut y).threads_per_block(65);
    /// assert!(launch.prepare(MachineKind::Gpu, 0, &Limits::BASELINE).is_err());
    /// # }
    /// ```
    pub fn threads_per_block(self, threads: u32) -> Self {
        Self { block: Some(threads), ..self }
    }

    /// The kernel.
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
    /// # fn main() {
    /// # let (x, mut y) = (Cells::new([1.0, 2.0]), Cells::filled(0.0, 2));
    /// assert_eq!(axpy::launch(2.0, &x, &mut y).kernel().name, "axpy");
    /// # }
    /// ```
    pub fn kernel(&self) -> &'static Kernel {
        self.kernel
    }

    /// The arguments, in order.
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
    /// # fn main() {
    /// # let (x, mut y) = (Cells::new([1.0, 2.0]), Cells::filled(0.0, 2));
    /// // Two slices and a number.
    /// assert_eq!(axpy::launch(2.0, &x, &mut y).args().iter().filter(|arg| arg.region().is_some()).count(), 2);
    /// # }
    /// ```
    pub fn args(&self) -> &[Arg] {
        &self.args
    }

    /// Checks the launch against the kernel's rules and the device's limits, and settles its sizes.
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
    /// use cuda_std::launch::{LaunchError, Limits};
    /// use cuda_std::machine::MachineKind;
    /// # fn main() {
    /// # let (x, mut y) = (Cells::new([1.0, 2.0]), Cells::filled(0.0, 2));
    /// let sizes = axpy::launch(2.0, &x, &mut y).prepare(MachineKind::Gpu, 0, &Limits::BASELINE).unwrap();
    /// assert_eq!(sizes.grid, [1, 1, 1]);
    /// // Its elements are not as many as those of x.
    /// let mut short = Cells::filled(0.0, 1);
    /// let error = axpy::launch(2.0, &x, &mut short).prepare(MachineKind::Gpu, 0, &Limits::BASELINE).unwrap_err();
    /// assert!(matches!(error, LaunchError::Relation { .. }));
    /// # }
    /// ```
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn prepare(&self, machine: MachineKind, owner: u64, limits: &Limits) -> Result<Prepared, LaunchError> {
        let kernel = self.kernel.name;
        if self.args.iter().filter_map(Arg::region).any(|region| region.owner != owner) {
            return Err(LaunchError::ForeignMemory { kernel });
        }
        let block = self.checked_block((self.kernel.block)(machine), limits)?;
        let shape = formula::computed(|| (self.kernel.shape)(machine, &self.args, block))
            .map_err(|what| LaunchError::Formula { kernel, what, args: self.describe_args() })?;
        if let Some(relation) = shape.violated {
            let args = self.describe_args();
            return Err(LaunchError::Relation { kernel, relation, args });
        }
        if shape.shared > limits.shared_bytes {
            return Err(LaunchError::SharedMemory { kernel, wanted: shape.shared, most: limits.shared_bytes });
        }
        let mut grid = [0; 3];
        for (axis, wanted) in shape.grid.into_iter().enumerate() {
            if wanted > limits.grid[axis] as usize {
                let axis = ["x", "y", "z"][axis];
                return Err(LaunchError::Grid { kernel, axis, wanted });
            }
            grid[axis] = wanted as u32;
        }
        Ok(Prepared { grid, block, shared: shape.shared })
    }

    fn checked_block(&self, rule: BlockRule, limits: &Limits) -> Result<Dim3, LaunchError> {
        let kernel = self.kernel.name;
        let threads_of = |block: Dim3| block.iter().fold(1, |threads: u32, &along| threads.saturating_mul(along));
        let default = threads_of(rule.default);
        if default == 0 || rule.default[2] > DEEPEST {
            return Err(LaunchError::BlockShape { kernel, block: rule.default });
        }
        let threads = self.block.unwrap_or(default);
        match rule.range {
            Some((least, most)) => {
                let most = most.min(limits.threads);
                let chosen = self.block.is_some();
                if threads < least.max(1) || threads > most || chosen && !threads.is_multiple_of(32) {
                    return Err(LaunchError::Block { kernel, threads, least, most });
                }
                Ok(if chosen { [threads, 1, 1] } else { rule.default })
            }
            None if threads != default => Err(LaunchError::FixedBlock { kernel, threads, fixed: default }),
            None if threads > limits.threads => Err(LaunchError::LargeBlock { kernel, threads, most: limits.threads }),
            None => Ok(rule.default),
        }
    }

    fn describe_args(&self) -> String {
        let describe = |(parameter, arg): (&Parameter, &Arg)| match arg {
            Arg::Scalar { bytes, .. } => {
                format!("{} = {}", parameter.name, describe_scalar(parameter.type_name, *bytes))
            }
            Arg::Slice(region) | Arg::Pointer(region) => format!("{}.len() = {}", parameter.name, region.len),
        };
        self.kernel.parameters.iter().zip(&self.args).map(describe).collect::<Vec<_>>().join(", ")
    }
}

/// The most threads of a block along z, on every GPU; along x and y as many as a block has.
const DEEPEST: u32 = 64;

/// A scalar's value, for a message. Of a type with another name its bits are shown, as a number.
fn describe_scalar(type_name: &str, bytes: [u8; 8]) -> String {
    let bits = u64::from_le_bytes(bytes);
    match type_name {
        "f32" => f32::from_bits(bits as u32).to_string(),
        "f64" => f64::from_bits(bits).to_string(),
        "i8" => (bits as i8).to_string(),
        "i16" => (bits as i16).to_string(),
        "i32" => (bits as i32).to_string(),
        "i64" | "isize" => (bits as i64).to_string(),
        _ => bits.to_string(),
    }
}

/// A launch whose sizes are settled and checked.
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
/// use cuda_std::launch::{Limits, Prepared};
/// use cuda_std::machine::MachineKind;
/// # fn main() {
/// # let (x, mut y) = (Cells::new([1.0, 2.0]), Cells::filled(0.0, 2));
/// let launch = axpy::launch(2.0, &x, &mut y).threads_per_block(32);
/// let prepared = launch.prepare(MachineKind::Gpu, 0, &Limits::BASELINE).unwrap();
/// assert_eq!(prepared, Prepared { grid: [1, 1, 1], block: [32, 1, 1], shared: 0 });
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// Blocks along x, y and z; zero blocks are nothing to do.
    pub grid: Dim3,
    /// Threads of a block along x, y and z.
    pub block: Dim3,
    /// Bytes of dynamic shared memory of a block.
    pub shared: usize,
}

/// What a device can launch.
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
/// let small = Limits { threads: 64, ..Limits::BASELINE };
/// let launch = axpy::launch(2.0, &x, &mut y).threads_per_block(128);
/// assert!(launch.prepare(MachineKind::Gpu, 0, &small).is_err());
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Threads of a block.
    pub threads: u32,
    /// Blocks along x, y and z.
    pub grid: Dim3,
    /// Bytes of dynamic shared memory of a block.
    pub shared_bytes: usize,
}

impl Limits {
    /// What every GPU from compute capability 7.5 on can launch.
    pub const BASELINE: Self = Self { threads: 1024, grid: [i32::MAX as u32, 65_535, 65_535], shared_bytes: 48 * 1024 };
}
