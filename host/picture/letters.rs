//! Text in pixels, in DejaVu Sans, which the program carries with it.

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, PxScale, ScaleFont};

use super::drawing::Anchor;

/// The font's name, for drawings whose reader may have it.
pub(super) const NAME: &str = "DejaVu Sans";

static FONT: LazyLock<FontRef<'static>> =
    LazyLock::new(|| FontRef::try_from_slice(dejavu::sans::regular()).expect("the font in the program is one"));

/// The scale at which an em is `size` pixels.
fn scale(size: f64) -> PxScale {
    let em = FONT.units_per_em().expect("the font in the program has one");
    PxScale::from(size as f32 * FONT.height_unscaled() / em)
}

/// How wide a text is.
pub(super) fn width(text: &str, size: f64) -> f64 {
    let mut end = 0.0;
    place(text, size, |_, x| end = x);
    end.into()
}

/// Where a text begins, from its place.
pub(super) fn start(anchor: Anchor, text: &str, size: f64) -> f64 {
    match anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => -width(text, size) / 2.0,
        Anchor::End => -width(text, size),
    }
}

/// The beginning of a text that is not wider than `most`, with dots if it is not all of it.
pub(super) fn fitted(text: &str, size: f64, most: f64) -> String {
    if width(text, size) <= most {
        return text.to_owned();
    }
    // Halved: a name may be as long as a file.
    let letters: Vec<char> = text.chars().collect();
    let dotted = |kept: usize| letters[..kept].iter().chain(&['…']).collect::<String>();
    let (mut fits, mut beyond) = (0, letters.len() + 1);
    while beyond - fits > 1 {
        let kept = fits.midpoint(beyond);
        if width(&dotted(kept), size) <= most { fits = kept } else { beyond = kept }
    }
    dotted(fits)
}

/// Calls `glyph` for each letter with where it begins, and at last for nothing with where the text ends.
fn place(text: &str, size: f64, mut glyph: impl FnMut(Option<ab_glyph::GlyphId>, f32)) {
    let font = FONT.as_scaled(scale(size));
    let (mut x, mut before) = (0.0, None);
    for letter in text.chars().filter(|letter| !letter.is_control()) {
        let id = font.glyph_id(letter);
        if let Some(before) = before {
            x += font.kern(before, id);
        }
        glyph(Some(id), x);
        x += font.h_advance(id);
        before = Some(id);
    }
    glyph(None, x);
}

/// Calls `pixel` for each pixel of a text: to the right of its beginning, below its base line, and how much of it is
/// covered.
pub(super) fn draw(text: &str, size: f64, mut pixel: impl FnMut(i32, i32, f32)) {
    place(text, size, |id, x| {
        let Some(id) = id else { return };
        let glyph = id.with_scale_and_position(scale(size), ab_glyph::point(x, 0.0));
        if let Some(outline) = FONT.outline_glyph(glyph) {
            let corner = outline.px_bounds().min;
            outline.draw(|x, y, coverage| {
                pixel(corner.x as i32 + x as i32, corner.y as i32 + y as i32, coverage.min(1.0));
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_as_wide_as_its_letters() {
        assert_eq!(width("", 12.0), 0.0);
        let one = width("m", 12.0);
        // DejaVu Sans has an m of 1995 units of 2048.
        assert!((one - 12.0 * 1995.0 / 2048.0).abs() < 1e-3, "{one}");
        assert!((width("mm", 12.0) - 2.0 * one).abs() < 1e-3);
        assert_eq!(fitted("bandwidth", 12.0, 200.0), "bandwidth");
        let short = fitted("bandwidth of each dimension", 12.0, 80.0);
        assert!(short.ends_with('…') && width(&short, 12.0) <= 80.0, "{short}");
        assert_eq!(fitted("bandwidth", 12.0, 0.0), "…");
        let of = width("bandwidth of…", 12.0);
        assert_eq!(fitted("bandwidth of each", 12.0, of + 0.1), "bandwidth of…");
        assert_eq!(fitted("bandwidth of each", 12.0, of - 0.1), "bandwidth o…");
        // As many letters as fit, in less time than it takes to lay out each beginning of the text.
        let long = fitted(&"m".repeat(300_000), 12.0, 100.0 * one);
        assert_eq!(long, "m".repeat(98) + "…");
    }

    #[test]
    fn letters_have_ink() {
        let mut ink = 0.0;
        draw("Ωé1\u{7}", 20.0, |_, _, coverage| ink += coverage);
        assert!(ink > 100.0, "{ink}");
    }
}
