//! From the syntax tree to code: names to slots, opcodes to functions, variables to addresses.

mod body;
mod control;
mod data;
mod frame;
mod memory;
mod moves;
mod operands;
mod products;
mod target;
mod warp;

use crate::code::{Code, FunctionCode, Parameter, SharedVariable, Target};
use crate::error::{LineIndex, ParseErrorKind, ParseResult};
use crate::syntax::ast::{Function, ModuleTree, Shape, Variable};
use crate::types::{Space, Type};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// More shared variables than this would leave their window.
const MOST_SHARED: usize = 4000;

/// What a name at module level stands for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Symbol {
    Global(u32),
    Shared(u32),
    Function(u32),
    /// Declared `.extern` and not given here.
    External,
}

pub(super) struct Lowerer<'a> {
    pub(super) code: Code,
    pub(super) symbols: HashMap<&'a str, Symbol>,
    pub(super) dynamic_shared: Option<u32>,
    /// The GPU that the module is for, if it says one.
    gpu: Option<target::Target<'a>>,
}

/// Lowers a whole module.
pub(crate) fn lower(text: &str, lines: LineIndex, tree: &ModuleTree) -> ParseResult<Code> {
    let gpu = tree.target.first().copied().and_then(target::Target::parse);
    let mut lowerer = Lowerer { code: empty(text, lines, tree), symbols: HashMap::new(), dynamic_shared: None, gpu };
    for variable in &tree.variables {
        lowerer.declare_variable(variable)?;
    }
    for function in &tree.functions {
        lowerer.declare_function(function)?;
    }
    lowerer.initialise(&tree.variables)?;
    for function in &tree.functions {
        if let (Some(statements), Some(Symbol::Function(number))) =
            (&function.body, lowerer.symbols.get(function.name).copied())
        {
            body::lower(&mut lowerer, number, function, statements)?;
        }
    }
    Ok(lowerer.code)
}

fn empty(text: &str, lines: LineIndex, tree: &ModuleTree) -> Code {
    Code {
        text: Arc::from(text),
        lines,
        version: tree.version,
        target: tree.target.join(", "),
        insts: Vec::new(),
        sites: Vec::new(),
        vectors: Vec::new(),
        atomics: Vec::new(),
        barriers: Vec::new(),
        warps: Vec::new(),
        calls: Vec::new(),
        tables: Vec::new(),
        functions: Vec::new(),
        shared: Vec::new(),
        globals: Vec::new(),
        locations: Vec::new(),
        files: tree.files.iter().map(|(number, name)| (*number, (*name).to_owned())).collect(),
        externals: Vec::new(),
    }
}

impl<'a> Lowerer<'a> {
    fn declare_variable(&mut self, variable: &Variable<'a>) -> ParseResult<()> {
        let known = self.symbols.get(variable.name).copied();
        let symbol = match variable.space {
            Space::Shared => match (known, variable.external) {
                // Every object file that uses dynamic shared memory declares it again.
                (Some(Symbol::Shared(id)), true) => {
                    self.raise_alignment(id, variable.align);
                    return Ok(());
                }
                (None, _) => Symbol::Shared(self.add_shared(variable)?),
                _ => return Err(self.duplicate(variable)),
            },
            _ if variable.external => {
                if known.is_none() {
                    self.add_external(variable.name, variable.space, variable.at);
                    self.symbols.insert(variable.name, Symbol::External);
                }
                return Ok(());
            }
            _ => match known {
                None | Some(Symbol::External) => Symbol::Global(self.add_global(variable)),
                _ => return Err(self.duplicate(variable)),
            },
        };
        self.symbols.insert(variable.name, symbol);
        Ok(())
    }

    fn duplicate(&self, variable: &Variable) -> crate::error::ParseError {
        let kind = ParseErrorKind::DuplicateName(variable.name.to_owned());
        self.code.lines.error(variable.at, kind)
    }

    fn raise_alignment(&mut self, id: u32, align: u32) {
        let shared = &mut self.code.shared[id as usize];
        shared.align = shared.align.max(align);
    }

    fn add_external(&mut self, name: &str, space: Space, at: u32) {
        let (line, _) = self.code.lines.position(at);
        self.code.externals.push((name.to_owned(), space, line));
    }

