//! What is left of a fit to ask of: kept in files, for other runs and other machines.
//!
//! The contents of such a file ([`sealed`]): a header as JSON ([`Header`]), behind its length in bytes (u64); the points by rows, about
//! their centre (n x d f32); their weights over a unit (n f32), if they have some; their marks (2 n f32: factors, then scales), if each has a
//! bandwidth of its own; and of the modes the scaled positions (k x d f32), sizes (k u64), weights (k f64) and centres (k x d f64).

use std::io::{Read, Write};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::anywhere::going_on;
use super::assemble::Mode;
use super::bandwidth::Bandwidth;
use super::builder::MeanShift;
use super::fit::Clustering;
use super::fitted::{Distances, Fitted};
use super::iterate::{Field, Queries, Watch};
use super::labels::{Groups, count};
use super::options::{Assignment, Distance, Method, WeightFunction};
use super::prepare::{Prepared, Scaling, Uploaded};
use super::sealed::{Contents, Kind};
use crate::data::Standardization;
use crate::error::{Error, Result};
use crate::executor::{Buffer, Device};
use crate::points::ToPoints;
use crate::product::Instruction;

/// The version is of this layout, and of what its numbers mean to the kernels.
const KIND: Kind = Kind { what: "model", magic: b"modeseek model\0\0", version: 1 };

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
    /// What its file begins with.
    pub(crate) const BEGINNING: &[u8; 16] = KIND.magic;

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

    /// Writes the model: everything that [`load`](Self::load) needs, n (d + 3) + k (3 d + 4) numbers of 4 bytes at most behind a header.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, MeanShift};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("a.model");
    /// use modeseek::files::write_whole;
    ///
    /// let model = MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).fit(&[[0.0], [0.2], [9.0]])?.model();
    /// // A file that is there whole or not at all.
    /// write_whole(&path, |file| model.save(file))?;
    /// assert!(std::fs::read(&path).unwrap().starts_with(b"modeseek model"));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Undefined`] for a weight function of one's own; [`Error::Output`] if it cannot be written; whatever the device reports.
    pub fn save(&self, to: impl Write) -> Result<()> {
        let Fitted { options, prepared, groups } = &*self.fitted;
        let Prepared { field, scaling, .. } = prepared;
        let Some(weight) = WeightFunction::ALL.into_iter().find(|&known| known == options.weight) else {
            let why = "for a weight function of one's own, which is code; fit again where that is";
            return Err(Error::Undefined { what: "a file of a model", why });
        };
        let of_points = options.bandwidth.is_of_points();
        let header = Header {
            points: self.points(),
            dimensions: self.dimensions(),
            modes: self.modes.len(),
            weight: weight.steps().name.to_owned(),
            distance: options.distance,
            method: match options.method {
                // It is of the blurring form, and new points move by all pairs then.
                Method::Composed { .. } => Method::Fused,
                method => method,
            },
            instruction: options.instruction,
            accuracy: options.accuracy,
            tolerance: options.tolerance,
            max_iterations: options.max_iterations,
            relaxation: options.relaxation,
            reach: options.reach,
            bandwidth: prepared.h,
            bandwidth_per_dimension: prepared.per_dimension.clone(),
            bandwidth_per_point: of_points,
            weight_unit: prepared.weights.is_some().then_some(prepared.unit),
            centre: scaling.centre.clone(),
            factors: scaling.factors.clone(),
            columns: self.columns.clone(),
            columns_of_array: self.of_array,
            standardization: self.standardization.clone(),
        };
        let mut file = KIND.write(to)?;
        file.put_counted(&serde_json::to_vec(&header).map_err(|error| Error::Output(error.into()))?)?;
        let (device, n) = (&field.device, self.points());
        file.put(&device.download(&prepared.rows)?)?;
        if let Some(weights) = &prepared.weights {
            file.put(&device.download(weights)?)?;
        }
        if of_points {
            let marks = device.download(&field.marks)?;
            marks.chunks(field.stride as usize).try_for_each(|column| file.put(&column[..n]))?;
        }
        file.put(&device.download_first(&groups.means, groups.count * groups.d)?)?;
        file.put(&self.modes.iter().map(|mode| mode.size as u64).collect::<Vec<_>>())?;
        file.put(&self.modes.iter().map(|mode| mode.weight).collect::<Vec<_>>())?;
        self.modes.iter().try_for_each(|mode| file.put(&mode.centre))?;
        file.end()
    }

    /// Reads a model that was saved, to the end of what it is read from: nothing may stand behind it. On the same device, or one of its kind, it says of new points what the fit says, to the last bit; on others
    /// positions differ in their last bits.
    ///
    /// ```
    /// # use modeseek::{Bandwidth, Device, MeanShift, Model};
    /// let mut file = Vec::new();
    /// MeanShift::new().bandwidth(Bandwidth::Fixed(1.0)).fit(&[[0.0], [0.2], [9.0]])?.model().save(&mut file)?;
    /// let device = Device::processor()?;
    /// assert_eq!(Model::load(&device, &file[..])?.modes().len(), 2);
    /// // A byte too few.
    /// assert!(Model::load(&device, &file[..file.len() - 1]).is_err());
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::ReadSaved`]; [`Error::UnreadableSaved`] for a file that is none, was cut or changed, or is of another version;
    /// too little memory; whatever the device reports.
    pub fn load(device: &Device, from: impl Read) -> Result<Self> {
        let mut file = KIND.read(from)?;
        let header: Header = serde_json::from_slice(file.take_counted()?)
            .map_err(|error| KIND.unreadable(format!("its header makes no sense: {error}")))?;
        let options = header.check(file.left())?;
        header.reserve(device, file.left())?;
        let held = Held::take(&mut file, &header)?;
        // What it held is in numbers now.
        drop(file);
        held.onto(device, header, options)
    }
}

/// What a file says before its numbers.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    points: usize,
    dimensions: usize,
    modes: usize,
    weight: String,
    distance: Distance,
    method: Method,
    instruction: Instruction,
    accuracy: f64,
    tolerance: f64,
    max_iterations: usize,
    relaxation: f64,
    reach: Option<f64>,
    bandwidth: f64,
    bandwidth_per_dimension: Option<Vec<f64>>,
    bandwidth_per_point: bool,
    /// Of points that have weights.
    weight_unit: Option<f64>,
    centre: Vec<f64>,
    factors: Vec<f64>,
    columns: Vec<String>,
    columns_of_array: bool,
    standardization: Option<Standardization>,
}

/// Whether rows of d coordinates can be brought to it.
fn is_scale(Standardization { offsets, scales }: &Standardization, d: usize) -> bool {
    let (offsets_are, scales_are) = (offsets.iter().all(|x| x.is_finite()), scales.iter().all(is_factor));
    offsets.len() == d && scales.len() == d && offsets_are && scales_are
}

fn is_factor(factor: &f64) -> bool {
    factor.is_finite() && *factor > 0.0
}

impl Header {
    /// The estimator, if everything is as a fit leaves it, and there are as many bytes behind as it takes.
    fn check(&self, bytes: usize) -> Result<MeanShift> {
        let contradicts = |what: &str| Err(KIND.unreadable(format!("it contradicts itself in {what}")));
        let (n, d, k) = (self.points, self.dimensions, self.modes);
        for (size, what) in [(n, "a number of points"), (d, "a number of dimensions"), (k, "a number of modes")] {
            count(size, what)?;
        }
        let (n_, d_, k_) = (n as u128, d as u128, k as u128);
        let each = d_ + u128::from(self.weight_unit.is_some()) + 2 * u128::from(self.bandwidth_per_point);
        if n == 0 || d == 0 || k > n || bytes as u128 != 4 * n_ * each + k_ * (12 * d_ + 16) {
            return contradicts("its sizes");
        }
        let usable = |h: &f64| (1e-30..=1e30).contains(h);
        let Some(weight) = WeightFunction::ALL.into_iter().find(|known| known.steps().name == self.weight) else {
            return Err(KIND.unreadable(format!("it has a weight function {}", self.weight)));
        };
        let bandwidth = match &self.bandwidth_per_dimension {
            Some(each) if each.len() != d || !each.iter().all(usable) => return contradicts("its bandwidths"),
            Some(_) if self.bandwidth_per_point || self.distance == Distance::Cosine => {
                return contradicts("its bandwidths");
            }
            Some(each) => Bandwidth::PerDimension(each.clone()),
            // Its marks are what is left of them.
            None if self.bandwidth_per_point => Bandwidth::PerPoint(Vec::new()),
            None => Bandwidth::Fixed(self.bandwidth),
        };
        let sphere = self.distance.norm(weight.scale(), self.bandwidth).sphere;
        if !usable(&self.bandwidth) || f64::from(sphere) > f64::from(1 << 21) {
            return contradicts("its bandwidth");
        }
        if self.centre.len() != d || !self.centre.iter().all(|x| x.is_finite()) {
            return contradicts("its centre");
        }
        let wanted = |c: usize| match &self.bandwidth_per_dimension {
            _ if sphere > 0.0 => 1.0,
            Some(each) => weight.scale() / each[c],
            None => weight.scale() / self.bandwidth,
        };
        // Flat weights reach a little farther: see prepare.rs.
        let fits = |(c, factor): (usize, &f64)| (factor / wanted(c) - 1.0).abs() <= 2e-5;
        if self.factors.len() != d || !self.factors.iter().enumerate().all(fits) {
            return contradicts("its scale");
        }
        if self.weight_unit.is_some_and(|unit| !(unit > 0.0 && unit.is_finite())) {
            return contradicts("its weights");
        }
        if !self.columns.is_empty() && self.columns.len() != d {
            return contradicts("its columns");
        }
        if self.standardization.as_ref().is_some_and(|scale| !is_scale(scale, d)) {
            return contradicts("its standardization");
        }
        let mut options = MeanShift::new()
            .bandwidth(bandwidth)
            .weight(weight)
            .distance(self.distance)
            .form(super::Form::Standard)
            .method(self.method)
            .instruction(self.instruction)
            .accuracy(self.accuracy)
            .tolerance(self.tolerance)
            .max_iterations(self.max_iterations)
            .relaxation(self.relaxation);
        if let Some(reach) = self.reach {
            options = options.reach(reach).assignment(Assignment::NearestMode);
        }
        options.check().map_err(|error| KIND.unreadable(error.to_string()))?;
        Ok(options)
    }
}

impl Header {
    /// That there is memory for the numbers of so many bytes of a file, on the host and on the device.
    fn reserve(&self, device: &Device, bytes: usize) -> Result<()> {
        let (n, d, k) = (self.points as u128, self.dimensions as u128, self.modes as u128);
        let stride = Queries::stride_of(self.points) as u128;
        let marked = self.weight_unit.is_some() || self.bandwidth_per_point;
        let of_points = n * (d + u128::from(self.weight_unit.is_some())) + stride * (d + 2 * u128::from(marked));
        let on_device = (of_points + k * (d + 3)) * 4;
        let (what, advice) = (format!("a model of {n} points of {d} dimensions"), "fit fewer points");
        device.reserve_both((on_device, bytes as u128), &what, advice)
    }
}

/// The numbers of a file.
struct Held {
    rows: Vec<f32>,
    weights: Option<Vec<f32>>,
    /// Factors, and scales.
    marks: Option<[Vec<f32>; 2]>,
    means: Vec<f32>,
    sizes: Vec<u64>,
    masses: Vec<f64>,
    centres: Vec<f64>,
}

impl Held {
    fn take(file: &mut Contents<'_>, header: &Header) -> Result<Self> {
        let Header { points: n, dimensions: d, modes: k, .. } = *header;
        let held = Self {
            rows: file.take_all(n * d)?,
            weights: header.weight_unit.map(|_| file.take_all(n)).transpose()?,
            marks: header
                .bandwidth_per_point
                .then(|| Ok::<_, Error>([file.take_all(n)?, file.take_all(n)?]))
                .transpose()?,
            means: file.take_all(k * d)?,
            sizes: file.take_all(k)?,
            masses: file.take_all(k)?,
            centres: file.take_all(k * d)?,
        };
        held.check(header)?;
        Ok(held)
    }

    /// That all are as a fit leaves them.
    fn check(&self, header: &Header) -> Result<()> {
        let (d, n) = (header.dimensions, header.points as u64);
        let points = self.sizes.iter().try_fold(0, |sum: u64, &size| sum.checked_add(size));
        // f32 tells places within a bandwidth to there; a fit refuses what is farther.
        let scale = WeightFunction::ALL.iter().map(|weight| weight.scale()).fold(0.0, f64::max);
        let most = f64::from(1 << 22) * scale;
        let far = |(at, x): (usize, &f32)| {
            let reached = (f64::from(*x) * header.factors[at % d]).abs();
            !(x.is_finite() && (header.distance == Distance::Cosine || reached <= most))
        };
        let of_weights = |weight: &f32| (0.0..=2.0).contains(weight);
        let of_marks = |mark: &f32| mark.is_finite() && *mark >= 0.0;
        let wrong = [
            ("its points", self.rows.iter().enumerate().any(far)),
            ("its weights", !self.weights.iter().flatten().all(of_weights)),
            ("its points' bandwidths", !self.marks.iter().flatten().flatten().all(of_marks)),
            ("its modes", !self.means.iter().all(|x| f64::from(x.abs()) <= most)),
            ("its clusters' sizes", self.sizes.contains(&0) || points.is_none_or(|points| points > n)),
            ("its clusters' weights", !self.masses.iter().all(|&mass| mass >= 0.0)),
            ("its clusters' centres", self.centres.iter().any(|x| x.is_nan())),
        ];
        match wrong.into_iter().find(|(_, wrong)| *wrong) {
            Some((what, _)) => Err(KIND.unreadable(format!("it contradicts itself in {what}"))),
            None => Ok(()),
        }
    }

    fn onto(self, device: &Device, header: Header, options: MeanShift) -> Result<Model> {
        let (d, k) = (header.dimensions, header.modes);
        let unit = header.weight_unit.unwrap_or(1.0);
        let sample_weights =
            self.weights.as_ref().map(|held| held.iter().map(|&held| f64::from(held) * unit).collect());
        let options = MeanShift { sample_weights, ..options };
        let norm = options.distance.norm(options.weight.scale(), header.bandwidth);
        let sphere = (norm.sphere > 0.0).then_some(f64::from(norm.sphere));
        let scaling = Scaling { centre: header.centre, factors: header.factors, sphere };
        let rows = device.upload(&self.rows)?;
        let weights = self.weights.as_ref().map(|weights| device.upload(weights)).transpose()?;
        let own = self.marks.map(|marks| columns(device, &marks)).transpose()?;
        let weightless = self.weights.iter().flatten().any(|&weight| weight == 0.0);
        let uploaded = Uploaded { centred: &self.rows, rows: &rows, weights: weights.as_ref(), weightless };
        let field: Field = options.field_of(device, &uploaded, &scaling, norm, own)?;
        let modes = (0..k).map(|at| Mode {
            position: scaling.unscaled(&self.means[at * d..][..d]),
            centre: self.centres[at * d..][..d].to_vec(),
            size: self.sizes[at] as usize,
            weight: self.masses[at],
        });
        let modes: Vec<Mode> = modes.collect();
        let groups = Groups {
            count: k,
            d,
            sizes: device.upload(&self.sizes.iter().map(|&size| size as u32).collect::<Vec<_>>())?,
            totals: device.upload(&self.masses.iter().map(|mass| mass / unit).collect::<Vec<_>>())?,
            means: device.upload(&self.means)?,
        };
        let (h, per_dimension) = (header.bandwidth, header.bandwidth_per_dimension);
        let (how, notes) = ("saved".to_owned(), Vec::new());
        let prepared = Prepared { field, scaling, rows, weights, unit, h, per_dimension, how, notes };
        Ok(Model {
            modes,
            columns: header.columns,
            of_array: header.columns_of_array,
            standardization: header.standardization,
            fitted: Arc::new(Fitted::new(options, prepared, groups)),
        })
    }
}

/// Columns of a stride, on a device.
fn columns(device: &Device, each: &[Vec<f32>; 2]) -> Result<Buffer<f32>> {
    let stride = Queries::stride_of(each[0].len());
    let mut all = vec![0.0; 2 * stride];
    for (column, values) in all.chunks_mut(stride).zip(each) {
        column[..values.len()].copy_from_slice(values);
    }
    device.upload(&all)
}
