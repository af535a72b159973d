//! Loads and stores: from an address to the bytes, through every check.

use super::Env;
use super::order;
use super::thread::{Params, Stack, Thread};
use crate::fault::{AccessKind, FaultKind};
use crate::instruction::{AccessFlags, MemoryOp, Place, Slots};
use crate::memory::region::{Region, misaligned};
use crate::memory::{Access, LOCAL_WINDOW, Outcome, PARAM_WINDOW, SHARED_SPAN_BITS, SHARED_WINDOW, space_of};
use crate::types::Space;

pub(crate) fn load(env: &mut Env, thread: &mut Thread, op: MemoryOp, s: Slots) -> Outcome<()> {
    let code = env.code;
    let address = effective(thread, op, s.a);
    let base = thread.base;
    let (bytes, registers) = locate(env, thread, op, address, AccessKind::Read)?;
    let width = usize::from(op.width);
    let signed = op.flags.has(AccessFlags::SIGNED);
    if op.count == 1 {
        registers[base + s.d as usize] = extend(from_bytes(bytes, width), width, signed);
        return Ok(());
    }
    let slots = &code.vectors[s.d as usize..s.d as usize + usize::from(op.count)];
    for (slot, element) in slots.iter().zip(bytes.chunks_exact(width)) {
        registers[base + *slot as usize] = extend(from_bytes(element, width), width, signed);
    }
    Ok(())
}

pub(crate) fn store(env: &mut Env, thread: &mut Thread, op: MemoryOp, s: Slots) -> Outcome<()> {
    let code = env.code;
    let address = effective(thread, op, s.a);
    let base = thread.base;
    let (bytes, registers) = locate(env, thread, op, address, AccessKind::Write)?;
    let width = usize::from(op.width);
    if op.count == 1 {
        to_bytes(bytes, width, registers[base + s.d as usize]);
        return Ok(());
    }
    let slots = &code.vectors[s.d as usize..s.d as usize + usize::from(op.count)];
    for (slot, element) in slots.iter().zip(bytes.chunks_exact_mut(width)) {
        to_bytes(element, width, registers[base + *slot as usize]);
    }
    Ok(())
}

#[inline]
pub(crate) fn effective(thread: &Thread, op: MemoryOp, slot: u32) -> u64 {
    thread.read(slot).wrapping_add(i64::from(op.offset) as u64)
}

#[inline]
pub(crate) fn from_bytes(bytes: &[u8], width: usize) -> u64 {
    match width {
        4 => bytes.first_chunk().map_or(0, |b| u64::from(u32::from_le_bytes(*b))),
        8 => bytes.first_chunk().map_or(0, |b| u64::from_le_bytes(*b)),
        2 => bytes.first_chunk().map_or(0, |b| u64::from(u16::from_le_bytes(*b))),
        _ => u64::from(bytes[0]),
    }
}

#[inline]
pub(crate) fn to_bytes(bytes: &mut [u8], width: usize, value: u64) {
    match width {
        4 => bytes[..4].copy_from_slice(&(value as u32).to_le_bytes()),
        8 => bytes[..8].copy_from_slice(&value.to_le_bytes()),
        2 => bytes[..2].copy_from_slice(&(value as u16).to_le_bytes()),
        _ => bytes[0] = value as u8,
    }
}

#[inline]
fn extend(value: u64, width: usize, signed: bool) -> u64 {
    if !signed {
        return value;
    }
    let unused = 64 - 8 * width as u32;
    ((value << unused) as i64 >> unused) as u64
}

/// Finds the bytes of an access and runs the checks; gives the thread's registers back beside them.
#[inline]
pub(crate) fn locate<'m>(
    env: &'m mut Env,
    thread: &'m mut Thread,
    op: MemoryOp,
    address: u64,
    kind: AccessKind,
) -> Outcome<(&'m mut [u8], &'m mut [u64])> {
    let who = thread.who(env, op.flags);
    let (space, address) = resolve(op.place, address);
    if op.flags.has(AccessFlags::STRONG) {
        order::strong_access(env, thread, kind, op.flags, (space, address));
    }
    let Thread { registers, stack, params, known, foreign, .. } = thread;
    let access = Access {
        kind,
        space,
        address,
        bytes: u32::from(op.width) * u32::from(op.count),
        width: op.width,
        unwanted: op.unwanted,
        who,
        known,
        foreign,
        races: env.checks.races,
        uninitialised: env.checks.uninitialised,
    };
    let counts = match kind {
        AccessKind::Read => &mut env.report.loads,
        _ => &mut env.report.stores,
    };
    counts[space as usize] += 1;
    let bytes = match space {
        Space::Shared => shared(env, &access)?,
        Space::Local => local(stack, &access, op.place)?,
        Space::Param => param(params, &access, op.place)?,
        _ => global(env, &access, op.place)?,
    };
    Ok((bytes, registers))
}

