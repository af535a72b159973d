//! The shared memory of the block that a worker runs.

use std::cell::RefCell;

/// Sixteen bytes, so that a vector of them is aligned as shared memory is.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
struct Unit([u8; 16]);

/// What fresh shared memory holds: as f32 a NaN, as an index far out of bounds, so that a kernel
/// that reads what nobody wrote is found out.
const POISON: Unit = Unit([0xff; 16]);

/// Shared memory of one block: an array for each place in the source, and the dynamic part.
///
/// Kept by a worker and reused for its next block; [`reset`](Self::reset) poisons it.
#[derive(Default)]
pub struct SharedMemory {
    arrays: RefCell<Vec<Array>>,
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
        for array in self.arrays.get_mut() {
            array.cells.fill(POISON);
        }
        let dynamic = self.dynamic.get_mut();
        dynamic.clear();
        dynamic.resize(dynamic_bytes.div_ceil(16), POISON);
    }

    /// The array that belongs to a place; made when the block's first thread asks.
    pub fn array(&self, site: usize, bytes: usize) -> *mut u8 {
        let mut arrays = self.arrays.borrow_mut();
        let known = arrays.iter().position(|array| array.site == site && array.bytes == bytes);
        let known = known.unwrap_or_else(|| {
            arrays.push(Array { site, bytes, cells: vec![POISON; bytes.div_ceil(16)] });
            arrays.len() - 1
        });
        // The cells of an array stay where they are when the list of arrays grows.
        arrays[known].cells.as_mut_ptr().cast()
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
