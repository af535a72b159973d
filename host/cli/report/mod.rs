//! What was done, for a person or for a program.

mod text;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use nalgebra::{DMatrix, DVector};
use serde::Serialize;

use super::input::Data;
use crate::data::LeftOut;
use crate::executor::{Counts, Device};
use crate::mean_shift::{Clustering, Mode, Path};

/// Everything that the program tells of a job.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    version: &'static str,
    device: String,
    device_why: String,
    /// The file, or `generated`.
    source: String,
    /// The shape of generated points.
    shape: Option<&'static str>,
    /// The names of the coordinates.
    columns: Vec<String>,
    /// Columns that would be coordinates if they held numbers.
    left_out: Vec<LeftOut>,
    points: u64,
    dimensions: usize,
    /// Rows that were left out, since a value was missing.
    dropped: u64,
    seed: u64,
    /// Of generated points.
    true_clusters: Option<usize>,
    bandwidth: f64,
    bandwidth_per_dimension: Option<Vec<f64>>,
    bandwidth_from: String,
    /// How long it is along each coordinate, in the units that modes have: what is far less apart is the same to it.
    #[serde(skip)]
    lengths: Vec<f64>,
    queries: usize,
    /// None for a file that was read in parts.
    iterations: Option<usize>,
    /// In bandwidths.
    last_shift: Option<f64>,
    converged: bool,
    /// How iterations were computed, and why so.
    path: Path,
    /// Points at a time, of the composed method.
    batch: Option<usize>,
    /// Pairs that were computed, where far tiles were left out; and all.
    pairs_kept: Option<u64>,
    pairs_all: Option<u64>,
    /// Pairs that the first iteration computed; and those within the weight's reach, by a sample.
    pairs_first: Option<u64>,
    pairs_ideal: Option<u64>,
    clusters: Vec<Cluster>,
    noise: u64,
    notes: Vec<String>,
    /// How far labels agree with those that points were generated with.
    adjusted_rand_index: Option<f64>,
    /// Points times iterations, over the time of the iterations.
    points_per_second: Option<f64>,
    /// Pairs of points that were computed, over the same time; none with a field.
    pairs_per_second: Option<f64>,
    seconds: Seconds,
    launches: u64,
    uploads: u64,
    downloads: u64,
    /// The options that have a value, as given or by default, without those of generated points where they are a file's: with
    /// the version, what repeats the run.
    parameters: Parameters,
}

/// Options by name, with their values.
pub type Parameters = BTreeMap<String, Vec<String>>;

/// A cluster.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Cluster {
    pub size: u64,
    pub weight: f64,
    pub mode: Vec<f64>,
    /// None for a file that was read in parts.
    pub centre: Option<Vec<f64>>,
    /// The true centroid that is nearest to the mode, and how far it is; with the cosine distance its direction, and
    /// 1 - cos of the angle between.
    pub centroid: Option<Vec<f64>>,
    pub distance: Option<f64>,
}

/// Seconds of each phase.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Seconds {
    pub open_device: f64,
    /// Points were made.
    pub generate: f64,
    /// A file was read.
    pub read: f64,
    pub prepare: f64,
    pub iterate: f64,
    pub label: f64,
    pub download: f64,
    /// Results were written, and what they need was computed.
    pub write: f64,
    pub total: f64,
}

/// What is told of every job, however it was done.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub source: String,
    pub shape: Option<&'static str>,
    pub seed: u64,
    pub dropped: u64,
    pub columns: Vec<String>,
    pub left_out: Vec<LeftOut>,
    pub notes: Vec<String>,
    pub parameters: Parameters,
}

/// What is told of points that were read in parts.
#[derive(Clone, Debug)]
pub(super) struct Streamed {
    pub points: u64,
    pub noise: u64,
    pub bandwidths: Vec<f64>,
    pub queries: usize,
    pub converged: bool,
    pub path: Path,
    pub clusters: Vec<Cluster>,
    pub seconds: Seconds,
    pub counts: Counts,
}

impl Report {
    /// Of points that were clustered at once. `generated` if they were; `directions` if modes are.
    pub(super) fn of_fit(
        facts: Facts,
        device: &Device,
        data: &Data,
        (clustering, agreement): (&Clustering, Option<f64>),
        (before, write): ([Duration; 2], Duration),
        directions: bool,
    ) -> Self {
        let phases = clustering.phases;
        let iterate = phases.iterate.as_secs_f64();
        // Queries that had come to rest did not move any more.
        let moved: f64 = clustering.queries.iter().map(|query| f64::from(query.iterations)).sum();
        let n = data.points.len();
        let [open, made] = before.map(|time| time.as_secs_f64());
        let (generate, read) = if data.truth.is_some() { (made, 0.0) } else { (0.0, made) };
        let centroids = data.truth.as_ref().map(|(_, positions)| positions);
        let cluster = |mode: &Mode| Cluster::new(mode, data, centroids, directions);
        let seconds = Seconds {
            open_device: open,
            generate,
            read,
            prepare: phases.prepare.as_secs_f64(),
            iterate,
            label: phases.label.as_secs_f64(),
            download: phases.download.as_secs_f64(),
            write: write.as_secs_f64(),
            total: 0.0,
        };
        Self {
            points: n as u64,
            dimensions: data.points.dimensions(),
            true_clusters: centroids.map(DMatrix::ncols),
            bandwidth: clustering.bandwidth,
            bandwidth_per_dimension: clustering.bandwidth_per_dimension.clone(),
            bandwidth_from: clustering.bandwidth_from.clone(),
            lengths: lengths(data, clustering),
            queries: clustering.queries.len(),
            iterations: Some(clustering.iterations),
            last_shift: Some(clustering.last_shift()),
            converged: clustering.converged,
            path: clustering.path.clone(),
            batch: clustering.batch,
            pairs_kept: clustering.pairs.map(|pairs| pairs.kept),
            pairs_all: clustering.pairs.map(|pairs| pairs.all),
            pairs_first: clustering.pairs.map(|pairs| pairs.first),
            pairs_ideal: clustering.pairs.map(|pairs| pairs.ideal),
            clusters: clustering.modes.iter().map(cluster).collect(),
            noise: clustering.labels.iter().filter(|&&label| label < 0).count() as u64,
            notes: facts.notes.iter().chain(&clustering.notes).cloned().collect(),
            adjusted_rand_index: agreement,
            points_per_second: Some(moved / iterate),
            pairs_per_second: match (clustering.path.name, clustering.pairs) {
                ("field", _) => None,
                (_, Some(pairs)) => Some(pairs.kept as f64 / iterate),
                _ => Some(moved * n as f64 / iterate),
            },
            ..Self::of(facts, device, seconds, clustering.counts)
        }
    }

