//! Every case of a kernel: checked at a small size and at its own, then timed.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use cuda_std::machine::MachineKind;
use modeseek::WeightFunction::{self, Gaussian};
use modeseek::product::{Instruction, Precision};

use super::args::Effort;
use super::cases::{self, Case, Shape};
use super::memory::{MARGIN, MOST_SETS};
use super::opened::Opened;
use super::results::{Check, Results};
use super::subject::{self, Measured, Task};
use super::timing::{self, Member};
use super::{Outcome, caught, step, tensor};
use crate::peers::{Peer, Peers};

const OURS: &str = "modeseek";
const NVCC: &str = "CUDA C++, nvcc";

/// Products of more than this are not measured with the naive kernel, which would only take long.
const MOST_NAIVE: usize = 100_000_000_000;

/// The most dimensions for which a GPU has steps by differences that hold a query in registers.
const MOST_WIDE: usize = 32;

/// The most points of a case whose step is also measured with a warp for each query: more than a fit takes it for, to see why.
const MOST_FEW: usize = 20_000;

/// The most dimensions for which distances are measured by differences alone.
const MOST_BY_DIFFERENCES: usize = 16;

/// Cases whose steps are measured with all weights.
const ALL_WEIGHTS: [&str; 2] = ["step/200000x2", "step/1000000x2"];

/// Who runs a case.
enum By<'a> {
    Device(&'a Opened),
    C(&'a Peer),
}

/// One implementation of a case.
struct Subject<'a> {
    implementation: String,
    by: By<'a>,
    task: Task,
}

/// Implementations of a case that are measured in turn.
struct Unit<'a> {
    case: String,
    shape: Shape,
    /// The size at which all of the output is checked.
    small: Shape,
    subjects: Vec<Subject<'a>>,
    /// Implementations that are not there, and why.
    missing: Vec<(String, String)>,
}

/// All who can run something.
pub struct Machines<'a> {
    pub opened: &'a Opened,
    /// The device with kernels by nvcc, or why there is none; nothing if there was no word of it.
    pub nvcc: Option<Outcome<Opened>>,
    /// Peers in C, beside the processor.
    pub in_c: Option<Peers>,
}

impl<'a> Machines<'a> {
    pub fn new(opened: &'a Opened, modules: &[PathBuf]) -> Self {
        let nvcc = (!modules.is_empty()).then(|| caught(|| opened.with_modules(modules)));
        Self { opened, nvcc, in_c: (opened.name == "cpu").then(Peers::compile) }
    }

