//! Which device to use: what a user says, and what that means here.

use std::str::FromStr;

use super::cpu::{Cpu, CpuOptions};
use super::cuda::{Cuda, CudaOptions};
use super::{Device, InterpreterOptions, ptx};
use crate::error::{Error, Result};

/// `auto`, `cpu`, `cuda`, `cuda:N` or `interpreter`.
///
/// ```
/// use modeseek::executor::{CpuOptions, DeviceChoice};
///
/// // As it is written on the command line.
/// let choice: DeviceChoice = "cpu".parse().unwrap();
/// assert_eq!(choice, DeviceChoice::Cpu);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceChoice {
    /// A GPU if there is one that works, else the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// The GPU with this number.
    Cuda(usize),
    /// The PTX on an interpreter that checks every access; slow.
    Interpreter,
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            "interpreter" => Ok(Self::Interpreter),
            other => match other.strip_prefix("cuda:").map(str::parse) {
                Some(Ok(number)) => Ok(Self::Cuda(number)),
                _ => Err("there are auto, cpu, cuda, cuda:N (N counts from 0) and interpreter".to_owned()),
            },
        }
    }
}

impl DeviceChoice {
    /// Opens the device. `auto` takes the processor where no GPU works, and says why.
    ///
    /// ```
    /// use modeseek::executor::{CpuOptions, DeviceChoice};
    ///
    /// let device = DeviceChoice::Auto.open(CpuOptions::default())?;
    /// assert!(!device.why().is_empty());
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the device that was asked for cannot be used.
    pub fn open(self, cpu: CpuOptions) -> Result<Device> {
        match self {
            Self::Cpu => Device::processor_with(cpu),
            Self::Cuda(number) => Device::cuda(number),
            Self::Interpreter => Device::interpreter(InterpreterOptions::default()),
            Self::Auto => match Cuda::open(CudaOptions::default()) {
                Ok(cuda) => Ok(Device::tuned(Box::new(cuda), format!("the first GPU; kernels {}", ptx::PTX_ORIGIN))),
                Err(Error::NoGpu { reason }) => Ok(Device::tuned(Box::new(Cpu::new(cpu)?), reason)),
                Err(other) => Ok(Device::tuned(Box::new(Cpu::new(cpu)?), other.to_string())),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_parsed() {
        for (text, choice) in [
            ("auto", DeviceChoice::Auto),
            ("cpu", DeviceChoice::Cpu),
            ("cuda", DeviceChoice::Cuda(0)),
            ("cuda:3", DeviceChoice::Cuda(3)),
            ("interpreter", DeviceChoice::Interpreter),
        ] {
            assert_eq!(text.parse(), Ok(choice));
        }
        for text in ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "CPU"] {
            assert!(text.parse::<DeviceChoice>().is_err(), "{text:?}");
        }
    }
}
