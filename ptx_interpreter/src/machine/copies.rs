//! `cp.async`: copies from global to shared memory that a thread begins, and waits for later.
//!
//! A copy may read and write at any time between the instruction that begins it and the wait that covers it. So both of its
//! sides are checked twice, as accesses of the thread that began it: with its clock when it begins, which finds those who have
//! not done with the bytes, and with its clock at the wait, which finds those who have not met the thread since. In between
//! nobody touches the destination, and the source stays as it is. What a thread has not waited for when it exits nobody can
//! wait for any more: its destination is never there.

use super::Env;
use super::access::{effective, locate, resolve, shared_region};
use super::thread::Thread;
use crate::fault::{AccessKind, FaultKind};
use crate::instruction::{IGNORED_IF, MemoryOp, Place, Slots};
use crate::memory::Outcome;
use std::collections::VecDeque;

/// The most bytes of a copy.
const MOST: usize = 16;

/// What a thread has begun to copy and not waited for.
#[derive(Default)]
pub(super) struct Copies {
    /// The oldest first.
    under_way: VecDeque<Copy>,
    /// Copies of each group that was closed.
    groups: VecDeque<usize>,
    /// Copies begun since.
    open: usize,
}

/// A copy under way.
struct Copy {
    pc: u32,
    op: MemoryOp,
    to: u64,
    from: u64,
    /// Bytes of the source; beyond them the destination is filled with zeros.
    taken: usize,
    /// The source when the copy began.
    bytes: [u8; MOST],
}

impl Copies {
    /// For a new block.
    pub(super) fn clear(&mut self) {
        self.under_way.clear();
        self.groups.clear();
        self.open = 0;
    }

    /// `cp.async.commit_group`: those begun since the last are a group, which may be empty.
    pub(super) fn commit(&mut self) {
        self.groups.push_back(std::mem::take(&mut self.open));
    }
}

/// Begins a copy: shared address in `a`, global address in `b` with its offset in `e`, bytes of the source in `c`,
/// or whether to take none of them.
pub(super) fn begin(env: &mut Env, thread: &mut Thread, op: MemoryOp, s: Slots) -> Outcome<()> {
    let total = usize::from(op.width) * usize::from(op.count);
    let given = thread.read(s.c);
    let taken = match s.m {
        IGNORED_IF if given & 1 != 0 => 0,
        IGNORED_IF => total,
        _ => (given as u32 as usize).min(total),
    };
    let from = thread.read(s.b).wrapping_add(thread.read(s.e));
    let to = effective(thread, op, s.a);
    let bytes = source(env, thread, op, from, taken)?;
    locate(env, thread, MemoryOp { place: Place::Shared, ..op }, to, AccessKind::Write)?;
    if let Some(region) = shared_region(env, to) {
        region.copy_begins(to, total);
    }
    thread.copies.under_way.push_back(Copy { pc: thread.pc - 1, op, to, from, taken, bytes });
    thread.copies.open += 1;
    Ok(())
}

/// `cp.async.wait_group`: ends all groups but the newest `pending`; without a number, all copies.
pub(super) fn wait(env: &mut Env, thread: &mut Thread, pending: Option<u32>) -> Outcome<()> {
    if pending.is_none() {
        thread.copies.commit();
    }
    while thread.copies.groups.len() > pending.unwrap_or(0) as usize {
        for _ in 0..thread.copies.groups.pop_front().unwrap_or(0) {
            if let Some(copy) = thread.copies.under_way.pop_front() {
                end(env, thread, copy)?;
            }
        }
    }
    Ok(())
}

/// A copy that has been waited for: the bytes are there.
fn end(env: &mut Env, thread: &mut Thread, copy: Copy) -> Outcome<()> {
    let Copy { pc, op, to, from, taken, bytes } = copy;
    let total = usize::from(op.width) * usize::from(op.count);
    // Whoever is blamed is to be blamed for the copy, which was counted when it began.
    let here = std::mem::replace(&mut thread.pc, pc + 1);
    let (loads, stores) = (env.report.loads, env.report.stores);
    let now = source(env, thread, op, from, taken)?;
    if let Some(at) = now.iter().zip(&bytes).position(|(now, then)| now != then) {
        let (space, address) = resolve(op.place, from.wrapping_add(at as u64));
        return Err(FaultKind::CopiedUnderWay { space, address }.into());
    }
    if let Some(region) = shared_region(env, to) {
        region.copy_ends(to, total);
    }
    let (written, _) = locate(env, thread, MemoryOp { place: Place::Shared, ..op }, to, AccessKind::Write)?;
    written.copy_from_slice(&bytes[..total]);
    (env.report.loads, env.report.stores) = (loads, stores);
    thread.pc = here;
    Ok(())
}

/// What a copy takes, and zeros.
fn source(env: &mut Env, thread: &mut Thread, op: MemoryOp, from: u64, taken: usize) -> Outcome<[u8; MOST]> {
    let mut buffer = [0; MOST];
    if taken == usize::from(op.width) * usize::from(op.count) {
        let (bytes, _) = locate(env, thread, op, from, AccessKind::Read)?;
        buffer[..taken].copy_from_slice(bytes);
    } else if taken > 0 {
        part(env, thread, op, from, &mut buffer[..taken])?;
    }
    Ok(buffer)
}

/// The first bytes of a copy, the only ones that are read of it. The whole of it would have to be aligned.
fn part(env: &mut Env, thread: &mut Thread, op: MemoryOp, source: u64, buffer: &mut [u8]) -> Outcome<()> {
    let total = u32::from(op.width) * u32::from(op.count);
    let (space, address) = resolve(op.place, source);
    if address % u64::from(total) != 0 {
        return Err(FaultKind::Misaligned { access: AccessKind::Read, space, address, bytes: total }.into());
    }
    let counted = env.report.loads[space as usize];
    for (at, byte) in buffer.iter_mut().enumerate() {
        let op = MemoryOp { width: 1, count: 1, ..op };
        let (bytes, _) = locate(env, thread, op, source.wrapping_add(at as u64), AccessKind::Read)?;
        *byte = bytes[0];
    }
    // It is one load.
    env.report.loads[space as usize] = counted + 1;
    Ok(())
}
