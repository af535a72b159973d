//! Axes: from numbers to places in a drawing, with ticks at round numbers.

use super::drawing::{Anchor, Drawing, Place, Rect, Shape};
use super::letters;
use super::palette::{FAINT, INK};
use super::ticks::Ticks;

/// The size of ticks' numbers.
const SMALL: f64 = 12.0;

/// The size of axes' names.
const MEDIUM: f64 = 13.0;

/// So many times as long as the other one axis is at most where both have one scale.
const LONGER: f64 = 25.0;

/// From an axis to the ends of its numbers on the left.
const GAP: f64 = 7.0;

/// From these numbers' beginning to the foot of the axis' name, which is written upwards.
const BESIDE: f64 = 11.0;

/// Two axes about a rectangle.
#[derive(Clone, Debug)]
pub struct Axes {
    /// The rectangle.
    pub area: Rect,
    /// The numbers at its left and right side.
    pub x: (f64, f64),
    /// The numbers at its lower and upper side.
    pub y: (f64, f64),
    /// Whether a factor is a length along the first axis, whose numbers are above 0 then.
    pub by_factor: bool,
}

impl Axes {
    /// Axes that hold these ranges, with a margin of a twentieth of each.
    pub fn about(area: Rect, x: (f64, f64), y: (f64, f64)) -> Self {
        Self { area, x: widened(x), y: widened(y), by_factor: false }
    }

    /// The same with one scale for both, by more room about the shorter one: what is `unit` long along each axis is as
    /// long on the drawing.
    pub fn with_one_scale(mut self, unit: [f64; 2]) -> Self {
        let per_x = half(self.x) / unit[0] / self.area.width;
        let per_y = half(self.y) / unit[1] / self.area.height;
        let per = per_x.max(per_y);
        self.x = lengthened(self.x, per * unit[0] * self.area.width);
        self.y = lengthened(self.y, per * unit[1] * self.area.height);
        self
    }

    /// Axes as [`about`](Self::about) has them, in an area that begins as far to the right as the numbers on its left need;
    /// with one scale of these units if that is asked for.
    pub fn fitting(area: Rect, x: (f64, f64), y: (f64, f64), one_scale: Option<[f64; 2]>) -> Self {
        let axes = |area| {
            let axes = Self::about(area, x, y);
            if let Some(unit) = one_scale { axes.with_one_scale(unit) } else { axes }
        };
        // A narrower area is another scale, which may have longer numbers: until it stays.
        let mut area = area;
        for _ in 0..4 {
            let found = axes(area).with_room();
            if found.area == area {
                return found;
            }
            area = found.area;
        }
        axes(area)
    }

    /// The same in an area that begins as far to the right as the numbers on its left, and the axis' name, need.
    pub fn with_room(mut self) -> Self {
        let texts = self.upwards().texts();
        let widest = texts.iter().map(|text| letters::width(text, SMALL)).fold(0.0, f64::max);
        let needed = widest + GAP + BESIDE + MEDIUM;
        // However long they are, most of the area stays.
        let missing = (needed - self.area.x).clamp(0.0, self.area.width / 2.0);
        self.area.x += missing;
        self.area.width -= missing;
        self
    }

    /// The ticks of the first axis.
    fn across(&self) -> Ticks {
        let most = (self.area.width / 90.0) as usize;
        if self.by_factor { Ticks::by_factor(self.x, most) } else { Ticks::new(self.x, most) }
    }

    /// The ticks of the second axis; of a low one closer, that it has some.
    fn upwards(&self) -> Ticks {
        Ticks::new(self.y, (self.area.height / 60.0).max(4.0) as usize)
    }

    /// The place of two numbers.
    pub fn place(&self, x: f64, y: f64) -> Place {
        let part = |value: f64, range: (f64, f64)| half((range.0, value)) / half(range);
        let along = match self.by_factor {
            true => part(x.ln(), (self.x.0.ln(), self.x.1.ln())),
            false => part(x, self.x),
        };
        (self.area.x + along * self.area.width, self.area.y + (1.0 - part(y, self.y)) * self.area.height)
    }

