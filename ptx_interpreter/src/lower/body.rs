//! The body of one function.

use super::frame::{Entity, Frame};
use super::{Lowerer, Symbol, place_param};
use crate::code::{LocalVariable, Site};
use crate::error::{ParseError, ParseErrorKind, ParseResult};
use crate::instruction::{Action, Inst, SINK, Slots, UNGUARDED};
use crate::report::OpcodeClass;
use crate::syntax::ast::{Function, Instruction, Location, Statement, Variable};
use crate::types::{Space, Type};

/// Between local variables: an overrun of one does not end up in the next. It is the largest alignment, too.
const LOCAL_GAP: u32 = 1 << 16;

pub(super) struct Body<'a, 'l> {
    pub(super) lowerer: &'l mut Lowerer<'a>,
    pub(super) frame: Frame<'a>,
    pub(super) number: u32,
    location: u32,
    /// Branches whose label was not met yet: instruction or table entry, and label.
    pub(super) jumps: Vec<(u32, u32)>,
    pub(super) tables: Vec<(u32, Vec<u32>)>,
}

/// An instruction on its way: what it does, and what the reports call it.
pub(super) struct Lowered {
    pub(super) action: Action,
    pub(super) slots: Slots,
    pub(super) class: OpcodeClass,
}

impl Lowered {
    pub(super) fn new(action: Action, slots: Slots, class: OpcodeClass) -> Self {
        Self { action, slots, class }
    }
}

pub(super) fn lower<'a>(
    lowerer: &mut Lowerer<'a>,
    number: u32,
    function: &Function<'a>,
    statements: &[Statement<'a>],
) -> ParseResult<()> {
    let start = lowerer.code.insts.len() as u32;
    let mut body =
        Body { lowerer, frame: Frame::new(), number, location: u32::MAX, jumps: Vec::new(), tables: Vec::new() };
    body.frame.enter();
    body.declare_parameters(function)?;
    body.scope(statements)?;
    // Falling off the end returns.
    let at = function.at;
    body.emit(at, at, UNGUARDED, Lowered::new(Action::Return, Slots::default(), OpcodeClass::Control));
    body.resolve_jumps();
    body.drop_unread_elements(start);
    let Frame { template, specials, relocations, .. } = body.frame;
    let end = lowerer.code.insts.len() as u32;
    let code = &mut lowerer.code.functions[number as usize];
    // The frame of whatever it calls begins where every alignment is kept.
    code.local_extent = code.local_extent.next_multiple_of(LOCAL_GAP);
    code.start = Some(start);
    code.end = end;
    code.template = template;
    code.specials = specials;
    code.relocations = relocations;
    Ok(())
}

