//! One allocation: its bytes, which of them were written, and who accessed them.

use super::shadow::{Clash, Shadow};
use super::{Access, Outcome, Trouble};
use crate::fault::{AccessKind, FaultKind};

/// What unwritten bytes hold: a value that stands out, and a NaN as neither f32 nor f64 zero.
const POISON: u8 = 0xCB;

/// A byte that a copy goes into which has not been waited for.
const UNDER_WAY: u8 = 2;

pub(crate) struct Region {
    pub(crate) base: u64,
    pub(crate) bytes: Vec<u8>,
    /// One byte for each: 1 once it was written, [`UNDER_WAY`] while a copy into it is.
    pub(crate) written: Vec<u8>,
    /// How many are [`UNDER_WAY`].
    under_way: usize,
    pub(crate) shadow: Shadow,
    pub(crate) constant: bool,
    name: Option<String>,
}

impl Region {
    pub(crate) fn new(base: u64, bytes: usize, name: Option<String>) -> Self {
        Self {
            base,
            bytes: vec![POISON; bytes],
            written: vec![0; bytes],
            under_way: 0,
            shadow: Shadow::default(),
            constant: false,
            name,
        }
    }

    /// As new, for the next block.
    pub(crate) fn reset(&mut self) {
        self.bytes.fill(POISON);
        self.written.fill(0);
        self.under_way = 0;
        self.shadow.clear();
    }

    /// From here on nobody touches some bytes: a copy goes into them. They have been checked.
    pub(crate) fn copy_begins(&mut self, address: u64, bytes: usize) {
        if let Some(at) = self.locate(address, bytes) {
            self.written[at..at + bytes].fill(UNDER_WAY);
            self.under_way += bytes;
        }
    }

    /// A copy into some bytes has been waited for.
    pub(crate) fn copy_ends(&mut self, address: u64, bytes: usize) {
        if let Some(at) = self.locate(address, bytes) {
            self.written[at..at + bytes].fill(1);
            self.under_way -= bytes;
        }
    }

    #[inline]
    pub(crate) fn locate(&self, address: u64, bytes: usize) -> Option<usize> {
        let at = usize::try_from(address.wrapping_sub(self.base)).ok()?;
        (at <= self.bytes.len() && bytes <= self.bytes.len() - at).then_some(at)
    }

    fn describe(&self, address: u64) -> String {
        let what = match &self.name {
            Some(name) => format!("`{name}` of {} bytes", self.bytes.len()),
            None => format!("the allocation of {} bytes at {:#x}", self.bytes.len(), self.base),
        };
        let distance = address.wrapping_sub(self.base) as i64;
        if distance < 0 {
            format!("it lies {} bytes before {what}", distance.unsigned_abs())
        } else {
            format!("it lies at byte {distance} of {what}")
        }
    }

    /// Runs every check that applies; gives the offset of the bytes.
    #[inline]
    pub(crate) fn check(&mut self, access: &Access) -> Outcome<usize> {
        let bytes = access.bytes as usize;
        let Some(at) = self.locate(access.address, bytes) else {
            return Err(self.out_of_bounds(access));
        };
        if access.address & (u64::from(access.bytes) - 1) != 0 {
            return Err(misaligned(access));
        }
        if access.kind != AccessKind::Read && self.constant {
            return Err(FaultKind::ReadOnly { address: access.address }.into());
        }
        if self.under_way > 0
            && let Some(first) = self.written[at..at + bytes].iter().position(|byte| *byte == UNDER_WAY)
        {
            return Err(self.copy_under_way(access, at + first));
        }
        if access.kind != AccessKind::Write && access.uninitialised && !self.is_written(at, access) {
            return Err(
                FaultKind::Uninitialised { space: access.space, address: access.address, bytes: access.bytes }.into()
            );
        }
        if access.races
            && !self.constant
            && let Err(clash) = self.shadow.touch(at, access)
        {
            return Err(clashed(access, clash));
        }
        if access.kind != AccessKind::Read {
            self.written[at..at + bytes].fill(1);
        }
        Ok(at)
    }

    #[inline]
    fn is_written(&self, at: usize, access: &Access) -> bool {
        let written = &self.written[at..at + access.bytes as usize];
        if access.unwanted == 0 {
            return !written.contains(&0);
        }
        let wanted = |element: usize| access.unwanted >> element & 1 == 0;
        let elements = written.chunks_exact(usize::from(access.width)).enumerate();
        elements.filter(|(element, _)| wanted(*element)).all(|(_, written)| !written.contains(&0))
    }

    #[cold]
    fn copy_under_way(&self, access: &Access, at: usize) -> Box<Trouble> {
        let kind = FaultKind::CopyUnderWay { access: access.kind, address: access.address, bytes: access.bytes };
        // The last to write there was the copy; with races not looked for, nobody knows.
        Box::new(match self.shadow.last_writer(at) {
            Some(copy) => Trouble::Clash(kind, copy),
            None => Trouble::Fault(kind),
        })
    }

    #[cold]
    fn out_of_bounds(&self, access: &Access) -> Box<Trouble> {
        FaultKind::OutOfBounds {
            access: access.kind,
            space: access.space,
            address: access.address,
            bytes: access.bytes,
            nearest: self.describe(access.address),
        }
        .into()
    }
}

#[cold]
pub(crate) fn misaligned(access: &Access) -> Box<Trouble> {
    FaultKind::Misaligned { access: access.kind, space: access.space, address: access.address, bytes: access.bytes }
        .into()
}

#[cold]
fn clashed(access: &Access, clash: Clash) -> Box<Trouble> {
    let kind = if clash.read_only {
        FaultKind::WrittenWhileReadOnly { address: access.address }
    } else {
        FaultKind::Race { space: access.space, address: access.address, access: access.kind, earlier: clash.earlier }
    };
    Box::new(Trouble::Clash(kind, clash.other))
}
