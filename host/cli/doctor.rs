//! `modeseek doctor`: what there is to run on, what is missing, and what would mend it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::thread;

use clap::Args;
use cuda_builder::Compiler;
use gpu::vector::axpy;
use serde::Serialize;

use crate::bytes::Bytes;
use crate::error::{Error, Result};
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
    what: String,
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
    pub fn run(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut findings = vec![processor()];
        // Without any, why there is none.
        findings.extend((0..Device::cuda_count().max(1)).map(gpu));
        findings.extend([kernels(), compiler(), choice(), tuning()]);
        if self.json {
            serde_json::to_writer(&mut *out, &findings)?;
            return writeln!(out);
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

impl Finding {
    /// That something works.
    fn works(what: &str, found: String) -> Self {
        Self { what: what.to_owned(), works: true, found, advice: None }
    }

    /// That it does not, and what to do.
    fn fails(what: &str, found: String, advice: &str) -> Self {
        Self { what: what.to_owned(), works: false, found, advice: Some(advice.to_owned()) }
    }
}

fn processor() -> Finding {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let what = "processor";
    let opened = Device::processor_with(CpuOptions::default()).and_then(|device| {
        let memory = Bytes(device.details()?.free_bytes as u128);
        Ok((format!("{}; {cores} cores; {memory} of memory free", device.describe()), tried(&device)))
    });
    match opened {
        Ok((found, Ok(()))) => Finding::works(what, found),
        Ok((found, Err(error))) => Finding::fails(what, format!("{found}; {error}"), NO_PROCESSOR),
        Err(error) => no_device(what, &error),
    }
}

/// What to do where the processor itself fails.
const NO_PROCESSOR: &str = "look whether other programs have all threads or memory";

/// That not even the processor can be opened, which is taken where there is no GPU.
fn no_device(what: &str, error: &Error) -> Finding {
    Finding::fails(what, error.to_string(), NO_PROCESSOR)
}

fn gpu(number: usize) -> Finding {
    let what = if number == 0 { "GPU".to_owned() } else { format!("GPU {number}") };
    let opened = Device::cuda(number).and_then(|device| {
        let details = device.details()?;
        Ok((describe(&details), tried(&device)))
    });
    match opened {
        Ok((found, Ok(()))) => Finding::works(&what, found),
        Ok((found, Err(error))) => Finding::fails(&what, format!("{found}; {error}"), NO_KERNELS),
        Err(Error::NoGpu { reason }) => Finding::fails(
            &what,
            reason,
            "with an NVIDIA GPU: install its driver, 460 or newer (Debian: apt-get install nvidia-driver), and look whether `nvidia-smi` sees it",
        ),
        Err(other) => Finding::fails(
            &what,
            other.to_string(),
            "look whether `nvidia-smi` sees the GPU; update its driver, or start the machine again",
        ),
    }
}

/// What to do where a device is there and runs nothing.
const NO_KERNELS: &str = "look whether the driver is whole (in a container, that it was given the driver's compiler), or update it; until then say --device cpu";

/// Runs a kernel, as a device may be there and refuse them; or why it does not, in a line.
fn tried(device: &Device) -> Result<(), String> {
    let run = || -> Result<Vec<f32>> {
        let (x, mut y) = (device.upload(&[1.0_f32, 2.0, 3.0])?, device.zeros(3)?);
        device.launch(axpy::launch(2.0, &x, &mut y))?;
        device.download(&y)
    };
    run().map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned()).and_then(|y| right(&y))
}

/// Whether twice the numbers from 1 to 3 are these.
fn right(found: &[f32]) -> Result<(), String> {
    match found == [2.0, 4.0, 6.0] {
        true => Ok(()),
        false => Err(format!("a kernel ran, and twice the numbers from 1 to 3 were {found:?}")),
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
    match works {
        true => Finding::works("kernels", found),
        false => {
            Finding::fails("kernels", found, "build again with CUDA_BUILDER=checked-in, or with a device compiler")
        }
    }
}

fn compiler() -> Finding {
    let what = "compiler";
    match Compiler::find(Path::new(".")) {
        Ok(Compiler { path, version }) => {
            Finding::works(what, format!("{version} at {}: kernels can be built", path.display()))
        }
        Err(error) => {
            let found = "none here can build kernels, which only who changes them needs to".to_owned();
            Finding::fails(what, found, error.advice())
        }
    }
}

fn choice() -> Finding {
    let what = "choice";
    let device = match DeviceChoice::Auto.open(CpuOptions::default()) {
        Ok(device) => device,
        Err(error) => return no_device(what, &error),
    };
    let found = format!("--device auto takes the {}: {}", device.describe(), device.why());
    match tried(&device) {
        Ok(()) => Finding::works(what, found),
        Err(_) => Finding::fails(what, format!("{found}; it runs no kernels"), NO_KERNELS),
    }
}

/// What `modeseek tune` found for the device that is taken.
fn tuning() -> Finding {
    let what = "tuning";
    let device = match DeviceChoice::Auto.open(CpuOptions::default()) {
        Ok(device) => device,
        Err(error) => return no_device(what, &error),
    };
    let shapes = device.shapes();
    match (shapes.warning(), shapes.measured()) {
        (Some(warning), _) => {
            let advice = "run `modeseek tune` again; until then the table of blocks is used";
            Finding::fails(what, warning.to_owned(), advice)
        }
        (None, 0) => {
            let found = "the table of blocks is used; `modeseek tune` looks for faster ones";
            Finding::works(what, found.to_owned())
        }
        (None, measured) => {
            Finding::works(what, format!("{measured} kinds of steps have blocks that were measured to be faster here"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_that_fails_is_not_what_is_advised() {
        let error = Error::Workers { workers: 2, cause: "there are none left".into() };
        let Finding { works, advice, .. } = no_device("choice", &error);
        assert!(!works && advice.is_some_and(|advice| !advice.contains("--device cpu")));
    }

    #[test]
    fn a_wrong_result_is_said() {
        assert_eq!(right(&[2.0, 4.0, 6.0]), Ok(()));
        assert!(right(&[2.0, 4.0, 0.0]).unwrap_err().ends_with("were [2.0, 4.0, 0.0]"));
    }
}
