//! The driver's state, and what calls have in common.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::sync::{LazyLock, Mutex, PoisonError};

use ptx_interpreter::{Gpu, Limits, Module};

use crate::behaviour::{Behaviour, Lost};
use crate::errors::{Answer, Status};
use crate::events::Event;
use crate::graphs::Graphs;

/// Everything that the driver knows.
pub(crate) struct Driver {
    pub(crate) behaviour: Behaviour,
    pub(crate) started: bool,
    /// The primary context of each device, while someone retains it.
    pub(crate) contexts: Vec<Option<Context>>,
}

/// A device's primary context, with all that was made in it.
#[derive(Default)]
pub(crate) struct Context {
    pub(crate) device: usize,
    pub(crate) retained: usize,
    pub(crate) gpu: Gpu,
    /// Sizes of allocations, by their addresses.
    pub(crate) allocations: HashMap<u64, usize>,
    pub(crate) memory_was_refused: bool,
    pub(crate) streams: HashSet<usize>,
    /// Copies to pinned memory, of which the program may use nothing before it waits: where to, and what.
    pub(crate) copies: Vec<(usize, Vec<u8>)>,
    pub(crate) events: HashMap<usize, Event>,
    pub(crate) modules: HashMap<usize, Module>,
    pub(crate) graphs: Graphs,
    /// The module and name of each function.
    pub(crate) functions: HashMap<usize, (usize, String)>,
    /// Bytes of dynamic shared memory of functions that were given more than any may have.
    pub(crate) raised: HashMap<usize, u32>,
    handles: usize,
    /// How many calls there were.
    calls: usize,
    /// Kernels whose names were logged.
    pub(crate) logged: HashSet<String>,
    /// How many launches.
    pub(crate) launches: usize,
    /// A failed launch that the program has not been told of.
    pub(crate) pending: Option<Status>,
    /// One that it has: every call says so from then on.
    failed: Option<Status>,
}

/// When a call tells of an earlier launch that failed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notices {
    /// It waits for launches.
    Always,
    /// It does not, but may come late enough.
    Perhaps,
}

thread_local! {
    /// The context that is current in this thread: 1 more than its device's number, or 0.
    pub(crate) static CURRENT: Cell<usize> = const { Cell::new(0) };
}

static DRIVER: LazyLock<Mutex<Driver>> = LazyLock::new(|| {
    let behaviour = Behaviour::from_environment();
    let contexts = behaviour.devices().iter().map(|_| None).collect();
    Mutex::new(Driver { behaviour, started: false, contexts })
});

/// Tells whoever wrote the program what it did wrong.
pub(crate) fn complain(what: impl std::fmt::Display) {
    eprintln!("stand-in driver: {what}");
}

/// Adds a line to the file that `STAND_IN_LOG` names, if it does.
pub(crate) fn log(line: std::fmt::Arguments<'_>) {
    let Some(path) = std::env::var_os("STAND_IN_LOG") else { return };
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
    // One write, so that programs that run at once do not mix their lines.
    if let Err(error) = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes())) {
        complain(format_args!("the log cannot be written: {error}"));
    }
}

/// A call that needs nothing but a driver.
pub(crate) fn with_driver(call: impl FnOnce(&mut Driver) -> Answer) -> Status {
    call(&mut DRIVER.lock().unwrap_or_else(PoisonError::into_inner)).into()
}

/// A call that needs the driver to be started.
pub(crate) fn with_started(call: impl FnOnce(&mut Driver) -> Answer) -> Status {
    with_driver(|driver| match driver.started {
        true => call(driver),
        false => Err(Status::NOT_INITIALIZED),
    })
}

/// A call that needs a current context, which has not failed.
pub(crate) fn with_context(notices: Notices, call: impl FnOnce(Behaviour, &mut Context) -> Answer) -> Status {
    with_started(|driver| {
        let current = CURRENT.get().checked_sub(1).ok_or(Status::INVALID_CONTEXT)?;
        let context = driver.contexts[current].as_mut().ok_or(Status::INVALID_CONTEXT)?;
        if notices == Notices::Always {
            context.end_copies();
        }
        if notices == Notices::Always || driver.behaviour == Behaviour::KernelFailsSoon {
            context.failed = context.failed.or(context.pending);
        }
        context.calls += 1;
        if let Behaviour::Lost(Lost { error, call }) = driver.behaviour
            && context.calls >= call
        {
            context.failed = Some(error);
        }
        match context.failed {
            Some(status) => Err(status),
            None => call(driver.behaviour, context),
        }
    })
}

impl Context {
    pub(crate) fn new(device: usize) -> Self {
        let mut context = Self { device, ..Self::default() };
        context.gpu.options.limits = Limits::for_target("sm_90");
        context
    }

    /// A handle that no other object has, of this context or another's.
    pub(crate) fn new_handle(&mut self) -> usize {
        self.handles += 1;
        ((self.device + 1) << 32) + self.handles
    }

    /// Checks that the program made a stream, and did not destroy it.
    pub(crate) fn check_stream(&self, stream: usize) -> Answer {
        // Zero is the default stream.
        if stream != 0 && !self.streams.contains(&stream) {
            return Err(Status::INVALID_HANDLE);
        }
        // Only launches are recorded here.
        if self.graphs.records(stream) { Err(Status::STREAM_CAPTURE_UNSUPPORTED) } else { Ok(()) }
    }

    /// Ends the copies that are under way.
    fn end_copies(&mut self) {
        for (to, bytes) in self.copies.drain(..) {
            crate::host_memory::write(to, &bytes);
        }
    }

    /// Says what the program should have given back before, where it could.
    pub(crate) fn complain_of_leaks(&self) {
        let left = [
            ("allocations", self.allocations.len()),
            ("streams", self.streams.len()),
            ("events", self.events.len()),
            ("pinned blocks", crate::host_memory::left()),
            ("modules", self.modules.len()),
            ("graphs", self.graphs.left()),
        ];
        // What is left in a context that has failed cannot be freed.
        for (what, count) in left.into_iter().filter(|left| left.1 > 0 && self.failed.is_none()) {
            complain(format_args!("{count} {what} are left when the context ends"));
        }
        if self.failed.is_some() {
            crate::host_memory::forget();
        }
    }
}
