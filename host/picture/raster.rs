//! Shapes to pixels, with soft edges.
//!
//! Every shape has a signed distance from its edge, negative within; a pixel is covered by what of it is within,
//! taken as 1/2 - distance between 0 and 1.

use image::{Rgba, RgbaImage};

use super::drawing::{Colour, Drawing, Mark, Place, Rect, Shape};
use super::letters;

/// The drawing as pixels.
pub(super) fn pixels(drawing: &Drawing) -> RgbaImage {
    let mut canvas = Canvas(RgbaImage::from_pixel(drawing.width, drawing.height, Rgba(super::palette::WHITE)));
    for shape in &drawing.shapes {
        canvas.draw(shape);
    }
    canvas.0
}

struct Canvas(RgbaImage);

impl Canvas {
    fn draw(&mut self, shape: &Shape) {
        match shape {
            Shape::Area { at, fill } => self.area(*at, *fill),
            Shape::Marker { at, radius, mark, fill } => {
                // The corners of a triangle reach farthest.
                let reach = 2.0 * TRIANGLE * radius;
                self.fill(around(*at, (reach, reach)), *fill, |x, y| {
                    marker_distance(*mark, x - at.0, y - at.1, *radius)
                });
            }
            Shape::Ring { at, radii, width, colour } => {
                let reach = (radii.0 + width, radii.1 + width);
                self.fill(around(*at, reach), *colour, |x, y| {
                    ellipse_distance(x - at.0, y - at.1, *radii).abs() - width / 2.0
                });
            }
            Shape::Line { through, width, colour } => {
                for pair in through.windows(2) {
                    let (a, b) = (pair[0], pair[1]);
                    let low = (a.0.min(b.0) - width, a.1.min(b.1) - width);
                    let high = (a.0.max(b.0) + width, a.1.max(b.1) + width);
                    self.fill((low, high), *colour, |x, y| segment_distance((x, y), a, b) - width / 2.0);
                }
            }
            Shape::Text { at, text, size, anchor, upwards, colour } => {
                let start = letters::start(*anchor, text, *size);
                letters::draw(text, *size, |x, y, coverage| {
                    let (x, y) = (f64::from(x) + start, f64::from(y));
                    // Text that runs upwards is turned by a right angle, pixel by pixel.
                    let (x, y) = if *upwards { (at.0 + y, at.1 - x) } else { (at.0 + x, at.1 + y) };
                    self.blend(x.round() as i64, y.round() as i64, *colour, f64::from(coverage));
                });
            }
            Shape::Image { at, pixels } => self.image(*at, pixels),
        }
    }

    /// Lays a colour over a pixel, if there is one.
    fn blend(&mut self, x: i64, y: i64, colour: Colour, coverage: f64) {
        let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { return };
        let Some(pixel) = self.0.get_pixel_mut_checked(x, y) else { return };
        // Eighths are as soft as an eye can tell, and leave few colours, of which files are small.
        let opacity = (coverage * 8.0).round() / 8.0 * f64::from(colour[3]) / 255.0;
        for c in 0..3 {
            let (below, above) = (f64::from(pixel[c]), f64::from(colour[c]));
            pixel[c] = (below + (above - below) * opacity).round() as u8;
        }
    }

    /// Colours the pixels of a box by their distance from a shape's edge.
    fn fill(&mut self, (low, high): (Place, Place), colour: Colour, distance: impl Fn(f64, f64) -> f64) {
        let side = |value: f64, most: u32| value.clamp(0.0, f64::from(most)) as u32;
        let (left, right) = (side(low.0 - 1.0, self.0.width()), side(high.0 + 2.0, self.0.width()));
        let (top, bottom) = (side(low.1 - 1.0, self.0.height()), side(high.1 + 2.0, self.0.height()));
        for y in top..bottom {
            for x in left..right {
                let coverage = (0.5 - distance(f64::from(x) + 0.5, f64::from(y) + 0.5)).clamp(0.0, 1.0);
                if coverage > 0.0 {
                    self.blend(x.into(), y.into(), colour, coverage);
                }
            }
        }
    }

    fn area(&mut self, at: Rect, fill: Colour) {
        let middle = (at.x + at.width / 2.0, at.y + at.height / 2.0);
        let radii = (at.width / 2.0, at.height / 2.0);
        self.fill(around(middle, radii), fill, |x, y| {
            ((x - middle.0).abs() - radii.0).max((y - middle.1).abs() - radii.1)
        });
    }

    fn image(&mut self, at: Rect, pixels: &RgbaImage) {
        if pixels.is_empty() {
            return;
        }
        let (columns, rows) = (f64::from(pixels.width()), f64::from(pixels.height()));
        for y in at.y.round() as i64..(at.y + at.height).round() as i64 {
            for x in at.x.round() as i64..(at.x + at.width).round() as i64 {
                let column = ((x as f64 + 0.5 - at.x) / at.width * columns).clamp(0.0, columns - 1.0);
                let row = ((y as f64 + 0.5 - at.y) / at.height * rows).clamp(0.0, rows - 1.0);
                self.blend(x, y, pixels[(column as u32, row as u32)].0, 1.0);
            }
        }
    }
}

