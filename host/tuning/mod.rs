//! Blocks: how many threads those of a step have, by a table and by what was measured on a device.
//!
//! A fused step of d = 1 to 4 gives the same bits whatever its blocks are (its sums run over all points in one order, a
//! query to a lane), so their size is a matter of speed alone. Kernels whose sums depend on it are always launched with
//! their own: see [`Case`].
//!
//! The static [`table`] serves every device. `modeseek tune` measures ([`measure`]) and keeps what is faster in a file for
//! each device ([`cache`]), which is read when the device first fits; nothing ever needs it. The environment variable
//! `MODESEEK_TUNING=off` has the file left alone.

pub mod cache;
pub mod measure;

use std::collections::BTreeMap;

use cuda_std::machine::MachineKind;
use serde::{Deserialize, Serialize};

use crate::executor::Device;

/// So many queries or less are few: their blocks may not fill a device.
pub const FEW: u32 = 20_000;

/// A step whose blocks may be of any size: one of the kernels `shift_{weight}[_marked]_{1,2,3,4}`, for few queries or many.
///
/// ```
/// use modeseek::tuning::Case;
///
/// let case = Case { weight: "Gaussian".to_owned(), dimensions: 2, marked: false, many: true };
/// assert_eq!(case.to_string(), "Gaussian, d = 2, many queries");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Case {
    /// The weight function's name, as its [`Steps`](gpu::steps::Steps) have it.
    pub weight: String,
    /// d, from 1 to 4.
    pub dimensions: u32,
    /// Whether points have weights or bandwidths of their own.
    pub marked: bool,
    /// Whether there are more than [`FEW`] queries.
    pub many: bool,
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { weight, dimensions, marked, many } = self;
        let marked = if *marked { ", marked" } else { "" };
        write!(f, "{weight}, d = {dimensions}{marked}, {} queries", if *many { "many" } else { "few" })
    }
}

/// Threads of a step's block for each architecture, from its compute capability (times ten) on.
///
/// Calculated, not measured. A step of d = 2 has 4 queries a thread in 56 to 66 registers (docs/machine-code.md), so that the
/// 65,536 of a multiprocessor hold 7 or 8 blocks of 128 threads: all of the 32 warps that 7.5 can have, and half of
/// what 8.0 and 9.0 can. Larger blocks leave the last of them emptier (128 threads are 512 queries), and fewer
/// blocks for the multiprocessors; smaller ones copy each tile of points more often.
const ARCHITECTURES: [(u32, u32); 4] = [(75, 128), (80, 128), (90, 128), (100, 128)];

/// Threads of a step's block where nothing was measured: by a GPU's compute capability (times ten), or a processor's kind.
///
/// ```
/// use cuda_std::machine::MachineKind;
///
/// assert_eq!(modeseek::tuning::table(MachineKind::Gpu, Some(90)), 128);
/// ```
pub fn table(machine: MachineKind, compute: Option<u32>) -> u32 {
    let of = |compute| ARCHITECTURES.iter().rev().find(|(least, _)| *least <= compute).map(|(_, threads)| *threads);
    match machine {
        MachineKind::Gpu => compute.and_then(of).unwrap_or(machine.block()),
        _ => machine.block(),
    }
}

/// The blocks of a device's steps.
///
/// ```
/// use modeseek::tuning::Case;
///
/// # fn main() -> Result<(), modeseek::Error> {
/// let device = modeseek::Device::processor()?.without_tuning();
/// let case = Case { weight: "Gaussian".to_owned(), dimensions: 2, marked: false, many: true };
/// assert_eq!(device.shapes().threads(&case), device.machine().block());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shapes {
    table: u32,
    measured: BTreeMap<Case, u32>,
    /// Why a file was left alone.
    warning: Option<String>,
}

impl Shapes {
    /// Those of the table.
    pub(crate) fn of_table(device: &Device) -> Self {
        let compute = match device.machine() {
            // What the driver has to say is said by whatever is asked of it next.
            MachineKind::Gpu => device.details().ok().and_then(|details| details.compute_capability),
            _ => None,
        };
        let table = table(device.machine(), compute.map(|(major, minor)| 10 * major + minor));
        Self { table, measured: BTreeMap::new(), warning: None }
    }

    /// Those of the table, and what the file for the device says, if there is one and files are not switched off.
    pub(crate) fn of_device(device: &Device) -> Self {
        let shapes = Self::of_table(device);
        if std::env::var("MODESEEK_TUNING").is_ok_and(|value| value == "off") {
            return shapes;
        }
        let Some(folder) = cache::folder().filter(|folder| folder.is_dir()) else { return shapes };
        let Ok(key) = cache::Key::of(device) else { return shapes };
        match cache::read(&folder, &key, device.limits().threads) {
            Ok(found) => Self { measured: found.unwrap_or_default(), ..shapes },
            Err(unfit) => {
                tracing::warn!("{unfit}");
                Self { warning: Some(unfit.to_string()), ..shapes }
            }
        }
    }

    /// Threads of a block of a step: what was found best, or the table's.
    ///
    /// ```
    /// use modeseek::tuning::Case;
    ///
    /// let device = modeseek::Device::processor()?.without_tuning();
    /// let shapes = device.shapes();
    /// let case = Case { weight: "Flat".to_owned(), dimensions: 3, marked: false, many: false };
    /// assert_eq!(shapes.threads(&case), device.machine().block());
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn threads(&self, case: &Case) -> u32 {
        self.measured.get(case).copied().unwrap_or(self.table)
    }

    /// How many cases are launched otherwise than by the table.
    ///
    /// ```
    /// use modeseek::tuning::Case;
    ///
    /// let device = modeseek::Device::processor()?.without_tuning();
    /// let shapes = device.shapes();
    /// let case = Case { weight: "Flat".to_owned(), dimensions: 3, marked: false, many: false };
    /// assert_eq!(shapes.measured(), 0);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn measured(&self) -> usize {
        self.measured.len()
    }

    /// Why a file of measurements was left alone, if it was.
    ///
    /// ```
    /// use modeseek::tuning::Case;
    ///
    /// let device = modeseek::Device::processor()?.without_tuning();
    /// let shapes = device.shapes();
    /// let case = Case { weight: "Flat".to_owned(), dimensions: 3, marked: false, many: false };
    /// assert_eq!((shapes.warning(), shapes.threads(&case) % 32), (None, 0));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table says what kernels choose by themselves, until something else was calculated or measured.
    #[test]
    fn the_table_covers_every_architecture() {
        for compute in [75, 80, 86, 89, 90, 100, 120, 999] {
            assert_eq!(table(MachineKind::Gpu, Some(compute)), MachineKind::Gpu.block(), "{compute}");
        }
        assert_eq!(table(MachineKind::Gpu, None), MachineKind::Gpu.block());
        for machine in [MachineKind::Baseline, MachineKind::Avx2, MachineKind::Avx512] {
            assert_eq!(table(machine, None), machine.block());
        }
        assert!(ARCHITECTURES.iter().all(|(_, threads)| threads % 32 == 0 && (32..=1024).contains(threads)));
    }
}
