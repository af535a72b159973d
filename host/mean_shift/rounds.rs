//! Rounds of steps: what a device is given to do before the host knows what came of it.
//!
//! Of a step that finds nothing left to do nothing comes (gpu/progress.rs), so any number may be queued. On a GPU
//!
//! - the first round, up to [`QUEUE`] steps, are plain launches, which load their kernels and keep the device busy while
//! - another is recorded, to be replayed by one call now and in every later round;
//! - where points and queries are few, the next round is queued before the host waits for what came of this one
//!   (`Run::look_behind`), so that the device never waits for the host.
//!
//! docs/performance/launches.md has the arithmetic. A processor has run a step when the call returns: there a round is one step.

use std::ops::Range;

use cuda_std::machine::MachineKind;

use crate::error::Result;
use crate::executor::{Device, Recording};

/// Steps of a round, at most. Even, so that each round begins with the same buffers.
pub(super) const QUEUE: usize = 8;

/// So many queries, over so many points, are few: what a step of them takes is of the order of what the host takes to look,
/// and what launches for queries that have left take is less than recording others.
pub(super) const FEW: u32 = 20_000;

/// Rounds of steps, all of the same launches.
pub(super) struct Rounds<'a> {
    device: &'a Device,
    /// Steps of a round.
    round: usize,
    /// The most steps that are of use.
    limit: usize,
    queued: usize,
    first: bool,
    recording: Option<Box<dyn Recording + 'a>>,
}

impl<'a> Rounds<'a> {
    /// Rounds of a run of `limit` iterations at most.
    pub fn new(device: &'a Device, limit: usize) -> Self {
        let round = match device.machine() {
            MachineKind::Gpu => limit.saturating_sub(QUEUE).next_multiple_of(2).clamp(2, QUEUE),
            _ => 1,
        };
        Self { device, round, limit, queued: 0, first: true, recording: None }
    }

    /// Rounds of one step, behind each of which the host has something to do before the next: nothing is recorded.
    pub fn of_one_step(device: &'a Device, limit: usize) -> Self {
        Self { device, round: 1, limit, queued: 0, first: true, recording: None }
    }

    /// Queues a round: `steps` launches the steps of these numbers.
    ///
    /// # Safety
    /// `steps` launches the same for every number of a parity, until [`forget`](Self::forget) or
    /// [`begin_anew`](Self::begin_anew) is called, and its buffers exist until the last call of this.
    pub unsafe fn queue(&mut self, mut steps: impl FnMut(Range<usize>) -> Result<()>) -> Result<()> {
        if std::mem::take(&mut self.first) && self.round > 1 {
            let count = QUEUE.min(self.limit - self.queued);
            steps(self.queued..self.queued + count)?;
            self.queued += count;
            return Ok(());
        }
        let numbers = self.queued..self.queued + self.round;
        if self.recording.is_none() && self.round > 1 {
            self.recording = self.device.record(|| steps(numbers.clone()))?;
        }
        match &self.recording {
            // SAFETY: the caller's promise; `steps` borrows what its launches write.
            Some(recording) => unsafe { self.device.replay(&**recording) }?,
            None => steps(numbers)?,
        }
        self.queued += self.round;
        Ok(())
    }

    /// Queues the first step as a round of its own, of which something is to be known.
    ///
    /// # Errors
    /// Whatever `steps` returns.
    pub fn queue_first(&mut self, mut steps: impl FnMut(Range<usize>) -> Result<()>) -> Result<()> {
        steps(0..1)?;
        self.queued += 1;
        Ok(())
    }

    /// Steps that were queued.
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// Whether there may be iterations behind those that were queued.
    pub fn has_more(&self) -> bool {
        self.queued < self.limit
    }

    /// Whether a round of so many queries, and of so many points, is to be queued before the host knows of the last.
    pub fn are_ahead(&self, queries: u32, points: u32) -> bool {
        self.round > 1 && queries.max(points) <= FEW
    }

    /// Whether rounds would be better recorded anew: of `most` queries that they are for, so many are left.
    pub fn are_wasteful(&self, most: u32, active: u32) -> bool {
        self.recording.is_none() || (most > FEW && active <= most / 2)
    }

    /// Rounds will be others from now on.
    pub fn forget(&mut self) {
        self.recording = None;
    }

    /// Rounds will be others, of kernels that may not be loaded yet.
    pub fn begin_anew(&mut self) {
        self.forget();
        self.first = true;
    }
}
