//! From end positions to modes and labels, on the device: the steps, for those who put them together
//! themselves. [`MeanShift`](crate::MeanShift) does.
//!
//! | step | what |
//! |---|---|
//! | [`components`] | which ends belong together: components of the graph "within a radius" |
//! | [`tally`] | sizes, weights and means of groups |
//! | [`order`], [`relabel`] | groups by weight, small ones left out |
//! | [`nearest`], [`nearest_of_supported`], [`count_within`] | the nearest mode; how many points are about a place |
//! | [`suppress`] | scikit-learn's own rule of merging, instead of components |
//! | [`occupied_bins`] | scikit-learn's seeds |
//! | [`scan`] | prefix sums |
//!
//! Every step takes a few launches, and waits for the device only where it has to know a number of
//! groups: it then reads that one number. All results are the same bits for any number of threads.

mod assign;
mod bins;
mod components;
mod extents;
mod order;
mod scan;
mod suppress;
mod tally;

pub use assign::{count_within, nearest, nearest_of_supported};
pub use bins::{Bins, occupied_bins};
pub use components::{Components, MOST_RADIUS, components};
pub use extents::extents;
pub use order::{Order, order, relabel};
pub use scan::scan;
pub(super) use scan::{ScanRoom, is_one_scan};
pub use suppress::{Kept, suppress};
pub use tally::{Groups, tally};

use crate::error::{Error, Result};
use crate::executor::Buffer;

/// The label of what has none.
pub const NOISE: u32 = gpu::components::NONE;

/// Positions by columns on a device: coordinate c of position i stands at `columns[c * stride + i]`.
///
/// ```
/// use gpu::layout::STRIDE;
/// use modeseek::Device;
/// use modeseek::mean_shift::labels::{Columns, extents};
///
/// let device = Device::processor()?;
/// // The points (1, 10) and (2, 20): all of the first coordinates, then all of the second.
/// let mut values = vec![0.0_f32; 2 * STRIDE];
/// values[..2].copy_from_slice(&[1.0, 2.0]);
/// values[STRIDE..][..2].copy_from_slice(&[10.0, 20.0]);
/// let values = device.upload(&values)?;
/// let columns = Columns { values: &values, n: 2, d: 2, stride: STRIDE };
/// assert_eq!(extents(&device, columns)?, [(1.0, 2.0), (10.0, 20.0)]);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a> {
    /// The coordinates.
    pub values: &'a Buffer<f32>,
    /// How many positions.
    pub n: usize,
    /// Dimensions.
    pub d: usize,
    /// The length of a column: n or more, a multiple of [`STRIDE`](gpu::layout::STRIDE).
    pub stride: usize,
}

/// Sizes as kernels take them.
pub(super) struct Sizes {
    pub n: u32,
    pub d: u32,
    pub stride: u32,
}

impl Columns<'_> {
    /// # Errors
    /// [`Error::TooMany`].
    pub(super) fn sizes(&self) -> Result<Sizes> {
        // A hash table has 2 n slots at least, and u32::MAX stands for nothing.
        Ok(Sizes {
            n: count(self.n, "points")?,
            d: count(self.d, "dimensions")?,
            stride: count(self.stride, "points")?,
        })
    }
}

/// A number that kernels can count to.
pub(super) fn count(number: usize, what: &'static str) -> Result<u32> {
    const MOST: usize = 1 << 30;
    match u32::try_from(number) {
        Ok(small) if number <= MOST => Ok(small),
        _ => Err(Error::TooMany { what, count: number, most: MOST }),
    }
}

/// Slots of a hash table for n items.
fn capacity(n: usize) -> usize {
    (2 * n).next_power_of_two().max(32)
}

/// The p-th power of a radius: what kernels compare sums over coordinates with.
fn power(radius: f64, p: f32) -> f32 {
    radius.powf(f64::from(p)) as f32
}

/// Launches one of three instances of a kernel: for p = 2, p = 1, and any other p.
macro_rules! launch_by_norm {
    ($device:expr, $p:expr, [$l2:path, $l1:path, $lp:path], ($($argument:expr),* $(,)?)) => {
        if $p == 2.0 {
            use $l2 as kernel;
            $device.launch(kernel::launch($($argument),*))
        } else if $p == 1.0 {
            use $l1 as kernel;
            $device.launch(kernel::launch($($argument),*))
        } else {
            use $lp as kernel;
            $device.launch(kernel::launch($($argument),*))
        }
    };
}
pub(super) use launch_by_norm;
