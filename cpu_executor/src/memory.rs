//! The shared memory of the block that a worker runs.

use std::cell::{Cell, RefCell};

use cuda_std::launch::Dim3;

use crate::error::Fault;

/// Sixteen bytes, so that a vector of them is aligned as shared memory is.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
struct Unit([u8; 16]);

/// What fresh shared memory holds: as f32 a NaN, as an index far out of bounds, so that a kernel
/// that reads what nobody wrote is found out.
const POISON: Unit = Unit([POISONED; 16]);

/// Each byte of it.
const POISONED: u8 = 0xff;

/// Each byte behind an array: no number that a kernel is likely to write, and not the poison.
const GUARD: u8 = 0xa5;

/// Bytes behind an array that a kernel may write without harm to anything else: an array that is short of a word for each
/// thread of the largest block.
const GUARDED: usize = 4096;

/// Bytes behind it that are looked at when a block ends: who writes too far mostly writes all the way, and these take 15 ns.
const LOOKED_AT: usize = 512;

/// Shared memory of one block: an array for each place in the source, and the dynamic part.
///
/// Kept by a worker and reused for its next block; [`reset`](Self::reset) says that one begins. An
/// array is poisoned when the block first asks for it, so that arrays of other kernels cost nothing.
#[derive(Default)]
pub struct SharedMemory {
    /// Those of the running block first.
    arrays: RefCell<Vec<Array>>,
    /// How many belong to the running block.
    used: Cell<usize>,
    dynamic: RefCell<Part>,
}

struct Array {
    site: usize,
    part: Part,
    /// The threads of the running block that have it, a bit each.
    asked: Vec<u64>,
}

impl Array {
    /// Its cells, unless the thread has them.
    fn give(&mut self, thread: u32) -> *mut u8 {
        let (word, bit) = (thread as usize / 64, 1 << (thread % 64));
        if word >= self.asked.len() {
            self.asked.resize(word + 1, 0);
        }
        if self.asked[word] & bit != 0 {
            return std::ptr::null_mut();
        }
        self.asked[word] |= bit;
        self.part.start()
    }
}

impl SharedMemory {
    /// Prepares for a block with this much dynamic memory.
    pub fn reset(&mut self, dynamic_bytes: usize) {
        self.used.set(0);
        let dynamic = self.dynamic.get_mut();
        if dynamic.bytes != dynamic_bytes {
            dynamic.resize(dynamic_bytes);
        }
        // Where there never was any, there is no address: a store of nothing takes 150 ns there.
        if dynamic_bytes > 0 {
            dynamic.poison();
        }
    }

    /// The array that belongs to a place; made when the block's first thread asks. Null for a thread that asks again.
    pub fn array(&self, thread: u32, site: usize, bytes: usize) -> *mut u8 {
        let mut arrays = self.arrays.borrow_mut();
        let used = self.used.get();
        let wanted = |array: &Array| array.site == site && array.part.bytes == bytes;
        // The cells of an array stay where they are when its place in the list changes.
        if let Some(array) = arrays[..used].iter_mut().find(|array| wanted(array)) {
            return array.give(thread);
        }
        match arrays[used..].iter().position(wanted) {
            Some(known) => arrays.swap(used, used + known),
            None => {
                let last = arrays.len();
                let mut part = Part::default();
                part.resize(bytes);
                arrays.push(Array { site, part, asked: Vec::new() });
                arrays.swap(used, last);
            }
        }
        self.used.set(used + 1);
        let array = &mut arrays[used];
        array.asked.clear();
        array.part.poison();
        array.give(thread)
    }

    /// The dynamic part.
    ///
    /// # Panics
    /// If the launch asked for none.
    pub fn dynamic(&self) -> *mut u8 {
        let mut dynamic = self.dynamic.borrow_mut();
        assert!(dynamic.bytes > 0, "the kernel uses dynamic shared memory; declare it: `#[kernel(shared = bytes)]`");
        dynamic.start()
    }

    /// Whether the block that has ended left alone what lies behind its memory.
    pub fn is_whole(&mut self) -> bool {
        let arrays = &mut self.arrays.get_mut()[..self.used.get()];
        arrays.iter_mut().all(|array| array.part.is_whole()) && self.dynamic.get_mut().is_whole()
    }

    /// How a block that did not leave it alone ended: as it had, if that was a fault. The next block finds nothing of it.
    #[cold]
    pub fn overrun(&mut self, kernel: &'static str, block: Dim3, mut ended: Result<(), Fault>) -> Result<(), Fault> {
        let arrays = self.arrays.get_mut()[..self.used.get()].iter_mut().map(|array| (false, &mut array.part));
        for (dynamic, part) in arrays.chain([(true, self.dynamic.get_mut())]) {
            let beyond = part.mend();
            if beyond > 0 && ended.is_ok() {
                ended = Err(Fault::SharedOverrun { kernel, block, dynamic, bytes: part.bytes, beyond });
            }
        }
        ended
    }
}

/// Some bytes, aligned as shared memory is, with guarded ones behind them.
#[derive(Default)]
struct Part {
    bytes: usize,
    cells: Vec<Unit>,
}

impl Part {
    #[cold]
    fn resize(&mut self, bytes: usize) {
        self.bytes = bytes;
        self.cells.resize((bytes + GUARDED).div_ceil(size_of::<Unit>()), POISON);
        self.guard().fill(GUARD);
    }

    fn start(&mut self) -> *mut u8 {
        self.cells.as_mut_ptr().cast()
    }

    /// A small block takes as long for this as for its work: by bytes it is done in the processor's widest stores.
    fn poison(&mut self) {
        // SAFETY: so many bytes belong to the cells, whatever they are.
        unsafe { self.start().write_bytes(POISONED, self.bytes) };
    }

    /// The bytes behind.
    fn guard(&mut self) -> &mut [u8] {
        let all = size_of_val(self.cells.as_slice());
        // SAFETY: the cells are initialised bytes, and nobody else touches them meanwhile.
        let all = unsafe { std::slice::from_raw_parts_mut(self.start(), all) };
        &mut all[self.bytes..]
    }

    /// Whether nobody wrote the bytes right behind; in vectors, since there is no branch for each byte.
    fn is_whole(&mut self) -> bool {
        let guard = self.guard();
        let near = &guard[..guard.len().min(LOOKED_AT)];
        near.iter().fold(0, |found, byte| found | byte ^ GUARD) == 0
    }

    /// Has the bytes behind as they were; how many were written, up to the last one.
    fn mend(&mut self) -> usize {
        let guard = self.guard();
        let written = guard.iter().rposition(|&byte| byte != GUARD).map_or(0, |last| last + 1);
        guard.fill(GUARD);
        written
    }
}