/// The box about a place.
fn around(at: Place, radii: (f64, f64)) -> (Place, Place) {
    ((at.0 - radii.0, at.1 - radii.1), (at.0 + radii.0, at.1 + radii.1))
}

/// How far a place is from a segment.
fn segment_distance(at: Place, a: Place, b: Place) -> f64 {
    let (along, to) = ((b.0 - a.0, b.1 - a.1), (at.0 - a.0, at.1 - a.1));
    let length = along.0 * along.0 + along.1 * along.1;
    let t = if length > 0.0 { ((to.0 * along.0 + to.1 * along.1) / length).clamp(0.0, 1.0) } else { 0.0 };
    (to.0 - t * along.0).hypot(to.1 - t * along.1)
}

/// How far a place is from an ellipse about the origin, near its edge.
fn ellipse_distance(x: f64, y: f64, radii: (f64, f64)) -> f64 {
    let (u, v) = (x / radii.0, y / radii.1);
    let size = u.hypot(v);
    let slope = (u / radii.0).hypot(v / radii.1);
    if slope > 0.0 { size * (size - 1.0) / slope } else { -radii.0.min(radii.1) }
}

/// How far a place is from the edge of a marker about the origin. Squares, diamonds and triangles are as large as the
/// disc of that radius.
fn marker_distance(mark: Mark, x: f64, y: f64, radius: f64) -> f64 {
    match mark {
        Mark::Disc => x.hypot(y) - radius,
        Mark::Square => x.abs().max(y.abs()) - radius * SQUARE,
        Mark::Diamond => (x.abs() + y.abs()) * std::f64::consts::FRAC_1_SQRT_2 - radius * SQUARE,
        Mark::Triangle => {
            let side = x.abs() * 3_f64.sqrt() / 2.0 - y / 2.0;
            y.max(side) - radius * TRIANGLE
        }
        Mark::Cross(tenths) => {
            let arm = radius * std::f64::consts::FRAC_1_SQRT_2;
            let stroke = |a, b| segment_distance((x, y), a, b);
            stroke((-arm, -arm), (arm, arm)).min(stroke((-arm, arm), (arm, -arm))) - radius * f64::from(tenths) / 20.0
        }
    }
}

/// Half the side of a square as large as a disc of radius 1, pi^(1/2) / 2.
pub(super) const SQUARE: f64 = 0.886;

/// The inner radius of a triangle as large as a disc of radius 1, (pi / 3^(3/2))^(1/2).
pub(super) const TRIANGLE: f64 = 0.778;

#[cfg(test)]
mod tests {
    use super::*;

    /// The pixels that a shape covers, in all.
    fn covered(shape: Shape) -> f64 {
        let mut drawing = Drawing::new(60, 60);
        drawing.add(shape);
        let black = |pixel: &Rgba<u8>| f64::from(255 - pixel[0]) / 255.0;
        pixels(&drawing).pixels().map(black).sum()
    }

    const BLACK: Colour = [0, 0, 0, 255];

    #[test]
    fn shapes_cover_their_area() {
        let disc = std::f64::consts::PI * 100.0;
        for mark in [Mark::Disc, Mark::Square, Mark::Diamond, Mark::Triangle] {
            let found = covered(Shape::Marker { at: (30.3, 29.6), radius: 10.0, mark, fill: BLACK });
            assert!((found - disc).abs() <= 0.02 * disc, "{mark:?}: {found}");
        }
        let found = covered(Shape::Ring { at: (30.0, 30.0), radii: (20.0, 20.0), width: 2.0, colour: BLACK });
        assert!((found - 80.0 * std::f64::consts::PI).abs() <= 4.0, "{found}");
        let through = vec![(10.0, 10.0), (50.0, 40.0)];
        let found = covered(Shape::Line { through, width: 2.0, colour: BLACK });
        assert!((found - 103.1).abs() <= 3.0, "{found}");
        let at = Rect { x: 10.5, y: 10.0, width: 5.0, height: 4.0 };
        let found = covered(Shape::Area { at, fill: BLACK });
        assert!((found - 20.0).abs() <= 0.1, "{found}");
    }

    #[test]
    fn an_image_without_pixels_covers_nothing() {
        for (width, height) in [(0, 0), (0, 3), (3, 0)] {
            let (at, pixels) = (Rect { x: 5.0, y: 5.0, width: 9.0, height: 9.0 }, RgbaImage::new(width, height));
            assert_eq!(covered(Shape::Image { at, pixels }), 0.0, "{width} x {height}");
        }
    }

    #[test]
    fn what_is_outside_is_left_out() {
        for at in [(-1e9, 5.0), (5.0, 1e9), (f64::NAN, 5.0), (-3.0, -3.0)] {
            let found = covered(Shape::Marker { at, radius: 2.0, mark: Mark::Disc, fill: BLACK });
            assert_eq!(found, 0.0, "{at:?}");
        }
    }
}
