//! The search for k-th values in several lanes at once: where each may still lie, and where to cut next.
//!
//! What it is part of: see neighbours.rs.

use cuda_std::Machine;

/// Cuts of a counting pass.
pub(crate) const CUTS: usize = 3;

/// How far beyond the lower end of an open bracket cuts are, the second after a pass that gained too little.
const GROWTH: [[f32; CUTS]; 2] = [[2.0, 4.0, 8.0], [4.0, 16.0, 64.0]];

/// What is known of the k-th value of each lane: it lies from `low` to `high`, both bits of floats; less
/// than k of mass, `under`, lies below `low`, and k or more, `within`, up to `high`.
#[derive(Clone, Copy)]
pub(crate) struct Brackets<const LANES: usize> {
    pub(crate) low: [u32; LANES],
    pub(crate) high: [u32; LANES],
    pub(crate) under: [u32; LANES],
    pub(crate) within: [u32; LANES],
    /// Whether the last pass shrank it too little.
    pub(crate) slow: [bool; LANES],
}

impl<const LANES: usize> Brackets<LANES> {
    /// All values up to `most`, which have a mass of `total`.
    #[inline(always)]
    pub(crate) fn all(most: u32, total: u32) -> Self {
        Self { low: [0; LANES], high: [most; LANES], under: [0; LANES], within: [total; LANES], slow: [false; LANES] }
    }

    /// Whether a lane's k-th value is known to lie above some value, and not below which: the upper end is still that of all values.
    /// A processor's thread then looks at tiles that it could pass over; for a GPU's LLVM would keep lanes in local memory.
    #[inline(always)]
    fn is_open(&self, lane: usize, k: u32, total: u32) -> bool {
        LANES > 4 && self.under[lane] > 0 && self.within[lane] == total && total > k
    }

    /// The upper ends, but -1 where they are open.
    #[inline(always)]
    pub(crate) fn ends(&self, k: u32, total: u32) -> [f32; LANES] {
        let mut ends = self.high.map(f32::from_bits);
        if LANES > 4 {
            for lane in 0..LANES {
                ends[lane] = if self.is_open(lane, k, total) { -1.0 } else { ends[lane] };
            }
        }
        ends
    }

    /// Moves the ends to these, but where they are open.
    #[inline(always)]
    pub(crate) fn snap(&mut self, k: u32, total: u32, (low, high): ([f32; LANES], [f32; LANES])) {
        let before = *self;
        self.low = low.map(f32::to_bits);
        self.high = high.map(f32::to_bits);
        if LANES > 4 {
            for lane in 0..LANES {
                let open = before.is_open(lane, k, total);
                self.low[lane] = if open { before.low[lane] } else { self.low[lane] };
                self.high[lane] = if open { before.high[lane] } else { self.high[lane] };
            }
        }
    }

    /// Cuts that leave the k-th value between the outer two more often than not. `total` is the mass of all n points, `unit`
    /// points for a unit of it.
    #[inline(always)]
    pub(crate) fn cuts<M: Machine>(&self, k: u32, (total, unit): (u32, f32), n: f32) -> [[f32; LANES]; CUTS] {
        let mut cuts = [[0.0; LANES]; CUTS];
        for lane in 0..LANES {
            let (low, width) = (self.low[lane], self.high[lane] - self.low[lane]);
            let last = if width > 0 { self.high[lane] - 1 } else { low };
            let (from, to) = (f32::from_bits(low), f32::from_bits(self.high[lane]));
            // The k-th of c even values, and the one behind it, lie about `at`; the deviation is theirs.
            let values = (self.within[lane] - self.under[lane]) as f32 * unit;
            let at = M::divide((k - self.under[lane]) as f32 * unit + 0.5, values + 1.0);
            let at = if at < 1.0 { at } else { 1.0 };
            let apart = 1.5 * M::sqrt(M::divide(at * (1.0 - at), values + 2.0)) + M::divide(0.1 * values, n);
            let below = if at > 2.0 * apart { at - apart } else { 0.5 * at };
            let above = if 1.0 - at > 2.0 * apart { at + apart } else { 0.5 * at + 0.5 };
            let places = [below, at, above];
            for cut in 0..CUTS {
                let part = cut as u32 + 1;
                let even = low + width / 4 * part + width % 4 * part / 4;
                let guess = M::mul_add(places[cut], to - from, from).to_bits();
                let bits = if self.slow[lane] { even } else { guess };
                let bits = if LANES > 4 { self.beyond(lane, (k, total), cut, guess, bits) } else { bits };
                let bits = if bits < low { low } else { bits };
                cuts[cut][lane] = f32::from_bits(if bits < last { bits } else { last });
            }
        }
        cuts
    }

    /// Cuts of an open bracket, of others `bits`. Even cuts among all values are far above its lower end: these are two, four and eight
    /// times it unless the guess is more, and after a pass that gained too little 4, 16 and 64 times.
    #[inline(always)]
    fn beyond(&self, lane: usize, (k, total): (u32, u32), cut: usize, guess: u32, bits: u32) -> u32 {
        let from = f32::from_bits(self.low[lane]);
        let slow = self.slow[lane];
        let grown = (if slow { GROWTH[1][cut] } else { GROWTH[0][cut] } * from).to_bits();
        let open = if grown < guess || slow { grown } else { guess };
        if self.is_open(lane, k, total) { open } else { bits }
    }

    /// Shrinks to what the masses up to each cut leave.
    #[inline(always)]
    pub(crate) fn shrink(mut self, k: u32, cuts: &[[f32; LANES]; CUTS], masses: &[[u32; LANES]; CUTS]) -> Self {
        for lane in 0..LANES {
            let before = (self.high[lane] - self.low[lane], self.within[lane] - self.under[lane]);
            for cut in 0..CUTS {
                let (bits, mass) = (cuts[cut][lane].to_bits(), masses[cut][lane]);
                if mass >= k && bits < self.high[lane] {
                    (self.high[lane], self.within[lane]) = (bits, mass);
                }
                if mass < k && bits >= self.low[lane] {
                    (self.low[lane], self.under[lane]) = (bits + 1, mass);
                }
            }
            let after = (self.high[lane] - self.low[lane], self.within[lane] - self.under[lane]);
            // A pass that cut evenly did what it could.
            self.slow[lane] = !self.slow[lane] && after.0 > before.0 / 4 && after.1 > before.1 / 4;
        }
        self
    }

    /// The same, but that lanes from `count` on have found theirs among the values up to `most`: they have no queries, and nobody has
    /// counted for them.
    #[inline(always)]
    pub(crate) fn of_first(mut self, count: usize, most: u32, k: u32) -> Self {
        for lane in 0..LANES {
            if lane >= count {
                (self.low[lane], self.high[lane]) = (0, most);
                (self.under[lane], self.within[lane]) = (0, k);
            }
        }
        self
    }

    /// Whether each bracket's largest value that occurs is the k-th.
    #[inline(always)]
    pub(crate) fn settled(&self, k: u32) -> bool {
        let mut settled = true;
        for lane in 0..LANES {
            settled &= self.low[lane] == self.high[lane] || self.within[lane] == k;
        }
        settled
    }
}