    fn units(&self, cases: &[Case], effort: &Effort) -> Vec<Unit<'_>> {
        let units = cases.iter().flat_map(|case| self.units_of(case, effort));
        let mut units: Vec<_> = units.filter(|unit| effort.wants(&unit.case)).collect();
        // By differences these take seconds: what else there is should not have to wait, where time is short.
        units.sort_by_key(|unit| matches!(unit.shape, Shape::Step { d, .. } if d > MOST_WIDE));
        units
    }

    fn units_of(&self, case: &Case, effort: &Effort) -> Vec<Unit<'_>> {
        let shape = if effort.tried { case.tried } else { case.shape };
        let unit = |suffix: &str, implementation: &str, task| Unit {
            case: format!("{}{suffix}", case.name),
            shape,
            small: case.tried,
            subjects: vec![Subject { implementation: implementation.to_owned(), by: By::Device(self.opened), task }],
            missing: Vec::new(),
        };
        match case.shape {
            Shape::Step { n, d } => {
                let mut gaussian = unit("", OURS, Task::Step(Gaussian));
                if d <= MOST_WIDE {
                    self.add_nvcc(&mut gaussian, NVCC);
                } else if self.nvcc.is_some() {
                    gaussian.missing.push((NVCC.to_owned(), "that peer has d = 1 to 32".to_owned()));
                }
                if d == 2 {
                    self.add_c(&mut gaussian);
                }
                if n <= MOST_FEW && self.opened.device.machine() == MachineKind::Gpu && d <= Gaussian.steps().few.len()
                {
                    let (implementation, by) = (format!("{OURS}, a warp for each query"), By::Device(self.opened));
                    gaussian.subjects.push(Subject { implementation, by, task: Task::Few });
                }
                if Gaussian.steps().has_products(d as u32) {
                    let (implementation, by) = (format!("{OURS}, in order"), By::Device(self.opened));
                    gaussian.subjects.push(Subject { implementation, by, task: Task::InOrder });
                }
                if tensor::DIMENSIONS.contains(&d) {
                    let tasks = |instruction, dimensions: [RangeInclusive<usize>; 2]| -> Vec<_> {
                        let named = [("f16 twice", false), ("f16", true)].into_iter().zip(dimensions);
                        let those = named.filter(|(_, dimensions)| dimensions.contains(&d));
                        those.map(|((name, rough), _)| (name, Task::Tensor { rough, instruction })).collect()
                    };
                    self.add_tensor(&mut gaussian, &tasks(Instruction::Warp, [tensor::DIMENSIONS, tensor::ROUGH]));
                    let dimensions = [tensor::OF_WARPGROUPS, tensor::OF_WARPGROUPS];
                    self.add_warpgroups(&mut gaussian, &tasks(Instruction::Warpgroup, dimensions));
                }
                let mut units = vec![gaussian];
                if ALL_WEIGHTS.contains(&case.name.as_str()) {
                    units.push(unit("/triangular", OURS, Task::Step(WeightFunction::Triangular)));
                    units.push(unit("/flat", OURS, Task::Step(WeightFunction::Flat)));
                }
                units
            }
            Shape::Product { m, k, n } => {
                // By their places in families::matmul::PRODUCTS.
                let mut ours = unit("", OURS, Task::Product(2));
                self.add_nvcc(&mut ours, NVCC);
                let mut tiled = unit("", "modeseek, tiled", Task::Product(1));
                self.add_nvcc(&mut tiled, &format!("{NVCC}, tiled"));
                let rounded = [("TF32", Precision::Tf32), ("BF16", Precision::Bf16)];
                let by = |(name, precision), instruction| (name, Task::Rounded(precision, instruction));
                self.add_tensor(&mut tiled, &rounded.map(|product| by(product, Instruction::Warp)));
                self.add_warpgroups(&mut tiled, &rounded.map(|product| by(product, Instruction::Warpgroup)));
                self.add_warpgroups(&mut ours, &[by(("f32 in three parts", Precision::F32), Instruction::Warpgroup)]);
                let naive = (m * k * n <= MOST_NAIVE).then(|| unit("", "modeseek, naive", Task::Product(0)));
                [ours, tiled].into_iter().chain(naive).collect()
            }
            // By their places in families::distances::METRICS.
            Shape::Pairwise { d, .. } => {
                let mut units = [("", 1), (", squared L2", 0), (", L1", 2)].map(|(which, metric)| {
                    let mut unit = unit("", &format!("{OURS}{which}"), Task::Pairwise(metric));
                    self.add_nvcc(&mut unit, &format!("{NVCC}{which}"));
                    unit
                });
                // With few coordinates the output's memory is the limit of differences, too.
                if d > MOST_BY_DIFFERENCES {
                    self.add_warpgroups(&mut units[0], &[("products", Task::ByProducts)]);
                }
                units.into()
            }
            Shape::Reduce { .. } => vec![unit("", OURS, Task::Reduce)],
        }
    }

    fn add_nvcc<'b>(&'b self, unit: &mut Unit<'b>, name: &str) {
        match &self.nvcc {
            None => {}
            Some(Ok(opened)) => {
                let task = unit.subjects[0].task;
                unit.subjects.push(Subject { implementation: name.to_owned(), by: By::Device(opened), task });
            }
            Some(Err(why)) => unit.missing.push((name.to_owned(), why.to_string())),
        }
    }

    fn add_tensor<'b>(&'b self, unit: &mut Unit<'b>, tasks: &[(&str, Task)]) {
        let missing = tensor::missing(&self.opened.device);
        for (name, task) in tasks {
            let implementation = format!("modeseek, tensor cores, {name}");
            match &missing {
                Some(why) => unit.missing.push((implementation, why.clone())),
                None => {
                    unit.subjects.push(Subject { implementation, by: By::Device(self.opened), task: *task });
                    // Of the steps there is none in CUDA C++.
                    if let (Some(Ok(opened)), Task::Rounded(..)) = (&self.nvcc, task) {
                        let implementation = format!("{NVCC}, tensor cores, {name}");
                        unit.subjects.push(Subject { implementation, by: By::Device(opened), task: *task });
                    }
                }
            }
        }
    }

    /// The products and steps by `wgmma`, beside those of which they may take the place (docs/performance.md).
    fn add_warpgroups<'b>(&'b self, unit: &mut Unit<'b>, tasks: &[(&str, Task)]) {
        let missing = tensor::missing_warpgroups(&self.opened.device);
        for (name, task) in tasks {
            let implementation = format!("modeseek, tensor cores, {name} by wgmma");
            match &missing {
                Some(why) => unit.missing.push((implementation, why.clone())),
                None => unit.subjects.push(Subject { implementation, by: By::Device(self.opened), task: *task }),
            }
        }
    }

    fn add_c<'b>(&'b self, unit: &mut Unit<'b>) {
        let Some(peers) = &self.in_c else { return };
        for peer in peers.peers.iter().filter(|peer| peer.on_all_cores()) {
            let (implementation, task) = (peer.compiled.to_owned(), unit.subjects[0].task);
            unit.subjects.push(Subject { implementation, by: By::C(peer), task });
        }
        let missing = peers.left_out.iter().map(|(name, why)| ((*name).to_owned(), why.clone()));
        unit.missing.extend(missing);
    }
}

