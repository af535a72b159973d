//! `mov`, `cvta` and `isspacep`.

use super::body::{Body, Lowered};
use super::operands::{Value, wrong_operands};
use crate::compute::{Modifiers, copy};
use crate::error::ParseErrorKind;
use crate::instruction::{Action, Compute, Place, Slots};
use crate::memory::{LOCAL_WINDOW, PARAM_WINDOW, SHARED_WINDOW, space_of};
use crate::report::OpcodeClass::Move;
use crate::syntax::ast::Operand;
use crate::types::{Space, Type};

impl<'a> Body<'a, '_> {
    pub(super) fn lower_move(
        &mut self,
        m: &mut Modifiers,
        operands: &[Operand<'a>],
    ) -> Result<Lowered, ParseErrorKind> {
        let [result, source] = operands else {
            return Err(wrong_operands(m.full(), "it takes a result and a source"));
        };
        match m.name {
            "mov" => self.mov(m, result, source),
            "cvta" => self.convert_address(m, result, source),
            _ => self.is_space(m, result, source),
        }
    }

    pub(super) fn result(&mut self, operand: &Operand<'a>, opcode: &str) -> Result<u32, ParseErrorKind> {
        match operand {
            Operand::Name(name, None) => self.register(name),
            _ => Err(wrong_operands(opcode, "the result goes to a register")),
        }
    }

    fn mov(
        &mut self,
        m: &mut Modifiers,
        result: &Operand<'a>,
        source: &Operand<'a>,
    ) -> Result<Lowered, ParseErrorKind> {
        let ty = m.ty()?;
        if let Operand::Vector(parts) = result {
            return self.unpack(m, ty, parts, source);
        }
        let d = self.result(result, m.full())?;
        if let Operand::Vector(parts) = source {
            return self.pack(m, ty, d, parts);
        }
        let mut slots = Slots { d, ..Slots::default() };
        let action = match self.value(source, ty, m.full())? {
            Value::Slot(a) => {
                slots.a = a;
                Action::Compute(copy(ty).ok_or_else(|| m.unknown(ty.name()))?)
            }
            Value::Clock(clock) => Action::Clock(clock),
            Value::LocalAddress(offset) => Action::FrameAddress(Place::Local, offset),
            Value::ParamAddress(offset) => Action::FrameAddress(Place::Param, offset),
        };
        Ok(Lowered::new(action, slots, Move))
    }

    /// `mov.b64 {a, b}, x`
    fn unpack(
        &mut self,
        m: &Modifiers,
        ty: Type,
        parts: &[Operand<'a>],
        source: &Operand<'a>,
    ) -> Result<Lowered, ParseErrorKind> {
        let a = self.source(source, ty, m.full())?;
        let mut slots = Slots { a, ..Slots::default() };
        let run: Compute = match (ty.bytes(), parts.len()) {
            (8, 2) => |r, s| unpack_parts(r, s, 2, 32),
            (8, 4) => |r, s| unpack_parts(r, s, 4, 16),
            (4, 2) => |r, s| unpack_parts(r, s, 2, 16),
            (4, 4) => |r, s| unpack_parts(r, s, 4, 8),
            (2, 2) => |r, s| unpack_parts(r, s, 2, 8),
            _ => return Err(wrong_operands(m.full(), "the parts do not fill the value")),
        };
        let [d, e, b, c] = self.part_slots(parts, |body, part| body.result(part, m.full()))?;
        (slots.d, slots.e, slots.b, slots.c) = (d, e, b, c);
        Ok(Lowered::new(Action::Compute(run), slots, Move))
    }

    /// `mov.b64 x, {a, b}`
    fn pack(&mut self, m: &Modifiers, ty: Type, d: u32, parts: &[Operand<'a>]) -> Result<Lowered, ParseErrorKind> {
        let run: Compute = match (ty.bytes(), parts.len()) {
            (8, 2) => |r, s| pack_parts(r, s, 2, 32),
            (8, 4) => |r, s| pack_parts(r, s, 4, 16),
            (4, 2) => |r, s| pack_parts(r, s, 2, 16),
            (4, 4) => |r, s| pack_parts(r, s, 4, 8),
            (2, 2) => |r, s| pack_parts(r, s, 2, 8),
            _ => return Err(wrong_operands(m.full(), "the parts do not fill the value")),
        };
        let [a, b, c, e] = self.part_slots(parts, |body, part| body.source(part, Type::B32, m.full()))?;
        Ok(Lowered::new(Action::Compute(run), Slots { d, e, a, b, c, m: 0 }, Move))
    }

    fn part_slots(
        &mut self,
        parts: &[Operand<'a>],
        slot: impl Fn(&mut Self, &Operand<'a>) -> Result<u32, ParseErrorKind>,
    ) -> Result<[u32; 4], ParseErrorKind> {
        let mut slots = [0; 4];
        for (place, part) in slots.iter_mut().zip(parts) {
            *place = slot(self, part)?;
        }
        Ok(slots)
    }

    fn convert_address(
        &mut self,
        m: &mut Modifiers,
        result: &Operand<'a>,
        source: &Operand<'a>,
    ) -> Result<Lowered, ParseErrorKind> {
        let to_space = m.take("to");
        let space = m.find(Space::from_name).ok_or_else(|| m.missing("a state space"))?;
        let ty = m.ty()?;
        let d = self.result(result, m.full())?;
        let window = match space {
            Space::Shared => SHARED_WINDOW,
            Space::Local => LOCAL_WINDOW,
            Space::Param => PARAM_WINDOW,
            _ => 0,
        };
        let action = |to_space: bool| -> Compute {
            if to_space {
                |r, s| r[s.d as usize] = r[s.a as usize].wrapping_sub(r[s.b as usize])
            } else {
                |r, s| r[s.d as usize] = r[s.a as usize].wrapping_add(r[s.b as usize])
            }
        };
        let b = self.frame.constant(window)?;
        let a = match self.value(source, ty, m.full())? {
            Value::Slot(a) => a,
            // An address of the frame, made generic in one step.
            Value::LocalAddress(offset) if !to_space => {
                let slots = Slots { d, ..Slots::default() };
                return Ok(Lowered::new(Action::FrameAddress(Place::LocalFrame, offset), slots, Move));
            }
            Value::ParamAddress(offset) if !to_space => {
                let slots = Slots { d, ..Slots::default() };
                return Ok(Lowered::new(Action::FrameAddress(Place::ParamFrame, offset), slots, Move));
            }
            _ => return Err(wrong_operands(m.full(), "a register or a variable is needed")),
        };
        let slots = Slots { d, a, b, ..Slots::default() };
        Ok(Lowered::new(Action::Compute(action(to_space)), slots, Move))
    }

    fn is_space(
        &mut self,
        m: &mut Modifiers,
        result: &Operand<'a>,
        source: &Operand<'a>,
    ) -> Result<Lowered, ParseErrorKind> {
        let space = m.find(Space::from_name).ok_or_else(|| m.missing("a state space"))?;
        let d = self.result(result, m.full())?;
        let a = self.source(source, Type::U64, m.full())?;
        let run: Compute = match space {
            Space::Shared => |r, s| r[s.d as usize] = u64::from(space_of(r[s.a as usize]) == Space::Shared),
            Space::Local => |r, s| r[s.d as usize] = u64::from(space_of(r[s.a as usize]) == Space::Local),
            Space::Param => |r, s| r[s.d as usize] = u64::from(space_of(r[s.a as usize]) == Space::Param),
            Space::Global => |r, s| r[s.d as usize] = u64::from(space_of(r[s.a as usize]) == Space::Global),
            _ => return Err(m.unknown(space.name())),
        };
        Ok(Lowered::new(Action::Compute(run), Slots { d, a, ..Slots::default() }, Move))
    }
}

fn unpack_parts(r: &mut [u64], s: Slots, count: usize, bits: u32) {
    let value = r[s.a as usize];
    for (index, slot) in [s.d, s.e, s.b, s.c].into_iter().take(count).enumerate() {
        r[slot as usize] = value >> (bits * index as u32) & (u64::MAX >> (64 - bits));
    }
}

fn pack_parts(r: &mut [u64], s: Slots, count: usize, bits: u32) {
    let mut value = 0;
    for (index, slot) in [s.a, s.b, s.c, s.e].into_iter().take(count).enumerate() {
        value |= (r[slot as usize] & (u64::MAX >> (64 - bits))) << (bits * index as u32);
    }
    r[s.d as usize] = value;
}
