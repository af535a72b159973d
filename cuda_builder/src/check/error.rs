//! What the checks find, and what to do about each.

use crate::ptx::Malformed;

/// Something wrong with a kernel's PTX.
///
/// ```
/// use cuda_builder::check::{Allowances, CheckError, check};
/// use cuda_builder::ptx::Ptx;
///
/// // An entry that `#[kernel]` has not marked.
/// let ptx = Ptx::read(".version 7.0\n.target sm_75\n.address_size 64\n.visible .entry k()\n{\nret;\n}\n")?;
/// let errors = check(&ptx, &Allowances::default()).unwrap_err();
/// assert!(matches!(&errors[..], [CheckError::Unmarked { entry }] if entry == "k"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The text is not PTX as the scanner knows it.
    #[error("{0}; if an assembler takes the text, the scanner in cuda_builder needs to learn this form")]
    Malformed(Malformed),

    /// A marked kernel has no visible entry.
    #[error(
        "kernel `{kernel}` of {module_path} is marked, but the PTX has {found} and no `.visible .entry`; \
         keep it `pub` and `#[kernel]`, and not behind a `cfg` that is off"
    )]
    NotAnEntry {
        /// The name in the marker.
        kernel: String,
        /// Where the sources declare it.
        module_path: String,
        /// What has that name instead.
        found: String,
    },

    /// An entry has no marker, so it is of no family and would be lost.
    #[error("entry `{entry}` is not marked; declare it with `#[kernel]`, not with `extern \"ptx-kernel\"`")]
    Unmarked {
        /// The entry's name.
        entry: String,
    },

    /// Two kernels have one name.
    #[error("kernel `{kernel}` is declared twice, in {first} and in {second}; rename one of them")]
    Duplicate {
        /// The name that both have.
        kernel: String,
        /// Where the first is declared.
        first: String,
        /// Where the second is declared.
        second: String,
    },

    /// A symbol is left for a linker, and none takes part.
    #[error(
        "kernel `{kernel}` refers to `{symbol}`, which is not in the PTX and which nothing links; {}",
        remedy(.symbol)
    )]
    Extern {
        /// The kernel that needs it.
        kernel: String,
        /// The symbol.
        symbol: String,
    },

    /// Values that should be in registers are in memory.
    #[error(
        "kernel `{kernel}` keeps {bytes} bytes a thread in local memory, which is slow; index its arrays with \
         constants (unroll the loop over them), or name the kernel in `allow-local` of \
         [package.metadata.cuda_builder]"
    )]
    LocalMemory {
        /// The kernel.
        kernel: String,
        /// Bytes a thread.
        bytes: u64,
    },

    /// More shared memory of a fixed size than any GPU gives a block, which the driver refuses when it loads the kernel.
    #[error(
        "kernel `{kernel}` declares {bytes} bytes of shared memory, and a block has {most} of a fixed size on every GPU; \
         make its arrays smaller, or take dynamic shared memory (`#[kernel(shared = bytes)]`), of which newer GPUs have more"
    )]
    SharedMemory {
        /// The kernel.
        kernel: String,
        /// Bytes a block.
        bytes: u64,
        /// The most there may be.
        most: u64,
    },

    /// Dynamic shared memory that no kernel asks for, so that its address is that of nothing.
    #[error(
        "kernel `{kernel}` uses dynamic shared memory; say how much of it a launch has: `#[kernel(shared = bytes)]`"
    )]
    NoDynamicShared {
        /// The kernel.
        kernel: String,
    },

    /// Both sides of a branch that threads take differently have a barrier of their own.
    #[error(
        "kernel `{kernel}`: threads part at `{branch}` (line {branch_line}, in `{code}`) and then wait at \
         different barriers, {barriers}; if the source has one barrier there, rustc's JumpThreading copied it: \
         compile with -Zmir-enable-passes=-JumpThreading, or else move the barrier out of the branches"
    )]
    DuplicatedBarrier {
        /// The kernel.
        kernel: String,
        /// The entry or function that holds the branch.
        code: String,
        /// The branch as the PTX has it.
        branch: String,
        /// Counted from 1, in the PTX.
        branch_line: usize,
        /// The barriers and their lines.
        barriers: String,
    },

    /// Some threads may not come to a barrier that others wait at.
    #[error(
        "kernel `{kernel}`: threads part at `{branch}` (line {branch_line}, in `{code}`), and not all of them \
         reach {barriers}; move the barrier to where all threads come, have idle threads skip the work and not \
         the barrier, or, if the condition is in truth the same for all, name the kernel in \
         `allow-divergent-barriers` of [package.metadata.cuda_builder]"
    )]
    DivergentBarrier {
        /// The kernel.
        kernel: String,
        /// The entry or function that holds the branch.
        code: String,
        /// The branch as the PTX has it.
        branch: String,
        /// Counted from 1, in the PTX.
        branch_line: usize,
        /// The barriers and their lines.
        barriers: String,
    },
}

/// How to do without a function.
fn remedy(symbol: &str) -> &'static str {
    match symbol {
        // Nobody wrote a call of it.
        "memcmp" | "bcmp" => {
            "it stands for a comparison of whole slices or arrays, such as `a == b`: compare their elements, \
             `a.iter().eq(b)` or `a.iter().cmp(b)`"
        }
        _ => "mark that function `#[inline]`, or do without it",
    }
}
