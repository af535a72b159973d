//! What is left of a fit to ask of: of new points, in this run or another.

mod file;

use std::sync::Arc;

use super::anywhere::going_on;
use super::assemble::Mode;
use super::fit::Clustering;
use super::fitted::{Distances, Fitted};
use super::iterate::Watch;
use super::options::Assignment;
use crate::data::Standardization;
use crate::error::{Error, Result};
use crate::points::ToPoints;

/// What is left of a fit to ask of: its points and modes, on a device. [`Clustering::model`] has it, [`save`](Self::save) keeps it.
///
/// ```
/// use modeseek::{Assignment, Bandwidth, Device, MeanShift, Model};
///
/// let clustering = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).fit(&[[0.0], [0.2], [9.0]])?;
/// let mut file = Vec::new();
/// clustering.model().save(&mut file)?;
/// // In another run, perhaps on another machine:
/// let model = Model::load(&Device::auto()?, &file[..])?;
/// assert_eq!(model.predict(&[[8.7], [0.4]], Assignment::Basin)?, [1, 0]);
/// assert_eq!(model.modes(), clustering.modes);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Model {
    modes: Vec<Mode>,
    columns: Vec<String>,
    /// Whether the columns are numbers of an array's, as x1.
    pub(crate) of_array: bool,
    standardization: Option<Standardization>,
    fitted: Arc<Fitted>,
}

impl Clustering {
    /// What can be asked of new points, and kept: another handle to the fit's points, which stay on the device.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, MeanShift};
    /// let clustering = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).fit(&[[0.0], [0.2], [9.0]])?;
    /// let model = clustering.model();
    /// assert_eq!(model.transform(&[[4.0]])?, clustering.transform(&[[4.0]])?);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn model(&self) -> Model {
        let (modes, fitted) = (self.modes.clone(), self.fitted.clone());
        Model { modes, columns: Vec::new(), of_array: false, standardization: None, fitted }
    }
}

