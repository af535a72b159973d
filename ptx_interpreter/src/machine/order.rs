//! Order through memory: a fence before an atomic write, and one after the atomic read that sees it.
//!
//! A fence takes a snapshot of all that its thread is ordered after. A later strong write leaves the snapshot at its
//! address; a strong read of that address picks it up, and the next fence of the reader makes it known. `.release`
//! and `.acquire` are the same with the fence built in.

use super::Env;
use super::thread::Thread;
use crate::fault::AccessKind;
use crate::instruction::AccessFlags;
use crate::memory::shadow::Foreign;
use crate::types::Space;
use std::collections::HashMap;
use std::rc::Rc;

/// What a thread was ordered after when it came to a fence.
pub(crate) struct Knowledge {
    block: u32,
    /// The fence reached further than the block.
    device: bool,
    clocks: Rc<[u32]>,
    foreign: Rc<Foreign>,
}

/// Snapshots that strong writes left, by space and address.
pub(crate) type Releases = HashMap<(Space, u64), Vec<Rc<Knowledge>>>;

/// The later of two times, thread by thread.
pub(super) fn join(mine: &mut Rc<[u32]>, theirs: &Rc<[u32]>) {
    if !Rc::ptr_eq(mine, theirs) {
        *mine = mine.iter().zip(theirs.iter()).map(|(a, b)| *a.max(b)).collect();
    }
}

/// Adds what another thread knows of other blocks.
pub(super) fn join_foreign(mine: &mut Rc<Foreign>, theirs: &Rc<Foreign>) {
    if Rc::ptr_eq(mine, theirs) || theirs.is_empty() {
        return;
    }
    let mine = Rc::make_mut(mine);
    for (block, clocks) in theirs.iter() {
        join(mine.entry(*block).or_insert_with(|| Rc::clone(clocks)), clocks);
    }
}

impl Thread {
    fn snapshot(&mut self, block: u32, device: bool) -> Rc<Knowledge> {
        let mut clocks = self.known.to_vec();
        clocks[self.index as usize] = self.clock;
        // What comes after the fence is not covered by it.
        self.clock += 1;
        Rc::new(Knowledge { block, device, clocks: clocks.into(), foreign: Rc::clone(&self.foreign) })
    }

    fn learn(&mut self, block: u32, knowledge: &Knowledge) {
        if knowledge.block != block && !knowledge.device {
            return;
        }
        let own = (knowledge.block, &knowledge.clocks);
        for (of, clocks) in knowledge.foreign.iter().map(|(of, clocks)| (*of, clocks)).chain([own]) {
            if of == block {
                join(&mut self.known, clocks);
            } else {
                let foreign = Rc::make_mut(&mut self.foreign);
                join(foreign.entry(of).or_insert_with(|| Rc::clone(clocks)), clocks);
            }
        }
    }

    /// `fence.proxy.async`
    pub(super) fn publish(&mut self) {
        self.published = self.clock;
        self.published_known = Rc::clone(&self.known);
        // What comes after the fence is not covered by it.
        self.clock += 1;
    }

    /// `fence` and `membar`.
    pub(super) fn fence(&mut self, block: u32, device: bool) {
        for knowledge in std::mem::take(&mut self.seen) {
            self.learn(block, &knowledge);
        }
        self.fenced = Some(self.snapshot(block, device));
    }
}

/// After a strong access: leaves a snapshot, or picks up those that are there.
pub(super) fn strong_access(
    env: &mut Env,
    thread: &mut Thread,
    kind: AccessKind,
    flags: AccessFlags,
    at: (Space, u64),
) {
    if !env.checks.races {
        return;
    }
    let device = flags.has(AccessFlags::STRONG_DEVICE);
    if kind != AccessKind::Write
        && let Some(left) = env.releases.get(&at)
    {
        if flags.has(AccessFlags::ACQUIRE) {
            left.iter().for_each(|knowledge| thread.learn(env.number, knowledge));
        } else {
            thread.seen.extend(left.iter().cloned());
        }
    }
    if kind == AccessKind::Read {
        return;
    }
    if flags.has(AccessFlags::RELEASE) {
        thread.fenced = Some(thread.snapshot(env.number, device));
    }
    let left = env.releases.entry(at).or_default();
    // A plain write starts anew; an atomic one hands on what it found.
    if kind == AccessKind::Write {
        left.clear();
    }
    left.extend(thread.fenced.clone());
}
