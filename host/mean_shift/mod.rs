//! The estimator: mean shift, from points to labels on a device.
//!
//! Every query moves to the weighted mean of the points about it, until it rests on a mode of the
//! density; what ends together is a cluster. The number of clusters is not given.
//!
//! Sources: Fukunaga and Hostetler, The estimation of the gradient of a density function (1975); Cheng,
//! Mean shift, mode seeking, and clustering (1995); Comaniciu and Meer, Mean shift: a robust approach
//! toward feature space analysis (2002); Carreira-Perpinan (2006) on the blurring form's fast, cubic
//! convergence.
//!
//! Symbols: n points x_j of d dimensions, h the bandwidth, w the weight of a distance over h, v_j the
//! weight of a sample: q' = sum_j v_j w(|q - x_j| / h) x_j / sum_j v_j w(|q - x_j| / h).
//!
//! Between the upload of the points and the download of the result, everything happens on the device.
//! The host queues iterations and looks at a few numbers now and then: how far each moved.

mod ahead;
mod anywhere;
mod assemble;
pub mod bandwidth;
mod basins;
mod binned;
mod builder;
mod check;
mod composed;
mod fit;
mod fitted;
mod frames;
mod instruction;
mod iterate;
pub mod labels;
mod masses;
mod memory;
mod model;
pub mod near;
mod notes;
mod options;
mod path;
mod prepare;
mod rounds;
mod scaling;
mod sealed;
mod seeds;
pub mod slices;
mod tensor;

pub use assemble::Mode;
pub use bandwidth::Bandwidth;
pub use binned::{DensityField, FieldMode, FieldModes};
pub use builder::MeanShift;
pub use fit::{Clustering, Phases, Query};
pub(crate) use fitted::Distances;
pub use frames::Frames;
pub use iterate::Iteration;
pub use masses::Masses;
pub use model::Model;
pub use near::Pairs;
pub use options::{Assignment, Distance, Form, Merging, Method, Seeding, WeightFunction};
pub use path::Path;
