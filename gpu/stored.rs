//! Which nodes of a binned field are stored, and where: all of a grid, or those of some blocks (blocks.rs).

use cuda_std::atomic;

use crate::cells::{find, mix, start};
use crate::spline::TAPS;

/// Bits of a block's place along an axis.
pub const AXIS_BITS: u32 = 21;

/// Nodes behind a block that it holds as well.
pub const BEHIND: usize = TAPS - 1;

/// The logarithm of [`side`].
///
/// ```
/// use gpu::blocks::{side, side_bits};
///
/// assert_eq!(1 << side_bits(2), side(2));
/// ```
pub const fn side_bits(d: usize) -> u32 {
    if d == 2 { 5 } else { 3 }
}

/// Nodes along an axis of a block, for d = 2 or 3.
///
/// ```
/// use gpu::blocks::side;
///
/// assert_eq!((side(2), side(3)), (32, 8));
/// ```
pub const fn side(d: usize) -> usize {
    1 << side_bits(d)
}

/// Nodes of a block.
///
/// ```
/// use gpu::blocks::own;
///
/// assert_eq!((own(2), own(3)), (32 * 32, 8 * 8 * 8));
/// ```
pub const fn own(d: usize) -> usize {
    side(d).pow(d as u32)
}

/// Nodes of a block, and those behind it.
///
/// ```
/// use gpu::blocks::{BEHIND, held, own};
///
/// // A side is longer by the nodes behind the block.
/// assert_eq!(held(2), (32 + BEHIND).pow(2));
/// assert!(held(3) > own(3));
/// ```
pub const fn held(d: usize) -> usize {
    (side(d) + BEHIND).pow(d as u32)
}

/// The hash of a block: of the lower half of its key, and of its 63 bits without 31.
#[inline(always)]
pub(crate) fn hash(key: u64) -> u32 {
    mix(mix(0, key as u32), (key >> 31) as u32)
}

/// The key of the block with a node, of which coordinates beyond d are 0.
#[inline(always)]
pub(crate) fn key<const D: usize>(node: [u32; D], side_bits: u32) -> u64 {
    let mut key = 0;
    for c in 0..D {
        key |= u64::from(node[c] >> side_bits) << (AXIS_BITS as usize * c);
    }
    key
}

/// Lists a key, if it is not listed yet: `count` says how many there are, of which the first `room` are listed.
///
/// # Safety
/// `table` has `capacity` cells, a power of two and more than there is room, and `list` has the room; they and the count are touched
/// in this way only during the launch, and table and count were zero before.
#[inline(always)]
pub(crate) unsafe fn note(key: u64, table: *mut u64, list: *mut u64, count: *mut u32, (capacity, room): (usize, u32)) {
    let mut slot = start(hash(key), capacity);
    for _ in 0..capacity {
        // SAFETY: the caller's promise; the count is touched atomically only.
        if unsafe { atomic::load(count) } > room {
            // There are too many, and the table gets full.
            return;
        }
        // SAFETY: the caller's promise; cells of the table and the count are touched atomically only, and nobody else has the
        // number that this thread drew for the list.
        unsafe {
            let owner = match atomic::load(table.add(slot)) {
                0 => atomic::compare_exchange(table.add(slot), 0, key + 1),
                owner => owner,
            };
            if owner == 0 {
                let at = atomic::fetch_add(count, 1);
                if at < room {
                    list.add(at as usize).write(key);
                }
            }
            if owner == 0 || owner == key + 1 {
                return;
            }
        }
        slot = (slot + 1) & (capacity - 1);
    }
}

/// The slots of a hash table of blocks, which are different: k + 1 for the one with the k-th key, 0 where there is none.
///
/// ```
/// use gpu::blocks::table;
///
/// // Two blocks in four slots, each somewhere.
/// let slots = table(&[7, 1 << 40]);
/// assert_eq!(slots.len(), 4);
/// assert!(slots.contains(&1) && slots.contains(&2));
/// ```
#[cfg(not(target_arch = "nvptx64"))]
pub fn table(keys: &[u64]) -> Vec<u32> {
    let mut slots = vec![0; (2 * keys.len()).next_power_of_two().max(2)];
    for (k, &key) in keys.iter().enumerate() {
        let mut slot = start(hash(key), slots.len());
        while slots[slot] != 0 {
            slot = (slot + 1) & (slots.len() - 1);
        }
        slots[slot] = k as u32 + 1;
    }
    slots
}

/// Where nodes stand in memory: all of a grid, or, if there are keys, those of their blocks.
#[derive(Clone, Copy)]
pub(crate) struct Layout<'a> {
    slots: &'a [u32],
    keys: &'a [u64],
    /// From a row of nodes to the next.
    pub row: usize,
    /// And from a plane.
    pub plane: usize,
}

impl<'a> Layout<'a> {
    #[inline(always)]
    pub fn new<const D: usize>(slots: &'a [u32], keys: &'a [u64], nodes: [u32; 3]) -> Self {
        let blocks = D > 1 && !keys.is_empty();
        let (row, column) =
            if blocks { (side(D) + BEHIND, side(D) + BEHIND) } else { (nodes[0] as usize, nodes[1] as usize) };
        Self { slots, keys, row, plane: row * column }
    }

    /// From a node to the next along each axis.
    #[inline(always)]
    pub fn strides<const D: usize>(&self) -> [usize; D] {
        let mut strides = [1; D];
        if D > 1 {
            strides[1] = self.row;
        }
        if D > 2 {
            strides[2] = self.plane;
        }
        strides
    }

    /// The index of a node, unless its block is not stored.
    #[inline(always)]
    pub fn index<const D: usize>(&self, node: [u32; D]) -> Option<usize> {
        let (mut index, mut mask) = (0, u32::MAX);
        if D > 1 && !self.keys.is_empty() {
            let key = key(node, side_bits(D));
            index = held(D) * find(self.slots, hash(key), |block| self.keys[block] == key)?.1;
            mask = side(D) as u32 - 1;
        }
        index += (node[0] & mask) as usize;
        if D > 1 {
            index += self.row * (node[1] & mask) as usize;
        }
        if D > 2 {
            index += self.plane * (node[2] & mask) as usize;
        }
        Some(index)
    }
}
