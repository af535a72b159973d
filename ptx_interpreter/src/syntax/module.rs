//! Module-level grammar: directives, variables, functions' heads.

use super::ast::{Function, ModuleTree, Variable};
use super::lexer::{Kind, Token, tokens};
use crate::error::{LineIndex, ParseError, ParseErrorKind, ParseResult};
use crate::types::Space;

/// The newest PTX version whose meaning this crate knows.
const NEWEST: (u32, u32) = (9, 5);

pub(crate) fn parse<'a>(text: &'a str, lines: &LineIndex) -> ParseResult<ModuleTree<'a>> {
    if text.len() > u32::MAX as usize / 2 {
        return Err(lines.error(0, ParseErrorKind::Limit("a module over 2 GiB is not PTX".to_owned())));
    }
    let mut parser = Parser { tokens: tokens(text, lines)?, lines, at: 0 };
    parser.module()
}

pub(super) struct Parser<'a, 'l> {
    tokens: Vec<Token<'a>>,
    lines: &'l LineIndex,
    at: usize,
}

#[derive(Default, Clone, Copy)]
struct Linkage {
    external: bool,
}

impl<'a> Parser<'a, '_> {
    pub(super) fn peek(&self) -> Kind<'a> {
        self.tokens[self.at].kind
    }

    pub(super) fn peek_after(&self, ahead: usize) -> Kind<'a> {
        self.tokens[(self.at + ahead).min(self.tokens.len() - 1)].kind
    }

    /// Where the next token starts.
    pub(super) fn here(&self) -> u32 {
        self.tokens[self.at].start
    }

    /// Where the token before ended.
    pub(super) fn behind(&self) -> u32 {
        self.tokens[self.at.saturating_sub(1)].end
    }

    pub(super) fn next(&mut self) -> Kind<'a> {
        let kind = self.peek();
        if kind != Kind::End {
            self.at += 1;
        }
        kind
    }

    pub(super) fn accept(&mut self, mark: char) -> bool {
        let found = self.peek() == Kind::Mark(mark);
        if found {
            self.at += 1;
        }
        found
    }

    pub(super) fn accept_dot(&mut self, name: &str) -> bool {
        let found = self.peek() == Kind::Dot(name);
        if found {
            self.at += 1;
        }
        found
    }

    pub(super) fn expected(&self, expected: &str) -> ParseError {
        self.fail(ParseErrorKind::Expected { expected: expected.to_owned(), found: self.peek().to_string() })
    }

    pub(super) fn fail(&self, kind: ParseErrorKind) -> ParseError {
        self.error_at(self.here(), kind)
    }

    pub(super) fn error_at(&self, offset: u32, kind: ParseErrorKind) -> ParseError {
        self.lines.error(offset, kind)
    }

    pub(super) fn expect(&mut self, mark: char) -> ParseResult<()> {
        if self.accept(mark) { Ok(()) } else { Err(self.expected(&format!("`{mark}`"))) }
    }

    pub(super) fn word(&mut self, what: &str) -> ParseResult<&'a str> {
        match self.peek() {
            Kind::Word(word) => {
                self.at += 1;
                Ok(word)
            }
            _ => Err(self.expected(what)),
        }
    }

    pub(super) fn integer(&mut self, what: &str) -> ParseResult<u64> {
        match self.peek() {
            Kind::Integer(value) => {
                self.at += 1;
                Ok(value)
            }
            _ => Err(self.expected(what)),
        }
    }

    pub(super) fn small(&mut self, what: &str) -> ParseResult<u32> {
        let error = self.fail(ParseErrorKind::Limit(format!("{what} does not fit 32 bits")));
        u32::try_from(self.integer(what)?).map_err(|_| error)
    }

    fn module(&mut self) -> ParseResult<ModuleTree<'a>> {
        let mut tree = ModuleTree {
            version: self.version()?,
            target: Vec::new(),
            files: Vec::new(),
            variables: Vec::new(),
            functions: Vec::new(),
        };
        let mut linkage = Linkage::default();
        loop {
            let directive = match self.peek() {
                Kind::End => return Ok(tree),
                Kind::Mark(';') => {
                    self.at += 1;
                    continue;
                }
                Kind::Dot(directive) => directive,
                _ => return Err(self.expected("a directive")),
            };
            match directive {
                "extern" => linkage.external = true,
                "visible" | "weak" | "common" => {}
                "entry" | "func" => {
                    let function = self.function(linkage)?;
                    tree.functions.push(function);
                    linkage = Linkage::default();
                    continue;
                }
                "global" | "shared" | "const" => {
                    self.variables(&mut tree.variables, linkage.external)?;
                    linkage = Linkage::default();
                    continue;
                }
                _ => {
                    self.plain_directive(directive, &mut tree)?;
                    continue;
                }
            }
            self.at += 1;
        }
    }

    fn version(&mut self) -> ParseResult<(u32, u32)> {
        if !self.accept_dot("version") {
            return Err(self.expected("`.version`, with which every PTX module starts"));
        }
        let Kind::Decimal(text) = self.peek() else {
            return Err(self.expected("a version such as `7.8`"));
        };
        let mut parts = text.split('.').map(|part| part.parse::<u32>().ok());
        let (Some(Some(major)), Some(Some(minor))) = (parts.next(), parts.next()) else {
            return Err(self.expected("a version such as `7.8`"));
        };
        if (major, minor) > NEWEST {
            return Err(self.fail(ParseErrorKind::NewerVersion {
                major,
                minor,
                newest_major: NEWEST.0,
                newest_minor: NEWEST.1,
            }));
        }
        self.at += 1;
        Ok((major, minor))
    }

    fn plain_directive(&mut self, directive: &'a str, tree: &mut ModuleTree<'a>) -> ParseResult<()> {
        let unknown = self.fail(ParseErrorKind::UnknownDirective(directive.to_owned()));
        self.at += 1;
        match directive {
            "target" => {
                tree.target.push(self.word("a target such as `sm_75`")?);
                while self.accept(',') {
                    tree.target.push(self.word("a target option")?);
                }
            }
            "address_size" => {
                let error = self.fail(ParseErrorKind::AddressSize(0));
                let bits = self.integer("32 or 64")?;
                if bits != 64 {
                    return Err(ParseError { kind: ParseErrorKind::AddressSize(bits), ..error });
                }
            }
            "file" => {
                let number = self.integer("a file number")?;
                let Kind::Text(name) = self.next() else {
                    return Err(self.expected("a file name"));
                };
                while self.accept(',') {
                    self.integer("a time stamp or a size")?;
                }
                tree.files.push((number, name));
            }
            "section" => self.section()?,
            "pragma" | "alias" => while !matches!(self.next(), Kind::Mark(';') | Kind::End) {},
            _ => return Err(unknown),
        }
        Ok(())
    }

    /// Debug sections say nothing that a run needs.
    fn section(&mut self) -> ParseResult<()> {
        while self.peek() != Kind::Mark('{') {
            if self.next() == Kind::End {
                return Err(self.expected("`{`"));
            }
        }
        let open = self.here();
        let mut depth = 0;
        loop {
            match self.next() {
                Kind::Mark('{') => depth += 1,
                Kind::Mark('}') => depth -= 1,
                Kind::End => {
                    return Err(self.lines.error(open, ParseErrorKind::Unterminated("this section")));
                }
                _ => {}
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    fn function(&mut self, linkage: Linkage) -> ParseResult<Function<'a>> {
        let is_entry = self.next() == Kind::Dot("entry");
        while matches!(self.peek(), Kind::Dot("attribute")) {
            self.at += 1;
            self.skip_parentheses()?;
        }
        let returns = if self.peek() == Kind::Mark('(') { self.parameter_list()? } else { Vec::new() };
        let at = self.here();
        let name = self.word("a function's name")?;
        let parameters = if self.peek() == Kind::Mark('(') { self.parameter_list()? } else { Vec::new() };
        let mut function = Function {
            is_entry,
            external: linkage.external,
            name,
            returns,
            parameters,
            required_block: None,
            largest_block: None,
            body: None,
            at,
        };
        self.function_attributes(&mut function)?;
        if self.peek() == Kind::Mark('{') {
            function.body = Some(self.body(0)?);
        } else {
            self.expect(';')?;
        }
        Ok(function)
    }

    fn function_attributes(&mut self, function: &mut Function<'a>) -> ParseResult<()> {
        while let Kind::Dot(attribute) = self.peek() {
            let unknown = self.fail(ParseErrorKind::UnknownDirective(attribute.to_owned()));
            self.at += 1;
            match attribute {
                "noreturn" | "blocksareclusters" | "explicitcluster" => {}
                "reqntid" => function.required_block = Some(self.block_shape()?),
                "maxntid" => function.largest_block = Some(self.block_shape()?),
                "minnctapersm" | "maxnreg" | "maxnctapersm" | "maxclusterrank" => {
                    self.integer("a number")?;
                }
                "reqnctapercluster" => {
                    self.block_shape()?;
                }
                "pragma" => while !matches!(self.next(), Kind::Mark(';') | Kind::End) {},
                _ => return Err(unknown),
            }
        }
        Ok(())
    }

    fn block_shape(&mut self) -> ParseResult<[u32; 3]> {
        let mut shape = [1; 3];
        for (axis, size) in shape.iter_mut().enumerate() {
            if axis > 0 && !self.accept(',') {
                break;
            }
            *size = self.small("a block size")?;
        }
        Ok(shape)
    }

    fn skip_parentheses(&mut self) -> ParseResult<()> {
        self.expect('(')?;
        while !self.accept(')') {
            if self.next() == Kind::End {
                return Err(self.expected("`)`"));
            }
        }
        Ok(())
    }

    pub(super) fn parameter_list(&mut self) -> ParseResult<Vec<Variable<'a>>> {
        let mut list = Vec::new();
        self.expect('(')?;
        while !self.accept(')') {
            if !list.is_empty() {
                self.expect(',')?;
            }
            let space = self.space()?;
            let (ty, align) = self.type_and_alignment()?;
            let variable = self.declarator(space, ty, align, false)?;
            list.push(variable);
        }
        Ok(list)
    }

    pub(super) fn space(&mut self) -> ParseResult<Space> {
        if let Kind::Dot(name) = self.peek()
            && let Some(space) = Space::from_name(name)
        {
            self.at += 1;
            return Ok(space);
        }
        Err(self.expected("a state space such as `.param`"))
    }
}
