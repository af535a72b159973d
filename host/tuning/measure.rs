//! Measuring: the steps of a device in blocks of every size that is worth trying.

use std::collections::BTreeMap;
use std::time::Duration;

use cuda_std::launch::Launch;
use gpu::layout::STRIDE;
use gpu::progress::HISTORY;
use gpu::retire::begin;
use gpu::shift_any::Norm;
use gpu::steps::{Call, Sizes};
use serde::Serialize;

use super::{Case, table};
use crate::data::Blobs;
use crate::error::{Error, Result};
use crate::executor::{Buffer, Device};
use crate::mean_shift::WeightFunction;
use crate::mean_shift::slices::Slices;
use crate::points::Points;

/// Blocks that are tried, where the device has them.
const CANDIDATES: [u32; 6] = [32, 64, 128, 256, 512, 1024];

/// How much faster than the table's a block must be to be taken: less is chance.
const LEAST_GAIN: f64 = 0.03;

/// The widest that the middle half of the samples may spread, of their median: more says that other work is being done.
const MOST_SPREAD: f64 = 0.1;

/// A sample is of so many launches as take so long, or of one.
const SAMPLE: Duration = Duration::from_micros(500);

/// What to measure.
///
/// ```
/// use modeseek::tuning::measure::Plan;
///
/// let device = modeseek::Device::processor()?;
/// let plan = Plan { dimensions: vec![2], ..Plan::of(&device) };
/// assert!(plan.few < plan.many && plan.weights.len() == 5);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Plan {
    /// Of which weight functions.
    pub weights: Vec<WeightFunction>,
    /// For which d, from 1 to 4.
    pub dimensions: Vec<u32>,
    /// Points, which are the queries too, where they are few.
    pub few: usize,
    /// Points where they are many: no more than the few, and only those are measured.
    pub many: usize,
    /// Samples of each block.
    pub samples: usize,
}

impl Plan {
    /// Everything, with sizes that take a device about a minute: on a GPU fewer points leave multiprocessors without work.
    ///
    /// ```
    /// use modeseek::tuning::measure::Plan;
    ///
    /// assert_eq!(Plan::of(&modeseek::Device::processor()?).dimensions, [1, 2, 3, 4]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn of(device: &Device) -> Self {
        let (few, many) = match device.machine() {
            cuda_std::machine::MachineKind::Gpu => (4096, 65_536),
            _ => (2048, 8192),
        };
        Self { weights: WeightFunction::ALL.to_vec(), dimensions: vec![1, 2, 3, 4], few, many, samples: 9 }
    }
}

/// What became of a case.
///
/// ```
/// use modeseek::WeightFunction;
/// use modeseek::tuning::measure::{Plan, Verdict, better, measure};
///
/// let device = modeseek::Device::processor()?;
/// let plan = Plan {
///     weights: vec![WeightFunction::Flat],
///     dimensions: vec![2],
///     few: 64,
///     many: 64,
///     samples: 3,
/// };
/// let rows = measure(&device, &plan, |_| Ok(()))?;
/// assert!(rows.iter().all(|row| row.verdict != Verdict::Better || row.best.1 < row.default.1));
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Another block is faster than the table's, and is taken.
    Better,
    /// The table's is the fastest, or as fast.
    Kept,
    /// Samples differ so much that they say nothing: the table's is kept.
    Busy,
}

/// A case, measured.
///
/// ```
/// use modeseek::WeightFunction;
/// use modeseek::tuning::measure::{Plan, Verdict, better, measure};
///
/// let device = modeseek::Device::processor()?;
/// let plan = Plan {
///     weights: vec![WeightFunction::Flat],
///     dimensions: vec![2],
///     few: 64,
///     many: 64,
///     samples: 3,
/// };
/// let rows = measure(&device, &plan, |_| Ok(()))?;
/// assert!(rows.iter().all(|row| row.case.dimensions == 2 && row.default.0 % 32 == 0));
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Which.
    #[serde(flatten)]
    pub case: Case,
    /// The table's threads of a block, and the median time of a launch, in microseconds.
    pub default: (u32, f64),
    /// The same of the fastest.
    pub best: (u32, f64),
    /// The wider of their spreads: the middle half of the samples over their median.
    pub spread: f64,
    /// What to make of it.
    pub verdict: Verdict,
}

/// The median of samples, and how far the middle half spreads, over it.
fn summary(samples: &[Duration]) -> (f64, f64) {
    let mut sorted: Vec<f64> = samples.iter().map(Duration::as_secs_f64).collect();
    sorted.sort_by(f64::total_cmp);
    let at = |part: f64| sorted[((sorted.len() - 1) as f64 * part).round() as usize];
    let median = at(0.5);
    (median, (at(0.75) - at(0.25)) / median)
}

