//! Who accessed each word, so that races show.
//!
//! Every word keeps the last two threads that wrote it and the last two that read it, each with the clock of that
//! thread. A barrier advances the clocks of those who meet, and lets each know the clocks of the others; an access is
//! ordered after another if its thread knows the other's clock (vector clocks, as in FastTrack, Flanagan and Freund,
//! 2009). Two of a kind are enough where barriers join a whole block: of any number of unordered accesses, two
//! suffice to find one by another thread. But a warp may meet on its own, and a block does among others: so beside the newest
//! access the one is kept that is least likely to be ordered before what follows, of another block, or else of another warp.
//! Where others meet, such as a part of a warp, or some warps of a block, a third access may be forgotten that clashes.

use super::Access;
use crate::fault::AccessKind;
use crate::instruction::AccessFlags;
use std::collections::HashMap;
use std::rc::Rc;

/// A thread at an instruction, at a time. Clocks start at 1; 0 means nobody.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Who {
    pub(crate) block: u32,
    pub(crate) clock: u32,
    pub(crate) pc: u32,
    pub(crate) thread: u16,
    /// [`AccessFlags`], [`ATOMIC`] and [`SPLIT`].
    pub(crate) flags: u16,
}

/// Clocks of the threads of other blocks, by the block's number.
pub(crate) type Foreign = HashMap<u32, Rc<[u32]>>;

/// Threads of a warp.
const WARP: u16 = 32;
const ATOMIC: u16 = 1 << 8;
/// In the first writer's flags: the bytes of this word are kept apart.
const SPLIT: u16 = 1 << 9;

impl Who {
    fn has(&self, flag: u8) -> bool {
        self.flags & u16::from(flag) != 0
    }

    fn is_same_thread(&self, other: &Who) -> bool {
        self.thread == other.thread && self.block == other.block
    }

    /// Whether `self`, an earlier access, may clash with `now`.
    #[inline]
    fn clashes(&self, now: &Who, access: &Access) -> bool {
        if self.clock == 0 || self.is_same_thread(now) {
            return false;
        }
        let same_block = self.block == now.block;
        let strong = if same_block { AccessFlags::STRONG } else { AccessFlags::STRONG_DEVICE };
        if self.has(strong) && now.has(strong) {
            return false;
        }
        !self.is_known(now, access)
    }

    /// Whether `self`, an earlier access, is ordered before `now`.
    #[inline]
    fn is_known(&self, now: &Who, access: &Access) -> bool {
        let same_block = self.block == now.block;
        let known = if same_block { Some(access.known) } else { access.foreign.get(&self.block).map(AsRef::as_ref) };
        known.is_some_and(|clocks| clocks[usize::from(self.thread)] >= self.clock)
    }

    /// How much `self`, an earlier access, tells beside `now`: nothing if it is ordered before it, the more the less they have to
    /// do with each other.
    #[inline]
    fn worth(&self, now: &Who, access: &Access) -> u32 {
        if self.clock == 0 || self.is_same_thread(now) || self.is_known(now, access) {
            0
        } else if self.block != now.block {
            3
        } else if self.thread / WARP != now.thread / WARP {
            2
        } else {
            1
        }
    }
}

/// Two accesses that nothing orders.
pub(crate) struct Clash {
    pub(crate) other: Who,
    pub(crate) earlier: AccessKind,
    /// One of them promised that nobody writes.
    pub(crate) read_only: bool,
}

#[derive(Clone, Copy, Default)]
struct Cell {
    writes: [Who; 2],
    reads: [Who; 2],
}

/// The newest access comes first; behind it stays, or comes the one that was newest, whichever tells more.
#[inline]
fn record(slots: &mut [Who; 2], who: Who, access: &Access) {
    let [newest, other] = &*slots;
    if !newest.is_same_thread(&who) && newest.worth(&who, access) >= other.worth(&who, access) {
        slots[1] = *newest;
    }
    slots[0] = who;
}

impl Cell {
    #[inline]
    fn touch(&mut self, who: Who, access: &Access) -> Result<(), Clash> {
        for past in &self.writes {
            let read_only = who.has(AccessFlags::READ_ONLY) && past.clock != 0;
            if past.clashes(&who, access) || read_only {
                return Err(past.clash(read_only));
            }
        }
        if access.kind == AccessKind::Read {
            record(&mut self.reads, who, access);
            return Ok(());
        }
        for past in &self.reads {
            let read_only = past.has(AccessFlags::READ_ONLY) && past.clock != 0;
            if past.clashes(&who, access) || read_only {
                return Err(Clash { earlier: AccessKind::Read, ..past.clash(read_only) });
            }
        }
        record(&mut self.writes, who, access);
        Ok(())
    }
}

impl Who {
    #[cold]
    fn clash(&self, read_only: bool) -> Clash {
        let earlier = if self.flags & ATOMIC != 0 { AccessKind::Atomic } else { AccessKind::Write };
        Clash { other: *self, earlier, read_only }
    }
}

