//! Launches that are recorded once and replayed: CUDA graphs.
//!
//! A launch costs the host a few microseconds, a node of a graph the device about one; so iterations of a
//! small set of points, which take no longer than that, are replayed.
//!
//! Launches are recorded from a stream of their own, so that other threads may launch, copy and wait meanwhile.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use cudarc::driver::{CudaGraph, CudaStream, result, sys};

use super::Cuda;
use super::errors::is_of_a_recording;
use crate::error::Result;
use crate::executor::Recording;

/// What launches are recorded from.
pub(super) struct Recorder {
    stream: Arc<CudaStream>,
    /// Held while a thread records.
    turn: Mutex<()>,
    /// The thread that does.
    thread: Mutex<Option<ThreadId>>,
}

impl Recorder {
    pub(super) fn new(stream: Arc<CudaStream>) -> Self {
        Self { stream, turn: Mutex::default(), thread: Mutex::default() }
    }

    /// The stream that this thread launches on, which otherwise is `usual`.
    pub(super) fn stream_or<'a>(&'a self, usual: &'a CudaStream) -> &'a CudaStream {
        if *self.thread() == Some(thread::current().id()) { &self.stream } else { usual }
    }

    fn thread(&self) -> MutexGuard<'_, Option<ThreadId>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does some work whose launches are recorded.
    fn listen(&self, work: impl FnOnce() -> Result<()>) -> Result<()> {
        /// Whatever the work does, this thread launches as usual afterwards.
        struct Listening<'a>(&'a Recorder);
        impl Drop for Listening<'_> {
            fn drop(&mut self) {
                *self.0.thread() = None;
            }
        }
        *self.thread() = Some(thread::current().id());
        let _listening = Listening(self);
        work()
    }
}

/// A recording of a GPU.
struct Graph<'a> {
    cuda: &'a Cuda,
    graph: CudaGraph,
}

impl Recording for Graph<'_> {
    unsafe fn replay(&self) -> Result<()> {
        self.cuda.enter()?;
        // SAFETY: the graph lives, and is launched by one thread: a recording is not shared. The caller promises the rest.
        unsafe { result::graph::launch(self.graph.cu_graph_exec(), self.cuda.stream.cu_stream()) }
            .map_err(self.cuda.refused("replay launches"))
    }
}

/// Records what the work launches; `None` if the driver cannot, or something else came between: nothing has run then.
pub(super) fn record<'a>(
    cuda: &'a Cuda,
    work: Box<dyn FnOnce() -> Result<()> + '_>,
) -> Result<Option<Box<dyn Recording + 'a>>> {
    let Some(recorder) = &cuda.recorder else { return Ok(None) };
    let _turn = recorder.turn.lock().unwrap_or_else(PoisonError::into_inner);
    let refused = || cuda.refused("record launches");
    // Other threads may do what they like meanwhile; this one launches and no more.
    let mode = sys::CUstreamCaptureMode_enum::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
    match recorder.stream.begin_capture(mode) {
        Err(error) if is_of_a_recording(error) => return Ok(None),
        begun => begun.map_err(refused())?,
    }
    // Ended in any case: a stream that records would run nothing any more.
    let worked = catch_unwind(AssertUnwindSafe(|| recorder.listen(work)));
    let graph = recorder.stream.end_capture(sys::CUgraphInstantiate_flags(0));
    let worked = worked.unwrap_or_else(|panic| resume_unwind(panic));
    // Before what the work says, which may be that it was refused a launch for this very reason.
    if graph.as_ref().is_err_and(|error| is_of_a_recording(*error)) {
        return Ok(None);
    }
    worked?;
    let graph = graph.map_err(refused())?;
    Ok(graph.map(|graph| -> Box<dyn Recording + 'a> { Box::new(Graph { cuda, graph }) }))
}
