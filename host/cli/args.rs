//! What was typed.

use std::num::NonZero;

use clap::{Parser, ValueEnum};

use crate::executor::DeviceChoice;
use crate::mean_shift::MeanShift;

const EXAMPLES: &str = "\
Examples:
  modeseek --points 100000                      the main job, on the GPU if there is one
  modeseek --points 1500 --iterations 5         the lecture's case
  modeseek --points 20000 --kernel flat --json  one line of JSON, for programs
  modeseek --points 5000 --dim 16 --bandwidth 8 --device cpu

Exit codes: 0 done, 1 failed, 2 wrong usage.";

/// Clusters points by mean shift, on the GPU or on the processor.
///
/// Generates Gaussian clusters about random centroids, finds them again, and reports how well and how
/// fast: mean shift is told a bandwidth, not how many clusters there are.
#[derive(Clone, Debug, Parser)]
#[command(name = "modeseek", version, after_help = EXAMPLES)]
pub struct Args {
    /// How many points to generate
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 1500, help_heading = "Data")]
    pub points: usize,

    /// How many clusters to generate; mean shift is not told
    #[arg(long, value_name = "K", allow_negative_numbers = true, default_value_t = 6, help_heading = "Data")]
    pub clusters: usize,

    /// Coordinates of a point
    #[arg(long, value_name = "D", allow_negative_numbers = true, default_value_t = 2, help_heading = "Data")]
    pub dim: usize,

    /// Seed of the random numbers: the same seed gives the same points everywhere
    #[arg(long, value_name = "SEED", default_value_t = 14, help_heading = "Data")]
    pub seed: u64,

    /// Distance over which points attract each other, in units of the data
    #[arg(long, value_name = "H", default_value_t = 2.5, allow_hyphen_values = true, help_heading = "Mean shift")]
    pub bandwidth: f64,

    /// Weight of a point as a function of its distance
    #[arg(long, value_enum, default_value_t, help_heading = "Mean shift")]
    pub kernel: KernelName,

    /// Most iterations
    #[arg(long, value_name = "MAX", allow_negative_numbers = true, default_value_t = MeanShift::MAX_ITERATIONS, help_heading = "Mean shift")]
    pub iterations: usize,

    /// Stop when no point moves more than this many bandwidths
    #[arg(long, value_name = "TOL", default_value_t = MeanShift::TOLERANCE, allow_hyphen_values = true, help_heading = "Mean shift")]
    pub tolerance: f64,

    /// How an iteration is computed; the clusters are the same
    #[arg(long, value_enum, default_value_t, help_heading = "Execution")]
    pub method: MethodName,

    /// Points at a time, for --method composed
    #[arg(long, value_name = "B", allow_negative_numbers = true, default_value_t = 1024, help_heading = "Execution")]
    pub batch: usize,

    /// auto, cpu, cuda, cuda:N (the GPU number N, from 0), or interpreter (the PTX, every access checked; slow)
    #[arg(long, value_name = "DEVICE", default_value = "auto", help_heading = "Execution")]
    pub device: DeviceChoice,

    /// Threads of a block, a multiple of 32, for kernels that accept any; each chooses its own if not given
    #[arg(long, value_name = "T", help_heading = "Execution")]
    pub threads_per_block: Option<u32>,

    /// Processor threads; one for each core if not given. Results do not depend on it
    #[arg(long, value_name = "W", help_heading = "Execution")]
    pub threads: Option<NonZero<usize>>,

    /// Write the report as one line of JSON
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// Names of the weight functions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum KernelName {
    /// exp(-(d/h)^2 / 2)
    #[default]
    Gaussian,
    /// max(1 - d/h, 0)
    Triangular,
    /// 1 up to h, 0 beyond
    Flat,
}

/// Names of the methods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum MethodName {
    /// One kernel a step, which stores no distance
    #[default]
    Fused,
    /// Distances, weights and a weighted mean, in batches
    Composed,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn negative_numbers_are_values_not_options() {
        let args = Args::try_parse_from(["modeseek", "--bandwidth", "-1", "--tolerance", "-0.5"]).unwrap();
        assert_eq!((args.bandwidth, args.tolerance), (-1.0, -0.5));
    }

    #[test]
    fn unknown_words_are_refused() {
        for words in [
            ["modeseek", "--device", "tpu"],
            ["modeseek", "--kernel", "cosine"],
            ["modeseek", "--method", "magic"],
            ["modeseek", "--points", "-1"],
            ["modeseek", "--points", "1e5"],
            ["modeseek", "--threads", "0"],
        ] {
            assert!(Args::try_parse_from(words).is_err(), "{words:?}");
        }
    }
}