/// The space that an access goes to, and its address there.
#[inline]
pub(crate) fn resolve(place: Place, address: u64) -> (Space, u64) {
    match place {
        Place::Global => (Space::Global, address),
        Place::Shared => (Space::Shared, address),
        Place::Const => (Space::Const, address),
        Place::Local | Place::LocalFrame => (Space::Local, address),
        Place::Param | Place::ParamFrame => (Space::Param, address),
        Place::Generic => match space_of(address) {
            Space::Shared => (Space::Shared, address - SHARED_WINDOW),
            Space::Local => (Space::Local, address - LOCAL_WINDOW),
            Space::Param => (Space::Param, address - PARAM_WINDOW),
            space => (space, address),
        },
    }
}

#[cold]
fn out_of_bounds(access: &Access, nearest: String) -> Box<crate::memory::Trouble> {
    FaultKind::OutOfBounds {
        access: access.kind,
        space: access.space,
        address: access.address,
        bytes: access.bytes,
        nearest,
    }
    .into()
}

fn global<'m>(env: &'m mut Env, access: &Access, place: Place) -> Outcome<&'m mut [u8]> {
    let wrong_space = |constant: bool| (place == Place::Const) != constant && place != Place::Generic;
    let region = env.memory.region_mut(access.address).map_err(|nearest| out_of_bounds(access, nearest))?;
    if wrong_space(region.constant) {
        return Err(out_of_bounds(access, "it belongs to another state space".to_owned()));
    }
    let at = region.check(access)?;
    Ok(&mut region.bytes[at..at + access.bytes as usize])
}

/// The shared variable that an address of the shared space is meant for.
#[inline]
pub(crate) fn shared_region<'m>(env: &'m mut Env, address: u64) -> Option<&'m mut Region> {
    let id = (address >> SHARED_SPAN_BITS).wrapping_sub(1) as usize;
    env.shared.get_mut(id)?.as_mut()
}

fn shared<'m>(env: &'m mut Env, access: &Access) -> Outcome<&'m mut [u8]> {
    let Some(region) = shared_region(env, access.address) else {
        return Err(out_of_bounds(access, "no shared variable is near it".to_owned()));
    };
    let at = region.check(access)?;
    Ok(&mut region.bytes[at..at + access.bytes as usize])
}

fn local<'m>(stack: &'m mut Stack, access: &Access, place: Place) -> Outcome<&'m mut [u8]> {
    let mut address = access.address;
    if place == Place::LocalFrame {
        address = address.wrapping_add(u64::from(stack.frame));
    }
    if address & (u64::from(access.bytes) - 1) != 0 {
        return Err(misaligned(access));
    }
    let bytes = u64::from(access.bytes);
    let found = stack.spans.iter().rev().find_map(|span| {
        let offset = address.checked_sub(u64::from(span.start))?;
        (offset < u64::from(span.size) && bytes <= u64::from(span.size) - offset).then_some(span.at + offset as usize)
    });
    match found {
        Some(at) => Ok(&mut stack.bytes[at..at + bytes as usize]),
        None => Err(out_of_bounds(access, describe_local(stack, address))),
    }
}

fn describe_local(stack: &Stack, address: u64) -> String {
    let nearest = stack.spans.iter().min_by_key(|span| address.abs_diff(u64::from(span.start)));
    match nearest {
        Some(span) => format!(
            "it lies at byte {} of a stack variable of {} bytes",
            address.wrapping_sub(u64::from(span.start)) as i64,
            span.size
        ),
        None => "the thread has no stack variables".to_owned(),
    }
}

fn param<'m>(params: &'m mut Params, access: &Access, place: Place) -> Outcome<&'m mut [u8]> {
    let mut address = access.address;
    if place == Place::ParamFrame {
        address = address.wrapping_add(params.base as u64);
    }
    if access.address & (u64::from(access.bytes) - 1) != 0 {
        return Err(misaligned(access));
    }
    let len = params.bytes.len() as u64;
    let bytes = u64::from(access.bytes);
    if address > len || bytes > len - address {
        return Err(out_of_bounds(access, format!("the parameters have {len} bytes")));
    }
    Ok(&mut params.bytes[address as usize..(address + bytes) as usize])
}
