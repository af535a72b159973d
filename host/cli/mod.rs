//! The program: what was typed, what was meant, what was done.

mod args;
mod estimator;
mod job;
mod report;

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::error::{Error, Result};

pub use args::Args;
pub use estimator::{
    AccuracyText, AssignmentName, BandwidthText, DistanceName, EstimatorArgs, FormName, KernelName, MergingName,
    MethodName, SeedingName,
};
pub use job::Job;
pub use report::Report;

/// Runs the program: 0 if all went well, 1 if not, 2 if the command was wrong.
pub fn main() -> ExitCode {
    match run(&Args::parse(), &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has seen enough.
        Err(Error::Output(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("modeseek: {error}");
            ExitCode::from(if error.is_usage() { 2 } else { 1 })
        }
    }
}

/// Does what was typed, and writes the report.
fn run(args: &Args, out: &mut impl Write) -> Result<()> {
    let job = Job::from_args(args)?;
    let report = job.run()?;
    if args.json { report.write_json(out) } else { report.write_text(out) }
}
