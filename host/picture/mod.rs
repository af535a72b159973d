//! Pictures of clusterings.
//!
//! | what | picture |
//! |---|---|
//! | [`scatter`] | points coloured by label, modes, the bandwidth; many points as density |
//! | [`Animation`] | the points gathering: a GIF, or a page that plays offline |
//! | [`trace`] | the ways of some points to their modes |
//! | [`weight_functions`] | the weights over distance |
//! | [`curves`], [`plot`] | any curves |
//!
//! All become a [`Drawing`], which is saved as PNG or SVG with its own font, and without a library of the system:
//! [`Drawing::save`]. Where points have more than two dimensions, their first two principal components are shown
//! ([`Plane`]).

mod animation;
mod axes;
mod curves;
mod density;
mod drawing;
mod letters;
pub(crate) mod numbers;
pub mod palette;
mod photograph;
mod plane;
mod raster;
mod scatter;
mod scene;
mod svg;
mod ticks;
mod trace;

pub use animation::Animation;
pub use curves::{Curve, curves, plot, weight_functions};
pub(crate) use curves::{Look, plot_as};
pub use drawing::{Anchor, Colour, Drawing, Format, Mark, Place, Rect, Shape};
pub use photograph::{PhotoFormat, save_photo};
pub use plane::Plane;
pub use scatter::{SIZE, Scatter, scatter};
pub use trace::trace;
