//! Builds a crate of kernels to PTX, checks the result and keeps it beside the sources.
//!
//! rustc itself makes the PTX, with its own NVPTX back end: no CUDA toolkit takes part. What is needed is a
//! rustc that has the source of its `core` ([`NoCompiler`] says how to get one); and where a checked-in copy of
//! the PTX fits the sources, not even that.
//!
//! A build script needs one line, and `CUDA_BUILDER` decides what it does ([`Mode`]):
//!
//! ```no_run
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     Ok(cuda_builder::CudaBuilder::new("gpu").build_for_cargo()?)
//! }
//! ```
//!
//! The program of the same name renews the copy, checks it, and shows it:
//! `cargo run -p cuda_builder -- build gpu`.
//!
//! What happens on the way, and where: [`CudaBuilder`] finds the sources and a compiler, runs cargo once for
//! each architecture, has [`check::check`] look for what the driver would refuse or the GPU would do wrong, and
//! has [`ptx::split`] make one module of each family of kernels.

mod arch;
mod build;
mod build_script;
mod builder;
pub mod check;
mod compiler;
mod device_build;
mod error;
mod manifest;
mod policy;
pub mod ptx;
mod renew;
mod sources;
mod stamp;

pub use arch::Arch;
pub use build::{Build, Comparison, Module};
pub use build_script::LINE_TABLES_VARIABLE;
pub use builder::CudaBuilder;
pub use compiler::{Candidate, Compiler, NoCompiler, RUSTC_VARIABLE, Unusable};
pub use error::Error;
pub use policy::{MODE_VARIABLE, Mode};
pub use stamp::{CheckedIn, Fit, Stamp};
