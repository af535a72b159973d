//! Modules and their kernels: the program's own, loaded when one of their kernels is wanted first, and
//! those that take their place.

use std::collections::HashMap;
use std::ffi::{CString, c_void};
use std::sync::Arc;

use cuda_std::launch::{Arg, Kernel, LaunchError, Limits, Prepared};
use cudarc::driver::sys::{self, CUfunction_attribute_enum as FunctionAttribute, CUjit_option_enum as JitOption};
use cudarc::driver::{CudaContext, DriverError, result};

use super::ahead::Ahead;
use super::driver::require;
use super::errors::{is_of_a_launch, is_of_a_lost_gpu, message_of_a_module, no_gpu, of_a_running_gpu};
use crate::error::{Error, Result};
use crate::executor::ptx::{self, PTX, PtxModule};

/// The least that there is to compile.
const NOTHING: &str = ".version 7.0\n.target sm_75\n.address_size 64\n.visible .entry nothing() { ret; }\n";

/// What the driver has compiled so far, and what ran last.
pub(super) struct Loaded {
    ahead: Ahead,
    /// Modules of others, in which kernels are looked for first.
    foreign: Vec<sys::CUmodule>,
    modules: HashMap<&'static str, sys::CUmodule>,
    functions: HashMap<&'static str, Function>,
    pub(super) last_launched: &'static str,
}

/// A kernel that can be launched.
#[derive(Clone)]
pub(super) struct Function {
    pub(super) handle: sys::CUfunction,
    /// The most threads of a block: for more there are not enough registers.
    pub(super) most_threads: u32,
    /// Bytes of shared memory of a fixed size.
    fixed_shared: usize,
    /// Bytes of dynamic shared memory that it may be launched with.
    shared: usize,
    /// The sizes of its parameters, where it is of others: the driver reads as many of them as it
    /// declares, whatever it is given.
    parameters: Option<Vec<usize>>,
}

// SAFETY: the driver's handles may be used from any thread in which the context is current.
unsafe impl Send for Loaded {}

/// The GPU and the driver that modules must suit.
#[derive(Clone, Copy)]
pub(super) struct Target {
    /// The compute capability, times ten.
    pub(super) compute: u32,
    pub(super) newest_ptx: (u32, u32),
}

impl Loaded {
    /// Nothing yet.
    pub(super) fn new(context: Arc<CudaContext>) -> Self {
        Self {
            ahead: Ahead::new(context),
            foreign: Vec::new(),
            modules: HashMap::new(),
            functions: HashMap::new(),
            last_launched: "",
        }
    }

