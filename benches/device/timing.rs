//! How long one repeat takes: warm-up, samples, and estimates before either.

use std::time::{Duration, Instant};

use super::args::Effort;
use super::subject::Measured;
use super::{Outcome, caught};

/// Warm-up ends after so long, or so many samples.
const WARM_UP: (f64, u32) = (0.05, 20);

/// The most samples of one pass.
const MOST_SAMPLES: usize = 200;

/// Samples that are taken even where they exceed the time, unless they are as long as it.
const FEWEST_SAMPLES: usize = 5;

/// The most repeats of one sample.
const MOST_REPEATS: f64 = 10_000.0;

/// A probe that takes so long tells the rate.
const PROBE: f64 = 0.05;

/// What can be measured, and its samples of this pass; or why it failed.
pub struct Member<'a> {
    pub measured: Box<dyn Measured + 'a>,
    pub result: Outcome<Vec<f64>>,
    repeats: u32,
}

impl<'a> Member<'a> {
    pub fn new(measured: Box<dyn Measured + 'a>) -> Self {
        Self { measured, result: Ok(Vec::new()), repeats: 1 }
    }

    /// Runs until clocks and caches are as they will be; how long one repeat takes then.
    fn warm_up(&mut self, effort: &Effort) -> Outcome<f64> {
        let (mut last, mut all) = (self.measured.time(1)?, 0.0);
        for _ in 1..WARM_UP.1 {
            all += last;
            if all >= WARM_UP.0 || effort.tried {
                break;
            }
            last = self.measured.time(1)?;
        }
        Ok(last)
    }

    fn sample(&mut self) {
        let repeats = self.repeats;
        if let Ok(samples) = &mut self.result {
            match caught(|| self.measured.time(repeats)) {
                Ok(seconds) => samples.push(seconds / f64::from(repeats)),
                Err(why) => self.result = Err(why),
            }
        }
    }
}

/// Takes samples of all members in turn, so that they see the same noise, for one pass.
pub fn sample(members: &mut [Member<'_>], effort: &Effort) {
    let least = members.iter().map(|member| member.measured.least_sample()).fold(0.0, f64::max);
    for member in members.iter_mut() {
        match caught(|| member.warm_up(effort)) {
            Ok(_) if effort.tried => member.repeats = 2,
            Ok(one) => member.repeats = (least / one.max(1e-9)).ceil().clamp(1.0, MOST_REPEATS) as u32,
            Err(why) => member.result = Err(why),
        }
    }
    let budget = Duration::from_secs_f64(effort.seconds * members.len() as f64);
    let start = Instant::now();
    for taken in 1..=MOST_SAMPLES {
        members.iter_mut().for_each(Member::sample);
        let spent = start.elapsed();
        let enough = taken >= FEWEST_SAMPLES || spent >= 2 * budget;
        if effort.tried && taken >= 2 || spent >= budget && enough {
            break;
        }
    }
}

/// About how many seconds one repeat takes, from repeats of fewer `rows` that are prepared for it.
pub fn estimate<'a>(
    rows: usize,
    power: i32,
    prepare: impl Fn(usize) -> Outcome<Box<dyn Measured + 'a>>,
) -> Outcome<f64> {
    // The work of a step grows with the square of its points, so that there are more to begin with.
    let mut some = if power > 1 { 1024 } else { 128 };
    loop {
        some = some.min(rows);
        let seconds = prepare(some)?.time(1)?;
        if seconds >= PROBE || some == rows {
            return Ok(seconds * (rows as f64 / some as f64).powi(power));
        }
        some *= if power > 1 { 2 } else { 4 };
    }
}
