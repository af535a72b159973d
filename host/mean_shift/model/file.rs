//! Models in files: for other runs, and other machines.
//!
//! The contents of such a file ([`sealed`](crate::mean_shift::sealed)): a header as JSON ([`Header`]), behind its length in bytes (u64); the points by rows, about
//! their centre (n x d f32); their weights over a unit (n f32), if they have some; their marks (2 n f32: factors, then scales), if each has a
//! bandwidth of its own; and of the modes the scaled positions (k x d f32), sizes (k u64), weights (k f64) and centres (k x d f64).

use std::io::{Read, Write};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Model, is_scale};
use crate::data::Standardization;
use crate::error::{Error, Result};
use crate::executor::{Buffer, Device};
use crate::mean_shift::assemble::Mode;
use crate::mean_shift::bandwidth::Bandwidth;
use crate::mean_shift::builder::MeanShift;
use crate::mean_shift::fitted::Fitted;
use crate::mean_shift::iterate::{Field, Queries};
use crate::mean_shift::labels::{Groups, count};
use crate::mean_shift::options::{Assignment, Distance, Form, Method, WeightFunction};
use crate::mean_shift::prepare::{Prepared, Uploaded};
use crate::mean_shift::scaling::Scaling;
use crate::mean_shift::sealed::{Contents, Kind};
use crate::product::Instruction;

/// The version is of this layout, and of what its numbers mean to the kernels.
const KIND: Kind = Kind { what: "model", magic: b"modeseek model\0\0", version: 1 };

impl Model {
    /// What its file begins with.
    pub(crate) const BEGINNING: &[u8; 16] = KIND.magic;

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

    /// Reads a model that was saved, to the end of what it is read from: nothing may stand behind it. On the same device, or one of
    /// its kind, it says of new points what the fit says, to the last bit; on others positions differ in their last bits.
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
            .form(Form::Standard)
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