    /// Pixels for a length along each axis.
    pub fn lengths(&self, x: f64, y: f64) -> (f64, f64) {
        (x / 2.0 / half(self.x) * self.area.width, y / 2.0 / half(self.y) * self.area.height)
    }

    /// Draws a grid and the ticks' numbers; `names` below and to the left; at an axis' end, what is to be added to its
    /// numbers where they are large.
    pub fn draw(&self, drawing: &mut Drawing, names: [&str; 2]) {
        let Rect { x: left, y: top, width, height } = self.area;
        let (right, bottom) = (left + width, top + height);
        let mut line = |through: Vec<Place>, colour| drawing.add(Shape::Line { through, width: 1.0, colour });
        let (across, up) = (self.across(), self.upwards());
        for &tick in &across.at {
            let x = self.place(tick, self.y.0).0;
            line(vec![(x, top), (x, bottom)], FAINT);
        }
        for &tick in &up.at {
            let y = self.place(self.x.0, tick).1;
            line(vec![(left, y), (right, y)], FAINT);
        }
        line(vec![(left, top), (left, bottom), (right, bottom)], INK);
        for (&tick, text) in across.at.iter().zip(across.texts()) {
            drawing.write((self.place(tick, self.y.0).0, bottom + 17.0), text, SMALL, Anchor::Middle);
        }
        let mut widest: f64 = 0.0;
        for (&tick, text) in up.at.iter().zip(up.texts()) {
            widest = widest.max(letters::width(&text, SMALL));
            drawing.write((left - GAP, self.place(self.x.0, tick).1 + 4.0), text, SMALL, Anchor::End);
        }
        if let Some(from) = up.from() {
            // To the left of a title, unless it is long.
            let begin = (left - GAP - letters::width(&from, SMALL)).max(4.0);
            drawing.write((begin, top - 5.0), from, SMALL, Anchor::Start);
        }
        let mut room = width;
        if let Some(from) = across.from() {
            // The name, in the middle, is not to meet it.
            room -= 2.0 * (letters::width(&from, SMALL) + 10.0);
            drawing.write((right, bottom + 38.0), from, SMALL, Anchor::End);
        }
        let below = letters::fitted(names[0], MEDIUM, room);
        drawing.write((left + width / 2.0, bottom + 38.0), below, MEDIUM, Anchor::Middle);
        drawing.add(Shape::Text {
            at: (left - widest - GAP - BESIDE, top + height / 2.0),
            text: letters::fitted(names[1], MEDIUM, height),
            size: MEDIUM,
            anchor: Anchor::Middle,
            upwards: true,
            colour: INK,
        });
    }
}

/// The unit of one scale for what extends over these ranges, if that is one: none where one is longer than the other
/// [`LONGER`] times, and would be a line. Of what is drawn, not of the axes: more room hides how long each is.
pub(super) fn one_scale(x: (f64, f64), y: (f64, f64), unit: [f64; 2]) -> Option<[f64; 2]> {
    let (across, up) = (half(x) / unit[0], half(y) / unit[1]);
    (across.max(up) <= LONGER * across.min(up)).then_some(unit)
}

/// Half as long as a range is: the whole of a wide one may be no number.
pub(super) fn half((low, high): (f64, f64)) -> f64 {
    high / 2.0 - low / 2.0
}

/// A range with a margin; a number alone gets neighbours.
fn widened((low, high): (f64, f64)) -> (f64, f64) {
    let margin = if low == high {
        if low == 0.0 { 0.5 } else { low.abs() / 2.0 }
    } else {
        // So much that f64 holds ticks in between.
        let least = low.abs().max(high.abs()) * 1e-13;
        (half((low, high)) / 10.0).max(least)
    };
    held((low - margin, high + margin))
}

/// A range of this half length with the same middle.
fn lengthened((low, high): (f64, f64), half: f64) -> (f64, f64) {
    let middle = low / 2.0 + high / 2.0;
    held((middle - half, middle + half))
}