const PAGE: usize = 256;

/// The record of one allocation; pages appear as they are touched.
#[derive(Default)]
pub(crate) struct Shadow {
    pages: Vec<Option<Box<[Cell; PAGE]>>>,
    /// Words whose bytes are kept apart, because some access took less than the word.
    split: HashMap<usize, Box<[Cell; 4]>>,
}

impl Shadow {
    /// Forgets everything, and gives the memory back.
    pub(crate) fn drop_pages(&mut self) {
        *self = Self::default();
    }

    /// Forgets everything, but keeps the pages for the next block.
    pub(crate) fn clear(&mut self) {
        for page in self.pages.iter_mut().flatten() {
            page.fill(Cell::default());
        }
        self.split.clear();
    }

    /// Records an access to the bytes from `at`, unless it clashes with one before.
    #[inline]
    pub(crate) fn touch(&mut self, at: usize, access: &Access) -> Result<(), Clash> {
        let mut who = access.who;
        if access.kind == AccessKind::Atomic {
            who.flags |= ATOMIC;
        }
        let end = at + access.bytes as usize;
        if access.bytes < 4 {
            return self.touch_bytes(at, end, who, access);
        }
        for word in at / 4..end / 4 {
            let cell = self.cell(word);
            if cell.writes[0].flags & SPLIT != 0 {
                self.touch_bytes(word * 4, word * 4 + 4, who, access)?;
            } else {
                cell.touch(who, access)?;
            }
        }
        Ok(())
    }

    /// Those whose writes to some bytes are remembered.
    pub(crate) fn writers(&self, at: usize, bytes: usize) -> impl Iterator<Item = Who> + '_ {
        let cells = (at / 4..(at + bytes).div_ceil(4)).flat_map(|word| {
            let page = self.pages.get(word / PAGE).and_then(Option::as_ref);
            let whole = page.map(|page| std::slice::from_ref(&page[word % PAGE]));
            match self.split.get(&word) {
                Some(bytes) => bytes.as_slice(),
                None => whole.unwrap_or_default(),
            }
        });
        cells.flat_map(|cell| cell.writes).filter(|who| who.clock != 0)
    }

    /// Who wrote a byte last.
    pub(crate) fn last_writer(&self, at: usize) -> Option<Who> {
        let word = at / 4;
        let cell = match self.split.get(&word) {
            Some(bytes) => &bytes[at % 4],
            None => &self.pages.get(word / PAGE)?.as_ref()?[word % PAGE],
        };
        Some(cell.writes[0]).filter(|who| who.clock != 0)
    }

    #[inline]
    fn cell(&mut self, word: usize) -> &mut Cell {
        let page = word / PAGE;
        if page >= self.pages.len() {
            self.pages.resize_with(page + 1, || None);
        }
        let page = self.pages[page].get_or_insert_with(|| Box::new([Cell::default(); PAGE]));
        &mut page[word % PAGE]
    }

    fn touch_bytes(&mut self, at: usize, end: usize, who: Who, access: &Access) -> Result<(), Clash> {
        for byte in at..end {
            let word = byte / 4;
            let cell = self.cell(word);
            let whole = *cell;
            if whole.writes[0].flags & SPLIT == 0 {
                *cell = Cell::default();
                cell.writes[0].flags = SPLIT;
                self.split.insert(word, Box::new([whole; 4]));
            }
            if let Some(bytes) = self.split.get_mut(&word) {
                bytes[byte % 4].touch(who, access)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Space;

    fn access(thread: u16, kind: AccessKind, bytes: u32, known: &[u32]) -> Access<'_> {
        Access {
            kind,
            space: Space::Shared,
            address: 0,
            bytes,
            width: 4,
            unwanted: 0,
            who: Who { clock: 1, thread, ..Who::default() },
            known,
            foreign: Box::leak(Box::default()),
            races: true,
            uninitialised: true,
        }
    }

    #[test]
    fn an_earlier_reader_is_not_forgotten() {
        let mut shadow = Shadow::default();
        for thread in [5, 0] {
            assert!(shadow.touch(0, &access(thread, AccessKind::Read, 4, &[0; 8])).is_ok());
        }
        let clash = shadow.touch(0, &access(0, AccessKind::Write, 4, &[0; 8]));
        assert!(matches!(clash, Err(clash) if clash.other.thread == 5));
    }

    #[test]
    fn neighbouring_bytes_are_apart() {
        let mut shadow = Shadow::default();
        for thread in 0..4 {
            let byte = access(thread, AccessKind::Write, 1, &[0; 8]);
            assert!(shadow.touch(usize::from(thread), &byte).is_ok());
        }
        assert!(shadow.touch(0, &access(7, AccessKind::Read, 4, &[0; 8])).is_err());
        assert!(shadow.touch(0, &access(7, AccessKind::Read, 4, &[1; 8])).is_ok());
    }
}
