//! `bar` and `barrier`: threads of a block meet, and what each wrote is ordered before what the others do next.

use super::Env;
use super::block::Block;
use super::order::join_foreign;
use super::thread::{State, Thread};
use crate::fault::FaultKind;
use crate::instruction::{BarrierKind, BarrierOp};
use crate::memory::shadow::Foreign;
use crate::memory::{Outcome, Trouble};
use std::rc::Rc;

/// A thread at a barrier.
pub(crate) struct Arrival {
    pub(crate) thread: u32,
    pc: u32,
    op: BarrierOp,
    /// How many threads the barrier waits for.
    pub(crate) wanted: u32,
    predicate: bool,
    result: u32,
    /// Of a thread that goes on: what is ordered before the others' next accesses, which is what it had done by then.
    past: Option<Past>,
}

/// What a thread had done, and what it knew of the others.
struct Past {
    clock: u32,
    known: Rc<[u32]>,
    foreign: Rc<Foreign>,
}

impl Past {
    fn of(thread: &Thread) -> Self {
        Self { clock: thread.clock, known: Rc::clone(&thread.known), foreign: Rc::clone(&thread.foreign) }
    }
}

impl Block {
    /// The thread at place `at` of the ready ones has come to a barrier.
    pub(super) fn arrive(&mut self, env: &mut Env, at: usize, number: u32) -> Outcome<()> {
        let op = env.code.barriers[number as usize];
        let index = self.ready[at];
        let thread = &mut self.threads[index as usize];
        let pc = thread.pc - 1;
        let slots = env.code.insts[pc as usize].slots;
        let barrier = thread.read(slots.a) & 0xFFFF_FFFF;
        let all = u64::from(env.block.iter().product::<u32>());
        let count = if op.counted { thread.read(slots.b) & 0xFFFF_FFFF } else { all };
        if barrier > 15 || (op.counted && (count == 0 || count % 32 != 0)) {
            return Err(FaultKind::BadBarrier { barrier, count }.into());
        }
        let arrival = Arrival {
            thread: index,
            pc,
            op,
            wanted: count as u32,
            predicate: (thread.read(slots.c) & 1 != 0) != op.negated,
            result: slots.d,
            past: (op.kind == BarrierKind::Arrive).then(|| Past::of(thread)),
        };
        if arrival.past.is_some() {
            thread.clock += 1;
        } else {
            thread.state = State::Barrier;
            self.ready.swap_remove(at);
        }
        let arrivals = &mut self.barriers[barrier as usize];
        arrivals.push(arrival);
        if arrivals.len() as u64 >= count {
            self.release(env, barrier as u32)?;
        }
        Ok(())
    }

    /// Everybody is there.
    fn release(&mut self, env: &mut Env, barrier: u32) -> Outcome<()> {
        let arrivals = std::mem::take(&mut self.barriers[barrier as usize]);
        let Some(last) = arrivals.last() else {
            return Ok(());
        };
        let stray = arrivals
            .iter()
            .find(|other| other.pc != last.pc && other.op.aligned && last.op.aligned && !other.op.counted);
        if let Some(stray) = stray {
            let other = self.who(env, stray.thread);
            return Err(Box::new(Trouble::Clash(FaultKind::BarrierDiverged { barrier }, other)));
        }
        let count = arrivals.iter().filter(|arrival| arrival.predicate).count();
        let waited = arrivals.iter().filter(|arrival| arrival.past.is_none());
        let met: Vec<u32> = waited.map(|arrival| arrival.thread).collect();
        let gone_on = arrivals.iter().filter_map(|arrival| Some((arrival.thread, arrival.past.as_ref()?)));
        self.order_after(&met, gone_on);
        for arrival in &arrivals {
            let thread = &mut self.threads[arrival.thread as usize];
            match arrival.op.kind {
                BarrierKind::Sync => {}
                BarrierKind::Arrive => continue,
                BarrierKind::Count => thread.write(arrival.result, count as u64),
                BarrierKind::And => thread.write(arrival.result, u64::from(count == arrivals.len())),
                BarrierKind::Or => thread.write(arrival.result, u64::from(count > 0)),
            }
            thread.state = State::Ready;
            self.ready.push(arrival.thread);
        }
        env.report.barriers += 1;
        Ok(())
    }

    /// Lets each of `met` know the clocks of all of them.
    pub(super) fn synchronise(&mut self, met: &[u32]) {
        self.order_after(met, std::iter::empty());
    }

    /// Lets each of `met` know the clocks of all of them, and those that others had when they went on.
    fn order_after<'p>(&mut self, met: &[u32], gone_on: impl Iterator<Item = (u32, &'p Past)>) {
        let mut joined = vec![0; self.threads.len()];
        let mut foreign = Rc::<Foreign>::default();
        let mut join = |known: &Rc<[u32]>| {
            for (mine, theirs) in joined.iter_mut().zip(known.iter()) {
                *mine = (*theirs).max(*mine);
            }
        };
        let mut last: Option<Rc<[u32]>> = None;
        for index in met {
            let thread = &self.threads[*index as usize];
            join_foreign(&mut foreign, &thread.foreign);
            // Those who met before share what they know.
            if !last.as_ref().is_some_and(|last| Rc::ptr_eq(last, &thread.known)) {
                join(&thread.known);
                last = Some(Rc::clone(&thread.known));
            }
        }
        let mut clocks = Vec::new();
        for (index, past) in gone_on {
            join(&past.known);
            join_foreign(&mut foreign, &past.foreign);
            clocks.push((index, past.clock));
        }
        for (index, clock) in clocks {
            joined[index as usize] = clock.max(joined[index as usize]);
        }
        for index in met {
            let thread = &mut self.threads[*index as usize];
            joined[*index as usize] = thread.clock;
            thread.clock += 1;
        }
        let joined: Rc<[u32]> = joined.into();
        for index in met {
            self.threads[*index as usize].known = Rc::clone(&joined);
            self.threads[*index as usize].foreign = Rc::clone(&foreign);
        }
    }
}
