//! The kernels of modeseek: one source for PTX and for the processor.
//!
//! | kernels | file | what | shapes |
//! |---|---|---|---|
//! | `axpy` | `vector.rs` | `out += a x` | `x`, `out`: any length |
//! | `to_columns`, `to_rows`, `gather_columns` | `layout.rs` | transposes and scales; some columns in another order | rows `n x d`, columns `d x stride` |
//! | `to_sphere` | `sphere.rs` | rows as columns of points on a sphere, for the cosine distance | `n x d`, `d x stride` |
//! | `matmul_naive`, `matmul_tiled` | `matmul.rs` | `C = A B`, and which kernel is the best for it | `m x k`, `k x n`, `m x n` |
//! | `matmul_blocked_{128,64}` | `matmul_blocked.rs` | the same, fast | as above |
//! | `matmul_skinny` | `matmul_skinny.rs` | the same for n <= 32 | as above |
//! | `round_rows_{bf16,tf32}` | `round_rows.rs` | rows of words for tensor cores, of a matrix or its transpose | `m x k` |
//! | `split_rows_bf16` | `split_rows.rs` | the same of each number's three parts | `m x k` |
//! | `matmul_{bf16,tf32}` | `matmul_tensor.rs` | `C = A B` on tensor cores, inputs rounded | `m x k`, `k x n`, `m x n` |
//! | `matmul_wgmma_{bf16,tf32}` | `matmul_wgmma.rs` | the same by the instruction of compute 9.0 | `m x k`, `k x n`, `m x n` |
//! | `matmul_wgmma_f32` | `matmul_wgmma_split.rs` | the same, in f32's accuracy, of three parts of each number | `m x k`, `k x n`, `m x n` |
//! | `pairwise_{squared_l2,l2,l1,lp}` | `pairwise.rs` | distances of all pairs of rows | `m x d`, `n x d`, `m x n` |
//! | `centre_rows`, `pairwise_{products,flagged}_{l2,squared_l2}` | `pairwise_wgmma.rs` | Euclidean distances on tensor cores, in f32's accuracy | `m x d`, `n x d`, `m x n` |
//! | `weight_{gaussian,triangular,flat,epanechnikov,biweight}` | `weight.rs` | weights of distances, in place | any length |
//! | `reduce_weighted_{1,2,3,4,many}` | `reduce.rs` | `(W X) / rowsum(W)` | `m x n`, `n x d`, `m x d` |
//! | `reduce_weighted_tensor_{8,16,32}` | `reduce_tensor.rs` | the same on tensor cores, of more than four columns | `m x n`, `n x d`, `m x d` |
//! | `step_largest` | `step.rs` | `max_i |a_i - b_i|^2` | `n x d` twice |
//! | `shift_{gaussian,triangular,flat,epanechnikov,biweight,cauchy}_{1,2,3,4,any,8,16,32,norm_any,marked_{1,2,3,4,any}}`, `shift_gaussian_local_{2,3}` | a file each; `shift.rs`, `shift_wide.rs`, `shift_any.rs` | a whole mean-shift step, no distance stored | `d x stride` |
//! | `shift_gaussian_few_{1,2,3}` | `gaussian.rs`; `shift_few.rs` | the same of few points, a warp for each query | `d x stride` |
//! | `halves_of_columns`, `shift_tensor_{16,32,64,128}`, `shift_tensor_rough_{64,128}` | `shift_tensor.rs` | the Gaussian step on tensor cores | `d x stride` |
//! | `shift_tensor_wide_256` | `shift_tensor_wide.rs` | the same in up to 256 dimensions | `d x stride` |
//! | `shift_tensor_wide_512` | `shift_tensor_split.rs` | the same in up to 512 dimensions | `d x stride` |
//! | `shift_wgmma_64`, `shift_wgmma_rough_{64,128}` | `shift_wgmma.rs` | the same by the instruction of compute 9.0 | `d x stride` |
//! | `shift_wgmma_128` | `shift_wgmma_deep.rs` | the same in up to 128 dimensions | `d x stride` |
//! | `begin`, `flag_moving`, `retire` | `retire.rs` | a run's queries numbered; which go on; those that rest leave | `d x stride` |
//! | `scan_{sums,block,runs}` | `scan.rs` | prefix sums, in place | `n` |
//! | `claim_cells` | `cells.rs` | the small cells that ends gather in, by a hash table | `d x stride` |
//! | `column_extents`, `widest_axes`, `largest_magnitude` | `axes.rs` | how far coordinates extend | `d x stride` |
//! | `component_{leaders,roots,numbers}`, `link_leaders`, `unite_{l2,l1,lp}` | `components.rs` | connected components within a radius | `d x stride` |
//! | `tally_{many,few,means}` | `tally.rs` | sizes, weights and means of groups | `count x d` |
//! | `sort_runs`, `merge_runs`, `group_keys`, `label_groups`, `relabel`, `permute_groups` | `order.rs` | groups in order, and labels | `count` |
//! | `{nearest,count_within}_{l2,l1,lp}` | `assign.rs` | the nearest mode; points within a radius | `m`, `k x d`, `n` |
//! | `count_keys`, `ranked`, `suppress_{l2,l1,lp}`, `kept_rows` | `suppress.rs` | scikit-learn's rule of merging | `d x stride` |
//! | `claim_bins`, `flag_bins`, `write_bins` | `bins.rs` | occupied bins as seeds | `d x stride` |
//! | `kth_value_{l2_{1,2,3,4},{l2,l1,lp}_any}`, `roots` | `neighbours.rs` | distances to k-th neighbours | `d x stride`, `d x query_stride` |
//! | `gather`, `masses` | `gather.rs` | some rows as columns; weights as integers | `n x d`, `d x stride` |
//! | `column_moments`, `summary`, `product`, `replace_zeros` | `moments.rs` | means, variances, sums in f64 | `d x stride`; `n` |
//! | `spread_{1,2,3}`, `settle` | `spread.rs` | points onto the nodes of a grid, in fixed point | `d x stride`, `nodes x 4` |
//! | `smooth_{1_x,2_x,2_y,3_x,3_y,3_z}` | `smooth.rs` | the convolution of a binned field, an axis a pass | planes of nodes |
//! | `{note,settle,smooth,fill}_blocks` | `blocks.rs` | a binned field in blocks, where most of the box is empty | planes of blocks |
//! | `climb_{1,2,3}`, `blur_{1,2,3}` | `binned.rs` | mean-shift steps read from a binned field | `nodes x 4`, `d x stride` |
//! | `spread_{4,5}` | `spread_many.rs` | the same in four and five dimensions | `d x stride`, `nodes x 8` |
//! | `settle_many`, `smooth_{4,5}`, `fill_many` | `smooth_many.rs` | and its convolution | planes of nodes |
//! | `note_patches_{4,5}` | `patches.rs` | and where it has nodes | cells |
//! | `climb_{4,5}`, `blur_{4,5}` | `binned_many.rs` | and its steps | `nodes x 8`, `d x stride` |
//! | `hilbert_keys_{1,2,3,4}`, `cell_keys` | `curve.rs` | keys along a space-filling curve, and of cells of another kind | `d x stride` |
//! | `count_digits`, `scatter_digits`, `count_up` | `radix.rs` | a stable radix sort of keys and numbers | `n` |
//! | `flag_points`, `write_points`, `gather_numbers` | `merge.rs` | points in another order, equal ones as one | `d x stride` |
//! | `boxes_of_points`, `boxes_of_boxes`, `moments_of_boxes` | `boxes.rs` | boxes of points in a row, for steps that leave out what is far (near.rs) or take boxes as a whole (whole.rs) | `d x stride` |
//! | `records_of_boxes` | `tight.rs` | and what steps in many dimensions know of boxes that are nearly one point | `d x stride` |
//! | `marks` | `marks.rs` | factors and scales of points with bandwidths of their own | `2 x stride` |
//! | `filter_{flat,gaussian}`, `unite_pixels` | `filter.rs` | the colour each pixel of an image climbs to; neighbours of like colours | 3 x plane |
//! | `ceiling_{copy,fma,ex2,mma}` | `ceilings.rs` | a machine's own limits, for benchmarks | any length |
//!
//! Matrices are stored by rows, densely, unless a file says otherwise. Sizes: n points, d dimensions,
//! h bandwidth; m, n, k of a product. Every kernel's oracle, in f64, is the function of the same
//! family in the library's `reference.rs`, and the conformance suite compares the two on every machine.
//!
//! How to add one: `docs/writing-kernels.md`.
#![cfg_attr(target_arch = "nvptx64", no_std)]
#![cfg_attr(target_arch = "nvptx64", feature(abi_ptx, asm_experimental_arch, optimize_attribute))]
// What only a launch shape mentions is unused in the PTX.
#![cfg_attr(target_arch = "nvptx64", allow(dead_code))]
// Lanes and coordinates index several arrays at once, which an iterator over one of them would hide.
#![allow(clippy::needless_range_loop)]

