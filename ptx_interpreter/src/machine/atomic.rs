//! Atomic operations.

use super::Env;
use super::access::{effective, from_bytes, locate, to_bytes};
use super::thread::Thread;
use crate::compute::half::{bf16_to_f64, f16_to_f64, f64_to_bf16, f64_to_f16};
use crate::compute::{Round, Slot, flush};
use crate::fault::AccessKind;
use crate::instruction::{AtomicKind, AtomicOp, Place, Slots};
use crate::memory::{Outcome, space_of};
use crate::types::{Space, Type};

pub(crate) fn atomic(env: &mut Env, thread: &mut Thread, op: AtomicOp, s: Slots) -> Outcome<()> {
    let address = effective(thread, op.memory, s.a);
    let (operand, other, base) = (thread.read(s.b), thread.read(s.c), thread.base);
    // On global memory, f32 sums flush subnormals; on shared memory they do not.
    let flushes = match op.memory.place {
        Place::Generic => space_of(address) == Space::Global,
        place => place == Place::Global,
    };
    let (bytes, registers) = locate(env, thread, op.memory, address, AccessKind::Atomic)?;
    let width = usize::from(op.memory.width);
    let old = from_bytes(bytes, width);
    let new = match op.kind {
        AtomicKind::Exchange => operand,
        AtomicKind::CompareSwap if old == operand & (u64::MAX >> (64 - 8 * width)) => other,
        AtomicKind::CompareSwap => old,
        AtomicKind::And => old & operand,
        AtomicKind::Or => old | operand,
        AtomicKind::Xor => old ^ operand,
        AtomicKind::Add => add(op.ty, old, operand, flushes),
        AtomicKind::Min | AtomicKind::Max => extremum(op.ty, old, operand, op.kind == AtomicKind::Max),
        AtomicKind::Inc => {
            let (old, limit) = (old as u32, operand as u32);
            u64::from(if old >= limit { 0 } else { old + 1 })
        }
        AtomicKind::Dec => {
            let (old, limit) = (old as u32, operand as u32);
            u64::from(if old == 0 || old > limit { limit } else { old - 1 })
        }
    };
    to_bytes(bytes, width, new);
    if op.returns {
        registers[base + s.d as usize] = old;
    }
    Ok(())
}

fn add(ty: Type, a: u64, b: u64, flushes: bool) -> u64 {
    let half = |value: u64, shift: u32| (value >> shift) as u16;
    let sum16 = |a: u16, b: u16| u64::from(f64_to_f16(f16_to_f64(a) + f16_to_f64(b), Round::Nearest));
    let sum_bf16 = |a: u16, b: u16| u64::from(f64_to_bf16(bf16_to_f64(a) + bf16_to_f64(b), Round::Nearest));
    match ty {
        Type::F32 => {
            let (mut a, mut b) = (f32::from_bits(a as u32), f32::from_bits(b as u32));
            if flushes {
                (a, b) = (flush(a), flush(b));
            }
            let sum = a + b;
            if flushes { flush(sum) } else { sum }.put()
        }
        Type::F64 => (f64::from_bits(a) + f64::from_bits(b)).to_bits(),
        Type::F16 => sum16(half(a, 0), half(b, 0)),
        Type::F16x2 => sum16(half(a, 0), half(b, 0)) | sum16(half(a, 16), half(b, 16)) << 16,
        Type::BF16 => sum_bf16(half(a, 0), half(b, 0)),
        Type::BF16x2 => sum_bf16(half(a, 0), half(b, 0)) | sum_bf16(half(a, 16), half(b, 16)) << 16,
        _ => a.wrapping_add(b),
    }
}

fn extremum(ty: Type, a: u64, b: u64, largest: bool) -> u64 {
    let a_first = match ty {
        Type::S32 => (a as i32) < (b as i32),
        Type::S64 => (a as i64) < (b as i64),
        Type::U64 | Type::B64 => a < b,
        _ => (a as u32) < (b as u32),
    };
    if a_first == largest { b } else { a }
}
