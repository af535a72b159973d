//! The threads of a warp: who waits for whom.

use super::Env;
use super::block::{Blamed, Block};
use super::products::Products;
use super::thread::State;
use crate::fault::FaultKind;
use crate::instruction::WarpOp;
use crate::memory::shadow::Who;
use crate::memory::{Outcome, Trouble};

/// A lane that waits in a warp operation.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    pc: u32,
    op: u32,
    mask: u32,
}

pub(crate) struct Warp {
    waiting: [Option<Waiting>; 32],
    arrived: u32,
    /// Lanes that exist and have not exited.
    live: u32,
    pub(super) products: Products,
}

impl Warp {
    pub(crate) fn new(threads: u32) -> Self {
        Self {
            waiting: [None; 32],
            arrived: 0,
            live: if threads >= 32 { u32::MAX } else { (1 << threads) - 1 },
            products: Products::default(),
        }
    }
}

/// The lanes of a mask.
pub(super) fn lanes(mask: u32) -> impl Iterator<Item = u32> {
    (0..32).filter(move |lane| mask >> lane & 1 != 0)
}

impl Block {
    /// A thread has come to a warp operation.
    pub(super) fn meet(&mut self, env: &Env, index: u32, op: u32) -> Outcome<()> {
        let thread = &self.threads[index as usize];
        let pc = thread.pc - 1;
        let mask = thread.read(env.code.insts[pc as usize].slots.m) as u32;
        let lane = index % 32;
        if mask >> lane & 1 == 0 {
            return Err(FaultKind::NotInMask { lane, mask }.into());
        }
        let warp = &mut self.warps[(index / 32) as usize];
        warp.waiting[lane as usize] = Some(Waiting { pc, op, mask });
        warp.arrived |= 1 << lane;
        Ok(())
    }

    /// After a thread has come to a warp operation or has exited: lets those go on who now can.
    pub(super) fn settle(&mut self, env: &mut Env, index: u32) -> Result<(), (Box<Trouble>, Option<Who>)> {
        let number = index / 32;
        let lane = index % 32;
        if self.threads[index as usize].state == State::Exited {
            self.warps[number as usize].live &= !(1 << lane);
            // The one that left may have been the last that others waited for.
            let waiting = self.warps[number as usize].arrived;
            for other in lanes(waiting) {
                self.try_group(env, number, other)?;
            }
            return Ok(());
        }
        self.try_group(env, number, lane)
    }

    /// Runs the operation that `lane` waits in, if all that it needs are there.
    fn try_group(&mut self, env: &mut Env, number: u32, lane: u32) -> Result<(), (Box<Trouble>, Option<Who>)> {
        let warp = &mut self.warps[number as usize];
        let Some(waiting) = warp.waiting[lane as usize] else {
            return Ok(());
        };
        let group = waiting.mask & warp.live;
        if group & !warp.arrived != 0 {
            return Ok(());
        }
        let is_sync = |op: u32| matches!(env.code.warps[op as usize], WarpOp::Sync);
        let agrees = lanes(group).all(|other| {
            warp.waiting[other as usize].is_some_and(|other| {
                let same_place = other.pc == waiting.pc || (is_sync(other.op) && is_sync(waiting.op));
                other.mask == waiting.mask && same_place
            })
        });
        if !agrees {
            return Ok(());
        }
        for other in lanes(group) {
            warp.waiting[other as usize] = None;
        }
        warp.arrived &= !group;
        let first = number * 32;
        self.collective(env, first, group, waiting.mask, waiting.op, waiting.pc)
            .map_err(|(trouble, lane)| (trouble, Some(self.who(env, first + lane))))?;
        for other in lanes(group) {
            self.threads[(first + other) as usize].state = State::Ready;
            self.ready.push(first + other);
        }
        Ok(())
    }

    /// A lane that waits in a warp operation for one that never comes.
    pub(super) fn stuck_in_warp(&self, env: &Env) -> Option<Blamed> {
        let (number, lane) = self
            .warps
            .iter()
            .enumerate()
            .find_map(|(number, warp)| Some((number as u32, lanes(warp.arrived).next()?)))?;
        let warp = &self.warps[number as usize];
        let waiting = warp.waiting[lane as usize]?;
        let missing = lanes(waiting.mask & warp.live).find(|other| {
            warp.waiting[*other as usize].is_none_or(|other| other.pc != waiting.pc || other.mask != waiting.mask)
        })?;
        let (waiter, absent) = (number * 32 + lane, number * 32 + missing);
        let kind = FaultKind::WarpDiverged { lane, missing, reason: self.excuse(absent), mask: waiting.mask };
        let other = self.who(env, absent);
        Some((Box::new(Trouble::Clash(kind, other)), self.who(env, waiter)))
    }
}
