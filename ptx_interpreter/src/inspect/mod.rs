//! What can be said of a kernel without running it.

mod flow;
mod lints;

pub use lints::{Lint, LintKind};

use crate::instruction::{Action, Place, WarpOp};
use crate::module::{Kernel, Module};
use crate::report::OpcodeClass;
use crate::types::Type;

/// A summary of one kernel, with the functions that it calls.
///
/// ```
/// # const DOUBLE_ALL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/double_all.ptx"));
/// use ptx_interpreter::{Module, Summary};
///
/// let module = Module::parse(DOUBLE_ALL)?;
/// let Summary { name, barriers, local, .. } = module.kernels().next().expect("it has a kernel").summary();
/// assert_eq!((name.as_str(), barriers, local), ("double_all", 0, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Its name.
    pub name: String,
    /// Bytes of static shared memory.
    pub static_shared: u32,
    /// Whether it uses dynamic shared memory.
    pub dynamic_shared: bool,
    /// Bytes of local memory of a thread.
    pub local: u64,
    /// Registers that are declared, by type. The assembler gives out far fewer.
    pub registers: Vec<(Type, u64)>,
    /// Barriers of the block, as instructions.
    pub barriers: usize,
    /// Shuffles, votes and other operations of a warp.
    pub warp_operations: usize,
    /// Atomic operations.
    pub atomics: usize,
    /// Instructions.
    pub instructions: usize,
}

impl<'m> Kernel<'m> {
    /// Positions of the instructions of the kernel and all that it calls.
    fn positions(&self) -> impl Iterator<Item = usize> + use<'m> {
        let code = self.code;
        code.reachable(self.number).into_iter().flat_map(move |function| {
            let function = &code.functions[function as usize];
            // The return at the end of every function is the interpreter's own.
            function.start.map_or(0..0, |start| start as usize..function.end as usize - 1)
        })
    }

    /// Counts what the kernel is made of.
    ///
    /// ```
    /// # const DOUBLE_ALL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/double_all.ptx"));
    /// # use ptx_interpreter::Module;
    /// let module = Module::parse(DOUBLE_ALL)?;
    /// assert_eq!(module.kernel("double_all").unwrap().summary().instructions, 8);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn summary(&self) -> Summary {
        let code = self.code;
        let mut registers: Vec<(Type, u64)> = Vec::new();
        let mut local = 0;
        for number in code.reachable(self.number) {
            let function = &code.functions[number as usize];
            local += function.locals.iter().map(|variable| u64::from(variable.size)).sum::<u64>();
            for (ty, count) in &function.registers {
                match registers.iter_mut().find(|(known, _)| known == ty) {
                    Some((_, total)) => *total += count,
                    None => registers.push((*ty, *count)),
                }
            }
        }
        registers.sort();
        let count =
            |wanted: &dyn Fn(Action) -> bool| self.positions().filter(|pc| wanted(code.insts[*pc].action)).count();
        let is_sync = |op: u32| matches!(code.warps[op as usize], WarpOp::Sync);
        Summary {
            name: self.name().to_owned(),
            static_shared: self.static_shared(),
            dynamic_shared: self.uses_dynamic_shared(),
            local,
            registers,
            barriers: count(&|action| matches!(action, Action::Barrier(_))),
            warp_operations: count(&|action| matches!(action, Action::Warp(op) if !is_sync(op))),
            atomics: count(&|action| matches!(action, Action::Atomic(_))),
            instructions: self.positions().count(),
        }
    }

    fn class_at(&self, pc: usize) -> OpcodeClass {
        self.code.sites[pc].class
    }

    fn place_at(&self, pc: usize) -> Option<Place> {
        match self.code.insts[pc].action {
            Action::Load(op) | Action::Store(op) => Some(op.place),
            Action::Atomic(number) => Some(self.code.atomics[number as usize].memory.place),
            _ => None,
        }
    }
}

impl Module {
    /// What looks wrong or slow in the module, kernel by kernel.
    ///
    /// ```
    /// # const DOUBLE_ALL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/double_all.ptx"));
    /// # use ptx_interpreter::Module;
    /// assert!(Module::parse(DOUBLE_ALL)?.lints().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lints(&self) -> Vec<Lint> {
        let mut lints = lints::externals(self);
        for kernel in self.kernels() {
            lints.extend(lints::kernel(&kernel));
        }
        lints
    }
}
