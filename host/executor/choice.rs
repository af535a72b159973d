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
/// let choice: DeviceChoice = "cpu".parse()?;
/// assert_eq!(choice, DeviceChoice::Cpu);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceChoice {
    /// The first GPU that can be opened and whose driver compiles kernels, else the processor.
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
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            "interpreter" => Ok(Self::Interpreter),
            other => match other.strip_prefix("cuda:").map(str::parse) {
                Some(Ok(number)) => Ok(Self::Cuda(number)),
                _ => Err(Error::Option {
                    option: "the device",
                    value: text.to_owned(),
                    must: "auto, cpu, cuda, cuda:N (N counts from 0) or interpreter",
                }),
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
            Self::Auto => match first_gpu() {
                Ok((cuda, which)) => Ok(Device::tuned(Box::new(cuda), format!("{which}; kernels {}", ptx::PTX_ORIGIN))),
                Err(why) => Ok(Device::tuned(Box::new(Cpu::new(cpu)?), why)),
            },
        }
    }
}

/// The first GPU that can be opened and runs kernels, and which that is; or why there is none.
fn first_gpu() -> Result<(Cuda, String), String> {
    let open = |number| {
        let opened = Cuda::open(CudaOptions { number, ..CudaOptions::default() });
        opened.and_then(|cuda| cuda.check_compiler().map(|()| cuda)).map_err(|error| match error {
            Error::NoGpu { reason } => reason,
            other => other.to_string(),
        })
    };
    let first = match open(0) {
        Ok(cuda) => return Ok((cuda, "the first GPU".to_owned())),
        Err(why) => why,
    };
    // One that is too old, or that somebody keeps, is no reason to leave another idle.
    let mut others = String::new();
    for number in 1..Cuda::count() {
        match open(number) {
            Ok(cuda) => return Ok((cuda, format!("GPU {number}, as GPU 0 cannot be used: {first}{others}"))),
            Err(why) if why == first => {}
            Err(why) => others += &format!("; GPU {number}: {why}"),
        }
    }
    Err(first + &others)
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
            assert_eq!(text.parse::<DeviceChoice>().unwrap(), choice);
        }
        for text in ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "CPU"] {
            let error = text.parse::<DeviceChoice>().unwrap_err();
            assert!(error.is_usage() && error.to_string().contains("must be auto, cpu, cuda"), "{error}");
        }
    }
}
