//! Operands to slots, and the dispatch over opcodes.

use super::body::{Body, Lowered};
use super::frame::Entity;
use crate::code::Special;
use crate::compute::{self, Modifiers, NEGATED_PREDICATE, Pure};
use crate::error::ParseErrorKind;
use crate::instruction::{Action, Clock, SINK, Slots};
use crate::syntax::ast::{Instruction, Operand};
use crate::types::Type;

/// An operand that turned out to be something that has to be computed.
pub(super) enum Value {
    Slot(u32),
    Clock(Clock),
    LocalAddress(u32),
    ParamAddress(u32),
}

pub(super) fn wrong_operands(opcode: &str, reason: impl Into<String>) -> ParseErrorKind {
    ParseErrorKind::Operands { instruction: opcode.to_owned(), reason: reason.into() }
}

impl<'a> Body<'a, '_> {
    /// Finds the lowering for an opcode.
    pub(super) fn lower_opcode(&mut self, instruction: &Instruction<'a>) -> Result<Lowered, ParseErrorKind> {
        let mut m = Modifiers::new(&instruction.opcode);
        let operands = &instruction.operands;
        self.lowerer.gpu.map_or(Ok(()), |gpu| gpu.check(m.full()))?;
        let found = match m.name {
            "mov" | "cvta" | "isspacep" => Some(self.lower_move(&mut m, operands)?),
            "ld" | "ldu" | "st" | "atom" | "red" | "cp" | "prefetch" | "prefetchu" => {
                Some(self.lower_memory(&mut m, operands)?)
            }
            "bra" | "brx" | "call" | "ret" | "exit" | "trap" | "brkpt" | "bar" | "barrier" | "membar" | "fence"
            | "nanosleep" | "pmevent" | "applypriority" | "griddepcontrol" => {
                Some(self.lower_control(&mut m, operands)?)
            }
            "shfl" | "vote" | "match" | "redux" | "activemask" | "mma" | "ldmatrix" | "wgmma" => {
                Some(self.lower_warp(&mut m, operands)?)
            }
            _ => None,
        };
        if let Some(lowered) = found {
            m.finish()?;
            return Ok(lowered);
        }
        match compute::decode(&mut m)? {
            Some(pure) => self.bind(&m, pure, operands),
            None => Err(ParseErrorKind::UnknownInstruction(m.full().to_owned())),
        }
    }

    /// Gives an instruction over registers its slots.
    fn bind(&mut self, m: &Modifiers, pure: Pure, operands: &[Operand<'a>]) -> Result<Lowered, ParseErrorKind> {
        let sources = usize::from(pure.sources);
        if operands.len() != sources + 1 {
            return Err(wrong_operands(
                m.full(),
                format!("it takes {} operands, and {} are given", sources + 1, operands.len()),
            ));
        }
        let mut slots = Slots { e: SINK, m: pure.mode, ..Slots::default() };
        match &operands[0] {
            Operand::Pair(first, second) if pure.destinations == 2 => {
                slots.d = self.register(first)?;
                slots.e = self.register(second)?;
            }
            Operand::Name(name, None) => slots.d = self.register(name)?,
            _ => return Err(wrong_operands(m.full(), "the result goes to a register")),
        }
        for (index, operand) in operands[1..].iter().enumerate() {
            let slot = match operand {
                Operand::Not(name) if index == 2 && pure.negatable => {
                    slots.m |= NEGATED_PREDICATE;
                    self.register(name)?
                }
                _ => self.source(operand, if index == 2 { pure.third } else { pure.ty }, m.full())?,
            };
            match index {
                0 => slots.a = slot,
                1 => slots.b = slot,
                2 => slots.c = slot,
                _ => slots.m = slot,
            }
        }
        Ok(Lowered::new(Action::Compute(pure.run), slots, pure.class))
    }

    /// The slot of a source that stays the same while the thread runs.
    pub(super) fn source(&mut self, operand: &Operand<'a>, ty: Type, opcode: &str) -> Result<u32, ParseErrorKind> {
        match self.value(operand, ty, opcode)? {
            Value::Slot(slot) => Ok(slot),
            _ => Err(wrong_operands(opcode, "this value has to be moved to a register first")),
        }
    }

    pub(super) fn value(&mut self, operand: &Operand<'a>, ty: Type, opcode: &str) -> Result<Value, ParseErrorKind> {
        let bits = match operand {
            Operand::Name(name, component) => return self.named_value(name, *component, 0),
            Operand::Sum(name, offset) => return self.named_value(name, None, *offset),
            Operand::Integer(value) => match ty {
                Type::F32 => u64::from((*value as i64 as f32).to_bits()),
                Type::F64 => (*value as i64 as f64).to_bits(),
                _ => *value,
            },
            Operand::Decimal(value) if ty == Type::F32 => u64::from((*value as f32).to_bits()),
            Operand::Decimal(value) if ty == Type::F64 => value.to_bits(),
            Operand::Float32(bits) if ty.bytes() == 4 => u64::from(*bits),
            Operand::Float64(bits) if ty == Type::F32 => u64::from((f64::from_bits(*bits) as f32).to_bits()),
            Operand::Float64(bits) if ty.bytes() == 8 => *bits,
            Operand::Decimal(_) | Operand::Float32(_) | Operand::Float64(_) => {
                return Err(wrong_operands(
                    opcode,
                    format!("`{ty}` has no such constants; write its bits as an integer"),
                ));
            }
            _ => return Err(wrong_operands(opcode, "a register or a constant is needed here")),
        };
        Ok(Value::Slot(self.frame.constant(bits)?))
    }

    fn named_value(&mut self, name: &'a str, component: Option<&str>, offset: i64) -> Result<Value, ParseErrorKind> {
        let unknown = || ParseErrorKind::UnknownName(name.to_owned());
        if let Some(entity) = self.frame.lookup(name)? {
            return Ok(match entity {
                Entity::Register(Some(slot), _) if component.is_none() && offset == 0 => Value::Slot(slot),
                Entity::Shared(id) => Value::Slot(self.shared_address(id, offset)?),
                Entity::Local(at) => Value::LocalAddress(at.wrapping_add(offset as u32)),
                Entity::Param(at, _) => Value::ParamAddress(at.wrapping_add(offset as u32)),
                _ => return Err(unknown()),
            });
        }
        if let Some(symbol) = self.lowerer.symbols.get(name).copied() {
            return Ok(Value::Slot(self.symbol_address(name, symbol, offset)?));
        }
        match special(name, component) {
            Some(Value::Slot(code)) => Ok(Value::Slot(code)),
            Some(value) => Ok(value),
            None => match constant_special(name, component) {
                Some(special) => Ok(Value::Slot(self.frame.special(special)?)),
                None => Err(unknown()),
            },
        }
    }

    /// The address of a shared variable in its own space.
    pub(super) fn shared_address(&mut self, id: u32, offset: i64) -> Result<u32, ParseErrorKind> {
        self.lowerer.code.functions[self.number as usize].shared.insert(id);
        let address = crate::memory::shared_address(id).wrapping_add_signed(offset);
        self.frame.constant(address)
    }

    pub(super) fn symbol_address(
        &mut self,
        name: &str,
        symbol: super::Symbol,
        offset: i64,
    ) -> Result<u32, ParseErrorKind> {
        match symbol {
            super::Symbol::Shared(id) => self.shared_address(id, offset),
            super::Symbol::Function(id) => {
                // Whoever takes the address may call it.
                self.lowerer.code.functions[self.number as usize].callees.insert(id);
                self.frame.address(crate::code::Target::Function(id), offset)
            }
            super::Symbol::Global(id) => self.frame.address(crate::code::Target::Global(id), offset),
            super::Symbol::External => Err(ParseErrorKind::Limit(format!(
                "`{name}` is `.extern` and this module does not define it; compile it into the same module"
            ))),
        }
    }
}

