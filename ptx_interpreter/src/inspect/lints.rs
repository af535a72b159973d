//! What looks wrong or slow in a kernel.

use super::flow;
use crate::fault::SourceLocation;
use crate::instruction::{Action, Place};
use crate::machine::source_location;
use crate::module::{Kernel, Module};
use crate::report::OpcodeClass;
use crate::types::{Space, Type};
use std::fmt;

/// Something that looks wrong or slow.
///
/// ```
/// use ptx_interpreter::{LintKind, Module};
///
/// let module = Module::parse(
///     ".version 7.0
///      .target sm_75
///      .address_size 64
///      .visible .entry half(.param .u32 x) {
///          .reg .b32 %r<2>;
///          .reg .b64 %rd<3>;
///          ld.param.u32 %r1, [x];
///          cvt.rn.f64.u32 %rd1, %r1;
///          mul.rn.f64 %rd2, %rd1, 0d3FE0000000000000;
///          ret;
///      }",
/// )?;
/// // Neither a parameter nor a load is f64: a literal may have lost its suffix.
/// let lints = module.lints();
/// assert_eq!(lints[0].kind, LintKind::Float64);
/// assert_eq!(lints[0].kernel.as_deref(), Some("half"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lint {
    /// What it is.
    pub kind: LintKind,
    /// The kernel, unless it concerns the module.
    pub kernel: Option<String>,
    /// Line in the PTX of its first instruction.
    pub ptx_line: u32,
    /// Place in the source of its first instruction, where the PTX tells.
    pub source: Option<SourceLocation>,
    /// How many instructions are concerned.
    pub count: usize,
    /// Text of the first of them.
    pub detail: String,
}

/// Kinds of lints.
///
/// ```
/// use ptx_interpreter::LintKind;
///
/// println!("{}: {}", LintKind::LocalMemory.name(), LintKind::LocalMemory.advice());
/// assert_ne!(LintKind::LocalMemory, LintKind::GenericShared);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LintKind {
    /// A name that the module does not define, other than dynamic shared memory: the driver refuses to load it.
    UnexpectedExtern,
    /// Local memory: an array that did not fit registers, or a spill.
    LocalMemory,
    /// A generic access to what is known to be shared memory: slower than one that says so.
    GenericShared,
    /// Arms of a branch on a thread's own value that wait at different barriers.
    SplitBarrier,
    /// f64 arithmetic in a kernel that takes and loads none: 32 to 64 times slower on most GPUs.
    Float64,
}

impl LintKind {
    /// The name on the command line and in JSON.
    ///
    /// ```
    /// use ptx_interpreter::LintKind;
    ///
    /// assert_eq!(LintKind::LocalMemory.name(), "local-memory");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            LintKind::UnexpectedExtern => "extern",
            LintKind::LocalMemory => "local-memory",
            LintKind::GenericShared => "generic-shared",
            LintKind::SplitBarrier => "split-barrier",
            LintKind::Float64 => "f64",
        }
    }

    /// One sentence of what is wrong and what to do.
    ///
    /// ```
    /// use ptx_interpreter::LintKind;
    ///
    /// assert!(LintKind::GenericShared.advice().contains("ld.shared"));
    /// ```
    pub fn advice(self) -> &'static str {
        match self {
            LintKind::UnexpectedExtern => {
                "the driver refuses a module with undefined names; is `panic = \"immediate-abort\"` missing?"
            }
            LintKind::LocalMemory => {
                "index the array with constants only, or unroll the loop, so that it stays in registers"
            }
            LintKind::GenericShared => "use `ld.shared` and `st.shared`, which are faster than generic accesses",
            LintKind::SplitBarrier => {
                "threads of one block wait at different barriers; compile with `-Zmir-enable-passes=-JumpThreading`"
            }
            LintKind::Float64 => "no parameter or load is f64; is a literal or a conversion missing its `f32`?",
        }
    }
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.detail)?;
        if self.count > 1 {
            write!(f, " and {} more", self.count - 1)?;
        }
        write!(f, ", PTX line {}", self.ptx_line)?;
        if let Some(source) = &self.source {
            write!(f, ", {source}")?;
        }
        write!(f, ": {}", self.kind.advice())
    }
}

