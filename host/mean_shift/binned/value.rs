//! A field as a value: built from chunks of points, and merged.

use super::field::{Field, no_run, on_host};
use super::grid::{FEW_DIMENSIONS, Grid};
use super::taps;
use crate::error::{Error, Result};
use crate::executor::Device;
use crate::mean_shift::bandwidth::Bandwidth;
use crate::mean_shift::iterate::Queries;
use crate::mean_shift::labels::extents;
use crate::mean_shift::options::WeightFunction;
use crate::mean_shift::scaling::{Scaling, TooFar};
use crate::mean_shift::{MeanShift, binned};

/// Sums are multiples of 2^-29, whatever the points: fields can be merged bit by bit.
pub(super) const EXPONENT: i32 = 29;

/// The most that weights may sum to: a sum has 60 bits.
pub(super) const MOST_WEIGHT: f64 = (1_u64 << 31) as f64;

/// The heaviest point: it adds less than 2^50.
const HEAVIEST: f64 = (1_u64 << 20) as f64;

/// Cells that are added around when the grid has to grow, in parts of what it has.
const MARGIN: f64 = 0.25;

/// The density of points, and where they pull, on the nodes of a grid: what is left of any number of points, to
/// be added to, merged with others, and kept. [`MeanShift::field`] makes one.
///
/// Sums are integers: the order of points, chunks and fields, and how points are divided among them, change no bit.
///
/// ```
/// use modeseek::{Bandwidth, MeanShift};
///
/// let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0));
/// let (mut here, mut there) = (estimator.field(2)?, estimator.field(2)?);
/// here.add(&[0.0, 0.0, 9.0, 9.0])?;
/// there.add(&[0.1, 0.2, 9.1, 8.9])?;
/// here.merge(&there)?;
/// let modes = here.modes()?;
/// assert_eq!(modes.predict(&[0.2, 0.1, 8.8, 9.0])?, [0, 1]);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Debug)]
pub struct DensityField {
    pub(super) device: Device,
    pub(super) options: MeanShift,
    /// The bandwidth of each dimension.
    pub(super) bandwidths: Vec<f64>,
    /// Coordinates are relative to it before they are rounded.
    pub(super) origin: Vec<f64>,
    pub(super) grid: Option<Grid>,
    /// The words of each node.
    pub(super) sums: Vec<u64>,
    /// Points that were added.
    pub(super) points: u64,
    /// The sum of their weights.
    pub(super) weight: f64,
    /// What the next points are added to, until it is read.
    adding: Option<Field>,
}

