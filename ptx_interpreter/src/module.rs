//! A parsed module.

use crate::code::{Code, Parameter};
use crate::error::{LineIndex, ParseError};
use crate::gpu::launch_static_shared;
use crate::{lower, syntax};
use std::fmt;
use std::sync::Arc;

/// A PTX module, parsed and resolved. Cloning it is cheap.
///
/// ```
/// # const DOUBLE_ALL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/double_all.ptx"));
/// use ptx_interpreter::Module;
///
/// let module = Module::parse(DOUBLE_ALL)?;
/// assert_eq!(module.kernels().map(|kernel| kernel.name()).collect::<Vec<_>>(), ["double_all"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    /// ```
    /// use ptx_interpreter::Module;
    ///
    /// assert!(Module::parse(".version 7.0\n.target sm_75\n.address_size 64").is_ok());
    /// assert!(Module::parse("int main() {}").is_err());
    /// ```
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
    ///
    /// ```
    /// # use ptx_interpreter::Module;
    /// let module = Module::parse(".version 7.0\n.target sm_75\n.address_size 64")?;
    /// assert_eq!(module.version(), (7, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn version(&self) -> (u32, u32) {
        self.code.version
    }

    /// What the module was compiled for, such as `sm_75`.
    ///
    /// ```
    /// # use ptx_interpreter::Module;
    /// let module = Module::parse(".version 7.0\n.target sm_75\n.address_size 64")?;
    /// assert_eq!(module.target(), "sm_75");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn target(&self) -> &str {
        &self.code.target
    }

    /// The kernels of the module.
    ///
    /// ```
    /// # const DOUBLE_ALL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/double_all.ptx"));
    /// # use ptx_interpreter::Module;
    /// assert_eq!(Module::parse(DOUBLE_ALL)?.kernels().count(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn kernels(&self) -> impl Iterator<Item = Kernel<'_>> {
        let functions = self.code.functions.iter().enumerate();
        functions
            .filter(|(_, function)| function.is_entry && function.start.is_some())
            .map(|(number, _)| Kernel { code: &self.code, number: number as u32 })
    }

    /// The kernel of a name.
    ///
    /// ```
    /// # const DOUBLE_ALL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/double_all.ptx"));
    /// # use ptx_interpreter::Module;
    /// let module = Module::parse(DOUBLE_ALL)?;
    /// assert!(module.kernel("double_all").is_some());
    /// assert!(module.kernel("halve_all").is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn kernel(&self, name: &str) -> Option<Kernel<'_>> {
        self.kernels().find(|kernel| kernel.name() == name)
    }
}

/// A kernel of a module.
///
/// ```
/// # const DOUBLE_ALL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/double_all.ptx"));
/// # use ptx_interpreter::Module;
/// let module = Module::parse(DOUBLE_ALL)?;
/// let kernel = module.kernel("double_all").unwrap();
/// assert_eq!(kernel.parameters().len(), 1);
/// assert!(!kernel.uses_dynamic_shared());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Kernel<'m> {
    pub(crate) code: &'m Code,
    pub(crate) number: u32,
}

impl<'m> Kernel<'m> {
    /// Its name.
    ///
    /// ```
    /// # const DOUBLE_ALL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/double_all.ptx"));
    /// # use ptx_interpreter::Module;
    /// assert_eq!(Module::parse(DOUBLE_ALL)?.kernels().next().unwrap().name(), "double_all");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn name(&self) -> &'m str {
        &self.code.functions[self.number as usize].name
    }

    /// Its parameters, in order.
    ///
    /// ```
    /// # const DOUBLE_ALL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/double_all.ptx"));
    /// # use ptx_interpreter::Module;
    /// let module = Module::parse(DOUBLE_ALL)?;
    /// assert_eq!(module.kernel("double_all").unwrap().parameters()[0].size, 8);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn parameters(&self) -> &'m [Parameter] {
        &self.code.functions[self.number as usize].parameters
    }

    /// Bytes of static shared memory, with those of the functions that it calls.
    ///
    /// ```
    /// # use ptx_interpreter::Module;
    /// let module = Module::parse(
    ///     ".version 7.0
    ///      .target sm_75
    ///      .address_size 64
    ///      .visible .entry k() {
    ///          .shared .align 4 .b8 tile[128];
    ///          .reg .b32 %r<2>;
    ///          st.shared.b32 [tile], 0;
    ///          ret;
    ///      }",
    /// )?;
    /// assert_eq!(module.kernel("k").unwrap().static_shared(), 128);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn static_shared(&self) -> u32 {
        launch_static_shared(self.code, self.number)
    }

    /// Whether it uses dynamic shared memory.
    ///
    /// ```
    /// # const DOUBLE_ALL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/double_all.ptx"));
    /// # use ptx_interpreter::Module;
    /// assert!(!Module::parse(DOUBLE_ALL)?.kernel("double_all").unwrap().uses_dynamic_shared());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn uses_dynamic_shared(&self) -> bool {
        self.code.reachable(self.number).iter().any(|function| {
            let used = &self.code.functions[*function as usize].shared;
            used.iter().any(|id| self.code.shared[*id as usize].dynamic)
        })
    }

    /// The block that `.reqntid` asks for.
    ///
    /// ```
    /// # use ptx_interpreter::Module;
    /// let module = Module::parse(
    ///     ".version 7.0
    ///      .target sm_75
    ///      .address_size 64
    ///      .visible .entry k() .reqntid 32, 8, 1 { ret; }",
    /// )?;
    /// assert_eq!(module.kernel("k").unwrap().required_block(), Some([32, 8, 1]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn required_block(&self) -> Option<[u32; 3]> {
        self.code.functions[self.number as usize].required_block
    }
}
