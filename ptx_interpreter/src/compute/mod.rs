//! Instructions that touch registers only: from an opcode to a function over slots.

mod approximate;
mod bits;
mod compare;
mod convert;
mod float;
pub(crate) mod half;
mod half_arithmetic;
mod integer;
mod packed;
mod rounding;
mod slot;

pub(crate) use compare::{NEGATED_PREDICATE, copy};
pub(crate) use rounding::{Round, flush};
pub(crate) use slot::Slot;

use crate::error::ParseErrorKind;
use crate::instruction::Compute;
use crate::report::OpcodeClass;
use crate::types::Type;

pub(crate) type Decoded = Result<Option<Pure>, ParseErrorKind>;

/// A resolved instruction that waits for its operands.
pub(crate) struct Pure {
    pub(crate) run: Compute,
    pub(crate) destinations: u8,
    pub(crate) sources: u8,
    /// Goes to slot field `m`.
    pub(crate) mode: u32,
    /// Type that immediates are read as.
    pub(crate) ty: Type,
    /// The same of the third source.
    pub(crate) third: Type,
    /// The third source is a predicate that `!` may stand before.
    pub(crate) negatable: bool,
    pub(crate) class: OpcodeClass,
}

impl Pure {
    fn new(run: Compute, sources: u8, ty: Type, class: OpcodeClass) -> Self {
        Self { run, destinations: 1, sources, mode: 0, ty, third: ty, negatable: false, class }
    }

    fn with_mode(self, mode: u32) -> Self {
        Self { mode, ..self }
    }
}

/// The modifiers of an opcode that no decoder has claimed yet.
pub(crate) struct Modifiers<'a> {
    pub(crate) name: &'a str,
    rest: Vec<&'a str>,
    full: String,
}

impl<'a> Modifiers<'a> {
    pub(crate) fn new(opcode: &[&'a str]) -> Self {
        Self { name: opcode[0], rest: opcode[1..].to_vec(), full: opcode.join(".") }
    }

    pub(crate) fn full(&self) -> &str {
        &self.full
    }

    /// Claims `word` if it is there.
    pub(crate) fn take(&mut self, word: &str) -> bool {
        match self.rest.iter().position(|part| *part == word) {
            Some(at) => {
                self.rest.remove(at);
                true
            }
            None => false,
        }
    }

    /// Claims the first modifier that `choose` knows.
    pub(crate) fn find<T>(&mut self, choose: impl Fn(&str) -> Option<T>) -> Option<T> {
        let (at, value) = self.rest.iter().enumerate().find_map(|(at, part)| choose(part).map(|value| (at, value)))?;
        self.rest.remove(at);
        Some(value)
    }

    pub(crate) fn find_type(&mut self) -> Option<Type> {
        self.find(Type::from_name)
    }

    pub(crate) fn ty(&mut self) -> Result<Type, ParseErrorKind> {
        let missing = self.missing("a type");
        self.find_type().ok_or(missing)
    }

    /// The type, without claiming it.
    pub(crate) fn peek_type(&self) -> Option<Type> {
        self.rest.iter().rev().find_map(|part| Type::from_name(part))
    }

    pub(crate) fn missing(&self, missing: &'static str) -> ParseErrorKind {
        ParseErrorKind::MissingModifier { instruction: self.full.clone(), missing }
    }

    pub(crate) fn unknown(&self, modifier: &str) -> ParseErrorKind {
        ParseErrorKind::UnknownModifier { instruction: self.full.clone(), modifier: modifier.to_owned() }
    }

    /// Every modifier has to be claimed: one that is passed over would change the meaning silently.
    pub(crate) fn finish(&self) -> Result<(), ParseErrorKind> {
        match self.rest.first() {
            None => Ok(()),
            Some(left) => Err(self.unknown(left)),
        }
    }
}

/// Finds the function for an opcode; `None` if it is no instruction over registers.
pub(crate) fn decode(m: &mut Modifiers) -> Decoded {
    for family in [
        // Before the integers, which know no such type.
        packed::decode,
        integer::decode,
        bits::decode,
        float::decode,
        half_arithmetic::decode,
        approximate::decode,
        compare::decode,
        convert::decode,
    ] {
        if let Some(pure) = family(m)? {
            m.finish()?;
            return Ok(Some(pure));
        }
    }
    Ok(None)
}
