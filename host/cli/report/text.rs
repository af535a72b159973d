//! The report that a person reads.

use std::io::{self, Write};

use super::{Report, Seconds};
use crate::cli::terminal::line;
use crate::data::{left_out_text, list};
use crate::mean_shift::Path;
use crate::picture::numbers::{self, Notation, count};

/// Clusters that the text shows.
const SHOWN: usize = 12;

/// Coordinates of a position that the text shows.
const SHOWN_COORDINATES: usize = 4;

/// The part of a bandwidth that is seen in positions.
const SEEN: f64 = 0.1;

impl Report {
    /// The report that a person reads.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_text(&self, out: &mut (impl Write + ?Sized)) -> io::Result<()> {
        writeln!(out, "device      {}: {}", self.device, self.device_why)?;
        writeln!(out, "data        {}", line(&self.data_text()))?;
        if let Some(text) = left_out_text(&self.left_out) {
            writeln!(out, "            {}", line(&text))?;
        }
        let state = if self.converged {
            "converged"
        } else {
            "not converged: allow more --iterations, or a larger --tolerance"
        };
        let iterations = match (self.iterations, self.last_shift) {
            (Some(iterations), Some(shift)) => {
                format!("{}, the last moved {shift:.2e} bandwidths at most ({state})", count(iterations, "iteration"))
            }
            _ => state.to_owned(),
        };
        writeln!(out, "mean shift  bandwidth {}, {iterations}", self.bandwidth_text())?;
        writeln!(out, "path        {}", self.path_text())?;
        if let Some(batch) = self.batch {
            writeln!(out, "batches     {} at a time", count(batch, "point"))?;
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
            writeln!(out, "note        {}", line(note))?;
        }
        self.write_times(out)?;
        self.write_clusters(out)
    }

    /// Which points.
    fn data_text(&self) -> String {
        let Self { columns, seed, source, dropped, .. } = self;
        let (points, dimensions) = (count(self.points, "point"), count(self.dimensions, "dimension"));
        match (self.true_clusters, self.shape) {
            (Some(clusters), Some(shape)) => {
                let clusters = count(clusters, shape.strip_suffix('s').unwrap_or(shape));
                format!("{points}, {dimensions}, {clusters}, seed {seed}")
            }
            _ => {
                let dropped = match *dropped {
                    0 => String::new(),
                    some => format!("; {} left out, with missing values", count(some, "row")),
                };
                format!("{points}, {dimensions} ({}) of {source}{dropped}", list(columns))
            }
        }
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
                let each: Vec<_> = each.iter().take(SHOWN_COORDINATES).map(|&h| numbers::rounded(h, 4)).collect();
                format!("{}{from}", each.join(", "))
            }
            // Five digits are what a person reads; a given one is shown as typed.
            None if from.is_empty() => numbers::whole(self.bandwidth),
            None => format!("{}{from}", numbers::rounded(self.bandwidth, 4)),
        }
    }

    /// How the first coordinates of positions are written: so that a tenth of a bandwidth is seen, wherever they are.
    fn notations(&self) -> Vec<Notation> {
        let notation = |(column, &length): (usize, &f64)| {
            let positions = self.clusters.iter().flat_map(|cluster| [Some(&cluster.mode), cluster.centroid.as_ref()]);
            let sizes = positions.flatten().map(|position| position[column].abs());
            Notation::new(sizes.fold(length, f64::max), length * SEEN, 3)
        };
        self.lengths.iter().take(SHOWN_COORDINATES).enumerate().map(notation).collect()
    }

    fn write_times(&self, out: &mut (impl Write + ?Sized)) -> io::Result<()> {
        let Seconds { open_device, generate, read, prepare, iterate, label, download, write, total } = self.seconds;
        let phases = [
            ("open device", open_device),
            ("generate", generate),
            ("read", read),
            ("prepare", prepare),
            ("iterate", iterate),
            ("label", label),
            ("download", download),
            ("write", write),
        ];
        // What did not happen takes no time.
        let phases: Vec<_> = phases
            .iter()
            .filter(|(_, seconds)| *seconds > 0.0)
            .map(|(name, seconds)| format!("{name} {}", time(*seconds)))
            .collect();
        writeln!(out, "time        {} in all: {}", time(total), phases.join(", "))?;
        if let Some(points) = self.points_per_second {
            let pairs = self.pairs_per_second.map(|pairs| format!(", {pairs:.3e} pairs/s")).unwrap_or_default();
            writeln!(out, "speed       {points:.3e} points/s through one iteration{pairs}")?;
        }
        writeln!(
            out,
            "traffic     {} launches, {}, {}",
            self.launches,
            count(self.uploads, "upload"),
            count(self.downloads, "download")
        )
    }

    fn write_clusters(&self, out: &mut (impl Write + ?Sized)) -> io::Result<()> {
        let found = self.clusters.len();
        let noise = match self.noise {
            0 => String::new(),
            1 => ", 1 point is noise".to_owned(),
            more => format!(", {more} points are noise"),
        };
        let agreement =
            self.adjusted_rand_index.map(|index| format!(", adjusted Rand index {index:.4}")).unwrap_or_default();
        writeln!(out, "clusters    {found} found{noise}{agreement}")?;
        if found == 0 {
            return Ok(());
        }
        writeln!(out)?;
        let notations = self.notations();
        let position = |coordinates: &[f64]| position(coordinates, &notations);
        let farthest = self.clusters.iter().filter_map(|cluster| cluster.distance).fold(self.bandwidth, f64::max);
        let distances = Notation::new(farthest, self.bandwidth * SEEN, 3);
        let width = self.clusters.iter().map(|cluster| position(&cluster.mode).len()).max().unwrap_or(0);
        let centroids = "nearest true centroid";
        let pad = width.max(centroids.len());
        match self.true_clusters {
            Some(_) => writeln!(out, "  {:>9}  {:<width$}  {centroids:<width$}  apart", "size", "mode")?,
            None => writeln!(out, "  {:>9}  mode", "size")?,
        }
        for cluster in self.clusters.iter().take(SHOWN) {
            let mode = position(&cluster.mode);
            match (&cluster.centroid, cluster.distance) {
                (Some(centroid), Some(apart)) => {
                    let centroid = position(centroid);
                    let apart = distances.text(apart);
                    writeln!(out, "  {:>9}  {mode:<width$}  {centroid:<pad$}  {apart}", cluster.size)?;
                }
                _ => writeln!(out, "  {:>9}  {mode}", cluster.size)?,
            }
        }
        if found > SHOWN {
            let rest: u64 = self.clusters[SHOWN..].iter().map(|cluster| cluster.size).sum();
            writeln!(out, "  {rest:>9}  in {} more; --json lists all", found - SHOWN)?;
        }
        Ok(())
    }
}

/// A position's first coordinates.
fn position(coordinates: &[f64], notations: &[Notation]) -> String {
    let shown: Vec<_> =
        coordinates.iter().zip(notations).map(|(&x, notation)| format!("{:>8}", notation.text(x))).collect();
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
