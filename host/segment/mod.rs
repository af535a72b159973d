//! Images: mean-shift filtering and segmentation in position and colour.
//!
//! Each pixel is a point of five coordinates: its place over the spatial bandwidth, and its colour in CIE Lab over the
//! range bandwidth. It climbs as mean shift does, over the pixels of a disc about it (`gpu/filter.rs`); the image of the
//! colours that the pixels come to is the filtered one, smooth within things and sharp at their borders. Neighbouring
//! pixels whose filtered colours are near each other are one region; small regions go to the neighbour that is
//! nearest in colour.
//!
//! Source: Comaniciu and Meer, Mean shift: a robust approach toward feature space analysis (2002), sections 4.1 and 4.2.
//!
//! | module | what |
//! |---|---|
//! | [`colour`] | sRGB to Lab and back |
//! | [`photo`] | images from files, within limits |
//! | [`Segment`] | the options, and the run |
//! | `regions` | small regions go to their neighbours |
//!
//! ```
//! use image::{Rgb, RgbImage};
//! use modeseek::segment::Segment;
//!
//! // Two halves, each with a little noise.
//! let image = RgbImage::from_fn(40, 20, |x, y| Rgb([if x < 20 { 60 } else { 200 } + (x * y % 5) as u8; 3]));
//! let found = Segment::new(4.0, 12.0).run(&image)?;
//! assert_eq!(found.regions.len(), 2);
//! assert_ne!(found.labels[0], found.labels[39]);
//! # Ok::<(), modeseek::Error>(())
//! ```

pub mod colour;
mod filter;
pub mod photo;
mod regions;

pub use filter::{Segment, SegmentTimes, Segmented};
pub use regions::Region;