/// What the samples of each block say.
fn judge(case: Case, default: u32, samples: &BTreeMap<u32, Vec<Duration>>) -> Row {
    let of = |threads: u32| summary(&samples[&threads]);
    let (default_time, default_spread) = of(default);
    let by_time = |a: &u32, b: &u32| of(*a).0.total_cmp(&of(*b).0);
    let best = samples.keys().copied().min_by(by_time).unwrap_or(default);
    let (best_time, best_spread) = of(best);
    let spread = default_spread.max(best_spread);
    // A time of nothing is no measurement.
    let measured = default_time > 0.0 && best_time > 0.0;
    let verdict = if !measured || spread > MOST_SPREAD {
        Verdict::Busy
    } else if best_time <= default_time * (1.0 - LEAST_GAIN) {
        Verdict::Better
    } else {
        Verdict::Kept
    };
    Row { case, default: (default, 1e6 * default_time), best: (best, 1e6 * best_time), spread, verdict }
}

/// What was better than the table, as it is kept.
///
/// ```
/// use modeseek::WeightFunction;
/// use modeseek::tuning::measure::{Plan, Verdict, better, measure};
///
/// let device = modeseek::Device::processor()?;
/// let plan = Plan {
///     weights: vec![WeightFunction::Flat],
///     dimensions: vec![2],
///     few: 64,
///     many: 64,
///     samples: 3,
/// };
/// let rows = measure(&device, &plan, |_| Ok(()))?;
/// let faster = rows.iter().filter(|row| row.verdict == Verdict::Better).count();
/// assert_eq!(better(&rows).len(), faster);
/// # Ok::<(), modeseek::Error>(())
/// ```
pub fn better(rows: &[Row]) -> BTreeMap<Case, u32> {
    let better = rows.iter().filter(|row| row.verdict == Verdict::Better);
    better.map(|row| (row.case.clone(), row.best.0)).collect()
}

/// Measures a device; `tell` is given each case when it is done.
///
/// ```
/// use modeseek::WeightFunction;
/// use modeseek::tuning::measure::{Plan, Verdict, better, measure};
///
/// let device = modeseek::Device::processor()?;
/// let plan = Plan {
///     weights: vec![WeightFunction::Flat],
///     dimensions: vec![2],
///     few: 64,
///     many: 64,
///     samples: 3,
/// };
/// let rows = measure(&device, &plan, |_| Ok(()))?;
/// // Plain points and marked ones.
/// assert_eq!(rows.len(), 2);
/// # Ok::<(), modeseek::Error>(())
/// ```
///
/// # Errors
/// [`Error::Option`] for a plan that makes no sense; whatever the device reports, and `tell`.
pub fn measure(device: &Device, plan: &Plan, mut tell: impl FnMut(&Row) -> Result<()>) -> Result<Vec<Row>> {
    let outside = plan.dimensions.iter().find(|d| !(1..=4).contains(*d));
    for (option, value, fits, must) in [
        ("the number of dimensions", outside.map_or(0, |&d| d as usize), outside.is_none(), "from 1 to 4"),
        ("the number of samples", plan.samples, (3..=1000).contains(&plan.samples), "from 3 to 1000"),
        ("the number of points", plan.many, (1..=1 << 24).contains(&plan.many), "from 1 to 16777216"),
    ] {
        if !fits {
            return Err(Error::Option { option, value: value.to_string(), must });
        }
    }
    let compute = device.details()?.compute_capability.map(|(major, minor)| 10 * major + minor);
    let default = table(device.machine(), compute);
    let mut sizes = vec![(plan.few.min(plan.many), false)];
    if plan.many > plan.few {
        sizes.push((plan.many, true));
    }
    let mut rows = Vec::new();
    for &d in &plan.dimensions {
        for &(points, many) in &sizes {
            let work = Work::new(device, points, d)?;
            for weight in &plan.weights {
                for marked in [false, true] {
                    let name = weight.steps().name.to_owned();
                    let case = Case { weight: name, dimensions: d, marked, many };
                    let row = work.of(*weight, case, default, plan.samples)?;
                    tell(&row)?;
                    rows.push(row);
                }
            }
        }
    }
    Ok(rows)
}

/// The lecture's clusters on a device, as steps take them.
struct Work<'a> {
    device: &'a Device,
    n: usize,
    d: usize,
    stride: usize,
    /// Coordinates of a bandwidth of 1, by columns.
    columns: Vec<f32>,
    marks: Buffer<f32>,
}

impl<'a> Work<'a> {
    fn new(device: &'a Device, n: usize, d: u32) -> Result<Self> {
        let d = d as usize;
        let set = Blobs { points: n, clusters: 6.min(n), dimensions: d, seed: 14 }.generate()?;
        let points = Points::from_rows(&set.rows, d)?;
        let stride = n.next_multiple_of(STRIDE);
        // The lecture's 2.5 for two dimensions, growing as distances do.
        let bandwidth = 2.5 * (d as f64 / 2.0).sqrt();
        let mut columns = vec![0.0; d * stride];
        for (i, row) in points.centred_rows().chunks(d).enumerate() {
            for (c, x) in row.iter().enumerate() {
                columns[c * stride + i] = (f64::from(*x) / bandwidth) as f32;
            }
        }
        let marks = device.upload(&vec![1.0_f32; 2 * stride])?;
        Ok(Self { device, n, d, stride, columns, marks })
    }

