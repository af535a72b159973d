//! Graphs: launches that are recorded from a stream, and replayed.

use std::collections::HashMap;
use std::ffi::{c_uint, c_ulonglong};

use crate::driver::{Notices, log, with_context};
use crate::errors::{Out, Status, give};
use crate::modules::Launch;

/// Recordings of a context.
#[derive(Default)]
pub(crate) struct Graphs {
    /// The stream that records, and what it has so far.
    recording: Option<(usize, Vec<Launch>)>,
    graphs: HashMap<usize, Vec<Launch>>,
    executable: HashMap<usize, Vec<Launch>>,
}

impl Graphs {
    /// Whether launches on the stream are recorded, and not run.
    pub(crate) fn records(&self, stream: usize) -> bool {
        self.recording.as_ref().is_some_and(|(recording, _)| *recording == stream)
    }

    /// Records a launch on the stream that does.
    pub(crate) fn push(&mut self, launch: Launch) {
        if let Some((_, launches)) = &mut self.recording {
            launches.push(launch);
        }
    }

    /// How many were never destroyed.
    pub(crate) fn left(&self) -> usize {
        self.graphs.len() + self.executable.len()
    }
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamBeginCapture_v2(stream: usize, _mode: c_uint) -> Status {
    with_context(Notices::Perhaps, |_, context| {
        // The default stream cannot record.
        if stream == 0 || context.graphs.recording.is_some() {
            return Err(Status::STREAM_CAPTURE_UNSUPPORTED);
        }
        context.check_stream(stream)?;
        context.graphs.recording = Some((stream, Vec::new()));
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamEndCapture(stream: usize, graph: Out<usize>) -> Status {
    with_context(Notices::Perhaps, |_, context| {
        if !context.graphs.records(stream) {
            return Err(Status::INVALID_VALUE);
        }
        let (_, launches) = context.graphs.recording.take().ok_or(Status::INVALID_VALUE)?;
        let handle = context.new_handle();
        context.graphs.graphs.insert(handle, launches);
        give(graph, handle)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuGraphInstantiateWithFlags(executable: Out<usize>, graph: usize, _flags: c_ulonglong) -> Status {
    with_context(Notices::Perhaps, |_, context| {
        let launches = context.graphs.graphs.get(&graph).ok_or(Status::INVALID_HANDLE)?.clone();
        let handle = context.new_handle();
        context.graphs.executable.insert(handle, launches);
        give(executable, handle)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuGraphLaunch(executable: usize, stream: usize) -> Status {
    with_context(Notices::Perhaps, |behaviour, context| {
        context.check_stream(stream)?;
        let launches = context.graphs.executable.get(&executable).ok_or(Status::INVALID_HANDLE)?.clone();
        log(format_args!("graph of {} launches", launches.len()));
        launches.iter().try_for_each(|launch| context.launch(behaviour, launch))
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuGraphDestroy(graph: usize) -> Status {
    with_context(Notices::Perhaps, |_, context| {
        context.graphs.graphs.remove(&graph).map(drop).ok_or(Status::INVALID_HANDLE)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuGraphExecDestroy(executable: usize) -> Status {
    with_context(Notices::Perhaps, |_, context| {
        context.graphs.executable.remove(&executable).map(drop).ok_or(Status::INVALID_HANDLE)
    })
}
