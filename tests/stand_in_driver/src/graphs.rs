//! Graphs: launches that are recorded from a stream, and replayed.

use std::collections::HashMap;
use std::ffi::{c_uint, c_ulonglong};

use crate::behaviour::Behaviour;
use crate::driver::{Notices, log, with_context};
use crate::errors::{Out, Status, give};
use crate::modules::Launch;

/// Recordings of a context.
#[derive(Default)]
pub(crate) struct Graphs {
    /// The streams that record, and what they have so far.
    recording: HashMap<usize, Vec<Launch>>,
    graphs: HashMap<usize, Vec<Launch>>,
    executable: HashMap<usize, Vec<Launch>>,
}

impl Graphs {
    /// Whether launches on the stream are recorded, and not run.
    pub(crate) fn records(&self, stream: usize) -> bool {
        self.recording.contains_key(&stream)
    }

    /// Records a launch on a stream that does.
    pub(crate) fn push(&mut self, stream: usize, launch: Launch) {
        if let Some(launches) = self.recording.get_mut(&stream) {
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
        if stream == 0 {
            return Err(Status::STREAM_CAPTURE_UNSUPPORTED);
        }
        context.check_stream(stream)?;
        context.graphs.recording.insert(stream, Vec::new());
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuStreamEndCapture(stream: usize, graph: Out<usize>) -> Status {
    with_context(Notices::Perhaps, |behaviour, context| {
        let launches = context.graphs.recording.remove(&stream).ok_or(Status::INVALID_VALUE)?;
        if behaviour == Behaviour::RecordingFails {
            return Err(Status::STREAM_CAPTURE_INVALIDATED);
        }
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
