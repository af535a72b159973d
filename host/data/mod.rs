//! Point sets that are made: synthetic clusters.

mod synthetic;

pub use synthetic::{Blobs, LabelledPoints};
