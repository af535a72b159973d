//! The shared memory of the block that a worker runs.

use std::cell::{Cell, RefCell};

/// Sixteen bytes, so that a vector of them is aligned as shared memory is.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
struct Unit([u8; 16]);

/// What fresh shared memory holds: as f32 a NaN, as an index far out of bounds, so that a kernel
/// that reads what nobody wrote is found out.
const POISON: Unit = Unit([POISONED; 16]);

/// Each byte of it.
const POISONED: u8 = 0xff;

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
    dynamic: RefCell<Vec<Unit>>,
}

struct Array {
    site: usize,
    bytes: usize,
    cells: Vec<Unit>,
}

impl SharedMemory {
    /// Prepares for a block with this much dynamic memory.
    pub fn reset(&mut self, dynamic_bytes: usize) {
        self.used.set(0);
        let dynamic = self.dynamic.get_mut();
        dynamic.clear();
        dynamic.resize(dynamic_bytes.div_ceil(16), POISON);
    }

    /// The array that belongs to a place; made when the block's first thread asks.
    pub fn array(&self, site: usize, bytes: usize) -> *mut u8 {
        let mut arrays = self.arrays.borrow_mut();
        let used = self.used.get();
        let wanted = |array: &Array| array.site == site && array.bytes == bytes;
        // The cells of an array stay where they are when its place in the list changes.
        if let Some(array) = arrays[..used].iter_mut().find(|array| wanted(array)) {
            return array.cells.as_mut_ptr().cast();
        }
        match arrays[used..].iter().position(wanted) {
            Some(known) => arrays.swap(used, used + known),
            None => {
                let last = arrays.len();
                arrays.push(Array { site, bytes, cells: vec![POISON; bytes.div_ceil(16)] });
                arrays.swap(used, last);
            }
        }
        self.used.set(used + 1);
        let cells = &mut arrays[used].cells;
        // A small block takes as long for this as for its work: by bytes it is done in the processor's widest stores.
        // SAFETY: a unit is sixteen bytes, whatever they are.
        unsafe { cells.as_mut_ptr().write_bytes(POISONED, cells.len()) };
        cells.as_mut_ptr().cast()
    }

    /// The dynamic part.
    ///
    /// # Panics
    /// If the launch asked for none.
    pub fn dynamic(&self) -> *mut u8 {
        let mut dynamic = self.dynamic.borrow_mut();
        assert!(!dynamic.is_empty(), "the kernel uses dynamic shared memory; declare it: `#[kernel(shared = bytes)]`");
        dynamic.as_mut_ptr().cast()
    }
}
