//! Point sets: tables that are read and written, and synthetic ones that are made.

mod columns;
mod error;
mod format;
mod read;
mod shapes;
mod source;
mod standard;
mod synthetic;
mod write;

pub use columns::{Decimal, LeftOut, Missing, ReadOptions};
pub(crate) use columns::{left_out_text, list};
pub use error::DataError;
pub use format::{Compression, Format, format_of};
pub use read::{Carry, Chunk, Reader, Table};
pub(crate) use read::{has_names, schema};
pub use shapes::Shape;
pub use source::Source;
pub use standard::{Standard, Standardization};
pub(crate) use synthetic::reserve;
pub use synthetic::{Blobs, LabelledPoints};
pub use write::{Column, Sink, Target, table, with_columns};
