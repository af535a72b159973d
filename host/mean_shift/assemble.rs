//! From where queries ended to modes and labels, on the device.

use gpu::layout::to_rows;
use gpu::sphere::to_sphere;

use super::builder::MeanShift;
use super::iterate::{Ends, Queries, Watch};
use super::labels::{
    Columns, Components, Groups, Order, components, count_within, nearest, nearest_of_supported, order, relabel,
    suppress, tally,
};
use super::options::{Form, Merging, Seeding};
use super::prepare::Prepared;
use super::seeds::every_point;
use crate::error::{Error, Result};
use crate::executor::nvtx::Range;
use crate::executor::{Buffer, Device, Download};

/// A cluster.
///
/// ```
/// use modeseek::{Bandwidth, MeanShift};
///
/// let points = [[0.0, 0.0], [0.2, 0.0], [9.0, 9.0]];
/// let mode = &MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).fit(&points)?.modes[0];
/// assert_eq!((mode.size, mode.weight), (2, 2.0));
/// assert!((mode.position[0] - 0.1).abs() < 1e-3 && mode.position[1].abs() < 1e-3);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Mode {
    /// Where its queries gathered: the mean of their ends. With the cosine distance, a direction.
    pub position: Vec<f64>,
    /// The mean of its points where they were; the position if it has none.
    pub centre: Vec<f64>,
    /// How many points it has.
    pub size: usize,
    /// The sum of their weights.
    pub weight: f64,
}

/// Modes and labels on the device.
pub struct Assembled {
    /// The label of each point.
    pub labels: Buffer<u32>,
    /// Sizes, weights and positions (scaled) of the modes, in their order.
    pub groups: Groups,
    /// The mean (scaled) of each mode's points.
    pub centres: Buffer<f32>,
    /// Whether every point came to rest that was moved to find its basin.
    pub converged: bool,
    /// Whether the callback stopped that.
    pub cancelled: bool,
}

/// The ends as columns.
fn columns_of(queries: &Queries, d: u32) -> Columns<'_> {
    Columns { values: &queries.columns, n: queries.m as usize, d: d as usize, stride: queries.stride as usize }
}

impl MeanShift {
    /// Finds the modes of the ends, and labels the points.
    pub(super) fn assemble(
        &self,
        device: &Device,
        prepared: &Prepared,
        ends: &Ends,
        watch: Watch<'_>,
    ) -> Result<Assembled> {
        let range = Range::begin(c"merge");
        let (d, p) = (prepared.field.d, self.distance.p());
        let at_rest = columns_of(&ends.queries, d);
        let weights = prepared.weights.as_ref();
        let own = self.seeding == Seeding::EveryPoint;
        let (modes, ids) = match self.merging {
            Merging::Chains { radius } => {
                let radius = self.distance.scaled(radius, self.weight.scale());
                let Components { ids, count } = components(device, at_rest, p, Some(&ends.details), radius)?;
                let weights = if own { weights } else { None };
                (tally(device, &ids, count, at_rest, weights)?, ids)
            }
            Merging::Densest => (self.densest(device, prepared, at_rest)?, device.zeros(0)?),
        };
        if modes.count == 0 {
            let (what, why) = (Error::NO_MODE, "where no seed has a point within its reach; use a larger bandwidth");
            return Err(Error::Undefined { what, why });
        }
        let modes = match prepared.scaling.sphere {
            Some(radius) => on_sphere(device, modes, radius)?,
            None => modes,
        };
        drop(range);
        let _range = Range::begin(c"label");
        let points = prepared.columns();
        let (mut converged, mut cancelled) = (true, false);
        let by_ends = self.basin() && own && self.merging != Merging::Densest;
        let groups = if by_ends {
            (modes, ids)
        } else {
            // A fit that was cancelled does not begin to move every point.
            let ids = if self.basin() && !ends.cancelled {
                // Over the points as they are, whichever way the ends were found.
                let climbing = self.clone().form(Form::Standard);
                let moved = climbing.climb(device, prepared, every_point(device, prepared)?, watch)?;
                (converged, cancelled) = (moved.converged, moved.cancelled);
                let (places, supports) = (columns_of(&moved.queries, d), &moved.details);
                nearest_of_supported(device, places, supports, &modes.means, modes.count, p, None)?.0
            } else {
                let reach = self.reach.map(|reach| self.distance.scaled(reach, self.weight.scale()));
                nearest(device, points, &modes.means, modes.count, p, reach)?.0
            };
            let of_points = tally(device, &ids, modes.count, points, weights)?;
            (Groups { means: modes.means, ..of_points }, ids)
        };
        // Every mode is the end of a point, unless others moved, or the points went elsewhere than their modes.
        let minimum = if by_ends && self.minimum_size == 1 { 0 } else { self.minimum_size };
        let Order { groups: kept, label_of } = order(device, &groups.0, minimum)?;
        let labels = relabel(device, &groups.1, &label_of)?;
        let centres = tally(device, &labels, kept.count, points, weights)?.means;
        Ok(Assembled { labels, groups: kept, centres, converged, cancelled })
    }