impl<'a> Subject<'a> {
    fn prepare(&self, shape: Shape, most_sets: usize) -> Outcome<Box<dyn Measured + 'a>> {
        match (&self.by, shape) {
            (By::Device(opened), _) => Ok(subject::prepare(self.task, shape, &opened.device, most_sets)?),
            (By::C(peer), Shape::Step { n, .. }) => Ok(Box::new(step::InC::new(peer, n))),
            (By::C(_), other) => Err(format!("the peer in C has no {other:?}").into()),
        }
    }

    /// Checks all of a small output, and some of the one that is timed.
    fn check(&self, unit: &Unit<'_>, measured: &mut dyn Measured) -> Outcome<Check> {
        if unit.small != unit.shape {
            let small = self.prepare(unit.small, 1)?.check()?;
            if !small.passed {
                return Ok(small);
            }
        }
        measured.check()
    }
}

/// Measures all cases, in passes.
pub fn run(machines: &Machines<'_>, effort: &Effort, results: &mut Results) -> Outcome<()> {
    let cases = cases::kernels()?;
    let units = machines.units(&cases, effort);
    for pass in 0..effort.passes {
        for unit in &units {
            if let Some(why) = effort.over() {
                not_reached(machines.opened, unit, &why, results);
            } else {
                if pass == 0 {
                    begin(machines.opened, unit, effort, results);
                }
                measure(machines.opened, unit, pass == 0, effort, results);
            }
            results.write()?;
        }
    }
    Ok(())
}

/// Leaves out the rows of a unit that no pass has measured.
fn not_reached(opened: &Opened, unit: &Unit<'_>, why: &str, results: &mut Results) {
    for subject in &unit.subjects {
        results.row(&unit.case, &subject.implementation, opened.name).not_reached(why.to_owned());
    }
}

/// Makes the rows of a unit, and decides what is left out before anything is launched.
fn begin(opened: &Opened, unit: &Unit<'_>, effort: &Effort, results: &mut Results) {
    for (implementation, why) in &unit.missing {
        results.row(&unit.case, implementation, opened.name).left_out = Some(super::one_line(why));
    }
    let why = caught(|| left_out(opened, unit, effort));
    for subject in &unit.subjects {
        let row = results.row(&unit.case, &subject.implementation, opened.name);
        match &why {
            Ok(why) => row.left_out.clone_from(why),
            Err(why) => row.fail(&why.to_string()),
        }
        if !row.is_closed() {
            row.precision = Some(subject.task.precision());
            row.timer = Some(if let By::Device(opened) = subject.by { opened.timer } else { "wall clock" });
            row.work = Some(subject::work(unit.shape));
        }
    }
}

/// Why a unit cannot be measured here, if so.
fn left_out(opened: &Opened, unit: &Unit<'_>, effort: &Effort) -> Outcome<Option<String>> {
    let needed = subject::bytes(unit.shape) * unit.subjects.len() as u128 + MARGIN;
    let free = opened.device.details()?.free_bytes as u128;
    if needed > free {
        let [needed, free] = [needed, free].map(|bytes| bytes as f64 / 1e9);
        return Ok(Some(format!("needs {needed:.1} GB of memory, and {free:.1} GB are free")));
    }
    if opened.name == "cuda" || effort.tried {
        return Ok(None);
    }
    let prepare = |rows| unit.subjects[0].prepare(unit.shape.with_rows(rows), 1);
    let seconds = timing::estimate(unit.shape.rows(), unit.shape.power(), prepare)?;
    Ok((seconds > effort.longest).then(|| format!("would take {seconds:.0} s on this device")))
}

/// One pass of a unit: prepares what is still to be measured, checks it the first time, takes samples.
fn measure(opened: &Opened, unit: &Unit<'_>, check: bool, effort: &Effort, results: &mut Results) {
    let mut members = Vec::new();
    for subject in &unit.subjects {
        let row = results.row(&unit.case, &subject.implementation, opened.name);
        if row.is_closed() {
            continue;
        }
        let prepared = caught(|| {
            if let Some(why) = opened.lost() {
                return Err(format!("the device was lost before: {why}").into());
            }
            let most_sets = if effort.tried { 2 } else { MOST_SETS };
            let mut measured = subject.prepare(unit.shape, most_sets)?;
            let check = check.then(|| subject.check(unit, &mut *measured)).transpose()?;
            Ok((measured, check))
        });
        match prepared {
            Ok((measured, check)) => {
                let wrong = check.as_ref().filter(|check| !check.passed).map(|check| {
                    format!(
                        "check: {} against {} is {:e}, above {:e}",
                        check.measure, check.against, check.error, check.limit
                    )
                });
                row.check = check.or(row.check.take());
                match wrong {
                    Some(wrong) => row.fail(&wrong),
                    None => members.push((subject, Member::new(measured))),
                }
            }
            Err(why) => row.fail(&why.to_string()),
        }
    }
    let (subjects, mut members): (Vec<_>, Vec<_>) = members.into_iter().unzip();
    timing::sample(&mut members, effort);
    for (subject, member) in subjects.into_iter().zip(members) {
        let row = results.row(&unit.case, &subject.implementation, opened.name);
        match member.result {
            Ok(samples) => row.samples_s.push(samples),
            Err(why) => row.fail(&why.to_string()),
        }
    }
}
