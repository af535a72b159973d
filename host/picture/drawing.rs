//! A drawing: a list of shapes, which becomes an SVG or pixels.
//!
//! Lengths are in pixels of the drawing, from its upper left corner. Shapes are few, some ten thousand at most: what
//! shows more than that shows an image of counts (see [`density`](super::density)).

use std::io::Write;
use std::path::Path;

use image::{ExtendedColorType, ImageEncoder, RgbaImage};

use super::{raster, svg};
use crate::error::{Error, Result};
use crate::files::write_whole;

/// Red, green, blue and opacity.
pub type Colour = [u8; 4];

/// A place: x to the right, y down.
pub type Place = (f64, f64);

/// A rectangle.
///
/// ```
/// use modeseek::picture::{Drawing, Rect, Shape, palette::COLOURS};
///
/// let mut drawing = Drawing::new(20, 10);
/// drawing.add(Shape::Area { at: Rect { x: 10.0, y: 0.0, width: 10.0, height: 10.0 }, fill: COLOURS[0] });
/// let pixels = drawing.to_pixels();
/// assert_eq!(pixels.get_pixel(5, 5).0, [255; 4]);
/// assert_eq!(pixels.get_pixel(15, 5).0, COLOURS[0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rect {
    /// Its left side.
    pub x: f64,
    /// Its upper side.
    pub y: f64,
    /// How wide it is.
    pub width: f64,
    /// How high it is.
    pub height: f64,
}

/// The forms of a marker.
///
/// ```
/// use modeseek::picture::{Drawing, Mark, Shape, palette::INK};
///
/// let mut drawing = Drawing::new(20, 20);
/// drawing.add(Shape::Marker { at: (10.0, 10.0), radius: 8.0, mark: Mark::Square, fill: INK });
/// assert_eq!(drawing.to_pixels().get_pixel(10, 10).0, INK);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A disc.
    Disc,
    /// A square on its side.
    Square,
    /// A square on its corner.
    Diamond,
    /// A triangle on its side.
    Triangle,
    /// An x, with strokes of this many tenths of its radius.
    Cross(u8),
}

/// Which end of a text stands at its place.
///
/// ```
/// use modeseek::picture::{Anchor, Drawing};
///
/// let mut drawing = Drawing::new(200, 50);
/// // The text ends at x = 190.
/// drawing.write((190.0, 30.0), "to the right", 12.0, Anchor::End);
/// assert!(drawing.to_svg().contains("to the right"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The first letter.
    Start,
    /// The middle.
    Middle,
    /// The last letter.
    End,
}

/// What can be drawn.
///
/// ```
/// use modeseek::picture::{Drawing, Shape, palette::INK};
///
/// let mut drawing = Drawing::new(40, 40);
/// drawing.add(Shape::Ring { at: (20.0, 20.0), radii: (15.0, 10.0), width: 2.0, colour: INK });
/// drawing.add(Shape::Line { through: vec![(0.0, 0.0), (40.0, 40.0)], width: 1.0, colour: INK });
/// // The white ground is a shape too.
/// assert_eq!(drawing.shapes.len(), 3);
/// ```
#[derive(Clone, Debug)]
pub enum Shape {
    /// A filled rectangle.
    Area {
        /// Where.
        at: Rect,
        /// Its colour.
        fill: Colour,
    },
    /// A small filled form about a place.
    Marker {
        /// Where.
        at: Place,
        /// How far it reaches.
        radius: f64,
        /// Its form.
        mark: Mark,
        /// Its colour.
        fill: Colour,
    },
    /// The outline of an ellipse.
    Ring {
        /// Its middle.
        at: Place,
        /// How far it reaches to the right, and down.
        radii: (f64, f64),
        /// How wide its stroke is.
        width: f64,
        /// Its colour.
        colour: Colour,
    },
    /// Straight lines from place to place.
    Line {
        /// The places.
        through: Vec<Place>,
        /// How wide the stroke is.
        width: f64,
        /// Its colour.
        colour: Colour,
    },
    /// A line of text.
    Text {
        /// Where its base line is.
        at: Place,
        /// The letters.
        text: String,
        /// The size of its font.
        size: f64,
        /// Which end stands there.
        anchor: Anchor,
        /// Whether it runs upwards.
        upwards: bool,
        /// Its colour.
        colour: Colour,
    },
    /// Pixels, stretched over a rectangle.
    Image {
        /// Where.
        at: Rect,
        /// The pixels.
        pixels: RgbaImage,
    },
}