impl Model {
    /// The clusters, as the fit has them.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, MeanShift};
    /// let clustering = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).fit(&[[0.0], [0.2], [9.0]])?;
    /// assert_eq!(clustering.model().modes(), clustering.modes);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn modes(&self) -> &[Mode] {
        &self.modes
    }

    /// The bandwidth, in units of the data: of all points, or the geometric mean of several.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, MeanShift};
    /// assert_eq!(MeanShift::new().bandwidth(Bandwidth::Fixed(1.5)).fit(&[[0.0], [9.0]])?.model().bandwidth(), 1.5);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn bandwidth(&self) -> f64 {
        self.fitted.prepared.h
    }

    /// The bandwidth of each dimension, where each has one.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, MeanShift};
    /// let each = MeanShift::new().bandwidth(Bandwidth::PerDimension(vec![1.0, 4.0]));
    /// let model = each.fit(&[[0.0, 0.0], [9.0, 9.0]])?.model();
    /// assert_eq!((model.bandwidth_per_dimension(), model.bandwidth()), (Some(&[1.0, 4.0][..]), 2.0));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn bandwidth_per_dimension(&self) -> Option<&[f64]> {
        self.fitted.prepared.per_dimension.as_deref()
    }

    /// The names of the coordinates, if somebody gave them, as the program does; or none.
    ///
    /// ```
    /// # use modeseek::MeanShift;
    /// assert!(MeanShift::new().fit(&[[0.0], [9.0]])?.model().columns().is_empty());
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The model with names of its coordinates, by which `modeseek predict` finds them in files.
    ///
    /// ```
    /// # use modeseek::MeanShift;
    /// let model = MeanShift::new().fit(&[[0.0, 1.0], [9.0, 2.0]])?.model();
    /// let named = model.clone().with_columns(["length", "width"].map(str::to_owned))?;
    /// assert_eq!(named.columns(), ["length", "width"]);
    /// assert!(model.with_columns(["length".to_owned()]).is_err());
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Option`] for more or fewer names than coordinates.
    pub fn with_columns(self, columns: impl Into<Vec<String>>) -> Result<Self> {
        let columns = columns.into();
        if columns.len() != self.dimensions() {
            let (option, must) = ("the number of columns' names", "that of the points' coordinates");
            return Err(Error::Option { option, value: columns.len().to_string(), must });
        }
        Ok(Self { columns, ..self })
    }

    /// What new points have to be brought to before they are asked for, if the fit's were: the scale that its bandwidth, modes and densities
    /// are of. Models that the program keeps with `--standardize` have one.
    ///
    /// ```
    /// # use modeseek::{Assignment, MeanShift};
    /// # let model = MeanShift::new().fit(&[[0.0], [9.0]])?.model();
    /// let mut rows = [1.0, 8.5];
    /// if let Some(scale) = model.standardization() {
    ///     scale.apply(&mut rows);
    /// }
    /// model.predict(&rows.map(|x| [x]), Assignment::Basin)?;
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn standardization(&self) -> Option<&Standardization> {
        self.standardization.as_ref()
    }

    /// The model, of points that were brought to this scale before they were fitted. It is kept with the model, for whoever asks; new points
    /// are not brought to it.
    ///
    /// ```
    /// use modeseek::MeanShift;
    /// use modeseek::data::{Standard, Standardization};
    ///
    /// let mut rows = [10.0, 11.0, 90.0];
    /// let scale = Standardization::of(Standard::MinMax, &rows, 1);
    /// scale.apply(&mut rows);
    /// let model = MeanShift::new().fit(&rows.map(|x| [x]))?.model().with_standardization(scale.clone())?;
    /// assert_eq!(model.standardization(), Some(&scale));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Option`] for one of other dimensions, or with numbers that are not finite, or divisors that are not above 0.
    pub fn with_standardization(self, standardization: Standardization) -> Result<Self> {
        if !is_scale(&standardization, self.dimensions()) {
            let (option, must) =
                ("the standardization", "finite, of the points' dimensions, and with divisors above 0");
            return Err(Error::Option { option, value: format!("{standardization:?}"), must });
        }
        Ok(Self { standardization: Some(standardization), ..self })
    }

    /// [`Clustering::predict`], for points that were brought to the model's [`standardization`](Self::standardization), if it has one.
    ///
    /// ```
    /// # use modeseek::{Assignment, Bandwidth, MeanShift};
    /// let model = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).fit(&[[0.0], [0.2], [9.0]])?.model();
    /// assert_eq!(model.predict(&[[8.7], [100.0]], Assignment::Basin)?, [1, -1]);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// As it.
    pub fn predict(&self, points: &(impl ToPoints + ?Sized), assignment: Assignment) -> Result<Vec<i32>> {
        self.predict_watched(points, assignment, &mut going_on)
    }

    /// [`predict`](Self::predict), for whoever watches, and may stop it: labels are those of the modes that are nearest then.
    pub(crate) fn predict_watched(
        &self,
        points: &(impl ToPoints + ?Sized),
        assignment: Assignment,
        watch: Watch<'_>,
    ) -> Result<Vec<i32>> {
        self.fitted.predict(points, assignment, watch)
    }

    /// See [`Fitted::check_density`].
    pub(crate) fn check_density(&self) -> Result<()> {
        self.fitted.check_density()
    }

    /// [`Clustering::transform`], for points of the model's [`standardization`](Self::standardization), and in its units.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, MeanShift};
    /// let model = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).fit(&[[0.0], [9.0]])?.model();
    /// let distances = &model.transform(&[[4.0]])?[0];
    /// assert!((distances[0] - 4.0).abs() < 1e-5 && (distances[1] - 5.0).abs() < 1e-5);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// As it.
    pub fn transform(&self, points: &(impl ToPoints + ?Sized)) -> Result<Vec<Vec<f64>>> {
        self.fitted.transform(points)
    }

    /// [`Clustering::density`], for points of the model's [`standardization`](Self::standardization): of a volume in that scale, which
    /// [`Standardization::density`] brings back.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, MeanShift};
    /// let model = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).fit(&[[0.0], [9.0]])?.model();
    /// assert!(model.density(&[[0.0]])? > model.density(&[[4.0]])?);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// As it.
    pub fn density(&self, points: &(impl ToPoints + ?Sized)) -> Result<Vec<f64>> {
        self.fitted.density(points)
    }

    /// As [`transform`](Self::transform), as the device has them; see [`Fitted::distances`].
    pub(crate) fn distances(
        &self,
        points: &(impl ToPoints + ?Sized),
        more: impl FnOnce(u128, u128) -> u128,
    ) -> Result<Distances> {
        self.fitted.distances(points, more)
    }

    /// How many points were fitted, n.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, MeanShift};
    /// let model = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).fit(&[[0.0], [0.2], [9.0]])?.model();
    /// assert_eq!((model.points(), model.dimensions()), (3, 1));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn points(&self) -> usize {
        self.fitted.prepared.field.n as usize
    }

    /// Coordinates of each, d.
    ///
    /// ```
    /// # use modeseek::MeanShift;
    /// assert_eq!(MeanShift::new().fit(&[[0.0, 1.0], [0.2, 4.0]])?.model().dimensions(), 2);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn dimensions(&self) -> usize {
        self.fitted.prepared.field.d as usize
    }
}

/// Whether rows of d coordinates can be brought to it.
fn is_scale(Standardization { offsets, scales }: &Standardization, d: usize) -> bool {
    let (offsets_are, scales_are) = (offsets.iter().all(|x| x.is_finite()), scales.iter().all(is_factor));
    offsets.len() == d && scales.len() == d && offsets_are && scales_are
}

fn is_factor(factor: &f64) -> bool {
    factor.is_finite() && *factor > 0.0
}
