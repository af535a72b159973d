//! The `#[kernel]` attribute of `cuda_std`. Its documentation stands there.

mod attributes;
mod expand;
mod formula;
mod parameters;

use proc_macro::TokenStream;
use syn::{ItemFn, parse_macro_input};

/// Makes a kernel of a function.
///
/// The function `axpy` becomes a module `axpy` that holds
/// - the entry of the PTX, when compiling for a GPU: `axpy(…)` with each slice split into address and length;
/// - its code for processors, compiled for several kinds of them, of which the best is taken at run time;
/// - `axpy::KERNEL`, what the host must know of it;
/// - `axpy::launch(…)`, which takes arguments of the kernel's types and gives a launch for an executor.
///
/// The function stands in a module, not within another function: the modules made of it see what is
/// in scope there.
///
/// # Parameters
/// | in the kernel | at the launch |
/// |---|---|
/// | `x: &[T]`, `x: *const T` | `&impl DeviceSlice<T>` |
/// | `out: DisjointMut<T>`, `out: *mut T` | `&mut impl DeviceSliceMut<T>` |
/// | `n: u32` or another number | the number |
///
/// # Launch shape
/// Written once, beside the kernel; executors ask for it and check it before each launch.
/// - `block = 256` or `block = (16, 16)`: threads of a block. Default `Machine::BLOCK`.
/// - `threads = 32..=1024`: a one-dimensional block may be overridden within these bounds, in whole warps; they are multiples
///   of 32 themselves. Without it the block is fixed, and so is one of several directions.
/// - `grid = formula` or `grid = (x, y)`: blocks. Default: as many as cover the first `DisjointMut`.
/// - `shared = formula`: bytes of dynamic shared memory of a block.
/// - `require(relation, …)`: what must hold among the arguments, such as `out.len() >= m * n`.
///
/// In the formulas slices have `len()` and `is_aligned(bytes)`, unsigned parameters are widened to `usize`, `block.x` is the
/// block's width (so no parameter is called `block`), and `Machine` the machine that will run it. Sums, products, powers and
/// shifts are as large as can be where they are too large, and a launch whose formula has no result is refused; operators and
/// methods of which that is not known do not compile, nor do macros, and functions see to it themselves. Known are
/// - the operators `+ - * / % << >>`, comparisons, `&& || !` and `& | ^`, and casts with `as`;
/// - of slices `len`, `is_aligned`;
/// - of numbers `min`, `max`, `div_ceil`, `next_multiple_of`, `pow`, `is_multiple_of`, `is_power_of_two`, `abs_diff`,
///   `saturating_add`, `saturating_sub`, `saturating_mul`, `count_ones`, `leading_zeros`, `trailing_zeros`, `is_finite`, `is_nan`.
///
/// What the body needs of sizes that the formulas mention is said by `require`: that what it writes fits into `shared`, that the
/// grid covers the output. A cell that no thread reaches keeps what it had.
///
/// # Instances
/// A generic kernel is compiled for the arguments that are named:
/// `instances(shift_gaussian_2<Gaussian, 2>, shift_flat_2<Flat, 2>)`. Within the body the parameters are
/// plain names, so that `[f32; D * Machine::LANES]` is a type.
///
/// # Code for the GPU
/// A driver compiles a kernel when it is launched first, and takes longer the more code it makes of it.
/// - `rolled`: it leaves loops as they are in the PTX. For a kernel whose hot loop LLVM has unrolled as far as it should be;
///   for some instances alone if it stands before those, as in `instances(rolled shift_1<1>, shift_4<4>)`.
/// - `small`: LLVM leaves them, too, and optimises for size. For a kernel that is soon done. The crate of kernels needs
///   `#![cfg_attr(target_arch = "nvptx64", feature(optimize_attribute))]`.
/// - `registers = 168`: it gives a thread 168 registers at most, and plans for as many; for some instances as
///   `instances(registers(168) shift_1<1>)`. The driver does not know how many blocks are to be on a multiprocessor. A bound keeps
///   it from taking a few more than they have, and lets it take all of those: left to itself it may save them for more threads at
///   a time, and has loads and exponentials waited for at once. What does not fit at all is spilled. Blocks are then of 65,536 / 168
///   threads at most, whatever `threads` says.
///
/// # Architectures
/// - `only = "sm_90a"`: the kernel is in the PTX for this architecture alone, which runs on no other GPU, not even a newer one.
///   For instructions that one generation has. The module is compiled for no other:
///   `#[cfg(any(not(target_arch = "nvptx64"), target_feature = "sm_90a"))]`.
///
/// # Example
/// ```
/// use cuda_std::prelude::*;
///
/// /// out[i] = a * x[i] + out[i].
/// #[kernel(threads = 32..=1024, require(x.len() == out.len()))]
/// pub unsafe fn axpy(a: f32, x: &[f32], mut out: DisjointMut<f32>) {
///     if let Some(out) = out.own() {
///         *out = Machine::mul_add(a, x[thread::index_1d()], *out);
///     }
/// }
///
/// # fn main() {
/// assert_eq!(axpy::KERNEL.name, "axpy");
/// # }
/// ```
#[proc_macro_attribute]
pub fn kernel(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let attributes = parse_macro_input!(attribute as attributes::Attributes);
    let function = parse_macro_input!(item as ItemFn);
    expand::expand(&attributes, &function).unwrap_or_else(|error| error.to_compile_error()).into()
}
