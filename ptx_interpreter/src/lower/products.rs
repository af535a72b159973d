//! `wgmma`: what the four warps of a warpgroup do together.

use super::body::{Body, Lowered};
use super::operands::wrong_operands;
use crate::compute::Modifiers;
use crate::error::ParseErrorKind;
use crate::instruction::{GroupOp, ProductOp, Slots, WarpOp};
use crate::report::OpcodeClass;
use crate::syntax::ast::Operand;
use crate::types::Type;

impl<'a> Body<'a, '_> {
    /// `wgmma.fence`, `wgmma.commit_group`, `wgmma.wait_group n` and `wgmma.mma_async`.
    pub(super) fn group_operation(
        &mut self,
        m: &mut Modifiers,
        operands: &[Operand<'a>],
    ) -> Result<Lowered, ParseErrorKind> {
        if !(m.take("sync") & m.take("aligned")) {
            return Err(unknown(m));
        }
        let mut slots = Slots { m: self.frame.constant(u64::from(u32::MAX))?, ..Slots::default() };
        let (op, class) = if m.take("fence") {
            (GroupOp::Fence, OpcodeClass::Barrier)
        } else if m.take("commit_group") {
            (GroupOp::Commit, OpcodeClass::Barrier)
        } else if m.take("wait_group") {
            let &[Operand::Integer(pending @ 0..=7)] = operands else {
                return Err(wrong_operands(m.full(), "it takes a number of groups, from 0 to 7"));
            };
            (GroupOp::Wait(pending as u32), OpcodeClass::Barrier)
        } else if m.take("mma_async") {
            (GroupOp::Multiply(self.product(m, operands, &mut slots)?), OpcodeClass::Matrix)
        } else {
            return Err(unknown(m));
        };
        if !matches!(op, GroupOp::Multiply(_) | GroupOp::Wait(_)) && !operands.is_empty() {
            return Err(wrong_operands(m.full(), "it takes none"));
        }
        Ok(self.warp_operation(WarpOp::Group(op), slots, class))
    }

    /// `wgmma.mma_async.sync.aligned.m64nNkK.f32.T.T d, a, b, adds, sign of a, sign of b, ways of a and b`. B is in shared memory,
    /// of 16 bits with its sums along the rows or the columns; A is there, too, with its sums along the rows, or, of 16 bits, in registers,
    /// and then there is no way of it.
    fn product(
        &mut self,
        m: &mut Modifiers,
        operands: &[Operand<'a>],
        slots: &mut Slots,
    ) -> Result<ProductOp, ParseErrorKind> {
        let shape = m.find(|word| {
            let (columns, depth) = word.strip_prefix("m64n")?.split_once('k')?;
            Some((columns.parse::<u16>().ok()?, depth.parse::<u16>().ok()?))
        });
        let Some((columns @ 8..=256, depth)) = shape else {
            return Err(unknown(m));
        };
        let types = [m.ty()?, m.ty()?, m.ty()?];
        let input = types[1];
        let of_32_bytes = matches!((input, depth), (Type::F16 | Type::BF16, 16) | (Type::TF32, 8));
        if columns % 8 != 0 || types != [Type::F32, input, input] || !of_32_bytes {
            return Err(unknown(m));
        }
        let [d, a, b, adds, rest @ ..] = operands else {
            return Err(wrong_operands(m.full(), "it takes sums, two matrices, and whether it adds"));
        };
        let in_registers = matches!(a, Operand::Vector(_));
        if in_registers && input == Type::TF32 {
            return Err(wrong_operands(
                m.full(),
                "a matrix of tf32 in registers is not supported; put A into shared memory",
            ));
        }
        let sign = |operand: &Operand| match operand {
            Operand::Integer(1) => Some(1.0),
            Operand::Integer(u64::MAX) => Some(-1.0),
            _ => None,
        };
        let (signs, ways) = rest.split_at(rest.len().min(2));
        let turned = match (ways, input, in_registers) {
            ([], Type::TF32, false) => Some(false),
            ([Operand::Integer(0), Operand::Integer(way @ 0..=1)], Type::F16 | Type::BF16, false)
            | ([Operand::Integer(way @ 0..=1)], Type::F16 | Type::BF16, true) => Some(*way == 1),
            _ => None,
        };
        let signs: Vec<f64> = signs.iter().filter_map(sign).collect();
        let (&[a_sign, b_sign], Some(turned)) = (&signs[..], turned) else {
            let reason = "signs are 1 or -1, and ways 0 or, of B in 16 bits, 1; \
                          A whose sums run along the columns (1) is not supported";
            return Err(wrong_operands(m.full(), reason));
        };
        let a = if in_registers {
            slots.a = self.frame.constant(0)?;
            Some(self.fragment(a, 4, false, m.full())?)
        } else {
            slots.a = self.source(a, Type::U64, m.full())?;
            None
        };
        slots.b = self.source(b, Type::U64, m.full())?;
        slots.c = self.source(adds, Type::Pred, m.full())?;
        let d = self.fragment(d, usize::from(columns) / 2, false, m.full())?;
        Ok(ProductOp { columns, input, signs: [a_sign, b_sign], turned, a, d })
    }
}

fn unknown(m: &Modifiers) -> ParseErrorKind {
    ParseErrorKind::UnknownInstruction(m.full().to_owned())
}
