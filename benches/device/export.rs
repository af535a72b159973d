//! The cases' data as raw files, for peers in other languages: little-endian, by rows, listed in index.json.

use std::path::Path;

use cuda_std::launch::DeviceCopy;
use gpu::pairwise::pairwise_l2;
use gpu::weight::{Gaussian, Weight, weight_gaussian};
use modeseek::data::Blobs;
use modeseek::reduction::Reduction;
use modeseek::reference;
use modeseek::{Device, Points};
use serde_json::{Map, Value, json};

use super::Outcome;
use super::cases::{self, Case, Shape};
use crate::families::shift::{Columns, bandwidth, clusters};
use crate::measure::{random, spread, wide};
use modeseek::WeightFunction;

/// Queries whose step is exported: the most, the fewest, and between these as many as make so many differences of
/// coordinates, which take a second or so.
const QUERIES: (usize, usize) = (2048, 64);
const DIFFERENCES: usize = 400_000_000;

/// Rows of a product that are exported.
const ROWS: usize = 8;

/// Queries of the exported step that are compared with the oracle first.
const CHECKED: usize = 8;

/// Matrices of more bytes are left to the peers to draw.
const LARGEST: usize = 64 << 20;

/// Weights that are held at a time.
const HELD: usize = 1 << 24;

/// A folder that is being filled, and its index.
struct Folder<'a> {
    path: &'a Path,
    index: Vec<Value>,
}

/// Writes the data of all cases.
pub fn run(out: &Path, tried: bool) -> Outcome<()> {
    std::fs::create_dir_all(out).map_err(|error| format!("{} cannot be made: {error}", out.display()))?;
    let mut folder = Folder { path: out, index: Vec::new() };
    let device = Device::processor()?;
    for case in cases::kernels()? {
        let shape = if tried { case.tried } else { case.shape };
        folder.export(&device, &case, shape)?;
    }
    for run in cases::runs(tried)? {
        let set = Blobs { points: run.n, clusters: 6, dimensions: run.d, seed: 14 }.generate()?;
        let points = Points::from_rows(&set.rows, run.d)?;
        let mut files = Map::new();
        folder.write(&mut files, &run.name, ("points", "f32"), points.centred_rows(), &[run.n, run.d])?;
        folder.write(&mut files, &run.name, ("labels", "u32"), &set.labels, &[run.n])?;
        folder.index.push(json!({
            "case": run.name, "kind": "run", "n": run.n, "d": run.d, "bandwidth": bandwidth(run.d),
            "iterations": run.iterations.unwrap_or(0), "files": files,
        }));
    }
    let index = serde_json::to_string_pretty(&folder.index)?;
    folder.put("index.json", (index + "\n").as_bytes())
}

/// Writes the points that the program generates where it is told no other seed, as they are, and their labels.
pub fn blobs(points: usize, dimensions: usize, out: &Path) -> Outcome<()> {
    let set = Blobs { points, clusters: 6, dimensions, seed: 14 }.generate()?;
    std::fs::create_dir_all(out).map_err(|error| format!("{} cannot be made: {error}", out.display()))?;
    let folder = Folder { path: out, index: Vec::new() };
    folder.put("points.f32", &bytes(&set.rows))?;
    folder.put("labels.u32", &bytes(&set.labels))
}

/// Values as a file has them.
fn bytes<T: Copy + ToBytes>(values: &[T]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le()).collect()
}

