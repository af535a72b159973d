//! The ways to behave.

use crate::errors::Status;

/// What the variable `STAND_IN_DRIVER` chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// One GPU of compute capability 9.0 that works.
    Works,
    /// A second one, of 7.5.
    TwoDevices,
    /// The driver starts and counts no GPU.
    NoDevices,
    /// `cuInit` finds no GPU: what a machine says whose GPU was taken out.
    NoHardware,
    /// `cuInit` fails: what a half-finished update of the driver leaves behind.
    FailsToStart,
    /// A GPU of compute capability 6.1.
    OldGpu,
    /// The same, and a second one of 9.0.
    OldGpuFirst,
    /// A driver of CUDA 10.2. Functions that are newer must not be called.
    OldDriver,
    /// A GPU that another process uses exclusively.
    Busy,
    /// Every module is refused, with a log.
    RefusesPtx,
    /// The driver's compiler is missing, as in a container that was given a part of the driver.
    NoCompiler,
    /// Memory is free until one asks for it.
    OutOfMemory,
    /// A GPU with so many bytes of memory: `memory-4096` and so on.
    Memory(usize),
    /// A GPU whose blocks have at most so many bytes of shared memory, however they ask: `shared-65536` and so on.
    Shared(usize),
    /// Every launch is refused.
    LaunchFails,
    /// No event is recorded.
    EventsFail,
    /// What is recorded is found invalid in the end, as when another library has waited for the whole device meanwhile.
    RecordingFails,
    /// A launch goes wrong, which comes out when the program waits for it: the first, or `kernel-fails-3`, the third.
    KernelFails(usize),
    /// The first launch goes wrong, which comes out with the very next call.
    KernelFailsSoon,
    /// The GPU is lost at a call, counted from 1 over those that need a context: that call and all that
    /// follow fail with an error. `lost-ECC_UNCORRECTABLE-20`: by damaged memory, at the twentieth call.
    Lost(Lost),
}

/// How a GPU is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) error: Status,
    pub(crate) call: usize,
}

/// Those that have a name alone.
const NAMED: [(&str, Behaviour); 17] = [
    ("works", Behaviour::Works),
    ("two-devices", Behaviour::TwoDevices),
    ("no-devices", Behaviour::NoDevices),
    ("no-hardware", Behaviour::NoHardware),
    ("fails-to-start", Behaviour::FailsToStart),
    ("old-gpu", Behaviour::OldGpu),
    ("old-gpu-first", Behaviour::OldGpuFirst),
    ("old-driver", Behaviour::OldDriver),
    ("busy", Behaviour::Busy),
    ("refuses-ptx", Behaviour::RefusesPtx),
    ("no-compiler", Behaviour::NoCompiler),
    ("out-of-memory", Behaviour::OutOfMemory),
    ("launch-fails", Behaviour::LaunchFails),
    ("events-fail", Behaviour::EventsFail),
    ("recording-fails", Behaviour::RecordingFails),
    ("kernel-fails", Behaviour::KernelFails(1)),
    ("kernel-fails-soon", Behaviour::KernelFailsSoon),
];

impl Behaviour {
    /// The one that the environment names; without a name, the first.
    pub(crate) fn from_environment() -> Self {
        let Ok(name) = std::env::var("STAND_IN_DRIVER") else { return Self::Works };
        let named = NAMED.iter().find(|(known, _)| *known == name).map(|(_, behaviour)| *behaviour);
        let found = named.or_else(|| Self::with_numbers(&name));
        found.unwrap_or_else(|| {
            panic!(
                "stand-in driver: STAND_IN_DRIVER is {name}, which is neither memory-N, shared-N, kernel-fails-N, lost-ERROR-N nor of {NAMED:?}"
            )
        })
    }

    fn with_numbers(name: &str) -> Option<Self> {
        if let Some(bytes) = name.strip_prefix("memory-") {
            return Some(Self::Memory(bytes.parse().ok()?));
        }
        if let Some(bytes) = name.strip_prefix("shared-") {
            return Some(Self::Shared(bytes.parse().ok()?));
        }
        if let Some(launch) = name.strip_prefix("kernel-fails-") {
            return Some(Self::KernelFails(launch.parse().ok()?));
        }
        let (error, call) = name.strip_prefix("lost-")?.split_once('-')?;
        Some(Self::Lost(Lost { error: Status::named(error)?, call: call.parse().ok()? }))
    }

    /// Compute capabilities of the GPUs, major and minor.
    pub(crate) fn devices(self) -> &'static [(i32, i32)] {
        match self {
            Self::NoDevices => &[],
            Self::OldGpu => &[(6, 1)],
            Self::OldGpuFirst => &[(6, 1), (9, 0)],
            Self::TwoDevices => &[(9, 0), (7, 5)],
            _ => &[(9, 0)],
        }
    }

    /// What `cuDriverGetVersion` says.
    pub(crate) fn version(self) -> i32 {
        if self == Self::OldDriver { 10_020 } else { 12_040 }
    }

    /// Bytes of memory of a GPU.
    pub(crate) fn memory(self) -> usize {
        if let Self::Memory(bytes) = self { bytes } else { 1 << 30 }
    }

    /// Bytes of shared memory of a block that asks for them: as of 9.0, unless it says otherwise.
    pub(crate) fn shared(self) -> usize {
        if let Self::Shared(bytes) = self { bytes } else { 227 << 10 }
    }
}
