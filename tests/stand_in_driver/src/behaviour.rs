//! The ways to behave.

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
    /// A driver of CUDA 10.2. Functions that are newer must not be called.
    OldDriver,
    /// A GPU that another process uses exclusively.
    Busy,
    /// Every module is refused, with a log.
    RefusesPtx,
    /// Memory is free until one asks for it.
    OutOfMemory,
    /// Hardly any memory is free.
    LittleMemory,
    /// Every launch is refused.
    LaunchFails,
    /// The first launch goes wrong, which comes out when the program waits for it.
    KernelFails,
    /// The first launch goes wrong, which comes out with the very next call.
    KernelFailsSoon,
}

const ALL: [(&str, Behaviour); 14] = [
    ("works", Behaviour::Works),
    ("two-devices", Behaviour::TwoDevices),
    ("no-devices", Behaviour::NoDevices),
    ("no-hardware", Behaviour::NoHardware),
    ("fails-to-start", Behaviour::FailsToStart),
    ("old-gpu", Behaviour::OldGpu),
    ("old-driver", Behaviour::OldDriver),
    ("busy", Behaviour::Busy),
    ("refuses-ptx", Behaviour::RefusesPtx),
    ("out-of-memory", Behaviour::OutOfMemory),
    ("little-memory", Behaviour::LittleMemory),
    ("launch-fails", Behaviour::LaunchFails),
    ("kernel-fails", Behaviour::KernelFails),
    ("kernel-fails-soon", Behaviour::KernelFailsSoon),
];

impl Behaviour {
    /// The one that the environment names; without a name, the first.
    pub(crate) fn from_environment() -> Self {
        let Ok(name) = std::env::var("STAND_IN_DRIVER") else { return Self::Works };
        let found = ALL.iter().find(|(known, _)| *known == name);
        found.unwrap_or_else(|| panic!("stand-in driver: STAND_IN_DRIVER is {name}, which is none of {ALL:?}")).1
    }

    /// Compute capabilities of the GPUs, major and minor.
    pub(crate) fn devices(self) -> &'static [(i32, i32)] {
        match self {
            Self::NoDevices => &[],
            Self::OldGpu => &[(6, 1)],
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
        if self == Self::LittleMemory { 4096 } else { 1 << 30 }
    }
}
