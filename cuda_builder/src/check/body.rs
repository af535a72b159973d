//! The instructions of one entry or function, and the names they read and write.

use std::collections::HashMap;

use crate::ptx::tokens::{Kind, Token, code_tokens};
use crate::ptx::{Item, Malformed, ends_with_its_line};

/// A register, or any other name an operand holds. Numbers stand for names so that flow analysis is quick.
pub(crate) type Name = usize;

/// One instruction.
#[derive(Debug)]
pub(crate) struct Instruction {
    /// Counted from 1, in the PTX.
    pub(crate) line: usize,
    /// The predicate in `@%p1` or `@!%p1`.
    pub(crate) guard: Option<Name>,
    /// With its modifiers: `ld.global.b32`.
    pub(crate) opcode: String,
    /// The names in each operand.
    pub(crate) operands: Vec<Vec<Name>>,
    /// As it is written, for messages.
    pub(crate) text: String,
}

impl Instruction {
    /// The opcode without its modifiers.
    pub(crate) fn base(&self) -> &str {
        self.opcode.split('.').next().unwrap_or_default()
    }

    /// Whether all threads must come to it together: a barrier, or a warp's or four warps' product or load of matrices, which comes
    /// from `asm!` that LLVM may have copied into a branch, and names no threads.
    pub(crate) fn is_collective(&self) -> bool {
        self.is_barrier() || matches!(self.base(), "mma" | "ldmatrix" | "wgmma")
    }

    /// Whether it waits for, or counts, the other threads of the block or cluster. Barriers of a warp are
    /// left out: they name the threads that take part.
    pub(crate) fn is_barrier(&self) -> bool {
        matches!(self.base(), "bar" | "barrier") && !self.opcode.starts_with("bar.warp")
    }
}

/// An instruction, or a place to branch to.
#[derive(Debug)]
pub(crate) enum Step {
    Label(Name),
    Instruction(Instruction),
}

/// A body, read.
#[derive(Debug, Default)]
pub(crate) struct Body {
    pub(crate) steps: Vec<Step>,
    /// The labels behind each table of `brx.idx`.
    pub(crate) tables: HashMap<Name, Vec<Name>>,
    pub(crate) names: Vec<String>,
    /// What the host passes. Empty for a function.
    pub(crate) entry_parameters: Vec<String>,
    /// Bytes of local memory that it declares.
    pub(crate) local_bytes: u64,
    /// Bytes of shared memory that it declares.
    pub(crate) shared_bytes: u64,
    known: HashMap<String, Name>,
}

impl Body {
    /// Reads an entry or function. A declaration has an empty body.
    pub(crate) fn read(item: &Item<'_>) -> Result<Self, Malformed> {
        let mut tokens = code_tokens(item.text);
        tokens.iter_mut().for_each(|token| token.line += item.line - 1);
        let mut body = Self::default();
        if let Some(open) = tokens.iter().position(|token| token.is(b'{')) {
            let head = &tokens[..open];
            if head.iter().any(|token| token.text == ".entry") {
                body.entry_parameters = head.iter().map(|token| token.text.to_owned()).collect();
            }
            body.read_statements(&tokens[open..])?;
        }
        Ok(body)
    }

