//! Point sets: for now, synthetic ones.

mod synthetic;

pub use synthetic::{Blobs, LabelledPoints};
