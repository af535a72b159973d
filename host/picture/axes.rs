//! Axes: from numbers to places in a drawing, with ticks at round numbers.

use super::drawing::{Anchor, Drawing, Place, Rect, Shape};
use super::letters;
use super::palette::{FAINT, INK};

/// The size of ticks' numbers.
const SMALL: f64 = 12.0;

/// The size of axes' names.
const MEDIUM: f64 = 13.0;

/// Two axes about a rectangle.
#[derive(Clone, Debug)]
pub struct Axes {
    /// The rectangle.
    pub area: Rect,
    /// The numbers at its left and right side.
    pub x: (f64, f64),
    /// The numbers at its lower and upper side.
    pub y: (f64, f64),
}

impl Axes {
    /// Axes that hold these ranges, with a margin of a twentieth of each.
    pub fn about(area: Rect, x: (f64, f64), y: (f64, f64)) -> Self {
        Self { area, x: widened(x), y: widened(y) }
    }

    /// The same with one scale for both, by more room about the shorter one: circles stay circles. Left as they are
    /// where one is longer than the other 25 times, and would be a line.
    pub fn with_one_scale(mut self) -> Self {
        let (per_x, per_y) = ((self.x.1 - self.x.0) / self.area.width, (self.y.1 - self.y.0) / self.area.height);
        let per = per_x.max(per_y);
        if per <= 25.0 * per_x.min(per_y) {
            self.x = lengthened(self.x, per * self.area.width);
            self.y = lengthened(self.y, per * self.area.height);
        }
        self
    }

    /// The place of two numbers.
    pub fn place(&self, x: f64, y: f64) -> Place {
        // Halved, so that the length of a range is a number.
        let part = |value: f64, (low, high): (f64, f64)| (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0);
        (self.area.x + part(x, self.x) * self.area.width, self.area.y + (1.0 - part(y, self.y)) * self.area.height)
    }

    /// Pixels for a length along each axis.
    pub fn lengths(&self, x: f64, y: f64) -> (f64, f64) {
        (x / (self.x.1 - self.x.0) * self.area.width, y / (self.y.1 - self.y.0) * self.area.height)
    }

    /// Draws a grid and the ticks' numbers; `names` below and to the left.
    pub fn draw(&self, drawing: &mut Drawing, names: [&str; 2]) {
        let Rect { x: left, y: top, width, height } = self.area;
        let (right, bottom) = (left + width, top + height);
        let mut line = |through: Vec<Place>, colour| drawing.add(Shape::Line { through, width: 1.0, colour });
        let (across, up) = (Ticks::new(self.x, (width / 90.0) as usize), Ticks::new(self.y, (height / 60.0) as usize));
        for &tick in &across.at {
            let x = self.place(tick, 0.0).0;
            line(vec![(x, top), (x, bottom)], FAINT);
        }
        for &tick in &up.at {
            let y = self.place(0.0, tick).1;
            line(vec![(left, y), (right, y)], FAINT);
        }
        line(vec![(left, top), (left, bottom), (right, bottom)], INK);
        for &tick in &across.at {
            drawing.write((self.place(tick, 0.0).0, bottom + 17.0), across.text(tick), SMALL, Anchor::Middle);
        }
        let mut widest: f64 = 0.0;
        for &tick in &up.at {
            let (text, y) = (up.text(tick), self.place(0.0, tick).1 + 4.0);
            widest = widest.max(letters::width(&text, SMALL));
            drawing.write((left - 7.0, y), text, SMALL, Anchor::End);
        }
        let below = letters::fitted(names[0], MEDIUM, width);
        drawing.write((left + width / 2.0, bottom + 38.0), below, MEDIUM, Anchor::Middle);
        drawing.add(Shape::Text {
            at: (left - widest - 18.0, top + height / 2.0),
            text: letters::fitted(names[1], MEDIUM, height),
            size: MEDIUM,
            anchor: Anchor::Middle,
            upwards: true,
            colour: INK,
        });
    }
}

