//! The search for k-th values in several lanes at once: where each may still lie, and where to cut next.
//!
//! What it is part of: see neighbours.rs.

use cuda_std::Machine;

/// Cuts of a counting pass.
pub(crate) const CUTS: usize = 3;

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

    /// Cuts that leave the k-th value between the outer two more often than not. `unit` is points for
    /// a unit of mass, `n` all points.
    #[inline(always)]
    pub(crate) fn cuts<M: Machine>(&self, k: u32, unit: f32, n: f32) -> [[f32; LANES]; CUTS] {
        let mut cuts = [[0.0; LANES]; CUTS];
        for lane in 0..LANES {
            let (low, width) = (self.low[lane], self.high[lane] - self.low[lane]);
            let last = if width > 0 { self.high[lane] - 1 } else { low };
            let (from, to) = (f32::from_bits(low), f32::from_bits(self.high[lane]));
            // The k-th of c even values, and the one behind it, lie about `at`; the deviation is theirs.
            let values = (self.within[lane] - self.under[lane]) as f32 * unit;
            let at = ((k - self.under[lane]) as f32 * unit + 0.5) / (values + 1.0);
            let at = if at < 1.0 { at } else { 1.0 };
            let apart = 1.5 * M::sqrt(at * (1.0 - at) / (values + 2.0)) + 0.1 * values / n;
            let below = if at > 2.0 * apart { at - apart } else { 0.5 * at };
            let above = if 1.0 - at > 2.0 * apart { at + apart } else { 0.5 * at + 0.5 };
            let places = [below, at, above];
            for cut in 0..CUTS {
                let part = cut as u32 + 1;
                let even = low + width / 4 * part + width % 4 * part / 4;
                let guess = M::mul_add(places[cut], to - from, from).to_bits();
                let bits = if self.slow[lane] { even } else { guess };
                let bits = if bits < low { low } else { bits };
                cuts[cut][lane] = f32::from_bits(if bits < last { bits } else { last });
            }
        }
        cuts
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
