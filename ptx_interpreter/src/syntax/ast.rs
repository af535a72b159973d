//! The syntax tree of a module. Offsets are byte offsets into the text.

use crate::types::{Space, Type};

pub(crate) struct ModuleTree<'a> {
    pub(crate) version: (u32, u32),
    pub(crate) target: Vec<&'a str>,
    pub(crate) files: Vec<(u64, &'a str)>,
    pub(crate) variables: Vec<Variable<'a>>,
    pub(crate) functions: Vec<Function<'a>>,
}

/// A declaration of one or more variables, registers or parameters of one type.
#[derive(Debug, Clone)]
pub(crate) struct Variable<'a> {
    pub(crate) space: Space,
    pub(crate) external: bool,
    pub(crate) ty: Type,
    pub(crate) align: u32,
    pub(crate) name: &'a str,
    /// `%r<39>` declares 39 registers.
    pub(crate) range: Option<u32>,
    pub(crate) shape: Shape,
    pub(crate) initial: Vec<Initial<'a>>,
    pub(crate) at: u32,
}

/// How many elements a variable has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Scalar,
    Array(u64),
    /// `name[]`, whose length the launch or the initialiser gives.
    Unsized,
}

impl Variable<'_> {
    pub(crate) fn elements(&self) -> u64 {
        match self.shape {
            Shape::Scalar => 1,
            Shape::Array(count) => count,
            Shape::Unsized => self.initial.len() as u64,
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.elements() * u64::from(self.ty.bytes())
    }
}

/// One value of an initialiser.
#[derive(Debug, Clone)]
pub(crate) enum Initial<'a> {
    Bits(u64),
    Float32(u32),
    Float64(u64),
    Symbol {
        name: &'a str,
        addend: i64,
        generic: bool,
        /// `0xFF00(symbol)` takes the bytes of the address that the mask names.
        mask: Option<u64>,
        at: u32,
    },
}

pub(crate) struct Function<'a> {
    pub(crate) is_entry: bool,
    pub(crate) external: bool,
    pub(crate) name: &'a str,
    pub(crate) returns: Vec<Variable<'a>>,
    pub(crate) parameters: Vec<Variable<'a>>,
    pub(crate) required_block: Option<[u32; 3]>,
    pub(crate) largest_block: Option<[u32; 3]>,
    pub(crate) body: Option<Vec<Statement<'a>>>,
    pub(crate) at: u32,
}

pub(crate) enum Statement<'a> {
    Label(&'a str, u32),
    Declaration(Variable<'a>),
    Instruction(Instruction<'a>),
    Scope(Vec<Statement<'a>>),
    Location(Location),
    /// `table: .branchtargets a, b, c;`
    BranchTargets(&'a str, Vec<&'a str>, u32),
    /// `name: .callprototype …;`, which the callee itself makes superfluous.
    Prototype(&'a str),
}

/// A `.loc`, and the places that it was inlined at, innermost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) file: u64,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) inlined_at: Option<(u64, u32, u32)>,
}

pub(crate) struct Instruction<'a> {
    /// The predicate, and whether it is negated.
    pub(crate) guard: Option<(&'a str, bool)>,
    /// The opcode split at its dots: `ld`, `global`, `u32`.
    pub(crate) opcode: Vec<&'a str>,
    pub(crate) operands: Vec<Operand<'a>>,
    pub(crate) at: u32,
    pub(crate) end: u32,
}

#[derive(Debug, Clone)]
pub(crate) enum Operand<'a> {
    /// A register, a variable, a label or a function; with a component such as `x`.
    Name(&'a str, Option<&'a str>),
    /// `!%p`
    Not(&'a str),
    Integer(u64),
    Decimal(f64),
    Float32(u32),
    Float64(u64),
    /// `{a, b}`
    Vector(Vec<Operand<'a>>),
    /// `%r|%p`
    Pair(&'a str, &'a str),
    /// `[base + offset]`
    Address(Base<'a>, i64),
    /// `(a, b)`
    List(Vec<Operand<'a>>),
    /// `name + offset`, an address as a value.
    Sum(&'a str, i64),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Base<'a> {
    Name(&'a str),
    Absolute,
}
