//! Shapes to SVG.

use std::fmt::Write;

use super::drawing::{Anchor, Colour, Drawing, Mark, Place, Shape, write_png};
use super::letters;
use super::raster::{SQUARE, TRIANGLE};

/// The drawing as SVG.
pub(super) fn svg(drawing: &Drawing) -> String {
    let Drawing { width, height, shapes } = drawing;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"'{}', sans-serif\">\n",
        letters::NAME
    );
    for shape in shapes {
        element(&mut out, shape).expect("text can always be added to a string");
    }
    out.push_str("</svg>\n");
    out
}

/// A number as short as a picture needs it.
fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// A colour as an attribute, and its opacity where it is not opaque.
fn paint(attribute: &str, [r, g, b, opacity]: Colour) -> String {
    let mut text = format!("{attribute}=\"#{r:02x}{g:02x}{b:02x}\"");
    if opacity < 255 {
        text += &format!(" {attribute}-opacity=\"{}\"", short(f64::from(opacity) / 255.0));
    }
    text
}

fn points(through: &[Place]) -> String {
    let places: Vec<_> = through.iter().map(|(x, y)| format!("{},{}", short(*x), short(*y))).collect();
    places.join(" ")
}

/// The letters of a text that XML can hold.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars().filter(|letter| !letter.is_control()) {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // Characters that XML does not have.
            '\u{fffe}' | '\u{ffff}' => {}
            other => out.push(other),
        }
    }
    out
}

fn element(out: &mut String, shape: &Shape) -> std::fmt::Result {
    match shape {
        Shape::Area { at, fill } => {
            let [x, y, width, height] = [at.x, at.y, at.width, at.height].map(short);
            writeln!(out, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" {}/>", paint("fill", *fill))
        }
        Shape::Marker { at, radius, mark, fill } => marker(out, *at, *radius, *mark, *fill),
        Shape::Ring { at, radii, width, colour } => {
            let [cx, cy, rx, ry, width] = [at.0, at.1, radii.0, radii.1, *width].map(short);
            let stroke = paint("stroke", *colour);
            writeln!(
                out,
                "<ellipse cx=\"{cx}\" cy=\"{cy}\" rx=\"{rx}\" ry=\"{ry}\" fill=\"none\" stroke-width=\"{width}\" {stroke}/>"
            )
        }
        Shape::Line { through, width, colour } => writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke-linejoin=\"round\" stroke-linecap=\"round\" stroke-width=\"{}\" {}/>",
            points(through),
            short(*width),
            paint("stroke", *colour)
        ),
        Shape::Text { at, text, size, anchor, upwards, colour } => {
            let anchor = match anchor {
                Anchor::Start => "start",
                Anchor::Middle => "middle",
                Anchor::End => "end",
            };
            let (x, y) = (short(at.0), short(at.1));
            let turned = if *upwards { format!(" transform=\"rotate(-90 {x} {y})\"") } else { String::new() };
            writeln!(
                out,
                "<text x=\"{x}\" y=\"{y}\" font-size=\"{}\" text-anchor=\"{anchor}\"{turned} {}>{}</text>",
                short(*size),
                paint("fill", *colour),
                escaped(text)
            )
        }
        // No PNG is of no pixels.
        Shape::Image { pixels, .. } if pixels.is_empty() => Ok(()),
        Shape::Image { at, pixels } => {
            let mut png = Vec::new();
            write_png(pixels, &mut png).expect("memory can be written to");
            let [x, y, width, height] = [at.x, at.y, at.width, at.height].map(short);
            writeln!(
                out,
                "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" preserveAspectRatio=\"none\" \
                 style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{}\"/>",
                base64(&png)
            )
        }
    }
}

fn marker(out: &mut String, at: Place, radius: f64, mark: Mark, fill: Colour) -> std::fmt::Result {
    let corners = |corners: &[Place]| {
        let moved: Vec<_> = corners.iter().map(|(x, y)| (at.0 + x * radius, at.1 + y * radius)).collect();
        points(&moved)
    };
    let polygon = |places: &[Place]| format!("<polygon points=\"{}\" {}/>", corners(places), paint("fill", fill));
    let text = match mark {
        Mark::Disc => {
            let [cx, cy, r] = [at.0, at.1, radius].map(short);
            format!("<circle cx=\"{cx}\" cy=\"{cy}\" r=\"{r}\" {}/>", paint("fill", fill))
        }
        Mark::Square => polygon(&[(-SQUARE, -SQUARE), (SQUARE, -SQUARE), (SQUARE, SQUARE), (-SQUARE, SQUARE)]),
        Mark::Diamond => {
            let far = SQUARE * std::f64::consts::SQRT_2;
            polygon(&[(0.0, -far), (far, 0.0), (0.0, far), (-far, 0.0)])
        }
        Mark::Triangle => {
            let half = TRIANGLE * 3_f64.sqrt();
            polygon(&[(0.0, -2.0 * TRIANGLE), (half, TRIANGLE), (-half, TRIANGLE)])
        }
        Mark::Cross(tenths) => {
            let arm = std::f64::consts::FRAC_1_SQRT_2;
            let stroke = |a, b| {
                let (points, width) = (corners(&[a, b]), short(radius * f64::from(tenths) / 10.0));
                let colour = paint("stroke", fill);
                format!("<polyline points=\"{points}\" stroke-linecap=\"round\" stroke-width=\"{width}\" {colour}/>")
            };
            stroke((-arm, -arm), (arm, arm)) + &stroke((-arm, arm), (arm, -arm))
        }
    };
    writeln!(out, "{text}")
}

/// Bytes in base 64, as a browser takes them within a text (RFC 4648).
pub(super) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let at = |i: usize| u32::from(three.get(i).copied().unwrap_or(0));
        let word = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            let value = (word >> (18 - 6 * digit)) as usize & 63;
            out.push(if digit > three.len() { '=' } else { DIGITS[value].into() });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648's own examples.
    #[test]
    fn bytes_in_base_64() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn text_cannot_break_out() {
        let mut drawing = Drawing::new(10, 10);
        drawing.write((1.0, 2.0), "a<b>&\"c\"\u{1}", 9.0, Anchor::End);
        let svg = drawing.to_svg();
        assert!(svg.contains(">a&lt;b&gt;&amp;&quot;c&quot;</text>"), "{svg}");
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [(1.0, "1"), (0.126, "0.13"), (-0.001, "0"), (100.0, "100"), (2.5, "2.5")] {
            assert_eq!(short(value), text);
        }
    }
}