/// A list of shapes; later ones cover earlier ones.
///
/// ```
/// use modeseek::picture::{Anchor, Drawing};
///
/// let mut drawing = Drawing::new(120, 40);
/// drawing.write((10.0, 25.0), "two clusters", 14.0, Anchor::Start);
/// assert!(drawing.to_svg().starts_with("<svg"));
/// assert_eq!(drawing.to_pixels().dimensions(), (120, 40));
/// ```
#[derive(Clone, Debug)]
pub struct Drawing {
    /// How wide it is, in pixels.
    pub width: u32,
    /// How high it is, in pixels.
    pub height: u32,
    /// What is on it.
    pub shapes: Vec<Shape>,
}

/// What a drawing is saved as, which its file's name says.
///
/// ```
/// use std::path::Path;
///
/// use modeseek::picture::Format;
///
/// assert_eq!(Format::of(Path::new("clusters.SVG"))?, Format::Svg);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Pixels.
    Png,
    /// Shapes, for browsers and print.
    Svg,
}

impl Format {
    /// The format that a file's name ends with.
    ///
    /// ```
    /// use std::path::Path;
    ///
    /// use modeseek::picture::Format;
    ///
    /// assert_eq!(Format::of(Path::new("clusters.png"))?, Format::Png);
    /// assert!(Format::of(Path::new("clusters.pdf")).is_err());
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::PictureName`] for any other end.
    pub fn of(path: &Path) -> Result<Self> {
        match end_of(path).as_deref() {
            Some("png") => Ok(Self::Png),
            Some("svg") => Ok(Self::Svg),
            _ => Err(Error::PictureName { path: path.to_owned(), ends: ".png or .svg" }),
        }
    }
}

/// The end of a file's name behind its last dot, in small letters.
pub(super) fn end_of(path: &Path) -> Option<String> {
    path.extension().and_then(|end| end.to_str()).map(str::to_ascii_lowercase)
}

impl Drawing {
    /// A white drawing.
    ///
    /// ```
    /// use modeseek::picture::Drawing;
    ///
    /// assert_eq!(Drawing::new(3, 2).to_pixels().get_pixel(2, 1).0, [255; 4]);
    /// ```
    pub fn new(width: u32, height: u32) -> Self {
        let at = Rect { x: 0.0, y: 0.0, width: width.into(), height: height.into() };
        Self { width, height, shapes: vec![Shape::Area { at, fill: super::palette::WHITE }] }
    }

    /// Puts a shape over the others.
    ///
    /// ```
    /// use modeseek::picture::{Drawing, Mark, Shape};
    ///
    /// let mut drawing = Drawing::new(10, 10);
    /// let disc = |fill| Shape::Marker { at: (5.0, 5.0), radius: 4.0, mark: Mark::Disc, fill };
    /// drawing.add(disc([255, 0, 0, 255]));
    /// drawing.add(disc([0, 0, 255, 255]));
    /// // The last one is above.
    /// assert_eq!(drawing.to_pixels().get_pixel(5, 5).0, [0, 0, 255, 255]);
    /// ```
    pub fn add(&mut self, shape: Shape) {
        self.shapes.push(shape);
    }