pub mod assign;
pub mod axes;
pub mod binned;
pub mod binned_many;
pub mod bins;
pub mod biweight;
#[cfg(any(not(target_arch = "nvptx64"), target_feature = "sm_80"))]
mod block_sums;
pub mod blocks;
pub mod boxes;
mod brackets;
#[cfg(not(target_arch = "nvptx64"))]
mod calls;
pub mod cauchy;
pub mod ceilings;
pub mod cells;
pub mod chunks;
pub mod components;
pub mod curve;
pub mod epanechnikov;
pub mod filter;
pub mod flat;
pub mod gather;
pub mod gaussian;
#[cfg(not(target_arch = "nvptx64"))]
pub mod idle;
mod lanes;
pub mod layout;
mod local;
pub mod many;
pub mod marks;
pub mod matmul;
pub mod matmul_blocked;
mod matmul_panels;
pub mod matmul_skinny;
#[cfg(any(not(target_arch = "nvptx64"), target_feature = "sm_80"))]
pub mod matmul_tensor;
mod matmul_warp;
#[cfg(any(not(target_arch = "nvptx64"), target_feature = "sm_90a"))]
pub mod matmul_wgmma;
#[cfg(any(not(target_arch = "nvptx64"), target_feature = "sm_90a"))]
pub mod matmul_wgmma_split;
pub mod merge;
pub mod moments;
mod moves;
mod moves_processor;
pub mod near;
pub mod neighbours;
mod node_rows;
pub mod order;
pub mod pairwise;
mod pairwise_processor;
#[cfg(any(not(target_arch = "nvptx64"), target_feature = "sm_90a"))]
pub mod pairwise_wgmma;
pub mod patches;
pub mod polynomial;
pub mod progress;
mod pull;
#[cfg(any(not(target_arch = "nvptx64"), target_feature = "sm_80"))]
mod pull_split;
#[cfg(any(not(target_arch = "nvptx64"), target_feature = "sm_80"))]
mod pull_tensor;
#[cfg(any(not(target_arch = "nvptx64"), target_feature = "sm_90a"))]
mod pull_wgmma;
pub mod radix;
pub mod reduce;
mod reduce_collect;
#[cfg(any(not(target_arch = "nvptx64"), target_feature = "sm_80"))]
mod reduce_feed;
mod reduce_many;
mod reduce_processor;
#[cfg(any(not(target_arch = "nvptx64"), target_feature = "sm_80"))]
pub mod reduce_tensor;
mod reduce_warp;
pub mod retire;
#[cfg(any(not(target_arch = "nvptx64"), target_feature = "sm_80"))]
pub mod round_rows;
#[doc(hidden)]
pub mod rows;
pub mod scan;
mod share;
pub mod shift;
pub mod shift_any;
pub mod shift_few;
#[cfg(any(not(target_arch = "nvptx64"), target_feature = "sm_80"))]
pub mod shift_tensor;
#[cfg(any(not(target_arch = "nvptx64"), target_feature = "sm_80"))]
pub mod shift_tensor_split;
#[cfg(any(not(target_arch = "nvptx64"), target_feature = "sm_80"))]
pub mod shift_tensor_wide;
#[cfg(any(not(target_arch = "nvptx64"), target_feature = "sm_90a"))]
pub mod shift_wgmma;
#[cfg(any(not(target_arch = "nvptx64"), target_feature = "sm_90a"))]
pub mod shift_wgmma_deep;
pub mod shift_wide;
pub mod slices;
pub mod smooth;
pub mod smooth_many;
pub mod sphere;
mod spline;
#[cfg(any(not(target_arch = "nvptx64"), target_feature = "sm_90a"))]
pub mod split_rows;
pub mod spread;
pub mod spread_many;
mod spread_warp;
pub mod step;
pub mod steps;
mod stored;
pub mod suppress;
pub mod tally;
#[cfg(any(not(target_arch = "nvptx64"), target_feature = "sm_80"))]
mod tensor;
pub mod tight;
mod tile;
#[cfg(any(not(target_arch = "nvptx64"), target_feature = "sm_80"))]
mod tile_lengths;
pub mod triangular;
#[doc(hidden)]
pub mod turn_products;
mod turn_tiles;
mod turns;
pub mod vector;
pub mod weight;
pub mod whole;
