//! Shuffles, votes, matches and reductions over the lanes that have met.

use super::Env;
use super::block::Block;
use super::warp::lanes;
use crate::fault::FaultKind;
use crate::instruction::{Reduction, ShuffleMode, Slots, VoteMode, WarpOp};
use crate::memory::Trouble;
use crate::types::Type;

/// Trouble, and the lane that is in it.
pub(super) type LaneTrouble = (Box<Trouble>, u32);

impl Block {
    /// Runs a warp operation over the lanes of `group`; `first` is the thread of lane 0.
    pub(super) fn collective(
        &mut self,
        env: &mut Env,
        first: u32,
        group: u32,
        mask: u32,
        op: u32,
        pc: u32,
    ) -> Result<(), LaneTrouble> {
        let code = env.code;
        let slots = code.insts[pc as usize].slots;
        match &code.warps[op as usize] {
            WarpOp::Sync => {
                let met: Vec<u32> = lanes(group).map(|lane| first + lane).collect();
                self.synchronise(&met);
            }
            WarpOp::Shuffle(mode) => self.shuffle(env, first, group, mask, *mode, slots)?,
            WarpOp::Vote(mode, negated) => self.vote(first, group, *mode, *negated, slots),
            WarpOp::Match { all, width } => self.match_values(first, group, *all, *width, slots),
            WarpOp::Reduce(reduction, ty) => self.reduce(first, group, *reduction, *ty, slots),
            WarpOp::Matrix(op) => self.multiply(env, first, group, *op)?,
            WarpOp::LoadMatrix(op) => self.load_matrix(env, first, group, *op, slots)?,
            WarpOp::Group(op) => self.group_operation(env, (first, group), *op, pc)?,
        }
        Ok(())
    }

    pub(super) fn lane_value(&self, first: u32, lane: u32, slot: u32) -> u64 {
        self.threads[(first + lane) as usize].read(slot)
    }

    pub(super) fn set_lane(&mut self, first: u32, lane: u32, slot: u32, value: u64) {
        self.threads[(first + lane) as usize].write(slot, value);
    }

    fn shuffle(
        &mut self,
        env: &Env,
        first: u32,
        group: u32,
        mask: u32,
        mode: ShuffleMode,
        s: Slots,
    ) -> Result<(), LaneTrouble> {
        let mut results = [(0, false); 32];
        for lane in lanes(group) {
            let by = self.lane_value(first, lane, s.b) as u32 & 31;
            let (from, valid) = shuffle_source(mode, lane, by, self.lane_value(first, lane, s.c) as u32);
            if group >> from & 1 == 0 {
                return Err(self.inactive(env, first, lane, from, mask));
            }
            let value = self.lane_value(first, from, s.a) & 0xFFFF_FFFF;
            results[lane as usize] = (value, valid);
        }
        for lane in lanes(group) {
            let (value, valid) = results[lane as usize];
            self.set_lane(first, lane, s.d, value);
            self.set_lane(first, lane, s.e, u64::from(valid));
        }
        Ok(())
    }

    fn inactive(&self, env: &Env, first: u32, lane: u32, from: u32, mask: u32) -> LaneTrouble {
        let there = ((first + from) as usize) < self.threads.len();
        let reason = if mask >> from & 1 == 0 {
            "is not in the mask"
        } else if there {
            self.excuse(first + from)
        } else {
            "does not exist in this block"
        };
        let kind = FaultKind::InactiveLane { lane, from, reason, mask };
        let trouble = if there { Trouble::Clash(kind, self.who(env, first + from)) } else { Trouble::Fault(kind) };
        (Box::new(trouble), lane)
    }

    fn vote(&mut self, first: u32, group: u32, mode: VoteMode, negated: bool, s: Slots) {
        let yes = lanes(group)
            .filter(|lane| (self.lane_value(first, *lane, s.a) & 1 != 0) != negated)
            .fold(0u32, |ballot, lane| ballot | 1 << lane);
        let result = match mode {
            VoteMode::All => u32::from(yes == group),
            VoteMode::Any => u32::from(yes != 0),
            VoteMode::Uniform => u32::from(yes == 0 || yes == group),
            VoteMode::Ballot => yes,
        };
        for lane in lanes(group) {
            self.set_lane(first, lane, s.d, u64::from(result));
        }
    }

    fn match_values(&mut self, first: u32, group: u32, all: bool, width: u8, s: Slots) {
        let bits = u64::MAX >> (64 - 8 * u32::from(width));
        let mut values = [0; 32];
        for lane in lanes(group) {
            values[lane as usize] = self.lane_value(first, lane, s.a) & bits;
        }
        for lane in lanes(group) {
            let same = lanes(group)
                .filter(|other| values[*other as usize] == values[lane as usize])
                .fold(0u32, |same, other| same | 1 << other);
            let agreed = same == group;
            let result = if all && !agreed { 0 } else { same };
            self.set_lane(first, lane, s.d, u64::from(result));
            self.set_lane(first, lane, s.e, u64::from(agreed));
        }
    }

    fn reduce(&mut self, first: u32, group: u32, reduction: Reduction, ty: Type, s: Slots) {
        let values = lanes(group).map(|lane| self.lane_value(first, lane, s.a) as u32);
        let signed = ty == Type::S32;
        // Flipping the sign bit orders signed numbers as unsigned ones.
        let flip = if signed { 1 << 31 } else { 0 };
        let result = values.reduce(|a, b| match reduction {
            Reduction::Add => a.wrapping_add(b),
            Reduction::Min => (a ^ flip).min(b ^ flip) ^ flip,
            Reduction::Max => (a ^ flip).max(b ^ flip) ^ flip,
            Reduction::And => a & b,
            Reduction::Or => a | b,
            Reduction::Xor => a ^ b,
        });
        for lane in lanes(group) {
            self.set_lane(first, lane, s.d, u64::from(result.unwrap_or(0)));
        }
    }
}

/// The lane that a lane reads from, and whether that is the lane asked for (ISA, `shfl.sync`).
fn shuffle_source(mode: ShuffleMode, lane: u32, by: u32, clamp: u32) -> (u32, bool) {
    let segment = clamp >> 8 & 31;
    let limit = (lane & segment) | (clamp & 31 & !segment);
    let lowest = lane & segment;
    let (source, valid) = match mode {
        ShuffleMode::Up => {
            let source = lane as i32 - by as i32;
            (source, source >= limit as i32)
        }
        ShuffleMode::Down => (lane as i32 + by as i32, lane + by <= limit),
        ShuffleMode::Butterfly => ((lane ^ by) as i32, lane ^ by <= limit),
        ShuffleMode::Index => {
            let source = lowest | (by & !segment);
            (source as i32, source <= limit)
        }
    };
    if valid { (source as u32, true) } else { (lane, false) }
}