/// Special registers that change while a thread runs.
fn special(name: &str, component: Option<&str>) -> Option<Value> {
    if component.is_some() {
        return None;
    }
    Some(Value::Clock(match name {
        "%clock" => Clock::Low,
        "%clock_hi" => Clock::High,
        "%clock64" => Clock::Full,
        "%globaltimer" => Clock::Nanoseconds,
        "%globaltimer_lo" => Clock::NanosecondsLow,
        "%globaltimer_hi" => Clock::High,
        _ => return None,
    }))
}

fn constant_special(name: &str, component: Option<&str>) -> Option<Special> {
    let axis = match component {
        None => None,
        Some("x") => Some(0),
        Some("y") => Some(1),
        Some("z") => Some(2),
        Some(_) => return None,
    };
    Some(match (name, axis) {
        ("%tid", Some(axis)) => Special::Thread(axis),
        ("%ntid", Some(axis)) => Special::Threads(axis),
        ("%ctaid", Some(axis)) => Special::Block(axis),
        ("%nctaid", Some(axis)) => Special::Blocks(axis),
        // Without clusters, every block is a cluster of its own.
        ("%clusterid", Some(axis)) => Special::Block(axis),
        ("%nclusterid", Some(axis)) => Special::Blocks(axis),
        ("%cluster_ctaid", Some(_)) => Special::Constant(0),
        ("%cluster_nctaid", Some(_)) => Special::Constant(1),
        ("%laneid", None) => Special::Lane,
        ("%warpid", None) => Special::Warp,
        ("%nwarpid", None) => Special::Warps,
        ("WARP_SZ", None) => Special::Constant(32),
        ("%lanemask_eq", None) => Special::LaneMaskEq,
        ("%lanemask_le", None) => Special::LaneMaskLe,
        ("%lanemask_lt", None) => Special::LaneMaskLt,
        ("%lanemask_ge", None) => Special::LaneMaskGe,
        ("%lanemask_gt", None) => Special::LaneMaskGt,
        ("%dynamic_smem_size", None) => Special::DynamicShared,
        ("%total_smem_size", None) => Special::TotalShared,
        ("%smid" | "%gridid" | "%cluster_ctarank" | "%is_explicit_cluster", None) => Special::Constant(0),
        ("%nsmid" | "%cluster_nctarank", None) => Special::Constant(1),
        _ => return None,
    })
}
