//! Loading a module: its variables get memory, and its code their addresses.

use super::Gpu;
use crate::code::{Code, Target};
use crate::memory::{FUNCTION_WINDOW, MemoryError, SHARED_WINDOW, shared_address};
use std::sync::Arc;

/// A module on a device.
pub(crate) struct Loaded {
    /// Keeps the code alive, and thereby its address, which the module is known by.
    _code: Arc<Code>,
    /// Frames of all functions, complete.
    pub(crate) templates: Vec<Vec<u64>>,
    addresses: Vec<u64>,
}

impl Gpu {
    pub(crate) fn load(&mut self, code: &Arc<Code>) -> Result<Arc<Loaded>, MemoryError> {
        let key = Arc::as_ptr(code) as usize;
        if let Some(loaded) = self.loaded.get(&key) {
            return Ok(Arc::clone(loaded));
        }
        let mut addresses = Vec::new();
        for variable in &code.globals {
            addresses.push(self.memory.allocate(variable.bytes.len() as u64, Some(variable.name.clone()))?);
        }
        let resolve = |target: Target| match target {
            Target::Global(id) => addresses[id as usize],
            Target::Shared { id, generic } => shared_address(id) + if generic { SHARED_WINDOW } else { 0 },
            Target::Function(id) => FUNCTION_WINDOW + 16 * u64::from(id),
        };
        for (variable, address) in code.globals.iter().zip(&addresses) {
            let mut bytes = variable.bytes.clone();
            for pointer in &variable.pointers {
                let value = resolve(pointer.target).wrapping_add_signed(pointer.addend) >> pointer.shift;
                let end = pointer.at + pointer.width;
                bytes[pointer.at..end].copy_from_slice(&value.to_le_bytes()[..pointer.width]);
            }
            self.write_bytes(*address, &bytes)?;
            if let Ok(region) = self.memory.region_mut(*address) {
                region.constant = variable.constant;
            }
        }
        let templates = code
            .functions
            .iter()
            .map(|function| {
                let mut template = function.template.clone();
                for (slot, target, addend) in &function.relocations {
                    template[*slot as usize] = resolve(*target).wrapping_add_signed(*addend);
                }
                template
            })
            .collect();
        let loaded = Arc::new(Loaded { _code: Arc::clone(code), templates, addresses });
        self.loaded.insert(key, Arc::clone(&loaded));
        Ok(loaded)
    }

    /// Address and size of a variable of a module, `.global` or `.const`, for the host to read or set.
    ///
    /// ```
    /// # const DOUBLE_ALL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/double_all.ptx"));
    /// use ptx_interpreter::{Gpu, Module};
    ///
    /// // `.global .align 4 .u32 launches[2];` stands in the module.
    /// let module = Module::parse(DOUBLE_ALL)?;
    /// let mut gpu = Gpu::new();
    /// let (address, bytes) = gpu.variable(&module, "launches")?.expect("it is there");
    /// assert_eq!(bytes, 8);
    /// gpu.write_bytes(address, &1u32.to_le_bytes())?;
    /// assert!(gpu.variable(&module, "other")?.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the module's variables find no room on the device.
    pub fn variable(&mut self, module: &crate::Module, name: &str) -> Result<Option<(u64, usize)>, MemoryError> {
        let loaded = self.load(&module.code)?;
        let found = module.code.globals.iter().position(|variable| variable.name == name);
        Ok(found.map(|at| (loaded.addresses[at], module.code.globals[at].bytes.len())))
    }
}