/// A range as far as numbers go.
fn held((low, high): (f64, f64)) -> (f64, f64) {
    (low.max(-f64::MAX), high.min(f64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_in_the_area() {
        let area = Rect { x: 10.0, y: 20.0, width: 200.0, height: 100.0 };
        for (x, y) in [((0.0, 1.0), (5.0, 5.0)), ((-1e300, 1e300), (0.0, 0.0)), ((3.0, 3.0), (-2.0, 7.0))] {
            let axes = Axes::about(area, x, y).with_one_scale([1.0; 2]);
            for (x, y) in [(x.0, y.0), (x.1, y.1)] {
                let place = axes.place(x, y);
                assert!((10.0..=210.0).contains(&place.0) && (20.0..=120.0).contains(&place.1), "{place:?}");
            }
        }
        for unit in [[1.0, 1.0], [1.0, 4.0], [1e-5, 1e-4]] {
            let axes = Axes::about(area, (0.0, 1.0), (0.0, 1.0)).with_one_scale(unit);
            let (across, up) = axes.lengths(unit[0], unit[1]);
            assert!((across / up - 1.0).abs() < 1e-9, "{unit:?}: {across} {up}");
        }
    }

    /// However wide ranges are, of which the whole length is no number any more.
    #[test]
    fn whatever_numbers_hold_is_drawn() {
        let most = (-f64::MAX, f64::MAX);
        for (x, y) in [(most, most), ((-1.5e308, 1.5e308), (0.0, 1.0)), ((1e308, 1.2e308), most)] {
            for one_scale in [None, Some([1.0; 2]), Some([f64::MAX, 1.0])] {
                for width in [100.0, 600.0] {
                    let area = Rect { x: 100.0, y: 20.0, width, height: 300.0 };
                    let axes = Axes::fitting(area, x, y, one_scale);
                    let mut drawing = Drawing::new(800, 400);
                    axes.draw(&mut drawing, ["across", "up"]);
                    let (svg, lengths) = (drawing.to_svg(), axes.lengths(1e308, 1e308));
                    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{x:?} {y:?} {one_scale:?}: {svg}");
                    assert!(lengths.0 > 0.0 && lengths.1 > 0.0, "{lengths:?}");
                    assert!(!axes.across().at.is_empty() && axes.upwards().at.len() > 1, "{x:?} {y:?} {one_scale:?}");
                }
            }
        }
    }

    /// Far from the origin as near it: f64 tells apart what is 1e-13 of the offset.
    #[test]
    fn ranges_far_from_the_origin_fill_the_area() {
        let area = Rect { x: 0.0, y: 0.0, width: 200.0, height: 100.0 };
        for (x, y) in [((1.7e9, 1.7e9 + 10.0), (0.0, 10.0)), ((1e6 - 0.01, 1e6 + 0.01), (-1e9, -1e9 + 0.01))] {
            let axes = Axes::about(area, x, y);
            let (low, high) = (axes.place(x.0, y.0), axes.place(x.1, y.1));
            assert!((high.0 - low.0 - 200.0 / 1.1).abs() < 0.1, "{low:?} {high:?}");
            assert!((low.1 - high.1 - 100.0 / 1.1).abs() < 0.1, "{low:?} {high:?}");
        }
    }

    /// Whatever the numbers, they and the name beside them lie on the drawing.
    #[test]
    fn numbers_have_room() {
        let area = Rect { x: 40.0, y: 50.0, width: 300.0, height: 300.0 };
        let ranges =
            [(0.0, 60.0), (1.7e9, 1.7e9 + 60.0), (-12_999.0, -12_345.0), (-3e-7, 2e-7), (123_456.0, 923_456.0)];
        for y in ranges {
            for one_scale in [None, Some([1.0, 1.0]), Some([1.0, 3.0])] {
                let axes = Axes::fitting(area, (0.0, 60.0), y, one_scale);
                assert!((axes.area.x + axes.area.width - 340.0).abs() < 1e-9, "the right side stays");
                let mut drawing = Drawing::new(400, 400);
                axes.draw(&mut drawing, ["across", "up"]);
                for shape in &drawing.shapes {
                    if let Shape::Text { at, text, size, anchor, upwards, .. } = shape {
                        let from = if *upwards { at.0 - size } else { at.0 + letters::start(*anchor, text, *size) };
                        assert!(from >= 0.0, "{y:?}: {text:?} begins at {from}");
                    }
                }
            }
        }
    }
}
