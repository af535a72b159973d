//! The program: what was typed, what was meant, what was done.

mod args;
mod bar;
mod commands;
mod doctor;
mod estimator;
mod foreign;
mod generated;
mod input;
mod interrupt;
mod job;
mod labelling;
mod names;
mod outputs;
mod pictures;
mod places;
mod predict;
mod reading;
mod report;
mod scales;
mod segment;
mod stream;
mod sweep;
mod tables;
mod terminal;
mod tune;
mod typed;

use std::fmt;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches};

use crate::error::{Error, Result};
use crate::files::write_whole;

pub use args::Args;
pub use commands::Command;
pub use doctor::DoctorArgs;
pub use estimator::{
    AssignmentName, DistanceName, EstimatorArgs, FormName, KernelName, MergingName, MethodName, SeedingName,
};
pub use generated::CompletionsArgs;
pub use input::{InputArgs, ShapeName, StandardName};
pub use job::Job;
pub use outputs::{OutputArgs, PredictName};
pub use pictures::{PictureArgs, PlotKernelArgs};
pub use predict::PredictArgs;
pub use reading::{Delimiter, HeaderName, MissingName, ReadArgs};
pub use report::{Parameters, Report};
pub use segment::{ColourKernel, SegmentArgs};
pub use sweep::SweepArgs;
pub use tune::TuneArgs;
pub use typed::{AccuracyText, BandwidthText};

/// The argument that names a file of points.
const FILE: &str = "file";

/// Runs the program: 0 if all went well, 1 if not, 2 if the command was wrong, 130 if it was interrupted.
pub fn main() -> ExitCode {
    let matches = Args::command().try_get_matches().unwrap_or_else(|error| refuse(error));
    let args = Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    interrupt::watch();
    match run(&args, parameters(&matches)) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has seen enough.
        Err(Error::Output(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let error = names::as_typed(error);
            let said = error.to_string();
            let said = match error {
                // With a driver's log.
                Error::Ptx { .. } | Error::Module { .. } => terminal::lines(&said),
                _ => terminal::line(&said),
            };
            say(format_args!("modeseek: {said}"));
            ExitCode::from(match error {
                Error::Interrupted => interrupt::EXIT_CODE,
                _ if error.is_usage() => 2,
                _ => 1,
            })
        }
    }
}

/// Tells what is wrong with the command, or what was asked of it, and ends the program.
fn refuse(mut error: clap::Error) -> ! {
    foreign::explain(&mut error);
    let first = std::env::args_os().nth(1).map(PathBuf::from);
    // A command that is mistyped is a file, of which some arguments make no sense.
    if error.use_stderr()
        && let Some(command) = first.and_then(|word| commands::nearly(&word))
    {
        let _nobody_reads_it = error.print();
        say(format_args!("did you mean the command `{command}`?"));
        std::process::exit(error.exit_code());
    }
    error.exit()
}

/// Writes a line to standard error. Whoever read it may be gone, which is nothing that a run ends for.
fn say(line: fmt::Arguments<'_>) {
    let _nobody_reads_it = writeln!(io::stderr(), "{line}");
}

/// Does what was typed, and writes the report: to standard error if standard output is a table's.
fn run(args: &Args, parameters: Parameters) -> Result<()> {
    if let Some(command) = &args.command {
        return command.run(&mut io::stdout().lock());
    }
    if args.verbose {
        tell_what_is_done();
    }
    let job = Job::from_args(args, parameters)?;
    let report = job.run()?;
    if let Some(path) = &args.report {
        write_whole(path, |out| report.write_json(out).map_err(Error::Output))?;
    }
    if args.quiet {
        return Ok(());
    }
    let out: &mut dyn Write = if job.takes_stdout() { &mut io::stderr().lock() } else { &mut io::stdout().lock() };
    let told = if args.json { report.write_json(out) } else { report.write_text(out) };
    told.map_err(Error::Output)
}

/// Has what is being done told on standard error, in colours if that is a terminal and `NO_COLOR` is not set.
fn tell_what_is_done() {
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let told = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        // It would be written to standard error, which is what failed then.
        .log_internal_errors(false)
        .with_ansi(colours)
        .with_target(false)
        .with_max_level(tracing::Level::DEBUG)
        .try_init();
    // Another listener is there already where the program runs twice in one process.
    drop(told);
}

/// Options with their values, given or by default, but for those that say nothing of this run: of generated points, where
/// a file's are clustered.
fn parameters(matches: &ArgMatches) -> Parameters {
    let command = Args::command();
    let of_file = matches.try_contains_id(FILE).unwrap_or(false);
    let random = ["random", "share"].map(Some);
    let seeding = matches.try_get_raw("seeding").ok().flatten().and_then(|mut raw| raw.next()?.to_str());
    let says_nothing = |argument: &clap::Arg| {
        let of_points = || command.get_arg_conflicts_with(argument).iter().any(|other| other.get_id() == FILE);
        // Of random seeds it says something with a file, too.
        let of_seeds = || argument.get_id() == "seed" && !random.contains(&seeding);
        of_file && (of_points() || of_seeds())
    };
    let values = |argument: &clap::Arg| {
        if says_nothing(argument) {
            return None;
        }
        let id = argument.get_id().as_str();
        let raw = matches.try_get_raw(id).ok().flatten()?;
        Some((id.to_owned(), raw.map(|value| value.to_string_lossy().into_owned()).collect()))
    };
    let mut parameters: Parameters = command.get_arguments().filter_map(values).collect();
    // The parser has no default of its own, as there are two.
    parameters.entry("bandwidth".to_owned()).or_insert_with(|| vec![estimator::bandwidth_by_default(of_file)]);
    parameters
}
