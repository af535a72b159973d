//! What a device is, for a record of what was measured on it.

use serde::Serialize;

/// What a device says of itself; what it does not say, or does not have, is left out.
///
/// ```
/// use modeseek::Device;
///
/// let details = Device::processor()?.details()?;
/// assert!(details.free_bytes > 0);
/// // That is a GPU's.
/// assert_eq!(details.compute_capability, None);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Details {
    /// Its name.
    pub name: String,
    /// A GPU's compute capability, major and minor.
    pub compute_capability: Option<(u32, u32)>,
    /// The version of CUDA that a GPU's driver is for.
    pub driver: Option<String>,
    /// A GPU's multiprocessors.
    pub multiprocessors: Option<u32>,
    /// The highest clock of a GPU's multiprocessors, in kHz.
    pub clock_khz: Option<u32>,
    /// The highest clock of a GPU's memory, in kHz.
    pub memory_clock_khz: Option<u32>,
    /// The width of the bus to a GPU's memory, in bits.
    pub memory_bus_bits: Option<u32>,
    /// Bytes of a GPU's L2 cache.
    pub l2_bytes: Option<usize>,
    /// Bytes of memory.
    pub memory_bytes: Option<usize>,
    /// Bytes of memory that are free now.
    pub free_bytes: usize,
}

impl Details {
    /// Of a device that is made of this machine's processor and memory.
    pub(super) fn of_this_machine(name: String, free_bytes: usize) -> Self {
        let mut system = sysinfo::System::new();
        system.refresh_memory();
        let total = usize::try_from(system.total_memory()).ok();
        Self {
            name,
            compute_capability: None,
            driver: None,
            multiprocessors: None,
            clock_khz: None,
            memory_clock_khz: None,
            memory_bus_bits: None,
            l2_bytes: None,
            memory_bytes: total.filter(|&bytes| bytes > 0),
            free_bytes,
        }
    }
}
