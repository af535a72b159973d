//! What was typed.

use std::num::NonZero;
use std::path::PathBuf;

use clap::Parser;

use super::commands::Command;
use super::estimator::EstimatorArgs;
use super::input::InputArgs;
use super::outputs::OutputArgs;
use super::pictures::PictureArgs;
use super::typed::{count, name};
use crate::executor::DeviceChoice;

const EXAMPLES: &str = "\
Examples:
  modeseek --points 100000                      the main job, on the GPU if there is one
  modeseek --points 1500 --iterations 5         the lecture's case
  modeseek --points 20000 --kernel flat --json  one line of JSON, for programs
  modeseek --points 5000 --dim 16 --bandwidth 8 --device cpu
  modeseek --points 20000 --form standard --seeding bins --kernel flat --merging densest
                                                as scikit-learn's MeanShift does it
  modeseek --bandwidth third                    chooses the bandwidth by itself
  modeseek points.csv -o labels.csv             clusters a file, and writes its columns with a label
  modeseek points.parquet --columns x,y --weights mass --bandwidth 2 -o out.parquet --centres centres.csv
  modeseek train.npy --bandwidth 0.5 --predict new.npy --predicted new-labels.npy
  modeseek train.csv --save train.model         keeps what was found, for
  modeseek predict train.model new.csv -o new-labels.csv
  modeseek huge.csv.zst --stream --bandwidth 0.5 -o labels.csv.zst
  modeseek points.csv --plot clusters.png --animate steps.html
  modeseek sweep points.csv --plot sweep.png    which bandwidths are stable
  modeseek tune                                 finds the fastest blocks for this device
  modeseek segment photo.jpg -o segments.png    the regions of an image

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.";

/// Clusters points by mean shift, on the GPU or on the processor.
///
/// Finds the clusters of the points of a file, or generates Gaussian clusters about random centroids, finds them again,
/// and reports how well and how fast. Mean shift is told a bandwidth, not how many clusters there are.
#[derive(Clone, Debug, Parser)]
#[command(name = "modeseek", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Args {
    /// What else to do
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Which points
    #[command(flatten)]
    pub input: InputArgs,

    /// How to cluster
    #[command(flatten)]
    pub estimator: EstimatorArgs,

    /// auto, cpu, cuda, cuda:N (the GPU number N, from 0), or interpreter (the PTX, every access checked; slow)
    #[arg(long, value_name = "DEVICE", value_parser = name::<DeviceChoice>, default_value = "auto", help_heading = "Execution")]
    pub device: DeviceChoice,

    /// Threads of a block, a multiple of 32, for kernels that accept any; each chooses its own if not given
    #[arg(long, value_name = "T", value_parser = count::<u32>, help_heading = "Execution")]
    pub threads_per_block: Option<u32>,

    /// Leaves what `modeseek tune` found alone. Results do not depend on it
    #[arg(long, help_heading = "Execution")]
    pub no_tuning: bool,

    /// Marks the phases of the run for NVIDIA's profilers, which need their library libnvToolsExt (NVTX) for it. On by
    /// itself under a profiler that asks for ranges
    #[arg(long, help_heading = "Execution")]
    pub nvtx: bool,

    /// Processor threads; one for each core if not given. Results do not depend on it
    #[arg(long, value_name = "W", value_parser = count::<NonZero<usize>>, help_heading = "Execution")]
    pub threads: Option<NonZero<usize>>,

    /// Reads FILE twice in parts instead of holding it, for files larger than memory: by a binned field, with a bandwidth
    /// that is given, and with --form standard
    #[arg(long, help_heading = "Execution")]
    pub stream: bool,

    /// What to write beside the report
    #[command(flatten)]
    pub output: OutputArgs,

    /// What to draw
    #[command(flatten)]
    pub pictures: PictureArgs,

    /// Writes no report and shows no progress; files are written, and errors told
    #[arg(short, long, conflicts_with_all = ["json", "progress", "verbose"], help_heading = "Output")]
    pub quiet: bool,

    /// Tells on standard error what is being done
    #[arg(short, long, help_heading = "Output")]
    pub verbose: bool,

    /// Tell on standard error how far each iteration moved
    #[arg(long, help_heading = "Output")]
    pub progress: bool,

    /// Write the report as one line of JSON
    #[arg(long, help_heading = "Output")]
    pub json: bool,

    /// Writes the report as JSON to a file, too
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub report: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::mean_shift::Bandwidth;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn negative_numbers_are_values_not_options() {
        let args = Args::try_parse_from(["modeseek", "--bandwidth", "-1", "--tolerance", "-0.5"]).unwrap();
        assert_eq!(args.estimator.bandwidth(false), Bandwidth::Fixed(-1.0));
        assert_eq!(args.estimator.tolerance, -0.5);
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
            ["modeseek", "a.csv", "--points=10"],
            ["modeseek", "a.csv", "--delimiter=ab"],
            ["modeseek", "--predict", "a.csv"],
        ] {
            assert!(Args::try_parse_from(words).is_err(), "{words:?}");
        }
    }
}
