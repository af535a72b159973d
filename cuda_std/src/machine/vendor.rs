//! Who made this processor.

use core::arch::x86_64::__cpuid;
use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

const UNKNOWN: u8 = 0;
const INTEL: u8 = 1;
const OTHER: u8 = 2;

/// Asked once: a virtual machine takes a microsecond and more to answer.
static VENDOR: AtomicU8 = AtomicU8::new(UNKNOWN);

/// Whether Intel did.
#[inline(always)]
pub fn is_intel() -> bool {
    match VENDOR.load(Relaxed) {
        UNKNOWN => ask() == INTEL,
        vendor => vendor == INTEL,
    }
}

#[cold]
fn ask() -> u8 {
    let answer = __cpuid(0);
    let name = [answer.ebx, answer.edx, answer.ecx].map(u32::to_le_bytes);
    let vendor = if name.as_flattened() == b"GenuineIntel" { INTEL } else { OTHER };
    VENDOR.store(vendor, Relaxed);
    vendor
}
