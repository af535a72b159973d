//! A GPU made of an interpreter: it runs PTX on the processor, and checks every access.
//!
//! It is for tests and for those who write kernels: a launch runs exactly as the PTX says, instruction by instruction,
//! and stops at the first thing that a real GPU would let pass or merely crash on. It needs no GPU, no driver and no
//! CUDA toolkit.
//!
//! ```
//! use ptx_interpreter::{Argument, Gpu, Grid, Module};
//!
//! // y[i] = 2 y[i]
//! let module = Module::parse(
//!     ".version 7.0
//!      .target sm_75
//!      .address_size 64
//!      .visible .entry double_all(.param .u64 y) {
//!          .reg .b32 %r<4>;
//!          .reg .b64 %rd<4>;
//!          ld.param.u64 %rd1, [y];
//!          mov.u32 %r1, %tid.x;
//!          mul.wide.u32 %rd2, %r1, 4;
//!          add.s64 %rd3, %rd1, %rd2;
//!          ld.global.b32 %r2, [%rd3];
//!          add.rn.f32 %r3, %r2, %r2;
//!          st.global.b32 [%rd3], %r3;
//!          ret;
//!      }",
//! )?;
//! let mut gpu = Gpu::new();
//! let y = gpu.alloc_from(&[1.0f32, 2.0]);
//! let arguments = [Argument::from(&y)];
//! let report = gpu.launch(&module, "double_all", Grid::linear(1, 2), &arguments)?;
//! assert_eq!(gpu.read(&y)?, [2.0, 4.0]);
//! assert_eq!(report.instructions, 2 * 8);
//!
//! // A third thread is one too many.
//! let error = gpu.launch(&module, "double_all", Grid::linear(1, 3), &arguments).unwrap_err();
//! assert!(error.to_string().contains("out of bounds: it lies at byte 8"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is checked
//! - Every access against the allocation that it was meant for, and its alignment. Allocations lie gigabytes apart.
//! - Reads of shared or global memory that nothing has written. Elements of a vector load that no instruction reads
//!   may be so: compilers load padding along with a structure. Stack memory is checked for bounds only.
//! - Data races in shared and global memory: two threads, one of them writing, and nothing between that orders them.
//!   Barriers order the threads that meet at them; a fence and an atomic write order what came before for those who
//!   read atomically and fence in turn, other blocks included. Atomic and volatile accesses do not race with each other.
//! - Copies by `cp.async`: an access to where one goes, or a write to what it takes, before the thread that began it has waited
//!   for it. Until then others race with it, too, whatever barriers lie between.
//! - Loads through `.nc` of memory that the launch writes.
//! - Barriers that some threads of a block do not reach, or reach at another instruction.
//! - Shuffles from lanes that do not take part, and warp operations that never complete.
//! - Traps, and running for longer than a given number of instructions.
//!
//! Each is a [`Fault`] that names the kernel, the instruction, its line in the PTX and in the source, the block and
//! the thread, and for races both sides.
//!
//! # How threads run
//! Threads of a warp run independently, in turns of random length that follow from a seed: a result that relies on
//! lockstep comes out wrong for some seed. Blocks run one after the other, in random order. The same seed gives the
//! same run.
//!
//! # Precision
//! Arithmetic is exact in the sense of the ISA, with its rounding modes, `.ftz` and `.sat`. Approximate functions are
//! evaluated in f64 and rounded once, so their error is at most half a unit in the last place, below what any GPU
//! promises. Sums of matrix instructions are rounded once.
//!
//! # Why the parser is its own
//! Of the crates that parse PTX, `ptx-parser` has rested since 2023 and calls its use "planned", others are in alpha,
//! and ZLUDA's is part of a compiler and is not published. The grammar is small; what each modifier means is the work.

mod code;
mod compute;
mod error;
mod fault;
mod gpu;
mod inspect;
mod instruction;
mod lower;
mod machine;
mod memory;
mod module;
mod report;
mod similar;
mod syntax;
mod types;

pub use code::Parameter;
pub use error::{ParseError, ParseErrorKind};
pub use fault::{AccessKind, Fault, FaultKind, Party, SourceLocation};
pub use gpu::{Argument, Buffer, Checks, Element, Gpu, Grid, LaunchError, Limits, Options};
pub use inspect::{Lint, LintKind, Summary};
pub use memory::MemoryError;
pub use module::{Kernel, Module};
pub use report::{OpcodeClass, Report};
pub use types::{Space, Type};
