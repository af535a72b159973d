//! What the program does beside clustering.

use std::io::Write;

use clap::Subcommand;

use super::doctor::DoctorArgs;
use super::generated::{self, CompletionsArgs};
use super::pictures::PlotKernelArgs;
use super::segment::SegmentArgs;
use super::sweep::SweepArgs;
use super::tune::TuneArgs;
use crate::error::Result;

/// What the program does beside clustering.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Smooths an image within things and not across borders, and divides it into regions
    Segment(Box<SegmentArgs>),
    /// Clusters with a range of bandwidths, and tells which are stable
    Sweep(Box<SweepArgs>),
    /// Draws the weight functions over the distance
    PlotKernel(PlotKernelArgs),
    /// Measures which blocks are fastest on a device, and keeps that for later runs
    Tune(TuneArgs),
    /// Tells what there is to run on, what is missing, and what would mend it
    Doctor(DoctorArgs),
    /// Writes completions for a shell
    Completions(CompletionsArgs),
    /// Writes the manual page
    Man,
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// Whatever goes wrong on the way.
    pub fn run(&self, out: &mut dyn Write) -> Result<()> {
        match self {
            Self::Segment(args) => args.run(out),
            Self::Sweep(args) => args.run(out),
            Self::PlotKernel(args) => args.run(),
            Self::Tune(args) => args.run(out),
            Self::Doctor(args) => args.run(out),
            Self::Completions(args) => args.run(out),
            Self::Man => generated::man(out),
        }
    }
}
