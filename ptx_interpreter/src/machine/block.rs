//! One block: whose turn it is, and what to say when nobody can go on.

use super::Env;
use super::barrier::Arrival;
use super::products::Begun;
use super::random::Random;
use super::step::{self, Stop};
use super::thread::{State, Thread};
use super::warp::Warp;
use crate::fault::FaultKind;
use crate::instruction::AccessFlags;
use crate::memory::Trouble;
use crate::memory::shadow::Who;
use std::rc::Rc;

/// Trouble, and the thread that is in it.
pub(crate) type Blamed = (Box<Trouble>, Who);

pub(crate) struct Block {
    pub(crate) threads: Vec<Thread>,
    /// Threads that can run.
    pub(crate) ready: Vec<u32>,
    pub(crate) barriers: [Vec<Arrival>; 16],
    pub(crate) warps: Vec<Warp>,
    /// What the warps of each warpgroup have to begin.
    pub(super) begun: Vec<Vec<Begun>>,
}

impl Block {
    pub(crate) fn new(threads: u32) -> Self {
        Self {
            threads: (0..threads).map(Thread::new).collect(),
            ready: Vec::new(),
            barriers: Default::default(),
            warps: Vec::new(),
            begun: Vec::new(),
        }
    }

    /// Runs a block from its start to the exit of its last thread.
    pub(crate) fn run(&mut self, env: &mut Env, random: &mut Random) -> Result<(), Blamed> {
        let nothing: Rc<[u32]> = vec![0; self.threads.len()].into();
        for thread in &mut self.threads {
            thread.start(env, &nothing);
        }
        let threads = self.threads.len() as u32;
        self.ready = (0..threads).collect();
        self.warps = (0..threads.div_ceil(32)).map(|warp| Warp::new(threads - warp * 32)).collect();
        self.begun = vec![Vec::new(); threads.div_ceil(128) as usize];
        for arrivals in &mut self.barriers {
            arrivals.clear();
        }
        while !self.ready.is_empty() {
            let at = random.below(self.ready.len());
            self.turn(env, random, at)?;
        }
        if self.threads.iter().any(|thread| thread.state != State::Exited) {
            return Err(self.stuck(env));
        }
        self.missed_product(env).map_or(Ok(()), Err)
    }

    fn turn(&mut self, env: &mut Env, random: &mut Random, at: usize) -> Result<(), Blamed> {
        let index = self.ready[at];
        let thread = &mut self.threads[index as usize];
        let left = env.budget - env.executed;
        let stop = step::run(env, thread, random.slice().min(left));
        let who = thread.who(env, AccessFlags::default());
        let stop = match stop {
            Ok(stop) => stop,
            Err(trouble) => return Err((trouble, who)),
        };
        let waits = match stop {
            Stop::Turn => {
                if env.executed >= env.budget {
                    // The instruction that would have come next; the last one may have been a jump.
                    let who = Who { pc: thread.pc, ..who };
                    return Err((FaultKind::BudgetExceeded { budget: env.budget }.into(), who));
                }
                return Ok(());
            }
            Stop::Exit => {
                thread.state = State::Exited;
                true
            }
            Stop::Barrier(number) => return self.arrive(env, at, number).map_err(|trouble| (trouble, who)),
            Stop::Warp(number) => {
                thread.state = State::Warp;
                self.meet(env, index, number).map_err(|trouble| (trouble, who))?;
                true
            }
        };
        if waits {
            self.ready.swap_remove(at);
        }
        self.settle(env, index).map_err(|(trouble, lane)| (trouble, lane.unwrap_or(who)))
    }

    pub(crate) fn who(&self, env: &Env, thread: u32) -> Who {
        self.threads[thread as usize].who(env, AccessFlags::default())
    }

    /// What a thread is doing, for those who wait for it.
    pub(crate) fn excuse(&self, thread: u32) -> &'static str {
        match self.threads[thread as usize].state {
            State::Exited => "has exited",
            State::Barrier => "waits at a barrier",
            State::Warp => "waits in another warp operation",
            State::Ready => "is elsewhere",
        }
    }

    /// Nobody can run, and not all have exited: somebody waits for what never comes.
    fn stuck(&self, env: &Env) -> Blamed {
        if let Some(blamed) = self.stuck_in_warp(env) {
            return blamed;
        }
        let fullest = (0..16).max_by_key(|number| self.barriers[*number as usize].len()).unwrap_or(0);
        let arrivals = &self.barriers[fullest as usize];
        let waiting = arrivals.len() as u32;
        let wanted = arrivals.first().map_or(0, |arrival| arrival.wanted);
        let missing = (0..self.threads.len() as u32)
            .find(|index| arrivals.iter().all(|arrival| arrival.thread != *index))
            .unwrap_or(0);
        let reason = match self.threads[missing as usize].state {
            State::Exited => "have exited",
            State::Barrier => "wait at another barrier",
            _ => "wait in a warp operation",
        };
        let kind =
            FaultKind::BarrierNotReached { barrier: fullest, waiting, missing: wanted.saturating_sub(waiting), reason };
        let first = arrivals.first().map_or(0, |arrival| arrival.thread);
        let other = self.who(env, missing);
        (Box::new(Trouble::Clash(kind, other)), self.who(env, first))
    }
}
