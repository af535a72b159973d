//! The device: its memory, its options, and launches.

mod element;
mod launch;
mod loading;

pub use element::{Buffer, Element};
pub(crate) use launch::static_shared as launch_static_shared;
pub use launch::{Argument, Grid, LaunchError};

use crate::memory::{Memory, MemoryError};
use std::collections::HashMap;
use std::sync::Arc;

/// Which checks run. All do, unless one is turned off.
///
/// ```
/// # const DOUBLE_ALL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/double_all.ptx"));
/// use ptx_interpreter::{Argument, Checks, Gpu, Grid, Module, Options};
///
/// // What nothing has written may be read, as a real GPU lets one.
/// let checks = Checks { uninitialised: false, ..Checks::default() };
/// let mut gpu = Gpu::with_options(Options { checks, ..Options::default() });
/// let y = gpu.alloc::<f32>(2);
/// gpu.launch(&Module::parse(DOUBLE_ALL)?, "double_all", Grid::linear(1, 2), &[Argument::from(&y)])?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checks {
    /// Data races in shared and global memory.
    pub races: bool,
    /// Reads of memory that nothing has written.
    pub uninitialised: bool,
}

impl Default for Checks {
    fn default() -> Self {
        Self { races: true, uninitialised: true }
    }
}

/// What a device allows of a launch.
///
/// ```
/// # const DOUBLE_ALL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/double_all.ptx"));
/// use ptx_interpreter::{Argument, Gpu, Grid, LaunchError, Limits, Module, Options};
///
/// let limits = Limits { threads: 64, ..Limits::default() };
/// let mut gpu = Gpu::with_options(Options { limits, ..Options::default() });
/// let y = gpu.alloc_from(&[1.0f32; 128]);
/// let launched = gpu.launch(&Module::parse(DOUBLE_ALL)?, "double_all", Grid::linear(1, 128), &[Argument::from(&y)]);
/// assert!(matches!(launched, Err(LaunchError::TooLarge { given: 128, limit: 64, .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Threads of a block; beyond 1024 it stays at that.
    pub threads: u32,
    /// Extents of a block.
    pub block: [u32; 3],
    /// Extents of a grid.
    pub grid: [u32; 3],
    /// Bytes of shared memory of a block, static and dynamic together.
    pub shared: u32,
    /// Bytes of a kernel's arguments.
    pub arguments: u32,
}

impl Default for Limits {
    /// What every GPU since sm_30 allows without asking for more.
    fn default() -> Self {
        Self {
            threads: 1024,
            block: [1024, 1024, 64],
            grid: [i32::MAX as u32, 65535, 65535],
            shared: 48 << 10,
            arguments: 4096,
        }
    }
}

impl Limits {
    /// The limits of an architecture such as `sm_90`, with all the shared memory that a kernel may opt in to.
    ///
    /// An architecture that is not known gets the defaults.
    ///
    /// ```
    /// use ptx_interpreter::Limits;
    ///
    /// assert_eq!(Limits::for_target("sm_90").shared, 227 << 10);
    /// assert_eq!(Limits::for_target("sm_1"), Limits::default());
    /// ```
    pub fn for_target(target: &str) -> Self {
        let shared = match target.trim_end_matches(['a', 'f']) {
            "sm_70" | "sm_72" => 96,
            "sm_75" => 64,
            "sm_80" | "sm_87" => 163,
            "sm_86" | "sm_89" | "sm_120" | "sm_121" => 99,
            "sm_90" | "sm_100" | "sm_101" | "sm_103" | "sm_110" => 227,
            _ => 48,
        };
        Self { shared: shared << 10, ..Self::default() }
    }
}

/// How launches run.
///
/// ```
/// # const DOUBLE_ALL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/double_all.ptx"));
/// use ptx_interpreter::{Argument, Gpu, Grid, LaunchError, Module, Options};
///
/// // A launch that runs for too long is stopped, as one must that loops for ever.
/// let mut gpu = Gpu::with_options(Options { instruction_budget: 5, ..Options::default() });
/// let y = gpu.alloc_from(&[1.0f32]);
/// let launched = gpu.launch(&Module::parse(DOUBLE_ALL)?, "double_all", Grid::linear(1, 1), &[Argument::from(&y)]);
/// assert!(matches!(launched, Err(LaunchError::Fault(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Where the schedule starts from: the same seed gives the same run.
    pub seed: u64,
    /// Instructions of all threads together after which a launch is stopped.
    pub instruction_budget: u64,
    /// Checks that run beside those that always do.
    pub checks: Checks,
    /// What a launch may ask for.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 0, instruction_budget: 2_000_000_000, checks: Checks::default(), limits: Limits::default() }
    }
}

