//! What was done, for a person or for a program.

use std::io::Write;
use std::time::Duration;

use nalgebra::{DMatrix, DVector};
use serde::Serialize;

use crate::data::Blobs;
use crate::error::Result;
use crate::executor::{Counts, Device};
use crate::mean_shift::{Clustering, Path};

/// Clusters that the text shows.
const SHOWN: usize = 12;

/// Coordinates of a position that the text shows.
const SHOWN_COORDINATES: usize = 4;

/// Everything that the program tells of a job.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    version: &'static str,
    device: String,
    device_why: String,
    points: usize,
    dimensions: usize,
    seed: u64,
    true_clusters: usize,
    bandwidth: f64,
    bandwidth_per_dimension: Option<Vec<f64>>,
    bandwidth_from: String,
    queries: usize,
    iterations: usize,
    /// In bandwidths.
    last_shift: f64,
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
    noise: usize,
    notes: Vec<String>,
    adjusted_rand_index: f64,
    /// Points times iterations, over the time of the iterations.
    points_per_second: f64,
    /// Pairs of points that were computed, over the same time; none with a field.
    pairs_per_second: Option<f64>,
    seconds: Seconds,
    launches: u64,
    uploads: u64,
    downloads: u64,
}

#[derive(Clone, Debug, Serialize)]
struct Cluster {
    size: usize,
    weight: f64,
    mode: Vec<f64>,
    centre: Vec<f64>,
    /// The true centroid that is nearest to the mode, and how far it is; with the cosine distance its direction, and
    /// 1 - cos of the angle between.
    centroid: Vec<f64>,
    distance: f64,
}

/// The true centroids, as the columns of a matrix.
pub(super) struct Centroids<'a> {
    pub positions: &'a DMatrix<f64>,
    /// Whether modes are directions.
    pub directions: bool,
}

#[derive(Clone, Debug, Serialize)]
struct Seconds {
    open_device: f64,
    generate: f64,
    prepare: f64,
    iterate: f64,
    label: f64,
    download: f64,
    total: f64,
}

impl Report {
    pub(super) fn new(
        blobs: &Blobs,
        device: &Device,
        [open, generate]: [Duration; 2],
        clustering: &Clustering,
        centroids: Centroids<'_>,
        adjusted_rand_index: f64,
    ) -> Self {
        let phases = clustering.phases;
        let total = open + generate + phases.prepare + phases.iterate + phases.label + phases.download;
        let iterate = phases.iterate.as_secs_f64();
        // Queries that had come to rest did not move any more.
        let moved: f64 = clustering.queries.iter().map(|query| f64::from(query.iterations)).sum();
        let Counts { launches, uploads, downloads } = clustering.counts;
        Self {
            version: env!("CARGO_PKG_VERSION"),
            device: device.describe(),
            device_why: device.why().to_owned(),
            points: blobs.points,
            dimensions: blobs.dimensions,
            seed: blobs.seed,
            true_clusters: blobs.clusters,
            bandwidth: clustering.bandwidth,
            bandwidth_per_dimension: clustering.bandwidth_per_dimension.clone(),
            bandwidth_from: clustering.bandwidth_from.clone(),
            queries: clustering.queries.len(),
            iterations: clustering.iterations,
            last_shift: clustering.last_shift(),
            converged: clustering.converged,
            path: clustering.path.clone(),
            batch: clustering.batch,
            pairs_kept: clustering.pairs.map(|pairs| pairs.kept),
            pairs_all: clustering.pairs.map(|pairs| pairs.all),
            pairs_first: clustering.pairs.map(|pairs| pairs.first),
            pairs_ideal: clustering.pairs.map(|pairs| pairs.ideal),
            clusters: clustering.modes.iter().map(|mode| Cluster::new(mode, &centroids)).collect(),
            noise: clustering.labels.iter().filter(|&&label| label < 0).count(),
            notes: clustering.notes.clone(),
            adjusted_rand_index,
            points_per_second: moved / iterate,
            pairs_per_second: match (clustering.path.name, clustering.pairs) {
                ("field", _) => None,
                (_, Some(pairs)) => Some(pairs.kept as f64 / iterate),
                _ => Some(moved * blobs.points as f64 / iterate),
            },
            seconds: Seconds {
                open_device: open.as_secs_f64(),
                generate: generate.as_secs_f64(),
                prepare: phases.prepare.as_secs_f64(),
                iterate,
                label: phases.label.as_secs_f64(),
                download: phases.download.as_secs_f64(),
                total: total.as_secs_f64(),
            },
            launches,
            uploads,
            downloads,
        }
    }

