//! The frame of one function: scopes, slots, labels.

use crate::code::{Special, Target};
use crate::error::ParseErrorKind;
use crate::instruction::CARRY;
use crate::types::Type;
use std::collections::HashMap;

/// What a name in a function stands for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Entity {
    Register(Option<u32>, Type),
    Shared(u32),
    /// Offset in the frame's local memory.
    Local(u32),
    /// Offset in the frame's parameters, and size.
    Param(u32, u32),
    Label(u32),
    /// A `.branchtargets` list.
    Table(u32),
    Prototype,
}

#[derive(Default)]
struct Scope<'a> {
    names: HashMap<&'a str, Entity>,
    /// `%r<39>`: prefix to count and type.
    ranges: HashMap<&'a str, (u32, Type)>,
}

/// More slots than this are a damaged text: no register file is as large.
const MOST_SLOTS: usize = 1 << 20;

pub(super) struct Frame<'a> {
    scopes: Vec<Scope<'a>>,
    pub(super) template: Vec<u64>,
    pub(super) specials: Vec<(u32, Special)>,
    pub(super) relocations: Vec<(u32, Target, i64)>,
    constants: HashMap<u64, u32>,
    /// How often each register is named.
    mentions: HashMap<u32, u32>,
    /// Where each label stands, once it was met.
    pub(super) labels: Vec<Option<u32>>,
}

impl<'a> Frame<'a> {
    pub(super) fn new() -> Self {
        Self {
            scopes: Vec::new(),
            template: vec![0; CARRY as usize + 2],
            specials: Vec::new(),
            relocations: Vec::new(),
            constants: HashMap::new(),
            mentions: HashMap::new(),
            labels: Vec::new(),
        }
    }

    pub(super) fn enter(&mut self) {
        self.scopes.push(Scope::default());
    }

    pub(super) fn leave(&mut self) {
        self.scopes.pop();
    }

    pub(super) fn declare(&mut self, name: &'a str, entity: Entity) -> Result<(), ParseErrorKind> {
        let Some(scope) = self.scopes.last_mut() else {
            return Ok(());
        };
        match scope.names.insert(name, entity) {
            None => Ok(()),
            Some(_) => Err(ParseErrorKind::DuplicateName(name.to_owned())),
        }
    }

    pub(super) fn declare_range(&mut self, prefix: &'a str, count: u32, ty: Type) -> Result<(), ParseErrorKind> {
        let Some(scope) = self.scopes.last_mut() else {
            return Ok(());
        };
        match scope.ranges.insert(prefix, (count, ty)) {
            None => Ok(()),
            Some(_) => Err(ParseErrorKind::DuplicateName(format!("{prefix}<{count}>"))),
        }
    }

    pub(super) fn new_label(&mut self) -> u32 {
        self.labels.push(None);
        self.labels.len() as u32 - 1
    }

    fn new_slot(&mut self, value: u64) -> Result<u32, ParseErrorKind> {
        if self.template.len() >= MOST_SLOTS {
            return Err(ParseErrorKind::Limit("the function uses too many registers".to_owned()));
        }
        self.template.push(value);
        Ok(self.template.len() as u32 - 1)
    }

    /// Looks a name up from the innermost scope outwards; registers get their slot when first met.
    pub(super) fn lookup(&mut self, name: &'a str) -> Result<Option<Entity>, ParseErrorKind> {
        let entity = self.find(name)?;
        if let Some(Entity::Register(Some(slot), _)) = entity {
            *self.mentions.entry(slot).or_default() += 1;
        }
        Ok(entity)
    }

    /// Whether a register is named once only: whatever sets it, nobody reads it.
    pub(super) fn is_unread(&self, slot: u32) -> bool {
        self.mentions.get(&slot) == Some(&1)
    }

    fn find(&mut self, name: &'a str) -> Result<Option<Entity>, ParseErrorKind> {
        let prefix = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let digits = &name[prefix.len()..];
        for depth in (0..self.scopes.len()).rev() {
            let scope = &mut self.scopes[depth];
            let entity = match scope.names.get(name) {
                Some(Entity::Register(None, ty)) => Entity::Register(None, *ty),
                Some(entity) => return Ok(Some(*entity)),
                None => match scope.ranges.get(prefix) {
                    Some((count, ty)) if in_range(digits, *count) => Entity::Register(None, *ty),
                    _ => continue,
                },
            };
            let Entity::Register(_, ty) = entity else {
                continue;
            };
            let slot = self.new_slot(0)?;
            let resolved = Entity::Register(Some(slot), ty);
            self.scopes[depth].names.insert(name, resolved);
            return Ok(Some(resolved));
        }
        Ok(None)
    }

    pub(super) fn constant(&mut self, bits: u64) -> Result<u32, ParseErrorKind> {
        if let Some(slot) = self.constants.get(&bits) {
            return Ok(*slot);
        }
        let slot = self.new_slot(bits)?;
        self.constants.insert(bits, slot);
        Ok(slot)
    }

    pub(super) fn special(&mut self, special: Special) -> Result<u32, ParseErrorKind> {
        if let Some((slot, _)) = self.specials.iter().find(|(_, known)| *known == special) {
            return Ok(*slot);
        }
        let slot = self.new_slot(0)?;
        self.specials.push((slot, special));
        Ok(slot)
    }

    pub(super) fn address(&mut self, target: Target, addend: i64) -> Result<u32, ParseErrorKind> {
        let known = self.relocations.iter().find(|(_, t, a)| (*t, *a) == (target, addend));
        if let Some((slot, ..)) = known {
            return Ok(*slot);
        }
        let slot = self.new_slot(0)?;
        self.relocations.push((slot, target, addend));
        Ok(slot)
    }
}

/// `%r<39>` declares `%r0` to `%r38`, without leading zeros.
fn in_range(digits: &str, count: u32) -> bool {
    (digits == "0" || !digits.starts_with('0')) && digits.parse::<u32>().is_ok_and(|index| index < count)
}
