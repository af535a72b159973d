//! Launches that are recorded once and replayed: CUDA graphs.
//!
//! A launch costs the host a few microseconds, a node of a graph the device about one; so iterations of a
//! small set of points, which take no longer than that, are replayed.

use cudarc::driver::{CudaGraph, sys};

use super::Cuda;
use crate::error::Result;
use crate::executor::Recording;

/// A recording of a GPU.
struct Graph<'a> {
    cuda: &'a Cuda,
    graph: CudaGraph,
}

impl Recording for Graph<'_> {
    unsafe fn replay(&self) -> Result<()> {
        self.graph.launch().map_err(self.cuda.refused("replay launches"))
    }
}

/// Records what the work launches; `None` if the driver cannot.
pub(super) fn record<'a>(
    cuda: &'a Cuda,
    work: Box<dyn FnOnce() -> Result<()> + '_>,
) -> Result<Option<Box<dyn Recording + 'a>>> {
    if !cuda.graphs {
        return Ok(None);
    }
    let refused = || cuda.refused("record launches");
    // Other threads may do what they like meanwhile; this one launches and no more.
    let mode = sys::CUstreamCaptureMode_enum::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
    cuda.stream.begin_capture(mode).map_err(refused())?;
    let worked = work();
    // Ended in any case: a stream that records would run nothing any more.
    let graph = cuda.stream.end_capture(sys::CUgraphInstantiate_flags(0));
    worked?;
    let graph = graph.map_err(refused())?;
    Ok(graph.map(|graph| -> Box<dyn Recording + 'a> { Box::new(Graph { cuda, graph }) }))
}