impl<'a> Body<'a, '_> {
    pub(super) fn at(&self, offset: u32, kind: ParseErrorKind) -> ParseError {
        self.lowerer.code.lines.error(offset, kind)
    }

    fn function(&mut self) -> &mut crate::code::FunctionCode {
        &mut self.lowerer.code.functions[self.number as usize]
    }

    fn declare_parameters(&mut self, function: &Function<'a>) -> ParseResult<()> {
        let code = &self.lowerer.code.functions[self.number as usize];
        let places: Vec<(u32, u32)> = code.parameters.iter().chain(&code.returns).map(|p| (p.offset, p.size)).collect();
        let variables = function.parameters.iter().chain(&function.returns);
        for (variable, (offset, size)) in variables.zip(places) {
            // `_` may stand for several parameters that nobody names.
            if variable.name == "_" {
                continue;
            }
            let entity = Entity::Param(offset, size);
            self.frame.declare(variable.name, entity).map_err(|kind| self.at(variable.at, kind))?;
        }
        Ok(())
    }

    fn scope(&mut self, statements: &[Statement<'a>]) -> ParseResult<()> {
        self.frame.enter();
        for statement in statements {
            let (name, entity, at) = match statement {
                Statement::Label(name, at) => (*name, Entity::Label(self.frame.new_label()), *at),
                Statement::BranchTargets(name, _, at) => {
                    self.lowerer.code.tables.push(Vec::new());
                    (*name, Entity::Table(self.lowerer.code.tables.len() as u32 - 1), *at)
                }
                Statement::Prototype(name) => (*name, Entity::Prototype, 0),
                _ => continue,
            };
            self.frame.declare(name, entity).map_err(|kind| self.at(at, kind))?;
        }
        for statement in statements {
            self.statement(statement)?;
        }
        self.frame.leave();
        Ok(())
    }

    fn statement(&mut self, statement: &Statement<'a>) -> ParseResult<()> {
        match statement {
            Statement::Label(name, at) => {
                let here = self.lowerer.code.insts.len() as u32;
                if let Some(Entity::Label(label)) = self.frame.lookup(name).map_err(|kind| self.at(*at, kind))? {
                    self.frame.labels[label as usize] = Some(here);
                }
                Ok(())
            }
            Statement::BranchTargets(name, targets, at) => self.branch_targets(name, targets, *at),
            Statement::Declaration(variable) => self.declare(variable).map_err(|kind| self.at(variable.at, kind)),
            Statement::Scope(statements) => self.scope(statements),
            Statement::Location(location) => {
                self.set_location(location);
                Ok(())
            }
            Statement::Instruction(instruction) => self.instruction(instruction),
            Statement::Prototype(_) => Ok(()),
        }
    }

    fn set_location(&mut self, location: &Location) {
        let locations = &mut self.lowerer.code.locations;
        if locations.last() != Some(location) {
            locations.push(location.clone());
        }
        self.location = locations.len() as u32 - 1;
    }

    fn branch_targets(&mut self, name: &'a str, targets: &[&'a str], at: u32) -> ParseResult<()> {
        let labels = targets
            .iter()
            .map(|target| self.label(target).map_err(|kind| self.at(at, kind)))
            .collect::<ParseResult<Vec<u32>>>()?;
        if let Some(Entity::Table(table)) = self.frame.lookup(name).map_err(|kind| self.at(at, kind))? {
            self.tables.push((table, labels));
        }
        Ok(())
    }

    pub(super) fn label(&mut self, name: &'a str) -> Result<u32, ParseErrorKind> {
        match self.frame.lookup(name)? {
            Some(Entity::Label(label)) => Ok(label),
            _ => Err(ParseErrorKind::UnknownName(name.to_owned())),
        }
    }

    fn declare(&mut self, variable: &Variable<'a>) -> Result<(), ParseErrorKind> {
        let entity = match variable.space {
            Space::Register => return self.declare_register(variable),
            Space::Shared => {
                let id = self.lowerer.add_shared(variable).map_err(|error| error.kind)?;
                Entity::Shared(id)
            }
            Space::Local => self.declare_local(variable)?,
            Space::Param => {
                let size = variable.bytes();
                let offset = place_param(&mut self.function().param_bytes, variable.align, size)?;
                Entity::Param(offset, size as u32)
            }
            Space::Global | Space::Const if !self.lowerer.symbols.contains_key(variable.name) => {
                let id = self.lowerer.add_global(variable);
                self.lowerer.symbols.insert(variable.name, Symbol::Global(id));
                return self.lowerer.initialise(std::slice::from_ref(variable)).map_err(|error| error.kind);
            }
            _ => return Err(ParseErrorKind::DuplicateName(variable.name.to_owned())),
        };
        self.frame.declare(variable.name, entity)
    }

    fn declare_register(&mut self, variable: &Variable<'a>) -> Result<(), ParseErrorKind> {
        if variable.ty == Type::B128 {
            return Err(ParseErrorKind::Limit("128-bit registers are not supported".to_owned()));
        }
        let count = u64::from(variable.range.unwrap_or(1));
        let registers = &mut self.function().registers;
        match registers.iter_mut().find(|(ty, _)| *ty == variable.ty) {
            Some((_, total)) => *total += count,
            None => registers.push((variable.ty, count)),
        }
        match variable.range {
            Some(count) => self.frame.declare_range(variable.name, count, variable.ty),
            None => self.frame.declare(variable.name, Entity::Register(None, variable.ty)),
        }
    }

    fn declare_local(&mut self, variable: &Variable<'a>) -> Result<Entity, ParseErrorKind> {
        if variable.bytes() > 1 << 19 {
            return Err(ParseErrorKind::Limit(format!(
                "`{}` is larger than the 512 KiB of local memory",
                variable.name
            )));
        }
        let size = variable.bytes() as u32;
        let function = self.function();
        let offset = function
            .local_extent
            .checked_add(LOCAL_GAP)
            .and_then(|end| end.checked_next_multiple_of(variable.align.max(1)));
        let Some(offset) = offset.filter(|offset| *offset < 1 << 30) else {
            return Err(ParseErrorKind::Limit("the local variables are too large".to_owned()));
        };
        function.local_extent = offset + size;
        function.locals.push(LocalVariable { offset, size });
        Ok(Entity::Local(offset))
    }

    fn instruction(&mut self, instruction: &Instruction<'a>) -> ParseResult<()> {
        let lowered = self.guard(instruction).and_then(|guard| Ok((guard, self.lower_opcode(instruction)?)));
        let (guard, lowered) = lowered.map_err(|kind| self.at(instruction.at, kind))?;
        self.emit(instruction.at, instruction.end, guard, lowered);
        Ok(())
    }

    fn guard(&mut self, instruction: &Instruction<'a>) -> Result<u32, ParseErrorKind> {
        let Some((name, negated)) = instruction.guard else {
            return Ok(UNGUARDED);
        };
        let slot = self.register(name)?;
        Ok(slot << 1 | u32::from(negated))
    }

    fn emit(&mut self, start: u32, end: u32, guard: u32, lowered: Lowered) {
        let Lowered { action, slots, class } = lowered;
        let site = Site { start, end, location: self.location, function: self.number, class };
        self.lowerer.code.insts.push(Inst { action, guard, slots });
        self.lowerer.code.sites.push(site);
    }

    /// Every label that has been declared has a place by now.
    fn resolve_jumps(&mut self) {
        let labels = &self.frame.labels;
        for (pc, label) in std::mem::take(&mut self.jumps) {
            if let Some(target) = labels[label as usize] {
                self.lowerer.code.insts[pc as usize].action = Action::Jump(target);
            }
        }
        for (table, targets) in std::mem::take(&mut self.tables) {
            self.lowerer.code.tables[table as usize] =
                targets.iter().filter_map(|label| labels[*label as usize]).collect();
        }
    }

    /// Marks the elements of vector loads that no instruction reads.
    fn drop_unread_elements(&mut self, start: u32) {
        let code = &mut self.lowerer.code;
        for inst in &mut code.insts[start as usize..] {
            let Action::Load(op) = &mut inst.action else {
                continue;
            };
            for element in 0..if op.count > 1 { op.count } else { 0 } {
                let slot = code.vectors[inst.slots.d as usize + usize::from(element)];
                if slot == SINK || self.frame.is_unread(slot) {
                    op.unwanted |= 1 << element;
                }
            }
        }
    }

    pub(super) fn is_predicate(&mut self, name: &'a str) -> Result<bool, ParseErrorKind> {
        Ok(matches!(self.frame.lookup(name)?, Some(Entity::Register(_, Type::Pred))))
    }

    /// The slot of a register; `_` is the slot that swallows results.
    pub(super) fn register(&mut self, name: &'a str) -> Result<u32, ParseErrorKind> {
        if name == "_" {
            return Ok(SINK);
        }
        match self.frame.lookup(name)? {
            Some(Entity::Register(Some(slot), _)) => Ok(slot),
            _ => Err(ParseErrorKind::UnknownName(name.to_owned())),
        }
    }
}
