//! What a kernel did wrong, and where.

use crate::types::Space;
use std::fmt;
use thiserror::Error;

/// A place in a source file, from `.loc`.
///
/// ```
/// use ptx_interpreter::SourceLocation;
///
/// let place = SourceLocation { file: "gpu/scan.rs".to_owned(), line: 7, column: 3, inlined_at: None };
/// assert!(place.to_string().starts_with("gpu/scan.rs:7"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLocation {
    /// The file, as the compiler wrote it.
    pub file: String,
    /// Line, counted from 1.
    pub line: u32,
    /// Column, counted from 1.
    pub column: u32,
    /// Where the code was inlined, if it was.
    pub inlined_at: Option<Box<SourceLocation>>,
}

impl fmt::Display for SourceLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)?;
        if let Some(caller) = &self.inlined_at {
            write!(f, " (inlined at {caller})")?;
        }
        Ok(())
    }
}

/// One side of a fault: a thread, and the instruction that it was at.
///
/// ```
/// # const DOUBLE_ALL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/double_all.ptx"));
/// use ptx_interpreter::{Argument, Gpu, Grid, LaunchError, Module};
///
/// let mut gpu = Gpu::new();
/// let y = gpu.alloc_from(&[1.0f32]);
/// let launched = gpu.launch(&Module::parse(DOUBLE_ALL)?, "double_all", Grid::linear(1, 2), &[Argument::from(&y)]);
/// let Err(LaunchError::Fault(fault)) = launched else { panic!("the second thread goes too far") };
/// assert_eq!(fault.party.thread, [1, 0, 0]);
/// assert!(fault.party.instruction.starts_with("ld.global"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// The kernel or function that holds the instruction.
    pub function: String,
    /// Text of the instruction.
    pub instruction: String,
    /// Its line in the PTX, counted from 1.
    pub ptx_line: u32,
    /// Its place in the source, where the PTX tells.
    pub source: Option<SourceLocation>,
    /// Index of the block.
    pub block: [u32; 3],
    /// Index of the thread in its block.
    pub thread: [u32; 3],
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ([bx, by, bz], [tx, ty, tz]) = (self.block, self.thread);
        write!(
            f,
            "block ({bx},{by},{bz}) thread ({tx},{ty},{tz}) at `{}` in `{}`, PTX line {}",
            self.instruction, self.function, self.ptx_line
        )?;
        if let Some(source) = &self.source {
            write!(f, ", {source}")?;
        }
        Ok(())
    }
}

/// A fault: what was wrong, who did it, and in which kernel.
///
/// ```
/// # const DOUBLE_ALL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/double_all.ptx"));
/// use ptx_interpreter::{Argument, FaultKind, Gpu, Grid, LaunchError, Module};
///
/// let mut gpu = Gpu::new();
/// // Nobody has written them.
/// let y = gpu.alloc::<f32>(2);
/// let launched = gpu.launch(&Module::parse(DOUBLE_ALL)?, "double_all", Grid::linear(1, 2), &[Argument::from(&y)]);
/// let Err(LaunchError::Fault(fault)) = launched else { panic!("it must be found") };
/// assert_eq!(fault.kernel, "double_all");
/// assert!(matches!(fault.kind, FaultKind::Uninitialised { bytes: 4, .. }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The kernel that was launched.
    pub kernel: String,
    /// What was wrong.
    pub kind: FaultKind,
    /// The thread that was caught.
    pub party: Party,
    /// The thread that it clashed with, where there are two sides.
    pub other: Option<Party>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kernel `{}`: {}\n  {}", self.kernel, self.kind, self.party)?;
        if let Some(other) = &self.other {
            write!(f, "\n  and {other}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}

/// Whether an access read or wrote.
///
/// ```
/// use ptx_interpreter::AccessKind;
///
/// // As it stands in the message of a fault.
/// assert_eq!(AccessKind::Write.to_string(), "write");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessKind {
    /// It read.
    Read,
    /// It wrote.
    Write,
    /// It read and wrote at once.
    Atomic,
}

impl fmt::Display for AccessKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AccessKind::Read => "read",
            AccessKind::Write => "write",
            AccessKind::Atomic => "atomic access",
        })
    }
}