/// A range with a margin; a number alone gets neighbours.
fn widened((low, high): (f64, f64)) -> (f64, f64) {
    let margin = (high / 2.0 - low / 2.0) / 10.0;
    // So much that ticks in between can be told apart.
    let least = low.abs().max(high.abs()) * 1e-9;
    let margin = if margin > least { margin } else { least.max(if low == 0.0 { 0.5 } else { low.abs() / 2.0 }) };
    ((low - margin).max(-f64::MAX), (high + margin).min(f64::MAX))
}

/// A range of this length with the same middle.
fn lengthened((low, high): (f64, f64), length: f64) -> (f64, f64) {
    let middle = low / 2.0 + high / 2.0;
    (middle - length / 2.0, middle + length / 2.0)
}

/// Round numbers in a range.
struct Ticks {
    at: Vec<f64>,
    step: f64,
}

impl Ticks {
    /// About `most` multiples of 1, 2 or 5 times a power of ten; 2 or more.
    fn new((low, high): (f64, f64), most: usize) -> Self {
        let rough = (high - low) / most.max(2) as f64;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|round| round * power).into_iter().find(|&step| step >= rough * 0.999);
        let step = step.unwrap_or(10.0 * power);
        let (first, last) = ((low / step).ceil(), (high / step).floor());
        // What is no number, or out of proportion, has no ticks.
        let count = (last - first + 1.0).clamp(0.0, 100.0);
        let at = (0..count as usize).map(|k| (first + k as f64) * step).collect();
        Self { at, step }
    }

    /// A tick's number, with as many digits as tell it from the next.
    fn text(&self, tick: f64) -> String {
        let largest = self.at.iter().fold(self.step, |largest, tick| largest.max(tick.abs()));
        if largest >= 1e6 || self.step < 1e-4 {
            let digits = (largest.log10().floor() - self.step.log10().floor()).clamp(0.0, 15.0) as usize;
            return if tick == 0.0 { "0".to_owned() } else { format!("{tick:.digits$e}") };
        }
        let digits = (-self.step.log10().floor()).max(0.0) as usize;
        let text = format!("{tick:.digits$}");
        if text.trim_start_matches('-').chars().all(|c| matches!(c, '0' | '.')) { "0".to_owned() } else { text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(range: (f64, f64), most: usize) -> Vec<String> {
        let ticks = Ticks::new(range, most);
        ticks.at.iter().map(|&tick| ticks.text(tick)).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(texts((-35.0, 35.0), 8), ["-30", "-20", "-10", "0", "10", "20", "30"]);
        assert_eq!(texts((0.0, 1.0), 5), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(texts((1e9, 1e9 + 4.0), 4).len(), 5);
        assert_eq!(texts((0.0, 3e-7), 3), ["0", "1e-7", "2e-7", "3e-7"]);
        assert!(texts((f64::NAN, 1.0), 4).is_empty());
    }

    #[test]
    fn places_are_in_the_area() {
        let area = Rect { x: 10.0, y: 20.0, width: 200.0, height: 100.0 };
        for (x, y) in [((0.0, 1.0), (5.0, 5.0)), ((-1e300, 1e300), (0.0, 0.0)), ((3.0, 3.0), (-2.0, 7.0))] {
            let axes = Axes::about(area, x, y).with_one_scale();
            for (x, y) in [(x.0, y.0), (x.1, y.1)] {
                let place = axes.place(x, y);
                assert!((10.0..=210.0).contains(&place.0) && (20.0..=120.0).contains(&place.1), "{place:?}");
            }
        }
        let axes = Axes::about(area, (0.0, 1.0), (0.0, 1.0)).with_one_scale();
        let (across, up) = axes.lengths(1.0, 1.0);
        assert!((across - up).abs() < 1e-9);
    }
}