impl MeanShift {
    /// A field without points, of these dimensions, for this estimator's bandwidth, accuracy, device, tolerance
    /// and rule of merging.
    ///
    /// ```
    /// use modeseek::{Bandwidth, MeanShift};
    ///
    /// let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0));
    /// assert_eq!(estimator.field(2)?.dimensions(), 2);
    /// // A bandwidth cannot be estimated from points that are yet to come.
    /// assert!(MeanShift::new().bandwidth(Bandwidth::Scott).field(2).is_err());
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Conflict`] where a field does not serve, and for a bandwidth that has to be estimated; as
    /// [`check`](Self::check).
    pub fn field(&self, dimensions: usize) -> Result<DensityField> {
        self.field_about(&vec![0.0; dimensions])
    }

    /// [`field`](Self::field), for points that lie about an origin of their own: their coordinates are rounded when
    /// they are relative to it. Fields of one origin can be merged.
    ///
    /// ```
    /// use modeseek::{Bandwidth, MeanShift};
    ///
    /// // f32 has steps of 8 there; about an origin of their own the points are told apart.
    /// let mut field = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).field_about(&[1e8])?;
    /// field.add(&[1e8, 1e8 + 0.2, 1e8 + 9.0])?;
    /// assert_eq!(field.modes()?.modes.len(), 2);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`field`](Self::field); [`Error::NotFinite`] for the origin.
    pub fn field_about(&self, origin: &[f64]) -> Result<DensityField> {
        let dimensions = origin.len();
        if dimensions == 0 {
            return Err(Error::NoDimensions);
        }
        if let Some(column) = origin.iter().position(|x| !x.is_finite()) {
            return Err(Error::NotFinite { row: 0, column, value: origin[column] });
        }
        self.check()?;
        let what = "a binned field here";
        if dimensions > FEW_DIMENSIONS {
            return Err(Error::Conflict { what, why: "of points that come in parts it has at most 3 dimensions" });
        }
        binned::applies(self, dimensions).map_err(|why| Error::Conflict { what, why })?;
        if self.accuracy == 0.0 {
            return Err(Error::Conflict { what, why: "it is approximate; give an accuracy" });
        }
        let bandwidths = match &self.bandwidth {
            Bandwidth::Fixed(h) => vec![*h; dimensions],
            Bandwidth::PerDimension(each) => each.clone(),
            _ => {
                return Err(Error::Conflict { what, why: "its bandwidth must be given, since points are yet to come" });
            }
        };
        self.bandwidth.check(1, dimensions, false)?;
        let device = self.device.clone().map_or_else(Device::auto, Ok)?;
        let (options, origin, sums) = (self.clone(), origin.to_vec(), Vec::new());
        Ok(DensityField { device, options, bandwidths, origin, grid: None, sums, points: 0, weight: 0.0, adding: None })
    }
}

