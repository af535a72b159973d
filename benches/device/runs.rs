//! Whole clusterings: how long they take, what they find, and whether they find it again.

use std::time::{Duration, Instant};

use modeseek::agreement::adjusted_rand_index;
use modeseek::data::{Blobs, LabelledPoints};
use modeseek::executor::DeviceChoice;
use modeseek::{Bandwidth, Clustering, Device, Form, MeanShift, Method, Points, Seeding, WeightFunction};
use serde_json::{Value, json};

use super::args::Effort;
use super::cases::{self, Run, Shape};
use super::opened::Opened;
use super::results::{Check, Results, Row, Work};
use super::subject::{self, Task};
use super::{Outcome, caught, timing};
use crate::families::shift::bandwidth;

/// Iterations that an estimate assumes where a run ends when it has converged: these data take about as many.
const ASSUMED: usize = 6;

/// The most samples of one pass.
const MOST_SAMPLES: usize = 50;

/// How far the adjusted Rand index with the true clusters may be from 1.
const DISAGREEMENT: f64 = 0.01;

/// A way that a run is measured in.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// All pairs, which is what most peers do and what a rate of pairs is about.
    AllPairs,
    /// As the library chooses.
    AsChosen,
    /// The same of the standard form from a few random points, which is what peers do that have seeds.
    Seeded,
}

impl Way {
    const ALL: [Self; 3] = [Self::AllPairs, Self::AsChosen, Self::Seeded];

    fn name(self) -> &'static str {
        match self {
            Self::AllPairs => "modeseek",
            Self::AsChosen => "modeseek, as chosen",
            Self::Seeded => "modeseek, seeded",
        }
    }

    fn estimator(self, d: usize) -> MeanShift {
        let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(bandwidth(d)));
        match self {
            Self::AllPairs => estimator.method(Method::Fused),
            Self::AsChosen => estimator,
            // 117 of them.
            Self::Seeded => {
                let seeding = Seeding::Share { share: 0.05, confidence: 0.95, seed: 14 };
                estimator.form(Form::Standard).seeding(seeding)
            }
        }
    }
}

/// A run with its points.
struct Job<'a> {
    run: &'a Run,
    way: Way,
    set: LabelledPoints,
    points: Points,
    estimator: MeanShift,
}

/// What one fit found, for comparison with others: a clustering would keep its points on the device.
#[derive(Clone, Debug)]
struct Found {
    labels: Vec<i32>,
    iterations: usize,
    /// The bits of the modes' positions and centres.
    modes: Vec<u64>,
}

impl Found {
    fn of(clustering: &Clustering) -> Self {
        let modes = clustering.modes.iter().flat_map(|mode| mode.position.iter().chain(&mode.centre));
        Self {
            labels: clustering.labels.clone(),
            iterations: clustering.iterations,
            modes: modes.map(|x| x.to_bits()).collect(),
        }
    }
}

/// Measures all runs, in passes.
pub fn run(opened: &Opened, effort: &Effort, results: &mut Results) -> Outcome<()> {
    let runs = cases::runs(effort.tried)?;
    // So many iterations as the lecture makes are those of its form.
    let has = |&(run, way): &(&Run, Way)| way != Way::Seeded || run.iterations.is_none();
    let jobs: Vec<_> = runs.iter().flat_map(|run| Way::ALL.map(|way| (run, way))).filter(has).collect();
    // What the first fit of each found, with which those after it are compared.
    let mut first: Vec<Option<Found>> = vec![None; jobs.len()];
    for pass in 0..effort.passes {
        for (&(run, way), first) in jobs.iter().zip(&mut first) {
            if !effort.wants(&run.name) {
                continue;
            }
            let row = results.row(&run.name, way.name(), opened.name);
            if let Some(why) = effort.over() {
                row.not_reached(why);
            } else if !row.is_closed()
                && let Err(why) = caught(|| measure(opened, (run, way), pass == 0, first, effort, row))
            {
                row.fail(&why.to_string());
            }
            results.write()?;
        }
    }
    Ok(())
}

impl<'a> Job<'a> {
    fn new(run: &'a Run, way: Way) -> Outcome<Self> {
        let set = Blobs { points: run.n, clusters: 6, dimensions: run.d, seed: 14 }.generate()?;
        let points = Points::from_rows(&set.rows, run.d)?;
        let estimator = match run.iterations {
            Some(iterations) => way.estimator(run.d).tolerance(0.0).max_iterations(iterations),
            None => way.estimator(run.d),
        };
        Ok(Self { run, way, set, points, estimator })
    }

    fn fit(&self, device: &Device) -> Outcome<Clustering> {
        Ok(self.estimator.clone().on(device).fit(&self.points)?)
    }
}