    /// Gives a shared variable its number, and thereby its address.
    pub(super) fn add_shared(&mut self, variable: &Variable) -> ParseResult<u32> {
        let dynamic = variable.external || variable.shape == Shape::Unsized;
        if dynamic && let Some(id) = self.dynamic_shared {
            // All dynamic arrays start at the same place.
            self.raise_alignment(id, variable.align);
            return Ok(id);
        }
        let id = self.code.shared.len() as u32;
        let limit = if id as usize >= MOST_SHARED {
            Some("there are too many shared variables".to_owned())
        } else if variable.bytes() > 1 << 18 {
            Some(format!("`{}` is larger than any shared memory", variable.name))
        } else {
            None
        };
        if let Some(limit) = limit {
            return Err(self.code.lines.error(variable.at, ParseErrorKind::Limit(limit)));
        }
        if dynamic {
            self.dynamic_shared = Some(id);
        }
        self.code.shared.push(SharedVariable {
            name: variable.name.to_owned(),
            size: if dynamic { 0 } else { variable.bytes() as u32 },
            align: variable.align,
            dynamic,
        });
        Ok(id)
    }

    fn declare_function(&mut self, function: &Function<'a>) -> ParseResult<()> {
        let has_body = function.body.is_some();
        match self.symbols.get(function.name).copied() {
            None => {}
            // A declaration may come before its definition, and again after it.
            Some(Symbol::Function(_)) if !has_body => return Ok(()),
            Some(Symbol::Function(number)) if self.code.functions[number as usize].end == 0 => {
                self.code.functions[number as usize] = self.head(function)?;
                return Ok(());
            }
            Some(_) => {
                let kind = ParseErrorKind::DuplicateName(function.name.to_owned());
                return Err(self.code.lines.error(function.at, kind));
            }
        }
        if function.external {
            self.add_external(function.name, Space::Generic, function.at);
        }
        let head = self.head(function)?;
        let number = self.code.functions.len() as u32;
        self.code.functions.push(head);
        self.symbols.insert(function.name, Symbol::Function(number));
        Ok(())
    }

    fn head(&self, function: &Function<'a>) -> ParseResult<FunctionCode> {
        let mut bytes = 0;
        let parameters = self.layout(&function.parameters, &mut bytes)?;
        let returns = self.layout(&function.returns, &mut bytes)?;
        Ok(FunctionCode {
            name: function.name.to_owned(),
            is_entry: function.is_entry,
            start: None,
            // Marks a definition until its body is lowered.
            end: u32::from(function.body.is_some()),
            template: Vec::new(),
            relocations: Vec::new(),
            specials: Vec::new(),
            parameters,
            returns,
            param_bytes: bytes,
            locals: Vec::new(),
            local_extent: 0,
            shared: BTreeSet::new(),
            callees: BTreeSet::new(),
            required_block: function.required_block,
            largest_block: function.largest_block,
            registers: Vec::new(),
        })
    }

    fn layout(&self, variables: &[Variable], bytes: &mut u32) -> ParseResult<Vec<Parameter>> {
        variables
            .iter()
            .map(|variable| {
                let size = if variable.ty == Type::Pred { 1 } else { variable.bytes() };
                let offset = place_param(bytes, variable.align, size)
                    .map_err(|kind| self.code.lines.error(variable.at, kind))?;
                Ok(Parameter {
                    name: variable.name.to_owned(),
                    ty: variable.ty,
                    elements: (variable.shape != Shape::Scalar).then_some(variable.elements()),
                    size: size as u32,
                    align: variable.align,
                    offset,
                })
            })
            .collect()
    }

    /// The target of an address, for names at module level.
    pub(super) fn target(&self, symbol: Symbol, generic: bool) -> Option<Target> {
        Some(match symbol {
            Symbol::Global(id) => Target::Global(id),
            Symbol::Shared(id) => Target::Shared { id, generic },
            Symbol::Function(id) => Target::Function(id),
            Symbol::External => return None,
        })
    }
}

/// Takes room for a `.param` variable; no kernel has more than 32764 bytes of them.
pub(super) fn place_param(bytes: &mut u32, align: u32, size: u64) -> Result<u32, ParseErrorKind> {
    let offset = bytes.next_multiple_of(align.max(1));
    let end = u64::from(offset) + size;
    if end > 1 << 20 {
        return Err(ParseErrorKind::Limit("the parameters are too large".to_owned()));
    }
    *bytes = end as u32;
    Ok(offset)
}
