//! One suite, instantiated for every executor: kernel by kernel, and whole runs, against the f64 oracle.
//!
//! A machine that is not there is skipped by name. What is skipped passes, and libtest shows what a test says only where
//! it is told to (`--nocapture`): scripts/gpu-check and the last step of .ci/run look for it.

mod arranged;
mod bandwidth;
mod binned;
mod binned_nodes;
mod binned_steps;
mod ceilings;
mod check;
mod distances;
mod far;
mod fields;
mod filter;
mod groups;
mod kernels;
mod labels;
mod marks;
mod near;
mod neighbours;
mod oracles;
mod reduce_tensor;
mod retiring;
mod runs;
mod shift_tensor;
mod shift_wgmma;
mod step_launches;
mod steps;
mod tensor;
mod tensor_fits;
mod tight;
mod wgmma;
mod within_reach;

use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cuda_std::machine::MachineKind;
use modeseek::Device;
use modeseek::executor::{CpuOptions, InterpreterOptions};

/// The tests of the suite for one machine; `$open` gives a device or says why there is none.
macro_rules! conformance {
    ($machine:ident, $open:expr) => {
        mod $machine {
            conformance!(@tests $open;
                kernels: axpy, layout, sphere, matmul, matmul_fast, matmul_few_columns, matmul_is_chosen, pairwise, weights,
                    reduce_weighted, reduce_rows_without_weight, reduce_in_slices_of_the_host, step_largest,
                    relations_are_checked;
                steps: shift, shift_few, shift_wide, shift_any, shift_norms, places_do_not_matter, points_in_slices, sums_of_products,
                    products_of_far_queries, wide_points_in_slices, any_points_in_slices, nan_is_not_lost;
                step_launches: parts_between_multiples_are_refused, states_between_multiples_are_refused,
                    slices_within_boxes_are_refused, converged_steps_do_nothing, no_more_queries_than_checked;
                retiring: retire_queries, retire_in_order, retire_when_done, begin_runs;
                arranged: sorted_keys, points_along_a_line, points_along_a_tour, points_along_hilberts_curve, boxes_of_points, arranged_points;
                within_reach: steps_within_reach, slices_within_reach, whole_boxes, places_do_not_matter_within_reach,
                    ends_of_the_reach_far_away;
                tight: records_of_boxes, steps_over_tight_boxes, centroids_are_taken;
                near: tiles_are_all_pairs, tiles_of_hard_sets, tiles_of_norms_and_bandwidths, tiles_of_seeds_and_new_points,
                    kept_pairs, ways_in_many_dimensions, all_pairs_in_order;
                filter: filtered_images, filtered_constants, united_pixels;
                ceilings: ceilings_copy, copies_between_multiples_are_refused, ceilings_fma, ceilings_ex2, ceilings_mma;
                reduce_tensor: means_on_tensor_cores, hard_means_on_tensor_cores, points_anywhere_on_tensor_cores,
                    reductions_are_chosen;
                tensor: products_of_rounded_inputs, products_in_a_precision;
                wgmma: products_of_warpgroups, products_of_parts, parts_are_the_number, parts_of_what_is_no_number,
                    products_by_an_instruction;
                distances: distances_by_products, near_rows_by_differences, distances_of_what_is_no_number,
                    distances_by_a_formula;
                shift_tensor: steps_on_tensor_cores, many_tiles_on_tensor_cores, slices_on_tensor_cores,
                    places_do_not_matter_on_tensor_cores,
                    one_spot_on_tensor_cores, idle_steps_on_tensor_cores, no_more_queries_on_tensor_cores,
                    states_between_multiples_on_tensor_cores, what_is_no_number_on_tensor_cores;
                shift_wgmma: steps_of_warpgroups, many_tiles_of_warpgroups, slices_of_warpgroups,
                    places_do_not_matter_of_warpgroups, no_more_queries_of_warpgroups,
                    states_between_multiples_of_warpgroups, what_is_no_number_of_warpgroups;
                tensor_fits: fits_on_tensor_cores, fits_by_an_instruction, seeds_on_tensor_cores, fits_not_on_tensor_cores;
                far: queries_far_away;
                neighbours: neighbours_by_boxes;
                bandwidth: distances_to_neighbours, guessed_brackets, neighbours_in_order, weights_are_repetitions, golden, samples, fallbacks,
                    senseless_bandwidths_are_refused, workers_agree;
                marks: marks_of_points, wide_bandwidths_beside_narrow_ones, narrow_bandwidths_far_away;
                labels: components_of_ends, components_at_the_radius, suppressed_centres;
                groups: scan, tally_of_groups, tally_of_light_groups, means_of_spots, order_of_groups, order_by_weight, nearest_modes, nearest_of_few,
                    counts_within, bins_of_points, bins_that_fail, bins_of_weights;
                binned: spread_onto_nodes, patches_without_nodes, noted_patches;
                binned_nodes: smoothed_nodes;
                binned_steps: climbed_fields, blurred_fields;
                fields: field_steps_are_accurate, field_fits_are_those_of_all_pairs, fields_in_many_dimensions, fields_have_no_order,
                    fields_in_blocks, fields_in_patches, fields_that_do_not_fit;
                oracles: blurring_is_the_oracles, standard_is_the_oracles;
                runs: lecture, methods_agree, far_from_the_origin, degenerate_sets, block_sizes_agree, same_bits,
                    threads_share_a_device, labels_of_any_device, cancelled_runs, traffic;
            );
        }
    };
    (@tests $open:expr; $($module:ident: $($test:ident),*;)*) => { $($(
        #[test]
        fn $test() {
            match $open {
                Ok(device) => crate::$module::$test(&device),
                Err(why) => eprintln!("skipped: {why}"),
            }
        }
    )*)* };
}

