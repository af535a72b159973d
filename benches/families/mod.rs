//! The kernels by family: inputs, comparison with the oracle at the timed size and a small one, timing.

pub mod distances;
pub mod matmul;
pub mod shift;
pub mod small;
