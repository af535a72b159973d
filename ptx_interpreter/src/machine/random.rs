//! The source of schedules: a small generator, so that a seed means the same everywhere.

/// SplitMix64 (Steele, Lea and Flood, 2014).
pub(crate) struct Random(u64);

/// Longer grids run in order but for their start: a permutation of them would only take memory.
const MOST_SHUFFLED: u64 = 1 << 20;

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is small: the bias does not matter for a schedule.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }

    /// How many instructions a thread may run before another is picked: often a few, mostly many.
    pub(crate) fn slice(&mut self) -> u64 {
        let bits = self.next();
        if bits & 7 == 0 { 1 + (bits >> 8 & 3) } else { 32 + (bits >> 8 & 255) }
    }

    /// The numbers below `count` in random order.
    pub(crate) fn order(&mut self, count: u64) -> Box<dyn Iterator<Item = u64>> {
        if count > MOST_SHUFFLED {
            let start = self.next() % count;
            return Box::new((start..count).chain(0..start));
        }
        let mut order: Vec<u64> = (0..count).collect();
        for at in (1..order.len()).rev() {
            order.swap(at, self.below(at + 1));
        }
        Box::new(order.into_iter())
    }
}
