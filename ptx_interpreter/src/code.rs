//! A module in the form that it runs in: its instructions, one behind the other, and its functions and variables.

use crate::instruction::{AtomicOp, BarrierOp, CallOp, Inst, WarpOp};
use crate::syntax::ast::Location;
use crate::types::{Space, Type};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Where an instruction comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site {
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Number of the `.loc` in force, or `u32::MAX`.
    pub(crate) location: u32,
    pub(crate) function: u32,
    pub(crate) class: crate::report::OpcodeClass,
}

/// A special register that stays the same while a thread runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Special {
    Thread(u8),
    Threads(u8),
    Block(u8),
    Blocks(u8),
    Lane,
    Warp,
    Warps,
    LaneMaskEq,
    LaneMaskLe,
    LaneMaskLt,
    LaneMaskGe,
    LaneMaskGt,
    DynamicShared,
    TotalShared,
    Constant(u32),
}

/// A parameter of a kernel or a function.
///
/// ```
/// # const DOUBLE_ALL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/double_all.ptx"));
/// use ptx_interpreter::{Module, Type};
///
/// let module = Module::parse(DOUBLE_ALL)?;
/// let y = &module.kernel("double_all").expect("it is there").parameters()[0];
/// assert_eq!((y.name.as_str(), y.ty, y.size, y.offset), ("y", Type::U64, 8, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name in the PTX.
    pub name: String,
    /// Type of its elements.
    pub ty: Type,
    /// Elements, if it is an array.
    pub elements: Option<u64>,
    /// Size in bytes.
    pub size: u32,
    /// Alignment in bytes.
    pub align: u32,
    /// Offset in the argument buffer.
    pub offset: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct LocalVariable {
    /// Address relative to the frame.
    pub(crate) offset: u32,
    pub(crate) size: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct SharedVariable {
    pub(crate) name: String,
    pub(crate) size: u32,
    pub(crate) align: u32,
    /// `.extern`: the launch gives its size.
    pub(crate) dynamic: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct GlobalVariable {
    pub(crate) name: String,
    pub(crate) constant: bool,
    pub(crate) bytes: Vec<u8>,
    /// Places in `bytes` that take the address of another variable.
    pub(crate) pointers: Vec<Pointer>,
}

#[derive(Debug, Clone)]
pub(crate) struct Pointer {
    pub(crate) at: usize,
    pub(crate) width: usize,
    pub(crate) target: Target,
    pub(crate) addend: i64,
    pub(crate) shift: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    Global(u32),
    Shared { id: u32, generic: bool },
    Function(u32),
}

#[derive(Debug, Clone)]
pub(crate) struct FunctionCode {
    pub(crate) name: String,
    pub(crate) is_entry: bool,
    /// `None` where only the declaration is known.
    pub(crate) start: Option<u32>,
    pub(crate) end: u32,
    pub(crate) template: Vec<u64>,
    /// Slots that take an address known only once the module is loaded.
    pub(crate) relocations: Vec<(u32, Target, i64)>,
    pub(crate) specials: Vec<(u32, Special)>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) returns: Vec<Parameter>,
    /// Bytes of all `.param` variables of a frame.
    pub(crate) param_bytes: u32,
    pub(crate) locals: Vec<LocalVariable>,
    /// Address space that the locals of a frame span.
    pub(crate) local_extent: u32,
    pub(crate) shared: BTreeSet<u32>,
    pub(crate) callees: BTreeSet<u32>,
    pub(crate) required_block: Option<[u32; 3]>,
    pub(crate) largest_block: Option<[u32; 3]>,
    /// Registers declared, by type.
    pub(crate) registers: Vec<(Type, u64)>,
}

/// A whole module, ready to run.
pub(crate) struct Code {
    pub(crate) text: Arc<str>,
    pub(crate) lines: crate::error::LineIndex,
    pub(crate) version: (u32, u32),
    pub(crate) target: String,
    pub(crate) insts: Vec<Inst>,
    pub(crate) sites: Vec<Site>,
    pub(crate) vectors: Vec<u32>,
    pub(crate) atomics: Vec<AtomicOp>,
    pub(crate) barriers: Vec<BarrierOp>,
    pub(crate) warps: Vec<WarpOp>,
    pub(crate) calls: Vec<CallOp>,
    pub(crate) tables: Vec<Vec<u32>>,
    pub(crate) functions: Vec<FunctionCode>,
    pub(crate) shared: Vec<SharedVariable>,
    pub(crate) globals: Vec<GlobalVariable>,
    pub(crate) locations: Vec<Location>,
    pub(crate) files: Vec<(u64, String)>,
    /// `.extern` names that are not dynamic shared memory.
    pub(crate) externals: Vec<(String, Space, u32)>,
}

impl Code {
    /// Text of the instruction at `pc`, on one line.
    pub(crate) fn instruction(&self, pc: u32) -> String {
        let site = self.sites[pc as usize];
        let text = &self.text[site.start as usize..site.end as usize];
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The functions that `entry` may run, itself included.
    pub(crate) fn reachable(&self, entry: u32) -> BTreeSet<u32> {
        let (mut functions, mut globals) = (BTreeSet::new(), BTreeSet::new());
        let mut open = vec![Target::Function(entry)];
        while let Some(target) = open.pop() {
            match target {
                Target::Function(number) if functions.insert(number) => {
                    let function = &self.functions[number as usize];
                    open.extend(function.callees.iter().map(|callee| Target::Function(*callee)));
                    open.extend(function.relocations.iter().map(|(_, target, _)| *target));
                }
                // A table of functions is there to call them.
                Target::Global(number) if globals.insert(number) => {
                    open.extend(self.globals[number as usize].pointers.iter().map(|pointer| pointer.target));
                }
                _ => {}
            }
        }
        functions
    }
}
