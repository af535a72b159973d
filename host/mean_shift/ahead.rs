//! Which kernels a fit is going to launch, as far as it is known when it begins: a GPU's driver compiles them while the first of
//! them run.
//!
//! Nothing depends on the lists being right: a kernel that is not in them is compiled when it is launched, and one that is not
//! launched was compiled in vain. In the lecture's case and in a fit over a field there is none of those
//! (tests/cuda_driver/whole_run.rs); where groups are many, `tally_few` is one.

use cuda_std::launch::Kernel;
use gpu::{axes, binned, binned_many, cells, components, gaussian, layout, order, retire, scan, shift_few, smooth};
use gpu::{smooth_many, spread, spread_many, tally};

use super::builder::MeanShift;
use super::labels::is_one_scan;
use super::options::{Distance, Form, Merging, Method, WeightFunction};

/// The Gaussian step of few points of d coordinates.
fn few(d: usize) -> Option<&'static Kernel> {
    match d {
        1 => Some(&gaussian::shift_gaussian_few_1::KERNEL),
        2 => Some(&gaussian::shift_gaussian_few_2::KERNEL),
        3 => Some(&gaussian::shift_gaussian_few_3::KERNEL),
        _ => None,
    }
}

impl MeanShift {
    /// What finds modes and labels of n points of d coordinates. Groups are counted upon to be few (`tally_few`).
    pub(super) fn kernels_of_labels(&self, n: usize, d: usize) -> Vec<&'static Kernel> {
        let mut kernels: Vec<&'static Kernel> = Vec::new();
        if let Merging::Chains { .. } = self.merging {
            let unite = match self.distance.p() {
                2.0 => &components::unite_l2::KERNEL,
                1.0 => &components::unite_l1::KERNEL,
                _ => &components::unite_lp::KERNEL,
            };
            // Those that take the driver's compiler the longest first.
            kernels.extend([unite, &components::link_leaders::KERNEL, &cells::claim_cells::KERNEL]);
            kernels.extend([
                &components::component_leaders::KERNEL,
                &components::component_roots::KERNEL,
                &components::component_numbers::KERNEL,
                &scan::scan_block::KERNEL,
            ]);
            if !is_one_scan(n) {
                kernels.extend([&scan::scan_sums::KERNEL, &scan::scan_runs::KERNEL]);
            }
            if d > components::AXES {
                kernels.extend([&axes::column_extents::KERNEL, &axes::widest_axes::KERNEL]);
            }
        }
        kernels.extend([
            &tally::tally_few::KERNEL,
            &tally::tally_means::KERNEL,
            &axes::largest_magnitude::KERNEL,
            &order::sort_runs::KERNEL,
            &order::group_keys::KERNEL,
            &order::label_groups::KERNEL,
            &order::permute_groups::KERNEL,
            &order::relabel::KERNEL,
        ]);
        kernels
    }

    /// What moves all of n points of d coordinates over all of them, where they are few.
    pub(super) fn kernels_of_few(&self, n: usize, d: usize) -> Vec<&'static Kernel> {
        let plain = self.sample_weights.is_none() && !self.bandwidth.is_of_points() && self.distance == Distance::L2;
        let all_pairs = matches!(self.method, Method::Auto | Method::Fused);
        if !(plain && all_pairs && self.weight == WeightFunction::Gaussian && n <= shift_few::MOST as usize) {
            return Vec::new();
        }
        let Some(step) = few(d) else { return Vec::new() };
        let mut kernels = vec![step, &retire::begin::KERNEL];
        if self.form == Form::Standard {
            kernels.push(&retire::retire::KERNEL);
        }
        kernels
    }

    /// What builds a field of nodes in d dimensions, all of which are stored, moves queries over it, and looks at how accurate it is.
    pub(super) fn kernels_of_field(&self, n: usize, d: usize, marked: bool) -> Vec<&'static Kernel> {
        if d > 3 {
            return self.kernels_of_wide_field(d);
        }
        let few = few(d).filter(|_| n <= shift_few::MOST as usize && !marked);
        let mut kernels: Vec<&'static Kernel> = vec![
            few.unwrap_or(match (d, marked) {
                (1, false) => &gaussian::shift_gaussian_1::KERNEL,
                (2, false) => &gaussian::shift_gaussian_2::KERNEL,
                (_, false) => &gaussian::shift_gaussian_3::KERNEL,
                (1, true) => &gaussian::shift_gaussian_marked_1::KERNEL,
                (2, true) => &gaussian::shift_gaussian_marked_2::KERNEL,
                (_, true) => &gaussian::shift_gaussian_marked_3::KERNEL,
            }),
            match d {
                1 => &binned::climb_1::KERNEL,
                2 => &binned::climb_2::KERNEL,
                _ => &binned::climb_3::KERNEL,
            },
            match d {
                1 => &spread::spread_1::KERNEL,
                2 => &spread::spread_2::KERNEL,
                _ => &spread::spread_3::KERNEL,
            },
        ];
        if self.form == Form::Blurring {
            kernels.push(match d {
                1 => &binned::blur_1::KERNEL,
                2 => &binned::blur_2::KERNEL,
                _ => &binned::blur_3::KERNEL,
            });
        }
        kernels.extend(match d {
            1 => vec![&smooth::smooth_1_x::KERNEL],
            2 => vec![&smooth::smooth_2_x::KERNEL, &smooth::smooth_2_y::KERNEL],
            _ => vec![&smooth::smooth_3_x::KERNEL, &smooth::smooth_3_y::KERNEL, &smooth::smooth_3_z::KERNEL],
        });
        kernels.extend([&spread::settle::KERNEL, &layout::gather_columns::KERNEL]);
        kernels
    }

    /// The same in four and five dimensions, but for the exact steps that it is compared with.
    fn kernels_of_wide_field(&self, d: usize) -> Vec<&'static Kernel> {
        let mut kernels: Vec<&'static Kernel> = match d {
            4 => vec![&spread_many::spread_4::KERNEL, &binned_many::climb_4::KERNEL, &smooth_many::smooth_4::KERNEL],
            _ => vec![&spread_many::spread_5::KERNEL, &binned_many::climb_5::KERNEL, &smooth_many::smooth_5::KERNEL],
        };
        if self.form == Form::Blurring {
            kernels.push(if d == 4 { &binned_many::blur_4::KERNEL } else { &binned_many::blur_5::KERNEL });
        }
        let others =
            [&smooth_many::settle_many::KERNEL, &smooth_many::fill_many::KERNEL, &layout::gather_columns::KERNEL];
        kernels.extend(others);
        kernels
    }
}
