//! `modeseek tune`: which blocks are fastest on a device.

use std::io::{self, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};

use clap::Args;

use super::estimator::KernelName;
use super::interrupt;
use super::typed::{count, name};
use crate::error::{Error, Result};
use crate::executor::{CpuOptions, Device, DeviceChoice};
use crate::tuning::cache::{self, Key};
use crate::tuning::measure::{Plan, Row, Verdict, better, measure};

/// Measures which blocks are fastest on a device, and keeps that for later runs.
#[derive(Clone, Debug, Args)]
pub struct TuneArgs {
    /// auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", value_parser = name::<DeviceChoice>, default_value = "auto")]
    pub device: DeviceChoice,

    /// Processor threads; one for each core if not given
    #[arg(long, value_name = "W", value_parser = count::<NonZero<usize>>)]
    pub threads: Option<NonZero<usize>>,

    /// Weight functions; all if not given
    #[arg(long, value_enum, value_name = "KERNEL")]
    pub kernel: Vec<KernelName>,

    /// Dimensions, from 1 to 4; all if not given
    #[arg(long, value_name = "D", value_parser = dimensions)]
    pub dim: Vec<u32>,

    /// Points of the larger case; 65536 on a GPU and 8192 on a processor if not given
    #[arg(long, value_name = "N", value_parser = count::<usize>)]
    pub points: Option<usize>,

    /// Samples of each block, whose median counts
    #[arg(long, value_name = "K", value_parser = count::<usize>, default_value_t = 9)]
    pub samples: usize,

    /// Measures and writes nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Write it as one line of JSON for each case
    #[arg(long)]
    pub json: bool,
}

/// A number of dimensions that has blocks to tune, as typed.
fn dimensions(text: &str) -> Result<u32, &'static str> {
    text.parse().ok().filter(|d| (1..=4).contains(d)).ok_or("give a number from 1 to 4")
}

impl TuneArgs {
    /// Measures, tells and keeps.
    ///
    /// # Errors
    /// A device that is none, or fails; a file that cannot be written.
    pub fn run(&self, out: &mut dyn Write) -> Result<()> {
        if self.device == DeviceChoice::Interpreter {
            let must = "auto, cpu, cuda or cuda:N: an interpreter's times say nothing of a GPU's";
            return Err(Error::Option { option: "--device", value: "interpreter".to_owned(), must });
        }
        let folder = self.kept_in(cache::folder())?;
        let device = self.device.open(CpuOptions { workers: self.threads, machine: None })?.without_tuning();
        let key = Key::of(&device)?;
        if let Some(folder) = &folder {
            cache::check(folder, &key)?;
        }
        let mut plan = Plan::of(&device);
        plan.samples = self.samples;
        plan.many = self.points.unwrap_or(plan.many);
        if !self.kernel.is_empty() {
            plan.weights = self.kernel.iter().map(|&name| name.into()).collect();
        }
        if !self.dim.is_empty() {
            plan.dimensions.clone_from(&self.dim);
        }
        // Not before there is something to tell: what cannot be measured is an error alone.
        let mut begun = self.json;
        // Who reads it may have seen enough: what was measured is kept all the same.
        let mut told = Ok(());
        let rows = measure(&device, &plan, |row| {
            interrupt::check()?;
            if told.is_ok() && !std::mem::replace(&mut begun, true) {
                told = begin(out, &device);
            }
            if told.is_ok() {
                told = self.tell(out, row);
            }
            Ok(())
        })?;
        let found = better(&rows);
        let busy = rows.iter().filter(|row| row.verdict == Verdict::Busy).count();
        let kept = self.keep(folder.as_deref(), &key, &rows)?;
        let end = || {
            if self.json {
                return Ok(());
            }
            writeln!(out, "{} of {} steps are faster in other blocks than the table's", found.len(), rows.len())?;
            if busy > 0 {
                writeln!(out, "{busy} were not decided: the device does other work, which `--samples` may even out")?;
            }
            match kept {
                Some(path) => writeln!(out, "kept in {}", path.display()),
                None => writeln!(out, "nothing was written"),
            }
        };
        told.and_then(|()| end()).map_err(Error::Output)
    }

    /// Where it is to be kept, if it is.
    fn kept_in(&self, caches: Option<PathBuf>) -> Result<Option<PathBuf>> {
        match caches {
            _ if self.dry_run => Ok(None),
            Some(folder) => Ok(Some(folder)),
            None => Err(Error::NoCacheFolder),
        }
    }

    fn tell(&self, out: &mut dyn Write, row: &Row) -> io::Result<()> {
        if self.json {
            serde_json::to_writer(&mut *out, row)?;
            return writeln!(out);
        }
        let Row { case, default, best, spread, verdict } = row;
        let verdict = match verdict {
            Verdict::Better => "",
            Verdict::Kept => "  the table's is kept",
            Verdict::Busy => "  busy: the table's is kept",
        };
        let gain = 100.0 * (1.0 - best.1 / default.1);
        writeln!(
            out,
            "{:<44}  {:>7}  {:>10.1}  {:>7}  {:>10.1}  {:>4.0} %  {:>4.0} %{verdict}",
            case.to_string(),
            default.0,
            default.1,
            best.0,
            best.1,
            gain,
            100.0 * spread
        )
    }

    /// Adds what is better to what the file has of other cases; where it stands.
    fn keep(&self, folder: Option<&Path>, key: &Key, rows: &[Row]) -> Result<Option<PathBuf>> {
        let Some(folder) = folder else { return Ok(None) };
        // What is damaged, or was measured otherwise, is replaced.
        let mut blocks = cache::read(folder, key, 1024).ok().flatten().unwrap_or_default();
        for row in rows {
            blocks.remove(&row.case);
        }
        blocks.extend(better(rows));
        cache::write(folder, key, &blocks).map(Some)
    }
}

/// What stands above the table.
fn begin(out: &mut dyn Write, device: &Device) -> io::Result<()> {
    writeln!(out, "device {}", device.describe())?;
    writeln!(
        out,
        "{:<44}  {:>7}  {:>10}  {:>7}  {:>10}  {:>6}  {:>6}",
        "step", "table", "us", "best", "us", "gain", "spread"
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        tune: TuneArgs,
    }

    #[test]
    fn a_user_without_a_folder_for_caches_is_told() {
        let kept = |args: &[&str], caches: Option<PathBuf>| Typed::parse_from(args).tune.kept_in(caches);
        let error = kept(&["tune"], None).unwrap_err();
        assert!(error.to_string().contains("--dry-run"), "{error}");
        assert_eq!(kept(&["tune", "--dry-run"], None).unwrap(), None);
        assert_eq!(kept(&["tune", "--dry-run"], Some("a".into())).unwrap(), None);
        assert_eq!(kept(&["tune"], Some("a".into())).unwrap(), Some("a".into()));
    }
}