    fn read_statements(&mut self, mut rest: &[Token<'_>]) -> Result<(), Malformed> {
        // Inline assembly opens scopes whose registers hide those of other scopes with the same name.
        let mut scopes: Vec<HashMap<String, String>> = Vec::new();
        let mut opened = 0_usize;
        while let Some(first) = rest.first() {
            if first.is(b'{') {
                scopes.push(HashMap::new());
                opened += 1;
                rest = &rest[1..];
            } else if first.is(b'}') {
                scopes.pop();
                rest = &rest[1..];
            } else if rest.get(1).is_some_and(|token| token.is(b':')) {
                let label = self.name(first.text);
                self.steps.push(Step::Label(label));
                rest = &rest[2..];
            } else {
                let length = statement_length(rest)?;
                let (statement, after) = rest.split_at(length);
                self.statement(statement, &mut scopes, opened);
                rest = after;
            }
        }
        Ok(())
    }

    fn statement(&mut self, tokens: &[Token<'_>], scopes: &mut [HashMap<String, String>], opened: usize) {
        match tokens[0].text {
            ".reg" if scopes.len() > 1 => {
                for token in &tokens[2..] {
                    let inner = format!("{}#{opened}", token.text);
                    scopes[scopes.len() - 1].insert(token.text.to_owned(), inner);
                }
            }
            ".local" => self.local_bytes = self.local_bytes.saturating_add(declared_bytes(tokens)),
            ".shared" => self.shared_bytes = self.shared_bytes.saturating_add(declared_bytes(tokens)),
            ".branchtargets" => {
                let targets = tokens[1..].iter().filter(|t| t.kind == Kind::Word);
                let targets = targets.map(|t| self.name(t.text)).collect();
                // The table's own name was read as the label before it.
                if let Some(Step::Label(table)) = self.steps.pop() {
                    self.tables.insert(table, targets);
                }
            }
            directive if directive.starts_with('.') => {}
            _ => self.instruction(tokens, scopes),
        }
    }

    fn instruction(&mut self, tokens: &[Token<'_>], scopes: &[HashMap<String, String>]) {
        let text = tokens.iter().fold(String::new(), |text, t| {
            let tight = text.is_empty() || text.ends_with(['@', '!']) || matches!(t.text, ";" | "," | "%");
            text + if tight { "" } else { " " } + t.text
        });
        let line = tokens[0].line;
        let mut rest = tokens;
        let mut guard = None;
        if rest[0].is(b'@') {
            let register = 1 + usize::from(rest.get(1).is_some_and(|t| t.is(b'!')));
            guard = rest.get(register).map(|t| self.scoped(t.text, scopes));
            rest = rest.get(register + 1..).unwrap_or_default();
        }
        let Some((opcode, rest)) = rest.split_first() else { return };
        let mut operands = vec![Vec::new()];
        let mut depth = 0_i32;
        for token in rest {
            match token.kind {
                Kind::Mark(b'{' | b'(' | b'[') => depth += 1,
                Kind::Mark(b'}' | b')' | b']') => depth -= 1,
                Kind::Mark(b',') if depth == 0 => operands.push(Vec::new()),
                Kind::Word => {
                    let name = self.scoped(token.text, scopes);
                    operands.last_mut().expect("starts with one operand").push(name);
                }
                _ => {}
            }
        }
        let opcode = opcode.text.to_owned();
        self.steps.push(Step::Instruction(Instruction { line, guard, opcode, operands, text }));
    }

    fn scoped(&mut self, text: &str, scopes: &[HashMap<String, String>]) -> Name {
        let inner = scopes.iter().rev().find_map(|scope| scope.get(text));
        self.name(inner.map_or(text, String::as_str))
    }

    fn name(&mut self, text: &str) -> Name {
        if let Some(&name) = self.known.get(text) {
            return name;
        }
        self.names.push(text.to_owned());
        self.known.insert(text.to_owned(), self.names.len() - 1);
        self.names.len() - 1
    }

    pub(crate) fn instructions(&self) -> impl Iterator<Item = &Instruction> {
        self.steps.iter().filter_map(|step| match step {
            Step::Instruction(instruction) => Some(instruction),
            Step::Label(_) => None,
        })
    }
}

fn statement_length(tokens: &[Token<'_>]) -> Result<usize, Malformed> {
    let first = tokens[0];
    if ends_with_its_line(first.text) {
        return Ok(tokens.iter().take_while(|t| t.line == first.line).count());
    }
    let end = tokens.iter().position(|t| t.is(b';'));
    end.map(|end| end + 1)
        .ok_or_else(|| Malformed { line: first.line, what: format!("`{}` has no semicolon", first.text) })
}

/// The size of a variable: `.shared .align 16 .b8 TILE[4096];` has 4096 bytes.
pub(crate) fn declared_bytes(tokens: &[Token<'_>]) -> u64 {
    let is_type = |t: &&Token<'_>| matches!(t.text.as_bytes(), [b'.', b'b' | b'u' | b's' | b'f', b'1'..=b'9', ..]);
    let bits: u64 = tokens.iter().find(is_type).and_then(|t| t.text[2..].parse().ok()).unwrap_or(0);
    let mut elements = 1_u64;
    for (index, _) in tokens.iter().enumerate().filter(|(_, t)| t.is(b'[')) {
        let length = tokens.get(index + 1).and_then(|t| t.text.parse::<u64>().ok());
        elements = elements.saturating_mul(length.unwrap_or(0));
    }
    elements.saturating_mul(bits / 8)
}