    /// scikit-learn's modes, which have no points yet.
    fn densest(&self, device: &Device, prepared: &Prepared, ends: Columns<'_>) -> Result<Groups> {
        let p = self.distance.p();
        let radius = self.distance.scaled(1.0, self.weight.scale());
        let masses = self.masses(device, prepared)?;
        let counts = count_within(device, ends, prepared.columns(), masses.as_ref(), p, radius)?;
        let kept = suppress(device, ends, &counts, p, radius)?;
        let totals = device.zeros(kept.count)?;
        Ok(Groups { count: kept.count, d: ends.d, sizes: kept.about, totals, means: kept.centres })
    }
}

/// Modes of directions. Means of ends lie within the sphere that points are on: distances are those of the directions.
fn on_sphere(device: &Device, modes: Groups, radius: f64) -> Result<Groups> {
    let (k, stride) = (modes.count, Queries::stride_of(modes.count));
    let sizes = (k as u32, modes.d as u32, stride as u32);
    let (centre, ones) = (device.upload(&vec![0.0_f64; modes.d])?, device.upload(&vec![1.0_f32; modes.d])?);
    // Ends that face away from each other have none; such a mean stays as near to all as it is.
    let mut without = device.upload(&[u32::MAX])?;
    let (mut columns, mut means) = (device.room(stride * modes.d)?, device.room(k * modes.d)?);
    let zero = &mut without;
    let (from, to) = (&modes.means, &mut columns);
    device.launch(to_sphere::launch(from, &centre, to, zero, sizes.0, sizes.1, sizes.2, radius))?;
    device.launch(to_rows::launch(&columns, &ones, &mut means, sizes.0, sizes.1, sizes.2))?;
    Ok(Groups { means, ..modes })
}

/// Modes on their way to the host.
pub struct Arriving<'a> {
    sizes: Download<'a, u32>,
    totals: Download<'a, f64>,
    positions: Download<'a, f32>,
    centres: Download<'a, f32>,
    d: usize,
}

impl Assembled {
    /// Begins to copy the modes to the host.
    pub fn begin_modes<'a>(&self, device: &'a Device) -> Result<Arriving<'a>> {
        let Groups { count, d, sizes, totals, means } = &self.groups;
        Ok(Arriving {
            sizes: device.begin_download(sizes, *count)?,
            totals: device.begin_download(totals, *count)?,
            positions: device.begin_download(means, count * d)?,
            centres: device.begin_download(&self.centres, count * d)?,
            d: *d,
        })
    }
}

impl Arriving<'_> {
    /// The modes, in the coordinates of the data.
    pub fn modes(self, prepared: &Prepared) -> Result<Vec<Mode>> {
        let Self { sizes, totals, positions, centres, d } = self;
        let (sizes, totals) = (sizes.wait()?, totals.wait()?);
        let (positions, centres) = (positions.wait()?, centres.wait()?);
        let scaling = &prepared.scaling;
        let mode = |k: usize| {
            let position = scaling.unscaled(&positions[k * d..][..d]);
            let centre = if sizes[k] > 0 { scaling.unscaled(&centres[k * d..][..d]) } else { position.clone() };
            Mode { position, centre, size: sizes[k] as usize, weight: totals[k] * prepared.unit }
        };
        Ok((0..sizes.len()).map(mode).collect())
    }
}
