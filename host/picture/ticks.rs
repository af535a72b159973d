//! Ticks: round numbers in a range, and how they are written.

use super::axes::half;
use super::numbers;

/// Numbers of a power of ten that are ticks of an axis on which a factor is a length.
const OF_TEN: [f64; 3] = [1.0, 2.0, 5.0];

/// From so many steps on a tick's number is not written in full: it would be longer than what tells it from the next.
const LONG: f64 = 1e5;

/// Round numbers in a range.
pub(super) struct Ticks {
    /// Where they are.
    pub at: Vec<f64>,
    /// From one to the next; NaN where they are a factor apart.
    step: f64,
    /// What the numbers that are written are counted from: 0, or a round number near all of them.
    from: f64,
    /// As many digits as say it.
    from_digits: usize,
}

impl Ticks {
    /// About `most` multiples of 1, 2 or 5 times a power of ten; 2 or more.
    pub fn new((low, high): (f64, f64), most: usize) -> Self {
        let rough = half((low, high)) / (most.max(2) as f64 / 2.0);
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|round| round * power).into_iter().find(|&step| step >= rough * 0.999);
        let step = step.unwrap_or(10.0 * power).min(f64::MAX);
        let (first, last) = ((low / step).ceil(), (high / step).floor());
        // What is no number, or out of proportion, has no ticks.
        let count = (last - first + 1.0).clamp(0.0, 100.0);
        let at = (0..count as usize).map(|k| (first + k as f64) * step).collect();
        let (mut from, mut from_digits) = (0.0, 0);
        let largest = low.abs().max(high.abs());
        if count > 0.0 && largest >= LONG * step {
            let unit = (high - low).log10().ceil();
            from = ((low / 2.0 + high / 2.0) / 10_f64.powf(unit)).round() * 10_f64.powf(unit);
            from_digits = (from.abs().log10().floor() - unit).clamp(0.0, 16.0) as usize;
        }
        Self { at, step, from, from_digits }
    }

    /// The same for an axis on which a factor is a length: 1, 2 and 5 times powers of ten, or powers of ten alone, every
    /// few where they are many. Where hardly any of them are within the range, as above.
    pub fn by_factor((low, high): (f64, f64), most: usize) -> Self {
        let powers = low.log10().floor() as i32..=high.log10().ceil() as i32;
        let within = |tick: &f64| (low * 0.999..=high * 1.001).contains(tick);
        let every = |step: usize, of_ten: &[f64]| -> Vec<f64> {
            let at = |power: i32| of_ten.iter().map(move |of| format!("{of}e{power}").parse().unwrap_or(f64::NAN));
            powers.clone().filter(|power| power.rem_euclid(step as i32) == 0).flat_map(at).filter(within).collect()
        };
        let fine = every(1, &OF_TEN);
        if fine.len() < 3 {
            return Self::new((low, high), most);
        }
        let at = if fine.len() <= most + 2 {
            fine
        } else {
            every(powers.clone().count().div_ceil(most.max(2)), &OF_TEN[..1])
        };
        Self { at, step: f64::NAN, from: 0.0, from_digits: 0 }
    }

    /// The ticks' numbers, with as many digits as tell each from the next; of large ones, what they are beyond
    /// [`from`](Self::from).
    pub fn texts(&self) -> Vec<String> {
        if self.step.is_nan() {
            return self.at.iter().map(|&tick| numbers::short(tick)).collect();
        }
        // Both are multiples of the step, which a difference of large numbers would be but nearly.
        let from = (self.from / self.step).round();
        let beyond: Vec<f64> = self.at.iter().map(|tick| ((tick / self.step).round() - from) * self.step).collect();
        let largest = beyond.iter().fold(self.step, |largest, tick| largest.max(tick.abs()));
        beyond.iter().map(|&tick| self.text(tick, largest)).collect()
    }

    fn text(&self, tick: f64, largest: f64) -> String {
        if largest >= 1e6 || self.step < 1e-4 {
            let digits = (largest.log10().floor() - self.step.log10().floor()).clamp(0.0, 15.0) as usize;
            return if tick == 0.0 { "0".to_owned() } else { format!("{tick:.digits$e}") };
        }
        let digits = (-self.step.log10().floor()).max(0.0) as usize;
        let text = format!("{tick:.digits$}");
        if text.trim_start_matches('-').chars().all(|c| matches!(c, '0' | '.')) { "0".to_owned() } else { text }
    }

    /// What is to be added to the ticks' numbers, if that is not 0: in the shorter notation.
    pub fn from(&self) -> Option<String> {
        if self.from == 0.0 {
            return None;
        }
        // The nearest number of so few digits has no others, however it was computed.
        let round = format!("{:.*e}", self.from_digits, self.from).parse().unwrap_or(self.from);
        let (full, short) = (format!("{round:+}"), format!("{round:+e}"));
        Some(if full.len() <= short.len() { full } else { short })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(range: (f64, f64), most: usize) -> Vec<String> {
        Ticks::new(range, most).texts()
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
    fn ticks_are_a_factor_apart() {
        let texts = |range, most| Ticks::by_factor(range, most).texts();
        assert_eq!(texts((0.26, 10.3), 7), ["0.5", "1", "2", "5", "10"]);
        assert_eq!(texts((1.0, 1000.0), 4), ["1", "10", "100", "1000"]);
        assert_eq!(texts((1e-9, 1e9), 4), ["1e-5", "1", "100000"]);
        assert_eq!(texts((1e-30, 1e30), 4), ["1e-16", "1", "1e16"]);
        // As on any axis where these are too few.
        assert_eq!(texts((2.0, 3.0), 5), ["2.0", "2.2", "2.4", "2.6", "2.8", "3.0"]);
    }

    /// What large numbers have in common stands once, at the end of the axis.
    #[test]
    fn ticks_far_from_zero_are_short() {
        for (range, from, numbers) in [
            // A minute of Unix time; a stretch of no round beginning; below zero; fine beside 1; and about the smallest that
            // is told apart at all.
            ((1.7e9, 1.7e9 + 60.0), "+1.7e9", ["0", "20", "40", "60"]),
            ((1_700_000_123.0, 1_700_000_129.0), "+1700000130", ["-6", "-4", "-2", ""]),
            ((-40_000_003.0, -39_999_998.0), "-4e7", ["-2", "0", "2", ""]),
            ((1e6 - 0.01, 1e6 + 0.01), "+1e6", ["-0.010", "-0.005", "0", "0.005"]),
            ((1e9, 1e9 + 6e-4), "+1e9", ["0", "0.0002", "0.0004", "0.0006"]),
        ] {
            let ticks = Ticks::new(range, 4);
            assert_eq!(ticks.from().as_deref(), Some(from), "{range:?}");
            let numbers: Vec<&str> = numbers.into_iter().filter(|number| !number.is_empty()).collect();
            assert_eq!(ticks.texts()[..numbers.len()], numbers, "{range:?}");
        }
        for range in [(-35.0, 35.0), (1990.0, 2020.0), (12_000.0, 12_100.0), (1e6, 3e6), (-2e9, 1e9)] {
            assert_eq!(Ticks::new(range, 5).from(), None, "{range:?}");
        }
    }
}
