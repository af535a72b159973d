//! What the host knows of a kernel, and a call of one: types that `#[kernel]` fills in.
//!
//! `#[kernel]` on a function `axpy` makes a module `axpy` with a [`Kernel`] named `KERNEL` and a
//! function `launch`, whose parameters have the types of the kernel's. It gives a [`Launch`], which
//! an executor checks and runs. What can be wrong with one is a [`LaunchError`].

mod error;

use std::fmt;
use std::marker::PhantomData;

pub use self::error::LaunchError;
use crate::machine::MachineKind;
pub use crate::processor::Dim3;
use crate::processor::Entry;

/// A type that can be copied to a device and back, byte by byte.
///
/// ```
/// use cuda_std::launch::DeviceCopy;
///
/// /// A point of the plane, as a kernel reads it.
/// #[derive(Clone, Copy)]
/// #[repr(C)]
/// struct Point {
///     x: f32,
///     y: f32,
/// }
/// // SAFETY: two floats, all of whose bits are values, and nothing between them.
/// unsafe impl DeviceCopy for Point {}
///
/// fn bytes<T: DeviceCopy>(values: &[T]) -> usize {
///     size_of_val(values)
/// }
/// assert_eq!(bytes(&[Point { x: 1.0, y: 2.0 }; 3]), 24);
/// ```
///
/// # Safety
/// Every pattern of bits is a value, and there is no padding.
pub unsafe trait DeviceCopy: Copy + Send + Sync + 'static {}

macro_rules! device_copy {
    ($($type:ty),*) => { $(
        // SAFETY: a number has no padding, and all its patterns are values.
        unsafe impl DeviceCopy for $type {}
    )* };
}
device_copy!(u8, i8, u16, i16, u32, i32, u64, i64, usize, isize, f32, f64);

// SAFETY: an array of such values has no padding either.
unsafe impl<T: DeviceCopy, const N: usize> DeviceCopy for [T; N] {}

/// Device memory as an argument: where it is, how many elements it has, whose it is.
///
/// ```
/// use cpu_executor::Cells;
/// use cuda_std::launch::{DeviceSlice, Region};
///
/// let Region { len, address, .. } = Cells::new([1.0_f32, 2.0]).region();
/// assert_eq!((len, address % 4), (2, 0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// The device's address of the first element.
    pub address: u64,
    /// Elements.
    pub len: usize,
    /// The executor that made it; every executor has a number of its own.
    pub owner: u64,
}

/// Device memory that a kernel may read as `&[T]` or `*const T`.
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
/// use cuda_std::launch::{DeviceSlice, DeviceSliceMut, Region};
///
/// /// Memory of an executor of one's own: number 5.
/// struct Mine {
///     address: u64,
///     len: usize,
/// }
///
/// // SAFETY: nothing runs the launches of this example.
/// unsafe impl DeviceSlice<f32> for Mine {
///     fn region(&self) -> Region {
///         Region { address: self.address, len: self.len, owner: 5 }
///     }
/// }
/// // SAFETY: as above.
/// unsafe impl DeviceSliceMut<f32> for Mine {}
///
/// # fn main() {
/// let (x, mut y) = (Mine { address: 256, len: 3 }, Mine { address: 512, len: 3 });
/// assert_eq!(axpy::launch(2.0, &x, &mut y).args().len(), 3);
/// # }
/// ```
///
/// # Safety
/// The region stays valid, and nobody writes it, while the value is borrowed.
pub unsafe trait DeviceSlice<T: DeviceCopy> {
    /// The region.
    ///
    /// ```
    /// use cpu_executor::Cells;
    /// use cuda_std::launch::DeviceSlice;
    ///
    /// assert_eq!(Cells::new([1.0_f32, 2.0]).region().len, 2);
    /// ```
    fn region(&self) -> Region;
}

/// Device memory that a kernel may write through `DisjointMut<T>` or `*mut T`.
///
/// ```
/// use cpu_executor::Cells;
/// use cuda_std::launch::{DeviceCopy, DeviceSliceMut};
///
/// /// What a kernel is to write must be borrowed mutably.
/// fn room<T: DeviceCopy>(out: &mut impl DeviceSliceMut<T>) -> usize {
///     out.region().len
/// }
/// assert_eq!(room(&mut Cells::filled(0_u32, 4)), 4);
/// ```
///
/// # Safety
/// The region stays valid, and nobody else touches it, while the value is borrowed.
pub unsafe trait DeviceSliceMut<T: DeviceCopy>: DeviceSlice<T> {}