    /// Adds a level line of text.
    ///
    /// ```
    /// use modeseek::picture::{Anchor, Drawing};
    ///
    /// let mut drawing = Drawing::new(100, 30);
    /// drawing.write((5.0, 20.0), "a < b", 12.0, Anchor::Start);
    /// assert!(drawing.to_svg().contains("a &lt; b"));
    /// ```
    pub fn write(&mut self, at: Place, text: impl Into<String>, size: f64, anchor: Anchor) {
        let colour = super::palette::INK;
        self.add(Shape::Text { at, text: text.into(), size, anchor, upwards: false, colour });
    }

    /// The drawing as SVG.
    ///
    /// ```
    /// use modeseek::picture::Drawing;
    ///
    /// assert!(Drawing::new(30, 20).to_svg().contains("width=\"30\""));
    /// ```
    pub fn to_svg(&self) -> String {
        svg::svg(self)
    }

    /// The drawing as pixels.
    ///
    /// ```
    /// use modeseek::picture::Drawing;
    ///
    /// assert_eq!(Drawing::new(30, 20).to_pixels().dimensions(), (30, 20));
    /// ```
    pub fn to_pixels(&self) -> RgbaImage {
        raster::pixels(self)
    }

    /// Saves the drawing as what the file's name ends with: `.png` or `.svg`.
    ///
    /// ```
    /// use modeseek::picture::Drawing;
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("white.svg");
    /// let drawing = Drawing::new(30, 20);
    /// drawing.save(&path)?;
    /// assert_eq!(std::fs::read_to_string(&path).unwrap(), drawing.to_svg());
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::PictureName`]; [`Error::WriteFile`].
    pub fn save(&self, path: &Path) -> Result<()> {
        match Format::of(path)? {
            Format::Svg => write_whole(path, |out| out.write_all(self.to_svg().as_bytes()).map_err(Error::Output)),
            Format::Png => write_whole(path, |out| write_png(&self.to_pixels(), out)),
        }
    }
}

/// Writes pixels as PNG; without opacity, if all of them are opaque.
pub(super) fn write_png(pixels: &RgbaImage, out: &mut dyn Write) -> Result<()> {
    use image::codecs::png::{CompressionType, FilterType, PngEncoder};
    let encoder = PngEncoder::new_with_quality(out, CompressionType::Best, FilterType::NoFilter);
    let (width, height) = pixels.dimensions();
    let written = if pixels.pixels().all(|pixel| pixel[3] == 255) {
        let rgb: Vec<u8> = pixels.pixels().flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
        encoder.write_image(&rgb, width, height, ExtendedColorType::Rgb8)
    } else {
        encoder.write_image(pixels, width, height, ExtendedColorType::Rgba8)
    };
    written.map_err(unwritable)
}

/// An encoder's error: what it was given is sound, so that only writing can have failed.
pub(super) fn unwritable(error: image::ImageError) -> Error {
    match error {
        image::ImageError::IoError(error) => Error::Output(error),
        other => Error::Output(std::io::Error::other(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_the_format() {
        for (name, format) in [("a.png", Format::Png), ("b/a.SVG", Format::Svg), ("a.b.png", Format::Png)] {
            assert_eq!(Format::of(Path::new(name)).unwrap(), format);
        }
        for name in ["a", "a.jpg", "png", ".svg", "a.png.txt"] {
            let error = Format::of(Path::new(name)).unwrap_err();
            assert!(error.is_usage() && error.to_string().contains(".png or .svg"), "{error}");
        }
    }

    #[test]
    fn a_saved_png_has_the_drawings_pixels() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let mut drawing = Drawing::new(40, 30);
        let at = Rect { x: 10.0, y: 5.0, width: 20.0, height: 10.0 };
        drawing.add(Shape::Area { at, fill: [200, 10, 20, 255] });
        drawing.save(&path).unwrap();
        let saved = image::open(&path).unwrap().to_rgba8();
        assert_eq!(saved, drawing.to_pixels());
        assert_eq!((saved[(9, 5)].0, saved[(10, 5)].0), ([255; 4], [200, 10, 20, 255]));
    }
}
