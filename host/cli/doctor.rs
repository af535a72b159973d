//! `modeseek doctor`: what there is to run on, what is missing, and what would mend it.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::thread;

use clap::Args;
use cuda_builder::Compiler;
use serde::Serialize;

use crate::error::{Bytes, Error, Result};
use crate::executor::{CpuOptions, Details, Device, DeviceChoice, ptx};

/// Tells what there is to run on, what is missing, and what would mend it.
#[derive(Clone, Debug, Args)]
pub struct DoctorArgs {
    /// Write it as one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// Something that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    what: &'static str,
    /// Whether it is there and works.
    works: bool,
    found: String,
    /// What to do, if it does not.
    advice: Option<String>,
}

impl DoctorArgs {
    /// Looks, and tells.
    ///
    /// # Errors
    /// If it cannot be written. What is missing is no error: the processor suffices.
    pub fn run(&self, out: &mut dyn Write) -> Result<()> {
        let findings = [processor(), gpu(), kernels(), compiler(), choice(), tuning()];
        if self.json {
            serde_json::to_writer(&mut *out, &findings).map_err(std::io::Error::from)?;
            writeln!(out)?;
            return Ok(());
        }
        writeln!(out, "modeseek {}", env!("CARGO_PKG_VERSION"))?;
        for Finding { what, works, found, advice } in findings {
            let mark = if works { "ok" } else { "--" };
            writeln!(out, "{mark}  {what:<10}  {found}")?;
            if let Some(advice) = advice {
                writeln!(out, "    {:<10}  {advice}", "")?;
            }
        }
        Ok(())
    }
}

fn processor() -> Finding {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let what = "processor";
    match Device::processor_with(CpuOptions::default()).and_then(|device| Ok((device.describe(), device.details()?))) {
        Ok((device, details)) => {
            let memory = Bytes(details.free_bytes as u128);
            Finding {
                what,
                works: true,
                found: format!("{device}; {cores} cores; {memory} of memory free"),
                advice: None,
            }
        }
        Err(error) => Finding { what, works: false, found: error.to_string(), advice: None },
    }
}

fn gpu() -> Finding {
    let what = "GPU";
    match Device::cuda(0).and_then(|device| device.details()) {
        Ok(details) => Finding { what, works: true, found: describe(&details), advice: None },
        Err(error) => {
            let (found, advice) = match error {
                Error::NoGpu { reason } => (
                    reason,
                    "with an NVIDIA GPU: install its driver, 460 or newer (Debian: apt-get install nvidia-driver), and look whether `nvidia-smi` sees it",
                ),
                other => (
                    other.to_string(),
                    "look whether `nvidia-smi` sees the GPU; update its driver, or start the machine again",
                ),
            };
            Finding { what, works: false, found, advice: Some(advice.to_owned()) }
        }
    }
}

fn describe(details: &Details) -> String {
    let Details { name, compute_capability, driver, multiprocessors, memory_bytes, .. } = details;
    let mut found = name.clone();
    if let Some((major, minor)) = compute_capability {
        found += &format!("; compute capability {major}.{minor}");
    }
    if let Some(multiprocessors) = multiprocessors {
        found += &format!("; {multiprocessors} multiprocessors");
    }
    if let Some(bytes) = memory_bytes {
        found += &format!("; {} of memory", Bytes(*bytes as u128));
    }
    if let Some(driver) = driver {
        found += &format!("; driver for CUDA {driver}");
    }
    found
}

fn kernels() -> Finding {
    let mut variants: BTreeMap<u32, usize> = BTreeMap::new();
    for module in ptx::PTX {
        *variants.entry(module.compute).or_default() += module.entries.len();
    }
    let variants: Vec<_> = variants
        .iter()
        .map(|(compute, kernels)| format!("compute {}.{} ({kernels} kernels)", compute / 10, compute % 10))
        .collect();
    let works = !variants.is_empty();
    let found = if works {
        format!("PTX for {}; {}", variants.join(", "), ptx::PTX_ORIGIN)
    } else {
        ptx::PTX_ORIGIN.to_owned()
    };
    let advice = "build again with CUDA_BUILDER=checked-in, or with a device compiler";
    Finding { what: "kernels", works, found, advice: (!works).then(|| advice.to_owned()) }
}

fn compiler() -> Finding {
    let what = "compiler";
    match Compiler::find(Path::new(".")) {
        Ok(Compiler { path, version }) => Finding {
            what,
            works: true,
            found: format!("{version} at {}: kernels can be built", path.display()),
            advice: None,
        },
        Err(error) => Finding {
            what,
            works: false,
            found: "none here can build kernels, which only who changes them needs to".to_owned(),
            advice: Some(error.advice().to_owned()),
        },
    }
}

fn choice() -> Finding {
    let what = "choice";
    match DeviceChoice::Auto.open(CpuOptions::default()) {
        Ok(device) => {
            let found = format!("--device auto takes the {}: {}", device.describe(), device.why());
            Finding { what, works: true, found, advice: None }
        }
        Err(error) => Finding { what, works: false, found: error.to_string(), advice: None },
    }
}

/// What `modeseek tune` found for the device that is taken.
fn tuning() -> Finding {
    let what = "tuning";
    let device = match DeviceChoice::Auto.open(CpuOptions::default()) {
        Ok(device) => device,
        Err(error) => return Finding { what, works: false, found: error.to_string(), advice: None },
    };
    let shapes = device.shapes();
    match (shapes.warning(), shapes.measured()) {
        (Some(warning), _) => {
            let advice = Some("run `modeseek tune` again; until then the table of blocks is used".to_owned());
            Finding { what, works: false, found: warning.to_owned(), advice }
        }
        (None, 0) => {
            let found = "the table of blocks is used; `modeseek tune` looks for faster ones".to_owned();
            Finding { what, works: true, found, advice: None }
        }
        (None, measured) => {
            let found = format!("{measured} kinds of steps have blocks that were measured to be faster here");
            Finding { what, works: true, found, advice: None }
        }
    }
}
