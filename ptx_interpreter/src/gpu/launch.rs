//! Launches: what is asked for is checked before anything runs.

use super::{Buffer, Gpu, Limits};
use crate::code::{Code, FunctionCode, Parameter};
use crate::fault::Fault;
use crate::machine;
use crate::memory::MemoryError;
use crate::report::Report;
use crate::{Module, similar};
use thiserror::Error;

/// Shape of a launch.
///
/// ```
/// use ptx_interpreter::Grid;
///
/// // 2 x 3 blocks of 32 x 8 threads, with a kilobyte of dynamic shared memory each.
/// let grid = Grid { grid: [2, 3, 1], block: [32, 8, 1], dynamic_shared: 1024 };
/// assert_eq!(grid.block.iter().product::<u32>(), 256);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Blocks along x, y and z.
    pub grid: [u32; 3],
    /// Threads of a block along x, y and z.
    pub block: [u32; 3],
    /// Bytes of dynamic shared memory.
    pub dynamic_shared: u32,
}

impl Grid {
    /// `blocks` blocks of `threads` threads, in one dimension.
    ///
    /// ```
    /// use ptx_interpreter::Grid;
    ///
    /// assert_eq!(Grid::linear(4, 128), Grid { grid: [4, 1, 1], block: [128, 1, 1], dynamic_shared: 0 });
    /// ```
    pub fn linear(blocks: u32, threads: u32) -> Self {
        Self { grid: [blocks, 1, 1], block: [threads, 1, 1], dynamic_shared: 0 }
    }
}

/// A kernel's argument.
///
/// ```
/// use ptx_interpreter::Argument;
///
/// // Numbers are converted; anything else comes as its bytes.
/// assert_eq!(Argument::from(2.0f32), Argument::F32(2.0));
/// let pair = Argument::Bytes(&[1, 0, 0, 0, 2, 0, 0, 0]);
/// assert_ne!(pair, Argument::U32(1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)] // each is named for the type that it holds
pub enum Argument<'a> {
    U8(u8),
    U16(u16),
    U32(u32),
    /// Also an address.
    U64(u64),
    I32(i32),
    I64(i64),
    F32(f32),
    F64(f64),
    /// A value of any other type, as its bytes.
    Bytes(&'a [u8]),
}

/// The address of a buffer's first element.
impl<T> From<&Buffer<T>> for Argument<'_> {
    fn from(buffer: &Buffer<T>) -> Self {
        Argument::U64(buffer.address())
    }
}

macro_rules! argument_from {
    ($($t:ty => $variant:ident)*) => {$(
        impl From<$t> for Argument<'_> {
            fn from(value: $t) -> Self {
                Argument::$variant(value)
            }
        }
    )*};
}
argument_from! { u8 => U8 u16 => U16 u32 => U32 u64 => U64 i32 => I32 i64 => I64 f32 => F32 f64 => F64 }

impl Argument<'_> {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Argument::U8(value) => vec![*value],
            Argument::U16(value) => value.to_le_bytes().to_vec(),
            Argument::U32(value) => value.to_le_bytes().to_vec(),
            Argument::U64(value) => value.to_le_bytes().to_vec(),
            Argument::I32(value) => value.to_le_bytes().to_vec(),
            Argument::I64(value) => value.to_le_bytes().to_vec(),
            Argument::F32(value) => value.to_le_bytes().to_vec(),
            Argument::F64(value) => value.to_le_bytes().to_vec(),
            Argument::Bytes(bytes) => bytes.to_vec(),
        }
    }
}

