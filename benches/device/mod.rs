//! The program `device`: a module a command, and what they share.

mod args;
mod cases;
mod ceilings;
mod describe;
mod export;
mod kernels;
mod matrix;
mod memory;
mod opened;
mod points;
mod results;
mod runs;
mod step;
mod subject;
mod tensor;
mod timing;

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use modeseek::executor::DeviceChoice;
use serde_json::Value;

use args::{Command, Effort, Target, Typed};
use kernels::Machines;
use opened::Opened;
use results::{Results, one_line};

/// A result whose error is told in one line.
type Outcome<T> = Result<T, Box<dyn Error>>;

/// The larger of two numbers, or NaN if there is one.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || b <= a { a } else { b }
}

/// What `work` gives, where a panic is an error, too: one case must not end those after it.
fn caught<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("it says nothing");
        Err(format!("it panicked: {text}").into())
    })
}

/// Runs what was typed, or everything.
pub fn main() -> ExitCode {
    let first = std::env::args().nth(1).unwrap_or_default();
    let words = [
        "describe",
        "ceilings",
        "kernels",
        "runs",
        "export",
        "blobs",
        "loads",
        "help",
        "-h",
        "--help",
        "-V",
        "--version",
    ];
    let outcome = if words.contains(&first.as_str()) { command(Typed::parse().command) } else { everything() };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("device: {}", one_line(&why.to_string()));
            ExitCode::FAILURE
        }
    }
}

/// Runs a command; whether all went well.
fn command(command: Command) -> Outcome<bool> {
    match command {
        Command::Describe { target, brief } => {
            let opened = Opened::new(target.device)?;
            // Written before the code is loaded, too, which takes its time.
            let mut results = Results::begin(target.out.as_deref(), opened.machine()?)?;
            results.machine = describe::machine(&opened, brief)?;
            if target.out.is_none() {
                println!("{:#}", results.machine);
            }
            results.write()?;
            Ok(true)
        }
        Command::Ceilings { target, effort } => {
            measured(&target, |opened, results| ceilings::run(opened, &effort, results))
        }
        Command::Kernels { target, effort, cuda_cpp } => {
            measured(&target, |opened, results| kernels::run(&Machines::new(opened, &cuda_cpp), &effort, results))
        }
        Command::Runs { target, effort } => measured(&target, |opened, results| runs::run(opened, &effort, results)),
        Command::Export { out, tried } => export::run(&out, tried).map(|()| true),
        Command::Blobs { points, dim, out } => export::blobs(points, dim, &out).map(|()| true),
        Command::Loads { device } => describe::print_loads(device).map(|()| true),
    }
}

/// Opens the device, and measures into the result file or onto the standard output.
fn measured(target: &Target, measure: impl FnOnce(&Opened, &mut Results) -> Outcome<()>) -> Outcome<bool> {
    let opened = Opened::new(target.device)?;
    let mut results = Results::begin(target.out.as_deref(), opened.machine()?)?;
    measure(&opened, &mut results)?;
    if target.out.is_none() {
        results.print();
    }
    Ok(!results.failed())
}

/// What cargo runs: all commands, on the processor, and on a GPU where there is one.
fn everything() -> Outcome<bool> {
    // As for the other benchmarks: the first word that is no flag chooses among the cases.
    let only = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let tried = crate::measure::tried();
    let passes = if tried { 1 } else { 2 };
    let effort = Effort { tried, passes, seconds: 1.0, longest: 4.0, only, until: None, begun: Instant::now() };
    let mut passed = true;
    for choice in [DeviceChoice::Cpu, DeviceChoice::Cuda(0)] {
        let opened = match Opened::new(choice) {
            Ok(opened) => opened,
            Err(why) if choice != DeviceChoice::Cpu => {
                eprintln!("nothing is measured on a GPU: {why}");
                continue;
            }
            Err(why) => return Err(why),
        };
        println!("{}", describe::machine(&opened, tried)?);
        let mut results = Results::begin(None, Value::Null)?;
        ceilings::run(&opened, &effort, &mut results)?;
        kernels::run(&Machines::new(&opened, &[]), &effort, &mut results)?;
        runs::run(&opened, &effort, &mut results)?;
        results.print();
        passed &= !results.failed();
    }
    if tried && passed && effort.only.is_none() {
        let folder = tempfile::tempdir()?;
        let out: PathBuf = folder.path().join("data");
        export::run(&out, true)?;
    }
    Ok(passed)
}
