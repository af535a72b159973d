//! Branches, calls, barriers and fences.

use super::Symbol;
use super::body::{Body, Lowered};
use super::frame::Entity;
use super::memory::take_block_scope;
use super::operands::wrong_operands;
use crate::compute::Modifiers;
use crate::error::ParseErrorKind;
use crate::instruction::{Action, BarrierKind, BarrierOp, CallOp, Slots};
use crate::report::OpcodeClass::{self, Barrier, Control};
use crate::syntax::ast::Operand;
use crate::types::Type;

impl<'a> Body<'a, '_> {
    pub(super) fn lower_control(
        &mut self,
        m: &mut Modifiers,
        operands: &[Operand<'a>],
    ) -> Result<Lowered, ParseErrorKind> {
        let none = Slots::default();
        if matches!(m.name, "ret" | "exit" | "trap" | "brkpt") && !operands.is_empty() {
            return Err(wrong_operands(m.full(), "it takes none"));
        }
        match m.name {
            "bra" => self.branch(m, operands),
            "brx" => self.branch_table(m, operands),
            "call" => self.call(m, operands),
            "ret" => {
                m.take("uni");
                Ok(Lowered::new(Action::Return, none, Control))
            }
            "exit" => Ok(Lowered::new(Action::Exit, none, Control)),
            "trap" | "brkpt" => Ok(Lowered::new(Action::Trap, none, Control)),
            "bar" | "barrier" => self.barrier(m, operands),
            "membar" | "fence" => Ok(Lowered::new(fence(m), none, Barrier)),
            _ => {
                // Hints have no effect that a program sees.
                while m.find(|_| Some(())).is_some() {}
                Ok(Lowered::new(Action::Nothing, none, Barrier))
            }
        }
    }

    fn branch(&mut self, m: &mut Modifiers, operands: &[Operand<'a>]) -> Result<Lowered, ParseErrorKind> {
        m.take("uni");
        let [Operand::Name(name, None)] = operands else {
            return Err(wrong_operands(m.full(), "it takes a label"));
        };
        let label = self.label(name)?;
        self.jumps.push((self.lowerer.code.insts.len() as u32, label));
        Ok(Lowered::new(Action::Jump(0), Slots::default(), Control))
    }

    fn branch_table(&mut self, m: &mut Modifiers, operands: &[Operand<'a>]) -> Result<Lowered, ParseErrorKind> {
        m.take("idx");
        m.take("uni");
        let [index, Operand::Name(name, None)] = operands else {
            return Err(wrong_operands(m.full(), "it takes an index and a list of targets"));
        };
        let a = self.source(index, Type::U32, m.full())?;
        let Some(Entity::Table(table)) = self.frame.lookup(name)? else {
            return Err(ParseErrorKind::UnknownName((*name).to_owned()));
        };
        let slots = Slots { a, ..Slots::default() };
        Ok(Lowered::new(Action::JumpTable(table), slots, Control))
    }

    /// `call (result), function, (arguments);`, or through a register and a prototype.
    fn call(&mut self, m: &mut Modifiers, operands: &[Operand<'a>]) -> Result<Lowered, ParseErrorKind> {
        m.take("uni");
        let mut rest = operands;
        let mut returns = Vec::new();
        if let [Operand::List(list), more @ ..] = rest {
            returns = self.call_params(list, m.full())?;
            rest = more;
        }
        let [Operand::Name(name, None), rest @ ..] = rest else {
            return Err(wrong_operands(m.full(), "it takes a function"));
        };
        let arguments = match rest {
            [Operand::List(list), ..] => self.call_params(list, m.full())?,
            _ => Vec::new(),
        };
        let mut slots = Slots::default();
        let function = match self.lowerer.symbols.get(name).copied() {
            Some(Symbol::Function(number)) => {
                self.check_signature(m.full(), number, &arguments, &returns)?;
                self.lowerer.code.functions[self.number as usize].callees.insert(number);
                Some(number)
            }
            _ => {
                slots.a = self.register(name)?;
                None
            }
        };
        self.lowerer.code.calls.push(CallOp { function, arguments, returns });
        let number = self.lowerer.code.calls.len() as u32 - 1;
        Ok(Lowered::new(Action::Call(number), slots, Control))
    }

    fn call_params(&mut self, list: &[Operand<'a>], opcode: &str) -> Result<Vec<(u32, u32)>, ParseErrorKind> {
        list.iter()
            .map(|operand| match operand {
                Operand::Name(name, None) => match self.frame.lookup(name)? {
                    Some(Entity::Param(offset, size)) => Ok((offset, size)),
                    _ => Err(ParseErrorKind::UnknownName((*name).to_owned())),
                },
                _ => Err(wrong_operands(opcode, "arguments are `.param` variables")),
            })
            .collect()
    }

    fn check_signature(
        &self,
        opcode: &str,
        number: u32,
        arguments: &[(u32, u32)],
        returns: &[(u32, u32)],
    ) -> Result<(), ParseErrorKind> {
        let callee = &self.lowerer.code.functions[number as usize];
        let fits = |given: &[(u32, u32)], wanted: &[crate::code::Parameter]| {
            given.len() == wanted.len() && given.iter().zip(wanted).all(|((_, size), want)| *size == want.size)
        };
        if fits(arguments, &callee.parameters) && fits(returns, &callee.returns) {
            return Ok(());
        }
        Err(wrong_operands(opcode, format!("they do not fit the parameters of `{}`", callee.name)))
    }

    fn barrier(&mut self, m: &mut Modifiers, operands: &[Operand<'a>]) -> Result<Lowered, ParseErrorKind> {
        let is_bar = m.name == "bar";
        if m.take("warp") {
            m.take("sync");
            return self.warp_sync(m, operands);
        }
        m.take("cta");
        let aligned = m.take("aligned") || is_bar;
        let kind = if m.take("sync") {
            BarrierKind::Sync
        } else if m.take("arrive") {
            BarrierKind::Arrive
        } else if m.take("red") {
            if m.take("popc") {
                BarrierKind::Count
            } else if m.take("and") {
                BarrierKind::And
            } else if m.take("or") {
                BarrierKind::Or
            } else {
                return Err(m.missing("`.popc`, `.and` or `.or`"));
            }
        } else {
            return Err(ParseErrorKind::UnknownInstruction(m.full().to_owned()));
        };
        m.find_type();
        let reduces = !matches!(kind, BarrierKind::Sync | BarrierKind::Arrive);
        let mut slots = Slots::default();
        let mut rest = operands;
        if reduces && let [result, more @ ..] = rest {
            slots.d = self.result(result, m.full())?;
            rest = more;
        }
        let mut negated = false;
        if reduces && let [more @ .., predicate] = rest {
            slots.c = match predicate {
                Operand::Not(name) => {
                    negated = true;
                    self.register(name)?
                }
                other => self.source(other, Type::Pred, m.full())?,
            };
            rest = more;
        }
        let counted = rest.len() == 2;
        match rest {
            [number] => slots.a = self.source(number, Type::U32, m.full())?,
            [number, count] => {
                slots.a = self.source(number, Type::U32, m.full())?;
                slots.b = self.source(count, Type::U32, m.full())?;
            }
            _ => return Err(wrong_operands(m.full(), "it takes a barrier's number, and perhaps a count")),
        }
        if kind == BarrierKind::Arrive && !counted {
            return Err(wrong_operands(m.full(), "arriving needs the number of threads"));
        }
        self.lowerer.code.barriers.push(BarrierOp { kind, aligned, counted, negated });
        let number = self.lowerer.code.barriers.len() as u32 - 1;
        Ok(Lowered::new(Action::Barrier(number), slots, OpcodeClass::Barrier))
    }
}

/// The words of fences, but for the proxies and the scope of a block.
const FENCES: [&str; 6] = ["sc", "acq_rel", "acquire", "release", "gpu", "sys"];

/// `fence.proxy.async` is between ordinary accesses and those of instructions that run on their own. Of other proxies, and of
/// global memory, there is nobody here whose accesses it could order.
fn fence(m: &mut Modifiers) -> Action {
    let action = if !m.take("proxy") {
        Action::Fence(!take_block_scope(m))
    } else if m.take("async") && !m.take("global") {
        m.find(|word| matches!(word, "shared::cta" | "shared::cluster").then_some(()));
        return Action::Publish;
    } else {
        m.find(|word| matches!(word, "alias" | "tensormap::generic").then_some(()));
        take_block_scope(m);
        Action::Nothing
    };
    while m.find(|word| FENCES.contains(&word).then_some(())).is_some() {}
    // The old name has an old scope.
    m.take("gl");
    action
}
