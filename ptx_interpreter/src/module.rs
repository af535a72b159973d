//! A parsed module.

use crate::code::{Code, Parameter};
use crate::error::{LineIndex, ParseError};
use crate::gpu::launch_static_shared;
use crate::{lower, syntax};
use std::fmt;
use std::sync::Arc;

/// A PTX module, parsed and resolved. Cloning it is cheap.
#[derive(Clone)]
pub struct Module {
    pub(crate) code: Arc<Code>,
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module")
            .field("version", &self.code.version)
            .field("target", &self.code.target)
            .field("kernels", &self.kernels().map(|kernel| kernel.name()).collect::<Vec<_>>())
            .finish()
    }
}

impl Module {
    /// Parses a PTX text.
    ///
    /// # Errors
    /// If the text is not PTX, is newer than this crate, or holds an instruction that it does not know.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let lines = LineIndex::new(text);
        let tree = syntax::parse(text, &lines)?;
        let code = lower::lower(text, lines, &tree)?;
        Ok(Self { code: Arc::new(code) })
    }

    /// PTX version of the module.
    pub fn version(&self) -> (u32, u32) {
        self.code.version
    }

    /// What the module was compiled for, such as `sm_75`.
    pub fn target(&self) -> &str {
        &self.code.target
    }

    /// The kernels of the module.
    pub fn kernels(&self) -> impl Iterator<Item = Kernel<'_>> {
        let functions = self.code.functions.iter().enumerate();
        functions
            .filter(|(_, function)| function.is_entry && function.start.is_some())
            .map(|(number, _)| Kernel { code: &self.code, number: number as u32 })
    }

    /// The kernel of a name.
    pub fn kernel(&self, name: &str) -> Option<Kernel<'_>> {
        self.kernels().find(|kernel| kernel.name() == name)
    }
}

/// A kernel of a module.
#[derive(Clone, Copy)]
pub struct Kernel<'m> {
    pub(crate) code: &'m Code,
    pub(crate) number: u32,
}

impl<'m> Kernel<'m> {
    /// Its name.
    pub fn name(&self) -> &'m str {
        &self.code.functions[self.number as usize].name
    }

    /// Its parameters, in order.
    pub fn parameters(&self) -> &'m [Parameter] {
        &self.code.functions[self.number as usize].parameters
    }

    /// Bytes of static shared memory, with those of the functions that it calls.
    pub fn static_shared(&self) -> u32 {
        launch_static_shared(self.code, self.number)
    }

    /// Whether it uses dynamic shared memory.
    pub fn uses_dynamic_shared(&self) -> bool {
        self.code.reachable(self.number).iter().any(|function| {
            let used = &self.code.functions[*function as usize].shared;
            used.iter().any(|id| self.code.shared[*id as usize].dynamic)
        })
    }

    /// The block that `.reqntid` asks for.
    pub fn required_block(&self) -> Option<[u32; 3]> {
        self.code.functions[self.number as usize].required_block
    }
}
