//! Which blocks each of the workers that run a grid takes.
//!
//! A worker takes a stretch of the blocks that are left: a part of them that becomes shorter as they become fewer, so that
//! neighbours in memory are mostly of one core, and all cores end at about the same time whatever blocks take.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::error::Fault;

/// Stretches that each worker would take, if all were as long as the next one.
const STRETCHES: u64 = 4;

/// The blocks of a grid, by number, that its workers take.
pub struct Blocks {
    count: u64,
    workers: u64,
    next: AtomicU64,
    /// The lowest block of those that failed: none behind it begins any more, and all in front of it still run.
    failed: AtomicU64,
    fault: Mutex<Option<(u64, Fault)>>,
}

impl Blocks {
    pub fn new(count: u64, workers: u64) -> Self {
        Self { count, workers, next: AtomicU64::new(0), failed: AtomicU64::new(u64::MAX), fault: Mutex::new(None) }
    }

    /// What a worker does: runs blocks until none is left.
    pub fn work(&self, mut run: impl FnMut(u64) -> Result<(), Fault>) {
        while let Some(stretch) = self.take() {
            for block in stretch {
                // Stretches are taken in order: of the blocks in front of one that fails none is left out.
                if block > self.failed.load(Ordering::Relaxed) {
                    return;
                }
                if let Err(fault) = run(block) {
                    self.fail(block, fault);
                    return;
                }
            }
        }
    }

    fn take(&self) -> Option<Range<u64>> {
        let stretch = |next: u64| ((self.count - next) / (STRETCHES * self.workers)).max(1);
        let mut next = self.next.load(Ordering::Relaxed);
        while next < self.count {
            let end = next + stretch(next);
            match self.next.compare_exchange_weak(next, end, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(next..end),
                Err(now) => next = now,
            }
        }
        None
    }

    fn fail(&self, block: u64, fault: Fault) {
        self.failed.fetch_min(block, Ordering::Relaxed);
        let mut lowest = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        if lowest.as_ref().is_none_or(|(number, _)| block < *number) {
            *lowest = Some((block, fault));
        }
    }

    /// The fault of the lowest block that failed, once all workers are done.
    pub fn end(self) -> Result<(), Fault> {
        match self.fault.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some((_, fault)) => Err(fault),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(block: u64) -> Fault {
        Fault::NoMemory { kernel: "none", reason: block.to_string() }
    }

    #[test]
    fn every_block_is_taken_once_in_stretches_that_become_shorter() {
        let blocks = Blocks::new(1000, 2);
        let (mut taken, mut last) = (0, u64::MAX);
        while let Some(stretch) = blocks.take() {
            assert_eq!(stretch.start, taken);
            assert!(stretch.end - stretch.start <= last);
            (taken, last) = (stretch.end, stretch.end - stretch.start);
        }
        assert_eq!((taken, last), (1000, 1));
    }

    #[test]
    fn no_block_is_left_out_in_front_of_one_that_failed() {
        let blocks = Blocks::new(100, 3);
        let ran = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    blocks.work(|block| {
                        ran.lock().unwrap().push(block);
                        if block >= 40 && block % 7 == 0 { Err(fault(block)) } else { Ok(()) }
                    });
                });
            }
        });
        assert!(matches!(blocks.end(), Err(Fault::NoMemory { reason, .. }) if reason == "42"));
        let mut ran = ran.into_inner().unwrap();
        ran.sort_unstable();
        assert!(ran.starts_with(&(0..=42).collect::<Vec<_>>()));
    }
}
