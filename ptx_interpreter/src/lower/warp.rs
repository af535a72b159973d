//! What the threads of a warp do together.

use super::body::{Body, Lowered};
use super::operands::wrong_operands;
use crate::compute::Modifiers;
use crate::error::ParseErrorKind;
use crate::instruction::{
    AccessFlags, Action, Clock, LoadMatrixOp, MatrixOp, MemoryOp, Place, Reduction, SINK, ShuffleMode, Slots, VoteMode,
    WarpOp,
};
use crate::report::OpcodeClass::{self, Matrix, Warp};
use crate::syntax::ast::Operand;
use crate::types::Type;

impl<'a> Body<'a, '_> {
    pub(super) fn lower_warp(
        &mut self,
        m: &mut Modifiers,
        operands: &[Operand<'a>],
    ) -> Result<Lowered, ParseErrorKind> {
        match m.name {
            "activemask" => {
                take_type(m, &[Type::B32])?;
                let [result] = operands else {
                    return Err(wrong_operands(m.full(), "it takes a result"));
                };
                let slots = Slots { d: self.result(result, m.full())?, ..Slots::default() };
                return Ok(Lowered::new(Action::Clock(Clock::ActiveMask), slots, Warp));
            }
            "mma" => return self.matrix(m, operands),
            "ldmatrix" => return self.load_matrix(m, operands),
            "wgmma" => return self.group_operation(m, operands),
            _ => {}
        }
        if !m.take("sync") {
            return Err(m.missing("`.sync`; without it the result is undefined since sm_70"));
        }
        match m.name {
            "shfl" => self.shuffle(m, operands),
            "vote" => self.vote(m, operands),
            "match" => self.match_lanes(m, operands),
            _ => self.reduce(m, operands),
        }
    }

    pub(super) fn warp_operation(&mut self, op: WarpOp, slots: Slots, class: OpcodeClass) -> Lowered {
        self.lowerer.code.warps.push(op);
        let number = self.lowerer.code.warps.len() as u32 - 1;
        Lowered::new(Action::Warp(number), slots, class)
    }

    pub(super) fn warp_sync(&mut self, m: &Modifiers, operands: &[Operand<'a>]) -> Result<Lowered, ParseErrorKind> {
        let [mask] = operands else {
            return Err(wrong_operands(m.full(), "it takes a mask"));
        };
        let slots = Slots { m: self.source(mask, Type::U32, m.full())?, ..Slots::default() };
        Ok(self.warp_operation(WarpOp::Sync, slots, OpcodeClass::Barrier))
    }

    /// A result, or a result and a predicate.
    fn results(&mut self, operand: &Operand<'a>, opcode: &str) -> Result<(u32, u32), ParseErrorKind> {
        match operand {
            Operand::Pair(value, predicate) => Ok((self.register(value)?, self.register(predicate)?)),
            other => Ok((self.result(other, opcode)?, SINK)),
        }
    }

    fn shuffle(&mut self, m: &mut Modifiers, operands: &[Operand<'a>]) -> Result<Lowered, ParseErrorKind> {
        let mode = m.find(|word| match word {
            "up" => Some(ShuffleMode::Up),
            "down" => Some(ShuffleMode::Down),
            "bfly" => Some(ShuffleMode::Butterfly),
            "idx" => Some(ShuffleMode::Index),
            _ => None,
        });
        let mode = mode.ok_or_else(|| m.missing("`.up`, `.down`, `.bfly` or `.idx`"))?;
        take_type(m, &[Type::B32])?;
        let [result, value, lane, clamp, mask] = operands else {
            return Err(wrong_operands(m.full(), "it takes a result, a value, a lane, a clamp and a mask"));
        };
        let (d, e) = self.results(result, m.full())?;
        let mut source = |operand| self.source(operand, Type::B32, m.full());
        let slots = Slots { d, e, a: source(value)?, b: source(lane)?, c: source(clamp)?, m: source(mask)? };
        Ok(self.warp_operation(WarpOp::Shuffle(mode), slots, Warp))
    }

    fn vote(&mut self, m: &mut Modifiers, operands: &[Operand<'a>]) -> Result<Lowered, ParseErrorKind> {
        let mode = m.find(|word| match word {
            "all" => Some(VoteMode::All),
            "any" => Some(VoteMode::Any),
            "uni" => Some(VoteMode::Uniform),
            "ballot" => Some(VoteMode::Ballot),
            _ => None,
        });
        let mode = mode.ok_or_else(|| m.missing("`.all`, `.any`, `.uni` or `.ballot`"))?;
        take_type(m, &[if mode == VoteMode::Ballot { Type::B32 } else { Type::Pred }])?;
        let [result, predicate, mask] = operands else {
            return Err(wrong_operands(m.full(), "it takes a result, a predicate and a mask"));
        };
        let d = self.result(result, m.full())?;
        let (a, negated) = match predicate {
            Operand::Not(name) => (self.register(name)?, true),
            other => (self.source(other, Type::Pred, m.full())?, false),
        };
        let slots = Slots { d, a, m: self.source(mask, Type::B32, m.full())?, ..Slots::default() };
        Ok(self.warp_operation(WarpOp::Vote(mode, negated), slots, Warp))
    }

    fn match_lanes(&mut self, m: &mut Modifiers, operands: &[Operand<'a>]) -> Result<Lowered, ParseErrorKind> {
        let all = m.take("all");
        if !all && !m.take("any") {
            return Err(m.missing("`.any` or `.all`"));
        }
        let ty = take_type(m, &[Type::B32, Type::B64])?;
        let width = ty.bytes() as u8;
        let [result, value, mask] = operands else {
            return Err(wrong_operands(m.full(), "it takes a result, a value and a mask"));
        };
        let (d, e) = self.results(result, m.full())?;
        let a = self.source(value, ty, m.full())?;
        let slots = Slots { d, e, a, m: self.source(mask, Type::B32, m.full())?, ..Slots::default() };
        Ok(self.warp_operation(WarpOp::Match { all, width }, slots, Warp))
    }

    fn reduce(&mut self, m: &mut Modifiers, operands: &[Operand<'a>]) -> Result<Lowered, ParseErrorKind> {
        let reduction = m.find(|word| match word {
            "add" => Some(Reduction::Add),
            "min" => Some(Reduction::Min),
            "max" => Some(Reduction::Max),
            "and" => Some(Reduction::And),
            "or" => Some(Reduction::Or),
            "xor" => Some(Reduction::Xor),
            _ => None,
        });
        let reduction = reduction.ok_or_else(|| m.missing("an operation such as `.add`"))?;
        let ty = take_type(m, &[Type::U32, Type::S32, Type::B32])?;
        let [result, value, mask] = operands else {
            return Err(wrong_operands(m.full(), "it takes a result, a value and a mask"));
        };
        let d = self.result(result, m.full())?;
        let a = self.source(value, ty, m.full())?;
        let slots = Slots { d, a, m: self.source(mask, Type::B32, m.full())?, ..Slots::default() };
        Ok(self.warp_operation(WarpOp::Reduce(reduction, ty), slots, Warp))
    }

    /// `mma.sync.aligned.m16n8kK.row.col.f32.T.T.f32`
    fn matrix(&mut self, m: &mut Modifiers, operands: &[Operand<'a>]) -> Result<Lowered, ParseErrorKind> {
        let depth = m.find(|word| match word {
            "m16n8k4" => Some(4),
            "m16n8k8" => Some(8),
            "m16n8k16" => Some(16),
            _ => None,
        });
        let known = m.take("sync") & m.take("aligned") & m.take("row") & m.take("col");
        let types = [m.ty()?, m.ty()?, m.ty()?, m.ty()?];
        let [output, input, second, addend] = types;
        let unknown = || ParseErrorKind::UnknownInstruction(m.full().to_owned());
        let depth = depth.filter(|_| known && input == second && addend == output).ok_or_else(unknown)?;
        // Registers of each fragment: 32 bits a register, 16 x depth and depth x 8 elements over 32 lanes.
        let (a_len, b_len) = match (input, depth, output) {
            (Type::F16 | Type::BF16, 16, Type::F32) | (Type::TF32, 8, Type::F32) | (Type::F16, 16, Type::F16) => (4, 2),
            (Type::F16 | Type::BF16, 8, Type::F32) | (Type::TF32, 4, Type::F32) | (Type::F16, 8, Type::F16) => (2, 1),
            _ => return Err(unknown()),
        };
        let c_len = if output == Type::F32 { 4 } else { 2 };
        let [d, a, b, c] = operands else {
            return Err(wrong_operands(m.full(), "it takes four fragments"));
        };
        let op = MatrixOp {
            depth,
            input,
            output,
            d: self.fragment(d, c_len, false, m.full())?,
            a: self.fragment(a, a_len, true, m.full())?,
            b: self.fragment(b, b_len, true, m.full())?,
            c: self.fragment(c, c_len, true, m.full())?,
            lens: [c_len, a_len, b_len].map(|len| len as u8),
        };
        let slots = Slots { m: self.frame.constant(u64::from(u32::MAX))?, ..Slots::default() };
        Ok(self.warp_operation(WarpOp::Matrix(op), slots, Matrix))
    }

    pub(super) fn fragment(
        &mut self,
        operand: &Operand<'a>,
        len: usize,
        source: bool,
        opcode: &str,
    ) -> Result<u32, ParseErrorKind> {
        let Operand::Vector(parts) = operand else {
            return Err(wrong_operands(opcode, "fragments are vectors"));
        };
        if parts.len() != len {
            return Err(wrong_operands(opcode, format!("this fragment has {len} registers")));
        }
        let slots = parts
            .iter()
            .map(|part| if source { self.source(part, Type::F32, opcode) } else { self.result(part, opcode) })
            .collect::<Result<Vec<u32>, _>>()?;
        Ok(self.vector(&slots))
    }

    /// `ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16`
    fn load_matrix(&mut self, m: &mut Modifiers, operands: &[Operand<'a>]) -> Result<Lowered, ParseErrorKind> {
        let known = m.take("sync") & m.take("aligned") & m.take("m8n8") & m.take("b16");
        let count = m.find(|word| match word {
            "x1" => Some(1),
            "x2" => Some(2),
            "x4" => Some(4),
            _ => None,
        });
        let transposed = m.take("trans");
        let place = if m.take("shared") || m.take("shared::cta") { Place::Shared } else { Place::Generic };
        let (Some(count), true) = (count, known) else {
            return Err(ParseErrorKind::UnknownInstruction(m.full().to_owned()));
        };
        let [result, address] = operands else {
            return Err(wrong_operands(m.full(), "it takes a fragment and an address"));
        };
        let mut memory = MemoryOp { offset: 0, place, width: 4, count: 4, unwanted: 0, flags: AccessFlags::default() };
        let a = self.address(&mut memory, address, m.full())?;
        let d = self.fragment(result, usize::from(count), false, m.full())?;
        let slots = Slots { a, m: self.frame.constant(u64::from(u32::MAX))?, ..Slots::default() };
        let op = LoadMatrixOp { count, transposed, memory, d };
        Ok(self.warp_operation(WarpOp::LoadMatrix(op), slots, Matrix))
    }
}

fn take_type(m: &mut Modifiers, known: &[Type]) -> Result<Type, ParseErrorKind> {
    let ty = m.ty()?;
    if known.contains(&ty) { Ok(ty) } else { Err(m.unknown(ty.name())) }
}