/// What was wrong.
///
/// ```
/// # const DOUBLE_ALL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/double_all.ptx"));
/// use ptx_interpreter::{AccessKind, Argument, FaultKind, Gpu, Grid, LaunchError, Module, Space};
///
/// let mut gpu = Gpu::new();
/// let y = gpu.alloc_from(&[1.0f32]);
/// let launched = gpu.launch(&Module::parse(DOUBLE_ALL)?, "double_all", Grid::linear(1, 2), &[Argument::from(&y)]);
/// let Err(LaunchError::Fault(fault)) = launched else { panic!("the second thread goes too far") };
/// assert!(matches!(fault.kind, FaultKind::OutOfBounds { access: AccessKind::Read, space: Space::Global, .. }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FaultKind {
    /// An access outside every allocation.
    #[error(
        "{access} of {bytes} bytes at {address:#x} ({space}) is out of bounds: {nearest}; check the index against the length"
    )]
    OutOfBounds {
        /// What the access did.
        access: AccessKind,
        /// Where it went.
        space: Space,
        /// Address.
        address: u64,
        /// Size of the access.
        bytes: u32,
        /// How it lies to the allocation that was meant.
        nearest: String,
    },
    /// An address that is not a multiple of the size of the access.
    #[error(
        "{access} of {bytes} bytes at {address:#x} ({space}) is misaligned; the address has to be a multiple of {bytes}"
    )]
    Misaligned {
        /// What the access did.
        access: AccessKind,
        /// Where it went.
        space: Space,
        /// Address.
        address: u64,
        /// Size of the access, all elements of a vector together.
        bytes: u32,
    },
    /// A read of memory that nothing has written.
    #[error("read of {bytes} bytes at {address:#x} ({space}) that nothing has written; {}", remedy(*.space))]
    Uninitialised {
        /// Where it went.
        space: Space,
        /// Address.
        address: u64,
        /// Size of the access.
        bytes: u32,
    },
    /// An access to shared memory that a copy goes into which has not been waited for.
    #[error(
        "{access} of {bytes} bytes at {address:#x} (shared), and a copy into it is under way; the thread that began it has to \
         wait for it (`cp.async.wait_group`, `copy::wait`), and others need a barrier behind that"
    )]
    CopyUnderWay {
        /// What the access did.
        access: AccessKind,
        /// Address.
        address: u64,
        /// Size of the access.
        bytes: u32,
    },
    /// Memory that was written while a copy took from it.
    #[error(
        "{address:#x} ({space}) was written while a copy of it was under way; wait for the copy first \
         (`cp.async.wait_group`, `copy::wait`)"
    )]
    CopiedUnderWay {
        /// Where it is.
        space: Space,
        /// Address of the first byte that differs.
        address: u64,
    },
    /// A write to `.const` memory.
    #[error("write to constant memory at {address:#x}; constants are for the host to set")]
    ReadOnly {
        /// Address.
        address: u64,
    },
    /// Two threads access the same memory, one of them writes, and nothing orders them.
    #[error(
        "data race on {address:#x} ({space}): a {access} and an earlier {earlier} by another thread, with nothing that orders them; \
         add a barrier, or make both atomic"
    )]
    Race {
        /// Where they went.
        space: Space,
        /// Address of the access that was caught.
        address: u64,
        /// What the access that was caught did.
        access: AccessKind,
        /// What the other one had done.
        earlier: AccessKind,
    },
    /// A load through the read-only path of memory that the same launch writes.
    #[error(
        "{address:#x} is loaded with `.nc`, which promises that the launch does not write it, and is written; \
         a `&[T]` must not alias what the kernel writes"
    )]
    WrittenWhileReadOnly {
        /// Address of the access that was caught.
        address: u64,
    },
    /// A barrier at which threads wait that the others will never reach.
    #[error(
        "barrier {barrier}: {waiting} threads wait and {missing} never come, because they {reason}; \
         every thread of the block has to reach the same barrier"
    )]
    BarrierNotReached {
        /// Number of the barrier.
        barrier: u32,
        /// Threads that wait.
        waiting: u32,
        /// Threads that never come.
        missing: u32,
        /// What the first of them did instead.
        reason: &'static str,
    },
    /// Threads of a block that meet at different barrier instructions.
    #[error("barrier {barrier} is reached at different instructions; move it out of the divergent branch")]
    BarrierDiverged {
        /// Number of the barrier.
        barrier: u32,
    },
    /// A barrier number over 15, or a thread count that is no multiple of 32.
    #[error("barrier {barrier} with {count} threads is not valid: numbers go to 15 and counts are multiples of 32")]
    BadBarrier {
        /// Number of the barrier.
        barrier: u64,
        /// Threads asked for.
        count: u64,
    },
    /// A warp operation whose mask does not name the thread that executes it.
    #[error("lane {lane} takes part in a warp operation whose mask {mask:#010x} does not name it")]
    NotInMask {
        /// The lane.
        lane: u32,
        /// The mask.
        mask: u32,
    },
    /// A shuffle that reads from a lane that does not take part.
    #[error(
        "lane {lane} reads from lane {from}, which {reason}, with mask {mask:#010x}; \
         the value is undefined: narrow the width, or let that lane take part"
    )]
    InactiveLane {
        /// The lane that reads.
        lane: u32,
        /// The lane that it reads from.
        from: u32,
        /// Why that one does not take part.
        reason: &'static str,
        /// The mask.
        mask: u32,
    },
    /// Lanes wait for lanes that never come to the same warp operation.
    #[error(
        "lane {lane} waits for lane {missing}, which {reason}; \
         all lanes of the mask {mask:#010x} have to execute the same instruction"
    )]
    WarpDiverged {
        /// The lane that waits.
        lane: u32,
        /// A lane that never comes.
        missing: u32,
        /// What it did instead.
        reason: &'static str,
        /// The mask.
        mask: u32,
    },
    /// A warp operation of four warps in a block whose last warps are fewer.
    #[error(
        "`wgmma` needs the 128 threads of a warpgroup, and the block of {threads} threads ends before; \
         make the block a multiple of 128"
    )]
    WarpgroupNotWhole {
        /// Threads of the block.
        threads: u32,
    },
    /// Warps of a warpgroup that do not begin the same products.
    #[error(
        "the threads of a warpgroup have to execute the same `wgmma.mma_async`, with the same descriptors; \
         this one does not, or not as often as the others"
    )]
    WarpgroupDiverged,
    /// A matrix descriptor that means nothing here.
    #[error("the matrix descriptor {descriptor:#018x} cannot be used: {reason}")]
    BadDescriptor {
        /// The descriptor.
        descriptor: u64,
        /// Why not.
        reason: &'static str,
    },
    /// Sums of a product that has not been waited for.
    #[error(
        "a register holds sums of a `wgmma.mma_async` that may still be under way; \
         touch it behind a `wgmma.wait_group` that waits for it"
    )]
    SumsUnderWay,
    /// Sums that were touched since the last `wgmma.fence`.
    #[error(
        "the sums of a `wgmma.mma_async` were touched since the last `wgmma.fence`, or there was none; \
         put the fence between"
    )]
    SumsNotFenced,
    /// A matrix in registers, of a product that has not been waited for.
    #[error(
        "a register holds a part of A of a `wgmma.mma_async` that may still be under way; \
         touch it behind a `wgmma.wait_group` that waits for it"
    )]
    FragmentUnderWay,
    /// A matrix in registers that was touched since the last `wgmma.fence`.
    #[error(
        "registers of A of a `wgmma.mma_async` were touched since the last `wgmma.fence`, or there was none; \
         put the fence between"
    )]
    FragmentNotFenced,
    /// Shared memory that was written in the ordinary way, and is read by a product, with no fence of proxies between.
    #[error(
        "`wgmma.mma_async` reads {address:#x} (shared), which was written without a `fence.proxy.async` behind it; \
         the product may read what was there before"
    )]
    NotPublished {
        /// Address of 16 bytes.
        address: u64,
    },
    /// Shared memory that was written while a product read it.
    #[error(
        "{address:#x} (shared) was written while a `wgmma.mma_async` that reads it was under way; \
         wait for the product, and have a barrier between"
    )]
    WrittenUnderWay {
        /// Address of 16 bytes.
        address: u64,
    },
    /// The launch ran longer than allowed.
    #[error(
        "more than {budget} instructions were executed; the kernel may never end: \
         look at its loops, or raise `Options::instruction_budget`"
    )]
    BudgetExceeded {
        /// The number allowed.
        budget: u64,
    },
    /// A `trap`, which is what a failed bounds check or a panic becomes.
    #[error(
        "the kernel trapped: a bounds check, an assertion or another panic failed; PTX does not say which, but a kernel in Rust \
         can run on a processor too (`cpu_executor`), which names the index, the length and the line"
    )]
    Trap,
    /// Calls nested too deeply.
    #[error("calls are nested more than {0} deep; the recursion may never end")]
    CallDepth(usize),
    /// A call of something that has no body here.
    #[error("`{0}` is called and has no body in this module")]
    MissingFunction(String),
    /// A branch through a table with too large an index.
    #[error("branch index {index} is beyond the table's {targets} targets")]
    BranchIndex {
        /// The index.
        index: u64,
        /// Targets of the table.
        targets: usize,
    },
}

/// What to do about memory that is read and was not written.
fn remedy(space: Space) -> &'static str {
    match space {
        // Most of it is written by one thread for another.
        Space::Shared => "initialise them first, or is a barrier missing between the write and this read?",
        _ => "initialise them first",
    }
}