    /// Begins to compile kernels that are going to be launched, in threads.
    pub(super) fn prepare(&mut self, kernels: &[&'static Kernel], target: Target) {
        let Target { compute, newest_ptx } = target;
        let unknown = kernels.iter().filter(|kernel| !self.functions.contains_key(kernel.name));
        let ours = unknown.filter(|kernel| !self.foreign.iter().any(|&module| find(module, kernel).is_ok()));
        let modules = ours.filter_map(|kernel| ptx::module_for(PTX, kernel.name, compute, newest_ptx));
        self.ahead.begin(modules.filter(|module| !self.modules.contains_key(module.name())));
    }

    /// Loads modules of others: PTX, or machine code for this GPU.
    pub(super) fn add_foreign(&mut self, images: &[Vec<u8>]) -> Result<()> {
        if !images.is_empty() {
            require(&["cuFuncGetParamInfo"])
                .map_err(|_| no_gpu("kernels of other modules need a driver for CUDA 12.4 or newer"))?;
        }
        for (index, image) in images.iter().enumerate() {
            let handle = load(image)
                .map_err(|(error, log)| self.refused_module(error, |message| Error::Module { index, message, log }))?;
            self.foreign.push(handle);
        }
        Ok(())
    }

    /// A kernel, whose module is loaded if it is not yet.
    pub(super) fn function(&mut self, kernel: &'static Kernel, target: Target) -> Result<Function> {
        if let Some(function) = self.functions.get(kernel.name) {
            return Ok(function.clone());
        }
        let function = match self.foreign_function(kernel)? {
            Some(function) => function,
            None => self.own_function(kernel, target)?,
        };
        self.functions.insert(kernel.name, function.clone());
        Ok(function)
    }

    /// Lets a kernel be launched with more shared memory than any kernel may have without asking.
    pub(super) fn raise_shared(&mut self, kernel: &'static Kernel, bytes: usize) -> Result<()> {
        let attribute = FunctionAttribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        // Another thread may have raised it since the launch was looked at: it is never lowered, lest that thread's is refused.
        let function = self.functions.get_mut(kernel.name).filter(|function| function.asks_for(bytes));
        let Some(function) = function else { return Ok(()) };
        // SAFETY: the function is of a loaded module.
        match unsafe { sys::cuFuncSetAttribute(function.handle, attribute, bytes as i32) }.result() {
            Ok(()) => {
                function.shared = bytes;
                Ok(())
            }
            Err(error) => Err(self.refused(&format!("give kernel {} shared memory", kernel.name), error)),
        }
    }

    /// That the driver compiles kernels at all: a part of it may be missing, or switched off.
    pub(super) fn check_compiler(&self) -> Result<()> {
        let handle = load(NOTHING.as_bytes()).map_err(|(error, _)| {
            self.refused_module(error, |message| no_gpu(format!("its driver compiles no kernels: {message}")))
        })?;
        // SAFETY: the driver gave the handle, and nothing of the module was launched.
        unsafe { result::module::unload(handle) }.map_err(|error| self.refused("unload a module", error))
    }

    /// Whether there is code of a kernel that the GPU and its driver can run.
    pub(super) fn has(&self, kernel: &'static Kernel, target: Target) -> bool {
        let foreign = self.foreign.iter().any(|&module| find(module, kernel).is_ok());
        foreign || ptx::module_for(PTX, kernel.name, target.compute, target.newest_ptx).is_some()
    }

    fn foreign_function(&self, kernel: &'static Kernel) -> Result<Option<Function>> {
        for &module in &self.foreign {
            match find(module, kernel) {
                Ok(handle) => {
                    return Function::new(handle, Some(parameter_sizes(handle)?)).map(Some);
                }
                Err(DriverError(sys::CUresult::CUDA_ERROR_NOT_FOUND)) => {}
                Err(error) => return Err(self.refused(&format!("find kernel {}", kernel.name), error)),
            }
        }
        Ok(None)
    }

    fn own_function(&mut self, kernel: &'static Kernel, target: Target) -> Result<Function> {
        let Target { compute, newest_ptx } = target;
        let module = ptx::module_for(PTX, kernel.name, compute, newest_ptx)
            .ok_or_else(|| ptx::no_module(kernel.name, compute))?;
        let handle = self.own_module(module)?;
        match find(handle, kernel) {
            Ok(handle) => Function::new(handle, None),
            Err(error) => Err(self.refused(&format!("find kernel {}", kernel.name), error)),
        }
    }

    /// A module of the program, which the driver compiles if it has not yet; with its log if it refuses.
    fn own_module(&mut self, module: &'static PtxModule) -> Result<sys::CUmodule> {
        if let Some(handle) = self.modules.get(module.name()) {
            return Ok(*handle);
        }
        let family = || module.family.to_owned();
        let linked = self.ahead.take(module).and_then(|code| load(&code).ok());
        let loaded = linked.map_or_else(|| load(module.text.as_bytes()), Ok);
        let handle = loaded.map_err(|(error, log)| {
            self.refused_module(error, |message| Error::Ptx { family: family(), message, log })
        })?;
        self.modules.insert(module.name(), handle);
        Ok(handle)
    }

    /// What to make of an error that came out when something was asked of the driver.
    pub(super) fn refused(&self, what: &str, error: DriverError) -> Error {
        of_a_running_gpu(what, self.last_launched, error)
    }

    /// The same, when it was asked to load a module: `otherwise` is about the module.
    fn refused_module(&self, error: DriverError, otherwise: impl FnOnce(String) -> Error) -> Error {
        if is_of_a_launch(error) || is_of_a_lost_gpu(error) {
            self.refused("compile kernels", error)
        } else {
            otherwise(message_of_a_module(error))
        }
    }

    /// Gives all modules back.
    ///
    /// # Safety
    /// Launches of their kernels have ended, and none follows.
    pub(super) unsafe fn unload(&mut self) {
        let own = self.modules.drain().map(|(_, handle)| handle);
        for handle in self.foreign.drain(..).chain(own) {
            // SAFETY: the driver gave the handle; the rest is the caller's promise.
            let _ = unsafe { result::module::unload(handle) };
        }
        self.functions.clear();
    }
}

impl Function {
    fn new(handle: sys::CUfunction, parameters: Option<Vec<usize>>) -> Result<Self> {
        // By the registers that the driver's compiler gave it.
        let most_threads = attribute(handle, FunctionAttribute::CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK)?;
        let fixed_shared = attribute(handle, FunctionAttribute::CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES)? as usize;
        let shared = Limits::BASELINE.shared_bytes.saturating_sub(fixed_shared);
        Ok(Self { handle, most_threads, fixed_shared, shared, parameters })
    }