    /// One line of JSON.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_json(&self, out: &mut impl Write) -> Result<()> {
        serde_json::to_writer(&mut *out, self).map_err(std::io::Error::from)?;
        writeln!(out)?;
        Ok(())
    }

    /// The report that a person reads.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_text(&self, out: &mut impl Write) -> Result<()> {
        writeln!(out, "device      {}: {}", self.device, self.device_why)?;
        writeln!(
            out,
            "data        {} points, {} dimensions, {} Gaussian clusters, seed {}",
            self.points, self.dimensions, self.true_clusters, self.seed
        )?;
        let state = if self.converged { "converged" } else { "not converged: allow more --iterations" };
        writeln!(
            out,
            "mean shift  bandwidth {}, {} iterations, the last moved {:.2e} bandwidths at most ({state})",
            self.bandwidth_text(),
            self.iterations,
            self.last_shift
        )?;
        writeln!(out, "path        {}", self.path_text())?;
        if let Some(batch) = self.batch {
            writeln!(out, "batches     {batch} points at a time")?;
        }
        if let (Some(kept), Some(all)) = (self.pairs_kept, self.pairs_all) {
            let part = 100.0 * kept as f64 / all as f64;
            writeln!(out, "pairs       {part:.3} % were computed, {kept} of {all}: the others are too far to count")?;
        }
        if let (Some(first), Some(ideal @ 1..)) = (self.pairs_first, self.pairs_ideal) {
            let times = first as f64 / ideal as f64;
            writeln!(
                out,
                "            in the first iteration {first}, {times:.2} times the {ideal} that are near enough, by a sample"
            )?;
        }
        for note in &self.notes {
            writeln!(out, "note        {note}")?;
        }
        self.write_times(out)?;
        self.write_clusters(out)
    }

    /// How iterations were computed, why so, and how far steps were off.
    fn path_text(&self) -> String {
        let Path { name, reason, bound, sampled_error, nodes, .. } = &self.path;
        let nodes = nodes.map(|nodes| format!(" of {nodes} nodes")).unwrap_or_default();
        let error = match (bound, sampled_error) {
            (Some(bound), Some(sampled)) => {
                format!("; steps off by {sampled:.1e} bandwidths in a sample, {bound:.1e} expected at most")
            }
            _ => String::new(),
        };
        format!("{name}{nodes}: {reason}{error}")
    }

    /// The bandwidth, and where it comes from if it was not given.
    fn bandwidth_text(&self) -> String {
        let from = if self.bandwidth_from == "given" { String::new() } else { format!(" ({})", self.bandwidth_from) };
        match &self.bandwidth_per_dimension {
            Some(each) => {
                let each: Vec<_> = each.iter().take(SHOWN_COORDINATES).map(|h| format!("{h:.4}")).collect();
                format!("{}{from}", each.join(", "))
            }
            // Five digits are what a person reads; a given one is shown as typed.
            None if from.is_empty() => self.bandwidth.to_string(),
            None => format!("{:.4}{from}", self.bandwidth),
        }
    }

    fn write_times(&self, out: &mut impl Write) -> Result<()> {
        let Seconds { open_device, generate, prepare, iterate, label, download, total } = self.seconds;
        let phases = [
            ("open device", open_device),
            ("generate", generate),
            ("prepare", prepare),
            ("iterate", iterate),
            ("label", label),
            ("download", download),
        ];
        let phases: Vec<_> = phases.iter().map(|(name, seconds)| format!("{name} {}", time(*seconds))).collect();
        writeln!(out, "time        {} in all: {}", time(total), phases.join(", "))?;
        let pairs = self.pairs_per_second.map(|pairs| format!(", {pairs:.3e} pairs/s")).unwrap_or_default();
        writeln!(out, "speed       {:.3e} points/s through one iteration{pairs}", self.points_per_second)?;
        writeln!(
            out,
            "traffic     {} launches, {} uploads, {} downloads",
            self.launches, self.uploads, self.downloads
        )?;
        Ok(())
    }

    fn write_clusters(&self, out: &mut impl Write) -> Result<()> {
        let found = self.clusters.len();
        let noise = if self.noise > 0 { format!(", {} points are noise", self.noise) } else { String::new() };
        writeln!(out, "clusters    {found} found{noise}, adjusted Rand index {:.4}", self.adjusted_rand_index)?;
        writeln!(out)?;
        let width = self.clusters.iter().map(|cluster| position(&cluster.mode).len()).max().unwrap_or(0);
        let (mode, centroid) = ("mode", "nearest true centroid");
        writeln!(out, "  {:>9}  {mode:<width$}  {centroid:<width$}  apart", "size")?;
        for cluster in self.clusters.iter().take(SHOWN) {
            let (mode, centroid) = (position(&cluster.mode), position(&cluster.centroid));
            let pad = width.max("nearest true centroid".len());
            writeln!(out, "  {:>9}  {mode:<width$}  {centroid:<pad$}  {:.3}", cluster.size, cluster.distance)?;
        }
        if found > SHOWN {
            let rest: usize = self.clusters[SHOWN..].iter().map(|cluster| cluster.size).sum();
            writeln!(out, "  {rest:>9}  in {} more; --json lists all", found - SHOWN)?;
        }
        Ok(())
    }
}

impl Cluster {
    fn new(mode: &crate::mean_shift::Mode, centroids: &Centroids<'_>) -> Self {
        let position = DVector::from_column_slice(&mode.position);
        let (centroid, distance) = centroids
            .positions
            .column_iter()
            .map(|centroid| {
                let centroid = if centroids.directions { centroid.normalize() } else { centroid.into_owned() };
                let apart = (&centroid - &position).norm();
                // Of unit vectors, half the square is 1 - cos.
                (centroid, if centroids.directions { apart * apart / 2.0 } else { apart })
            })
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .expect("there is at least one cluster");
        Self {
            size: mode.size,
            weight: mode.weight,
            mode: mode.position.clone(),
            centre: mode.centre.clone(),
            centroid: centroid.iter().copied().collect(),
            distance,
        }
    }
}

/// A position's first coordinates.
fn position(coordinates: &[f64]) -> String {
    let shown: Vec<_> = coordinates.iter().take(SHOWN_COORDINATES).map(|x| format!("{x:8.3}")).collect();
    let more = if coordinates.len() > SHOWN_COORDINATES { ", …" } else { "" };
    format!("({}{more})", shown.join(", "))
}

/// Seconds, in the unit that fits.
fn time(seconds: f64) -> String {
    match seconds {
        s if s >= 1.0 => format!("{s:.2} s"),
        s if s >= 1e-3 => format!("{:.1} ms", s * 1e3),
        s => format!("{:.0} us", s * 1e6),
    }
}
