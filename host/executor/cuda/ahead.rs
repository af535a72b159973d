//! Modules that are compiled before they are wanted, several at a time.
//!
//! A driver compiles one module at a time where modules are loaded, whatever the threads: the 28 of the main job took an H200's
//! 615 ms by one thread, 825 by eight. What its linker is given it compiles in each thread that asks: 742 ms by one, 131 by eight,
//! 102 by sixteen; the machine code is then loaded like any other. So what a run is going to launch is linked in threads, while the
//! first of it runs. The driver keeps what it has linked for the next process, and takes some 0.4 ms to find a module there again.
//!
//! `MODESEEK_COMPILE_THREADS` says how many threads at most; with 0 each module is compiled when it is wanted.

use std::collections::{HashMap, VecDeque};
use std::ffi::c_void;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, available_parallelism};

use cudarc::driver::{CudaContext, sys};

use super::driver::{LINKER, require};
use crate::executor::ptx::PtxModule;

/// Threads beyond which there is little to gain, and the next process, for which everything is kept, waits for them.
const MOST_THREADS: usize = 8;

/// Modules on their way.
pub(super) struct Ahead {
    context: Arc<CudaContext>,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// The most threads; none where the driver has no linker.
    most: usize,
}

#[derive(Default)]
struct Shared {
    modules: Mutex<Modules>,
    /// Told when a module is there.
    there: Condvar,
}

#[derive(Default)]
struct Modules {
    queue: VecDeque<&'static PtxModule>,
    /// Those that were begun: machine code when it is there, nothing of it if the driver's linker refused.
    begun: HashMap<&'static str, Option<Option<Vec<u8>>>>,
}

impl Ahead {
    /// Nothing yet.
    pub(super) fn new(context: Arc<CudaContext>) -> Self {
        let most = if require(&LINKER).is_ok() { threads() } else { 0 };
        Self { context, shared: Arc::default(), threads: Vec::new(), most }
    }

    /// Begins to compile modules that nobody has asked for yet.
    pub(super) fn begin(&mut self, wanted: impl Iterator<Item = &'static PtxModule>) {
        if self.most == 0 {
            return;
        }
        let waiting = {
            let mut modules = self.shared.lock();
            for module in wanted {
                let waits = modules.queue.iter().any(|waiting| waiting.name() == module.name());
                if !waits && !modules.begun.contains_key(module.name()) {
                    modules.queue.push_back(module);
                }
            }
            modules.queue.len()
        };
        self.threads.retain(|thread| !thread.is_finished());
        for _ in self.threads.len()..self.most.min(waiting) {
            let (context, shared) = (Arc::clone(&self.context), Arc::clone(&self.shared));
            let named = std::thread::Builder::new().name("compile kernels".to_owned());
            // Without a thread more the others do what there is, or whoever wants a kernel.
            let Ok(thread) = named.spawn(move || shared.work(&context)) else { break };
            self.threads.push(thread);
        }
    }

    /// The machine code of a module that was begun, waited for if need be. Whoever gets none compiles it.
    pub(super) fn take(&self, module: &'static PtxModule) -> Option<Vec<u8>> {
        let mut modules = self.shared.lock();
        if let Some(at) = modules.queue.iter().position(|waiting| waiting.name() == module.name()) {
            // Sooner than behind all that is in front of it.
            modules.queue.remove(at);
            drop(modules);
            return link(module.text);
        }
        loop {
            match modules.begun.remove(module.name())? {
                Some(code) => return code,
                None => {
                    modules.begun.insert(module.name(), None);
                    modules = self.shared.there.wait(modules).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.shared.lock().queue.clear();
        for thread in self.threads.drain(..) {
            // It cannot have panicked: nothing in it does.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Modules> {
        self.modules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compiles until nothing is left.
    fn work(&self, context: &CudaContext) {
        if context.bind_to_thread().is_err() {
            // A lost GPU says so to whoever asks next.
            return;
        }
        loop {
            let module = {
                let mut modules = self.lock();
                let Some(module) = modules.queue.pop_front() else { return };
                modules.begun.insert(module.name(), None);
                module
            };
            let code = link(module.text);
            self.lock().begun.insert(module.name(), Some(code));
            self.there.notify_all();
        }
    }
}

/// As many threads as the environment says, or the processor has.
fn threads() -> usize {
    let told = std::env::var("MODESEEK_COMPILE_THREADS").ok().and_then(|told| told.parse().ok());
    told.unwrap_or_else(|| available_parallelism().map_or(1, usize::from).min(MOST_THREADS))
}

/// A PTX text as machine code, by the driver's linker, for the GPU whose context is this thread's. What it refuses is left to be
/// loaded, which says why.
fn link(text: &str) -> Option<Vec<u8>> {
    /// Gives the linker back, and with it the machine code.
    struct State(sys::CUlinkState);

    impl Drop for State {
        fn drop(&mut self) {
            // SAFETY: the driver gave it, and nobody has it any more.
            let _ = unsafe { sys::cuLinkDestroy(self.0) };
        }
    }

    let (none, no_values) = (std::ptr::null_mut(), std::ptr::null_mut());
    let mut handle = std::ptr::null_mut();
    // SAFETY: there are no options, and the pointer is to a local variable.
    unsafe { sys::cuLinkCreate_v2(0, none, no_values, &raw mut handle) }.result().ok()?;
    let state = State(handle);
    // PTX ends in a zero byte.
    let text = [text.as_bytes(), &[0]].concat();
    let (kind, data) = (sys::CUjitInputType::CU_JIT_INPUT_PTX, text.as_ptr().cast_mut().cast::<c_void>());
    // SAFETY: the text is as long as it says; the driver only reads it, and keeps no pointer to it.
    unsafe { sys::cuLinkAddData_v2(state.0, kind, data, text.len(), c"kernels".as_ptr(), 0, none, no_values) }
        .result()
        .ok()?;
    let (mut code, mut bytes) = (std::ptr::null_mut::<c_void>(), 0_usize);
    // SAFETY: the pointers are to local variables.
    unsafe { sys::cuLinkComplete(state.0, &raw mut code, &raw mut bytes) }.result().ok()?;
    // SAFETY: the driver's memory, so many bytes, lives as long as the linker.
    Some(unsafe { std::slice::from_raw_parts(code.cast::<u8>(), bytes) }.to_vec())
}
