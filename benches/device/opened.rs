//! A device that is measured, and what result files say of it.

use std::path::{Path, PathBuf};

use cuda_std::machine::MachineKind;
use modeseek::Device;
use modeseek::executor::{CpuOptions, CudaOptions, DeviceChoice, InterpreterOptions, ptx};
use serde_json::{Value, json};

use super::{Outcome, one_line};

/// A device under the name that rows have.
pub struct Opened {
    pub device: Device,
    pub name: &'static str,
    pub timer: &'static str,
    choice: DeviceChoice,
}

impl Opened {
    /// Opens what was asked for.
    pub fn new(choice: DeviceChoice) -> Outcome<Self> {
        Ok(Self::named(choice.open(CpuOptions::default())?, choice))
    }

    fn named(device: Device, choice: DeviceChoice) -> Self {
        let (name, timer) = match (choice, device.machine()) {
            (DeviceChoice::Interpreter, _) => ("interpreter", "wall clock"),
            (_, MachineKind::Gpu) => ("cuda", "device events"),
            _ => ("cpu", "wall clock"),
        };
        Self { device, name, timer, choice }
    }

    /// The same device with other kernels in the place of those of the same names.
    pub fn with_modules(&self, files: &[PathBuf]) -> Outcome<Self> {
        let device = match (self.name, self.choice) {
            ("interpreter", _) => {
                let modules = files.iter().map(|file| read(file, |file| std::fs::read_to_string(file)));
                let modules = modules.collect::<Outcome<_>>()?;
                Device::interpreter(InterpreterOptions { modules, ..InterpreterOptions::default() })?
            }
            ("cuda", choice) => {
                let number = if let DeviceChoice::Cuda(number) = choice { number } else { 0 };
                let modules = files.iter().map(|file| read(file, |file| std::fs::read(file)));
                Device::cuda_with(CudaOptions { number, modules: modules.collect::<Outcome<_>>()? })?
            }
            _ => return Err("kernels by nvcc run on a GPU, or on the interpreter".into()),
        };
        Ok(Self::named(device, self.choice))
    }

    /// What was asked for, as it is typed.
    pub fn typed(&self) -> String {
        match self.choice {
            DeviceChoice::Cuda(number) => format!("cuda:{number}"),
            _ => self.name.to_owned(),
        }
    }

    /// Why nothing more can be done with it: after a kernel has failed, a GPU answers nothing any more.
    pub fn lost(&self) -> Option<String> {
        self.device.synchronize().err().map(|error| one_line(&error.to_string()))
    }

    /// What result files say of it.
    pub fn machine(&self) -> Outcome<Value> {
        let mut machine = serde_json::to_value(self.device.details()?)?;
        let command: Vec<String> = std::env::args().collect();
        let system = |text: Option<String>| text.unwrap_or_else(|| "unknown".to_owned());
        let more = json!({
            "device": self.device.describe(),
            "device_why": self.device.why(),
            "version": env!("CARGO_PKG_VERSION"),
            "ptx": ptx::PTX_ORIGIN,
            "system": system(sysinfo::System::long_os_version()),
            "kernel": system(sysinfo::System::kernel_version()),
            "command": command.join(" "),
        });
        if let (Value::Object(machine), Value::Object(more)) = (&mut machine, more) {
            machine.extend(more);
        }
        Ok(machine)
    }
}

fn read<T>(file: &Path, read: impl FnOnce(&Path) -> std::io::Result<T>) -> Outcome<T> {
    read(file).map_err(|error| format!("{} cannot be read: {error}", file.display()).into())
}
