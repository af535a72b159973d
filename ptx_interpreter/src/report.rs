//! What a launch did, in numbers.

use crate::types::Space;

/// Kinds of instructions that a [`Report`] counts apart.
///
/// ```
/// # const DOUBLE_ALL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/double_all.ptx"));
/// use ptx_interpreter::{Argument, Gpu, Grid, Module, OpcodeClass};
///
/// let mut gpu = Gpu::new();
/// let y = gpu.alloc_from(&[1.0f32; 4]);
/// let report = gpu.launch(&Module::parse(DOUBLE_ALL)?, "double_all", Grid::linear(1, 4), &[Argument::from(&y)])?;
/// // Each instruction is of one class.
/// let sum: u64 = OpcodeClass::ALL.iter().map(|&class| report.class(class)).sum();
/// assert_eq!(sum, report.instructions);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum OpcodeClass {
    /// Integer arithmetic.
    Integer,
    /// Bitwise logic, shifts and bit fields.
    Logic,
    /// 32-bit floating-point arithmetic.
    Float32,
    /// 64-bit floating-point arithmetic.
    Float64,
    /// 16-bit floating-point arithmetic.
    Half,
    /// Approximations of transcendental functions: the special-function unit.
    Approximate,
    /// Conversions.
    Convert,
    /// Comparisons and selections.
    Compare,
    /// Moves and address conversions.
    Move,
    /// Loads.
    Load,
    /// Stores.
    Store,
    /// Atomic operations and reductions.
    Atomic,
    /// Barriers and fences.
    Barrier,
    /// Shuffles, votes and the like.
    Warp,
    /// Matrix instructions.
    Matrix,
    /// Branches, calls and exits.
    Control,
}

impl OpcodeClass {
    /// Every class, in the order of declaration.
    pub const ALL: [OpcodeClass; 16] = [
        OpcodeClass::Integer,
        OpcodeClass::Logic,
        OpcodeClass::Float32,
        OpcodeClass::Float64,
        OpcodeClass::Half,
        OpcodeClass::Approximate,
        OpcodeClass::Convert,
        OpcodeClass::Compare,
        OpcodeClass::Move,
        OpcodeClass::Load,
        OpcodeClass::Store,
        OpcodeClass::Atomic,
        OpcodeClass::Barrier,
        OpcodeClass::Warp,
        OpcodeClass::Matrix,
        OpcodeClass::Control,
    ];
}

const SPACES: usize = 6;

/// What a launch did. Instructions whose predicate was false count as executed, as they do on a GPU.
///
/// ```
/// # const DOUBLE_ALL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/double_all.ptx"));
/// use ptx_interpreter::{Argument, Gpu, Grid, Module};
///
/// let mut gpu = Gpu::new();
/// let y = gpu.alloc_from(&[1.0f32; 4]);
/// let report = gpu.launch(&Module::parse(DOUBLE_ALL)?, "double_all", Grid::linear(1, 4), &[Argument::from(&y)])?;
/// assert_eq!((report.blocks, report.threads, report.barriers), (1, 4, 0));
/// assert_eq!(report.instructions, 4 * 8);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Instructions executed by all threads together.
    pub instructions: u64,
    /// Blocks run.
    pub blocks: u64,
    /// Threads run.
    pub threads: u64,
    /// Barriers completed, each counted once for its block.
    pub barriers: u64,
    pub(crate) classes: [u64; OpcodeClass::ALL.len()],
    pub(crate) loads: [u64; SPACES],
    pub(crate) stores: [u64; SPACES],
}

impl Report {
    /// Instructions of one class.
    ///
    /// ```
    /// # const DOUBLE_ALL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/double_all.ptx"));
    /// # use ptx_interpreter::{Argument, Gpu, Grid, Module};
    /// use ptx_interpreter::OpcodeClass;
    ///
    /// # let mut gpu = Gpu::new();
    /// # let y = gpu.alloc_from(&[1.0f32; 4]);
    /// let report = gpu.launch(&Module::parse(DOUBLE_ALL)?, "double_all", Grid::linear(1, 4), &[Argument::from(&y)])?;
    /// // An addition for each of four threads.
    /// assert_eq!(report.class(OpcodeClass::Float32), 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn class(&self, class: OpcodeClass) -> u64 {
        self.classes[class as usize]
    }

    /// Loads from a space; generic ones count where their address led.
    ///
    /// ```
    /// # const DOUBLE_ALL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/double_all.ptx"));
    /// # use ptx_interpreter::{Argument, Gpu, Grid, Module};
    /// use ptx_interpreter::Space;
    ///
    /// # let mut gpu = Gpu::new();
    /// # let y = gpu.alloc_from(&[1.0f32; 4]);
    /// let report = gpu.launch(&Module::parse(DOUBLE_ALL)?, "double_all", Grid::linear(1, 4), &[Argument::from(&y)])?;
    /// assert_eq!((report.loads(Space::Global), report.loads(Space::Param)), (4, 4));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn loads(&self, space: Space) -> u64 {
        self.loads.get(space as usize).copied().unwrap_or(0)
    }

    /// Stores to a space; generic ones count where their address led.
    ///
    /// ```
    /// # const DOUBLE_ALL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/double_all.ptx"));
    /// # use ptx_interpreter::{Argument, Gpu, Grid, Module};
    /// use ptx_interpreter::Space;
    ///
    /// # let mut gpu = Gpu::new();
    /// # let y = gpu.alloc_from(&[1.0f32; 4]);
    /// let report = gpu.launch(&Module::parse(DOUBLE_ALL)?, "double_all", Grid::linear(1, 4), &[Argument::from(&y)])?;
    /// assert_eq!((report.stores(Space::Global), report.stores(Space::Shared)), (4, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stores(&self, space: Space) -> u64 {
        self.stores.get(space as usize).copied().unwrap_or(0)
    }
}
