//! A hash table of cells in device memory, and the cells that end positions gather in.
//!
//! `slots` has a power of two of words, at least twice as many as there are items; 0 is an empty slot,
//! k + 1 one that item k owns. An item takes the first slot, from its hash on, that is empty or whose
//! owner lies in the same cell: cells are compared themselves, not their hashes. Which item owns a
//! slot, and which slot a cell gets, depends on the order in which threads arrive. So results rest on
//! the smallest item of a cell only, which `firsts` has: `!i` of it, and 0 where there is none.

use crate::share::each;
use cuda_std::{atomic, prelude::*};

/// The cell that a coordinate lies in, `floor(x / side + 1/2)`: a whole number, as an `f32`. A centre
/// of coordinates, where many of them may be, is inside of a cell.
#[inline(always)]
pub(crate) fn cell_of(x: f32, inverse_side: f32) -> f32 {
    let scaled = x * inverse_side + 0.5;
    // From 2^23 on every number is whole.
    if scaled > -8_388_608.0 && scaled < 8_388_608.0 {
        // SAFETY: within the bounds of an i32.
        let whole = unsafe { scaled.to_int_unchecked::<i32>() } as f32;
        if whole > scaled { whole - 1.0 } else { whole }
    } else {
        scaled
    }
}

/// A hash, changed by another word of the key.
#[inline(always)]
pub(crate) fn mix(hash: u32, word: u32) -> u32 {
    let word = word.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    (hash ^ word).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
}

/// The slot where a hash begins.
#[inline(always)]
pub(crate) fn start(mut hash: u32, capacity: usize) -> usize {
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    (hash ^ (hash >> 16)) as usize & (capacity - 1)
}

/// The slot of an item's cell, taken for it if nobody has.
///
/// # Safety
/// `slots` has `capacity` words, a power of two and more than there are items, which are touched in
/// this way only during the launch.
#[inline(always)]
pub(crate) unsafe fn claim(
    slots: *mut u32,
    capacity: usize,
    item: usize,
    hash: u32,
    same: impl Fn(usize) -> bool,
) -> usize {
    let mut slot = start(hash, capacity);
    for _ in 0..capacity {
        // SAFETY: the caller's promise; the slot is less than the capacity.
        let owner = unsafe {
            match atomic::load(slots.add(slot)) {
                0 => atomic::compare_exchange(slots.add(slot), 0, item as u32 + 1),
                owner => owner,
            }
        };
        if owner == 0 || same(owner as usize - 1) {
            return slot;
        }
        slot = (slot + 1) & (capacity - 1);
    }
    panic!("slots that were not empty before")
}

/// The slot of a cell and its owner, if it has one. For launches that leave the slots as they are.
#[inline(always)]
pub(crate) fn find(slots: &[u32], hash: u32, same: impl Fn(usize) -> bool) -> Option<(usize, usize)> {
    let mut slot = start(hash, slots.len());
    // Each once, where none is empty.
    for _ in 0..slots.len() {
        let owner = (slots[slot] as usize).checked_sub(1)?;
        if same(owner) {
            return Some((slot, owner));
        }
        slot = (slot + 1) & (slots.len() - 1);
    }
    None
}

/// Notes an item in a cell of `!i`, of which the largest stays. The look before the atomic spares most
/// threads the queue for it.
///
/// # Safety
/// `cell` is valid, and touched in this way only during the launch.
#[inline(always)]
pub(crate) unsafe fn note_first(cell: *mut u32, item: usize) {
    let noted = !(item as u32);
    // SAFETY: the caller's promise.
    unsafe {
        if atomic::load(cell) < noted {
            atomic::fetch_max(cell, noted);
        }
    }
}

/// `slot_of[i]`: the slot of the cell, of all d coordinates, that end i lies in; `u32::MAX` for an
/// orphan, whose `support`, where there is any, is 0. `slots` and `firsts` are zero before.
#[kernel(
    small,
    threads = 32..=1024,
    grid = n.div_ceil(block.x * Machine::LANES),
    require(
        columns.len() >= stride * d,
        stride >= n,
        support.len() == 0 || support.len() >= n,
        slot_of.len() >= n,
        capacity.is_power_of_two(),
        capacity > n,
        slots.len() >= capacity,
        firsts.len() >= capacity,
    ),
)]
pub unsafe fn claim_cells(
    columns: &[f32],
    support: &[f32],
    slots: *mut u32,
    firsts: *mut u32,
    mut slot_of: DisjointMut<u32>,
    n: u32,
    d: u32,
    stride: u32,
    capacity: u32,
    inverse_side: f32,
) {
    let (n, d, stride) = (n as usize, d as usize, stride as usize);
    each::<Machine>(n, |i| {
        let mut slot = u32::MAX as usize;
        if support.is_empty() || support[i] > 0.0 {
            let word = |item: usize, c: usize| cell_of(columns[c * stride + item], inverse_side).to_bits();
            let mut hash = 0;
            for c in 0..d {
                hash = mix(hash, word(i, c));
            }
            let same = |owner: usize| {
                let mut c = 0;
                while c < d && word(owner, c) == word(i, c) {
                    c += 1;
                }
                c == d
            };
            // SAFETY: the launch has checked the lengths; there are fewer items than slots.
            unsafe {
                slot = claim(slots, capacity as usize, i, hash, same);
                note_first(firsts.add(slot), i);
            }
        }
        // SAFETY: cell i is that of an item of this thread.
        unsafe { slot_of.write(i, slot as u32) };
    });
}
