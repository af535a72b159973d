//! Mean-shift clustering on the GPU, with kernels written in Rust; and on the processor, from the same source.
//!
//! A point set is uploaded once, iterated wholly on the device, and labelled:
//!
//! ```
//! use modeseek::{Bandwidth, MeanShift, Points};
//!
//! # fn main() -> Result<(), modeseek::Error> {
//! let points = Points::from_rows(&[0.0_f32, 0.0, 0.1, 0.2, 9.0, 9.0, 9.1, 8.9], 2)?;
//! let clustering = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).fit(&points)?;
//! assert_eq!(clustering.modes.len(), 2);
//! assert_eq!(clustering.labels, [0, 0, 1, 1]);
//! # Ok(())
//! # }
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`points`] | a point set: n x d, finite, centred |
//! | [`executor`] | what runs kernels: a GPU, or the processor; buffers; launches |
//! | [`mean_shift`] | the estimator: options, iteration, modes and labels |
//! | [`data`] | tables of points, read and written; synthetic point sets |
//! | [`picture`] | pictures of clusterings |
//! | [`segment`] | images: filtering and segmentation |
//! | [`product`] | matrix products, in a precision that is asked for |
//! | [`distances`] | Euclidean distances of all pairs of rows |
//! | [`reduction`] | weighted means of points, for many rows of weights |
//! | [`sweep`] | what other bandwidths find |
//! | [`tuning`] | which blocks are fastest on a device: measured, and kept for later runs |
//! | [`agreement`] | how far two labellings agree |
//! | [`mod@reference`] | the naive oracle in f64 |
//! | [`files`] | files that are there whole or not at all |
//! | `cli` | the program, with the feature of that name |
//!
//! The first kernel on the processor, and the first file that is read, wrap the process's panic hook once: panics in kernels and in
//! readers of damaged files become errors and print nothing, and all others reach the hook that was there.

#![warn(missing_debug_implementations)]
// Some functions are there for the program alone.
#![cfg_attr(not(feature = "program"), allow(dead_code, unused_imports))]

pub mod agreement;
mod bytes;
// For the program, and for no other.
#[cfg(feature = "program")]
#[doc(hidden)]
pub mod cli;
pub mod data;
pub mod distances;
mod error;
pub mod executor;
pub mod files;
pub mod mean_shift;
pub mod picture;
pub mod points;
pub mod product;
pub mod reduction;
pub mod reference;
pub mod segment;
pub mod sweep;
pub mod tuning;

pub use bytes::Bytes;
pub use error::{Error, Result};
pub use executor::{Buffer, Device};
pub use mean_shift::{
    Assignment, Bandwidth, Clustering, DensityField, Distance, FieldMode, FieldModes, Form, Iteration, MeanShift,
    Merging, Method, Model, Path, Seeding, WeightFunction,
};
pub use points::{Points, ToPoints};

/// The README's examples, compiled and run as documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
// Their types are among this library's: whoever uses these has them in the version that fits.
pub use {arrow_array, arrow_schema, cpu_executor, cuda_std, gpu, image, nalgebra, ptx_interpreter};