/// Why a launch did not run to its end.
///
/// ```
/// # const DOUBLE_ALL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/double_all.ptx"));
/// use ptx_interpreter::{Gpu, Grid, LaunchError, Module};
///
/// let launched = Gpu::new().launch(&Module::parse(DOUBLE_ALL)?, "double_all", Grid::linear(1, 1), &[]);
/// assert!(matches!(launched, Err(LaunchError::ArgumentCount { wanted: 1, given: 0, .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// No kernel of this name.
    #[error("there is no kernel `{name}`; {}", suggestion(similar))]
    UnknownKernel {
        /// The name asked for.
        name: String,
        /// Kernels with similar names, or all of them.
        similar: Vec<String>,
    },
    /// The number of arguments is not that of the parameters.
    #[error("`{kernel}` takes {wanted} arguments, and {given} are given")]
    ArgumentCount {
        /// The kernel.
        kernel: String,
        /// How many it takes.
        wanted: usize,
        /// How many were given.
        given: usize,
    },
    /// An argument of another size than its parameter.
    #[error("argument {index} of `{kernel}` has {given} bytes; the parameter `{parameter}` has {wanted}")]
    ArgumentSize {
        /// The kernel.
        kernel: String,
        /// Which argument, from 0.
        index: usize,
        /// The parameter's name.
        parameter: String,
        /// Its size.
        wanted: u32,
        /// The size given.
        given: usize,
    },
    /// A buffer of arguments that is not laid out as the parameters are.
    #[error(
        "the arguments of `{kernel}` take {wanted} bytes in all, and {given} are given; check sizes and alignments"
    )]
    ArgumentBuffer {
        /// The kernel.
        kernel: String,
        /// Bytes that the parameters take.
        wanted: usize,
        /// Bytes given.
        given: usize,
    },
    /// An extent of zero.
    #[error("the {what} has an extent of zero; a launch needs at least one thread")]
    Empty {
        /// `grid` or `block`.
        what: &'static str,
    },
    /// More than the device allows.
    #[error("{what} is {given}, and the limit is {limit}; launch smaller, or raise `Options::limits`")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// What was asked for.
        given: u64,
        /// What is allowed.
        limit: u64,
    },
    /// A block that `.reqntid` or `.maxntid` rules out.
    #[error("the block {given:?} does not fit what the kernel was compiled for: {wanted:?} ({directive})")]
    BlockShape {
        /// The block asked for.
        given: [u32; 3],
        /// What the directive says.
        wanted: [u32; 3],
        /// `.reqntid` or `.maxntid`.
        directive: &'static str,
    },
    /// The module's variables found no room.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The kernel did something wrong.
    #[error(transparent)]
    Fault(#[from] Box<Fault>),
}

fn suggestion(names: &[String]) -> String {
    match names {
        [] => "the module has no kernels".to_owned(),
        names => format!("there are `{}`", names.join("`, `")),
    }
}

impl Gpu {
    /// Runs a kernel to its end.
    ///
    /// ```
    /// # const DOUBLE_ALL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/double_all.ptx"));
    /// use ptx_interpreter::{Argument, Gpu, Grid, Module};
    ///
    /// let module = Module::parse(DOUBLE_ALL)?;
    /// let mut gpu = Gpu::new();
    /// let y = gpu.alloc_from(&[1.0f32, 2.0, 3.0]);
    /// let report = gpu.launch(&module, "double_all", Grid::linear(1, 3), &[Argument::from(&y)])?;
    /// assert_eq!(gpu.read(&y)?, [2.0, 4.0, 6.0]);
    /// assert_eq!(report.threads, 3);
    /// // A name that is nearly right.
    /// let error = gpu.launch(&module, "double_al", Grid::linear(1, 3), &[Argument::from(&y)]).unwrap_err();
    /// assert!(error.to_string().contains("double_all"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the launch does not fit the kernel or the device, or the kernel does something wrong.
    pub fn launch(
        &mut self,
        module: &Module,
        kernel: &str,
        grid: Grid,
        arguments: &[Argument],
    ) -> Result<Report, LaunchError> {
        let entry = find(module, kernel)?;
        let buffer = pack(&module.code.functions[entry as usize], arguments)?;
        self.launch_packed(module, entry, grid, buffer)
    }

    /// Runs a kernel whose arguments are laid out as its parameters are.
    ///
    /// ```
    /// # const DOUBLE_ALL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/double_all.ptx"));
    /// use ptx_interpreter::{Gpu, Grid, Module};
    ///
    /// let mut gpu = Gpu::new();
    /// let y = gpu.alloc_from(&[1.0f32]);
    /// // All parameters in one piece, as a driver is given them.
    /// let arguments = y.address().to_le_bytes();
    /// gpu.launch_buffer(&Module::parse(DOUBLE_ALL)?, "double_all", Grid::linear(1, 1), &arguments)?;
    /// assert_eq!(gpu.read(&y)?, [2.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Gpu::launch`].
    pub fn launch_buffer(
        &mut self,
        module: &Module,
        kernel: &str,
        grid: Grid,
        arguments: &[u8],
    ) -> Result<Report, LaunchError> {
        let entry = find(module, kernel)?;
        let wanted = argument_bytes(&module.code.functions[entry as usize]);
        if arguments.len() != wanted {
            return Err(LaunchError::ArgumentBuffer { kernel: kernel.to_owned(), wanted, given: arguments.len() });
        }
        self.launch_packed(module, entry, grid, arguments.to_vec())
    }

    fn launch_packed(
        &mut self,
        module: &Module,
        entry: u32,
        grid: Grid,
        arguments: Vec<u8>,
    ) -> Result<Report, LaunchError> {
        let code = &module.code;
        let static_shared = static_shared(code, entry);
        check_shape(&self.options.limits, &code.functions[entry as usize], grid, static_shared)?;
        let loaded = self.load(code)?;
        self.launches += 1;
        let report = machine::run(machine::Launch {
            code,
            templates: &loaded.templates,
            memory: &mut self.memory,
            options: &self.options,
            entry,
            grid: grid.grid,
            block: grid.block,
            static_shared,
            dynamic_shared: grid.dynamic_shared,
            arguments,
            seed: self.options.seed.wrapping_mul(0x1000_0000_01B3).wrapping_add(self.launches),
        })?;
        Ok(report)
    }
}