/// The PTX for an architecture on the interpreter, with a seed of its schedule.
fn interpreter(compute: u32, seed: u64) -> Result<Device, String> {
    Device::interpreter(InterpreterOptions { compute, seed, ..InterpreterOptions::default() })
        .map_err(|error| error.to_string())
}

/// The kernels of `benches/peers/cuda` by NVIDIA's compiler, in the place of ours, on the interpreter. Their PTX
/// is in the folder that PEER_PTX names, or else in `target/peer-ptx`.
fn cuda_cpp() -> Result<Device, String> {
    let folder = std::env::var("PEER_PTX").unwrap_or_else(|_| "target/peer-ptx".to_owned());
    let read = |name| {
        let file = std::path::Path::new(&folder).join(name);
        std::fs::read_to_string(&file).map_err(|error| {
            format!("{}: {error}; `scripts/machine-code --peer-ptx {folder}` makes it", file.display())
        })
    };
    let names =
        ["matmul.ptx", "matmul_blocked.ptx", "matmul_skinny.ptx", "matmul_tensor.ptx", "pairwise.ptx", "shift.ptx"];
    let modules = names.into_iter().map(read).collect::<Result<_, _>>()?;
    // What was read must be understood: that is no reason to skip.
    Ok(Device::interpreter(InterpreterOptions { modules, ..InterpreterOptions::default() }).expect("NVIDIA's PTX"))
}

/// The first GPU, which one test after another has: a context of its own for each, and its code loaded anew, would
/// take most of the suite's time.
struct Turn(MutexGuard<'static, Option<Device>>);

impl Deref for Turn {
    type Target = Device;

    fn deref(&self) -> &Device {
        self.0.as_ref().expect("a turn is given with a device")
    }
}

/// The first GPU, opened again where a test has spoilt it.
fn gpu() -> Result<Turn, String> {
    static KEPT: Mutex<Option<Device>> = Mutex::new(None);
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.as_ref().is_none_or(|device| device.synchronize().is_err()) {
        // Before the next one: a context that is spoilt stays so for as long as anybody has it.
        *kept = None;
        *kept = Some(Device::cuda(0).map_err(|error| error.to_string())?);
    }
    Ok(Turn(kept))
}

/// The processor with its code for one kind.
fn processor(machine: MachineKind) -> Result<Device, String> {
    if !machine.runs_here() {
        return Err(format!("this processor is not {machine:?}"));
    }
    Device::processor_with(CpuOptions { workers: None, machine: Some(machine) }).map_err(|error| error.to_string())
}

conformance!(processor_baseline, crate::processor(cuda_std::machine::MachineKind::Baseline));
conformance!(processor_avx2, crate::processor(cuda_std::machine::MachineKind::Avx2));
conformance!(processor_avx512, crate::processor(cuda_std::machine::MachineKind::Avx512));
conformance!(interpreter_sm_75, crate::interpreter(75, 1));
conformance!(interpreter_sm_90, crate::interpreter(90, 2));
conformance!(cuda, crate::gpu());

/// What has PTX of its own for compute 8.0: the rest is that for 7.5.
mod interpreter_sm_80 {
    conformance!(@tests crate::interpreter(80, 3);
        ceilings: ceilings_mma;
        reduce_tensor: means_on_tensor_cores, hard_means_on_tensor_cores, points_anywhere_on_tensor_cores, reductions_are_chosen;
        tensor: products_of_rounded_inputs, products_in_a_precision;
        shift_tensor: steps_on_tensor_cores, many_tiles_on_tensor_cores, slices_on_tensor_cores,
            places_do_not_matter_on_tensor_cores, one_spot_on_tensor_cores, idle_steps_on_tensor_cores,
            no_more_queries_on_tensor_cores, states_between_multiples_on_tensor_cores, what_is_no_number_on_tensor_cores;
        tensor_fits: fits_on_tensor_cores, seeds_on_tensor_cores, fits_not_on_tensor_cores;
    );
}

/// What there is in CUDA C++ too.
mod cuda_cpp {
    conformance!(@tests crate::cuda_cpp();
        kernels: matmul, matmul_fast, matmul_few_columns, matmul_is_chosen, pairwise;
        tensor: products_of_rounded_inputs, products_in_a_precision;
        steps: shift, shift_wide, wide_points_in_slices;
        step_launches: converged_steps_do_nothing;
        oracles: blurring_is_the_oracles;
        runs: lecture, block_sizes_agree, same_bits_over_all_pairs;
    );
}
