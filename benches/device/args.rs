//! What was typed.

use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, Parser, Subcommand};
use modeseek::executor::DeviceChoice;

/// Measures what a device does with modeseek's kernels.
#[derive(Debug, Parser)]
#[command(name = "device", version, after_help = "Exit codes: 0 done, 1 something failed, 2 wrong usage.")]
pub struct Typed {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// What the device is, and how long its code takes to load
    Describe {
        #[command(flatten)]
        target: Target,
        /// Leave out how long its code takes to load
        #[arg(long)]
        brief: bool,
    },
    /// What the device can do at most: copies, fma, exponentials, matrix products
    Ceilings {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        effort: Effort,
    },
    /// Every case, each kernel checked against the f64 oracle and then timed
    Kernels {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        effort: Effort,
        /// PTX or a cubin by nvcc, whose kernels are measured beside those of the same names; may be repeated
        #[arg(long, value_name = "FILE")]
        cuda_cpp: Vec<PathBuf>,
    },
    /// Whole clusterings
    Runs {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        effort: Effort,
    },
    /// The cases' data, for peers in other languages
    Export {
        /// The folder, which is made
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
        /// Small sizes, to try things out
        #[arg(long)]
        tried: bool,
    },
    /// Some of the program's own points, for other programs: points.f32 by rows, and labels.u32
    Blobs {
        /// How many
        #[arg(long, value_name = "N")]
        points: usize,
        /// Coordinates of a point
        #[arg(long, value_name = "D", default_value_t = 2)]
        dim: usize,
        /// The folder, which is made
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
    },
    /// Loads each kernel of the main job and prints how long that took: what `describe` runs in new processes
    #[command(hide = true)]
    Loads {
        #[arg(long)]
        device: DeviceChoice,
    },
}

/// What is measured, and where that is written.
#[derive(Clone, Debug, Args)]
pub struct Target {
    /// auto, cpu, cuda, cuda:N (the GPU number N, from 0), or interpreter (the PTX, every access checked; slow)
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,
    /// The result file; a table on the standard output if not given
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// How much is measured.
#[derive(Clone, Debug, Args)]
pub struct Effort {
    /// Small sizes and few samples, to try things out
    #[arg(long)]
    pub tried: bool,
    /// How often all cases are gone through: noise that is slow shows between the passes
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub passes: u32,
    /// Time for the samples of a case in a pass
    #[arg(long, value_name = "S", default_value_t = 1.5, value_parser = seconds)]
    pub seconds: f64,
    /// The longest that one repeat may take, by an estimate; what takes longer is left out. Not on CUDA
    #[arg(long, value_name = "S", default_value_t = 20.0, value_parser = seconds)]
    pub longest: f64,
    /// Only cases with this in their names
    #[arg(long, value_name = "TEXT")]
    pub only: Option<String>,
    /// Begin no case once so many seconds have passed; what is not reached then is left out
    #[arg(long, value_name = "S", value_parser = seconds)]
    pub until: Option<f64>,
    /// When that time began.
    #[arg(skip = Instant::now())]
    pub begun: Instant,
}

impl Effort {
    /// Whether a case is wanted.
    pub fn wants(&self, case: &str) -> bool {
        self.only.as_ref().is_none_or(|only| case.contains(only.as_str()))
    }

    /// Why nothing more is to be begun, if so.
    pub fn over(&self) -> Option<String> {
        let until = self.until.filter(|until| self.begun.elapsed().as_secs_f64() >= *until)?;
        Some(format!("time limit of {until:.0} s"))
    }
}

/// A time that makes sense: up to a day.
fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.0..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds from 0 to 86400".to_owned()),
    }
}
