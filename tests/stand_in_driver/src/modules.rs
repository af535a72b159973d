//! Modules, functions and launches.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_uint, c_void};
use std::slice;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ptx_interpreter::{Grid, LaunchError, Module};

use crate::behaviour::Behaviour;
use crate::driver::{CURRENT, Context, Notices, complain, log, with_context, with_started};
use crate::errors::{Answer, Out, Status, give};

/// CUjit_option: a buffer for what went wrong, and its size.
const ERROR_LOG_BUFFER: c_uint = 5;
const ERROR_LOG_BUFFER_SIZE_BYTES: c_uint = 6;

/// A text of the caller's.
///
/// # Safety
/// The pointer is null, or a zero byte ends the text.
unsafe fn text<'a>(pointer: *const c_char) -> Answer<&'a str> {
    if pointer.is_null() {
        return Err(Status::INVALID_VALUE);
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(pointer) }.to_str().map_err(|_| Status::INVALID_VALUE)
}

#[unsafe(no_mangle)]
extern "C" fn cuModuleLoadDataEx(
    module: Out<usize>,
    image: *const c_char,
    count: c_uint,
    options: *const c_uint,
    values: *mut *mut c_void,
) -> Status {
    with_context(Notices::Perhaps, |behaviour, context| {
        // SAFETY: an image of PTX ends in a zero byte.
        let image = unsafe { text(image) }?;
        match compile(behaviour, context, image) {
            Ok(compiled) => {
                log(format_args!("module of {} bytes with {}", image.len(), entries(image).join(" ")));
                let handle = context.new_handle();
                context.modules.insert(handle, compiled);
                give(module, handle)
            }
            Err((status, words)) => {
                if count > 0 {
                    // SAFETY: the caller gives `count` of each.
                    let (options, values) = unsafe {
                        let count = count as usize;
                        (slice::from_raw_parts(options, count), slice::from_raw_parts_mut(values, count))
                    };
                    write_log(options, values, &words);
                }
                Err(status)
            }
        }
    })
}

/// What was given to linkers, by their handles: such machine code as [`cuModuleLoadDataEx`] takes, that is the PTX text.
static LINKERS: Mutex<BTreeMap<usize, Vec<u8>>> = Mutex::new(BTreeMap::new());

fn linkers() -> MutexGuard<'static, BTreeMap<usize, Vec<u8>>> {
    LINKERS.lock().unwrap_or_else(PoisonError::into_inner)
}