/// One pass of one run; the first one also compares.
fn measure(
    opened: &Opened,
    (run, way): (&Run, Way),
    check: bool,
    first: &mut Option<Found>,
    effort: &Effort,
    row: &mut Row,
) -> Outcome<()> {
    if let Some(why) = opened.lost() {
        return Err(format!("the device was lost before: {why}").into());
    }
    if check {
        // Of all pairs it is known how long they take.
        row.left_out = if way == Way::AllPairs { left_out(opened, run, effort)? } else { None };
        if row.is_closed() {
            return Ok(());
        }
    }
    let job = Job::new(run, way)?;
    if check {
        // The warm-up, too.
        let found = job.fit(&opened.device)?;
        describe(&job, &found, row);
        if opened.name != "cpu" {
            let compared = compare_with_processor(&job, &found, effort)?;
            row.more.insert("processors_labels".to_owned(), compared.into());
        }
        *first = Some(Found::of(&found));
    }
    let first = first.as_ref().ok_or("there was no first fit")?;
    sample(opened, &job, first, effort, row)
}

/// Why a run cannot be measured here, if so.
fn left_out(opened: &Opened, run: &Run, effort: &Effort) -> Outcome<Option<String>> {
    if opened.name == "cuda" || effort.tried {
        return Ok(None);
    }
    let seconds = estimate(&opened.device, run)?;
    Ok((seconds > effort.longest).then(|| format!("would take about {seconds:.0} s on this device")))
}

/// About how many seconds a fit takes.
fn estimate(device: &Device, run: &Run) -> Outcome<f64> {
    let prepare = |n| subject::prepare(Task::Step(WeightFunction::Gaussian), Shape::Step { n, d: run.d }, device, 1);
    Ok(timing::estimate(run.n, 2, prepare)? * run.iterations.unwrap_or(ASSUMED) as f64)
}

/// What is known of a run before it is timed.
fn describe(job: &Job<'_>, found: &Clustering, row: &mut Row) {
    let all_pairs = (job.run.n as f64).powi(2) * found.iterations as f64;
    let pairs = (job.way == Way::AllPairs).then_some(all_pairs);
    let agreement = adjusted_rand_index(&found.labels, &job.set.labels);
    row.precision = Some("f32");
    row.timer = Some("wall clock");
    row.work = Some(Work { pairs, ..Work::default() });
    row.check = Some(Check::new("true clusters", "1 - adjusted Rand index", 1.0 - agreement, DISAGREEMENT));
    let found = json!({
        "iterations": found.iterations, "converged": found.converged,
        "clusters": found.modes.len(), "adjusted_rand_index": agreement,
    });
    row.more.insert("found".to_owned(), found);
    row.more.insert("same_bits".to_owned(), "not compared".into());
}

/// Whether the processor finds the same labels, where it does so in time.
fn compare_with_processor(job: &Job<'_>, found: &Clustering, effort: &Effort) -> Outcome<String> {
    let processor = Opened::new(DeviceChoice::Cpu)?.device;
    let seconds = if effort.tried { 0.0 } else { estimate(&processor, job.run)? };
    if seconds > effort.longest {
        return Ok(format!("not compared: the processor would take about {seconds:.0} s"));
    }
    let expected = job.fit(&processor)?.labels;
    let different = expected.iter().zip(&found.labels).filter(|(expected, found)| expected != found).count();
    // Other ways have errors of their own, by which a point between two clusters may fall to the other one.
    if different > 0 && job.way != Way::AllPairs {
        return Ok(format!("{different} of {} differ", expected.len()));
    }
    if different > 0 {
        return Err(format!("{different} of {} labels are not those of the processor", expected.len()).into());
    }
    Ok("the same".to_owned())
}

/// Fits until the time is over. Each must give the bits of the first one.
fn sample(opened: &Opened, job: &Job<'_>, first: &Found, effort: &Effort, row: &mut Row) -> Outcome<()> {
    let mut samples = Vec::new();
    let start = Instant::now();
    while samples.is_empty() || samples.len() < MOST_SAMPLES && start.elapsed().as_secs_f64() < effort.seconds {
        let begin = Instant::now();
        let found = job.fit(&opened.device)?;
        samples.push(begin.elapsed().as_secs_f64());
        same_bits(first, &Found::of(&found))?;
        note_phases(&found, row);
        if effort.tried {
            break;
        }
    }
    row.more.insert("same_bits".to_owned(), "the labels and modes of all fits".into());
    row.samples_s.push(samples);
    Ok(())
}

fn same_bits(first: &Found, found: &Found) -> Outcome<()> {
    if first.labels != found.labels {
        return Err("a second fit gave other labels".into());
    }
    if first.iterations != found.iterations || first.modes != found.modes {
        return Err("a second fit gave modes of other bits".into());
    }
    Ok(())
}

/// Adds the seconds of each phase to those of the samples before.
fn note_phases(found: &Clustering, row: &mut Row) {
    let phases = row.more.entry("phases_s").or_insert_with(|| json!({}));
    let mut add = |name: &str, took: Duration| {
        if let Value::Object(phases) = &mut *phases
            && let Value::Array(seconds) = phases.entry(name).or_insert_with(|| json!([]))
        {
            seconds.push(took.as_secs_f64().into());
        }
    };
    add("prepare", found.phases.prepare);
    add("iterate", found.phases.iterate);
    add("label", found.phases.label);
    add("download", found.phases.download);
}
