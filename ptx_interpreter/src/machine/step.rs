//! The loop that everything else is built around.

use super::Env;
use super::thread::Thread;
use super::{access, atomic, copies, products};
use crate::fault::FaultKind;
use crate::instruction::{Action, Clock, Place, Slots, UNGUARDED};
use crate::memory::{FUNCTION_WINDOW, LOCAL_WINDOW, Outcome, PARAM_WINDOW};

/// Why a thread gave up its turn.
pub(crate) enum Stop {
    Turn,
    Barrier(u32),
    Warp(u32),
    Exit,
}

/// Runs up to `steps` instructions of a thread.
pub(crate) fn run(env: &mut Env, thread: &mut Thread, steps: u64) -> Outcome<Stop> {
    let mut left = steps;
    let outcome = run_counted(env, thread, &mut left);
    env.executed += steps - left;
    outcome
}

fn run_counted(env: &mut Env, thread: &mut Thread, left: &mut u64) -> Outcome<Stop> {
    let (code, steps) = (env.code, *left);
    while *left > 0 {
        *left -= 1;
        let pc = thread.pc as usize;
        let inst = &code.insts[pc];
        env.counts[pc] += 1;
        thread.pc += 1;
        let registers = &mut thread.registers[thread.base..];
        if inst.guard != UNGUARDED {
            let predicate = registers[(inst.guard >> 1) as usize] as u32 & 1;
            if predicate == inst.guard & 1 {
                continue;
            }
        }
        let slots = inst.slots;
        if !thread.watched.is_empty() {
            products::watch(code, thread, inst)?;
        }
        let registers = &mut thread.registers[thread.base..];
        match inst.action {
            Action::Compute(run) => run(registers, slots),
            Action::Jump(target) => thread.pc = target,
            Action::Load(op) => access::load(env, thread, op, slots)?,
            Action::Store(op) => access::store(env, thread, op, slots)?,
            Action::Atomic(number) => atomic::atomic(env, thread, code.atomics[number as usize], slots)?,
            Action::CopyAsync(op) => copies::begin(env, thread, op, slots)?,
            Action::CopyCommit => thread.copies.commit(),
            Action::CopyWait(pending) => copies::wait(env, thread, pending)?,
            Action::FrameAddress(place, offset) => frame_address(thread, place, offset, slots),
            Action::Clock(clock) => {
                let value = read_clock(env.executed + steps - *left, thread.index, clock);
                thread.write(slots.d, value);
            }
            Action::JumpTable(table) => jump_through(env, thread, table, slots)?,
            Action::Call(number) => call(env, thread, number, slots)?,
            Action::Return if thread.leave(env) => {}
            Action::Return | Action::Exit => return Ok(Stop::Exit),
            Action::Trap => return Err(FaultKind::Trap.into()),
            Action::Barrier(number) => return Ok(Stop::Barrier(number)),
            Action::Warp(number) => return Ok(Stop::Warp(number)),
            Action::Fence(device) => thread.fence(env.number, device),
            Action::Publish => thread.publish(),
            Action::Nothing => {}
        }
    }
    Ok(Stop::Turn)
}

fn frame_address(thread: &mut Thread, place: Place, offset: u32, s: Slots) {
    let local = u64::from(thread.stack.frame.wrapping_add(offset));
    let param = (thread.params.base as u64).wrapping_add(u64::from(offset));
    let address = match place {
        Place::Local => local,
        Place::LocalFrame => LOCAL_WINDOW + local,
        Place::Param => param,
        _ => PARAM_WINDOW + param,
    };
    thread.write(s.d, address);
}

fn read_clock(executed: u64, index: u32, clock: Clock) -> u64 {
    match clock {
        Clock::Low | Clock::NanosecondsLow => executed & 0xFFFF_FFFF,
        Clock::High => executed >> 32,
        Clock::Full | Clock::Nanoseconds => executed,
        // Nothing promises that other lanes are here at the same time.
        Clock::ActiveMask => 1 << (index % 32),
    }
}

fn jump_through(env: &Env, thread: &mut Thread, table: u32, s: Slots) -> Outcome<()> {
    let targets = &env.code.tables[table as usize];
    let index = thread.read(s.a) & 0xFFFF_FFFF;
    match targets.get(index as usize) {
        Some(target) => {
            thread.pc = *target;
            Ok(())
        }
        None => Err(FaultKind::BranchIndex { index, targets: targets.len() }.into()),
    }
}

fn call(env: &Env, thread: &mut Thread, number: u32, s: Slots) -> Outcome<()> {
    let function = match env.code.calls[number as usize].function {
        Some(function) => function,
        None => {
            let address = thread.read(s.a);
            let index = address.wrapping_sub(FUNCTION_WINDOW) / 16;
            if index >= env.code.functions.len() as u64 {
                return Err(FaultKind::MissingFunction(format!("{address:#x}")).into());
            }
            index as u32
        }
    };
    thread.call(env, number, function)
}