    fn of(&self, weight: WeightFunction, case: Case, default: u32, samples: usize) -> Result<Row> {
        let Self { device, n, d, stride, .. } = *self;
        let scale = weight.steps().scale;
        let scaled: Vec<f32> = self.columns.iter().map(|&x| (f64::from(x) * scale) as f32).collect();
        let columns = device.upload(&scaled)?;
        let (mut next, mut sums) = (device.zeros(d * stride)?, device.zeros(2 * stride)?);
        let mut state = device.zeros(HISTORY + 1)?;
        device.launch(begin::launch(&mut device.zeros(n)?, &mut state, n as u32))?;
        let step = weight.steps().choose(device.machine(), d as u32, Norm::L2, case.marked);
        let [n, stride] = [n, stride].map(|size| size as u32);
        let sizes = Sizes { n, d: d as u32, stride, query_stride: stride, most: n };
        let mut slices = Slices::new(device, (n, n), d as u32, Norm::L2, case.marked)?;
        let mut prepared = |then: &dyn Fn(Launch<'_>) -> Result<u32>| {
            then(step(Call {
                queries: &columns,
                points: &columns,
                marks: &self.marks,
                next: &mut next,
                sums: &mut sums,
                state: &mut state,
                sizes,
                limit: 1,
                // Another kernel would end the iteration, which can so be made again and again.
                tolerance: -1.0,
                relaxation: 1.0,
                norm: Norm::L2,
                near: None,
                slices: slices.lend(),
            }))
        };
        // A GPU may not have the registers for the largest blocks.
        let most = prepared(&|step| device.most_threads(step.kernel()))?;
        let mut launch =
            |threads: u32| prepared(&|step| device.launch(step.threads_per_block(threads)).map(|()| threads)).map(drop);
        let blocks: Vec<u32> = CANDIDATES.into_iter().filter(|threads| *threads <= most).collect();
        let mut count = 1;
        for &threads in &blocks {
            let once = device.timed(|_| launch(threads))?;
            count = count.max((SAMPLE.as_secs_f64() / once.as_secs_f64().max(1e-6)).ceil() as u32).min(1000);
        }
        let mut taken: BTreeMap<u32, Vec<Duration>> = BTreeMap::new();
        // In turn, so that a machine that grows slower does so for all of them.
        for _ in 0..samples {
            for &threads in &blocks {
                let time = device.timed(|_| (0..count).try_for_each(|_| launch(threads)))?;
                taken.entry(threads).or_default().push(time / count);
            }
        }
        Ok(judge(case, default, &taken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case() -> Case {
        Case { weight: "Flat".to_owned(), dimensions: 3, marked: true, many: false }
    }

    fn judged(samples: &[(u32, &[u64])]) -> Row {
        let samples = samples
            .iter()
            .map(|(threads, times)| (*threads, times.iter().map(|&time| Duration::from_micros(time)).collect()));
        judge(case(), 128, &samples.collect())
    }

    #[test]
    fn plans_that_make_no_sense_are_refused() {
        let device = Device::processor().unwrap();
        let plan = || Plan { few: 64, many: 64, ..Plan::of(&device) };
        let refused = |plan| measure(&device, &plan, |_| Ok(())).expect_err("it makes no sense").to_string();
        for d in [0, 5] {
            let words = format!("the number of dimensions is {d}, but must be from 1 to 4");
            assert_eq!(refused(Plan { dimensions: vec![2, d], ..plan() }), words);
        }
        assert_eq!(refused(Plan { samples: 2, ..plan() }), "the number of samples is 2, but must be from 3 to 1000");
        assert_eq!(refused(Plan { many: 0, ..plan() }), "the number of points is 0, but must be from 1 to 16777216");
    }

    #[test]
    fn the_faster_block_is_taken() {
        let row = judged(&[(64, &[90, 91, 90, 89, 400]), (128, &[100, 101, 99, 100, 100]), (256, &[120; 5])]);
        assert_eq!((row.verdict, row.default.0, row.best.0), (Verdict::Better, 128, 64));
        assert!((row.best.1 - 90.0).abs() < 1e-6 && row.spread <= 0.02, "{row:?}");
        assert_eq!(better(&[row]), BTreeMap::from([(case(), 64)]));
    }

    #[test]
    fn what_is_hardly_faster_is_chance() {
        let row = judged(&[(64, &[98; 5]), (128, &[100; 5])]);
        assert_eq!(row.verdict, Verdict::Kept);
        assert!(better(&[row]).is_empty());
    }

    #[test]
    fn a_busy_device_keeps_what_it_has() {
        for busy in [
            // The one, the other, and a clock that stands.
            judged(&[(64, &[10, 50, 60, 90, 200]), (128, &[100; 5])]),
            judged(&[(64, &[50; 5]), (128, &[90, 100, 120, 150, 200])]),
            judged(&[(64, &[0; 5]), (128, &[0; 5])]),
        ] {
            assert_eq!(busy.verdict, Verdict::Busy, "{busy:?}");
            assert!(better(&[busy]).is_empty());
        }
    }
}
