//! Declarations of variables, registers and parameters, and their initial values.

use super::ast::{Initial, Shape, Variable};
use super::lexer::Kind;
use super::module::Parser;
use crate::error::{ParseError, ParseErrorKind, ParseResult};
use crate::types::{Space, Type};

/// Larger variables than this are a damaged text rather than a plan.
const LARGEST_VARIABLE: u64 = 1 << 28;

/// Values of a variable that zeros may make up: a damaged text of a few bytes is not to take all memory.
const MOST_FILLED: u64 = 1 << 20;

impl<'a> Parser<'a, '_> {
    /// A declaration up to its semicolon; it may declare several variables.
    pub(super) fn variables(&mut self, out: &mut Vec<Variable<'a>>, external: bool) -> ParseResult<()> {
        let space = self.space()?;
        let (ty, align) = self.type_and_alignment()?;
        loop {
            let variable = self.declarator(space, ty, align, external)?;
            out.push(variable);
            if !self.accept(',') {
                break;
            }
        }
        self.expect(';')
    }

    /// `.align 16 .b8`, `.u64 .ptr .global .align 4`, `.v2 .f32`.
    pub(super) fn type_and_alignment(&mut self) -> ParseResult<(Type, Option<u32>)> {
        let (mut ty, mut align, mut pointer) = (None, None, false);
        while let Kind::Dot(word) = self.peek() {
            let unknown = self.fail(ParseErrorKind::UnknownDirective(word.to_owned()));
            self.next();
            if word == "align" {
                let size = self.small("an alignment")?;
                if !size.is_power_of_two() || size > 1 << 16 {
                    return Err(self.fail(ParseErrorKind::Limit(format!("{size} is no alignment"))));
                }
                // After `.ptr` it is what the pointer points to that is aligned.
                if !pointer {
                    align = Some(size);
                }
            } else if word == "ptr" {
                pointer = true;
            } else if pointer && Space::from_name(word).is_some() {
            } else if let Some(found) = Type::from_name(word) {
                ty = Some(found);
            } else {
                return Err(unknown);
            }
        }
        match ty {
            Some(ty) => Ok((ty, align)),
            None => Err(self.expected("a type such as `.b32`")),
        }
    }

    pub(super) fn declarator(
        &mut self,
        space: Space,
        ty: Type,
        align: Option<u32>,
        external: bool,
    ) -> ParseResult<Variable<'a>> {
        let at = self.here();
        let name = self.word("a name")?;
        let mut variable = Variable {
            space,
            external,
            ty,
            align: align.unwrap_or(ty.bytes()),
            name,
            range: None,
            shape: Shape::Scalar,
            initial: Vec::new(),
            at,
        };
        if self.accept('<') {
            variable.range = Some(self.small("a number of registers")?);
            self.expect('>')?;
        }
        let mut lengths = Vec::new();
        while self.accept('[') {
            let length = self.length()?;
            variable.shape = match (length, variable.shape) {
                (None, _) | (_, Shape::Unsized) => Shape::Unsized,
                (Some(count), Shape::Array(outer)) => Shape::Array(outer.saturating_mul(count)),
                (Some(count), Shape::Scalar) => Shape::Array(count),
            };
            lengths.push(length.unwrap_or(0));
        }
        if self.accept('=') {
            self.initial(&mut variable.initial, &lengths, 0)?;
        }
        if variable.elements().saturating_mul(16) > LARGEST_VARIABLE {
            return Err(self.error_at(at, ParseErrorKind::Limit(format!("`{name}` is too large"))));
        }
        Ok(variable)
    }

    /// What stands in brackets: nothing, where the initial values say it.
    fn length(&mut self) -> ParseResult<Option<u64>> {
        if self.accept(']') {
            return Ok(None);
        }
        let count = self.integer("a length")?;
        self.expect(']')?;
        Ok(Some(count))
    }

    /// A value, or several in braces. A row that has fewer than it is long is filled with zeros.
    fn initial(&mut self, out: &mut Vec<Initial<'a>>, lengths: &[u64], depth: usize) -> ParseResult<()> {
        if !self.accept('{') {
            let value = self.initial_value()?;
            out.push(value);
            return Ok(());
        }
        if depth > 8 {
            return Err(self.fail(ParseErrorKind::Limit("initialiser nested too deeply".to_owned())));
        }
        let start = out.len();
        while !self.accept('}') {
            self.initial(out, lengths, depth + 1)?;
            if self.peek() != Kind::Mark('}') {
                self.expect(',')?;
            }
        }
        if depth > 0 && depth < lengths.len() {
            let row = lengths[depth..].iter().fold(1, |row: u64, length| row.saturating_mul(*length));
            let end = (start as u64).saturating_add(row);
            if out.len() as u64 > end {
                return Err(self.fail(ParseErrorKind::Limit("a row has more values than elements".to_owned())));
            }
            if end > MOST_FILLED {
                return Err(self.fail(ParseErrorKind::Limit("rows are too long to be filled with zeros".to_owned())));
            }
            out.resize(end as usize, Initial::Bits(0));
        }
        Ok(())
    }

    fn initial_value(&mut self) -> ParseResult<Initial<'a>> {
        let negative = self.accept('-');
        let at = self.here();
        Ok(match self.next() {
            Kind::Integer(mask) if !negative && self.accept('(') => {
                let inner = self.next();
                let value = self.symbol(inner, Some(mask), at)?;
                self.expect(')')?;
                value
            }
            Kind::Integer(value) if negative => Initial::Bits(value.wrapping_neg()),
            Kind::Integer(value) => Initial::Bits(value),
            Kind::Float32(bits) => Initial::Float32(bits ^ (u32::from(negative) << 31)),
            Kind::Float64(bits) => Initial::Float64(bits ^ (u64::from(negative) << 63)),
            Kind::Decimal(text) => {
                let value: f64 = text.parse().unwrap_or(0.0);
                Initial::Float64(if negative { -value } else { value }.to_bits())
            }
            other if !negative => self.symbol(other, None, at)?,
            other => return Err(self.no_value(other, at)),
        })
    }

    /// The address of a variable or function, of which `first` has been read.
    fn symbol(&mut self, first: Kind<'a>, mask: Option<u64>, at: u32) -> ParseResult<Initial<'a>> {
        match first {
            Kind::Word("generic") if self.accept('(') => {
                let (name, addend) = self.symbol_and_addend()?;
                self.expect(')')?;
                let late = self.addend()?;
                Ok(Initial::Symbol { name, addend: addend.wrapping_add(late), generic: true, mask, at })
            }
            Kind::Word(name) => {
                let addend = self.addend()?;
                Ok(Initial::Symbol { name, addend, generic: false, mask, at })
            }
            other => Err(self.no_value(other, at)),
        }
    }

    fn no_value(&self, found: Kind, at: u32) -> ParseError {
        let kind = ParseErrorKind::Expected { expected: "a value".to_owned(), found: found.to_string() };
        self.error_at(at, kind)
    }

    fn symbol_and_addend(&mut self) -> ParseResult<(&'a str, i64)> {
        let name = self.word("a variable's name")?;
        Ok((name, self.addend()?))
    }

    /// `+ 4`, `- 4`, `+-4` or nothing.
    pub(super) fn addend(&mut self) -> ParseResult<i64> {
        let mut sign = 1i64;
        if self.accept('+') {
            if self.accept('-') {
                sign = -1;
            }
        } else if self.accept('-') {
            sign = -1;
        } else {
            return Ok(0);
        }
        Ok(sign.wrapping_mul(self.integer("an offset")? as i64))
    }
}