    /// Of points that were read in parts.
    pub(super) fn of_stream(facts: Facts, device: &Device, streamed: Streamed) -> Self {
        let Streamed { points, noise, bandwidths, queries, converged, path, clusters, seconds, counts } = streamed;
        let same = bandwidths.iter().all(|h| *h == bandwidths[0]);
        let mean = (bandwidths.iter().map(|h| h.ln()).sum::<f64>() / bandwidths.len() as f64).exp();
        Self {
            points,
            noise,
            queries,
            converged,
            path,
            clusters,
            dimensions: bandwidths.len(),
            bandwidth: if same { bandwidths[0] } else { mean },
            lengths: bandwidths.clone(),
            bandwidth_per_dimension: (!same).then_some(bandwidths),
            ..Self::of(facts, device, seconds, counts)
        }
    }

    /// What every report has.
    fn of(facts: Facts, device: &Device, mut seconds: Seconds, counts: Counts) -> Self {
        let Seconds { open_device, generate, read, prepare, iterate, label, download, write, .. } = seconds;
        seconds.total = open_device + generate + read + prepare + iterate + label + download + write;
        let Facts { source, shape, seed, dropped, columns, left_out, notes, parameters } = facts;
        let Counts { launches, uploads, downloads } = counts;
        Self {
            version: env!("CARGO_PKG_VERSION"),
            device: device.describe(),
            device_why: device.why().to_owned(),
            source,
            shape,
            columns,
            left_out,
            points: 0,
            dimensions: 0,
            dropped,
            seed,
            true_clusters: None,
            bandwidth: 0.0,
            bandwidth_per_dimension: None,
            bandwidth_from: "given".to_owned(),
            lengths: Vec::new(),
            queries: 0,
            iterations: None,
            last_shift: None,
            converged: true,
            path: Path::exact("all pairs", ""),
            batch: None,
            pairs_kept: None,
            pairs_all: None,
            pairs_first: None,
            pairs_ideal: None,
            clusters: Vec::new(),
            noise: 0,
            notes,
            adjusted_rand_index: None,
            points_per_second: None,
            pairs_per_second: None,
            seconds,
            launches,
            uploads,
            downloads,
            parameters,
        }
    }

    /// One line of JSON.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_json(&self, out: &mut (impl Write + ?Sized)) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        writeln!(out)
    }
}

impl Cluster {
    fn new(mode: &Mode, data: &Data, centroids: Option<&DMatrix<f64>>, directions: bool) -> Self {
        let undone = |position: &[f64]| {
            let mut position = position.to_vec();
            if let Some(standardization) = &data.standardization {
                standardization.undo(&mut position);
            }
            position
        };
        let nearest = centroids.map(|centroids| nearest(&mode.position, centroids, directions));
        Self {
            size: mode.size as u64,
            weight: mode.weight,
            mode: undone(&mode.position),
            centre: Some(undone(&mode.centre)),
            distance: nearest.as_ref().map(|(_, distance)| *distance),
            centroid: nearest.map(|(centroid, _)| centroid.iter().copied().collect()),
        }
    }
}

/// How long the bandwidth is along each coordinate of the data, before they were standardized.
fn lengths(data: &Data, clustering: &Clustering) -> Vec<f64> {
    let d = data.points.dimensions();
    let mut lengths = clustering.bandwidth_per_dimension.clone().unwrap_or_else(|| vec![clustering.bandwidth; d]);
    if let Some(standardization) = &data.standardization {
        let mut from = vec![0.0; d];
        standardization.undo(&mut from);
        standardization.undo(&mut lengths);
        lengths.iter_mut().zip(from).for_each(|(length, from)| *length -= from);
    }
    lengths
}

/// The centroid, a column, that is nearest to a position, and how far it is.
fn nearest(position: &[f64], centroids: &DMatrix<f64>, directions: bool) -> (DVector<f64>, f64) {
    let position = DVector::from_column_slice(position);
    centroids
        .column_iter()
        .map(|centroid| {
            let centroid = if directions { centroid.normalize() } else { centroid.into_owned() };
            let apart = (&centroid - &position).norm();
            // Of unit vectors, half the square is 1 - cos.
            (centroid, if directions { apart * apart / 2.0 } else { apart })
        })
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .expect("there is at least one cluster")
}