impl Folder<'_> {
    fn export(&mut self, device: &Device, case: &Case, shape: Shape) -> Outcome<()> {
        let (name, mut files) = (case.name.as_str(), Map::new());
        let entry = match shape {
            Shape::Step { n, d } => {
                let points = clusters(n, d);
                let checked = (DIFFERENCES / (n * d)).clamp(QUERIES.1, QUERIES.0).min(n);
                let moved = moved(device, &points, checked)?;
                self.write(&mut files, name, ("points", "f32"), points.centred_rows(), &[n, d])?;
                self.write(&mut files, name, ("moved", "f32"), &moved, &[checked, d])?;
                json!({"kind": "step", "n": n, "d": d, "bandwidth": bandwidth(d), "checked": checked})
            }
            Shape::Product { m, k, n } if 4 * (m * k).max(k * n) > LARGEST || name == "product/8192" => {
                json!({"kind": "product", "m": m, "k": k, "n": n, "drawn": true})
            }
            Shape::Product { m, k, n } => {
                self.product(&mut files, name, [m, k, n])?;
                json!({"kind": "product", "m": m, "k": k, "n": n})
            }
            Shape::Pairwise { m, n, d } => {
                self.write(&mut files, name, ("a", "f32"), &random(m * d, 80), &[m, d])?;
                self.write(&mut files, name, ("b", "f32"), &random(n * d, 81), &[n, d])?;
                json!({"kind": "pairwise", "m": m, "n": n, "d": d})
            }
            Shape::Reduce { m, n, d } => {
                self.write(&mut files, name, ("points", "f32"), clusters(n, d).centred_rows(), &[n, d])?;
                json!({"kind": "reduce", "m": m, "n": n, "d": d})
            }
        };
        let Value::Object(mut entry) = entry else { return Err("an entry is an object".into()) };
        entry.insert("case".to_owned(), name.into());
        entry.insert("files".to_owned(), files.into());
        self.index.push(entry.into());
        Ok(())
    }

    /// Two matrices, and some rows of their product in f64.
    fn product(&self, files: &mut Map<String, Value>, name: &str, [m, k, n]: [usize; 3]) -> Outcome<()> {
        let (a, b) = (random(m * k, 40), random(k * n, 41));
        let rows = spread(m, ROWS);
        let chosen: Vec<f32> = rows.iter().flat_map(|i| &a[i * k..][..k]).copied().collect();
        let expected = reference::matmul(&wide(&chosen), &wide(&b), rows.len(), n, k);
        let expected: Vec<f32> = expected.iter().map(|x| *x as f32).collect();
        let numbers: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
        self.write(files, name, ("a", "f32"), &a, &[m, k])?;
        self.write(files, name, ("b", "f32"), &b, &[k, n])?;
        self.write(files, name, ("rows", "u32"), &numbers, &[rows.len()])?;
        self.write(files, name, ("expected", "f32"), &expected, &[rows.len(), n])
    }

    fn write<T: DeviceCopy + ToBytes>(
        &self,
        files: &mut Map<String, Value>,
        case: &str,
        (name, kind): (&str, &str),
        values: &[T],
        shape: &[usize],
    ) -> Outcome<()> {
        if shape.iter().product::<usize>() != values.len() {
            return Err(format!("{case}: {name} has {} values, not {shape:?}", values.len()).into());
        }
        let file = format!("{}-{name}.{kind}", case.replace('/', "-"));
        self.put(&file, &bytes(values))?;
        files.insert(name.to_owned(), json!({"file": file, "shape": shape}));
        Ok(())
    }

    fn put(&self, file: &str, bytes: &[u8]) -> Outcome<()> {
        let path = self.path.join(file);
        std::fs::write(&path, bytes).map_err(|error| format!("{} cannot be written: {error}", path.display()).into())
    }
}

/// A number as a file has it.
trait ToBytes {
    fn to_le(&self) -> [u8; 4];
}

impl ToBytes for f32 {
    fn to_le(&self) -> [u8; 4] {
        self.to_le_bytes()
    }
}

impl ToBytes for u32 {
    fn to_le(&self) -> [u8; 4] {
        self.to_le_bytes()
    }
}

/// Where one blurring step moves the first points, in units of the data, by the kernels of the composed method: a
/// fused one would move all of them.
fn moved(device: &Device, points: &Points, checked: usize) -> Outcome<Vec<f32>> {
    let (n, d) = (points.len(), points.dimensions());
    let rows = device.upload(points.centred_rows())?;
    let batch = (HELD / n).clamp(1, checked);
    let mut weights = device.zeros(batch * n)?;
    let mut moved = device.zeros(checked * d)?;
    let mut reduction = Reduction::new(device, [batch, n, d])?;
    let scale = (Gaussian::SCALE / bandwidth(d)) as f32;
    for first in (0..checked).step_by(batch) {
        let end = checked.min(first + batch);
        let [m, n32, d32] = [end - first, n, d].map(|size| size as u32);
        let queries = rows.slice(first * d..end * d);
        device.launch(pairwise_l2::launch(&queries, &rows, &mut weights, m, n32, d32, 2.0))?;
        let mut part = weights.slice_mut(0..(end - first) * n);
        device.launch(weight_gaussian::launch(&mut part, scale, 1.0))?;
        let mut part = moved.slice_mut(first * d..end * d);
        device.launch(reduction.launch(&weights, &rows, &mut part, m))?;
    }
    let moved = device.download(&moved)?;
    check(points, &moved, checked)?;
    Ok(moved)
}

/// Compares some of the moved points with the oracle, before others are held against them.
fn check(points: &Points, moved: &[f32], checked: usize) -> Outcome<()> {
    let columns = Columns::of(points, WeightFunction::Gaussian);
    let (d, scale) = (columns.d, Gaussian::SCALE / bandwidth(columns.d));
    let tolerance = columns.tolerance();
    let which = spread(checked, CHECKED);
    let (_, expected) = columns.beside_oracle(&columns.values, Some(&which));
    let found = which.iter().flat_map(|i| &moved[i * d..][..d]);
    for (found, expected) in found.zip(&expected) {
        let error = (f64::from(*found) * scale - expected).abs();
        let near = error <= 2.0 * tolerance;
        if !near {
            return Err(
                format!("a point of {} moved to {found}, which is off by {error:e} bandwidths", points.len()).into()
            );
        }
    }
    Ok(())
}
