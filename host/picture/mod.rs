//! Pictures of clusterings.
//!
//! | what | picture |
//! |---|---|
//! | [`scatter`] | points coloured by label, modes, the bandwidth; many points as density |
//! | [`weight_functions`] | the weights over distance |
//!
//! All become a [`Drawing`], which is saved as PNG or SVG with its own font, and without a library of the system:
//! [`Drawing::save`]. Where points have more than two dimensions, their first two principal components are shown
//! ([`Plane`]).

mod axes;
mod curves;
mod density;
mod drawing;
mod letters;
pub mod palette;
mod plane;
mod raster;
mod scatter;
mod svg;

pub use curves::{Curve, curves, weight_functions};
pub use drawing::{Anchor, Colour, Drawing, Format, Mark, Place, Rect, Shape};
pub use plane::Plane;
pub use scatter::{SIZE, Scatter, scatter};
