//! Function bodies: declarations, labels, instructions and their operands.

use super::ast::{Base, Instruction, Location, Operand, Statement};
use super::lexer::Kind;
use super::module::Parser;
use crate::error::{ParseErrorKind, ParseResult};
use crate::types::Space;

const DEEPEST_SCOPE: u32 = 64;

impl<'a> Parser<'a, '_> {
    /// A scope in braces, with its statements.
    pub(super) fn body(&mut self, depth: u32) -> ParseResult<Vec<Statement<'a>>> {
        if depth > DEEPEST_SCOPE {
            return Err(self.fail(ParseErrorKind::Limit("scopes are nested too deeply".to_owned())));
        }
        self.expect('{')?;
        let mut statements = Vec::new();
        while !self.accept('}') {
            self.statement(depth, &mut statements)?;
        }
        Ok(statements)
    }

    fn statement(&mut self, depth: u32, out: &mut Vec<Statement<'a>>) -> ParseResult<()> {
        match self.peek() {
            Kind::Mark(';') => {
                self.next();
            }
            Kind::Mark('{') => {
                let inner = self.body(depth + 1)?;
                out.push(Statement::Scope(inner));
            }
            Kind::Dot(directive) => self.body_directive(directive, out)?,
            Kind::Word(name) if self.peek_after(1) == Kind::Mark(':') => {
                let at = self.here();
                self.next();
                self.next();
                let statement = self.labelled(name, at)?;
                out.push(statement);
            }
            Kind::Word(_) | Kind::Mark('@') => {
                let instruction = self.instruction()?;
                out.push(Statement::Instruction(instruction));
            }
            _ => return Err(self.expected("an instruction, a declaration or `}`")),
        }
        Ok(())
    }

    fn labelled(&mut self, name: &'a str, at: u32) -> ParseResult<Statement<'a>> {
        if self.accept_dot("branchtargets") {
            let mut targets = vec![self.word("a label")?];
            while self.accept(',') {
                targets.push(self.word("a label")?);
            }
            self.expect(';')?;
            return Ok(Statement::BranchTargets(name, targets, at));
        }
        if self.accept_dot("callprototype") {
            while !matches!(self.peek(), Kind::Mark(';') | Kind::End) {
                self.next();
            }
            self.expect(';')?;
            return Ok(Statement::Prototype(name));
        }
        Ok(Statement::Label(name, at))
    }

    fn body_directive(&mut self, directive: &'a str, out: &mut Vec<Statement<'a>>) -> ParseResult<()> {
        match directive {
            "loc" => {
                self.next();
                let location = self.location()?;
                out.push(Statement::Location(location));
            }
            "pragma" => while !matches!(self.next(), Kind::Mark(';') | Kind::End) {},
            "extern" => {
                self.next();
                self.declaration(out, true)?;
            }
            _ if Space::from_name(directive).is_some() => self.declaration(out, false)?,
            _ => return Err(self.fail(ParseErrorKind::UnknownDirective(directive.to_owned()))),
        }
        Ok(())
    }

    fn declaration(&mut self, out: &mut Vec<Statement<'a>>, external: bool) -> ParseResult<()> {
        let mut variables = Vec::new();
        self.variables(&mut variables, external)?;
        out.extend(variables.into_iter().map(Statement::Declaration));
        Ok(())
    }

    /// `.loc 1 23 9` or `.loc 2 44 9, function_name $L__info_string0, inlined_at 1 23 9`.
    fn location(&mut self) -> ParseResult<Location> {
        let (file, line, column) = self.place()?;
        let mut inlined_at = None;
        while self.accept(',') {
            match self.word("`function_name` or `inlined_at`")? {
                "function_name" => {
                    self.word("a label")?;
                    self.addend()?;
                }
                "inlined_at" => inlined_at = Some(self.place()?),
                _ => return Err(self.expected("`function_name` or `inlined_at`")),
            }
        }
        Ok(Location { file, line, column, inlined_at })
    }

    fn place(&mut self) -> ParseResult<(u64, u32, u32)> {
        Ok((self.integer("a file number")?, self.small("a line")?, self.small("a column")?))
    }

    fn instruction(&mut self) -> ParseResult<Instruction<'a>> {
        let at = self.here();
        let guard = if self.accept('@') {
            let negated = self.accept('!');
            Some((self.word("a predicate")?, negated))
        } else {
            None
        };
        let mut opcode = vec![self.word("an instruction")?];
        while let Kind::Dot(modifier) = self.peek() {
            self.next();
            opcode.push(modifier);
        }
        let mut operands = Vec::new();
        while self.peek() != Kind::Mark(';') {
            if !operands.is_empty() {
                self.expect(',')?;
            }
            let operand = self.operand(0)?;
            operands.push(operand);
        }
        self.expect(';')?;
        let end = self.behind();
        Ok(Instruction { guard, opcode, operands, at, end })
    }

    fn operand(&mut self, depth: u32) -> ParseResult<Operand<'a>> {
        if depth > 4 {
            return Err(self.fail(ParseErrorKind::Limit("operand nested too deeply".to_owned())));
        }
        match self.peek() {
            Kind::Mark('{') => Ok(Operand::Vector(self.list('{', '}', depth)?)),
            Kind::Mark('(') => Ok(Operand::List(self.list('(', ')', depth)?)),
            Kind::Mark('[') => self.address(),
            Kind::Mark('!') => {
                self.next();
                Ok(Operand::Not(self.word("a predicate")?))
            }
            Kind::Mark('-') => {
                self.next();
                self.number(true)
            }
            Kind::Word(name) => {
                self.next();
                self.named(name)
            }
            _ => self.number(false),
        }
    }

    fn list(&mut self, open: char, close: char, depth: u32) -> ParseResult<Vec<Operand<'a>>> {
        self.expect(open)?;
        let mut list = Vec::new();
        while !self.accept(close) {
            if !list.is_empty() {
                self.expect(',')?;
            }
            let operand = self.operand(depth + 1)?;
            list.push(operand);
        }
        Ok(list)
    }

    fn named(&mut self, name: &'a str) -> ParseResult<Operand<'a>> {
        if self.accept('|') {
            return Ok(Operand::Pair(name, self.word("a predicate")?));
        }
        if let Kind::Dot(component) = self.peek() {
            self.next();
            return Ok(Operand::Name(name, Some(component)));
        }
        if matches!(self.peek(), Kind::Mark('+' | '-')) {
            return Ok(Operand::Sum(name, self.addend()?));
        }
        Ok(Operand::Name(name, None))
    }

    fn number(&mut self, negative: bool) -> ParseResult<Operand<'a>> {
        let operand = match self.peek() {
            Kind::Integer(value) if negative => Operand::Integer(value.wrapping_neg()),
            Kind::Integer(value) => Operand::Integer(value),
            Kind::Float32(bits) => Operand::Float32(bits ^ (u32::from(negative) << 31)),
            Kind::Float64(bits) => Operand::Float64(bits ^ (u64::from(negative) << 63)),
            Kind::Decimal(text) => {
                let value: f64 = text.parse().unwrap_or(0.0);
                Operand::Decimal(if negative { -value } else { value })
            }
            _ => return Err(self.expected("an operand")),
        };
        self.next();
        Ok(operand)
    }

    fn address(&mut self) -> ParseResult<Operand<'a>> {
        self.expect('[')?;
        let operand = match self.peek() {
            Kind::Word(name) => {
                self.next();
                let offset = self.addend()?;
                Operand::Address(Base::Name(name), offset)
            }
            Kind::Integer(value) => {
                self.next();
                Operand::Address(Base::Absolute, value as i64)
            }
            _ => return Err(self.expected("an address")),
        };
        self.expect(']')?;
        Ok(operand)
    }
}
