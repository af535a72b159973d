//! Pictures of whole clusterings: what is on them, and that there is one for any points.

mod animation;
mod curves;
mod frames;
mod scatter;

use std::path::{Path, PathBuf};

use modeseek::data::Blobs;
use modeseek::mean_shift::Frames;
use modeseek::picture::{Drawing, Shape};
use modeseek::{Bandwidth, Clustering, MeanShift, Points};

/// Points of so many clusters, and what a fit makes of them.
fn clustered(points: usize, clusters: usize, dimensions: usize, estimator: MeanShift) -> (Points, Clustering) {
    let blobs = Blobs { points, clusters, dimensions, seed: 14 };
    let points = Points::from_rows(&blobs.generate().unwrap().rows, dimensions).unwrap();
    let clustering = estimator.fit(&points).unwrap();
    (points, clustering)
}

/// The texts on a drawing.
fn texts(drawing: &Drawing) -> Vec<&str> {
    fn text(shape: &Shape) -> Option<&str> {
        if let Shape::Text { text, .. } = shape { Some(text) } else { None }
    }
    drawing.shapes.iter().filter_map(text).collect()
}

/// Writes drawings where a person can look at them, if MODESEEK_PICTURES names a folder.
fn show(drawing: &Drawing, name: &str) {
    if let Ok(folder) = std::env::var("MODESEEK_PICTURES") {
        for end in ["png", "svg"] {
            drawing.save(&Path::new(&folder).join(format!("{name}.{end}"))).unwrap();
        }
    }
}

/// Where a file is written: where a person can look at it, if MODESEEK_PICTURES names a folder.
fn picture_path(folder: &tempfile::TempDir, name: &str) -> PathBuf {
    let shown = std::env::var("MODESEEK_PICTURES").map(PathBuf::from);
    shown.unwrap_or_else(|_| folder.path().to_owned()).join(name)
}

fn lecture() -> MeanShift {
    MeanShift::new().bandwidth(Bandwidth::Fixed(2.5))
}

/// The lecture's points on their way.
fn gathering(estimator: MeanShift, dimensions: usize) -> (Points, Clustering, Frames) {
    let (points, clustering) = clustered(1500, 6, dimensions, estimator.clone());
    let frames = estimator.frames(&points, 1500).unwrap();
    (points, clustering, frames)
}