    /// Checks that there are registers and shared memory for a block, and that a kernel of others has the parameters that
    /// are about to be passed.
    pub(super) fn check(&self, kernel: &'static Kernel, sizes: &Prepared, limits: &Limits, args: &[Arg]) -> Result<()> {
        let (threads, most) = (sizes.block.iter().product(), self.most_threads);
        if threads > most {
            return Err(LaunchError::Registers { kernel: kernel.name, threads, most }.into());
        }
        let (wanted, most) = (self.fixed_shared + sizes.shared, limits.shared_bytes);
        if wanted > most {
            return Err(LaunchError::SharedMemory { kernel: kernel.name, wanted, most }.into());
        }
        let Some(found) = &self.parameters else { return Ok(()) };
        let passed: Vec<usize> = args.iter().flat_map(sizes_of).collect();
        if *found == passed {
            return Ok(());
        }
        Err(Error::Parameters { kernel: kernel.name, found: found.clone(), passed })
    }

    /// Whether a block of so much dynamic shared memory has to be asked for.
    pub(super) fn asks_for(&self, shared: usize) -> bool {
        shared > self.shared
    }
}

/// The sizes of the parameters that an argument becomes.
fn sizes_of(arg: &Arg) -> Vec<usize> {
    match arg {
        Arg::Scalar { size, .. } => vec![*size],
        Arg::Pointer(_) => vec![8],
        Arg::Slice(_) => vec![8, 8],
    }
}

fn find(module: sys::CUmodule, kernel: &'static Kernel) -> Result<sys::CUfunction, DriverError> {
    let name = CString::new(kernel.name).expect("a Rust identifier has no zero byte");
    // SAFETY: the module is loaded.
    unsafe { result::module::get_function(module, name) }
}

/// Has the driver load a module; its error and its log if it refuses.
fn load(image: &[u8]) -> Result<sys::CUmodule, (DriverError, String)> {
    let mut log = vec![0_u8; 16 * 1024];
    let mut options = [JitOption::CU_JIT_ERROR_LOG_BUFFER, JitOption::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES];
    let mut values = [log.as_mut_ptr().cast::<c_void>(), std::ptr::without_provenance_mut(log.len())];
    // PTX ends in a zero byte; machine code says itself how long it is.
    let image = [image, &[0]].concat();
    let mut handle = std::ptr::null_mut();
    // SAFETY: the image ends in a zero byte; options and values agree in number and kind, and the log's
    // buffer is as long as its size says.
    let loaded = unsafe {
        sys::cuModuleLoadDataEx(&raw mut handle, image.as_ptr().cast(), 2, options.as_mut_ptr(), values.as_mut_ptr())
    };
    loaded.result().map_err(|error| {
        let end = log.iter().position(|&byte| byte == 0).unwrap_or(log.len());
        (error, String::from_utf8_lossy(&log[..end]).trim_end().to_owned())
    })?;
    Ok(handle)
}

/// What the driver tells of a kernel.
fn attribute(function: sys::CUfunction, attribute: FunctionAttribute) -> Result<u32> {
    let mut value = 0;
    // SAFETY: the function is of a loaded module, and the pointer is to a local variable.
    unsafe { sys::cuFuncGetAttribute(&raw mut value, attribute, function) }
        .result()
        .map_err(|error| of_a_running_gpu("describe a kernel", "no kernel", error))?;
    Ok(value as u32)
}

/// The sizes of a kernel's parameters, as it declares them.
fn parameter_sizes(function: sys::CUfunction) -> Result<Vec<usize>> {
    let mut sizes = Vec::new();
    loop {
        let (mut offset, mut size) = (0, 0);
        // SAFETY: the function is of a loaded module, and the pointers are to local variables.
        match unsafe { sys::cuFuncGetParamInfo(function, sizes.len(), &raw mut offset, &raw mut size) } {
            sys::CUresult::CUDA_SUCCESS => sizes.push(size),
            // There is no such parameter.
            sys::CUresult::CUDA_ERROR_INVALID_VALUE => return Ok(sizes),
            error => return Err(of_a_running_gpu("describe a kernel", "no kernel", DriverError(error))),
        }
    }
}
