//! What the program does beside clustering.

use std::io::Write;
use std::path::Path;

use clap::{CommandFactory, Subcommand};

use super::args::Args;
use super::doctor::DoctorArgs;
use super::generated::{self, CompletionsArgs};
use super::pictures::PlotKernelArgs;
use super::predict::PredictArgs;
use super::segment::SegmentArgs;
use super::sweep::SweepArgs;
use super::tune::TuneArgs;
use crate::error::{Error, Result};

/// What the program does beside clustering.
// Of a command and its arguments these are the words that the help has.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Smooths an image within things and not across borders, and divides it into regions.
    ///
    /// Mean shift in position and colour (CIE Lab), after Comaniciu and Meer (2002).
    Segment(Box<SegmentArgs>),
    /// Labels the points of a file by a model that an earlier run kept with --save.
    ///
    /// Nothing is clustered: each point climbs over those of the model to one of its modes, or belongs to the nearest. Labels, densities and
    /// distances are those that the earlier run would have given with --predict.
    Predict(Box<PredictArgs>),
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

/// The command that a word may be meant for which is none: it is nearly one, and not one, and no file. Whoever mistypes a command is
/// understood to name a file.
pub fn nearly(word: &Path) -> Option<String> {
    let text = word.to_str().filter(|_| word.extension().is_none() && !word.exists())?;
    let command = Args::command();
    let near = command.get_subcommands().map(|command| (edits(text, command.get_name()), command.get_name()));
    let (edits, name) = near.min()?;
    (1..=name.len() / 3).contains(&edits).then(|| name.to_owned())
}

/// How many letters are to be changed, added or removed to make one word of the other (Levenshtein's distance).
fn edits(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, letter) in one.chars().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, &same) in other.iter().enumerate() {
            let changed = corner + usize::from(letter != same);
            corner = row[j + 1];
            row[j + 1] = changed.min(corner + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// Whatever goes wrong on the way.
    pub fn run(&self, out: &mut dyn Write) -> Result<()> {
        match self {
            Self::Segment(args) => args.run(out),
            Self::Predict(args) => args.run(out),
            Self::Sweep(args) => args.run(out),
            Self::PlotKernel(args) => args.run(),
            Self::Tune(args) => args.run(out),
            Self::Doctor(args) => args.run(out).map_err(Error::Output),
            Self::Completions(args) => args.run(out).map_err(Error::Output),
            Self::Man => generated::man(out).map_err(Error::Output),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_nearly_commands() {
        for (word, command) in [
            ("swep", Some("sweep")),
            ("sweeps", Some("sweep")),
            ("segmnet", Some("segment")),
            ("tun", Some("tune")),
            ("plot-kernels", Some("plot-kernel")),
            ("men", Some("man")),
            ("points", None),
            ("segment", None),
            ("seep.csv", None),
            ("", None),
            ("t", None),
        ] {
            assert_eq!(nearly(Path::new(word)).as_deref(), command, "{word:?}");
        }
        assert_eq!((edits("", "abc"), edits("abc", ""), edits("abc", "abc"), edits("kitten", "sitting")), (3, 3, 0, 3));
    }
}
