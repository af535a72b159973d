//! The kernels of modeseek: one source for PTX and for the processor.
//!
//! | kernels | file | what | shapes |
//! |---|---|---|---|
//! | `axpy` | `vector.rs` | `out += a x` | `x`, `out`: any length |
//! | `to_columns`, `to_rows` | `layout.rs` | transposes and scales | rows `n x d`, columns `d x stride` |
//! | `matmul_naive`, `matmul_tiled` | `matmul.rs` | `C = A B` | `m x k`, `k x n`, `m x n` |
//! | `pairwise_{squared_l2,l2,l1,lp}` | `pairwise.rs` | distances of all pairs of rows | `m x d`, `n x d`, `m x n` |
//! | `weight_{gaussian,triangular,flat}` | `weight.rs` | weights of distances, in place | any length |
//! | `reduce_weighted_{1,2,3,4}` | `reduce.rs` | `(W X) / rowsum(W)` | `m x n`, `n x d`, `m x d` |
//! | `step_largest` | `step.rs` | `max_i |a_i - b_i|^2` | `n x d` twice |
//! | `shift_{gaussian,triangular,flat}_{1,2,3,4,any}` | `shift.rs`, `shift_any.rs` | a whole mean-shift step, no distance stored | `d x stride` |
//! | `ceiling_{copy,fma,ex2,mma}` | `ceilings.rs` | a machine's own limits, for benchmarks | any length |
//!
//! Matrices are stored by rows, densely, unless a file says otherwise. Sizes: n points, d dimensions,
//! h bandwidth; m, n, k of a product. Every kernel's oracle, in f64, is the function of the same
//! family in the library's `reference.rs`, and the conformance suite compares the two on every machine.
//!
//! How to add one: `docs/writing-kernels.md`.
#![cfg_attr(target_arch = "nvptx64", no_std)]
#![cfg_attr(target_arch = "nvptx64", feature(abi_ptx, asm_experimental_arch))]
// What only a launch shape mentions is unused in the PTX.
#![cfg_attr(target_arch = "nvptx64", allow(dead_code))]
// Lanes and coordinates index several arrays at once, which an iterator over one of them would hide.
#![allow(clippy::needless_range_loop)]

pub mod ceilings;
mod lanes;
pub mod layout;
pub mod matmul;
pub mod pairwise;
pub mod reduce;
pub mod shift;
pub mod shift_any;
pub mod step;
pub mod vector;
pub mod weight;
