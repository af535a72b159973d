//! A CUDA driver without a GPU, for tests of programs that load `libcuda.so` at run time.
//!
//! It has the functions that such a program needs to launch kernels, and nothing of NVIDIA's: device
//! memory is that of `ptx_interpreter`, and so is what runs a kernel. Launches run at once, but an
//! error in a kernel is told as late as a GPU tells it. The variable `STAND_IN_DRIVER` has it fail in
//! one way or another; `behaviour.rs` lists them.
//!
//! It is stricter than a driver: what a program does wrong (a call without a context, a copy beyond
//! its allocation, memory that is never freed) is an error code where the driver has one, and a line on
//! the standard error that begins with `stand-in driver:` always.
//!
//! Any program can be given it, where `folder` has links named `libcuda.so` and `libcuda.so.1` to
//! `target/debug/deps/libstand_in_driver.so`; the conformance suite, for one, which takes a minute:
//! `LD_LIBRARY_PATH=folder cargo test --test conformance cuda::`.
//!
//! Signatures and error codes are those of the CUDA Driver API's reference. An output parameter is an
//! `Option<&mut MaybeUninit<T>>`, which is a pointer that may be null.

#![allow(non_snake_case)] // the functions' names are the driver's

mod behaviour;
mod contexts;
mod devices;
mod driver;
mod errors;
mod events;
mod graphs;
mod host_memory;
mod memory;
mod modules;
mod ranges;
