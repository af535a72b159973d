//! Occupied bins as seeds, by scikit-learn's rule (`get_bin_seeds`): a point's bin is
//! `round(x / size)`, to even at halves; bins of at least so many points are seeds, at `bin * size`.
//! A point with a mass (gather.rs) counts as that many.
//!
//! The points are centred and maybe scaled: x = column / factor + centre, in f64. The bins lie in the
//! hash table of cells.rs. Seeds come in the order of their first points, as scikit-learn's do.

use cuda_std::{atomic, prelude::*};

use crate::cells::{claim, mix, note_first};
use crate::share::each;

/// Where the points come from: their columns, and how these became what they are.
#[derive(Clone, Copy)]
struct Origin<'a> {
    columns: &'a [f32],
    centre: &'a [f64],
    stride: usize,
    factor: f64,
    size: f64,
}

impl Origin<'_> {
    /// Coordinate c of the bin of point i.
    #[inline(always)]
    fn bin(&self, i: usize, c: usize) -> f64 {
        // From 2^51 on the sum has no halves to round; there every f64 of interest is whole.
        const ROUND: f64 = 6_755_399_441_055_744.0;
        let x = f64::from(self.columns[c * self.stride + i]) / self.factor + self.centre[c];
        let bin = x / self.size;
        let rounded = (bin + ROUND) - ROUND;
        let whole = if bin < 2_251_799_813_685_248.0 && bin > -2_251_799_813_685_248.0 { rounded } else { bin };
        // No zero is negative.
        whole + 0.0
    }
}

/// `slot_of[i]`, the slot of point i's bin; `counts`, of points or their masses, and `firsts` of each slot.
/// `slots`, `counts` and `firsts` are zero before.
#[kernel(
    threads = 32..=1024,
    grid = n.div_ceil(block.x * Machine::LANES),
    require(
        columns.len() >= stride * d,
        stride >= n,
        centre.len() >= d,
        masses.len() == 0 || masses.len() >= n,
        slot_of.len() >= n,
        capacity.is_power_of_two(),
        capacity > n,
        slots.len() >= capacity,
        counts.len() >= capacity,
        firsts.len() >= capacity,
    ),
)]
pub unsafe fn claim_bins(
    columns: &[f32],
    centre: &[f64],
    masses: &[u32],
    slots: *mut u32,
    counts: *mut u32,
    firsts: *mut u32,
    mut slot_of: DisjointMut<u32>,
    n: u32,
    d: u32,
    stride: u32,
    capacity: u32,
    factor: f64,
    size: f64,
) {
    let d = d as usize;
    each::<Machine>(n as usize, |i| {
        let origin = Origin { columns, centre, stride: stride as usize, factor, size };
        let mut hash = 0;
        for c in 0..d {
            let bits = origin.bin(i, c).to_bits();
            hash = mix(mix(hash, bits as u32), (bits >> 32) as u32);
        }
        let same = |owner: usize| {
            let mut c = 0;
            while c < d && origin.bin(owner, c).to_bits() == origin.bin(i, c).to_bits() {
                c += 1;
            }
            c == d
        };
        // SAFETY: the launch has checked the lengths; cell i is that of an item of this thread.
        unsafe {
            let slot = claim(slots, capacity as usize, i, hash, same);
            atomic::fetch_add(counts.add(slot), if masses.is_empty() { 1 } else { masses[i] });
            note_first(firsts.add(slot), i);
            slot_of.write(i, slot as u32);
        }
    });
}

/// Whether point i is the first of a bin that counts enough.
#[inline(always)]
fn is_seed(slot_of: &[u32], counts: &[u32], firsts: &[u32], i: usize, minimum: u32) -> bool {
    let slot = slot_of[i] as usize;
    !firsts[slot] as usize == i && counts[slot] >= minimum
}

/// `flags[i]`: 1 if point i is the first of a bin that counts at least `minimum`, else 0.
#[kernel(
    threads = 32..=1024,
    grid = n.div_ceil(block.x * Machine::LANES),
    require(slot_of.len() >= n, counts.len() == firsts.len(), flags.len() >= n),
)]
pub unsafe fn flag_bins(
    slot_of: &[u32],
    counts: &[u32],
    firsts: &[u32],
    mut flags: DisjointMut<u32>,
    n: u32,
    minimum: u32,
) {
    each::<Machine>(n as usize, |i| {
        // SAFETY: cell i is that of an item of this thread.
        unsafe { flags.write(i, u32::from(is_seed(slot_of, counts, firsts, i, minimum))) };
    });
}

/// Seed `numbers[i]`, the scanned flags, of the bin whose first point is i: by columns, centred and
/// scaled as the points are.
#[kernel(
    threads = 32..=1024,
    grid = n.div_ceil(block.x * Machine::LANES),
    require(
        columns.len() >= stride * d,
        stride >= n,
        centre.len() >= d,
        slot_of.len() >= n,
        counts.len() == firsts.len(),
        numbers.len() >= n,
        seeds.len() >= seed_stride * d,
    ),
)]
pub unsafe fn write_bins(
    columns: &[f32],
    centre: &[f64],
    slot_of: &[u32],
    counts: &[u32],
    firsts: &[u32],
    numbers: &[u32],
    mut seeds: DisjointMut<f32>,
    n: u32,
    d: u32,
    stride: u32,
    seed_stride: u32,
    minimum: u32,
    factor: f64,
    size: f64,
) {
    each::<Machine>(n as usize, |i| {
        if is_seed(slot_of, counts, firsts, i, minimum) {
            let origin = Origin { columns, centre, stride: stride as usize, factor, size };
            for c in 0..d as usize {
                let x = (origin.bin(i, c) * size - centre[c]) * factor;
                // SAFETY: no two points have the same number among those that are flagged.
                unsafe { seeds.write(c * seed_stride as usize + numbers[i] as usize, x as f32) };
            }
        }
    });
}
