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
// Of a command and its arguments these are the words that the help has.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Smooths an image within things and not across borders, and divides it into regions.
    ///
    /// Mean shift in position and colour (CIE Lab), after Comaniciu and Meer (2002).
    Segment(Box<SegmentArgs>),
    /// Clusters with a range of bandwidths, and tells which are stable
    Sweep(Box<SweepArgs>),
    /// Draws the weight functions over the distance
    PlotKernel(PlotKernelArgs),
    /// Measures which blocks are fastest on a device, and keeps that for later runs.
    ///
    /// Results do not depend on blocks: runs with and without give the same bits. What was measured holds for the device, its
    /// driver and this version of modeseek; it is kept in the user's folder of caches, and MODESEEK_TUNING=off or --no-tuning has
    /// it left alone.
    Tune(TuneArgs),
    /// Tells what there is to run on, what is missing, and what would mend it
    Doctor(DoctorArgs),
    /// Writes completions for a shell.
    ///
    /// For bash: modeseek completions bash > ~/.local/share/bash-completion/completions/modeseek
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