impl DensityField {
    /// Dimensions.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, MeanShift};
    /// assert_eq!(MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).field(3)?.dimensions(), 3);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn dimensions(&self) -> usize {
        self.bandwidths.len()
    }

    /// The bandwidth of each dimension.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, MeanShift};
    /// assert_eq!(MeanShift::new().bandwidth(Bandwidth::Fixed(0.5)).field(2)?.bandwidths(), [0.5, 0.5]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn bandwidths(&self) -> &[f64] {
        &self.bandwidths
    }

    /// Points that were added, here or to fields that were merged.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, MeanShift};
    /// let mut field = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).field(2)?;
    /// field.add(&[0.0, 0.0, 1.0, 1.0])?;
    /// field.add(&[2.0, 2.0])?;
    /// assert_eq!(field.points(), 3);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn points(&self) -> u64 {
        self.points
    }

    /// The sum of their weights.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, MeanShift};
    /// let mut field = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).field(1)?;
    /// field.add_weighted(&[0.0, 1.0], &[0.5, 1.0])?;
    /// assert_eq!(field.weight(), 1.5);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn weight(&self) -> f64 {
        self.weight
    }

    /// Nodes of the grid.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, MeanShift};
    /// let mut field = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).field(1)?;
    /// field.add(&[0.0, 1.0])?;
    /// let nodes = field.nodes();
    /// // They grow with the extent of the points, not with their number.
    /// field.add(&[0.5; 1000])?;
    /// assert_eq!(field.nodes(), nodes);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn nodes(&self) -> usize {
        self.grid.map_or(0, |grid| grid.count())
    }

    /// The error of a step that is to be expected at most, in bandwidths.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, MeanShift};
    /// let field = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).accuracy(1e-3).field(2)?;
    /// assert!(field.error_bound() <= 1e-3);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn error_bound(&self) -> f64 {
        taps::error_bound(self.dimensions(), self.per_bandwidth())
    }

    /// Adds points by rows.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, Error, MeanShift};
    /// let mut field = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).field(2)?;
    /// field.add(&[0.0, 0.0, 0.1, 0.2])?;
    /// assert!(matches!(field.add(&[0.0, f64::NAN]), Err(Error::NotFinite { .. })));
    /// assert_eq!(field.points(), 2);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Precision
    /// Coordinates are rounded to f32 after they were divided by the bandwidth, about the field's origin: to 2^-24 of
    /// themselves.
    ///
    /// # Errors
    /// Rows that are incomplete or not finite; [`Error::Extent`] and [`Error::FieldTooLarge`] for points too far
    /// apart, after which the field is as it was before; whatever the device reports.
    pub fn add<T: Copy + Into<f64>>(&mut self, rows: &[T]) -> Result<()> {
        self.add_weighted(rows, &[])
    }

    /// Adds points by rows with a weight for each, which should be about 1: it is kept to 2^-29.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, MeanShift};
    /// let mut field = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).field(1)?;
    /// // The second point counts three times as much.
    /// field.add_weighted(&[0.0, 0.4], &[0.5, 1.5])?;
    /// assert!((field.modes()?.modes[0].position[0] - 0.3).abs() < 0.01);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`add`](Self::add); [`Error::SampleWeights`].
    pub fn add_weighted<T: Copy + Into<f64>>(&mut self, rows: &[T], weights: &[f64]) -> Result<()> {
        let queries = self.scaled(rows)?;
        let n = queries.as_ref().map_or(0, |queries| queries.m as usize);
        let wrong = |what| Err(Error::SampleWeights { what, points: n });
        if !weights.is_empty() && weights.len() != n {
            return wrong(format!("there are {} sample weights", weights.len()));
        }
        let Some(queries) = queries else { return Ok(()) };
        if let Some(at) = weights.iter().position(|&w| !(0.0..=HEAVIEST).contains(&w)) {
            return wrong(format!("sample weight {at} is {}, and a field takes {HEAVIEST} at most", weights[at]));
        }
        let weight = if weights.is_empty() { n as f64 } else { weights.iter().sum() };
        if self.weight + weight > MOST_WEIGHT {
            return wrong(format!("the weights of a field would sum to more than {MOST_WEIGHT}"));
        }
        let factors = self.device.upload(&weights.iter().map(|&weight| weight as f32).collect::<Vec<_>>())?;
        let points = queries.as_columns(self.dimensions() as u32);
        self.cover(&extents(&self.device, points)?, n)?;
        let mut state = no_run(&self.device)?;
        let field = self.adding.as_mut().expect("made by `cover`");
        field.add(&self.device, points, &factors, (&mut state, 0))?;
        self.points += n as u64;
        self.weight += weight;
        Ok(())
    }

    /// Adds another field's points.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, MeanShift};
    /// let estimator = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0));
    /// let part = |rows: &[f64]| -> Result<_, modeseek::Error> {
    ///     let mut field = estimator.field(1)?;
    ///     field.add(rows)?;
    ///     Ok(field)
    /// };
    /// // As of two machines, each with half of the points.
    /// let mut whole = part(&[0.0, 0.2])?;
    /// whole.merge(&part(&[9.0])?)?;
    /// assert_eq!(whole.modes()?.modes.len(), 2);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OtherField`] if it has another bandwidth or accuracy; as [`add`](Self::add).
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        let grid = |field: &Self| (field.bandwidths.clone(), field.origin.clone(), field.per_bandwidth());
        if grid(self) != grid(other) {
            let described = |(bandwidths, origin, nodes): (Vec<f64>, Vec<f64>, f64)| {
                format!("bandwidths {bandwidths:?}, {nodes} nodes each, about {origin:?}")
            };
            return Err(Error::OtherField { ours: described(grid(self)), theirs: described(grid(other)) });
        }
        if self.weight + other.weight > MOST_WEIGHT {
            let what = format!("the weights of a field would sum to more than {MOST_WEIGHT}");
            return Err(Error::SampleWeights { what, points: other.points as usize });
        }
        let (Some(grid), sums) = (other.grid, other.total_sums()?) else { return Ok(()) };
        self.settle()?;
        let whole = self.grid.map_or(Ok(grid), |own| own.united(&grid)).map_err(|nodes| self.too_large(nodes))?;
        let mut united = on_host(whole.count() * gpu::spread::WORDS)?;
        if let Some(own) = self.grid {
            whole.copy_from(&own, &self.sums, &mut united);
        }
        whole.copy_from(&grid, &sums, &mut united);
        (self.grid, self.sums) = (Some(whole), united);
        self.points += other.points;
        self.weight += other.weight;
        Ok(())
    }

    pub(super) fn per_bandwidth(&self) -> f64 {
        taps::nodes_for(self.dimensions(), self.options.accuracy)
    }

    /// All points' sums, of which some may still be on the device.
    pub(super) fn total_sums(&self) -> Result<Vec<u64>> {
        match &self.adding {
            None => {
                let mut sums = on_host(self.sums.len())?;
                sums.copy_from_slice(&self.sums);
                Ok(sums)
            }
            Some(field) => field.totals(&self.device),
        }
    }

    /// Takes the sums from the device.
    fn settle(&mut self) -> Result<()> {
        self.sums = self.total_sums()?;
        self.adding = None;
        Ok(())
    }

    pub(super) fn scaling(&self) -> Scaling {
        let scale = WeightFunction::Gaussian.scale();
        let factors = self.bandwidths.iter().map(|h| scale / h).collect();
        Scaling { centre: self.origin.clone(), factors, sphere: None }
    }

    /// Rows as queries, scaled: what becomes of a row depends on nothing else.
    pub(super) fn scaled<T: Copy + Into<f64>>(&self, rows: &[T]) -> Result<Option<Queries>> {
        self.scaling().columns_of_rows(&self.device, rows, TooFar::Refused)
    }

    /// The grid of a point at the origin.
    pub(super) fn grid_of_one(&self) -> Result<Grid> {
        self.around(None, &vec![(0.0, 0.0); self.dimensions()], 0.0)
    }

    fn too_large(&self, nodes: u128) -> Error {
        Error::FieldTooLarge { nodes, most: super::grid::MOST_NODES }
    }

    /// The grid, or one that also covers the extents.
    pub(super) fn around(&self, grid: Option<Grid>, extents: &[(f64, f64)], margin: f64) -> Result<Grid> {
        let scale = WeightFunction::Gaussian.scale();
        let rule = (MOST_WEIGHT, self.options.accuracy);
        let needed = Grid::over(extents, scale, self.per_bandwidth(), rule).map_err(|nodes| self.too_large(nodes))?;
        let Some(grid) = grid else { return Ok(needed) };
        if grid.covers(&needed) {
            return Ok(grid);
        }
        let whole = grid.united(&needed).map_err(|nodes| self.too_large(nodes))?;
        Ok(whole.widened(|nodes| (nodes as f64 * margin) as i64).unwrap_or(whole))
    }

    /// A field on the device for the points so far and n more within the extents.
    fn cover(&mut self, extents: &[(f64, f64)], n: usize) -> Result<()> {
        let grid = self.around(self.grid, extents, MARGIN)?;
        if self.grid == Some(grid) && self.adding.is_some() {
            return Ok(());
        }
        let sums = self.moved_to(&grid, &self.total_sums()?)?;
        let field = self.on_device(grid, &sums, n)?;
        (self.grid, self.sums, self.adding) = (Some(grid), Vec::new(), Some(field));
        Ok(())
    }

    /// The sums on a larger grid; none, where there are none yet, however large that is.
    pub(super) fn moved_to(&self, grid: &Grid, sums: &[u64]) -> Result<Vec<u64>> {
        let Some(own) = &self.grid else { return Ok(Vec::new()) };
        let mut moved = on_host(grid.count() * gpu::spread::WORDS)?;
        grid.copy_from(own, sums, &mut moved);
        Ok(moved)
    }

    pub(super) fn on_device(&self, grid: Grid, sums: &[u64], n: usize) -> Result<Field> {
        Field::with_sums(&self.device, grid, EXPONENT, n, sums)
    }
}