/// An argument of a launch, with its type erased.
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
/// use cuda_std::launch::Arg;
/// # fn main() {
/// # let (x, mut y) = (Cells::new([1.0, 2.0]), Cells::filled(0.0, 2));
/// let launch = axpy::launch(2.0, &x, &mut y);
/// assert_eq!(launch.args()[0], Arg::scalar(2.0_f32));
/// assert!(matches!(launch.args()[1], Arg::Slice(region) if region.len == 2));
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arg {
    /// A number: its bytes, little-endian, and how many of them count.
    Scalar {
        /// The bytes.
        bytes: [u8; 8],
        /// How many.
        size: usize,
    },
    /// A slice: passed to a GPU as an address and a length, two parameters.
    Slice(Region),
    /// A pointer: passed to a GPU as an address.
    Pointer(Region),
}

impl Arg {
    /// A number as an argument.
    ///
    /// ```
    /// use cuda_std::launch::Arg;
    ///
    /// assert_eq!(Arg::scalar(258_u32), Arg::Scalar { bytes: [2, 1, 0, 0, 0, 0, 0, 0], size: 4 });
    /// ```
    pub fn scalar<T: DeviceCopy>(value: T) -> Self {
        const { assert!(size_of::<T>() <= 8, "a kernel's scalar parameter has at most 8 bytes") };
        let mut bytes = [0; 8];
        // SAFETY: `T` is at most 8 bytes without padding, which are copied into 8 bytes.
        unsafe { std::ptr::copy_nonoverlapping((&raw const value).cast(), bytes.as_mut_ptr(), size_of::<T>()) };
        Self::Scalar { bytes, size: size_of::<T>() }
    }

    /// The number, in a kernel's entry.
    ///
    /// # Panics
    /// If the argument is not a scalar of this size.
    #[doc(hidden)]
    pub fn to_scalar<T: DeviceCopy>(&self) -> T {
        match self {
            // SAFETY: `T` has `size` bytes, all of whose patterns are values.
            Self::Scalar { bytes, size } if *size == size_of::<T>() => unsafe {
                bytes.as_ptr().cast::<T>().read_unaligned()
            },
            other => panic!("expected a scalar of {} bytes, found {other:?}", size_of::<T>()),
        }
    }

    /// The memory that the argument names; a scalar names none.
    ///
    /// ```
    /// use cuda_std::launch::{Arg, Region};
    ///
    /// let region = Region { address: 256, len: 3, owner: 1 };
    /// assert_eq!(Arg::Slice(region).region(), Some(region));
    /// assert_eq!(Arg::scalar(1_u32).region(), None);
    /// ```
    pub fn region(&self) -> Option<Region> {
        match self {
            Self::Scalar { .. } => None,
            Self::Slice(region) | Self::Pointer(region) => Some(*region),
        }
    }

    /// The region, in a kernel's entry.
    ///
    /// # Panics
    /// If the argument is a scalar.
    #[doc(hidden)]
    pub fn to_region(&self) -> Region {
        self.region().unwrap_or_else(|| panic!("expected memory, found {self:?}"))
    }
}

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
            Some((least, most)) => (threads / 32 * 32).clamp(least, most),
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
    /// The first relation among the arguments that does not hold, as it is written at the kernel.
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
    /// A call with arguments that fit the kernel's parameters; `#[kernel]` makes sure that they do.
    #[doc(hidden)]
    pub fn new(kernel: &'static Kernel, args: Vec<Arg>) -> Self {
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
        let shape = (self.kernel.shape)(machine, &self.args, block);
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
        let default = rule.default.iter().product();
        let threads = self.block.unwrap_or(default);
        match rule.range {
            Some((least, most)) => {
                let most = most.min(limits.threads);
                let chosen = self.block.is_some();
                if threads < least || threads > most || chosen && !threads.is_multiple_of(32) {
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