/// A GPU made of an interpreter. It can be sent to another thread, and used behind a mutex by several.
///
/// ```
/// use ptx_interpreter::{Gpu, Options};
///
/// let mut gpu = Gpu::new();
/// // Between launches another schedule may be asked for.
/// gpu.options = Options { seed: 7, ..gpu.options };
/// let x = gpu.alloc_from(&[1u32, 2]);
/// assert_eq!(gpu.read(&x)?, [1, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct Gpu {
    /// How launches run; may be changed between them.
    pub options: Options,
    memory: Memory,
    loaded: HashMap<usize, Arc<loading::Loaded>>,
    launches: u64,
}

impl Gpu {
    /// A device with empty memory and every check on.
    ///
    /// ```
    /// use ptx_interpreter::{Gpu, Options};
    ///
    /// assert_eq!(Gpu::new().options, Options::default());
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// A device with options of one's own.
    ///
    /// ```
    /// use ptx_interpreter::{Gpu, Options};
    ///
    /// let options = Options { instruction_budget: 1_000, ..Options::default() };
    /// assert_eq!(Gpu::with_options(options).options.instruction_budget, 1_000);
    /// ```
    pub fn with_options(options: Options) -> Self {
        Self { options, ..Self::default() }
    }

    /// A device whose schedules start from `seed`.
    ///
    /// ```
    /// # const DOUBLE_ALL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/double_all.ptx"));
    /// use ptx_interpreter::{Argument, Gpu, Grid, Module};
    ///
    /// let module = Module::parse(DOUBLE_ALL)?;
    /// // Another seed is another order of threads, which must not show.
    /// for seed in 0..3 {
    ///     let mut gpu = Gpu::with_seed(seed);
    ///     let y = gpu.alloc_from(&[1.0f32; 64]);
    ///     gpu.launch(&module, "double_all", Grid::linear(1, 64), &[Argument::from(&y)])?;
    ///     assert_eq!(gpu.read(&y)?, [2.0; 64]);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_seed(seed: u64) -> Self {
        Self::with_options(Options { seed, ..Options::default() })
    }

    /// Allocates room for `len` elements. Nothing has written them: reading them before is a fault.
    ///
    /// ```
    /// use ptx_interpreter::Gpu;
    ///
    /// let mut gpu = Gpu::new();
    /// let x = gpu.alloc::<f32>(3);
    /// assert_eq!(x.len(), 3);
    /// // Its contents are nobody's yet.
    /// assert!(gpu.read(&x).is_err());
    /// ```
    ///
    /// # Panics
    /// If the size passes what an allocation can hold, some 16 GiB.
    pub fn alloc<T: Element>(&mut self, len: usize) -> Buffer<T> {
        // What no number holds, no allocation does.
        let address = self.alloc_bytes(len.saturating_mul(T::BYTES));
        Buffer::new(address.expect("the buffer fits device memory"), len)
    }

    /// Allocates a copy of `values`.
    ///
    /// ```
    /// use ptx_interpreter::Gpu;
    ///
    /// let mut gpu = Gpu::new();
    /// let x = gpu.alloc_from(&[1.5f64, 2.5]);
    /// assert_eq!(gpu.read(&x)?, [1.5, 2.5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// If the size passes what an allocation can hold, some 16 GiB.
    pub fn alloc_from<T: Element>(&mut self, values: &[T]) -> Buffer<T> {
        let buffer = self.alloc(values.len());
        self.upload(&buffer, values).expect("the buffer was made for the values");
        buffer
    }

    /// Allocates `bytes` bytes that nothing has written; the address is a multiple of 256.
    ///
    /// ```
    /// use ptx_interpreter::Gpu;
    ///
    /// let mut gpu = Gpu::new();
    /// assert_eq!(gpu.alloc_bytes(100)? % 256, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If an allocation cannot hold as much.
    pub fn alloc_bytes(&mut self, bytes: usize) -> Result<u64, MemoryError> {
        self.memory.allocate(bytes as u64, None)
    }

    /// Frees the allocation that starts at `address`. Accesses to it are faults from then on.
    ///
    /// ```
    /// use ptx_interpreter::Gpu;
    ///
    /// let mut gpu = Gpu::new();
    /// let address = gpu.alloc_bytes(8)?;
    /// gpu.free(address)?;
    /// // Once.
    /// assert!(gpu.free(address).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If no allocation starts there.
    pub fn free(&mut self, address: u64) -> Result<(), MemoryError> {
        self.memory.free(address)
    }

    /// Copies bytes to the device.
    ///
    /// ```
    /// use ptx_interpreter::Gpu;
    ///
    /// let mut gpu = Gpu::new();
    /// let address = gpu.alloc_bytes(4)?;
    /// gpu.write_bytes(address, &[1, 2, 3, 4])?;
    /// // A byte too many.
    /// assert!(gpu.write_bytes(address, &[0; 5]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If they do not fit one allocation.
    pub fn write_bytes(&mut self, address: u64, bytes: &[u8]) -> Result<(), MemoryError> {
        let (region, at) = self.memory.host_range(address, bytes.len())?;
        region.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        region.written[at..at + bytes.len()].fill(1);
        Ok(())
    }

    /// Copies bytes from the device. Those that nothing has written come as `0xCB`.
    ///
    /// ```
    /// use ptx_interpreter::Gpu;
    ///
    /// let mut gpu = Gpu::new();
    /// let address = gpu.alloc_bytes(3)?;
    /// gpu.write_bytes(address, &[1, 2])?;
    /// let mut bytes = [0; 3];
    /// gpu.read_bytes(address, &mut bytes)?;
    /// assert_eq!(bytes, [1, 2, 0xCB]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If they are not all within one allocation.
    pub fn read_bytes(&mut self, address: u64, bytes: &mut [u8]) -> Result<(), MemoryError> {
        let (region, at) = self.memory.host_range(address, bytes.len())?;
        bytes.copy_from_slice(&region.bytes[at..at + bytes.len()]);
        Ok(())
    }

    /// Sets bytes of the device to one value.
    ///
    /// ```
    /// use ptx_interpreter::Gpu;
    ///
    /// let mut gpu = Gpu::new();
    /// let x = gpu.alloc::<u32>(2);
    /// gpu.fill(x.address(), 8, 0xFF)?;
    /// assert_eq!(gpu.read(&x)?, [u32::MAX; 2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If they are not all within one allocation.
    pub fn fill(&mut self, address: u64, bytes: usize, value: u8) -> Result<(), MemoryError> {
        let (region, at) = self.memory.host_range(address, bytes)?;
        region.bytes[at..at + bytes].fill(value);
        region.written[at..at + bytes].fill(1);
        Ok(())
    }

    /// Copies bytes within the device; those that nothing has written stay so.
    ///
    /// ```
    /// use ptx_interpreter::Gpu;
    ///
    /// let mut gpu = Gpu::new();
    /// let (from, to) = (gpu.alloc_from(&[1u32, 2]), gpu.alloc::<u32>(2));
    /// gpu.copy(from.address(), to.address(), 8)?;
    /// assert_eq!(gpu.read(&to)?, [1, 2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If source or destination are not within one allocation.
    pub fn copy(&mut self, from: u64, to: u64, bytes: usize) -> Result<(), MemoryError> {
        let (region, at) = self.memory.host_range(from, bytes)?;
        let (values, written) = (region.bytes[at..at + bytes].to_vec(), region.written[at..at + bytes].to_vec());
        let (region, at) = self.memory.host_range(to, bytes)?;
        region.bytes[at..at + bytes].copy_from_slice(&values);
        region.written[at..at + bytes].copy_from_slice(&written);
        Ok(())
    }

    /// Copies values to the start of a buffer.
    ///
    /// ```
    /// use ptx_interpreter::Gpu;
    ///
    /// let mut gpu = Gpu::new();
    /// let x = gpu.alloc::<i32>(2);
    /// gpu.upload(&x, &[-1, 1])?;
    /// assert_eq!(gpu.read(&x)?, [-1, 1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If they do not fit.
    pub fn upload<T: Element>(&mut self, buffer: &Buffer<T>, values: &[T]) -> Result<(), MemoryError> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_bytes()).collect();
        self.write_bytes(buffer.address(), &bytes)
    }

    /// Copies a whole buffer from the device.
    ///
    /// ```
    /// use ptx_interpreter::Gpu;
    ///
    /// let mut gpu = Gpu::new();
    /// let x = gpu.alloc::<f32>(2);
    /// let error = gpu.read(&x).unwrap_err();
    /// assert!(error.to_string().contains("element 0 was never written"));
    /// ```
    ///
    /// # Errors
    /// If an element was never written, or the buffer was freed.
    pub fn read<T: Element>(&mut self, buffer: &Buffer<T>) -> Result<Vec<T>, MemoryError> {
        let bytes = buffer.len() * T::BYTES;
        let (region, at) = self.memory.host_range(buffer.address(), bytes)?;
        if let Some(byte) = region.written[at..at + bytes].iter().position(|written| *written == 0) {
            return Err(MemoryError::Unwritten { index: byte / T::BYTES });
        }
        Ok(region.bytes[at..at + bytes].chunks_exact(T::BYTES).map(T::from_bytes).collect())
    }
}