pub(super) fn externals(module: &Module) -> Vec<Lint> {
    let lint = |(name, space, line): &(String, Space, u32)| Lint {
        kind: LintKind::UnexpectedExtern,
        kernel: None,
        ptx_line: *line,
        source: None,
        count: 1,
        detail: match space {
            Space::Generic => format!("function `{name}`"),
            space => format!("{space} variable `{name}`"),
        },
    };
    module.code.externals.iter().map(lint).collect()
}

pub(super) fn kernel(kernel: &Kernel) -> Vec<Lint> {
    let code = kernel.code;
    let local: Vec<usize> = kernel
        .positions()
        .filter(|pc| matches!(kernel.place_at(*pc), Some(Place::Local | Place::LocalFrame)))
        .collect();
    let mut lints = Vec::new();
    let mut add = |kind, positions: &[usize]| {
        if let Some(first) = positions.first() {
            lints.push(at(kernel, kind, *first, positions.len()));
        }
    };
    add(LintKind::LocalMemory, &local);
    add(LintKind::GenericShared, &generic_shared(kernel));
    for function in code.reachable(kernel.number) {
        let function = &code.functions[function as usize];
        let divergent = flow::divergent_slots(code, function);
        let split = flow::split_barriers(code, function, |pc| divergent.contains(&(code.insts[pc].guard >> 1)));
        for (_, first, second) in split {
            add(LintKind::SplitBarrier, &[first, second]);
        }
    }
    if !handles_f64(kernel) {
        let arithmetic: Vec<usize> =
            kernel.positions().filter(|pc| kernel.class_at(*pc) == OpcodeClass::Float64).collect();
        add(LintKind::Float64, &arithmetic);
    }
    lints
}

fn at(kernel: &Kernel, kind: LintKind, pc: usize, count: usize) -> Lint {
    let code = kernel.code;
    let site = code.sites[pc];
    Lint {
        kind,
        kernel: Some(kernel.name().to_owned()),
        ptx_line: code.lines.position(site.start).0,
        source: code.locations.get(site.location as usize).map(|location| source_location(code, location)),
        count,
        detail: format!("`{}`", code.instruction(pc as u32)),
    }
}

fn generic_shared(kernel: &Kernel) -> Vec<usize> {
    let code = kernel.code;
    let mut found = Vec::new();
    for number in code.reachable(kernel.number) {
        let function = &code.functions[number as usize];
        let known = flow::shared_addresses(code, function);
        let range = function.start.map_or(0..0, |start| start as usize..function.end as usize);
        found.extend(range.filter(|pc| {
            let address = code.insts[*pc].slots.a;
            let constant = function.template.get(address as usize).is_some_and(|v| flow::is_generic_shared(code, *v));
            kernel.place_at(*pc) == Some(Place::Generic) && (constant || known.contains(&address))
        }));
    }
    found
}

/// Whether f64 comes in from outside, in a parameter or a load.
fn handles_f64(kernel: &Kernel) -> bool {
    let code = kernel.code;
    kernel.parameters().iter().any(|parameter| parameter.ty == Type::F64)
        || kernel.positions().any(|pc| {
            let is_load = matches!(code.insts[pc].action, Action::Load(_));
            is_load && flow::opcode(code, pc).ends_with(".f64")
        })
        || loads_feed_f64(kernel)
}

/// LLVM loads f64 as `.b64`: what is loaded so and used by f64 arithmetic came in as f64.
fn loads_feed_f64(kernel: &Kernel) -> bool {
    let code = kernel.code;
    let mut loaded = std::collections::BTreeSet::new();
    for pc in kernel.positions() {
        let slots = code.insts[pc].slots;
        match code.insts[pc].action {
            Action::Load(op) if op.width == 8 && op.count == 1 => {
                loaded.insert(slots.d);
            }
            Action::Load(op) if op.width == 8 => {
                loaded.extend(&code.vectors[slots.d as usize..slots.d as usize + usize::from(op.count)]);
            }
            Action::Compute(_)
                if kernel.class_at(pc) == OpcodeClass::Float64
                    && [slots.a, slots.b, slots.c].iter().any(|slot| loaded.contains(slot)) =>
            {
                return true;
            }
            _ => {}
        }
    }
    false
}
