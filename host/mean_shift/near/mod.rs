//! Iterations that leave out what is far, exactly: what [`MeanShift`] does with
//! [`Method::Tiles`](crate::Method::Tiles).
//!
//! | step | what |
//! |---|---|
//! | `sort_by_key` | the order of 64-bit keys: a radix sort |
//! | `order` | points so that neighbours are together: along a space-filling curve, or a tour of some of them |
//! | `arrange` | points in that order, those that are equal as one |
//! | `Boxes` | boxes of points that are neighbours in it, and of queries |
//! | `reach` | how far a weight has to be looked at |
//! | `pairs_within` | how many pairs that leaves at best |
//!
//! All pairs are taken in this order, too, where a step has fewer operations in small boxes (gpu/local.rs): then there is no reach.
//!
//! Points that are next to each other in the order are near each other in space, so that their box is small;
//! a step leaves out the boxes that are farther from its queries than a weight reaches (gpu/near.rs). In the
//! standard form the points are put in order once, and the queries whenever they have moved far; in the
//! blurring form the points are. The order changes no result, but only how many pairs are computed.

mod arrange;
mod blur;
mod boxes;
mod climb;
mod curve;
mod ideal;
mod order;
mod reach;
mod sort;
mod tour;

// The steps are public for the conformance suite, which runs them one by one.
#[doc(hidden)]
pub use arrange::{Arranged, arrange};
#[doc(hidden)]
pub use boxes::{Boxes, Purpose};
#[doc(hidden)]
pub use ideal::count_pairs;
#[doc(hidden)]
pub use order::{Wanted, order};
#[doc(hidden)]
pub use reach::reach;
#[doc(hidden)]
pub use sort::sort_by_key;

use cuda_std::machine::MachineKind;

use super::builder::MeanShift;
use super::iterate::{Field, Queries};
use super::labels::Columns;
use super::slices::Slices;
use crate::error::Result;
use crate::executor::{Buffer, Device};

/// Pairs of a query and a point, where far ones were left out.
///
/// ```
/// use modeseek::{Bandwidth, MeanShift, Method};
///
/// let tiles = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).method(Method::Tiles);
/// let pairs = tiles.fit(&[[0.0], [0.2], [9.0]])?.pairs.expect("tiles count them");
/// assert!(pairs.kept <= pairs.all && pairs.ideal <= pairs.first);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pairs {
    /// That were computed, or counted with a box of points that is near as a whole, over all iterations of the fit.
    pub kept: u64,
    /// That there are, over all iterations.
    pub all: u64,
    /// That the first iteration computed.
    pub first: u64,
    /// That the first iteration could not do without: those within the weight's reach. Points that are equal count
    /// as one, as they do for what was computed. Of more than 256 queries a sample was counted, of 256 where there are up to
    /// a million points and of 16 at least; so this is then off by some percent. With bandwidths of points it is counted as if each
    /// had their mean.
    pub ideal: u64,
}

/// What is known of the first iteration: see [`Pairs`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct First {
    pub kept: u64,
    pub ideal: u64,
}

impl First {
    /// What is known before, where there is a reach.
    fn of(reach: Option<f64>, within: impl FnOnce(f64) -> Result<u64>) -> Result<Option<Self>> {
        Ok(match reach {
            Some(reach) => Some(Self { kept: 0, ideal: within(reach)? }),
            None => None,
        })
    }
}

/// What boxes about a field's points are for, if these are marked or not.
fn purpose(options: &MeanShift, field: &Field, marked: bool, reach: Option<f64>) -> Purpose {
    Purpose {
        steps: options.weight.steps(),
        norm: field.norm,
        reach2: options.scaled_reach(reach),
        allowed: options.allowed_of_boxes(),
        marked,
        scaled: options.bandwidth.is_of_points(),
        threads_per_block: options.blocks_in_order(field.d, marked),
    }
}

/// Those of n points and m queries: where boxes leave out most points, of few queries alone.
fn slices_of(field: &Field, (n, m): (u32, u32), marked: bool, reach: Option<f64>) -> Result<Slices> {
    match reach {
        Some(_) => Slices::in_tiles(&field.device, (n, m), field.d, field.norm),
        None => Slices::new(&field.device, (n, m), field.d, field.norm, marked),
    }
}

/// Points in order, those that are equal as one.
pub(super) fn in_order(
    device: &Device,
    points: Columns<'_>,
    marks: &Buffer<f32>,
    options: &MeanShift,
) -> Result<Arranged> {
    arrange(device, points, marks, options.weight.scale() / CELLS, points.n)
}

/// Cells of the curve's grid in a bandwidth.
const CELLS: f64 = 8.0;

/// Points, or queries, are put in order again when they may have moved this part of the reach.
const DRIFT: f64 = 0.25;

pub(super) use blur::blur;
pub(super) use climb::climb;
pub(super) use ideal::{kept_within, looks, pairs_within, share_within};
pub(super) use order::numbers as order_numbers;

/// The most bytes that this method takes beyond what every fit does, for n points and m queries.
///
/// Points in order and their marks, the numbers by which they are put in it, and boxes.
pub(super) fn bytes(n: usize, m: usize, d: usize) -> u128 {
    let (points, queries) = (Queries::stride_of(n) as u128, Queries::stride_of(m.max(n)) as u128);
    // Of many coordinates nobody asks for moments, of which there would be as many as triples of them.
    let moments = if gpu::whole::serves(MachineKind::Baseline, d) { gpu::whole::len(n, d, 2) } else { 0 };
    let known = moments.max(gpu::tight::len(n, d));
    let boxes = (gpu::near::len_marked(n, d) + known + gpu::near::len(m.max(n), d)) as u128;
    // Keys and numbers twice, and a quarter of a count each; flags, places, and what they were before.
    let numbers = queries * (2 * 2 + 2 + 1 + 4) + 64;
    (points * (2 * d as u128 + 4) + queries * d as u128 + boxes + numbers + order_numbers(m.max(n), d)) * 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_takes_grows_with_points_and_coordinates() {
        for (n, d) in [(1, 1), (100_000, 2), (70_000, 784), (1_000_000, 4), (200, 100_000)] {
            let points = Queries::stride_of(n) as u128 * d as u128 * 4;
            let bytes = bytes(n, n, d);
            assert!(
                (3 * points..16 * points + 4096 * (d as u128 + 1)).contains(&bytes),
                "{n} x {d}: {bytes}, of {points}"
            );
        }
    }
}