// A linker runs on the processor: its calls are none of those at which a GPU is lost, whichever thread makes them.
#[unsafe(no_mangle)]
extern "C" fn cuLinkCreate_v2(
    _count: c_uint,
    _options: *mut c_uint,
    _values: *mut *mut c_void,
    state: Out<usize>,
) -> Status {
    with_started(|_| {
        if CURRENT.get() == 0 {
            return Err(Status::INVALID_CONTEXT);
        }
        let mut linkers = linkers();
        let handle = linkers.last_key_value().map_or(1, |(last, _)| last + 1);
        linkers.insert(handle, Vec::new());
        give(state, handle)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuLinkAddData_v2(
    state: usize,
    _kind: c_uint,
    data: *const u8,
    size: usize,
    _name: *const c_char,
    _count: c_uint,
    _options: *mut c_uint,
    _values: *mut *mut c_void,
) -> Status {
    with_started(|driver| {
        // SAFETY: the caller's text is as long as it says.
        let given = unsafe { slice::from_raw_parts(data, size) };
        let Some((0, words)) = given.split_last() else { return Err(Status::INVALID_VALUE) };
        let image = std::str::from_utf8(words).map_err(|_| Status::INVALID_VALUE)?;
        if driver.behaviour == Behaviour::NoCompiler {
            return Err(Status::JIT_COMPILER_NOT_FOUND);
        }
        if driver.behaviour == Behaviour::RefusesPtx || Module::parse(image).is_err() {
            return Err(Status::INVALID_PTX);
        }
        log(format_args!("linked {}", entries(image).join(" ")));
        linkers().get_mut(&state).ok_or(Status::INVALID_HANDLE)?.extend(given);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuLinkComplete(state: usize, code: Out<*mut c_void>, size: Out<usize>) -> Status {
    with_started(|_| {
        let linkers = linkers();
        let linked = linkers.get(&state).ok_or(Status::INVALID_HANDLE)?;
        // The memory stays where it is until the linker is destroyed.
        give(code, linked.as_ptr().cast_mut().cast())?;
        give(size, linked.len())
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuLinkDestroy(state: usize) -> Status {
    with_started(|_| linkers().remove(&state).map(drop).ok_or(Status::INVALID_HANDLE))
}

/// The kernels of a PTX text.
fn entries(image: &str) -> Vec<&str> {
    let names = image.split(".entry ").skip(1);
    names.filter_map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()).collect()
}

/// CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK.
const MAX_THREADS_PER_BLOCK: c_uint = 0;

/// The most threads of a block: as if no kernel had registers for more.
const MOST_THREADS: c_uint = 640;

/// A module of a PTX text that this GPU and driver take, or the error and the log.
fn compile(behaviour: Behaviour, context: &Context, image: &str) -> Result<Module, (Status, String)> {
    let log = |line, kind, words: &str| format!("ptxas application ptx input, line {line}; {kind}   : {words}");
    if behaviour == Behaviour::RefusesPtx {
        let words = "Parsing error near 'shfl': syntax error";
        return Err((Status::INVALID_PTX, format!("{}\n", log(42, "fatal", words))));
    }
    if behaviour == Behaviour::NoCompiler {
        return Err((Status::JIT_COMPILER_NOT_FOUND, String::new()));
    }
    let module = Module::parse(image).map_err(|error| (Status::INVALID_PTX, error.to_string()))?;
    let version = behaviour.version();
    if module.version() > ((version / 1000 - 4) as u32, (version % 1000 / 10) as u32) {
        let (major, minor) = module.version();
        let words = format!("Unsupported .version {major}.{minor}");
        return Err((Status::UNSUPPORTED_PTX_VERSION, log(1, "fatal", &words)));
    }
    let (major, minor) = behaviour.devices()[context.device];
    let target = module.target().trim_start_matches("sm_");
    let exact = target.strip_suffix('a');
    let wanted = exact.unwrap_or(target).parse::<i32>();
    let fits = |wanted| if exact.is_some() { wanted == 10 * major + minor } else { wanted <= 10 * major + minor };
    if wanted.is_ok_and(|wanted| !fits(wanted)) {
        let words = format!("SM version specified by .target is not one that {major}.{minor} runs");
        return Err((Status::INVALID_PTX, log(2, "fatal", &words)));
    }
    Ok(module)
}

/// Writes what went wrong where the program asked for it.
fn write_log(options: &[c_uint], values: &mut [*mut c_void], words: &str) {
    let position = |wanted| options.iter().position(|option| *option == wanted);
    let (Some(buffer), Some(size)) = (position(ERROR_LOG_BUFFER), position(ERROR_LOG_BUFFER_SIZE_BYTES)) else {
        return;
    };
    // A size stands in the place of a pointer, and the driver writes there how much it used.
    let room = values[size].addr();
    let length = words.len().min(room.saturating_sub(1));
    let start: *mut u8 = values[buffer].cast();
    if !start.is_null() && room > 0 {
        // SAFETY: the caller's buffer has `room` bytes, and `length` is less.
        unsafe {
            start.copy_from_nonoverlapping(words.as_ptr(), length);
            start.add(length).write(0);
        }
    }
    values[size] = std::ptr::without_provenance_mut(length);
}

#[unsafe(no_mangle)]
extern "C" fn cuModuleGetFunction(function: Out<usize>, module: usize, name: *const c_char) -> Status {
    with_context(Notices::Perhaps, |_, context| {
        // SAFETY: the caller's name ends in a zero byte.
        let name = unsafe { text(name) }?;
        let found = context.modules.get(&module).ok_or(Status::INVALID_HANDLE)?.kernel(name);
        found.ok_or(Status::NOT_FOUND)?;
        let handle = context.new_handle();
        context.functions.insert(handle, (module, name.to_owned()));
        give(function, handle)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuFuncGetParamInfo(function: usize, index: usize, offset: Out<usize>, size: Out<usize>) -> Status {
    with_context(Notices::Perhaps, |_, context| {
        let (module, name) = context.functions.get(&function).ok_or(Status::INVALID_HANDLE)?;
        let kernel = context.modules[module].kernel(name).ok_or(Status::NOT_FOUND)?;
        let parameter = kernel.parameters().get(index).ok_or(Status::INVALID_VALUE)?;
        give(offset, parameter.offset as usize)?;
        give(size, parameter.size as usize)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuFuncGetAttribute(value: Out<c_uint>, attribute: c_uint, function: usize) -> Status {
    with_context(Notices::Perhaps, |_, context| {
        let fixed = context.fixed_shared(function)?;
        match attribute {
            MAX_THREADS_PER_BLOCK => give(value, MOST_THREADS),
            SHARED_SIZE => give(value, fixed),
            _ => Err(Status::INVALID_VALUE),
        }
    })
}

/// CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES.
const SHARED_SIZE: c_uint = 1;

/// CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES.
const MAX_DYNAMIC_SHARED: c_uint = 8;

/// What a block may have of shared memory unless more is asked for its kernel.
const SHARED_UNASKED: c_uint = 48 << 10;

#[unsafe(no_mangle)]
extern "C" fn cuFuncSetAttribute(function: usize, attribute: c_uint, value: c_uint) -> Status {
    with_context(Notices::Perhaps, |behaviour, context| {
        let fixed = context.fixed_shared(function)?;
        if attribute != MAX_DYNAMIC_SHARED || value as usize + fixed as usize > behaviour.shared() {
            return Err(Status::INVALID_VALUE);
        }
        let (_, name) = &context.functions[&function];
        log(format_args!("{value} bytes of shared memory for {name}"));
        context.raised.insert(function, value);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuModuleUnload(module: usize) -> Status {
    with_context(Notices::Perhaps, |_, context| {
        context.functions.retain(|_, (owner, _)| *owner != module);
        context.modules.remove(&module).map(drop).ok_or(Status::INVALID_HANDLE)
    })
}

/// A launch with its arguments, which are copied when it is made.
#[derive(Clone)]
pub(crate) struct Launch {
    module: usize,
    name: String,
    grid: Grid,
    arguments: Vec<u8>,
}

impl Context {
    /// The bytes of shared memory of a fixed size that a kernel has.
    fn fixed_shared(&self, function: usize) -> Answer<c_uint> {
        let (module, name) = self.functions.get(&function).ok_or(Status::INVALID_HANDLE)?;
        Ok(self.modules[module].kernel(name).ok_or(Status::NOT_FOUND)?.static_shared())
    }

    /// Runs a launch.
    pub(crate) fn launch(&mut self, behaviour: Behaviour, launch: &Launch) -> Answer {
        self.launches += 1;
        match behaviour {
            Behaviour::LaunchFails => return Err(Status::LAUNCH_OUT_OF_RESOURCES),
            Behaviour::KernelFails(launch) if self.launches < launch => {}
            Behaviour::KernelFails(_) | Behaviour::KernelFailsSoon => self.pending = Some(Status::ILLEGAL_ADDRESS),
            _ => {}
        }
        if self.pending.is_some() {
            return Ok(());
        }
        if self.logged.insert(launch.name.clone()) {
            log(format_args!("launch {}", launch.name));
        }
        let module = self.modules.get(&launch.module).ok_or(Status::INVALID_HANDLE)?;
        match self.gpu.launch_buffer(module, &launch.name, launch.grid, &launch.arguments) {
            Ok(_) => Ok(()),
            Err(LaunchError::Fault(fault)) => {
                complain(fault);
                self.pending = Some(Status::LAUNCH_FAILED);
                Ok(())
            }
            Err(other) => {
                complain(other);
                Err(Status::INVALID_VALUE)
            }
        }
    }
}

#[unsafe(no_mangle)]
extern "C" fn cuLaunchKernel(
    function: usize,
    grid_x: c_uint,
    grid_y: c_uint,
    grid_z: c_uint,
    block_x: c_uint,
    block_y: c_uint,
    block_z: c_uint,
    dynamic_shared: c_uint,
    stream: usize,
    parameters: *const *const c_void,
    extra: *const *const c_void,
) -> Status {
    with_context(Notices::Perhaps, |behaviour, context| {
        let (module, name) = context.functions.get(&function).ok_or(Status::INVALID_HANDLE)?.clone();
        let kernel = context.modules[&module].kernel(&name).ok_or(Status::NOT_FOUND)?;
        if block_x * block_y * block_z > MOST_THREADS {
            return Err(Status::LAUNCH_OUT_OF_RESOURCES);
        }
        let unasked = SHARED_UNASKED.saturating_sub(context.fixed_shared(function)?);
        if dynamic_shared > context.raised.get(&function).copied().unwrap_or(unasked) {
            return Err(Status::INVALID_VALUE);
        }
        let grid = Grid { grid: [grid_x, grid_y, grid_z], block: [block_x, block_y, block_z], dynamic_shared };
        let bytes = kernel.parameters().last().map_or(0, |last| (last.offset + last.size) as usize);
        if !extra.is_null() || parameters.is_null() && bytes > 0 {
            return Err(Status::INVALID_VALUE);
        }
        let mut arguments = vec![0; bytes];
        for (index, parameter) in kernel.parameters().iter().enumerate() {
            let place = &mut arguments[parameter.offset as usize..][..parameter.size as usize];
            // SAFETY: the caller gives a pointer for each of the kernel's parameters, to a value of its size.
            place.copy_from_slice(unsafe { slice::from_raw_parts((*parameters.add(index)).cast(), place.len()) });
        }
        let launch = Launch { module, name, grid, arguments };
        if context.graphs.records(stream) {
            context.graphs.push(stream, launch);
            return Ok(());
        }
        context.check_stream(stream)?;
        log(format_args!("plain launch of {} in blocks of {}", launch.name, block_x * block_y * block_z));
        context.launch(behaviour, &launch)
    })
}