fn find(module: &Module, kernel: &str) -> Result<u32, LaunchError> {
    let entries = || module.code.functions.iter().enumerate().filter(|(_, f)| f.is_entry && f.start.is_some());
    let found = entries().find(|(_, function)| function.name == kernel);
    found.map(|(number, _)| number as u32).ok_or_else(|| LaunchError::UnknownKernel {
        name: kernel.to_owned(),
        similar: similar::similar(kernel, entries().map(|(_, function)| function.name.as_str())),
    })
}

/// Static shared memory of a kernel and all that it calls.
pub(crate) fn static_shared(code: &Code, entry: u32) -> u32 {
    let mut used = std::collections::BTreeSet::new();
    for function in code.reachable(entry) {
        used.extend(&code.functions[function as usize].shared);
    }
    used.into_iter().fold(0u32, |bytes, id: &u32| {
        let variable = &code.shared[*id as usize];
        bytes.next_multiple_of(variable.align.max(1)).saturating_add(variable.size)
    })
}

fn argument_bytes(kernel: &FunctionCode) -> usize {
    kernel.parameters.last().map_or(0, |last| (last.offset + last.size) as usize)
}

fn pack(kernel: &FunctionCode, arguments: &[Argument]) -> Result<Vec<u8>, LaunchError> {
    let parameters: &[Parameter] = &kernel.parameters;
    if parameters.len() != arguments.len() {
        return Err(LaunchError::ArgumentCount {
            kernel: kernel.name.clone(),
            wanted: parameters.len(),
            given: arguments.len(),
        });
    }
    let mut buffer = vec![0; argument_bytes(kernel)];
    for (index, (argument, parameter)) in arguments.iter().zip(parameters).enumerate() {
        let bytes = argument.bytes();
        if bytes.len() != parameter.size as usize {
            return Err(LaunchError::ArgumentSize {
                kernel: kernel.name.clone(),
                index,
                parameter: parameter.name.clone(),
                wanted: parameter.size,
                given: bytes.len(),
            });
        }
        let start = parameter.offset as usize;
        buffer[start..start + bytes.len()].copy_from_slice(&bytes);
    }
    Ok(buffer)
}

/// The most shared memory that a block has beside what its launch asks for, on every GPU.
const MOST_STATIC_SHARED: u32 = 48 << 10;

fn check_shape(limits: &Limits, kernel: &FunctionCode, grid: Grid, static_shared: u32) -> Result<(), LaunchError> {
    for (what, extents) in [("grid", grid.grid), ("block", grid.block)] {
        if extents.contains(&0) {
            return Err(LaunchError::Empty { what });
        }
    }
    let threads = grid.block.iter().map(|size| u64::from(*size)).product::<u64>();
    let shared = u64::from(static_shared) + u64::from(grid.dynamic_shared);
    let arguments = argument_bytes(kernel) as u64;
    let wanted = [
        ("the block's extent along x", u64::from(grid.block[0]), limits.block[0]),
        ("the block's extent along y", u64::from(grid.block[1]), limits.block[1]),
        ("the block's extent along z", u64::from(grid.block[2]), limits.block[2]),
        ("the number of threads of a block", threads, limits.threads.min(1024)),
        ("the grid's extent along x", u64::from(grid.grid[0]), limits.grid[0]),
        ("the grid's extent along y", u64::from(grid.grid[1]), limits.grid[1]),
        ("the grid's extent along z", u64::from(grid.grid[2]), limits.grid[2]),
        ("the block's shared memory of a fixed size in bytes", u64::from(static_shared), MOST_STATIC_SHARED),
        ("the block's shared memory in bytes", shared, limits.shared),
        ("the size of the arguments in bytes", arguments, limits.arguments),
    ];
    for (what, given, limit) in wanted {
        let limit = u64::from(limit);
        if given > limit {
            return Err(LaunchError::TooLarge { what, given, limit });
        }
    }
    let given = grid.block;
    if let Some(wanted) = kernel.required_block.filter(|wanted| *wanted != given) {
        return Err(LaunchError::BlockShape { given, wanted, directive: ".reqntid" });
    }
    let most = kernel.largest_block.map(|shape| (shape, shape.iter().map(|size| u64::from(*size)).product::<u64>()));
    if let Some((wanted, _)) = most.filter(|(_, most)| threads > *most) {
        return Err(LaunchError::BlockShape { given, wanted, directive: ".maxntid" });
    }
    Ok(())
}
