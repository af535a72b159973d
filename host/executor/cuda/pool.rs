//! Memory that was given back, kept for whoever asks next.
//!
//! The driver waits for the whole device when it frees, and takes its time to allocate; a fit takes and gives back some
//! dozens of buffers. Everything runs in one stream, so that whoever gets a block of another writes to it behind what the
//! other has launched: nothing has to be waited for.
//!
//! `MODESEEK_POOL=off` has nothing kept: whoever looks for accesses outside of memory (compute-sanitizer) then sees each buffer as
//! large as it is, and those that were given back as none.

use std::collections::{BTreeMap, HashMap};

/// A block goes to whoever asks for this part of it at least: what is kept wastes no more than an eighth.
const LEAST_PART: (usize, usize) = (7, 8);

/// Blocks by their sizes.
pub(super) struct Pool {
    /// Whether blocks are kept at all.
    keeps: bool,
    /// Addresses of blocks that nobody has, by their bytes.
    kept: BTreeMap<usize, Vec<u64>>,
    /// Bytes of the blocks that somebody has.
    taken: HashMap<u64, usize>,
    /// Bytes of all that nobody has.
    bytes: usize,
}

impl Pool {
    /// Nothing yet.
    pub(super) fn new(keeps: bool) -> Self {
        Self { keeps, kept: BTreeMap::new(), taken: HashMap::new(), bytes: 0 }
    }

    /// As the environment says.
    pub(super) fn from_environment() -> Self {
        Self::new(std::env::var_os("MODESEEK_POOL").is_none_or(|value| value != "off"))
    }

    /// A block that holds so many bytes, if one that fits is kept.
    pub(super) fn take(&mut self, bytes: usize) -> Option<u64> {
        let (part, whole) = LEAST_PART;
        let (&size, addresses) = self.kept.range_mut(bytes..=bytes.saturating_mul(whole) / part).next()?;
        let address = addresses.pop()?;
        if addresses.is_empty() {
            self.kept.remove(&size);
        }
        self.bytes -= size;
        self.taken.insert(address, size);
        Some(address)
    }

    /// Notes a new block, which somebody has.
    pub(super) fn add(&mut self, address: u64, bytes: usize) {
        self.taken.insert(address, bytes);
    }

    /// Keeps a block that is given back, or gives it on to be freed.
    pub(super) fn give(&mut self, address: u64) -> Option<u64> {
        let size = self.taken.remove(&address)?;
        if !self.keeps {
            return Some(address);
        }
        self.bytes += size;
        self.kept.entry(size).or_default().push(address);
        None
    }

    /// Bytes that nobody has.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// All blocks that nobody has, to be freed.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = u64> + use<> {
        self.bytes = 0;
        std::mem::take(&mut self.kept).into_values().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_go_to_who_fills_them() {
        let mut pool = Pool::new(true);
        assert_eq!(pool.take(100), None);
        for (address, bytes) in [(1, 100), (2, 100), (3, 800), (4, 16)] {
            pool.add(address, bytes);
        }
        for address in [1, 2, 3, 4] {
            assert_eq!(pool.give(address), None);
        }
        assert_eq!(pool.bytes(), 1016);
        // Too large for one, too small for the other.
        assert_eq!((pool.take(101), pool.take(699), pool.take(801), pool.take(80)), (None, None, None, None));
        assert_eq!((pool.take(700), pool.take(88), pool.take(100), pool.take(100)), (Some(3), Some(2), Some(1), None));
        assert_eq!(pool.bytes(), 16);
        // It comes back as large as it is, not as it was asked for.
        assert_eq!(pool.give(3), None);
        assert_eq!((pool.bytes(), pool.take(800)), (816, Some(3)));
        assert_eq!(pool.give(2), None);
        assert_eq!(pool.drain().collect::<Vec<_>>(), [4, 2]);
        assert_eq!((pool.bytes(), pool.take(16), pool.take(100)), (0, None, None));
    }

    #[test]
    fn what_is_not_kept_is_to_be_freed() {
        let mut pool = Pool::new(false);
        pool.add(1, 100);
        assert_eq!((pool.give(1), pool.give(1), pool.bytes(), pool.take(100)), (Some(1), None, 0, None));
    }
}
