//! Device memory: separate allocations, far from each other, with a record of what was written and by whom.

pub(crate) mod region;
pub(crate) mod shadow;

use crate::fault::{AccessKind, FaultKind};
use crate::types::Space;
use region::Region;
use shadow::{Foreign, Who};
use thiserror::Error;

/// Each allocation owns addresses of this many bits, and starts in their middle: an index that is off by
/// gigabytes, either way, still belongs to the allocation that was meant.
const SPAN_BITS: u32 = 36;
/// What `cuMemAlloc` promises, and no more: a kernel that relies on more is caught.
const ALIGNMENT: u64 = 256;
const FIRST_SPAN: u64 = 8;
const LARGEST: u64 = 1 << (SPAN_BITS - 2);

/// Where the windows of the other spaces lie among generic addresses.
pub(crate) const SHARED_WINDOW: u64 = 1 << SPAN_BITS;
pub(crate) const LOCAL_WINDOW: u64 = 2 << SPAN_BITS;
pub(crate) const PARAM_WINDOW: u64 = 3 << SPAN_BITS;
/// Functions' addresses count up from here.
pub(crate) const FUNCTION_WINDOW: u64 = 4 << SPAN_BITS;

/// A shared variable owns addresses of this many bits of the shared window.
pub(crate) const SHARED_SPAN_BITS: u32 = 20;

/// Address of a shared variable in the shared space.
pub(crate) fn shared_address(id: u32) -> u64 {
    ((u64::from(id) + 1) << SHARED_SPAN_BITS) + (1 << (SHARED_SPAN_BITS - 1))
}

/// The space that a generic address belongs to.
pub(crate) fn space_of(address: u64) -> Space {
    match address >> SPAN_BITS {
        1 => Space::Shared,
        2 => Space::Local,
        3 => Space::Param,
        _ => Space::Global,
    }
}

/// Why the interpreter stops: a fault, complete but for the places in the code.
#[derive(Debug)]
pub(crate) enum Trouble {
    Fault(FaultKind),
    /// A fault with another side to it.
    Clash(FaultKind, Who),
}

impl From<FaultKind> for Box<Trouble> {
    fn from(kind: FaultKind) -> Self {
        Box::new(Trouble::Fault(kind))
    }
}

pub(crate) type Outcome<T> = Result<T, Box<Trouble>>;

/// What the host asked of device memory and cannot have.
///
/// ```
/// use ptx_interpreter::{Gpu, MemoryError};
///
/// let error = Gpu::new().free(12).unwrap_err();
/// assert!(matches!(error, MemoryError::NotAllocated { address: 12 }));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// More than one allocation can hold.
    #[error("an allocation of {bytes} bytes is too large; the most is {largest}", largest = LARGEST)]
    TooLarge {
        /// Bytes asked for.
        bytes: u64,
    },
    /// An address that no allocation holds.
    #[error("{bytes} bytes at {address:#x} are not within one allocation")]
    OutOfBounds {
        /// Address.
        address: u64,
        /// Bytes asked for.
        bytes: u64,
    },
    /// An address that no allocation starts at.
    #[error("{address:#x} is not the start of an allocation, or it was freed before")]
    NotAllocated {
        /// Address.
        address: u64,
    },
    /// A read of what nothing has written.
    #[error("element {index} was never written; the kernel left it out, or it was not uploaded")]
    Unwritten {
        /// The first such element.
        index: usize,
    },
}

enum Entry {
    Live(Region),
    Freed { bytes: usize },
}

/// All allocations of a device, by the number of their span.
#[derive(Default)]
pub(crate) struct Memory {
    entries: Vec<Entry>,
}

impl Memory {
    pub(crate) fn allocate(&mut self, bytes: u64, name: Option<String>) -> Result<u64, MemoryError> {
        if bytes > LARGEST {
            return Err(MemoryError::TooLarge { bytes });
        }
        let span = FIRST_SPAN + self.entries.len() as u64;
        let base = (span << SPAN_BITS) + (1 << (SPAN_BITS - 1)) + ALIGNMENT;
        self.entries.push(Entry::Live(Region::new(base, bytes as usize, name)));
        Ok(base)
    }

    pub(crate) fn free(&mut self, address: u64) -> Result<(), MemoryError> {
        let error = MemoryError::NotAllocated { address };
        let entry = self.entry_mut(address).ok_or(error.clone())?;
        let bytes = match entry {
            Entry::Live(region) if region.base == address => region.bytes.len(),
            _ => return Err(error),
        };
        *entry = Entry::Freed { bytes };
        Ok(())
    }

    fn entry_mut(&mut self, address: u64) -> Option<&mut Entry> {
        let span = (address >> SPAN_BITS).checked_sub(FIRST_SPAN)?;
        self.entries.get_mut(span as usize)
    }

    /// The allocation that `address` is meant for, though it may lie outside its bytes; or why there is none.
    #[inline]
    pub(crate) fn region_mut(&mut self, address: u64) -> Result<&mut Region, String> {
        match self.entry_mut(address) {
            Some(Entry::Live(region)) => Ok(region),
            Some(Entry::Freed { bytes }) => Err(format!("the allocation of {bytes} bytes there was freed")),
            None if address < 1 << 16 => Err("the address is null, or nearly so".to_owned()),
            None => Err("no allocation is near it".to_owned()),
        }
    }

    /// The bytes of `[address, address + bytes)`, which have to lie in one allocation.
    pub(crate) fn host_range(&mut self, address: u64, bytes: usize) -> Result<(&mut Region, usize), MemoryError> {
        let error = MemoryError::OutOfBounds { address, bytes: bytes as u64 };
        let region = self.region_mut(address).map_err(|_| error.clone())?;
        match region.locate(address, bytes) {
            Some(at) => Ok((region, at)),
            None => Err(error),
        }
    }

    /// Forgets who accessed what: launches follow each other.
    pub(crate) fn forget_accesses(&mut self) {
        for entry in &mut self.entries {
            if let Entry::Live(region) = entry {
                region.shadow.drop_pages();
            }
        }
    }
}

/// An access as the checks see it.
#[derive(Clone, Copy)]
pub(crate) struct Access<'k> {
    pub(crate) kind: AccessKind,
    pub(crate) space: Space,
    /// Address as the instruction has it.
    pub(crate) address: u64,
    pub(crate) bytes: u32,
    /// Bytes of an element, and elements (as bits) that may be uninitialised.
    pub(crate) width: u8,
    pub(crate) unwanted: u8,
    pub(crate) who: Who,
    /// Clocks of the block's threads that the thread at hand is ordered after.
    pub(crate) known: &'k [u32],
    /// The same for threads of other blocks.
    pub(crate) foreign: &'k Foreign,
    pub(crate) races: bool,
    pub(crate) uninitialised: bool,
}
