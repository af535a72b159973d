//! Colours that people who do not see all colours can tell apart.
//!
//! Source: Okabe and Ito, Color Universal Design (2008): seven colours and black. Beyond seven clusters the colours
//! come again with other markers, so that colour is never alone to tell them.

use super::drawing::{Colour, Mark};

/// White.
pub const WHITE: Colour = [255, 255, 255, 255];

/// What text and axes are drawn in.
pub const INK: Colour = [40, 40, 40, 255];

/// The lines of a grid.
pub const FAINT: Colour = [228, 228, 228, 255];

/// Points that belong to no cluster.
pub const NOISE: Colour = [160, 160, 160, 255];

/// The lecture's marks of modes: black under magenta.
pub const MODE: [Colour; 2] = [[0, 0, 0, 255], [255, 0, 255, 255]];

/// Okabe and Ito's colours, without black: that is for modes and text. Yellow last: it is faint on white.
pub const COLOURS: [Colour; 7] = [
    [0, 114, 178, 255],
    [230, 159, 0, 255],
    [0, 158, 115, 255],
    [213, 94, 0, 255],
    [86, 180, 233, 255],
    [204, 121, 167, 255],
    [240, 228, 66, 255],
];

/// The markers, one for each time around the colours.
const MARKS: [Mark; 4] = [Mark::Disc, Mark::Square, Mark::Triangle, Mark::Diamond];

/// The colour of a label; a negative one is noise.
///
/// ```
/// use modeseek::picture::palette::{COLOURS, NOISE, colour};
///
/// assert_eq!(colour(1), COLOURS[1]);
/// assert_eq!(colour(-1), NOISE);
/// ```
pub fn colour(label: i32) -> Colour {
    usize::try_from(label).map_or(NOISE, |label| COLOURS[label % COLOURS.len()])
}

/// The marker of a label.
///
/// ```
/// use modeseek::picture::palette::{colour, mark};
///
/// // The eighth cluster has the first one's colour, and another marker.
/// assert_eq!(colour(7), colour(0));
/// assert_ne!(mark(7), mark(0));
/// ```
pub fn mark(label: i32) -> Mark {
    usize::try_from(label).map_or(Mark::Disc, |label| MARKS[label / COLOURS.len() % MARKS.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A colour as eyes without the named cones see it, in linear light. Source: Vienot, Brettel and Mollon, Digital
    /// video colourmaps for checking the legibility of displays by dichromats (1999).
    fn seen(colour: Colour, protan: bool) -> [f64; 3] {
        let linear = |value: u8| {
            let v = f64::from(value) / 255.0;
            if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        };
        let [r, g, b] = [0, 1, 2].map(|c| linear(colour[c]));
        if protan {
            let red = 0.11238 * r + 0.88762 * g;
            [red, red, 0.00401 * r - 0.00401 * g + b]
        } else {
            let red = 0.29275 * r + 0.70725 * g;
            [red, red, -0.02234 * r + 0.02234 * g + b]
        }
    }

    #[test]
    fn colours_differ_for_every_kind_of_eye() {
        for protan in [false, true] {
            for (i, &a) in COLOURS.iter().enumerate() {
                for &b in &COLOURS[..i] {
                    let (a, b) = (seen(a, protan), seen(b, protan));
                    let apart = (0..3).map(|c| (a[c] - b[c]).powi(2)).sum::<f64>().sqrt();
                    assert!(apart >= 0.08, "{a:?} and {b:?} are {apart} apart, protan: {protan}");
                }
            }
        }
    }

    #[test]
    fn labels_beyond_the_colours_have_other_marks() {
        for label in 0..28 {
            for other in 0..label {
                assert!(colour(label) != colour(other) || mark(label) != mark(other), "{label} and {other}");
            }
        }
        assert_eq!(colour(-1), NOISE);
    }
}
